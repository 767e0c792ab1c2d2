//! Whole records of BCF 2 to lines of VCF and back, for writers that pass on what they do not understand.

use super::bcf::{Bytes, CHAR, FLOAT, INT8, INT16, INT32, encode_text, encode_whole, size_of};
use super::vcf::{Header, field};
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;

/// Bits of the floats that mean missing and no further value.
const FLOAT_MISSING: u32 = 0x7f80_0001;
const FLOAT_END: u32 = 0x7f80_0002;

/// What kind of values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Flag,
    Integer,
    Float,
    Text,
}

/// The numbers that BCF gives to the names of a header.
pub(super) struct Dictionary {
    names: Vec<Option<String>>,
    numbers: HashMap<String, i32>,
    infos: HashMap<String, Kind>,
    formats: HashMap<String, Kind>,
    pub(super) contigs: Vec<Option<String>>,
    contig_numbers: HashMap<String, i32>,
}

impl Dictionary {
    /// Reads the lines of a header. A number (`IDX`) that is out of all proportion is left out, so that its records
    /// contradict the header.
    pub(super) fn new(header: &Header) -> Self {
        let mut dictionary = Dictionary {
            names: Vec::new(),
            numbers: HashMap::new(),
            infos: HashMap::new(),
            formats: HashMap::new(),
            contigs: Vec::new(),
            contig_numbers: HashMap::new(),
        };
        let limit = 2 * (header.meta.len() + header.contigs.len()) + 1024;
        let put = |list: &mut Vec<Option<String>>, n: usize, name: &str| {
            if n < limit {
                if list.len() <= n {
                    list.resize(n + 1, None);
                }
                list[n] = Some(name.to_string());
            }
        };
        put(&mut dictionary.names, 0, "PASS");
        dictionary.numbers.insert("PASS".into(), 0);
        for line in &header.meta {
            let prefixes = ["##FILTER=<", "##INFO=<", "##FORMAT=<"];
            let Some((i, fields)) = prefixes.iter().enumerate().find_map(|(i, p)| Some((i, line.strip_prefix(p)?)))
            else {
                continue;
            };
            let Some(id) = field(fields, "ID") else { continue };
            let kind = match field(fields, "Type") {
                Some("Integer") => Kind::Integer,
                Some("Float") => Kind::Float,
                Some("Flag") => Kind::Flag,
                _ => Kind::Text,
            };
            match i {
                1 => _ = dictionary.infos.insert(id.to_string(), kind),
                2 => _ = dictionary.formats.insert(id.to_string(), kind),
                _ => {}
            }
            if !dictionary.numbers.contains_key(id) {
                let n = field(fields, "IDX").and_then(|n| n.parse().ok()).unwrap_or(dictionary.names.len());
                put(&mut dictionary.names, n, id);
                dictionary.numbers.insert(id.to_string(), i32::try_from(n).unwrap_or(i32::MAX));
            }
        }
        for (name, idx) in &header.contigs {
            let n = idx.unwrap_or(dictionary.contigs.len());
            put(&mut dictionary.contigs, n, name);
            dictionary.contig_numbers.insert(name.clone(), i32::try_from(n).unwrap_or(i32::MAX));
        }
        dictionary
    }

    /// The number of a filter, info or format.
    pub(super) fn number(&self, name: &str) -> Option<i32> {
        self.numbers.get(name).copied()
    }

    fn name(&self, number: i32) -> Option<&str> {
        self.names.get(usize::try_from(number).ok()?)?.as_deref()
    }
}

