# The example in the guide of each header compiles without a warning as it stands there, by the line below it, and does
# what is said.
example() { sed -n '/^ \* @code$/,/^ \* @endcode$/p' "$PREFIX/include/$1" | sed '1d; $d; s/^ \* \{0,1\}//'; }
compile() { # HEADER: runs the line that the guide gives
    local line
    line=$(sed -n 's/^ \* Compile it with: //p' "$PREFIX/include/$1")
    [ -n "$line" ] || fail "$1 does not say how to compile its example"
    eval "$line -Wall -Wextra -Wpedantic -Werror -Wl,-rpath,'$PREFIX/lib' -o example"
}
people() { bcftools query -l "$1" | wc -l; }

example haploom.h >example.c
grep -q 'int main' example.c || fail "haploom.h has no example"
compile haploom.h
./example "$PANEL" by_c.bcf >said
grep -qx '1000 haplotypes, 800000 bytes' said
[ "$(people by_c.bcf)" = 100 ]
if ./example /nowhere.bcf x.bcf 2>error; then fail "reads nothing"; fi
grep -q '^IO: .*/nowhere.bcf' error

example haploom.hpp >example.cpp
grep -q 'int main' example.cpp || fail "haploom.hpp has no example"
compile haploom.hpp
./example "$PANEL" by_cpp.bcf >said
[ "$(people by_cpp.bcf)" = 100 ]
# It prints the frequency of real and artificial haplotypes at the first sites: those of the file and of the sampler.
haploom=$PREFIX/bin/haploom
$haploom train -q "$PANEL" -o model.safetensors --set epochs=20
$haploom sample -q model.safetensors -n 1000 --seed 7 -o sampled.hap
$haploom convert -q "$PANEL" panel.hap
frequency() { awk 'NR <= 10 {n = 0; for (i = 1; i <= NF; i++) n += $i; printf "%.3f\n", n / NF}' "$1"; }
paste -d ' ' <(awk 'NR > 1 && NR <= 11 {print "1:" $2}' panel.legend) <(frequency panel.hap) <(frequency sampled.hap) |
    diff said -
# Those in its file come after them in the stream.
$haploom sample -q model.safetensors -n 200 --first 1000 --seed 7 -o after.bcf
cmp <(bcftools query -f '[%GT ]\n' after.bcf) <(bcftools query -f '[%GT ]\n' by_cpp.bcf)
if ./example /nowhere.bcf x.bcf 2>error; then fail "reads nothing"; fi
grep -q '^IO: .*/nowhere.bcf' error
