//! Convolutions with a kernel of three along the genome: as they are, in steps of two (down), and transposed (up).
//!
//! Samples stand one after another in a channel's row with a zero between them, so a convolution over all of them is one
//! product whose right factor is the input itself, read from a place one to the left, at, and one to the right.

use super::tensor::{LEAD, Tensor, Workspace};
use crate::compute::cuda::{KernelAt, Memory, Reading};
use crate::compute::real::{Left, Product, Real, Right, Sums, wide};
use crate::error::Result;

/// Positions of a kernel.
pub const KERNEL: usize = 3;

/// How a kernel walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Output l reads input l + t - 1 with the kernel's number t; if `mirrored`, input l + 1 - t.
    Same {
        /// From right to left: the way back of the walk.
        mirrored: bool,
    },
    /// Output l reads input 2 l + t - pad.
    Down {
        /// Zeros before the first input.
        pad: usize,
    },
    /// Input i adds to output 2 i + t - pad.
    Up {
        /// Outputs left out at the start.
        pad: usize,
    },
}

impl Walk {
    /// The walk of gradients of inputs.
    pub fn back(self) -> Walk {
        match self {
            Walk::Same { mirrored } => Walk::Same { mirrored: !mirrored },
            Walk::Down { pad } => Walk::Up { pad },
            Walk::Up { pad } => Walk::Down { pad },
        }
    }

    /// As a GPU's operations take it.
    fn reading(self) -> Reading {
        match self {
            Walk::Same { mirrored } => {
                Reading::Gathers { stride: 1, shifts: if mirrored { [1, 0, -1] } else { [-1, 0, 1] } }
            }
            Walk::Down { pad } => Reading::Gathers { stride: 2, shifts: [0, 1, 2].map(|t| t - pad as isize) },
            Walk::Up { pad } => Reading::Spreads { pad },
        }
    }

    /// Positions of the output.
    pub fn length(self, input: usize) -> usize {
        match self {
            Walk::Same { .. } => input,
            Walk::Down { pad } => (input + 2 * pad - KERNEL) / 2 + 1,
            Walk::Up { pad } => 2 * (input - 1) + KERNEL - 2 * pad,
        }
    }
}

/// Even and odd positions of each sample apart: channels c and C + c hold those of channel c. `length` is that of the
/// output that will be made of them, whose segments they share.
fn split<T: Real>(workspace: &mut Workspace<T>, x: &Tensor<T>, length: usize) -> Result<Tensor<T>> {
    let mut out = workspace.tensor(2 * x.channels, x.samples, length)?;
    let (segment, row, samples, channels) = (out.segment(), out.row(), x.samples, x.channels);
    let threads = workspace.threads().clone();
    threads.for_each_piece(out.rows_mut(), row, |channel, out| {
        let (phase, c) = (channel / channels, channel % channels);
        for n in 0..samples {
            let source = x.positions(c, n)[phase..].iter().step_by(2);
            let target = &mut out[n * segment..][..segment];
            let found = source.len().min(segment);
            target.iter_mut().zip(source).for_each(|(t, s)| *t = *s);
            target[found..].fill(T::default());
        }
    })?;
    Ok(out)
}

/// Weights of a convolution: number t of the kernel from channel c to channel m is `values[m x to + c x from + t]`.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<'a, T> {
    /// The numbers.
    pub values: &'a [T],
    /// From a channel of the output to the next.
    pub to: usize,
    /// From a channel of the input to the next.
    pub from: usize,
}

