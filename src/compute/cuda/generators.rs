//! What neural generators need on a GPU beside their layers: the twins of loops in `models/neural`, `train/neural` and
//! `nn/optimiser.rs`.

use super::kernels::{Arguments, GENERATORS, Grid};
use super::layers::Activations;
use super::{Cuda, Memory};
use crate::error::Result;
use crate::panel::bits::BitMatrix;

/// Random words of rows: row n reads stream `stream + n x streams`, from word `first + n x words` on.
#[derive(Clone, Copy)]
pub(crate) struct RowWords {
    pub seed: u64,
    pub stream: u64,
    pub streams: u32,
    pub first: u64,
    pub words: u64,
}

/// Packed bits in a GPU's memory.
pub(crate) struct Packed {
    memory: Memory,
    stride: usize,
    columns: usize,
}

/// How a list of parameters steps.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// Weight decay.
    pub decay: f32,
    /// The size of the step, with the correction of the first moment.
    pub rate: f32,
    /// How much of both moments stays.
    pub keep: (f32, f32),
    /// The correction of the second moment.
    pub correction: f32,
    /// How much of the running average stays.
    pub keep_average: f32,
}

/// What an auxiliary classifier's loss is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Classes {
    pub names: usize,
    /// Haplotypes that the critic sees at once.
    pub pack: usize,
    /// The weight of a haplotype's loss.
    pub share: f64,
    /// Whether it is the generator's loss, or of real (0) or artificial (1) samples.
    pub side: Option<usize>,
    /// The critic's steps of an update.
    pub steps: f64,
}

/// Blocks that leave their sums.
const BLOCKS: usize = 256;

impl Cuda {
    /// Packed bits, copied.
    pub(crate) fn packed(&self, bits: &BitMatrix) -> Result<Packed> {
        Ok(Packed { memory: self.upload(bits.words())?, stride: bits.stride(), columns: bits.columns() })
    }

    /// Standard normal numbers for channels x positions, which are number `at` on of a row's.
    pub(crate) fn normal_numbers(&self, words: RowWords, at: usize, out: Activations) -> Result<()> {
        let arguments = Arguments::default()
            .value(words.seed)
            .value(words.stream)
            .value(words.streams)
            .value(words.first)
            .value(words.words)
            .value(at as u64);
        let arguments = out.shape(arguments).value(out.at(0));
        // SAFETY: as the kernel takes them.
        unsafe { self.launch_over(&GENERATORS, "noise", out.count(), arguments) }
    }

    /// Whole numbers below 2^32, copied.
    fn numbers(&self, numbers: &[usize]) -> Result<Memory> {
        self.upload(&numbers.iter().map(|number| *number as u32).collect::<Vec<_>>())
    }

    /// One-hot codes of labels: a channel a name.
    pub(crate) fn label_codes(&self, labels: &[usize], out: Activations) -> Result<()> {
        let labels = self.numbers(labels)?;
        let arguments = out.shape(Arguments::default().memory(&labels)).value(out.at(0));
        // SAFETY: as the kernel takes them; there is a label a sample.
        unsafe { self.launch_over(&GENERATORS, "label_codes", out.count(), arguments) }
    }

    /// Alleles of rows as -1 and 1.
    pub(crate) fn alleles(&self, bits: &Packed, rows: &[usize], out: Activations) -> Result<()> {
        let rows = self.numbers(rows)?;
        let arguments = Arguments::default()
            .memory(&bits.memory)
            .value(bits.stride as u64)
            .memory(&rows)
            .value(out.samples as u32)
            .value(bits.columns as u32)
            .value(out.segment() as u32)
            .value(out.at(0));
        // SAFETY: as the kernel takes them; rows are those of the bits, and the output has a number for each.
        unsafe { self.launch_over(&GENERATORS, "alleles", out.count(), arguments) }
    }

    /// Alleles drawn from log odds, and slopes that stand for how they change.
    pub(crate) fn straight_through(
        &self,
        odds: Activations,
        columns: usize,
        (seed, stream): (u64, u64),
        drawn: Activations,
        slopes: Activations,
    ) -> Result<()> {
        let arguments = Arguments::default()
            .value(odds.at(0))
            .value(odds.count() as u64)
            .value(odds.segment() as u32)
            .value(columns.min(odds.length) as u32)
            .value(seed)
            .value(stream)
            .value(drawn.at(0))
            .value(slopes.at(0));
        // SAFETY: as the kernel takes them; the three have one shape.
        unsafe { self.launch_over(&GENERATORS, "straight_through", odds.count(), arguments) }
    }

    /// Points between x and `fake`: shares of samples, of which there are so many as numbers.
    pub(crate) fn mix(&self, x: Activations, fake: Activations, shares: &[f32]) -> Result<()> {
        let uploaded = self.upload(shares)?;
        let arguments = Arguments::default()
            .value(x.at(0))
            .value(fake.at(0))
            .memory(&uploaded)
            .value(x.segment() as u32)
            .value(shares.len() as u32)
            .value(x.count() as u64);
        // SAFETY: as the kernel takes them; both have one shape.
        unsafe { self.launch_over(&GENERATORS, "mix", x.count(), arguments) }
    }

