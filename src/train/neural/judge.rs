//! How good a generator is while it learns: a look makes haplotypes, calibrates their last step, and measures them.

use super::data::Data;
use crate::compute::Device;
use crate::error::Result;
use crate::evaluate::adversarial::{Aats, aats};
use crate::evaluate::components::Joint;
use crate::evaluate::linkage::Pairs;
use crate::models::Output;
use crate::models::neural::{Drawer, Neural, Rows};
use crate::nn::Workspace;
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;
use crate::rng::{Purpose, Stream};
use crate::train::contrastive::frequencies;
use crate::train::output::{Calibrated, sharpen, solve_bias};
use serde_json::{Value, json};

/// Haplotypes that a look makes, at most.
const HAPLOTYPES: usize = 2500;
/// Sites whose pairs are looked at for LD, at most.
const SITES: usize = 1000;
/// How far from 1/2 the adversarial accuracies may be where a generator is softened: at 1/2 exactly the 805 sites' pairwise
/// W1 is 8, at .12 off below 5.
const TOLERATED: f64 = 0.12;
/// Halvings of the interval between the softest and the surest last step.
const FIRMINGS: usize = 4;
/// Halvings of the interval in which a site's bias lies.
const HALVINGS: usize = 24;
/// Sharpness that is tried: from .6, where the generator is surer than it should be, to 1.6.
const SHARPNESS: (f32, f32) = (0.6, 1.6);

/// Real haplotypes that a generator is held against.
pub struct Judge {
    /// Training haplotypes, for the calibration.
    learned: BitMatrix,
    /// Which rows of the data these are.
    rows: Vec<usize>,
    /// People kept aside; the same as `learned` if there are none.
    judges: BitMatrix,
    frequencies: Vec<f64>,
    pairs: Pairs,
    seed: u64,
    /// Where distances are found.
    device: Device,
}

/// What a look found.
#[derive(Clone, Debug)]
pub struct Look {
    /// Adversarial accuracies against people kept aside.
    pub aats: Aats,
    /// Adversarial accuracies against training haplotypes.
    pub learned: Aats,
    /// Correlation of r2 over pairs of sites with that of people kept aside.
    pub linkage: f64,
    /// Their concordance: 1 only if they are equal (Lin 1989), where the correlation does not see that all are too small.
    pub concordance: f64,
    /// Mean absolute error of allele frequencies.
    pub frequency_mae: f64,
    /// Share of the sites that vary in training haplotypes and do not here.
    pub fixed: f64,
    /// The last step.
    pub output: Output,
    /// The haplotypes that it made.
    pub haplotypes: BitMatrix,
    /// The label that each was asked for.
    pub labels: Vec<usize>,
}

impl Judge {
    /// `columns` of training haplotypes and judges are sites, or two columns of genotypes each.
    pub fn new(
        learned: &BitMatrix,
        judges: Option<&BitMatrix>,
        sites: &Sites,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let choose = |bits: &BitMatrix, stream: u64| {
            let n = bits.rows().min(HAPLOTYPES);
            Stream::new(seed, Purpose::Evaluate, stream).reader(0).choose(bits.rows(), n)
        };
        let rows = choose(learned, 10);
        let judges = judges.unwrap_or(learned);
        let mut chosen = Stream::new(seed, Purpose::Evaluate, 12).reader(0).choose(sites.len(), SITES);
        chosen.sort();
        Ok(Judge {
            frequencies: frequencies(learned),
            learned: learned.select_rows(&rows)?,
            rows,
            judges: judges.select_rows(&choose(judges, 11))?,
            pairs: Pairs::new(sites, chosen),
            seed,
            device: device.clone(),
        })
    }

