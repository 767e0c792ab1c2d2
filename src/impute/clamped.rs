//! Imputation by a restricted Boltzmann machine: its visible units are clamped to the typed alleles, and Gibbs chains run
//! over the rest.
//!
//! Dosages are averages of the conditional means P(v = 1 | hidden units), not counts of alleles drawn: the same
//! expectation with less noise (Rao and Blackwell). Chains start from draws of the model's mixture given the typed alleles.
//! By default they run for as many sweeps as the model's sampler does, and the later half of these is averaged: a machine
//! whose chains were renewed in training is one for few sweeps, and its equilibrium is another distribution (on 10,000
//! sites of chromosome 15, r2 a site is .51 after 5 sweeps and .31 after 400). If sweeps are asked for, chains run for 8,
//! then for as many again as they have run, and so on; each time the last half is averaged alone, until the averages agree
//! with those of the time before. Either way it is measured whether two halves of the chains agree.
//!
//! Without its own allele a typed site has P(a | the other alleles) = 1 / E[1 / P(a | hidden units)], the expectation over
//! chains that are clamped to all (the conditional predictive ordinate, Gelfand et al. 1992).

use super::{Row, Wanted};
use crate::compute::device::at_once;
use crate::compute::{Buffer, Clamp, Device, DeviceChoice, Noise, States};
use crate::error::Result;
use crate::models::SampledRbm;
use crate::models::mixture::Mixture;
use crate::models::rbm::HalfSteps;
use crate::options::Options;
use crate::panel::bits::BitMatrix;
use crate::progress::Cancel;
use crate::rng::{Purpose, Stream};
use crate::threads::Threads;

/// How an RBM is clamped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClampedSettings {
    /// Chains a haplotype, at least 2. This is the default: 64; the standard error of a dosage is an eighth of that of one
    /// chain.
    pub chains: usize,
    /// Sweeps at most; 0 for as many as the model's sampler does. This is the default: 0.
    pub sweeps: usize,
    /// The largest root mean square difference of the dosages of two halves of the chains that counts as agreement; the
    /// error of their mean is half of it. This is the default: 0.1.
    pub tolerance: f64,
    /// Share of typed alleles that are wrong; 0 clamps them. This is the default: 0.
    pub typed_error: f64,
}

impl Default for ClampedSettings {
    fn default() -> Self {
        ClampedSettings { chains: 64, sweeps: 0, tolerance: 0.1, typed_error: 0.0 }
    }
}

impl ClampedSettings {
    /// From the keys `impute_chains`, `impute_sweeps`, `tolerance` and `typed_error`, with their defaults.
    pub fn from_options(options: &Options) -> Self {
        ClampedSettings {
            chains: options.whole("impute_chains"),
            sweeps: options.whole("impute_sweeps"),
            tolerance: options.number("tolerance"),
            typed_error: options.number("typed_error"),
        }
    }
}

/// A machine to clamp, laid out on devices.
pub(super) struct Clamped {
    /// Where chains run, with the threads of each call where it is the processor. Haplotypes are shared among them.
    places: Vec<(Device, HalfSteps)>,
    mixture: Mixture,
    settings: ClampedSettings,
    /// Whether the sweeps are those of the model's sampler, and no more are run however the chains agree.
    own: bool,
    seed: u64,
}

/// Chains in work at a time.
const ROWS: usize = 512;
/// Sweeps before the first look.
const FIRST_LOOK: usize = 8;
/// Steps of a mean in 1.
const MEAN_STEPS: f32 = 16_384.0;
/// Where the words of typed alleles begin, out of the sweeps' way.
const TYPED_WORDS: u64 = 1 << 41;

/// Haplotypes whose chains had not settled when they ran out of sweeps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unsettled {
    pub(super) haplotypes: usize,
    /// The largest root mean square difference of two halves of their chains.
    pub(super) apart: f64,
}

impl Unsettled {
    pub(super) fn add(&mut self, other: &Unsettled) {
        self.haplotypes += other.haplotypes;
        self.apart = self.apart.max(other.apart);
    }
}

/// Sums over some sweeps, by haplotype, half of its chains, and site.
struct Sums {
    dosages: Buffer<f32>,
    /// Of 1 / P(typed allele | hidden units), by haplotype and typed site.
    inverse: Buffer<f64>,
    sweeps: usize,
}

/// Averages over some sweeps, on the processor: for each haplotype a row for the first half of its chains, and one for the
/// others.
struct Averages {
    dosages: Vec<f32>,
    /// Of 1 / P(typed allele | hidden units), by haplotype and typed site.
    inverse: Vec<f64>,
}

