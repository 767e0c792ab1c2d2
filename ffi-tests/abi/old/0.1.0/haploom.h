/**
 * @file haploom.h
 * @brief Haploom learns the distribution of human haplotypes and makes new ones.
 *
 * This header is the manual of libhaploom. It is generated from the library's source: do not edit
 * it.
 *
 * OBJECTS. Everything is an opaque handle that the library makes:
 *
 *   haploom_panel       haplotypes x biallelic sites, bit-packed; immutable
 *   haploom_model       a trained generator of haplotypes, bound to its sites; immutable; a file
 *   haploom_sampler     a stream of artificial haplotypes from a model
 *   haploom_imputer     what untyped sites are imputed from: a panel, a model, or both; immutable
 *   haploom_encoding    haplotypes in the latent space of a model; immutable
 *   haploom_evaluation  how close artificial haplotypes are to real ones, and how much leaks; immutable
 *   haploom_sites, haploom_samples, haploom_options, haploom_cancel, haploom_event
 *
 * OWNERSHIP. A function that makes a handle stores it in its last argument: NULL first, the handle
 * on success only. You free each handle once, in any order, with its ..._free(), which takes NULL
 * too. A sampler keeps what it needs of its model. All other pointers that you hand over are
 * borrowed for the call: texts, arrays and buffers are copied from or written to, and not kept, but
 * for the `user` of a progress function. `const haploom_sites *` and the like, and texts, that a
 * getter answers with belong to the handle they came from and end with it. Do not give the place of
 * a handle that you still need as the place for a new one: it becomes NULL first.
 *
 * ERRORS. Functions that can fail answer with a haploom_status: HAPLOOM_OK is 0, errors are
 * negative. haploom_last_error() copies out what was wrong, where (file, record, site, sample), and
 * what to do about it; each thread has its own. Getters answer with a value, and where they fail
 * with 0, NULL or NaN (those that find a number: SIZE_MAX); haploom_last_status() tells why. The
 * manual of a function lists its errors without the prefix HAPLOOM_; every function may answer
 * INTERNAL, which is a defect of the library. Functions that copy out a text (haploom_last_error()
 * and others) answer with its length: ask with NULL and 0 first, then give a buffer of one byte
 * more. Bad input does not crash, and a file that is written appears whole or not at all. The
 * library prints nothing, installs no signal handlers, and never exits. Sizes of more memory than
 * there is give OUT_OF_MEMORY; where the system is so short of memory that a small allocation
 * fails, the process ends (ABI.md).
 *
 * THREADS. A `const T *` may be used by any number of threads at once, a `T *` by one at a time and
 * by nobody else; freeing is such a use. A call works on the calling thread, and on others of its
 * own if the option `threads` says so (1 is the default, 0 is one for each processor); results do
 * not depend on it. After a fork, what is immutable (panels, models, imputers, encodings,
 * evaluations) goes on working in the child; make samplers anew there. Progress functions are called
 * on the thread that made the call.
 *
 * OPTIONS. haploom_options holds values by key ("epochs", "seed", "region", "threads"). Every key
 * has a type, bounds and a default, which haploom_option_describe() tells. NULL stands for the
 * defaults. By group:
 *
 *   every call:
 *     threads          1; a whole number from 0 to 4096
 *     device           cpu; cpu, cuda, cuda:NUMBER, cuda:all or auto
 *     seed             1; a whole number, at least 0
 *   region:
 *     region           ""; CONTIG, CONTIG:POSITION, CONTIG:START-END or CONTIG:START-,
 *                      positions from 1
 *   selection:
 *     samples          ""; names separated by commas, or ^ and names to leave out
 *     samples_file     ""; a file, or ^ and a file of names to leave out
 *   reading:
 *     labels           ""; FILE, FILE:COLUMN or header:KEY
 *     missing          refuse; one of refuse, reference, frequency, drop-site, keep
 *     unphased         refuse; one of refuse, as-written, keep
 *     multiallelic     split; one of split, refuse, drop
 *     legend           ""; a file
 *     sample_file      ""; a file
 *     contig           ""; a name
 *   writing:
 *     format           auto; one of auto, vcf, vcf.gz, bcf, hap, hap.gz, hapt, hapt.gz, pgen
 *     index            true; true or false
 *   training:
 *     held_out         0; a number from 0 to 0.5
 *   training, steps:
 *     updates          0; a whole number from 0 to 100000000
 *     batch            0; a whole number from 0 to 65536
 *     learning_rate    0; a number from 0 to 10
 *     optimiser        auto; one of auto, sgd, adam, rmsprop
 *   training, RBM:
 *     hidden_type      relu; one of relu, bernoulli
 *     hidden           0; a whole number from 0 to 65536
 *     epochs           120; a number from 0 to 1000000000
 *     chains           500; a whole number from 1 to 65536
 *     k                5; a whole number from 1 to 1000000
 *     method           renewed; one of renewed, pcd, rdm
 *     sweeps           5; a whole number from 1 to 1000000
 *     clusters         64; a whole number from 1 to 4096
 *     cluster_size     20; a whole number from 1 to 1000000
 *     momentum         0; a number from 0 to 0.9999
 *     l2               0.5; a number from 0 to 10
 *     stop             never; one of never, aats, held_out
 *     stop_every       100; a whole number from 1 to 1000000
 *     patience         10; a whole number from 1 to 1000000
 *     stop_gap         5; a number from 0 to 1000000
 *   training, steps:
 *     output           calibrated; one of calibrated, plain
 *   training, RBM:
 *     ladder           false; true or false
 *     rung_acceptance  0.3; a number from 0.05 to 0.95
 *     centred          true; true or false
 *   training, neural:
 *     body             auto; one of auto, dense, convolutional, published
 *     latent           0; a whole number from 0 to 65536
 *     unseen           0.4; a number from 0 to 0.95
 *     unit             0; a whole number from 0 to 1024
 *     decoding         0.4; a number from 0 to 0.9
 *     penalty_every    0; a whole number from 0 to 1000
 *     depth            0; a whole number from 0 to 24
 *     pca_components   0; a whole number from 0 to 65536
 *     pack             0; a whole number from 0 to 64
 *     critic_steps     0; a whole number from 0 to 1000
 *     critic_rate      0; a number from 0 to 10
 *     penalty          0; a number from 0 to 1000000
 *     average          0.999; a number from 0 to 1
 *     beta             1; a number from 0 to 1000
 *     latent_clusters  32; a whole number from 1 to 4096
 *     looks            20; a whole number from 1 to 100000
 *     look_patience    0; a whole number from 0 to 100000
 *     judges           0.1; a number from 0 to 0.5
 *     log              ""; a file
 *     conditional      true; true or false
 *     label_critic     joined; one of joined, auxiliary
 *     label_weight     0.1; a number from 0 to 1000
 *     alleles          drawn; one of drawn, likelier
 *     genotypes        phased; one of phased, unphased
 *   training, Markov:
 *     window           10; a whole number from 0 to 20
 *   genetic map:
 *     map              ""; a file (PLINK's layout, or columns with a header)
 *   copying model:
 *     effective_size   0; a number from 0 to 1000000000000
 *     error            0; a number from 0 to 0.5
 *   imputation:
 *     artificial       0; a whole number from 0 to 1073741824
 *     artificial_weight -1; a number from -1 to 1
 *     impute_chains    64; a whole number from 2 to 65536
 *     impute_sweeps    0; a whole number from 0 to 1000000
 *     tolerance        0.1; a number from 0.000001 to 1
 *     latent_pool      2000; a whole number from 1 to 16777216
 *     latent_chains    16; a whole number from 1 to 65536
 *     latent_steps     60; a whole number from 0 to 1000000
 *     typed_error      0; a number from 0 to 0.5
 *   imputation of files:
 *     contigs          as-written; one of as-written, match
 *     typed            keep; one of keep, correct
 *     overlap          10; a number from 0 to 1000000
 *     window_sites     0; a whole number from 0 to 1099511627776
 *     report           ""; a file
 *   training, hidden Markov:
 *     hmm_clusters     1024; a whole number from 1 to 65536
 *     hmm_cluster_size 0; a number from 0 to 1000000
 *     iterations       3; a whole number from 0 to 100000
 *     allele_prior     0.03; a number from 0 to 1000000
 *     entry_prior      1; a number from 0 to 1000000
 *     switch_prior     10; a number from 0 to 1000000000
 *     hmm_switch_rate  6e-6; a number from 0.000000000001 to 1
 *     stretch          500; a whole number from 0 to 1000000000
 *   training, context:
 *     run_share        1; a number from 0.01 to 100
 *     least_carriers   1; a whole number from 1 to 1000000
 *   checkpoints:
 *     checkpoint       ""; a folder
 *     resume           false; true or false
 *   sampling:
 *     sampler          auto; one of auto, mixture, gibbs, random, tempering
 *     sample_sweeps    0; a whole number from 0 to 1000000
 *     rounds           50; a whole number from 0 to 1000000
 *     round_sweeps     5; a whole number from 1 to 10000
 *   stream:
 *     label            ""; LABEL, or LABEL=HAPLOTYPES,LABEL=HAPLOTYPES,... with labels that
 *                      the model knows
 *     layout           haplotypes; one of haplotypes, sites
 *     packing          bytes; one of bytes, bits
 *     haplotypes       0; a whole number from 0 to 281474976710656
 *   artificial people:
 *     prefix           HAPLOOM; a word
 *   augmentation:
 *     outside          drop; one of drop, refuse, missing
 *   encoding:
 *     components       10; a whole number from 0 to 65536
 *   evaluation:
 *     aats_draws       5; a whole number from 1 to 10000
 *     aats_most        2500; a whole number from 2 to 1000000
 *     triplets         8000; a whole number from 1 to 10000000
 *     gaps             false; true or false
 *     transport_reg    0.001; a number from 0.000001 to 1000000
 *     transport_most   2000; a whole number from 1 to 1000000
 *     linkage_most     10000; a whole number from 2 to 1000000
 *
 * TEXTS are UTF-8 and end with a 0; names of files may be any bytes. SITES are counted from 0 in
 * arguments, POSITIONS from 1. ALLELES are 0 (reference) and 1 (alternate). In packed rows, bit c
 * is bit c % 8 of byte c / 8, lowest bit first.
 *
 * EXAMPLE. Learn a panel (in a hurry: leave out epochs=20 for a good model), look at 1,000 new
 * haplotypes, write some to a file:
 *
 * @code
 * #include <haploom.h>
 * #include <stdio.h>
 * #include <stdlib.h>
 *
 * static int failed(haploom_status status) {
 *     char text[1000];
 *     if (status == HAPLOOM_OK) return 0;
 *     haploom_last_error(text, sizeof text);
 *     fprintf(stderr, "%s: %s\n", haploom_status_name(status), text);
 *     return 1;
 * }
 *
 * int main(int argc, char **argv) {
 *     haploom_panel *panel = NULL;
 *     haploom_options *options = NULL;
 *     haploom_model *model = NULL;
 *     haploom_sampler *sampler = NULL;
 *     uint8_t *alleles = NULL;
 *     size_t n = 0, size = 0;
 *     int bad = 0;
 *     if (argc != 3) {
 *         fprintf(stderr, "usage: %s PANEL OUT.bcf\n", argv[0]);
 *         return 2;
 *     }
 *     bad = failed(haploom_panel_open(argv[1], NULL, &panel))
 *         || failed(haploom_options_new(&options))
 *         || failed(haploom_options_set_text(options, "epochs=20,threads=0"))
 *         || failed(haploom_train(panel, "rbm", options, &model))
 *         || failed(haploom_sampler_new(model, NULL, NULL, &sampler));
 *     if (!bad) {
 *         size = haploom_sampler_buffer_size(sampler, 1000);
 *         alleles = malloc(size);
 *         bad = alleles == NULL || failed(haploom_sampler_next(sampler, alleles, size, &n));
 *     }
 *     if (!bad) {
 *         printf("%zu haplotypes, %zu bytes\n", n, size);
 *         bad = failed(haploom_sampler_write(sampler, 200, argv[2], NULL));
 *     }
 *     free(alleles);
 *     haploom_sampler_free(sampler);
 *     haploom_model_free(model);
 *     haploom_options_free(options);
 *     haploom_panel_free(panel);
 *     return bad;
 * }
 * @endcode
 *
 * Compile it with: cc example.c $(pkg-config --cflags --libs haploom)
 */


