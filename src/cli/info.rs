//! `haploom info`: what is in a panel, a model, or a log of training.

use super::output::{print, table};
use super::panel_args::{PartArgs, RuleArgs, WorkArgs};
use super::terminal::Terminal;
use crate::compute::device;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{self, LabelSource, MissingRule, UnphasedRule};
use crate::model_file;
use crate::models::neural::log;
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;
use clap::Args;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Arguments of `info`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  haploom info panel.vcf.gz
  haploom info panel.safetensors
  haploom info --devices
  haploom info panel.bcf -r 15:27000000-28000000 --labels people.tsv")]
pub struct Info {
    /// Panel, model, or log of a training (.jsonl)
    #[arg(value_name = "FILE", required_unless_present = "devices")]
    file: Option<PathBuf>,
    /// List the devices that --device takes
    #[arg(long, conflicts_with = "file")]
    devices: bool,
    /// Table of samples and labels: FILE, FILE:COLUMN, or header:KEY
    #[arg(long, value_name = "FILE[:COLUMN]")]
    labels: Option<LabelSource>,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    work: WorkArgs,
}

impl Info {
    /// Prints lines of a name, a tab, and a value.
    ///
    /// # Errors
    /// Those of reading, and of writing to standard output.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let Some(file) = &self.file else {
            return print(&table(&device::listed()));
        };
        if is_model(file)? {
            return print(&table(&model_file::open(file)?.describe()));
        }
        if let Some(lines) = training_log(file)? {
            return print(&table(&lines));
        }
        let mut options = self.rules.options(&self.part, 1, self.work)?;
        // A look into a file does not refuse what it finds there, unless it is asked to do something about it.
        if options.missing == MissingRule::Refuse {
            options.missing = MissingRule::Keep;
        }
        if options.unphased == UnphasedRule::Refuse {
            options.unphased = UnphasedRule::Keep;
        }
        options.labels = self.labels.clone();
        let read = terminal.watch(|progress| io::read_panel_watched(file, &options, progress))?;
        read.notices.iter().for_each(|notice| terminal.note(notice));
        print(&table(&describe_panel(&read.panel)))
    }
}

/// Whether a file begins as safetensors do: the length of a JSON text in eight bytes, then the text.
fn is_model(path: &Path) -> Result<bool> {
    // Standard input is not looked into, since what is read from it is gone; neither is a pipe.
    if !path.metadata().is_ok_and(|known| known.is_file()) {
        return Ok(false);
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(9).read_to_end(&mut head));
    read.map_err(|e| Error::io("read the file", path, &e))?;
    Ok(head.len() == 9 && head[5..] == [0, 0, 0, b'{'])
}

/// What is in a log of training, if the file is one.
fn training_log(path: &Path) -> Result<Option<Vec<(String, String)>>> {
    if !path.metadata().is_ok_and(|known| known.is_file()) || path.extension().is_none_or(|e| e != "jsonl") {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read the log", path, &e))?;
    let mut lines = log::summary(text.lines());
    if lines.is_empty() {
        let what = "no line of the file is a look of a training";
        return Err(Error::new(ErrorKind::Empty, what)
            .file(path)
            .remedy("give a log that `train --set log=FILE.jsonl` wrote"));
    }
    lines.insert(0, ("kind".into(), "log of training".into()));
    Ok(Some(lines))
}

/// Names and values, in the order in which they are printed.
#[derive(Default)]
struct Lines(Vec<(String, String)>);

impl Lines {
    fn add(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.push((name.into(), value.to_string()));
    }

    fn add_contigs(&mut self, sites: &Sites) {
        for (contig, first, last, count) in sites.spans() {
            self.add("contig", format!("{contig}:{first}-{last}, {}", super::terminal::count(count, "site", "sites")));
        }
    }
}

fn describe_panel(panel: &Panel) -> Vec<(String, String)> {
    let mut lines = Lines::default();
    let samples = panel.samples();
    lines.add("kind", "panel");
    lines.add("people", samples.len());
    let haploid = samples.iter().filter(|s| s.ploidy == 1).count();
    if haploid > 0 {
        lines.add("haploid people", haploid);
    }
    lines.add("haplotypes", panel.haplotypes());
    lines.add("sites", panel.sites().len());
    lines.add_contigs(panel.sites());
    let frequencies = panel.frequencies();
    let minor = |low: f64, high: f64| {
        frequencies.iter().map(|f| f.min(1.0 - f)).filter(|maf| *maf > low && *maf <= high).count()
    };
    lines.add("sites with one allele only", frequencies.iter().filter(|f| **f == 0.0 || **f == 1.0).count());
    lines.add("sites with MAF up to 1%", minor(0.0, 0.01));
    lines.add("sites with MAF 1% to 5%", minor(0.01, 0.05));
    lines.add("sites with MAF over 5%", minor(0.05, 0.5));
    let ones = |plane: Option<&BitMatrix>| plane.map_or(0, |m| (0..m.rows()).map(|r| m.count_row(r)).sum::<usize>());
    lines.add("missing alleles", ones(panel.missing()));
    lines.add("unphased genotypes", ones(panel.unphased()));
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    samples.iter().filter_map(|s| s.label.as_deref()).for_each(|label| *labels.entry(label).or_default() += 1);
    for (label, people) in labels {
        lines.add(format!("people labelled {label}"), people);
    }
    lines.add("SHA-256 of the haplotypes", panel.fingerprint());
    lines.0
}
