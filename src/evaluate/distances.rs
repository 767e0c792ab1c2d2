//! Hamming distances between haplotypes: nearest neighbours, distributions over all pairs, and how these differ.

use crate::compute::{Device, hamming};
use crate::error::Result;
use crate::panel::bits::BitMatrix;
use crate::threads::Threads;

/// Distances to nearest neighbours between two sets of haplotypes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// For each row of the first set, the distance to its nearest in the second; `u32::MAX` if that is empty.
    pub of_first: Vec<u32>,
    /// For each row of the second set, the distance to its nearest in the first; `u32::MAX` if that is empty.
    pub of_second: Vec<u32>,
}

/// Distances (sites that differ) to nearest neighbours, both ways in one walk over all pairs.
///
/// # Errors
/// `InvalidArgument` if the numbers of sites differ; `OutOfMemory`.
pub fn nearest(first: &BitMatrix, second: &BitMatrix, device: &Device) -> Result<Nearest> {
    if let Device::Cuda(cuda) = device {
        let (of_first, of_second) = hamming::nearest_on(cuda, first, Some(second))?;
        return Ok(Nearest { of_first, of_second });
    }
    let start = || (Vec::new(), vec![u32::MAX; second.rows()]);
    let strips = hamming::fold_between(first, second, device.threads(), start, |(rows, others), tile| {
        if tile.others.start == 0 {
            rows.resize(rows.len() + tile.rows.len(), u32::MAX);
        }
        let base = rows.len() - tile.rows.len();
        let others = &mut others[tile.others.clone()];
        for (i, nearest) in rows[base..].iter_mut().enumerate() {
            for (d, other) in tile.row(i).iter().zip(others.iter_mut()) {
                *nearest = (*nearest).min(*d);
                *other = (*other).min(*d);
            }
        }
    })?;
    let mut of_second = vec![u32::MAX; second.rows()];
    let mut of_first = Vec::with_capacity(first.rows());
    for (rows, others) in strips {
        of_first.extend(rows);
        of_second.iter_mut().zip(others).for_each(|(best, d)| *best = d.min(*best));
    }
    of_first.resize(first.rows(), u32::MAX);
    Ok(Nearest { of_first, of_second })
}

/// For each haplotype the distance to its nearest among the others of its own set: 0 for one that is there twice,
/// `u32::MAX` for one that is alone.
///
/// # Errors
/// `OutOfMemory`.
pub fn nearest_within(set: &BitMatrix, device: &Device) -> Result<Vec<u32>> {
    if let Device::Cuda(cuda) = device {
        return Ok(hamming::nearest_on(cuda, set, None)?.0);
    }
    let strips = hamming::fold_within(
        set,
        device.threads(),
        || vec![u32::MAX; set.rows()],
        |best, tile| {
            let diagonal = tile.rows == tile.others;
            for (i, row) in tile.rows.clone().enumerate() {
                let mut nearest = best[row];
                for (d, other) in tile.row(i).iter().zip(tile.others.clone()) {
                    if !(diagonal && other == row) {
                        nearest = nearest.min(*d);
                        best[other] = best[other].min(*d);
                    }
                }
                best[row] = best[row].min(nearest);
            }
        },
    )?;
    let mut out = vec![u32::MAX; set.rows()];
    for strip in strips {
        out.iter_mut().zip(strip).for_each(|(best, d)| *best = d.min(*best));
    }
    Ok(out)
}

/// How many pairs lie at each distance 0..=sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram(Vec<u64>);

