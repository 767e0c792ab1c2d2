//! Untyped sites of people, from a model, from a panel, or from a panel with artificial haplotypes.
//!
//! [`Imputer`] knows what to impute from; [`Imputer::fit`] takes the typed alleles of some haplotypes and settles what is
//! estimated from data; [`Fitted::impute`] gives dosages. [`impute_file`] does all of it for a file, window by window, and
//! [`paint_file`](painting::paint_file) tells whom haplotypes were copied from.

mod clamped;
mod file;
mod latent;
mod observed;
pub mod painting;
pub mod quality;
mod target;
mod weight;

use crate::compute::DeviceChoice;
use crate::error::{Error, ErrorKind, Result};
use crate::hmm::copying::{Copying, Observed, Posterior, Workspace};
use crate::hmm::rates::{Judged, Rates};
use crate::models::{Generator, Model};
use crate::options::Options;
use crate::panel::Panel;
use crate::panel::align::align;
use crate::panel::genetic_map::{GeneticMap, distances};
use crate::panel::sites::Sites;
use crate::progress::Progress;
use crate::sample::{SampleSettings, Sampler, described};
use crate::threads::Threads;
use clamped::{Clamped, Unsettled};
use latent::Latent;
use std::ops::Range;
use std::sync::{Arc, Mutex};

pub use clamped::ClampedSettings;
pub use file::{ImputeFileOptions, ImputeReport, impute_file};
pub use latent::LatentSettings;
pub use observed::Typed;

/// What an imputer is given besides what it imputes from.
#[derive(Clone, Debug)]
pub struct ImputeSettings {
    /// The genetic map of a panel. Default: none, 1 cM a megabase. Models bring their own.
    pub map: Option<GeneticMap>,
    /// Rates of the copying model over a panel; what is 0 is estimated from the panel at the typed sites. Default: both.
    pub rates: Rates,
    /// Artificial haplotypes appended to a panel. Default 0: as many as it has.
    pub artificial: usize,
    /// Prior of an artificial haplotype against a real one, 0 to 1. Default: estimated from the targets.
    pub weight: Option<f64>,
    /// The seed of artificial haplotypes, of Gibbs chains and of points of a latent space. Default 1.
    pub seed: u64,
    /// How an RBM is clamped.
    pub clamped: ClampedSettings,
    /// How the latent space of a neural generator is searched.
    pub latent: LatentSettings,
    /// Threads that make artificial haplotypes and the points of a latent space. Default: one.
    pub threads: Threads,
    /// Where chains of an RBM run, where the latent space of a neural generator is searched, and where artificial haplotypes are
    /// made. Dosages by an RBM do not depend on it. Default: the processor.
    pub device: DeviceChoice,
}

impl Default for ImputeSettings {
    fn default() -> Self {
        let rates = Rates { effective_size: 0.0, error: 0.0 };
        ImputeSettings {
            map: None,
            rates,
            artificial: 0,
            weight: None,
            seed: 1,
            clamped: ClampedSettings::default(),
            latent: LatentSettings::default(),
            threads: Threads::single(),
            device: DeviceChoice::Cpu,
        }
    }
}

impl ImputeSettings {
    /// From the keys that imputation reads, with their defaults; reads the map.
    ///
    /// # Errors
    /// Those of the map's file; `InvalidOption` for a device that does not parse.
    pub fn from_options(options: &Options) -> Result<Self> {
        Ok(ImputeSettings {
            map: options.given("map").map(|path| crate::io::read_genetic_map(path.as_ref())).transpose()?,
            rates: Rates { effective_size: options.number("effective_size"), error: options.number("error") },
            artificial: options.whole("artificial"),
            weight: Some(options.number("artificial_weight")).filter(|weight| *weight >= 0.0),
            seed: options.whole("seed") as u64,
            clamped: ClampedSettings::from_options(options),
            latent: LatentSettings::from_options(options),
            threads: Threads::new(options.whole("threads")),
            device: options.text("device").parse()?,
        })
    }
}

