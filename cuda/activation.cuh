// What a unit makes of its input: the twins of src/compute/activation.rs, operation by operation. They are compiled without
// fused multiply-adds, and so give the processor's bits.
#pragma once

#include "instructions.cuh"

__device__ __forceinline__ float exponential(float x) {
    const float ROUND = 12582912.0f;
    x = fminf(fmaxf(x, -87.0f), 87.0f);
    float t = x * 1.44269504088896340736f;
    float shifted = t + ROUND;
    float n = shifted - ROUND;
    float r = (x - n * 0.6933594f) - n * -2.1219444e-4f;
    float p = ((((1.9875691e-4f * r + 1.3982e-3f) * r + 8.333452e-3f) * r + 4.1665796e-2f) * r + 1.6666665e-1f) * r + 0.5f;
    float y = p * (r * r) + r + 1.0f;
    int exponent = __float_as_int(shifted) - __float_as_int(ROUND);
    return y * __int_as_float((exponent + 127) << 23);
}

__device__ __forceinline__ float log1p_unit(float y) {
    float s = y / (2.0f + y);
    float z = s * s;
    float p = ((((0.09090909f * z + 0.11111111f) * z + 0.14285715f) * z + 0.2f) * z + 0.33333334f) * z + 1.0f;
    return 2.0f * s * p;
}

__device__ __forceinline__ float softplus(float x) { return fmaxf(x, 0.0f) + log1p_unit(exponential(-fabsf(x))); }

__device__ __forceinline__ float logistic(float x) { return 1.0f / (1.0f + exponential(-x)); }

// A uniform number in the open interval (0, 1) from the upper 23 bits of a word.
__device__ __forceinline__ float uniform(unsigned word) { return ((float)(word >> 9) + 0.5f) * (1.0f / 8388608.0f); }

// Whether a unit with this input is on.
__device__ __forceinline__ bool is_on(int input, float scale, unsigned word) {
    return uniform(word) * (1.0f + exponential(-((float)input * scale))) < 1.0f;
}

// The same of four, out of the way of the instructions that are run often: bit w is unit w's.
__device__ __noinline__ unsigned are_on(int4 inputs, float scale, uint4 words) {
    return (unsigned)is_on(inputs.x, scale, words.x) | (unsigned)is_on(inputs.y, scale, words.y) << 1 |
           (unsigned)is_on(inputs.z, scale, words.z) << 2 | (unsigned)is_on(inputs.w, scale, words.w) << 3;
}

// Which of 16 units are on: unit c's answer is the sign of `answers[c]`. `slope` is -scale / ln 2.
//
// u (1 + e^-x) - 1 is taken by fast instructions first. Near its zero e^-x is at most 2^24, so the fused terms are within
// 4e-6 of the processor's: where they are further than 2^-16 from 0 the sign is the processor's, and where one of four
// is not (once in some ten thousand units) the processor's operations decide.
__device__ __forceinline__ void decide(const int (&inputs)[16], float scale, float slope, const unsigned (&words)[16],
                                       float (&answers)[16]) {
    float least[4] = {1.0f, 1.0f, 1.0f, 1.0f};
#pragma unroll
    for (int c = 0; c < 16; c++) {
        // 1 + (word >> 9) 2^-23 less 1 - 2^-24: the processor's u, exactly.
        const float u = __uint_as_float(__funnelshift_r(words[c], 0x7fu, 9)) - 0.999999940395355224609375f;
        answers[c] = __fmaf_rn(u, exp2_fast((float)inputs[c] * slope), u - 1.0f);
        least[c / 4] = fminf(least[c / 4], fabsf(answers[c]));
    }
    const float NEAR = 1.52587890625e-5f;
    if (__builtin_expect(fminf(fminf(least[0], least[1]), fminf(least[2], least[3])) < NEAR, 0)) {
#pragma unroll
        for (int c = 0; c < 16; c += 4) {
            if (least[c / 4] >= NEAR) continue;
            const unsigned on = are_on(make_int4(inputs[c], inputs[c + 1], inputs[c + 2], inputs[c + 3]), scale,
                                       make_uint4(words[c], words[c + 1], words[c + 2], words[c + 3]));
#pragma unroll
            for (int w = 0; w < 4; w++) answers[c + w] = on >> w & 1 ? -1.0f : 1.0f;
        }
    }
}

__device__ __forceinline__ short bernoulli_mean(int input, float scale) {
    return (short)(int)(logistic((float)input * scale) * 16384.0f + 0.5f);
}

