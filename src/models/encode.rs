//! Haplotypes as a model sees them: hidden activations of an RBM and their projection on the singular vectors of W, or means
//! of the latent space of a variational autoencoder and their projection on its principal axes.

use super::neural::{Latent, Neural};
use super::rbm::HalfSteps;
use super::{Generator, Model, SampledRbm};
use crate::compute::{Device, States};
use crate::error::{Error, ErrorKind, Result};
use crate::linalg::svd;
use crate::nn::Workspace;
use crate::panel::bits::BitMatrix;
use crate::progress::Progress;

/// Haplotypes in the latent space of a model: of an RBM its hidden units, of a variational autoencoder (`vae`) what its
/// encoder makes of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// Number of hidden units, or of latent numbers.
    pub hidden_units: usize,
    /// Number of axes that are projected on.
    pub components: usize,
    /// Means of the hidden units, or of the latent numbers, haplotypes x hidden units.
    pub hidden: Vec<f32>,
    /// Their projections, largest singular value first, haplotypes x components: on the right singular vectors of W; or,
    /// from the mean of the latent distribution that the model draws from, on its principal axes. Either way the axes are
    /// the model's own, whatever is encoded.
    pub projections: Vec<f32>,
    /// The singular values of W; or the standard deviations of the latent distribution along its axes.
    pub singular_values: Vec<f64>,
}

/// Encodes haplotypes: `bits` has a row a haplotype and a column a site of the model, in the model's order.
///
/// # Errors
/// `InvalidArgument` for a model without hidden units or an encoder; `NoOverlap` for other sites; `Cancelled`;
/// `OutOfMemory`.
pub fn encode(
    model: &Model,
    bits: &BitMatrix,
    components: usize,
    device: &Device,
    progress: &mut Progress,
) -> Result<Encoding> {
    let encoder = match &model.generator {
        Generator::Rbm(machine) => Encoder::machine(machine, components, device)?,
        Generator::Neural(neural) if neural.encoder.is_some() && neural.genotypes => {
            return Err(Error::argument("a vae model of unphased genotypes encodes people, not haplotypes")
                .remedy("train it on haplotypes: leave out option genotypes=unphased"));
        }
        Generator::Neural(neural) if neural.encoder.is_some() => Encoder::latent(neural, components, device)?,
        _ => {
            return Err(Error::argument(format!(
                "a {} model has neither hidden units nor an encoder to encode with",
                model.kind().name()
            ))
            .remedy("encode with an RBM or a vae"));
        }
    };
    if bits.columns() != model.sites.len() {
        return Err(Error::new(ErrorKind::NoOverlap, "the haplotypes have other sites than the model"));
    }
    let Encoder { mut means, axes, centre, values } = encoder;
    let (units, components) = (centre.len(), values.len());
    let mut encoding = Encoding {
        hidden_units: units,
        components,
        hidden: Vec::with_capacity(bits.rows() * units),
        projections: Vec::with_capacity(bits.rows() * components),
        singular_values: values,
    };
    const BATCH: usize = 512;
    for first in (0..bits.rows()).step_by(BATCH) {
        progress.step("encoding", first as u64, bits.rows() as u64, "haplotypes")?;
        let rows: Vec<usize> = (first..(first + BATCH).min(bits.rows())).collect();
        let hidden = means(bits, &rows)?;
        for row in hidden.chunks_exact(units) {
            encoding.projections.extend(axes.chunks_exact(units).map(|axis| {
                let terms = row.iter().zip(&centre).zip(axis);
                terms.map(|((h, c), a)| (f64::from(*h) - c) * a).sum::<f64>() as f32
            }));
        }
        encoding.hidden.extend(hidden);
    }
    progress.step("encoding", bits.rows() as u64, bits.rows() as u64, "haplotypes")?;
    Ok(encoding)
}

/// Makes means of the hidden units of some rows of haplotypes, a row a haplotype.
type Means<'a> = Box<dyn FnMut(&BitMatrix, &[usize]) -> Result<Vec<f32>> + 'a>;

/// What encodes.
struct Encoder<'a> {
    means: Means<'a>,
    /// The axes, one after the other, a number a unit.
    axes: Vec<f64>,
    /// Where they begin.
    centre: Vec<f64>,
    /// A value an axis.
    values: Vec<f64>,
}

