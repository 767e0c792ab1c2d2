//! Generators that are neural networks: noise goes in, a number a site comes out, and an allele is drawn from it.

pub mod convolutional;
pub mod decode;
pub mod dense;
mod draw;
pub mod log;

use super::labels::Labels;
use super::{ModelKind, Output};
use crate::error::{Error, Result};
use crate::nn::{Graph, Network, Tensor, Workspace};
use crate::panel::bits::BitMatrix;
use convolutional::Convolutional;
use dense::Dense;

pub use draw::{Drawer, Inputs, Rows, codes, normals};

/// Alleles of some rows as critics and encoders read them, -1 and 1: a unit a column for a `length` of 1, else a channel of so
/// many positions, 0 beyond the last column.
///
/// # Errors
/// The threads could not be started.
pub fn alleles(workspace: &mut Workspace<f32>, bits: &BitMatrix, rows: &[usize], length: usize) -> Result<Tensor<f32>> {
    let columns = bits.columns();
    let threads = workspace.threads_for(rows.len() * columns);
    let sign = |row: usize, column: usize| if bits.get(row, column) { 1.0 } else { -1.0 };
    if length == 1 {
        let mut out = workspace.host_tensor(columns, rows.len(), 1);
        threads.for_each_piece(out.rows_mut(), rows.len().max(1), |c, out| {
            out.iter_mut().zip(rows).for_each(|(o, row)| *o = sign(*row, c));
        })?;
        return workspace.placed(out);
    }
    let mut out = workspace.host_zeros(1, rows.len(), length);
    let segment = out.segment();
    threads.for_each_piece(out.rows_mut(), segment, |n, out| {
        out[..columns].iter_mut().enumerate().for_each(|(c, o)| *o = sign(rows[n], c));
    })?;
    workspace.placed(out)
}

/// The layers of a generator.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Fully connected.
    Dense(Dense),
    /// Convolutions along the genome.
    Convolutional(Convolutional),
}

impl Body {
    /// The generator's layers, for `columns` numbers and so many labels.
    pub fn generator(&self, columns: usize, labels: usize) -> Graph {
        match self {
            Body::Dense(body) => body.generator(columns, labels),
            Body::Convolutional(body) => body.generator(labels),
        }
    }
}

/// Where the noise that goes into a generator comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Latent {
    /// Independent normal numbers.
    Normal,
    /// Normal clusters (variational autoencoders: what their encoder makes of people, in a few clusters).
    Mixture(Clusters),
}

/// Normal clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// Their shares.
    pub shares: Vec<f32>,
    /// Their means, clusters x numbers.
    pub means: Vec<f32>,
    /// Lower triangular roots of their covariances, clusters x numbers x numbers.
    pub roots: Vec<f32>,
}

impl Latent {
    /// The cluster that a number from 0 to 1 falls on, in their shares; 0 where there are none.
    pub fn cluster(&self, uniform: f32) -> usize {
        let Latent::Mixture(clusters) = self else { return 0 };
        let mut sum = 0.0;
        let found = clusters.shares.iter().position(|share| {
            sum += share;
            uniform < sum
        });
        found.unwrap_or(clusters.shares.len() - 1)
    }

    /// Standard normal numbers become noise: a cluster's mean, and its root times the numbers. Those after the clusters'
    /// stay as they are.
    pub fn place(&self, cluster: usize, noise: &mut [f32]) {
        let Latent::Mixture(clusters) = self else { return };
        let size = clusters.size();
        let (means, root) = clusters.of(cluster, size);
        // From the last number on: each needs those before it.
        for i in (0..size).rev() {
            noise[i] = root[i * size..][..=i].iter().zip(&*noise).fold(means[i], |sum, (r, z)| r.mul_add(*z, sum));
        }
    }

    /// A gradient with respect to noise becomes that with respect to the standard normal numbers it was placed from.
    pub fn pull_back(&self, cluster: usize, gradient: &mut [f32]) {
        let Latent::Mixture(clusters) = self else { return };
        let size = clusters.size();
        let (_, root) = clusters.of(cluster, size);
        for j in 0..size {
            gradient[j] = (j..size).fold(0.0, |sum, i| root[i * size + j].mul_add(gradient[i], sum));
        }
    }
}

impl Clusters {
    /// Numbers of a point: the first ones of the noise.
    fn size(&self) -> usize {
        self.means.len() / self.shares.len().max(1)
    }

    /// Mean and root of a cluster of `size` numbers.
    fn of(&self, cluster: usize, size: usize) -> (&[f32], &[f32]) {
        (&self.means[cluster * size..][..size], &self.roots[cluster * size * size..][..size * size])
    }
}

