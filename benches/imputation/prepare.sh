#!/bin/sh
# The data of the measurement, in the work folder: people, the array, panels, targets and maps. Run by run.sh.
# Everything is of chr15:27,379,578-29,625,035 of 1000 Genomes (10,000 sites) and the published 80/20 split.
set -eu
vcf=$HAPLOOM_DATA/1000G_p3_chr15_10K_b37.vcf.gz
people=$HAPLOOM_DATA/1000G_2504_samples.tsv
test=$HAPLOOM_DATA/split_8020_seed42_test_samples.txt
cd "$WORK"
if [ -e prepared ]; then exit; fi

# People: `private` are the Europeans among the 2,003 training people, `public` the others; HG01783, listed both as IBS and
# as MSL, counts as European, as the published labels' first column has it.
awk -F '\t' -v test="$test" '
    BEGIN { while ((getline name < test) > 0) held[name] }
    FNR > 1 {
        european = $3 ~ /^EUR/
        if ($1 in held) { print $1 > "test.txt"; if (european) print $1 > "europeans.txt" }
        else { print $1 > "reference.txt"; print $1 > (european ? "private.txt" : "public.txt") }
    }' "$people"
for panel in reference public private test europeans; do
    bcftools view -S $panel.txt -Oz -o $panel.vcf.gz "$vcf"
    bcftools index -t $panel.vcf.gz
done

# The array: every tenth site with a minor allele frequency of at least 5% in the reference, from the third one on.
bcftools query -f '%ID\t%AC\t%AN\n' reference.vcf.gz | awk '{
    frequency = $2 / $3
    if (frequency >= .05 && frequency <= .95 && ++eligible % 10 == 3) print $1
}' > array.txt
for panel in test europeans; do
    bcftools view -i 'ID=@array.txt' -Oz -o $panel.array.vcf.gz $panel.vcf.gz
    bcftools index -t $panel.array.vcf.gz
done

# Beagle and minimac4 take maps in PLINK's layout: chromosome, name, cM, position.
gzip -dc "$HAPLOOM_DATA/maps/chr15.b37.gmap.gz" | awk 'NR > 1 { print $2, ".", $3, $1 }' > plink.map
wc -l array.txt reference.txt public.txt private.txt test.txt europeans.txt
touch prepared
