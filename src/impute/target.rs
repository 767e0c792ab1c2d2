//! Files of targets: whose sites match, and what is said of those that do not.

use super::{Imputer, Typed};
use crate::error::{ErrorKind, Result};
use crate::io::{self, MissingRule, ReadOptions};
use crate::panel::Panel;
use crate::panel::align::{Found, Lookup, align, renamed_contigs};
use crate::panel::bits::BitMatrix;
use crate::panel::sites::{Site, Sites};
use crate::progress::Progress;
use crate::threads::Threads;
use std::path::Path;
use std::sync::Arc;

/// People whose untyped sites are wanted.
pub(super) struct Target {
    pub(super) panel: Panel,
    /// Its sites, with the contigs' names that the imputer has.
    pub(super) sites: Sites,
    /// Column of the target and site of the imputer, by site.
    pub(super) matched: Vec<(usize, usize)>,
    /// Contigs by the target's name and the imputer's.
    renamed: Vec<(String, String)>,
    /// What a user should know.
    pub(super) notices: Vec<String>,
}

impl Target {
    /// Reads a file of phased people, alleles missing or not, and finds its sites among the imputer's.
    ///
    /// # Errors
    /// As [`io::read_panel`]; `NoOverlap`, `ContigMismatch` or `AlleleMismatch` if no site is shared.
    pub(super) fn open(
        imputer: &Imputer,
        path: &Path,
        match_contigs: bool,
        threads: &Threads,
        progress: &mut Progress,
    ) -> Result<Self> {
        let threads = threads.count();
        let reading = ReadOptions { missing: MissingRule::Keep, threads, ..ReadOptions::default() };
        let read = io::read_panel_watched(path, &reading, progress).map_err(|e| match e.kind() {
            ErrorKind::Unphased => e.remedy_here(
                "phase the target first, against a reference panel: `java -jar beagle.jar gt=TARGET ref=REFERENCE \
                 impute=false out=PHASED`, or SHAPEIT5's phase_common",
            ),
            _ => e,
        })?;
        Target::new(imputer, read.panel, read.notices, match_contigs).map_err(|e| e.file(path))
    }

    fn new(imputer: &Imputer, panel: Panel, mut notices: Vec<String>, match_contigs: bool) -> Result<Self> {
        let known = imputer.sites();
        let (names, theirs) = (known.contigs(), panel.sites().contigs());
        let names: Vec<&str> = names.iter().map(|c| &**c).collect();
        let renamed = match match_contigs {
            true => renamed_contigs(theirs.iter().map(|c| &**c), &names),
            false => Vec::new(),
        };
        let sites = rename(panel.sites(), &renamed)?;
        notices.extend(renamed.iter().map(|(from, to)| format!("contig {from} of the target is taken as {to}")));
        let what = imputer.what();
        let mut alignment = align(&sites, known);
        alignment.require_overlap("target", what).map_err(|e| match e.kind() {
            ErrorKind::ContigMismatch => e.remedy_here(
                "take both names as one with option contigs=match, or rename the contigs (bcftools annotate \
                 --rename-chrs)",
            ),
            _ => e,
        })?;
        // What the target lacks is what imputation is for.
        alignment.only_right = Default::default();
        notices.extend(alignment.differences("target", what));
        let mut matched = alignment.matched;
        matched.sort_by_key(|(_, site)| *site);
        Ok(Target { panel, sites, matched, renamed, notices })
    }

    /// The alleles that are typed at the imputer's sites.
    pub(super) fn typed(&self) -> Result<Typed> {
        let columns: Vec<usize> = self.matched.iter().map(|(column, _)| *column).collect();
        let select = |m: &BitMatrix| m.select_columns(&columns);
        let missing = self.panel.missing().map(select).transpose()?;
        Typed::new(self.matched.iter().map(|(_, site)| *site).collect(), select(self.panel.bits())?, missing)
    }

    /// Columns that the imputer does not have.
    pub(super) fn unmatched(&self) -> Vec<usize> {
        let mut matched = vec![false; self.sites.len()];
        self.matched.iter().for_each(|(column, _)| matched[*column] = true);
        (0..matched.len()).filter(|column| !matched[*column]).collect()
    }

    /// What the target calls a contig of the imputer.
    pub(super) fn name_of(&self, contig: &Arc<str>) -> Arc<str> {
        match self.renamed.iter().find(|(_, to)| **to == **contig) {
            Some((from, _)) => from.as_str().into(),
            None => contig.clone(),
        }
    }

    /// A table of the sites that do not match, a line each: contig, position, id, both alleles, what is wrong, and the
    /// alleles that stand there.
    pub(super) fn mismatches(&self, known: &Sites) -> String {
        let mut text =
            String::from("#contig\tposition\tid\treference\talternate\tproblem\tknown_reference\tknown_alternate\n");
        let lookup = Lookup::new(known);
        for column in self.unmatched() {
            let site = &self.sites[column];
            let (problem, other) = match lookup.find(&site.contig, site.position, &site.reference, &site.alternate) {
                // The variant stands there, and was matched with another record.
                Found::Same(i) => ("duplicate", Some(i)),
                Found::Swapped(i) => ("reference and alternate exchanged", Some(i)),
                Found::OtherAlleles(i) => {
                    let turned = complement(&site.reference).zip(complement(&site.alternate));
                    match turned.map(|(r, a)| lookup.find(&site.contig, site.position, &r, &a)) {
                        Some(Found::Same(i)) => ("other strand", Some(i)),
                        Some(Found::Swapped(i)) => ("other strand, reference and alternate exchanged", Some(i)),
                        _ => ("other alleles", Some(i)),
                    }
                }
                Found::Nothing => ("not there", None),
            };
            let alleles = other.map_or((".", "."), |i| (&*known[i].reference, &*known[i].alternate));
            let written = &self.panel.sites()[column];
            let id = if site.id.is_empty() { "." } else { &site.id };
            text.push_str(&format!(
                "{}\t{}\t{id}\t{}\t{}\t{problem}\t{}\t{}\n",
                written.contig, site.position, site.reference, site.alternate, alleles.0, alleles.1
            ));
        }
        text
    }
}

/// The same sites with contigs renamed.
fn rename(sites: &Sites, pairs: &[(String, String)]) -> Result<Sites> {
    if pairs.is_empty() {
        return Ok(sites.clone());
    }
    let names: Vec<(&str, Arc<str>)> = pairs.iter().map(|(from, to)| (from.as_str(), to.as_str().into())).collect();
    let renamed = |site: &Site| {
        let to = names.iter().find(|(from, _)| *from == &*site.contig).map(|(_, to)| to.clone());
        Site { contig: to.unwrap_or_else(|| site.contig.clone()), ..site.clone() }
    };
    Sites::new(sites.iter().map(renamed).collect())
}

/// The allele on the other strand; `None` for what is no run of bases.
fn complement(allele: &str) -> Option<String> {
    let base = |b: char| match b {
        'A' => Some('T'),
        'C' => Some('G'),
        'G' => Some('C'),
        'T' => Some('A'),
        _ => None,
    };
    allele.chars().rev().map(base).collect()
}
