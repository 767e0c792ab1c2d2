// The products of affine.cu where states are 16-bit whole numbers >= 0 (those of ReLU units), for compute capability 9.0.
//
// families: sm_90a
// instructions: affine_words_ sm_90a=IGMMA,UBLKCP,LDGSTS
//
// A state is 256 high + low as a weight is (weights.cuh), so that four planes of bytes are multiplied. All four products of
// 128 inputs follow each other, so that states and weights come to shared memory once for a tile.

#include "pipeline.cuh"

// Tiles of 128 rows x two tiles of weights: 64 rows and four panels of 64 outputs for a group. Wide rather than high, since a
// group then holds the factors of its rows in registers, for all panels.
#define ROWS (64 * GROUPS)
#define TILES_ACROSS 2
#define PANELS (2 * TILES_ACROSS)
// A stage is PADDED inputs: of one tile of weights both planes take a slot, of a group's rows the states take one.
#define PLANE_BYTES (PADDED * TILE_OUTPUTS)
#define WEIGHTS_BYTES (2 * PLANE_BYTES)
#define WEIGHTS_SLOTS 4
#define STATES_BYTES (64 * PADDED * 2)
#define STATES_SLOTS 2

// Where copies stand; `ahead` when the first group is a stage ahead.
struct Pipeline {
    Ring<WEIGHTS_SLOTS> weights;
    Ring<STATES_SLOTS> states[GROUPS];
    unsigned long long ahead;
};

// What a block has in shared memory.
struct Memory {
    unsigned char weights[WEIGHTS_SLOTS][WEIGHTS_BYTES];
    unsigned char states[GROUPS][STATES_SLOTS][STATES_BYTES];
    Pipeline pipeline;
};

// Where 16 bytes of a row of states lie in its slot: the 64 bytes that a thread of a quad multiplies, in four pieces, away from
// those of the other threads, and of rows that are neighbours the other way round. Eight lanes that read a piece of theirs,
// two rows, then read from all banks.
__device__ __forceinline__ unsigned piece_at(unsigned row, unsigned t, unsigned piece) {
    return row * (PADDED * 2) + (piece ^ row % 2) * 64 + t * 16;
}

// Copies weights ahead, by one thread.
__device__ __forceinline__ void copy_weights(const Affine &of, const Work &work, unsigned row_tiles, Memory &memory) {
    const unsigned chunks = chunks_of(of.inputs), last = tiles_of(of.outputs) - 1, count = work.count();
    Ring<WEIGHTS_SLOTS> &ring = memory.pipeline.weights;
    Slot<WEIGHTS_SLOTS> slot;
    for (unsigned n = 0; n < count; n++) {
        const unsigned tile = work.tile(n), end = work.end(tile);
        for (unsigned stage = work.begin(tile); stage < end; stage++) {
            for (unsigned i = 0; i < TILES_ACROSS; i++, slot.advance()) {
                // Where outputs end within a tile its last weights come twice.
                const unsigned from = min(tile / row_tiles * TILES_ACROSS + i, last);
                // The slot's first use waits for nobody: the phase before the first counts as over.
                barrier_wait(&ring.empty[slot.number], slot.parity ^ 1);
                barrier_expect(&ring.full[slot.number], WEIGHTS_BYTES);
                for (int plane = 0; plane < 2; plane++) {
                    bulk_copy(memory.weights[slot.number] + plane * PLANE_BYTES,
                              plane_of(of.weights, from, plane, chunks) + (unsigned long long)stage * PLANE_BYTES, PLANE_BYTES,
                              &ring.full[slot.number]);
                }
            }
        }
    }
}

// Copies the states of a group's rows ahead, by one warp: two rows at a time.
__device__ __forceinline__ void copy_states(const Affine &of, const Work &work, unsigned row_tiles, unsigned group,
                                            Memory &memory) {
    const unsigned lane = threadIdx.x % 32, upper = lane / 16, at = lane % 16, count = work.count();
    Ring<STATES_SLOTS> &ring = memory.pipeline.states[group];
    Slot<STATES_SLOTS> slot;
    for (unsigned n = 0; n < count; n++) {
        const unsigned tile = work.tile(n), end = work.end(tile);
        const unsigned first_row = tile % row_tiles * ROWS + group * 64 + upper;
        for (unsigned stage = work.begin(tile); stage < end; stage++, slot.advance()) {
            const unsigned char *from = of.states + (unsigned long long)stage * (PADDED * 2) + at * 16;
            unsigned char *to = memory.states[group][slot.number] + piece_at(upper, at / 4, at % 4);
            barrier_wait(&ring.empty[slot.number], slot.parity ^ 1);
#pragma unroll 8
            for (unsigned row = 0; row < 64; row += 2) {
                copy_async_16(to + row * (PADDED * 2), from + min(first_row + row, of.rows - 1) * (of.stride * 2));
            }
            copy_async_commit();
            copy_async_wait<0>();
            __syncwarp();
            if (lane == 0) barrier_arrive(&ring.full[slot.number]);
        }
    }
}

