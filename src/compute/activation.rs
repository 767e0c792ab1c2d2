//! What a unit makes of its input: plain IEEE operations in a fixed order, without fused multiply-adds, so that every
//! processor and every vector width gives the same bits.

use crate::rng::CHUNK;

/// exp(x) for |x| <= 87, relative error below 3e-7; a larger |x| is taken as 87.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // 1.5 x 2^23: adding and subtracting it rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 87.0);
    let t = x * std::f32::consts::LOG2_E;
    let shifted = t + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts (Cody and Waite), so that r keeps its low bits.
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
    // Cephes' polynomial for exp on |r| <= ln(2) / 2.
    let p =
        ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1) * r + 0.5;
    let y = p * (r * r) + r + 1.0;
    let exponent = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    y * f32::from_bits((exponent.wrapping_add(127) << 23) as u32)
}

/// ln(1 + y) for 0 <= y <= 1, absolute error below 1e-6.
#[inline(always)]
fn log1p_unit(y: f32) -> f32 {
    // ln(1 + y) = 2 artanh(y / (2 + y)), and |s| <= 1/3.
    let s = y / (2.0 + y);
    let z = s * s;
    let p = ((((0.090_909_09 * z + 0.111_111_11) * z + 0.142_857_15) * z + 0.2) * z + 0.333_333_34) * z + 1.0;
    2.0 * s * p
}

/// ln(1 + exp(x)).
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    x.max(0.0) + log1p_unit(exp(-x.abs()))
}

/// The logistic function.
#[inline(always)]
pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// A uniform number in the open interval (0, 1) from the upper 23 bits of a word.
#[inline(always)]
pub fn uniform(word: u32) -> f32 {
    ((word >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0)
}

/// Bernoulli states of 64 units: on with the logistic function of `input x scale`.
#[inline(always)]
pub fn bernoulli(input: &[i32; CHUNK], scale: f32, words: &[u32; CHUNK], out: &mut [i16]) {
    for ((x, word), o) in input.iter().zip(words).zip(out) {
        // u < 1 / (1 + exp(-x)), without the division.
        let e = exp(-(*x as f32 * scale));
        *o = (uniform(*word) * (1.0 + e) < 1.0) as i16;
    }
}

/// Means of 64 Bernoulli units in steps of 2^-14.
#[inline(always)]
pub fn bernoulli_mean(input: &[i32; CHUNK], scale: f32, out: &mut [i16]) {
    for (x, o) in input.iter().zip(out) {
        *o = (logistic(*x as f32 * scale) * 16_384.0 + 0.5) as i32 as i16;
    }
}

/// ln(x) for positive normal x, relative error below 3e-7 away from 1 (Cephes' logf).
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let bits = x.to_bits() as i32;
    // x = m 2^e with m in [sqrt(1/2), sqrt(2)).
    let e = (bits.wrapping_sub(0x3f35_04f3)) >> 23;
    let m = f32::from_bits((bits.wrapping_sub(e << 23)) as u32) - 1.0;
    let z = m * m;
    let p = (((((((7.037_683_6e-2 * m - 1.151_461e-1) * m + 1.167_699_9e-1) * m - 1.242_014_1e-1) * m
        + 1.424_932_3e-1)
        * m
        - 1.666_805_7e-1)
        * m
        + 2.000_071_5e-1)
        * m
        - 2.499_999_4e-1)
        * m
        + 3.333_333e-1;
    let e = e as f32;
    m + (p * m * z - 0.5 * z + e * -2.121_944_4e-4) + e * 0.693_359_4
}

/// ln erfcx(z) for z >= 0 (Numerical Recipes' Chebyshev fit of erfc, fractional error below 1.2e-7).
#[inline(always)]
fn ln_erfcx(z: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.5 * z);
    let p = ((((((((0.170_872_77 * t - 0.822_152_23) * t + 1.488_515_9) * t - 1.135_204) * t + 0.278_868_07) * t
        - 0.186_288_06)
        * t
        + 0.096_784_18)
        * t
        + 0.374_091_96)
        * t
        + 1.000_023_7)
        * t
        - 1.265_512_2;
    ln(t) + p
}

const SQRT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
/// ln sqrt(pi / 2).
const LN_SQRT_HALF_PI: f32 = 0.225_791_35;
/// ln sqrt(2 pi).
const LN_SQRT_TAU: f32 = 0.918_938_5;

