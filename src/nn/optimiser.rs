//! How gradients become steps downhill: Adam and RMSprop, as PyTorch has them.

use super::graph::Parameter;
use crate::compute::real::wide;
use crate::error::Result;
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

/// An optimiser: moments of every parameter, and the count of steps.
#[derive(Clone, Debug, PartialEq)]
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
        Optimiser { rule, decay, first, second, steps: 0 }
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
        let (keep_first, keep_second, rate, correction) = match self.rule {
            Rule::Adam { betas: (b1, b2) } => {
                // Powers by whole exponents: the same bits on every platform.
                let left = |beta: f32| 1.0 - f64::from(beta).powi(self.steps.min(1 << 30) as i32);
                (b1, b2, (f64::from(rate) / left(b1)) as f32, (1.0 / left(b2).sqrt()) as f32)
            }
            Rule::RmsProp => (0.0, KEPT, rate, 1.0),
        };
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
