// Walks over many numbers, and sums over them whose order is always the same.
#pragma once

#include "instructions.cuh"

#define FOR_EACH(index, count)                                                                             \
    for (unsigned long long index = blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x; index < (count); \
         index += (unsigned long long)gridDim.x * blockDim.x)

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
