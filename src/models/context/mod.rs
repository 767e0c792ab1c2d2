//! People's haplotypes, woven anew: crossovers where haplotypes share what lies around, so that nobody is there whole.
//!
//! A block of artificial haplotypes is the training panel with the tails of pairs of haplotypes exchanged, at sites up to
//! which the two are equal for a while. Hence in each block every allele occurs exactly as often as in the panel, and
//! every short window of an artificial haplotype is somebody's: frequencies, linkage and rare alleles' backgrounds are
//! the panel's.
//!
//! What gives people away is long runs: stretches on which an artificial haplotype equals one of theirs. But people who
//! were never trained on have long runs too, where they share a haplotype with somebody who was. So a haplotype may be
//! copied for about as long as its person shares with another person of the panel, the longest such stretch, and not
//! longer; and among all sets of crossovers that keep to this, one is looked for that has few of them, where much is
//! shared (`plan`).

mod crossovers;
mod plan;

pub use crossovers::Crossovers;

use crate::compute::runs::longest_run;
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::BitMatrix;
use crate::rng::{Purpose, Stream};
use crate::threads::Threads;
use std::ops::Range;

/// Words of a block's stream that a contig may take.
const CONTIG_WORDS: u64 = 1 << 40;

/// A panel, and how long a run of each haplotype may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// The panel: a row a haplotype, a column a site.
    pub panel: BitMatrix,
    /// The person that each haplotype belongs to: numbers that do not fall.
    pub people: Vec<u32>,
    /// The sites of each contig, in order and without gaps. No run, and no haplotype, goes over their borders.
    pub contigs: Vec<Range<usize>>,
    /// The longest run of each haplotype in each contig that an artificial haplotype may copy, in sites: number
    /// `contig x haplotypes + haplotype`.
    pub longest: Vec<u32>,
}

impl Context {
    /// Learns from a panel: how long a run of each person may be is `run_share` of the longest run that a haplotype of
    /// theirs shares with one of somebody else. Alleles that fewer than `least_carriers` haplotypes carry are taken out.
    ///
    /// # Errors
    /// `Empty` for fewer than two people; `OutOfMemory`.
    pub fn learn(
        mut panel: BitMatrix,
        people: Vec<u32>,
        contigs: Vec<Range<usize>>,
        run_share: f64,
        least_carriers: usize,
        threads: &Threads,
    ) -> Result<Self> {
        let haplotypes = panel.rows();
        if people.first() == people.last() {
            return Err(Error::new(ErrorKind::Empty, "haplotypes of one person cannot be woven with anybody's")
                .remedy("give a panel of more people, dozens at least"));
        }
        hide_rare(&mut panel, least_carriers);
        let of_haplotypes = threads.map(haplotypes * contigs.len(), |i| {
            let (contig, h) = (&contigs[i / haplotypes], i % haplotypes);
            let others = (0..haplotypes).filter(|k| people[*k] != people[h]);
            others.fold(0, |known, k| longest_run(panel.row(h), panel.row(k), contig.clone(), known))
        })?;
        let mut longest = Vec::with_capacity(of_haplotypes.len());
        for shared in of_haplotypes.chunks_exact(haplotypes.max(1)) {
            for person in people.chunk_by(|a, b| a == b) {
                let first = longest.len() % haplotypes;
                let most = shared[first..first + person.len()].iter().fold(0, |most, run| *run.max(&most));
                let allowed = (most as f64 * run_share).clamp(1.0, f64::from(u32::MAX)) as u32;
                longest.extend(person.iter().map(|_| allowed));
            }
        }
        Ok(Context { panel, people, contigs, longest })
    }

    /// Haplotypes in a block.
    pub fn block_size(&self) -> usize {
        self.panel.rows()
    }

