//! What a critic and a generator lose, and the gradients of that: on the processor, or on a GPU.

use super::label_loss::LabelLoss;
use super::settings::Loss;
use crate::compute::activation::{exp, logistic, softplus};
use crate::compute::cuda::{Classes, Memory};
use crate::error::Result;
use crate::nn::{Tensor, Workspace};

/// What a step measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    /// The critic's mean of real samples less that of artificial ones.
    pub critic: f64,
    /// The length of its gradient, mean over samples, where a penalty last looked at it in this update; else 0.
    pub gradient: f64,
    /// The generator's loss.
    pub generator: f64,
    /// The shares of real and of artificial haplotypes that an auxiliary classifier takes for what they are labelled or
    /// were asked to be, from what the critic sees of them; nothing where there is none.
    pub labels: Option<[f64; 2]>,
}

/// Numbers that a GPU measures: `Measured` in cuda/generators.cu.
const MEASURED: usize = 5;
const CRITIC: usize = 0;
const GENERATOR: usize = 2;

/// The losses of an update while it runs. On a GPU they stay in its memory until the update is over, so that nobody waits.
pub struct Meter {
    losses: Losses,
    placed: Option<Memory>,
}

impl Meter {
    /// Nothing yet.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn new(workspace: &Workspace<f32>) -> Result<Self> {
        let placed = workspace.cuda().map(|cuda| cuda.zeros(MEASURED * size_of::<f64>())).transpose()?;
        Ok(Meter { losses: Losses::default(), placed })
    }

    /// What there is.
    ///
    /// # Errors
    /// `DeviceFailed`.
    pub fn read(self) -> Result<Losses> {
        let Some(memory) = self.placed else { return Ok(self.losses) };
        let mut found = [0.0f64; MEASURED];
        memory.download(&mut found)?;
        let [critic, gradient, generator, real, artificial] = found;
        Ok(Losses { critic, gradient, generator, labels: self.losses.labels.map(|_| [real, artificial]) })
    }

    /// The gradient of a critic's loss with respect to what it gave for `samples` real samples and as many artificial ones, in
    /// one of `steps` steps of an update; `labels` are those of the two, for the classifier.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn critic(
        &mut self,
        workspace: &mut Workspace<f32>,
        given: &Tensor<f32>,
        loss: Loss,
        steps: f64,
        classifier: Option<LabelLoss>,
        labels: [&[usize]; 2],
    ) -> Result<Tensor<f32>> {
        let samples = given.samples / 2;
        let mut seed = workspace.zeros(given.channels, given.samples, 1)?;
        if classifier.is_some() {
            self.losses.labels.get_or_insert_default();
        }
        if let (Some(cuda), Some(placed)) = (workspace.cuda(), &self.placed) {
            let (given, seed_at, wasserstein) = (given.on_gpu()?, seed.on_gpu()?, loss == Loss::Wasserstein);
            cuda.critic_loss(given, samples, false, wasserstein, steps, seed_at, placed)?;
            for (side, labels) in labels.into_iter().enumerate().filter(|_| classifier.is_some()) {
                let of = classes(classifier, labels, Some(side), steps);
                cuda.label_loss(given, side * samples, labels, of, seed_at, placed)?;
            }
            return Ok(seed);
        }
        let count = samples as f64;
        for (n, (s, o)) in seed.rows_mut().iter_mut().zip(given.channel(0)).enumerate() {
            let sign = if n < samples { 1.0 } else { -1.0 };
            self.losses.critic += sign * f64::from(*o) / count / steps;
            // The critic's loss falls as real samples rise and artificial ones fall.
            *s = match loss {
                Loss::Wasserstein => -sign / count,
                Loss::Classifier => -sign * f64::from(logistic(-sign as f32 * o)) / count,
            } as f32;
        }
        if let Some(classifier) = classifier {
            let shares = self.losses.labels.get_or_insert_default();
            for (side, labels) in labels.into_iter().enumerate() {
                let found = classifier.add(given, side * samples, labels, &mut seed);
                shares[side] += found.right / steps;
            }
        }
        Ok(seed)
    }

    /// The gradient of a generator's loss with respect to what the critic gave for its samples.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn generator(
        &mut self,
        workspace: &mut Workspace<f32>,
        given: &Tensor<f32>,
        loss: Loss,
        classifier: Option<LabelLoss>,
        labels: &[usize],
    ) -> Result<Tensor<f32>> {
        let samples = given.samples;
        let mut seed = workspace.zeros(given.channels, samples, 1)?;
        if let (Some(cuda), Some(placed)) = (workspace.cuda(), &self.placed) {
            let (given, seed_at) = (given.on_gpu()?, seed.on_gpu()?);
            cuda.critic_loss(given, samples, true, loss == Loss::Wasserstein, 1.0, seed_at, placed)?;
            if classifier.is_some() {
                cuda.label_loss(given, 0, labels, classes(classifier, labels, None, 1.0), seed_at, placed)?;
            }
            return Ok(seed);
        }
        for (s, o) in seed.rows_mut().iter_mut().zip(given.channel(0)) {
            let (loss, slope) = match loss {
                Loss::Wasserstein => (f64::from(-o), -1.0),
                Loss::Classifier => (f64::from(softplus(-o)), -f64::from(logistic(-o))),
            };
            self.losses.generator += loss / samples as f64;
            *s = (slope / samples as f64) as f32;
        }
        if let Some(classifier) = classifier {
            self.losses.generator += classifier.add(given, 0, labels, &mut seed).loss;
        }
        Ok(seed)
    }

    /// The gradient of the penalty on the lengths of each sample's gradient, `g`, which is `every` times as heavy.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn penalty(
        &mut self,
        workspace: &mut Workspace<f32>,
        g: &Tensor<f32>,
        loss: Loss,
        penalty: f64,
        every: f64,
    ) -> Result<Tensor<f32>> {
        let (samples, segment) = (g.samples, g.segment());
        if let (Some(cuda), Some(placed)) = (workspace.cuda(), &self.placed) {
            let v = workspace.tensor(g.channels, samples, g.length)?;
            cuda.penalty(g.on_gpu()?, loss == Loss::Wasserstein, penalty, every, v.on_gpu()?, placed)?;
            return Ok(v);
        }
        let mut squares = vec![0.0f64; samples];
        for (i, x) in g.rows().iter().enumerate() {
            squares[i / segment % samples] += f64::from(*x) * f64::from(*x);
        }
        let lengths: Vec<f64> = squares.iter().map(|s| s.sqrt()).collect();
        let factors: Vec<f32> = lengths
            .iter()
            .map(|length| {
                let slope = match loss {
                    // Of penalty (length - 1)^2.
                    Loss::Wasserstein => 2.0 * penalty * (length - 1.0) / length.max(1e-9),
                    // Of penalty / 2 length^2.
                    Loss::Classifier => penalty,
                };
                (every * slope / samples as f64) as f32
            })
            .collect();
        let mut v = workspace.copy(g)?;
        for (i, x) in v.rows_mut().iter_mut().enumerate() {
            *x *= factors[i / segment % samples];
        }
        self.losses.gradient = lengths.iter().sum::<f64>() / samples as f64;
        Ok(v)
    }

    /// The gradient of the binary cross entropy of log odds, summed over sites, mean over haplotypes; alleles are -1 and 1 in x.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn reconstruction(
        &mut self,
        workspace: &mut Workspace<f32>,
        odds: &Tensor<f32>,
        x: &Tensor<f32>,
    ) -> Result<Tensor<f32>> {
        let count = odds.samples;
        if let (Some(cuda), Some(placed)) = (workspace.cuda(), &self.placed) {
            let seed = workspace.tensor(odds.channels, count, odds.length)?;
            cuda.cross_entropy(odds.on_gpu()?, x.on_gpu()?, seed.on_gpu()?, placed, GENERATOR)?;
            return Ok(seed);
        }
        let mut seed = workspace.zeros(odds.channels, count, odds.length)?;
        let mut reconstruction = 0.0f64;
        for ((s, o), x) in seed.rows_mut().iter_mut().zip(odds.rows()).zip(x.rows()) {
            if *x != 0.0 {
                reconstruction += f64::from(softplus(-o * x));
                *s = -x * logistic(-o * x) / count as f32;
            }
        }
        self.losses.generator += reconstruction / count as f64;
        Ok(seed)
    }

    /// The gradient of means and log variances, `given`, from that of what was coded with `noise`, and that of their divergence
    /// from the normal distribution, which weighs `share` a sample.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn divergence(
        &mut self,
        workspace: &mut Workspace<f32>,
        given: &Tensor<f32>,
        noise: &Tensor<f32>,
        of_z: &Tensor<f32>,
        share: f32,
    ) -> Result<Tensor<f32>> {
        let (latent, count) = (of_z.channels * of_z.length, of_z.samples);
        let mut of_code = workspace.tensor(2 * latent, count, 1)?;
        if let (Some(cuda), Some(placed)) = (workspace.cuda(), &self.placed) {
            let (given, noise, of_z) = (given.on_gpu()?, noise.on_gpu()?, of_z.on_gpu()?);
            cuda.code_back(given, noise, of_z, share, of_code.on_gpu()?, placed, CRITIC)?;
            return Ok(of_code);
        }
        let (means, logs) = given.rows().split_at(latent * count);
        let (of_means, of_logs) = of_code.rows_mut().split_at_mut(latent * count);
        let mut divergence = 0.0f64;
        for i in 0..latent * count {
            let (m, l, g) = (means[i], logs[i].clamp(-LOG_VARIANCE, LOG_VARIANCE), of_z.rows()[i]);
            let deviation = exp(0.5 * l);
            divergence += 0.5 * f64::from(deviation * deviation + m * m - 1.0 - l);
            of_means[i] = g + share * m;
            of_logs[i] = 0.5 * (g * deviation * noise.rows()[i] + share * (deviation * deviation - 1.0));
        }
        self.losses.critic += divergence / count as f64;
        Ok(of_code)
    }
}

