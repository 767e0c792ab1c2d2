#!/bin/sh
# (b) The 95 Europeans of the held-out people, imputed from a panel without Europeans and from what is added to it: nothing,
# duplicates, artificial Europeans, and the real private Europeans whom the artificial ones were learned from.
# What is in the results already is not done again.
set -eu
. "$(dirname "$0")/tools.sh"

scored() { grep -qsF "\"kind\": \"score\", \"table\": \"b\", \"method\": \"$1\", \"seed\": \"$2\", \"tool\": \"$3\"" "$results"; }
judged() { grep -qsF "\"kind\": \"leakage\", \"table\": \"b\", \"method\": \"$1\", \"seed\": \"$2\"" "$results"; }

# cohort METHOD SEED TOOL PANEL: imputes from PANEL and scores. Sites and bins are those of the whole reference.
cohort() {
    impute "$3" "$4" europeans.array b/imputed table=b "method=$1" "seed=$2"
    score table=b "method=$1" "seed=$2" "tool=$3" -- europeans.vcf.gz b/imputed.vcf.gz array.txt reference.vcf.gz
}

# peers METHOD SEED [ADDED]: the public panel with the people of ADDED, by each tool that takes a panel.
peers() {
    left=
    for tool in $TOOLS; do scored "$1" "$2" "$tool" || left="$left $tool"; done
    if [ -z "$left" ]; then return; fi
    bcftools merge -m none -Oz -o b/panel.vcf.gz public.vcf.gz "$3" 2>> tools.log
    rm -f b/panel.bref3 b/panel.msav b/panel.vcf.gz.tbi
    index b/panel 2>> tools.log
    for tool in $left; do cohort "$1" "$2" "$tool" b/panel; done
}

TOOLS=${TOOLS:-beagle beagle-ne20000 minimac4 haploom}
mkdir -p b
index public 2>> tools.log
index reference 2>> tools.log
for tool in $TOOLS; do
    scored public 1 "$tool" || cohort public 1 "$tool" public
    scored real 1 "$tool" || cohort real 1 "$tool" reference
done

for seed in $SEEDS; do
    # As many people as are private, of the public ones, once more.
    python3 -c 'import random, sys; random.seed(int(sys.argv[1])); print(*random.sample(open("public.txt").read().split(), 408), sep="\n")' \
        "$seed" > b/chosen.txt
    sed 's/$/_again/' b/chosen.txt > b/renamed.txt
    bcftools view -S b/chosen.txt -Ou public.vcf.gz | bcftools reheader -s b/renamed.txt | bcftools view -Oz -o b/duplicates.vcf.gz
    bcftools index -ft b/duplicates.vcf.gz
    peers duplicates "$seed" b/duplicates.vcf.gz

    # METHOD KIND [OPTION]...: generators, learned from the private Europeans.
    while read -r method kind options <&3; do
        model=b/$method.$seed.safetensors artificial=b/$method.$seed.vcf.gz
        set --
        for option in $options; do set -- "$@" --set "$option"; done
        if [ ! -e "$artificial" ]; then
            measure table=b "method=$method" "seed=$seed" step=train "threads=$threads" -- \
                "$HAPLOOM" train private.vcf.gz --model "$kind" "$@" --seed "$seed" -o "$model" --threads "$threads" --quiet
            "$HAPLOOM" sample "$model" -n 816 --seed "$seed" -o "$artificial" --threads "$threads" --quiet
        fi
        if ! judged "$method" "$seed"; then
            # Transport and triplets, which are not in the tables, are kept short.
            "$HAPLOOM" evaluate private.vcf.gz "$artificial" --test europeans.vcf.gz --seed "$seed" \
                --set aats_draws=20,transport_most=100,triplets=1000 \
                --threads "$threads" --quiet --json b/evaluation.json > b/evaluation.txt
            python3 "$here/leakage.py" "$results" table=b "method=$method" "seed=$seed" "options=$kind $options" -- \
                private.vcf.gz "$artificial" europeans.vcf.gz b/evaluation.json
        fi
        peers "$method" "$seed" "$artificial"
        case " $TOOLS " in
        *" haploom "*) scored "$method" "$seed" haploom-both || cohort "$method" "$seed" haploom-both "public+$model" ;;
        esac
    done 3< "$here/generators.txt"
done
