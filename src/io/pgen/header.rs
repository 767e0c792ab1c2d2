//! The header of a `.pgen`: how many variants and people, and where each record lies.

use super::{BLOCK, FIXED, MAGIC, VARIABLE};
use crate::error::{Error, ErrorKind, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes before the index.
const HEAD: u64 = 12;
/// Bytes that are read at once.
const WINDOW: usize = 1 << 18;

/// A `.pgen` being read, record by record in any order.
pub(super) struct Pgen {
    file: File,
    path: PathBuf,
    length: u64,
    variants: usize,
    people: usize,
    layout: Layout,
    block: Block,
    /// A stretch of the file, and where it begins.
    window: Vec<u8>,
    window_at: u64,
}

/// How the index of records is kept.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// No index: records of type 0 from this byte on.
    Fixed { start: u64 },
    /// In each block, types and lengths, which may be followed by allele counts and flags.
    Variable {
        /// 4 or 8; 0 where the type follows from the length, which then counts the bytes over the shortest record.
        type_bits: u64,
        length_bits: u64,
        allele_bytes: u64,
        flags: bool,
    },
}

/// The index of up to 2^16 records.
#[derive(Default)]
struct Block {
    /// Its number; `None` before the first is read.
    number: Option<usize>,
    types: Vec<u8>,
    /// Where each record begins, and where the last one ends.
    starts: Vec<u64>,
    /// Numbers of alleles, where the file has them.
    alleles: Vec<u32>,
}

