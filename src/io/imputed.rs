//! Imputed genotypes to VCF and BCF: GT:DS:HDS:GP, and what is known of their quality.

use super::Format;
use super::bcf::{self, FLOAT, INT8, encode_text, encode_whole};
use super::bgzf::{IndexKind, Packing, is_dash};
use super::output::Output;
use super::write::header_line;
use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;
use crate::panel::samples::Samples;
use crate::panel::sites::Site;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to write imputed genotypes.
#[derive(Clone, Debug)]
pub struct ImputedOptions {
    /// VCF, VCF.gz or BCF; `None` goes by the name.
    pub format: Option<Format>,
    /// Threads that compress; 0: one a processor.
    pub threads: usize,
    /// Whether VCF.gz and BCF get an index. This is the default.
    pub index: bool,
    /// Lines `##key=value` for the header.
    pub header_lines: Vec<(String, String)>,
}

impl Default for ImputedOptions {
    fn default() -> Self {
        ImputedOptions { format: None, threads: 1, index: true, header_lines: Vec::new() }
    }
}

impl ImputedOptions {
    /// From the keys `format`, `index` and `threads`, with their defaults.
    ///
    /// # Errors
    /// `UnknownFormat`.
    pub fn from_options(options: &Options) -> Result<Self> {
        Ok(ImputedOptions {
            format: Format::from_option(options)?,
            threads: options.whole("threads"),
            index: options.flag("index"),
            header_lines: Vec::new(),
        })
    }
}

/// Where the genotypes of a record come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The target has the site and so has what it was imputed from.
    Typed,
    /// The target does not have the site.
    Imputed,
    /// The target alone has the site: its alleles are passed through.
    TypedOnly,
}

/// One site of the output.
#[derive(Clone, Copy, Debug)]
pub struct ImputedRecord<'a> {
    /// The site.
    pub site: &'a Site,
    /// Where its genotypes come from.
    pub origin: Origin,
    /// The expected number of alternate alleles on each haplotype, 0 to 1; NaN where nothing is known.
    pub dosages: &'a [f32],
    /// INFO fields, by name; those that are not finite are left out.
    pub quality: &'a [(&'static str, f64)],
}

/// The INFO fields of quality, with what the header says of them.
const QUALITY: [(&str, &str); 5] = [
    ("AF", "Frequency of the alternate allele, estimated"),
    ("MAF", "Frequency of the rarer allele, estimated"),
    ("R2", "Estimated squared correlation of dosage and allele: variance of the haplotypes' dosages over AF (1 - AF)"),
    ("INFO", "IMPUTE's information: 1 - sum of h (1 - h) over haplotypes / (haplotypes AF (1 - AF)), h their dosages"),
    ("ER2", "Squared correlation of the typed alleles and the dosages imputed without them"),
];
const FLAGS: [(&str, &str); 3] = [
    ("TYPED", "The target has the site"),
    ("IMPUTED", "The target does not have the site"),
    ("TYPED_ONLY", "What was imputed from does not have the site; genotypes are the target's"),
];
const FORMATS: [(&str, &str, &str, &str); 4] = [
    ("GT", "1", "String", "Genotype"),
    ("DS", "1", "Float", "Expected number of alternate alleles"),
    ("HDS", ".", "Float", "Expected number of alternate alleles on each haplotype"),
    ("GP", "G", "Float", "Probabilities of the genotypes"),
];

/// A file of imputed genotypes on its way: it appears whole at [`ImputedWriter::commit`], or not at all.
pub struct ImputedWriter {
    output: Output,
    path: PathBuf,
    format: Format,
    index: bool,
    contigs: Vec<Arc<str>>,
    contig: usize,
    samples: Samples,
    last: u64,
    texts: Thousandths,
}

