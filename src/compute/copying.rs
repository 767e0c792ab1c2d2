//! Steps of the copying model over packed haplotypes: sixteen states an instruction where the processor has them.
//!
//! A state is a haplotype of the panel. Every path does the same operations in the same order, lane by lane, so all give
//! the same bits; nothing is fused or reordered.

#![allow(unsafe_code)]

/// Lanes that sums are kept in: a word of bits.
const LANES: usize = 64;

/// A way to walk over states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// x86-64 with AVX-512 F.
    Avx512,
    /// x86-64 with AVX2.
    Avx2,
    /// Any processor.
    Portable,
}

impl Kernel {
    /// Those that this processor can run, best first.
    pub fn available() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                kernels.push(Kernel::Avx512);
            }
            if is_x86_feature_detected!("avx2") {
                kernels.push(Kernel::Avx2);
            }
        }
        kernels.push(Kernel::Portable);
        kernels
    }

    /// The best that this processor can run.
    pub fn best() -> Kernel {
        Self::available()[0]
    }

    /// A step to the next site: each state becomes `(state x stay + jump)`, times `mismatch` where its bit is not
    /// `allele`. Returns the sum of the new states.
    ///
    /// # Panics
    /// If there are fewer bits than states.
    pub fn step(self, states: &mut [f32], bits: &[u64], allele: bool, stay: f32, jump: f32, mismatch: f32) -> f32 {
        assert!(bits.len() >= states.len().div_ceil(LANES), "a bit for each state");
        let flip = if allele { u64::MAX } else { 0 };
        let whole = states.len() / LANES * LANES;
        let (head, tail) = states.split_at_mut(whole);
        let mut sums = [0.0f32; LANES];
        let step = Step { flip, stay, jump, mismatch };
        match self {
            // SAFETY: `available` was true for this path, and there is a word of bits for each 64 states.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { x86::step_avx512(head, bits, step, &mut sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { x86::step_avx2(head, bits, step, &mut sums) },
            _ => head.chunks_exact_mut(LANES).zip(bits).for_each(|(chunk, word)| step.lanes(chunk, *word, &mut sums)),
        }
        if let Some(word) = bits.get(whole / LANES) {
            step.lanes(tail, *word, &mut sums);
        }
        total(sums)
    }

    /// Sums over the states whose bit is 1: of `a x b`, of `a` and of `b`.
    ///
    /// # Panics
    /// If the lengths disagree.
    pub fn carriers(self, a: &[f32], b: &[f32], bits: &[u64]) -> [f32; 3] {
        assert!(a.len() == b.len() && bits.len() >= a.len().div_ceil(LANES), "a bit for each state");
        let whole = a.len() / LANES * LANES;
        let mut sums = [[0.0f32; LANES]; 3];
        match self {
            // SAFETY: as in `step`.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { x86::carriers_avx512(&a[..whole], &b[..whole], bits, &mut sums) },
            // SAFETY: as in `step`.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { x86::carriers_avx2(&a[..whole], &b[..whole], bits, &mut sums) },
            _ => {
                for ((a, b), word) in a[..whole].chunks_exact(LANES).zip(b.chunks_exact(LANES)).zip(bits) {
                    carriers_of(a, b, *word, &mut sums);
                }
            }
        }
        if let Some(word) = bits.get(whole / LANES) {
            carriers_of(&a[whole..], &b[whole..], *word, &mut sums);
        }
        sums.map(total)
    }
}

/// What a step does to each state.
#[derive(Clone, Copy)]
struct Step {
    flip: u64,
    stay: f32,
    jump: f32,
    mismatch: f32,
}

impl Step {
    /// Up to 64 states.
    #[inline(always)]
    fn lanes(self, states: &mut [f32], word: u64, sums: &mut [f32; LANES]) {
        let word = word ^ self.flip;
        for (lane, (state, sum)) in states.iter_mut().zip(sums).enumerate() {
            let factor = if word >> lane & 1 == 1 { self.mismatch } else { 1.0 };
            *state = (*state * self.stay + self.jump) * factor;
            *sum += *state;
        }
    }
}

#[inline(always)]
fn carriers_of(a: &[f32], b: &[f32], word: u64, sums: &mut [[f32; LANES]; 3]) {
    for (lane, (a, b)) in a.iter().zip(b).enumerate() {
        // Adding 0 is what the vector paths do; it changes nothing.
        let (a, b) = if word >> lane & 1 == 1 { (*a, *b) } else { (0.0, 0.0) };
        sums[0][lane] += a * b;
        sums[1][lane] += a;
        sums[2][lane] += b;
    }
}

