//! `haploom train`: a model from a panel.

use super::panel_args::{PartArgs, RuleArgs, WorkArgs, read};
use super::terminal::Terminal;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{self, LabelSource, ReadOptions};
use crate::model_file;
use crate::models::ModelKind;
use crate::options::{Options, Reader};
use crate::threads::Threads;
use crate::train::{TrainSettings, checkpoint, readers, train};
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `train`.
#[derive(Args)]
#[command(after_help = "\
The panel has to be phased, without missing alleles, and biallelic (or say what to do:
--unphased, --missing, --multiallelic). `haploom options` lists the keys of --set. The same
panel, options and seed give the same model for any number of threads.

Ctrl-C leaves a checkpoint of an RBM, in MODEL.checkpoint unless --checkpoint names a folder:
the same command with --resume goes on from there and ends with the same model.

A model holds no haplotype of the panel (but a Markov model holds its windows, the clusters of an
hmm come near to people, and copying and context models hold the panel itself): it may still
tell who was in it. `haploom info MODEL` says what it may leak, and `haploom evaluate --test`
measures what its samples leak.

Examples:
  haploom train panel.vcf.gz -o panel.safetensors
  haploom train panel.bcf -r 15:27000000-28000000 -S ^held_out.txt -o train.safetensors
  haploom train 805_SNP.hapt.gz --legend 805_SNP.legend --set hidden=200 -o small.safetensors
  haploom train panel.bcf --model markov --set window=5 -o markov.safetensors")]
pub struct Train {
    /// Panel: VCF, VCF.gz, BCF, .pgen, .hap[.gz] or .hapt[.gz]; - is standard input
    panel: PathBuf,
    /// Model file to write (safetensors)
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,
    /// Kind of model: rbm, hmm (clusters of haplotypes), bernoulli (frequencies alone), markov (windows of sites), and two
    /// that hold the panel: context (woven anew), copying (copied as Li and Stephens do)
    #[arg(long, value_name = "KIND", default_value = "rbm", value_parser = kind)]
    model: ModelKind,
    #[command(flatten)]
    part: PartArgs,
    /// Table of samples and labels: FILE, FILE:COLUMN, or header:KEY
    #[arg(long, value_name = "FILE[:COLUMN]")]
    labels: Option<LabelSource>,
    /// Option of the training; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Refuse to write a model that holds haplotypes of the panel: what is written may go where these may not
    #[arg(long)]
    share: bool,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder for checkpoints
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    work: WorkArgs,
}

fn kind(name: &str) -> Result<ModelKind> {
    ModelKind::from_name(name).ok_or_else(|| {
        let names = ModelKind::names();
        Error::new(ErrorKind::InvalidArgument, format!("there is no model '{name}'"))
            .remedy(format!("choose one of {names}"))
    })
}

/// Options from `key=value` texts, which one of `readers` has to read.
///
/// # Errors
/// `UnknownOption`, `InvalidOption`.
pub fn options(set: &[String], readers: &[Reader]) -> Result<Options> {
    let mut options = Options::new();
    for text in set {
        options.set_text(text)?;
    }
    options.require_read_by(readers)?;
    Ok(options)
}

impl Train {
    /// Reads, trains, writes.
    ///
    /// # Errors
    /// Those of reading, training and writing.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let options = options(&self.set, readers(self.model))?;
        if self.share && self.model.holds_haplotypes() {
            let kinds: Vec<&str> =
                ModelKind::ALL.iter().filter(|kind| !kind.holds_haplotypes()).map(|kind| kind.name()).collect();
            let what = format!("a {} model holds the panel's haplotypes and is not to be shared", self.model.name());
            return Err(Error::argument(what).remedy(format!("with --share train {}", kinds.join(", "))));
        }
        io::require_writable(&self.output)?;
        let reading = self.rules.options(&self.part, self.seed, self.work)?;
        let panel = read(&self.panel, &ReadOptions { labels: self.labels.clone(), ..reading }, terminal)?;
        panel.require_complete().map_err(|e| e.file(&self.panel))?;
        let default_checkpoint = default_checkpoint(&self.output);
        let settings = TrainSettings {
            seed: self.seed,
            threads: Threads::new(self.work.threads),
            device: self.work.device,
            checkpoint: self.checkpoint.clone().or(default_checkpoint.clone()),
            resume: self.resume,
        };
        let trained = terminal.watch(|progress| train(&panel, self.model, &options, &settings, progress));
        if let (Err(_), Some(folder)) = (&trained, &default_checkpoint) {
            // An empty folder says nothing; one that holds a checkpoint stays.
            let _ = std::fs::remove_dir(folder);
        }
        let model = trained?;
        if self.share && model.holds_haplotypes() {
            return Err(Error::argument("the model came to hold haplotypes of the panel: it is not written")
                .remedy("train with fewer option hmm_clusters, or a larger option allele_prior"));
        }
        for (name, value) in &model.provenance.metrics {
            terminal.say(format!("{name} {value:.4}"));
        }
        model_file::save(&model, &self.output)?;
        terminal.wrote(&self.output);
        terminal.say(format!("what it may leak: {}", model.leak()));
        // What the user did not ask for does not stay: a checkpoint says more of the panel than the model does.
        if let (None, Some(folder)) = (&self.checkpoint, &default_checkpoint) {
            let _ = std::fs::remove_file(checkpoint::file_in(folder));
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }
}

/// `MODEL.checkpoint` beside the model; none for standard output.
fn default_checkpoint(output: &Path) -> Option<PathBuf> {
    let mut name = output.file_name().filter(|name| *name != "-")?.to_os_string();
    name.push(".checkpoint");
    Some(output.with_file_name(name))
}
