//! Products of layers, by the tensor cores: dense layers, convolutions, and the gradients of what they read and of their weights.
//!
//! Factors are the processor's (bfloat16), and sums are in single precision as its are, but in the tensor cores' own order: the
//! last bits differ.

use super::kernels::{Arguments, Grid, LAYERS};
use super::layers::{Activations, LEAD};
use super::{Cuda, Memory};
use crate::error::Result;

/// How a convolution with a kernel of three reads.
#[derive(Clone, Copy)]
pub(crate) enum Reading {
    /// Output l reads input `stride x l + shifts[t]` with number t of the kernel.
    Gathers { stride: usize, shifts: [isize; 3] },
    /// Input i adds to output `2 i + t - pad`.
    Spreads { pad: usize },
}

/// A convolution's weights: number t of the kernel from channel c to channel m is number `m x to + c x from + t`.
#[derive(Clone, Copy)]
pub(crate) struct KernelAt<'a> {
    pub values: &'a Memory,
    pub to: usize,
    pub from: usize,
}

/// Where a factor's numbers lie along a side (`Places` in cuda/product_bf16.cuh).
#[derive(Clone, Copy)]
#[repr(C)]
struct Places {
    major: i64,
    group: u32,
    limit: u32,
    minor: i32,
    taps: [i32; 3],
}

impl Places {
    /// So far apart.
    fn steps(major: usize) -> Self {
        Places { major: major as i64, group: 1, limit: 1, minor: 1, taps: [0; 3] }
    }

    /// Some numbers for each so far apart; and how far the first of them is, which is the base's share.
    fn taps(major: usize, taps: &[usize]) -> (Self, usize) {
        let least = taps.iter().copied().min().unwrap_or(0);
        let mut places = Places { group: taps.len() as u32, limit: 3, minor: 0, ..Places::steps(major) };
        for (place, tap) in places.taps.iter_mut().zip(taps) {
            *place = (tap - least) as i32;
        }
        (places, least)
    }

    /// Positions of samples that are `segment` apart where they are counted and `major` where they lie; in a sample `length`
    /// positions count, `minor` apart.
    fn samples(segment: usize, length: usize, major: usize, minor: usize) -> Self {
        match segment {
            1 => Places::steps(major),
            _ => Places { group: segment as u32, limit: length as u32, minor: minor as i32, ..Places::steps(major) },
        }
    }
}

/// What becomes of sums (`Finish` in cuda/product_bf16.cuh).
#[derive(Clone, Copy)]
#[repr(C)]
struct Finish {
    out: u64,
    shifts: u64,
    row: u64,
    slope: f32,
    add: i32,
    group: u32,
    minor: u32,
    offset: u32,
    length: u32,
    major: u64,
}

impl Finish {
    /// Rows of so many numbers, next to each other.
    fn rows(out: u64, row: usize) -> Self {
        let (slope, add, group, minor, offset, length, major) = (1.0, 0, 1, 1, 0, 0, 0);
        Finish { out, shifts: 0, row: row as u64, slope, add, group, minor, offset, length, major }
    }

    fn after(self, bias: Option<&Memory>, slope: f32) -> Self {
        Finish { shifts: bias.map_or(0, Memory::address), slope, ..self }
    }
}

/// A factor: the address of its first number, and where the others are.
#[derive(Clone, Copy)]
struct Factor {
    values: u64,
    side: Places,
    terms: Places,
}

impl Factor {
    fn new(values: u64, side: Places, terms: Places) -> Self {
        Factor { values, side, terms }
    }
}

/// Rows, columns and terms of a product.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    columns: usize,
    terms: usize,
}

/// Which way threads walk through the factors: along terms, or across them.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Forward,
    Back,
    Gradient,
}

/// Whether several blocks share the terms of a tile: few tiles with many terms leave processors without work.
#[derive(Clone, Copy)]
enum Shared {
    Never,
    /// As rows and terms say alone: what comes of a column does not depend on the columns beside it, so that a haplotype does not
    /// depend on those that are made with it.
    ByRows,
    /// So that all processors have work.
    ByTiles,
}

