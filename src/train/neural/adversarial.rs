//! A generator and the critic that it learns from.

use super::data::{Data, straight_through};
use super::label_loss::LabelLoss;
use super::settings::{Loss, Settings};
use super::variational::Variational;
use crate::compute::activation::{logistic, softplus};
use crate::error::{Error, ErrorKind, Result};
use crate::models::neural::dense::Dense;
use crate::models::neural::{Body, Inputs, Neural, codes, normals};
use crate::nn::optimiser::Optimiser;
use crate::nn::{Gradients, Mode, Network, Pass, Tape, Tensor, Workspace};
use crate::rng::{Purpose, Stream};

/// What a step measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    /// The critic's mean of real samples less that of artificial ones.
    pub critic: f64,
    /// The length of its gradient, mean over samples, where a penalty last looked at it in this update; else 0.
    pub gradient: f64,
    /// The generator's loss.
    pub generator: f64,
    /// The shares of real and of artificial haplotypes that an auxiliary classifier takes for what they are labelled or
    /// were asked to be, from what the critic sees of them; nothing where there is none.
    pub labels: Option<[f64; 2]>,
}

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

    /// One step of the generator, after those of the critic.
    ///
    /// # Errors
    /// `Diverged`; the threads could not be started.
    pub fn step(&mut self, workspace: &mut Workspace<f32>, data: &mut Data, update: u64) -> Result<Losses> {
        self.go_to(update);
        if let Some(first) = self.first.as_mut().filter(|_| update < self.settings.decoding) {
            return first.step(workspace, data, update);
        }
        if let Some(first) = self.first.take() {
            // The generator goes on from the decoder.
            self.generator.numbers.clone_from(&first.average.numbers);
            self.average.numbers.clone_from(&first.average.numbers);
        }
        let mut losses = Losses::default();
        for step in 0..self.settings.critic_steps as u64 {
            self.step_critic(workspace, data, update, step, &mut losses)?;
        }
        self.step_generator(workspace, data, update, &mut losses)?;
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
        let mut noise = workspace.numbers(count * self.inputs.size());
        normals(&stream(1), 0, &mut noise);
        let inputs = self.inputs.tensors(workspace, &noise, &labels)?;
        workspace.give(noise);
        let mode = Mode::Train(stream(2));
        let tape = self.generator.forward(workspace, mode, &inputs.iter().collect::<Vec<_>>())?;
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        self.generator.follow_statistics(&tape);
        let (alleles, slopes) = match self.settings.components {
            0 => {
                let (alleles, slopes) = straight_through(workspace, tape.output(), data.bits.columns(), stream(3))?;
                (alleles, Some(slopes))
            }
            _ => (workspace.copy(tape.output()), None),
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
    ) -> Vec<Tensor<f32>> {
        let (pack, length) = (self.settings.pack, rows.length);
        let mut inputs = vec![pack_rows(workspace, rows, pack)];
        if names > 0 && self.classifier.is_none() {
            let codes = codes(workspace, labels, names, length);
            inputs.push(pack_rows(workspace, codes, pack));
        }
        inputs
    }

    fn step_critic(
        &mut self,
        workspace: &mut Workspace<f32>,
        data: &mut Data,
        update: u64,
        step: u64,
        losses: &mut Losses,
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
        let mut judged = workspace.copy(&real);
        if settings.loss == Loss::Wasserstein {
            let mut reader = Stream::new(settings.seed, Purpose::Batch, 4 * batch + 2).reader(1 << 32);
            let shares: Vec<f32> = (0..samples).map(|_| reader.uniform() as f32).collect();
            let segment = judged.segment();
            let fakes = made.alleles.rows();
            for (i, (x, fake)) in judged.rows_mut().iter_mut().zip(fakes).enumerate() {
                // Haplotypes of a pack stand `samples` apart.
                *x += shares[i / segment % samples] * (fake - *x);
            }
        }
        let mut inputs = Vec::new();
        let fake = self.packed(workspace, made.alleles, &made.labels, names);
        for (real, fake) in self.packed(workspace, real, &labels, names).into_iter().zip(fake) {
            inputs.push(beside(workspace, real, fake));
        }
        let judged = self.packed(workspace, judged, &labels, names);
        made.slopes.into_iter().for_each(|slopes| workspace.give_tensor(slopes));
        // Real samples and then artificial ones, in one pass: weights are laid out once.
        let mut pass = Pass { graph: &self.critic.graph, numbers: &self.critic.numbers, workspace };
        let mode = Mode::Train(Stream::new(settings.seed, Purpose::Batch, 4 * batch + 3));
        let tape = pass.forward(mode, &inputs.iter().collect::<Vec<_>>())?;
        let mut seed = pass.workspace.zeros(tape.output().channels, 2 * samples, 1);
        let (count, steps) = (samples as f64, settings.critic_steps as f64);
        for (n, (s, o)) in seed.rows_mut().iter_mut().zip(tape.output().channel(0)).enumerate() {
            let sign = if n < samples { 1.0 } else { -1.0 };
            losses.critic += sign * f64::from(*o) / count / steps;
            // The critic's loss falls as real samples rise and artificial ones fall.
            *s = match settings.loss {
                Loss::Wasserstein => -sign / count,
                Loss::Classifier => -sign * f64::from(logistic(-sign as f32 * o)) / count,
            } as f32;
        }
        if let Some(classifier) = self.classifier {
            let shares = losses.labels.get_or_insert_default();
            for (side, labels) in [&labels, &made.labels].into_iter().enumerate() {
                let found = classifier.add(tape.output(), side * samples, labels, &mut seed);
                shares[side] += found.right / steps;
            }
        }
        pass.backward(&tape, seed, Some(&mut self.gradients[1]), false, false)?;
        tape.release(pass.workspace);
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        // A penalty now and then does as much as a smaller one each time (Karras et al. 2020).
        match (update * settings.critic_steps as u64 + step + 1).is_multiple_of(settings.penalty_every) {
            true => losses.gradient = self.penalise(workspace, judged, batch)?,
            false => judged.into_iter().for_each(|input| workspace.give_tensor(input)),
        }
        let rate = (settings.critic_rate * settings.pace(update)) as f32;
        let gradients = self.gradients[1].lists();
        self.critic_steps.descend(workspace.threads(), &mut self.critic.numbers, gradients, rate, None)
    }

    /// Adds the gradient of the penalty; gives the mean length of the critic's gradient.
    fn penalise(&mut self, workspace: &mut Workspace<f32>, judged: Vec<Tensor<f32>>, batch: u64) -> Result<f64> {
        let (settings, samples) = (&self.settings, self.settings.batch);
        let mut pass = Pass { graph: &self.critic.graph, numbers: &self.critic.numbers, workspace };
        let mode = Mode::Train(Stream::new(settings.seed, Purpose::Batch, 4 * batch + 3));
        let tape = pass.forward(mode, &judged.iter().collect::<Vec<_>>())?;
        // The penalty is on what says real or artificial alone, not on an auxiliary classifier's logits.
        let mut ones = pass.workspace.zeros(tape.output().channels, samples, 1);
        ones.rows_mut()[..samples].fill(1.0);
        let adjoints = pass.backward(&tape, ones, None, true, true)?;
        let g = adjoints[pass.graph.input_node(0)].as_ref().expect("the gradient of the input was asked for");
        let segment = g.segment();
        let mut squares = vec![0.0f64; samples];
        for (i, x) in g.rows().iter().enumerate() {
            squares[i / segment % samples] += f64::from(*x) * f64::from(*x);
        }
        let lengths: Vec<f64> = squares.iter().map(|s| s.sqrt()).collect();
        let factors: Vec<f32> = lengths
            .iter()
            .map(|length| {
                let slope = match settings.loss {
                    // Of penalty (length - 1)^2.
                    Loss::Wasserstein => 2.0 * settings.penalty * (length - 1.0) / length.max(1e-9),
                    // Of penalty / 2 length^2.
                    Loss::Classifier => settings.penalty,
                };
                (settings.penalty_every as f64 * slope / samples as f64) as f32
            })
            .collect();
        let mut v = pass.workspace.copy(g);
        for (i, x) in v.rows_mut().iter_mut().enumerate() {
            *x *= factors[i / segment % samples];
        }
        pass.penalty(&tape, &adjoints, 0, &v, &mut self.gradients[1])?;
        adjoints.into_iter().flatten().for_each(|adjoint| pass.workspace.give_tensor(adjoint));
        tape.release(pass.workspace);
        workspace.give_tensor(v);
        judged.into_iter().for_each(|input| workspace.give_tensor(input));
        Ok(lengths.iter().sum::<f64>() / samples as f64)
    }

    fn step_generator(
        &mut self,
        workspace: &mut Workspace<f32>,
        data: &Data,
        update: u64,
        losses: &mut Losses,
    ) -> Result<()> {
        let settings = self.settings.clone();
        let samples = settings.batch;
        let batch = self.batch(update, settings.critic_steps as u64);
        let made = self.make(workspace, data, batch, true)?;
        let inputs = self.packed(workspace, made.alleles, &made.labels, data.labels.len());
        let mut pass = Pass { graph: &self.critic.graph, numbers: &self.critic.numbers, workspace };
        let mode = Mode::Train(Stream::new(settings.seed, Purpose::Batch, 4 * batch + 3));
        let tape = pass.forward(mode, &inputs.iter().collect::<Vec<_>>())?;
        let mut seed = pass.workspace.zeros(tape.output().channels, samples, 1);
        for (s, o) in seed.rows_mut().iter_mut().zip(tape.output().channel(0)) {
            let (loss, slope) = match settings.loss {
                Loss::Wasserstein => (f64::from(-o), -1.0),
                Loss::Classifier => (f64::from(softplus(-o)), -f64::from(logistic(-o))),
            };
            losses.generator += loss / samples as f64;
            *s = (slope / samples as f64) as f32;
        }
        if let Some(classifier) = self.classifier {
            losses.generator += classifier.add(tape.output(), 0, &made.labels, &mut seed).loss;
        }
        let mut adjoints = pass.backward(&tape, seed, None, true, false)?;
        tape.release(pass.workspace);
        inputs.into_iter().for_each(|input| workspace.give_tensor(input));
        let of_packs =
            adjoints[self.critic.graph.input_node(0)].take().expect("the gradient of the input was asked for");
        adjoints.into_iter().flatten().for_each(|adjoint| workspace.give_tensor(adjoint));
        let of_alleles = unpack_rows(workspace, of_packs, settings.pack);
        let of_odds = match made.slopes {
            Some(slopes) => {
                let product = workspace.zip(&of_alleles, &slopes, |g, slope| g * slope)?;
                workspace.give_tensor(slopes);
                workspace.give_tensor(of_alleles);
                product
            }
            None => of_alleles,
        };
        let tape = made.tape.expect("kept");
        let gradients = &mut self.gradients[0];
        gradients.clear();
        Pass { graph: &self.generator.graph, numbers: &self.generator.numbers, workspace }.backward(
            &tape,
            of_odds,
            Some(gradients),
            false,
            false,
        )?;
        tape.release(workspace);
        let rate = (settings.rate * settings.pace(update)) as f32;
        let average = Some((&mut self.average.numbers[..], settings.kept(update)));
        let numbers = &mut self.generator.numbers;
        self.generator_steps.descend(workspace.threads(), numbers, gradients.lists(), rate, average)
    }
}

