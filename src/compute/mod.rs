//! The numeric floor: fused operations on buffers of a device. Nothing here knows a model.
//!
//! States of units are 16-bit whole numbers and weights are 16-bit fixed-point numbers, so that the input of a unit is
//! an exact 32-bit sum: the same bits in any order, on any processor, for any number of threads. What is done to that
//! sum (a logistic function, a comparison with a random number) uses IEEE operations in a fixed order.

pub mod activation;
pub mod clusters;
pub mod copying;
pub mod cpu;
pub mod hamming;
pub mod real;
pub mod runs;

use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::BitMatrix;
use crate::rng::Purpose;
use crate::threads::Threads;

/// Steps of a fixed-point weight in 1.
pub const WEIGHT_STEPS: f32 = 4096.0;

/// Columns of a matrix are padded to a multiple of this, which is also the width of a tile.
pub const PANEL: usize = 64;

/// Where operations run. The operations of a device take that device's buffers.
#[derive(Clone, Debug)]
pub enum Device {
    /// The processor.
    Cpu(cpu::Cpu),
}

impl Device {
    /// The processor, with the best vector path it has.
    pub fn cpu(threads: Threads) -> Self {
        Device::Cpu(cpu::Cpu::new(threads))
    }
}

/// Memory of a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Buffer<T> {
    /// Memory of the processor.
    Cpu(Vec<T>),
}

impl<T: Copy + Default> Buffer<T> {
    /// `n` zeros on a device.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn zeros(device: &Device, n: usize) -> Result<Self> {
        match device {
            Device::Cpu(_) => {
                let mut values = Vec::new();
                values.try_reserve_exact(n).map_err(|_| {
                    let bytes = n as f64 * size_of::<T>() as f64;
                    Error::new(ErrorKind::OutOfMemory, format!("no memory for {:.1} MiB", bytes / (1 << 20) as f64))
                })?;
                values.resize(n, T::default());
                Ok(Buffer::Cpu(values))
            }
        }
    }

    /// The values, copied to the host where they are not there.
    pub fn host(&self) -> &[T] {
        match self {
            Buffer::Cpu(values) => values,
        }
    }

    /// The values in host memory, for writing.
    pub fn host_mut(&mut self) -> &mut [T] {
        match self {
            Buffer::Cpu(values) => values,
        }
    }
}

/// Rows x columns on a device, row by row; rows are padded to a multiple of [`PANEL`] columns with zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T> {
    rows: usize,
    columns: usize,
    stride: usize,
    buffer: Buffer<T>,
}

impl<T: Copy + Default> Matrix<T> {
    /// All zeros.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn zeros(device: &Device, rows: usize, columns: usize) -> Result<Self> {
        let stride = columns.next_multiple_of(PANEL);
        let n = rows.checked_mul(stride).ok_or_else(|| {
            Error::new(ErrorKind::OutOfMemory, format!("{rows} x {columns} numbers exceed the address space"))
        })?;
        Ok(Matrix { rows, columns, stride, buffer: Buffer::zeros(device, n)? })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Distance of two rows in memory.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `r` in host memory, without its padding.
    pub fn row(&self, r: usize) -> &[T] {
        &self.buffer.host()[r * self.stride..][..self.columns]
    }

    /// Row `r` in host memory, without its padding.
    pub fn row_mut(&mut self, r: usize) -> &mut [T] {
        &mut self.buffer.host_mut()[r * self.stride..][..self.columns]
    }

    /// All rows with their padding, in host memory.
    pub fn host(&self) -> &[T] {
        self.buffer.host()
    }

    /// All rows with their padding, in host memory. Padding has to stay 0.
    pub fn host_mut(&mut self) -> &mut [T] {
        self.buffer.host_mut()
    }
}

impl States {
    /// Takes the rows `rows` of packed bits as states 0 and 1.
    ///
    /// # Errors
    /// `InvalidArgument` if the shapes disagree.
    pub fn unpack(&mut self, bits: &BitMatrix, rows: &[usize]) -> Result<()> {
        if rows.len() != self.rows || bits.columns() != self.columns {
            return Err(Error::argument("shapes of bits and states disagree"));
        }
        let stride = self.stride;
        for (states, r) in self.buffer.host_mut().chunks_exact_mut(stride).zip(rows) {
            for (states, word) in states.chunks_exact_mut(64).zip(bits.row(*r)) {
                for (c, state) in states.iter_mut().enumerate() {
                    *state = (word >> c & 1) as i16;
                }
            }
        }
        Ok(())
    }

