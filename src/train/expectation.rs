//! How a hidden Markov model of clusters learns: expectation maximisation (Baum, Petrie, Soules and Weiss 1970) from
//! haplotypes as seeds.
//!
//! Haplotypes go through the model a batch at a time. Each goes forward and backward once, and leaves its states where
//! blocks of sites begin and end; then each block of sites goes over the haplotypes of the batch in their order, and does
//! its part of both passes again. So memory holds no haplotype's states at all sites, sums have one order, and the result
//! does not depend on the number of threads.

use super::{TrainSettings, split};
use crate::compute::clusters::{Emission, LANES};
use crate::error::{Error, ErrorKind, Result};
use crate::hmm::clusters::{Clusters, LEAST, MOST_CLUSTERS, Parameters, code, probabilities};
use crate::memory;
use crate::models::Provenance;
use crate::options::Options;
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;
use crate::progress::{Event, Progress};
use crate::rng::{Purpose, Stream};
use crate::threads::Threads;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Sites in a block: its probabilities of 1,024 clusters take 256 KiB, which a second-level cache holds.
const BLOCK: usize = 64;
/// Haplotypes in a batch, and those that go through a block together, so that it stays in the cache.
const BATCH: usize = 64;
const GROUP: usize = 4;
/// What a seed lends to the site's frequency at first.
const SEED_ERROR: f32 = 0.1;

/// How a model of clusters learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Number of clusters at first; at most as many as there are haplotypes are seeds.
    pub clusters: usize,
    /// The least number of haplotypes that a cluster stands for, on average over the sites: others are given up.
    pub least: f64,
    /// Rounds of expectation maximisation.
    pub iterations: usize,
    /// Haplotypes with the site's frequency that are added to each cluster.
    pub allele_prior: f64,
    /// Switches that are added to each cluster's share of them.
    pub entry_prior: f64,
    /// Haplotypes with the expected switches by distance that are added to each site.
    pub switch_prior: f64,
    /// Switches that are expected a base pair.
    pub switch_rate: f64,
    /// Sites in a stretch, within which weights of entry are constant; 0 for the whole contig.
    pub stretch: usize,
}

impl Settings {
    /// From the options of a training.
    pub fn new(options: &Options) -> Self {
        Settings {
            clusters: options.whole("hmm_clusters"),
            least: options.number("hmm_cluster_size"),
            iterations: options.whole("iterations"),
            allele_prior: options.number("allele_prior"),
            entry_prior: options.number("entry_prior"),
            switch_prior: options.number("switch_prior"),
            switch_rate: options.number("hmm_switch_rate"),
            stretch: options.whole("stretch"),
        }
    }
}

/// Trains a model of clusters: rounds from seeds, and what was measured at the end.
///
/// # Errors
/// `Empty`; `Cancelled`; `OutOfMemory`.
pub(super) fn fit(
    panel: &Panel,
    options: &Options,
    of_run: &TrainSettings,
    provenance: &mut Provenance,
    progress: &mut Progress,
) -> Result<Clusters> {
    let (data, held_out) = split(panel, options.number("held_out"), of_run.seed)?;
    let settings = Settings::new(options);
    let rounds = settings.iterations as u64;
    let (n, wanted) = (data.rows() as u64, settings.clusters);
    let mut learning = Expectation::new(&data, panel.sites(), settings, of_run.seed, of_run.threads.clone())?;
    for round in 0..rounds {
        let log = learning.step(round * n, rounds * n, progress)?;
        progress.report(Event::Measured { name: "log_likelihood", step: round, value: log });
    }
    progress.report(Event::Step { phase: "training", done: rounds * n, total: rounds * n, unit: "haplotypes" });
    let model = learning.rounded()?;
    if model.clusters() < wanted {
        progress.notice(format!("{} clusters of {wanted} are kept", model.clusters()));
    }
    provenance.updates = rounds;
    let mut measure = |name: &str, data: &BitMatrix, progress: &mut Progress| -> Result<()> {
        let mean = mean_log_likelihood(&model, data, &of_run.threads, progress)?;
        provenance.metrics.push((name.into(), mean));
        Ok(())
    };
    measure("log_likelihood", &data, progress)?;
    if let Some(held_out) = &held_out {
        measure("held_out_log_likelihood", held_out, progress)?;
    }
    Ok(model)
}

