//! Haplotypes as a model sees them: hidden activations, and their projection on the singular vectors of W.

use super::rbm::HalfSteps;
use super::{Generator, Model};
use crate::compute::{Device, States};
use crate::error::{Error, ErrorKind, Result};
use crate::linalg::svd;
use crate::panel::bits::BitMatrix;
use crate::progress::Progress;
use crate::threads::Threads;

/// Haplotypes in the latent space of an RBM.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// Number of hidden units.
    pub hidden_units: usize,
    /// Number of singular vectors.
    pub components: usize,
    /// Means of the hidden units, haplotypes x hidden units.
    pub hidden: Vec<f32>,
    /// Their projections on the right singular vectors of W, largest singular value first, haplotypes x components.
    pub projections: Vec<f32>,
    /// The singular values.
    pub singular_values: Vec<f64>,
}

/// Encodes haplotypes: `bits` has a row a haplotype and a column a site of the model, in the model's order.
///
/// # Errors
/// `InvalidArgument` for a model without hidden units or for other sites; `Cancelled`; `OutOfMemory`.
pub fn encode(
    model: &Model,
    bits: &BitMatrix,
    components: usize,
    threads: &Threads,
    progress: &mut Progress,
) -> Result<Encoding> {
    let Generator::Rbm(machine) = &model.generator else {
        return Err(Error::argument(format!("a {} model has no hidden units to encode with", model.kind().name()))
            .remedy("encode with an RBM"));
    };
    if bits.columns() != model.sites.len() {
        return Err(Error::new(ErrorKind::NoOverlap, "the haplotypes have other sites than the model"));
    }
    let device = Device::cpu(threads.clone());
    let steps = HalfSteps::new(&device, &machine.rbm)?;
    let (sites, hidden_units) = (machine.rbm.sites(), machine.rbm.hidden_units());
    let weights: Vec<f64> = machine.rbm.weights.iter().map(|w| f64::from(*w)).collect();
    let components = components.min(hidden_units).min(sites);
    let decomposition = svd(&weights, sites, hidden_units, components)?;
    let step = steps.mean_step() as f32;
    let mut encoding = Encoding {
        hidden_units,
        components,
        hidden: Vec::with_capacity(bits.rows() * hidden_units),
        projections: Vec::with_capacity(bits.rows() * components),
        singular_values: decomposition.values.clone(),
    };
    const BATCH: usize = 512;
    for first in (0..bits.rows()).step_by(BATCH) {
        progress.step("encoding", first as u64, bits.rows() as u64, "haplotypes")?;
        let rows: Vec<usize> = (first..(first + BATCH).min(bits.rows())).collect();
        let mut visible = States::zeros(&device, rows.len(), sites)?;
        visible.unpack(bits, &rows)?;
        let mut means = States::zeros(&device, rows.len(), hidden_units)?;
        steps.hidden_means(&device, &visible, &mut means)?;
        for r in 0..rows.len() {
            let row: Vec<f32> = means.row(r).iter().map(|m| f32::from(*m) * step).collect();
            for k in 0..components {
                let vector = &decomposition.right[k * hidden_units..][..hidden_units];
                let sum: f64 = row.iter().zip(vector).map(|(h, v)| f64::from(*h) * v).sum();
                encoding.projections.push(sum as f32);
            }
            encoding.hidden.extend(row);
        }
    }
    progress.step("encoding", bits.rows() as u64, bits.rows() as u64, "haplotypes")?;
    Ok(encoding)
}
