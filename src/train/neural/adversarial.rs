//! A generator and the critic that it learns from.

use super::data::{Data, straight_through};
use super::label_loss::LabelLoss;
use super::losses::{Losses, Meter, mix};
use super::settings::{Loss, Settings};
use super::variational::Variational;
use crate::error::{Error, ErrorKind, Result};
use crate::models::neural::dense::Dense;
use crate::models::neural::{Body, Inputs, Neural, codes};
use crate::nn::optimiser::Optimiser;
use crate::nn::tensor::Elementwise;
use crate::nn::{Gradients, Mode, Network, Tape, Tensor, Workspace};
use crate::rng::{Purpose, Stream};

/// A run of adversarial training.
pub struct Adversarial {
    /// The generator as it stands.
    pub generator: Network,
    /// The running average of its parameters, which haplotypes are made with.
    pub average: Network,
    /// The critic.
    pub critic: Network,
    /// The first part of the run, in which the generator learns as a decoder; nothing once that is over.
    pub first: Option<Box<Variational>>,
    /// How the generator steps.
    pub generator_steps: Optimiser,
    /// How the critic steps.
    pub critic_steps: Optimiser,
    settings: Settings,
    inputs: Inputs,
    /// The critic's auxiliary classifier, if it has one.
    classifier: Option<LabelLoss>,
    /// Gradients of generator and critic.
    gradients: [Gradients<f32>; 2],
}

/// Artificial haplotypes of a batch.
struct Made {
    tape: Option<Tape<f32>>,
    alleles: Tensor<f32>,
    /// What the gradient of an allele is multiplied by to be that of its log odds; nothing for scores.
    slopes: Option<Tensor<f32>>,
    labels: Vec<usize>,
}

impl Adversarial {
    /// Before the first step. The bias of the last layer begins at the log odds of the frequencies.
    /// `model` has the generator's layers.
    pub fn new(settings: &Settings, model: &Neural, data: &Data, frequencies: &[f64]) -> Result<Self> {
        let labels = data.labels.len();
        let classifier = settings.classifier(labels);
        // A critic that tells labels does not read them.
        let (read, told) = classifier.map_or((labels, 1), |classifier| (0, classifier.outputs()));
        let outputs = if settings.components > 0 { settings.components } else { data.bits.columns() };
        let graph = settings.body.generator(outputs, labels);
        let critic = match &settings.body {
            Body::Dense(body) => {
                let (inputs, read) = (settings.pack * outputs, settings.pack * read);
                Dense::critic(inputs, read, &settings.critic_widths, body.slope, settings.unseen, told)
            }
            Body::Convolutional(body) => body.critic(settings.pack, read, told, settings.unseen),
        };
        graph.check()?;
        critic.check()?;
        let mut generator = Network::initial(graph, Stream::new(settings.seed, Purpose::Initial, 1));
        let mut critic = Network::initial(critic, Stream::new(settings.seed, Purpose::Initial, 2));
        super::centre(&mut critic, frequencies);
        if settings.components == 0 {
            super::start_at(&mut generator, frequencies);
        }
        let first = match settings.first_part() {
            Some(of_part) => Some(Box::new(Variational::new(&of_part, model, data, frequencies)?)),
            None => None,
        };
        Ok(Adversarial {
            first,
            inputs: Inputs::of(&generator.graph, labels),
            generator_steps: Optimiser::new(settings.rule, 0.0, &generator.graph.parameters),
            critic_steps: Optimiser::new(settings.rule, 0.0, &critic.graph.parameters),
            average: generator.clone(),
            gradients: [&generator, &critic].map(|network| Gradients::new(&network.graph.parameters)),
            generator,
            critic,
            settings: settings.clone(),
            classifier,
        })
    }

