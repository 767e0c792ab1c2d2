//! The program as users run it: arguments, streams, exit status, messages.

mod evaluation;
mod imputation;
mod labels;
mod models;
mod panels;
mod usage;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The demo's simulated panel: 900 people, 800 sites.
pub fn demo_panel() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.bcf")
}

/// What a run of a program left.
pub struct Run {
    /// Its exit status; -1 if a signal ended it.
    pub status: i32,
    /// What it wrote to standard output.
    pub out: Vec<u8>,
    /// What it wrote to standard error.
    pub err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Run {
            status: output.status.code().unwrap_or(-1),
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// The run, which has to have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 0, "{}", self.err);
        self
    }

    /// Fails unless the run ended so, with one line on standard error that begins with the program's name and contains
    /// all of `parts`, and with nothing on standard output.
    #[track_caller]
    pub fn refused(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status, status, "{}", self.err);
        assert!(self.out.is_empty());
        let last = self.err.lines().last().unwrap_or_default();
        assert!(last.starts_with("haploom: "), "{}", self.err);
        for part in parts {
            assert!(last.contains(part), "no '{part}' in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// Runs haploom.
pub fn haploom<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    Command::new(env!("CARGO_BIN_EXE_haploom")).args(args).stdin(Stdio::null()).output().expect("haploom runs").into()
}

/// Runs haploom with these bytes on standard input.
pub fn haploom_with_input(args: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_haploom"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("haploom runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // From a thread of its own: haploom may write before it has read everything, or stop reading.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("haploom ends");
    writer.join().expect("the writer ends");
    output.into()
}

/// Runs bcftools, which has to succeed, and gives its standard output.
#[track_caller]
pub fn bcftools(args: &[&str]) -> String {
    let output = Command::new("bcftools").args(args).output().expect("bcftools is installed (make test installs it)");
    assert!(output.status.success(), "bcftools {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A folder, and files in it.
pub struct Folder(pub tempfile::TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// A new, empty folder.
    pub fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The path of a file in it, as text.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("text").to_string()
    }

    /// Writes a file in it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.path().join(name), content).expect("a file");
        self.path(name)
    }

    /// The names of the files in it, in order.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// A VCF with a contig 1 of these samples; a record is its position and the genotypes.
pub fn vcf(samples: &[&str], records: &[(u64, &[&str])]) -> String {
    let mut text = String::from(
        "##fileformat=VCFv4.2\n##contig=<ID=1,length=100000>\n\
         ##FORMAT=<ID=GT,Number=1,Type=String,Description=\"Genotype\">\n\
         #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT",
    );
    samples.iter().for_each(|s| write!(text, "\t{s}").expect("text"));
    for (position, genotypes) in records {
        write!(text, "\n1\t{position}\trs{position}\tA\tC\t.\tPASS\t.\tGT\t{}", genotypes.join("\t")).expect("text");
    }
    text + "\n"
}

/// Three people, four sites.
pub fn small_vcf() -> String {
    vcf(
        &["ann", "ben", "cat"],
        &[
            (100, &["0|1", "1|1", "0|0"]),
            (200, &["1|0", "0|0", "0|1"]),
            (300, &["0|0", "0|1", "1|1"]),
            (4000, &["1|1", "0|1", "1|0"]),
        ],
    )
}
