#!/usr/bin/env python3
"""Compiles the kernels of this folder to PTX, which is checked in, and checks what becomes of it on each GPU.

    compile.py                      writes ptx/NAME.FAMILY.ptx of each NAME.cu, and removes others (`make ptx`)
    compile.py --check              compares ptx/ with what the sources give
    compile.py --assemble DIR       assembles ptx/ for every GPU of its family into DIR/NAME.FAMILY.GPU.cubin, and
                                    compares what each kernel takes with bounds.json, and what warps ask for by
                                    setmaxnreg with what their block has
    compile.py --disassemble DIR    disassembles those into DIR/NAME.FAMILY.GPU.sass, and looks for the instructions
                                    that the sources promise
    compile.py --bounds             writes bounds.json anew, of what kernels take now: look at the difference

A source says two things in comments. `// families: sm_80 sm_90a` names the families it is compiled for (sm_80 alone when
there is no such line), and `// instructions: affine_ sm_80=IMMA sm_90a=IGMMA,UBLKCP` the instructions which each kernel
whose name begins with `affine_` holds in that family.

In bounds.json a kernel has its registers a thread, the bytes that it spills (stored and loaded), its bytes of static
shared memory, and bytes of stack if it has one: the most over the GPUs of a family.

Exit status: 0 fine, 1 something is wrong (all of it is printed), 2 usage, 3 without the wheels of requirements.txt.
"""

import argparse
import concurrent.futures
import ctypes
import importlib.metadata
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# What NVRTC compiles for, and the GPUs that its PTX is assembled for. PTX of an `a` family runs on that GPU alone.
FAMILIES = {
    "sm_80": ("compute_80", ["sm_80", "sm_86", "sm_89", "sm_90"]),
    "sm_90a": ("compute_90a", ["sm_90a"]),
}
# Multiplications and additions are not fused: the processor's are not.
OPTIONS = ["--std=c++17", "--fmad=false"]
BOUNDED = ["registers", "spills", "shared", "stack"]


class Wrong(Exception):
    """What is wrong, a problem a line."""

    def __init__(self, *problems):
        super().__init__("\n".join(problems))


class NoTool(Exception):
    """A wheel is not there, or is another version."""


def shown(path):
    return os.path.relpath(path)


def tool(wheel, path):
    """The file `path` of a wheel in the version that requirements.txt pins."""
    pinned = re.search(rf"^{wheel}==([^\s;]+)", (HERE / "requirements.txt").read_text(), re.MULTILINE).group(1)
    install = f"pip install -r {shown(HERE / 'requirements.txt')}"
    try:
        found = importlib.metadata.distribution(wheel)
    except importlib.metadata.PackageNotFoundError:
        raise NoTool(f"{sys.executable} has no {wheel}=={pinned}: {install}") from None
    if found.version != pinned:
        raise NoTool(f"{sys.executable} has {wheel} {found.version}, not {pinned}: {install}")
    at = pathlib.Path(found.locate_file(path))
    if not at.exists():
        raise NoTool(f"{at} is not there: {install} --force-reinstall")
    return at


def strings(items):
    """An array of C strings."""
    return (ctypes.c_char_p * len(items))(*items)


def in_parallel(function, jobs):
    """What `function` gives for each job, in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda job: function(*job), jobs))


class Source:
    """A .cu file and what its comments say."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.families = ["sm_80"]
        self.instructions = []  # (first letters of kernels' names, family, instructions)
        for number, line in enumerate(self.text.splitlines(), 1):
            said = re.match(r"//\s*(families|instructions):(.*)", line)
            if not said:
                continue
            words = said.group(2).split()
            if said.group(1) == "families":
                if not words or set(words) - set(FAMILIES):
                    raise Wrong(f"{shown(path)}:{number}: families are {' and '.join(FAMILIES)}")
                self.families = sorted(set(words))
                continue
            if len(words) < 2 or not all(re.fullmatch(r"\w+=\w+(,\w+)*", word) for word in words[1:]):
                raise Wrong(f"{shown(path)}:{number}: not `instructions: KERNEL_PREFIX FAMILY=INSTRUCTION[,...] ...`")
            for word in words[1:]:
                family, wanted = word.split("=")
                self.instructions.append((words[0], family, wanted.split(",")))
        for _, family, _ in self.instructions:
            if family not in self.families:
                raise Wrong(f"{shown(path)}: it promises instructions of {family}, for which it is not compiled")

    def ptx(self, folder):
        """The path of each family's PTX."""
        return {family: folder / f"{self.path.stem}.{family}.ptx" for family in self.families}


