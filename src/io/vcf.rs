//! VCF as text: the header, which BCF has too, and records straight into packed bits.

use super::bgzf::{Line, Source, find};
use super::collect::{ABSENT, Collector, Genotypes, MISSING, POLYPLOID, Variant, Verdict};
use super::index::{self, Start};
use super::{Read, ReadOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::words_for;
use crate::progress::Progress;
use std::path::Path;

/// What is needed of a header.
#[derive(Default)]
pub(super) struct Header {
    /// All lines that begin with `##`.
    pub(super) meta: Vec<String>,
    /// The people.
    pub(super) samples: Vec<String>,
    /// Contigs in the order of their lines, with their `IDX` if they have one.
    pub(super) contigs: Vec<(String, Option<usize>)>,
}

impl Header {
    /// Takes the next line; returns whether it was the last one (`#CHROM`).
    pub(super) fn take(&mut self, line: &str, path: &Path) -> Result<bool> {
        let bad = |what: &str| {
            Error::new(ErrorKind::Malformed, what).file(path).remedy("mend the header (bcftools reheader)")
        };
        if line.starts_with("##") {
            if let Some(fields) = line.strip_prefix("##contig=<") {
                let id = field(fields, "ID").ok_or_else(|| bad("a contig line has no ID"))?;
                let idx = field(fields, "IDX").and_then(|n| n.parse().ok());
                self.contigs.push((id.to_string(), idx));
            }
            self.meta.push(line.to_string());
            return Ok(false);
        }
        const COLUMNS: &str = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO";
        let rest = line
            .strip_prefix(COLUMNS)
            .ok_or_else(|| bad("the header does not end with a line #CHROM POS ID REF ALT QUAL FILTER INFO"))?;
        let mut columns = rest.split('\t');
        match (columns.next(), columns.next()) {
            (Some(""), None | Some("FORMAT")) => {}
            _ => return Err(bad("the ninth column is not FORMAT")),
        }
        self.samples = columns.map(str::to_string).collect();
        if self.samples.iter().any(String::is_empty) {
            return Err(bad("a sample has no name"));
        }
        Ok(true)
    }

    /// The lines that tell of people.
    pub(super) fn sample_lines(&self) -> Vec<String> {
        self.meta.iter().filter(|line| line.starts_with("##SAMPLE=")).cloned().collect()
    }

    /// The contigs' names.
    pub(super) fn contig_names(&self) -> Vec<String> {
        self.contigs.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// The value of a key in `ID=..,Description="..">`.
pub(super) fn field<'a>(fields: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = fields;
    loop {
        let (name, after) = rest.split_once('=')?;
        let end = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                let close = quoted.bytes().position(|b| {
                    let ends = b == b'"' && !escaped;
                    escaped = b == b'\\' && !escaped;
                    ends
                });
                close.map_or(after.len(), |c| c + 2)
            }
            None => after.find([',', '>']).unwrap_or(after.len()),
        };
        if name == key {
            return Some(after[..end].trim_matches('"'));
        }
        rest = after[end..].strip_prefix(',')?;
    }
}

/// Reads the header of a text.
pub(super) fn read_header(source: &mut Source) -> Result<Header> {
    let path = source.path().to_path_buf();
    let mut header = Header::default();
    while let Some(line) = source.line()? {
        let at = |e: Error| e.file(&path).record(line.number.unwrap_or(0));
        let text = std::str::from_utf8(line.bytes)
            .map_err(|_| at(Error::new(ErrorKind::Malformed, "the header is not UTF-8")))?;
        if header.take(text, &path).map_err(at)? {
            return Ok(header);
        }
    }
    Err(Error::new(ErrorKind::Truncated, "the file ends within its header").file(path))
}

/// The fixed columns of a record, and the rest of the line.
pub(super) struct Columns<'a> {
    /// CHROM, POS, ID, REF, ALT, QUAL, FILTER, INFO and FORMAT.
    pub(super) fixed: [&'a [u8]; 9],
    /// The genotypes.
    pub(super) genotypes: &'a [u8],
}

