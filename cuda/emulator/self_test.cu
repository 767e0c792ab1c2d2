// Kernels by which self_test.cpp checks the processor that plays the GPU, each instruction against a plain definition.
// They are CUDA as any other: the same program runs them on a GPU, where it checks the definitions (test.sh).
//
// families: sm_80 sm_90a
#include "../instructions.cuh"

struct Place {
    unsigned thread[3], block[3], threads[3], blocks[3];
};

extern "C" __global__ void places(Place *out) {
    unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] = {{threadIdx.x, threadIdx.y, threadIdx.z},
                                                                  {blockIdx.x, blockIdx.y, blockIdx.z},
                                                                  {blockDim.x, blockDim.y, blockDim.z},
                                                                  {gridDim.x, gridDim.y, gridDim.z}};
}
KERNEL(places)

struct Odd {
    char a;
    unsigned long long b;
    short c;
};

extern "C" __global__ void parameters(unsigned long long *out, char a, short b, int c, float d, double e, Odd f,
                                      const int *g) {
    out[0] = (unsigned long long)(long long)a;
    out[1] = (unsigned long long)(long long)b;
    out[2] = (unsigned long long)(long long)c;
    out[3] = (unsigned long long)(d * 8);
    out[4] = (unsigned long long)(e * 8);
    out[5] = (unsigned long long)f.a + f.b + (unsigned long long)f.c;
    out[6] = (unsigned long long)*g;
}
KERNEL(parameters)

// What every lane gets from its warp: out[lane][question].
extern "C" __global__ void exchanges(unsigned *out) {
    unsigned lane = threadIdx.x % 32, *own = out + threadIdx.x * 16;
    unsigned value = threadIdx.x * 7 + 3;
    own[0] = __shfl_sync(0xffffffffu, value, 5);
    own[1] = __shfl_xor_sync(0xffffffffu, value, 6);
    own[2] = __shfl_down_sync(0xffffffffu, value, 3);
    own[3] = __shfl_up_sync(0xffffffffu, value, 3);
    own[4] = __shfl_sync(0xffffffffu, value, 9, 8);
    own[5] = __shfl_down_sync(0xffffffffu, value, 3, 8);
    own[6] = __float_as_uint(__shfl_xor_sync(0xffffffffu, float(value), 1));
    unsigned long long wide = __shfl_sync(0xffffffffu, (unsigned long long)value << 33, int(lane + 1));
    own[7] = unsigned(wide >> 32);
    own[8] = __ballot_sync(0xffffffffu, value % 3 == 0);
    own[9] = unsigned(__any_sync(0xffffffffu, value == 10) * 2 + __all_sync(0xffffffffu, value >= 3));
    own[10] = __reduce_add_sync(0xffffffffu, value);
    own[11] = unsigned(__reduce_min_sync(0xffffffffu, int(lane) - 9));
    // Two halves that meet apart, in branches of their own.
    if (lane < 16) {
        own[12] = __ballot_sync(0x0000ffffu, lane % 2);
    } else {
        own[12] = __ballot_sync(0xffff0000u, lane % 4 == 0);
    }
    own[13] = unsigned(__syncthreads_count(value % 2));
    own[14] = unsigned(__syncthreads_or(value == 10) * 2 + __syncthreads_and(value >= 3));
    __syncwarp();
    own[15] = __reduce_max_sync(0xffffffffu, value);
}
KERNEL(exchanges)

