//! How often the copying model switches and errs, estimated where it is not given.

use super::copying::{Copying, Observed};
use crate::error::Result;
use crate::panel::bits::BitMatrix;
use crate::panel::samples::Samples;
use crate::panel::sites::Sites;
use crate::progress::Progress;
use crate::threads::Threads;

/// Haplotypes, each of another person, whose likelihood among the others is made largest.
const JUDGES: usize = 64;
/// At least so many haplotypes stay to copy from.
const FEWEST: usize = 8;
/// What the search begins with: human effective size as imputation tools take it for panels of many populations
/// (Beagle 5: 100,000), and an error rate between those of arrays and of sequencing.
const START: Rates = Rates { effective_size: 1e5, error: 1e-3 };
/// Beyond these nothing is searched.
const SIZES: [f64; 2] = [1e2, 1e9];
const ERRORS: [f64; 2] = [1e-6, 0.1];

/// Rates of the copying model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Ne of Li and Stephens: `4 Ne r / K` switches are expected over r Morgans among K haplotypes.
    pub effective_size: f64,
    /// The probability that an allele is not the one copied.
    pub error: f64,
}

impl Rates {
    /// Expected switches between sites that lie `centimorgans` apart, among `haplotypes`.
    pub fn switches(&self, centimorgans: &[f64], haplotypes: usize) -> Vec<f64> {
        let rate = 4.0 * self.effective_size / 100.0 / haplotypes.max(1) as f64;
        centimorgans.iter().map(|cm| rate * cm).collect()
    }
}

/// A panel whose rates are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// A row a haplotype, a column a site.
    pub haplotypes: &'a BitMatrix,
    /// Whose they are.
    pub samples: &'a Samples,
    /// The sites.
    pub sites: &'a Sites,
    /// From each site to the one before, in centimorgans.
    pub centimorgans: &'a [f64],
}

