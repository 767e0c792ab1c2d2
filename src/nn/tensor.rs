//! Activations of a layer, and the memory that passes use again and again.

use crate::compute::real::{Product, Real, Scratch, product, wide};
use crate::error::Result;
use crate::threads::Threads;

/// Numbers a task of elementwise work.
pub const PIECE: usize = 1 << 15;

/// Activations: channels x samples x positions.
///
/// A channel is a row of all samples one after another. Where there is more than one position, a zero follows each
/// sample, so that a kernel of three that stands at an end reads zeros instead of its neighbour. One more zero stands
/// before and after all rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<T> {
    /// Channels; for a dense layer its units.
    pub channels: usize,
    /// Samples of a batch.
    pub samples: usize,
    /// Positions along the genome; 1 for a dense layer.
    pub length: usize,
    values: Vec<T>,
}

/// Zeros before the first row.
pub const LEAD: usize = 1;

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

    /// All numbers, zeros between samples included.
    pub fn all(&self) -> &[T] {
        &self.values
    }

    /// All numbers. Zeros between samples have to stay.
    pub fn all_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// A channel, zeros included.
    pub fn channel(&self, c: usize) -> &[T] {
        &self.values[self.begins(c)..][..self.row()]
    }

    /// All channels without the zeros before and after them.
    pub fn rows_mut(&mut self) -> &mut [T] {
        let end = self.values.len() - LEAD;
        &mut self.values[LEAD..end]
    }

    /// All channels without the zeros before and after them.
    pub fn rows(&self) -> &[T] {
        &self.values[LEAD..self.values.len() - LEAD]
    }

    /// The positions of a channel of a sample.
    pub fn positions(&self, c: usize, n: usize) -> &[T] {
        &self.values[self.begins(c) + n * self.segment()..][..self.length]
    }

    /// The positions of a channel of a sample.
    pub fn positions_mut(&mut self, c: usize, n: usize) -> &mut [T] {
        let (begin, length) = (self.begins(c) + n * self.segment(), self.length);
        &mut self.values[begin..][..length]
    }

    /// Puts the zeros between samples back after work that went over them.
    pub fn close_gaps(&mut self) {
        if self.length > 1 {
            let segment = self.segment();
            self.rows_mut().chunks_exact_mut(segment).for_each(|sample| sample[segment - 1] = T::default());
        }
    }
}

/// Threads, and memory that is used again: fresh pages for every pass would cost as much as the arithmetic.
#[derive(Debug)]
pub struct Workspace<T> {
    threads: Threads,
    free: Vec<Vec<T>>,
    scratch: Scratch,
}

impl<T: Real> Workspace<T> {
    /// Without memory yet.
    pub fn new(threads: Threads) -> Self {
        Workspace { threads, free: Vec::new(), scratch: Scratch::default() }
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
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

    /// `length` numbers of any value.
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
        self.free.push(tensor.values);
    }

    /// A tensor of any values, zeros before and after all rows alone.
    pub fn tensor(&mut self, channels: usize, samples: usize, length: usize) -> Tensor<T> {
        let row = samples * (length + usize::from(length > 1));
        let total = channels * row + 2 * LEAD;
        let mut values = self.numbers(total);
        values[..LEAD].fill(T::default());
        values[total - LEAD..].fill(T::default());
        Tensor { channels, samples, length, values }
    }

    /// A tensor of zeros.
    pub fn zeros(&mut self, channels: usize, samples: usize, length: usize) -> Tensor<T> {
        let mut tensor = self.tensor(channels, samples, length);
        tensor.values.fill(T::default());
        tensor
    }

    /// A copy.
    pub fn copy(&mut self, of: &Tensor<T>) -> Tensor<T> {
        let mut tensor = self.tensor(of.channels, of.samples, of.length);
        tensor.values.copy_from_slice(&of.values);
        tensor
    }

    /// A tensor of `f` of each number of `of`; `f` of 0 has to be 0 where there are positions, or gaps are closed.
    pub fn map(&mut self, of: &Tensor<T>, f: impl Fn(T) -> T + Sync) -> Result<Tensor<T>> {
        let mut out = self.tensor(of.channels, of.samples, of.length);
        let source = of.rows();
        self.threads.for_each_piece(out.rows_mut(), PIECE, |i, piece| {
            wide(|| piece.iter_mut().zip(&source[i * PIECE..]).for_each(|(o, x)| *o = f(*x)));
        })?;
        Ok(out)
    }

    /// A tensor of `f` of each pair of numbers.
    pub fn zip(&mut self, a: &Tensor<T>, b: &Tensor<T>, f: impl Fn(T, T) -> T + Sync) -> Result<Tensor<T>> {
        let mut out = self.tensor(a.channels, a.samples, a.length);
        let (left, right) = (a.rows(), b.rows());
        self.threads.for_each_piece(out.rows_mut(), PIECE, |i, piece| {
            let sources = left[i * PIECE..].iter().zip(&right[i * PIECE..]);
            wide(|| piece.iter_mut().zip(sources).for_each(|(o, (a, b))| *o = f(*a, *b)));
        })?;
        Ok(out)
    }

    /// `into += of`.
    pub fn add(&mut self, into: &mut Tensor<T>, of: &Tensor<T>) -> Result<()> {
        let source = of.rows();
        self.threads.for_each_piece(into.rows_mut(), PIECE, |i, piece| {
            wide(|| piece.iter_mut().zip(&source[i * PIECE..]).for_each(|(o, x)| *o += *x));
        })
    }

    /// Channels x positions of each sample as units.
    pub fn flattened(&mut self, x: &Tensor<T>) -> Tensor<T> {
        let mut out = self.tensor(x.channels * x.length, x.samples, 1);
        for c in 0..x.channels {
            for n in 0..x.samples {
                for (l, value) in x.positions(c, n).iter().enumerate() {
                    out.rows_mut()[(c * x.length + l) * x.samples + n] = *value;
                }
            }
        }
        out
    }

    /// Units of each sample as channels x positions.
    pub fn folded(&mut self, x: &Tensor<T>, channels: usize, length: usize) -> Tensor<T> {
        let mut out = self.zeros(channels, x.samples, length);
        for c in 0..channels {
            for n in 0..x.samples {
                for (l, value) in out.positions_mut(c, n).iter_mut().enumerate() {
                    *value = x.rows()[(c * length + l) * x.samples + n];
                }
            }
        }
        out
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
