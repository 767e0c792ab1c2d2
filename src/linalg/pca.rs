//! Principal components of packed haplotypes.
//!
//! Small panels: the covariance of sites, or the Gram matrix of haplotypes, whichever is smaller, from whole numbers
//! (counts of shared ones follow from Hamming distances), decomposed in full. Larger ones: subspace iteration from a
//! random start (Halko, Martinsson and Tropp 2011), with products straight from bits.

use super::svd::{sign_of, symmetric};
use crate::compute::hamming;
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::BitMatrix;
use crate::rng::{Purpose, Stream};
use crate::threads::Threads;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// The side of a matrix that is decomposed in full: about a second.
const FULL: usize = 1500;
/// Directions carried beside those asked for, so that these converge.
const SPARE: usize = 20;
/// Rounds of subspace iteration at most; each is two products with the data.
const ROUNDS: usize = 60;
/// Iteration ends when no variance asked for moves by more than this share of itself.
const SETTLED: f64 = 1e-7;
/// Rows that are expanded to numbers at a time.
const BLOCK: usize = 64;

/// Principal components of n haplotypes at m sites; sites are centred, not scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// Number of components.
    pub k: usize,
    /// Haplotype after haplotype, `k` coordinates each.
    pub scores: Vec<f64>,
    /// Component after component, m loadings each, of unit length.
    pub axes: Vec<f64>,
    /// Variance along each component (divisor n), falling.
    pub variances: Vec<f64>,
    /// Mean of each site.
    pub mean: Vec<f64>,
}

/// The `k` leading principal components (fewer, where there are fewer haplotypes or sites). The sign of a component is
/// such that its largest loading is positive.
///
/// # Errors
/// `Empty` without haplotypes or sites; `OutOfMemory`.
pub fn pca(bits: &BitMatrix, k: usize, seed: u64, threads: &Threads) -> Result<Pca> {
    pca_with(bits, k, seed, threads, FULL)
}

fn pca_with(bits: &BitMatrix, k: usize, seed: u64, threads: &Threads, full: usize) -> Result<Pca> {
    let (n, m) = (bits.rows(), bits.columns());
    if n == 0 || m == 0 {
        return Err(Error::new(ErrorKind::Empty, "no haplotypes or no sites to find principal components of"));
    }
    let k = k.min(n).min(m);
    let mean: Vec<f64> = bits.count_columns().iter().map(|c| f64::from(*c) / n as f64).collect();
    let data = Data { bits, mean: &mean };
    let mut axes = match () {
        _ if m <= n && m <= full => symmetric(&data.covariance(threads)?, m, k)?.1,
        _ if n <= full => {
            let directions = symmetric(&data.gram(threads)?, n, k)?.1;
            let mut axes = data.times_transposed(&directions, k, threads)?;
            orthonormalise(&mut axes, m);
            axes
        }
        _ => data.subspace(k, seed, threads)?,
    };
    for axis in axes.chunks_mut(m) {
        let sign = sign_of(axis.iter().copied());
        axis.iter_mut().for_each(|x| *x *= sign);
    }
    let columns = data.times(&axes, k, threads)?;
    let mut scores = vec![0.0; n * k];
    for (j, column) in columns.chunks(n).enumerate() {
        column.iter().enumerate().for_each(|(i, x)| scores[i * k + j] = *x);
    }
    let variances = columns.chunks(n).map(|c| c.iter().map(|x| x * x).sum::<f64>() / n as f64).collect();
    Ok(Pca { k, scores, axes, variances, mean })
}

/// Bits with their column means taken away. Matrices of vectors are stored vector after vector.
struct Data<'a> {
    bits: &'a BitMatrix,
    mean: &'a [f64],
}