/// The mean log likelihood of the rows of `data`, in nats a haplotype.
fn mean_log_likelihood(model: &Clusters, data: &BitMatrix, threads: &Threads, progress: &mut Progress) -> Result<f64> {
    let mut sum = 0.0;
    for first in (0..data.rows()).step_by(BATCH) {
        progress.step("measuring", first as u64, data.rows() as u64, "haplotypes")?;
        let all = |h: usize| (0..data.columns()).map(|site| (site, data.get(first + h, site))).collect::<Vec<_>>();
        for log in threads.map(BATCH.min(data.rows() - first), |h| model.log_likelihood(&all(h)))? {
            sum += log?;
        }
    }
    Ok(sum / data.rows() as f64)
}

/// A model as it learns.
pub struct Expectation<'a> {
    data: &'a BitMatrix,
    sites: &'a Sites,
    settings: Settings,
    threads: Threads,
    /// Frequencies of the alternate allele.
    frequencies: Vec<f64>,
    /// Switches that are expected before each site, by distance.
    distances: Vec<f64>,
    model: Clusters,
}

/// What a round of the expectation counts at a block of sites, within one stretch.
struct Block {
    sites: Range<usize>,
    stretch: usize,
    /// Haplotypes in each cluster with the reference and with the alternate allele: a row a site.
    alleles: [Vec<f32>; 2],
    /// Switches into each cluster.
    entries: Vec<f32>,
    /// Switches before each site.
    switches: Vec<f64>,
}

/// One haplotype's passes, where blocks meet.
struct Pass {
    /// States before each block's first site, with their sum: a row a block.
    forward: Vec<f32>,
    before: Vec<f32>,
    /// States after each block's last site, which look backwards.
    backward: Vec<f32>,
    /// The sum of the forward states at each site.
    sums: Vec<f32>,
    log_likelihood: f64,
}

impl<'a> Expectation<'a> {
    /// A model whose clusters are haplotypes of `data` as seeds, softened by the frequencies of the sites.
    ///
    /// # Errors
    /// `Empty`; `OutOfMemory`.
    pub fn new(data: &'a BitMatrix, sites: &'a Sites, settings: Settings, seed: u64, threads: Threads) -> Result<Self> {
        let (n, m) = (data.rows(), sites.len());
        if n == 0 || m == 0 {
            return Err(Error::new(ErrorKind::Empty, "there is nothing to learn from: no haplotypes or no sites"));
        }
        let most = (n as f64 / settings.least.max(1.0)) as usize;
        let k = settings.clusters.min(most).clamp(1, MOST_CLUSTERS);
        // Probabilities twice as they pass from round to round, counts of both alleles; and the passes of a batch.
        let stride = k.next_multiple_of(LANES);
        let of_sites = stride.checked_mul(m).and_then(|x| x.checked_mul(4 * 4));
        let of_batch = (stride * (2 * BLOCK + 2 * m.div_ceil(BLOCK)) + m).checked_mul(4 * BATCH);
        let bytes = of_sites.zip(of_batch).and_then(|(a, b)| a.checked_add(b));
        memory::require(bytes, "the clusters of training")?;
        let frequencies: Vec<f64> = data.count_columns().iter().map(|c| f64::from(*c) / n as f64).collect();
        let starts = |s: usize| s == 0 || sites[s].contig != sites[s - 1].contig;
        let mut stretches: Vec<usize> = Vec::new();
        let mut distances = Vec::with_capacity(m);
        for s in 0..m {
            let full = settings.stretch > 0 && stretches.last().is_some_and(|first| s - first >= settings.stretch);
            if starts(s) || full {
                stretches.push(s);
            }
            // Sites at one position are as far apart as neighbouring ones.
            let apart = if starts(s) { 1 } else { (sites[s].position - sites[s - 1].position).max(1) };
            distances.push((settings.switch_rate * apart as f64).max(f64::from(LEAST)));
        }
        let seeds = seeds(data, &frequencies, k, seed);
        let table = probabilities();
        let mut alternate = Vec::with_capacity(k * m);
        for (s, frequency) in frequencies.iter().enumerate() {
            let of = |row: &usize| {
                f32::from(u8::from(data.get(*row, s))) * (1.0 - SEED_ERROR) + SEED_ERROR * *frequency as f32
            };
            alternate.extend(seeds.iter().map(|row| of(row).clamp(table[0], table[255])));
        }
        let model = Clusters::new(
            &Parameters {
                clusters: k,
                alternate,
                entry: vec![1.0 / k as f32; k * stretches.len()],
                stretches,
                switches: distances.iter().map(|d| *d as f32).collect(),
            },
            sites,
        )?;
        Ok(Expectation { data, sites, settings, threads, frequencies, distances, model })
    }

