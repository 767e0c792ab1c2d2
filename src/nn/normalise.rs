//! Normalisation: of a channel over a batch, or over the positions of each sample; with the LeakyReLU that follows it.
//!
//! With mean m, variance v and s = sqrt(v + 1e-5) of a group of n numbers, `hat = (x - m) / s`, and its Jacobian is
//! `J = (I - 1 1'/n - hat hat'/n) / s`, which is symmetric: gradients and tangents go through the same map. Then comes
//! `y = scale hat + shift`, and LeakyReLU, whose slopes are a diagonal matrix D: `y -> D y`. Only x is kept for the way
//! back: hat and D are made of it again, which costs less than to read them from memory.

use super::gradients::Gradients;
use super::layers::Numbers;
use super::tensor::{Tensor, Workspace};
use crate::compute::cuda::{Memory, Normalising};
use crate::compute::real::{Real, Work, wide};
use crate::error::Result;

/// Added to variances (PyTorch's default).
pub const EPSILON: f64 = 1e-5;

/// What a normalisation keeps for the way back, beside its input.
#[derive(Debug)]
pub struct Normalised {
    /// Groups: mean, variance and 1 / s of each.
    pub groups: Vec<Group>,
    /// The same in a GPU's memory, in place of the others.
    pub(super) placed: Option<Memory>,
    /// Whether groups are whole channels, or each sample's part of a channel.
    pub batch: bool,
    /// Whether mean and variance were given, and do not depend on x.
    pub fixed: bool,
    /// Numbers of a group.
    pub size: usize,
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

/// Scale and shift of each channel, and the slope below 0: which parameters of a network these are.
#[derive(Clone, Copy, Debug)]
pub struct After<'a, T> {
    /// The network's parameters.
    pub numbers: Numbers<'a, T>,
    /// Scales.
    pub scale: usize,
    /// Shifts.
    pub shift: usize,
    /// The slope of LeakyReLU; 1 where there is none.
    pub slope: f64,
}

impl<'a, T: Real> After<'a, T> {
    fn host(&self) -> Result<OnHost<'a, T>> {
        let (scale, shift) = (self.numbers.host(self.scale)?, self.numbers.host(self.shift)?);
        Ok(OnHost { scale, shift, slope: T::of(self.slope) })
    }

    fn placed(&self, groups: &'a Memory, batch: bool, fixed: bool) -> Result<Normalising<'a>> {
        let (scale, shift) = (self.numbers.placed(self.scale)?, self.numbers.placed(self.shift)?);
        Ok(Normalising { groups, scale, shift, slope: self.slope as f32, batch, fixed })
    }
}

/// Scales and shifts in the processor's memory.
#[derive(Clone, Copy)]
struct OnHost<'a, T> {
    scale: &'a [T],
    shift: &'a [T],
    slope: T,
}

/// What happens to the numbers of a group, ready to be used.
#[derive(Clone, Copy)]
struct Map<T> {
    mean: T,
    inverse: T,
    scale: T,
    shift: T,
    slope: T,
}

impl<T: Real> Map<T> {
    fn new(group: &Group, after: OnHost<T>, channel: usize) -> Self {
        let (mean, inverse) = (T::of(group.mean), T::of(group.inverse));
        Map { mean, inverse, scale: after.scale[channel], shift: after.shift[channel], slope: after.slope }
    }

    #[inline(always)]
    fn hat(&self, x: T) -> T {
        (x - self.mean) * self.inverse
    }

    #[inline(always)]
    fn y(&self, hat: T) -> T {
        let y = self.scale * hat + self.shift;
        if y > T::default() { y } else { self.slope * y }
    }

    /// `d` times the slope at `hat`.
    #[inline(always)]
    fn sloped(&self, hat: T, d: T) -> T {
        if self.scale * hat + self.shift > T::default() { d } else { self.slope * d }
    }
}

/// [`Normalised::back`] of a group; `share` is 1 / n, or 0 where mean and variance are given. Gives the two sums.
struct Back<'a, T> {
    map: Map<T>,
    out: &'a mut [T],
    u: &'a [T],
    x: &'a [T],
    share: f64,
}

impl<T: Real> Work for Back<'_, T> {
    type Found = [f64; 2];

    #[inline(always)]
    fn run(self) -> [f64; 2] {
        let map = self.map;
        let found = sums(self.u, self.x, |u, x| {
            let hat = map.hat(x);
            let u = map.sloped(hat, u);
            [u * hat, u]
        });
        let (along, mean) = (T::of(found[0] * self.share), T::of(found[1] * self.share));
        let factor = map.scale * map.inverse;
        for (o, (u, x)) in self.out.iter_mut().zip(self.u.iter().zip(self.x)) {
            let hat = map.hat(*x);
            *o = factor * (map.sloped(hat, *u) - mean - hat * along);
        }
        found
    }
}

