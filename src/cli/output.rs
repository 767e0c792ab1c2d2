//! Data that a command gives out as text on standard output.

use crate::error::{Error, Result};
use std::io::Write;

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
