//! Training haplotypes as networks read them.

use super::scores::Scores;
use crate::compute::activation;
use crate::compute::cuda::Packed;
use crate::compute::real::wide;
use crate::error::Result;
use crate::models::labels::Labels;
use crate::models::neural::alleles;
use crate::nn::tensor::PIECE;
use crate::nn::{Tensor, Workspace};
use crate::panel::bits::BitMatrix;
use crate::rng::{CHUNK, Purpose, Stream};

/// Training haplotypes, or people where rows are genotypes.
pub struct Data {
    /// A row each.
    pub bits: BitMatrix,
    /// The label of each.
    pub numbers: Vec<usize>,
    /// The labels.
    pub labels: Labels,
    /// Scores of principal components, where these are learned in place of alleles.
    pub(super) scores: Option<Scores>,
    /// Positions of a tensor of alleles; 1 where sites are units.
    pub length: usize,
    seed: u64,
    order: (u64, Vec<usize>),
    /// The rows in a GPU's memory.
    placed: Option<Packed>,
}

impl Data {
    /// Rows and their labels.
    pub fn new(bits: BitMatrix, labels: Labels, numbers: Vec<usize>, length: usize, seed: u64) -> Self {
        Data { bits, numbers, labels, scores: None, length, seed, order: (u64::MAX, Vec::new()), placed: None }
    }

    /// Copies the rows to where a workspace works.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn place(&mut self, workspace: &Workspace<f32>) -> Result<()> {
        self.placed = workspace.cuda().map(|cuda| cuda.packed(&self.bits)).transpose()?;
        Ok(())
    }

    /// Numbers `i .. i + n` of an endless walk through the rows, in an order that is drawn anew for each pass.
    pub fn rows(&mut self, first: u64, n: usize) -> Vec<usize> {
        let total = self.bits.rows() as u64;
        let mut rows = Vec::with_capacity(n);
        for i in first..first + n as u64 {
            let pass = i / total;
            if self.order.0 != pass {
                let mut order: Vec<usize> = (0..total as usize).collect();
                Stream::new(self.seed, Purpose::Shuffle, pass).reader(0).shuffle(&mut order);
                self.order = (pass, order);
            }
            rows.push(self.order.1[(i % total) as usize]);
        }
        rows
    }

    /// Rows as a critic reads them: alleles as -1 and 1 (0 beyond the last site), or scores.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn tensor(&self, workspace: &mut Workspace<f32>, rows: &[usize]) -> Result<Tensor<f32>> {
        if let Some(Scores { k, values, .. }) = &self.scores {
            let k = *k;
            let mut out = workspace.host_tensor(k, rows.len(), 1);
            workspace.threads().clone().for_each_piece(out.rows_mut(), rows.len(), |c, out| {
                out.iter_mut().zip(rows).for_each(|(o, row)| *o = values[row * k + c]);
            })?;
            return workspace.placed(out);
        }
        if let (Some(cuda), Some(bits)) = (workspace.cuda(), &self.placed) {
            let channels = if self.length == 1 { self.bits.columns() } else { 1 };
            let out = workspace.tensor(channels, rows.len(), self.length)?;
            cuda.alleles(bits, rows, out.on_gpu()?)?;
            return Ok(out);
        }
        alleles(workspace, &self.bits, rows, self.length)
    }
}

/// Alleles drawn from log odds, as -1 and 1, and the slope that stands for how they change with the log odds: that of
/// the logistic function of log odds and noise, "straight through" (Bengio et al. 2013; Maddison et al. 2017). Positions
/// from `columns` on are 0, and stay so.
///
/// # Errors
/// The threads could not be started.
pub fn straight_through(
    workspace: &mut Workspace<f32>,
    odds: &Tensor<f32>,
    columns: usize,
    noise: Stream,
) -> Result<(Tensor<f32>, Tensor<f32>)> {
    let mut drawn = workspace.tensor(odds.channels, odds.samples, odds.length)?;
    let mut slopes = workspace.tensor(odds.channels, odds.samples, odds.length)?;
    if let Some(cuda) = workspace.cuda() {
        cuda.straight_through(odds.on_gpu()?, columns, noise.parts(), drawn.on_gpu()?, slopes.on_gpu()?)?;
        return Ok((drawn, slopes));
    }
    let threads = workspace.threads().clone();
    let source = odds.rows();
    // Log odds plus the noise whose distribution function is the logistic one.
    threads.for_each_piece(slopes.rows_mut(), PIECE, |piece, out| {
        let mut words = [0; CHUNK];
        for (c, out) in out.chunks_mut(CHUNK).enumerate() {
            let chunk = piece * (PIECE / CHUNK) + c;
            wide(|| {
                noise.chunk(chunk as u64, &mut words);
                for ((o, word), odds) in out.iter_mut().zip(words).zip(&source[chunk * CHUNK..]) {
                    let u = activation::uniform(word);
                    *o = odds + activation::ln(u / (1.0 - u));
                }
            });
        }
    })?;
    let noisy = slopes.rows();
    threads.for_each_piece(drawn.rows_mut(), PIECE, |piece, out| {
        out.iter_mut().zip(&noisy[piece * PIECE..]).for_each(|(o, x)| *o = if *x > 0.0 { 1.0 } else { -1.0 });
    })?;
    threads.for_each_piece(slopes.rows_mut(), PIECE, |_, out| {
        wide(|| {
            for o in out {
                let s = activation::logistic(*o);
                *o = 2.0 * s * (1.0 - s);
            }
        });
    })?;
    if odds.length > 1 {
        let (segment, length) = (odds.segment(), odds.length);
        for tensor in [&mut drawn, &mut slopes] {
            for sample in tensor.rows_mut().chunks_exact_mut(segment) {
                sample[columns.min(length)..].fill(0.0);
            }
        }
    }
    Ok((drawn, slopes))
}
