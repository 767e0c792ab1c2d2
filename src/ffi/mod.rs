//! A stand-in for the C interface, replaced when it is merged.
#![allow(unsafe_code, missing_docs, clippy::missing_safety_doc)]

use crate::error::{Error, ErrorKind};
use crate::io::ReadOptions;
use crate::panel::Panel;
use std::cell::RefCell;
use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

#[unsafe(no_mangle)]
pub extern "C" fn haploom_version_string() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

#[unsafe(no_mangle)]
pub extern "C" fn haploom_version() -> i32 {
    100
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn haploom_panel_open(
    path: *const c_char,
    options: *const ReadOptions,
    panel: *mut *mut Panel,
) -> i32 {
    // SAFETY: the caller hands a C string and a place to write to.
    let (name, out) = unsafe { (CStr::from_ptr(path), &mut *panel) };
    *out = std::ptr::null_mut();
    let plain = ReadOptions::default();
    let opened = std::panic::catch_unwind(|| {
        crate::io::read_panel(
            Path::new(OsStr::from_bytes(name.to_bytes())),
            if options.is_null() {
                &plain
            } else {
                {
                    // SAFETY: from haploom_options_new.
                    unsafe { &*options }
                }
            },
        )
    })
    .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a panic")));
    match opened {
        Ok(read) => {
            *out = Box::into_raw(Box::new(read.panel));
            0
        }
        Err(e) => {
            LAST.with_borrow_mut(|last| *last = e.to_string());
            e.status()
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn haploom_panel_haplotypes(panel: *const Panel) -> usize {
    // SAFETY: a panel from haploom_panel_open.
    unsafe { &*panel }.haplotypes()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn haploom_panel_sites_count(panel: *const Panel) -> usize {
    // SAFETY: as above.
    unsafe { &*panel }.sites().len()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn haploom_panel_free(panel: *mut Panel) {
    if !panel.is_null() {
        // SAFETY: as above, and given back once.
        drop(unsafe { Box::from_raw(panel) });
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn haploom_last_error(buffer: *mut c_char, capacity: usize) -> usize {
    LAST.with_borrow(|last| {
        if capacity > 0 {
            let n = last.len().min(capacity - 1);
            // SAFETY: the caller's buffer holds `capacity` bytes.
            unsafe {
                std::ptr::copy_nonoverlapping(last.as_ptr(), buffer.cast(), n);
                *buffer.add(n) = 0;
            }
        }
        last.len() + 1
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn haploom_options_new(options: *mut *mut ReadOptions) -> i32 {
    // SAFETY: a place to write to.
    unsafe { *options = Box::into_raw(Box::default()) };
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn haploom_options_set_text(options: *mut ReadOptions, text: *const c_char) -> i32 {
    // SAFETY: from haploom_options_new, and a C string.
    let (options, text) = unsafe { (&mut *options, CStr::from_ptr(text)) };
    match text.to_str().ok().and_then(|text| text.strip_prefix("threads=")?.parse().ok()) {
        Some(threads) => options.threads = threads,
        None => return -1,
    }
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn haploom_options_free(options: *mut ReadOptions) {
    if !options.is_null() {
        // SAFETY: from haploom_options_new, and given back once.
        drop(unsafe { Box::from_raw(options) });
    }
}
