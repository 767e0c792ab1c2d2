//! Bits on their way to the processor's memory while the GPU goes on.

use super::{Cuda, Memory, failed};
use crate::error::Result;
use cudarc::driver::PinnedHostSlice;
use std::sync::{Mutex, PoisonError};

/// Page-locked memory of copies that have come, for the next ones.
#[derive(Default)]
pub(super) struct Landing(Mutex<Vec<PinnedHostSlice<u8>>>);

/// Memory of a GPU that is being copied.
pub struct Arriving {
    pinned: PinnedHostSlice<u8>,
    /// Not given back before the copy has come.
    memory: Memory,
}

impl std::fmt::Debug for Arriving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Arriving").field(&self.memory).finish()
    }
}

impl Cuda {
    /// Has memory copied, on a stream of its own, once all that was asked for before is done.
    pub(in crate::compute) fn send(&self, memory: Memory) -> Result<Arriving> {
        let mut landing = self.inner.landing.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = landing.iter().position(|pinned| pinned.num_bytes() == memory.bytes().max(1));
        let mut pinned = match fits {
            Some(place) => landing.swap_remove(place),
            // SAFETY: the copy fills what is read. Flags are left out: memory that writes are combined in is slow to read.
            None => unsafe { self.inner.context.alloc_pinned_with_flags::<u8>(memory.bytes().max(1), 0) }
                .map_err(failed("asking for page-locked memory"))?,
        };
        drop(landing);
        let copies = &self.inner.copies;
        copies.join(self.stream()).map_err(failed("ordering a copy"))?;
        memory.copy_to(copies, &mut pinned)?;
        Ok(Arriving { pinned, memory })
    }
}

impl Arriving {
    /// Waits for the copy, and hands its 64-bit words to `read`.
    ///
    /// # Errors
    /// `DeviceFailed`: what went wrong in all that was asked for before.
    pub(in crate::compute) fn words(self, read: impl FnOnce(&[u64])) -> Result<()> {
        let bytes = self.pinned.as_slice().map_err(failed("computing"))?;
        // SAFETY: page-locked memory begins at a page, and any bytes are words.
        let words = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u64>(), self.memory.bytes() / 8) };
        read(words);
        let landing = &self.memory.device().inner.landing.0;
        landing.lock().unwrap_or_else(PoisonError::into_inner).push(self.pinned);
        Ok(())
    }
}
