//! Exact products of 16-bit numbers in tiles, with the work on a finished tile fused in.
//!
//! A tile of vectors is [`TILE_ROWS`] rows of states by 64 outputs. Inputs are taken in pairs, which is what `vpdpwssd` and
//! `vpmaddwd` multiply and add at once: two inputs by sixteen (eight) outputs an instruction. Where a processor has tiles of
//! its own they multiply bytes (tiles.rs).

use super::super::PANEL;
use super::tiles;
use crate::compute::Path;
use crate::compute::line::{self, numbers, numbers_mut};

/// Numbers of a line.
const LINE: usize = 32;

/// What laid-out weights are made of.
pub type Line = line::Line<i16, LINE>;

/// Rows of a tile: with four vectors of outputs, 24 of the 32 vector registers hold sums.
pub const TILE_ROWS: usize = 6;

/// Pairs of inputs worked on at a time: 32 KiB of weights, which stay near for all tiles of a block.
const PAIRS: usize = 128;

/// Panels that a piece of the states meets in turn.
const GROUP: usize = 8;

/// Rows of a block, at most: 192 x 128 pairs of states and the sums of 192 rows for a group of panels take 480 KiB, which
/// the second-level cache holds.
pub const BLOCK_ROWS: usize = 192;

impl Path {
    /// What the rows of a block are a multiple of, but for the last one, and how many there are at most.
    pub(super) fn rows(self) -> (usize, usize) {
        match self {
            // Half a tile: where threads are many, more of them have work, and what is done with sums costs as much as these.
            Path::Amx => (tiles::SIDE / 2, tiles::BLOCK_ROWS),
            _ => (TILE_ROWS, BLOCK_ROWS),
        }
    }

    /// Lines of a panel of laid-out weights with so many inputs.
    pub(in crate::compute) fn panel_lines(self, inputs: usize) -> usize {
        let inputs = match self {
            Path::Amx => inputs.next_multiple_of(tiles::BLOCK_INPUTS),
            _ => inputs.next_multiple_of(4),
        };
        inputs * PANEL / LINE
    }

    /// Lays out the weights of inputs `4 quad ..` of a panel: for vectors `[pair of inputs][output][side of the pair]`, for
    /// tiles as tiles.rs says.
    #[inline]
    pub(in crate::compute) fn lay_out(self, panel: &mut [Line], quad: usize, weights: &[[i16; PANEL]; 4]) {
        if self == Path::Amx {
            return tiles::lay_out(panel, quad, weights);
        }
        let pairs = numbers_mut(panel)[quad * 4 * PANEL..][..4 * PANEL].chunks_exact_mut(2 * PANEL);
        for (out, [even, odd]) in pairs.zip(weights.as_chunks().0) {
            for (out, (even, odd)) in out.chunks_exact_mut(2).zip(even.iter().zip(odd)) {
                (out[0], out[1]) = (*even, *odd);
            }
        }
    }

    /// Computes a block and finishes each tile into `out`, whose row `r` begins at `r x out_stride`.
    pub(super) fn run<T, F: Finish<T>>(self, block: &Block, out: &mut [T], out_stride: usize, finish: &F) {
        block.check(self, out.len(), out_stride);
        match self {
            // SAFETY: as below.
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Path::Amx => unsafe { tiles::run(block, out, out_stride, finish) },
            // SAFETY: `is_available` was true for this path, and `check` has compared every length with what is read.
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => unsafe { x86::run_avx512(block, out, out_stride, finish) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => unsafe { x86::run_avx2(block, out, out_stride, finish) },
            _ => run_portable(block, out, out_stride, finish),
        }
    }
}

/// Rows of states and the weights that they meet.
pub(super) struct Block<'a> {
    pub rows: usize,
    /// The number of the first row among all rows, which names its random numbers.
    pub first_row: usize,
    pub left: &'a [i16],
    pub left_stride: usize,
    pub inputs: usize,
    pub packed: &'a [Line],
    pub bias: &'a [i32],
}

impl Block<'_> {
    fn pairs(&self) -> usize {
        self.inputs.next_multiple_of(4) / 2
    }

    pub(super) fn panels(&self) -> usize {
        self.bias.len() / PANEL
    }

    /// Every length that the unsafe paths rely on.
    fn check(&self, path: Path, out: usize, out_stride: usize) {
        assert!(self.left_stride >= self.pairs() * 2);
        assert!(self.rows == 0 || self.left.len() >= (self.rows - 1) * self.left_stride + self.pairs() * 2);
        assert!(self.packed.len() >= self.panels() * path.panel_lines(self.inputs));
        assert!(out >= self.rows * out_stride);
    }
}

/// What happens to a finished row of a tile.
pub(super) trait Finish<T>: Sync {
    /// `input` holds the sums of row `row` (counted over all rows) for the outputs `64 panel ..`; `out` is the whole
    /// output row.
    fn finish(&self, row: usize, panel: usize, input: &[i32; PANEL], out: &mut [T]);
}

