//! The last half-step of a finished machine: its sharpness and bias (see [`Output`]).

use super::contrastive::frequencies;
use crate::compute::real::Work;
use crate::compute::{Device, Matrix, States, activation};
use crate::error::Result;
use crate::evaluate::adversarial::{Aats, aats};
use crate::models::rbm::OutputStep;
use crate::models::{Output, SampledRbm};
use crate::panel::bits::BitMatrix;
use crate::rng::{Purpose, Stream};
use crate::sample::chains::{Chains, Schedule, output_noise};
use crate::threads::Threads;

/// Haplotypes that the calibration draws, at most; also the most that it compares.
const HAPLOTYPES: usize = 2500;
/// The sharpest half-step that is tried.
const SHARPEST: f32 = 1.6;
/// Newton's steps to a bias.
const NEWTON: usize = 12;
/// Halvings of the interval: sharpness to 0.01.
const HALVINGS: usize = 6;

/// What a calibration found.
pub struct Calibrated {
    /// The last half-step.
    pub output: Output,
    /// Its adversarial accuracies against training haplotypes.
    pub aats: Aats,
    /// The haplotypes that it drew.
    pub haplotypes: BitMatrix,
}

/// Finds the sharpness at which artificial haplotypes are as near to real ones as real and artificial ones are among
/// themselves (AA_truth = AA_syn), between 1 and 1.6, and the bias that gives each site its frequency. With `plain` the
/// machine is left as it is, and only measured.
///
/// # Errors
/// `OutOfMemory`; `Diverged`.
pub fn calibrate(
    device: &Device,
    machine: &SampledRbm,
    data: &BitMatrix,
    plain: bool,
    seed: u64,
) -> Result<Calibrated> {
    let n = data.rows().min(HAPLOTYPES);
    let truth = data.select_rows(&Stream::new(seed, Purpose::Evaluate, 1).reader(0).choose(data.rows(), n))?;
    let schedule = Schedule::Gibbs { start: machine.start, sweeps: machine.sweeps };
    let chains = Chains::new(device, machine, schedule)?;
    let (hidden, visible) = chains.hidden(device, seed, Purpose::Evaluate, 2, n)?;
    let mut inputs = Matrix::zeros(device, n, data.columns())?;
    // W h alone: the bias is what is looked for.
    let bare = Output { sharpness: 1.0, bias: vec![0.0; data.columns()] };
    let scale = OutputStep::new(device, &machine.rbm, &bare)?.inputs(device, &hidden, &mut inputs)?;
    let (rows, inputs) = (inputs.rows(), inputs.to_host()?);
    let targets = frequencies(data);
    let noise = output_noise(seed, Purpose::Evaluate, 2, chains.half_steps());
    let mut visible: States = visible;
    let mut attempt = |output: Output| -> Result<Calibrated> {
        OutputStep::new(device, &machine.rbm, &output)?.sample(device, &hidden, noise, &mut visible)?;
        let haplotypes = visible.pack()?;
        let aats = aats(&truth, &haplotypes, device)?;
        Ok(Calibrated { output, aats, haplotypes })
    };
    if plain {
        return attempt(Output { sharpness: 1.0, bias: machine.rbm.visible_bias.clone() });
    }
    let mut bias = machine.rbm.visible_bias.clone();
    let with = |sharpness: f32| -> Result<Calibrated> {
        let input = |row: usize, site: usize| inputs.row(row)[site] as f32;
        solve_bias(rows, input, 0, scale * sharpness, &targets, &mut bias, device.threads())?;
        attempt(Output { sharpness, bias: bias.clone() })
    };
    let steepest = machine.rbm.weights.iter().fold(1e-3f32, |m, w| m.max(w.abs()));
    sharpen(1.0, SHARPEST.min(7.9 / steepest).max(1.0), with)
}

/// The attempt, by sharpness, at which artificial haplotypes are as near to real ones as real and artificial ones are
/// among themselves; between `low` (at most 1) and `high`.
pub(super) fn sharpen(low: f32, high: f32, mut attempt: impl FnMut(f32) -> Result<Calibrated>) -> Result<Calibrated> {
    let gap = |c: &Calibrated| c.aats.truth - c.aats.syn;
    let mut best = attempt(1.0)?;
    let (mut low, mut high) = if gap(&best) > 0.0 { (1.0, high) } else { (low, 1.0) };
    for _ in 0..if low < high { HALVINGS } else { 0 } {
        let middle = 0.5 * (low + high);
        let tried = attempt(middle)?;
        if gap(&tried) > 0.0 {
            low = middle
        } else {
            high = middle
        }
        if gap(&tried).abs() < gap(&best).abs() {
            best = tried;
        }
    }
    Ok(best)
}

/// Sites whose biases are looked for together: a vector of the widest kind.
const SITES: usize = 16;

/// The logistic functions of `inputs x scale + biases`, summed over rows, and their slopes.
struct Means<'a> {
    inputs: &'a [[f32; SITES]],
    scale: f32,
    biases: [f32; SITES],
}

impl Work for Means<'_> {
    type Found = [[f64; SITES]; 2];

    #[inline(always)]
    fn run(self) -> Self::Found {
        let (mut sums, mut slopes) = ([0.0; SITES], [0.0; SITES]);
        for inputs in self.inputs {
            for site in 0..SITES {
                let p = activation::logistic(inputs[site] * self.scale + self.biases[site]);
                sums[site] += f64::from(p);
                slopes[site] += f64::from(p * (1.0 - p));
            }
        }
        [sums, slopes]
    }
}

/// For each site, the bias at which the mean over rows of the logistic function of `input(row, site) x scale + bias` is the
/// target: Newton's steps inside a shrinking bracket, from the bias given, then `halvings` of the bracket, for inputs so
/// far apart that the mean hardly moves in between.
pub(super) fn solve_bias(
    rows: usize,
    input: impl Fn(usize, usize) -> f32 + Sync,
    halvings: usize,
    scale: f32,
    targets: &[f64],
    bias: &mut [f32],
    threads: &Threads,
) -> Result<()> {
    /// A site fixed in the training panel stays fixed.
    const NEVER: f32 = 60.0;
    threads.for_each_piece(bias, SITES, |task, bias| {
        let first = task * SITES;
        let mut brackets = [(-NEVER, NEVER); SITES];
        let row = |r: usize| std::array::from_fn(|site| if site < bias.len() { input(r, first + site) } else { 0.0 });
        let inputs: Vec<[f32; SITES]> = (0..rows).map(row).collect();
        for step in 0..NEWTON + halvings {
            let mut biases = [0.0; SITES];
            biases[..bias.len()].copy_from_slice(bias);
            let [sums, slopes] = Means { inputs: &inputs, scale, biases }.run_wide();
            let found = sums.into_iter().zip(slopes).zip(&mut brackets).zip(&targets[first..]);
            for (b, (((sum, slope), (low, high)), target)) in bias.iter_mut().zip(found) {
                let wanted = target * rows as f64;
                if sum > wanted {
                    *high = *b
                } else {
                    *low = *b
                }
                let newton = *b + ((wanted - sum) / slope.max(1e-9)) as f32;
                let inside = step < NEWTON && newton > *low && newton < *high;
                *b = if inside { newton } else { 0.5 * (*low + *high) };
            }
        }
        for (b, target) in bias.iter_mut().zip(&targets[first..]) {
            if *target == 0.0 || *target == 1.0 {
                *b = if *target == 0.0 { -NEVER } else { NEVER };
            }
        }
    })
}
