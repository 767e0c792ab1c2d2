//! Files that appear whole or not at all.

use super::bgzf::{END_BLOCK, IndexKind, Packing, Sink, build_index, is_dash};
use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file on its way: written under a temporary name beside its target, synced, checked and renamed by
/// [`Output::commit`]; removed if dropped before. Standard output, devices and pipes are written as they are.
pub(crate) struct Output {
    target: PathBuf,
    temporary: Option<Temporary>,
    file: File,
    packing: Packing,
    sink: Sink,
    threads: usize,
}

/// A path that is removed when dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// `path` with something after its name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

impl Output {
    /// Begins a file.
    ///
    /// # Errors
    /// `Io` if the folder cannot be written to.
    pub(crate) fn create(path: &Path, packing: Packing, threads: usize) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::io("write the file", path, &e).remedy("check that the folder exists and that you may write there")
        };
        let (target, temporary, file) = if is_dash(path) {
            let file = File::from(std::io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
            (path.to_path_buf(), None, file)
        } else {
            match fs::metadata(path) {
                Ok(known) if known.is_dir() => {
                    return Err(Error::new(ErrorKind::Io, "this is a folder, not a file").file(path));
                }
                Ok(known) if !known.is_file() => {
                    (path.to_path_buf(), None, OpenOptions::new().write(true).open(path).map_err(failed)?)
                }
                known => {
                    // A link stays a link: what it points to is replaced.
                    let target = match known {
                        Ok(_) => fs::canonicalize(path).map_err(failed)?,
                        Err(_) => path.to_path_buf(),
                    };
                    let (temporary, file) = create_beside(&target).map_err(failed)?;
                    (target, Some(temporary), file)
                }
            }
        };
        let sink = Sink::new(file.try_clone().map_err(failed)?, path, packing, threads)?;
        Ok(Output { target, temporary, file, packing, sink, threads })
    }

    /// What is written to.
    pub(crate) fn sink(&mut self) -> &mut Sink {
        &mut self.sink
    }

    /// Finishes the file, and its index if one is asked for and the file has a name.
    ///
    /// The index of an older file goes first and the new one comes last, so that at no moment an index stands beside a
    /// file that is not its own.
    ///
    /// # Errors
    /// `Io` if anything could not be written; the target is as it was then.
    pub(crate) fn commit(self, index: Option<IndexKind>) -> Result<()> {
        let Output { target, temporary, file, packing, sink, threads } = self;
        sink.finish()?;
        let Some(temporary) = temporary else { return Ok(()) };
        let failed = |e: std::io::Error| Error::io("write the file", &target, &e);
        if packing == Packing::Bgzf {
            let mut end = [0; END_BLOCK.len()];
            let seen = File::open(&temporary.0).and_then(|mut f| {
                f.seek(SeekFrom::End(-(END_BLOCK.len() as i64))).and_then(|_| f.read_exact(&mut end))
            });
            if seen.is_err() || end != END_BLOCK {
                return Err(Error::new(ErrorKind::Io, "what was written lacks its last block").file(&target));
            }
        }
        let index = match index {
            None => None,
            Some(kind) => {
                let extension = if kind == IndexKind::Tbi { ".tbi" } else { ".csi" };
                let made = Temporary(with_suffix(&temporary.0, extension));
                build_index(&temporary.0, &made.0, kind, threads).map_err(|e| e.file(&target))?;
                File::open(&made.0).and_then(|f| sync(&f)).map_err(failed)?;
                Some((made, with_suffix(&target, extension)))
            }
        };
        sync(&file).map_err(failed)?;
        for extension in [".tbi", ".csi"] {
            match fs::remove_file(with_suffix(&target, extension)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
                _ => {}
            }
        }
        fs::rename(&temporary.0, &target).map_err(failed)?;
        if let Some((made, place)) = index {
            fs::rename(&made.0, &place).map_err(failed)?;
        }
        Ok(())
    }
}

/// Finishes files without indexes that belong together, the one that names the others last. All of them are whole before
/// the first gets its name, and an older file in the last one's place goes before, so that it never stands beside others
/// than its own.
///
/// # Errors
/// `Io` if anything could not be written; the targets are as they were, unless renaming itself fails.
pub(crate) fn commit_together(outputs: Vec<Output>) -> Result<()> {
    let mut ready = Vec::with_capacity(outputs.len());
    for Output { target, temporary, file, sink, .. } in outputs {
        sink.finish()?;
        let Some(temporary) = temporary else { continue };
        sync(&file).map_err(|e| Error::io("write the file", &target, &e))?;
        ready.push((temporary, target));
    }
    if let Some((_, last)) = ready.last() {
        match fs::remove_file(last) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("write the file", last, &e)),
            _ => {}
        }
    }
    for (temporary, target) in &ready {
        fs::rename(&temporary.0, target).map_err(|e| Error::io("write the file", target, &e))?;
    }
    Ok(())
}

/// Syncs; a file system that cannot is taken at its word.
fn sync(file: &File) -> std::io::Result<()> {
    match file.sync_all() {
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        other => other,
    }
}

/// A new file beside `target`, whose name begins with a dot and is nobody else's.
fn create_beside(target: &Path) -> std::io::Result<(Temporary, File)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().ok_or(std::io::ErrorKind::InvalidInput)?;
    loop {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.{}.tmp", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        let path = target.with_file_name(hidden);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((Temporary(path), file)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(e),
        }
    }
}