/// ln of Mills' ratio (1 - Phi(t)) / phi(t), for t >= 0.
#[inline(always)]
fn ln_mills(t: f32) -> f32 {
    LN_SQRT_HALF_PI + ln_erfcx(t * SQRT_HALF)
}

/// Phi(x), the normal distribution function.
#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    let tail = exp(ln_mills(x.abs()) - 0.5 * x * x - LN_SQRT_TAU);
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// The x with Phi(x) = s, 0 < s < 1 (Giles 2010, single precision).
#[inline(always)]
pub fn normal_quantile(s: f32) -> f32 {
    let w = -ln(4.0 * s * (1.0 - s));
    let c = w - 2.5;
    let central = ((((((((2.810_226_4e-8 * c + 3.432_739_4e-7) * c - 3.523_387_7e-6) * c - 4.391_506_5e-6) * c
        + 2.185_808_7e-4)
        * c
        - 1.253_725e-3)
        * c
        - 4.177_681_6e-3)
        * c
        + 2.466_407_3e-1)
        * c)
        + 1.501_409_4;
    let c = w.max(0.0).sqrt() - 3.0;
    let tail = ((((((((-2.002_142_6e-4 * c + 1.009_505_6e-4) * c + 1.349_343_2e-3) * c - 3.673_428_4e-3) * c
        + 5.739_507_7e-3)
        * c
        - 7.622_461_3e-3)
        * c
        + 9.438_870_5e-3)
        * c
        + 1.001_674)
        * c)
        + 2.832_976_8;
    let p = if w < 5.0 { central } else { tail };
    p * (2.0 * s - 1.0) * std::f32::consts::SQRT_2
}

/// A step of a ReLU unit's state is 2^-6 of its standard deviation.
pub const RELU_STEPS: f32 = 64.0;

/// Inputs below this are rare, and the inverse of the distribution function loses digits there.
const RELU_TAIL: f32 = -2.0;

/// The state of a ReLU unit with input `x`: normal with variance 1 around x, truncated at 0, by the inverse of its
/// distribution function.
#[inline(always)]
pub fn relu(x: f32, word: u32, ceiling: i16) -> i16 {
    if x > RELU_TAIL { relu_body(x, word, ceiling) } else { relu_tail(x, word, ceiling) }
}

/// States of 64 ReLU units: the body in vectors, then the units in the tail one by one.
#[inline(always)]
pub fn relu_states(input: &[i32; CHUNK], scale: f32, words: &[u32; CHUNK], ceiling: i16, out: &mut [i16; CHUNK]) {
    for ((x, word), o) in input.iter().zip(words).zip(out.iter_mut()) {
        *o = relu_body(*x as f32 * scale, *word, ceiling);
    }
    for ((x, word), o) in input.iter().zip(words).zip(out.iter_mut()) {
        let x = *x as f32 * scale;
        if x <= RELU_TAIL {
            *o = relu_tail(x, *word, ceiling);
        }
    }
}

#[inline(always)]
fn relu_body(x: f32, word: u32, ceiling: i16) -> i16 {
    relu_steps(x - normal_quantile(uniform(word) * normal_cdf(x)), ceiling)
}

/// Survival S(h) = R(a + h) / R(a) exp(-h^2 / 2 - a h) with Mills' ratio R and a = -x: two Newton steps on ln S.
#[inline(always)]
fn relu_tail(x: f32, word: u32, ceiling: i16) -> i16 {
    let a = -x;
    let target = ln(uniform(word));
    let mut h = (a * a - 2.0 * target).sqrt() - a;
    for _ in 0..2 {
        let ln_ratio = ln_mills(a + h);
        let ln_survival = ln_ratio - ln_mills(a) - h * (0.5 * h + a);
        h = (h + (ln_survival - target) * exp(ln_ratio)).max(0.0);
    }
    relu_steps(h, ceiling)
}

#[inline(always)]
fn relu_steps(h: f32, ceiling: i16) -> i16 {
    ((h * RELU_STEPS + 0.5).max(0.0) as i32).min(i32::from(ceiling)) as i16
}

