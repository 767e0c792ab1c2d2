// Sums over many numbers, whose order is always the same.
#pragma once

#include "each.cuh"
#include "instructions.cuh"

// The sum over all threads of a block, whole warps of which there are 32 at most, in double precision; every thread has it.
__device__ __forceinline__ double block_sum(double value) {
    __shared__ double warps[32];
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(0xffffffffu, value, apart);
    __syncthreads();
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
    __syncthreads();
    double total = 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; warp++) total += warps[warp];
    return total;
}
