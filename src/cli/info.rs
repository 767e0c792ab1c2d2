//! `haploom info`: what is in a panel.

use super::output::{print, table};
use super::panel_args::{PartArgs, RuleArgs, ThreadArgs};
use super::select::LabelFile;
use super::terminal::Terminal;
use crate::error::Result;
use crate::io::{self, MissingRule, UnphasedRule};
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `info`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  haploom info panel.vcf.gz
  haploom info panel.bcf -r 15:27000000-28000000 --labels people.tsv")]
pub struct Info {
    /// Panel
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Table of samples and labels: FILE, or FILE:COLUMN
    #[arg(long, value_name = "FILE[:COLUMN]")]
    labels: Option<LabelFile>,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    threads: ThreadArgs,
}

impl Info {
    /// Prints lines of a name, a tab, and a value.
    ///
    /// # Errors
    /// Those of reading, and of writing to standard output.
    pub fn run(self, terminal: &Terminal) -> Result<()> {
        let mut options = self.rules.options(&self.part, 1, self.threads)?;
        // A look into a file does not refuse what it finds there, unless it is asked to do something about it.
        if options.missing == MissingRule::Refuse {
            options.missing = MissingRule::Keep;
        }
        if options.unphased == UnphasedRule::Refuse {
            options.unphased = UnphasedRule::Keep;
        }
        let read = io::read_panel(&self.file, &options)?;
        read.notices.iter().for_each(|notice| terminal.note(notice));
        let mut panel = read.panel;
        if let Some(labels) = &self.labels {
            panel = labels.apply(&panel, terminal)?;
        }
        print(&table(&describe(&panel)))
    }
}

fn describe(panel: &Panel) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut line = |name: &str, value: String| lines.push((name.to_string(), value));
    let samples = panel.samples();
    let haploid = samples.iter().filter(|s| s.ploidy == 1).count();
    line("kind", "panel".into());
    line("people", samples.len().to_string());
    if haploid > 0 {
        line("haploid people", haploid.to_string());
    }
    line("haplotypes", panel.haplotypes().to_string());
    line("sites", panel.sites().len().to_string());
    for contig in panel.sites().contigs() {
        let mut positions = panel.sites().iter().filter(|s| s.contig == contig).map(|s| s.position);
        let first = positions.next().unwrap_or_default();
        let (count, last) = positions.fold((1, first), |(n, _), position| (n + 1, position));
        line("contig", format!("{contig}:{first}-{last}, {count} sites"));
    }
    let frequencies = panel.frequencies();
    let minor = |low: f64, high: f64| {
        frequencies.iter().map(|f| f.min(1.0 - f)).filter(|maf| *maf > low && *maf <= high).count().to_string()
    };
    line("sites with one allele only", frequencies.iter().filter(|f| **f == 0.0 || **f == 1.0).count().to_string());
    line("sites with MAF up to 1%", minor(0.0, 0.01));
    line("sites with MAF 1% to 5%", minor(0.01, 0.05));
    line("sites with MAF over 5%", minor(0.05, 0.5));
    let ones = |plane: Option<&BitMatrix>| plane.map_or(0, |m| (0..m.rows()).map(|r| m.count_row(r)).sum());
    line("missing alleles", ones(panel.missing()).to_string());
    line("unphased genotypes", ones(panel.unphased()).to_string());
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    samples.iter().filter_map(|s| s.label.as_deref()).for_each(|label| *labels.entry(label).or_default() += 1);
    for (label, people) in labels {
        line(&format!("people labelled {label}"), people.to_string());
    }
    line("SHA-256 of the haplotypes", panel.fingerprint());
    lines
}
