//! Artificial people: haplotypes with names, and with where they come from.

use super::Sampler;
use crate::error::{Error, Result};
use crate::model_file;
use crate::models::Model;
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::samples::Samples;
use crate::panel::sites::Sites;
use crate::progress::Progress;
use sha2::{Digest, Sha256};

/// Artificial people.
#[derive(Clone, Debug)]
pub struct Artificial {
    /// The sites.
    pub sites: Sites,
    /// A row a haplotype, a column a site.
    pub bits: BitMatrix,
    /// The people: haplotypes 2j and 2j + 1 of the stream are `PREFIX_j`. Those of a model that knows labels have theirs.
    pub samples: Samples,
    /// Lines `##key=value` for the header of VCF and BCF: where they come from.
    pub header_lines: Vec<(String, String)>,
}

impl Artificial {
    /// As a panel.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn into_panel(self) -> Result<Panel> {
        Panel::new(self.sites, self.samples, self.bits)
    }
}

impl Sampler {
    /// The people of the next `haplotypes` haplotypes.
    ///
    /// # Errors
    /// `InvalidArgument` unless haplotypes pair into people, those of each label too, and past the stream's end;
    /// `Cancelled`; `OutOfMemory`.
    pub fn people(&mut self, haplotypes: usize, prefix: &str, progress: &mut Progress) -> Result<Artificial> {
        let first = self.position();
        check(first, haplotypes)?;
        self.plan().require_people(self.model().labels())?;
        let bits = self.haplotypes(haplotypes, progress)?;
        let people = first / 2..(first + haplotypes as u64) / 2;
        let label = |j: u64| self.label(2 * j).map(String::from);
        let samples = Samples::labelled(people.map(|j| (format!("{prefix}_{j}"), label(j))))?;
        Ok(Artificial {
            sites: self.sites().clone(),
            bits,
            header_lines: self.provenance(first, haplotypes as u64, &samples)?,
            samples,
        })
    }

    /// The next haplotypes, as [`Sampler::next`] makes them.
    ///
    /// # Errors
    /// As [`Sampler::next`].
    pub fn haplotypes(&mut self, n: usize, progress: &mut Progress) -> Result<BitMatrix> {
        let mut bits = BitMatrix::zeros(n, self.sites().len())?;
        let stride = bits.stride();
        // Before the first of them is made: that may take long.
        self.require(self.position(), n)?;
        let portion = self.portion();
        for done in (0..n).step_by(portion) {
            progress.step("sampling", done as u64, n as u64, "haplotypes")?;
            let count = (n - done).min(portion);
            bits.words_mut()[done * stride..][..count * stride].copy_from_slice(self.next(count)?.words());
        }
        progress.step("sampling", n as u64, n as u64, "haplotypes")?;
        Ok(bits)
    }

    /// Where haplotypes come from, for the header of a file.
    fn provenance(&self, first: u64, haplotypes: u64, samples: &Samples) -> Result<Vec<(String, String)>> {
        let line = |key: &str, value: String| (key.to_string(), value);
        let mut lines = vec![
            line("source", format!("haploom {}, artificial haplotypes", crate::VERSION)),
            described(self.model())?,
            line("haploom_seed", self.seed.to_string()),
            line("haploom_haplotypes", format!("{first}-{}", first + haplotypes - 1)),
        ];
        lines.extend(tally(samples).map(|labels| line("haploom_labels", labels)));
        lines.extend(self.start.as_ref().map(|start| line("haploom_start", format!("panel, sha256 {start}"))));
        if !self.chosen.is_empty() {
            lines.push(line("haploom_options", self.chosen.clone()));
        }
        Ok(lines)
    }
}

/// Haplotypes of each label, `EUR:500,EAS:500`, in the order in which labels come first: that of a plan. Nothing without
/// labels.
fn tally(samples: &Samples) -> Option<String> {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for sample in samples.iter() {
        let label = sample.label.as_deref()?;
        match counts.iter_mut().rev().find(|(name, _)| *name == label) {
            Some((_, count)) => *count += 2,
            None => counts.push((label, 2)),
        }
    }
    let counts: Vec<String> = counts.iter().map(|(label, count)| format!("{label}:{count}")).collect();
    Some(counts.join(","))
}

/// A model, for the header of a file.
///
/// # Errors
/// `OutOfMemory`.
pub fn described(model: &Model) -> Result<(String, String)> {
    let digest = Sha256::digest(model_file::to_bytes(model)?);
    let digest: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    Ok(("haploom_model".to_string(), format!("{}, sha256 {digest}", model.kind().name())))
}

/// Fails unless the haplotypes make people.
fn check(first: u64, haplotypes: usize) -> Result<()> {
    let (what, remedy) = match (haplotypes % 2, first % 2) {
        _ if haplotypes == 0 => ("no haplotypes are asked for".to_string(), "ask for 2 or more".to_string()),
        (1, _) => (
            format!("{haplotypes} haplotypes do not pair into people"),
            format!("ask for {} or {} haplotypes", haplotypes - 1, haplotypes.saturating_add(1)),
        ),
        (_, 1) => {
            (format!("haplotype {first} is somebody's second"), format!("begin at {} or {}", first - 1, first + 1))
        }
        _ => return Ok(()),
    };
    Err(Error::argument(what).remedy(remedy))
}
