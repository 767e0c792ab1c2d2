"""What artificial haplotypes tell of those they were learned from, appended to a file of JSON lines.

    leakage.py LINES KEY=VALUE ... -- TRAINING ARTIFICIAL HELD_OUT [EVALUATION]

The panels are VCF or BCF files, with the two haplotypes of a person side by side. EVALUATION is the JSON file of
`haploom evaluate TRAINING ARTIFICIAL --test HELD_OUT`: its numbers are taken over, and where it has those computed here,
from their definitions and without its code, they have to agree.

nearest_auc: a person's score is minus the Hamming distance from one of its haplotypes to the nearest artificial one;
longest_run_auc: the longest stretch of sites on which one of its haplotypes equals an artificial one. Either is the
probability that a training person scores higher than a held-out one, ties counting half. alleles_auc: the same of an attack
that looks at nothing but which alleles there are: minus the number of alleles of a person that no artificial haplotype
has (Shringarpure & Bustamante 2015 ask beacons so). privacy_loss: AATS(held out,
artificial) - AATS(training, artificial), over 20 draws of as many training and artificial haplotypes as are held out.
"""

import json
import subprocess
import sys

import numpy as np

DRAWS = 20


def haplotypes(file):
    """A row a haplotype, a column a site."""
    lines = subprocess.run(["bcftools", "query", "-f", "[%GT|]\n", file], check=True, stdout=subprocess.PIPE).stdout
    alleles = np.frombuffer(lines.replace(b"|", b"").replace(b"\n", b""), dtype=np.uint8) - ord("0")
    return np.ascontiguousarray(alleles.reshape(lines.count(b"\n"), -1).T)


def distances(x, y):
    """Sites at which each row of x differs from each row of y."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    return x.sum(1)[:, None] + y.sum(1)[None] - 2 * (x @ y.T)


def longest_runs(people, artificial):
    """For each haplotype the longest stretch of sites on which it equals an artificial one."""
    longest = []
    edges = np.ones((len(artificial), 1), dtype=bool)
    for haplotype in people:
        # Runs end where alleles differ, and at both ends of the sites.
        differ = np.hstack([edges, artificial != haplotype, edges])
        longest.append(np.diff(np.flatnonzero(differ)).max() - 1)
    return np.array(longest)


def of_people(scores):
    """The higher score of a person's two haplotypes."""
    return scores.reshape(-1, 2).max(1)


def auc(members, others):
    wins = (members[:, None] > others[None]).mean()
    return wins + (members[:, None] == others[None]).mean() / 2


def present(people, artificial):
    """For each person minus the number of its alleles that no artificial haplotype has."""
    counts = artificial.sum(0, dtype=int)
    absent = ((people == 1) & (counts == 0)) | ((people == 0) & (counts == len(artificial)))
    return -absent.sum(1).reshape(-1, 2).sum(1)


def aats(between, within_real, within_artificial):
    """Adversarial accuracy: the real and the artificial half."""

    def nearest_other(d):
        d = d.copy()
        np.fill_diagonal(d, np.inf)
        return d.min(1)

    real = (between.min(1) > nearest_other(within_real)).mean()
    artificial = (between.min(0) > nearest_other(within_artificial)).mean()
    return np.array([real, artificial])


def leakage(training_file, artificial_file, held_out_file):
    t, s, e = map(haplotypes, [training_file, artificial_file, held_out_file])
    ts, es, tt, ss, ee = distances(t, s), distances(e, s), distances(t, t), distances(s, s), distances(e, e)
    draws = np.random.default_rng(1)
    losses, n = [], len(e)
    for _ in range(DRAWS):
        a, b = (draws.choice(len(x), n, replace=False) for x in (t, s))
        held_out = aats(es[:, b], ee, ss[np.ix_(b, b)])
        trained = aats(ts[np.ix_(a, b)], tt[np.ix_(a, a)], ss[np.ix_(b, b)])
        losses.append(held_out.mean() - trained.mean())
    n = min(len(t), len(s))
    aa = aats(ts[:n, :n], tt[:n, :n], ss[:n, :n])
    return {
        "aa_truth": aa[0],
        "aa_syn": aa[1],
        "privacy_loss": np.mean(losses),
        "privacy_loss_sd": np.std(losses, ddof=1),
        "nearest_auc": auc(of_people(-ts.min(1)), of_people(-es.min(1))),
        "alleles_auc": auc(present(t, s), present(e, s)),
        "longest_run_auc": auc(of_people(longest_runs(t, s)), of_people(longest_runs(e, s))),
    }


if __name__ == "__main__":
    lines, *rest = sys.argv[1:]
    cut = rest.index("--")
    files = rest[cut + 1 :]
    result = {"kind": "leakage"} | dict(pair.split("=", 1) for pair in rest[:cut]) | leakage(*files[:3])
    if len(files) > 3:
        evaluation = json.load(open(files[3]))["measures"]
        measures = {name: measure["value"] for name, measure in evaluation.items()}
        for name in ["nearest_auc", "longest_run_auc", "alleles_auc"]:
            if abs(measures.get(name, result[name]) - result[name]) > 1e-9:
                sys.exit(f"{files[1]}: {name} is {measures[name]} by haploom evaluate and {result[name]} by definition")
        result["evaluation"] = measures
        result["floor"] = {name: measure.get("floor") for name, measure in evaluation.items()}
    with open(lines, "a") as out:
        print(json.dumps(result), file=out)
