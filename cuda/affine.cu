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
    // Where blocks that share tiles leave their sums, and how many have come to each tile, for each warp; null where tiles are
    // not shared.
    int *partials;
    unsigned *arrived;
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

// Bit j of each byte, as four factors (weights.cuh).
__device__ __forceinline__ unsigned factors_of(unsigned bits, int j) { return bits >> j & 0x01010101u; }

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
        // The thread's outputs of a panel are those of four counters, all four words of each. They are drawn first, so that
        // the rounds of one are done while those of another are waited for.
        unsigned words[16];
#pragma unroll
        for (int lane = 0; lane < 4; lane++) {
            unsigned drawn[4];
            random_words(of.noise.seed, of.noise.first + r, chunk, 8 * (lane / 2) + 2 * t + lane % 2, drawn);
            // Output 16 w + 8 (lane / 2) + 2 t + lane % 2 has word w.
#pragma unroll
            for (int w = 0; w < 4; w++) words[2 * (2 * w + lane / 2) + lane % 2] = drawn[w];
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

// Inputs of a stage: what is copied to shared memory at a time.
#define STAGE_INPUTS (HAPLOOM_HOPPER ? 128 : 64)

// A stage's states of a thread's rows: two for each half of 16 (sm_80) or 64 rows.
template <Form FORM, int HALVES>
struct Fragments;

// Numbers are not fetched ahead: they would not fit the registers.
template <int HALVES>
struct Fragments<WORDS, HALVES> {
    const unsigned char *row[2 * HALVES];

    __device__ __forceinline__ void load(const unsigned char *const (&rows)[2 * HALVES], unsigned stage) {
        const unsigned t = threadIdx.x % 4, first = stage * STAGE_INPUTS;
#pragma unroll
        for (int i = 0; i < 2 * HALVES; i++) row[i] = rows[i] + (first / PADDED * PADDED + 32 * t + first % PADDED / 16) * 2;
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

#if !HAPLOOM_HOPPER

// Tiles of 128 rows x 128 outputs by 8 warps, four down and two across, each 32 rows x one panel of 64 outputs.
#define ROWS 128
#define STAGE_BYTES (STAGE_INPUTS * TILE_OUTPUTS)
#define STAGES 4
#define THREADS 256

template <int HALVES>
struct Fragments<BITS, HALVES> {
    unsigned rows[2 * HALVES];

    // Two stages read the same 128 inputs.
    __device__ __forceinline__ void load(const unsigned char *const (&row)[2 * HALVES], unsigned stage) {
#pragma unroll
        for (int i = 0; i < 2 * HALVES; i++) {
            rows[i] = *(const unsigned *)(row[i] + stage / 2 * 16 + threadIdx.x % 4 * 4) >> (stage % 2 * 4);
        }
    }

    __device__ __forceinline__ void operand(int m, int k, bool, unsigned (&a)[4]) const {
#pragma unroll
        for (int i = 0; i < 4; i++) a[i] = factors_of(rows[2 * m + i % 2], 2 * k + i / 2);
    }
};

template <bool SIGNED, Form FORM>
__device__ __forceinline__ void multiply_stage(int (&sums)[2][8][4], const Fragments<FORM, 2> &states, bool high,
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
    Fragments<FORM, 2> now, next;
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


#else

// Tiles of 256 rows x 128 outputs by two groups of four warps, each two halves of 64 rows. One thread of a third group has
// weights copied to shared memory ahead of them, and its group leaves them its registers. A block takes tile after tile, and
// the second group is some stages behind the first: while one finishes a tile the other one multiplies.
#define GROUPS 2
#define HALVES 2
#define ROWS (64 * GROUPS * HALVES)
#define STAGE_BYTES (STAGE_INPUTS * TILE_OUTPUTS)
#define STAGES 10
// Stages that the second group is behind: what it multiplies while the first one finishes a tile. The rest of the slots is
// for copies that are under way.
#define LAG 7u
// Where threads put sums that they finish: 32 numbers each, four beside those of the next thread.
#define WAITING_BYTES (32 * 4 * 128 * GROUPS)

template <>
struct Fragments<BITS, HALVES> {
    unsigned rows[2 * HALVES];

    __device__ __forceinline__ void load(const unsigned char *const (&row)[2 * HALVES], unsigned stage) {
#pragma unroll
        for (int i = 0; i < 2 * HALVES; i++) rows[i] = *(const unsigned *)(row[i] + stage * 16 + threadIdx.x % 4 * 4);
    }

    __device__ __forceinline__ void operand(int m, int k, bool, unsigned (&a)[4]) const {
#pragma unroll
        for (int i = 0; i < 4; i++) a[i] = factors_of(rows[2 * m + i % 2], 2 * k + i / 2);
    }
};

// Where copies and products stand: a slot is full when the copy of its stage has come, and empty when both groups have
// multiplied it; `ahead` when the first group is LAG stages ahead.
struct Pipeline {
    unsigned long long full[STAGES];
    unsigned long long empty[STAGES];
    unsigned long long ahead;
};

// A slot, and the parity of its phase.
struct Slot {
    unsigned number = 0, parity = 0;

    __device__ __forceinline__ void advance() {
        if (++number == STAGES) {
            number = 0;
            parity ^= 1;
        }
    }
};

// What a block multiplies: whole tiles, every gridDim.x-th; or, where these would leave blocks without work in the last
// round, an equal share of all stages, which begins and ends within tiles. Who comes last to a tile adds up what the others
// left in `partials`.
struct Work {
    // Stages of a tile, all passes, and of all tiles.
    unsigned stages, all;
    bool split;
    unsigned tiles;

    __device__ __forceinline__ Work(const Affine &of, unsigned tiles, unsigned stages)
        : stages(stages), all(tiles * stages), split(of.partials), tiles(tiles) {}

    // The first stage of a block's share: the first blocks have one more where they do not come out even.
    __device__ __forceinline__ unsigned share(unsigned block) const {
        return block * (all / gridDim.x) + min(block, all % gridDim.x);
    }
    // Whose share a stage is in.
    __device__ __forceinline__ unsigned owner(unsigned stage) const {
        const unsigned each = all / gridDim.x, more = all % gridDim.x, theirs = more * (each + 1);
        return stage < theirs ? stage / (each + 1) : more + (stage - theirs) / each;
    }
    __device__ __forceinline__ unsigned count() const {
        if (!split) return (tiles - blockIdx.x + gridDim.x - 1) / gridDim.x;
        return (share(blockIdx.x + 1) - 1) / stages - share(blockIdx.x) / stages + 1;
    }
    // The block's n-th tile. Shares are walked through from their end: a tile's first part is then done by one block when
    // another one comes to its last.
    __device__ __forceinline__ unsigned tile(unsigned n) const {
        return split ? (share(blockIdx.x + 1) - 1) / stages - n : blockIdx.x + n * gridDim.x;
    }
    // The block's stages of a tile.
    __device__ __forceinline__ unsigned begin(unsigned tile) const {
        return split ? max(share(blockIdx.x), tile * stages) - tile * stages : 0;
    }
    __device__ __forceinline__ unsigned end(unsigned tile) const {
        return split ? min(share(blockIdx.x + 1), (tile + 1) * stages) - tile * stages : stages;
    }
};

// Sums of stages `begin` to `end` of a pass.
template <Form FORM, bool SIGNED>
__device__ __forceinline__ void multiply_pass(int (&sums)[HALVES][64], const unsigned char *const (&row)[2 * HALVES],
                                              Fragments<FORM, HALVES> &next, bool high_states, unsigned begin, unsigned end,
                                              unsigned stages, Slot &slot, unsigned &lead, Pipeline &pipeline,
                                              unsigned shared) {
    const bool tells = threadIdx.x % 32 == 0;
    unsigned a[2][HALVES][4];
    unsigned before = 0;
    for (unsigned stage = begin; stage < end; stage++) {
        Fragments<FORM, HALVES> now = next;
        next.load(row, stage + 1 == stages ? 0 : stage + 1);
        barrier_wait(&pipeline.full[slot.number], slot.parity);
        const unsigned at = shared + slot.number * STAGE_BYTES;
#pragma unroll
        for (int k = 0; k < 4; k++) {
#pragma unroll
            for (int h = 0; h < HALVES; h++) {
                now.operand(h, k, high_states, a[k % 2][h]);
                group_factors(a[k % 2][h]);
            }
            const unsigned long long weights = matrix_descriptor(at + 2 * k * CHUNK_BYTES, CHUNK_BYTES, 128);
            group_fence();
#pragma unroll
            for (int h = 0; h < HALVES; h++) group_multiply_bytes<SIGNED>(sums[h], a[k % 2][h], weights);
            group_commit();
            group_wait<1>();
            // The products of the stage before are done with its weights.
            if (k == 0 && stage > begin && tells) barrier_arrive(&pipeline.empty[before]);
        }
        before = slot.number;
        slot.advance();
        if (--lead == 0 && tells && threadIdx.x < 128) barrier_arrive(&pipeline.ahead);
    }
    group_wait<0>();
    if (begin < end && tells) barrier_arrive(&pipeline.empty[before]);
}

// One after another, without a branch between: registers of sums have to stay where they are. `begin` and `end` count the
// stages of all passes.
template <Form FORM, int PASS>
__device__ __forceinline__ void multiply_passes(const Affine &of, unsigned first_output, int (&sums)[HALVES][64],
                                                const unsigned char *const (&row)[2 * HALVES],
                                                Fragments<FORM, HALVES> &next, unsigned begin, unsigned end,
                                                unsigned stages, Slot &slot, unsigned &lead, Pipeline &pipeline,
                                                unsigned shared) {
    if constexpr (PASS < Passes<FORM>::COUNT) {
        if constexpr (Passes<FORM>::shifts(PASS)) {
            // With the last shift comes the bias, once for a tile.
            const bool biased = PASS + 1 == Passes<FORM>::COUNT && end == Passes<FORM>::COUNT * stages;
#pragma unroll
            for (int c = 0; c < 64; c += 4) {
                const int2 bias = biased ? bias_at(of, first_output + 2 * c + threadIdx.x % 4 * 2) : make_int2(0, 0);
#pragma unroll
                for (int h = 0; h < HALVES; h++) {
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        sums[h][c + i] = (int)((unsigned)sums[h][c + i] * 256u + (unsigned)(i % 2 ? bias.y : bias.x));
                    }
                }
            }
        }
        const unsigned first = PASS * stages;
        multiply_pass<FORM, Passes<FORM>::weight_plane(PASS) == 0>(
            sums, row, next, Passes<FORM>::high_states(PASS), max(begin, first) - first,
            min(max(end, first), first + stages) - first, stages, slot, lead, pipeline, shared);
        multiply_passes<FORM, PASS + 1>(of, first_output, sums, row, next, begin, end, stages, slot, lead, pipeline, shared);
    }
}

// A warp's sums of a part of a tile meet those of the other parts: the last warp to come has all, and true; the others leave
// theirs. Whole numbers that wrap: the order does not matter.
__device__ __forceinline__ bool join_parts(const Affine &of, const Work &work, unsigned tile, int (&sums)[HALVES][64]) {
    const unsigned first = work.owner(tile * work.stages), last = work.owner((tile + 1) * work.stages - 1);
    // A block has two parts at most: one of the tile that its share begins in, and one of that which begins in its share.
    auto place = [&](unsigned block) {
        const unsigned part = 2 * block + (work.share(block) > tile * work.stages);
        return (int4 *)of.partials + (unsigned long long)part * HALVES * 16 * (128 * GROUPS) + threadIdx.x;
    };
    unsigned *const arrived = of.arrived + tile * (4 * GROUPS) + threadIdx.x / 32;
    const unsigned lane = threadIdx.x % 32;
    unsigned before = lane == 0 ? atomicAdd(arrived, 0u) : 0u;
    before = __shfl_sync(0xffffffffu, before, 0);
    if (before < last - first) {
        int4 *const own = place(blockIdx.x);
#pragma unroll
        for (int c = 0; c < HALVES * 16; c++) {
            const int(&four)[64] = sums[c / 16];
            const int at = c % 16 * 4;
            own[c * (128 * GROUPS)] = make_int4(four[at], four[at + 1], four[at + 2], four[at + 3]);
        }
        __threadfence();
        __syncwarp();
        before = lane == 0 ? atomicAdd(arrived, 1u) : 0u;
        before = __shfl_sync(0xffffffffu, before, 0);
        if (before < last - first) return false;
    }
    // The next product begins with none.
    if (lane == 0) *arrived = 0;
    __threadfence();
    for (unsigned block = first; block <= last; block++) {
        if (block == blockIdx.x) continue;
        const int4 *const others = place(block);
#pragma unroll
        for (int c = 0; c < HALVES * 16; c++) {
            int(&four)[64] = sums[c / 16];
            const int at = c % 16 * 4;
            const int4 more = __ldcg(others + c * (128 * GROUPS));
            four[at] = (int)((unsigned)four[at] + (unsigned)more.x);
            four[at + 1] = (int)((unsigned)four[at + 1] + (unsigned)more.y);
            four[at + 2] = (int)((unsigned)four[at + 2] + (unsigned)more.z);
            four[at + 3] = (int)((unsigned)four[at + 3] + (unsigned)more.w);
        }
    }
    return true;
}

// Puts a thread's sums for a panel of 64 outputs where `get_row` finds those of its row `r` (and of 8 rows further), in the
// order of `finish_row`.
__device__ __forceinline__ void put_quarter(int4 *waiting, const int (&sums)[64], unsigned panel) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
#pragma unroll
        for (int p = 0; p < 4; p++) {
            const int at = 32 * panel + 8 * p + 2 * r;
            waiting[(4 * r + p) * (128 * GROUPS)] = make_int4(sums[at], sums[at + 1], sums[at + 4], sums[at + 5]);
        }
    }
}

__device__ __forceinline__ void get_row(const int4 *waiting, unsigned r, int (&inputs)[16]) {
#pragma unroll
    for (int p = 0; p < 4; p++) {
        const int4 four = waiting[(4 * r + p) * (128 * GROUPS)];
        inputs[4 * p] = four.x;
        inputs[4 * p + 1] = four.y;
        inputs[4 * p + 2] = four.z;
        inputs[4 * p + 3] = four.w;
    }
}

template <Form FORM, Finish FINISH>
__device__ __forceinline__ void affine(const Affine &of) {
    DYNAMIC_SHARED(shared);
    int4 *const waiting = (int4 *)(shared + STAGES * STAGE_BYTES) + threadIdx.x;
    Pipeline &pipeline = *(Pipeline *)(shared + STAGES * STAGE_BYTES + WAITING_BYTES);
    const unsigned chunks = chunks_of(of.inputs);
    const unsigned stages = chunks / (STAGE_INPUTS / 16);
    const unsigned row_tiles = (of.rows + ROWS - 1) / ROWS;
    const unsigned tiles = row_tiles * ((of.outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS);
    const Work work(of, tiles, stages * Passes<FORM>::COUNT);
    const unsigned count = work.count();
    if (threadIdx.x == 0) {
        for (int slot = 0; slot < STAGES; slot++) {
            barrier_begin(&pipeline.full[slot], 1);
            barrier_begin(&pipeline.empty[slot], 4 * GROUPS);
        }
        barrier_begin(&pipeline.ahead, 4);
        barrier_visible();
    }
    __syncthreads();
    Slot slot;
    if (threadIdx.x >= 128 * GROUPS) {
        registers_lower<24>();
        if (threadIdx.x != 128 * GROUPS) return;
        for (unsigned n = 0; n < count; n++) {
            const unsigned tile = work.tile(n), end = work.end(tile);
            for (unsigned i = work.begin(tile); i < end; i++, slot.advance()) {
                const unsigned char *from =
                    plane_of(of.weights, tile / row_tiles, Passes<FORM>::weight_plane(i / stages), chunks);
                // The slot's first use waits for nobody: the phase before the first counts as over.
                barrier_wait(&pipeline.empty[slot.number], slot.parity ^ 1);
                barrier_expect(&pipeline.full[slot.number], STAGE_BYTES);
                bulk_copy(shared + slot.number * STAGE_BYTES, from + (unsigned long long)(i % stages) * STAGE_BYTES,
                          STAGE_BYTES, &pipeline.full[slot.number]);
            }
        }
        return;
    }
    // 65,536 registers for all threads of a block: what 128 x 24 leave, in steps of 8 a thread.
    registers_raise<240>();
    const unsigned group = threadIdx.x / 128, warp = threadIdx.x % 128 / 32, quad = threadIdx.x % 32 / 4;
    const unsigned shared_at = shared_address(shared);
    // Stages until the first group is far enough ahead: within its first tile.
    unsigned lead = count == 0 ? 0 : min(LAG, work.end(work.tile(0)) - work.begin(work.tile(0)));
    if (group == 1 && lead > 0) barrier_wait(&pipeline.ahead, 0);
    for (unsigned n = 0; n < count; n++) {
        const unsigned tile = work.tile(n), begin = work.begin(tile), end = work.end(tile);
        const unsigned warp_row = tile % row_tiles * ROWS + group * 64 * HALVES + warp * 16, first_row = warp_row + quad;
        const unsigned char *row[2 * HALVES];
#pragma unroll
        for (int r = 0; r < 2 * HALVES; r++) {
            // Rows of the lower half, 8 apart, then those of the upper one.
            unsigned at = min(first_row + r / 2 * 64 + r % 2 * 8, of.rows - 1);
            row[r] = of.states + at * (FORM == BITS ? of.stride / 8 : of.stride * 2);
        }
        int sums[HALVES][64] = {};
        Fragments<FORM, HALVES> next;
        next.load(row, begin % stages);
        const unsigned first_output = tile / row_tiles * TILE_OUTPUTS;
        multiply_passes<FORM, 0>(of, first_output, sums, row, next, begin, end, stages, slot, lead, pipeline, shared_at);
        if (end - begin < work.stages && !join_parts(of, work, tile, sums)) continue;
        // A quarter at a time, by way of shared memory: the loop's few instructions stay in their cache, all of them at once
        // would have warps wait for instructions.
#pragma unroll 1
        for (unsigned part = 0; part < 2 * HALVES; part++) {
            if (warp_row + part / 2 * 64 >= of.rows) break;
#pragma unroll
            for (unsigned p = 0; p < 2 * HALVES; p++) {
                if (p == part) put_quarter(waiting, sums[p / 2], p % 2);
            }
#pragma unroll 1
            for (unsigned r = 0; r < 2; r++) {
                int inputs[16];
                get_row(waiting, r, inputs);
                finish_row<FINISH>(of, inputs, first_row + part / 2 * 64 + r * 8, first_output / 64 + part % 2);
            }
        }
    }
}

#endif

#if HAPLOOM_HOPPER
#define BOUNDS __launch_bounds__(128 * (GROUPS + 1), 1)
#else
#define BOUNDS __launch_bounds__(THREADS, 2)
#endif
#define AFFINE(name, form, finish)                                                       \
    extern "C" __global__ void BOUNDS name(Affine of) { affine<form, finish>(of); } \
    KERNEL(name)

AFFINE(affine_bits_sample, BITS, SAMPLE)
AFFINE(affine_bits_mean, BITS, MEAN)
AFFINE(affine_bits_keep, BITS, KEEP)
AFFINE(affine_words_sample, WORDS, SAMPLE)
AFFINE(affine_words_mean, WORDS, MEAN)
AFFINE(affine_words_keep, WORDS, KEEP)