impl<T: Real> Kernel<'_, T> {
    /// Some numbers of each kernel as a product's left factor: a term (a channel of the input and a number of its kernel)
    /// after another, each all channels of the output. Only for kernels of neighbouring outputs next to each other.
    fn taps(&self, workspace: &mut Workspace<T>, outputs: usize, inputs: usize, taps: &[usize]) -> Vec<T> {
        debug_assert!(self.to == KERNEL);
        let mut arranged = workspace.numbers(outputs * inputs * taps.len());
        wide(|| {
            for (c, terms) in arranged.chunks_exact_mut(outputs * taps.len()).enumerate() {
                let (kernels, _) = self.values[c * self.from..][..outputs * KERNEL].as_chunks::<KERNEL>();
                for (t, row) in taps.iter().zip(terms.chunks_exact_mut(outputs)) {
                    row.iter_mut().zip(kernels).for_each(|(number, kernel)| *number = kernel[*t]);
                }
            }
        });
        arranged
    }
}

/// `out[m] = bias[m] + sum over channels c and t of kernel(m, c, t) x[c]`, as `walk` reads it, and that times `slope`
/// below 0; `length` positions come out. Zeros between samples are in place.
///
/// # Errors
/// `OutOfMemory`; the threads could not be started.
#[allow(clippy::too_many_arguments)]
pub fn convolve<T: Real>(
    workspace: &mut Workspace<T>,
    walk: Walk,
    x: &Tensor<T>,
    channels: usize,
    length: usize,
    kernel: Kernel<T>,
    bias: Option<&[T]>,
    slope: T,
) -> Result<Tensor<T>> {
    let inputs = x.channels;
    let threads = workspace.threads().clone();
    let sums = bias.map_or(Sums::Written, Sums::Shifted);
    let mut out = workspace.tensor(channels, x.samples, length)?;
    match walk {
        Walk::Same { .. } | Walk::Down { .. } => {
            let halves = match walk {
                Walk::Down { .. } => Some(split(workspace, x, length)?),
                _ => None,
            };
            let source = halves.as_ref().unwrap_or(x);
            let rows = tap_rows(walk, inputs, source.row(), LEAD);
            // Where channels of the input are next to each other, the weights lie as the product reads them.
            let arranged = (kernel.from != KERNEL).then(|| kernel.taps(workspace, channels, inputs, &[0, 1, 2]));
            let left = match &arranged {
                Some(values) => Left { values, first: 0, row: 1, step: channels },
                None => Left { values: kernel.values, first: 0, row: kernel.to, step: 1 },
            };
            let columns = out.row();
            let right = Right::Rows { values: source.all(), rows: &rows };
            let of = Product { rows: channels, columns, terms: rows.len(), left, right, sums, slope, out_row: columns };
            workspace.product(&of, out.rows_mut())?;
            arranged.into_iter().for_each(|numbers| workspace.give(numbers));
            halves.into_iter().for_each(|halves| workspace.give_tensor(halves));
        }
        Walk::Up { pad } => {
            let (columns, segment) = (x.row(), x.segment());
            let mut phase = workspace.numbers(channels * columns);
            for q in 0..2 {
                let taps: Vec<usize> = (0..KERNEL).filter(|t| (q + pad + t) % 2 == 0).collect();
                let arranged = kernel.taps(workspace, channels, inputs, &taps);
                // Input i + (q + pad - t) / 2 adds to output 2 i + q.
                let reads = |c: usize, t: usize| LEAD + c * columns + (q + pad + 4 - t) / 2 - 2;
                let rows: Vec<usize> = (0..inputs).flat_map(|c| taps.iter().map(move |t| reads(c, *t))).collect();
                let left = Left { values: &arranged, first: 0, row: 1, step: channels };
                let right = Right::Rows { values: x.all(), rows: &rows };
                let of =
                    Product { rows: channels, columns, terms: rows.len(), left, right, sums, slope, out_row: columns };
                workspace.product(&of, &mut phase)?;
                let (row, out_segment) = (out.row(), out.segment());
                threads.for_each_piece(out.rows_mut(), row, |c, out| {
                    for n in 0..x.samples {
                        let source = &phase[c * columns + n * segment..][..segment];
                        let target = out[n * out_segment..][..length][q..].iter_mut().step_by(2);
                        target.zip(source).for_each(|(t, s)| *t = *s);
                    }
                })?;
                workspace.give(arranged);
            }
            workspace.give(phase);
        }
    }
    out.close_gaps();
    Ok(out)
}