class Nvrtc:
    """NVIDIA's runtime compiler, which needs no GPU and no other compiler."""

    def __init__(self):
        # The library loads its companion, libnvrtc-builtins, from its own folder.
        self.library = ctypes.CDLL(str(tool("nvidia-cuda-nvrtc-cu12", "nvidia/cuda_nvrtc/lib/libnvrtc.so.12")))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def call(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        if status != 0:
            raise Wrong(f"{name}: {self.library.nvrtcGetErrorString(status).decode()}")

    def text(self, what, program):
        """A text that the program has: its log, or its PTX."""
        size = ctypes.c_size_t()
        self.call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        self.call(f"nvrtcGet{what}", program, text)
        return text.value.decode()

    def compile(self, source, family):
        """The PTX of a source. Its headers are handed over by name, so that no folder's name gets into the PTX."""
        folder = source.path.parent
        headers = sorted(folder.glob("*.cuh"))
        contents = strings([header.read_bytes() for header in headers])
        names = strings([header.name.encode() for header in headers])
        program = ctypes.c_void_p()
        text, name = source.text.encode(), source.path.name.encode()
        self.call("nvrtcCreateProgram", ctypes.byref(program), text, name, len(headers), contents, names)
        options = [f"--gpu-architecture={FAMILIES[family][0]}", *OPTIONS]
        options = strings([option.encode() for option in options])
        status = self.library.nvrtcCompileProgram(program, len(options), options)
        log = self.text("ProgramLog", program).strip()
        # "affine.cu(12): error: ..." as "cuda/affine.cu:12: error: ...".
        log = re.sub(r"^([\w.]+)\((\d+)\):", lambda at: f"{shown(folder / at[1])}:{at[2]}:", log, flags=re.MULTILINE)
        if status != 0 or log:
            said = log or self.library.nvrtcGetErrorString(status).decode()
            raise Wrong(f"{shown(source.path)} for {family}:", said)
        ptx = self.text("PTX", program).rstrip() + "\n"
        self.call("nvrtcDestroyProgram", ctypes.byref(program))
        if re.search(r"^\s*\.(file|loc)\b", ptx, re.MULTILINE) or str(folder.resolve()) in ptx:
            raise Wrong(f"{shown(source.path)} for {family}: its PTX names files of this machine")
        return ptx


def compiled(sources, output):
    """The PTX of all sources by the path it belongs in."""
    nvrtc = Nvrtc()
    texts, problems = {}, []
    for source in sources:
        for family, path in source.ptx(output).items():
            try:
                texts[path] = nvrtc.compile(source, family)
            except Wrong as wrong:
                problems.append(str(wrong))
    if problems:
        raise Wrong(*problems)
    return texts


def write(path, text):
    """Writes a file at once, if it differs."""
    if path.exists() and path.read_text() == text:
        return
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text)
    temporary.replace(path)
    print(f"wrote {shown(path)}")


def write_ptx(sources, output):
    texts = compiled(sources, output)
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(set(output.glob("*.ptx")) - set(texts)):
        path.unlink()
        print(f"removed {shown(path)}")
    for path, text in texts.items():
        write(path, text)


def check(sources, output):
    texts = compiled(sources, output)
    problems = [f"{shown(path)}: no source makes it" for path in sorted(set(output.glob("*.ptx")) - set(texts))]
    for path, text in texts.items():
        if not path.exists():
            problems.append(f"{shown(path)}: not there")
            continue
        pairs = itertools.zip_longest(path.read_text().splitlines(), text.splitlines(), fillvalue="(end of file)")
        different = next(((number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]), None)
        if different:
            number, (there, made) = different
            problems.append(f"{shown(path)}:{number}: checked in is `{there.strip()}`, compiled is `{made.strip()}`")
    if problems:
        raise Wrong(*problems, f"{shown(output)} is not what the sources give: run make ptx")


def jobs(sources, output, folder):
    """(source, family, GPU, PTX, cubin) for each thing to assemble."""
    return [
        (source, family, gpu, ptx, folder / f"{source.path.stem}.{family}.{gpu}.cubin")
        for source in sources
        for family, ptx in source.ptx(output).items()
        for gpu in FAMILIES[family][1]
    ]


