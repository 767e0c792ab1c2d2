//! Compressed bytes in and out through htslib's BGZF, with threads, and with every return code looked at.
//!
//! This and `augment`'s converter are all that is used of htslib: VCF and BCF records are read and written here in
//! safe code. Nothing of htslib writes to standard error (its log is off).

#![allow(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use rust_htslib::htslib;
use std::ffi::c_int;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, IntoRawFd};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Once;

/// Bytes asked for at once.
const CHUNK: usize = 1 << 18;
/// The longest line or record that is read: 1 GiB.
const LONGEST: usize = 1 << 30;
/// Blocks of a thread pool's queue.
const BLOCKS_A_THREAD: c_int = 256;

/// Turns htslib's messages off; done once, before its first use.
pub(crate) fn silence() {
    static ONCE: Once = Once::new();
    // SAFETY: sets one global number of htslib's, which only its logging reads.
    ONCE.call_once(|| unsafe { htslib::hts_set_log_level(htslib::htsLogLevel_HTS_LOG_OFF) });
}

/// Whether a path means standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A file being read: BGZF, gzip or neither, told by content; `-` is standard input. Gives lines and exact pieces.
pub(crate) struct Source {
    fp: NonNull<htslib::BGZF>,
    path: PathBuf,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    drained: bool,
    line: Option<u64>,
    bgzf: bool,
}

/// A line of a [`Source`].
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Its bytes, without line feed and carriage return.
    pub(crate) bytes: &'a [u8],
    /// Its number, from 1; `None` after a seek.
    pub(crate) number: Option<u64>,
    /// Whether it ended with the file and not with a line feed.
    pub(crate) cut: bool,
}

