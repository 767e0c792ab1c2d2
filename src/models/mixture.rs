//! A mixture of independent sites: each haplotype belongs to one cluster, and each site has a frequency in each cluster.
//!
//! It knows the populations and their shares, and nothing of who is in them: every cluster stands for many haplotypes.
//! Chains of an RBM start from it, both while the RBM learns and when it is sampled.

use super::Start;
use crate::compute::{Device, Matrix, Noise, States, Unit, WEIGHT_STEPS, Weights};
use crate::error::Result;
use crate::panel::bits::BitMatrix;
use crate::rng::Stream;

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// Share of each cluster; they sum to 1.
    pub shares: Vec<f32>,
    /// Log odds of the alternate allele, clusters x sites, cluster by cluster; within +-7.9.
    pub log_odds: Vec<f32>,
}

/// The largest log odds: keeps weights inside their fixed point, and frequencies 4e-4 away from 0 and 1.
pub const LOG_ODDS_LIMIT: f32 = 7.9;

impl Mixture {
    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.shares.len()
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.log_odds.len() / self.shares.len().max(1)
    }

    /// Log odds of the alternate allele over all clusters.
    pub fn marginal_log_odds(&self) -> Vec<f32> {
        let mut frequencies = vec![0.0f64; self.sites()];
        for (row, share) in self.log_odds.chunks_exact(self.sites()).zip(&self.shares) {
            let logistic = |l: &f32| 1.0 / (1.0 + (-f64::from(*l)).exp());
            frequencies.iter_mut().zip(row).for_each(|(f, l)| *f += f64::from(*share) * logistic(l));
        }
        frequencies.iter().map(|f| (f / (1.0 - f)).ln() as f32).collect()
    }
}

/// Starts of chains, laid out on a device.
#[derive(Debug)]
pub struct StartDraws {
    /// Clusters x sites; for a start without clusters one row of zeros, and everything in the bias.
    weights: Weights,
    /// Shares of the clusters summed up, on a grid of 2^-32.
    cumulative: Vec<u64>,
}

impl StartDraws {
    /// Lays out a start.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(device: &Device, start: Start, mixture: &Mixture) -> Result<Self> {
        let sites = mixture.sites();
        let single = Mixture { shares: vec![1.0], log_odds: vec![0.0; sites] };
        let (mixture, bias) = match start {
            Start::Mixture => (mixture, vec![0.0; sites]),
            Start::Independent => (&single, mixture.marginal_log_odds()),
            Start::Random => (&single, vec![0.0; sites]),
        };
        let mut weights = Weights::zeros(device, mixture.clusters(), sites, 1.0 / WEIGHT_STEPS)?;
        weights.set(device, &mixture.log_odds, false, &bias)?;
        let total: f64 = mixture.shares.iter().map(|s| f64::from(*s)).sum();
        let mut sum = 0.0;
        let cumulative = mixture
            .shares
            .iter()
            .map(|s| {
                sum += f64::from(*s);
                (sum / total * 4_294_967_296.0) as u64
            })
            .collect();
        Ok(StartDraws { weights, cumulative })
    }

    /// Random words that a draw reads in each stream.
    pub fn words(&self) -> u64 {
        64 + self.weights.outputs().next_multiple_of(64) as u64
    }

    /// Draws the rows of `out`. Row r reads stream `noise.first + r` from `noise.position` on.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `OutOfMemory`.
    pub fn draw(&self, device: &Device, noise: Noise, out: &mut States) -> Result<()> {
        let mut drawn = BitMatrix::zeros(out.rows(), self.cumulative.len())?;
        for r in 0..out.rows() {
            let word = Stream::new(noise.seed, noise.purpose, noise.first + r as u64).word(noise.position);
            let k = self.cumulative.partition_point(|c| *c <= u64::from(word)).min(self.cumulative.len() - 1);
            drawn.set(r, k, true);
        }
        let mut clusters = States::zeros(device, out.rows(), self.cumulative.len())?;
        clusters.unpack(&drawn, &(0..out.rows()).collect::<Vec<_>>())?;
        let noise = Noise { position: noise.position + 64, ..noise };
        device.affine_sample(&clusters, &self.weights, Unit::Bernoulli, noise, out)
    }
}

/// Membership of haplotypes in clusters.
#[derive(Debug)]
pub struct Membership {
    weights: Weights,
}

impl Membership {
    /// Lays out `mixture`.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(device: &Device, mixture: &Mixture) -> Result<Self> {
        let sites = mixture.sites();
        let mut weights = Weights::zeros(device, sites, mixture.clusters(), 1.0 / WEIGHT_STEPS)?;
        let bias: Vec<f32> = mixture
            .log_odds
            .chunks_exact(sites)
            .zip(&mixture.shares)
            .map(|(row, share)| {
                let absent: f64 = row.iter().map(|l| -f64::from(*l).exp().ln_1p()).sum();
                (absent + f64::from(*share).max(1e-30).ln()) as f32
            })
            .collect();
        weights.set(device, &mixture.log_odds, true, &bias)?;
        Ok(Membership { weights })
    }

    /// Posterior shares in steps of 2^-14, and the sum over rows of the log density in nats.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `OutOfMemory`.
    pub fn posterior(&self, device: &Device, states: &States, out: &mut States) -> Result<f64> {
        let mut joint = Matrix::zeros(device, states.rows(), self.weights.outputs())?;
        device.affine(states, &self.weights, &mut joint)?;
        let joint = joint.to_host()?;
        let mut total = 0.0;
        out.write_rows(|r, shares| {
            let row = joint.row(r);
            let largest = row.iter().copied().max().unwrap_or(0);
            let terms: Vec<f64> =
                row.iter().map(|x| (f64::from(x - largest) / f64::from(WEIGHT_STEPS)).exp()).collect();
            let sum: f64 = terms.iter().sum();
            total += f64::from(largest) / f64::from(WEIGHT_STEPS) + sum.ln();
            shares.iter_mut().zip(&terms).for_each(|(o, t)| *o = (t / sum * 16_384.0).round() as i16);
        })?;
        Ok(total)
    }
}
