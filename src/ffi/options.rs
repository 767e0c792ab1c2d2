//! Options and their introspection.

use super::handle::{Out, c_string, copy_text, exclusive, free, put, required, text};
use super::progress::{Callback, haploom_cancel, haploom_progress_fn};
use super::status::{answer, guard, haploom_status};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{Bounds, Options, Reader, TABLE};
use crate::progress::{Cancel, Progress};
use std::ffi::{CString, c_char, c_void};
use std::sync::OnceLock;

/// Options of a call: values by key, and where its progress goes. Not thread safe while it is
/// changed.
pub struct haploom_options {
    options: Options,
    callback: Option<Callback>,
    cancel: Option<Cancel>,
}

/// The options of a call, which `readers` and every call read.
///
/// # Errors `UnknownOption` if one was set that nothing reads here.
pub(super) fn options_for(given: Option<&haploom_options>, readers: &[Reader]) -> Result<Options> {
    let Some(given) = given else { return Ok(Options::new()) };
    let readers: Vec<Reader> = readers.iter().copied().chain([Reader::Call]).collect();
    given.options.require_read_by(&readers)?;
    if given.options.flag("x_panic") {
        panic!("the option x_panic asked for a panic");
    }
    Ok(given.options.clone())
}

/// The flag by which the caller stops the call.
pub(super) fn cancel_of(given: Option<&haploom_options>) -> Cancel {
    given.and_then(|given| given.cancel.clone()).unwrap_or_default()
}

/// Does work whose events go where the options say.
pub(super) fn watched<T>(given: Option<&haploom_options>, work: impl FnOnce(&mut Progress) -> Result<T>) -> Result<T> {
    let outer = cancel_of(given);
    let Some(callback) = given.and_then(|given| given.callback) else {
        return work(&mut Progress::new(&mut |_| (), outer));
    };
    let cancel = outer.child();
    let stop = cancel.clone();
    work(&mut Progress::new(
        &mut |event| {
            // Whoever has said stop is not asked again.
            if !stop.is_cancelled() && !callback.wants_more(event) {
                stop.cancel();
            }
        },
        cancel,
    ))
}

/// § Options
///
/// Makes options, all at their defaults. Functions that take options take NULL for the defaults
/// too.
///
/// Each function says which groups of keys it reads; `threads` and `seed` are accepted by every
/// function. A key that was set and that the function does not read is an error
/// (HAPLOOM_UNKNOWN_OPTION): nothing that you set is without effect. A function reads options while
/// it runs and does not keep them: they may be freed or changed after it returned.
///
/// On success `*options` is a handle that you free with haploom_options_free(); else it is NULL.
/// Errors: INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_new(options: *mut *mut haploom_options) -> haploom_status {
    guard(|| {
        let out = Out::new(options, "options")?;
        out.give(haploom_options { options: Options::new(), callback: None, cancel: None });
        Ok(())
    })
}

/// Frees options; NULL is fine. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_free(options: *mut haploom_options) {
    free(options);
}

fn set(
    options: Option<&mut haploom_options>,
    key: *const c_char,
    value: impl FnOnce(&Bounds) -> Option<String>,
    kind: &str,
) -> haploom_status {
    guard(|| {
        let options = exclusive(options, "options")?;
        let spec = Options::spec(text(key, "key")?)?;
        let value = value(&spec.bounds).ok_or_else(|| {
            Error::new(ErrorKind::InvalidOption, format!("option {} does not take {kind}", spec.key))
                .remedy(format!("it has to be {}", spec.bounds))
        })?;
        options.options.set(spec.key, &value)?;
        Ok(())
    })
}

/// Sets a key to a whole number. Keys that take a number or a flag (0 or 1) take it too.
///
/// Errors: UNKNOWN_OPTION (the text names near keys); INVALID_OPTION for a key of another type or a
/// value out of bounds (the text names the bounds); INVALID_ARGUMENT. Nothing is changed then.
/// One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_set_int(
    options: Option<&mut haploom_options>,
    key: *const c_char,
    value: i64,
) -> haploom_status {
    let write = |bounds: &Bounds| match bounds {
        Bounds::Whole(..) | Bounds::Number(..) => Some(value.to_string()),
        Bounds::Flag => (0..=1).contains(&value).then(|| (value == 1).to_string()),
        Bounds::Choice(_) | Bounds::Text(_) => None,
    };
    set(options, key, write, "a whole number")
}

