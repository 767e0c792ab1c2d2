//! `.hapt`: one haplotype a line, `GROUP ID a1 .. aM`, as the artificial genomes of Yelmen et al. (2021) are published.
//!
//! Two lines whose ids are `NAME_A` and `NAME_B` are one person, `NAME`; a `NAME_A` alone is a haploid one. Other ids
//! (`AG0`, `AG1`, ...) pair up in order: one person `AG0_AG1`. GROUP says where haplotypes come from (`Real`, `AG`), or
//! which population they are of: which one nobody can tell, so it is read over and becomes no label. It is written as the
//! person's label, for people who have one.

use super::bgzf::{Packing, Source};
use super::collect::absent_contig;
use super::haplegend::{SPACED, UNKNOWN_CONTIG, check_words, companion, contigs_of, legend_of, word, write_legend};
use super::output::Output;
use super::vcf::{pack, too_short};
use super::{Read, ReadOptions, WriteOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::Panel;
use crate::panel::bits::{BitMatrix, words_for};
use crate::panel::samples::{Sample, Samples};
use crate::panel::sites::{Site, Sites};
use crate::progress::Progress;
use std::path::Path;
use std::sync::Arc;

/// Reads a panel.
pub(super) fn read(mut source: Source, options: &ReadOptions, progress: &mut Progress) -> Result<Read> {
    let path = source.path().to_path_buf();
    let mut notices = Vec::new();
    let first = source.peek_line()?;
    let columns = first.split(u8::is_ascii_whitespace).filter(|t| !t.is_empty()).count();
    let m = columns.saturating_sub(2);
    let (sites, sites_file) = match legend_of(&path, options)? {
        Some(legend) => {
            notices.extend(legend.notice);
            if legend.sites.len() != m {
                let what = format!("the line has {m} alleles where the legend has {} sites", legend.sites.len());
                return Err(Error::new(ErrorKind::Malformed, what)
                    .file(&path)
                    .record(1)
                    .remedy(format!("{} has to be its legend", legend.path.display())));
            }
            (legend.sites, legend.path)
        }
        None => {
            notices.push(format!("sites are numbered 1 to {m} on contig '{UNKNOWN_CONTIG}' for want of a legend"));
            (numbered(m, options.contig.as_deref().unwrap_or(UNKNOWN_CONTIG)), path.clone())
        }
    };
    if let Some(region) = &options.region {
        let contigs = contigs_of(&sites);
        if !contigs.contains(&region.contig.as_str()) {
            return Err(absent_contig(&region.contig, &contigs).file(&sites_file));
        }
    }
    let sites = Sites::new(sites).map_err(|e| e.file(&sites_file))?;
    let (mut words, mut ids) = (Vec::new(), Vec::new());
    let stride = words_for(m);
    while let Some(line) = source.line()? {
        let at = |e: Error| e.file(&path).record(line.number.unwrap_or(0));
        let Some((_, rest)) = word(line.bytes) else { continue };
        let (id, alleles) = word(rest).ok_or_else(|| at(too_short(&line, "the line has no id")))?;
        let id = std::str::from_utf8(id).map_err(|_| at(Error::new(ErrorKind::Malformed, "the id is not UTF-8")))?;
        words
            .try_reserve(stride)
            .map_err(|_| at(Error::new(ErrorKind::OutOfMemory, "no memory for more haplotypes")))?;
        let begin = words.len();
        words.resize(begin + stride, 0);
        if !pack(alleles, m, &mut words[begin..], SPACED) {
            parse(alleles, m, &mut words[begin..]).map_err(|bad| {
                at(match bad {
                    Unparsed::Count(n) => {
                        too_short(&line, &format!("the line has {n} alleles where the first has {m}"))
                    }
                    Unparsed::Allele(column, text) if matches!(text.as_str(), "?" | "." | "-" | "-9" | "9" | "NA") => {
                        let site = &sites[column];
                        Error::new(ErrorKind::Missing, format!("allele {} is missing ('{text}')", column + 1))
                            .site(&site.contig, site.position)
                            .sample(id)
                            .remedy("hapt files hold complete haplotypes: impute the panel first")
                    }
                    Unparsed::Allele(column, text) => {
                        Error::new(ErrorKind::Malformed, format!("allele {} is '{text}'", column + 1))
                            .sample(id)
                            .remedy("alleles are 0 and 1")
                    }
                })
            })?;
        }
        ids.push(id.to_string());
        if ids.len().is_multiple_of(256) {
            progress.step("reading", ids.len() as u64, 0, "haplotypes")?;
        }
    }
    let samples = people(&ids).map_err(|e| e.file(&path))?;
    let bits = BitMatrix::from_words(ids.len(), m, words)?;
    let mut panel = Panel::new(sites, samples, bits)?;
    if let Some(region) = &options.region {
        panel = panel.in_region(region).map_err(|e| e.file(&path))?;
    }
    if let Some((names, exclude)) = &options.samples {
        let chosen = panel.samples().find(names, *exclude).map_err(|e| e.file(&path))?;
        panel = panel.select_samples(&chosen)?;
    }
    if panel.haplotypes() == 0 || panel.sites().is_empty() {
        return Err(Error::new(ErrorKind::Empty, "the file has no haplotypes").file(&path));
    }
    Ok(Read { panel, notices, sample_lines: Vec::new() })
}

/// Sites 1 .. m whose alleles nobody says.
fn numbered(m: usize, contig: &str) -> Vec<Site> {
    let contig: Arc<str> = Arc::from(contig);
    let site = |i: usize| Site {
        contig: contig.clone(),
        position: i as u64 + 1,
        id: "".into(),
        reference: "N".into(),
        alternate: "<ALT>".into(),
    };
    (0..m).map(site).collect()
}

enum Unparsed {
    Count(usize),
    Allele(usize, String),
}

/// Parses alleles with any white space between them.
fn parse(text: &[u8], m: usize, out: &mut [u64]) -> Result<(), Unparsed> {
    out.fill(0);
    let mut count = 0;
    for token in text.split(u8::is_ascii_whitespace).filter(|t| !t.is_empty()) {
        if count < m {
            match token {
                b"0" => {}
                b"1" => out[count / 64] |= 1 << (count % 64),
                other => {
                    let shown = String::from_utf8_lossy(&other[..other.len().min(20)]).into_owned();
                    return Err(Unparsed::Allele(count, shown));
                }
            }
        }
        count += 1;
    }
    match count == m {
        true => Ok(()),
        false => Err(Unparsed::Count(count)),
    }
}

/// People by the ids of their haplotypes.
fn people(ids: &[String]) -> Result<Samples> {
    let mut samples = Vec::new();
    let mut i = 0;
    while i < ids.len() {
        let next = ids.get(i + 1);
        let (name, ploidy) = match (ids[i].strip_suffix("_A"), ids[i].strip_suffix("_B"), next) {
            (Some(name), _, Some(next)) if next.strip_suffix("_B") == Some(name) => (name.to_string(), 2),
            (Some(name), _, _) => (name.to_string(), 1),
            (None, Some(_), _) => {
                return Err(Error::new(ErrorKind::Malformed, "a second haplotype (_B) without the first (_A)")
                    .record(i as u64 + 1)
                    .sample(&ids[i])
                    .remedy("the two lines of a person follow each other"));
            }
            (None, None, Some(next)) if !next.ends_with("_A") && !next.ends_with("_B") => {
                (format!("{}_{next}", ids[i]), 2)
            }
            _ => {
                return Err(Error::new(ErrorKind::Malformed, "a haplotype has no partner")
                    .record(i as u64 + 1)
                    .sample(&ids[i])
                    .remedy("haplotypes pair up in order; the id of a haploid one ends in _A"));
            }
        };
        samples.push(Sample { name, ploidy, label: None });
        i += usize::from(ploidy);
    }
    Samples::new(samples)
}

/// Writes `.hapt` and `.legend`.
pub(super) fn write(path: &Path, panel: &Panel, gz: bool, options: &WriteOptions) -> Result<()> {
    check_words(panel, path, "hapt")?;
    if let Some(missing) = panel.missing() {
        let h = (0..missing.rows()).find(|r| missing.count_row(*r) > 0).unwrap_or(0);
        return Err(Error::new(ErrorKind::Missing, "an allele is missing, which hapt does not hold")
            .file(path)
            .sample(&panel.samples().as_slice()[panel.samples().of_haplotype(h)].name)
            .remedy("write VCF or BCF"));
    }
    if options.group.is_empty() || options.group.contains(|c: char| c.is_ascii_whitespace()) {
        return Err(Error::argument("the group is empty or holds a space").file(path));
    }
    let packing = if gz { Packing::Bgzf } else { Packing::Plain };
    let legend = write_legend(panel, &companion(path, "legend"), Packing::Plain)?;
    let mut output = Output::create(path, packing, options.threads)?;
    for (i, sample) in panel.samples().iter().enumerate() {
        let group = sample.label.as_deref().unwrap_or(&options.group);
        for (h, suffix) in panel.samples().haplotypes_of(i).zip(["A", "B"]) {
            let line = output.sink().buffer();
            line.extend_from_slice(format!("{group} {}_{suffix}", sample.name).as_bytes());
            for c in 0..panel.sites().len() {
                line.extend_from_slice(&[b' ', b'0' + u8::from(panel.bits().get(h, c))]);
            }
            line.push(b'\n');
            output.sink().spill()?;
        }
    }
    legend.commit(None)?;
    output.commit(None)
}