// The factors that a thread has of a stage's states: rows lane / 4 and 8 more of its warp's.
struct Factors {
    // Chunks 2 k and 2 k + 1.
    unsigned low[4][4], high[4][4];

    __device__ __forceinline__ void load(const unsigned char *states) {
        const unsigned quad = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
        for (int r = 0; r < 2; r++) {
            // Piece m has states m of all eight chunks.
            unsigned pieces[4][4];
#pragma unroll
            for (int m = 0; m < 4; m++) {
                const uint4 piece = *(const uint4 *)(states + r * 8 * (PADDED * 2) + piece_at(quad, t, m));
                pieces[m][0] = piece.x, pieces[m][1] = piece.y, pieces[m][2] = piece.z, pieces[m][3] = piece.w;
            }
#pragma unroll
            for (int k = 0; k < 4; k++) {
#pragma unroll
                for (int c = 0; c < 2; c++) {
                    // Two lower bytes, then two upper ones.
                    const unsigned both = c ? 0x7362 : 0x5140;
                    const unsigned first = __byte_perm(pieces[0][k], pieces[1][k], both);
                    const unsigned second = __byte_perm(pieces[2][k], pieces[3][k], both);
                    low[k][2 * c + r] = __byte_perm(first, second, 0x5410);
                    high[k][2 * c + r] = __byte_perm(first, second, 0x7632);
                }
            }
        }
#pragma unroll
        for (int k = 0; k < 4; k++) {
            group_factors(low[k]);
            group_factors(high[k]);
        }
    }
};

// Sums of chunks 2 k and 2 k + 1 of a plane, for the panel that begins at this address.
template <bool SIGNED, bool ADDS = true>
__device__ __forceinline__ void multiply(int (&sums)[32], const unsigned (&states)[4], unsigned panel, int k) {
    group_multiply_bytes<SIGNED, ADDS>(sums, states, matrix_descriptor(panel + 2 * k * CHUNK_BYTES, CHUNK_BYTES, 128));
}

// Adds the products of a stage with tile I of weights to sums: 256 (256 high high + low high + high low) + low low, states first.
// What is in parentheses is summed up in `scratch`, panel by panel; while that is shifted or added, low low goes on, half of a
// panel's at a time, straight into sums. `before` is told when the products before these are done.
template <int I>
__device__ __forceinline__ void multiply_tile(int (&sums)[PANELS][32], int (&scratch)[32], const Factors &states,
                                              unsigned weights, unsigned long long *before) {
    const auto low_products = [&](int p, int first) {
#pragma unroll
        for (int k = first; k < first + 2; k++) {
            multiply<false>(sums[2 * I + p], states.low[k], weights + PLANE_BYTES + p * 64 * 16, k);
        }
        group_commit();
    };
#pragma unroll
    for (int p = 0; p < 2; p++) {
        const unsigned high = weights + p * 64 * 16, low = high + PLANE_BYTES;
        group_fence();
        multiply<true, false>(scratch, states.high[0], high, 0);
#pragma unroll
        for (int k = 1; k < 4; k++) multiply<true>(scratch, states.high[k], high, k);
        group_commit();
        low_products(p, 0);
        group_wait<1>();
        if (p == 0 && before && threadIdx.x % 32 == 0) barrier_arrive(before);
#pragma unroll
        for (int c = 0; c < 32; c++) scratch[c] = shifted(scratch[c]);
        group_fence();
#pragma unroll
        for (int k = 0; k < 4; k++) multiply<true>(scratch, states.low[k], high, k);
#pragma unroll
        for (int k = 0; k < 4; k++) multiply<false>(scratch, states.high[k], low, k);
        group_commit();
        // The other panel's: this one's sums are added to meanwhile.
        low_products(1 - p, 2);
        group_wait<1>();
#pragma unroll
        for (int c = 0; c < 32; c++) sums[2 * I + p][c] = wrapping_sum(sums[2 * I + p][c], shifted(scratch[c]));
    }
}

