//! How neural generators learn: adversarially or variationally, judged now and then by what they make.

pub mod adversarial;
mod checkpoint;
pub mod data;
mod judge;
pub mod label_loss;
pub mod losses;
mod scores;
pub mod settings;
pub mod variational;

use super::TrainSettings;
use crate::error::{Error, ErrorKind, Result};
use crate::io;
use crate::memory;
use crate::models::labels::Labels;
use crate::models::neural::{Body, Latent, Neural};
use crate::models::{ModelKind, Output, Provenance};
use crate::nn::optimiser::Optimiser;
use crate::nn::{Network, Workspace};
use crate::options::Options;
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;
use crate::progress::{Event, Progress};
use adversarial::Adversarial;
use data::Data;
use judge::{Judge, Look};
use losses::Losses;
use scores::Scores;
use settings::Settings;
use std::path::{Path, PathBuf};
use variational::{Variational, fit_clusters};

/// Updates between two checkpoints, beside those at looks.
const CHECKPOINT_EVERY: u64 = 2000;
/// The least rows that a cluster of a latent distribution stands for.
const LEAST_ROWS: usize = 20;

/// What learns.
enum Learner {
    Adversarial(Box<Adversarial>),
    Variational(Box<Variational>),
}

/// Lists of numbers that a checkpoint keeps, by name.
type Parts<'a> = (Vec<(&'static str, &'a mut Network)>, Vec<(&'static str, &'a mut Optimiser)>);

impl Learner {
    fn step(&mut self, workspace: &mut Workspace<f32>, data: &mut Data, update: u64) -> Result<Losses> {
        match self {
            Learner::Adversarial(run) => run.step(workspace, data, update),
            Learner::Variational(run) => run.step(workspace, data, update),
        }
    }

    fn parts(&mut self) -> Parts<'_> {
        match self {
            Learner::Adversarial(run) => {
                let mut networks =
                    vec![("generator", &mut run.generator), ("average", &mut run.average), ("critic", &mut run.critic)];
                let mut optimisers = vec![("generator", &mut run.generator_steps), ("critic", &mut run.critic_steps)];
                if let Some(first) = &mut run.first {
                    let own = [("decoder", &mut first.decoder), ("decoded", &mut first.average)];
                    networks.extend(own.into_iter().chain([("encoder", &mut first.encoder)]));
                    optimisers.extend([("decoder", &mut first.decoder_steps), ("encoder", &mut first.encoder_steps)]);
                }
                (networks, optimisers)
            }
            Learner::Variational(run) => (
                vec![("generator", &mut run.decoder), ("average", &mut run.average), ("encoder", &mut run.encoder)],
                vec![("generator", &mut run.decoder_steps), ("encoder", &mut run.encoder_steps)],
            ),
        }
    }

    /// Copies what learns to where a workspace works.
    fn place(&mut self, workspace: &Workspace<f32>) -> Result<()> {
        match self {
            Learner::Adversarial(run) => run.place(workspace),
            Learner::Variational(run) => run.place(workspace),
        }
    }

    /// Brings what was learned back to the processor's memory.
    fn fetch(&mut self) -> Result<()> {
        let (networks, optimisers) = self.parts();
        networks.into_iter().try_for_each(|(_, network)| network.fetch())?;
        optimisers.into_iter().try_for_each(|(_, optimiser)| optimiser.fetch())
    }

    /// Has the parts that a run has after `update` updates.
    fn go_to(&mut self, update: u64) {
        if let Learner::Adversarial(run) = self {
            run.go_to(update);
        }
    }

    /// The running average of the generator, with the running statistics of the generator itself.
    fn average(&self) -> Network {
        let (average, current) = match self {
            Learner::Adversarial(run) => match &run.first {
                Some(first) => (&first.average, &first.decoder),
                None => (&run.average, &run.generator),
            },
            Learner::Variational(run) => (&run.average, &run.decoder),
        };
        let mut network = average.clone();
        for ((numbers, parameter), current) in
            network.numbers.iter_mut().zip(&average.graph.parameters).zip(&current.numbers)
        {
            if !parameter.trained {
                numbers.clone_from(current);
            }
        }
        network
    }
}

