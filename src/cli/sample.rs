//! `haploom sample`: an artificial panel from a model.

use super::making::MakeArgs;
use super::panel_args::{WorkArgs, output_format};
use super::terminal::Terminal;
use crate::error::Result;
use crate::io::{self, Format, WriteOptions};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `sample`.
#[derive(Args)]
#[command(after_help = "\
-n counts haplotypes; haplotypes 2j and 2j + 1 are the person PREFIX_j. Haplotype number i is a
function of the model, the seed, the label, the start panel and i: the same for any number of
threads, in any region and in whatever portions. The output's name says its format: .vcf,
.vcf.gz (with a .tbi), .bcf (with a .csi), .pgen (with .pvar and .psam), .hap[.gz], .hapt[.gz].
Labels of people are written to .psam, .samples and .hapt; VCF and BCF say how many there are of
each, ##haploom_labels=EUR:500,EAS:500, in the people's order where --label has the numbers.

Examples:
  haploom sample panel.safetensors -n 5000 -o new.bcf
  haploom sample panel.safetensors -n 2000 -o - -r 15:27000000-28000000 --seed 7 | bcftools stats -
  haploom sample panel.safetensors -n 1000 --first 5000 -o more.bcf
  haploom sample gan.safetensors --label EUR=500,EAS=500 -o populations.bcf")]
pub struct Sample {
    /// Model
    model: PathBuf,
    /// Panel to write; - is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Format to write: vcf, vcf.gz, bcf, pgen, hap, hap.gz, hapt or hapt.gz, whatever the name says
    #[arg(short = 'O', long, value_name = "FORMAT")]
    output_format: Option<Format>,
    #[command(flatten)]
    make: MakeArgs,
    #[command(flatten)]
    work: WorkArgs,
}

impl Sample {
    /// Makes haplotypes and writes them.
    ///
    /// # Errors
    /// Those of the model, the sampler and the writer.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let format = output_format(&self.output, self.output_format)?;
        let made = self.make.make(&self.model, self.work, terminal)?;
        let options = WriteOptions {
            format: Some(format),
            threads: self.work.threads,
            header_lines: made.header_lines.clone(),
            group: "AG".into(),
            ..WriteOptions::default()
        };
        io::write_panel(&self.output, &made.into_panel()?, &options)?;
        terminal.wrote(&self.output);
        Ok(())
    }
}
