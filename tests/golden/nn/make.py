"""Golden numbers of layers, gradient penalties and optimisers, from PyTorch in double precision.

    python tests/golden/nn/make.py

writes `layers`, `penalties` and `optimisers` (`.safetensors`) beside itself; `tests/nn_torch.rs` compares Haploom with
them. Activations are samples x channels x positions, or samples x units. A case of layers or penalties has
`case/input/i`, `case/parameter/name`, and gradients `case/gradient/name`. Those of layers are of the sum of
`case/weights` times `case/output`, `case/input_gradient/i` too, and `case/after/name` are running means and variances
after the pass in training; those of penalties are of `case/penalty`. Parameters have the names that the graphs of
`tests/nn_torch.rs` give them.
"""

import math
import pathlib
import platform

import torch
from safetensors.torch import save_file
from torch import nn

SLOPE = 0.01


def named(**layers):
    """Layers one after another, by name."""
    row = nn.Sequential()
    for name, layer in layers.items():
        row.add_module(name, layer)
    return row


class Residual(nn.Sequential):
    """Layers whose output is added to their input."""

    def forward(self, x):
        return x + super().forward(x)


class Location(nn.Module):
    """Learned values, joined before the channels of x; `noise` comes before both."""

    def __init__(self, length, channels=1):
        super().__init__()
        self.values = nn.Parameter(torch.empty(channels, length))

    def forward(self, x, *noise):
        return torch.cat([*noise, self.values.expand(len(x), -1, -1), x], 1)


class Join(nn.Module):
    """Two inputs as channels of one."""

    def forward(self, a, b):
        return torch.cat([a, b], 1)


def convolution(inputs, outputs, stride=1, pad=1, bias=True):
    return nn.Conv1d(inputs, outputs, 3, stride, pad, bias=bias)


def transposed(inputs, outputs, pad, bias=True):
    return nn.ConvTranspose1d(inputs, outputs, 3, 2, pad, bias=bias)


def instance_norm(channels):
    return nn.InstanceNorm1d(channels, affine=True)


def normalised(normalisation, **layers):
    """Each layer, its normalisation and LeakyReLU."""
    row = nn.Sequential()
    for name, layer in layers.items():
        row.add_module(name, layer)
        row.add_module(f"{name}_norm", normalisation(layer.out_channels))
        row.add_module(f"{name}_active", nn.LeakyReLU(SLOPE))
    return row


class Generator(nn.Module):
    """The generator of Yelmen et al. 2023 with unit 1 for 2 x 2^4 - 1 sites."""

    def __init__(self):
        super().__init__()
        up = lambda inputs, outputs, pad: transposed(inputs, outputs, pad, bias=False)
        keep = lambda inputs, outputs: convolution(inputs, outputs, bias=False)
        self.location0, self.location1, self.location2 = Location(2), Location(7), Location(31)
        self.first = normalised(nn.BatchNorm1d, a=keep(3, 12), b=up(12, 10, 1), c=keep(10, 8), d=up(8, 6, 0))
        self.final = normalised(nn.BatchNorm1d, a=keep(9, 4), b=up(4, 2, 0), c=keep(2, 1), d=up(1, 1, 0))
        self.out = convolution(2, 1)

    def forward(self, z0, z1):
        x = self.first(self.location0(z0))
        x = self.final(self.location1(x, z1))
        return torch.sigmoid(self.out(self.location2(x)))


def critic():
    """The convolutional critic of Yelmen et al. 2023 with unit 2 for 4 x 2^4 - 1 sites, and the residual block that
    the published ones have from 2^6 on. With 2 positions at the end in place of 4, the last normalisation would leave
    nothing but a sign of them, and next to no gradient."""
    return named(
        location0=Location(63),
        first=normalised(
            instance_norm,
            a=convolution(4, 2),
            b=convolution(2, 4, 2, 0),
            c=convolution(4, 8),
            d=convolution(8, 12, 2, 0),
        ),
        residual=Residual(normalised(instance_norm, a=convolution(12, 12), b=convolution(12, 12))),
        location1=Location(15),
        last=normalised(
            instance_norm,
            a=convolution(13, 16),
            b=convolution(16, 20, 2, 0),
            c=convolution(20, 24),
            d=convolution(24, 1, 2, 1),
        ),
        flat=nn.Flatten(),
        out=nn.Linear(4, 1),
    )


