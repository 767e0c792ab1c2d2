//! Panels to files.

use super::bgzf::{IndexKind, Packing, is_dash};
use super::output::Output;
use super::{Format, bcf, haplegend, hapt, pgen};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::progress::Progress;
use std::path::Path;

/// How to write a panel.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// The format; `None` goes by the name ([`Format::from_name`]).
    pub format: Option<Format>,
    /// Threads that compress; 0: one a processor. The bytes of the panel do not depend on it.
    pub threads: usize,
    /// Lines `##key=value` for the header of VCF, BCF and `.pvar`: where the panel comes from.
    pub header_lines: Vec<(String, String)>,
    /// Whether VCF.gz gets a `.tbi` (a `.csi` if a position is past 2^29) and BCF a `.csi`. This is the default.
    pub index: bool,
    /// The first column of `.hapt`, of people without a label.
    pub group: String,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions { format: None, threads: 1, header_lines: Vec::new(), index: true, group: "Panel".into() }
    }
}

impl WriteOptions {
    /// From the keys `format`, `index` and `threads`, with their defaults.
    ///
    /// # Errors
    /// `UnknownFormat`.
    pub fn from_options(options: &Options) -> Result<Self> {
        Ok(WriteOptions {
            format: Format::from_option(options)?,
            threads: options.whole("threads"),
            index: options.flag("index"),
            ..WriteOptions::default()
        })
    }
}

/// Writes a panel. The file (and its index) appears whole or not at all; `-` is standard output.
///
/// VCF and BCF get `##contig` lines, FILTER `PASS`, and INFO AC, AN and AF; haploid people have genotypes of one allele,
/// missing alleles are `.`, and unphased genotypes have a `/`. `.pgen` comes with `.pvar` and `.psam`; an unphased genotype
/// of two alleles reads back as reference first. Labels are the column `population` of `.psam`, the columns `population` and
/// `group` of `.samples`, and the first column of `.hapt`; VCF and BCF do not hold them.
///
/// # Errors
/// `Io`; `UnknownFormat` for a name that says none; `Missing`, `Unphased` or `Ploidy` where the format does not hold them;
/// `InvalidArgument` for names that the format does not hold.
pub fn write_panel(path: &Path, panel: &Panel, options: &WriteOptions) -> Result<()> {
    write_panel_watched(path, panel, options, &mut Progress::none())
}

/// Writes a panel as [`write_panel`] does; VCF and BCF tell of their progress in records and can be stopped on the way,
/// other formats before they begin.
///
/// # Errors
/// As [`write_panel`]; `Cancelled`. The target is as it was then.
pub fn write_panel_watched(path: &Path, panel: &Panel, options: &WriteOptions, progress: &mut Progress) -> Result<()> {
    progress.check()?;
    let format = match options.format {
        Some(format) => format,
        None => Format::from_name(path)?,
    };
    let options = &WriteOptions { threads: crate::threads::Threads::new(options.threads).count(), ..options.clone() };
    match format {
        Format::HapLegend { gz } => haplegend::write(path, panel, gz, options),
        Format::Hapt { gz } => hapt::write(path, panel, gz, options),
        Format::Pgen => pgen::write(path, panel, options),
        Format::Vcf | Format::VcfGz | Format::Bcf => write_records(path, panel, format, options, progress),
    }
}

/// One site's genotypes, for a writer of records.
pub(super) struct Row<'a> {
    pub(super) panel: &'a Panel,
    pub(super) alleles: &'a [u64],
    pub(super) missing: Option<&'a [u64]>,
    pub(super) unphased: Option<&'a [u64]>,
}

/// One genotype.
pub(super) struct Genotype {
    /// Alleles: 0, 1 or `None` for missing; the second is `Some(None)` if missing and `None` if the person is haploid.
    pub(super) first: Option<bool>,
    pub(super) second: Option<Option<bool>>,
    pub(super) phased: bool,
}

