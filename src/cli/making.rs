//! What `sample` and `augment` share: artificial people from a model.

use super::panel_args::{ThreadArgs, read};
use super::terminal::Terminal;
use super::train;
use crate::error::{Error, ErrorKind, Result};
use crate::io::ReadOptions;
use crate::model_file;
use crate::models::Model;
use crate::options::Reader;
use crate::panel::bits::BitMatrix;
use crate::panel::region::Region;
use crate::panel::samples::Samples;
use crate::panel::sites::Sites;
use crate::sample::{SampleSettings, Sampler};
use crate::threads::Threads;
use clap::Args;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Haplotypes between two reports of progress.
const PORTION: usize = 480;

/// Arguments that say which haplotypes to make.
#[derive(Args)]
pub struct MakeArgs {
    /// Haplotypes to make: an even number, two for each person
    #[arg(short, value_name = "N")]
    n: usize,
    /// Sites of this region only: CONTIG, CONTIG:POSITION or CONTIG:START-END
    #[arg(short, long)]
    pub region: Option<Region>,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Artificial people are named PREFIX_0, PREFIX_1, ...
    #[arg(long, default_value = "HAPLOOM")]
    prefix: String,
    /// Number of the first haplotype, even: goes on where an earlier run with the same seed ended
    #[arg(long, value_name = "I", default_value_t = 0)]
    first: u64,
    /// Panel that the chains of an RBM start from: other people than those it was trained on
    #[arg(long, value_name = "PANEL")]
    start: Option<PathBuf>,
    /// Population to make, for models that know labels
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Option of the sampler; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Artificial haplotypes and whose they are.
pub struct Made {
    /// The sites.
    pub sites: Sites,
    /// A row a haplotype, a column a site.
    pub bits: BitMatrix,
    /// The people.
    pub samples: Samples,
    /// Lines for the header of VCF and BCF.
    pub header_lines: Vec<(String, String)>,
}

impl MakeArgs {
    /// Fails unless the haplotypes asked for make people.
    ///
    /// # Errors
    /// `InvalidArgument`.
    fn check(&self) -> Result<()> {
        let (what, number) = match (self.n % 2, self.first % 2) {
            (1, _) => (format!("{} haplotypes do not pair into people", self.n), self.n as u64),
            (0, 1) => (format!("haplotype {} is somebody's second", self.first), self.first),
            _ if self.n == 0 => return Err(Error::argument("no haplotypes are asked for").remedy("give -n 2 or more")),
            _ => return Ok(()),
        };
        let flag = if self.n % 2 == 1 { "-n" } else { "--first" };
        Err(Error::argument(what).remedy(format!("give {flag} {} or {}", number - 1, number.saturating_add(1))))
    }

    /// Opens the model and makes the haplotypes.
    ///
    /// # Errors
    /// Those of the model, the start panel and the sampler.
    pub fn make(&self, model_path: &Path, threads: ThreadArgs, terminal: &mut Terminal) -> Result<Made> {
        self.check()?;
        let options = train::options(&self.set, &[Reader::Sample])?;
        let model = Arc::new(model_file::open(model_path)?);
        let start = match &self.start {
            Some(path) => {
                Some(read(path, &ReadOptions { threads: threads.threads, ..ReadOptions::default() }, terminal)?)
            }
            None => None,
        };
        let settings = SampleSettings {
            seed: self.seed,
            region: self.region.clone(),
            label: self.label.clone(),
            start,
            threads: Threads::new(threads.threads),
            options,
        };
        let mut sampler = Sampler::new(model.clone(), &settings).map_err(|e| e.file(model_path))?;
        sampler.seek(self.first);
        let bits = terminal.watch(|progress| -> Result<BitMatrix> {
            let mut bits = BitMatrix::zeros(self.n, sampler.sites().len())?;
            let stride = bits.stride();
            for first in (0..self.n).step_by(PORTION) {
                progress.step("sampling", first as u64, self.n as u64, "haplotypes")?;
                let count = (self.n - first).min(PORTION);
                bits.words_mut()[first * stride..][..count * stride].copy_from_slice(sampler.next(count)?.words());
            }
            progress.step("sampling", self.n as u64, self.n as u64, "haplotypes")?;
            Ok(bits)
        })?;
        let people = self.first / 2..(self.first + self.n as u64) / 2;
        Ok(Made {
            sites: sampler.sites().clone(),
            bits,
            samples: Samples::diploid(people.map(|j| format!("{}_{j}", self.prefix)))?,
            header_lines: self.provenance(model_path, &model)?,
        })
    }

    /// Where artificial people come from.
    fn provenance(&self, model_path: &Path, model: &Model) -> Result<Vec<(String, String)>> {
        let digest = Sha256::digest(model_file::to_bytes(model)?);
        let digest: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        let name = model_path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let line = |key: &str, value: String| (key.to_string(), value);
        let mut lines = vec![
            line("source", format!("haploom {}, artificial haplotypes", crate::VERSION)),
            line("haploom_model", format!("{name}, {}, sha256 {digest}", model.kind().name())),
            line("haploom_seed", self.seed.to_string()),
            line("haploom_haplotypes", format!("{}-{}", self.first, self.first + self.n as u64 - 1)),
        ];
        if let Some(start) = &self.start {
            lines.push(line("haploom_start", start.file_name().unwrap_or_default().to_string_lossy().into_owned()));
        }
        if !self.set.is_empty() {
            lines.push(line("haploom_options", self.set.join(",")));
        }
        Ok(lines)
    }
}

/// An error for a person of the panel that bears an artificial one's name.
pub fn name_clash(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Duplicate => error.remedy("name artificial people otherwise with --prefix"),
        _ => error,
    }
}