impl Source {
    /// Opens a file. `threads` above 1 inflate blocks of BGZF beside the caller.
    ///
    /// # Errors
    /// `Io` if it cannot be opened or is a folder, `Truncated` if it is BGZF without its end-of-file block or empty.
    pub(crate) fn open(path: &Path, threads: usize) -> Result<Self> {
        silence();
        let failed = |e: std::io::Error| Error::io("open the file", path, &e);
        let file = match is_dash(path) {
            true => File::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?),
            false => File::open(path).map_err(|e| failed(e).remedy("check the name, and that you may read it"))?,
        };
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(Error::new(ErrorKind::Io, "this is a folder, not a file").file(path));
        }
        // SAFETY: the descriptor is open and given away; the mode is a C string. On failure htslib leaves the
        // descriptor open, which leaks one descriptor in a process that has run out of memory.
        let fp = unsafe { htslib::bgzf_dopen(file.into_raw_fd(), c"r".as_ptr()) };
        Self::begin(fp, path, threads)
    }

    /// Reads bytes in memory, which are copied, as if they were a file called `name`.
    ///
    /// # Errors
    /// As [`Source::open`]; `OutOfMemory`.
    pub(crate) fn from_bytes(bytes: &[u8], name: &Path, threads: usize) -> Result<Self> {
        silence();
        let too_large =
            || Error::new(ErrorKind::OutOfMemory, format!("no memory for {} bytes", bytes.len())).file(name);
        // SAFETY: a fresh allocation of at least as many bytes as are copied into it. It belongs to htslib from `hopen` on,
        // which frees it with the file, and also where it fails once it knows the scheme; where it fails before, in want of
        // memory for its tables, the copy is lost, which is the safe side.
        let fp = unsafe {
            let copy = libc::malloc(bytes.len().max(1));
            if copy.is_null() {
                return Err(too_large());
            }
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy.cast::<u8>(), bytes.len());
            let file = htslib::hopen(c"mem:".as_ptr(), c"r:".as_ptr(), copy, bytes.len());
            if file.is_null() {
                return Err(too_large());
            }
            let fp = htslib::bgzf_hopen(file, c"r".as_ptr());
            if fp.is_null() {
                htslib::hclose(file);
                return Err(too_large());
            }
            fp
        };
        Self::begin(fp, name, threads)
    }

    /// What is the same for every source.
    fn begin(fp: *mut htslib::BGZF, path: &Path, threads: usize) -> Result<Self> {
        let fp = NonNull::new(fp).ok_or_else(|| Error::new(ErrorKind::Io, "cannot read the file").file(path))?;
        let mut source = Source {
            fp,
            path: path.to_path_buf(),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            drained: false,
            line: Some(0),
            bgzf: false,
        };
        // SAFETY: `fp` is open and not shared.
        let (compressed, gzip) = unsafe { (fp.as_ref().is_compressed() != 0, fp.as_ref().is_gzip() != 0) };
        source.bgzf = compressed && !gzip;
        if source.bgzf {
            // SAFETY: as above; 0 means that the block is not there, 2 that this cannot be told (a pipe).
            if unsafe { htslib::bgzf_check_EOF(fp.as_ptr()) } == 0 {
                return Err(source.truncated());
            }
            if threads > 1 {
                let threads = c_int::try_from(threads).unwrap_or(c_int::MAX);
                // SAFETY: as above.
                if unsafe { htslib::bgzf_mt(fp.as_ptr(), threads, BLOCKS_A_THREAD) } != 0 {
                    return Err(Error::new(ErrorKind::OutOfMemory, "cannot start threads").file(path));
                }
            }
        }
        match source.peek(2)? {
            [] => Err(Error::new(ErrorKind::Truncated, "the file is empty").file(path)),
            [0x1f, 0x8b] if !compressed => Err(source.truncated()),
            _ => Ok(source),
        }
    }

    /// The name of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is BGZF, so that an index may be of use.
    pub(crate) fn is_bgzf(&self) -> bool {
        self.bgzf
    }

    fn truncated(&self) -> Error {
        Error::new(ErrorKind::Truncated, "the compressed file ends too early")
            .file(&self.path)
            .remedy("copy or make the file again")
    }

    /// Reads on. Returns whether there was anything.
    fn more(&mut self) -> Result<bool> {
        if self.drained {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < CHUNK / 2 {
            if self.end > LONGEST {
                let what = "a line or record is longer than 1 GiB";
                return Err(Error::new(ErrorKind::Malformed, what).file(&self.path));
            }
            let size = (self.buffer.len() * 2).max(CHUNK);
            self.buffer.try_reserve_exact(size - self.buffer.len()).map_err(|_| {
                Error::new(ErrorKind::OutOfMemory, format!("no memory for a line of {size} bytes")).file(&self.path)
            })?;
            self.buffer.resize(size, 0);
        }
        let room = &mut self.buffer[self.end..];
        // SAFETY: `fp` is open; `room` is writable for its length.
        let n = unsafe { htslib::bgzf_read(self.fp.as_ptr(), room.as_mut_ptr().cast(), room.len()) };
        let Ok(n) = usize::try_from(n) else {
            // SAFETY: as above.
            let code = unsafe { self.fp.as_ref().errcode() };
            return Err(match code & htslib::BGZF_ERR_IO != 0 {
                true => self.truncated(),
                false => Error::new(ErrorKind::Malformed, "the compressed data are damaged")
                    .file(&self.path)
                    .remedy("copy or make the file again"),
            });
        };
        if n < room.len() {
            self.drained = true;
            // Known only here for a pipe, where the end cannot be looked at beforehand.
            // SAFETY: as above.
            if self.bgzf && unsafe { self.fp.as_ref().no_eof_block() } != 0 {
                return Err(self.truncated());
            }
        }
        self.end += n;
        Ok(n > 0)
    }

    /// Up to `n` bytes ahead, fewer at the end of the file, without taking them.
    pub(crate) fn peek(&mut self, n: usize) -> Result<&[u8]> {
        while self.end - self.start < n && self.more()? {}
        Ok(&self.buffer[self.start..self.end.min(self.start + n)])
    }

    /// The next line without taking it, empty at the end of the file.
    pub(crate) fn peek_line(&mut self) -> Result<&[u8]> {
        let mut n = 4096;
        loop {
            let ahead = self.peek(n)?.len();
            match find(b'\n', &self.buffer[self.start..self.start + ahead]) {
                Some(end) => return Ok(&self.buffer[self.start..self.start + end]),
                None if ahead < n => return Ok(&self.buffer[self.start..self.start + ahead]),
                None => n *= 2,
            }
        }
    }

    /// The next `n` bytes; `None` at the end of the file.
    ///
    /// # Errors
    /// `Truncated` if the file ends within them.
    pub(crate) fn exact(&mut self, n: usize) -> Result<Option<&[u8]>> {
        while self.end - self.start < n {
            if !self.more()? {
                if self.start == self.end {
                    return Ok(None);
                }
                return Err(Error::new(ErrorKind::Truncated, "the file ends within a record")
                    .file(&self.path)
                    .remedy("copy or make the file again"));
            }
        }
        self.start += n;
        Ok(Some(&self.buffer[self.start - n..self.start]))
    }

    /// The next line; `None` at the end of the file.
    pub(crate) fn line(&mut self) -> Result<Option<Line<'_>>> {
        let mut searched = 0;
        let mut cut = false;
        let length = loop {
            if let Some(found) = find(b'\n', &self.buffer[self.start + searched..self.end]) {
                break searched + found + 1;
            }
            searched = self.end - self.start;
            if !self.more()? {
                if searched == 0 {
                    return Ok(None);
                }
                cut = true;
                break searched;
            }
        };
        self.line = self.line.map(|n| n + 1);
        let line = &self.buffer[self.start..self.start + length];
        self.start += length;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let bytes = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some(Line { bytes, number: self.line, cut }))
    }

    /// Goes to a virtual offset of an index.
    pub(crate) fn seek(&mut self, offset: u64) -> Result<()> {
        let bad = || Error::new(ErrorKind::Malformed, "the index points outside the file").file(&self.path);
        let place = i64::try_from(offset).map_err(|_| bad())?;
        // SAFETY: `fp` is open.
        if unsafe { htslib::bgzf_seek(self.fp.as_ptr(), place, libc::SEEK_SET) } != 0 {
            return Err(bad().remedy("make the index again (bcftools index -f)"));
        }
        (self.start, self.end, self.drained, self.line) = (0, 0, false, None);
        Ok(())
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: `fp` is open and closed nowhere else. Nothing was written, so the result says nothing.
        unsafe { htslib::bgzf_close(self.fp.as_ptr()) };
    }
}

