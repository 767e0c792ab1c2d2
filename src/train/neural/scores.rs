//! Scores of principal components as a generator makes them, and the layer that makes alleles of them.

use crate::compute::activation::logistic;
use crate::compute::real::{Left, Product, Right, Scratch, Sums, product, wide};
use crate::error::Result;
use crate::linalg::pca;
use crate::panel::bits::BitMatrix;
use crate::threads::Threads;

/// Scores of the training haplotypes, and what makes alleles of them.
pub struct Scores {
    /// Components.
    pub k: usize,
    /// Scores, haplotypes x components, on the scale on which the critic sees them.
    pub values: Vec<f32>,
    /// Weights of the layer that makes log odds of scores, sites x components.
    pub weights: Vec<f32>,
    /// Its biases, a number a site.
    pub bias: Vec<f32>,
}

/// Scores are divided by this power of their standard deviation: 1 would make every component as important to the critic
/// as the first, 0 leaves the first alone to be seen.
const WHITENING: f64 = 0.2;
/// Rounds of the regression.
const ROUNDS: usize = 60;
/// Its ridge, on scores of variance 1.
const RIDGE: f64 = 1.0;
/// Sites worked on at a time.
const SITES: usize = 256;

impl Scores {
    /// Of the `k` leading components of haplotypes.
    ///
    /// Log odds of a site's allele are fitted to the scores by logistic regression with a ridge: by steps of the bounded
    /// Hessian `(X'X / 4 + ridge)^-1` (Boehning and Lindsay 1988), which never overshoot.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn fit(bits: &BitMatrix, k: usize, seed: u64, threads: &Threads) -> Result<Self> {
        let found = pca(bits, k, seed, threads)?;
        let (k, n, sites) = (found.k, bits.rows(), bits.columns());
        let deviations: Vec<f64> = found.variances.iter().map(|v| v.max(1e-12).sqrt()).collect();
        let scale = deviations.iter().map(|d| d.powf(1.0 - WHITENING)).sum::<f64>() / k as f64;
        let factors: Vec<f64> = deviations.iter().map(|d| d.powf(-WHITENING) / scale).collect();
        let values = found.scores.iter().enumerate().map(|(i, s)| (s * factors[i % k]) as f32).collect();
        // A row a haplotype: 1, then scores of variance 1.
        let width = k + 1;
        let design: Vec<f32> = (0..n)
            .flat_map(|h| {
                let scores = found.scores[h * k..][..k].iter().zip(&deviations).map(|(s, d)| (s / d) as f32);
                std::iter::once(1.0).chain(scores).collect::<Vec<f32>>()
            })
            .collect();
        let mut turned = vec![0.0f32; n * width];
        for (h, row) in design.chunks_exact(width).enumerate() {
            row.iter().enumerate().for_each(|(c, x)| turned[c * n + h] = *x);
        }
        // Scores are uncorrelated with variance 1, so X'X is n times the identity.
        let steps: Vec<f32> =
            (0..width).map(|c| (1.0 / (0.25 * n as f64 + if c == 0 { 0.0 } else { RIDGE })) as f32).collect();
        let (rows_of_design, rows_of_turned): (Vec<usize>, Vec<usize>) =
            ((0..n).map(|h| h * width).collect(), (0..width).map(|c| c * n).collect());
        let mut coefficients = vec![0.0f32; sites * width];
        let mut scratch = Scratch::default();
        for (block, coefficients) in coefficients.chunks_mut(SITES * width).enumerate() {
            let (first, count) = (block * SITES, coefficients.len() / width);
            for (site, row) in coefficients.chunks_exact_mut(width).enumerate() {
                let f = found.mean[first + site].clamp(1e-4, 1.0 - 1e-4);
                row[0] = (f / (1.0 - f)).ln() as f32;
            }
            let mut odds = vec![0.0f32; count * n];
            let mut gradient = vec![0.0f32; count * width];
            for _ in 0..ROUNDS {
                let of = Product {
                    rows: count,
                    columns: n,
                    terms: width,
                    left: Left { values: coefficients, first: 0, row: width, step: 1 },
                    right: Right::Rows { values: &turned, rows: &rows_of_turned },
                    sums: Sums::Written,
                    slope: 1.0,
                    out_row: n,
                };
                product(threads, &mut scratch, &of, &mut odds)?;
                threads.for_each_piece(&mut odds, n, |site, odds| {
                    wide(|| odds.iter_mut().for_each(|o| *o = -logistic(*o)));
                    for (h, o) in odds.iter_mut().enumerate() {
                        *o += f32::from(u8::from(bits.get(h, first + site)));
                    }
                })?;
                let of = Product {
                    rows: count,
                    columns: width,
                    terms: n,
                    left: Left { values: &odds, first: 0, row: n, step: 1 },
                    right: Right::Rows { values: &design, rows: &rows_of_design },
                    sums: Sums::Written,
                    slope: 1.0,
                    out_row: width,
                };
                product(threads, &mut scratch, &of, &mut gradient)?;
                for (row, gradient) in coefficients.chunks_exact_mut(width).zip(gradient.chunks_exact(width)) {
                    for (c, ((b, g), step)) in row.iter_mut().zip(gradient).zip(&steps).enumerate() {
                        let pull = if c == 0 { 0.0 } else { RIDGE as f32 * *b };
                        *b += step * (g - pull);
                    }
                }
            }
        }
        let mut weights = Vec::with_capacity(sites * k);
        for row in coefficients.chunks_exact(width) {
            // From scores on the critic's scale to scores of variance 1.
            let own = row[1..].iter().zip(deviations.iter().zip(&factors));
            weights.extend(own.map(|(b, (d, f))| (f64::from(*b) / (d * f)) as f32));
        }
        let bias = coefficients.chunks_exact(width).map(|row| row[0]).collect();
        Ok(Scores { k, values, weights, bias })
    }
}
