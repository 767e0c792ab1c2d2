//! Fixed-point weights, laid out for products.

use super::{Buffer, Device, PANEL, cuda};
use crate::error::{Error, Result};

/// Steps of a fixed-point weight in 1.
pub const WEIGHT_STEPS: f32 = 4096.0;

/// A fixed-point weight matrix (inputs x outputs) laid out for products, and the bias of the outputs.
///
/// The weight of input `k` and output `n` stands at pair `k / 2`, side `k % 2` of panel `n / 64`:
/// `[panel][k / 2][n % 64][k % 2]`. In a GPU's memory it lies as cuda/weights.cuh says.
#[derive(Debug)]
pub struct Weights {
    inputs: usize,
    outputs: usize,
    pub(super) packed: Buffer<i16>,
    pub(super) bias: Buffer<i32>,
    /// What one unit of the sum is worth.
    scale: f32,
}

impl Weights {
    /// Zeros, for [`Weights::set`].
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn zeros(device: &Device, inputs: usize, outputs: usize, scale: f32) -> Result<Self> {
        let (packed, bias) = match device {
            Device::Cpu(_) => {
                let packed = inputs.next_multiple_of(2) * outputs.next_multiple_of(PANEL);
                (Buffer::zeros(device, packed)?, Buffer::zeros(device, outputs.next_multiple_of(PANEL))?)
            }
            Device::Cuda(cuda) => {
                let (packed, bias) = cuda::zero_weights(cuda, inputs, outputs)?;
                (Buffer::Cuda(packed), Buffer::Cuda(bias))
            }
        };
        Ok(Weights { inputs, outputs, packed, bias, scale })
    }

    /// Sets weights and bias from numbers, rounded to the grid of the fixed point: a weight is `value x 2^12`, at most
    /// 2^15 - 1 in size; a bias is `value / scale`. `values` runs over inputs, and over outputs within an input, or, if
    /// `turned`, the other way round.
    ///
    /// # Errors
    /// `InvalidArgument` if lengths disagree.
    pub fn set(&mut self, device: &Device, values: &[f32], turned: bool, bias: &[f32]) -> Result<()> {
        if values.len() != self.inputs * self.outputs || bias.len() != self.outputs {
            return Err(Error::argument("lengths of weights or bias disagree with their shape"));
        }
        let (inputs, outputs) = (self.inputs, self.outputs);
        let panel_length = inputs.next_multiple_of(2) * PANEL;
        /// Inputs transposed at a time; even.
        const LINE: usize = 32;
        let cpu = match device {
            Device::Cpu(cpu) => cpu,
            Device::Cuda(cuda) => return cuda.lay_out(self, &cuda.upload(values)?, turned, &cuda.upload(bias)?),
        };
        cpu.threads().for_each_piece(self.packed.cpu_mut()?, panel_length, |p, panel| {
            let first = p * PANEL;
            let width = (outputs - first).min(PANEL);
            match turned {
                false => {
                    for (pair, out) in values.chunks(2 * outputs).zip(panel.chunks_exact_mut(2 * PANEL)) {
                        let (even, odd) = pair.split_at(outputs);
                        match odd.is_empty() {
                            true => {
                                let targets = out.iter_mut().step_by(2);
                                targets.zip(&even[first..][..width]).for_each(|(o, v)| *o = fixed_weight(*v));
                            }
                            false => {
                                let sources = even[first..][..width].iter().zip(&odd[first..][..width]);
                                for (o, (even, odd)) in out.chunks_exact_mut(2).zip(sources) {
                                    o[0] = fixed_weight(*even);
                                    o[1] = fixed_weight(*odd);
                                }
                            }
                        }
                    }
                }
                // Two cache lines of each of the panel's outputs at a time.
                true => {
                    let mut line = [0i16; LINE];
                    for begin in (0..inputs).step_by(LINE) {
                        let some = (inputs - begin).min(LINE);
                        let out = &mut panel[begin * PANEL..];
                        line[some..].fill(0);
                        for n in 0..width {
                            let source = &values[(first + n) * inputs + begin..][..some];
                            line.iter_mut().zip(source).for_each(|(o, v)| *o = fixed_weight(*v));
                            for (pair, out) in line.chunks_exact(2).zip(out.chunks_exact_mut(2 * PANEL)) {
                                out[2 * n..][..2].copy_from_slice(pair);
                            }
                        }
                    }
                }
            }
        })?;
        for (n, value) in self.bias.cpu_mut()?.iter_mut().enumerate() {
            // Padding units are never on.
            *value = if n < outputs { (bias[n] / self.scale).round_ties_even() as i32 } else { i32::MIN / 2 };
        }
        Ok(())
    }

    /// As [`Weights::set`], from numbers on the device.
    ///
    /// # Errors
    /// `InvalidArgument` if lengths disagree; `DeviceFailed`.
    pub fn set_from(&mut self, device: &Device, values: &Buffer<f32>, turned: bool, bias: &Buffer<f32>) -> Result<()> {
        let Device::Cuda(cuda) = device else {
            return self.set(device, values.cpu()?, turned, bias.cpu()?);
        };
        let (values, bias) = (values.cuda()?, bias.cuda()?);
        let bytes = |numbers: usize| numbers * size_of::<f32>();
        if values.bytes() != bytes(self.inputs * self.outputs) || bias.bytes() != bytes(self.outputs) {
            return Err(Error::argument("lengths of weights or bias disagree with their shape"));
        }
        cuda.lay_out(self, values, turned, bias)
    }

    /// A copy on the same device.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn copy(&self) -> Result<Self> {
        Ok(Weights { packed: self.packed.copy()?, bias: self.bias.copy()?, ..*self })
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// What one unit of a sum is worth.
    pub fn scale(&self) -> f32 {
        self.scale
    }
}

/// A weight in steps of 2^-12: rounds to the nearest, ties to even.
#[inline(always)]
fn fixed_weight(value: f32) -> i16 {
    // Adding and subtracting 1.5 x 2^23 rounds, without a call on processors that lack the instruction.
    const ROUND: f32 = 12_582_912.0;
    (((value * WEIGHT_STEPS).clamp(-32_767.0, 32_767.0) + ROUND) - ROUND) as i16
}

/// Biases as free energies take them: multiples of 2^-12, whose sums are exact.
fn energy_bias(bias: &f32) -> f64 {
    let step = f64::from(WEIGHT_STEPS);
    (f64::from(*bias) * step).round() / step
}

impl Device {
    /// Biases as free energies take them, on the grid of the fixed point.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`.
    pub fn energy_biases(&self, bias: &[f32]) -> Result<Buffer<f64>> {
        Buffer::upload(self, bias.iter().map(energy_bias).collect())
    }

    /// The same of numbers on the device.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn energy_biases_from(&self, bias: &Buffer<f32>) -> Result<Buffer<f64>> {
        match self {
            Device::Cpu(_) => self.energy_biases(bias.cpu()?),
            Device::Cuda(cuda) => {
                let bias = bias.cuda()?;
                Ok(Buffer::Cuda(cuda.lay_out_energies(bias, bias.bytes() / size_of::<f32>())?))
            }
        }
    }
}
