//! `haploom paint`: whom haplotypes were copied from.

use super::panel_args::{WorkArgs, read};
use super::terminal::{Terminal, count};
use super::train;
use crate::error::Result;
use crate::impute::painting::paint_file;
use crate::impute::{ImputeSettings, Imputer};
use crate::io::{LabelSource, ReadOptions, read_genetic_map};
use crate::options::Reader;
use crate::threads::Threads;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `paint`.
#[derive(Args)]
#[command(after_help = "\
Each haplotype of the target is a mosaic of the panel's: the table has a line for each stretch,
with the donor, the donor's label (--labels), the sites typed in it and those at which both
differ. The path is the most likely one under the copying model of Li and Stephens, whose rates
are estimated from the panel unless --set effective_size or --set error give them.

Examples:
  haploom paint target.vcf.gz --panel panel.bcf --map chr15.map -o painting.tsv
  haploom paint new.bcf --panel training.bcf --labels samples.tsv:super_pop -o - | head")]
pub struct Paint {
    /// Target: phased people; - is standard input
    target: PathBuf,
    /// Panel to copy from
    #[arg(long, value_name = "PANEL")]
    panel: PathBuf,
    /// Genetic map of the panel; without it, 1 cM a megabase
    #[arg(long, value_name = "MAP")]
    map: Option<PathBuf>,
    /// Table of the panel's samples and labels: FILE, FILE:COLUMN, or header:KEY
    #[arg(long, value_name = "FILE[:COLUMN]")]
    labels: Option<LabelSource>,
    /// Table to write; - is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Take chr15 and 15 as the same contig
    #[arg(long)]
    match_contigs: bool,
    /// Option of the copying model; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    work: WorkArgs,
}

impl Paint {
    /// Reads panel and target, paints, writes.
    ///
    /// # Errors
    /// Those of the panel, the map and the target.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let options = train::options(&self.set, &[Reader::Copying])?;
        let threads = Threads::new(self.work.threads);
        let settings = ImputeSettings {
            map: self.map.as_deref().map(read_genetic_map).transpose()?,
            threads: threads.clone(),
            ..ImputeSettings::from_options(&options)?
        };
        let reading = ReadOptions { threads: self.work.threads, labels: self.labels, ..ReadOptions::default() };
        let panel = read(&self.panel, &reading, terminal)?;
        panel.require_complete().map_err(|e| e.file(&self.panel))?;
        let imputer = Imputer::from_panel(&panel, settings)?;
        imputer.notices().iter().for_each(|notice| terminal.note(notice));
        let painting = terminal.watch(|progress| {
            paint_file(&imputer, &self.target, &self.output, self.match_contigs, &threads, progress)
        })?;
        painting.notices.iter().for_each(|notice| terminal.note(notice));
        terminal.say(count(painting.stretches.len(), "stretch", "stretches"));
        terminal.wrote(&self.output);
        Ok(())
    }
}
