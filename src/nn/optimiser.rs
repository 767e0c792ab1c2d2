//! How gradients become steps downhill: Adam and RMSprop, as PyTorch has them.

use super::gradients::downloaded;
use super::graph::Parameter;
use super::{Gradients, Network, Workspace};
use crate::compute::cuda::{Memory, Step};
use crate::compute::real::wide;
use crate::error::{Error, ErrorKind, Result};
use crate::threads::Threads;

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Kingma and Ba 2015, epsilon 1e-8.
    Adam {
        /// How much of the first and of the second moment stays.
        betas: (f32, f32),
    },
    /// Tieleman and Hinton 2012: the second moment alone, .99 of which stays; epsilon 1e-8.
    RmsProp,
}

/// An optimiser: moments of every parameter, and the count of steps. As with a [`Network`], moments that were placed in a GPU's
/// memory are the ones that count, and [`Optimiser::fetch`] brings them back.
#[derive(Debug)]
pub struct Optimiser {
    /// The rule.
    pub rule: Rule,
    /// Weight decay: this times the parameter is added to its gradient.
    pub decay: f32,
    /// First moments, by parameter; empty with RMSprop, and for parameters that are not trained.
    pub first: Vec<Vec<f32>>,
    /// Second moments.
    pub second: Vec<Vec<f32>>,
    /// Steps made.
    pub steps: u64,
    placed: Option<[Vec<Memory>; 2]>,
}

/// What a step of this number multiplies and keeps.
struct Amounts {
    keep: (f32, f32),
    rate: f32,
    correction: f32,
}

const EPSILON: f32 = 1e-8;
/// How much of RMSprop's moment stays.
const KEPT: f32 = 0.99;
/// Parameters a task.
const PIECE: usize = 1 << 14;

impl Optimiser {
    /// At its start.
    pub fn new(rule: Rule, decay: f32, parameters: &[Parameter]) -> Self {
        let size = |p: &Parameter| if p.trained { p.size() } else { 0 };
        let second = parameters.iter().map(|p| vec![0.0; size(p)]).collect();
        let first = match rule {
            Rule::Adam { .. } => parameters.iter().map(|p| vec![0.0; size(p)]).collect(),
            Rule::RmsProp => parameters.iter().map(|_| Vec::new()).collect(),
        };
        Optimiser { rule, decay, first, second, steps: 0, placed: None }
    }

