//! BCF 2 (section 6 of the VCF specification): records in, straight into packed bits, and records out.

use super::bgzf::Source;
use super::collect::{ABSENT, Collector, Genotypes, MISSING, POLYPLOID, Variant, Verdict};
use super::index::{self, Start};
use super::record::Dictionary;
use super::vcf::Header;
use super::write::Row;
use super::{Read, ReadOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::words_for;
use crate::panel::sites::Site;
use crate::progress::Progress;

/// Types of values.
pub(super) const INT8: u8 = 1;
pub(super) const INT16: u8 = 2;
pub(super) const INT32: u8 = 3;
pub(super) const FLOAT: u8 = 5;
pub(super) const CHAR: u8 = 7;

/// Reads bytes 0 to 8 and the header's text.
pub(super) fn read_header(source: &mut Source) -> Result<Header> {
    let path = source.path().to_path_buf();
    let cut = || Error::new(ErrorKind::Truncated, "the file ends within its header").file(&path);
    let bad = |what: &str| Error::new(ErrorKind::Malformed, what).file(&path);
    let first = source.exact(9)?.ok_or_else(cut)?;
    if first[3] != 2 {
        return Err(bad("this is not BCF version 2"));
    }
    let length = u32::from_le_bytes([first[5], first[6], first[7], first[8]]) as usize;
    let text = source.exact(length)?.ok_or_else(cut)?;
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| bad("the header is not UTF-8"))?;
    let mut header = Header::default();
    for line in text.lines() {
        if header.take(line, &path)? {
            return Ok(header);
        }
    }
    Err(bad("the header has no line #CHROM"))
}

/// Takes values off the front of a record.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.take(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A type byte, and the number of values.
    pub(super) fn kind(&mut self) -> Option<(u8, usize)> {
        let byte = self.take(1)?[0];
        let count = match byte >> 4 {
            15 => usize::try_from(self.whole()?).ok()?,
            n => usize::from(n),
        };
        Some((byte & 15, count))
    }

    /// One typed whole number.
    pub(super) fn whole(&mut self) -> Option<i32> {
        match self.take(1)?[0] {
            0x11 => self.take(1).map(|b| i32::from(b[0] as i8)),
            0x12 => self.take(2).map(|b| i32::from(i16::from_le_bytes([b[0], b[1]]))),
            0x13 => self.i32(),
            _ => None,
        }
    }

    /// A typed text, up to its first zero.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let (kind, count) = self.kind()?;
        if kind != CHAR && count != 0 {
            return None;
        }
        let bytes = self.take(count)?;
        std::str::from_utf8(bytes.split(|b| *b == 0).next().unwrap_or_default()).ok()
    }
}

pub(super) fn size_of(kind: u8) -> Option<usize> {
    match kind {
        0 => Some(0),
        INT8 | CHAR => Some(1),
        INT16 => Some(2),
        INT32 | FLOAT => Some(4),
        _ => None,
    }
}

/// The error for bytes that contradict each other.
pub(super) fn contradiction() -> Error {
    Error::new(ErrorKind::Malformed, "the record contradicts itself").remedy("copy or make the file again")
}

/// The two parts of the next record, that of the site and that of the people; `None` at the end of the file.
pub(super) fn next_record(source: &mut Source) -> Result<Option<(&[u8], &[u8])>> {
    let Some(lengths) = source.exact(8)? else { return Ok(None) };
    let shared = u32::from_le_bytes([lengths[0], lengths[1], lengths[2], lengths[3]]) as usize;
    let individual = u32::from_le_bytes([lengths[4], lengths[5], lengths[6], lengths[7]]) as usize;
    if shared < 24 {
        return Err(contradiction());
    }
    match source.exact(shared + individual)? {
        Some(bytes) => Ok(Some(bytes.split_at(shared))),
        None => {
            Err(Error::new(ErrorKind::Truncated, "the file ends within a record").remedy("copy or make the file again"))
        }
    }
}

/// The genotypes of a record: type, values a person, and the values.
struct Raw<'a> {
    kind: u8,
    count: usize,
    values: &'a [u8],
}

