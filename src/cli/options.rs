//! `haploom options`: the table of keys for `--set`.

use super::output::print;
use crate::error::Result;
use crate::options::{Reader, TABLE};

/// Readers of `--set`; what the others read has a flag of its own.
const READERS: [Reader; 13] = [
    Reader::Train,
    Reader::Descent,
    Reader::Rbm,
    Reader::Neural,
    Reader::Markov,
    Reader::Map,
    Reader::Copying,
    Reader::Hmm,
    Reader::Context,
    Reader::Sample,
    Reader::Impute,
    Reader::ImputeFile,
    Reader::Evaluate,
];

/// Prints the table of options.
///
/// # Errors
/// `Io` if standard output cannot be written.
pub fn run() -> Result<()> {
    let mut text = String::new();
    let mut heading = "";
    for spec in TABLE.iter().filter(|spec| READERS.contains(&spec.reader)) {
        if spec.reader.name() != heading {
            heading = spec.reader.name();
            text += &format!("{heading}:\n");
        }
        text += &format!("  {}={}\n      {}; {}\n", spec.key, spec.default, spec.help, spec.bounds);
    }
    print(&text)
}
