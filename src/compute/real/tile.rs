//! Tiles of a product: a few rows by two vectors of columns, whose sums stay in registers.

use super::Real;
use crate::compute::cpu::Path;

/// What a tile reads and writes.
pub struct Tile<T> {
    /// Rows, at most those of [`shape`].
    pub height: usize,
    /// Columns, at most those of [`shape`].
    pub width: usize,
    /// Terms of each sum.
    pub depth: usize,
    /// Element (m, k) is at `m x left_row + k x left_step`.
    pub left: *const T,
    /// From a row to the next.
    pub left_row: usize,
    /// From a term to the next.
    pub left_step: usize,
    /// Element (k, n) is at `right_rows[k] + n`.
    pub right: *const T,
    /// Where each row begins.
    pub right_rows: *const usize,
    /// Element (m, n) is at `m x out_row + n`.
    pub out: *mut T,
    /// From a row to the next.
    pub out_row: usize,
    /// Whether sums begin with what is there.
    pub add: bool,
}

/// Columns and rows of a tile: 24 sums and two right factors in the 32 registers of AVX-512; 12 in the 16 of AVX2.
pub fn shape(path: Path) -> (usize, usize) {
    match path {
        Path::Avx512 => (32, 12),
        Path::Avx2 => (16, 6),
        Path::Portable => (16, 4),
    }
}

/// A tile by plain loops.
///
/// # Safety
/// Every element that `tile` names is inside its allocation, and nobody else reads or writes its output.
pub unsafe fn plain<T: Real>(tile: &Tile<T>) {
    const WIDTH: usize = 16;
    for m in 0..tile.height {
        let mut sums = [T::default(); WIDTH];
        // SAFETY: as the caller promises, here and below.
        let out = unsafe { std::slice::from_raw_parts_mut(tile.out.add(m * tile.out_row), tile.width) };
        if tile.add {
            sums[..tile.width].copy_from_slice(out);
        }
        for k in 0..tile.depth {
            // SAFETY: as above.
            let (left, right) = unsafe {
                let right = tile.right.add(*tile.right_rows.add(k));
                (*tile.left.add(m * tile.left_row + k * tile.left_step), std::slice::from_raw_parts(right, tile.width))
            };
            sums.iter_mut().zip(right).for_each(|(sum, right)| *sum = left.fused(*right, *sum));
        }
        out.copy_from_slice(&sums[..tile.width]);
    }
}

/// A tile of `f32` by the instructions of `path`.
///
/// # Safety
/// As [`plain`]; the processor has the instructions of `path`.
pub unsafe fn f32(path: Path, tile: &Tile<f32>) {
    match path {
        // SAFETY: as the caller promises.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { x86::avx512(tile) },
        // SAFETY: as the caller promises; every processor with AVX2 that was made has FMA, and it is looked for.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 if is_x86_feature_detected!("fma") => unsafe { x86::avx2(tile) },
        // SAFETY: as the caller promises.
        _ => unsafe { plain(tile) },
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Tile;
    use std::arch::x86_64::*;

    /// Calls `$of::<height, vectors>(tile)` for the tile's height and width.
    macro_rules! by_height {
        ($tile:ident, $lanes:literal, $of:ident, [$($height:literal)*]) => {
            match ($tile.height, $tile.width > $lanes) {
                $(
                    // SAFETY: as the caller promises.
                    ($height, true) => unsafe { $of::<$height, 2>($tile) },
                    // SAFETY: as the caller promises.
                    ($height, false) => unsafe { $of::<$height, 1>($tile) },
                )*
                _ => unreachable!("a tile has no more rows than its path's"),
            }
        };
    }

    #[target_feature(enable = "avx512f,fma")]
    pub unsafe fn avx512(tile: &Tile<f32>) {
        by_height!(tile, 16, tile_avx512, [1 2 3 4 5 6 7 8 9 10 11 12])
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2(tile: &Tile<f32>) {
        by_height!(tile, 8, tile_avx2, [1 2 3 4 5 6])
    }

    #[inline]
    #[target_feature(enable = "avx512f,fma")]
    unsafe fn tile_avx512<const H: usize, const V: usize>(tile: &Tile<f32>) {
        let mut masks = [0u16; V];
        for (v, mask) in masks.iter_mut().enumerate() {
            let lanes = (tile.width - 16 * v).min(16);
            *mask = ((1u32 << lanes) - 1) as u16;
        }
        let mut sums = [[_mm512_setzero_ps(); V]; H];
        // SAFETY: masked lanes are not touched, all others are inside (the caller's promise), here and below.
        unsafe {
            if tile.add {
                for (m, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm512_maskz_loadu_ps(masks[v], tile.out.add(m * tile.out_row + 16 * v));
                    }
                }
            }
            let left: [*const f32; H] = std::array::from_fn(|m| tile.left.add(m * tile.left_row));
            let step = tile.left_step;
            for k in 0..tile.depth {
                let row = tile.right.add(*tile.right_rows.add(k));
                let right: [__m512; V] = std::array::from_fn(|v| _mm512_maskz_loadu_ps(masks[v], row.add(16 * v)));
                for (left, sums) in left.iter().zip(&mut sums) {
                    let left = _mm512_set1_ps(*left.add(k * step));
                    for (right, sum) in right.iter().zip(sums) {
                        *sum = _mm512_fmadd_ps(left, *right, *sum);
                    }
                }
            }
            for (m, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    _mm512_mask_storeu_ps(tile.out.add(m * tile.out_row + 16 * v), masks[v], *sum);
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile_avx2<const H: usize, const V: usize>(tile: &Tile<f32>) {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        let masks: [__m256i; V] =
            std::array::from_fn(|v| _mm256_cmpgt_epi32(_mm256_set1_epi32((tile.width - 8 * v) as i32), lanes));
        let mut sums = [[_mm256_setzero_ps(); V]; H];
        // SAFETY: masked lanes are not touched, all others are inside (the caller's promise), here and below.
        unsafe {
            if tile.add {
                for (m, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm256_maskload_ps(tile.out.add(m * tile.out_row + 8 * v), masks[v]);
                    }
                }
            }
            let left: [*const f32; H] = std::array::from_fn(|m| tile.left.add(m * tile.left_row));
            let step = tile.left_step;
            for k in 0..tile.depth {
                let row = tile.right.add(*tile.right_rows.add(k));
                let right: [__m256; V] = std::array::from_fn(|v| _mm256_maskload_ps(row.add(8 * v), masks[v]));
                for (left, sums) in left.iter().zip(&mut sums) {
                    let left = _mm256_broadcast_ss(&*left.add(k * step));
                    for (right, sum) in right.iter().zip(sums) {
                        *sum = _mm256_fmadd_ps(left, *right, *sum);
                    }
                }
            }
            for (m, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    _mm256_maskstore_ps(tile.out.add(m * tile.out_row + 8 * v), masks[v], *sum);
                }
            }
        }
    }
}
