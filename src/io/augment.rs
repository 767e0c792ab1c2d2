//! A real panel's records with artificial people appended, record by record.

use super::bgzf::{IndexKind, Line, Packing, Source, is_dash};
use super::collect::absent_contig;
use super::index::{self, Start};
use super::output::Output;
use super::record::{self, Dictionary};
use super::vcf::{self, Columns, HOMOZYGOUS, Header, columns, field, pack, text, too_short, wrong_number};
use super::write::{diploid_text, header_line, info_text};
use super::{Content, Format, bcf, sniff};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;
use crate::panel::align::{Found, Lookup, Tally, no_overlap, renamed_contigs};
use crate::panel::bits::{BitMatrix, words_for};
use crate::panel::region::Region;
use crate::panel::samples::Samples;
use crate::panel::sites::Sites;
use crate::progress::Progress;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

rule! {
    /// What to do with records at which there are no artificial alleles: sites that the model does not have, has with
    /// other alleles or with reference and alternate exchanged, records with several alternates, and those without GT.
    Outside, "records outside the model":
    /// Leave them out, and count them. This is the default.
    #[default]
    Drop = "drop",
    /// Refuse the file at the first one.
    Refuse = "refuse",
    /// Write them; artificial genotypes are missing.
    Missing = "missing",
}

/// The artificial people. Memory for their alleles is the caller's: sites x haplotypes / 8 bytes.
#[derive(Clone, Copy, Debug)]
pub struct AugmentWith<'a> {
    /// The sites.
    pub sites: &'a Sites,
    /// Alleles, **site-major**: a row a site, a column a haplotype.
    pub bits: &'a BitMatrix,
    /// The people, whose haplotypes follow each other in the columns.
    pub samples: &'a Samples,
}

/// How to augment.
#[derive(Clone, Debug)]
pub struct AugmentOptions {
    /// Records at which there are no artificial alleles.
    pub outside: Outside,
    /// Only records whose position lies inside.
    pub region: Option<Region>,
    /// Threads that inflate and compress; 0: one a processor.
    pub threads: usize,
    /// VCF, VCF.gz or BCF; `None` goes by the output's name.
    pub format: Option<Format>,
    /// Lines `##key=value` for the header.
    pub header_lines: Vec<(String, String)>,
    /// Whether VCF.gz and BCF get an index. This is the default.
    pub index: bool,
}

impl Default for AugmentOptions {
    fn default() -> Self {
        AugmentOptions {
            outside: Outside::default(),
            region: None,
            threads: 1,
            format: None,
            header_lines: Vec::new(),
            index: true,
        }
    }
}

impl AugmentOptions {
    /// From the keys `outside`, `format`, `index` and `threads`, with their defaults.
    ///
    /// # Errors
    /// `UnknownFormat`.
    pub fn from_options(options: &Options) -> Result<Self> {
        Ok(AugmentOptions {
            outside: options.text("outside").parse()?,
            threads: options.whole("threads"),
            format: Format::from_option(options)?,
            index: options.flag("index"),
            ..AugmentOptions::default()
        })
    }
}

/// What became of the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AugmentReport {
    /// Records read (inside the region).
    pub records: u64,
    /// Records written.
    pub written: u64,
    /// Records whose position the model does not have.
    pub outside: Tally,
    /// Records that the model has with reference and alternate exchanged.
    pub swapped: Tally,
    /// Records at whose position the model has other alleles.
    pub other_alleles: Tally,
    /// Records with several alternate alleles, or none.
    pub multiallelic: Tally,
    /// Records without GT.
    pub without_genotypes: Tally,
    /// Sites of the model (inside the region) that the file does not have.
    pub absent: Tally,
    /// Real people and artificial ones.
    pub people: (usize, usize),
}

impl AugmentReport {
    /// What a user should know, in sentences; empty if every record was written with artificial alleles.
    pub fn notices(&self, outside: Outside) -> Vec<String> {
        let fate = if outside == Outside::Missing { "have missing artificial genotypes" } else { "were dropped" };
        let told = [
            (&self.outside, format!("records outside the model {fate}")),
            (&self.swapped, format!("records with reference and alternate exchanged {fate}")),
            (&self.other_alleles, format!("records with other alleles than the model's {fate}")),
            (&self.multiallelic, format!("records that do not have exactly one alternate allele {fate}")),
            (&self.without_genotypes, format!("records without GT {fate}")),
            (&self.absent, "sites of the model are not in the file".to_string()),
        ];
        let mut out = Vec::new();
        for (tally, text) in told {
            if let Some(first) = &tally.first {
                out.push(format!("{} {text} (first: {first})", tally.count));
            }
        }
        out
    }
}

