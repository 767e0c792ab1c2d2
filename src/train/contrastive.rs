//! How an RBM learns: the gradient is the data's statistics less those of Markov chains.
//!
//! The gradient is centred (Melchior, Fischer, Wiskott 2016). Chains are renewed, go on (PCD: Tieleman 2008), or start
//! from random bits at each update (Rdm-k: Decelle, Furtlehner, Seoane 2021; Yelmen et al. 2023).

use super::clusters;
use super::optimiser::{Moments, Rule};
use crate::compute::learning::{Contrast, Gradient, Statistics};
use crate::compute::{Buffer, Device, Noise, States};
use crate::error::Result;
use crate::linalg::pca;
use crate::models::Start;
use crate::models::mixture::{Mixture, StartDraws};
use crate::models::rbm::{HalfSteps, Hidden, Parameters, Rbm};
use crate::options::Options;
use crate::panel::bits::BitMatrix;
use crate::rng::{Purpose, Stream};
use crate::threads::Threads;
use std::ops::Range;
use std::sync::Arc;

/// What chains do between two updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The oldest start again from the mixture, a share of all at each update; the rest go on. Chains are never older
    /// than the sampler's, and so learn what the sampler will show.
    Renewed,
    /// They go on for ever.
    Persistent,
    /// All start from random bits at each update.
    Random,
}

/// Settings of a run; the options of the same names.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Kind of hidden units.
    pub hidden: Hidden,
    /// Their number.
    pub hidden_units: usize,
    /// Gradient steps.
    pub updates: u64,
    /// Haplotypes in a mini-batch.
    pub batch: usize,
    /// Chains.
    pub chains: usize,
    /// Sweeps a gradient step.
    pub k: usize,
    /// What chains do.
    pub method: Method,
    /// Sweeps after which a chain is renewed.
    pub sweeps: usize,
    /// How a gradient becomes a step.
    pub rule: Rule,
    /// Size of a step; 0 to take half of 1 over the largest variance of the data along a direction.
    pub rate: f64,
    /// Weight decay.
    pub l2: f64,
    /// Whether the gradient is centred.
    pub centred: bool,
    /// Clusters of the mixture.
    pub clusters: usize,
    /// The least haplotypes of a cluster.
    pub cluster_size: usize,
    /// The seed.
    pub seed: u64,
}

/// Haplotypes of a mini-batch, if not told otherwise.
const BATCH: usize = 500;

impl Settings {
    /// From options, for a panel of so many haplotypes and sites.
    pub fn new(options: &Options, seed: u64, haplotypes: usize, sites: usize) -> Self {
        let batch = match options.whole("batch") {
            0 => BATCH,
            n => n,
        };
        let batch = batch.min(haplotypes).max(1);
        let passes = options.number("epochs") * haplotypes as f64;
        Settings {
            hidden: Hidden::from_name(options.text("hidden_type")).unwrap_or(Hidden::Bernoulli),
            hidden_units: match options.whole("hidden") {
                0 => (2.0 * (sites as f64).sqrt()).round().max(1.0) as usize,
                n => n,
            },
            updates: match options.whole("updates") {
                0 => (passes / batch as f64).round() as u64,
                n => n as u64,
            },
            batch,
            chains: options.whole("chains"),
            k: options.whole("k"),
            method: match options.text("method") {
                "pcd" => Method::Persistent,
                "rdm" => Method::Random,
                _ => Method::Renewed,
            },
            sweeps: options.whole("sweeps"),
            rule: match options.text("optimiser") {
                "adam" => Rule::Adam,
                _ => Rule::Sgd { momentum: options.number("momentum") as f32 },
            },
            rate: options.number("learning_rate"),
            l2: options.number("l2"),
            centred: options.flag("centred"),
            clusters: options.whole("clusters"),
            cluster_size: options.whole("cluster_size"),
            seed,
        }
    }

    /// The size of step `update`: constant for the first half, then falling to 0 in a line.
    fn rate_at(&self, update: u64) -> f64 {
        let done = update as f64 / self.updates.max(1) as f64;
        self.rate * (2.0 * (1.0 - done)).min(1.0)
    }

