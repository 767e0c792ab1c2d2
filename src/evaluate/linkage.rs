//! Linkage disequilibrium: squared correlation of alleles at two sites, pair by pair and against distance.

use crate::compute::hamming;
use crate::error::Result;
use crate::panel::bits::BitMatrix;
use crate::panel::sites::Sites;
use crate::threads::Threads;

/// Bins of distance.
const BINS: usize = 20;

/// Agreement of linkage disequilibrium between two sets of haplotypes.
pub(crate) struct Linkage {
    /// Pearson correlation of r2 over pairs of sites; `None` with fewer than two pairs or without variance.
    pub r: Option<f64>,
    /// Their concordance (Lin 1989): 1 only where they are equal.
    pub concordance: Option<f64>,
    /// Pairs that went in.
    pub pairs: u64,
    /// Mean absolute difference of mean r2 over the bins of distance that hold a pair; `None` if there is none.
    pub decay_mae: Option<f64>,
    /// Sites left out because one of the sets is fixed there.
    pub dropped: usize,
}

/// What one strip of sites adds up.
#[derive(Clone, Default)]
struct Sums {
    pairs: u64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    bins: [(u64, f64, f64); BINS],
}

/// Which sites are looked at, and the bins of distance: log-spaced from the smallest distance above 0 of two of these
/// sites on one contig to the largest.
pub(crate) struct Pairs {
    chosen: Vec<usize>,
    /// The number of each site's contig.
    contigs: Vec<usize>,
    positions: Vec<u64>,
    range: Option<(f64, f64)>,
}

impl Pairs {
    /// All pairs of `chosen` sites (numbers rising).
    pub fn new(sites: &Sites, chosen: Vec<usize>) -> Self {
        let mut contigs = vec![0; chosen.len()];
        for i in 1..chosen.len() {
            contigs[i] = contigs[i - 1] + usize::from(sites[chosen[i]].contig != sites[chosen[i - 1]].contig);
        }
        let positions: Vec<u64> = chosen.iter().map(|c| sites[*c].position).collect();
        let (mut smallest, mut largest, mut start) = (u64::MAX, 0, 0);
        for i in 1..chosen.len() {
            if contigs[i] != contigs[i - 1] {
                start = i;
                continue;
            }
            let step = positions[i] - positions[i - 1];
            if step > 0 {
                smallest = smallest.min(step);
            }
            largest = largest.max(positions[i] - positions[start]);
        }
        let range = (largest > 0).then_some((smallest as f64, largest as f64));
        Pairs { chosen, contigs, positions, range }
    }

    /// The bin of a distance above 0.
    fn bin(&self, distance: u64) -> Option<usize> {
        let (smallest, largest) = self.range?;
        let width = (largest / smallest).ln();
        let place = if width > 0.0 { (distance as f64 / smallest).ln() / width } else { 0.0 };
        Some(((place * BINS as f64) as usize).min(BINS - 1))
    }

    /// Compares the two sets over these pairs, without the sites where either is fixed.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn compare(&self, real: &BitMatrix, artificial: &BitMatrix, threads: &Threads) -> Result<Linkage> {
        let (x, y) = (Site::all(real, &self.chosen)?, Site::all(artificial, &self.chosen)?);
        let kept: Vec<usize> = (0..self.chosen.len()).filter(|c| x.polymorphic(*c) && y.polymorphic(*c)).collect();
        let (x, y) = (x.keep(&kept)?, y.keep(&kept)?);
        // Both panels are walked tile by tile in step: distances of the second are asked for by the tile of the first.
        let strips = hamming::fold_within_both(&x.rows, &y.rows, threads, Sums::default, |sums, tile_x, tile_y| {
            let diagonal = tile_x.rows == tile_x.others;
            for (i, row) in tile_x.rows.clone().enumerate() {
                let skip = if diagonal { i + 1 } else { 0 };
                let (dx, dy) = (&tile_x.row(i)[skip..], &tile_y.row(i)[skip..]);
                for ((dx, dy), other) in dx.iter().zip(dy).zip(tile_x.others.start + skip..) {
                    let (a, b) = (x.r2(row, other, *dx), y.r2(row, other, *dy));
                    sums.pairs += 1;
                    sums.x += a;
                    sums.y += b;
                    sums.xx += a * a;
                    sums.yy += b * b;
                    sums.xy += a * b;
                    let (s, t) = (kept[row], kept[other]);
                    let distance = self.positions[t].wrapping_sub(self.positions[s]);
                    let near = self.contigs[s] == self.contigs[t] && distance > 0;
                    if let Some(bin) = near.then(|| self.bin(distance)).flatten() {
                        let bin = &mut sums.bins[bin];
                        *bin = (bin.0 + 1, bin.1 + a, bin.2 + b);
                    }
                }
            }
        })?;
        let mut all = Sums::default();
        for strip in strips {
            all.pairs += strip.pairs;
            all.x += strip.x;
            all.y += strip.y;
            all.xx += strip.xx;
            all.yy += strip.yy;
            all.xy += strip.xy;
            for (bin, part) in all.bins.iter_mut().zip(strip.bins) {
                *bin = (bin.0 + part.0, bin.1 + part.1, bin.2 + part.2);
            }
        }
        let n = all.pairs as f64;
        let (vx, vy) = (all.xx - all.x * all.x / n, all.yy - all.y * all.y / n);
        let r = (all.pairs >= 2 && vx > 1e-12 * all.xx && vy > 1e-12 * all.yy)
            .then(|| ((all.xy - all.x * all.y / n) / (vx * vy).sqrt()).clamp(-1.0, 1.0));
        let (mx, my) = (all.x / n, all.y / n);
        let concordance = r.map(|r| 2.0 * r * (vx * vy).sqrt() / (vx + vy + n * (mx - my) * (mx - my)));
        let gaps: Vec<f64> = all.bins.iter().filter(|b| b.0 > 0).map(|(n, a, b)| ((a - b) / *n as f64).abs()).collect();
        Ok(Linkage {
            r,
            concordance,
            pairs: all.pairs,
            decay_mae: (!gaps.is_empty()).then(|| gaps.iter().sum::<f64>() / gaps.len() as f64),
            dropped: self.chosen.len() - kept.len(),
        })
    }
}