/// The loops around the tiles; `tile(rows, pairs, left, left stride, weights, sums)` adds the product of up to six rows.
///
/// Inputs are cut outside panels, so that a piece of the states stays in the cache for all panels of a group, and the
/// sums of a group wait meanwhile. A tile is finished while its sums are in the first-level cache.
macro_rules! blocked {
    ($block:ident, $out:ident, $out_stride:ident, $finish:ident, $tile:expr) => {{
        let (pairs, rows) = ($block.pairs(), $block.rows);
        let padded = rows.next_multiple_of(TILE_ROWS);
        let packed = numbers($block.packed);
        let mut sums = vec![[0i32; PANEL]; padded * $block.panels().min(GROUP)];
        for first_panel in (0..$block.panels()).step_by(GROUP) {
            let group = first_panel..(first_panel + GROUP).min($block.panels());
            for first_pair in (0..pairs.max(1)).step_by(PAIRS) {
                let some = (pairs - first_pair).min(PAIRS);
                let last = first_pair + some == pairs;
                for (panel, sums) in group.clone().zip(sums.chunks_exact_mut(padded.max(1))) {
                    if first_pair == 0 {
                        let bias: &[i32; PANEL] = $block.bias[panel * PANEL..][..PANEL].try_into().expect("a panel");
                        sums.fill(*bias);
                    }
                    let weights = &packed[(panel * pairs + first_pair) * 2 * PANEL..][..some * 2 * PANEL];
                    for first in (0..rows).step_by(TILE_ROWS) {
                        let height = (rows - first).min(TILE_ROWS);
                        let sums = &mut sums[first..first + TILE_ROWS];
                        let left = &$block.left[first * $block.left_stride + first_pair * 2..];
                        $tile(height, some, left, $block.left_stride, weights, &mut *sums);
                        if last {
                            for (r, sums) in (first..first + height).zip(&*sums) {
                                let out = &mut $out[r * $out_stride..][..$out_stride];
                                $finish.finish($block.first_row + r, panel, sums, out);
                            }
                        }
                    }
                }
            }
        }
    }};
}

fn run_portable<T, F: Finish<T>>(block: &Block, out: &mut [T], out_stride: usize, finish: &F) {
    let tile = |rows: usize, pairs: usize, left: &[i16], stride: usize, weights: &[i16], sums: &mut [[i32; PANEL]]| {
        // 16 KiB of weights stay in the first-level cache for all rows.
        const NEAR: usize = 64;
        for first in (0..pairs).step_by(NEAR) {
            let some = (pairs - first).min(NEAR);
            for (r, sums) in sums[..rows].iter_mut().enumerate() {
                let left = &left[r * stride + 2 * first..][..2 * some];
                add_row(left, &weights[first * 2 * PANEL..], sums);
            }
        }
    };
    blocked!(block, out, out_stride, finish, tile)
}

