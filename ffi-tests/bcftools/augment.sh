# The plugin in bcftools, beside bcftools' own plugins: found, listed, and the same people as from the program.
. "$HERE/plugin.bash"
make_plugin
make_model
haploom() { "$PREFIX/bin/haploom" "$@"; }
records() { bcftools view -H "$@"; }
same_records() { cmp <(records "$1") <(records "$2") || fail "$1 and $2 differ"; }

# Listed and described.
bcftools plugin -l | grep -x haploom-augment
bcftools plugin -lv >list
grep -A 1 -x -e '-- haploom-augment --' list | grep 'artificial people'
grep -x -e '-- fill-tags --' list
haploom_augment -h >usage
grep '^Usage: bcftools +haploom-augment -m MODEL -n INT' usage
for option in $(grep -oE '^ +(-.,| +) --[a-z-]+' usage | grep -oE -e '--[a-z-]+'); do
    grep -qF "{\"${option#--}\"," source/haploom-augment.c || fail "$option is in the usage and not in the plugin"
done
# Both htslibs, each its own, in one process; and no warning of another version.
haploom_augment --version | tee versions
grep -xF "bcftools $(bcftools --version | sed -n '1s/.* //p') using htslib $(bcftools --version | sed -n '2s/.* //p')" versions
grep 'haploom-augment using haploom .* htslib .* (its own)' versions

# The same as the program, byte for byte; the standard error says what was done.
haploom augment "$PANEL" model -q -n 100 --seed 7 -o program.bcf
haploom_augment -m model -n 100 --seed 7 -Ob -o plugin.bcf "$PANEL" 2>said
cat said
[ "$(cat said)" = "[haploom-augment] 50 artificial people appended to 900 in 800 of 800 records" ] || fail "it said something else"
cmp program.bcf plugin.bcf
[ ! -e plugin.bcf.csi ] || fail "an index that nobody asked for"
haploom_augment --model model --haplotypes 100 --seed 8 --output-type b --output other.bcf "$PANEL"
if cmp -s plugin.bcf other.bcf; then fail "the seed has no effect"; fi
[ "$(bcftools query -l plugin.bcf | tail -n 50 | head -n 1)" = HAPLOOM_0 ]
cmp <(records "$PANEL" | cut -f 10-) <(records plugin.bcf | cut -f 10-909) || fail "real genotypes changed"

# Threads, the device, and where a run goes on, change nothing.
haploom_augment -m model -n 100 --seed 7 --device auto -Ob -o device.bcf "$PANEL"
cmp plugin.bcf device.bcf
haploom_augment -m model -n 100 --seed 7 --threads 3 -Ob -o threads.bcf "$PANEL"
cmp plugin.bcf threads.bcf
haploom_augment -m model -n 40 --seed 7 --first 60 --threads 0 -Ov -o rest.vcf "$PANEL"
cmp <(records plugin.bcf | cut -f 940-959) <(records rest.vcf | cut -f 910-929) || fail "--first"

# Populations with their counts, without -n, as from the program; -n may say the same number.
cut -f1,2 "$ROOT/assets/demo_samples.tsv" >labels.tsv
haploom train "$PANEL" -q -o gan --model gan --labels labels.tsv -r 1:1-300000 --set updates=2,looks=1,batch=8,latent=4
haploom augment "$PANEL" gan -q --label EUR=6,AFR=4 -o program_labels.bcf
haploom_augment -m gan --label EUR=6,AFR=4 -Ob -o plugin_labels.bcf "$PANEL"
cmp program_labels.bcf plugin_labels.bcf
bcftools view -h plugin_labels.bcf | grep -x '##haploom_labels=EUR:6,AFR:4'
haploom_augment -m gan --label EUR=6,AFR=4 -n 10 -Ob -o both_labels.bcf "$PANEL"
cmp plugin_labels.bcf both_labels.bcf
if haploom_augment -m gan --label EUR=6,AFR=4 -n 8 -Ob -o never.bcf "$PANEL" 2>refusal; then fail "-n that is not --label's"; fi
grep 'leave out -n' refusal
if haploom_augment -m gan --label EUR -Ob -o never.bcf "$PANEL" 2>refusal; then fail "no number"; fi
grep 'Missing the -n option: how many haplotypes of EUR' refusal

