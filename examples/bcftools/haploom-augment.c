/* haploom-augment: a bcftools plugin that appends artificial people to a phased panel.
 *
 *   bcftools +haploom-augment -m model -n 500 -Ob -o out.bcf in.bcf
 *
 * Plugins with run() read and write on their own, as +split-vep does. This one hands the names of the files to libhaploom,
 * which has an htslib of its own: no structure of bcftools or of its htslib is touched, so the plugin serves any bcftools
 * that knows run(), and needs none of its headers. */

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

#define NAME "haploom-augment"
#define EXPORTED __attribute__((visibility("default")))

/* What bcftools looks up in a plugin. */
EXPORTED const char *about(void);
EXPORTED const char *usage(void);
EXPORTED void version(const char **bcftools, const char **htslib);
EXPORTED int run(int argc, char **argv);

/* The program that loads the plugin has these two. */
extern const char *bcftools_version(void) __attribute__((weak));
extern const char *hts_version(void) __attribute__((weak));

static const char about_text[] = "Append artificial people, sampled from a haploom model, to a phased panel.\n";

static const char usage_text[] =
    "\n"
    "About: Append artificial people, sampled from a haploom model, to a phased panel.\n"
    "Usage: bcftools +" NAME " -m MODEL -n INT [Options] [in.vcf|in.vcf.gz|in.bcf]\n"
    "Artificial people:\n"
    "       --first INT                 Number of the first haplotype, even: goes on where a run with the same seed ended [0]\n"
    "       --label STR                 Population to make, if the model knows populations\n"
    "   -m, --model FILE                Model file, as `haploom train` writes it\n"
    "   -n, --haplotypes INT            Haplotypes to make, two for each person\n"
    "       --prefix STR                Artificial people are named STR_0, STR_1, ... [HAPLOOM]\n"
    "       --seed INT                  Seed of the random numbers [1]\n"
    "       --set KEY=VALUE             Option of sampling (`haploom options` lists them), may be repeated\n"
    "       --start FILE                Phased panel that the chains of the model start from, of people that it has not seen\n"
    "Common options:\n"
    "       --no-version                Accepted: no version or command line of bcftools is written in any case\n"
    "   -o, --output FILE               Output file name [stdout]\n"
    "   -O, --output-type u|b|v|z       b: BCF, z: compressed VCF, v: VCF, u: BCF, compressed as by b [by name, else v]\n"
    "       --outside STR               Records that the model does not have: `drop` them, `refuse` the file, or keep them\n"
    "                                     with `missing` artificial genotypes [drop]\n"
    "   -r, --regions REG               Restrict to one region: CHR, CHR:POS, CHR:BEG-END or CHR:BEG-. POS lies inside\n"
    "       --threads INT               Threads to use; they do not change the output [1]\n"
    "   -V, --version                   Print versions and exit\n"
    "   -W, --write-index[=FMT]         Index the output file: csi for BCF, tbi for compressed VCF [off]\n"
    "\n"
    "Real genotypes pass unchanged. Artificial people have GT alone. AC, AN and AF are counted anew, other INFO that speaks\n"
    "of the real people is dropped. Same input, model, options and seed: same output. A file appears whole or not at all.\n"
    "\n"
    "Examples:\n"
    "   # Train on a panel, then append 250 artificial people to it\n"
    "   haploom train panel.bcf -o panel.model\n"
    "   bcftools +" NAME " -m panel.model -n 500 -Ob -o larger.bcf panel.bcf\n"
    "\n"
    "   # In a pipeline, several regions at once\n"
    "   bcftools view -Ou -R regions.bed panel.bcf | bcftools +" NAME " -m panel.model -n 500 -Ou | bcftools stats\n"
    "\n";

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

/* What the command line says; texts are NULL where it says nothing. */
struct arguments {
    const char *model, *start, *input, *output, *format, *region, *prefix, *label, *outside;
    uint64_t haplotypes, first, seed;
    int64_t threads;
    int help, version, index;
    const char *index_format;
};

