#!/usr/bin/env python3
"""Simulates the panel that is embedded in the binary for `haploom demo`: no real person is in it.

Three populations with the history of Gutenkunst et al. 2009 (PLoS Genetics 5:e1000695; an ancestral population, an
exodus and bottleneck, two growing populations, migration), called AFR, EUR and EAS after their models. One contig of
4 Mb, biallelic SNPs with a minor allele frequency of at least 2% of which 800 are drawn at random, everything phased.
As in reference panels there are no close relatives: a person with a haplotype that differs at fewer than 12 of these
sites from that of a person taken before is passed over.

Needs bcftools, and in Python: msprime==1.4.4 (with the tskit and numpy that it brings). Writes, beside itself,
demo.bcf and demo_samples.tsv (sample, population, and set: train, or held_out for the evaluation's floor). The same
versions give the same bytes.
"""

import pathlib
import subprocess

import msprime
import numpy

SEED = 20210204
SIMULATED = 450  # people of each population
PEOPLE = 300  # of each population, taken
TRAIN = 200  # of each population; the others are held out
SITES = 800
LENGTH = 4_000_000  # base pairs
LEAST_FREQUENCY = 0.02
LEAST_DIFFERENCE = 12  # sites
POPULATIONS = ["AFR", "EUR", "EAS"]


def out_of_africa():
    """The three-population model of Gutenkunst et al. 2009, table 1; a generation is 25 years."""
    years = 25
    eur_growth, eas_growth = 0.004, 0.0055
    exodus, split = 140_000 / years, 21_200 / years
    demography = msprime.Demography()
    demography.add_population(name="AFR", initial_size=12_300)
    demography.add_population(name="EUR", initial_size=1_000 * numpy.exp(eur_growth * split), growth_rate=eur_growth)
    demography.add_population(name="EAS", initial_size=510 * numpy.exp(eas_growth * split), growth_rate=eas_growth)
    demography.add_population(name="OOA", initial_size=2_100)
    demography.add_population(name="AMH", initial_size=12_300)
    demography.add_population(name="ANC", initial_size=7_300)
    demography.set_symmetric_migration_rate(["AFR", "EUR"], 3e-5)
    demography.set_symmetric_migration_rate(["AFR", "EAS"], 1.9e-5)
    demography.set_symmetric_migration_rate(["EUR", "EAS"], 9.6e-5)
    demography.add_population_split(time=split, derived=["EUR", "EAS"], ancestral="OOA")
    demography.add_symmetric_migration_rate_change(time=split, populations=["AFR", "OOA"], rate=25e-5)
    demography.add_population_split(time=exodus, derived=["OOA", "AFR"], ancestral="AMH")
    demography.add_population_split(time=220_000 / years, derived=["AMH"], ancestral="ANC")
    return demography


def unrelated(alleles):
    """Numbers of the people to take, PEOPLE of each population, in order."""
    haplotypes = alleles.T.astype(numpy.int16)
    taken, rows = [], []
    for population in range(len(POPULATIONS)):
        before = len(taken)
        for person in range(population * SIMULATED, (population + 1) * SIMULATED):
            own = haplotypes[2 * person : 2 * person + 2]
            if rows and min(abs(numpy.array(rows) - h).sum(axis=1).min() for h in own) < LEAST_DIFFERENCE:
                continue
            taken.append(person)
            rows.extend(own)
            if len(taken) - before == PEOPLE:
                break
        if len(taken) - before < PEOPLE:
            raise SystemExit(f"only {len(taken) - before} unrelated people in {POPULATIONS[population]}")
    return taken


def main():
    here = pathlib.Path(__file__).resolve().parent
    ancestry = msprime.sim_ancestry(
        samples={name: SIMULATED for name in POPULATIONS},
        demography=out_of_africa(),
        sequence_length=LENGTH,
        recombination_rate=1.2e-8,
        random_seed=SEED,
    )
    trees = msprime.sim_mutations(ancestry, rate=1.4e-8, random_seed=SEED)

    sites = []
    for variant in trees.variants():
        if len(variant.alleles) != 2 or variant.site.position == 0:
            continue
        frequency = variant.genotypes.mean()
        if LEAST_FREQUENCY <= frequency <= 1 - LEAST_FREQUENCY:
            sites.append((int(variant.site.position), variant.alleles, variant.genotypes.copy()))
    chosen = numpy.sort(numpy.random.default_rng(SEED).choice(len(sites), SITES, replace=False))

    alleles = numpy.array([sites[i][2] for i in chosen])  # sites x haplotypes
    taken = unrelated(alleles)
    alleles = alleles[:, [2 * person + copy for person in taken for copy in (0, 1)]]

    people = [(name, f"{name}{i:03}", "train" if i < TRAIN else "held_out") for name in POPULATIONS for i in range(PEOPLE)]
    lines = [
        "##fileformat=VCFv4.2",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        f"##source=simulated by assets/simulate.py, msprime {msprime.__version__}, seed {SEED}",
        f"##contig=<ID=1,length={LENGTH}>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Phased genotype">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + "\t".join(name for _, name, _ in people),
    ]
    for i, row in zip(chosen, alleles):
        position, (reference, alternate), _ = sites[i]
        genotypes = "\t".join(f"{a}|{b}" for a, b in row.reshape(-1, 2))
        lines.append(f"1\t{position}\t.\t{reference}\t{alternate}\t.\tPASS\t.\tGT\t{genotypes}")
    vcf = "\n".join(lines) + "\n"
    command = ["bcftools", "view", "--no-version", "-Ob9", "-o", str(here / "demo.bcf")]
    subprocess.run(command, input=vcf.encode(), check=True)

    table = ["sample\tpopulation\tset"] + [f"{name}\t{population}\t{part}" for population, name, part in people]
    (here / "demo_samples.tsv").write_text("\n".join(table) + "\n")
    print(f"{len(sites)} sites with MAF >= {LEAST_FREQUENCY}, {SITES} kept; {len(people)} people")


if __name__ == "__main__":
    main()