    /// Copies what learns to where a workspace works.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn place(&mut self, workspace: &Workspace<f32>) -> Result<()> {
        for network in [&mut self.generator, &mut self.average, &mut self.critic] {
            network.place(workspace)?;
        }
        self.generator_steps.place(workspace)?;
        self.critic_steps.place(workspace)?;
        self.gradients = [
            Gradients::on(workspace, &self.generator.graph.parameters)?,
            Gradients::on(workspace, &self.critic.graph.parameters)?,
        ];
        self.first.as_mut().map_or(Ok(()), |first| first.place(workspace))
    }

    /// One step of the generator, after those of the critic.
    ///
    /// # Errors
    /// `Diverged`; the threads could not be started.
    pub fn step(&mut self, workspace: &mut Workspace<f32>, data: &mut Data, update: u64) -> Result<Losses> {
        self.go_to(update);
        if let Some(first) = self.first.as_mut().filter(|_| update < self.settings.decoding) {
            return first.step(workspace, data, update);
        }
        if let Some(mut first) = self.first.take() {
            // The generator goes on from the decoder.
            first.average.fetch()?;
            self.generator.numbers.clone_from(&first.average.numbers);
            self.average.numbers.clone_from(&first.average.numbers);
            self.generator.place(workspace)?;
            self.average.place(workspace)?;
        }
        let mut meter = Meter::new(workspace)?;
        for step in 0..self.settings.critic_steps as u64 {
            self.step_critic(workspace, data, update, step, &mut meter)?;
        }
        self.step_generator(workspace, data, update, &mut meter)?;
        let losses = meter.read()?;
        let sound = [losses.critic, losses.gradient, losses.generator].iter().all(|l| l.is_finite() && l.abs() < 1e7);
        match sound {
            true => Ok(losses),
            false => Err(Error::new(
                ErrorKind::Diverged,
                format!(
                    "training diverged at update {update}: critic {:.3e}, its gradient {:.3e}",
                    losses.critic, losses.gradient
                ),
            )
            .remedy("a smaller learning_rate and critic_rate, or a larger penalty, hold it")),
        }
    }

    /// Leaves the first part of the run where it is over after `update` updates, and what it gave is in the generator.
    pub fn go_to(&mut self, update: u64) {
        if update > self.settings.decoding {
            self.first = None;
        }
    }

    /// The number of a batch: those of an update are the critic's steps and then the generator's.
    fn batch(&self, update: u64, step: u64) -> u64 {
        update * (self.settings.critic_steps as u64 + 1) + step
    }

    /// Artificial haplotypes of batch number `batch`, with labels in the shares of the data.
    fn make(&mut self, workspace: &mut Workspace<f32>, data: &Data, batch: u64, keep: bool) -> Result<Made> {
        let count = self.settings.batch * self.settings.pack;
        let stream = |part: u64| Stream::new(self.settings.seed, Purpose::Batch, 4 * batch + part);
        let mut reader = stream(0).reader(0);
        let labels: Vec<usize> =
            (0..count).map(|_| if data.labels.is_empty() { 0 } else { data.labels.at(reader.uniform()) }).collect();
        let inputs = self.inputs.normal(workspace, stream(1), &labels)?;
        let mode = Mode::Train(stream(2));
        let tape = self.generator.forward(workspace, mode, &inputs.iter().collect::<Vec<_>>())?;
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        self.generator.follow_statistics(&tape)?;
        let (alleles, slopes) = match self.settings.components {
            0 => {
                let (alleles, slopes) = straight_through(workspace, tape.output(), data.bits.columns(), stream(3))?;
                (alleles, Some(slopes))
            }
            _ => (workspace.copy(tape.output())?, None),
        };
        let tape = match keep {
            true => Some(tape),
            false => {
                tape.release(workspace);
                None
            }
        };
        Ok(Made { tape, alleles, slopes, labels })
    }

    /// Rows of a batch as the critic reads them: `pack` at once, with their labels' codes where it reads labels.
    fn packed(
        &self,
        workspace: &mut Workspace<f32>,
        rows: Tensor<f32>,
        labels: &[usize],
        names: usize,
    ) -> Result<Vec<Tensor<f32>>> {
        let (pack, length) = (self.settings.pack, rows.length);
        let mut inputs = vec![pack_rows(workspace, rows, pack)?];
        if names > 0 && self.classifier.is_none() {
            let codes = codes(workspace, labels, names, length)?;
            inputs.push(pack_rows(workspace, codes, pack)?);
        }
        Ok(inputs)
    }

    fn step_critic(
        &mut self,
        workspace: &mut Workspace<f32>,
        data: &mut Data,
        update: u64,
        step: u64,
        meter: &mut Meter,
    ) -> Result<()> {
        let settings = self.settings.clone();
        let (samples, names) = (settings.batch, data.labels.len());
        let batch = self.batch(update, step);
        let made = self.make(workspace, data, batch, false)?;
        let count = samples * settings.pack;
        let rows = data.rows((update * settings.critic_steps as u64 + step) * count as u64, count);
        let real = data.tensor(workspace, &rows)?;
        let labels: Vec<usize> = rows.iter().map(|row| data.numbers[*row]).collect();
        self.gradients[1].clear();
        // Samples that the penalty looks at: real ones, or points between real and artificial ones.
        let mut judged = workspace.copy(&real)?;
        if settings.loss == Loss::Wasserstein {
            let mut reader = Stream::new(settings.seed, Purpose::Batch, 4 * batch + 2).reader(1 << 32);
            let shares: Vec<f32> = (0..samples).map(|_| reader.uniform() as f32).collect();
            mix(workspace, &mut judged, &made.alleles, &shares)?;
        }
        let mut inputs = Vec::new();
        let fake = self.packed(workspace, made.alleles, &made.labels, names)?;
        for (real, fake) in self.packed(workspace, real, &labels, names)?.into_iter().zip(fake) {
            inputs.push(beside(workspace, real, fake)?);
        }
        let judged = self.packed(workspace, judged, &labels, names)?;
        made.slopes.into_iter().for_each(|slopes| workspace.give_tensor(slopes));
        // Real samples and then artificial ones, in one pass: weights are laid out once.
        let mut pass = self.critic.pass(workspace);
        let mode = Mode::Train(Stream::new(settings.seed, Purpose::Batch, 4 * batch + 3));
        let tape = pass.forward(mode, &inputs.iter().collect::<Vec<_>>())?;
        let (steps, labels) = (settings.critic_steps as f64, [&labels[..], &made.labels]);
        let seed = meter.critic(pass.workspace, tape.output(), settings.loss, steps, self.classifier, labels)?;
        pass.backward(&tape, seed, Some(&mut self.gradients[1]), false, false)?;
        tape.release(pass.workspace);
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        // A penalty now and then does as much as a smaller one each time (Karras et al. 2020).
        match (update * settings.critic_steps as u64 + step + 1).is_multiple_of(settings.penalty_every) {
            true => self.penalise(workspace, judged, batch, meter)?,
            false => judged.into_iter().for_each(|input| workspace.give_tensor(input)),
        }
        let rate = (settings.critic_rate * settings.pace(update)) as f32;
        self.critic_steps.step(workspace, &mut self.critic, &mut self.gradients[1], rate, None)
    }

    /// Adds the gradient of the penalty.
    fn penalise(
        &mut self,
        workspace: &mut Workspace<f32>,
        judged: Vec<Tensor<f32>>,
        batch: u64,
        meter: &mut Meter,
    ) -> Result<()> {
        let (settings, samples) = (&self.settings, self.settings.batch);
        let mut pass = self.critic.pass(workspace);
        let mode = Mode::Train(Stream::new(settings.seed, Purpose::Batch, 4 * batch + 3));
        let tape = pass.forward(mode, &judged.iter().collect::<Vec<_>>())?;
        // The penalty is on what says real or artificial alone, not on an auxiliary classifier's logits.
        let mut ones = pass.workspace.host_zeros(tape.output().channels, samples, 1);
        ones.rows_mut()[..samples].fill(1.0);
        let ones = pass.workspace.placed(ones)?;
        let adjoints = pass.backward(&tape, ones, None, true, true)?;
        let g = adjoints[pass.graph.input_node(0)].as_ref().expect("the gradient of the input was asked for");
        let every = settings.penalty_every as f64;
        let v = meter.penalty(pass.workspace, g, settings.loss, settings.penalty, every)?;
        pass.penalty(&tape, &adjoints, 0, &v, &mut self.gradients[1])?;
        adjoints.into_iter().flatten().for_each(|adjoint| pass.workspace.give_tensor(adjoint));
        tape.release(pass.workspace);
        workspace.give_tensor(v);
        judged.into_iter().for_each(|input| workspace.give_tensor(input));
        Ok(())
    }

    fn step_generator(
        &mut self,
        workspace: &mut Workspace<f32>,
        data: &Data,
        update: u64,
        meter: &mut Meter,
    ) -> Result<()> {
        let settings = self.settings.clone();
        let batch = self.batch(update, settings.critic_steps as u64);
        let made = self.make(workspace, data, batch, true)?;
        let inputs = self.packed(workspace, made.alleles, &made.labels, data.labels.len())?;
        let mut pass = self.critic.pass(workspace);
        let mode = Mode::Train(Stream::new(settings.seed, Purpose::Batch, 4 * batch + 3));
        let tape = pass.forward(mode, &inputs.iter().collect::<Vec<_>>())?;
        let seed = meter.generator(pass.workspace, tape.output(), settings.loss, self.classifier, &made.labels)?;
        let mut adjoints = pass.backward(&tape, seed, None, true, false)?;
        tape.release(pass.workspace);
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        let of_packs =
            adjoints[self.critic.graph.input_node(0)].take().expect("the gradient of the input was asked for");
        adjoints.into_iter().flatten().for_each(|adjoint| workspace.give_tensor(adjoint));
        let of_alleles = unpack_rows(workspace, of_packs, settings.pack)?;
        let of_odds = match made.slopes {
            Some(slopes) => {
                let product = workspace.each(Elementwise::Product, &of_alleles, Some(&slopes))?;
                workspace.give_tensor(slopes);
                workspace.give_tensor(of_alleles);
                product
            }
            None => of_alleles,
        };
        let tape = made.tape.expect("kept");
        let gradients = &mut self.gradients[0];
        gradients.clear();
        self.generator.pass(workspace).backward(&tape, of_odds, Some(gradients), false, false)?;
        tape.release(workspace);
        let rate = (settings.rate * settings.pace(update)) as f32;
        let average = Some((&mut self.average, settings.kept(update)));
        self.generator_steps.step(workspace, &mut self.generator, gradients, rate, average)
    }
}

