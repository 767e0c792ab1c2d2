//! Biallelic sites in order.

use super::region::Region;
use crate::error::{Error, ErrorKind, Result};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// One biallelic site.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// The contig's name, shared by the sites on it.
    pub contig: Arc<str>,
    /// The position of the first base of `reference`, from 1.
    pub position: u64,
    /// The identifier; empty where the file has none (`.` in VCF).
    pub id: Box<str>,
    /// The reference allele: bit 0.
    pub reference: Box<str>,
    /// The alternate allele: bit 1.
    pub alternate: Box<str>,
}

impl Site {
    /// Whether two sites are the same variant: contig, position and both alleles agree.
    pub fn same_variant(&self, other: &Site) -> bool {
        self.position == other.position
            && self.contig == other.contig
            && self.reference == other.reference
            && self.alternate == other.alternate
    }

    /// Whether `other` is the same variant with reference and alternate exchanged.
    pub fn swapped_variant(&self, other: &Site) -> bool {
        self.position == other.position
            && self.contig == other.contig
            && self.reference == other.alternate
            && self.alternate == other.reference
    }

    /// `contig:position:ref:alt`, for messages.
    pub fn name(&self) -> String {
        format!("{}:{}:{}:{}", self.contig, self.position, self.reference, self.alternate)
    }
}

/// Sites in order: contigs in runs, positions not falling within a contig, no variant twice. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sites {
    sites: Arc<Vec<Site>>,
}

impl Sites {
    /// Takes sites, and checks their order.
    ///
    /// # Errors
    /// `Unsorted` if a position falls or a contig comes back, `Duplicate` if a variant is there twice; the record
    /// number in the error is the site's number from 1.
    pub fn new(sites: Vec<Site>) -> Result<Self> {
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        let mut first_at_position = 0;
        for (i, site) in sites.iter().enumerate() {
            let at = |e: Error| e.record(i as u64 + 1).site(&site.contig, site.position);
            let Some(previous) = i.checked_sub(1).map(|p| &sites[p]) else {
                seen.insert(site.contig.clone());
                continue;
            };
            if previous.contig != site.contig {
                if !seen.insert(site.contig.clone()) {
                    return Err(at(Error::new(ErrorKind::Unsorted, format!("contig {} comes back", site.contig))
                        .remedy("sort the file (bcftools sort)")));
                }
                first_at_position = i;
                continue;
            }
            match previous.position.cmp(&site.position) {
                Ordering::Greater => {
                    return Err(at(Error::new(
                        ErrorKind::Unsorted,
                        format!("position {} comes after {}", site.position, previous.position),
                    )
                    .remedy("sort the file (bcftools sort)")));
                }
                Ordering::Less => first_at_position = i,
                Ordering::Equal => {
                    if sites[first_at_position..i].iter().any(|other| other.same_variant(site)) {
                        return Err(at(Error::new(
                            ErrorKind::Duplicate,
                            format!("variant {} is there twice", site.name()),
                        )
                        .remedy("remove duplicates (bcftools norm -d exact)")));
                    }
                }
            }
        }
        Ok(Sites { sites: Arc::new(sites) })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.sites.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Site] {
        &self.sites
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Site> {
        self.sites.iter()
    }

    /// The contigs' names, in order.
    pub fn contigs(&self) -> Vec<Arc<str>> {
        let mut contigs: Vec<Arc<str>> = Vec::new();
        for site in self.sites.iter() {
            if contigs.last() != Some(&site.contig) {
                contigs.push(site.contig.clone());
            }
        }
        contigs
    }

    /// What each contig spans: its name, the first and the last position, and the number of its sites.
    pub fn spans(&self) -> Vec<(Arc<str>, u64, u64, usize)> {
        let mut spans: Vec<(Arc<str>, u64, u64, usize)> = Vec::new();
        for site in self.sites.iter() {
            match spans.last_mut() {
                Some((contig, _, last, count)) if *contig == site.contig => {
                    (*last, *count) = (site.position, *count + 1)
                }
                _ => spans.push((site.contig.clone(), site.position, site.position, 1)),
            }
        }
        spans
    }

    /// The sites of each contig, in order.
    pub fn contig_ranges(&self) -> Vec<Range<usize>> {
        let mut next = 0;
        let range = |(_, _, _, count)| {
            next += count;
            next - count..next
        };
        self.spans().into_iter().map(range).collect()
    }

    /// The numbers of the sites inside a region.
    pub fn range(&self, region: &Region) -> Range<usize> {
        let inside = |s: &Site| region.contains(&s.contig, s.position);
        let start = self.sites.iter().position(inside).unwrap_or(0);
        let length = self.sites[start..].iter().take_while(|s| inside(s)).count();
        start..start + length
    }

    /// The named sites, which have to be in order.
    ///
    /// # Errors
    /// As [`Sites::new`].
    pub fn select(&self, columns: &[usize]) -> Result<Self> {
        Sites::new(columns.iter().map(|c| self.sites[*c].clone()).collect())
    }
}

impl std::ops::Index<usize> for Sites {
    type Output = Site;

    fn index(&self, i: usize) -> &Site {
        &self.sites[i]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(contig: &str, position: u64, alternate: &str) -> Site {
        Site { contig: contig.into(), position, id: "".into(), reference: "A".into(), alternate: alternate.into() }
    }

    #[test]
    fn order_is_checked() {
        let kind = |sites| Sites::new(sites).map(|s: Sites| s.len()).map_err(|e| e.kind());
        assert_eq!(kind(vec![site("1", 5, "C"), site("1", 5, "G"), site("2", 1, "C")]), Ok(3));
        assert_eq!(kind(vec![site("1", 5, "C"), site("1", 4, "G")]), Err(ErrorKind::Unsorted));
        assert_eq!(kind(vec![site("1", 5, "C"), site("2", 4, "G"), site("1", 9, "C")]), Err(ErrorKind::Unsorted));
        assert_eq!(kind(vec![site("1", 5, "C"), site("1", 5, "G"), site("1", 5, "C")]), Err(ErrorKind::Duplicate));
    }

    #[test]
    fn a_region_is_a_range_of_sites() {
        let sites = Sites::new(vec![site("1", 5, "C"), site("2", 1, "C"), site("2", 8, "C")]).unwrap();
        assert_eq!(sites.range(&"2:2-9".parse().unwrap()), 2..3);
        assert_eq!(sites.range(&"2".parse().unwrap()), 1..3);
        assert!(sites.range(&"3".parse().unwrap()).is_empty());
    }
}
