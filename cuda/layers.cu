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

// Adds the sum of each channel. A block a channel.
extern "C" __global__ void channel_sums(const float *delta, unsigned long long row, float *sums) {
    float sum = 0;
    for (unsigned long long i = threadIdx.x; i < row; i += blockDim.x) sum += delta[blockIdx.x * row + i];
    const double total = block_sum(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] += (float)total;
}
KERNEL(channel_sums)

// 0 for what is dropped, `kept` for the rest: word `first + i` of the stream says it.
extern "C" __global__ void dropout_mask(unsigned long long seed, unsigned long long stream, unsigned long long first,
                                        double share, float kept, unsigned long long count, float *out) {
    FOR_EACH(i, count) out[i] = (double)random_word(seed, stream, first + i) / 4294967295.0 < share ? 0.0f : kept;
}
KERNEL(dropout_mask)

// Normalisation. A group of `width` numbers, zeros between samples among them, is a channel or a channel's part of a sample;
// `size` of them count. A block a group. What is kept of a group: its mean, its variance, and 1 / sqrt(variance + 1e-5).
struct Groups {
    const float *scale, *shift;
    double *groups;
    unsigned long long width;
    unsigned per_channel, length, segment, size;
    float slope;
    // Whether mean and variance are given, and do not depend on what is normalised.
    int fixed;
};

struct Map {
    float mean, inverse, scale, shift, slope;

    __device__ __forceinline__ explicit Map(const Groups &of) {
        const double *group = of.groups + 3ull * blockIdx.x;
        const unsigned channel = blockIdx.x / of.per_channel;
        mean = (float)group[0];
        inverse = (float)group[2];
        scale = of.scale[channel];
        shift = of.shift[channel];
        slope = of.slope;
    }
    __device__ __forceinline__ float hat(float x) const { return (x - mean) * inverse; }
    __device__ __forceinline__ float y(float hat) const {
        const float found = scale * hat + shift;
        return found > 0 ? found : slope * found;
    }
    __device__ __forceinline__ float sloped(float hat, float d) const { return scale * hat + shift > 0 ? d : slope * d; }
};

#define FOR_GROUP(i) for (unsigned long long i = threadIdx.x; i < of.width; i += blockDim.x)

__device__ __forceinline__ bool is_gap(const Groups &of, unsigned long long i) {
    return of.segment != of.length && i % of.segment == of.length;
}

extern "C" __global__ void normalise(Groups of, const float *x, const float *means, const float *variances, float *out) {
    x += blockIdx.x * of.width;
    out += blockIdx.x * of.width;
    double *group = of.groups + 3ull * blockIdx.x;
    double mean, variance;
    if (of.fixed) {
        mean = means[blockIdx.x / of.per_channel];
        variance = fmax((double)variances[blockIdx.x / of.per_channel], 0.0);
    } else {
        float sum = 0;
        FOR_GROUP(i) sum += x[i];
        mean = block_sum(sum) / of.size;
        const float centre = (float)mean;
        float squares = 0;
        FOR_GROUP(i) squares += is_gap(of, i) ? 0.0f : (x[i] - centre) * (x[i] - centre);
        variance = block_sum(squares) / of.size;
    }
    if (threadIdx.x == 0) {
        group[0] = mean;
        group[1] = variance;
        group[2] = 1.0 / sqrt(variance + 1e-5);
    }
    __syncthreads();
    const Map map(of);
    FOR_GROUP(i) out[i] = is_gap(of, i) ? 0.0f : map.y(map.hat(x[i]));
}
KERNEL(normalise)