    /// The model as it is now.
    pub fn model(&self) -> &Clusters {
        &self.model
    }

    /// The model with its probabilities rounded to those that a file can hold.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn rounded(&self) -> Result<Clusters> {
        let table = probabilities();
        let mut parameters = self.model.parameters();
        parameters.alternate.iter_mut().for_each(|p| *p = table[usize::from(code(&table, *p))]);
        Clusters::new(&parameters, self.sites)
    }

    /// What a round maximises beside the log likelihood, up to a constant: the log of the density of the priors, which are
    /// beta distributions about the sites' frequencies and distances, and a Dirichlet distribution of the weights of entry.
    pub fn log_prior(&self) -> f64 {
        let Parameters { clusters, alternate, entry, switches, .. } = self.model.parameters();
        let beta = |n: f64, mean: f64, p: f64| n * (mean * p.ln() + (1.0 - mean) * (-p).ln_1p());
        let alleles: f64 = alternate
            .chunks_exact(clusters)
            .zip(&self.frequencies)
            .flat_map(|(row, f)| row.iter().map(|p| beta(self.settings.allele_prior, *f, f64::from(*p))))
            .sum();
        let entries: f64 = entry.iter().map(|w| self.settings.entry_prior * f64::from(*w).ln()).sum();
        let chance = |d: f64| -(-d).exp_m1();
        let switches: f64 = (0..switches.len())
            .filter(|s| self.within(*s))
            .map(|s| beta(self.settings.switch_prior, chance(self.distances[s]), chance(f64::from(switches[s]))))
            .sum();
        alleles + entries + switches
    }

    /// Whether a site has one before it on its contig.
    fn within(&self, site: usize) -> bool {
        site > 0 && self.sites[site].contig == self.sites[site - 1].contig
    }

    /// A round: counts, and the parameters that they make most likely. Returns the mean log likelihood of a haplotype under
    /// the model before the round. `done` haplotypes of `total` have been gone through before, for reports of progress.
    ///
    /// # Errors
    /// `Cancelled`; `OutOfMemory`.
    pub fn step(&mut self, done: u64, total: u64, progress: &mut Progress) -> Result<f64> {
        let (model, data) = (&self.model, self.data);
        let stride = model.stride();
        let mut blocks: Vec<Block> = Vec::new();
        for (stretch, range) in model.stretches().iter().enumerate() {
            blocks.extend(range.clone().step_by(BLOCK).map(|first| {
                let sites = first..range.end.min(first + BLOCK);
                let counts = vec![0.0; sites.len() * stride];
                let (entries, switches) = (vec![0.0; stride], vec![0.0; sites.len()]);
                Block { sites, stretch, alleles: [counts.clone(), counts], entries, switches }
            }));
        }
        let ranges: Vec<Range<usize>> = blocks.iter().map(|block| block.sites.clone()).collect();
        let rows = blocks.len();
        let mut passes: Vec<Pass> = (0..BATCH.min(data.rows()))
            .map(|_| Pass {
                forward: vec![0.0; rows * stride],
                before: vec![1.0; rows],
                backward: vec![0.0; rows * stride],
                sums: vec![1.0; data.columns()],
                log_likelihood: 0.0,
            })
            .collect();
        let mut log = 0.0;
        for first in (0..data.rows()).step_by(BATCH) {
            progress.step("training", done + first as u64, total, "haplotypes")?;
            let batch = BATCH.min(data.rows() - first);
            let allele = |h: usize, site: usize| data.get(first + h, site);
            self.threads.for_each_piece(&mut passes[..batch], GROUP, |group, passes| {
                run(model, &ranges, passes, |h, site| allele(GROUP * group + h, site));
            })?;
            log += passes[..batch].iter().map(|pass| pass.log_likelihood).sum::<f64>();
            let passes = &passes[..batch];
            self.threads.for_each_piece(&mut blocks, 1, |row, block| block[0].count(model, row, passes, allele))?;
        }
        self.model = Clusters::new(&self.maximise(&blocks), self.sites)?;
        Ok(log / data.rows() as f64)
    }

    /// The parameters that counts make most likely, priors considered.
    fn maximise(&self, blocks: &[Block]) -> Parameters {
        let (n, stride) = (self.data.rows() as f64, self.model.stride());
        let before = self.model.parameters();
        let kept = self.kept(blocks);
        let table = probabilities();
        let prior = self.settings.allele_prior;
        let mut alternate = Vec::with_capacity(kept.len() * self.sites.len());
        let mut switches = Vec::with_capacity(self.sites.len());
        let mut entered = vec![vec![0.0f64; stride]; before.stretches.len()];
        for block in blocks {
            entered[block.stretch].iter_mut().zip(&block.entries).for_each(|(sum, x)| *sum += f64::from(*x));
            for (i, site) in block.sites.clone().enumerate() {
                let [absent, present] = &block.alleles;
                alternate.extend(kept.iter().map(|k| {
                    let (absent, present) = (f64::from(absent[i * stride + k]), f64::from(present[i * stride + k]));
                    let all = absent + present + prior;
                    let p = if all > 0.0 { (present + prior * self.frequencies[site]) / all } else { 0.5 };
                    (p as f32).clamp(table[0], table[255])
                }));
                let d = self.distances[site];
                let weight = self.settings.switch_prior;
                let chance = (block.switches[i] - weight * (-d).exp_m1()) / (n + weight);
                let learned = -(-chance.min(1.0 - 1e-6)).ln_1p();
                switches.push(if self.within(site) { (learned as f32).max(LEAST) } else { d as f32 });
            }
        }
        let mut entry = Vec::with_capacity(kept.len() * entered.len());
        for row in &entered {
            let weights = || kept.iter().map(|k| row[*k] + self.settings.entry_prior);
            let sum: f64 = weights().sum();
            let even = 1.0 / kept.len() as f64;
            let share = |w: f64| if sum > 0.0 { w / sum } else { even };
            entry.extend(weights().map(|w| (share(w) as f32).max(LEAST)));
        }
        Parameters { clusters: kept.len(), alternate, stretches: before.stretches, entry, switches }
    }

    /// The clusters that stand for enough haplotypes, and the largest in any case.
    fn kept(&self, blocks: &[Block]) -> Vec<usize> {
        let mut sizes = vec![0.0f64; self.model.clusters()];
        for counts in blocks.iter().flat_map(|block| &block.alleles) {
            for row in counts.chunks_exact(self.model.stride()) {
                sizes.iter_mut().zip(row).for_each(|(size, count)| *size += f64::from(*count));
            }
        }
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let enough = (self.settings.least * self.sites.len() as f64).min(largest);
        (0..sizes.len()).filter(|k| sizes[*k] >= enough).collect()
    }
}

