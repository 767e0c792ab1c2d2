//! Fixed-point weights, laid out for products.

use super::Path;
use super::cpu::Line;
use super::{Buffer, Device, PANEL, cuda};
use crate::error::{Error, ErrorKind, Result};

/// Steps of a fixed-point weight in 1.
pub const WEIGHT_STEPS: f32 = 4096.0;

/// A fixed-point weight matrix (inputs x outputs) laid out for products, and the bias of the outputs.
///
/// On a processor the weights of 64 outputs are a panel, which lies as [`Path`] wants it; in a GPU's
/// memory they lie as cuda/weights.cuh says.
#[derive(Debug)]
pub struct Weights {
    inputs: usize,
    outputs: usize,
    pub(super) packed: Buffer<Line>,
    /// Whose layout it is, on a processor.
    pub(super) path: Option<Path>,
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
        let (packed, bias, path) = match device {
            Device::Cpu(cpu) => {
                let packed = outputs.div_ceil(PANEL) * cpu.path().panel_lines(inputs);
                (
                    Buffer::zeros(device, packed)?,
                    Buffer::zeros(device, outputs.next_multiple_of(PANEL))?,
                    Some(cpu.path()),
                )
            }
            Device::Cuda(cuda) => {
                let (packed, bias) = cuda::zero_weights(cuda, inputs, outputs)?;
                (Buffer::Cuda(packed), Buffer::Cuda(bias), None)
            }
        };
        Ok(Weights { inputs, outputs, packed, path, bias, scale })
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
        /// Inputs transposed at a time; a multiple of 4.
        const LINE: usize = 32;
        let cpu = match device {
            Device::Cpu(cpu) => cpu,
            Device::Cuda(cuda) => return cuda.lay_out(self, &cuda.upload(values)?, turned, &cuda.upload(bias)?),
        };
        let path = cpu.path();
        self.require(path)?;
        let of_panel = path.panel_lines(inputs);
        cpu.threads().for_each_piece(self.packed.cpu_mut()?, of_panel.max(1), |p, panel| {
            let first = p * PANEL;
            let width = (outputs - first).min(PANEL);
            match turned {
                false => {
                    let mut weights = [[0; PANEL]; 4];
                    for (quad, values) in values.chunks(4 * outputs).enumerate() {
                        // The last four may be fewer.
                        weights[values.len() / outputs..].fill([0; PANEL]);
                        for (weights, values) in weights.iter_mut().zip(values.chunks_exact(outputs)) {
                            let values = &values[first..][..width];
                            weights.iter_mut().zip(values).for_each(|(weight, value)| *weight = fixed_weight(*value));
                        }
                        path.lay_out(panel, quad, &weights);
                    }
                }
                // Two cache lines of each of the panel's outputs at a time.
                true => {
                    let mut weights = [[0; PANEL]; LINE];
                    for begin in (0..inputs).step_by(LINE) {
                        let some = (inputs - begin).min(LINE);
                        weights[some..].fill([0; PANEL]);
                        for n in 0..width {
                            let source = &values[(first + n) * inputs + begin..][..some];
                            weights
                                .iter_mut()
                                .zip(source)
                                .for_each(|(weights, value)| weights[n] = fixed_weight(*value));
                        }
                        let quads = weights.as_chunks().0.iter().take(some.div_ceil(4));
                        quads.enumerate().for_each(|(quad, weights)| path.lay_out(panel, begin / 4 + quad, weights));
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

    /// Fails unless a processor's path laid them out.
    pub(super) fn require(&self, path: Path) -> Result<()> {
        match self.path == Some(path) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Internal, "weights are laid out for other instructions")),
        }
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
