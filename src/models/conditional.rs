//! What a model expects of one site when it sees the rest of a haplotype.

use super::rbm::{Hidden, Rbm};
use super::{Generator, Model};
use crate::compute::activation::{relu_log_partition, softplus};
use crate::error::{Error, Result};
use crate::hmm::copying::Workspace;
use crate::panel::bits::BitMatrix;
use crate::progress::Progress;
use crate::threads::Threads;

/// Haplotypes between two reports of progress.
const PORTION: usize = 256;

/// The probability of the alternate allele at each site given all other alleles of the haplotype, exactly: a row a
/// haplotype of `bits` (columns are the model's sites), a column a site, 0 to 1.
///
/// Of an RBM in equilibrium: the logistic function of the difference of two free energies, with the hidden units summed
/// out (the terms of its pseudo-likelihood, Besag 1975). Of a Markov model: given the alleles in the window before the
/// site. Of a copying model: by the forward-backward algorithm. Of a Bernoulli model: the frequency.
/// site. Of a Bernoulli model: the frequency. Of a hidden Markov model: both passes, without the site's own emission.
///
/// # Errors
/// `InvalidArgument` if the shapes disagree, or for a context model, which has no such probabilities; `Cancelled`; `OutOfMemory`.
pub fn conditionals(
    model: &Model,
    bits: &BitMatrix,
    out: &mut [f32],
    threads: &Threads,
    progress: &mut Progress,
) -> Result<()> {
    let sites = model.sites.len();
    if bits.columns() != sites || bits.rows().checked_mul(sites) != Some(out.len()) {
        return Err(Error::argument(format!(
            "{} x {} haplotypes and {} probabilities for a model of {sites} sites",
            bits.rows(),
            bits.columns(),
            out.len()
        )));
    }
    let copying = match &model.generator {
        Generator::Copying(panel) => Some(panel.model(&model.sites)?),
        _ => None,
    };
    if let Generator::Context(_) | Generator::Neural(_) = model.generator {
        let kind = model.kind().name();
        return Err(Error::argument(format!("a {kind} model says nothing of one site given the others"))
            .remedy("take an RBM, a Markov or a Bernoulli model"));
    }
    for (portion, rows) in out.chunks_mut(PORTION * sites).enumerate() {
        let first = portion * PORTION;
        progress.step("predicting", first as u64, bits.rows() as u64, "haplotypes")?;
        if let Generator::Hmm(_) | Generator::Copying(_) = &model.generator {
            let all = |r: usize| (0..sites).map(|site| (site, bits.get(first + r, site))).collect::<Vec<_>>();
            let found = threads.map(rows.len() / sites, |r| match (&model.generator, &copying) {
                (Generator::Hmm(clusters), _) => clusters.posterior(&all(r)),
                (_, Some(copying)) => copying.posterior(&all(r), 0..0, &mut Workspace::default()),
                _ => Err(Error::argument("no hidden Markov model")),
            })?;
            for (row, found) in rows.chunks_exact_mut(sites).zip(found) {
                row.copy_from_slice(&found?.left_out);
            }
            continue;
        }
        threads.for_each_piece(rows, sites, |r, row| {
            let allele = |site: usize| bits.get(first + r, site);
            match &model.generator {
                Generator::Rbm(machine) => of_machine(&machine.rbm, allele, row),
                Generator::Markov(markov) => markov.conditionals(allele, row),
                Generator::Context(_) | Generator::Neural(_) => {}
                Generator::Bernoulli(b) => row.iter_mut().zip(&b.frequencies).for_each(|(p, f)| *p = *f as f32),
                // Done above.
                Generator::Hmm(_) | Generator::Copying(_) => {}
            }
        })?;
    }
    progress.step("predicting", bits.rows() as u64, bits.rows() as u64, "haplotypes")
}

fn of_machine(rbm: &Rbm, allele: impl Fn(usize) -> bool, row: &mut [f32]) {
    let log_partition = match rbm.hidden {
        Hidden::Bernoulli => softplus,
        Hidden::Relu => relu_log_partition,
    };
    let units = rbm.hidden_units();
    let weights_of = |site: usize| &rbm.weights[site * units..][..units];
    let mut inputs = rbm.hidden_bias.clone();
    for site in (0..row.len()).filter(|site| allele(*site)) {
        inputs.iter_mut().zip(weights_of(site)).for_each(|(input, weight)| *input += weight);
    }
    let terms: Vec<f32> = inputs.iter().map(|input| log_partition(*input)).collect();
    for (site, p) in row.iter_mut().enumerate() {
        // The allele's other value moves each unit's input by its weight, up or down.
        let sign = if allele(site) { -1.0 } else { 1.0 };
        let mut change = 0.0f64;
        for ((input, term), weight) in inputs.iter().zip(&terms).zip(weights_of(site)) {
            change += f64::from(log_partition(input + sign * weight) - term);
        }
        let log_odds = f64::from(rbm.visible_bias[site]) + f64::from(sign) * change;
        *p = (1.0 / (1.0 + (-log_odds).exp())) as f32;
    }
}
