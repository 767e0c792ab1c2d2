//! What a user sees of long work: a bar on a terminal, plain lines elsewhere, nothing with `--quiet`. All of it goes to
//! standard error; standard output is for data.

use crate::error::Error;
use crate::progress::{Cancel, Event, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two plain lines of one phase, at least; later a tenth of the time that it has taken.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// The rate is that of the last one or two of these.
const RATE_OVER: Duration = Duration::from_secs(20);
/// A phase that took less leaves no closing line.
const WORTH_A_LINE: Duration = Duration::from_secs(2);

/// Prints messages and progress. One for a command.
pub struct Terminal {
    quiet: bool,
    interactive: bool,
    cancel: Cancel,
    phase: Option<Phase>,
}

struct Phase {
    name: &'static str,
    unit: &'static str,
    total: u64,
    done: u64,
    measured: Vec<(&'static str, f64)>,
    started: Instant,
    /// When how much was done, at two moments before now; at first the beginning (not 0 for resumed training).
    marks: [(Instant, u64); 2],
    printed: Instant,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// Messages go to standard error, none but errors if `quiet`; `cancel` is what Ctrl-C sets.
    pub fn new(quiet: bool, cancel: Cancel) -> Self {
        Terminal { quiet, interactive: std::io::stderr().is_terminal(), cancel, phase: None }
    }

    /// Runs work that reports progress.
    pub fn watch<T>(&mut self, work: impl FnOnce(&mut Progress) -> T) -> T {
        let cancel = self.cancel.clone();
        let mut report = |event: &Event| self.event(event);
        let out = work(&mut Progress::new(&mut report, cancel));
        self.close();
        out
    }

    /// A sentence for the user, unless `--quiet`.
    pub fn say(&self, text: impl AsRef<str>) {
        if self.quiet {
            return;
        }
        let line = || eprintln!("haploom: {}", text.as_ref());
        match self.phase.as_ref().and_then(|p| p.bar.as_ref()) {
            Some(bar) => bar.suspend(line),
            None => line(),
        }
    }

    /// Something the user should know, unless `--quiet`.
    pub fn note(&self, text: impl AsRef<str>) {
        self.say(format!("note: {}", text.as_ref()));
    }

    /// Whether nothing but errors is told.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Tells that a file was written; nothing for standard output.
    pub fn wrote(&self, path: &Path) {
        match std::fs::metadata(path) {
            Ok(file) if path.as_os_str() != "-" && file.is_file() => {
                self.say(format!("wrote {} ({})", path.display(), bytes(file.len())));
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Notice(text) => self.note(text),
            _ if self.quiet => {}
            Event::Step { phase, done, total, unit } => self.step(phase, *done, *total, unit),
            Event::Measured { name, value, .. } => {
                if let Some(phase) = &mut self.phase {
                    match phase.measured.iter_mut().find(|(known, _)| known == name) {
                        Some(slot) => slot.1 = *value,
                        None => phase.measured.push((*name, *value)),
                    }
                }
            }
        }
    }

    fn step(&mut self, name: &'static str, done: u64, total: u64, unit: &'static str) {
        if self.phase.as_ref().is_none_or(|p| p.name != name || p.unit != unit || done < p.done) {
            self.close();
            let bar = self.interactive.then(|| new_bar(name, total));
            let now = Instant::now();
            let phase = Phase {
                name,
                unit,
                total,
                done,
                measured: vec![],
                started: now,
                marks: [(now, done); 2],
                printed: now,
                bar,
            };
            self.phase = Some(phase);
        }
        let Some(phase) = &mut self.phase else { return };
        phase.done = done;
        phase.total = total;
        if phase.marks[1].0.elapsed() >= RATE_OVER {
            phase.marks = [phase.marks[1], (Instant::now(), done)];
        }
        match &phase.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(phase.describe());
            }
            None if phase.printed.elapsed() >= LINE_EVERY.max(phase.started.elapsed() / 10) => {
                phase.printed = Instant::now();
                let of = if total == 0 { String::new() } else { format!("/{total}") };
                eprintln!("haploom: {name}: {done}{of} {}", phase.describe());
            }
            None => {}
        }
    }

    /// Ends the phase that is shown, with a line if it took long.
    fn close(&mut self) {
        let Some(phase) = self.phase.take() else { return };
        if let Some(bar) = &phase.bar {
            bar.finish_and_clear();
        }
        let took = phase.started.elapsed();
        if took >= WORTH_A_LINE {
            let metrics = phase.metrics();
            self.say(format!("{}: {} {} in {}{metrics}", phase.name, phase.done, phase.unit, duration(took)));
        }
    }
}

impl Phase {
    /// `updates, 85/s, 56 s left, AA_truth 0.52`.
    fn describe(&self) -> String {
        let (since, before) = self.marks[0];
        let seconds = since.elapsed().as_secs_f64();
        let rate = (self.done - before) as f64 / seconds;
        let mut text = self.unit.to_string();
        if seconds > 0.5 && rate > 0.0 {
            text += &format!(", {}", rate_text(rate));
            if self.total > self.done {
                let left = Duration::from_secs_f64(((self.total - self.done) as f64 / rate).min(1e9));
                text += &format!(", {} left", duration(left));
            }
        }
        text + &self.metrics()
    }

    fn metrics(&self) -> String {
        self.measured.iter().map(|(name, value)| format!(", {name} {value:.3}")).collect()
    }
}

fn new_bar(name: &'static str, total: u64) -> ProgressBar {
    let (bar, template) = match total {
        0 => (ProgressBar::no_length(), "{prefix} {spinner} {pos} {msg}"),
        n => (ProgressBar::new(n), "{prefix} [{bar:24}] {pos}/{len} {msg}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(name);
    bar
}

/// `850/s`, `8.5/s`, `12/min`.
fn rate_text(rate: f64) -> String {
    match rate {
        r if r >= 100.0 => format!("{r:.0}/s"),
        r if r >= 1.0 => format!("{r:.1}/s"),
        r => format!("{:.1}/min", r * 60.0),
    }
}

/// `42 s`, `3 min 20 s`, `5 h 12 min`.
pub fn duration(time: Duration) -> String {
    match time.as_secs() {
        s if s < 10 => format!("{:.1} s", time.as_secs_f64()),
        s if s < 60 => format!("{s} s"),
        s if s < 3600 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// `950 bytes`, `12.3 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        n if n < 1000 => format!("{n} bytes"),
        n if n < 1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        n if n < 1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        n => format!("{:.1} GB", n as f64 / 1e9),
    }
}

/// `one person`, `12 people`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}

/// The last line of a command that failed, on standard error, `--quiet` or not.
pub fn report_error(error: &Error) {
    eprintln!("haploom: {}", as_flags(&error.to_string()));
}

/// Options that have a flag of their own here; `--set` takes the others.
const FLAGS: [&str; 9] =
    ["missing", "unphased", "multiallelic", "legend", "contig", "prefix", "outside", "checkpoint", "resume"];

/// `option key=value`, as the library advises, in the words of this command line: `--key value` or `--set key=value`.
fn as_flags(text: &str) -> String {
    let mut parts = text.split("option ");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let assignment =
            part.split_once('=').filter(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        out += &match assignment {
            Some(("contigs", rest)) => format!("--match-contigs{}", rest.strip_prefix("match").unwrap_or(rest)),
            Some(("resume", rest)) => format!("--resume{}", rest.strip_prefix("true").unwrap_or(rest)),
            Some((key, rest)) if FLAGS.contains(&key) => format!("--{key} {rest}"),
            Some(_) => format!("--set {part}"),
            None => format!("option {part}"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_of_the_library_becomes_flags() {
        let cases = [
            ("fill with option missing=reference (or x)", "fill with --missing reference (or x)"),
            ("train with option ladder=true, or go", "train with --set ladder=true, or go"),
            ("the same with option resume=true goes on", "the same with --resume goes on"),
            ("there is no option 'x'; did you mean a?", "there is no option 'x'; did you mean a?"),
            ("option l2 is '9'; it has to be 1", "option l2 is '9'; it has to be 1"),
        ];
        cases.iter().for_each(|(text, flags)| assert_eq!(as_flags(text), *flags));
    }

    #[test]
    fn times_sizes_and_rates_read_well() {
        let text = |s: f64| duration(Duration::from_secs_f64(s));
        assert_eq!(
            [text(4.25), text(42.0), text(200.0), text(18_720.0)],
            ["4.2 s", "42 s", "3 min 20 s", "5 h 12 min"]
        );
        assert_eq!([bytes(12), bytes(1_234), bytes(12_345_678)], ["12 bytes", "1.2 kB", "12.3 MB"]);
        assert_eq!([rate_text(850.4), rate_text(8.54), rate_text(0.2)], ["850/s", "8.5/s", "12.0/min"]);
        assert_eq!([count(1, "person", "people"), count(2, "person", "people")], ["1 person", "2 people"]);
    }

    #[test]
    fn a_quiet_terminal_keeps_no_phase() {
        let mut terminal = Terminal::new(true, Cancel::new());
        terminal.watch(|progress| progress.step("training", 1, 2, "updates")).unwrap();
        assert!(terminal.phase.is_none());
    }
}
