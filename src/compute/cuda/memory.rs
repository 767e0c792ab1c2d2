//! Memory of a GPU.

use super::turn::Turn;
use super::{Cuda, failed};
use crate::error::{Error, ErrorKind, Result};
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, PinnedHostSlice};
use std::fmt;
use std::sync::{Arc, PoisonError};

/// Bytes of a GPU's memory. States lie there as packed bits where they are 0 and 1, and as 16-bit numbers where not.
pub struct Memory {
    bytes: Owned,
    /// Bytes that are meant; at least one is allocated.
    length: usize,
    bits: bool,
}

/// Memory that goes back to its device when the device's other users are between two operations.
pub(super) struct Owned {
    slice: Option<CudaSlice<u8>>,
    device: Cuda,
}

impl Owned {
    fn slice(&self) -> Result<&CudaSlice<u8>> {
        self.slice.as_ref().ok_or_else(gone)
    }

    fn slice_mut(&mut self) -> Result<&mut CudaSlice<u8>> {
        self.slice.as_mut().ok_or_else(gone)
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "memory of a GPU is used after it was given back")
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _turn = self.device.turn();
        // Where there are several GPUs, another one may be this thread's. What the driver has against it, the next call hears.
        let _ = self.device.inner.context.bind_to_thread();
        self.slice = None;
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.bits { "bits" } else { "numbers" };
        write!(f, "Memory({} bytes of {what} on cuda:{})", self.length, self.device().description().index)
    }
}

/// A slice of numbers as bytes.
fn as_bytes<T: Copy>(values: &[T]) -> &[u8] {
    // SAFETY: numbers without padding are bytes; the length in bytes is that of the slice.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

impl Cuda {
    /// What fails where there is no memory left.
    fn asking(&self, bytes: usize) -> String {
        format!("cuda:{} is asked for {:.1} MiB", self.description().index, bytes as f64 / (1 << 20) as f64)
    }

    /// Memory of any content.
    pub(super) fn memory(&self, bytes: usize) -> Result<Memory> {
        let doing = self.asking(bytes);
        let _turn = self.turn();
        // SAFETY: the content is written before it is read, by the operations of this room.
        let slice = unsafe { self.stream().alloc::<u8>(bytes.max(1)) }.map_err(failed(&doing))?;
        let owned = Owned { slice: Some(slice), device: self.clone() };
        Ok(Memory { bytes: owned, length: bytes, bits: false })
    }

    /// The address of memory of at least so many bytes that the next operation may have overwritten: whoever takes it has the
    /// turn until its last launch. What works in graphs takes its passing memory here: it stays where it is from launch to
    /// launch.
    pub(super) fn scratch(&self, bytes: usize, _turn: &Turn) -> Result<u64> {
        let mut scratch = self.inner.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if scratch.as_ref().is_none_or(|there| there.len() < bytes) {
            // Work on the stream that still reads the old one comes before its release there.
            *scratch = None;
            let doing = self.asking(bytes);
            // SAFETY: the content is written before it is read, by the operations that take it.
            *scratch = Some(unsafe { self.stream().alloc::<u8>(bytes.max(1)) }.map_err(failed(&doing))?);
        }
        Ok(scratch.as_ref().map_or(0, |there| there.device_ptr(self.stream()).0))
    }

    /// The address of memory of so many bytes, which is the same at each call and held zeros at first: where blocks of a launch
    /// leave parts of sums to each other.
    pub(super) fn shared_sums(&self, bytes: usize) -> Result<u64> {
        let _turn = self.turn();
        let mut parts = self.inner.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let there = match &mut *parts {
            Some(there) => there,
            none => {
                let doing = self.asking(bytes);
                none.insert(self.stream().alloc_zeros::<u8>(bytes).map_err(failed(&doing))?)
            }
        };
        Ok(there.device_ptr(self.stream()).0)
    }

    /// Zeros.
    pub(crate) fn zeros(&self, bytes: usize) -> Result<Memory> {
        let mut memory = self.memory(bytes)?;
        memory.clear()?;
        Ok(memory)
    }

    /// A copy of numbers.
    pub(crate) fn upload<T: Copy>(&self, values: &[T]) -> Result<Memory> {
        let mut memory = self.memory(size_of_val(values))?;
        memory.write(values)?;
        Ok(memory)
    }
}

impl Memory {
    /// Its length.
    pub fn bytes(&self) -> usize {
        self.length
    }

    /// Whether it holds states as packed bits.
    pub fn holds_bits(&self) -> bool {
        self.bits
    }

    /// The same, known to hold states as packed bits.
    pub(crate) fn of_bits(self) -> Memory {
        Memory { bits: true, ..self }
    }

    /// The GPU that it is of.
    pub(crate) fn device(&self) -> &Cuda {
        &self.bytes.device
    }

    /// Its address, for kernels.
    pub(super) fn address(&self) -> u64 {
        // Events are not tracked: the guard has nothing to do.
        self.bytes.slice.as_ref().map_or(0, |slice| slice.device_ptr(self.device().stream()).0)
    }

    /// Fills `values` once all work before is done.
    pub(crate) fn download<T: Copy>(&self, values: &mut [T]) -> Result<()> {
        let length = size_of_val(values).min(self.length);
        if length == 0 {
            return Ok(());
        }
        // SAFETY: any bytes are numbers of the types that matrices hold; the length is that of the slice at most.
        let bytes = unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast::<u8>(), length) };
        let (_turn, stream) = (self.device().turn(), self.device().stream());
        stream.memcpy_dtoh(&self.bytes.slice()?.slice(0..length), bytes).map_err(failed("copying from the GPU"))?;
        self.device().finish()
    }

    /// Sets all to 0.
    pub(crate) fn clear(&mut self) -> Result<()> {
        let device = self.device().clone();
        let (_turn, stream) = (device.turn(), device.stream());
        stream.memset_zeros(self.bytes.slice_mut()?).map_err(failed("setting memory to 0"))
    }

    /// Becomes these numbers, which it is as long as.
    pub(crate) fn write<T: Copy>(&mut self, values: &[T]) -> Result<()> {
        let length = size_of_val(values).min(self.length);
        if length == 0 {
            return Ok(());
        }
        let device = self.device().clone();
        let _turn = device.turn();
        let mut target = self.bytes.slice_mut()?.slice_mut(0..length);
        let copied = device.stream().memcpy_htod(&as_bytes(values)[..length], &mut target);
        copied.map_err(failed("copying to the GPU"))
    }

    /// Becomes a copy of memory of the same length.
    pub(crate) fn copy_from(&mut self, other: &Memory) -> Result<()> {
        let device = self.device().clone();
        let _turn = device.turn();
        let copied = device.stream().memcpy_dtod(other.bytes.slice()?, self.bytes.slice_mut()?);
        copied.map_err(failed("copying on the GPU"))
    }

    /// Has it copied to page-locked memory of its length.
    pub(super) fn copy_to(&self, stream: &Arc<CudaStream>, pinned: &mut PinnedHostSlice<u8>) -> Result<()> {
        stream.memcpy_dtoh(self.bytes.slice()?, pinned).map_err(failed("copying from the GPU"))
    }

    /// A copy on the same GPU.
    pub(crate) fn copy(&self) -> Result<Memory> {
        let mut copied = self.device().memory(self.length)?;
        copied.bits = self.bits;
        copied.copy_from(self)?;
        Ok(copied)
    }
}
