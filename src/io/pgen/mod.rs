//! PLINK 2 file sets: `.pgen` (genotypes and phase), `.pvar` (sites) and `.psam` (people).
//!
//! Read is what plink2 writes: storage mode 0x10 with every layout of its header and every kind of record, and mode
//! 0x02; of dosages, the hard calls. Written is mode 0x10 with the genotypes uncompressed and the phase of all
//! heterozygous ones. Source: the PLINK 2 File Format Specification (draft) in chrchang/plink-ng, `pgen_spec`.
//!
//! The files hold two alleles for everybody; who has one follows from contig and sex, as in plink2: everybody on Y and
//! MT, men on X.

mod header;
mod record;
mod text;
mod write;

use super::bgzf::{Source, is_dash};
use super::collect::{ABSENT, Collector, Genotypes, Variant, Verdict};
use super::{Read, ReadOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;
use header::Pgen;
use record::Decoder;
use std::path::{Path, PathBuf};

pub(super) use write::write;

/// The first two bytes of a `.pgen`.
pub(super) const MAGIC: [u8; 2] = [0x6c, 0x1b];
/// The third byte of the files that are read and written here: records of any length, with an index in the header.
const VARIABLE: u8 = 0x10;
/// Records of the same length, of genotypes alone.
const FIXED: u8 = 0x02;
/// Sites that share a part of the header.
const BLOCK: usize = 1 << 16;

/// Who has one allele on a contig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haploid {
    Nobody,
    Men,
    Everybody,
}

impl Haploid {
    /// By the contig's name, as plink2 takes it for a human one.
    fn on(contig: &str) -> Self {
        let prefixed = contig.get(..3).is_some_and(|p| p.eq_ignore_ascii_case("chr"));
        let bare = if prefixed { &contig[3..] } else { contig };
        let is = |names: &[&str]| names.iter().any(|n| bare.eq_ignore_ascii_case(n));
        match () {
            _ if is(&["X", "23"]) => Haploid::Men,
            _ if is(&["Y", "24", "MT", "M", "26"]) => Haploid::Everybody,
            _ => Haploid::Nobody,
        }
    }
}

/// The companion of `X.pgen` or, by another name, of `X`.
fn companion(path: &Path, extension: &str) -> PathBuf {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("pgen")) {
        return path.with_extension(extension);
    }
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{extension}"));
    PathBuf::from(name)
}

/// The companion, which has to be there.
fn existing(path: &Path, extension: &str) -> Result<PathBuf> {
    let file = companion(path, extension);
    if file.is_file() {
        return Ok(file);
    }
    let packed = companion(path, &format!("{extension}.zst"));
    if packed.is_file() {
        return Err(text::refuse_zstd(&packed));
    }
    Err(Error::new(ErrorKind::Io, format!("the .{extension} of the set is not there"))
        .file(file)
        .remedy(format!("put it beside {} under the same name", path.display())))
}

/// Reads a panel.
pub(super) fn read(source: Source, options: &ReadOptions, progress: &mut Progress) -> Result<Read> {
    let path = source.path().to_path_buf();
    drop(source);
    if is_dash(&path) {
        return Err(Error::new(ErrorKind::UnknownFormat, "a PLINK 2 set is three files, which standard input is not")
            .file(&path)
            .remedy("name the .pgen file; its .pvar and .psam lie beside it"));
    }
    let mut pgen = Pgen::open(&path)?;
    let psam = existing(&path, "psam")?;
    let people = text::read_people(&psam)?;
    if people.len() != pgen.people() {
        let what = format!("the file has {} people where its .psam has {}", pgen.people(), people.len());
        return Err(other_set(&path, &psam, what));
    }
    let pvar = existing(&path, "pvar")?;
    let mut sites = text::Sites::open(&pvar)?;
    let (names, men): (Vec<String>, Vec<bool>) = people.into_iter().map(|p| (p.name, p.man)).unzip();
    let mut collector = Collector::new(&path, names, options, progress)?;
    let mut decoder = Decoder::new(pgen.people()).map_err(|e| e.file(&path))?;
    let mut genotypes = Genotypes::default();
    let (mut index, mut dosages) = (0, 0u64);
    while let Some(site) = sites.next()? {
        let i = index;
        index += 1;
        if index > pgen.variants() {
            // The rest is counted for the message.
            continue;
        }
        let alternates: Vec<&str> = site.alternates.split(',').collect();
        let variant = Variant {
            contig: site.contig,
            position: site.position,
            id: site.id,
            reference: site.reference,
            alternates: &alternates,
            record: Some(index as u64),
        };
        let Verdict::Take(taken) = collector.consider(&variant)? else { continue };
        let at = |e: Error| variant.at(e).file(&path).remedy("copy or make the set again");
        pgen.check_alleles(i, alternates.len() + 1).map_err(at)?;
        dosages += u64::from(decoder.decode(&mut pgen, i, alternates.len()).map_err(at)?);
        let haploid = Haploid::on(variant.contig);
        if haploid == Haploid::Nobody
            && alternates.len() == 1
            && let Some(bits) = decoder.complete()
        {
            collector.push_bits(&variant, bits)?;
            continue;
        }
        decoder.genotypes(&mut genotypes);
        for (column, man) in men.iter().enumerate() {
            if haploid == Haploid::Everybody || (haploid == Haploid::Men && *man) {
                let pair = &mut genotypes.alleles[2 * column..2 * column + 2];
                if pair[0] != pair[1] && collector.keeps(column) {
                    return Err(two_alleles(&variant, &path).sample(collector.name(column)));
                }
                pair[1] = ABSENT;
            }
        }
        collector.push(&variant, &taken, &genotypes)?;
    }
    if index != pgen.variants() {
        let what = format!("the file has {} variants where its .pvar has {index}", pgen.variants());
        return Err(other_set(&path, &pvar, what));
    }
    if dosages > 0 {
        collector.notice(format!("{dosages} records hold dosages, which were left; their hard calls were taken"));
    }
    collector.finish(&[])
}

fn other_set(path: &Path, companion: &Path, what: String) -> Error {
    Error::new(ErrorKind::Malformed, what)
        .file(path)
        .remedy(format!("{} has to be of the same set", companion.display()))
}

/// Somebody is heterozygous where contig and sex say that they have one allele.
fn two_alleles(variant: &Variant, path: &Path) -> Error {
    let (what, remedy) = match Haploid::on(variant.contig) {
        Haploid::Men => (
            "the genotype of a man is heterozygous on X",
            "move the pseudo-autosomal regions to contigs of their own (plink2 --split-par), or set the genotype to \
             missing (plink2 --set-invalid-haploid-missing)",
        ),
        _ => (
            "a genotype is heterozygous where everybody has one allele",
            "set such genotypes to missing (plink2 --set-invalid-haploid-missing --set-mixed-mt-missing)",
        ),
    };
    variant.at(Error::new(ErrorKind::Ploidy, what)).file(path).remedy(remedy)
}
