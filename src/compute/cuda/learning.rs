//! Gradients and steps: the GPU's twins of `compute/cpu/learning.rs`.

use super::kernels::{Arguments, Grid, LEARNING};
use super::{Cuda, Memory};
use crate::compute::Buffer;
use crate::compute::learning::{Adam, Contrast, Gradient, Statistics};
use crate::compute::{Matrix, States};
use crate::error::Result;

/// Threads of a block that sums in order (`SUMMERS` in cuda/learning.cu).
const SUMMERS: usize = 288;

/// What a contrast is of (`Contrast` in cuda/learning.cu).
#[derive(Clone, Copy)]
#[repr(C)]
struct Contrasted {
    data: u64,
    chains: u64,
    stride: u64,
    weights: u64,
    sites: u32,
    units: u32,
    data_unit: f32,
    chain_unit: f32,
    decay: f32,
    centred: i32,
    frequencies: u64,
    visible_data: u64,
    visible_chains: u64,
    hidden_data: u64,
    hidden_chains: u64,
}

impl Cuda {
    pub(in crate::compute) fn statistics(
        &self,
        visible: &States,
        hidden: &States,
        step: f64,
        out: &mut Statistics,
    ) -> Result<()> {
        self.outer(visible, hidden, &mut out.product)?;
        self.column_means(visible, 1.0, out.visible.cuda()?)?;
        self.column_means(hidden, step, out.hidden.cuda()?)
    }

    pub(in crate::compute) fn contrast(&self, of: &Contrast, gradient: &mut Gradient) -> Result<()> {
        let (sites, units) = (of.data.product.rows(), of.data.product.columns());
        let address = |buffer: &Buffer<f32>| buffer.cuda().map(Memory::address);
        let product = |matrix: &Matrix<i32>| matrix.buffer.cuda().map(Memory::address);
        let weights = gradient.weights.cuda()?;
        let frequencies = of.frequencies.map(Buffer::cuda).transpose()?;
        let centred = i32::from(frequencies.is_some());
        let contrasted = Contrasted {
            data: product(&of.data.product)?,
            chains: product(&of.chains.product)?,
            stride: of.data.product.stride() as u64,
            weights: address(of.weights)?,
            sites: sites as u32,
            units: units as u32,
            data_unit: of.data_unit,
            chain_unit: of.chain_unit,
            decay: of.decay,
            centred,
            frequencies: frequencies.map_or(0, Memory::address),
            visible_data: address(&of.data.visible)?,
            visible_chains: address(&of.chains.visible)?,
            hidden_data: address(&of.data.hidden)?,
            hidden_chains: address(&of.chains.hidden)?,
        };
        let arguments = Arguments::default().value(contrasted).memory(weights);
        let blocks = (sites.div_ceil(32) * units.div_ceil(128)).clamp(1, 1 << 20);
        let grid = Grid { blocks: (blocks, 1), threads: 256, shared: 0 };
        // SAFETY: as the kernel takes them; shapes were compared by the caller.
        unsafe { self.launch(&LEARNING, "contrast", grid, arguments)? };
        let arguments = Arguments::default()
            .memory(weights)
            .value(sites as u32)
            .value(units as u32)
            .value(centred)
            .memory(of.data.visible.cuda()?)
            .memory(of.chains.visible.cuda()?)
            .memory(of.data.hidden.cuda()?)
            .memory(gradient.visible.cuda()?);
        let grid = Grid { blocks: (sites.div_ceil(32).max(1), 1), threads: SUMMERS, shared: 0 };
        // SAFETY: as above.
        unsafe { self.launch(&LEARNING, "visible_contrast", grid, arguments)? };
        let arguments = Arguments::default()
            .memory(weights)
            .value(sites as u32)
            .value(units as u32)
            .value(centred)
            .maybe(frequencies)
            .memory(of.data.hidden.cuda()?)
            .memory(of.chains.hidden.cuda()?)
            .memory(gradient.hidden.cuda()?);
        let grid = Grid { blocks: (units.div_ceil(16).max(1), 1), threads: SUMMERS, shared: 0 };
        // SAFETY: as above.
        unsafe { self.launch(&LEARNING, "hidden_contrast", grid, arguments) }
    }

