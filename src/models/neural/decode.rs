//! Log odds of alleles from points of the latent space, and how they change with the point.
//!
//! A point is standard normal numbers, the cluster of the latent distribution that they are placed in, and a label. So the
//! prior of the numbers is the standard normal distribution for every kind of generator.

use super::{Inputs, Latent, Neural, normals};
use crate::error::Result;
use crate::models::labels::Labels;
use crate::nn::{Mode, Network, Op, Tape, Tensor, Workspace};
use crate::rng::Stream;

/// A generator laid out for decoding points.
#[derive(Clone, Debug)]
pub struct Decoder {
    network: Network,
    inputs: Inputs,
    latent: Latent,
    labels: Labels,
    /// Where each column is in what the network gives.
    columns: Vec<usize>,
    sharpness: f32,
    /// A number a column.
    bias: Vec<f32>,
}

/// What a point has beside its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The label; 0 without labels.
    pub label: usize,
    /// The cluster; 0 without clusters.
    pub cluster: usize,
}

/// Points, and what the way back from their log odds needs.
pub struct Decoded {
    /// Log odds of the alternate allele, points x columns.
    pub odds: Vec<f32>,
    tape: Tape<f32>,
}

impl Decoder {
    /// For a generator of `sites` sites: a column a column of the network.
    pub fn new(model: &Neural, sites: usize) -> Self {
        let network = model.network.folded();
        Decoder {
            inputs: Inputs::of(&network.graph, model.labels.len()),
            network,
            latent: model.latent.clone(),
            labels: model.labels.clone(),
            columns: (0..model.columns(sites)).collect(),
            sharpness: model.output.sharpness,
            bias: model.output.bias.clone(),
        }
    }

    /// The same for some columns alone. Where the last layer is fully connected the others are not worked out.
    pub fn of_columns(&self, columns: &[usize]) -> Decoder {
        let mut decoder = self.clone();
        decoder.bias = columns.iter().map(|c| self.bias[*c]).collect();
        decoder.columns = columns.iter().map(|c| self.columns[*c]).collect();
        let (graph, numbers) = (&mut decoder.network.graph, &mut decoder.network.numbers);
        let last = graph.output();
        if let Op::Dense { weight, bias, .. } = graph.nodes[last].op {
            let width = graph.nodes[graph.nodes[last].inputs[0]].channels;
            let rows = decoder.columns.iter().flat_map(|c| &self.network.numbers[weight][c * width..][..width]);
            numbers[weight] = rows.copied().collect();
            graph.parameters[weight].shape[0] = columns.len();
            if let Some(bias) = bias {
                numbers[bias] = decoder.columns.iter().map(|c| self.network.numbers[bias][*c]).collect();
                graph.parameters[bias].shape[0] = columns.len();
            }
            graph.nodes[last].channels = columns.len();
            decoder.columns = (0..columns.len()).collect();
        }
        decoder
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Numbers of a point.
    pub fn size(&self) -> usize {
        self.inputs.size()
    }

    /// Numbers that its layers give for one point, all together.
    pub fn layers(&self) -> usize {
        self.network.graph.nodes.iter().map(|node| node.channels * node.length).sum()
    }

    /// A draw from the prior: word 0 of the stream says the label, word 1 the cluster, and chunks from the first one on
    /// the numbers, as they do for haplotypes that are sampled.
    pub fn draw(&self, stream: &Stream, point: &mut [f32]) -> Place {
        normals(stream, 1, point);
        let label = if self.labels.is_empty() { 0 } else { self.labels.at(f64::from(stream.uniform(0))) };
        Place { label, cluster: self.latent.cluster(stream.uniform(1)) }
    }

    /// What the network reads.
    fn tensors(&self, workspace: &mut Workspace<f32>, points: &[f32], places: &[Place]) -> Result<Vec<Tensor<f32>>> {
        let mut noise = points.to_vec();
        for (noise, place) in noise.chunks_exact_mut(self.size().max(1)).zip(places) {
            self.latent.place(place.cluster, noise);
        }
        let labels: Vec<usize> = places.iter().map(|place| place.label).collect();
        self.inputs.tensors(workspace, &noise, &labels)
    }

    /// Copies the network to where a workspace works, which is the one that it is then used with.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn place(&mut self, workspace: &Workspace<f32>) -> Result<()> {
        self.network.place(workspace)
    }

