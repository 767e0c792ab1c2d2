// The gradient of a restricted Boltzmann machine and the steps along it: twins of src/compute/cpu/learning.rs.
//
// families: sm_80
//
// Numbers are added in the processor's order, without fused multiply-adds, so that a run gives the processor's bits.

#include "each.cuh"
#include "instructions.cuh"

// `data x data_unit - chains x chain_unit - decay x weight`, less the centres' terms where it is centred. Products have rows
// of `stride` numbers, sites x units.
extern "C" __global__ void contrast(const int *data, const int *chains, unsigned long long stride, const float *weights,
                                    unsigned sites, unsigned units, float data_unit, float chain_unit, float decay,
                                    int centred, const float *frequencies, const float *visible_data,
                                    const float *visible_chains, const float *hidden_data, const float *hidden_chains,
                                    float *gradient) {
    FOR_EACH(at, (unsigned long long)sites * units) {
        const unsigned i = at / units, j = at % units;
        const unsigned long long place = i * stride + j;
        float g = (float)data[place] * data_unit - (float)chains[place] * chain_unit - decay * weights[at];
        if (centred) {
            const float difference = visible_data[i] - visible_chains[i];
            g -= frequencies[i] * (hidden_data[j] - hidden_chains[j]) + difference * hidden_data[j];
        }
        gradient[at] = g;
    }
}
KERNEL(contrast)

// `data - chains`, less the sum over units of gradient x mean, unit by unit. A block is 32 sites; their rows come by way of
// shared memory.
extern "C" __global__ void __launch_bounds__(256) visible_contrast(const float *gradient, unsigned sites, unsigned units,
                                                                   int centred, const float *data, const float *chains,
                                                                   const float *hidden_data, float *out) {
    __shared__ float block[32][129];
    const unsigned first = blockIdx.x * 32;
    float sum = 0;
    if (centred) {
        for (unsigned begin = 0; begin < units; begin += 128) {
            for (unsigned at = threadIdx.x; at < 32 * 128; at += blockDim.x) {
                const unsigned i = first + at / 128, j = begin + at % 128;
                const bool there = i < sites && j < units;
                block[at / 128][at % 128] = there ? gradient[(unsigned long long)i * units + j] * hidden_data[j] : 0.0f;
            }
            __syncthreads();
            if (threadIdx.x < 32) {
                for (unsigned j = begin; j < min(begin + 128, units); j++) sum += block[threadIdx.x][j - begin];
            }
            __syncthreads();
        }
    }
    const unsigned i = first + threadIdx.x;
    if (threadIdx.x < 32 && i < sites) out[i] = (data[i] - chains[i]) - sum;
}
KERNEL(visible_contrast)

// `data - chains`, less, site by site, frequency x gradient.
extern "C" __global__ void hidden_contrast(const float *gradient, unsigned sites, unsigned units, int centred,
                                           const float *frequencies, const float *data, const float *chains, float *out) {
    const unsigned j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= units) return;
    float sum = data[j] - chains[j];
    if (centred) {
        // Many at a time are on their way from memory; they are added one after another.
        const unsigned AHEAD = 64;
        for (unsigned begin = 0; begin < sites; begin += AHEAD) {
            float terms[AHEAD];
#pragma unroll
            for (unsigned a = 0; a < AHEAD; a++) {
                const unsigned i = min(begin + a, sites - 1);
                terms[a] = frequencies[i] * gradient[(unsigned long long)i * units + j];
            }
#pragma unroll
            for (unsigned a = 0; a < AHEAD; a++) sum = begin + a < sites ? sum - terms[a] : sum;
        }
    }
    out[j] = sum;
}
KERNEL(hidden_contrast)

// `velocity = momentum x velocity + gradient`, `parameter += rate x velocity`; without velocities a plain step.
extern "C" __global__ void ascend_sgd(float *parameters, float *velocities, const float *gradient, unsigned long long count,
                                      float rate, float momentum) {
    FOR_EACH(i, count) {
        float step = gradient[i];
        if (velocities) {
            step = momentum * velocities[i] + step;
            velocities[i] = step;
        }
        parameters[i] += rate * step;
    }
}
KERNEL(ascend_sgd)

// Kingma and Ba 2015; `rate` holds the corrections of the moments.
extern "C" __global__ void ascend_adam(float *parameters, float *first, float *second, const float *gradient,
                                       unsigned long long count, float rate, float beta1, float beta2, float epsilon) {
    FOR_EACH(i, count) {
        const float g = gradient[i];
        const float m = beta1 * first[i] + (1.0f - beta1) * g;
        const float s = beta2 * second[i] + (1.0f - beta2) * g * g;
        first[i] = m;
        second[i] = s;
        parameters[i] += rate * m / (sqrtf(s) + epsilon);
    }
}
KERNEL(ascend_adam)

// The bits of the largest size of a number, which are in the order of the sizes, with NaN above all; `out` begins at 0.
extern "C" __global__ void largest(const float *values, unsigned long long count, int *out) {
    int most = 0;
    FOR_EACH(i, count) most = max(most, __float_as_int(fabsf(values[i])));
    for (int apart = 16; apart > 0; apart /= 2) most = max(most, __shfl_xor_sync(0xffffffffu, most, apart));
    if (threadIdx.x % 32 == 0) atomicMax(out, most);
}
KERNEL(largest)

// The largest sum of sizes of a row, each summed in order; `out` begins at 0.
extern "C" __global__ void __launch_bounds__(256) largest_row(const float *values, unsigned rows, unsigned columns,
                                                              int *out) {
    __shared__ float block[32][129];
    const unsigned first = blockIdx.x * 32;
    float sum = 0;
    for (unsigned begin = 0; begin < columns; begin += 128) {
        for (unsigned at = threadIdx.x; at < 32 * 128; at += blockDim.x) {
            const unsigned i = first + at / 128, j = begin + at % 128;
            const bool there = i < rows && j < columns;
            block[at / 128][at % 128] = there ? fabsf(values[(unsigned long long)i * columns + j]) : 0.0f;
        }
        __syncthreads();
        if (threadIdx.x < 32) {
            for (unsigned j = begin; j < min(begin + 128, columns); j++) sum += block[threadIdx.x][j - begin];
        }
        __syncthreads();
    }
    if (threadIdx.x < 32 && first + threadIdx.x < rows) atomicMax(out, __float_as_int(sum));
}
KERNEL(largest_row)
