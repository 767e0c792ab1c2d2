// Checks the driver and the processor that play the GPU, from outside, by the driver's calls alone:
//
//   self_test PTX CAPABILITY [gpu]
//
// PTX is that of self_test.cu, CAPABILITY what the device has (800 or 900). With `gpu` only what a GPU answers as well
// is checked: run against NVIDIA's driver it says whether the definitions here, which the emulator shares, are true.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

extern "C" {
int cuInit(unsigned);
int cuDriverGetVersion(int *);
int cuGetErrorName(int, const char **);
int cuDeviceGet(int *, int);
int cuDeviceGetCount(int *);
int cuDeviceGetAttribute(int *, int, int);
int cuDevicePrimaryCtxRetain(void **, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void *);
int cuCtxSynchronize();
int cuMemAlloc_v2(unsigned long long *, size_t);
int cuMemAllocAsync(unsigned long long *, size_t, void *);
int cuMemFree_v2(unsigned long long);
int cuMemGetInfo_v2(size_t *, size_t *);
int cuMemcpyHtoD_v2(unsigned long long, const void *, size_t);
int cuMemcpyDtoH_v2(void *, unsigned long long, size_t);
int cuMemcpyDtoDAsync_v2(unsigned long long, unsigned long long, size_t, void *);
int cuMemsetD8Async(unsigned long long, unsigned char, size_t, void *);
int cuModuleLoadData(void **, const void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuFuncSetAttribute(void *, int, int);
int cuFuncGetAttribute(int *, int, void *);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
                   void **);
int cuStreamCreate(void **, unsigned);
int cuStreamDestroy_v2(void *);
int cuStreamSynchronize(void *);
int cuStreamWaitEvent(void *, void *, unsigned);
int cuStreamBeginCapture_v2(void *, int);
int cuStreamEndCapture(void *, void **);
int cuStreamIsCapturing(void *, int *);
int cuGraphInstantiateWithFlags(void **, void *, unsigned long long);
int cuGraphLaunch(void *, void *);
int cuGraphDestroy(void *);
int cuGraphExecDestroy(void *);
int cuEventCreate(void **, unsigned);
int cuEventRecord(void *, void *);
int cuEventQuery(void *);
int cuEventElapsedTime(float *, void *, void *);
int cuEventDestroy_v2(void *);
}

namespace {

int failures = 0, checks = 0;
std::string text;
void *context, *module;

#define EXPECT(condition, ...)                                          \
    do {                                                                \
        ++checks;                                                       \
        if (!(condition)) {                                             \
            ++failures;                                                 \
            std::printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            std::printf(__VA_ARGS__);                                   \
            std::printf("\n");                                          \
        }                                                               \
    } while (0)

void must(int result, const char *what) {
    if (result == 0) return;
    const char *name = "?";
    cuGetErrorName(result, &name);
    std::printf("%s: %s (%d)\n", what, name, result);
    std::exit(1);
}
#define MUST(call) must(call, #call)

// Deterministic bits.
uint64_t state = 1;
uint32_t random_word() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return uint32_t(state >> 33) ^ uint32_t(state >> 12);
}

template <typename T> struct Array {
    unsigned long long at = 0;
    size_t size;
    explicit Array(size_t size) : size(size) { MUST(cuMemAlloc_v2(&at, size * sizeof(T))); }
    explicit Array(const std::vector<T> &values) : Array(values.size()) {
        MUST(cuMemcpyHtoD_v2(at, values.data(), size * sizeof(T)));
    }
    ~Array() {
        if (at) cuMemFree_v2(at);
    }
    std::vector<T> get() const {
        std::vector<T> values(size);
        MUST(cuMemcpyDtoH_v2(values.data(), at, size * sizeof(T)));
        return values;
    }
};

void *function(const char *name, unsigned shared = 0) {
    void *found = nullptr;
    must(cuModuleGetFunction(&found, module, name), name);
    if (shared > 48 << 10) MUST(cuFuncSetAttribute(found, 8, int(shared)));
    return found;
}

struct Dimensions {
    unsigned x = 1, y = 1, z = 1;
};

int launch(const char *name, Dimensions grid, Dimensions block, unsigned shared, std::vector<void *> parameters,
           void *stream = nullptr) {
    return cuLaunchKernel(function(name, shared), grid.x, grid.y, grid.z, block.x, block.y, block.z, shared, stream,
                          parameters.data(), nullptr);
}
void run(const char *name, Dimensions grid, Dimensions block, unsigned shared, std::vector<void *> parameters) {
    must(launch(name, grid, block, shared, parameters), name);
    must(cuCtxSynchronize(), name);
}

