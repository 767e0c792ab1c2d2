//! Generators of haplotypes: parameters and half-steps, one file a model.

pub mod bernoulli;
pub mod conditional;
pub mod context;
pub mod copying;
pub mod encode;
pub mod labels;
pub mod markov;
pub mod mixture;
pub mod neural;
pub mod rbm;

use crate::error::{Error, ErrorKind, Result};
use crate::hmm::clusters::Clusters;
use crate::panel::Panel;
use crate::panel::align::align;
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;
use bernoulli::Bernoulli;
use context::Context;
use copying::CopiedPanel;
use labels::Labels;
use markov::Markov;
use mixture::Mixture;
use neural::{Body, Neural};
use rbm::Rbm;

/// The measure of a hidden Markov model that counts the clusters whose likeliest alleles are a training haplotype's.
pub const EQUAL_CLUSTERS: &str = "clusters_equal_to_a_haplotype";

/// Kind of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// [`Rbm`].
    Rbm,
    /// [`Bernoulli`].
    Bernoulli,
    /// [`Markov`].
    Markov,
    /// [`CopiedPanel`].
    Copying,
    /// [`Clusters`].
    Hmm,
    /// [`Context`].
    Context,
    /// [`Neural`]: a generator that a classifier taught (Yelmen et al. 2021).
    Gan,
    /// [`Neural`]: a generator that a Wasserstein critic taught (Yelmen et al. 2023).
    Wgan,
    /// [`Neural`]: the decoder of a variational autoencoder.
    Vae,
    /// [`Neural`]: a Wasserstein generator of principal components' scores (Szatkownik et al. 2024).
    PcaGan,
}

impl ModelKind {
    /// Every kind.
    pub const ALL: &'static [ModelKind] = &[
        ModelKind::Rbm,
        ModelKind::Bernoulli,
        ModelKind::Markov,
        ModelKind::Copying,
        ModelKind::Hmm,
        ModelKind::Context,
        ModelKind::Gan,
        ModelKind::Wgan,
        ModelKind::Vae,
        ModelKind::PcaGan,
    ];

    /// The names of all, separated by commas.
    pub fn names() -> String {
        Self::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
    }

    /// As the command line and model files write it.
    pub fn name(self) -> &'static str {
        match self {
            ModelKind::Rbm => "rbm",
            ModelKind::Bernoulli => "bernoulli",
            ModelKind::Markov => "markov",
            ModelKind::Copying => "copying",
            ModelKind::Hmm => "hmm",
            ModelKind::Context => "context",
            ModelKind::Gan => "gan",
            ModelKind::Wgan => "wgan",
            ModelKind::Vae => "vae",
            ModelKind::PcaGan => "pca-gan",
        }
    }

    /// Whether there is work for a GPU in it; the others are the processor's on any device.
    pub fn works_on_devices(self) -> bool {
        match self {
            ModelKind::Rbm | ModelKind::Gan | ModelKind::Wgan | ModelKind::Vae | ModelKind::PcaGan => true,
            ModelKind::Bernoulli | ModelKind::Markov | ModelKind::Hmm | ModelKind::Copying | ModelKind::Context => {
                false
            }
        }
    }

    /// Whether its files hold haplotypes of the people they were trained on: they are not to be shared where these are not.
    pub fn holds_haplotypes(self) -> bool {
        match self {
            ModelKind::Copying | ModelKind::Context => true,
            ModelKind::Rbm | ModelKind::Bernoulli | ModelKind::Markov | ModelKind::Hmm => false,
            ModelKind::Gan | ModelKind::Wgan | ModelKind::Vae | ModelKind::PcaGan => false,
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        ModelKind::ALL.iter().copied().find(|k| k.name() == name)
    }
}

/// A trained generator of haplotypes, bound to the sites it was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The sites, in order.
    pub sites: Sites,
    /// What it learned.
    pub generator: Generator,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// What a model learned.
#[derive(Clone, Debug, PartialEq)]
pub enum Generator {
    /// Frequencies alone.
    Bernoulli(Bernoulli),
    /// Windows.
    Markov(Markov),
    /// A panel that is copied.
    Copying(CopiedPanel),
    /// People's haplotypes, woven anew.
    Context(Box<Context>),
    /// A restricted Boltzmann machine and what its sampler needs.
    Rbm(Box<SampledRbm>),
    /// Clusters along the genome.
    Hmm(Box<Clusters>),
    /// A neural network.
    Neural(Box<Neural>),
}

