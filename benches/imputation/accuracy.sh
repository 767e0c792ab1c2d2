#!/bin/sh
# (a) All 501 held-out people. Each tool in turn, ROUNDS times over, so that a busy machine is busy for all of them.
set -eu
. "$(dirname "$0")/tools.sh"

score_of() { score table=a "method=$1" -- test.vcf.gz "$2.vcf.gz" array.txt reference.vcf.gz; }

TOOLS=${TOOLS:-beagle beagle-ne20000 minimac4 minimac4-no-map haploom}
mkdir -p a
rm -f reference.bref3 reference.msav
measure table=a method=bref3 threads=1 -- sh -c 'bref3 reference.vcf.gz > reference.bref3'
measure table=a method=msav threads=1 -- sh -c 'minimac4 --compress-reference reference.vcf.gz > reference.msav'
for round in $(seq "${ROUNDS:-5}"); do
    for threads in 1 2; do
        for tool in $TOOLS; do
            impute "$tool" reference test.array "a/$tool" table=a "method=$tool" "round=$round"
        done
    done
done
for tool in $TOOLS; do score_of "$tool" "a/$tool"; done

threads=${THREADS:-2}
for kind in $MODELS; do
    model=a/$kind.safetensors
    if [ ! -e "$model" ]; then
        measure table=a "method=train-$kind" "threads=$threads" -- \
            "$HAPLOOM" train reference.vcf.gz --model "$kind" -o "$model" --threads "$threads" --quiet
    fi
    impute haploom-model "$model" test.array "a/$kind" table=a "method=$kind" "bytes=$(stat -c %s "$model")"
    score_of "$kind" "a/$kind"
done
