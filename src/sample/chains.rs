//! Haplotypes of a restricted Boltzmann machine: a start, Gibbs sweeps, and the last half-step.

use super::tempering::{Draws, Ladder, Replicas};
use crate::compute::{Device, Noise, Sent, States};
use crate::error::{Error, ErrorKind, Result};
use crate::models::mixture::StartDraws;
use crate::models::rbm::{HalfSteps, OutputStep};
use crate::models::{SampledRbm, Start};
use crate::panel::bits::BitMatrix;
use crate::progress::Cancel;
use crate::rng::Purpose;

/// Sweeps between two looks at whether to stop; a GPU is told of more at a time.
fn sweeps_between_looks(device: &Device) -> usize {
    match device {
        Device::Cpu(_) => 16,
        Device::Cuda(_) => 128,
    }
}

/// How chains come to their haplotypes.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// `sweeps` Gibbs sweeps from a start.
    Gibbs {
        /// The start.
        start: Start,
        /// Sweeps.
        sweeps: usize,
    },
    /// `sweeps` Gibbs sweeps from the haplotypes of a panel: haplotype i starts from row i modulo their number.
    Panel {
        /// The haplotypes.
        haplotypes: BitMatrix,
        /// Sweeps.
        sweeps: usize,
    },
    /// `rounds` rounds of parallel tempering, each of `sweeps` sweeps a rung and one swap.
    Tempering {
        /// Rounds.
        rounds: usize,
        /// Sweeps a round.
        sweeps: usize,
    },
}

/// Chains of a machine, laid out on a device.
pub struct Chains {
    schedule: Schedule,
    steps: HalfSteps,
    output: OutputStep,
    start: StartDraws,
    ladder: Option<Ladder>,
    cancel: Cancel,
}

/// The word at which the last half-step's random numbers begin, out of the sweeps' way.
const OUTPUT_POSITION: u64 = 1 << 40;

impl Chains {
    /// Lays out a machine.
    ///
    /// # Errors
    /// `InvalidOption` for tempering without a ladder; `InvalidArgument` for a start panel of other sites;
    /// `OutOfMemory`.
    pub fn new(device: &Device, machine: &SampledRbm, schedule: Schedule) -> Result<Self> {
        let ladder = match &schedule {
            Schedule::Tempering { .. } if machine.ladder.is_empty() => {
                return Err(Error::new(ErrorKind::InvalidOption, "this model was trained without a tempering ladder")
                    .remedy("train with option ladder=true, or sample with option sampler=gibbs"));
            }
            Schedule::Tempering { .. } => Some(Ladder::new(device, machine.ladder.iter().chain([&machine.rbm]))?),
            Schedule::Panel { haplotypes, .. }
                if haplotypes.columns() != machine.rbm.sites() || haplotypes.rows() == 0 =>
            {
                return Err(Error::argument("the start panel has no haplotypes, or other sites than the model"));
            }
            _ => None,
        };
        let start = match &schedule {
            Schedule::Gibbs { start, .. } => *start,
            _ => Start::Mixture,
        };
        Ok(Chains {
            schedule,
            start: StartDraws::new(device, start, &machine.mixture)?,
            steps: HalfSteps::new(device, &machine.rbm)?,
            output: OutputStep::new(device, &machine.rbm, &machine.output)?,
            ladder,
            cancel: Cancel::new(),
        })
    }

    /// The machine's half-steps.
    pub(crate) fn half_steps(&self) -> &HalfSteps {
        &self.steps
    }

    /// The same, stopped by `cancel`: at its next look between sweeps it fails with `Cancelled`.
    pub fn stopped_by(self, cancel: Cancel) -> Self {
        Chains { cancel, ..self }
    }

    /// Gibbs sweeps, with a look at whether to stop between some.
    fn sweep(
        &self,
        device: &Device,
        visible: &mut States,
        hidden: &mut States,
        sweeps: usize,
        mut noise: Noise,
    ) -> Result<()> {
        let between = sweeps_between_looks(device);
        for first in (0..sweeps).step_by(between) {
            self.cancel.check()?;
            let n = (sweeps - first).min(between);
            self.steps.sweep(device, visible, hidden, n, noise)?;
            noise.position += n as u64 * self.steps.words_per_sweep();
        }
        Ok(())
    }

    /// Hidden states before the last half-step, and the visible states that they came from, for chains `first .. first + n`.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(crate) fn hidden(
        &self,
        device: &Device,
        seed: u64,
        purpose: Purpose,
        first: u64,
        n: usize,
    ) -> Result<(States, States)> {
        let mut visible = States::zeros(device, n, self.steps.sites())?;
        let mut hidden = States::zeros(device, n, self.steps.hidden_units())?;
        let noise = Noise { seed, purpose, first, position: 0 };
        match &self.schedule {
            Schedule::Gibbs { sweeps, .. } => {
                self.start.draw(device, noise, &mut visible)?;
                let noise = Noise { position: self.start.words(), ..noise };
                self.sweep(device, &mut visible, &mut hidden, *sweeps, noise)?;
            }
            Schedule::Panel { haplotypes, sweeps } => {
                let rows: Vec<usize> =
                    (0..n as u64).map(|c| ((first + c) % haplotypes.rows() as u64) as usize).collect();
                visible.unpack(haplotypes, &rows)?;
                self.sweep(device, &mut visible, &mut hidden, *sweeps, noise)?;
            }
            Schedule::Tempering { rounds, sweeps } => {
                let ladder = self.ladder.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "no ladder"))?;
                let draws = Draws { seed, first, purpose };
                let mut replicas = Replicas::begin(device, ladder, &self.start, n, draws)?;
                for _ in 0..*rounds {
                    self.cancel.check()?;
                    replicas.round(device, ladder, *sweeps, draws)?;
                }
                visible = replicas.into_top();
            }
        }
        let noise = Noise { position: OUTPUT_POSITION, ..noise };
        self.steps.sample_hidden(device, &visible, &mut hidden, noise)?;
        Ok((hidden, visible))
    }

    /// Haplotypes `first .. first + n`, a row each, on their way from the device.
    ///
    /// # Errors
    /// `Cancelled`; `OutOfMemory`, `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn haplotypes(&self, device: &Device, seed: u64, first: u64, n: usize) -> Result<Sent> {
        let (hidden, mut visible) = self.hidden(device, seed, Purpose::Sample, first, n)?;
        let noise = output_noise(seed, Purpose::Sample, first, &self.steps);
        self.output.sample(device, &hidden, noise, &mut visible)?;
        visible.send()
    }
}

/// The random numbers of the last half-step.
pub(crate) fn output_noise(seed: u64, purpose: Purpose, first: u64, steps: &HalfSteps) -> Noise {
    Noise { seed, purpose, first, position: OUTPUT_POSITION + steps.hidden_units().next_multiple_of(64) as u64 }
}
