//! Log likelihood of a restricted Boltzmann machine, in nats a haplotype, with an error bar.
//!
//! `ln p(v) = -F(v) - ln Z`: the free energy is exact, ln Z is estimated by one of two ways.
//!
//! - [`annealed`]: annealed importance sampling (Neal 2001; for these machines Salakhutdinov and Murray 2008).
//! - [`bridged`]: the ratios of neighbouring rungs of the tempering ladder by Bennett's acceptance ratio (Bennett 1976).
//!
//! The likelihood is that of the machine itself, with the visible bias and the weights that it learned. Haplotypes that a
//! sampler makes go through the last half-step ([`crate::models::Output`]), whose sharpness and bias are others where
//! training calibrated them, and after finitely many sweeps: their distribution has no density that could be computed.

use super::tempering::{Draws, Ladder, MOST_RUNGS, Replicas};
use crate::compute::{Device, Noise, States};
use crate::error::{Error, ErrorKind, Result};
use crate::models::mixture::StartDraws;
use crate::models::rbm::{HalfSteps, Rbm};
use crate::models::{SampledRbm, Start};
use crate::panel::bits::BitMatrix;
use crate::progress::Progress;
use crate::rng::Purpose;

/// An estimate of ln Z, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogPartition {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// Settings of annealed importance sampling.
#[derive(Clone, Debug, PartialEq)]
pub struct Annealing {
    /// Independent chains, at least 2. Default: 200.
    pub chains: usize,
    /// Steps from the machine without interactions to the machine. Default: 2000.
    pub temperatures: usize,
    /// Gibbs sweeps at each. Default: 1.
    pub sweeps: usize,
    /// Whether the path goes through the rungs of the machine's ladder, where it has one, and not straight. Default: no.
    pub ladder: bool,
    /// The seed. Default: 0.
    pub seed: u64,
}

impl Default for Annealing {
    fn default() -> Self {
        Annealing { chains: 200, temperatures: 2000, sweeps: 1, ladder: false, seed: 0 }
    }
}

/// Settings of the estimate along the tempering ladder.
#[derive(Clone, Debug, PartialEq)]
pub struct Bridging {
    /// Independent chains, each with a replica at each rung; at least 2. Default: 100.
    pub chains: usize,
    /// Rounds before states are used. Default: 50.
    pub discarded: usize,
    /// Rounds whose states are used, at least 1. Default: 50.
    pub rounds: usize,
    /// Gibbs sweeps of each rung in a round. Default: 5.
    pub sweeps: usize,
    /// The seed. Default: 0.
    pub seed: u64,
}

impl Default for Bridging {
    fn default() -> Self {
        Bridging { chains: 100, discarded: 50, rounds: 50, sweeps: 5, seed: 0 }
    }
}

/// How ln Z is estimated.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// By annealed importance sampling: for any machine.
    Annealing(Annealing),
    /// Along the tempering ladder: for machines that were trained with one.
    Bridging(Bridging),
}

/// Log likelihood of haplotypes under a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLikelihood {
    /// Mean over the haplotypes, in nats.
    pub mean: f64,
    /// Standard error from the estimate of ln Z, which all haplotypes share.
    pub error: f64,
    /// ln p of each haplotype, in nats.
    pub haplotypes: Vec<f64>,
    /// The estimate of ln Z.
    pub log_partition: LogPartition,
}

/// Log likelihood of the rows of `bits`, whose columns are the machine's sites, in nats.
///
/// It is that of the machine itself, and not of its calibrated last half-step (see this module).
///
/// # Errors
/// `Empty` without haplotypes; `InvalidArgument` for other sites or settings out of range; `InvalidOption` for a ladder
/// that the machine lacks; `Cancelled`; `OutOfMemory`.
pub fn log_likelihood(
    device: &Device,
    machine: &SampledRbm,
    bits: &BitMatrix,
    method: &Method,
    progress: &mut Progress,
) -> Result<LogLikelihood> {
    if bits.rows() == 0 {
        return Err(Error::new(ErrorKind::Empty, "there is no haplotype whose likelihood to compute"));
    }
    if bits.columns() != machine.rbm.sites() {
        let what = format!("haplotypes of {} sites, and a machine of {}", bits.columns(), machine.rbm.sites());
        return Err(Error::argument(what).remedy("take the model's sites, in their order"));
    }
    let log_partition = match method {
        Method::Annealing(settings) => {
            let mut path = match settings.ladder {
                true => with_ladder(machine)?.to_vec(),
                false => vec![independent_sites(machine)],
            };
            path.push(machine.rbm.clone());
            annealed(device, &path, settings, progress)?
        }
        Method::Bridging(settings) => bridged(device, machine, settings, progress)?,
    };
    const BATCH: usize = 512;
    let steps = HalfSteps::new(device, &machine.rbm)?;
    let mut haplotypes = vec![0.0; bits.rows()];
    for (batch, out) in haplotypes.chunks_mut(BATCH).enumerate() {
        let rows: Vec<usize> = (batch * BATCH..batch * BATCH + out.len()).collect();
        let mut visible = States::zeros(device, rows.len(), bits.columns())?;
        visible.unpack(bits, &rows)?;
        let energies = steps.free_energies(device, &visible)?;
        out.iter_mut().zip(&*energies.to_host()?).for_each(|(out, f)| *out = -f - log_partition.value);
    }
    let mean = haplotypes.iter().sum::<f64>() / bits.rows() as f64;
    Ok(LogLikelihood { mean, error: log_partition.error, haplotypes, log_partition })
}