/// The sum of all lanes, in one order.
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, Step, carriers_of};
    use std::arch::x86_64::*;

    /// # Safety
    /// AVX-512 F; `states` is a multiple of 64, with a word of bits for each.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn step_avx512(states: &mut [f32], bits: &[u64], step: Step, sums: &mut [f32; LANES]) {
        let (stay, jump, mismatch) =
            (_mm512_set1_ps(step.stay), _mm512_set1_ps(step.jump), _mm512_set1_ps(step.mismatch));
        let mut acc = [_mm512_setzero_ps(); 4];
        for (chunk, word) in states.chunks_exact_mut(LANES).zip(bits) {
            let word = word ^ step.flip;
            for (v, acc) in acc.iter_mut().enumerate() {
                let at = chunk[16 * v..].as_mut_ptr();
                // SAFETY: sixteen states are left in the chunk.
                let x = unsafe { _mm512_loadu_ps(at) };
                let x = _mm512_add_ps(_mm512_mul_ps(x, stay), jump);
                let x = _mm512_mask_mul_ps(x, (word >> (16 * v)) as u16, x, mismatch);
                // SAFETY: as above.
                unsafe { _mm512_storeu_ps(at, x) };
                *acc = _mm512_add_ps(*acc, x);
            }
        }
        for (v, acc) in acc.into_iter().enumerate() {
            // SAFETY: sixteen of the 64 sums.
            unsafe { _mm512_storeu_ps(sums[16 * v..].as_mut_ptr(), acc) };
        }
    }

    /// # Safety
    /// AVX2; the rest as for [`step_avx512`]. The compiler vectorises the plain loop.
    #[target_feature(enable = "avx2")]
    pub unsafe fn step_avx2(states: &mut [f32], bits: &[u64], step: Step, sums: &mut [f32; LANES]) {
        states.chunks_exact_mut(LANES).zip(bits).for_each(|(chunk, word)| step.lanes(chunk, *word, sums));
    }

    /// # Safety
    /// AVX-512 F; `a` and `b` are of one length, a multiple of 64, with a word of bits for each.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn carriers_avx512(a: &[f32], b: &[f32], bits: &[u64], sums: &mut [[f32; LANES]; 3]) {
        let mut acc = [[_mm512_setzero_ps(); 4]; 3];
        for ((a, b), word) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)).zip(bits) {
            for v in 0..4 {
                let mask = (word >> (16 * v)) as u16;
                // SAFETY: sixteen states are left in either chunk.
                let (x, y) = unsafe {
                    (
                        _mm512_maskz_loadu_ps(mask, a[16 * v..].as_ptr()),
                        _mm512_maskz_loadu_ps(mask, b[16 * v..].as_ptr()),
                    )
                };
                acc[0][v] = _mm512_add_ps(acc[0][v], _mm512_mul_ps(x, y));
                acc[1][v] = _mm512_add_ps(acc[1][v], x);
                acc[2][v] = _mm512_add_ps(acc[2][v], y);
            }
        }
        for (sums, acc) in sums.iter_mut().zip(acc) {
            for (v, acc) in acc.into_iter().enumerate() {
                // SAFETY: sixteen of the 64 sums.
                unsafe { _mm512_storeu_ps(sums[16 * v..].as_mut_ptr(), acc) };
            }
        }
    }

    /// # Safety
    /// AVX2; the rest as for [`carriers_avx512`].
    #[target_feature(enable = "avx2")]
    pub unsafe fn carriers_avx2(a: &[f32], b: &[f32], bits: &[u64], sums: &mut [[f32; LANES]; 3]) {
        for ((a, b), word) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)).zip(bits) {
            carriers_of(a, b, *word, sums);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::bits::words_for;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn every_path_gives_the_bits_of_the_plain_one() {
        let random = Stream::new(5, Purpose::Evaluate, 0);
        for n in [1, 63, 64, 65, 200, 1000] {
            let bits: Vec<u64> = (0..words_for(n))
                .map(|i| random.word(i as u64).into())
                .map(|w: u64| w * 0x9E37_79B9_7F4A_7C15)
                .collect();
            let start: Vec<f32> = (0..n).map(|i| random.uniform(500 + i as u64)).collect();
            let other: Vec<f32> = (0..n).map(|i| random.uniform(5000 + i as u64)).collect();
            for allele in [false, true] {
                let mut plain = start.clone();
                let sum = Kernel::Portable.step(&mut plain, &bits, allele, 0.9, 0.01, 0.125);
                let exact: f64 = plain.iter().map(|x| f64::from(*x)).sum();
                assert!((f64::from(sum) - exact).abs() < 1e-5 * exact);
                for (i, (before, after)) in start.iter().zip(&plain).enumerate() {
                    let same = (bits[i / 64] >> (i % 64) & 1 == 1) == allele;
                    assert_eq!(*after, (before * 0.9 + 0.01) * if same { 1.0 } else { 0.125 });
                }
                let found = Kernel::Portable.carriers(&start, &other, &bits);
                for kernel in Kernel::available() {
                    let mut states = start.clone();
                    assert_eq!(kernel.step(&mut states, &bits, allele, 0.9, 0.01, 0.125).to_bits(), sum.to_bits());
                    assert_eq!(states, plain, "{kernel:?}");
                    assert_eq!(kernel.carriers(&start, &other, &bits).map(f32::to_bits), found.map(f32::to_bits));
                }
            }
        }
    }
}
