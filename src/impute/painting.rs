//! Painting: whom each stretch of a haplotype was copied from.

use super::target::Target;
use super::{Engine, Imputer};
use crate::error::{Error, Result};
use crate::io;
use crate::panel::Panel;
use crate::progress::Progress;
use std::fmt::Write;
use std::path::Path;

/// A stretch that was copied from one haplotype of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The haplotype of the target.
    pub haplotype: usize,
    /// Its first and its last typed site, by the panel's numbers.
    pub sites: (usize, usize),
    /// The haplotype of the panel.
    pub donor: usize,
    /// Typed sites in it.
    pub typed: usize,
    /// Those at which the alleles differ.
    pub differing: usize,
}

/// What a painting found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Painting {
    /// The stretches, by haplotype and site.
    pub stretches: Vec<Stretch>,
    /// What a user should know.
    pub notices: Vec<String>,
}

/// Haplotypes between two reports of progress.
const PORTION: usize = 64;

/// Tells for each haplotype of a file of phased people how it was most likely copied from the panel of `imputer` (Viterbi's
/// path of the copying model at the typed sites), and writes a table: sample, haplotype (1 or 2), contig, positions of the
/// first and the last typed site, sample, haplotype and label of the donor, typed sites, and those at which both differ. A
/// stretch ends where the donor changes and at the end of a contig. `-` is standard output.
///
/// # Errors
/// `InvalidArgument` unless `imputer` is made of a panel alone; as [`super::impute_file`] for the target.
pub fn paint_file(
    imputer: &Imputer,
    target: &Path,
    output: &Path,
    match_contigs: bool,
    progress: &mut Progress,
) -> Result<Painting> {
    let panel = match &imputer.engine {
        Engine::Panel(reference) if !reference.artificial => &reference.panel,
        _ => return Err(Error::argument("painting needs a panel, and no model").remedy("give a panel")),
    };
    io::require_writable(output)?;
    let target = Target::open(imputer, target, match_contigs, progress)?;
    let typed = target.typed()?;
    let fitted = imputer.fit(&typed, progress)?;
    let Some(copying) = &fitted.copying else { return Ok(Painting::default()) };
    let mut painting = Painting { notices: target.notices.clone(), ..Painting::default() };
    let names: std::collections::HashSet<&str> = panel.samples().iter().map(|s| s.name.as_str()).collect();
    let same = target.panel.samples().iter().filter(|s| names.contains(s.name.as_str())).count();
    if same > 0 {
        painting
            .notices
            .push(format!("{same} people of the target are in the panel by name: they may copy themselves"));
    }
    let n = typed.haplotypes();
    for first in (0..n).step_by(PORTION) {
        progress.step("painting", first as u64, n as u64, "haplotypes")?;
        let rows = PORTION.min(n - first);
        let painted = imputer.settings.threads.map(rows, |r| {
            let observed = typed.observed(first + r, 0..imputer.sites.len());
            let path = copying.path(&observed)?;
            Ok(stretches(first + r, &observed, &path, imputer, panel))
        })?;
        for stretches in painted {
            painting.stretches.extend(stretches?);
        }
    }
    progress.step("painting", n as u64, n as u64, "haplotypes")?;
    io::write_bytes(output, table(&painting.stretches, &target, panel).as_bytes())?;
    Ok(painting)
}

fn stretches(
    haplotype: usize,
    observed: &[(usize, bool)],
    path: &[usize],
    imputer: &Imputer,
    panel: &Panel,
) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = Vec::new();
    for ((site, allele), donor) in observed.iter().zip(path) {
        let differs = usize::from(panel.bits().get(*donor, *site) != *allele);
        let contig = |s: usize| &imputer.sites()[s].contig;
        match out.last_mut() {
            Some(last) if last.donor == *donor && contig(last.sites.1) == contig(*site) => {
                last.sites.1 = *site;
                last.typed += 1;
                last.differing += differs;
            }
            _ => {
                out.push(Stretch { haplotype, sites: (*site, *site), donor: *donor, typed: 1, differing: differs });
            }
        }
    }
    out
}

fn table(stretches: &[Stretch], target: &Target, panel: &Panel) -> String {
    let mut text =
        String::from("#sample\thaplotype\tcontig\tstart\tend\tdonor\tdonor_haplotype\tdonor_label\tsites\tdiffering\n");
    let whose = |panel: &Panel, h: usize| {
        let person = panel.samples().of_haplotype(h);
        let sample = &panel.samples().as_slice()[person];
        let label = sample.label.clone().unwrap_or_else(|| ".".into());
        (sample.name.clone(), h - panel.samples().haplotypes_of(person).start + 1, label)
    };
    for stretch in stretches {
        let (sample, haplotype, _) = whose(&target.panel, stretch.haplotype);
        let (donor, donor_haplotype, label) = whose(panel, stretch.donor);
        let [first, last] = [stretch.sites.0, stretch.sites.1].map(|s| &panel.sites()[s]);
        let _ = writeln!(
            text,
            "{sample}\t{haplotype}\t{}\t{}\t{}\t{donor}\t{donor_haplotype}\t{label}\t{}\t{}",
            target.name_of(&first.contig),
            first.position,
            last.position,
            stretch.typed,
            stretch.differing
        );
    }
    text
}
