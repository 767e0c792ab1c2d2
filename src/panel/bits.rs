//! Packed bits in rows of 64-bit words, and their blocked 64 x 64 transpose.

use crate::error::{Error, ErrorKind, Result};
use std::ops::Range;

/// A matrix of bits. Bit `c` of row `r` is bit `c % 64` of word `c / 64` of the row; bits past the last column are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitMatrix {
    rows: usize,
    columns: usize,
    stride: usize,
    words: Vec<u64>,
}

/// The error of a matrix that memory does not hold.
pub(super) fn too_large(rows: usize, columns: usize) -> Error {
    Error::new(ErrorKind::OutOfMemory, format!("no memory for {rows} x {columns} bits"))
        .remedy("choose a smaller region or fewer haplotypes")
}

/// Words that hold `n` bits.
pub fn words_for(n: usize) -> usize {
    n.div_ceil(64)
}

impl BitMatrix {
    /// All bits 0.
    ///
    /// # Errors
    /// `OutOfMemory` if `rows x columns` bits cannot be had.
    pub fn zeros(rows: usize, columns: usize) -> Result<Self> {
        let stride = words_for(columns);
        let n = rows.checked_mul(stride).ok_or_else(|| too_large(rows, columns))?;
        let mut words = Vec::new();
        words.try_reserve_exact(n).map_err(|_| too_large(rows, columns))?;
        words.resize(n, 0);
        Ok(BitMatrix { rows, columns, stride, words })
    }

    /// From a function of row and column.
    ///
    /// # Errors
    /// As [`BitMatrix::zeros`].
    pub fn from_fn(rows: usize, columns: usize, mut bit: impl FnMut(usize, usize) -> bool) -> Result<Self> {
        let mut matrix = Self::zeros(rows, columns)?;
        for r in 0..rows {
            for c in 0..columns {
                if bit(r, c) {
                    matrix.set(r, c, true);
                }
            }
        }
        Ok(matrix)
    }

