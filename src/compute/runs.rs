//! Runs of equal bits of two packed rows: stretches that two haplotypes share.

use std::ops::Range;

/// The longest run of equal bits of `a` and `b` within `columns`, or `known` if none is longer.
///
/// A run longer than the longest so far, from `start` on, would cover the column that many columns on. So we look
/// backwards from there for a difference, which is near as a rule, and begin again behind it: most words are never looked
/// at, as in Boyer and Moore's search for text.
pub fn longest_run(a: &[u64], b: &[u64], columns: Range<usize>, known: usize) -> usize {
    let (mut start, mut longest) = (columns.start, known);
    while start + longest < columns.end {
        match last_difference(a, b, start..start + longest + 1) {
            Some(difference) => start = difference + 1,
            None => {
                let end = first_difference(a, b, start + longest + 1..columns.end);
                longest = end - start;
                start = end + 1;
            }
        }
    }
    longest
}

/// For each place of `places` (rising) the longest of its number in `longest` and of the run of equal bits of `a` and `b`
/// within `columns` that covers it; a run that begins or ends elsewhere in a word counts whole.
pub fn covering_runs(a: &[u64], b: &[u64], columns: Range<usize>, places: &[usize], longest: &mut [u32]) {
    let mut run = columns.start..columns.start;
    for (place, longest) in places.iter().zip(longest) {
        if !columns.contains(place) {
            continue;
        }
        if *place >= run.end {
            let start = last_difference(a, b, columns.start..place + 1).map_or(columns.start, |c| c + 1);
            run = start..first_difference(a, b, *place..columns.end);
        }
        if run.contains(place) {
            *longest = (*longest).max(run.len() as u32);
        }
    }
}

/// The last of `columns` (not empty) where `a` and `b` differ.
#[inline]
fn last_difference(a: &[u64], b: &[u64], columns: Range<usize>) -> Option<usize> {
    let (first, last) = (columns.start / 64, (columns.end - 1) / 64);
    let mut mask = u64::MAX >> (63 - (columns.end - 1) % 64);
    for w in (first..=last).rev() {
        if w == first {
            mask &= u64::MAX << (columns.start % 64);
        }
        let differ = (a[w] ^ b[w]) & mask;
        if differ != 0 {
            return Some(64 * w + 63 - differ.leading_zeros() as usize);
        }
        mask = u64::MAX;
    }
    None
}

/// The first of `columns` where `a` and `b` differ; their end if there is none.
fn first_difference(a: &[u64], b: &[u64], columns: Range<usize>) -> usize {
    let mut mask = u64::MAX << (columns.start % 64);
    for w in columns.start / 64..columns.end.div_ceil(64) {
        let differ = (a[w] ^ b[w]) & mask;
        if differ != 0 {
            return columns.end.min(64 * w + differ.trailing_zeros() as usize);
        }
        mask = u64::MAX;
    }
    columns.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::bits::BitMatrix;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn covering_runs_agree_with_brute_force() {
        let words = Stream::new(6, Purpose::Evaluate, 1);
        for every in [2, 5, 37, 150, 100_000] {
            let differs = |c: usize| words.word(c as u64).is_multiple_of(every);
            let rows = BitMatrix::from_fn(2, 400, |r, c| r == 1 && differs(c)).unwrap();
            let places: Vec<usize> = (0..400).step_by(7).collect();
            for columns in [0..400, 70..331] {
                let mut found = vec![3; places.len()];
                covering_runs(rows.row(0), rows.row(1), columns.clone(), &places, &mut found);
                for (place, found) in places.iter().zip(found) {
                    let left = (columns.start..=*place).rev().take_while(|c| !differs(*c)).count();
                    let right = (*place..columns.end).take_while(|c| !differs(*c)).count();
                    let inside = columns.contains(place) && !differs(*place);
                    assert_eq!(found as usize, if inside { (left + right - 1).max(3) } else { 3 }, "{place}");
                }
            }
        }
    }

    /// Column by column, on rows that differ here and there, within ranges that begin and end anywhere in words.
    #[test]
    fn longest_runs_agree_with_brute_force() {
        let words = Stream::new(5, Purpose::Evaluate, 1);
        let columns = 400;
        for (row, every) in [2, 5, 37, 150, 100_000].into_iter().enumerate() {
            let differs = |c: usize| words.word((row * columns + c) as u64).is_multiple_of(every);
            let base = |c: usize| words.word((9 * columns + c) as u64) & 1 == 1;
            let rows = BitMatrix::from_fn(2, columns, |r, c| base(c) ^ (r == 1 && differs(c))).unwrap();
            for range in [0..400, 0..1, 63..64, 63..65, 64..128, 70..331, 399..400, 5..5] {
                let mut run = 0;
                let brute = range.clone().map(|c| {
                    run = if rows.get(0, c) == rows.get(1, c) { run + 1 } else { 0 };
                    run
                });
                let brute = brute.max().unwrap_or(0);
                for known in [0, 1, 20, 500] {
                    let found = longest_run(rows.row(0), rows.row(1), range.clone(), known);
                    assert_eq!(found, brute.max(known), "{range:?}, one of {every} differs");
                }
            }
        }
    }
}
