//! Haplotypes x biallelic sites, bit-packed.

pub mod align;
pub mod bits;
pub mod genetic_map;
pub mod packing;
pub mod region;
pub mod samples;
pub mod sites;

use crate::error::{Error, ErrorKind, Result};
use bits::BitMatrix;
use region::Region;
use samples::Samples;
use sha2::{Digest, Sha256};
use sites::{Site, Sites};
use std::sync::Arc;

/// An immutable panel: haplotypes x biallelic sites, haplotype-major, 0 = reference, 1 = alternate.
///
/// Clones share everything. Missing and unphased genotypes have planes of their own, which are absent where the panel
/// has none: a panel without them is *complete*, which is what training, sampling and evaluation take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    inner: Arc<Inner>,
}

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    sites: Sites,
    samples: Samples,
    bits: Arc<BitMatrix>,
    missing: Option<Arc<BitMatrix>>,
    unphased: Option<Arc<BitMatrix>>,
}

impl Panel {
    /// A complete panel: `bits` has a row a haplotype and a column a site.
    ///
    /// # Errors
    /// `InvalidArgument` if the shapes disagree.
    pub fn new(sites: Sites, samples: Samples, bits: BitMatrix) -> Result<Self> {
        Self::with_planes(sites, samples, bits, None, None)
    }

    /// A panel with planes: `missing` has a row a haplotype, `unphased` a row a person, both a column a site. A plane
    /// without a 1 is dropped. Bits under a missing allele have to be 0.
    ///
    /// # Errors
    /// `InvalidArgument` if the shapes disagree.
    pub fn with_planes(
        sites: Sites,
        samples: Samples,
        bits: BitMatrix,
        missing: Option<BitMatrix>,
        unphased: Option<BitMatrix>,
    ) -> Result<Self> {
        let shared = |plane: Option<BitMatrix>| plane.filter(BitMatrix::any).map(Arc::new);
        Self::sharing(sites, samples, Arc::new(bits), shared(missing), shared(unphased))
    }

