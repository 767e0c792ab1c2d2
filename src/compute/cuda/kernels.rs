//! The kernels: which PTX a device takes, and how one is launched.

use super::{Cuda, Memory, failed};
use crate::error::{Error, ErrorKind, Result};
use cudarc::driver::{CudaContext, result, sys};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, PoisonError};

/// A file of `cuda/`, compiled ahead.
pub(super) struct Source {
    /// For all devices from compute capability 8.0 on.
    general: &'static str,
    /// For 9.0 alone, where there is one: `wgmma` is in no other.
    hopper: Option<&'static str>,
}

macro_rules! ptx {
    ($name:literal) => {
        include_str!(concat!("../../../cuda/ptx/", $name, ".ptx"))
    };
}

/// One text for both: it is compiled once.
static AFFINE_GENERAL: &str = ptx!("affine.sm_80");
pub(super) static AFFINE: Source = Source { general: AFFINE_GENERAL, hopper: Some(ptx!("affine.sm_90a")) };
/// Its kernels of numbers.
pub(super) static AFFINE_WORDS: Source = Source { general: AFFINE_GENERAL, hopper: Some(ptx!("affine_words.sm_90a")) };
pub(super) static STATES: Source = Source { general: ptx!("states.sm_80"), hopper: None };
pub(super) static LEARNING: Source = Source { general: ptx!("learning.sm_80"), hopper: None };
pub(super) static LAYERS: Source = Source { general: ptx!("layers.sm_80"), hopper: None };
pub(super) static GENERATORS: Source = Source { general: ptx!("generators.sm_80"), hopper: None };
pub(super) static HAMMING: Source = Source { general: ptx!("hamming.sm_80"), hopper: None };

struct Module(sys::CUmodule);

// SAFETY: a module is the driver's own handle, which any thread may use.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

#[derive(Clone, Copy, PartialEq)]
struct Function(sys::CUfunction);

// SAFETY: as for a module, which it is part of.
unsafe impl Send for Function {}

/// Modules and functions that were needed so far.
#[derive(Default)]
struct Loaded {
    modules: HashMap<*const u8, Module>,
    functions: HashMap<&'static str, Function>,
}

// SAFETY: keys are addresses of static text, handles are the driver's.
unsafe impl Send for Loaded {}

/// The kernels of a context, loaded when they are first asked for.
pub(super) struct Kernels {
    context: Arc<CudaContext>,
    hopper: bool,
    loaded: Mutex<Loaded>,
}

impl Drop for Kernels {
    fn drop(&mut self) {
        let bound = self.context.bind_to_thread();
        let loaded = self.loaded.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (_, module) in loaded.modules.drain() {
            if bound.is_ok() {
                // SAFETY: the module was loaded in this context, and its functions are gone with this struct. What goes
                // wrong here has nobody to tell.
                let _ = unsafe { result::module::unload(module.0) };
            }
        }
    }
}

impl Kernels {
    pub(super) fn new(context: Arc<CudaContext>, capability: (i32, i32)) -> Self {
        Kernels { context, hopper: capability == (9, 0), loaded: Mutex::default() }
    }

    /// Whether the kernels of compute capability 9.0 are taken, of those files that have them.
    pub(super) fn hopper(&self) -> bool {
        self.hopper
    }

    fn function(&self, source: &'static Source, name: &'static str, shared: usize) -> Result<Function> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = loaded.functions.get(name) {
            return Ok(*function);
        }
        self.context.bind_to_thread().map_err(failed("taking up the device"))?;
        let text = source.hopper.filter(|_| self.hopper).unwrap_or(source.general);
        let module = match loaded.modules.get(&text.as_ptr()) {
            Some(module) => module.0,
            None => {
                let image = CString::new(text).map_err(|_| Error::new(ErrorKind::Internal, "PTX holds a zero"))?;
                // SAFETY: the image is text that ends in a zero.
                let module = unsafe { result::module::load_data(image.as_ptr().cast()) }
                    .map_err(failed("having the driver compile kernels"))?;
                loaded.modules.insert(text.as_ptr(), Module(module));
                module
            }
        };
        let symbol = CString::new(name).map_err(|_| Error::new(ErrorKind::Internal, "a kernel's name holds a zero"))?;
        // SAFETY: the module is loaded.
        let function = unsafe { result::module::get_function(module, symbol) }.map_err(failed(name))?;
        if shared > 48 << 10 {
            let which = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function is the module's.
            unsafe { result::function::set_function_attribute(function, which, shared as i32) }
                .map_err(failed(name))?;
        }
        loaded.functions.insert(name, Function(function));
        Ok(Function(function))
    }
}

/// An argument, where the driver reads it.
#[derive(Clone, Copy, PartialEq)]
#[repr(C, align(8))]
struct Slot([u8; 128]);

/// Arguments of a launch, in the kernel's order.
#[derive(Default, PartialEq)]
pub(super) struct Arguments(Vec<Slot>);