def taken(said, where):
    """What kernels take, from what `ptxas -v` says of them; any other line that it prints is a problem."""
    kernels, kernel, problems = {}, None, []
    for line in said.splitlines():
        said_of = re.sub(r"^ptxas info\s*: ", "", line)
        if entry := re.match(r"Compiling entry function '(\w+)' for", said_of):
            kernel = kernels[entry[1]] = dict.fromkeys(BOUNDED, 0)
        elif spill := re.match(r"\s*(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill l", said_of):
            # Of the kernel, then of functions that it calls.
            if kernel is not None:
                kernel["stack"] += int(spill[1])
                kernel["spills"] += int(spill[2]) + int(spill[3])
        elif used := re.match(r"Used (\d+) registers", said_of):
            kernel["registers"] = int(used[1])
            shared = re.search(r"(\d+) bytes smem", said_of)
            kernel["shared"] = int(shared[1]) if shared else 0
        elif not re.match(r"Function properties for |\d+ bytes gmem|\s*$", said_of):
            problems.append(f"{where}: {line}")
    return kernels, problems


def pools(text, kernels, where):
    """Problems of kernels whose warps exchange registers (`setmaxnreg`): what they ask for is not more than what all threads
    of a block were given at the start. Warps that ask for more wait for ever. The last 128 threads give, the others take."""
    problems = []
    for entry in re.split(r"(?=\.entry )", text)[1:]:
        name = re.match(r"\.entry (\w+)", entry)[1]
        asked = {way: int(n) for way, n in re.findall(r"setmaxnreg\.(inc|dec)\.sync\.aligned\.u32 (\d+)", entry)}
        threads = re.search(r"\.maxntid (\d+)", entry)
        if not asked:
            continue
        if not threads or set(asked) != {"inc", "dec"}:
            problems.append(f"{where}: {name}: setmaxnreg takes or gives alone, or there are no launch bounds")
            continue
        threads = int(threads[1])
        given = threads * (kernels[name]["registers"] + 7 & ~7)
        wanted = (threads - 128) * asked["inc"] + 128 * asked["dec"]
        if wanted > given:
            problems.append(f"{where}: {name}: {wanted} registers are asked for (setmaxnreg), and {given} are there")
    return problems


def assembled(sources, output, folder):
    """Assembles everything into the folder. What kernels take: (PTX's name, GPU, {kernel: {what: number}})."""
    ptxas = tool("nvidia-cuda-nvcc-cu12", "nvidia/cuda_nvcc/bin/ptxas")
    folder.mkdir(parents=True, exist_ok=True)

    def assemble(_, __, gpu, ptx, cubin):
        if not ptx.exists():
            return None, [f"{shown(ptx)}: not there: run make ptx"]
        cubin.unlink(missing_ok=True)
        command = [ptxas, "-v", "--gpu-name", gpu, ptx, "--output-file", cubin]
        done = subprocess.run(command, capture_output=True, text=True)
        said = done.stdout + done.stderr
        if done.returncode != 0:
            return None, [f"{shown(ptx)} for {gpu}: ptxas: {line}" for line in said.splitlines() or ["failed"]]
        kernels, problems = taken(said, f"{shown(ptx)} for {gpu}")
        problems += pools(ptx.read_text(), kernels, f"{shown(ptx)} for {gpu}")
        return (ptx.stem, gpu, kernels), problems

    results, problems = [], []
    for result, its_problems in in_parallel(assemble, jobs(sources, output, folder)):
        results.append(result)
        problems += its_problems
    if problems:
        raise Wrong(*dict.fromkeys(problems))
    return results


def assemble(sources, output, folder, bounds_path):
    results = assembled(sources, output, folder)
    bounds = json.loads(bounds_path.read_text()) if bounds_path.exists() else {}
    problems = []
    for name, gpu, kernels in results:
        for kernel, takes in kernels.items():
            bound = bounds.get(name, {}).get(kernel)
            if bound is None:
                problem = f"{shown(bounds_path)}: no line for {name} {kernel}"
                if problem not in problems:
                    problems.append(problem)
                continue
            for what, number in takes.items():
                if number > bound.get(what, 0):
                    problems.append(f"{name} {kernel} on {gpu}: {number} {what}, bound {bound.get(what, 0)}")
    there = {(name, kernel) for name, _, kernels in results for kernel in kernels}
    for name, kernels in bounds.items():
        for kernel in kernels:
            if (name, kernel) not in there:
                problems.append(f"{shown(bounds_path)}: there is no kernel {name} {kernel}")
    if problems:
        raise Wrong(*problems, f"fix the kernel, or take new bounds: {shown(HERE / 'compile.py')} --bounds")


