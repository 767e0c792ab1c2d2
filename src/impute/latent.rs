//! Imputation by a neural generator: which points of its latent space make the typed alleles, and what they make elsewhere.
//!
//! A dosage is the posterior mean of the chance of the alternate allele over points of the latent space (see
//! [`Decoder`]), whose prior is the standard normal distribution and whose likelihood is that of the typed alleles.
//!
//! 1. A pool of points is drawn from the prior once, for all haplotypes. Weighted by the likelihood it is the posterior
//!    (importance sampling). Where few alleles are typed the weights are spread over many points, and the pool is all that
//!    is needed; where none is, the dosages are the model's means.
//! 2. Else a handful of chains starts from points of the pool, drawn by the likelihood to a power at which the weights are
//!    still spread over as many points as there are chains. The power rises to 1 over the first half of the chains' steps,
//!    by which chains that fall behind are replaced by copies of others (Del Moral, Doucet and Jasra 2006). Each trajectory
//!    follows the gradient of the log posterior for some steps, and is accepted or not (Hamiltonian Monte Carlo, Neal
//!    2011). What the chains make after each trajectory of the second half is averaged.
//!
//! Both are exact in the limit of a large pool, of many chains and of many steps. With the defaults chains have not
//! forgotten where they began, and dosages are somewhat too sure.
//!
//! Without its own allele a typed site has P(a | the other alleles) = 1 / E[1 / P(a | point)], as for an RBM (see
//! [`super::clamped`]): the expectation is over the same points, so it is an estimate from points that saw the allele.
//!
//! All haplotypes share the pool and the chains' random words: a haplotype's dosages are a function of the model, the seed,
//! its own typed alleles and the settings.

use super::{Row, Wanted};
use crate::compute::activation::{ln, logistic, softplus};
use crate::compute::device::at_once;
use crate::compute::{Device, DeviceChoice};
use crate::error::{Error, Result};
use crate::memory;
use crate::models::Model;
use crate::models::neural::Neural;
use crate::models::neural::decode::{Decoder, Place};
use crate::models::neural::normals;
use crate::nn::Workspace;
use crate::options::Options;
use crate::progress::Cancel;
use crate::rng::{CHUNK, Purpose, Stream};
use crate::threads::Threads;

/// How the latent space of a neural generator is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatentSettings {
    /// Points drawn from the prior once, at least 1. This is the default: 2,000.
    pub pool: usize,
    /// Chains a haplotype, at least 1. This is the default: 16.
    pub chains: usize,
    /// Steps of each chain along the gradient; 0 for the pool alone. This is the default: 60.
    pub steps: usize,
    /// Share of typed alleles that are wrong. This is the default: 0.
    pub typed_error: f64,
}

impl Default for LatentSettings {
    fn default() -> Self {
        LatentSettings { pool: 2000, chains: 16, steps: 60, typed_error: 0.0 }
    }
}

impl LatentSettings {
    /// From the keys `latent_pool`, `latent_chains`, `latent_steps` and `typed_error`, with their defaults.
    pub fn from_options(options: &Options) -> Self {
        LatentSettings {
            pool: options.whole("latent_pool"),
            chains: options.whole("latent_chains"),
            steps: options.whole("latent_steps"),
            typed_error: options.number("typed_error"),
        }
    }
}

/// Steps of a trajectory.
const LEAPS: usize = 3;
/// Points of the pool, for each chain, that weights have to be worth to do without chains.
const WORTH: usize = 4;
/// The share of the chains that weights are worth when the power of the likelihood rises.
const KEPT: f64 = 0.5;
/// The size of the first steps.
const FIRST_STEP: f32 = 0.1;
/// The share of trajectories that steps of the right size have accepted (Beskos et al. 2013).
const ACCEPTED: f64 = 0.65;
/// Chains in work at a time.
const ROWS: usize = 256;
/// Numbers of layers in memory at a time.
const NUMBERS: usize = 1 << 27;
/// The stream of the first chain; that before it says which points chains start from.
const CHAINS: u64 = 1 << 40;