/// The samples of one tensor, and then those of another.
fn beside(workspace: &mut Workspace<f32>, one: Tensor<f32>, other: Tensor<f32>) -> Tensor<f32> {
    let mut out = workspace.tensor(one.channels, one.samples + other.samples, one.length);
    let row = out.row();
    for (c, out) in out.rows_mut().chunks_exact_mut(row).enumerate() {
        let (near, far) = out.split_at_mut(one.row());
        near.copy_from_slice(one.channel(c));
        far.copy_from_slice(other.channel(c));
    }
    workspace.give_tensor(one);
    workspace.give_tensor(other);
    out
}

/// Samples of `pack` rows each: row p x samples + n becomes channels of sample n.
fn pack_rows(workspace: &mut Workspace<f32>, rows: Tensor<f32>, pack: usize) -> Tensor<f32> {
    if pack == 1 {
        return rows;
    }
    let (channels, samples) = (rows.channels, rows.samples / pack);
    let mut out = workspace.tensor(channels * pack, samples, rows.length);
    let width = samples * rows.segment();
    let source = rows.rows();
    for (i, out) in out.rows_mut().chunks_exact_mut(width).enumerate() {
        let (p, c) = (i / channels, i % channels);
        out.copy_from_slice(&source[(c * pack + p) * width..][..width]);
    }
    workspace.give_tensor(rows);
    out
}

/// The way back of [`pack_rows`].
fn unpack_rows(workspace: &mut Workspace<f32>, packs: Tensor<f32>, pack: usize) -> Tensor<f32> {
    if pack == 1 {
        return packs;
    }
    let channels = packs.channels / pack;
    let mut out = workspace.tensor(channels, packs.samples * pack, packs.length);
    let width = packs.row();
    let source = packs.rows();
    for (i, out) in out.rows_mut().chunks_exact_mut(width).enumerate() {
        let (c, p) = (i / pack, i % pack);
        out.copy_from_slice(&source[(p * channels + c) * width..][..width]);
    }
    workspace.give_tensor(packs);
    out
}
