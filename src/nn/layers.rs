//! Layers with weights, on the processor and on a GPU: what they give, and the gradients of what they read and of their weights.

use super::convolution::{KERNEL, Kernel, convolve, convolve_on_gpu, correlate, correlate_on_gpu};
use super::gradients::Gradients;
use super::graph::Step;
use super::normalise::total;
use super::tensor::{LEAD, Tensor, Workspace};
use crate::compute::cuda::{KernelAt, Memory};
use crate::compute::real::{Left, Product, Real, Right, Sums, wide};
use crate::error::{Error, ErrorKind, Result};

/// Numbers of a network's parameters, a list for each, where its passes run.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a, T> {
    /// In the processor's memory.
    Host(&'a [Vec<T>]),
    /// In a GPU's memory.
    Placed(&'a [Memory]),
}

impl<'a, T> From<&'a Vec<Vec<T>>> for Numbers<'a, T> {
    fn from(lists: &'a Vec<Vec<T>>) -> Self {
        Numbers::Host(lists)
    }
}

fn elsewhere() -> Error {
    Error::new(ErrorKind::Internal, "a pass met a network on another device")
}

impl<'a, T> Numbers<'a, T> {
    /// A list in the processor's memory.
    pub(super) fn host(self, parameter: usize) -> Result<&'a [T]> {
        match self {
            Numbers::Host(lists) => Ok(&lists[parameter]),
            Numbers::Placed(_) => Err(elsewhere()),
        }
    }

    /// A list in a GPU's memory.
    pub(super) fn placed(self, parameter: usize) -> Result<&'a Memory> {
        match self {
            Numbers::Host(_) => Err(elsewhere()),
            Numbers::Placed(lists) => Ok(&lists[parameter]),
        }
    }
}

/// The places of rows of `row` numbers each, after the leading zero.
fn rows(count: usize, row: usize) -> Vec<usize> {
    (0..count).map(|r| LEAD + r * row).collect()
}

/// The weights of a layer, its biases if they are asked for (of its inputs, or of how they move), and the slope below 0 of the
/// LeakyReLU that follows.
#[derive(Clone, Copy)]
pub(super) struct Weighted {
    pub weight: usize,
    pub bias: Option<usize>,
    pub slope: f64,
}

/// A dense layer of `x`.
pub(super) fn dense<T: Real>(
    workspace: &mut Workspace<T>,
    numbers: Numbers<T>,
    of: Weighted,
    units: usize,
    x: &Tensor<T>,
) -> Result<Tensor<T>> {
    let mut out = workspace.tensor(units, x.samples, 1)?;
    if let Some(cuda) = workspace.cuda() {
        let bias = of.bias.map(|bias| numbers.placed(bias)).transpose()?;
        cuda.dense(numbers.placed(of.weight)?, bias, of.slope as f32, x.on_gpu()?, out.on_gpu()?)?;
        return Ok(out);
    }
    let left = Left { values: numbers.host(of.weight)?, first: 0, row: x.channels, step: 1 };
    let places = rows(x.channels, x.samples);
    let bias = of.bias.map(|bias| numbers.host(bias)).transpose()?;
    let product = Product {
        rows: units,
        columns: x.samples,
        terms: x.channels,
        left,
        right: Right::Rows { values: x.all(), rows: &places },
        sums: bias.map_or(Sums::Written, Sums::Shifted),
        slope: T::of(of.slope),
        out_row: x.samples,
    };
    workspace.product(&product, out.rows_mut())?;
    Ok(out)
}

/// The gradient of a dense layer's inputs.
pub(super) fn dense_back<T: Real>(
    workspace: &mut Workspace<T>,
    numbers: Numbers<T>,
    weight: usize,
    delta: &Tensor<T>,
    inputs: usize,
) -> Result<Tensor<T>> {
    let samples = delta.samples;
    let mut out = workspace.tensor(inputs, samples, 1)?;
    if let Some(cuda) = workspace.cuda() {
        cuda.dense_back(numbers.placed(weight)?, delta.on_gpu()?, out.on_gpu()?)?;
        return Ok(out);
    }
    let left = Left { values: numbers.host(weight)?, first: 0, row: 1, step: inputs };
    let places = rows(delta.channels, samples);
    let of = Product {
        rows: inputs,
        columns: samples,
        terms: delta.channels,
        left,
        right: Right::Rows { values: delta.all(), rows: &places },
        sums: Sums::Written,
        slope: T::of(1.0),
        out_row: samples,
    };
    workspace.product(&of, out.rows_mut())?;
    Ok(out)
}

