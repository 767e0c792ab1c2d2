//! The stream of artificial haplotypes of a model. Schedules live here, half-steps in `models`.
//!
//! Haplotype i is a function of (model, seed, label, start panel, i), and of the sampler's options: each has random
//! numbers of its own, and all that is summed is summed exactly. So it does not matter how many are asked for at a time,
//! on how many threads, in which region, or after which seek. Where a [`Plan`] asks for several labels, i counts from 0 in
//! each: haplotype i of a label is the same in any plan.

mod artificial;
pub mod chains;
pub mod likelihood;
pub mod plan;
pub mod tempering;

use crate::compute::device::at_once;
use crate::compute::{Device, DeviceChoice, Sent};
use crate::error::{Error, ErrorKind, Result};
use crate::hmm::copying::Copying;
use crate::models::context::Crossovers;
use crate::models::neural::{Drawer, Rows};
use crate::models::{Generator, Model, SampledRbm, Start};
use crate::nn::Workspace;
use crate::options::{Options, Reader};
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::region::Region;
use crate::panel::sites::Sites;
use crate::progress::Cancel;
use crate::rng::{Purpose, Stream};
use crate::threads::Threads;
use chains::{Chains, Schedule};
use plan::{Piece, Plan};
use std::collections::VecDeque;
use std::sync::Arc;

pub use artificial::{Artificial, described};

/// What a sampler is given besides its model.
#[derive(Clone, Debug)]
pub struct SampleSettings {
    /// The seed. Default: 1.
    pub seed: u64,
    /// The sites wanted. Default: all of the model.
    pub region: Option<Region>,
    /// What [`Plan`] reads: the population wanted, or several with their counts, for models that know labels. Default: all
    /// in their shares.
    pub label: Option<String>,
    /// Haplotypes that chains of an RBM start from: haplotype i starts from row i modulo their number. They should be
    /// people other than those the model was trained on. Default: the model's own start.
    pub start: Option<Panel>,
    /// Threads. Haplotypes do not depend on them. Default: one.
    pub threads: Threads,
    /// Where haplotypes are made. Those of an RBM do not depend on it; those of a neural generator differ in rare alleles, whose
    /// chance is within rounding of their draw. Default: the processor.
    pub device: DeviceChoice,
    /// Options that the sampler reads.
    pub options: Options,
    /// Stops a call that makes haplotypes. Default: nobody does.
    pub cancel: Cancel,
}

impl Default for SampleSettings {
    fn default() -> Self {
        let (threads, options) = (Threads::single(), Options::new());
        SampleSettings {
            seed: 1,
            region: None,
            label: None,
            start: None,
            threads,
            device: DeviceChoice::Cpu,
            options,
            cancel: Cancel::new(),
        }
    }
}

impl SampleSettings {
    /// From the keys `seed`, `region`, `label`, `threads`, `device` and those of sampling, with their defaults; no start panel.
    ///
    /// # Errors
    /// `Region`; `InvalidOption` for a device that does not parse.
    pub fn from_options(options: &Options) -> Result<Self> {
        Ok(SampleSettings {
            seed: options.whole("seed") as u64,
            region: options.given("region").map(str::parse).transpose()?,
            label: options.given("label").map(String::from),
            start: None,
            threads: Threads::new(options.whole("threads")),
            device: options.text("device").parse()?,
            options: options.clone(),
            cancel: Cancel::new(),
        })
    }
}

/// Haplotypes of a stream without a plan.
const MOST: u64 = 1 << 48;
/// Haplotypes made at a time where it is not a device that says how many.
const BATCH: usize = 480;

/// What makes blocks of a context model, and the block that was made last.
struct Weaver {
    crossovers: Crossovers,
    block: Option<(u64, BitMatrix)>,
}

/// A neural generator at work.
struct Network {
    drawer: Drawer,
    workspace: Workspace<f32>,
}

/// Chains of an RBM on a device.
struct Worker {
    device: Device,
    chains: Chains,
}

/// A stream of artificial haplotypes. It keeps its model alive.
pub struct Sampler {
    model: Arc<Model>,
    seed: u64,
    region: Option<Region>,
    /// What was set among the options, and the fingerprint of the start panel, for headers of files.
    chosen: String,
    start: Option<String>,
    threads: Threads,
    workers: Vec<Worker>,
    copying: Option<Copying>,
    weaver: Option<Weaver>,
    /// A neural generator on each device.
    networks: Vec<Network>,
    /// Which haplotypes have which label.
    plan: Plan,
    sites: Sites,
    /// The model's sites that are wanted; `None` for all.
    columns: Option<Arc<[usize]>>,
    next: u64,
    cancel: Cancel,
}

