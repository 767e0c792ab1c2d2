// The instructions of the GPU that C++ has no words for: the only file with inline PTX. Every .cu includes it first.
//
// NVRTC compiles each wrapper to its instruction. g++ compiles it to a call of the processor that plays the GPU in
// tests (emulator/device.hpp), which follows the PTX ISA's tables and reports what the GPU would leave undefined.
#pragma once

#ifndef __CUDACC__
#include "emulator/device.hpp"
#endif

// 1 where the instructions of sm_90a exist (not those of sm_90: they are of this architecture alone).
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || (defined(HAPLOOM_EMULATED_ARCH) && HAPLOOM_EMULATED_ARCH >= 900)
#define HAPLOOM_HOPPER 1
#else
#define HAPLOOM_HOPPER 0
#endif

#ifdef __CUDACC__

// Makes `extern "C" __global__ void name(...)` known to the driver: on the GPU the name in the PTX is enough.
#define KERNEL(name)
// The block's shared memory of the size that the launch asked for, aligned to 128 bytes.
#define DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]

// What lanes do together is volatile, so that the compiler moves none of it into a branch.
#define INSTRUCTION __device__ __forceinline__

// The address of shared memory that instructions want: 32 bits within the block's window.
INSTRUCTION unsigned shared_address(const void *pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// Copies 16 bytes past the first-level cache; both addresses are multiples of 16. Lands at a wait that covers its
// group, for this thread alone: others see it after a barrier.
INSTRUCTION void copy_async_16(void *shared, const void *global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global))
                 : "memory");
}

// Closes the group of this thread's copies since the last one.
INSTRUCTION void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most the N youngest groups of this thread are under way.
template <int N> INSTRUCTION void copy_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// Four matrices of 8 rows of 16 bytes: lane i hands the address of row i % 8 of matrix i / 8, a multiple of 16, and
// gets of each matrix the four bytes at row lane / 4, byte lane % 4 * 4.
INSTRUCTION void load_matrices(unsigned (&out)[4], const void *shared_row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
}

// The same, of matrices of 16-bit numbers that are turned: the lane gets column lane / 4 of rows lane % 4 * 2 and the
// next.
INSTRUCTION void load_matrices_turned(unsigned (&out)[4], const void *shared_row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
}

