//! `haploom convert`: a panel from one format to another, or a part of it.

use super::panel_args::{PartArgs, RuleArgs, WorkArgs, output_format, read};
use super::terminal::Terminal;
use crate::error::Result;
use crate::io::{self, Format, WriteOptions};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `convert`.
#[derive(Args)]
#[command(after_help = "\
Formats are recognised by content when read, and chosen by the output's name (or -O) when written:
.vcf, .vcf.gz (with a .tbi), .bcf (with a .csi), .pgen (with .pvar and .psam), .hap[.gz] (with
.legend and .samples), .hapt[.gz] (with .legend).

Examples:
  haploom convert panel.vcf.gz panel.bcf
  haploom convert 805_SNP.hapt.gz 805.vcf.gz --legend 805_SNP.legend
  haploom convert panel.bcf held_out.bcf -S held_out.txt -r 15:27000000-28000000
  haploom convert panel.vcf.gz panel.pgen
  haploom convert panel.bcf - | bcftools stats -")]
pub struct Convert {
    /// Panel to read: VCF, VCF.gz, BCF, .pgen, .hap[.gz] or .hapt[.gz]; - is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// File to write; - is standard output
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// Format to write: vcf, vcf.gz, bcf, pgen, hap, hap.gz, hapt or hapt.gz, whatever the name says
    #[arg(short = 'O', long, value_name = "FORMAT")]
    output_format: Option<Format>,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    work: WorkArgs,
}

impl Convert {
    /// Reads and writes.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let format = output_format(&self.output, self.output_format)?;
        let panel = read(&self.input, &self.rules.options(&self.part, 1, self.work)?, terminal)?;
        let options = WriteOptions { format: Some(format), threads: self.work.threads, ..WriteOptions::default() };
        io::write_panel(&self.output, &panel, &options)?;
        terminal.wrote(&self.output);
        Ok(())
    }
}
