//! How models learn.

pub mod checkpoint;
pub mod clusters;
pub mod contrastive;
pub mod expectation;
pub mod neural;
pub mod optimiser;
pub mod output;
pub mod stopping;
pub mod trainers;

use crate::compute::DeviceChoice;
use crate::error::{Error, ErrorKind, Result};
use crate::hmm::clusters::Clusters;
use crate::hmm::rates::{Judged, Rates};
use crate::memory;
use crate::models::bernoulli::Bernoulli;
use crate::models::context::Context;
use crate::models::copying::CopiedPanel;
use crate::models::markov::Markov;
use crate::models::mixture::Mixture;
use crate::models::rbm::Rbm;
use crate::models::{EQUAL_CLUSTERS, Generator, Model, ModelKind, Output, Provenance, SampledRbm};
use crate::options::{Options, Reader};
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::genetic_map::distances;
use crate::progress::{Event, Progress};
use crate::rng::{Purpose, Stream};
use crate::sample::likelihood::{Annealing, Method, log_likelihood};
use crate::sample::tempering;
use crate::threads::Threads;
use contrastive::{Settings, State, Trainer, begin};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use stopping::Watch;
use trainers::Trainers;

/// What a run of training is given besides panel and options.
#[derive(Clone, Debug)]
pub struct TrainSettings {
    /// The seed. Default: 1.
    pub seed: u64,
    /// The threads. Results do not depend on them. Default: one.
    pub threads: Threads,
    /// Where it learns. An RBM is the same on any device; a neural generator is not to the last bit, and learns alike. Default:
    /// the processor.
    pub device: DeviceChoice,
    /// Where checkpoints of an RBM go. Default: nowhere.
    pub checkpoint: Option<PathBuf>,
    /// Whether to go on from the checkpoint there. Default: no.
    pub resume: bool,
}

impl Default for TrainSettings {
    fn default() -> Self {
        TrainSettings {
            seed: 1,
            threads: Threads::single(),
            device: DeviceChoice::Cpu,
            checkpoint: None,
            resume: false,
        }
    }
}

impl TrainSettings {
    /// From the keys `seed`, `threads`, `device`, `checkpoint` and `resume`, with their defaults.
    ///
    /// # Errors
    /// `InvalidOption` for a device that does not parse.
    pub fn from_options(options: &Options) -> Result<Self> {
        Ok(TrainSettings {
            seed: options.whole("seed") as u64,
            threads: Threads::new(options.whole("threads")),
            device: options.text("device").parse()?,
            checkpoint: options.given("checkpoint").map(PathBuf::from),
            resume: options.flag("resume"),
        })
    }
}

/// The options that training a model of this kind reads.
pub fn readers(kind: ModelKind) -> &'static [Reader] {
    match kind {
        ModelKind::Rbm => &[Reader::Train, Reader::Descent, Reader::Rbm],
        ModelKind::Markov => &[Reader::Markov],
        ModelKind::Copying => &[Reader::Map, Reader::Copying],
        ModelKind::Context => &[Reader::Context],
        ModelKind::Bernoulli => &[],
        ModelKind::Hmm => &[Reader::Train, Reader::Hmm],
        ModelKind::Gan | ModelKind::Wgan | ModelKind::Vae | ModelKind::PcaGan => &[Reader::Descent, Reader::Neural],
    }
}

/// Trains a model on a complete panel.
///
/// # Errors
/// `Empty`, `Missing`, `Unphased` for a panel that is not complete; `InvalidOption` for options that contradict each other,
/// the kind of model or the panel; `Diverged`; `Cancelled` (after writing a checkpoint,
/// where there is a place for one); `CheckpointMismatch`; `Io`; `OutOfMemory`.
pub fn train(
    panel: &Panel,
    kind: ModelKind,
    options: &Options,
    settings: &TrainSettings,
    progress: &mut Progress,
) -> Result<Model> {
    match kind {
        ModelKind::Gan | ModelKind::Wgan | ModelKind::Vae | ModelKind::PcaGan
            if options.text("genotypes") == "unphased" =>
        {
            panel.require_no_missing()?
        }
        _ => panel.require_complete()?,
    }
    if !kind.works_on_devices() && settings.device != DeviceChoice::Cpu {
        progress.notice(format!("a {} model learns on the processor", kind.name()));
    }
    let mut provenance = Provenance {
        version: crate::VERSION.to_string(),
        seed: settings.seed,
        options: options.describe(readers(kind)),
        haplotypes: panel.haplotypes() as u64,
        panel_sha256: panel.fingerprint(),
        ..Provenance::default()
    };
    let began = SystemTime::now();
    let mut learnt = learn(panel, kind, options, settings, &mut provenance, progress);
    if let Err(failed) = &learnt
        && failed.kind() == ErrorKind::OutOfDeviceMemory
        && settings.device == DeviceChoice::Auto
    {
        // What this run has kept by now is not lost; what another left there is not asked for.
        let kept = settings.checkpoint.as_ref().is_some_and(|folder| checkpoint::is_newer(folder, began));
        let how = if kept { "goes on from its checkpoint" } else { "begins again" };
        progress.notice(format!("{how} on the processor: {failed}"));
        let resume = settings.resume || kept;
        let settings = TrainSettings { device: DeviceChoice::Cpu, resume, ..settings.clone() };
        learnt = learn(panel, kind, options, &settings, &mut provenance, progress);
    }
    Ok(Model { sites: panel.sites().clone(), generator: learnt?, provenance })
}

