//! Entropic optimal transport (Cuturi 2013).

use crate::error::{Error, ErrorKind, Result};

/// What came of [`sinkhorn`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    /// The cost of the plan: sum of plan times cost, without the entropy.
    pub cost: f64,
    /// Scalings of rows and columns that were done.
    pub iterations: usize,
    /// Mass that the plan puts on wrong rows, in all.
    pub error: f64,
}

impl Transport {
    /// Whether the plan is as good as was asked for, rather than stopped at the limit of iterations.
    pub fn converged(&self) -> bool {
        self.error <= GOOD
    }
}

/// Iterations at most.
const LIMIT: usize = 4_000;
/// Iterations that making a kernel counts as.
const REMAKE: usize = 20;
/// Mass on wrong rows at which the plan is good. The cost is off by less than this times the largest cost.
const GOOD: f64 = 1e-5;
/// The same along the way.
const ROUGH: f64 = 1e-3;
/// One point in this many is enough far above the goal, where there are at least [`THIN_FROM`].
const THIN: usize = 8;
const THIN_FROM: usize = 512;
/// Plan entries below e to this, relative to an even plan, are left out of a kernel.
const NEGLIGIBLE: f64 = -26.0;
/// Scalings beyond e to plus or minus this go into the potentials, and the kernel is made again. With the line above,
/// what is left out of a row stays below e to -18 of its mass.
const ABSORB: f64 = 4.0;
/// Iterations between looks at how fast the plan gets better.
const LOOK: usize = 20;

/// Moves n points of weight 1/n onto m points of weight 1/m. `cost(i, j)` is in 0..=1; `reg` is the weight of the
/// entropy on the same scale.
///
/// Sinkhorn's scalings on a kernel stabilised by potentials and cut where its entries are negligible, with `reg` falling
/// from 1 (Schmitzer 2019), overrelaxed by what the observed rate of convergence asks for (Thibault et al. 2021;
/// Lehmann et al. 2022). The potentials of each kernel come from two exact steps in the log domain, so nothing overflows
/// for any `reg`. Where there are many points, every eighth of them begins; an order in which these are a fair sample
/// saves time.
///
/// # Errors
/// `Empty` without points, `InvalidArgument` unless `reg` is positive; `OutOfMemory`.
pub fn sinkhorn(n: usize, m: usize, cost: impl Fn(usize, usize) -> f64, reg: f64) -> Result<Transport> {
    if n == 0 || m == 0 {
        return Err(Error::new(ErrorKind::Empty, "no points to transport"));
    }
    if !(reg > 0.0 && reg.is_finite()) {
        return Err(Error::argument(format!("regularisation {reg} is not positive")));
    }
    // Far above the goal, potentials of every few points help as much as those of all.
    let stride = if n.min(m) >= THIN_FROM { THIN } else { 1 };
    let (few, fewer) = (n.div_ceil(stride), m.div_ceil(stride));
    let thinned = |i: usize, j: usize| cost(i * stride, j * stride);
    let mut left = LIMIT;
    let mut scale = reg.max(1.0);
    // Rows' potentials follow from columns', so that only the latter are carried on.
    let mut g = vec![0.0; fewer];
    while scale > 4.0 * reg {
        settle(&thinned, few, &mut g, scale, ROUGH, &mut left);
        scale = (scale / 2.0).max(reg);
    }
    if stride > 1 {
        let f = soft_minimum(&thinned, &g, few, scale);
        g = soft_minimum(&|j, i| cost(i * stride, j), &f, m, scale);
    }
    while scale > reg {
        settle(&cost, n, &mut g, scale, ROUGH, &mut left);
        scale = (scale / 2.0).max(reg);
    }
    let (cost, error) = settle(&cost, n, &mut g, reg, GOOD, &mut left);
    Ok(Transport { cost, iterations: LIMIT - left, error })
}

