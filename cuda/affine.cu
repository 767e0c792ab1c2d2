// states x weights + bias, and what a unit makes of it: half-steps, means, inputs, products. Twins of src/compute/cpu.
//
// families: sm_80 sm_90a
// instructions: affine_ sm_80=IMMA sm_90a=IGMMA
//
// Sums are whole numbers, so that they are the processor's, whatever the order; what is made of them is done in the
// processor's operations (activation.cuh) on the processor's random words (random.cuh). A half-step gives the same bits.

#include "activation.cuh"
#include "random.cuh"
#include "weights.cuh"

// What becomes of a sum: a Bernoulli unit's state, its mean, or what it is. (What ReLU units make of theirs is in states.cu.)
enum Finish { SAMPLE, MEAN, KEEP };

// States as they lie: bits, or 16-bit whole numbers >= 0. A row has `stride` of them, a multiple of PADDED, zeros at the end.
enum Form { BITS, WORDS };

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
};

// Which planes meet, in which order. Sums are shifted by a byte before a pass whose products weigh a byte less.
template <Form FORM>
struct Passes;

template <>
struct Passes<BITS> {
    static constexpr int COUNT = 2;
    __host__ __device__ static constexpr int weight_plane(int pass) { return pass; }
    __host__ __device__ static constexpr bool high_states(int) { return false; }
    __host__ __device__ static constexpr bool shifts(int pass) { return pass == 1; }
};

template <>
struct Passes<WORDS> {
    static constexpr int COUNT = 4;
    __host__ __device__ static constexpr int weight_plane(int pass) { return pass >= 2; }
    __host__ __device__ static constexpr bool high_states(int pass) { return pass == 0 || pass == 2; }
    __host__ __device__ static constexpr bool shifts(int pass) { return pass == 1 || pass == 3; }
};

// Four bits as four bytes.
__device__ __forceinline__ unsigned spread(unsigned bits) { return ((bits & 15u) * 0x00204081u) & 0x01010101u; }

// One byte of each of four 16-bit numbers.
__device__ __forceinline__ unsigned bytes_of(uint2 words, bool high) {
    return __byte_perm(words.x, words.y, high ? 0x7531 : 0x6420);
}

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
        // The thread's outputs of a panel are those of four counters, all four words of each.
#pragma unroll
        for (int lane = 0; lane < 4; lane++) {
            unsigned words[4];
            random_words(of.noise.seed, of.noise.first + r, chunk, 8 * (lane / 2) + 2 * t + lane % 2, words);
            int of_words[4];
            float answers[4];
            // Output 16 w + 8 (lane / 2) + 2 t + lane % 2 has word w.
#pragma unroll
            for (int w = 0; w < 4; w++) of_words[w] = inputs[2 * (2 * w + lane / 2) + lane % 2];
            decide(of_words, of.scale, slope, words, answers);
#pragma unroll
            for (int w = 0; w < 4; w++) {
                const int place = 16 * (w % 2) + 8 * (lane / 2) + lane % 2;
                bits[w / 2] |= (__float_as_uint(answers[w]) >> (31 - place)) & (1u << place);
            }
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

// Inputs of a stage: what is copied to shared memory at a time.
#define STAGE_INPUTS (HAPLOOM_HOPPER ? 128 : 64)

// A stage's states of a thread's four rows.
template <Form FORM>
struct Fragments;

// Numbers are not fetched ahead: they would not fit the registers.
template <>
struct Fragments<WORDS> {
    const unsigned char *row[4];

    __device__ __forceinline__ void load(const unsigned char *const (&rows)[4], unsigned stage) {
#pragma unroll
        for (int i = 0; i < 4; i++) row[i] = rows[i] + stage * STAGE_INPUTS * 2;
    }

    __device__ __forceinline__ void operand(int m, int k, bool high, unsigned (&a)[4]) const {
        const unsigned t = threadIdx.x % 4;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const uint2 words = *(const uint2 *)(row[2 * m + i % 2] + (32 * k + 16 * (i / 2) + 4 * t) * 2);
            a[i] = bytes_of(words, high);
        }
    }
};

#if !HAPLOOM_HOPPER

// Tiles of 128 rows x 128 outputs by 8 warps, four down and two across, each 32 rows x one panel of 64 outputs.
#define ROWS 128
#define STAGE_BYTES (STAGE_INPUTS * TILE_OUTPUTS)
#define STAGES 4
#define THREADS 256

template <>
struct Fragments<BITS> {
    unsigned long long rows[4];

