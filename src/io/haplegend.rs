//! IMPUTE2's reference panels: `.hap` (a line a site, a column a haplotype), `.legend` and `.samples`.

use super::bgzf::{Packing, Source, find, is_dash};
use super::collect::{ABSENT, Collector, Genotypes, MISSING, Variant, Verdict, absent_contig};
use super::output::Output;
use super::vcf::pack;
use super::{Read, ReadOptions, WriteOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::Panel;
use crate::panel::bits::words_for;
use crate::panel::sites::Site;
use crate::progress::Progress;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The contig of sites whose contig nobody says.
pub(super) const UNKNOWN_CONTIG: &str = "unknown";
/// Two people without alternate alleles.
pub(super) const SPACED: u64 = u64::from_le_bytes(*b"0 0 0 0 ");

/// The name of a companion of `path`: `.hap`, `.hapt` and `.gz` give way to `extension`.
pub(super) fn companion(path: &Path, extension: &str) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = [".hap", ".hapt"].iter().find_map(|e| stem.strip_suffix(e)).unwrap_or(stem);
    path.with_file_name(format!("{stem}.{extension}"))
}

/// The first companion that exists.
fn existing(path: &Path, extensions: &[&str]) -> Option<PathBuf> {
    if is_dash(path) {
        return None;
    }
    extensions.iter().map(|e| companion(path, e)).find(|p| p.is_file())
}

/// Sites of a legend.
pub(super) struct Legend {
    pub(super) path: PathBuf,
    pub(super) sites: Vec<Site>,
    pub(super) notice: Option<String>,
}

/// Reads the legend that is named, or that lies beside the file.
pub(super) fn legend_of(path: &Path, options: &ReadOptions) -> Result<Option<Legend>> {
    let file = match &options.legend {
        Some(file) => Some(file.clone()),
        None => existing(path, &["legend", "legend.gz"]),
    };
    file.map(|file| read_legend(&file, options)).transpose()
}

/// Reads a legend: a line with the columns' names, among them `position`, `a0` and `a1`; the id comes first.
fn read_legend(path: &Path, options: &ReadOptions) -> Result<Legend> {
    let mut source = Source::open(path, 1)?;
    let bad = |line: Option<u64>, what: String| {
        let error =
            Error::new(ErrorKind::Malformed, what).file(path).remedy("a legend has the columns: id position a0 a1");
        match line {
            Some(number) => error.record(number),
            None => error,
        }
    };
    let mut columns: Option<[usize; 3]> = None;
    let mut contigs: HashMap<String, Arc<str>> = HashMap::new();
    let (mut sites, mut unnamed) = (Vec::new(), 0);
    while let Some(line) = source.line()? {
        let text = std::str::from_utf8(line.bytes).map_err(|_| bad(line.number, "the legend is not UTF-8".into()))?;
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let Some([position, a0, a1]) = columns else {
            let at = |name: &str| fields.iter().position(|f| f.eq_ignore_ascii_case(name));
            match (at("position"), at("a0"), at("a1")) {
                (Some(p), Some(a0), Some(a1)) => columns = Some([p, a0, a1]),
                _ => return Err(bad(line.number, "the first line does not name the columns".into())),
            }
            continue;
        };
        let number: Option<u64> = fields.get(position).and_then(|p| p.parse().ok());
        let (Some(number), Some(reference), Some(alternate)) = (number, fields.get(a0), fields.get(a1)) else {
            return Err(bad(line.number, "the line has no position or no alleles".into()));
        };
        let id = fields[0];
        let contig = contig_of(id, number, reference, alternate).or(options.contig.as_deref()).unwrap_or_else(|| {
            unnamed += 1;
            UNKNOWN_CONTIG
        });
        sites.push(Site {
            contig: contigs.entry(contig.to_string()).or_insert_with_key(|c| Arc::from(c.as_str())).clone(),
            position: number,
            id: id.into(),
            reference: (*reference).into(),
            alternate: (*alternate).into(),
        });
    }
    let notice = (unnamed > 0).then(|| {
        format!("{unnamed} ids of the legend do not begin with CONTIG:POSITION; their contig is '{UNKNOWN_CONTIG}'")
    });
    Ok(Legend { path: path.to_path_buf(), sites, notice })
}

