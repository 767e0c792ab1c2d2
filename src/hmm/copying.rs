//! The copying model of Li and Stephens (2003): a haplotype is a mosaic of the panel's haplotypes, with errors.
//!
//! The state at a site is the haplotype copied from, K of them. Between two sites a switch happens with probability
//! `1 - exp(-d)`, d the expected number of switches between them, to a haplotype drawn from the prior (the same one
//! included); at a contig's first site always. The prior is uniform over the haplotypes of a panel; artificial haplotypes
//! appended to it may weigh less. The allele is the copied one, or with probability `error` the other.
//!
//! Forward and backward passes are exact, O(K) a site (every state goes to every other alike), in f32 with each site
//! scaled to sum 1. No state is left out. What is saved is exact too: sites without an observation need no pass, since
//! between two observed sites the posterior of a state is `(a alpha + b prior) (c beta + d)` with numbers a to d of the
//! site, so the posterior of an allele is put together from three sums over its carriers, and those of a rare allele are
//! visited one by one.

use crate::compute::copying::Kernel;
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::{BitMatrix, words_for};
use crate::panel::sites::Sites;
use crate::rng::Stream;
use std::ops::Range;
use std::sync::Arc;

/// Alleles rarer than one in so many states are summed one by one. Not tuned: a vector of 16 states costs about what one
/// state does, and somewhat rarer than one in 16 the single sums are fewer.
const SPARSE: usize = 24;

/// Forward states are all kept up to so many bytes; of more, those at some sites, and the others are made again.
const KEPT_BYTES: usize = 32 << 20;

/// A panel to copy from, and how often one switches and errs. Clones share the panel.
#[derive(Clone, Debug)]
pub struct Copying {
    groups: Vec<Group>,
    sites: usize,
    /// Expected switches from the first site on.
    switches: Arc<Vec<f64>>,
    /// The number of each site's contig.
    contigs: Arc<Vec<u32>>,
    error: f64,
    kernel: Kernel,
}

/// Haplotypes of one prior.
#[derive(Clone, Debug)]
struct Group {
    /// A row a site, a column a haplotype.
    alleles: Arc<BitMatrix>,
    /// Alternate alleles at each site.
    counts: Arc<Vec<u32>>,
    /// Its states among all.
    states: Range<usize>,
    /// The prior of one of its haplotypes, against one of the first group; more than 0 but for a group left out.
    weight: f64,
    /// The prior probability of one of its haplotypes.
    prior: f64,
    /// The sites at which its alleles are known; `None` for all. Elsewhere they tell nothing.
    known: Option<Arc<Vec<bool>>>,
}

/// An observed allele: the number of the site, and whether it is the alternate one.
pub type Observed = (usize, bool);

/// What a model says of a haplotype.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Posterior {
    /// The probability of the alternate allele at each site asked for, 0 to 1.
    pub dosages: Vec<f32>,
    /// The same at each observed site, from all other observed sites alone.
    pub left_out: Vec<f32>,
    /// Natural log of the probability of what was observed.
    pub log_likelihood: f64,
}