impl ImputedWriter {
    /// Begins a file for these people; `contigs` in the order in which their sites will come.
    ///
    /// # Errors
    /// `UnknownFormat` unless it is VCF or BCF; `Io`; `InvalidArgument` for names that VCF cannot hold.
    pub fn create(path: &Path, contigs: Vec<Arc<str>>, samples: &Samples, options: &ImputedOptions) -> Result<Self> {
        let format = match options.format {
            Some(format) => format,
            None => Format::from_name(path)?,
        };
        if !matches!(format, Format::Vcf | Format::VcfGz | Format::Bcf) {
            return Err(Error::new(ErrorKind::UnknownFormat, format!("imputed genotypes are not written as {format}"))
                .file(path)
                .remedy("write VCF, VCF.gz or BCF"));
        }
        let threads = crate::threads::Threads::new(options.threads).count();
        let text = header_text(&contigs, samples, &options.header_lines).map_err(|e| e.file(path))?;
        let packing = if format == Format::Vcf { Packing::Plain } else { Packing::Bgzf };
        let mut output = Output::create(path, packing, threads)?;
        match format {
            Format::Bcf => bcf::encode_header(&text, output.sink().buffer())?,
            _ => output.sink().buffer().extend_from_slice(text.as_bytes()),
        }
        Ok(ImputedWriter {
            output,
            path: path.to_path_buf(),
            format,
            index: options.index && !is_dash(path),
            contigs,
            contig: 0,
            samples: samples.clone(),
            last: 0,
            texts: Thousandths::new(),
        })
    }

    /// Writes one record; they come in the order of the contigs and positions.
    ///
    /// # Errors
    /// `Io`; `InvalidArgument` for a contig that was not announced, or for what VCF cannot hold.
    pub fn write(&mut self, record: &ImputedRecord) -> Result<()> {
        let site = record.site;
        let at = |e: Error| e.file(&self.path).site(&site.contig, site.position);
        let found = self.contigs[self.contig..].iter().position(|c| *c == site.contig);
        let ahead = found.ok_or_else(|| at(Error::argument("the record's contig was not announced, or is over")))?;
        self.contig += ahead;
        if record.dosages.len() != self.samples.haplotypes() {
            return Err(at(Error::argument(format!("{} dosages for the people's haplotypes", record.dosages.len()))));
        }
        if site.position == 0 || site.position > i32::MAX as u64 {
            return Err(at(Error::argument("positions in VCF and BCF go from 1 to 2147483647")));
        }
        let out = self.output.sink().buffer();
        match self.format {
            Format::Bcf => bcf_record(record, self.contig, &self.samples, out).map_err(at)?,
            _ => text_record(record, &self.samples, &self.texts, out),
        }
        self.last = self.last.max(site.position);
        self.output.sink().spill()
    }

    /// Finishes the file and its index.
    ///
    /// # Errors
    /// `Io`; the target is as it was then.
    pub fn commit(self) -> Result<()> {
        let kind = match self.format {
            _ if !self.index => None,
            Format::Bcf => Some(IndexKind::CsiOfBcf),
            // A .tbi ends at 2^29 (Tabix specification).
            Format::VcfGz if self.last >= 1 << 29 => Some(IndexKind::CsiOfVcf),
            Format::VcfGz => Some(IndexKind::Tbi),
            _ => None,
        };
        self.output.commit(kind)
    }
}

fn header_text(contigs: &[Arc<str>], samples: &Samples, lines: &[(String, String)]) -> Result<String> {
    let mut text = String::from("##fileformat=VCFv4.2\n##FILTER=<ID=PASS,Description=\"All filters passed\">\n");
    for (key, value) in lines {
        text.push_str(&header_line(key, value)?);
    }
    contigs.iter().for_each(|contig| text.push_str(&format!("##contig=<ID={contig}>\n")));
    for (id, what) in QUALITY {
        let number = if id == "AF" { "A" } else { "1" };
        text.push_str(&format!("##INFO=<ID={id},Number={number},Type=Float,Description=\"{what}\">\n"));
    }
    for (id, what) in FLAGS {
        text.push_str(&format!("##INFO=<ID={id},Number=0,Type=Flag,Description=\"{what}\">\n"));
    }
    for (id, number, kind, what) in FORMATS {
        text.push_str(&format!("##FORMAT=<ID={id},Number={number},Type={kind},Description=\"{what}\">\n"));
    }
    text.push_str("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT");
    for sample in samples.iter() {
        text.push('\t');
        text.push_str(&sample.name);
    }
    text.push('\n');
    Ok(text)
}

