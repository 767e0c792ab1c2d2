//! Forward, backward, and once more: what a network makes of a batch, and how that changes.

use super::gradients::Gradients;
use super::graph::{Graph, Node, Op, Over};
use super::layers::{self, Numbers, Weighted};
use super::normalise::{After, Normalised, normalise};
use super::tensor::{Elementwise, PIECE, Tensor, Workspace};
use crate::compute::cuda::Memory;
use crate::compute::real::Real;
use crate::error::Result;
use crate::rng::Stream;

/// Whether a network learns or is used.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// Batch normalisation takes the batch's mean and variance; dropout draws from this stream.
    Train(Stream),
    /// Batch normalisation takes the running ones, so that a sample does not depend on its neighbours; nothing is dropped.
    Use,
}

/// What a forward pass keeps for the way back.
#[derive(Debug)]
pub struct Tape<T> {
    values: Vec<Tensor<T>>,
    saved: Vec<Saved<T>>,
}

#[derive(Debug)]
enum Saved<T> {
    Nothing,
    Normalised(Normalised),
    /// What dropout multiplied by.
    Mask(Tensor<T>),
}

impl<T: Real> Tape<T> {
    /// What came out.
    pub fn output(&self) -> &Tensor<T> {
        self.values.last().expect("a network has layers")
    }

    /// What a node gave.
    pub fn value(&self, node: usize) -> &Tensor<T> {
        &self.values[node]
    }

    /// Mean and variance of each batch normalisation: its node, a pair for each channel, and the count of numbers. Nothing of
    /// a pass on a GPU: those are in its memory.
    pub fn batch_statistics(&self) -> impl Iterator<Item = (usize, Vec<(f64, f64)>, usize)> {
        self.batches().filter(|(_, n)| n.placed.is_none()).map(|(node, n)| {
            let pairs = n.groups.iter().map(|g| (g.mean, g.variance)).collect();
            (node, pairs, n.size)
        })
    }

    /// The same in a GPU's memory.
    pub(super) fn placed_statistics(&self) -> impl Iterator<Item = (usize, &Memory, usize)> {
        self.batches().filter_map(|(node, n)| Some((node, n.placed.as_ref()?, n.size)))
    }

    fn batches(&self) -> impl Iterator<Item = (usize, &Normalised)> {
        self.saved.iter().enumerate().filter_map(|(node, saved)| match saved {
            Saved::Normalised(n) if n.batch && !n.fixed => Some((node, n)),
            _ => None,
        })
    }

    /// Gives its memory back.
    pub fn release(self, workspace: &mut Workspace<T>) {
        self.values.into_iter().for_each(|value| workspace.give_tensor(value));
        self.saved.into_iter().for_each(|saved| saved.release(workspace));
    }
}

impl<T: Real> Saved<T> {
    fn release(self, workspace: &mut Workspace<T>) {
        match self {
            Saved::Nothing | Saved::Normalised(_) => {}
            Saved::Mask(mask) => workspace.give_tensor(mask),
        }
    }
}

/// Gradients of the nodes of a network; those that nobody asked for are not there.
pub type Adjoints<T> = Vec<Option<Tensor<T>>>;

/// A network and its numbers, about to be run.
pub struct Pass<'a, T> {
    /// Its layers.
    pub graph: &'a Graph,
    /// Its parameters.
    pub numbers: Numbers<'a, T>,
    /// Where it runs.
    pub workspace: &'a mut Workspace<T>,
}

