//! Memory that work is going to take.

use crate::error::{Error, ErrorKind, Result};

/// Fails if `bytes` bytes cannot be had now. They are asked for in one piece and given back, so that a limit is met before
/// the work begins, by an error, and not in the middle of it, where a small allocation that fails ends the process.
///
/// # Errors
/// `OutOfMemory`.
pub fn require(bytes: Option<usize>, what: &str) -> Result<()> {
    let mut probe: Vec<u8> = Vec::new();
    match bytes.is_some_and(|bytes| probe.try_reserve_exact(bytes).is_ok()) {
        true => Ok(()),
        false => {
            let size = bytes.map_or("more bytes than there can be".to_string(), |bytes| format!("{bytes} bytes"));
            Err(Error::new(ErrorKind::OutOfMemory, format!("no memory for {what}: {size}"))
                .remedy("take a smaller region, fewer haplotypes or fewer hidden units"))
        }
    }
}
