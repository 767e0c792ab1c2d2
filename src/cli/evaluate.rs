//! `haploom evaluate`: how close an artificial panel is to a real one, and how much of it leaks.

use super::output::print;
use super::panel_args::{PartArgs, RuleArgs, WorkArgs, read};
use super::terminal::Terminal;
use super::train;
use crate::error::Result;
use crate::evaluate::{EvaluateOptions, evaluate};
use crate::io::{self, LabelSource, ReadOptions, Selection};
use crate::options::Reader;
use crate::panel::region::Region;
use crate::threads::Threads;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `evaluate`.
#[derive(Args)]
#[command(after_help = "\
The table goes to standard output. With people who were never trained on (--test or
--test-samples) each number has its floor beside it, the same number between real people, and
the privacy loss is measured.

Examples:
  haploom evaluate panel.vcf.gz new.bcf
  haploom evaluate train.bcf new.bcf --test held_out.bcf --json evaluation.json
  haploom evaluate panel.vcf.gz new.bcf --test-samples held_out.txt --labels people.tsv")]
pub struct Evaluate {
    /// Real panel: the people that the model was trained on
    real: PathBuf,
    /// Artificial panel
    artificial: PathBuf,
    /// Panel of people that the model was not trained on
    #[arg(long, value_name = "HELD_OUT", conflicts_with = "test_samples")]
    test: Option<PathBuf>,
    /// File of people in REAL that the model was not trained on, one a line
    #[arg(long, value_name = "FILE")]
    test_samples: Option<String>,
    /// Table of samples and labels, for the shares of populations: FILE, FILE:COLUMN, or header:KEY
    #[arg(long, value_name = "FILE[:COLUMN]")]
    labels: Option<LabelSource>,
    /// File for the numbers as JSON; - is standard output, without the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Sites of this region only: CONTIG, CONTIG:POSITION or CONTIG:START-END
    #[arg(short, long)]
    region: Option<Region>,
    /// Look at triplets of sites at the gaps 1, 4, 16, 64, 256, 512 and 1024 too
    #[arg(long)]
    gaps: bool,
    /// Option of the evaluation; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    work: WorkArgs,
}

impl Evaluate {
    /// Reads, compares, prints.
    ///
    /// # Errors
    /// Those of reading, of the evaluation, and of writing.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let part = PartArgs { region: self.region.clone(), ..PartArgs::default() };
        let options = train::options(&self.set, &[Reader::Evaluate])?;
        let reading = self.rules.options(&part, self.seed, self.work)?;
        let labelled = ReadOptions { labels: self.labels.clone(), ..reading.clone() };
        let mut real = read(&self.real, &labelled, terminal)?;
        let mut held_out = self.test.as_ref().map(|path| read(path, &reading, terminal)).transpose()?;
        if let Some(file) = &self.test_samples {
            let names = Selection::from_file(file)?.names;
            let split = |exclude| real.select_samples(&real.samples().find(&names, exclude)?);
            let (train, test) = (split(true), split(false));
            held_out = Some(test.map_err(|e| e.file(file))?);
            real = train.map_err(|e| e.file(file))?;
        }
        let artificial = read(&self.artificial, &reading, terminal)?;
        let settings = EvaluateOptions {
            seed: self.seed,
            threads: Threads::new(self.work.threads),
            device: self.work.device,
            gaps: self.gaps || options.flag("gaps"),
            ..EvaluateOptions::from_options(&options)?
        };
        let evaluation =
            terminal.watch(|progress| evaluate(&real, &artificial, held_out.as_ref(), &settings, progress))?;
        let json = format!("{:#}\n", evaluation.to_json());
        match &self.json {
            Some(path) if path.as_os_str() == "-" => return print(&json),
            Some(path) => {
                io::write_bytes(path, json.as_bytes())?;
                terminal.wrote(path);
            }
            None => {}
        }
        print(&evaluation.to_table())
    }
}
