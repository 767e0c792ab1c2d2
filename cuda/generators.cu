// What neural generators need beside their layers: noise, alleles as critics read them, losses, steps, and the alleles that come
// of log odds. The twins of src/models/neural, src/train/neural and src/nn/optimiser.rs; see layers.cu for tensors and sums.
//
// families: sm_80

#include "activation.cuh"
#include "random.cuh"
#include "sums.cuh"

// Standard normal numbers of an input of the network: number j of row n is word `first + n x words + j` of stream
// `stream + n x streams`, and number `at + c x length + l` of a row is channel c, position l.
extern "C" __global__ void noise(unsigned long long seed, unsigned long long stream, unsigned streams,
                                 unsigned long long first, unsigned long long words, unsigned long long at,
                                 unsigned channels, unsigned samples, unsigned length, unsigned segment, float *out) {
    FOR_EACH(i, (unsigned long long)channels * samples * segment) {
        const unsigned l = i % segment, n = i / segment % samples;
        const unsigned long long c = i / segment / samples;
        const unsigned long long word = first + n * words + at + c * length + l;
        out[i] = l < length ? normal_quantile(uniform(random_word(seed, stream + (unsigned long long)n * streams, word))) : 0.0f;
    }
}
KERNEL(noise)

// One-hot codes of labels, the same at every position.
extern "C" __global__ void label_codes(const unsigned *labels, unsigned names, unsigned samples, unsigned length,
                                       unsigned segment, float *out) {
    FOR_EACH(i, (unsigned long long)names * samples * segment) {
        const unsigned l = i % segment, n = i / segment % samples, c = i / segment / samples;
        out[i] = l < length && labels[n] == c ? 1.0f : 0.0f;
    }
}
KERNEL(label_codes)

// Alleles of rows of packed bits as -1 and 1: a unit a column for a segment of 1, else a channel of positions, 0 beyond the last
// column.
extern "C" __global__ void alleles(const unsigned long long *bits, unsigned long long stride, const unsigned *rows,
                                   unsigned samples, unsigned columns, unsigned segment, float *out) {
    const unsigned long long count = (unsigned long long)samples * (segment == 1 ? columns : segment);
    FOR_EACH(i, count) {
        const unsigned n = segment == 1 ? i % samples : i / segment, c = segment == 1 ? i / samples : i % segment;
        const bool there = c < columns;
        const bool on = there && (bits[rows[n] * stride + c / 64] >> (c % 64) & 1);
        out[i] = !there ? 0.0f : on ? 1.0f : -1.0f;
    }
}
KERNEL(alleles)

// Alleles drawn from log odds, as -1 and 1, and the slopes that stand for how they change (src/train/neural/data.rs). From
// `columns` on a sample's positions are 0, where there is more than one position.
extern "C" __global__ void straight_through(const float *odds, unsigned long long count, unsigned segment, unsigned columns,
                                            unsigned long long seed, unsigned long long stream, float *drawn,
                                            float *slopes) {
    FOR_EACH(i, count) {
        const float u = uniform(random_word(seed, stream, i));
        const float noisy = odds[i] + natural_log(u / (1.0f - u));
        const float s = logistic(noisy);
        const bool there = segment == 1 || i % segment < columns;
        drawn[i] = !there ? 0.0f : noisy > 0 ? 1.0f : -1.0f;
        slopes[i] = there ? 2.0f * s * (1.0f - s) : 0.0f;
    }
}
KERNEL(straight_through)

// Points between real haplotypes, x, and artificial ones: a share a sample.
extern "C" __global__ void mix(float *x, const float *fake, const float *shares, unsigned segment, unsigned samples,
                               unsigned long long count) {
    FOR_EACH(i, count) x[i] += shares[i / segment % samples] * (fake[i] - x[i]);
}
KERNEL(mix)

// What an update measures, in double precision: `Losses` in src/train/neural/adversarial.rs.
enum Measured { CRITIC, GRADIENT, GENERATOR, REAL_LABELS, ARTIFICIAL_LABELS };

// The gradient of a critic's loss with respect to what it gave for `samples` real and then as many artificial samples; with
// `generator`, of the generator's loss for `samples` artificial ones. One block.
extern "C" __global__ void critic_loss(const float *given, unsigned samples, int generator, int wasserstein, double steps,
                                       float *seed, double *losses) {
    double sum = 0;
    const double count = samples;
    for (unsigned n = threadIdx.x; n < (generator ? samples : 2 * samples); n += blockDim.x) {
        const float o = given[n];
        if (generator) {
            sum += (wasserstein ? (double)-o : (double)softplus(-o)) / count;
            seed[n] = (float)((wasserstein ? -1.0 : -(double)logistic(-o)) / count);
        } else {
            const double sign = n < samples ? 1.0 : -1.0;
            sum += sign * o / count / steps;
            seed[n] = (float)(wasserstein ? -sign / count : -sign * (double)logistic((float)-sign * o) / count);
        }
    }
    const double total = block_sum(sum);
    if (threadIdx.x == 0) losses[generator ? GENERATOR : CRITIC] += total;
}
KERNEL(critic_loss)