/// Scales until at most `good` of the mass is wrong, or no iterations are left. Takes and gives back the potentials of
/// columns; also gives the cost of the plan, and the mass that is wrong.
fn settle(
    cost: &impl Fn(usize, usize) -> f64,
    n: usize,
    g: &mut Vec<f64>,
    scale: f64,
    good: f64,
    left: &mut usize,
) -> (f64, f64) {
    loop {
        let f = soft_minimum(cost, g, n, scale);
        let kernel;
        (*g, kernel) = Kernel::new(cost, &f, g.len(), scale);
        *left = left.saturating_sub(REMAKE);
        let (mut u, mut v) = (vec![0.0f64; n], vec![0.0f64; g.len()]);
        let mut pace = Pace::new();
        let settled = loop {
            let sums = kernel.row_sums(&v, n);
            let error = sums.iter().zip(&u).map(|(s, u)| (s * u.exp() - 1.0).abs()).sum::<f64>() / n as f64;
            if error <= good || *left == 0 {
                break Some(error);
            }
            let relaxation = pace.relaxation(error);
            relax(&mut u, &sums, relaxation);
            relax(&mut v, &kernel.column_sums(&u), relaxation);
            *left -= 1;
            // An empty row or column has an infinite scaling.
            let fits = |x: &f64| x.abs() < ABSORB;
            if !(u.iter().all(fits) && v.iter().all(fits)) {
                break None;
            }
        };
        for (g, v) in g.iter_mut().zip(&v).filter(|(_, v)| v.is_finite()) {
            *g += scale * v;
        }
        if let Some(error) = settled {
            return (kernel.cost(&u, &v, cost), error);
        }
    }
}

/// Moves the logarithms of scalings towards what makes all sums 1, and beyond if `relaxation` is above 1.
fn relax(logs: &mut [f64], sums: &[f64], relaxation: f64) {
    logs.iter_mut().zip(sums).for_each(|(x, s)| *x -= relaxation * (s.ln() + *x));
}

/// Watches the error fall, and says how far to overrelax. Near the solution scaling is Gauss and Seidel's iteration on
/// two blocks, whose best relaxation follows from its rate (Young 1954).
struct Pace {
    relaxation: f64,
    /// Iterations since the relaxation changed.
    since: usize,
    before: Option<f64>,
}

impl Pace {
    fn new() -> Self {
        Pace { relaxation: 1.0, since: 0, before: None }
    }

    /// The relaxation of the next iteration, from the error that the last one left.
    fn relaxation(&mut self, error: f64) -> f64 {
        self.since += 1;
        // After a change the error swells before it falls, for longer the closer the relaxation is to 2.
        let settled = self.since as f64 > 2.0 / (2.0 - self.relaxation);
        if settled && self.since.is_multiple_of(LOOK) {
            if let Some(before) = self.before {
                let now = self.relaxation;
                let rate = (error / before).powf(1.0 / LOOK as f64);
                if rate >= 1.0 {
                    // Too far, too early: start again from plain scalings.
                    *self = Self::new();
                } else if rate > now - 1.0 {
                    let plain = ((rate + now - 1.0).powi(2) / (rate * now * now)).min(1.0 - 1e-5);
                    *self = Pace { relaxation: 2.0 / (1.0 + (1.0 - plain).sqrt()), ..Self::new() };
                } else {
                    self.before = Some(error);
                }
            } else {
                self.before = Some(error);
            }
        }
        self.relaxation
    }
}

/// -scale log mean over j of exp((other_j - cost_ij) / scale), for each of n rows.
fn soft_minimum(cost: &impl Fn(usize, usize) -> f64, other: &[f64], n: usize, scale: f64) -> Vec<f64> {
    let mut exponents = vec![0.0; other.len()];
    let mut potential = |i: usize| {
        exponents.iter_mut().zip(other).enumerate().for_each(|(j, (e, g))| *e = (g - cost(i, j)) / scale);
        -scale * log_mean(&exponents)
    };
    (0..n).map(&mut potential).collect()
}

