//! How a gradient becomes a step.

use crate::error::{Error, ErrorKind, Result};
use crate::threads::Threads;

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `velocity = momentum x velocity + gradient`, `parameter += rate x velocity`.
    Sgd {
        /// The share of the velocity that stays.
        momentum: f32,
    },
    /// Kingma and Ba 2015 with their defaults: betas .9 and .999, epsilon 1e-8.
    Adam,
}

/// The moments that a rule keeps for one tensor. Steps go uphill.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    rule: Rule,
    /// Velocity, or first moment.
    pub first: Vec<f32>,
    /// Second moment (Adam), or nothing.
    pub second: Vec<f32>,
}

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Parameters a task.
const PIECE: usize = 1 << 14;

impl Moments {
    /// All zeros, for `n` parameters.
    pub fn new(rule: Rule, n: usize) -> Self {
        let (first, second) = match rule {
            Rule::Sgd { momentum: 0.0 } => (0, 0),
            Rule::Sgd { .. } => (n, 0),
            Rule::Adam => (n, n),
        };
        Moments { rule, first: vec![0.0; first], second: vec![0.0; second] }
    }

    /// Moments as a checkpoint kept them.
    ///
    /// # Errors
    /// `CheckpointMismatch` if the rule needs other lengths.
    pub fn restore(rule: Rule, n: usize, first: Vec<f32>, second: Vec<f32>) -> Result<Self> {
        let fresh = Moments::new(rule, n);
        match fresh.first.len() == first.len() && fresh.second.len() == second.len() {
            true => Ok(Moments { rule, first, second }),
            false => Err(Error::new(ErrorKind::CheckpointMismatch, "the optimiser's moments have another size")),
        }
    }

    /// Moves `parameters` along `gradient`; `step` counts from 1.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn ascend(
        &mut self,
        threads: &Threads,
        parameters: &mut [f32],
        gradient: &[f32],
        rate: f32,
        step: u64,
    ) -> Result<()> {
        match self.rule {
            Rule::Sgd { momentum: 0.0 } => threads.for_each_piece(parameters, PIECE, |i, p| {
                p.iter_mut().zip(&gradient[i * PIECE..]).for_each(|(p, g)| *p += rate * g);
            }),
            Rule::Sgd { momentum } => {
                threads.for_each_piece(&mut self.first, PIECE, |i, v| {
                    v.iter_mut().zip(&gradient[i * PIECE..]).for_each(|(v, g)| *v = momentum * *v + g);
                })?;
                let velocity = &self.first;
                threads.for_each_piece(parameters, PIECE, |i, p| {
                    p.iter_mut().zip(&velocity[i * PIECE..]).for_each(|(p, v)| *p += rate * v);
                })
            }
            Rule::Adam => {
                threads.for_each_piece(&mut self.first, PIECE, |i, m| {
                    m.iter_mut().zip(&gradient[i * PIECE..]).for_each(|(m, g)| *m = BETA_1 * *m + (1.0 - BETA_1) * g);
                })?;
                threads.for_each_piece(&mut self.second, PIECE, |i, s| {
                    s.iter_mut()
                        .zip(&gradient[i * PIECE..])
                        .for_each(|(s, g)| *s = BETA_2 * *s + (1.0 - BETA_2) * g * g);
                })?;
                // Powers by whole exponents: the same bits on every platform.
                let power = |beta: f64| 1.0 - beta.powi(step.min(1 << 30) as i32);
                let rate = f64::from(rate) * power(f64::from(BETA_2)).sqrt() / power(f64::from(BETA_1));
                let (first, second) = (&self.first, &self.second);
                threads.for_each_piece(parameters, PIECE, |i, p| {
                    let moments = first[i * PIECE..].iter().zip(&second[i * PIECE..]);
                    p.iter_mut().zip(moments).for_each(|(p, (m, s))| *p += rate as f32 * m / (s.sqrt() + EPSILON));
                })
            }
        }
    }
}
