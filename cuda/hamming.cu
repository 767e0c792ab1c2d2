// Hamming distances between packed rows: for each row the distance to its nearest. Twin of src/compute/hamming.rs.
//
// families: sm_80

#include "instructions.cuh"

#define TILE 64
#define WORDS 16

// Rows of `a` against rows of `b`, whose nearest distances go down from what `of_a` and `of_b` hold. With `within`, b is a,
// a row is not its own neighbour, and `of_b` is not used. `b` begins at row `first_b` of its matrix.
extern "C" __global__ void __launch_bounds__(256) nearest(const unsigned long long *a, unsigned rows_a,
                                                          const unsigned long long *b, unsigned rows_b, unsigned words,
                                                          unsigned *of_a, unsigned *of_b, int within,
                                                          unsigned first_b) {
    __shared__ unsigned long long left[WORDS][TILE + 1], right[WORDS][TILE + 1];
    const unsigned first = blockIdx.x * TILE, other = blockIdx.y * TILE;
    const unsigned across = threadIdx.x % 16, down = threadIdx.x / 16;
    unsigned counts[4][4] = {};
    for (unsigned begin = 0; begin < words; begin += WORDS) {
        for (unsigned at = threadIdx.x; at < TILE * WORDS; at += 256) {
            const unsigned r = at / WORDS, w = at % WORDS;
            const bool there = begin + w < words;
            left[w][r] = there && first + r < rows_a ? a[(unsigned long long)(first + r) * words + begin + w] : 0;
            right[w][r] = there && other + r < rows_b ? b[(unsigned long long)(other + r) * words + begin + w] : 0;
        }
        __syncthreads();
#pragma unroll 4
        for (unsigned w = 0; w < WORDS; w++) {
            unsigned long long x[4], y[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                x[i] = left[w][down + 16 * i];
                y[i] = right[w][across + 16 * i];
            }
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) counts[i][j] += __popcll(x[i] ^ y[j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const unsigned r = first + down + 16 * i;
        unsigned least = 0xffffffffu;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const unsigned o = other + across + 16 * j;
            if (o < rows_b && !(within && first_b + o == r)) least = min(least, counts[i][j]);
        }
        for (int apart = 8; apart > 0; apart /= 2) least = min(least, __shfl_xor_sync(0xffffffffu, least, apart));
        if (across == 0 && r < rows_a) atomicMin(&of_a[r], least);
    }
    if (within) return;
#pragma unroll
    for (int j = 0; j < 4; j++) {
        const unsigned o = other + across + 16 * j;
        unsigned least = 0xffffffffu;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (first + down + 16 * i < rows_a) least = min(least, counts[i][j]);
        }
        least = min(least, __shfl_xor_sync(0xffffffffu, least, 16));
        if (down % 2 == 0 && o < rows_b) atomicMin(&of_b[o], least);
    }
}
KERNEL(nearest)