__device__ __forceinline__ float natural_log(float x) {
    int bits = __float_as_int(x);
    int exponent = (int)((unsigned)bits - 0x3f3504f3u) >> 23;
    float m = __int_as_float((int)((unsigned)bits - ((unsigned)exponent << 23))) - 1.0f;
    float z = m * m;
    float p = (((((((7.0376836e-2f * m - 1.151461e-1f) * m + 1.1676999e-1f) * m - 1.2420141e-1f) * m + 1.4249323e-1f) * m
                 - 1.6668057e-1f) * m + 2.0000715e-1f) * m - 2.4999994e-1f) * m + 3.333333e-1f;
    float e = (float)exponent;
    return m + (p * m * z - 0.5f * z + e * -2.1219444e-4f) + e * 0.6933594f;
}

__device__ __forceinline__ float log_erfcx(float z) {
    float t = 1.0f / (1.0f + 0.5f * z);
    float p = ((((((((0.17087277f * t - 0.82215223f) * t + 1.4885159f) * t - 1.135204f) * t + 0.27886807f) * t
                  - 0.18628806f) * t + 0.09678418f) * t + 0.37409196f) * t + 1.0000237f) * t - 1.2655122f;
    return natural_log(t) + p;
}

#define SQRT_HALF 0.707106781186547524400844362104849039f
#define LN_SQRT_HALF_PI 0.22579135f
#define LN_SQRT_TAU 0.9189385f

__device__ __forceinline__ float log_mills(float t) { return LN_SQRT_HALF_PI + log_erfcx(t * SQRT_HALF); }

__device__ __forceinline__ float normal_cdf(float x) {
    float tail = exponential(log_mills(fabsf(x)) - 0.5f * x * x - LN_SQRT_TAU);
    return x > 0.0f ? 1.0f - tail : tail;
}

__device__ __forceinline__ float normal_quantile(float s) {
    float w = -natural_log(4.0f * s * (1.0f - s));
    float c = w - 2.5f;
    float central = ((((((((2.8102264e-8f * c + 3.4327394e-7f) * c - 3.5233877e-6f) * c - 4.3915065e-6f) * c
                        + 2.1858087e-4f) * c - 1.253725e-3f) * c - 4.1776816e-3f) * c + 2.4664073e-1f) * c) + 1.5014094f;
    c = sqrtf(fmaxf(w, 0.0f)) - 3.0f;
    float tail = ((((((((-2.0021426e-4f * c + 1.0095056e-4f) * c + 1.3493432e-3f) * c - 3.6734284e-3f) * c
                     + 5.7395077e-3f) * c - 7.622461e-3f) * c + 9.4388705e-3f) * c + 1.001674f) * c) + 2.8329768f;
    float p = w < 5.0f ? central : tail;
    return p * (2.0f * s - 1.0f) * 1.41421356237309504880168872420969808f;
}

#define RELU_STEPS 64.0f
#define RELU_TAIL -2.0f

__device__ __forceinline__ short relu_steps(float h, int ceiling) {
    int steps = (int)fmaxf(h * RELU_STEPS + 0.5f, 0.0f);
    return (short)min(steps, ceiling);
}

__device__ __forceinline__ short relu_state(int input, float scale, unsigned word, int ceiling) {
    float x = (float)input * scale;
    if (x > RELU_TAIL) return relu_steps(x - normal_quantile(uniform(word) * normal_cdf(x)), ceiling);
    float a = -x;
    float target = natural_log(uniform(word));
    float h = sqrtf(a * a - 2.0f * target) - a;
    for (int step = 0; step < 2; step++) {
        float log_ratio = log_mills(a + h);
        float log_survival = log_ratio - log_mills(a) - h * (0.5f * h + a);
        h = fmaxf(h + (log_survival - target) * exponential(log_ratio), 0.0f);
    }
    return relu_steps(h, ceiling);
}

__device__ __forceinline__ short relu_mean(int input, float scale) {
    float x = (float)input * scale;
    float mills = log_mills(fabsf(x));
    float ratio;
    if (x <= 0.0f) {
        ratio = exponential(-mills);
    } else {
        float density = -0.5f * x * x - LN_SQRT_TAU;
        ratio = exponential(density) / (1.0f - exponential(mills + density));
    }
    return (short)min((int)fmaxf((x + ratio) * 512.0f + 0.5f, 0.0f), 32256);
}

__device__ __forceinline__ float relu_log_partition(float x) {
    return x <= 0.0f ? log_mills(-x) : 0.5f * x * x + LN_SQRT_TAU + natural_log(normal_cdf(x));
}