    /// From whole words, `rows x words_for(columns)` of them; bits past the last column are cleared.
    ///
    /// # Errors
    /// `InvalidArgument` if the number of words is another.
    pub fn from_words(rows: usize, columns: usize, words: Vec<u64>) -> Result<Self> {
        let stride = words_for(columns);
        if rows.checked_mul(stride) != Some(words.len()) {
            return Err(Error::argument(format!("{} words are not {rows} x {columns} bits", words.len())));
        }
        let mut matrix = BitMatrix { rows, columns, stride, words };
        if !columns.is_multiple_of(64) {
            let mask = (1u64 << (columns % 64)) - 1;
            for r in 0..rows {
                if let Some(last) = matrix.row_mut(r).last_mut() {
                    *last &= mask;
                }
            }
        }
        Ok(matrix)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Words of a row.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// All words, row by row.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// All words, row by row. Bits past the last column have to stay 0.
    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// The words of row `r`.
    #[inline]
    pub fn row(&self, r: usize) -> &[u64] {
        &self.words[r * self.stride..(r + 1) * self.stride]
    }

    /// The words of row `r`. Bits past the last column have to stay 0.
    #[inline]
    pub fn row_mut(&mut self, r: usize) -> &mut [u64] {
        &mut self.words[r * self.stride..(r + 1) * self.stride]
    }

    /// One bit.
    #[inline]
    pub fn get(&self, r: usize, c: usize) -> bool {
        debug_assert!(c < self.columns);
        self.words[r * self.stride + c / 64] >> (c % 64) & 1 == 1
    }

    /// Sets one bit.
    #[inline]
    pub fn set(&mut self, r: usize, c: usize, value: bool) {
        debug_assert!(c < self.columns);
        let word = &mut self.words[r * self.stride + c / 64];
        *word = *word & !(1 << (c % 64)) | u64::from(value) << (c % 64);
    }

    /// Ones in row `r`.
    pub fn count_row(&self, r: usize) -> usize {
        self.row(r).iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Ones in each column.
    pub fn count_columns(&self) -> Vec<u32> {
        let mut counts = vec![0u32; self.columns];
        for r in 0..self.rows {
            for (w, word) in self.row(r).iter().enumerate() {
                let mut word = *word;
                while word != 0 {
                    counts[w * 64 + word.trailing_zeros() as usize] += 1;
                    word &= word - 1;
                }
            }
        }
        counts
    }

    /// Whether any bit is 1.
    pub fn any(&self) -> bool {
        self.words.iter().any(|w| *w != 0)
    }

    /// Rows become columns, in blocks of 64 x 64, which are walked in tiles of 8 x 8: a tile's rows and columns are whole
    /// cache lines, and 64 KiB hold both sides of it.
    ///
    /// # Errors
    /// As [`BitMatrix::zeros`].
    pub fn transpose(&self) -> Result<Self> {
        const TILE: usize = 8;
        let mut out = Self::zeros(self.columns, self.rows)?;
        let (row_blocks, column_blocks) = (out.stride, self.stride);
        let tiles = |blocks: usize| (0..blocks).step_by(TILE).map(move |first| first..(first + TILE).min(blocks));
        for row_tile in tiles(row_blocks) {
            for column_tile in tiles(column_blocks) {
                for column_block in column_tile {
                    for row_block in row_tile.clone() {
                        self.transpose_block(&mut out, row_block, column_block);
                    }
                }
            }
        }
        Ok(out)
    }

    #[inline]
    fn transpose_block(&self, out: &mut Self, row_block: usize, column_block: usize) {
        let mut block = [0u64; 64];
        let rows = (self.rows - row_block * 64).min(64);
        let mut from = row_block * 64 * self.stride + column_block;
        for slot in &mut block[..rows] {
            *slot = self.words[from];
            from += self.stride;
        }
        transpose_64x64(&mut block);
        let columns = (self.columns - column_block * 64).min(64);
        let mut to = column_block * 64 * out.stride + row_block;
        for word in &block[..columns] {
            out.words[to] = *word;
            to += out.stride;
        }
    }

    /// The named rows, in the given order.
    ///
    /// # Errors
    /// As [`BitMatrix::zeros`].
    pub fn select_rows(&self, rows: &[usize]) -> Result<Self> {
        let mut out = Self::zeros(rows.len(), self.columns)?;
        for (to, from) in rows.iter().enumerate() {
            out.row_mut(to).copy_from_slice(self.row(*from));
        }
        Ok(out)
    }

    /// The named columns, in the given order.
    ///
    /// # Errors
    /// As [`BitMatrix::zeros`].
    pub fn select_columns(&self, columns: &[usize]) -> Result<Self> {
        let mut out = Self::zeros(self.rows, columns.len())?;
        for r in 0..self.rows {
            let row = self.row(r);
            let target = &mut out.words[r * out.stride..(r + 1) * out.stride];
            for (to, from) in columns.iter().enumerate() {
                target[to / 64] |= (row[from / 64] >> (from % 64) & 1) << (to % 64);
            }
        }
        Ok(out)
    }

    /// The rows and columns inside two ranges.
    ///
    /// # Errors
    /// As [`BitMatrix::zeros`]; `InvalidArgument` if a range reaches past the end.
    pub fn window(&self, rows: Range<usize>, columns: Range<usize>) -> Result<Self> {
        if rows.start > rows.end || rows.end > self.rows || columns.start > columns.end || columns.end > self.columns {
            return Err(Error::argument(format!(
                "rows {rows:?} and columns {columns:?} are not inside {} x {}",
                self.rows, self.columns
            )));
        }
        let mut out = Self::zeros(rows.len(), columns.len())?;
        let (first, shift) = (columns.start / 64, columns.start % 64);
        let last_mask = u64::MAX >> ((64 - columns.len() % 64) % 64);
        for (r, target) in rows.zip(out.words.chunks_exact_mut(out.stride.max(1))) {
            let source = &self.row(r)[first..];
            for (w, word) in target.iter_mut().enumerate() {
                let high = if shift == 0 { 0 } else { source.get(w + 1).copied().unwrap_or(0) << (64 - shift) };
                *word = source[w] >> shift | high;
            }
            if let Some(last) = target.last_mut() {
                *last &= last_mask;
            }
        }
        Ok(out)
    }

    /// The rows of `self`, then those of `other`.
    ///
    /// # Errors
    /// `InvalidArgument` if the numbers of columns differ.
    pub fn stack(&self, other: &Self) -> Result<Self> {
        if self.columns != other.columns {
            return Err(Error::argument(format!("{} columns do not stack on {}", other.columns, self.columns)));
        }
        let mut out = Self::zeros(self.rows + other.rows, self.columns)?;
        let (top, bottom) = out.words.split_at_mut(self.words.len());
        top.copy_from_slice(&self.words);
        bottom.copy_from_slice(&other.words);
        Ok(out)
    }
}

/// Transposes a block in place: bit `c` of word `r` goes to bit `r` of word `c` (Hacker's Delight, section 7-3).
pub fn transpose_64x64(block: &mut [u64; 64]) {
    exchange::<32>(block, 0x0000_0000_FFFF_FFFF);
    exchange::<16>(block, 0x0000_FFFF_0000_FFFF);
    exchange::<8>(block, 0x00FF_00FF_00FF_00FF);
    exchange::<4>(block, 0x0F0F_0F0F_0F0F_0F0F);
    exchange::<2>(block, 0x3333_3333_3333_3333);
    exchange::<1>(block, 0x5555_5555_5555_5555);
}

/// Exchanges the upper right and the lower left quarter of each square of 2 x `WIDTH`.
#[inline]
fn exchange<const WIDTH: usize>(block: &mut [u64; 64], mask: u64) {
    for square in block.chunks_exact_mut(2 * WIDTH) {
        let (upper, lower) = square.split_at_mut(WIDTH);
        for (a, b) in upper.iter_mut().zip(lower) {
            let swap = ((*a >> WIDTH) ^ *b) & mask;
            *a ^= swap << WIDTH;
            *b ^= swap;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arbitrary() -> impl Strategy<Value = BitMatrix> {
        (0usize..140, 0usize..140, any::<u64>()).prop_map(|(rows, columns, seed)| {
            let stream = crate::rng::Stream::new(seed, crate::rng::Purpose::Evaluate, 0);
            BitMatrix::from_fn(rows, columns, |r, c| stream.word((r * columns + c) as u64) & 1 == 1).unwrap()
        })
    }

    proptest! {
        #[test]
        fn transpose_moves_every_bit_and_undoes_itself(m in arbitrary()) {
            let t = m.transpose().unwrap();
            for r in 0..m.rows() {
                for c in 0..m.columns() {
                    prop_assert_eq!(m.get(r, c), t.get(c, r));
                }
            }
            prop_assert_eq!(t.transpose().unwrap(), m);
        }

        #[test]
        fn counts_agree_with_bits(m in arbitrary()) {
            let by_bit: Vec<u32> =
                (0..m.columns()).map(|c| (0..m.rows()).filter(|r| m.get(*r, c)).count() as u32).collect();
            prop_assert_eq!(m.count_columns(), by_bit);
        }

        #[test]
        fn a_window_is_a_selection(m in arbitrary(), a in 0usize..140, b in 0usize..140, c in 0usize..140, d in 0usize..140) {
            let range = |a: usize, b: usize, n: usize| a.min(b).min(n)..a.max(b).min(n);
            let (rows, columns) = (range(a, b, m.rows()), range(c, d, m.columns()));
            let chosen: (Vec<usize>, Vec<usize>) = (rows.clone().collect(), columns.clone().collect());
            let expected = m.select_rows(&chosen.0).unwrap().select_columns(&chosen.1).unwrap();
            prop_assert_eq!(m.window(rows, columns).unwrap(), expected);
            prop_assert!(m.window(0..m.rows() + 1, 0..m.columns()).is_err());
        }

        #[test]
        fn selections_pick_what_they_name(m in arbitrary()) {
            let rows: Vec<usize> = (0..m.rows()).rev().step_by(2).collect();
            let columns: Vec<usize> = (0..m.columns()).rev().step_by(3).collect();
            let s = m.select_rows(&rows).unwrap().select_columns(&columns).unwrap();
            for (i, r) in rows.iter().enumerate() {
                for (j, c) in columns.iter().enumerate() {
                    prop_assert_eq!(s.get(i, j), m.get(*r, *c));
                }
            }
        }
    }

    #[test]
    fn words_past_the_last_column_are_cleared() {
        let m = BitMatrix::from_words(1, 3, vec![u64::MAX]).unwrap();
        assert_eq!(m.row(0), [7]);
        assert!(BitMatrix::from_words(1, 65, vec![0]).is_err());
        assert!(BitMatrix::zeros(usize::MAX, 1 << 20).is_err());
    }
}
