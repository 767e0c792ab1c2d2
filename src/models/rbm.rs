//! The restricted Boltzmann machine: visible units are sites, hidden units are Bernoulli or ReLU.
//!
//! Energy of (v, h): `-b v - c h - v W h` (+ `h^2 / 2` for ReLU). Smolensky 1986; Yelmen et al. 2021 for haplotypes;
//! ReLU units as in Tubiana et al. 2019.

use super::Output;
use crate::compute::{Device, Matrix, Noise, States, Unit, WEIGHT_STEPS, Weights, activation::RELU_STEPS};
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
        let limit = i16::MAX as f32 / WEIGHT_STEPS;
        // The bits of sizes are in the order of the sizes, with NaN above all.
        let worst =
            |values: &[f32]| f32::from_bits(values.iter().map(|v| v.abs().to_bits() as i32).fold(0, i32::max) as u32);
        for (name, values, limit) in [
            ("weight", &self.weights, limit),
            ("visible bias", &self.visible_bias, 1000.0),
            ("hidden bias", &self.hidden_bias, 1000.0),
        ] {
            let worst = worst(values);
            if worst.is_nan() || worst > limit {
                return Err(Error::new(ErrorKind::Diverged, format!("a {name} reached {worst}"))
                    .remedy("lower learning_rate, or raise l2, k or chains"));
            }
        }
        Ok(())
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

/// An RBM laid out on a device for half-steps.
#[derive(Clone, Debug)]
pub struct HalfSteps {
    up: Weights,
    down: Weights,
    unit: Unit,
    visible_bias: Vec<f64>,
}

impl HalfSteps {
    /// Lays out `rbm` on `device`.
    ///
    /// # Errors
    /// `OutOfMemory`; `Diverged` as [`HalfSteps::set`].
    pub fn new(device: &Device, rbm: &Rbm) -> Result<Self> {
        let mut steps = HalfSteps {
            up: Weights::zeros(device, rbm.sites(), rbm.hidden_units(), 1.0 / WEIGHT_STEPS)?,
            down: Weights::zeros(device, rbm.hidden_units(), rbm.sites(), rbm.hidden.down_scale())?,
            unit: Unit::Bernoulli,
            visible_bias: Vec::new(),
        };
        steps.set(device, rbm)?;
        Ok(steps)
    }

    /// Takes new parameters of the same shape.
    ///
    /// # Errors
    /// `Diverged` if the input of a unit could leave the range of 32 bits.
    pub fn set(&mut self, device: &Device, rbm: &Rbm) -> Result<()> {
        rbm.check()?;
        self.unit = match rbm.hidden {
            Hidden::Bernoulli => Unit::Bernoulli,
            Hidden::Relu => {
                // No sum over hidden units may leave 32 bits: states are cut where the largest row of |W| would.
                let largest = rbm
                    .weights
                    .chunks_exact(rbm.hidden_units())
                    .map(|row| row.iter().map(|w| w.abs()).sum::<f32>())
                    .fold(0.0, f32::max);
                let room = (i32::MAX as f32 * 0.5) / (WEIGHT_STEPS * largest.max(1e-3));
                Unit::Relu { ceiling: room.clamp(0.0, 32_000.0) as i16 }
            }
        };
        self.up.set(device, &rbm.weights, false, &rbm.hidden_bias)?;
        self.down.set(device, &rbm.weights, true, &rbm.visible_bias)?;
        let step = f64::from(WEIGHT_STEPS);
        self.visible_bias = rbm.visible_bias.iter().map(|b| (f64::from(*b) * step).round() / step).collect();
        Ok(())
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
        let mut noise = noise;
        for _ in 0..sweeps {
            self.sample_hidden(device, visible, hidden, noise)?;
            noise.position += self.hidden_units().next_multiple_of(64) as u64;
            self.sample_visible(device, hidden, visible, noise)?;
            noise.position += self.sites().next_multiple_of(64) as u64;
        }
        Ok(())
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
    /// `InvalidArgument` if shapes disagree.
    pub fn free_energies(&self, device: &Device, visible: &States, out: &mut [f64]) -> Result<()> {
        device.log_partition(visible, &self.up, self.unit, out)?;
        for (r, energy) in out.iter_mut().enumerate() {
            let row = visible.row(r).iter().zip(&self.visible_bias);
            *energy = -*energy - row.map(|(v, b)| f64::from(*v) * b).sum::<f64>();
        }
        Ok(())
    }
}

/// The last half-step of a sample (see [`Output`]), laid out on a device.
#[derive(Clone, Debug)]
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