impl<'a> Encoder<'a> {
    fn machine(machine: &'a SampledRbm, components: usize, device: &'a Device) -> Result<Self> {
        let steps = HalfSteps::new(device, &machine.rbm)?;
        let (sites, units) = (machine.rbm.sites(), machine.rbm.hidden_units());
        let weights: Vec<f64> = machine.rbm.weights.iter().map(|w| f64::from(*w)).collect();
        let decomposition = svd(&weights, sites, units, components.min(units).min(sites))?;
        let step = steps.mean_step() as f32;
        let means = move |bits: &BitMatrix, rows: &[usize]| {
            let mut visible = States::zeros(device, rows.len(), sites)?;
            visible.unpack(bits, rows)?;
            let mut means = States::zeros(device, rows.len(), units)?;
            steps.hidden_means(device, &visible, &mut means)?;
            let means = means.to_host()?;
            Ok((0..rows.len()).flat_map(|r| means.row(r)).map(|m| f32::from(*m) * step).collect())
        };
        let (axes, values) = (decomposition.right, decomposition.values);
        Ok(Encoder { means: Box::new(means), axes, centre: vec![0.0; units], values })
    }

    fn latent(model: &'a Neural, components: usize, device: &Device) -> Result<Self> {
        let size = model.coded_size();
        let (centre, covariance) = moments(&model.latent, size);
        let decomposition = svd(&covariance, size, size, components.min(size))?;
        let values = decomposition.values.iter().map(|variance| variance.max(0.0).sqrt()).collect();
        let mut workspace = Workspace::on(device);
        let mut encoder = model.encoder.clone();
        encoder.as_mut().map_or(Ok(()), |encoder| encoder.place(&workspace))?;
        let means = move |bits: &BitMatrix, rows: &[usize]| model.encoded(&mut workspace, encoder.as_ref(), bits, rows);
        Ok(Encoder { means: Box::new(means), axes: decomposition.right, centre, values })
    }
}

/// Mean and covariance of the noise that goes into a generator.
fn moments(latent: &Latent, size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut mean = vec![0.0; size];
    let mut covariance = vec![0.0; size * size];
    let Latent::Mixture(clusters) = latent else {
        (0..size).for_each(|i| covariance[i * size + i] = 1.0);
        return (mean, covariance);
    };
    let total: f64 = clusters.shares.iter().map(|share| f64::from(*share)).sum::<f64>().max(1e-30);
    let parts =
        || clusters.shares.iter().map(|share| f64::from(*share) / total).zip(clusters.means.chunks(size.max(1)));
    for (share, of_cluster) in parts() {
        mean.iter_mut().zip(of_cluster).for_each(|(m, x)| *m += share * f64::from(*x));
    }
    for ((share, of_cluster), root) in parts().zip(clusters.roots.chunks((size * size).max(1))) {
        let row = |i: usize| root[i * size..(i + 1) * size].iter().map(|r| f64::from(*r));
        let apart: Vec<f64> = of_cluster.iter().zip(&mean).map(|(x, m)| f64::from(*x) - m).collect();
        for i in 0..size {
            for j in 0..size {
                let within: f64 = row(i).zip(row(j)).map(|(a, b)| a * b).sum();
                covariance[i * size + j] += share * (within + apart[i] * apart[j]);
            }
        }
    }
    (mean, covariance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::neural::Clusters;

    /// Two clusters of two numbers, by hand.
    #[test]
    fn moments_are_those_of_the_mixture() {
        let clusters = Clusters {
            shares: vec![0.25, 0.75],
            means: vec![4.0, 0.0, 0.0, 4.0],
            roots: vec![2.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 2.0],
        };
        let (mean, covariance) = moments(&Latent::Mixture(clusters), 2);
        assert_eq!(mean, [1.0, 3.0]);
        // Within: .25 [4 2; 2 2] + .75 [1 0; 0 4]. Between: .25 [9 -9; -9 9] + .75 [1 -1; -1 1].
        assert_eq!(covariance, [1.75 + 3.0, 0.5 - 3.0, 0.5 - 3.0, 3.5 + 3.0]);
        assert_eq!(moments(&Latent::Normal, 2), (vec![0.0; 2], vec![1.0, 0.0, 0.0, 1.0]));
    }
}
