//! Panels from and to files: VCF, VCF.gz, BCF, PLINK 2's `.pgen` + `.pvar` + `.psam`, IMPUTE2's `.hap` + `.legend` +
//! `.samples`, and `.hapt` + `.legend`.
//!
//! [`read_panel`] tells formats by content, never by name, and turns records straight into packed bits; [`write_panel`]
//! writes any panel; [`augment`] passes real records on and appends artificial people. `-` is standard input or output.
//!
//! # Rules
//! Every refusal names the file, the record (the line of a text), the site, the sample as far as there is one, and what to
//! do. A record number is not known where reading began in the middle, through an index.
//!
//! | what is met | what is done |
//! |---|---|
//! | missing allele (`.`), also half a genotype (`.\|1`); a lone `.` is a wholly missing genotype of any ploidy | [`MissingRule`]: refused (`Missing`); or the reference, a draw from the site's frequency, the site dropped, or kept |
//! | unphased genotype: `/` between two different alleles, or one known and one missing | [`UnphasedRule`]: refused (`Unphased`); or taken as written, or kept. `0/0`, `1/1` and `./.` need no phase |
//! | several alternate alleles | [`MultiallelicRule`]: split into biallelic sites, other alternates counting as reference; or refused (`Multiallelic`), or dropped |
//! | alternate `*`, `<*>`, `<NON_REF>` | no site of its own: skipped and counted; in a record with others it counts as reference |
//! | symbolic alternate (`<DEL>`, ...) | a site like any other |
//! | no alternate (`.`); no GT in the record | skipped and counted |
//! | haploid genotypes | ploidy 1; a person's ploidy is constant in what is read, else refused with the site (`Ploidy`) |
//! | more than two alleles in a genotype | refused (`Ploidy`), unless the sample is left out |
//! | positions that fall, a contig that comes back | refused (`Unsorted`), in the part of the file that is read |
//! | the same variant twice | refused (`Duplicate`); other alleles at the same position are other sites |
//! | position 0, an empty allele, an alternate equal to the reference, genotypes too many or too few | refused (`Malformed`) |
//! | contig of a region not in the file | refused (`Region`), naming the file's contigs and the same one with or without `chr` |
//! | contig not in a VCF header | taken; a BCF cannot have one |
//! | region without a site, header alone, no samples, no site left | refused (`Empty`) |
//! | region | sites whose **position** lies inside (not those that reach into it); through `.csi` or `.tbi` if it is not older than the file and can be read, else by reading through |
//! | empty file, compressed file without its end (BGZF's last block; gzip's checksum), record cut short | refused (`Truncated`). A text that is cut between two lines cannot be told from a whole one |
//! | damaged compressed data, bytes that contradict each other | refused (`Malformed`) |
//! | another kind of file | refused (`UnknownFormat`), named if it is a known one |
//! | folder, absent or unreadable file | refused (`Io`) |
//! | `.hap` without legend, or a legend or sample file of another length | refused |
//! | `.hap` without sample file | people are `sample_0`, `sample_1`, ..., with a notice |
//! | `.hapt` without legend | sites are 1 .. M on contig `unknown`, alleles `N` and `<ALT>`, with a notice |
//! | legend ids | the contig is what stands before `:POSITION` (`15:27379578_C_A`); else [`ReadOptions::contig`], else `unknown` with a notice |
//! | `.pgen` with an LD-compressed, sparse or multiallelic record, or with dosages | read; of dosages the hard calls, with a notice |
//! | `.pgen` of dosages of a fixed width, or with its index elsewhere; `.bed`; `.pvar.zst`, `.psam.zst` | refused (`UnknownFormat`), with the line of plink2 that rewrites it |
//! | one allele or two, in `.pgen` | by contig and sex, as plink2 takes them: one for men on X, one for everybody on Y and MT; a heterozygous genotype there is refused (`Ploidy`) |
//! | `.pgen` from people with one allele elsewhere, or with two on Y or MT; half a genotype | not written: refused (`Ploidy`, `Missing`) |
//! | order of the alleles of an unphased genotype, in `.pgen` | not kept: the lower one comes first |
//! | `.psam` | a name is the IID; other columns but SEX are read over (`--labels X.psam:COLUMN` takes them as labels) |
//! | GROUP of `.hapt` | read over: it says `Real` or `AG`, or a label, which nobody can tell apart; people with labels are written with theirs |
//! | lines `##SAMPLE=<ID=..,KEY=..>` of VCF and BCF | labels, if `header:KEY` asks for them |
//! | ids of `.hapt` | `X_A`, `X_B`: one person X; `X_A` alone: a haploid one; others pair up in order, as `AG0_AG1` |
//! | `?` in `.hap`, `0*` | missing, unphased; `.hapt` holds neither: refused |
//!
//! Written files appear whole or not at all: they are made under a temporary name beside the target, checked and renamed,
//! the index last and that of an older file removed before, so that no index ever stands beside a file not its own.
//! Standard output, pipes and devices are written as they are, without an index.
//!
//! Memory of reading is that of the packed bits twice (as they come, site by site, and turned), and a line.

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
mod genetic_map;
mod haplegend;
mod hapt;
mod imputed;
mod index;
mod output;
mod pgen;
mod record;
mod select;
mod vcf;
mod write;

