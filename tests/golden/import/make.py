"""A generator laid out as Yelmen et al. 2023 save it, and what PyTorch makes of noise with it.

    python tests/golden/import/make.py

writes beside itself
- `generator.safetensors`: the state dict of a generator of 2 to 127 positions (unit 2, d = 6: one residual block), with
  random weights and running statistics, multiples of 1/64 so that the file packs well;
- `sites.tsv`: 100 sites, so that 27 positions are padding;
- `model.safetensors`: what `examples/python/import_wgan.py` makes of these two;
- `expected.safetensors`, computed in double precision and inference mode: for `noise`, haplotypes x numbers (the inputs
  from the bottom up, channels x positions each), `log_odds`, haplotypes x sites; and `frequency`, the share of 100,000
  haplotypes with log odds above 0 at each site.
`tests/import.rs` and `ffi-tests/examples/import.sh` compare Haploom and the script with them.
"""

import pathlib
import random
import subprocess
import sys

import torch
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent
LOWEST, DEPTH, UNIT, NOISE, SITES = 2, 6, 2, 2, 100


def layers(inputs, widths, steps):
    """Convolutions, each with its normalisation and slope; a step of 1 keeps the length, one of -p transposes, padding p."""
    row = []
    for outputs, step in zip(widths, steps):
        if step == 1:
            row.append(nn.Conv1d(inputs, outputs, 3, padding=1, bias=False))
        else:
            row.append(nn.ConvTranspose1d(inputs, outputs, 3, stride=2, padding=-step, bias=False))
        row += [nn.BatchNorm1d(outputs), nn.LeakyReLU(0.01)]
        inputs = outputs
    return nn.Sequential(*row)


class Block(nn.Module):
    """Layers one level further down in the state dict, as those between the first and the last ones are."""

    def __init__(self, *args):
        super().__init__()
        self.block = layers(*args)

    def forward(self, x):
        return self.block(x)


class Generator(nn.Module):
    """d = 6. In the paper's order: the location vector before the noise at the bottom, after it everywhere else."""

    def __init__(self):
        super().__init__()
        u, extra = UNIT, NOISE + 1
        self.ms_vars = nn.ParameterList(nn.Parameter(torch.empty(1, length)) for length in self.lengths(DEPTH))
        self.block1 = layers(extra, [20 * u, 18 * u, 16 * u, 14 * u], [1, -1, 1, 0])
        self.block2 = Block(14 * u + extra, [12 * u, 10 * u, 8 * u, 6 * u], [1, 0, 1, 0])
        self.block3 = Block(6 * u, [6 * u, 6 * u], [1, 1])
        self.block4 = layers(6 * u + extra, [4 * u, 2 * u, u, u // 2], [1, 0, 1, 0])
        self.block5 = nn.Sequential(nn.Conv1d(u // 2 + 1, 1, 3, padding=1), nn.Sigmoid())

    @staticmethod
    def lengths(top):
        return [LOWEST * 2**i - (i > 0) for i in range(0, top + 1, 2)]

    def forward(self, noise):
        place = [vector.expand(len(noise[0]), -1, -1) for vector in self.ms_vars]
        x = self.block1(torch.cat([place[0], noise[0]], 1))
        x = self.block2(torch.cat([noise[1], place[1], x], 1))
        x = x + self.block3(x)
        x = self.block4(torch.cat([noise[2], place[2], x], 1))
        return self.block5(torch.cat([place[3], x], 1))


def log_odds(generator, noise):
    """Of rows of noise: haplotypes x sites."""
    inputs, first = [], 0
    for length in Generator.lengths(DEPTH - 2):
        inputs.append(noise[:, first : first + NOISE * length].reshape(-1, NOISE, length))
        first += NOISE * length
    assert first == noise.shape[1]
    return generator(inputs).logit()[:, 0, :SITES]


def main():
    torch.manual_seed(1)
    generator = Generator()
    numbers = NOISE * sum(Generator.lengths(DEPTH - 2))
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if parameter.dim() == 1:
                parameter.normal_(1.0 if name.endswith("weight") else 0.0, 0.2)
            elif name.startswith("ms_vars"):
                parameter.normal_()
            else:
                parameter.normal_(0, (2 / (3 * parameter.shape[1])) ** 0.5)
        for _ in range(30):  # Running statistics as they are after training.
            log_odds(generator, torch.randn(100, numbers))
        state = generator.eval().state_dict()
        for tensor in state.values():
            if tensor.is_floating_point():
                tensor.copy_((tensor * 64).round() / 64)
    save_file(state, HERE / "generator.safetensors")

    random.seed(1)
    position, lines = 27_000_000, []
    for i in range(SITES):
        position += random.randrange(1, 2000)
        reference, alternate = random.sample("ACGT", 2)
        lines.append(f"15\t{position}\trs{i + 1}\t{reference}\t{alternate}\n")
    (HERE / "sites.tsv").write_text("".join(lines))
    script = HERE / "../../../examples/python/import_wgan.py"
    files = [HERE / name for name in ("generator.safetensors", "sites.tsv", "model.safetensors")]
    subprocess.run([sys.executable, script, *files], check=True)

    generator.double()
    with torch.no_grad():
        noise = torch.randn(4, numbers).double()
        count = sum((log_odds(generator, torch.randn(10_000, numbers).double()) > 0).sum(0) for _ in range(10))
        expected = {"noise": noise, "log_odds": log_odds(generator, noise), "frequency": count.double() / 100_000}
    save_file({name: tensor.contiguous() for name, tensor in expected.items()}, HERE / "expected.safetensors")
    for path in HERE.glob("*.safetensors"):
        path.chmod(0o644)


main()