impl Pgen {
    /// Opens a file, and checks that all of it can be there.
    ///
    /// # Errors
    /// `Io`, `UnknownFormat`, `Truncated`, `Malformed`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| Error::io("read the file", path, &e);
        // Looked at before it is opened: a pipe whose bytes were looked into already would not open again.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(Error::new(ErrorKind::Io, "this is no regular file, as a .pgen has to be")
                .file(path)
                .remedy("copy it to a file"));
        }
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut pgen = Pgen {
            file,
            path: path.to_path_buf(),
            length,
            variants: 0,
            people: 0,
            layout: Layout::Fixed { start: HEAD },
            block: Block::default(),
            window: Vec::new(),
            window_at: 0,
        };
        pgen.read_head()?;
        Ok(pgen)
    }

    fn read_head(&mut self) -> Result<()> {
        let path = self.path.clone();
        let unknown = |what: String, remedy: &str| {
            Err(Error::new(ErrorKind::UnknownFormat, what).file(&path).byte(2).remedy(remedy))
        };
        let malformed = |what: String| {
            Error::new(ErrorKind::Malformed, what).file(&path).byte(11).remedy("copy or make the set again")
        };
        let head = self.window(0, HEAD)?.to_vec();
        if head[..2] != MAGIC {
            return unknown("the file does not begin as a .pgen".into(), "unpack it, if it is compressed");
        }
        let mode = head[2];
        match mode {
            VARIABLE | FIXED => {}
            0x03 | 0x04 => {
                let what = format!("the file is a .pgen of storage mode {mode:#04x}, dosages of a fixed width");
                return unknown(what, "write the set again (plink2 --pfile X --make-pgen --out Y)");
            }
            0x11 | 0x20 | 0x21 => {
                let what =
                    format!("the file is a .pgen of storage mode {mode:#04x}, whose index or footer is not read here");
                return unknown(
                    what,
                    "write the set again with an index inside (plink2 --pfile X --make-pgen --out Y)",
                );
            }
            _ => {
                let what = format!("the file is a .pgen of storage mode {mode:#04x}, which is not known");
                return unknown(what, "write the set again (plink2 --pfile X --make-pgen --out Y)");
            }
        }
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        (self.variants, self.people) = (number(3), number(7));
        let (form, allele_bytes, flags) = (head[11] & 15, u64::from(head[11] >> 4 & 3), head[11] >> 6 == 3);
        let variants = self.variants as u64;
        if mode == FIXED {
            if form != 0 || allele_bytes != 0 {
                return Err(malformed(format!("header byte {:#04x} does not go with storage mode 0x02", head[11])));
            }
            let start = HEAD + if flags { variants.div_ceil(8) } else { 0 };
            self.layout = Layout::Fixed { start };
            // Below 2^32 x 2^30 bytes.
            return self.check_end(start + variants * (self.people as u64).div_ceil(4));
        }
        let (type_bits, length_bits) = match form {
            0..=3 => (4, 8 * (u64::from(form) + 1)),
            4..=7 => (8, 8 * (u64::from(form) - 3)),
            8 => (0, 2),
            9 => (0, 4),
            _ => return Err(malformed(format!("header byte {:#04x} asks for a layout that is not known", head[11]))),
        };
        self.layout = Layout::Variable { type_bits, length_bits, allele_bytes, flags };
        self.check_end(self.index_end())?;
        if let Some(last) = self.variants.checked_sub(1) {
            self.load(last / BLOCK)?;
        }
        Ok(())
    }

    /// How many variants the file has.
    pub(super) fn variants(&self) -> usize {
        self.variants
    }

    /// How many people the file has.
    pub(super) fn people(&self) -> usize {
        self.people
    }

    /// Variants of a block.
    fn size_of(&self, block: usize) -> usize {
        (self.variants - block * BLOCK).min(BLOCK)
    }

    /// Bytes of the four parts of the index of `n` variants.
    fn parts(&self, n: usize) -> [u64; 4] {
        let n = n as u64;
        match self.layout {
            Layout::Fixed { .. } => [0; 4],
            Layout::Variable { type_bits, length_bits, allele_bytes, flags } => [
                (n * type_bits).div_ceil(8),
                (n * length_bits).div_ceil(8),
                n * allele_bytes,
                if flags { n.div_ceil(8) } else { 0 },
            ],
        }
    }

    /// Where the index of a block begins.
    fn index_at(&self, block: usize) -> u64 {
        let whole: u64 = self.parts(BLOCK).iter().sum();
        HEAD + 8 * self.variants.div_ceil(BLOCK) as u64 + block as u64 * whole
    }

    /// Where the index of all blocks ends.
    fn index_end(&self) -> u64 {
        match self.variants.checked_sub(1).map(|last| last / BLOCK) {
            None => HEAD,
            Some(last) => self.index_at(last) + self.parts(self.size_of(last)).iter().sum::<u64>(),
        }
    }

    fn check_end(&self, end: u64) -> Result<()> {
        match end <= self.length {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Truncated,
                format!("the file has {} bytes where its header asks for at least {end}", self.length),
            )
            .file(&self.path)
            .remedy("copy or make the set again")),
        }
    }

    /// Bytes of the file: `n` of them from `at` on, which have been checked to be there, or are few.
    fn window(&mut self, at: u64, n: u64) -> Result<&[u8]> {
        self.check_end(at.saturating_add(n))?;
        let n = n as usize;
        let inside = at >= self.window_at && at + n as u64 <= self.window_at + self.window.len() as u64;
        if !inside {
            let size = n.max(WINDOW).min((self.length - at) as usize);
            self.window.clear();
            self.window.try_reserve(size).map_err(|_| {
                Error::new(ErrorKind::OutOfMemory, format!("no memory for {size} bytes of the file"))
                    .file(&self.path)
                    .byte(at)
            })?;
            self.window.resize(size, 0);
            self.window_at = at;
            if let Err(e) = self.file.read_exact_at(&mut self.window, at) {
                self.window.clear();
                return Err(Error::io("read the file", &self.path, &e).byte(at));
            }
        }
        let from = (at - self.window_at) as usize;
        Ok(&self.window[from..from + n])
    }

    /// Reads the index of a block, unless it is the one at hand.
    fn load(&mut self, number: usize) -> Result<()> {
        let Layout::Variable { type_bits, length_bits, allele_bytes, .. } = self.layout else { return Ok(()) };
        if self.block.number == Some(number) {
            return Ok(());
        }
        self.block.number = None;
        let n = self.size_of(number);
        let at_of_start = HEAD + 8 * number as u64;
        let start = little(self.window(at_of_start, 8)?);
        let [types, lengths, alleles, _] = self.parts(n);
        let index = self.index_at(number);
        let shortest = (self.people as u64).div_ceil(4);
        let mut block = Block::default();
        let packed = self.window(index, types)?;
        match type_bits {
            4 => block.types.extend((0..n).map(|i| packed[i / 2] >> (4 * (i % 2)) & 15)),
            _ => block.types.extend_from_slice(packed),
        }
        let packed = self.window(index + types, lengths)?;
        let mut end = start;
        block.starts.push(start);
        for i in 0..n {
            let length = match length_bits {
                2 => shortest + u64::from(packed[i / 4] >> (2 * (i % 4)) & 3),
                4 => shortest + u64::from(packed[i / 2] >> (4 * (i % 2)) & 15),
                bits => little(&packed[i * bits as usize / 8..][..bits as usize / 8]),
            };
            if type_bits == 0 {
                block.types.push(if length == shortest { 0 } else { 8 });
            }
            end = end.saturating_add(length);
            block.starts.push(end);
        }
        if allele_bytes > 0 {
            let packed = self.window(index + types + lengths, alleles)?;
            block.alleles.extend(packed.chunks_exact(allele_bytes as usize).map(|c| little(c) as u32));
        }
        if start < self.index_end() {
            return Err(Error::new(ErrorKind::Malformed, format!("records begin at byte {start}, within the header"))
                .file(&self.path)
                .byte(at_of_start)
                .remedy("copy or make the set again"));
        }
        self.check_end(end)?;
        block.number = Some(number);
        self.block = block;
        Ok(())
    }

    /// The type and the bytes of record `i`.
    pub(super) fn record(&mut self, i: usize) -> Result<(u8, &[u8])> {
        if let Layout::Fixed { start } = self.layout {
            let length = (self.people as u64).div_ceil(4);
            return Ok((0, self.window(start + i as u64 * length, length)?));
        }
        self.load(i / BLOCK)?;
        let (kind, start, end) =
            (self.block.types[i % BLOCK], self.block.starts[i % BLOCK], self.block.starts[i % BLOCK + 1]);
        Ok((kind, self.window(start, end - start)?))
    }

    /// The last record before `i` that does not build on another; `None` if there is none in the block.
    pub(super) fn base_of(&mut self, i: usize) -> Result<Option<usize>> {
        self.load(i / BLOCK)?;
        let before = self.block.types.get(..i % BLOCK).unwrap_or_default();
        Ok(before.iter().rposition(|t| t & 6 != 2).map(|at| i / BLOCK * BLOCK + at))
    }

    /// Compares the number of alleles of variant `i`, if the file has it.
    pub(super) fn check_alleles(&mut self, i: usize, alleles: usize) -> Result<()> {
        self.load(i / BLOCK)?;
        match self.block.alleles.get(i % BLOCK) {
            Some(n) if *n as usize != alleles => {
                let what = format!("the variant has {n} alleles where the .pvar names {alleles}");
                Err(Error::new(ErrorKind::Malformed, what))
            }
            _ => Ok(()),
        }
    }
}

/// A number of up to eight bytes.
fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}