/// Adds the gradient of a dense layer's weights.
pub(super) fn dense_gradient<T: Real>(
    workspace: &mut Workspace<T>,
    delta: &Tensor<T>,
    x: &Tensor<T>,
    weight: usize,
    gradients: &mut Gradients<T>,
) -> Result<()> {
    if let Some(cuda) = workspace.cuda() {
        let (found, there) = gradients.placed(weight);
        return cuda.dense_gradient(delta.on_gpu()?, x.on_gpu()?, found, there);
    }
    let samples = delta.samples;
    let places = rows(x.channels, samples);
    let (found, there) = gradients.place(weight);
    let of = Product {
        rows: delta.channels,
        columns: x.channels,
        terms: samples,
        left: Left { values: delta.all(), first: LEAD, row: samples, step: 1 },
        right: Right::Columns { values: x.all(), columns: &places },
        sums: if there { Sums::Added } else { Sums::Written },
        slope: T::of(1.0),
        out_row: x.channels,
    };
    workspace.product(&of, found)
}

/// A convolution of `x`.
pub(super) fn convolution<T: Real>(
    workspace: &mut Workspace<T>,
    numbers: Numbers<T>,
    of: Weighted,
    step: Step,
    (channels, length): (usize, usize),
    x: &Tensor<T>,
) -> Result<Tensor<T>> {
    let (to, from) = match step {
        Step::Up { .. } => (KERNEL, channels * KERNEL),
        _ => (x.channels * KERNEL, KERNEL),
    };
    if workspace.cuda().is_some() {
        let kernel = KernelAt { values: numbers.placed(of.weight)?, to, from };
        let bias = of.bias.map(|bias| numbers.placed(bias)).transpose()?;
        return convolve_on_gpu(workspace, step.walk(), x, channels, length, kernel, bias, of.slope);
    }
    let kernel = Kernel { values: numbers.host(of.weight)?, to, from };
    let bias = of.bias.map(|bias| numbers.host(bias)).transpose()?;
    convolve(workspace, step.walk(), x, channels, length, kernel, bias, T::of(of.slope))
}

/// The gradient of a convolution's inputs, of which there are so many channels and positions.
pub(super) fn convolution_back<T: Real>(
    workspace: &mut Workspace<T>,
    numbers: Numbers<T>,
    weight: usize,
    step: Step,
    delta: &Tensor<T>,
    (channels, length): (usize, usize),
) -> Result<Tensor<T>> {
    let (to, from) = match step {
        Step::Up { .. } => (delta.channels * KERNEL, KERNEL),
        _ => (KERNEL, channels * KERNEL),
    };
    let walk = step.walk().back();
    if workspace.cuda().is_some() {
        let kernel = KernelAt { values: numbers.placed(weight)?, to, from };
        return convolve_on_gpu(workspace, walk, delta, channels, length, kernel, None, 1.0);
    }
    let kernel = Kernel { values: numbers.host(weight)?, to, from };
    convolve(workspace, walk, delta, channels, length, kernel, None, T::of(1.0))
}

/// Adds the gradient of a convolution's weights.
pub(super) fn convolution_gradient<T: Real>(
    workspace: &mut Workspace<T>,
    step: Step,
    delta: &Tensor<T>,
    x: &Tensor<T>,
    weight: usize,
    gradients: &mut Gradients<T>,
) -> Result<()> {
    // What the walk of a transposed convolution gathers is the output: the two change places.
    let (walk, rows, read) = match step {
        Step::Up { .. } => (step.walk().back(), x, delta),
        _ => (step.walk(), delta, x),
    };
    if workspace.cuda().is_some() {
        return correlate_on_gpu(workspace, walk, rows, read, gradients.placed(weight));
    }
    let (found, there) = gradients.place(weight);
    correlate(workspace, walk, rows, read, found, there)
}