/// The state that was the best so far.
#[derive(Clone)]
struct Best {
    update: u64,
    distance: f64,
    numbers: Vec<Vec<f32>>,
    latent: Latent,
    encoder: Option<Network>,
    output: Output,
    metrics: Vec<(String, f64)>,
}

/// Trains a neural generator.
///
/// # Errors
/// As [`super::train`].
pub fn fit(
    panel: &Panel,
    kind: ModelKind,
    options: &Options,
    settings: &TrainSettings,
    provenance: &mut Provenance,
    progress: &mut Progress,
) -> Result<Neural> {
    let of_run = Settings::new(options, kind, settings.seed, panel.haplotypes(), panel.sites().len())?;
    // Before the work: a device that cannot be had would be missed late.
    let device = settings.device.open(&settings.threads)?;
    let (mut data, judges) = rows(panel, &of_run, progress)?;
    let of_run = match (options.text("body"), kind) {
        // Convolutions share what they learn among neighbours; where neighbours are not linked there is nothing to share.
        ("auto", ModelKind::Wgan) if !linked(panel.sites()) => {
            progress.notice("neighbouring sites are far apart: the generator is fully connected (body=dense)");
            let mut dense = options.clone();
            dense.set("body", "dense")?;
            Settings::new(&dense, kind, settings.seed, panel.haplotypes(), panel.sites().len())?
        }
        _ => of_run,
    };
    if of_run.label_weight.is_some() && data.labels.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidOption,
            "label_critic=auxiliary without labels: there is nothing to tell",
        )
        .remedy("give the panel labels and leave option conditional as it is, or leave option label_critic out"));
    }
    data.length = match &of_run.body {
        Body::Dense(_) => 1,
        Body::Convolutional(body) => body.top(),
    };
    let frequencies = super::contrastive::frequencies(&data.bits);
    let sites = panel.sites().len();
    let judge = Judge::new(&data.bits, judges.as_ref(), panel.sites(), settings.seed, &device)?;
    if of_run.components > 0 {
        progress.step("fitting components", 0, 1, "panel")?;
        data.scores = Some(Scores::fit(&data.bits, of_run.components, settings.seed, &settings.threads)?);
    }
    let graph = Neural::graph(&of_run.body, of_run.components, data.bits.columns(), data.labels.len());
    graph.check()?;
    // Weights, their gradients, moments, averages and the best so far; and activations of a batch, both ways.
    let largest: usize = graph.nodes.iter().map(|n| n.channels * n.length).sum();
    let weights = graph.parameters.iter().map(|p| p.size()).sum::<usize>().checked_mul(4 * 9);
    let activations = largest.checked_mul(of_run.batch * of_run.pack * 4 * 4);
    memory::require(
        weights.zip(activations).and_then(|(a, b)| a.checked_add(b)),
        "the weights and layers of training",
    )?;
    let mut model = Neural {
        kind,
        body: of_run.body.clone(),
        components: of_run.components,
        network: Network::new(graph, Vec::new()),
        latent: Latent::Normal,
        output: Output { sharpness: 1.0, bias: vec![0.0; data.bits.columns()] },
        drawn: of_run.drawn,
        labels: data.labels.clone(),
        genotypes: of_run.genotypes,
        encoder: None,
    };
    let mut learner = match kind {
        ModelKind::Vae => Learner::Variational(Box::new(Variational::new(&of_run, &model, &data, &frequencies)?)),
        _ => Learner::Adversarial(Box::new(Adversarial::new(&of_run, &model, &data, &frequencies)?)),
    };
    let mut run = Run {
        identity: format!(
            "{}, panel {}, seed {}, {}",
            kind.name(),
            provenance.panel_sha256,
            settings.seed,
            provenance.options
        ),
        folder: settings.checkpoint.clone(),
        update: 0,
        stale: 0,
        log: Vec::new(),
        best: None,
    };
    if let Some(folder) = &settings.checkpoint {
        // Before the work: a folder that cannot be made would cost the state just when it is needed.
        super::checkpoint::prepare(folder)?;
    }
    match (&settings.checkpoint, settings.resume) {
        (Some(folder), true) => {
            checkpoint::open(folder, &mut run, &mut learner)?;
            progress.notice(format!("goes on after update {} of {}", run.update, of_run.updates));
        }
        (None, true) => {
            return Err(Error::argument("to resume, say where the checkpoint is")
                .remedy("name the folder with option checkpoint=FOLDER"));
        }
        _ => {}
    }
    let log_file = options.given("log").map(PathBuf::from);
    let (_, mut workspace) = settings.device.laid_out(&settings.threads, |device| {
        let workspace = Workspace::on(device);
        learner.place(&workspace)?;
        data.place(&workspace)?;
        Ok(workspace)
    })?;
    let every = (of_run.updates / of_run.looks.max(1)).max(1);
    while run.update < of_run.updates {
        if let Err(stopped) = progress.step("training", run.update, of_run.updates, "updates") {
            run.save(&mut learner)?;
            return Err(run.explain(stopped));
        }
        let losses = match learner.step(&mut workspace, &mut data, run.update) {
            Ok(losses) => losses,
            Err(failed) => return Err(run.explain(failed)),
        };
        run.update += 1;
        if run.update.is_multiple_of(every) || run.update == of_run.updates {
            learner.fetch()?;
            complete(&mut model, &learner, &data, &of_run, &mut workspace)?;
            let plain = options.text("output") == "plain";
            let look = judge.look(&mut workspace, &model, sites, plain)?;
            let accuracy = judge.label_accuracy(&workspace, &model, &look, &data)?;
            let line = look.line(run.update, losses, accuracy).to_string();
            progress.notice(told(run.update, &look, accuracy));
            run.log.push(line);
            if let Some(path) = &log_file {
                write_log(path, &run.log)?;
            }
            let better = run.best.as_ref().is_none_or(|best| look.distance() < best.distance);
            run.stale = if better { 0 } else { run.stale + 1 };
            if better {
                run.best = Some(best_of(&model, run.update, &look, accuracy));
            }
            run.save(&mut learner)?;
            if of_run.patience > 0 && run.stale >= of_run.patience {
                progress.notice(format!("{} looks without progress: training ends", run.stale));
                break;
            }
        } else if run.update.is_multiple_of(CHECKPOINT_EVERY) {
            run.save(&mut learner)?;
        }
    }
    progress.report(Event::Step { phase: "training", done: run.update, total: of_run.updates, unit: "updates" });
    let best = run.best.ok_or_else(|| Error::new(ErrorKind::Internal, "training ended without a look"))?;
    progress.notice(format!("the generator of update {} is kept", best.update));
    model.network.numbers = best.numbers;
    (model.latent, model.encoder, model.output) = (best.latent, best.encoder, best.output);
    provenance.updates = best.update;
    provenance.metrics = best.metrics;
    provenance.log = thinned(run.log);
    model.check(sites)?;
    Ok(model)
}