#ifndef HAPLOOM_H
#define HAPLOOM_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of this header, as three numbers, and as one: MAJOR * 1000000 + MINOR * 1000 +
 * PATCH.
 */
#define HAPLOOM_VERSION_MAJOR 0
#define HAPLOOM_VERSION_MINOR 1
#define HAPLOOM_VERSION_PATCH 0
#define HAPLOOM_VERSION_NUMBER 1000

/**
 * The number of the binary interface, that of the soname libhaploom.so.0. Under one number
 * functions, constants and options are only ever added; it grows when a program has to be compiled
 * again.
 */
#define HAPLOOM_ABI 0

/** All went well. */
#define HAPLOOM_OK 0

/** An argument is NULL, out of range, or makes no sense. */
#define HAPLOOM_INVALID_ARGUMENT (-1)

/** Memory for a size that the input controls could not be had. */
#define HAPLOOM_OUT_OF_MEMORY (-2)

/** The progress function or a cancel handle asked to stop. */
#define HAPLOOM_CANCELLED (-3)

/** An option key that does not exist, or that the function does not read. */
#define HAPLOOM_UNKNOWN_OPTION (-4)

/** An option value of the wrong type or outside its bounds. */
#define HAPLOOM_INVALID_OPTION (-5)

/**
 * A defect of this library; the text says where. Handles that were used exclusively are of no more
 * use.
 */
#define HAPLOOM_INTERNAL (-6)

/** A file could not be opened, read or written. */
#define HAPLOOM_IO (-100)

/** The file is in no format that is read here, or its name says none to write. */
#define HAPLOOM_UNKNOWN_FORMAT (-101)

/** The file ends too early. */
#define HAPLOOM_TRUNCATED (-102)

/** The file's bytes contradict its format. */
#define HAPLOOM_MALFORMED (-103)

/** A region does not parse, or names a contig that is not there. */
#define HAPLOOM_REGION (-104)

/** Genotypes are not phased. */
#define HAPLOOM_UNPHASED (-200)

/** Genotypes are missing. */
#define HAPLOOM_MISSING (-201)

/** A site has more than two alleles. */
#define HAPLOOM_MULTIALLELIC (-202)

/** Sites are not in order. */
#define HAPLOOM_UNSORTED (-203)

/** The ploidy of a sample changes, or is not 1 or 2. */
#define HAPLOOM_PLOIDY (-204)

/** Two panels, or a panel and a model, do not share the sites that are needed. */
#define HAPLOOM_NO_OVERLAP (-205)

/** Contigs are named differently. */
#define HAPLOOM_CONTIG_MISMATCH (-206)

/** Sites at the same position have other alleles. */
#define HAPLOOM_ALLELE_MISMATCH (-207)

/** A panel, a file or a selection has no haplotypes or no sites. */
#define HAPLOOM_EMPTY (-208)

/** The same site or sample twice. */
#define HAPLOOM_DUPLICATE (-209)

/**
 * A sample that is not in the panel, a label that the model does not know, or a column that is not
 * in the table.
 */
#define HAPLOOM_UNKNOWN_NAME (-210)

/** The file is not a model of this library. */
#define HAPLOOM_NOT_A_MODEL (-300)

/** The model file is of a version that is no longer read. */
#define HAPLOOM_MODEL_TOO_OLD (-301)

/** The model file is of a version that this library does not know yet. */
#define HAPLOOM_MODEL_TOO_NEW (-302)

/** The model file contradicts itself. */
#define HAPLOOM_MODEL_CORRUPT (-303)

/** Training produced infinite or undefined numbers, or left its bounds. */
#define HAPLOOM_DIVERGED (-400)

/** A checkpoint belongs to another panel or to other options. */
#define HAPLOOM_CHECKPOINT_MISMATCH (-401)

/** There is no NVIDIA driver, or it is older than that of CUDA 12.4. */
#define HAPLOOM_NO_DRIVER (-500)

/** There is no such GPU, or its compute capability is below 8.0. */
#define HAPLOOM_NO_DEVICE (-501)

/** The GPU has no memory left. */
#define HAPLOOM_OUT_OF_DEVICE_MEMORY (-502)

/** The GPU or its driver failed. */
#define HAPLOOM_DEVICE_FAILED (-503)

/** An option takes whole numbers. */
#define HAPLOOM_TYPE_INT 1

/** An option takes numbers. */
#define HAPLOOM_TYPE_DOUBLE 2

/** An option takes a flag: "true" or "false", 1 or 0. */
#define HAPLOOM_TYPE_FLAG 3

/** An option takes one of some words. */
#define HAPLOOM_TYPE_CHOICE 4

/** An option takes a text. */
#define HAPLOOM_TYPE_TEXT 5

/** `done` of `total` units of a phase are done. A call may send thousands of these. */
#define HAPLOOM_EVENT_STEP 1

