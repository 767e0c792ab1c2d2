// The gradient of a restricted Boltzmann machine and the steps along it: twins of src/compute/cpu/learning.rs.
//
// families: sm_80
//
// Numbers are added in the processor's order, without fused multiply-adds, so that a run gives the processor's bits.

#include "each.cuh"
#include "instructions.cuh"

// Threads of a block that sums in order: a warp that adds, and those that bring what it adds.
constexpr unsigned BRINGERS = 256, SUMMERS = 32 + BRINGERS;

// Values of the sums of a block, and factors that are the same for all, in two tiles that take turns. Rows are two numbers
// longer than a multiple of 32, so that neither lanes that read pairs from a column nor lanes that write to two columns of
// 16 rows meet in a bank.
template <unsigned SUMS, unsigned TERMS> struct Tiles {
    alignas(8) float values[2][SUMS][TERMS + 2];
    alignas(8) float factors[2][TERMS];
};

// `sum` plus TERMS terms, one after another. While some are added the next are read from shared memory: an addition waits
// for the one before alone.
template <unsigned TERMS, typename Term>
__device__ __forceinline__ float add_terms(float sum, const float *values, const float *factors, Term term) {
    constexpr unsigned AHEAD = TERMS > 128 ? 16 : 8;
    struct Read {
        Numbers<float, 2> values[AHEAD / 2], factors[AHEAD / 2];
    };
    const auto read = [=](Read &next, unsigned begin) {
#pragma unroll
        for (unsigned p = 0; p < AHEAD / 2; p++) {
            next.values[p] = numbers<2>(values + begin + 2 * p);
            next.factors[p] = numbers<2>(factors + begin + 2 * p);
        }
    };
    const auto add = [&](const Read &here) {
#pragma unroll
        for (unsigned p = 0; p < AHEAD / 2; p++) {
            sum += term(here.values[p].at[0], here.factors[p].at[0]);
            sum += term(here.values[p].at[1], here.factors[p].at[1]);
        }
    };
    Read even, odd;
    read(even, 0);
#pragma unroll 4
    for (unsigned begin = 0; begin < TERMS; begin += 2 * AHEAD) {
        read(odd, begin + AHEAD);
        add(even);
        // The last time round these are the first again, in vain.
        read(even, (begin + 2 * AHEAD) % TERMS);
        add(odd);
    }
    return sum;
}

// In place of factors where there are none.
struct NoFactors {
    __device__ float operator[](unsigned) const { return 0.0f; }
};

// `sum` plus `term(value, factor)` of `count` values, one after another, for each of SUMS sums, of which there are `sums`:
// thread s < SUMS of the block's SUMMERS has sum s. It takes the time of `count` additions that wait for each other, so a
// warp does nothing else; the others bring values, which are on their way from memory while two tiles are added.
// Neighbours in memory are values of one sum, or, if ACROSS, of neighbouring sums, with `stride` numbers from row to row.
// Term t of every sum has factor t. The term of two zeros may come on top: it must leave the sum.
template <bool ACROSS, unsigned SUMS, unsigned TERMS, typename Factors, typename Term>
__device__ __forceinline__ float sum_in_order(Tiles<SUMS, TERMS> &tiles, float sum, const float *values, unsigned sums,
                                              unsigned count, unsigned stride, Factors factors, Term term) {
    constexpr unsigned LENGTH = ACROSS ? SUMS : TERMS, STEP = BRINGERS / LENGTH, SHARE = SUMS * TERMS / BRINGERS;
    const unsigned rows = ACROSS ? count : sums, columns = ACROSS ? sums : count;
    if (rows == 0 || columns == 0) return sum;
    if (threadIdx.x < 32) {
        // A tile is added while the next is put: those who bring pass as many barriers, one more than there are tiles.
        __syncthreads();
        for (unsigned begin = 0, tile = 0; begin < count; begin += TERMS, tile ^= 1) {
            if (threadIdx.x < SUMS) {
                sum = add_terms<TERMS>(sum, tiles.values[tile][threadIdx.x], tiles.factors[tile], term);
            }
            __syncthreads();
        }
        return sum;
    }
    // A thread brings what is at its column of a tile, as it lies in memory, in each STEP-th row; and a factor.
    const unsigned bringer = threadIdx.x - 32, column = bringer % LENGTH, row = bringer / LENGTH;
    const unsigned s = ACROSS ? column : row, t = ACROSS ? row : column;
    const unsigned row_bytes = stride * sizeof(float);
    struct Brought {
        float values[SHARE], factor;
    };
    // Instead of what is past the end the last is read: an instruction less than not to read.
    const auto fetch = [=](Brought &coming, unsigned begin) {
        const float *first = values + min((ACROSS ? 0 : begin) + column, columns - 1);
#pragma unroll
        for (unsigned k = 0; k < SHARE; k++) {
            const unsigned long long r = min((ACROSS ? begin : 0) + row + k * STEP, rows - 1);
            coming.values[k] = *(const float *)((const char *)first + r * row_bytes);
        }
        coming.factor = factors[min(begin + bringer, count - 1)];
    };
    const auto put = [=, &tiles](const Brought &here, unsigned begin, unsigned tile) {
        const unsigned left = count - min(begin, count);
#pragma unroll
        for (unsigned k = 0; k < SHARE; k++) {
            const unsigned down = ACROSS ? 0 : k * STEP, along = ACROSS ? k * STEP : 0;
            tiles.values[tile][s + down][t + along] = t + along < left ? here.values[k] : 0.0f;
        }
        if (TERMS == BRINGERS || bringer < TERMS) tiles.factors[tile][bringer] = bringer < left ? here.factor : 0.0f;
    };
    // What is for even tiles and what is for odd ones, each on its way for two turns.
    Brought even, odd;
    fetch(even, 0);
    fetch(odd, TERMS);
    for (unsigned begin = 0; begin < count; begin += 2 * TERMS) {
        put(even, begin, 0);
        fetch(even, begin + 2 * TERMS);
        __syncthreads();
        if (begin + TERMS >= count) break;
        put(odd, begin + TERMS, 1);
        fetch(odd, begin + 3 * TERMS);
        __syncthreads();
    }
    __syncthreads();
    return sum;
}

