//! A hidden Markov model of haplotype clusters (fastPHASE: Scheet and Stephens 2006). It holds frequencies in clusters, not
//! haplotypes; but the fewer haplotypes a cluster stands for, the nearer it comes to being one.
//!
//! The state at a site is a cluster, K of them. A cluster has a probability of the alternate allele at each site. Between
//! two sites a switch happens with probability `1 - exp(-d)`, d the expected number of switches between them, to a cluster
//! drawn by the weights of entry of that stretch of the genome (the same cluster included); at a contig's first site always.
//!
//! Passes are exact, O(K) a site, in f32 with each site scaled to sum 1. As in the copying model, sites without an
//! observation need no pass: between two knots (observed sites, and the ends of stretches) a state's weight is
//! `(a forward + b entry) (c backward + d)` with numbers a to d of the site.

use super::copying::{Observed, Posterior};
use crate::compute::clusters::{Between, Emission, LANES};
use crate::compute::copying::Kernel;
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;
use crate::rng::Stream;
use std::ops::Range;

/// The most clusters. Not tuned: a file of one site a byte for each would be larger than most panels.
pub const MOST_CLUSTERS: usize = 65_536;
/// The least weight of entry, and the fewest switches that are expected between two sites: less would leave the range of
/// 32-bit numbers in the backward pass.
pub const LEAST: f32 = 1e-9;
/// How far a stretch's weights of entry may sum from 1.
const SUM_TOLERANCE: f64 = 1e-3;

/// The parameters of a model, without padding.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Number of clusters, K.
    pub clusters: usize,
    /// The probability of the alternate allele: a row a site, a column a cluster; inside [`probabilities`]' range.
    pub alternate: Vec<f32>,
    /// The first site of each stretch, rising from 0. A stretch stays within a contig.
    pub stretches: Vec<usize>,
    /// Weights of entry: a row a stretch, a column a cluster; a row sums to 1.
    pub entry: Vec<f32>,
    /// Switches that are expected between each site and the one before it; at a contig's first site it does not count.
    pub switches: Vec<f32>,
}

/// A hidden Markov model of clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    clusters: usize,
    /// Clusters, padded with copies of the first that are never entered: what they are worth stays in range.
    stride: usize,
    /// A row a site.
    alternate: Vec<f32>,
    /// The number of each site's stretch, and the sites of each stretch.
    stretch_of: Vec<u32>,
    stretches: Vec<Range<usize>>,
    /// A row a stretch.
    entry: Vec<f32>,
    switches: Vec<f32>,
    /// Expected switches from the first site on, and the probability of a switch just before each site.
    total: Vec<f64>,
    chances: Vec<f64>,
    /// The number of each site's contig.
    contigs: Vec<u32>,
    kernel: Kernel,
}

/// The 256 probabilities that a model file can hold, rising: their log odds are evenly spaced from -10 to 10. So the
/// smallest is 4.5e-5, and neighbours differ by 8% of it at the ends and by .02 in the middle. Made without a call of `exp`,
/// so that they have the same bits everywhere.
pub fn probabilities() -> [f32; 256] {
    // e^(20 / 255), and its root.
    const STEP: f64 = 1.081_589_125_910_504_4;
    const HALF: f64 = 1.039_994_772_059_217_8;
    let mut out = [0.5; 256];
    let mut odds = HALF;
    for i in 0..128 {
        out[128 + i] = (odds / (1.0 + odds)) as f32;
        out[127 - i] = (1.0 / (1.0 + odds)) as f32;
        odds *= STEP;
    }
    out
}

/// The number of the probability that is nearest in log odds.
pub fn code(table: &[f32; 256], probability: f32) -> u8 {
    let above = table.partition_point(|p| *p < probability);
    let odds = |p: f32| f64::from(p) / (1.0 - f64::from(p));
    match (above.checked_sub(1), table.get(above)) {
        (Some(below), Some(p)) if odds(probability).powi(2) < odds(table[below]) * odds(*p) => below as u8,
        (_, Some(_)) => above as u8,
        (_, None) => 255,
    }
}