/** A number was measured on the way: its name is the text, its step is `done`. */
#define HAPLOOM_EVENT_MEASURED 2

/** A sentence that the user should read: what was skipped, split, filled, dropped or assumed. */
#define HAPLOOM_EVENT_NOTICE 3

/** A row is a haplotype, its columns are sites. */
#define HAPLOOM_HAPLOTYPE_MAJOR 0

/** A row is a site, its columns are haplotypes. */
#define HAPLOOM_SITE_MAJOR 1

/** Everybody in the demo panel. */
#define HAPLOOM_DEMO_ALL 0

/** The 600 people to train on. */
#define HAPLOOM_DEMO_TRAIN 1

/** The 300 people to judge a model by. */
#define HAPLOOM_DEMO_HELD_OUT 2

/** A missing allele as a byte. */
#define HAPLOOM_MISSING_ALLELE 255

/** A flag that stops calls; any thread may set it. */
typedef struct haploom_cancel haploom_cancel;

/** Haplotypes in the latent space of an RBM or of a variational autoencoder. Immutable. */
typedef struct haploom_encoding haploom_encoding;

/** The numbers of an evaluation. Immutable. */
typedef struct haploom_evaluation haploom_evaluation;

/**
 * What a long call says of itself. It lives during the call of the progress function alone, as do
 * its texts.
 */
typedef struct haploom_event haploom_event;

/** What untyped sites are imputed from: a panel, a model, or both. Immutable. */
typedef struct haploom_imputer haploom_imputer;

/**
 * A trained generator of haplotypes, bound to the sites it was trained on. Immutable, so any
 * number of threads may use it at once.
 */
typedef struct haploom_model haploom_model;

/**
 * Options of a call: values by key, and where its progress goes. Not thread safe while it is
 * changed.
 */
typedef struct haploom_options haploom_options;

/**
 * Haplotypes x biallelic sites, bit-packed: 0 is the reference allele, 1 the alternate one.
 * Immutable, so any number of threads may use it at once.
 */
typedef struct haploom_panel haploom_panel;

/** A stream of artificial haplotypes. One thread at a time may use it. */
typedef struct haploom_sampler haploom_sampler;

/**
 * The people of a panel in order: name, ploidy, label. Haplotypes follow each other person by
 * person. Immutable.
 */
typedef struct haploom_samples haploom_samples;

/**
 * Biallelic sites in order: contig, position, identifier, reference and alternate allele.
 * Immutable.
 */
typedef struct haploom_sites haploom_sites;

/**
 * What a function answers: HAPLOOM_OK, or one of the negative numbers above, in blocks: general,
 * -100 files, -200 what is in a panel, -300 model files, -400 training, -500 devices ("those of
 * devices" in the manuals below: with option `device` alone). Numbers are never reused; new ones may
 * come.
 */
typedef int32_t haploom_status;

/**
 * A progress function; see haploom_options_set_progress(). 0 goes on, anything else stops the
 * call.
 */
typedef int32_t (*haploom_progress_fn)(void *user, const haploom_event *event);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* ---- Version --------------------------------------------------------------------------------------------- */

/** @defgroup version Version
 *  @{ */

/**
 * The version of the library that is running, as HAPLOOM_VERSION_NUMBER: a program may hold it
 * against the header it was compiled with. Any thread. Since 0.1.
 */
int32_t haploom_version(void);

/** The version of the library that is running, such as "0.1.0". Static text. Any thread. Since 0.1. */
const char *haploom_version_string(void);

/** HAPLOOM_ABI of the library that is running. Any thread. Since 0.1. */
int32_t haploom_abi(void);

/**
 * What the library was built with, in a line: its version, that of its own htslib (which no other
 * code sees), the devices it knows. Static text, for logs and reports of defects. Any thread.
 * Since 0.1.
 */
const char *haploom_build_info(void);

/**
 * Copies out which devices option `device` takes on this machine, as haploom_last_error() does: a
 * line each, with its name, a tab, and what it is. The first is the processor; without a GPU that
 * can be used a line says why. Returns the text's length. Any thread. Since 0.1.
 */
size_t haploom_devices(char *buffer, size_t capacity);

/** @} */

/* ---- Errors ---------------------------------------------------------------------------------------------- */

/** @defgroup errors Errors
 *  @{ */

/**
 * The name of a status without its prefix, such as "NO_OVERLAP"; "UNKNOWN" for a number that is no
 * status.
 *
 * The text is static: it is never freed and never changes. Any thread. Since 0.1.
 */
const char *haploom_status_name(haploom_status status);

/**
 * Copies out what the last call that failed on this thread had to say: what is wrong, where (file,
 * record, site, sample, byte) and what to do about it. UTF-8, one line.
 *
 * `buffer` (may be NULL) takes at most `capacity` bytes, the 0 at the end included; a text that is
 * longer is cut. Returns the length of the whole text without that 0, so a call with NULL and 0
 * tells how much is needed; 0 if nothing has failed on this thread yet. Calls that succeed leave
 * the text as it is. Each thread has its own. Since 0.1.
 */
size_t haploom_last_error(char *buffer, size_t capacity);

/**
 * The status of this thread's last call of a getter, a function that answers with a value:
 * HAPLOOM_OK, or why the value is 0, NULL or NaN. After a call that answers with a status, that
 * status if it failed. Each thread has its own. Since 0.1.
 */
haploom_status haploom_last_status(void);

/** @} */

/* ---- Options --------------------------------------------------------------------------------------------- */

/** @defgroup options Options
 *  @{ */

/**
 * Makes options, all at their defaults. Functions that take options take NULL for the defaults
 * too.
 *
 * Each function says which groups of keys it reads; `threads` and `seed` are accepted by every
 * function. A key that was set and that the function does not read is an error
 * (HAPLOOM_UNKNOWN_OPTION): nothing that you set is without effect. A function reads options while
 * it runs and does not keep them: they may be freed or changed after it returned.
 *
 * On success `*options` is a handle that you free with haploom_options_free(); else it is NULL.
 * Errors: INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_options_new(haploom_options **options);

/** Frees options; NULL is fine. One thread at a time. Since 0.1. */
void haploom_options_free(haploom_options *options);

/**
 * Sets a key to a whole number. Keys that take a number or a flag (0 or 1) take it too.
 *
 * Errors: UNKNOWN_OPTION (the text names near keys); INVALID_OPTION for a key of another type or a
 * value out of bounds (the text names the bounds); INVALID_ARGUMENT. Nothing is changed then.
 * One thread at a time. Since 0.1.
 */
haploom_status haploom_options_set_int(haploom_options *options, const char *key, int64_t value);

/**
 * Sets a key to a number; keys that take whole numbers take one without a fraction. Errors as for
 * haploom_options_set_int(). One thread at a time. Since 0.1.
 */
haploom_status haploom_options_set_double(haploom_options *options, const char *key, double value);

/**
 * Sets a key to a text: a word, a file, a list, or a number or flag ("true", "false") as text. The
 * text is copied. Errors as for haploom_options_set_int(). One thread at a time. Since 0.1.
 */
haploom_status haploom_options_set_string(haploom_options *options, const char *key, const char *value);

/**
 * Sets several keys at once: "epochs=200,l2=0.1". Values that hold a comma go through
 * haploom_options_set_string(). Files that options name are UTF-8. If one fails none is set.
 * Errors as for haploom_options_set_int(). One thread at a time. Since 0.1.
 */
haploom_status haploom_options_set_text(haploom_options *options, const char *assignments);

/**
 * Takes a key back to its default, as if it had never been set. Errors: UNKNOWN_OPTION,
 * INVALID_ARGUMENT. One thread at a time. Since 0.1.
 */
haploom_status haploom_options_unset(haploom_options *options, const char *key);

/**
 * A copy of options: values, progress function and cancel handle. On success `*copy` is a handle
 * that you free with haploom_options_free(); else it is NULL. Errors: INVALID_ARGUMENT.
 * Any thread. Since 0.1.
 */
haploom_status haploom_options_copy(const haploom_options *options, haploom_options **copy);

/**
 * Copies out the value of a key as text, set or default; returns its length, as
 * haploom_last_error() does. 0 for an unknown key or NULL (see haploom_last_status()) and for an
 * empty text. Any thread. Since 0.1.
 */
size_t haploom_options_get(const haploom_options *options, const char *key, char *buffer, size_t capacity);

/**
 * Where events of calls with these options go. `progress` NULL means nowhere, which is the
 * default.
 *
 * The function is called on the thread that made the call, with `user` as it is given here. What
 * it answers decides: 0 goes on, anything else stops the call with HAPLOOM_CANCELLED, unless its
 * work is done already. It must return: leaving it by longjmp or by a C++ exception is forbidden
 * and ends the process or worse. It may call functions of this library on other handles, but must
 * not use, change or free a handle or a buffer of the call that is running.
 * Errors: INVALID_ARGUMENT. Since 0.1.
 */