// What a contrast is of (`Contrasted` in src/compute/cuda/learning.rs): products have rows of `stride` numbers, sites x
// units.
struct Contrast {
    const int *data, *chains;
    unsigned long long stride;
    const float *weights;
    unsigned sites, units;
    float data_unit, chain_unit, decay;
    int centred;
    const float *frequencies, *visible_data, *visible_chains, *hidden_data, *hidden_chains;
};

// A block's 32 sites x 128 units, a warp each eighth site, N units a lane at once.
template <unsigned N>
__device__ __forceinline__ void contrast_tile(const Contrast &of, unsigned first_site, unsigned first_unit,
                                              float *gradient) {
    const unsigned end_site = min(first_site + 32, of.sites), end_unit = min(first_unit + 128, of.units);
    for (unsigned j = first_unit + threadIdx.x % 32 * N; j < end_unit; j += 32 * N) {
        const auto h_data = numbers<N>(of.hidden_data + j), h_chains = numbers<N>(of.hidden_chains + j);
        for (unsigned i = first_site + threadIdx.x / 32; i < end_site; i += 8) {
            const unsigned long long place = i * of.stride + j, at = (unsigned long long)i * of.units + j;
            const auto data = numbers<N>(of.data + place), chains = numbers<N>(of.chains + place);
            const auto weights = numbers<N>(of.weights + at);
            Numbers<float, N> g;
            for (unsigned n = 0; n < N; n++) {
                g.at[n] = (float)data.at[n] * of.data_unit - (float)chains.at[n] * of.chain_unit - of.decay * weights.at[n];
            }
            if (of.centred) {
                const float centre = of.frequencies[i], difference = of.visible_data[i] - of.visible_chains[i];
                for (unsigned n = 0; n < N; n++) {
                    g.at[n] -= centre * (h_data.at[n] - h_chains.at[n]) + difference * h_data.at[n];
                }
            }
            numbers<N>(gradient + at) = g;
        }
    }
}

// `data x data_unit - chains x chain_unit - decay x weight`, less the centres' terms where it is centred.
extern "C" __global__ void __launch_bounds__(256) contrast(Contrast of, float *gradient) {
    const unsigned across = (of.units + 127) / 128, down = (of.sites + 31) / 32;
    for (unsigned at = blockIdx.x; at < across * down; at += gridDim.x) {
        const unsigned first_site = at / across * 32, first_unit = at % across * 128;
        // Whether rows of the weights begin at multiples of 16 bytes.
        if (of.units % 4 == 0) {
            contrast_tile<4>(of, first_site, first_unit, gradient);
        } else {
            contrast_tile<1>(of, first_site, first_unit, gradient);
        }
    }
}
KERNEL(contrast)

// `data - chains`, less the sum over units of gradient x mean, unit by unit. A block is 32 sites.
extern "C" __global__ void __launch_bounds__(SUMMERS) visible_contrast(const float *gradient, unsigned sites,
                                                                       unsigned units, int centred, const float *data,
                                                                       const float *chains, const float *hidden_data,
                                                                       float *out) {
    __shared__ Tiles<32, 64> tiles;
    const unsigned first = blockIdx.x * 32, i = first + threadIdx.x;
    float sum = 0;
    if (centred) {
        const auto term = [](float g, float mean) { return g * mean; };
        const float *values = gradient + (unsigned long long)first * units;
        sum = sum_in_order<false>(tiles, sum, values, sites - first, units, units, hidden_data, term);
    }
    if (threadIdx.x < 32 && i < sites) out[i] = (data[i] - chains[i]) - sum;
}
KERNEL(visible_contrast)

