//! Products of states and weights: the GPU's twins of `compute/cpu`.

use super::kernels::{AFFINE, AFFINE_WORDS, Arguments, Grid, HAMMING, STATES};
use super::{Cuda, Memory, PADDED};
use crate::compute::{Buffer, Matrix, Noise, States, Unit, Weights};
use crate::error::Result;
use crate::panel::bits::BitMatrix;

/// Which random numbers a kernel uses (`Noise` in cuda/random.cuh).
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct DeviceNoise {
    seed: u64,
    first: u64,
    position: u64,
    moved: u64,
}

impl Cuda {
    /// Random numbers as kernels take them.
    pub(super) fn noise(&self, noise: Noise) -> DeviceNoise {
        let first = noise.first | (noise.purpose as u64) << 48;
        DeviceNoise { seed: noise.seed, first, position: noise.position, moved: self.moved() }
    }
}

/// Arguments of a product (`Affine` in cuda/affine.cuh).
#[derive(Clone, Copy)]
#[repr(C)]
struct Affine {
    states: u64,
    stride: u64,
    weights: u64,
    bias: u64,
    out: u64,
    out_stride: u64,
    noise: DeviceNoise,
    scale: f32,
    rows: u32,
    inputs: u32,
    outputs: u32,
    partials: u64,
    arrived: u64,
}

/// Outputs of a tile.
const TILE_OUTPUTS: usize = 128;
/// Planes of 256 x 128 sums over 128 inputs that blocks would have to be without work for before they share tiles: to leave sums
/// to each other and to take them costs as much as some eight.
const WORTH_SHARING: usize = 8;
/// The fewest that a block's share has: the last to come to a tile adds up what the others left, one after another.
const LEAST_SHARE: usize = 16;
/// So many tiles are not shared: many rounds leave little.
const SHARED_TILES: usize = 2048;

/// Sums of a tile of Hopper's kernels, whatever its shape.
const TILE_SUMS: usize = 256 * 128;

/// How Hopper's kernels share out a product.
struct Tiles {
    /// Of a tile.
    rows: usize,
    outputs: usize,
    /// Stages over 128 inputs, and the planes of a tile that are multiplied in each.
    stages: usize,
    planes: usize,
    /// Bytes of shared memory.
    shared: usize,
}

/// The tiles of cuda/affine.cu (`Memory`): twelve slots, each with a barrier to fill it and one to empty it.
const BITS: Tiles = Tiles { rows: 256, outputs: 128, stages: 2, planes: 1, shared: 12 * (16_384 + 2 * 8) };
/// Those of cuda/affine_words.cu (`Memory`): four slots of weights, two of states for each of two groups, and their barriers.
const WORDS: Tiles =
    Tiles { rows: 128, outputs: 256, stages: 1, planes: 4, shared: 4 * 32_768 + 4 * 16_384 + (2 * (4 + 4) + 1) * 8 };

/// Bytes of a laid-out weight matrix: see cuda/weights.cuh.
fn laid_out_bytes(inputs: usize, outputs: usize) -> usize {
    2 * inputs.next_multiple_of(PADDED) * outputs.next_multiple_of(TILE_OUTPUTS)
}

/// Weights and bias in a GPU's memory.
pub(in crate::compute) fn zero_weights(cuda: &Cuda, inputs: usize, outputs: usize) -> Result<(Memory, Memory)> {
    let bias = cuda.zeros(size_of::<i32>() * outputs.next_multiple_of(TILE_OUTPUTS))?;
    Ok((cuda.zeros(laid_out_bytes(inputs, outputs))?, bias))
}

/// What becomes of the sums.
#[derive(Clone, Copy)]
enum Finish {
    Sample,
    Mean,
    Keep,
}

impl Finish {
    fn kernel(self, bits: bool) -> &'static str {
        match (bits, self) {
            (true, Finish::Sample) => "affine_bits_sample",
            (true, Finish::Mean) => "affine_bits_mean",
            (true, Finish::Keep) => "affine_bits_keep",
            (false, Finish::Sample) => "affine_words_sample",
            (false, Finish::Mean) => "affine_words_mean",
            (false, Finish::Keep) => "affine_words_keep",
        }
    }
}

