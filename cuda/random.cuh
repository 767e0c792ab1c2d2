// Philox4x32-10, with the words of src/rng.rs: word 64 c + 16 w + l of a stream is output w of counter 16 c + l. Of a chunk's 64
// Bernoulli units 8 j + l, unit 8 w + l has that word, and unit 8 (w + 4) + l the same with its halves exchanged.
#pragma once

#include "instructions.cuh"

// Which random numbers an operation uses: row r reads the stream `first + r` (a purpose stands in its upper 16 bits), from
// word `position` on, and from `*moved` words further where `moved` is not null: a graph that is launched again and again
// moves it.
struct Noise {
    unsigned long long seed;
    unsigned long long first;
    unsigned long long position;
    const unsigned long long *moved;
};

__device__ __forceinline__ void philox(unsigned (&c)[4], unsigned k0, unsigned k1) {
    const unsigned M0 = 0xD2511F53u, M1 = 0xCD9E8D57u, W0 = 0x9E3779B9u, W1 = 0xBB67AE85u;
#pragma unroll
    for (int round = 0; round < 10; round++) {
        unsigned low0 = M0 * c[0], high0 = __umulhi(M0, c[0]);
        unsigned low1 = M1 * c[2], high1 = __umulhi(M1, c[2]);
        c[0] = high1 ^ c[1] ^ k0;
        c[1] = low1;
        c[2] = high0 ^ c[3] ^ k1;
        c[3] = low0;
        k0 += W0;
        k1 += W1;
    }
}

// Words `64 chunk + lane`, `+ 16`, `+ 32` and `+ 48` of a stream.
__device__ __forceinline__ void random_words(unsigned long long seed, unsigned long long stream, unsigned long long chunk,
                                             unsigned lane, unsigned (&words)[4]) {
    unsigned long long counter = chunk * 16 + lane;
    words[0] = (unsigned)counter;
    words[1] = (unsigned)(counter >> 32);
    words[2] = (unsigned)stream;
    words[3] = (unsigned)(stream >> 32);
    philox(words, (unsigned)seed, (unsigned)(seed >> 32));
}

__device__ __forceinline__ unsigned halves_exchanged(unsigned word) { return __byte_perm(word, 0, 0x1032); }

// Word `index` of a stream.
__device__ __forceinline__ unsigned random_word(unsigned long long seed, unsigned long long stream,
                                                unsigned long long index) {
    unsigned words[4];
    unsigned within = (unsigned)(index % 64);
    random_words(seed, stream, index / 64, within % 16, words);
    return within / 16 == 0 ? words[0] : within / 16 == 1 ? words[1] : within / 16 == 2 ? words[2] : words[3];
}

__device__ __forceinline__ unsigned long long position_of(const Noise &noise) {
    return noise.position + (noise.moved ? *noise.moved : 0);
}
