//! The same products by tiles of bytes (Intel's AMX): 16 rows by 16 outputs, 64 inputs at a time.
//!
//! A 16-bit number is `256 high + low`, high a signed byte and low an unsigned one. Products of bytes are summed for each pair
//! of halves, and sums are shifted to where they belong. States below 256 have no high half.
//!
//! Weights lie in tiles as they are read, one after another: `[piece of up to 8 blocks][32 outputs][half][16 outputs][block of 64
//! inputs]`; a line of a tile is four inputs of 16 outputs, in which the four of an output stand beside each other.

use super::product::Line;
use crate::compute::PANEL;

/// Inputs of a tile.
pub const BLOCK_INPUTS: usize = 64;

/// Rows of a block, at most: a piece of the weights that is read is used for so many. The piece of the states and the waiting sums
/// of a group of panels take 1.3 MiB, which the second-level cache holds.
pub const BLOCK_ROWS: usize = 512;
/// Rows and columns of a tile.
pub const SIDE: usize = 16;
/// Lines of 32 outputs and a block of inputs, of a half: two tiles of 16 lines.
const PAIR: usize = 2 * SIDE;
/// Lines of a panel and a block of inputs.
const BLOCK: usize = 4 * PAIR;
/// Blocks of inputs worked on at a time: 16 KiB of a half of the weights of 32 outputs, which stay in the first-level cache for
/// all rows.
const PIECE: usize = 8;

