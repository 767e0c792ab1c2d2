//! Memory of a device, and matrices in it.

use super::cuda::{Arriving, Memory};
use super::{Device, cuda};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::bits::BitMatrix;
use std::borrow::Cow;

/// Columns of a matrix in the processor's memory are padded to a multiple of this, which is also the width of a tile.
pub const PANEL: usize = 64;

/// Memory of a device.
#[derive(Debug)]
pub enum Buffer<T> {
    /// Memory of the processor.
    Cpu(Vec<T>),
    /// Memory of a GPU.
    Cuda(Memory),
}

/// `n` zeros in the processor's memory.
fn host_zeros<T: Copy + Default>(n: usize) -> Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(n).map_err(|_| {
        let bytes = n as f64 * size_of::<T>() as f64;
        Error::new(ErrorKind::OutOfMemory, format!("no memory for {:.1} MiB", bytes / (1 << 20) as f64))
    })?;
    values.resize(n, T::default());
    Ok(values)
}

fn elsewhere() -> Error {
    Error::new(ErrorKind::Internal, "an operation met memory of another device")
}

impl<T: Copy + Default> Buffer<T> {
    /// `n` zeros on a device.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn zeros(device: &Device, n: usize) -> Result<Self> {
        match device {
            Device::Cpu(_) => Ok(Buffer::Cpu(host_zeros(n)?)),
            Device::Cuda(cuda) => Ok(Buffer::Cuda(cuda.zeros(n * size_of::<T>())?)),
        }
    }

    /// These values on a device.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn upload(device: &Device, values: Vec<T>) -> Result<Self> {
        match device {
            Device::Cpu(_) => Ok(Buffer::Cpu(values)),
            Device::Cuda(cuda) => Ok(Buffer::Cuda(cuda.upload(&values)?)),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Buffer::Cpu(values) => values.len(),
            Buffer::Cuda(memory) => memory.bytes() / size_of::<T>(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values, copied to the processor's memory where they are not there.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceFailed`.
    pub fn to_host(&self) -> Result<Cow<'_, [T]>> {
        match self {
            Buffer::Cpu(values) => Ok(Cow::Borrowed(values)),
            Buffer::Cuda(memory) => {
                let mut values = host_zeros(self.len())?;
                memory.download(&mut values)?;
                Ok(Cow::Owned(values))
            }
        }
    }

    /// A copy on the same device.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn copy(&self) -> Result<Self> {
        match self {
            Buffer::Cpu(values) => {
                let mut copied = host_zeros(values.len())?;
                copied.copy_from_slice(values);
                Ok(Buffer::Cpu(copied))
            }
            Buffer::Cuda(memory) => Ok(Buffer::Cuda(memory.copy()?)),
        }
    }

    /// The values in the processor's memory.
    pub(super) fn cpu(&self) -> Result<&[T]> {
        match self {
            Buffer::Cpu(values) => Ok(values),
            Buffer::Cuda(_) => Err(elsewhere()),
        }
    }

    /// The values in the processor's memory, for writing.
    pub(super) fn cpu_mut(&mut self) -> Result<&mut [T]> {
        match self {
            Buffer::Cpu(values) => Ok(values),
            Buffer::Cuda(_) => Err(elsewhere()),
        }
    }

    /// The values in a GPU's memory.
    pub(crate) fn cuda(&self) -> Result<&Memory> {
        match self {
            Buffer::Cpu(_) => Err(elsewhere()),
            Buffer::Cuda(memory) => Ok(memory),
        }
    }

    /// The values in a GPU's memory, for writing.
    pub(super) fn cuda_mut(&mut self) -> Result<&mut Memory> {
        match self {
            Buffer::Cpu(_) => Err(elsewhere()),
            Buffer::Cuda(memory) => Ok(memory),
        }
    }
}

/// Rows x columns on a device, row by row; rows are padded with zeros.
#[derive(Debug)]
pub struct Matrix<T> {
    rows: usize,
    columns: usize,
    stride: usize,
    pub(super) buffer: Buffer<T>,
}

/// Rows of a matrix in the processor's memory.
#[derive(Debug)]
pub struct Rows<'a, T: Clone> {
    values: Cow<'a, [T]>,
    columns: usize,
    stride: usize,
}

impl<T: Clone> Rows<'_, T> {
    /// Row `r`.
    pub fn row(&self, r: usize) -> &[T] {
        &self.values[r * self.stride..][..self.columns]
    }

    /// All rows, one after another, with `stride` numbers each: what is past the columns is 0.
    pub fn padded(&self) -> (&[T], usize) {
        (&self.values, self.stride)
    }
}