/// The rows to begin from, `k` of them: together they carry every allele that several people share, each as often as it
/// goes. Greedy: the next one is that whose minor alleles are worth most, an allele less the more seeds already carry it.
fn seeds(data: &BitMatrix, frequencies: &[f64], k: usize, seed: u64) -> Vec<usize> {
    let n = data.rows();
    let shared = |s: &usize| frequencies[*s].min(1.0 - frequencies[*s]) * n as f64 > 1.5;
    let shared: Vec<usize> = (0..data.columns()).filter(shared).collect();
    let mut carriers = vec![0u32; data.columns()];
    let carried = |row: usize| shared.iter().copied().filter(move |s| data.get(row, *s) == (frequencies[*s] <= 0.5));
    let worth = |row: usize, carriers: &[u32]| carried(row).map(|s| 1.0 / f64::from(1 + carriers[s])).sum::<f64>();
    let mut chosen = Vec::with_capacity(k);
    // What a row is worth only falls as others are chosen: a row that is still worth most when looked at again is the next.
    // Ties are broken by a random order.
    let order = Stream::new(seed, Purpose::Initial, 2).reader(0).choose(n, n);
    let mut queue: BinaryHeap<(u64, Reverse<usize>)> = BinaryHeap::with_capacity(n);
    // Not negative: their bits have their order.
    queue.extend(order.iter().enumerate().map(|(i, row)| (worth(*row, &carriers).to_bits(), Reverse(i))));
    while let (true, Some((_, Reverse(i)))) = (chosen.len() < k, queue.pop()) {
        let now = worth(order[i], &carriers).to_bits();
        match queue.peek() {
            Some((next, _)) if *next > now => queue.push((now, Reverse(i))),
            _ => {
                carried(order[i]).for_each(|s| carriers[s] += 1);
                chosen.push(order[i]);
            }
        }
    }
    chosen
}