impl Row<'_> {
    fn bit(row: &[u64], i: usize) -> bool {
        row[i / 64] >> (i % 64) & 1 == 1
    }

    /// The genotype of person `i`.
    pub(super) fn genotype(&self, i: usize) -> Genotype {
        let haplotypes = self.panel.samples().haplotypes_of(i);
        let allele = |h: usize| match self.missing.is_some_and(|m| Self::bit(m, h)) {
            true => None,
            false => Some(Self::bit(self.alleles, h)),
        };
        Genotype {
            first: allele(haplotypes.start),
            second: (haplotypes.len() == 2).then(|| allele(haplotypes.start + 1)),
            phased: !self.unphased.is_some_and(|u| Self::bit(u, i)),
        }
    }

    /// Alternate alleles, and alleles known.
    pub(super) fn counts(&self) -> (u32, u32) {
        let ones = |row: &[u64]| row.iter().map(|w| w.count_ones()).sum::<u32>();
        (ones(self.alleles), self.panel.haplotypes() as u32 - self.missing.map_or(0, ones))
    }
}

/// The text of the header of VCF and BCF, without samples' names checked.
pub(super) fn header_text(panel: &Panel, header_lines: &[(String, String)]) -> Result<String> {
    let mut text = String::from("##fileformat=VCFv4.2\n##FILTER=<ID=PASS,Description=\"All filters passed\">\n");
    for (key, value) in header_lines {
        text.push_str(&header_line(key, value)?);
    }
    for contig in panel.sites().contigs() {
        if contig.is_empty() || contig.contains(|c: char| c.is_ascii_control() || " ,<>\"=;".contains(c)) {
            return Err(Error::argument(format!("'{contig}' cannot be the name of a contig in VCF")));
        }
        text.push_str(&format!("##contig=<ID={contig}>\n"));
    }
    text.push_str(
        "##INFO=<ID=AC,Number=A,Type=Integer,Description=\"Alternate alleles in genotypes\">\n\
         ##INFO=<ID=AN,Number=1,Type=Integer,Description=\"Alleles in genotypes\">\n\
         ##INFO=<ID=AF,Number=A,Type=Float,Description=\"Frequency of the alternate allele\">\n\
         ##FORMAT=<ID=GT,Number=1,Type=String,Description=\"Genotype\">\n\
         #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT",
    );
    for sample in panel.samples().iter() {
        if sample.name.is_empty() || sample.name.contains(['\t', '\n', '\r']) {
            return Err(Error::argument("a sample's name is empty or holds a tab or a line feed").sample(&sample.name));
        }
        text.push('\t');
        text.push_str(&sample.name);
    }
    text.push('\n');
    Ok(text)
}

/// `##key=value` and a line feed.
pub(super) fn header_line(key: &str, value: &str) -> Result<String> {
    let bad_key = key.is_empty() || key.contains(|c: char| c.is_ascii_control() || "=< #".contains(c));
    match bad_key || value.is_empty() || value.starts_with('<') || value.contains(|c: char| c.is_control()) {
        true => Err(Error::argument(format!("'{key}={value}' cannot be a line of a VCF header"))),
        false => Ok(format!("##{key}={value}\n")),
    }
}

