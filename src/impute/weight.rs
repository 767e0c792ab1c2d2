//! How much an artificial haplotype is worth against a real one.

use super::Typed;
use crate::error::Result;
use crate::hmm::copying::Copying;
use crate::progress::Progress;
use crate::threads::Threads;

/// The weights that are tried; 0 is the panel alone.
const WEIGHTS: [f64; 6] = [1.0 / 256.0, 1.0 / 64.0, 1.0 / 16.0, 0.25, 0.5, 1.0];
/// Target haplotypes that are looked at, at most.
const TARGETS: usize = 256;
/// The share of the targets' log likelihood that artificial haplotypes have to save. Typed sites are common ones, and on
/// them samples may look like the targets though they have noise at all others: samples of an RBM saved 1% and made
/// imputation worse, those of models that made it better saved 3% and more (benches/RESULTS.md).
const LEAST_SAVED: f64 = 0.02;

/// The weight of the artificial haplotypes under which the targets' typed alleles are most likely; 0 unless that saves
/// enough of what the panel alone leaves unexplained.
pub(super) fn estimate(copying: &Copying, typed: &Typed, threads: &Threads, progress: &mut Progress) -> Result<f64> {
    let n = typed.haplotypes();
    let looked = TARGETS.min(n);
    let observed: Vec<_> = (0..looked).map(|i| typed.observed(i * n / looked, 0..copying.sites())).collect();
    let likelihood = |weight: f64| -> Result<f64> {
        let model = copying.clone().with_weight(weight)?;
        let logs = threads.map(looked, |i| model.log_likelihood(&observed[i]))?;
        logs.into_iter().sum()
    };
    let alone = likelihood(0.0)?;
    let mut best = (alone + LEAST_SAVED * alone.abs(), 0.0);
    for (done, weight) in WEIGHTS.into_iter().enumerate() {
        progress.step("weighing artificial haplotypes", done as u64, WEIGHTS.len() as u64, "weights")?;
        let found = likelihood(weight)?;
        if found > best.0 {
            best = (found, weight);
        }
    }
    Ok(best.1)
}
