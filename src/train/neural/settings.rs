//! What a run of a neural generator is asked to do.

use super::label_loss::LabelLoss;
use crate::error::{Error, ErrorKind, Result};
use crate::models::ModelKind;
use crate::models::neural::Body;
use crate::models::neural::convolutional::Convolutional;
use crate::models::neural::dense::Dense;
use crate::nn::optimiser::Rule;
use crate::options::Options;

/// What a generator learns from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// A classifier of real and artificial haplotypes, with a penalty on its squared gradient at real ones (Mescheder et al.
    /// 2018); the generator's loss does not saturate (Goodfellow et al. 2014).
    Classifier,
    /// A critic whose gradient has length one between real and artificial haplotypes (Gulrajani et al. 2017).
    Wasserstein,
}

/// Settings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `Gan`, `Wgan`, `Vae` or `PcaGan`.
    pub kind: ModelKind,
    /// The generator's layers.
    pub body: Body,
    /// Hidden layers of a dense critic.
    pub critic_widths: Vec<usize>,
    /// Share of the sites that a dense critic does not see of a haplotype.
    pub unseen: f64,
    /// Principal components whose scores are made; 0: alleles are.
    pub components: usize,
    /// Steps of the generator.
    pub updates: u64,
    /// The first of these, in which the generator of a convolutional wgan learns as a decoder.
    pub decoding: u64,
    /// What the generator learns from.
    pub loss: Loss,
    /// Samples that a critic sees in a step, each of `pack` haplotypes.
    pub batch: usize,
    /// Haplotypes that a critic sees at once.
    pub pack: usize,
    /// The critic's steps to one of the generator.
    pub critic_steps: usize,
    /// Weight of the penalty on the critic's gradient.
    pub penalty: f64,
    /// Steps of the critic from one penalty to the next, which weighs so many times as much.
    pub penalty_every: u64,
    /// Size of the generator's steps.
    pub rate: f64,
    /// Size of the critic's steps.
    pub critic_rate: f64,
    /// How gradients become steps.
    pub rule: Rule,
    /// How much of the running average of the generator's parameters stays at a step.
    pub average: f64,
    /// Weight of the Kullback-Leibler divergence (variational).
    pub beta: f64,
    /// Clusters of the latent distribution, at most (variational).
    pub latent_clusters: usize,
    /// Looks at how good it is.
    pub looks: u64,
    /// Looks without progress that end the run; 0: none do.
    pub patience: u64,
    /// Share of the people kept aside to judge.
    pub judges: f64,
    /// Whether labels of the panel are learned, if it has any.
    pub conditional: bool,
    /// Weight of an auxiliary classifier of labels beside the critic's verdict; nothing where the critic reads labels.
    pub label_weight: Option<f64>,
    /// Whether alleles are drawn with their chance.
    pub drawn: bool,
    /// Whether a row is a person's unphased genotypes.
    pub genotypes: bool,
    /// The seed.
    pub seed: u64,
}

/// What an option of 0 stands for.
struct Defaults {
    updates: usize,
    batch: usize,
    pack: usize,
    critic_steps: usize,
    penalty: f64,
    penalty_every: usize,
    rate: f64,
    critic_rate: f64,
    latent: usize,
    betas: (f32, f32),
}

/// Layers that settings are found for.
#[derive(Clone, Copy, PartialEq)]
enum Layers {
    Dense,
    /// Convolutions with a latent.
    Convolutional,
    /// Convolutions as published.
    Published,
}

/// Found on the 805 sites (dense bodies) and on 2,000 sites of chr15 (convolutions): benches/RESULTS.md.
fn defaults(kind: ModelKind, layers: Layers) -> Defaults {
    let dense = Defaults {
        updates: 8_000,
        batch: 128,
        pack: 1,
        critic_steps: 1,
        penalty: 10.0,
        penalty_every: 1,
        rate: 2e-4,
        critic_rate: 4e-4,
        latent: 128,
        betas: (0.0, 0.9),
    };
    match (kind, layers) {
        (ModelKind::Vae, Layers::Dense) => {
            Defaults { updates: 2_000, rate: 1e-3, latent: 16, betas: (0.9, 0.999), ..dense }
        }
        (ModelKind::Vae, _) => Defaults { rate: 2e-3, batch: 64, latent: 64, betas: (0.9, 0.99), ..dense },
        (ModelKind::PcaGan, _) => Defaults { penalty: 1.0, rate: 5e-4, critic_rate: 5e-4, latent: 64, ..dense },
        (_, Layers::Published) => {
            Defaults { updates: 10_000, batch: 32, pack: 2, rate: 5e-4, critic_rate: 5e-4, latent: 2, ..dense }
        }
        (_, Layers::Convolutional) => Defaults {
            batch: 64,
            penalty_every: 4,
            rate: 7e-4,
            critic_rate: 7e-4,
            latent: 64,
            betas: (0.0, 0.99),
            ..dense
        },
        (ModelKind::Gan, Layers::Dense) => Defaults { updates: 15_000, penalty: 30.0, latent: 600, ..dense },
        _ => dense,
    }
}

