/* haploom-augment: a bcftools plugin that appends artificial people to a phased panel.
 *
 *   bcftools +haploom-augment -m model -n 500 -Ob -o out.bcf in.bcf */

#define NAME "haploom-augment"
#include "plugin.h"

static const char about_text[] = "Append artificial people, sampled from a haploom model, to a phased panel.\n";

static const char usage_text[] =
    "\n"
    "About: Append artificial people, sampled from a haploom model, to a phased panel.\n"
    "Usage: bcftools +" NAME " -m MODEL -n INT [Options] [in.vcf|in.vcf.gz|in.bcf]\n"
    "Artificial people:\n"
    "       --first INT                 Number of the first haplotype, even: goes on where a run with the same seed ended [0]\n"
    "       --label STR                 Population to make, if the model knows populations, or several with the haplotypes of\n"
    "                                     each, which -n is not needed for: EUR=500,EAS=500\n"
    "   -m, --model FILE                Model file, as `haploom train` writes it\n"
    "   -n, --haplotypes INT            Haplotypes to make, two for each person\n"
    "       --prefix STR                Artificial people are named STR_0, STR_1, ... [HAPLOOM]\n"
    "       --seed INT                  Seed of the random numbers [1]\n"
    "       --set KEY=VALUE             Option of sampling (`haploom options` lists them), may be repeated\n"
    "       --start FILE                Phased panel that the chains of the model start from, of people that it has not seen\n"
    "Common options:\n"
    "       --device STR                Where the model works: cpu, cuda, cuda:INT, cuda:all or auto [cpu]\n"
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

/* What the command line says; texts are NULL where it says nothing. */
struct arguments {
    const char *model, *start, *input, *region, *prefix, *label, *outside;
    struct destination output;
    uint64_t haplotypes, first, seed;
    int64_t threads;
    int help, version, have_n;
};

/* What has to be freed. */
struct handles {
    haploom_options *sampling, *reading, *writing;
    haploom_model *model;
    haploom_panel *start;
    haploom_sampler *sampler;
};

/* --set: an option of the group `sampling` alone, since the others have switches of their own or no effect here. */
static int set_sampling(haploom_options *options, const char *text) {
    struct assignment a;
    int bad = parse_assignment(text, &a);
    if (bad) return bad;
    if (a.group && strcmp(a.group, "sampling"))
        return wrong("--set %s: the key %s is not one of sampling: see the groups in `haploom options`", text, a.key);
    return failed(haploom_options_set_string(options, a.key, a.value));
}

enum { DEVICE = 1, FIRST, LABEL, NO_VERSION, OUTSIDE, PREFIX, SEED, SET, START, THREADS };

static const struct option long_options[] = {
    {"device", required_argument, NULL, DEVICE},
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
    SELECTING_OPTIONS,
    {NULL, 0, NULL, 0},
};

static int parse(int argc, char **argv, struct arguments *a, haploom_options *sampling) {
    int c, bad = 0, have_n = 0;
    optind = 0; /* bcftools has looked through the arguments before */
    while (!bad && (c = getopt_long(argc, argv, "hm:n:o:O:r:vVW::" SELECTING, long_options, NULL)) >= 0) {
        switch (c) {
        case 'h': a->help = 1; return 0;
        case 'V': a->version = 1; return 0;
        case 'v': break; /* bcftools' own: it tells where it looks for plugins */
        case 'm': a->model = optarg; break;
        case 'n': bad = parse_whole("--haplotypes", optarg, &a->haplotypes); have_n = 1; break;
        case 'o': a->output.name = optarg; break;
        case 'O': bad = parse_format(optarg, &a->output.format); break;
        case 'W': a->output.index = 1; a->output.index_format = optarg; break;
        case 'r': bad = parse_region(optarg, &a->region); break;
        case DEVICE: bad = failed(haploom_options_set_string(sampling, "device", optarg)); break;
        case FIRST: bad = parse_whole("--first", optarg, &a->first); break;
        case LABEL: a->label = optarg; break;
        case NO_VERSION: break;
        case OUTSIDE: a->outside = optarg; break;
        case PREFIX: a->prefix = optarg; break;
        case SEED: bad = parse_whole("--seed", optarg, &a->seed); break;
        case SET: bad = set_sampling(sampling, optarg); break;
        case START: a->start = optarg; break;
        case THREADS: bad = parse_threads(optarg, &a->threads); break;
        case 'e': case 'i': case 'R': case 's': case 'S': case 't': case 'T': case ELSEWHERE:
            return not_read_here(argv);
        default: fputs(usage_text, stderr); return 255;
        }
    }
    if (!bad) bad = parse_input(argc, argv, &a->input);
    if (bad) return bad;
    if (!a->model) return wrong("Missing the -m option: the model that artificial people come from");
    a->have_n = have_n;
    if (!have_n && !a->label) return wrong("Missing the -n option: how many haplotypes to make, two for each person");
    if (!a->input) {
        fputs(usage_text, stderr);
        return 255;
    }
    if (a->start && !strcmp(a->start, "-") && !strcmp(a->input, "-"))
        return wrong("--start - and the input would both be read from standard input");
    return check_destination(&a->output);
}

