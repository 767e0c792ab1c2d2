//! A variational autoencoder (Kingma and Welling 2014; Yelmen et al. 2023): an encoder and the generator that decodes.

use super::data::Data;
use super::losses::{LOG_VARIANCE, Losses, Meter, coded};
use super::settings::Settings;
use crate::compute::activation::exp;
use crate::error::{Error, ErrorKind, Result};
use crate::models::neural::{Clusters, Inputs, Neural, normals};
use crate::nn::optimiser::Optimiser;
use crate::nn::{Gradients, Mode, Network, Tensor, Workspace};
use crate::rng::{Purpose, Stream};

/// A run of variational training.
pub struct Variational {
    /// The decoder as it stands.
    pub decoder: Network,
    /// The running average of its parameters.
    pub average: Network,
    /// The encoder.
    pub encoder: Network,
    /// How the decoder steps.
    pub decoder_steps: Optimiser,
    /// How the encoder steps.
    pub encoder_steps: Optimiser,
    /// Gradients of decoder and encoder.
    gradients: [Gradients<f32>; 2],
    settings: Settings,
    inputs: Inputs,
    /// Numbers of noise that are coded.
    latent: usize,
}

/// The share of the updates over which the divergence gets its weight.
const WARMING: f64 = 0.3;

impl Variational {
    /// Before the first step.
    pub fn new(settings: &Settings, model: &Neural, data: &Data, frequencies: &[f64]) -> Result<Self> {
        let encoder = model.encoder_graph(data.bits.columns() / if settings.genotypes { 2 } else { 1 });
        encoder.check()?;
        let decoder = model.network.graph.clone();
        decoder.check()?;
        let mut decoder = Network::initial(decoder, Stream::new(settings.seed, Purpose::Initial, 1));
        let mut encoder = Network::initial(encoder, Stream::new(settings.seed, Purpose::Initial, 2));
        super::centre(&mut encoder, frequencies);
        super::start_at(&mut decoder, frequencies);
        Ok(Variational {
            latent: model.coded_size(),
            inputs: Inputs::of(&decoder.graph, data.labels.len()),
            decoder_steps: Optimiser::new(settings.rule, 0.0, &decoder.graph.parameters),
            encoder_steps: Optimiser::new(settings.rule, 0.0, &encoder.graph.parameters),
            average: decoder.clone(),
            gradients: [&decoder, &encoder].map(|network| Gradients::new(&network.graph.parameters)),
            decoder,
            encoder,
            settings: settings.clone(),
        })
    }

