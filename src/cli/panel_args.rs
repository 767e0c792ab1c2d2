//! Arguments that say which panel, and which part of it.

use super::terminal::{Terminal, count};
use crate::compute::DeviceChoice;
use crate::error::Result;
use crate::io::{self, Format, MissingRule, MultiallelicRule, ReadOptions, Selection, UnphasedRule};
use crate::panel::Panel;
use crate::panel::region::Region;
use clap::Args;
use std::path::{Path, PathBuf};

/// Which sites and people of a panel.
#[derive(Args, Clone, Debug, Default)]
pub struct PartArgs {
    /// Sites of this region only: CONTIG, CONTIG:POSITION or CONTIG:START-END
    #[arg(short, long)]
    pub region: Option<Region>,
    /// People to take, separated by commas (in the file's order); ^LIST leaves them out
    #[arg(short, long, value_name = "LIST", conflicts_with = "samples_file")]
    pub samples: Option<String>,
    /// File of people to take, one a line; ^FILE leaves them out
    #[arg(short = 'S', long, value_name = "FILE")]
    pub samples_file: Option<String>,
}

/// How files that are not complete VCFs are read.
#[derive(Args, Clone, Debug)]
pub struct RuleArgs {
    /// Missing alleles: refuse, reference, frequency (draw), drop-site or keep
    #[arg(long, value_name = "RULE", default_value_t)]
    pub missing: MissingRule,
    /// Unphased genotypes: refuse, as-written or keep
    #[arg(long, value_name = "RULE", default_value_t)]
    pub unphased: UnphasedRule,
    /// Sites with several alternate alleles: split, refuse or drop
    #[arg(long, value_name = "RULE", default_value_t)]
    pub multiallelic: MultiallelicRule,
    /// Legend of a .hap or .hapt file, if it is not beside it
    #[arg(long, value_name = "FILE")]
    pub legend: Option<PathBuf>,
    /// Sample file of a .hap file, if it is not beside it
    #[arg(long, value_name = "FILE")]
    pub sample_file: Option<PathBuf>,
    /// Contig of a legend whose ids do not tell it
    #[arg(long)]
    pub contig: Option<String>,
}

/// What a command works with.
#[derive(Args, Clone, Copy, Debug)]
pub struct WorkArgs {
    /// Threads; 0 is one for each processor. Results do not depend on it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Where models learn and work: cpu, cuda, cuda:NUMBER, cuda:all, or auto (the first GPU that can be used, or the
    /// processor).
    /// Reading and writing are the processor's in any case
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Cpu)]
    pub device: DeviceChoice,
}

impl PartArgs {
    fn selection(&self) -> Result<Option<Selection>> {
        match (&self.samples, &self.samples_file) {
            (Some(list), _) => Ok(Some(Selection::from_list(list))),
            (None, Some(file)) => Ok(Some(Selection::from_file(file)?)),
            (None, None) => Ok(None),
        }
    }
}

impl RuleArgs {
    /// What the library's reader is told.
    ///
    /// # Errors
    /// The list of samples could not be read.
    pub fn options(&self, part: &PartArgs, seed: u64, work: WorkArgs) -> Result<ReadOptions> {
        Ok(ReadOptions {
            region: part.region.clone(),
            samples: part.selection()?.map(|s| (s.names, s.exclude)),
            legend: self.legend.clone(),
            sample_file: self.sample_file.clone(),
            contig: self.contig.clone(),
            labels: None,
            missing: self.missing,
            unphased: self.unphased,
            multiallelic: self.multiallelic,
            threads: work.threads,
            seed,
        })
    }
}

/// Reads a panel, and tells what the reader noticed and how large it is.
///
/// # Errors
/// As [`io::read_panel`].
pub fn read(path: &Path, options: &ReadOptions, terminal: &mut Terminal) -> Result<Panel> {
    let read = terminal.watch(|progress| io::read_panel_watched(path, options, progress))?;
    read.notices.iter().for_each(|notice| terminal.note(notice));
    terminal.say(format!("{}: {}", shown(path), size(&read.panel)));
    Ok(read.panel)
}

/// The format to write, by the argument or by the name: asked before work begins, so that it does not fail at its end.
///
/// # Errors
/// `UnknownFormat`.
pub fn output_format(path: &Path, asked: Option<Format>) -> Result<Format> {
    asked.map_or_else(|| Format::from_name(path), Ok)
}

/// The name of a file in messages.
pub fn shown(path: &Path) -> String {
    match path.as_os_str() == "-" {
        true => "standard input".to_string(),
        false => path.display().to_string(),
    }
}

/// `2504 people, 5008 haplotypes, 805 sites`.
pub fn size(panel: &Panel) -> String {
    format!(
        "{}, {}, {}",
        count(panel.samples().len(), "person", "people"),
        count(panel.haplotypes(), "haplotype", "haplotypes"),
        count(panel.sites().len(), "site", "sites")
    )
}