// The gradient of x from that of the output, u; and the two sums of each group.
extern "C" __global__ void normalise_back(Groups of, const float *x, const float *u, double *sums, float *out) {
    x += blockIdx.x * of.width;
    u += blockIdx.x * of.width;
    out += blockIdx.x * of.width;
    const Map map(of);
    float along = 0, sum = 0;
    FOR_GROUP(i) {
        const float hat = map.hat(x[i]), d = map.sloped(hat, u[i]);
        along += d * hat;
        sum += d;
    }
    const double all_along = block_sum(along), all = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[2ull * blockIdx.x] = all_along;
        sums[2ull * blockIdx.x + 1] = all;
    }
    const double share = of.fixed ? 0.0 : 1.0 / of.size;
    const float mean_along = (float)(all_along * share), mean = (float)(all * share), factor = map.scale * map.inverse;
    FOR_GROUP(i) {
        const float hat = map.hat(x[i]);
        out[i] = is_gap(of, i) ? 0.0f : factor * (map.sloped(hat, u[i]) - mean - hat * mean_along);
    }
}
KERNEL(normalise_back)

// How the output moves as x moves along u.
extern "C" __global__ void normalise_tangent(Groups of, const float *x, const float *u, float *out) {
    x += blockIdx.x * of.width;
    u += blockIdx.x * of.width;
    out += blockIdx.x * of.width;
    const Map map(of);
    float along = 0, sum = 0;
    FOR_GROUP(i) {
        along += u[i] * map.hat(x[i]);
        sum += u[i];
    }
    const double share = of.fixed ? 0.0 : 1.0 / of.size;
    const float mean_along = (float)(block_sum(along) * share), mean = (float)(block_sum(sum) * share);
    const float factor = map.scale * map.inverse;
    FOR_GROUP(i) {
        const float hat = map.hat(x[i]);
        out[i] = is_gap(of, i) ? 0.0f : map.sloped(hat, factor * (u[i] - mean - hat * mean_along));
    }
}
KERNEL(normalise_tangent)

// What the second derivative sends back to x (src/nn/normalise.rs, `Normalised::second`), and the gradient of the scale, which
// is the first of each group's two sums.
extern "C" __global__ void normalise_second(Groups of, const float *x, const float *delta, const float *u, double *sums,
                                            float *out) {
    x += blockIdx.x * of.width;
    delta += blockIdx.x * of.width;
    u += blockIdx.x * of.width;
    out += blockIdx.x * of.width;
    const Map map(of);
    float b_along = 0, b_sum = 0, w_along = 0, w_sum = 0, product = 0;
    FOR_GROUP(i) {
        const float hat = map.hat(x[i]), d = map.sloped(hat, delta[i]), w = u[i];
        b_along += d * hat;
        b_sum += d;
        w_along += w * hat;
        w_sum += w;
        product += d * w;
    }
    const double along_b = block_sum(b_along), along_w = block_sum(w_along);
    const double all_b = block_sum(b_sum), all_w = block_sum(w_sum), both = block_sum(product);
    const double inverse = of.groups[3ull * blockIdx.x + 2], count = of.size;
    if (of.fixed) {
        if (threadIdx.x == 0) sums[2ull * blockIdx.x] = inverse * both;
        return;
    }
    const double b_mean = all_b / count, w_mean = all_w / count;
    const double centred = both - count * b_mean * w_mean;
    if (threadIdx.x == 0) sums[2ull * blockIdx.x] = inverse * (centred - along_b * along_w / count);
    const double factor = -(double)map.scale * inverse * inverse / count;
    const float of_hat = (float)(factor * (centred - 3.0 * along_b * along_w / count));
    const float of_b = (float)(factor * along_w), of_w = (float)(factor * along_b);
    const float constant = (float)(-factor * (along_w * b_mean + along_b * w_mean));
    FOR_GROUP(i) {
        const float hat = map.hat(x[i]);
        out[i] = is_gap(of, i) ? 0.0f : of_hat * hat + of_b * map.sloped(hat, delta[i]) + of_w * u[i] + constant;
    }
}
KERNEL(normalise_second)

// Adds, for each channel, number `which` of the two sums of its groups.
extern "C" __global__ void add_group_sums(const double *sums, unsigned channels, unsigned per_channel, unsigned which,
                                          float *gradient) {
    FOR_EACH(c, channels) {
        double sum = 0;
        for (unsigned g = 0; g < per_channel; g++) sum += sums[(c * per_channel + g) * 2 + which];
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
