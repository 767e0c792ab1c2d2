//! `cuda/ptx` is what `cuda/*.cu` compile to, and every GPU's assembler makes of it what is expected: registers, no spills,
//! products on tensor cores. No GPU is needed: `cuda/compile.py` does it with NVIDIA's compilers from Python wheels.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn cuda(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda").join(name)
}

/// What compile.py says; `None`, visibly, where it cannot run. `make test` sets HAPLOOM_PYTHON to a Python with the wheels,
/// which there are for Linux.
fn compile(arguments: &[&str]) -> Option<Output> {
    let given = std::env::var("HAPLOOM_PYTHON").ok();
    let python = given.as_deref().unwrap_or("python3");
    let required = given.is_some() && cfg!(target_os = "linux");
    let output = Command::new(python).arg(cuda("compile.py")).args(arguments).output();
    match output {
        // 3: without the wheels.
        Ok(output) if required || output.status.code() != Some(3) => Some(output),
        Ok(output) => {
            eprintln!("skipped: {} (make test does)", String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) if required => panic!("{python}: {error}"),
        Err(error) => {
            eprintln!("skipped: {python}: {error}");
            None
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// False where it was skipped.
#[track_caller]
fn succeeds(arguments: &[&str]) -> bool {
    let Some(output) = compile(arguments) else { return false };
    assert!(output.status.success(), "cuda/compile.py {}:\n{}", arguments.join(" "), said(&output));
    true
}

#[test]
fn checked_in_ptx_is_what_the_sources_compile_to() {
    succeeds(&["--check"]);
}

#[test]
fn kernels_assemble_for_every_gpu_within_their_bounds_and_use_tensor_cores() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    if succeeds(&["--assemble", folder]) {
        succeeds(&["--disassemble", folder]);
    }
}

#[test]
fn a_line_of_ptx_that_no_source_gives_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(cuda("ptx")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "ptx") {
            let name = path.file_name().unwrap().to_str().unwrap().to_string();
            std::fs::copy(&path, folder.path().join(&name)).unwrap();
            names.push(name);
        }
    }
    names.sort();
    let changed = folder.path().join(names.first().expect("cuda/ptx has files"));
    let text = std::fs::read_to_string(&changed).unwrap();
    std::fs::write(&changed, text.replacen("ret;", "trap;", 1)).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("ret;")).unwrap();
    let Some(output) = compile(&["--check", "--output", folder.path().to_str().unwrap()]) else { return };
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&format!("{}:{line}: ", names[0])), "{}", said(&output));
    assert!(said(&output).contains("make ptx"), "{}", said(&output));
}
