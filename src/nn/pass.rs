//! Forward, backward, and once more: what a network makes of a batch, and how that changes.

use super::convolution::{KERNEL, Kernel, convolve, correlate};
use super::gradients::Gradients;
use super::graph::{Graph, Node, Op, Over, Step};
use super::normalise::{After, Normalised, normalise, total};
use super::tensor::{LEAD, PIECE, Tensor, Workspace};
use crate::compute::real::{Left, Product, Real, Right, Sums, wide};
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

    /// Mean and variance of each batch normalisation: its node, and a pair for each channel.
    pub fn batch_statistics(&self) -> impl Iterator<Item = (usize, Vec<(f64, f64)>, usize)> {
        self.saved.iter().enumerate().filter_map(|(node, saved)| match saved {
            Saved::Normalised(n) if n.batch && !n.fixed => {
                let pairs = n.groups.iter().map(|g| (g.mean, g.variance)).collect();
                Some((node, pairs, n.size))
            }
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
    pub numbers: &'a [Vec<T>],
    /// Threads and memory.
    pub workspace: &'a mut Workspace<T>,
}

/// What follows the hat of a normalisation.
fn after<T: Real>(numbers: &[Vec<T>], scale: usize, shift: usize, slope: f64) -> After<'_, T> {
    After { scale: &numbers[scale], shift: &numbers[shift], slope: T::of(slope) }
}

/// The places of rows of `row` numbers each, after the leading zero.
fn rows(count: usize, row: usize) -> Vec<usize> {
    (0..count).map(|r| LEAD + r * row).collect()
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
                    let slope = T::of(*slope);
                    self.workspace.threads().clone().for_each_piece(x.rows_mut(), PIECE, |_, piece| {
                        wide(|| piece.iter_mut().for_each(|x| *x = if *x > T::default() { *x } else { slope * *x }));
                    })?;
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
            Op::Input(which) => workspace.copy(inputs[*which]),
            Op::Dense { weight, bias, slope } => self.dense(node, *weight, *bias, *slope, read(0))?,
            Op::Convolution { weight, bias, step, slope } => {
                self.convolution(node, *weight, *bias, *step, *slope, read(0))?
            }
            Op::Normalise { scale, shift, over, slope } => {
                let given = match (over, mode) {
                    (Over::Batch { mean, variance }, Mode::Use) => {
                        Some((&self.numbers[*mean][..], &self.numbers[*variance][..]))
                    }
                    _ => None,
                };
                let after = after(self.numbers, *scale, *shift, *slope);
                let (out, normalised) =
                    normalise(workspace, read(0), matches!(over, Over::Batch { .. }), given, after)?;
                saved = Saved::Normalised(normalised);
                out
            }
            Op::LeakyRelu { slope } => {
                let slope = T::of(*slope);
                workspace.map(read(0), |x| if x > T::default() { x } else { slope * x })?
            }
            Op::Tanh => workspace.map(read(0), T::tanh)?,
            Op::Sigmoid => {
                let mut out = workspace.map(read(0), T::logistic)?;
                out.close_gaps();
                out
            }
            Op::Dropout { share } => match mode {
                Mode::Use => workspace.copy(read(0)),
                Mode::Train(stream) => {
                    let mask = self.mask(stream, i, *share, samples)?;
                    let out = self.workspace.zip(read(0), &mask, |x, m| x * m)?;
                    saved = Saved::Mask(mask);
                    out
                }
            },
            Op::Add => workspace.zip(read(0), read(1), |a, b| a + b)?,
            Op::Join => {
                let mut out = workspace.tensor(node.channels, samples, node.length);
                let mut rest = out.rows_mut();
                for which in 0..node.inputs.len() {
                    let source = read(which).rows();
                    let (part, others) = rest.split_at_mut(source.len());
                    part.copy_from_slice(source);
                    rest = others;
                }
                out
            }
            Op::Location { values } => {
                let mut out = workspace.tensor(node.channels, samples, node.length);
                out.close_gaps();
                for c in 0..node.channels {
                    let source = &self.numbers[*values][c * node.length..][..node.length];
                    (0..samples).for_each(|n| out.positions_mut(c, n).copy_from_slice(source));
                }
                out
            }
            Op::Local { weight } => local(workspace, &self.numbers[*weight], read(0), node.channels)?,
            Op::Flatten => workspace.flattened(read(0)),
            Op::Fold => workspace.folded(read(0), node.channels, node.length),
        };
        Ok((value, saved))
    }

    /// A dense layer's weights times `x`, and its biases if they are asked for: of its inputs, or of how they move.
    fn dense(
        &mut self,
        node: &Node,
        weight: usize,
        bias: Option<usize>,
        slope: f64,
        x: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        let mut out = self.workspace.tensor(node.channels, x.samples, 1);
        let left = Left { values: &self.numbers[weight], first: 0, row: x.channels, step: 1 };
        let places = rows(x.channels, x.samples);
        let of = Product {
            rows: node.channels,
            columns: x.samples,
            terms: x.channels,
            left,
            right: Right::Rows { values: x.all(), rows: &places },
            sums: bias.map_or(Sums::Written, |bias| Sums::Shifted(&self.numbers[bias])),
            slope: T::of(slope),
            out_row: x.samples,
        };
        self.workspace.product(&of, out.rows_mut())?;
        Ok(out)
    }

    /// A convolution's weights over `x`, and its biases if they are asked for: of its inputs, or of how they move.
    fn convolution(
        &mut self,
        node: &Node,
        weight: usize,
        bias: Option<usize>,
        step: Step,
        slope: f64,
        x: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        let (to, from) = match step {
            Step::Up { .. } => (KERNEL, node.channels * KERNEL),
            _ => (x.channels * KERNEL, KERNEL),
        };
        let kernel = Kernel { values: &self.numbers[weight], to, from };
        let bias = bias.map(|bias| &self.numbers[bias][..]);
        convolve(self.workspace, step.walk(), x, node.channels, node.length, kernel, bias, T::of(slope))
    }

    /// 0 for what is dropped, 1 / (1 - share) for the rest.
    fn mask(&mut self, stream: Stream, node: usize, share: f64, samples: usize) -> Result<Tensor<T>> {
        let shape = &self.graph.nodes[node];
        let mut mask = self.workspace.tensor(shape.channels, samples, shape.length);
        let kept = T::of(1.0 / (1.0 - share));
        // Words of a node's own.
        let first = (node as u64) << 32;
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
            let (found, sums) = n.back(self.workspace, &tape.values[node.inputs[0]], after, delta)?;
            if let Some(gradients) = gradients {
                for (parameter, which) in [(*scale, 0), (*shift, 1)] {
                    gradients.sums(parameter).iter_mut().zip(&sums).for_each(|(g, sums)| *g += T::of(sums[which]));
                }
            }
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
            Op::Input(_) | Op::Location { .. } => Ok(workspace.zeros(from.channels, samples, from.length)),
            Op::Dense { weight, .. } => {
                let mut out = workspace.tensor(from.channels, samples, 1);
                let left = Left { values: &self.numbers[*weight], first: 0, row: 1, step: from.channels };
                let places = rows(node.channels, samples);
                let of = Product {
                    rows: from.channels,
                    columns: samples,
                    terms: node.channels,
                    left,
                    right: Right::Rows { values: delta.all(), rows: &places },
                    sums: Sums::Written,
                    slope: T::of(1.0),
                    out_row: samples,
                };
                workspace.product(&of, out.rows_mut())?;
                Ok(out)
            }
            Op::Convolution { weight, step, .. } => {
                let (to, back) = match step {
                    Step::Up { .. } => (node.channels * KERNEL, KERNEL),
                    _ => (KERNEL, from.channels * KERNEL),
                };
                let kernel = Kernel { values: &self.numbers[*weight], to, from: back };
                convolve(workspace, step.walk().back(), delta, from.channels, from.length, kernel, None, T::of(1.0))
            }
            Op::Local { weight } => local_back(workspace, &self.numbers[*weight], delta, from.channels),
            Op::Normalise { .. } => unreachable!("normalisations go back in `step_back`"),
            Op::Join => {
                let mut out = workspace.tensor(from.channels, samples, from.length);
                let first = begins * delta.row();
                let length = out.rows().len();
                out.rows_mut().copy_from_slice(&delta.rows()[first..][..length]);
                Ok(out)
            }
            Op::Add => Ok(workspace.copy(delta)),
            Op::Flatten => Ok(workspace.folded(delta, from.channels, from.length)),
            Op::Fold => Ok(workspace.flattened(delta)),
            Op::LeakyRelu { .. } | Op::Tanh | Op::Sigmoid | Op::Dropout { .. } => self.sloped(tape, i, delta),
        }
    }

    /// Multiplies by the slopes of a dense layer or a convolution that a LeakyReLU follows.
    fn slope(&mut self, tape: &Tape<T>, i: usize, delta: &mut Tensor<T>) -> Result<()> {
        let (Op::Dense { slope, .. } | Op::Convolution { slope, .. }) = self.graph.nodes[i].op else { return Ok(()) };
        if slope == 1.0 {
            return Ok(());
        }
        let (slope, y) = (T::of(slope), tape.values[i].rows());
        self.workspace.threads().clone().for_each_piece(delta.rows_mut(), PIECE, |piece, delta| {
            let y = &y[piece * PIECE..];
            wide(|| delta.iter_mut().zip(y).for_each(|(d, y)| *d = if *y > T::default() { *d } else { slope * *d }));
        })
    }

    /// `delta` times the slope of an elementwise node.
    fn sloped(&mut self, tape: &Tape<T>, i: usize, delta: &Tensor<T>) -> Result<Tensor<T>> {
        let (workspace, one) = (&mut *self.workspace, T::of(1.0));
        let y = &tape.values[i];
        match &self.graph.nodes[i].op {
            Op::LeakyRelu { slope } => {
                let slope = T::of(*slope);
                workspace.zip(delta, y, |d, y| if y > T::default() { d } else { slope * d })
            }
            Op::Tanh => workspace.zip(delta, y, |d, y| d * (one - y * y)),
            Op::Sigmoid => workspace.zip(delta, y, |d, y| d * y * (one - y)),
            _ => match &tape.saved[i] {
                Saved::Mask(mask) => workspace.zip(delta, mask, |d, m| d * m),
                _ => Ok(workspace.copy(delta)),
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
                let (x, samples) = (x(), delta.samples);
                let places = rows(x.channels, samples);
                let (found, there) = gradients.place(*weight);
                let of = Product {
                    rows: node.channels,
                    columns: x.channels,
                    terms: samples,
                    left: Left { values: delta.all(), first: LEAD, row: samples, step: 1 },
                    right: Right::Columns { values: x.all(), columns: &places },
                    sums: if there { Sums::Added } else { Sums::Written },
                    slope: T::of(1.0),
                    out_row: x.channels,
                };
                workspace.product(&of, found)?;
                if let (Some(bias), None) = (bias, tangent) {
                    sum_channels(workspace, delta, gradients.sums(*bias))?;
                }
            }
            Op::Convolution { weight, bias, step, .. } => {
                let x = x();
                let (found, there) = gradients.place(*weight);
                match step {
                    // What the walk gathers is the output here: the two change places.
                    Step::Up { .. } => correlate(workspace, step.walk().back(), x, delta, found, there)?,
                    _ => correlate(workspace, step.walk(), delta, x, found, there)?,
                }
                if let (Some(bias), None) = (bias, tangent) {
                    sum_channels(workspace, delta, gradients.sums(*bias))?;
                }
            }
            Op::Local { weight } => local_gradient(workspace, x(), delta, gradients.sums(*weight))?,
            Op::Location { values } if tangent.is_none() => {
                let gradient = gradients.sums(*values);
                for c in 0..node.channels {
                    let sums = &mut gradient[c * node.length..][..node.length];
                    for n in 0..delta.samples {
                        sums.iter_mut().zip(delta.positions(c, n)).for_each(|(sum, d)| *sum += *d);
                    }
                }
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
            return Ok((which == input).then(|| self.workspace.copy(v)));
        }
        let Some(some) = node.inputs.iter().find_map(|n| tangents[*n].as_ref()) else { return Ok(None) };
        let workspace = &mut *self.workspace;
        let samples = some.samples;
        let found = match &node.op {
            Op::Dense { weight, .. } => {
                let mut out = self.dense(node, *weight, None, 1.0, some)?;
                self.slope(tape, i, &mut out)?;
                return Ok(Some(out));
            }
            Op::Convolution { weight, step, .. } => {
                let mut out = self.convolution(node, *weight, None, *step, 1.0, some)?;
                self.slope(tape, i, &mut out)?;
                return Ok(Some(out));
            }
            Op::Normalise { scale, shift, slope, .. } => match &tape.saved[i] {
                Saved::Normalised(n) => {
                    let after = after(self.numbers, *scale, *shift, *slope);
                    n.tangent(workspace, &tape.values[node.inputs[0]], after, some)?
                }
                _ => workspace.copy(some),
            },
            Op::LeakyRelu { .. } | Op::Tanh | Op::Sigmoid | Op::Dropout { .. } => self.sloped(tape, i, some)?,
            Op::Add | Op::Join => {
                let mut out = workspace.zeros(node.channels, samples, node.length);
                let mut first = 0;
                for n in &node.inputs {
                    let size = self.graph.nodes[*n].channels * out.row();
                    let begins = if node.op == Op::Add { 0 } else { first };
                    if let Some(u) = &tangents[*n] {
                        let target = &mut out.rows_mut()[begins..][..size];
                        target.iter_mut().zip(u.rows()).for_each(|(o, u)| *o += *u);
                    }
                    first += size;
                }
                out
            }
            Op::Local { weight } => local(workspace, &self.numbers[*weight], some, node.channels)?,
            Op::Flatten => workspace.flattened(some),
            Op::Fold => workspace.folded(some, node.channels, node.length),
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
        let (y, one) = (&tape.values[i], T::of(1.0));
        match &self.graph.nodes[i].op {
            Op::Normalise { scale, shift, slope, .. } => {
                let Saved::Normalised(n) = &tape.saved[i] else { return Ok(None) };
                let after = after(self.numbers, *scale, *shift, *slope);
                let x = &tape.values[self.graph.nodes[i].inputs[0]];
                let (found, of_scales) = n.second(workspace, x, after, delta, u)?;
                gradients.sums(*scale).iter_mut().zip(of_scales).for_each(|(g, f)| *g += T::of(f));
                Ok(found)
            }
            // f' = 1 - y^2, f'' = -2 y f'.
            Op::Tanh => {
                let both = workspace.zip(delta, u, |d, u| d * u)?;
                let found = workspace.zip(&both, y, |p, y| -(p + p) * y * (one - y * y))?;
                workspace.give_tensor(both);
                Ok(Some(found))
            }
            // f' = y (1 - y), f'' = f' (1 - 2 y).
            Op::Sigmoid => {
                let both = workspace.zip(delta, u, |d, u| d * u)?;
                let found = workspace.zip(&both, y, |p, y| p * y * (one - y) * (one - y - y))?;
                workspace.give_tensor(both);
                Ok(Some(found))
            }
            _ => Ok(None),
        }
    }
}

/// `out[m][l] = sum over channels c of weight[m][c][l] x[c][l]`.
fn local<T: Real>(workspace: &mut Workspace<T>, weight: &[T], x: &Tensor<T>, channels: usize) -> Result<Tensor<T>> {
    let mut out = workspace.zeros(channels, x.samples, x.length);
    let (segment, samples, length) = (out.segment(), x.samples, x.length);
    workspace.threads().clone().for_each_piece(out.rows_mut(), segment, |part, out| {
        let (m, n) = (part / samples, part % samples);
        wide(|| {
            for (c, weight) in weight[m * x.channels * length..].chunks_exact(length).take(x.channels).enumerate() {
                let terms = weight.iter().zip(x.positions(c, n));
                out.iter_mut().zip(terms).for_each(|(o, (w, x))| *o += *w * *x);
            }
        });
    })?;
    Ok(out)
}

/// The gradient of the inputs of [`local`].
fn local_back<T: Real>(
    workspace: &mut Workspace<T>,
    weight: &[T],
    delta: &Tensor<T>,
    inputs: usize,
) -> Result<Tensor<T>> {
    let mut out = workspace.zeros(inputs, delta.samples, delta.length);
    let (segment, samples, length) = (out.segment(), delta.samples, delta.length);
    workspace.threads().clone().for_each_piece(out.rows_mut(), segment, |part, out| {
        let (c, n) = (part / samples, part % samples);
        wide(|| {
            for m in 0..delta.channels {
                let terms = weight[(m * inputs + c) * length..][..length].iter().zip(delta.positions(m, n));
                out.iter_mut().zip(terms).for_each(|(o, (w, d))| *o += *w * *d);
            }
        });
    })?;
    Ok(out)
}

/// Adds the gradient of the weights of [`local`].
fn local_gradient<T: Real>(workspace: &Workspace<T>, x: &Tensor<T>, delta: &Tensor<T>, sums: &mut [T]) -> Result<()> {
    workspace.threads().clone().for_each_piece(sums, x.length, |part, sums| {
        let (m, c) = (part / x.channels, part % x.channels);
        wide(|| {
            for n in 0..x.samples {
                let terms = delta.positions(m, n).iter().zip(x.positions(c, n));
                sums.iter_mut().zip(terms).for_each(|(sum, (d, x))| *sum += *d * *x);
            }
        });
    })
}

/// Adds the sum of each channel.
fn sum_channels<T: Real>(workspace: &Workspace<T>, delta: &Tensor<T>, sums: &mut [T]) -> Result<()> {
    let threads = workspace.threads_for(delta.rows().len());
    let found = threads.map(delta.channels, |c| total(delta.channel(c)))?;
    sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += T::of(found));
    Ok(())
}
