//! Panels from and to files.

/// An option word: a macro, so that words, parsing and printing cannot disagree.
macro_rules! rule {
    ($(#[$meta:meta])* $name:ident, $what:literal: $($(#[$attribute:meta])* $variant:ident = $word:literal,)*) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$attribute])* $variant,)* }

        impl std::str::FromStr for $name {
            type Err = $crate::error::Error;

            fn from_str(text: &str) -> $crate::error::Result<Self> {
                match text {
                    $($word => Ok($name::$variant),)*
                    _ => {
                        let what = format!(concat!("there is no rule '{}' for ", $what), text);
                        Err($crate::error::Error::new($crate::error::ErrorKind::InvalidOption, what)
                            .remedy(format!("choose one of {}", [$($word),*].join(", "))))
                    }
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $($name::$variant => $word,)* })
            }
        }
    };
}

mod augment;
mod bcf;
mod bgzf;
mod collect;
mod haplegend;
mod hapt;
mod index;
mod output;
mod record;
mod vcf;
mod write;

use crate::error::{Error, ErrorKind, Result};
use crate::panel::Panel;
use crate::panel::region::Region;
use std::fmt;
use std::path::{Path, PathBuf};

pub use augment::{AugmentOptions, AugmentReport, AugmentWith, Outside, SITE_INFO, augment};
pub use write::{WriteOptions, write_panel};

/// The formats of panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// VCF as text.
    Vcf,
    /// VCF in BGZF.
    VcfGz,
    /// BCF 2.2 in BGZF.
    Bcf,
    /// IMPUTE2's reference panel: `.hap`, `.legend` and `.samples`.
    HapLegend {
        /// Whether the files are compressed.
        gz: bool,
    },
    /// One haplotype a line, `GROUP ID a1 .. aM`, with a `.legend` beside it.
    Hapt {
        /// Whether the files are compressed.
        gz: bool,
    },
}

impl Format {
    /// The format that a name asks for when writing; `-` is VCF.
    ///
    /// # Errors
    /// `UnknownFormat` for another ending.
    pub fn from_name(path: &Path) -> Result<Self> {
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (stem, gz) = match name.strip_suffix(".gz").or_else(|| name.strip_suffix(".bgz")) {
            Some(stem) => (stem, true),
            None => (name.as_str(), false),
        };
        match stem.rsplit_once('.').map_or("", |(_, extension)| extension) {
            _ if bgzf::is_dash(path) => Ok(Format::Vcf),
            "vcf" if gz => Ok(Format::VcfGz),
            "vcf" => Ok(Format::Vcf),
            "bcf" if !gz => Ok(Format::Bcf),
            "hap" => Ok(Format::HapLegend { gz }),
            "hapt" => Ok(Format::Hapt { gz }),
            _ => Err(Error::new(ErrorKind::UnknownFormat, "the file's name does not say its format")
                .file(path)
                .remedy("end it in .vcf, .vcf.gz, .bcf, .hap[.gz] or .hapt[.gz], or name the format")),
        }
    }
}

impl std::str::FromStr for Format {
    type Err = Error;

    /// `vcf`, `vcf.gz`, `bcf`, `hap`, `hap.gz`, `hapt`, `hapt.gz`; also bcftools' `v`, `z`, `b`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "vcf" | "v" => Ok(Format::Vcf),
            "vcf.gz" | "z" => Ok(Format::VcfGz),
            "bcf" | "b" => Ok(Format::Bcf),
            "hap" => Ok(Format::HapLegend { gz: false }),
            "hap.gz" => Ok(Format::HapLegend { gz: true }),
            "hapt" => Ok(Format::Hapt { gz: false }),
            "hapt.gz" => Ok(Format::Hapt { gz: true }),
            _ => Err(Error::new(ErrorKind::UnknownFormat, format!("there is no format '{text}'"))
                .remedy("choose vcf, vcf.gz, bcf, hap, hap.gz, hapt or hapt.gz")),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Vcf => "vcf",
            Format::VcfGz => "vcf.gz",
            Format::Bcf => "bcf",
            Format::HapLegend { gz: false } => "hap",
            Format::HapLegend { gz: true } => "hap.gz",
            Format::Hapt { gz: false } => "hapt",
            Format::Hapt { gz: true } => "hapt.gz",
        })
    }
}

rule! {
    /// What to do with missing alleles (`.`, also one of two).
    MissingRule, "missing alleles":
    /// Refuse the file. This is the default.
    #[default]
    Refuse = "refuse",
    /// Take the reference allele.
    Reference = "reference",
    /// Draw from the site's frequency among the people read; the draw depends on seed, site and person alone. A site
    /// without any known allele gets the reference.
    Frequency = "frequency",
    /// Leave out sites at which an allele of the people read is missing.
    DropSite = "drop-site",
    /// Keep them in the panel's plane of missing alleles.
    Keep = "keep",
}

rule! {
    /// What to do with heterozygous or half-missing genotypes that are not phased. Others need no phase.
    UnphasedRule, "unphased genotypes":
    /// Refuse the file. This is the default.
    #[default]
    Refuse = "refuse",
    /// Take alleles in the order in which they are written, as if they were phased.
    AsWritten = "as-written",
    /// Take them as written, and mark them in the panel's plane of unphased genotypes.
    Keep = "keep",
}