    pub(in crate::compute) fn ascend_sgd(
        &self,
        parameters: &mut Buffer<f32>,
        velocities: Option<&mut Buffer<f32>>,
        gradient: &Buffer<f32>,
        rate: f32,
        momentum: f32,
    ) -> Result<()> {
        let gradient = gradient.cuda()?;
        let count = gradient.bytes() / size_of::<f32>();
        let velocities = velocities.as_deref().map(Buffer::cuda).transpose()?;
        let arguments = Arguments::default()
            .memory(parameters.cuda()?)
            .maybe(velocities)
            .memory(gradient)
            .value(count as u64)
            .value(rate)
            .value(momentum);
        // SAFETY: as the kernel takes them; lengths were compared by the caller.
        unsafe { self.launch(&LEARNING, "ascend_sgd", Grid::over(count.div_ceil(4)), arguments) }
    }

    pub(in crate::compute) fn ascend_adam(
        &self,
        parameters: &mut Buffer<f32>,
        first: &mut Buffer<f32>,
        second: &mut Buffer<f32>,
        gradient: &Buffer<f32>,
        adam: Adam,
    ) -> Result<()> {
        let gradient = gradient.cuda()?;
        let count = gradient.bytes() / size_of::<f32>();
        let arguments = Arguments::default()
            .memory(parameters.cuda()?)
            .memory(first.cuda()?)
            .memory(second.cuda()?)
            .memory(gradient)
            .value(count as u64)
            .value(adam.rate)
            .value(adam.beta_1)
            .value(adam.beta_2)
            .value(adam.epsilon);
        // SAFETY: as the kernel takes them; lengths were compared by the caller.
        unsafe { self.launch(&LEARNING, "ascend_adam", Grid::over(count.div_ceil(4)), arguments) }
    }

    /// The largest size of each list of numbers, NaN above all.
    pub(in crate::compute) fn largest(&self, lists: &[&Buffer<f32>]) -> Result<Vec<f32>> {
        let out = self.zeros(lists.len() * size_of::<i32>())?;
        for (i, list) in lists.iter().enumerate() {
            let list = list.cuda()?;
            let count = list.bytes() / size_of::<f32>();
            let arguments = Arguments::default()
                .memory(list)
                .value(count as u64)
                .value(out.address() + (i * size_of::<i32>()) as u64);
            let grid = Grid { blocks: (count.div_ceil(4096).clamp(1, 1024), 1), threads: 256, shared: 0 };
            // SAFETY: as the kernel takes them; the output has a number a list.
            unsafe { self.launch(&LEARNING, "largest", grid, arguments)? };
        }
        let mut bits = vec![0u32; lists.len()];
        out.download(&mut bits)?;
        Ok(bits.into_iter().map(f32::from_bits).collect())
    }

    /// The largest sum of sizes of a row.
    pub(in crate::compute) fn largest_row(&self, values: &Buffer<f32>, rows: usize, columns: usize) -> Result<f32> {
        let out = self.zeros(size_of::<i32>())?;
        let arguments =
            Arguments::default().memory(values.cuda()?).value(rows as u32).value(columns as u32).memory(&out);
        let grid = Grid { blocks: (rows.div_ceil(32).max(1), 1), threads: SUMMERS, shared: 0 };
        // SAFETY: as the kernel takes them; lengths were compared by the caller.
        unsafe { self.launch(&LEARNING, "largest_row", grid, arguments)? };
        let mut bits = [0u32];
        out.download(&mut bits)?;
        Ok(f32::from_bits(bits[0]))
    }
}
