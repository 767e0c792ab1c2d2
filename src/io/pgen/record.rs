//! One record of a `.pgen`: genotypes in two bits a person, alleles past the first alternate, and phase.

use super::super::collect::{Genotypes, MISSING};
use super::header::Pgen;
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::words_for;

/// Two reference alleles.
const HOM_REF: u8 = 0;
/// A reference and an alternate allele.
const HET: u8 = 1;
/// Two alternate alleles.
const HOM_ALT: u8 = 2;
/// No genotype.
const NONE: u8 = 3;
/// The low bit of each genotype of a word.
pub(super) const LOW: u64 = 0x5555_5555_5555_5555;
/// The bits of a record's type above those that say how its genotypes are packed.
const MULTIALLELIC: u8 = 0x08;
pub(super) const PHASED: u8 = 0x10;
const DOSAGES: u8 = 0xe0;

fn malformed(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Malformed, what)
}

/// The bytes of a record that were not read yet.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(n)
            .ok_or_else(|| malformed(format!("the record ends {} bytes too early", n.saturating_sub(self.0.len()))))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of seven bits a byte, the lowest first.
    fn varint(&mut self) -> Result<u32> {
        let mut number = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return u32::try_from(number).map_err(|_| malformed("a number in the record is too large"));
            }
        }
        Err(malformed("a number in the record is too large"))
    }

    /// A list of people in rising order, each with a genotype if `genotypes` is set (else with 0).
    fn difflist(&mut self, people: usize, genotypes: bool, mut each: impl FnMut(usize, u8)) -> Result<()> {
        let n = self.varint()? as usize;
        if n == 0 {
            return Ok(());
        }
        if n > people {
            return Err(malformed(format!("a list of {n} people where the file has {people}")));
        }
        let groups = n.div_ceil(64);
        // As many bytes as the number of people needs; plink2 and the specification differ at 2^8, 2^16 and 2^24.
        let width = (people.ilog2() / 8 + 1) as usize;
        let firsts = self.take(groups * width)?;
        let sizes = self.take(groups - 1)?;
        let codes = self.take(if genotypes { n.div_ceil(4) } else { 0 })?;
        let mut next = 0;
        for (group, first) in firsts.chunks_exact(width).enumerate() {
            let before = self.0.len();
            let mut person = first.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b));
            for k in 64 * group..n.min(64 * group + 64) {
                if k % 64 != 0 {
                    person += self.varint()? as usize;
                }
                if person < next || person >= people {
                    return Err(malformed(format!("a list names person {person} out of order, or past {people}")));
                }
                next = person + 1;
                each(person, codes.get(k / 4).map_or(0, |c| c >> (2 * (k % 4)) & 3));
            }
            if sizes.get(group).is_some_and(|size| before - self.0.len() != usize::from(*size) + 63) {
                return Err(malformed("a list in the record contradicts its own lengths"));
            }
        }
        Ok(())
    }
}

fn bit(bytes: &[u8], i: usize) -> bool {
    bytes[i / 8] >> (i % 8) & 1 == 1
}

/// Value `i` of an array of values of `width` bits: 1, 2, 4 or whole bytes.
fn packed(bytes: &[u8], i: usize, width: usize) -> usize {
    match width {
        0 => 0,
        1..8 => usize::from(bytes[i * width / 8]) >> (i * width % 8) & ((1 << width) - 1),
        _ => bytes[i * width / 8..][..width / 8].iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)),
    }
}

/// Spreads 32 bits over the even bits of a word.
fn spread(bits: u32) -> u64 {
    let mut x = u64::from(bits);
    x = (x | x << 16) & 0x0000_ffff_0000_ffff;
    x = (x | x << 8) & 0x00ff_00ff_00ff_00ff;
    x = (x | x << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x << 2) & 0x3333_3333_3333_3333;
    (x | x << 1) & LOW
}

fn set(codes: &mut [u64], person: usize, code: u8) {
    let (word, shift) = (&mut codes[person / 32], 2 * (person % 32));
    *word = *word & !(3 << shift) | u64::from(code) << shift;
}

fn get(codes: &[u64], person: usize) -> u8 {
    (codes[person / 32] >> (2 * (person % 32)) & 3) as u8
}

/// People with this genotype, in order.
fn people_with(codes: &[u64], code: u8, people: usize, out: &mut Vec<usize>) {
    let pattern = LOW * u64::from(code);
    for (w, word) in codes.iter().enumerate() {
        let differs = word ^ pattern;
        let mut same = !(differs | differs >> 1) & LOW;
        while same != 0 {
            let person = 32 * w + same.trailing_zeros() as usize / 2;
            if person < people {
                out.push(person);
            }
            same &= same - 1;
        }
    }
}

/// The genotypes of the record that was decoded last.
pub(super) struct Decoder {
    people: usize,
    /// Genotypes in two bits a person; those past the last one are 0.
    codes: Vec<u64>,
    /// Those of the last record that does not build on another, and its number.
    base: Vec<u64>,
    base_of: Option<usize>,
    /// Who has an allele past the first alternate, in order.
    patches: Vec<(usize, [i32; 2])>,
    /// Who has two different alleles, in order, and whether they are phased, and stand in falling order.
    hets: Vec<usize>,
    phased: Vec<bool>,
    swapped: Vec<bool>,
    bits: Vec<u64>,
    scratch: Vec<usize>,
}