    /// Looks at a generator. With `plain` its last step is left as it is.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn look(&self, workspace: &mut Workspace<f32>, model: &Neural, sites: usize, plain: bool) -> Result<Look> {
        let threads = workspace.threads().clone();
        let mut drawer = Drawer::new(model, sites);
        drawer.place(workspace)?;
        let count = self.learned.rows();
        let rows = Rows { seed: self.seed, purpose: Purpose::Evaluate, first: 1 << 41, count, label: None };
        let odds = drawer.odds_of(workspace, rows)?;
        let columns = model.columns(sites);
        let mut bias = model.output.bias.clone();
        let mut attempt = |sharpness: f32| -> Result<Calibrated> {
            if !plain {
                let input = |row: usize, site: usize| odds[row * columns + site];
                solve_bias(count, input, HALVINGS, sharpness, &self.frequencies, &mut bias, &threads)?;
            }
            let haplotypes = drawer.decided(workspace, &odds, rows, sharpness, &bias)?;
            let aats = aats(&self.learned, &haplotypes, &self.device)?;
            Ok(Calibrated { output: Output { sharpness, bias: bias.clone() }, aats, haplotypes })
        };
        // Alleles that are not drawn do not become surer.
        let (low, high) = if plain || !model.drawn { (1.0, 1.0) } else { SHARPNESS };
        let mut found = sharpen(low, high, &mut attempt)?;
        // A generator that is surer than it should be is softened no more than the halves need: what softness takes away is
        // also what haplotypes have in common.
        let (mut soft, mut sure) = (found.output.sharpness, 1.0);
        for _ in 0..if soft < sure { FIRMINGS } else { 0 } {
            let middle = 0.5 * (soft + sure);
            let tried = attempt(middle)?;
            match (tried.aats.truth - 0.5).abs().max((tried.aats.syn - 0.5).abs()) <= TOLERATED {
                true => (soft, found) = (middle, tried),
                false => sure = middle,
            }
        }
        let made = frequencies(&found.haplotypes);
        let varying: Vec<usize> = (0..columns).filter(|c| (1e-9..1.0 - 1e-9).contains(&self.frequencies[*c])).collect();
        let fixed = varying.iter().filter(|c| made[**c] == 0.0 || made[**c] == 1.0).count();
        let judged = self.judges.rows().min(found.haplotypes.rows());
        let first = |bits: &BitMatrix| bits.select_rows(&(0..judged).collect::<Vec<_>>());
        // Genotypes without phase have no haplotypes whose LD could be looked at.
        let (linkage, concordance) = match model.genotypes {
            false => {
                let compared = self.pairs.compare(&self.judges, &found.haplotypes, &threads)?;
                (compared.r.unwrap_or(0.0), compared.concordance.unwrap_or(0.0))
            }
            true => (0.0, 0.0),
        };
        Ok(Look {
            aats: aats(&first(&self.judges)?, &first(&found.haplotypes)?, &self.device)?,
            learned: found.aats,
            linkage,
            concordance,
            frequency_mae: made.iter().zip(&self.frequencies).map(|(a, b)| (a - b).abs()).sum::<f64>() / columns as f64,
            fixed: fixed as f64 / varying.len().max(1) as f64,
            output: found.output,
            haplotypes: found.haplotypes,
            labels: drawer.labels(rows),
        })
    }

    /// The share of a look's haplotypes whose label is that of the real ones near them; nothing without labels.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn label_accuracy(
        &self,
        workspace: &Workspace<f32>,
        model: &Neural,
        look: &Look,
        data: &Data,
    ) -> Result<Option<f64>> {
        if data.labels.is_empty() || model.genotypes {
            return Ok(None);
        }
        let names: Vec<&str> = self.rows.iter().map(|row| data.labels.names[data.numbers[*row]].as_str()).collect();
        let joint = Joint::new(&self.learned, &look.haplotypes, self.seed, workspace.threads())?;
        let found = joint.labels(&names, workspace.threads())?;
        let right = found
            .iter()
            .zip(&look.labels)
            .filter(|(found, asked)| found.is_some_and(|found| found == data.labels.names[**asked]));
        Ok(Some(right.count() as f64 / found.len().max(1) as f64))
    }
}

impl Look {
    /// How far it is from the best there is: LD that is not as it should be, and adversarial accuracies off 1/2.
    pub fn distance(&self) -> f64 {
        (1.0 - self.concordance) + 0.5 * ((self.aats.truth - 0.5).abs() + (self.aats.syn - 0.5).abs())
    }

    /// A line of the log.
    pub fn line(&self, update: u64, losses: super::losses::Losses, label_accuracy: Option<f64>) -> Value {
        let round = |x: f64| (x * 1e5).round() / 1e5;
        let mut line = json!({
            "update": update,
            "aa_truth": round(self.aats.truth),
            "aa_syn": round(self.aats.syn),
            "linkage_r": round(self.linkage),
            "linkage_concordance": round(self.concordance),
            "frequency_mae": round(self.frequency_mae),
            "fixed_sites": round(self.fixed),
            "critic": round(losses.critic),
            "generator": round(losses.generator),
            "sharpness": round(f64::from(self.output.sharpness)),
            "distance": round(self.distance()),
        });
        if losses.gradient > 0.0 {
            line["critic_gradient"] = json!(round(losses.gradient));
        }
        if let Some(accuracy) = label_accuracy {
            line["label_accuracy"] = json!(round(accuracy));
        }
        if let Some([real, artificial]) = losses.labels {
            line["critic_labels_real"] = json!(round(real));
            line["critic_labels_artificial"] = json!(round(artificial));
        }
        line
    }
}
