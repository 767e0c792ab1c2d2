//! The copying model of Li and Stephens (2003): a haplotype is a mosaic of the panel's haplotypes, with errors.
//!
//! The state at a site is the haplotype copied from, K of them. Between two sites a switch happens with probability
//! `1 - exp(-d)`, d the expected number of switches between them, to a haplotype drawn uniformly (the same one included);
//! at a contig's first site always. The allele is the copied one, or with probability `error` the other.
//!
//! Forward and backward passes are exact, O(K) a site (every state goes to every other alike), in f32 with each site
//! scaled to sum 1. Sites without an observation need no pass: between two observed sites the posterior of a state is
//! `(a alpha + b) (c beta + d)` with numbers a to d of the site, so the posterior of an allele is put together from three
//! sums over its carriers. No state is left out.

use crate::compute::copying::Kernel;
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::{BitMatrix, words_for};
use crate::panel::sites::Sites;
use crate::rng::Stream;

/// Alleles rarer than one in so many states are summed one by one. Not tuned: a vector of 16 states costs about what one
/// state does, and somewhat rarer than one in 16 the single sums are fewer.
const SPARSE: usize = 24;

/// A panel to copy from.
#[derive(Clone, Debug)]
pub struct Copying {
    /// A row a site, a column a haplotype.
    alleles: BitMatrix,
    /// Alternate alleles at each site.
    counts: Vec<u32>,
    /// Expected switches from the first site on.
    switches: Vec<f64>,
    /// The number of each site's contig.
    contigs: Vec<u32>,
    error: f64,
    kernel: Kernel,
}

/// An observed allele: the number of the site, and whether it is the alternate one.
pub type Observed = (usize, bool);

/// What the model says of a haplotype.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// The probability of the alternate allele at each site, 0 to 1.
    pub dosages: Vec<f32>,
    /// The same at each observed site, from all other observed sites alone.
    pub left_out: Vec<f32>,
    /// Natural log of the probability of what was observed.
    pub log_likelihood: f64,
}

