//! Haplotypes of a neural generator. Number i is made of its own random words alone: the chunks from 1 on are the noise,
//! those after these the alleles. Chunk 0 of number j says the label of person j, where none is asked for; haplotypes of a
//! label that is asked for have words of their own, from chunk 2^32 (1 + the label's number) on, so that haplotype i of one
//! label shares no noise with haplotype i of another.

use super::{Labels, Latent, Neural};
use crate::compute::activation;
use crate::compute::cuda::{Cuda, Memory, RowWords};
use crate::compute::real::wide;
use crate::error::Result;
use crate::nn::{Graph, Network, Op, Tensor, Workspace};
use crate::panel::bits::BitMatrix;
use crate::rng::{CHUNK, Purpose, Stream};
use crate::threads::Threads;

/// Numbers of the largest layer that are worked on at a time: they stay in the second-level cache.
const NUMBERS: usize = 1 << 18;
/// Rows made at a time, at most.
const ROWS: usize = 240;

/// Numbers of the largest layer that a GPU works on at a time, at most: enough for all of its processors.
const NUMBERS_ON_GPU: usize = 1 << 26;
/// Bytes of a GPU's memory for each of them, at least: several layers are there at a time, and others may use it, too.
const BYTES_OF_GPU: usize = 128;
/// Rows that a GPU makes at a time, at most.
const ROWS_ON_GPU: usize = 4096;

/// A generator laid out for making haplotypes.
#[derive(Debug)]
pub struct Drawer {
    network: Network,
    latent: Latent,
    inputs: Inputs,
    labels: Labels,
    columns: usize,
    genotypes: bool,
    sharpness: f32,
    bias: Vec<f32>,
    drawn: bool,
    rows: usize,
    /// The biases in a GPU's memory.
    placed: Option<Memory>,
}

/// What goes into a generator: noise, and the code of a label.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Channels and positions of each input of noise.
    noise: Vec<(usize, usize)>,
    /// How many labels there are.
    labels: usize,
    /// Positions of the label's input; 0 without labels.
    label_length: usize,
}

impl Inputs {
    /// Those of a graph, the label last if there are labels.
    pub fn of(graph: &Graph, labels: usize) -> Self {
        let inputs = graph.nodes.iter().filter(|node| matches!(node.op, Op::Input(_)));
        let mut noise: Vec<(usize, usize)> = inputs.map(|node| (node.channels, node.length)).collect();
        let label_length = if labels == 0 { 0 } else { noise.pop().map_or(0, |(_, length)| length) };
        Inputs { noise, labels, label_length }
    }

    /// Numbers of noise of a row.
    pub fn size(&self) -> usize {
        self.noise.iter().map(|(channels, length)| channels * length).sum()
    }

    /// As the network reads them, from rows of noise and the rows' labels.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn tensors(&self, workspace: &mut Workspace<f32>, noise: &[f32], labels: &[usize]) -> Result<Vec<Tensor<f32>>> {
        let (count, size) = (labels.len(), self.size());
        let mut inputs = Vec::new();
        let mut first = 0;
        for (channels, length) in &self.noise {
            let mut input = workspace.host_zeros(*channels, count, *length);
            let (row, segment) = (input.row(), input.segment());
            workspace.threads_for(channels * row).for_each_piece(input.rows_mut(), row, |c, out| {
                for (n, out) in out.chunks_exact_mut(segment).enumerate() {
                    let from = n * size + first + c * length;
                    out[..*length].copy_from_slice(&noise[from..][..*length]);
                }
            })?;
            inputs.push(workspace.placed(input)?);
            first += channels * length;
        }
        if self.label_length > 0 {
            inputs.push(codes(workspace, labels, self.labels, self.label_length)?);
        }
        Ok(inputs)
    }

    /// The same from the words of one stream, row after row.
    ///
    /// # Errors
    /// The threads could not be started; `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn normal(&self, workspace: &mut Workspace<f32>, stream: Stream, labels: &[usize]) -> Result<Vec<Tensor<f32>>> {
        if let Some(cuda) = workspace.cuda() {
            let (seed, stream) = stream.parts();
            let words = RowWords { seed, stream, streams: 0, first: 0, words: self.size() as u64 };
            return self.drawn(workspace, &cuda, words, labels);
        }
        let mut noise = workspace.numbers(labels.len() * self.size());
        normals(&stream, 0, &mut noise);
        let inputs = self.tensors(workspace, &noise, labels)?;
        workspace.give(noise);
        Ok(inputs)
    }

    /// The same from standard normal numbers that are drawn where the workspace works, on a GPU.
    fn drawn(
        &self,
        workspace: &mut Workspace<f32>,
        cuda: &Cuda,
        words: RowWords,
        labels: &[usize],
    ) -> Result<Vec<Tensor<f32>>> {
        let mut inputs = Vec::new();
        let mut first = 0;
        for (channels, length) in &self.noise {
            let input = workspace.tensor(*channels, labels.len(), *length)?;
            cuda.normal_numbers(words, first, input.on_gpu()?)?;
            inputs.push(input);
            first += channels * length;
        }
        if self.label_length > 0 {
            inputs.push(codes(workspace, labels, self.labels, self.label_length)?);
        }
        Ok(inputs)
    }
}