impl Histogram {
    /// All pairs of different haplotypes of one set.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn within(set: &BitMatrix, threads: &Threads) -> Result<Self> {
        let strips = hamming::fold_within(
            set,
            threads,
            || vec![0; set.columns() + 1],
            |counts, tile| {
                let diagonal = tile.rows == tile.others;
                for i in 0..tile.rows.len() {
                    let row = tile.row(i);
                    row[if diagonal { i + 1 } else { 0 }..].iter().for_each(|d| counts[*d as usize] += 1);
                }
            },
        )?;
        Ok(Self::total(strips, set.columns()))
    }

    /// All pairs of a haplotype of one set and one of another.
    ///
    /// # Errors
    /// `InvalidArgument` if the numbers of sites differ; `OutOfMemory`.
    pub fn between(first: &BitMatrix, second: &BitMatrix, threads: &Threads) -> Result<Self> {
        let strips = hamming::fold_between(
            first,
            second,
            threads,
            || vec![0; first.columns() + 1],
            |counts, tile| {
                (0..tile.rows.len()).flat_map(|i| tile.row(i)).for_each(|d| counts[*d as usize] += 1);
            },
        )?;
        Ok(Self::total(strips, first.columns()))
    }

    fn total(strips: Vec<Vec<u64>>, columns: usize) -> Self {
        let mut all = vec![0u64; columns + 1];
        for strip in strips {
            all.iter_mut().zip(strip).for_each(|(a, s)| *a += s);
        }
        Histogram(all)
    }

    /// Pairs at each distance.
    pub fn counts(&self) -> &[u64] {
        &self.0
    }

    /// All pairs.
    pub fn pairs(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The 1-D Wasserstein distance to another distribution, in sites: the area between the two distribution functions.
    /// `None` if either holds no pair.
    pub fn wasserstein(&self, other: &Histogram) -> Option<f64> {
        let (n, m) = (self.pairs(), other.pairs());
        if n == 0 || m == 0 {
            return None;
        }
        let (mut below, mut other_below, mut area) = (0u64, 0u64, 0.0);
        for d in 0..self.0.len().max(other.0.len()) {
            below += self.0.get(d).unwrap_or(&0);
            other_below += other.0.get(d).unwrap_or(&0);
            area += (below as f64 / n as f64 - other_below as f64 / m as f64).abs();
        }
        Some(area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::{distance, random_bits};

    #[test]
    fn nearest_neighbours_agree_with_brute_force() {
        let (a, b) = (random_bits(130, 40, 1), random_bits(70, 40, 2));
        for threads in [Threads::single(), Threads::new(2)] {
            let found = nearest(&a, &b, &Device::cpu(threads.clone())).unwrap();
            for i in 0..130 {
                assert_eq!(found.of_first[i], (0..70).map(|j| distance(&a, i, &b, j)).min().unwrap());
            }
            for j in 0..70 {
                assert_eq!(found.of_second[j], (0..130).map(|i| distance(&a, i, &b, j)).min().unwrap());
            }
            let within = nearest_within(&a, &Device::cpu(threads.clone())).unwrap();
            for (i, within) in within.iter().enumerate() {
                let others = (0..130).filter(|j| *j != i);
                assert_eq!(*within, others.map(|j| distance(&a, i, &a, j)).min().unwrap());
            }
        }
    }

    #[test]
    fn a_haplotype_is_not_its_own_neighbour_but_its_copy_is() {
        let set = random_bits(3, 50, 3).select_rows(&[0, 1, 2, 1]).unwrap();
        let within = nearest_within(&set, &Device::cpu(Threads::single())).unwrap();
        assert!(within[0] > 0 && within[2] > 0);
        assert_eq!((within[1], within[3]), (0, 0));
        let alone = set.select_rows(&[0]).unwrap();
        assert_eq!(nearest_within(&alone, &Device::cpu(Threads::single())).unwrap(), [u32::MAX]);
        let nobody = set.select_rows(&[]).unwrap();
        assert_eq!(nearest(&alone, &nobody, &Device::cpu(Threads::single())).unwrap().of_first, [u32::MAX]);
        assert_eq!(nearest(&nobody, &alone, &Device::cpu(Threads::single())).unwrap().of_second, [u32::MAX]);
    }

    /// The mean distance between sorted samples of one size is the Wasserstein distance.
    #[test]
    fn wasserstein_agrees_with_sorted_samples() {
        let (a, b) = (random_bits(90, 64, 4), random_bits(90, 64, 5));
        let threads = Threads::single();
        let sorted = |pairs: &mut dyn Iterator<Item = u32>| {
            let mut all: Vec<u32> = pairs.collect();
            all.sort();
            all
        };
        let pairs = || (0..90).flat_map(|i| (0..i).map(move |j| (i, j)));
        let within_a = sorted(&mut pairs().map(|(i, j)| distance(&a, i, &a, j)));
        let within_b = sorted(&mut pairs().map(|(i, j)| distance(&b, i, &b, j)));
        let mean = |x: &[u32], y: &[u32]| {
            x.iter().zip(y).map(|(x, y)| f64::from(x.abs_diff(*y))).sum::<f64>() / x.len() as f64
        };
        let (ha, hb) = (Histogram::within(&a, &threads).unwrap(), Histogram::within(&b, &threads).unwrap());
        assert_eq!(ha.pairs(), 90 * 89 / 2);
        assert!((ha.wasserstein(&hb).unwrap() - mean(&within_a, &within_b)).abs() < 1e-12);
        let between = Histogram::between(&a, &b, &threads).unwrap();
        assert_eq!(between.pairs(), 8100);
        // Each sample repeated until the sizes agree: 4,005 x 180 = 8,100 x 89.
        let repeat =
            |x: &[u32], times: usize| x.iter().flat_map(|x| std::iter::repeat_n(*x, times)).collect::<Vec<_>>();
        let all = sorted(&mut (0..90).flat_map(|i| (0..90).map(move |j| (i, j))).map(|(i, j)| distance(&a, i, &b, j)));
        let expected = mean(&repeat(&all, 89), &repeat(&within_a, 180));
        assert!((between.wasserstein(&ha).unwrap() - expected).abs() < 1e-12);
        assert_eq!(ha.wasserstein(&ha), Some(0.0));
        assert_eq!(Histogram::within(&a.select_rows(&[0]).unwrap(), &threads).unwrap().wasserstein(&ha), None);
    }
}
