// Layers of neural networks, forward and backward, on activations in single precision: the twins of src/nn.
//
// families: sm_80
// instructions: product_ sm_80=HMMA
//
// A tensor is channels x samples x positions, a row a channel, with a zero after each sample where there is more than one
// position (`segment` is the length and that zero), as src/nn/tensor.rs has it; pointers are to the first row. Sums over many
// numbers are made in single precision by each thread and in double precision over threads, always in the same order, so a
// device gives the same bits each time.

#include "activation.cuh"
#include "product_bf16.cuh"
#include "random.cuh"
#include "sums.cuh"

#define PRODUCT(name, LEFT_ACROSS, RIGHT_ACROSS)                                                                          \
    extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS, 2)                                                      \
        name(const float *left, Places left_rows, Places left_terms, const float *right, Places right_columns,            \
             Places right_terms, Finish of, unsigned rows, unsigned columns, unsigned terms, unsigned part_terms,         \
             float *parts) {                                                                                              \
        __shared__ __align__(16) unsigned char shared[PRODUCT_SHARED];                                                    \
        multiply_tile<LEFT_ACROSS, RIGHT_ACROSS>(left, left_rows, left_terms, right, right_columns, right_terms, of,      \
                                                 rows, columns, terms, part_terms, parts, shared);                        \
    }

// Weights by samples or positions: rows of weights have their terms next to each other.
PRODUCT(product_forward, false, true)
KERNEL(product_forward)
// Turned weights by samples or positions.
PRODUCT(product_back, true, true)
KERNEL(product_back)
// Gradients of weights: terms are samples or positions.
PRODUCT(product_gradient, false, false)
KERNEL(product_gradient)

// The sums of all parts of the terms, in order.
extern "C" __global__ void join_parts(const float *parts, unsigned count, unsigned rows, unsigned columns, Finish of) {
    const unsigned long long size = (unsigned long long)rows * columns;
    FOR_EACH(at, size) {
        float sum = 0;
        for (unsigned part = 0; part < count; part++) sum += parts[part * size + at];
        finish(of, at / columns, at % columns, sum);
    }
}
KERNEL(join_parts)

// What is done to each number, or pair of numbers (`Each` in src/compute/cuda/layers.rs). a is the gradient of an output where
// there is one, b what the layer gave.
enum Each {
    LEAKY,
    TANH,
    LOGISTIC,
    SUM,
    PRODUCT_OF,
    LEAKY_BACK,
    TANH_BACK,
    LOGISTIC_BACK,
    TANH_BENT,
    LOGISTIC_BENT,
};

extern "C" __global__ void each(int what, const float *a, const float *b, float slope, float *out, unsigned long long count) {
    FOR_EACH(i, count) {
        const float x = a[i], y = what >= SUM ? b[i] : 0.0f;
        float found = x;
        switch (what) {
        case LEAKY: found = x > 0 ? x : slope * x; break;
        case TANH: {
            const float s = logistic(x + x);
            found = s + s - 1.0f;
            break;
        }
        case LOGISTIC: found = logistic(x); break;
        case SUM: found = x + y; break;
        case PRODUCT_OF: found = x * y; break;
        case LEAKY_BACK: found = y > 0 ? x : slope * x; break;
        case TANH_BACK: found = x * (1.0f - y * y); break;
        case LOGISTIC_BACK: found = x * y * (1.0f - y); break;
        case TANH_BENT: found = -(x + x) * y * (1.0f - y * y); break;
        case LOGISTIC_BENT: found = x * y * (1.0f - y) * (1.0f - y - y); break;
        }
        out[i] = found;
    }
}
KERNEL(each)

// `rows` rows of `width` numbers, copied from one pitch to another.
extern "C" __global__ void copy_across(const float *from, unsigned long long from_pitch, float *to,
                                       unsigned long long to_pitch, unsigned long long width, unsigned rows) {
    FOR_EACH(at, width * rows) to[at / width * to_pitch + at % width] = from[at / width * from_pitch + at % width];
}
KERNEL(copy_across)

