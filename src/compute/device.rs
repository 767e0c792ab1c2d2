//! Where operations run.

use super::{cpu, cuda};
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

    /// Rows that operations are given at a time, at most, if there are so many: enough to keep the device busy, and few
    /// enough for its caches or, at `bytes` bytes a row, for a quarter of its memory.
    pub fn rows_at_a_time(&self, bytes: usize) -> usize {
        match self {
            Device::Cpu(_) => 480,
            Device::Cuda(cuda) => {
                let room = cuda.description().memory / 4 / bytes.max(1);
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
            DeviceChoice::Auto => {
                let usable = cuda::devices().ok().into_iter().flatten().find(|d| d.is_supported());
                let opened = usable.and_then(|d| cuda::Cuda::open(d.index, threads.clone()).ok());
                Ok(opened.map_or_else(|| Device::cpu(threads.clone()), Device::Cuda))
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
            _ => text.strip_prefix("cuda:").and_then(number).map(DeviceChoice::Cuda),
        }
        .ok_or_else(|| {
            Error::new(ErrorKind::InvalidOption, format!("there is no device {text}"))
                .remedy("it is cpu, cuda, cuda:NUMBER or auto")
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(index) => write!(f, "cuda:{index}"),
            DeviceChoice::Auto => f.write_str("auto"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        for choice in [DeviceChoice::Cpu, DeviceChoice::Cuda(0), DeviceChoice::Cuda(3), DeviceChoice::Auto] {
            assert_eq!(choice.to_string().parse::<DeviceChoice>().unwrap(), choice);
        }
        assert_eq!("cuda".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(0));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:99999", "CPU"] {
            assert_eq!(wrong.parse::<DeviceChoice>().unwrap_err().kind(), ErrorKind::InvalidOption, "{wrong}");
        }
    }
}