/// [`Normalised::tangent`] of a group.
struct Tangent<'a, T> {
    map: Map<T>,
    out: &'a mut [T],
    u: &'a [T],
    x: &'a [T],
    share: f64,
}

impl<T: Real> Work for Tangent<'_, T> {
    type Found = ();

    #[inline(always)]
    fn run(self) {
        let map = self.map;
        let [along, sum] = sums(self.u, self.x, |u, x| [u * map.hat(x), u]);
        let (along, mean) = (T::of(along * self.share), T::of(sum * self.share));
        let factor = map.scale * map.inverse;
        for (o, (u, x)) in self.out.iter_mut().zip(self.u.iter().zip(self.x)) {
            let hat = map.hat(*x);
            *o = map.sloped(hat, factor * (*u - mean - hat * along));
        }
    }
}

/// [`Normalised::second`] of a group; `count` is nothing where mean and variance are given. Gives the gradient of the scale.
struct Second<'a, T> {
    map: Map<T>,
    out: &'a mut [T],
    delta: &'a [T],
    u: &'a [T],
    x: &'a [T],
    count: Option<f64>,
    inverse: f64,
}

impl<T: Real> Work for Second<'_, T> {
    type Found = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Second { map, out, delta, u, x, count, inverse } = self;
        let [along_b, b_sum] = sums(delta, x, |d, x| {
            let hat = map.hat(x);
            let d = map.sloped(hat, d);
            [d * hat, d]
        });
        let [along_w, w_sum] = sums(u, x, |u, x| [u * map.hat(x), u]);
        // The product of the two, in lanes as other sums are.
        let mut lanes = [T::default(); LANES];
        for ((x, d), u) in x.chunks(LANES).zip(delta.chunks(LANES)).zip(u.chunks(LANES)) {
            for (lane, ((x, d), u)) in lanes.iter_mut().zip(x.iter().zip(d).zip(u)) {
                *lane += map.sloped(map.hat(*x), *d) * *u;
            }
        }
        let both: f64 = lanes.iter().map(|lane| lane.wide()).sum();
        let Some(count) = count else { return inverse * both };
        let (b_mean, w_mean) = (b_sum / count, w_sum / count);
        // hat sums to 0, so that it does not matter for products with it whether the other is centred.
        let product = both - count * b_mean * w_mean;
        let factor = -map.scale.wide() * inverse * inverse / count;
        let of_hat = T::of(factor * (product - 3.0 * along_b * along_w / count));
        let (of_b, of_w) = (T::of(factor * along_w), T::of(factor * along_b));
        let constant = T::of(-factor * (along_w * b_mean + along_b * w_mean));
        for (o, ((x, d), u)) in out.iter_mut().zip(x.iter().zip(delta).zip(u)) {
            let hat = map.hat(*x);
            *o = of_hat * hat + of_b * map.sloped(hat, *d) + of_w * *u + constant;
        }
        inverse * (product - along_b * along_w / count)
    }
}

/// [`measured`] of a group.
struct Measured<'a, T> {
    part: &'a [T],
    length: usize,
    segment: usize,
    size: usize,
}

impl<T: Real> Work for Measured<'_, T> {
    type Found = Group;

    #[inline(always)]
    fn run(self) -> Group {
        measured(self.part, self.length, self.segment, self.size)
    }
}

/// Numbers that are added beside each other.
const LANES: usize = 64;

/// Sums over numbers, in 64 lanes each that are added in order.
#[inline(always)]
pub fn sums<const N: usize, T: Real>(numbers: &[T], others: &[T], f: impl Fn(T, T) -> [T; N]) -> [f64; N] {
    let mut lanes = [[T::default(); LANES]; N];
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    let (other_chunks, other_rest) = others.as_chunks::<LANES>();
    for (a, b) in chunks.iter().zip(other_chunks) {
        for l in 0..LANES {
            let found = f(a[l], b[l]);
            for (lanes, found) in lanes.iter_mut().zip(found) {
                lanes[l] += found;
            }
        }
    }
    for (l, (a, b)) in rest.iter().zip(other_rest).enumerate() {
        for (lanes, found) in lanes.iter_mut().zip(f(*a, *b)) {
            lanes[l] += found;
        }
    }
    lanes.map(|lanes| lanes.iter().map(|lane| lane.wide()).sum())
}

/// The sum of numbers.
pub fn total<T: Real>(numbers: &[T]) -> f64 {
    wide(|| sums(numbers, numbers, |a, _| [a])[0])
}

