// How a fixed-point weight matrix (inputs x outputs) lies in a device's memory.
//
// A 16-bit weight is `256 high + low`, high a signed byte and low an unsigned one: tensor cores multiply bytes twice as fast
// as bfloat16, so both together cost what one product in bfloat16 would, and nothing is rounded. Weights lie in tiles of
// TILE_OUTPUTS outputs; a tile has its high plane, then its low one; a plane has chunks of 16 inputs, in which 16 bytes of
// one output stand beside those of the next: the "core matrices" (8 outputs x 16 inputs, 128 bytes) that `wgmma` and
// `ldmatrix` read, so that a run of chunks is copied to shared memory as it lies. Of 128 inputs every eighth is in a chunk,
// from input j on in chunk j: a thread's four factors of a chunk are then bit j of each byte of 32 bits of states.
#pragma once

#include "instructions.cuh"

#define TILE_OUTPUTS 128
// Inputs are padded with zeros to a multiple of this; so are the columns of states.
#define PADDED 128
#define CHUNK_BYTES (16 * TILE_OUTPUTS)

__device__ __forceinline__ unsigned chunks_of(unsigned inputs) { return (inputs + PADDED - 1) / PADDED * (PADDED / 16); }

__device__ __forceinline__ unsigned tiles_of(unsigned outputs) { return (outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS; }

__device__ __forceinline__ const unsigned char *plane_of(const unsigned char *weights, unsigned tile, int plane,
                                                         unsigned chunks) {
    return weights + ((unsigned long long)tile * 2 + plane) * chunks * CHUNK_BYTES;
}

// The input that byte `b` of a chunk belongs to.
__device__ __forceinline__ unsigned input_of(unsigned chunk, unsigned b) { return chunk / 8 * PADDED + chunk % 8 + 8 * b; }
