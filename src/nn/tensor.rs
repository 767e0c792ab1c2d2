//! Activations of a layer, and the memory that passes use again and again.

use crate::compute::cuda::{self, Activations, Cuda, Each, Memory};
use crate::compute::real::{Product, Real, Scratch, product, wide};
use crate::compute::{Buffer, Device};
use crate::error::{ErrorKind, Result};
use crate::threads::Threads;
use std::borrow::Cow;

/// Numbers a task of elementwise work.
pub const PIECE: usize = 1 << 15;

/// Activations: channels x samples x positions.
///
/// A channel is a row of all samples one after another. Where there is more than one position, a zero follows each
/// sample, so that a kernel of three that stands at an end reads zeros instead of its neighbour. One more zero stands
/// before and after all rows.
///
/// Its numbers lie where the [`Workspace`] that made it works: in the processor's memory, or in a GPU's. What gives slices is
/// for the former.
#[derive(Debug)]
pub struct Tensor<T> {
    /// Channels; for a dense layer its units.
    pub channels: usize,
    /// Samples of a batch.
    pub samples: usize,
    /// Positions along the genome; 1 for a dense layer.
    pub length: usize,
    values: Buffer<T>,
}

/// Zeros before the first row.
pub const LEAD: usize = cuda::LEAD;

impl<T: Real> Tensor<T> {
    /// Positions of a sample, and the zero after them.
    pub fn segment(&self) -> usize {
        self.length + usize::from(self.length > 1)
    }

    /// Numbers of a channel, zeros included.
    pub fn row(&self) -> usize {
        self.samples * self.segment()
    }

    /// Where channel `c` begins in [`Tensor::all`].
    pub fn begins(&self, c: usize) -> usize {
        LEAD + c * self.row()
    }

    /// Numbers of all channels, zeros between samples included.
    fn count(&self) -> usize {
        self.channels * self.row()
    }

    /// All numbers, zeros between samples included.
    ///
    /// # Panics
    /// If they lie in a GPU's memory, as everything here that gives slices.
    pub fn all(&self) -> &[T] {
        match &self.values {
            Buffer::Cpu(values) => values,
            Buffer::Cuda(_) => unreachable!("a GPU's tensor is read by operations"),
        }
    }

    /// All numbers. Zeros between samples have to stay.
    pub fn all_mut(&mut self) -> &mut [T] {
        match &mut self.values {
            Buffer::Cpu(values) => values,
            Buffer::Cuda(_) => unreachable!("a GPU's tensor is written by operations"),
        }
    }

    /// A channel, zeros included.
    pub fn channel(&self, c: usize) -> &[T] {
        &self.all()[self.begins(c)..][..self.row()]
    }

    /// All channels without the zeros before and after them.
    pub fn rows_mut(&mut self) -> &mut [T] {
        let end = LEAD + self.count();
        &mut self.all_mut()[LEAD..end]
    }

    /// All channels without the zeros before and after them.
    pub fn rows(&self) -> &[T] {
        &self.all()[LEAD..][..self.count()]
    }

    /// All channels without the zeros before and after them, copied to the processor's memory where they are not there.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceFailed`.
    pub fn to_host(&self) -> Result<Cow<'_, [T]>> {
        Ok(match self.values.to_host()? {
            Cow::Borrowed(_) => Cow::Borrowed(self.rows()),
            Cow::Owned(mut values) => {
                values.truncate(LEAD + self.count());
                Cow::Owned(values.split_off(LEAD))
            }
        })
    }

    /// The tensor in a GPU's memory.
    pub(crate) fn on_gpu(&self) -> Result<Activations<'_>> {
        let (channels, samples, length) = (self.channels, self.samples, self.length);
        Ok(Activations { memory: self.values.cuda()?, channels, samples, length })
    }

    /// The positions of a channel of a sample.
    pub fn positions(&self, c: usize, n: usize) -> &[T] {
        &self.all()[self.begins(c) + n * self.segment()..][..self.length]
    }

    /// The positions of a channel of a sample.
    pub fn positions_mut(&mut self, c: usize, n: usize) -> &mut [T] {
        let (begin, length) = (self.begins(c) + n * self.segment(), self.length);
        &mut self.all_mut()[begin..][..length]
    }

    /// Puts the zeros between samples back after work that went over them.
    pub fn close_gaps(&mut self) {
        if self.length > 1 {
            let segment = self.segment();
            self.rows_mut().chunks_exact_mut(segment).for_each(|sample| sample[segment - 1] = T::default());
        }
    }
}

