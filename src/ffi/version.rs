//! Versions.

use super::handle::copy_text;
use super::status::answer;
use crate::compute::device;
use std::ffi::c_char;

/// The version of this header, as three numbers, and as one: MAJOR * 1000000 + MINOR * 1000 +
/// PATCH.
pub const HAPLOOM_VERSION_MAJOR: i32 = 0;
/// See HAPLOOM_VERSION_MAJOR.
pub const HAPLOOM_VERSION_MINOR: i32 = 1;
/// See HAPLOOM_VERSION_MAJOR.
pub const HAPLOOM_VERSION_PATCH: i32 = 0;
/// See HAPLOOM_VERSION_MAJOR.
pub const HAPLOOM_VERSION_NUMBER: i32 = 1000;
/// The number of the binary interface, that of the soname libhaploom.so.0. Under one number
/// functions, constants and options are only ever added; it grows when a program has to be compiled
/// again.
pub const HAPLOOM_ABI: i32 = 0;

const _: () = assert!(
    HAPLOOM_VERSION_NUMBER == (HAPLOOM_VERSION_MAJOR * 1000 + HAPLOOM_VERSION_MINOR) * 1000 + HAPLOOM_VERSION_PATCH
);

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
const BUILD: &str =
    concat!("haploom ", env!("CARGO_PKG_VERSION"), "; htslib ", "1.19.1", " (its own); devices: cpu, cuda\0");

/// § Version
///
/// The version of the library that is running, as HAPLOOM_VERSION_NUMBER: a program may hold it
/// against the header it was compiled with. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_version() -> i32 {
    HAPLOOM_VERSION_NUMBER
}

/// The version of the library that is running, such as "0.1.0". Static text. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_version_string() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// HAPLOOM_ABI of the library that is running. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_abi() -> i32 {
    HAPLOOM_ABI
}

/// What the library was built with, in a line: its version, that of its own htslib (which no other
/// code sees), the devices it knows. Static text, for logs and reports of defects. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_build_info() -> *const c_char {
    BUILD.as_ptr().cast()
}

/// Copies out which devices option `device` takes on this machine, as haploom_last_error() does: a
/// line each, with its name, a tab, and what it is. The first is the processor; without a GPU that
/// can be used a line says why. Returns the text's length. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_devices(buffer: *mut c_char, capacity: usize) -> usize {
    answer(0, || {
        let lines = device::listed().into_iter().map(|(name, what)| format!("{name}\t{what}\n"));
        Ok(copy_text(&lines.collect::<String>(), buffer, capacity))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_package() {
        let numbers = [HAPLOOM_VERSION_MAJOR, HAPLOOM_VERSION_MINOR, HAPLOOM_VERSION_PATCH];
        assert_eq!(numbers.map(|n| n.to_string()).join("."), crate::VERSION);
        assert_eq!(HAPLOOM_VERSION_NUMBER, (numbers[0] * 1000 + numbers[1]) * 1000 + numbers[2]);
    }

    #[test]
    fn the_version_of_htslib_is_the_one_that_is_linked() {
        // SAFETY: a static text of htslib's.
        let linked = unsafe { std::ffi::CStr::from_ptr(rust_htslib::htslib::hts_version()) };
        assert!(BUILD.contains(&format!("htslib {} ", linked.to_str().unwrap())), "{linked:?}");
    }
}
