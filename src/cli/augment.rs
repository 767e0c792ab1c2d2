//! `haploom augment`: a real panel with artificial people appended.

use super::making::{MakeArgs, name_clash};
use super::panel_args::{WorkArgs, output_format};
use super::terminal::{Terminal, count};
use crate::error::Result;
use crate::io::{self, AugmentOptions, AugmentWith, Format, Outside};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `augment`.
#[derive(Args)]
#[command(after_help = "\
The real records are passed through one by one, with the artificial people appended; memory
holds the artificial alleles alone. Artificial people have GT only, and `.` in other FORMAT
fields. Of INFO, AC, AN and AF are counted anew, what speaks of the site stays, and what speaks
of the real people alone is dropped.

Records that the model does not have (or has with other alleles, or with reference and alternate
exchanged) are dropped and counted; --outside refuse stops at the first, --outside missing keeps
them with missing artificial genotypes.

Examples:
  haploom augment panel.vcf.gz panel.safetensors -n 1000 -o larger.bcf
  haploom augment panel.bcf panel.safetensors -n 200 -o larger.vcf.gz --outside missing --prefix NEW
  haploom augment panel.bcf gan.safetensors --label EUR=200,EAS=100 -o larger.bcf")]
pub struct Augment {
    /// Real panel: VCF, VCF.gz or BCF; - is standard input
    panel: PathBuf,
    /// Model
    model: PathBuf,
    /// File to write: .vcf, .vcf.gz or .bcf; - is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Format to write: vcf, vcf.gz or bcf, whatever the name says
    #[arg(short = 'O', long, value_name = "FORMAT")]
    output_format: Option<Format>,
    /// Records that the model does not have: drop, refuse or missing
    #[arg(long, value_name = "RULE", default_value_t)]
    outside: Outside,
    #[command(flatten)]
    make: MakeArgs,
    #[command(flatten)]
    work: WorkArgs,
}

impl Augment {
    /// Makes haplotypes and streams the panel's records.
    ///
    /// # Errors
    /// Those of the model, the sampler, the reader and the writer.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let format = output_format(&self.output, self.output_format)?;
        let made = self.make.make(&self.model, self.work, terminal)?;
        let bits = made.bits.transpose()?;
        let with = AugmentWith { sites: &made.sites, bits: &bits, samples: &made.samples };
        let options = AugmentOptions {
            outside: self.outside,
            region: self.make.region.clone(),
            threads: self.work.threads,
            format: Some(format),
            header_lines: made.header_lines,
            ..AugmentOptions::default()
        };
        let report = terminal
            .watch(|progress| io::augment(&self.panel, &self.output, &with, &options, progress))
            .map_err(name_clash)?;
        report.notices(self.outside).iter().for_each(|notice| terminal.note(notice));
        let (real, artificial) = report.people;
        terminal.say(format!(
            "{} of {} written, {real} real people and {artificial} artificial ones",
            count(report.written as usize, "record", "records"),
            report.records
        ));
        terminal.wrote(&self.output);
        Ok(())
    }
}