// The loss of an auxiliary classifier (src/train/neural/label_loss.rs): of what a critic gave for samples `first` on, rows of
// `row` samples; its gradient is put into `seed`. One block; a thread a haplotype.
extern "C" __global__ void label_loss(const float *given, unsigned row, unsigned first, const unsigned *labels,
                                      unsigned haplotypes, unsigned samples, unsigned names, double share, int generator,
                                      int side, double steps, float *seed, double *losses) {
    const double SMOOTHING = 0.1, EPSILON = 0.2;
    double loss = 0, right = 0;
    for (unsigned i = threadIdx.x; i < haplotypes; i += blockDim.x) {
        const unsigned long long at = (1ull + i / samples * names) * row + first + i % samples;
        const float *logits = given + at;
        const unsigned label = labels[i];
        float top = logits[0];
        unsigned likeliest = 0;
        for (unsigned c = 1; c < names; c++) {
            const float logit = logits[(unsigned long long)c * row];
            if (logit > top) {
                top = logit;
                likeliest = c;
            }
        }
        double total = 0, expected = 0, hit = 0;
        for (unsigned c = 0; c < names; c++) {
            const float above = logits[(unsigned long long)c * row] - top;
            const double target = (c == label ? 1.0 - SMOOTHING : 0.0) + SMOOTHING / names, p = exponential(above);
            total += p;
            hit += target * p;
            expected += target * above;
        }
        hit /= total;
        for (unsigned c = 0; c < names; c++) {
            const double target = (c == label ? 1.0 - SMOOTHING : 0.0) + SMOOTHING / names;
            const double p = exponential(logits[(unsigned long long)c * row] - top) / total;
            seed[at + (unsigned long long)c * row] = (float)(share * (p - target - EPSILON * p * (target - hit)));
        }
        loss += log(total) - expected + EPSILON * (1.0 - hit);
        right += likeliest == label ? 1.0 : 0.0;
    }
    loss = block_sum(loss);
    right = block_sum(right);
    if (threadIdx.x == 0) {
        if (generator) losses[GENERATOR] += share * loss;
        else losses[side ? ARTIFICIAL_LABELS : REAL_LABELS] += right / haplotypes / steps;
    }
}
KERNEL(label_loss)

// The square of the length of each sample's gradient. A block a sample.
extern "C" __global__ void sample_squares(const float *g, unsigned channels, unsigned samples, unsigned segment,
                                          double *squares) {
    float sum = 0;
    const unsigned long long count = (unsigned long long)channels * segment;
    for (unsigned long long i = threadIdx.x; i < count; i += blockDim.x) {
        const float x = g[(i / segment * samples + blockIdx.x) * segment + i % segment];
        sum += x * x;
    }
    const double total = block_sum(sum);
    if (threadIdx.x == 0) squares[blockIdx.x] = total;
}
KERNEL(sample_squares)

// What gradients are multiplied by to be those of the penalty on their lengths. One block.
extern "C" __global__ void penalty_factors(const double *squares, unsigned samples, int wasserstein, double penalty,
                                           double every, float *factors, double *losses) {
    double sum = 0;
    for (unsigned n = threadIdx.x; n < samples; n += blockDim.x) {
        const double length = sqrt(squares[n]);
        const double slope = wasserstein ? 2.0 * penalty * (length - 1.0) / fmax(length, 1e-9) : penalty;
        factors[n] = (float)(every * slope / samples);
        sum += length;
    }
    const double total = block_sum(sum);
    if (threadIdx.x == 0) losses[GRADIENT] = total / samples;
}
KERNEL(penalty_factors)

extern "C" __global__ void scale_samples(const float *g, const float *factors, unsigned segment, unsigned samples,
                                         unsigned long long count, float *out) {
    FOR_EACH(i, count) out[i] = g[i] * factors[i / segment % samples];
}
KERNEL(scale_samples)

// Log variances are kept within this of 0 (src/train/neural/variational.rs).
__device__ __forceinline__ float log_variance(float x) { return fminf(fmaxf(x, -12.0f), 12.0f); }

// z = mean + exp(log variance / 2) noise; the `count` log variances come after the means.
extern "C" __global__ void code(const float *given, const float *noise, unsigned long long count, float *z) {
    FOR_EACH(i, count) z[i] = given[i] + exponential(0.5f * log_variance(given[count + i])) * noise[i];
}
KERNEL(code)