impl Clusters {
    /// A model of its parameters, bound to `sites`.
    ///
    /// # Errors
    /// `InvalidArgument` for parameters of another shape or out of range; `OutOfMemory`.
    pub fn new(parameters: &Parameters, sites: &Sites) -> Result<Self> {
        let (n, m) = (parameters.clusters, sites.len());
        let stretches = &parameters.stretches;
        let shapes = parameters.alternate.len() == n.saturating_mul(m)
            && parameters.entry.len() == n.saturating_mul(stretches.len())
            && parameters.switches.len() == m;
        if n == 0 || n > MOST_CLUSTERS || m == 0 || !shapes {
            return Err(Error::argument(format!("the parameters are not those of {n} clusters at {m} sites")));
        }
        let rises = stretches.first() == Some(&0) && stretches.windows(2).all(|pair| pair[0] < pair[1]);
        let mut contigs: Vec<u32> = Vec::with_capacity(m);
        for s in 0..m {
            let new = s > 0 && sites[s].contig != sites[s - 1].contig;
            contigs.push(contigs.last().map_or(0, |last| last + u32::from(new)));
        }
        let starts = |s: &usize| *s == 0 || contigs[*s] != contigs[*s - 1];
        if !rises || stretches.last() >= Some(&m) || !(0..m).filter(starts).all(|s| stretches.binary_search(&s).is_ok())
        {
            return Err(Error::argument("stretches have to rise from site 0, and begin where contigs do"));
        }
        let table = probabilities();
        if !parameters.alternate.iter().all(|p| (table[0]..=table[255]).contains(p)) {
            return Err(Error::argument(format!("a probability is outside {}..{}", table[0], table[255])));
        }
        let sums = parameters.entry.chunks_exact(n).map(|row| row.iter().map(|w| f64::from(*w)).sum::<f64>());
        if !parameters.entry.iter().all(|w| *w >= LEAST)
            || !sums.into_iter().all(|sum| (sum - 1.0).abs() <= SUM_TOLERANCE)
        {
            return Err(Error::argument(format!("weights of entry are {LEAST} or more, and sum to 1")));
        }
        if !parameters.switches.iter().all(|d| (LEAST..=f32::MAX).contains(d)) {
            return Err(Error::argument(format!("the switches expected between two sites are {LEAST} or more")));
        }
        let stride = n.next_multiple_of(LANES);
        let ends = stretches.iter().skip(1).copied().chain([m]);
        let stretches: Vec<Range<usize>> = stretches.iter().zip(ends).map(|(first, end)| *first..end).collect();
        let mut stretch_of = vec![0; m];
        stretches.iter().enumerate().for_each(|(i, range)| stretch_of[range.clone()].fill(i as u32));
        let mut sum = 0.0;
        let total = parameters.switches.iter().map(|d| {
            sum += f64::from(*d);
            sum
        });
        Ok(Clusters {
            clusters: n,
            stride,
            alternate: padded(&parameters.alternate, n, stride, |row| row[0])?,
            entry: padded(&parameters.entry, n, stride, |_| 0.0)?,
            total: total.collect(),
            chances: parameters.switches.iter().map(|d| -(-f64::from(*d)).exp_m1()).collect(),
            switches: parameters.switches.clone(),
            stretch_of,
            stretches,
            contigs,
            kernel: Kernel::best(),
        })
    }

    /// The same with other instructions, for tests and measurements.
    pub fn with_kernel(self, kernel: Kernel) -> Self {
        Clusters { kernel, ..self }
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.switches.len()
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// Number of states of a pass: clusters, and padding.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The sites of each stretch.
    pub(crate) fn stretches(&self) -> &[Range<usize>] {
        &self.stretches
    }

    /// The instructions of its passes.
    pub(crate) fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// What it was made of.
    pub fn parameters(&self) -> Parameters {
        let plain =
            |rows: &[f32]| rows.chunks_exact(self.stride).flat_map(|row| &row[..self.clusters]).copied().collect();
        Parameters {
            clusters: self.clusters,
            alternate: plain(&self.alternate),
            stretches: self.stretches.iter().map(|range| range.start).collect(),
            entry: plain(&self.entry),
            switches: self.switches.clone(),
        }
    }

    /// The probabilities of the alternate allele at a site.
    pub(crate) fn alternate(&self, site: usize) -> &[f32] {
        &self.alternate[site * self.stride..][..self.stride]
    }

    /// The likeliest alleles of each cluster: a row a cluster, a column a site.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn likeliest(&self) -> Result<BitMatrix> {
        BitMatrix::from_fn(self.clusters, self.sites(), |cluster, site| self.alternate(site)[cluster] > 0.5)
    }