/// Where passes run, and memory that is used again: fresh pages for every pass would cost as much as the arithmetic.
#[derive(Debug)]
pub struct Workspace<T> {
    threads: Threads,
    free: Vec<Vec<T>>,
    scratch: Scratch,
    cuda: Option<Cuda>,
    /// Memory of tensors on a GPU, the zeros before and after all rows in place.
    tensors: Vec<Memory>,
}

/// What is done to each number of a tensor, or to each pair of numbers of two. The names with `Back` take a gradient and what the
/// layer gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Elementwise {
    /// x above 0, and this times x below.
    Leaky(f64),
    Tanh,
    Logistic,
    Sum,
    Product,
    LeakyBack(f64),
    TanhBack,
    LogisticBack,
    /// What second derivatives of tanh send back, from products of gradients and tangents.
    TanhBent,
    LogisticBent,
}

impl Elementwise {
    fn on_gpu(self) -> (Each, f32) {
        match self {
            Elementwise::Leaky(slope) => (Each::Leaky, slope as f32),
            Elementwise::Tanh => (Each::Tanh, 1.0),
            Elementwise::Logistic => (Each::Logistic, 1.0),
            Elementwise::Sum => (Each::Sum, 1.0),
            Elementwise::Product => (Each::Product, 1.0),
            Elementwise::LeakyBack(slope) => (Each::LeakyBack, slope as f32),
            Elementwise::TanhBack => (Each::TanhBack, 1.0),
            Elementwise::LogisticBack => (Each::LogisticBack, 1.0),
            Elementwise::TanhBent => (Each::TanhBent, 1.0),
            Elementwise::LogisticBent => (Each::LogisticBent, 1.0),
        }
    }
}

impl Workspace<f32> {
    /// On a device, without memory yet. Networks and gradients that it works with have to be placed there.
    pub fn on(device: &Device) -> Self {
        let cuda = match device {
            Device::Cpu(_) => None,
            Device::Cuda(cuda) => Some(cuda.clone()),
        };
        Workspace { cuda, ..Workspace::new(device.threads().clone()) }
    }
}

impl<T: Real> Workspace<T> {
    /// On the processor, without memory yet.
    pub fn new(threads: Threads) -> Self {
        Workspace { threads, free: Vec::new(), scratch: Scratch::default(), cuda: None, tensors: Vec::new() }
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The GPU that it works on, if it does.
    pub(crate) fn cuda(&self) -> Option<Cuda> {
        self.cuda.clone()
    }

    /// The threads for elementwise work on so many numbers: what is little is done before others have woken.
    pub fn threads_for(&self, numbers: usize) -> Threads {
        if numbers <= PIECE { Threads::single() } else { self.threads.clone() }
    }

    /// A product of factors: see [`product`].
    ///
    /// # Errors
    /// `OutOfMemory`; the threads could not be started.
    pub fn product(&mut self, of: &Product<T>, out: &mut [T]) -> Result<()> {
        product(&self.threads, &mut self.scratch, of, out)
    }

    /// `length` numbers of any value, in the processor's memory.
    pub fn numbers(&mut self, length: usize) -> Vec<T> {
        let fits = (0..self.free.len()).filter(|i| self.free[*i].capacity() >= length);
        let best = fits.min_by_key(|i| self.free[*i].capacity());
        let mut numbers = best.map(|i| self.free.swap_remove(i)).unwrap_or_default();
        numbers.resize(length, T::default());
        numbers
    }

    /// Takes numbers back.
    pub fn give(&mut self, numbers: Vec<T>) {
        self.free.push(numbers);
    }

    /// Takes a tensor back.
    pub fn give_tensor(&mut self, tensor: Tensor<T>) {
        match tensor.values {
            Buffer::Cpu(values) => self.free.push(values),
            Buffer::Cuda(memory) => self.tensors.push(memory),
        }
    }

    /// Memory of a GPU for so many numbers, of which the first and the last are 0.
    fn device_numbers(&mut self, cuda: &Cuda, total: usize) -> Result<Memory> {
        let bytes = total * size_of::<T>();
        // Of the same length alone: only there are the zeros where they belong.
        if let Some(i) = self.tensors.iter().position(|memory| memory.bytes() == bytes) {
            return Ok(self.tensors.swap_remove(i));
        }
        match cuda.zeros(bytes) {
            Err(e) if e.kind() == ErrorKind::OutOfDeviceMemory && !self.tensors.is_empty() => {
                self.tensors.clear();
                cuda.zeros(bytes)
            }
            other => other,
        }
    }

    /// A tensor of any values, zeros before and after all rows alone.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn tensor(&mut self, channels: usize, samples: usize, length: usize) -> Result<Tensor<T>> {
        let Some(cuda) = self.cuda() else { return Ok(self.host_tensor(channels, samples, length)) };
        let row = samples * (length + usize::from(length > 1));
        let values = Buffer::Cuda(self.device_numbers(&cuda, channels * row + 2 * LEAD)?);
        Ok(Tensor { channels, samples, length, values })
    }