/// Reads a panel.
pub(super) fn read(mut source: Source, options: &ReadOptions, progress: &mut Progress) -> Result<Read> {
    let path = source.path().to_path_buf();
    let mut header = read_header(&mut source)?;
    let dictionary = Dictionary::new(&header);
    let contigs = &dictionary.contigs;
    let contig_names = header.contig_names();
    let gt = dictionary.number("GT");
    let mut collector = Collector::new(&path, std::mem::take(&mut header.samples), options, progress)?;
    let start = match &options.region {
        Some(region) => index::start(&source, region, Some(contigs), collector.notices())?,
        None => Start::Beginning,
    };
    let seeked = match start {
        Start::Beginning => false,
        Start::At(offset) => {
            source.seek(offset)?;
            true
        }
        Start::Nowhere(_) => return collector.finish(&contig_names),
    };
    let people = collector.people_in_file();
    let mut genotypes = Genotypes::default();
    let mut bits = vec![0u64; words_for(2 * people)];
    let mut record = 0u64;
    loop {
        record += 1;
        let number = (!seeked).then_some(record);
        let at = |e: Error| match number {
            Some(number) => e.file(&path).record(number),
            None => e.file(&path),
        };
        let damaged = || at(contradiction());
        let Some((shared, individual)) = next_record(&mut source).map_err(at)? else { break };
        let (mut fixed, rest) = (Bytes(shared), Bytes(individual));
        let parsed = (|| {
            let contig = fixed.i32()?;
            let position = fixed.i32()?;
            fixed.take(8)?;
            let counts = fixed.i32()? as u32;
            let per_sample = fixed.i32()? as u32;
            let contig = contigs.get(usize::try_from(contig).ok()?)?.as_deref()?;
            Some((contig, u64::try_from(i64::from(position) + 1).ok()?, counts >> 16, per_sample))
        })();
        let (contig, position, n_alleles, per_sample) = parsed.ok_or_else(damaged)?;
        if seeked && collector.is_past(contig, position) {
            break;
        }
        let (n_formats, n_samples) = (per_sample >> 24, (per_sample & 0xff_ffff) as usize);
        let texts: Option<Vec<&str>> = (0..=n_alleles).map(|_| fixed.text()).collect();
        let texts = texts.filter(|t| t.len() > 1).ok_or_else(damaged)?;
        // A record without alternates has one allele; text has a `.` there.
        let alternates: &[&str] = if texts.len() > 2 { &texts[2..] } else { &["."] };
        let variant = Variant {
            contig,
            position,
            id: if texts[0] == "." { "" } else { texts[0] },
            reference: texts[1],
            alternates,
            record: number,
        };
        let Verdict::Take(taken) = collector.consider(&variant)? else { continue };
        if n_formats > 0 && n_samples != people {
            let what = format!("the record has {n_samples} samples where the header names {people}");
            return Err(variant.at(at(Error::new(ErrorKind::Malformed, what))));
        }
        let raw = find_gt(rest, n_formats, gt, people).ok_or_else(damaged)?;
        let Some(raw) = raw else {
            collector.without_genotypes();
            continue;
        };
        if alternates.len() == 1 && pack(&raw, &mut bits) {
            collector.push_bits(&variant, &bits)?;
            continue;
        }
        if let Err(column) = unpack(&raw, people, &mut genotypes) {
            let error = Error::new(ErrorKind::Malformed, "a genotype does not parse").remedy("mend the record");
            return Err(variant.at(at(error.sample(collector.name(column)))));
        }
        collector.push(&variant, &taken, &genotypes)?;
    }
    Ok(Read { sample_lines: header.sample_lines(), ..collector.finish(&contig_names)? })
}

/// Finds GT among the formats; the outer `None` is for a record that contradicts itself.
#[allow(clippy::option_option)]
fn find_gt(mut rest: Bytes, formats: u32, gt: Option<i32>, people: usize) -> Option<Option<Raw>> {
    for _ in 0..formats {
        let key = rest.whole()?;
        let (kind, count) = rest.kind()?;
        let values = rest.take(people.checked_mul(count)?.checked_mul(size_of(kind)?)?)?;
        if Some(key) == gt {
            return match kind {
                INT8 | INT16 | INT32 if count > 0 => Some(Some(Raw { kind, count, values })),
                0 => Some(None),
                _ => None,
            };
        }
    }
    Some(None)
}

