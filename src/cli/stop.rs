//! Signals: the first Ctrl-C asks the work to stop at its next step, a second one ends the process at once.

use crate::error::{Error, Result};
use crate::progress::Cancel;
use signal_hook::consts::{SIGINT, SIGPIPE, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Exit status of a command that was interrupted: 128 + SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// What Ctrl-C (or `kill`) sets. Also lets a closed pipe end the process silently, as it ends other tools: Rust's
/// runtime ignores that signal.
///
/// # Errors
/// `Io` if the system refuses.
pub fn on_interrupt(quiet: bool) -> Result<Cancel> {
    let cancel = Cancel::new();
    let listen = |cancel: Cancel| -> std::io::Result<()> {
        signal_hook::flag::register_conditional_default(SIGPIPE, Arc::new(AtomicBool::new(true)))?;
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        std::thread::Builder::new().name("haploom-signals".into()).spawn(move || {
            for signal in signals.forever() {
                if cancel.is_cancelled() {
                    std::process::exit(128 + signal);
                }
                cancel.cancel();
                if !quiet {
                    eprintln!("\nhaploom: stopping at the next step; Ctrl-C again ends at once");
                }
            }
        })?;
        Ok(())
    };
    listen(cancel.clone()).map_err(|e| Error::new(crate::ErrorKind::Io, format!("cannot listen to signals: {e}")))?;
    Ok(cancel)
}