/// A number that matrices hold.
pub trait Number: Copy + Default {
    /// Numbers in a GPU's memory as numbers: states lie there as bits where these are enough.
    fn whole(memory: &Memory, numbers: usize) -> Result<Vec<Self>>;
    /// Memory of a GPU for so many zeros.
    fn cuda_zeros(cuda: &cuda::Cuda, numbers: usize) -> Result<Memory>;
}

impl Number for i32 {
    fn whole(memory: &Memory, numbers: usize) -> Result<Vec<Self>> {
        let mut values = host_zeros(numbers)?;
        memory.download(&mut values)?;
        Ok(values)
    }

    fn cuda_zeros(cuda: &cuda::Cuda, numbers: usize) -> Result<Memory> {
        cuda.zeros(numbers * size_of::<i32>())
    }
}

impl Number for i16 {
    fn whole(memory: &Memory, numbers: usize) -> Result<Vec<Self>> {
        let mut values = host_zeros(numbers)?;
        if !memory.holds_bits() {
            memory.download(&mut values)?;
            return Ok(values);
        }
        let mut words = host_zeros::<u64>(numbers / 64)?;
        memory.download(&mut words)?;
        for (states, word) in values.chunks_exact_mut(64).zip(words) {
            states.iter_mut().enumerate().for_each(|(c, state)| *state = (word >> c & 1) as i16);
        }
        Ok(values)
    }

    fn cuda_zeros(cuda: &cuda::Cuda, numbers: usize) -> Result<Memory> {
        cuda.zeros(numbers / 8).map(Memory::of_bits)
    }
}

impl<T: Number> Matrix<T> {
    /// All zeros.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn zeros(device: &Device, rows: usize, columns: usize) -> Result<Self> {
        let stride = columns.next_multiple_of(match device {
            Device::Cpu(_) => PANEL,
            Device::Cuda(_) => cuda::PADDED,
        });
        let n = rows.checked_mul(stride).ok_or_else(|| {
            Error::new(ErrorKind::OutOfMemory, format!("{rows} x {columns} numbers exceed the address space"))
        })?;
        let buffer = match device {
            Device::Cpu(_) => Buffer::Cpu(host_zeros(n)?),
            Device::Cuda(cuda) => Buffer::Cuda(T::cuda_zeros(cuda, n)?),
        };
        Ok(Matrix { rows, columns, stride, buffer })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Distance of two rows in memory.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The rows, copied to the processor's memory where they are not there.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceFailed`.
    pub fn to_host(&self) -> Result<Rows<'_, T>> {
        let values = match &self.buffer {
            Buffer::Cpu(values) => Cow::Borrowed(values.as_slice()),
            Buffer::Cuda(memory) => Cow::Owned(T::whole(memory, self.rows * self.stride)?),
        };
        Ok(Rows { values, columns: self.columns, stride: self.stride })
    }

    /// Writes the rows: `write(r, row)` gets row `r`, which holds what it held in the processor's memory and zeros where
    /// the matrix lies elsewhere.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceFailed`.
    pub fn write_rows(&mut self, mut write: impl FnMut(usize, &mut [T])) -> Result<()> {
        let (stride, columns) = (self.stride, self.columns);
        let mut write_all = |values: &mut [T]| {
            values.chunks_exact_mut(stride.max(1)).enumerate().for_each(|(r, row)| write(r, &mut row[..columns]));
        };
        match &mut self.buffer {
            Buffer::Cpu(values) => {
                write_all(values);
                Ok(())
            }
            Buffer::Cuda(memory) => {
                let mut values = host_zeros(self.rows * stride)?;
                write_all(&mut values);
                *memory = memory.device().upload(&values)?;
                Ok(())
            }
        }
    }

    /// A copy on the same device.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn copy(&self) -> Result<Self> {
        Ok(Matrix { rows: self.rows, columns: self.columns, stride: self.stride, buffer: self.buffer.copy()? })
    }
}

/// Bits that were sent.
#[derive(Debug)]
pub enum Sent {
    /// They are there.
    Here(BitMatrix),
    /// They are on their way.
    Arriving {
        /// The copy.
        arriving: Arriving,
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Columns with padding.
        stride: usize,
    },
}

