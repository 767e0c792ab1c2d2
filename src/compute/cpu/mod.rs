//! The processor's twins of the operations.
#![allow(unsafe_code)]

mod learning;
mod product;
mod tiles;

use super::activation;
use super::{Matrix, Noise, PANEL, Path, States, Unit, Weights};
use crate::error::Result;
use crate::rng::{CHUNK, Stream};
use crate::threads::Threads;
pub use product::Line;
use product::{Block, Finish};

/// A processor: its threads and its vector path.
#[derive(Clone, Debug)]
pub struct Cpu {
    threads: Threads,
    path: Path,
}

impl Cpu {
    /// With the best path that the processor has.
    pub fn new(threads: Threads) -> Self {
        Cpu { threads, path: Path::best() }
    }

    /// With a given path, for tests and measurements. A path that the processor lacks is replaced by the best it has.
    pub fn with_path(threads: Threads, path: Path) -> Self {
        let path = if path.is_available() { path } else { Path::best() };
        Cpu { threads, path }
    }

    /// The vector path.
    pub fn path(&self) -> Path {
        self.path
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Rows a task: enough to use a panel of weights many times, few enough to feed all threads.
    fn rows_per_task(&self, rows: usize) -> usize {
        let threads = self.threads.count();
        let (multiple, most) = self.path.rows();
        let tasks = threads * rows.div_ceil(most * threads).max(1);
        rows.div_ceil(tasks).next_multiple_of(multiple).max(multiple)
    }

    /// Runs `finish` on every tile of `states x weights + bias`; the tile's output row is the row of `out`.
    fn affine<T: Send>(
        &self,
        states: &States,
        weights: &Weights,
        out: &mut [T],
        out_stride: usize,
        finish: impl Finish<T>,
    ) -> Result<()> {
        weights.require(self.path)?;
        let rows_per_task = self.rows_per_task(states.rows());
        let (left, packed, bias) = (states.buffer.cpu()?, weights.packed.cpu()?, weights.bias.cpu()?);
        self.threads.for_each_piece(out, rows_per_task * out_stride, |task, out| {
            let first = task * rows_per_task;
            let rows = (states.rows() - first).min(rows_per_task);
            let block = Block {
                rows,
                first_row: first,
                left: &left[first * states.stride()..],
                left_stride: states.stride(),
                inputs: weights.inputs(),
                packed,
                bias,
            };
            self.path.run(&block, out, out_stride, &finish);
        })
    }

    pub(super) fn affine_sample(
        &self,
        states: &States,
        weights: &Weights,
        unit: Unit,
        noise: Noise,
        out: &mut States,
    ) -> Result<()> {
        let stride = out.stride();
        let scale = weights.scale();
        match unit {
            Unit::Bernoulli => {
                self.affine(states, weights, out.buffer.cpu_mut()?, stride, SampleBernoulli { scale, noise })
            }
            Unit::Relu { ceiling } => self.affine(
                states,
                weights,
                out.buffer.cpu_mut()?,
                stride,
                SampleRelu { scale, noise, ceiling, outputs: weights.outputs() },
            ),
        }
    }

    pub(super) fn affine_mean(&self, states: &States, weights: &Weights, unit: Unit, out: &mut States) -> Result<()> {
        let stride = out.stride();
        let scale = weights.scale();
        match unit {
            Unit::Bernoulli => self.affine(states, weights, out.buffer.cpu_mut()?, stride, MeanBernoulli { scale }),
            Unit::Relu { .. } => self.affine(
                states,
                weights,
                out.buffer.cpu_mut()?,
                stride,
                MeanRelu { scale, outputs: weights.outputs() },
            ),
        }
    }

    pub(super) fn affine_input(&self, states: &States, weights: &Weights, out: &mut Matrix<i32>) -> Result<()> {
        let stride = out.stride();
        self.affine(states, weights, out.buffer.cpu_mut()?, stride, Keep)
    }

    pub(super) fn log_partition(&self, states: &States, weights: &Weights, unit: Unit, out: &mut [f64]) -> Result<()> {
        out.fill(0.0);
        let relu = matches!(unit, Unit::Relu { .. });
        self.affine(states, weights, out, 1, LogPartition { scale: weights.scale(), outputs: weights.outputs(), relu })
    }

    pub(super) fn outer(&self, left: &States, right: &States, out: &mut Matrix<i32>) -> Result<()> {
        // The product runs over rows: `left` is turned, and rows of `right` are laid out as weights.
        let rows = left.rows();
        let turned = transpose(left, &self.threads)?;
        let (source, path) = (right.buffer.cpu()?, self.path);
        let of_panel = path.panel_lines(rows);
        let mut packed = vec![Line::default(); right.stride() / PANEL * of_panel];
        self.threads.for_each_piece(&mut packed, of_panel.max(1), |panel, packed| {
            for quad in 0..rows.div_ceil(4) {
                let mut values = [[0; PANEL]; 4];
                for (r, values) in (4 * quad..rows).zip(&mut values) {
                    values.copy_from_slice(&source[r * right.stride() + panel * PANEL..][..PANEL]);
                }
                path.lay_out(packed, quad, &values);
            }
        })?;
        let bias = vec![0; right.stride()];
        let stride = out.stride();
        let rows_per_task = self.rows_per_task(left.columns());
        let turned_stride = rows.next_multiple_of(PANEL);
        self.threads.for_each_piece(out.buffer.cpu_mut()?, rows_per_task * stride, |task, out| {
            let first = task * rows_per_task;
            let block = Block {
                rows: (left.columns() - first).min(rows_per_task),
                first_row: first,
                left: &turned[first * turned_stride..],
                left_stride: turned_stride,
                inputs: rows,
                packed: &packed,
                bias: &bias,
            };
            self.path.run(&block, out, stride, &Keep);
        })
    }
}

/// Columns become rows of `rows.next_multiple_of(PANEL)` values, zeros at the end.
fn transpose(m: &States, threads: &Threads) -> Result<Vec<i16>> {
    let stride = m.rows().next_multiple_of(PANEL);
    let mut turned = vec![0i16; m.columns().next_multiple_of(PANEL) * stride];
    const BLOCK: usize = 32;
    let values = m.buffer.cpu()?;
    threads.for_each_piece(&mut turned, BLOCK * stride, |task, turned| {
        let c0 = task * BLOCK;
        for r0 in (0..m.rows()).step_by(BLOCK) {
            for r in r0..(r0 + BLOCK).min(m.rows()) {
                let source = &values[r * m.stride() + c0..][..BLOCK];
                for (c, value) in source.iter().enumerate() {
                    turned[c * stride + r] = *value;
                }
            }
        }
    })?;
    Ok(turned)
}

struct SampleBernoulli {
    scale: f32,
    noise: Noise,
}

impl Finish<i16> for SampleBernoulli {
    #[inline(always)]
    fn finish(&self, row: usize, panel: usize, input: &[i32; PANEL], out: &mut [i16]) {
        let mut words = [0; CHUNK];
        stream(&self.noise, row).halves(self.noise.position / CHUNK as u64 + panel as u64, &mut words);
        activation::bernoulli(input, self.scale, &words, &mut out[panel * PANEL..][..PANEL]);
    }
}

struct SampleRelu {
    scale: f32,
    noise: Noise,
    ceiling: i16,
    outputs: usize,
}

impl Finish<i16> for SampleRelu {
    #[inline(always)]
    fn finish(&self, row: usize, panel: usize, input: &[i32; PANEL], out: &mut [i16]) {
        let mut words = [0; CHUNK];
        stream(&self.noise, row).chunk(self.noise.position / CHUNK as u64 + panel as u64, &mut words);
        let units = (self.outputs - panel * PANEL).min(PANEL);
        let mut states = [0; PANEL];
        activation::relu_states(input, self.scale, &words, self.ceiling, &mut states);
        out[panel * PANEL..][..units].copy_from_slice(&states[..units]);
    }
}

struct MeanBernoulli {
    scale: f32,
}

impl Finish<i16> for MeanBernoulli {
    #[inline(always)]
    fn finish(&self, _row: usize, panel: usize, input: &[i32; PANEL], out: &mut [i16]) {
        activation::bernoulli_mean(input, self.scale, &mut out[panel * PANEL..][..PANEL]);
    }
}

struct MeanRelu {
    scale: f32,
    outputs: usize,
}

impl Finish<i16> for MeanRelu {
    #[inline(always)]
    fn finish(&self, _row: usize, panel: usize, input: &[i32; PANEL], out: &mut [i16]) {
        let units = (self.outputs - panel * PANEL).min(PANEL);
        for (x, o) in input.iter().zip(&mut out[panel * PANEL..]).take(units) {
            *o = activation::relu_mean(*x as f32 * self.scale);
        }
    }
}

struct LogPartition {
    scale: f32,
    outputs: usize,
    relu: bool,
}

impl Finish<f64> for LogPartition {
    #[inline(always)]
    fn finish(&self, _row: usize, panel: usize, input: &[i32; PANEL], out: &mut [f64]) {
        let units = (self.outputs - panel * PANEL).min(PANEL);
        let mut terms = [0f32; PANEL];
        match self.relu {
            false => terms.iter_mut().zip(input).for_each(|(t, x)| *t = activation::softplus(*x as f32 * self.scale)),
            true => terms
                .iter_mut()
                .zip(input)
                .for_each(|(t, x)| *t = activation::relu_log_partition(*x as f32 * self.scale)),
        }
        out[0] += terms[..units].iter().map(|t| f64::from(*t)).sum::<f64>();
    }
}

struct Keep;

impl Finish<i32> for Keep {
    #[inline(always)]
    fn finish(&self, _row: usize, panel: usize, input: &[i32; PANEL], out: &mut [i32]) {
        for (o, x) in out[panel * PANEL..][..PANEL].iter_mut().zip(input) {
            *o = *x;
        }
    }
}

#[inline(always)]
fn stream(noise: &Noise, row: usize) -> Stream {
    Stream::new(noise.seed, noise.purpose, noise.first + row as u64)
}
