//! Events of long calls, and how they are stopped.

use super::handle::{Out, c_string, free, required};
use super::status::{answer, guard, haploom_status};
use crate::progress::{Cancel, Event};
use std::ffi::{CString, c_char, c_void};

/// What a long call says of itself. It lives during the call of the progress function alone, as do
/// its texts.
pub struct haploom_event {
    kind: i32,
    phase: CString,
    unit: CString,
    done: u64,
    total: u64,
    value: f64,
}

/// A progress function; see haploom_options_set_progress(). 0 goes on, anything else stops the
/// call.
pub type haploom_progress_fn = Option<extern "C" fn(user: *mut c_void, event: *const haploom_event) -> i32>;

/// A flag that stops calls; any thread may set it.
pub struct haploom_cancel(Cancel);

impl haploom_cancel {
    pub(super) fn get(&self) -> Cancel {
        self.0.clone()
    }
}

/// A progress function and what it is given.
#[derive(Clone, Copy)]
pub(super) struct Callback {
    call: extern "C" fn(*mut c_void, *const haploom_event) -> i32,
    user: *mut c_void,
}

impl Callback {
    pub(super) fn new(call: extern "C" fn(*mut c_void, *const haploom_event) -> i32, user: *mut c_void) -> Self {
        Callback { call, user }
    }

    pub(super) fn wants_more(&self, event: &Event) -> bool {
        let none = CString::default;
        let event = match event {
            Event::Step { phase, done, total, unit } => haploom_event {
                kind: HAPLOOM_EVENT_STEP,
                phase: c_string(phase),
                unit: c_string(unit),
                done: *done,
                total: *total,
                value: f64::NAN,
            },
            Event::Measured { name, step, value } => haploom_event {
                kind: HAPLOOM_EVENT_MEASURED,
                phase: c_string(name),
                unit: none(),
                done: *step,
                total: 0,
                value: *value,
            },
            Event::Notice(text) => haploom_event {
                kind: HAPLOOM_EVENT_NOTICE,
                phase: c_string(text),
                unit: none(),
                done: 0,
                total: 0,
                value: f64::NAN,
            },
        };
        (self.call)(self.user, &event) == 0
    }
}

/// `done` of `total` units of a phase are done. A call may send thousands of these.
pub const HAPLOOM_EVENT_STEP: i32 = 1;
/// A number was measured on the way: its name is the text, its step is `done`.
pub const HAPLOOM_EVENT_MEASURED: i32 = 2;
/// A sentence that the user should read: what was skipped, split, filled, dropped or assumed.
pub const HAPLOOM_EVENT_NOTICE: i32 = 3;

/// § Progress and cancelling
///
/// What kind of event it is: one of HAPLOOM_EVENT_...; 0 for NULL. New kinds may come: let what you
/// do not know pass. Inside the progress function alone. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_event_kind(event: Option<&haploom_event>) -> i32 {
    answer(0, || Ok(required(event, "event")?.kind))
}

/// The text of an event: the phase of a step ("training", "sampling"), the name of a number, the
/// sentence of a notice. It ends with the call of the progress function. NULL for NULL. Inside the
/// progress function alone. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_event_text(event: Option<&haploom_event>) -> *const c_char {
    answer(std::ptr::null(), || Ok(required(event, "event")?.phase.as_ptr()))
}

/// What a step counts ("updates", "haplotypes", "records", "metrics"); empty for other events, NULL
/// for NULL. Inside the progress function alone. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_event_unit(event: Option<&haploom_event>) -> *const c_char {
    answer(std::ptr::null(), || Ok(required(event, "event")?.unit.as_ptr()))
}

/// Units done; for a number, the step at which it was measured. Inside the progress function alone.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_event_done(event: Option<&haploom_event>) -> u64 {
    answer(0, || Ok(required(event, "event")?.done))
}

/// Units in all; 0 where that is not known. Inside the progress function alone. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_event_total(event: Option<&haploom_event>) -> u64 {
    answer(0, || Ok(required(event, "event")?.total))
}

/// The number that was measured; not a number for other events. Inside the progress function alone.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_event_value(event: Option<&haploom_event>) -> f64 {
    answer(f64::NAN, || Ok(required(event, "event")?.value))
}

/// Makes a handle by which calls can be stopped, for haploom_options_set_cancel(). On success
/// `*cancel` is a handle that you free with haploom_cancel_free(); else it is NULL. Errors:
/// INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_cancel_new(cancel: *mut *mut haploom_cancel) -> haploom_status {
    guard(|| {
        Out::new(cancel, "cancel")?.give(haploom_cancel(Cancel::new()));
        Ok(())
    })
}

/// Frees a cancel handle; NULL is fine. Calls that still look at it go on as if it were there.
/// One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_cancel_free(cancel: *mut haploom_cancel) {
    free(cancel);
}

/// Sets the flag: calls that look at it stop; they fail with HAPLOOM_CANCELLED at their next step.
/// It stays set until haploom_cancel_reset(). Any thread at any time, signal handlers too. NULL is
/// fine. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_cancel_request(cancel: Option<&haploom_cancel>) {
    if let Some(cancel) = cancel {
        cancel.0.cancel();
    }
}

/// Clears the flag, so that the handle serves again. NULL is fine. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_cancel_reset(cancel: Option<&haploom_cancel>) {
    if let Some(cancel) = cancel {
        cancel.0.reset();
    }
}