    /// Copies its moments to where a workspace works.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn place(&mut self, workspace: &Workspace<f32>) -> Result<()> {
        self.placed = None;
        let Some(cuda) = workspace.cuda() else { return Ok(()) };
        let upload = |lists: &[Vec<f32>]| lists.iter().map(|list| cuda.upload(list)).collect::<Result<Vec<_>>>();
        self.placed = Some([upload(&self.first)?, upload(&self.second)?]);
        Ok(())
    }

    /// Brings its moments back from where it was placed; it stays there.
    ///
    /// # Errors
    /// `DeviceFailed`.
    pub fn fetch(&mut self) -> Result<()> {
        let Some([first, second]) = &self.placed else { return Ok(()) };
        for (lists, placed) in [(&mut self.first, first), (&mut self.second, second)] {
            for (list, memory) in lists.iter_mut().zip(placed) {
                *list = downloaded(memory, list.len())?;
            }
        }
        Ok(())
    }

    /// Moves a network's trained parameters against their gradients, where all of them lie, and has an average follow: see
    /// [`Optimiser::descend`].
    ///
    /// # Errors
    /// The threads could not be started; `DeviceFailed`.
    pub fn step(
        &mut self,
        workspace: &Workspace<f32>,
        network: &mut Network,
        gradients: &mut Gradients<f32>,
        rate: f32,
        average: Option<(&mut Network, f32)>,
    ) -> Result<()> {
        let Some(cuda) = workspace.cuda() else {
            let average = average.map(|(average, keep)| (&mut average.numbers[..], keep));
            return self.descend(workspace.threads(), &mut network.numbers, gradients.lists(), rate, average);
        };
        let elsewhere = || Error::new(ErrorKind::Internal, "a step met numbers of another device");
        self.steps += 1;
        let Amounts { keep, rate, correction } = self.amounts(rate);
        let [first, second] = self.placed.as_ref().ok_or_else(elsewhere)?;
        let (lists, gradients) = (network.placed().ok_or_else(elsewhere)?, gradients.placed_lists()?);
        let (averages, keep_average) = match &average {
            Some((average, keep)) => (Some(average.placed().ok_or_else(elsewhere)?), *keep),
            None => (None, 1.0),
        };
        let step = Step { decay: self.decay, rate, keep, correction, keep_average };
        for (i, numbers) in lists.iter().enumerate() {
            let average = averages.map(|averages| &averages[i]);
            match (self.second[i].len(), average) {
                // Not trained: it has no moments.
                (0, Some(average)) => cuda.follow(numbers, average, network.numbers[i].len(), keep_average)?,
                (0, None) => {}
                (count, average) => {
                    let first = (!self.first[i].is_empty()).then_some(&first[i]);
                    cuda.descend(numbers, (first, &second[i]), average, &gradients[i], count, step)?;
                }
            }
        }
        Ok(())
    }

    /// What the step that `steps` has been raised for multiplies and keeps.
    fn amounts(&self, rate: f32) -> Amounts {
        match self.rule {
            Rule::Adam { betas: (b1, b2) } => {
                // Powers by whole exponents: the same bits on every platform.
                let left = |beta: f32| 1.0 - f64::from(beta).powi(self.steps.min(1 << 30) as i32);
                let (rate, correction) = ((f64::from(rate) / left(b1)) as f32, (1.0 / left(b2).sqrt()) as f32);
                Amounts { keep: (b1, b2), rate, correction }
            }
            Rule::RmsProp => Amounts { keep: (0.0, KEPT), rate, correction: 1.0 },
        }
    }

    /// Moves the trained parameters against their gradients. `average` becomes `keep` of what it is and the rest of what the
    /// parameters are after it, all of them: it is done here since parameters are at hand then.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn descend(
        &mut self,
        threads: &Threads,
        numbers: &mut [Vec<f32>],
        gradients: &[Vec<f32>],
        rate: f32,
        average: Option<(&mut [Vec<f32>], f32)>,
    ) -> Result<()> {
        self.steps += 1;
        let Amounts { keep: (keep_first, keep_second), rate, correction } = self.amounts(rate);
        let decay = self.decay;
        let mut pieces = Vec::new();
        let (averages, keep) = match average {
            Some((lists, keep)) => (lists.iter_mut().map(|list| &mut list[..]).collect(), keep),
            None => (numbers.iter().map(|_| Default::default()).collect::<Vec<&mut [f32]>>(), 1.0),
        };
        let lists = numbers.iter_mut().zip(averages).zip(self.first.iter_mut().zip(&mut self.second)).zip(gradients);
        for (((numbers, average), (first, second)), gradient) in lists {
            if second.is_empty() {
                // Not trained: it has no moments.
                average.iter_mut().zip(numbers).for_each(|(a, x)| *a += (1.0 - keep) * (*x - *a));
                continue;
            }
            // RMSprop has no first moments, and there may be no average.
            let (mut first, mut average) = (first.chunks_mut(PIECE), average.chunks_mut(PIECE));
            for ((x, second), g) in numbers.chunks_mut(PIECE).zip(second.chunks_mut(PIECE)).zip(gradient.chunks(PIECE))
            {
                let own = (first.next().unwrap_or_default(), second, average.next().unwrap_or_default());
                pieces.push((x, own, g));
            }
        }
        threads.for_each_item(pieces, |(x, (first, second, average), g)| {
            wide(|| match first.is_empty() {
                true => rms_prop(x, second, g, decay, rate),
                false => adam(x, first, second, g, decay, rate, (keep_first, keep_second), correction),
            });
            // A piece is still in the second-level cache.
            wide(|| average.iter_mut().zip(x).for_each(|(a, x)| *a += (1.0 - keep) * (*x - *a)));
        })
    }
}

/// A step of RMSprop.
#[inline(always)]
fn rms_prop(x: &mut [f32], second: &mut [f32], g: &[f32], decay: f32, rate: f32) {
    for ((x, s), g) in x.iter_mut().zip(second).zip(g) {
        let g = g + decay * *x;
        *s = KEPT * *s + (1.0 - KEPT) * g * g;
        *x -= rate * g / (s.sqrt() + EPSILON);
    }
}

/// A step of Adam; `keep` is how much of both moments stays.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn adam(
    x: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    g: &[f32],
    decay: f32,
    rate: f32,
    keep: (f32, f32),
    correction: f32,
) {
    let (use_first, use_second) = (1.0 - keep.0, 1.0 - keep.1);
    for (((x, m), s), g) in x.iter_mut().zip(first).zip(second).zip(g) {
        let g = g + decay * *x;
        *m = keep.0 * *m + use_first * g;
        *s = keep.1 * *s + use_second * g * g;
        *x -= rate * *m / (s.sqrt() * correction + EPSILON);
    }
}
