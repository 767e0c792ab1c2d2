// What a .cu file sees when g++ compiles it in place of NVRTC: CUDA's words for a processor that plays the GPU.
//
// The threads of a block are fibres on one thread of the operating system (processor.cpp). A fibre runs until it waits:
// at `__syncthreads`, at an instruction that a warp or four warps execute together, at a barrier in shared memory.
// Blocks run one after another, so shared variables are static ones. Copies and products that the GPU does on its own
// time land as late as it may do them, so that a missing wait is seen; `HAPLOOM_EMULATED_COPIES=early` lands them at
// once, so that what is overwritten too soon is seen. `HAPLOOM_EMULATED_ORDER=backward` runs threads and blocks from
// the last to the first, so that a missing barrier is seen from the other side.
#pragma once

#include <cfloat>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#ifndef HAPLOOM_EMULATED_ARCH
#define HAPLOOM_EMULATED_ARCH 800
#endif

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __grid_constant__
// A section of their own, so that the processor can poison them between blocks and knows their addresses.
#define __shared__ static __attribute__((section("haploom_shared")))

struct __align__(8) uint2 {
    unsigned x, y;
};
struct uint3 {
    unsigned x, y, z;
};
struct __align__(16) uint4 {
    unsigned x, y, z, w;
};
struct __align__(8) int2 {
    int x, y;
};
struct int3 {
    int x, y, z;
};
struct __align__(16) int4 {
    int x, y, z, w;
};
struct __align__(8) float2 {
    float x, y;
};
struct float3 {
    float x, y, z;
};
struct __align__(16) float4 {
    float x, y, z, w;
};
struct __align__(16) double2 {
    double x, y;
};
struct __align__(2) uchar2 {
    unsigned char x, y;
};
struct __align__(4) uchar4 {
    unsigned char x, y, z, w;
};
struct __align__(2) char2 {
    signed char x, y;
};
struct __align__(4) char4 {
    signed char x, y, z, w;
};
struct __align__(4) ushort2 {
    unsigned short x, y;
};
struct __align__(8) ushort4 {
    unsigned short x, y, z, w;
};
struct __align__(4) short2 {
    short x, y;
};
struct __align__(8) short4 {
    short x, y, z, w;
};
struct __align__(16) ulonglong2 {
    unsigned long long x, y;
};
struct __align__(16) longlong2 {
    long long x, y;
};

inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int3 make_int3(int x, int y, int z) { return {x, y, z}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline uchar2 make_uchar2(unsigned char x, unsigned char y) { return {x, y}; }
inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) { return {x, y, z, w}; }
inline char2 make_char2(signed char x, signed char y) { return {x, y}; }
inline char4 make_char4(signed char x, signed char y, signed char z, signed char w) { return {x, y, z, w}; }
inline ushort2 make_ushort2(unsigned short x, unsigned short y) { return {x, y}; }
inline ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z, unsigned short w) {
    return {x, y, z, w};
}
inline short2 make_short2(short x, short y) { return {x, y}; }
inline short4 make_short4(short x, short y, short z, short w) { return {x, y, z, w}; }
inline ulonglong2 make_ulonglong2(unsigned long long x, unsigned long long y) { return {x, y}; }
inline longlong2 make_longlong2(long long x, long long y) { return {x, y}; }

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// The processor. Everything below this line up to the pop is in processor.cpp, compiled once for both architectures.
#pragma GCC visibility push(default)
namespace emulator {

// A kernel as the driver finds it by name: how many parameters, their sizes, and how to call it with pointers to them.
struct Kernel {
    const char *name;
    int architecture;
    unsigned parameters;
    const unsigned *sizes;
    void (*call)(void *const *parameters);
    const Kernel *next;
};
extern const Kernel *kernels;

// What the next block is run with. `memory` says whether bytes are all inside one allocation (or is null: unchecked).
struct Launch {
    const Kernel *kernel;
    dim3 grid, block;
    unsigned shared_bytes;
    void *const *parameters;
    bool (*memory)(const void *address, size_t bytes);
};

// Numbers of CUresult, of which a launch ends in one.
enum Result { FINISHED = 0, ILLEGAL_ADDRESS = 700, MISALIGNED_ADDRESS = 716, ASSERTION = 710, LAUNCH_FAILED = 719 };
Result run(const Launch &launch);

// Ends the launch with a message on standard error that names kernel, block and thread.
[[noreturn]] void fail(Result result, const char *format, ...) __attribute__((format(printf, 2, 3)));
[[noreturn]] void assertion_failed(const char *condition, const char *file, int line);

extern uint3 thread_index, block_index;
extern dim3 block_size, grid_size;

unsigned lane();
unsigned char *dynamic_shared();
void wait_block();
int wait_block_counting(bool predicate);
void wait_warp(unsigned mask);
void give_way();

// What a lane gets for the values that the lanes of `mask` hand in.
enum class Combine { SOURCE, BALLOT, ADD, LEAST, GREATEST, LEAST_SIGNED, GREATEST_SIGNED, AND, OR, XOR };
unsigned long long exchange(unsigned mask, Combine combine, unsigned long long value, unsigned source = 0);

// Instructions: see instructions.cuh for what each stands for.
unsigned shared_address(const void *pointer);
void copy_16(void *shared, const void *global);
void copy_commit();
void copy_wait(unsigned groups_left);
void load_matrices(unsigned (&out)[4], const void *row, bool turned);
void multiply_bytes(int (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, bool with_sign);
void multiply_bf16(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);
void barrier_begin(unsigned long long *barrier, unsigned count);
void barrier_visible();
void barrier_arrive(unsigned long long *barrier, unsigned bytes);
void barrier_wait(unsigned long long *barrier, unsigned parity);
void bulk_copy(void *shared, const void *global, unsigned bytes, unsigned long long *barrier);
void check_descriptor(unsigned address, unsigned leading_bytes, unsigned stride_bytes);
void group_fence();
void group_commit();
void group_wait(unsigned groups_left);
void group_multiply_bytes(int (&sums)[64], const unsigned (&a)[4], unsigned long long b, bool with_sign);
void group_multiply_bytes(int (&sums)[32], const unsigned (&a)[4], unsigned long long b, bool with_sign, bool adds);

} // namespace emulator
#pragma GCC visibility pop

namespace emulator {

// `Own` is a type of the kernel's source alone, so that no other source's caller has the same name for the linker.
template <auto function, typename Own> struct Caller;
template <typename... Parameters, void (*function)(Parameters...), typename Own> struct Caller<function, Own> {
    static constexpr unsigned count = sizeof...(Parameters);
    // One more, since an array of none is not C++.
    static constexpr unsigned sizes[count + 1] = {sizeof(Parameters)..., 0};

    template <size_t... indices> static void unpack(void *const *parameters, std::index_sequence<indices...>) {
        function(*static_cast<Parameters *>(parameters[indices])...);
    }
    static void call(void *const *parameters) { unpack(parameters, std::index_sequence_for<Parameters...>{}); }
};

// Adds a kernel to the list when the library is loaded.
struct Registration {
    Kernel kernel;
    template <typename Function>
    Registration(Function, const char *name)
        : kernel{name, HAPLOOM_EMULATED_ARCH, Function::count, Function::sizes, Function::call, kernels} {
        kernels = &kernel;
    }
};

} // namespace emulator

#define KERNEL(name)                                                                                        \
    namespace {                                                                                             \
    struct caller_of_##name {};                                                                             \
    const emulator::Registration registration_of_##name(emulator::Caller<name, caller_of_##name>{}, #name); \
    }
#define DYNAMIC_SHARED(name) unsigned char *name = emulator::dynamic_shared()

#ifndef EMULATOR_ITSELF
#define threadIdx emulator::thread_index
#define blockIdx emulator::block_index
#define blockDim emulator::block_size
#define gridDim emulator::grid_size
#endif
static constexpr int warpSize = 32;

#undef assert
#define assert(condition) ((condition) ? (void)0 : emulator::assertion_failed(#condition, __FILE__, __LINE__))
[[noreturn]] inline void __trap() { emulator::fail(emulator::LAUNCH_FAILED, "__trap"); }

// Threads that wait for each other.
inline void __syncthreads() { emulator::wait_block(); }
inline int __syncthreads_count(int predicate) { return emulator::wait_block_counting(predicate != 0); }
inline int __syncthreads_or(int predicate) { return emulator::wait_block_counting(predicate != 0) != 0; }
inline int __syncthreads_and(int predicate) { return emulator::wait_block_counting(predicate == 0) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu) { emulator::wait_warp(mask); }
inline void __nanosleep(unsigned) { emulator::give_way(); }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

// Lanes that exchange values: any type of up to eight bytes travels as its bits.
namespace emulator {
template <typename Value> Value shuffle(unsigned mask, Value value, unsigned source) {
    static_assert(sizeof(Value) <= 8, "a shuffle carries four or eight bytes");
    unsigned long long bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = exchange(mask, Combine::SOURCE, bits, source);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
// The lane that a shuffle of `width` lanes reads, or its own lane where the PTX ISA says that the value stays.
inline unsigned segment(int width) { return lane() & ~unsigned(width - 1); }
} // namespace emulator
template <typename Value> Value __shfl_sync(unsigned mask, Value value, int source, int width = 32) {
    return emulator::shuffle(mask, value, emulator::segment(width) + (unsigned(source) & unsigned(width - 1)));
}
template <typename Value> Value __shfl_xor_sync(unsigned mask, Value value, int lanes, int width = 32) {
    unsigned source = emulator::lane() ^ unsigned(lanes);
    return emulator::shuffle(mask, value,
                             source < emulator::segment(width) + unsigned(width) ? source : emulator::lane());
}
template <typename Value> Value __shfl_down_sync(unsigned mask, Value value, unsigned lanes, int width = 32) {
    unsigned source = emulator::lane() + lanes;
    return emulator::shuffle(mask, value,
                             source < emulator::segment(width) + unsigned(width) ? source : emulator::lane());
}
template <typename Value> Value __shfl_up_sync(unsigned mask, Value value, unsigned lanes, int width = 32) {
    bool inside = emulator::lane() - emulator::segment(width) >= lanes;
    return emulator::shuffle(mask, value, inside ? emulator::lane() - lanes : emulator::lane());
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    return unsigned(emulator::exchange(mask, emulator::Combine::BALLOT, predicate != 0));
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
inline unsigned __reduce_add_sync(unsigned mask, unsigned value) {
    return unsigned(emulator::exchange(mask, emulator::Combine::ADD, value));
}
inline int __reduce_add_sync(unsigned mask, int value) {
    return int(unsigned(emulator::exchange(mask, emulator::Combine::ADD, unsigned(value))));
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value) {
    return unsigned(emulator::exchange(mask, emulator::Combine::LEAST, value));
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value) {
    return unsigned(emulator::exchange(mask, emulator::Combine::GREATEST, value));
}
inline int __reduce_min_sync(unsigned mask, int value) {
    return int(emulator::exchange(mask, emulator::Combine::LEAST_SIGNED, (unsigned long long)(long long)value));
}
inline int __reduce_max_sync(unsigned mask, int value) {
    return int(emulator::exchange(mask, emulator::Combine::GREATEST_SIGNED, (unsigned long long)(long long)value));
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value) {
    return unsigned(emulator::exchange(mask, emulator::Combine::AND, value));
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value) {
    return unsigned(emulator::exchange(mask, emulator::Combine::OR, value));
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value) {
    return unsigned(emulator::exchange(mask, emulator::Combine::XOR, value));
}

// Integers.
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}
inline unsigned long long __brevll(unsigned long long x) {
    return (unsigned long long)__brev(unsigned(x)) << 32 | __brev(unsigned(x >> 32));
}
// A selector of 8 to 15 repeats the sign of the byte that it selects less 8 (PTX ISA, prmt, the default mode).
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    unsigned long long bytes = (unsigned long long)y << 32 | x;
    unsigned result = 0;
    for (unsigned i = 0; i < 4; ++i) {
        unsigned select = selector >> 4 * i & 15;
        unsigned byte = unsigned(bytes >> 8 * (select & 7)) & 255;
        if (select & 8) byte = byte & 128 ? 255 : 0;
        result |= byte << 8 * i;
    }
    return result;
}
inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned((unsigned long long)x * y >> 32); }
inline int __mulhi(int x, int y) { return int((long long)x * y >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline int __mul24(int x, int y) {
    return int(unsigned(int(unsigned(x) << 8) >> 8) * unsigned(int(unsigned(y) << 8) >> 8));
}
inline unsigned __umul24(unsigned x, unsigned y) { return (x & 0xffffffu) * (y & 0xffffffu); }
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return unsigned(((unsigned long long)high << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return unsigned(((unsigned long long)high << 32 | low) >> (shift & 31));
}
inline int __dp4a(int x, int y, int sum) {
    unsigned total = unsigned(sum);
    for (int i = 0; i < 4; ++i) total += unsigned(int((signed char)(x >> 8 * i)) * int((signed char)(y >> 8 * i)));
    return int(total);
}
inline unsigned __dp4a(unsigned x, unsigned y, unsigned sum) {
    for (int i = 0; i < 4; ++i) sum += (x >> 8 * i & 255) * (y >> 8 * i & 255);
    return sum;
}

inline int min(int x, int y) { return y < x ? y : x; }
inline int max(int x, int y) { return x < y ? y : x; }
inline unsigned min(unsigned x, unsigned y) { return y < x ? y : x; }
inline unsigned max(unsigned x, unsigned y) { return x < y ? y : x; }
inline unsigned min(int x, unsigned y) { return min(unsigned(x), y); }
inline unsigned max(int x, unsigned y) { return max(unsigned(x), y); }
inline unsigned min(unsigned x, int y) { return min(x, unsigned(y)); }
inline unsigned max(unsigned x, int y) { return max(x, unsigned(y)); }
inline long min(long x, long y) { return y < x ? y : x; }
inline long max(long x, long y) { return x < y ? y : x; }
inline unsigned long min(unsigned long x, unsigned long y) { return y < x ? y : x; }
inline unsigned long max(unsigned long x, unsigned long y) { return x < y ? y : x; }
inline long long min(long long x, long long y) { return y < x ? y : x; }
inline long long max(long long x, long long y) { return x < y ? y : x; }
inline unsigned long long min(unsigned long long x, unsigned long long y) { return y < x ? y : x; }
inline unsigned long long max(unsigned long long x, unsigned long long y) { return x < y ? y : x; }
inline float min(float x, float y) { return fminf(x, y); }
inline float max(float x, float y) { return fmaxf(x, y); }
inline double min(double x, double y) { return fmin(x, y); }
inline double max(double x, double y) { return fmax(x, y); }

// Real numbers. A name with `_rn` rounds to the nearest, as the operators of the host do.
namespace emulator {
template <typename To, typename From> To same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "bits of one size");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
// What the GPU does with a number beyond the range of the integer: the nearest one that there is, and 0 for NaN.
template <typename Integer> Integer clamped(double x) {
    if (x != x) return 0;
    double least = double(std::numeric_limits<Integer>::min()), greatest = double(std::numeric_limits<Integer>::max());
    if (x <= least) return std::numeric_limits<Integer>::min();
    if (x >= greatest) return std::numeric_limits<Integer>::max();
    return Integer(x);
}
// Subnormal numbers are 0, which keeps its sign (.ftz).
inline float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }
} // namespace emulator
inline unsigned __float_as_uint(float x) { return emulator::same_bits<unsigned>(x); }
inline int __float_as_int(float x) { return emulator::same_bits<int>(x); }
inline float __uint_as_float(unsigned x) { return emulator::same_bits<float>(x); }
inline float __int_as_float(int x) { return emulator::same_bits<float>(x); }
inline long long __double_as_longlong(double x) { return emulator::same_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return emulator::same_bits<double>(x); }
inline int __float2int_rn(float x) { return emulator::clamped<int>(nearbyint(double(x))); }
inline int __float2int_rz(float x) { return emulator::clamped<int>(trunc(double(x))); }
inline int __float2int_rd(float x) { return emulator::clamped<int>(floor(double(x))); }
inline int __float2int_ru(float x) { return emulator::clamped<int>(ceil(double(x))); }
inline unsigned __float2uint_rn(float x) { return emulator::clamped<unsigned>(nearbyint(double(x))); }
inline unsigned __float2uint_rz(float x) { return emulator::clamped<unsigned>(trunc(double(x))); }
inline int __double2int_rn(double x) { return emulator::clamped<int>(nearbyint(x)); }
inline float __int2float_rn(int x) { return float(x); }
inline float __uint2float_rn(unsigned x) { return float(x); }
inline float __ull2float_rn(unsigned long long x) { return float(x); }
inline float __double2float_rn(double x) { return float(x); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return float(1.0 / sqrt(double(x))); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
inline float rsqrtf(float x) { return float(1.0 / sqrt(double(x))); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __fdividef(float x, float y) { return x / y; }
// Approximations on the GPU: a test that compares bits with it must not use them.
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return powf(10.0f, x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

// Memory. One thread runs at a time, so a plain read and write is atomic.
template <typename Value> Value __ldg(const Value *from) { return *from; }
template <typename Value> Value __ldcs(const Value *from) { return *from; }
template <typename Value> Value __ldcg(const Value *from) { return *from; }
template <typename Value> void __stcs(Value *to, Value value) { *to = value; }
template <typename Value> void __stcg(Value *to, Value value) { *to = value; }
namespace emulator {
template <typename Value> struct Same {
    using type = Value;
};
// Integers that overflow wrap on the GPU, which is undefined for the signed ones of C++.
template <typename Value> Value sum(Value x, Value y) {
    if constexpr (std::is_integral_v<Value>) {
        using Unsigned = std::make_unsigned_t<Value>;
        return Value(Unsigned(x) + Unsigned(y));
    } else {
        return x + y;
    }
}
template <typename Value, typename Change> Value replace(Value *at, Change change) {
    Value old = *at;
    *at = change(old);
    return old;
}
} // namespace emulator
template <typename Value> Value atomicAdd(Value *at, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value old) { return emulator::sum(old, value); });
}
template <typename Value> Value atomicSub(Value *at, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value old) { return Value(old - value); });
}
template <typename Value> Value atomicMax(Value *at, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value old) { return old < value ? value : old; });
}
template <typename Value> Value atomicMin(Value *at, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value old) { return value < old ? value : old; });
}
template <typename Value> Value atomicOr(Value *at, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value old) { return Value(old | value); });
}
template <typename Value> Value atomicAnd(Value *at, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value old) { return Value(old & value); });
}
template <typename Value> Value atomicXor(Value *at, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value old) { return Value(old ^ value); });
}
template <typename Value> Value atomicExch(Value *at, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value) { return value; });
}
template <typename Value>
Value atomicCAS(Value *at, typename emulator::Same<Value>::type expected, typename emulator::Same<Value>::type value) {
    return emulator::replace(at, [&](Value old) { return old == expected ? value : old; });
}
inline unsigned atomicInc(unsigned *at, unsigned greatest) {
    return emulator::replace(at, [&](unsigned old) { return old >= greatest ? 0 : old + 1; });
}

#ifndef EMULATOR_ITSELF
// The last word, since the headers of the host's library spell an attribute the same way.
#define __noinline__ __attribute__((noinline))
#endif
