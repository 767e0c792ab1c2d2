//! How an RBM learns: the gradient is the data's statistics less those of Markov chains.
//!
//! PCD (Tieleman 2008): the chains go on from update to update. Rdm-k (Decelle, Furtlehner, Seoane 2021; Yelmen et al.
//! 2023): they start from random bits at each update. The gradient is centred (Melchior, Fischer, Wiskott 2016).

use super::optimiser::{Moments, Rule};
use crate::compute::{Device, Matrix, Noise, States};
use crate::error::Result;
use crate::models::rbm::{HalfSteps, Hidden, Rbm};
use crate::options::Options;
use crate::panel::bits::BitMatrix;
use crate::rng::{Purpose, Stream};
use crate::sample::tempering::{Draws, Ladder, Replicas};
use crate::threads::Threads;

/// What the chains do between two updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// They go on.
    Pcd,
    /// They start from random bits.
    Rdm,
}

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub hidden: Hidden,
    pub hidden_units: usize,
    pub updates: u64,
    pub batch: usize,
    pub chains: usize,
    pub k: usize,
    pub method: Method,
    pub rule: Rule,
    pub rate: f64,
    pub final_rate: f64,
    pub l2: f64,
    pub centred: bool,
    pub initial: f64,
    pub seed: u64,
    pub swap_every: u64,
    pub place: f64,
}

/// The state of a run, a step function.
pub struct Trainer {
    device: Device,
    threads: Threads,
    pub settings: Settings,
    data: BitMatrix,
    frequencies: Vec<f64>,
    pub rbm: Rbm,
    pub ladder: Ladder,
    pub replicas: Replicas,
    pub rungs: Vec<Rbm>,
    pub placed: Vec<u64>,
    recent: f64,
    moments: [Moments; 3],
    hidden: States,
    position: u64,
    pub update: u64,
    epoch: u64,
    order: Vec<usize>,
    cursor: usize,
    work: Work,
}

struct Work {
    batch: States,
    batch_means: States,
    chain_means: States,
    data_product: Matrix<i32>,
    chain_product: Matrix<i32>,
    gradient: Vec<f32>,
}

impl Trainer {
    pub fn new(data: BitMatrix, settings: Settings, threads: Threads) -> Result<Self> {
        let device = Device::cpu(threads.clone());
        let n = data.rows();
        let sites = data.columns();
        let frequencies: Vec<f64> = data.count_columns().iter().map(|c| f64::from(*c) / n as f64).collect();
        let mut rbm = Rbm::independent(settings.hidden, settings.hidden_units, &frequencies, n);
        let mut normal = Stream::new(settings.seed, Purpose::Initial, 0).reader(0);
        for w in &mut rbm.weights {
            *w = (settings.initial * normal.normal()) as f32;
        }
        let hidden_units = settings.hidden_units;
        let batch = settings.batch.min(n);
        let work = Work {
            batch: States::zeros(&device, batch, sites)?,
            batch_means: States::zeros(&device, batch, hidden_units)?,
            chain_means: States::zeros(&device, settings.chains, hidden_units)?,
            data_product: Matrix::zeros(&device, sites, hidden_units)?,
            chain_product: Matrix::zeros(&device, sites, hidden_units)?,
            gradient: vec![0.0; sites * hidden_units],
        };
        let moments = [sites * hidden_units, sites, hidden_units].map(|n| Moments::new(settings.rule, n));
        let hidden = States::zeros(&device, settings.chains, hidden_units)?;
        // The bottom rung has no interactions; the chains of the model begin as its exact draws.
        let bottom = Rbm::independent(settings.hidden, hidden_units, &frequencies, n);
        let ladder = Ladder::new(&device, [&bottom, &rbm])?;
        let draws = Draws { seed: settings.seed, first: 0, purpose: Purpose::Replica };
        let replicas = Replicas::climb(&device, &ladder, settings.chains, 1, draws)?;
        Ok(Trainer {
            device,
            threads,
            data,
            frequencies,
            rbm,
            moments,
            hidden,
            position: 0,
            update: 0,
            epoch: 0,
            order: Vec::new(),
            cursor: 0,
            ladder,
            replicas,
            rungs: vec![bottom],
            placed: vec![0],
            recent: 1.0,
            work,
            settings,
        })
    }

    pub fn steps(&self) -> &HalfSteps {
        self.ladder.rung(self.ladder.len() - 1)
    }

    pub fn chains(&self) -> &States {
        &self.replicas.states[self.replicas.states.len() - 1]
    }