haploom_status haploom_options_set_progress(haploom_options *options,
                                            haploom_progress_fn progress,
                                            void *user);

/**
 * The flag by which calls with these options can be stopped from any thread (a sampler looks at
 * the flag of the options that it was made with, in every call); NULL for none, which is the
 * default. The options keep what they need of it: it may be freed before them. Errors:
 * INVALID_ARGUMENT. Since 0.1.
 */
haploom_status haploom_options_set_cancel(haploom_options *options, const haploom_cancel *cancel);

/**
 * How many option keys there are. Keys that begin with x_ are experimental: they may change or go.
 * Any thread. Since 0.1.
 */
size_t haploom_option_count(void);

/**
 * What option number `i` (from 0) is: its key; its type, one of HAPLOOM_TYPE_...; its default as
 * text; its bounds in words; the group it belongs to, which says what reads it; and what it does.
 * Each output pointer may be NULL. The texts are static.
 * Errors: INVALID_ARGUMENT past the last one. Any thread. Since 0.1.
 */
haploom_status haploom_option_describe(size_t i,
                                       const char **key,
                                       int32_t *type,
                                       const char **default_value,
                                       const char **bounds,
                                       const char **group,
                                       const char **help);

/**
 * The least and the greatest value of an option that takes numbers, both allowed; infinity where
 * there is no bound.
 * Errors: UNKNOWN_OPTION; INVALID_OPTION for one that takes no numbers; INVALID_ARGUMENT.
 * Any thread. Since 0.1.
 */
haploom_status haploom_option_range(const char *key, double *least, double *greatest);

/** @} */

/* ---- Progress and cancelling ----------------------------------------------------------------------------- */

/** @defgroup progress_and_cancelling Progress and cancelling
 *  @{ */

/**
 * What kind of event it is: one of HAPLOOM_EVENT_...; 0 for NULL. New kinds may come: let what you
 * do not know pass. Inside the progress function alone. Since 0.1.
 */
int32_t haploom_event_kind(const haploom_event *event);

/**
 * The text of an event: the phase of a step ("training", "sampling"), the name of a number, the
 * sentence of a notice. It ends with the call of the progress function. NULL for NULL. Inside the
 * progress function alone. Since 0.1.
 */
const char *haploom_event_text(const haploom_event *event);

/**
 * What a step counts ("updates", "haplotypes", "records", "metrics"); empty for other events, NULL
 * for NULL. Inside the progress function alone. Since 0.1.
 */
const char *haploom_event_unit(const haploom_event *event);

/**
 * Units done; for a number, the step at which it was measured. Inside the progress function alone.
 * Since 0.1.
 */
uint64_t haploom_event_done(const haploom_event *event);

/** Units in all; 0 where that is not known. Inside the progress function alone. Since 0.1. */
uint64_t haploom_event_total(const haploom_event *event);

/**
 * The number that was measured; not a number for other events. Inside the progress function alone.
 * Since 0.1.
 */
double haploom_event_value(const haploom_event *event);

/**
 * Makes a handle by which calls can be stopped, for haploom_options_set_cancel(). On success
 * `*cancel` is a handle that you free with haploom_cancel_free(); else it is NULL. Errors:
 * INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_cancel_new(haploom_cancel **cancel);

/**
 * Frees a cancel handle; NULL is fine. Calls that still look at it go on as if it were there.
 * One thread at a time. Since 0.1.
 */
void haploom_cancel_free(haploom_cancel *cancel);

/**
 * Sets the flag: calls that look at it stop; they fail with HAPLOOM_CANCELLED at their next step.
 * It stays set until haploom_cancel_reset(). Any thread at any time, signal handlers too. NULL is
 * fine. Since 0.1.
 */
void haploom_cancel_request(const haploom_cancel *cancel);

/** Clears the flag, so that the handle serves again. NULL is fine. Any thread. Since 0.1. */
void haploom_cancel_reset(const haploom_cancel *cancel);

/** @} */

/* ---- Sites and samples ----------------------------------------------------------------------------------- */

/** @defgroup sites_and_samples Sites and samples
 *  @{ */

/**
 * Sites from arrays of `n` elements: contigs; positions of the first base of the reference allele,
 * from 1; identifiers (NULL as a whole or in an element for none); reference alleles; alternate
 * alleles. Everything is copied.
 *
 * Contigs come in runs, positions do not fall within a contig, and no variant comes twice.
 * On success `*sites` is a handle that you free with haploom_sites_free(); else it is NULL.
 * Errors: UNSORTED, DUPLICATE (the text names the site by its number from 1), EMPTY for n = 0,
 * INVALID_ARGUMENT for NULL or empty texts, position 0 and alleles that are equal. Any thread.
 * Since 0.1.
 */
haploom_status haploom_sites_new(size_t n,
                                 const char *const *contigs,
                                 const uint64_t *positions,
                                 const char *const *ids,
                                 const char *const *references,
                                 const char *const *alternates,
                                 haploom_sites **sites);

/**
 * Frees sites that haploom_sites_new() made; NULL is fine. Sites that a panel, a model or a
 * sampler shows are not freed: they end with it. One thread at a time. Since 0.1.
 */
void haploom_sites_free(haploom_sites *sites);

/** How many sites there are; 0 for NULL. Any thread. Since 0.1. */
size_t haploom_sites_count(const haploom_sites *sites);

/**
 * The number of the site with this contig, position, reference and alternate allele, from 0;
 * SIZE_MAX if there is none (see haploom_last_status()). Takes time in proportion to the number of
 * sites. Any thread. Since 0.1.
 */
size_t haploom_sites_find(const haploom_sites *sites,
                          const char *contig,
                          uint64_t position,
                          const char *reference,
                          const char *alternate);

/**
 * Site number `i` (from 0). Each output pointer may be NULL. The texts live as long as `sites`; an
 * absent identifier is "".
 * Errors: INVALID_ARGUMENT past the last one. Any thread. Since 0.1.
 */
haploom_status haploom_sites_get(const haploom_sites *sites,
                                 size_t i,
                                 const char **contig,
                                 uint64_t *position,
                                 const char **id,
                                 const char **reference,
                                 const char **alternate);

/**
 * Samples from arrays of `n` elements: names, which differ; ploidy, 1 or 2 (NULL: all 2); labels
 * such as super-populations (NULL as a whole or in an element for none). Everything is copied.
 *
 * On success `*samples` is a handle that you free with haploom_samples_free(); else it is NULL.
 * Errors: DUPLICATE, PLOIDY (the text names the sample), EMPTY for n = 0, OUT_OF_MEMORY,
 * INVALID_ARGUMENT (also for an empty name). Any thread. Since 0.1.
 */
haploom_status haploom_samples_new(size_t n,
                                   const char *const *names,
                                   const uint8_t *ploidy,
                                   const char *const *labels,
                                   haploom_samples **samples);

/**
 * Frees samples that haploom_samples_new() made; NULL is fine. Samples that a panel shows are not
 * freed. One thread at a time. Since 0.1.
 */
void haploom_samples_free(haploom_samples *samples);

/** How many samples there are; 0 for NULL. Any thread. Since 0.1. */
size_t haploom_samples_count(const haploom_samples *samples);

/**
 * Sample number `i` (from 0): its name, its ploidy (1 or 2), its label (NULL if it has none) and
 * the number of its first haplotype. Each output pointer may be NULL. The texts live as long as
 * `samples`.
 * Errors: INVALID_ARGUMENT past the last one. Any thread. Since 0.1.
 */
haploom_status haploom_samples_get(const haploom_samples *samples,
                                   size_t i,
                                   const char **name,
                                   uint8_t *ploidy,
                                   const char **label,
                                   size_t *first_haplotype);

/**
 * The number of the sample called `name`, from 0; SIZE_MAX if there is none (see
 * haploom_last_status()). Takes time in proportion to their number. Any thread. Since 0.1.
 */
size_t haploom_samples_find(const haploom_samples *samples, const char *name);

/** @} */

/* ---- Panels ---------------------------------------------------------------------------------------------- */

/** @defgroup panels Panels
 *  @{ */