// Integers and real numbers whose results every GPU agrees on: in[thread] to out[thread][question].
extern "C" __global__ void numbers(const unsigned *in, unsigned *out) {
    unsigned x = in[2 * threadIdx.x], y = in[2 * threadIdx.x + 1], *own = out + threadIdx.x * 24;
    unsigned long long wide = (unsigned long long)x << 32 | y;
    own[0] = unsigned(__popc(x));
    own[1] = unsigned(__popcll(wide));
    own[2] = unsigned(__clz(int(x)));
    own[3] = unsigned(__ffs(int(x)));
    own[4] = __brev(x);
    own[5] = __byte_perm(x, y, 0x7531);
    own[6] = __byte_perm(x, y, y);
    own[7] = __umulhi(x, y);
    own[8] = unsigned(__mulhi(int(x), int(y)));
    own[9] = unsigned(__mul24(int(x), int(y)));
    own[10] = __funnelshift_l(x, y, y);
    own[11] = __funnelshift_r(x, y, y);
    own[12] = unsigned(__dp4a(int(x), int(y), 7));
    own[13] = unsigned(min(int(x), int(y)));
    own[14] = max(x, y);
    float a = __uint_as_float(x), b = __uint_as_float(y);
    own[15] = __float_as_uint(a + b);
    own[16] = __float_as_uint(a * b);
    own[17] = __float_as_uint(a / b);
    own[18] = __float_as_uint(sqrtf(a));
    own[19] = unsigned(__float2int_rn(a));
    own[20] = unsigned(__float2int_rz(b));
    own[21] = __float_as_uint(__int2float_rn(int(x)));
    own[22] = __float_as_uint(__frcp_rn(a));
    own[23] = __float_as_uint(a * b + a);
}
KERNEL(numbers)

// exp2_fast and reciprocal_fast, to within what they promise.
extern "C" __global__ void approximations(const float *in, float *out) {
    out[2 * threadIdx.x] = exp2_fast(in[threadIdx.x]);
    out[2 * threadIdx.x + 1] = reciprocal_fast(in[threadIdx.x]);
}
KERNEL(approximations)

extern "C" __global__ void atomics(int *integers, unsigned *naturals, float *real, unsigned long long *wide) {
    int x = int(threadIdx.x) - 40;
    atomicAdd(integers, x);
    atomicMax(integers + 1, x);
    atomicMin(integers + 2, x);
    atomicMax(naturals, threadIdx.x);
    atomicOr(naturals + 1, 1u << threadIdx.x % 32);
    atomicAdd(naturals + 2, 1u);
    atomicAdd(real, 0.5f);
    atomicAdd(wide, 1ull << 33);
}
KERNEL(atomics)

// Turns a square of 32 in shared memory, which wants the barrier.
extern "C" __global__ void turn(const int *in, int *out) {
    __shared__ int square[32][33];
    for (unsigned y = threadIdx.y; y < 32; y += blockDim.y)
        square[y][threadIdx.x] = in[blockIdx.x * 1024 + y * 32 + threadIdx.x];
    __syncthreads();
    for (unsigned y = threadIdx.y; y < 32; y += blockDim.y)
        out[blockIdx.x * 1024 + y * 32 + threadIdx.x] = square[threadIdx.x][y];
}
KERNEL(turn)

// Threads that return early do not hold up the others.
extern "C" __global__ void leavers(unsigned *out) {
    if (threadIdx.x % 64 >= 40) return;
    __syncthreads();
    out[threadIdx.x] = threadIdx.x % 64 < 32 ? __ballot_sync(0xffffffffu, 1) : 7;
    __syncthreads();
}
KERNEL(leavers)

// Four matrices as `load_matrices` hands them out: the rows of matrix m and row r are at in[(8 m + r) * 8].
extern "C" __global__ void loads(const unsigned short *in, unsigned *out) {
    DYNAMIC_SHARED(memory);
    unsigned short *rows = reinterpret_cast<unsigned short *>(memory);
    // 24 bytes would do; 48 apart keeps each row at a multiple of 16.
    for (unsigned i = threadIdx.x; i < 256; i += 32) rows[i / 8 * 24 + i % 8] = in[i];
    __syncthreads();
    unsigned plain[4], turned[4];
    load_matrices(plain, rows + threadIdx.x * 24);
    load_matrices_turned(turned, rows + threadIdx.x * 24);
    for (int i = 0; i < 4; ++i) {
        out[threadIdx.x * 8 + i] = plain[i];
        out[threadIdx.x * 8 + 4 + i] = turned[i];
    }
}
KERNEL(loads)