/// The mean of a ReLU unit with input `x`, in steps of 2^-9, at most 63.
#[inline(always)]
pub fn relu_mean(x: f32) -> i16 {
    let a = x.abs();
    let ln_mills = ln_mills(a);
    // phi / Phi: 1 / R(-x) below 0, and phi / (1 - tail) above.
    let ratio = if x <= 0.0 {
        exp(-ln_mills)
    } else {
        let ln_density = -0.5 * x * x - LN_SQRT_TAU;
        exp(ln_density) / (1.0 - exp(ln_mills + ln_density))
    };
    (((x + ratio) * 512.0 + 0.5).max(0.0) as i32).min(32_256) as i16
}

/// ln of the integral over h >= 0 of exp(h x - h^2 / 2): ln[sqrt(pi / 2) erfcx(-x / sqrt 2)].
#[inline(always)]
pub fn relu_log_partition(x: f32) -> f32 {
    if x <= 0.0 { ln_mills(-x) } else { 0.5 * x * x + LN_SQRT_TAU + ln(normal_cdf(x)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ln of the integral over h >= 0 of exp(h x - h^2 / 2) h^power, by Simpson's rule.
    fn integral(x: f64, power: i32) -> f64 {
        let top = x.max(0.0) + 12.0;
        let n = 20_000;
        let f = |h: f64| (h * x - 0.5 * h * h).exp() * h.powi(power);
        let step = top / f64::from(n);
        (0..n).map(|i| f64::from(i) * step).map(|h| (f(h) + 4.0 * f(h + step / 2.0) + f(h + step)) * step / 6.0).sum()
    }

    #[test]
    fn functions_agree_with_double_precision() {
        for i in -800..=800 {
            let x = i as f32 / 10.0;
            let wide = f64::from(x);
            assert!((f64::from(exp(x)) / wide.exp() - 1.0).abs() < 3e-7, "exp {x}");
            assert!((f64::from(logistic(x)) - 1.0 / (1.0 + (-wide).exp())).abs() < 2e-7, "logistic {x}");
            let softplus_wide = wide.max(0.0) + (-wide.abs()).exp().ln_1p();
            assert!((f64::from(softplus(x)) - softplus_wide).abs() < 2e-6 + 1e-7 * softplus_wide, "softplus {x}");
            let y = wide.exp() as f32;
            assert!((f64::from(ln(y)) - f64::from(y).ln()).abs() < 2e-7 * wide.abs().max(1.0), "ln {y}");
        }
    }

    #[test]
    fn relu_units_agree_with_integration() {
        for i in -80..=80 {
            let x = i as f32 / 10.0;
            let z = integral(f64::from(x), 0);
            assert!((f64::from(relu_log_partition(x)) - z.ln()).abs() < 2e-5, "log partition {x}");
            let mean = integral(f64::from(x), 1) / z;
            assert!((f64::from(relu_mean(x)) / 512.0 - mean).abs() < 1.5e-3, "mean {x}: {mean}");
        }
    }

    /// 20,000 draws at each of 13 inputs: the mean within 5 standard errors and a step (false alarm below 1e-5 in all),
    /// and the quantiles where the inverse says they are.
    #[test]
    fn relu_states_follow_the_truncated_normal() {
        for i in -6..=6 {
            let x = i as f32;
            let stream = crate::rng::Stream::new(3, crate::rng::Purpose::Sample, (i + 6) as u64);
            let draws: Vec<f64> =
                (0..20_000).map(|d| f64::from(relu(x, stream.word(d), i16::MAX)) / f64::from(RELU_STEPS)).collect();
            let mean = draws.iter().sum::<f64>() / 2e4;
            let z = integral(f64::from(x), 0);
            let expected = integral(f64::from(x), 1) / z;
            let sd = (integral(f64::from(x), 2) / z - expected * expected).sqrt();
            assert!((mean - expected).abs() < 5.0 * sd / 2e4f64.sqrt() + 1e-3, "{x}: {mean} against {expected}");
        }
    }

    #[test]
    fn extreme_inputs_stay_finite() {
        for x in [-1e9f32, -262_144.0, -100.0, 100.0, 262_144.0] {
            for word in [0, u32::MAX] {
                let mut out = [0i16; CHUNK];
                bernoulli(&[if x > 0.0 { i32::MAX } else { i32::MIN }; CHUNK], 1.0, &[word; CHUNK], &mut out);
                assert_eq!(out[0], i16::from(x > 0.0));
                assert!(relu(x, word, 100) >= 0 && relu(x, word, 100) <= 100);
            }
            assert!(softplus(x).is_finite() && relu_mean(x) >= 0);
        }
    }
}
