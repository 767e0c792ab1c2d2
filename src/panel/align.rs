//! Sites of one list against those of another: what they share, and what exactly differs.

use super::sites::{Site, Sites};
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::ops::Range;

/// Something counted, with its first example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: usize,
    /// The first one, as `contig:position:ref:alt`, with what stands against it.
    pub first: Option<String>,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(example);
    }
}

/// How two lists of sites compare. Left is what is asked about (a target), right what it is held against (a model).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    /// Numbers of the same variant in left and right, rising in left.
    pub matched: Vec<(usize, usize)>,
    /// Sites of left at positions where right has none.
    pub only_left: Tally,
    /// Sites of right that no site of left matches.
    pub only_right: Tally,
    /// Sites of left that right has with reference and alternate exchanged.
    pub swapped: Tally,
    /// Sites of left at positions where right has other alleles.
    pub other_alleles: Tally,
    /// Contigs of left that right has under a name with or without `chr`: (left's, right's).
    pub renamed: Vec<(String, String)>,
}

/// A name with `chr` where it had none and the other way round; `M` and `MT` are the same.
fn other_name(contig: &str) -> Vec<String> {
    match contig.strip_prefix("chr") {
        Some("M") => vec!["MT".into(), "M".into()],
        Some(bare) => vec![bare.into()],
        None if contig == "MT" => vec!["chrM".into(), "chrMT".into()],
        None => vec![format!("chr{contig}")],
    }
}

/// Pairs of contigs that are the same under two names, for contigs of left that right does not have.
pub fn renamed_contigs<'a>(left: impl IntoIterator<Item = &'a str>, right: &[&str]) -> Vec<(String, String)> {
    left.into_iter()
        .filter(|c| !right.contains(c))
        .filter_map(|c| other_name(c).into_iter().find(|o| right.contains(&o.as_str())).map(|o| (c.to_string(), o)))
        .collect()
}

/// Looks up sites of a list.
pub struct Lookup<'a> {
    sites: &'a Sites,
    contigs: HashMap<&'a str, Range<usize>>,
}

/// What a list has for a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The same variant, by number.
    Same(usize),
    /// The variant with reference and alternate exchanged, by number.
    Swapped(usize),
    /// Other alleles at the position; the number of the first.
    OtherAlleles(usize),
    /// Nothing at the position.
    Nothing,
}

impl<'a> Lookup<'a> {
    /// For a list of sites.
    pub fn new(sites: &'a Sites) -> Self {
        let mut contigs: HashMap<&str, Range<usize>> = HashMap::new();
        for (i, site) in sites.iter().enumerate() {
            contigs.entry(&site.contig).or_insert(i..i).end = i + 1;
        }
        Lookup { sites, contigs }
    }

    /// The contigs' names.
    pub fn contigs(&self) -> Vec<&'a str> {
        self.contigs.keys().copied().collect()
    }

    /// What the list has for a variant.
    pub fn find(&self, contig: &str, position: u64, reference: &str, alternate: &str) -> Found {
        let Some(range) = self.contigs.get(contig) else { return Found::Nothing };
        let sites = &self.sites.as_slice()[range.clone()];
        let first = sites.partition_point(|s| s.position < position);
        let here = || sites[first..].iter().take_while(|s| s.position == position);
        let is = |s: &Site, r: &str, a: &str| *s.reference == *r && *s.alternate == *a;
        if let Some(i) = here().position(|s| is(s, reference, alternate)) {
            return Found::Same(range.start + first + i);
        }
        if let Some(i) = here().position(|s| is(s, alternate, reference)) {
            return Found::Swapped(range.start + first + i);
        }
        match here().next() {
            Some(_) => Found::OtherAlleles(range.start + first),
            None => Found::Nothing,
        }
    }
}

/// Compares two lists of sites. Alleles are compared as they are written; nothing is flipped or exchanged.
pub fn align(left: &Sites, right: &Sites) -> Alignment {
    let lookup = Lookup::new(right);
    let mut out = Alignment::default();
    let mut taken = vec![false; right.len()];
    for (i, site) in left.iter().enumerate() {
        let against = |j: usize| format!("{} against {}", site.name(), right[j].name());
        match lookup.find(&site.contig, site.position, &site.reference, &site.alternate) {
            Found::Same(j) => {
                taken[j] = true;
                out.matched.push((i, j));
            }
            Found::Swapped(j) => out.swapped.add(|| against(j)),
            Found::OtherAlleles(j) => out.other_alleles.add(|| against(j)),
            Found::Nothing => out.only_left.add(|| site.name()),
        }
    }
    for (j, _) in taken.iter().enumerate().filter(|(_, t)| !**t) {
        out.only_right.add(|| right[j].name());
    }
    let (contigs, others) = (left.contigs(), right.contigs());
    let others: Vec<&str> = others.iter().map(|c| &**c).collect();
    out.renamed = renamed_contigs(contigs.iter().map(|c| &**c), &others);
    out
}

