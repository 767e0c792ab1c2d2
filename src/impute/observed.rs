//! What is known of the haplotypes that are imputed.

use crate::error::{Error, Result};
use crate::hmm::copying::Observed;
use crate::panel::bits::BitMatrix;
use std::ops::Range;

/// Alleles of haplotypes at typed sites.
#[derive(Clone, Debug)]
pub struct Typed {
    sites: Vec<usize>,
    alleles: BitMatrix,
    missing: Option<BitMatrix>,
}

impl Typed {
    /// `sites` are numbers of the imputer's sites, rising; `alleles` and `missing` have a row a haplotype and a column a
    /// typed site.
    ///
    /// # Errors
    /// `InvalidArgument` if the sites do not rise or shapes disagree.
    pub fn new(sites: Vec<usize>, alleles: BitMatrix, missing: Option<BitMatrix>) -> Result<Self> {
        if let Some(i) = sites.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(Error::argument(format!("typed site {} follows {}", sites[i + 1], sites[i]))
                .remedy("typed sites have to rise"));
        }
        let fits = |m: &BitMatrix| m.columns() == sites.len() && m.rows() == alleles.rows();
        match fits(&alleles) && missing.as_ref().is_none_or(fits) {
            true => Ok(Typed { sites, alleles, missing: missing.filter(BitMatrix::any) }),
            false => Err(Error::argument(format!(
                "{} x {} typed alleles at {} sites",
                alleles.rows(),
                alleles.columns(),
                sites.len()
            ))),
        }
    }

    /// From alleles 0, 1 and -1 (missing) of so many haplotypes: that of haplotype h at typed site t is number
    /// `h x stride + t`.
    ///
    /// # Errors
    /// `InvalidArgument` for another allele, for too few of them, or if the sites do not rise; `OutOfMemory`.
    pub fn from_alleles(sites: Vec<usize>, alleles: &[i8], haplotypes: usize, stride: usize) -> Result<Self> {
        let n = sites.len();
        let rows: Vec<&[i8]> = match n {
            0 => vec![&[]; haplotypes],
            _ => alleles.chunks(stride.max(n)).take(haplotypes).filter_map(|row| row.get(..n)).collect(),
        };
        if rows.len() != haplotypes || stride < n {
            return Err(Error::argument(format!(
                "{} alleles for {haplotypes} haplotypes, stride {stride}",
                alleles.len()
            )));
        }
        for (h, row) in rows.iter().enumerate() {
            if let Some(t) = row.iter().position(|allele| !matches!(allele, -1..=1)) {
                return Err(Error::argument(format!("allele {} of haplotype {h} at typed site {t}", row[t]))
                    .remedy("alleles are 0, 1, or -1 where missing"));
            }
        }
        let bits = |wanted: i8| BitMatrix::from_fn(haplotypes, n, |h, t| rows[h][t] == wanted);
        Typed::new(sites, bits(1)?, Some(bits(-1)?))
    }

    /// The typed sites, rising.
    pub fn sites(&self) -> &[usize] {
        &self.sites
    }

    /// Number of haplotypes.
    pub fn haplotypes(&self) -> usize {
        self.alleles.rows()
    }

    /// The allele of haplotype `h` at typed site `t`; `None` if it is missing.
    pub fn allele(&self, h: usize, t: usize) -> Option<bool> {
        let missing = self.missing.as_ref().is_some_and(|m| m.get(h, t));
        (!missing).then(|| self.alleles.get(h, t))
    }

    /// Number of alleles that are missing.
    pub fn missing(&self) -> u64 {
        self.missing.as_ref().map_or(0, |m| m.count_columns().iter().map(|n| u64::from(*n)).sum())
    }

    /// The numbers of the typed sites within a range of the imputer's sites.
    pub fn within(&self, sites: Range<usize>) -> Range<usize> {
        let below = |end: usize| self.sites.partition_point(|s| *s < end);
        below(sites.start)..below(sites.end)
    }

    /// What is known of haplotype `h` within a range of the imputer's sites.
    pub fn observed(&self, h: usize, sites: Range<usize>) -> Vec<Observed> {
        self.within(sites).filter_map(|t| Some((self.sites[t], self.allele(h, t)?))).collect()
    }
}
