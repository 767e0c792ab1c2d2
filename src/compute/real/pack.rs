//! Factors laid out for tiles: rounded, in blocks of 32 terms, with zeros where there is nothing.
//!
//! For vectors, rows of the left factor stand one after another, and a term of the right factor is 32 columns, in single
//! precision. For tiles of bfloat16, a left tile is 16 rows of 32 terms, a right one 16 pairs of terms of 16 columns, a
//! pair's two terms beside each other; a block of 32 rows or columns is two tiles, block after block of terms.

use super::{BLOCK, Left, Real, Right, wide};
use crate::compute::Path;
use crate::compute::line::{self, numbers_mut};

/// What packed factors are made of.
pub type Line = line::Line<f32, 16>;

/// Lays `rows` rows (at most 32) of a left factor out, from `first_row` on, and of each `terms` terms from `first_term` on.
pub fn pack_left(
    path: Path,
    left: &Left<f32>,
    first_row: usize,
    rows: usize,
    first_term: usize,
    terms: usize,
    out: &mut [Line],
) {
    if terms == 0 {
        return;
    }
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if path == Path::Amx {
        return super::amx::pack_left(left, first_row, rows, first_term, terms, out);
    }
    let _ = path;
    let begins = left.first + first_row * left.row + first_term * left.step;
    wide(|| rows_of_terms(left, begins, rows, terms, numbers_mut(out)));
}

/// Rows of a left factor from element `begins` on, for vectors. Rows that are not there are never read: a tile has as many as
/// there are.
#[inline(always)]
fn rows_of_terms(left: &Left<f32>, begins: usize, rows: usize, terms: usize, out: &mut [f32]) {
    for (m, out) in out.chunks_exact_mut(terms.next_multiple_of(BLOCK)).take(rows).enumerate() {
        let source = &left.values[begins + m * left.row..];
        if left.step == 1 {
            out.iter_mut().zip(&source[..terms]).for_each(|(o, x)| *o = x.factor());
        } else {
            out.iter_mut().take(terms).enumerate().for_each(|(k, o)| *o = source[k * left.step].factor());
        }
        out[terms..].fill(0.0);
    }
}

/// Lays `width` columns (at most 32) of a right factor out, from `first_column` on.
pub fn pack_right(
    path: Path,
    right: &Right<f32>,
    first_column: usize,
    width: usize,
    first_term: usize,
    terms: usize,
    out: &mut [Line],
) {
    if terms == 0 {
        return;
    }
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if path == Path::Amx {
        return super::amx::pack_right(right, first_column, width, first_term, terms, out);
    }
    let _ = path;
    wide(|| terms_of_columns(right, first_column, width, first_term, terms, numbers_mut(out)));
}

/// Columns of a right factor, for vectors.
#[inline(always)]
fn terms_of_columns(
    right: &Right<f32>,
    first_column: usize,
    width: usize,
    first_term: usize,
    terms: usize,
    out: &mut [f32],
) {
    match right {
        Right::Rows { values, rows } => {
            for (out, row) in out.chunks_exact_mut(32).zip(&rows[first_term..first_term + terms]) {
                let source = &values[row + first_column..][..width];
                out.iter_mut().zip(source).for_each(|(o, x)| *o = x.factor());
                out[width..].fill(0.0);
            }
        }
        Right::Columns { values, columns } => {
            out[..terms * 32].fill(0.0);
            for (n, column) in columns[first_column..first_column + width].iter().enumerate() {
                let source = &values[column + first_term..][..terms];
                source.iter().enumerate().for_each(|(k, x)| out[k * 32 + n] = x.factor());
            }
        }
    }
    out[terms * 32..terms.next_multiple_of(BLOCK) * 32].fill(0.0);
}