/// Appends `value` values of a type as VCF writes them; empty text and no values are `.`.
fn values_to_text(kind: u8, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if kind == CHAR {
        let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
        out.extend_from_slice(if text.is_empty() { b"." } else { text });
        return Some(());
    }
    let begin = out.len();
    for piece in bytes.chunks_exact(size_of(kind).filter(|n| *n > 0)?) {
        let (missing, end, text) = match (kind, piece) {
            (FLOAT, &[a, b, c, d]) => {
                let bits = u32::from_le_bytes([a, b, c, d]);
                (bits == FLOAT_MISSING, bits == FLOAT_END, f32::from_bits(bits).to_string())
            }
            (INT8, &[a]) => (a == 0x80, a == 0x81, (a as i8).to_string()),
            (INT16, &[a, b]) => {
                let v = i16::from_le_bytes([a, b]);
                (v == i16::MIN, v == i16::MIN + 1, v.to_string())
            }
            (INT32, &[a, b, c, d]) => {
                let v = i32::from_le_bytes([a, b, c, d]);
                (v == i32::MIN, v == i32::MIN + 1, v.to_string())
            }
            _ => return None,
        };
        if end {
            break;
        }
        if out.len() > begin {
            out.push(b',');
        }
        out.extend_from_slice(if missing { b"." } else { text.as_bytes() });
    }
    if out.len() == begin {
        out.push(b'.');
    }
    Some(())
}

/// Appends a genotype.
fn genotype_to_text(kind: u8, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for (i, piece) in bytes.chunks_exact(size_of(kind).filter(|n| *n > 0)?).enumerate() {
        let (value, end, missing) = match (kind, piece) {
            (INT8, &[a]) => (i32::from(a as i8), a == 0x81, a == 0x80),
            (INT16, &[a, b]) => {
                let v = i16::from_le_bytes([a, b]);
                (i32::from(v), v == i16::MIN + 1, v == i16::MIN)
            }
            (INT32, &[a, b, c, d]) => {
                let v = i32::from_le_bytes([a, b, c, d]);
                (v, v == i32::MIN + 1, v == i32::MIN)
            }
            _ => return None,
        };
        if end {
            break;
        }
        if i > 0 {
            out.push(if value & 1 == 1 { b'|' } else { b'/' });
        }
        match value >> 1 {
            _ if missing => out.push(b'.'),
            0 => out.push(b'.'),
            n if n < 0 => return None,
            n @ 1..=10 => out.push(b'0' + (n - 1) as u8),
            n => out.extend_from_slice((n - 1).to_string().as_bytes()),
        }
    }
    Some(())
}

/// Appends the line (without line feed) of a record, whose two parts are given; `None` if it contradicts itself or the
/// header.
pub(super) fn to_text(
    shared: &[u8],
    individual: &[u8],
    dictionary: &Dictionary,
    people: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let (mut fixed, mut rest) = (Bytes(shared), Bytes(individual));
    let contig = dictionary.contigs.get(usize::try_from(fixed.i32()?).ok()?)?.as_deref()?;
    let position = i64::from(fixed.i32()?) + 1;
    fixed.take(4)?;
    let quality = fixed.take(4)?;
    let counts = fixed.i32()? as u32;
    let per_sample = fixed.i32()? as u32;
    let (alleles, infos) = (counts >> 16, counts & 0xffff);
    let (formats, samples) = (per_sample >> 24, (per_sample & 0xff_ffff) as usize);
    if formats > 0 && samples != people {
        return None;
    }
    let id = fixed.text()?;
    out.extend_from_slice(format!("{contig}\t{position}\t{}\t", if id.is_empty() { "." } else { id }).as_bytes());
    for i in 0..alleles {
        out.extend_from_slice(match i {
            0 => b"",
            1 => b"\t",
            _ => b",",
        });
        out.extend_from_slice(fixed.text()?.as_bytes());
    }
    if alleles < 2 {
        out.extend_from_slice(b"\t.");
    }
    out.push(b'\t');
    values_to_text(FLOAT, quality, out)?;
    out.push(b'\t');
    let (kind, count) = fixed.kind()?;
    let filters = fixed.take(count.checked_mul(size_of(kind)?)?)?;
    for (i, filter) in whole_values(kind, filters)?.into_iter().enumerate() {
        out.extend_from_slice(if i > 0 { b";" } else { b"" });
        out.extend_from_slice(dictionary.name(filter)?.as_bytes());
    }
    out.extend_from_slice(if count == 0 { b".\t" } else { b"\t" });
    for i in 0..infos {
        out.extend_from_slice(if i > 0 { b";" } else { b"" });
        out.extend_from_slice(dictionary.name(fixed.whole()?)?.as_bytes());
        let (kind, count) = fixed.kind()?;
        let values = fixed.take(count.checked_mul(size_of(kind)?)?)?;
        if kind != 0 {
            out.push(b'=');
            values_to_text(kind, values, out)?;
        }
    }
    out.extend_from_slice(if infos == 0 { b".\t" } else { b"\t" });
    let mut fields = Vec::new();
    for i in 0..formats {
        let name = dictionary.name(rest.whole()?)?;
        let (kind, count) = rest.kind()?;
        let width = count.checked_mul(size_of(kind)?)?;
        fields.push((name == "GT", kind, width, rest.take(width.checked_mul(people)?)?));
        out.extend_from_slice(if i > 0 { b":" } else { b"" });
        out.extend_from_slice(name.as_bytes());
    }
    if formats == 0 {
        out.push(b'.');
    }
    for person in 0..people {
        out.push(b'\t');
        for (i, (is_gt, kind, width, values)) in fields.iter().enumerate() {
            out.extend_from_slice(if i > 0 { b":" } else { b"" });
            let values = &values[person * width..(person + 1) * width];
            match (is_gt, width) {
                (_, 0) => out.push(b'.'),
                (true, _) => genotype_to_text(*kind, values, out)?,
                (false, _) => values_to_text(*kind, values, out)?,
            }
        }
        if formats == 0 {
            out.push(b'.');
        }
    }
    Some(())
}