impl Alignment {
    /// Fails if nothing matches, and says why as far as it can be seen. `left` and `right` name the two in messages.
    ///
    /// # Errors
    /// `ContigMismatch` if contigs differ by `chr` alone, `AlleleMismatch` if positions agree but alleles do not,
    /// `NoOverlap` otherwise.
    pub fn require_overlap(&self, left: &str, right: &str) -> Result<()> {
        if !self.matched.is_empty() {
            return Ok(());
        }
        Err(no_overlap(
            left,
            right,
            &self.renamed,
            &self.swapped,
            &self.other_alleles,
            &self.only_left,
            &self.only_right,
        ))
    }

    /// What does not match, in sentences; empty if everything does.
    pub fn differences(&self, left: &str, right: &str) -> Vec<String> {
        let mut out: Vec<String> =
            self.renamed.iter().map(|(l, r)| format!("contig {l} of the {left} is {r} in the {right}")).collect();
        for (tally, text) in [
            (&self.swapped, format!("sites of the {left} have reference and alternate exchanged in the {right}")),
            (&self.other_alleles, format!("sites of the {left} have other alleles in the {right}")),
            (&self.only_left, format!("sites of the {left} are not in the {right}")),
            (&self.only_right, format!("sites of the {right} are not in the {left}")),
        ] {
            if let Some(first) = &tally.first {
                out.push(format!("{} {text} (first: {first})", tally.count));
            }
        }
        out
    }
}

/// The error for two lists that share no variant.
pub fn no_overlap(
    left: &str,
    right: &str,
    renamed: &[(String, String)],
    swapped: &Tally,
    other_alleles: &Tally,
    only_left: &Tally,
    only_right: &Tally,
) -> Error {
    let what = format!("the {left} and the {right} share no site");
    if let Some((l, r)) = renamed.first() {
        return Error::new(
            ErrorKind::ContigMismatch,
            format!("{what}: contig {l} of the {left} is {r} in the {right}"),
        )
        .remedy("rename the contigs (bcftools annotate --rename-chrs)");
    }
    if swapped.count + other_alleles.count > 0 {
        let first = swapped.first.as_ref().or(other_alleles.first.as_ref()).cloned().unwrap_or_default();
        return Error::new(
            ErrorKind::AlleleMismatch,
            format!(
                "{what}: {} have reference and alternate exchanged, {} have other alleles (first: {first})",
                swapped.count, other_alleles.count
            ),
        )
        .remedy("bring both to the same reference genome (bcftools norm -c s -f REFERENCE.fa)");
    }
    let example = |tally: &Tally| tally.first.clone().unwrap_or_else(|| "no site".into());
    Error::new(
        ErrorKind::NoOverlap,
        format!("{what}: the {left} begins with {}, the {right} with {}", example(only_left), example(only_right)),
    )
    .remedy("check that both are of the same region and the same genome build")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(list: &[(&str, u64, &str, &str)]) -> Sites {
        let site = |(contig, position, reference, alternate): &(&str, u64, &str, &str)| Site {
            contig: (*contig).into(),
            position: *position,
            id: "".into(),
            reference: (*reference).into(),
            alternate: (*alternate).into(),
        };
        Sites::new(list.iter().map(site).collect()).unwrap()
    }

    #[test]
    fn each_difference_is_counted_with_its_first_example() {
        let model = sites(&[
            ("1", 5, "A", "C"),
            ("1", 7, "A", "C"),
            ("1", 9, "A", "C"),
            ("1", 9, "A", "G"),
            ("2", 1, "T", "C"),
        ]);
        let target = sites(&[
            ("1", 4, "A", "C"),
            ("1", 5, "C", "A"),
            ("1", 7, "A", "G"),
            ("1", 9, "A", "G"),
            ("chr2", 1, "T", "C"),
        ]);
        let a = align(&target, &model);
        assert_eq!(a.matched, [(3, 3)]);
        assert_eq!((a.swapped.count, a.other_alleles.count, a.only_left.count, a.only_right.count), (1, 1, 2, 4));
        assert_eq!(a.swapped.first.as_deref(), Some("1:5:C:A against 1:5:A:C"));
        assert_eq!(a.renamed, [("chr2".to_string(), "2".to_string())]);
        assert!(a.require_overlap("target", "model").is_ok());
        assert_eq!(a.differences("target", "model").len(), 5);
    }

    #[test]
    fn no_overlap_says_why() {
        let model = sites(&[("15", 5, "A", "C")]);
        let kind = |target: &[(&str, u64, &str, &str)]| {
            align(&sites(target), &model).require_overlap("target", "model").unwrap_err().kind()
        };
        assert_eq!(kind(&[("chr15", 5, "A", "C")]), ErrorKind::ContigMismatch);
        assert_eq!(kind(&[("15", 5, "C", "A")]), ErrorKind::AlleleMismatch);
        assert_eq!(kind(&[("15", 5, "A", "G")]), ErrorKind::AlleleMismatch);
        assert_eq!(kind(&[("15", 6, "A", "C")]), ErrorKind::NoOverlap);
        assert_eq!(kind(&[]), ErrorKind::NoOverlap);
    }
}
