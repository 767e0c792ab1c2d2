//! Reading a panel into packed bits beside `bcftools view -Ou -o /dev/null` of the same file with the same threads.
//!
//! Both are whole processes, taken in turn, medians of five: `cargo bench --bench read_panel -- FILE`.

use haploom::io::{ReadOptions, read_panel};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const RUNS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &arguments[..] {
        [word, file, threads] if word == "read" => {
            let options = ReadOptions { threads: threads.parse().unwrap_or(1), ..ReadOptions::default() };
            match read_panel(Path::new(file), &options) {
                Ok(read) => println!("{} haplotypes x {} sites", read.panel.haplotypes(), read.panel.sites().len()),
                Err(e) => {
                    eprintln!("{e}");
                    std::process::exit(1);
                }
            }
        }
        [file] => compare(file),
        _ => println!("skipped: give the file to read, `cargo bench --bench read_panel -- FILE`"),
    }
}

fn seconds(command: &mut Command) -> f64 {
    let begin = Instant::now();
    let status = command.stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|s| s.success()), "{command:?} failed");
    begin.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn compare(file: &str) {
    let me = std::env::current_exe().expect("the path of this program");
    println!("threads\thaploom s\tbcftools s\tratio");
    for threads in ["1", "2"] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // One thread is what bcftools uses without --threads.
        let extra: &[&str] = if threads == "1" { &[] } else { &["--threads", threads] };
        for _ in 0..RUNS {
            ours.push(seconds(Command::new(&me).args(["read", file, threads])));
            theirs
                .push(seconds(Command::new("bcftools").args(["view", "-Ou", "-o", "/dev/null"]).args(extra).arg(file)));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!("{threads}\t{ours:.3}\t{theirs:.3}\t{:.2}", ours / theirs);
    }
}