/// Packs genotypes that are all diploid, phased, and of alleles 0 and 1: bytes 2 and 4, then 3 and 5 (the phase bit of
/// a first allele says nothing). Returns false for others, without a result.
fn pack(raw: &Raw, bits: &mut [u64]) -> bool {
    if raw.kind != INT8 || raw.count != 2 {
        return false;
    }
    const ONES: u64 = 0x0101_0101_0101_0101;
    const SECONDS: u64 = 0x0100_0100_0100_0100;
    let mut good = u64::MAX;
    let mut word = |values: &[u8; 64]| {
        let mut word = 0;
        for (i, eight) in values.as_chunks::<8>().0.iter().enumerate() {
            let x = u64::from_le_bytes(*eight);
            // 0b010, 0b011: reference; 0b100, 0b101: alternate. The seconds have to be odd.
            let either = (x >> 1 ^ x >> 2) & ONES;
            good &= (either | !ONES) & !(x & !(7 * ONES)) & (x | !SECONDS);
            word |= ((x >> 2 & ONES).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
        }
        word
    };
    let (whole, rest) = raw.values.as_chunks::<64>();
    for (bits, values) in bits.iter_mut().zip(whole) {
        *bits = word(values);
    }
    if !rest.is_empty() {
        let mut last = [3u8; 64];
        last[..rest.len()].copy_from_slice(rest);
        bits[whole.len()] = word(&last);
    }
    good == u64::MAX
}

/// Any genotypes; the error is the number of the person whose genotype has no meaning.
fn unpack(raw: &Raw, people: usize, out: &mut Genotypes) -> Result<(), usize> {
    out.alleles.clear();
    out.phased.clear();
    let size = size_of(raw.kind).unwrap_or(1);
    // The smallest value means missing, the next one that there is no further value.
    let (missing, end) = match raw.kind {
        INT8 => (i32::from(i8::MIN), i32::from(i8::MIN) + 1),
        INT16 => (i32::from(i16::MIN), i32::from(i16::MIN) + 1),
        _ => (i32::MIN, i32::MIN + 1),
    };
    for person in 0..people {
        let value = |k: usize| {
            if k >= raw.count {
                return end;
            }
            let b = &raw.values[(person * raw.count + k) * size..][..size];
            match *b {
                [a] => i32::from(a as i8),
                [a, b] => i32::from(i16::from_le_bytes([a, b])),
                _ => i32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            }
        };
        let allele = |v: i32| match v {
            v if v == missing => Ok(MISSING),
            v if v < 0 => Err(person),
            v => Ok((v >> 1) - 1),
        };
        if value(0) == end {
            return Err(person);
        }
        if (2..raw.count).any(|k| value(k) != end) {
            out.alleles.extend([POLYPLOID; 2]);
            out.phased.push(true);
            continue;
        }
        out.alleles.push(allele(value(0))?);
        let second = value(1);
        out.alleles.push(if second == end { ABSENT } else { allele(second)? });
        out.phased.push(second == end || second & 1 == 1);
    }
    Ok(())
}

/// Writes the magic bytes and the header. Filters, infos and formats of `write::header_text` have numbers 0 to 4.
pub(super) fn encode_header(text: &str, out: &mut Vec<u8>) -> Result<()> {
    let length = u32::try_from(text.len() + 1)
        .map_err(|_| Error::argument("the header is longer than BCF allows").remedy("write VCF"))?;
    out.extend_from_slice(b"BCF\x02\x02");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
    Ok(())
}

pub(super) fn encode_whole(value: i32, out: &mut Vec<u8>) {
    // The lowest eight values of each type are reserved.
    if let Some(value) = i8::try_from(value).ok().filter(|v| *v >= -120) {
        out.extend_from_slice(&[0x11, value as u8]);
    } else if let Some(value) = i16::try_from(value).ok().filter(|v| *v >= -32_760) {
        out.push(0x12);
        out.extend_from_slice(&value.to_le_bytes());
    } else {
        out.push(0x13);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

pub(super) fn encode_text(text: &str, out: &mut Vec<u8>) -> Result<()> {
    match text.len() {
        n if n < 15 => out.push((n as u8) << 4 | CHAR),
        n => {
            out.push(0xf0 | CHAR);
            let n = i32::try_from(n).map_err(|_| Error::argument("a text is longer than BCF allows"))?;
            encode_whole(n, out);
        }
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Writes one record.
pub(super) fn encode(site: &Site, contig: usize, row: &Row, out: &mut Vec<u8>) -> Result<()> {
    let people = row.panel.samples().len();
    if people >= 1 << 24 {
        return Err(Error::argument("BCF holds at most 16,777,215 people").remedy("write VCF"));
    }
    let begin = out.len();
    let (ones, known) = row.counts();
    let infos: u32 = if known == 0 { 2 } else { 3 };
    let length =
        i32::try_from(site.reference.len()).map_err(|_| Error::argument("the reference allele is too long"))?;
    let contig = i32::try_from(contig).map_err(|_| Error::argument("too many contigs for BCF"))?;
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&contig.to_le_bytes());
    out.extend_from_slice(&((site.position - 1) as i32).to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    // QUAL is missing.
    out.extend_from_slice(&0x7f80_0001u32.to_le_bytes());
    out.extend_from_slice(&(2 << 16 | infos).to_le_bytes());
    out.extend_from_slice(&(1 << 24 | people as u32).to_le_bytes());
    encode_text(&site.id, out)?;
    encode_text(&site.reference, out)?;
    encode_text(&site.alternate, out)?;
    // FILTER: PASS.
    out.extend_from_slice(&[0x11, 0]);
    encode_whole(1, out);
    encode_whole(ones as i32, out);
    encode_whole(2, out);
    encode_whole(known as i32, out);
    if known > 0 {
        encode_whole(3, out);
        out.push(0x10 | FLOAT);
        out.extend_from_slice(&(ones as f32 / known as f32).to_le_bytes());
    }
    let middle = out.len();
    encode_whole(4, out);
    let width: u8 = if row.panel.haplotypes() == people { 1 } else { 2 };
    out.push(width << 4 | INT8);
    let value = |allele: Option<bool>| allele.map_or(0, |a| 2 + 2 * u8::from(a));
    for i in 0..people {
        let genotype = row.genotype(i);
        out.push(value(genotype.first));
        match genotype.second {
            Some(second) => out.push(value(second) | u8::from(genotype.phased)),
            None if width == 2 => out.push(0x81),
            None => {}
        }
    }
    let too_long = || Error::argument("the record is longer than BCF allows").remedy("write VCF");
    let shared = u32::try_from(middle - begin - 8).map_err(|_| too_long())?;
    let individual = u32::try_from(out.len() - middle).map_err(|_| too_long())?;
    out[begin..begin + 4].copy_from_slice(&shared.to_le_bytes());
    out[begin + 4..begin + 8].copy_from_slice(&individual.to_le_bytes());
    Ok(())
}
