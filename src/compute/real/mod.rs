//! Products of real numbers, for the layers of neural networks.
//!
//! Factors in single precision are rounded to bfloat16 (8 bits), and their products are summed in single precision: what
//! mixed precision means in training (Micikevicius et al. 2018; weights themselves stay in single precision). A product
//! of two such factors is exact, and the order of sums is fixed ([`product`] says it), so a number has the same bits for
//! any tile, any vector width, any processor, any number of threads and any number of columns made at a time: what a
//! network makes of a row does not depend on the rows beside it.
#![allow(unsafe_code)]

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
mod engine;
mod pack;
mod tile;

use super::Path;
use crate::error::Result;
use crate::threads::Threads;
use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

pub use engine::Scratch;

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
    /// The logistic function.
    fn logistic(self) -> Self;
    /// The number as a factor of a product: `f32` rounded to bfloat16, numbers below 2^-56 to 0 (so that no sum of
    /// products is too small to be a normal number, which processors treat each in their own way); `f64` as it is.
    fn factor(self) -> Self;
    /// See [`product`], whose arguments these are.
    ///
    /// # Errors
    /// As [`product`].
    ///
    /// # Safety
    /// Factors and output are long enough for the shape, as [`product`] asserts.
    unsafe fn multiply(
        threads: &Threads,
        scratch: &mut Scratch,
        product: &Product<Self>,
        out: &mut [Self],
    ) -> Result<()>;

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
    fn logistic(self) -> Self {
        super::activation::logistic(self)
    }
    #[inline(always)]
    fn factor(self) -> Self {
        let bits = self.to_bits();
        let size = bits & 0x7fff_ffff;
        // To the nearest, ties to even.
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
        let kept = if size < SMALLEST.to_bits() { 0 } else { rounded };
        f32::from_bits(if size > f32::INFINITY.to_bits() { f32::NAN.to_bits() } else { kept })
    }
    unsafe fn multiply(
        threads: &Threads,
        scratch: &mut Scratch,
        product: &Product<Self>,
        out: &mut [Self],
    ) -> Result<()> {
        // SAFETY: the caller's.
        unsafe { engine::multiply(Path::best(), threads, scratch, product, out) }
    }
}

/// Factors below this are 0: products of the others are whole multiples of 2^-126, and so are sums of these.
const SMALLEST: f32 = f32::from_bits((127 - 56) << 23);

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
    fn logistic(self) -> Self {
        1.0 / (1.0 + (-self).exp())
    }
    fn factor(self) -> Self {
        self
    }
    unsafe fn multiply(_: &Threads, _: &mut Scratch, product: &Product<Self>, out: &mut [Self]) -> Result<()> {
        plain(product, out);
        Ok(())
    }
}

/// Runs `work` compiled for the widest vectors that the processor has: plain loops inside become vector code, with the
/// same bits (nothing is fused that is not written so). For a few lines: a longer closure, which the compiler leaves on its own,
/// is compiled for the plainest processor. [`Work`] is for these.
#[inline]
pub fn wide<R>(work: impl FnOnce() -> R) -> R {
    match Path::best_vector() {
        // SAFETY: the processor has what the path needs.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { wide_avx512(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { wide_avx2(work) },
        _ => work(),
    }
}

/// Loops of more than a few lines, to be compiled for every width of vectors.
pub trait Work {
    /// What comes of it.
    type Found;
    /// Runs. Implementations are always inlined.
    fn run(self) -> Self::Found;

