//! The sites that all panels of an evaluation share.

use crate::error::{Error, ErrorKind, Result};
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;
use std::borrow::Cow;
use std::collections::HashMap;

/// Haplotypes of each panel at the sites that all of them have, in the first one's order.
pub(super) struct Aligned<'a> {
    pub sites: Cow<'a, Sites>,
    pub bits: Vec<Cow<'a, BitMatrix>>,
}

/// Matches sites by contig, position and alleles.
///
/// # Errors
/// `NoOverlap` or `ContigMismatch` if nothing is shared, `AlleleMismatch` if a site has its alleles exchanged.
pub(super) fn align<'a>(panels: &[(&str, &'a Panel)]) -> Result<Aligned<'a>> {
    let Some((first_name, first)) = panels.first() else {
        return Err(Error::argument("no panels to align"));
    };
    let sites = first.sites();
    let same = |p: &Panel| {
        p.sites().len() == sites.len() && p.sites().iter().zip(sites.iter()).all(|(a, b)| a.same_variant(b))
    };
    if panels.iter().all(|(_, p)| same(p)) {
        let bits = panels.iter().map(|(_, p)| Cow::Borrowed(p.bits())).collect();
        return Ok(Aligned { sites: Cow::Borrowed(sites), bits });
    }
    let mut columns = vec![Vec::new(); panels.len()];
    columns[0] = (0..sites.len()).collect();
    for (number, (name, panel)) in panels.iter().enumerate().skip(1) {
        let mut at: HashMap<(&str, u64), Vec<usize>> = HashMap::new();
        for (c, site) in panel.sites().iter().enumerate() {
            at.entry((&site.contig, site.position)).or_default().push(c);
        }
        let mut partners = Vec::with_capacity(columns[0].len());
        let mut kept = Vec::with_capacity(columns[0].len());
        for (place, c) in columns[0].iter().enumerate() {
            let site = &sites[*c];
            let here: &[usize] = at.get(&(&*site.contig, site.position)).map_or(&[], |v| v);
            if let Some(other) = here.iter().find(|o| panel.sites()[**o].same_variant(site)) {
                partners.push(*other);
                kept.push(place);
            } else if here.iter().any(|o| panel.sites()[*o].swapped_variant(site)) {
                return Err(Error::new(
                    ErrorKind::AlleleMismatch,
                    format!(
                        "reference and alternate allele of {} are exchanged between the {first_name} and the {name} panel",
                        site.name()
                    ),
                )
                .site(&site.contig, site.position)
                .remedy("write both panels against one reference (bcftools norm -c s -f REF.fa)"));
            }
        }
        if kept.is_empty() {
            return Err(nothing_shared(first_name, sites, name, panel.sites()));
        }
        for earlier in &mut columns[..number] {
            *earlier = kept.iter().map(|place| earlier[*place]).collect();
        }
        columns[number] = partners;
    }
    let bits = panels.iter().zip(&columns).map(|((_, p), c)| p.bits().select_columns(c).map(Cow::Owned));
    Ok(Aligned { bits: bits.collect::<Result<_>>()?, sites: Cow::Owned(sites.select(&columns[0])?) })
}

fn nothing_shared(first_name: &str, first: &Sites, name: &str, second: &Sites) -> Error {
    let (a, b) = (first.contigs(), second.contigs());
    if !a.iter().any(|contig| b.contains(contig)) {
        return Error::new(
            ErrorKind::ContigMismatch,
            format!("the {first_name} panel has contig {}, the {name} panel has contig {}", a[0], b[0]),
        )
        .remedy("name contigs alike (bcftools annotate --rename-chrs)");
    }
    Error::new(
        ErrorKind::NoOverlap,
        format!(
            "the {first_name} and the {name} panel share no site: the one begins with {}, the other with {}",
            first[0].name(),
            second[0].name()
        ),
    )
    .remedy("check that both are of one region and one reference build")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::{panel, random_bits, sites};

    #[test]
    fn shared_sites_are_found_whatever_the_order_of_contigs() {
        let a = panel(sites(&[("1", 5), ("1", 9), ("2", 1)]), random_bits(4, 3, 1));
        let b = panel(sites(&[("2", 1), ("1", 7), ("1", 9)]), random_bits(6, 3, 2));
        let c = panel(sites(&[("1", 9), ("2", 1), ("3", 1)]), random_bits(2, 3, 3));
        let aligned = align(&[("real", &a), ("artificial", &b), ("held-out", &c)]).unwrap();
        let names: Vec<String> = aligned.sites.iter().map(|s| s.name()).collect();
        assert_eq!(names, ["1:9:A:C", "2:1:A:C"]);
        assert_eq!(*aligned.bits[0], a.bits().select_columns(&[1, 2]).unwrap());
        assert_eq!(*aligned.bits[1], b.bits().select_columns(&[2, 0]).unwrap());
        assert_eq!(*aligned.bits[2], c.bits().select_columns(&[0, 1]).unwrap());
    }

    #[test]
    fn what_cannot_be_compared_is_refused_with_a_reason() {
        let a = panel(sites(&[("1", 5)]), random_bits(2, 1, 1));
        let kind = |other| {
            align(&[("real", &a), ("artificial", &panel(other, random_bits(2, 1, 2)))]).map(|_| ()).unwrap_err()
        };
        assert_eq!(kind(sites(&[("chr1", 5)])).kind(), ErrorKind::ContigMismatch);
        assert_eq!(kind(sites(&[("1", 6)])).kind(), ErrorKind::NoOverlap);
        let mut swapped = sites(&[("1", 5)]).as_slice().to_vec();
        let site = &mut swapped[0];
        std::mem::swap(&mut site.reference, &mut site.alternate);
        let e = kind(Sites::new(swapped).unwrap());
        assert_eq!(e.kind(), ErrorKind::AlleleMismatch);
        assert!(e.to_string().contains("1:5:A:C"), "{e}");
    }
}
