//! The restricted Boltzmann machine: visible units are sites, hidden units are Bernoulli or ReLU.
//!
//! Energy of (v, h): `-b v - c h - v W h` (+ `h^2 / 2` for ReLU). Smolensky 1986; Yelmen et al. 2021 for haplotypes;
//! ReLU units as in Tubiana et al. 2019.

use super::Output;
use crate::compute::learning::largest;
use crate::compute::{Buffer, Device, Matrix, Noise, States, Unit, WEIGHT_STEPS, Weights, activation::RELU_STEPS};
use crate::error::{Error, ErrorKind, Result};

/// Kind of hidden units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// 0 or 1.
    Bernoulli,
    /// A number h >= 0, normal with variance 1 around its input, truncated at 0.
    Relu,
}

impl Hidden {
    /// As options and model files write it.
    pub fn name(self) -> &'static str {
        match self {
            Hidden::Bernoulli => "bernoulli",
            Hidden::Relu => "relu",
        }
    }

    /// What a unit of a visible unit's input is worth.
    fn down_scale(self) -> f32 {
        match self {
            Hidden::Bernoulli => 1.0 / WEIGHT_STEPS,
            Hidden::Relu => 1.0 / (WEIGHT_STEPS * RELU_STEPS),
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Hidden::Bernoulli, Hidden::Relu].into_iter().find(|h| h.name() == name)
    }
}

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Rbm {
    /// Kind of the hidden units.
    pub hidden: Hidden,
    /// W, sites x hidden units, site by site.
    pub weights: Vec<f32>,
    /// b, a number a site.
    pub visible_bias: Vec<f32>,
    /// c, a number a hidden unit.
    pub hidden_bias: Vec<f32>,
}

impl Rbm {
    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.visible_bias.len()
    }

    /// Number of hidden units.
    pub fn hidden_units(&self) -> usize {
        self.hidden_bias.len()
    }

    /// An RBM without interactions: each site has its frequency. Frequencies are kept `1 / (2 haplotypes)` away from 0
    /// and 1.
    pub fn independent(hidden: Hidden, hidden_units: usize, frequencies: &[f64], haplotypes: usize) -> Self {
        let floor = 0.5 / haplotypes.max(1) as f64;
        let logit = |f: &f64| {
            let f = f.clamp(floor, 1.0 - floor);
            (f / (1.0 - f)).ln() as f32
        };
        Rbm {
            hidden,
            weights: vec![0.0; frequencies.len() * hidden_units],
            visible_bias: frequencies.iter().map(logit).collect(),
            hidden_bias: vec![0.0; hidden_units],
        }
    }

    /// Whether every parameter is a number inside the range of the fixed point (weights within +-8).
    ///
    /// # Errors
    /// `Diverged`, with what left its range.
    pub fn check(&self) -> Result<()> {
        check_range([&self.weights, &self.visible_bias, &self.hidden_bias].map(|values| largest(values)))
    }

    /// The parameters as the sampler sees them: rounded to multiples of 2^-12.
    pub fn rounded(&self) -> Self {
        let round = |values: &[f32]| -> Vec<f32> {
            values.iter().map(|v| (v * WEIGHT_STEPS).round_ties_even() / WEIGHT_STEPS).collect()
        };
        Rbm {
            hidden: self.hidden,
            weights: round(&self.weights),
            visible_bias: round(&self.visible_bias),
            hidden_bias: round(&self.hidden_bias),
        }
    }
}

/// Fails unless the largest weight, visible bias and hidden bias are inside the range of the fixed point.
fn check_range(worst: [f32; 3]) -> Result<()> {
    let limit = i16::MAX as f32 / WEIGHT_STEPS;
    let kinds = [("weight", limit), ("visible bias", 1000.0), ("hidden bias", 1000.0)];
    match kinds.into_iter().zip(worst).find(|((_, limit), worst)| worst.is_nan() || worst > limit) {
        None => Ok(()),
        Some(((name, _), worst)) => Err(Error::new(ErrorKind::Diverged, format!("a {name} reached {worst}"))
            .remedy("lower learning_rate, or raise l2, k or chains")),
    }
}

/// Parameters in a device's memory, where they learn.
#[derive(Debug)]
pub struct Parameters {
    /// Kind of the hidden units.
    pub hidden: Hidden,
    /// W, sites x hidden units, site by site.
    pub weights: Buffer<f32>,
    /// b, a number a site.
    pub visible_bias: Buffer<f32>,
    /// c, a number a hidden unit.
    pub hidden_bias: Buffer<f32>,
}