    __device__ __forceinline__ void load(const unsigned char *const (&row)[4], unsigned stage) {
#pragma unroll
        for (int i = 0; i < 4; i++) rows[i] = *(const unsigned long long *)(row[i] + stage * (STAGE_INPUTS / 8));
    }

    __device__ __forceinline__ void operand(int m, int k, bool, unsigned (&a)[4]) const {
        const unsigned t = threadIdx.x % 4;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            unsigned word = (unsigned)(rows[2 * m + i % 2] >> (32 * k));
            a[i] = spread(word >> (4 * t + 16 * (i / 2)));
        }
    }
};

template <bool SIGNED, Form FORM>
__device__ __forceinline__ void multiply_stage(int (&sums)[2][8][4], const Fragments<FORM> &states, bool high,
                                               const unsigned char *stage, unsigned across) {
    const unsigned lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < 2; k++) {
        unsigned a[2][4];
        states.operand(0, k, high, a[0]);
        states.operand(1, k, high, a[1]);
#pragma unroll
        for (int j = 0; j < 8; j += 2) {
            // Four core matrices: two groups of eight outputs, two chunks of inputs each.
            unsigned matrix = lane / 8;
            unsigned output = across * 64 + (j + matrix / 2) * 8 + lane % 8;
            unsigned b[4];
            load_matrices(b, stage + (2 * k + matrix % 2) * CHUNK_BYTES + output * 16);
#pragma unroll
            for (int m = 0; m < 2; m++) {
                multiply_bytes<SIGNED>(sums[m][j], a[m], b[0], b[1]);
                multiply_bytes<SIGNED>(sums[m][j + 1], a[m], b[2], b[3]);
            }
        }
    }
}

template <Form FORM, Finish FINISH>
__device__ __forceinline__ void affine(const Affine &of) {
    DYNAMIC_SHARED(shared);
    const unsigned warp = threadIdx.x / 32, group = threadIdx.x % 32 / 4;
    const unsigned down = warp % 4, across = warp / 4;
    const unsigned tile = blockIdx.y;
    const unsigned chunks = chunks_of(of.inputs);
    const unsigned stages = chunks / (STAGE_INPUTS / 16);
    const unsigned total = stages * Passes<FORM>::COUNT;
    const unsigned first_row = blockIdx.x * ROWS + down * 32 + group;
    const unsigned char *row[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        unsigned r = min(first_row + 8 * i, of.rows - 1);
        row[i] = of.states + r * (FORM == BITS ? of.stride / 8 : of.stride * 2);
    }
    auto fetch = [&](unsigned i) {
        if (i < total) {
            const int plane = Passes<FORM>::weight_plane(i / stages);
            const unsigned char *from = plane_of(of.weights, tile, plane, chunks) + i % stages * STAGE_BYTES;
            unsigned char *to = shared + i % STAGES * STAGE_BYTES;
            for (unsigned at = threadIdx.x * 16; at < STAGE_BYTES; at += THREADS * 16) copy_async_16(to + at, from + at);
        }
        copy_async_commit();
    };
    int sums[2][8][4] = {};
    Fragments<FORM> now, next;
    for (unsigned i = 0; i < STAGES - 1; i++) fetch(i);
    next.load(row, 0);
    unsigned i = 0;
    for (int pass = 0; pass < Passes<FORM>::COUNT; pass++) {
        if (Passes<FORM>::shifts(pass)) {
            // With the last shift comes the bias.
            const bool last = pass + 1 == Passes<FORM>::COUNT;
#pragma unroll
            for (int j = 0; j < 8; j++) {
                const int2 bias = last ? bias_at(of, tile * TILE_OUTPUTS + across * 64 + 8 * j + threadIdx.x % 4 * 2)
                                       : make_int2(0, 0);
#pragma unroll
                for (int m = 0; m < 2; m++) {
#pragma unroll
                    for (int c = 0; c < 4; c++) {
                        sums[m][j][c] = (int)((unsigned)sums[m][j][c] * 256u + (unsigned)(c % 2 ? bias.y : bias.x));
                    }
                }
            }
        }
        for (unsigned stage = 0; stage < stages; stage++, i++) {
            now = next;
            next.load(row, stage + 1 == stages ? 0 : stage + 1);
            copy_async_wait<STAGES - 2>();
            __syncthreads();
            fetch(i + STAGES - 1);
            const unsigned char *at = shared + i % STAGES * STAGE_BYTES;
            const bool high = Passes<FORM>::high_states(pass);
            if (Passes<FORM>::weight_plane(pass) == 0) {
                multiply_stage<true, FORM>(sums, now, high, at, across);
            } else {
                multiply_stage<false, FORM>(sums, now, high, at, across);
            }
        }
    }
    // A thread's rows are `first_row`, and 8, 16 and 24 further.
#pragma unroll 1
    for (int q = 0; q < 4; q++) {
        int inputs[16];
#pragma unroll
        for (int c = 0; c < 16; c++) {
            const int(&low)[4] = sums[0][c / 2], (&high)[4] = sums[1][c / 2];
            const int lower = q % 2 ? low[2 + c % 2] : low[c % 2], upper = q % 2 ? high[2 + c % 2] : high[c % 2];
            inputs[c] = q / 2 ? upper : lower;
        }
        finish_row<FINISH>(of, inputs, first_row + 8 * q, tile * 2 + across);
    }
}

