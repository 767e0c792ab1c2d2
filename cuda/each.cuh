// Something for each of so many numbers: the grid's threads take them in turn, neighbours side by side.
#pragma once

#define FOR_EACH(index, count)                                                                                  \
    for (unsigned long long index = blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x; index < (count); \
         index += (unsigned long long)gridDim.x * blockDim.x)

// N numbers side by side at a multiple of their size, which are read or written at once: four of 32 bits are the most that
// an instruction moves.
template <typename Number, unsigned N> struct alignas(sizeof(Number) * N) Numbers {
    Number at[N];
};

template <unsigned N, typename Number> __device__ __forceinline__ Numbers<Number, N> &numbers(Number *first) {
    return *(Numbers<Number, N> *)first;
}

template <unsigned N, typename Number>
__device__ __forceinline__ const Numbers<Number, N> &numbers(const Number *first) {
    return *(const Numbers<Number, N> *)first;
}