fn whole_values(kind: u8, bytes: &[u8]) -> Option<Vec<i32>> {
    match kind {
        0 => Some(Vec::new()),
        INT8 => Some(bytes.iter().map(|b| i32::from(*b as i8)).collect()),
        INT16 => Some(bytes.chunks_exact(2).map(|b| i32::from(i16::from_le_bytes([b[0], b[1]]))).collect()),
        INT32 => Some(bytes.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        _ => None,
    }
}

/// A value of a vector of whole numbers.
#[derive(Clone, Copy)]
enum Whole {
    Value(i32),
    Missing,
    End,
}

/// Appends the type of vectors of `width` whole numbers, then the numbers, in the narrowest type that holds them all.
fn encode_wholes(values: &[Whole], width: usize, out: &mut Vec<u8>) {
    let (low, high) = values.iter().fold((0, 0), |(low, high), v| match v {
        Whole::Value(v) => (low.min(*v), high.max(*v)),
        _ => (low, high),
    });
    let kind = match (low, high) {
        (-120.., ..=127) => INT8,
        (-32_760.., ..=32_767) => INT16,
        _ => INT32,
    };
    encode_kind(kind, width, out);
    for value in values {
        match (kind, *value) {
            (INT8, Whole::Value(v)) => out.push(v as i8 as u8),
            (INT8, Whole::Missing) => out.push(0x80),
            (INT8, Whole::End) => out.push(0x81),
            (INT16, Whole::Value(v)) => out.extend_from_slice(&(v as i16).to_le_bytes()),
            (INT16, Whole::Missing) => out.extend_from_slice(&i16::MIN.to_le_bytes()),
            (INT16, Whole::End) => out.extend_from_slice(&(i16::MIN + 1).to_le_bytes()),
            (_, Whole::Value(v)) => out.extend_from_slice(&v.to_le_bytes()),
            (_, Whole::Missing) => out.extend_from_slice(&i32::MIN.to_le_bytes()),
            (_, Whole::End) => out.extend_from_slice(&(i32::MIN + 1).to_le_bytes()),
        }
    }
}

fn encode_kind(kind: u8, count: usize, out: &mut Vec<u8>) {
    match count {
        n if n < 15 => out.push((n as u8) << 4 | kind),
        n => {
            out.push(0xf0 | kind);
            encode_whole(i32::try_from(n).unwrap_or(i32::MAX), out);
        }
    }
}

/// Appends one field of all `people` (or of INFO, one value): type, then vectors padded to the longest.
fn encode_field(name: &str, kind: Kind, texts: &[&str], out: &mut Vec<u8>) -> Result<()> {
    let bad = |text: &str| {
        let shown: String = text.chars().take(40).collect();
        Error::new(ErrorKind::Malformed, format!("{name} is '{shown}', which is not of the type that the header says"))
            .remedy("mend the record or the header, or write VCF")
    };
    match kind {
        Kind::Text | Kind::Flag => {
            let width = texts.iter().map(|t| t.len()).max().unwrap_or(0);
            encode_kind(CHAR, width, out);
            for text in texts {
                out.extend_from_slice(text.as_bytes());
                out.resize(out.len() + width - text.len(), 0);
            }
        }
        Kind::Integer => {
            let width = texts.iter().map(|t| t.split(',').count()).max().unwrap_or(0);
            let mut values = Vec::with_capacity(width * texts.len());
            for text in texts {
                let begin = values.len();
                for value in text.split(',') {
                    values.push(match value {
                        "." => Whole::Missing,
                        v => Whole::Value(v.parse().ok().filter(|v| *v > i32::MIN + 7).ok_or_else(|| bad(text))?),
                    });
                }
                values.resize(begin + width, Whole::End);
            }
            encode_wholes(&values, width, out);
        }
        Kind::Float => {
            let width = texts.iter().map(|t| t.split(',').count()).max().unwrap_or(0);
            encode_kind(FLOAT, width, out);
            for text in texts {
                let mut n = 0;
                for value in text.split(',') {
                    let bits = match value {
                        "." => FLOAT_MISSING,
                        v => v.parse::<f32>().map_err(|_| bad(text))?.to_bits(),
                    };
                    out.extend_from_slice(&bits.to_le_bytes());
                    n += 1;
                }
                for _ in n..width {
                    out.extend_from_slice(&FLOAT_END.to_le_bytes());
                }
            }
        }
    }
    Ok(())
}

/// Appends the genotypes of all people.
fn encode_genotypes(texts: &[&str], out: &mut Vec<u8>) -> Result<()> {
    let bad = |text: &str| Error::new(ErrorKind::Malformed, format!("genotype '{text}' does not parse"));
    // Nearly all of them are two digits with a sign between.
    let begin = out.len();
    encode_kind(INT8, 2, out);
    let short = texts.iter().all(|text| match text.as_bytes() {
        [a @ b'0'..=b'9', sign @ (b'|' | b'/'), b @ b'0'..=b'9'] => {
            out.extend_from_slice(&[(a - b'0' + 1) << 1, (b - b'0' + 1) << 1 | u8::from(*sign == b'|')]);
            true
        }
        _ => false,
    });
    if short && !texts.is_empty() {
        return Ok(());
    }
    out.truncate(begin);
    let ploidy = |text: &str| 1 + text.bytes().filter(|b| matches!(b, b'|' | b'/')).count();
    let width = texts.iter().map(|t| ploidy(t)).max().unwrap_or(0);
    let mut values = Vec::with_capacity(width * texts.len());
    for text in texts {
        let begin = values.len();
        let mut phased = 0;
        let mut rest = *text;
        loop {
            let end = rest.find(['|', '/']).unwrap_or(rest.len());
            let allele = match &rest[..end] {
                "." => 0,
                n => n.parse::<i32>().ok().filter(|n| (0..1 << 24).contains(n)).ok_or_else(|| bad(text))? + 1,
            };
            values.push(Whole::Value(allele << 1 | phased));
            if end == rest.len() {
                break;
            }
            phased = i32::from(rest.as_bytes()[end] == b'|');
            rest = &rest[end + 1..];
        }
        values.resize(begin + width, Whole::End);
    }
    encode_wholes(&values, width, out);
    Ok(())
}

/// Appends a line of VCF (without line feed) as a record of BCF.
///
/// # Errors
/// `Malformed` for names that the header does not define, and for values of another type than it says.
pub(super) fn from_text(line: &str, dictionary: &Dictionary, out: &mut Vec<u8>) -> Result<()> {
    let unknown = |what: &str, name: &str| {
        Error::new(ErrorKind::Malformed, format!("the header does not define {what} {name}, which BCF needs"))
            .remedy("add the line to the header, or write VCF")
    };
    let number = |what: &str, name: &str| dictionary.number(name).ok_or_else(|| unknown(what, name));
    let short = || Error::new(ErrorKind::Malformed, "the record has too few columns");
    let mut columns = line.split('\t');
    let mut next = || columns.next().ok_or_else(short);
    let (contig, position, id, reference, alternates) = (next()?, next()?, next()?, next()?, next()?);
    let (quality, filter, info, format) = (next()?, next()?, next()?, next()?);
    let people: Vec<&str> = columns.collect();
    let contig = *dictionary.contig_numbers.get(contig).ok_or_else(|| unknown("contig", contig))?;
    let position: i32 = position
        .parse()
        .map_err(|_| Error::new(ErrorKind::Malformed, format!("POS '{position}' is not a number that BCF holds")))?;
    let alternates: Vec<&str> = if alternates == "." { Vec::new() } else { alternates.split(',').collect() };
    let infos: Vec<&str> = if info == "." { Vec::new() } else { info.split(';').filter(|i| !i.is_empty()).collect() };
    let formats: Vec<&str> = if format == "." { Vec::new() } else { format.split(':').collect() };
    if infos.len() > 0xffff || alternates.len() >= 0xffff || formats.len() > 0xff || people.len() >= 1 << 24 {
        return Err(Error::new(ErrorKind::Malformed, "the record is wider than BCF allows").remedy("write VCF"));
    }
    let end = infos.iter().find_map(|i| i.strip_prefix("END=")).and_then(|e| e.parse::<i32>().ok());
    let length = end.and_then(|e| e.checked_sub(position - 1)).filter(|n| *n > 0);
    let length = length.unwrap_or(i32::try_from(reference.len()).unwrap_or(i32::MAX));
    let quality = match quality {
        "." => FLOAT_MISSING,
        q => q
            .parse::<f32>()
            .map_err(|_| Error::new(ErrorKind::Malformed, format!("QUAL '{q}' is not a number")))?
            .to_bits(),
    };
    let begin = out.len();
    out.extend_from_slice(&[0; 8]);
    for word in [contig as u32, (position - 1) as u32, length as u32, quality] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&((1 + alternates.len() as u32) << 16 | infos.len() as u32).to_le_bytes());
    out.extend_from_slice(&((formats.len() as u32) << 24 | people.len() as u32).to_le_bytes());
    encode_text(if id == "." { "" } else { id }, out)?;
    encode_text(reference, out)?;
    alternates.iter().try_for_each(|a| encode_text(a, out))?;
    match filter {
        "." => out.push(0),
        filters => {
            let filters: Result<Vec<Whole>> =
                filters.split(';').map(|f| number("FILTER", f).map(Whole::Value)).collect();
            let filters = filters?;
            encode_wholes(&filters, filters.len(), out);
        }
    }
    for info in &infos {
        let (key, value) = info.split_once('=').map_or((*info, None), |(k, v)| (k, Some(v)));
        let kind = *dictionary.infos.get(key).ok_or_else(|| unknown("INFO", key))?;
        encode_whole(number("INFO", key)?, out);
        match value {
            Some(value) => encode_field(key, kind, &[value], out)?,
            None => out.push(0),
        }
    }
    let middle = out.len();
    let mut texts: Vec<&str> = Vec::with_capacity(people.len());
    for (i, key) in formats.iter().enumerate() {
        let kind = *dictionary.formats.get(*key).ok_or_else(|| unknown("FORMAT", key))?;
        encode_whole(number("FORMAT", key)?, out);
        texts.clear();
        texts.extend(people.iter().map(|p| p.split(':').nth(i).filter(|t| !t.is_empty()).unwrap_or(".")));
        match *key {
            "GT" => encode_genotypes(&texts, out)?,
            key => encode_field(key, kind, &texts, out)?,
        }
    }
    let too_long = || Error::new(ErrorKind::Malformed, "the record is longer than BCF allows").remedy("write VCF");
    let shared = u32::try_from(middle - begin - 8).map_err(|_| too_long())?;
    let individual = u32::try_from(out.len() - middle).map_err(|_| too_long())?;
    out[begin..begin + 4].copy_from_slice(&shared.to_le_bytes());
    out[begin + 4..begin + 8].copy_from_slice(&individual.to_le_bytes());
    Ok(())
}