/// Groups of a channel, and the numbers of a group without and with the zeros between samples.
fn parts<T: Real>(x: &Tensor<T>, batch: bool) -> (usize, usize, usize) {
    match batch {
        true => (1, x.samples * x.length, x.row()),
        false => (x.samples, x.length, x.segment()),
    }
}

/// Mean and variance of a group; `part` has a zero after each `length` numbers where `segment` is longer than that.
#[inline(always)]
fn measured<T: Real>(part: &[T], length: usize, segment: usize, n: usize) -> Group {
    let mean = sums(part, part, |a, _| [a])[0] / n as f64;
    let centre = T::of(mean);
    let squares = |part: &[T]| sums(part, part, |a, _| [(a - centre) * (a - centre)])[0];
    let squares: f64 = match segment == length {
        true => squares(part),
        false => part.chunks_exact(segment).map(|sample| squares(&sample[..length])).sum(),
    };
    Group::new(mean, squares / n as f64)
}

/// The output, and what is kept. `given` are the parameters that hold mean and variance of each channel, if they are not those of
/// x.
///
/// # Errors
/// The threads could not be started.
pub fn normalise<T: Real>(
    workspace: &mut Workspace<T>,
    x: &Tensor<T>,
    batch: bool,
    given: Option<(usize, usize)>,
    after: After<T>,
) -> Result<(Tensor<T>, Normalised)> {
    let (per_channel, n, width) = parts(x, batch);
    let mut out = workspace.tensor(x.channels, x.samples, x.length)?;
    let fixed = given.is_some();
    if let Some(cuda) = workspace.cuda() {
        let groups = cuda.groups(x.channels * per_channel)?;
        let placed = |parameter| after.numbers.placed(parameter);
        let given = given.map(|(mean, variance)| Ok((placed(mean)?, placed(variance)?))).transpose()?;
        cuda.normalise(&after.placed(&groups, batch, fixed)?, x.on_gpu()?, given, out.on_gpu()?)?;
        return Ok((out, Normalised { groups: Vec::new(), placed: Some(groups), batch, fixed, size: n }));
    }
    let host = |parameter| after.numbers.host(parameter);
    let given = given.map(|(mean, variance)| Ok((host(mean)?, host(variance)?))).transpose()?;
    let after = after.host()?;
    let mut groups = vec![Group::default(); x.channels * per_channel];
    let (row, length, segment) = (x.row(), x.length, x.segment());
    let tasks: Vec<_> = out.rows_mut().chunks_mut(row).zip(groups.chunks_mut(per_channel)).enumerate().collect();
    workspace.threads().for_each_item(tasks, |(c, (out, groups))| {
        let parts = out.chunks_exact_mut(width).zip(x.channel(c).chunks_exact(width));
        for ((out, part), group) in parts.zip(groups) {
            *group = match given {
                Some((mean, variance)) => Group::new(mean[c].wide(), variance[c].wide().max(0.0)),
                None => Measured { part, length, segment, size: n }.run_wide(),
            };
            let map = Map::new(group, after, c);
            wide(|| out.iter_mut().zip(part).for_each(|(o, x)| *o = map.y(map.hat(*x))));
        }
    })?;
    out.close_gaps();
    Ok((out, Normalised { groups, placed: None, batch, fixed, size: n }))
}