/// log mean exp, which overflows for nothing.
fn log_mean(exponents: &[f64]) -> f64 {
    let largest = exponents.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
    let sum: f64 = exponents.iter().map(|e| e - largest).filter(|e| *e > NEGLIGIBLE).map(f64::exp).sum();
    largest + (sum / exponents.len() as f64).ln()
}

/// The entries of exp((f_i + g_j - cost_ij) / scale) that matter, column by column. Rounding them to f32 is as if costs
/// were off by 1e-7 of the regularisation.
struct Kernel {
    /// Where each column's entries begin, and where the last ends.
    starts: Vec<usize>,
    /// The row of each entry.
    row: Vec<u32>,
    entry: Vec<f32>,
}

impl Kernel {
    /// The kernel of `m` columns, with the potentials g that make their sums 1.
    fn new(cost: &impl Fn(usize, usize) -> f64, f: &[f64], m: usize, scale: f64) -> (Vec<f64>, Self) {
        let mut kernel = Kernel { starts: vec![0], row: Vec::new(), entry: Vec::new() };
        let mut exponents = vec![0.0; f.len()];
        let mut potentials = Vec::with_capacity(m);
        for j in 0..m {
            exponents.iter_mut().zip(f).enumerate().for_each(|(i, (e, f))| *e = (f - cost(i, j)) / scale);
            let sum = log_mean(&exponents);
            for (i, e) in exponents.iter().map(|e| e - sum).enumerate().filter(|(_, e)| *e > NEGLIGIBLE) {
                kernel.row.push(i as u32);
                kernel.entry.push(e.exp() as f32);
            }
            kernel.starts.push(kernel.row.len());
            potentials.push(-scale * sum);
        }
        (potentials, kernel)
    }

    /// Rows and entries of column `j`.
    fn column(&self, j: usize) -> (&[u32], &[f32]) {
        let range = self.starts[j]..self.starts[j + 1];
        (&self.row[range.clone()], &self.entry[range])
    }

    /// Means over rows of entry times e to the row's log scaling, for each column.
    fn column_sums(&self, u: &[f64]) -> Vec<f64> {
        let scaling: Vec<f64> = u.iter().map(|x| x.exp() / u.len() as f64).collect();
        let column = |j: usize| {
            let (rows, entries) = self.column(j);
            let (rows, last_rows) = rows.as_chunks::<8>();
            let (entries, last_entries) = entries.as_chunks::<8>();
            // Eight sums, so that no addition waits for the one before.
            let mut sums = [0.0; 8];
            for (rows, entries) in rows.iter().zip(entries) {
                for lane in 0..8 {
                    sums[lane] += f64::from(entries[lane]) * scaling[rows[lane] as usize];
                }
            }
            let last = last_rows.iter().zip(last_entries).map(|(i, k)| f64::from(*k) * scaling[*i as usize]);
            sums.iter().sum::<f64>() + last.sum::<f64>()
        };
        (0..self.starts.len() - 1).map(column).collect()
    }

    /// Means over columns of entry times e to the column's log scaling, for each of `n` rows.
    fn row_sums(&self, v: &[f64], n: usize) -> Vec<f64> {
        let mut sums = vec![0.0; n];
        for (j, v) in v.iter().enumerate() {
            let scaling = v.exp() / (self.starts.len() - 1) as f64;
            let (rows, entries) = self.column(j);
            rows.iter().zip(entries).for_each(|(i, k)| sums[*i as usize] += f64::from(*k) * scaling);
        }
        sums
    }

