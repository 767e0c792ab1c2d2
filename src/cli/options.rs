//! `haploom options`: the table of keys for `--set`.

use super::output::print;
use crate::error::Result;
use crate::options::TABLE;

/// Prints the table of options.
///
/// # Errors
/// `Io` if standard output cannot be written.
pub fn run() -> Result<()> {
    let mut text = String::new();
    let mut heading = "";
    for spec in TABLE {
        if spec.reader.name() != heading {
            heading = spec.reader.name();
            text += &format!("{heading}:\n");
        }
        text += &format!("  {}={}\n      {}; {}\n", spec.key, spec.default, spec.help, spec.bounds);
    }
    print(&text)
}