def write_bounds(sources, output, bounds_path):
    most = {}
    with tempfile.TemporaryDirectory() as folder:
        results = assembled(sources, output, pathlib.Path(folder))
    for name, _, kernels in results:
        for kernel, takes in kernels.items():
            before = most.setdefault(name, {}).setdefault(kernel, dict.fromkeys(BOUNDED, 0))
            for what, number in takes.items():
                before[what] = max(before[what], number)
    names = []
    for name in sorted(most):
        lines = []
        for kernel, takes in sorted(most[name].items()):
            # Registers are handed out by eights.
            bound = {**takes, "registers": -(-takes["registers"] // 8) * 8}
            if bound["stack"] == 0:
                del bound["stack"]
            lines.append(f"    {json.dumps(kernel)}: {json.dumps(bound)}")
            if takes["spills"] > 0 or takes["stack"] > 0:
                print(f"look at {name} {kernel}: it spills {takes['spills']} bytes, and has {takes['stack']} of stack")
        names.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n  }")
    write(bounds_path, "{\n" + ",\n".join(names) + "\n}\n")


def instructions(sass):
    """The instructions of each kernel, by name up to the first dot: IMMA of IMMA.16832.U8.S8."""
    kernels, kernel = {}, set()
    for line in sass.splitlines():
        if section := re.match(r"\s*\.section\s+\.text\.(\w+)", line):
            kernel = kernels[section[1]] = set()
        elif re.match(r"\s*\.section\s", line):
            kernel = set()
        elif instruction := re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?\w+\s+)?([A-Z]\w*)", line):
            kernel.add(instruction[1])
    return kernels


def disassemble(sources, output, folder):
    nvdisasm = tool("nvidia-cuda-nvdisasm", "nvidia/cu13/bin/nvdisasm")

    def disassembled(source, family, gpu, _, cubin):
        if not cubin.exists():
            return [f"{shown(cubin)}: not there: --assemble first"]
        done = subprocess.run([nvdisasm, cubin], capture_output=True, text=True)
        if done.returncode != 0:
            return [f"{shown(cubin)}: nvdisasm: {(done.stderr + done.stdout).strip()}"]
        cubin.with_suffix(".sass").write_text(done.stdout)
        kernels = instructions(done.stdout)
        problems = []
        for prefix, its_family, wanted in source.instructions:
            if its_family != family:
                continue
            promised = [kernel for kernel in kernels if kernel.startswith(prefix)]
            if not promised:
                problems.append(f"{shown(source.path)}: no kernel's name begins with {prefix} in {family}")
            for kernel in promised:
                for instruction in wanted:
                    if instruction not in kernels[kernel]:
                        problems.append(f"{shown(source.path)}: {kernel} has no {instruction} on {gpu} ({family})")
        return problems

    problems = [problem for found in in_parallel(disassembled, jobs(sources, output, folder)) for problem in found]
    if problems:
        raise Wrong(*problems)


def main():
    parser = argparse.ArgumentParser(description="Compiles the CUDA kernels to PTX and checks them.")
    parser.add_argument("--source", type=pathlib.Path, default=HERE, help="the folder of .cu and .cuh files")
    parser.add_argument("--output", type=pathlib.Path, help="the folder of PTX (SOURCE/ptx)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compares the PTX with what the sources give")
    mode.add_argument("--assemble", type=pathlib.Path, metavar="DIR", help="assembles for each GPU and checks bounds")
    mode.add_argument("--disassemble", type=pathlib.Path, metavar="DIR", help="checks the instructions of those")
    mode.add_argument("--bounds", action="store_true", help="writes SOURCE/bounds.json anew")
    arguments = parser.parse_args()
    output = arguments.output or arguments.source / "ptx"
    bounds = arguments.source / "bounds.json"
    try:
        sources = [Source(path) for path in sorted(arguments.source.glob("*.cu"))]
        if not sources:
            raise Wrong(f"{shown(arguments.source)} has no .cu file")
        if arguments.check:
            check(sources, output)
        elif arguments.assemble:
            assemble(sources, output, arguments.assemble, bounds)
        elif arguments.disassemble:
            disassemble(sources, output, arguments.disassemble)
        elif arguments.bounds:
            write_bounds(sources, output, bounds)
        else:
            write_ptx(sources, output)
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
    except NoTool as missing:
        print(missing, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
