//! Runs the tests of a program that need a GPU on the emulator (`cuda/emulator`), a libcuda.so that runs the kernels of `cuda/`
//! on the processor.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Builds the emulator, once. A machine without g++ skips, and says so.
pub fn built() -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        if Command::new("g++").arg("--version").output().is_err() {
            eprintln!("skipped: there is no g++ to build the emulator with");
            return None;
        }
        let program = std::env::current_exe().expect("this program has a name");
        let name = program.file_stem().expect("this program has a name").to_string_lossy().into_owned();
        // A folder of this program's own: others may be building theirs.
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emulator-{name}"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda/emulator/build.sh");
        let built = Command::new("sh").arg(script).arg(&out).output().expect("sh runs");
        assert!(built.status.success(), "the emulator was not built:\n{}", String::from_utf8_lossy(&built.stderr));
        Some(out)
    };
    BUILT.get_or_init(build).clone()
}

/// Runs this program's ignored tests on the emulator, once for each compute capability, with copies and threads in the orders
/// that are named; each order finds other waits that are missing.
pub fn run_ignored_tests(settings: &[[&str; 3]]) {
    let Some(library) = built() else { return };
    for [capability, copies, order] in settings {
        let run = Command::new(std::env::current_exe().expect("this program has a name"))
            .args(["--ignored", "--test-threads", "1"])
            .env("LD_LIBRARY_PATH", &library)
            .env("HAPLOOM_EMULATED_DEVICES", "2")
            .env("HAPLOOM_EMULATED_CAPABILITY", capability)
            .env("HAPLOOM_EMULATED_COPIES", copies)
            .env("HAPLOOM_EMULATED_ORDER", order)
            .output()
            .expect("this program runs");
        let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "compute capability {capability}, copies {copies}, threads {order}:\n{said}");
        assert!(said.contains("test result: ok") && !said.contains(" 0 passed"), "no test was run:\n{said}");
    }
}
