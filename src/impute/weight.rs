//! How much an artificial haplotype is worth against a real one.
//!
//! Two things are asked of each weight. How likely are the targets' typed alleles under it? That tells whether artificial
//! haplotypes are nearer to the targets than the real ones are. And how well are people of the panel imputed under it, whose
//! alleles are all known? Typed sites alone cannot tell noise at the others: samples of a model that erases the structure
//! of rare alleles may still look like the targets on an array.

use super::Typed;
use crate::error::Result;
use crate::hmm::copying::{Copying, Workspace};
use crate::panel::Panel;
use crate::progress::Progress;
use crate::threads::Threads;

/// The weights that are tried; 0 is the panel alone.
const WEIGHTS: [f64; 6] = [1.0 / 256.0, 1.0 / 64.0, 1.0 / 16.0, 0.25, 0.5, 1.0];
/// Target haplotypes that are looked at, at most.
const TARGETS: usize = 256;
/// People of the panel that are imputed, at most: a haplotype each.
const JUDGES: usize = 64;

/// The weight of the artificial haplotypes under which the targets' typed alleles are most likely, among those that do not
/// impute the panel's own people worse; 0 if none is better than 0.
pub(super) fn estimate(
    copying: &Copying,
    panel: &Panel,
    typed: &Typed,
    threads: &Threads,
    progress: &mut Progress,
) -> Result<f64> {
    let n = typed.haplotypes();
    let looked = TARGETS.min(n);
    let observed: Vec<_> = (0..looked).map(|i| typed.observed(i * n / looked, 0..copying.sites())).collect();
    let likelihood = |weight: f64| -> Result<f64> {
        let model = copying.clone().with_weight(weight)?;
        let logs = threads.map(looked, |i| model.log_likelihood(&observed[i]))?;
        logs.into_iter().sum()
    };
    let mut ranked = vec![(likelihood(0.0)?, 0.0)];
    let steps = 2 * WEIGHTS.len() as u64;
    for (done, weight) in WEIGHTS.into_iter().enumerate() {
        progress.step("weighing artificial haplotypes", done as u64, steps, "looks")?;
        ranked.push((likelihood(weight)?, weight));
    }
    let judges = Judges::new(copying, panel, typed)?;
    let plain = judges.losses(0.0, threads)?;
    for (l, weight) in &ranked {
        let losses = judges.losses(*weight, threads)?;
        let d: Vec<f64> = losses.iter().zip(&plain).map(|(a, b)| a - b).collect();
        let m = d.iter().sum::<f64>() / d.len() as f64;
        let sd = (d.iter().map(|x| (x - m).powi(2)).sum::<f64>() / d.len() as f64).sqrt() / (d.len() as f64).sqrt();
        let p = plain.iter().sum::<f64>() / d.len() as f64;
        eprintln!("weight {weight:.4} likelihood {:.2} a haplotype; loss {p:.4} change {m:.5} +- {sd:.5}", l / looked as f64);
    }
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(ranked[0].1)
}

/// People of the panel that are imputed from the others.
struct Judges<'a> {
    copying: Copying,
    panel: &'a Panel,
    haplotypes: Vec<usize>,
    typed: &'a Typed,
    /// For each site 1 / (p (1 - p)), 0 at typed and monomorphic ones.
    weights: Vec<f64>,
}

impl<'a> Judges<'a> {
    fn new(copying: &Copying, panel: &'a Panel, typed: &'a Typed) -> Result<Self> {
        let people = panel.samples().len();
        let aside = JUDGES.min(people / 4);
        let chosen: Vec<usize> = (0..aside).map(|i| (2 * i + 1) * people / (2 * aside)).collect();
        let all: Vec<usize> = chosen.iter().flat_map(|i| panel.samples().haplotypes_of(*i)).collect();
        let frequencies = panel.frequencies();
        let mut weights: Vec<f64> =
            frequencies.iter().map(|p| if p * (1.0 - p) > 0.0 { 1.0 / (p * (1.0 - p)) } else { 0.0 }).collect();
        typed.sites().iter().for_each(|site| weights[*site] = 0.0);
        Ok(Judges {
            copying: copying.clone().without(&all)?,
            panel,
            haplotypes: chosen.iter().map(|i| panel.samples().haplotypes_of(*i).start).collect(),
            typed,
            weights,
        })
    }

    /// For each judge the mean over untyped sites of the squared error of the dosage over `p (1 - p)`: about 1 - r2.
    fn losses(&self, weight: f64, threads: &Threads) -> Result<Vec<f64>> {
        let model = self.copying.clone().with_weight(weight)?;
        let bits = self.panel.bits();
        let sites = self.weights.iter().filter(|w| **w > 0.0).count().max(1) as f64;
        let losses = threads.map(self.haplotypes.len(), |i| {
            let h = self.haplotypes[i];
            let observed: Vec<_> = self.typed.sites().iter().map(|site| (*site, bits.get(h, *site))).collect();
            let found = model.posterior(&observed, 0..model.sites(), &mut Workspace::default())?;
            let error = |(site, dosage): (usize, &f32)| {
                self.weights[site] * (f64::from(*dosage) - f64::from(u8::from(bits.get(h, site)))).powi(2)
            };
            Ok(found.dosages.iter().enumerate().map(error).sum::<f64>() / sites)
        })?;
        losses.into_iter().collect()
    }
}
