//! Data that a command gives out as text: to standard output, or into a file that appears whole or not at all.

use crate::error::{Error, Result};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Writes data to standard output.
///
/// # Errors
/// `Io`.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Error::io("write", "standard output", &e))
}

/// Lines of a name, a tab and a value.
pub fn table(lines: &[(String, String)]) -> String {
    lines.iter().map(|(name, value)| format!("{name}\t{value}\n")).collect()
}

/// Writes a text file: under another name beside it first, then renamed. `-` is standard output; what is no regular
/// file (a device, a pipe) is written as it is.
///
/// # Errors
/// `Io`.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    if path.as_os_str() == "-" {
        return print(text);
    }
    let failed = |e| Error::io("write the file", path, &e);
    if fs::metadata(path).is_ok_and(|known| !known.is_file()) {
        return fs::write(path, text).map_err(failed);
    }
    // A link stays a link: what it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = target.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &target)
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&temporary);
        failed(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.json"), folder.path().join("b.json"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_text(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(write_text(Path::new("/no/such/folder/a"), "x").is_err());
        assert!(write_text(folder.path(), "x").is_err());
        assert!(write_text(Path::new("/dev/full"), "x").is_err());
    }
}
