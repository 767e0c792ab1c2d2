//! NVIDIA GPUs: which there are, their memory, and the GPU's twins of the operations.
//!
//! Nothing is needed to build this, and no toolkit to run it: the driver's library is looked for when a device is asked
//! for, and kernels are compiled ahead into PTX (`cuda/`), which the driver turns into the device's own code and keeps in
//! its cache. The twins of half-steps give the processor's bits.
#![allow(unsafe_code)]

mod generators;
mod graph;
mod kernels;
mod layers;
mod learning;
mod memory;
mod operations;
mod products;
mod states;
mod transfer;
mod turn;

use crate::error::{Error, ErrorKind, Result};
use crate::threads::Threads;
use cudarc::driver::sys::CUdevice_attribute as Attribute;
use cudarc::driver::{CudaContext, CudaSlice, CudaStream, DriverError, sys};
pub(crate) use generators::{Classes, Packed, RowWords, Step};
use graph::Graphs;
use kernels::{Kernels, Recording};
pub(crate) use layers::{Activations, Each, LEAD, Normalising};
pub use memory::Memory;
pub(super) use operations::zero_weights;
pub(crate) use products::{KernelAt, Reading};
use std::fmt;
use std::sync::{Arc, Mutex};
pub use transfer::Arriving;
use transfer::Landing;
use turn::{Turn, Turns};

/// Columns of a matrix in a GPU's memory are padded to a multiple of this (`PADDED` in cuda/weights.cuh).
pub const PADDED: usize = 128;

/// The oldest driver that takes the kernels' PTX (8.4): that of CUDA 12.4.
const OLDEST_DRIVER: i32 = 12_040;
/// The oldest devices: those with `mma` of bytes and bfloat16, and copies past the registers (Ampere).
const OLDEST_CAPABILITY: (i32, i32) = (8, 0);

/// A GPU: its context, and a stream on which everything runs in order. Clones share both.
#[derive(Clone)]
pub struct Cuda {
    inner: Arc<Inner>,
    threads: Threads,
}

struct Inner {
    turns: Turns,
    // Fields are dropped in order: kernels and the stream before their context.
    graphs: Graphs,
    recording: Recording,
    kernels: Kernels,
    scratch: Mutex<Option<CudaSlice<u8>>>,
    parts: Mutex<Option<CudaSlice<u8>>>,
    landing: Landing,
    copies: Arc<CudaStream>,
    stream: Arc<CudaStream>,
    context: Arc<CudaContext>,
    description: Description,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nothing is taken apart that is still at work; what went wrong there has nobody to tell.
        let _ = self.stream.synchronize();
        let _ = self.copies.synchronize();
    }
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cuda").field(&self.inner.description).finish()
    }
}

/// What is known of a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its number, as `cuda:NUMBER` names it.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its compute capability.
    pub capability: (i32, i32),
    /// Streaming multiprocessors.
    pub processors: usize,
    /// Its memory, in bytes.
    pub memory: usize,
    /// The CUDA version that the driver speaks, 1000 times the major number plus 10 times the minor one.
    pub driver: i32,
}

impl Description {
    /// Whether the kernels run on it.
    pub fn is_supported(&self) -> bool {
        self.capability >= OLDEST_CAPABILITY
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.capability;
        write!(
            f,
            "{}, compute capability {major}.{minor}, {:.1} GiB, driver for CUDA {}.{}",
            self.name,
            self.memory as f64 / (1u64 << 30) as f64,
            self.driver / 1000,
            self.driver % 1000 / 10
        )
    }
}

/// What the driver answered, as one of our errors.
fn failed(doing: &str) -> impl Fn(DriverError) -> Error + '_ {
    move |e| {
        let name = e.error_name().ok().and_then(|n| n.to_str().ok()).unwrap_or("unknown error").to_string();
        let said = e.error_string().ok().and_then(|n| n.to_str().ok()).unwrap_or_default().to_string();
        match e.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                Error::new(ErrorKind::OutOfDeviceMemory, format!("the GPU has no memory left while {doing}"))
                    .remedy("free some, take another device, or lower chains or batch")
            }
            sys::CUresult::CUDA_ERROR_NO_DEVICE | sys::CUresult::CUDA_ERROR_INVALID_DEVICE => {
                Error::new(ErrorKind::NoDevice, format!("{doing}: {name}, {said}"))
                    .remedy("haploom info --devices lists what there is; device=cpu needs none")
            }
            _ => Error::new(ErrorKind::DeviceFailed, format!("{doing}: {name}, {said}"))
                .remedy("device=cpu needs no GPU; nvidia-smi tells how the device is"),
        }
    }
}