use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;
use crate::panel::Panel;
use crate::panel::region::Region;
use crate::progress::Progress;
use std::fmt;
use std::path::{Path, PathBuf};

pub use augment::{AugmentOptions, AugmentReport, AugmentWith, Outside, SITE_INFO, augment};
pub use genetic_map::read_genetic_map;
pub use imputed::{ImputedOptions, ImputedRecord, ImputedWriter, Origin};
pub use select::{LabelSource, Selection};
pub use write::{WriteOptions, write_panel, write_panel_watched};

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
    /// PLINK 2's `.pgen`, `.pvar` and `.psam`.
    Pgen,
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
            "pgen" if !gz => Ok(Format::Pgen),
            _ => Err(Error::new(ErrorKind::UnknownFormat, "the file's name does not say its format")
                .file(path)
                .remedy("end it in .vcf, .vcf.gz, .bcf, .pgen, .hap[.gz] or .hapt[.gz], or name the format")),
        }
    }
}

impl Format {
    /// The format that the option `format` asks for; `None` for `auto`, by name.
    ///
    /// # Errors
    /// None: the option takes no other words.
    pub(crate) fn from_option(options: &Options) -> Result<Option<Self>> {
        Some(options.text("format")).filter(|word| *word != "auto").map(str::parse).transpose()
    }
}

impl std::str::FromStr for Format {
    type Err = Error;

    /// `vcf`, `vcf.gz`, `bcf`, `pgen`, `hap`, `hap.gz`, `hapt`, `hapt.gz`; also bcftools' `v`, `z`, `b`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "vcf" | "v" => Ok(Format::Vcf),
            "vcf.gz" | "z" => Ok(Format::VcfGz),
            "bcf" | "b" => Ok(Format::Bcf),
            "hap" => Ok(Format::HapLegend { gz: false }),
            "hap.gz" => Ok(Format::HapLegend { gz: true }),
            "hapt" => Ok(Format::Hapt { gz: false }),
            "hapt.gz" => Ok(Format::Hapt { gz: true }),
            "pgen" => Ok(Format::Pgen),
            _ => Err(Error::new(ErrorKind::UnknownFormat, format!("there is no format '{text}'"))
                .remedy("choose vcf, vcf.gz, bcf, pgen, hap, hap.gz, hapt or hapt.gz")),
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
            Format::Pgen => "pgen",
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
    /// Where labels of the people come from.
    pub labels: Option<LabelSource>,
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
            labels: None,
            missing: MissingRule::default(),
            unphased: UnphasedRule::default(),
            multiallelic: MultiallelicRule::default(),
            threads: 1,
            seed: 1,
        }
    }
}

impl ReadOptions {
    /// From the keys that reading reads, with their defaults: [`Reader::Read`](crate::options::Reader), `region`, `threads`
    /// and `seed`.
    ///
    /// # Errors
    /// `Region`; `Io` or `Empty` for the file of samples; `InvalidOption` for two lists of samples.
    pub fn from_options(options: &Options) -> Result<Self> {
        let file = |key| options.given(key).map(PathBuf::from);
        Ok(ReadOptions {
            region: options.given("region").map(str::parse).transpose()?,
            samples: Selection::from_options(options)?.map(|s| (s.names, s.exclude)),
            legend: file("legend"),
            sample_file: file("sample_file"),
            contig: options.given("contig").map(String::from),
            labels: options.given("labels").map(|text| {
                let Ok(labels) = text.parse();
                labels
            }),
            missing: options.text("missing").parse()?,
            unphased: options.text("unphased").parse()?,
            multiallelic: options.text("multiallelic").parse()?,
            threads: options.whole("threads"),
            seed: options.whole("seed") as u64,
        })
    }
}