/// Channels of noise at each resolution of a convolutional body with a latent (Yelmen et al. 2023).
const NOISE: usize = 2;
/// Steps over which the size of steps grows at the start of a part of a run of a convolutional wgan.
const RAMP: f64 = 30.0;

/// Units of the hidden layers where scores are made.
const SCORE_UNITS: usize = 256;

impl Settings {
    /// From options, for a panel of so many haplotypes and sites.
    ///
    /// # Errors
    /// `InvalidOption` for options that contradict each other.
    pub fn new(options: &Options, kind: ModelKind, seed: u64, haplotypes: usize, sites: usize) -> Result<Self> {
        let whole = |key: &str, standard: usize| match options.whole(key) {
            0 => standard,
            n => n,
        };
        let number = |key: &str, standard: f64| match options.number(key) {
            0.0 => standard,
            x => x,
        };
        let genotypes = options.text("genotypes") == "unphased";
        let columns = if genotypes { 2 * sites } else { sites };
        let share = |divisor: f64| ((columns as f64 / divisor) as usize).max(4);
        let slope = if kind == ModelKind::PcaGan { 0.2 } else { 0.01 };
        let layers = match options.text("body") {
            "convolutional" => Layers::Convolutional,
            "published" => Layers::Published,
            "auto" if kind == ModelKind::Wgan => Layers::Convolutional,
            _ => Layers::Dense,
        };
        let convolutional = layers != Layers::Dense;
        let standard = defaults(kind, layers);
        let rule = Self::rule(options, standard.betas)?;
        let label_weight = Self::label_weight(options, kind)?;
        let standard = match (rule, kind) {
            (Rule::RmsProp, ModelKind::Gan | ModelKind::Wgan) => Defaults { rate: 1e-4, critic_rate: 8e-4, ..standard },
            _ => standard,
        };
        if convolutional && (kind == ModelKind::PcaGan || genotypes) {
            let what = "convolutions run along sites: neither scores of principal components nor unphased genotypes have such an order";
            return Err(Error::new(ErrorKind::InvalidOption, what).remedy("take option body=dense"));
        }
        if layers == Layers::Published && kind == ModelKind::Vae {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                "body=published has noise at every resolution, which no encoder makes",
            )
            .remedy("take option body=convolutional"));
        }
        let components = match kind {
            ModelKind::PcaGan => whole("pca_components", 32).min(columns).min(haplotypes),
            _ => 0,
        };
        let body = if convolutional {
            let depth =
                match options.whole("depth") {
                    0 => Self::depth_for(sites),
                    depth if depth % 2 == 0 => depth,
                    depth => {
                        return Err(Error::new(ErrorKind::InvalidOption, format!("depth={depth} is odd"))
                            .remedy(format!("blocks double the length twice: take {} or {}", depth - 1, depth + 1)));
                    }
                };
            let body = Convolutional::for_sites(columns, depth, whole("unit", 4));
            Body::Convolutional(match layers {
                Layers::Published => Convolutional { noise: whole("latent", standard.latent), ..body },
                _ => Convolutional { noise: NOISE, ..body.with_latent(whole("latent", standard.latent)) },
            })
        } else {
            let widths = match (kind, components) {
                (ModelKind::Vae, _) => vec![share(2.0), share(2.0)],
                (_, 0) => vec![share(1.2), share(1.1)],
                _ => vec![SCORE_UNITS; 3],
            };
            Body::Dense(Dense { latent: whole("latent", standard.latent), widths, normalised: false, slope })
        };
        let critic_widths = match components {
            0 => vec![share(2.0), share(3.0)],
            _ => vec![SCORE_UNITS; 3],
        };
        let pack = whole("pack", standard.pack);
        let updates = whole("updates", standard.updates) as u64;
        let decodes = layers == Layers::Convolutional && kind != ModelKind::Vae;
        let share = if decodes { options.number("decoding") } else { 0.0 };
        Ok(Settings {
            kind,
            body,
            decoding: (share * updates as f64) as u64,
            penalty_every: whole("penalty_every", standard.penalty_every) as u64,
            critic_widths,
            unseen: if components > 0 { 0.0 } else { options.number("unseen") },
            components,
            updates,
            loss: match kind {
                ModelKind::Gan => Loss::Classifier,
                _ => Loss::Wasserstein,
            },
            batch: whole("batch", standard.batch),
            pack,
            critic_steps: whole("critic_steps", standard.critic_steps),
            penalty: number("penalty", standard.penalty),
            rate: number("learning_rate", standard.rate),
            critic_rate: number("critic_rate", standard.critic_rate),
            rule,
            average: options.number("average"),
            beta: options.number("beta"),
            latent_clusters: options.whole("latent_clusters"),
            looks: options.whole("looks") as u64,
            patience: options.whole("look_patience") as u64,
            judges: options.number("judges"),
            conditional: options.flag("conditional"),
            label_weight,
            drawn: options.text("alleles") == "drawn",
            genotypes,
            seed,
        })
    }

    /// How gradients become steps; `betas` are Adam's.
    fn rule(options: &Options, betas: (f32, f32)) -> Result<Rule> {
        match options.text("optimiser") {
            "rmsprop" => Ok(Rule::RmsProp),
            "sgd" => Err(Error::new(ErrorKind::InvalidOption, "optimiser=sgd is for an RBM")
                .remedy("a neural generator learns by adam or rmsprop")),
            _ => Ok(Rule::Adam { betas }),
        }
    }

    /// The weight of an auxiliary classifier, if the critic is to have one.
    fn label_weight(options: &Options, kind: ModelKind) -> Result<Option<f64>> {
        if options.text("label_critic") == "joined" {
            let default = Options::spec("label_weight")?.default;
            return match options.text("label_weight") == default {
                true => Ok(None),
                false => Err(Error::new(ErrorKind::InvalidOption, "label_weight is for label_critic=auxiliary alone")
                    .remedy("set both, or neither")),
            };
        }
        match kind {
            ModelKind::Gan | ModelKind::Wgan => Ok(Some(options.number("label_weight"))),
            _ => {
                let what = format!("label_critic=auxiliary: a {} model does not learn labels", kind.name());
                Err(Error::new(ErrorKind::InvalidOption, what).remedy("gan and wgan do"))
            }
        }
    }

    /// The critic's auxiliary classifier of so many labels, if it has one.
    pub fn classifier(&self, labels: usize) -> Option<LabelLoss> {
        self.label_weight.map(|weight| LabelLoss { names: labels, pack: self.pack, weight })
    }

    /// Doublings of a convolutional body: the bottom has 4 to 16 positions, few enough for its noise to reach all sites.
    fn depth_for(sites: usize) -> usize {
        let doublings = ((sites + 1) as f64 / 4.0).log2().floor().max(4.0) as usize;
        doublings - doublings % 2
    }

    /// Settings of the first part of a run, if it has one: a decoder's (found on 2,000 sites of chr15).
    pub fn first_part(&self) -> Option<Settings> {
        let rule = Rule::Adam { betas: (0.9, 0.99) };
        (self.decoding > 0).then(|| Settings { rate: 2e-3, beta: 0.5, average: 0.99, rule, ..self.clone() })
    }

    /// The number of an update in its part of the run, and how many there are in that part.
    pub fn phase(&self, update: u64) -> (u64, u64) {
        match update < self.decoding {
            true => (update, self.decoding),
            false => (update - self.decoding, self.updates.max(self.decoding + 1) - self.decoding),
        }
    }

    /// How much of the running average stays at update `update`: little at first, when the average is young.
    pub fn kept(&self, update: u64) -> f32 {
        let update = self.phase(update).0 as f64;
        self.average.min((1.0 + update) / (10.0 + update)) as f32
    }

    /// The share of the full size of a step at update `update`: 1 for the first half of a part of the run, then falling to 0
    /// in a line. Where there are two parts, it grows over the first steps of each.
    pub fn pace(&self, update: u64) -> f64 {
        let (done, total) = self.phase(update);
        let grown = if self.decoding > 0 { ((done + 1) as f64 / RAMP).min(1.0) } else { 1.0 };
        grown * (2.0 * (1.0 - done as f64 / total as f64)).min(1.0)
    }
}
