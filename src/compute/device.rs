//! Where operations run.

use super::{Path, cpu, cuda};
use crate::error::{Error, ErrorKind, Result};
use crate::threads::Threads;
use std::fmt;
use std::str::FromStr;

/// Where operations run. The operations of a device take that device's buffers.
#[derive(Clone, Debug)]
pub enum Device {
    /// The processor.
    Cpu(cpu::Cpu),
    /// A GPU.
    Cuda(cuda::Cuda),
}

impl Device {
    /// The processor, with the best vector path it has.
    pub fn cpu(threads: Threads) -> Self {
        Device::Cpu(cpu::Cpu::new(threads))
    }

    /// Threads of the processor, for what is not done by operations.
    pub fn threads(&self) -> &Threads {
        match self {
            Device::Cpu(cpu) => cpu.threads(),
            Device::Cuda(cuda) => cuda.threads(),
        }
    }

    /// Waits until all that the device was asked for is done.
    ///
    /// # Errors
    /// `DeviceFailed`: what went wrong meanwhile.
    pub fn finish(&self) -> Result<()> {
        match self {
            Device::Cpu(_) => Ok(()),
            Device::Cuda(cuda) => cuda.finish(),
        }
    }

    /// Rows that operations are given at a time, at most, if there are so many: enough to keep the device busy, and few
    /// enough for its caches or, at `bytes` bytes a row, for a quarter of its memory that is free.
    pub fn rows_at_a_time(&self, bytes: usize) -> usize {
        match self {
            Device::Cpu(_) => 480,
            Device::Cuda(cuda) => {
                let room = cuda.free_memory() / 4 / bytes.max(1);
                16_384.min(room / 256 * 256).max(256)
            }
        }
    }
}

/// Which device a call asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The processor. This is the default: a library does not take a GPU that nobody offered.
    #[default]
    Cpu,
    /// A GPU, by its number.
    Cuda(usize),
    /// All GPUs that can be used: haplotypes are made and imputed on all of them, and an RBM's chains are shared out. What runs on
    /// one device takes the first.
    CudaAll,
    /// The first GPU that can be used, or the processor.
    Auto,
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// `NoDriver`, `NoDevice`, `OutOfDeviceMemory`, `DeviceFailed` for a GPU that was asked for by its number.
    pub fn open(self, threads: &Threads) -> Result<Device> {
        match self {
            DeviceChoice::Cpu => Ok(Device::cpu(threads.clone())),
            DeviceChoice::Cuda(index) => Ok(Device::Cuda(cuda::Cuda::open(index, threads.clone())?)),
            DeviceChoice::CudaAll => Ok(Device::Cuda(cuda::Cuda::open(first_usable()?, threads.clone())?)),
            DeviceChoice::Auto => {
                let opened = first_usable().and_then(|index| cuda::Cuda::open(index, threads.clone())).ok();
                Ok(opened.map_or_else(|| Device::cpu(threads.clone()), Device::Cuda))
            }
        }
    }

    /// Opens the device and has what is needed laid out there; where the choice is `auto` and the GPU has no memory for it, on the
    /// processor.
    ///
    /// # Errors
    /// As [`DeviceChoice::open`], and those of the laying out.
    pub fn laid_out<T>(self, threads: &Threads, mut lay_out: impl FnMut(&Device) -> Result<T>) -> Result<(Device, T)> {
        let device = self.open(threads)?;
        match lay_out(&device) {
            Err(e) if self == DeviceChoice::Auto && e.kind() == ErrorKind::OutOfDeviceMemory => {
                let device = Device::cpu(threads.clone());
                lay_out(&device).map(|laid_out| (device, laid_out))
            }
            other => other.map(|laid_out| (device, laid_out)),
        }
    }

    /// Fails for GPUs that are asked for and cannot be had: for work that is the processor's whatever is asked for.
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub fn must_be_there(self, threads: &Threads) -> Result<()> {
        self.open(threads).map(|_| ())
    }

    /// A choice for each device: all GPUs one by one, or the choice itself.
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub fn each(self) -> Result<Vec<DeviceChoice>> {
        if self != DeviceChoice::CudaAll {
            return Ok(vec![self]);
        }
        first_usable()?;
        Ok(usable()?.into_iter().map(DeviceChoice::Cuda).collect())
    }
}

