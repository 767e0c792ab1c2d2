//! Entropic optimal transport (Cuturi 2013).

use crate::error::{Error, ErrorKind, Result};
use crate::threads::Threads;

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
const LIMIT: usize = 300;
/// Mass on wrong rows at which the plan is good. The cost is off by less than this times the largest cost.
const GOOD: f64 = 1e-6;
/// Plan entries below e to this, relative to an even plan, are left out of a kernel.
const NEGLIGIBLE: f64 = -36.0;
/// Scalings beyond e to plus or minus this go into the potentials, and the kernel is made again.
const ABSORB: f64 = 8.0;
/// Rows that one unit of work takes.
const ROWS: usize = 64;

/// Moves n points of weight 1/n onto m points of weight 1/m. `cost(i, j)` is in 0..=1; `reg` is the weight of the
/// entropy on the same scale.
///
/// Sinkhorn's scalings on a kernel stabilised by potentials and cut where its entries are negligible, with `reg` falling
/// from 1 (Schmitzer 2019). The potentials of each kernel come from two exact steps in the log domain, so nothing
/// overflows for any `reg`.
///
/// # Errors
/// `Empty` without points, `InvalidArgument` unless `reg` is positive; `OutOfMemory`.
pub fn sinkhorn(
    n: usize,
    m: usize,
    cost: impl Fn(usize, usize) -> f64 + Sync,
    reg: f64,
    threads: &Threads,
) -> Result<Transport> {
    if n == 0 || m == 0 {
        return Err(Error::new(ErrorKind::Empty, "no points to transport"));
    }
    if !(reg > 0.0 && reg.is_finite()) {
        return Err(Error::argument(format!("regularisation {reg} is not positive")));
    }
    let transposed = |j: usize, i: usize| cost(i, j);
    // Rows' potentials follow from columns', so that only the latter are carried on.
    let mut g = vec![0.0; m];
    let mut iterations = 0;
    let mut scale = reg.max(1.0);
    loop {
        let last = scale <= reg;
        // Along the way a rough plan will do.
        let good = if last { GOOD } else { 1e-2 };
        loop {
            let f = soft_minimum(&cost, &g, n, scale, threads)?;
            g = soft_minimum(&transposed, &f, m, scale, threads)?;
            iterations += 1;
            let by_row = Kernel::new(&cost, &f, &g, scale, threads)?;
            let by_column = Kernel::new(&transposed, &g, &f, scale, threads)?;
            let (mut u, mut v) = (vec![1.0; n], vec![1.0; m]);
            let mut error;
            let finished = loop {
                let sums = by_row.times(&v, threads)?;
                error = sums.iter().zip(&u).map(|(s, u)| (s * u - 1.0).abs()).sum::<f64>() / n as f64;
                if error <= good || iterations >= LIMIT {
                    break true;
                }
                invert(&mut u, &sums);
                invert(&mut v, &by_column.times(&u, threads)?);
                iterations += 1;
                let fits = |x: &f64| x.is_finite() && *x > 0.0 && x.ln().abs() < ABSORB;
                if !(u.iter().all(fits) && v.iter().all(fits)) {
                    break false;
                }
            };
            if finished && last {
                let cost = by_row.cost(&u, &v, &cost, threads)?;
                return Ok(Transport { cost, iterations, error });
            }
            for (g, v) in g.iter_mut().zip(&v) {
                if v.is_finite() && *v > 0.0 {
                    *g += scale * v.ln();
                }
            }
            if finished {
                break;
            }
        }
        scale = (scale / 4.0).max(reg);
    }
}

fn invert(scaling: &mut [f64], sums: &[f64]) {
    scaling.iter_mut().zip(sums).for_each(|(x, s)| *x = 1.0 / s);
}

