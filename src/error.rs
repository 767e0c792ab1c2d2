//! The one error of the crate: what is wrong, where, and what to do about it.
//!
//! Each [`ErrorKind`] owns one status number, and numbers are never reused: the C library returns them as they are.

use std::fmt;
use std::path::{Path, PathBuf};

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What kind of thing went wrong. The number of a kind is its status in the C library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorKind { $($(#[doc = $doc])* $name = $number,)* }

        impl ErrorKind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name,)*];

            /// The name that the C library gives to this status, without its prefix.
            pub fn name(self) -> &'static str {
                match self { $(ErrorKind::$name => $text,)* }
            }
        }
    };
}

error_kinds! {
    /// An argument is out of range or makes no sense.
    InvalidArgument = -1, "INVALID_ARGUMENT";
    /// Memory for a size that the input controls could not be had.
    OutOfMemory = -2, "OUT_OF_MEMORY";
    /// The caller asked to stop.
    Cancelled = -3, "CANCELLED";
    /// An option key that does not exist, or that nothing reads here.
    UnknownOption = -4, "UNKNOWN_OPTION";
    /// An option value of the wrong type or outside its bounds.
    InvalidOption = -5, "INVALID_OPTION";
    /// A defect of this library.
    Internal = -6, "INTERNAL";

    /// A file could not be opened, read or written.
    Io = -100, "IO";
    /// The file is in no format that is read here.
    UnknownFormat = -101, "UNKNOWN_FORMAT";
    /// The file ends too early.
    Truncated = -102, "TRUNCATED";
    /// The file's bytes contradict its format.
    Malformed = -103, "MALFORMED";
    /// A region does not parse, or names a contig that is not there.
    Region = -104, "REGION";

    /// Genotypes are not phased.
    Unphased = -200, "UNPHASED";
    /// Genotypes are missing.
    Missing = -201, "MISSING";
    /// A site has more than two alleles.
    Multiallelic = -202, "MULTIALLELIC";
    /// Sites are not in order.
    Unsorted = -203, "UNSORTED";
    /// The ploidy of a sample changes, or is not 1 or 2.
    Ploidy = -204, "PLOIDY";
    /// Two panels, or a panel and a model, share no site.
    NoOverlap = -205, "NO_OVERLAP";
    /// Contigs are named differently.
    ContigMismatch = -206, "CONTIG_MISMATCH";
    /// Sites at the same position have other alleles.
    AlleleMismatch = -207, "ALLELE_MISMATCH";
    /// A panel or a selection of it has no haplotypes or no sites.
    Empty = -208, "EMPTY";
    /// The same site or sample twice.
    Duplicate = -209, "DUPLICATE";
    /// A sample that is not in the panel, or a label that the model does not know.
    UnknownName = -210, "UNKNOWN_NAME";

    /// The file is not a model of this library.
    NotAModel = -300, "NOT_A_MODEL";
    /// The model file is of a version that is no longer read.
    ModelTooOld = -301, "MODEL_TOO_OLD";
    /// The model file is of a version that this library does not know yet.
    ModelTooNew = -302, "MODEL_TOO_NEW";
    /// The model file contradicts itself.
    ModelCorrupt = -303, "MODEL_CORRUPT";

    /// Training left the finite numbers or its bounds.
    Diverged = -400, "DIVERGED";
    /// A checkpoint belongs to another panel or to other options.
    CheckpointMismatch = -401, "CHECKPOINT_MISMATCH";

    /// There is no driver for GPUs, or it is too old.
    NoDriver = -500, "NO_DRIVER";
    /// There is no such GPU, or it is too old.
    NoDevice = -501, "NO_DEVICE";
    /// The GPU has no memory left.
    OutOfDeviceMemory = -502, "OUT_OF_DEVICE_MEMORY";
    /// The GPU or its driver failed.
    DeviceFailed = -503, "DEVICE_FAILED";
}

