#!/bin/sh
# One Gibbs sweep beside the f32 products of its shapes, then beside the same sweep in JAX and PyTorch (two threads).
# The peers are installed into target/peers at the first run. PyTorch comes without its CUDA libraries if it can.
# Usage: benches/sweep.sh
set -eu
cd "$(dirname "$0")/.."
python=target/peers/bin/python
if [ ! -x "$python" ]; then
    python3 -m venv target/peers
    "$python" -m pip install --quiet jax
    "$python" -m pip install --quiet --no-deps torch || echo "PyTorch cannot be installed here"
    "$python" -m pip install --quiet typing_extensions sympy networkx filelock jinja2 fsspec setuptools
fi
table=target/sweep.md
# AVX-512 in the f32 products that we are compared with.
cargo bench --quiet --features gemm/x86-v4 --bench sweep | tee "$table"
seconds() { awk -F'|' -v hidden="$1" '$2 ~ hidden && $3 == 2 { print $5 + 0; exit }' "$table"; }
echo
"$python" benches/sweep_peers.py "$(seconds bernoulli)" "$(seconds relu)"
