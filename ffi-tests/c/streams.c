/* Alleles in and out: every layout, packing, window, stride and buffer against a plain C copy of the same haplotypes; files
 * out and in again. Random shapes come from a fixed seed. streams [FAST] */
#include "check.h"
#include <math.h>

static uint64_t state = 2024;
static size_t below(size_t n) { return next_random(&state) % n; }

/* Buffers begin and end with bytes that nobody may touch. */
enum { GUARD = 16, MARK = 0xA5 };
static uint8_t *guarded(size_t size) {
    uint8_t *whole = malloc(size + 2 * GUARD);
    CHECK(whole != NULL);
    memset(whole, MARK, size + 2 * GUARD);
    return whole + GUARD;
}
static void unguarded(uint8_t *buffer, size_t size) {
    for (size_t i = 0; i < GUARD; ++i) CHECK(buffer[-1 - (long)i] == MARK && buffer[size + i] == MARK, "beyond the buffer");
    free(buffer - GUARD);
}

static haploom_sites *some_sites(size_t n) {
    const char **texts = malloc(3 * n * sizeof *texts);
    uint64_t *positions = malloc(n * sizeof *positions);
    haploom_sites *sites;
    CHECK(texts && positions);
    for (size_t i = 0; i < n; ++i) {
        texts[i] = i < n / 2 ? "7" : "8";
        texts[n + i] = "A";
        texts[2 * n + i] = i % 2 ? "C" : "GT";
        positions[i] = 100 + 10 * i;
    }
    OK(haploom_sites_new(n, texts, positions, NULL, texts + n, texts + 2 * n, &sites));
    free(texts);
    free(positions);
    return sites;
}

/* ---- Panels: random shapes, strides and windows ---- */