/// A generator whose latent space is searched, and the pool.
pub(super) struct Latent {
    /// Devices, and the decoder as it is placed there. Haplotypes are shared among them.
    devices: Vec<(Device, Decoder)>,
    settings: LatentSettings,
    seed: u64,
    /// The pool's points, and where they are placed.
    points: Vec<f32>,
    places: Vec<Place>,
    /// What they make: log odds, points x sites.
    odds: Vec<f32>,
}

/// Weighted sums over points.
#[derive(Clone)]
struct Sums {
    weight: f64,
    /// Of the chance of the alternate allele, by site.
    dosages: Vec<f64>,
    /// Of 1 / P(typed allele | point), by typed site.
    inverse: Vec<f64>,
}

/// Chains of some haplotypes. Each has as many; numbers of chains are haplotype after haplotype.
struct Chains {
    points: Vec<f32>,
    places: Vec<Place>,
    found: Found,
    /// The power of the likelihood, and the size of steps, by haplotype.
    powers: Vec<f64>,
    steps: Vec<f32>,
}

/// The log likelihood of points, and its gradient.
#[derive(Clone)]
struct Found {
    logs: Vec<f64>,
    gradient: Vec<f32>,
}

impl Latent {
    /// Draws the pool, on the first of the devices.
    ///
    /// # Errors
    /// `InvalidArgument` for a generator of unphased genotypes; `OutOfMemory`; those of devices.
    pub(super) fn new(
        model: &Model,
        generator: &Neural,
        settings: LatentSettings,
        seed: u64,
        choice: DeviceChoice,
        threads: &Threads,
    ) -> Result<Self> {
        if generator.genotypes {
            let what = format!("a {} model of unphased genotypes does not impute haplotypes", generator.kind.name());
            return Err(Error::argument(what).remedy("train it on haplotypes: leave out option genotypes=unphased"));
        }
        let decoder = Decoder::new(generator, model.sites.len());
        let (n, size) = (settings.pool.max(1), decoder.size());
        let numbers = n.checked_mul(size + decoder.columns()).and_then(|n| n.checked_mul(4));
        memory::require(numbers, "the pool of points (option latent_pool)")?;
        let mut points = vec![0.0; n * size];
        let mut places = Vec::with_capacity(n);
        for i in 0..n {
            let stream = Stream::new(seed, Purpose::Clamped, i as u64);
            places.push(decoder.draw(&stream, &mut points[i * size..][..size]));
        }
        let mut odds = Vec::with_capacity(n * decoder.columns());
        let at_a_time = (NUMBERS / decoder.layers().max(1)).clamp(1, ROWS);
        let mut devices = Vec::new();
        for (i, choice) in choice.each()?.into_iter().enumerate() {
            devices.push(choice.laid_out(threads, |device| {
                let mut decoder = decoder.clone();
                let mut workspace = Workspace::on(device);
                decoder.place(&workspace)?;
                if i == 0 {
                    odds.clear();
                    for first in (0..n).step_by(at_a_time) {
                        let last = n.min(first + at_a_time);
                        let points = &points[first * size..last * size];
                        odds.extend(decoder.log_odds(&mut workspace, points, &places[first..last])?);
                    }
                }
                Ok(decoder)
            })?);
        }
        let settings = LatentSettings { pool: n, chains: settings.chains.max(1), ..settings };
        Ok(Latent { devices, settings, seed, points, places, odds })
    }

    /// The decoder, wherever it is.
    fn decoder(&self) -> &Decoder {
        &self.devices[0].1
    }

    /// Haplotypes that keep the devices busy.
    pub(super) fn portion(&self) -> usize {
        self.devices.len() * self.at_a_time()
    }

    /// Haplotypes in work at a time on a device.
    fn at_a_time(&self) -> usize {
        let of_batch = self.settings.chains.saturating_mul(self.decoder().layers().max(1));
        (NUMBERS / of_batch).clamp(1, (ROWS / self.settings.chains).max(1))
    }

    /// Imputes rows; see [`super::Fitted::impute`].
    pub(super) fn impute(&self, wanted: &Wanted, rows: &mut [Row], threads: &Threads, cancel: &Cancel) -> Result<()> {
        let share = rows.len().div_ceil(self.devices.len()).max(1);
        let parts = self.devices.iter().zip(rows.chunks_mut(share));
        at_once(parts, |((device, decoder), rows)| self.search(device, decoder, wanted, rows, threads, cancel))
            .map(drop)
    }