// sums[16 x 8] += a[16 x 32] b[32 x 8] in 32-bit integers that wrap; a without sign, b with one if SIGNED. With
// row = lane / 4 and four = lane % 4: a[0] is row, bytes 4 four to 4 four + 3; a[1] row + 8; a[2] and a[3] the same
// 16 bytes later; b0 is column `row`, bytes 4 four on, b1 16 bytes later; sums[0] and [1] are row, columns 2 four and
// the next, [2] and [3] row + 8.
template <bool SIGNED>
INSTRUCTION void multiply_bytes(int (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    if constexpr (SIGNED) {
        asm volatile(
            "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
            "%2, %3};"
            : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    } else {
        asm volatile(
            "mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
            "%2, %3};"
            : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
}

// sums[16 x 8] += a[16 x 16] b[16 x 8], factors in bfloat16, two a register: the bytes are where `multiply_bytes` has
// them. The order in which the GPU adds, and how it rounds on the way, is not specified.
INSTRUCTION void multiply_bf16(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
        "%2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// 2 to the power x, within 2 units of the last place; subnormal numbers are 0.
INSTRUCTION float exp2_fast(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// 1 / x within 1 unit of the last place; subnormal numbers are 0.
INSTRUCTION float reciprocal_fast(float x) {
    float result;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

#if HAPLOOM_HOPPER

// A barrier in shared memory counts, in eight bytes, arrivals and bytes of bulk copies; its phase ends when the
// arrivals that it was begun with and all expected bytes are there. Phases alternate: the first has parity 0.
INSTRUCTION void barrier_begin(unsigned long long *barrier, unsigned count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count) : "memory");
}

// After `barrier_begin`, before other threads (with __syncthreads between) or bulk copies use the barrier.
INSTRUCTION void barrier_visible() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async;" ::: "memory");
}

// Arrives, and has the phase wait for so many more bytes.
INSTRUCTION void barrier_expect(unsigned long long *barrier, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
                 : "memory");
}

INSTRUCTION void barrier_arrive(unsigned long long *barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}

// Waits until the phase of this parity is over. A barrier that was just begun is as if one of parity 1 were.
INSTRUCTION void barrier_wait(unsigned long long *barrier, unsigned parity) {
    unsigned over;
    do {
        asm volatile("{\n"
                     ".reg .pred over;\n"
                     "mbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\n"
                     "selp.u32 %0, 1, 0, over;\n"
                     "}"
                     : "=r"(over)
                     : "r"(shared_address(barrier)), "r"(parity)
                     : "memory");
    } while (!over);
}

// Copies a multiple of 16 bytes between addresses that are multiples of 16, and tells the barrier when they are there.
INSTRUCTION void bulk_copy(void *shared, const void *global, unsigned bytes, unsigned long long *barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                     shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "r"(bytes), "r"(shared_address(barrier))
                 : "memory");
}

// Orders what threads did to registers before the products of four warps that use them: before the first product, and
// whenever a factor or a sum has been written since.
INSTRUCTION void group_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// Has factors be in their registers here, before a fence: a compiler that makes them later, between the products, has the
// products wait for each other (ptxas says C7513).
INSTRUCTION void group_factors(unsigned (&a)[4]) {
    asm volatile("" : "+r"(a[0]), "+r"(a[1]), "+r"(a[2]), "+r"(a[3]));
}

// Closes the group of products since the last one.
INSTRUCTION void group_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Waits until at most the N youngest groups are under way. Until then neither the sums nor the memory of their products
// may be touched.
template <int N> INSTRUCTION void group_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

#define SUMS_4(i) "+r"(sums[i]), "+r"(sums[i + 1]), "+r"(sums[i + 2]), "+r"(sums[i + 3])
#define SUMS_16(i) SUMS_4(i), SUMS_4(i + 4), SUMS_4(i + 8), SUMS_4(i + 12)
#define SUMS_32(i) SUMS_16(i), SUMS_16(i + 16)
#define PLACES_32                                                                      \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define PLACES_64                                                                      \
    PLACES_32 ", "                                                                     \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
// The predicate says whether the sums are added to or written over.
#define GROUP_MULTIPLY(types, places, factors, adds, ...)                                   \
    asm volatile("{\n"                                                                      \
                 ".reg .pred add;\n"                                                        \
                 "setp.ne.b32 add, " adds ", 0;\n"                                          \
                 "wgmma.mma_async.sync.aligned." types " {" places "}, " factors ", add;\n" \
                 "}"                                                                        \
                 : __VA_ARGS__                                                              \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b)                       \
                 : "memory")
#define GROUP_MULTIPLY_32(types, adds) \
    GROUP_MULTIPLY("m64n64k32.s32." types, PLACES_32, "{%32, %33, %34, %35}, %36", adds, SUMS_32(0))
#define GROUP_MULTIPLY_64(types) \
    GROUP_MULTIPLY("m64n128k32.s32." types, PLACES_64, "{%64, %65, %66, %67}, %68", "1", SUMS_32(0), SUMS_32(32))

// sums[64 x 128] += a[64 x 32] b[32 x 128] by four warps, of which warp w has rows 16 w on, each as `multiply_bytes`
// has 16 rows of a; sums[4 j] to [4 j + 3] are columns 8 j on as `multiply_bytes` has them. b is in shared memory,
// column by column (`matrix_descriptor`).
template <bool SIGNED>
INSTRUCTION void group_multiply_bytes(int (&sums)[64], const unsigned (&a)[4], unsigned long long b) {
    if constexpr (SIGNED) {
        GROUP_MULTIPLY_64("u8.s8");
    } else {
        GROUP_MULTIPLY_64("u8.u8");
    }
}

// The same of 64 columns. Without ADDS what was in the sums is forgotten.
template <bool SIGNED, bool ADDS = true>
INSTRUCTION void group_multiply_bytes(int (&sums)[32], const unsigned (&a)[4], unsigned long long b) {
    if constexpr (SIGNED && ADDS) {
        GROUP_MULTIPLY_32("u8.s8", "1");
    } else if constexpr (SIGNED) {
        GROUP_MULTIPLY_32("u8.s8", "0");
    } else if constexpr (ADDS) {
        GROUP_MULTIPLY_32("u8.u8", "1");
    } else {
        GROUP_MULTIPLY_32("u8.u8", "0");
    }
}

#undef GROUP_MULTIPLY_64
#undef GROUP_MULTIPLY_32
#undef GROUP_MULTIPLY
#undef PLACES_64
#undef PLACES_32
#undef SUMS_32
#undef SUMS_16
#undef SUMS_4

// Changes how many registers each thread of these four warps has: what some give others take. ptxas heeds it in kernels
// with __launch_bounds__(threads, blocks), and says C7508 where it does not.
template <int REGISTERS> INSTRUCTION void registers_raise() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}
template <int REGISTERS> INSTRUCTION void registers_lower() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}

