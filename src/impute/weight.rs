//! How much an artificial haplotype is worth against a real one.

use super::Typed;
use crate::error::Result;
use crate::hmm::copying::Copying;
use crate::progress::Progress;
use crate::threads::Threads;

/// Target haplotypes that are looked at, at most.
const MOST: usize = 256;

/// The weight of the artificial haplotypes under which the targets' typed alleles are most likely; 0 if none.
pub(super) fn estimate(copying: &Copying, typed: &Typed, threads: &Threads, progress: &mut Progress) -> Result<f64> {
    let n = typed.haplotypes();
    let looked = MOST.min(n);
    let observed: Vec<_> = (0..looked).map(|i| typed.observed(i * n / looked, 0..copying.sites())).collect();
    let mut best = (f64::NEG_INFINITY, 0.0);
    for (done, weight) in [0.0, 1.0 / 64.0, 1.0 / 16.0, 0.25, 1.0].into_iter().enumerate() {
        progress.step("weighing artificial haplotypes", done as u64, 5, "weights")?;
        let model = copying.clone().with_weight(weight)?;
        let logs = threads.map(looked, |i| model.log_likelihood(&observed[i]))?;
        let sum: f64 = logs.into_iter().sum::<Result<f64>>()?;
        if sum > best.0 {
            best = (sum, weight);
        }
    }
    Ok(best.1)
}