/// The samples of one tensor, and then those of another.
fn beside(workspace: &mut Workspace<f32>, one: Tensor<f32>, other: Tensor<f32>) -> Result<Tensor<f32>> {
    let mut out = workspace.tensor(one.channels, one.samples + other.samples, one.length)?;
    let (row, near, far) = (out.row(), one.row(), other.row());
    workspace.copy_across(&one, (0, near), &mut out, (0, row), near, one.channels)?;
    workspace.copy_across(&other, (0, far), &mut out, (near, row), far, one.channels)?;
    workspace.give_tensor(one);
    workspace.give_tensor(other);
    Ok(out)
}

/// Samples of `pack` rows each: row p x samples + n becomes channels of sample n.
fn pack_rows(workspace: &mut Workspace<f32>, rows: Tensor<f32>, pack: usize) -> Result<Tensor<f32>> {
    if pack == 1 {
        return Ok(rows);
    }
    let (channels, samples) = (rows.channels, rows.samples / pack);
    let mut out = workspace.tensor(channels * pack, samples, rows.length)?;
    let width = out.row();
    for p in 0..pack {
        let (from, to) = ((p * width, pack * width), (p * channels * width, width));
        workspace.copy_across(&rows, from, &mut out, to, width, channels)?;
    }
    workspace.give_tensor(rows);
    Ok(out)
}

/// The way back of [`pack_rows`].
fn unpack_rows(workspace: &mut Workspace<f32>, packs: Tensor<f32>, pack: usize) -> Result<Tensor<f32>> {
    if pack == 1 {
        return Ok(packs);
    }
    let channels = packs.channels / pack;
    let mut out = workspace.tensor(channels, packs.samples * pack, packs.length)?;
    let width = packs.row();
    for p in 0..pack {
        let (from, to) = ((p * channels * width, width), (p * width, pack * width));
        workspace.copy_across(&packs, from, &mut out, to, width, channels)?;
    }
    workspace.give_tensor(packs);
    Ok(out)
}
