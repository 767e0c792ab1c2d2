//! PLINK 2 sets from panels.

use super::super::WriteOptions;
use super::super::bgzf::{Packing, is_dash};
use super::super::output::{Output, commit_together};
use super::super::write::header_line;
use super::record::{LOW, PHASED};
use super::{BLOCK, Haploid, MAGIC, VARIABLE, companion};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::Panel;
use crate::panel::bits::{BitMatrix, words_for};
use std::path::Path;

/// The last position that plink2 takes.
const LAST_POSITION: u64 = (1 << 31) - 2;

/// Writes `.pvar`, `.psam` and `.pgen`.
pub(in crate::io) fn write(path: &Path, panel: &Panel, options: &WriteOptions) -> Result<()> {
    let named = |e: Error| e.file(path);
    if is_dash(path) {
        return Err(Error::argument("a PLINK 2 set is three files, which do not go to standard output")
            .remedy("name a file that ends in .pgen, or write VCF"));
    }
    if panel.haplotypes() == 0 || panel.sites().is_empty() {
        return Err(named(Error::new(ErrorKind::Empty, "the panel has no haplotypes or no sites")));
    }
    check_ploidy(panel).map_err(named)?;
    let pvar = write_sites(path, panel, options)?;
    let psam = write_people(path, panel)?;
    let pgen = write_genotypes(path, panel)?;
    // The genotypes come last: whoever sees them finds their sites and people.
    commit_together([pvar, psam, pgen].into())
}

/// Ploidy is not in the files: it has to be what contig and sex say.
fn check_ploidy(panel: &Panel) -> Result<()> {
    let mut contig = "";
    for site in panel.sites().iter().filter(|s| std::mem::replace(&mut contig, &s.contig) != &*s.contig) {
        let haploid = Haploid::on(&site.contig);
        for sample in panel.samples().iter() {
            let what = match (haploid, sample.ploidy) {
                (Haploid::Nobody, 1) => "the person has one allele where PLINK 2 knows only people with two",
                (Haploid::Everybody, 2) => "the person has two alleles where PLINK 2 knows only people with one",
                _ => continue,
            };
            return Err(Error::new(ErrorKind::Ploidy, what)
                .site(&site.contig, site.position)
                .sample(&sample.name)
                .remedy("write VCF or BCF: a .pgen holds one allele for men on X and for everybody on Y and MT"));
        }
    }
    Ok(())
}

/// Whether a text can stand as a field.
fn is_field(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('#') && !text.contains(|c: char| c.is_ascii_control() || c == ' ')
}

fn write_sites(path: &Path, panel: &Panel, options: &WriteOptions) -> Result<Output> {
    let path = companion(path, "pvar");
    let mut output = Output::create(&path, Packing::Plain, 1)?;
    for (key, value) in &options.header_lines {
        let line = header_line(key, value).map_err(|e| e.file(&path))?;
        output.sink().buffer().extend_from_slice(line.as_bytes());
    }
    output.sink().buffer().extend_from_slice(b"#CHROM\tPOS\tID\tREF\tALT\n");
    for site in panel.sites().iter() {
        let at = |e: Error| e.file(&path).site(&site.contig, site.position);
        if !(1..=LAST_POSITION).contains(&site.position) {
            return Err(at(Error::argument(format!("positions in PLINK 2 go from 1 to {LAST_POSITION}"))));
        }
        let id = if site.id.is_empty() { "." } else { &site.id };
        for text in [&site.contig, id, &site.reference, &site.alternate] {
            if !is_field(text) {
                return Err(at(Error::argument(format!("'{text}' cannot stand in a .pvar"))));
            }
        }
        if site.reference.contains(',') || site.alternate.contains(',') {
            return Err(at(Error::argument("an allele holds a comma")));
        }
        let line = format!("{}\t{}\t{id}\t{}\t{}\n", site.contig, site.position, site.reference, site.alternate);
        output.sink().buffer().extend_from_slice(line.as_bytes());
        output.sink().spill()?;
    }
    Ok(output)
}