// Zeros between samples.
extern "C" __global__ void close_gaps(float *rows, unsigned long long samples, unsigned segment) {
    FOR_EACH(at, samples) rows[at * segment + segment - 1] = 0;
}
KERNEL(close_gaps)

// Channels x positions of each sample as units.
extern "C" __global__ void flatten(const float *x, unsigned channels, unsigned samples, unsigned length, unsigned segment,
                                   float *out) {
    FOR_EACH(at, (unsigned long long)channels * samples * length) {
        const unsigned n = at % samples;
        const unsigned long long unit = at / samples;
        out[at] = x[(unit / length * samples + n) * segment + unit % length];
    }
}
KERNEL(flatten)

// Units of each sample as channels x positions.
extern "C" __global__ void fold(const float *x, unsigned channels, unsigned samples, unsigned length, unsigned segment,
                                float *out) {
    FOR_EACH(at, (unsigned long long)channels * samples * segment) {
        const unsigned l = at % segment, n = at / segment % samples;
        const unsigned long long c = at / segment / samples;
        out[at] = l < length ? x[(c * length + l) * samples + n] : 0.0f;
    }
}
KERNEL(fold)

// Values of channels x positions, the same for all samples.
extern "C" __global__ void location(const float *values, unsigned channels, unsigned samples, unsigned length,
                                    unsigned segment, float *out) {
    FOR_EACH(at, (unsigned long long)channels * samples * segment) {
        const unsigned l = at % segment;
        out[at] = l < length ? values[at / segment / samples * length + l] : 0.0f;
    }
}
KERNEL(location)

extern "C" __global__ void location_gradient(const float *delta, unsigned channels, unsigned samples, unsigned length,
                                             unsigned segment, float *sums) {
    FOR_EACH(at, (unsigned long long)channels * length) {
        const float *from = delta + at / length * samples * segment + at % length;
        float sum = sums[at];
        for (unsigned n = 0; n < samples; n++) sum += from[(unsigned long long)n * segment];
        sums[at] = sum;
    }
}
KERNEL(location_gradient)

// A layer with weights of its own at each position, outputs x inputs x positions; with `back`, from gradients of its outputs to
// those of its inputs, which are `channels` then.
extern "C" __global__ void local(const float *weights, const float *x, unsigned channels, unsigned others, int back,
                                 unsigned samples, unsigned length, unsigned segment, float *out) {
    FOR_EACH(at, (unsigned long long)channels * samples * segment) {
        const unsigned l = at % segment, n = at / segment % samples, m = at / segment / samples;
        float sum = 0;
        for (unsigned c = 0; c < others && l < length; c++) {
            const unsigned long long weight = back ? (unsigned long long)c * channels + m : (unsigned long long)m * others + c;
            sum += weights[weight * length + l] * x[((unsigned long long)c * samples + n) * segment + l];
        }
        out[at] = sum;
    }
}
KERNEL(local)

extern "C" __global__ void local_gradient(const float *x, const float *delta, unsigned inputs, unsigned outputs,
                                          unsigned samples, unsigned length, unsigned segment, float *sums) {
    FOR_EACH(at, (unsigned long long)outputs * inputs * length) {
        const unsigned l = at % length, c = at / length % inputs, m = at / length / inputs;
        float sum = sums[at];
        for (unsigned n = 0; n < samples; n++) {
            sum += delta[((unsigned long long)m * samples + n) * segment + l]
                 * x[((unsigned long long)c * samples + n) * segment + l];
        }
        sums[at] = sum;
    }
}
KERNEL(local_gradient)

