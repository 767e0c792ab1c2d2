// What is done to states and weights besides products: laying out, turning, counting, choosing rows, clamping sites.
//
// families: sm_80
//
// States are bits, rows of `stride` / 64 words of 64, or 16-bit whole numbers, rows of `stride` of them; a stride is a
// multiple of PADDED, and what is past the last column is 0.

#include "activation.cuh"
#include "each.cuh"
#include "random.cuh"
#include "weights.cuh"

__device__ __forceinline__ int state_at(const void *states, bool words, unsigned long long stride, unsigned row,
                                        unsigned column) {
    if (words) return ((const short *)states)[row * stride + column];
    return ((const unsigned *)states)[row * (stride / 32) + column / 32] >> (column % 32) & 1;
}

// Lays out a matrix: see weights.cuh. `read(input, output, fixed)` gives the numbers, of 16 bits, of eight inputs on.
template <typename Read>
__device__ __forceinline__ void lay_out(unsigned inputs, unsigned outputs, unsigned char *weights, Read read) {
    const unsigned chunks = chunks_of(inputs), groups = chunks / 8;
    const unsigned padded = (outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS * TILE_OUTPUTS;
    // A thread takes the 128 inputs of eight chunks, so that it reads whole lines of a matrix that runs over inputs.
    FOR_EACH(at, (unsigned long long)padded * groups) {
        const unsigned output = at % padded, group = at / padded;
        unsigned planes[8][2][4] = {};
#pragma unroll
        for (unsigned b = 0; b < 16; b++) {
            // Byte b of the eight chunks belongs to eight inputs that are neighbours.
            const unsigned first = input_of(8 * group, b);
            int fixed[8] = {};
            if (first < inputs && output < outputs) read(first, output, fixed);
#pragma unroll
            for (unsigned j = 0; j < 8; j++) {
                planes[j][0][b / 4] |= ((unsigned)(fixed[j] >> 8) & 255u) << (8 * (b % 4));
                planes[j][1][b / 4] |= ((unsigned)fixed[j] & 255u) << (8 * (b % 4));
            }
        }
#pragma unroll
        for (unsigned j = 0; j < 8; j++) {
#pragma unroll
            for (int plane = 0; plane < 2; plane++) {
                unsigned char *to = (unsigned char *)plane_of(weights, output / TILE_OUTPUTS, plane, chunks);
                *(uint4 *)(to + (8 * group + j) * CHUNK_BYTES + output % TILE_OUTPUTS * 16) =
                    make_uint4(planes[j][plane][0], planes[j][plane][1], planes[j][plane][2], planes[j][plane][3]);
            }
        }
    }
}

// Lays out weights. `values` runs over inputs, and over outputs within an input, or, if `turned`, the other way round.
extern "C" __global__ void __launch_bounds__(128) lay_out_weights(const float *values, unsigned inputs, unsigned outputs,
                                                                  int turned, unsigned char *weights) {
    auto fix = [](float value) {
        const float ROUND = 12582912.0f;
        return (int)((fminf(fmaxf(value * 4096.0f, -32767.0f), 32767.0f) + ROUND) - ROUND);
    };
    if (turned && inputs % 4 == 0) {
        lay_out(inputs, outputs, weights, [&](unsigned input, unsigned output, int(&fixed)[8]) {
#pragma unroll
            for (unsigned half = 0; half < 2; half++) {
                if (input + 4 * half >= inputs) break;
                const float4 four = *(const float4 *)(values + (unsigned long long)output * inputs + input + 4 * half);
                fixed[4 * half] = fix(four.x);
                fixed[4 * half + 1] = fix(four.y);
                fixed[4 * half + 2] = fix(four.z);
                fixed[4 * half + 3] = fix(four.w);
            }
        });
    } else {
        const unsigned long long along = turned ? 1 : outputs, across = turned ? inputs : 1;
        lay_out(inputs, outputs, weights, [&](unsigned input, unsigned output, int(&fixed)[8]) {
#pragma unroll
            for (unsigned j = 0; j < 8; j++) {
                if (input + j < inputs) fixed[j] = fix(values[(input + j) * along + output * across]);
            }
        });
    }
}
KERNEL(lay_out_weights)

// Lays out states as weights: rows are inputs, columns outputs.
extern "C" __global__ void __launch_bounds__(128) lay_out_states(const void *states, int words, unsigned long long stride,
                                                                 unsigned rows, unsigned columns, unsigned char *weights) {
    lay_out(rows, columns, weights, [&](unsigned row, unsigned column, int(&fixed)[8]) {
#pragma unroll
        for (unsigned j = 0; j < 8; j++) {
            if (row + j < rows) fixed[j] = state_at(states, words, stride, row + j, column);
        }
    });
}
KERNEL(lay_out_states)

// Biases in units of the scale, rounded to the nearest, ties to even; padding units are never on.
extern "C" __global__ void lay_out_bias(const float *values, unsigned outputs, float scale, int *bias) {
    const unsigned long long padded = (outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS * TILE_OUTPUTS;
    FOR_EACH(n, padded) bias[n] = n < outputs ? (int)rintf(values[n] / scale) : -1073741824;
}
KERNEL(lay_out_bias)

// Visible biases as free energies take them: multiples of 2^-12.
extern "C" __global__ void lay_out_energies(const float *values, unsigned count, double *out) {
    FOR_EACH(n, count) out[n] = round((double)values[n] * 4096.0) / 4096.0;
}
KERNEL(lay_out_energies)

// Columns become rows. Bits: a warp turns 32 rows x 32 columns at a time.
extern "C" __global__ void turn_bits(const unsigned *states, unsigned long long stride, unsigned rows, unsigned columns,
                                     unsigned *out, unsigned long long out_stride) {
    const unsigned lane = threadIdx.x % 32;
    const unsigned blocks_down = out_stride / 32, blocks_across = (columns + 31) / 32;
    const unsigned warps = gridDim.x * (blockDim.x / 32);
    for (unsigned at = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; at < blocks_down * blocks_across; at += warps) {
        const unsigned down = at % blocks_down, across = at / blocks_down;
        const unsigned row = down * 32 + lane;
        const unsigned word = row < rows ? states[row * (stride / 32) + across] : 0;
        unsigned mine = 0;
        for (unsigned c = 0; c < 32; c++) {
            const unsigned column = __ballot_sync(0xffffffffu, word >> c & 1);
            if (c == lane) mine = column;
        }
        if (across * 32 + lane < columns) {
            out[(unsigned long long)(across * 32 + lane) * (out_stride / 32) + down] = mine;
        }
    }
}
KERNEL(turn_bits)

extern "C" __global__ void turn_words(const short *states, unsigned long long stride, unsigned rows, unsigned columns,
                                      short *out, unsigned long long out_stride) {
    __shared__ short block[32][33];
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const unsigned down = blockIdx.x * 32, across = blockIdx.y * 32;
    for (unsigned r = warp; r < 32; r += warps) {
        const bool there = down + r < rows && across + lane < columns;
        block[r][lane] = there ? states[(down + r) * stride + across + lane] : (short)0;
    }
    __syncthreads();
    for (unsigned c = warp; c < 32; c += warps) {
        if (across + c < columns && down + lane < out_stride) {
            out[(across + c) * out_stride + down + lane] = block[lane][c];
        }
    }
}
KERNEL(turn_words)

// Counts of columns: of 8 words a number each, of 32 bits a byte each.
__device__ __forceinline__ void count(unsigned (&counts)[8], uint4 words) {
    const unsigned pairs[4] = {words.x, words.y, words.z, words.w};
    for (unsigned w = 0; w < 8; w++) counts[w] += (int)(pairs[w / 2] << 16 * (1 - w % 2)) >> 16;
}
__device__ __forceinline__ void count(unsigned (&counts)[8], unsigned bits) {
    for (unsigned b = 0; b < 8; b++) counts[b] += bits >> b & 0x01010101u;
}

// Each eighth of 64 rows, all of them on their way at once; `states` are those of the first row.
template <typename Piece>
__device__ __forceinline__ void count_rows(unsigned (&counts)[8], const Piece *states, unsigned pieces, unsigned rows) {
    Piece taken[8];
#pragma unroll
    for (unsigned r = 0; r < 8; r++) taken[r] = 8 * r < rows ? states[8ull * r * pieces] : Piece();
#pragma unroll
    for (unsigned r = 0; r < 8; r++) count(counts, taken[r]);
}

// Sum of each column, added to `sums`. A lane takes 32 bits of a row, or 8 words, and the block's eight warps rows in turn,
// 64 of them at a time; their counts meet in shared memory.
extern "C" __global__ void __launch_bounds__(256) column_sums(const void *states, int words, unsigned long long stride,
                                                              unsigned rows, unsigned columns, unsigned long long *sums) {
    __shared__ unsigned counts[8][32];
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const unsigned across = words ? 8 : 32, pieces = stride / across, piece = blockIdx.x * 32 + lane;
    const unsigned first = blockIdx.x * 32 * across, end = min(first + 32 * across, columns);
    for (unsigned begin = blockIdx.y * 64; begin < rows; begin += gridDim.y * 64) {
        counts[warp][lane] = 0;
        unsigned own[8] = {};
        const unsigned row = begin + warp, left = rows - min(row, rows);
        const unsigned long long at = (unsigned long long)row * pieces + piece;
        if (piece < pieces && words) count_rows(own, (const uint4 *)states + at, pieces, left);
        if (piece < pieces && !words) count_rows(own, (const unsigned *)states + at, pieces, left);
        __syncthreads();
        for (unsigned n = 0; n < 8; n++) atomicAdd(&counts[n][lane], own[n]);
        __syncthreads();
        for (unsigned c = threadIdx.x; first + c < end; c += 256) {
            const int sum = words ? counts[c % 8][c / 8] : counts[c % 8][c / 32] >> c % 32 / 8 * 8 & 255u;
            atomicAdd(&sums[first + c], (unsigned long long)sum);
        }
        __syncthreads();
    }
}
KERNEL(column_sums)

// Sums times a unit, divided by their number.
extern "C" __global__ void column_means(const unsigned long long *sums, unsigned columns, double unit, double rows,
                                        float *means) {
    FOR_EACH(c, columns) means[c] = (float)((double)sums[c] * unit / rows);
}
KERNEL(column_means)

// Free energies of rows of states: minus the sum over columns of state x bias, which are multiples of 2^-12 below 2^10, so that
// the sum is exact in any order, and minus that over outputs of ln(1 + exp(input)), or of the ReLU units' integral: panel by panel
// of 64, each summed by itself, as the processor does. A block is a row, of PANELS threads.
#define PANELS 128
extern "C" __global__ void free_energies(const int *inputs, unsigned long long stride, unsigned outputs, float scale, int relu,
                                         const void *states, int words, unsigned long long states_stride, unsigned columns,
                                         const double *bias, double *out) {
    __shared__ double panels[PANELS];
    const unsigned row = blockIdx.x;
    double product = 0;
    for (unsigned c = threadIdx.x; c < columns; c += PANELS) {
        product += (double)state_at(states, words, states_stride, row, c) * bias[c];
    }
    panels[threadIdx.x] = product;
    __syncthreads();
    double total = 0, biases = 0;
    if (threadIdx.x == 0) {
        for (unsigned p = 0; p < PANELS; p++) biases += panels[p];
    }
    __syncthreads();
    for (unsigned first = 0; first < outputs; first += 64 * PANELS) {
        const unsigned begin = first + 64 * threadIdx.x;
        double sum = 0;
        for (unsigned c = begin; c < min(begin + 64, outputs); c++) {
            const float x = (float)inputs[row * stride + c] * scale;
            sum += (double)(relu ? relu_log_partition(x) : softplus(x));
        }
        panels[threadIdx.x] = sum;
        __syncthreads();
        if (threadIdx.x == 0) {
            for (unsigned p = 0; p < PANELS && first + 64 * p < outputs; p++) total += panels[p];
        }
        __syncthreads();
    }
    if (threadIdx.x == 0) out[row] = -total - biases;
}
KERNEL(free_energies)

// States, or with `sampled` = 0 means, of ReLU units given their inputs.
extern "C" __global__ void relu(const int *inputs, unsigned rows, unsigned outputs, unsigned long long stride, float scale,
                                int sampled, int ceiling, Noise noise, short *out) {
    FOR_EACH(at, rows * stride) {
        const unsigned row = at / stride, column = at % stride;
        short state = 0;
        if (column < outputs && sampled) {
            const unsigned word = random_word(noise.seed, noise.first + row, position_of(noise) + column);
            state = relu_state(inputs[at], scale, word, ceiling);
        } else if (column < outputs) {
            state = relu_mean(inputs[at], scale);
        }
        out[at] = state;
    }
}
KERNEL(relu)

// Rows `from[r]` of a matrix become rows `to[r]` of another; without a list row r is meant. `words` is the length of a row
// in numbers of 64 bits.
extern "C" __global__ void copy_rows(const unsigned long long *source, const unsigned *from, unsigned long long *target,
                                     const unsigned *to, unsigned count, unsigned words) {
    FOR_EACH(at, (unsigned long long)count * words) {
        const unsigned r = at / words, w = at % words;
        target[(unsigned long long)(to ? to[r] : r) * words + w] =
            source[(unsigned long long)(from ? from[r] : r) * words + w];
    }
}
KERNEL(copy_rows)

// Which rows of two machines' states are swapped, and with what chance: energies are those of machine a for states a and b, then
// those of machine b. Row r reads the word at `noise`'s position.
extern "C" __global__ void choose_swaps(const double *aa, const double *ab, const double *ba, const double *bb, unsigned rows,
                                        Noise noise, float *chances, unsigned char *chosen) {
    FOR_EACH(r, rows) {
        const float chance = fminf(exponential((float)(aa[r] + bb[r] - ab[r] - ba[r])), 1.0f);
        const unsigned word = random_word(noise.seed, noise.first + r, position_of(noise));
        chances[r] = chance;
        chosen[r] = (float)(word >> 8) * (1.0f / 16777216.0f) < chance;
    }
}
KERNEL(choose_swaps)

// Exchanges the rows of two matrices for which `chosen` is not 0.
extern "C" __global__ void swap_rows(unsigned long long *a, unsigned long long *b, const unsigned char *chosen,
                                     unsigned rows, unsigned words) {
    FOR_EACH(at, (unsigned long long)rows * words) {
        if (!chosen[at / words]) continue;
        const unsigned long long kept = a[at];
        a[at] = b[at];
        b[at] = kept;
    }
}
KERNEL(swap_rows)

// Bits of row r where row `r / repeats` of the mask has a one become those of the values; the others stay.
extern "C" __global__ void clamp_bits(unsigned long long *states, const unsigned long long *mask,
                                      const unsigned long long *values, unsigned rows, unsigned words, unsigned repeats) {
    FOR_EACH(at, (unsigned long long)rows * words) {
        const unsigned long long place = (unsigned long long)(at / words / repeats) * words + at % words;
        states[at] = (states[at] & ~mask[place]) | (values[place] & mask[place]);
    }
}
KERNEL(clamp_bits)

// The same where the alleles seen may be wrong with the chance `error`: a state is drawn given the unit's mean and the
// allele. Site `sites[t]` of row r takes words `2 t` and `2 t + 1` after `position`.
extern "C" __global__ void clamp_seen(unsigned *states, unsigned long long stride, const short *means,
                                      unsigned long long means_stride, const unsigned *mask, const unsigned *values,
                                      unsigned rows, unsigned repeats, const unsigned *sites, unsigned count,
                                      double error, Noise noise, const unsigned *draws) {
    FOR_EACH(at, (unsigned long long)rows * count) {
        const unsigned row = at / count, t = at % count, site = sites[t];
        const unsigned long long place = (unsigned long long)(row / repeats) * (stride / 32) + site / 32;
        if (!(mask[place] >> (site % 32) & 1)) continue;
        const bool allele = values[place] >> (site % 32) & 1;
        const double p = (double)means[row * means_stride + site] / 16384.0;
        const double seen = allele ? 1.0 - error : error, unseen = allele ? error : 1.0 - error;
        // Words are read in turn, for the sites whose allele is known alone: `draws` says how many come before.
        const unsigned long long index = position_of(noise) + 2ull * draws[(unsigned long long)(row / repeats) * count + t];
        const unsigned long long high = random_word(noise.seed, noise.first + row, index);
        const unsigned long long low = random_word(noise.seed, noise.first + row, index + 1);
        const double u = (double)((high << 21) ^ (low >> 11)) * (1.0 / 9007199254740992.0);
        const unsigned bit = 1u << (site % 32);
        if (u < p * seen / (p * seen + (1.0 - p) * unseen)) {
            atomicOr(&states[row * (stride / 32) + site / 32], bit);
        } else {
            atomicAnd(&states[row * (stride / 32) + site / 32], ~bit);
        }
    }
}
KERNEL(clamp_seen)

// Adds the means of the chains of a haplotype to the sums of its halves, chain by chain: `sums` has two rows a haplotype, of
// `columns` numbers; `first` chains of the `chains` are the first half.
extern "C" __global__ void add_means(const short *means, unsigned long long stride, unsigned haplotypes, unsigned columns,
                                     unsigned chains, unsigned first, float *sums) {
    FOR_EACH(at, (unsigned long long)haplotypes * 2 * columns) {
        const unsigned c = at % columns, half = at / columns;
        const unsigned begin = half / 2 * chains + (half % 2 ? first : 0);
        const unsigned end = half / 2 * chains + (half % 2 ? chains : first);
        float sum = sums[at];
        for (unsigned r = begin; r < end; r++) sum += (float)means[r * stride + c];
        sums[at] = sum;
    }
}
KERNEL(add_means)

// Adds 1 / P(allele seen | hidden units) of the chains of a haplotype, chain by chain.
extern "C" __global__ void add_inverse(const short *means, unsigned long long stride, unsigned haplotypes,
                                       unsigned chains, const unsigned *mask, const unsigned *values,
                                       unsigned long long bits_stride, const unsigned *sites, unsigned count, double error,
                                       double *sums) {
    FOR_EACH(at, (unsigned long long)haplotypes * count) {
        const unsigned haplotype = at / count, site = sites[at % count];
        const unsigned long long place = (unsigned long long)haplotype * (bits_stride / 32) + site / 32;
        if (!(mask[place] >> (site % 32) & 1)) continue;
        const bool allele = values[place] >> (site % 32) & 1;
        double sum = sums[at];
        for (unsigned r = haplotype * chains; r < (haplotype + 1) * chains; r++) {
            double p = (double)means[r * stride + site] / 16384.0;
            p = allele ? p : 1.0 - p;
            p = p * (1.0 - error) + (1.0 - p) * error;
            sum += 1.0 / (p > 1.0 / 32768.0 ? p : 1.0 / 32768.0);
        }
        sums[at] = sum;
    }
}
KERNEL(add_inverse)

// Moves the place at which a graph's random numbers begin.
extern "C" __global__ void move_noise(unsigned long long *moved, unsigned long long words) { *moved += words; }
KERNEL(move_noise)