/// A run's place between two updates.
struct Run {
    identity: String,
    folder: Option<PathBuf>,
    update: u64,
    /// Looks since the best one.
    stale: u64,
    log: Vec<String>,
    best: Option<Best>,
}

impl Run {
    fn save(&self, learner: &mut Learner) -> Result<()> {
        match &self.folder {
            Some(folder) => {
                learner.fetch()?;
                checkpoint::save(folder, self, learner)
            }
            None => Ok(()),
        }
    }

    /// An error with what is left of the run.
    fn explain(&self, error: Error) -> Error {
        let kept = |update: u64, folder: &Path| {
            format!(
                "update {update} is kept in {}: the same with option resume=true goes on from there",
                super::checkpoint::file_in(folder).display()
            )
        };
        match (&self.folder, error.kind()) {
            (Some(folder), ErrorKind::Diverged) => match checkpoint::update_of(folder) {
                Some(update) => error.remedy_here(format!(
                    "the last good checkpoint: {}; a smaller learning_rate and critic_rate, or a larger penalty, hold it",
                    kept(update, folder)
                )),
                None => error,
            },
            (Some(folder), ErrorKind::Cancelled) => error.remedy(kept(self.update, folder)),
            (None, ErrorKind::Cancelled) => error.remedy("with option checkpoint=FOLDER nothing would have been lost"),
            _ => error,
        }
    }
}

