#!/usr/bin/env bash
# On an emulated aarch64 processor: the tests that compare bits, then models, haplotypes and some dosages of every kind beside
# this machine's, which have to be the same bytes. Run by `make test-aarch64`; takes half an hour on two processors.
set -euo pipefail
cd "$(dirname "$0")/.."

triple=aarch64-unknown-linux-gnu
emulated=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="${emulated[*]}"
export BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu="-I/usr/aarch64-linux-gnu/include -I$(cc -print-file-name=include)"
rustup target add $triple

cargo build --release --locked
cargo build --release --locked --target $triple
tests=(vector_paths same_bytes model_file nn_torch io_round_trip io_pgen imputation)
cargo test --release --locked --target $triple --lib "${tests[@]/#/--test=}"

here=$PWD/target/release/haploom there=$PWD/target/$triple/release/haploom
panel=$PWD/assets/demo.bcf work=$PWD/target/aarch64-test
rm -rf "$work"
mkdir -p "$work"/{here,there}
same() { # FILE WHAT
    cmp "$work/here/$1" "$work/there/$1" || { echo "$2: not what this machine makes" >&2; exit 1; }
}
while read -r kind options; do
    for place in here there; do
        cd "$work/$place"
        program=("$here")
        [ $place = here ] || program=("${emulated[@]}" "$there")
        "${program[@]}" train "$panel" -r 1:1-600000 -o model --model "$kind" ${options:+--set "$options"} --quiet
        "${program[@]}" sample model -n 8 -o new.vcf --quiet
        # Every third site is typed.
        awk '/^#/ || ++n % 3 == 1' new.vcf >typed.vcf
        case $kind in rbm | hmm | vae) "${program[@]}" impute typed.vcf --model model -o imputed.vcf --quiet ;; esac
    done
    same model "a model of kind $kind ($options)"
    same new.vcf "haplotypes of kind $kind ($options)"
    [ ! -e imputed.vcf ] || same imputed.vcf "dosages of kind $kind ($options)"
    rm -f "$work"/*/*
    echo "$kind $options: the same bytes"
done <<'KINDS'
rbm hidden=12,updates=40,ladder=true
rbm hidden=12,hidden_type=relu,updates=40
hmm hmm_clusters=6
bernoulli
markov
copying
context
gan updates=20
wgan updates=5
vae updates=20
vae body=convolutional,updates=4
pca-gan updates=20
KINDS
