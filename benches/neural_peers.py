"""Generative networks of the literature in PyTorch: what training and sampling cost there.

    python benches/neural_peers.py [THREADS] [PACKED] [DEVICE]

THREADS is 2 if it is not given. The fully connected GAN is that of Yelmen et al. 2021 for 805 sites, in batches of 32:
a step is one of the discriminator on real and fake haplotypes, and one of the generator; a second one has a penalty on the
discriminator's gradient and a running average of the generator, as Haploom's has. The convolutional WGAN is that
of Yelmen et al. 2023 for 16,383 positions; PACKED is its batch, in packed samples of three haplotypes (3 if it is not
given). DEVICE is cpu if it is not given; on cuda all is measured a second time with products in bfloat16
(torch.autocast), after single precision as it comes, which is TF32 in convolutions. Samples are made without gradients, from
drawing noise to alleles in bytes. Lines are `name<TAB>seconds`, medians of seven after two that are not counted; those that
begin with `#` say what was measured, and the least and greatest. Beside other work two threads are slower than one: they wait for each other many times a step.
"""

import os
import statistics
import sys
import time

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 2
PACKED = int(sys.argv[2]) if len(sys.argv) > 2 else 3
os.environ["OMP_NUM_THREADS"] = str(THREADS)
DEVICE = sys.argv[3] if len(sys.argv) > 3 else "cpu"
if DEVICE == "cpu" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

import torch
from torch import nn
from torch.nn import functional

RUNS, WARM = 7, 2
SLOPE = 0.01


SUFFIX = ""


def wait():
    if DEVICE != "cpu":
        torch.cuda.synchronize()


def measure(name, work):
    name += SUFFIX
    for _ in range(WARM):
        work()
    times = []
    for _ in range(RUNS):
        wait()
        begin = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - begin)
    seconds = statistics.median(times)
    print(f"# {name}: {min(times):.4g} to {max(times):.4g}")
    print(f"{name}\t{seconds:.5g}", flush=True)
    return seconds


def adam(module, rate, betas=(0.9, 0.999), decay=0.0):
    return torch.optim.Adam(module.parameters(), rate, betas, weight_decay=decay, fused=True)


def set_trained(module, trained):
    for values in module.parameters():
        values.requires_grad_(trained)


# The fully connected GAN.

SITES, LATENT, BATCH = 805, 600, 32
GAN_SAMPLES = 256 if DEVICE == "cpu" else 65_536


def dense(widths, last):
    row = []
    for inputs, outputs in zip(widths, widths[1:]):
        row += [nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*row[:-1], last) if last else nn.Sequential(*row[:-1])


