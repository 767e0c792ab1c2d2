#!/bin/sh
# One Gibbs sweep beside the f32 products of its shapes, then beside the same sweep in JAX and PyTorch (two threads).
# JAX is installed into target/peers at the first run. PyTorch's wheel for Linux does not load without its CUDA libraries
# (3 GB), and so is installed on request only.
# Usage: benches/sweep.sh [torch]
set -eu
cd "$(dirname "$0")/.."
python=target/peers/bin/python
if [ ! -x "$python" ]; then
    python3 -m venv target/peers
    "$python" -m pip install --quiet jax
fi
if [ "${1:-}" = torch ]; then
    "$python" -m pip install --quiet torch
fi
table=target/sweep.md
# AVX-512 in the f32 products that we are compared with.
cargo bench --quiet --features gemm/x86-v4 --bench sweep | tee "$table"
seconds() { awk -F'|' -v hidden="$1" '$2 ~ hidden && $3 == 2 { print $5 + 0; exit }' "$table"; }
echo
"$python" benches/sweep_peers.py "$(seconds bernoulli)" "$(seconds relu)"
