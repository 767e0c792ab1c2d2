//! The numeric floor: fused operations on buffers of a device. Nothing here knows a model.
//!
//! States of units are 16-bit whole numbers and weights are 16-bit fixed-point numbers, so that the input of a unit is
//! an exact 32-bit sum: the same bits in any order, on any processor, for any number of threads. What is done to that
//! sum (a logistic function, a comparison with a random number) uses IEEE operations in a fixed order. So a GPU gives the
//! processor's bits, too.

pub mod activation;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) mod amx;
mod buffer;
mod clamp;
pub mod clusters;
pub mod copying;
pub mod cpu;
pub mod cuda;
pub mod device;
pub mod hamming;
pub mod learning;
mod line;
mod path;
pub mod real;
pub mod runs;
mod weights;

use crate::error::{Error, Result};
use crate::rng::{Purpose, Stream};

pub use buffer::{Buffer, Matrix, Number, PANEL, Rows, Sent, States};
pub use clamp::Clamp;
pub use device::{Device, DeviceChoice};
pub use path::Path;
pub use weights::{WEIGHT_STEPS, Weights};

/// How a unit answers its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    /// On (1) with the logistic function of the input, else 0.
    Bernoulli,
    /// A normal number of variance 1 around the input, truncated at 0; in steps of 2^-6 and at most `ceiling` steps.
    Relu {
        /// The largest state.
        ceiling: i16,
    },
}

/// Which random numbers an operation uses: row `r` reads the stream `first + r` from word `position` on, 64 words for 64
/// columns: a ReLU unit reads its own, a Bernoulli unit half of one of them ([`Stream::halves`](crate::rng::Stream::halves)).
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// The seed.
    pub seed: u64,
    /// What the streams are for.
    pub purpose: Purpose,
    /// The stream of row 0.
    pub first: u64,
    /// The word of column 0; a multiple of 64 where units are drawn.
    pub position: u64,
}