    /// The cost of the plan e^u K e^v.
    fn cost(&self, u: &[f64], v: &[f64], cost: &impl Fn(usize, usize) -> f64) -> f64 {
        let scaling: Vec<f64> = u.iter().map(|x| x.exp() / u.len() as f64).collect();
        let column = |j: usize| {
            let (rows, entries) = self.column(j);
            let moved = |(i, k): (&u32, &f32)| f64::from(*k) * scaling[*i as usize] * cost(*i as usize, j);
            v[j].exp() * rows.iter().zip(entries).map(moved).sum::<f64>()
        };
        (0..v.len()).map(column).sum::<f64>() / v.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    /// The best of all assignments, by trying them.
    fn best_assignment(cost: &dyn Fn(usize, usize) -> f64, n: usize, i: usize, taken: &mut Vec<bool>) -> f64 {
        if i == n {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for j in 0..n {
            if !taken[j] {
                taken[j] = true;
                best = best.min(cost(i, j) + best_assignment(cost, n, i + 1, taken));
                taken[j] = false;
            }
        }
        best
    }

    #[test]
    fn little_entropy_finds_the_best_assignment() {
        for number in 0..20 {
            let stream = Stream::new(5, Purpose::Evaluate, number);
            let n = 6;
            let cost = |i: usize, j: usize| f64::from(stream.uniform((i * n + j) as u64));
            let best = best_assignment(&cost, n, 0, &mut vec![false; n]) / n as f64;
            let found = sinkhorn(n, n, cost, 1e-4).unwrap();
            assert!(found.error <= GOOD, "{found:?}");
            assert!((found.cost - best).abs() < 1e-3, "{found:?} {best}");
        }
    }

    /// Scalings in plain arithmetic, which a large regularisation allows.
    #[test]
    fn plain_scalings_agree() {
        let stream = Stream::new(6, Purpose::Evaluate, 0);
        let (n, m, reg) = (5, 8, 0.2);
        let cost = |i: usize, j: usize| f64::from(stream.uniform((i * m + j) as u64));
        let k = |i: usize, j: usize| (-cost(i, j) / reg).exp();
        let (mut u, mut v) = (vec![1.0; n], vec![1.0; m]);
        for _ in 0..10_000 {
            for (i, u) in u.iter_mut().enumerate() {
                *u = 1.0 / n as f64 / (0..m).map(|j| k(i, j) * v[j]).sum::<f64>();
            }
            for (j, v) in v.iter_mut().enumerate() {
                *v = 1.0 / m as f64 / (0..n).map(|i| k(i, j) * u[i]).sum::<f64>();
            }
        }
        let plain: f64 = (0..n * m).map(|at| (at / m, at % m)).map(|(i, j)| u[i] * k(i, j) * v[j] * cost(i, j)).sum();
        let found = sinkhorn(n, m, cost, reg).unwrap();
        assert!((found.cost - plain).abs() < 1e-5, "{found:?} {plain}");
    }

    /// A start from every eighth point ends at the same plan as a start from all.
    #[test]
    fn a_thinned_start_changes_nothing() {
        let stream = Stream::new(7, Purpose::Evaluate, 0);
        let n = THIN_FROM;
        let x = |i: usize| f64::from(stream.uniform(i as u64));
        let cost = |i: usize, j: usize| (x(i) - x(n + j)).powi(2);
        let found = sinkhorn(n, n, cost, 0.002).unwrap();
        let mut g = vec![0.0; n];
        let mut left = LIMIT;
        let (whole, error) = settle(&cost, n, &mut g, 0.002, GOOD, &mut left);
        assert!(found.converged() && error <= GOOD, "{found:?} {error}");
        assert!((found.cost - whole).abs() < 1e-5, "{found:?} {whole}");
    }

    #[test]
    fn senseless_requests_are_refused() {
        let cost = |_: usize, _: usize| 0.5;
        assert_eq!(sinkhorn(0, 3, cost, 0.1).unwrap_err().kind(), ErrorKind::Empty);
        assert!(sinkhorn(2, 3, cost, 0.0).is_err());
        assert!((sinkhorn(2, 3, cost, 0.1).unwrap().cost - 0.5).abs() < 1e-12);
    }
}