/// Puts what was learned so far into the model that is judged and written.
fn complete(
    model: &mut Neural,
    learner: &Learner,
    data: &Data,
    settings: &Settings,
    workspace: &mut Workspace<f32>,
) -> Result<()> {
    model.network.numbers = learner.average().numbers;
    if let Some(scores) = &data.scores {
        model.network.numbers.extend([scores.weights.clone(), scores.bias.clone()]);
    }
    if let Learner::Variational(run) = learner {
        let size = model.coded_size();
        let codes = run.codes(workspace, data)?;
        let clusters = fit_clusters(&codes, size, settings.latent_clusters, LEAST_ROWS, settings.seed);
        model.latent = Latent::Mixture(clusters);
        model.encoder = Some(run.encoder.clone());
    }
    Ok(())
}

fn best_of(model: &Neural, update: u64, look: &Look, accuracy: Option<f64>) -> Best {
    let mut metrics = vec![
        ("aa_truth".to_string(), look.aats.truth),
        ("aa_syn".to_string(), look.aats.syn),
        ("aa_truth_learned".to_string(), look.learned.truth),
        ("aa_syn_learned".to_string(), look.learned.syn),
        ("linkage_r".to_string(), look.linkage),
        ("linkage_concordance".to_string(), look.concordance),
        ("allele_frequency_mae".to_string(), look.frequency_mae),
        ("fixed_sites".to_string(), look.fixed),
    ];
    metrics.extend(accuracy.map(|accuracy| ("label_accuracy".to_string(), accuracy)));
    Best {
        update,
        distance: look.distance(),
        numbers: model.network.numbers.clone(),
        latent: model.latent.clone(),
        encoder: model.encoder.clone(),
        output: look.output.clone(),
        metrics,
    }
}

/// A look in a sentence.
fn told(update: u64, look: &Look, accuracy: Option<f64>) -> String {
    let mut text = format!(
        "update {update}: adversarial accuracy {:.2} and {:.2}, LD r {:.3}, fixed sites {:.1}%",
        look.aats.truth,
        look.aats.syn,
        look.linkage,
        100.0 * look.fixed
    );
    if let Some(accuracy) = accuracy {
        text += &format!(", labels {:.0}% right", 100.0 * accuracy);
    }
    text
}

/// Lines of the log that go into a model's file, at most.
const LINES: usize = 100;

/// Evenly spaced lines, the last one among them.
fn thinned(log: Vec<String>) -> Vec<String> {
    let step = log.len().div_ceil(LINES).max(1);
    let last = log.len().saturating_sub(1);
    log.into_iter().enumerate().filter(|(i, _)| (last - i).is_multiple_of(step)).map(|(_, line)| line).collect()
}

/// The log's file: a JSON text a line. It is written anew each time, beside, and renamed.
fn write_log(path: &Path, log: &[String]) -> Result<()> {
    let text: String = log.iter().map(|line| format!("{line}\n")).collect();
    io::write_bytes(path, text.as_bytes())
}

