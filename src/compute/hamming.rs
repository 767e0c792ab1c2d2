//! Hamming distances between packed rows, all pairs, in tiles.
//!
//! The kernel counts differing bits of 4 x 4 rows at a time, so that each word read from cache serves four pairs. It is
//! chosen at run time: AVX-512 VPOPCNTDQ, AVX2 (nibble lookup: Muła, Kurz and Lemire 2018), NEON, or plain words; all
//! give the same numbers. Everything above it sees tiles of distances and folds them, strip of rows by strip of rows;
//! strips depend on the number of rows alone, so results do not depend on the number of threads.

#![allow(unsafe_code)]

use super::cuda::Cuda;
use crate::error::{Error, Result};
use crate::panel::bits::BitMatrix;
use crate::threads::Threads;
use std::ops::Range;

/// Rows of a tile on either side: 64 rows of 10,000 sites are 80 KB, and two such blocks stay in a second-level cache.
const TILE: usize = 64;
/// Strips in all, at most: each has an accumulator of its own.
const STRIPS: usize = 128;
/// Rows on either side of one call of a kernel.
const MICRO: usize = 4;

/// A way to count differing bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// x86-64 with AVX-512 F and VPOPCNTDQ.
    Avx512,
    /// x86-64 with AVX2.
    Avx2,
    /// 64-bit ARM.
    Neon,
    /// Any processor.
    Portable,
}

impl Kernel {
    /// Those that this processor can run, best first.
    pub fn available() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vpopcntdq") {
                kernels.push(Kernel::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
                kernels.push(Kernel::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            kernels.push(Kernel::Neon);
        }
        kernels.push(Kernel::Portable);
        kernels
    }

    /// The best that this processor can run.
    pub fn best() -> Kernel {
        Self::available()[0]
    }

    /// Differing bits of each of four rows against each of four others, all of one length.
    fn micro(self) -> Micro {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => x86::avx512,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => x86::avx2,
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => arm::neon,
            _ => portable,
        }
    }
}

/// Takes 4 + 4 rows of one length, gives 4 x 4 distances. Unsafe because it runs instructions of its processor.
type Micro = unsafe fn(&[&[u64]; MICRO], &[&[u64]; MICRO]) -> [[u32; MICRO]; MICRO];

/// Distances of some rows of one matrix to some rows of another.
#[derive(Debug)]
pub struct Tile<'a> {
    /// Rows of the first matrix.
    pub rows: Range<usize>,
    /// Rows of the second matrix.
    pub others: Range<usize>,
    distances: &'a [u32],
}

impl Tile<'_> {
    /// Distances of row `rows.start + i` to all of `others`.
    #[inline]
    pub fn row(&self, i: usize) -> &[u32] {
        &self.distances[i * self.others.len()..(i + 1) * self.others.len()]
    }
}

/// Folds the distances between all rows of `a` and all rows of `b`, tile by tile: one accumulator a strip of rows of
/// `a`, in order. The strips, and the order of tiles within one, depend on the shapes alone.
///
/// # Errors
/// `InvalidArgument` if the numbers of columns differ; `OutOfMemory`.
pub fn fold_between<A: Send>(
    a: &BitMatrix,
    b: &BitMatrix,
    threads: &Threads,
    start: impl Fn() -> A + Sync,
    fold: impl Fn(&mut A, &Tile) + Sync,
) -> Result<Vec<A>> {
    if a.columns() != b.columns() {
        return Err(Error::argument(format!("{} sites do not compare with {}", a.columns(), b.columns())));
    }
    fold_tiles(Kernel::best(), a, b, false, threads, start, fold)
}

/// Folds the distances within `a`: tiles on and above the diagonal, so each unordered pair is in one tile, but tiles on
/// the diagonal (`rows == others`) hold both halves and each row against itself.
///
/// # Errors
/// `OutOfMemory`.
pub fn fold_within<A: Send>(
    a: &BitMatrix,
    threads: &Threads,
    start: impl Fn() -> A + Sync,
    fold: impl Fn(&mut A, &Tile) + Sync,
) -> Result<Vec<A>> {
    fold_tiles(Kernel::best(), a, a, true, threads, start, fold)
}