/// Which rows are made, and of which label.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// The seed.
    pub seed: u64,
    /// What the random numbers are for.
    pub purpose: Purpose,
    /// The number of the first row.
    pub first: u64,
    /// How many.
    pub count: usize,
    /// The label; `None` for each person's own, in the labels' shares.
    pub label: Option<usize>,
}

impl Rows {
    /// The chunk of random words before those of a row's noise.
    fn chunk(&self) -> u64 {
        self.label.map_or(0, |label| (1 + label as u64) << 32)
    }
}

impl Drawer {
    /// For a generator of `sites` sites.
    pub fn new(model: &Neural, sites: usize) -> Self {
        let network = model.network.folded();
        let inputs = Inputs::of(&network.graph, model.labels.len());
        let largest = network.graph.nodes.iter().map(|n| n.channels * n.length).max().unwrap_or(1);
        Drawer {
            latent: model.latent.clone(),
            inputs,
            labels: model.labels.clone(),
            columns: model.columns(sites),
            genotypes: model.genotypes,
            sharpness: model.output.sharpness,
            bias: model.output.bias.clone(),
            drawn: model.drawn,
            rows: (NUMBERS / largest).clamp(1, ROWS),
            network,
            placed: None,
        }
    }

    /// Copies what it needs to where a workspace works, which is the one that it is then used with.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn place(&mut self, workspace: &Workspace<f32>) -> Result<()> {
        if let Some(cuda) = workspace.cuda() {
            self.network.place(workspace)?;
            self.placed = Some(cuda.upload(&self.bias)?);
            let largest = self.network.graph.nodes.iter().map(|n| n.channels * n.length).max().unwrap_or(1);
            let numbers = NUMBERS_ON_GPU.min(cuda.description().memory / BYTES_OF_GPU);
            self.rows = (numbers / largest).clamp(1, ROWS_ON_GPU);
        }
        Ok(())
    }

    /// Rows that it makes at a time.
    pub fn rows_at_a_time(&self) -> usize {
        self.rows
    }

    /// The label of a row. Where none is asked for it is drawn by person, so that haplotypes 2j and 2j + 1 have the same
    /// one: a person is of one population.
    pub fn label(&self, rows: Rows, row: u64) -> usize {
        let number = rows.first + row;
        let person = if self.genotypes { number } else { number / 2 };
        rows.label.unwrap_or_else(|| self.label_of_person(rows.seed, rows.purpose, person))
    }

    /// The label that is drawn for person `person`, whose haplotypes are 2 `person` and the one after it.
    pub fn label_of_person(&self, seed: u64, purpose: Purpose, person: u64) -> usize {
        self.labels.at(f64::from(Stream::new(seed, purpose, person).uniform(0)))
    }

    /// The noise of rows, a row each.
    fn noise(&self, workspace: &Workspace<f32>, rows: Rows) -> Result<Vec<f32>> {
        let size = self.inputs.size();
        let mut noise = vec![0.0f32; rows.count * size];
        workspace.threads().for_each_piece(&mut noise, size.max(1), |row, noise| {
            let stream = Stream::new(rows.seed, rows.purpose, rows.first + row as u64);
            normals(&stream, rows.chunk() + 1, noise);
            let uniform = stream.uniform(rows.chunk() * CHUNK as u64 + 1);
            self.latent.place(self.latent.cluster(uniform), noise);
        })?;
        Ok(noise)
    }

    /// What the network gives for rows.
    fn made(&self, workspace: &mut Workspace<f32>, rows: Rows) -> Result<Tensor<f32>> {
        let labels = self.labels(rows);
        let inputs = match (workspace.cuda(), &self.latent) {
            (Some(cuda), Latent::Normal) => {
                let (seed, stream) = Stream::new(rows.seed, rows.purpose, rows.first).parts();
                let first = (rows.chunk() + 1) * CHUNK as u64;
                self.inputs.drawn(workspace, &cuda, RowWords { seed, stream, streams: 1, first, words: 0 }, &labels)?
            }
            _ => {
                let noise = self.noise(workspace, rows)?;
                self.inputs.tensors(workspace, &noise, &labels)?
            }
        };
        let made = self.network.apply(workspace, &inputs.iter().collect::<Vec<_>>())?;
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        Ok(made)
    }

    /// Log odds of rows of noise, before sharpness and bias: a row each, `columns` numbers a row.
    ///
    /// # Errors
    /// The threads could not be started; `DeviceFailed`.
    pub fn log_odds(&self, workspace: &mut Workspace<f32>, noise: &[f32], labels: &[usize]) -> Result<Vec<f32>> {
        let inputs = self.inputs.tensors(workspace, noise, labels)?;
        let made = self.network.apply(workspace, &inputs.iter().collect::<Vec<_>>())?;
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        self.odds(workspace, made)
    }

    /// Log odds, a row each, of what the network gave.
    fn odds(&self, workspace: &mut Workspace<f32>, made: Tensor<f32>) -> Result<Vec<f32>> {
        let (columns, samples) = (self.columns, made.samples);
        let mut out = workspace.numbers(samples * columns);
        if let Some(cuda) = workspace.cuda() {
            cuda.rows_of(made.on_gpu()?, columns, &mut out)?;
        } else if made.length == 1 {
            let turned = workspace.turned(&made.rows()[..columns * samples], columns, samples)?;
            workspace.give(out);
            out = turned;
        } else {
            let source = &made;
            workspace.threads().clone().for_each_piece(&mut out, columns, |n, row| {
                row.copy_from_slice(&source.positions(0, n)[..columns]);
            })?;
        }
        workspace.give_tensor(made);
        Ok(out)
    }

    /// Rows, packed: a row each, a column a column of the network. Each thread makes rows of its own.
    fn packed(&self, workspace: &mut Workspace<f32>, rows: Rows) -> Result<BitMatrix> {
        let mut out = BitMatrix::zeros(rows.count, self.columns)?;
        let stride = out.stride();
        let threads = workspace.threads().clone();
        let share = rows.count.div_ceil(threads.count()).max(1);
        if share == rows.count || workspace.cuda().is_some() {
            self.fill(workspace, rows, out.words_mut())?;
            return Ok(out);
        }
        let mut shares: Vec<_> = out.words_mut().chunks_mut(share * stride).map(|words| (words, Ok(()))).collect();
        threads.for_each_piece(&mut shares, 1, |i, part| {
            for (words, done) in part {
                let (first, count) = (rows.first + (i * share) as u64, words.len() / stride);
                let mut own = Workspace::new(Threads::single());
                *done = self.fill(&mut own, Rows { first, count, ..rows }, words);
            }
        })?;
        shares.into_iter().try_for_each(|(_, done)| done).map(|()| out)
    }

    /// The words of rows.
    fn fill(&self, workspace: &mut Workspace<f32>, rows: Rows, words: &mut [u64]) -> Result<()> {
        let stride = words.len() / rows.count.max(1);
        for begin in (0..rows.count).step_by(self.rows) {
            let some = Rows { first: rows.first + begin as u64, count: (rows.count - begin).min(self.rows), ..rows };
            let words = &mut words[begin * stride..][..some.count * stride];
            if let (Some(cuda), Some(bias)) = (workspace.cuda(), &self.placed) {
                let made = self.made(workspace, some)?;
                let stream = Stream::new(some.seed, some.purpose, some.first).parts();
                let (given, chunk) = (made.on_gpu()?, self.alleles_from(some));
                cuda.decide(given, self.columns, bias, self.sharpness, self.drawn, stream, chunk, words)?;
                workspace.give_tensor(made);
                continue;
            }
            let made = self.made(workspace, some)?;
            let odds = self.odds(workspace, made)?;
            self.decide(workspace, &odds, some, words, stride)?;
            workspace.give(odds);
        }
        Ok(())
    }

    /// The label of each row; 0 where there are none.
    pub fn labels(&self, rows: Rows) -> Vec<usize> {
        (0..rows.count as u64).map(|row| if self.labels.is_empty() { 0 } else { self.label(rows, row) }).collect()
    }

    /// The first chunk of the words that decide alleles.
    fn alleles_from(&self, rows: Rows) -> u64 {
        rows.chunk() + 1 + self.inputs.size().div_ceil(CHUNK) as u64
    }

    /// Alleles from log odds.
    fn decide(
        &self,
        workspace: &Workspace<f32>,
        odds: &[f32],
        rows: Rows,
        words: &mut [u64],
        stride: usize,
    ) -> Result<()> {
        let columns = self.columns;
        let alleles_from = self.alleles_from(rows);
        workspace.threads().for_each_piece(words, stride, |n, out| {
            let stream = Stream::new(rows.seed, rows.purpose, rows.first + n as u64);
            let odds = &odds[n * columns..][..columns];
            for (c, ((out, odds), bias)) in out.iter_mut().zip(odds.chunks(64)).zip(self.bias.chunks(64)).enumerate() {
                let mut words = [0; CHUNK];
                *out = wide(|| {
                    if self.drawn {
                        stream.chunk(alleles_from + c as u64, &mut words);
                    }
                    pack(odds, bias, self.sharpness, self.drawn, &words)
                });
            }
        })
    }

    /// Haplotypes, a row each.
    ///
    /// # Errors
    /// `OutOfMemory`; the threads could not be started.
    pub fn haplotypes(&self, workspace: &mut Workspace<f32>, rows: Rows) -> Result<BitMatrix> {
        if !self.genotypes {
            return self.packed(workspace, rows);
        }
        // A person's row holds two haplotypes: those of even and of odd columns.
        let last = rows.first + rows.count as u64;
        let people = Rows { first: rows.first / 2, count: (last.div_ceil(2) - rows.first / 2) as usize, ..rows };
        let packed = self.packed(workspace, people)?;
        let mut out = BitMatrix::zeros(rows.count, self.columns / 2)?;
        for row in 0..rows.count {
            let haplotype = rows.first + row as u64;
            let (person, side) = ((haplotype / 2 - people.first) as usize, (haplotype % 2) as usize);
            for site in 0..self.columns / 2 {
                if packed.get(person, 2 * site + side) {
                    out.set(row, site, true);
                }
            }
        }
        Ok(out)
    }

    /// Log odds of rows, before sharpness and bias: what a calibration looks at.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn odds_of(&self, workspace: &mut Workspace<f32>, rows: Rows) -> Result<Vec<f32>> {
        let mut out = Vec::with_capacity(rows.count * self.columns);
        for begin in (0..rows.count).step_by(self.rows) {
            let some = Rows { first: rows.first + begin as u64, count: (rows.count - begin).min(self.rows), ..rows };
            let made = self.made(workspace, some)?;
            let odds = self.odds(workspace, made)?;
            out.extend_from_slice(&odds);
            workspace.give(odds);
        }
        Ok(out)
    }

    /// Alleles of rows whose log odds are at hand, with another sharpness and bias: the bits that a model with these makes.
    ///
    /// # Errors
    /// `OutOfMemory`; the threads could not be started.
    pub fn decided(
        &mut self,
        workspace: &Workspace<f32>,
        odds: &[f32],
        rows: Rows,
        sharpness: f32,
        bias: &[f32],
    ) -> Result<BitMatrix> {
        self.sharpness = sharpness;
        self.bias.copy_from_slice(bias);
        let mut out = BitMatrix::zeros(rows.count, self.columns)?;
        let stride = out.stride();
        self.decide(workspace, odds, rows, out.words_mut(), stride)?;
        Ok(out)
    }
}

