#!/usr/bin/env bash
# A GPU beside PyTorch on the same GPU: benches/cuda.sh [cuda:N [PART...]]. Prints a table for cuda/MEASURED.md.
#
# Parts, all of them in this order if none is named; a kernel that hangs ends the run, and nothing is measured after it:
#   twins      the tests that need a device
#   sweeps     benches/cuda.rs, twice (the second start finds the driver's cache), and the GPU's clock and power meanwhile
#   profile    what half-steps of 512 units wait for, where ncu is installed
#   peers      benches/cuda_peers.py, where there is a Python with PyTorch (PYTHON names it)
#   rbm        an RBM of 10,000 sites, learned and evaluated (HAPLOOM_DATA names the folder with the panel)
#   networks   the steps of networks beside benches/neural_peers.py
#   sanitizer  compute-sanitizer on the twins, where it is installed
# Settings, as variables: OUT (target/cuda-bench), LIMIT (300 seconds a program), RBM (the RBM's options); and programs that were
# built elsewhere: TWINS, NETWORKS, BENCH, NEURAL, HAPLOOM.
set -euo pipefail
cd "$(dirname "$0")/.."
device=${1:-cuda:0}
parts=("${@:2}")
[ ${#parts[@]} -gt 0 ] || parts=(twins sweeps peers profile rbm networks sanitizer)
out=${OUT:-target/cuda-bench}
mkdir -p "$out"
export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-${device#cuda:}}
python=${PYTHON:-python3}
limit=(timeout -k 5 "${LIMIT:-300}")

# The program of a test or bench; one that was brought along is taken as it is.
built() {
    local kind=$1 name=$2 brought=$3
    [ -n "$brought" ] && echo "$brought" && return
    cargo "$kind" --profile release --locked "--$kind" "$name" --no-run 2>&1 |
        sed -n "s/.*(\(target[^)]*\/$name-[^)]*\)).*/\1/p"
}

twins() {
    for name in cuda_device cuda_networks; do
        program=$(built test $name "$([ $name = cuda_device ] && echo "${TWINS:-}" || echo "${NETWORKS:-}")")
        "${limit[@]}" "$program" --ignored --test-threads 1 2>&1 | tee "$out/$name.txt" | tail -n 4
    done
}

sweeps() {
    program=$(built bench cuda "${BENCH:-}")
    "${limit[@]}" "$program" cuda:0 >"$out/first.txt"
    # A card that is at its power limit lowers its clock: then work that takes less of it is faster, and overlapping is not.
    timeout "${LIMIT:-300}" nvidia-smi --query-gpu=clocks.sm,power.draw,utilization.gpu --format=csv,noheader,nounits -lms 50 >"$out/clocks.txt" &
    local watch=$!
    "${limit[@]}" "$program" cuda:0 | tee "$out/haploom.txt"
    kill $watch
    sort -n "$out/clocks.txt" | awk -F, '$3 > 90 {clock[++n] = $1; power[n] = $2} END {
        if (n) printf "# busy: %d MHz in the median, %d to %d; at most %d W\n", clock[int((n + 1) / 2)], clock[1], clock[n], most(n)
    } function most(n, i, m) {for (i = 1; i <= n; i++) if (power[i] > m) m = power[i]; return m}' | tee -a "$out/haploom.txt"
}

profile() {
    command -v ncu >/dev/null || { echo "ncu is not installed"; return; }
    program=$(built bench cuda "${BENCH:-}")
    # Both directions, at the clock that the sweeps ran at.
    "${limit[@]}" ncu --clock-control none --kernel-name affine_bits_sample --launch-skip 40 --launch-count 2 \
        --section SpeedOfLight --section ComputeWorkloadAnalysis --section SchedulerStats --section WarpStateStats \
        --section SourceCounters --metrics sm__inst_executed_pipe_fmaheavy.sum,sm__pipe_fmaheavy_cycles_active.avg \
        "$program" cuda:0 512 >"$out/profile.txt" 2>&1 || tail "$out/profile.txt"
    grep -E "Duration|SM Frequency|Issue Slots Busy|Stall|fmaheavy" "$out/profile.txt" || true
}

peers() {
    "${limit[@]}" "$python" benches/cuda_peers.py 2>"$out/peers.err" | tee "$out/peers.txt" || cat "$out/peers.err"
}

rbm() {
    [ -n "${HAPLOOM_DATA:-}" ] || { echo "skipped: HAPLOOM_DATA is not set"; return; }
    [ -n "${HAPLOOM:-}" ] || cargo build --release --locked
    REGION=all DEVICE=cuda:0 WORK=$out THREADS=0 "${limit[@]}" benches/neural_window.sh rbm-10k rbm \
        "${RBM:-hidden=2000,l2=0.05,epochs=300}" 2>&1 | tee "$out/rbm.txt"
}

networks() {
    program=$(built bench neural "${NEURAL:-}")
    "${limit[@]}" "$program" cuda:0 | tee "$out/neural.txt"
    "${limit[@]}" "$python" benches/neural_peers.py 8 32 cuda 2>>"$out/peers.err" | tee "$out/neural_peers.txt" ||
        cat "$out/peers.err"
}

sanitizer() {
    command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not installed"; return; }
    program=$(built test cuda_device "${TWINS:-}")
    compute-sanitizer --error-exitcode 1 "$program" --ignored --test-threads 1 >"$out/sanitizer.txt" 2>&1 &&
        compute-sanitizer --tool synccheck --error-exitcode 1 "$program" --ignored --test-threads 1 gradients \
            >>"$out/sanitizer.txt" 2>&1 && echo "compute-sanitizer: clean" || tail "$out/sanitizer.txt"
}

# Ratios are of this run alone.
results=("$out"/{haploom,first,peers,neural,neural_peers}.txt)
rm -f "${results[@]}"
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader | tee "$out/gpu.txt"
for part in "${parts[@]}"; do
    case $part in
    twins | sweeps | peers | profile | rbm | networks | sanitizer) $part ;;
    *) echo "there is no part $part: twins, sweeps, peers, profile, rbm, networks or sanitizer" >&2; exit 2 ;;
    esac
done

touch "${results[@]}"
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
grep -h start "$out/first.txt" "$out/haploom.txt" || true