    /// The same in the processor's memory, to be written there and then given to [`Workspace::placed`].
    pub fn host_tensor(&mut self, channels: usize, samples: usize, length: usize) -> Tensor<T> {
        let row = samples * (length + usize::from(length > 1));
        let total = channels * row + 2 * LEAD;
        let mut values = self.numbers(total);
        values[..LEAD].fill(T::default());
        values[total - LEAD..].fill(T::default());
        Tensor { channels, samples, length, values: Buffer::Cpu(values) }
    }

    /// A tensor of zeros.
    ///
    /// # Errors
    /// As [`Workspace::tensor`].
    pub fn zeros(&mut self, channels: usize, samples: usize, length: usize) -> Result<Tensor<T>> {
        let mut tensor = self.tensor(channels, samples, length)?;
        match &mut tensor.values {
            Buffer::Cpu(values) => values.fill(T::default()),
            Buffer::Cuda(memory) => memory.clear()?,
        }
        Ok(tensor)
    }

    /// A tensor of zeros in the processor's memory.
    pub fn host_zeros(&mut self, channels: usize, samples: usize, length: usize) -> Tensor<T> {
        let mut tensor = self.host_tensor(channels, samples, length);
        tensor.all_mut().fill(T::default());
        tensor
    }

    /// A tensor that was written in the processor's memory, where the workspace works.
    ///
    /// # Errors
    /// As [`Workspace::tensor`].
    pub fn placed(&mut self, tensor: Tensor<T>) -> Result<Tensor<T>> {
        if self.cuda.is_none() {
            return Ok(tensor);
        }
        let mut out = self.tensor(tensor.channels, tensor.samples, tensor.length)?;
        if let Buffer::Cuda(memory) = &mut out.values {
            memory.write(tensor.all())?;
        }
        self.give_tensor(tensor);
        Ok(out)
    }

    /// A copy.
    ///
    /// # Errors
    /// As [`Workspace::tensor`].
    pub fn copy(&mut self, of: &Tensor<T>) -> Result<Tensor<T>> {
        let mut tensor = self.tensor(of.channels, of.samples, of.length)?;
        match (&mut tensor.values, &of.values) {
            (Buffer::Cuda(memory), Buffer::Cuda(source)) => memory.copy_from(source)?,
            (Buffer::Cpu(_), _) => tensor.all_mut().copy_from_slice(of.all()),
            (Buffer::Cuda(memory), Buffer::Cpu(_)) => memory.write(of.all())?,
        }
        Ok(tensor)
    }

