//! Where haplotypes may cross over: ends of the stretches that neighbours share.

use super::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::BitMatrix;
use std::ops::Range;

/// A crossover's cost counts in these.
pub const UNIT: i64 = 1 << 16;
/// What a crossover costs beside what it costs to share little.
const BASE: i64 = UNIT / 20;
/// Sites of sharing that halve the rest of a crossover's cost. Chosen by imputation of Europeans from 652 others (chr15,
/// 2.2 Mb with 10,000 sites).
const HALVING: u32 = 200;
/// Neighbours of the sorted haplotypes, on either side of where alleles change, that are paired.
const REACH: usize = 4;

/// A place where two haplotypes, equal for `overlap` sites before it and unequal at it, may exchange their tails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossover {
    /// The haplotypes.
    pub haplotypes: [u32; 2],
    /// The first site of the tails.
    pub site: u32,
    /// The sites before it on which the two are equal.
    pub overlap: u32,
    /// What it costs, in parts of [`UNIT`].
    pub cost: u32,
}

impl Crossover {
    /// The other one of its haplotypes.
    pub fn partner(&self, haplotype: usize) -> usize {
        let [first, second] = self.haplotypes.map(|h| h as usize);
        if first == haplotype { second } else { first }
    }

    /// Where the runs begin that it begins.
    pub fn start(&self) -> i64 {
        i64::from(self.site) - i64::from(self.overlap)
    }
}

/// All places where a panel's haplotypes may cross over.
#[derive(Clone, Debug)]
pub struct Crossovers {
    contigs: Vec<Candidates>,
}

/// Those of one contig.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// All, by site.
    pub all: Vec<Crossover>,
    /// Numbers of those of each haplotype, rising, haplotype after haplotype; and where each haplotype's begin.
    numbers: Vec<u32>,
    first: Vec<usize>,
}

impl Crossovers {
    /// Finds them.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn of(context: &Context) -> Result<Self> {
        let sites = context.panel.transpose()?;
        let contigs = context.contigs.iter().map(|contig| candidates(&sites, contig, &context.people));
        Ok(Crossovers { contigs: contigs.collect::<Result<_>>()? })
    }

    pub(super) fn of_contig(&self, contig: usize) -> &Candidates {
        &self.contigs[contig]
    }
}

/// Walks along a contig with the haplotypes sorted by what lies before the site, read backwards (positional
/// Burrows-Wheeler transform: Durbin 2014), so that those who share most are neighbours. Where neighbours' alleles change,
/// those on either side are candidates.
fn candidates(sites: &BitMatrix, contig: &Range<usize>, people: &[u32]) -> Result<Candidates> {
    let haplotypes = people.len();
    let mut all: Vec<Crossover> = Vec::new();
    let mut sorted = Sorted::new(haplotypes, contig.start);
    for site in contig.clone() {
        for border in 1..haplotypes {
            let allele = |place: usize| sites.get(site, sorted.order[place] as usize);
            let (above, below) = (allele(border - 1), allele(border));
            if above == below {
                continue;
            }
            all.try_reserve(REACH * REACH).map_err(|_| too_many(all.len()))?;
            let mut start_above = sorted.start[border];
            for up in 0..REACH.min(border) {
                if up > 0 {
                    start_above = start_above.max(sorted.start[border - up]);
                }
                if allele(border - 1 - up) != above {
                    break;
                }
                let mut start = start_above;
                for down in 0..(REACH - up).min(haplotypes - border) {
                    if down > 0 {
                        start = start.max(sorted.start[border + down]);
                    }
                    if allele(border + down) != below || start as usize >= site {
                        break;
                    }
                    let pair = [sorted.order[border - 1 - up], sorted.order[border + down]];
                    if people[pair[0] as usize] != people[pair[1] as usize] {
                        let overlap = site as u32 - start;
                        all.push(Crossover { haplotypes: pair, site: site as u32, overlap, cost: cost(overlap) });
                    }
                }
            }
        }
        sorted.step(|h| sites.get(site, h), site);
    }
    Candidates::new(all, haplotypes)
}

fn too_many(crossovers: usize) -> Error {
    Error::new(ErrorKind::OutOfMemory, format!("no memory for more than {crossovers} places to cross over"))
        .remedy("train on a smaller region or on fewer people")
}

impl Candidates {
    fn new(all: Vec<Crossover>, haplotypes: usize) -> Result<Self> {
        let mut first = vec![0; haplotypes + 1];
        all.iter().flat_map(|c| c.haplotypes).for_each(|h| first[h as usize + 1] += 1);
        for h in 0..haplotypes {
            first[h + 1] += first[h];
        }
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(2 * all.len()).map_err(|_| too_many(all.len()))?;
        numbers.resize(2 * all.len(), 0);
        let mut next = first.clone();
        for (number, crossover) in all.iter().enumerate() {
            for h in crossover.haplotypes.map(|h| h as usize) {
                numbers[next[h]] = number as u32;
                next[h] += 1;
            }
        }
        Ok(Candidates { all, numbers, first })
    }

    /// Numbers of the crossovers of a haplotype, rising: by site.
    pub fn of_haplotype(&self, h: usize) -> &[u32] {
        &self.numbers[self.first[h]..self.first[h + 1]]
    }
}

/// What it costs to cross over after `overlap` shared sites: halved, and halved again, by whole numbers, so that each
/// machine finds the same.
fn cost(overlap: u32) -> u32 {
    let (whole, part) = (overlap / HALVING, i64::from(overlap % HALVING));
    let step = UNIT >> whole.min(30);
    (BASE + step - step * part / (2 * i64::from(HALVING))) as u32
}

/// Haplotypes sorted by what lies before a site, read backwards.
struct Sorted {
    order: Vec<u32>,
    /// For each place the first site from which on the haplotype there equals the one before it, up to the site.
    start: Vec<u32>,
    /// Order and starts of those that carry the alternate allele, while sorting.
    ones: (Vec<u32>, Vec<u32>),
}

impl Sorted {
    fn new(haplotypes: usize, first: usize) -> Self {
        let order = (0..haplotypes as u32).collect();
        Sorted { order, start: vec![first as u32; haplotypes], ones: Default::default() }
    }

    /// Goes over a site.
    fn step(&mut self, allele: impl Fn(usize) -> bool, site: usize) {
        let (order, start) = (&mut self.ones.0, &mut self.ones.1);
        order.clear();
        start.clear();
        let mut zeros = 0;
        // The latest start since the last haplotype with the same allele; the first of each has nothing before it.
        let mut latest = [site as u32 + 1; 2];
        for place in 0..self.order.len() {
            let h = self.order[place];
            latest = latest.map(|l| l.max(self.start[place]));
            if allele(h as usize) {
                order.push(h);
                start.push(std::mem::take(&mut latest[1]));
            } else {
                self.order[zeros] = h;
                self.start[zeros] = std::mem::take(&mut latest[0]);
                zeros += 1;
            }
        }
        self.order[zeros..].copy_from_slice(order);
        self.start[zeros..].copy_from_slice(start);
    }
}