/// Sides of a product in a GPU's memory.
struct Sides<'a> {
    states: &'a Memory,
    rows: usize,
    stride: usize,
    weights: &'a Memory,
    bias: Option<&'a Memory>,
    inputs: usize,
    outputs: usize,
    scale: f32,
}

impl<'a> Sides<'a> {
    fn new(states: &'a States, weights: &'a Weights) -> Result<Self> {
        Ok(Sides {
            states: states.buffer.cuda()?,
            rows: states.rows(),
            stride: states.stride(),
            weights: weights.packed.cuda()?,
            bias: Some(weights.bias.cuda()?),
            inputs: weights.inputs(),
            outputs: weights.outputs(),
            scale: weights.scale(),
        })
    }
}

impl Cuda {
    fn product(&self, of: &Sides, finish: Finish, noise: DeviceNoise, out: u64, out_stride: usize) -> Result<()> {
        if of.rows == 0 || of.outputs == 0 {
            return Ok(());
        }
        // Blocks without a stage would wait for one.
        debug_assert!(of.inputs > 0);
        let mut arguments = Affine {
            states: of.states.address(),
            stride: of.stride as u64,
            weights: of.weights.address(),
            bias: of.bias.map_or(0, Memory::address),
            out,
            out_stride: out_stride as u64,
            noise,
            scale: of.scale,
            rows: of.rows as u32,
            inputs: of.inputs as u32,
            outputs: of.outputs as u32,
            partials: 0,
            arrived: 0,
        };
        let bits = of.states.holds_bits();
        // Rows of a tile, threads, shared memory: ROWS, THREADS, STAGES x STAGE_BYTES in cuda/affine.cu; for Hopper as below.
        let grid = match self.is_hopper() {
            true => {
                let Tiles { rows, outputs, stages, planes, shared } = if bits { BITS } else { WORDS };
                let processors = self.description().processors;
                let tiles = of.rows.div_ceil(rows) * of.outputs.div_ceil(outputs);
                let stages = of.inputs.div_ceil(PADDED) * stages;
                let mut blocks = tiles.min(processors);
                // Planes that a processor would have no work for, if each took whole tiles.
                let idle = (tiles.div_ceil(processors) * processors - tiles) * stages * planes / processors;
                if idle > WORTH_SHARING && stages * planes >= LEAST_SHARE && tiles < SHARED_TILES {
                    blocks = processors.min(tiles * stages * planes / LEAST_SHARE);
                    // Two parts a block; counts for the eight warps of a tile.
                    let sums = processors * 2 * TILE_SUMS * size_of::<i32>();
                    arguments.partials = self.shared_sums(sums + SHARED_TILES * 8 * size_of::<u32>())?;
                    arguments.arrived = arguments.partials + sums as u64;
                }
                Grid { blocks: (blocks, 1), threads: 384, shared }
            }
            false => Grid {
                blocks: (of.rows.div_ceil(128), of.outputs.div_ceil(TILE_OUTPUTS)),
                threads: 256,
                shared: 4 * 8192,
            },
        };
        let source = if bits { &AFFINE } else { &AFFINE_WORDS };
        // SAFETY: the struct is the kernel's; matrices have `rows` rows of their strides, which are padded as the kernel
        // reads them, and weights and bias were laid out for these inputs and outputs.
        unsafe { self.launch(source, finish.kernel(bits), grid, Arguments::default().value(arguments)) }
    }

    pub(in crate::compute) fn affine_sample(
        &self,
        states: &States,
        weights: &Weights,
        unit: Unit,
        noise: Noise,
        out: &mut States,
    ) -> Result<()> {
        match unit {
            Unit::Bernoulli => {
                let (stride, memory) = (out.stride(), self.bits_of(out)?.address());
                self.product(&Sides::new(states, weights)?, Finish::Sample, self.noise(noise), memory, stride)
            }
            Unit::Relu { ceiling } => self.relu(states, weights, Some((ceiling, noise)), out),
        }
    }

