//! Tiles of bfloat16 of Intel's matrix extension (Sapphire Rapids and later).
//!
//! `tdpbf16ps` sums 32 terms as [`super::product`] defines a block: its two sums of 16 fused multiply-adds from 0, their
//! sum, added to the tile (Intel, Architecture Instruction Set Extensions, "TDPBF16PS"; a test compares the bits). The
//! compiler has no stable names for these instructions yet: hence assembly.

use super::pack::Line;
use super::tile::Sums;
use super::{BLOCK, Left, Right, SMALLEST};
use crate::compute::amx::{self, SIDE};
use std::arch::x86_64::*;

/// See [`super::tile::multiply`]; this thread has a [`State`](crate::compute::amx::State).
pub fn multiply(left: &[Line], right: &[Line], blocks: usize, rows: usize, out: &mut Sums) {
    assert!(left.len() >= 2 * SIDE * blocks && right.len() >= 2 * SIDE * blocks && blocks > 0 && rows <= 2 * SIDE);
    let tiles = |lines: &[Line]| [lines.as_ptr().cast(), lines[SIDE * blocks..].as_ptr().cast()];
    // SAFETY: each of the four has `blocks` tiles of 16 lines, and the output 32 rows of 128 bytes.
    unsafe { amx::reals(tiles(left), tiles(right), blocks, rows, out.0.as_mut_ptr().cast()) }
}

/// See [`super::pack::pack_left`].
pub fn pack_left(left: &Left<f32>, first_row: usize, rows: usize, first_term: usize, terms: usize, out: &mut [Line]) {
    assert!(out.len() >= 2 * SIDE * terms.div_ceil(BLOCK));
    let begins = left.first + first_row * left.row + first_term * left.step;
    let last = begins + (rows - 1) * left.row + (terms - 1) * left.step;
    assert!(last < left.values.len());
    // SAFETY: the processor has the vectors (`is_available`); the factor's last element and the output's length are checked.
    unsafe { pack_left_vector(left.values[begins..].as_ptr(), left.row, left.step, rows, terms, out) }
}

/// See [`super::pack::pack_right`].
pub fn pack_right(
    right: &Right<f32>,
    first_column: usize,
    width: usize,
    first_term: usize,
    terms: usize,
    out: &mut [Line],
) {
    assert!(out.len() >= 2 * SIDE * terms.div_ceil(BLOCK));
    match right {
        Right::Rows { values, rows } => {
            let rows = &rows[first_term..first_term + terms];
            debug_assert!(rows.iter().all(|row| row + first_column + width <= values.len()));
            // SAFETY: as above; every row was compared with the length of the values by `product`.
            unsafe { pack_rows(values.as_ptr().wrapping_add(first_column), rows, width, out) }
        }
        Right::Columns { values, columns } => {
            let columns = &columns[first_column..first_column + width];
            debug_assert!(columns.iter().all(|column| column + first_term + terms <= values.len()));
            // SAFETY: as above.
            unsafe { pack_columns(values.as_ptr().wrapping_add(first_term), columns, terms, out) }
        }
    }
}

/// A mask of the first lanes.
#[inline(always)]
fn first(lanes: usize) -> u16 {
    ((1u32 << lanes.min(SIDE)) - 1) as u16
}

/// Some numbers, those that are too small to count as 0.
///
/// # Safety
/// The lanes of `mask` are inside.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(mask: u16, at: *const f32) -> __m512 {
    // SAFETY: the caller's.
    let x = unsafe { _mm512_maskz_loadu_ps(mask, at) };
    // Not below the smallest: what is no number stays.
    let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(x), _mm512_set1_ps(SMALLEST));
    _mm512_maskz_mov_ps(kept, x)
}

/// 32 numbers as bfloat16, in their order.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn narrow(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both are 512 bits.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// Numbers of two rows as pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pairs(one: __m512, other: __m512) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };
    // SAFETY: 64 bytes.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    _mm512_permutexvar_epi16(order, narrow(one, other))
}