/// The machine without interactions whose sites have the frequencies of the mixture that chains start from.
fn independent_sites(machine: &SampledRbm) -> Rbm {
    Rbm {
        hidden: machine.rbm.hidden,
        weights: vec![0.0; machine.rbm.weights.len()],
        visible_bias: machine.mixture.marginal_log_odds(),
        hidden_bias: vec![0.0; machine.rbm.hidden_units()],
    }
}

fn with_ladder(machine: &SampledRbm) -> Result<&[Rbm]> {
    match machine.ladder.is_empty() {
        false => Ok(&machine.ladder),
        true => Err(Error::new(ErrorKind::InvalidOption, "this model was trained without a tempering ladder")
            .remedy("train with option ladder=true, or use annealed importance sampling in a straight line")),
    }
}

/// ln Z of a machine without interactions: `sum over sites of ln(1 + e^b)`, and the hidden units' share.
///
/// # Errors
/// `InvalidArgument` for a machine with interactions; `OutOfMemory`.
pub fn without_interactions(device: &Device, rbm: &Rbm) -> Result<f64> {
    if rbm.weights.iter().any(|w| *w != 0.0) {
        return Err(Error::argument("the first machine of the path has interactions: its ln Z is not known"));
    }
    let rbm = rbm.rounded();
    // With all sites at 0, minus the free energy is the hidden units' share, and it is the same for all states.
    let visible = States::zeros(device, 1, rbm.sites())?;
    let hidden = HalfSteps::new(device, &rbm)?.free_energies(device, &visible)?;
    let softplus = |b: &f32| f64::from(*b).max(0.0) + (-f64::from(b.abs())).exp().ln_1p();
    Ok(rbm.visible_bias.iter().map(softplus).sum::<f64>() - hidden.to_host()?[0])
}

/// ln Z of the last machine of `path` by annealed importance sampling from the first, which has no interactions, in
/// straight lines through those between.
///
/// Parameters change linearly along each line, and are rounded to the grid of the half-steps, so that each of the
/// `temperatures` machines on the way is sampled and weighed as the very same machine. With `w` the weights of the n
/// chains, `value = ln Z of the first + ln mean(w)`, and by the delta method `error = sd(w) / (mean(w) sqrt(n))`.
/// The error cannot exceed 1: one near 1 says that a single chain carries the weight. The value is then too low in all
/// likelihood, as ln mean(w) is at most ln Z on average, and more temperatures are needed.
///
/// # Errors
/// `InvalidArgument` for an empty path, machines of different shapes, a first machine with interactions, or settings out
/// of range; `Diverged` for parameters out of range; `Cancelled`; `OutOfMemory`.
pub fn annealed(device: &Device, path: &[Rbm], settings: &Annealing, progress: &mut Progress) -> Result<LogPartition> {
    let (chains, temperatures) = (settings.chains, settings.temperatures);
    let [first, .., last] = path else {
        return Err(Error::argument("annealing needs a first and a last machine"));
    };
    let shape = |r: &Rbm| (r.hidden, r.sites(), r.hidden_units(), r.weights.len());
    if path.iter().any(|r| shape(r) != shape(last)) {
        return Err(Error::argument("the machines of the path differ in shape"));
    }
    if chains < 2 || temperatures < path.len() - 1 || settings.sweeps == 0 {
        return Err(Error::argument(format!(
            "annealing with {chains} chains, {temperatures} temperatures and {} sweeps",
            settings.sweeps
        ))
        .remedy("it needs at least 2 chains, a temperature for each machine of the path, and a sweep"));
    }
    let base = without_interactions(device, first)?;
    let mut here = HalfSteps::new(device, &first.rounded())?;
    let mut next = here.copy()?;
    let mut visible = States::zeros(device, chains, here.sites())?;
    let mut hidden = States::zeros(device, chains, here.hidden_units())?;
    let mut noise = Noise { seed: settings.seed, purpose: Purpose::Likelihood, first: 0, position: 0 };
    // Without interactions visible units do not heed the hidden ones: an exact draw.
    here.sample_visible(device, &hidden, &mut visible, noise)?;
    noise.position += here.words_per_sweep();
    let mut weights = vec![0.0; chains];
    for k in 1..=temperatures {
        next.set(device, &along(path, k, temperatures).rounded())?;
        let (before, after) = (here.free_energies(device, &visible)?, next.free_energies(device, &visible)?);
        let changes = before.to_host()?;
        weights.iter_mut().zip(changes.iter().zip(&*after.to_host()?)).for_each(|(w, (b, a))| *w += b - a);
        std::mem::swap(&mut here, &mut next);
        if k < temperatures {
            here.sweep(device, &mut visible, &mut hidden, settings.sweeps, noise)?;
            noise.position += settings.sweeps as u64 * here.words_per_sweep();
        }
        progress.step("annealing", k as u64, temperatures as u64, "temperatures")?;
    }
    let (value, error) = log_mean(&weights);
    Ok(LogPartition { value: base + value, error })
}

