//! Layers of neural networks on a GPU, forward and backward: the twins of the loops in `nn`.
//!
//! Everything is done in the processor's operations, save that sums over many numbers are made in another order, which is always
//! the same.

use super::kernels::{Arguments, Grid, LAYERS, Source};
use super::{Cuda, Memory};
use crate::error::Result;

/// Zeros before and after all rows of activations.
pub(crate) const LEAD: usize = 1;

/// Activations in a GPU's memory: see `nn::Tensor`.
#[derive(Clone, Copy)]
pub(crate) struct Activations<'a> {
    pub memory: &'a Memory,
    pub channels: usize,
    pub samples: usize,
    pub length: usize,
}

impl Activations<'_> {
    pub(super) fn segment(&self) -> usize {
        self.length + usize::from(self.length > 1)
    }

    pub(super) fn row(&self) -> usize {
        self.samples * self.segment()
    }

    /// Numbers of all rows.
    pub(super) fn count(&self) -> usize {
        self.channels * self.row()
    }

    /// The address of number `from` of the rows.
    pub(super) fn at(&self, from: usize) -> u64 {
        self.memory.address() + ((LEAD + from) * size_of::<f32>()) as u64
    }

    /// The arguments that say how they lie.
    pub(super) fn shape(&self, arguments: Arguments) -> Arguments {
        arguments
            .value(self.channels as u32)
            .value(self.samples as u32)
            .value(self.length as u32)
            .value(self.segment() as u32)
    }
}

/// What is done to each number, or to each pair (`Each` in cuda/layers.cu).
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(i32)]
pub(crate) enum Each {
    Leaky,
    Tanh,
    Logistic,
    Sum,
    Product,
    LeakyBack,
    TanhBack,
    LogisticBack,
    TanhBent,
    LogisticBent,
}

impl Cuda {
    /// Launches a kernel that takes its numbers one by one, or a block for each of so many.
    ///
    /// # Safety
    /// As [`Cuda::launch`].
    pub(super) unsafe fn launch_over(
        &self,
        source: &'static Source,
        name: &'static str,
        numbers: usize,
        arguments: Arguments,
    ) -> Result<()> {
        match numbers {
            0 => Ok(()),
            // SAFETY: the caller's.
            _ => unsafe { self.launch(source, name, Grid::over(numbers), arguments) },
        }
    }

    /// Launches a kernel of `blocks` blocks, each of which walks over `width` numbers.
    ///
    /// # Safety
    /// As [`Cuda::launch`].
    pub(super) unsafe fn launch_blocks(
        &self,
        source: &'static Source,
        name: &'static str,
        blocks: usize,
        width: usize,
        arguments: Arguments,
    ) -> Result<()> {
        let threads = width.div_ceil(4).next_multiple_of(32).clamp(32, 1024);
        match blocks {
            0 => Ok(()),
            // SAFETY: the caller's.
            _ => unsafe { self.launch(source, name, Grid { blocks: (blocks, 1), threads, shared: 0 }, arguments) },
        }
    }

    /// Does `what` to numbers, or pairs of numbers, of the rows; `out` may be one of them.
    pub(crate) fn each(
        &self,
        what: Each,
        a: Activations,
        b: Option<Activations>,
        slope: f32,
        out: Activations,
    ) -> Result<()> {
        let count = a.count().min(out.count());
        let arguments = Arguments::default()
            .value(what as i32)
            .value(a.at(0))
            .value(b.map_or(0, |b| b.at(0)))
            .value(slope)
            .value(out.at(0))
            .value(count as u64);
        // SAFETY: as the kernel takes them; tensors have the same shape, as callers see to.
        unsafe { self.launch_over(&LAYERS, "each", count, arguments) }
    }

    /// Adds the rows of `from` to those of `into` from number `at` on.
    pub(crate) fn add_at(&self, from: Activations, into: Activations, at: usize) -> Result<()> {
        debug_assert!(at + from.count() <= into.count());
        let arguments = Arguments::default()
            .value(Each::Sum as i32)
            .value(into.at(at))
            .value(from.at(0))
            .value(1.0f32)
            .value(into.at(at))
            .value(from.count() as u64);
        // SAFETY: as the kernel takes them; the rows end inside the target.
        unsafe { self.launch_over(&LAYERS, "each", from.count(), arguments) }
    }