/// A panel, and what its reader has to say about it.
#[derive(Clone, Debug)]
pub struct Read {
    /// The panel.
    pub panel: Panel,
    /// Sentences for the user: what was skipped, split, filled or assumed.
    pub notices: Vec<String>,
    /// The lines `##SAMPLE` of its header.
    sample_lines: Vec<String>,
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

/// Whether a file of this name can be made, or replaced: asked before long work, so that it does not fail at its end. Nothing
/// is left behind.
///
/// # Errors
/// `Io`.
pub fn require_writable(path: &Path) -> Result<()> {
    output::Output::create(path, bgzf::Packing::Plain, 1).map(drop)
}

/// Reads a panel from VCF, VCF.gz, BCF, `.pgen`, `.hap` or `.hapt`, recognised by content; `-` is standard input.
///
/// # Errors
/// See the table of rules above; each names the file, the record, the site and the sample as far as they are known.
pub fn read_panel(path: &Path, options: &ReadOptions) -> Result<Read> {
    read_panel_watched(path, options, &mut Progress::none())
}

/// Reads a panel as [`read_panel`] does, telling of its progress in records (of `.hapt`: in haplotypes).
///
/// # Errors
/// As [`read_panel`]; `Cancelled`.
pub fn read_panel_watched(path: &Path, options: &ReadOptions, progress: &mut Progress) -> Result<Read> {
    let threads = crate::threads::Threads::new(options.threads).count();
    read_source(bgzf::Source::open(path, threads)?, options, progress)
}

/// Reads a panel from the bytes of a file, as [`read_panel`] would read the file. `name` is what errors call it.
///
/// # Errors
/// As [`read_panel`].
pub fn read_panel_bytes(bytes: &[u8], name: &Path, options: &ReadOptions, progress: &mut Progress) -> Result<Read> {
    let threads = crate::threads::Threads::new(options.threads).count();
    read_source(bgzf::Source::from_bytes(bytes, name, threads)?, options, progress)
}

fn read_source(mut source: bgzf::Source, options: &ReadOptions, progress: &mut Progress) -> Result<Read> {
    let mut read = match sniff(&mut source)? {
        Content::Vcf => vcf::read(source, options, progress),
        Content::Bcf => bcf::read(source, options, progress),
        Content::Hap => haplegend::read(source, options, progress),
        Content::Hapt => hapt::read(source, options, progress),
        Content::Pgen => pgen::read(source, options, progress),
    }?;
    if let Some(labels) = &options.labels {
        let (panel, notice) = labels.apply(&read.panel, &read.sample_lines)?;
        read.panel = panel;
        read.notices.extend(notice);
    }
    Ok(read)
}

/// What a file is by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Vcf,
    Bcf,
    Hap,
    Hapt,
    Pgen,
}

fn sniff(source: &mut bgzf::Source) -> Result<Content> {
    let path = source.path().to_path_buf();
    let head = source.peek(4096)?;
    let pvar = head.starts_with(b"#CHROM\tPOS\tID\tREF\tALT\n");
    if head.starts_with(b"##fileformat=VCF") || (head.starts_with(b"#CHROM\tPOS") && !pvar) {
        return Ok(Content::Vcf);
    }
    if head.starts_with(b"BCF\x02") {
        return Ok(Content::Bcf);
    }
    if head.starts_with(&pgen::MAGIC) && !matches!(head.get(2), Some(0 | 1)) {
        return Ok(Content::Pgen);
    }
    if head.get(8) == Some(&b'{') && head.get(4..8) == Some(&[0; 4]) {
        return Err(Error::new(
            ErrorKind::UnknownFormat,
            "the file looks like a model (safetensors), not like a panel",
        )
        .file(&path)
        .remedy("give the panel where a panel is asked for"));
    }
    let known: &[(&[u8], &str)] = &[
        (b"BCF\x04", "BCF version 1"),
        (b"BAM\x01", "BAM"),
        (b"CRAM", "CRAM"),
        (b"TBI\x01", "an index"),
        (b"CSI\x01", "an index"),
        (b"\x6c\x1b\x01", "PLINK 1 .bed (plink2 --bfile X --make-pgen makes a .pgen of it, without phase)"),
        (b"\x6c\x1b\x00", "PLINK 1 .bed (plink2 --bfile X --make-pgen makes a .pgen of it, without phase)"),
        (b"#IID", "a .psam (name the .pgen beside it)"),
        (b"#FID", "a .psam (name the .pgen beside it)"),
        (b"#CHROM\tPOS", "a .pvar (name the .pgen beside it)"),
        (b"##", "a VCF without its first line, or a .pvar (name the .pgen beside it)"),
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
            .remedy("give a VCF, VCF.gz, BCF, .pgen, .hap[.gz] or .hapt[.gz] file")
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
