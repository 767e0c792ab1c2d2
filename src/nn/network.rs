//! A graph with its numbers.

use super::gradients::downloaded;
use super::graph::{Graph, Initial, Op, Over};
use super::layers::Numbers;
use super::normalise::EPSILON;
use super::pass::{Mode, Pass, Tape};
use super::tensor::{Tensor, Workspace};
use crate::compute::cuda::Memory;
use crate::error::Result;
use crate::rng::Stream;

/// A graph with its numbers, a list for each parameter.
///
/// Where it was placed in a GPU's memory, passes read, and steps move, the numbers there; [`Network::fetch`] brings them back. A
/// copy, and a comparison, is of the numbers in the processor's memory alone.
#[derive(Debug)]
pub struct Network {
    /// Its layers.
    pub graph: Graph,
    /// Its parameters' numbers.
    pub numbers: Vec<Vec<f32>>,
    /// The same in a GPU's memory.
    placed: Option<Vec<Memory>>,
}

impl Clone for Network {
    fn clone(&self) -> Self {
        Network::new(self.graph.clone(), self.numbers.clone())
    }
}

impl PartialEq for Network {
    fn eq(&self, other: &Self) -> bool {
        self.graph == other.graph && self.numbers == other.numbers
    }
}

impl Network {
    /// In the processor's memory.
    pub fn new(graph: Graph, numbers: Vec<Vec<f32>>) -> Self {
        Network { graph, numbers, placed: None }
    }