    /// Imputes rows on one device.
    fn search(
        &self,
        device: &Device,
        whole: &Decoder,
        wanted: &Wanted,
        rows: &mut [Row],
        threads: &Threads,
        cancel: &Cancel,
    ) -> Result<()> {
        let typed = wanted.typed.sites();
        let mut decoder = whole.of_columns(typed);
        let mut workspace = match device {
            Device::Cpu(_) => Workspace::new(threads.clone()),
            device => Workspace::on(device),
        };
        decoder.place(&workspace)?;
        for rows in rows.chunks_mut(self.at_a_time()) {
            cancel.check()?;
            let alleles: Vec<Vec<Option<bool>>> =
                rows.iter().map(|row| (0..typed.len()).map(|t| wanted.typed.allele(row.h, t)).collect()).collect();
            let logs = self.likelihoods(typed, &alleles, threads)?;
            let enough = (WORTH * self.settings.chains) as f64;
            let alone = |logs: &Vec<f64>| self.settings.steps == 0 || worth(&weights(logs, 1.0)) >= enough;
            let (settled, open): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|r| alone(&logs[*r]));
            let pooled = threads.map(settled.len(), |i| self.pooled(&logs[settled[i]], typed, &alleles[settled[i]]))?;
            let some: Vec<&[Option<bool>]> = open.iter().map(|r| &alleles[*r][..]).collect();
            let starts: Vec<&[f64]> = open.iter().map(|r| &logs[*r][..]).collect();
            let chained = self.chained(&mut workspace, [whole, &decoder], typed, &some, &starts, cancel)?;
            for (r, sums) in settled.into_iter().zip(pooled).chain(open.into_iter().zip(chained)) {
                self.finish(wanted, &mut rows[r], &alleles[r], &sums);
            }
        }
        Ok(())
    }

    /// Log likelihoods of haplotypes at the points of the pool.
    fn likelihoods(&self, typed: &[usize], alleles: &[Vec<Option<bool>>], threads: &Threads) -> Result<Vec<Vec<f64>>> {
        // Which of the three numbers below counts.
        let codes: Vec<Vec<u8>> =
            alleles.iter().map(|alleles| alleles.iter().map(|allele| allele.map_or(2, u8::from)).collect()).collect();
        let error = self.settings.typed_error as f32;
        let sites = self.decoder().columns();
        let by_point = threads.map(self.settings.pool, |n| {
            let odds = &self.odds[n * sites..][..sites];
            let chances: Vec<[f32; 3]> = typed
                .iter()
                .map(|site| [log_chance(-odds[*site], error).0, log_chance(odds[*site], error).0, 0.0])
                .collect();
            let log = |codes: &Vec<u8>| -> f64 {
                codes.iter().zip(&chances).map(|(code, chances)| f64::from(chances[usize::from(*code)])).sum()
            };
            codes.iter().map(log).collect::<Vec<f64>>()
        })?;
        Ok((0..alleles.len()).map(|r| by_point.iter().map(|logs| logs[r]).collect()).collect())
    }

    /// Sums over the pool.
    fn pooled(&self, logs: &[f64], typed: &[usize], alleles: &[Option<bool>]) -> Sums {
        let sites = self.decoder().columns();
        let mut sums = Sums::new(sites, typed.len());
        for (weight, odds) in weights(logs, 1.0).into_iter().zip(self.odds.chunks_exact(sites)) {
            if weight > 1e-9 {
                sums.add(weight, odds, typed, alleles, self.settings.typed_error);
            }
        }
        sums
    }

    /// Sums over chains, for haplotypes and the log likelihoods of the pool's points; decoders are that of all sites and that
    /// of the typed ones.
    fn chained(
        &self,
        workspace: &mut Workspace<f32>,
        [whole, decoder]: [&Decoder; 2],
        typed: &[usize],
        alleles: &[&[Option<bool>]],
        logs: &[&[f64]],
        cancel: &Cancel,
    ) -> Result<Vec<Sums>> {
        let mut sums = vec![Sums::new(self.decoder().columns(), typed.len()); alleles.len()];
        if alleles.is_empty() {
            return Ok(sums);
        }
        let k = self.settings.chains;
        let (points, places, powers) = self.start(logs);
        let found = self.look(workspace, decoder, &points, &places, alleles)?;
        let steps = vec![FIRST_STEP; alleles.len()];
        let mut chains = Chains { points, places, found, powers: powers.clone(), steps };
        let trajectories = self.settings.steps.div_ceil(LEAPS).max(2);
        let warm = trajectories / 2;
        let threads = workspace.threads().clone();
        for t in 0..trajectories {
            cancel.check()?;
            if t < warm {
                let share = (t + 1) as f64 / warm as f64;
                for (r, first) in powers.iter().enumerate() {
                    self.raise(&mut chains, r, t, first + (1.0 - first) * share);
                }
            }
            self.trajectory(workspace, decoder, alleles, &mut chains, t, t < warm)?;
            if t >= warm {
                let odds = whole.log_odds(workspace, &chains.points, &chains.places)?;
                let of_haplotype = k * self.decoder().columns();
                threads.for_each_piece(&mut sums, 1, |r, sums| {
                    for odds in odds[r * of_haplotype..][..of_haplotype].chunks_exact(self.decoder().columns()) {
                        sums[0].add(1.0, odds, typed, alleles[r], self.settings.typed_error);
                    }
                })?;
            }
        }
        Ok(sums)
    }

    /// Points of the pool that chains start from, where they are placed, and the powers that they were drawn with.
    fn start(&self, logs: &[&[f64]]) -> (Vec<f32>, Vec<Place>, Vec<f64>) {
        let (k, size) = (self.settings.chains, self.decoder().size());
        let (mut points, mut places, mut powers) = (Vec::new(), Vec::new(), Vec::new());
        let uniform = self.uniform(0);
        for logs in logs {
            let power = power(logs, (k as f64).min(0.5 * logs.len() as f64), 0.0);
            for n in chosen(&weights(logs, power), k, uniform) {
                points.extend_from_slice(&self.points[n * size..][..size]);
                places.push(self.places[n]);
            }
            powers.push(power);
        }
        (points, places, powers)
    }

    /// A number between 0 and 1 for a choice among points.
    fn uniform(&self, which: usize) -> f64 {
        f64::from(Stream::new(self.seed, Purpose::Clamped, CHAINS - 1).uniform(which as u64))
    }

    /// Raises the power of the likelihood for haplotype `r` as far as the chains' weights allow, and at least to `least`;
    /// chains are drawn anew by these weights.
    fn raise(&self, chains: &mut Chains, r: usize, t: usize, least: f64) {
        let (k, size) = (self.settings.chains, self.decoder().size());
        let before = chains.powers[r];
        if before >= 1.0 {
            return;
        }
        let logs = &chains.found.logs[r * k..][..k];
        let after = power(logs, KEPT * k as f64, before).max(least).min(1.0);
        let from = chosen(&weights(logs, after - before), k, self.uniform(t + 1));
        let own = r * k * size..(r + 1) * k * size;
        let (points, gradient) = (chains.points[own.clone()].to_vec(), chains.found.gradient[own].to_vec());
        let (places, logs) = (chains.places[r * k..][..k].to_vec(), logs.to_vec());
        for (c, n) in from.into_iter().enumerate() {
            let to = r * k + c;
            chains.points[to * size..][..size].copy_from_slice(&points[n * size..][..size]);
            chains.found.gradient[to * size..][..size].copy_from_slice(&gradient[n * size..][..size]);
            (chains.places[to], chains.found.logs[to]) = (places[n], logs[n]);
        }
        chains.powers[r] = after;
    }

    /// Takes every chain along a trajectory of [`LEAPS`] steps, or leaves it where it is. While `warm`, sizes of steps are
    /// fitted to the share of a haplotype's chains that were taken along.
    fn trajectory(
        &self,
        workspace: &mut Workspace<f32>,
        decoder: &Decoder,
        alleles: &[&[Option<bool>]],
        chains: &mut Chains,
        t: usize,
        warm: bool,
    ) -> Result<()> {
        let (k, size) = (self.settings.chains, self.decoder().size());
        // The words of a trajectory: a chunk for its acceptance, and those of its momenta.
        let chunk = t as u64 * (1 + size.div_ceil(CHUNK) as u64);
        let streams: Vec<Stream> =
            (0..k).map(|c| Stream::new(self.seed, Purpose::Clamped, CHAINS + c as u64)).collect();
        let mut drawn = vec![0.0; k * size];
        for (momenta, stream) in drawn.chunks_exact_mut(size.max(1)).zip(&streams) {
            normals(stream, chunk + 1, momenta);
        }
        let mut momenta = drawn.repeat(alleles.len());
        let (mut points, mut found) = (chains.points.clone(), chains.found.clone());
        let energy = |i: usize, points: &[f32], momenta: &[f32], found: &Found| {
            let squares = |numbers: &[f32]| numbers.iter().map(|x| f64::from(x * x)).sum::<f64>();
            let range = i * size..(i + 1) * size;
            0.5 * (squares(&points[range.clone()]) + squares(&momenta[range])) - chains.powers[i / k] * found.logs[i]
        };
        let before: Vec<f64> = (0..chains.places.len()).map(|i| energy(i, &points, &momenta, &found)).collect();
        let of_haplotype = (k * size).max(1);
        let kick = |points: &[f32], momenta: &mut [f32], found: &Found| {
            let parts = points.chunks(of_haplotype).zip(momenta.chunks_mut(of_haplotype));
            for ((r, (points, momenta)), gradient) in parts.enumerate().zip(found.gradient.chunks(of_haplotype)) {
                let (half, power) = (0.5 * chains.steps[r], chains.powers[r] as f32);
                for ((p, g), z) in momenta.iter_mut().zip(gradient).zip(points) {
                    *p += half * (power * g - z);
                }
            }
        };
        for _ in 0..LEAPS {
            kick(&points, &mut momenta, &found);
            for (r, (points, momenta)) in points.chunks_mut(of_haplotype).zip(momenta.chunks(of_haplotype)).enumerate()
            {
                points.iter_mut().zip(momenta).for_each(|(z, p)| *z += chains.steps[r] * p);
            }
            found = self.look(workspace, decoder, &points, &chains.places, alleles)?;
            kick(&points, &mut momenta, &found);
        }
        let chances: Vec<f64> = (0..before.len())
            .map(|i| match (before[i] - energy(i, &points, &momenta, &found)).min(0.0).exp() {
                chance if chance.is_finite() => chance,
                _ => 0.0,
            })
            .collect();
        for (i, chance) in chances.iter().enumerate() {
            if f64::from(streams[i % k].uniform(chunk * CHUNK as u64)) < *chance {
                let range = i * size..(i + 1) * size;
                chains.points[range.clone()].copy_from_slice(&points[range.clone()]);
                chains.found.gradient[range.clone()].copy_from_slice(&found.gradient[range]);
                chains.found.logs[i] = found.logs[i];
            }
        }
        if warm {
            for (step, chances) in chains.steps.iter_mut().zip(chances.chunks(k)) {
                let accepted = chances.iter().sum::<f64>() / k as f64;
                *step *= (accepted - ACCEPTED).exp() as f32;
            }
        }
        Ok(())
    }

    /// The log likelihood of points, and its gradient; `decoder` is that of the typed sites.
    fn look(
        &self,
        workspace: &mut Workspace<f32>,
        decoder: &Decoder,
        points: &[f32],
        places: &[Place],
        alleles: &[&[Option<bool>]],
    ) -> Result<Found> {
        let decoded = decoder.decode(workspace, points, places)?;
        let error = self.settings.typed_error as f32;
        let mut slopes = vec![0.0; decoded.odds.len()];
        let rows = slopes.chunks_exact_mut(decoder.columns()).zip(decoded.odds.chunks_exact(decoder.columns()));
        let logs = rows
            .enumerate()
            .map(|(i, (slopes, odds))| {
                let mut log = 0.0;
                for ((slope, odds), allele) in slopes.iter_mut().zip(odds).zip(alleles[i / self.settings.chains]) {
                    let Some(allele) = allele else { continue };
                    let sign = if *allele { 1.0 } else { -1.0 };
                    let (value, up) = log_chance(sign * odds, error);
                    log += f64::from(value);
                    *slope = sign * up;
                }
                log
            })
            .collect();
        Ok(Found { logs, gradient: decoder.gradient(workspace, decoded, &slopes, places)? })
    }

    /// Puts means into a row.
    fn finish(&self, wanted: &Wanted, row: &mut Row, alleles: &[Option<bool>], sums: &Sums) {
        for (dosage, sum) in row.dosages.iter_mut().zip(&sums.dosages[wanted.sites.clone()]) {
            *dosage = (sum / sums.weight).clamp(0.0, 1.0) as f32;
        }
        let error = self.settings.typed_error;
        for ((left_out, allele), inverse) in row.left_out.iter_mut().zip(alleles).zip(&sums.inverse) {
            let Some(allele) = allele else { continue };
            // Of the allele seen; the true one is another with the chance of an error.
            let p = ((sums.weight / inverse - error) / (1.0 - 2.0 * error).max(1e-9)).clamp(0.0, 1.0);
            *left_out = if *allele { p } else { 1.0 - p } as f32;
        }
    }
}

