//! Allele frequencies, and sites that generation lost.

use super::{mean_absolute_error, pearson};
use crate::panel::bits::BitMatrix;

/// Edges of the bins of minor allele frequency: above the one, up to the next.
pub(super) const BINS: [f64; 6] = [0.0, 0.005, 0.01, 0.05, 0.2, 0.5];
/// Sites at or below this minor allele frequency are looked at apart.
pub(super) const LOW: f64 = 0.2;

/// Agreement of allele frequencies over sites; `None` where it is not defined.
pub(super) struct Agreement {
    pub r: Option<f64>,
    pub mae: Option<f64>,
    pub low_r: Option<f64>,
    pub low_mae: Option<f64>,
    /// Sites with a minor allele frequency of at most [`LOW`] in the real haplotypes.
    pub low_sites: usize,
}

/// Ones a site, as a share of rows.
pub(super) fn frequencies(bits: &BitMatrix) -> Vec<f64> {
    bits.count_columns().iter().map(|n| f64::from(*n) / bits.rows() as f64).collect()
}

pub(super) fn agreement(real: &[f64], artificial: &[f64]) -> Agreement {
    let low: Vec<usize> = (0..real.len()).filter(|c| real[*c].min(1.0 - real[*c]) <= LOW).collect();
    let pick = |all: &[f64]| low.iter().map(|c| all[*c]).collect::<Vec<_>>();
    let (low_real, low_artificial) = (pick(real), pick(artificial));
    Agreement {
        r: pearson(real, artificial),
        mae: mean_absolute_error(real, artificial),
        low_r: pearson(&low_real, &low_artificial),
        low_mae: mean_absolute_error(&low_real, &low_artificial),
        low_sites: low.len(),
    }
}

/// Sites polymorphic in the real haplotypes, and those of them fixed in the artificial ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fixed {
    pub polymorphic: usize,
    pub fixed: usize,
}

impl Fixed {
    pub fn share(self) -> Option<f64> {
        (self.polymorphic > 0).then(|| self.fixed as f64 / self.polymorphic as f64)
    }
}

/// Over all sites, and by bin of [`BINS`].
pub(super) fn fixed_sites(real: &[f64], artificial: &[f64]) -> (Fixed, [Fixed; BINS.len() - 1]) {
    let mut all = Fixed::default();
    let mut bins = [Fixed::default(); BINS.len() - 1];
    for (p, q) in real.iter().zip(artificial) {
        let minor = p.min(1.0 - p);
        if minor > 0.0 {
            let bin = BINS[1..].iter().position(|edge| minor <= *edge).unwrap_or(BINS.len() - 2);
            let lost = usize::from(*q == 0.0 || *q == 1.0);
            for tally in [&mut all, &mut bins[bin]] {
                tally.polymorphic += 1;
                tally.fixed += lost;
            }
        }
    }
    (all, bins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_and_their_agreement() {
        let bits = BitMatrix::from_fn(4, 3, |r, c| r < c).unwrap();
        assert_eq!(frequencies(&bits), [0.0, 0.25, 0.5]);
        let a = agreement(&[0.0, 0.25, 0.5, 0.9], &[0.1, 0.25, 0.4, 0.9]);
        assert!((a.mae.unwrap() - 0.05).abs() < 1e-15);
        assert_eq!(a.low_sites, 2);
        assert!((a.low_mae.unwrap() - 0.05).abs() < 1e-15);
        assert!((a.low_r.unwrap() - 1.0).abs() < 1e-12);
        let none = agreement(&[0.5], &[0.5]);
        assert_eq!((none.r, none.low_r, none.low_mae, none.mae), (None, None, None, Some(0.0)));
    }

    #[test]
    fn lost_sites_are_counted_by_bin() {
        let (all, bins) = fixed_sites(&[0.0, 0.004, 0.996, 0.1, 0.5, 1.0], &[0.0, 0.0, 0.99, 1.0, 0.5, 0.5]);
        assert_eq!(all, Fixed { polymorphic: 4, fixed: 2 });
        assert_eq!(bins[0], Fixed { polymorphic: 2, fixed: 1 });
        assert_eq!(bins[3], Fixed { polymorphic: 1, fixed: 1 });
        assert_eq!(bins[4], Fixed { polymorphic: 1, fixed: 0 });
        assert_eq!(bins[1].share(), None);
    }
}
