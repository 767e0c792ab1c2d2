//! Convolutions with a kernel of three along the genome: as they are, in steps of two (down), and transposed (up).
//!
//! Samples stand one after another in a channel's row with a zero between them, so a convolution over all of them is one
//! product whose right factor is the input itself, read from a place one to the left, at, and one to the right.

use super::tensor::{LEAD, Tensor, Workspace};
use crate::compute::real::{Left, Real, Right, product};
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
    let mut out = workspace.tensor(2 * x.channels, x.samples, length);
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

/// `out[m] = sum over channels c and t of weight(m, c, t) x[c]`, as `walk` reads it; `length` positions come out. Zeros
/// between samples are in place.
///
/// # Errors
/// The threads could not be started.
pub fn convolve<T: Real>(
    workspace: &mut Workspace<T>,
    walk: Walk,
    x: &Tensor<T>,
    channels: usize,
    length: usize,
    weight: impl Fn(usize, usize, usize) -> T,
) -> Result<Tensor<T>> {
    let inputs = x.channels;
    let arrange = |workspace: &mut Workspace<T>, taps: &[usize]| {
        let mut arranged = workspace.numbers(channels * inputs * taps.len());
        for (m, row) in arranged.chunks_exact_mut(inputs * taps.len()).enumerate() {
            for (c, numbers) in row.chunks_exact_mut(taps.len()).enumerate() {
                numbers.iter_mut().zip(taps).for_each(|(number, t)| *number = weight(m, c, *t));
            }
        }
        arranged
    };
    let threads = workspace.threads().clone();
    match walk {
        Walk::Same { .. } | Walk::Down { .. } => {
            let arranged = arrange(workspace, &[0, 1, 2]);
            let halves = match walk {
                Walk::Down { .. } => Some(split(workspace, x, length)?),
                _ => None,
            };
            let source = halves.as_ref().unwrap_or(x);
            let mut out = workspace.tensor(channels, x.samples, length);
            let rows = tap_rows(walk, inputs, source.row(), LEAD);
            let left = Left { values: &arranged, first: 0, row: inputs * KERNEL, step: 1 };
            let columns = out.row();
            let right = Right { values: source.all(), rows: &rows };
            product(&threads, channels, columns, left, right, out.rows_mut(), columns, false)?;
            out.close_gaps();
            workspace.give(arranged);
            halves.into_iter().for_each(|halves| workspace.give_tensor(halves));
            Ok(out)
        }
        Walk::Up { pad } => {
            let mut out = workspace.zeros(channels, x.samples, length);
            let (columns, segment) = (x.row(), x.segment());
            let mut phase = workspace.numbers(channels * columns);
            for q in 0..2 {
                let taps: Vec<usize> = (0..KERNEL).filter(|t| (q + pad + t) % 2 == 0).collect();
                let arranged = arrange(workspace, &taps);
                // Input i + (q + pad - t) / 2 adds to output 2 i + q.
                let reads = |c: usize, t: usize| LEAD + c * columns + (q + pad + 4 - t) / 2 - 2;
                let rows: Vec<usize> = (0..inputs).flat_map(|c| taps.iter().map(move |t| reads(c, *t))).collect();
                let left = Left { values: &arranged, first: 0, row: inputs * taps.len(), step: 1 };
                let right = Right { values: x.all(), rows: &rows };
                product(&threads, channels, columns, left, right, &mut phase, columns, false)?;
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
            Ok(out)
        }
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

/// Adds to `gradient` (out x in x 3) the sum over samples and positions l of `rows[m][l] x[c][what walk reads at l for t]`:
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
) -> Result<()> {
    let threads = workspace.threads().clone();
    let halves = match walk {
        Walk::Down { .. } => Some(split(workspace, x, rows.length)?),
        _ => None,
    };
    let source = halves.as_ref().unwrap_or(x);
    let (sources, columns, channels) = (source.channels, rows.row(), x.channels);
    let turned = workspace.turned(source.rows(), sources, columns)?;
    // A row of zeros before and after: a kernel at an end reads them.
    let mut padded = workspace.numbers((columns + 2) * sources);
    padded[..sources].fill(T::default());
    padded[(columns + 1) * sources..].fill(T::default());
    padded[sources..(columns + 1) * sources].copy_from_slice(&turned);
    let mut found = workspace.numbers(rows.channels * channels);
    for t in 0..KERNEL {
        let (channel, shift) = tap(walk, 0, t, channels);
        let reads: Vec<usize> = (0..columns).map(|column| (column + shift) * sources + channel).collect();
        let left = Left { values: rows.all(), first: LEAD, row: columns, step: 1 };
        let right = Right { values: &padded, rows: &reads };
        product(&threads, rows.channels, channels, left, right, &mut found, channels, false)?;
        gradient.iter_mut().skip(t).step_by(KERNEL).zip(&found).for_each(|(g, f)| *g += *f);
    }
    [turned, padded, found].into_iter().for_each(|numbers| workspace.give(numbers));
    halves.into_iter().for_each(|halves| workspace.give_tensor(halves));
    Ok(())
}