impl Sums {
    fn new(sites: usize, typed: usize) -> Self {
        Sums { weight: 0.0, dosages: vec![0.0; sites], inverse: vec![0.0; typed] }
    }

    /// Adds a point of these log odds.
    fn add(&mut self, weight: f64, odds: &[f32], typed: &[usize], alleles: &[Option<bool>], error: f64) {
        self.weight += weight;
        self.dosages.iter_mut().zip(odds).for_each(|(sum, odds)| *sum += weight * f64::from(logistic(*odds)));
        for ((inverse, site), allele) in self.inverse.iter_mut().zip(typed).zip(alleles) {
            let Some(allele) = allele else { continue };
            let p = f64::from(logistic(if *allele { odds[*site] } else { -odds[*site] }));
            *inverse += weight / (p * (1.0 - error) + (1.0 - p) * error);
        }
    }
}

/// The log of the chance of an allele of these log odds, which is seen as another with the chance `error`, and its slope.
fn log_chance(odds: f32, error: f32) -> (f32, f32) {
    if error == 0.0 {
        return (-softplus(-odds), logistic(-odds));
    }
    let chance = logistic(odds);
    let seen = error + (1.0 - 2.0 * error) * chance;
    (ln(seen), (1.0 - 2.0 * error) * chance * logistic(-odds) / seen)
}

