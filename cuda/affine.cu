// states x weights + bias, and what a unit makes of it: half-steps, means, inputs, products. Twins of src/compute/cpu.
//
// families: sm_80 sm_90a
// instructions: affine_ sm_80=IMMA sm_90a=IGMMA
//
// Sums are whole numbers, so that they are the processor's, whatever the order; what is made of them is done in the
// processor's operations (activation.cuh) on the processor's random words (random.cuh). A half-step gives the same bits.

#include "affine.cuh"

// States as they lie: bits, or 16-bit whole numbers >= 0 (which have a file of their own for compute capability 9.0:
// affine_words.cu). A row has `stride` of them, a multiple of PADDED, zeros at the end.
enum Form { BITS, WORDS };

// Inputs of a stage: what is copied to shared memory at a time.
#define STAGE_INPUTS (HAPLOOM_HOPPER ? 128 : 64)
#define STAGE_BYTES (STAGE_INPUTS * TILE_OUTPUTS)

// A stage's states of a thread's four rows: two for each half of 16 (sm_80) or 64 rows.
template <Form FORM>
struct Fragments;

template <>
struct Fragments<BITS> {
    unsigned rows[4];

    // Stages of 64 inputs read the same 128, two at a time.
    __device__ __forceinline__ void load(const unsigned char *const (&row)[4], unsigned stage) {
        const unsigned t = threadIdx.x % 4, first = stage * STAGE_INPUTS;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            rows[i] = *(const unsigned *)(row[i] + first / PADDED * (PADDED / 8) + t * 4) >> (first % PADDED / 16);
        }
    }

    // Bit j of each byte, as four factors (weights.cuh).
    __device__ __forceinline__ void operand(int m, int k, bool, unsigned (&a)[4]) const {
#pragma unroll
        for (int i = 0; i < 4; i++) a[i] = rows[2 * m + i % 2] >> (2 * k + i / 2) & 0x01010101u;
    }
};

#if !HAPLOOM_HOPPER

// Tiles of 128 rows x 128 outputs by 8 warps, four down and two across, each 32 rows x one panel of 64 outputs.
#define ROWS 128
#define STAGES 4
#define THREADS 256

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

// Numbers are not fetched ahead: they would not fit the registers.
template <>
struct Fragments<WORDS> {
    const unsigned char *row[4];

    __device__ __forceinline__ void load(const unsigned char *const (&rows)[4], unsigned stage) {
        const unsigned t = threadIdx.x % 4, first = stage * STAGE_INPUTS;
#pragma unroll
        for (int i = 0; i < 4; i++) row[i] = rows[i] + (first / PADDED * PADDED + 32 * t + first % PADDED / 16) * 2;
    }