/// Haplotypes by site, with what r2 needs of each.
struct Site {
    rows: BitMatrix,
    ones: Vec<f64>,
    /// 1 / (ones x zeros).
    scale: Vec<f64>,
}

impl Site {
    fn all(bits: &BitMatrix, chosen: &[usize]) -> Result<Self> {
        Ok(Self::of(bits.select_columns(chosen)?.transpose()?))
    }

    fn of(rows: BitMatrix) -> Self {
        let n = rows.columns() as f64;
        let ones: Vec<f64> = (0..rows.rows()).map(|c| rows.count_row(c) as f64).collect();
        let scale = ones.iter().map(|k| 1.0 / (k * (n - k))).collect();
        Site { rows, ones, scale }
    }

    fn polymorphic(&self, site: usize) -> bool {
        self.scale[site].is_finite()
    }

    fn keep(&self, sites: &[usize]) -> Result<Self> {
        Ok(Self::of(self.rows.select_rows(sites)?))
    }

    /// Squared correlation of two sites whose columns differ in `distance` haplotypes.
    #[inline]
    fn r2(&self, a: usize, b: usize, distance: u32) -> f64 {
        let n = self.rows.columns() as f64;
        let shared = (self.ones[a] + self.ones[b] - f64::from(distance)) * 0.5;
        let d = n * shared - self.ones[a] * self.ones[b];
        d * d * self.scale[a] * self.scale[b]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::pearson;
    use crate::evaluate::tests::{random_bits, sites};

    fn r2(bits: &BitMatrix, a: usize, b: usize) -> f64 {
        let column = |c| (0..bits.rows()).map(|r| f64::from(u8::from(bits.get(r, c)))).collect::<Vec<_>>();
        pearson(&column(a), &column(b)).unwrap().powi(2)
    }

    #[test]
    fn correlation_and_decay_agree_with_brute_force() {
        let (mut t, s) = (random_bits(33, 90, 1), random_bits(50, 90, 2));
        (0..33).for_each(|r| t.set(r, 7, true)); // fixed: dropped
        let places: Vec<(String, u64)> = (0..90u64).map(|c| ((c / 50).to_string(), c * c + 1)).collect();
        let places: Vec<(&str, u64)> = places.iter().map(|(c, p)| (c.as_str(), *p)).collect();
        let sites = sites(&places);
        let pairs = Pairs::new(&sites, (0..90).collect());
        let found = pairs.compare(&t, &s, &Threads::single()).unwrap();
        let (mut x, mut y, mut bins) = (vec![], vec![], vec![(0.0, 0.0, 0.0); BINS]);
        let (smallest, largest) = (1.0f64, (49.0f64 * 49.0).max(89.0 * 89.0 - 50.0 * 50.0));
        for i in (0..90).filter(|c| *c != 7) {
            for j in (i + 1..90).filter(|c| *c != 7) {
                x.push(r2(&t, i, j));
                y.push(r2(&s, i, j));
                if sites[i].contig == sites[j].contig {
                    let d = (sites[j].position - sites[i].position) as f64;
                    let bin = (((d / smallest).ln() / (largest / smallest).ln() * 20.0) as usize).min(19);
                    bins[bin].0 += 1.0;
                    bins[bin].1 += x.last().unwrap();
                    bins[bin].2 += y.last().unwrap();
                }
            }
        }
        let gaps: Vec<f64> = bins.iter().filter(|b| b.0 > 0.0).map(|b| ((b.1 - b.2) / b.0).abs()).collect();
        assert_eq!((found.pairs, found.dropped), (x.len() as u64, 1));
        assert!((found.r.unwrap() - pearson(&x, &y).unwrap()).abs() < 1e-9);
        assert!((found.decay_mae.unwrap() - gaps.iter().sum::<f64>() / gaps.len() as f64).abs() < 1e-12);
        let again = pairs.compare(&t, &s, &Threads::new(3)).unwrap();
        assert_eq!((again.r, again.decay_mae), (found.r, found.decay_mae));
        let same = pairs.compare(&t, &t, &Threads::single()).unwrap();
        assert!((same.r.unwrap() - 1.0).abs() < 1e-12 && same.decay_mae == Some(0.0));
    }

    #[test]
    fn what_is_not_defined_is_none() {
        let bits = random_bits(20, 4, 3);
        let apart = Pairs::new(&sites(&[("1", 5), ("2", 5), ("3", 5), ("4", 5)]), (0..4).collect());
        assert!(apart.compare(&bits, &bits, &Threads::single()).unwrap().decay_mae.is_none());
        let fixed = BitMatrix::zeros(20, 4).unwrap();
        let none = apart.compare(&bits, &fixed, &Threads::single()).unwrap();
        assert_eq!((none.r, none.pairs, none.dropped), (None, 0, 4));
    }
}
