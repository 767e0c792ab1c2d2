# What is wrong is said once, on standard error, in bcftools' manner; the status is 255, and no file comes or goes.
. "$HERE/plugin.bash"
make_plugin
make_model
mkdir out
refused() { # PATTERN ARGUMENT...: says a line that begins [haploom-augment] Error and has PATTERN in it, leaves out/ empty
    local pattern=$1 status=0
    shift
    haploom_augment "$@" >stdout 2>stderr </dev/null || status=$?
    cat stderr
    [ $status = 255 ] || fail "$*: status $status"
    [ "$(grep -c '' stderr)" = 1 ] || fail "$*: not one line"
    grep -E "^\[haploom-augment\] Error: .*$pattern" stderr >/dev/null || fail "$*: does not say: $pattern"
    [ ! -s stdout ] || fail "$*: wrote to standard output"
    [ -z "$(ls -A out)" ] || fail "$*: left $(ls -A out)"
}
ok=(-m model -n 10 -o out/x.vcf)

# The command line.
refused 'Missing the -m option' -n 10 "$PANEL"
refused 'Missing the -n option' -m model "$PANEL"
for n in -2 ten 1e3 '' 99999999999999999999; do refused 'whole number is expected' "${ok[@]}" -n "$n" "$PANEL"; done
refused '12 haplotypes' "${ok[@]}" -n 11 "$PANEL"
refused 'ask for 2 or more' "${ok[@]}" -n 0 "$PANEL"
refused 'out of memory|memory' "${ok[@]}" -n 9000000000000000000 "$PANEL"
refused 'begin at 2 or 4' "${ok[@]}" --first 3 "$PANEL"
refused 'threads' "${ok[@]}" --threads 100000 "$PANEL"
refused 'no device gpu.*cuda:NUMBER' "${ok[@]}" --device gpu "$PANEL"
refused 'output type "q"' "${ok[@]}" -O q "$PANEL"
refused 'level of compression.*-O z' "${ok[@]}" -O z9 "$PANEL"
refused 'a name for vcf' "${ok[@]}" -O b "$PANEL"
refused '-W needs a file' "${ok[@]}" -W "$PANEL"
refused '-W needs a file' -m model -n 10 -Ob -W "$PANEL"
refused '-W=tbi: the index of bcf is a csi' -m model -n 10 -o out/x.bcf --write-index=tbi "$PANEL"
refused 'one region is read.*bcftools view -r' "${ok[@]}" -r 1:1-1000,1:2000-3000 "$PANEL"
refused '-r can be given once' "${ok[@]}" -r 1 -r 1 "$PANEL"
for option in -R --regions-file -t -T -i -e -s -S --samples; do
    refused "$option is not read here: .*bcftools view" "${ok[@]}" "$option" x "$PANEL"
done
refused 'targets-file=x is not read here' "${ok[@]}" --targets-file=x "$PANEL"
refused 'KEY=VALUE is expected' "${ok[@]}" --set sampler "$PANEL"
refused 'there is no option .semplr.; did you mean sampler' "${ok[@]}" --set semplr=gibbs "$PANEL"
refused 'not one of sampling' "${ok[@]}" --set seed=3 "$PANEL"
refused 'gibbs' "${ok[@]}" --set sampler=best "$PANEL"
refused 'drop, refuse, missing' "${ok[@]}" --outside keep "$PANEL"
refused 'One input file is expected.*"b.bcf" is the second' "${ok[@]}" a.bcf b.bcf
refused 'without a -- before' -- "$PANEL" -m model
refused 'both be read from standard input' "${ok[@]}" --start - -

# Usage comes with what getopt does not know.
status=0
haploom_augment --bad </dev/null >stdout 2>stderr || status=$?
[ $status = 255 ] && [ ! -s stdout ]
grep "unrecognized option '--bad'" stderr
grep '^Usage: bcftools +haploom-augment' stderr

# Files.
refused 'none.bcf: .*No such file' "${ok[@]}" none.bcf
refused 'none: .*No such file' "${ok[@]}" -m none "$PANEL"
refused 'no model' "${ok[@]}" -m "$PANEL" "$PANEL"
refused 'the file is empty' "${ok[@]}"
refused 'no such folder|No such file' -m model -n 10 -o out/none/x.bcf "$PANEL"
refused 'this is a folder' -m model -n 10 -Ov -o out "$PANEL"
refused 'none.bcf' "${ok[@]}" --start none.bcf "$PANEL"
head -c 9000 "$PANEL" >short.bcf
refused 'short.bcf' "${ok[@]}" short.bcf
printf 'no panel\n' >text
refused 'in no format that is read here' "${ok[@]}" text
haploom_augment -m model -n 10 -o full.vcf "$PANEL"
refused 'has the name of a real one.*prefix' "${ok[@]}" full.vcf
bcftools view -H "$PANEL" >records
head -n 300 records | tail -n 1 >again
(bcftools view -h "$PANEL"; head -n 300 records; cat again) >twice.vcf
refused 'twice.vcf' "${ok[@]}" twice.vcf
(bcftools view -h "$PANEL"; tac records) >unsorted.vcf
refused 'unsorted.vcf' "${ok[@]}" unsorted.vcf

# A model of another panel: what differs.
echo '1 chr1' >names
bcftools annotate --rename-chrs names -Ob -o renamed.bcf "$PANEL"
refused 'contig chr1 of the file is 1 in the model.*rename-chrs' "${ok[@]}" renamed.bcf
bcftools view "$PANEL" | awk -F'\t' -v OFS='\t' '/^#/ { print; next } { $2++; print }' >shifted.vcf
refused 'share no site.*build' "${ok[@]}" shifted.vcf
refused 'no site in region 2:1-1000' "${ok[@]}" -r 2:1-1000 "$PANEL"
refused '1:' "${ok[@]}" --outside refuse shifted.vcf

# Unphased genotypes pass as they are: real people are not changed, and the artificial ones do not depend on them.
bcftools view "$PANEL" | sed '/^#/!s/0|1/0\/1/g' >unphased.vcf
haploom_augment -m model -n 10 -o passed.vcf unphased.vcf
cmp <(bcftools view -H unphased.vcf | cut -f 10-909) <(bcftools view -H passed.vcf | cut -f 10-909)
refused 'unphased' "${ok[@]}" --start unphased.vcf "$PANEL"

# What is there already stays, whole, when a run fails.
cp full.vcf out/x.vcf
sum=$(sha256sum <out/x.vcf)
if haploom_augment "${ok[@]}" short.bcf; then fail "a short file was read"; fi
[ "$(sha256sum <out/x.vcf)" = "$sum" ] && [ "$(ls -A out)" = x.vcf ]
rm out/x.vcf

refused 'cannot write' -m model -n 10 -o /proc/x.vcf "$PANEL"
# A full disk, as /dev/full plays it, and a reader that goes away.
refused 'No space left' -m model -n 10 -Ov -o /dev/full "$PANEL"
status=0
haploom_augment -m model -n 10 "$PANEL" 2>stderr | head -n 1 >/dev/null || status=$?
[ ! -s stderr ] || fail "a reader that goes away is no error: $(cat stderr)"