    /// A panel of planes that other panels may have too.
    fn sharing(
        sites: Sites,
        samples: Samples,
        bits: Arc<BitMatrix>,
        missing: Option<Arc<BitMatrix>>,
        unphased: Option<Arc<BitMatrix>>,
    ) -> Result<Self> {
        let check = |what: &str, m: &BitMatrix, rows: usize| match m.rows() == rows && m.columns() == sites.len() {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "{what} are {} x {} where {rows} x {} were expected",
                m.rows(),
                m.columns(),
                sites.len()
            ))),
        };
        check("haplotypes", &bits, samples.haplotypes())?;
        missing.iter().try_for_each(|m| check("missing alleles", m, samples.haplotypes()))?;
        unphased.iter().try_for_each(|m| check("unphased genotypes", m, samples.len()))?;
        Ok(Panel { inner: Arc::new(Inner { sites, samples, bits, missing, unphased }) })
    }

    /// Artificial people with diploid samples `PREFIX_0`, `PREFIX_1`, ...: haplotypes 2j and 2j + 1 are person j.
    ///
    /// # Errors
    /// `InvalidArgument` for an odd number of haplotypes or shapes that disagree.
    pub fn artificial(sites: Sites, bits: BitMatrix, prefix: &str) -> Result<Self> {
        if bits.rows() % 2 == 1 {
            return Err(Error::argument(format!("{} haplotypes do not pair into people", bits.rows()))
                .remedy("ask for an even number of haplotypes"));
        }
        let samples = Samples::diploid((0..bits.rows() / 2).map(|j| format!("{prefix}_{j}")))?;
        Panel::new(sites, samples, bits)
    }

    /// The sites.
    pub fn sites(&self) -> &Sites {
        &self.inner.sites
    }

    /// The people.
    pub fn samples(&self) -> &Samples {
        &self.inner.samples
    }

    /// The alleles: a row a haplotype, a column a site.
    pub fn bits(&self) -> &BitMatrix {
        &self.inner.bits
    }

    /// Missing alleles: a row a haplotype, a column a site; `None` if there are none.
    pub fn missing(&self) -> Option<&BitMatrix> {
        self.inner.missing.as_deref()
    }

    /// Unphased heterozygous genotypes: a row a person, a column a site; `None` if there are none.
    pub fn unphased(&self) -> Option<&BitMatrix> {
        self.inner.unphased.as_deref()
    }

    /// Number of haplotypes.
    pub fn haplotypes(&self) -> usize {
        self.inner.bits.rows()
    }

    /// Frequency of the alternate allele at each site, missing alleles left out (0 where all are missing).
    pub fn frequencies(&self) -> Vec<f64> {
        let ones = self.bits().count_columns();
        let missing = self.missing().map(BitMatrix::count_columns);
        let known = |c: usize| self.haplotypes() - missing.as_ref().map_or(0, |m| m[c] as usize);
        ones.iter().enumerate().map(|(c, n)| f64::from(*n) / (known(c).max(1)) as f64).collect()
    }

    /// Fails unless the panel is complete and has haplotypes and sites, naming the first genotype that is not.
    ///
    /// # Errors
    /// `Empty`, `Missing` or `Unphased`.
    pub fn require_complete(&self) -> Result<()> {
        self.require_no_missing()?;
        if let Some((i, site)) = self.unphased().and_then(|m| self.first(m)) {
            return Err(Error::new(ErrorKind::Unphased, "a genotype is not phased")
                .site(&site.contig, site.position)
                .sample(&self.samples().as_slice()[i].name)
                .remedy(
                    "phase the file first (Beagle, SHAPEIT), or take alleles as written with option unphased=as-written",
                ));
        }
        Ok(())
    }

    /// Fails unless the panel has haplotypes and sites and no allele is missing; genotypes may be unphased.
    ///
    /// # Errors
    /// `Empty`, `Missing`.
    pub fn require_no_missing(&self) -> Result<()> {
        if self.haplotypes() == 0 || self.sites().is_empty() {
            return Err(Error::new(ErrorKind::Empty, "the panel has no haplotypes or no sites")
                .remedy("check the region, and the selection of samples"));
        }
        if let Some((h, site)) = self.missing().and_then(|m| self.first(m)) {
            let name = &self.samples().as_slice()[self.samples().of_haplotype(h)].name;
            return Err(Error::new(ErrorKind::Missing, "an allele is missing")
                .site(&site.contig, site.position)
                .sample(name)
                .remedy("impute the file first, or fill with option missing=reference (or frequency, drop-site)"));
        }
        Ok(())
    }

    /// The first 1 of a plane, site by site: its row and its site.
    fn first(&self, plane: &BitMatrix) -> Option<(usize, &Site)> {
        (0..plane.columns()).find_map(|c| (0..plane.rows()).find(|r| plane.get(*r, c)).map(|r| (r, &self.sites()[c])))
    }

    /// The panel of these people (numbers in order).
    ///
    /// # Errors
    /// `Duplicate` if a number is there twice; `OutOfMemory`.
    pub fn select_samples(&self, people: &[usize]) -> Result<Self> {
        let rows: Vec<usize> = people.iter().flat_map(|i| self.samples().haplotypes_of(*i)).collect();
        Panel::with_planes(
            self.sites().clone(),
            self.samples().select(people)?,
            self.bits().select_rows(&rows)?,
            self.missing().map(|m| m.select_rows(&rows)).transpose()?,
            self.unphased().map(|m| m.select_rows(people)).transpose()?,
        )
    }

    /// The panel at these sites (numbers rising).
    ///
    /// # Errors
    /// `Unsorted` if they do not rise; `OutOfMemory`.
    pub fn select_sites(&self, columns: &[usize]) -> Result<Self> {
        Panel::with_planes(
            self.sites().select(columns)?,
            self.samples().clone(),
            self.bits().select_columns(columns)?,
            self.missing().map(|m| m.select_columns(columns)).transpose()?,
            self.unphased().map(|m| m.select_columns(columns)).transpose()?,
        )
    }

    /// The people of this panel, then those of another one at the same sites.
    ///
    /// # Errors
    /// `NoOverlap`, naming the first site that differs; `Duplicate` for a name that both have; `OutOfMemory`.
    pub fn append(&self, other: &Panel) -> Result<Self> {
        let (ours, theirs) = (self.sites(), other.sites());
        let differs = ours.iter().zip(theirs.iter()).position(|(a, b)| !a.same_variant(b));
        if let Some(s) = differs.or((ours.len() != theirs.len()).then_some(ours.len().min(theirs.len()))) {
            let name = |sites: &Sites| sites.as_slice().get(s).map_or("none".to_string(), sites::Site::name);
            let what = format!("site {s} is {} in one panel and {} in the other", name(ours), name(theirs));
            return Err(Error::new(ErrorKind::NoOverlap, what).remedy("take the same sites of both"));
        }
        let samples = self.samples().iter().chain(other.samples().iter()).cloned().collect();
        let rows = [self.samples().len(), other.samples().len()];
        let join = |a: Option<&BitMatrix>, b: Option<&BitMatrix>, rows: [usize; 2]| -> Result<Option<BitMatrix>> {
            if a.is_none() && b.is_none() {
                return Ok(None);
            }
            let empty = |n| BitMatrix::zeros(n, ours.len());
            let (a, b) = (
                a.map_or_else(|| empty(rows[0]), |a| Ok(a.clone()))?,
                b.map_or_else(|| empty(rows[1]), |b| Ok(b.clone()))?,
            );
            a.stack(&b).map(Some)
        };
        Panel::with_planes(
            ours.clone(),
            Samples::new(samples)?,
            self.bits().stack(other.bits())?,
            join(self.missing(), other.missing(), [self.haplotypes(), other.haplotypes()])?,
            join(self.unphased(), other.unphased(), rows)?,
        )
    }

    /// The panel inside a region.
    ///
    /// # Errors
    /// `Empty` if no site lies inside, `Region` if the panel does not have the contig.
    pub fn in_region(&self, region: &Region) -> Result<Self> {
        let range = self.sites().range(region);
        let contigs: Vec<String> = self.sites().contigs().iter().map(|contig| contig.to_string()).collect();
        match range.is_empty() {
            true if !contigs.contains(&region.contig) => {
                let what = format!("contig {} of the region is not in the panel", region.contig);
                Err(Error::new(ErrorKind::Region, what).remedy(format!("its contigs are {}", contigs.join(", "))))
            }
            true => Err(Error::new(ErrorKind::Empty, format!("no site in region {region}"))),
            false => self.select_sites(&range.collect::<Vec<_>>()),
        }
    }

    /// The same panel with other people (as many haplotypes each).
    ///
    /// # Errors
    /// `InvalidArgument` if the shapes disagree.
    pub fn with_samples(&self, samples: Samples) -> Result<Self> {
        let Inner { sites, bits, missing, unphased, .. } = &*self.inner;
        Panel::sharing(sites.clone(), samples, bits.clone(), missing.clone(), unphased.clone())
    }

    /// SHA-256 of the packed haplotypes (shape, then the words, little endian), in hexadecimal.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update((self.bits().rows() as u64).to_le_bytes());
        hash.update((self.bits().columns() as u64).to_le_bytes());
        for word in self.bits().words() {
            hash.update(word.to_le_bytes());
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}