// Binary cross entropy of log odds and alleles, -1 and 1, or 0 where there is nothing: its gradient, and sums by block.
extern "C" __global__ void cross_entropy(const float *odds, const float *x, unsigned long long count, float samples,
                                         float *seed, double *parts) {
    float sum = 0;
    FOR_EACH(i, count) {
        const float o = odds[i], allele = x[i];
        if (allele != 0) sum += softplus(-o * allele);
        seed[i] = allele != 0 ? -allele * logistic(-o * allele) / samples : 0.0f;
    }
    const double total = block_sum(sum);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}
KERNEL(cross_entropy)

// The gradient of means and log variances from that of z, with that of the divergence; and the divergence, in sums by block.
extern "C" __global__ void code_back(const float *given, const float *noise, const float *of_z, float share,
                                     unsigned long long count, float *out, double *parts) {
    double sum = 0;
    FOR_EACH(i, count) {
        const float m = given[i], l = log_variance(given[count + i]), g = of_z[i], deviation = exponential(0.5f * l);
        sum += 0.5 * (double)(deviation * deviation + m * m - 1.0f - l);
        out[i] = g + share * m;
        out[count + i] = 0.5f * (g * deviation * noise[i] + share * (deviation * deviation - 1.0f));
    }
    const double total = block_sum(sum);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}
KERNEL(code_back)

// The sum of what blocks left, over a number. One block.
extern "C" __global__ void add_blocks(const double *parts, unsigned count, double over, double *out) {
    double sum = 0;
    for (unsigned i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
    const double total = block_sum(sum);
    if (threadIdx.x == 0) *out += total / over;
}
KERNEL(add_blocks)

// A step by Adam, or by RMSprop where there are no first moments; and what a running average becomes after it.
extern "C" __global__ void descend(float *parameters, float *first, float *second, float *average, const float *gradient,
                                   unsigned long long count, float decay, float rate, float keep_first, float keep_second,
                                   float correction, float keep) {
    FOR_EACH(i, count) {
        float x = parameters[i];
        const float g = gradient[i] + decay * x;
        const float s = keep_second * second[i] + (1.0f - keep_second) * g * g;
        second[i] = s;
        if (first) {
            const float m = keep_first * first[i] + (1.0f - keep_first) * g;
            first[i] = m;
            x -= rate * m / (sqrtf(s) * correction + 1e-8f);
        } else {
            x -= rate * g / (sqrtf(s) + 1e-8f);
        }
        parameters[i] = x;
        if (average) average[i] += (1.0f - keep) * (x - average[i]);
    }
}
KERNEL(descend)

// The running average of numbers that no step moves.
extern "C" __global__ void follow(const float *parameters, float *average, unsigned long long count, float keep) {
    FOR_EACH(i, count) average[i] += (1.0f - keep) * (parameters[i] - average[i]);
}
KERNEL(follow)

// Log odds, a row each.
extern "C" __global__ void rows_of(const float *given, unsigned samples, unsigned columns, unsigned segment, float *out) {
    FOR_EACH(i, (unsigned long long)samples * columns) {
        const unsigned long long n = i / columns, c = i % columns;
        out[i] = segment == 1 ? given[c * samples + n] : given[n * segment + c];
    }
}
KERNEL(rows_of)

// Alleles from log odds: on with the logistic function of `odds x sharpness + bias`, or where that is above 0 if they are not
// drawn. Row n has words of stream `stream + n` from chunk `chunk` on. Sixteen threads make a word of 64 alleles.
extern "C" __global__ void draw_alleles(const float *given, unsigned samples, unsigned columns, unsigned segment,
                                  const float *bias, float sharpness, int drawn, unsigned long long seed,
                                  unsigned long long stream, unsigned long long chunk, unsigned long long *out,
                                  unsigned stride) {
    const unsigned long long word = (blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x) / 16;
    const unsigned lane = threadIdx.x % 16;
    const unsigned long long n = word / stride;
    const unsigned c = word % stride;
    unsigned long long bits = 0;
    if (n < samples) {
        unsigned words[4] = {};
        if (drawn) random_words(seed, stream + n, chunk + c, lane, words);
        for (unsigned w = 0; w < 4; w++) {
            const unsigned column = 64 * c + 16 * w + lane;
            if (column >= columns) continue;
            const float odds = segment == 1 ? given[(unsigned long long)column * samples + n] : given[n * segment + column];
            const float x = odds * sharpness + bias[column];
            const bool on = drawn ? uniform(words[w]) * (1.0f + exponential(-x)) < 1.0f : x > 0;
            bits |= (unsigned long long)on << (16 * w + lane);
        }
    }
#pragma unroll
    for (int apart = 8; apart > 0; apart /= 2) bits |= __shfl_xor_sync(0xffffffffu, bits, apart);
    if (lane == 0 && n < samples) out[word] = bits;
}
KERNEL(draw_alleles)
