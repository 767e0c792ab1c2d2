/* What every test in C shares: a condition that ends the program with its place, and the short way to a handle. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <haploom.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text of the last error of this thread; it lives until this thread asks again. */
static inline const char *last_error(void) {
    static _Thread_local char text[4000];
    text[0] = 0;
    haploom_last_error(text, sizeof text);
    return text;
}

#define CHECK(condition, ...)                                                          \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: not true: %s\n    ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, " " __VA_ARGS__);                                          \
            fprintf(stderr, "\n    last error: %s\n", last_error());                   \
            fflush(NULL);                                                              \
            abort();                                                                   \
        }                                                                              \
    } while (0)

/* The call answers with this status. */
#define IS(wanted, call)                                                                                             \
    do {                                                                                                             \
        haploom_status status_ = (call);                                                                             \
        CHECK(status_ == (wanted), "%s answered with %s", #call, haploom_status_name(status_));                      \
    } while (0)

#define OK(call) IS(HAPLOOM_OK, call)

/* Options from "key=value,..."; the one who asks frees them. */
static inline haploom_options *options(const char *assignments) {
    haploom_options *made;
    OK(haploom_options_new(&made));
    OK(haploom_options_set_text(made, assignments));
    return made;
}

static inline haploom_panel *demo(int32_t part) {
    haploom_panel *panel;
    OK(haploom_panel_demo(part, &panel));
    return panel;
}

static inline haploom_panel *opened(const char *path) {
    haploom_panel *panel;
    OK(haploom_panel_open(path, NULL, &panel));
    return panel;
}

static inline haploom_model *trained(const haploom_panel *panel, const char *kind, const char *assignments) {
    haploom_options *how = options(assignments);
    haploom_model *model;
    OK(haploom_train(panel, kind, how, &model));
    haploom_options_free(how);
    return model;
}

static inline haploom_sampler *sampler(const haploom_model *model, const char *assignments) {
    haploom_options *how = options(assignments);
    haploom_sampler *stream;
    OK(haploom_sampler_new(model, NULL, how, &stream));
    haploom_options_free(how);
    return stream;
}

/* The whole of a file; `*size` (may be NULL) becomes its length. A 0 is put behind it. */
static inline char *contents(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL, "cannot open %s", path);
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)length + 1);
    CHECK(bytes && fread(bytes, 1, (size_t)length, file) == (size_t)length, "cannot read %s", path);
    fclose(file);
    bytes[length] = 0;
    if (size) *size = (size_t)length;
    return bytes;
}

/* A file of these bytes. */
static inline void store(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, "cannot write %s", path);
}

/* Random numbers that are the same everywhere: splitmix64. */
static inline uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

#endif