    /// States of ReLU units, cut at a ceiling, or their means.
    fn relu(&self, states: &States, weights: &Weights, sampled: Option<(i16, Noise)>, out: &mut States) -> Result<()> {
        let (rows, stride) = (out.rows(), out.stride());
        let turn = self.turn();
        let inputs = self.scratch(size_of::<i32>() * rows * stride, &turn)?;
        self.product(&Sides::new(states, weights)?, Finish::Keep, NO_NOISE, inputs, stride)?;
        let arguments = Arguments::default()
            .value(inputs)
            .value(rows as u32)
            .value(weights.outputs() as u32)
            .value(stride as u64)
            .value(weights.scale())
            .value(i32::from(sampled.is_some()))
            .value(sampled.map_or(0, |(ceiling, _)| i32::from(ceiling)))
            .value(sampled.map_or(NO_NOISE, |(_, noise)| self.noise(noise)))
            .memory(self.numbers_of(out)?);
        // SAFETY: as the kernel takes them; inputs and output have `rows` rows of `stride` numbers.
        unsafe { self.launch(&STATES, "relu", Grid::over(rows * stride), arguments) }
    }

    pub(in crate::compute) fn affine_mean(
        &self,
        states: &States,
        weights: &Weights,
        unit: Unit,
        out: &mut States,
    ) -> Result<()> {
        match unit {
            Unit::Bernoulli => {
                let (stride, memory) = (out.stride(), self.numbers_of(out)?.address());
                self.product(&Sides::new(states, weights)?, Finish::Mean, NO_NOISE, memory, stride)
            }
            Unit::Relu { .. } => self.relu(states, weights, None, out),
        }
    }

    pub(in crate::compute) fn affine_input(
        &self,
        states: &States,
        weights: &Weights,
        out: &mut Matrix<i32>,
    ) -> Result<()> {
        let stride = out.stride();
        self.product(&Sides::new(states, weights)?, Finish::Keep, NO_NOISE, out.buffer.cuda()?.address(), stride)
    }

    pub(in crate::compute) fn free_energies(
        &self,
        states: &States,
        weights: &Weights,
        unit: Unit,
        bias: &Buffer<f64>,
        out: &mut Buffer<f64>,
    ) -> Result<()> {
        let (rows, outputs) = (states.rows(), weights.outputs());
        if rows == 0 {
            return Ok(());
        }
        let stride = outputs.next_multiple_of(PADDED);
        let turn = self.turn();
        let inputs = self.scratch(size_of::<i32>() * rows * stride, &turn)?;
        self.product(&Sides::new(states, weights)?, Finish::Keep, NO_NOISE, inputs, stride)?;
        let memory = states.buffer.cuda()?;
        let arguments = Arguments::default()
            .value(inputs)
            .value(stride as u64)
            .value(outputs as u32)
            .value(weights.scale())
            .value(i32::from(matches!(unit, Unit::Relu { .. })))
            .memory(memory)
            .value(i32::from(!memory.holds_bits()))
            .value(states.stride() as u64)
            .value(states.columns() as u32)
            .memory(bias.cuda()?)
            .memory(out.cuda()?);
        // SAFETY: as the kernel takes them; it has room for the panels of 128 threads, and lengths were compared by the caller.
        unsafe { self.launch(&STATES, "free_energies", Grid { blocks: (rows, 1), threads: 128, shared: 0 }, arguments) }
    }

    pub(in crate::compute) fn outer(&self, left: &States, right: &States, out: &mut Matrix<i32>) -> Result<()> {
        let rows = left.rows();
        let turned_stride = rows.next_multiple_of(PADDED);
        let turned = self.turned(left)?;
        let weights = self.memory(laid_out_bytes(rows, right.columns()))?;
        let source = right.buffer.cuda()?;
        let arguments = Arguments::default()
            .memory(source)
            .value(i32::from(!source.holds_bits()))
            .value(right.stride() as u64)
            .value(rows as u32)
            .value(right.columns() as u32)
            .memory(&weights);
        let numbers = right.columns().next_multiple_of(TILE_OUTPUTS) * turned_stride / PADDED;
        // SAFETY: as the kernel takes them; the memory is that of a laid-out matrix of this shape.
        unsafe { self.launch(&STATES, "lay_out_states", Grid::of(128, numbers), arguments)? };
        let sides = Sides {
            states: &turned,
            rows: left.columns(),
            stride: turned_stride,
            weights: &weights,
            bias: None,
            inputs: rows,
            outputs: right.columns(),
            scale: 1.0,
        };
        let stride = out.stride();
        self.product(&sides, Finish::Keep, NO_NOISE, out.buffer.cuda()?.address(), stride)
    }

