"""What PyTorch does with the same work on the same GPU: the rate of its bfloat16 products, Gibbs sweeps, training.

    python benches/cuda_peers.py

Lines are `name<TAB>value<TAB>unit`, medians of seven; those that begin with `#` say what was measured. Sweeps are those of
benches/cuda.rs: 10,000 sites, 512 and 2,048 hidden units, 16,384 chains; in bfloat16, compiled (torch.compile, the best of
its modes), and in float32 as plain PyTorch code writes them. Training: 2,000 hidden units, 50 sweeps an update, 1,252
chains. If the package `rbms` is installed its own sampler is timed as it ships.
"""

import statistics
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("skipped: there is no PyTorch here")
if not torch.cuda.is_available():
    sys.exit("skipped: PyTorch sees no GPU")

SITES, CHAINS, RUNS = 10_000, 16_384, 7
DEVICE = torch.device("cuda")
torch.manual_seed(1)


def measure(work):
    for _ in range(2):
        work()
    times = []
    for _ in range(RUNS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def say(name, value, unit):
    print(f"{name}\t{value:.6g}\t{unit}", flush=True)


print(f"# PyTorch {torch.__version__}, {torch.cuda.get_device_name(0)}")


def rate():
    """TFLOP/s of products as large as the sweep's."""
    best = 0.0
    for rows, inner, columns in [(16_384, 10_000, 2_048), (8_192, 8_192, 8_192), (16_384, 2_048, 10_000)]:
        a = torch.randn(rows, inner, device=DEVICE, dtype=torch.bfloat16)
        b = torch.randn(inner, columns, device=DEVICE, dtype=torch.bfloat16)
        seconds = measure(lambda: [a @ b for _ in range(10)]) / 10
        best = max(best, 2 * rows * inner * columns / seconds / 1e12)
    say("bf16_rate", best, "TFLOP/s")


def half_step(states, weights, bias):
    return (torch.rand_like(bias.expand(states.shape[0], -1)) < torch.sigmoid(states @ weights + bias)).to(states.dtype)


def sweep(visible, weights, turned, visible_bias, hidden_bias):
    return half_step(half_step(visible, weights, hidden_bias), turned, visible_bias)


def machine(units, kind):
    weights = (0.1 * torch.randn(SITES, units, device=DEVICE)).to(kind)
    biases = [torch.full((n,), -1.0, device=DEVICE, dtype=kind) for n in (SITES, units)]
    return weights, weights.t().contiguous(), *biases


def sweeps(units):
    for name, kind, modes in [
        ("bf16_compiled", torch.bfloat16, ["default", "max-autotune-no-cudagraphs", "max-autotune"]),
        ("f32", torch.float32, [None]),
    ]:
        given = machine(units, kind)
        visible = torch.zeros(CHAINS, SITES, device=DEVICE, dtype=kind)
        best = float("inf")
        for mode in modes:
            try:
                run = sweep if mode is None else torch.compile(sweep, mode=mode)

                def work():
                    states = visible
                    for _ in range(8):
                        states = run(states, *given).clone()

                best = min(best, measure(work) / 8)
            except Exception as error:  # noqa: BLE001 a mode that the installation cannot do is passed over, aloud
                print(f"# sweep_{units}_{name}, mode {mode}: {type(error).__name__}")
        say(f"sweep_{units}_{name}", best, "s")


def training(name, kind, compiled):
    units, chains, sweeps_an_update = 2_000, 1_252, 50
    weights, _, visible_bias, hidden_bias = machine(units, torch.float32)
    data = (torch.rand(5_008, SITES, device=DEVICE) < 0.2).to(kind)
    state = torch.zeros(chains, SITES, device=DEVICE, dtype=kind)
    step = torch.compile(sweep) if compiled else sweep

    def update():
        nonlocal state
        w, b, c = weights.to(kind), visible_bias.to(kind), hidden_bias.to(kind)
        turned = w.t().contiguous()
        for _ in range(sweeps_an_update):
            state = step(state, w, turned, b, c)
        batch = data[torch.randint(0, len(data), (chains,), device=DEVICE)]
        for states, sign in ((batch, 1e-4), (state, -1e-4)):
            means = torch.sigmoid(states @ w + c)
            weights.add_((states.t() @ means).float(), alpha=sign / chains)
            visible_bias.add_(states.float().mean(0), alpha=sign)
            hidden_bias.add_(means.float().mean(0), alpha=sign)

    say(f"updates_2000_{name}", 1 / measure(update), "1/s")


rate()
for number in (512, 2048):
    sweeps(number)
training("bf16_compiled", torch.bfloat16, True)
training("f32", torch.float32, False)

try:
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.sampling.gibbs import sample_state
except ImportError:
    print("# rbms is not installed: its own sampler is not timed")
else:
    for number in (512, 2048):
        machine_of_rbms = BBRBM(
            weight_matrix=0.1 * torch.randn(SITES, number, device=DEVICE),
            vbias=torch.full((SITES,), -1.0, device=DEVICE),
            hbias=torch.full((number,), -1.0, device=DEVICE),
        )
        chains = machine_of_rbms.init_chains(CHAINS)
        seconds = measure(lambda: sample_state(8, chains, machine_of_rbms)) / 8
        say(f"sweep_{number}_rbms", seconds, "s")