/// What a GPU is asked of a classifier.
fn classes(classifier: Option<LabelLoss>, labels: &[usize], side: Option<usize>, steps: f64) -> Classes {
    let (names, pack, weight) = classifier.map_or((1, 1, 0.0), |c| (c.names, c.pack, c.weight));
    Classes { names, pack, share: weight / labels.len() as f64, side, steps }
}

/// Log variances are kept within this of 0.
pub const LOG_VARIANCE: f32 = 12.0;

/// z = mean + exp(log variance / 2) noise, from means and, after them, log variances.
///
/// # Errors
/// `OutOfDeviceMemory`, `DeviceFailed`.
pub fn coded(workspace: &mut Workspace<f32>, given: &Tensor<f32>, noise: &Tensor<f32>) -> Result<Tensor<f32>> {
    let mut z = workspace.tensor(noise.channels, noise.samples, noise.length)?;
    if let Some(cuda) = workspace.cuda() {
        cuda.code(given.on_gpu()?, noise.on_gpu()?, z.on_gpu()?)?;
        return Ok(z);
    }
    let (means, logs) = given.rows().split_at(noise.rows().len());
    for (((z, m), l), e) in z.rows_mut().iter_mut().zip(means).zip(logs).zip(noise.rows()) {
        *z = m + exp(0.5 * l.clamp(-LOG_VARIANCE, LOG_VARIANCE)) * e;
    }
    Ok(z)
}

/// Points between x and `fake`, a share a sample; haplotypes of a pack stand as many as there are shares apart.
///
/// # Errors
/// `OutOfDeviceMemory`, `DeviceFailed`.
pub fn mix(workspace: &Workspace<f32>, x: &mut Tensor<f32>, fake: &Tensor<f32>, shares: &[f32]) -> Result<()> {
    if let Some(cuda) = workspace.cuda() {
        return cuda.mix(x.on_gpu()?, fake.on_gpu()?, shares);
    }
    let segment = x.segment();
    for (i, (x, fake)) in x.rows_mut().iter_mut().zip(fake.rows()).enumerate() {
        *x += shares[i / segment % shares.len()] * (fake - *x);
    }
    Ok(())
}