    fn noise(&self) -> Noise {
        Noise { seed: self.settings.seed, purpose: Purpose::Chain, first: 0, position: self.position }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    fn next_batch(&mut self) -> Result<()> {
        let n = self.data.rows();
        let mut rows = Vec::with_capacity(self.work.batch.rows());
        while rows.len() < self.work.batch.rows() {
            if self.cursor == self.order.len() {
                self.order = (0..n).collect();
                Stream::new(self.settings.seed, Purpose::Shuffle, self.epoch).reader(0).shuffle(&mut self.order);
                self.epoch += 1;
                self.cursor = 0;
            }
            rows.push(self.order[self.cursor]);
            self.cursor += 1;
        }
        self.work.batch.unpack(&self.data, &rows)
    }

    /// One update.
    pub fn step(&mut self) -> Result<()> {
        self.next_batch()?;
        let s = &self.settings;
        let noise = self.noise();
        let top = self.ladder.len() - 1;
        if s.swap_every > 0 && self.update % s.swap_every == 0 {
            let draws = Draws { seed: s.seed, first: 0, purpose: Purpose::Replica };
            self.replicas.round(&self.device, &self.ladder, 1, top, draws)?;
            let (sum, tried) = std::mem::take(&mut self.replicas.acceptance[top - 1]);
            if tried > 0.0 {
                self.recent = sum / tried;
                if self.recent < s.place {
                    self.rungs.push(self.rbm.clone());
                    self.placed.push(self.update);
                    self.ladder.push(self.steps().clone());
                    self.replicas.push_copy();
                }
            }
        }
        let top = self.ladder.len() - 1;
        self.ladder.rung(top).sweep(&self.device, &mut self.replicas.states[top], &mut self.hidden, s.k, noise)?;
        self.position += s.k as u64 * self.steps().words_per_sweep();
        let progress = self.update as f64 / s.updates.max(1) as f64;
        let rate = if progress < 0.5 { s.rate } else { s.rate + (s.final_rate - s.rate) * (progress - 0.5) * 2.0 };
        self.ascend(rate)?;
        self.update += 1;
        Ok(())
    }

    fn ascend(&mut self, rate: f64) -> Result<()> {
        let w = &mut self.work;
        let top = self.ladder.len() - 1;
        let (steps, chains) = (self.ladder.rung(top), &self.replicas.states[top]);
        steps.hidden_means(&self.device, &w.batch, &mut w.batch_means)?;
        steps.hidden_means(&self.device, chains, &mut w.chain_means)?;
        self.device.outer(&w.batch, &w.batch_means, &mut w.data_product)?;
        self.device.outer(chains, &w.chain_means, &mut w.chain_product)?;
        let (nd, nm) = (w.batch.rows() as f64, chains.rows() as f64);
        let unit = steps.mean_step();
        let mean = |states: &States, unit: f64| -> Vec<f32> {
            let n = states.rows() as f64;
            states.column_sums().iter().map(|s| (*s as f64 * unit / n) as f32).collect()
        };
        let (vd, vm) = (mean(&w.batch, 1.0), mean(chains, 1.0));
        let (hd, hm) = (mean(&w.batch_means, unit), mean(&w.chain_means, unit));
        let nh = self.settings.hidden_units;
        let (fd, fm) = ((unit / nd) as f32, (unit / nm) as f32);
        let l2 = self.settings.l2 as f32;
        let centred = self.settings.centred;
        let frequencies = &self.frequencies;
        let weights = &self.rbm.weights;
        let (dp, cp) = (&w.data_product, &w.chain_product);
        self.threads.for_each_piece(&mut w.gradient, nh * 16, |task, gradient| {
            for (row, gradient) in gradient.chunks_exact_mut(nh).enumerate() {
                let i = task * 16 + row;
                let (data, chain) = (dp.row(i), cp.row(i));
                let lambda = frequencies[i] as f32;
                let dv = vd[i] - vm[i];
                for j in 0..nh {
                    let mut g = data[j] as f32 * fd - chain[j] as f32 * fm;
                    if centred {
                        g -= lambda * (hd[j] - hm[j]) + dv * hd[j];
                    }
                    gradient[j] = g - l2 * weights[i * nh + j];
                }
            }
        })?;
        let mut db: Vec<f32> = vd.iter().zip(&vm).map(|(d, m)| d - m).collect();
        let mut dc: Vec<f32> = hd.iter().zip(&hm).map(|(d, m)| d - m).collect();
        if centred {
            for (i, row) in w.gradient.chunks_exact(nh).enumerate() {
                db[i] -= row.iter().zip(&hd).map(|(g, h)| g * h).sum::<f32>();
                let lambda = frequencies[i] as f32;
                dc.iter_mut().zip(row).for_each(|(c, g)| *c -= lambda * g);
            }
        }
        let step = self.update + 1;
        let [mw, mb, mc] = &mut self.moments;
        mw.ascend(&self.threads, &mut self.rbm.weights, &w.gradient, rate as f32, step)?;
        mb.ascend(&self.threads, &mut self.rbm.visible_bias, &db, rate as f32, step)?;
        mc.ascend(&self.threads, &mut self.rbm.hidden_bias, &dc, rate as f32, step)?;
        match self.ladder.top_mut() {
            Some(top) => top.set(&self.device, &self.rbm),
            None => Ok(()),
        }
    }
}

impl Settings {
    pub fn from_options(options: &Options, seed: u64) -> Self {
        Settings {
            hidden: Hidden::from_name(options.text("hidden_type")).unwrap_or(Hidden::Bernoulli),
            hidden_units: options.whole("hidden"),
            updates: options.whole("updates") as u64,
            batch: options.whole("batch"),
            chains: options.whole("chains"),
            k: options.whole("k"),
            method: if options.text("method") == "rdm" { Method::Rdm } else { Method::Pcd },
            rule: match options.text("optimiser") {
                "adam" => Rule::Adam,
                _ => Rule::Sgd { momentum: options.number("momentum") as f32 },
            },
            rate: options.number("learning_rate"),
            final_rate: 0.0,
            l2: options.number("l2"),
            centred: options.flag("centred"),
            initial: 0.01,
            seed,
            swap_every: options.whole("swap_every") as u64,
            place: options.number("rung_acceptance"),
        }
    }
}
