//! Membership inference: can somebody who holds a person's genome tell from artificial haplotypes whether that person
//! was trained on? (Hayes et al. 2019, "LOGAN"; for genomes Yelmen et al. 2021.)
//!
//! An attack gives each person a score, and tells people who were trained on (members) from people who were not. It is
//! judged by all pairs of a member and another person: the share in which the member's score is the higher one.

use super::distances::nearest;
use crate::compute::Device;
use crate::compute::runs::{self, longest_run};
use crate::error::Result;
use crate::panel::bits::BitMatrix;
use crate::panel::samples::Samples;
use crate::panel::sites::Sites;
use crate::threads::Threads;

/// Haplotypes whose longest runs one unit of work finds.
const STRIP: usize = 64;

/// How well scores tell members from other people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attack {
    /// Area under the receiver operating characteristic: the chance that a member scores higher than another person,
    /// ties counted half. .5 tells nothing, 1 tells all.
    pub auc: f64,
    /// True positive rate less false positive rate at the threshold where it is greatest, 0 to 1 (Youden's J). Chance
    /// alone makes it somewhat more than 0.
    pub advantage: f64,
    /// Standard error of `auc` over draws of people (DeLong et al. 1988).
    pub standard_error: f64,
}

/// Judges the scores of an attack; `None` without people on either side.
pub fn attack(members: &[f64], others: &[f64]) -> Option<Attack> {
    if members.is_empty() || others.is_empty() {
        return None;
    }
    let sorted = |scores: &[f64]| {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (of_members, of_others) = (sorted(members), sorted(others));
    // The share of `sorted` below a score, ties counted half.
    let below = |sorted: &[f64], score: f64| {
        let (less, most) = (sorted.partition_point(|s| *s < score), sorted.partition_point(|s| *s <= score));
        (less + most) as f64 / (2 * sorted.len()) as f64
    };
    let wins: Vec<f64> = members.iter().map(|score| below(&of_others, *score)).collect();
    let losses: Vec<f64> = others.iter().map(|score| below(&of_members, *score)).collect();
    let at_least = |sorted: &[f64], score: f64| {
        (sorted.len() - sorted.partition_point(|s| *s < score)) as f64 / sorted.len() as f64
    };
    let advantage = members.iter().map(|score| at_least(&of_members, *score) - at_least(&of_others, *score));
    let variance = |x: &[f64]| super::standard_deviation(x).map_or(0.0, |sd| sd * sd / x.len() as f64);
    Some(Attack {
        auc: wins.iter().sum::<f64>() / wins.len() as f64,
        advantage: advantage.fold(0.0, f64::max),
        standard_error: (variance(&wins) + variance(&losses)).sqrt(),
    })
}

/// For each person the number of sites at which the nearest artificial haplotype differs from the nearer of the
/// person's own, less than 0, so that more is nearer. `bits` holds the haplotypes of `people`, a row each.
///
/// # Errors
/// `InvalidArgument` if the numbers of sites differ; `OutOfMemory`.
pub fn nearness(people: &Samples, bits: &BitMatrix, artificial: &BitMatrix, device: &Device) -> Result<Vec<f64>> {
    let distances = nearest(bits, artificial, device)?.of_first;
    Ok(best_of_each(people, |h| -f64::from(distances[h])))
}

/// For each person the longest stretch of neighbouring sites of one contig, in sites, on which an artificial haplotype
/// equals one of the person's own. Whatever copies pieces of people gives itself away here, long before nearest
/// neighbours see it. `bits` holds the haplotypes of `people`, a row each, at `sites`.
///
/// # Errors
/// `OutOfMemory`.
pub fn longest_runs(
    people: &Samples,
    bits: &BitMatrix,
    artificial: &BitMatrix,
    sites: &Sites,
    threads: &Threads,
) -> Result<Vec<f64>> {
    let contigs = sites.contig_ranges();
    let runs = threads.map(bits.rows().div_ceil(STRIP), |strip| {
        let mut runs = vec![0; STRIP.min(bits.rows() - strip * STRIP)];
        // One artificial haplotype meets a strip of people while it is in the cache.
        for a in 0..artificial.rows() {
            for (i, run) in runs.iter_mut().enumerate() {
                for contig in &contigs {
                    *run = longest_run(bits.row(strip * STRIP + i), artificial.row(a), contig.clone(), *run);
                }
            }
        }
        runs
    })?;
    let runs = runs.concat();
    Ok(best_of_each(people, |h| runs[h] as f64))
}

/// For each person how long the runs are that cover them: at every 16th site the longest stretch around it, within its
/// contig, on which an artificial haplotype equals the person's, in sites; the mean over these sites and over the person's
/// haplotypes. A generator that bounds the longest run of each person may still follow its people nearly everywhere.
///
/// # Errors
/// `OutOfMemory`.
pub fn covering_runs(
    people: &Samples,
    bits: &BitMatrix,
    artificial: &BitMatrix,
    sites: &Sites,
    threads: &Threads,
) -> Result<Vec<f64>> {
    let contigs = sites.contig_ranges();
    let places: Vec<usize> = (0..sites.len()).step_by(16).collect();
    let means = threads.map(bits.rows().div_ceil(STRIP), |strip| {
        let rows = strip * STRIP..bits.rows().min((strip + 1) * STRIP);
        let mut longest = vec![0; rows.len() * places.len()];
        for a in 0..artificial.rows() {
            for (h, longest) in rows.clone().zip(longest.chunks_exact_mut(places.len())) {
                for contig in &contigs {
                    runs::covering_runs(bits.row(h), artificial.row(a), contig.clone(), &places, longest);
                }
            }
        }
        let mean = |runs: &[u32]| runs.iter().map(|run| f64::from(*run)).sum::<f64>() / runs.len() as f64;
        longest.chunks_exact(places.len()).map(mean).collect::<Vec<f64>>()
    })?;
    let means = means.concat();
    let of_person = |i: usize| {
        let haplotypes = people.haplotypes_of(i);
        haplotypes.clone().map(|h| means[h]).sum::<f64>() / haplotypes.len() as f64
    };
    Ok((0..people.len()).map(of_person).collect())
}

/// For each person how many alleles of a haplotype of theirs, on average, no artificial haplotype has, less than 0, so that
/// fewer is more. Whatever keeps the rare alleles of the people it was trained on lacks none of theirs, and some of
/// everybody else's.
pub fn alleles_found(people: &Samples, bits: &BitMatrix, artificial: &BitMatrix) -> Vec<f64> {
    let carriers = artificial.count_columns();
    let lacking = |of: u32| -> Vec<usize> { (0..carriers.len()).filter(|site| carriers[*site] == of).collect() };
    let (no_alternate, no_reference) = (lacking(0), lacking(artificial.rows() as u32));
    let lacks = |h: usize| {
        let alternate = no_alternate.iter().filter(|site| bits.get(h, **site)).count();
        alternate + no_reference.iter().filter(|site| !bits.get(h, **site)).count()
    };
    let of_person = |i: usize| {
        let haplotypes = people.haplotypes_of(i);
        -(haplotypes.clone().map(lacks).sum::<usize>() as f64) / haplotypes.len() as f64
    };
    (0..people.len()).map(of_person).collect()
}

/// The better score of each person's haplotypes.
fn best_of_each(people: &Samples, score: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..people.len()).map(|i| people.haplotypes_of(i).map(&score).fold(f64::NEG_INFINITY, f64::max)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::{distance, random_bits, sites};
    use crate::panel::samples::Sample;
    use crate::rng::{Purpose, Stream};

    fn places(contigs: &[(&str, u64)]) -> Sites {
        let all: Vec<(&str, u64)> = contigs.iter().flat_map(|(c, n)| (0..*n).map(move |i| (*c, i + 1))).collect();
        sites(&all)
    }

    fn people(ploidies: &[u8]) -> Samples {
        let person = |(i, p): (usize, &u8)| Sample { name: format!("p{i}"), ploidy: *p, label: None };
        Samples::new(ploidies.iter().enumerate().map(person).collect()).unwrap()
    }

    /// Members .9, .4, .4 and others .4, .1: of six pairs, 4 are won and 2 tied; at .9 or more are a third of the
    /// members and no other, at .4 or more are all members and half of the others.
    #[test]
    fn an_attack_by_hand() {
        let found = attack(&[0.9, 0.4, 0.4], &[0.4, 0.1]).unwrap();
        assert!((found.auc - 5.0 / 6.0).abs() < 1e-15);
        assert!((found.advantage - 0.5).abs() < 1e-15);
        // Wins 1, .75, .75 and losses 1/3, 0: variances 1/48 over 3 and 1/18 over 2.
        assert!((found.standard_error - (1f64 / 144.0 + 1.0 / 36.0).sqrt()).abs() < 1e-15);
        assert_eq!(attack(&[1.0], &[0.0]).unwrap(), Attack { auc: 1.0, advantage: 1.0, standard_error: 0.0 });
        assert_eq!(attack(&[0.0; 4], &[0.0; 3]).unwrap().auc, 0.5);
        assert_eq!(attack(&[0.0], &[1.0]).unwrap(), Attack { auc: 0.0, advantage: 0.0, standard_error: 0.0 });
        assert_eq!(attack(&[], &[1.0]), None);
        assert_eq!(attack(&[1.0], &[]), None);
    }

    /// Site by site, on pairs that are equal but for a few sites, over contigs that begin and end within words.
    #[test]
    fn longest_runs_agree_with_brute_force() {
        for (seed, contigs) in
            [vec![("1", 1)], vec![("1", 64)], vec![("1", 70), ("2", 200), ("3", 1), ("4", 129)]].into_iter().enumerate()
        {
            let sites = places(&contigs);
            let base = random_bits(1, sites.len(), seed as u64);
            let near = |rows: usize, number: u64| {
                let words = Stream::new(5, Purpose::Evaluate, number);
                let flip = |r: usize, c: usize| words.word((r * sites.len() + c) as u64).is_multiple_of(37);
                BitMatrix::from_fn(rows, sites.len(), |r, c| base.get(0, c) ^ flip(r, c)).unwrap()
            };
            let (bits, artificial) = (near(131, 1), near(30, 2));
            let brute = |h: usize| {
                let mut longest = 0;
                for a in 0..artificial.rows() {
                    let mut run = 0;
                    for c in 0..sites.len() {
                        let same = c > 0 && sites.as_slice()[c].contig == sites.as_slice()[c - 1].contig;
                        run = if same { run } else { 0 };
                        run = if bits.get(h, c) == artificial.get(a, c) { run + 1 } else { 0 };
                        longest = longest.max(run);
                    }
                }
                f64::from(longest)
            };
            let people = people(&[[1, 2].repeat(43), vec![2]].concat());
            let expected: Vec<f64> =
                (0..people.len()).map(|i| people.haplotypes_of(i).map(brute).fold(0.0, f64::max)).collect();
            for threads in [Threads::single(), Threads::new(3)] {
                assert_eq!(longest_runs(&people, &bits, &artificial, &sites, &threads).unwrap(), expected);
            }
        }
    }

    #[test]
    fn the_nearer_haplotype_counts() {
        let (bits, artificial) = (random_bits(5, 90, 1), random_bits(7, 90, 2));
        let people = people(&[2, 1, 2]);
        let nearest = |h: usize| (0..7).map(|a| distance(&bits, h, &artificial, a)).min().unwrap();
        let expected: Vec<f64> =
            [nearest(0).min(nearest(1)), nearest(2), nearest(3).min(nearest(4))].map(|d| -f64::from(d)).into();
        assert_eq!(nearness(&people, &bits, &artificial, &Device::cpu(Threads::single())).unwrap(), expected);
    }

    #[test]
    fn alleles_that_none_has_are_counted() {
        let row = |text: &str| text.bytes().map(|b| b == b'1').collect::<Vec<bool>>();
        let matrix = |rows: &[&str]| {
            let rows: Vec<Vec<bool>> = rows.iter().map(|text| row(text)).collect();
            BitMatrix::from_fn(rows.len(), rows[0].len(), |r, c| rows[r][c]).unwrap()
        };
        // Nobody artificial has the alternate allele of site 0, nor the reference allele of site 3.
        let artificial = matrix(&["0101", "0011"]);
        let bits = matrix(&["1110", "0111", "1001"]);
        assert_eq!(alleles_found(&people(&[2, 1]), &bits, &artificial), [-1.0, -1.0]);
        assert_eq!(alleles_found(&people(&[1, 2]), &bits, &artificial), [-2.0, -0.5]);
    }

    #[test]
    fn copies_of_people_are_found() {
        let (members, others) = (random_bits(40, 300, 1), random_bits(30, 300, 2));
        let (sites, threads) = (places(&[("1", 300)]), Threads::single());
        let (m, o) = (people(&[2; 20]), people(&[2; 15]));
        let runs = |p: &Samples, bits: &BitMatrix| longest_runs(p, bits, &members, &sites, &threads).unwrap();
        assert_eq!(attack(&runs(&m, &members), &runs(&o, &others)).unwrap().auc, 1.0);
        let near = |p: &Samples, bits: &BitMatrix| nearness(p, bits, &members, &Device::cpu(threads.clone())).unwrap();
        assert_eq!(attack(&near(&m, &members), &near(&o, &others)).unwrap().advantage, 1.0);
    }
}