/// Numbers of the header's names in BCF: PASS is 0, then QUALITY, FLAGS and FORMATS in their order.
const FIRST_FLAG: usize = 1 + QUALITY.len();
const FIRST_FORMAT: usize = FIRST_FLAG + FLAGS.len();

fn flag(origin: Origin) -> usize {
    match origin {
        Origin::Typed => 0,
        Origin::Imputed => 1,
        Origin::TypedOnly => 2,
    }
}

/// Numbers of 0.001 from 0 to 2, as short texts.
struct Thousandths(Vec<String>);

impl Thousandths {
    fn new() -> Self {
        Thousandths((0..=2000).map(|n| (f64::from(n) / 1000.0).to_string()).collect())
    }

    fn push(&self, value: f32, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0[thousandths(value)].as_bytes());
    }
}

/// A number from 0 to 2 in thousandths.
fn thousandths(value: f32) -> usize {
    (value * 1000.0).round().clamp(0.0, 2000.0) as usize
}

/// Probabilities of 0, 1 and 2 alternate alleles.
fn probabilities(a: f32, b: f32) -> [f32; 3] {
    [(1.0 - a) * (1.0 - b), a * (1.0 - b) + b * (1.0 - a), a * b]
}

fn text_record(record: &ImputedRecord, samples: &Samples, texts: &Thousandths, out: &mut Vec<u8>) {
    let site = record.site;
    let id = if site.id.is_empty() { "." } else { &site.id };
    let fixed = format!("{}\t{}\t{id}\t{}\t{}\t.\tPASS\t", site.contig, site.position, site.reference, site.alternate);
    out.extend_from_slice(fixed.as_bytes());
    out.extend_from_slice(FLAGS[flag(record.origin)].0.as_bytes());
    for (name, value) in record.quality.iter().filter(|(_, value)| value.is_finite()) {
        out.extend_from_slice(format!(";{name}={}", rounded(*value)).as_bytes());
    }
    out.extend_from_slice(b"\tGT:DS:HDS:GP");
    let digit = |h: f32| if h >= 0.5 { b'1' } else { b'0' };
    for person in 0..samples.len() {
        out.push(b'\t');
        match record.dosages[samples.haplotypes_of(person)] {
            // Most genotypes are certain.
            [0.0, 0.0] => out.extend_from_slice(b"0|0:0:0,0:1,0,0"),
            [a, b] if a.is_nan() || b.is_nan() => {
                let allele = |h: f32| if h.is_nan() { b'.' } else { digit(h) };
                out.extend_from_slice(&[allele(a), b'|', allele(b)]);
                out.extend_from_slice(b":.:.,.:.,.,.");
            }
            [a, b] => {
                out.extend_from_slice(&[digit(a), b'|', digit(b), b':']);
                texts.push(a + b, out);
                for (i, value) in [a, b].into_iter().chain(probabilities(a, b)).enumerate() {
                    out.push(if i == 0 || i == 2 { b':' } else { b',' });
                    texts.push(value, out);
                }
            }
            [a] if a.is_nan() => out.extend_from_slice(b".:.:.:.,."),
            [a] => {
                out.extend_from_slice(&[digit(a), b':']);
                for (i, value) in [a, a, 1.0 - a, a].into_iter().enumerate() {
                    texts.push(value, out);
                    out.extend_from_slice([&b":"[..], b":", b",", b""][i]);
                }
            }
            _ => out.push(b'.'),
        }
    }
    out.push(b'\n');
}

/// Five digits behind the point, as text and in BCF.
fn rounded(value: f64) -> f32 {
    ((value * 1e5).round() / 1e5) as f32
}