/* What has to be freed. */
struct handles {
    haploom_options *sampling, *reading, *writing;
    haploom_model *model;
    haploom_panel *start;
    haploom_sampler *sampler;
};

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

/* --set: an option of the group `sampling` alone, since the others have switches of their own or no effect here. */
static int set_sampling(haploom_options *options, const char *assignment) {
    char key[64];
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof key)
        return wrong("Could not parse argument: --set %s: KEY=VALUE is expected", assignment);
    memcpy(key, assignment, equals - assignment);
    key[equals - assignment] = 0;
    for (size_t i = 0; i < haploom_option_count(); i++) {
        const char *known, *group;
        if (haploom_option_describe(i, &known, NULL, NULL, NULL, &group, NULL) == HAPLOOM_OK && !strcmp(known, key)
            && strcmp(group, "sampling"))
            return wrong("--set %s: the key %s is not one of sampling: see the groups in `haploom options`", assignment, key);
    }
    return failed(haploom_options_set_string(options, key, equals + 1));
}

enum { FIRST = 1, LABEL, NO_VERSION, OUTSIDE, PREFIX, SEED, SET, START, THREADS, ELSEWHERE };

static const struct option long_options[] = {
    {"first", required_argument, NULL, FIRST},
    {"haplotypes", required_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},
    {"label", required_argument, NULL, LABEL},
    {"model", required_argument, NULL, 'm'},
    {"no-version", no_argument, NULL, NO_VERSION},
    {"output", required_argument, NULL, 'o'},
    {"output-type", required_argument, NULL, 'O'},
    {"outside", required_argument, NULL, OUTSIDE},
    {"prefix", required_argument, NULL, PREFIX},
    {"regions", required_argument, NULL, 'r'},
    {"seed", required_argument, NULL, SEED},
    {"set", required_argument, NULL, SET},
    {"start", required_argument, NULL, START},
    {"threads", required_argument, NULL, THREADS},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, 'V'},
    {"write-index", optional_argument, NULL, 'W'},
    /* bcftools view has these: told apart from misspellings. */
    {"exclude", required_argument, NULL, ELSEWHERE},
    {"include", required_argument, NULL, ELSEWHERE},
    {"regions-file", required_argument, NULL, ELSEWHERE},
    {"regions-overlap", required_argument, NULL, ELSEWHERE},
    {"samples", required_argument, NULL, ELSEWHERE},
    {"samples-file", required_argument, NULL, ELSEWHERE},
    {"targets", required_argument, NULL, ELSEWHERE},
    {"targets-file", required_argument, NULL, ELSEWHERE},
    {"targets-overlap", required_argument, NULL, ELSEWHERE},
    {NULL, 0, NULL, 0},
};

