//! What the command line says of itself.

use crate::haploom;

const COMMANDS: &[&str] = &["train", "sample", "augment", "evaluate", "encode", "convert", "info", "demo", "options"];

#[test]
fn without_arguments_the_help_goes_to_standard_error() {
    let run = haploom::<&str>([]);
    assert_eq!(run.status, 2);
    assert!(run.out.is_empty());
    assert!(run.err.contains("Usage: haploom"), "{}", run.err);
}

#[test]
fn help_and_version_go_to_standard_output() {
    for flag in ["--help", "-h"] {
        let run = haploom([flag]).ok();
        assert!(run.err.is_empty());
        COMMANDS.iter().for_each(|command| assert!(run.text().contains(command), "{command}"));
    }
    let version = haploom(["--version"]).ok();
    assert_eq!(version.text(), format!("haploom {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_command_has_a_help_text_with_examples() {
    for command in COMMANDS {
        let run = haploom([command, "--help"]).ok();
        assert!(run.text().contains("Usage: haploom"), "{command}");
        if *command != "options" {
            assert!(run.text().contains("Example"), "{command}");
        }
    }
}

#[test]
fn a_wrong_command_line_ends_with_status_2_and_the_programs_name() {
    for args in [
        vec!["weave"],
        vec!["convert"],
        vec!["convert", "a", "b", "--no-such-flag"],
        vec!["convert", "a", "b", "-r", "1:9-5"],
        vec!["convert", "a", "b", "--missing", "guess"],
        vec!["convert", "a", "b", "-s", "x", "-S", "y"],
        vec!["convert", "a", "b", "--threads", "many"],
    ] {
        let run = haploom(&args);
        assert_eq!(run.status, 2, "{args:?}: {}", run.err);
        assert!(run.err.starts_with("haploom: "), "{args:?}: {}", run.err);
        assert!(run.out.is_empty());
    }
}

#[test]
fn the_table_of_options_names_every_key_with_its_default() {
    let text = haploom(["options"]).ok().text();
    // What is not for --set has a flag of its own, or is for the C library.
    use haploom::options::Reader::{Context, Evaluate, Markov, Rbm, Sample, Train};
    let set = |spec: &&haploom::options::Spec| [Train, Rbm, Markov, Context, Sample, Evaluate].contains(&spec.reader);
    for spec in haploom::options::TABLE.iter().filter(set) {
        assert!(text.contains(&format!("{}={}", spec.key, spec.default)), "{}", spec.key);
    }
}