/// Both passes of a group of haplotypes, block by block; `allele(h, site)` is that of the group's haplotype h.
fn run(model: &Clusters, blocks: &[Range<usize>], passes: &mut [Pass], allele: impl Fn(usize, usize) -> bool) {
    let stride = model.stride();
    let mut states = vec![0.0f32; stride * passes.len()];
    let mut sums = vec![1.0f32; passes.len()];
    passes.iter_mut().for_each(|pass| pass.log_likelihood = 0.0);
    for (row, block) in blocks.iter().enumerate() {
        for (h, (pass, states)) in passes.iter_mut().zip(states.chunks_exact_mut(stride)).enumerate() {
            pass.forward[row * stride..][..stride].copy_from_slice(states);
            pass.before[row] = sums[h];
            for site in block.clone() {
                sums[h] = model.forward(states, site.checked_sub(1), site, Some(allele(h, site)), sums[h]);
                pass.sums[site] = sums[h];
                pass.log_likelihood += f64::from(sums[h]).ln();
            }
        }
    }
    states.fill(1.0);
    for (row, block) in blocks.iter().enumerate().rev() {
        for (h, (pass, states)) in passes.iter_mut().zip(states.chunks_exact_mut(stride)).enumerate() {
            pass.backward[row * stride..][..stride].copy_from_slice(states);
            for site in block.clone().rev() {
                let [_, stay, switched] = observe(model, states, site, allele(h, site), pass.sums[site]);
                model.kernel().shift(states, stay, switched);
            }
        }
    }
}

/// The emission of `site`, whose forward states sum to `sum`, comes to the backward `states`. Returns what a switch there
/// is worth for each weight of entry, what staying is, and the first summed over all clusters.
fn observe(model: &Clusters, states: &mut [f32], site: usize, allele: bool, sum: f32) -> [f32; 3] {
    let switch = site.checked_sub(1).map_or(1.0, |before| model.switch(before, site));
    let [into, stay] = [switch, 1.0 - switch].map(|chance| (chance / f64::from(sum)) as f32);
    let entered = model.kernel().observe(states, model.entry(site), model.alternate(site), Emission::of(allele));
    [into, stay, into * entered]
}