static void shapes(void) {
    size_t haplotypes = 2 * (1 + below(90)), n = 1 + below(200);
    haploom_sites *sites = some_sites(n);
    uint8_t *truth = malloc(haplotypes * n);
    bool holes = below(3) == 0;
    size_t missing = 0;
    CHECK(truth != NULL);
    for (size_t i = 0; i < haplotypes * n; ++i) {
        truth[i] = (uint8_t)below(2);
        if (holes && below(20) == 0) truth[i] = HAPLOOM_MISSING_ALLELE, ++missing;
    }

    /* In as bytes: rows of haplotypes, rows of sites, or neither, with gaps between. */
    haploom_panel *panel, *again;
    size_t h_stride, s_stride;
    switch (below(3)) {
    case 0: s_stride = 1, h_stride = n + below(9); break;
    case 1: h_stride = 1, s_stride = haplotypes + below(9); break;
    default: s_stride = 2 + below(3), h_stride = s_stride * n + below(9); break;
    }
    size_t size = (haplotypes - 1) * h_stride + (n - 1) * s_stride + 1;
    uint8_t *bytes = guarded(size);
    for (size_t h = 0; h < haplotypes; ++h)
        for (size_t s = 0; s < n; ++s) bytes[h * h_stride + s * s_stride] = truth[h * n + s];
    OK(haploom_panel_from_bytes(sites, NULL, bytes, haplotypes, h_stride, s_stride, &panel));
    unguarded(bytes, size);
    CHECK(haploom_panel_haplotypes(panel) == haplotypes && haploom_sites_count(haploom_panel_sites(panel)) == n);
    CHECK(haploom_panel_missing(panel) == missing, "%zu missing", missing);

    /* Frequencies. */
    double *frequencies = malloc(n * sizeof *frequencies);
    OK(haploom_panel_frequencies(panel, frequencies, n));
    for (size_t s = 0; s < n; ++s) {
        double ones = 0, known = 0;
        for (size_t h = 0; h < haplotypes; ++h) ones += truth[h * n + s] == 1, known += truth[h * n + s] <= 1;
        CHECK(fabs(frequencies[s] - ones / (known > 0 ? known : 1)) < 1e-12, "site %zu: %g", s, frequencies[s]);
    }
    free(frequencies);

    /* A window out as bytes; what is between the alleles stays. */
    size_t h0 = below(haplotypes), s0 = below(n), hs = 1 + below(haplotypes - h0), ss = 1 + below(n - s0);
    switch (below(3)) {
    case 0: s_stride = 1, h_stride = ss + below(9); break;
    case 1: h_stride = 1, s_stride = hs + below(9); break;
    default: s_stride = 2 + below(3), h_stride = s_stride * ss + below(9); break;
    }
    size = (hs - 1) * h_stride + (ss - 1) * s_stride + 1;
    bytes = guarded(size);
    uint8_t *wanted = malloc(size);
    memset(wanted, MARK, size);
    for (size_t h = 0; h < hs; ++h)
        for (size_t s = 0; s < ss; ++s) wanted[h * h_stride + s * s_stride] = truth[(h0 + h) * n + s0 + s];
    OK(haploom_panel_to_bytes(panel, h0, hs, s0, ss, bytes, size, h_stride, s_stride));
    CHECK(memcmp(bytes, wanted, size) == 0, "window %zu+%zu x %zu+%zu, strides %zu, %zu", h0, hs, s0, ss, h_stride, s_stride);
    IS(HAPLOOM_INVALID_ARGUMENT, haploom_panel_to_bytes(panel, h0, hs, s0, ss, bytes, size - 1, h_stride, s_stride));
    CHECK(memcmp(bytes, wanted, size) == 0, "a refusal changed the buffer");
    unguarded(bytes, size);
    free(wanted);

    /* The same as bits: both layouts, rows with gaps. */
    for (int32_t layout = HAPLOOM_HAPLOTYPE_MAJOR; layout <= HAPLOOM_SITE_MAJOR; ++layout) {
        bool by_site = layout == HAPLOOM_SITE_MAJOR;
        size_t rows = by_site ? ss : hs, columns = by_site ? hs : ss, width = (columns + 7) / 8, stride = width + below(5);
        size = (rows - 1) * stride + width;
        bytes = guarded(size);
        wanted = malloc(size);
        memset(wanted, MARK, size);
        bool hole = false;
        for (size_t r = 0; r < rows; ++r) {
            memset(wanted + r * stride, 0, width);
            for (size_t c = 0; c < columns; ++c) {
                uint8_t allele = by_site ? truth[(h0 + c) * n + s0 + r] : truth[(h0 + r) * n + s0 + c];
                hole |= allele == HAPLOOM_MISSING_ALLELE;
                if (allele == 1) wanted[r * stride + c / 8] |= (uint8_t)(1 << c % 8);
            }
        }
        haploom_status status = haploom_panel_to_bits(panel, h0, hs, s0, ss, bytes, size, stride, layout);
        CHECK(status == (hole ? HAPLOOM_MISSING : HAPLOOM_OK), "%s", haploom_status_name(status));
        if (!hole) CHECK(memcmp(bytes, wanted, size) == 0, "bits, layout %d, stride %zu", layout, stride);
        unguarded(bytes, size);
        free(wanted);
    }

    /* In as bits; bits past the last column are noise. */
    if (missing == 0) {
        char one[65], other[65];
        haploom_panel_fingerprint(panel, one, sizeof one);
        for (int32_t layout = HAPLOOM_HAPLOTYPE_MAJOR; layout <= HAPLOOM_SITE_MAJOR; ++layout) {
            bool by_site = layout == HAPLOOM_SITE_MAJOR;
            size_t rows = by_site ? n : haplotypes, columns = by_site ? haplotypes : n, stride = (columns + 7) / 8 + below(5);
            size = (rows - 1) * stride + (columns + 7) / 8;
            bytes = guarded(size);
            for (size_t i = 0; i < size; ++i) bytes[i] = (uint8_t)next_random(&state);
            for (size_t r = 0; r < rows; ++r)
                for (size_t c = 0; c < columns; ++c) {
                    uint8_t allele = by_site ? truth[c * n + r] : truth[r * n + c];
                    uint8_t *byte = &bytes[r * stride + c / 8];
                    *byte = (uint8_t)((*byte & ~(1 << c % 8)) | allele << c % 8);
                }
            OK(haploom_panel_from_bits(sites, NULL, bytes, haplotypes, stride, layout, &again));
            unguarded(bytes, size);
            CHECK(haploom_panel_fingerprint(again, other, sizeof other) == 64 && strcmp(one, other) == 0, "layout %d", layout);
            haploom_panel_free(again);
        }
    }
    haploom_panel_free(panel);
    haploom_sites_free(sites);
    free(truth);
}

/* ---- The stream ---- */

enum { SITES = 800, KNOWN = 2100 };
static uint8_t truth[KNOWN][SITES];