/// Memory of a pass, to be used again.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// Forward states at every site of the segment in work.
    forward: Vec<f32>,
    /// Forward states at the first site of each segment.
    kept: Vec<f32>,
    backward: Vec<f32>,
    sums: Vec<f32>,
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
        if haplotypes.columns() != sites.len() {
            return Err(Error::argument(format!("{} columns for {} sites", haplotypes.columns(), sites.len())));
        }
        let mut contigs: Vec<u32> = Vec::with_capacity(sites.len());
        for (s, site) in sites.iter().enumerate() {
            let new = s > 0 && site.contig != sites[s - 1].contig;
            contigs.push(contigs.last().map_or(0, |last| last + u32::from(new)));
        }
        let model = Copying {
            groups: vec![Group::new(haplotypes.transpose()?, 0, 1.0)],
            sites: sites.len(),
            switches: Arc::default(),
            contigs: Arc::new(contigs),
            error,
            kernel: Kernel::best(),
        };
        model.weighed().with_rates(switches, error).map_err(|e| match e.kind() {
            ErrorKind::InvalidArgument => e.remedy("a number of switches is 0 or more, an error rate within (0, 0.5]"),
            _ => e,
        })
    }

    /// The same panel with other rates, as [`Copying::new`] takes them.
    ///
    /// # Errors
    /// `InvalidArgument` for numbers out of range or of another length.
    pub fn with_rates(self, switches: &[f64], error: f64) -> Result<Self> {
        if switches.len() != self.sites {
            return Err(Error::argument(format!("{} switch rates for {} sites", switches.len(), self.sites)));
        }
        if let Some(bad) = switches.iter().position(|d| !(0.0..=f64::MAX).contains(d)) {
            return Err(Error::argument(format!("{} switches are expected before site {bad}", switches[bad])));
        }
        if !(error > 0.0 && error <= 0.5) {
            return Err(Error::argument(format!("the error rate is {error}")));
        }
        let mut total = 0.0;
        let cumulative = switches.iter().map(|d| {
            total += d;
            total
        });
        Ok(Copying { switches: Arc::new(cumulative.collect()), error, ..self })
    }

    /// The panel with more haplotypes (a row each, a column a site), each with `weight` times the prior of one of the
    /// panel's own; 0 leaves them out. Where a site is not `known`, their alleles tell nothing and are told from the
    /// panel's own haplotypes alone.
    ///
    /// # Errors
    /// `InvalidArgument` for other sites or a weight that is negative or not finite; `OutOfMemory`.
    pub fn with_more(mut self, haplotypes: &BitMatrix, known: Vec<bool>, weight: f64) -> Result<Self> {
        if haplotypes.columns() != self.sites || known.len() != self.sites {
            return Err(Error::argument(format!("{} columns for {} sites", haplotypes.columns(), self.sites)));
        }
        let end = self.groups.iter().map(|g| g.states.end).max().unwrap_or(0);
        let group = Group::new(haplotypes.transpose()?, end, 1.0);
        self.groups.push(Group { known: known.contains(&false).then(|| Arc::new(known)), ..group });
        self.with_weight(weight)
    }

    /// The same with another weight of the haplotypes that [`Copying::with_more`] put there.
    ///
    /// # Errors
    /// `InvalidArgument` for a weight that is negative or not finite.
    pub fn with_weight(mut self, weight: f64) -> Result<Self> {
        if !(0.0..=f64::MAX).contains(&weight) {
            return Err(Error::argument(format!("the weight of a haplotype is {weight}")));
        }
        self.groups.iter_mut().skip(1).for_each(|group| group.weight = weight);
        Ok(self.weighed())
    }

    /// Brings priors to the sum 1.
    fn weighed(mut self) -> Self {
        let sum: f64 = self.groups.iter().map(|g| g.weight * g.states.len() as f64).sum();
        self.groups.iter_mut().for_each(|g| g.prior = g.weight / sum);
        self
    }

    /// The same with other instructions, for tests and measurements.
    pub fn with_kernel(self, kernel: Kernel) -> Self {
        Copying { kernel, ..self }
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// Number of haplotypes to copy from, those left out not counted.
    pub fn states(&self) -> usize {
        self.groups().map(|g| g.states.end).max().unwrap_or(0)
    }

    /// The groups that are not left out; they come first.
    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|g| g.weight > 0.0)
    }

    /// The probability of a switch between two sites.
    fn switch(&self, from: usize, to: usize) -> f64 {
        match self.contigs[from] == self.contigs[to] {
            true => -(self.switches[from] - self.switches[to]).exp_m1(),
            false => 1.0,
        }
    }

    /// The sites around `sites` that tell of them: within `overlap` expected switches on either side, in their contigs.
    pub fn surroundings(&self, sites: Range<usize>, overlap: f64) -> Range<usize> {
        if sites.is_empty() {
            return sites;
        }
        let (first, last) = (sites.start, sites.end - 1);
        let near = |s: usize, end: usize| {
            self.contigs[s] == self.contigs[end] && (self.switches[s] - self.switches[end]).abs() <= overlap
        };
        let start = (0..first).rev().take_while(|s| near(*s, first)).last().unwrap_or(first);
        let end = (sites.end..self.sites).take_while(|s| near(*s, last)).last().map_or(sites.end, |s| s + 1);
        start..end
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
    ///
    /// Backward states carry the prior of their haplotype as a factor, which makes both passes the same.
    fn step(&self, states: &mut [f32], (site, allele): Observed, switch: f64, sum: f32) -> f32 {
        let stay = ((1.0 - switch) / f64::from(sum)) as f32;
        let group = |g: &Group| {
            let jump = (switch * g.prior) as f32;
            let mismatch = if g.knows(site) { self.mismatch() } else { 1.0 };
            self.kernel.step(&mut states[g.states.clone()], g.alleles.row(site), allele, stay, jump, mismatch)
        };
        self.groups().map(group).sum()
    }

    /// Natural log of the probability of what was observed (sites rising).
    ///
    /// # Errors
    /// `InvalidArgument`; `OutOfMemory`.
    pub fn log_likelihood(&self, observed: &[Observed]) -> Result<f64> {
        self.check(observed)?;
        let mut states = Vec::new();
        reset(&mut states, Some(self.states()))?;
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

    /// What is known of the sites `sites` once some sites are observed (rising; none is fine: frequencies then). Memory
    /// is observed sites x states x 4 bytes up to 32 MiB, beyond that 2 x the root of observed sites x states x 4.
    ///
    /// # Errors
    /// `InvalidArgument`; `OutOfMemory`.
    pub fn posterior(&self, observed: &[Observed], sites: Range<usize>, space: &mut Workspace) -> Result<Posterior> {
        self.check(observed)?;
        if sites.end > self.sites {
            return Err(Error::argument(format!("sites {sites:?} of {}", self.sites)));
        }
        let n = observed.len();
        let all_fit = n.checked_mul(4 * self.states()).is_some_and(|bytes| bytes <= KEPT_BYTES);
        self.posterior_by(if all_fit { n.max(1) } else { n.isqrt().max(1) }, observed, sites, space)
    }

    /// The posterior, with forward states kept for so many observed sites at a time.
    fn posterior_by(
        &self,
        segment: usize,
        observed: &[Observed],
        sites: Range<usize>,
        space: &mut Workspace,
    ) -> Result<Posterior> {
        let (k, n) = (self.states(), observed.len());
        let Workspace { forward, kept, backward, sums } = space;
        reset(forward, segment.checked_mul(k))?;
        reset(kept, n.div_ceil(segment).checked_mul(k))?;
        reset(backward, Some(k))?;
        sums.clear();
        let segments = n.div_ceil(segment);
        for s in 0..segments {
            if s > 0 {
                kept[s * k..][..k].copy_from_slice(&forward[(segment - 1) * k..][..k]);
            }
            self.forward(observed, s * segment..n.min((s + 1) * segment), &kept[s * k..][..k], forward, sums);
        }
        let log = sums.iter().map(|sum| f64::from(*sum).ln()).sum::<f64>() + n as f64 * (1.0 - self.error).ln();

        let mut out = Posterior { dosages: vec![0.0; sites.len()], left_out: vec![0.0; n], log_likelihood: log };
        // From the end: `backward` holds what comes after an interval, the emission at its right end included.
        let mut in_work = segments.saturating_sub(1);
        let mut after: Option<(usize, f32)> = None;
        for t in (0..=n).rev() {
            let first = t.checked_sub(1).map_or(0, |t| observed[t].0);
            let last = observed.get(t).map_or(self.sites, |(site, _)| *site);
            let before = t.checked_sub(1).map(|t| (observed[t].0, sums[t]));
            if let Some(t) = t.checked_sub(1)
                && t / segment < in_work
            {
                in_work = t / segment;
                let steps = in_work * segment..(in_work + 1) * segment;
                self.forward(observed, steps, &kept[in_work * k..][..k], forward, sums);
            }
            // Before the first observation there are no forward states, and whatever stands there counts nothing.
            let alpha = &forward[t.checked_sub(1).map_or(0, |t| t % segment) * k..][..k];
            let interval = Interval { alpha, beta: backward, before, after };
            let wanted = first.max(sites.start)..last.min(sites.end);
            if !wanted.is_empty() {
                let dosages = &mut out.dosages[wanted.start - sites.start..wanted.end - sites.start];
                self.fill(&interval, wanted.start, dosages);
            }
            let Some((site, allele)) = t.checked_sub(1).map(|t| observed[t]) else { break };
            let mut dosage = [0.0];
            match sites.contains(&site) {
                true => dosage[0] = out.dosages[site - sites.start],
                false => self.fill(&interval, site, &mut dosage),
            }
            out.left_out[t - 1] = self.left_out(dosage[0], allele);
            let (switch, sum) = after.map_or((1.0, 1.0), |(next, sum)| (self.switch(site, next), sum));
            after = Some((site, self.step(backward, (site, allele), switch, sum)));
        }
        Ok(out)
    }

    /// Forward states at the observations `steps`, a row each, from those before the first of them; sums of states are
    /// appended unless they are there.
    fn forward(&self, observed: &[Observed], steps: Range<usize>, from: &[f32], rows: &mut [f32], sums: &mut Vec<f32>) {
        let k = from.len();
        for (row, t) in steps.enumerate() {
            let (done, rest) = rows.split_at_mut(row * k);
            rest[..k].copy_from_slice(if row == 0 { from } else { &done[(row - 1) * k..] });
            let (switch, sum) = match t.checked_sub(1) {
                Some(before) => (self.switch(observed[before].0, observed[t].0), sums[before]),
                None => (1.0, 1.0),
            };
            let sum = self.step(&mut rest[..k], observed[t], switch, sum);
            if t == sums.len() {
                sums.push(sum);
            }
        }
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
        let part = |g: &Group| (&interval.alpha[g.states.clone()], &interval.beta[g.states.clone()]);
        let all: Vec<[f32; 3]> = self
            .groups()
            .map(|g| {
                let (alpha, beta) = part(g);
                self.kernel.carriers(alpha, beta, &vec![u64::MAX; words_for(g.states.len())])
            })
            .collect();
        let side = |end: Option<(usize, f32)>, site: usize| match end {
            Some((at, sum)) => {
                let switch = self.switch(at.min(site), at.max(site));
                ((1.0 - switch) / f64::from(sum), switch)
            }
            None => (0.0, 1.0),
        };
        for (i, dosage) in dosages.iter_mut().enumerate() {
            let site = first + i;
            let (a, b) = side(interval.before, site);
            let (c, d) = side(interval.after, site);
            let (mut found, mut total) = (0.0, 0.0);
            for (g, all) in self.groups().zip(&all).filter(|(g, _)| g.knows(site)) {
                // Forward times backward over the prior, which backward states have as a factor.
                let weigh = |[ab, alpha, beta]: [f32; 3], n: usize| {
                    a * c / g.prior * f64::from(ab)
                        + a * d * f64::from(alpha)
                        + b * c * f64::from(beta)
                        + b * d * g.prior * n as f64
                };
                let (alpha, beta) = part(g);
                let (n, count) = (g.states.len(), g.counts[site] as usize);
                let minor = count.min(n - count);
                let all = weigh(*all, n);
                total += all;
                found += match (minor * SPARSE <= n, count > minor) {
                    (true, false) => weigh(sparse(alpha, beta, g.alleles.row(site), 0), count),
                    (true, true) => all - weigh(sparse(alpha, beta, g.alleles.row(site), u64::MAX), minor),
                    (false, _) => weigh(self.kernel.carriers(alpha, beta, g.alleles.row(site)), count),
                };
            }
            *dosage = (found / total).clamp(0.0, 1.0) as f32;
        }
    }

    /// Draws a haplotype as HAPGEN2 does (Su et al. 2011): walks along the panel, switches, errs. It reads three words of
    /// `stream` a site, and hands over each site with the alternate allele.
    pub fn draw(&self, stream: &Stream, mut set: impl FnMut(usize)) {
        let Some(panel) = self.groups.first() else { return };
        let mut words = stream.reader(0);
        let mut donor = 0;
        for site in 0..self.sites() {
            let [switch, choice, error] = [(); 3].map(|()| words.word());
            let chance = site.checked_sub(1).map_or(1.0, |before| self.switch(before, site));
            if f64::from(switch) < chance * 4_294_967_296.0 {
                donor = ((u64::from(choice) * panel.states.len() as u64) >> 32) as usize;
            }
            if panel.alleles.get(site, donor) != (f64::from(error) < self.error * 4_294_967_296.0) {
                set(site);
            }
        }
    }

    /// The most likely way in which a haplotype was copied (Viterbi): for each observed site, the number of the haplotype
    /// copied from. Of ways that are as likely, one that stays; among haplotypes, the first.
    ///
    /// # Errors
    /// `InvalidArgument`; `OutOfMemory`: observed sites x states / 8 bytes.
    pub fn path(&self, observed: &[Observed]) -> Result<Vec<usize>> {
        self.check(observed)?;
        let k = self.states();
        let mut switched = BitMatrix::zeros(observed.len(), k)?;
        let mut best_before = Vec::with_capacity(observed.len());
        let mut states = Vec::new();
        reset(&mut states, Some(k))?;
        let mismatch = self.mismatch();
        let mut best = (0, 1.0f32);
        for (t, (site, allele)) in observed.iter().enumerate() {
            let switch = t.checked_sub(1).map_or(1.0, |before| self.switch(observed[before].0, *site));
            let stay = (1.0 - switch) as f32 / best.1;
            best_before.push(best.0);
            let row = switched.row_mut(t);
            let mut next = (0, -1.0f32);
            for group in self.groups() {
                let jump = (switch * group.prior) as f32;
                let alleles = group.alleles.row(*site);
                for (h, i) in group.states.clone().enumerate() {
                    // The same haplotype may be drawn again.
                    let kept = states[i] * (stay + jump / best.1);
                    if jump > kept {
                        row[i / 64] |= 1 << (i % 64);
                    }
                    let same = (alleles[h / 64] >> (h % 64) & 1 == 1) == *allele || !group.knows(*site);
                    let emission = if same { 1.0 } else { mismatch };
                    states[i] = kept.max(jump) * emission;
                    if states[i] > next.1 {
                        next = (i, states[i]);
                    }
                }
            }
            best = next;
        }
        let mut path = vec![0; observed.len()];
        let mut state = best.0;
        for t in (0..observed.len()).rev() {
            path[t] = state;
            if switched.get(t, state) {
                state = best_before[t];
            }
        }
        Ok(path)
    }
}

impl Group {
    fn new(alleles: BitMatrix, start: usize, weight: f64) -> Self {
        let counts = (0..alleles.rows()).map(|s| alleles.count_row(s) as u32).collect();
        let states = start..start + alleles.columns();
        Group { alleles: Arc::new(alleles), counts: Arc::new(counts), states, weight, prior: 0.0, known: None }
    }

    fn knows(&self, site: usize) -> bool {
        self.known.as_ref().is_none_or(|known| known[site])
    }
}

/// The sums over the few carriers of an allele: of the alternate one, or of the reference one if `flip` is all ones.
fn sparse(alpha: &[f32], beta: &[f32], row: &[u64], flip: u64) -> [f32; 3] {
    let mut sums = [0.0; 3];
    for (w, word) in row.iter().enumerate() {
        let mut word = word ^ flip;
        while word != 0 {
            let state = 64 * w + word.trailing_zeros() as usize;
            word &= word - 1;
            let (Some(alpha), Some(beta)) = (alpha.get(state), beta.get(state)) else { break };
            sums[0] += alpha * beta;
            sums[1] += alpha;
            sums[2] += beta;
        }
    }
    sums
}

/// As many zeros.
fn reset(values: &mut Vec<f32>, n: Option<usize>) -> Result<()> {
    values.clear();
    match n.filter(|n| values.try_reserve_exact(*n).is_ok()) {
        Some(n) => {
            values.resize(n, 0.0);
            Ok(())
        }
        None => Err(Error::new(ErrorKind::OutOfMemory, "no memory for the states of the copying model")
            .remedy("impute from a smaller panel, or a smaller region")),
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

    fn of(model: &Copying, observed: &[Observed]) -> Posterior {
        model.posterior(observed, 0..model.sites(), &mut Workspace::default()).unwrap()
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
                    let found = of(&model, &seen);
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
                        let without = of(&model, &others).dosages[*site];
                        assert!((found.left_out[i] - without).abs() < 1e-4, "{seen:?} {site}");
                    }
                }
            }
        }
    }

    /// What is made again instead of kept is the same, to the bit; so is a part of the sites.
    #[test]
    fn memory_and_windows_do_not_change_the_posterior() {
        let (model, _) = model(70, 0.01);
        let space = &mut Workspace::default();
        for seen in [vec![], vec![(2, true)], all(0b0101101)] {
            let whole = of(&model, &seen);
            for segment in 1..8 {
                assert_eq!(model.posterior_by(segment, &seen, 0..7, space).unwrap(), whole, "{segment}");
                let part = model.posterior_by(segment, &seen, 2..5, space).unwrap();
                assert_eq!((&part.dosages[..], part.left_out), (&whole.dosages[2..5], whole.left_out.clone()));
            }
        }
        assert_eq!(model.surroundings(2..3, 0.05), 1..3);
        assert_eq!(model.surroundings(2..3, 10.0), 0..4);
        assert_eq!(model.surroundings(0..7, 1.0), 0..7);
    }

    /// A haplotype of weight 2 is a haplotype that is there twice, one of weight 0 is not there.
    #[test]
    fn weights_are_priors() {
        let (model, bits) = model(70, 0.01);
        let more = BitMatrix::from_fn(9, 7, |r, c| (r * 5 + c * c) % 3 == 0).unwrap();
        let stacked = |times: usize| {
            let panel = (0..times).fold(bits.clone(), |panel, _| panel.stack(&more).unwrap());
            Copying::new(&panel, &sites(&CONTIGS), &SWITCHES, 0.01).unwrap()
        };
        for times in 0..3 {
            let weighed = model.clone().with_more(&more, vec![true; 7], times as f64).unwrap();
            for haplotype in 0..1 << 7 {
                let (found, wanted) = (of(&weighed, &all(haplotype)), of(&stacked(times), &all(haplotype)));
                assert!((found.log_likelihood - wanted.log_likelihood).abs() < 1e-5);
                for (a, b) in found.dosages.iter().zip(&wanted.dosages) {
                    assert!((a - b).abs() < 1e-5, "{times}: {a} {b}");
                }
            }
        }
        assert!(model.clone().with_more(&more, vec![true; 7], f64::NAN).is_err());
        assert!(model.with_weight(-1.0).is_err());
    }

    /// The best of all 3^7 ways, found one by one.
    #[test]
    fn the_path_is_the_most_likely_one() {
        let (model, bits) = model(3, 0.1);
        for haplotype in 0..1usize << 7 {
            let weight = |path: &[usize]| {
                let mut p = 1.0;
                for s in 0..7 {
                    let switch = if s > 0 && CONTIGS[s] == CONTIGS[s - 1] { 1.0 - (-SWITCHES[s]).exp() } else { 1.0 };
                    p *= switch / 3.0 + if s > 0 && path[s] == path[s - 1] { 1.0 - switch } else { 0.0 };
                    p *= if bits.get(path[s], s) == (haplotype >> s & 1 == 1) { 0.9 } else { 0.1 };
                }
                p
            };
            let best = (0..3usize.pow(7)).map(|n| weight(&(0..7).map(|s| n / 3usize.pow(s) % 3).collect::<Vec<_>>()));
            let best = best.fold(0.0, f64::max);
            let found = weight(&model.path(&all(haplotype)).unwrap());
            assert!((found / best - 1.0).abs() < 1e-4, "{haplotype:b}: {found} {best}");
        }
    }

    #[test]
    fn every_path_of_instructions_gives_the_same_posterior() {
        let (model, _) = model(333, 0.02);
        let seen = [(0, true), (3, false), (5, true)];
        let plain = of(&model.clone().with_kernel(Kernel::Portable), &seen);
        for kernel in Kernel::available() {
            assert_eq!(of(&model.clone().with_kernel(kernel), &seen), plain);
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
        assert!(model.posterior(&[(7, true)], 0..7, &mut Workspace::default()).is_err());
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