/// As [`fold_within`], for two matrices with as many rows, whose tiles over the same rows come together.
///
/// # Errors
/// `InvalidArgument` if the numbers of rows differ; `OutOfMemory`.
pub fn fold_within_both<A: Send>(
    a: &BitMatrix,
    b: &BitMatrix,
    threads: &Threads,
    start: impl Fn() -> A + Sync,
    fold: impl Fn(&mut A, &Tile, &Tile) + Sync,
) -> Result<Vec<A>> {
    if a.rows() != b.rows() {
        return Err(Error::argument(format!("{} rows do not pair with {}", a.rows(), b.rows())));
    }
    let kernel = Kernel::best();
    fold_strips(a.rows(), a.rows(), true, threads, start, |accumulator, rows, others, space| {
        let (first, second) = space.split_at_mut(TILE * TILE);
        fold(
            accumulator,
            &tile(kernel, a, rows.clone(), a, others.clone(), first),
            &tile(kernel, b, rows, b, others, second),
        );
    })
}

/// For each row of either matrix the distance to its nearest in the other, by a GPU; without a second matrix to its nearest
/// among the others of its own. `u32::MAX` where there is none.
///
/// # Errors
/// `InvalidArgument` if the numbers of columns differ; `OutOfDeviceMemory`, `DeviceFailed`.
pub fn nearest_on(cuda: &Cuda, first: &BitMatrix, second: Option<&BitMatrix>) -> Result<(Vec<u32>, Vec<u32>)> {
    if let Some(second) = second.filter(|second| second.columns() != first.columns()) {
        return Err(Error::argument(format!("{} sites do not compare with {}", first.columns(), second.columns())));
    }
    cuda.nearest(first, second)
}

fn fold_tiles<A: Send>(
    kernel: Kernel,
    a: &BitMatrix,
    b: &BitMatrix,
    upper: bool,
    threads: &Threads,
    start: impl Fn() -> A + Sync,
    fold: impl Fn(&mut A, &Tile) + Sync,
) -> Result<Vec<A>> {
    fold_strips(a.rows(), b.rows(), upper, threads, start, |accumulator, rows, others, space| {
        fold(accumulator, &tile(kernel, a, rows, b, others, space));
    })
}

/// Walks `n` x `m` pairs (or those on and above the diagonal) strip by strip, tile by tile; `visit` gets an
/// accumulator, the rows and others of a tile, and space for two tiles.
fn fold_strips<A: Send>(
    n: usize,
    m: usize,
    upper: bool,
    threads: &Threads,
    start: impl Fn() -> A + Sync,
    visit: impl Fn(&mut A, Range<usize>, Range<usize>, &mut [u32]) + Sync,
) -> Result<Vec<A>> {
    let strip = n.div_ceil(STRIPS).next_multiple_of(TILE).max(TILE);
    threads.map(n.div_ceil(strip), |s| {
        let mut accumulator = start();
        let mut space = vec![0; 2 * TILE * TILE];
        let end = ((s + 1) * strip).min(n);
        for first in (s * strip..end).step_by(TILE) {
            let rows = first..(first + TILE).min(end);
            for other in (if upper { first } else { 0 }..m).step_by(TILE) {
                visit(&mut accumulator, rows.clone(), other..(other + TILE).min(m), &mut space);
            }
        }
        accumulator
    })
}

