// Products of factors in bfloat16 with sums in single precision, by the tensor cores: the twin of src/compute/real.
//
// Factors lie in memory in single precision, at places that a product of any layer can name: rows of weights, samples of a
// layer's input, what a kernel of three reads at a position. They are rounded as the processor rounds them, on their way to
// shared memory. The order of sums is the tensor cores' own, so the last bits are not the processor's.
#pragma once

#include "instructions.cuh"

// Where the numbers of a factor lie along one of its sides: number i is `i / group x major` and, within its group, r = i % group,
// `r x minor` or, where minor is 0, `taps[r]` further. Those whose r is `limit` or more are 0. No place is below 0.
struct Places {
    long long major;
    unsigned group, limit;
    int minor;
    int taps[3];
};

// What becomes of a sum: it is written, with its row's number in `shifts` added where there are any, or added to what is there;
// below 0 it is multiplied by `slope`. Column n is column `n / group x major + (n % group) x minor + offset`, where what comes of
// (n % group) x minor + offset is `length` there is a zero between samples, and past that nothing.
struct Finish {
    float *out;
    const float *shifts;
    unsigned long long row;
    float slope;
    int add;
    unsigned group, minor, offset, length;
    unsigned long long major;
};

#define ABSENT (-1ll)

__device__ __forceinline__ long long place_of(const Places &places, unsigned i, unsigned count) {
    if (i >= count) return ABSENT;
    if (places.group == 1) return i * places.major;
    const unsigned q = i / places.group, r = i - q * places.group;
    if (r >= places.limit) return ABSENT;
    // Not by a number: parameters that are indexed so would be copied to the stack.
    const int tap = r == 0 ? places.taps[0] : r == 1 ? places.taps[1] : places.taps[2];
    const long long inner = places.minor ? r * (long long)places.minor : tap;
    return q * places.major + inner;
}

// A factor: to the nearest number of 8 bits, ties to even; below 2^-56 it is 0, so that no product is too small to be normal.
__device__ __forceinline__ unsigned short factor_of(float x) {
    const unsigned bits = __float_as_uint(x), size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) return 0x7fc0;
    return size < (127u - 56u) << 23 ? 0 : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

__device__ __forceinline__ void finish(const Finish &of, unsigned m, unsigned n, float sum) {
    unsigned long long place = (unsigned long long)n * of.minor;
    if (of.group != 1) {
        const unsigned q = n / of.group, position = (n - q * of.group) * of.minor + of.offset;
        if (position > of.length) return;
        place = q * of.major + position;
        if (position == of.length) {
            of.out[m * of.row + place] = 0;
            return;
        }
    }
    float *out = of.out + m * of.row + place;
    if (of.add) sum = *out + sum;
    if (of.shifts) sum += of.shifts[m];
    *out = sum > 0 ? sum : of.slope * sum;
}

#define TILE_ROWS 64
#define TILE_COLUMNS 128
#define TILE_TERMS 32
#define PRODUCT_THREADS 256
// Bytes from a row of a tile in shared memory to the next: 16 more than it has, so that eight rows are in eight different
// sixteenths of the banks.
#define PITCH_TERMS (TILE_TERMS * 2 + 16)
#define PITCH_ROWS (TILE_ROWS * 2 + 16)
#define PITCH_COLUMNS (TILE_COLUMNS * 2 + 16)
// A tile takes most where its rows are along the terms; then there are the places of rows, columns and terms.
#define PRODUCT_SHARED \
    ((TILE_ROWS + TILE_COLUMNS) * PITCH_TERMS + (TILE_ROWS + TILE_COLUMNS + 2 * TILE_TERMS) * (int)sizeof(long long))

// A tile's numbers on their way to shared memory. Neighbouring threads take neighbouring terms, or, if ACROSS, neighbouring rows
// (or columns): what lies next to each other in memory. The tile in shared memory has the same direction.
template <int SIDE, bool ACROSS>
struct Loaded {
    static constexpr int COUNT = SIDE * TILE_TERMS / PRODUCT_THREADS;
    static constexpr int PITCH = ACROSS ? SIDE * 2 + 16 : PITCH_TERMS;
    float numbers[COUNT];

    __device__ __forceinline__ static unsigned side(int i) {
        return ACROSS ? threadIdx.x % SIDE : threadIdx.x / TILE_TERMS + i * (PRODUCT_THREADS / TILE_TERMS);
    }
    __device__ __forceinline__ static unsigned term(int i) {
        return ACROSS ? threadIdx.x / SIDE + i * (PRODUCT_THREADS / SIDE) : threadIdx.x % TILE_TERMS;
    }
    __device__ __forceinline__ void load(const float *values, const long long *sides, const long long *terms) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const long long a = sides[side(i)], b = terms[term(i)];
            numbers[i] = (a | b) < 0 ? 0.0f : values[a + b];
        }
    }
    __device__ __forceinline__ void store(unsigned char *tile) const {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const unsigned row = ACROSS ? term(i) : side(i), column = ACROSS ? side(i) : term(i);
            *(unsigned short *)(tile + row * PITCH + column * 2) = factor_of(numbers[i]);
        }
    }
};

