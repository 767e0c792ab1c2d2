//! Statuses, the guard that catches panics, and the last error.

use super::handle::copy_text;
use crate::error::{Error, ErrorKind, Result};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

/// What a function answers: HAPLOOM_OK, or one of the negative numbers above, in blocks: general,
/// -100 files, -200 what is in a panel, -300 model files, -400 training, -500 devices ("those of
/// devices" in the manuals below: with option `device` alone). Numbers are never reused; new ones may
/// come.
pub type haploom_status = i32;

/// All went well.
pub const HAPLOOM_OK: i32 = 0;
/// An argument is NULL, out of range, or makes no sense.
pub const HAPLOOM_INVALID_ARGUMENT: i32 = -1;
/// Memory for a size that the input controls could not be had.
pub const HAPLOOM_OUT_OF_MEMORY: i32 = -2;
/// The progress function or a cancel handle asked to stop.
pub const HAPLOOM_CANCELLED: i32 = -3;
/// An option key that does not exist, or that the function does not read.
pub const HAPLOOM_UNKNOWN_OPTION: i32 = -4;
/// An option value of the wrong type or outside its bounds.
pub const HAPLOOM_INVALID_OPTION: i32 = -5;
/// A defect of this library; the text says where. Handles that were used exclusively are of no more
/// use.
pub const HAPLOOM_INTERNAL: i32 = -6;
/// A file could not be opened, read or written.
pub const HAPLOOM_IO: i32 = -100;
/// The file is in no format that is read here, or its name says none to write.
pub const HAPLOOM_UNKNOWN_FORMAT: i32 = -101;
/// The file ends too early.
pub const HAPLOOM_TRUNCATED: i32 = -102;
/// The file's bytes contradict its format.
pub const HAPLOOM_MALFORMED: i32 = -103;
/// A region does not parse, or names a contig that is not there.
pub const HAPLOOM_REGION: i32 = -104;
/// Genotypes are not phased.
pub const HAPLOOM_UNPHASED: i32 = -200;
/// Genotypes are missing.
pub const HAPLOOM_MISSING: i32 = -201;
/// A site has more than two alleles.
pub const HAPLOOM_MULTIALLELIC: i32 = -202;
/// Sites are not in order.
pub const HAPLOOM_UNSORTED: i32 = -203;
/// The ploidy of a sample changes, or is not 1 or 2.
pub const HAPLOOM_PLOIDY: i32 = -204;
/// Two panels, or a panel and a model, do not share the sites that are needed.
pub const HAPLOOM_NO_OVERLAP: i32 = -205;
/// Contigs are named differently.
pub const HAPLOOM_CONTIG_MISMATCH: i32 = -206;
/// Sites at the same position have other alleles.
pub const HAPLOOM_ALLELE_MISMATCH: i32 = -207;
/// A panel, a file or a selection has no haplotypes or no sites.
pub const HAPLOOM_EMPTY: i32 = -208;
/// The same site or sample twice.
pub const HAPLOOM_DUPLICATE: i32 = -209;
/// A sample that is not in the panel, a label that the model does not know, or a column that is not
/// in the table.
pub const HAPLOOM_UNKNOWN_NAME: i32 = -210;
/// The file is not a model of this library.
pub const HAPLOOM_NOT_A_MODEL: i32 = -300;
/// The model file is of a version that is no longer read.
pub const HAPLOOM_MODEL_TOO_OLD: i32 = -301;
/// The model file is of a version that this library does not know yet.
pub const HAPLOOM_MODEL_TOO_NEW: i32 = -302;
/// The model file contradicts itself.
pub const HAPLOOM_MODEL_CORRUPT: i32 = -303;
/// Training produced infinite or undefined numbers, or left its bounds.
pub const HAPLOOM_DIVERGED: i32 = -400;
/// A checkpoint belongs to another panel or to other options.
pub const HAPLOOM_CHECKPOINT_MISMATCH: i32 = -401;
/// There is no NVIDIA driver, or it is older than that of CUDA 12.4.
pub const HAPLOOM_NO_DRIVER: i32 = -500;
/// There is no such GPU, or its compute capability is below 8.0.
pub const HAPLOOM_NO_DEVICE: i32 = -501;
/// The GPU has no memory left.
pub const HAPLOOM_OUT_OF_DEVICE_MEMORY: i32 = -502;
/// The GPU or its driver failed.
pub const HAPLOOM_DEVICE_FAILED: i32 = -503;