impl Sampler {
    /// A stream that begins at haplotype 0.
    ///
    /// # Errors
    /// `Empty` for a region without sites of the model, `Region` for a contig that it does not have; `UnknownName` for a label; `InvalidOption` for a plan of labels that does not
    /// parse, and for an option that the model cannot follow; `NoOverlap` and its kin for a start panel that lacks sites of the model; `OutOfMemory`; `NoDriver`, `NoDevice`,
    /// `OutOfDeviceMemory` or `DeviceFailed` for a GPU.
    pub fn new(model: Arc<Model>, settings: &SampleSettings) -> Result<Self> {
        let plan = settings.label.as_ref().map_or(Ok(Plan::Shares), |text| Plan::parse(text, model.labels()))?;
        let chosen = settings.options.chosen(&[Reader::Sample]);
        let workers = match &model.generator {
            Generator::Rbm(machine) => {
                let schedule = schedule(&model, machine, settings)?;
                let chains = |device: &Device| {
                    Ok(Chains::new(device, machine, schedule.clone())?.stopped_by(settings.cancel.clone()))
                };
                let choices = settings.device.each()?;
                let laid_out = choices.into_iter().map(|choice| choice.laid_out(&settings.threads, chains));
                laid_out.map(|made| made.map(|(device, chains)| Worker { device, chains })).collect::<Result<_>>()?
            }
            _ if settings.start.is_some() => {
                return Err(Error::argument("only an RBM starts from a panel").remedy("leave out the start panel"));
            }
            _ if !chosen.is_empty() => {
                let what = format!("a {} model does not read {chosen}", model.kind().name());
                return Err(Error::new(ErrorKind::UnknownOption, what).remedy("these options are for RBMs"));
            }
            _ => Vec::new(),
        };
        if !model.kind().works_on_devices() {
            // It works on the processor; but a device that is asked for by its number and not there is a mistake.
            settings.device.must_be_there(&settings.threads)?;
        }
        let copying = match &model.generator {
            Generator::Copying(panel) => Some(panel.model(&model.sites)?),
            _ => None,
        };
        let weaver = match &model.generator {
            Generator::Context(context) => Some(Weaver { crossovers: Crossovers::of(context)?, block: None }),
            _ => None,
        };
        let networks = match &model.generator {
            Generator::Neural(neural) => {
                let network = |device: &Device| {
                    let (mut drawer, workspace) = (Drawer::new(neural, model.sites.len()), Workspace::on(device));
                    drawer.place(&workspace)?;
                    Ok(Network { drawer, workspace })
                };
                let choices = settings.device.each()?;
                let laid_out = choices.into_iter().map(|choice| choice.laid_out(&settings.threads, network));
                laid_out.map(|made| made.map(|(_, network)| network)).collect::<Result<_>>()?
            }
            _ => Vec::new(),
        };
        let (sites, columns) = match &settings.region {
            None => (model.sites.clone(), None),
            Some(region) => {
                let columns: Vec<usize> = model.sites.range(region).collect();
                if columns.is_empty() {
                    let contigs: Vec<String> = model.sites.contigs().iter().map(|c| c.to_string()).collect();
                    let known = contigs.contains(&region.contig);
                    let kind = if known { ErrorKind::Empty } else { ErrorKind::Region };
                    return Err(Error::new(kind, format!("the model has no site in region {region}"))
                        .remedy(format!("its contigs are {}", contigs.join(", "))));
                }
                (model.sites.select(&columns)?, Some(columns.into()))
            }
        };
        Ok(Sampler {
            seed: settings.seed,
            region: settings.region.clone(),
            chosen,
            start: settings.start.as_ref().map(Panel::fingerprint),
            threads: settings.threads.clone(),
            workers,
            copying,
            weaver,
            networks,
            plan,
            sites,
            columns,
            next: 0,
            cancel: settings.cancel.clone(),
            model,
        })
    }

    /// The sites of the haplotypes.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The region that was asked for.
    pub fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    /// The number of the next haplotype.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Goes to haplotype `i`.
    pub fn seek(&mut self, i: u64) {
        self.next = i;
    }

    /// Which haplotypes have which label.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Haplotypes of the whole stream: those of the plan, or 2^48.
    pub fn end(&self) -> u64 {
        self.plan.haplotypes().unwrap_or(MOST)
    }