    /// Copies `rows` rows of `width` numbers, from number `from.0` of the source on, `from.1` apart, to number `to.0` of the
    /// target, `to.1` apart.
    pub(crate) fn copy_across(
        &self,
        source: Activations,
        from: (usize, usize),
        target: Activations,
        to: (usize, usize),
        width: usize,
        rows: usize,
    ) -> Result<()> {
        let last = |(first, pitch): (usize, usize)| first + rows.saturating_sub(1) * pitch + width;
        debug_assert!(last(from) <= source.count() && last(to) <= target.count());
        let arguments = Arguments::default()
            .value(source.at(from.0))
            .value(from.1 as u64)
            .value(target.at(to.0))
            .value(to.1 as u64)
            .value(width as u64)
            .value(rows as u32);
        // SAFETY: as the kernel takes them; rows end inside source and target.
        unsafe { self.launch_over(&LAYERS, "copy_across", width * rows, arguments) }
    }

    /// Puts the zeros between samples back.
    pub(crate) fn close_gaps(&self, of: Activations) -> Result<()> {
        if of.length <= 1 {
            return Ok(());
        }
        let samples = of.channels * of.samples;
        let arguments = Arguments::default().value(of.at(0)).value(samples as u64).value(of.segment() as u32);
        // SAFETY: as the kernel takes them.
        unsafe { self.launch_over(&LAYERS, "close_gaps", samples, arguments) }
    }

    /// Channels x positions of each sample as units, or, with `back`, units as channels x positions.
    pub(crate) fn flatten(&self, x: Activations, out: Activations, back: bool) -> Result<()> {
        let (name, shape) = if back { ("fold", out) } else { ("flatten", x) };
        let arguments = shape.shape(Arguments::default().value(x.at(0))).value(out.at(0));
        // SAFETY: as the kernel takes them: the same numbers in both shapes.
        unsafe { self.launch_over(&LAYERS, name, shape.count(), arguments) }
    }

    /// Values of channels x positions for each sample.
    pub(crate) fn location(&self, values: &Memory, out: Activations) -> Result<()> {
        let arguments = out.shape(Arguments::default().memory(values)).value(out.at(0));
        // SAFETY: as the kernel takes them.
        unsafe { self.launch_over(&LAYERS, "location", out.count(), arguments) }
    }

    /// Adds the gradient of a location's values.
    pub(crate) fn location_gradient(&self, delta: Activations, sums: &Memory) -> Result<()> {
        let arguments = delta.shape(Arguments::default().value(delta.at(0))).memory(sums);
        // SAFETY: as the kernel takes them.
        unsafe { self.launch_over(&LAYERS, "location_gradient", delta.channels * delta.length, arguments) }
    }

    /// A layer with weights of its own at each position; with `back`, the gradient of its inputs.
    pub(crate) fn local(&self, weights: &Memory, x: Activations, out: Activations, back: bool) -> Result<()> {
        let arguments = Arguments::default()
            .memory(weights)
            .value(x.at(0))
            .value(out.channels as u32)
            .value(x.channels as u32)
            .value(i32::from(back))
            .value(out.samples as u32)
            .value(out.length as u32)
            .value(out.segment() as u32)
            .value(out.at(0));
        // SAFETY: as the kernel takes them; weights are outputs x inputs x positions.
        unsafe { self.launch_over(&LAYERS, "local", out.count(), arguments) }
    }

    /// Adds the gradient of such a layer's weights.
    pub(crate) fn local_gradient(&self, x: Activations, delta: Activations, sums: &Memory) -> Result<()> {
        let arguments = Arguments::default()
            .value(x.at(0))
            .value(delta.at(0))
            .value(x.channels as u32)
            .value(delta.channels as u32)
            .value(x.samples as u32)
            .value(x.length as u32)
            .value(x.segment() as u32)
            .memory(sums);
        // SAFETY: as above.
        unsafe { self.launch_over(&LAYERS, "local_gradient", x.channels * delta.channels * x.length, arguments) }
    }

    /// Parts of each of so many groups of `width` numbers: few wide ones are shared by blocks.
    fn parts(&self, groups: usize, width: usize) -> usize {
        let wanted = (2 * self.description().processors).div_ceil(groups.max(1));
        wanted.min(width / WIDE).clamp(1, MOST_PARTS)
    }

    /// Adds the sum of each channel.
    pub(crate) fn channel_sums(&self, delta: Activations, gradient: &Memory) -> Result<()> {
        let (channels, row) = (delta.channels, delta.row());
        let parts = self.parts(channels, row);
        let sums = self.memory(size_of::<f64>() * channels * parts)?;
        let arguments = Arguments::default().value(delta.at(0)).value(row as u64).value(parts as u32).memory(&sums);
        // SAFETY: as the kernel takes them; a sum a part.
        unsafe { self.launch_blocks(&LAYERS, "channel_sums", channels * parts, row / parts, arguments)? };
        self.add_group_sums(&sums, channels, (parts, 1, 0), gradient)
    }