/// What follows the hat of a normalisation.
fn after<T: Real>(numbers: Numbers<'_, T>, scale: usize, shift: usize, slope: f64) -> After<'_, T> {
    After { numbers, scale, shift, slope }
}

impl<T: Real> Pass<'_, T> {
    /// Runs the network.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn forward(&mut self, mode: Mode, inputs: &[&Tensor<T>]) -> Result<Tape<T>> {
        let mut tape: Tape<T> = Tape { values: Vec::new(), saved: Vec::new() };
        for i in 0..self.graph.nodes.len() {
            let (value, saved) = self.value(mode, i, inputs, |node| &tape.values[node])?;
            tape.values.push(value);
            tape.saved.push(saved);
        }
        Ok(tape)
    }

    /// What the network gives in use. Memory of inner layers is given back as soon as nobody reads them any more.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn apply(&mut self, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
        let nodes = &self.graph.nodes;
        let last_reader = |n: usize| (0..nodes.len()).rev().find(|i| nodes[*i].inputs.contains(&n)).unwrap_or(n);
        let mut values: Vec<Option<Tensor<T>>> = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            // A slope can be put on numbers where they lie.
            let own = node.inputs.first().copied().filter(|n| last_reader(*n) == i);
            let value = match (&node.op, own) {
                (Op::LeakyRelu { slope }, Some(n)) => {
                    let mut x = values[n].take().expect("read before it is given back");
                    self.workspace.leaky_in_place(*slope, &mut x, None)?;
                    x
                }
                _ => {
                    let read = |n: usize| values[n].as_ref().expect("given back after its last reader");
                    let (value, saved) = self.value(Mode::Use, i, inputs, read)?;
                    saved.release(self.workspace);
                    value
                }
            };
            values.push(Some(value));
            for (n, value) in values.iter_mut().enumerate().take(i) {
                if value.is_some() && last_reader(n) <= i {
                    value.take().into_iter().for_each(|value| self.workspace.give_tensor(value));
                }
            }
        }
        Ok(values.pop().flatten().expect("a network has layers"))
    }

    /// What node `i` gives, and what it keeps for the way back.
    fn value<'v>(
        &mut self,
        mode: Mode,
        i: usize,
        inputs: &[&Tensor<T>],
        values: impl Fn(usize) -> &'v Tensor<T>,
    ) -> Result<(Tensor<T>, Saved<T>)>
    where
        T: 'v,
    {
        let node = &self.graph.nodes[i];
        let samples = inputs[0].samples;
        let mut saved = Saved::Nothing;
        let read = |which: usize| values(node.inputs[which]);
        let workspace = &mut *self.workspace;
        let value = match &node.op {
            Op::Input(which) => workspace.copy(inputs[*which])?,
            Op::Dense { .. } | Op::Convolution { .. } => self.weighted(node, true, read(0))?,
            Op::Normalise { scale, shift, over, slope } => {
                let given = match (over, mode) {
                    (Over::Batch { mean, variance }, Mode::Use) => Some((*mean, *variance)),
                    _ => None,
                };
                let after = after(self.numbers, *scale, *shift, *slope);
                let (out, normalised) =
                    normalise(workspace, read(0), matches!(over, Over::Batch { .. }), given, after)?;
                saved = Saved::Normalised(normalised);
                out
            }
            Op::LeakyRelu { slope } => workspace.each(Elementwise::Leaky(*slope), read(0), None)?,
            Op::Tanh => workspace.each(Elementwise::Tanh, read(0), None)?,
            Op::Sigmoid => workspace.each(Elementwise::Logistic, read(0), None)?,
            Op::Dropout { share } => match mode {
                Mode::Use => workspace.copy(read(0))?,
                Mode::Train(stream) => {
                    let mask = self.mask(stream, i, *share, samples)?;
                    let out = self.workspace.each(Elementwise::Product, read(0), Some(&mask))?;
                    saved = Saved::Mask(mask);
                    out
                }
            },
            Op::Add => workspace.each(Elementwise::Sum, read(0), Some(read(1)))?,
            Op::Join => {
                let mut out = workspace.tensor(node.channels, samples, node.length)?;
                let mut first = 0;
                for which in 0..node.inputs.len() {
                    let source = read(which);
                    let count = source.channels * source.row();
                    workspace.copy_across(source, (0, 0), &mut out, (first, 0), count, 1)?;
                    first += count;
                }
                out
            }
            Op::Location { values } => {
                layers::location(workspace, self.numbers, *values, (node.channels, samples, node.length))?
            }
            Op::Local { weight } => layers::local(workspace, self.numbers, *weight, read(0), node.channels)?,
            Op::Flatten => workspace.flattened(read(0))?,
            Op::Fold => workspace.folded(read(0), node.channels, node.length)?,
        };
        Ok((value, saved))
    }

    /// What a dense layer or a convolution makes of `x`; without biases and slope of how its inputs move.
    fn weighted(&mut self, node: &Node, whole: bool, x: &Tensor<T>) -> Result<Tensor<T>> {
        let part = |weight: &usize, bias: &Option<usize>, slope: &f64| match whole {
            true => Weighted { weight: *weight, bias: *bias, slope: *slope },
            false => Weighted { weight: *weight, bias: None, slope: 1.0 },
        };
        match &node.op {
            Op::Convolution { weight, bias, step, slope } => {
                let (of, shape) = (part(weight, bias, slope), (node.channels, node.length));
                layers::convolution(self.workspace, self.numbers, of, *step, shape, x)
            }
            Op::Dense { weight, bias, slope } => {
                layers::dense(self.workspace, self.numbers, part(weight, bias, slope), node.channels, x)
            }
            _ => unreachable!("other layers have no weights"),
        }
    }

    /// 0 for what is dropped, 1 / (1 - share) for the rest.
    fn mask(&mut self, stream: Stream, node: usize, share: f64, samples: usize) -> Result<Tensor<T>> {
        let shape = &self.graph.nodes[node];
        let mut mask = self.workspace.tensor(shape.channels, samples, shape.length)?;
        let kept = 1.0 / (1.0 - share);
        // Words of a node's own.
        let first = (node as u64) << 32;
        if let Some(cuda) = self.workspace.cuda() {
            cuda.dropout_mask(stream.parts(), first, share, kept as f32, mask.on_gpu()?)?;
            return Ok(mask);
        }
        let kept = T::of(kept);
        self.workspace.threads().clone().for_each_piece(mask.rows_mut(), PIECE, |piece, out| {
            let mut reader = stream.reader(first + (piece * PIECE) as u64);
            for o in out {
                let uniform = f64::from(reader.word()) / f64::from(u32::MAX);
                *o = if uniform < share { T::default() } else { kept };
            }
        })?;
        Ok(mask)
    }

    /// Which nodes lead to something whose gradient is wanted.
    fn reaches(&self, inputs: bool, parameters: bool) -> Vec<bool> {
        let mut reaches = Vec::new();
        for node in &self.graph.nodes {
            let own = match node.op {
                Op::Input(_) => inputs,
                Op::Location { values } => parameters && self.graph.parameters[values].trained,
                Op::Dense { .. } | Op::Convolution { .. } | Op::Normalise { .. } | Op::Local { .. } => parameters,
                _ => false,
            };
            let found = own || node.inputs.iter().any(|n| reaches[*n]);
            reaches.push(found);
        }
        reaches
    }

    /// Gradients of parameters, which are added to `gradients`, and of nodes, from that of the output. Those of inputs are
    /// kept if `inputs`, those of all nodes if `all`; of a dense layer or a convolution it is that before its slope.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn backward(
        &mut self,
        tape: &Tape<T>,
        output: Tensor<T>,
        mut gradients: Option<&mut Gradients<T>>,
        inputs: bool,
        all: bool,
    ) -> Result<Adjoints<T>> {
        let reaches = self.reaches(inputs, gradients.is_some());
        let mut adjoints: Adjoints<T> = self.graph.nodes.iter().map(|_| None).collect();
        *adjoints.last_mut().expect("a network has layers") = Some(output);
        for i in (0..self.graph.nodes.len()).rev() {
            let Some(mut delta) = adjoints[i].take() else { continue };
            self.slope(tape, i, &mut delta)?;
            self.step_back(tape, i, &delta, gradients.as_deref_mut(), &reaches, &mut adjoints)?;
            if all || (inputs && matches!(self.graph.nodes[i].op, Op::Input(_))) {
                adjoints[i] = Some(delta);
            } else {
                self.workspace.give_tensor(delta);
            }
        }
        Ok(adjoints)
    }

    /// Adds a node's share to the gradients of its parameters and of its inputs.
    fn step_back(
        &mut self,
        tape: &Tape<T>,
        i: usize,
        delta: &Tensor<T>,
        gradients: Option<&mut Gradients<T>>,
        reaches: &[bool],
        adjoints: &mut Adjoints<T>,
    ) -> Result<()> {
        let node = &self.graph.nodes[i];
        if let (Op::Normalise { scale, shift, slope, .. }, Saved::Normalised(n)) = (&node.op, &tape.saved[i]) {
            // Both come out of the same sums.
            let after = after(self.numbers, *scale, *shift, *slope);
            let found = n.back(self.workspace, &tape.values[node.inputs[0]], after, delta, gradients)?;
            return match reaches[node.inputs[0]] {
                true => self.deposit(&mut adjoints[node.inputs[0]], found),
                false => {
                    self.workspace.give_tensor(found);
                    Ok(())
                }
            };
        }
        if let Some(gradients) = gradients {
            self.collect(tape, i, delta, None, gradients)?;
        }
        self.send_back(tape, i, delta, reaches, adjoints)
    }

    /// Adds a node's share to the gradients of its inputs.
    fn send_back(
        &mut self,
        tape: &Tape<T>,
        i: usize,
        delta: &Tensor<T>,
        reaches: &[bool],
        adjoints: &mut Adjoints<T>,
    ) -> Result<()> {
        let node = &self.graph.nodes[i];
        let mut first_channel = 0;
        for input in &node.inputs {
            let channels = self.graph.nodes[*input].channels;
            let begins = first_channel;
            first_channel += channels;
            if !reaches[*input] {
                continue;
            }
            let found = self.transposed(tape, i, *input, begins, delta)?;
            self.deposit(&mut adjoints[*input], found)?;
        }
        Ok(())
    }

    fn deposit(&mut self, into: &mut Option<Tensor<T>>, found: Tensor<T>) -> Result<()> {
        match into {
            None => *into = Some(found),
            Some(sum) => {
                self.workspace.add(sum, &found)?;
                self.workspace.give_tensor(found);
            }
        }
        Ok(())
    }

    /// The transposed Jacobian of node `i` with respect to one of its inputs, applied to `delta`. `begins` is the first
    /// channel of that input among all of the node's.
    fn transposed(
        &mut self,
        tape: &Tape<T>,
        i: usize,
        input: usize,
        begins: usize,
        delta: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        let (node, from) = (&self.graph.nodes[i], &self.graph.nodes[input]);
        let workspace = &mut *self.workspace;
        let samples = delta.samples;
        match &node.op {
            Op::Input(_) | Op::Location { .. } => workspace.zeros(from.channels, samples, from.length),
            Op::Dense { weight, .. } => layers::dense_back(workspace, self.numbers, *weight, delta, from.channels),
            Op::Convolution { weight, step, .. } => {
                let shape = (from.channels, from.length);
                layers::convolution_back(workspace, self.numbers, *weight, *step, delta, shape)
            }
            Op::Local { weight } => layers::local_back(workspace, self.numbers, *weight, delta, from.channels),
            Op::Normalise { .. } => unreachable!("normalisations go back in `step_back`"),
            Op::Join => {
                let mut out = workspace.tensor(from.channels, samples, from.length)?;
                let row = delta.row();
                workspace.copy_across(delta, (begins * row, 0), &mut out, (0, 0), from.channels * row, 1)?;
                Ok(out)
            }
            Op::Add => workspace.copy(delta),
            Op::Flatten => workspace.folded(delta, from.channels, from.length),
            Op::Fold => workspace.flattened(delta),
            Op::LeakyRelu { .. } | Op::Tanh | Op::Sigmoid | Op::Dropout { .. } => self.sloped(tape, i, delta),
        }
    }

    /// Multiplies by the slopes of a dense layer or a convolution that a LeakyReLU follows.
    fn slope(&mut self, tape: &Tape<T>, i: usize, delta: &mut Tensor<T>) -> Result<()> {
        let (Op::Dense { slope, .. } | Op::Convolution { slope, .. }) = self.graph.nodes[i].op else { return Ok(()) };
        if slope == 1.0 {
            return Ok(());
        }
        self.workspace.leaky_in_place(slope, delta, Some(&tape.values[i]))
    }

    /// `delta` times the slope of an elementwise node.
    fn sloped(&mut self, tape: &Tape<T>, i: usize, delta: &Tensor<T>) -> Result<Tensor<T>> {
        let (workspace, y) = (&mut *self.workspace, Some(&tape.values[i]));
        match &self.graph.nodes[i].op {
            Op::LeakyRelu { slope } => workspace.each(Elementwise::LeakyBack(*slope), delta, y),
            Op::Tanh => workspace.each(Elementwise::TanhBack, delta, y),
            Op::Sigmoid => workspace.each(Elementwise::LogisticBack, delta, y),
            _ => match &tape.saved[i] {
                Saved::Mask(mask) => workspace.each(Elementwise::Product, delta, Some(mask)),
                _ => workspace.copy(delta),
            },
        }
    }

    /// Adds to the gradients of a node's parameters: `delta` is the gradient of its output. If `tangent` is given, `delta`
    /// meets the tangents of the inputs in place of the inputs themselves, and biases get nothing.
    fn collect(
        &mut self,
        tape: &Tape<T>,
        i: usize,
        delta: &Tensor<T>,
        tangent: Option<&Tensor<T>>,
        gradients: &mut Gradients<T>,
    ) -> Result<()> {
        let node = &self.graph.nodes[i];
        let workspace = &mut *self.workspace;
        let x = || tangent.unwrap_or_else(|| &tape.values[node.inputs[0]]);
        match &node.op {
            Op::Dense { weight, bias, .. } => {
                layers::dense_gradient(workspace, delta, x(), *weight, gradients)?;
                if let (Some(bias), None) = (bias, tangent) {
                    layers::bias_gradient(workspace, delta, *bias, gradients)?;
                }
            }
            Op::Convolution { weight, bias, step, .. } => {
                layers::convolution_gradient(workspace, *step, delta, x(), *weight, gradients)?;
                if let (Some(bias), None) = (bias, tangent) {
                    layers::bias_gradient(workspace, delta, *bias, gradients)?;
                }
            }
            Op::Local { weight } => layers::local_gradient(workspace, x(), delta, *weight, gradients)?,
            Op::Location { values } if tangent.is_none() => {
                layers::location_gradient(workspace, delta, *values, gradients)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds to `gradients` those of `v' g` with respect to the parameters, where g is the gradient of a weighted sum of the
    /// outputs with respect to input `input`, and `v` is held fixed. `adjoints` are those of [`Pass::backward`] with `all`,
    /// from these weights, which are constants: ones at all outputs, say, or at the channel that a penalty is on alone.
    ///
    /// `v' g` is the change of that sum when the input moves along v, so tangents go forward, and their way back is
    /// known: it is that of the network itself. What is new comes from layers that are not linear between kinks:
    /// normalisations, tanh and sigmoid, whose second derivatives send gradients back of their own (`bent`).
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn penalty(
        &mut self,
        tape: &Tape<T>,
        adjoints: &Adjoints<T>,
        input: usize,
        v: &Tensor<T>,
        gradients: &mut Gradients<T>,
    ) -> Result<()> {
        let count = self.graph.nodes.len();
        let mut tangents: Vec<Option<Tensor<T>>> = Vec::with_capacity(count);
        for i in 0..count {
            let tangent = self.tangent(tape, i, input, v, &tangents)?;
            tangents.push(tangent);
        }
        let reaches = self.reaches(false, true);
        let mut bent: Adjoints<T> = (0..count).map(|_| None).collect();
        for i in (0..count).rev() {
            let node = &self.graph.nodes[i];
            let moving = node.inputs.first().and_then(|n| tangents[*n].as_ref());
            if let (Some(u), Some(delta)) = (moving, &adjoints[i]) {
                self.collect(tape, i, delta, Some(u), gradients)?;
                if let Some(found) = self.bend(tape, i, delta, u, gradients)? {
                    self.deposit(&mut bent[node.inputs[0]], found)?;
                }
            }
            if let Some(mut e) = bent[i].take() {
                self.slope(tape, i, &mut e)?;
                self.step_back(tape, i, &e, Some(gradients), &reaches, &mut bent)?;
                self.workspace.give_tensor(e);
            }
        }
        tangents.into_iter().flatten().for_each(|t| self.workspace.give_tensor(t));
        Ok(())
    }

    /// How the value of node `i` moves; nothing if it does not.
    fn tangent(
        &mut self,
        tape: &Tape<T>,
        i: usize,
        input: usize,
        v: &Tensor<T>,
        tangents: &[Option<Tensor<T>>],
    ) -> Result<Option<Tensor<T>>> {
        let node = &self.graph.nodes[i];
        if let Op::Input(which) = node.op {
            return (which == input).then(|| self.workspace.copy(v)).transpose();
        }
        let Some(some) = node.inputs.iter().find_map(|n| tangents[*n].as_ref()) else { return Ok(None) };
        let workspace = &mut *self.workspace;
        let samples = some.samples;
        let found = match &node.op {
            Op::Dense { .. } | Op::Convolution { .. } => {
                let mut out = self.weighted(node, false, some)?;
                self.slope(tape, i, &mut out)?;
                return Ok(Some(out));
            }
            Op::Normalise { scale, shift, slope, .. } => match &tape.saved[i] {
                Saved::Normalised(n) => {
                    let after = after(self.numbers, *scale, *shift, *slope);
                    n.tangent(workspace, &tape.values[node.inputs[0]], after, some)?
                }
                _ => workspace.copy(some)?,
            },
            Op::LeakyRelu { .. } | Op::Tanh | Op::Sigmoid | Op::Dropout { .. } => self.sloped(tape, i, some)?,
            Op::Add | Op::Join => {
                let mut out = workspace.zeros(node.channels, samples, node.length)?;
                let mut first = 0;
                for n in &node.inputs {
                    let begins = if node.op == Op::Add { 0 } else { first };
                    if let Some(u) = &tangents[*n] {
                        workspace.add_at(u, &mut out, begins)?;
                    }
                    first += self.graph.nodes[*n].channels * out.row();
                }
                out
            }
            Op::Local { weight } => layers::local(workspace, self.numbers, *weight, some, node.channels)?,
            Op::Flatten => workspace.flattened(some)?,
            Op::Fold => workspace.folded(some, node.channels, node.length)?,
            Op::Input(_) | Op::Location { .. } => return Ok(None),
        };
        Ok(Some(found))
    }

    /// What the second derivative of node `i` sends to its input: `delta` is the gradient of its output, `u` the tangent of
    /// its input. The gradient of a normalisation's scale is added here.
    fn bend(
        &mut self,
        tape: &Tape<T>,
        i: usize,
        delta: &Tensor<T>,
        u: &Tensor<T>,
        gradients: &mut Gradients<T>,
    ) -> Result<Option<Tensor<T>>> {
        let workspace = &mut *self.workspace;
        let bent = match &self.graph.nodes[i].op {
            Op::Normalise { scale, shift, slope, .. } => {
                let Saved::Normalised(n) = &tape.saved[i] else { return Ok(None) };
                let after = after(self.numbers, *scale, *shift, *slope);
                let x = &tape.values[self.graph.nodes[i].inputs[0]];
                return n.second(workspace, x, after, delta, u, gradients);
            }
            // f' = 1 - y^2, f'' = -2 y f'.
            Op::Tanh => Elementwise::TanhBent,
            // f' = y (1 - y), f'' = f' (1 - 2 y).
            Op::Sigmoid => Elementwise::LogisticBent,
            _ => return Ok(None),
        };
        let both = workspace.each(Elementwise::Product, delta, Some(u))?;
        let found = workspace.each(bent, &both, Some(&tape.values[i]))?;
        workspace.give_tensor(both);
        Ok(Some(found))
    }
}
