//! The command line; all of it is in `haploom::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    haploom::cli::main()
}