    /// Sets laid-out weights from numbers in the GPU's memory.
    pub(in crate::compute) fn lay_out(
        &self,
        weights: &Weights,
        values: &Memory,
        turned: bool,
        bias: &Memory,
    ) -> Result<()> {
        let (inputs, outputs) = (weights.inputs(), weights.outputs());
        let arguments = Arguments::default()
            .memory(values)
            .value(inputs as u32)
            .value(outputs as u32)
            .value(i32::from(turned))
            .memory(weights.packed.cuda()?);
        let padded = outputs.next_multiple_of(TILE_OUTPUTS);
        let numbers = padded * inputs.next_multiple_of(PADDED) / PADDED;
        // SAFETY: as the kernel takes them; lengths were compared with the shape.
        unsafe { self.launch(&STATES, "lay_out_weights", Grid::of(128, numbers), arguments)? };
        let arguments =
            Arguments::default().memory(bias).value(outputs as u32).value(weights.scale()).memory(weights.bias.cuda()?);
        // SAFETY: as above.
        unsafe { self.launch(&STATES, "lay_out_bias", Grid::over(padded), arguments) }
    }

    /// Distances of each row to its nearest in the other set; `second` is `None` for the nearest among its own.
    pub(in crate::compute) fn nearest(
        &self,
        first: &BitMatrix,
        second: Option<&BitMatrix>,
    ) -> Result<(Vec<u32>, Vec<u32>)> {
        const TILE: usize = 64;
        /// Pairs of rows of a launch, about.
        const PAIRS: usize = 1 << 30;
        let other = second.unwrap_or(first);
        let (mut of_first, mut of_second) = (vec![u32::MAX; first.rows()], vec![u32::MAX; other.rows()]);
        if first.rows() == 0 || other.rows() == 0 {
            return Ok((of_first, of_second));
        }
        let a = self.upload(first.words())?;
        let b = second.map(|second| self.upload(second.words())).transpose()?;
        let (nearest_a, nearest_b) = (self.upload(&of_first)?, self.upload(&of_second)?);
        // Rows of the other set in strips: a kernel that runs for long is ended where the GPU also drives a screen.
        let strip = (PAIRS / first.rows()).next_multiple_of(TILE);
        let (others, stride) = (b.as_ref().unwrap_or(&a), first.stride());
        for begin in (0..other.rows()).step_by(strip) {
            let rows = (other.rows() - begin).min(strip);
            let arguments = Arguments::default()
                .memory(&a)
                .value(first.rows() as u32)
                .value(others.address() + (begin * stride * size_of::<u64>()) as u64)
                .value(rows as u32)
                .value(stride as u32)
                .memory(&nearest_a)
                .value(nearest_b.address() + (begin * size_of::<u32>()) as u64)
                .value(i32::from(second.is_none()))
                .value(begin as u32);
            let blocks = (first.rows().div_ceil(TILE), rows.div_ceil(TILE));
            // SAFETY: as the kernel takes them; rows of both have the same number of words, as was checked, and the strip
            // lies in the other set.
            unsafe { self.launch(&HAMMING, "nearest", Grid { blocks, threads: 256, shared: 0 }, arguments)? };
        }
        nearest_a.download(&mut of_first)?;
        nearest_b.download(&mut of_second)?;
        Ok((of_first, of_second))
    }
}

const NO_NOISE: DeviceNoise = DeviceNoise { seed: 0, first: 0, position: 0, moved: 0 };
