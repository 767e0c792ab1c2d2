//! Alleles as callers hold them, a byte or a bit each, from and to rows of packed bits.

use super::bits::{BitMatrix, too_large, words_for};
use crate::error::{Error, Result};

/// A missing allele as a byte.
pub const MISSING: u8 = 255;

/// Packs bytes 0 and 1 into bits; `words` holds `words_for(bytes.len())` words.
///
/// # Errors
/// The number of the first byte that is neither; the words are of no use then.
pub fn pack(bytes: &[u8], words: &mut [u64]) -> Result<(), usize> {
    let mut other = 0;
    for (word, chunk) in words.iter_mut().zip(bytes.chunks(64)) {
        *word = 0;
        let mut eights = chunk.chunks_exact(8);
        let mut shift = 0;
        for eight in &mut eights {
            let eight = u64::from_le_bytes(eight.try_into().unwrap_or_default());
            other |= eight & !0x0101_0101_0101_0101;
            // Byte i carries bit i to bit 56 + i; no two sums meet in a bit (Hacker's Delight, section 7-5).
            *word |= ((eight & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56) << shift;
            shift += 8;
        }
        for byte in eights.remainder() {
            other |= u64::from(byte & !1);
            *word |= u64::from(byte & 1) << shift;
            shift += 1;
        }
    }
    match other {
        0 => Ok(()),
        _ => Err(bytes.iter().position(|byte| *byte > 1).unwrap_or_default()),
    }
}

/// Bits to bytes 0 and 1, as many as `bytes` holds.
pub fn unpack(words: &[u64], bytes: &mut [u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks_mut(64)) {
        let mut eights = chunk.chunks_exact_mut(8);
        let mut word = *word;
        for eight in &mut eights {
            // Copies of the low byte, each with its own bit kept; adding 7F carries what is left of it into bit 7.
            let bits = (word & 0xff).wrapping_mul(0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
            let ones = (((bits & 0x7f7f_7f7f_7f7f_7f7f) + 0x7f7f_7f7f_7f7f_7f7f) | bits) >> 7 & 0x0101_0101_0101_0101;
            eight.copy_from_slice(&ones.to_le_bytes());
            word >>= 8;
        }
        for byte in eights.into_remainder() {
            *byte = (word & 1) as u8;
            word >>= 1;
        }
    }
}

/// Bytes that hold `n` bits.
pub fn bytes_for(n: usize) -> usize {
    n.div_ceil(8)
}

/// The bits of a row as bytes, lowest bit first; bits past the last column are 0. `bytes` holds as many as they fill.
pub fn row_bytes(words: &[u64], bytes: &mut [u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks_mut(8)) {
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
}

/// Rows of bits, `bytes_for(columns)` bytes each, into a matrix; bits past the last column do not count.
///
/// # Errors
/// `OutOfMemory`.
pub fn from_rows<'a>(rows: usize, columns: usize, row: impl Fn(usize) -> &'a [u8]) -> Result<BitMatrix> {
    let mut words: Vec<u64> = Vec::new();
    let n = rows.checked_mul(words_for(columns)).ok_or_else(|| too_large(rows, columns))?;
    words.try_reserve_exact(n).map_err(|_| too_large(rows, columns))?;
    for r in 0..rows {
        let (eights, rest) = row(r).as_chunks::<8>();
        words.extend(eights.iter().map(|eight| u64::from_le_bytes(*eight)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            words.push(u64::from_le_bytes(last));
        }
    }
    BitMatrix::from_words(rows, columns, words)
}

/// Why bytes did not become bits.
#[derive(Debug)]
pub enum NotPacked {
    /// The byte of this row and column is none of 0, 1 and [`MISSING`].
    Byte {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
    },
    /// Memory.
    Failed(Error),
}

impl From<Error> for NotPacked {
    fn from(error: Error) -> Self {
        NotPacked::Failed(error)
    }
}

/// Alleles, and the missing ones, from bytes 0, 1 and [`MISSING`]: that of row r and column c is
/// `bytes[r * row_stride + c * column_stride]`. A missing allele's bit is 0; no matrix for none that are missing.
///
/// # Errors
/// [`NotPacked`]: the first other byte along memory, or `OutOfMemory`.
pub fn from_bytes(
    rows: usize,
    columns: usize,
    bytes: &[u8],
    row_stride: usize,
    column_stride: usize,
) -> Result<(BitMatrix, Option<BitMatrix>), NotPacked> {
    if row_stride == 1 && column_stride != 1 {
        // Packed along memory, then turned.
        let turned = from_bytes(columns, rows, bytes, column_stride, 1).map_err(|failed| match failed {
            NotPacked::Byte { row, column } => NotPacked::Byte { row: column, column: row },
            failed => failed,
        })?;
        return Ok((turned.0.transpose()?, turned.1.as_ref().map(BitMatrix::transpose).transpose()?));
    }
    let mut bits = BitMatrix::zeros(rows, columns)?;
    let mut missing = BitMatrix::zeros(rows, columns)?;
    let mut gathered = Vec::new();
    for r in 0..rows {
        let from = &bytes[r * row_stride..];
        let row = match column_stride {
            1 => &from[..columns],
            _ => {
                gathered.clear();
                gathered.extend((0..columns).map(|c| from[c * column_stride]));
                &gathered
            }
        };
        pack_row(row, bits.row_mut(r), missing.row_mut(r)).map_err(|column| NotPacked::Byte { row: r, column })?;
    }
    Ok((bits, Some(missing).filter(BitMatrix::any)))
}

/// Packs a row that may have missing alleles; the column of the first byte that is none where it fails.
fn pack_row(bytes: &[u8], words: &mut [u64], missing: &mut [u64]) -> Result<(), usize> {
    if pack(bytes, words).is_ok() {
        return Ok(());
    }
    if let Some(bad) = bytes.iter().position(|byte| !matches!(*byte, 0 | 1 | MISSING)) {
        return Err(bad);
    }
    let known: Vec<u8> = bytes.iter().map(|byte| u8::from(*byte == 1)).collect();
    let absent: Vec<u8> = bytes.iter().map(|byte| u8::from(*byte == MISSING)).collect();
    pack(&known, words)?;
    pack(&absent, missing)
}

/// Bits to bytes 0 and 1, where [`from_bytes`] takes them from; other bytes stay as they are.
pub fn to_bytes(bits: &BitMatrix, bytes: &mut [u8], row_stride: usize, column_stride: usize) {
    for r in 0..bits.rows() {
        let target = &mut bytes[r * row_stride..];
        match column_stride {
            1 => unpack(bits.row(r), &mut target[..bits.columns()]),
            _ => (0..bits.columns()).for_each(|c| target[c * column_stride] = u8::from(bits.get(r, c))),
        }
    }
}

/// Rows of bits, `bytes_for(columns)` bytes each and `stride` bytes apart; bytes between rows stay as they are.
pub fn to_rows(bits: &BitMatrix, bytes: &mut [u8], stride: usize) {
    let width = bytes_for(bits.columns());
    (0..bits.rows()).for_each(|r| row_bytes(bits.row(r), &mut bytes[r * stride..][..width]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_keeps_every_allele(bytes in proptest::collection::vec(0u8..2, 0..300)) {
            let mut words = vec![u64::MAX; words_for(bytes.len())];
            pack(&bytes, &mut words).unwrap();
            for (i, byte) in bytes.iter().enumerate() {
                prop_assert_eq!((words[i / 64] >> (i % 64) & 1) as u8, *byte);
            }
            let mut back = vec![7; bytes.len()];
            unpack(&words, &mut back);
            prop_assert_eq!(&back, &bytes);

            let mut row = vec![0; bytes_for(bytes.len())];
            row_bytes(&words, &mut row);
            let matrix = from_rows(2, bytes.len(), |_| &row).unwrap();
            prop_assert_eq!(matrix.row(0), &words[..]);
            prop_assert_eq!(matrix.row(1), &words[..]);
        }

        #[test]
        fn any_strides_give_the_same_planes(
            alleles in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(MISSING)], 12 * 70),
            rows in 1usize..12,
            columns in 1usize..70,
        ) {
            let bits = BitMatrix::from_fn(rows, columns, |r, c| alleles[70 * r + c] == 1).unwrap();
            let missing = BitMatrix::from_fn(rows, columns, |r, c| alleles[70 * r + c] == MISSING).unwrap();
            for (row_stride, column_stride) in [(70, 1), (1, 12), (140, 2)] {
                let mut bytes = vec![9; 1680];
                for r in 0..rows {
                    (0..columns).for_each(|c| bytes[r * row_stride + c * column_stride] = alleles[70 * r + c]);
                }
                let found = from_bytes(rows, columns, &bytes, row_stride, column_stride).unwrap();
                prop_assert_eq!(&found.0, &bits);
                prop_assert_eq!(found.1.as_ref(), Some(&missing).filter(|m| m.any()));
                bytes[(rows - 1) * row_stride + (columns - 1) * column_stride] = 3;
                let bad = from_bytes(rows, columns, &bytes, row_stride, column_stride).unwrap_err();
                let last = (rows - 1, columns - 1);
                let is_last = matches!(bad, NotPacked::Byte { row, column } if (row, column) == last);
                prop_assert!(is_last);
            }
        }

        #[test]
        fn the_first_byte_that_is_no_allele_is_named(n in 1usize..200, seed in any::<u64>()) {
            let mut bytes = vec![1u8; n];
            let (at, later) = (seed as usize % n, (seed >> 32) as usize % n);
            bytes[at.max(later)] = 255;
            bytes[at.min(later)] = 2;
            prop_assert_eq!(pack(&bytes, &mut vec![0; words_for(n)]), Err(at.min(later)));
        }
    }
}