/// One-hot codes of labels, the same at every position.
///
/// # Errors
/// `OutOfDeviceMemory`, `DeviceFailed`.
pub fn codes(workspace: &mut Workspace<f32>, labels: &[usize], names: usize, length: usize) -> Result<Tensor<f32>> {
    if let Some(cuda) = workspace.cuda() {
        let codes = workspace.tensor(names, labels.len(), length)?;
        cuda.label_codes(labels, codes.on_gpu()?)?;
        return Ok(codes);
    }
    let mut codes = workspace.host_zeros(names, labels.len(), length);
    labels.iter().enumerate().for_each(|(n, label)| codes.positions_mut(*label, n).fill(1.0));
    Ok(codes)
}

/// Standard normal numbers from the words of chunk `chunk` on, one from each word.
pub fn normals(stream: &Stream, chunk: u64, out: &mut [f32]) {
    for (c, out) in out.chunks_mut(CHUNK).enumerate() {
        wide(|| chunk_of_normals(stream, chunk + c as u64, out));
    }
}

#[inline(always)]
fn chunk_of_normals(stream: &Stream, chunk: u64, out: &mut [f32]) {
    let mut words = [0; CHUNK];
    stream.chunk(chunk, &mut words);
    for (o, word) in out.iter_mut().zip(words) {
        *o = activation::normal_quantile(activation::uniform(word));
    }
}

/// 64 alleles: on with the logistic function of `odds x sharpness + bias`, or where that is above 1/2.
#[inline(always)]
fn pack(odds: &[f32], bias: &[f32], sharpness: f32, drawn: bool, words: &[u32; CHUNK]) -> u64 {
    let mut on = [false; CHUNK];
    for (on, ((x, b), word)) in on.iter_mut().zip(odds.iter().zip(bias).zip(words)) {
        let x = x * sharpness + b;
        // u < 1 / (1 + exp(-x)), without the division.
        *on = if drawn { activation::uniform(*word) * (1.0 + activation::exp(-x)) < 1.0 } else { x > 0.0 };
    }
    on.iter().enumerate().fold(0, |word, (i, on)| word | u64::from(*on) << i)
}
