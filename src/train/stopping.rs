//! When an RBM has learned enough.

use super::contrastive::Trainer;
use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::adversarial::aats;
use crate::models::rbm::Rbm;
use crate::options::Options;
use crate::panel::bits::BitMatrix;
use crate::progress::{Event, Progress};
use crate::rng::{Purpose, Stream};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Nothing: all updates are done.
    Never,
    /// The adversarial accuracies of the chains against training haplotypes; best where both are nearest to 1/2
    /// (Yelmen et al. 2021 stopped on it).
    Aats,
    /// The free energy that people kept aside have above training people, as a share of the spread of free energies:
    /// training stops when it passes a limit.
    HeldOut,
}

/// Looks at a run from time to time and says when to stop.
pub struct Watch {
    rule: Rule,
    every: u64,
    patience: u64,
    limit: f64,
    held_out: Option<BitMatrix>,
    data: BitMatrix,
    seed: u64,
    best: Option<(f64, u64, Rbm)>,
}

impl Watch {
    /// From options.
    ///
    /// # Errors
    /// `InvalidOption` for a rule that needs people kept aside where there are none.
    pub fn new(options: &Options, held_out: Option<&BitMatrix>, data: &BitMatrix, seed: u64) -> Result<Self> {
        let rule = match options.text("stop") {
            "aats" => Rule::Aats,
            "held_out" => Rule::HeldOut,
            _ => Rule::Never,
        };
        if rule == Rule::HeldOut && held_out.is_none() {
            return Err(Error::new(ErrorKind::InvalidOption, "stop=held_out needs people kept aside")
                .remedy("keep people aside with option held_out=0.1"));
        }
        Ok(Watch {
            rule,
            every: options.whole("stop_every") as u64,
            patience: options.whole("patience") as u64,
            limit: options.number("stop_gap"),
            held_out: held_out.cloned(),
            data: data.clone(),
            seed,
            best: None,
        })
    }

    /// Whether it wants to look after this update.
    pub fn is_due(&self, update: u64) -> bool {
        (self.rule != Rule::Never || self.held_out.is_some()) && update.is_multiple_of(self.every)
    }

    /// Looks, reports what it sees, and says whether to stop.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn look(&mut self, trainer: &Trainer, progress: &mut Progress) -> Result<bool> {
        let step = trainer.updates_done();
        let mut gap = None;
        if let Some(held_out) = &self.held_out {
            let judged = trainer.mean_free_energy(held_out)?;
            let sample = self.draw(held_out.rows().max(1000), step)?;
            let value = judged - trainer.mean_free_energy(&sample)?;
            progress.report(Event::Measured { name: "held_out_gap", step, value });
            gap = Some(value);
        }
        match self.rule {
            Rule::Never => Ok(false),
            Rule::HeldOut => {
                if gap.is_some_and(|g| g > self.limit) {
                    progress.notice(format!(
                        "stops at update {step}: held-out people are {:.1} nats off",
                        gap.unwrap_or(0.0)
                    ));
                    return Ok(true);
                }
                Ok(false)
            }
            Rule::Aats => {
                let chains = trainer.chains().pack()?;
                let truth = self.draw(chains.rows(), step)?;
                let n = truth.rows().min(chains.rows());
                let chains = chains.select_rows(&(0..n).collect::<Vec<_>>())?;
                let pair = aats(&truth, &chains, trainer.device())?;
                progress.report(Event::Measured { name: "aa_truth", step, value: pair.truth });
                progress.report(Event::Measured { name: "aa_syn", step, value: pair.syn });
                let worst = (pair.truth - 0.5).abs().max((pair.syn - 0.5).abs());
                if self.best.as_ref().is_none_or(|(best, _, _)| worst < *best) {
                    self.best = Some((worst, step, trainer.rbm()?));
                }
                let since = self.best.as_ref().map_or(0, |(_, at, _)| (step - at) / self.every);
                if since >= self.patience {
                    progress
                        .notice(format!("stops at update {step}: AATS has not come nearer to 1/2 for {since} looks"));
                    return Ok(true);
                }
                Ok(false)
            }
        }
    }

    /// Some training haplotypes.
    fn draw(&self, n: usize, step: u64) -> Result<BitMatrix> {
        let rows = Stream::new(self.seed, Purpose::Evaluate, 1 << 32 | step).reader(0).choose(self.data.rows(), n);
        self.data.select_rows(&rows)
    }

    /// The machine to keep, and its update, where it is not the last one.
    pub fn into_best(self) -> Option<(u64, Rbm)> {
        self.best.map(|(_, update, rbm)| (update, rbm))
    }
}