uint32_t bits_of(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}
float real_of(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

// --- threads ---

void test_places() {
    const unsigned grid[] = {3, 2, 2}, block[] = {5, 3, 4};
    Array<uint32_t> out(12 * 60 * 12);
    run("places", {3, 2, 2}, {5, 3, 4}, 0, {&out.at});
    auto got = out.get();
    for (unsigned b = 0; b < 12; ++b) {
        for (unsigned t = 0; t < 60; ++t) {
            const uint32_t *own = &got[(b * 60 + t) * 12];
            const uint32_t expected[] = {t % 5,    t / 5 % 3, t / 15,   b % 3,   b / 3 % 2, b / 6,
                                         block[0], block[1],  block[2], grid[0], grid[1],   grid[2]};
            EXPECT(std::memcmp(own, expected, sizeof expected) == 0, "block %u thread %u", b, t);
        }
    }
}

void test_parameters() {
    Array<uint64_t> out(7);
    Array<int> g(std::vector<int>{77});
    char a = -3;
    short b = -300;
    int c = -70000;
    float d = 2.5;
    double e = 1e10;
    struct {
        char a;
        unsigned long long b;
        short c;
    } f{1, 1ull << 40, 5};
    run("parameters", {}, {}, 0, {&out.at, &a, &b, &c, &d, &e, &f, &g.at});
    EXPECT((out.get() == std::vector<uint64_t>{uint64_t(-3), uint64_t(-300), uint64_t(-70000), 20, 80000000000,
                                               (1ull << 40) + 6, 77}),
           "parameters");
}

void test_exchanges() {
    Array<uint32_t> out(64 * 16);
    run("exchanges", {}, {64}, 0, {&out.at});
    auto got = out.get();
    auto value = [](unsigned thread) { return thread * 7 + 3; };
    for (unsigned thread = 0; thread < 64; ++thread) {
        unsigned lane = thread % 32, warp = thread / 32 * 32;
        uint32_t ballot = 0, sum = 0, odd = 0, greatest = 0;
        bool any = false;
        for (unsigned i = 0; i < 32; ++i) {
            ballot |= uint32_t(value(warp + i) % 3 == 0) << i;
            sum += value(warp + i);
            any = any || value(warp + i) == 10;
            greatest = std::max(greatest, value(warp + i));
        }
        for (unsigned i = 0; i < 64; ++i) odd += value(i) % 2;
        const uint32_t expected[16] = {
            value(warp + 5),
            value(warp + (lane ^ 6)),
            value(lane + 3 < 32 ? thread + 3 : thread),
            value(lane >= 3 ? thread - 3 : thread),
            value(thread / 8 * 8 + 1),
            value(thread % 8 + 3 < 8 ? thread + 3 : thread),
            bits_of(float(value(thread ^ 1))),
            value(warp + (lane + 1) % 32) << 1,
            ballot,
            uint32_t(any) * 2 + 1,
            sum,
            uint32_t(-9),
            lane < 16 ? 0xaaaau : 0x11110000u,
            odd,
            3,
            greatest,
        };
        for (int i = 0; i < 16; ++i)
            EXPECT(got[thread * 16 + i] == expected[i], "thread %u question %d: %#x, expected %#x", thread, i,
                   got[thread * 16 + i], expected[i]);
    }
}

void test_numbers() {
    std::vector<uint32_t> in;
    const uint32_t special[] = {
        0,         1, 0x80000000, 0xffffffff, 0x7fffffff, bits_of(1.5f), bits_of(-2.5f), bits_of(3e9f), bits_of(1e-40f),
        0x12345678};
    for (uint32_t x : special) {
        for (uint32_t y : special) in.insert(in.end(), {x, y});
    }
    while (in.size() < 512) in.push_back(random_word());
    Array<uint32_t> numbers(in), out(256 * 24);
    run("numbers", {}, {256}, 0, {&numbers.at, &out.at});
    auto got = out.get();
    auto clamp = [](double x) -> uint32_t {
        if (x != x) return 0;
        return uint32_t(int32_t(x <= -2147483648.0 ? -2147483648.0 : x >= 2147483647.0 ? 2147483647.0 : x));
    };
    for (unsigned i = 0; i < 256; ++i) {
        uint32_t x = in[2 * i], y = in[2 * i + 1];
        float a = real_of(x), b = real_of(y);
        uint32_t reversed = 0, first = 0, leading = 32;
        for (unsigned j = 0; j < 32; ++j) {
            reversed |= (x >> j & 1) << (31 - j);
            if (x >> j & 1) {
                leading = 31 - j;
                if (!first) first = j + 1;
            }
        }
        auto permuted = [&](uint32_t selector) {
            uint32_t result = 0;
            for (int j = 0; j < 4; ++j) {
                unsigned s = selector >> 4 * j & 15;
                uint8_t byte = uint8_t((s & 7) < 4 ? x >> (s & 7) * 8 : y >> ((s & 7) - 4) * 8);
                result |= uint32_t(s & 8 ? (byte & 128 ? 255 : 0) : byte) << 8 * j;
            }
            return result;
        };
        int dot = 7;
        for (int j = 0; j < 4; ++j) dot += int8_t(x >> 8 * j) * int8_t(y >> 8 * j);
        auto narrow = [](uint32_t v) { return int64_t(int32_t(v << 8) >> 8); };
        volatile float product = a * b;
        uint64_t pair = uint64_t(y) << 32 | x;
        const uint32_t expected[24] = {
            uint32_t(__builtin_popcount(x)),
            uint32_t(__builtin_popcount(x) + __builtin_popcount(y)),
            leading,
            first,
            reversed,
            permuted(0x7531),
            permuted(y),
            uint32_t(uint64_t(x) * y >> 32),
            uint32_t(int64_t(int32_t(x)) * int32_t(y) >> 32),
            uint32_t(narrow(x) * narrow(y)),
            uint32_t(pair << (y & 31) >> 32),
            uint32_t(pair >> (y & 31)),
            uint32_t(dot),
            uint32_t(std::min(int32_t(x), int32_t(y))),
            std::max(x, y),
            bits_of(a + b),
            bits_of(product),
            bits_of(a / b),
            bits_of(std::sqrt(a)),
            clamp(std::nearbyint(double(a))),
            clamp(std::trunc(double(b))),
            bits_of(float(int32_t(x))),
            bits_of(1.0f / a),
            bits_of(product + a),
        };
        for (int j = 0; j < 24; ++j) {
            uint32_t is = got[i * 24 + j];
            bool real = (j >= 15 && j <= 18) || j >= 21;
            bool same = is == expected[j] || (real && std::isnan(real_of(is)) && std::isnan(real_of(expected[j])));
            EXPECT(same, "%#x %#x question %d: %#x, expected %#x", x, y, j, is, expected[j]);
        }
    }
}

void test_approximations() {
    std::vector<float> in{0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 10.3f, -10.3f, 127.0f, -126.0f, -130.0f, 1e-39f, 3.7f};
    Array<float> numbers(in), out(in.size() * 2);
    run("approximations", {}, {unsigned(in.size())}, 0, {&numbers.at, &out.at});
    auto got = out.get();
    auto close = [](float is, double expected) {
        if (std::fabs(expected) < double(std::numeric_limits<float>::min())) return is == 0;
        if (std::isinf(expected)) return double(is) == expected;
        return std::fabs(is - expected) <= 4e-7 * std::fabs(expected);
    };
    for (size_t i = 0; i < in.size(); ++i) {
        double x = std::fpclassify(in[i]) == FP_SUBNORMAL ? 0.0 : double(in[i]);
        EXPECT(close(got[2 * i], std::exp2(x)), "exp2_fast(%g) is %g", double(in[i]), double(got[2 * i]));
        EXPECT(close(got[2 * i + 1], 1 / x), "reciprocal_fast(%g) is %g", double(in[i]), double(got[2 * i + 1]));
    }
}

void test_atomics() {
    Array<int> integers(std::vector<int>{5, -100, 100});
    Array<uint32_t> naturals(std::vector<uint32_t>{0, 0, 0});
    Array<float> real(std::vector<float>{1});
    Array<uint64_t> wide(std::vector<uint64_t>{1});
    run("atomics", {}, {96}, 0, {&integers.at, &naturals.at, &real.at, &wide.at});
    EXPECT((integers.get() == std::vector<int>{5 + 95 * 48 - 40 * 96, 55, -40}), "integers");
    EXPECT((naturals.get() == std::vector<uint32_t>{95, 0xffffffff, 96}), "naturals");
    EXPECT(real.get()[0] == 49, "real");
    EXPECT(wide.get()[0] == (96ull << 33) + 1, "wide");
}

void test_turn() {
    std::vector<int> in(4 * 1024);
    for (int &x : in) x = int(random_word());
    Array<int> from(in), to(in.size());
    run("turn", {4}, {32, 8}, 0, {&from.at, &to.at});
    auto got = to.get();
    for (unsigned i = 0; i < in.size(); ++i) {
        EXPECT(got[i] == in[i / 1024 * 1024 + i % 32 * 32 + i / 32 % 32], "number %u", i);
    }
}

void test_leavers() {
    Array<uint32_t> out(std::vector<uint32_t>(128, 9));
    run("leavers", {}, {128}, 0, {&out.at});
    auto got = out.get();
    for (unsigned i = 0; i < 128; ++i) {
        uint32_t expected = i % 64 >= 40 ? 9 : i % 64 < 32 ? 0xffffffff : 7;
        EXPECT(got[i] == expected, "thread %u: %#x", i, got[i]);
    }
}

// --- instructions of a warp; tables as the PTX ISA prints them ---

void test_loads() {
    std::vector<uint16_t> in(256);
    for (unsigned i = 0; i < 256; ++i) in[i] = uint16_t(i * 257 + 13);
    Array<uint16_t> from(in);
    Array<uint32_t> out(32 * 8);
    run("loads", {}, {32}, 32 * 48, {&from.at, &out.at});
    auto got = out.get();
    auto element = [&](unsigned matrix, unsigned row, unsigned column) {
        return uint32_t(in[(matrix * 8 + row) * 8 + column]);
    };
    for (unsigned lane = 0; lane < 32; ++lane) {
        for (unsigned m = 0; m < 4; ++m) {
            unsigned row = lane / 4, column = lane % 4 * 2;
            EXPECT(got[lane * 8 + m] == (element(m, row, column) | element(m, row, column + 1) << 16),
                   "lane %u matrix %u", lane, m);
            EXPECT(got[lane * 8 + 4 + m] == (element(m, column, row) | element(m, column + 1, row) << 16),
                   "lane %u matrix %u, turned", lane, m);
        }
    }
}

uint16_t bf16_of(float x) { return uint16_t(bits_of(x) >> 16); }
float of_bf16(uint16_t x) { return real_of(uint32_t(x) << 16); }

void test_multiply_bytes(bool with_sign) {
    std::vector<uint8_t> a(16 * 32), b(32 * 8);
    for (auto &x : a) x = uint8_t(random_word());
    for (auto &x : b) x = uint8_t(random_word());
    std::vector<int> c(16 * 8);
    for (auto &x : c) x = int(random_word());
    std::vector<uint32_t> fragments_a(128), fragments_b(64);
    std::vector<int> fragments_c(128);
    // mma.m16n8k32: elements a0 to a15, b0 to b7, c0 to c3 of a lane.
    auto place_of_c = [](unsigned lane, unsigned i) {
        unsigned row = i < 2 ? lane >> 2 : (lane >> 2) + 8, column = lane % 4 * 2 + (i & 1);
        return row * 8 + column;
    };
    for (unsigned lane = 0; lane < 32; ++lane) {
        unsigned group = lane >> 2, thread = lane % 4;
        for (unsigned i = 0; i < 16; ++i) {
            unsigned row = i < 4 || (i >= 8 && i < 12) ? group : group + 8;
            unsigned column = i < 8 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16;
            fragments_a[lane * 4 + i / 4] |= uint32_t(a[row * 32 + column]) << i % 4 * 8;
        }
        for (unsigned i = 0; i < 8; ++i) {
            unsigned row = i < 4 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16, column = group;
            fragments_b[lane * 2 + i / 4] |= uint32_t(b[row * 8 + column]) << i % 4 * 8;
        }
        for (unsigned i = 0; i < 4; ++i) fragments_c[lane * 4 + i] = c[place_of_c(lane, i)];
    }
    Array<uint32_t> from_a(fragments_a), from_b(fragments_b);
    Array<int> sums(fragments_c);
    run(with_sign ? "multiply_signed" : "multiply_unsigned", {}, {32}, 0, {&from_a.at, &from_b.at, &sums.at});
    auto got = sums.get();
    for (unsigned lane = 0; lane < 32; ++lane) {
        for (unsigned i = 0; i < 4; ++i) {
            unsigned place = place_of_c(lane, i);
            uint32_t expected = uint32_t(c[place]);
            for (unsigned k = 0; k < 32; ++k) {
                int factor = with_sign ? int(int8_t(b[k * 8 + place % 8])) : int(b[k * 8 + place % 8]);
                expected += uint32_t(int(a[place / 8 * 32 + k]) * factor);
            }
            EXPECT(uint32_t(got[lane * 4 + i]) == expected, "lane %u sum %u", lane, i);
        }
    }
}

void test_multiply_reals() {
    std::vector<uint16_t> a(16 * 16), b(16 * 8);
    // Small whole numbers, whose sums are exact in any order.
    for (auto &x : a) x = bf16_of(float(int(random_word() % 33) - 16));
    for (auto &x : b) x = bf16_of(float(int(random_word() % 33) - 16) / 4);
    std::vector<float> c(16 * 8);
    for (auto &x : c) x = float(int(random_word() % 1000)) / 4;
    std::vector<uint32_t> fragments_a(128), fragments_b(64);
    std::vector<float> fragments_c(128);
    // mma.m16n8k16: elements a0 to a7, b0 to b3, c0 to c3 of a lane.
    auto place_of_c = [](unsigned lane, unsigned i) {
        return (i < 2 ? lane >> 2 : (lane >> 2) + 8) * 8 + lane % 4 * 2 + (i & 1);
    };
    for (unsigned lane = 0; lane < 32; ++lane) {
        unsigned group = lane >> 2, thread = lane % 4;
        for (unsigned i = 0; i < 8; ++i) {
            unsigned row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
            unsigned column = i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8;
            fragments_a[lane * 4 + i / 2] |= uint32_t(a[row * 16 + column]) << i % 2 * 16;
        }
        for (unsigned i = 0; i < 4; ++i) {
            unsigned row = i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8;
            fragments_b[lane * 2 + i / 2] |= uint32_t(b[row * 8 + group]) << i % 2 * 16;
        }
        for (unsigned i = 0; i < 4; ++i) fragments_c[lane * 4 + i] = c[place_of_c(lane, i)];
    }
    Array<uint32_t> from_a(fragments_a), from_b(fragments_b);
    Array<float> sums(fragments_c);
    run("multiply_reals", {}, {32}, 0, {&from_a.at, &from_b.at, &sums.at});
    auto got = sums.get();
    for (unsigned lane = 0; lane < 32; ++lane) {
        for (unsigned i = 0; i < 4; ++i) {
            unsigned place = place_of_c(lane, i);
            float expected = c[place];
            for (unsigned k = 0; k < 16; ++k)
                expected += of_bf16(a[place / 8 * 16 + k]) * of_bf16(b[k * 8 + place % 8]);
            EXPECT(got[lane * 4 + i] == expected, "lane %u sum %u: %g, expected %g", lane, i, double(got[lane * 4 + i]),
                   double(expected));
        }
    }
}

void test_pipeline(const char *kernel, unsigned threads, unsigned shared) {
    unsigned pieces = 7;
    std::vector<int> in(pieces * 128);
    for (int &x : in) x = int(random_word());
    Array<int> from(in), to(in.size());
    run(kernel, {3}, {threads}, shared, {&from.at, &to.at, &pieces});
    auto got = to.get();
    for (unsigned i = 0; i < in.size(); ++i)
        EXPECT(got[i] == in[i / 128 * 128 + 127 - i % 128], "%s: number %u", kernel, i);
}

// --- instructions of four warps ---

// Element (row, column of K) of a fragment, by thread and place in its registers (CUTLASS, ALayout_64x32: threads
// (4, 8, 4) with strides (4 columns, 1 row, 16 rows), places (4, 2, 2) with strides (1 column, 8 rows, 16 columns)).
void group_fragments(const std::vector<uint8_t> &a, unsigned k_bytes, unsigned product, std::vector<uint32_t> &out) {
    for (unsigned thread = 0; thread < 128; ++thread) {
        for (unsigned place = 0; place < 16; ++place) {
            unsigned row = thread / 4 % 8 + thread / 32 * 16 + place / 4 % 2 * 8;
            unsigned column = product * 32 + thread % 4 * 4 + place % 4 + place / 8 * 16;
            out[(product * 128 + thread) * 4 + place / 4] |= uint32_t(a[row * k_bytes + column]) << place % 4 * 8;
        }
    }
}
// CLayout_64x128: threads with strides (2 columns, 1 row, 16 rows), places (2, 2, 16) with (1 column, 8 rows, 8
// columns).
unsigned group_place(unsigned thread, unsigned place, unsigned columns = 128) {
    unsigned row = thread / 4 % 8 + thread / 32 * 16 + place / 2 % 2 * 8,
             column = thread % 4 * 2 + place % 2 + place / 4 * 8;
    return row * columns + column;
}
// Byte `k` of column n: core matrices of 8 columns of 16 bytes.
void group_layout(const std::vector<uint8_t> &b, unsigned k_bytes, unsigned leading, unsigned stride, unsigned bytes,
                  std::vector<uint8_t> &out) {
    for (unsigned n = 0; n < 128; ++n) {
        for (unsigned k = 0; k < k_bytes; ++k) {
            out[k / 32 * bytes + n / 8 * stride + k / 16 % 2 * leading + n % 8 * 16 + k % 16] = b[n * k_bytes + k];
        }
    }
}

// The kernels of 64 columns forget what was in the sums.
void test_group(const char *kernel, bool with_sign, unsigned columns, unsigned leading, unsigned stride) {
    unsigned count = 3, k_bytes = count * 32, bytes = std::max(15 * stride + leading, leading + 15 * stride) + 128;
    bytes = (bytes + 127) / 128 * 128;
    std::vector<uint8_t> a(64 * k_bytes), b(128 * k_bytes), laid(bytes * count, 0xee);
    for (auto &x : a) x = uint8_t(random_word());
    for (auto &x : b) x = uint8_t(random_word());
    std::vector<int> c(64 * columns), fragments_c(c.size());
    for (auto &x : c) x = int(random_word());
    std::vector<uint32_t> fragments_a(count * 512);
    for (unsigned product = 0; product < count; ++product) group_fragments(a, k_bytes, product, fragments_a);
    group_layout(b, k_bytes, leading, stride, bytes, laid);
    const unsigned own = columns / 2;
    for (unsigned i = 0; i < c.size(); ++i) fragments_c[i] = c[group_place(i / own, i % own, columns)];
    Array<uint32_t> from_a(fragments_a);
    Array<uint8_t> from_b(laid);
    Array<int> sums(fragments_c);
    run(kernel, {}, {128}, bytes * count, {&from_a.at, &from_b.at, &sums.at, &leading, &stride, &bytes, &count});
    auto got = sums.get();
    for (unsigned i = 0; i < c.size(); ++i) {
        unsigned place = group_place(i / own, i % own, columns);
        uint32_t expected = columns == 128 ? uint32_t(c[place]) : 0;
        for (unsigned k = 0; k < k_bytes; ++k) {
            uint8_t byte = b[place % columns * k_bytes + k];
            expected += uint32_t(int(a[place / columns * k_bytes + k]) * (with_sign ? int(int8_t(byte)) : int(byte)));
        }
        EXPECT(uint32_t(got[i]) == expected, "%s leading %u stride %u: thread %u sum %u", kernel, leading, stride,
               i / own, i % own);
    }
}

void test_overlap() {
    std::vector<uint8_t> a(64 * 64), b(128 * 64), laid(8192);
    for (auto &x : a) x = uint8_t(random_word());
    for (auto &x : b) x = uint8_t(random_word());
    std::vector<uint32_t> fragments_a(1024);
    for (unsigned product = 0; product < 2; ++product) group_fragments(a, 64, product, fragments_a);
    group_layout(b, 64, 128, 256, 4096, laid);
    Array<uint32_t> from_a(fragments_a);
    Array<uint8_t> from_b(laid);
    Array<int> sums(std::vector<int>(64 * 128, 5));
    run("group_overlap", {}, {256}, 8192, {&from_a.at, &from_b.at, &sums.at});
    auto got = sums.get();
    for (unsigned i = 0; i < got.size(); ++i) {
        unsigned place = group_place(i / 64, i % 64);
        int expected = 5;
        for (unsigned k = 0; k < 64; ++k) expected += int(a[place / 128 * 64 + k]) * int(b[place % 128 * 64 + k]);
        EXPECT(got[i] == expected, "thread %u sum %u", i / 64, i % 64);
    }
}

// --- the driver ---

void test_events_and_graphs() {
    void *stream, *other, *begin, *end, *joined;
    MUST(cuStreamCreate(&stream, 1));
    MUST(cuStreamCreate(&other, 1));
    MUST(cuEventCreate(&begin, 0));
    MUST(cuEventCreate(&end, 0));
    MUST(cuEventCreate(&joined, 2));
    Array<uint64_t> wide(std::vector<uint64_t>{0});
    Array<int> integers(std::vector<int>{0, -100, 100});
    Array<uint32_t> naturals(std::vector<uint32_t>{0, 0, 0});
    Array<float> real(std::vector<float>{0});
    Array<int> copied(3);

    MUST(cuEventRecord(begin, stream));
    MUST(launch("atomics", {}, {96}, 0, {&integers.at, &naturals.at, &real.at, &wide.at}, stream));
    MUST(cuEventRecord(end, stream));
    MUST(cuStreamWaitEvent(other, end, 0));
    MUST(cuStreamSynchronize(other));
    MUST(cuEventQuery(end));
    float milliseconds = -1;
    MUST(cuEventElapsedTime(&milliseconds, begin, end));
    EXPECT(milliseconds >= 0, "elapsed");
    EXPECT(naturals.get()[2] == 96, "launched");

    // A capture does nothing; a launch of its graph does all of it, on both streams that take part.
    int status = -1;
    MUST(cuStreamBeginCapture_v2(stream, 1));
    MUST(cuStreamIsCapturing(stream, &status));
    EXPECT(status == 1, "capturing");
    MUST(cuMemsetD8Async(naturals.at, 0, 12, stream));
    {
        // Parameters are taken by value.
        unsigned long long at = integers.at;
        MUST(launch("atomics", {}, {96}, 0, {&at, &naturals.at, &real.at, &wide.at}, stream));
        at = 0;
    }
    MUST(cuEventRecord(joined, stream));
    MUST(cuStreamWaitEvent(other, joined, 0));
    MUST(cuMemcpyDtoDAsync_v2(copied.at, integers.at, 12, other));
    MUST(cuEventRecord(joined, other));
    MUST(cuStreamWaitEvent(stream, joined, 0));
    void *graph = nullptr, *executable = nullptr;
    MUST(cuStreamEndCapture(stream, &graph));
    MUST(cuGraphInstantiateWithFlags(&executable, graph, 0));
    EXPECT(naturals.get()[2] == 96, "nothing has run");
    for (int i = 0; i < 3; ++i) MUST(cuGraphLaunch(executable, stream));
    MUST(cuStreamSynchronize(stream));
    EXPECT(naturals.get()[2] == 96, "set to 0 and counted again");
    EXPECT(real.get()[0] == 4 * 48, "added four times");
    EXPECT(copied.get() == integers.get(), "copied last");
    MUST(cuGraphExecDestroy(executable));
    MUST(cuGraphDestroy(graph));

    // A stream that was drawn in has to be waited for.
    MUST(cuStreamBeginCapture_v2(stream, 1));
    MUST(cuEventRecord(joined, stream));
    MUST(cuStreamWaitEvent(other, joined, 0));
    MUST(cuMemsetD8Async(naturals.at, 0, 12, other));
    EXPECT(cuStreamEndCapture(stream, &graph) == 904, "unjoined");

    EXPECT(cuStreamBeginCapture_v2(nullptr, 1) == 900, "the default stream cannot be captured");
    MUST(cuStreamBeginCapture_v2(stream, 1));
    EXPECT(cuStreamSynchronize(stream) == 900, "a captured stream cannot be waited for");
    EXPECT(cuStreamEndCapture(stream, &graph) == 901, "and the capture is lost");
    MUST(cuEventDestroy_v2(begin));
    MUST(cuEventDestroy_v2(end));
    MUST(cuEventDestroy_v2(joined));
    MUST(cuStreamDestroy_v2(stream));
    MUST(cuStreamDestroy_v2(other));
}

void test_limits() {
    Array<uint32_t> out(64 * 16);
    EXPECT(launch("exchanges", {}, {1025}, 0, {&out.at}) == 1, "1,025 threads");
    EXPECT(launch("exchanges", {1, 65536}, {64}, 0, {&out.at}) == 1, "65,536 rows of blocks");
    EXPECT(launch("exchanges", {0}, {64}, 0, {&out.at}) == 1, "no blocks");
    void *exchanges = function("exchanges");
    void *parameter = &out.at;
    EXPECT(cuLaunchKernel(exchanges, 1, 1, 1, 64, 1, 1, (48 << 10) + 16, nullptr, &parameter, nullptr) == 1,
           "more than 48 KiB");
    int most = 0;
    MUST(cuDeviceGetAttribute(&most, 97, 0));
    EXPECT(cuFuncSetAttribute(exchanges, 8, most + 1) == 1, "more than the device has");
    MUST(cuFuncSetAttribute(exchanges, 8, most));
    EXPECT(cuLaunchKernel(exchanges, 1, 1, 1, 64, 1, 1, unsigned(most), nullptr, &parameter, nullptr) == 0,
           "all that it has");
    MUST(cuCtxSynchronize());
    void *nothing;
    EXPECT(cuModuleGetFunction(&nothing, module, "no_such_kernel") == 500, "no such kernel");
}

// --- what only the emulator says ---

// After a launch that failed nothing works until the context is made anew.
void renew() {
    MUST(cuDevicePrimaryCtxRelease_v2(0));
    MUST(cuDevicePrimaryCtxRetain(&context, 0));
    MUST(cuCtxSetCurrent(context));
    MUST(cuModuleLoadData(&module, text.c_str()));
}

void test_mistake(const char *kernel, int kind, unsigned threads, unsigned shared, int expected) {
    std::fflush(stdout);
    Array<int> out(std::vector<int>(64, 1));
    int result = launch(kernel, {}, {threads}, shared, {&out.at, &kind});
    EXPECT(result == expected, "%s, kind %d: %d, expected %d", kernel, kind, result, expected);
    EXPECT(cuCtxSynchronize() == expected, "%s, kind %d: the failure stays", kernel, kind);
    if (result == 0) return;
    out.at = 0;
    renew();
}

void test_mistakes(int architecture, bool early) {
    test_mistake("mistakes", 0, 32, 4096, 719);
    test_mistake("mistakes", 1, 32, 4096, 700);
    test_mistake("mistakes", 2, 32, 4096, 716);
#if !defined(__SANITIZE_ADDRESS__)
    test_mistake("mistakes", 3, 32, 4096, 700);
    test_mistake("mistakes", 7, 32, 100, 700);
    test_mistake("mistakes", 11, 32, 50, 700);
    test_mistake("mistakes", 12, 32, 0, 700);
#if defined(__x86_64__)
    // Other processors divide by 0 without a word.
    test_mistake("mistakes", 6, 32, 4096, 700);
#endif
#endif
    test_mistake("mistakes", 4, 32, 4096, 710);
    test_mistake("mistakes", 5, 32, 4096, 719);
    test_mistake("mistakes", 8, 32, 4096, 700);
    test_mistake("mistakes", 10, 32, 4096, 719);
    {
        Array<int> out(std::vector<int>(64, 1));
        int kind = 9;
        run("mistakes", {}, {32}, 4096, {&out.at, &kind});
        EXPECT(out.get()[8] == (early ? 1 : -1), "a copy without a wait gives %d", out.get()[8]);
    }
    if (architecture == 900) {
        for (int kind : {0, 1, 2, 3, 6, 10}) test_mistake("mistakes_of_hopper", kind, 128, 16384, 719);
        test_mistake("mistakes_of_hopper", 4, 128, 16384, 700);
        test_mistake("mistakes_of_hopper", 5, 128, 16384, early ? 0 : 719);
        test_mistake("mistakes_of_hopper", 7, 128, 16384, 700);
        test_mistake("mistakes_of_hopper", 8, 128, 16384, early ? 0 : 719);
        Array<int> out(std::vector<int>(64, 1));
        int kind = 9;
        run("mistakes_of_hopper", {}, {128}, 16384, {&out.at, &kind});
        EXPECT(out.get()[1] == (early ? 32 : 0) && out.get()[2] == 32, "sums before and after the wait");
    }
#if !defined(__SANITIZE_ADDRESS__)
    // Written past an allocation: seen when it is freed.
    Array<int> out(std::vector<int>(7, 1));
    int kind = -1;
    run("mistakes", {}, {32}, 4096, {&out.at, &kind});
    reinterpret_cast<int *>(out.at)[7] = 3;
    EXPECT(cuMemFree_v2(out.at) == 700, "an overrun");
    out.at = 0;
    EXPECT(cuCtxSynchronize() == 700, "and it stays");
    renew();
#endif
}

void test_memory_and_versions() {
    size_t before = 0, after = 0, total = 0;
    MUST(cuMemGetInfo_v2(&before, &total));
    unsigned long long at = 0;
    EXPECT(cuMemAlloc_v2(&at, total + 1) == 2, "more than there is");
    {
        Array<char> part(1 << 20);
        MUST(cuMemGetInfo_v2(&after, &total));
        EXPECT(before - after == 1 << 20, "what is taken is not free");
        std::vector<unsigned char> fresh(16);
        MUST(cuMemcpyDtoH_v2(fresh.data(), part.at, 16));
        EXPECT(fresh[3] == 0xa5, "fresh memory is not 0");
        EXPECT(cuMemcpyDtoH_v2(fresh.data(), part.at + (1 << 20) - 8, 16) == 1, "a copy past the end");
    }
    MUST(cuMemGetInfo_v2(&after, &total));
    EXPECT(before == after, "freed");
    void *other;
    EXPECT(cuModuleLoadData(&other, ".version 9.9\n.target sm_80\n") == 222, "newer PTX than the driver");
    EXPECT(cuModuleLoadData(&other, ".version 8.0\n.target sm_120\n") == 209, "for a newer GPU");
    EXPECT(cuModuleLoadData(&other, ".version 8.0\n.target sm_89a\n") == 209, "for one other GPU");
    EXPECT(cuModuleLoadData(&other, "nothing") == 200, "no PTX");
    EXPECT(cuModuleLoadData(&other, ".version 8.4\n.target sm_80\n.visible .entry places(\n)\n{\n}\n") == 0,
           "older PTX");
    void *found;
    EXPECT(cuModuleGetFunction(&found, other, "places") == 0, "a kernel");
    EXPECT(cuModuleGetFunction(&found, other, "turn") == 500, "a kernel that the PTX lacks");
}

std::string read(const char *path) {
    std::FILE *file = std::fopen(path, "rb");
    if (!file) {
        std::perror(path);
        std::exit(1);
    }
    std::string all;
    char part[65536];
    for (size_t got; (got = std::fread(part, 1, sizeof part, file)) > 0;) all.append(part, got);
    std::fclose(file);
    return all;
}

} // namespace