    /// Block `index` (below 2^48) of the artificial haplotypes of a seed. `crossovers` are those of this panel.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn block(&self, crossovers: &Crossovers, seed: u64, index: u64) -> Result<BitMatrix> {
        let haplotypes = self.panel.rows();
        let mut block = BitMatrix::zeros(haplotypes, self.panel.columns())?;
        let stream = Stream::new(seed, Purpose::Weave, index);
        for (c, contig) in self.contigs.iter().enumerate() {
            let mut words = stream.reader(c as u64 * CONTIG_WORDS);
            let longest = &self.longest[c * haplotypes..][..haplotypes];
            let candidates = crossovers.of_contig(c);
            let chosen = plan::choose(candidates, contig, longest, &mut words);
            // Which haplotype each row copies, and from which site on; and which row copies each haplotype.
            let mut copied: Vec<usize> = (0..haplotypes).collect();
            words.shuffle(&mut copied);
            let mut row_of = vec![0; haplotypes];
            copied.iter().enumerate().for_each(|(row, h)| row_of[*h] = row);
            let mut since = vec![contig.start; haplotypes];
            for crossover in chosen {
                let [first, second] = crossover.haplotypes.map(|h| h as usize);
                let site = crossover.site as usize;
                for h in [first, second] {
                    let row = row_of[h];
                    copy(self.panel.row(h), block.row_mut(row), since[row]..site);
                    since[row] = site;
                }
                row_of.swap(first, second);
            }
            for (h, row) in row_of.into_iter().enumerate() {
                copy(self.panel.row(h), block.row_mut(row), since[row]..contig.end);
            }
        }
        Ok(block)
    }
}

/// Takes out alleles that fewer than `least` haplotypes carry, of two the rarer one.
fn hide_rare(panel: &mut BitMatrix, least: usize) {
    let haplotypes = panel.rows();
    for (site, ones) in panel.count_columns().into_iter().enumerate() {
        let ones = ones as usize;
        if ones.min(haplotypes - ones) < least {
            let common = 2 * ones > haplotypes;
            (0..haplotypes).for_each(|h| panel.set(h, site, common));
        }
    }
}