/// The machine at step `k` of `steps` along the path.
fn along(path: &[Rbm], k: usize, steps: usize) -> Rbm {
    let lines = path.len() - 1;
    let line = (k * lines / steps).min(lines - 1);
    // How far along the line, from 0 to 1; exactly 1 at the end.
    let t = ((k * lines - line * steps) as f64 / steps as f64) as f32;
    let (a, b) = (&path[line], &path[line + 1]);
    let mix = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (1.0 - t) * a + t * b).collect();
    Rbm {
        hidden: a.hidden,
        weights: mix(&a.weights, &b.weights),
        visible_bias: mix(&a.visible_bias, &b.visible_bias),
        hidden_bias: mix(&a.hidden_bias, &b.hidden_bias),
    }
}

/// ln of the mean of `exp(logs)`, and its standard error by the delta method.
fn log_mean(logs: &[f64]) -> (f64, f64) {
    let n = logs.len() as f64;
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = || logs.iter().map(|l| (l - largest).exp());
    let mean = weights().sum::<f64>() / n;
    let variance = weights().map(|w| (w - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (largest + mean.ln(), (variance / n).sqrt() / mean)
}

/// ln Z of a machine along its tempering ladder: that of the first rung, which has no interactions, and the ratios of
/// neighbouring rungs by Bennett's acceptance ratio from replicas at both.
///
/// With `d(v) = F_low(v) - F_high(v)`, the ratio's log r solves
/// `sum over v at low of s(d - r) = sum over v at high of s(r - d)`, s the logistic function. Chains are independent of
/// each other, rounds and rungs of a chain are not: each chain c is a block. Its share in the error of a ratio is
/// `e_c = [sum over its rounds of s(d_low - r) - s(r - d_high)] / [sum over all of s (1 - s)]`, those of all ratios add up
/// to `E_c`, and `error^2 = n / (n - 1) x sum over chains of E_c^2`. What the discarded rounds leave of the start is not
/// in it.
///
/// # Errors
/// `InvalidOption` for a machine without a ladder; `InvalidArgument` for settings out of range or a ladder that does not
/// begin without interactions; `Cancelled`; `OutOfMemory`.
pub fn bridged(
    device: &Device,
    machine: &SampledRbm,
    settings: &Bridging,
    progress: &mut Progress,
) -> Result<LogPartition> {
    let rungs = with_ladder(machine)?;
    let (chains, rounds) = (settings.chains, settings.rounds);
    if chains < 2 || rounds == 0 || settings.sweeps == 0 || rungs.len() as u64 >= MOST_RUNGS {
        let what = format!("bridging with {chains} chains, {rounds} rounds and {} sweeps", settings.sweeps);
        return Err(Error::argument(what).remedy("it needs at least 2 chains, a round and a sweep"));
    }
    let base = without_interactions(device, &rungs[0])?;
    let ladder = Ladder::new(device, rungs.iter().chain([&machine.rbm]))?;
    let draws = Draws { seed: settings.seed, first: 0, purpose: Purpose::Likelihood };
    let start = StartDraws::new(device, Start::Mixture, &machine.mixture)?;
    let mut replicas = Replicas::begin(device, &ladder, &start, chains, draws)?;
    let mut differences = vec![Differences::default(); ladder.len() - 1];
    let total = (settings.discarded + rounds) as u64;
    for round in 0..settings.discarded + rounds {
        replicas.round(device, &ladder, settings.sweeps, draws)?;
        if round >= settings.discarded {
            for (low, differences) in differences.iter_mut().enumerate() {
                let (below, above) = (ladder.rung(low), ladder.rung(low + 1));
                differences.low.extend(difference(device, below, above, &replicas.states[low])?);
                differences.high.extend(difference(device, below, above, &replicas.states[low + 1])?);
            }
        }
        progress.step("tempering", round as u64 + 1, total, "rounds")?;
    }
    let mut value = base;
    let mut shares = vec![0.0; chains];
    for differences in &differences {
        let ratio = differences.ratio();
        value += ratio;
        differences.add_shares(ratio, &mut shares);
    }
    let n = chains as f64;
    Ok(LogPartition { value, error: (n / (n - 1.0) * shares.iter().map(|e| e * e).sum::<f64>()).sqrt() })
}

/// `F_low - F_high` of each row.
fn difference(device: &Device, low: &HalfSteps, high: &HalfSteps, visible: &States) -> Result<Vec<f64>> {
    let (low, high) = (low.free_energies(device, visible)?, high.free_energies(device, visible)?);
    let mut out = low.to_host()?.into_owned();
    out.iter_mut().zip(&*high.to_host()?).for_each(|(out, high)| *out -= high);
    Ok(out)
}

/// `F_low - F_high` of states at two neighbouring rungs: round by round, a number a chain.
#[derive(Clone, Debug, Default)]
struct Differences {
    low: Vec<f64>,
    high: Vec<f64>,
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Differences {
    /// Bennett's log ratio `ln(Z_high / Z_low)`: Newton's steps inside a bracket.
    fn ratio(&self) -> f64 {
        let all = || self.low.iter().chain(&self.high);
        // The sum below is positive at the least difference, negative at the largest, and falls between.
        let (mut left, mut right) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, r), d| (l.min(*d), r.max(*d)));
        let mut ratio = 0.5 * (left + right);
        for _ in 0..200 {
            let (mut sum, mut slope) = (0.0, 0.0);
            for (d, sign) in self.low.iter().map(|d| (d, 1.0)).chain(self.high.iter().map(|d| (d, -1.0))) {
                let s = logistic(sign * (d - ratio));
                sum += sign * s;
                slope += s * (1.0 - s);
            }
            if sum > 0.0 {
                left = ratio
            } else {
                right = ratio
            }
            let newton = ratio + sum / slope.max(f64::MIN_POSITIVE);
            let to = if newton > left && newton < right { newton } else { 0.5 * (left + right) };
            let moved = (to - ratio).abs();
            ratio = to;
            if moved < 1e-10 {
                break;
            }
        }
        ratio
    }

    /// Adds each chain's share in the error of `ratio`.
    fn add_shares(&self, ratio: f64, shares: &mut [f64]) {
        let chains = shares.len();
        let mut sums = vec![0.0; chains];
        let mut slope = 0.0;
        for (i, (low, high)) in self.low.iter().zip(&self.high).enumerate() {
            let (l, h) = (logistic(low - ratio), logistic(ratio - high));
            sums[i % chains] += l - h;
            slope += l * (1.0 - l) + h * (1.0 - h);
        }
        shares.iter_mut().zip(sums).for_each(|(share, sum)| *share += sum / slope.max(f64::MIN_POSITIVE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Output;
    use crate::models::mixture::Mixture;
    use crate::models::rbm::Hidden;
    use crate::rng::Stream;
    use crate::threads::Threads;

    /// 10 sites, 6 hidden units, and interactions strong enough that the estimate is no matter of course.
    fn machine(hidden: Hidden, ladder: usize) -> SampledRbm {
        let mut random = Stream::new(11, Purpose::Initial, 3).reader(0);
        let mut numbers = |n: usize, size: f64| (0..n).map(|_| (size * random.normal()) as f32).collect::<Vec<_>>();
        let size = if hidden == Hidden::Relu { 0.35 } else { 1.0 };
        let rbm =
            Rbm { hidden, weights: numbers(60, size), visible_bias: numbers(10, 0.8), hidden_bias: numbers(6, 0.5) }
                .rounded();
        let mixture = Mixture { shares: vec![1.0], log_odds: numbers(10, 0.5) };
        let mut machine = SampledRbm {
            output: Output { sharpness: 1.0, bias: rbm.visible_bias.clone() },
            rbm,
            mixture,
            ladder: Vec::new(),
            start: Start::Mixture,
            sweeps: 1,
        };
        let ends = [independent_sites(&machine), machine.rbm.clone()];
        machine.ladder = (0..ladder).map(|r| along(&ends, r, ladder).rounded()).collect();
        machine
    }

    /// Minus the free energies of all 2^10 haplotypes, from the definition in double precision.
    fn exact(rbm: &Rbm) -> (Vec<f64>, f64) {
        let minus: Vec<f64> = (0..1u32 << rbm.sites())
            .map(|v| {
                let on = |i: usize| v >> i & 1 == 1;
                let bias = |b: &[f32]| (0..rbm.sites()).filter(|i| on(*i)).map(|i| f64::from(b[i])).sum::<f64>();
                let hidden = (0..rbm.hidden_units()).map(|j| {
                    let column: Vec<f32> = (0..rbm.sites()).map(|i| rbm.weights[i * rbm.hidden_units() + j]).collect();
                    let x = f64::from(rbm.hidden_bias[j]) + bias(&column);
                    match rbm.hidden {
                        Hidden::Bernoulli => x.exp().ln_1p(),
                        Hidden::Relu => {
                            // Simpson's rule over h >= 0 of exp(h x - h^2 / 2).
                            let f = |h: f64| (h * x - 0.5 * h * h).exp();
                            let step = (x.max(0.0) + 12.0) / 400.0;
                            let piece = |i: i32| {
                                let h = f64::from(i) * step;
                                (f(h) + 4.0 * f(h + step / 2.0) + f(h + step)) * step / 6.0
                            };
                            (0..400).map(piece).sum::<f64>().ln()
                        }
                    }
                });
                bias(&rbm.visible_bias) + hidden.sum::<f64>()
            })
            .collect();
        let log_z = minus.iter().map(|f| f.exp()).sum::<f64>().ln();
        (minus, log_z)
    }

    fn device() -> Device {
        Device::cpu(Threads::single())
    }

    fn all_haplotypes() -> BitMatrix {
        BitMatrix::from_fn(1024, 10, |r, c| r >> c & 1 == 1).unwrap()
    }

    /// Both ways, both kinds of units, against enumeration: within 4 standard errors (false alarm 6e-5 each), and with
    /// errors small enough to mean something.
    #[test]
    fn estimates_agree_with_enumeration_within_their_error_bars() {
        for hidden in [Hidden::Bernoulli, Hidden::Relu] {
            let machine = machine(hidden, 6);
            let (minus, log_z) = exact(&machine.rbm);
            let annealing = Annealing { chains: 200, temperatures: 200, ..Annealing::default() };
            let through = Annealing { ladder: true, seed: 5, ..annealing.clone() };
            let bridging = Bridging { chains: 60, discarded: 20, rounds: 40, sweeps: 2, seed: 3 };
            for method in [Method::Annealing(annealing), Method::Annealing(through), Method::Bridging(bridging)] {
                let found =
                    log_likelihood(&device(), &machine, &all_haplotypes(), &method, &mut Progress::none()).unwrap();
                let off = found.log_partition.value - log_z;
                assert!(off.abs() < 4.0 * found.error, "{hidden:?} {method:?}: {off} and {}", found.error);
                assert!((1e-4..0.06).contains(&found.error), "{hidden:?} {method:?}: {}", found.error);
                for (own, minus) in found.haplotypes.iter().zip(&minus) {
                    assert!((own - (minus - log_z) - -off).abs() < 2e-4, "{hidden:?}: {own} {}", minus - log_z);
                }
                let mean = minus.iter().sum::<f64>() / 1024.0 - log_z;
                assert!((found.mean - mean + off).abs() < 2e-4);
            }
        }
    }

    /// 30 seeds: squared deviations in units of the error bar have mean 1; below 0.35 or above 2.2 by chance once in
    /// 1,000 (chi-square with 30 degrees of freedom).
    #[test]
    fn error_bars_have_the_size_of_the_deviations() {
        let machine = machine(Hidden::Bernoulli, 4);
        let (_, log_z) = exact(&machine.rbm);
        let methods = |seed| {
            [
                Method::Annealing(Annealing { chains: 50, temperatures: 60, seed, ..Annealing::default() }),
                Method::Bridging(Bridging { chains: 40, discarded: 10, rounds: 10, sweeps: 2, seed }),
            ]
        };
        for m in 0..2 {
            let mean = (0..30)
                .map(|seed| {
                    let bits = all_haplotypes().select_rows(&[0]).unwrap();
                    let found =
                        log_likelihood(&device(), &machine, &bits, &methods(seed)[m], &mut Progress::none()).unwrap();
                    ((found.log_partition.value - log_z) / found.error).powi(2)
                })
                .sum::<f64>()
                / 30.0;
            assert!((0.35..2.2).contains(&mean), "method {m}: {mean}");
        }
    }

    #[test]
    fn likelihood_without_interactions_is_exact() {
        for hidden in [Hidden::Bernoulli, Hidden::Relu] {
            let mut machine = machine(hidden, 1);
            machine.rbm.weights.fill(0.0);
            let (_, log_z) = exact(&machine.rbm);
            let own = without_interactions(&device(), &machine.rbm).unwrap();
            assert!((own - log_z).abs() < 1e-4, "{hidden:?}: {own} {log_z}");
            // A path from a machine to itself has weights of 1 and no error.
            let path = [machine.rbm.clone(), machine.rbm.clone()];
            let settings = Annealing { temperatures: 5, chains: 3, ..Annealing::default() };
            let found = annealed(&device(), &path, &settings, &mut Progress::none()).unwrap();
            assert_eq!(found, LogPartition { value: own, error: 0.0 });
        }
    }

    #[test]
    fn estimates_do_not_depend_on_threads() {
        let machine = machine(Hidden::Relu, 3);
        let run = |threads, method: &Method| {
            let device = Device::cpu(Threads::new(threads));
            log_likelihood(&device, &machine, &all_haplotypes(), method, &mut Progress::none()).unwrap()
        };
        let annealing = Method::Annealing(Annealing { chains: 70, temperatures: 20, ..Annealing::default() });
        let bridging = Method::Bridging(Bridging { chains: 70, discarded: 1, rounds: 3, ..Bridging::default() });
        for method in [annealing, bridging] {
            assert_eq!(run(1, &method), run(3, &method));
        }
    }

    #[test]
    fn what_cannot_be_estimated_is_refused() {
        let with = machine(Hidden::Bernoulli, 2);
        let without = machine(Hidden::Bernoulli, 0);
        let fails = |machine: &SampledRbm, bits: &BitMatrix, method: Method| {
            log_likelihood(&device(), machine, bits, &method, &mut Progress::none()).unwrap_err().kind()
        };
        let all = all_haplotypes();
        let annealing = || Method::Annealing(Annealing::default());
        assert_eq!(fails(&without, &all, Method::Bridging(Bridging::default())), ErrorKind::InvalidOption);
        let ladder = Method::Annealing(Annealing { ladder: true, ..Annealing::default() });
        assert_eq!(fails(&without, &all, ladder), ErrorKind::InvalidOption);
        assert_eq!(fails(&with, &BitMatrix::zeros(0, 10).unwrap(), annealing()), ErrorKind::Empty);
        assert_eq!(fails(&with, &BitMatrix::zeros(2, 9).unwrap(), annealing()), ErrorKind::InvalidArgument);
        for (chains, temperatures, sweeps) in [(1, 10, 1), (5, 0, 1), (5, 10, 0)] {
            let settings = Annealing { chains, temperatures, sweeps, ..Annealing::default() };
            assert_eq!(fails(&with, &all, Method::Annealing(settings)), ErrorKind::InvalidArgument);
        }
        let settings = Bridging { rounds: 0, ..Bridging::default() };
        assert_eq!(fails(&with, &all, Method::Bridging(settings)), ErrorKind::InvalidArgument);
        let path = [with.rbm.clone(), with.rbm.clone()];
        let found = annealed(&device(), &path, &Annealing::default(), &mut Progress::none());
        assert_eq!(found.unwrap_err().kind(), ErrorKind::InvalidArgument);
        let cancel = crate::progress::Cancel::new();
        cancel.cancel();
        let mut report = |_: &crate::progress::Event| {};
        let mut progress = Progress::new(&mut report, cancel);
        let stopped = log_likelihood(&device(), &with, &all, &annealing(), &mut progress).unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::Cancelled);
    }
}
