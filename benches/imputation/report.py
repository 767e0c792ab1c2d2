"""The tables of the measurement, as Markdown, from the JSON lines that the other scripts wrote.

    report.py LINES

Of results that were measured more than once, times are medians and everything else is the last.
"""

import json
import statistics
import sys

lines = [json.loads(line) for line in open(sys.argv[1])]
PANEL_TOOLS = ["beagle", "beagle-ne20000", "minimac4", "minimac4-no-map", "haploom"]
NAMES = {
    "beagle": "Beagle",
    "beagle-ne20000": "Beagle, `em=false ne=20000`",
    "minimac4": "minimac4, map",
    "minimac4-no-map": "minimac4, no map",
    "haploom": "Haploom, panel",
    "haploom-both": "Haploom, panel and model",
}


def select(**wanted):
    return [line for line in lines if all(line.get(key) == value for key, value in wanted.items())]


def unique(values):
    return list(dict.fromkeys(values))


def row(*cells):
    print("| " + " | ".join(cells) + " |")


def head(*cells):
    row(*cells)
    row(*["---"] * len(cells))


def digits(x, places=3):
    """.707, as the tables of benches/RESULTS.md have it."""
    text = f"{x:.{places}f}"
    return text.replace("0.", ".", 1) if abs(x) < 1 else text


def spread(values, places=3, scale=1):
    """Mean and standard deviation."""
    values = [value * scale for value in values]
    mean = digits(statistics.mean(values), places)
    return f"{mean} ± {digits(statistics.stdev(values), places)}" if len(values) > 1 else mean


def bins_of(result):
    edges, sites = result["bins"], result["bin_sites"]
    return [f"{low:g}-{high:g} ({n:,})" for low, high, n in zip(edges, edges[1:], sites)]


def times(method, threads, key="seconds"):
    return [line[key] for line in select(kind="time", table="a", method=method, threads=threads)]


def median(values, places=1):
    return f"{statistics.median(values):.{places}f}" if values else ""


def to_minimac4(method, threads):
    """Wall time over that of minimac4 in the same round."""
    pairs = zip(times(method, threads), times("minimac4", threads)) if method in PANEL_TOOLS else []
    return median([own / peer for own, peer in pairs], 2)


def peak(method):
    peaks = [line["peak_mib"] for line in select(kind="time", table="a", method=method)]
    return f"{max(peaks):.0f}" if peaks else ""


def all_people():
    scores = {line["method"]: line for line in select(kind="score", table="a")}
    if not scores:
        return
    some = next(iter(scores.values()))
    print(f"### (a) All 501 held-out people, {some['sites']:,} masked sites\n")
    print("r2 by minor allele frequency in the reference, with the number of sites.\n")
    head("", "per site", "pooled", *bins_of(some))
    for method, score in scores.items():
        cells = [digits(r2) for r2 in score["bin_r2"]]
        row(NAMES.get(method, f"Haploom, model alone: {method}"), digits(score["r2"]), digits(score["pooled"]), *cells)
    print("\nMedians; the ratio is that of wall times in the same round.\n")
    columns = [f"{what}, {n} thread{'s' * (n > 1)}" for n in (1, 2) for what in ("wall s", "/ minimac4 with map", "processor s")]
    head("", *columns, "peak MiB", "model file, MB", "training, s")
    made = {"bref3": "making Beagle's reference", "msav": "making minimac4's reference"}
    for method in unique(line["method"] for line in select(kind="time", table="a")):
        if method.startswith("train-"):
            continue
        cells = []
        for threads in ("1", "2"):
            cells += [median(times(method, threads)), to_minimac4(method, threads)]
            cells += [median(times(method, threads, "processor_seconds"))]
        sizes = [line["bytes"] for line in select(kind="time", table="a", method=method) if "bytes" in line]
        name = NAMES.get(method) or made.get(method) or f"Haploom, model alone: {method}"
        row(
            name,
            *cells,
            peak(method),
            f"{int(sizes[-1]) / 1e6:.1f}" if sizes else "",
            median([line["seconds"] for line in select(kind="time", table="a", method=f"train-{method}")]),
        )
    print()


def cohort_scores(method, tool):
    """The last score of each seed."""
    found = {line["seed"]: line for line in select(kind="score", table="b", method=method, tool=tool)}
    return [found[seed] for seed in sorted(found)]


def gains(method, tool):
    """What of the real private people's gain comes back, of 1, by seed; both together against the panel alone."""
    base = tool.replace("haploom-both", "haploom")
    public, real = cohort_scores("public", base), cohort_scores("real", base)
    if not (public and real):
        return []
    low, high = public[0]["r2"], real[0]["r2"]
    return [(score["r2"] - low) / (high - low) for score in cohort_scores(method, tool)]


