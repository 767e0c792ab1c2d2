/* What the program that nulls.py writes is given: one of everything, and files of each kind. */
#include "check.h"
#include <math.h>

static haploom_options *a_options, *changed_options, *quick_evaluation;
static haploom_cancel *a_cancel;
static haploom_sites *a_sites;
static haploom_samples *a_samples;
static haploom_panel *a_panel, *other_panel;
static haploom_model *a_model;
static haploom_sampler *a_sampler;
static haploom_imputer *a_imputer;
static haploom_encoding *a_encoding;
static haploom_evaluation *a_evaluation;
static const haploom_samples *all_samples;

static const char *names[] = {"AFR000", "AFR001"}, *contigs[] = {"1", "1"};
static const char *references[] = {"A", "A"}, *alternates[] = {"C", "C"};
static const uint64_t positions[] = {10, 20};
static const uint8_t ploidy[] = {2, 2};
static uint8_t bytes[4096], *model_bytes, *file_bytes;
static char buffer[1 << 16];
static size_t model_size, file_size;
static double *frequencies;
static float *probabilities, *dosages, left_out[4];
static const int8_t typed_alleles[] = {0, 1, -1, 0};
static const size_t typed[] = {3, 7};
static uint64_t places[8];
static void *made;
static int calls;

static int32_t go_on(void *user, const haploom_event *event) {
    (void)event;
    ++*(int *)user;
    return 0;
}

static void ready(void) {
    haploom_panel *demo_panel = demo(HAPLOOM_DEMO_TRAIN);
    haploom_options *part = options("region=1:1-200000");
    char people[1000] = "";
    for (int i = 0; i < 8; ++i) sprintf(people + strlen(people), "%sAFR%03d", i ? "," : "", 2 * i);
    OK(haploom_options_set_string(part, "samples", people));
    OK(haploom_panel_select(demo_panel, part, &a_panel));
    haploom_options_free(part);
    haploom_panel_free(demo_panel);
    a_options = options("");
    changed_options = options("");
    quick_evaluation = options("aats_draws=1,aats_most=20,triplets=20,transport_most=20,linkage_most=20");
    OK(haploom_cancel_new(&a_cancel));
    OK(haploom_sites_new(2, contigs, positions, NULL, references, alternates, &a_sites));
    OK(haploom_samples_new(2, names, NULL, NULL, &a_samples));
    all_samples = haploom_panel_samples(a_panel);
    a_model = trained(a_panel, "rbm", "updates=2,hidden=8,clusters=2,batch=20,chains=20");
    a_sampler = sampler(a_model, "");
    OK(haploom_imputer_new(a_panel, NULL, NULL, &a_imputer));
    OK(haploom_encode(a_model, a_panel, NULL, &a_encoding));
    OK(haploom_evaluate(a_panel, a_panel, NULL, quick_evaluation, &a_evaluation));
    OK(haploom_panel_write(a_panel, "panel.bcf", NULL));
    OK(haploom_model_save(a_model, "model.haploom"));
    model_bytes = (uint8_t *)contents("model.haploom", &model_size);
    file_bytes = (uint8_t *)contents("panel.bcf", &file_size);
    OK(haploom_sampler_panel(a_sampler, 2, NULL, &other_panel));
    size_t sites = haploom_sites_count(haploom_panel_sites(a_panel));
    frequencies = calloc(sites, sizeof *frequencies);
    dosages = calloc(2 * sites, sizeof *dosages);
    probabilities = calloc(sites * haploom_panel_haplotypes(a_panel), sizeof *probabilities);
}

static void done(void) {
    free(frequencies);
    free(probabilities);
    free(dosages);
    free(model_bytes);
    free(file_bytes);
    haploom_evaluation_free(a_evaluation);
    haploom_encoding_free(a_encoding);
    haploom_imputer_free(a_imputer);
    haploom_sampler_free(a_sampler);
    haploom_model_free(a_model);
    haploom_samples_free(a_samples);
    haploom_sites_free(a_sites);
    haploom_cancel_free(a_cancel);
    haploom_options_free(quick_evaluation);
    haploom_options_free(changed_options);
    haploom_options_free(a_options);
    haploom_panel_free(other_panel);
    haploom_panel_free(a_panel);
}

/* Told before the call, so that a crash says which it was. The last error is one that no NULL gives. */
static void begin(const char *what) {
    printf("%s\n", what);
    fflush(stdout);
    made = &made;
    IS(HAPLOOM_UNKNOWN_OPTION, haploom_options_set_int(changed_options, "no_such_key", 1));
}

/* A failure is remembered. A success leaves the text of the last error; a getter's takes back its status. */
static void ends(const char *what, haploom_status status, haploom_status wanted) {
    haploom_status last = haploom_last_status();
    CHECK(status == wanted, "%s: answered with %s", what, haploom_status_name(status));
    if (wanted != HAPLOOM_OK) CHECK(last == wanted, "%s", what);
    else CHECK(last == HAPLOOM_UNKNOWN_OPTION || last == HAPLOOM_OK, "%s", what);
    CHECK(haploom_last_error(NULL, 0) > 0, "%s: no text", what);
}