template <Finish FINISH>
__device__ __forceinline__ void affine(const Affine &of) {
    DYNAMIC_SHARED(shared);
    Memory &memory = *(Memory *)shared;
    Pipeline &pipeline = memory.pipeline;
    const unsigned row_tiles = (of.rows + ROWS - 1) / ROWS;
    const unsigned tiles = row_tiles * ((tiles_of(of.outputs) + TILES_ACROSS - 1) / TILES_ACROSS);
    const Work work(of, tiles, chunks_of(of.inputs) / (PADDED / 16));
    const unsigned count = work.count();
    if (threadIdx.x == 0) {
        pipeline.weights.begin(MULTIPLIERS / 32);
        for (int group = 0; group < GROUPS; group++) pipeline.states[group].begin(4);
        barrier_begin(&pipeline.ahead, 4);
        barrier_visible();
    }
    __syncthreads();
    if (threadIdx.x >= MULTIPLIERS) {
        registers_lower<40>();
        const unsigned copier = (threadIdx.x - MULTIPLIERS) / 32;
        if (copier < GROUPS) {
            copy_states(of, work, row_tiles, copier, memory);
        } else if (threadIdx.x == MULTIPLIERS + 32 * GROUPS) {
            copy_weights(of, work, row_tiles, memory);
        }
        return;
    }
    // 65,536 registers for all threads of a block: what 128 x 40 leave, in steps of 8 a thread.
    registers_raise<232>();
    const unsigned group = threadIdx.x / 128, warp = threadIdx.x % 128 / 32;
    const bool tells = threadIdx.x % 32 == 0;
    Slot<WEIGHTS_SLOTS> slot;
    Slot<STATES_SLOTS> states_slot;
    if (group == 1 && count > 0) barrier_wait(&pipeline.ahead, 0);
    int scratch[32] = {};
    for (unsigned n = 0; n < count; n++) {
        const unsigned tile = work.tile(n), begin = work.begin(tile), end = work.end(tile);
        int sums[PANELS][32] = {};
        for (unsigned stage = begin; stage < end; stage++) {
            Factors states;
            barrier_wait(&pipeline.states[group].full[states_slot.number], states_slot.parity);
            states.load(memory.states[group][states_slot.number] + warp * 16 * (PADDED * 2));
            __syncwarp();
            if (tells) barrier_arrive(&pipeline.states[group].empty[states_slot.number]);
            states_slot.advance();
            barrier_wait(&pipeline.weights.full[slot.number], slot.parity);
            multiply_tile<0>(sums, scratch, states, shared_address(memory.weights[slot.number]), nullptr);
            unsigned long long *const first = &pipeline.weights.empty[slot.number];
            slot.advance();
            barrier_wait(&pipeline.weights.full[slot.number], slot.parity);
            multiply_tile<1>(sums, scratch, states, shared_address(memory.weights[slot.number]), first);
            group_wait<0>();
            if (tells) barrier_arrive(&pipeline.weights.empty[slot.number]);
            slot.advance();
            if (group == 0 && n == 0 && stage == begin && tells) barrier_arrive(&pipeline.ahead);
        }
        const unsigned first_output = tile / row_tiles * TILES_ACROSS * TILE_OUTPUTS;
#pragma unroll
        for (int c = 0; c < THREAD_SUMS; c += 4) {
            // The bias comes once for a tile.
            const unsigned output = first_output + 2 * c + threadIdx.x % 4 * 2;
            const int2 bias =
                end == work.stages && output < tiles_of(of.outputs) * TILE_OUTPUTS ? bias_at(of, output) : make_int2(0, 0);
#pragma unroll
            for (int i = 0; i < 4; i++) sum_at(sums, c + i) = wrapping_sum(sum_at(sums, c + i), i % 2 ? bias.y : bias.x);
        }
        if (end - begin < work.stages && !join_parts(of, work, tile, sums)) continue;
        finish_tile<FINISH, 0, 2>(of, sums, tile % row_tiles * ROWS + group * 64 + warp * 16, first_output / 64);
    }
}

AFFINE(affine_words_sample, BOUNDS, SAMPLE)
AFFINE(affine_words_mean, BOUNDS, MEAN)
AFFINE(affine_words_keep, BOUNDS, KEEP)