/// Fills untyped sites. It keeps its panel and its model alive.
pub struct Imputer {
    sites: Sites,
    engine: Engine,
    settings: ImputeSettings,
    /// What to impute from, for headers of files.
    description: Vec<(String, String)>,
    notices: Vec<String>,
}

/// Haplotypes a thread between two reports of progress.
const PORTION: usize = 16;

/// What knows the untyped sites.
enum Engine {
    /// Haplotypes to copy, with rates to be estimated.
    Panel(Box<Reference>),
    /// Haplotypes to copy, with rates.
    Copying(Box<Copying>),
    /// Clusters of haplotypes: the model is a hidden Markov model.
    Clusters(Arc<Model>),
    /// A machine to clamp.
    Machine(Box<Clamped>),
    /// A latent space to search.
    Latent(Box<Latent>),
    /// Nothing but frequencies.
    Frequencies(Vec<f32>),
}

/// A panel to copy from, and artificial haplotypes.
struct Reference {
    panel: Panel,
    centimorgans: Vec<f64>,
    copying: Copying,
    /// Whether artificial haplotypes stand beside the real ones.
    artificial: bool,
}

impl Imputer {
    /// Imputes from a panel alone, by the copying model.
    ///
    /// # Errors
    /// `Empty`, `Missing`, `Unphased` for a panel that is not complete; `ContigMismatch` for a map of other contigs;
    /// `OutOfMemory`.
    pub fn from_panel(panel: &Panel, settings: ImputeSettings) -> Result<Self> {
        panel.require_complete()?;
        let (centimorgans, notices) = distances(settings.map.as_ref(), panel.sites())?;
        let copying = Copying::new(panel.bits(), panel.sites(), &vec![0.0; panel.sites().len()], 0.5)?;
        let description = vec![("haploom_panel".to_string(), format!("sha256 {}", &panel.fingerprint()[..32]))];
        let reference = Reference { panel: panel.clone(), centimorgans, copying, artificial: false };
        let (sites, engine) = (panel.sites().clone(), Engine::Panel(Box::new(reference)));
        Ok(Imputer { sites, engine, settings, description, notices })
    }

    /// Imputes from a model alone.
    ///
    /// # Errors
    /// `InvalidArgument` for a kind of model that does not impute, or one of unphased genotypes, or a map (a model brings
    /// its own); `OutOfMemory`.
    pub fn from_model(model: &Arc<Model>, settings: ImputeSettings) -> Result<Self> {
        if settings.map.is_some() {
            return Err(Error::argument("a model brings its own genetic map").remedy("leave out option map"));
        }
        let engine = match &model.generator {
            Generator::Copying(panel) => Engine::Copying(Box::new(panel.model(&model.sites)?)),
            Generator::Hmm(_) => Engine::Clusters(model.clone()),
            Generator::Rbm(machine) => {
                let (clamped, seed) = (settings.clamped, settings.seed);
                Engine::Machine(Box::new(Clamped::new(machine, clamped, seed, settings.device, &settings.threads)?))
            }
            Generator::Bernoulli(b) => Engine::Frequencies(b.frequencies.iter().map(|f| *f as f32).collect()),
            Generator::Neural(neural) => {
                let (latent, seed) = (settings.latent, settings.seed);
                Engine::Latent(Box::new(Latent::new(model, neural, latent, seed, settings.device, &settings.threads)?))
            }
            Generator::Markov(_) | Generator::Context(_) => {
                let what = format!("a {} model does not impute", model.kind().name());
                return Err(Error::argument(what).remedy("train another kind: hmm, copying, rbm, vae or gan"));
            }
        };
        let description = vec![described(model)?];
        Ok(Imputer { sites: model.sites.clone(), engine, settings, description, notices: Vec::new() })
    }

