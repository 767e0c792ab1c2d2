//! The command line: one file a subcommand over the library's own functions.
//!
//! Standard output is for data alone; messages go to standard error, as `haploom: text`. The exit status is 0 when all
//! went well, 1 when the work failed, 2 when the command line makes no sense, 130 after Ctrl-C.

mod augment;
mod convert;
mod demo;
mod encode;
mod evaluate;
mod impute;
mod info;
mod making;
mod options;
mod output;
mod paint;
mod panel_args;
mod sample;
mod stop;
mod terminal;
mod train;

use crate::error::{Error, ErrorKind, Result};
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use terminal::Terminal;

const ABOUT: &str = "Learns the distribution of human haplotypes and makes new ones";

const EXAMPLES: &str = "\
Begin with:
  haploom demo DIR                                   the whole way, on an embedded simulated panel
  haploom train panel.vcf.gz -o panel.safetensors          learn a panel
  haploom sample panel.safetensors -n 5000 -o new.bcf      make 5,000 haplotypes, 2,500 people
  haploom evaluate panel.vcf.gz new.bcf              how close they are, and how much they leak

Data goes to standard output, messages to standard error. A file named - is standard input or output.
Exit status: 0 all went well, 1 the work failed, 2 the command line makes no sense, 130 stopped by Ctrl-C.";

#[derive(Parser)]
#[command(name = "haploom", version, about = ABOUT, after_help = EXAMPLES, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 110)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
    /// Print nothing but errors
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Learn a panel: write a model
    Train(train::Train),
    /// Make artificial haplotypes from a model
    Sample(sample::Sample),
    /// Append artificial people to a real panel
    Augment(augment::Augment),
    /// Fill the untyped sites of people, from a panel, a model or both
    Impute(impute::Impute),
    /// Tell whom each stretch of a haplotype was copied from
    Paint(paint::Paint),
    /// Tell how close artificial haplotypes are to real ones, and how much of these leaks
    Evaluate(evaluate::Evaluate),
    /// Write what an RBM makes of haplotypes: hidden activations, and projections of them
    Encode(encode::Encode),
    /// Convert a panel to another format, or take a part of it
    Convert(convert::Convert),
    /// Tell what is in a panel or a model
    Info(info::Info),
    /// Go the whole way on an embedded simulated panel
    Demo(demo::Demo),
    /// Print the keys of --set, with their defaults and bounds
    Options,
}

/// The program: reads the command line, does the work, gives the exit status.
pub fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return usage(&error),
    };
    match work(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::report_error(&error);
            ExitCode::from(exit_status(&error))
        }
    }
}

fn work(line: CommandLine) -> Result<()> {
    let terminal = &mut Terminal::new(line.quiet, stop::on_interrupt(line.quiet)?);
    dispatch(line.command, terminal)
}

fn dispatch(command: Command, terminal: &mut Terminal) -> Result<()> {
    match command {
        Command::Train(train) => train.run(terminal),
        Command::Sample(sample) => sample.run(terminal),
        Command::Augment(augment) => augment.run(terminal),
        Command::Impute(impute) => impute.run(terminal),
        Command::Paint(paint) => paint.run(terminal),
        Command::Evaluate(evaluate) => evaluate.run(terminal),
        Command::Encode(encode) => encode.run(terminal),
        Command::Convert(convert) => convert.run(terminal),
        Command::Info(info) => info.run(terminal),
        Command::Demo(demo) => demo.run(terminal),
        Command::Options => options::run(),
    }
}

/// 2 for what only another command line can mend, 130 after an interrupt, else 1.
fn exit_status(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Cancelled => stop::INTERRUPTED,
        ErrorKind::InvalidArgument | ErrorKind::UnknownOption | ErrorKind::InvalidOption => 2,
        _ => 1,
    }
}

/// Prints clap's help to standard output, or its complaint in this program's manner.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let text = error.render().to_string();
    match text.strip_prefix("error: ") {
        Some(complaint) => eprint!("haploom: {complaint}"),
        None => eprint!("{text}"),
    }
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