    /// The gradient of the critic's loss, or of the generator's, with respect to what the critic gave.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn critic_loss(
        &self,
        given: Activations,
        samples: usize,
        generator: bool,
        wasserstein: bool,
        steps: f64,
        seed: Activations,
        losses: &Memory,
    ) -> Result<()> {
        let arguments = Arguments::default()
            .value(given.at(0))
            .value(samples as u32)
            .value(i32::from(generator))
            .value(i32::from(wasserstein))
            .value(steps)
            .value(seed.at(0))
            .memory(losses);
        // SAFETY: as the kernel takes them; channel 0 has a number a sample.
        unsafe { self.launch(&GENERATORS, "critic_loss", one_block(), arguments) }
    }

    /// The loss of an auxiliary classifier of what a critic gave for samples `first` on.
    pub(crate) fn label_loss(
        &self,
        given: Activations,
        first: usize,
        labels: &[usize],
        of: Classes,
        seed: Activations,
        losses: &Memory,
    ) -> Result<()> {
        let uploaded = self.numbers(labels)?;
        let arguments = Arguments::default()
            .value(given.at(0))
            .value(given.row() as u32)
            .value(first as u32)
            .memory(&uploaded)
            .value(labels.len() as u32)
            .value((labels.len() / of.pack) as u32)
            .value(of.names as u32)
            .value(of.share)
            .value(i32::from(of.side.is_none()))
            .value(of.side.unwrap_or(0) as i32)
            .value(of.steps)
            .value(seed.at(0))
            .memory(losses);
        // SAFETY: as the kernel takes them; the critic gives 1 + pack x names channels.
        unsafe { self.launch(&GENERATORS, "label_loss", one_block(), arguments) }
    }

    /// The gradient of the penalty on the lengths of gradients.
    pub(crate) fn penalty(
        &self,
        g: Activations,
        wasserstein: bool,
        penalty: f64,
        every: f64,
        out: Activations,
        losses: &Memory,
    ) -> Result<()> {
        let squares = self.memory(size_of::<f64>() * g.samples)?;
        let factors = self.memory(size_of::<f32>() * g.samples)?;
        let arguments = Arguments::default()
            .value(g.at(0))
            .value(g.channels as u32)
            .value(g.samples as u32)
            .value(g.segment() as u32)
            .memory(&squares);
        let width = g.channels * g.segment();
        // SAFETY: as the kernel takes them; a number a sample.
        unsafe { self.launch_blocks(&GENERATORS, "sample_squares", g.samples, width, arguments)? };
        let arguments = Arguments::default()
            .memory(&squares)
            .value(g.samples as u32)
            .value(i32::from(wasserstein))
            .value(penalty)
            .value(every)
            .memory(&factors)
            .memory(losses);
        // SAFETY: as above.
        unsafe { self.launch(&GENERATORS, "penalty_factors", one_block(), arguments)? };
        let arguments = Arguments::default()
            .value(g.at(0))
            .memory(&factors)
            .value(g.segment() as u32)
            .value(g.samples as u32)
            .value(g.count() as u64)
            .value(out.at(0));
        // SAFETY: as above; both have one shape.
        unsafe { self.launch_over(&GENERATORS, "scale_samples", g.count(), arguments) }
    }

    /// z from means and log variances, `given`, and noise.
    pub(crate) fn code(&self, given: Activations, noise: Activations, z: Activations) -> Result<()> {
        let arguments =
            Arguments::default().value(given.at(0)).value(noise.at(0)).value(z.count() as u64).value(z.at(0));
        // SAFETY: as the kernel takes them; there are twice as many numbers given.
        unsafe { self.launch_over(&GENERATORS, "code", z.count(), arguments) }
    }

    /// Adds what blocks left, over a number, to loss number `which`.
    fn add_blocks(&self, parts: &Memory, blocks: usize, over: f64, losses: &Memory, which: usize) -> Result<()> {
        let arguments = Arguments::default()
            .memory(parts)
            .value(blocks as u32)
            .value(over)
            .value(losses.address() + (which * size_of::<f64>()) as u64);
        // SAFETY: as the kernel takes them.
        unsafe { self.launch(&GENERATORS, "add_blocks", one_block(), arguments) }
    }

    /// The gradient of the binary cross entropy, and its mean over samples, which is added to loss number `which`.
    pub(crate) fn cross_entropy(
        &self,
        odds: Activations,
        x: Activations,
        seed: Activations,
        losses: &Memory,
        which: usize,
    ) -> Result<()> {
        let (grid, blocks) = some_blocks(odds.count());
        let parts = self.memory(size_of::<f64>() * blocks)?;
        let arguments = Arguments::default()
            .value(odds.at(0))
            .value(x.at(0))
            .value(odds.count() as u64)
            .value(odds.samples as f32)
            .value(seed.at(0))
            .memory(&parts);
        // SAFETY: as the kernel takes them; the three have one shape, and a block leaves one sum.
        unsafe { self.launch(&GENERATORS, "cross_entropy", grid, arguments)? };
        self.add_blocks(&parts, blocks, odds.samples as f64, losses, which)
    }

    /// The gradient of means and log variances, and the mean divergence, which is added to loss number `which`.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn code_back(
        &self,
        given: Activations,
        noise: Activations,
        of_z: Activations,
        share: f32,
        out: Activations,
        losses: &Memory,
        which: usize,
    ) -> Result<()> {
        let (grid, blocks) = some_blocks(of_z.count());
        let parts = self.memory(size_of::<f64>() * blocks)?;
        let arguments = Arguments::default()
            .value(given.at(0))
            .value(noise.at(0))
            .value(of_z.at(0))
            .value(share)
            .value(of_z.count() as u64)
            .value(out.at(0))
            .memory(&parts);
        // SAFETY: as above; there are twice as many numbers given.
        unsafe { self.launch(&GENERATORS, "code_back", grid, arguments)? };
        self.add_blocks(&parts, blocks, of_z.samples as f64, losses, which)
    }

    /// A step of `count` parameters.
    pub(crate) fn descend(
        &self,
        parameters: &Memory,
        moments: (Option<&Memory>, &Memory),
        average: Option<&Memory>,
        gradient: &Memory,
        count: usize,
        step: Step,
    ) -> Result<()> {
        let arguments = Arguments::default()
            .memory(parameters)
            .maybe(moments.0)
            .memory(moments.1)
            .maybe(average)
            .memory(gradient)
            .value(count as u64)
            .value(step.decay)
            .value(step.rate)
            .value(step.keep.0)
            .value(step.keep.1)
            .value(step.correction)
            .value(step.keep_average);
        // SAFETY: as the kernel takes them; all lists have `count` numbers.
        unsafe { self.launch_over(&GENERATORS, "descend", count, arguments) }
    }

    /// Has an average follow parameters that no step moves.
    pub(crate) fn follow(&self, parameters: &Memory, average: &Memory, count: usize, keep: f32) -> Result<()> {
        let arguments = Arguments::default().memory(parameters).memory(average).value(count as u64).value(keep);
        // SAFETY: as above.
        unsafe { self.launch_over(&GENERATORS, "follow", count, arguments) }
    }

    /// Log odds in the processor's memory, a row each.
    pub(crate) fn rows_of(&self, given: Activations, columns: usize, out: &mut [f32]) -> Result<()> {
        let rows = self.memory(size_of_val(out))?;
        let arguments = Arguments::default()
            .value(given.at(0))
            .value(given.samples as u32)
            .value(columns as u32)
            .value(given.segment() as u32)
            .memory(&rows);
        // SAFETY: as the kernel takes them; the network gives at least so many columns.
        unsafe { self.launch_over(&GENERATORS, "rows_of", given.samples * columns, arguments)? };
        rows.download(out)
    }

    /// Alleles from log odds: row n has words of stream `words.stream + n` from chunk `chunk` on, if they are drawn.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn decide(
        &self,
        given: Activations,
        columns: usize,
        bias: &Memory,
        sharpness: f32,
        drawn: bool,
        (seed, stream): (u64, u64),
        chunk: u64,
        out: &mut [u64],
    ) -> Result<()> {
        let packed = self.memory(size_of_val(out))?;
        let arguments = Arguments::default()
            .value(given.at(0))
            .value(given.samples as u32)
            .value(columns as u32)
            .value(given.segment() as u32)
            .memory(bias)
            .value(sharpness)
            .value(i32::from(drawn))
            .value(seed)
            .value(stream)
            .value(chunk)
            .memory(&packed)
            .value((out.len() / given.samples.max(1)) as u32);
        let threads = 16 * out.len();
        let grid = Grid { blocks: (threads.div_ceil(256), 1), threads: 256, shared: 0 };
        if threads == 0 {
            return Ok(());
        }
        // SAFETY: as the kernel takes them; the output has whole rows of words for the columns.
        unsafe { self.launch(&GENERATORS, "draw_alleles", grid, arguments)? };
        packed.download(out)
    }
}

fn one_block() -> Grid {
    Grid { blocks: (1, 1), threads: 256, shared: 0 }
}

/// Blocks over so many numbers, few enough for their sums to be added by one.
fn some_blocks(numbers: usize) -> (Grid, usize) {
    let blocks = numbers.div_ceil(1024).clamp(1, BLOCKS);
    (Grid { blocks: (blocks, 1), threads: 256, shared: 0 }, blocks)
}