impl Normalised {
    /// `J scale D u`: the gradient of x from that of the output. For each channel the sums over its numbers of `D u hat` and of
    /// `D u` are added to the gradients of scale and shift.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn back<T: Real>(
        &self,
        workspace: &mut Workspace<T>,
        x: &Tensor<T>,
        after: After<T>,
        u: &Tensor<T>,
        mut gradients: Option<&mut Gradients<T>>,
    ) -> Result<Tensor<T>> {
        let (per_channel, n, width) = parts(x, self.batch);
        let mut out = workspace.tensor(u.channels, u.samples, u.length)?;
        if let (Some(cuda), Some(groups)) = (workspace.cuda(), &self.placed) {
            if let Some(gradients) = &mut gradients {
                gradients.placed_sums(after.scale)?;
                gradients.placed_sums(after.shift)?;
            }
            let gradients = gradients.map(|gradients| gradients.both(after.scale, after.shift));
            let of = after.placed(groups, self.batch, self.fixed)?;
            cuda.normalise_back(&of, x.on_gpu()?, u.on_gpu()?, out.on_gpu()?, gradients)?;
            return Ok(out);
        }
        let parameters = [after.scale, after.shift];
        let after = after.host()?;
        let mut found = vec![[0.0; 2]; x.channels];
        let tasks: Vec<_> = out.rows_mut().chunks_mut(x.row()).zip(&mut found).enumerate().collect();
        workspace.threads().for_each_item(tasks, |(c, (out, found))| {
            let groups = &self.groups[c * per_channel..][..per_channel];
            let sources = u.channel(c).chunks_exact(width).zip(x.channel(c).chunks_exact(width));
            for ((out, (u, x)), group) in out.chunks_exact_mut(width).zip(sources).zip(groups) {
                let map = Map::new(group, after, c);
                let share = if self.fixed { 0.0 } else { 1.0 / n as f64 };
                let [along, sum] = Back { map, out, u, x, share }.run_wide();
                found[0] += along;
                found[1] += sum;
            }
        })?;
        out.close_gaps();
        if let Some(gradients) = gradients {
            for (which, parameter) in parameters.into_iter().enumerate() {
                gradients.sums(parameter).iter_mut().zip(&found).for_each(|(g, sums)| *g += T::of(sums[which]));
            }
        }
        Ok(out)
    }

    /// `D scale J u`: how the output moves as x moves along u.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn tangent<T: Real>(
        &self,
        workspace: &mut Workspace<T>,
        x: &Tensor<T>,
        after: After<T>,
        u: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        let (per_channel, n, width) = parts(x, self.batch);
        let mut out = workspace.tensor(u.channels, u.samples, u.length)?;
        if let (Some(cuda), Some(groups)) = (workspace.cuda(), &self.placed) {
            let of = after.placed(groups, self.batch, self.fixed)?;
            cuda.normalise_tangent(&of, x.on_gpu()?, u.on_gpu()?, out.on_gpu()?)?;
            return Ok(out);
        }
        let after = after.host()?;
        let row = x.row();
        workspace.threads().clone().for_each_piece(out.rows_mut(), row, |c, out| {
            let groups = &self.groups[c * per_channel..][..per_channel];
            let sources = u.channel(c).chunks_exact(width).zip(x.channel(c).chunks_exact(width));
            for ((out, (u, x)), group) in out.chunks_exact_mut(width).zip(sources).zip(groups) {
                let share = if self.fixed { 0.0 } else { 1.0 / n as f64 };
                Tangent { map: Map::new(group, after, c), out, u, x, share }.run_wide();
            }
        })?;
        out.close_gaps();
        Ok(out)
    }

    /// The gradient of `delta' D scale J u` with respect to x, if mean and variance depend on it; that with respect to the scale
    /// of each channel is added to its gradient.
    ///
    /// With b and w the centred `D delta` and u, p = hat'b, q = hat'w, the first is
    /// `-scale (hat (b'w - 3 p q / n) + q b + p w) / (n s^2)`.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn second<T: Real>(
        &self,
        workspace: &mut Workspace<T>,
        x: &Tensor<T>,
        after: After<T>,
        delta: &Tensor<T>,
        u: &Tensor<T>,
        gradients: &mut Gradients<T>,
    ) -> Result<Option<Tensor<T>>> {
        let (per_channel, n, width) = parts(x, self.batch);
        let count = n as f64;
        let mut out = workspace.tensor(u.channels, u.samples, u.length)?;
        if let (Some(cuda), Some(groups)) = (workspace.cuda(), &self.placed) {
            let of = after.placed(groups, self.batch, self.fixed)?;
            let (x, delta, u, of_scale) =
                (x.on_gpu()?, delta.on_gpu()?, u.on_gpu()?, gradients.placed_sums(after.scale)?);
            cuda.normalise_second(&of, x, delta, u, out.on_gpu()?, of_scale)?;
            if self.fixed {
                workspace.give_tensor(out);
                return Ok(None);
            }
            return Ok(Some(out));
        }
        let scale = after.scale;
        let after = after.host()?;
        let mut found = vec![0.0; x.channels];
        let tasks: Vec<_> = out.rows_mut().chunks_mut(x.row()).zip(&mut found).enumerate().collect();
        workspace.threads().for_each_item(tasks, |(c, (out, found))| {
            let groups = &self.groups[c * per_channel..][..per_channel];
            let part = |of: &'_ Tensor<T>, g: usize| -> std::ops::Range<usize> {
                let begins = of.begins(c) + g * width;
                begins..begins + width
            };
            for (g, (out, group)) in out.chunks_exact_mut(width).zip(groups).enumerate() {
                let (x, delta, u) = (&x.all()[part(x, g)], &delta.all()[part(delta, g)], &u.all()[part(u, g)]);
                let map = Map::new(group, after, c);
                let (count, inverse) = ((!self.fixed).then_some(count), group.inverse);
                *found += Second { map, out, delta, u, x, count, inverse }.run_wide();
            }
        })?;
        gradients.sums(scale).iter_mut().zip(found).for_each(|(g, f)| *g += T::of(f));
        if self.fixed {
            workspace.give_tensor(out);
            return Ok(None);
        }
        out.close_gaps();
        Ok(Some(out))
    }
}