fn bcf_record(record: &ImputedRecord, contig: usize, samples: &Samples, out: &mut Vec<u8>) -> Result<()> {
    /// A float that is missing, and one behind the last.
    const MISSING: u32 = 0x7f80_0001;
    const END: u32 = 0x7f80_0002;
    let site = record.site;
    let people = samples.len();
    if people >= 1 << 24 {
        return Err(Error::argument("BCF holds at most 16,777,215 people").remedy("write VCF"));
    }
    let too_long = || Error::argument("the record is longer than BCF allows").remedy("write VCF");
    let quality: Vec<(usize, f64)> = record
        .quality
        .iter()
        .filter(|(_, value)| value.is_finite())
        .filter_map(|(name, value)| Some((QUALITY.iter().position(|(known, _)| known == name)?, *value)))
        .collect();
    let begin = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&i32::try_from(contig).map_err(|_| too_long())?.to_le_bytes());
    out.extend_from_slice(&((site.position - 1) as i32).to_le_bytes());
    out.extend_from_slice(&i32::try_from(site.reference.len()).map_err(|_| too_long())?.to_le_bytes());
    out.extend_from_slice(&MISSING.to_le_bytes());
    out.extend_from_slice(&(2 << 16 | (1 + quality.len() as u32)).to_le_bytes());
    out.extend_from_slice(&((FORMATS.len() as u32) << 24 | people as u32).to_le_bytes());
    encode_text(&site.id, out)?;
    encode_text(&site.reference, out)?;
    encode_text(&site.alternate, out)?;
    out.extend_from_slice(&[0x11, 0]);
    encode_whole((FIRST_FLAG + flag(record.origin)) as i32, out);
    // A flag has no values.
    out.push(0);
    for (number, value) in quality {
        encode_whole(1 + number as i32, out);
        out.push(0x10 | FLOAT);
        out.extend_from_slice(&rounded(value).to_le_bytes());
    }
    let middle = out.len();
    let width = (0..people).map(|i| samples.haplotypes_of(i).len()).max().unwrap_or(1);
    let of = |person: usize| &record.dosages[samples.haplotypes_of(person)];
    let begin_field = |number: usize, count: usize, kind: u8, out: &mut Vec<u8>| {
        encode_whole((FIRST_FORMAT + number) as i32, out);
        out.push((count as u8) << 4 | kind);
    };
    begin_field(0, width, INT8, out);
    for person in 0..people {
        for i in 0..width {
            out.push(match of(person).get(i) {
                None => 0x81,
                Some(h) if h.is_nan() => u8::from(i > 0),
                Some(h) => (if *h >= 0.5 { 4 } else { 2 }) | u8::from(i > 0),
            });
        }
    }
    let known = |person: usize| of(person).iter().all(|h| !h.is_nan());
    let number = |value: f32| (thousandths(value) as f64 / 1000.0) as f32;
    let values =
        |count: usize, of_person: &dyn Fn(&[f32]) -> [f32; 3], filled: &dyn Fn(usize) -> usize, out: &mut Vec<u8>| {
            for person in 0..people {
                let all = of_person(of(person));
                for (i, value) in all.into_iter().take(count).enumerate() {
                    let bits = match (i < filled(of(person).len()), known(person)) {
                        (false, _) => END,
                        (true, false) => MISSING,
                        (true, true) => number(value).to_bits(),
                    };
                    out.extend_from_slice(&bits.to_le_bytes());
                }
            }
        };
    begin_field(1, 1, FLOAT, out);
    values(1, &|h| [h.iter().sum(), 0.0, 0.0], &|_| 1, out);
    begin_field(2, width, FLOAT, out);
    values(width, &|h| [h[0], h.get(1).copied().unwrap_or(0.0), 0.0], &|ploidy| ploidy, out);
    begin_field(3, width + 1, FLOAT, out);
    let genotypes = |h: &[f32]| match h {
        [a, b] => probabilities(*a, *b),
        _ => [1.0 - h[0], h[0], 0.0],
    };
    values(width + 1, &genotypes, &|ploidy| ploidy + 1, out);
    let shared = u32::try_from(middle - begin - 8).map_err(|_| too_long())?;
    let individual = u32::try_from(out.len() - middle).map_err(|_| too_long())?;
    out[begin..begin + 4].copy_from_slice(&shared.to_le_bytes());
    out[begin + 4..begin + 8].copy_from_slice(&individual.to_le_bytes());
    Ok(())
}
