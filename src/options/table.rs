//! The one table of option keys.

use std::fmt;

/// The type and bounds of an option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    /// A whole number between the two, both included.
    Whole(i64, i64),
    /// A number between the two, both included.
    Number(f64, f64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text; what it has to be is said in words.
    Text(&'static str),
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bounds::Whole(low, i64::MAX) => write!(f, "a whole number, at least {low}"),
            Bounds::Whole(low, high) => write!(f, "a whole number from {low} to {high}"),
            Bounds::Number(low, high) if high.is_infinite() => write!(f, "a number, at least {low}"),
            Bounds::Number(low, high) => write!(f, "a number from {low} to {high}"),
            Bounds::Flag => f.write_str("true or false"),
            Bounds::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Bounds::Text(what) => f.write_str(what),
        }
    }
}

/// Who reads an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Every call of the C library; the command line has flags for these.
    Call,
    /// What takes a part of a panel or a model.
    Region,
    /// What takes some people of a panel.
    Select,
    /// Reading of panels.
    Read,
    /// Writing of panels.
    Write,
    /// Training of any model.
    Train,
    /// Training in steps along a gradient.
    Descent,
    /// Training of an RBM.
    Rbm,
    /// Training of a neural generator.
    Neural,
    /// Training of a Markov model.
    Markov,
    /// What needs genetic distances.
    Map,
    /// The copying model.
    Copying,
    /// Imputation.
    Impute,
    /// Imputation of files.
    ImputeFile,
    /// Training of a hidden Markov model of clusters.
    Hmm,
    /// Training of a context model.
    Context,
    /// Checkpoints of training.
    Checkpoint,
    /// Sampling.
    Sample,
    /// What a stream of haplotypes looks like in a caller's buffer.
    Stream,
    /// Names of artificial people.
    People,
    /// Augmentation of a file.
    Augment,
    /// Encoding.
    Encode,
    /// Evaluation.
    Evaluate,
}

impl Reader {
    /// The heading in the docs.
    pub fn name(self) -> &'static str {
        match self {
            Reader::Call => "every call",
            Reader::Region => "region",
            Reader::Select => "selection",
            Reader::Read => "reading",
            Reader::Write => "writing",
            Reader::Train => "training",
            Reader::Descent => "training, steps",
            Reader::Rbm => "training, RBM",
            Reader::Neural => "training, neural",
            Reader::Markov => "training, Markov",
            Reader::Map => "genetic map",
            Reader::Copying => "copying model",
            Reader::Impute => "imputation",
            Reader::ImputeFile => "imputation of files",
            Reader::Hmm => "training, hidden Markov",
            Reader::Context => "training, context",
            Reader::Checkpoint => "checkpoints",
            Reader::Sample => "sampling",
            Reader::Stream => "stream",
            Reader::People => "artificial people",
            Reader::Augment => "augmentation",
            Reader::Encode => "encoding",
            Reader::Evaluate => "evaluation",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The key.
    pub key: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// Type and bounds.
    pub bounds: Bounds,
    /// The default, as text.
    pub default: &'static str,
    /// What it does, with its unit, and where the default comes from.
    pub help: &'static str,
}

const fn whole(
    key: &'static str,
    reader: Reader,
    low: i64,
    high: i64,
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec { key, reader, bounds: Bounds::Whole(low, high), default, help }
}

const fn number(
    key: &'static str,
    reader: Reader,
    low: f64,
    high: f64,
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec { key, reader, bounds: Bounds::Number(low, high), default, help }
}

const fn choice(
    key: &'static str,
    reader: Reader,
    words: &'static [&'static str],
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec { key, reader, bounds: Bounds::Choice(words), default, help }
}

const fn flag(key: &'static str, reader: Reader, default: &'static str, help: &'static str) -> Spec {
    Spec { key, reader, bounds: Bounds::Flag, default, help }
}

const fn text(
    key: &'static str,
    reader: Reader,
    what: &'static str,
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec { key, reader, bounds: Bounds::Text(what), default, help }
}