impl Data<'_> {
    /// Covariance of sites (m x m, divisor n).
    fn covariance(&self, threads: &Threads) -> Result<Vec<f64>> {
        let n = self.bits.rows() as f64;
        let products = inner_products(&self.bits.transpose()?, threads)?;
        let m = self.mean.len();
        Ok((0..m * m).map(|at| products[at] / n - self.mean[at / m] * self.mean[at % m]).collect())
    }

    /// Inner products of centred haplotypes (n x n).
    fn gram(&self, threads: &Threads) -> Result<Vec<f64>> {
        let n = self.bits.rows();
        let products = inner_products(self.bits, threads)?;
        let means: Vec<f64> = products.chunks(n).map(|row| row.iter().sum::<f64>() / n as f64).collect();
        let all = means.iter().sum::<f64>() / n as f64;
        Ok((0..n * n).map(|at| products[at] - means[at / n] - means[at % n] + all).collect())
    }

    /// Data times `k` vectors of m numbers: `k` vectors of n.
    fn times(&self, vectors: &[f64], k: usize, threads: &Threads) -> Result<Vec<f64>> {
        let (n, m) = (self.bits.rows(), self.bits.columns());
        let shifts = self.shifts(vectors);
        let blocks = threads.map(n.div_ceil(BLOCK), |b| {
            let rows = expand(self.bits, b);
            let height = rows.len() / m;
            let mut out = vec![0.0; height * k];
            product(&mut out, &rows, vectors, height, m, k);
            subtract_shifts(&mut out, height, &shifts);
            out
        })?;
        let mut out = vec![0.0; n * k];
        for (b, block) in blocks.iter().enumerate() {
            let height = block.len() / k.max(1);
            for (j, column) in block.chunks(height.max(1)).enumerate() {
                out[j * n + b * BLOCK..][..height].copy_from_slice(column);
            }
        }
        Ok(out)
    }

    /// Data transposed times `k` vectors of n numbers: `k` vectors of m.
    fn times_transposed(&self, vectors: &[f64], k: usize, threads: &Threads) -> Result<Vec<f64>> {
        let n = self.bits.rows();
        self.accumulate(k, threads, |b, height, _| {
            (0..k).flat_map(|j| vectors[j * n + b * BLOCK..][..height].iter().copied()).collect()
        })
    }

    /// Transposed data times data times `k` vectors of m numbers, in one walk over the bits.
    fn times_both(&self, vectors: &[f64], k: usize, threads: &Threads) -> Result<Vec<f64>> {
        let m = self.bits.columns();
        let shifts = self.shifts(vectors);
        self.accumulate(k, threads, |_, height, rows| {
            let mut y = vec![0.0; height * k];
            product(&mut y, rows, vectors, height, m, k);
            subtract_shifts(&mut y, height, &shifts);
            y
        })
    }

    /// Sum over blocks of rows of (block transposed) times what `right` says for (block, height, its numbers).
    fn accumulate(
        &self,
        k: usize,
        threads: &Threads,
        right: impl Fn(usize, usize, &[f64]) -> Vec<f64> + Sync,
    ) -> Result<Vec<f64>> {
        let (n, m) = (self.bits.rows(), self.bits.columns());
        let blocks = n.div_ceil(BLOCK);
        // Strips depend on the data's shape alone, so that sums are the same on any number of threads.
        let strip = blocks.div_ceil(16).max(1);
        let parts = threads.map(blocks.div_ceil(strip), |s| {
            let mut sum = vec![0.0; m * k];
            let mut totals = vec![0.0; k];
            for b in s * strip..((s + 1) * strip).min(blocks) {
                let rows = expand(self.bits, b);
                let height = rows.len() / m;
                let y = right(b, height, &rows);
                matmul(
                    MatMut::from_column_major_slice_mut(&mut sum, m, k),
                    Accum::Add,
                    MatRef::from_row_major_slice(&rows, height, m).transpose(),
                    MatRef::from_column_major_slice(&y, height, k),
                    1.0,
                    Par::Seq,
                );
                for (total, y) in totals.iter_mut().zip(y.chunks(height)) {
                    *total += y.iter().sum::<f64>();
                }
            }
            (sum, totals)
        })?;
        let mut out = vec![0.0; m * k];
        let mut totals = vec![0.0; k];
        for (sum, part) in &parts {
            out.iter_mut().zip(sum).for_each(|(o, s)| *o += s);
            totals.iter_mut().zip(part).for_each(|(o, s)| *o += s);
        }
        for (column, total) in out.chunks_mut(m).zip(&totals) {
            column.iter_mut().zip(self.mean).for_each(|(x, mean)| *x -= mean * total);
        }
        Ok(out)
    }

    /// What the means contribute to the product with each vector.
    fn shifts(&self, vectors: &[f64]) -> Vec<f64> {
        vectors.chunks(self.mean.len()).map(|v| v.iter().zip(self.mean).map(|(x, p)| x * p).sum()).collect()
    }

    /// The `k` leading axes by subspace iteration with Rayleigh and Ritz.
    fn subspace(&self, k: usize, seed: u64, threads: &Threads) -> Result<Vec<f64>> {
        let (n, m) = (self.bits.rows(), self.bits.columns());
        let width = (k + SPARE).min(n).min(m);
        let mut normals = Stream::new(seed, Purpose::Evaluate, STREAM).reader(0);
        let mut basis: Vec<f64> = (0..width * m).map(|_| normals.normal()).collect();
        orthonormalise(&mut basis, m);
        let mut before = vec![0.0; k];
        for round in 0..ROUNDS {
            let image = self.times_both(&basis, width, threads)?;
            let mut small = vec![0.0; width * width];
            for i in 0..width {
                for j in 0..=i {
                    small[i * width + j] = dot(&basis[i * m..(i + 1) * m], &image[j * m..(j + 1) * m]);
                    small[j * width + i] = small[i * width + j];
                }
            }
            let (values, rotation) = symmetric(&small, width, width)?;
            let mut rotated = vec![0.0; width * m];
            product_columns(&mut rotated, &image, &rotation, m, width);
            let settled = values.iter().zip(&before).all(|(now, before)| (now - before).abs() <= SETTLED * now.abs());
            before.copy_from_slice(&values[..k]);
            if settled || round + 1 == ROUNDS {
                // The axes of the subspace itself, not of its image: the ones that the variances belong to.
                product_columns(&mut rotated, &basis, &rotation, m, width);
                basis = rotated;
                break;
            }
            basis = rotated;
            orthonormalise(&mut basis, m);
        }
        basis.truncate(k * m);
        Ok(basis)
    }
}

