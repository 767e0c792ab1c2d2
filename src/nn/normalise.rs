//! Normalisation: of a channel over a batch, or over the positions of each sample.
//!
//! With mean m, variance v and s = sqrt(v + 1e-5) of a group of n numbers, `hat = (x - m) / s`, and its Jacobian is
//! `J = (I - 1 1'/n - hat hat'/n) / s`, which is symmetric: gradients and tangents go through the same map.

use super::tensor::{Tensor, Workspace};
use crate::compute::real::{Real, wide};
use crate::error::Result;

/// Added to variances (PyTorch's default).
pub const EPSILON: f64 = 1e-5;

/// What a normalisation keeps for the way back.
#[derive(Debug)]
pub struct Normalised<T> {
    /// The normalised numbers, before scale and shift.
    pub hat: Tensor<T>,
    /// Groups: mean, variance and 1 / s of each.
    pub groups: Vec<Group>,
    /// Whether groups are whole channels, or each sample's part of a channel.
    pub batch: bool,
    /// Whether mean and variance were given, and do not depend on x.
    pub fixed: bool,
}

/// Numbers that are normalised together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group {
    /// Mean.
    pub mean: f64,
    /// Variance, divided by the number of numbers.
    pub variance: f64,
    /// 1 / sqrt(variance + 1e-5).
    pub inverse: f64,
}

impl Group {
    fn new(mean: f64, variance: f64) -> Self {
        Group { mean, variance, inverse: 1.0 / (variance + EPSILON).sqrt() }
    }
}

/// The sum of `f` over numbers, in sixteen sums that are added in order.
#[inline(always)]
pub fn total<T: Real>(numbers: &[T], others: &[T], f: impl Fn(T, T) -> T) -> f64 {
    wide(|| lanes(numbers, others, f))
}

#[inline(always)]
fn lanes<T: Real>(numbers: &[T], others: &[T], f: impl Fn(T, T) -> T) -> f64 {
    const LANES: usize = 16;
    let mut lanes = [T::default(); LANES];
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    let (other_chunks, other_rest) = others.as_chunks::<LANES>();
    for (a, b) in chunks.iter().zip(other_chunks) {
        for l in 0..LANES {
            lanes[l] += f(a[l], b[l]);
        }
    }
    rest.iter().zip(other_rest).enumerate().for_each(|(l, (a, b))| lanes[l] += f(*a, *b));
    lanes.iter().map(|lane| lane.wide()).sum()
}

/// The part of a row that is group `g`, and its numbers without the zero at the end.
fn parts<T: Real>(x: &Tensor<T>, batch: bool) -> (usize, usize) {
    let groups = if batch { x.channels } else { x.channels * x.samples };
    (groups, if batch { x.samples * x.length } else { x.length })
}

/// `hat` of `x`. `given` holds mean and variance of each channel, if they are not those of x.
///
/// # Errors
/// The threads could not be started.
pub fn normalise<T: Real>(
    workspace: &mut Workspace<T>,
    x: &Tensor<T>,
    batch: bool,
    given: Option<(&[T], &[T])>,
) -> Result<Normalised<T>> {
    let (count, n) = parts(x, batch);
    let width = x.rows().len() / count;
    let threads = workspace.threads().clone();
    let groups = match given {
        Some((mean, variance)) => {
            mean.iter().zip(variance).map(|(m, v)| Group::new(m.wide(), v.wide().max(0.0))).collect()
        }
        None => threads.map(count, |g| {
            let part = &x.rows()[g * width..][..width];
            let mean = total(part, part, |a, _| a) / n as f64;
            let centre = T::of(mean);
            let mut squares = 0.0;
            for segment in part.chunks_exact(x.segment()) {
                squares += total(&segment[..x.length], &segment[..x.length], |a, _| (a - centre) * (a - centre));
            }
            Group::new(mean, squares / n as f64)
        })?,
    };
    let mut hat = workspace.tensor(x.channels, x.samples, x.length);
    let source = x.rows();
    threads.for_each_piece(hat.rows_mut(), width, |g, out| {
        let (mean, inverse) = (T::of(groups[g].mean), T::of(groups[g].inverse));
        wide(|| out.iter_mut().zip(&source[g * width..]).for_each(|(o, x)| *o = (*x - mean) * inverse));
    })?;
    hat.close_gaps();
    Ok(Normalised { hat, groups, batch, fixed: given.is_some() })
}

impl<T: Real> Normalised<T> {
    fn width(&self) -> (usize, usize) {
        let (count, n) = parts(&self.hat, self.batch);
        (self.hat.rows().len() / count, n)
    }

    fn channel(&self, group: usize) -> usize {
        if self.batch { group } else { group / self.hat.samples }
    }