    /// The weights of entry at a site.
    pub(crate) fn entry(&self, site: usize) -> &[f32] {
        &self.entry[self.stretch_of[site] as usize * self.stride..][..self.stride]
    }

    /// The probability of a switch between two sites, `from` before `to`.
    pub(crate) fn switch(&self, from: usize, to: usize) -> f64 {
        match self.contigs[from] == self.contigs[to] {
            true if from + 1 == to => self.chances[to],
            true => -(self.total[from] - self.total[to]).exp_m1(),
            false => 1.0,
        }
    }

    /// One step of the forward pass, from the site `before` (none at the start) to `site`; `sum` is that of the states
    /// before it. Returns the new sum: the probability of the site's allele after those before it, where `states` and
    /// `sum` go on from step to step.
    pub(crate) fn forward(
        &self,
        states: &mut [f32],
        before: Option<usize>,
        site: usize,
        allele: Option<bool>,
        sum: f32,
    ) -> f32 {
        let switch = before.map_or(1.0, |before| self.switch(before, site));
        let stay = ((1.0 - switch) / f64::from(sum)) as f32;
        self.kernel.enter(states, self.entry(site), self.alternate(site), emission(allele), stay, switch as f32)
    }

    /// The knots of a pass: observed sites, and the first and last sites of stretches.
    fn knots(&self, observed: &[Observed]) -> Result<Vec<(usize, Option<bool>)>> {
        let rises = observed.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !rises || observed.last().is_some_and(|(site, _)| *site >= self.sites()) {
            return Err(Error::argument(format!("observed sites have to rise, below {}", self.sites())));
        }
        let mut knots = Vec::new();
        if knots.try_reserve_exact(observed.len() + 2 * self.stretches.len()).is_err() {
            return Err(Error::new(ErrorKind::OutOfMemory, format!("no memory for {} observed sites", observed.len())));
        }
        let mut rest = observed.iter().peekable();
        for end in self.stretches.iter().flat_map(|range| [range.start, range.end - 1]) {
            while let Some((site, allele)) = rest.next_if(|(site, _)| *site <= end) {
                knots.push((*site, Some(*allele)));
            }
            if knots.last().is_none_or(|(site, _)| *site < end) {
                knots.push((end, None));
            }
        }
        Ok(knots)
    }