// The sum of each of `parts` parts of each channel. A block a part.
extern "C" __global__ void channel_sums(const float *delta, unsigned long long row, unsigned parts, double *sums) {
    const unsigned long long size = (row + parts - 1) / parts, begin = blockIdx.x % parts * size;
    const unsigned long long end = min(begin + size, row);
    delta += blockIdx.x / parts * row;
    float sum = 0;
    for (unsigned long long i = begin + threadIdx.x; i < end; i += blockDim.x) sum += delta[i];
    const double total = block_sum(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}
KERNEL(channel_sums)

// 0 for what is dropped, `kept` for the rest: word `first + i` of the stream says it.
extern "C" __global__ void dropout_mask(unsigned long long seed, unsigned long long stream, unsigned long long first,
                                        double share, float kept, unsigned long long count, float *out) {
    FOR_EACH(i, count) out[i] = (double)random_word(seed, stream, first + i) / 4294967295.0 < share ? 0.0f : kept;
}
KERNEL(dropout_mask)

// Normalisation. A group of `width` numbers, zeros between samples among them, is a channel or a channel's part of a sample;
// `size` of them count. What is kept of a group: its mean, its variance, and 1 / sqrt(variance + 1e-5). A block is a group, or, of
// few wide ones, one of `parts` parts of a group; sums over a group come then from a launch of their own, `normalise_sums`.
struct Groups {
    const float *scale, *shift;
    double *groups;
    // SUMS numbers for each part.
    double *sums;
    unsigned long long width;
    unsigned per_channel, length, segment, size, parts;
    float slope;
    // Whether mean and variance are given, and do not depend on what is normalised.
    int fixed;
};

#define SUMS 5

struct Map {
    float mean, inverse, scale, shift, slope;

    __device__ __forceinline__ Map(const Groups &of, unsigned group, double mean, double inverse)
        : mean((float)mean), inverse((float)inverse), scale(of.scale[group / of.per_channel]),
          shift(of.shift[group / of.per_channel]), slope(of.slope) {}
    __device__ __forceinline__ Map(const Groups &of, unsigned group)
        : Map(of, group, of.groups[3ull * group], of.groups[3ull * group + 2]) {}
    __device__ __forceinline__ float hat(float x) const { return (x - mean) * inverse; }
    __device__ __forceinline__ float y(float hat) const {
        const float found = scale * hat + shift;
        return found > 0 ? found : slope * found;
    }
    __device__ __forceinline__ float sloped(float hat, float d) const { return scale * hat + shift > 0 ? d : slope * d; }
};

// What a block works on.
struct Part {
    unsigned group, number;
    // From the group's first number on.
    unsigned long long first, begin, end;

    __device__ __forceinline__ explicit Part(const Groups &of) : group(blockIdx.x / of.parts), number(blockIdx.x % of.parts) {
        const unsigned long long size = (of.width + of.parts - 1) / of.parts;
        first = group * of.width;
        begin = number * size;
        end = min(begin + size, of.width);
    }
};

#define FOR_PART(i) for (unsigned long long i = part.begin + threadIdx.x; i < part.end; i += blockDim.x)

__device__ __forceinline__ bool is_gap(const Groups &of, unsigned long long i) {
    return of.segment != of.length && i % of.segment == of.length;
}

// Sums of a group over what `add` adds for each of its numbers: made here where the block is the group, else those that
// `normalise_sums` left from number `from` on.
template <int N, typename Add>
__device__ __forceinline__ void group_sums(const Groups &of, const Part &part, unsigned from, Add add, double (&out)[N]) {
    if (of.parts == 1) {
        float sums[N] = {};
        FOR_PART(i) add(i, sums);
#pragma unroll
        for (int k = 0; k < N; k++) out[k] = block_sum(sums[k]);
        return;
    }
#pragma unroll
    for (int k = 0; k < N; k++) {
        const unsigned long long place = ((unsigned long long)part.group * of.parts + threadIdx.x) * SUMS + from + k;
        out[k] = block_sum(threadIdx.x < of.parts ? of.sums[place] : 0.0);
    }
}

// What is added for number i; the pointers are to the group's first one.
struct AddNumbers {
    const float *x;
    __device__ __forceinline__ void operator()(unsigned long long i, float (&sums)[1]) const { sums[0] += x[i]; }
};
struct AddSquares {
    const Groups &of;
    const float *x;
    float centre;
    __device__ __forceinline__ void operator()(unsigned long long i, float (&sums)[1]) const {
        if (!is_gap(of, i)) sums[0] += (x[i] - centre) * (x[i] - centre);
    }
};
struct AddBack {
    const Map &map;
    const float *x, *u;
    __device__ __forceinline__ void operator()(unsigned long long i, float (&sums)[2]) const {
        const float hat = map.hat(x[i]), d = map.sloped(hat, u[i]);
        sums[0] += d * hat;
        sums[1] += d;
    }
};
struct AddTangent {
    const Map &map;
    const float *x, *u;
    __device__ __forceinline__ void operator()(unsigned long long i, float (&sums)[2]) const {
        sums[0] += u[i] * map.hat(x[i]);
        sums[1] += u[i];
    }
};
struct AddSecond {
    const Map &map;
    const float *x, *delta, *u;
    __device__ __forceinline__ void operator()(unsigned long long i, float (&sums)[5]) const {
        const float hat = map.hat(x[i]), d = map.sloped(hat, delta[i]), w = u[i];
        sums[0] += d * hat;
        sums[1] += d;
        sums[2] += w * hat;
        sums[3] += w;
        sums[4] += d * w;
    }
};

// What `normalise_sums` sums.
enum Summed { NUMBERS, SQUARES, BACK, TANGENT, SECOND };

template <int N, typename Add>
__device__ __forceinline__ void part_sums(const Groups &of, const Part &part, unsigned to, Add add) {
    float sums[N] = {};
    FOR_PART(i) add(i, sums);
#pragma unroll
    for (int k = 0; k < N; k++) {
        const double total = block_sum(sums[k]);
        if (threadIdx.x == 0) of.sums[(unsigned long long)blockIdx.x * SUMS + to + k] = total;
    }
}

// The mean of a group whose sums of numbers are there.
__device__ __forceinline__ double mean_of(const Groups &of, const Part &part, const float *x) {
    double sum[1];
    group_sums(of, part, 0, AddNumbers{x}, sum);
    return sum[0] / of.size;
}

extern "C" __global__ void normalise_sums(Groups of, int what, const float *x, const float *u, const float *delta) {
    const Part part(of);
    x += part.first;
    if (what == NUMBERS) {
        part_sums<1>(of, part, 0, AddNumbers{x});
        return;
    }
    if (what == SQUARES) {
        part_sums<1>(of, part, 1, AddSquares{of, x, (float)mean_of(of, part, x)});
        return;
    }
    u += part.first;
    const Map map(of, part.group);
    if (what == BACK) part_sums<2>(of, part, 0, AddBack{map, x, u});
    else if (what == TANGENT) part_sums<2>(of, part, 0, AddTangent{map, x, u});
    else part_sums<5>(of, part, 0, AddSecond{map, x, delta + part.first, u});
}
KERNEL(normalise_sums)

extern "C" __global__ void normalise(Groups of, const float *x, const float *means, const float *variances, float *out) {
    const Part part(of);
    x += part.first;
    out += part.first;
    double mean, variance;
    if (of.fixed) {
        mean = means[part.group / of.per_channel];
        variance = fmax((double)variances[part.group / of.per_channel], 0.0);
    } else {
        mean = mean_of(of, part, x);
        double squares[1];
        group_sums(of, part, 1, AddSquares{of, x, (float)mean}, squares);
        variance = squares[0] / of.size;
    }
    const double inverse = 1.0 / sqrt(variance + 1e-5);
    if (threadIdx.x == 0 && part.number == 0) {
        double *group = of.groups + 3ull * part.group;
        group[0] = mean;
        group[1] = variance;
        group[2] = inverse;
    }
    const Map map(of, part.group, mean, inverse);
    FOR_PART(i) out[i] = is_gap(of, i) ? 0.0f : map.y(map.hat(x[i]));
}
KERNEL(normalise)

// The gradient of x from that of the output, u; and the two sums of each group.
extern "C" __global__ void normalise_back(Groups of, const float *x, const float *u, double *sums, float *out) {
    const Part part(of);
    x += part.first;
    u += part.first;
    out += part.first;
    const Map map(of, part.group);
    double found[2];
    group_sums(of, part, 0, AddBack{map, x, u}, found);
    if (threadIdx.x == 0 && part.number == 0) {
        sums[2ull * part.group] = found[0];
        sums[2ull * part.group + 1] = found[1];
    }
    const double share = of.fixed ? 0.0 : 1.0 / of.size;
    const float along = (float)(found[0] * share), mean = (float)(found[1] * share), factor = map.scale * map.inverse;
    FOR_PART(i) {
        const float hat = map.hat(x[i]);
        out[i] = is_gap(of, i) ? 0.0f : factor * (map.sloped(hat, u[i]) - mean - hat * along);
    }
}
KERNEL(normalise_back)

// How the output moves as x moves along u.
extern "C" __global__ void normalise_tangent(Groups of, const float *x, const float *u, float *out) {
    const Part part(of);
    x += part.first;
    u += part.first;
    out += part.first;
    const Map map(of, part.group);
    double found[2];
    group_sums(of, part, 0, AddTangent{map, x, u}, found);
    const double share = of.fixed ? 0.0 : 1.0 / of.size;
    const float along = (float)(found[0] * share), mean = (float)(found[1] * share), factor = map.scale * map.inverse;
    FOR_PART(i) {
        const float hat = map.hat(x[i]);
        out[i] = is_gap(of, i) ? 0.0f : map.sloped(hat, factor * (u[i] - mean - hat * along));
    }
}
KERNEL(normalise_tangent)

// What the second derivative sends back to x (src/nn/normalise.rs, `Normalised::second`), and the gradient of the scale, which
// is the first of each group's two sums.
extern "C" __global__ void normalise_second(Groups of, const float *x, const float *delta, const float *u, double *sums,
                                            float *out) {
    const Part part(of);
    x += part.first;
    delta += part.first;
    u += part.first;
    out += part.first;
    const Map map(of, part.group);
    double found[5];
    group_sums(of, part, 0, AddSecond{map, x, delta, u}, found);
    const double along_b = found[0], all_b = found[1], along_w = found[2], all_w = found[3], both = found[4];
    const double inverse = of.groups[3ull * part.group + 2], count = of.size;
    const bool first = threadIdx.x == 0 && part.number == 0;
    if (of.fixed) {
        if (first) sums[2ull * part.group] = inverse * both;
        return;
    }
    const double b_mean = all_b / count, w_mean = all_w / count;
    const double centred = both - count * b_mean * w_mean;
    if (first) sums[2ull * part.group] = inverse * (centred - along_b * along_w / count);
    const double factor = -(double)map.scale * inverse * inverse / count;
    const float of_hat = (float)(factor * (centred - 3.0 * along_b * along_w / count));
    const float of_b = (float)(factor * along_w), of_w = (float)(factor * along_b);
    const float constant = (float)(-factor * (along_w * b_mean + along_b * w_mean));
    FOR_PART(i) {
        const float hat = map.hat(x[i]);
        out[i] = is_gap(of, i) ? 0.0f : of_hat * hat + of_b * map.sloped(hat, delta[i]) + of_w * u[i] + constant;
    }
}
KERNEL(normalise_second)

// Adds, for each channel, number `which` of the sums of its groups, which are `apart` numbers apart.
extern "C" __global__ void add_group_sums(const double *sums, unsigned channels, unsigned per_channel, unsigned apart,
                                          unsigned which, float *gradient) {
    FOR_EACH(c, channels) {
        double sum = 0;
        for (unsigned g = 0; g < per_channel; g++) sum += sums[(c * per_channel + g) * apart + which];
        gradient[c] += (float)sum;
    }
}
KERNEL(add_group_sums)

// Running means and variances become `share` of a batch's, and the rest of what they were.
extern "C" __global__ void mix_statistics(const double *groups, unsigned channels, double share, double unbiased,
                                          float *means, float *variances) {
    FOR_EACH(c, channels) {
        means[c] = (float)((1.0 - share) * means[c] + share * groups[3 * c]);
        variances[c] = (float)((1.0 - share) * variances[c] + share * (groups[3 * c + 1] * unbiased));
    }
}
KERNEL(mix_statistics)