/// Where `byte` first is.
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    // SAFETY: the pointer and the length are those of one slice.
    let found = unsafe { libc::memchr(bytes.as_ptr().cast(), c_int::from(byte), bytes.len()) };
    (!found.is_null()).then(|| found as usize - bytes.as_ptr() as usize)
}

/// How the bytes of a sink are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As they are.
    Plain,
    /// BGZF, which any gzip reads.
    Bgzf,
}

/// A file being written.
pub(crate) struct Sink {
    /// `None` once it is closed.
    inner: Option<Inner>,
    path: PathBuf,
    buffer: Vec<u8>,
}

enum Inner {
    Plain(File),
    /// The second is the same file, which htslib's descriptor shares its place with.
    Bgzf(NonNull<htslib::BGZF>, File),
}

/// The empty block that ends a BGZF file (SAM specification, section 4.1.2).
pub(crate) const END_BLOCK: [u8; 28] =
    [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, 0x42, 0x43, 2, 0, 0x1b, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

impl Sink {
    /// Writes to an open file; `path` is the name in errors.
    pub(crate) fn new(file: File, path: &Path, packing: Packing, threads: usize) -> Result<Self> {
        silence();
        let inner = match packing {
            Packing::Plain => Inner::Plain(file),
            Packing::Bgzf => {
                let shared = file.try_clone().map_err(|e| Error::io("write the file", path, &e))?;
                // SAFETY: the descriptor is open and given away; the mode is a C string.
                let fp = unsafe { htslib::bgzf_dopen(file.into_raw_fd(), c"w".as_ptr()) };
                let failed = || Error::new(ErrorKind::OutOfMemory, "cannot write compressed").file(path);
                Inner::Bgzf(NonNull::new(fp).ok_or_else(failed)?, shared)
            }
        };
        let sink = Sink { inner: Some(inner), path: path.to_path_buf(), buffer: Vec::with_capacity(2 * CHUNK) };
        if let Some(Inner::Bgzf(fp, _)) = &sink.inner
            && threads > 1
        {
            let threads = c_int::try_from(threads).unwrap_or(c_int::MAX);
            // SAFETY: `fp` is open and nothing was written yet.
            if unsafe { htslib::bgzf_mt(fp.as_ptr(), threads, BLOCKS_A_THREAD) } != 0 {
                return Err(Error::new(ErrorKind::OutOfMemory, "cannot start threads").file(path));
            }
        }
        Ok(sink)
    }

    /// Bytes that were not handed on yet; append to it, then call [`Sink::spill`].
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Hands the buffer on if it has grown.
    pub(crate) fn spill(&mut self) -> Result<()> {
        match self.buffer.len() >= CHUNK {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn failed(&self, cause: &std::io::Error) -> Error {
        let error = Error::io("write", &self.path, cause);
        match cause.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => error.remedy("make room on that disk, or write elsewhere"),
            _ => error,
        }
    }

    fn flush(&mut self) -> Result<()> {
        let done = match &mut self.inner {
            None => Ok(()),
            Some(Inner::Plain(file)) => file.write_all(&self.buffer),
            Some(Inner::Bgzf(fp, _)) => {
                // SAFETY: `fp` is open; the buffer is readable for its length.
                let n = unsafe { htslib::bgzf_write(fp.as_ptr(), self.buffer.as_ptr().cast(), self.buffer.len()) };
                match usize::try_from(n) == Ok(self.buffer.len()) {
                    true => Ok(()),
                    false => Err(cause(*fp)),
                }
            }
        };
        done.map_err(|e| self.failed(&e))?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left and closes the file.
    ///
    /// # Errors
    /// `Io` if anything since the beginning could not be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.flush()?;
        let done = match self.inner.take() {
            Some(Inner::Bgzf(fp, mut file)) => close(fp).and_then(|()| file.write_all(&END_BLOCK)),
            _ => Ok(()),
        };
        done.map_err(|e| self.failed(&e))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(Inner::Bgzf(fp, _)) = &self.inner {
            // An error is on its way to the caller already.
            let _ = close(*fp);
        }
    }
}

/// Why writing failed. It may have failed on a thread of htslib's, where this one's error number does not tell.
fn cause(fp: NonNull<htslib::BGZF>) -> std::io::Error {
    // SAFETY: `fp` is open, and so is the file in it.
    match unsafe { (*fp.as_ref().fp).has_errno } {
        0 => std::io::Error::last_os_error(),
        number => std::io::Error::from_raw_os_error(number),
    }
}

/// Writes out all blocks and closes a file being written, without the last, empty block.
///
/// Where `bgzf_close` fails to write, it keeps the descriptor open, and with it the room of a file that is removed. So
/// blocks are flushed before, and it is told that nothing is left to compress: then it only closes.
fn close(mut fp: NonNull<htslib::BGZF>) -> std::io::Result<()> {
    // SAFETY: `fp` is open; it is closed here and not used after.
    unsafe {
        let flushed = match htslib::bgzf_flush(fp.as_ptr()) {
            0 => Ok(()),
            _ => Err(cause(fp)),
        };
        fp.as_mut().set_is_compressed(0);
        match htslib::bgzf_close(fp.as_ptr()) {
            0 => flushed,
            _ => flushed.and(Err(std::io::Error::last_os_error())),
        }
    }
}

/// Which index to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexKind {
    /// `.tbi` of a VCF: positions below 2^29.
    Tbi,
    /// `.csi` of a VCF.
    CsiOfVcf,
    /// `.csi` of a BCF.
    CsiOfBcf,
}

/// Makes an index of the file `data` at `index`.
///
/// # Errors
/// `Io`.
pub(crate) fn build_index(data: &Path, index: &Path, kind: IndexKind, threads: usize) -> Result<()> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    silence();
    // An absolute path has no scheme (`http:`) that htslib would follow.
    let name = |path: &Path| {
        let path = std::path::absolute(path).map_err(|e| Error::io("find", path, &e))?;
        CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::argument("a file name holds a zero byte"))
    };
    let (data_name, index_name) = (name(data)?, name(index)?);
    let threads = if threads > 1 { c_int::try_from(threads).unwrap_or(c_int::MAX) } else { 0 };
    let (data_name, index_name) = (data_name.as_ptr(), index_name.as_ptr());
    // SAFETY: both names are C strings that live until the call returns; the configuration is htslib's constant.
    let code = unsafe {
        match kind {
            IndexKind::CsiOfBcf => htslib::bcf_index_build3(data_name, index_name, 14, threads),
            IndexKind::Tbi => htslib::tbx_index_build3(data_name, index_name, 0, threads, &htslib::tbx_conf_vcf),
            IndexKind::CsiOfVcf => htslib::tbx_index_build3(data_name, index_name, 14, threads, &htslib::tbx_conf_vcf),
        }
    };
    match code {
        0 => Ok(()),
        _ => Err(Error::new(ErrorKind::Io, "cannot write the index")
            .file(index)
            .remedy("make room on that disk, or write without an index")),
    }
}