/// Cuts the first nine columns off a line. Whether those of the people are all there is seen to where they are parsed;
/// only of a line that ends with the file they are counted here, since it may not be parsed at all.
pub(super) fn columns<'a>(line: &Line<'a>, people: usize) -> Result<Columns<'a>> {
    let mut fixed = [&b""[..]; 9];
    let mut rest = line.bytes;
    for (i, slot) in fixed.iter_mut().enumerate() {
        let Some(tab) = find(b'\t', rest) else {
            return Err(too_short(line, &format!("the line has {} columns, without genotypes", i + 1)));
        };
        (*slot, rest) = (&rest[..tab], &rest[tab + 1..]);
    }
    let there = || 1 + rest.iter().filter(|b| **b == b'\t').count();
    if line.cut && there() != people {
        return Err(wrong_number(line, there(), people));
    }
    Ok(Columns { fixed, genotypes: rest })
}

/// A line that ends too early, which is the file's fault if it is the last one.
pub(super) fn too_short(line: &Line, what: &str) -> Error {
    let error = match line.cut {
        true => Error::new(ErrorKind::Truncated, format!("the file ends within a record: {what}"))
            .remedy("copy or make the file again"),
        false => Error::new(ErrorKind::Malformed, what).remedy("mend the line"),
    };
    match line.number {
        Some(number) => error.record(number),
        None => error,
    }
}

/// A line with more or fewer people than the header.
pub(super) fn wrong_number(line: &Line, there: usize, people: usize) -> Error {
    too_short(line, &format!("the line has {there} genotypes where the header names {people} samples"))
}

/// The text of a column.
pub(super) fn text<'a>(bytes: &'a [u8], column: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::Malformed, format!("{column} is not UTF-8")))
}

/// Reads a panel.
pub(super) fn read(mut source: Source, options: &ReadOptions, progress: &mut Progress) -> Result<Read> {
    let path = source.path().to_path_buf();
    let mut header = read_header(&mut source)?;
    let mut contigs = header.contig_names();
    let mut collector = Collector::new(&path, std::mem::take(&mut header.samples), options, progress)?;
    let start = match &options.region {
        Some(region) => index::start(&source, region, None, collector.notices())?,
        None => Start::Beginning,
    };
    let seeked = match start {
        Start::Beginning => false,
        Start::At(offset) => {
            source.seek(offset)?;
            true
        }
        Start::Nowhere(named) => {
            contigs.extend(named);
            return collector.finish(&contigs);
        }
    };
    let people = collector.people_in_file();
    let mut genotypes = Genotypes::default();
    let mut bits = vec![0u64; words_for(2 * people)];
    while let Some(line) = source.line()? {
        if line.bytes.is_empty() {
            continue;
        }
        let at = |e: Error| match line.number {
            Some(number) => e.file(&path).record(number),
            None => e.file(&path),
        };
        let Columns { fixed, genotypes: rest } = columns(&line, people).map_err(at)?;
        let contig = text(fixed[0], "CHROM").map_err(at)?;
        let position = text(fixed[1], "POS").map_err(at)?;
        let position: u64 = position.parse().map_err(|_| {
            at(Error::new(ErrorKind::Malformed, format!("POS '{position}' is not a number")).remedy("mend the line"))
        })?;
        if seeked && collector.is_past(contig, position) {
            break;
        }
        let alternates: Vec<&str> = text(fixed[4], "ALT").map_err(at)?.split(',').collect();
        let id = text(fixed[2], "ID").map_err(at)?;
        let variant = Variant {
            contig,
            position,
            id: if id == "." { "" } else { id },
            reference: text(fixed[3], "REF").map_err(at)?,
            alternates: &alternates,
            record: line.number,
        };
        let Verdict::Take(taken) = collector.consider(&variant)? else { continue };
        let Some(which) = fixed[8].split(|b| *b == b':').position(|key| key == b"GT") else {
            collector.without_genotypes();
            continue;
        };
        if fixed[8] == b"GT" && alternates.len() == 1 && pack(rest, 2 * people, &mut bits, HOMOZYGOUS) {
            collector.push_bits(&variant, &bits)?;
            continue;
        }
        parse(rest, which, people, &mut genotypes).map_err(|e| {
            let error = match e {
                Unparsed::Columns(n) => wrong_number(&line, n, people),
                Unparsed::Genotype(column) => {
                    let field = rest.split(|b| *b == b'\t').nth(column).unwrap_or_default();
                    let shown = String::from_utf8_lossy(&field[..field.len().min(40)]).into_owned();
                    too_short(&line, &format!("genotype '{shown}' does not parse")).sample(collector.name(column))
                }
            };
            variant.at(at(error))
        })?;
        collector.push(&variant, &taken, &genotypes)?;
    }
    Ok(Read { sample_lines: header.sample_lines(), ..collector.finish(&contigs)? })
}