    /// Imputes from a panel and from artificial haplotypes that the model makes now. They are known at the sites that the
    /// model has of the panel's, and stand beside the real ones with a prior of their own (see [`Fitted::weight`]).
    ///
    /// # Errors
    /// As [`Imputer::from_panel`]; those of the sampler; `NoOverlap`, `ContigMismatch` or `AlleleMismatch` if the model
    /// has no site of the panel.
    pub fn from_both(
        panel: &Panel,
        model: &Arc<Model>,
        settings: ImputeSettings,
        progress: &mut Progress,
    ) -> Result<Self> {
        let mut imputer = Imputer::from_panel(panel, settings)?;
        let alignment = align(panel.sites(), &model.sites);
        alignment.require_overlap("panel", "model")?;
        imputer.notices.extend(alignment.differences("panel", "model"));
        let settings = &imputer.settings;
        let n = if settings.artificial == 0 { panel.haplotypes() } else { settings.artificial };
        let (threads, device) = (settings.threads.clone(), settings.device);
        let sample = SampleSettings { seed: settings.seed, threads, device, ..SampleSettings::default() };
        let mut sampler = Sampler::new(model.clone(), &sample)?;
        let made = sampler.haplotypes(n, progress)?;
        let mut known = vec![false; panel.sites().len()];
        let mut columns = vec![0; panel.sites().len()];
        for (of_panel, of_model) in &alignment.matched {
            known[*of_panel] = true;
            columns[*of_panel] = *of_model;
        }
        let Engine::Panel(reference) = &mut imputer.engine else { return Ok(imputer) };
        reference.copying = reference.copying.clone().with_more(&made.select_columns(&columns)?, known, 1.0)?;
        reference.artificial = true;
        imputer.description.push(described(model)?);
        imputer.description.push(("haploom_artificial".to_string(), format!("{n} haplotypes, seed {}", settings.seed)));
        Ok(imputer)
    }

    /// The sites that are imputed.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// What messages call it.
    fn what(&self) -> &'static str {
        if matches!(self.engine, Engine::Panel(_)) { "panel" } else { "model" }
    }

    /// What a user should know of the panel, the model and the map.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Settles what is estimated: rates from the panel at the typed sites, the weight of artificial haplotypes from the
    /// targets. Without artificial haplotypes nothing depends on the targets' alleles, so a person's dosages are the same
    /// whoever else is there.
    ///
    /// # Errors
    /// `InvalidArgument` for typed sites out of range; `Cancelled`; `OutOfMemory`.
    pub fn fit(&self, typed: &Typed, threads: &Threads, progress: &mut Progress) -> Result<Fitted<'_>> {
        if typed.sites().last().is_some_and(|site| *site >= self.sites.len()) {
            return Err(Error::argument(format!("a typed site of {}", self.sites.len())));
        }
        let mut fitted = Fitted {
            imputer: self,
            threads: threads.clone(),
            copying: None,
            rates: None,
            weight: None,
            spaces: Mutex::default(),
            unsettled: Mutex::default(),
        };
        match &self.engine {
            Engine::Panel(reference) => {
                let Reference { panel, centimorgans, copying, artificial } = &**reference;
                let judged =
                    Judged { haplotypes: panel.bits(), samples: panel.samples(), sites: panel.sites(), centimorgans };
                let rates = judged.estimate(typed.sites(), self.settings.rates, threads, progress)?;
                let switches = rates.switches(centimorgans, panel.haplotypes());
                let fitted_to = copying.clone().with_rates(&switches, rates.error)?;
                fitted.rates = Some(rates);
                fitted.copying = Some(match (*artificial, self.settings.weight) {
                    (false, _) => fitted_to,
                    (true, given) => {
                        let weight = match given {
                            Some(weight) => weight,
                            None => weight::estimate(&fitted_to, typed, threads, progress)?,
                        };
                        fitted.weight = Some(weight);
                        fitted_to.with_weight(weight)?
                    }
                });
            }
            Engine::Copying(copying) => fitted.copying = Some((**copying).clone()),
            Engine::Clusters(_) | Engine::Machine(_) | Engine::Latent(_) | Engine::Frequencies(_) => {}
        }
        Ok(fitted)
    }
}

/// Sites that are imputed at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The sites whose dosages are wanted.
    pub sites: Range<usize>,
    /// The sites that they are imputed from, as far as they are typed.
    pub using: Range<usize>,
}