/// A person with one allele on X is a man. The sex of others is not known: a man has two alleles in the
/// pseudo-autosomal regions, which are on X in most files.
fn write_people(path: &Path, panel: &Panel) -> Result<Output> {
    let path = companion(path, "psam");
    let mut output = Output::create(&path, Packing::Plain, 1)?;
    let on_x = panel.sites().contigs().iter().any(|c| Haploid::on(c) == Haploid::Men);
    let labels = panel.samples().iter().any(|s| s.label.is_some());
    output.sink().buffer().extend_from_slice(if labels { b"#IID\tSEX\tpopulation\n" } else { b"#IID\tSEX\n" });
    for sample in panel.samples().iter() {
        let at = |what: String, remedy: &str| {
            Err(Error::argument(what).file(&path).sample(&sample.name).remedy(remedy.to_string()))
        };
        if !is_field(&sample.name) || sample.name == "0" {
            return at("the name cannot stand in a .psam".into(), "rename the person (bcftools reheader -s)");
        }
        let mut line = format!("{}\t{}", sample.name, if on_x && sample.ploidy == 1 { "1" } else { "NA" });
        if labels {
            let label = sample.label.as_deref().unwrap_or("NONE");
            let number = label.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
            if !is_field(label) || number || ["NA", "nan"].iter().any(|n| label.eq_ignore_ascii_case(n)) {
                let what = format!("PLINK 2 takes label '{label}' for no category");
                return at(what, "rename it: no spaces, a letter first, and not NA");
            }
            line.push_str(&format!("\t{label}"));
        }
        line.push('\n');
        output.sink().buffer().extend_from_slice(line.as_bytes());
        output.sink().spill()?;
    }
    Ok(output)
}

fn write_genotypes(path: &Path, panel: &Panel) -> Result<Output> {
    let number = |n: usize, what: &str| {
        // 2^31 - 2 is plink2's own bound.
        u32::try_from(n).ok().filter(|n| *n <= LAST_POSITION as u32).ok_or_else(|| {
            Error::argument(format!("{n} {what} are more than a .pgen holds")).file(path).remedy("write BCF")
        })
    };
    let (sites, people) = (panel.sites().len(), panel.samples().len());
    let (variants, persons) = (number(sites, "sites")?, number(people, "people")?);
    let bits = panel.bits().transpose()?;
    let missing = panel.missing().map(BitMatrix::transpose).transpose()?;
    let unphased = panel.unphased().map(BitMatrix::transpose).transpose()?;
    let mut encoder = Encoder {
        panel,
        alleles: vec![0; words_for(2 * people)],
        missing: missing.as_ref().map(|_| vec![0; words_for(2 * people)]),
        phased: Vec::new(),
        swapped: Vec::new(),
    };
    let mut encode = |s: usize, out: &mut Vec<u8>| {
        let planes = (bits.row(s), missing.as_ref().map(|m| m.row(s)), unphased.as_ref().map(|m| m.row(s)));
        encoder.encode(planes.0, planes.1, planes.2, out).map_err(|i| {
            let site = &panel.sites()[s];
            Error::new(ErrorKind::Missing, "one allele of a genotype is missing, which a .pgen does not hold")
                .file(path)
                .site(&site.contig, site.position)
                .sample(&panel.samples().as_slice()[i].name)
                .remedy("write VCF or BCF, or read with option missing=reference (or frequency, drop-site)")
        })
    };
    // Lengths come before the records, so each record is made twice.
    let (mut types, mut lengths, mut record) = (Vec::with_capacity(sites), Vec::with_capacity(sites), Vec::new());
    for s in 0..sites {
        record.clear();
        types.push(encode(s, &mut record)?);
        lengths.push(record.len() as u32);
    }
    let longest = lengths.iter().max().copied().unwrap_or(1).max(1);
    let width = longest.ilog2() as usize / 8 + 1;

    let mut output = Output::create(path, Packing::Plain, 1)?;
    let head = output.sink().buffer();
    head.extend_from_slice(&MAGIC);
    head.push(VARIABLE);
    head.extend_from_slice(&variants.to_le_bytes());
    head.extend_from_slice(&persons.to_le_bytes());
    // Types of eight bits, lengths of `width` bytes, no allele counts, and every reference allele is known as such.
    head.push(0x40 | (3 + width) as u8);
    let mut start = (12 + 8 * sites.div_ceil(BLOCK) + sites * (1 + width)) as u64;
    for block in lengths.chunks(BLOCK) {
        head.extend_from_slice(&start.to_le_bytes());
        start += block.iter().map(|n| u64::from(*n)).sum::<u64>();
    }
    for (types, lengths) in types.chunks(BLOCK).zip(lengths.chunks(BLOCK)) {
        output.sink().buffer().extend_from_slice(types);
        for length in lengths {
            output.sink().buffer().extend_from_slice(&length.to_le_bytes()[..width]);
        }
        output.sink().spill()?;
    }
    for s in 0..sites {
        encode(s, output.sink().buffer())?;
        output.sink().spill()?;
    }
    Ok(output)
}