    /// Adds to a channel's number that of `groups.0` groups, which are `groups.1` numbers apart, number `groups.2` of each.
    fn add_group_sums(
        &self,
        sums: &Memory,
        channels: usize,
        groups: (usize, usize, usize),
        gradient: &Memory,
    ) -> Result<()> {
        let arguments = Arguments::default()
            .memory(sums)
            .value(channels as u32)
            .value(groups.0 as u32)
            .value(groups.1 as u32)
            .value(groups.2 as u32)
            .memory(gradient);
        // SAFETY: as the kernel takes them; a number a channel.
        unsafe { self.launch_over(&LAYERS, "add_group_sums", channels, arguments) }
    }

    /// 0 for a share of the numbers, `kept` for the rest, by the words of a stream from `first` on.
    pub(crate) fn dropout_mask(
        &self,
        (seed, stream): (u64, u64),
        first: u64,
        share: f64,
        kept: f32,
        out: Activations,
    ) -> Result<()> {
        let arguments = Arguments::default()
            .value(seed)
            .value(stream)
            .value(first)
            .value(share)
            .value(kept)
            .value(out.count() as u64)
            .value(out.at(0));
        // SAFETY: as the kernel takes them.
        unsafe { self.launch_over(&LAYERS, "dropout_mask", out.count(), arguments) }
    }
}

/// Mean and variance of groups of numbers, and what follows their normalisation.
#[derive(Clone, Copy)]
pub(crate) struct Normalising<'a> {
    /// Mean, variance and 1 / sqrt(variance + 1e-5) of each group, in double precision.
    pub groups: &'a Memory,
    /// Scales and shifts of the channels.
    pub scale: &'a Memory,
    pub shift: &'a Memory,
    /// The slope below 0.
    pub slope: f32,
    /// Whether groups are whole channels.
    pub batch: bool,
    /// Whether mean and variance are given, and do not depend on what is normalised.
    pub fixed: bool,
}

/// `Groups` in cuda/layers.cu.
#[derive(Clone, Copy)]
#[repr(C)]
struct Groups {
    scale: u64,
    shift: u64,
    groups: u64,
    sums: u64,
    width: u64,
    per_channel: u32,
    length: u32,
    segment: u32,
    size: u32,
    parts: u32,
    slope: f32,
    fixed: i32,
}

/// What is summed over a group (`Summed` in cuda/layers.cu).
#[derive(Clone, Copy)]
enum Summed {
    Numbers,
    Squares,
    Back,
    Tangent,
    Second,
}

/// Groups that are about to be worked on, and their sums if blocks share them.
struct Work<'a> {
    cuda: &'a Cuda,
    groups: Groups,
    count: usize,
    /// Keeps the memory of the sums.
    _sums: Option<Memory>,
}

/// Numbers that are worth a block of their own.
const WIDE: usize = 4096;
/// Parts of a group at most: the threads of a block add what parts left.
const MOST_PARTS: usize = 64;
/// `SUMS` in cuda/layers.cu.
const SUMS: usize = 5;

impl Normalising<'_> {
    fn work<'a>(&self, cuda: &'a Cuda, x: Activations) -> Result<Work<'a>> {
        let (per_channel, width, size) = match self.batch {
            true => (1, x.row(), x.samples * x.length),
            false => (x.samples, x.segment(), x.length),
        };
        let count = x.channels * per_channel;
        let parts = cuda.parts(count, width);
        let sums = match parts {
            1 => None,
            _ => Some(cuda.memory(count * parts * SUMS * size_of::<f64>())?),
        };
        let groups = Groups {
            scale: self.scale.address(),
            shift: self.shift.address(),
            groups: self.groups.address(),
            sums: sums.as_ref().map_or(0, Memory::address),
            width: width as u64,
            per_channel: per_channel as u32,
            length: x.length as u32,
            segment: x.segment() as u32,
            size: size as u32,
            parts: parts as u32,
            slope: self.slope,
            fixed: i32::from(self.fixed),
        };
        Ok(Work { cuda, groups, count, _sums: sums })
    }
}