    /// Copies what learns to where a workspace works.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn place(&mut self, workspace: &Workspace<f32>) -> Result<()> {
        for network in [&mut self.decoder, &mut self.average, &mut self.encoder] {
            network.place(workspace)?;
        }
        self.decoder_steps.place(workspace)?;
        self.encoder_steps.place(workspace)?;
        self.gradients = [
            Gradients::on(workspace, &self.decoder.graph.parameters)?,
            Gradients::on(workspace, &self.encoder.graph.parameters)?,
        ];
        Ok(())
    }

    /// One step.
    ///
    /// # Errors
    /// `Diverged`; the threads could not be started.
    pub fn step(&mut self, workspace: &mut Workspace<f32>, data: &mut Data, update: u64) -> Result<Losses> {
        let settings = self.settings.clone();
        let (count, latent) = (settings.batch, self.latent);
        let stream = |part: u64| Stream::new(settings.seed, Purpose::Batch, 4 * update + part);
        let rows = data.rows(update * count as u64, count);
        let x = data.tensor(workspace, &rows)?;
        let encoded = self.encoder.forward(workspace, Mode::Train(stream(1)), &[&x])?;
        self.encoder.follow_statistics(&encoded)?;
        // z = mean + exp(log variance / 2) noise.
        let noise = noise(workspace, stream(0), latent, count)?;
        let z = coded(workspace, encoded.output(), &noise)?;
        // Noise that is not coded is drawn, and labels are those of the rows.
        let labels: Vec<usize> = rows.iter().map(|row| data.numbers[*row]).collect();
        let mut inputs = match self.inputs.size() > latent {
            true => self.inputs.normal(workspace, stream(3), &labels)?,
            false => self.inputs.tensors(workspace, &vec![0.0; count * latent], &labels)?,
        };
        workspace.give_tensor(std::mem::replace(&mut inputs[0], z));
        let decoded = self.decoder.forward(workspace, Mode::Train(stream(2)), &inputs.iter().collect::<Vec<_>>())?;
        self.decoder.follow_statistics(&decoded)?;
        let mut meter = Meter::new(workspace)?;
        let seed = meter.reconstruction(workspace, decoded.output(), &x)?;
        let [of_decoder, of_encoder] = &mut self.gradients;
        of_decoder.clear();
        of_encoder.clear();
        let mut adjoints = self.decoder.pass(workspace).backward(&decoded, seed, Some(of_decoder), true, false)?;
        let of_z = adjoints[0].take().expect("the gradient of the input was asked for");
        adjoints.into_iter().flatten().for_each(|adjoint| workspace.give_tensor(adjoint));
        let (done, total) = settings.phase(update);
        let weight = settings.beta * (done as f64 / (WARMING * total as f64)).min(1.0);
        let share = (weight / count as f64) as f32;
        let of_code = meter.divergence(workspace, encoded.output(), &noise, &of_z, share)?;
        self.encoder.pass(workspace).backward(&encoded, of_code, Some(of_encoder), false, false)?;
        encoded.release(workspace);
        decoded.release(workspace);
        inputs.into_iter().chain([x, of_z, noise]).for_each(|tensor| workspace.give_tensor(tensor));
        let rate = (settings.rate * settings.pace(update)) as f32;
        let average = Some((&mut self.average, settings.kept(update)));
        self.decoder_steps.step(workspace, &mut self.decoder, of_decoder, rate, average)?;
        self.encoder_steps.step(workspace, &mut self.encoder, of_encoder, rate, None)?;
        let Losses { generator: reconstruction, critic: divergence, .. } = meter.read()?;
        match reconstruction.is_finite() && divergence.is_finite() {
            true => Ok(Losses { critic: divergence, generator: reconstruction, ..Losses::default() }),
            false => Err(Error::new(ErrorKind::Diverged, format!("training diverged at update {update}"))
                .remedy("a smaller learning_rate holds it")),
        }
    }

    /// Draws of z for rows of the data, a row each: what the encoder makes of them.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn codes(&self, workspace: &mut Workspace<f32>, data: &Data) -> Result<Vec<f32>> {
        let (total, latent) = (data.bits.rows(), self.latent);
        let mut out = vec![0.0; total * latent];
        const PORTION: usize = 500;
        for first in (0..total).step_by(PORTION) {
            let rows: Vec<usize> = (first..(first + PORTION).min(total)).collect();
            let x = data.tensor(workspace, &rows)?;
            let code = self.encoder.apply(workspace, &[&x])?;
            let given = code.to_host()?;
            let (means, logs) = given.split_at(latent * rows.len());
            for (n, row) in rows.iter().enumerate() {
                let own = &mut out[row * latent..][..latent];
                normals(&Stream::new(self.settings.seed, Purpose::Evaluate, (3 << 40) + *row as u64), 0, own);
                for (c, z) in own.iter_mut().enumerate() {
                    let at = c * rows.len() + n;
                    *z = means[at] + exp(0.5 * logs[at].clamp(-LOG_VARIANCE, LOG_VARIANCE)) * *z;
                }
            }
            drop(given);
            workspace.give_tensor(x);
            workspace.give_tensor(code);
        }
        Ok(out)
    }
}

/// Standard normal numbers, so many for each sample, as they come from a stream.
fn noise(workspace: &mut Workspace<f32>, stream: Stream, latent: usize, count: usize) -> Result<Tensor<f32>> {
    let mut noise = workspace.host_tensor(latent, count, 1);
    normals(&stream, 0, noise.rows_mut());
    workspace.placed(noise)
}

/// Rounds of expectation and maximisation.
const ROUNDS: usize = 40;
/// Added to variances.
const RIDGE: f64 = 1e-2;

