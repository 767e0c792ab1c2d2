//! Alleles as callers hold them, a byte or a bit each, from and to rows of packed bits.

use super::bits::{BitMatrix, too_large, words_for};
use crate::error::Result;

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
        fn the_first_byte_that_is_no_allele_is_named(n in 1usize..200, seed in any::<u64>()) {
            let mut bytes = vec![1u8; n];
            let (at, later) = (seed as usize % n, (seed >> 32) as usize % n);
            bytes[at.max(later)] = 255;
            bytes[at.min(later)] = 2;
            prop_assert_eq!(pack(&bytes, &mut vec![0; words_for(n)]), Err(at.min(later)));
        }
    }
}