/// The contig in an id such as `15:27379578_C_A` or `15:27379578:C:A`. An `rs` number before the position is none.
fn contig_of<'a>(id: &'a str, position: u64, reference: &str, alternate: &str) -> Option<&'a str> {
    let contig = id.strip_suffix(&format!(":{position}_{reference}_{alternate}")).or_else(|| {
        let place = format!(":{position}");
        let at = id.find(&place)?;
        let after = &id[at + place.len()..];
        (after.is_empty() || after.starts_with(['_', ':'])).then_some(&id[..at])
    })?;
    let rs = contig.strip_prefix("rs").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (!contig.is_empty() && !rs).then_some(contig)
}

/// Names of people from a sample file: with or without a line of columns' names, and Oxford's line of types.
fn read_people(path: &Path, people: usize) -> Result<Vec<String>> {
    let mut source = Source::open(path, 1)?;
    let mut lines = Vec::new();
    while let Some(line) = source.line()? {
        let text = String::from_utf8_lossy(line.bytes).into_owned();
        if !text.trim().is_empty() {
            lines.push(text);
        }
    }
    let skip = lines.len().checked_sub(people).filter(|skip| match skip {
        0 | 1 => true,
        2 => lines[1].split_ascii_whitespace().take(2).all(|t| t == "0"),
        _ => false,
    });
    match skip {
        Some(skip) => {
            Ok(lines[skip..].iter().filter_map(|l| l.split_ascii_whitespace().next()).map(str::to_string).collect())
        }
        None => Err(Error::new(
            ErrorKind::Malformed,
            format!("the sample file has {} lines where the haplotypes are those of {people} people", lines.len()),
        )
        .file(path)
        .remedy("give the sample file of this panel")),
    }
}