    /// Log odds, a row a point, of what the network gave.
    fn odds(&self, made: &Tensor<f32>) -> Result<Vec<f32>> {
        let (given, samples, segment) = (made.to_host()?, made.samples, made.segment());
        let mut odds = Vec::with_capacity(samples * self.columns.len());
        for n in 0..samples {
            let at = |c: &usize| given[if made.length == 1 { c * samples + n } else { n * segment + c }];
            odds.extend(self.columns.iter().zip(&self.bias).map(|(c, bias)| at(c) * self.sharpness + bias));
        }
        Ok(odds)
    }

    /// Log odds of the alternate allele, points x columns, of points x [`Decoder::size`] numbers.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn log_odds(&self, workspace: &mut Workspace<f32>, points: &[f32], places: &[Place]) -> Result<Vec<f32>> {
        let inputs = self.tensors(workspace, points, places)?;
        let made = self.network.apply(workspace, &inputs.iter().collect::<Vec<_>>())?;
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        let odds = self.odds(&made)?;
        workspace.give_tensor(made);
        Ok(odds)
    }

    /// The same, for [`Decoder::gradient`] to come back from.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn decode(&self, workspace: &mut Workspace<f32>, points: &[f32], places: &[Place]) -> Result<Decoded> {
        let inputs = self.tensors(workspace, points, places)?;
        let tape = self.network.forward(workspace, Mode::Use, &inputs.iter().collect::<Vec<_>>())?;
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        Ok(Decoded { odds: self.odds(tape.output())?, tape })
    }

    /// The gradient with respect to the points' numbers, points x [`Decoder::size`], from that with respect to the log odds.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn gradient(
        &self,
        workspace: &mut Workspace<f32>,
        decoded: Decoded,
        slopes: &[f32],
        places: &[Place],
    ) -> Result<Vec<f32>> {
        let made = decoded.tape.output();
        let mut seed = workspace.host_zeros(made.channels, made.samples, made.length);
        let samples = made.samples;
        for (n, slopes) in slopes.chunks_exact(self.columns.len().max(1)).enumerate() {
            for (c, slope) in self.columns.iter().zip(slopes) {
                let slope = slope * self.sharpness;
                match seed.length {
                    1 => seed.rows_mut()[c * samples + n] = slope,
                    _ => seed.positions_mut(0, n)[*c] = slope,
                }
            }
        }
        let seed = workspace.placed(seed)?;
        let adjoints = self.network.pass(workspace).backward(&decoded.tape, seed, None, true, false)?;
        decoded.tape.release(workspace);
        let size = self.size();
        let mut out = vec![0.0; samples * size];
        let mut first = 0;
        for (node, adjoint) in self.network.graph.nodes.iter().zip(adjoints) {
            if !matches!(node.op, Op::Input(_)) {
                adjoint.into_iter().for_each(|adjoint| workspace.give_tensor(adjoint));
                continue;
            }
            // The label's input comes after those of noise.
            if first < size {
                if let Some(adjoint) = &adjoint {
                    let (given, row, segment) = (adjoint.to_host()?, adjoint.row(), adjoint.segment());
                    for (n, out) in out.chunks_exact_mut(size).enumerate() {
                        for (c, part) in out[first..].chunks_mut(node.length).take(node.channels).enumerate() {
                            part.copy_from_slice(&given[c * row + n * segment..][..part.len()]);
                        }
                    }
                }
                first += node.channels * node.length;
            }
            adjoint.into_iter().for_each(|adjoint| workspace.give_tensor(adjoint));
        }
        for (gradient, place) in out.chunks_exact_mut(size.max(1)).zip(places) {
            self.latent.pull_back(place.cluster, gradient);
        }
        Ok(out)
    }
}