/// What a panel teaches a model of this kind.
fn learn(
    panel: &Panel,
    kind: ModelKind,
    options: &Options,
    settings: &TrainSettings,
    provenance: &mut Provenance,
    progress: &mut Progress,
) -> Result<Generator> {
    Ok(match kind {
        ModelKind::Bernoulli => {
            progress.check()?;
            Generator::Bernoulli(Bernoulli { frequencies: panel.frequencies() })
        }
        ModelKind::Markov => {
            progress.check()?;
            let sites = panel.sites();
            let begins = |i: &usize| *i == 0 || sites[*i].contig != sites[*i - 1].contig;
            let starts: Vec<u64> = (0..sites.len()).filter(begins).map(|i| i as u64).collect();
            Generator::Markov(Markov::count(panel.bits(), &starts, options.whole("window")))
        }
        ModelKind::Copying => Generator::Copying(train_copying(panel, options, settings, progress)?),
        ModelKind::Context => {
            progress.step("finding shared runs", 0, 1, "panel")?;
            let samples = panel.samples();
            let people = (0..panel.haplotypes()).map(|h| samples.of_haplotype(h) as u32).collect();
            let (contigs, share) = (panel.sites().contig_ranges(), options.number("run_share"));
            let (bits, least) = (panel.bits().clone(), options.whole("least_carriers"));
            Generator::Context(Box::new(Context::learn(bits, people, contigs, share, least, &settings.threads)?))
        }
        ModelKind::Rbm => {
            let machine = train_rbm(panel, options, settings, provenance, progress)?;
            Generator::Rbm(Box::new(machine))
        }
        ModelKind::Gan | ModelKind::Wgan | ModelKind::Vae | ModelKind::PcaGan => {
            let generator = neural::fit(panel, kind, options, settings, provenance, progress)?;
            Generator::Neural(Box::new(generator))
        }
        ModelKind::Hmm => {
            let clusters = expectation::fit(panel, options, settings, provenance, progress)?;
            let equal = equal_clusters(&clusters, panel)?;
            provenance.metrics.push((EQUAL_CLUSTERS.to_string(), equal as f64));
            if equal > 0 {
                progress.notice(format!(
                    "the likeliest alleles of {equal} of {} clusters are those of a training haplotype at every site: the \
                     file is as private as the panel; fewer hmm_clusters or a larger allele_prior come less near",
                    clusters.clusters()
                ));
            }
            Generator::Hmm(Box::new(clusters))
        }
    })
}

/// Clusters whose likeliest alleles are those of a haplotype of the panel.
fn equal_clusters(clusters: &Clusters, panel: &Panel) -> Result<usize> {
    let people: HashSet<&[u64]> = (0..panel.haplotypes()).map(|h| panel.bits().row(h)).collect();
    let likeliest = clusters.likeliest()?;
    Ok((0..likeliest.rows()).filter(|cluster| people.contains(likeliest.row(*cluster))).count())
}

/// The panel itself, and rates: those given, or the ones under which some of its people are most likely.
fn train_copying(
    panel: &Panel,
    options: &Options,
    settings: &TrainSettings,
    progress: &mut Progress,
) -> Result<CopiedPanel> {
    let map = options.given("map").map(|path| crate::io::read_genetic_map(path.as_ref())).transpose()?;
    let (centimorgans, notices) = distances(map.as_ref(), panel.sites())?;
    notices.into_iter().for_each(|notice| progress.notice(notice));
    let judged = Judged {
        haplotypes: panel.bits(),
        samples: panel.samples(),
        sites: panel.sites(),
        centimorgans: &centimorgans,
    };
    let given = Rates { effective_size: options.number("effective_size"), error: options.number("error") };
    let all: Vec<usize> = (0..panel.sites().len()).collect();
    let rates = judged.estimate(&all, given, &settings.threads, progress)?;
    Ok(CopiedPanel { haplotypes: panel.bits().clone(), centimorgans, rates })
}

