/* What the C files of this package share. Names of the library begin with haploom_, those of this package do not. */
#ifndef HAPLOOM_R_H
#define HAPLOOM_R_H

#define R_NO_REMAP
#include <R.h>
#include <Rinternals.h>
#include <haploom.h>

/* ---- handles.c: handles of the library as external pointers, freed by the garbage collector */

/* A pointer, NULL at first, so that R has done all of its allocations before the library makes the handle. */
SEXP new_panel_pointer(void);
SEXP new_model_pointer(void);
SEXP new_sampler_pointer(void);
SEXP new_imputer_pointer(void);

const haploom_panel *panel_of(SEXP pointer);
const haploom_model *model_of(SEXP pointer);
haploom_sampler *sampler_of(SEXP pointer);
const haploom_imputer *imputer_of(SEXP pointer);
/* The panel or the model, or NULL for R's NULL. */
const haploom_panel *panel_or_null(SEXP pointer);
const haploom_model *model_or_null(SEXP pointer);

SEXP is_gone(SEXP pointer);

/* ---- call.c: one call of the library: its options, its progress, its outcome */

/* Options and progress of a call, as an external pointer to protect. `keys` is a named list of texts, numbers and flags;
 * `progress` is FALSE, TRUE for a bar on standard error, or a function. A key that the library refuses makes
 * `call_status` other than HAPLOOM_OK. */
SEXP new_call(SEXP keys, SEXP progress);
haploom_status call_status(SEXP call);
const haploom_options *call_options(SEXP call);

/* Where a loop of this package stands; for long work that the library does in many short calls. Answers as a progress
 * function does: 0 goes on. It does not jump. */
int call_step(SEXP call, const char *phase, const char *unit, double done, double total);

/* What an R function gets: value, status, its name and text, notices, and why the call was stopped. Only for statuses that
 * the library just gave. `call` may be R's NULL for functions without options. */
SEXP reply(SEXP call, haploom_status status, SEXP value);
/* The same for what this package finds wrong itself. */
SEXP refusal(haploom_status status, const char *format, ...);

/* ---- sites.c */

/* UTF-8, as the library wants it; lives until the .Call ends. NULL for NA. */
const char *text_of(SEXP vector, R_xlen_t i);
/* The name of a file, in the bytes of the file system. */
const char *path_of(SEXP path);
SEXP utf8(const char *text);
/* Sites as a list of columns. */
SEXP columns_of_sites(const haploom_sites *sites);

/* ---- matrices */

/* panel.c: an element of a matrix as the library's byte; 254 stands for what is no allele. */
uint8_t allele_of(SEXP matrix, R_xlen_t i);
/* model.c: the library's rows become R's columns. */
void transpose(const float *from, size_t rows, size_t columns, double *to);

/* Sites and samples of lists of columns; everything that they need of R is allocated before the handle is made. */
typedef struct {
    size_t n;
    const char **contigs, **ids, **references, **alternates;
    uint64_t *positions;
} site_columns;
site_columns read_site_columns(SEXP list);
typedef struct {
    size_t n;
    const char **names, **labels;
    uint8_t *ploidy;
} sample_columns;
sample_columns read_sample_columns(SEXP list);

/* ---- routines, by file; the R functions that call them say what they do */
SEXP options_table(void);
SEXP version_table(void);
SEXP device_lines(void);

SEXP panel_open(SEXP path, SEXP keys, SEXP progress);
SEXP panel_demo(SEXP part);
SEXP panel_from_matrix(SEXP matrix, SEXP sites, SEXP samples);
SEXP panel_shape(SEXP panel);
SEXP panel_window(SEXP panel, SEXP haplotypes, SEXP sites, SEXP raw);
SEXP panel_frequencies(SEXP panel);
SEXP panel_fingerprint(SEXP panel);
SEXP panel_select(SEXP panel, SEXP keys);
SEXP panel_with_samples(SEXP panel, SEXP samples);
SEXP panel_write(SEXP panel, SEXP path, SEXP keys, SEXP progress);
SEXP sites_of(SEXP pointer);
SEXP samples_of(SEXP panel);

SEXP model_train(SEXP panel, SEXP kind, SEXP keys, SEXP progress);
SEXP model_open(SEXP path);
SEXP model_from_bytes(SEXP bytes);
SEXP model_to_bytes(SEXP model);
SEXP model_save(SEXP model, SEXP path);
SEXP model_kind(SEXP model);
SEXP model_info(SEXP model);
SEXP model_labels(SEXP model);
SEXP model_conditionals(SEXP model, SEXP panel, SEXP keys, SEXP progress);
SEXP model_encode(SEXP model, SEXP panel, SEXP keys, SEXP progress);

SEXP sampler_new(SEXP model, SEXP start, SEXP first, SEXP keys);
SEXP sampler_position(SEXP sampler);
SEXP sampler_end(SEXP sampler);
SEXP sampler_seek(SEXP sampler, SEXP to);
SEXP sampler_next(SEXP sampler, SEXP n, SEXP raw, SEXP progress);
SEXP sampler_panel(SEXP sampler, SEXP n, SEXP keys, SEXP progress);
SEXP sampler_augment(SEXP sampler, SEXP n, SEXP input, SEXP output, SEXP keys, SEXP progress);

SEXP imputer_new(SEXP panel, SEXP model, SEXP keys, SEXP progress);
SEXP imputer_impute(SEXP imputer, SEXP matrix, SEXP typed, SEXP keys, SEXP progress);
SEXP imputer_impute_file(SEXP imputer, SEXP target, SEXP output, SEXP keys, SEXP progress);
SEXP imputer_paint_file(SEXP imputer, SEXP target, SEXP output, SEXP keys, SEXP progress);

SEXP evaluation(SEXP real, SEXP artificial, SEXP held_out, SEXP keys, SEXP progress);

#endif