impl Clamped {
    pub(super) fn new(
        machine: &SampledRbm,
        settings: ClampedSettings,
        seed: u64,
        choice: DeviceChoice,
        threads: &Threads,
    ) -> Result<Self> {
        let lay_out = |choice: DeviceChoice| choice.laid_out(threads, |device| HalfSteps::new(device, &machine.rbm));
        let places = choice.each()?.into_iter().map(lay_out).collect::<Result<_>>()?;
        let own = settings.sweeps == 0;
        let settings =
            ClampedSettings { sweeps: if own { machine.sweeps.max(1) } else { settings.sweeps }, ..settings };
        Ok(Clamped { own, places, mixture: machine.mixture.clone(), settings, seed })
    }

    /// Haplotypes that keep the devices busy.
    pub(super) fn portion(&self) -> usize {
        self.places.iter().map(|(device, steps)| self.at_a_time(device, steps)).sum()
    }

    /// Haplotypes in work at a time on a device.
    fn at_a_time(&self, device: &Device, steps: &HalfSteps) -> usize {
        let rows = match device {
            Device::Cpu(_) => ROWS,
            // Means are numbers, and sums stand beside them.
            Device::Cuda(_) => device.rows_at_a_time(16 * steps.sites()),
        };
        (rows / self.settings.chains).max(1)
    }

    /// Imputes rows; see [`super::Fitted::impute`].
    pub(super) fn impute(
        &self,
        wanted: &Wanted,
        rows: &mut [Row],
        threads: &Threads,
        cancel: &Cancel,
    ) -> Result<Unsettled> {
        let share = rows.len().div_ceil(self.places.len()).max(1);
        let parts = at_once(self.places.iter().zip(rows.chunks_mut(share)), |((device, steps), rows)| {
            let device = match device {
                Device::Cpu(_) => Device::cpu(threads.clone()),
                other => other.clone(),
            };
            let mut unsettled = Unsettled::default();
            for rows in rows.chunks_mut(self.at_a_time(&device, steps)) {
                unsettled.add(&self.run(&device, steps, wanted, rows, cancel)?);
            }
            Ok(unsettled)
        })?;
        let mut unsettled = Unsettled::default();
        parts.iter().for_each(|part| unsettled.add(part));
        Ok(unsettled)
    }

    /// Runs the chains of some haplotypes until each has settled. One's numbers do not depend on which others are beside it.
    fn run(
        &self,
        device: &Device,
        steps: &HalfSteps,
        wanted: &Wanted,
        rows: &mut [Row],
        cancel: &Cancel,
    ) -> Result<Unsettled> {
        let (chains, sites) = (self.settings.chains, steps.sites());
        let typed = wanted.typed.sites();
        let first = rows.first().map_or(0, |row| row.h) as u64 * chains as u64;
        let noise = Noise { seed: self.seed, purpose: Purpose::Clamped, first, position: 0 };
        let mut visible = States::zeros(device, rows.len() * chains, sites)?;
        let mut hidden = States::zeros(device, rows.len() * chains, steps.hidden_units())?;
        let mut means = States::zeros(device, rows.len() * chains, sites)?;
        let alleles: Vec<Vec<Option<bool>>> =
            rows.iter().map(|row| (0..typed.len()).map(|t| wanted.typed.allele(row.h, t)).collect()).collect();
        let mut started = BitMatrix::zeros(rows.len() * chains, sites)?;
        for (r, alleles) in alleles.iter().enumerate() {
            self.start(typed, alleles, &mut started, r * chains..(r + 1) * chains, noise.first);
        }
        visible.unpack(&started, &(0..rows.len() * chains).collect::<Vec<_>>())?;
        drop(started);
        let clamp = Clamp::new(device, sites, typed, alleles, chains)?;
        let error = self.settings.typed_error;
        let mut position = 0;
        let mut sweep = 0;
        let mut before: Option<Averages> = None;
        let mut open = vec![true; rows.len()];
        let mut unsettled = Unsettled::default();
        let mut end = if self.own { self.settings.sweeps } else { FIRST_LOOK.min(self.settings.sweeps) };
        loop {
            let mut sums = Sums {
                dosages: Buffer::zeros(device, rows.len() * 2 * sites)?,
                inverse: Buffer::zeros(device, rows.len() * typed.len())?,
                sweeps: 0,
            };
            // The later half of what has been run by then is averaged.
            let averaged = sweep.max(end / 2);
            while sweep < end {
                cancel.check()?;
                steps.sample_hidden(device, &visible, &mut hidden, Noise { position, ..noise })?;
                position += steps.hidden_units().next_multiple_of(64) as u64;
                let looks = sweep >= averaged;
                if looks || error > 0.0 {
                    steps.visible_means(device, &hidden, &mut means)?;
                }
                if looks {
                    device.add_means(&clamp, &means, &mut sums.dosages)?;
                    device.add_inverse(&clamp, &means, error, &mut sums.inverse)?;
                    sums.sweeps += 1;
                }
                steps.sample_visible(device, &hidden, &mut visible, Noise { position, ..noise })?;
                position += sites.next_multiple_of(64) as u64;
                match error > 0.0 {
                    false => device.clamp(&clamp, &mut visible)?,
                    true => {
                        let position = TYPED_WORDS + sweep as u64 * 2 * typed.len() as u64;
                        device.clamp_seen(&clamp, &means, error, Noise { position, ..noise }, &mut visible)?;
                    }
                }
                sweep += 1;
            }
            let averages = self.averages(&sums, sites)?;
            for (r, (row, open)) in rows.iter_mut().zip(&mut open).enumerate().filter(|(_, (_, open))| **open) {
                let of_row = 2 * r * sites..2 * (r + 1) * sites;
                let dosages = &averages.dosages[of_row.clone()];
                let apart = difference(&dosages[..sites], &dosages[sites..]);
                let stays = |before: &Averages| difference(&before.dosages[of_row], dosages) < self.settings.tolerance;
                let settled = apart < self.settings.tolerance && (self.own || before.as_ref().is_some_and(stays));
                if settled || sweep >= self.settings.sweeps {
                    *open = false;
                    let inverse = &averages.inverse[r * typed.len()..][..typed.len()];
                    self.finish(wanted, row, clamp.known(r), dosages, inverse);
                    unsettled.add(&Unsettled {
                        haplotypes: usize::from(!settled),
                        apart: if settled { 0.0 } else { apart },
                    });
                }
            }
            if !open.contains(&true) {
                return Ok(unsettled);
            }
            before = Some(averages);
            end = (2 * sweep).min(self.settings.sweeps);
        }
    }