/// Two people without alternate alleles.
pub(super) const HOMOZYGOUS: u64 = u64::from_le_bytes(*b"0|0\t0|0\t");
/// The bits of [`HOMOZYGOUS`] in which alleles 0 and 1 differ.
const ALLELES: u64 = 0x0001_0001_0001_0001;
/// Moves bits 0, 16, 32 and 48 to 48, 49, 50 and 51.
const GATHER: u64 = 1 << 48 | 1 << 33 | 1 << 18 | 1 << 3;

/// Packs a line of alleles 0 and 1 with single characters between them, as in `pattern`, which holds four reference
/// alleles; eight bytes at a time. Returns false for any other line, without a result.
pub(super) fn pack(text: &[u8], alleles: usize, bits: &mut [u64], pattern: u64) -> bool {
    if text.len() + 1 != 2 * alleles {
        return false;
    }
    let mut other = 0;
    let mut word = |text: &[u8; 128]| {
        let mut word = 0;
        for (i, four) in text.as_chunks::<8>().0.iter().enumerate() {
            let differs = u64::from_le_bytes(*four) ^ pattern;
            other |= differs & !ALLELES;
            word |= ((differs & ALLELES).wrapping_mul(GATHER) >> 48 & 15) << (4 * i);
        }
        word
    };
    let (whole, rest) = text.as_chunks::<128>();
    for (bits, text) in bits.iter_mut().zip(whole) {
        *bits = word(text);
    }
    if !rest.is_empty() {
        // Reference alleles for those that are not there.
        let mut last = [0u8; 128];
        for four in last.as_chunks_mut::<8>().0 {
            *four = pattern.to_le_bytes();
        }
        last[..rest.len()].copy_from_slice(rest);
        bits[whole.len()] = word(&last);
    }
    other == 0
}

/// Why genotypes do not parse.
enum Unparsed {
    /// There are so many instead.
    Columns(usize),
    /// That of this person.
    Genotype(usize),
}

/// Parses any line: `which` is the place of GT among a person's fields.
fn parse(text: &[u8], which: usize, people: usize, out: &mut Genotypes) -> Result<(), Unparsed> {
    out.alleles.clear();
    out.phased.clear();
    let mut count = 0;
    for field in text.split(|b| *b == b'\t') {
        if count < people {
            // Trailing fields may be left out, GT too.
            let genotype = match which {
                0 => &field[..find(b':', field).unwrap_or(field.len())],
                n => field.split(|b| *b == b':').nth(n).unwrap_or(b"."),
            };
            let (alleles, phased) = genotype_of(genotype).ok_or(Unparsed::Genotype(count))?;
            out.alleles.extend(alleles);
            out.phased.push(phased);
        }
        count += 1;
    }
    match count == people {
        true => Ok(()),
        false => Err(Unparsed::Columns(count)),
    }
}

/// The alleles of one genotype and whether it is phased; `None` if it does not parse.
pub(super) fn genotype_of(text: &[u8]) -> Option<([i32; 2], bool)> {
    let allele = |text: &[u8]| match text {
        b"." => Some(MISSING),
        [digit @ b'0'..=b'9'] => Some(i32::from(digit - b'0')),
        [b'0'..=b'9', ..] if text.len() < 6 && text.iter().all(u8::is_ascii_digit) => {
            Some(text.iter().fold(0, |n, d| 10 * n + i32::from(d - b'0')))
        }
        _ => None,
    };
    // VCF 4.4 allows a phase sign before the first allele; for a diploid genotype the one between decides.
    let text = text.strip_prefix(b"|").or(text.strip_prefix(b"/")).unwrap_or(text);
    match text.iter().position(|b| matches!(b, b'|' | b'/')) {
        None => Some(([allele(text)?, ABSENT], true)),
        Some(middle) => {
            let (first, second) = (&text[..middle], &text[middle + 1..]);
            if second.iter().any(|b| matches!(b, b'|' | b'/')) {
                return Some(([POLYPLOID; 2], true));
            }
            Some(([allele(first)?, allele(second)?], text[middle] == b'|'))
        }
    }
}