/// Training rows with their labels, and those of the people kept aside.
fn rows(panel: &Panel, settings: &Settings, progress: &mut Progress) -> Result<(Data, Option<BitMatrix>)> {
    let samples = panel.samples();
    let people = super::aside(panel, settings.judges, settings.seed);
    let learned: Vec<usize> = (0..samples.len()).filter(|person| !people.contains(person)).collect();
    let haplotypes_of = |chosen: &[usize]| chosen.iter().flat_map(|p| samples.haplotypes_of(*p)).collect::<Vec<_>>();
    let row_people: Vec<usize> = match settings.genotypes {
        true => learned.clone(),
        false => learned.iter().flat_map(|p| samples.haplotypes_of(*p).map(|_| *p)).collect(),
    };
    let bits = |chosen: &[usize]| match settings.genotypes {
        true => genotypes(panel, chosen),
        false => panel.bits().select_rows(&haplotypes_of(chosen)),
    };
    let missing = learned.iter().filter(|p| samples.as_slice()[**p].label.is_none()).count();
    let conditional = settings.conditional && missing < learned.len();
    let kinds = matches!(settings.kind, ModelKind::Gan | ModelKind::Wgan);
    if conditional && missing > 0 && kinds {
        let what = format!("{missing} of {} people have no label, and the others have", learned.len());
        return Err(Error::new(ErrorKind::Empty, what)
            .remedy("complete the table of labels, leave these people out, or set option conditional=false"));
    }
    let (labels, numbers) = match conditional && kinds {
        true => Labels::of(row_people.iter().map(|p| samples.as_slice()[*p].label.as_deref().unwrap_or_default())),
        false => (Labels::default(), vec![0; row_people.len()]),
    };
    if conditional && !kinds {
        progress
            .notice(format!("a {} model does not learn labels: those of the panel are left out", settings.kind.name()));
    }
    let judges = if people.is_empty() { None } else { Some(bits(&people)?) };
    Ok((Data::new(bits(&learned)?, labels, numbers, 1, settings.seed), judges))
}

/// People's genotypes as two columns a site: the smaller allele and the larger one, so that phase does not matter.
fn genotypes(panel: &Panel, people: &[usize]) -> Result<BitMatrix> {
    let sites = panel.sites().len();
    let mut out = BitMatrix::zeros(people.len(), 2 * sites)?;
    for (row, person) in people.iter().enumerate() {
        let haplotypes: Vec<usize> = panel.samples().haplotypes_of(*person).collect();
        let (first, second) = match haplotypes[..] {
            [a, b] => (a, b),
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    format!(
                        "person {} is haploid, and has no genotypes of two alleles",
                        panel.samples().as_slice()[*person].name
                    ),
                )
                .remedy("leave haploid people out"));
            }
        };
        for site in 0..sites {
            let (a, b) = (panel.bits().get(first, site), panel.bits().get(second, site));
            out.set(row, 2 * site, a && b);
            out.set(row, 2 * site + 1, a || b);
        }
    }
    Ok(out)
}

/// Base pairs between neighbouring sites, in the median, up to which they are taken to be linked: human LD falls to half
/// within some tens of thousands.
const LINKED: u64 = 50_000;

/// Whether neighbouring sites are near enough to tell of each other.
fn linked(sites: &Sites) -> bool {
    let steps = (1..sites.len()).filter(|i| sites[*i].contig == sites[*i - 1].contig);
    let mut distances: Vec<u64> = steps.map(|i| sites[i].position - sites[i - 1].position).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).is_some_and(|median| *median <= LINKED)
}

/// How much of the weights of a decoder's last layer stays before training.
const LAST: f32 = 0.5;

/// Begins the last layer's bias at the log odds of the frequencies, and makes its weights small beside it.
fn start_at(generator: &mut Network, frequencies: &[f64]) {
    let log_odds = |biases: &mut [f32]| {
        for (b, f) in biases.iter_mut().zip(frequencies) {
            let f = f.clamp(1e-3, 1.0 - 1e-3);
            *b = (f / (1.0 - f)).ln() as f32;
        }
    };
    // Of a convolutional body with a latent: a bias at each position.
    if let Some(bias) = generator.named_mut("bias.values") {
        return log_odds(bias);
    }
    if let Some(weight) = generator.named_mut("out.weight").filter(|_| !frequencies.is_empty()) {
        weight.iter_mut().for_each(|w| *w *= LAST);
    }
    if let Some(bias) = generator.named_mut("out.bias").filter(|bias| bias.len() == frequencies.len()) {
        log_odds(bias);
    }
}

/// Takes the means of alleles, which are -1 and 1, away from what a critic or an encoder sees, if it sees it so: of each of
/// the haplotypes that it sees at once.
fn centre(network: &mut Network, frequencies: &[f64]) {
    let length = network.graph.nodes[network.graph.input_node(0)].length;
    if let Some(mean) = network.named_mut("mean.values") {
        for mean in mean.chunks_exact_mut(length) {
            mean.iter_mut().zip(frequencies).for_each(|(m, f)| *m = (1.0 - 2.0 * f) as f32);
        }
    }
}
