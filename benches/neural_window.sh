#!/bin/sh
# Models of linked sites, side by side: trained on chr15 10K, or on its first 2,000 sites, without the held-out people of the
# published 80/20 split; as many artificial haplotypes as training ones, every metric with its floor.
#
# Usage: HAPLOOM_DATA=FOLDER benches/neural_window.sh NAME KIND [OPTIONS]
#   benches/neural_window.sh rbm rbm                      # beside it
#   benches/neural_window.sh wgan wgan                    # the convolutional WGAN, some 55 minutes of processor time
#   REGION=all benches/neural_window.sh wgan-10k wgan updates=3000,looks=6
#                                                         # the whole 10K, 74 minutes of processor time
#   REGION=all DEVICE=cuda benches/neural_window.sh rbm-10k rbm hidden=2000,l2=0.05,epochs=300
#   REGION=all DEVICE=cuda benches/neural_window.sh all wgan unit=10,updates=40000,batch=128
#                                                         # wider layers: not run to its end, a GPU's work
# Settings, as variables: WORK (target/neural), HAPLOOM, THREADS (2), SEED (1), DEVICE (cpu), REGION (the first 2,000 sites; all).
set -eu
cd "$(dirname "$0")/.."
: "${HAPLOOM_DATA:?the folder with the panels}"
[ $# -ge 2 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
name=$1 kind=$2 options=${3:-}
WORK=${WORK:-target/neural}
HAPLOOM=${HAPLOOM:-target/release/haploom}
vcf=$HAPLOOM_DATA/1000G_p3_chr15_10K_b37.vcf.gz
test=$HAPLOOM_DATA/split_8020_seed42_test_samples.txt
region=${REGION:-15:27379578-27739434}
device=${DEVICE:-cpu}
mkdir -p "$WORK"
model=$WORK/$name.safetensors
artificial=$WORK/$name.bcf
if [ "$region" = all ]; then set --; else set -- -r "$region"; fi
case $kind in gan | wgan | vae | pca-gan) options=${options:+$options,}log=$WORK/$name.jsonl ;; esac
/usr/bin/time -f '%U s of processor, %e s' "$HAPLOOM" train -q "$vcf" "$@" -S "^$test" --model "$kind" \
    --device "$device" --threads "${THREADS:-2}" --seed "${SEED:-1}" ${options:+--set "$options"} -o "$model"
"$HAPLOOM" sample -q "$model" -n 4006 --device "$device" --seed "${SEED:-1}" -o "$artificial"
"$HAPLOOM" evaluate "$vcf" "$@" "$artificial" --device "$device" --test-samples "$test" \
    --labels "$HAPLOOM_DATA/1000G_2504_samples.tsv" --json "$WORK/$name.json"