# Formats: what -O says, what the name says, else VCF; an index with -W alone.
[ "$(head -c 3 < <(gzip -dc plugin.bcf))" = BCF ] || fail "-Ob is no BCF"
haploom_augment -m model -n 100 --seed 7 -Oz -o plugin.vcf.gz -W "$PANEL"
bcftools index -n plugin.vcf.gz | grep -x 800
[ -e plugin.vcf.gz.tbi ]
haploom_augment -m model -n 100 --seed 7 -o named.vcf.gz "$PANEL"
gzip -t named.vcf.gz
bcftools index -t named.vcf.gz
haploom_augment -m model -n 100 --seed 7 -o named.bcf --write-index=csi "$PANEL"
bcftools index -n named.bcf | grep -x 800
haploom_augment -m model -n 100 --seed 7 -Ov -o plugin.vcf "$PANEL"
head -c 16 plugin.vcf | grep '^##fileformat=VCF'
haploom_augment -m model -n 100 --seed 7 -o unnamed "$PANEL"
cmp plugin.vcf unnamed
haploom_augment -m model -n 100 --seed 7 --no-version "$PANEL" | cmp - plugin.vcf
for file in plugin.vcf.gz named.vcf.gz named.bcf plugin.vcf; do same_records plugin.bcf "$file"; done
for letter in b u z v; do
    haploom_augment -m model -n 100 --seed 7 -O $letter <"$PANEL" >piped
    bcftools view -h piped >/dev/null
    same_records plugin.bcf piped
done
haploom_augment -m model -n 100 --seed 7 -Ou - <"$PANEL" | cmp - plugin.bcf

# A region, with an index and by streaming.
haploom_augment -m model -n 100 --seed 7 -r 1:1000000-2000000 -Ob -o region.bcf "$PANEL"
cmp <(records region.bcf) <(records -t 1:1000000-2000000 plugin.bcf)
[ "$(records region.bcf | wc -l)" -gt 0 ]
haploom_augment -m model -n 100 --seed 7 --regions 1:1000000-2000000 -Ob plugin.vcf.gz --prefix SECOND -o again.bcf
cmp <(records region.bcf | cut -f 910-) <(records again.bcf | cut -f 960-) || fail "a region of an indexed file"

# Options of sampling, another start, another name, records that the model does not have.
haploom_augment -m model -n 10 --set sampler=gibbs --set sample_sweeps=3 -Ob -o gibbs.bcf "$PANEL"
haploom augment "$PANEL" model -q -n 10 --set sampler=gibbs,sample_sweeps=3 -o gibbs_program.bcf
cmp gibbs.bcf gibbs_program.bcf
haploom_augment -m model -n 10 --start "$PANEL" --prefix NEW -Ob -o start.bcf "$PANEL"
haploom augment "$PANEL" model -q -n 10 --start "$PANEL" --prefix NEW -o start_program.bcf
cmp start.bcf start_program.bcf
bcftools query -l start.bcf | tail -n 1 | grep -x NEW_4
bcftools view "$PANEL" | awk -F'\t' -v OFS='\t' '/^#/ || NR % 2 { print; next } { $2++; print }' >half.vcf
haploom_augment -m model -n 10 --outside missing -o missing.vcf half.vcf 2>said
records missing.vcf | cut -f 910 | sort -u | grep -F '.|.' || records missing.vcf | cut -f 910 | sort -u | grep -F './.'
[ "$(records missing.vcf | wc -l)" = 800 ]
haploom_augment -m model -n 10 -o dropped.vcf half.vcf 2>said
grep '^\[haploom-augment\] Note: ' said
grep 'in 400 of 800 records' said

# In a pipeline with bcftools' own plugins.
bcftools view -Ou -s ^AFR000,EUR000 "$PANEL" |
    bcftools +fill-tags -Ou -- -t AF,HWE |
    bcftools +haploom-augment -m model -n 200 -Ou |
    bcftools +fill-tags -Ou -- -t AN,AC |
    bcftools stats -s - >statistics
grep -P '^SN\t0\tnumber of samples:\t998$' statistics
grep -P '^SN\t0\tnumber of records:\t800$' statistics
grep -P '^PSC\t0\tHAPLOOM_99\t' statistics >/dev/null