impl Parameters {
    /// Those of a machine.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn new(device: &Device, rbm: Rbm) -> Result<Self> {
        Ok(Parameters {
            hidden: rbm.hidden,
            weights: Buffer::upload(device, rbm.weights)?,
            visible_bias: Buffer::upload(device, rbm.visible_bias)?,
            hidden_bias: Buffer::upload(device, rbm.hidden_bias)?,
        })
    }

    /// A machine of them.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceFailed`.
    pub fn rbm(&self) -> Result<Rbm> {
        Ok(Rbm {
            hidden: self.hidden,
            weights: self.weights.to_host()?.into_owned(),
            visible_bias: self.visible_bias.to_host()?.into_owned(),
            hidden_bias: self.hidden_bias.to_host()?.into_owned(),
        })
    }
}

/// An RBM laid out on a device for half-steps.
#[derive(Debug)]
pub struct HalfSteps {
    up: Weights,
    down: Weights,
    unit: Unit,
    /// Multiples of 2^-12, for free energies.
    visible_bias: Buffer<f64>,
}

/// The unit that hidden units are: no sum over ReLU units may leave 32 bits, and states are cut where that of the site
/// with the largest sum of |W| would.
fn hidden_unit(hidden: Hidden, largest_row: impl FnOnce() -> Result<f32>) -> Result<Unit> {
    match hidden {
        Hidden::Bernoulli => Ok(Unit::Bernoulli),
        Hidden::Relu => {
            let room = (i32::MAX as f32 * 0.5) / (WEIGHT_STEPS * largest_row()?.max(1e-3));
            Ok(Unit::Relu { ceiling: room.clamp(0.0, 32_000.0) as i16 })
        }
    }
}

impl HalfSteps {
    fn zeros(device: &Device, hidden: Hidden, sites: usize, units: usize) -> Result<Self> {
        Ok(HalfSteps {
            up: Weights::zeros(device, sites, units, 1.0 / WEIGHT_STEPS)?,
            down: Weights::zeros(device, units, sites, hidden.down_scale())?,
            unit: Unit::Bernoulli,
            visible_bias: Buffer::zeros(device, sites)?,
        })
    }

    /// Lays out `rbm` on `device`.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`; `Diverged` as [`HalfSteps::set`].
    pub fn new(device: &Device, rbm: &Rbm) -> Result<Self> {
        let mut steps = HalfSteps::zeros(device, rbm.hidden, rbm.sites(), rbm.hidden_units())?;
        steps.set(device, rbm)?;
        Ok(steps)
    }

    /// Lays out parameters that lie on `device`.
    ///
    /// # Errors
    /// As [`HalfSteps::new`].
    pub fn of(device: &Device, parameters: &Parameters, sites: usize, units: usize) -> Result<Self> {
        let mut steps = HalfSteps::zeros(device, parameters.hidden, sites, units)?;
        steps.set_from(device, parameters)?;
        Ok(steps)
    }

    /// Takes new parameters of the same shape.
    ///
    /// # Errors
    /// `Diverged` if the input of a unit could leave the range of 32 bits.
    pub fn set(&mut self, device: &Device, rbm: &Rbm) -> Result<()> {
        if let Device::Cuda(_) = device {
            return self.set_from(device, &Parameters::new(device, rbm.clone())?);
        }
        rbm.check()?;
        self.unit = hidden_unit(rbm.hidden, || {
            let rows = rbm.weights.chunks_exact(rbm.hidden_units());
            Ok(rows.map(|row| row.iter().map(|w| w.abs()).sum::<f32>()).fold(0.0, f32::max))
        })?;
        self.up.set(device, &rbm.weights, false, &rbm.hidden_bias)?;
        self.down.set(device, &rbm.weights, true, &rbm.visible_bias)?;
        self.visible_bias = device.energy_biases(&rbm.visible_bias)?;
        Ok(())
    }

    /// Takes new parameters of the same shape that lie on the device.
    ///
    /// # Errors
    /// As [`HalfSteps::set`].
    pub fn set_from(&mut self, device: &Device, parameters: &Parameters) -> Result<()> {
        let Parameters { hidden, weights, visible_bias, hidden_bias } = parameters;
        let worst = device.largest(&[weights, visible_bias, hidden_bias])?;
        check_range([worst[0], worst[1], worst[2]])?;
        let (sites, units) = (self.sites(), self.hidden_units());
        self.unit = hidden_unit(*hidden, || device.largest_row(weights, sites, units))?;
        self.up.set_from(device, weights, false, hidden_bias)?;
        self.down.set_from(device, weights, true, visible_bias)?;
        self.visible_bias = device.energy_biases_from(visible_bias)?;
        Ok(())
    }