static int parse(int argc, char **argv, struct arguments *a, haploom_options *sampling) {
    int c, bad = 0, have_n = 0;
    uint64_t number;
    optind = 0; /* bcftools has looked through the arguments before */
    while (!bad && (c = getopt_long(argc, argv, "hm:n:o:O:r:vVW::e:i:R:s:S:t:T:", long_options, NULL)) >= 0) {
        switch (c) {
        case 'h': a->help = 1; return 0;
        case 'V': a->version = 1; return 0;
        case 'v': break; /* bcftools' own: it tells where it looks for plugins */
        case 'm': a->model = optarg; break;
        case 'n': bad = parse_whole("--haplotypes", optarg, &a->haplotypes); have_n = 1; break;
        case 'o': a->output = optarg; break;
        case 'O': bad = parse_format(optarg, &a->format); break;
        case 'W': a->index = 1; a->index_format = optarg; break;
        case 'r':
            if (a->region) bad = wrong("-r can be given once: one region is read in a run");
            a->region = optarg;
            break;
        case FIRST: bad = parse_whole("--first", optarg, &a->first); break;
        case LABEL: a->label = optarg; break;
        case NO_VERSION: break;
        case OUTSIDE: a->outside = optarg; break;
        case PREFIX: a->prefix = optarg; break;
        case SEED: bad = parse_whole("--seed", optarg, &a->seed); break;
        case SET: bad = set_sampling(sampling, optarg); break;
        case START: a->start = optarg; break;
        case THREADS:
            bad = parse_whole("--threads", optarg, &number);
            /* In bcftools 0 is one thread, in haploom one for each processor. */
            a->threads = number ? (int64_t)number : 1;
            break;
        case 'e': case 'i': case 'R': case 's': case 'S': case 't': case 'T': case ELSEWHERE:
            return wrong("%s is not read here: select with `bcftools view` before, in a pipe", argv[optind - 1] == optarg
                         ? argv[optind - 2] : argv[optind - 1]);
        default: fputs(usage_text, stderr); return 255;
        }
    }
    if (bad) return bad;
    if (argc - optind > 1)
        return wrong("One input file is expected, and there are %d: \"%s\" is the second%s", argc - optind,
                     argv[optind + 1], argv[optind + 1][0] == '-' ? ". This plugin takes its options without a -- before" : "");
    if (!a->model) return wrong("Missing the -m option: the model that artificial people come from");
    if (!have_n) return wrong("Missing the -n option: how many haplotypes to make, two for each person");
    if (a->region && strchr(a->region, ','))
        return wrong("-r %s: one region is read in a run. Select several with `bcftools view -r` before, in a pipe", a->region);
    if (optind < argc) {
        a->input = argv[optind];
    } else if (isatty(STDIN_FILENO)) {
        fputs(usage_text, stderr);
        return 255;
    }
    if (a->start && !strcmp(a->start, "-") && !strcmp(a->input, "-"))
        return wrong("--start - and the input would both be read from standard input");
    const char *named = format_of_name(a->output);
    if (a->format && named && strcmp(a->format, named))
        return wrong("-O asks for %s, and \"%s\" is a name for %s: change one of them", a->format, a->output, named);
    if (!a->format) a->format = named ? named : "vcf";
    if (a->index) {
        const char *kind = !strcmp(a->format, "bcf") ? "csi" : !strcmp(a->format, "vcf.gz") ? "tbi" : NULL;
        if (!kind || !strcmp(a->output, "-"))
            return wrong("-W needs a file (-o) of compressed VCF or BCF (-O z or b) to index");
        if (a->index_format && strcmp(a->index_format, kind))
            return wrong("-W=%s: the index of %s is a %s here. `bcftools index` makes others", a->index_format, a->format,
                         kind);
    }
    return 0;
}

/* Notices go to standard error; of the numbers, those that the last line tells. */
static int32_t listen(void *user, const haploom_event *event) {
    static const char *const names[] = {"records", "written", "real_people", "artificial_people"};
    uint64_t *counts = user;
    const char *text = haploom_event_text(event);
    if (haploom_event_kind(event) == HAPLOOM_EVENT_NOTICE) fprintf(stderr, "[" NAME "] Note: %s\n", text);
    if (haploom_event_kind(event) == HAPLOOM_EVENT_MEASURED)
        for (int i = 0; i < 4; i++)
            if (!strcmp(text, names[i])) counts[i] = (uint64_t)haploom_event_value(event);
    return 0;
}

static haploom_status set_text(haploom_options *options, const char *key, const char *value, haploom_status so_far) {
    return so_far == HAPLOOM_OK && value ? haploom_options_set_string(options, key, value) : so_far;
}

/* Options that every call has: threads, where notices go, and how to stop. */
static haploom_status set_common(haploom_options *options, int64_t threads, uint64_t *counts) {
    haploom_status status = haploom_options_set_int(options, "threads", threads);
    if (status == HAPLOOM_OK) status = haploom_options_set_progress(options, listen, counts);
    return status == HAPLOOM_OK ? haploom_options_set_cancel(options, interrupt) : status;
}