/// The names of the statuses, with the 0 at their end.
const NAMES: &[(haploom_status, &str)] = &[
    (HAPLOOM_OK, "OK\0"),
    (HAPLOOM_INVALID_ARGUMENT, "INVALID_ARGUMENT\0"),
    (HAPLOOM_OUT_OF_MEMORY, "OUT_OF_MEMORY\0"),
    (HAPLOOM_CANCELLED, "CANCELLED\0"),
    (HAPLOOM_UNKNOWN_OPTION, "UNKNOWN_OPTION\0"),
    (HAPLOOM_INVALID_OPTION, "INVALID_OPTION\0"),
    (HAPLOOM_INTERNAL, "INTERNAL\0"),
    (HAPLOOM_IO, "IO\0"),
    (HAPLOOM_UNKNOWN_FORMAT, "UNKNOWN_FORMAT\0"),
    (HAPLOOM_TRUNCATED, "TRUNCATED\0"),
    (HAPLOOM_MALFORMED, "MALFORMED\0"),
    (HAPLOOM_REGION, "REGION\0"),
    (HAPLOOM_UNPHASED, "UNPHASED\0"),
    (HAPLOOM_MISSING, "MISSING\0"),
    (HAPLOOM_MULTIALLELIC, "MULTIALLELIC\0"),
    (HAPLOOM_UNSORTED, "UNSORTED\0"),
    (HAPLOOM_PLOIDY, "PLOIDY\0"),
    (HAPLOOM_NO_OVERLAP, "NO_OVERLAP\0"),
    (HAPLOOM_CONTIG_MISMATCH, "CONTIG_MISMATCH\0"),
    (HAPLOOM_ALLELE_MISMATCH, "ALLELE_MISMATCH\0"),
    (HAPLOOM_EMPTY, "EMPTY\0"),
    (HAPLOOM_DUPLICATE, "DUPLICATE\0"),
    (HAPLOOM_UNKNOWN_NAME, "UNKNOWN_NAME\0"),
    (HAPLOOM_NOT_A_MODEL, "NOT_A_MODEL\0"),
    (HAPLOOM_MODEL_TOO_OLD, "MODEL_TOO_OLD\0"),
    (HAPLOOM_MODEL_TOO_NEW, "MODEL_TOO_NEW\0"),
    (HAPLOOM_MODEL_CORRUPT, "MODEL_CORRUPT\0"),
    (HAPLOOM_DIVERGED, "DIVERGED\0"),
    (HAPLOOM_CHECKPOINT_MISMATCH, "CHECKPOINT_MISMATCH\0"),
    (HAPLOOM_NO_DRIVER, "NO_DRIVER\0"),
    (HAPLOOM_NO_DEVICE, "NO_DEVICE\0"),
    (HAPLOOM_OUT_OF_DEVICE_MEMORY, "OUT_OF_DEVICE_MEMORY\0"),
    (HAPLOOM_DEVICE_FAILED, "DEVICE_FAILED\0"),
];

thread_local! {
    /// How many guarded calls this thread is inside of.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What the last panic inside a guarded call said, and where.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static LAST: RefCell<(haploom_status, String)> = const { RefCell::new((HAPLOOM_OK, String::new())) };
}

/// Runs the body of a function that answers with a status.
pub(super) fn guard(work: impl FnOnce() -> Result<()>) -> haploom_status {
    match caught(work) {
        Ok(()) => HAPLOOM_OK,
        Err(error) => remember(&error),
    }
}

/// Runs the body of a function that answers with a value; `otherwise` where it fails, with the
/// error kept.
pub(super) fn answer<T>(otherwise: T, work: impl FnOnce() -> Result<T>) -> T {
    match caught(work) {
        Ok(value) => {
            let _ = LAST.try_with(|last| last.borrow_mut().0 = HAPLOOM_OK);
            value
        }
        Err(error) => {
            remember(&error);
            otherwise
        }
    }
}

fn remember(error: &Error) -> haploom_status {
    // A thread that is ending has no place left for its last error; the status says enough then.
    let _ = LAST.try_with(|last| *last.borrow_mut() = (error.status(), one_line(error)));
    error.status()
}

/// An error's text on one line, whatever names it holds.
fn one_line(error: &Error) -> String {
    let text = error.to_string();
    match text.contains(char::is_control) {
        true => {
            text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
        }
        false => text,
    }
}

fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    keep_panics_quiet();
    let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
    let done = catch_unwind(AssertUnwindSafe(work));
    let _ = DEPTH.try_with(|depth| depth.set(depth.get() - 1));
    done.unwrap_or_else(|payload| Err(internal(payload.as_ref())))
}

/// A panic as an error.
fn internal(payload: &(dyn Any + Send)) -> Error {
    let said = PANIC.try_with(|panic| panic.borrow_mut().take()).ok().flatten();
    let text = payload.downcast_ref::<&str>().map(|s| s.to_string()).or_else(|| payload.downcast_ref().cloned());
    let what = said.or(text).unwrap_or_else(|| "a panic that says nothing".to_string());
    Error::new(ErrorKind::Internal, what).remedy("this is a defect of haploom: please report it")
}

/// Panics inside guarded calls and of this library's threads are kept for the last error instead of
/// being printed; all others go where they went before. A C program has this library's own copy of
/// Rust's panic machinery to itself, so the hook is no global that anybody else could see.
fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic: &PanicHookInfo| {
            let inside = DEPTH.try_with(Cell::get).is_ok_and(|depth| depth > 0);
            let ours = || std::thread::current().name().is_some_and(|name| name.starts_with("haploom-"));
            match inside || ours() {
                true => {
                    let _ = PANIC.try_with(|said| *said.borrow_mut() = Some(panic.to_string().replace('\n', " ")));
                }
                false => before(panic),
            }
        }));
    });
}

/// § Errors
///
/// The name of a status without its prefix, such as "NO_OVERLAP"; "UNKNOWN" for a number that is no
/// status.
///
/// The text is static: it is never freed and never changes. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_status_name(status: haploom_status) -> *const c_char {
    let name = NAMES.iter().find(|(number, _)| *number == status).map_or("UNKNOWN\0", |(_, name)| name);
    name.as_ptr().cast()
}

/// Copies out what the last call that failed on this thread had to say: what is wrong, where (file,
/// record, site, sample, byte) and what to do about it. UTF-8, one line.
///
/// `buffer` (may be NULL) takes at most `capacity` bytes, the 0 at the end included; a text that is
/// longer is cut. Returns the length of the whole text without that 0, so a call with NULL and 0
/// tells how much is needed; 0 if nothing has failed on this thread yet. Calls that succeed leave
/// the text as it is. Each thread has its own. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_last_error(buffer: *mut c_char, capacity: usize) -> usize {
    LAST.try_with(|last| copy_text(&last.borrow().1, buffer, capacity)).unwrap_or(0)
}

/// The status of this thread's last call of a getter, a function that answers with a value:
/// HAPLOOM_OK, or why the value is 0, NULL or NaN. After a call that answers with a status, that
/// status if it failed. Each thread has its own. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_last_status() -> haploom_status {
    LAST.try_with(|last| last.borrow().0).unwrap_or(HAPLOOM_OK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn every_kind_of_error_has_its_status_and_name() {
        assert_eq!(NAMES.len(), ErrorKind::ALL.len() + 1);
        for kind in ErrorKind::ALL {
            // SAFETY: static texts with a 0 at their end.
            let name = unsafe { CStr::from_ptr(haploom_status_name(*kind as i32)) };
            assert_eq!(name.to_str().unwrap(), kind.name());
        }
        assert!(NAMES.iter().all(|(_, name)| name.ends_with('\0')));
    }

    #[test]
    fn a_panic_becomes_an_error_that_says_where() {
        assert_eq!(guard(|| panic!("seven {}", 7)), HAPLOOM_INTERNAL);
        let mut text = [0u8; 400];
        let n = haploom_last_error(text.as_mut_ptr().cast(), text.len());
        let text = std::str::from_utf8(&text[..n]).unwrap();
        assert!(text.contains("seven 7") && text.contains("status.rs"), "{text}");
        assert_eq!(haploom_last_status(), HAPLOOM_INTERNAL);
    }

    #[test]
    fn a_short_buffer_gets_the_beginning_of_a_text() {
        guard(|| Err(Error::argument("é is two bytes")));
        let mut text = [9u8; 3];
        let n = haploom_last_error(text.as_mut_ptr().cast(), 2);
        assert_eq!((n, text), (15, [0, 9, 9]), "a character is not cut in two");
        assert_eq!(haploom_last_error(std::ptr::null_mut(), 0), 15);
    }
}
