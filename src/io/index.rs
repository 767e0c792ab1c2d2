//! Where a region begins in a file, from its `.tbi` (Tabix specification) or `.csi` (CSI specification) index.
//!
//! A panel takes sites whose position lies inside a region, and files with an index are sorted: so the place of the
//! region's first record is all that is needed, and reading goes on from there to the first record past the region.

use super::bgzf::{Source, is_dash};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::region::Region;
use std::path::{Path, PathBuf};

/// Where to begin to read.
pub(super) enum Start {
    /// At the beginning: there is no index.
    Beginning,
    /// At this virtual offset.
    At(u64),
    /// The index has nothing in the region; it names these contigs.
    Nowhere(Vec<String>),
}

/// Finds the place of a region. `contigs` are those of a BCF's header by number; the index of a VCF names its own.
///
/// An index that is older than the file, or that cannot be read, is left alone with a notice.
pub(super) fn start(
    source: &Source,
    region: &Region,
    contigs: Option<&[Option<String>]>,
    notices: &mut Vec<String>,
) -> Result<Start> {
    let path = source.path();
    if !source.is_bgzf() || is_dash(path) {
        return Ok(Start::Beginning);
    }
    let Some(file) = beside(path) else { return Ok(Start::Beginning) };
    let time = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    if time(&file) < time(path) {
        notices.push(format!("index {} is older than its file and was not used", file.display()));
        return Ok(Start::Beginning);
    }
    let index = match Index::read(&file) {
        Ok(index) => index,
        Err(e) => {
            notices.push(format!("the index was not used: {e}"));
            return Ok(Start::Beginning);
        }
    };
    let number = match contigs {
        Some(contigs) => contigs.iter().position(|c| c.as_ref() == Some(&region.contig)),
        None => index.names.iter().position(|c| *c == region.contig),
    };
    let offset = number.and_then(|n| index.contigs.get(n)).and_then(|c| c.offset(&index, region.start - 1));
    Ok(offset.map_or(Start::Nowhere(index.names), Start::At))
}

/// The index beside a file.
pub(super) fn beside(path: &Path) -> Option<PathBuf> {
    [".csi", ".tbi"].iter().find_map(|extension| {
        let mut name = path.as_os_str().to_os_string();
        name.push(extension);
        let name = PathBuf::from(name);
        name.is_file().then_some(name)
    })
}

struct Index {
    min_shift: u32,
    depth: u32,
    names: Vec<String>,
    contigs: Vec<Contig>,
}

#[derive(Default)]
struct Contig {
    bins: Vec<Bin>,
    /// Of `.tbi`: the offset of the first record that overlaps each window of 2^14 bases.
    windows: Vec<u64>,
}

struct Bin {
    number: u32,
    /// Of `.csi`: the offset of the first record that overlaps the bin.
    first: u64,
    chunks: Vec<(u64, u64)>,
}

impl Contig {
    /// A place at or before the first record at `position` (from 0) or later; `None` if there is no such record.
    fn offset(&self, index: &Index, position: u64) -> Option<u64> {
        let depth = index.depth;
        let level_start = |level: u32| ((1u64 << (3 * level)) - 1) / 7;
        let shift = |level: u32| index.min_shift + 3 * (depth - level);
        let level_of = |bin: u32| (0..=depth).rev().find(|level| u64::from(bin) >= level_start(*level)).unwrap_or(0);
        let leaf = level_start(depth) + (position >> index.min_shift);
        let from_windows = self.windows.get((position >> 14) as usize).copied().unwrap_or(0);
        let from_bins = self.bins.iter().filter(|b| (level_start(depth)..=leaf).contains(&u64::from(b.number)));
        let lowest = from_bins.map(|b| b.first).max().unwrap_or(0).max(from_windows);
        self.bins
            .iter()
            .filter(|b| {
                let level = level_of(b.number);
                u64::from(b.number) - level_start(level) >= position >> shift(level)
            })
            .flat_map(|b| &b.chunks)
            .filter(|(_, end)| *end > lowest)
            .map(|(begin, _)| *begin.max(&lowest))
            .min()
    }
}

/// Numbers out of an index.
struct Numbers {
    source: Source,
}

impl Numbers {
    fn bytes(&mut self, n: usize) -> Result<&[u8]> {
        let path = self.source.path().to_path_buf();
        self.source.exact(n)?.ok_or_else(|| Error::new(ErrorKind::Truncated, "the index ends too early").file(path))
    }

    fn u32(&mut self) -> Result<u32> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from(self.u32()?) | u64::from(self.u32()?) << 32)
    }

    /// A count, which is not taken at its word: nothing is reserved for it.
    fn count(&mut self) -> Result<u32> {
        let n = self.u32()?;
        match n <= i32::MAX as u32 {
            true => Ok(n),
            false => Err(self.bad("a negative count")),
        }
    }

    fn bad(&self, what: &str) -> Error {
        Error::new(ErrorKind::Malformed, what).file(self.source.path())
    }
}

impl Index {
    fn read(path: &Path) -> Result<Index> {
        let mut numbers = Numbers { source: Source::open(path, 1)? };
        let magic = numbers.u32()?.to_le_bytes();
        let mut index = Index { min_shift: 14, depth: 5, names: Vec::new(), contigs: Vec::new() };
        let is_csi = match &magic {
            b"TBI\x01" => false,
            b"CSI\x01" => true,
            _ => return Err(numbers.bad("this is no index")),
        };
        let contigs = if is_csi {
            (index.min_shift, index.depth) = (numbers.u32()?, numbers.u32()?);
            if index.min_shift > 40 || index.depth > 9 {
                return Err(numbers.bad("the index has impossible bins"));
            }
            let length = numbers.count()? as usize;
            let meta = numbers.bytes(length)?;
            if let Some(names) = meta.get(28..) {
                index.names = names_of(names);
            }
            numbers.count()?
        } else {
            let contigs = numbers.count()?;
            numbers.bytes(24)?;
            let length = numbers.count()? as usize;
            index.names = names_of(numbers.bytes(length)?);
            contigs
        };
        let bins_in_all = ((1u64 << (3 * (index.depth + 1))) - 1) / 7;
        for _ in 0..contigs {
            let mut contig = Contig::default();
            for _ in 0..numbers.count()? {
                let number = numbers.u32()?;
                let first = if is_csi { numbers.u64()? } else { 0 };
                let mut chunks = Vec::new();
                for _ in 0..numbers.count()? {
                    chunks.push((numbers.u64()?, numbers.u64()?));
                }
                // Bins past the last one hold counts.
                if u64::from(number) < bins_in_all {
                    contig.bins.push(Bin { number, first, chunks });
                }
            }
            if !is_csi {
                for _ in 0..numbers.count()? {
                    let offset = numbers.u64()?;
                    contig.windows.push(offset);
                }
            }
            index.contigs.push(contig);
        }
        Ok(index)
    }
}

fn names_of(bytes: &[u8]) -> Vec<String> {
    bytes
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}
