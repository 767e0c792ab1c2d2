//! `haploom encode`: what a model makes of haplotypes.

use super::panel_args::{PartArgs, RuleArgs, WorkArgs, read};
use super::terminal::Terminal;
use crate::error::Result;
use crate::io::{self, LabelSource, ReadOptions};
use crate::model_file;
use crate::models::encode::{Encoding, encode};
use crate::panel::Panel;
use crate::threads::Threads;
use clap::Args;
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments of `encode`.
#[derive(Args)]
#[command(after_help = "\
Writes a table with a line for each haplotype: sample, haplotype (1 or 2), label (with
--labels), projections vector_1, vector_2, ... of the hidden units' mean activations on the
leading singular vectors of the weights, and these activations hidden_1, hidden_2, ... Of a vae:
hidden_1, ... are the means that its encoder gives, and vector_1, ... their projections on the
principal axes of the latent distribution that the model draws from. The panel has to have all
sites of the model; others are left out.

Examples:
  haploom encode panel.safetensors panel.bcf -o codes.tsv
  haploom encode panel.safetensors panel.bcf -o - --vectors 2 --labels people.tsv | cut -f 1-5")]
pub struct Encode {
    /// Model: an RBM or a vae
    model: PathBuf,
    /// Panel
    panel: PathBuf,
    /// Table to write; - is standard output
    #[arg(short, long, value_name = "TSV")]
    output: PathBuf,
    /// Singular vectors of the weights, or axes of the latent space, to project on
    #[arg(long, value_name = "K", default_value_t = 10)]
    vectors: usize,
    /// Table of samples and labels, for a column: FILE, FILE:COLUMN, or header:KEY
    #[arg(long, value_name = "FILE[:COLUMN]")]
    labels: Option<LabelSource>,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    work: WorkArgs,
}

impl Encode {
    /// Reads, encodes, writes.
    ///
    /// # Errors
    /// Those of reading and writing; `InvalidArgument` for a model without hidden units or an encoder; `NoOverlap` and its like for a
    /// panel that lacks sites of the model.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        let model = model_file::open(&self.model)?;
        let reading = self.rules.options(&self.part, 1, self.work)?;
        let panel = read(&self.panel, &ReadOptions { labels: self.labels.clone(), ..reading }, terminal)?;
        let (bits, differences) = model.haplotypes_of(&panel, "panel").map_err(|e| e.file(&self.panel))?;
        differences.iter().for_each(|difference| terminal.note(difference));
        let device = self.work.device.open(&Threads::new(self.work.threads))?;
        let encoding = terminal
            .watch(|progress| encode(&model, &bits, self.vectors, &device, progress))
            .map_err(|e| e.file(&self.model))?;
        let mut text = header(&encoding, self.labels.is_some());
        (0..bits.rows()).for_each(|h| line(&mut text, &panel, h, self.labels.is_some(), &encoding));
        io::write_bytes(&self.output, text.as_bytes())?;
        terminal.wrote(&self.output);
        Ok(())
    }
}

fn header(encoding: &Encoding, labels: bool) -> String {
    let mut text = String::from(if labels { "sample\thaplotype\tlabel" } else { "sample\thaplotype" });
    let mut numbered = |name: &str, n: usize| (1..=n).for_each(|i| text += &format!("\t{name}_{i}"));
    numbered("vector", encoding.components);
    numbered("hidden", encoding.hidden_units);
    text + "\n"
}

/// The line of haplotype `h`.
fn line(text: &mut String, panel: &Panel, h: usize, labels: bool, encoding: &Encoding) {
    let person = panel.samples().of_haplotype(h);
    let sample = &panel.samples().as_slice()[person];
    text.push_str(&sample.name);
    // Writing to a String does not fail.
    let _ = write!(text, "\t{}", h - panel.samples().haplotypes_of(person).start + 1);
    if labels {
        let _ = write!(text, "\t{}", sample.label.as_deref().unwrap_or("."));
    }
    let columns = [(&encoding.projections, encoding.components), (&encoding.hidden, encoding.hidden_units)];
    for (numbers, width) in columns {
        for number in &numbers[h * width..(h + 1) * width] {
            let _ = write!(text, "\t{number:.5}");
        }
    }
    text.push('\n');
}