static int augment(const struct arguments *a, struct handles *h) {
    uint64_t counts[4] = {0, 0, 0, 0};
    int bad = failed(set_common(h->sampling, a->threads, counts)) || failed(set_common(h->reading, a->threads, counts))
        || failed(set_common(h->writing, a->threads, counts));
    if (bad) return 255;

    haploom_status status = haploom_options_set_int(h->sampling, "seed", (int64_t)a->seed);
    status = set_text(h->sampling, "region", a->region, status);
    status = set_text(h->sampling, "label", a->label, status);
    status = set_text(h->writing, "prefix", a->prefix, status);
    status = set_text(h->writing, "outside", a->outside, status);
    status = set_text(h->writing, "format", a->format, status);
    if (status == HAPLOOM_OK) status = haploom_options_set_int(h->writing, "index", a->index);

    if (status == HAPLOOM_OK) status = haploom_model_open(a->model, &h->model);
    if (status == HAPLOOM_OK && a->start) status = haploom_panel_open(a->start, h->reading, &h->start);
    if (status == HAPLOOM_OK) status = haploom_sampler_new(h->model, h->start, h->sampling, &h->sampler);
    if (status == HAPLOOM_OK) status = haploom_sampler_seek(h->sampler, a->first);
    if (status == HAPLOOM_OK) status = haploom_augment(h->sampler, a->haplotypes, a->input, a->output, h->writing);
    if (status == HAPLOOM_OK)
        fprintf(stderr,
                "[" NAME "] %" PRIu64 " artificial people appended to %" PRIu64 " in %" PRIu64 " of %" PRIu64 " records\n",
                counts[3], counts[2], counts[1], counts[0]);
    return failed(status);
}

const char *about(void) { return about_text; }

const char *usage(void) { return usage_text; }

/* bcftools warns of a plugin that was compiled for another version, whose structures may differ. None are used here, so the
 * answer is whatever runs. */
void version(const char **bcftools, const char **htslib) {
    *bcftools = bcftools_version ? bcftools_version() : "";
    *htslib = hts_version ? hts_version() : "";
}

int run(int argc, char **argv) {
    struct arguments a = {.input = "-", .output = "-", .seed = 1, .threads = 1};
    struct handles h = {0};
    if (haploom_version() < HAPLOOM_VERSION_NUMBER)
        return wrong("libhaploom is version %s here, and the plugin was compiled for %d.%d.%d or newer: install that, or build"
                     " the plugin again", haploom_version_string(), HAPLOOM_VERSION_MAJOR, HAPLOOM_VERSION_MINOR,
                     HAPLOOM_VERSION_PATCH);
    int result = failed(haploom_options_new(&h.sampling));
    if (!result) result = failed(haploom_options_new(&h.reading));
    if (!result) result = failed(haploom_options_new(&h.writing));
    if (!result) result = failed(haploom_cancel_new(&interrupt));
    if (!result) result = parse(argc, argv, &a, h.sampling);
    if (!result && a.help) {
        fputs(usage_text, stdout);
    } else if (!result && a.version) {
        if (bcftools_version && hts_version) printf("bcftools %s using htslib %s\n", bcftools_version(), hts_version());
        printf(NAME " using %s\n", haploom_build_info());
    } else if (!result) {
        interrupted = 0;
        catch_signals();
        result = augment(&a, &h);
        release_signals();
    }
    haploom_sampler_free(h.sampler);
    haploom_panel_free(h.start);
    haploom_model_free(h.model);
    haploom_options_free(h.writing);
    haploom_options_free(h.reading);
    haploom_options_free(h.sampling);
    haploom_cancel_free(interrupt);
    interrupt = NULL;
    return result;
}