/// Makes records, and holds what they need.
struct Encoder<'a> {
    panel: &'a Panel,
    /// Two bits a person.
    alleles: Vec<u64>,
    missing: Option<Vec<u64>>,
    /// Of those with two different alleles: who is phased, and of these, whose first allele is the alternate one.
    phased: Vec<bool>,
    swapped: Vec<bool>,
}

impl Encoder<'_> {
    /// Appends the record of a site, and returns its type.
    ///
    /// # Errors
    /// The person of whose two alleles one is missing.
    fn encode(
        &mut self,
        alleles: &[u64],
        missing: Option<&[u64]>,
        unphased: Option<&[u64]>,
        out: &mut Vec<u8>,
    ) -> Result<u8, usize> {
        let people = self.panel.samples().len();
        pairs(self.panel, alleles, &mut self.alleles);
        if let (Some(pairs_missing), Some(missing)) = (&mut self.missing, missing) {
            pairs(self.panel, missing, pairs_missing);
        }
        let mut codes_left = people.div_ceil(4);
        self.swapped.clear();
        self.phased.clear();
        // The first bit says whether those of who is phased follow.
        self.phased.push(true);
        let (mut any, mut all) = (false, true);
        for (w, word) in self.alleles.iter().enumerate() {
            let gone = self.missing.as_ref().map_or(0, |m| m[w]);
            let half = (gone ^ gone >> 1) & LOW;
            if half != 0 {
                return Err(32 * w + half.trailing_zeros() as usize / 2);
            }
            let (first, second) = (word & LOW & !gone, word >> 1 & LOW & !gone);
            let codes = (first ^ second) | (first & second) << 1 | gone;
            let bytes = codes.to_le_bytes();
            out.extend_from_slice(&bytes[..codes_left.min(8)]);
            codes_left = codes_left.saturating_sub(8);
            let mut hets = first ^ second;
            while hets != 0 {
                let at = hets.trailing_zeros();
                let i = 32 * w + at as usize / 2;
                let known = unphased.is_none_or(|u| u[i / 64] >> (i % 64) & 1 == 0);
                self.phased.push(known);
                if known {
                    self.swapped.push(first >> at & 1 == 1);
                }
                (any, all) = (any | known, all & known);
                hets &= hets - 1;
            }
        }
        match (any, all) {
            (false, _) => {}
            (true, true) => {
                self.phased.truncate(1);
                self.phased[0] = false;
                self.phased.append(&mut self.swapped);
                pack(&self.phased, out);
            }
            (true, false) => {
                pack(&self.phased, out);
                pack(&self.swapped, out);
            }
        }
        Ok(if any { PHASED } else { 0 })
    }
}

/// Two bits a person from one bit a haplotype: the only allele of a person counts twice.
fn pairs(panel: &Panel, haplotypes: &[u64], out: &mut [u64]) {
    if panel.haplotypes() == 2 * panel.samples().len() {
        out.copy_from_slice(haplotypes);
        return;
    }
    out.fill(0);
    let bit = |h: usize| haplotypes[h / 64] >> (h % 64) & 1;
    for i in 0..panel.samples().len() {
        let range = panel.samples().haplotypes_of(i);
        out[i / 32] |= (bit(range.start) | bit(range.end - 1) << 1) << (2 * (i % 32));
    }
}

/// Appends bits, the lowest of a byte first.
fn pack(bits: &[bool], out: &mut Vec<u8>) {
    out.extend(bits.chunks(8).map(|c| c.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))));
}
