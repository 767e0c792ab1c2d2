//! Products of real numbers, for the layers of neural networks.
//!
//! Each number of a product is a sum of fused multiply-adds in the order of its terms. So it has the same bits for any
//! tile, any vector width, any number of threads and any number of columns made at a time: what a network makes of a row
//! does not depend on the rows beside it.
#![allow(unsafe_code)]

mod tile;

use super::cpu::Path;
use crate::error::Result;
use crate::threads::Threads;
use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// A number that networks are made of: `f32`, and `f64` where gradients are checked.
pub trait Real:
    Copy
    + Send
    + Sync
    + Default
    + Debug
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
    + 'static
{
    /// The nearest number of this type.
    fn of(value: f64) -> Self;
    /// The same number in double precision.
    fn wide(self) -> f64;
    /// `self x factor + term`, rounded once.
    fn fused(self, factor: Self, term: Self) -> Self;
    /// The square root.
    fn root(self) -> Self;
    /// The logistic function.
    fn logistic(self) -> Self;
    /// The tile of a product: see [`product`].
    ///
    /// # Safety
    /// Every element that `tile` names is inside its allocation, and nobody else reads or writes its output.
    unsafe fn tile(path: Path, tile: &tile::Tile<Self>);
    /// Columns of a tile, and rows.
    fn tile_shape(path: Path) -> (usize, usize);

    /// The hyperbolic tangent.
    fn tanh(self) -> Self {
        let twice = self + self;
        twice.logistic() + twice.logistic() - Self::of(1.0)
    }
}