/**
 * Reads a panel from a file: VCF, VCF.gz, BCF, IMPUTE2's .hap + .legend + .samples, .hapt +
 * .legend, or PLINK 2's .pgen + .pvar + .psam, told by their content; "-" is standard input.
 *
 * Options: groups `reading`, `selection` and `region`. It reports steps in records; what was
 * skipped, split, filled or assumed comes as notices (see Progress and cancelling).
 * On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
 * Errors: IO, UNKNOWN_FORMAT, TRUNCATED, MALFORMED, REGION; UNPHASED, MISSING, MULTIALLELIC unless
 * options say what to do about them; UNSORTED, PLOIDY, DUPLICATE, EMPTY, UNKNOWN_NAME (a sample or
 * a column of labels); CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION, INVALID_ARGUMENT.
 * The text names file, record, site and sample. Any thread. Since 0.1.
 */
haploom_status haploom_panel_open(const char *path, const haploom_options *options, haploom_panel **panel);

/**
 * Reads a panel from the bytes of a file in memory, as haploom_panel_open() reads the file (of
 * VCF, VCF.gz and BCF; not through an index). `name` is what errors call it. Options, `*panel` and
 * errors as there. Any thread. Since 0.1.
 */
haploom_status haploom_panel_open_bytes(const uint8_t *bytes,
                                        size_t size,
                                        const char *name,
                                        const haploom_options *options,
                                        haploom_panel **panel);

/**
 * The embedded demo panel: 900 simulated people of three labelled populations at 800 sites. `part`
 * is one of HAPLOOM_DEMO_... . On success `*panel` is a handle that you free with
 * haploom_panel_free(); else it is NULL.
 * Errors: INVALID_ARGUMENT, OUT_OF_MEMORY. Any thread. Since 0.1.
 */
haploom_status haploom_panel_demo(int32_t part, haploom_panel **panel);

/**
 * A panel from bytes, 0 or 1 for each allele and HAPLOOM_MISSING_ALLELE for a missing one, which
 * are copied.
 *
 * The allele of haplotype h at site s is at `alleles[h * haplotype_stride + s * site_stride]`,
 * strides in bytes: rows of haplotypes have strides (sites, 1), rows of sites (1, haplotypes), and
 * more where rows are padded. `sites` and `samples` stay yours; the panel has as many sites as
 * `sites`. `samples` NULL makes diploid people sample_0, ...
 * On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
 * Errors: INVALID_ARGUMENT (also for another byte: the text names haplotype and site), EMPTY,
 * OUT_OF_MEMORY. Any thread. Since 0.1.
 */
haploom_status haploom_panel_from_bytes(const haploom_sites *sites,
                                        const haploom_samples *samples,
                                        const uint8_t *alleles,
                                        size_t haplotypes,
                                        size_t haplotype_stride,
                                        size_t site_stride,
                                        haploom_panel **panel);

/**
 * A panel from packed bits, which are copied: bit c of a row is bit c % 8 of its byte c / 8,
 * lowest bit first.
 *
 * `layout` HAPLOOM_HAPLOTYPE_MAJOR: a row is a haplotype, `haplotypes` rows. HAPLOOM_SITE_MAJOR: a
 * row is a site. Rows are `stride` bytes apart, at least as many as their bits fill; bits past the
 * last column do not count. `sites` and `samples` as for haploom_panel_from_bytes().
 * Haplotype-major rows are copied at the speed of memory; site-major ones are transposed.
 * On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
 * Errors: INVALID_ARGUMENT, EMPTY, OUT_OF_MEMORY. Any thread. Since 0.1.
 */
haploom_status haploom_panel_from_bits(const haploom_sites *sites,
                                       const haploom_samples *samples,
                                       const uint8_t *bits,
                                       size_t haplotypes,
                                       size_t stride,
                                       int32_t layout,
                                       haploom_panel **panel);

/**
 * Frees a panel; NULL is fine. What was made of it (models, selections) does not need it any more.
 * One thread at a time. Since 0.1.
 */
void haploom_panel_free(haploom_panel *panel);

/** Number of haplotypes; 0 for NULL. Any thread. Since 0.1. */
size_t haploom_panel_haplotypes(const haploom_panel *panel);

/**
 * The sites of a panel, in order. They belong to the panel and end with it; NULL for NULL.
 * Any thread. Since 0.1.
 */
const haploom_sites *haploom_panel_sites(const haploom_panel *panel);

/**
 * The samples of a panel, in order. They belong to the panel and end with it; NULL for NULL.
 * Any thread. Since 0.1.
 */
const haploom_samples *haploom_panel_samples(const haploom_panel *panel);

/**
 * Number of missing alleles; 0 for NULL. A panel with any is not complete: training and evaluation
 * refuse it. Any thread. Since 0.1.
 */
size_t haploom_panel_missing(const haploom_panel *panel);

/**
 * Number of unphased heterozygous genotypes; 0 for NULL. A panel with any is not complete.
 * Any thread. Since 0.1.
 */
size_t haploom_panel_unphased(const haploom_panel *panel);

/**
 * Copies a window of alleles into bytes: 0, 1, or HAPLOOM_MISSING_ALLELE.
 *
 * The window is `haplotypes` haplotypes from number `first_haplotype` and `sites` sites from
 * number `first_site`. The allele of its haplotype h at its site s goes to `buffer[h *
 * haplotype_stride + s * site_stride]`; other bytes stay as they are. `size` is the size of
 * `buffer` in bytes.
 * Errors: INVALID_ARGUMENT for a window that is not inside the panel, a buffer that is too small
 * (the text says what is needed), or strides that map two alleles to one byte; OUT_OF_MEMORY.
 * Any thread. Since 0.1.
 */
haploom_status haploom_panel_to_bytes(const haploom_panel *panel,
                                      size_t first_haplotype,
                                      size_t haplotypes,
                                      size_t first_site,
                                      size_t sites,
                                      uint8_t *buffer,
                                      size_t size,
                                      size_t haplotype_stride,
                                      size_t site_stride);

/**
 * Copies a window of alleles into packed bits, rows `stride` bytes apart, as
 * haploom_panel_from_bits() takes them.
 *
 * The bits after the last column of a row's last byte become 0; bytes between rows stay as they
 * are. `size` is the size of `buffer` in bytes.
 * Errors: INVALID_ARGUMENT for a window that is not inside the panel, or a buffer or stride that
 * is too small; MISSING if an allele of the window is missing, which bits cannot say;
 * OUT_OF_MEMORY. Any thread. Since 0.1.
 */
haploom_status haploom_panel_to_bits(const haploom_panel *panel,
                                     size_t first_haplotype,
                                     size_t haplotypes,
                                     size_t first_site,
                                     size_t sites,
                                     uint8_t *buffer,
                                     size_t size,
                                     size_t stride,
                                     int32_t layout);

/**
 * The frequency of the alternate allele at each site, 0 to 1, missing alleles left out; `n` is the
 * number of sites.
 * Errors: INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_panel_frequencies(const haploom_panel *panel, double *frequencies, size_t n);

/**
 * Copies out the SHA-256 of a panel's haplotypes, 64 hexadecimal digits, as haploom_last_error()
 * does: equal haplotypes have equal ones. Returns its length, 0 for NULL. Any thread. Since 0.1.
 */
size_t haploom_panel_fingerprint(const haploom_panel *panel, char *buffer, size_t capacity);

/**
 * The part of a panel that the options `region`, `samples` and `samples_file` name, as a new
 * panel.
 * On success `*selected` is a handle that you free with haploom_panel_free(); else it is NULL.
 * Errors: REGION, EMPTY, UNKNOWN_NAME, IO, OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION,
 * INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_panel_select(const haploom_panel *panel,
                                    const haploom_options *options,
                                    haploom_panel **selected);

/**
 * The same haplotypes with other samples: other names, ploidy or labels.
 * On success `*renamed` is a handle that you free with haploom_panel_free(); else it is NULL.
 * Errors: INVALID_ARGUMENT if their numbers of haplotypes differ; OUT_OF_MEMORY. Any thread.
 * Since 0.1.
 */
haploom_status haploom_panel_with_samples(const haploom_panel *panel,
                                          const haploom_samples *samples,
                                          haploom_panel **renamed);

/**
 * A panel of the people of `panel`, then those of `other`: a reference panel and artificial
 * people, say. Both have the same sites in the same order.
 * On success `*both` is a handle that you free with haploom_panel_free(); else it is NULL.
 * Errors: NO_OVERLAP, naming the first site that differs; DUPLICATE for a name that both have;
 * OUT_OF_MEMORY; INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_panel_append(const haploom_panel *panel,
                                    const haploom_panel *other,
                                    haploom_panel **both);

/**
 * Writes a panel to a file, whole or not at all; "-" is standard output. The name says the format
 * (.vcf, .vcf.gz, .bcf, .hap[.gz], .hapt[.gz], .pgen) unless the option `format` does; VCF.gz and
 * BCF get an index.
 *
 * Options: group `writing`. VCF and BCF report steps in records.
 * Errors: IO, UNKNOWN_FORMAT; MISSING or UNPHASED where the format cannot hold them; EMPTY;
 * CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION, INVALID_ARGUMENT (also for names that
 * the format cannot hold). Any thread. Since 0.1.
 */
