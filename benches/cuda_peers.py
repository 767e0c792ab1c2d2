"""What PyTorch does with the same work on the same GPU: the rate of its bfloat16 products, Gibbs sweeps, training.

    python benches/cuda_peers.py [PART...]

Parts are rate, 512, 2048, training and rbms; all, if none is named. Lines are `name<TAB>value<TAB>unit`, medians of seven;
those that begin with `#` say what was measured. Sweeps are those of benches/cuda.rs: 10,000 sites, 512 and 2,048 hidden
units, 16,384 chains; in bfloat16, compiled (torch.compile, the better of two modes), and in float32 as plain PyTorch code
writes them. Training: 2,000 hidden units, 50 sweeps an update, 1,252 chains; its sweeps alone are compiled. If the package
`rbms` is installed its own sampler and its own update are timed as they ship, in float32.
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
UNITS, LEARNING_CHAINS, SWEEPS = 2_000, 1_252, 50
# Launches are too long for graphs of them to matter.
MODES = ["default", "max-autotune-no-cudagraphs"]
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
        ("bf16_compiled", torch.bfloat16, MODES),
        ("f32", torch.float32, [None]),
    ]:
        given = machine(units, kind)
        visible = torch.zeros(CHAINS, SITES, device=DEVICE, dtype=kind)
        best = float("inf")
        for mode in modes:
            try:
                run = sweep if mode is None else torch.compile(sweep, mode=mode, dynamic=False)

                def work():
                    states = visible
                    for _ in range(8):
                        states = run(states, *given)

                seconds = measure(work) / 8
                print(f"# sweep_{units}_{name}, mode {mode}: {seconds:.6f}", flush=True)
                best = min(best, seconds)
            except Exception as error:  # noqa: BLE001 a mode that the installation cannot do is passed over, aloud
                print(f"# sweep_{units}_{name}, mode {mode}: {type(error).__name__}")
        if best < float("inf"):
            say(f"sweep_{units}_{name}", best, "s")


def training(name, kind, modes):
    rates = []
    for mode in modes:
        weights, _, visible_bias, hidden_bias = machine(UNITS, torch.float32)
        data = (torch.rand(5_008, SITES, device=DEVICE) < 0.2).to(kind)
        state = torch.zeros(LEARNING_CHAINS, SITES, device=DEVICE, dtype=kind)
        step = sweep if mode is None else torch.compile(sweep, mode=mode, dynamic=False)

        def update():
            nonlocal state
            w, b, c = weights.to(kind), visible_bias.to(kind), hidden_bias.to(kind)
            turned = w.t().contiguous()
            for _ in range(SWEEPS):
                state = step(state, w, turned, b, c)
            batch = data[torch.randint(0, len(data), (LEARNING_CHAINS,), device=DEVICE)]
            for states, sign in ((batch, 1e-4), (state, -1e-4)):
                means = torch.sigmoid(states @ w + c)
                weights.add_((states.t() @ means).float(), alpha=sign / LEARNING_CHAINS)
                visible_bias.add_(states.float().mean(0), alpha=sign)
                hidden_bias.add_(means.float().mean(0), alpha=sign)

        try:
            rates.append(1 / measure(update))
            print(f"# updates_2000_{name}, mode {mode}: {rates[-1]:.2f}", flush=True)
        except Exception as error:  # noqa: BLE001 as above
            print(f"# updates_2000_{name}, mode {mode}: {type(error).__name__}")
    if rates:
        say(f"updates_2000_{name}", max(rates), "1/s")


def rbms():
    """The package as it ships: its sampler, and the update of its training."""
    try:
        from rbms.bernoulli_bernoulli.classes import BBRBM
        from rbms.sampling.gibbs import sample_state
        from rbms.training.pcd import fit_batch_pcd
    except ImportError as error:
        print(f"# rbms is not measured: {error}")
        return

    def machine_of_rbms(units):
        return BBRBM(
            weight_matrix=0.1 * torch.randn(SITES, units, device=DEVICE),
            vbias=torch.full((SITES,), -1.0, device=DEVICE),
            hbias=torch.full((units,), -1.0, device=DEVICE),
        )

    for number in (512, 2048):
        given = machine_of_rbms(number)
        chains = given.init_chains(CHAINS)
        say(f"sweep_{number}_rbms", measure(lambda: sample_state(8, chains, given)) / 8, "s")
    given = machine_of_rbms(UNITS)
    chains = given.init_chains(LEARNING_CHAINS)
    data = (torch.rand(5_008, SITES, device=DEVICE) < 0.2).float()
    weights = torch.ones(len(data), device=DEVICE)
    given.init_grad()
    optimiser = torch.optim.SGD(given.parameters(), lr=1e-4, maximize=True)

    def update():
        nonlocal chains
        rows = torch.randperm(len(data), device=DEVICE)[:LEARNING_CHAINS]
        optimiser.zero_grad(set_to_none=False)
        chains, _ = fit_batch_pcd((data[rows], weights[rows]), chains, given, SWEEPS, 1.0)
        optimiser.step()

    with torch.no_grad():
        say("updates_2000_rbms", 1 / measure(update), "1/s")


def main():
    parts = sys.argv[1:]
    work = {
        "rate": rate,
        "512": lambda: sweeps(512),
        "2048": lambda: sweeps(2048),
        "training": lambda: (training("bf16_compiled", torch.bfloat16, MODES), training("f32", torch.float32, [None])),
        "rbms": rbms,
    }
    for part in parts or work:
        work[part]()


main()