    /// The label of haplotype `i`; `None` for a model that knows none, and past the end of the stream.
    pub fn label(&self, i: u64) -> Option<&str> {
        let drawer = &self.networks.first()?.drawer;
        let piece = self.plan.pieces(i, 1).next()?;
        let drawn = || drawer.label_of_person(self.seed, Purpose::Sample, i / 2);
        self.model.labels().names.get(piece.label.unwrap_or_else(drawn)).map(String::as_str)
    }

    /// Fails unless the stream has `n` haplotypes from number `first` on.
    fn require(&self, first: u64, n: usize) -> Result<()> {
        match first.checked_add(n as u64).is_some_and(|end| end <= self.end()) {
            true => Ok(()),
            false if self.plan.haplotypes().is_none() => {
                Err(Error::argument("there are 2^48 haplotypes in a stream, and no more"))
            }
            false => {
                let what =
                    format!("the labels ask for {} haplotypes, and {n} from {first} on go past them", self.end());
                Err(Error::argument(what).remedy("ask for fewer, or for more of a label"))
            }
        }
    }

    /// The next `n` haplotypes: a row each, a column a site of the region.
    ///
    /// # Errors
    /// `OutOfMemory`; `OutOfDeviceMemory`, `DeviceFailed`; `Cancelled`; `InvalidArgument` past [`Sampler::end`]. The stream stays
    /// where it was then.
    pub fn next(&mut self, n: usize) -> Result<BitMatrix> {
        self.require(self.next, n)?;
        let mut out = BitMatrix::zeros(n, self.sites.len())?;
        let stride = out.stride();
        let columns = self.columns.clone();
        let mut place = |first: usize, batch: BitMatrix| -> Result<()> {
            let batch = match &columns {
                Some(columns) => batch.select_columns(columns)?,
                None => batch,
            };
            out.words_mut()[first * stride..][..batch.words().len()].copy_from_slice(batch.words());
            Ok(())
        };
        if self.workers.is_empty() {
            let at_a_time = self.networks_at_a_time();
            for first in (0..n).step_by(at_a_time) {
                self.cancel.check()?;
                place(first, self.batch(self.next + first as u64, (n - first).min(at_a_time))?)?;
            }
        } else {
            self.of_chains(n, place)?;
        }
        self.next += n as u64;
        Ok(out)
    }

    /// Haplotypes that networks are asked for at a time on all devices together.
    fn networks_at_a_time(&self) -> usize {
        let of_device = |network: &Network| network.drawer.rows_at_a_time().max(BATCH);
        self.networks.iter().map(of_device).sum::<usize>().max(BATCH)
    }

    /// Haplotypes that chains are asked for at a time on each device.
    fn rows_at_a_time(&self) -> usize {
        // Bits of both layers and of each rung, and numbers of hidden units on their way.
        let bytes = match &self.model.generator {
            Generator::Rbm(machine) => {
                let rungs = machine.ladder.len() + 2;
                rungs * machine.rbm.sites() / 8 + 16 * machine.rbm.hidden_units() + machine.rbm.sites()
            }
            _ => 4 * self.model.sites.len(),
        };
        self.workers.iter().map(|worker| worker.device.rows_at_a_time(bytes)).min().unwrap_or(BATCH)
    }

    /// Haplotypes that callers do well to ask for at a time, a multiple of 8: two batches of each GPU, so that one is made
    /// while the other comes.
    pub(crate) fn portion(&self) -> usize {
        match self.workers.iter().any(|worker| matches!(worker.device, Device::Cuda(_))) {
            true => 2 * self.workers.len() * self.rows_at_a_time(),
            false => self.networks_at_a_time().next_multiple_of(8),
        }
    }

    /// Has chains make the next `n` haplotypes; `place` gets them, from which of the `n` on. Devices take turns, and are given
    /// their next chains before what they made has come.
    fn of_chains(&self, n: usize, mut place: impl FnMut(usize, BitMatrix) -> Result<()>) -> Result<()> {
        let at_a_time = self.rows_at_a_time();
        let mut coming: VecDeque<(usize, Sent)> = VecDeque::new();
        for (i, first) in (0..n).step_by(at_a_time).enumerate() {
            self.cancel.check()?;
            let Worker { device, chains } = &self.workers[i % self.workers.len()];
            let count = (n - first).min(at_a_time);
            coming.push_back((first, chains.haplotypes(device, self.seed, self.next + first as u64, count)?));
            if coming.len() > self.workers.len() {
                coming.pop_front().map_or(Ok(()), |(first, sent)| place(first, sent.bits()?))?;
            }
        }
        coming.into_iter().try_for_each(|(first, sent)| place(first, sent.bits()?))
    }

