//! An RBM that learns on several devices at once.
//!
//! Each device has the machine and the mini-batch, and sweeps a share of the chains, which is most of an update. Then the
//! chains go round, a bit a site where a weight or its gradient would be 32, and each device takes the whole step, with the
//! same bits. So the machine does not depend on how many devices there are.

use super::contrastive::{Settings, State, Trainer};
use crate::compute::DeviceChoice;
use crate::compute::device::at_once;
use crate::error::Result;
use crate::models::mixture::Mixture;
use crate::panel::bits::BitMatrix;
use crate::threads::Threads;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Chains of a device, at least: rows of a tile of a GPU's kernels. Fewer would take as long.
const CHAINS_OF_A_DEVICE: usize = 256;

/// The trainers of a run, one a device.
pub struct Trainers {
    each: Vec<Trainer>,
}

impl Trainers {
    /// A run as it began or as a checkpoint kept it, on the devices of a choice: where this is all GPUs, as many as
    /// get 256 chains each.
    ///
    /// # Errors
    /// As [`DeviceChoice::laid_out`]; `Diverged` if the parameters are out of range.
    pub fn new(
        data: &Arc<BitMatrix>,
        settings: &Settings,
        choice: DeviceChoice,
        threads: &Threads,
        mixture: &Mixture,
        state: &State,
    ) -> Result<Self> {
        let mut choices = choice.each()?;
        choices.truncate((settings.chains / CHAINS_OF_A_DEVICE).max(1));
        Trainers::on(&choices, data, settings, threads, mixture, state)
    }

    /// The same, on each of the devices.
    fn on(
        choices: &[DeviceChoice],
        data: &Arc<BitMatrix>,
        settings: &Settings,
        threads: &Threads,
        mixture: &Mixture,
        state: &State,
    ) -> Result<Self> {
        let lay_out = |(choice, share): (&DeviceChoice, Range<usize>)| {
            let restored = choice.laid_out(threads, |device| {
                Trainer::restore(data.clone(), settings.clone(), device, mixture, state, share.clone())
            });
            restored.map(|(_, trainer)| trainer)
        };
        let each = choices.iter().zip(shares(settings.chains, choices.len())).map(lay_out).collect::<Result<_>>()?;
        Ok(Trainers { each })
    }

    /// The trainer that has all there is to know of the run.
    pub fn first(&self) -> &Trainer {
        &self.each[0]
    }

    /// One gradient step.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn step(&mut self) -> Result<()> {
        if let [alone] = &mut self.each[..] {
            return alone.step();
        }
        let swept = at_once(self.each.iter_mut(), |trainer| {
            trainer.sweep()?;
            trainer.swept()
        })?;
        let chains = swept.iter().skip(1).try_fold(swept[0].clone(), |above, below| above.stack(below))?;
        at_once(self.each.iter_mut(), |trainer| {
            trainer.gather(&chains)?;
            trainer.ascend()
        })?;
        Ok(())
    }

    /// As [`Trainer::consider_rung`].
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn consider_rung(&mut self, least: f64) -> Result<()> {
        self.each[0].consider_rung(least)
    }
}

/// Chains of each of so many devices.
fn shares(chains: usize, devices: usize) -> impl Iterator<Item = Range<usize>> {
    (0..devices).map(move |i| i * chains / devices..(i + 1) * chains / devices)
}

/// Where it learns.
impl fmt::Display for Trainers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let devices: Vec<String> = self.each.iter().map(|trainer| trainer.device().to_string()).collect();
        f.write_str(&devices.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::rng::{Purpose, Stream};
    use crate::train::contrastive::begin;

    /// Shares that do not divide the chains, chains that are renewed around the end, and a state that goes on elsewhere.
    #[test]
    fn the_machine_does_not_depend_on_the_number_of_devices() {
        let random = Stream::new(3, Purpose::Evaluate, 0);
        let frequency = |c: usize| u32::MAX / 10 * (1 + c as u32 % 8);
        let bits = BitMatrix::from_fn(40, 70, |r, c| random.word((r * 70 + c) as u64) < frequency(c)).unwrap();
        let (data, threads) = (Arc::new(bits), Threads::new(2));
        for text in ["method=renewed", "method=pcd,hidden_type=relu", "method=rdm,optimiser=adam,learning_rate=0.01"] {
            let mut options = Options::new();
            options.set_text("hidden=9,chains=23,batch=20,k=2,sweeps=6,clusters=2,updates=12").unwrap();
            options.set_text(text).unwrap();
            let settings = Settings::new(&options, 4, data.rows(), data.columns());
            let (mixture, begun) = begin(&data, &settings, &threads).unwrap();
            let run = |devices: [usize; 2]| {
                let mut state = None;
                for devices in devices {
                    let (choices, from) = (vec![DeviceChoice::Cpu; devices], state.as_ref().unwrap_or(&begun));
                    let mut trainers = Trainers::on(&choices, &data, &settings, &threads, &mixture, from).unwrap();
                    for _ in 0..6 {
                        trainers.step().unwrap();
                        // Each update becomes a rung.
                        trainers.consider_rung(1.1).unwrap();
                    }
                    state = Some(trainers.first().state().unwrap());
                }
                let state = state.unwrap();
                assert_eq!(state.update, 12);
                (state.rbm, state.chains, state.position, state.rungs)
            };
            let alone = run([1, 1]);
            assert!(alone.0 != begun.rbm && alone.3.len() == 12, "{text}");
            assert!(run([3, 3]) == alone && run([5, 1]) == alone && run([1, 2]) == alone, "{text}");
        }
    }
}