    fn zeros(&self, rows: usize) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        let n = rows.checked_mul(self.stride);
        if n.is_none_or(|n| out.try_reserve_exact(n).is_err()) {
            let what = format!("no memory for {rows} sites x {} clusters", self.clusters);
            return Err(Error::new(ErrorKind::OutOfMemory, what).remedy("impute in smaller windows"));
        }
        out.resize(rows * self.stride, 0.0);
        Ok(out)
    }

    /// Natural log of the probability of what was observed (sites rising).
    ///
    /// # Errors
    /// `InvalidArgument`; `OutOfMemory`.
    pub fn log_likelihood(&self, observed: &[Observed]) -> Result<f64> {
        let knots = self.knots(observed)?;
        let mut states = self.zeros(1)?;
        let (mut sum, mut log, mut before) = (1.0, 0.0, None);
        for (site, allele) in knots {
            sum = self.forward(&mut states, before, site, allele, sum);
            log += f64::from(sum).ln();
            before = Some(site);
        }
        Ok(log)
    }

    /// What is known of all sites once some are observed (sites rising; none is fine: the model's frequencies then). The
    /// dosage of an observed site is what its clusters expect there, all observations considered. Memory is (observed
    /// sites + 2 x stretches) x clusters x 4 bytes.
    ///
    /// # Errors
    /// `InvalidArgument`; `OutOfMemory`.
    pub fn posterior(&self, observed: &[Observed]) -> Result<Posterior> {
        let knots = self.knots(observed)?;
        let mut forward = self.zeros(knots.len())?;
        let mut sums: Vec<f32> = Vec::with_capacity(knots.len());
        let mut log = 0.0;
        for (t, (site, allele)) in knots.iter().enumerate() {
            let (done, rest) = forward.split_at_mut(t * self.stride);
            let mut before = None;
            if t > 0 {
                rest[..self.stride].copy_from_slice(&done[(t - 1) * self.stride..]);
                before = Some(knots[t - 1].0);
            }
            let sum = sums.last().copied().unwrap_or(1.0);
            let sum = self.forward(&mut rest[..self.stride], before, *site, *allele, sum);
            log += f64::from(sum).ln();
            sums.push(sum);
        }

        let mut out =
            Posterior { dosages: vec![0.0; self.sites()], left_out: vec![0.0; observed.len()], log_likelihood: log };
        let mut unseen = observed.len();
        let mut backward = self.zeros(1)?;
        backward.fill(1.0);
        // The knot after, whose emission `backward` includes: its site, its sum, and what a state that is entered there is
        // worth.
        let mut after: Option<(usize, f32, f32)> = None;
        for (t, (knot, allele)) in knots.iter().copied().enumerate().rev() {
            let states = &forward[t * self.stride..][..self.stride];
            let towards = |site: usize| match after {
                Some((next, sum, entered)) => {
                    let switch = self.switch(site, next);
                    [(1.0 - switch) / f64::from(sum), switch * f64::from(entered) / f64::from(sum)].map(|x| x as f32)
                }
                None => [1.0, 0.0],
            };
            for site in knot..after.map_or(knot + 1, |(next, ..)| next) {
                let switch = self.switch(knot, site);
                let [c, d] = towards(site);
                let between = Between { a: ((1.0 - switch) / f64::from(sums[t])) as f32, b: switch as f32, c, d };
                let [found, all] =
                    self.kernel.expect(states, &backward, self.entry(site), self.alternate(site), between);
                out.dosages[site] = (found / all).clamp(0.0, 1.0);
            }
            let [scale, shift] = towards(knot);
            self.kernel.shift(&mut backward, scale, shift);
            if let Some(allele) = allele {
                let emission = Emission::of(allele);
                let [with, without] = self.kernel.without(states, &backward, self.alternate(knot), emission);
                let chance = (with / without).clamp(0.0, 1.0);
                unseen -= 1;
                out.left_out[unseen] = if allele { chance } else { 1.0 - chance };
            }
            let entered = self.kernel.observe(&mut backward, self.entry(knot), self.alternate(knot), emission(allele));
            after = Some((knot, sums[t], entered));
        }
        Ok(out)
    }

    /// Draws a haplotype: walks along the genome, switches clusters, draws alleles. It reads three words of `stream` a
    /// site, and hands over each site with the alternate allele.
    pub fn draw(&self, stream: &Stream, mut set: impl FnMut(usize)) {
        const WORDS: f64 = 4_294_967_296.0;
        let mut words = stream.reader(0);
        let mut cluster = 0;
        for site in 0..self.sites() {
            let [switch, choice, allele] = [(); 3].map(|()| f64::from(words.word()));
            let chance = site.checked_sub(1).map_or(1.0, |before| self.switch(before, site));
            if switch < chance * WORDS {
                let entry = &self.entry(site)[..self.clusters];
                let mut left = choice / WORDS * entry.iter().map(|w| f64::from(*w)).sum::<f64>();
                let chosen = entry.iter().position(|w| {
                    left -= f64::from(*w);
                    left < 0.0
                });
                cluster = chosen.unwrap_or(self.clusters - 1);
            }
            if allele < f64::from(self.alternate(site)[cluster]) * WORDS {
                set(site);
            }
        }
    }
}

fn emission(allele: Option<bool>) -> Emission {
    allele.map_or(Emission::NONE, Emission::of)
}

