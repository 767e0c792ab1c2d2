//! What an RBM's gradient is made of, and steps along it.

use super::{Buffer, Device, Matrix, States};
use crate::error::{Error, Result};

/// What is known of some states of visible units and the means of the hidden ones given them.
#[derive(Debug)]
pub struct Statistics {
    /// `sum over rows of visible x hidden`, sites x units, in steps of the means.
    pub product: Matrix<i32>,
    /// Means of the visible units.
    pub visible: Buffer<f32>,
    /// Means of the hidden units.
    pub hidden: Buffer<f32>,
}

impl Statistics {
    /// Room for them.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn zeros(device: &Device, sites: usize, units: usize) -> Result<Self> {
        Ok(Statistics {
            product: Matrix::zeros(device, sites, units)?,
            visible: Buffer::zeros(device, sites)?,
            hidden: Buffer::zeros(device, units)?,
        })
    }
}

/// The statistics of the data less those of the chains.
#[derive(Debug)]
pub struct Contrast<'a> {
    /// Of the data.
    pub data: &'a Statistics,
    /// Of the chains.
    pub chains: &'a Statistics,
    /// What a step of the data's product is worth: the means' step over the number of rows.
    pub data_unit: f32,
    /// The same of the chains' product.
    pub chain_unit: f32,
    /// The weights, sites x units, site by site.
    pub weights: &'a Buffer<f32>,
    /// Weight decay.
    pub decay: f32,
    /// The visible units' centres (Melchior, Fischer, Wiskott 2016); `None` for a gradient that is not centred.
    pub frequencies: Option<&'a Buffer<f32>>,
}

/// A gradient, of the shapes of the parameters.
#[derive(Debug)]
pub struct Gradient {
    /// Of the weights.
    pub weights: Buffer<f32>,
    /// Of the visible biases.
    pub visible: Buffer<f32>,
    /// Of the hidden biases.
    pub hidden: Buffer<f32>,
}

impl Gradient {
    /// Room for one.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn zeros(device: &Device, sites: usize, units: usize) -> Result<Self> {
        Ok(Gradient {
            weights: Buffer::zeros(device, sites * units)?,
            visible: Buffer::zeros(device, sites)?,
            hidden: Buffer::zeros(device, units)?,
        })
    }
}

/// Settings of a step by Adam (Kingma and Ba 2015).
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// The size of the step, with the corrections of both moments in it.
    pub rate: f32,
    /// The share of the first moment that stays.
    pub beta_1: f32,
    /// The share of the second moment that stays.
    pub beta_2: f32,
    /// What is added to the root of the second moment.
    pub epsilon: f32,
}

impl Device {
    /// Statistics of visible states and of hidden means, a step of which is worth `step`.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `DeviceFailed`.
    pub fn statistics(&self, visible: &States, hidden: &States, step: f64, out: &mut Statistics) -> Result<()> {
        let (sites, units) = (out.product.rows(), out.product.columns());
        if visible.rows() != hidden.rows() || visible.columns() != sites || hidden.columns() != units {
            return Err(Error::argument("shapes of states and statistics disagree"));
        }
        match self {
            Device::Cpu(cpu) => cpu.statistics(visible, hidden, step, out),
            Device::Cuda(cuda) => cuda.statistics(visible, hidden, step, out),
        }
    }

    /// The gradient that a contrast gives.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `DeviceFailed`.
    pub fn contrast(&self, of: &Contrast, gradient: &mut Gradient) -> Result<()> {
        let shape = |s: &Statistics| (s.product.rows(), s.product.columns());
        if shape(of.data) != shape(of.chains) {
            return Err(Error::argument("shapes of the two statistics disagree"));
        }
        match self {
            Device::Cpu(cpu) => cpu.contrast(of, gradient),
            Device::Cuda(cuda) => cuda.contrast(of, gradient),
        }
    }

    /// `velocity = momentum x velocity + gradient`, `parameter += rate x velocity`; a plain step without velocities.
    ///
    /// # Errors
    /// The threads could not be started; `DeviceFailed`.
    pub fn ascend_sgd(
        &self,
        parameters: &mut Buffer<f32>,
        velocities: Option<&mut Buffer<f32>>,
        gradient: &Buffer<f32>,
        rate: f32,
        momentum: f32,
    ) -> Result<()> {
        match self {
            Device::Cpu(cpu) => cpu.ascend_sgd(parameters, velocities, gradient, rate, momentum),
            Device::Cuda(cuda) => cuda.ascend_sgd(parameters, velocities, gradient, rate, momentum),
        }
    }

    /// A step by Adam.
    ///
    /// # Errors
    /// The threads could not be started; `DeviceFailed`.
    pub fn ascend_adam(
        &self,
        parameters: &mut Buffer<f32>,
        first: &mut Buffer<f32>,
        second: &mut Buffer<f32>,
        gradient: &Buffer<f32>,
        adam: Adam,
    ) -> Result<()> {
        match self {
            Device::Cpu(cpu) => cpu.ascend_adam(parameters, first, second, gradient, adam),
            Device::Cuda(cuda) => cuda.ascend_adam(parameters, first, second, gradient, adam),
        }
    }

    /// The largest size of each list of numbers, NaN above all.
    ///
    /// # Errors
    /// `DeviceFailed`.
    pub fn largest(&self, lists: &[&Buffer<f32>]) -> Result<Vec<f32>> {
        match self {
            Device::Cpu(_) => lists.iter().map(|list| Ok(largest(list.cpu()?))).collect(),
            Device::Cuda(cuda) => cuda.largest(lists),
        }
    }

    /// The largest sum of sizes of a row of `columns` numbers.
    ///
    /// # Errors
    /// `DeviceFailed`.
    pub fn largest_row(&self, values: &Buffer<f32>, rows: usize, columns: usize) -> Result<f32> {
        match self {
            Device::Cpu(_) => {
                let sums = values.cpu()?.chunks_exact(columns.max(1)).map(|row| row.iter().map(|w| w.abs()).sum());
                Ok(sums.fold(0.0, f32::max))
            }
            Device::Cuda(cuda) => cuda.largest_row(values, rows, columns),
        }
    }
}

/// The largest size of a number, NaN above all: the bits of sizes are in the order of the sizes.
pub fn largest(values: &[f32]) -> f32 {
    f32::from_bits(values.iter().map(|v| v.abs().to_bits() as i32).fold(0, i32::max) as u32)
}