/// The haplotypes that a model learns from, and those of people kept aside.
pub(crate) fn split(panel: &Panel, held_out: f64, seed: u64) -> Result<(BitMatrix, Option<BitMatrix>)> {
    let people = panel.samples().len();
    let chosen = aside(panel, held_out, seed);
    if chosen.is_empty() {
        return Ok((panel.bits().clone(), None));
    }
    let (mut learn, mut judge) = (Vec::new(), Vec::new());
    for person in 0..people {
        let rows = panel.samples().haplotypes_of(person);
        if chosen.contains(&person) { judge.extend(rows) } else { learn.extend(rows) }
    }
    if learn.is_empty() {
        return Err(Error::new(ErrorKind::Empty, "held_out leaves nobody to learn from"));
    }
    Ok((panel.bits().select_rows(&learn)?, Some(panel.bits().select_rows(&judge)?)))
}

/// The people that are kept aside, a share of all.
fn aside(panel: &Panel, share: f64, seed: u64) -> Vec<usize> {
    let people = panel.samples().len();
    let aside = (people as f64 * share).round() as usize;
    Stream::new(seed, Purpose::Shuffle, u64::from(u32::MAX)).reader(0).choose(people, aside)
}

/// Updates between two looks at whether a rung is due.
const RUNG_EVERY: u64 = 10;
/// The smallest step that training falls back to.
const SMALLEST_RATE: f64 = 1e-6;
/// Adversarial accuracy against the training haplotypes above which a model has hardly learned.
const UNLEARNED: f64 = 0.8;
/// Updates between two checkpoints.
const CHECKPOINT_EVERY: u64 = 500;

fn train_rbm(
    panel: &Panel,
    options: &Options,
    settings: &TrainSettings,
    provenance: &mut Provenance,
    progress: &mut Progress,
) -> Result<SampledRbm> {
    if options.text("optimiser") == "rmsprop" {
        return Err(Error::new(ErrorKind::InvalidOption, "optimiser=rmsprop is for a neural generator")
            .remedy("an RBM learns by sgd or adam"));
    }
    let (data, held_out) = split(panel, options.number("held_out"), settings.seed)?;
    let of_run = Settings::new(options, settings.seed, data.rows(), data.columns());
    // Weights in a dozen copies (packed for both half-steps, moments, gradients, as they are written), and states.
    let weights = of_run.hidden_units.checked_mul(data.columns()).and_then(|n| n.checked_mul(48));
    let states = (of_run.chains + of_run.batch).checked_mul(4 * (of_run.hidden_units + data.columns()));
    let bytes = weights.zip(states).and_then(|(a, b)| a.checked_add(b));
    memory::require(bytes, "the weights and chains of training")?;
    if let Some(folder) = &settings.checkpoint {
        // Before the work: a folder that cannot be made would cost the state just when it is needed.
        checkpoint::prepare(folder)?;
    }
    let identity = format!("panel {}, seed {}, {}", provenance.panel_sha256, settings.seed, provenance.options);
    if settings.resume && settings.checkpoint.is_none() {
        return Err(Error::argument("to resume, say where the checkpoint is")
            .remedy("name the folder with option checkpoint=FOLDER"));
    }
    let data = Arc::new(data);
    let lay_out = |of_run: &Settings, mixture: &Mixture, state: &State, progress: &mut Progress| {
        let laid_out = Trainers::new(&data, of_run, settings.device, &settings.threads, mixture, state)?;
        if settings.device != DeviceChoice::Cpu {
            progress.notice(format!("learns on {laid_out}"));
        }
        Ok::<_, Error>(laid_out)
    };
    // Before the work, too: a device that cannot be had.
    let held = settings.device.open(&settings.threads)?;
    let (mixture, state) = match settings.checkpoint.as_ref().filter(|_| settings.resume) {
        Some(folder) => checkpoint::open(folder, &identity, &of_run, data.columns())?,
        None => begin(&data, &of_run, &settings.threads)?,
    };
    let mut trainers = lay_out(&of_run, &mixture, &state, progress)?;
    drop((mixture, state, held));
    if settings.resume {
        progress.notice(format!("goes on after update {} of {}", trainers.first().updates_done(), of_run.updates));
    }
    let save = |trainer: &Trainer| match &settings.checkpoint {
        Some(folder) => checkpoint::save(folder, &identity, &trainer.mixture, &trainer.state()?),
        None => Ok(()),
    };
    let mut watch = Watch::new(options, held_out.as_ref(), &data, settings.seed)?;
    let ladder = options.flag("ladder");
    let total = of_run.updates;
    while !trainers.first().is_done() {
        if let Err(stopped) = progress.step("training", trainers.first().updates_done(), total, "updates") {
            save(trainers.first())?;
            return Err(match &settings.checkpoint {
                Some(folder) => stopped.remedy(format!(
                    "update {} is kept in {}: the same with option resume=true goes on from there",
                    trainers.first().updates_done(),
                    folder.display()
                )),
                None => stopped.remedy("with option checkpoint=FOLDER nothing would have been lost"),
            });
        }
        if let Err(failed) = trainers.step() {
            // A size of step that was not asked for is taken back.
            let rate = 0.5 * trainers.first().settings.rate;
            if failed.kind() != ErrorKind::Diverged || options.number("learning_rate") > 0.0 || rate < SMALLEST_RATE {
                return Err(failed);
            }
            progress.notice(format!("{failed}: begins again with learning_rate {rate:.2e}"));
            let of_run = Settings { rate, ..of_run.clone() };
            drop(trainers);
            let (mixture, state) = begin(&data, &of_run, &settings.threads)?;
            trainers = lay_out(&of_run, &mixture, &state, progress)?;
            watch = Watch::new(options, held_out.as_ref(), &data, of_run.seed)?;
            continue;
        }
        let update = trainers.first().updates_done();
        if ladder && update.is_multiple_of(RUNG_EVERY) {
            trainers.consider_rung(options.number("rung_acceptance"))?;
        }
        if watch.is_due(update) && watch.look(trainers.first(), progress)? {
            break;
        }
        if update.is_multiple_of(CHECKPOINT_EVERY) {
            save(trainers.first())?;
        }
    }
    progress.report(Event::Step { phase: "training", done: trainers.first().updates_done(), total, unit: "updates" });
    let trainer = trainers.first();
    let rbm = match watch.into_best() {
        Some((update, rbm)) => {
            progress.notice(format!("the machine of update {update} is kept"));
            provenance.updates = update;
            rbm
        }
        None => {
            provenance.updates = trainer.updates_done();
            trainer.rbm()?
        }
    };
    let machine = finish(trainer, rbm, &data, options, settings, provenance, ladder)?;
    if let Some((_, truth)) = provenance.metrics.iter().find(|(name, truth)| name == "aa_truth" && *truth > UNLEARNED) {
        progress.notice(format!(
            "artificial haplotypes are far from the real ones (aa_truth {truth:.2}, where .5 is best): after {} updates the \
             model has learned little; more epochs, a smaller batch or a smaller l2 learn more",
            provenance.updates
        ));
    }
    if let Some(held_out) = &held_out {
        let method = Method::Annealing(Annealing { seed: settings.seed, ..Annealing::default() });
        let judged = log_likelihood(trainer.device(), &machine, held_out, &method, progress)?;
        provenance.metrics.push(("held_out_log_likelihood".into(), judged.mean));
        provenance.metrics.push(("held_out_log_likelihood_error".into(), judged.error));
    }
    Ok(machine)
}