/// A trained generator and what its sampler needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Neural {
    /// How it was trained: `Gan`, `Wgan`, `Vae` or `PcaGan`.
    pub kind: ModelKind,
    /// Its layers.
    pub body: Body,
    /// Principal components that the body makes scores of; 0 if it makes alleles. Their loadings and means are the last
    /// layer of the network, `components`.
    pub components: usize,
    /// The generator: noise (and the code of a label) to log odds of the alternate allele.
    pub network: Network,
    /// Where noise comes from.
    pub latent: Latent,
    /// Sharpness and bias that log odds get before alleles are drawn.
    pub output: Output,
    /// Whether alleles are drawn with their chance, or the likelier one is taken (as the papers do).
    pub drawn: bool,
    /// Labels that haplotypes can be asked for.
    pub labels: Labels,
    /// Whether a row is a person's unphased genotypes, two columns a site, in place of a haplotype.
    pub genotypes: bool,
    /// What encodes haplotypes (variational autoencoders): alleles to means and log variances of the noise.
    pub encoder: Option<Network>,
}

impl Neural {
    /// The layers of a generator with these settings.
    pub fn graph(body: &Body, components: usize, columns: usize, labels: usize) -> Graph {
        if components == 0 {
            return body.generator(columns, labels);
        }
        let mut graph = body.generator(components, labels);
        graph.dense("components", graph.output(), columns, true);
        for parameter in graph.parameters.iter_mut().rev().take(2) {
            parameter.trained = false;
        }
        graph
    }

    /// The layers of the encoder that goes with its body: alleles to means and log variances of the noise, through layers
    /// as wide as the generator's, the other way round.
    pub fn encoder_graph(&self, sites: usize) -> Graph {
        let outputs = 2 * self.coded_size();
        match &self.body {
            Body::Dense(body) => {
                let widths: Vec<usize> = body.widths.iter().rev().copied().collect();
                Dense::critic(self.columns(sites), 0, &widths, body.slope, 0.0, outputs)
            }
            Body::Convolutional(body) => body.encoder(outputs),
        }
    }

    /// What an encoder, its own or a copy that was placed, makes of haplotypes: means of the noise, rows x
    /// [`Neural::coded_size`]. `bits` has a row a haplotype and a column a site.
    ///
    /// # Errors
    /// `InvalidArgument` without an encoder; the threads could not be started; `DeviceFailed`.
    pub fn encoded(
        &self,
        workspace: &mut Workspace<f32>,
        encoder: Option<&Network>,
        bits: &BitMatrix,
        rows: &[usize],
    ) -> Result<Vec<f32>> {
        let what = || format!("a {} model has no encoder", self.kind.name());
        let encoder = encoder.ok_or_else(|| Error::argument(what()))?;
        let alleles = alleles(workspace, bits, rows, encoder.graph.nodes[0].length)?;
        let code = encoder.apply(workspace, &[&alleles])?;
        workspace.give_tensor(alleles);
        let size = self.coded_size();
        // The log variances come after the means.
        let given = code.to_host()?;
        let means = workspace.turned(&given[..size * rows.len()], size, rows.len())?;
        drop(given);
        workspace.give_tensor(code);
        Ok(means)
    }

    /// Numbers that its network makes of noise, a row: a column a site, or two where it makes genotypes.
    pub fn columns(&self, sites: usize) -> usize {
        if self.genotypes { 2 * sites } else { sites }
    }

    /// Numbers of noise that an encoder makes: all, or the latent of a convolutional body.
    pub fn coded_size(&self) -> usize {
        match &self.body {
            Body::Convolutional(body) if body.latent > 0 => body.latent,
            _ => self.latent_size(),
        }
    }

    /// Numbers of noise that go into it.
    pub fn latent_size(&self) -> usize {
        Inputs::of(&self.network.graph, self.labels.len()).size()
    }

    /// Fails unless its parts fit each other and `sites`.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn check(&self, sites: usize) -> Result<()> {
        let columns = self.columns(sites);
        let graph = Neural::graph(&self.body, self.components, columns, self.labels.len());
        graph.check()?;
        let last = &graph.nodes[graph.output()];
        let fits = self.network.graph == graph
            && last.channels * last.length >= columns
            && self.output.bias.len() == columns
            && self.network.numbers.len() == graph.parameters.len()
            && self.network.numbers.iter().zip(&graph.parameters).all(|(n, p)| n.len() == p.size());
        let latent = self.coded_size();
        let clusters = match &self.latent {
            Latent::Normal => true,
            Latent::Mixture(c) => {
                let k = c.shares.len();
                k > 0 && c.means.len() == k * latent && c.roots.len() == k * latent * latent
            }
        };
        match fits && clusters {
            true => Ok(()),
            false => Err(Error::argument("the parts of the generator do not fit each other")),
        }
    }
}