/// INFO keys that say something of the site and not of the people; all others but AC, AN and AF are dropped.
pub const SITE_INFO: &[&str] = &[
    "1000G",
    "AA",
    "ANN",
    "BCSQ",
    "CIEND",
    "CIGAR",
    "CIPOS",
    "CSQ",
    "DB",
    "EFF",
    "END",
    "EVENT",
    "EX_TARGET",
    "H2",
    "H3",
    "HOMLEN",
    "HOMSEQ",
    "IMPRECISE",
    "LOF",
    "MATEID",
    "MEINFO",
    "MEND",
    "MSTART",
    "NMD",
    "RS",
    "SVLEN",
    "SVTYPE",
    "VALIDATED",
    "VT",
];

/// Writes the records of a VCF or BCF file with artificial people appended.
///
/// Real genotypes and all other columns are passed on as they are. Artificial people get a genotype where the model has
/// the record's variant (contig, position and both alleles agree as written); their other FORMAT fields are `.`. Of INFO,
/// AC, AN and AF are counted anew, keys of [`SITE_INFO`] stay and all others go, since they speak of the real people alone.
/// A record with reference and alternate exchanged is never turned round: it is outside. Memory is that of one record.
///
/// # Errors
/// `InvalidArgument` if the output is the input; as [`super::read_panel`] for damaged and unsorted files; `Duplicate` if an artificial person has a real one's name or
/// if a variant comes twice; `ContigMismatch`, `AlleleMismatch` or `NoOverlap` if no record matches; under
/// [`Outside::Refuse`], `NoOverlap`, `AlleleMismatch`, `Multiallelic` or `Missing` for the first record outside; for BCF,
/// `Malformed` for names that the header does not define. The output is not touched then.
pub fn augment(
    input: &Path,
    output: &Path,
    artificial: &AugmentWith,
    options: &AugmentOptions,
    progress: &mut Progress,
) -> Result<AugmentReport> {
    let format = match options.format {
        Some(format) => format,
        None => Format::from_name(output)?,
    };
    let index_kind = match format {
        Format::Vcf => None,
        Format::VcfGz => Some(IndexKind::Tbi),
        Format::Bcf => Some(IndexKind::CsiOfBcf),
        _ => {
            return Err(Error::new(ErrorKind::UnknownFormat, format!("augmenting does not write {format}"))
                .file(output)
                .remedy("write VCF, VCF.gz or BCF"));
        }
    };
    let (rows, columns) = (artificial.bits.rows(), artificial.bits.columns());
    if rows != artificial.sites.len() || columns != artificial.samples.haplotypes() {
        return Err(Error::argument(format!(
            "artificial alleles are {rows} x {columns} where {} x {} were expected",
            artificial.sites.len(),
            artificial.samples.haplotypes()
        )));
    }
    if is_same_file(input, output) {
        return Err(Error::argument("the output is the input: the real records that are left out would be lost")
            .file(output)
            .remedy("write to another file"));
    }
    let threads = crate::threads::Threads::new(options.threads).count();
    let mut source = Source::open(input, threads)?;
    let is_bcf = match sniff(&mut source)? {
        Content::Vcf => false,
        Content::Bcf => true,
        _ => {
            return Err(Error::new(ErrorKind::UnknownFormat, "augmenting reads VCF and BCF alone")
                .file(input)
                .remedy("convert the panel first (haploom convert)"));
        }
    };
    let header = if is_bcf { bcf::read_header(&mut source)? } else { vcf::read_header(&mut source)? };
    if header.samples.is_empty() {
        return Err(Error::new(ErrorKind::Empty, "the file has no samples")
            .file(input)
            .remedy("give a file with genotypes (GT)"));
    }
    let dictionary = Dictionary::new(&header);
    let (header_text, header_out) = augmented_header(&header, artificial, options).map_err(|e| e.file(input))?;
    let mut work = Work {
        input,
        artificial,
        options,
        people: header.samples.len(),
        lookup: Lookup::new(artificial.sites),
        seen: vec![false; artificial.sites.len()],
        contigs_seen: HashSet::new(),
        contig: String::new(),
        position: 0,
        scratch: vec![0; words_for(2 * header.samples.len())],
        last: 0,
        report: AugmentReport { people: (header.samples.len(), artificial.samples.len()), ..AugmentReport::default() },
    };
    let packing = if format == Format::Vcf { Packing::Plain } else { Packing::Bgzf };
    let mut out = Output::create(output, packing, threads)?;
    match format {
        Format::Bcf => bcf::encode_header(&header_text, out.sink().buffer())?,
        _ => out.sink().buffer().extend_from_slice(header_text.as_bytes()),
    }
    let dictionary_out = Dictionary::new(&header_out);
    let mut notices = Vec::new();
    let start = match &options.region {
        Some(region) => index::start(&source, region, is_bcf.then_some(&dictionary.contigs), &mut notices)?,
        None => Start::Beginning,
    };
    notices.into_iter().for_each(|n| progress.notice(n));
    let seeked = !matches!(start, Start::Beginning);
    match start {
        Start::Beginning => {}
        Start::At(offset) => source.seek(offset)?,
        Start::Nowhere(contigs) => {
            work.contigs_seen.extend(contigs);
            return work.finish(&header);
        }
    }
    let (mut line_in, mut line_out) = (Vec::new(), Vec::new());
    let mut number = 0u64;
    loop {
        number += 1;
        if number.is_multiple_of(256) {
            progress.step("augmenting", work.report.records, 0, "records")?;
        }
        let line = if is_bcf {
            let place = (!seeked).then_some(number);
            let at = |e: Error| place.into_iter().fold(e.file(input), Error::record);
            let Some((shared, individual)) = bcf::next_record(&mut source).map_err(at)? else { break };
            line_in.clear();
            record::to_text(shared, individual, &dictionary, work.people, &mut line_in)
                .ok_or_else(|| at(bcf::contradiction()))?;
            Line { bytes: &line_in, number: place, cut: false }
        } else {
            match source.line()? {
                None => break,
                Some(line) if line.bytes.is_empty() => continue,
                Some(line) => line,
            }
        };
        line_out.clear();
        match work.line(&line, seeked, &mut line_out)? {
            Step::Past => break,
            Step::Skip => {}
            Step::Write if format == Format::Bcf => {
                let at = |e: Error| {
                    let e = e.file(input).site(&work.contig, work.position);
                    line.number.into_iter().fold(e, Error::record)
                };
                let line = text(&line_out, "the record").map_err(at)?;
                record::from_text(line, &dictionary_out, out.sink().buffer()).map_err(at)?;
            }
            Step::Write => {
                line_out.push(b'\n');
                out.sink().buffer().extend_from_slice(&line_out);
            }
        }
        out.sink().spill()?;
    }
    let last = work.last;
    let report = work.finish(&header)?;
    let kind = match index_kind {
        Some(IndexKind::Tbi) if last >= 1 << 29 => Some(IndexKind::CsiOfVcf),
        kind => kind,
    };
    // The last look at whether to stop: what stops the caller may have cut the input short as well.
    progress.step("augmenting", report.records, report.records, "records")?;
    out.commit(kind.filter(|_| options.index && !is_dash(output)))?;
    Ok(report)
}

