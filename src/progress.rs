//! Events of long work, and how a caller stops it.

use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What long work says of itself. Always reported on the thread that called.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// `done` of `total` units of `phase` are done; `total` is 0 where it is not known.
    Step {
        /// What is being done, in a word or two: `training`, `sampling`.
        phase: &'static str,
        /// Units done.
        done: u64,
        /// Units in all, or 0.
        total: u64,
        /// What a unit is: `updates`, `haplotypes`, `records`.
        unit: &'static str,
    },
    /// A number measured on the way, at a step.
    Measured {
        /// The metric's name.
        name: &'static str,
        /// The step (an update of training).
        step: u64,
        /// Its value.
        value: f64,
    },
    /// Something the user should know, in a sentence.
    Notice(String),
}

/// Stops long work from another thread, or from a signal handler. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    parent: Option<Arc<AtomicBool>>,
}

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop. It stops at its next step.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Takes it back.
    pub fn reset(&self) {
        self.flag.store(false, Ordering::Relaxed);
    }

    /// A flag of its own that is also set while this one is.
    pub fn child(&self) -> Self {
        Cancel { flag: Arc::default(), parent: Some(self.flag.clone()) }
    }

    /// Whether it has been asked to stop.
    pub fn is_cancelled(&self) -> bool {
        let set = |flag: &Arc<AtomicBool>| flag.load(Ordering::Relaxed);
        set(&self.flag) || self.parent.as_ref().is_some_and(set)
    }

    /// Fails with `Cancelled` if it has been asked to stop.
    ///
    /// # Errors
    /// `Cancelled`.
    pub fn check(&self) -> Result<()> {
        match self.is_cancelled() {
            true => Err(Error::new(ErrorKind::Cancelled, "stopped on request")),
            false => Ok(()),
        }
    }

    /// The shared flag itself, for signal handlers.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.flag.clone()
    }
}

/// Where events go and where the wish to stop comes from.
pub struct Progress<'a> {
    report: Option<&'a mut dyn FnMut(&Event)>,
    cancel: Cancel,
}

impl<'a> Progress<'a> {
    /// Events are dropped, nothing cancels.
    pub fn none() -> Progress<'static> {
        Progress { report: None, cancel: Cancel::new() }
    }

    /// Events go to `report`; `cancel` stops the work.
    pub fn new(report: &'a mut dyn FnMut(&Event), cancel: Cancel) -> Self {
        Progress { report: Some(report), cancel }
    }

    /// Reports an event.
    pub fn report(&mut self, event: Event) {
        if let Some(report) = &mut self.report {
            report(&event);
        }
    }

    /// Reports a sentence.
    pub fn notice(&mut self, text: impl Into<String>) {
        self.report(Event::Notice(text.into()));
    }

    /// Reports a step, and fails with `Cancelled` if the caller wants to stop.
    pub fn step(&mut self, phase: &'static str, done: u64, total: u64, unit: &'static str) -> Result<()> {
        self.report(Event::Step { phase, done, total, unit });
        self.check()
    }

    /// Fails with `Cancelled` if the caller wants to stop.
    pub fn check(&self) -> Result<()> {
        self.cancel.check()
    }

    /// What stops the work, for threads that it is shared among.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Whether the caller wants to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