impl Work<'_> {
    /// # Safety
    /// As [`Cuda::launch`]; `arguments` are what the kernel takes after the groups.
    unsafe fn launch(&self, name: &'static str, arguments: impl FnOnce(Arguments) -> Arguments) -> Result<()> {
        let (parts, width) = (self.groups.parts as usize, self.groups.width as usize);
        let arguments = arguments(Arguments::default().value(self.groups));
        // SAFETY: the caller's.
        unsafe { self.cuda.launch_blocks(&LAYERS, name, self.count * parts, width.div_ceil(parts), arguments) }
    }

    /// Leaves sums over groups that several blocks share.
    fn sum(&self, what: Summed, x: Activations, u: Option<Activations>, delta: Option<Activations>) -> Result<()> {
        if self.groups.parts == 1 {
            return Ok(());
        }
        let rows = |of: Option<Activations>| of.map_or(0, |of| of.at(0));
        // SAFETY: as the kernel takes them; groups are those of x's shape, and there are sums for each part.
        unsafe {
            self.launch("normalise_sums", |list| {
                list.value(what as i32).value(x.at(0)).value(rows(u)).value(rows(delta))
            })
        }
    }
}

impl Cuda {
    /// Room for mean, variance and the inverse deviation of so many groups.
    pub(crate) fn groups(&self, count: usize) -> Result<Memory> {
        self.memory(3 * size_of::<f64>() * count)
    }

    /// Normalises, and keeps mean and variance, which are `given` for each channel where they are fixed.
    pub(crate) fn normalise(
        &self,
        of: &Normalising,
        x: Activations,
        given: Option<(&Memory, &Memory)>,
        out: Activations,
    ) -> Result<()> {
        let work = of.work(self, x)?;
        if given.is_none() {
            work.sum(Summed::Numbers, x, None, None)?;
            work.sum(Summed::Squares, x, None, None)?;
        }
        let (means, variances) = given.unzip();
        // SAFETY: as the kernel takes them; groups are those of x's shape.
        unsafe { work.launch("normalise", |list| list.value(x.at(0)).maybe(means).maybe(variances).value(out.at(0))) }
    }

    /// The gradient of what was normalised; the gradients of scale and shift are added.
    pub(crate) fn normalise_back(
        &self,
        of: &Normalising,
        x: Activations,
        u: Activations,
        out: Activations,
        gradients: Option<[&Memory; 2]>,
    ) -> Result<()> {
        let work = of.work(self, x)?;
        work.sum(Summed::Back, x, Some(u), None)?;
        let sums = self.memory(2 * size_of::<f64>() * work.count)?;
        // SAFETY: as above; two sums a group.
        unsafe {
            work.launch("normalise_back", |list| list.value(x.at(0)).value(u.at(0)).memory(&sums).value(out.at(0)))?
        };
        for (which, gradient) in gradients.into_iter().flatten().enumerate() {
            self.add_group_sums(&sums, x.channels, (work.groups.per_channel as usize, 2, which), gradient)?;
        }
        Ok(())
    }

    /// How the output moves as x moves along u.
    pub(crate) fn normalise_tangent(
        &self,
        of: &Normalising,
        x: Activations,
        u: Activations,
        out: Activations,
    ) -> Result<()> {
        let work = of.work(self, x)?;
        work.sum(Summed::Tangent, x, Some(u), None)?;
        // SAFETY: as above.
        unsafe { work.launch("normalise_tangent", |list| list.value(x.at(0)).value(u.at(0)).value(out.at(0))) }
    }

    /// What the second derivative sends back; the gradient of the scale is added.
    pub(crate) fn normalise_second(
        &self,
        of: &Normalising,
        x: Activations,
        delta: Activations,
        u: Activations,
        out: Activations,
        of_scale: &Memory,
    ) -> Result<()> {
        let work = of.work(self, x)?;
        work.sum(Summed::Second, x, Some(u), Some(delta))?;
        let sums = self.memory(2 * size_of::<f64>() * work.count)?;
        // SAFETY: as above.
        unsafe {
            work.launch("normalise_second", |list| {
                list.value(x.at(0)).value(delta.at(0)).value(u.at(0)).memory(&sums).value(out.at(0))
            })?
        };
        self.add_group_sums(&sums, x.channels, (work.groups.per_channel as usize, 2, 0), of_scale)
    }

    /// Running means and variances of channels become `share` of a batch's, and the rest of what they were.
    pub(crate) fn mix_statistics(
        &self,
        groups: &Memory,
        channels: usize,
        share: f64,
        unbiased: f64,
        [means, variances]: [&Memory; 2],
    ) -> Result<()> {
        let arguments = Arguments::default()
            .memory(groups)
            .value(channels as u32)
            .value(share)
            .value(unbiased)
            .memory(means)
            .memory(variances);
        // SAFETY: as the kernel takes them; a group a channel.
        unsafe { self.launch_over(&LAYERS, "mix_statistics", channels, arguments) }
    }
}