class Smooth(nn.Module):
    """A critic all of whose layers have second derivatives, with what other critics lack."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(5, 8)
        self.a_norm = nn.BatchNorm1d(8)
        self.b = transposed(2, 3, 1)
        self.b_norm = nn.BatchNorm1d(3)
        self.c = transposed(3, 2, 0, bias=False)
        self.d = nn.Linear(30, 1)

    def forward(self, x):
        x = torch.tanh(self.a_norm(self.a(x))).unflatten(1, (2, 4))
        x = torch.sigmoid(self.b_norm(self.b(x)))
        return self.d(self.c(x).flatten(1))


def numbers(module):
    """Parameters, and running means and variances."""
    return {name: values for name, values in module.state_dict().items() if values.is_floating_point()}


def draw(module, seed):
    """Numbers for every parameter: variances and scales about 1, so that no normalisation ends a gradient."""
    random = torch.Generator().manual_seed(seed)
    for name, values in numbers(module).items():
        if name.endswith("running_var") or (name.endswith("weight") and values.dim() == 1):
            values.uniform_(0.5, 1.5, generator=random)
        else:
            values.normal_(0, 0.5, generator=random)
    return random


def record(case, module, inputs, loss, out):
    """Parameters, inputs, and the gradients of `loss`, which is a function of the inputs."""
    for name, values in numbers(module).items():
        out[f"{case}/parameter/{name}"] = values.clone()
    for i, x in enumerate(inputs):
        out[f"{case}/input/{i}"] = x.clone()
        x.requires_grad_()
    value = loss(*inputs)
    value.backward()
    for name, values in module.named_parameters():
        # A penalty does not depend on some biases at all.
        out[f"{case}/gradient/{name}"] = torch.zeros_like(values) if values.grad is None else values.grad
    return value.detach()


def layers():
    channels, units = (3, 2, 7), (5, 6)
    cases = {
        "dense": (nn.Linear(6, 3), [units]),
        "dense_without_bias": (nn.Linear(6, 3, bias=False), [units]),
        "convolution": (convolution(2, 3), [channels]),
        "convolution_without_bias": (convolution(2, 3, bias=False), [channels]),
        "convolution_down_0": (convolution(2, 3, 2, 0), [channels]),
        "convolution_down_1": (convolution(2, 3, 2, 1), [channels]),
        "convolution_up_0": (transposed(2, 3, 0), [channels]),
        "convolution_up_1": (transposed(2, 3, 1), [channels]),
        "batch_norm": (nn.BatchNorm1d(2), [channels]),
        "batch_norm_of_units": (nn.BatchNorm1d(6), [units]),
        "batch_norm_in_use": (nn.BatchNorm1d(2), [channels]),
        "batch_norm_of_units_in_use": (nn.BatchNorm1d(6), [units]),
        "instance_norm": (instance_norm(2), [channels]),
        "leaky_relu": (nn.LeakyReLU(SLOPE), [channels]),
        "tanh": (nn.Tanh(), [channels]),
        "sigmoid": (nn.Sigmoid(), [channels]),
        "residual": (Residual(named(a=convolution(2, 2), tanh=nn.Tanh(), b=convolution(2, 2))), [channels]),
        "location": (Location(7, channels=3), [channels]),
        "join": (Join(), [channels, (3, 3, 7)]),
        "flatten": (named(flat=nn.Flatten(), layer=nn.Linear(14, 3)), [channels]),
        "fold": (named(folded=nn.Unflatten(1, (2, 3)), layer=convolution(2, 3)), [units]),
        "generator": (Generator(), [(3, 2, 2), (3, 2, 7)]),
    }
    out = {}
    for case, (module, shapes) in cases.items():
        if not isinstance(module, (nn.Sequential, Generator, Location, Join)):
            module = named(layer=module)
        if isinstance(module, (Location, Residual)):
            module = named(block=module)
        module.train(not case.endswith("in_use"))
        random = draw(module, len(out))
        inputs = [torch.randn(shape, generator=random) for shape in shapes]

        def weighted(*inputs):
            output = module(*inputs)
            weights = torch.randn(output.shape, generator=random)
            out[f"{case}/output"], out[f"{case}/weights"] = output.detach(), weights
            return (weights * output).sum()

        record(case, module, inputs, weighted, out)
        for i, x in enumerate(inputs):
            out[f"{case}/input_gradient/{i}"] = x.grad
        if module.training:
            for name, values in module.named_buffers():
                if values.is_floating_point():
                    out[f"{case}/after/{name}"] = values.clone()
    return out


def penalties():
    """10 mean((|grad D(x)| - 1)^2), the norm over all channels and positions of a sample."""

    cases = {
        "dense": (
            named(
                a=nn.Linear(9, 7),
                a_active=nn.LeakyReLU(SLOPE),
                b=nn.Linear(7, 5),
                b_active=nn.LeakyReLU(SLOPE),
                c=nn.Linear(5, 1),
            ),
            (6, 9),
        ),
        "convolutional": (critic(), (3, 3, 63)),
        "smooth": (Smooth(), (4, 5)),
    }
    out = {}
    for case, (module, shape) in cases.items():
        random = draw(module, len(out))

        def penalty(x):
            (gradient,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
            return 10 * ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()

        out[f"{case}/penalty"] = record(case, module, [torch.randn(shape, generator=random)], penalty, out)
    return out


def optimisers():
    """Three steps each. Gradients of 1e-8 to 1, so that weight decay and epsilon matter somewhere."""
    random = torch.Generator().manual_seed(1)
    single = lambda values: values.float().double()
    start = single(torch.randn(60, generator=random))
    scales = 10 ** (-8 * torch.rand(60, generator=random))
    gradients = single(scales * torch.randn(3, 60, generator=random))
    rules = {
        "adam": lambda x, decay: torch.optim.Adam([x], lr=0.05, betas=(0.9, 0.999), weight_decay=decay),
        "adam_of_critics": lambda x, decay: torch.optim.Adam([x], lr=0.05, betas=(0.5, 0.9), weight_decay=decay),
        "rmsprop": lambda x, decay: torch.optim.RMSprop([x], lr=0.05, alpha=0.99, weight_decay=decay),
    }
    out = {"start": start, "gradients": gradients}
    for name, rule in rules.items():
        for decay in [0, 1e-4]:
            x = nn.Parameter(start.clone())
            optimiser = rule(x, decay)
            for step, gradient in enumerate(gradients):
                x.grad = gradient.clone()
                optimiser.step()
                out[f"{name}/{decay}/{step}"] = x.detach().clone()
    return out


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    here = pathlib.Path(__file__).parent
    for make in [layers, penalties, optimisers]:
        tensors = {name: values.detach().contiguous() for name, values in make().items()}
        assert all(math.isfinite(values.abs().max()) for values in tensors.values())
        save_file(tensors, here / f"{make.__name__}.safetensors", metadata=versions)


main()