/* How many haplotypes to make: what -n says, or those that --label counts, from the first one on. */
static int how_many(const struct arguments *a, const haploom_sampler *sampler, uint64_t *haplotypes) {
    uint64_t end = haploom_sampler_end(sampler), left = end > a->first ? end - a->first : 0;
    int counted = end < (uint64_t)1 << 48;
    *haplotypes = a->have_n ? a->haplotypes : left;
    if (!a->have_n && !counted) return wrong("Missing the -n option: how many haplotypes of %s to make", a->label);
    if (a->have_n && counted && a->haplotypes != left)
        return wrong("-n %llu is not what --label %s asks for: %llu haplotypes; leave out -n", (unsigned long long)a->haplotypes,
                     a->label, (unsigned long long)left);
    return 0;
}

static int augment(const struct arguments *a, struct handles *h) {
    struct number n[] = {{"records", 0}, {"written", 0}, {"real_people", 0}, {"artificial_people", 0}, {NULL, 0}};
    int bad = failed(set_common(h->sampling, a->threads, n)) || failed(set_common(h->reading, a->threads, n))
        || failed(set_common(h->writing, a->threads, n));
    if (bad) return 255;

    haploom_status status = haploom_options_set_int(h->sampling, "seed", (int64_t)a->seed);
    status = set_text(h->sampling, "region", a->region, status);
    status = set_text(h->sampling, "label", a->label, status);
    status = set_text(h->writing, "prefix", a->prefix, status);
    status = set_text(h->writing, "outside", a->outside, status);
    status = set_text(h->writing, "format", a->output.format, status);
    if (status == HAPLOOM_OK) status = haploom_options_set_int(h->writing, "index", a->output.index);

    if (status == HAPLOOM_OK) status = haploom_model_open(a->model, &h->model);
    if (status == HAPLOOM_OK && a->start) status = haploom_panel_open(a->start, h->reading, &h->start);
    if (status == HAPLOOM_OK) status = haploom_sampler_new(h->model, h->start, h->sampling, &h->sampler);
    if (status == HAPLOOM_OK) status = haploom_sampler_seek(h->sampler, a->first);
    uint64_t haplotypes = 0;
    if (status == HAPLOOM_OK && how_many(a, h->sampler, &haplotypes)) return 255;
    if (status == HAPLOOM_OK) status = haploom_augment(h->sampler, haplotypes, a->input, a->output.name, h->writing);
    if (status == HAPLOOM_OK)
        fprintf(stderr, "[" NAME "] %.0f artificial people appended to %.0f in %.0f of %.0f records\n", n[3].value, n[2].value,
                n[1].value, n[0].value);
    return failed(status);
}

const char *about(void) { return about_text; }

const char *usage(void) { return usage_text; }

int run(int argc, char **argv) {
    struct arguments a = {.output.name = "-", .seed = 1, .threads = 1};
    struct handles h = {0};
    int result = check_library();
    if (!result) result = failed(haploom_options_new(&h.sampling));
    if (!result) result = failed(haploom_options_new(&h.reading));
    if (!result) result = failed(haploom_options_new(&h.writing));
    if (!result) result = failed(haploom_cancel_new(&interrupt));
    if (!result) result = parse(argc, argv, &a, h.sampling);
    if (!result && a.help) {
        fputs(usage_text, stdout);
    } else if (!result && a.version) {
        print_versions();
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
