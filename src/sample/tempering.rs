//! Parallel tempering along the training trajectory: the rungs of the ladder are the RBM as it was while it learned,
//! from sites without interactions (drawn exactly) up to the finished model (Béreux et al. 2025, "Fast training and
//! sampling of restricted Boltzmann machines").
//!
//! Each haplotype has a ladder of its own, with random numbers of its own, so that it does not matter which others are
//! made beside it.

use crate::compute::{Buffer, Device, Noise, States};
use crate::error::Result;
use crate::models::mixture::StartDraws;
use crate::models::rbm::{HalfSteps, Rbm};
use crate::models::{SampledRbm, Start};
use crate::rng::Purpose;
use half::bf16;

/// Rungs of a ladder, at most; sets random words apart.
pub const MOST_RUNGS: u64 = 1024;

/// The rungs, laid out on a device; the last one is the model.
pub struct Ladder {
    rungs: Vec<HalfSteps>,
}

impl Ladder {
    /// From the RBMs of the rungs, the first of which has no interactions.
    ///
    /// # Errors
    /// As [`HalfSteps::new`].
    pub fn new<'a>(device: &Device, rungs: impl IntoIterator<Item = &'a Rbm>) -> Result<Self> {
        Ok(Ladder { rungs: rungs.into_iter().map(|r| HalfSteps::new(device, r)).collect::<Result<_>>()? })
    }

    /// Number of rungs.
    pub fn len(&self) -> usize {
        self.rungs.len()
    }

    /// Whether there are no rungs.
    pub fn is_empty(&self) -> bool {
        self.rungs.is_empty()
    }

    /// The half-steps of rung `r`.
    pub fn rung(&self, r: usize) -> &HalfSteps {
        &self.rungs[r]
    }
}

/// Replicas: for each rung, a state of each chain.
pub struct Replicas {
    /// Visible states, rung by rung.
    pub states: Vec<States>,
    hidden: States,
    round: u64,
    /// Sum of swap probabilities and number of swaps tried, for each pair of neighbouring rungs.
    pub acceptance: Vec<(f64, f64)>,
}

/// The RBM half way between two.
pub fn midpoint(a: &Rbm, b: &Rbm) -> Rbm {
    let mean = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect();
    Rbm {
        hidden: a.hidden,
        weights: mean(&a.weights, &b.weights),
        visible_bias: mean(&a.visible_bias, &b.visible_bias),
        hidden_bias: mean(&a.hidden_bias, &b.hidden_bias),
    }
}

/// The rungs below a machine: those given (the last of which is the machine itself), rounded as the model file keeps
/// them, with more put half way between neighbours until all swap with a chance of at least `least`.
///
/// # Errors
/// `OutOfMemory`.
pub fn build<'a>(
    device: &Device,
    rungs: impl Iterator<Item = &'a Rbm>,
    machine: &SampledRbm,
    least: f64,
    seed: u64,
) -> Result<Vec<Rbm>> {
    // Each pair is tried 800 times: an acceptance is known to 0.02.
    const CHAINS: usize = 200;
    const SWEEPS: usize = 5;
    const ROUNDS: usize = 8;
    let rounded = |rung: &Rbm| {
        let mut rung = rung.rounded();
        rung.weights.iter_mut().for_each(|w| *w = bf16::from_f32(*w).to_f32());
        rung
    };
    let mut rungs: Vec<Rbm> = rungs.map(rounded).collect();
    if let Some(top) = rungs.last_mut() {
        *top = machine.rbm.clone();
    }
    let draws = Draws { seed, first: 0, purpose: Purpose::Replica };
    let start = StartDraws::new(device, Start::Mixture, &machine.mixture)?;
    let mut ladder = Ladder::new(device, &rungs)?;
    let mut replicas = Replicas::begin(device, &ladder, &start, CHAINS, draws)?;
    loop {
        replicas.acceptance.fill((0.0, 0.0));
        for _ in 0..ROUNDS {
            replicas.round(device, &ladder, SWEEPS, draws)?;
        }
        let mut inserted = false;
        for low in (0..rungs.len() - 1).rev() {
            let (sum, tried) = replicas.acceptance[low];
            if sum < least * tried && (rungs.len() as u64) < MOST_RUNGS / 2 {
                let middle = rounded(&midpoint(&rungs[low], &rungs[low + 1]));
                ladder.rungs.insert(low + 1, HalfSteps::new(device, &middle)?);
                rungs.insert(low + 1, middle);
                let copied = replicas.states[low].copy()?;
                replicas.states.insert(low + 1, copied);
                replicas.acceptance.insert(low + 1, (0.0, 0.0));
                inserted = true;
            }
        }
        if !inserted {
            rungs.pop();
            return Ok(rungs);
        }
    }
}