    fn averages(&self, sums: &Sums, sites: usize) -> Result<Averages> {
        let chains = self.settings.chains;
        let scale = 1.0 / (MEAN_STEPS * sums.sweeps.max(1) as f32);
        let halves = [chains / 2, chains - chains / 2];
        let mut dosages = sums.dosages.to_host()?.into_owned();
        for (i, half) in dosages.chunks_mut(sites).enumerate() {
            half.iter_mut().for_each(|sum| *sum = *sum * scale / halves[i % 2] as f32);
        }
        let looks = (chains * sums.sweeps) as f64;
        let inverse = sums.inverse.to_host()?.iter().map(|sum| sum / looks).collect();
        Ok(Averages { dosages, inverse })
    }

    /// Draws the chains of a haplotype from the mixture given its typed alleles.
    fn start(
        &self,
        typed: &[usize],
        alleles: &[Option<bool>],
        started: &mut BitMatrix,
        chains: std::ops::Range<usize>,
        first: u64,
    ) {
        let sites = started.columns();
        let logs: Vec<f64> = (0..self.mixture.clusters())
            .map(|k| {
                let log_odds = &self.mixture.log_odds[k * sites..][..sites];
                let known = typed.iter().zip(alleles).filter_map(|(site, allele)| Some((log_odds[*site], (*allele)?)));
                let log = |(l, allele): (f32, bool)| -f64::from(if allele { -l } else { l }).exp().ln_1p();
                known.map(log).sum::<f64>() + f64::from(self.mixture.shares[k]).max(1e-30).ln()
            })
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        for chain in chains {
            let mut words = Stream::new(self.seed, Purpose::Clamped, first + chain as u64).reader(TYPED_WORDS << 1);
            let mut left = words.uniform() * total;
            let passed = |w: &f64| {
                left -= w;
                left < 0.0
            };
            let k = weights.iter().position(passed).unwrap_or(weights.len() - 1);
            let log_odds = &self.mixture.log_odds[k * sites..][..sites];
            for (site, l) in log_odds.iter().enumerate() {
                started.set(chain, site, words.uniform() < 1.0 / (1.0 + f64::from(-*l).exp()));
            }
            for (site, allele) in typed.iter().zip(alleles) {
                if let Some(allele) = allele {
                    started.set(chain, *site, *allele);
                }
            }
        }
    }

    /// Puts averages of a haplotype's chains into its row.
    fn finish(&self, wanted: &Wanted, row: &mut Row, alleles: &[Option<bool>], dosages: &[f32], inverse: &[f64]) {
        let chains = self.settings.chains;
        let shares = [chains / 2, chains - chains / 2].map(|half| half as f32 / chains as f32);
        let (lower, upper) = dosages.split_at(dosages.len() / 2);
        for (dosage, site) in row.dosages.iter_mut().zip(wanted.sites.clone()) {
            *dosage = (shares[0] * lower[site] + shares[1] * upper[site]).clamp(0.0, 1.0);
        }
        let error = self.settings.typed_error;
        for ((left_out, allele), inverse) in row.left_out.iter_mut().zip(alleles).zip(inverse) {
            let Some(allele) = allele else { continue };
            // Of the allele seen; the true one is another with the chance of an error.
            let p = ((1.0 / inverse - error) / (1.0 - 2.0 * error).max(1e-9)).clamp(0.0, 1.0);
            *left_out = if *allele { p } else { 1.0 - p } as f32;
        }
    }
}

/// The root mean square difference of numbers.
fn difference(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (sum / a.len().max(1) as f64).sqrt()
}
