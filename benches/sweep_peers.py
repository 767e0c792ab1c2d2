"""The sweep of `sweep.rs` in JAX and PyTorch on the CPU with two threads: seconds, medians of nine.

    python benches/sweep_peers.py SECONDS_BERNOULLI SECONDS_RELU

The arguments are Haploom's seconds on two threads; ratios to them are printed. A peer that is not installed is named.
"""

import os
import statistics
import sys
import time

THREADS = 2
os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={THREADS}"
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ["JAX_PLATFORMS"] = "cpu"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

SITES, UNITS, CHAINS, RUNS = 10_000, 500, 1_000, 9


def median_seconds(sweep):
    sweep()
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        sweep()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def jax_sweeps():
    import jax
    import jax.numpy as jnp

    def step(relu, w, b, c, v, key):
        up, down = jax.random.split(key)
        x = v @ w + c
        if relu:
            # Truncated normal by the inverse of its distribution function.
            u = jax.random.uniform(up, x.shape, minval=1e-7, maxval=1.0)
            h = jnp.maximum(x - jax.scipy.special.ndtri(u * jax.scipy.special.ndtr(x)), 0)
        else:
            h = (jax.random.uniform(up, x.shape) < jax.nn.sigmoid(x)).astype(jnp.float32)
        y = h @ w.T + b
        return (jax.random.uniform(down, y.shape) < jax.nn.sigmoid(y)).astype(jnp.float32)

    results = {}
    for name, relu in [("bernoulli", False), ("relu", True)]:
        sweep = jax.jit(lambda w, b, c, v, key, relu=relu: step(relu, w, b, c, v, key))
        key = jax.random.key(1)
        w = 0.05 * jax.random.normal(key, (SITES, UNITS))
        state = [jnp.zeros((CHAINS, SITES)), key]

        def run():
            state[1], key = jax.random.split(state[1])
            state[0] = sweep(w, jnp.full(SITES, -2.0), jnp.zeros(UNITS), state[0], key).block_until_ready()

        results[name] = median_seconds(run)
    return f"JAX {jax.__version__}", results


def torch_sweeps():
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    results = {}
    with torch.inference_mode():
        for name in ["bernoulli", "relu"]:
            w = 0.05 * torch.randn(SITES, UNITS)
            b, c = torch.full((SITES,), -2.0), torch.zeros(UNITS)
            state = [torch.zeros(CHAINS, SITES)]

            def run():
                x = torch.addmm(c, state[0], w)
                if name == "relu":
                    u = torch.rand_like(x).clamp_(min=1e-7)
                    h = (x - torch.special.ndtri(u * torch.special.ndtr(x))).clamp_(min=0)
                else:
                    h = torch.bernoulli(torch.sigmoid_(x))
                state[0] = torch.bernoulli(torch.addmm(b, h, w.T).sigmoid_())

            results[name] = median_seconds(run)
    return f"PyTorch {torch.__version__}", results


ours = dict(zip(["bernoulli", "relu"], map(float, sys.argv[1:3])))
print("| peer | hidden | sweep s | times Haploom's |")
print("|---|---|---|---|")
for peer in [jax_sweeps, torch_sweeps]:
    try:
        name, results = peer()
    except (ImportError, OSError, ValueError) as error:
        print(f"| {peer.__name__.removesuffix('_sweeps')} | not there: {str(error).splitlines()[0]} | | |")
        continue
    for hidden, seconds in results.items():
        ratio = f"{seconds / ours[hidden]:.2f}" if hidden in ours else ""
        print(f"| {name} | {hidden} | {seconds:.4f} | {ratio} |")