def gan():
    generator = dense([LATENT, int(SITES / 1.2), int(SITES / 1.1), SITES], nn.Tanh())
    # The sigmoid is in the loss.
    critic = dense([SITES, SITES // 2, SITES // 3, 1], None)
    learns, judges = adam(generator, 1e-4, decay=1e-4), adam(critic, 8e-4, decay=1e-4)
    people = torch.randint(0, 2, (5008, SITES)).float() * 2 - 1
    loss = functional.binary_cross_entropy_with_logits

    def step():
        real = people[torch.randint(0, len(people), (BATCH,))]
        with torch.no_grad():
            fake = generator(torch.randn(BATCH, LATENT))
        labels = torch.cat([1 - 0.1 * torch.rand(BATCH, 1), torch.zeros(BATCH, 1)])
        judges.zero_grad()
        # One pass for both halves; the sum of their means is what two passes would give.
        (2 * loss(critic(torch.cat([real, fake])), labels)).backward()
        judges.step()

        set_trained(critic, False)
        learns.zero_grad()
        loss(critic(generator(torch.randn(BATCH, LATENT))), torch.ones(BATCH, 1)).backward()
        learns.step()
        set_trained(critic, True)

    measure("gan_step", step)

    # What Haploom's step does besides: a penalty on the gradient at real haplotypes, and a running average.
    average = [values.detach().clone() for values in generator.parameters()]

    def penalised():
        real = people[torch.randint(0, len(people), (BATCH,))].requires_grad_()
        with torch.no_grad():
            fake = generator(torch.randn(BATCH, LATENT))
        judges.zero_grad()
        real_worth, fake_worth = critic(real), critic(fake)
        (slope,) = torch.autograd.grad(real_worth.sum(), real, create_graph=True)
        wrong = functional.softplus(-real_worth).mean() + functional.softplus(fake_worth).mean()
        (wrong + 15 * slope.pow(2).sum(1).mean()).backward()
        judges.step()

        set_trained(critic, False)
        learns.zero_grad()
        functional.softplus(-critic(generator(torch.randn(BATCH, LATENT)))).mean().backward()
        learns.step()
        torch._foreach_lerp_(average, [values.detach() for values in generator.parameters()], 0.001)
        set_trained(critic, True)

    measure("gan_step_with_penalty_and_average", penalised)
    generator.eval()

    def sample():
        with torch.inference_mode():
            return (generator(torch.randn(GAN_SAMPLES, LATENT)) > 0).to(torch.uint8).cpu()

    seconds = measure("gan_samples", sample)
    print(f"# gan: {GAN_SAMPLES / seconds:.0f} haplotypes a second, {GAN_SAMPLES} at a time")


# The convolutional WGAN: convolutions of three, normalisation, LeakyReLU.

LAST, DOUBLINGS, UNIT, PACK = 4, 12, 10, 3
WGAN_SAMPLES = 8 if DEVICE == "cpu" else 2048
STAGES = DOUBLINGS // 2
POSITIONS = LAST * 2**DOUBLINGS - 1


def length(doublings):
    return LAST * 2**doublings - 1


def convolution(inputs, outputs, stride=1, pad=1):
    return nn.Conv1d(inputs, outputs, 3, stride, pad)


def keeping(inputs, outputs):
    return nn.Conv1d(inputs, outputs, 3, padding=1, bias=False)


def doubling(inputs, outputs, pad=0):
    return nn.ConvTranspose1d(inputs, outputs, 3, 2, pad, bias=False)


def normalised(*layers, batch=True):
    row = []
    for layer in layers:
        width = layer.out_channels
        norm = nn.BatchNorm1d(width) if batch else nn.InstanceNorm1d(width, affine=True)
        row += [layer, norm, nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*row)


def join(*parts):
    samples = max(len(part) for part in parts)
    return torch.cat([part.expand(samples, -1, -1) for part in parts], 1)


def locations(lengths):
    return nn.ParameterList(torch.randn(1, 1, length) for length in lengths)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        u, m = UNIT, 6 + 8 * (STAGES - 2)
        self.locations = locations([LAST] + [length(2 * k) for k in range(1, STAGES + 1)])
        self.first = normalised(
            keeping(3, (m + 6) * u),
            doubling((m + 6) * u, (m + 4) * u, 1),
            keeping((m + 4) * u, (m + 2) * u),
            doubling((m + 2) * u, m * u),
        )
        self.up, self.residual = nn.ModuleList(), nn.ModuleList()
        for k in range(1, STAGES - 1):
            self.up.append(
                normalised(
                    keeping(m * u + 3, (m - 2) * u),
                    doubling((m - 2) * u, (m - 4) * u),
                    keeping((m - 4) * u, (m - 6) * u),
                    doubling((m - 6) * u, (m - 8) * u),
                )
            )
            m -= 8
            block = normalised(keeping(m * u, m * u), keeping(m * u, m * u))
            self.residual.append(block if k % 2 else nn.Identity())
        self.final = normalised(keeping(6 * u + 3, 4 * u), doubling(4 * u, 2 * u), keeping(2 * u, u), doubling(u, u // 2))
        self.out = convolution(u // 2 + 1, 1)

    def forward(self, samples):
        def noise(length):
            return torch.randn(samples, 2, length)

        x = self.first(join(self.locations[0], noise(LAST)))
        for k, (up, residual) in enumerate(zip(self.up, self.residual), 1):
            x = up(join(noise(length(2 * k)), self.locations[k], x))
            if k % 2:
                x = x + residual(x)
        x = self.final(join(noise(length(2 * STAGES - 2)), self.locations[-2], x))
        return torch.sigmoid(self.out(join(self.locations[-1], x))).squeeze(1)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        u, m = UNIT, 6
        self.locations = locations([length(2 * k) for k in range(STAGES, 0, -1)])
        self.first = normalised(
            convolution(PACK + 1, u),
            convolution(u, 2 * u, 2, 0),
            convolution(2 * u, 4 * u),
            convolution(4 * u, 6 * u, 2, 0),
            batch=False,
        )
        self.down, self.residual = nn.ModuleList(), nn.ModuleList()
        for k in range(1, STAGES):
            block = normalised(convolution(m * u, m * u), convolution(m * u, m * u), batch=False)
            self.residual.append(block if k % 2 and k < STAGES - 1 else nn.Identity())
            last = k == STAGES - 1
            self.down.append(
                normalised(
                    convolution(m * u + 1, (m + 2) * u),
                    convolution((m + 2) * u, (m + 4) * u, 2, 0),
                    convolution((m + 4) * u, (m + 6) * u),
                    convolution((m + 6) * u, 1 if last else (m + 8) * u, 2, int(last)),
                    batch=False,
                )
            )
            m += 8
        self.out = nn.Linear(LAST, 1)

    def forward(self, x):
        x = self.first(join(self.locations[0], x))
        for k, (down, residual) in enumerate(zip(self.down, self.residual), 1):
            if k % 2 and k < STAGES - 1:
                x = x + residual(x)
            x = down(join(self.locations[k], x))
        return self.out(x.flatten(1))


def wgan():
    generator, critic = Generator(), Critic()
    sizes = [sum(values.numel() for values in module.parameters()) for module in (generator, critic)]
    assert sizes == [4_955_477, 4_606_772], sizes
    learns, judges = (adam(module, 5e-4, betas=(0.5, 0.9)) for module in (generator, critic))
    people = torch.randint(0, 2, (600, POSITIONS)).float()

    def packed(samples):
        """As published: what is packed together comes from different batches."""
        return torch.stack([samples() for _ in range(PACK)], 1)

    def fakes():
        with torch.no_grad():
            return packed(lambda: generator(PACKED))

    def critic_step():
        real = packed(lambda: people[torch.randint(0, len(people), (PACKED,))])
        fake = fakes()
        share = torch.rand(PACKED, 1, 1)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = 10 * ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
        worth = critic(torch.cat([real, fake]))
        judges.zero_grad()
        (worth[PACKED:].mean() + (-1 + 0.1 * torch.rand(())) * worth[:PACKED].mean() + penalty).backward()
        judges.step()

    def generator_step():
        set_trained(critic, False)
        learns.zero_grad()
        (-critic(packed(lambda: generator(PACKED))).mean()).backward()
        learns.step()
        set_trained(critic, True)

    print(f"# wgan: {PACKED} packed samples of {PACK} haplotypes; wgan_critic_step has wgan_fakes in it")
    measure("wgan_fakes", fakes)
    measure("wgan_critic_step", critic_step)
    measure("wgan_generator_step", generator_step)
    generator.eval()

    def sample():
        with torch.inference_mode():
            return (generator(WGAN_SAMPLES) > 0.5).to(torch.uint8).cpu()

    seconds = measure("wgan_samples", sample)
    print(f"# wgan: {WGAN_SAMPLES / seconds:.3g} haplotypes a second, {WGAN_SAMPLES} at a time")


def main():
    global SUFFIX
    torch.set_num_threads(THREADS)
    torch.set_default_device(DEVICE)
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    python = ".".join(map(str, sys.version_info[:3]))
    where = f"{torch.get_num_threads()} threads" if DEVICE == "cpu" else torch.cuda.get_device_name(0)
    print(f"# torch {torch.__version__}, Python {python}, {where}, single precision")
    gan()
    wgan()
    if DEVICE != "cpu":
        SUFFIX = "_bf16"
        with torch.autocast("cuda", torch.bfloat16):
            gan()
            wgan()


main()