#define AFFINE_BOUNDS __launch_bounds__(THREADS, 2)

#else

// Tiles of 256 rows x 128 outputs. Two groups of four warps multiply, each 128 rows in two halves of 64; one thread of a
// third group has weights copied to shared memory ahead of them, and its group leaves them its registers. Blocks go on from
// tile to tile, so that weights of the next one arrive while the last one is finished.
#define ROWS 256
#define STAGE_BYTES (STAGE_INPUTS * TILE_OUTPUTS)
#define STAGES 8
#define THREADS 384

template <>
struct Fragments<BITS> {
    uint4 rows[4];

    __device__ __forceinline__ void load(const unsigned char *const (&row)[4], unsigned stage) {
#pragma unroll
        for (int i = 0; i < 4; i++) rows[i] = *(const uint4 *)(row[i] + stage * (STAGE_INPUTS / 8));
    }

    __device__ __forceinline__ void operand(int m, int k, bool, unsigned (&a)[4]) const {
        const unsigned t = threadIdx.x % 4;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const uint4 &row = rows[2 * m + i % 2];
            unsigned word = k == 0 ? row.x : k == 1 ? row.y : k == 2 ? row.z : row.w;
            a[i] = spread(word >> (4 * t + 16 * (i / 2)));
        }
    }
};

// Where copies and products stand: slot `i % STAGES` is full when the copy of stage i has come, and empty when both groups
// have multiplied it.
struct Pipeline {
    unsigned long long full[STAGES];
    unsigned long long empty[STAGES];
};

template <Form FORM, bool SIGNED>
__device__ __forceinline__ void multiply_pass(int (&low)[64], int (&high)[64], const unsigned char *const (&row)[4],
                                              Fragments<FORM> &next, bool high_states, unsigned stages, unsigned &i,
                                              Pipeline &pipeline, unsigned shared) {
    unsigned a[2][2][4];
    for (unsigned stage = 0; stage < stages; stage++, i++) {
        Fragments<FORM> now = next;
        next.load(row, stage + 1 == stages ? 0 : stage + 1);
        barrier_wait(&pipeline.full[i % STAGES], i / STAGES % 2);
        const unsigned at = shared + i % STAGES * STAGE_BYTES;
#pragma unroll
        for (int k = 0; k < 4; k++) {
            now.operand(0, k, high_states, a[k % 2][0]);
            now.operand(1, k, high_states, a[k % 2][1]);
            const unsigned long long weights = matrix_descriptor(at + 2 * k * CHUNK_BYTES, CHUNK_BYTES, 128);
            group_fence();
            group_multiply_bytes<SIGNED>(low, a[k % 2][0], weights);
            group_multiply_bytes<SIGNED>(high, a[k % 2][1], weights);
            group_commit();
            group_wait<1>();
            // The products of the stage before are done with its weights.
            if (k == 0 && i > 0 && threadIdx.x % 32 == 0) barrier_arrive(&pipeline.empty[(i - 1) % STAGES]);
        }
    }
    group_wait<0>();
}

// One after another, without a branch between: registers of sums have to stay where they are.
template <Form FORM, int PASS>
__device__ __forceinline__ void multiply_passes(const Affine &of, unsigned first_output, int (&low)[64], int (&high)[64],
                                                const unsigned char *const (&row)[4], Fragments<FORM> &next,
                                                unsigned stages, unsigned &i, Pipeline &pipeline, unsigned shared) {
    if constexpr (PASS < Passes<FORM>::COUNT) {
        if constexpr (Passes<FORM>::shifts(PASS)) {
            // With the last shift comes the bias.
            constexpr bool LAST = PASS + 1 == Passes<FORM>::COUNT;
#pragma unroll
            for (int c = 0; c < 64; c += 4) {
                const int2 bias = LAST ? bias_at(of, first_output + 2 * c + threadIdx.x % 4 * 2) : make_int2(0, 0);
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const unsigned term = (unsigned)(i % 2 ? bias.y : bias.x);
                    low[c + i] = (int)((unsigned)low[c + i] * 256u + term);
                    high[c + i] = (int)((unsigned)high[c + i] * 256u + term);
                }
            }
        }
        multiply_pass<FORM, Passes<FORM>::weight_plane(PASS) == 0>(low, high, row, next, Passes<FORM>::high_states(PASS),
                                                                  stages, i, pipeline, shared);
        multiply_passes<FORM, PASS + 1>(of, first_output, low, high, row, next, stages, i, pipeline, shared);
    }
}

