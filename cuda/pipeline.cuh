// Products by groups of four warps (wgmma) for compute capability 9.0: what the kernels of affine.cu and affine_words.cu share.
//
// GROUPS groups of four warps multiply; the first threads of one more have factors copied to shared memory ahead of them, and
// it leaves them its registers. A block takes tile after tile, so that factors of the next one come while one is finished.
#pragma once

#include "affine.cuh"

#define GROUPS 2
#define MULTIPLIERS (128 * GROUPS)
#define BOUNDS __launch_bounds__(MULTIPLIERS + 128, 1)
// What a thread of a group sums up of a tile.
#define THREAD_SUMS 128

// How slots of shared memory that are filled in turn stand: one is full when what belongs in it has come, and empty when all
// who read it have.
template <int SLOTS>
struct Ring {
    unsigned long long full[SLOTS];
    unsigned long long empty[SLOTS];

    __device__ __forceinline__ void begin(unsigned readers) {
        for (int slot = 0; slot < SLOTS; slot++) {
            barrier_begin(&full[slot], 1);
            barrier_begin(&empty[slot], readers);
        }
    }
};

// A slot, and the parity of its phase.
template <int SLOTS>
struct Slot {
    unsigned number = 0, parity = 0;

    __device__ __forceinline__ void advance() {
        if (++number == SLOTS) {
            number = 0;
            parity ^= 1;
        }
    }
};

// What a block multiplies: whole tiles, every gridDim.x-th; or, where these would leave blocks without work in the last
// round, an equal share of all stages, which begins and ends within tiles. Who comes last to a tile adds up what the others
// left in `partials`.
struct Work {
    // Stages of a tile, and of all tiles.
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

// Sum `i` of a thread, wherever the products want it.
template <int PIECES, int EACH>
__device__ __forceinline__ int &sum_at(int (&sums)[PIECES][EACH], int i) {
    static_assert(PIECES * EACH == THREAD_SUMS, "all sums of a thread");
    return sums[i / EACH][i % EACH];
}

// Whole numbers that wrap.
__device__ __forceinline__ int wrapping_sum(int a, int b) { return (int)((unsigned)a + (unsigned)b); }
__device__ __forceinline__ int shifted(int sum) { return (int)((unsigned)sum << 8); }

// A warp's sums of a part of a tile meet those of the other parts: the last warp to come has all, and true; the others leave
// theirs. Since they wrap, the order does not matter.
template <int PIECES, int EACH>
__device__ __forceinline__ bool join_parts(const Affine &of, const Work &work, unsigned tile, int (&sums)[PIECES][EACH]) {
    const unsigned first = work.owner(tile * work.stages), last = work.owner((tile + 1) * work.stages - 1);
    // A block has two parts at most: one of the tile that its share begins in, and one of that which begins in its share.
    auto place = [&](unsigned block) {
        const unsigned part = 2 * block + (work.share(block) > tile * work.stages);
        return (int4 *)of.partials + (unsigned long long)part * (THREAD_SUMS / 4 * MULTIPLIERS) + threadIdx.x;
    };
    unsigned *const arrived = of.arrived + tile * (4 * GROUPS) + threadIdx.x / 32;
    const unsigned lane = threadIdx.x % 32;
    unsigned before = lane == 0 ? atomicAdd(arrived, 0u) : 0u;
    before = __shfl_sync(0xffffffffu, before, 0);
    if (before < last - first) {
        int4 *const own = place(blockIdx.x);
#pragma unroll
        for (int c = 0; c < THREAD_SUMS; c += 4) {
            own[c / 4 * MULTIPLIERS] =
                make_int4(sum_at(sums, c), sum_at(sums, c + 1), sum_at(sums, c + 2), sum_at(sums, c + 3));
        }
        __syncwarp();
        __threadfence();
        before = lane == 0 ? atomicAdd(arrived, 1u) : 0u;
        before = __shfl_sync(0xffffffffu, before, 0);
        if (before < last - first) return false;
    }
    // The next product begins with none.
    if (lane == 0) *arrived = 0;
    __syncwarp();
    __threadfence();
    for (unsigned block = first; block <= last; block++) {
        if (block == blockIdx.x) continue;
        const int4 *const others = place(block);
#pragma unroll
        for (int c = 0; c < THREAD_SUMS; c += 4) {
            const int4 more = __ldcg(others + c / 4 * MULTIPLIERS);
            sum_at(sums, c) = wrapping_sum(sum_at(sums, c), more.x);
            sum_at(sums, c + 1) = wrapping_sum(sum_at(sums, c + 1), more.y);
            sum_at(sums, c + 2) = wrapping_sum(sum_at(sums, c + 2), more.z);
            sum_at(sums, c + 3) = wrapping_sum(sum_at(sums, c + 3), more.w);
        }
    }
    return true;
}

// What becomes of a warp's sums of a tile. Half of a thread's are those of its rows, 8 apart, and two panels of 64 outputs; the
// other half those of `DOWN` rows or `ACROSS` panels further on.
template <Finish FINISH, unsigned DOWN, unsigned ACROSS, int PIECES, int EACH>
__device__ __forceinline__ void finish_tile(const Affine &of, int (&sums)[PIECES][EACH], unsigned warp_row, unsigned panel) {
    const unsigned quad = threadIdx.x % 32 / 4;
    // The instructions of one half serve both. (Twice as many were no slower: MEASURED.md.)
#pragma unroll 1
    for (unsigned half = 0; half < 2; half++) {
        if (warp_row + half * DOWN >= of.rows || (ACROSS && (panel + half * ACROSS) * 64 >= of.outputs)) break;
#pragma unroll
        for (int q = 0; q < 4; q++) {
            int inputs[16];
#pragma unroll
            for (int c = 0; c < 16; c++) inputs[c] = sum_at(sums, 32 * (q / 2) + c / 2 * 4 + q % 2 * 2 + c % 2);
            finish_row<FINISH>(of, inputs, warp_row + quad + half * DOWN + q % 2 * 8, panel + half * ACROSS + q / 2);
        }
#pragma unroll
        for (int c = 0; c < THREAD_SUMS / 2; c++) sum_at(sums, c) = sum_at(sums, THREAD_SUMS / 2 + c);
    }
}