/* Haplotypes first, ..., first + n - 1 of the stream lie in a buffer as they should. `bytes` are those of it that n take. */
static void compare(const uint8_t *buffer, size_t size, size_t first, size_t n, size_t from, size_t sites, bool by_site,
                    bool bits) {
    size_t rows = by_site ? sites : n, columns = by_site ? n : sites;
    size_t stride = by_site ? size / sites : bits ? (sites + 7) / 8 : sites;
    for (size_t r = 0; r < rows; ++r)
        for (size_t c = 0; c < columns; ++c) {
            uint8_t wanted = by_site ? truth[first + c][from + r] : truth[first + r][from + c];
            uint8_t allele = bits ? buffer[r * stride + c / 8] >> c % 8 & 1 : buffer[r * stride + c];
            CHECK(allele == wanted, "row %zu, column %zu of %zu haplotypes from %zu", r, c, n, first);
        }
    /* What is past the last one is 0: the rest of a row's last byte, and of a row of sites. */
    for (size_t r = 0; r < rows; ++r) {
        size_t used = bits ? (columns + 7) / 8 : columns, width = by_site ? stride : used;
        if (bits && columns % 8) CHECK(buffer[r * stride + used - 1] >> columns % 8 == 0, "row %zu", r);
        for (size_t b = used; b < width; ++b) CHECK(buffer[r * stride + b] == 0, "row %zu, byte %zu", r, b);
    }
}

static void stream(const haploom_model *model, bool by_site, bool bits, bool region) {
    char how[200];
    size_t end = below(3) ? KNOWN : 1 + below(300), position = 0, n;
    snprintf(how, sizeof how, "seed=9,haplotypes=%zu,layout=%s,packing=%s,threads=%zu%s", end, by_site ? "sites" : "haplotypes",
             bits ? "bits" : "bytes", 1 + below(2), region ? ",region=1:500000-1500000" : "");
    haploom_sampler *made = sampler(model, how);
    const haploom_sites *its = haploom_sampler_sites(made), *all = haploom_model_sites(model);
    size_t sites = haploom_sites_count(its), from = 0;
    for (uint64_t first, there; sites < SITES; ++from) {
        OK(haploom_sites_get(its, 0, NULL, &first, NULL, NULL, NULL));
        OK(haploom_sites_get(all, from, NULL, &there, NULL, NULL, NULL));
        if (first == there) break;
    }
    for (int step = 0; step < 12; ++step) {
        if (below(3) == 0) {
            position = below(end + 1);
            OK(haploom_sampler_seek(made, position));
        }
        CHECK(haploom_sampler_position(made) == position);
        size_t ask = step == 5 ? end + 5 : 1 + below(150), exact = haploom_sampler_buffer_size(made, ask);
        size_t width = by_site ? (bits ? (ask + 7) / 8 : ask) : bits ? (sites + 7) / 8 : sites;
        CHECK(exact == width * (by_site ? sites : ask));
        /* A size that is no multiple of a row. */
        size_t size = exact + below(by_site ? sites : width);
        size_t room = by_site ? size / sites * (bits ? 8 : 1) : size / width, left = end - position;
        uint8_t *buffer = guarded(size);
        n = 99;
        OK(haploom_sampler_next(made, buffer, size, &n));
        CHECK(n == (room < left ? room : left), "%zu haplotypes of %zu, room for %zu", n, left, room);
        if (n > 0) compare(buffer, size, position, n, from, sites, by_site, bits);
        unguarded(buffer, size);
        position += n;
    }
    /* A part of a larger matrix: rows further apart, and what is between them stays. */
    for (int step = 0; step < 4 && end > 1; ++step) {
        position = below(end);
        OK(haploom_sampler_seek(made, position));
        size_t ask = 1 + below(60), columns = by_site ? ask : sites, rows = by_site ? sites : ask;
        size_t width = bits ? (columns + 7) / 8 : columns, stride = width + below(7);
        size_t got = ask < end - position ? ask : end - position;
        size_t size = (rows - 1) * stride + width;
        uint8_t *buffer = guarded(size);
        OK(haploom_sampler_fill(made, ask, buffer, size, stride, &n));
        CHECK(n == got && haploom_sampler_position(made) == position + n);
        size_t made_rows = by_site ? sites : n, made_columns = by_site ? n : sites;
        for (size_t r = 0; r < made_rows; ++r) {
            for (size_t c = 0; c < made_columns; ++c) {
                uint8_t wanted = by_site ? truth[position + c][from + r] : truth[position + r][from + c];
                uint8_t allele = bits ? buffer[r * stride + c / 8] >> c % 8 & 1 : buffer[r * stride + c];
                CHECK(allele == wanted, "row %zu, column %zu", r, c);
            }
            for (size_t b = width; b < stride && r + 1 < rows; ++b) CHECK(buffer[r * stride + b] == MARK, "between rows");
        }
        IS(HAPLOOM_INVALID_ARGUMENT, haploom_sampler_fill(made, 1, buffer, size, 0, NULL));
        unguarded(buffer, size);
    }
    /* The end stays the end, and past it nothing is there. */
    OK(haploom_sampler_seek(made, end));
    OK(haploom_sampler_next(made, truth[0], 0, &n));
    CHECK(n == 0 && haploom_sampler_position(made) == end);
    IS(HAPLOOM_INVALID_ARGUMENT, haploom_sampler_seek(made, end + 1));
    CHECK(haploom_sampler_position(made) == end);
    /* A buffer for no haplotype. */
    if (end > 0) {
        OK(haploom_sampler_seek(made, end - 1));
        size_t least = by_site ? sites : haploom_sampler_buffer_size(made, 1);
        uint8_t *buffer = guarded(least);
        IS(HAPLOOM_INVALID_ARGUMENT, haploom_sampler_next(made, buffer, least - 1, &n));
        CHECK(n == 0 && haploom_sampler_position(made) == end - 1);
        OK(haploom_sampler_next(made, buffer, least, &n));
        CHECK(n == 1);
        unguarded(buffer, least);
    }
    haploom_sampler_free(made);
}