impl Decoder {
    /// For a file of so many people.
    pub(super) fn new(people: usize) -> Result<Self> {
        let words = words_for(2 * people);
        let zeros = || {
            let mut zeros = Vec::new();
            zeros.try_reserve_exact(words).map_err(|_| {
                Error::new(ErrorKind::OutOfMemory, format!("no memory for the genotypes of {people} people"))
            })?;
            zeros.resize(words, 0u64);
            Ok::<_, Error>(zeros)
        };
        Ok(Decoder {
            people,
            codes: zeros()?,
            base: zeros()?,
            base_of: None,
            patches: Vec::new(),
            hets: Vec::new(),
            phased: Vec::new(),
            swapped: Vec::new(),
            bits: zeros()?,
            scratch: Vec::new(),
        })
    }

    /// Decodes record `i` of a variant with so many alternate alleles. Returns whether it holds dosages, too.
    ///
    /// # Errors
    /// `Malformed`, `Io`.
    pub(super) fn decode(&mut self, pgen: &mut Pgen, i: usize, alternates: usize) -> Result<bool> {
        let (kind, _) = pgen.record(i)?;
        if kind & 6 == 2 {
            let base = pgen.base_of(i)?.ok_or_else(|| malformed("the record builds on one that is not there"))?;
            if self.base_of != Some(base) {
                self.base_of = None;
                let (kind, bytes) = pgen.record(base)?;
                self.genotypes_of(kind, &mut Bytes(bytes))?;
                self.base.copy_from_slice(&self.codes);
                self.base_of = Some(base);
            }
        }
        let (kind, bytes) = pgen.record(i)?;
        let mut bytes = Bytes(bytes);
        self.genotypes_of(kind, &mut bytes)?;
        if kind & 6 != 2 {
            self.base.copy_from_slice(&self.codes);
            self.base_of = Some(i);
        }
        self.patches.clear();
        self.hets.clear();
        people_with(&self.codes, HET, self.people, &mut self.hets);
        if kind & MULTIALLELIC != 0 {
            self.further_alleles(&mut bytes, alternates)?;
        }
        self.phase(kind & PHASED != 0, &mut bytes)?;
        let dosages = kind & DOSAGES != 0;
        if !dosages && !bytes.0.is_empty() {
            return Err(malformed(format!("the record is {} bytes too long", bytes.0.len())));
        }
        Ok(dosages)
    }