    /// `scale hat + shift`, a scale and shift a channel.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn scaled(&self, workspace: &mut Workspace<T>, scale: &[T], shift: &[T]) -> Result<Tensor<T>> {
        let hat = &self.hat;
        let mut out = workspace.tensor(hat.channels, hat.samples, hat.length);
        let (row, source) = (hat.row(), hat.rows());
        workspace.threads().clone().for_each_piece(out.rows_mut(), row, |c, out| {
            wide(|| out.iter_mut().zip(&source[c * row..]).for_each(|(o, h)| *o = scale[c] * *h + shift[c]));
        })?;
        out.close_gaps();
        Ok(out)
    }

    /// `scale J u`: the gradient of x from that of the output, or the tangent of the output from that of x.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn through(&self, workspace: &mut Workspace<T>, scale: &[T], u: &Tensor<T>) -> Result<Tensor<T>> {
        let (width, n) = self.width();
        let mut out = workspace.tensor(u.channels, u.samples, u.length);
        let (hat, source) = (self.hat.rows(), u.rows());
        workspace.threads().clone().for_each_piece(out.rows_mut(), width, |g, out| {
            let (hat, u) = (&hat[g * width..][..width], &source[g * width..][..width]);
            let factor = scale[self.channel(g)] * T::of(self.groups[g].inverse);
            if self.fixed {
                wide(|| out.iter_mut().zip(u).for_each(|(o, u)| *o = factor * *u));
                return;
            }
            let mean = T::of(total(u, u, |u, _| u) / n as f64);
            let along = T::of(total(u, hat, |u, h| u * h) / n as f64);
            let sources = u.iter().zip(hat);
            wide(|| out.iter_mut().zip(sources).for_each(|(o, (u, h))| *o = factor * (*u - mean - *h * along)));
        })?;
        out.close_gaps();
        Ok(out)
    }

    /// Adds to the gradients of scale and shift, from that of the output.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn collect(&self, workspace: &Workspace<T>, dy: &Tensor<T>, scale: &mut [T], shift: &mut [T]) -> Result<()> {
        let sums = workspace.threads().map(dy.channels, |c| {
            let (dy, hat) = (dy.channel(c), self.hat.channel(c));
            (total(dy, hat, |d, h| d * h), total(dy, dy, |d, _| d))
        })?;
        for ((scale, shift), (along, sum)) in scale.iter_mut().zip(shift).zip(sums) {
            *scale += T::of(along);
            *shift += T::of(sum);
        }
        Ok(())
    }

    /// The gradient with respect to x of `delta' J u`, where `delta` already holds the scale: what is left of a second
    /// derivative.
    ///
    /// With b and w the centred delta and u, p = hat'b, q = hat'w:
    /// `-(hat (b'w - 3 p q / n) + q b + p w) / (n s^2)`.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn second(
        &self,
        workspace: &mut Workspace<T>,
        scale: &[T],
        delta: &Tensor<T>,
        u: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        let (width, n) = self.width();
        let mut out = workspace.zeros(u.channels, u.samples, u.length);
        if self.fixed {
            return Ok(out);
        }
        let (hats, deltas, us) = (self.hat.rows(), delta.rows(), u.rows());
        let (segment, length) = (u.segment(), u.length);
        workspace.threads().clone().for_each_piece(out.rows_mut(), width, |g, out| {
            let part = |rows: &'_ [T]| -> std::ops::Range<usize> { g * width..(g * width + width).min(rows.len()) };
            let (hat, delta, u) = (&hats[part(hats)], &deltas[part(deltas)], &us[part(us)]);
            let group = self.groups[g];
            let scale = scale[self.channel(g)].wide();
            let count = n as f64;
            let (b_mean, w_mean) = (total(delta, delta, |d, _| d) / count, total(u, u, |u, _| u) / count);
            let (along_b, along_w) = (total(delta, hat, |d, h| d * h), total(u, hat, |u, h| u * h));
            // hat sums to 0, so that it does not matter for these whether the others are centred.
            let product = total(delta, u, |d, u| d * u) - count * b_mean * w_mean;
            let factor = -scale * group.inverse * group.inverse / count;
            let of_hat = T::of(factor * (product - 3.0 * along_b * along_w / count));
            let (of_b, of_w) = (T::of(factor * along_w), T::of(factor * along_b));
            let constant = T::of(-factor * (along_w * b_mean + along_b * w_mean));
            for (i, o) in out.iter_mut().enumerate() {
                if i % segment < length {
                    *o = of_hat * hat[i] + of_b * delta[i] + of_w * u[i] + constant;
                }
            }
        })?;
        Ok(out)
    }
}