static void streams(const char *kind, const char *how, int turns) {
    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN), *people;
    haploom_model *model = trained(panel, kind, how);
    haploom_sampler *plain = sampler(model, "seed=9");
    size_t n;
    OK(haploom_sampler_next(plain, truth[0], sizeof truth, &n));
    CHECK(n == KNOWN);
    for (int turn = 0; turn < turns; ++turn) stream(model, turn & 1, turn & 2, turn & 4);

    /* The same haplotypes as a panel of people, from a seek on. */
    static uint8_t bytes[100 * SITES];
    OK(haploom_sampler_seek(plain, 10));
    OK(haploom_sampler_panel(plain, 100, NULL, &people));
    CHECK(haploom_sampler_position(plain) == 110);
    OK(haploom_panel_to_bytes(people, 0, 100, 0, SITES, bytes, sizeof bytes, SITES, 1));
    CHECK(memcmp(bytes, truth[10], sizeof bytes) == 0);
    const char *name;
    OK(haploom_samples_get(haploom_panel_samples(people), 0, &name, NULL, NULL, NULL));
    CHECK(strcmp(name, "HAPLOOM_5") == 0, "%s", name);
    haploom_panel_free(people);
    haploom_sampler_free(plain);
    haploom_model_free(model);
    haploom_panel_free(panel);
}

/* ---- Files ---- */

static void files(void) {
    static const char *const names[] = {"a.vcf", "a.vcf.gz", "a.bcf", "a.hap", "a.hap.gz", "a.hapt", "a.hapt.gz", "a.pgen"};
    haploom_panel *panel = demo(HAPLOOM_DEMO_HELD_OUT), *again;
    char one[65], other[65];
    haploom_panel_fingerprint(panel, one, sizeof one);
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        OK(haploom_panel_write(panel, names[i], NULL));
        OK(haploom_panel_open(names[i], NULL, &again));
        CHECK(haploom_panel_fingerprint(again, other, sizeof other) == 64 && strcmp(one, other) == 0, "%s", names[i]);
        const haploom_sites *a = haploom_panel_sites(panel), *b = haploom_panel_sites(again);
        const haploom_samples *p = haploom_panel_samples(panel), *q = haploom_panel_samples(again);
        CHECK(haploom_sites_count(a) == haploom_sites_count(b) && haploom_samples_count(p) == haploom_samples_count(q));
        for (size_t s = 0; s < haploom_sites_count(a); ++s) {
            const char *x[3], *y[3];
            uint64_t here, there;
            OK(haploom_sites_get(a, s, &x[0], &here, NULL, &x[1], &x[2]));
            OK(haploom_sites_get(b, s, &y[0], &there, NULL, &y[1], &y[2]));
            CHECK(here == there && !strcmp(x[0], y[0]) && !strcmp(x[1], y[1]) && !strcmp(x[2], y[2]), "%s: site %zu", names[i], s);
        }
        for (size_t s = 0; s < haploom_samples_count(p); ++s) {
            const char *x, *y;
            OK(haploom_samples_get(p, s, &x, NULL, NULL, NULL));
            OK(haploom_samples_get(q, s, &y, NULL, NULL, NULL));
            CHECK(strcmp(x, y) == 0, "%s: sample %s is %s", names[i], x, y);
        }
        haploom_panel_free(again);
    }
    haploom_panel_free(panel);
}

int main(int argc, char **argv) {
    bool fast = argc > 1;
    (void)argv;
    for (int turn = 0; turn < (fast ? 20 : 400); ++turn) shapes();
    streams("markov", "window=4", fast ? 4 : 32);
    streams("rbm", "epochs=1,hidden=8,clusters=4", fast ? 4 : 8);
    files();
    return 0;
}
