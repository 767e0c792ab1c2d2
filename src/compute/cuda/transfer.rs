//! Bits on their way to the processor's memory while the GPU goes on.

use super::{Cuda, Memory, failed};
use crate::error::Result;
use cudarc::driver::{CudaEvent, PinnedHostSlice};
use std::sync::{Mutex, PoisonError};

/// Page-locked memory of copies that have come, for the next ones of the same size.
#[derive(Default)]
pub(super) struct Landing(Mutex<Vec<PinnedHostSlice<u8>>>);

/// Pieces of page-locked memory that are kept.
const KEPT: usize = 4;

/// Memory of a GPU that is being copied.
pub struct Arriving {
    /// `None` once it has been read.
    pinned: Option<PinnedHostSlice<u8>>,
    /// When the copy has come.
    come: CudaEvent,
    /// Not given back before the copy has come.
    memory: Memory,
}

impl std::fmt::Debug for Arriving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Arriving").field(&self.memory).finish()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // The copy may be on its way into the page-locked memory, and out of the other.
        let _ = self.come.synchronize();
    }
}

impl Cuda {
    /// Has memory copied, on a stream of its own, once all that was asked for before is done.
    pub(in crate::compute) fn send(&self, memory: Memory) -> Result<Arriving> {
        let _turn = self.turn();
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
        let sent = memory.copy_to(copies, &mut pinned);
        match sent.and_then(|()| copies.record_event(None).map_err(failed("ordering a copy"))) {
            Ok(come) => Ok(Arriving { pinned: Some(pinned), come, memory }),
            Err(e) => {
                // Whatever is under way has to end before the memory goes.
                let _ = copies.synchronize();
                Err(e)
            }
        }
    }
}

impl Arriving {
    /// Waits for the copy, and hands its 64-bit words to `read`.
    ///
    /// # Errors
    /// `DeviceFailed`: what went wrong in all that was asked for before.
    pub(in crate::compute) fn words(mut self, read: impl FnOnce(&[u64])) -> Result<()> {
        self.come.synchronize().map_err(failed("computing"))?;
        let Some(pinned) = self.pinned.take() else { return Ok(()) };
        let bytes = pinned.as_slice().map_err(failed("computing"))?;
        // SAFETY: page-locked memory begins at a page, and any bytes are words.
        let words = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u64>(), self.memory.bytes() / 8) };
        read(words);
        let mut landing = self.memory.device().inner.landing.0.lock().unwrap_or_else(PoisonError::into_inner);
        if landing.len() == KEPT {
            landing.remove(0);
        }
        landing.push(pinned);
        Ok(())
    }
}