/// Normal clusters of rows of `size` numbers, at most `most`, none of fewer than `least` rows: the prior from which a
/// decoder's noise is drawn in place of the normal distribution that the encoder did not quite reach (Ghosh et al. 2020).
pub fn fit_clusters(rows: &[f32], size: usize, most: usize, least: usize, seed: u64) -> Clusters {
    let n = rows.len() / size;
    let k = most.min(n / (2 * least).max(1)).max(1);
    let mut means = far_rows(rows, size, k, seed);
    let mut shares = vec![1.0 / k as f64; k];
    let overall = moments(rows, size, &vec![1.0; n]);
    let mut roots: Vec<Vec<f64>> = vec![cholesky(&overall.1, size); k];
    for _ in 0..ROUNDS {
        let mut owned = vec![vec![0.0; n]; means.len()];
        let scales: Vec<f64> = roots
            .iter()
            .zip(&shares)
            .map(|(root, share)| share.ln() - (0..size).map(|i| root[i * size + i].ln()).sum::<f64>())
            .collect();
        for (r, own) in rows.chunks_exact(size).enumerate() {
            let logs: Vec<f64> = (0..means.len())
                .map(|c| {
                    // |root^-1 (x - mean)|^2 by forward substitution.
                    let mut solved: Vec<f64> = Vec::with_capacity(size);
                    for (i, (line, (x, mean))) in roots[c].chunks_exact(size).zip(own.iter().zip(&means[c])).enumerate()
                    {
                        let before: f64 = line.iter().zip(&solved).map(|(a, b)| a * b).sum();
                        solved.push((f64::from(*x) - mean - before) / line[i]);
                    }
                    scales[c] - 0.5 * solved.iter().map(|s| s * s).sum::<f64>()
                })
                .collect();
            let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = logs.iter().map(|l| (l - top).exp()).sum();
            logs.iter().enumerate().for_each(|(c, l)| owned[c][r] = (l - top).exp() / total);
        }
        let heavy: Vec<usize> = (0..means.len()).filter(|c| owned[*c].iter().sum::<f64>() >= least as f64).collect();
        let kept = if heavy.is_empty() { vec![0] } else { heavy };
        let total: f64 = kept.iter().map(|c| owned[*c].iter().sum::<f64>()).sum();
        shares = kept.iter().map(|c| owned[*c].iter().sum::<f64>() / total).collect();
        let fitted: Vec<(Vec<f64>, Vec<f64>)> = kept.iter().map(|c| moments(rows, size, &owned[*c])).collect();
        means = fitted.iter().map(|(mean, _)| mean.clone()).collect();
        roots = fitted.iter().map(|(_, covariance)| cholesky(covariance, size)).collect();
    }
    let narrow = |numbers: Vec<f64>| numbers.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
    Clusters { shares: narrow(shares), means: narrow(means.concat()), roots: narrow(roots.concat()) }
}

/// `k` rows far from each other: each is drawn with a chance that is its squared distance from the nearest before it
/// (k-means++, Arthur and Vassilvitskii 2007).
fn far_rows(rows: &[f32], size: usize, k: usize, seed: u64) -> Vec<Vec<f64>> {
    let n = rows.len() / size;
    let mut reader = Stream::new(seed, Purpose::Initial, 7).reader(0);
    let mut distances = vec![f64::INFINITY; n];
    let mut chosen = vec![reader.below(n)];
    while chosen.len() < k {
        let last = &rows[chosen[chosen.len() - 1] * size..][..size];
        for (distance, row) in distances.iter_mut().zip(rows.chunks_exact(size)) {
            let own: f64 = row.iter().zip(last).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            *distance = distance.min(own);
        }
        let mut rest = reader.uniform() * distances.iter().sum::<f64>();
        let next = distances.iter().position(|distance| {
            rest -= distance;
            rest < 0.0
        });
        chosen.push(next.unwrap_or(n - 1));
    }
    chosen.iter().map(|r| rows[r * size..][..size].iter().map(|x| f64::from(*x)).collect()).collect()
}

/// Weighted mean and covariance.
fn moments(rows: &[f32], size: usize, weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let total: f64 = weights.iter().sum::<f64>().max(1e-12);
    let mut mean = vec![0.0; size];
    for (row, w) in rows.chunks_exact(size).zip(weights) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += w * f64::from(*x) / total);
    }
    let mut covariance = vec![0.0; size * size];
    let mut centred = vec![0.0; size];
    for (row, w) in rows.chunks_exact(size).zip(weights).filter(|(_, w)| **w > 1e-9) {
        centred.iter_mut().zip(row).zip(&mean).for_each(|((c, x), m)| *c = f64::from(*x) - m);
        for i in 0..size {
            let factor = w * centred[i] / total;
            covariance[i * size..][..=i].iter_mut().zip(&centred).for_each(|(sum, c)| *sum += factor * c);
        }
    }
    (mean, covariance)
}

/// The lower triangular root of a covariance, of which the lower half is given.
fn cholesky(covariance: &[f64], size: usize) -> Vec<f64> {
    let mut root = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| root[i * size + k] * root[j * size + k]).sum();
            let ridge = if i == j { RIDGE } else { 0.0 };
            let rest = covariance[i * size + j] + ridge - sum;
            root[i * size + j] = if i == j { rest.max(1e-9).sqrt() } else { rest / root[j * size + j] };
        }
    }
    root
}