haploom_status haploom_panel_write(const haploom_panel *panel,
                                   const char *path,
                                   const haploom_options *options);

/** @} */

/* ---- Training -------------------------------------------------------------------------------------------- */

/** @defgroup training Training
 *  @{ */

/**
 * Trains a model on a complete panel (phased, nothing missing).
 *
 * `kind`: "rbm" (a restricted Boltzmann machine, for most uses), "markov" (windows of sites) or
 * "bernoulli" (frequencies alone). Options: groups `training`, `training, RBM` and `checkpoints`,
 * or `training, Markov`, by kind. The same panel, kind, options and seed give the same model for
 * any number of threads. It reports steps in updates, and what it measures.
 *
 * With `checkpoint` a stopped training of an RBM leaves its state in that folder, whole, and the
 * same call with `resume` goes on from there and ends with the same model. A checkpoint contains
 * more of the panel than the model does.
 * On success `*model` is a handle that you free with haploom_model_free(); else it is NULL.
 * Errors: EMPTY, MISSING, UNPHASED; DIVERGED; CANCELLED; CHECKPOINT_MISMATCH, IO; OUT_OF_MEMORY, those of devices,
 * UNKNOWN_OPTION, INVALID_OPTION, INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_train(const haploom_panel *panel,
                             const char *kind,
                             const haploom_options *options,
                             haploom_model **model);

/** @} */

/* ---- Models ---------------------------------------------------------------------------------------------- */

/** @defgroup models Models
 *  @{ */

/**
 * Opens a model file (safetensors). On success `*model` is a handle that you free with
 * haploom_model_free(); else it is NULL. Errors: IO, NOT_A_MODEL, MODEL_TOO_OLD, MODEL_TOO_NEW,
 * MODEL_CORRUPT, OUT_OF_MEMORY, INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_model_open(const char *path, haploom_model **model);

/**
 * A model from the bytes of a model file in memory, which are copied. `*model` and errors as for
 * haploom_model_open(), without IO. Any thread. Since 0.1.
 */
haploom_status haploom_model_from_bytes(const uint8_t *bytes, size_t size, haploom_model **model);

/**
 * The bytes of a model's file. `*needed` (may be NULL) becomes their number; `buffer` takes them
 * if `capacity` is as large, and stays as it is for `buffer` NULL and `capacity` 0. The same model
 * gives the same bytes.
 * Errors: INVALID_ARGUMENT, also for a buffer that is too small; OUT_OF_MEMORY. Any thread.
 * Since 0.1.
 */
haploom_status haploom_model_to_bytes(const haploom_model *model,
                                      uint8_t *buffer,
                                      size_t capacity,
                                      size_t *needed);

/**
 * Writes a model to a file, whole or not at all. Errors: IO, OUT_OF_MEMORY, INVALID_ARGUMENT.
 * Any thread. Since 0.1.
 */
haploom_status haploom_model_save(const haploom_model *model, const char *path);

/**
 * Frees a model; NULL is fine. Samplers keep what they need of it. One thread at a time.
 * Since 0.1.
 */
void haploom_model_free(haploom_model *model);

/**
 * The kind of a model, as haploom_train() names it. Static text; NULL for NULL. Any thread.
 * Since 0.1.
 */
const char *haploom_model_kind(const haploom_model *model);

/**
 * The sites of a model, in order. They belong to the model and end with it; NULL for NULL.
 * Any thread. Since 0.1.
 */
const haploom_sites *haploom_model_sites(const haploom_model *model);

/**
 * How many entries a model's description has: its size, its training, what was measured, what it
 * may leak. 0 for NULL. Any thread. Since 0.1.
 */
size_t haploom_model_info_count(const haploom_model *model);

/**
 * Entry `i` (from 0) of a model's description: its name and its value, for people to read. Each
 * output pointer may be NULL. The texts live as long as the model. Errors: INVALID_ARGUMENT past
 * the last one. Any thread. Since 0.1.
 */
haploom_status haploom_model_info(const haploom_model *model,
                                  size_t i,
                                  const char **name,
                                  const char **value);

/**
 * How many labels a model knows, such as populations, that haplotypes can be asked for by the
 * option `label` of haploom_sampler_new(): those of the training panel, for "gan" and "wgan". 0 for
 * other models and for NULL. Any thread. Since 0.1.
 */
size_t haploom_model_label_count(const haploom_model *model);

/**
 * Label `i` (from 0) of a model, in alphabetical order. It lives as long as the model; NULL past
 * the last one and for NULL. Any thread. Since 0.1.
 */
const char *haploom_model_label(const haploom_model *model, size_t i);

/**
 * The share of the training haplotypes that have label `i`, from 0 to 1; all sum to 1. NaN past the
 * last one and for NULL. Any thread. Since 0.1.
 */
double haploom_model_label_share(const haploom_model *model, size_t i);

/**
 * How well a model knows a panel: for each haplotype and each site of the model, the probability
 * of the alternate allele given all other alleles of the haplotype (of a Markov model: given those
 * in the window before it, which may make it 0 or 1; of a Bernoulli model: its frequency). Exact,
 * without sampling.
 *
 * `probabilities` takes `n` numbers from 0 to 1, haplotypes of the panel x sites of the model, a
 * row a haplotype; n has to be their product. Options: none but `threads`.
 * Errors: NO_OVERLAP, CONTIG_MISMATCH or ALLELE_MISMATCH for a panel that lacks sites of the
 * model; EMPTY, MISSING, UNPHASED; CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_ARGUMENT.
 * Any thread. Since 0.1.
 */
haploom_status haploom_model_conditionals(const haploom_model *model,
                                          const haploom_panel *panel,
                                          const haploom_options *options,
                                          float *probabilities,
                                          size_t n);

/** @} */

/* ---- Sampling -------------------------------------------------------------------------------------------- */

/** @defgroup sampling Sampling
 *  @{ */

/**
 * A stream of a model's haplotypes, from number 0 on. Haplotype number i is a function of the
 * model, the seed, the label, the start panel, the options of group `sampling` and i: the same
 * bytes for any threads, buffers, regions and seeks.
 *
 * A model that knows labels (haploom_model_label()) makes them in their shares, both haplotypes of
 * a person from one. The option `label` asks for one, "EUR"; or for several with the haplotypes of
 * each, "EUR=500,EAS=500": 500 of EUR, then 500 of EAS, and the stream ends. Haplotypes of a label
 * are numbered from 0 on in it, and number i is the same alone and in any such plan.
 *
 * `start` (may be NULL): haplotypes that the chains of an RBM start from; haplotype i starts from
 * number i modulo their number. They should be samples that were not used in training.
 * Options: groups `sampling` (for an RBM alone), `stream` and `region`; their cancel handle stops
 * every call of the sampler. The model and the start panel may be freed before the sampler.
 * On success `*sampler` is a handle that you free with haploom_sampler_free(); else it is NULL.
 * Errors: REGION (also for a contig that the model does not have), EMPTY (no site of the model in
 * the region), UNKNOWN_NAME (a label), INVALID_OPTION (also for labels that do not parse), NO_OVERLAP, CONTIG_MISMATCH or ALLELE_MISMATCH (a start
 * panel that lacks sites), MISSING, UNPHASED, OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT.
 * Any thread. Since 0.1.
 */
haploom_status haploom_sampler_new(const haploom_model *model,
                                   const haploom_panel *start,
                                   const haploom_options *options,
                                   haploom_sampler **sampler);

/** Frees a sampler; NULL is fine. One thread at a time. Since 0.1. */
void haploom_sampler_free(haploom_sampler *sampler);

/**
 * The sites of the haplotypes, in order: those of the model inside the region. They belong to the
 * sampler and end with it; NULL for NULL. Any thread. Since 0.1.
 */
const haploom_sites *haploom_sampler_sites(const haploom_sampler *sampler);

/**
 * The number of the haplotype at which the stream ends: as many as the option `label` asks for, or
 * 2^48; fewer by the option `haplotypes`. 0 for NULL. Any thread. Since 0.1.
 */
uint64_t haploom_sampler_end(const haploom_sampler *sampler);

/** The number of the next haplotype; 0 for NULL. Any thread. Since 0.1. */
uint64_t haploom_sampler_position(const haploom_sampler *sampler);

