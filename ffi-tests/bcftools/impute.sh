# The plugin that imputes: found, described, the same records as from the program; what is wrong is said in bcftools' manner.
. "$HERE/plugin.bash"
make_plugin
make_model
make_people
mkdir out
haploom() { "$PREFIX/bin/haploom" "$@"; }
records() { bcftools view -H "$@"; }

# Listed and described.
bcftools plugin -lv >list
grep -A 1 -x -e '-- haploom-impute --' list | grep 'untyped sites'
haploom_impute -h >usage
grep '^Usage: bcftools +haploom-impute -p PANEL|-m MODEL' usage
for option in $(grep -oE '^ +(-.,| +) --[a-z-]+' usage | grep -oE -e '--[a-z-]+'); do
    grep -qF "{\"${option#--}\"," source/haploom-impute.c || fail "$option is in the usage and not in the plugin"
done
haploom_impute --version | grep 'haploom-impute using haploom .* htslib .* (its own)'

# The same as the program, byte for byte: from a panel, a model, both, and with a map; threads change nothing.
haploom impute array.bcf --panel train.bcf -q -o panel.bcf
haploom_impute -p train.bcf -Ob -o plugin.bcf array.bcf 2>said
cat said
grep -xE '\[haploom-impute\] 300 people: 80 sites typed, 720 imputed, 0 passed through; mean ER2 of typed sites 0\.[0-9]{3}' said
cmp panel.bcf plugin.bcf
[ ! -e plugin.bcf.csi ] || fail "an index that nobody asked for"
haploom_impute --panel train.bcf --threads 3 --output-type b --output threads.bcf array.bcf
cmp panel.bcf threads.bcf
printf '1 . 0 1\n1 . 3 1000000\n1 . 4 5000000\n' >small.map
haploom impute array.bcf --panel train.bcf --map small.map -q -o map.bcf
haploom_impute -p train.bcf -g small.map -Ob -o plugin.bcf array.bcf
cmp map.bcf plugin.bcf
if cmp -s map.bcf panel.bcf; then fail "the map has no effect"; fi
quick=(--set impute_chains=4 --set impute_sweeps=4)
haploom impute array.bcf --model model "${quick[@]}" --seed 7 -q -o model.bcf
haploom_impute -m model "${quick[@]}" --seed 7 -Ob -o plugin.bcf array.bcf
cmp model.bcf plugin.bcf
haploom impute array.bcf --panel train.bcf --model model --artificial 100 --set error=0.01 -q -o both.bcf
haploom_impute -p train.bcf -m model --artificial 100 --set error=0.01 -Ob -o plugin.bcf array.bcf
cmp both.bcf plugin.bcf

# Formats, an index, a region, standard input and output.
haploom_impute -p train.bcf -Oz -o named.vcf.gz -W array.bcf
bcftools index -n named.vcf.gz | grep -x 800
[ -e named.vcf.gz.tbi ]
haploom_impute -p train.bcf array.bcf >plain.vcf
head -c 16 plain.vcf | grep '^##fileformat=VCF'
haploom_impute -p train.bcf -Ou <array.bcf >piped
for file in named.vcf.gz plain.vcf piped; do cmp <(records panel.bcf) <(records $file) || fail "$file has other records"; done
haploom impute array.bcf --panel train.bcf -r 1:1000000-2000000 -q -o part.bcf
bcftools view -Ou array.bcf | haploom_impute -p train.bcf -r 1:1000000-2000000 -Ou | bcftools +fill-tags -Ob -o filled.bcf -- -t AN
cmp <(bcftools query -f '%POS[ %GT:%DS]\n' part.bcf) <(bcftools query -f '%POS[ %GT:%DS]\n' filled.bcf)