    /// Packs states 0 and 1 into bits.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn pack(&self) -> Result<BitMatrix> {
        let mut bits = BitMatrix::zeros(self.rows, self.columns)?;
        for (r, states) in self.buffer.host().chunks_exact(self.stride).enumerate() {
            for (word, states) in bits.row_mut(r).iter_mut().zip(states.chunks_exact(64)) {
                *word = states.iter().enumerate().fold(0, |w, (c, s)| w | ((*s as u64) & 1) << c);
            }
        }
        Ok(bits)
    }

    /// Sum of each column.
    pub fn column_sums(&self) -> Vec<i64> {
        let mut sums = vec![0i64; self.columns];
        for r in 0..self.rows {
            sums.iter_mut().zip(self.row(r)).for_each(|(sum, s)| *sum += i64::from(*s));
        }
        sums
    }
}

/// States of units: a row a chain, a column a unit.
pub type States = Matrix<i16>;

/// A fixed-point weight matrix (inputs x outputs) laid out for products, and the bias of the outputs.
///
/// The weight of input `k` and output `n` stands at pair `k / 2`, side `k % 2` of panel `n / 64`:
/// `[panel][k / 2][n % 64][k % 2]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    inputs: usize,
    outputs: usize,
    packed: Buffer<i16>,
    bias: Buffer<i32>,
    /// What one unit of the sum is worth.
    scale: f32,
}

impl Weights {
    /// Zeros, for [`Weights::set`].
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn zeros(device: &Device, inputs: usize, outputs: usize, scale: f32) -> Result<Self> {
        let packed = inputs.next_multiple_of(2) * outputs.next_multiple_of(PANEL);
        Ok(Weights {
            inputs,
            outputs,
            packed: Buffer::zeros(device, packed)?,
            bias: Buffer::zeros(device, outputs.next_multiple_of(PANEL))?,
            scale,
        })
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
        let Device::Cpu(cpu) = device;
        cpu.threads().for_each_piece(self.packed.host_mut(), panel_length, |p, panel| {
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
        for (n, value) in self.bias.host_mut().iter_mut().enumerate() {
            // Padding units are never on.
            *value = if n < outputs { (bias[n] / self.scale).round_ties_even() as i32 } else { i32::MIN / 2 };
        }
        Ok(())
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

/// Which random numbers an operation uses: row `r` reads the stream `first + r` from word `position` on.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// The seed.
    pub seed: u64,
    /// What the streams are for.
    pub purpose: Purpose,
    /// The stream of row 0.
    pub first: u64,
    /// The word of column 0; a multiple of 64.
    pub position: u64,
}

impl Device {
    /// States of the outputs given the inputs: `out[r] ~ unit(states[r] x weights + bias)`.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
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
        }
    }

    /// Means of the outputs given the inputs, in steps of 2^-14 (Bernoulli) or 2^-9 (ReLU).
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn affine_mean(&self, states: &States, weights: &Weights, unit: Unit, out: &mut States) -> Result<()> {
        check_shapes(states, weights, out)?;
        match self {
            Device::Cpu(cpu) => cpu.affine_mean(states, weights, unit, out),
        }
    }

    /// Inputs of the outputs, `states x weights + bias`, in units of the weights' scale.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn affine(&self, states: &States, weights: &Weights, out: &mut Matrix<i32>) -> Result<()> {
        check_shapes(states, weights, out)?;
        match self {
            Device::Cpu(cpu) => cpu.affine_input(states, weights, out),
        }
    }

    /// For each row, the log of the sum (or integral) over all states of the outputs of exp(state x input): the hidden
    /// units' share of minus the free energy, in nats.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn log_partition(&self, states: &States, weights: &Weights, unit: Unit, out: &mut [f64]) -> Result<()> {
        if states.columns() != weights.inputs() || out.len() != states.rows() {
            return Err(Error::argument("shapes of states, weights and output disagree"));
        }
        match self {
            Device::Cpu(cpu) => cpu.log_partition(states, weights, unit, out),
        }
    }

    /// `out[i][j] = sum over rows r of left[r][i] x right[r][j]`, exactly as long as it stays inside 32 bits: with bits on
    /// one side and means on the other, for 65,536 rows at least.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn outer(&self, left: &States, right: &States, out: &mut Matrix<i32>) -> Result<()> {
        if left.rows() != right.rows() || out.rows() != left.columns() || out.columns() != right.columns() {
            return Err(Error::argument("shapes of an outer product disagree"));
        }
        match self {
            Device::Cpu(cpu) => cpu.outer(left, right, out),
        }
    }
}

fn check_shapes<T: Copy + Default>(states: &States, weights: &Weights, out: &Matrix<T>) -> Result<()> {
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
