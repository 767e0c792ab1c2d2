//! What is done to states besides products: the GPU's twins of `compute/states.rs`.

use super::kernels::{Arguments, Grid, STATES};
use super::{Cuda, Memory, PADDED};
use crate::compute::{Buffer, Clamp, Noise, States};
use crate::error::{Error, ErrorKind, Result};

impl Cuda {
    /// A matrix's memory as bits, which are written before they are read.
    pub(super) fn bits_of<'a>(&self, states: &'a mut States) -> Result<&'a Memory> {
        let bytes = states.rows() * states.stride() / 8;
        let memory = states.buffer.cuda_mut()?;
        if !memory.holds_bits() {
            *memory = self.memory(bytes)?.of_bits();
        }
        Ok(memory)
    }

    /// A matrix's memory as 16-bit numbers, which are written before they are read.
    pub(super) fn numbers_of<'a>(&self, states: &'a mut States) -> Result<&'a Memory> {
        let bytes = states.rows() * states.stride() * size_of::<i16>();
        let memory = states.buffer.cuda_mut()?;
        if memory.holds_bits() {
            *memory = self.memory(bytes)?;
        }
        Ok(memory)
    }

    /// Columns become rows, of as many numbers as there were rows, padded.
    pub(super) fn turned(&self, states: &States) -> Result<Memory> {
        let memory = states.buffer.cuda()?;
        let (rows, columns) = (states.rows(), states.columns());
        let stride = rows.next_multiple_of(PADDED);
        let arguments = |out: &Memory| {
            Arguments::default()
                .memory(memory)
                .value(states.stride() as u64)
                .value(rows as u32)
                .value(columns as u32)
                .memory(out)
                .value(stride as u64)
        };
        if memory.holds_bits() {
            let out = self.memory(columns * stride / 8)?.of_bits();
            let warps = stride / 32 * columns.div_ceil(32);
            let grid = Grid { blocks: (warps.div_ceil(8).clamp(1, 1 << 20), 1), threads: 256, shared: 0 };
            // SAFETY: as the kernel takes them; the output has `columns` rows of `stride` bits.
            unsafe { self.launch(&STATES, "turn_bits", grid, arguments(&out))? };
            return Ok(out);
        }
        let out = self.memory(columns * stride * size_of::<i16>())?;
        let grid = Grid { blocks: (stride.div_ceil(32), columns.div_ceil(32).max(1)), threads: 256, shared: 0 };
        // SAFETY: as above, with numbers.
        unsafe { self.launch(&STATES, "turn_words", grid, arguments(&out))? };
        Ok(out)
    }

    /// Sums of the columns, 64 bits each.
    pub(crate) fn column_sums(&self, states: &States) -> Result<Memory> {
        let memory = states.buffer.cuda()?;
        let sums = self.zeros(states.columns() * size_of::<u64>())?;
        let arguments = Arguments::default()
            .memory(memory)
            .value(i32::from(!memory.holds_bits()))
            .value(states.stride() as u64)
            .value(states.rows() as u32)
            .value(states.columns() as u32)
            .memory(&sums);
        // Columns of a block, which takes 64 rows at a time.
        let across = if memory.holds_bits() { 1024 } else { 256 };
        let blocks = (states.columns().div_ceil(across).max(1), states.rows().div_ceil(64).clamp(1, 1024));
        // SAFETY: as the kernel takes them.
        unsafe { self.launch(&STATES, "column_sums", Grid { blocks, threads: 256, shared: 0 }, arguments)? };
        Ok(sums)
    }

    /// Means of the columns in units of 1.
    pub(super) fn column_means(&self, states: &States, unit: f64, means: &Memory) -> Result<()> {
        let sums = self.column_sums(states)?;
        let arguments = Arguments::default()
            .memory(&sums)
            .value(states.columns() as u32)
            .value(unit)
            .value(states.rows() as f64)
            .memory(means);
        // SAFETY: as the kernel takes them; `means` has a number a column.
        unsafe { self.launch(&STATES, "column_means", Grid::over(states.columns()), arguments) }
    }

    /// Visible biases as free energies take them.
    pub(in crate::compute) fn lay_out_energies(&self, bias: &Memory, count: usize) -> Result<Memory> {
        let out = self.memory(count * size_of::<f64>())?;
        let arguments = Arguments::default().memory(bias).value(count as u32).memory(&out);
        // SAFETY: as the kernel takes them.
        unsafe { self.launch(&STATES, "lay_out_energies", Grid::over(count), arguments)? };
        Ok(out)
    }

    pub(in crate::compute) fn copy_rows(
        &self,
        source: &States,
        from: &[usize],
        target: &mut States,
        to: &[usize],
    ) -> Result<()> {
        let memory = source.buffer.cuda()?;
        let into = target.buffer.cuda()?;
        if memory.holds_bits() != into.holds_bits() {
            return Err(Error::new(ErrorKind::Internal, "rows of bits and rows of numbers do not mix"));
        }
        let words = source.stride() / if memory.holds_bits() { 64 } else { 4 };
        let places = |rows: &[usize]| self.upload(&rows.iter().map(|r| *r as u32).collect::<Vec<_>>());
        let (from_rows, to_rows) = (places(from)?, places(to)?);
        let arguments = Arguments::default()
            .memory(memory)
            .memory(&from_rows)
            .memory(into)
            .memory(&to_rows)
            .value(from.len() as u32)
            .value(words as u32);
        // SAFETY: as the kernel takes them; rows were compared with the shapes by the caller.
        unsafe { self.launch(&STATES, "copy_rows", Grid::over(from.len() * words), arguments) }
    }

    pub(in crate::compute) fn swap_replicas(
        &self,
        a: &mut States,
        b: &mut States,
        [aa, ab, ba, bb]: [&Buffer<f64>; 4],
        noise: Noise,
        chances: &mut Buffer<f32>,
    ) -> Result<()> {
        let (first, second, rows) = (a.buffer.cuda()?, b.buffer.cuda()?, a.rows());
        if first.holds_bits() != second.holds_bits() {
            return Err(Error::new(ErrorKind::Internal, "rows of bits and rows of numbers do not mix"));
        }
        let words = a.stride() / if first.holds_bits() { 64 } else { 4 };
        let chosen = self.memory(rows)?;
        let arguments = Arguments::default()
            .memory(aa.cuda()?)
            .memory(ab.cuda()?)
            .memory(ba.cuda()?)
            .memory(bb.cuda()?)
            .value(rows as u32)
            .value(self.noise(noise))
            .memory(chances.cuda()?)
            .memory(&chosen);
        // SAFETY: as the kernel takes them; lengths were compared by the caller.
        unsafe { self.launch(&STATES, "choose_swaps", Grid::over(rows), arguments)? };
        let arguments =
            Arguments::default().memory(first).memory(second).memory(&chosen).value(rows as u32).value(words as u32);
        // SAFETY: as the kernel takes them; shapes were compared by the caller.
        unsafe { self.launch(&STATES, "swap_rows", Grid::over(rows * words), arguments) }
    }

    pub(in crate::compute) fn clamp(&self, clamp: &Clamp, states: &mut States) -> Result<()> {
        let words = states.stride() / 64;
        let (rows, memory) = (states.rows(), self.bits_of(states)?);
        let arguments = Arguments::default()
            .memory(memory)
            .memory(clamp.mask.buffer.cuda()?)
            .memory(clamp.alleles.buffer.cuda()?)
            .value(rows as u32)
            .value(words as u32)
            .value(clamp.chains as u32);
        // SAFETY: as the kernel takes them; there are as many rows as haplotypes times chains.
        unsafe { self.launch(&STATES, "clamp_bits", Grid::over(rows * words), arguments) }
    }

    pub(in crate::compute) fn clamp_seen(
        &self,
        clamp: &Clamp,
        means: &States,
        error: f64,
        noise: Noise,
        states: &mut States,
    ) -> Result<()> {
        let (rows, stride) = (states.rows(), states.stride());
        let memory = self.bits_of(states)?;
        let arguments = Arguments::default()
            .memory(memory)
            .value(stride as u64)
            .memory(means.buffer.cuda()?)
            .value(means.stride() as u64)
            .memory(clamp.mask.buffer.cuda()?)
            .memory(clamp.alleles.buffer.cuda()?)
            .value(rows as u32)
            .value(clamp.chains as u32)
            .memory(clamp.sites.cuda()?)
            .value(clamp.typed as u32)
            .value(error)
            .value(self.noise(noise))
            .memory(clamp.before.cuda()?);
        // SAFETY: as the kernel takes them; shapes were compared by the caller.
        unsafe { self.launch(&STATES, "clamp_seen", Grid::over(rows * clamp.typed), arguments) }
    }

    pub(in crate::compute) fn add_means(&self, clamp: &Clamp, means: &States, sums: &mut Buffer<f32>) -> Result<()> {
        let haplotypes = means.rows() / clamp.chains;
        let arguments = Arguments::default()
            .memory(means.buffer.cuda()?)
            .value(means.stride() as u64)
            .value(haplotypes as u32)
            .value(means.columns() as u32)
            .value(clamp.chains as u32)
            .value((clamp.chains / 2) as u32)
            .memory(sums.cuda()?);
        let numbers = haplotypes * 2 * means.columns();
        // SAFETY: as the kernel takes them; `sums` has two rows a haplotype.
        unsafe { self.launch(&STATES, "add_means", Grid::over(numbers), arguments) }
    }

    pub(in crate::compute) fn add_inverse(
        &self,
        clamp: &Clamp,
        means: &States,
        error: f64,
        sums: &mut Buffer<f64>,
    ) -> Result<()> {
        let haplotypes = means.rows() / clamp.chains;
        let arguments = Arguments::default()
            .memory(means.buffer.cuda()?)
            .value(means.stride() as u64)
            .value(haplotypes as u32)
            .value(clamp.chains as u32)
            .memory(clamp.mask.buffer.cuda()?)
            .memory(clamp.alleles.buffer.cuda()?)
            .value(clamp.mask.stride() as u64)
            .memory(clamp.sites.cuda()?)
            .value(clamp.typed as u32)
            .value(error)
            .memory(sums.cuda()?);
        // SAFETY: as the kernel takes them; `sums` has a number for each haplotype and typed site.
        unsafe { self.launch(&STATES, "add_inverse", Grid::over(haplotypes * clamp.typed), arguments) }
    }
}