// `data - chains`, less, site by site, frequency x gradient. A block is 16 units: two sectors of memory of each site's.
extern "C" __global__ void __launch_bounds__(SUMMERS) hidden_contrast(const float *gradient, unsigned sites,
                                                                      unsigned units, int centred,
                                                                      const float *frequencies, const float *data,
                                                                      const float *chains, float *out) {
    __shared__ Tiles<16, 256> tiles;
    const unsigned first = blockIdx.x * 16, j = first + threadIdx.x;
    const bool there = threadIdx.x < 16 && j < units;
    float sum = there ? data[j] - chains[j] : 0.0f;
    if (centred) {
        const auto term = [](float g, float frequency) { return -(frequency * g); };
        sum = sum_in_order<true>(tiles, sum, gradient + first, units - first, sites, units, frequencies, term);
    }
    if (there) out[j] = sum;
}
KERNEL(hidden_contrast)

// `velocity = momentum x velocity + gradient`, `parameter += rate x velocity`; without velocities a plain step.
template <unsigned N>
__device__ __forceinline__ void step_sgd(float *parameters, float *velocities, const float *gradient, float rate,
                                         float momentum) {
    auto step = numbers<N>(gradient), p = numbers<N>(parameters);
    if (velocities) {
        const auto v = numbers<N>(velocities);
        for (unsigned n = 0; n < N; n++) step.at[n] = momentum * v.at[n] + step.at[n];
        numbers<N>(velocities) = step;
    }
    for (unsigned n = 0; n < N; n++) p.at[n] += rate * step.at[n];
    numbers<N>(parameters) = p;
}

extern "C" __global__ void ascend_sgd(float *parameters, float *velocities, const float *gradient, unsigned long long count,
                                      float rate, float momentum) {
    const auto velocities_at = [=](unsigned long long i) { return velocities ? velocities + i : nullptr; };
    FOR_EACH(four, count / 4) {
        const unsigned long long i = 4 * four;
        step_sgd<4>(parameters + i, velocities_at(i), gradient + i, rate, momentum);
    }
    FOR_EACH(left, count % 4) {
        const unsigned long long i = count - 1 - left;
        step_sgd<1>(parameters + i, velocities_at(i), gradient + i, rate, momentum);
    }
}
KERNEL(ascend_sgd)

// Kingma and Ba 2015; `rate` holds the corrections of the moments.
template <unsigned N>
__device__ __forceinline__ void step_adam(float *parameters, float *first, float *second, const float *gradient, float rate,
                                          float beta1, float beta2, float epsilon) {
    const auto g = numbers<N>(gradient);
    auto m = numbers<N>(first), s = numbers<N>(second), p = numbers<N>(parameters);
    for (unsigned n = 0; n < N; n++) {
        m.at[n] = beta1 * m.at[n] + (1.0f - beta1) * g.at[n];
        s.at[n] = beta2 * s.at[n] + (1.0f - beta2) * g.at[n] * g.at[n];
        p.at[n] += rate * m.at[n] / (sqrtf(s.at[n]) + epsilon);
    }
    numbers<N>(first) = m;
    numbers<N>(second) = s;
    numbers<N>(parameters) = p;
}

extern "C" __global__ void ascend_adam(float *parameters, float *first, float *second, const float *gradient,
                                       unsigned long long count, float rate, float beta1, float beta2, float epsilon) {
    FOR_EACH(four, count / 4) {
        const unsigned long long i = 4 * four;
        step_adam<4>(parameters + i, first + i, second + i, gradient + i, rate, beta1, beta2, epsilon);
    }
    FOR_EACH(left, count % 4) {
        const unsigned long long i = count - 1 - left;
        step_adam<1>(parameters + i, first + i, second + i, gradient + i, rate, beta1, beta2, epsilon);
    }
}
KERNEL(ascend_adam)

// The bits of the largest size of a number, which are in the order of the sizes, with NaN above all; `out` begins at 0.
extern "C" __global__ void largest(const float *values, unsigned long long count, int *out) {
    __shared__ int of_block;
    if (threadIdx.x == 0) of_block = 0;
    int most = 0;
    FOR_EACH(four, count / 4) {
        const auto v = numbers<4>(values + 4 * four);
        for (unsigned n = 0; n < 4; n++) most = max(most, __float_as_int(fabsf(v.at[n])));
    }
    FOR_EACH(left, count % 4) most = max(most, __float_as_int(fabsf(values[count - 1 - left])));
    most = __reduce_max_sync(0xffffffffu, most);
    __syncthreads();
    if (threadIdx.x % 32 == 0) atomicMax(&of_block, most);
    __syncthreads();
    if (threadIdx.x == 0) atomicMax(out, of_block);
}
KERNEL(largest)

// The largest sum of sizes of a row, each summed in order; `out` begins at 0. A block is 32 rows.
extern "C" __global__ void __launch_bounds__(SUMMERS) largest_row(const float *values, unsigned rows, unsigned columns,
                                                                  int *out) {
    __shared__ Tiles<32, 64> tiles;
    const unsigned first = blockIdx.x * 32;
    const auto size = [](float value, float) { return fabsf(value); };
    const float *of_block = values + (unsigned long long)first * columns;
    const float sum = sum_in_order<false>(tiles, 0.0f, of_block, rows - first, columns, columns, NoFactors(), size);
    if (threadIdx.x < 32) {
        const int most = __reduce_max_sync(0xffffffffu, __float_as_int(sum));
        if (threadIdx.x == 0) atomicMax(out, most);
    }
}
KERNEL(largest_row)