/// The driver's version, if there is a driver and it is not too old.
fn driver() -> Result<i32> {
    // SAFETY: looking for a library by its name; that it runs its initialisers is what every use of CUDA asks for.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::new(ErrorKind::NoDriver, "there is no NVIDIA driver: libcuda.so.1 was not found")
            .remedy("install the driver, or take device=cpu"));
    }
    let mut version = 0;
    // SAFETY: the call writes one int. It is in every libcuda, so that the symbol is found.
    let status = unsafe { sys::cuDriverGetVersion(&mut version) };
    status.result().map_err(failed("asking the driver for its version"))?;
    // An older driver lacks functions that are called further down, and does not take the kernels.
    if version < OLDEST_DRIVER {
        let what = format!("the NVIDIA driver is one for CUDA {}.{}", version / 1000, version % 1000 / 10);
        return Err(
            Error::new(ErrorKind::NoDriver, what).remedy("install one for CUDA 12.4 or later, or take device=cpu")
        );
    }
    Ok(version)
}

fn describe(index: usize, driver: i32) -> Result<Description> {
    use cudarc::driver::result::device;
    let asking = failed("asking about a device");
    let handle = device::get(index as i32).map_err(&asking)?;
    // SAFETY: the handle is the driver's own.
    let attribute = |which| unsafe { device::get_attribute(handle, which) }.map_err(&asking);
    Ok(Description {
        index,
        name: device::get_name(handle).map_err(&asking)?,
        capability: (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        processors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(1) as usize,
        // SAFETY: as above.
        memory: unsafe { device::total_mem(handle) }.map_err(&asking)?,
        driver,
    })
}

/// The GPUs that the driver shows; a failure stands in the place of one that does not answer.
///
/// # Errors
/// `NoDriver` without a driver, or with one that is too old; `DeviceFailed`.
pub fn devices() -> Result<Vec<Result<Description>>> {
    let (count, driver) = count()?;
    Ok((0..count).map(|index| describe(index, driver)).collect())
}

/// How many GPUs the driver shows, and its version.
fn count() -> Result<(usize, i32)> {
    let driver = driver()?;
    match CudaContext::device_count() {
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => Ok((0, driver)),
        other => Ok((other.map_err(failed("counting devices"))? as usize, driver)),
    }
}

/// Bytes of a GPU's memory that are kept for what comes next when nobody uses them.
const KEPT: u64 = 1 << 30;

/// Has the driver keep some memory that was given back: it would go to the system whenever somebody waits for the GPU, and to
/// take it from there again costs as much as many kernels. A device without pools of memory goes on without.
fn keep_memory(context: &CudaContext) {
    use cudarc::driver::result::{device, mem_pool};
    let mut kept = KEPT;
    let which = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the device is the context's, the pool the device's, and the attribute is a number of 64 bits.
    let _ = unsafe {
        device::get_default_mem_pool(context.cu_device())
            .and_then(|pool| mem_pool::set_attribute(pool, which, std::ptr::from_mut(&mut kept).cast()))
    };
}

impl Cuda {
    /// GPU number `index`.
    ///
    /// # Errors
    /// `NoDriver`; `NoDevice` if there is no such device, or it is too old; `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn open(index: usize, threads: Threads) -> Result<Self> {
        let (count, driver) = count()?;
        if index >= count {
            let what = match count {
                0 => "the driver shows no GPU".to_string(),
                n => format!("there is no cuda:{index}: the driver shows {n} GPU{}", if n == 1 { "" } else { "s" }),
            };
            return Err(Error::new(ErrorKind::NoDevice, what)
                .remedy("haploom info --devices lists what there is; device=cpu needs none"));
        }
        let description = describe(index, driver)?;
        if !description.is_supported() {
            let (major, minor) = description.capability;
            let what = format!("cuda:{index} ({}) has compute capability {major}.{minor}", description.name);
            return Err(Error::new(ErrorKind::NoDevice, what).remedy("8.0 or more is needed; take device=cpu"));
        }
        let context = CudaContext::new(index).map_err(failed("opening the device"))?;
        // SAFETY: all work is on one stream, in order, and memory is given back on that stream; copies on the other one are
        // ordered by events of their own, and keep their memory until they have come.
        unsafe { context.disable_event_tracking() };
        let stream = || context.new_stream().map_err(failed("making a stream"));
        keep_memory(&context);
        let inner = Inner {
            turns: Turns::default(),
            graphs: Graphs::default(),
            recording: Recording::default(),
            kernels: Kernels::new(context.clone(), description.capability),
            scratch: Mutex::default(),
            parts: Mutex::default(),
            landing: Landing::default(),
            copies: stream()?,
            stream: stream()?,
            context,
            description,
        };
        Ok(Cuda { inner: Arc::new(inner), threads })
    }

    /// What is known of it.
    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// Bytes of memory that nobody has taken; all of it where the driver does not say.
    pub fn free_memory(&self) -> usize {
        self.inner.context.mem_get_info().map_or(self.inner.description.memory, |(free, _)| free)
    }

    /// Threads for what the processor does meanwhile.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Has this thread alone ask the device for something until what comes back is dropped.
    fn turn(&self) -> Turn<'_> {
        self.inner.turns.take()
    }

    fn stream(&self) -> &Arc<CudaStream> {
        &self.inner.stream
    }

    /// Waits until all that was asked for is done.
    ///
    /// # Errors
    /// `DeviceFailed`: what went wrong meanwhile.
    pub fn finish(&self) -> Result<()> {
        let _turn = self.turn();
        self.stream().synchronize().map_err(failed("computing"))
    }
}
