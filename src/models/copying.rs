//! The copying model as a generator: it holds the panel that it learned from, and copies it.

use crate::error::Result;
use crate::hmm::copying::Copying;
use crate::hmm::rates::Rates;
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;

/// A panel, how far apart its sites are, and how often one switches and errs (Li and Stephens 2003; drawn from as HAPGEN2
/// does, Su et al. 2011).
#[derive(Clone, Debug, PartialEq)]
pub struct CopiedPanel {
    /// A row a haplotype, a column a site.
    pub haplotypes: BitMatrix,
    /// From each site to the one before, in centimorgans; 0 at a contig's first.
    pub centimorgans: Vec<f64>,
    /// How often one switches and errs.
    pub rates: Rates,
}

impl CopiedPanel {
    /// The hidden Markov model.
    ///
    /// # Errors
    /// As [`Copying::new`].
    pub fn model(&self, sites: &Sites) -> Result<Copying> {
        let switches = self.rates.switches(&self.centimorgans, self.haplotypes.rows());
        Copying::new(&self.haplotypes, sites, &switches, self.rates.error)
    }
}