/// Adds the sum of each channel: the gradient of biases.
pub(super) fn bias_gradient<T: Real>(
    workspace: &Workspace<T>,
    delta: &Tensor<T>,
    bias: usize,
    gradients: &mut Gradients<T>,
) -> Result<()> {
    if let Some(cuda) = workspace.cuda() {
        return cuda.channel_sums(delta.on_gpu()?, gradients.placed_sums(bias)?);
    }
    let threads = workspace.threads_for(delta.rows().len());
    let found = threads.map(delta.channels, |c| total(delta.channel(c)))?;
    gradients.sums(bias).iter_mut().zip(found).for_each(|(sum, found)| *sum += T::of(found));
    Ok(())
}

/// Values of channels x positions for each sample.
pub(super) fn location<T: Real>(
    workspace: &mut Workspace<T>,
    numbers: Numbers<T>,
    values: usize,
    (channels, samples, length): (usize, usize, usize),
) -> Result<Tensor<T>> {
    let mut out = workspace.tensor(channels, samples, length)?;
    if let Some(cuda) = workspace.cuda() {
        cuda.location(numbers.placed(values)?, out.on_gpu()?)?;
        return Ok(out);
    }
    out.close_gaps();
    for c in 0..channels {
        let source = &numbers.host(values)?[c * length..][..length];
        (0..samples).for_each(|n| out.positions_mut(c, n).copy_from_slice(source));
    }
    Ok(out)
}

/// Adds the gradient of such values.
pub(super) fn location_gradient<T: Real>(
    workspace: &Workspace<T>,
    delta: &Tensor<T>,
    values: usize,
    gradients: &mut Gradients<T>,
) -> Result<()> {
    if let Some(cuda) = workspace.cuda() {
        return cuda.location_gradient(delta.on_gpu()?, gradients.placed_sums(values)?);
    }
    let gradient = gradients.sums(values);
    for c in 0..delta.channels {
        let sums = &mut gradient[c * delta.length..][..delta.length];
        for n in 0..delta.samples {
            sums.iter_mut().zip(delta.positions(c, n)).for_each(|(sum, d)| *sum += *d);
        }
    }
    Ok(())
}

/// `out[m][l] = sum over channels c of weight[m][c][l] x[c][l]`.
pub(super) fn local<T: Real>(
    workspace: &mut Workspace<T>,
    numbers: Numbers<T>,
    weight: usize,
    x: &Tensor<T>,
    channels: usize,
) -> Result<Tensor<T>> {
    let mut out = workspace.tensor(channels, x.samples, x.length)?;
    if let Some(cuda) = workspace.cuda() {
        cuda.local(numbers.placed(weight)?, x.on_gpu()?, out.on_gpu()?, false)?;
        return Ok(out);
    }
    out.all_mut().fill(T::default());
    let weight = numbers.host(weight)?;
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
pub(super) fn local_back<T: Real>(
    workspace: &mut Workspace<T>,
    numbers: Numbers<T>,
    weight: usize,
    delta: &Tensor<T>,
    inputs: usize,
) -> Result<Tensor<T>> {
    let mut out = workspace.tensor(inputs, delta.samples, delta.length)?;
    if let Some(cuda) = workspace.cuda() {
        cuda.local(numbers.placed(weight)?, delta.on_gpu()?, out.on_gpu()?, true)?;
        return Ok(out);
    }
    out.all_mut().fill(T::default());
    let weight = numbers.host(weight)?;
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
pub(super) fn local_gradient<T: Real>(
    workspace: &Workspace<T>,
    x: &Tensor<T>,
    delta: &Tensor<T>,
    weight: usize,
    gradients: &mut Gradients<T>,
) -> Result<()> {
    if let Some(cuda) = workspace.cuda() {
        return cuda.local_gradient(x.on_gpu()?, delta.on_gpu()?, gradients.placed_sums(weight)?);
    }
    workspace.threads().clone().for_each_piece(gradients.sums(weight), x.length, |part, sums| {
        let (m, c) = (part / x.channels, part % x.channels);
        wide(|| {
            for n in 0..x.samples {
                let terms = delta.positions(m, n).iter().zip(x.positions(c, n));
                sums.iter_mut().zip(terms).for_each(|(sum, (d, x))| *sum += *d * *x);
            }
        });
    })
}