/// An imputer that has seen the typed sites.
pub struct Fitted<'a> {
    imputer: &'a Imputer,
    threads: Threads,
    copying: Option<Copying>,
    rates: Option<Rates>,
    weight: Option<f64>,
    /// Memory that passes use again.
    spaces: Mutex<Vec<Workspace>>,
    unsettled: Mutex<Unsettled>,
}

impl Fitted<'_> {
    /// The rates of the copying model over a panel.
    pub fn rates(&self) -> Option<Rates> {
        self.rates
    }

    /// The prior of an artificial haplotype against a real one: given, or estimated; 0 if they do not help.
    pub fn weight(&self) -> Option<f64> {
        self.weight
    }

    /// The sites around `sites` whose alleles tell of them: all within `overlap` expected switches. What lies beyond
    /// could change a posterior by at most the prior chance of no switch, `exp(-overlap)`. All sites for other models.
    pub fn surroundings(&self, sites: Range<usize>, overlap: f64) -> Range<usize> {
        match &self.copying {
            Some(copying) => copying.surroundings(sites, overlap),
            None => 0..self.imputer.sites.len(),
        }
    }

    /// The expected alternate alleles at the sites of a window of the haplotypes `rows` of `typed`: `dosages` has a row a
    /// haplotype and a column a site, 0 to 1. `left_out`, a row a haplotype and a column a typed site, gets the same at
    /// typed sites from all others alone, NaN where an allele is missing or the site not used.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `Cancelled`; `OutOfMemory`.
    pub fn impute(
        &self,
        typed: &Typed,
        rows: Range<usize>,
        window: &Window,
        dosages: &mut [f32],
        left_out: &mut [f32],
        progress: &mut Progress,
    ) -> Result<()> {
        let Window { sites, using } = window.clone();
        let (n, width, typed_sites) = (rows.len(), sites.len(), typed.sites().len());
        if dosages.len() != n * width || left_out.len() != n * typed_sites || rows.end > typed.haplotypes() {
            return Err(Error::argument("shapes of dosages and haplotypes disagree"));
        }
        if sites.end > self.imputer.sites.len() {
            return Err(Error::argument(format!("sites {sites:?} of {}", self.imputer.sites.len())));
        }
        left_out.fill(f32::NAN);
        progress.check()?;
        if n == 0 || width == 0 {
            return Ok(());
        }
        let mut rows: Vec<Row> = dosages
            .chunks_mut(width)
            .zip(rows)
            .map(|(dosages, h)| Row { h, dosages, left_out: &mut [], result: Ok(()) })
            .collect();
        if typed_sites > 0 {
            rows.iter_mut().zip(left_out.chunks_mut(typed_sites)).for_each(|(row, part)| row.left_out = part);
        }
        let wanted = Wanted { typed, sites, using };
        match (&self.copying, &self.imputer.engine) {
            (Some(copying), _) => self.each(rows, |row| {
                let mut space = self.space().pop().unwrap_or_default();
                let done = wanted.chain(row, |observed| copying.posterior(observed, wanted.sites.clone(), &mut space));
                self.space().push(space);
                done
            }),
            (None, Engine::Clusters(model)) => self.each(rows, |row| {
                let Generator::Hmm(clusters) = &model.generator else { return Ok(()) };
                wanted.chain(row, |observed| {
                    let mut posterior = clusters.posterior(observed)?;
                    posterior.dosages = posterior.dosages[wanted.sites.clone()].to_vec();
                    Ok(posterior)
                })
            }),
            (None, Engine::Machine(machine)) => {
                let unsettled = machine.impute(&wanted, &mut rows, &self.threads, progress.cancel())?;
                self.unsettled.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(&unsettled);
                Ok(())
            }
            (None, Engine::Latent(latent)) => latent.impute(&wanted, &mut rows, &self.threads, progress.cancel()),
            (None, Engine::Frequencies(frequencies)) => {
                for row in rows {
                    row.dosages.copy_from_slice(&frequencies[wanted.sites.clone()]);
                    for (t, left_out) in row.left_out.iter_mut().enumerate() {
                        *left_out = wanted.typed.allele(row.h, t).map_or(f32::NAN, |_| frequencies[typed.sites()[t]]);
                    }
                }
                Ok(())
            }
            (None, Engine::Panel(_) | Engine::Copying(_)) => Err(Error::new(ErrorKind::Internal, "nothing was fitted")),
        }
    }

    /// Does something to each row, on all threads.
    fn each(&self, mut rows: Vec<Row>, work: impl Fn(&mut Row) -> Result<()> + Sync) -> Result<()> {
        self.threads.for_each_piece(&mut rows, 1, |_, rows| {
            rows.iter_mut().for_each(|row| row.result = work(row));
        })?;
        rows.into_iter().try_for_each(|row| row.result)
    }

    /// The dosages of all haplotypes at all sites, as [`Fitted::impute`] gives them for some, with progress.
    ///
    /// # Errors
    /// As [`Fitted::impute`].
    pub fn impute_all(
        &self,
        typed: &Typed,
        dosages: &mut [f32],
        left_out: &mut [f32],
        progress: &mut Progress,
    ) -> Result<()> {
        let (n, sites, typed_sites) = (typed.haplotypes(), self.imputer.sites.len(), typed.sites().len());
        if dosages.len() != n * sites || left_out.len() != n * typed_sites {
            return Err(Error::argument("shapes of dosages and haplotypes disagree"));
        }
        let at_a_time = self.of_devices().max(PORTION * self.threads.count());
        for first in (0..n).step_by(at_a_time) {
            progress.step("imputing", first as u64, n as u64, "haplotypes")?;
            let rows = first..n.min(first + at_a_time);
            let dosages = &mut dosages[rows.start * sites..rows.end * sites];
            let left_out = &mut left_out[rows.start * typed_sites..rows.end * typed_sites];
            let every = Window { sites: 0..sites, using: 0..sites };
            self.impute(typed, rows, &every, dosages, left_out, progress)?;
        }
        self.notices().into_iter().for_each(|notice| progress.notice(notice));
        progress.step("imputing", n as u64, n as u64, "haplotypes")
    }

    /// Haplotypes that keep the devices of chains busy; 0 where there are no chains.
    fn of_devices(&self) -> usize {
        match &self.imputer.engine {
            Engine::Machine(machine) => machine.portion(),
            Engine::Latent(latent) => latent.portion(),
            _ => 0,
        }
    }

    /// What a user should know of what was imputed so far: whether Gibbs chains had settled.
    pub fn notices(&self) -> Vec<String> {
        let unsettled = *self.unsettled.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let text = format!(
            "the Gibbs chains of {} haplotypes had not settled (the dosages of halves of them differ by up to {:.3}): more \
             impute_chains bring them nearer",
            unsettled.haplotypes, unsettled.apart
        );
        (unsettled.haplotypes > 0).then_some(text).into_iter().collect()
    }

    fn space(&self) -> std::sync::MutexGuard<'_, Vec<Workspace>> {
        self.spaces.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What is to be imputed from what.
struct Wanted<'a> {
    typed: &'a Typed,
    sites: Range<usize>,
    using: Range<usize>,
}

/// One haplotype, and where its numbers go.
struct Row<'a> {
    h: usize,
    dosages: &'a mut [f32],
    left_out: &'a mut [f32],
    result: Result<()>,
}

impl Wanted<'_> {
    /// Imputes by a hidden Markov model along the genome.
    fn chain(&self, row: &mut Row, posterior: impl FnOnce(&[Observed]) -> Result<Posterior>) -> Result<()> {
        let posterior = posterior(&self.typed.observed(row.h, self.using.clone()))?;
        row.dosages.copy_from_slice(&posterior.dosages);
        let known = self.typed.within(self.using.clone()).filter(|t| self.typed.allele(row.h, *t).is_some());
        known.zip(posterior.left_out).for_each(|(t, left_out)| row.left_out[t] = left_out);
        Ok(())
    }
}