/// Reads a panel.
pub(super) fn read(mut source: Source, options: &ReadOptions, progress: &mut Progress) -> Result<Read> {
    let path = source.path().to_path_buf();
    let Some(legend) = legend_of(&path, options)? else {
        return Err(Error::new(ErrorKind::Io, "the legend of the panel is not there")
            .file(companion(&path, "legend"))
            .remedy("put it beside the .hap file under the same name, or name it with option legend=FILE"));
    };
    let first = source.peek_line()?;
    let columns = first.split(u8::is_ascii_whitespace).filter(|t| !t.is_empty()).count();
    if columns % 2 == 1 {
        let what = format!("the line has {columns} columns, an odd number");
        return Err(Error::new(ErrorKind::Malformed, what)
            .file(&path)
            .record(1)
            .remedy("a person has two columns; the second of a haploid one is '-'"));
    }
    let people = columns / 2;
    let sample_file =
        options.sample_file.clone().or_else(|| existing(&path, &["samples", "sample", "samples.gz", "sample.gz"]));
    let names = match &sample_file {
        Some(file) => read_people(file, people)?,
        None => (0..people).map(|i| format!("sample_{i}")).collect(),
    };
    let mut collector = Collector::new(&path, names, options, progress)?;
    if sample_file.is_none() {
        collector.notice(format!("people are named sample_0 to sample_{} for want of a sample file", people - 1));
    }
    if let Some(notice) = legend.notice {
        collector.notice(notice);
    }
    if let Some(region) = &options.region {
        let contigs = contigs_of(&legend.sites);
        if !contigs.contains(&region.contig.as_str()) {
            return Err(absent_contig(&region.contig, &contigs).file(&legend.path));
        }
    }
    let mut genotypes = Genotypes::default();
    let mut bits = vec![0u64; words_for(2 * people)];
    let mut sites = legend.sites.iter();
    let mut lines = 0u64;
    while let Some(line) = source.line()? {
        if line.bytes.is_empty() {
            continue;
        }
        lines += 1;
        let at = |e: Error| match line.number {
            Some(number) => e.file(&path).record(number),
            None => e.file(&path),
        };
        let Some(site) = sites.next() else { continue };
        let alternates = [&*site.alternate];
        let variant = Variant {
            contig: &site.contig,
            position: site.position,
            id: &site.id,
            reference: &site.reference,
            alternates: &alternates,
            record: line.number,
        };
        let Verdict::Take(taken) = collector.consider(&variant)? else { continue };
        if pack(line.bytes, 2 * people, &mut bits, SPACED) {
            collector.push_bits(&variant, &bits)?;
            continue;
        }
        parse(line.bytes, &mut genotypes).map_err(|token| {
            let what = format!("'{}' is no allele", String::from_utf8_lossy(&token[..token.len().min(40)]));
            variant.at(at(Error::new(ErrorKind::Malformed, what).remedy("alleles are 0, 1 and ? (missing)")))
        })?;
        if genotypes.alleles.len() != 2 * people {
            let what = format!("the line has {} columns where the first has {columns}", genotypes.alleles.len());
            let kind = if line.cut { ErrorKind::Truncated } else { ErrorKind::Malformed };
            return Err(variant.at(at(Error::new(kind, what))));
        }
        collector.push(&variant, &taken, &genotypes)?;
    }
    if lines != legend.sites.len() as u64 {
        let what = format!("the file has {lines} lines where its legend has {} sites", legend.sites.len());
        let kind = if lines < legend.sites.len() as u64 { ErrorKind::Truncated } else { ErrorKind::Malformed };
        return Err(Error::new(kind, what)
            .file(&path)
            .remedy(format!("{} has to be its legend", legend.path.display())));
    }
    collector.finish(&[])
}

/// The contigs of sites in any order.
pub(super) fn contigs_of(sites: &[Site]) -> Vec<&str> {
    let mut contigs: Vec<&str> = Vec::new();
    for site in sites {
        if contigs.last() != Some(&&*site.contig) {
            contigs.push(&site.contig);
        }
    }
    contigs
}

/// Parses alleles `0`, `1`, `?` and `-` (none); a star behind one says that the genotype is not phased.
fn parse<'a>(line: &'a [u8], out: &mut Genotypes) -> Result<(), &'a [u8]> {
    out.alleles.clear();
    out.phased.clear();
    for token in line.split(u8::is_ascii_whitespace).filter(|t| !t.is_empty()) {
        let (allele, phased) = match token {
            b"0" => (0, true),
            b"1" => (1, true),
            b"?" => (MISSING, true),
            b"-" if out.alleles.len() % 2 == 1 => (ABSENT, true),
            b"0*" => (0, false),
            b"1*" => (1, false),
            other => return Err(other),
        };
        if out.alleles.len().is_multiple_of(2) {
            out.phased.push(phased);
        } else if let Some(last) = out.phased.last_mut() {
            *last &= phased;
        }
        out.alleles.push(allele);
    }
    Ok(())
}

/// Writes a legend. An id is written if it says the contig, else `CONTIG:POSITION_REF_ALT`.
pub(super) fn write_legend(panel: &Panel, path: &Path, packing: Packing) -> Result<Output> {
    let mut output = Output::create(path, packing, 1)?;
    output.sink().buffer().extend_from_slice(b"id position a0 a1\n");
    for site in panel.sites().iter() {
        let spaced = |text: &str| text.contains(|c: char| c.is_ascii_whitespace());
        if spaced(&site.contig) || spaced(&site.reference) || spaced(&site.alternate) {
            return Err(Error::argument("a contig or an allele holds a space, which a legend cannot")
                .file(path)
                .site(&site.contig, site.position));
        }
        let says = contig_of(&site.id, site.position, &site.reference, &site.alternate) == Some(&*site.contig);
        let id = match says && !spaced(&site.id) {
            true => site.id.to_string(),
            false => format!("{}:{}_{}_{}", site.contig, site.position, site.reference, site.alternate),
        };
        let line = format!("{id} {} {} {}\n", site.position, site.reference, site.alternate);
        output.sink().buffer().extend_from_slice(line.as_bytes());
        output.sink().spill()?;
    }
    Ok(output)
}

