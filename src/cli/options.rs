//! `haploom options`: the table of keys for `--set`.

use crate::error::{Error, Result};
use crate::options::TABLE;
use std::io::Write;

/// Prints the table of options.
///
/// # Errors
/// `Io` if standard output cannot be written.
pub fn run() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let mut print = || -> std::io::Result<()> {
        let mut heading = "";
        for spec in TABLE {
            if spec.reader.name() != heading {
                heading = spec.reader.name();
                writeln!(out, "{heading}:")?;
            }
            writeln!(out, "  {}={}", spec.key, spec.default)?;
            writeln!(out, "      {}; {}", spec.help, spec.bounds)?;
        }
        out.flush()
    };
    print().map_err(|e| Error::io("write", "standard output", &e))
}