/// A restricted Boltzmann machine and what its sampler needs.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledRbm {
    /// The machine.
    pub rbm: Rbm,
    /// How visible units answer in the last half-step.
    pub output: Output,
    /// Where chains start.
    pub mixture: Mixture,
    /// Rungs of the tempering ladder below the model, the first without interactions; empty if none were kept.
    pub ladder: Vec<Rbm>,
    /// How it is sampled by default.
    pub start: Start,
    /// Gibbs sweeps from the start to a haplotype.
    pub sweeps: usize,
}

/// Where a chain starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A draw from the mixture.
    Mixture,
    /// Each site from its frequency in the machine without interactions.
    Independent,
    /// Each site 0 or 1 with chance 1/2.
    Random,
}

impl Start {
    /// As options and model files write it.
    pub fn name(self) -> &'static str {
        match self {
            Start::Mixture => "mixture",
            Start::Independent => "independent",
            Start::Random => "random",
        }
    }

    /// The start of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Start::Mixture, Start::Independent, Start::Random].into_iter().find(|s| s.name() == name)
    }
}

/// The last half-step of a sample: site i is on with the logistic function of `sharpness x (W h)_i + bias_i`.
///
/// A machine that stops learning before it knows its people by heart leaves noise of its own at each site; a sharpness
/// somewhat above 1 takes that noise away, and the bias keeps each site's frequency where it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// 1 for the machine as it is.
    pub sharpness: f32,
    /// A number a site; the machine's visible bias for the machine as it is.
    pub bias: Vec<f32>,
}

/// Where a model comes from. Nothing here names or numbers a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// The version of the library that trained it.
    pub version: String,
    /// The seed of the training.
    pub seed: u64,
    /// The options of the training, `key=value,...`.
    pub options: String,
    /// The number of training haplotypes.
    pub haplotypes: u64,
    /// SHA-256 of the whole packed training panel.
    pub panel_sha256: String,
    /// Gradient steps done.
    pub updates: u64,
    /// The log of the training of a neural generator, a JSON text a look; empty for other kinds.
    pub log: Vec<String>,
    /// What was measured at the end of training, by name.
    pub metrics: Vec<(String, f64)>,
}

impl Model {
    /// Its kind.
    pub fn kind(&self) -> ModelKind {
        match self.generator {
            Generator::Bernoulli(_) => ModelKind::Bernoulli,
            Generator::Markov(_) => ModelKind::Markov,
            Generator::Copying(_) => ModelKind::Copying,
            Generator::Context(_) => ModelKind::Context,
            Generator::Rbm(_) => ModelKind::Rbm,
            Generator::Hmm(_) => ModelKind::Hmm,
            Generator::Neural(ref neural) => neural.kind,
        }
    }

    /// Whether the file holds haplotypes of the people it was trained on: it is not to be shared where these are not.
    pub fn holds_haplotypes(&self) -> bool {
        let equal = self.provenance.metrics.iter().find(|(name, _)| name == EQUAL_CLUSTERS);
        self.kind().holds_haplotypes() || equal.is_some_and(|(_, clusters)| *clusters > 0.0)
    }