    /// Haplotypes `first ..` of a neural generator, as many as `out` has rows: each device makes its share meanwhile.
    fn of_networks(&mut self, first: u64, mut out: BitMatrix) -> Result<BitMatrix> {
        let (plan, seed, stride) = (&self.plan, self.seed, out.stride());
        let share = out.rows().div_ceil(self.networks.len()).max(1);
        let parts = self.networks.iter_mut().zip(out.words_mut().chunks_mut((share * stride).max(1))).enumerate();
        at_once(parts, |(i, (network, words))| network.fill(plan, seed, first + (i * share) as u64, words, stride))?;
        Ok(out)
    }

    /// Haplotypes `first .. first + n` at all sites of the model.
    fn batch(&mut self, first: u64, n: usize) -> Result<BitMatrix> {
        let mut out = BitMatrix::zeros(n, self.model.sites.len())?;
        let stride = out.stride();
        if !self.networks.is_empty() {
            return self.of_networks(first, out);
        }
        if let (Generator::Context(context), Some(weaver)) = (&self.model.generator, &mut self.weaver) {
            let size = context.block_size() as u64;
            for (i, row) in (first..).zip(out.words_mut().chunks_exact_mut(stride)) {
                let block = match weaver.block.take().filter(|(index, _)| *index == i / size) {
                    Some(made) => made,
                    None => {
                        self.cancel.check()?;
                        (i / size, context.block(&weaver.crossovers, self.seed, i / size)?)
                    }
                };
                row.copy_from_slice(block.1.row((i % size) as usize));
                weaver.block = Some(block);
            }
            return Ok(out);
        }
        self.threads.for_each_piece(out.words_mut(), stride, |r, row| {
            let stream = Stream::new(self.seed, Purpose::Sample, first + r as u64);
            match &self.model.generator {
                Generator::Bernoulli(m) => m.draw(&stream, row),
                Generator::Markov(m) => m.draw(&stream, |site| row[site / 64] |= 1 << (site % 64)),
                Generator::Copying(_) => {
                    if let Some(copying) = &self.copying {
                        copying.draw(&stream, |site| row[site / 64] |= 1 << (site % 64));
                    }
                }
                Generator::Hmm(m) => m.draw(&stream, |site| row[site / 64] |= 1 << (site % 64)),
                Generator::Rbm(_) | Generator::Context(_) | Generator::Neural(_) => {}
            }
        })?;
        Ok(out)
    }
}

impl Network {
    /// Rows `first ..` of a stream, as many as fill `words`.
    fn fill(&mut self, plan: &Plan, seed: u64, first: u64, words: &mut [u64], stride: usize) -> Result<()> {
        let mut words = words;
        for Piece { label, first, count } in plan.pieces(first, words.len() / stride) {
            let rows = Rows { seed, purpose: Purpose::Sample, first, count, label };
            let (piece, rest) = words.split_at_mut(count * stride);
            piece.copy_from_slice(self.drawer.haplotypes(&mut self.workspace, rows)?.words());
            words = rest;
        }
        Ok(())
    }
}

/// The schedule that settings ask for.
fn schedule(model: &Model, machine: &SampledRbm, settings: &SampleSettings) -> Result<Schedule> {
    let options = &settings.options;
    let sweeps = match options.whole("sample_sweeps") {
        0 => machine.sweeps,
        n => n,
    };
    if let Some(start) = &settings.start {
        if options.is_set("sampler") {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                "chains start from a panel, and option sampler says otherwise",
            )
            .remedy("give one of the two"));
        }
        return Ok(Schedule::Panel { haplotypes: model.haplotypes_of(start, "start panel")?.0, sweeps });
    }
    let gibbs = |start| Ok(Schedule::Gibbs { start, sweeps });
    match options.text("sampler") {
        "mixture" => gibbs(Start::Mixture),
        "gibbs" => gibbs(Start::Independent),
        "random" => gibbs(Start::Random),
        "tempering" => {
            Ok(Schedule::Tempering { rounds: options.whole("rounds"), sweeps: options.whole("round_sweeps") })
        }
        _ => gibbs(machine.start),
    }
}