impl Device {
    /// States of the outputs given the inputs: `out[r] ~ unit(states[r] x weights + bias)`.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn affine_sample(
        &self,
        states: &States,
        weights: &Weights,
        unit: Unit,
        noise: Noise,
        out: &mut States,
    ) -> Result<()> {
        check_shapes(states, weights, out)?;
        match self {
            Device::Cpu(cpu) => cpu.affine_sample(states, weights, unit, noise, out),
            Device::Cuda(cuda) => cuda.affine_sample(states, weights, unit, noise, out),
        }
    }

    /// Means of the outputs given the inputs, in steps of 2^-14 (Bernoulli) or 2^-9 (ReLU).
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn affine_mean(&self, states: &States, weights: &Weights, unit: Unit, out: &mut States) -> Result<()> {
        check_shapes(states, weights, out)?;
        match self {
            Device::Cpu(cpu) => cpu.affine_mean(states, weights, unit, out),
            Device::Cuda(cuda) => cuda.affine_mean(states, weights, unit, out),
        }
    }

    /// Inputs of the outputs, `states x weights + bias`, in units of the weights' scale.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn affine(&self, states: &States, weights: &Weights, out: &mut Matrix<i32>) -> Result<()> {
        check_shapes(states, weights, out)?;
        match self {
            Device::Cpu(cpu) => cpu.affine_input(states, weights, out),
            Device::Cuda(cuda) => cuda.affine_input(states, weights, out),
        }
    }

    /// Free energies `F(v) = -b v - sum over outputs of ln sum over h of exp(h input)` of rows of states v, in nats: `weights`
    /// lead to the hidden units, and `bias` is b, in multiples of 2^-12 below 2^10 in size, so that b v is exact in any order.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn free_energies(
        &self,
        states: &States,
        weights: &Weights,
        unit: Unit,
        bias: &Buffer<f64>,
        out: &mut Buffer<f64>,
    ) -> Result<()> {
        if states.columns() != weights.inputs() || bias.len() < states.columns() || out.len() != states.rows() {
            return Err(Error::argument("shapes of states, weights, biases and output disagree"));
        }
        match self {
            Device::Cpu(cpu) => {
                let (rows, bias, out) = (states.to_host()?, bias.cpu()?, out.cpu_mut()?);
                cpu.log_partition(states, weights, unit, out)?;
                for (r, out) in out.iter_mut().enumerate() {
                    let product: f64 = rows.row(r).iter().zip(bias).map(|(s, bias)| f64::from(*s) * bias).sum();
                    *out = -*out - product;
                }
                Ok(())
            }
            Device::Cuda(cuda) => cuda.free_energies(states, weights, unit, bias, out),
        }
    }

    /// `out[i][j] = sum over rows r of left[r][i] x right[r][j]`, exactly as long as it stays inside 32 bits: with bits on
    /// one side and means on the other, for 65,536 rows at least.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn outer(&self, left: &States, right: &States, out: &mut Matrix<i32>) -> Result<()> {
        if left.rows() != right.rows() || out.rows() != left.columns() || out.columns() != right.columns() {
            return Err(Error::argument("shapes of an outer product disagree"));
        }
        match self {
            Device::Cpu(cpu) => cpu.outer(left, right, out),
            Device::Cuda(cuda) => cuda.outer(left, right, out),
        }
    }

    /// Does `work` so many times, each time with random numbers `words` further on.
    ///
    /// # Errors
    /// Those of the work; `DeviceFailed`.
    pub fn repeat(
        &self,
        times: usize,
        noise: Noise,
        words: u64,
        mut work: impl FnMut(Noise) -> Result<()>,
    ) -> Result<()> {
        match self {
            Device::Cpu(_) => {
                (0..times).try_for_each(|time| work(Noise { position: noise.position + time as u64 * words, ..noise }))
            }
            Device::Cuda(cuda) => cuda.repeat(times, noise, words, work),
        }
    }

    /// Rows `from` of `source` become the rows `to` of `target`, which hold states of the same kind.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `DeviceFailed`.
    pub fn copy_rows(&self, source: &States, from: &[usize], target: &mut States, to: &[usize]) -> Result<()> {
        let fits = source.columns() == target.columns()
            && from.len() == to.len()
            && from.iter().all(|r| *r < source.rows())
            && to.iter().all(|r| *r < target.rows());
        if !fits {
            return Err(Error::argument("rows that are copied do not fit"));
        }
        match self {
            Device::Cpu(_) => {
                let stride = source.stride();
                let (source, target) = (source.buffer.cpu()?, target.buffer.cpu_mut()?);
                for (from, to) in from.iter().zip(to) {
                    target[to * stride..][..stride].copy_from_slice(&source[from * stride..][..stride]);
                }
                Ok(())
            }
            Device::Cuda(cuda) => cuda.copy_rows(source, from, target, to),
        }
    }

    /// Swaps the states of two machines, row by row, each with the chance `min(1, exp(F_a(a) + F_b(b) - F_a(b) - F_b(a)))`,
    /// which goes to `chances`. `energies` are F_a(a), F_a(b), F_b(a) and F_b(b); row r reads one word.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `DeviceFailed`.
    pub fn swap_replicas(
        &self,
        a: &mut States,
        b: &mut States,
        energies: [&Buffer<f64>; 4],
        noise: Noise,
        chances: &mut Buffer<f32>,
    ) -> Result<()> {
        let rows = a.rows();
        let fits = energies.iter().all(|energies| energies.len() == rows) && chances.len() == rows;
        if (rows, a.columns()) != (b.rows(), b.columns()) || !fits {
            return Err(Error::argument("shapes of states that are swapped and of their energies disagree"));
        }
        match self {
            Device::Cpu(_) => {
                let stride = a.stride().max(1);
                let [aa, ab, ba, bb] = energies;
                let [aa, ab, ba, bb] = [aa.cpu()?, ab.cpu()?, ba.cpu()?, bb.cpu()?];
                let (a, b) =
                    (a.buffer.cpu_mut()?.chunks_exact_mut(stride), b.buffer.cpu_mut()?.chunks_exact_mut(stride));
                for (r, ((a, b), chance)) in a.zip(b).zip(chances.cpu_mut()?).enumerate() {
                    *chance = activation::exp((aa[r] + bb[r] - ab[r] - ba[r]) as f32).min(1.0);
                    let stream = Stream::new(noise.seed, noise.purpose, noise.first + r as u64);
                    if stream.uniform(noise.position) < *chance {
                        a.swap_with_slice(b);
                    }
                }
                Ok(())
            }
            Device::Cuda(cuda) => cuda.swap_replicas(a, b, energies, noise, chances),
        }
    }
}

fn check_shapes<T: Number>(states: &States, weights: &Weights, out: &Matrix<T>) -> Result<()> {
    let fits =
        states.columns() == weights.inputs() && out.columns() == weights.outputs() && out.rows() == states.rows();
    match fits {
        true => Ok(()),
        false => Err(Error::argument(format!(
            "states of {} x {} and weights of {} x {} do not give {} x {}",
            states.rows(),
            states.columns(),
            weights.inputs(),
            weights.outputs(),
            out.rows(),
            out.columns()
        ))),
    }
}