/// Where something went wrong, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Option<PathBuf>,
    /// The line (text files) or record (binary files), from 1.
    pub record: Option<u64>,
    /// The site, as `contig:position`.
    pub site: Option<String>,
    /// The sample's name.
    pub sample: Option<String>,
    /// The byte in the file, from 0.
    pub byte: Option<u64>,
}

/// What went wrong, where, and what to do. Boxed inside, so that results stay small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Detail>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Detail {
    kind: ErrorKind,
    what: String,
    place: Place,
    remedy: Option<String>,
}

impl Error {
    /// An error of a kind, with a sentence that says what is wrong (no capital, no full stop).
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Error(Box::new(Detail { kind, what: what.into(), place: Place::default(), remedy: None }))
    }

    /// An argument that makes no sense.
    pub fn argument(what: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidArgument, what)
    }

    /// An operating system's error while `doing` something to a file.
    pub fn io(doing: &str, file: impl AsRef<Path>, source: &std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::UnexpectedEof => ErrorKind::Truncated,
            std::io::ErrorKind::InvalidData => ErrorKind::Malformed,
            std::io::ErrorKind::OutOfMemory => ErrorKind::OutOfMemory,
            _ => ErrorKind::Io,
        };
        Error::new(kind, format!("cannot {doing}: {source}")).file(file)
    }

    /// Names the file, unless it is named already.
    pub fn file(mut self, file: impl AsRef<Path>) -> Self {
        self.0.place.file.get_or_insert_with(|| file.as_ref().to_path_buf());
        self
    }

    /// Names the line or record, from 1.
    pub fn record(mut self, record: u64) -> Self {
        self.0.place.record.get_or_insert(record);
        self
    }

    /// Names the site.
    pub fn site(mut self, contig: &str, position: u64) -> Self {
        self.0.place.site.get_or_insert_with(|| format!("{contig}:{position}"));
        self
    }

    /// Names the sample.
    pub fn sample(mut self, sample: impl Into<String>) -> Self {
        self.0.place.sample.get_or_insert_with(|| sample.into());
        self
    }

    /// Names the byte, from 0.
    pub fn byte(mut self, byte: u64) -> Self {
        self.0.place.byte.get_or_insert(byte);
        self
    }

    /// Says what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy.get_or_insert_with(|| remedy.into());
        self
    }

    /// Says what to do about it, whatever was said before: what the caller of a function can do may be another thing.
    pub fn remedy_here(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The status number in the C library; always negative.
    pub fn status(&self) -> i32 {
        self.0.kind as i32
    }

    /// The sentence that says what is wrong, without place and remedy.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Where it went wrong.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// What to do about it, if that is known.
    pub fn advice(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    /// `FILE, record 12, 15:27379578, sample HG00096, byte 40: what is wrong; what to do`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.0.place;
        let mut parts = Vec::new();
        parts.extend(place.file.as_ref().map(|p| match p.as_os_str() == "-" {
            true => "standard input".to_string(),
            false => p.display().to_string(),
        }));
        parts.extend(place.record.map(|n| format!("record {n}")));
        parts.extend(place.site.clone());
        parts.extend(place.sample.as_ref().map(|s| format!("sample {s}")));
        parts.extend(place.byte.map(|b| format!("byte {b}")));
        if !parts.is_empty() {
            write!(f, "{}: ", parts.join(", "))?;
        }
        f.write_str(&self.0.what)?;
        match &self.0.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_numbers_are_negative_and_distinct() {
        let mut numbers: Vec<i32> = ErrorKind::ALL.iter().map(|k| *k as i32).collect();
        assert!(numbers.iter().all(|n| *n < 0));
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn a_message_says_where_what_and_remedy() {
        let e = Error::new(ErrorKind::Unphased, "genotype 0/1 is not phased")
            .file("a.vcf")
            .record(3)
            .site("15", 100)
            .sample("HG1")
            .remedy("phase the file first");
        assert_eq!(
            e.to_string(),
            "a.vcf, record 3, 15:100, sample HG1: genotype 0/1 is not phased; phase the file first"
        );
        assert_eq!(e.status(), -200);
    }
}
