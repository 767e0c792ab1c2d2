#!/usr/bin/env python3
"""import_wgan.py GENERATOR.safetensors SITES.tsv MODEL.safetensors: a Haploom model of the generator of a convolutional WGAN
(Yelmen et al. 2023) that PyTorch trained. SITES: contig, position, id, ref, alt, a line a site. README.md says more."""
import json, re, struct, sys

# What the state dict calls location vector k, from the bottom up, and layer i of block b: its convolution and its
# normalisation. Blocks count from 1 in the order of their use, residual ones too. DROPPED is taken out of every name.
LOCATION = lambda k: f"ms_vars.{k}"
CONVOLUTION = lambda b, i: f"block{b}.{3 * i}"
NORM = lambda b, i: f"block{b}.{3 * i + 1}"
DROPPED = r"^module\.|(?<=\d)\.block(?=\.\d)|.*num_batches_tracked$"
# What it does not tell: LeakyReLU's slope below 0, and how many haplotypes it was trained on.
SLOPE, HAPLOTYPES = 0.01, 0

if len(sys.argv) != 4:
    sys.exit("usage: " + __doc__)
try:
    data = open(sys.argv[1], "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    state = {re.sub(DROPPED, "", name): info for name, info in json.loads(data[8:start]).items() if "dtype" in info}
    sites = open(sys.argv[2], encoding="utf-8").read().splitlines()
except (OSError, ValueError, struct.error) as e:
    sys.exit(f"cannot read {sys.argv[1]} and {sys.argv[2]}: {e}")
state.pop("", None)

def shape_of(name):
    return state[name]["shape"] if name in state else sys.exit(f"there is no {name}: adapt the names at the top of {__file__}")

tensors = []
def add(name, there, shape):
    if shape_of(there) != shape or state[there]["dtype"] != "F32":
        sys.exit(f"{there} is {state[there]['dtype']} {state[there]['shape']}; to be {name} it has to be F32 {shape}")
    begin, end = state.pop(there)["data_offsets"]
    values = data[start + begin : start + end]
    if name == "first.0.weight":  # Here the noise comes before the location vector, as it does at every other join.
        row = 12 * shape[1]
        values = b"".join(values[i + 12 : i + row] + values[i : i + 12] for i in range(0, len(values), row))
    tensors.append(("w0.generator." + name, "F32", shape, values))

stages = sum(LOCATION(k) in state for k in range(13)) - 1
lowest, first, width = shape_of(LOCATION(0))[-1], shape_of(CONVOLUTION(1, 0) + ".weight"), 8 * stages - 10
noise, unit, top = first[1] - 1, first[0] // max(width + 6, 1), lowest * 4**stages - 1
if stages < 2 or unit < 2 or noise < 1:
    sys.exit(f"{stages + 1} location vectors and a first convolution of {first} are not of this architecture")
blocks = [("first", noise + 1, [width + 6, width + 4, width + 2, width])]
for k in range(1, stages - 1):
    blocks.append((f"up.{k}", unit * width + noise + 1, [width - 2, width - 4, width - 6, width - 8]))
    width -= 8
    blocks += [(f"residual.{k}", unit * width, [width, width])] * (k % 2)
blocks.append(("final", unit * 6 + noise + 1, [4, 2, 1, 0.5]))
for k in range(stages + 1):
    add(f"location.{k}.values", LOCATION(k), [1, lowest * 4**k - (k > 0)])
for b, (block, inputs, widths) in enumerate(blocks, 1):
    for i, outputs in enumerate(int(unit * w) for w in widths):
        transposed = i % 2 == 1 and len(widths) == 4
        add(f"{block}.{i}.weight", CONVOLUTION(b, i) + ".weight", [inputs, outputs, 3] if transposed else [outputs, inputs, 3])
        for what in "weight", "bias", "running_mean", "running_var":
            add(f"{block}.{i}.norm.{what}", f"{NORM(b, i)}.{what}", [outputs])
        inputs = outputs
add("out.weight", CONVOLUTION(len(blocks) + 1, 0) + ".weight", [1, unit // 2 + 1, 3])
add("out.bias", CONVOLUTION(len(blocks) + 1, 0) + ".bias", [1])
if state:
    sys.exit(f"nothing here has a place for {min(state)}")
if not 0 < len(sites) <= top or any(line.count("\t") != 4 for line in sites):
    sys.exit(f"{sys.argv[2]} has to have 1 to {top} lines of five columns with tabs between them")
text = "".join(line + "\n" for line in sites).encode()
tensors += [("w0.output.bias", "F32", [len(sites)], bytes(4 * len(sites))), ("w0.sites", "U8", [len(text)], text)]

body = dict(body="convolutional", unit=unit, lowest=lowest, depth=2 * stages, noise=noise, slope=SLOPE)
about = dict(format="haploom-model", version=[1, 0], kind="wgan", windows=1, haploom="import_wgan.py", seed=0, options="",
             haplotypes=HAPLOTYPES, panel_sha256="", updates=0, metrics=[], log=[], generator=body, components=0,
             genotypes=False, drawn=False, sharpness=1.0, labels=[], encoder=False)
header, at = {"__metadata__": {"haploom": json.dumps(about)}}, 0
for name, dtype, shape, values in tensors:
    header[name] = dict(dtype=dtype, shape=shape, data_offsets=[at, at := at + len(values)])
head = json.dumps(header).encode()
head += b" " * (-len(head) % 8)
with open(sys.argv[3], "wb") as file:
    file.write(struct.pack("<Q", len(head)) + head + b"".join(values for *_, values in tensors))
print(f"{sys.argv[3]}: {len(sites)} sites, {top - len(sites)} of padding; {lowest} to {top} positions, unit {unit}, noise {noise}")