/// Sets a key to a number; keys that take whole numbers take one without a fraction. Errors as for
/// haploom_options_set_int(). One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_set_double(
    options: Option<&mut haploom_options>,
    key: *const c_char,
    value: f64,
) -> haploom_status {
    let write = |bounds: &Bounds| match bounds {
        Bounds::Number(..) => Some(value.to_string()),
        Bounds::Whole(..) if value.fract() == 0.0 && value.abs() < 9e15 => Some(format!("{value:.0}")),
        _ => None,
    };
    set(options, key, write, "a number")
}

/// Sets a key to a text: a word, a file, a list, or a number or flag ("true", "false") as text. The
/// text is copied. Errors as for haploom_options_set_int(). One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_set_string(
    options: Option<&mut haploom_options>,
    key: *const c_char,
    value: *const c_char,
) -> haploom_status {
    match answer(None, || text(value, "value").map(Some)) {
        Some(value) => set(options, key, |_| Some(value.to_string()), "text"),
        None => super::status::HAPLOOM_INVALID_ARGUMENT,
    }
}

/// Sets several keys at once: "epochs=200,l2=0.1". Values that hold a comma go through
/// haploom_options_set_string(). Files that options name are UTF-8. If one fails none is set.
/// Errors as for haploom_options_set_int(). One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_set_text(
    options: Option<&mut haploom_options>,
    assignments: *const c_char,
) -> haploom_status {
    guard(|| {
        let options = exclusive(options, "options")?;
        options.options.set_text(text(assignments, "assignments")?)?;
        Ok(())
    })
}

/// Takes a key back to its default, as if it had never been set. Errors: UNKNOWN_OPTION,
/// INVALID_ARGUMENT. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_unset(options: Option<&mut haploom_options>, key: *const c_char) -> haploom_status {
    guard(|| {
        exclusive(options, "options")?.options.unset(text(key, "key")?)?;
        Ok(())
    })
}

/// A copy of options: values, progress function and cancel handle. On success `*copy` is a handle
/// that you free with haploom_options_free(); else it is NULL. Errors: INVALID_ARGUMENT.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_copy(
    options: Option<&haploom_options>,
    copy: *mut *mut haploom_options,
) -> haploom_status {
    guard(|| {
        let out = Out::new(copy, "copy")?;
        let haploom_options { options, callback, cancel } = required(options, "options")?;
        out.give(haploom_options { options: options.clone(), callback: *callback, cancel: cancel.clone() });
        Ok(())
    })
}

/// Copies out the value of a key as text, set or default; returns its length, as
/// haploom_last_error() does. 0 for an unknown key or NULL (see haploom_last_status()) and for an
/// empty text. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_get(
    options: Option<&haploom_options>,
    key: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    answer(0, || {
        let options = required(options, "options")?;
        let spec = Options::spec(text(key, "key")?)?;
        Ok(copy_text(options.options.text(spec.key), buffer, capacity))
    })
}

/// Where events of calls with these options go. `progress` NULL means nowhere, which is the
/// default.
///
/// The function is called on the thread that made the call, with `user` as it is given here. What
/// it answers decides: 0 goes on, anything else stops the call with HAPLOOM_CANCELLED, unless its
/// work is done already. It must return: leaving it by longjmp or by a C++ exception is forbidden
/// and ends the process or worse. It may call functions of this library on other handles, but must
/// not use, change or free a handle or a buffer of the call that is running.
/// Errors: INVALID_ARGUMENT. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_set_progress(
    options: Option<&mut haploom_options>,
    progress: haploom_progress_fn,
    user: *mut c_void,
) -> haploom_status {
    guard(|| {
        exclusive(options, "options")?.callback = progress.map(|call| Callback::new(call, user));
        Ok(())
    })
}

