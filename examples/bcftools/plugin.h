/* What the plugins share; each says its NAME before it includes this.
 *
 * Plugins with run() read and write on their own, as +split-vep does. These hand the names of files to libhaploom, which has
 * an htslib of its own: no structure of bcftools or of its htslib is touched, so they serve any bcftools that knows run(), and
 * need none of its headers. */
#ifndef HAPLOOM_PLUGIN_H
#define HAPLOOM_PLUGIN_H

#include <errno.h>
#include <getopt.h>
#include <haploom.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

/* What bcftools looks up in a plugin. */
EXPORTED const char *about(void);
EXPORTED const char *usage(void);
EXPORTED void version(const char **bcftools, const char **htslib);
EXPORTED int run(int argc, char **argv);

/* The program that loads the plugin has these two. */
extern const char *bcftools_version(void) __attribute__((weak));
extern const char *hts_version(void) __attribute__((weak));

/* The first signal asks the library to stop, which leaves nothing half-written; the second one kills. */
static haploom_cancel *interrupt;
static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    interrupted = number;
    haploom_cancel_request(interrupt);
}

static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_STOPPING = sizeof stopping / sizeof *stopping };
static struct sigaction before[N_STOPPING];

static void catch_signals(void) {
    /* No SA_RESTART: reading from a pipe shall notice. What was ignored (nohup) stays ignored. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < N_STOPPING; i++)
        if (sigaction(stopping[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
            sigaction(stopping[i], &action, NULL);
}

static void release_signals(void) {
    for (int i = 0; i < N_STOPPING; i++) sigaction(stopping[i], &before[i], NULL);
}

/* Says an error of the command line. As bcftools' error(), the status is 255. */
static int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int wrong(const char *format, ...) {
    va_list values;
    fputs("[" NAME "] Error: ", stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    return 255;
}

/* Says why a call failed, whose text names file, record, site, sample and remedy. */
static int failed(haploom_status status) {
    if (status == HAPLOOM_OK) return 0;
    if (interrupted) {
        fprintf(stderr, "[" NAME "] Interrupted\n");
        return 128 + interrupted;
    }
    char text[4096];
    haploom_last_error(text, sizeof text);
    return wrong("%s", text);
}

static int parse_whole(const char *option, const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || *value > INT64_MAX)
        return wrong("Could not parse argument: %s %s: a whole number is expected", option, text);
    return 0;
}

static int parse_format(const char *text, const char **format) {
    switch (text[0]) {
    case 'b': case 'u': *format = "bcf"; break;
    case 'z': *format = "vcf.gz"; break;
    case 'v': *format = "vcf"; break;
    default: return wrong("The output type \"%s\" not recognised: u, b, z or v", text);
    }
    if (text[1])
        return wrong("The output type \"%s\": the level of compression cannot be chosen here: give -O %c", text, text[0]);
    return 0;
}

/* The format that a name stands for; NULL if it says none. */
static const char *format_of_name(const char *name) {
    static const char *const endings[][2] = {
        {".bcf", "bcf"}, {".vcf", "vcf"}, {".vcf.gz", "vcf.gz"}, {".vcf.bgz", "vcf.gz"}};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i][0]);
        if (length >= n && !strcasecmp(name + length - n, endings[i][0])) return endings[i][1];
    }
    return NULL;
}

/* Where the output goes; texts are NULL where the command line says nothing. */
struct destination {
    const char *name, *format, *index_format;
    int index;
};

/* Settles the format, and whether there can be an index. */
static int check_destination(struct destination *to) {
    const char *named = format_of_name(to->name);
    if (to->format && named && strcmp(to->format, named))
        return wrong("-O asks for %s, and \"%s\" is a name for %s: change one of them", to->format, to->name, named);
    if (!to->format) to->format = named ? named : "vcf";
    if (to->index) {
        const char *kind = !strcmp(to->format, "bcf") ? "csi" : !strcmp(to->format, "vcf.gz") ? "tbi" : NULL;
        if (!kind || !strcmp(to->name, "-"))
            return wrong("-W needs a file (-o) of compressed VCF or BCF (-O z or b) to index");
        if (to->index_format && strcmp(to->index_format, kind))
            return wrong("-W=%s: the index of %s is a %s here. `bcftools index` makes others", to->index_format, to->format,
                         kind);
    }
    return 0;
}

/* -r, once, and one region. */
static int parse_region(const char *text, const char **region) {
    if (*region) return wrong("-r can be given once: one region is read in a run");
    if (strchr(text, ','))
        return wrong("-r %s: one region is read in a run. Select several with `bcftools view -r` before, in a pipe", text);
    *region = text;
    return 0;
}

static int parse_threads(const char *text, int64_t *threads) {
    uint64_t number = 0;
    int bad = parse_whole("--threads", text, &number);
    /* In bcftools 0 is one thread, in haploom one for each processor. */
    *threads = number ? (int64_t)number : 1;
    return bad;
}