/// Distances of `rows` of `a` to `others` of `b`, in `space`.
fn tile<'a>(
    kernel: Kernel,
    a: &BitMatrix,
    rows: Range<usize>,
    b: &BitMatrix,
    others: Range<usize>,
    space: &'a mut [u32],
) -> Tile<'a> {
    let micro = kernel.micro();
    let width = others.len();
    let out = &mut space[..rows.len() * width];
    for i in rows.clone().step_by(MICRO) {
        // Past the edge the last row is taken again, and its distances are dropped.
        let left = std::array::from_fn(|k| a.row((i + k).min(rows.end - 1)));
        for j in others.clone().step_by(MICRO) {
            let right = std::array::from_fn(|k| b.row((j + k).min(others.end - 1)));
            // SAFETY: `Kernel::available` found the instructions, and all rows have the same number of words.
            let counts = unsafe { micro(&left, &right) };
            let n = MICRO.min(others.end - j);
            for (k, counts) in counts.iter().enumerate().take(rows.end - i) {
                let at = (i - rows.start + k) * width + (j - others.start);
                out[at..at + n].copy_from_slice(&counts[..n]);
            }
        }
    }
    Tile { rows, others, distances: out }
}

/// # Safety
/// None is asked for; the signature is that of [`Micro`].
unsafe fn portable(a: &[&[u64]; MICRO], b: &[&[u64]; MICRO]) -> [[u32; MICRO]; MICRO] {
    a.map(|a| b.map(|b| a.iter().zip(b).map(|(x, y)| (x ^ y).count_ones()).sum()))
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::MICRO;
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor has AVX-512 F and VPOPCNTDQ; all rows are of one length.
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    pub unsafe fn avx512(a: &[&[u64]; MICRO], b: &[&[u64]; MICRO]) -> [[u32; MICRO]; MICRO] {
        let words = a[0].len();
        debug_assert!(a.iter().chain(b).all(|row| row.len() == words));
        let mut sums = [[_mm512_setzero_si512(); MICRO]; MICRO];
        let mut add = |at: usize, mask: __mmask8| {
            // SAFETY: the mask covers words `at..words` at most, and each row has `words` of them.
            let load = |row: &[u64]| unsafe { _mm512_maskz_loadu_epi64(mask, row.as_ptr().add(at).cast()) };
            // Not `map`: it is compiled without these instructions, and what calls it would not be inlined.
            let x = [load(a[0]), load(a[1]), load(a[2]), load(a[3])];
            let y = [load(b[0]), load(b[1]), load(b[2]), load(b[3])];
            for i in 0..MICRO {
                for j in 0..MICRO {
                    let differ = _mm512_xor_si512(x[i], y[j]);
                    sums[i][j] = _mm512_add_epi64(sums[i][j], _mm512_popcnt_epi64(differ));
                }
            }
        };
        let whole = words & !7;
        for at in (0..whole).step_by(8) {
            add(at, 0xFF);
        }
        if whole < words {
            add(whole, (1 << (words - whole)) - 1);
        }
        let mut counts = [[0; MICRO]; MICRO];
        for (counts, [s0, s1, s2, s3]) in counts.iter_mut().zip(sums) {
            // Pairs of sums fold into even and odd words, then 128-bit lanes fold onto each other.
            let low = _mm512_add_epi64(_mm512_unpacklo_epi64(s0, s1), _mm512_unpackhi_epi64(s0, s1));
            let high = _mm512_add_epi64(_mm512_unpacklo_epi64(s2, s3), _mm512_unpackhi_epi64(s2, s3));
            let lanes = _mm512_add_epi64(
                _mm512_shuffle_i64x2::<0b10_00_10_00>(low, high),
                _mm512_shuffle_i64x2::<0b11_01_11_01>(low, high),
            );
            let folded = _mm512_add_epi64(lanes, _mm512_shuffle_i64x2::<0b10_11_00_01>(lanes, lanes));
            let mut out = [0u64; 8];
            // SAFETY: `out` holds 64 bytes.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), folded) };
            *counts = [out[0] as u32, out[1] as u32, out[4] as u32, out[5] as u32];
        }
        counts
    }

    /// # Safety
    /// The processor has AVX2; all rows are of one length.
    #[target_feature(enable = "avx2,popcnt")]
    pub unsafe fn avx2(a: &[&[u64]; MICRO], b: &[&[u64]; MICRO]) -> [[u32; MICRO]; MICRO] {
        let mut out = [[0; MICRO]; MICRO];
        for i in (0..MICRO).step_by(2) {
            for j in (0..MICRO).step_by(2) {
                // SAFETY: as promised to this function.
                let four = unsafe { avx2_2x2([a[i], a[i + 1]], [b[j], b[j + 1]]) };
                (out[i][j], out[i][j + 1], out[i + 1][j], out[i + 1][j + 1]) = (four[0], four[1], four[2], four[3]);
            }
        }
        out
    }

    /// # Safety
    /// As [`avx2`].
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn avx2_2x2(a: [&[u64]; 2], b: [&[u64]; 2]) -> [u32; 4] {
        /// Vectors whose byte counts, at most 8 each, fit a byte.
        const RUN: usize = 31;
        let words = a[0].len();
        let ones_of_nibble = _mm256_setr_epi8(
            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
        );
        let nibble = _mm256_set1_epi8(15);
        let zero = _mm256_setzero_si256();
        let mut sums = [zero; 4];
        let whole = words & !3;
        let mut at = 0;
        while at < whole {
            let end = (at + 4 * RUN).min(whole);
            let mut bytes = [zero; 4];
            while at < end {
                // SAFETY: `at + 4 <= whole`, and each row has at least `whole` words.
                let load = |row: &[u64]| unsafe { _mm256_loadu_si256(row.as_ptr().add(at).cast()) };
                let (x, y) = ([load(a[0]), load(a[1])], [load(b[0]), load(b[1])]);
                for (k, bytes) in bytes.iter_mut().enumerate() {
                    let differ = _mm256_xor_si256(x[k / 2], y[k % 2]);
                    let low = _mm256_and_si256(differ, nibble);
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(differ), nibble);
                    let ones = _mm256_add_epi8(
                        _mm256_shuffle_epi8(ones_of_nibble, low),
                        _mm256_shuffle_epi8(ones_of_nibble, high),
                    );
                    *bytes = _mm256_add_epi8(*bytes, ones);
                }
                at += 4;
            }
            for (sum, bytes) in sums.iter_mut().zip(bytes) {
                *sum = _mm256_add_epi64(*sum, _mm256_sad_epu8(bytes, zero));
            }
        }
        let mut out = [0; 4];
        for (k, out) in out.iter_mut().enumerate() {
            let mut lanes = [0u64; 4];
            // SAFETY: `lanes` holds 32 bytes.
            unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sums[k]) };
            let tail: u32 = (whole..words).map(|w| (a[k / 2][w] ^ b[k % 2][w]).count_ones()).sum();
            *out = lanes.iter().sum::<u64>() as u32 + tail;
        }
        out
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::MICRO;
    use std::arch::aarch64::*;

    /// # Safety
    /// The processor has NEON; all rows are of one length.
    #[target_feature(enable = "neon")]
    pub unsafe fn neon(a: &[&[u64]; MICRO], b: &[&[u64]; MICRO]) -> [[u32; MICRO]; MICRO] {
        /// Vectors whose byte counts, at most 8 each, fit a byte.
        const RUN: usize = 31;
        let words = a[0].len();
        let whole = words & !1;
        let mut out = [[0u32; MICRO]; MICRO];
        let mut at = 0;
        while at < whole {
            let end = (at + 2 * RUN).min(whole);
            let mut bytes = [[vdupq_n_u8(0); MICRO]; MICRO];
            while at < end {
                // SAFETY: `at + 2 <= whole`, and each row has at least `whole` words.
                let load = |row: &[u64]| unsafe { vreinterpretq_u8_u64(vld1q_u64(row.as_ptr().add(at))) };
                let x = [load(a[0]), load(a[1]), load(a[2]), load(a[3])];
                let y = [load(b[0]), load(b[1]), load(b[2]), load(b[3])];
                for i in 0..MICRO {
                    for j in 0..MICRO {
                        bytes[i][j] = vaddq_u8(bytes[i][j], vcntq_u8(veorq_u8(x[i], y[j])));
                    }
                }
                at += 2;
            }
            for i in 0..MICRO {
                for j in 0..MICRO {
                    out[i][j] += u32::from(vaddlvq_u8(bytes[i][j]));
                }
            }
        }
        if whole < words {
            for i in 0..MICRO {
                for j in 0..MICRO {
                    out[i][j] += (a[i][whole] ^ b[j][whole]).count_ones();
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    fn random(rows: usize, columns: usize, number: u64) -> BitMatrix {
        let mut words = Stream::new(11, Purpose::Evaluate, number).reader(0);
        BitMatrix::from_fn(rows, columns, |_, _| words.word() & 1 == 1).unwrap()
    }

    fn brute(a: &BitMatrix, i: usize, b: &BitMatrix, j: usize) -> u32 {
        (0..a.columns()).filter(|c| a.get(i, *c) != b.get(j, *c)).count() as u32
    }

    /// Each kernel that this processor has, on widths around every vector length and the byte counters' limits.
    #[test]
    fn every_kernel_counts_what_bits_say() {
        for columns in [1, 63, 64, 65, 127, 129, 255, 257, 511, 513, 805, 2049, 64 * 31 * 4 + 1, 64 * 31 * 8 + 70] {
            let (a, b) = (random(5, columns, 1), random(6, columns, 2));
            let expected: Vec<u32> =
                (0..5).flat_map(|i| (0..6).map(move |j| (i, j))).map(|(i, j)| brute(&a, i, &b, j)).collect();
            for kernel in Kernel::available() {
                let mut out = vec![0; 30];
                tile(kernel, &a, 0..5, &b, 0..6, &mut out);
                assert_eq!(out, expected, "{kernel:?}, {columns} columns");
            }
        }
    }

    /// Where all bits differ the byte counters are as full as they get.
    #[test]
    fn every_kernel_holds_the_largest_counts() {
        let columns = 64 * 1000;
        let ones = BitMatrix::from_words(4, columns, vec![u64::MAX; 4000]).unwrap();
        let zeros = BitMatrix::zeros(4, columns).unwrap();
        for kernel in Kernel::available() {
            let mut out = vec![0; 16];
            tile(kernel, &ones, 0..4, &zeros, 0..4, &mut out);
            assert_eq!(out, [columns as u32; 16], "{kernel:?}");
        }
    }

    #[test]
    fn tiles_cover_every_pair_once_in_any_number_of_threads() {
        let (a, b) = (random(200, 70, 3), random(131, 70, 4));
        for threads in [Threads::single(), Threads::new(3)] {
            let sums = fold_between(&a, &b, &threads, Vec::new, |all: &mut Vec<(usize, usize, u32)>, tile| {
                for i in 0..tile.rows.len() {
                    all.extend(tile.row(i).iter().zip(tile.others.clone()).map(|(d, j)| (tile.rows.start + i, j, *d)));
                }
            })
            .unwrap();
            let mut pairs: Vec<_> = sums.into_iter().flatten().collect();
            pairs.sort();
            let expected: Vec<_> = (0..200)
                .flat_map(|i| (0..131).map(move |j| (i, j)))
                .map(|(i, j)| (i, j, brute(&a, i, &b, j)))
                .collect();
            assert_eq!(pairs, expected);
        }
        let within = fold_within(
            &a,
            &Threads::single(),
            || 0usize,
            |n, tile| {
                *n += match tile.rows == tile.others {
                    true => tile.rows.len() * (tile.rows.len() - 1) / 2,
                    false => tile.rows.len() * tile.others.len(),
                }
            },
        )
        .unwrap();
        assert_eq!(within.iter().sum::<usize>(), 200 * 199 / 2);
        assert!(fold_between(&a, &random(3, 71, 5), &Threads::single(), || (), |_, _| ()).is_err());
    }
}