impl Arguments {
    /// A number or a struct, as it lies.
    pub(super) fn value<T: Copy>(mut self, value: T) -> Self {
        const { assert!(size_of::<T>() <= 128 && align_of::<T>() <= 8) };
        let mut slot = Slot([0; 128]);
        // SAFETY: the slot is as large and as aligned as the value, as was asserted.
        unsafe { slot.0.as_mut_ptr().cast::<T>().write(value) };
        self.0.push(slot);
        self
    }

    /// The address of memory.
    pub(super) fn memory(self, memory: &Memory) -> Self {
        self.value(memory.address())
    }

    /// The address of memory, or null.
    pub(super) fn maybe(self, memory: Option<&Memory>) -> Self {
        self.value(memory.map_or(0, Memory::address))
    }
}

/// Blocks of a grid and threads of a block.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Grid {
    pub blocks: (usize, usize),
    pub threads: usize,
    /// Bytes of dynamic shared memory.
    pub shared: usize,
}

impl Grid {
    /// Threads for each of so many numbers; a thread takes several where there are very many.
    pub(super) fn over(numbers: usize) -> Self {
        Grid::of(256, numbers)
    }

    /// The same by blocks of so many threads.
    pub(super) fn of(threads: usize, numbers: usize) -> Self {
        Grid { blocks: (numbers.div_ceil(threads).clamp(1, 1 << 20), 1), threads, shared: 0 }
    }
}

/// A launch that is kept instead of being made.
#[derive(PartialEq)]
pub(super) struct Recorded {
    name: &'static str,
    function: Function,
    grid: Grid,
    arguments: Arguments,
}

/// Launches that are being kept, and the address at which their random numbers' position stands.
#[derive(Default)]
pub(super) struct Recording(Mutex<Option<(u64, Vec<Recorded>)>>);

/// Launches are being kept; whatever happens meanwhile, they are not once this is gone.
pub(super) struct Kept<'a>(&'a Cuda);

impl Kept<'_> {
    /// Those that were kept.
    pub(super) fn launches(self) -> Vec<Recorded> {
        self.0.recording().take().map(|(_, launches)| launches).unwrap_or_default()
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        *self.0.recording() = None;
    }
}

impl Cuda {
    /// Until what comes back is dropped launches are kept; their random numbers are counted from the position at this address
    /// on.
    pub(super) fn record_from(&self, position: u64) -> Kept<'_> {
        *self.recording() = Some((position, Vec::new()));
        Kept(self)
    }

    /// The address of a position to add to random numbers' own, or null.
    pub(super) fn moved(&self) -> u64 {
        self.recording().as_ref().map_or(0, |(position, _)| *position)
    }

    fn recording(&self) -> std::sync::MutexGuard<'_, Option<(u64, Vec<Recorded>)>> {
        self.inner.recording.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_hopper(&self) -> bool {
        self.inner.kernels.hopper()
    }

    /// Launches a kernel on the stream, or keeps the launch while launches are recorded.
    ///
    /// # Safety
    /// `arguments` are those that the kernel takes, and lengths of memory those that it reads and writes.
    pub(super) unsafe fn launch(
        &self,
        source: &'static Source,
        name: &'static str,
        grid: Grid,
        arguments: Arguments,
    ) -> Result<()> {
        let _turn = self.turn();
        let function = self.inner.kernels.function(source, name, grid.shared)?;
        let launch = Recorded { name, function, grid, arguments };
        if let Some((_, launches)) = &mut *self.recording() {
            launches.push(launch);
            return Ok(());
        }
        // SAFETY: the caller's.
        unsafe { self.launch_recorded(&launch) }
    }

    /// Makes a launch.
    ///
    /// # Safety
    /// As for [`Cuda::launch`], whose arguments it holds.
    pub(super) unsafe fn launch_recorded(&self, launch: &Recorded) -> Result<()> {
        let Recorded { name, function, grid, arguments } = launch;
        let mut slots = arguments.0.clone();
        let mut places: Vec<*mut c_void> = slots.iter_mut().map(|slot| std::ptr::from_mut(slot).cast()).collect();
        let (x, y) = grid.blocks;
        let (Ok(x), Ok(y)) = (i32::try_from(x), u16::try_from(y)) else {
            return Err(Error::new(
                ErrorKind::OutOfDeviceMemory,
                format!("{x} x {y} blocks are more than a GPU takes"),
            )
            .remedy("lower chains or batch"));
        };
        self.inner.context.bind_to_thread().map_err(failed("taking up the device"))?;
        // SAFETY: the caller's; `places` has an address for each argument.
        unsafe {
            result::launch_kernel(
                function.0,
                (x as u32, u32::from(y), 1),
                (grid.threads as u32, 1, 1),
                grid.shared as u32,
                self.stream().cu_stream(),
                &mut places,
            )
        }
        .map_err(failed(name))
    }
}