def in_order(results):
    """Their methods, best first, by Beagle."""
    worth = lambda method: statistics.mean([score["r2"] for score in cohort_scores(method, "beagle")] or [0])
    return sorted(unique(line["method"] for line in results), key=worth, reverse=True)


def private_cohort():
    methods = in_order(select(kind="score", table="b"))
    if not methods:
        return
    tools = [tool for tool in [*PANEL_TOOLS, "haploom-both"] if select(kind="score", table="b", tool=tool)]
    print("### (b) A cohort that cannot be shared: the 95 held-out Europeans\n")
    print("r2 per site, and gain recovered in % of what the real private Europeans add with the same tool; mean of seeds ± SD.\n")
    head("added to the public panel", *[NAMES[tool] for tool in tools])
    for method in methods:
        cells = []
        for tool in tools:
            scores = cohort_scores(method, tool)
            gain = "" if method in ("public", "real") or not scores else f" ({spread(gains(method, tool), 0, 100)}%)"
            cells.append(spread([score["r2"] for score in scores], 4) + gain if scores else "")
        row(method, *cells)
    print("\nThe same, pooled.\n")
    head("added to the public panel", *[NAMES[tool] for tool in tools])
    for method in methods:
        found = [cohort_scores(method, tool) for tool in tools]
        row(method, *[spread([score["pooled"] for score in scores], 4) if scores else "" for scores in found])
    frontier()
    for tool in tools:
        print(f"\n{NAMES[tool]}: r2 by minor allele frequency in the whole reference, mean of seeds.\n")
        some = next(line for line in select(kind="score", table="b", tool=tool))
        head("added to the public panel", *bins_of(some))
        for method in methods:
            scores = cohort_scores(method, tool)
            if scores:
                row(method, *[digits(statistics.mean(column), 4) for column in zip(*[score["bin_r2"] for score in scores])])
    print()


def frontier():
    """Each artificial panel: what it is worth, and what it tells."""
    judged = select(kind="leakage", table="b")
    if not judged:
        return
    print("\nWhat each artificial panel is worth to Beagle, what it tells of the private people, and how true it is: mean of")
    print("seeds ± SD; privacy loss ± standard error over the seeds, each the mean of 20 draws.\n")
    head(
        "",
        "gain recovered, %",
        "privacy loss",
        "nearest-neighbour AUC",
        "longest-run AUC",
        "AUC by absent alleles",
        "AA truth / syn",
        "LD decay MAE",
        "pairwise W1",
    )
    for method in in_order(judged):
        leaks = {line["seed"]: line for line in select(kind="leakage", table="b", method=method)}
        leaks = [leaks[seed] for seed in sorted(leaks)]
        of = lambda key: [leak[key] for leak in leaks]
        measured = lambda key: [leak["evaluation"][key] for leak in leaks if leak.get("evaluation", {}).get(key) is not None]
        maybe = lambda values, places: spread(values, places) if values else ""
        losses = of("privacy_loss")
        error = f" ± {digits(statistics.stdev(losses) / len(losses) ** 0.5)}" if len(losses) > 1 else ""
        row(
            method,
            maybe([100 * gain for gain in gains(method, "beagle")], 0),
            digits(statistics.mean(losses)) + error,
            spread(of("nearest_auc")),
            spread(of("longest_run_auc")),
            spread(of("alleles_auc")),
            f"{digits(statistics.mean(of('aa_truth')), 2)} / {digits(statistics.mean(of('aa_syn')), 2)}",
            maybe(measured("ld_decay_mae"), 4),
            maybe(measured("pairwise_w1_within"), 1),
        )


    floor = judged[-1].get("floor", {})
    if floor:
        aa = f"{digits(floor['aa_truth'], 2)} / {digits(floor['aa_syn'], 2)}"
        row("held-out people (floor)", "", "0", ".5", ".5", ".5", aa, digits(floor["ld_decay_mae"], 4), digits(floor["pairwise_w1_within"], 1))


def worthless_models():
    """(c) With the weight of artificial haplotypes estimated, no bin falls below the panel alone."""
    public = cohort_scores("public", "haploom")
    methods = in_order(select(kind="score", table="b", tool="haploom-both"))
    if not (public and methods):
        return
    print("### (c) The weight of artificial haplotypes\n")
    print("Haploom from the public panel and a model: r2 by bin less that of the panel alone; the lowest of the seeds.\n")
    head("model", "per site", *bins_of(public[0]))
    for method in methods:
        scores = cohort_scores(method, "haploom-both")
        lowest = lambda values: f"{min(values):+.4f}"
        bins = zip(*[score["bin_r2"] for score in scores])
        cells = [lowest([r2 - alone for r2 in values]) for values, alone in zip(bins, public[0]["bin_r2"])]
        row(f"{method} ({len(scores)} seeds)", lowest([score["r2"] - public[0]["r2"] for score in scores]), *cells)
    print()


all_people()
private_cohort()
worthless_models()