    /// Updates after which a chain is renewed.
    fn period(&self) -> usize {
        self.sweeps.div_ceil(self.k).max(1)
    }

    /// How the finished model is sampled: the start, and the sweeps from it.
    pub fn sampling(&self) -> (Start, usize) {
        match self.method {
            // The age of the chains that the gradient saw, on average: what they learned is true of that age.
            Method::Renewed => (Start::Mixture, self.k * (self.period() + 1) / 2),
            Method::Persistent => (Start::Mixture, self.sweeps),
            Method::Random => (Start::Random, self.k),
        }
    }
}

/// What changes from update to update: a checkpoint keeps it.
#[derive(Debug)]
pub struct State {
    /// The size of a step.
    pub rate: f64,
    /// The machine.
    pub rbm: Rbm,
    /// The optimiser's moments for W, b, c.
    pub moments: [Moments; 3],
    /// Visible states of the chains.
    pub chains: BitMatrix,
    /// Where the chains' random numbers stand.
    pub position: u64,
    /// Gradient steps done.
    pub update: u64,
    /// Rungs of the ladder so far, and the chains as they were at the last one.
    pub rungs: Vec<Rbm>,
    /// The chains at the last rung.
    pub rung_chains: Option<BitMatrix>,
}

/// A run: a step function. Where several devices learn together ([`Trainers`](super::trainers::Trainers)) each has one, with a
/// share of the chains to sweep.
pub struct Trainer {
    /// Its settings.
    pub settings: Settings,
    device: Device,
    data: Arc<BitMatrix>,
    /// The data in a GPU's memory, where there is room: a batch is then chosen there.
    data_there: Option<States>,
    frequencies: Buffer<f32>,
    /// Where chains start.
    pub mixture: Mixture,
    starts: StartDraws,
    parameters: Parameters,
    steps: HalfSteps,
    moments: [Moments; 3],
    chains: States,
    /// The chains that are swept here, where others sweep the rest.
    share: Option<Share>,
    hidden: States,
    position: u64,
    update: u64,
    order: (u64, Vec<usize>),
    rungs: Vec<Rbm>,
    last_rung: Option<(HalfSteps, States)>,
    work: Work,
}

/// Some of the chains.
struct Share {
    rows: Range<usize>,
    visible: States,
}

/// Buffers of one update.
struct Work {
    batch: States,
    batch_means: States,
    chain_means: States,
    of_data: Statistics,
    of_chains: Statistics,
    gradient: Gradient,
}

/// The first direction that a machine learns is that of the largest variance, and too large a step throws it off: this
/// times that variance. 1.4 diverges on 10,000 linked sites, and 0.5 is what the 805 sites were tuned at.
const RATE: f64 = 0.5;

/// Standard deviation of the weights before training: a few steps of the fixed point, so that units differ.
const INITIAL_WEIGHT: f32 = 0.01;

/// Where a run begins: the mixture that chains start from, a machine that has hardly any interactions, and chains.
///
/// # Errors
/// `OutOfMemory`.
pub fn begin(data: &BitMatrix, settings: &Settings, threads: &Threads) -> Result<(Mixture, State)> {
    // Memberships are not an operation of devices: this runs once, on the processor.
    let processor = Device::cpu(threads.clone());
    let rate = match settings.rate {
        0.0 => RATE / pca(data, 1, settings.seed, threads)?.variances.first().copied().unwrap_or(1.0).max(1e-3),
        given => given,
    };
    let mixture = clusters::fit(&processor, data, settings.clusters, settings.cluster_size, settings.seed)?;
    let mut rbm = Rbm::independent(settings.hidden, settings.hidden_units, &frequencies(data), data.rows());
    let stream = Stream::new(settings.seed, Purpose::Initial, 0);
    for (i, w) in rbm.weights.iter_mut().enumerate() {
        // Uniform with the standard deviation asked for.
        *w = INITIAL_WEIGHT * 12f32.sqrt() * (stream.uniform(i as u64) - 0.5);
    }
    let [w, b, c] =
        [rbm.weights.len(), rbm.sites(), rbm.hidden_units()].map(|n| Moments::new(&processor, settings.rule, n));
    let starts = StartDraws::new(&processor, settings.sampling().0, &mixture)?;
    let mut chains = States::zeros(&processor, settings.chains, data.columns())?;
    starts.draw(
        &processor,
        Noise { seed: settings.seed, purpose: Purpose::Chain, first: 0, position: 0 },
        &mut chains,
    )?;
    let state = State {
        rate,
        moments: [w?, b?, c?],
        chains: chains.pack()?,
        position: starts.words(),
        update: 0,
        rungs: Vec::new(),
        rung_chains: None,
        rbm,
    };
    Ok((mixture, state))
}