    /// A tensor of what is done to each number of `a`, and of `b` where it is done to pairs. Gaps are closed.
    pub(crate) fn each(&mut self, what: Elementwise, a: &Tensor<T>, b: Option<&Tensor<T>>) -> Result<Tensor<T>> {
        let Some(cuda) = self.cuda() else {
            let one = T::of(1.0);
            let b = b.unwrap_or(a);
            return match what {
                Elementwise::Leaky(slope) => {
                    let slope = T::of(slope);
                    self.map(a, |x| if x > T::default() { x } else { slope * x })
                }
                Elementwise::Tanh => self.map(a, T::tanh),
                Elementwise::Logistic => {
                    let mut out = self.map(a, T::logistic)?;
                    out.close_gaps();
                    Ok(out)
                }
                Elementwise::Sum => self.zip(a, b, |a, b| a + b),
                Elementwise::Product => self.zip(a, b, |a, b| a * b),
                Elementwise::LeakyBack(slope) => {
                    let slope = T::of(slope);
                    self.zip(a, b, |d, y| if y > T::default() { d } else { slope * d })
                }
                Elementwise::TanhBack => self.zip(a, b, |d, y| d * (one - y * y)),
                Elementwise::LogisticBack => self.zip(a, b, |d, y| d * y * (one - y)),
                Elementwise::TanhBent => self.zip(a, b, |p, y| -(p + p) * y * (one - y * y)),
                Elementwise::LogisticBent => self.zip(a, b, |p, y| p * y * (one - y) * (one - y - y)),
            };
        };
        let out = self.tensor(a.channels, a.samples, a.length)?;
        let (which, slope) = what.on_gpu();
        cuda.each(which, a.on_gpu()?, b.map(Tensor::on_gpu).transpose()?, slope, out.on_gpu()?)?;
        if what == Elementwise::Logistic {
            cuda.close_gaps(out.on_gpu()?)?;
        }
        Ok(out)
    }

    /// LeakyReLU of numbers where they lie; with `of`, that of the gradient `x` of what a LeakyReLU gave.
    pub(crate) fn leaky_in_place(&mut self, slope: f64, x: &mut Tensor<T>, of: Option<&Tensor<T>>) -> Result<()> {
        if let Some(cuda) = self.cuda() {
            let (which, b) = match of {
                None => (Each::Leaky, None),
                Some(y) => (Each::LeakyBack, Some(y.on_gpu()?)),
            };
            return cuda.each(which, x.on_gpu()?, b, slope as f32, x.on_gpu()?);
        }
        let slope = T::of(slope);
        let threads = self.threads.clone();
        match of {
            None => threads.for_each_piece(x.rows_mut(), PIECE, |_, piece| {
                wide(|| piece.iter_mut().for_each(|x| *x = if *x > T::default() { *x } else { slope * *x }));
            }),
            Some(y) => {
                let y = y.rows();
                threads.for_each_piece(x.rows_mut(), PIECE, |piece, delta| {
                    let y = &y[piece * PIECE..];
                    wide(|| {
                        delta.iter_mut().zip(y).for_each(|(d, y)| *d = if *y > T::default() { *d } else { slope * *d })
                    });
                })
            }
        }
    }

    /// A tensor of `f` of each number of `of`; `f` of 0 has to be 0 where there are positions, or gaps are closed.
    fn map(&mut self, of: &Tensor<T>, f: impl Fn(T) -> T + Sync) -> Result<Tensor<T>> {
        let mut out = self.host_tensor(of.channels, of.samples, of.length);
        let source = of.rows();
        self.threads.for_each_piece(out.rows_mut(), PIECE, |i, piece| {
            wide(|| piece.iter_mut().zip(&source[i * PIECE..]).for_each(|(o, x)| *o = f(*x)));
        })?;
        Ok(out)
    }

    /// A tensor of `f` of each pair of numbers.
    fn zip(&mut self, a: &Tensor<T>, b: &Tensor<T>, f: impl Fn(T, T) -> T + Sync) -> Result<Tensor<T>> {
        let mut out = self.host_tensor(a.channels, a.samples, a.length);
        let (left, right) = (a.rows(), b.rows());
        self.threads.for_each_piece(out.rows_mut(), PIECE, |i, piece| {
            let sources = left[i * PIECE..].iter().zip(&right[i * PIECE..]);
            wide(|| piece.iter_mut().zip(sources).for_each(|(o, (a, b))| *o = f(*a, *b)));
        })?;
        Ok(out)
    }