fn write_records(
    path: &Path,
    panel: &Panel,
    format: Format,
    options: &WriteOptions,
    progress: &mut Progress,
) -> Result<()> {
    let named = |e: Error| e.file(path);
    if panel.haplotypes() == 0 || panel.sites().is_empty() {
        return Err(named(Error::new(ErrorKind::Empty, "the panel has no haplotypes or no sites")));
    }
    let text = header_text(panel, &options.header_lines).map_err(named)?;
    let packing = if format == Format::Vcf { Packing::Plain } else { Packing::Bgzf };
    let mut output = Output::create(path, packing, options.threads)?;
    match format {
        Format::Bcf => bcf::encode_header(&text, output.sink().buffer()).map_err(named)?,
        _ => output.sink().buffer().extend_from_slice(text.as_bytes()),
    }
    let bits = panel.bits().transpose()?;
    let missing = panel.missing().map(BitMatrix::transpose).transpose()?;
    let unphased = panel.unphased().map(BitMatrix::transpose).transpose()?;
    let contigs = panel.sites().contigs();
    let mut contig = 0;
    for (s, site) in panel.sites().iter().enumerate() {
        if s.is_multiple_of(1024) {
            progress.step("writing", s as u64, panel.sites().len() as u64, "records")?;
        }
        let at = |e: Error| named(e).site(&site.contig, site.position);
        if contigs[contig] != site.contig {
            contig += 1;
        }
        let row = Row {
            panel,
            alleles: bits.row(s),
            missing: missing.as_ref().map(|m| m.row(s)),
            unphased: unphased.as_ref().map(|m| m.row(s)),
        };
        if site.position == 0 || site.position > i32::MAX as u64 {
            return Err(at(Error::argument("positions in VCF and BCF go from 1 to 2147483647")));
        }
        for text in [&site.id, &site.reference, &site.alternate] {
            if text.contains(|c: char| c.is_ascii_control() || " ,".contains(c)) {
                return Err(at(Error::argument(format!("'{text}' cannot stand in VCF"))));
            }
        }
        if site.reference.is_empty() || site.alternate.is_empty() {
            return Err(at(Error::argument("an allele is empty")));
        }
        match format {
            Format::Bcf => bcf::encode(site, contig, &row, output.sink().buffer()).map_err(at)?,
            _ => text_record(site, &row, output.sink().buffer()),
        }
        output.sink().spill()?;
    }
    let last = panel.sites().iter().map(|s| s.position).max().unwrap_or(0);
    let index = (options.index && !is_dash(path)).then_some(()).and(match format {
        Format::Bcf => Some(IndexKind::CsiOfBcf),
        // A .tbi ends at 2^29 (Tabix specification).
        Format::VcfGz if last >= 1 << 29 => Some(IndexKind::CsiOfVcf),
        Format::VcfGz => Some(IndexKind::Tbi),
        _ => None,
    });
    output.commit(index)
}

/// AC, AN and AF as text; AF is the shortest number that a 32-bit float reads back.
pub(super) fn info_text(ones: u32, known: u32) -> String {
    match known {
        0 => "AC=0;AN=0".to_string(),
        known => format!("AC={ones};AN={known};AF={}", ones as f32 / known as f32),
    }
}

fn text_record(site: &crate::panel::sites::Site, row: &Row, out: &mut Vec<u8>) {
    let (ones, known) = row.counts();
    let id = if site.id.is_empty() { "." } else { &site.id };
    let fixed = format!(
        "{}\t{}\t{id}\t{}\t{}\t.\tPASS\t{}\tGT",
        site.contig,
        site.position,
        site.reference,
        site.alternate,
        info_text(ones, known)
    );
    out.extend_from_slice(fixed.as_bytes());
    let people = row.panel.samples().len();
    if row.missing.is_none() && row.unphased.is_none() && row.panel.haplotypes() == 2 * people {
        diploid_text(row.alleles, people, out);
    } else {
        for i in 0..people {
            let genotype = row.genotype(i);
            let digit = |allele: Option<bool>| allele.map_or(b'.', |a| b'0' + u8::from(a));
            out.extend_from_slice(&[b'\t', digit(genotype.first)]);
            if let Some(second) = genotype.second {
                out.extend_from_slice(&[if genotype.phased { b'|' } else { b'/' }, digit(second)]);
            }
        }
    }
    out.push(b'\n');
}

/// Complete, phased, diploid genotypes, a tab before each: bits 2i and 2i + 1 are person i.
pub(super) fn diploid_text(alleles: &[u64], people: usize, out: &mut Vec<u8>) {
    const TEXTS: [[u8; 4]; 4] = [*b"\t0|0", *b"\t1|0", *b"\t0|1", *b"\t1|1"];
    for i in 0..people {
        out.extend_from_slice(&TEXTS[(alleles[i / 32] >> (2 * (i % 32)) & 3) as usize]);
    }
}