template <int KIND, typename Sum> __device__ void multiply_fragments(const unsigned *a, const unsigned *b, Sum *sums) {
    unsigned own_a[4];
    Sum own[4];
    for (int i = 0; i < 4; ++i) own_a[i] = a[threadIdx.x * 4 + i];
    for (int i = 0; i < 4; ++i) own[i] = sums[threadIdx.x * 4 + i];
    unsigned b0 = b[threadIdx.x * 2], b1 = b[threadIdx.x * 2 + 1];
    if constexpr (KIND == 2) {
        multiply_bf16(own, own_a, b0, b1);
    } else {
        multiply_bytes<KIND == 1>(own, own_a, b0, b1);
    }
    for (int i = 0; i < 4; ++i) sums[threadIdx.x * 4 + i] = own[i];
}
extern "C" __global__ void multiply_unsigned(const unsigned *a, const unsigned *b, int *sums) {
    multiply_fragments<0>(a, b, sums);
}
KERNEL(multiply_unsigned)
extern "C" __global__ void multiply_signed(const unsigned *a, const unsigned *b, int *sums) {
    multiply_fragments<1>(a, b, sums);
}
KERNEL(multiply_signed)
extern "C" __global__ void multiply_reals(const unsigned *a, const unsigned *b, float *sums) {
    multiply_fragments<2>(a, b, sums);
}
KERNEL(multiply_reals)

// A pipeline of two stages: sums each of `pieces` pieces of 128 numbers, turned around by another thread's copy.
extern "C" __global__ void copies(const int *in, int *out, unsigned pieces) {
    __shared__ __align__(16) int stages[2][128];
    auto fetch = [&](unsigned piece) {
        if (piece < pieces) copy_async_16(&stages[piece % 2][threadIdx.x * 4], in + piece * 128 + threadIdx.x * 4);
        copy_async_commit();
    };
    fetch(0);
    for (unsigned piece = 0; piece < pieces; ++piece) {
        fetch(piece + 1);
        copy_async_wait<1>();
        __syncthreads();
        for (int i = 0; i < 4; ++i)
            out[piece * 128 + threadIdx.x * 4 + i] = stages[piece % 2][127 - threadIdx.x * 4 - i];
        __syncthreads();
    }
}
KERNEL(copies)

#if HAPLOOM_HOPPER

// A producer's warp and a consumers' warp over a ring of two slots of 512 bytes.
extern "C" __global__ void ring(const int *in, int *out, unsigned pieces) {
    DYNAMIC_SHARED(memory);
    int *slots = reinterpret_cast<int *>(memory);
    unsigned long long *full = reinterpret_cast<unsigned long long *>(memory + 1024), *empty = full + 2;
    if (threadIdx.x == 0) {
        for (int slot = 0; slot < 2; ++slot) {
            barrier_begin(full + slot, 1);
            barrier_begin(empty + slot, 32);
        }
        barrier_visible();
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        if (threadIdx.x != 0) return;
        for (unsigned piece = 0; piece < pieces; ++piece) {
            unsigned slot = piece % 2;
            barrier_wait(empty + slot, piece / 2 % 2 ^ 1);
            barrier_expect(full + slot, 512);
            bulk_copy(slots + slot * 128, in + piece * 128, 256, full + slot);
            bulk_copy(slots + slot * 128 + 64, in + piece * 128 + 64, 256, full + slot);
        }
    } else {
        unsigned lane = threadIdx.x - 32;
        for (unsigned piece = 0; piece < pieces; ++piece) {
            unsigned slot = piece % 2;
            barrier_wait(full + slot, piece / 2 % 2);
            for (unsigned i = lane; i < 128; i += 32) out[piece * 128 + i] = slots[slot * 128 + 127 - i];
            barrier_arrive(empty + slot);
        }
    }
}
KERNEL(ring)