    /// The main track.
    fn genotypes_of(&mut self, kind: u8, bytes: &mut Bytes) -> Result<()> {
        let people = self.people;
        let codes = &mut self.codes;
        let mut difflist = |codes: &mut [u64]| bytes.difflist(people, true, |person, code| set(codes, person, code));
        match kind & 7 {
            0 => {
                let packed = bytes.take(people.div_ceil(4))?;
                codes.fill(0);
                for (i, byte) in packed.iter().enumerate() {
                    codes[i / 8] |= u64::from(*byte) << (8 * (i % 8));
                }
            }
            1 => {
                let pair = bytes.take(1)?[0];
                let (low, step) = match pair {
                    1..=3 | 5 | 6 | 9 => (u64::from(pair / 4), u64::from(pair % 4)),
                    _ => return Err(malformed(format!("{pair} names no two genotypes"))),
                };
                let packed = bytes.take(people.div_ceil(8))?;
                for (word, four) in codes.iter_mut().zip(packed.chunks(4)) {
                    let higher = four.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b));
                    *word = LOW * low + spread(higher) * step;
                }
                bytes.difflist(people, true, |person, code| set(codes, person, code))?;
            }
            2 | 3 => {
                codes.copy_from_slice(&self.base);
                difflist(codes)?;
                if kind & 1 == 1 {
                    // Exchanges the two homozygous genotypes.
                    codes.iter_mut().for_each(|w| *w ^= (!*w & LOW) << 1);
                }
            }
            5 => return Err(malformed("the record is of a type that is not in use (5)")),
            common => {
                codes.fill(LOW * u64::from(common & 3));
                difflist(codes)?;
            }
        }
        if !people.is_multiple_of(32)
            && let Some(last) = codes.last_mut()
        {
            *last &= (1 << (2 * (people % 32))) - 1;
        }
        Ok(())
    }

    /// Who has an allele past the first alternate.
    fn further_alleles(&mut self, bytes: &mut Bytes, alternates: usize) -> Result<()> {
        if alternates < 2 {
            return Err(malformed("the record has more alleles than the .pvar names"));
        }
        let form = bytes.take(1)?[0];
        let beyond = |allele: usize| match allele <= alternates {
            true => Ok(allele as i32),
            false => Err(malformed(format!("allele number {allele} where the .pvar names {}", alternates + 1))),
        };
        let width = match alternates {
            2 => 0,
            3 => 1,
            4..=5 => 2,
            6..=17 => 4,
            18..=257 => 8,
            258..=65537 => 16,
            _ => 24,
        };
        self.patched(bytes, form & 15, HET)?;
        let values = bytes.take((self.scratch.len() * width).div_ceil(8))?;
        for (i, person) in self.scratch.iter().enumerate() {
            self.patches.push((*person, [0, beyond(packed(values, i, width) + 2)?]));
        }
        let width = match alternates {
            2 => 1,
            3..=4 => 2,
            5..=16 => 4,
            17..=256 => 8,
            257..=65536 => 16,
            _ => 24,
        };
        self.patched(bytes, form >> 4, HOM_ALT)?;
        let pairs = if alternates == 2 { 1 } else { 2 };
        let values = bytes.take((self.scratch.len() * pairs * width).div_ceil(8))?;
        for (i, person) in self.scratch.iter().enumerate() {
            let pair = match alternates {
                2 => [1 + packed(values, i, 1), 2],
                _ => [packed(values, 2 * i, width) + 1, packed(values, 2 * i + 1, width) + 1],
            };
            if pair[0] > pair[1] {
                return Err(malformed("alleles of a genotype are out of order"));
            }
            if pair[0] < pair[1] {
                self.hets.push(*person);
            }
            self.patches.push((*person, [beyond(pair[0])?, beyond(pair[1])?]));
        }
        self.hets.sort_unstable();
        Ok(())
    }

    /// Fills `scratch` with the people of a patch set, who have all this genotype.
    fn patched(&mut self, bytes: &mut Bytes, form: u8, code: u8) -> Result<()> {
        self.scratch.clear();
        match form {
            0 => {
                people_with(&self.codes, code, self.people, &mut self.scratch);
                let marks = bytes.take(self.scratch.len().div_ceil(8))?;
                let mut i = 0;
                self.scratch.retain(|_| {
                    i += 1;
                    bit(marks, i - 1)
                });
                Ok(())
            }
            1 => {
                let mut fits = true;
                let (codes, out) = (&self.codes, &mut self.scratch);
                bytes.difflist(self.people, false, |person, _| {
                    fits &= get(codes, person) == code;
                    out.push(person);
                })?;
                match fits {
                    true => Ok(()),
                    false => Err(malformed("an allele is named for somebody who has another genotype")),
                }
            }
            15 => Ok(()),
            _ => Err(malformed(format!("further alleles are of a form that is not known ({form})"))),
        }
    }

    fn phase(&mut self, any: bool, bytes: &mut Bytes) -> Result<()> {
        let n = self.hets.len();
        self.phased.clear();
        self.swapped.clear();
        self.swapped.resize(n, false);
        self.phased.resize(n, any);
        if !any {
            return Ok(());
        }
        let first = bytes.take((1 + n).div_ceil(8))?;
        if !bit(first, 0) {
            self.swapped.iter_mut().enumerate().for_each(|(i, s)| *s = bit(first, i + 1));
            return Ok(());
        }
        self.phased.iter_mut().enumerate().for_each(|(i, p)| *p = bit(first, i + 1));
        let known = self.phased.iter().filter(|p| **p).count();
        let second = bytes.take(known.div_ceil(8))?;
        let phased = self.swapped.iter_mut().zip(&self.phased).filter(|(_, phased)| **phased);
        phased.enumerate().for_each(|(i, (swapped, _))| *swapped = bit(second, i));
        Ok(())
    }

    /// Alleles as bits, two a person, if all are known and phased, and none is past the first alternate.
    pub(super) fn complete(&mut self) -> Option<&[u64]> {
        let missing = self.codes.iter().any(|w| w & w >> 1 & LOW != 0);
        if missing || !self.patches.is_empty() || !self.phased.iter().all(|p| *p) {
            return None;
        }
        for (bits, codes) in self.bits.iter_mut().zip(&self.codes) {
            *bits = (codes >> 1 & LOW) * 3;
        }
        for (person, swapped) in self.hets.iter().zip(&self.swapped) {
            self.bits[person / 32] |= (if *swapped { 1 } else { 2 }) << (2 * (person % 32));
        }
        Some(&self.bits)
    }

    /// Alleles as they stand.
    pub(super) fn genotypes(&self, out: &mut Genotypes) {
        out.alleles.clear();
        out.phased.clear();
        out.phased.resize(self.people, true);
        out.alleles.extend((0..self.people).flat_map(|person| match get(&self.codes, person) {
            HOM_REF => [0, 0],
            HET => [0, 1],
            HOM_ALT => [1, 1],
            NONE.. => [MISSING, MISSING],
        }));
        for (person, alleles) in &self.patches {
            out.alleles[2 * person..2 * person + 2].copy_from_slice(alleles);
        }
        for ((person, phased), swapped) in self.hets.iter().zip(&self.phased).zip(&self.swapped) {
            out.phased[*person] = *phased;
            if *swapped {
                out.alleles.swap(2 * person, 2 * person + 1);
            }
        }
    }
}
