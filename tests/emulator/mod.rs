//! Runs the tests of a program that need a GPU on the emulator (`cuda/emulator`), a libcuda.so that runs the kernels of `cuda/`
//! on the processor.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the emulator. A machine without g++ skips, and says so.
#[cfg(target_os = "linux")]
fn emulator() -> Option<PathBuf> {
    let program = std::env::current_exe().expect("this program has a name");
    let name = program.file_stem().expect("this program has a name").to_string_lossy().into_owned();
    // A folder of this program's own: others may be building theirs.
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emulator-{name}"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda/emulator/build.sh");
    if Command::new("g++").arg("--version").output().is_err() {
        eprintln!("skipped: there is no g++ to build the emulator with");
        return None;
    }
    let built = Command::new("sh").arg(script).arg(&out).output().expect("sh runs");
    assert!(built.status.success(), "the emulator was not built:\n{}", String::from_utf8_lossy(&built.stderr));
    Some(out)
}

/// Runs this program's ignored tests on the emulator, once for each list of settings of its environment.
#[cfg(target_os = "linux")]
pub fn run_ignored_tests(settings: &[&[(&str, &str)]]) {
    let Some(library) = emulator() else { return };
    for setting in settings {
        let run = Command::new(std::env::current_exe().expect("this program has a name"))
            .args(["--ignored", "--test-threads", "1"])
            .env("LD_LIBRARY_PATH", &library)
            .envs(setting.iter().copied())
            .output()
            .expect("this program runs");
        let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{setting:?}:\n{said}");
        assert!(said.contains("test result: ok") && !said.contains(" 0 passed"), "no test was run:\n{said}");
    }
}
