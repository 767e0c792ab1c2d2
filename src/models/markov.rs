//! A Markov chain along the sites: an allele depends on the `window` alleles before it, on fewer at the start of a
//! contig (Yelmen et al. 2021, with windows of 5 and 10).

use crate::panel::bits::BitMatrix;
use crate::rng::Stream;
use std::collections::BTreeMap;

/// Parameters: for each site, the contexts that were seen and how often the alternate allele followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Markov {
    /// The most alleles that the next one depends on; at most 20.
    pub window: usize,
    /// Where the contexts of each site begin; one more than there are sites.
    pub offsets: Vec<u64>,
    /// The contexts, rising within a site: bit 0 is the allele just before.
    pub contexts: Vec<u32>,
    /// The frequency of the alternate allele after each context.
    pub frequencies: Vec<f64>,
    /// Sites that begin a contig, where the context is empty.
    pub starts: Vec<u64>,
}

impl Markov {
    /// Counts in a panel. `starts` are the sites that begin a contig, rising from 0.
    pub fn count(bits: &BitMatrix, starts: &[u64], window: usize) -> Self {
        let mut model =
            Markov { window, offsets: vec![0], contexts: Vec::new(), frequencies: Vec::new(), starts: starts.to_vec() };
        let mut context = vec![0u32; bits.rows()];
        for site in 0..bits.columns() {
            if model.begins(site) {
                context.fill(0);
            }
            let mut counts: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
            for (h, context) in context.iter_mut().enumerate() {
                let allele = bits.get(h, site);
                let count = counts.entry(*context).or_default();
                count.0 += u32::from(allele);
                count.1 += 1;
                *context = model.shift(*context, allele);
            }
            for (context, (ones, all)) in counts {
                model.contexts.push(context);
                model.frequencies.push(f64::from(ones) / f64::from(all));
            }
            model.offsets.push(model.contexts.len() as u64);
        }
        model
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.offsets.len() - 1
    }

    fn begins(&self, site: usize) -> bool {
        self.starts.binary_search(&(site as u64)).is_ok()
    }

    fn shift(&self, context: u32, allele: bool) -> u32 {
        // The number of alleles in a context is known from the site, so a growing window needs no mark of its length.
        (context << 1 | u32::from(allele)) & ((1u32 << self.window) - 1)
    }

    /// Frequency of the alternate allele at `site` after `context`; `None` for a context that was never seen.
    fn frequency(&self, site: usize, context: u32) -> Option<f64> {
        let range = self.offsets[site] as usize..self.offsets[site + 1] as usize;
        let found = self.contexts[range.clone()].binary_search(&context).ok()?;
        Some(self.frequencies[range.start + found])
    }

    /// Draws one haplotype from the words of `stream`, a word a site. Contexts that arise were all seen: each is the end
    /// of a window that was.
    pub fn draw(&self, stream: &Stream, mut set: impl FnMut(usize)) {
        let mut reader = stream.reader(0);
        let mut context = 0;
        for site in 0..self.sites() {
            if self.begins(site) {
                context = 0;
            }
            let f = self.frequency(site, context).unwrap_or(0.0);
            let allele = f64::from(reader.word()) < f * 4_294_967_296.0;
            if allele {
                set(site);
            }
            context = self.shift(context, allele);
        }
    }

    /// The frequency of the alternate allele at each site after the alleles before it; that of the site's contexts taken
    /// together where this context was never seen.
    pub fn conditionals(&self, allele: impl Fn(usize) -> bool, row: &mut [f32]) {
        let mut context = 0;
        for (site, p) in row.iter_mut().enumerate() {
            if self.begins(site) {
                context = 0;
            }
            let all = &self.frequencies[self.offsets[site] as usize..self.offsets[site + 1] as usize];
            let mean = || all.iter().sum::<f64>() / all.len().max(1) as f64;
            *p = self.frequency(site, context).unwrap_or_else(mean) as f32;
            context = self.shift(context, allele(site));
        }
    }

    /// Natural log of the probability of a haplotype; minus infinity where it is 0.
    pub fn log_density(&self, allele: impl Fn(usize) -> bool) -> f64 {
        let mut context = 0;
        let mut sum = 0.0;
        for site in 0..self.sites() {
            if self.begins(site) {
                context = 0;
            }
            let a = allele(site);
            sum += match self.frequency(site, context) {
                Some(f) if a => f.ln(),
                Some(f) => (-f).ln_1p(),
                None => f64::NEG_INFINITY,
            };
            context = self.shift(context, a);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn data() -> BitMatrix {
        let noise = Stream::new(1, Purpose::Evaluate, 0);
        BitMatrix::from_fn(40, 9, |r, c| noise.word((r * 9 + c) as u64).is_multiple_of(3)).unwrap()
    }

    #[test]
    fn probabilities_of_all_haplotypes_sum_to_one() {
        for window in [0, 2, 5] {
            let model = Markov::count(&data(), &[0, 5], window);
            let sum: f64 = (0u32..512).map(|h| model.log_density(|i| h >> i & 1 == 1).exp()).sum();
            assert!((sum - 1.0).abs() < 1e-12, "window {window}: {sum}");
        }
    }

    /// A window as long as the panel knows each haplotype: every draw is one of the training haplotypes.
    #[test]
    fn draws_follow_the_windows_that_were_seen() {
        let bits = data();
        let model = Markov::count(&bits, &[0], 8);
        for i in 0..200 {
            let mut row = [0u64];
            model.draw(&Stream::new(2, Purpose::Sample, i), |site| row[0] |= 1 << site);
            assert!((0..bits.rows()).any(|r| bits.row(r) == row));
        }
    }

    /// 4,000 draws with window 1: pair frequencies within 5 standard errors (false alarm 1e-5).
    #[test]
    fn neighbouring_pairs_keep_their_frequency() {
        let bits = data();
        let model = Markov::count(&bits, &[0], 1);
        let mut pairs = [0u32; 8];
        for i in 0..4000 {
            let mut row = 0u64;
            model.draw(&Stream::new(3, Purpose::Sample, i), |site| row |= 1 << site);
            (0..8).for_each(|c| pairs[c] += (row >> c & 3 == 3) as u32);
        }
        for (c, n) in pairs.iter().enumerate() {
            let truth = (0..40).filter(|r| bits.row(*r)[0] >> c & 3 == 3).count() as f64 / 40.0;
            let error = (truth * (1.0 - truth) / 4000.0).sqrt();
            assert!((f64::from(*n) / 4000.0 - truth).abs() <= 5.0 * error + 1e-9, "sites {c}, {}", c + 1);
        }
    }
}
