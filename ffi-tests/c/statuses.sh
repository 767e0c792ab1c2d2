# Each status of the header is had from a call with real inputs, with a text that says file, site, sample and remedy.
sed -nE 's/^#define HAPLOOM_([A-Z_]+) (0|\(-[0-9]+\))$/STATUS(\1)/p' "$PREFIX/include/haploom.h" |
    grep -vE 'VERSION|ABI|LAYOUT|MAJOR|DEMO' >statuses.inc
[ "$(wc -l <statuses.inc)" -ge 33 ] || fail "found $(wc -l <statuses.inc) statuses in the header"

# Files that others made wrong: cut, with another name of the contig, alleles exchanged, positions moved.
bcftools view -Oz -o whole.vcf.gz "$PANEL"
head -c 20000 "$PANEL" >cut.bcf
head -c 20000 whole.vcf.gz >cut.vcf.gz
echo '1 chr1' >names
bcftools annotate --rename-chrs names -Ob -o renamed.bcf "$PANEL"
bcftools view "$PANEL" | awk -F'\t' -v OFS='\t' '!/^#/ {t = $4; $4 = $5; $5 = t} 1' | bcftools view -Ob -o swapped.bcf
bcftools view "$PANEL" | awk -F'\t' -v OFS='\t' '!/^#/ {$2 = $2 + 1} 1' | bcftools view -Ob -o elsewhere.bcf

"$HERE/compile" statuses shared
# A library that plays the driver of a GPU.
sh "$ROOT/cuda/emulator/build.sh" emulator

LD_LIBRARY_PATH=$PWD/emulator${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} LC_ALL=C ./shared "$PANEL" cut.bcf cut.vcf.gz renamed.bcf swapped.bcf elsewhere.bcf
