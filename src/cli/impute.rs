//! `haploom impute`: untyped sites of people.

use super::panel_args::{WorkArgs, output_format, read, shown};
use super::terminal::{Terminal, count};
use super::train;
use crate::error::{Error, Result};
use crate::impute::{ImputeFileOptions, ImputeSettings, Imputer, impute_file};
use crate::io::{Format, ImputedOptions, ReadOptions, read_genetic_map};
use crate::model_file;
use crate::options::Reader;
use crate::panel::region::Region;
use crate::threads::Threads;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

/// A correlation over fewer people says next to nothing of how well sites are imputed.
const FEWEST_JUDGED: usize = 10;

/// Arguments of `impute`.
#[derive(Args)]
#[command(after_help = "\
From a model alone no reference genome is read. From a panel it is the copying model of Li and
Stephens, with rates estimated from the panel. With both, artificial haplotypes that the model
makes now stand beside the panel's; how much they count is estimated from the targets, and they
count nothing where they do not help.

Targets have to be phased. Missing genotypes are imputed, men stay haploid where they are, and
sites that the target alone has are passed through. Sites with other alleles than the panel's,
or exchanged ones, are reported (--report lists them) and never turned round.

The output has GT:DS:HDS:GP; AF, MAF, R2 and INFO for each site, ER2 at typed ones (how well a
site is imputed without its own alleles), and TYPED, IMPUTED or TYPED_ONLY.

Examples:
  haploom impute target.vcf.gz --panel panel.bcf --map chr15.map -o imputed.vcf.gz
  haploom impute target.vcf.gz --model model.safetensors -o imputed.bcf
  haploom impute target.vcf.gz --panel public.bcf --model private.safetensors -o imputed.bcf
  haploom impute target.bcf --panel panel.bcf -r 15:27000000-28000000 -o part.vcf.gz")]
pub struct Impute {
    /// Target: phased people at some sites; VCF, VCF.gz, BCF or another panel format; - is standard input
    target: PathBuf,
    /// Panel to impute from
    #[arg(long, value_name = "PANEL", required_unless_present = "model")]
    panel: Option<PathBuf>,
    /// Model to impute from, or that makes artificial haplotypes beside the panel
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    /// Genetic map of the panel; without it, 1 cM a megabase
    #[arg(long, value_name = "MAP", requires = "panel")]
    map: Option<PathBuf>,
    /// File to write: .vcf, .vcf.gz or .bcf; - is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Format to write: vcf, vcf.gz or bcf, whatever the name says
    #[arg(short = 'O', long, value_name = "FORMAT")]
    output_format: Option<Format>,
    /// Sites of this region only: CONTIG, CONTIG:POSITION or CONTIG:START-END
    #[arg(short, long)]
    region: Option<Region>,
    /// Artificial haplotypes beside the panel (default: as many as it has)
    #[arg(long, value_name = "N", requires = "panel", requires = "model")]
    artificial: Option<usize>,
    /// Table to write of the target's sites that do not match
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Take chr15 and 15 as the same contig
    #[arg(long)]
    match_contigs: bool,
    /// Option of the imputation; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    work: WorkArgs,
}

impl Impute {
    /// Reads what to impute from, then goes through the target.
    ///
    /// # Errors
    /// Those of the panel, the model, the map and the target.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let format = output_format(&self.output, self.output_format)?;
        let mut options = train::options(&self.set, &[Reader::Copying, Reader::Impute, Reader::ImputeFile])?;
        if self.match_contigs {
            options.set("contigs", "match")?;
        }
        let threads = Threads::new(self.work.threads);
        let file = ImputeFileOptions {
            region: self.region,
            report: self.report.clone(),
            threads: threads.clone(),
            output: ImputedOptions { format: Some(format), threads: self.work.threads, ..ImputedOptions::default() },
            ..ImputeFileOptions::from_options(&options)?
        };
        let settings = ImputeSettings {
            map: self.map.as_deref().map(read_genetic_map).transpose()?,
            artificial: self.artificial.unwrap_or(options.whole("artificial")),
            seed: self.seed,
            threads,
            device: self.work.device,
            ..ImputeSettings::from_options(&options)?
        };
        let model = self.model.as_deref().map(model_file::open).transpose()?.map(Arc::new);
        let panel = match &self.panel {
            Some(path) => {
                let reading = ReadOptions { threads: self.work.threads, ..ReadOptions::default() };
                let panel = read(path, &reading, terminal)?;
                panel.require_complete().map_err(|e| e.file(path))?;
                Some(panel)
            }
            None => None,
        };
        let imputer = match (&panel, &model) {
            (Some(panel), None) => Imputer::from_panel(panel, settings)?,
            (Some(panel), Some(model)) => {
                terminal.watch(|progress| Imputer::from_both(panel, model, settings, progress))?
            }
            (None, Some(model)) => {
                let named = |e: Error| self.model.iter().fold(e, |e, path| e.file(path));
                Imputer::from_model(model, settings).map_err(named)?
            }
            (None, None) => return Err(Error::argument("give a panel or a model to impute from")),
        };
        imputer.notices().iter().for_each(|notice| terminal.note(notice));
        let report = terminal.watch(|progress| impute_file(&imputer, &self.target, &self.output, &file, progress))?;
        report.notices.iter().for_each(|notice| terminal.note(notice));
        terminal.say(format!(
            "{}: {}, {} typed, {} imputed, {} passed through",
            shown(&self.target),
            count(report.people, "person", "people"),
            count(report.typed, "site", "sites"),
            report.imputed,
            report.typed_only
        ));
        if report.missing > 0 {
            terminal.say(format!("{} missing alleles of typed sites were imputed", report.missing));
        }
        if let Some(rates) = report.rates {
            terminal.say(format!("effective size {:.0}, error rate {:.1e}", rates.effective_size, rates.error));
        }
        if let Some(weight) = report.weight {
            terminal.say(match weight > 0.0 {
                true => format!("an artificial haplotype weighs {weight:.3} of a real one"),
                false => "artificial haplotypes do not help here: they were left out".to_string(),
            });
        }
        if report.left_out_r2.is_finite() && report.people >= FEWEST_JUDGED {
            terminal.say(format!("mean ER2 of typed sites {:.3}", report.left_out_r2));
        }
        self.report.iter().for_each(|path| terminal.wrote(path));
        terminal.wrote(&self.output);
        Ok(())
    }
}