    /// Runs compiled for the widest vectors that the processor has: see [`wide`].
    #[inline]
    fn run_wide(self) -> Self::Found
    where
        Self: Sized,
    {
        match Path::best_vector() {
            // SAFETY: the processor has what the path needs.
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => unsafe { run_avx512(self) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => unsafe { run_avx2(self) },
            _ => self.run(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<W: Work>(work: W) -> W::Found {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<W: Work>(work: W) -> W::Found {
    work.run()
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

/// The right factor.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a, T> {
    /// Element (k, n) is `values[rows[k] + n]`.
    Rows {
        /// The numbers.
        values: &'a [T],
        /// Where each row begins.
        rows: &'a [usize],
    },
    /// Element (k, n) is `values[columns[n] + k]`.
    Columns {
        /// The numbers.
        values: &'a [T],
        /// Where each column begins.
        columns: &'a [usize],
    },
}

impl<T: Copy> Right<'_, T> {
    #[inline(always)]
    fn at(&self, k: usize, n: usize) -> T {
        match self {
            Right::Rows { values, rows } => values[rows[k] + n],
            Right::Columns { values, columns } => values[columns[n] + k],
        }
    }
}

/// What becomes of sums.
#[derive(Clone, Copy, Debug)]
pub enum Sums<'a, T> {
    /// They are written.
    Written,
    /// They are written, with a number a row added.
    Shifted(&'a [T]),
    /// They are added to what is there.
    Added,
}

/// A product: rows x terms by terms x columns.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a, T> {
    /// Rows of the left factor and of the output.
    pub rows: usize,
    /// Columns of the right factor and of the output.
    pub columns: usize,
    /// Terms of each sum.
    pub terms: usize,
    /// The left factor.
    pub left: Left<'a, T>,
    /// The right factor.
    pub right: Right<'a, T>,
    /// What becomes of the sums.
    pub sums: Sums<'a, T>,
    /// What sums below 0 are multiplied by (LeakyReLU) where they are written; 1 leaves them.
    pub slope: T,
    /// From a row of the output to the next.
    pub out_row: usize,
}

/// Terms of a block of a sum.
pub(super) const BLOCK: usize = 32;
/// Terms of a piece of a sum: what a tile needs of both factors stays in the second-level cache.
pub(super) const PIECE: usize = 2048;

/// `out[m x out_row + n] = sum over k of left(m, k) right(k, n)` for `m < rows`, `n < columns`.
///
/// Factors are rounded ([`Real::factor`]). Terms are taken in pieces of 2,048 and these in blocks of 32. In a block terms
/// of even and of odd number are summed apart, in their order from 0; the sum of these two sums is the block's. Blocks of
/// a piece are added in order to 0. The first piece's sum is written, with the number of the row added where sums are
/// shifted, or added to what is there; those of other pieces are added after it in order. The slope comes last.
///
/// # Errors
/// The threads could not be started, or `OutOfMemory`.
///
/// # Panics
/// If a factor or the output is too short for the shape.
pub fn product<T: Real>(threads: &Threads, scratch: &mut Scratch, product: &Product<T>, out: &mut [T]) -> Result<()> {
    let Product { rows, columns, terms, left, right, sums, out_row, .. } = *product;
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    assert!(out_row >= columns && out.len() >= (rows - 1) * out_row + columns, "the product does not fit");
    if let Sums::Shifted(shifts) = sums {
        assert!(shifts.len() >= rows, "a number for each row");
    }
    if terms > 0 {
        let last_left = left.first + (rows - 1) * left.row + (terms - 1) * left.step;
        assert!(last_left < left.values.len(), "the left factor is too short");
        let (values, places, count, length) = match right {
            Right::Rows { values, rows } => (values, rows, terms, columns),
            Right::Columns { values, columns: places } => (values, places, columns, terms),
        };
        assert!(places.len() == count, "a place for each row or column of the right factor");
        let last_right = places.iter().max().copied().unwrap_or(0) + length;
        assert!(last_right <= values.len(), "the right factor is too short");
    }
    // SAFETY: all lengths are asserted above.
    unsafe { T::multiply(threads, scratch, product, out) }
}

/// The product as it is defined, number by number.
fn plain<T: Real>(product: &Product<T>, out: &mut [T]) {
    let Product { rows, columns, terms, left, right, sums, out_row, .. } = *product;
    for m in 0..rows {
        for n in 0..columns {
            let out = &mut out[m * out_row + n];
            for first in (0..terms.max(1)).step_by(PIECE) {
                let mut sum = T::default();
                for block in (first..terms.min(first + PIECE)).step_by(BLOCK) {
                    let mut halves = [T::default(); 2];
                    for k in block..terms.min(block + BLOCK) {
                        let factor = left.values[left.first + m * left.row + k * left.step].factor();
                        halves[k % 2] += factor * right.at(k, n).factor();
                    }
                    sum += halves[0] + halves[1];
                }
                *out = match (first, sums) {
                    (0, Sums::Written) => sum,
                    (0, Sums::Shifted(shifts)) => sum + shifts[m],
                    _ => *out + sum,
                };
            }
            if !matches!(sums, Sums::Added) && *out < T::default() {
                *out = product.slope * *out;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(i: usize) -> f32 {
        let x = ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        // Some are tiny, some too tiny to count.
        if i % 11 == 3 { x * 2f32.powi(-(((i / 11) % 40) as i32) * 2) } else { x * 1.001 }
    }

    /// Every path, tails, strides and pieces against the sum as it is defined: the same bits, not nearly the same.
    #[test]
    fn every_path_gives_the_sum_as_it_is_defined() {
        let shapes = [
            (1, 1, 1),
            (3, 7, 5),
            (12, 300, 32),
            (13, 257, 33),
            (25, 600, 130),
            (64, 2, 31),
            (40, 2100, 70),
            (5, 4200, 3),
            (33, 31, 300),
            (300, 2500, 600),
        ];
        for (rows, terms, columns) in shapes {
            for (turned_left, turned_right) in [(false, false), (true, false), (false, true), (true, true)] {
                let left: Vec<f32> = (0..2 * rows * terms).map(number).collect();
                let (row, step) = match (turned_left, terms % 2) {
                    (true, _) => (1, rows),
                    (false, 0) => (terms, 1),
                    // Neither is next to the other.
                    _ => (2 * terms, 2),
                };
                let stride = if turned_right { terms + 3 } else { columns + 3 };
                let count = if turned_right { columns } else { terms };
                let right: Vec<f32> = (0..count * stride).map(|i| number(i + 77)).collect();
                let places: Vec<usize> = (0..count).map(|k| ((k * 5) % count) * stride + k % 3).collect();
                let right = match turned_right {
                    true => Right::Columns { values: &right, columns: &places },
                    false => Right::Rows { values: &right, rows: &places },
                };
                let before: Vec<f32> = (0..rows * (columns + 1)).map(|i| number(i + 5)).collect();
                for (sums, threads) in [(Sums::Written, 1), (Sums::Added, 3), (Sums::Shifted(&before), 2)] {
                    let left = Left { values: &left, first: 0, row, step };
                    let of = Product { rows, columns, terms, left, right, sums, slope: 0.2, out_row: columns + 1 };
                    let mut defined = before.clone();
                    plain(&of, &mut defined);
                    for path in Path::available() {
                        let mut out = before.clone();
                        // SAFETY: the factors were made for the shape.
                        unsafe {
                            engine::multiply(path, &Threads::new(threads), &mut Scratch::default(), &of, &mut out)
                        }
                        .unwrap();
                        for (at, (o, d)) in out.iter().zip(&defined).enumerate() {
                            assert_eq!(
                                o.to_bits(),
                                d.to_bits(),
                                "{path:?} {rows} x {terms} x {columns} at {at}: {o} {d}"
                            );
                        }
                    }
                }
            }
        }
    }

    /// Rounding by whole numbers is that of the instruction, and numbers that are no numbers stay so.
    #[test]
    fn factors_are_rounded_to_the_nearest_and_what_is_no_number_is_seen() {
        let round = |x: f32| x.factor();
        assert_eq!(round(1.0 + 1.0 / 256.0), 1.0);
        assert_eq!(round(1.0 + 3.0 / 256.0), 1.0 + 4.0 / 256.0);
        assert_eq!(round(-1.0 - 1.01 / 256.0), -1.0 - 2.0 / 256.0);
        assert_eq!(round(SMALLEST), SMALLEST);
        assert_eq!(round(-SMALLEST * 0.999), 0.0);
        assert_eq!(round(f32::MAX), f32::INFINITY);
        assert!(round(f32::from_bits(0x7f80_0001)).is_nan());
        for path in Path::available() {
            for odd in [f32::NAN, f32::INFINITY] {
                let mut values = vec![1.0f32; 40];
                values[17] = odd;
                let places: Vec<usize> = (0..40).collect();
                let of = Product {
                    rows: 1,
                    columns: 1,
                    terms: 40,
                    left: Left { values: &values, first: 0, row: 40, step: 1 },
                    right: Right::Rows { values: &[1.0; 41], rows: &places },
                    sums: Sums::Written,
                    slope: 1.0,
                    out_row: 1,
                };
                let mut out = [0.0];
                // SAFETY: as above.
                unsafe { engine::multiply(path, &Threads::single(), &mut Scratch::default(), &of, &mut out) }.unwrap();
                assert!(!out[0].is_finite(), "{path:?}: {odd} became {}", out[0]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn short_factors_are_refused() {
        let values = [0.0f32; 8];
        let of = Product {
            rows: 3,
            columns: 2,
            terms: 3,
            left: Left { values: &values, first: 0, row: 3, step: 1 },
            right: Right::Rows { values: &values, rows: &[0, 2, 4] },
            sums: Sums::Written,
            slope: 1.0,
            out_row: 2,
        };
        let _ = product(&Threads::single(), &mut Scratch::default(), &of, &mut [0.0; 6]);
    }
}