/// Rows become columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(rows: [__m512i; SIDE]) -> [__m512i; SIDE] {
    let mut a = rows;
    for i in (0..SIDE).step_by(2) {
        a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    let mut b = a;
    for i in (0..SIDE).step_by(4) {
        b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
        b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
        b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    // b[4 g + j] holds, in its quarter q, column 4 q + j of rows 4 g to 4 g + 3.
    let mut c = b;
    for j in 0..4 {
        let low =
            [_mm512_shuffle_i32x4::<0b1000_1000>(b[j], b[4 + j]), _mm512_shuffle_i32x4::<0b1101_1101>(b[j], b[4 + j])];
        let high = [
            _mm512_shuffle_i32x4::<0b1000_1000>(b[8 + j], b[12 + j]),
            _mm512_shuffle_i32x4::<0b1101_1101>(b[8 + j], b[12 + j]),
        ];
        c[j] = _mm512_shuffle_i32x4::<0b1000_1000>(low[0], high[0]);
        c[8 + j] = _mm512_shuffle_i32x4::<0b1101_1101>(low[0], high[0]);
        c[4 + j] = _mm512_shuffle_i32x4::<0b1000_1000>(low[1], high[1]);
        c[12 + j] = _mm512_shuffle_i32x4::<0b1101_1101>(low[1], high[1]);
    }
    c
}

/// # Safety
/// Element (m, k) is inside for `m < rows`, `k < terms`; `out` has 32 lines for each block of terms.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_left_vector(values: *const f32, row: usize, step: usize, rows: usize, terms: usize, out: &mut [Line]) {
    let blocks = terms.div_ceil(BLOCK);
    for tile in 0..2 {
        let height = rows.saturating_sub(tile * SIDE).min(SIDE);
        // A tile of no rows is not read.
        if height == 0 {
            break;
        }
        let values = values.wrapping_add(tile * SIDE * row);
        for block in 0..blocks {
            let k = block * BLOCK;
            let depth = (terms - k).min(BLOCK);
            let out = &mut out[(tile * blocks + block) * SIDE..][..SIDE];
            let mut lines = [_mm512_setzero_si512(); SIDE];
            // SAFETY: masked lanes are not touched, the others are inside (the caller's promise), here and below.
            unsafe {
                if step == 1 {
                    for (m, line) in lines.iter_mut().enumerate().take(height) {
                        let at = values.add(m * row + k);
                        let high = first(depth.saturating_sub(SIDE));
                        *line = narrow(load(first(depth), at), load(high, at.wrapping_add(SIDE)));
                    }
                } else if row == 1 {
                    let mask = first(height);
                    for (p, line) in lines.iter_mut().enumerate().take(depth.div_ceil(2)) {
                        let at = values.add((k + 2 * p) * step);
                        let second = if 2 * p + 1 < depth { mask } else { 0 };
                        *line = pairs(load(mask, at), load(second, at.wrapping_add(step)));
                    }
                    lines = turned(lines);
                } else {
                    for (m, line) in lines.iter_mut().enumerate().take(height) {
                        let mut some = [0.0f32; BLOCK];
                        for (i, some) in some.iter_mut().enumerate().take(depth) {
                            *some = *values.add(m * row + (k + i) * step);
                        }
                        *line = narrow(load(!0, some.as_ptr()), load(!0, some.as_ptr().add(SIDE)));
                    }
                }
                for (line, out) in lines.iter().zip(out) {
                    _mm512_store_si512(out.0.as_mut_ptr().cast(), *line);
                }
            }
        }
    }
}

/// # Safety
/// `values[row + n]` is inside for each row and `n < width`; `out` has 32 lines for each block of terms.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_rows(values: *const f32, rows: &[usize], width: usize, out: &mut [Line]) {
    let blocks = rows.len().div_ceil(BLOCK);
    let masks = [first(width), first(width.saturating_sub(SIDE))];
    let (near, far) = out.split_at_mut(blocks * SIDE);
    for (p, pair) in rows.chunks(2).enumerate() {
        let one = values.wrapping_add(pair[0]);
        // The last term may have no partner.
        let (other, has) = pair.get(1).map_or((one, 0), |other| (values.wrapping_add(*other), !0));
        // SAFETY: masked lanes are not touched, the others are inside.
        unsafe {
            let line = pairs(load(masks[0], one), load(masks[0] & has, other));
            _mm512_store_si512(near[p].0.as_mut_ptr().cast(), line);
            let (one, other) = (one.wrapping_add(SIDE), other.wrapping_add(SIDE));
            let line = pairs(load(masks[1], one), load(masks[1] & has, other));
            _mm512_store_si512(far[p].0.as_mut_ptr().cast(), line);
        }
    }
    for p in rows.len().div_ceil(2)..blocks * SIDE {
        (near[p], far[p]) = (Line::default(), Line::default());
    }
}

/// # Safety
/// `values[column + k]` is inside for each column and `k < terms`; `out` has 32 lines for each block of terms.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_columns(values: *const f32, columns: &[usize], terms: usize, out: &mut [Line]) {
    let blocks = terms.div_ceil(BLOCK);
    for block in 0..blocks {
        let k = block * BLOCK;
        let depth = (terms - k).min(BLOCK);
        let (low, high) = (first(depth), first(depth.saturating_sub(SIDE)));
        for tile in 0..2 {
            let mut lines = [_mm512_setzero_si512(); SIDE];
            for (line, column) in lines.iter_mut().zip(columns.iter().skip(tile * SIDE)) {
                let at = values.wrapping_add(column + k);
                // SAFETY: masked lanes are not touched, the others are inside.
                *line = unsafe { narrow(load(low, at), load(high, at.wrapping_add(SIDE))) };
            }
            let lines = turned(lines);
            let out = &mut out[(tile * blocks + block) * SIDE..][..SIDE];
            for (line, out) in lines.iter().zip(out) {
                // SAFETY: a line is 64 bytes, aligned.
                unsafe { _mm512_store_si512(out.0.as_mut_ptr().cast(), *line) };
            }
        }
    }
}
