//! Steps of a hidden Markov model of clusters: sixty-four states at a time.
//!
//! A state has a weight of entry and a probability of the alternate allele at each site. The loops are plain, over lanes
//! whose number is fixed, and are compiled once for each set of instructions; nothing is fused or reordered, so every path
//! gives the same bits.

#![allow(unsafe_code)]

use super::copying::Kernel;

/// States are padded to a multiple of this; sums are kept in as many lanes.
pub const LANES: usize = 64;

/// What an allele, or its absence, is worth in a state: `constant + slope x` the probability of the alternate allele.
#[derive(Clone, Copy, Debug)]
pub struct Emission {
    constant: f32,
    slope: f32,
}

impl Emission {
    /// Of an observed allele.
    pub fn of(alternate: bool) -> Self {
        match alternate {
            true => Emission { constant: 0.0, slope: 1.0 },
            false => Emission { constant: 1.0, slope: -1.0 },
        }
    }

    /// Of a site that nothing is known of: 1.
    pub const NONE: Emission = Emission { constant: 1.0, slope: 0.0 };

    #[inline(always)]
    fn at(self, alternate: f32) -> f32 {
        self.constant + self.slope * alternate
    }
}

/// The weights of states at a site between two others: `(a forward + b entry) (c backward + d)`.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    /// The chance to be still in the state of the site before, over the sum of `forward`.
    pub a: f32,
    /// The chance to have left it.
    pub b: f32,
    /// The same towards the site after: the scale of `backward`.
    pub c: f32,
    /// And what a state that is left is worth.
    pub d: f32,
}