/**
 * Goes to haplotype number `i`: the next one is it, as if the stream had been read up to there.
 * Errors: INVALID_ARGUMENT past the end of the stream. One thread at a time. Since 0.1.
 */
haploom_status haploom_sampler_seek(haploom_sampler *sampler, uint64_t i);

/**
 * Bytes of a buffer that takes `haplotypes` haplotypes at once in the stream's layout and packing,
 * without gaps between rows; 0 for NULL and where a size_t cannot say it. Any thread. Since 0.1.
 */
size_t haploom_sampler_buffer_size(const haploom_sampler *sampler, size_t haplotypes);

/**
 * Fills a buffer with the next haplotypes, as many as fit whole; `*haplotypes` becomes their
 * number, 0 at the stream's end.
 *
 * `layout` haplotypes (the default): a row is a haplotype, rows follow each other without gaps;
 * with `packing` bytes (the default) a row is a byte for each site, 0 or 1; with `packing` bits it
 * is (sites + 7) / 8 bytes, lowest bit first, the bits after the last site 0. `layout` sites: a
 * row is a site, and rows are size / sites bytes apart (rounded down), so a row has room for that
 * many haplotypes as bytes, 8 times as many as bits; what is past the last haplotype becomes 0.
 * `size` is the size of `buffer` in bytes. For a given number of haplotypes, or rows further
 * apart, take haploom_sampler_fill().
 * Errors: INVALID_ARGUMENT, also for a buffer that takes no haplotype; CANCELLED by the flag of
 * the options that the sampler was made with; OUT_OF_MEMORY, those of devices. The stream stays where it was then.
 * One thread at a time. Since 0.1.
 */
haploom_status haploom_sampler_next(haploom_sampler *sampler,
                                    uint8_t *buffer,
                                    size_t size,
                                    size_t *haplotypes);

/**
 * Puts the next `haplotypes` haplotypes into a buffer, rows `stride` bytes apart (0: without
 * gaps), in the stream's layout and packing; fewer at the stream's end. `*filled` becomes their
 * number. Bytes between rows stay as they are: the buffer may be a part of a larger matrix, such
 * as the columns behind those of real haplotypes. With packing bits, the bits after the last
 * column of a row's last byte become 0.
 *
 * `size` is the size of `buffer` in bytes, counted from its first row to the end of its last one.
 * Errors: INVALID_ARGUMENT for a stride that is smaller than a row or a buffer that is too small
 * (the text says what is needed); CANCELLED by the flag of the options that the sampler was made
 * with; OUT_OF_MEMORY, those of devices. The stream stays where it was then. One thread at a time. Since 0.1.
 */
haploom_status haploom_sampler_fill(haploom_sampler *sampler,
                                    size_t haplotypes,
                                    uint8_t *buffer,
                                    size_t size,
                                    size_t stride,
                                    size_t *filled);

/**
 * The next `haplotypes` haplotypes as a panel of people PREFIX_j, whose haplotypes are numbers 2j
 * and 2j + 1.
 *
 * `haplotypes` is even, and the stream stands at an even number; of each label that the option
 * `label` counts, an even number is asked for. People of a model that knows labels have theirs.
 * Options: group `artificial people`. The option `haplotypes` of the stream does not matter here.
 * On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
 * Errors: INVALID_ARGUMENT for haplotypes that do not pair into people, and for more than `label`
 * asks for; CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION. The stream stays where it was then. One thread at a time. Since 0.1.
 */
haploom_status haploom_sampler_panel(haploom_sampler *sampler,
                                     size_t haplotypes,
                                     const haploom_options *options,
                                     haploom_panel **panel);

/**
 * Writes the next `haplotypes` haplotypes to a file, whole or not at all, as `haploom sample`
 * does: people as for haploom_sampler_panel(), with model, seed and numbers in the header of VCF
 * and BCF. Formats as for haploom_panel_write().
 *
 * Options: groups `artificial people` and `writing`.
 * Errors: INVALID_ARGUMENT unless haplotypes pair into people; IO, UNKNOWN_FORMAT; CANCELLED;
 * OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_OPTION. The stream stays where it was then.
 * One thread at a time. Since 0.1.
 */
haploom_status haploom_sampler_write(haploom_sampler *sampler,
                                     size_t haplotypes,
                                     const char *path,
                                     const haploom_options *options);

/** @} */

/* ---- Augmentation ---------------------------------------------------------------------------------------- */

/** @defgroup augmentation Augmentation
 *  @{ */

/**
 * Writes the records of a VCF or BCF file with artificial people appended, those of the sampler's
 * next `haplotypes` haplotypes, named as by haploom_sampler_panel(). `input` and `output` may be
 * "-". The records inside the sampler's region are passed through one by one; memory holds the
 * artificial alleles alone, sites x haplotypes / 8 bytes.
 *
 * Artificial people have GT only, and . in other FORMAT fields. Of INFO, AC, AN and AF are counted
 * anew, keys that describe the site stay, and keys that describe the real people are dropped.
 * Records that the model does not have, or has with other alleles, are treated as the option
 * `outside` says. At the end come events HAPLOOM_EVENT_MEASURED "records", "written",
 * "real_people" and "artificial_people", and notices of what was dropped.
 *
 * Options: groups `artificial people`, `augmentation` and `writing`.
 * Errors: those of haploom_panel_open() for damaged and unsorted files; INVALID_ARGUMENT unless
 * haplotypes pair into people; DUPLICATE if an artificial person has a real one's name;
 * CONTIG_MISMATCH, ALLELE_MISMATCH or NO_OVERLAP if no record matches; IO, UNKNOWN_FORMAT;
 * CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION. The output and the stream are as they
 * were before then; once the output is in its place nothing stops the call any more.
 * One thread at a time. Since 0.1.
 */
haploom_status haploom_augment(haploom_sampler *sampler,
                               size_t haplotypes,
                               const char *input,
                               const char *output,
                               const haploom_options *options);

/** @} */

/* ---- Imputation ------------------------------------------------------------------------------------------ */

/** @defgroup imputation Imputation
 *  @{ */

/**
 * Makes ready to impute. With a panel alone: by the copying model of Li and Stephens over its
 * haplotypes, with rates estimated from the panel. With a model alone: from what the model knows
 * (no reference genome is read). With both: from the panel and from artificial haplotypes that the
 * model makes now, which count as much as the targets tell, and nothing where they do not help.
 * One of `panel` and `model` may be NULL.
 *
 * Options: groups `genetic map` (with a panel), `copying model` and `imputation`. Panel and model
 * may be freed before the imputer. On success `*imputer` is a handle that you free with
 * haploom_imputer_free(); else it is NULL.
 * Errors: EMPTY, MISSING, UNPHASED (the panel); NO_OVERLAP, CONTIG_MISMATCH or ALLELE_MISMATCH (the
 * model has no site of the panel, or the map not its contigs); IO, UNKNOWN_FORMAT, MALFORMED,
 * UNSORTED, TRUNCATED (the map); CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT (also
 * for a kind of model that does not impute). Any thread. Since 0.1.
 */
haploom_status haploom_imputer_new(const haploom_panel *panel,
                                   const haploom_model *model,
                                   const haploom_options *options,
                                   haploom_imputer **imputer);

/** Frees an imputer; NULL is fine. One thread at a time. Since 0.1. */
void haploom_imputer_free(haploom_imputer *imputer);

/**
 * The sites that are imputed, in order: those of the panel, or of the model. They belong to the
 * imputer and end with it; NULL for NULL. Any thread. Since 0.1.
 */
const haploom_sites *haploom_imputer_sites(const haploom_imputer *imputer);

/**
 * Imputes haplotypes in memory, for a tool that does its own reading and writing.
 *
 * `typed`: the numbers of the `typed_count` typed sites among haploom_imputer_sites(), rising.
 * `alleles`: 0 or 1 for each haplotype and typed site, -1 where it is missing; haplotype h has its
 * allele of typed site t at `alleles[h * stride + t]`, so `stride` is at least `typed_count`.
 * `dosages`: takes haplotypes x sites numbers, a row a haplotype: the expected number of alternate
 * alleles, 0 to 1, at every site, typed ones too (there as likely as the model finds them).
 * `left_out` (may be NULL): takes haplotypes x typed_count numbers, the same at typed sites from
 * all other typed sites alone, NaN where an allele is missing.
 *
 * Without artificial haplotypes, and but for the random numbers of an RBM's chains, a haplotype's
 * numbers do not depend on the others of the call. Rates are estimated at each call: one call for
 * many haplotypes is faster than many calls. Events HAPLOOM_EVENT_MEASURED "effective_size",
 * "error" and "artificial_weight" tell what was estimated.
 *
 * Options: group `every call`. Errors: CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT
 * (also for other alleles, and for typed sites that do not rise). Any thread. Since 0.1.
 */