#endif

#else

#define INSTRUCTION __device__ inline

INSTRUCTION unsigned shared_address(const void *pointer) { return emulator::shared_address(pointer); }
INSTRUCTION void copy_async_16(void *shared, const void *global) { emulator::copy_16(shared, global); }
INSTRUCTION void copy_async_commit() { emulator::copy_commit(); }
template <int N> INSTRUCTION void copy_async_wait() { emulator::copy_wait(N); }
INSTRUCTION void load_matrices(unsigned (&out)[4], const void *shared_row) {
    emulator::load_matrices(out, shared_row, false);
}
INSTRUCTION void load_matrices_turned(unsigned (&out)[4], const void *shared_row) {
    emulator::load_matrices(out, shared_row, true);
}
template <bool SIGNED>
INSTRUCTION void multiply_bytes(int (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    emulator::multiply_bytes(sums, a, b0, b1, SIGNED);
}
INSTRUCTION void multiply_bf16(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    emulator::multiply_bf16(sums, a, b0, b1);
}
INSTRUCTION float exp2_fast(float x) { return emulator::flushed(exp2f(emulator::flushed(x))); }
INSTRUCTION float reciprocal_fast(float x) { return emulator::flushed(1.0f / emulator::flushed(x)); }

#if HAPLOOM_HOPPER

INSTRUCTION void barrier_begin(unsigned long long *barrier, unsigned count) { emulator::barrier_begin(barrier, count); }
INSTRUCTION void barrier_visible() { emulator::barrier_visible(); }
INSTRUCTION void barrier_expect(unsigned long long *barrier, unsigned bytes) {
    emulator::barrier_arrive(barrier, bytes);
}
INSTRUCTION void barrier_arrive(unsigned long long *barrier) { emulator::barrier_arrive(barrier, 0); }
INSTRUCTION void barrier_wait(unsigned long long *barrier, unsigned parity) { emulator::barrier_wait(barrier, parity); }
INSTRUCTION void bulk_copy(void *shared, const void *global, unsigned bytes, unsigned long long *barrier) {
    emulator::bulk_copy(shared, global, bytes, barrier);
}
INSTRUCTION void group_fence() { emulator::group_fence(); }
INSTRUCTION void group_factors(unsigned (&)[4]) {}
INSTRUCTION void group_commit() { emulator::group_commit(); }
template <int N> INSTRUCTION void group_wait() { emulator::group_wait(N); }
template <bool SIGNED>
INSTRUCTION void group_multiply_bytes(int (&sums)[64], const unsigned (&a)[4], unsigned long long b) {
    emulator::group_multiply_bytes(sums, a, b, SIGNED);
}
template <bool SIGNED, bool ADDS = true>
INSTRUCTION void group_multiply_bytes(int (&sums)[32], const unsigned (&a)[4], unsigned long long b) {
    emulator::group_multiply_bytes(sums, a, b, SIGNED, ADDS);
}
template <int REGISTERS> INSTRUCTION void registers_raise() {
    static_assert(REGISTERS % 8 == 0 && REGISTERS >= 24 && REGISTERS <= 256, "a multiple of 8, from 24 to 256");
}
template <int REGISTERS> INSTRUCTION void registers_lower() { registers_raise<REGISTERS>(); }

#endif

#endif

#if HAPLOOM_HOPPER

// Where a factor of a product of four warps lies in shared memory, without swizzle, its rows of K next to each other
// (K-major): in core matrices of 8 rows (of b: columns n to n + 7) of 16 bytes, 128 bytes in one piece that begins at a
// multiple of 16. `leading_bytes` is how far apart core matrices are that are neighbours along K (there are two: 32
// bytes), `stride_bytes` those that are neighbours along N. (PTX ISA, "Leading Dimension Byte Offset": K-major without
// swizzle, "the offset from the first column to the second columns of the 8x2 tile", and "Stride Dimension Byte
// Offset", "from the first 8 rows to the next 8 rows"; CUTLASS has ((8,n),2):((1,SBO),LBO) in
// mma_traits_sm90_gmma.hpp.)
INSTRUCTION unsigned long long matrix_descriptor(unsigned shared_address, unsigned leading_bytes,
                                                 unsigned stride_bytes) {
#ifndef __CUDACC__
    emulator::check_descriptor(shared_address, leading_bytes, stride_bytes);
#endif
    return (unsigned long long)(shared_address >> 4 & 0x3fff) |
           (unsigned long long)(leading_bytes >> 4 & 0x3fff) << 16 |
           (unsigned long long)(stride_bytes >> 4 & 0x3fff) << 32;
}

#endif
