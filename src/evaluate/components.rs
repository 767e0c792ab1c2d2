//! What principal components show: how far two clouds of haplotypes are from each other, and whether populations come
//! in their shares.

use crate::error::Result;
use crate::linalg::transport::{Transport, sinkhorn};
use crate::linalg::{Pca, pca};
use crate::panel::bits::BitMatrix;
use crate::threads::Threads;
use std::collections::BTreeMap;

/// Components that labels are judged by.
const COMPONENTS: usize = 10;
/// Real neighbours that vote on a label.
const NEIGHBOURS: usize = 5;

/// Real haplotypes, then others, in the principal components of both together.
pub(crate) struct Joint {
    pca: Pca,
    real: usize,
    others: usize,
}

impl Joint {
    /// # Errors
    /// `OutOfMemory`, or shapes that disagree.
    pub fn new(real: &BitMatrix, others: &BitMatrix, seed: u64, threads: &Threads) -> Result<Self> {
        let pca = pca(&real.stack(others)?, COMPONENTS, seed, threads)?;
        Ok(Joint { pca, real: real.rows(), others: others.rows() })
    }

    /// Entropic transport between the two clouds in components `first` and `first + 1` (from 0): squared Euclidean cost
    /// divided by its largest value. At most `most` haplotypes of each set, thinned evenly over the plane. `None` where
    /// there are no such components, or all haplotypes are at one place.
    pub fn transport(&self, first: usize, reg: f64, most: usize) -> Result<Option<Transport>> {
        let k = self.pca.k;
        if first + 2 > k {
            return Ok(None);
        }
        let point = |row: &[f64]| [row[first], row[first + 1]];
        let points: Vec<[f64; 2]> = self.pca.scores.chunks(k).map(point).collect();
        let mut low = [f64::INFINITY; 2];
        let mut size = 0.0f64;
        for axis in 0..2 {
            low[axis] = points.iter().fold(f64::INFINITY, |low, p| low.min(p[axis]));
            size = points.iter().fold(size, |size, p| size.max(p[axis] - low[axis]));
        }
        // Rounding leaves a little where all points are one.
        if size < 1e-9 {
            return Ok(None);
        }
        let place = |p: &[f64; 2]| z_order([0, 1].map(|axis| ((p[axis] - low[axis]) / size * 65_535.0) as u16));
        let thinned = |points: &[[f64; 2]]| {
            let mut all = points.to_vec();
            all.sort_by_cached_key(place);
            let n = all.len().min(most);
            (0..n).map(|i| all[(2 * i + 1) * all.len() / (2 * n)]).collect::<Vec<_>>()
        };
        let (x, y) = (thinned(&points[..self.real]), thinned(&points[self.real..]));
        let cost = |i: usize, j: usize| (x[i][0] - y[j][0]).powi(2) + (x[i][1] - y[j][1]).powi(2);
        let farthest = |i: usize| (0..y.len()).map(|j| cost(i, j)).fold(0.0, f64::max);
        let largest = (0..x.len()).map(farthest).fold(0.0, f64::max);
        sinkhorn(x.len(), y.len(), |i, j| cost(i, j) / largest, reg).map(Some)
    }

    /// The share of each label among the others, each labelled by the 5 real haplotypes nearest in the leading 10
    /// components; among labels with as many votes, that of the nearest voter wins.
    ///
    /// # Errors
    /// As [`Threads::map`].
    pub fn shares<'a>(&self, labels: &[&'a str], threads: &Threads) -> Result<BTreeMap<&'a str, f64>> {
        let found = self.labels(labels, threads)?;
        let mut shares = shares(labels);
        shares.values_mut().for_each(|share| *share = 0.0);
        for label in found.into_iter().flatten() {
            if let Some(share) = shares.get_mut(label) {
                *share += 1.0;
            }
        }
        shares.values_mut().for_each(|share| *share /= self.others as f64);
        Ok(shares)
    }

    /// The label of each of the others, as [`Joint::shares`] counts them.
    ///
    /// # Errors
    /// As [`Threads::map`].
    pub fn labels<'a>(&self, labels: &[&'a str], threads: &Threads) -> Result<Vec<Option<&'a str>>> {
        let k = self.pca.k;
        let scores = |row: usize| &self.pca.scores[row * k..(row + 1) * k];
        threads.map(self.others, |other| {
            let here = scores(self.real + other);
            let mut nearest: Vec<(f64, usize)> = Vec::with_capacity(NEIGHBOURS + 1);
            for row in 0..self.real {
                let d: f64 = here.iter().zip(scores(row)).map(|(a, b)| (a - b) * (a - b)).sum();
                if nearest.len() < NEIGHBOURS || d < nearest[NEIGHBOURS - 1].0 {
                    nearest.insert(nearest.partition_point(|(other, _)| *other <= d), (d, row));
                    nearest.truncate(NEIGHBOURS);
                }
            }
            let votes = |label: &str| nearest.iter().filter(|(_, row)| labels[*row] == label).count();
            let most = nearest.iter().map(|(_, row)| votes(labels[*row])).max();
            nearest.iter().map(|(_, row)| labels[*row]).find(|label| Some(votes(label)) == most)
        })
    }
}

/// The place of a cell on the Z-order curve (Morton 1966): points near each other on it are near each other in the plane,
/// so every k-th of them is a sample that keeps the shape of a cloud far better than one at random.
fn z_order([x, y]: [u16; 2]) -> u32 {
    (0..16).fold(0, |z, bit| z | u32::from(x >> bit & 1) << (2 * bit) | u32::from(y >> bit & 1) << (2 * bit + 1))
}

/// The share of each label.
pub(super) fn shares<'a>(labels: &[&'a str]) -> BTreeMap<&'a str, f64> {
    let mut counts = BTreeMap::new();
    labels.iter().for_each(|label| *counts.entry(*label).or_insert(0.0) += 1.0);
    counts.values_mut().for_each(|n| *n /= labels.len() as f64);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::random_bits;

    /// Two populations that differ at 30 sites.
    fn two(n: usize, of_first: usize, seed: u64) -> BitMatrix {
        let noise = random_bits(n, 60, seed);
        BitMatrix::from_fn(n, 60, |r, c| if c < 30 { r < of_first } else { noise.get(r, c) }).unwrap()
    }

    #[test]
    fn labels_come_in_the_shares_they_were_made_in() {
        let (real, others) = (two(40, 20, 1), two(20, 5, 2));
        let labels: Vec<&str> = (0..40).map(|r| if r < 20 { "A" } else { "B" }).collect();
        let joint = Joint::new(&real, &others, 1, &Threads::single()).unwrap();
        let found = joint.shares(&labels, &Threads::new(2)).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("A", 0.25), ("B", 0.75)]);
        assert_eq!(shares(&labels).into_iter().collect::<Vec<_>>(), [("A", 0.5), ("B", 0.5)]);
    }

    #[test]
    fn clouds_that_match_cost_little_and_shifted_ones_much() {
        let real = two(40, 20, 1);
        let cost = |others: &BitMatrix| {
            let joint = Joint::new(&real, others, 1, &Threads::single()).unwrap();
            joint.transport(0, 0.001, 100).unwrap().unwrap().cost
        };
        let (same, shifted) = (cost(&real), cost(&two(40, 40, 2)));
        assert!(same < 0.005, "{same}");
        assert!(shifted > 0.2, "{shifted}");
        let fixed = BitMatrix::zeros(5, 9).unwrap();
        let joint = Joint::new(&fixed, &fixed, 1, &Threads::single()).unwrap();
        assert!(joint.transport(0, 0.001, 100).unwrap().is_none());
    }
}
