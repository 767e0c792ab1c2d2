#!/bin/sh
# What imputation from a model, from a panel and from both is worth, beside Beagle and minimac4. Markdown to standard output.
#   (a) all 501 held-out people of chr15 10K, from the 2,003 others or from models of these
#   (b) the 95 held-out Europeans, from a panel without Europeans, to which artificial Europeans are added
# and, out of the results of (b), (c) what is lost if the added model is worth nothing.
#
# Usage: HAPLOOM_DATA=FOLDER benches/imputation/run.sh [a] [b]       (both; without either, the tables of the results so far)
# Needs: the folder's 1000G_p3_chr15_10K_b37.vcf.gz, 1000G_2504_samples.tsv, split_8020_seed42_test_samples.txt and
# maps/chr15.b37.gmap.gz; bcftools, beagle (with bref3) and minimac4 of Debian; python3 with numpy; 6 GB of memory.
# Settings, as variables: WORK the work folder (target/imputation), HAPLOOM the program (target/release/haploom), THREADS of
# each tool (2), ROUNDS of timing in (a) (5), TOOLS that take a panel, MODELS of (a), SEEDS of (b); its
# generators are in generators.txt.
set -eu
scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../.."
: "${HAPLOOM_DATA:?the folder with the panels}"
WORK=${WORK:-$PWD/target/imputation}
HAPLOOM=${HAPLOOM:-$PWD/target/release/haploom}
MODELS=${MODELS:-hmm rbm bernoulli}
SEEDS=${SEEDS:-1 2 3}
export HAPLOOM_DATA WORK HAPLOOM MODELS SEEDS
for need in bcftools beagle bref3 minimac4 python3 "$HAPLOOM"; do
    command -v "$need" > /dev/null || { echo "$0: $need is not there" >&2; exit 1; }
done
mkdir -p "$WORK"
"$scripts/prepare.sh" >&2
for part; do
    case $part in
    a) "$scripts/accuracy.sh" ;;
    b) "$scripts/cohort.sh" ;;
    *) echo "$0: there are the parts a and b, not $part" >&2; exit 2 ;;
    esac
done
printf 'Versions: %s; %s; %s; %s.\n\n' "$("$HAPLOOM" --version)" "$(bcftools --version | head -n 1)" \
    "$(minimac4 --version | head -n 1)" "$(java -jar /usr/share/beagle/beagle.jar 2>&1 | head -n 1)"
python3 "$scripts/report.py" "$WORK/results.jsonl"