/// Copies some bits of a row into another, where they are still 0.
fn copy(from: &[u64], to: &mut [u64], columns: Range<usize>) {
    if columns.is_empty() {
        return;
    }
    let (first, last) = (columns.start / 64, (columns.end - 1) / 64);
    for w in first..=last {
        let mut mask = u64::MAX;
        if w == first {
            mask &= u64::MAX << (columns.start % 64);
        }
        if w == last {
            mask &= u64::MAX >> (63 - (columns.end - 1) % 64);
        }
        to[w] |= from[w] & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panel whose haplotypes are mosaics of a few founders with a little noise: they share runs, as people do.
    fn panel(haplotypes: usize, sites: usize) -> BitMatrix {
        let words = Stream::new(3, Purpose::Evaluate, haplotypes as u64);
        let founder = |h: usize, site: usize| words.word((h * sites + site / 40) as u64) as usize % 5;
        let founders = Stream::new(4, Purpose::Evaluate, 0);
        let noise = |h: usize, site: usize| words.word((1 << 20) + (h * sites + site) as u64).is_multiple_of(61);
        BitMatrix::from_fn(haplotypes, sites, |h, site| {
            (founders.word((founder(h, site) * sites + site) as u64) & 3 == 0) ^ noise(h, site)
        })
        .unwrap()
    }

    fn context(haplotypes: usize, contigs: &[Range<usize>], share: f64) -> Context {
        let sites = contigs.last().map_or(0, |contig| contig.end);
        let people = (0..haplotypes as u32).map(|h| h / 2).collect();
        Context::learn(panel(haplotypes, sites), people, contigs.to_vec(), share, 1, &Threads::single()).unwrap()
    }

    #[test]
    fn every_allele_is_as_frequent_in_a_block_as_in_the_panel() {
        for haplotypes in [3, 4, 10, 60] {
            let context = context(haplotypes, &[0..300, 300..301, 301..500], 0.8);
            let crossovers = Crossovers::of(&context).unwrap();
            for index in 0..3 {
                let block = context.block(&crossovers, 1, index).unwrap();
                assert_eq!(block.rows(), haplotypes);
                assert_eq!(block.count_columns(), context.panel.count_columns(), "{haplotypes} haplotypes");
            }
        }
    }

    /// Between two crossovers of a haplotype no row copies it for longer than allowed, but for a few where there is nobody
    /// to cross over with; and at a crossover the two haplotypes are equal on the overlap and differ right behind it.
    #[test]
    fn no_run_is_longer_than_it_may_be() {
        let contigs = [0..400, 400..1000];
        let context = context(80, &contigs, 0.9);
        let crossovers = Crossovers::of(&context).unwrap();
        let mut too_long = Vec::new();
        for (c, contig) in contigs.iter().enumerate() {
            let candidates = crossovers.of_contig(c);
            for crossover in &candidates.all {
                let [a, b] = crossover.haplotypes.map(|h| context.panel.row(h as usize));
                let site = crossover.site as usize;
                let shared = crossover.start() as usize..site;
                assert!(crossover.overlap > 0 && shared.start >= contig.start && site < contig.end);
                assert_eq!(longest_run(a, b, shared.clone(), 0), shared.len());
                assert_eq!(longest_run(a, b, site..site + 1, 0), 0);
            }
            let longest = &context.longest[80 * c..][..80];
            let mut words = Stream::new(1, Purpose::Weave, 0).reader(0);
            let chosen = plan::choose(candidates, contig, longest, &mut words);
            assert!(chosen.windows(2).all(|pair| pair[0].site <= pair[1].site));
            for (h, most) in longest.iter().enumerate() {
                let mut run = |from: i64, to: i64| {
                    let excess = to - from - i64::from(*most);
                    too_long.extend((excess > 0).then_some(excess));
                };
                let mut begin = contig.start as i64;
                for crossover in chosen.iter().filter(|c| c.haplotypes.contains(&(h as u32))) {
                    run(begin, crossover.site.into());
                    assert!(crossover.start() > begin || begin == contig.start as i64, "haplotype {h}");
                    begin = crossover.start();
                }
                run(begin, contig.end as i64);
            }
        }
        assert!(too_long.len() <= 8 && too_long.iter().all(|excess| *excess < 20), "{too_long:?}");
    }

    /// Measured on the block itself: where haplotypes on either side of a crossover share with a third one, its run goes
    /// on, but nobody is there whole.
    #[test]
    fn people_are_not_there_whole() {
        let context = context(80, &[0..999, 999..1000], 0.9);
        let block = context.block(&Crossovers::of(&context).unwrap(), 1, 0).unwrap();
        let longest =
            |h: usize| (0..80).fold(0, |known, row| longest_run(context.panel.row(h), block.row(row), 0..999, known));
        let ratios: Vec<f64> = (0..80).map(|h| longest(h) as f64 / f64::from(context.longest[h])).collect();
        assert!(ratios.iter().all(|ratio| *ratio < 2.0), "{ratios:?}");
        assert!(ratios.iter().sum::<f64>() < 1.2 * 80.0, "{ratios:?}");
    }

    #[test]
    fn blocks_depend_on_seed_and_number_alone_and_differ() {
        let context = context(40, &[0..200, 200..400], 0.9);
        let crossovers = Crossovers::of(&context).unwrap();
        let block = |seed, index| context.block(&crossovers, seed, index).unwrap();
        assert_eq!(block(1, 2), block(1, 2));
        assert_ne!(block(1, 2), block(1, 3));
        assert_ne!(block(1, 2), block(2, 2));
    }

    #[test]
    fn rare_alleles_are_hidden_and_one_person_is_refused() {
        let mut bits = BitMatrix::from_fn(5, 4, |h, site| [h == 0, h < 2, h < 4, h < 5][site]).unwrap();
        hide_rare(&mut bits, 2);
        assert_eq!(bits.count_columns(), [0, 2, 5, 5]);
        let one = Context::learn(bits, vec![0; 5], vec![0..3, 3..4], 1.0, 1, &Threads::single());
        assert_eq!(one.unwrap_err().kind(), ErrorKind::Empty);
    }

    #[test]
    fn bits_are_copied_within_words_and_over_them() {
        let from = panel(2, 300);
        for range in [0..300, 5..9, 63..65, 64..128, 100..290, 7..7] {
            let mut to = BitMatrix::zeros(1, 300).unwrap();
            copy(from.row(1), to.row_mut(0), range.clone());
            assert!((0..300).all(|c| to.get(0, c) == (range.contains(&c) && from.get(1, c))), "{range:?}");
        }
    }
}
