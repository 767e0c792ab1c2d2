#!/bin/sh
# Reads a panel with haploom and with bcftools in turn; prints both times (medians of five) and their ratio.
# Usage: benches/read_panel.sh [FILE]; without one, the chr15 panel in $HAPLOOM_DATA.
set -eu
cd "$(dirname "$0")/.."
file=${1:-${HAPLOOM_DATA:?set HAPLOOM_DATA or name a file}/1000G_p3_chr15_10K_b37.vcf.gz}
bcftools --version | head -n 2
exec cargo bench --quiet --bench read_panel -- "$(realpath "$file")"