rule! {
    /// What to do with records that have several alternate alleles.
    MultiallelicRule, "multiallelic sites":
    /// A biallelic site for each alternate allele, at which the other alternates count as the reference: what
    /// `bcftools norm -m-` does. Alleles are not trimmed, the id stays. This is the default.
    #[default]
    Split = "split",
    /// Refuse the file.
    Refuse = "refuse",
    /// Leave the record out.
    Drop = "drop",
}

/// How to read a panel. The default reads everything on one thread and refuses what is missing or unphased.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Only sites whose position lies inside. Through the index (`.tbi`, `.csi`) if there is one that is not older than
    /// the file, else by reading through.
    pub region: Option<Region>,
    /// Only these people, or (`true`) all but these; the order is the file's.
    pub samples: Option<(Vec<String>, bool)>,
    /// The legend of a `.hap` or `.hapt` file, if it is not beside it under the same name.
    pub legend: Option<PathBuf>,
    /// The sample file of a `.hap` file, if it is not beside it under the same name.
    pub sample_file: Option<PathBuf>,
    /// The contig of legends whose ids do not say it.
    pub contig: Option<String>,
    /// Missing alleles.
    pub missing: MissingRule,
    /// Unphased genotypes.
    pub unphased: UnphasedRule,
    /// Several alternate alleles.
    pub multiallelic: MultiallelicRule,
    /// Threads that inflate; 0: one a processor. The panel does not depend on it.
    pub threads: usize,
    /// The seed of [`MissingRule::Frequency`].
    pub seed: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            region: None,
            samples: None,
            legend: None,
            sample_file: None,
            contig: None,
            missing: MissingRule::default(),
            unphased: UnphasedRule::default(),
            multiallelic: MultiallelicRule::default(),
            threads: 1,
            seed: 1,
        }
    }
}

/// A panel, and what its reader has to say about it.
#[derive(Clone, Debug)]
pub struct Read {
    /// The panel.
    pub panel: Panel,
    /// Sentences for the user: what was skipped, split, filled or assumed.
    pub notices: Vec<String>,
}

/// Writes bytes beside `path` and renames: the file is whole or not there. `-` is standard output.
///
/// # Errors
/// `Io`.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut output = output::Output::create(path, bgzf::Packing::Plain, 1)?;
    for piece in bytes.chunks(1 << 20) {
        output.sink().buffer().extend_from_slice(piece);
        output.sink().spill()?;
    }
    output.commit(None)
}

/// Reads a panel from VCF, VCF.gz, BCF, `.hap` or `.hapt`, recognised by content; `-` is standard input.
///
/// # Errors
/// See the table of rules above; each names the file, the record, the site and the sample as far as they are known.
pub fn read_panel(path: &Path, options: &ReadOptions) -> Result<Read> {
    let threads = crate::threads::Threads::new(options.threads).count();
    let mut source = bgzf::Source::open(path, threads)?;
    match sniff(&mut source)? {
        Content::Vcf => vcf::read(source, options),
        Content::Bcf => bcf::read(source, options),
        Content::Hap => haplegend::read(source, options),
        Content::Hapt => hapt::read(source, options),
    }
}

/// What a file is by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Vcf,
    Bcf,
    Hap,
    Hapt,
}

fn sniff(source: &mut bgzf::Source) -> Result<Content> {
    let path = source.path().to_path_buf();
    let head = source.peek(4096)?;
    if head.starts_with(b"##fileformat=VCF") || head.starts_with(b"#CHROM\tPOS") {
        return Ok(Content::Vcf);
    }
    if head.starts_with(b"BCF\x02") {
        return Ok(Content::Bcf);
    }
    let known: &[(&[u8], &str)] = &[
        (b"BCF\x04", "BCF version 1"),
        (b"BAM\x01", "BAM"),
        (b"CRAM", "CRAM"),
        (b"TBI\x01", "an index"),
        (b"CSI\x01", "an index"),
        (b"\x6c\x1b\x01", "PLINK 1 .bed"),
        (b"\x6c\x1b", "PLINK 2 .pgen"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ", "xz"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"id position ", "a legend"),
        (b"\x1f\x8b", "gzip twice over"),
    ];
    let refuse = |what: String| {
        Error::new(ErrorKind::UnknownFormat, what)
            .file(&path)
            .remedy("give a VCF, VCF.gz, BCF, .hap[.gz] or .hapt[.gz] file")
    };
    if let Some((_, name)) = known.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(refuse(format!("the file looks like {name}, which is not read here")));
    }
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let is_text = line.iter().all(|b| *b >= b' ' || matches!(b, b'\t' | b'\r'));
    let mut tokens = line.split(|b| matches!(b, b' ' | b'\t' | b'\r')).filter(|t| !t.is_empty());
    let is_allele = |t: &[u8]| matches!(t, b"0" | b"1" | b"?" | b"-" | b"0*" | b"1*");
    let first = [tokens.next(), tokens.next(), tokens.next()];
    match first {
        [Some(a), b, c] if is_text && is_allele(a) && b.is_none_or(is_allele) && c.is_none_or(is_allele) => {
            Ok(Content::Hap)
        }
        [Some(_), Some(_), Some(c)] if is_text && is_allele(c) => Ok(Content::Hapt),
        _ => Err(refuse("the file is in no format that is read here".into())),
    }
}