/// Rows of `n` numbers, each followed by its `fill` up to `stride`.
fn padded(rows: &[f32], n: usize, stride: usize, fill: fn(&[f32]) -> f32) -> Result<Vec<f32>> {
    let mut out = Vec::new();
    let length = (rows.len() / n).checked_mul(stride);
    if length.is_none_or(|length| out.try_reserve_exact(length).is_err()) {
        let what = format!("no memory for {} x {n} numbers", rows.len() / n);
        return Err(
            Error::new(ErrorKind::OutOfMemory, what).remedy("take a smaller region, or a model of fewer clusters")
        );
    }
    for row in rows.chunks_exact(n) {
        out.extend_from_slice(row);
        out.resize(out.len() + stride - n, fill(row));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::sites::Site;
    use crate::rng::Purpose;

    const CONTIGS: [&str; 7] = ["1", "1", "1", "1", "2", "2", "2"];

    fn sites() -> Sites {
        let site = |(i, contig): (usize, &&str)| Site {
            contig: (*contig).into(),
            position: i as u64 + 1,
            id: "".into(),
            reference: "A".into(),
            alternate: "C".into(),
        };
        Sites::new(CONTIGS.iter().enumerate().map(site).collect()).unwrap()
    }

    fn parameters(clusters: usize) -> Parameters {
        let random = Stream::new(4, Purpose::Evaluate, clusters as u64);
        let numbers = |first: u64, n: usize| (0..n).map(move |i| random.uniform(first + i as u64));
        let stretches = vec![0, 2, 4, 5];
        let entry: Vec<f32> = numbers(10_000, 4 * clusters).map(|x| 0.05 + x).collect();
        let share = |row: &[f32]| row.iter().map(|x| x / row.iter().sum::<f32>()).collect::<Vec<_>>();
        Parameters {
            clusters,
            alternate: numbers(0, 7 * clusters)
                .map(|x| if x < 0.5 { 0.001 + 0.3 * x } else { 0.999 - 0.3 * (1.0 - x) })
                .collect(),
            entry: entry.chunks_exact(clusters).flat_map(share).collect(),
            stretches,
            switches: vec![0.3, 0.1, 0.02, 1.5, 0.4, 1e-6, 0.25],
        }
    }

    fn model(clusters: usize) -> (Clusters, Parameters) {
        let parameters = parameters(clusters);
        (Clusters::new(&parameters, &sites()).unwrap(), parameters)
    }

    /// The chance that a haplotype with these alleles (`None`: any) is in each cluster at each site, by both recursions in
    /// double precision over a full matrix of transitions; and its probability.
    fn exact(p: &Parameters, alleles: &[Option<bool>]) -> (Vec<Vec<f64>>, f64) {
        let k = p.clusters;
        let emission = |s: usize, c: usize| match alleles[s] {
            Some(true) => f64::from(p.alternate[s * k + c]),
            Some(false) => 1.0 - f64::from(p.alternate[s * k + c]),
            None => 1.0,
        };
        let into = |s: usize, from: usize, to: usize| {
            let stretch = p.stretches.iter().rposition(|first| *first <= s).unwrap();
            let new = s == 0 || CONTIGS[s] != CONTIGS[s - 1];
            let switch = if new { 1.0 } else { 1.0 - (-f64::from(p.switches[s])).exp() };
            (if from == to { 1.0 - switch } else { 0.0 }) + switch * f64::from(p.entry[stretch * k + to])
        };
        let mut forward = vec![(0..k).map(|c| into(0, k, c) * emission(0, c)).collect::<Vec<f64>>()];
        for s in 1..7 {
            let next =
                |to: usize| emission(s, to) * (0..k).map(|from| forward[s - 1][from] * into(s, from, to)).sum::<f64>();
            forward.push((0..k).map(next).collect());
        }
        let mut backward = vec![vec![1.0; k]; 7];
        for s in (0..6).rev() {
            let after = backward[s + 1].clone();
            let of =
                |from: usize| (0..k).map(|to| into(s + 1, from, to) * emission(s + 1, to) * after[to]).sum::<f64>();
            backward[s] = (0..k).map(of).collect();
        }
        let total: f64 = forward[6].iter().sum();
        let weigh = |(f, b): (&Vec<f64>, &Vec<f64>)| f.iter().zip(b).map(|(f, b)| f * b / total).collect();
        (forward.iter().zip(&backward).map(weigh).collect(), total)
    }

    fn some(alleles: &[Option<bool>]) -> Vec<Observed> {
        alleles.iter().enumerate().filter_map(|(s, allele)| allele.map(|a| (s, a))).collect()
    }

    fn whole(haplotype: usize) -> Vec<Option<bool>> {
        (0..7).map(|s| Some(haplotype >> s & 1 == 1)).collect()
    }

    #[test]
    fn the_likelihood_sums_to_one_over_all_haplotypes() {
        for clusters in [1, 3, 64, 130] {
            let (model, parameters) = model(clusters);
            let mut sum = 0.0;
            for haplotype in 0..1 << 7 {
                let found = model.log_likelihood(&some(&whole(haplotype))).unwrap();
                let (_, exact) = exact(&parameters, &whole(haplotype));
                assert!((found - exact.ln()).abs() < 1e-5, "{found} {}", exact.ln());
                sum += found.exp();
            }
            assert!((sum - 1.0).abs() < 1e-5, "{clusters} clusters: {sum}");
        }
    }

    /// Sites without an observation against sums over all haplotypes that agree with what was observed; observed ones
    /// against the chances of clusters; sites left out against the posterior without them.
    #[test]
    fn posteriors_are_those_of_the_enumerated_model() {
        for clusters in [2, 70] {
            let (model, parameters) = model(clusters);
            let every: Vec<f64> = (0..1 << 7).map(|h| exact(&parameters, &whole(h)).1).collect();
            for observed in [vec![], vec![0, 3, 6], vec![2], vec![1, 4, 5], vec![0, 1, 2, 3, 4, 5, 6]] {
                for alleles in [0usize, 0b0101101, 0b1111111] {
                    let of = |s: usize| observed.contains(&s).then_some(alleles >> s & 1 == 1);
                    let seen: Vec<Option<bool>> = (0..7).map(of).collect();
                    let found = model.posterior(&some(&seen)).unwrap();
                    assert!((found.log_likelihood - model.log_likelihood(&some(&seen)).unwrap()).abs() < 1e-5);
                    let agrees = |h: &usize| (0..7).all(|s| seen[s].is_none_or(|allele| allele == (h >> s & 1 == 1)));
                    let total: f64 = (0..1 << 7).filter(agrees).map(|h| every[h]).sum();
                    assert!((found.log_likelihood - total.ln()).abs() < 1e-5);
                    let (chances, _) = exact(&parameters, &seen);
                    for s in 0..7 {
                        let row = &parameters.alternate[s * clusters..][..clusters];
                        let expected: f64 = chances[s].iter().zip(row).map(|(c, p)| c * f64::from(*p)).sum();
                        assert!((f64::from(found.dosages[s]) - expected).abs() < 1e-5, "{seen:?} {s}");
                        if seen[s].is_none() {
                            let with = (0..1 << 7).filter(agrees).filter(|h| h >> s & 1 == 1).map(|h| every[h]);
                            assert!(
                                (f64::from(found.dosages[s]) - with.sum::<f64>() / total).abs() < 1e-5,
                                "{seen:?} {s}"
                            );
                        }
                    }
                    for (i, site) in observed.iter().enumerate() {
                        let mut others = seen.clone();
                        others[*site] = None;
                        let without = model.posterior(&some(&others)).unwrap().dosages[*site];
                        assert!((found.left_out[i] - without).abs() < 1e-4, "{seen:?} {site}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_path_of_instructions_gives_the_same_posterior() {
        let (model, _) = model(100);
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
        let (model, parameters) = model(5);
        let n = 40_000;
        let mut counts = vec![0.0; 1 << 7];
        for i in 0..n {
            let mut haplotype = 0;
            model.draw(&Stream::new(8, Purpose::Sample, i), |site| haplotype |= 1usize << site);
            counts[haplotype] += 1.0;
        }
        let cell = |h: usize| {
            let expected = n as f64 * exact(&parameters, &whole(h)).1;
            (counts[h] - expected).powi(2) / expected
        };
        let chi: f64 = (0..1 << 7).map(cell).sum();
        assert!(chi < 192.0, "{chi}");
    }

    #[test]
    fn every_probability_of_a_file_is_its_own_code() {
        let table = probabilities();
        assert!(table.is_sorted_by(|a, b| a < b));
        (0..=255).for_each(|i| assert_eq!(code(&table, table[usize::from(i)]), i));
        assert_eq!([code(&table, 0.0), code(&table, 0.501), code(&table, 1.0)], [0, 128, 255]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (model, parameters) = model(5);
        assert_eq!(model.parameters(), parameters);
        assert!(model.log_likelihood(&[(3, true), (3, true)]).is_err());
        assert!(model.posterior(&[(7, true)]).is_err());
        let refused = |change: fn(&mut Parameters)| {
            let mut bad = parameters.clone();
            change(&mut bad);
            assert_eq!(Clusters::new(&bad, &sites()).unwrap_err().kind(), ErrorKind::InvalidArgument);
        };
        refused(|p| p.alternate[3] = 0.0);
        refused(|p| p.alternate[3] = f32::NAN);
        refused(|p| p.entry[0] += 0.01);
        refused(|p| p.entry[0] = -1.0);
        refused(|p| p.switches[2] = f32::INFINITY);
        refused(|p| p.switches[2] = 0.0);
        refused(|p| p.switches.truncate(6));
        refused(|p| p.stretches[1] = 3_000);
        refused(|p| p.stretches[0] = 1);
        refused(|p| p.stretches[2] = 3);
        refused(|p| p.clusters = 0);
        refused(|p| p.clusters = usize::MAX);
    }
}