    /// What the file may tell about the people it was trained on, in a line.
    pub fn leak(&self) -> &'static str {
        match self.generator {
            Generator::Bernoulli(_) => {
                "allele frequencies of the training panel, exactly: with few people, or a person's genome at hand, they can tell who was in it"
            }
            Generator::Markov(_) => {
                "every window of neighbouring alleles that the training panel holds, rare ones included: with a person's genome at hand it can tell who was in it"
            }
            Generator::Copying(_) => {
                "it holds the haplotypes of the training panel, every one, without names: it is as private as the panel, and so are long stretches of its samples"
            }
            Generator::Context(_) => {
                "it holds the haplotypes of the people it was trained on, all of them: do not share it. Its samples hold pieces of them: `haploom evaluate --test` measures what these leak (longest_run_auc, privacy_loss)"
            }
            Generator::Rbm(_) | Generator::Neural(_) => {
                "no haplotype and no name, but weights fitted to people: `haploom evaluate --test` measures what samples leak (privacy_loss), and an attack with a person's genome at hand may find more"
            }
            Generator::Hmm(_) => {
                "no name, but clusters that began as haplotypes of the panel: where a cluster stands for few people (haplotypes / clusters), its likeliest alleles are next to one person's all along the region, so the file is to be kept as the panel is; fewer clusters (hmm_clusters) or larger ones (hmm_cluster_size) tell less"
            }
        }
    }

    /// Labels that haplotypes can be asked for.
    pub fn labels(&self) -> &Labels {
        static NONE: Labels = Labels { names: Vec::new(), shares: Vec::new() };
        match &self.generator {
            Generator::Neural(neural) => &neural.labels,
            _ => &NONE,
        }
    }

    /// The panel's haplotypes at the model's sites, in the model's order: a row a haplotype, a column a site; and
    /// sentences on how the panel's sites differ from the model's. `name` is what messages call the panel.
    ///
    /// # Errors
    /// `Missing`, `Unphased` or `Empty` for a panel that is not complete; `NoOverlap`, `ContigMismatch` or
    /// `AlleleMismatch` for one that lacks sites of the model; `OutOfMemory`.
    pub fn haplotypes_of(&self, panel: &Panel, name: &str) -> Result<(BitMatrix, Vec<String>)> {
        panel.require_complete()?;
        let alignment = align(panel.sites(), &self.sites);
        alignment.require_overlap(name, "model")?;
        let differences = alignment.differences(name, "model");
        let (found, wanted) = (alignment.matched.len(), self.sites.len());
        if found < wanted {
            let what = format!("the {name} has {found} of the model's {wanted} sites: {}", differences.join("; "));
            return Err(Error::new(ErrorKind::NoOverlap, what).remedy("give a panel with every site of the model"));
        }
        let mut columns = vec![0; wanted];
        alignment.matched.iter().for_each(|(of_panel, of_model)| columns[*of_model] = *of_panel);
        Ok((panel.bits().select_columns(&columns)?, differences))
    }

    /// What a user wants to know of the model: names and values, in the order in which they are shown.
    pub fn describe(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut add = |name: &str, value: String| lines.push((name.to_string(), value));
        add("kind", format!("model, {}", self.kind().name()));
        add("sites", self.sites.len().to_string());
        for (contig, first, last, count) in self.sites.spans() {
            let unit = if count == 1 { "site" } else { "sites" };
            add("contig", format!("{contig}:{first}-{last}, {count} {unit}"));
        }
        match &self.generator {
            Generator::Bernoulli(_) => {}
            Generator::Markov(markov) => add("window", format!("{} sites", markov.window)),
            Generator::Copying(panel) => {
                add("effective size", format!("{:.0}", panel.rates.effective_size));
                add("error rate", format!("{:.2e}", panel.rates.error));
            }
            Generator::Context(context) => {
                add("haplotypes in a block", context.block_size().to_string());
                let mut longest = context.longest.clone();
                longest.sort();
                add(
                    "sites of a person that are copied at a stretch, at most",
                    format!("{} (median)", longest[longest.len() / 2]),
                );
            }
            Generator::Rbm(sampled) => {
                add("hidden units", format!("{}, {}", sampled.rbm.hidden_units(), sampled.rbm.hidden.name()));
                add("chains start from", sampled.start.name().to_string());
                add("Gibbs sweeps to a haplotype", sampled.sweeps.to_string());
                add("rungs of the tempering ladder", sampled.ladder.len().to_string());
            }
            Generator::Hmm(clusters) => add("clusters", clusters.clusters().to_string()),
            Generator::Neural(neural) => {
                match &neural.body {
                    Body::Dense(body) => {
                        let widths: Vec<String> = body.widths.iter().map(usize::to_string).collect();
                        add("layers", format!("fully connected: {} noise, {} units", body.latent, widths.join(", ")));
                    }
                    Body::Convolutional(body) => {
                        let (lowest, top) = (body.lowest, body.top());
                        add("layers", format!("convolutional: {lowest} to {top} positions, unit {}", body.unit));
                    }
                }
                add("parameters of the generator", neural.network.graph.trained_size().to_string());
                for (name, share) in neural.labels.names.iter().zip(&neural.labels.shares) {
                    add("label", format!("{name}, {share:.4}"));
                }
            }
        }
        let from = &self.provenance;
        add("trained by", format!("haploom {}", from.version));
        add("seed", from.seed.to_string());
        add("options", from.options.clone());
        add("updates", from.updates.to_string());
        add("training haplotypes", from.haplotypes.to_string());
        add("SHA-256 of the training panel", from.panel_sha256.clone());
        for (name, value) in &from.metrics {
            add(&format!("measured {name}"), format!("{value:.4}"));
        }
        neural::log::summary(from.log.iter().map(String::as_str)).into_iter().for_each(|(n, v)| add(&n, v));
        add("holds haplotypes", if self.holds_haplotypes() { "yes" } else { "no" }.to_string());
        add("what it may leak", self.leak().to_string());
        lines
    }
}