    __device__ __forceinline__ void operand(int m, int k, bool high, unsigned (&a)[4]) const {
#pragma unroll
        for (int r = 0; r < 2; r++) {
            unsigned pairs[4];
#pragma unroll
            for (int b = 0; b < 4; b++) pairs[b] = *(const unsigned *)(row[2 * m + r] + (8 * b + 2 * k) * 2);
#pragma unroll
            for (int c = 0; c < 2; c++) {
                const int byte = 2 * c + high;
                const unsigned lower = __byte_perm(pairs[0], pairs[1], byte | (byte + 4) << 4);
                const unsigned upper = __byte_perm(pairs[2], pairs[3], byte | (byte + 4) << 4);
                a[2 * c + r] = __byte_perm(lower, upper, 0x5410);
            }
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

#define BOUNDS __launch_bounds__(THREADS, 2)
AFFINE(affine_bits_sample, BOUNDS, BITS, SAMPLE)
AFFINE(affine_bits_mean, BOUNDS, BITS, MEAN)
AFFINE(affine_bits_keep, BOUNDS, BITS, KEEP)
AFFINE(affine_words_sample, BOUNDS, WORDS, SAMPLE)
AFFINE(affine_words_mean, BOUNDS, WORDS, MEAN)
AFFINE(affine_words_keep, BOUNDS, WORDS, KEEP)

#else

#include "pipeline.cuh"

// Tiles of 256 rows x 128 outputs, of which a group has two halves of 64 rows. First all stages of the high plane, then those
// of the low one.
#define HALVES 2
#define ROWS (64 * GROUPS * HALVES)
#define STAGES 12

// What a block has in shared memory.
struct Memory {
    unsigned char weights[STAGES][STAGE_BYTES];
    Ring<STAGES> ring;
};

// Sums of stages `begin` to `end` of a plane.
template <bool SIGNED>
__device__ __forceinline__ void multiply_plane(int (&sums)[HALVES][64], const unsigned char *const (&row)[2 * HALVES],
                                               Fragments<BITS> &next, unsigned begin, unsigned end, unsigned stages,
                                               Slot<STAGES> &slot, Ring<STAGES> &ring, unsigned shared) {
    const bool tells = threadIdx.x % 32 == 0;
    unsigned a[2][HALVES][4];
    unsigned before = 0;
    for (unsigned stage = begin; stage < end; stage++) {
        Fragments<BITS> now = next;
        next.load(row, stage + 1 == stages ? 0 : stage + 1);
        barrier_wait(&ring.full[slot.number], slot.parity);
        const unsigned at = shared + slot.number * STAGE_BYTES;
#pragma unroll
        for (int k = 0; k < 4; k++) {
#pragma unroll
            for (int h = 0; h < HALVES; h++) {
                now.operand(h, k, false, a[k % 2][h]);
                group_factors(a[k % 2][h]);
            }
            const unsigned long long weights = matrix_descriptor(at + 2 * k * CHUNK_BYTES, CHUNK_BYTES, 128);
            group_fence();
#pragma unroll
            for (int h = 0; h < HALVES; h++) group_multiply_bytes<SIGNED>(sums[h], a[k % 2][h], weights);
            group_commit();
            group_wait<1>();
            // The products of the stage before are done with its weights.
            if (k == 0 && stage > begin && tells) barrier_arrive(&ring.empty[before]);
        }
        before = slot.number;
        slot.advance();
    }
    group_wait<0>();
    if (begin < end && tells) barrier_arrive(&ring.empty[before]);
}

template <Finish FINISH>
__device__ __forceinline__ void affine(const Affine &of) {
    DYNAMIC_SHARED(shared);
    Memory &memory = *(Memory *)shared;
    Ring<STAGES> &ring = memory.ring;
    const unsigned chunks = chunks_of(of.inputs);
    // Of a plane.
    const unsigned stages = chunks / (STAGE_INPUTS / 16);
    const unsigned row_tiles = (of.rows + ROWS - 1) / ROWS;
    const Work work(of, row_tiles * tiles_of(of.outputs), stages * 2);
    const unsigned count = work.count();
    if (threadIdx.x == 0) {
        ring.begin(MULTIPLIERS / 32);
        barrier_visible();
    }
    __syncthreads();
    Slot<STAGES> slot;
    if (threadIdx.x >= MULTIPLIERS) {
        registers_lower<24>();
        if (threadIdx.x != MULTIPLIERS) return;
        for (unsigned n = 0; n < count; n++) {
            const unsigned tile = work.tile(n), end = work.end(tile);
            for (unsigned i = work.begin(tile); i < end; i++, slot.advance()) {
                const unsigned char *from = plane_of(of.weights, tile / row_tiles, i / stages, chunks);
                // The slot's first use waits for nobody: the phase before the first counts as over.
                barrier_wait(&ring.empty[slot.number], slot.parity ^ 1);
                barrier_expect(&ring.full[slot.number], STAGE_BYTES);
                bulk_copy(memory.weights[slot.number], from + (unsigned long long)(i % stages) * STAGE_BYTES, STAGE_BYTES,
                          &ring.full[slot.number]);
            }
        }
        return;
    }
    // 65,536 registers for all threads of a block: what 128 x 24 leave, in steps of 8 a thread.
    registers_raise<240>();
    const unsigned group = threadIdx.x / 128, warp = threadIdx.x % 128 / 32, quad = threadIdx.x % 32 / 4;
    const unsigned shared_at = shared_address(memory.weights);
    for (unsigned n = 0; n < count; n++) {
        const unsigned tile = work.tile(n), begin = work.begin(tile), end = work.end(tile);
        const unsigned warp_row = tile % row_tiles * ROWS + group * 64 * HALVES + warp * 16;
        const unsigned char *row[2 * HALVES];
#pragma unroll
        for (int r = 0; r < 2 * HALVES; r++) {
            // Rows of the lower half, 8 apart, then those of the upper one.
            unsigned at = min(warp_row + quad + r / 2 * 64 + r % 2 * 8, of.rows - 1);
            row[r] = of.states + at * (of.stride / 8);
        }
        int sums[HALVES][64] = {};
        Fragments<BITS> next;
        next.load(row, begin % stages);
        const unsigned first_output = tile / row_tiles * TILE_OUTPUTS;
        // One plane after another, without a branch between: registers of sums have to stay where they are.
        multiply_plane<true>(sums, row, next, begin, min(end, stages), stages, slot, ring, shared_at);
#pragma unroll
        for (int c = 0; c < 64; c += 4) {
            // The bias comes once for a tile.
            const int2 bias = end == work.stages ? bias_at(of, first_output + 2 * c + threadIdx.x % 4 * 2) : make_int2(0, 0);
#pragma unroll
            for (int h = 0; h < HALVES; h++) {
#pragma unroll
                for (int i = 0; i < 4; i++) sums[h][c + i] = wrapping_sum(shifted(sums[h][c + i]), i % 2 ? bias.y : bias.x);
            }
        }
        multiply_plane<false>(sums, row, next, max(begin, stages) - stages, max(end, stages) - stages, stages, slot, ring,
                              shared_at);
        if (end - begin < work.stages && !join_parts(of, work, tile, sums)) continue;
        finish_tile<FINISH, 64, 0>(of, sums, warp_row, first_output / 64);
    }
}

AFFINE(affine_bits_sample, BOUNDS, SAMPLE)
AFFINE(affine_bits_mean, BOUNDS, MEAN)
AFFINE(affine_bits_keep, BOUNDS, KEEP)

#endif