/// The stream of the random start, apart from those of the metrics' draws.
const STREAM: u64 = 1 << 32;

/// Shared ones of all pairs of rows.
fn inner_products(bits: &BitMatrix, threads: &Threads) -> Result<Vec<f64>> {
    let n = bits.rows();
    let ones: Vec<u32> = (0..n).map(|r| bits.count_row(r) as u32).collect();
    let strips = hamming::fold_within(bits, threads, Vec::new, |all: &mut Vec<(usize, usize, Vec<u32>)>, tile| {
        for (i, row) in tile.rows.clone().enumerate() {
            let shared = |(d, j): (&u32, usize)| (ones[row] + ones[j] - d) / 2;
            all.push((row, tile.others.start, tile.row(i).iter().zip(tile.others.clone()).map(shared).collect()));
        }
    })?;
    let mut out = vec![0.0; n * n];
    for (i, start, shared) in strips.into_iter().flatten() {
        for (j, shared) in shared.into_iter().enumerate() {
            out[i * n + start + j] = f64::from(shared);
            out[(start + j) * n + i] = f64::from(shared);
        }
    }
    Ok(out)
}

/// Block `b` of rows as numbers, row by row.
fn expand(bits: &BitMatrix, b: usize) -> Vec<f64> {
    let m = bits.columns();
    let rows = b * BLOCK..((b + 1) * BLOCK).min(bits.rows());
    let mut out = vec![0.0; rows.len() * m];
    for (row, out) in rows.zip(out.chunks_mut(m)) {
        for (word, out) in bits.row(row).iter().zip(out.chunks_mut(64)) {
            out.iter_mut().enumerate().for_each(|(i, x)| *x = (word >> i & 1) as f64);
        }
    }
    out
}

/// `out` (height x k, column-major) = `rows` (height x m, row-major) times `vectors` (m x k, column-major).
fn product(out: &mut [f64], rows: &[f64], vectors: &[f64], height: usize, m: usize, k: usize) {
    matmul(
        MatMut::from_column_major_slice_mut(out, height, k),
        Accum::Replace,
        MatRef::from_row_major_slice(rows, height, m),
        MatRef::from_column_major_slice(vectors, m, k),
        1.0,
        Par::Seq,
    );
}