/// `TILE_ROWS`, `TILE_COLUMNS`, `TILE_TERMS` and `PRODUCT_THREADS` in cuda/product_bf16.cuh.
const TILE: (usize, usize, usize, usize) = (64, 128, 32, 256);
/// Tiles of terms that are worth a block of their own.
const WORTH: usize = 8;
/// Tiles below each other that keep a GPU's processors at work, if there is one beside each.
const TILES: usize = 64;

impl Cuda {
    /// # Safety
    /// The places of both factors and of the output lie in memory for this shape.
    unsafe fn multiply(
        &self,
        (direction, shared): (Direction, Shared),
        left: Factor,
        right: Factor,
        of: Shape,
        to: Finish,
    ) -> Result<()> {
        let (tile_rows, tile_columns, tile_terms, threads) = TILE;
        let Shape { rows, columns, terms } = of;
        if rows == 0 || columns == 0 {
            return Ok(());
        }
        let (down, across) = (rows.div_ceil(tile_rows), columns.div_ceil(tile_columns));
        let wanted = match shared {
            Shared::Never => 1,
            Shared::ByRows => TILES / down,
            Shared::ByTiles => (2 * self.description().processors).div_ceil(down * across),
        };
        let most = (terms / (WORTH * tile_terms)).max(1);
        let part_terms = terms.div_ceil(wanted.clamp(1, most)).next_multiple_of(tile_terms).max(tile_terms);
        let parts = terms.div_ceil(part_terms).max(1);
        let turn = self.turn();
        let sums = match parts {
            1 => 0,
            _ => self.scratch(parts * rows * columns * size_of::<f32>(), &turn)?,
        };
        let name = match direction {
            Direction::Forward => "product_forward",
            Direction::Back => "product_back",
            Direction::Gradient => "product_gradient",
        };
        let arguments = Arguments::default()
            .value(left.values)
            .value(left.side)
            .value(left.terms)
            .value(right.values)
            .value(right.side)
            .value(right.terms)
            .value(to)
            .value(rows as u32)
            .value(columns as u32)
            .value(terms as u32)
            .value(part_terms as u32)
            .value(sums);
        let grid = Grid { blocks: (across * parts, down), threads, shared: 0 };
        // SAFETY: as the kernel takes them; the caller's places, and a matrix of sums for each part.
        unsafe { self.launch(&LAYERS, name, grid, arguments)? };
        if parts == 1 {
            return Ok(());
        }
        let arguments =
            Arguments::default().value(sums).value(parts as u32).value(rows as u32).value(columns as u32).value(to);
        // SAFETY: as above.
        unsafe { self.launch_over(&LAYERS, "join_parts", rows * columns, arguments) }
    }

    /// `out = weights x + bias`, and that times `slope` below 0.
    pub(crate) fn dense(
        &self,
        weights: &Memory,
        bias: Option<&Memory>,
        slope: f32,
        x: Activations,
        out: Activations,
    ) -> Result<()> {
        let left = Factor::new(weights.address(), Places::steps(x.channels), Places::steps(1));
        let right = Factor::new(x.at(0), Places::steps(1), Places::steps(x.samples));
        let shape = Shape { rows: out.channels, columns: x.samples, terms: x.channels };
        let to = Finish::rows(out.at(0), x.samples).after(bias, slope);
        // SAFETY: weights are outputs x inputs, tensors channels x samples.
        unsafe { self.multiply((Direction::Forward, Shared::ByRows), left, right, shape, to) }
    }

    /// The gradient of a dense layer's inputs.
    pub(crate) fn dense_back(&self, weights: &Memory, delta: Activations, out: Activations) -> Result<()> {
        let left = Factor::new(weights.address(), Places::steps(1), Places::steps(out.channels));
        let right = Factor::new(delta.at(0), Places::steps(1), Places::steps(delta.samples));
        let shape = Shape { rows: out.channels, columns: delta.samples, terms: delta.channels };
        let to = Finish::rows(out.at(0), delta.samples);
        // SAFETY: as above.
        unsafe { self.multiply((Direction::Back, Shared::ByRows), left, right, shape, to) }
    }

