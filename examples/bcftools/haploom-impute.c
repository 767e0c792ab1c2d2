/* haploom-impute: a bcftools plugin that fills the untyped sites of phased people.
 *
 *   bcftools +haploom-impute -p panel.bcf -g chr15.map -Ob -o imputed.bcf target.vcf.gz
 *   bcftools +haploom-impute -m panel.model -Ob -o imputed.bcf target.vcf.gz */

#define NAME "haploom-impute"
#include "plugin.h"

static const char about_text[] = "Fill the untyped sites of phased people, from a panel, a haploom model or both.\n";

static const char usage_text[] =
    "\n"
    "About: Fill the untyped sites of phased people, from a panel, a haploom model or both.\n"
    "Usage: bcftools +" NAME " -p PANEL|-m MODEL [Options] [target.vcf|target.vcf.gz|target.bcf]\n"
    "Imputation:\n"
    "       --artificial INT            Artificial haplotypes beside the panel, with both -p and -m [as many as it has]\n"
    "   -g, --map FILE                  Genetic map of the panel: PLINK's layout, or columns with a header [1 cM a megabase]\n"
    "       --match-contigs             Take chr15 and 15 as the same contig\n"
    "   -m, --model FILE                Model to impute from, or that makes artificial haplotypes beside the panel\n"
    "   -p, --panel FILE                Phased panel to impute from\n"
    "       --report FILE               Table to write of the target's sites that do not match\n"
    "       --seed INT                  Seed of the random numbers [1]\n"
    "       --set KEY=VALUE             Option of imputation (`haploom options` lists them), may be repeated\n"
    "Common options:\n"
    "       --device STR                Where the model works: cpu, cuda, cuda:INT, cuda:all or auto [cpu]\n"
    "       --no-version                Accepted: no version or command line of bcftools is written in any case\n"
    "   -o, --output FILE               Output file name [stdout]\n"
    "   -O, --output-type u|b|v|z       b: BCF, z: compressed VCF, v: VCF, u: BCF, compressed as by b [by name, else v]\n"
    "   -r, --regions REG               Restrict to one region: CHR, CHR:POS, CHR:BEG-END or CHR:BEG-. POS lies inside\n"
    "       --threads INT               Threads to use; they do not change the output [1]\n"
    "   -V, --version                   Print versions and exit\n"
    "   -W, --write-index[=FMT]         Index the output file: csi for BCF, tbi for compressed VCF [off]\n"
    "\n"
    "From a model alone no reference genome is read. The target has to be phased. The output has GT:DS:HDS:GP, and in INFO\n"
    "AF, MAF, R2, INFO, at typed sites ER2, and TYPED, IMPUTED or TYPED_ONLY. Same input, options and seed: same output. A\n"
    "file appears whole or not at all.\n"
    "\n"
    "Examples:\n"
    "   # From a panel, with a genetic map\n"
    "   bcftools +" NAME " -p panel.bcf -g chr15.map -Ob -o imputed.bcf target.vcf.gz\n"
    "\n"
    "   # From a model of a panel that one may not see; what is imputed well enough\n"
    "   bcftools +" NAME " -m panel.model -Ou target.bcf | bcftools view -i 'INFO/R2>0.3' -Ob -o good.bcf\n"
    "\n";

/* What the command line says; texts are NULL where it says nothing. */
struct arguments {
    const char *panel, *model, *map, *report, *input, *region;
    struct destination output;
    uint64_t artificial, seed;
    int64_t threads;
    int help, version, match_contigs;
};

/* What has to be freed. */
struct handles {
    haploom_options *reading, *imputing, *writing;
    haploom_panel *panel;
    haploom_model *model;
    haploom_imputer *imputer;
};

/* --set: an option of one of imputation's groups, which are read when the imputer is made or when it goes through a file. */
static int set_imputation(const struct handles *h, const char *text) {
    struct assignment a;
    int bad = parse_assignment(text, &a);
    if (bad) return bad;
    haploom_options *to = h->imputing;
    if (a.group && !strcmp(a.group, "imputation of files"))
        to = h->writing;
    else if (a.group && strcmp(a.group, "imputation") && strcmp(a.group, "copying model"))
        return wrong("--set %s: the key %s is not one of imputation: see the groups in `haploom options`", text, a.key);
    return failed(haploom_options_set_string(to, a.key, a.value));
}

enum { ARTIFICIAL = 1, DEVICE, MATCH_CONTIGS, NO_VERSION, REPORT, SEED, SET, THREADS };

static const struct option long_options[] = {
    {"artificial", required_argument, NULL, ARTIFICIAL},
    {"device", required_argument, NULL, DEVICE},
    {"help", no_argument, NULL, 'h'},
    {"map", required_argument, NULL, 'g'},
    {"match-contigs", no_argument, NULL, MATCH_CONTIGS},
    {"model", required_argument, NULL, 'm'},
    {"no-version", no_argument, NULL, NO_VERSION},
    {"output", required_argument, NULL, 'o'},
    {"output-type", required_argument, NULL, 'O'},
    {"panel", required_argument, NULL, 'p'},
    {"regions", required_argument, NULL, 'r'},
    {"report", required_argument, NULL, REPORT},
    {"seed", required_argument, NULL, SEED},
    {"set", required_argument, NULL, SET},
    {"threads", required_argument, NULL, THREADS},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, 'V'},
    {"write-index", optional_argument, NULL, 'W'},
    SELECTING_OPTIONS,
    {NULL, 0, NULL, 0},
};