/// Whether two names are those of one regular file.
fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// The header with artificial people, as text and as its parts.
fn augmented_header(header: &Header, artificial: &AugmentWith, options: &AugmentOptions) -> Result<(String, Header)> {
    let real: HashSet<&str> = header.samples.iter().map(String::as_str).collect();
    if real.len() != header.samples.len() {
        Samples::diploid(header.samples.iter().map(String::as_str))?;
    }
    if let Some(clash) = artificial.samples.iter().find(|s| real.contains(s.name.as_str())) {
        return Err(Error::new(ErrorKind::Duplicate, "an artificial person has the name of a real one")
            .sample(&clash.name)
            .remedy("name artificial people otherwise with option prefix=NAME"));
    }
    let known: HashSet<&str> = header.contigs.iter().map(|(c, _)| c.as_str()).collect();
    let contigs = artificial.sites.contigs();
    let contigs: Vec<&str> = contigs.iter().map(|c| &**c).collect();
    if !known.is_empty() && !contigs.iter().any(|c| known.contains(c)) {
        let names: Vec<&str> = known.iter().copied().collect();
        let renamed = renamed_contigs(names, &contigs);
        if !renamed.is_empty() {
            let none = Tally::default();
            return Err(no_overlap("file", "model", &renamed, &none, &none, &none, &none));
        }
    }
    let mut lines: Vec<String> = Vec::new();
    let ours = |line: &str| {
        line.strip_prefix("##INFO=<").and_then(|f| field(f, "ID")).is_some_and(|id| matches!(id, "AC" | "AN" | "AF"))
    };
    // Numbers that BCF gave to names are given anew.
    lines.extend(header.meta.iter().filter(|l| !ours(l)).map(|l| without_idx(l)));
    if !lines.first().is_some_and(|l| l.starts_with("##fileformat=")) {
        lines.insert(0, "##fileformat=VCFv4.2".into());
    }
    for (key, value) in &options.header_lines {
        lines.push(header_line(key, value)?.trim_end().to_string());
    }
    lines.extend(contigs.iter().filter(|c| !known.contains(*c)).map(|c| format!("##contig=<ID={c}>")));
    for line in [
        "##INFO=<ID=AC,Number=A,Type=Integer,Description=\"Alternate alleles in genotypes\">",
        "##INFO=<ID=AN,Number=1,Type=Integer,Description=\"Alleles in genotypes\">",
        "##INFO=<ID=AF,Number=A,Type=Float,Description=\"Frequency of the alternate allele\">",
    ] {
        lines.push(line.into());
    }
    let mut columns = String::from("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT");
    for name in header.samples.iter().chain(artificial.samples.iter().map(|s| &s.name)) {
        columns.push('\t');
        columns.push_str(name);
    }
    lines.push(columns);
    let mut out = Header::default();
    for line in &lines {
        out.take(line, Path::new(""))?;
    }
    lines.push(String::new());
    Ok((lines.join("\n"), out))
}