impl Trainer {
    /// A run at its start, on one device. `data` has a row a haplotype.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn new(data: BitMatrix, settings: Settings, device: &Device) -> Result<Self> {
        let (mixture, state) = begin(&data, &settings, device.threads())?;
        let all = 0..settings.chains;
        Trainer::restore(Arc::new(data), settings, device, &mixture, &state, all)
    }

    /// A run as a checkpoint kept it; the chains `share` are swept here. The first trainer's share begins at 0, and it alone
    /// has rungs.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`; `Diverged` if the parameters are out of range.
    pub(super) fn restore(
        data: Arc<BitMatrix>,
        settings: Settings,
        device: &Device,
        mixture: &Mixture,
        state: &State,
        share: Range<usize>,
    ) -> Result<Self> {
        let settings = Settings { rate: state.rate, ..settings };
        let (sites, hidden_units) = (data.columns(), settings.hidden_units);
        let batch = settings.batch;
        let unpacked = |bits: &BitMatrix| -> Result<States> {
            let mut states = States::zeros(device, bits.rows(), bits.columns())?;
            states.unpack(bits, &(0..bits.rows()).collect::<Vec<_>>())?;
            Ok(states)
        };
        let rungs = if share.start == 0 { state.rungs.clone() } else { Vec::new() };
        let last_rung = match (&state.rung_chains, rungs.last()) {
            (Some(chains), Some(rung)) => Some((HalfSteps::new(device, rung)?, unpacked(chains)?)),
            _ => None,
        };
        let parameters = Parameters::new(device, state.rbm.clone())?;
        let [w, b, c] = state.moments.each_ref().map(|moments| moments.copied_to(device));
        let mut trainer = Trainer {
            frequencies: Buffer::upload(device, frequencies(&data).into_iter().map(|f| f as f32).collect())?,
            starts: StartDraws::new(device, settings.sampling().0, mixture)?,
            mixture: mixture.clone(),
            steps: HalfSteps::of(device, &parameters, sites, hidden_units)?,
            parameters,
            moments: [w?, b?, c?],
            chains: unpacked(&state.chains)?,
            hidden: States::zeros(device, share.len(), hidden_units)?,
            share: match share.len() == settings.chains {
                true => None,
                false => Some(Share { visible: States::zeros(device, share.len(), sites)?, rows: share }),
            },
            position: state.position,
            update: state.update,
            order: (u64::MAX, Vec::new()),
            rungs,
            last_rung,
            work: Work {
                batch: States::zeros(device, batch, sites)?,
                batch_means: States::zeros(device, batch, hidden_units)?,
                chain_means: States::zeros(device, settings.chains, hidden_units)?,
                of_data: Statistics::zeros(device, sites, hidden_units)?,
                of_chains: Statistics::zeros(device, sites, hidden_units)?,
                gradient: Gradient::zeros(device, sites, hidden_units)?,
            },
            data,
            data_there: None,
            device: device.clone(),
            settings,
        };
        if let Device::Cuda(cuda) = device {
            // What has to be there is there already, and comes first where memory is short.
            let bytes = trainer.data.rows() * trainer.chains.stride() / 8;
            if bytes < cuda.free_memory() / 4 {
                trainer.data_there = Some(unpacked(&trainer.data)?);
            }
        }
        Ok(trainer)
    }

    /// What a checkpoint has to keep.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn state(&self) -> Result<State> {
        Ok(State {
            rate: self.settings.rate,
            rbm: self.rbm()?,
            moments: {
                let processor = Device::cpu(self.device.threads().clone());
                let [w, b, c] = self.moments.each_ref().map(|moments| moments.copied_to(&processor));
                [w?, b?, c?]
            },
            chains: self.chains.pack()?,
            position: self.position,
            update: self.update,
            rungs: self.rungs.clone(),
            rung_chains: self.last_rung.as_ref().map(|(_, chains)| chains.pack()).transpose()?,
        })
    }

    /// The machine as it stands.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceFailed`.
    pub fn rbm(&self) -> Result<Rbm> {
        self.parameters.rbm()
    }

    /// The device that it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The machine laid out for half-steps.
    pub fn half_steps(&self) -> &HalfSteps {
        &self.steps
    }

    /// Visible states of the chains.
    pub fn chains(&self) -> &States {
        &self.chains
    }

    /// Gradient steps done.
    pub fn updates_done(&self) -> u64 {
        self.update
    }

    /// Whether all updates are done.
    pub fn is_done(&self) -> bool {
        self.update >= self.settings.updates
    }

    /// Rungs of the ladder so far.
    pub fn rungs(&self) -> &[Rbm] {
        &self.rungs
    }

    fn noise(&self, first: u64) -> Noise {
        Noise { seed: self.settings.seed, purpose: Purpose::Chain, first, position: self.position }
    }

    /// Starts `count` chains again, from number `first` on (around the end).
    fn renew(&mut self, first: usize, count: usize) -> Result<()> {
        let total = self.chains.rows();
        let mut fresh = States::zeros(&self.device, count, self.chains.columns())?;
        self.starts.draw(&self.device, self.noise(first as u64), &mut fresh)?;
        let targets: Vec<usize> = (0..count).map(|r| (first + r) % total).collect();
        self.device.copy_rows(&fresh, &(0..count).collect::<Vec<_>>(), &mut self.chains, &targets)?;
        self.position += self.starts.words();
        Ok(())
    }

    /// The mini-batch of an update: the data in a random order, drawn anew for each pass.
    fn next_batch(&mut self) -> Result<()> {
        let (n, batch) = (self.data.rows() as u64, self.work.batch.rows() as u64);
        let mut rows = Vec::with_capacity(batch as usize);
        for i in self.update * batch..(self.update + 1) * batch {
            let pass = i / n;
            if self.order.0 != pass {
                let mut order: Vec<usize> = (0..n as usize).collect();
                Stream::new(self.settings.seed, Purpose::Shuffle, pass).reader(0).shuffle(&mut order);
                self.order = (pass, order);
            }
            rows.push(self.order.1[(i % n) as usize]);
        }
        match &self.data_there {
            Some(data) => {
                let all: Vec<usize> = (0..rows.len()).collect();
                self.device.copy_rows(data, &rows, &mut self.work.batch, &all)
            }
            None => self.work.batch.unpack(&self.data, &rows),
        }
    }

    /// One gradient step.
    ///
    /// # Errors
    /// `Diverged`: the run is lost, and goes on from an earlier checkpoint or begins again. `OutOfMemory`.
    pub fn step(&mut self) -> Result<()> {
        self.sweep()?;
        self.ascend()
    }

    /// The first part of a gradient step: chooses the mini-batch and sweeps the chains, or its share of them.
    pub(super) fn sweep(&mut self) -> Result<()> {
        self.next_batch()?;
        let chains = self.chains.rows();
        match self.settings.method {
            Method::Persistent => {}
            Method::Random => self.renew(0, chains)?,
            Method::Renewed => {
                // Chains come round after `sweeps` sweeps, `k` an update.
                let period = self.settings.period();
                let count = chains.div_ceil(period);
                self.renew((self.update as usize % period * count) % chains, count)?;
            }
        }
        let (k, noise) = (self.settings.k, self.noise(0));
        match &mut self.share {
            None => self.steps.sweep(&self.device, &mut self.chains, &mut self.hidden, k, noise)?,
            Some(share) => {
                let rows: Vec<usize> = share.rows.clone().collect();
                let all: Vec<usize> = (0..rows.len()).collect();
                self.device.copy_rows(&self.chains, &rows, &mut share.visible, &all)?;
                let noise = Noise { first: share.rows.start as u64, ..noise };
                self.steps.sweep(&self.device, &mut share.visible, &mut self.hidden, k, noise)?;
            }
        }
        self.position += k as u64 * self.steps.words_per_sweep();
        Ok(())
    }

    /// The states of its share of the chains, once they are swept.
    pub(super) fn swept(&self) -> Result<BitMatrix> {
        self.share.as_ref().map_or(&self.chains, |share| &share.visible).pack()
    }

    /// Takes the states of all chains.
    pub(super) fn gather(&mut self, chains: &BitMatrix) -> Result<()> {
        self.chains.unpack(chains, &(0..chains.rows()).collect::<Vec<_>>())
    }

    /// The second part of a gradient step: moves the parameters along the gradient.
    pub(super) fn ascend(&mut self) -> Result<()> {
        let work = &mut self.work;
        self.steps.hidden_means(&self.device, &work.batch, &mut work.batch_means)?;
        self.steps.hidden_means(&self.device, &self.chains, &mut work.chain_means)?;
        let step = self.steps.mean_step();
        self.device.statistics(&work.batch, &work.batch_means, step, &mut work.of_data)?;
        self.device.statistics(&self.chains, &work.chain_means, step, &mut work.of_chains)?;
        let contrast = Contrast {
            data: &work.of_data,
            chains: &work.of_chains,
            data_unit: (step / work.batch.rows() as f64) as f32,
            chain_unit: (step / self.chains.rows() as f64) as f32,
            weights: &self.parameters.weights,
            decay: self.settings.l2 as f32,
            frequencies: self.settings.centred.then_some(&self.frequencies),
        };
        self.device.contrast(&contrast, &mut work.gradient)?;
        let rate = self.settings.rate_at(self.update) as f32;
        let count = self.update + 1;
        let [w, b, c] = &mut self.moments;
        w.ascend(&self.device, &mut self.parameters.weights, &work.gradient.weights, rate, count)?;
        b.ascend(&self.device, &mut self.parameters.visible_bias, &work.gradient.visible, rate, count)?;
        c.ascend(&self.device, &mut self.parameters.hidden_bias, &work.gradient.hidden, rate, count)?;
        self.steps.set_from(&self.device, &self.parameters)?;
        self.update += 1;
        Ok(())
    }

    /// Adds a rung to the ladder if swaps between the last one and the present machine would be accepted with a chance
    /// below `least`.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn consider_rung(&mut self, least: f64) -> Result<()> {
        if let Some((below, chains)) = &self.last_rung {
            let energies = |steps: &HalfSteps, states: &States| -> Result<Vec<f64>> {
                Ok(steps.free_energies(&self.device, states)?.to_host()?.into_owned())
            };
            let (own, now) = (energies(below, chains)?, energies(&self.steps, &self.chains)?);
            let (up, down) = (energies(&self.steps, chains)?, energies(below, &self.chains)?);
            let accepted = (0..own.len()).map(|c| (own[c] + now[c] - up[c] - down[c]).exp().min(1.0)).sum::<f64>();
            if accepted >= least * own.len() as f64 {
                return Ok(());
            }
        }
        self.rungs.push(self.rbm()?);
        self.last_rung = Some((self.steps.copy()?, self.chains.copy()?));
        Ok(())
    }

    /// Mean free energy of the rows of `bits`, in nats.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn mean_free_energy(&self, bits: &BitMatrix) -> Result<f64> {
        let mut states = States::zeros(&self.device, bits.rows(), bits.columns())?;
        states.unpack(bits, &(0..bits.rows()).collect::<Vec<_>>())?;
        let energies = self.steps.free_energies(&self.device, &states)?;
        Ok(energies.to_host()?.iter().sum::<f64>() / bits.rows().max(1) as f64)
    }
}

/// Frequency of 1 in each column.
pub(super) fn frequencies(bits: &BitMatrix) -> Vec<f64> {
    bits.count_columns().iter().map(|c| f64::from(*c) / bits.rows().max(1) as f64).collect()
}