# Contigs of another name, and a report of what does not match.
echo '1 chr1' >names
bcftools annotate --rename-chrs names -Ob -o renamed.bcf array.bcf
haploom_impute -p train.bcf --match-contigs -Ob -o plugin.bcf renamed.bcf
[ "$(bcftools query -f '%CHROM\n' plugin.bcf | sort -u)" = chr1 ]
bcftools view array.bcf | awk -F'\t' -v OFS='\t' '!/^#/ && n++ % 8 == 0 {t = $4; $4 = $5; $5 = t} 1' >swapped.vcf
haploom_impute -p train.bcf --report report.tsv -Ob -o plugin.bcf swapped.vcf 2>said
grep '^\[haploom-impute\] Note: ' said
haploom impute swapped.vcf --panel train.bcf --report expected.tsv -q -o swapped.bcf
cmp report.tsv expected.tsv
cmp swapped.bcf plugin.bcf

refused() { # PATTERN ARGUMENT...: says a line that begins [haploom-impute] Error and has PATTERN in it, leaves out/ empty
    local pattern=$1 status=0
    shift
    haploom_impute "$@" >stdout 2>stderr </dev/null || status=$?
    cat stderr
    [ $status = 255 ] || fail "$*: status $status"
    [ "$(grep -c '' stderr)" = 1 ] || fail "$*: not one line"
    grep -E "^\[haploom-impute\] Error: .*$pattern" stderr >/dev/null || fail "$*: does not say: $pattern"
    [ ! -s stdout ] || fail "$*: wrote to standard output"
    [ -z "$(ls -A out)" ] || fail "$*: left $(ls -A out)"
}
ok=(-p train.bcf -o out/x.vcf)
refused 'Missing the -p option, or -m' -o out/x.vcf array.bcf
refused 'a model brings its own' -m model -g small.map -o out/x.vcf array.bcf
refused 'give both' "${ok[@]}" --artificial 100 array.bcf
refused 'both be read from standard input' -p - -o out/x.vcf
for n in -2 ten ''; do refused 'whole number is expected' "${ok[@]}" --seed "$n" array.bcf; done
refused 'KEY=VALUE is expected' "${ok[@]}" --set error array.bcf
refused 'there is no option .eror.; did you mean error' "${ok[@]}" --set eror=0.1 array.bcf
refused 'not one of imputation' "${ok[@]}" --set epochs=3 array.bcf
refused 'keep, correct' "${ok[@]}" --set typed=turn array.bcf
refused 'output type "q"' "${ok[@]}" -O q array.bcf
refused 'a name for vcf' "${ok[@]}" -O b array.bcf
refused '-W needs a file' "${ok[@]}" -W array.bcf
refused 'one region is read.*bcftools view -r' "${ok[@]}" -r 1:1-1000,1:2000-3000 array.bcf
refused '-R is not read here: .*bcftools view' "${ok[@]}" -R x array.bcf
refused '"b.bcf" is the second' "${ok[@]}" a.bcf b.bcf
refused 'none.bcf: .*No such file' "${ok[@]}" none.bcf
refused 'none.bcf: .*No such file' -p none.bcf -o out/x.vcf array.bcf
refused 'none.map: .*No such file' "${ok[@]}" -g none.map array.bcf
refused 'no model' -m array.bcf -o out/x.vcf array.bcf
refused 'contig chr1 of the target is 1 in the panel' "${ok[@]}" renamed.bcf
bcftools view array.bcf | sed '/^#/!s/0|1/0\/1/g' >unphased.vcf
refused 'unphased.vcf.*not phased|unphased.vcf.*unphased' "${ok[@]}" unphased.vcf
head -c 4000 array.bcf >short.bcf
refused 'short.bcf' "${ok[@]}" short.bcf
refused 'No space left' -p train.bcf -Ov -o /dev/full array.bcf

# Ctrl-C while the target is read: nothing is left.
bcftools view array.bcf >array.vcf
mkfifo pipe
env --default-signal=INT bcftools +haploom-impute -p train.bcf -Ob -o out/x.bcf <pipe 2>stderr &
pid=$!
exec 3>pipe
head -n 60 array.vcf >&3
until grep -q 'SigCgt:.*3$' /proc/$pid/status; do kill -0 $pid; sleep 0.1; done
kill -s INT $pid
tail -n +61 array.vcf >&3 || true
exec 3>&-
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "status $status: $(cat stderr)"
grep -x '\[haploom-impute\] Interrupted' stderr
[ -z "$(ls -A out)" ] || fail "left $(ls -A out)"
