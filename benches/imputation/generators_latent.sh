#!/bin/sh
# What neural generators impute beside an RBM, small enough for a laptop: the first 2,000 sites of chr15 10K, all people but
# the held-out ones of the published 80/20 split to train on, 50 of these as targets at every tenth common site.
# A line of JSON a model to standard output: mean r2 a site, pooled r2, and r2 by bins of the minor allele frequency.
#
# Usage: HAPLOOM_DATA=FOLDER benches/imputation/generators_latent.sh
# Needs: as run.sh, but for beagle and minimac4. Settings, as variables: WORK (target/imputation/latent), HAPLOOM, THREADS (1),
# UPDATES of neural models (3000), MODELS (vae gan rbm).
set -eu
scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../.."
: "${HAPLOOM_DATA:?the folder with the panels}"
WORK=${WORK:-$PWD/target/imputation/latent}
HAPLOOM=${HAPLOOM:-$PWD/target/release/haploom}
vcf=$HAPLOOM_DATA/1000G_p3_chr15_10K_b37.vcf.gz
test=$HAPLOOM_DATA/split_8020_seed42_test_samples.txt
region=15:27379578-27739434
mkdir -p "$WORK"
cd "$WORK"
head -n 50 "$test" > people.txt
bcftools view -r $region -S "^$test" -Ob -o reference.bcf "$vcf"
bcftools view -r $region -S people.txt -Ob -o people.bcf "$vcf"
bcftools query -f '%ID\t%AC\t%AN\n' reference.bcf | awk '{
    frequency = $2 / $3
    if (frequency >= .05 && frequency <= .95 && ++eligible % 10 == 3) print $1
}' > array.txt
bcftools view -i 'ID=@array.txt' -Ob -o array.bcf people.bcf
for model in ${MODELS:-vae gan rbm}; do
    case $model in rbm) set -- ;; vae) set -- --set "updates=${UPDATES:-3000},latent=32" ;; *) set -- --set "updates=${UPDATES:-3000}" ;; esac
    file=$model.safetensors
    [ -e "$file" ] || "$HAPLOOM" train -q reference.bcf --model "$model" "$@" --threads "${THREADS:-1}" -o "$file"
    "$HAPLOOM" impute -q array.bcf --model "$file" --threads "${THREADS:-1}" -o "$model.bcf"
    python3 "$scripts/score.py" scores.jsonl "model=$model" -- people.bcf "$model.bcf" array.txt reference.bcf
    tail -n 1 scores.jsonl
done
