# The examples in C and C++ are compiled by their Makefile, without a warning, and say what the program haploom says.
cp -r "$ROOT"/examples/{Makefile,c,cpp,impute2} .
make CFLAGS="-std=c99 -O1 -Wall -Wextra -Wpedantic -Werror" CXXFLAGS="-O1 -Wall -Wextra -Wpedantic -Werror" >make.log
export PATH=$PREFIX/bin:$PATH
alleles() { haploom convert -q "$1" "$1.hap" && cat "$1.hap"; }

# Two ways to the same model and the same people.
settings=epochs=20,batch=100,chains=200,hidden=40
haploom train -q "$PANEL" -o expected.safetensors --seed 7 --set ${settings//,/ --set }
haploom sample -q expected.safetensors -n 100 -o expected.bcf
for program in build/c/train_and_sample build/cpp/train_and_sample_cpp; do
    $program "$PANEL" $settings,seed=7 made.safetensors 100 made.bcf >said 2>progress
    grep -qx '1800 haplotypes, 800 sites: rbm, and 100 artificial haplotypes' said || fail "$program says: $(cat said)"
    grep -q 'training: .* of .* updates' progress || fail "$program shows no progress"
    cmp made.safetensors expected.safetensors
    diff <(alleles made.bcf) <(alleles expected.bcf) >/dev/null || fail "$program makes other haplotypes"
    if $program /nowhere.bcf $settings x.safetensors 100 x.bcf 2>error; then fail "$program reads nothing"; fi
    grep -q 'IO: .*/nowhere.bcf' error
    if $program "$PANEL" epoks=20 x.safetensors 100 x.bcf 2>error; then fail "$program takes any option"; fi
    grep -q "UNKNOWN_OPTION: .*epoks" error
    if $program "$PANEL" $settings x.safetensors 3 x.bcf 2>error; then fail "$program makes half a person"; fi
    grep -q 'INVALID_ARGUMENT' error
    [ ! -e x.bcf ] || fail "$program leaves a file behind"

    # Ctrl-C in the midst of a training that would last for hours.
    rm progress
    touch progress
    $program "$PANEL" epochs=1000000,batch=100,chains=200,hidden=40 stopped.safetensors 100 x.bcf >said 2>>progress &
    until grep -q 'training: ' progress; do kill -0 $! || fail "$program ended: $(cat progress)"; sleep 0.1; done
    kill -INT $!
    if wait $!; then fail "$program was not stopped"; fi
    grep -q 'CANCELLED: ' progress || fail "$program was stopped without a word: $(tail -c 300 progress)"
    [ ! -e stopped.safetensors ] || fail "$program saved half a model"
done

# Each number of an evaluation, as haploom evaluate --json has it.
for set in train held_out; do
    awk -v set=$set '$3 == set {print $1}' "$ROOT/assets/demo_samples.tsv" >$set.txt
    haploom convert -q "$PANEL" $set.bcf -S $set.txt
done
haploom evaluate -q train.bcf expected.bcf --test held_out.bcf --json expected.json >/dev/null
build/c/evaluate train.bcf expected.bcf held_out.bcf >by_c.tsv
build/cpp/evaluate_cpp train.bcf expected.bcf held_out.bcf | diff by_c.tsv -
python3 - <<'PYTHON'
import json, math
measures = json.load(open("expected.json"))["measures"]
lines = [line.rstrip("\n").split("\t") for line in open("by_c.tsv")][1:]
assert [line[0] for line in lines] == list(measures), "other names"
for name, *numbers in lines:
    for column, number in zip(("value", "floor", "best"), map(float, numbers)):
        expected = measures[name].get(column)
        right = math.isnan(number) if expected is None else math.isclose(number, expected, rel_tol=1e-8)
        assert right, f"{name}: {column} is {number}, expected {expected}"
assert len(lines) > 10
PYTHON
build/c/evaluate train.bcf expected.bcf | awk -F'\t' '$1 == "ld_r" && $3 == "nan" {found = 1} END {exit !found}'
for program in build/c/evaluate build/cpp/evaluate_cpp; do
    if $program train.bcf /nowhere.bcf 2>error; then fail "$program reads nothing"; fi
    grep -q '^evaluate: IO: .*/nowhere.bcf' error
done

# Imputation in memory gives the dosages that haploom impute writes, and tells as much of the typed sites; so does a file.
bcftools view held_out.bcf | awk '/^#/ || n++ % 10 == 5' | bcftools view -Ob -o array.bcf
bcftools query -f '%CHROM %POS %REF %ALT[ %GT]\n' array.bcf | tr '|' ' ' >typed.txt
haploom impute array.bcf --panel train.bcf -o expected_imputed.bcf 2>said
mean=$(sed -n 's/.*mean ER2 of typed sites \([0-9.]*\).*/\1/p' said)
build/c/impute train.bcf typed.txt >dosages.txt 2>notes
grep -qx '600 haplotypes, 80 typed sites, 720 imputed' notes || fail "impute says: $(cat notes)"
grep -qx "typed sites are told by the others: mean squared correlation $mean" notes || fail "not $mean: $(cat notes)"
grep -q '^effective_size: [1-9]' notes
bcftools query -f '%CHROM\t%POS\t%REF\t%ALT\tIMPUTED[\t%HDS]\n' -i 'INFO/IMPUTED=1' expected_imputed.bcf | tr ',' '\t' >expected_dosages.txt
python3 - <<'PYTHON'
lines = lambda path: [line.split() for line in open(path) if "\tIMPUTED\t" in line]
ours, expected = lines("dosages.txt"), lines("expected_dosages.txt")
assert [line[:5] for line in ours] == [line[:5] for line in expected] and len(ours) == 720
for a, b in zip(ours, expected):
    assert len(a) == len(b) == 605 and all(abs(float(x) - float(y)) < 2e-3 for x, y in zip(a[5:], b[5:])), a[:4]
PYTHON
[ "$(grep -c TYPED dosages.txt)" = 80 ]
build/c/impute train.bcf array.bcf imputed.bcf 2>notes
cmp <(bcftools view -H imputed.bcf) <(bcftools view -H expected_imputed.bcf)
grep -qx 'imputed: 720' notes
# A hole is imputed; what is wrong is said with its line, and nothing is printed.
sed '7s/ [01]$/ ./' typed.txt >hole.txt
build/c/impute train.bcf hole.txt 2>notes | wc -l | grep -qx 800
refused() { # WHAT LINES...: of the text
    printf '%s\n' "${@:2}" >wrong.txt
    if build/c/impute train.bcf wrong.txt >printed 2>error; then fail "impute takes $2"; fi
    grep -qF "$1" error || { cat error; fail "impute does not say: $1"; }
    [ ! -s printed ]
}
first=$(sed -n 1p typed.txt) second=$(sed -n 2p typed.txt)
refused 'wrong.txt, line 2: the sites are not in the order' "$second" "$first"
refused 'wrong.txt, line 1: the panel does not have this site' "${first/ / 1}"
refused 'line 1: alleles are 0, 1 or .' "$first 2"
refused 'line 2: it has not as many alleles' "$first" "$second 1"
refused 'line 1: it has not as many alleles as the first line, or none' "$(cut -d ' ' -f 1-4 <<<"$first")"
refused 'line 2: a contig, a position' "$first" '1 2 3'
if build/c/impute /nowhere.bcf typed.txt 2>error; then fail "impute reads nothing"; fi
grep -q '^impute: IO: .*/nowhere.bcf' error
if build/c/impute train.bcf /nowhere.bcf x.bcf 2>error; then fail "impute reads nothing"; fi
grep -q '^impute: IO: .*/nowhere.bcf' error

# Each key that haploom options lists is in the table, with its default, group, help and bounds.
build/c/options >options.tsv
haploom options >listed
awk -F'\t' 'NR == FNR {default_of[$1] = $3; group[$1] = $5; help[$1] = $6 "; " $4; next}
    /^[^ ]/ {current = substr($0, 1, length($0) - 1)}
    /^  [^ ]/ {split(substr($0, 3), key, "="); checked++
        if (key[2] != default_of[key[1]] || group[key[1]] != current) {print "not in the table: " $0; bad = 1}}
    /^      / {if (help[key[1]] != substr($0, 7)) {print "another help: " $0; bad = 1}}
    END {exit bad || checked < 20}' options.tsv listed
[ "$(awk -F'\t' 'NF != 6' options.tsv | wc -l)" = 0 ] || fail "options.tsv is no table"

# Counts from the stream and counts from a file of the same haplotypes.
haploom sample -q expected.safetensors -n 1000 --seed 7 -r 1:1-1000000 -o counted.hap
build/cpp/frequencies_cpp expected.safetensors 1000 seed=7,region=1:1-1000000 >frequencies
diff <(awk '{print $5, $6}' frequencies) <(awk '{n = 0; for (i = 1; i <= NF; i++) n += $i; print n, NF}' counted.hap)
diff <(awk '{print $2, $3, $4}' frequencies) <(awk 'NR > 1 {print $2, $3, $4}' counted.legend)
[ "$(wc -l <frequencies)" -gt 100 ]
if build/cpp/frequencies_cpp expected.safetensors many 2>error; then fail "makes many haplotypes"; fi

# Linked statically they run without the shared library; and the Makefile says what it misses.
make clean >/dev/null
make PACKAGE=haploom-static build/c/options build/cpp/frequencies_cpp >make.log
if readelf -d build/c/options | grep libhaploom; then fail "is not static"; fi
build/c/options | cmp - options.tsv
build/cpp/frequencies_cpp expected.safetensors 1000 seed=7,region=1:1-1000000 | cmp - frequencies
if PKG_CONFIG_PATH=/nowhere PKG_CONFIG_LIBDIR=/nowhere make 2>error; then fail "builds without haploom"; fi
grep -q 'set PKG_CONFIG_PATH' error
