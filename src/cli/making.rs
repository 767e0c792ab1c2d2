//! What `sample` and `augment` share: artificial people from a model.

use super::panel_args::{WorkArgs, read};
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
    /// Haplotypes to make: an even number, two for each person. Not needed with a --label that says it
    #[arg(short, value_name = "N", required_unless_present = "label")]
    n: Option<usize>,
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
    /// Population to make, LABEL, or several, LABEL=N,LABEL=N: N haplotypes of each, one after the other. For models
    /// that know labels (`haploom info MODEL`); without it all are made, in their shares
    #[arg(long, value_name = "PLAN")]
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
    pub fn make(&self, model_path: &Path, work: WorkArgs, terminal: &mut Terminal) -> Result<Artificial> {
        let options = train::options(&self.set, &[Reader::Sample])?;
        let model = Arc::new(model_file::open(model_path)?);
        let start = match &self.start {
            Some(path) => Some(read(path, &ReadOptions { threads: work.threads, ..ReadOptions::default() }, terminal)?),
            None => None,
        };
        let settings = SampleSettings {
            seed: self.seed,
            region: self.region.clone(),
            label: self.label.clone(),
            start,
            threads: Threads::new(work.threads),
            device: work.device,
            options,
            ..SampleSettings::default()
        };
        let mut sampler = Sampler::new(model, &settings).map_err(|e| e.file(model_path))?;
        sampler.seek(self.first);
        let n = self.haplotypes(sampler.plan().haplotypes())?;
        terminal.watch(|progress| sampler.people(n, &self.prefix, progress))
    }

    /// How many haplotypes to make, where the labels ask for `planned`: these, from the first one on.
    fn haplotypes(&self, planned: Option<u64>) -> Result<usize> {
        let Some(planned) = planned else {
            return self.n.ok_or_else(|| {
                Error::argument("neither -n nor --label says how many haplotypes to make")
                    .remedy("give -n N, or the number with the label: LABEL=N")
            });
        };
        let Some(left) = planned.checked_sub(self.first).filter(|left| *left > 0) else {
            let what =
                format!("--label asks for {planned} haplotypes, and the first one is to be number {}", self.first);
            return Err(Error::argument(what).remedy("give a smaller --first"));
        };
        let from = if self.first > 0 { format!(" from number {} on", self.first) } else { String::new() };
        match self.n.is_none_or(|n| n as u64 == left) {
            true => Ok(left as usize),
            false => {
                let what = format!("-n is {}, and --label asks for {left} haplotypes{from}", self.n.unwrap_or(0));
                Err(Error::argument(what).remedy("leave out -n"))
            }
        }
    }
}

/// An error for a person of the panel that bears an artificial one's name.
pub fn name_clash(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Duplicate => error.remedy("name artificial people otherwise with --prefix"),
        _ => error,
    }
}