haploom_status haploom_imputer_impute(const haploom_imputer *imputer,
                                      const int8_t *alleles,
                                      size_t haplotypes,
                                      size_t stride,
                                      const size_t *typed,
                                      size_t typed_count,
                                      float *dosages,
                                      float *left_out,
                                      const haploom_options *options);

/**
 * Imputes a file of phased people, `target` (VCF, VCF.gz, BCF or another format of panels; - is
 * standard input), and writes VCF or BCF, `output` (- is standard output), with GT:DS:HDS:GP, and in
 * INFO AF, MAF, R2, INFO, at typed sites ER2, and TYPED, IMPUTED or TYPED_ONLY.
 *
 * Missing alleles are imputed, haploid people stay haploid, sites that the target alone has are
 * passed through. Sites with other alleles, or exchanged ones, are never turned round: a notice
 * counts them, option `report` lists them. At the end come events HAPLOOM_EVENT_MEASURED "people",
 * "typed", "imputed", "typed_only", "missing", "left_out_r2" (mean ER2), and where they were
 * estimated "effective_size", "error" and "artificial_weight".
 *
 * Options: groups `imputation of files`, `region` and `writing`. Errors: those of
 * haploom_panel_open() for the target, UNPHASED among them; NO_OVERLAP, CONTIG_MISMATCH (option
 * contigs=match takes chr15 and 15 as one) or ALLELE_MISMATCH; EMPTY, REGION; IO, UNKNOWN_FORMAT;
 * CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_OPTION. The output is as it was then.
 * Any thread. Since 0.1.
 */
haploom_status haploom_imputer_impute_file(const haploom_imputer *imputer,
                                           const char *target,
                                           const char *output,
                                           const haploom_options *options);

/**
 * Tells for each haplotype of a file of phased people from whom each stretch was most likely
 * copied, for an imputer made of a panel alone, and writes a table, tab-separated, with a header:
 * sample, haplotype (1 or 2), contig, positions of the first and the last typed site, the donor's
 * sample, haplotype and label (.), typed sites, and those at which both differ. - is standard input
 * or output. An event HAPLOOM_EVENT_MEASURED "stretches" comes at the end.
 *
 * Options: group `imputation of files` (`contigs` alone has a meaning).
 * Errors: as haploom_imputer_impute_file(); INVALID_ARGUMENT for an imputer with a model. The
 * output is as it was then. Any thread. Since 0.1.
 */
haploom_status haploom_imputer_paint_file(const haploom_imputer *imputer,
                                          const char *target,
                                          const char *output,
                                          const haploom_options *options);

/** @} */

/* ---- Encoding -------------------------------------------------------------------------------------------- */

/** @defgroup encoding Encoding
 *  @{ */

/**
 * Encodes the haplotypes of a panel, which has to have all sites of the model. An RBM: means of the
 * hidden units, and their projections on the leading right singular vectors of the weights. A
 * variational autoencoder (vae): means of the latent numbers, which take the place of hidden units
 * in what follows, and their projections, from the mean of the latent distribution that the model
 * draws from, on its leading principal axes. Sites that only the panel has are left out.
 *
 * Options: group `encoding`. On success `*encoding` is a handle that you free with
 * haploom_encoding_free(); else it is NULL. Errors: NO_OVERLAP, CONTIG_MISMATCH, ALLELE_MISMATCH,
 * EMPTY, MISSING, UNPHASED; CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT (also for a
 * model without hidden units or an encoder). Any thread. Since 0.1.
 */
haploom_status haploom_encode(const haploom_model *model,
                              const haploom_panel *panel,
                              const haploom_options *options,
                              haploom_encoding **encoding);

/** Frees an encoding; NULL is fine. One thread at a time. Since 0.1. */
void haploom_encoding_free(haploom_encoding *encoding);

/** Number of haplotypes; 0 for NULL. Any thread. Since 0.1. */
size_t haploom_encoding_haplotypes(const haploom_encoding *encoding);

/** Number of hidden units; 0 for NULL. Any thread. Since 0.1. */
size_t haploom_encoding_hidden_units(const haploom_encoding *encoding);

/**
 * Number of components: `components` of the options, or as many as there are if these are fewer; 0
 * for NULL. Any thread. Since 0.1.
 */
size_t haploom_encoding_components(const haploom_encoding *encoding);

/**
 * Means of the hidden units, haplotypes x hidden units, a row a haplotype: 0 to 1, at least 0 for
 * ReLU units, any number for a vae. They belong to the encoding and end with it; NULL for NULL. Any thread.
 * Since 0.1.
 */
const float *haploom_encoding_hidden(const haploom_encoding *encoding);

/**
 * Projections, haplotypes x components, a row a haplotype, the component of the largest singular
 * value first. They belong to the encoding and end with it; NULL for NULL. Any thread. Since 0.1.
 */
const float *haploom_encoding_projections(const haploom_encoding *encoding);

/**
 * Singular values of the weights, or standard deviations of a vae's latent distribution along its
 * axes, one for each component, in decreasing order. They belong to the
 * encoding and end with it; NULL for NULL. Any thread. Since 0.1.
 */
const double *haploom_encoding_singular_values(const haploom_encoding *encoding);

/** @} */

/* ---- Evaluation ------------------------------------------------------------------------------------------ */

/** @defgroup evaluation Evaluation
 *  @{ */

/**
 * Compares artificial haplotypes with the real ones that a model learned from, at the sites that
 * the panels share.
 *
 * `held_out` (may be NULL): people that the model was not trained on. With them each number has
 * its floor, the same number between real people, and the privacy loss is measured. Shares of
 * populations are compared if all real people have labels.
 * Options: group `evaluation`. It reports steps in metrics.
 * On success `*evaluation` is a handle that you free with haploom_evaluation_free(); else it is
 * NULL.
 * Errors: MISSING, UNPHASED, EMPTY; NO_OVERLAP, CONTIG_MISMATCH, ALLELE_MISMATCH; CANCELLED;
 * OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_evaluate(const haploom_panel *real,
                                const haploom_panel *artificial,
                                const haploom_panel *held_out,
                                const haploom_options *options,
                                haploom_evaluation **evaluation);

/** Frees an evaluation; NULL is fine. One thread at a time. Since 0.1. */
void haploom_evaluation_free(haploom_evaluation *evaluation);

/** How many numbers there are; 0 for NULL. Any thread. Since 0.1. */
size_t haploom_evaluation_count(const haploom_evaluation *evaluation);

/**
 * Number `i` (from 0) of an evaluation: its name ("ld_r", "aa_truth", "privacy_loss", ...), which
 * does not change between versions; its title in words; what else to know of it ("" for nothing).
 * Each output pointer may be NULL. The texts live as long as the evaluation. Errors:
 * INVALID_ARGUMENT past the last one. Any thread. Since 0.1.
 */
haploom_status haploom_evaluation_describe(const haploom_evaluation *evaluation,
                                           size_t i,
                                           const char **name,
                                           const char **title,
                                           const char **note);

/**
 * A number by its name: its value; its floor, the same number between real and held-out people;
 * the best that can be; and its standard deviation over draws. Each is NaN where it is not
 * defined, and each output pointer may be NULL.
 * Errors: UNKNOWN_NAME (the text lists the names); INVALID_ARGUMENT. Any thread. Since 0.1.
 */
haploom_status haploom_evaluation_get(const haploom_evaluation *evaluation,
                                      const char *name,
                                      double *value,
                                      double *floor,
                                      double *best,
                                      double *deviation);

/**
 * Copies out an evaluation as JSON, as haploom_last_error() does. Returns its length, 0 for NULL.
 * Any thread. Since 0.1.
 */
size_t haploom_evaluation_json(const haploom_evaluation *evaluation, char *buffer, size_t capacity);

/**
 * Copies out an evaluation as a table for people to read, as haploom_last_error() does. Returns
 * its length, 0 for NULL. Any thread. Since 0.1.
 */
size_t haploom_evaluation_table(const haploom_evaluation *evaluation, char *buffer, size_t capacity);

/**
 * The sizes of an evaluation: real and artificial haplotypes; held-out ones that the floors are
 * taken from (at most as many as there are artificial ones, 0 without held-out people); and the
 * sites that all panels share. Each output pointer may be NULL. Errors: INVALID_ARGUMENT.
 * Any thread. Since 0.1.
 */
haploom_status haploom_evaluation_sizes(const haploom_evaluation *evaluation,
                                        size_t *real,
                                        size_t *artificial,
                                        size_t *held_out,
                                        size_t *sites);

/** @} */

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HAPLOOM_H */
