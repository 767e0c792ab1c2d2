#!/usr/bin/env bash
# What the C border costs: calls that do nothing, panels from packed bits beside memcpy, and the sampler's stream in packed
# bits through C beside the same loop in Rust, in turn, one thread. PREFIX: an installed haploom.
set -euo pipefail
cd "$(dirname "$0")/.."
PREFIX=${PREFIX:-/usr/local}
export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig LD_LIBRARY_PATH=$PREFIX/lib
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -Wall benches/ffi.c -o "$work/ffi" $(pkg-config --cflags --libs haploom)
cargo build --release --locked --bench stream 2>/dev/null
rust=$(ls -t target/release/deps/stream-* | grep -v '\.d$' | head -1)
"$work/ffi"
"$PREFIX/bin/haploom" demo "$work/demo" >/dev/null 2>&1
model=$work/demo/model.safetensors
for window in 64 480 4096; do
    for _ in 1 2 3 4 5 6 7; do
        "$work/ffi" "$model" $window 20000 >>"$work/c.$window"
        "$rust" "$model" $window 20000 >>"$work/rust.$window"
    done
    [ "$(awk '{print $4}' "$work/c.$window" | sort -u)" = "$(awk '{print $4}' "$work/rust.$window" | sort -u)" ]
    seconds() { awk '{print $2}' "$1" | sort -g | sed -n 4p; }
    c=$(seconds "$work/c.$window") rust_seconds=$(seconds "$work/rust.$window")
    echo "stream, windows of $window haplotypes: C $c s, Rust $rust_seconds s, ratio $(awk "BEGIN {printf \"%.3f\", $c / $rust_seconds}")"
done
