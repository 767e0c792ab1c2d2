/* What the C border costs: calls that do nothing, panels from packed bits, and the sampler's stream.
 *
 * benches/ffi.sh builds and runs it beside the same stream in Rust. */

#include <haploom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SITES 10000
#define HAPLOTYPES 5008
#define ROUNDS 25

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(haploom_status status) {
    char text[1000];
    if (status == HAPLOOM_OK) return;
    haploom_last_error(text, sizeof text);
    fprintf(stderr, "%s: %s\n", haploom_status_name(status), text);
    exit(1);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, int n) {
    qsort(times, (size_t)n, sizeof *times, by_size);
    return times[n / 2];
}

static void calls(void) {
    const int n = 10000000;
    haploom_panel *panel;
    haploom_options *options;
    double t;
    size_t sum = 0;
    check(haploom_panel_demo(HAPLOOM_DEMO_ALL, &panel));
    check(haploom_options_new(&options));
    t = now();
    for (int i = 0; i < n; i++) sum += haploom_panel_haplotypes(panel);
    printf("getter %.2f ns\n", (now() - t) / n * 1e9);
    t = now();
    for (int i = 0; i < n; i++) sum += (size_t)haploom_options_set_progress(options, NULL, NULL);
    printf("status %.2f ns\n", (now() - t) / n * 1e9);
    t = now();
    for (int i = 0; i < n; i++) sum += (size_t)haploom_version();
    printf("version %.2f ns (%zu)\n", (now() - t) / n * 1e9, sum & 1);
    haploom_options_free(options);
    haploom_panel_free(panel);
}

static haploom_sites *sites_of(size_t n) {
    const char **contig = malloc(n * sizeof *contig), **ref = malloc(n * sizeof *ref), **alt = malloc(n * sizeof *alt);
    uint64_t *position = malloc(n * sizeof *position);
    haploom_sites *sites;
    for (size_t i = 0; i < n; i++) {
        contig[i] = "15", ref[i] = "A", alt[i] = "C", position[i] = 100 * i + 1;
    }
    check(haploom_sites_new(n, contig, position, NULL, ref, alt, &sites));
    free(contig), free(ref), free(alt), free(position);
    return sites;
}

static haploom_samples *samples_of(size_t n) {
    char (*names)[16] = malloc(n * sizeof *names);
    const char **pointers = malloc(n * sizeof *pointers);
    haploom_samples *samples;
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "P%zu", i);
        pointers[i] = names[i];
    }
    check(haploom_samples_new(n, pointers, NULL, NULL, &samples));
    free(names), free(pointers);
    return samples;
}

/* Panels from packed bits beside memcpy of the same bytes into memory that is as new. */
static void from_bits(size_t stride) {
    size_t size = stride * HAPLOTYPES;
    uint8_t *bits = malloc(size), *copy;
    haploom_sites *sites = sites_of(SITES);
    haploom_samples *samples = samples_of(HAPLOTYPES / 2);
    double panels[ROUNDS], turned[ROUNDS], fresh[ROUNDS], warm[ROUNDS], t;
    uint8_t *there = malloc(size);
    for (size_t i = 0; i < size; i++) bits[i] = (uint8_t)(i * 2654435761u >> 13);
    memset(there, 1, size);
    for (int round = 0; round < ROUNDS; round++) {
        haploom_panel *panel;
        t = now();
        check(haploom_panel_from_bits(sites, samples, bits, HAPLOTYPES, stride, HAPLOOM_HAPLOTYPE_MAJOR, &panel));
        panels[round] = now() - t;
        haploom_panel_free(panel);
        t = now();
        copy = malloc(size);
        memcpy(copy, bits, size);
        fresh[round] = now() - t;
        bits[0] = copy[size - 1];
        free(copy);
        t = now();
        memcpy(there, bits, size);
        warm[round] = now() - t;
        bits[0] = there[size - 1];
    }
    /* By itself: what it gives back to the system would make new memory newer for its neighbours. */
    for (int round = 0; round < ROUNDS; round++) {
        haploom_panel *panel;
        t = now();
        check(haploom_panel_from_bits(sites, samples, bits, HAPLOTYPES, HAPLOTYPES / 8, HAPLOOM_SITE_MAJOR, &panel));
        turned[round] = now() - t;
        haploom_panel_free(panel);
    }
    {
        double a = median(panels, ROUNDS), b = median(fresh, ROUNDS), c = median(warm, ROUNDS), d = median(turned, ROUNDS);
        double gb = 1e-9 * (double)size;
        printf("from_bits stride %zu: %.2f GB/s; memcpy into new memory %.2f GB/s, into memory in use %.2f GB/s; "
               "ratio %.2f and %.2f; site-major %.2f GB/s\n", stride, gb / a, gb / b, gb / c, b / a, c / a,
               1e-9 * SITES * HAPLOTYPES / 8 / d);
    }
    free(bits), free(there);
    haploom_sites_free(sites);
    haploom_samples_free(samples);
}

static void stream(const char *file, size_t window, size_t haplotypes) {
    haploom_model *model;
    haploom_sampler *sampler;
    haploom_options *options;
    uint8_t *buffer;
    size_t size, n = 0, done = 0;
    unsigned sum = 0;
    double t;
    check(haploom_model_open(file, &model));
    check(haploom_options_new(&options));
    check(haploom_options_set_text(options, "packing=bits"));
    check(haploom_sampler_new(model, NULL, options, &sampler));
    size = haploom_sampler_buffer_size(sampler, window);
    buffer = malloc(size);
    t = now();
    while (done < haplotypes) {
        check(haploom_sampler_next(sampler, buffer, size, &n));
        sum += buffer[0];
        done += n;
    }
    printf("stream %.6f s (%u)\n", now() - t, sum);
    free(buffer);
    haploom_sampler_free(sampler);
    haploom_options_free(options);
    haploom_model_free(model);
}

int main(int argc, char **argv) {
    if (argc == 4) {
        stream(argv[1], (size_t)atoll(argv[2]), (size_t)atoll(argv[3]));
    } else {
        calls();
        from_bits((SITES + 7) / 8);
        from_bits(1280);
    }
    return 0;
}
