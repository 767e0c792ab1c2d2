//! Dense decompositions, by faer on one thread.

use crate::error::{Error, ErrorKind, Result};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::svd::{ComputeSvdVectors, svd_scratch};
use faer::{Mat, MatRef, Par};

/// The leading singular triplets of a matrix A (n x m): A is near `left` diag(`values`) `right`ᵀ.
#[derive(Clone, Debug, PartialEq)]
pub struct Svd {
    /// Left singular vectors, one after the other: `values.len()` of n numbers.
    pub left: Vec<f64>,
    /// Singular values, falling.
    pub values: Vec<f64>,
    /// Right singular vectors, one after the other: `values.len()` of m numbers.
    pub right: Vec<f64>,
}

/// The `k` leading singular triplets (all, where there are fewer) of a row-major matrix. The sign of a pair of vectors
/// is such that the largest entry (the first of them) of the right one is positive.
///
/// # Errors
/// `InvalidArgument` if the shape disagrees or an entry is not finite; `OutOfMemory`.
pub fn svd(matrix: &[f64], rows: usize, columns: usize, k: usize) -> Result<Svd> {
    if rows.checked_mul(columns) != Some(matrix.len()) {
        return Err(Error::argument(format!("{} numbers are not {rows} x {columns}", matrix.len())));
    }
    finite(matrix)?;
    let size = rows.min(columns);
    let (mut u, mut v) = (Mat::<f64>::zeros(rows, size), Mat::<f64>::zeros(columns, size));
    let mut s = Diag::<f64>::zeros(size);
    let thin = ComputeSvdVectors::Thin;
    let mut memory = scratch(svd_scratch::<f64>(rows, columns, thin, thin, Par::Seq, Default::default()))?;
    faer::linalg::svd::svd(
        MatRef::from_row_major_slice(matrix, rows, columns),
        s.as_mut(),
        Some(u.as_mut()),
        Some(v.as_mut()),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .map_err(|_| Error::new(ErrorKind::Internal, "singular values did not converge"))?;
    let k = k.min(size);
    let mut out = Svd { left: Vec::new(), values: Vec::new(), right: Vec::new() };
    for j in 0..k {
        let sign = sign_of((0..columns).map(|i| v[(i, j)]));
        out.values.push(s.column_vector()[j]);
        out.left.extend((0..rows).map(|i| sign * u[(i, j)]));
        out.right.extend((0..columns).map(|i| sign * v[(i, j)]));
    }
    Ok(out)
}

/// Eigenvalues (falling) and eigenvectors (one after the other, signed as in [`svd`]) of a symmetric matrix, the `k`
/// leading ones. Its lower triangle is read.
pub(super) fn symmetric(matrix: &[f64], n: usize, k: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    finite(matrix)?;
    let mut u = Mat::<f64>::zeros(n, n);
    let mut s = Diag::<f64>::zeros(n);
    let mut memory =
        scratch(self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default()))?;
    self_adjoint_evd(
        MatRef::from_row_major_slice(matrix, n, n),
        s.as_mut(),
        Some(u.as_mut()),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .map_err(|_| Error::new(ErrorKind::Internal, "eigenvalues did not converge"))?;
    let (mut values, mut vectors) = (Vec::new(), Vec::new());
    for j in (0..n).rev().take(k) {
        let sign = sign_of((0..n).map(|i| u[(i, j)]));
        values.push(s.column_vector()[j]);
        vectors.extend((0..n).map(|i| sign * u[(i, j)]));
    }
    Ok((values, vectors))
}

fn finite(matrix: &[f64]) -> Result<()> {
    match matrix.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(Error::argument("a matrix to decompose has an entry that is not finite")),
    }
}

fn scratch(need: faer::dyn_stack::StackReq) -> Result<MemBuffer> {
    MemBuffer::try_new(need).map_err(|_| Error::new(ErrorKind::OutOfMemory, "no memory to decompose a matrix"))
}

/// 1 or -1: what makes the largest entry (the first of them) positive.
pub(super) fn sign_of(vector: impl Iterator<Item = f64>) -> f64 {
    let largest = vector.fold(0.0f64, |best, x| if x.abs() > best.abs() { x } else { best });
    if largest < 0.0 { -1.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn triplets_multiply_back_to_the_matrix() {
        for (n, m) in [(7, 4), (4, 7), (5, 5), (1, 3)] {
            let mut words = Stream::new(1, Purpose::Evaluate, 0).reader(0);
            let a: Vec<f64> = (0..n * m).map(|_| words.normal()).collect();
            let s = svd(&a, n, m, 100).unwrap();
            assert_eq!(s.values.len(), n.min(m));
            assert!(s.values.is_sorted_by(|x, y| x >= y));
            for i in 0..n {
                for j in 0..m {
                    let back: f64 =
                        (0..s.values.len()).map(|k| s.left[k * n + i] * s.values[k] * s.right[k * m + j]).sum();
                    assert!((back - a[i * m + j]).abs() < 1e-12);
                }
            }
        }
        assert!(svd(&[1.0, f64::NAN], 1, 2, 1).is_err());
        assert!(svd(&[1.0], 1, 2, 1).is_err());
    }

    #[test]
    fn eigenvectors_of_a_symmetric_matrix() {
        let (values, vectors) = symmetric(&[2.0, 1.0, 1.0, 2.0], 2, 2).unwrap();
        assert!((values[0] - 3.0).abs() < 1e-14 && (values[1] - 1.0).abs() < 1e-14);
        assert!((vectors[0] - 0.5f64.sqrt()).abs() < 1e-14 && (vectors[1] - 0.5f64.sqrt()).abs() < 1e-14);
    }
}