static int parse(int argc, char **argv, struct arguments *a, const struct handles *h) {
    int c, bad = 0;
    optind = 0; /* bcftools has looked through the arguments before */
    while (!bad && (c = getopt_long(argc, argv, "g:hm:o:O:p:r:vVW::" SELECTING, long_options, NULL)) >= 0) {
        switch (c) {
        case 'h': a->help = 1; return 0;
        case 'V': a->version = 1; return 0;
        case 'v': break; /* bcftools' own: it tells where it looks for plugins */
        case 'g': a->map = optarg; break;
        case 'm': a->model = optarg; break;
        case 'p': a->panel = optarg; break;
        case 'o': a->output.name = optarg; break;
        case 'O': bad = parse_format(optarg, &a->output.format); break;
        case 'W': a->output.index = 1; a->output.index_format = optarg; break;
        case 'r': bad = parse_region(optarg, &a->region); break;
        case ARTIFICIAL: bad = parse_whole("--artificial", optarg, &a->artificial); break;
        case DEVICE: bad = failed(haploom_options_set_string(h->imputing, "device", optarg)); break;
        case MATCH_CONTIGS: a->match_contigs = 1; break;
        case NO_VERSION: break;
        case REPORT: a->report = optarg; break;
        case SEED: bad = parse_whole("--seed", optarg, &a->seed); break;
        case SET: bad = set_imputation(h, optarg); break;
        case THREADS: bad = parse_threads(optarg, &a->threads); break;
        case 'e': case 'i': case 'R': case 's': case 'S': case 't': case 'T': case ELSEWHERE: return not_read_here(argv);
        default: fputs(usage_text, stderr); return 255;
        }
    }
    if (!bad) bad = parse_input(argc, argv, &a->input);
    if (bad) return bad;
    if (!a->panel && !a->model) return wrong("Missing the -p option, or -m: the panel or the model to impute from");
    if (a->map && !a->panel) return wrong("-g %s: a genetic map is for a panel (-p); a model brings its own", a->map);
    if (a->artificial && !(a->panel && a->model))
        return wrong("--artificial: artificial haplotypes of a model (-m) stand beside a panel (-p): give both");
    if (!a->input) {
        fputs(usage_text, stderr);
        return 255;
    }
    if (a->panel && !strcmp(a->panel, "-") && !strcmp(a->input, "-"))
        return wrong("-p - and the target would both be read from standard input");
    return check_destination(&a->output);
}

static int impute(const struct arguments *a, struct handles *h) {
    enum { PEOPLE, TYPED, IMPUTED, TYPED_ONLY, TOLD };
    struct number n[] = {{"people", 0}, {"typed", 0}, {"imputed", 0}, {"typed_only", 0}, {"left_out_r2", -1}, {NULL, 0}};
    int bad = failed(set_common(h->reading, a->threads, n)) || failed(set_common(h->imputing, a->threads, n))
        || failed(set_common(h->writing, a->threads, n));
    if (bad) return 255;

    haploom_status status = haploom_options_set_int(h->imputing, "seed", (int64_t)a->seed);
    status = set_text(h->imputing, "map", a->map, status);
    if (status == HAPLOOM_OK && a->artificial)
        status = haploom_options_set_int(h->imputing, "artificial", (int64_t)a->artificial);
    status = set_text(h->writing, "contigs", a->match_contigs ? "match" : NULL, status);
    status = set_text(h->writing, "report", a->report, status);
    status = set_text(h->writing, "region", a->region, status);
    status = set_text(h->writing, "format", a->output.format, status);
    if (status == HAPLOOM_OK) status = haploom_options_set_int(h->writing, "index", a->output.index);

    if (status == HAPLOOM_OK && a->model) status = haploom_model_open(a->model, &h->model);
    if (status == HAPLOOM_OK && a->panel) status = haploom_panel_open(a->panel, h->reading, &h->panel);
    if (status == HAPLOOM_OK) status = haploom_imputer_new(h->panel, h->model, h->imputing, &h->imputer);
    if (status == HAPLOOM_OK) status = haploom_imputer_impute_file(h->imputer, a->input, a->output.name, h->writing);
    if (status != HAPLOOM_OK) return failed(status);
    fprintf(stderr, "[" NAME "] %.0f people: %.0f sites typed, %.0f imputed, %.0f passed through", n[PEOPLE].value, n[TYPED].value,
            n[IMPUTED].value, n[TYPED_ONLY].value);
    if (n[TOLD].value >= 0) fprintf(stderr, "; mean ER2 of typed sites %.3f", n[TOLD].value);
    fputc('\n', stderr);
    return 0;
}

const char *about(void) { return about_text; }

const char *usage(void) { return usage_text; }

int run(int argc, char **argv) {
    struct arguments a = {.output.name = "-", .seed = 1, .threads = 1};
    struct handles h = {0};
    int result = check_library();
    if (!result) result = failed(haploom_options_new(&h.reading));
    if (!result) result = failed(haploom_options_new(&h.imputing));
    if (!result) result = failed(haploom_options_new(&h.writing));
    if (!result) result = failed(haploom_cancel_new(&interrupt));
    if (!result) result = parse(argc, argv, &a, &h);
    if (!result && a.help) {
        fputs(usage_text, stdout);
    } else if (!result && a.version) {
        print_versions();
    } else if (!result) {
        interrupted = 0;
        catch_signals();
        result = impute(&a, &h);
        release_signals();
    }
    haploom_imputer_free(h.imputer);
    haploom_panel_free(h.panel);
    haploom_model_free(h.model);
    haploom_options_free(h.writing);
    haploom_options_free(h.imputing);
    haploom_options_free(h.reading);
    haploom_cancel_free(interrupt);
    interrupt = NULL;
    return result;
}
