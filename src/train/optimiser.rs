//! How a gradient becomes a step.

use crate::compute::learning::Adam;
use crate::compute::{Buffer, Device};
use crate::error::{Error, ErrorKind, Result};

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `velocity = momentum x velocity + gradient`, `parameter += rate x velocity`.
    Sgd {
        /// The share of the velocity that stays.
        momentum: f32,
    },
    /// Kingma and Ba 2015 with their defaults: betas .9 and .999, epsilon 1e-8.
    Adam,
}

/// The moments that a rule keeps for one tensor, on the device where it learns. Steps go uphill.
#[derive(Debug)]
pub struct Moments {
    rule: Rule,
    /// Velocity, or first moment.
    pub first: Buffer<f32>,
    /// Second moment (Adam), or nothing.
    pub second: Buffer<f32>,
}

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Numbers of both moments for `n` parameters.
fn lengths(rule: Rule, n: usize) -> (usize, usize) {
    match rule {
        Rule::Sgd { momentum: 0.0 } => (0, 0),
        Rule::Sgd { .. } => (n, 0),
        Rule::Adam => (n, n),
    }
}

impl Moments {
    /// All zeros, for `n` parameters.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn new(device: &Device, rule: Rule, n: usize) -> Result<Self> {
        let (first, second) = lengths(rule, n);
        Ok(Moments { rule, first: Buffer::zeros(device, first)?, second: Buffer::zeros(device, second)? })
    }

    /// Moments as a checkpoint kept them, in the processor's memory.
    ///
    /// # Errors
    /// `CheckpointMismatch` if the rule needs other lengths.
    pub fn restore(rule: Rule, n: usize, first: Vec<f32>, second: Vec<f32>) -> Result<Self> {
        match lengths(rule, n) == (first.len(), second.len()) {
            true => Ok(Moments { rule, first: Buffer::Cpu(first), second: Buffer::Cpu(second) }),
            false => Err(Error::new(ErrorKind::CheckpointMismatch, "the optimiser's moments have another size")),
        }
    }

    /// A copy on another device.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn copied_to(&self, device: &Device) -> Result<Self> {
        let moved = |of: &Buffer<f32>| Buffer::upload(device, of.to_host()?.into_owned());
        Ok(Moments { rule: self.rule, first: moved(&self.first)?, second: moved(&self.second)? })
    }

    /// Moves `parameters` along `gradient`; `step` counts from 1.
    ///
    /// # Errors
    /// The threads could not be started; `DeviceFailed`.
    pub fn ascend(
        &mut self,
        device: &Device,
        parameters: &mut Buffer<f32>,
        gradient: &Buffer<f32>,
        rate: f32,
        step: u64,
    ) -> Result<()> {
        match self.rule {
            Rule::Sgd { momentum: 0.0 } => device.ascend_sgd(parameters, None, gradient, rate, 0.0),
            Rule::Sgd { momentum } => device.ascend_sgd(parameters, Some(&mut self.first), gradient, rate, momentum),
            Rule::Adam => {
                // Powers by whole exponents: the same bits on every platform.
                let power = |beta: f64| 1.0 - beta.powi(step.min(1 << 30) as i32);
                let rate = f64::from(rate) * power(f64::from(BETA_2)).sqrt() / power(f64::from(BETA_1));
                let adam = Adam { rate: rate as f32, beta_1: BETA_1, beta_2: BETA_2, epsilon: EPSILON };
                device.ascend_adam(parameters, &mut self.first, &mut self.second, gradient, adam)
            }
        }
    }
}