/// Refuses names that a line of words cannot hold, and standard output, which is one file.
pub(super) fn check_words(panel: &Panel, path: &Path, format: &str) -> Result<()> {
    if is_dash(path) {
        return Err(Error::argument(format!("{format} is several files, which do not go to standard output"))
            .remedy("name a file, or write VCF"));
    }
    for sample in panel.samples().iter() {
        if sample.name.contains(|c: char| c.is_ascii_whitespace()) {
            return Err(Error::argument(format!("the name holds a space, which {format} cannot"))
                .file(path)
                .sample(&sample.name));
        }
        if sample.label.as_ref().is_some_and(|l| l.is_empty() || l.contains(|c: char| c.is_ascii_whitespace())) {
            return Err(Error::argument(format!("the label is empty or holds a space, which {format} cannot"))
                .file(path)
                .sample(&sample.name));
        }
    }
    if let Some(plane) = panel.unphased() {
        let row = (0..plane.rows()).find(|r| plane.count_row(*r) > 0).unwrap_or(0);
        return Err(Error::new(ErrorKind::Unphased, format!("a genotype is not phased, which {format} does not hold"))
            .file(path)
            .sample(&panel.samples().as_slice()[row].name)
            .remedy("write VCF or BCF"));
    }
    Ok(())
}

/// Writes `.hap`, `.legend` and `.samples`.
pub(super) fn write(path: &Path, panel: &Panel, gz: bool, options: &WriteOptions) -> Result<()> {
    check_words(panel, path, "hap/legend")?;
    let packing = if gz { Packing::Bgzf } else { Packing::Plain };
    let legend = write_legend(panel, &companion(path, if gz { "legend.gz" } else { "legend" }), packing)?;
    let mut people = Output::create(&companion(path, "samples"), Packing::Plain, 1)?;
    people.sink().buffer().extend_from_slice(b"sample population group sex\n");
    for sample in panel.samples().iter() {
        let (name, sex) = (&sample.name, if sample.ploidy == 1 { 1 } else { 2 });
        let group = sample.label.as_ref().unwrap_or(name);
        people.sink().buffer().extend_from_slice(format!("{name} {group} {group} {sex}\n").as_bytes());
        people.sink().spill()?;
    }
    let mut output = Output::create(path, packing, options.threads)?;
    let bits = panel.bits().transpose()?;
    let missing = panel.missing().map(|m| m.transpose()).transpose()?;
    for s in 0..panel.sites().len() {
        let line = output.sink().buffer();
        for i in 0..panel.samples().len() {
            let haplotypes = panel.samples().haplotypes_of(i);
            for h in haplotypes.clone() {
                line.push(match missing.as_ref().is_some_and(|m| m.get(s, h)) {
                    true => b'?',
                    false => b'0' + u8::from(bits.get(s, h)),
                });
                line.push(b' ');
            }
            if haplotypes.len() == 1 {
                line.extend_from_slice(b"- ");
            }
        }
        line.pop();
        line.push(b'\n');
        output.sink().spill()?;
    }
    // The haplotypes come last: whoever sees them finds their legend.
    legend.commit(None)?;
    people.commit(None)?;
    output.commit(None)
}

/// Where a word ends.
pub(super) fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = &text[text.iter().position(|b| !matches!(b, b' ' | b'\t'))?..];
    let end = find(b' ', text).unwrap_or(text.len()).min(find(b'\t', text).unwrap_or(text.len()));
    Some((&text[..end], text.get(end + 1..).unwrap_or_default()))
}