// A tile of 64 x 128 by 8 warps, two down and four across, each 32 x 32. Blocks are numbered tile of columns by tile of columns,
// part of the terms by part; several parts leave their sums in `parts`, rows x columns each.
template <bool LEFT_ACROSS, bool RIGHT_ACROSS>
__device__ __forceinline__ void multiply_tile(const float *left, const Places &left_rows, const Places &left_terms,
                                              const float *right, const Places &right_columns, const Places &right_terms,
                                              const Finish &of, unsigned rows, unsigned columns, unsigned terms,
                                              unsigned part_terms, float *parts, unsigned char *shared) {
    unsigned char *const left_tile = shared, *const right_tile = shared + TILE_ROWS * PITCH_TERMS;
    long long *const row_places = (long long *)(right_tile + TILE_COLUMNS * PITCH_TERMS);
    long long *const column_places = row_places + TILE_ROWS;
    long long *const left_places = column_places + TILE_COLUMNS, *const right_places = left_places + TILE_TERMS;
    const unsigned tiles = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const unsigned first_column = blockIdx.x % tiles * TILE_COLUMNS, part = blockIdx.x / tiles;
    const unsigned first_row = blockIdx.y * TILE_ROWS;
    const unsigned first_term = part * part_terms, end = min(first_term + part_terms, terms);
    const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const unsigned warp_row = warp / 4 * 32, warp_column = warp % 4 * 32;

    for (unsigned i = threadIdx.x; i < TILE_ROWS + TILE_COLUMNS; i += PRODUCT_THREADS) {
        if (i < TILE_ROWS) row_places[i] = place_of(left_rows, first_row + i, rows);
        else column_places[i - TILE_ROWS] = place_of(right_columns, first_column + i - TILE_ROWS, columns);
    }
    auto find_terms = [&](unsigned first) {
        const unsigned k = threadIdx.x % TILE_TERMS;
        if (threadIdx.x < TILE_TERMS) left_places[k] = place_of(left_terms, first + k, end);
        else if (threadIdx.x < 2 * TILE_TERMS) right_places[k] = place_of(right_terms, first + k, end);
    };
    find_terms(first_term);
    __syncthreads();
    Loaded<TILE_ROWS, LEFT_ACROSS> a;
    Loaded<TILE_COLUMNS, RIGHT_ACROSS> b;
    a.load(left, row_places, left_places);
    b.load(right, column_places, right_places);
    __syncthreads();

    float sums[2][4][4] = {};
    const unsigned matrix = lane / 8, within = lane % 8;
    for (unsigned begin = first_term; begin < end; begin += TILE_TERMS) {
        a.store(left_tile);
        b.store(right_tile);
        find_terms(begin + TILE_TERMS);
        __syncthreads();
        if (begin + TILE_TERMS < end) {
            a.load(left, row_places, left_places);
            b.load(right, column_places, right_places);
        }
#pragma unroll
        for (int k = 0; k < TILE_TERMS; k += 16) {
            unsigned factors[2][4], others[2][4];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const unsigned m = warp_row + 16 * i + matrix % 2 * 8, n = warp_column + 16 * i + matrix / 2 * 8;
                if (LEFT_ACROSS) {
                    load_matrices_turned(factors[i], left_tile + (k + matrix / 2 * 8 + within) * PITCH_ROWS + m * 2);
                } else {
                    load_matrices(factors[i], left_tile + (m + within) * PITCH_TERMS + (k + matrix / 2 * 8) * 2);
                }
                if (RIGHT_ACROSS) {
                    load_matrices_turned(others[i], right_tile + (k + matrix % 2 * 8 + within) * PITCH_COLUMNS + n * 2);
                } else {
                    load_matrices(others[i], right_tile + (n + within) * PITCH_TERMS + (k + matrix % 2 * 8) * 2);
                }
            }
#pragma unroll
            for (int i = 0; i < 2; i++) {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    multiply_bf16(sums[i][j], factors[i], others[j / 2][j % 2 * 2], others[j / 2][j % 2 * 2 + 1]);
                }
            }
        }
        __syncthreads();
    }

#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const unsigned m = first_row + warp_row + 16 * i + e / 2 * 8 + lane / 4;
                const unsigned n = first_column + warp_column + 8 * j + lane % 4 * 2 + e % 2;
                if (m >= rows || n >= columns) continue;
                if (parts) parts[((unsigned long long)part * rows + m) * columns + n] = sums[i][j][e];
                else finish(of, m, n, sums[i][j][e]);
            }
        }
    }
}