/// -scale log mean over j of exp((other_j - cost_ij) / scale), for each of n rows.
fn soft_minimum(
    cost: &(impl Fn(usize, usize) -> f64 + Sync),
    other: &[f64],
    n: usize,
    scale: f64,
    threads: &Threads,
) -> Result<Vec<f64>> {
    let mut out = vec![0.0; n];
    threads.for_each_piece(&mut out, ROWS, |piece, out| {
        for (i, out) in out.iter_mut().enumerate() {
            let exponents: Vec<f64> =
                other.iter().enumerate().map(|(j, g)| (g - cost(piece * ROWS + i, j)) / scale).collect();
            let largest = exponents.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let sum: f64 = exponents.iter().filter(|e| **e - largest > NEGLIGIBLE).map(|e| (e - largest).exp()).sum();
            *out = -scale * (largest + (sum / other.len() as f64).ln());
        }
    })?;
    Ok(out)
}

/// The entries of exp((f_i + g_j - cost_ij) / scale) / m that matter, row by row. An even plan has row sums of 1.
struct Kernel {
    rows: Vec<Vec<(u32, f64)>>,
}

impl Kernel {
    fn new(
        cost: &(impl Fn(usize, usize) -> f64 + Sync),
        f: &[f64],
        g: &[f64],
        scale: f64,
        threads: &Threads,
    ) -> Result<Self> {
        let share = 1.0 / g.len() as f64;
        let rows = threads.map(f.len(), |i| {
            let mut row = Vec::new();
            for (j, g) in g.iter().enumerate() {
                let exponent = (f[i] + g - cost(i, j)) / scale;
                if exponent > NEGLIGIBLE {
                    row.push((j as u32, exponent.exp() * share));
                }
            }
            row
        })?;
        Ok(Kernel { rows })
    }

    /// Sums over j of entry times `scaling`, for each row.
    fn times(&self, scaling: &[f64], threads: &Threads) -> Result<Vec<f64>> {
        let mut out = vec![0.0; self.rows.len()];
        threads.for_each_piece(&mut out, ROWS, |piece, out| {
            for (row, out) in self.rows[piece * ROWS..].iter().zip(out) {
                *out = row.iter().map(|(j, k)| k * scaling[*j as usize]).sum();
            }
        })?;
        Ok(out)
    }

    /// The cost of the plan u K v.
    fn cost(
        &self,
        u: &[f64],
        v: &[f64],
        cost: &(impl Fn(usize, usize) -> f64 + Sync),
        threads: &Threads,
    ) -> Result<f64> {
        let row_costs = threads.map(self.rows.len(), |i| {
            u[i] * self.rows[i].iter().map(|(j, k)| k * v[*j as usize] * cost(i, *j as usize)).sum::<f64>()
        })?;
        Ok(row_costs.iter().sum::<f64>() / self.rows.len() as f64)
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
            let found = sinkhorn(n, n, cost, 1e-4, &Threads::single()).unwrap();
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
            for i in 0..n {
                u[i] = 1.0 / n as f64 / (0..m).map(|j| k(i, j) * v[j]).sum::<f64>();
            }
            for j in 0..m {
                v[j] = 1.0 / m as f64 / (0..n).map(|i| k(i, j) * u[i]).sum::<f64>();
            }
        }
        let plain: f64 = (0..n * m).map(|at| (at / m, at % m)).map(|(i, j)| u[i] * k(i, j) * v[j] * cost(i, j)).sum();
        let found = sinkhorn(n, m, cost, reg, &Threads::single()).unwrap();
        assert!((found.cost - plain).abs() < 1e-6, "{found:?} {plain}");
        assert_eq!(found, sinkhorn(n, m, cost, reg, &Threads::new(3)).unwrap());
    }

    #[test]
    fn senseless_requests_are_refused() {
        let cost = |_: usize, _: usize| 0.5;
        assert_eq!(sinkhorn(0, 3, cost, 0.1, &Threads::single()).unwrap_err().kind(), ErrorKind::Empty);
        assert!(sinkhorn(2, 3, cost, 0.0, &Threads::single()).is_err());
        assert!((sinkhorn(2, 3, cost, 0.1, &Threads::single()).unwrap().cost - 0.5).abs() < 1e-12);
    }
}
