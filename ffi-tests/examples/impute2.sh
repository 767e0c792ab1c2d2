# The imputation tools in C and C++ print the same, and what they count is what is in the panel and in a file of the
# same artificial haplotypes, by a count of our own; what is wrong with their input they say.
flags="-O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror $(pkg-config --cflags haploom)"
libs="$(pkg-config --libs haploom) -Wl,-rpath,$PREFIX/lib"
cc -std=c99 $flags "$ROOT/examples/impute2/impute2.c" $libs -o in_c
c++ -std=c++17 $flags "$ROOT/examples/impute2/impute2.cpp" $libs -o in_cpp
export PATH=$PREFIX/bin:$PATH

haploom convert -q "$PANEL" panel.hap
haploom train -q panel.hap -o model.safetensors --set epochs=20 --set batch=100 --set chains=200 --set hidden=40
check() { # PANEL N SEED TARGET
    ./in_c "$1.hap" "$1.legend" model.safetensors "$2" "$3" "$4" >said
    ./in_cpp "$1.hap" "$1.legend" model.safetensors "$2" "$3" "$4" | cmp - said
    # An odd number is half a person more than haploom sample makes.
    haploom sample -q model.safetensors -n $((($2 + 1) / 2 * 2)) --seed "$3" -o artificial.hap
    python3 - "$1" "$2" "$4" <<'PYTHON' >expected
import sys
panel, artificial, target = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rows = lambda path: [line.split() for line in open(path)]
real_rows, artificial_rows = rows(panel + ".hap"), [row[:artificial] for row in rows("artificial.hap")]
positions = [int(row[1]) for row in rows(panel + ".legend")[1:]]
print("first", "last", "sites", "real_alternates", "artificial_alternates", "best", "number", "differences", sep="\t")
for start in range(1, positions[-1] + 1, 1000000):
    if not any(start <= position < start + 1000000 for position in positions):
        continue
    window = [i for i, position in enumerate(positions) if start - 250000 <= position < start + 1250000]
    count = lambda rows: sum(rows[i].count("1") for i in window)
    haplotypes = lambda rows: list(zip(*(rows[i] for i in window)))
    wanted = haplotypes(real_rows)[target]
    others = [("real", n, h) for n, h in enumerate(haplotypes(real_rows)) if n != target]
    others += [("artificial", n, h) for n, h in enumerate(haplotypes(artificial_rows))]
    far = lambda h: sum(a != b for a, b in zip(h, wanted))
    best = min(others, key=lambda other: far(other[2]))
    print(positions[window[0]], positions[window[-1]], len(window), count(real_rows), count(artificial_rows), best[0],
          best[1], far(best[2]), sep="\t")
PYTHON
    diff said expected
    [ "$(wc -l <said)" -gt 3 ]
}
check panel 500 7 0
check panel 3 1 1799
# A target that an artificial haplotype is nearest to: with people of its kind taken out of the panel. Its 2 columns leave
# a gap before those of the artificial ones.
haploom convert -q panel.hap few.hap -s "$(awk 'NR == 2 {print $1}' panel.samples)"
check few 2000 1 0
grep -q artificial$'\t' said || fail "of 2,000 artificial haplotypes none is nearer than the other one of the person"

refused() { # WHAT ARGUMENTS...: both say it, and print no line of a table
    local what=$1
    shift
    for program in ./in_c ./in_cpp; do
        if $program "$@" >said 2>error; then fail "$program takes $*"; fi
        grep -qF -- "$what" error || { cat error; fail "$program does not say: $what"; }
        [ ! -s said ] || fail "$program prints before it knows"
    done
}
refused 'usage: ' panel.hap
refused 'impute2: /nowhere' panel.hap /nowhere model.safetensors 10
refused 'impute2: /nowhere' /nowhere panel.legend model.safetensors 10
refused 'N is 1x' panel.hap panel.legend model.safetensors 1x
refused 'N is 0' panel.hap panel.legend model.safetensors 0
refused 'INVALID_OPTION: option seed' panel.hap panel.legend model.safetensors 10 seven
refused 'TARGET is 1800' panel.hap panel.legend model.safetensors 10 7 1800
refused 'NOT_A_MODEL: panel.hap' panel.hap panel.legend panel.hap 10
head -n 100 panel.legend >part.legend
head -n 99 panel.hap >part.hap
refused 'the model has 800 sites and the legend 99' part.hap part.legend model.safetensors 10
sed '2s/ [ACGT]$/ N/' panel.legend >other.legend
refused 'site 1 is ' panel.hap other.legend model.safetensors 10
sed '50s/ [0-9]* / 5 /' panel.legend >unsorted.legend
refused 'line 50: position 5 is out of order' panel.hap unsorted.legend model.safetensors 10
sed '50s/.*/rs1 here/' panel.legend >wrong.legend
refused 'line 50 is not' panel.hap wrong.legend model.safetensors 10
sed '50s/ [0-9]* / 99999999999 /' panel.legend >far.legend
refused 'no contig has a position 99999999999' panel.hap far.legend model.safetensors 10
head -n 1 panel.legend >empty.legend
refused 'no sites' panel.hap empty.legend model.safetensors 10
sed '7s/ [01]$//' panel.hap >narrow.hap
refused 'line 7' narrow.hap panel.legend model.safetensors 10
sed '7s/1/2/' panel.hap >digits.hap
refused 'line 7' digits.hap panel.legend model.safetensors 10
sed '7s/$/ 1/' panel.hap >wide.hap
refused 'line 7' wide.hap panel.legend model.safetensors 10
head -n 799 panel.hap >short.hap
refused 'line 800' short.hap panel.legend model.safetensors 10
sed '$p' panel.hap >long.hap
refused 'more lines than the legend' long.hap panel.legend model.safetensors 10
: >empty.hap
refused 'the first line has no alleles' empty.hap panel.legend model.safetensors 10