/// A header line without `,IDX=number`.
fn without_idx(line: &str) -> String {
    let Some(at) = line.rfind(",IDX=") else { return line.to_string() };
    match line[at + 5..].strip_suffix('>') {
        Some(n) if n.bytes().all(|b| b.is_ascii_digit()) => format!("{}>", &line[..at]),
        _ => line.to_string(),
    }
}

/// What to do after a line.
enum Step {
    Write,
    Skip,
    Past,
}

/// The state between records.
struct Work<'a> {
    input: &'a Path,
    artificial: &'a AugmentWith<'a>,
    options: &'a AugmentOptions,
    people: usize,
    lookup: Lookup<'a>,
    seen: Vec<bool>,
    contigs_seen: HashSet<String>,
    contig: String,
    position: u64,
    scratch: Vec<u64>,
    last: u64,
    report: AugmentReport,
}

impl Work<'_> {
    /// Takes a line, and appends what becomes of it.
    fn line(&mut self, line: &Line, seeked: bool, out: &mut Vec<u8>) -> Result<Step> {
        let input = self.input;
        let at = |e: Error| line.number.into_iter().fold(e.file(input), Error::record);
        let Columns { fixed, genotypes } = columns(line, self.people).map_err(at)?;
        let contig = text(fixed[0], "CHROM").map_err(at)?;
        let position: u64 = text(fixed[1], "POS").map_err(at)?.parse().map_err(|_| {
            at(Error::new(ErrorKind::Malformed, format!("POS '{}' is not a number", String::from_utf8_lossy(fixed[1]))))
        })?;
        let at = |e: Error| at(e.site(contig, position));
        if let Some(region) = &self.options.region
            && seeked
            && (contig != region.contig || position > region.end)
        {
            return Ok(Step::Past);
        }
        let unsorted =
            |what: String| Err(at(Error::new(ErrorKind::Unsorted, what).remedy("sort the file (bcftools sort)")));
        if self.contig != contig {
            if !self.contigs_seen.insert(contig.to_string()) {
                return unsorted(format!("contig {contig} comes back after others"));
            }
            self.contig = contig.to_string();
        } else if position < self.position {
            return unsorted(format!("position {position} comes after {}", self.position));
        }
        self.position = position;
        if self.options.region.as_ref().is_some_and(|r| !r.contains(contig, position)) {
            return Ok(Step::Skip);
        }
        self.report.records += 1;
        let reference = text(fixed[3], "REF").map_err(at)?;
        let alternates = text(fixed[4], "ALT").map_err(at)?;
        let name = || format!("{contig}:{position}:{reference}:{alternates}");
        let gt = fixed[8].split(|b| *b == b':').position(|k| k == b"GT");
        let sites = self.artificial.sites;
        let (site, refusal, tally) = if alternates.contains(',') || alternates == "." {
            (
                None,
                (ErrorKind::Multiallelic, "the record does not have exactly one alternate allele"),
                &mut self.report.multiallelic,
            )
        } else if gt.is_none() {
            (None, (ErrorKind::Missing, "the record has no GT"), &mut self.report.without_genotypes)
        } else {
            match self.lookup.find(contig, position, reference, alternates) {
                Found::Same(i) => (Some(i), (ErrorKind::Internal, ""), &mut self.report.outside),
                Found::Swapped(_) => (
                    None,
                    (ErrorKind::AlleleMismatch, "the model has this site with reference and alternate exchanged"),
                    &mut self.report.swapped,
                ),
                Found::OtherAlleles(_) => (
                    None,
                    (ErrorKind::AlleleMismatch, "the model has other alleles at this position"),
                    &mut self.report.other_alleles,
                ),
                Found::Nothing => {
                    (None, (ErrorKind::NoOverlap, "the model does not have this site"), &mut self.report.outside)
                }
            }
        };
        match site {
            Some(i) => {
                if std::mem::replace(&mut self.seen[i], true) {
                    let what = format!("variant {} is there twice", sites[i].name());
                    return Err(at(
                        Error::new(ErrorKind::Duplicate, what).remedy("remove duplicates (bcftools norm -d exact)")
                    ));
                }
            }
            None => {
                tally.add(name);
                match self.options.outside {
                    Outside::Drop => return Ok(Step::Skip),
                    Outside::Refuse => {
                        let what = format!("{} ({})", refusal.1, name());
                        return Err(at(Error::new(refusal.0, what).remedy(
                            "drop such records (option outside=drop) or leave them missing (option outside=missing)",
                        )));
                    }
                    Outside::Missing => {}
                }
            }
        }
        let alternates = alternates.split(',').filter(|a| *a != ".").count();
        let row = site.map(|i| self.artificial.bits.row(i));
        let counts = self.count(line, genotypes, gt, alternates, row).map_err(at)?;
        for column in &fixed[..7] {
            out.extend_from_slice(column);
            out.push(b'\t');
        }
        write_info(text(fixed[7], "INFO").map_err(at)?, &counts, out);
        out.push(b'\t');
        out.extend_from_slice(fixed[8]);
        out.push(b'\t');
        out.extend_from_slice(genotypes);
        self.append(fixed[8], gt, row, out);
        self.report.written += 1;
        self.last = self.last.max(position);
        Ok(Step::Write)
    }

    /// Counts of each alternate allele, and last of all alleles known, real and artificial.
    fn count(
        &mut self,
        line: &Line,
        genotypes: &[u8],
        gt: Option<usize>,
        alternates: usize,
        row: Option<&[u64]>,
    ) -> Result<Vec<u32>> {
        let ones = |row: &[u64]| row.iter().map(|w| w.count_ones()).sum::<u32>();
        let mut counts = vec![0; alternates + 1];
        if let Some(row) = row {
            counts[0] = ones(row);
            counts[alternates] = self.artificial.samples.haplotypes() as u32;
        }
        if alternates == 1 && gt == Some(0) && pack(genotypes, 2 * self.people, &mut self.scratch, HOMOZYGOUS) {
            counts[0] += ones(&self.scratch);
            counts[1] += 2 * self.people as u32;
            return Ok(counts);
        }
        let mut people = 0;
        for person in genotypes.split(|b| *b == b'\t') {
            people += 1;
            let Some(gt) = gt else { continue };
            let genotype = person.split(|b| *b == b':').nth(gt).unwrap_or(b".");
            for allele in genotype.split(|b| matches!(b, b'|' | b'/')).filter(|a| !matches!(*a, b"." | b"")) {
                let number = std::str::from_utf8(allele).ok().and_then(|a| a.parse::<usize>().ok());
                match number.filter(|n| *n <= alternates) {
                    None => {
                        let shown = String::from_utf8_lossy(&genotype[..genotype.len().min(40)]).into_owned();
                        return Err(too_short(
                            line,
                            &format!("genotype '{shown}' of sample number {people} does not parse"),
                        ));
                    }
                    Some(n) => {
                        counts[alternates] += 1;
                        if n > 0 {
                            counts[n - 1] += 1;
                        }
                    }
                }
            }
        }
        match people == self.people {
            true => Ok(counts),
            false => Err(wrong_number(line, people, self.people)),
        }
    }

    /// Appends the artificial people's columns.
    fn append(&self, format: &[u8], gt: Option<usize>, row: Option<&[u64]>, out: &mut Vec<u8>) {
        let samples = self.artificial.samples;
        if let Some(row) = row
            && format == b"GT"
            && samples.haplotypes() == 2 * samples.len()
        {
            return diploid_text(row, samples.len(), out);
        }
        let fields = format.split(|b| *b == b':').count();
        for i in 0..samples.len() {
            for f in 0..fields {
                out.push(if f == 0 { b'\t' } else { b':' });
                if gt != Some(f) {
                    out.push(b'.');
                    continue;
                }
                for (k, h) in samples.haplotypes_of(i).enumerate() {
                    if k > 0 {
                        out.push(b'|');
                    }
                    out.push(row.map_or(b'.', |r| b'0' + (r[h / 64] >> (h % 64) & 1) as u8));
                }
            }
        }
    }

    /// The report; fails if no record matched.
    fn finish(mut self, header: &Header) -> Result<AugmentReport> {
        let inside = |contig: &str, position| self.options.region.as_ref().is_none_or(|r| r.contains(contig, position));
        for (i, site) in self.artificial.sites.iter().enumerate() {
            if !self.seen[i] && inside(&site.contig, site.position) {
                self.report.absent.add(|| site.name());
            }
        }
        if self.seen.iter().any(|s| *s) {
            return Ok(self.report);
        }
        let contigs: HashSet<&str> = header
            .contigs
            .iter()
            .map(|(c, _)| c.as_str())
            .chain(self.contigs_seen.iter().map(String::as_str))
            .collect();
        if self.report.records == 0 {
            let error = match &self.options.region {
                None => Error::new(ErrorKind::Empty, "the file has no records"),
                Some(region) if contigs.contains(region.contig.as_str()) => {
                    Error::new(ErrorKind::Empty, format!("no record in region {region}"))
                }
                Some(region) => absent_contig(&region.contig, &contigs.into_iter().collect::<Vec<_>>()),
            };
            return Err(error.file(self.input));
        }
        let renamed = renamed_contigs(contigs, &self.lookup.contigs());
        let r = &self.report;
        Err(no_overlap("file", "model", &renamed, &r.swapped, &r.other_alleles, &r.outside, &r.absent).file(self.input))
    }
}

/// Appends INFO: counts, then what is kept.
fn write_info(info: &str, counts: &[u32], out: &mut Vec<u8>) {
    let (known, ones) = counts.split_last().unwrap_or((&0, &[]));
    match (ones, known) {
        ([ones], known) => out.extend_from_slice(info_text(*ones, *known).as_bytes()),
        (ones, known) => {
            let join = |f: &dyn Fn(u32) -> String| ones.iter().map(|n| f(*n)).collect::<Vec<_>>().join(",");
            let mut parts = Vec::new();
            if !ones.is_empty() {
                parts.push(format!("AC={}", join(&|n| n.to_string())));
            }
            parts.push(format!("AN={known}"));
            if *known > 0 && !ones.is_empty() {
                parts.push(format!("AF={}", join(&|n| (n as f32 / *known as f32).to_string())));
            }
            out.extend_from_slice(parts.join(";").as_bytes());
        }
    }
    for entry in info.split(';') {
        let key = entry.split('=').next().unwrap_or_default();
        if SITE_INFO.contains(&key) {
            out.push(b';');
            out.extend_from_slice(entry.as_bytes());
        }
    }
}