/// Adds the product of a row, in the form that compilers know as one instruction (`pmaddwd` on every x86-64).
fn add_row(left: &[i16], weights: &[i16], sums: &mut [i32; PANEL]) {
    /// Outputs whose sums stay in registers: four vectors of four.
    const WIDTH: usize = 16;
    let pairs = left.len() / 2;
    for part in 0..PANEL / WIDTH {
        let mut acc = [0i32; WIDTH];
        acc.copy_from_slice(&sums[part * WIDTH..][..WIDTH]);
        // `take` changes nothing but keeps the compiler from vectorising over pairs, which takes it far longer.
        for (a, w) in left.chunks_exact(2).zip(weights.chunks_exact(2 * PANEL)).take(pairs) {
            let (a0, a1) = (a[0], a[1]);
            let w = &w[part * 2 * WIDTH..][..2 * WIDTH];
            for n in 0..WIDTH {
                acc[n] += i32::from(a0) * i32::from(w[2 * n]) + i32::from(a1) * i32::from(w[2 * n + 1]);
            }
        }
        sums[part * WIDTH..][..WIDTH].copy_from_slice(&acc);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::*;

    /// `vpdpwssd`. The compiler takes the intrinsic apart into `vpmaddwd` and `vpaddd` (for a shorter chain of
    /// dependences, which 24 independent sums do not need) and so halves the rate: hence the instruction itself.
    #[target_feature(enable = "avx512f,avx512vnni")]
    #[inline]
    fn multiply_add(mut sum: __m512i, a: __m512i, w: __m512i) -> __m512i {
        // SAFETY: the instruction reads and writes these registers alone.
        unsafe {
            std::arch::asm!(
                "vpdpwssd {sum}, {a}, {w}",
                sum = inout(zmm_reg) sum,
                a = in(zmm_reg) a,
                w = in(zmm_reg) w,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        sum
    }

    /// # Safety
    /// The processor has AVX-512 F, BW, DQ, VL and VNNI, and `block.check` has passed.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub unsafe fn run_avx512<T, F: Finish<T>>(block: &Block, out: &mut [T], out_stride: usize, finish: &F) {
        /// # Safety
        /// `left` has ROWS rows of `2 x pairs` values, `weights` has `pairs` pairs of a panel.
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
        unsafe fn tile<const ROWS: usize>(
            pairs: usize,
            left: *const i16,
            stride: usize,
            weights: *const i16,
            sums: &mut [[i32; PANEL]],
        ) {
            // SAFETY: the caller's; loads and stores are unaligned ones.
            unsafe {
                let mut acc = [[_mm512_setzero_si512(); 4]; ROWS];
                for (acc, sums) in acc.iter_mut().zip(&*sums) {
                    for (v, a) in acc.iter_mut().enumerate() {
                        *a = _mm512_loadu_si512(sums.as_ptr().add(16 * v).cast());
                    }
                }
                for p in 0..pairs {
                    let w: *const i16 = weights.add(p * 2 * PANEL);
                    let w = [
                        _mm512_loadu_si512(w.cast()),
                        _mm512_loadu_si512(w.add(32).cast()),
                        _mm512_loadu_si512(w.add(64).cast()),
                        _mm512_loadu_si512(w.add(96).cast()),
                    ];
                    for (r, acc) in acc.iter_mut().enumerate() {
                        let a = _mm512_set1_epi32(left.add(r * stride + 2 * p).cast::<i32>().read_unaligned());
                        for (acc, w) in acc.iter_mut().zip(&w) {
                            *acc = multiply_add(*acc, a, *w);
                        }
                    }
                }
                for (acc, sums) in acc.iter().zip(sums) {
                    for (v, a) in acc.iter().enumerate() {
                        _mm512_storeu_si512(sums.as_mut_ptr().add(16 * v).cast(), *a);
                    }
                }
            }
        }
        let tile =
            |rows: usize, pairs: usize, left: &[i16], stride: usize, weights: &[i16], sums: &mut [[i32; PANEL]]| {
                let (l, w) = (left.as_ptr(), weights.as_ptr());
                // SAFETY: `check` covers rows, strides and weights; the features are this function's.
                unsafe {
                    match rows {
                        1 => tile::<1>(pairs, l, stride, w, sums),
                        2 => tile::<2>(pairs, l, stride, w, sums),
                        3 => tile::<3>(pairs, l, stride, w, sums),
                        4 => tile::<4>(pairs, l, stride, w, sums),
                        5 => tile::<5>(pairs, l, stride, w, sums),
                        _ => tile::<6>(pairs, l, stride, w, sums),
                    }
                }
            };
        blocked!(block, out, out_stride, finish, tile)
    }

    /// # Safety
    /// The processor has AVX2, and `block.check` has passed.
    #[target_feature(enable = "avx2")]
    pub unsafe fn run_avx2<T, F: Finish<T>>(block: &Block, out: &mut [T], out_stride: usize, finish: &F) {
        /// Sixteen outputs (the `quarter` of a panel) at a time: 12 sums, 2 weights, 1 pair of states, 1 product.
        ///
        /// # Safety
        /// `left` has ROWS rows of `2 x pairs` values, `weights` has `pairs` pairs of a panel.
        #[target_feature(enable = "avx2")]
        unsafe fn tile<const ROWS: usize>(
            pairs: usize,
            left: *const i16,
            stride: usize,
            weights: *const i16,
            sums: &mut [[i32; PANEL]],
        ) {
            // SAFETY: the caller's; loads and stores are unaligned ones.
            unsafe {
                for quarter in 0..4 {
                    let mut acc = [[_mm256_setzero_si256(); 2]; ROWS];
                    for (acc, sums) in acc.iter_mut().zip(&*sums) {
                        for (v, a) in acc.iter_mut().enumerate() {
                            *a = _mm256_loadu_si256(sums.as_ptr().add(16 * quarter + 8 * v).cast());
                        }
                    }
                    for p in 0..pairs {
                        let w = weights.add(p * 2 * PANEL + 32 * quarter);
                        let w = [_mm256_loadu_si256(w.cast()), _mm256_loadu_si256(w.add(16).cast())];
                        for (r, acc) in acc.iter_mut().enumerate() {
                            let a = _mm256_set1_epi32(left.add(r * stride + 2 * p).cast::<i32>().read_unaligned());
                            for (acc, w) in acc.iter_mut().zip(&w) {
                                *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(a, *w));
                            }
                        }
                    }
                    for (acc, sums) in acc.iter().zip(&mut *sums) {
                        for (v, a) in acc.iter().enumerate() {
                            _mm256_storeu_si256(sums.as_mut_ptr().add(16 * quarter + 8 * v).cast(), *a);
                        }
                    }
                }
            }
        }
        let tile =
            |rows: usize, pairs: usize, left: &[i16], stride: usize, weights: &[i16], sums: &mut [[i32; PANEL]]| {
                let (l, w) = (left.as_ptr(), weights.as_ptr());
                // SAFETY: `check` covers rows, strides and weights; the features are this function's.
                unsafe {
                    match rows {
                        1 => tile::<1>(pairs, l, stride, w, sums),
                        2 => tile::<2>(pairs, l, stride, w, sums),
                        3 => tile::<3>(pairs, l, stride, w, sums),
                        4 => tile::<4>(pairs, l, stride, w, sums),
                        5 => tile::<5>(pairs, l, stride, w, sums),
                        _ => tile::<6>(pairs, l, stride, w, sums),
                    }
                }
            };
        blocked!(block, out, out_stride, finish, tile)
    }
}