int main(int count, char **arguments) {
    if (count < 3) {
        std::printf("usage: self_test PTX 800|900 [gpu]\n");
        return 2;
    }
    text = read(arguments[1]);
    int architecture = std::atoi(arguments[2]);
    bool emulated = count < 4;
    const char *copies = std::getenv("HAPLOOM_EMULATED_COPIES");
    bool early = copies && std::strcmp(copies, "early") == 0;
    MUST(cuInit(0));
    MUST(cuDevicePrimaryCtxRetain(&context, 0));
    MUST(cuCtxSetCurrent(context));
    MUST(cuModuleLoadData(&module, text.c_str()));
    test_places();
    test_parameters();
    test_exchanges();
    test_numbers();
    test_approximations();
    test_atomics();
    test_turn();
    test_leavers();
    test_loads();
    test_multiply_bytes(false);
    test_multiply_bytes(true);
    test_multiply_reals();
    test_pipeline("copies", 32, 0);
    if (architecture == 900) {
        test_pipeline("ring", 64, 1024 + 32);
        // Neighbours along K next to each other, and neighbours along N next to each other, with gaps.
        for (auto [leading, stride] : {std::pair<unsigned, unsigned>{128, 256}, {2048, 128}, {128, 384}, {2304, 144}}) {
            test_group("group_unsigned", false, 128, leading, stride);
            test_group("group_signed", true, 128, leading, stride);
            test_group("group_half_unsigned", false, 64, leading, stride);
            test_group("group_half_signed", true, 64, leading, stride);
        }
        test_overlap();
    }
    test_events_and_graphs();
    test_limits();
    if (emulated) {
        test_memory_and_versions();
        test_mistakes(architecture, early);
    }
    std::printf("%d of %d checks failed\n", failures, checks);
    return failures != 0;
}