    /// The gradient of a dense layer's weights, written or added.
    pub(crate) fn dense_gradient(&self, delta: Activations, x: Activations, out: &Memory, add: bool) -> Result<()> {
        let left = Factor::new(delta.at(0), Places::steps(delta.samples), Places::steps(1));
        let right = Factor::new(x.at(0), Places::steps(x.samples), Places::steps(1));
        let shape = Shape { rows: delta.channels, columns: x.channels, terms: delta.samples };
        let to = Finish { add: i32::from(add), ..Finish::rows(out.address(), x.channels) };
        // SAFETY: as above.
        unsafe { self.multiply((Direction::Gradient, Shared::ByTiles), left, right, shape, to) }
    }

    /// A convolution; zeros between samples are in place.
    pub(crate) fn convolve(
        &self,
        reading: Reading,
        kernel: KernelAt,
        bias: Option<&Memory>,
        slope: f32,
        x: Activations,
        out: Activations,
    ) -> Result<()> {
        let direction = if kernel.to < kernel.from { Direction::Back } else { Direction::Forward };
        let rows = Finish::rows(out.at(0), out.row()).after(bias, slope);
        let weights = |taps: &[usize]| {
            let (terms, first) = Places::taps(kernel.from, taps);
            let values = kernel.values.address() + (first * size_of::<f32>()) as u64;
            Factor::new(values, Places::steps(kernel.to), terms)
        };
        // `reads` are places from the zero before the first row on.
        let input = |reads: &[usize], side: Places| {
            let (terms, first) = Places::taps(x.row(), reads);
            Factor::new(x.memory.address() + (first * size_of::<f32>()) as u64, side, terms)
        };
        match reading {
            Reading::Gathers { stride, shifts } => {
                let side = Places::samples(out.segment(), out.length, x.segment(), stride);
                let right = input(&shifts.map(|shift| LEAD.wrapping_add_signed(shift)), side);
                let shape = Shape { rows: out.channels, columns: out.row(), terms: 3 * x.channels };
                let (group, length) = (out.segment() as u32, out.length as u32);
                let to = Finish { group, length, major: u64::from(group), ..rows };
                // SAFETY: a position reads at most one place before its sample's first and, where it counts, one after its
                // last: zeros between samples, or those before and after all rows.
                unsafe { self.multiply((direction, Shared::Never), weights(&[0, 1, 2]), right, shape, to) }
            }
            Reading::Spreads { pad } => {
                for q in 0..2 {
                    let taps: Vec<usize> = (0..3).filter(|t| (q + pad + t) % 2 == 0).collect();
                    let reads: Vec<usize> = taps.iter().map(|t| LEAD + (q + pad + 4 - t) / 2 - 2).collect();
                    let right = input(&reads, Places::steps(1));
                    let shape = Shape { rows: out.channels, columns: x.row(), terms: taps.len() * x.channels };
                    let (group, length, major) = (x.segment() as u32, out.length as u32, out.segment() as u64);
                    let to = Finish { group, minor: 2, offset: q as u32, length, major, ..rows };
                    // SAFETY: as above.
                    unsafe { self.multiply((direction, Shared::Never), weights(&taps), right, shape, to)? };
                }
                Ok(())
            }
        }
    }

    /// The gradient of a convolution's weights, written or added: for channel m of `rows` and what `x` reads for it by
    /// number t of the kernel.
    pub(crate) fn correlate(
        &self,
        stride: usize,
        shifts: [isize; 3],
        rows: Activations,
        x: Activations,
        out: &Memory,
        add: bool,
    ) -> Result<()> {
        let left = Factor::new(rows.at(0), Places::steps(rows.row()), Places::steps(1));
        let (side, first) = Places::taps(x.row(), &shifts.map(|shift| LEAD.wrapping_add_signed(shift)));
        let terms = Places::samples(rows.segment(), rows.length, x.segment(), stride);
        let right = Factor::new(x.memory.address() + (first * size_of::<f32>()) as u64, side, terms);
        let shape = Shape { rows: rows.channels, columns: 3 * x.channels, terms: rows.row() };
        let to = Finish { add: i32::from(add), ..Finish::rows(out.address(), 3 * x.channels) };
        // SAFETY: as above.
        unsafe { self.multiply((Direction::Gradient, Shared::ByTiles), left, right, shape, to) }
    }
}