impl Block {
    /// Adds the haplotypes of a batch; the block is number `row`.
    fn count(&mut self, model: &Clusters, row: usize, passes: &[Pass], allele: impl Fn(usize, usize) -> bool) {
        let (stride, kernel) = (model.stride(), model.kernel());
        let mut forward = vec![0.0f32; self.sites.len() * stride];
        let mut backward = vec![0.0f32; stride];
        for (h, pass) in passes.iter().enumerate() {
            let mut sum = pass.before[row];
            for (i, site) in self.sites.clone().enumerate() {
                let (done, rest) = forward.split_at_mut(i * stride);
                let before = if i == 0 { &pass.forward[row * stride..][..stride] } else { &done[(i - 1) * stride..] };
                rest[..stride].copy_from_slice(before);
                sum = model.forward(&mut rest[..stride], site.checked_sub(1), site, Some(allele(h, site)), sum);
            }
            backward.copy_from_slice(&pass.backward[row * stride..][..stride]);
            for (i, site) in self.sites.clone().enumerate().rev() {
                let present = allele(h, site);
                let counts = &mut self.alleles[usize::from(present)][i * stride..][..stride];
                kernel.count(counts, &forward[i * stride..][..stride], &backward, 1.0 / pass.sums[site]);
                let [into, stay, switched] = observe(model, &mut backward, site, present, pass.sums[site]);
                kernel.count(&mut self.entries, model.entry(site), &backward, into);
                self.switches[i] += f64::from(switched);
                kernel.shift(&mut backward, stay, switched);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::sites::Site;

    const SITES: usize = 150;

    fn sites() -> Sites {
        let site = |i: usize| Site {
            contig: if i < 90 { "1".into() } else { "2".into() },
            position: 1000 * (i as u64 / 2) + 1,
            id: "".into(),
            reference: "A".into(),
            alternate: if i.is_multiple_of(2) { "C".into() } else { "G".into() },
        };
        Sites::new((0..SITES).map(site).collect()).unwrap()
    }

    /// Mosaics of five founders, with errors.
    fn data(n: usize) -> BitMatrix {
        let random = Stream::new(12, Purpose::Evaluate, 1);
        let founder = |h: usize, s: usize| {
            let piece = (h * 7 + s / 30) as u64;
            (random.uniform(1_000_000 + piece) * 5.0) as u64
        };
        let allele = |h: usize, s: usize| random.uniform(2_000_000 + founder(h, s) * SITES as u64 + s as u64) < 0.3;
        BitMatrix::from_fn(n, SITES, |h, s| allele(h, s) != (random.uniform((h * SITES + s) as u64) < 0.01)).unwrap()
    }

    fn settings() -> Settings {
        Settings {
            clusters: 8,
            least: 0.0,
            iterations: 0,
            allele_prior: 0.0,
            entry_prior: 0.0,
            switch_prior: 0.0,
            switch_rate: 1e-5,
            stretch: 0,
        }
    }

    fn rounds(data: &BitMatrix, settings: Settings, threads: usize) -> (Clusters, Vec<f64>) {
        let sites = sites();
        let mut learning = Expectation::new(data, &sites, settings, 3, Threads::new(threads)).unwrap();
        let mut found = Vec::new();
        for _ in 0..6 {
            let prior = learning.log_prior();
            let log = learning.step(0, 0, &mut Progress::none()).unwrap();
            found.push(log * data.rows() as f64 + prior);
        }
        (learning.rounded().unwrap(), found)
    }

    #[test]
    fn no_round_lowers_what_it_maximises() {
        let data = data(70);
        let with_priors =
            Settings { allele_prior: 0.5, entry_prior: 1.0, switch_prior: 5.0, stretch: 40, ..settings() };
        for settings in [settings(), with_priors] {
            let (_, found) = rounds(&data, settings, 1);
            // Each sum of 32-bit numbers is good to some 1e-6 of what it is.
            assert!(found.windows(2).all(|pair| pair[1] >= pair[0] - 1e-3), "{found:?}");
            assert!(found[5] > found[0] + 100.0, "{found:?}");
        }
    }

    #[test]
    fn the_model_does_not_depend_on_threads() {
        let data = data(150);
        let settings = Settings { stretch: 40, allele_prior: 0.1, ..settings() };
        let (one, _) = rounds(&data, settings.clone(), 1);
        for threads in [2, 3] {
            assert_eq!(rounds(&data, settings.clone(), threads).0, one);
        }
    }

    #[test]
    fn a_cluster_that_stands_for_too_few_is_given_up() {
        let data = data(70);
        let (all, _) = rounds(&data, settings(), 1);
        assert_eq!(all.clusters(), 8);
        let (fewer, _) = rounds(&data, Settings { least: 8.0, ..settings() }, 1);
        assert!((1..8).contains(&fewer.clusters()));
        let (one, _) = rounds(&data, Settings { least: 1e9, ..settings() }, 1);
        assert_eq!(one.clusters(), 1);
        let frequency = data.count_columns()[17] as f32 / 70.0;
        assert!((one.posterior(&[]).unwrap().dosages[17] - frequency).abs() < 0.01);
    }

    #[test]
    fn seeds_cover_the_alleles_that_few_carry() {
        // Each allele has two carriers, rows 2 i and 2 i + 1.
        let bits = BitMatrix::from_fn(100, 50, |row, site| row / 2 == site).unwrap();
        let mut found: Vec<usize> = seeds(&bits, &[0.02; 50], 50, 1).into_iter().map(|row| row / 2).collect();
        found.sort();
        assert_eq!(found, (0..50).collect::<Vec<_>>());
        assert_eq!(seeds(&bits, &[0.02; 50], 100, 1).len(), 100);
    }
}