/// Weights of points with these log likelihoods to a power; the largest is 1.
fn weights(logs: &[f64], power: f64) -> Vec<f64> {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weight = |log: &f64| match (power * (log - largest)).exp() {
        weight if weight.is_finite() => weight,
        // What is not a number has no say.
        _ => 0.0,
    };
    logs.iter().map(weight).collect()
}

/// How many equal weights these are worth (Kong, Liu and Wong 1994).
fn worth(weights: &[f64]) -> f64 {
    let (sum, squares) = weights.iter().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// The largest power, at most 1, to which points of these log likelihoods, drawn with the power `from`, can be brought so
/// that their weights are still worth so many.
fn power(logs: &[f64], least: f64, from: f64) -> f64 {
    let fits = |power: f64| worth(&weights(logs, power - from)) >= least;
    if fits(1.0) {
        return 1.0;
    }
    let (mut low, mut high) = (from, 1.0);
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

/// `k` numbers of weights, each as often as its share of them to within one (systematic resampling, Kitagawa 1996).
fn chosen(weights: &[f64], k: usize, uniform: f64) -> Vec<usize> {
    let step = weights.iter().sum::<f64>() / k as f64;
    let (mut n, mut sum) = (0, weights[0]);
    let mut out = Vec::with_capacity(k);
    for i in 0..k {
        while sum <= (i as f64 + uniform) * step && n + 1 < weights.len() {
            n += 1;
            sum += weights[n];
        }
        out.push(n);
    }
    out
}
