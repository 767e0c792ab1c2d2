// The product that a half-step begins with, as kernels of affine.cu and affine_words.cu take it, and what becomes of its sums.
#pragma once

#include "activation.cuh"
#include "random.cuh"
#include "weights.cuh"

// What becomes of a sum: a Bernoulli unit's state, its mean, or what it is. (What ReLU units make of theirs is in states.cu.)
enum Finish { SAMPLE, MEAN, KEEP };

struct Affine {
    const unsigned char *states;
    unsigned long long stride;
    const unsigned char *weights;
    const int *bias;
    void *out;
    unsigned long long out_stride;
    Noise noise;
    float scale;
    unsigned rows, inputs, outputs;
    // Where blocks that share tiles leave their sums, and how many have come to each tile, for each warp; null where tiles are
    // not shared.
    int *partials;
    unsigned *arrived;
};

// The sums of row `r` for a panel of 64 outputs, as the tensor cores leave them to the threads of a quad: `inputs[2 j + i]` is
// output `8 j + 2 t + i`, t the thread's place in its quad.
template <Finish FINISH>
__device__ __forceinline__ void finish_row(const Affine &of, const int (&inputs)[16], unsigned r, unsigned panel) {
    const unsigned t = threadIdx.x % 4;
    const unsigned first = panel * 64;
    if (FINISH == SAMPLE) {
        const unsigned long long chunk = position_of(of.noise) / 64 + panel;
        const float slope = of.scale * -1.44269504088896340736f;
        unsigned bits[2] = {0, 0};
        // The thread's outputs of a panel are those of two counters, both halves of all four words of each. They are drawn
        // first, so that the rounds of one are done while those of another are waited for.
        unsigned words[16];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            unsigned drawn[4];
            random_words(of.noise.seed, of.noise.first + r, chunk, 2 * t + i, drawn);
#pragma unroll
            for (int w = 0; w < 4; w++) {
                words[2 * w + i] = drawn[w];
                words[8 + 2 * w + i] = halves_exchanged(drawn[w]);
            }
        }
        float answers[16];
        decide(inputs, of.scale, slope, words, answers);
        // Output 8 j + 2 t + i is bit 8 j + 2 t + i: from the last one on, each moves those before it up.
#pragma unroll
        for (int c = 15; c >= 0; c--) {
            unsigned &half = bits[c / 8];
            half = __funnelshift_l(__float_as_uint(answers[c]), c % 2 && c % 8 != 7 ? half << 6 : half, 1);
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
            bits[i] <<= 2 * t;
            bits[i] |= __shfl_xor_sync(0xffffffffu, bits[i], 1);
            bits[i] |= __shfl_xor_sync(0xffffffffu, bits[i], 2);
        }
        if (t == 0 && r < of.rows) {
            *((uint2 *)((unsigned char *)of.out + r * (of.out_stride / 8)) + panel) = make_uint2(bits[0], bits[1]);
        }
    } else if (r < of.rows) {
#pragma unroll
        for (int j = 0; j < 8; j++) {
            const unsigned column = first + 8 * j + 2 * t;
            const int a = inputs[2 * j], b = inputs[2 * j + 1];
            if (FINISH == KEEP) {
                *(int2 *)((int *)of.out + r * of.out_stride + column) = make_int2(a, b);
            } else {
                const unsigned low = column < of.outputs ? (unsigned short)bernoulli_mean(a, of.scale) : 0;
                const unsigned high = column + 1 < of.outputs ? (unsigned short)bernoulli_mean(b, of.scale) : 0;
                *(unsigned *)((short *)of.out + r * of.out_stride + column) = low | high << 16;
            }
        }
    }
}

// The biases of outputs `column` and the next.
__device__ __forceinline__ int2 bias_at(const Affine &of, unsigned column) {
    return of.bias ? *(const int2 *)(of.bias + column) : make_int2(0, 0);
}

// A kernel, all of which is `affine` with these template arguments.
#define AFFINE(name, bounds, ...)                                                  \
    extern "C" __global__ void bounds name(Affine of) { affine<__VA_ARGS__>(of); } \
    KERNEL(name)
