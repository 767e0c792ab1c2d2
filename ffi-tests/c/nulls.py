#!/usr/bin/env python3
"""Writes a C program that calls every function of a header with NULL in every place of a pointer: nulls.py HEADER

For each function: once as it should be, which has to succeed; once for each pointer with that one NULL; and once with all
NULL. What NULL gives is what the manual of the function says: it may be NULL, or the answer is INVALID_ARGUMENT (0, NULL
or NaN where the function answers with a value). `*out` becomes NULL. A new function is taken in by itself; where it has a
parameter of a new name, this script asks for a value for it.
"""

import re
import sys

HEADER = open(sys.argv[1]).read()

# What a parameter gets where nothing is wrong with it: by function and name, by name, by type. Variables and files
# are those of nulls.h.
VALUES = {
    "haploom_augment.output": '"augmented.bcf"',
    "haploom_evaluate.options": "quick_evaluation",
    "haploom_imputer_impute.alleles": "typed_alleles",
    "haploom_imputer_impute.stride": "2",
    "haploom_imputer_impute_file.output": '"imputed.vcf"',
    "haploom_imputer_paint_file.output": '"painting.tsv"',
    "haploom_model_open.path": '"model.haploom"',
    "haploom_model_save.path": '"saved.haploom"',
    "haploom_panel_write.path": '"written.vcf"',
    "haploom_sampler_write.path": '"sampled.vcf"',
    "haploom_samples_find.name": '"AFR001"',
    "haploom_evaluation_get.name": '"aa_truth"',
    "haploom_options_set_string.value": '"3"',
    "haploom_model_conditionals.n": "haploom_panel_haplotypes(a_panel) * haploom_sites_count(haploom_panel_sites(a_panel))",
    "haploom_panel_open_bytes.bytes": "file_bytes",
    "haploom_panel_open_bytes.size": "file_size",
    "haploom_panel_open_bytes.name": '"panel.bcf"',
    "haploom_panel_append.other": "other_panel",
    "haploom_panel_from_bytes.sites": "a_sites",
    "haploom_panel_from_bytes.samples": "NULL",
    "haploom_panel_from_bits.sites": "a_sites",
    "haploom_panel_from_bits.samples": "NULL",
    "haploom_panel_from_bits.bits": "bytes",
    "haploom_model_from_bytes.bytes": "model_bytes",
    "haploom_model_from_bytes.size": "model_size",
    "haploom_panel_frequencies.n": "haploom_sites_count(haploom_panel_sites(a_panel))",
    "haploom_panel_to_bits.stride": "1",
    "haploom_panel_from_bits.stride": "1",
    "haploom_panel_from_bytes.haplotype_stride": "2",
    "haploom_panel_to_bytes.haplotype_stride": "2",
    "haploom_panel_with_samples.samples": "all_samples",
    "haploom_sites_new.n": "2",
    "haploom_samples_new.n": "2",
    "haploom_sampler_seek.i": "0",
    "haploom_sampler_buffer_size.haplotypes": "10",
    "haploom_sampler_fill.stride": "0",
    "haploom_options_set_progress.progress": "go_on",
    "haploom_options_set_double.value": "3",
    "haploom_options_set_int.value": "3",
    "haploom_status_name.status": "0",
    "alleles": "bytes",
    "alternate": '"C"',
    "alternates": "alternates",
    "assignments": '"epochs=3"',
    "buffer": "(void *)buffer",
    "bytes": "bytes",
    "capacity": "sizeof buffer",
    "contig": '"1"',
    "contigs": "contigs",
    "dosages": "dosages",
    "first_haplotype": "0",
    "first_site": "0",
    "frequencies": "frequencies",
    "haplotypes": "2",
    "i": "0",
    "ids": "names",
    "input": '"panel.bcf"',
    "key": '"epochs"',
    "kind": '"bernoulli"',
    "labels": "names",
    "layout": "HAPLOOM_HAPLOTYPE_MAJOR",
    "left_out": "left_out",
    "names": "names",
    "part": "HAPLOOM_DEMO_HELD_OUT",
    "path": '"panel.bcf"',
    "ploidy": "ploidy",
    "position": "10",
    "positions": "positions",
    "probabilities": "probabilities",
    "reference": '"A"',
    "references": "references",
    "site_stride": "1",
    "sites": "2",
    "size": "sizeof buffer",
    "target": '"panel.bcf"',
    "typed": "typed",
    "typed_count": "2",
    "user": "&calls",
}

# Places for more than one number.
ARRAYS = {"buffer", "frequencies", "probabilities"}

# Where the manual says by another's manual, or in other words, that a pointer may be NULL.
ALLOWED = {
    "haploom_panel_from_bytes": {"samples"},
    "haploom_panel_from_bits": {"samples"},
    "haploom_samples_new": {"ploidy", "labels"},
    "haploom_sites_new": {"ids"},
    "haploom_options_set_progress": {"progress", "user"},
    "haploom_options_set_cancel": {"cancel"},
    "haploom_options_get": {"buffer"},
    "haploom_model_to_bytes": {"needed"},
    "haploom_imputer_new": {"panel", "model"},
    "haploom_option_range": {"least", "greatest"},
}

POINTER = re.compile(r"\*|haploom_progress_fn")


