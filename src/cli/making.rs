//! What `sample` and `augment` share: artificial people from a model.

use super::panel_args::{ThreadArgs, read};
use super::terminal::Terminal;
use super::train;
use crate::error::{Error, ErrorKind, Result};
use crate::io::ReadOptions;
use crate::model_file;
use crate::options::Reader;
use crate::panel::region::Region;
use crate::sample::{Artificial, SampleSettings, Sampler};
use crate::threads::Threads;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments that say which haplotypes to make.
#[derive(Args)]
pub struct MakeArgs {
    /// Haplotypes to make: an even number, two for each person
    #[arg(short, value_name = "N")]
    n: usize,
    /// Sites of this region only: CONTIG, CONTIG:POSITION or CONTIG:START-END
    #[arg(short, long)]
    pub region: Option<Region>,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Artificial people are named PREFIX_0, PREFIX_1, ...
    #[arg(long, default_value = "HAPLOOM")]
    prefix: String,
    /// Number of the first haplotype, even: goes on where an earlier run with the same seed ended
    #[arg(long, value_name = "I", default_value_t = 0)]
    first: u64,
    /// Panel that the chains of an RBM start from: other people than those it was trained on
    #[arg(long, value_name = "PANEL")]
    start: Option<PathBuf>,
    /// Population to make, for models that know labels
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Option of the sampler; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl MakeArgs {
    /// Opens the model and makes the haplotypes.
    ///
    /// # Errors
    /// Those of the model, the start panel and the sampler.
    pub fn make(&self, model_path: &Path, threads: ThreadArgs, terminal: &mut Terminal) -> Result<Artificial> {
        let options = train::options(&self.set, &[Reader::Sample])?;
        let model = Arc::new(model_file::open(model_path)?);
        let start = match &self.start {
            Some(path) => {
                Some(read(path, &ReadOptions { threads: threads.threads, ..ReadOptions::default() }, terminal)?)
            }
            None => None,
        };
        let settings = SampleSettings {
            seed: self.seed,
            region: self.region.clone(),
            label: self.label.clone(),
            start,
            threads: Threads::new(threads.threads),
            options,
            ..SampleSettings::default()
        };
        let mut sampler = Sampler::new(model, &settings).map_err(|e| e.file(model_path))?;
        sampler.seek(self.first);
        terminal.watch(|progress| sampler.people(self.n, &self.prefix, progress))
    }
}

/// An error for a person of the panel that bears an artificial one's name.
pub fn name_clash(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Duplicate => error.remedy("name artificial people otherwise with --prefix"),
        _ => error,
    }
}