/// The flag by which calls with these options can be stopped from any thread (a sampler looks at
/// the flag of the options that it was made with, in every call); NULL for none, which is the
/// default. The options keep what they need of it: it may be freed before them. Errors:
/// INVALID_ARGUMENT. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_options_set_cancel(
    options: Option<&mut haploom_options>,
    cancel: Option<&haploom_cancel>,
) -> haploom_status {
    guard(|| {
        exclusive(options, "options")?.cancel = cancel.map(haploom_cancel::get);
        Ok(())
    })
}

/// An option takes whole numbers.
pub const HAPLOOM_TYPE_INT: i32 = 1;
/// An option takes numbers.
pub const HAPLOOM_TYPE_DOUBLE: i32 = 2;
/// An option takes a flag: "true" or "false", 1 or 0.
pub const HAPLOOM_TYPE_FLAG: i32 = 3;
/// An option takes one of some words.
pub const HAPLOOM_TYPE_CHOICE: i32 = 4;
/// An option takes a text.
pub const HAPLOOM_TYPE_TEXT: i32 = 5;

/// The texts of an option.
struct Texts {
    key: CString,
    default: CString,
    bounds: CString,
    reader: CString,
    help: CString,
}

fn texts() -> &'static [Texts] {
    static TEXTS: OnceLock<Vec<Texts>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let all = TABLE.iter().map(|spec| Texts {
            key: c_string(spec.key),
            default: c_string(spec.default),
            bounds: c_string(&spec.bounds.to_string()),
            reader: c_string(spec.reader.name()),
            help: c_string(spec.help),
        });
        all.collect()
    })
}

/// How many option keys there are. Keys that begin with x_ are experimental: they may change or go.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_option_count() -> usize {
    TABLE.len()
}

/// What option number `i` (from 0) is: its key; its type, one of HAPLOOM_TYPE_...; its default as
/// text; its bounds in words; the group it belongs to, which says what reads it; and what it does.
/// Each output pointer may be NULL. The texts are static.
/// Errors: INVALID_ARGUMENT past the last one. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_option_describe(
    i: usize,
    key: *mut *const c_char,
    r#type: *mut i32,
    default_value: *mut *const c_char,
    bounds: *mut *const c_char,
    group: *mut *const c_char,
    help: *mut *const c_char,
) -> haploom_status {
    guard(|| {
        let (Some(spec), Some(texts)) = (TABLE.get(i), texts().get(i)) else {
            return Err(Error::argument(format!("there are {} options, and none is number {i}", TABLE.len())));
        };
        let kind = match spec.bounds {
            Bounds::Whole(..) => HAPLOOM_TYPE_INT,
            Bounds::Number(..) => HAPLOOM_TYPE_DOUBLE,
            Bounds::Flag => HAPLOOM_TYPE_FLAG,
            Bounds::Choice(_) => HAPLOOM_TYPE_CHOICE,
            Bounds::Text(_) => HAPLOOM_TYPE_TEXT,
        };
        put(key, texts.key.as_ptr());
        put(r#type, kind);
        put(default_value, texts.default.as_ptr());
        put(bounds, texts.bounds.as_ptr());
        put(group, texts.reader.as_ptr());
        put(help, texts.help.as_ptr());
        Ok(())
    })
}

/// The least and the greatest value of an option that takes numbers, both allowed; infinity where
/// there is no bound.
/// Errors: UNKNOWN_OPTION; INVALID_OPTION for one that takes no numbers; INVALID_ARGUMENT.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_option_range(key: *const c_char, least: *mut f64, greatest: *mut f64) -> haploom_status {
    guard(|| {
        let spec = Options::spec(text(key, "key")?)?;
        let (low, high) = match spec.bounds {
            Bounds::Whole(low, i64::MAX) => (low as f64, f64::INFINITY),
            Bounds::Whole(low, high) => (low as f64, high as f64),
            Bounds::Number(low, high) => (low, high),
            _ => {
                let what = format!("option {} takes no numbers", spec.key);
                return Err(Error::new(ErrorKind::InvalidOption, what).remedy(format!("it has to be {}", spec.bounds)));
            }
        };
        put(least, low);
        put(greatest, high);
        Ok(())
    })
}