    /// A copy on the same device.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn copy(&self) -> Result<Self> {
        Ok(HalfSteps {
            up: self.up.copy()?,
            down: self.down.copy()?,
            unit: self.unit,
            visible_bias: self.visible_bias.copy()?,
        })
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.up.inputs()
    }

    /// Number of hidden units.
    pub fn hidden_units(&self) -> usize {
        self.up.outputs()
    }

    /// Random words that a sweep reads in each stream.
    pub fn words_per_sweep(&self) -> u64 {
        (self.hidden_units().next_multiple_of(64) + self.sites().next_multiple_of(64)) as u64
    }

    /// `sweeps` Gibbs sweeps: hidden units given visible ones, then visible given hidden. Row r of the states reads its
    /// random words in stream `noise.first + r` from `noise.position` on.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn sweep(
        &self,
        device: &Device,
        visible: &mut States,
        hidden: &mut States,
        sweeps: usize,
        noise: Noise,
    ) -> Result<()> {
        device.repeat(sweeps, noise, self.words_per_sweep(), |noise| {
            self.sample_hidden(device, visible, hidden, noise)?;
            let position = noise.position + self.hidden_units().next_multiple_of(64) as u64;
            self.sample_visible(device, hidden, visible, Noise { position, ..noise })
        })
    }

    /// The first half of a sweep: hidden units given the visible ones.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn sample_hidden(&self, device: &Device, visible: &States, hidden: &mut States, noise: Noise) -> Result<()> {
        device.affine_sample(visible, &self.up, self.unit, noise, hidden)
    }

    /// The second half of a sweep: visible units given the hidden ones.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn sample_visible(&self, device: &Device, hidden: &States, visible: &mut States, noise: Noise) -> Result<()> {
        device.affine_sample(hidden, &self.down, Unit::Bernoulli, noise, visible)
    }

    /// Means of the hidden units given the visible ones, in steps of [`HalfSteps::mean_step`].
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn hidden_means(&self, device: &Device, visible: &States, out: &mut States) -> Result<()> {
        device.affine_mean(visible, &self.up, self.unit, out)
    }

    /// Means of the visible units given the hidden ones, in steps of 2^-14.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn visible_means(&self, device: &Device, hidden: &States, out: &mut States) -> Result<()> {
        device.affine_mean(hidden, &self.down, Unit::Bernoulli, out)
    }

    /// What a step of a hidden mean is worth.
    pub fn mean_step(&self) -> f64 {
        match self.unit {
            Unit::Bernoulli => 1.0 / 16_384.0,
            Unit::Relu { .. } => 1.0 / 512.0,
        }
    }

    /// Free energies `F(v) = -b v - sum over hidden units of ln sum over h of exp(h input)`, in nats.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn free_energies(&self, device: &Device, visible: &States) -> Result<Buffer<f64>> {
        let mut out = Buffer::zeros(device, visible.rows())?;
        device.free_energies(visible, &self.up, self.unit, &self.visible_bias, &mut out)?;
        Ok(out)
    }
}

/// The last half-step of a sample (see [`Output`]), laid out on a device.
#[derive(Debug)]
pub struct OutputStep {
    down: Weights,
}

impl OutputStep {
    /// Lays out the weights of `rbm` with the sharpness and bias of `output`.
    ///
    /// # Errors
    /// `OutOfMemory`; `Diverged` if a sharpened weight leaves the range of the fixed point.
    pub fn new(device: &Device, rbm: &Rbm, output: &Output) -> Result<Self> {
        let sharpened = Rbm {
            hidden: rbm.hidden,
            weights: rbm.weights.iter().map(|w| w * output.sharpness).collect(),
            visible_bias: output.bias.clone(),
            hidden_bias: Vec::new(),
        };
        sharpened.check()?;
        let mut down = Weights::zeros(device, rbm.hidden_units(), rbm.sites(), rbm.hidden.down_scale())?;
        down.set(device, &sharpened.weights, true, &output.bias)?;
        Ok(OutputStep { down })
    }

    /// Visible units given the hidden ones.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn sample(&self, device: &Device, hidden: &States, noise: Noise, visible: &mut States) -> Result<()> {
        device.affine_sample(hidden, &self.down, Unit::Bernoulli, noise, visible)
    }

    /// Inputs of the visible units given the hidden ones; a unit of them is worth the number returned.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree.
    pub fn inputs(&self, device: &Device, hidden: &States, out: &mut Matrix<i32>) -> Result<f32> {
        device.affine(hidden, &self.down, out)?;
        Ok(self.down.scale())
    }
}