    /// Copies its numbers to where a workspace works.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn place(&mut self, workspace: &Workspace<f32>) -> Result<()> {
        self.placed = None;
        let Some(cuda) = workspace.cuda() else { return Ok(()) };
        self.placed = Some(self.numbers.iter().map(|list| cuda.upload(list)).collect::<Result<_>>()?);
        Ok(())
    }

    /// Brings its numbers back from where it was placed; it stays there.
    ///
    /// # Errors
    /// `DeviceFailed`.
    pub fn fetch(&mut self) -> Result<()> {
        for (list, memory) in self.numbers.iter_mut().zip(self.placed.iter().flatten()) {
            *list = downloaded(memory, list.len())?;
        }
        Ok(())
    }

    /// Its numbers where it was placed.
    pub(super) fn placed(&self) -> Option<&[Memory]> {
        self.placed.as_deref()
    }

    /// About to be run.
    pub fn pass<'a>(&'a self, workspace: &'a mut Workspace<f32>) -> Pass<'a, f32> {
        let numbers = match &self.placed {
            Some(lists) => Numbers::Placed(lists),
            None => Numbers::Host(&self.numbers),
        };
        Pass { graph: &self.graph, numbers, workspace }
    }

    /// Before training: numbers as [`Initial`] says, drawn from `stream`.
    pub fn initial(graph: Graph, stream: Stream) -> Self {
        let mut reader = stream.reader(0);
        let mut draw = |initial: Initial| match initial {
            Initial::Constant(value) => value as f32,
            Initial::Uniform(bound) => (bound * (2.0 * reader.uniform() - 1.0)) as f32,
            Initial::Normal(deviation) => (deviation * reader.normal()) as f32,
        };
        let numbers = graph.parameters.iter().map(|p| (0..p.size()).map(|_| draw(p.initial)).collect()).collect();
        Network::new(graph, numbers)
    }

    /// The numbers of a parameter of this name.
    pub fn named_mut(&mut self, name: &str) -> Option<&mut Vec<f32>> {
        let place = self.graph.parameters.iter().position(|p| p.name == name)?;
        self.numbers.get_mut(place)
    }

    /// Whether all numbers are finite.
    pub fn is_finite(&self) -> bool {
        self.numbers.iter().flatten().all(|number| number.is_finite())
    }

    /// Runs the network.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn forward(&self, workspace: &mut Workspace<f32>, mode: Mode, inputs: &[&Tensor<f32>]) -> Result<Tape<f32>> {
        self.pass(workspace).forward(mode, inputs)
    }

    /// What the network gives in use; memory of inner layers is given back on the way.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn apply(&self, workspace: &mut Workspace<f32>, inputs: &[&Tensor<f32>]) -> Result<Tensor<f32>> {
        self.pass(workspace).apply(inputs)
    }

    /// Moves running means and variances towards those of a batch by a tenth (PyTorch's default).
    ///
    /// # Errors
    /// `DeviceFailed`.
    pub fn follow_statistics(&mut self, tape: &Tape<f32>) -> Result<()> {
        self.mix_statistics(tape, 0.1)
    }

    /// Running means and variances become `share` of a batch's, and the rest of what they were.
    ///
    /// # Errors
    /// `DeviceFailed`.
    pub fn mix_statistics(&mut self, tape: &Tape<f32>, share: f64) -> Result<()> {
        for (node, groups, count) in tape.placed_statistics() {
            if let (Op::Normalise { over: Over::Batch { mean, variance }, .. }, Some(lists)) =
                (&self.graph.nodes[node].op, &self.placed)
            {
                let (unbiased, channels) = (unbiased(count), self.graph.nodes[node].channels);
                let running = [&lists[*mean], &lists[*variance]];
                groups.device().mix_statistics(groups, channels, share, unbiased, running)?;
            }
        }
        for (node, pairs, count) in tape.batch_statistics() {
            let Op::Normalise { over: Over::Batch { mean, variance }, .. } = self.graph.nodes[node].op else {
                continue;
            };
            let unbiased = unbiased(count);
            for (c, (m, v)) in pairs.iter().enumerate() {
                let mix = |old: f32, new: f64| ((1.0 - share) * f64::from(old) + share * new) as f32;
                self.numbers[mean][c] = mix(self.numbers[mean][c], *m);
                self.numbers[variance][c] = mix(self.numbers[variance][c], v * unbiased);
            }
        }
        Ok(())
    }

    /// The same network for use alone: batch normalisations that follow a convolution or a dense layer become part of it.
    pub fn folded(&self) -> Network {
        let mut graph = Graph::new();
        let mut numbers: Vec<Vec<f32>> = Vec::new();
        // Where each node of this network is in the new one.
        let mut places: Vec<usize> = Vec::new();
        for (i, node) in self.graph.nodes.iter().enumerate() {
            if let (Op::Normalise { scale, shift, over: Over::Batch { mean, variance }, slope }, Some(before)) =
                (&node.op, node.inputs.first().filter(|before| self.readers(**before) == 1))
            {
                let factors: Vec<(f32, f32)> = (0..node.channels)
                    .map(|c| {
                        let deviation = (f64::from(self.numbers[*variance][c].max(0.0)) + EPSILON).sqrt();
                        let factor = f64::from(self.numbers[*scale][c]) / deviation;
                        let term = f64::from(self.numbers[*shift][c]) - f64::from(self.numbers[*mean][c]) * factor;
                        (factor as f32, term as f32)
                    })
                    .collect();
                if graph.absorb(places[*before], &factors, &mut numbers) {
                    let before = places[*before];
                    places.push(if *slope == 1.0 { before } else { graph.leaky_relu(before, *slope) });
                    continue;
                }
            }
            let inputs: Vec<usize> = node.inputs.iter().map(|n| places[*n]).collect();
            graph.copy_node(&self.graph, i, &inputs, &self.numbers, &mut numbers);
            places.push(graph.output());
        }
        Network::new(graph, numbers)
    }

    /// How many nodes read node `i`.
    fn readers(&self, i: usize) -> usize {
        self.graph.nodes.iter().filter(|node| node.inputs.contains(&i)).count()
    }
}

/// What a batch's variance is multiplied by: running variances are those of a population, of which the batch is a sample.
fn unbiased(count: usize) -> f64 {
    count as f64 / (count.max(2) - 1) as f64
}
