// Something for each of so many numbers: the grid's threads take them in turn, neighbours side by side.
#pragma once

#define FOR_EACH(index, count)                                                                                  \
    for (unsigned long long index = blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x; index < (count); \
         index += (unsigned long long)gridDim.x * blockDim.x)