/// Does `work` for each part, all at once: a thread waits for each device. One part is the calling thread's.
///
/// # Errors
/// The first error (by part); all parts have ended then.
pub fn at_once<P: Send, R: Send>(
    parts: impl ExactSizeIterator<Item = P>,
    work: impl Fn(P) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    if parts.len() == 1 {
        return parts.map(work).collect();
    }
    let failed = || Error::new(ErrorKind::Internal, "a thread that waited for a device ended");
    let work = &work;
    std::thread::scope(|scope| {
        // All have begun before one is waited for, and all have ended before one's error is told.
        let begun: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let ended: Vec<_> = begun.into_iter().map(|part| part.join().unwrap_or_else(|_| Err(failed()))).collect();
        ended.into_iter().collect()
    })
}

/// What option `device` takes on this machine, and what each is. Where there is no GPU that can be used a line says why.
pub fn listed() -> Vec<(String, String)> {
    let processor = format!("{}, {} threads", Path::best(), Threads::new(0).count());
    let mut lines = vec![("cpu".to_string(), processor)];
    match cuda::devices() {
        Ok(devices) if devices.is_empty() => lines.push(("cuda".into(), "none: the driver shows no GPU".into())),
        Ok(devices) => lines.extend(devices.iter().enumerate().map(|(index, device)| {
            let what = match device {
                Ok(device) if device.is_supported() => device.to_string(),
                Ok(device) => format!("{device}; not usable: 8.0 or more is needed"),
                Err(e) => format!("not usable: {e}"),
            };
            (format!("cuda:{index}"), what)
        })),
        Err(e) => lines.push(("cuda".into(), format!("none: {e}"))),
    }
    lines
}

/// Numbers of the GPUs that can be used.
fn usable() -> Result<Vec<usize>> {
    Ok(cuda::devices()?.into_iter().flatten().filter(|d| d.is_supported()).map(|d| d.index).collect())
}

/// The number of the first GPU that can be used.
fn first_usable() -> Result<usize> {
    usable()?.first().copied().ok_or_else(|| {
        Error::new(ErrorKind::NoDevice, "the driver shows no GPU that can be used")
            .remedy("haploom info --devices lists what there is; device=cpu needs none")
    })
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu(cpu) => write!(f, "the processor ({})", cpu.path()),
            Device::Cuda(cuda) => {
                let description = cuda.description();
                write!(f, "cuda:{} ({})", description.index, description.name)
            }
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| text.parse().ok().filter(|n| *n < 1024);
        match text {
            "cpu" => Some(DeviceChoice::Cpu),
            "auto" => Some(DeviceChoice::Auto),
            "cuda" => Some(DeviceChoice::Cuda(0)),
            "cuda:all" => Some(DeviceChoice::CudaAll),
            _ => text.strip_prefix("cuda:").and_then(number).map(DeviceChoice::Cuda),
        }
        .ok_or_else(|| {
            Error::new(ErrorKind::InvalidOption, format!("there is no device {text}"))
                .remedy("it is cpu, cuda, cuda:NUMBER, cuda:all or auto")
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(index) => write!(f, "cuda:{index}"),
            DeviceChoice::CudaAll => f.write_str("cuda:all"),
            DeviceChoice::Auto => f.write_str("auto"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        use DeviceChoice::{Auto, Cpu, Cuda, CudaAll};
        for choice in [Cpu, Cuda(0), Cuda(3), CudaAll, Auto] {
            assert_eq!(choice.to_string().parse::<DeviceChoice>().unwrap(), choice);
        }
        assert_eq!("cuda".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(0));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:99999", "CPU"] {
            assert_eq!(wrong.parse::<DeviceChoice>().unwrap_err().kind(), ErrorKind::InvalidOption, "{wrong}");
        }
    }
}
