#!/usr/bin/env bash
# A GPU beside PyTorch on the same GPU: benches/cuda.sh [cuda:N]. Prints a table for cuda/MEASURED.md.
#
# Runs the tests that need a device, benches/cuda.rs twice (the second start finds the driver's cache), benches/cuda_peers.py
# where there is a Python with PyTorch (PYTHON names it), the steps of networks beside benches/neural_peers.py, and
# compute-sanitizer on the twins where it is installed. A kernel that hangs ends the run: nothing is measured after it.
set -euo pipefail
cd "$(dirname "$0")/.."
device=${1:-cuda:0}
out=${OUT:-target/cuda-bench}
mkdir -p "$out"
index=${device#cuda:}
export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-$index}

nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader | tee "$out/gpu.txt"
# Binaries that were brought along (TWINS, NETWORKS, BENCH, NEURAL) are taken as they are.
twins=${TWINS:-$(cargo test --release --locked --test cuda_device --no-run --message-format=short 2>&1 |
    sed -n 's/.*(\(target[^)]*cuda_device[^)]*\)).*/\1/p')}
bench=${BENCH:-$(cargo bench --locked --bench cuda --no-run 2>&1 | sed -n 's/.*(\(target[^)]*cuda[^)]*\)).*/\1/p')}
limit=(timeout -k 5 "${LIMIT:-300}")
"${limit[@]}" "$twins" --ignored --test-threads 1 2>&1 | tee "$out/twins.txt" | tail -n 4
networks=${NETWORKS:-$(cargo test --release --locked --test cuda_networks --no-run --message-format=short 2>&1 |
    sed -n 's/.*(\(target[^)]*cuda_networks[^)]*\)).*/\1/p')}
"${limit[@]}" "$networks" --ignored --test-threads 1 2>&1 | tee "$out/networks.txt" | tail -n 4
"${limit[@]}" "$bench" cuda:0 >"$out/first.txt"
"${limit[@]}" "$bench" cuda:0 | tee "$out/haploom.txt"
"${PYTHON:-python3}" benches/cuda_peers.py 2>"$out/peers.err" | tee "$out/peers.txt" || cat "$out/peers.err"
neural=${NEURAL:-$(cargo bench --locked --bench neural --no-run 2>&1 | sed -n 's/.*(\(target[^)]*neural[^)]*\)).*/\1/p')}
"${limit[@]}" "$neural" cuda:0 | tee "$out/neural.txt"
"${PYTHON:-python3}" benches/neural_peers.py 8 32 cuda 2>>"$out/peers.err" | tee "$out/neural_peers.txt" || cat "$out/peers.err"
if command -v compute-sanitizer >/dev/null; then
    compute-sanitizer --error-exitcode 1 "$twins" --ignored --test-threads 1 >"$out/sanitizer.txt" 2>&1 &&
        compute-sanitizer --tool synccheck --error-exitcode 1 "$twins" --ignored --test-threads 1 gradients \
            >>"$out/sanitizer.txt" 2>&1 && echo "compute-sanitizer: clean" || tail "$out/sanitizer.txt"
else
    echo "compute-sanitizer is not installed"
fi

# Ratios that count, where both sides were measured.
awk -F'\t' '
    /^#/ {next}
    {value[$1] = $2}
    END {
        if (value["bf16_rate"]) for (n = 512; n <= 2048; n *= 4)
            printf "sweep of %d: %.2f of the bf16 rate\n", n, value["sweep_" n "_rate"] / value["bf16_rate"]
        split("bf16_compiled f32 rbms", peers, " ")
        for (n = 512; n <= 2048; n *= 4) for (i in peers)
            if (value["sweep_" n "_" peers[i]])
                printf "sweep of %d: %.2f times %s\n", n, value["sweep_" n "_" peers[i]] / value["sweep_" n], peers[i]
        split("wgan_10k_critic_step wgan_10k_generator_step", ours, " ")
        split("wgan_critic_step wgan_generator_step", theirs, " ")
        for (n = 1; n <= 2; n++) if (value[theirs[n]] && value[theirs[n] "_bf16"] && value[ours[n]])
            printf "%s: %.2f times PyTorch, %.2f times in bfloat16\n", theirs[n], value[theirs[n]] / value[ours[n]],
                value[theirs[n] "_bf16"] / value[ours[n]]
        for (i in peers) if (value["updates_2000_" peers[i]])
            printf "updates: %.2f times %s\n", value["updates_2000"] / value["updates_2000_" peers[i]], peers[i]
    }' "$out/haploom.txt" "$out/peers.txt" "$out/neural.txt" "$out/neural_peers.txt"
grep -h start "$out/first.txt" "$out/haploom.txt"