impl Copying {
    /// A model of `haplotypes` (a row each, a column a site). `switches[s]` is the number of switches that is expected
    /// between site s - 1 and site s, at least 0 (at a contig's first site it does not count); `error` is more than 0 and
    /// at most 1/2.
    ///
    /// # Errors
    /// `Empty`; `InvalidArgument` for numbers out of range or of another length; `OutOfMemory`.
    pub fn new(haplotypes: &BitMatrix, sites: &Sites, switches: &[f64], error: f64) -> Result<Self> {
        if haplotypes.rows() == 0 || sites.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "there is nothing to copy from: no haplotypes or no sites"));
        }
        if haplotypes.columns() != sites.len() || switches.len() != sites.len() {
            return Err(Error::argument(format!(
                "{} columns and {} switch rates for {} sites",
                haplotypes.columns(),
                switches.len(),
                sites.len()
            )));
        }
        if let Some(bad) = switches.iter().position(|d| !(0.0..=f64::MAX).contains(d)) {
            let site = &sites[bad];
            return Err(Error::argument(format!("{} switches are expected", switches[bad]))
                .site(&site.contig, site.position)
                .remedy("a number of switches is 0 or more"));
        }
        if !(error > 0.0 && error <= 0.5) {
            return Err(Error::argument(format!("the error rate is {error}")).remedy("give more than 0, at most 0.5"));
        }
        let alleles = haplotypes.transpose()?;
        let mut total = 0.0;
        let (mut contigs, mut cumulative) = (Vec::with_capacity(sites.len()), Vec::with_capacity(sites.len()));
        for (s, site) in sites.iter().enumerate() {
            let new = s > 0 && site.contig != sites[s - 1].contig;
            contigs.push(contigs.last().map_or(0, |last| last + u32::from(new)));
            total += switches[s];
            cumulative.push(total);
        }
        Ok(Copying {
            counts: (0..alleles.rows()).map(|s| alleles.count_row(s) as u32).collect(),
            alleles,
            switches: cumulative,
            contigs,
            error,
            kernel: Kernel::best(),
        })
    }

    /// The same with other instructions, for tests and measurements.
    pub fn with_kernel(self, kernel: Kernel) -> Self {
        Copying { kernel, ..self }
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.alleles.rows()
    }

    /// Number of haplotypes to copy from.
    pub fn states(&self) -> usize {
        self.alleles.columns()
    }

    /// The probability of a switch between two sites.
    fn switch(&self, from: usize, to: usize) -> f64 {
        match self.contigs[from] == self.contigs[to] {
            true => -(self.switches[from] - self.switches[to]).exp_m1(),
            false => 1.0,
        }
    }

    /// Observed sites have to rise.
    fn check(&self, observed: &[Observed]) -> Result<()> {
        let rises = observed.windows(2).all(|pair| pair[0].0 < pair[1].0);
        match rises && observed.last().is_none_or(|(site, _)| *site < self.sites()) {
            true => Ok(()),
            false => Err(Error::argument(format!("observed sites have to rise, below {}", self.sites()))),
        }
    }

    /// What a mismatch is worth against a match.
    fn mismatch(&self) -> f32 {
        (self.error / (1.0 - self.error)) as f32
    }

    /// One step of either pass; `sum` is that of the states before it. Returns the new sum.
    fn step(&self, states: &mut [f32], (site, allele): Observed, switch: f64, sum: f32) -> f32 {
        let stay = ((1.0 - switch) / f64::from(sum)) as f32;
        let jump = (switch / self.states() as f64) as f32;
        self.kernel.step(states, self.alleles.row(site), allele, stay, jump, self.mismatch())
    }

    /// Natural log of the probability of what was observed (sites rising).
    ///
    /// # Errors
    /// `InvalidArgument`; `OutOfMemory`.
    pub fn log_likelihood(&self, observed: &[Observed]) -> Result<f64> {
        self.check(observed)?;
        let mut states = self.zeros(1)?;
        let (mut sum, mut log) = (1.0, 0.0);
        let mut before = None;
        for here in observed {
            let switch = before.map_or(1.0, |before| self.switch(before, here.0));
            sum = self.step(&mut states, *here, switch, sum);
            log += f64::from(sum).ln();
            before = Some(here.0);
        }
        Ok(log + observed.len() as f64 * (1.0 - self.error).ln())
    }

    fn zeros(&self, rows: usize) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        let n = rows.checked_mul(self.states());
        if n.is_none_or(|n| out.try_reserve_exact(n).is_err()) {
            let what = format!("no memory for {rows} sites x {} states", self.states());
            return Err(Error::new(ErrorKind::OutOfMemory, what).remedy("impute in smaller windows"));
        }
        out.resize(rows * self.states(), 0.0);
        Ok(out)
    }

    /// What is known of all sites once some are observed (sites rising; none is fine: the panel's frequencies then).
    /// Memory is observed sites x states x 4 bytes.
    ///
    /// # Errors
    /// `InvalidArgument`; `OutOfMemory`.
    pub fn posterior(&self, observed: &[Observed]) -> Result<Posterior> {
        self.check(observed)?;
        let k = self.states();
        let mut forward = self.zeros(observed.len())?;
        let mut sums = Vec::with_capacity(observed.len());
        let mut log = observed.len() as f64 * (1.0 - self.error).ln();
        for (t, here) in observed.iter().enumerate() {
            let (done, rest) = forward.split_at_mut(t * k);
            let mut switch = 1.0;
            if t > 0 {
                rest[..k].copy_from_slice(&done[(t - 1) * k..]);
                switch = self.switch(observed[t - 1].0, here.0);
            }
            let sum = self.step(&mut rest[..k], *here, switch, sums.last().copied().unwrap_or(1.0));
            log += f64::from(sum).ln();
            sums.push(sum);
        }

        let mut out =
            Posterior { dosages: vec![0.0; self.sites()], left_out: vec![0.0; observed.len()], log_likelihood: log };
        // From the end: `backward` holds what comes after an interval, the emission at its right end included.
        let nothing = self.zeros(1)?;
        let mut backward = self.zeros(1)?;
        let mut after: Option<(usize, f32)> = None;
        for t in (0..=observed.len()).rev() {
            let first = t.checked_sub(1).map_or(0, |t| observed[t].0);
            let last = observed.get(t).map_or(self.sites(), |(site, _)| *site);
            let before = t.checked_sub(1).map(|t| (observed[t].0, sums[t]));
            let alpha = t.checked_sub(1).map_or(&nothing[..], |t| &forward[t * k..][..k]);
            let interval = Interval { alpha, beta: &backward, before, after };
            self.fill(&interval, first, &mut out.dosages[first..last]);
            let Some((site, allele)) = t.checked_sub(1).map(|t| observed[t]) else { break };
            out.left_out[t - 1] = self.left_out(out.dosages[site], allele);
            let (switch, sum) = after.map_or((1.0, 1.0), |(next, sum)| (self.switch(site, next), sum));
            after = Some((site, self.step(&mut backward, (site, allele), switch, sum)));
        }
        Ok(out)
    }

    /// The posterior of the alternate allele without the observation of the site itself: its emission is divided out.
    fn left_out(&self, dosage: f32, allele: bool) -> f32 {
        let (mut alternate, mut reference) = (f64::from(dosage), 1.0 - f64::from(dosage));
        match allele {
            true => reference /= f64::from(self.mismatch()),
            false => alternate /= f64::from(self.mismatch()),
        }
        (alternate / (alternate + reference)) as f32
    }

    /// The posteriors at the sites of an interval, from number `first` on.
    fn fill(&self, interval: &Interval, first: usize, dosages: &mut [f32]) {
        let k = self.states();
        let ones = vec![u64::MAX; words_for(k)];
        let all = self.kernel.carriers(interval.alpha, interval.beta, &ones);
        let side = |end: Option<(usize, f32)>, site: usize| match end {
            Some((at, sum)) => {
                let switch = self.switch(at.min(site), at.max(site));
                ((1.0 - switch) / f64::from(sum), switch / k as f64)
            }
            None => (0.0, 1.0 / k as f64),
        };
        for (i, dosage) in dosages.iter_mut().enumerate() {
            let site = first + i;
            let (a, b) = side(interval.before, site);
            let (c, d) = side(interval.after, site);
            let weigh = |sums: [f32; 3], n: f64| {
                a * c * f64::from(sums[0]) + a * d * f64::from(sums[1]) + b * c * f64::from(sums[2]) + b * d * n
            };
            let count = self.counts[site] as usize;
            let minor = count.min(k - count);
            let sums = match minor * SPARSE <= k {
                true => self.sparse(interval, site, count > minor),
                false => self.kernel.carriers(interval.alpha, interval.beta, self.alleles.row(site)),
            };
            let total = weigh(all, k as f64);
            let found = match minor * SPARSE <= k && count > minor {
                true => total - weigh(sums, minor as f64),
                false => weigh(sums, count as f64),
            };
            *dosage = (found / total).clamp(0.0, 1.0) as f32;
        }
    }

    /// The sums over the few carriers of an allele: of the alternate one, or of the reference one if `reference`.
    fn sparse(&self, interval: &Interval, site: usize, reference: bool) -> [f32; 3] {
        let flip = if reference { u64::MAX } else { 0 };
        let mut sums = [0.0; 3];
        for (w, word) in self.alleles.row(site).iter().enumerate() {
            let mut word = word ^ flip;
            while word != 0 {
                let state = 64 * w + word.trailing_zeros() as usize;
                word &= word - 1;
                let (Some(alpha), Some(beta)) = (interval.alpha.get(state), interval.beta.get(state)) else { break };
                sums[0] += alpha * beta;
                sums[1] += alpha;
                sums[2] += beta;
            }
        }
        sums
    }

    /// Draws a haplotype as HAPGEN2 does (Su et al. 2011): walks along the panel, switches, errs. It reads three words of
    /// `stream` a site, and hands over each site with the alternate allele.
    pub fn draw(&self, stream: &Stream, mut set: impl FnMut(usize)) {
        let mut words = stream.reader(0);
        let mut donor = 0;
        for site in 0..self.sites() {
            let [switch, choice, error] = [(); 3].map(|()| words.word());
            let chance = site.checked_sub(1).map_or(1.0, |before| self.switch(before, site));
            if f64::from(switch) < chance * 4_294_967_296.0 {
                donor = ((u64::from(choice) * self.states() as u64) >> 32) as usize;
            }
            if self.alleles.get(site, donor) != (f64::from(error) < self.error * 4_294_967_296.0) {
                set(site);
            }
        }
    }
}