/// Rounds the machine as its file keeps it, fits the last half-step, completes the ladder and measures.
fn finish(
    trainer: &Trainer,
    rbm: Rbm,
    data: &BitMatrix,
    options: &Options,
    settings: &TrainSettings,
    provenance: &mut Provenance,
    ladder: bool,
) -> Result<SampledRbm> {
    let device = trainer.device();
    let rbm = rbm.rounded();
    let (start, sweeps) = trainer.settings.sampling();
    let mut machine = SampledRbm {
        output: Output { sharpness: 1.0, bias: rbm.visible_bias.clone() },
        rbm,
        mixture: trainer.mixture.clone(),
        ladder: Vec::new(),
        start,
        sweeps,
    };
    let plain = options.text("output") == "plain";
    let calibrated = output::calibrate(device, &machine, data, plain, settings.seed)?;
    machine.output = calibrated.output;
    if ladder {
        let bottom = Rbm::independent(
            machine.rbm.hidden,
            machine.rbm.hidden_units(),
            &contrastive::frequencies(data),
            data.rows(),
        );
        let rungs = [&bottom].into_iter().chain(trainer.rungs()).chain([&machine.rbm]);
        machine.ladder = tempering::build(device, rungs, &machine, options.number("rung_acceptance"), settings.seed)?;
    }
    let real = contrastive::frequencies(data);
    let made = contrastive::frequencies(&calibrated.haplotypes);
    let error = real.iter().zip(&made).map(|(a, b)| (a - b).abs()).sum::<f64>() / real.len() as f64;
    provenance.metrics = vec![
        ("aa_truth".into(), calibrated.aats.truth),
        ("aa_syn".into(), calibrated.aats.syn),
        ("allele_frequency_mae".into(), error),
    ];
    Ok(machine)
}