/// `out` = `vectors` (m x k) times `rotation` (k x k), all column-major.
fn product_columns(out: &mut [f64], vectors: &[f64], rotation: &[f64], m: usize, k: usize) {
    matmul(
        MatMut::from_column_major_slice_mut(out, m, k),
        Accum::Replace,
        MatRef::from_column_major_slice(vectors, m, k),
        MatRef::from_column_major_slice(rotation, k, k),
        1.0,
        Par::Seq,
    );
}

fn subtract_shifts(columns: &mut [f64], height: usize, shifts: &[f64]) {
    for (column, shift) in columns.chunks_mut(height).zip(shifts) {
        column.iter_mut().for_each(|x| *x -= shift);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Gram and Schmidt, twice, on vectors of `m` numbers. What depends on earlier vectors becomes 0.
fn orthonormalise(vectors: &mut [f64], m: usize) {
    for j in 0..vectors.len() / m {
        let (before, rest) = vectors.split_at_mut(j * m);
        let vector = &mut rest[..m];
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let length = norm(vector);
        for _ in 0..2 {
            for other in before.chunks(m) {
                let along = dot(vector, other);
                vector.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
            }
        }
        let left = norm(vector);
        let scale = if left > 1e-12 * length { 1.0 / left } else { 0.0 };
        vector.iter_mut().for_each(|x| *x *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three populations that differ in frequency, so that the leading components stand apart.
    fn structured(n: usize, m: usize) -> BitMatrix {
        let shift = Stream::new(3, Purpose::Evaluate, 9);
        let mut words = Stream::new(3, Purpose::Evaluate, 1).reader(0);
        BitMatrix::from_fn(n, m, |r, c| {
            let p = 0.2 + 0.6 * f64::from(shift.uniform((c * 3 + r % 3) as u64));
            words.uniform() < p
        })
        .unwrap()
    }

    /// Variances by brute force: the covariance multiplied onto an axis gives the axis times its variance.
    fn check(bits: &BitMatrix, pca: &Pca, within: f64) {
        let (n, m) = (bits.rows(), bits.columns());
        let centred = |r: usize, c: usize| f64::from(u8::from(bits.get(r, c))) - pca.mean[c];
        for j in 0..pca.k {
            let axis = &pca.axes[j * m..(j + 1) * m];
            let scores: Vec<f64> = (0..n).map(|r| (0..m).map(|c| centred(r, c) * axis[c]).sum()).collect();
            for (r, score) in scores.iter().enumerate() {
                assert!((score - pca.scores[r * pca.k + j]).abs() < 1e-9);
            }
            for (c, loading) in axis.iter().enumerate() {
                let image = (0..n).map(|r| centred(r, c) * scores[r]).sum::<f64>() / n as f64;
                assert!((image - pca.variances[j] * loading).abs() < within, "component {j}");
            }
        }
    }

    #[test]
    fn every_way_gives_eigenvectors_of_the_covariance() {
        for (n, m) in [(150, 70), (70, 150)] {
            let bits = structured(n, m);
            check(&bits, &pca(&bits, 4, 1, &Threads::single()).unwrap(), 1e-9);
        }
        let bits = structured(150, 130);
        let full = pca(&bits, 2, 1, &Threads::single()).unwrap();
        let iterated = pca_with(&bits, 2, 1, &Threads::single(), 0).unwrap();
        check(&bits, &iterated, 1e-3);
        for (a, b) in full.scores.iter().zip(&iterated.scores) {
            assert!((a - b).abs() < 1e-3, "{a} {b}");
        }
        assert_eq!(iterated, pca_with(&bits, 2, 1, &Threads::new(3), 0).unwrap());
    }

    #[test]
    fn fixed_sites_and_copies_are_no_trouble() {
        let bits = BitMatrix::from_fn(6, 5, |_, c| c == 1).unwrap();
        let p = pca(&bits, 10, 1, &Threads::single()).unwrap();
        assert_eq!(p.k, 5);
        assert!(p.scores.iter().all(|x| x.abs() < 1e-12));
        assert!(pca_with(&bits, 10, 1, &Threads::single(), 0).unwrap().scores.iter().all(|x| x.abs() < 1e-12));
        assert!(pca(&BitMatrix::zeros(0, 4).unwrap(), 1, 1, &Threads::single()).is_err());
    }
}