impl Sent {
    /// Waits for them.
    ///
    /// # Errors
    /// `OutOfMemory`; `DeviceFailed`: what went wrong in all that was asked for before.
    pub fn bits(self) -> Result<BitMatrix> {
        match self {
            Sent::Here(bits) => Ok(bits),
            Sent::Arriving { arriving, rows, columns, stride } => {
                let mut bits = BitMatrix::zeros(rows, columns)?;
                arriving.words(|words| {
                    for (r, words) in words.chunks_exact((stride / 64).max(1)).enumerate() {
                        let row = bits.row_mut(r);
                        row.copy_from_slice(&words[..row.len()]);
                    }
                })?;
                Ok(bits)
            }
        }
    }
}

/// States of units: a row a chain, a column a unit.
pub type States = Matrix<i16>;

impl States {
    /// Takes the rows `rows` of packed bits as states 0 and 1.
    ///
    /// # Errors
    /// `InvalidArgument` if the shapes disagree; `DeviceFailed`.
    pub fn unpack(&mut self, bits: &BitMatrix, rows: &[usize]) -> Result<()> {
        if rows.len() != self.rows || bits.columns() != self.columns || rows.iter().any(|r| *r >= bits.rows()) {
            return Err(Error::argument("shapes of bits and states disagree"));
        }
        let stride = self.stride;
        match &mut self.buffer {
            Buffer::Cpu(states) => {
                for (states, r) in states.chunks_exact_mut(stride.max(1)).zip(rows) {
                    for (states, word) in states.chunks_exact_mut(64).zip(bits.row(*r)) {
                        for (c, state) in states.iter_mut().enumerate() {
                            *state = (word >> c & 1) as i16;
                        }
                    }
                }
                Ok(())
            }
            Buffer::Cuda(memory) => {
                let mut words = host_zeros::<u64>(rows.len() * stride / 64)?;
                for (words, r) in words.chunks_exact_mut((stride / 64).max(1)).zip(rows) {
                    let source = bits.row(*r);
                    words[..source.len()].copy_from_slice(source);
                }
                *memory = memory.device().upload(&words)?.of_bits();
                Ok(())
            }
        }
    }

    /// Packs states 0 and 1 into bits.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceFailed`.
    pub fn pack(&self) -> Result<BitMatrix> {
        let mut bits = BitMatrix::zeros(self.rows, self.columns)?;
        match &self.buffer {
            Buffer::Cpu(states) => {
                for (r, states) in states.chunks_exact(self.stride.max(1)).enumerate() {
                    for (word, states) in bits.row_mut(r).iter_mut().zip(states.chunks_exact(64)) {
                        *word = states.iter().enumerate().fold(0, |w, (c, s)| w | ((*s as u64) & 1) << c);
                    }
                }
            }
            Buffer::Cuda(memory) if memory.holds_bits() => {
                let mut words = host_zeros::<u64>(self.rows * self.stride / 64)?;
                memory.download(&mut words)?;
                for (r, words) in words.chunks_exact((self.stride / 64).max(1)).enumerate() {
                    let row = bits.row_mut(r);
                    row.copy_from_slice(&words[..row.len()]);
                }
            }
            Buffer::Cuda(_) => return Err(Error::new(ErrorKind::Internal, "numbers are packed as if they were bits")),
        }
        Ok(bits)
    }

    /// Has states 0 and 1 packed and brought to the processor's memory, while their device goes on with other work.
    ///
    /// # Errors
    /// `OutOfMemory`, `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn send(self) -> Result<Sent> {
        match self.buffer {
            Buffer::Cuda(memory) if memory.holds_bits() => {
                let device = memory.device().clone();
                let arriving = device.send(memory)?;
                Ok(Sent::Arriving { arriving, rows: self.rows, columns: self.columns, stride: self.stride })
            }
            _ => Ok(Sent::Here(self.pack()?)),
        }
    }

    /// Sum of each column.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceFailed`.
    pub fn column_sums(&self) -> Result<Vec<i64>> {
        if let Buffer::Cuda(memory) = &self.buffer {
            let sums = memory.device().column_sums(self)?;
            let mut values = vec![0i64; self.columns];
            sums.download(&mut values)?;
            return Ok(values);
        }
        let rows = self.to_host()?;
        let mut sums = vec![0i64; self.columns];
        for r in 0..self.rows {
            sums.iter_mut().zip(rows.row(r)).for_each(|(sum, s)| *sum += i64::from(*s));
        }
        Ok(sums)
    }
}