/// Every option there is.
pub const TABLE: &[Spec] = &[
    whole(
        "threads",
        Reader::Call,
        0,
        4096,
        "1",
        "threads that the call may use (0: one for each processor); results do not depend on it",
    ),
    whole("seed", Reader::Call, 0, i64::MAX, "1", "seed of the random numbers"),
    flag(
        "x_panic",
        Reader::Call,
        "false",
        "the call fails by a panic inside, so that a host can try how it takes an INTERNAL error",
    ),
    text(
        "region",
        Reader::Region,
        "CONTIG, CONTIG:POSITION, CONTIG:START-END or CONTIG:START-, positions from 1",
        "",
        "sites whose position lies inside (empty: all)",
    ),
    text(
        "samples",
        Reader::Select,
        "names separated by commas, or ^ and names to leave out",
        "",
        "people to take, in the file's order (empty: all)",
    ),
    text(
        "samples_file",
        Reader::Select,
        "a file, or ^ and a file of names to leave out",
        "",
        "file of people to take, one a line (empty: all)",
    ),
    text(
        "labels",
        Reader::Read,
        "FILE, FILE:COLUMN or header:KEY",
        "",
        "labels of the people, such as super-populations (empty: none): a table of names and labels, whose label is in COLUMN (without it: super_pop, population, pop, label or the second column; a table without a header begins with somebody of the panel), or what the panel's own VCF header says in lines ##SAMPLE=<ID=NAME,KEY=LABEL>",
    ),
    choice(
        "missing",
        Reader::Read,
        &["refuse", "reference", "frequency", "drop-site", "keep"],
        "refuse",
        "what to do with missing alleles: refuse the file, take the reference allele, draw from the site's frequency, leave the site out, or keep them as missing",
    ),
    choice(
        "unphased",
        Reader::Read,
        &["refuse", "as-written", "keep"],
        "refuse",
        "what to do with unphased heterozygous genotypes: refuse the file, take alleles as written, or keep them as unphased",
    ),
    choice(
        "multiallelic",
        Reader::Read,
        &["split", "refuse", "drop"],
        "split",
        "what to do with several alternate alleles: a biallelic site each, refuse the file, or leave the record out",
    ),
    text(
        "legend",
        Reader::Read,
        "a file",
        "",
        "legend of a .hap or .hapt file (empty: beside it, under the same name)",
    ),
    text(
        "sample_file",
        Reader::Read,
        "a file",
        "",
        "sample file of a .hap file (empty: beside it, under the same name)",
    ),
    text("contig", Reader::Read, "a name", "", "contig of legends whose ids do not say it"),
    choice(
        "format",
        Reader::Write,
        &["auto", "vcf", "vcf.gz", "bcf", "hap", "hap.gz", "hapt", "hapt.gz", "pgen"],
        "auto",
        "format to write (auto: by the file's name)",
    ),
    flag("index", Reader::Write, "true", "whether VCF.gz gets a .tbi and BCF a .csi"),
    number(
        "held_out",
        Reader::Train,
        0.0,
        0.5,
        "0",
        "share of the people kept aside to judge the model while it learns, and to measure its log likelihood at the end (0: none)",
    ),
    whole(
        "updates",
        Reader::Descent,
        0,
        100_000_000,
        "0",
        "number of gradient steps (0: of an RBM as many as epochs make; of a neural generator's, 15,000 for gan, 10,000 for a convolutional wgan, else 8,000)",
    ),
    // More than 65,536 rows could carry a sum over them past 32 bits.
    whole(
        "batch",
        Reader::Descent,
        0,
        65_536,
        "0",
        "haplotypes in a mini-batch; of a critic, packs of them (0: 500 for an RBM, 128 for a neural generator, 32 if it is convolutional)",
    ),
    number(
        "learning_rate",
        Reader::Descent,
        0.0,
        10.0,
        "0",
        "size of a step, constant for half of the updates, then falling to 0 (0: of an RBM half of 1 / the largest variance of the panel along a direction, .019 for the 805 sites, and half of that again each time training diverges; of a neural generator 2e-4 for gan and wgan, 5e-4 for pca-gan and a convolutional wgan, 1e-3 for vae)",
    ),
    choice(
        "hidden_type",
        Reader::Rbm,
        &["relu", "bernoulli"],
        "relu",
        "kind of hidden units (Yelmen 2021: ReLU is better; so it is in benches/RESULTS.md)",
    ),
    whole(
        "hidden",
        Reader::Rbm,
        0,
        65_536,
        "0",
        "number of hidden units (0: twice the square root of the number of sites, so 57 for 805 and 200 for 10,000)",
    ),
    number(
        "epochs",
        Reader::Rbm,
        0.0,
        1e9,
        "120",
        "passes through the panel; more learn finer detail and leak more of the people (benches/RESULTS.md)",
    ),
    whole("chains", Reader::Rbm, 1, 65_536, "500", "Markov chains that estimate the model's side of the gradient"),
    whole("k", Reader::Rbm, 1, 1_000_000, "5", "Gibbs sweeps a gradient step (Yelmen 2021: 10)"),
    choice(
        "method",
        Reader::Rbm,
        &["renewed", "pcd", "rdm"],
        "renewed",
        "chains start again from the mixture after `sweeps` sweeps (renewed), go on for ever (pcd), or start from random bits at each step (rdm: Decelle et al. 2021, out of equilibrium)",
    ),
    whole(
        "sweeps",
        Reader::Rbm,
        1,
        1_000_000,
        "5",
        "Gibbs sweeps after which a chain of training starts again (renewed), or from the start to a haplotype (pcd)",
    ),
    whole("clusters", Reader::Rbm, 1, 4096, "64", "clusters of the mixture that chains start from"),
    whole("cluster_size", Reader::Rbm, 1, 1_000_000, "20", "the least number of haplotypes that a cluster stands for"),
    choice("optimiser", Reader::Rbm, &["sgd", "adam"], "sgd", "how a gradient becomes a step"),
    number("momentum", Reader::Rbm, 0.0, 0.9999, "0", "momentum of sgd"),
    number("l2", Reader::Rbm, 0.0, 10.0, "0.5", "weight decay: the gradient of W loses l2 times W"),
    choice(
        "stop",
        Reader::Rbm,
        &["never", "aats", "held_out"],
        "never",
        "end early: when the adversarial accuracies of the chains no longer come nearer to 1/2 (aats), or when people kept aside are too far off (held_out)",
    ),
    whole("stop_every", Reader::Rbm, 1, 1_000_000, "100", "updates between two looks of `stop`"),
    whole("patience", Reader::Rbm, 1, 1_000_000, "10", "looks without progress before stop=aats ends training"),
    number(
        "stop_gap",
        Reader::Rbm,
        0.0,
        1e6,
        "5",
        "stop=held_out: nats of free energy a haplotype that people kept aside may be above training people",
    ),
    choice(
        "output",
        Reader::Descent,
        &["calibrated", "plain"],
        "calibrated",
        "last half-step of a sample: sharpness and bias fitted at the end of training (calibrated), or the machine as it is (plain)",
    ),
    flag("ladder", Reader::Rbm, "false", "whether the model file keeps a tempering ladder"),
    number(
        "rung_acceptance",
        Reader::Rbm,
        0.05,
        0.95,
        "0.3",
        "least acceptance of swaps between neighbouring rungs (Béreux et al. 2025: at least .25)",
    ),
    flag("centred", Reader::Rbm, "true", "centred gradient (Melchior et al. 2016)"),
    choice(
        "body",
        Reader::Neural,
        &["auto", "dense", "convolutional"],
        "auto",
        "layers: fully connected (Yelmen 2021) or convolutional (Yelmen 2023); auto: convolutional for a wgan of linked sites, else dense",
    ),
    whole(
        "latent",
        Reader::Neural,
        0,
        65_536,
        "0",
        "numbers of noise (0: 600 for gan as Yelmen 2021, 128 for wgan, 64 for pca-gan, 32 for vae); of a convolutional body, channels of noise at each resolution (0: 2 as Yelmen 2023)",
    ),
    number(
        "unseen",
        Reader::Neural,
        0.0,
        0.95,
        "0.4",
        "share of the sites that a dense critic does not see of a haplotype, real or artificial, drawn anew each time: it keeps the critic from knowing the panel by heart (on the 805 sites 0.4 brings pairwise W1 from 8 to 6 after 6,000 updates)",
    ),
    whole(
        "unit",
        Reader::Neural,
        0,
        1024,
        "0",
        "channels a unit of width of a convolutional body (0: 4; Yelmen 2023: 10)",
    ),
    whole(
        "depth",
        Reader::Neural,
        0,
        24,
        "0",
        "doublings of a convolutional body, even (0: as many as leave 4 positions or more at the bottom; Yelmen 2023: 12 for 10,000 sites)",
    ),
    whole(
        "pca_components",
        Reader::Neural,
        0,
        65_536,
        "0",
        "principal components whose scores a pca-gan makes (0: 32)",
    ),
    whole(
        "pack",
        Reader::Neural,
        0,
        64,
        "0",
        "haplotypes that a critic sees at once (0: 1, or 2 if it is convolutional; Yelmen 2023: 3)",
    ),
    whole(
        "critic_steps",
        Reader::Neural,
        0,
        1000,
        "0",
        "steps of the critic to one of the generator (0: 1; Yelmen 2023: 10)",
    ),
    number(
        "critic_rate",
        Reader::Neural,
        0.0,
        10.0,
        "0",
        "size of the critic's steps (0: 4e-4 for gan and wgan, 5e-4 for pca-gan and a convolutional wgan)",
    ),
    number(
        "penalty",
        Reader::Neural,
        0.0,
        1e6,
        "0",
        "weight of the penalty on the critic's gradient: at real haplotypes for gan (0: 30; Mescheder 2018), between real and artificial ones for wgan (0: 10; Gulrajani 2017) and pca-gan (0: 1)",
    ),
    number(
        "average",
        Reader::Neural,
        0.0,
        1.0,
        "0.999",
        "how much of the running average of the generator's parameters, which haplotypes are made with, stays at a step",
    ),
    number("beta", Reader::Neural, 0.0, 1000.0, "1", "weight of the Kullback-Leibler divergence of a vae"),
    whole(
        "latent_clusters",
        Reader::Neural,
        1,
        4096,
        "32",
        "normal clusters of a vae's noise, at most; each stands for 20 haplotypes or more",
    ),
    whole("looks", Reader::Neural, 1, 100_000, "20", "looks at what the generator makes; the best one's state is kept"),
    whole("look_patience", Reader::Neural, 0, 100_000, "0", "looks without progress that end training (0: none do)"),
    number(
        "judges",
        Reader::Neural,
        0.0,
        0.5,
        "0.1",
        "share of the people kept aside, by whom looks judge (0: none; training haplotypes judge)",
    ),
    text(
        "log",
        Reader::Neural,
        "a file",
        "",
        "where looks go, a JSON text a line (empty: nowhere; the model's file has them too)",
    ),
    flag("conditional", Reader::Neural, "true", "whether a gan or wgan learns the labels of a panel that has them"),
    choice(
        "alleles",
        Reader::Neural,
        &["drawn", "likelier"],
        "drawn",
        "alleles of a haplotype: drawn with the chance that the generator gives, or the likelier one (as the papers do; it makes haplotypes huddle)",
    ),
    choice(
        "genotypes",
        Reader::Neural,
        &["phased", "unphased"],
        "phased",
        "what is learned: haplotypes, or people's unphased genotypes as two columns a site",
    ),
    whole("window", Reader::Markov, 0, 20, "10", "sites that the next one depends on (Yelmen 2021: 5 and 10)"),
    text(
        "map",
        Reader::Map,
        "a file (PLINK's layout, or columns with a header)",
        "",
        "genetic map (empty: 1 cM a megabase, the human average)",
    ),
    number(
        "effective_size",
        Reader::Copying,
        0.0,
        1e12,
        "0",
        "Ne of Li and Stephens: 4 Ne r / K switches over r Morgans among K haplotypes (0: estimated from the panel)",
    ),
    number(
        "error",
        Reader::Copying,
        0.0,
        0.5,
        "0",
        "share of alleles that are not the copied ones (0: estimated from the panel)",
    ),
    whole(
        "artificial",
        Reader::Impute,
        0,
        1 << 30,
        "0",
        "artificial haplotypes that stand beside a panel, where a model is given too (0: as many as the panel has)",
    ),
    number(
        "artificial_weight",
        Reader::Impute,
        -1.0,
        1.0,
        "-1",
        "prior of an artificial haplotype against a real one (-1: estimated from the targets; 0: they are left out)",
    ),
    whole(
        "impute_chains",
        Reader::Impute,
        2,
        65_536,
        "64",
        "Gibbs chains of an RBM for each haplotype, clamped to its typed sites",
    ),
    whole(
        "impute_sweeps",
        Reader::Impute,
        0,
        1_000_000,
        "0",
        "Gibbs sweeps at most (0: as many as the model's sampler does; more suit a machine in equilibrium alone)",
    ),
    number(
        "tolerance",
        Reader::Impute,
        1e-6,
        1.0,
        "0.1",
        "two halves of the Gibbs chains agree if their dosages differ by less than this (root mean square); where impute_sweeps is given, sweeps end once they do and no longer move",
    ),
    whole(
        "latent_pool",
        Reader::Impute,
        1,
        1 << 24,
        "2000",
        "points of the latent space of a neural generator, drawn once, from which the search for typed alleles starts",
    ),
    whole(
        "latent_chains",
        Reader::Impute,
        1,
        65_536,
        "16",
        "chains of a neural generator for each haplotype, along the gradient towards its typed alleles",
    ),
    whole(
        "latent_steps",
        Reader::Impute,
        0,
        1_000_000,
        "60",
        "steps of each of these chains (0: none, the points drawn at the beginning alone are weighted)",
    ),
    number(
        "typed_error",
        Reader::Impute,
        0.0,
        0.5,
        "0",
        "share of typed alleles that an RBM or a neural generator takes to be wrong (0: none)",
    ),
    choice(
        "contigs",
        Reader::ImputeFile,
        &["as-written", "match"],
        "as-written",
        "whether chr15 and 15 are the same contig (match: they are, and the output has the target's names)",
    ),
    choice(
        "typed",
        Reader::ImputeFile,
        &["keep", "correct"],
        "keep",
        "typed alleles in the output: as the target has them, or as likely as the model finds them",
    ),
    number(
        "overlap",
        Reader::ImputeFile,
        0.0,
        1e6,
        "10",
        "expected switches beyond either end of a window whose typed sites tell of it (10: what lies farther could change a probability by e^-10)",
    ),
    whole(
        "window_sites",
        Reader::ImputeFile,
        0,
        1 << 40,
        "0",
        "sites imputed at a time (0: as many as make 512 million dosages)",
    ),
    text(
        "report",
        Reader::ImputeFile,
        "a file",
        "",
        "table of the target's sites that do not match, a line each (empty: none)",
    ),
    whole(
        "hmm_clusters",
        Reader::Hmm,
        1,
        65_536,
        "1024",
        "clusters of haplotypes; more know rarer alleles (1,024 of 4,006 haplotypes on chr15: r2 a site .682, LL -189) and come nearer to being the people, and the file takes a byte for each at each site",
    ),
    number(
        "hmm_cluster_size",
        Reader::Hmm,
        0.0,
        1e6,
        "0",
        "the least number of haplotypes that a cluster stands for, on average over the sites: smaller ones are given up (0: any)",
    ),
    whole("iterations", Reader::Hmm, 0, 100_000, "3", "rounds of expectation maximisation"),
    number(
        "allele_prior",
        Reader::Hmm,
        0.0,
        1e6,
        "0.03",
        "haplotypes with the site's frequency that are added to each cluster: more blur what single people have",
    ),
    number("entry_prior", Reader::Hmm, 0.0, 1e6, "1", "switches that are added to each cluster's share of them"),
    number(
        "switch_prior",
        Reader::Hmm,
        0.0,
        1e9,
        "10",
        "haplotypes with hmm_switch_rate that are added to what is learned of each interval's switches",
    ),
    number(
        "hmm_switch_rate",
        Reader::Hmm,
        1e-12,
        1.0,
        "6e-6",
        "switches of cluster that are expected a base pair, before they are learned",
    ),
    whole(
        "stretch",
        Reader::Hmm,
        0,
        1_000_000_000,
        "500",
        "sites in a stretch within which clusters have one weight of entry (0: the whole contig)",
    ),
    number(
        "run_share",
        Reader::Context,
        0.01,
        100.0,
        "1",
        "how long an artificial haplotype may equal one of a person, as a share of the longest run that the person shares with another; more imputes better and leaks more (1 is what people share anyway; with 3,264 artificial haplotypes of 816 Europeans it gave imputation 89% of what the real ones give it, and 0.7 gave 72%)",
    ),
    whole(
        "least_carriers",
        Reader::Context,
        1,
        1_000_000,
        "1",
        "haplotypes that have to carry an allele, or it is taken out of the model: 1 keeps all, 2 hides those of a single one, which helps imputation less and gives away less (alleles_auc of an evaluation)",
    ),
    text("checkpoint", Reader::Checkpoint, "a folder", "", "where checkpoints of an RBM go (empty: nowhere)"),
    flag("resume", Reader::Checkpoint, "false", "whether to go on from the checkpoint there"),
    choice(
        "sampler",
        Reader::Sample,
        &["auto", "mixture", "gibbs", "random", "tempering"],
        "auto",
        "where chains of an RBM start: as the model was trained (auto), draws of its mixture, sites alone by their frequency (gibbs), random bits (random: with sample_sweeps = k this is Rdm-k), or parallel tempering along the training trajectory (tempering)",
    ),
    whole(
        "sample_sweeps",
        Reader::Sample,
        0,
        1_000_000,
        "0",
        "Gibbs sweeps from the start to a haplotype (0: as in training)",
    ),
    whole("rounds", Reader::Sample, 0, 1_000_000, "50", "rounds of tempering"),
    whole("round_sweeps", Reader::Sample, 1, 10_000, "5", "Gibbs sweeps of each rung between two swaps"),
    text(
        "label",
        Reader::Stream,
        "LABEL, or LABEL=HAPLOTYPES,LABEL=HAPLOTYPES,... with labels that the model knows",
        "",
        "population to make (empty: all in their shares, both haplotypes of a person from one), or several one after the other, where the stream ends with the last; gan and wgan learn the labels of their panel",
    ),
    choice(
        "layout",
        Reader::Stream,
        &["haplotypes", "sites"],
        "haplotypes",
        "what a row of the buffer is: a haplotype or a site",
    ),
    choice(
        "packing",
        Reader::Stream,
        &["bytes", "bits"],
        "bytes",
        "how alleles lie in a row: a byte or a bit each, lowest bit first",
    ),
    whole(
        "haplotypes",
        Reader::Stream,
        0,
        1 << 48,
        "0",
        "number of the haplotype at which the stream ends, at the latest (0: the end of what label asks for, or 2^48)",
    ),
    text("prefix", Reader::People, "a word", "HAPLOOM", "artificial people are named PREFIX_0, PREFIX_1, ..."),
    choice(
        "outside",
        Reader::Augment,
        &["drop", "refuse", "missing"],
        "drop",
        "what to do with records that the model does not have: leave them out, refuse the file, or write them with missing artificial genotypes",
    ),
    whole(
        "components",
        Reader::Encode,
        0,
        65_536,
        "10",
        "singular vectors of W, or principal axes of a latent space, to project on, at most",
    ),
    whole("aats_draws", Reader::Evaluate, 1, 10_000, "5", "draws of adversarial accuracy (Yale et al. 2019)"),
    whole("aats_most", Reader::Evaluate, 2, 1_000_000, "2500", "haplotypes a side in a draw, at most"),
    whole("triplets", Reader::Evaluate, 1, 10_000_000, "8000", "random triplets of sites"),
    flag(
        "gaps",
        Reader::Evaluate,
        "false",
        "whether triplets at the gaps 1, 4, 16, 64, 256, 512 and 1024 are looked at too",
    ),
    number(
        "transport_reg",
        Reader::Evaluate,
        1e-6,
        1e6,
        "0.001",
        "regularisation of the transport between principal components",
    ),
    whole("transport_most", Reader::Evaluate, 1, 1_000_000, "2000", "haplotypes a side in the transport, at most"),
    whole(
        "linkage_most",
        Reader::Evaluate,
        2,
        1_000_000,
        "10000",
        "sites whose pairs are all looked at for LD; of more, as many are drawn",
    ),
];
