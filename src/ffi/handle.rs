//! What callers hand over, and what they are handed: pointers, texts, buffers.

use crate::error::{Error, Result};
use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether a pointer is one that may be read or written: not NULL, and aligned.
fn check<T>(pointer: *const T, name: &str) -> Result<()> {
    if pointer.is_null() {
        return Err(Error::argument(format!("{name} is NULL")));
    }
    match pointer.is_aligned() {
        true => Ok(()),
        false => Err(Error::argument(format!("{name} is not aligned to {} bytes", align_of::<T>()))),
    }
}

/// A handle that has to be there.
pub(super) fn required<'a, T>(handle: Option<&'a T>, name: &str) -> Result<&'a T> {
    handle.ok_or_else(|| Error::argument(format!("{name} is NULL")))
}

/// A handle that has to be there, of a kind that looks after its own exclusive use.
pub(super) fn shared<'a, T>(handle: *const T, name: &str) -> Result<&'a T> {
    check(handle, name)?;
    // SAFETY: not NULL, aligned, and the header asks for a handle that the library made and that is not freed yet.
    Ok(unsafe { &*handle })
}

/// A handle that is used exclusively and has to be there.
pub(super) fn exclusive<'a, T>(handle: Option<&'a mut T>, name: &str) -> Result<&'a mut T> {
    handle.ok_or_else(|| Error::argument(format!("{name} is NULL")))
}

/// A place for a new handle: NULL until it is given.
pub(super) struct Out<T>(*mut *mut T);

impl<T> Out<T> {
    pub(super) fn new(place: *mut *mut T, name: &str) -> Result<Self> {
        check(place, name)?;
        // SAFETY: not NULL, aligned, and the header asks for a place that may be written.
        unsafe { *place = std::ptr::null_mut() };
        Ok(Out(place))
    }

    pub(super) fn give(self, value: T) {
        // SAFETY: as above.
        unsafe { *self.0 = Box::into_raw(Box::new(value)) };
    }
}

/// Frees what [`Out::give`] gave; NULL is nothing.
pub(super) fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        super::status::answer((), || {
            // SAFETY: the header asks for a handle that the library made and that was not freed before.
            drop(unsafe { Box::from_raw(handle) });
            Ok(())
        });
    }
}

/// Writes a number or a pointer to a place that may be NULL.
pub(super) fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not NULL, and the header asks for a place that may be written; it need not hold a value before.
        unsafe { place.write_unaligned(value) };
    }
}

/// A text that has to be there.
pub(super) fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    check(pointer, name)?;
    // SAFETY: not NULL, and the header asks for a text that ends with a 0 and stays as it is during the call.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Error::argument(format!("{name} is not UTF-8: '{}'", text.to_string_lossy())))
}

/// The name of a file: any bytes.
pub(super) fn path<'a>(pointer: *const c_char, name: &str) -> Result<&'a Path> {
    check(pointer, name)?;
    // SAFETY: as for a text.
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    match bytes.is_empty() {
        true => Err(Error::argument(format!("{name} is empty"))),
        false => Ok(Path::new(OsStr::from_bytes(bytes))),
    }
}

fn check_length<T>(pointer: *const T, length: usize, name: &str) -> Result<()> {
    check(pointer, name)?;
    match length.checked_mul(size_of::<T>()).is_some_and(|bytes| isize::try_from(bytes).is_ok()) {
        true => Ok(()),
        false => Err(Error::argument(format!("{name} cannot hold {length} elements"))),
    }
}

/// An array to read; NULL will do if it is empty.
pub(super) fn array<'a, T>(pointer: *const T, length: usize, name: &str) -> Result<&'a [T]> {
    if length == 0 {
        return Ok(&[]);
    }
    check_length(pointer, length, name)?;
    // SAFETY: not NULL, aligned, of a length that an object may have, and the header asks for that many elements that
    // stay as they are during the call.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// An array to write; NULL will do if it is empty.
pub(super) fn array_mut<'a, T>(pointer: *mut T, length: usize, name: &str) -> Result<&'a mut [T]> {
    if length == 0 {
        return Ok(&mut []);
    }
    check_length(pointer, length, name)?;
    // SAFETY: as for `array`; the header asks that nobody else uses it during the call. Only numbers without invalid
    // values are written so, and they are written before they are read.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, length) })
}

/// A text with a 0 at its end; a 0 inside is left out.
pub(super) fn c_string(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().filter(|b| *b != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

/// Copies as much of a text as fits, cut between characters, with a 0 at its end. Returns the
/// length of the whole.
pub(super) fn copy_text(text: &str, buffer: *mut c_char, capacity: usize) -> usize {
    if !buffer.is_null() && capacity > 0 {
        let mut n = text.len().min(capacity - 1);
        while !text.is_char_boundary(n) {
            n -= 1;
        }
        // SAFETY: not NULL; the header asks for `capacity` bytes, and n + 1 are at most as many.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), n);
            buffer.add(n).write(0);
        }
    }
    text.len()
}
