//! Nearest-neighbour adversarial accuracy (Yale et al. 2020) and privacy loss.

use super::distances::{nearest, nearest_within};
use crate::compute::Device;
use crate::error::{Error, Result};
use crate::panel::bits::BitMatrix;

/// The two halves of adversarial accuracy. Each is .5 at best; below, the artificial haplotypes sit too close to the
/// real ones, above, they are told apart. Their mean alone can hide a 0 and a 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aats {
    /// Share of real haplotypes that are farther from the nearest artificial one than from the nearest other real one.
    pub truth: f64,
    /// Share of artificial haplotypes that are farther from the nearest real one than from the nearest other artificial
    /// one.
    pub syn: f64,
}

impl Aats {
    /// The mean of the halves.
    pub fn mean(&self) -> f64 {
        (self.truth + self.syn) / 2.0
    }
}

/// Adversarial accuracy of two sets of one size. "Farther" is strict: ties count as not farther.
///
/// # Errors
/// `InvalidArgument` if the shapes differ or there are fewer than two haplotypes; `OutOfMemory`.
pub fn aats(truth: &BitMatrix, synthetic: &BitMatrix, device: &Device) -> Result<Aats> {
    aats_to(truth, &nearest_within(truth, device)?, synthetic, &nearest_within(synthetic, device)?, device)
}

/// As [`aats`], where the distances within the sets are known.
pub(super) fn aats_to(
    truth: &BitMatrix,
    within_truth: &[u32],
    synthetic: &BitMatrix,
    within_synthetic: &[u32],
    device: &Device,
) -> Result<Aats> {
    let n = truth.rows();
    if n != synthetic.rows() || n < 2 {
        return Err(Error::argument(format!(
            "adversarial accuracy takes two sets of one size, at least 2, not {n} and {}",
            synthetic.rows()
        )));
    }
    let between = nearest(truth, synthetic, device)?;
    let farther =
        |between: &[u32], within: &[u32]| between.iter().zip(within).filter(|(b, w)| b > w).count() as f64 / n as f64;
    Ok(Aats { truth: farther(&between.of_first, within_truth), syn: farther(&between.of_second, within_synthetic) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::{distance, random_bits};
    use crate::threads::Threads;

    fn brute(t: &BitMatrix, s: &BitMatrix) -> Aats {
        let n = t.rows();
        let half = |x: &BitMatrix, y: &BitMatrix| {
            let farther = (0..n).filter(|i| {
                let other = (0..n).map(|j| distance(x, *i, y, j)).min();
                let own = (0..n).filter(|j| j != i).map(|j| distance(x, *i, x, j)).min();
                other > own
            });
            farther.count() as f64 / n as f64
        };
        Aats { truth: half(t, s), syn: half(s, t) }
    }

    #[test]
    fn halves_agree_with_brute_force() {
        for seed in 0..5 {
            let (t, s) = (random_bits(40, 20, 2 * seed), random_bits(40, 20, 2 * seed + 1));
            assert_eq!(aats(&t, &s, &Device::cpu(Threads::single())).unwrap(), brute(&t, &s));
        }
    }

    #[test]
    fn copies_score_0_and_far_sets_1() {
        let t = random_bits(30, 200, 1);
        let copies = aats(&t, &t, &Device::cpu(Threads::single())).unwrap();
        assert_eq!((copies.truth, copies.syn), (0.0, 0.0));
        let far = BitMatrix::from_fn(30, 200, |r, c| !t.get(0, c) ^ (c == r)).unwrap();
        let near = BitMatrix::from_fn(30, 200, |r, c| t.get(0, c) ^ (c == r)).unwrap();
        assert_eq!(aats(&near, &far, &Device::cpu(Threads::single())).unwrap().mean(), 1.0);
        assert!(aats(&t, &random_bits(29, 200, 2), &Device::cpu(Threads::single())).is_err());
        assert!(aats(&random_bits(1, 5, 1), &random_bits(1, 5, 2), &Device::cpu(Threads::single())).is_err());
    }
}