template <Form FORM, Finish FINISH>
__device__ __forceinline__ void affine(const Affine &of) {
    DYNAMIC_SHARED(shared);
    Pipeline &pipeline = *(Pipeline *)(shared + STAGES * STAGE_BYTES);
    const unsigned chunks = chunks_of(of.inputs);
    const unsigned stages = chunks / (STAGE_INPUTS / 16);
    const unsigned row_tiles = (of.rows + ROWS - 1) / ROWS;
    const unsigned tiles = row_tiles * ((of.outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS);
    if (threadIdx.x == 0) {
        for (int slot = 0; slot < STAGES; slot++) {
            barrier_begin(&pipeline.full[slot], 1);
            barrier_begin(&pipeline.empty[slot], 8);
        }
        barrier_visible();
    }
    __syncthreads();
    if (threadIdx.x >= 256) {
        registers_lower<24>();
        if (threadIdx.x != 256) return;
        unsigned i = 0;
        for (unsigned tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
            for (int pass = 0; pass < Passes<FORM>::COUNT; pass++) {
                const unsigned char *from =
                    plane_of(of.weights, tile / row_tiles, Passes<FORM>::weight_plane(pass), chunks);
                for (unsigned stage = 0; stage < stages; stage++, i++) {
                    const unsigned slot = i % STAGES;
                    // The slot's first use waits for nobody: the phase before the first counts as over.
                    barrier_wait(&pipeline.empty[slot], i / STAGES % 2 ^ 1);
                    barrier_expect(&pipeline.full[slot], STAGE_BYTES);
                    bulk_copy(shared + slot * STAGE_BYTES, from + (unsigned long long)stage * STAGE_BYTES, STAGE_BYTES,
                              &pipeline.full[slot]);
                }
            }
        }
        return;
    }
    registers_raise<240>();
    const unsigned group = threadIdx.x / 128, warp = threadIdx.x % 128 / 32, quad = threadIdx.x % 32 / 4;
    const unsigned shared_at = shared_address(shared);
    unsigned i = 0;
    for (unsigned tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const unsigned first_row = tile % row_tiles * ROWS + group * 128 + warp * 16 + quad;
        const unsigned char *row[4];
#pragma unroll
        for (int r = 0; r < 4; r++) {
            // Rows of the lower half, 8 apart, then those of the upper one.
            unsigned at = min(first_row + r / 2 * 64 + r % 2 * 8, of.rows - 1);
            row[r] = of.states + at * (FORM == BITS ? of.stride / 8 : of.stride * 2);
        }
        int low[64] = {}, high[64] = {};
        Fragments<FORM> next;
        next.load(row, 0);
        const unsigned first_output = tile / row_tiles * TILE_OUTPUTS;
        multiply_passes<FORM, 0>(of, first_output, low, high, row, next, stages, i, pipeline, shared_at);
        // The instructions of both halves at once would not stay in their cache.
#pragma unroll 1
        for (unsigned half = 0; half < 2; half++) {
#pragma unroll
            for (int q = 0; q < 4; q++) {
                int inputs[16];
#pragma unroll
                for (int c = 0; c < 16; c++) {
                    const int place = 32 * (q / 2) + c / 2 * 4 + q % 2 * 2 + c % 2;
                    inputs[c] = half ? high[place] : low[place];
                }
                finish_row<FINISH>(of, inputs, first_row + half * 64 + q % 2 * 8, first_output / 64 + q / 2);
            }
        }
    }
}

#define AFFINE_BOUNDS __launch_bounds__(THREADS, 1)

#endif

#define AFFINE(name, form, finish)                                      \
    extern "C" __global__ void AFFINE_BOUNDS affine_##name(Affine of) { \
        affine<form, finish>(of);                                       \
    }                                                                   \
    KERNEL(affine_##name)

AFFINE(bits_sample, BITS, SAMPLE)
AFFINE(bits_mean, BITS, MEAN)
AFFINE(bits_keep, BITS, KEEP)
AFFINE(words_sample, WORDS, SAMPLE)
AFFINE(words_mean, WORDS, MEAN)
AFFINE(words_keep, WORDS, KEEP)