// sums += a b, `count` products of 32 bytes of K each, b laid out with the distances that are given. Kinds 2 and 3 have half
// the columns, and forget what was in the sums.
template <int KIND, int SUMS = 64>
__device__ void group_multiply(const unsigned *a, const unsigned char *b, int *sums, unsigned leading, unsigned stride,
                               unsigned bytes, unsigned count) {
    DYNAMIC_SHARED(factors);
    for (unsigned i = threadIdx.x; i < bytes * count; i += 128) factors[i] = b[i];
    __syncthreads();
    int own[SUMS];
    for (int i = 0; i < SUMS; ++i) own[i] = sums[threadIdx.x * SUMS + i];
    for (unsigned k = 0; k < count; ++k) {
        unsigned own_a[4];
        for (int i = 0; i < 4; ++i) own_a[i] = a[(k * 128 + threadIdx.x) * 4 + i];
        unsigned long long descriptor = matrix_descriptor(shared_address(factors + k * bytes), leading, stride);
        group_fence();
        if constexpr (KIND < 2) {
            group_multiply_bytes<KIND == 1>(own, own_a, descriptor);
        } else if (k == 0) {
            group_multiply_bytes<KIND == 3, false>(own, own_a, descriptor);
        } else {
            group_multiply_bytes<KIND == 3>(own, own_a, descriptor);
        }
        group_commit();
        group_wait<0>();
    }
    for (int i = 0; i < SUMS; ++i) sums[threadIdx.x * SUMS + i] = own[i];
}
extern "C" __global__ void __launch_bounds__(128)
    group_unsigned(const unsigned *a, const unsigned char *b, int *sums, unsigned leading, unsigned stride,
                   unsigned bytes, unsigned count) {
    group_multiply<0>(a, b, sums, leading, stride, bytes, count);
}
KERNEL(group_unsigned)
extern "C" __global__ void __launch_bounds__(128)
    group_signed(const unsigned *a, const unsigned char *b, int *sums, unsigned leading, unsigned stride,
                 unsigned bytes, unsigned count) {
    group_multiply<1>(a, b, sums, leading, stride, bytes, count);
}
KERNEL(group_signed)
extern "C" __global__ void __launch_bounds__(128)
    group_half_unsigned(const unsigned *a, const unsigned char *b, int *sums, unsigned leading, unsigned stride,
                        unsigned bytes, unsigned count) {
    group_multiply<2, 32>(a, b, sums, leading, stride, bytes, count);
}
KERNEL(group_half_unsigned)
extern "C" __global__ void __launch_bounds__(128)
    group_half_signed(const unsigned *a, const unsigned char *b, int *sums, unsigned leading, unsigned stride,
                      unsigned bytes, unsigned count) {
    group_multiply<3, 32>(a, b, sums, leading, stride, bytes, count);
}
KERNEL(group_half_signed)

// Two groups under way at once, and registers that move from the producers' warps to the others: ptxas heeds that only
// where the bounds name the blocks of a multiprocessor too.
extern "C" __global__ void __launch_bounds__(256, 1)
    group_overlap(const unsigned *a, const unsigned char *b, int *sums) {
    DYNAMIC_SHARED(memory);
    for (unsigned i = threadIdx.x; i < 8192; i += 256) memory[i] = b[i];
    __syncthreads();
    if (threadIdx.x >= 128) {
        registers_lower<40>();
        return;
    }
    registers_raise<232>();
    int own[64];
    for (int i = 0; i < 64; ++i) own[i] = sums[threadIdx.x * 64 + i];
    unsigned first[4], second[4];
    for (int i = 0; i < 4; ++i) first[i] = a[threadIdx.x * 4 + i];
    for (int i = 0; i < 4; ++i) second[i] = a[(128 + threadIdx.x) * 4 + i];
    group_fence();
    group_multiply_bytes<false>(own, first, matrix_descriptor(shared_address(memory), 128, 256));
    group_commit();
    group_multiply_bytes<false>(own, second, matrix_descriptor(shared_address(memory + 4096), 128, 256));
    group_commit();
    group_wait<1>();
    group_wait<0>();
    for (int i = 0; i < 64; ++i) sums[threadIdx.x * 64 + i] = own[i];
}
KERNEL(group_overlap)

#endif

#ifndef __CUDACC__
// Mistakes, which the GPU would answer with a hang, garbage or an error of its own.

__noinline__ __device__ void use_up_stack(int *out) {
    volatile char large[512 * 1024];
    large[0] = char(out[0]);
    out[1] = large[0];
}

