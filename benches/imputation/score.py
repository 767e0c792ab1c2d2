"""r2 of imputed dosages on the sites that were masked, appended to a file of JSON lines.

    score.py LINES KEY=VALUE ... -- TRUTH IMPUTED ARRAY REFERENCE

TRUTH, IMPUTED and REFERENCE are VCF or BCF files, ARRAY lists the ids of the typed sites. r2 of a site is the squared
Pearson correlation of the dosage (DS) of people with their count of alternate alleles. Sites are dropped that are typed,
or monomorphic in TRUTH or in REFERENCE; a constant dosage counts as 0, and so does a site that IMPUTED lacks. Pooled: the
squared correlation over all people and sites at once. Bins are of the minor allele frequency in REFERENCE.
"""

import json
import subprocess
import sys

import numpy as np

BINS = [0, 0.001, 0.002, 0.005, 0.01, 0.05, 0.5]


def query(file, fields):
    """One line a site, by its name CHROM:POS:REF:ALT."""
    command = ["bcftools", "query", "-f", f"%CHROM:%POS:%REF:%ALT {fields}\n", file]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(line.split(" ", 1) for line in text.splitlines())


def counts(genotypes):
    """Alternate alleles of people, of a line of phased genotypes."""
    alleles = np.frombuffer(genotypes.replace(" ", "|").encode(), dtype=np.uint8)[::2] - ord("0")
    return alleles.reshape(-1, 2).sum(1)


def r2_of_sites(dosages, truth):
    x = dosages - dosages.mean(1, keepdims=True)
    y = truth - truth.mean(1, keepdims=True)
    xx, yy, xy = (x * x).sum(1), (y * y).sum(1), (x * y).sum(1)
    constant = np.ptp(dosages, axis=1) == 0
    return np.where(constant, 0, xy * xy / np.where(constant, 1, xx * yy))


def score(truth_file, imputed_file, array, reference_file):
    typed = set(open(array).read().split())
    truth, imputed = query(truth_file, "[%GT ]"), query(imputed_file, "[%DS ]")
    dosages, genotypes, maf = [], [], []
    for site, line in query(reference_file, "%ID %AC %AN").items():
        name, alternate, alleles = line.split()
        people = counts(truth[site].strip())
        frequency = int(alternate) / int(alleles)
        if name in typed or frequency in (0, 1) or np.ptp(people) == 0:
            continue
        constant = np.zeros(len(people))
        dosages.append(np.array(imputed[site].split(), dtype=float) if site in imputed else constant)
        genotypes.append(people)
        maf.append(min(frequency, 1 - frequency))
    dosages, genotypes = np.array(dosages), np.array(genotypes, dtype=float)
    r2 = r2_of_sites(dosages, genotypes)
    which = np.searchsorted(BINS, maf) - 1
    bins = range(len(BINS) - 1)
    return {
        "sites": len(r2),
        "r2": r2.mean(),
        "pooled": np.corrcoef(dosages.ravel(), genotypes.ravel())[0, 1] ** 2,
        "bins": BINS,
        "bin_sites": [int((which == b).sum()) for b in bins],
        "bin_r2": [float(r2[which == b].mean()) if (which == b).any() else None for b in bins],
    }


if __name__ == "__main__":
    lines, *rest = sys.argv[1:]
    cut = rest.index("--")
    result = {"kind": "score"} | dict(pair.split("=", 1) for pair in rest[:cut])
    result |= score(*rest[cut + 1 :])
    with open(lines, "a") as out:
        print(json.dumps(result), file=out)