/// See [`lay_out`](crate::compute::Path::lay_out).
#[inline]
pub fn lay_out(panel: &mut [Line], quad: usize, weights: &[[i16; PANEL]; 4]) {
    let (block, blocks) = (quad / SIDE, panel.len() / BLOCK);
    let first = block / PIECE * PIECE;
    let some = (blocks - first).min(PIECE);
    let piece = &mut panel[first * BLOCK..][..some * BLOCK];
    for group in 0..4 {
        let of_group = |i: usize, c: usize| weights[i][group * SIDE + c] as u16;
        let (mut low, mut high) = ([0i16; 32], [0i16; 32]);
        for c in 0..SIDE {
            // Two bytes a number, the lower one first.
            for i in 0..2 {
                let [a, b] = [of_group(2 * i, c), of_group(2 * i + 1, c)];
                low[2 * c + i] = (a & 0xff | b << 8) as i16;
                high[2 * c + i] = (a >> 8 | b & 0xff00) as i16;
            }
        }
        let line = group / 2 * 2 * some * PAIR + (group % 2 * some + block - first) * SIDE + quad % SIDE;
        (piece[line].0, piece[some * PAIR + line].0) = (high, low);
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use x86::run;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod x86 {
    use super::*;
    use crate::compute::amx::{self, State};
    use crate::compute::cpu::product::{Block, Finish};
    use std::arch::x86_64::*;

    /// Rows of two tiles.
    const ROWS: usize = 2 * SIDE;

    /// Panels that a piece of the states meets in turn.
    const GROUP: usize = 8;

    /// Sums of 32 rows and 32 outputs, rows of 32.
    #[repr(C, align(64))]
    struct Sums([i32; ROWS * 32]);

    impl Sums {
        fn at(&mut self) -> *mut u8 {
            self.0.as_mut_ptr().cast()
        }
    }

    /// States as bytes, for a piece of the inputs: for each 16 rows, block after block, 16 lines.
    struct Left {
        low: Vec<Line>,
        /// Where a state of the piece is outside 0..256.
        high: Option<Vec<Line>>,
        /// Which piece it is.
        piece: Option<usize>,
    }

    impl Left {
        /// # Safety
        /// The processor has AVX-512 F and BW.
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn pack(&mut self, block: &Block, piece: usize, blocks: usize) {
            if self.piece == Some(piece) {
                return;
            }
            self.piece = Some(piece);
            // SAFETY: the features are this function's.
            let all = unsafe { half::<0>(block, piece, blocks, &mut self.low) };
            self.high = (all & !0xff != 0).then(|| {
                let mut high = vec![Line::default(); self.low.len()];
                // SAFETY: as above.
                unsafe { half::<8>(block, piece, blocks, &mut high) };
                high
            });
        }
    }

    /// Eight bits of each state, from bit BITS on; what comes back has the bits that any state has.
    ///
    /// # Safety
    /// The processor has AVX-512 F and BW.
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn half<const BITS: u32>(block: &Block, piece: usize, blocks: usize, out: &mut [Line]) -> i32 {
        let mut all = _mm512_setzero_si512();
        for r in 0..block.rows {
            let row = &block.left[r * block.left_stride..];
            for b in 0..blocks {
                let first = (piece * PIECE + b) * BLOCK_INPUTS;
                let line = out[(r / SIDE * blocks + b) * SIDE + r % SIDE].0.as_mut_ptr().cast::<__m256i>();
                for part in 0..2 {
                    let begin = first + part * BLOCK_INPUTS / 2;
                    let there = row.len().min(block.inputs).saturating_sub(begin).min(BLOCK_INPUTS / 2);
                    // SAFETY: lanes that are not there are not touched; a line is 64 bytes.
                    unsafe {
                        let mask = ((1u64 << there) - 1) as u32;
                        let states = _mm512_maskz_loadu_epi16(mask, row.as_ptr().wrapping_add(begin));
                        all = _mm512_or_si512(all, states);
                        _mm256_store_si256(line.add(part), _mm512_cvtepi16_epi8(_mm512_srai_epi16::<BITS>(states)));
                    }
                }
            }
        }
        let all = _mm512_reduce_or_epi32(all);
        (all | all >> 16) & 0xffff
    }

    /// Tiles of 16 rows or outputs, and those of the next 16, each with so many blocks of inputs, from a line on.
    fn tiles(lines: &[Line], first: usize, blocks: usize) -> [*const u8; 2] {
        let tiles = &lines[first..][..2 * SIDE * blocks];
        [tiles.as_ptr().cast(), tiles[SIDE * blocks..].as_ptr().cast()]
    }

    /// # Safety
    /// The processor has tiles of bytes and AVX-512, and `block.check` has passed.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub unsafe fn run<T, F: Finish<T>>(block: &Block, out: &mut [T], out_stride: usize, finish: &F) {
        let _state = State::begin();
        let (rows, blocks) = (block.rows, block.inputs.div_ceil(BLOCK_INPUTS));
        let of_panel = blocks * BLOCK;
        let padded = rows.next_multiple_of(ROWS);
        let mut left = Left { low: vec![Line::default(); padded * blocks.min(PIECE)], high: None, piece: None };
        let pieces = blocks.div_ceil(PIECE).max(1);
        // Sums of a group of panels wait for the next piece; where there is one piece they do not.
        let (group, waiting) = match pieces {
            1 => (1, ROWS),
            _ => (block.panels().min(GROUP), padded),
        };
        let mut sums = vec![[0i32; PANEL]; group * waiting];
        let mut products = [const { Sums([0; ROWS * 32]) }; 3];
        for first_panel in (0..block.panels()).step_by(group.max(1)) {
            let panels = first_panel..(first_panel + group).min(block.panels());
            for piece in 0..pieces {
                let some = (blocks - piece * PIECE).min(PIECE);
                // SAFETY: the features are this function's.
                unsafe { left.pack(block, piece, some) };
                for (panel, sums) in panels.clone().zip(sums.chunks_exact_mut(waiting.max(1))) {
                    let bias: &[i32; PANEL] = block.bias[panel * PANEL..][..PANEL].try_into().expect("a panel");
                    for first in (0..rows).step_by(ROWS) {
                        let height = (rows - first).min(ROWS);
                        let sums = &mut sums[if pieces == 1 { 0 } else { first }..][..height];
                        if piece == 0 {
                            sums.fill(*bias);
                        }
                        let weights = &block.packed[panel * of_panel + piece * PIECE * BLOCK..][..some * BLOCK];
                        for side in (0..2).filter(|_| some > 0) {
                            let high = tiles(weights, side * 2 * some * PAIR, some);
                            let low = tiles(weights, (side * 2 + 1) * some * PAIR, some);
                            let states = tiles(&left.low, first * some, some);
                            let [top, middle, bottom] = &mut products;
                            // SAFETY: this thread has its tiles, and `tiles` has looked whether they are there.
                            unsafe {
                                amx::unsigned_signed(states, high, some, height, middle.at());
                                amx::unsigned_unsigned(states, low, some, height, bottom.at());
                                add::<8>(middle, sums, side);
                                add::<0>(bottom, sums, side);
                                if let Some(half) = &left.high {
                                    let states = tiles(half, first * some, some);
                                    amx::signed_signed(states, high, some, height, top.at());
                                    amx::signed_unsigned(states, low, some, height, middle.at());
                                    add::<16>(top, sums, side);
                                    add::<8>(middle, sums, side);
                                }
                            }
                        }
                        if piece + 1 == pieces {
                            for (r, sums) in (first..first + height).zip(&*sums) {
                                let out = &mut out[r * out_stride..][..out_stride];
                                finish.finish(block.first_row + r, panel, sums, out);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Adds products, moved up by so many bits, to 32 of the 64 sums of rows.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn add<const BITS: u32>(products: &Sums, sums: &mut [[i32; PANEL]], side: usize) {
        for (sums, products) in sums.iter_mut().zip(products.0.as_chunks::<32>().0) {
            let sums = &mut sums.as_chunks_mut::<32>().0[side];
            for half in [0, SIDE] {
                // SAFETY: both have 32 numbers.
                unsafe {
                    let at = sums.as_mut_ptr().add(half).cast();
                    let more = _mm512_slli_epi32::<BITS>(_mm512_load_si512(products.as_ptr().add(half).cast()));
                    _mm512_storeu_si512(at, _mm512_add_epi32(_mm512_loadu_si512(at), more));
                }
            }
        }
    }
}