extern "C" __global__ void mistakes(int *out, int kind) {
    DYNAMIC_SHARED(memory);
    unsigned fragment[4] = {}, got[4];
    int sums[4] = {};
    switch (kind) {
    case 0: // half a block never comes to the barrier
        if (threadIdx.x < 16) {
            __shfl_sync(0xffffffffu, 1, 0);
        } else {
            __syncthreads();
        }
        break;
    case 1: load_matrices(got, memory + 1024 * 1024); break;
    case 2: load_matrices(got, memory + 8); break;
    case 3: *reinterpret_cast<volatile int *>(16ull * unsigned(out[0])) = 1; break;
    case 4: assert(threadIdx.x == 99); break;
    case 5: // a lane has left before a product
        if (threadIdx.x == 3) return;
        multiply_bytes<false>(sums, fragment, 0, 0);
        break;
    case 6: out[0] = 1000000 / (out[0] - 1); break;
    case 7: memory[100 + 4 * 32] = 1; break; // past 100 + up to 127 bytes
    case 8: copy_async_16(memory, reinterpret_cast<char *>(out) + 1024 * 1024); break;
    case 9: // no wait: the poison is still there
        copy_async_16(memory, out);
        copy_async_commit();
        __syncthreads();
        if (threadIdx.x == 0) out[8] = *reinterpret_cast<int *>(memory);
        break;
    case 10: __shfl_sync(0x1u, 1, 0); break;
    case 11: memory[60] = 1; break; // a little past 50 bytes
    case 12: use_up_stack(out); break;
    default: break;
    }
}
KERNEL(mistakes)

#if HAPLOOM_HOPPER
extern "C" __global__ void mistakes_of_hopper(int *out, int kind) {
    DYNAMIC_SHARED(memory);
    unsigned long long *barrier = reinterpret_cast<unsigned long long *>(memory + 8192);
    unsigned fragment[4] = {};
    int sums[64] = {};
    if (threadIdx.x == 0 && kind != 0) {
        barrier_begin(barrier, 1);
        if (kind != 1) barrier_visible();
    }
    __syncthreads();
    switch (kind) {
    case 0: barrier_wait(barrier, 0); break;
    case 1:
        if (threadIdx.x == 0) bulk_copy(memory, out, 64, barrier);
        break;
    case 2: barrier_wait(barrier, 0); break; // nobody arrives
    case 3:                                  // the bytes that arrive are not those expected
        if (threadIdx.x == 0) {
            barrier_expect(barrier, 128);
            bulk_copy(memory, out, 64, barrier);
        }
        barrier_wait(barrier, 0);
        break;
    case 4:
        if (threadIdx.x == 0) bulk_copy(memory + 16384, out, 64, barrier);
        break;
    case 5: // nobody waits
        if (threadIdx.x == 0) {
            barrier_expect(barrier, 64);
            bulk_copy(memory, out, 64, barrier);
        }
        break;
    case 6: group_multiply_bytes<false>(sums, fragment, matrix_descriptor(shared_address(memory), 128, 256)); break;
    case 7:
        group_fence();
        group_multiply_bytes<false>(sums, fragment, matrix_descriptor(shared_address(memory), 128, 16384));
        group_commit();
        group_wait<0>();
        break;
    case 8:
        group_fence();
        group_multiply_bytes<false>(sums, fragment, matrix_descriptor(shared_address(memory), 128, 256));
        break;
    case 9: // sums that are read before they are there
        for (unsigned i = threadIdx.x; i < 4096; i += 128) memory[i] = 1;
        __syncthreads();
        for (int i = 0; i < 4; ++i) fragment[i] = 0x01010101;
        group_fence();
        group_multiply_bytes<false>(sums, fragment, matrix_descriptor(shared_address(memory), 128, 256));
        group_commit();
        if (threadIdx.x == 0) out[1] = sums[0];
        group_wait<0>();
        if (threadIdx.x == 0) out[2] = sums[0];
        break;
    case 10: // arrivals beyond those of the phase, which is held up by bytes
        if (threadIdx.x == 0) {
            barrier_expect(barrier, 64);
            barrier_arrive(barrier);
        }
        break;
    default: break;
    }
}
KERNEL(mistakes_of_hopper)
#endif

#endif