impl Real for f32 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn fused(self, factor: Self, term: Self) -> Self {
        self.mul_add(factor, term)
    }
    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn logistic(self) -> Self {
        super::activation::logistic(self)
    }
    unsafe fn tile(path: Path, tile: &tile::Tile<Self>) {
        // SAFETY: as the caller promises.
        unsafe { tile::f32(path, tile) }
    }
    fn tile_shape(path: Path) -> (usize, usize) {
        tile::shape(path)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
    fn fused(self, factor: Self, term: Self) -> Self {
        self.mul_add(factor, term)
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    fn logistic(self) -> Self {
        1.0 / (1.0 + (-self).exp())
    }
    unsafe fn tile(_: Path, tile: &tile::Tile<Self>) {
        // SAFETY: as the caller promises.
        unsafe { tile::plain(tile) }
    }
    fn tile_shape(_: Path) -> (usize, usize) {
        tile::shape(Path::Portable)
    }
}

/// Runs `work` compiled for the widest vectors that the processor has: plain loops inside become vector code, with the
/// same bits (nothing is fused that is not written so).
#[inline]
pub fn wide<R>(work: impl FnOnce() -> R) -> R {
    match Path::best() {
        // SAFETY: the processor has what the path needs.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { wide_avx512(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { wide_avx2(work) },
        _ => work(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn wide_avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// The left factor: element (m, k) is `values[first + m x row + k x step]`.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a, T> {
    /// The numbers.
    pub values: &'a [T],
    /// Where element (0, 0) is.
    pub first: usize,
    /// From a row to the next.
    pub row: usize,
    /// From a term to the next.
    pub step: usize,
}

/// The right factor: element (k, n) is `values[rows[k] + n]`.
#[derive(Clone, Copy, Debug)]
pub struct Right<'a, T> {
    /// The numbers.
    pub values: &'a [T],
    /// Where each row begins.
    pub rows: &'a [usize],
}

/// Terms of a sum that are worked on at a time: what a tile needs of both factors stays in the first-level cache.
const TERMS: usize = 256;
/// Columns that a task takes.
const TASK_COLUMNS: usize = 256;

/// Memory that tasks write disjoint parts of.
struct Shared<T>(*mut T);
// SAFETY: tasks write disjoint tiles, and the slice outlives them (`product` waits for all).
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shared<T> {}

/// `out[m x out_row + n] = sum over k of left(m, k) right(k, n)` for `m < rows`, `n < columns`; added to what is there if
/// `add`.
///
/// # Errors
/// The threads could not be started.
///
/// # Panics
/// If a factor or the output is too short for the shape.
#[allow(clippy::too_many_arguments)]
pub fn product<T: Real>(
    threads: &Threads,
    rows: usize,
    columns: usize,
    left: Left<T>,
    right: Right<T>,
    out: &mut [T],
    out_row: usize,
    add: bool,
) -> Result<()> {
    let terms = right.rows.len();
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    assert!(out_row >= columns && out.len() >= (rows - 1) * out_row + columns, "the product does not fit");
    if terms == 0 {
        if !add {
            (0..rows).for_each(|m| out[m * out_row..][..columns].fill(T::default()));
        }
        return Ok(());
    }
    let last_left = left.first + (rows - 1) * left.row + (terms - 1) * left.step;
    assert!(last_left < left.values.len(), "the left factor is too short");
    let last_right = right.rows.iter().max().copied().unwrap_or(0) + columns;
    assert!(last_right <= right.values.len(), "the right factor is too short");
    let path = Path::best();
    let (tile_columns, tile_rows) = T::tile_shape(path);
    let column_tasks = columns.div_ceil(TASK_COLUMNS);
    // A few tasks a thread; one where there is nobody to share with.
    let wanted = if threads.count() == 1 { 1 } else { (4 * threads.count()).div_ceil(column_tasks) };
    let task_rows = rows.div_ceil(wanted).next_multiple_of(tile_rows);
    let row_tasks = rows.div_ceil(task_rows);
    let shared = Shared(out.as_mut_ptr());
    let shared = &shared;
    threads.for_each(column_tasks * row_tasks, |task| {
        let (column_task, row_task) = (task / row_tasks, task % row_tasks);
        let task_columns = column_task * TASK_COLUMNS..columns.min((column_task + 1) * TASK_COLUMNS);
        let task_rows = row_task * task_rows..rows.min((row_task + 1) * task_rows);
        for first_term in (0..terms).step_by(TERMS) {
            let depth = (terms - first_term).min(TERMS);
            for n in task_columns.clone().step_by(tile_columns) {
                for m in task_rows.clone().step_by(tile_rows) {
                    let tile = tile::Tile {
                        height: (task_rows.end - m).min(tile_rows),
                        width: (task_columns.end - n).min(tile_columns),
                        depth,
                        left: left.values[left.first + m * left.row + first_term * left.step..].as_ptr(),
                        left_row: left.row,
                        left_step: left.step,
                        right: right.values[n..].as_ptr(),
                        right_rows: right.rows[first_term..].as_ptr(),
                        // SAFETY: inside `out` by the assertion above; tiles of different tasks are disjoint.
                        out: unsafe { shared.0.add(m * out_row + n) },
                        out_row,
                        add: add || first_term > 0,
                    };
                    // SAFETY: all elements are inside by the assertions above, and this tile is written by this task alone.
                    unsafe { T::tile(path, &tile) };
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every path of tiles, tails and strides against the sum as it is defined: the same bits, not nearly the same.
    #[test]
    fn products_are_fused_sums_in_order() {
        let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        for (rows, terms, columns) in [(1, 1, 1), (3, 7, 5), (12, 300, 32), (13, 257, 33), (25, 600, 530), (64, 2, 31)]
        {
            for turned in [false, true] {
                let left: Vec<f32> = (0..rows * terms).map(number).collect();
                let stride = columns + 3;
                let right: Vec<f32> = (0..terms * stride).map(|i| number(i + 77)).collect();
                let offsets: Vec<usize> = (0..terms).map(|k| ((k * 5) % terms) * stride + k % 3).collect();
                let (row, step) = if turned { (1, rows) } else { (terms, 1) };
                let before: Vec<f32> = (0..rows * (columns + 1)).map(|i| number(i + 5)).collect();
                for (add, threads) in [(false, 1), (true, 3)] {
                    let mut out = before.clone();
                    let left = Left { values: &left, first: 0, row, step };
                    let right = Right { values: &right, rows: &offsets };
                    product(&Threads::new(threads), rows, columns, left, right, &mut out, columns + 1, add).unwrap();
                    for m in 0..rows {
                        for n in 0..=columns {
                            let at = m * (columns + 1) + n;
                            let mut sum = if add { before[at] } else { 0.0 };
                            if n == columns {
                                sum = before[at];
                            } else {
                                for (k, offset) in offsets.iter().enumerate() {
                                    let l = left.values[m * row + k * step];
                                    sum = l.mul_add(right.values[offset + n], sum);
                                }
                            }
                            assert_eq!(out[at].to_bits(), sum.to_bits(), "{rows} x {terms} x {columns} at {m}, {n}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn short_factors_are_refused() {
        let values = [0.0f32; 8];
        let left = Left { values: &values, first: 0, row: 3, step: 1 };
        let _ = product(
            &Threads::single(),
            3,
            2,
            left,
            Right { values: &values, rows: &[0, 2, 4] },
            &mut [0.0; 6],
            2,
            false,
        );
    }
}