def functions():
    """Name, type of the answer, parameters (type, name) and manual of each function."""
    inside = HEADER[HEADER.index('extern "C"') :]
    for manual, declaration in re.findall(r"/\*\*((?:[^*]|\*(?!/))*)\*/\s*([^/#;]*?haploom_\w+\s*\([^;{]*\));", inside):
        answer, name, arguments = re.fullmatch(r"(.*?)(haploom_\w+)\s*\((.*)\)", " ".join(declaration.split())).groups()
        parameters = []
        for argument in [] if arguments == "void" else arguments.split(","):
            kind, parameter = re.fullmatch(r"\s*(.*?)\s*(\w+)\s*", argument).groups()
            parameters.append((kind.replace(" *", "*"), parameter))
        yield name, answer.strip().replace(" *", "*"), parameters, " ".join(manual.replace("*", " ").split())


def is_out(kind):
    """A place for a new handle: `haploom_panel **`."""
    return re.fullmatch(r"haploom_\w+\*\*", kind) is not None


def allowed(name, kind, parameter, manual):
    """Whether the manual lets this pointer be NULL."""
    if parameter in ALLOWED.get(name, ()) or f"`{parameter}` (may be NULL)" in manual:
        return True
    if kind == "const haploom_options*" and not name.startswith("haploom_option"):
        return True  # "NULL stands for the defaults"
    if re.search(r"[Ee]ach output pointer may be NULL", manual):
        return not kind.startswith("const haploom_") and not (kind == "const char*" and parameter == "name")
    if "as haploom_last_error() does" in manual:
        return parameter == "buffer"
    return "NULL is fine" in manual


def value(name, kind, parameter):
    """The C expression of a parameter with which nothing is wrong."""
    if is_out(kind):
        return "(void *)&made"
    if f"{name}.{parameter}" in VALUES:
        return VALUES[f"{name}.{parameter}"]
    handle = re.fullmatch(r"(const )?haploom_(\w+)\*", kind)
    if handle:
        return "changed_options" if kind == "haploom_options*" else f"a_{handle[2]}"
    if re.fullmatch(r"(const char\*|int32_t|uint64_t|uint8_t|size_t|double)\*", kind) and parameter not in ARRAYS:
        return f"(void *)&places[{sum(map(ord, parameter)) % 8}]"
    if parameter in VALUES:
        return VALUES[parameter]
    sys.exit(f"nulls.py: {name} has a parameter '{kind} {parameter}': say in VALUES what it gets")


def call(name, kinds, arguments, answer, null, ok):
    """A call and what it has to answer. `null` says what is NULL."""
    label = f'"{name}: {null}"'
    made = f"{name}({', '.join(arguments)})"
    print(f"    begin({label});")
    if answer == "void":
        print(f"    {made};\n    ends({label}, HAPLOOM_OK, HAPLOOM_OK);")
        return
    status = "HAPLOOM_OK" if ok else "HAPLOOM_INVALID_ARGUMENT"
    if answer == "haploom_status" and name != "haploom_last_status":
        print(f"    ends({label}, {made}, {status});")
        out = [kind for kind, argument in zip(kinds, arguments) if is_out(kind) and argument != "NULL"]
        if out:
            print(f"    CHECK({'made' if ok else '!made'} && made != &made, {label});")
            print(f"    haploom_{out[0][len('haploom_') : -2]}_free(made);")
        return
    otherwise = {"double": "isnan(answer)"}.get(answer, "answer == 0")
    if name in ("haploom_samples_find", "haploom_sites_find"):
        otherwise = "answer == SIZE_MAX"
    print(f"    {{\n        {answer} answer = {made};")
    print(f"        {'(void)answer' if ok else f'CHECK({otherwise}, {label})'};")
    print(f"        ends({label}, {status}, {status});\n    }}")


def main():
    tested = 0
    print('#include "nulls.h"\n')
    bodies = []
    for name, answer, parameters, manual in functions():
        bodies.append(name)
        kinds = [kind for kind, _ in parameters]
        pointers = [i for i, (kind, _) in enumerate(parameters) if POINTER.search(kind)]
        may = {i: allowed(name, *parameters[i], manual) for i in pointers}
        print(f"static void try_{name}(void) {{")
        good = [value(name, *parameter) for parameter in parameters]
        # What frees is tried with NULL alone; an event lives in a progress function, and its functions take nothing else.
        lonely = name.endswith("_free") or any("haploom_event" in kind for kind in kinds)
        if lonely and len(parameters) != 1:
            sys.exit(f"nulls.py: {name} takes more than its handle")
        if not lonely:
            call(name, kinds, good, answer, "as it should be", True)
        for i in pointers:
            arguments = good[:i] + ["NULL"] + good[i + 1 :]
            # A buffer that is NULL has no bytes where its size is asked for.
            if may[i] and parameters[i][1] == "buffer":
                arguments = ["0" if p[1] == "capacity" else a for p, a in zip(parameters, arguments)]
            call(name, kinds, arguments, answer, f"{parameters[i][1]} NULL", may[i])
            tested += 1
        if len(pointers) > 1:
            arguments = ["NULL" if i in pointers else a for i, a in enumerate(good)]
            call(name, kinds, arguments, answer, "all NULL", all(may.values()))
        print("}\n")
    print("int main(void) {\n    ready();")
    for name in bodies:
        print(f"    try_{name}();")
    print(f'    done();\n    printf("{len(bodies)} functions, {tested} pointers\\n");\n    return 0;\n}}')


main()