impl Judged<'_> {
    /// The rates under which haplotypes of some people are most likely, copied from the people besides them, as far as
    /// `typed` sites (rising) tell; those of `given` that are more than 0 are kept. Up to 64 people are set aside, evenly
    /// along the panel; a panel of fewer than 10 haplotypes has the rates that the search begins with.
    ///
    /// A climb over the logarithms of both rates, in steps from a factor of 8 down to one of 1.2. The result does not
    /// depend on the number of threads.
    ///
    /// # Errors
    /// `Cancelled`; `OutOfMemory`.
    pub fn estimate(&self, typed: &[usize], given: Rates, threads: &Threads, progress: &mut Progress) -> Result<Rates> {
        let start = Rates {
            effective_size: if given.effective_size > 0.0 { given.effective_size } else { START.effective_size },
            error: if given.error > 0.0 { given.error } else { START.error },
        };
        let free = [given.effective_size <= 0.0, given.error <= 0.0];
        let people = self.samples.len();
        let aside = JUDGES.min(people / 4);
        let chosen: Vec<usize> = (0..aside).map(|i| (2 * i + 1) * people / (2 * aside)).collect();
        let (mut panel, mut judges) = (Vec::new(), Vec::new());
        for person in 0..people {
            let rows = self.samples.haplotypes_of(person);
            match chosen.contains(&person) {
                true => judges.extend(rows.take(1)),
                false => panel.extend(rows),
            }
        }
        if typed.is_empty() || judges.is_empty() || panel.len() < FEWEST || free == [false, false] {
            return Ok(start);
        }
        // The sites without an observation would change nothing.
        let mut distances = Vec::with_capacity(typed.len());
        let mut before = 0;
        for site in typed {
            distances.push(self.centimorgans[before + 1..=*site].iter().sum());
            before = *site;
        }
        distances[0] = 0.0;
        let bits = self.haplotypes.select_columns(typed)?;
        let observed: Vec<Vec<Observed>> =
            judges.iter().map(|h| (0..typed.len()).map(|t| (t, bits.get(*h, t))).collect()).collect();
        let sites = self.sites.select(typed)?;
        let copying = Copying::new(&bits.select_rows(&panel)?, &sites, &distances, start.error)?;
        let judge = |rates: &Rates| -> Result<f64> {
            let model = copying.clone().with_rates(&rates.switches(&distances, panel.len()), rates.error)?;
            let logs = threads.map(observed.len(), |i| model.log_likelihood(&observed[i]))?;
            logs.into_iter().sum()
        };
        let mut best = (judge(&start)?, start);
        let mut factor = 8.0f64;
        let mut looks = 0;
        while factor > 1.2 {
            let here = best.1;
            for rate in (0..2).filter(|rate| free[*rate]) {
                for step in [factor, 1.0 / factor] {
                    progress.step("estimating rates", looks, 0, "looks")?;
                    looks += 1;
                    let mut next = best.1;
                    match rate {
                        0 => next.effective_size = (next.effective_size * step).clamp(SIZES[0], SIZES[1]),
                        _ => next.error = (next.error * step).clamp(ERRORS[0], ERRORS[1]),
                    }
                    let found = judge(&next)?;
                    if found > best.0 {
                        best = (found, next);
                        break;
                    }
                }
            }
            if best.1 == here {
                factor = factor.sqrt();
            }
        }
        Ok(best.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::sites::Site;
    use crate::rng::{Purpose, Stream};

    /// Haplotypes drawn from the model with known rates give these back, as far as they can: two haplotypes drawn are
    /// farther from each other than either from the founders, so up to 4 times the switches and 3 times the errors pass.
    /// The seeds are fixed: no false alarms.
    #[test]
    fn rates_of_drawn_haplotypes_come_back() {
        let (sites, founders) = (600, 40);
        let site = |i: usize| Site {
            contig: "1".into(),
            position: 1000 * (i as u64 + 1),
            id: "".into(),
            reference: "A".into(),
            alternate: "C".into(),
        };
        let sites_list = Sites::new((0..sites).map(site).collect()).unwrap();
        let random = Stream::new(4, Purpose::Evaluate, 0);
        let bits = BitMatrix::from_fn(founders, sites, |r, c| random.uniform((r * sites + c) as u64) < 0.3).unwrap();
        let truth = Rates { effective_size: 2000.0, error: 0.01 };
        let centimorgans: Vec<f64> = (0..sites).map(|s| if s == 0 { 0.0 } else { 0.01 }).collect();
        let drawn = |truth: Rates| {
            let model =
                Copying::new(&bits, &sites_list, &truth.switches(&centimorgans, founders), truth.error).unwrap();
            let mut all = BitMatrix::zeros(256, sites).unwrap();
            for r in 0..256 {
                model.draw(&Stream::new(6, Purpose::Sample, r as u64), |s| all.set(r, s, true));
            }
            all
        };
        let all = drawn(truth).stack(&bits).unwrap();
        let samples = Samples::diploid((0..all.rows() / 2).map(|i| format!("s{i}"))).unwrap();
        let judged = Judged { haplotypes: &all, samples: &samples, sites: &sites_list, centimorgans: &centimorgans };
        let typed: Vec<usize> = (0..sites).collect();
        let none = Rates { effective_size: 0.0, error: 0.0 };
        let estimate =
            |given, threads: &Threads| judged.estimate(&typed, given, threads, &mut Progress::none()).unwrap();
        let found = estimate(none, &Threads::single());
        let switches = found.effective_size / all.rows() as f64 / (truth.effective_size / founders as f64);
        assert!((0.5..4.0).contains(&switches), "{switches}");
        assert!((0.005..0.03).contains(&found.error), "{}", found.error);
        assert_eq!(estimate(none, &Threads::new(3)), found);
        let given = Rates { effective_size: 0.0, error: 0.02 };
        assert_eq!(estimate(given, &Threads::single()).error, 0.02);
    }
}