/// What lies between two observed sites.
struct Interval<'a> {
    /// Forward states at the left end, with the number of its site and their sum; nothing before the first.
    alpha: &'a [f32],
    before: Option<(usize, f32)>,
    /// Backward states at the right end, its emission included; nothing after the last.
    beta: &'a [f32],
    after: Option<(usize, f32)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::sites::Site;
    use crate::rng::Purpose;

    fn sites(contigs: &[&str]) -> Sites {
        let site = |(i, contig): (usize, &&str)| Site {
            contig: (*contig).into(),
            position: i as u64 + 1,
            id: "".into(),
            reference: "A".into(),
            alternate: "C".into(),
        };
        Sites::new(contigs.iter().enumerate().map(site).collect()).unwrap()
    }

    const CONTIGS: [&str; 7] = ["1", "1", "1", "1", "2", "2", "2"];
    const SWITCHES: [f64; 7] = [0.3, 0.1, 0.02, 1.5, 0.4, 0.0, 0.25];

    fn model(haplotypes: usize, error: f64) -> (Copying, BitMatrix) {
        let random = Stream::new(3, Purpose::Evaluate, haplotypes as u64);
        let bits = BitMatrix::from_fn(haplotypes, 7, |r, c| random.uniform((7 * r + c) as u64) < 0.4).unwrap();
        (Copying::new(&bits, &sites(&CONTIGS), &SWITCHES, error).unwrap(), bits)
    }

    /// The probability of a haplotype, by the forward recursion in double precision over a full transition matrix.
    fn exact(bits: &BitMatrix, error: f64, haplotype: usize) -> f64 {
        let k = bits.rows();
        let emission = |s: usize, state: usize| match bits.get(state, s) == (haplotype >> s & 1 == 1) {
            true => 1.0 - error,
            false => error,
        };
        let mut alpha: Vec<f64> = (0..k).map(|state| emission(0, state) / k as f64).collect();
        for s in 1..7 {
            let switch = if CONTIGS[s] == CONTIGS[s - 1] { 1.0 - (-SWITCHES[s]).exp() } else { 1.0 };
            let next = |to: usize| {
                let into = |from: usize| if from == to { 1.0 - switch } else { 0.0 } + switch / k as f64;
                emission(s, to) * (0..k).map(|from| alpha[from] * into(from)).sum::<f64>()
            };
            alpha = (0..k).map(next).collect();
        }
        alpha.iter().sum()
    }

    fn all(haplotype: usize) -> Vec<Observed> {
        (0..7).map(|s| (s, haplotype >> s & 1 == 1)).collect()
    }

    #[test]
    fn the_likelihood_sums_to_one_over_all_haplotypes() {
        for (haplotypes, error) in [(1, 0.01), (5, 0.2), (70, 0.001), (130, 0.5)] {
            let (model, bits) = model(haplotypes, error);
            let mut sum = 0.0;
            for haplotype in 0..1 << 7 {
                let found = model.log_likelihood(&all(haplotype)).unwrap();
                let exact = exact(&bits, error, haplotype);
                assert!((found - exact.ln()).abs() < 1e-5, "{found} {}", exact.ln());
                sum += found.exp();
            }
            assert!((sum - 1.0).abs() < 1e-5, "{haplotypes} haplotypes: {sum}");
        }
    }

    /// Posteriors against sums over all haplotypes that agree with what was observed. The true allele behind an error is
    /// the copied one, so what is enumerated is the copied alleles: a model with the same panel and next to no error.
    #[test]
    fn posteriors_are_those_of_the_enumerated_model() {
        for (haplotypes, error) in [(5, 0.2), (70, 0.01), (200, 0.05)] {
            let (model, bits) = model(haplotypes, error);
            for observed in [vec![], vec![0, 3, 6], vec![2], vec![1, 4, 5], vec![0, 1, 2, 3, 4, 5, 6]] {
                for alleles in [0usize, 0b0101101, 0b1111111] {
                    let seen: Vec<Observed> = observed.iter().map(|s| (*s, alleles >> s & 1 == 1)).collect();
                    let found = model.posterior(&seen).unwrap();
                    assert!((found.log_likelihood - model.log_likelihood(&seen).unwrap()).abs() < 1e-5);
                    let (mut weights, mut total) = (vec![0.0; 7], 0.0);
                    for copied in 0..1usize << 7 {
                        let emission = |(s, allele): &Observed| match (copied >> s & 1 == 1) == *allele {
                            true => 1.0 - error,
                            false => error,
                        };
                        let p = exact(&bits, 1e-12, copied) * seen.iter().map(emission).product::<f64>();
                        total += p;
                        (0..7).filter(|s| copied >> s & 1 == 1).for_each(|s| weights[s] += p);
                    }
                    for (s, weight) in weights.iter().enumerate() {
                        assert!((f64::from(found.dosages[s]) - weight / total).abs() < 1e-5, "{seen:?} {s}");
                    }
                    for (i, (site, _)) in seen.iter().enumerate() {
                        let others: Vec<Observed> = seen.iter().copied().filter(|(s, _)| s != site).collect();
                        let without = model.posterior(&others).unwrap().dosages[*site];
                        assert!((found.left_out[i] - without).abs() < 1e-4, "{seen:?} {site}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_path_of_instructions_gives_the_same_posterior() {
        let (model, _) = model(333, 0.02);
        let seen = [(0, true), (3, false), (5, true)];
        let plain = model.clone().with_kernel(Kernel::Portable).posterior(&seen).unwrap();
        for kernel in Kernel::available() {
            assert_eq!(model.clone().with_kernel(kernel).posterior(&seen).unwrap(), plain);
        }
    }

    /// Frequencies of drawn haplotypes against their probabilities: chi-square over 128 cells, critical value at a
    /// false-alarm rate of 1e-4 (127 degrees of freedom, 192).
    #[test]
    fn drawn_haplotypes_have_their_probabilities() {
        let (model, bits) = model(5, 0.2);
        let n = 40_000;
        let mut counts = vec![0.0; 1 << 7];
        for i in 0..n {
            let mut haplotype = 0;
            model.draw(&Stream::new(8, Purpose::Sample, i), |site| haplotype |= 1usize << site);
            counts[haplotype] += 1.0;
        }
        let chi: f64 = (0..1 << 7)
            .map(|h| {
                let expected = n as f64 * exact(&bits, 0.2, h);
                (counts[h] - expected).powi(2) / expected
            })
            .sum();
        assert!(chi < 192.0, "{chi}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (model, bits) = model(5, 0.2);
        assert!(model.log_likelihood(&[(3, true), (3, true)]).is_err());
        assert!(model.posterior(&[(7, true)]).is_err());
        let sites = sites(&CONTIGS);
        let mut bad = SWITCHES;
        bad[2] = f64::NAN;
        assert!(Copying::new(&bits, &sites, &bad, 0.1).is_err());
        assert!(Copying::new(&bits, &sites, &SWITCHES, 0.0).is_err());
        assert!(Copying::new(&bits, &sites, &SWITCHES[1..], 0.1).is_err());
        let empty = BitMatrix::zeros(0, 7).unwrap();
        assert_eq!(Copying::new(&empty, &sites, &SWITCHES, 0.1).unwrap_err().kind(), ErrorKind::Empty);
    }
}