/// [`convolve`] on a GPU, with weights in its memory.
///
/// # Errors
/// `OutOfDeviceMemory`, `DeviceFailed`.
#[allow(clippy::too_many_arguments)]
pub(super) fn convolve_on_gpu<T: Real>(
    workspace: &mut Workspace<T>,
    walk: Walk,
    x: &Tensor<T>,
    channels: usize,
    length: usize,
    kernel: KernelAt,
    bias: Option<&Memory>,
    slope: f64,
) -> Result<Tensor<T>> {
    let out = workspace.tensor(channels, x.samples, length)?;
    if let Some(cuda) = workspace.cuda() {
        cuda.convolve(walk.reading(), kernel, bias, slope as f32, x.on_gpu()?, out.on_gpu()?)?;
    }
    Ok(out)
}

/// [`correlate`] on a GPU.
///
/// # Errors
/// `OutOfDeviceMemory`, `DeviceFailed`.
pub(super) fn correlate_on_gpu<T: Real>(
    workspace: &Workspace<T>,
    walk: Walk,
    rows: &Tensor<T>,
    x: &Tensor<T>,
    (gradient, there): (&Memory, bool),
) -> Result<()> {
    match (workspace.cuda(), walk.reading()) {
        (Some(cuda), Reading::Gathers { stride, shifts }) => {
            cuda.correlate(stride, shifts, rows.on_gpu()?, x.on_gpu()?, gradient, there)
        }
        _ => unreachable!("rows change places where a walk spreads"),
    }
}

/// Where the right factor's row of channel c and the kernel's number t begins.
fn tap_rows(walk: Walk, channels: usize, row: usize, lead: usize) -> Vec<usize> {
    let reads = |c: usize, t: usize| {
        let (channel, shift) = tap(walk, c, t, channels);
        (lead + channel * row + shift) - 1
    };
    (0..channels).flat_map(|c| (0..KERNEL).map(move |t| reads(c, t))).collect()
}

/// The channel of the source that number t of the kernel reads, and one more than the shift.
fn tap(walk: Walk, c: usize, t: usize, channels: usize) -> (usize, usize) {
    match walk {
        Walk::Same { mirrored } => (c, if mirrored { KERNEL - 1 - t } else { t }),
        Walk::Down { pad } | Walk::Up { pad } => {
            // Position 2 l + t - pad: its parity is the phase, and half of it the shift.
            let from = t + 2 - pad;
            (c + (from % 2) * channels, from / 2)
        }
    }
}

/// Writes to `gradient` (out x in x 3), or adds if something is `there`, the sum over samples and positions l of `rows[m][l] x[c][what walk reads at l for t]`:
/// the gradient of a convolution's weights from the gradient of its outputs. `walk` is not `Up`: there the two change
/// places.
///
/// # Errors
/// The threads could not be started.
pub fn correlate<T: Real>(
    workspace: &mut Workspace<T>,
    walk: Walk,
    rows: &Tensor<T>,
    x: &Tensor<T>,
    gradient: &mut [T],
    there: bool,
) -> Result<()> {
    let halves = match walk {
        Walk::Down { .. } => Some(split(workspace, x, rows.length)?),
        _ => None,
    };
    let source = halves.as_ref().unwrap_or(x);
    let columns = tap_rows(walk, x.channels, source.row(), LEAD);
    let left = Left { values: rows.all(), first: LEAD, row: rows.row(), step: 1 };
    let right = Right::Columns { values: source.all(), columns: &columns };
    let of = Product {
        rows: rows.channels,
        columns: columns.len(),
        terms: rows.row(),
        left,
        right,
        sums: if there { Sums::Added } else { Sums::Written },
        slope: T::of(1.0),
        out_row: columns.len(),
    };
    workspace.product(&of, gradient)?;
    halves.into_iter().for_each(|halves| workspace.give_tensor(halves));
    Ok(())
}
