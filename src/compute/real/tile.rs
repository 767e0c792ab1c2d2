//! Tiles of a product: at most 32 rows by 32 columns of packed factors.

use super::BLOCK;
use super::pack::Line;
use crate::compute::Path;
use crate::compute::line::numbers;

/// The sums of a tile, rows of 32.
#[repr(C, align(64))]
pub struct Sums(pub [f32; 32 * 32]);

impl Default for Sums {
    fn default() -> Self {
        Sums([0.0; 32 * 32])
    }
}

impl Sums {
    /// Its rows.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.0.chunks_exact(32)
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use crate::compute::amx::State;

/// What a thread holds while it works with tiles of bfloat16: nothing here.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub struct State;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
impl State {
    /// Nothing.
    pub fn begin() -> Option<Self> {
        None
    }
}

/// The sums of `rows` rows and 32 columns over `blocks` blocks of terms. A thread has begun ([`State`]) where `path` wants it.
pub fn multiply(path: Path, left: &[Line], right: &[Line], blocks: usize, rows: usize, out: &mut Sums) {
    if path != Path::Amx || blocks == 0 {
        out.0.fill(0.0);
    }
    if blocks == 0 {
        return;
    }
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if path == Path::Amx {
        return super::amx::multiply(left, right, blocks, rows, out);
    }
    let (left, right) = (numbers(left), numbers(right));
    assert!(left.len() >= rows * blocks * BLOCK && right.len() >= blocks * BLOCK * 32 && rows <= 32);
    match path {
        // SAFETY: the lengths are checked above, and the processor has the path's instructions.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { x86::avx512(left, right, blocks, rows, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { x86::avx2(left, right, blocks, rows, out) },
        _ => portable(left, right, blocks, rows, out),
    }
}

/// By plain loops. Products are exact, so that it does not matter that multiplying and adding are not fused here.
fn portable(left: &[f32], right: &[f32], blocks: usize, rows: usize, out: &mut Sums) {
    let depth = blocks * BLOCK;
    for (left, out) in left.chunks_exact(depth).zip(out.0.chunks_exact_mut(32)).take(rows) {
        for (left, right) in left.chunks_exact(BLOCK).zip(right.chunks_exact(BLOCK * 32)) {
            let mut halves = [[0.0f32; 32]; 2];
            for (k, (left, right)) in left.iter().zip(right.chunks_exact(32)).enumerate() {
                halves[k % 2].iter_mut().zip(right).for_each(|(sum, right)| *sum += left * right);
            }
            let [even, odd] = halves;
            out.iter_mut().zip(even.iter().zip(odd)).for_each(|(o, (e, d))| *o += e + d);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, Sums};
    use std::arch::x86_64::*;

    /// Calls `$of::<rows>` for some rows at a time.
    macro_rules! by_rows {
        ($of:ident, $most:literal, $left:ident, $right:ident, $blocks:ident, $rows:ident, $out:ident, [$($some:literal)*]) => {
            for first in (0..$rows).step_by($most) {
                // SAFETY: the caller's: `left` has all rows, and a tile's sums have 32.
                unsafe {
                    let left = $left.as_ptr().add(first * $blocks * BLOCK);
                    let out = $out.0.as_mut_ptr().add(first * 32);
                    match ($rows - first).min($most) {
                        $($some => $of::<$some>(left, $right.as_ptr(), $blocks, out),)*
                        _ => unreachable!("no more rows than that"),
                    }
                }
            }
        };
    }

    /// # Safety
    /// `left` has rows x blocks x 32 numbers, `right` blocks x 32 x 32; rows are at most 32.
    #[target_feature(enable = "avx512f,fma")]
    pub unsafe fn avx512(left: &[f32], right: &[f32], blocks: usize, rows: usize, out: &mut Sums) {
        by_rows!(some_avx512, 12, left, right, blocks, rows, out, [1 2 3 4 5 6 7 8 9 10 11 12]);
    }

    /// # Safety
    /// As [`avx512`].
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2(left: &[f32], right: &[f32], blocks: usize, rows: usize, out: &mut Sums) {
        by_rows!(some_avx2, 6, left, right, blocks, rows, out, [1 2 3 4 5 6]);
    }

    /// The sums of some rows: 24 sums and two right factors stay in the 32 registers.
    #[inline]
    #[target_feature(enable = "avx512f,fma")]
    unsafe fn some_avx512<const ROWS: usize>(left: *const f32, right: *const f32, blocks: usize, out: *mut f32) {
        let depth = blocks * BLOCK;
        // SAFETY: all places are inside, as the caller promises.
        unsafe {
            for block in 0..blocks {
                let mut even = [[_mm512_setzero_ps(); 2]; ROWS];
                for parity in 0..2 {
                    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
                    for k in (block * BLOCK + parity..(block + 1) * BLOCK).step_by(2) {
                        let right = [_mm512_load_ps(right.add(k * 32)), _mm512_load_ps(right.add(k * 32 + 16))];
                        for (m, sums) in sums.iter_mut().enumerate() {
                            let left = _mm512_set1_ps(*left.add(m * depth + k));
                            for (right, sum) in right.iter().zip(sums) {
                                *sum = _mm512_fmadd_ps(left, *right, *sum);
                            }
                        }
                    }
                    if parity == 0 {
                        even = sums;
                        continue;
                    }
                    for (m, (even, odd)) in even.iter().zip(&sums).enumerate() {
                        for (v, (even, odd)) in even.iter().zip(odd).enumerate() {
                            let at = out.add(m * 32 + 16 * v);
                            _mm512_store_ps(at, _mm512_add_ps(_mm512_load_ps(at), _mm512_add_ps(*even, *odd)));
                        }
                    }
                }
            }
        }
    }

    /// As [`some_avx512`], with 12 sums in 16 registers: columns are taken in halves.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn some_avx2<const ROWS: usize>(left: *const f32, right: *const f32, blocks: usize, out: *mut f32) {
        let depth = blocks * BLOCK;
        // SAFETY: all places are inside, as the caller promises.
        unsafe {
            for half in [0, 16] {
                for block in 0..blocks {
                    let mut even = [[_mm256_setzero_ps(); 2]; ROWS];
                    for parity in 0..2 {
                        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
                        for k in (block * BLOCK + parity..(block + 1) * BLOCK).step_by(2) {
                            let row = right.add(k * 32 + half);
                            let right = [_mm256_load_ps(row), _mm256_load_ps(row.add(8))];
                            for (m, sums) in sums.iter_mut().enumerate() {
                                let left = _mm256_broadcast_ss(&*left.add(m * depth + k));
                                for (right, sum) in right.iter().zip(sums) {
                                    *sum = _mm256_fmadd_ps(left, *right, *sum);
                                }
                            }
                        }
                        if parity == 0 {
                            even = sums;
                            continue;
                        }
                        for (m, (even, odd)) in even.iter().zip(&sums).enumerate() {
                            for (v, (even, odd)) in even.iter().zip(odd).enumerate() {
                                let at = out.add(m * 32 + half + 8 * v);
                                _mm256_store_ps(at, _mm256_add_ps(_mm256_load_ps(at), _mm256_add_ps(*even, *odd)));
                            }
                        }
                    }
                }
            }
        }
    }
}