/// Defines a step three times: compiled for AVX-512, for AVX2, and for any processor.
macro_rules! step {
    ($(#[$text:meta])* $name:ident, $plain:ident, ($($arg:ident: $type:ty),*) -> $out:ty) => {
        $(#[$text])*
        ///
        /// # Panics
        /// If the numbers of states disagree or are no multiple of [`LANES`].
        #[allow(clippy::too_many_arguments)]
        pub fn $name(self, $($arg: $type),*) -> $out {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn avx512($($arg: $type),*) -> $out {
                    $plain($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) -> $out {
                    $plain($($arg),*)
                }
                match self {
                    // SAFETY: a kernel of this name is only made where the processor has the instructions.
                    Kernel::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    Kernel::Avx2 => return unsafe { avx2($($arg),*) },
                    Kernel::Portable => {}
                }
            }
            $plain($($arg),*)
        }
    };
}

impl Kernel {
    step! {
        /// A step to the next site: each state becomes `(state x stay + jump x entry) x emission`. Returns the sum.
        enter, enter_plain,
        (states: &mut [f32], entry: &[f32], alternate: &[f32], emission: Emission, stay: f32, jump: f32) -> f32
    }
    step! {
        /// The emission of a site comes to `states`, which look backwards. Returns the sum of `entry x state` after it.
        observe, observe_plain,
        (states: &mut [f32], entry: &[f32], alternate: &[f32], emission: Emission) -> f32
    }
    step! {
        /// Each state becomes `state x scale + shift`.
        shift, shift_plain,
        (states: &mut [f32], scale: f32, shift: f32) -> ()
    }
    step! {
        /// Adds `forward x backward x scale` to `counts`.
        count, count_plain,
        (counts: &mut [f32], forward: &[f32], backward: &[f32], scale: f32) -> ()
    }
    step! {
        /// Sums over states of their weights (see [`Between`]) times the alternate allele's probability, and of the weights.
        expect, expect_plain,
        (forward: &[f32], backward: &[f32], entry: &[f32], alternate: &[f32], between: Between) -> [f32; 2]
    }
    step! {
        /// Sums over states of `forward x backward`, and of the same with the emission of the site divided out.
        without, without_plain,
        (forward: &[f32], backward: &[f32], alternate: &[f32], emission: Emission) -> [f32; 2]
    }
}

/// Fails loudly rather than read past the end: every length is that of `states`.
#[inline(always)]
fn check(states: usize, others: &[usize]) {
    assert!(states.is_multiple_of(LANES) && others.iter().all(|n| *n == states), "a number for each state");
}

#[inline(always)]
fn enter_plain(states: &mut [f32], entry: &[f32], alternate: &[f32], emission: Emission, stay: f32, jump: f32) -> f32 {
    check(states.len(), &[entry.len(), alternate.len()]);
    let mut sums = [0.0f32; LANES];
    let rows = states.chunks_exact_mut(LANES).zip(entry.chunks_exact(LANES)).zip(alternate.chunks_exact(LANES));
    for ((states, entry), alternate) in rows {
        for i in 0..LANES {
            states[i] = (states[i] * stay + jump * entry[i]) * emission.at(alternate[i]);
            sums[i] += states[i];
        }
    }
    total(sums)
}

#[inline(always)]
fn observe_plain(states: &mut [f32], entry: &[f32], alternate: &[f32], emission: Emission) -> f32 {
    check(states.len(), &[entry.len(), alternate.len()]);
    let mut sums = [0.0f32; LANES];
    let rows = states.chunks_exact_mut(LANES).zip(entry.chunks_exact(LANES)).zip(alternate.chunks_exact(LANES));
    for ((states, entry), alternate) in rows {
        for i in 0..LANES {
            states[i] *= emission.at(alternate[i]);
            sums[i] += states[i] * entry[i];
        }
    }
    total(sums)
}

#[inline(always)]
fn shift_plain(states: &mut [f32], scale: f32, shift: f32) {
    states.iter_mut().for_each(|state| *state = *state * scale + shift);
}

#[inline(always)]
fn count_plain(counts: &mut [f32], forward: &[f32], backward: &[f32], scale: f32) {
    check(counts.len(), &[forward.len(), backward.len()]);
    for ((count, x), y) in counts.iter_mut().zip(forward).zip(backward) {
        *count += x * y * scale;
    }
}

#[inline(always)]
fn expect_plain(forward: &[f32], backward: &[f32], entry: &[f32], alternate: &[f32], between: Between) -> [f32; 2] {
    check(forward.len(), &[backward.len(), entry.len(), alternate.len()]);
    let Between { a, b, c, d } = between;
    let mut sums = [[0.0f32; LANES]; 2];
    let rows = forward.chunks_exact(LANES).zip(backward.chunks_exact(LANES));
    let rows = rows.zip(entry.chunks_exact(LANES)).zip(alternate.chunks_exact(LANES));
    for (((x, y), entry), alternate) in rows {
        for i in 0..LANES {
            let weight = (a * x[i] + b * entry[i]) * (c * y[i] + d);
            sums[0][i] += weight * alternate[i];
            sums[1][i] += weight;
        }
    }
    sums.map(total)
}

#[inline(always)]
fn without_plain(forward: &[f32], backward: &[f32], alternate: &[f32], emission: Emission) -> [f32; 2] {
    check(forward.len(), &[backward.len(), alternate.len()]);
    let mut sums = [[0.0f32; LANES]; 2];
    let rows = forward.chunks_exact(LANES).zip(backward.chunks_exact(LANES)).zip(alternate.chunks_exact(LANES));
    for ((x, y), alternate) in rows {
        for i in 0..LANES {
            let weight = x[i] * y[i];
            sums[0][i] += weight;
            sums[1][i] += weight / emission.at(alternate[i]);
        }
    }
    sums.map(total)
}

/// The sum of all lanes, in one order.
#[inline(always)]
fn total(mut sums: [f32; LANES]) -> f32 {
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            sums[i] += sums[n + i];
        }
        n /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn every_path_gives_the_bits_of_the_plain_one() {
        let random = Stream::new(6, Purpose::Evaluate, 0);
        for n in [LANES, 5 * LANES] {
            let numbers =
                |first: u64| -> Vec<f32> { (0..n).map(|i| 0.01 + 0.98 * random.uniform(first + i as u64)).collect() };
            let (x, y, entry, alternate) = (numbers(0), numbers(1000), numbers(2000), numbers(3000));
            for emission in [Emission::of(true), Emission::of(false), Emission::NONE] {
                let run = |kernel: Kernel| {
                    let (mut entered, mut observed, mut shifted, mut counts) =
                        (x.clone(), y.clone(), x.clone(), y.clone());
                    let between = Between { a: 0.5, b: 0.3, c: 0.7, d: 0.2 };
                    let mut sums = vec![
                        kernel.enter(&mut entered, &entry, &alternate, emission, 0.9, 0.1),
                        kernel.observe(&mut observed, &entry, &alternate, emission),
                    ];
                    kernel.shift(&mut shifted, 0.5, 0.25);
                    kernel.count(&mut counts, &x, &entry, 0.3);
                    sums.extend(kernel.expect(&x, &y, &entry, &alternate, between));
                    sums.extend(kernel.without(&x, &y, &alternate, emission));
                    [sums, entered, observed, shifted, counts]
                        .concat()
                        .into_iter()
                        .map(f32::to_bits)
                        .collect::<Vec<_>>()
                };
                let plain = run(Kernel::Portable);
                Kernel::available().into_iter().for_each(|kernel| assert_eq!(run(kernel), plain, "{kernel:?}"));
                let exact: f64 =
                    (0..n).map(|i| f64::from((x[i] * 0.9 + 0.1 * entry[i]) * emission.at(alternate[i]))).sum();
                assert!((f64::from(f32::from_bits(plain[0])) - exact).abs() < 1e-5 * exact);
            }
        }
    }
}