/* An option that bcftools view has and this plugin has not. */
static int not_read_here(char **argv) {
    return wrong("%s is not read here: select with `bcftools view` before, in a pipe",
                 argv[optind - 1] == optarg ? argv[optind - 2] : argv[optind - 1]);
}

/* The input, which comes after the options; NULL where the usage has to be shown instead. */
static int parse_input(int argc, char **argv, const char **input) {
    if (argc - optind > 1)
        return wrong("One input file is expected, and there are %d: \"%s\" is the second%s", argc - optind,
                     argv[optind + 1], argv[optind + 1][0] == '-' ? ". This plugin takes its options without a -- before" : "");
    *input = optind < argc ? argv[optind] : isatty(STDIN_FILENO) ? NULL : "-";
    return 0;
}

/* --set: splits KEY=VALUE, and tells the group of the key; NULL where there is no such key. */
struct assignment {
    char key[64];
    const char *value, *group;
};

static int parse_assignment(const char *text, struct assignment *a) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof a->key)
        return wrong("Could not parse argument: --set %s: KEY=VALUE is expected", text);
    memcpy(a->key, text, equals - text);
    a->key[equals - text] = 0;
    a->value = equals + 1;
    a->group = NULL;
    for (size_t i = 0; i < haploom_option_count(); i++) {
        const char *known, *group;
        if (haploom_option_describe(i, &known, NULL, NULL, NULL, &group, NULL) == HAPLOOM_OK && !strcmp(known, a->key))
            a->group = group;
    }
    return 0;
}

/* bcftools view has these: told apart from misspellings. */
enum { ELSEWHERE = 1000 };
#define SELECTING "e:i:R:s:S:t:T:"
#define SELECTING_OPTIONS \
    {"exclude", required_argument, NULL, ELSEWHERE}, \
    {"include", required_argument, NULL, ELSEWHERE}, \
    {"regions-file", required_argument, NULL, ELSEWHERE}, \
    {"regions-overlap", required_argument, NULL, ELSEWHERE}, \
    {"samples", required_argument, NULL, ELSEWHERE}, \
    {"samples-file", required_argument, NULL, ELSEWHERE}, \
    {"targets", required_argument, NULL, ELSEWHERE}, \
    {"targets-file", required_argument, NULL, ELSEWHERE}, \
    {"targets-overlap", required_argument, NULL, ELSEWHERE}

/* A number that a call tells at its end. */
struct number {
    const char *name;
    double value;
};

/* Notices go to standard error; numbers into `user`, an array of those that are wanted, which ends with no name. */
static int32_t listen(void *user, const haploom_event *event) {
    const char *text = haploom_event_text(event);
    if (haploom_event_kind(event) == HAPLOOM_EVENT_NOTICE) fprintf(stderr, "[" NAME "] Note: %s\n", text);
    if (haploom_event_kind(event) == HAPLOOM_EVENT_MEASURED)
        for (struct number *n = user; n->name; n++)
            if (!strcmp(text, n->name)) n->value = haploom_event_value(event);
    return 0;
}

static haploom_status set_text(haploom_options *options, const char *key, const char *value, haploom_status so_far) {
    return so_far == HAPLOOM_OK && value ? haploom_options_set_string(options, key, value) : so_far;
}

/* Options that every call has: threads, where notices go, and how to stop. */
static haploom_status set_common(haploom_options *options, int64_t threads, struct number *numbers) {
    haploom_status status = haploom_options_set_int(options, "threads", threads);
    if (status == HAPLOOM_OK) status = haploom_options_set_progress(options, listen, numbers);
    return status == HAPLOOM_OK ? haploom_options_set_cancel(options, interrupt) : status;
}

/* bcftools warns of a plugin that was compiled for another version, whose structures may differ. None are used here, so the
 * answer is whatever runs. */
void version(const char **bcftools, const char **htslib) {
    *bcftools = bcftools_version ? bcftools_version() : "";
    *htslib = hts_version ? hts_version() : "";
}

static void print_versions(void) {
    if (bcftools_version && hts_version) printf("bcftools %s using htslib %s\n", bcftools_version(), hts_version());
    printf(NAME " using %s\n", haploom_build_info());
}

/* Whether the library is older than the one that the plugin was compiled for. */
static int check_library(void) {
    if (haploom_version() >= HAPLOOM_VERSION_NUMBER) return 0;
    return wrong("libhaploom is version %s here, and the plugin was compiled for %d.%d.%d or newer: install that, or build"
                 " the plugin again", haploom_version_string(), HAPLOOM_VERSION_MAJOR, HAPLOOM_VERSION_MINOR,
                 HAPLOOM_VERSION_PATCH);
}

#endif