/// Which random numbers a set of replicas uses: chain c reads stream `first + c`.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// The seed.
    pub seed: u64,
    /// The stream of chain 0.
    pub first: u64,
    /// What the sweeps' streams are for.
    pub purpose: Purpose,
}

impl Replicas {
    /// `chains` replicas of each rung, from a start. All rungs of a chain start from the same draw.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn begin(device: &Device, ladder: &Ladder, start: &StartDraws, chains: usize, draws: Draws) -> Result<Self> {
        let bottom = ladder.rung(0);
        let mut states = States::zeros(device, chains, bottom.sites())?;
        // Round 0 draws the start: its numbers come before those of all rounds.
        let noise = Noise { seed: draws.seed, purpose: draws.purpose, first: draws.first, position: 0 };
        start.draw(device, noise, &mut states)?;
        Ok(Replicas {
            states: (0..ladder.len()).map(|_| states.copy()).collect::<Result<_>>()?,
            hidden: States::zeros(device, chains, bottom.hidden_units())?,
            round: 1,
            acceptance: vec![(0.0, 0.0); ladder.len() - 1],
        })
    }

    /// The states of the last rung: the model's.
    pub fn into_top(mut self) -> States {
        self.states.swap_remove(self.states.len() - 1)
    }

    fn noise(&self, ladder: &Ladder, r: usize, sweeps: usize, draws: Draws) -> Noise {
        let before = (self.round * MOST_RUNGS + r as u64) * sweeps as u64;
        let position = before * ladder.rung(r).words_per_sweep();
        Noise { seed: draws.seed, purpose: draws.purpose, first: draws.first, position }
    }

    /// One round: `sweeps` sweeps of each rung (the first is drawn anew), then swaps of every other pair.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn round(&mut self, device: &Device, ladder: &Ladder, sweeps: usize, draws: Draws) -> Result<()> {
        for r in 0..ladder.len() {
            let noise = self.noise(ladder, r, sweeps, draws);
            let sweeps = if r == 0 { 1 } else { sweeps };
            ladder.rung(r).sweep(device, &mut self.states[r], &mut self.hidden, sweeps, noise)?;
        }
        let pairs = ((self.round % 2) as usize..ladder.len() - 1).step_by(2);
        let chances: Vec<_> = pairs.clone().map(|low| self.swap(device, ladder, low, draws)).collect::<Result<_>>()?;
        // A GPU is waited for once a round.
        for (low, chances) in pairs.zip(chances) {
            let (sum, tried) = &mut self.acceptance[low];
            for chance in &*chances.to_host()? {
                *sum += f64::from(*chance);
                *tried += 1.0;
            }
        }
        self.round += 1;
        Ok(())
    }

    /// Tries to swap the replicas of rungs `low` and `low + 1`, chain by chain, with probability
    /// `min(1, exp(F_low(v_low) + F_high(v_high) - F_low(v_high) - F_high(v_low)))`: these come back, chain by chain.
    fn swap(&mut self, device: &Device, ladder: &Ladder, low: usize, draws: Draws) -> Result<Buffer<f32>> {
        let (below, above) = self.states.split_at_mut(low + 1);
        let (v_low, v_high) = (&mut below[low], &mut above[0]);
        let energies = |rung: usize, v: &States| ladder.rung(rung).free_energies(device, v);
        let (ll, lh) = (energies(low, v_low)?, energies(low, v_high)?);
        let (hl, hh) = (energies(low + 1, v_low)?, energies(low + 1, v_high)?);
        let position = self.round * MOST_RUNGS + low as u64;
        let noise = Noise { seed: draws.seed, purpose: Purpose::Swap, first: draws.first, position };
        let mut chances = Buffer::zeros(device, v_low.rows())?;
        device.swap_replicas(v_low, v_high, [&ll, &lh, &hl, &hh], noise, &mut chances)?;
        Ok(chances)
    }
}