    /// `into += of`.
    ///
    /// # Errors
    /// The threads could not be started; `DeviceFailed`.
    pub fn add(&mut self, into: &mut Tensor<T>, of: &Tensor<T>) -> Result<()> {
        self.add_at(of, into, 0)
    }

    /// Adds the rows of `of` to those of `into` from number `at` on.
    pub(super) fn add_at(&mut self, of: &Tensor<T>, into: &mut Tensor<T>, at: usize) -> Result<()> {
        if let Some(cuda) = self.cuda() {
            return cuda.add_at(of.on_gpu()?, into.on_gpu()?, at);
        }
        let source = of.rows();
        self.threads.for_each_piece(&mut into.rows_mut()[at..][..source.len()], PIECE, |i, piece| {
            wide(|| piece.iter_mut().zip(&source[i * PIECE..]).for_each(|(o, x)| *o += *x));
        })
    }

    /// Channels x positions of each sample as units.
    ///
    /// # Errors
    /// As [`Workspace::tensor`].
    pub fn flattened(&mut self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let mut out = self.tensor(x.channels * x.length, x.samples, 1)?;
        if let Some(cuda) = self.cuda() {
            cuda.flatten(x.on_gpu()?, out.on_gpu()?, false)?;
            return Ok(out);
        }
        for c in 0..x.channels {
            for n in 0..x.samples {
                for (l, value) in x.positions(c, n).iter().enumerate() {
                    out.rows_mut()[(c * x.length + l) * x.samples + n] = *value;
                }
            }
        }
        Ok(out)
    }

    /// Units of each sample as channels x positions.
    ///
    /// # Errors
    /// As [`Workspace::tensor`].
    pub fn folded(&mut self, x: &Tensor<T>, channels: usize, length: usize) -> Result<Tensor<T>> {
        if let Some(cuda) = self.cuda() {
            let out = self.tensor(channels, x.samples, length)?;
            cuda.flatten(x.on_gpu()?, out.on_gpu()?, true)?;
            return Ok(out);
        }
        let mut out = self.zeros(channels, x.samples, length)?;
        for c in 0..channels {
            for n in 0..x.samples {
                for (l, value) in out.positions_mut(c, n).iter_mut().enumerate() {
                    *value = x.rows()[(c * length + l) * x.samples + n];
                }
            }
        }
        Ok(out)
    }

    /// Copies `rows` rows of `width` numbers: from number `from.0` of the source's rows on, `from.1` apart, to number `to.0` of the
    /// target's, `to.1` apart.
    pub(crate) fn copy_across(
        &self,
        source: &Tensor<T>,
        from: (usize, usize),
        target: &mut Tensor<T>,
        to: (usize, usize),
        width: usize,
        rows: usize,
    ) -> Result<()> {
        if let Some(cuda) = self.cuda() {
            return cuda.copy_across(source.on_gpu()?, from, target.on_gpu()?, to, width, rows);
        }
        let (source, target) = (source.rows(), target.rows_mut());
        for row in 0..rows {
            target[to.0 + row * to.1..][..width].copy_from_slice(&source[from.0 + row * from.1..][..width]);
        }
        Ok(())
    }

    /// Numbers of `rows` rows of `columns` each, turned: row c of what comes back is column c.
    pub fn turned(&mut self, values: &[T], rows: usize, columns: usize) -> Result<Vec<T>> {
        const BLOCK: usize = 16;
        let mut out = self.numbers(rows * columns);
        self.threads.for_each_piece(&mut out, BLOCK * rows.max(1), |piece, out| {
            let first = piece * BLOCK;
            let width = (columns - first).min(BLOCK);
            for r0 in (0..rows).step_by(BLOCK) {
                for r in r0..(r0 + BLOCK).min(rows) {
                    let source = &values[r * columns + first..][..width];
                    source.iter().enumerate().for_each(|(c, value)| out[c * rows + r] = *value);
                }
            }
        })?;
        Ok(out)
    }
}
