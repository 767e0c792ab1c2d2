/* A panic inside the library is an answer: INTERNAL, with a text that says where, and nothing else happens.
 * The option x_panic makes every call that reads options panic. panic PANEL */
#include "check.h"
#include <pthread.h>

static haploom_options *bad;
static haploom_panel *panel;
static haploom_model *model;
static haploom_sampler *stream;
static haploom_imputer *imputer;
static const char *file;
static int panics;

/* Each leaves NULL behind, and a text that names the place in the library's source. */
#define PANICS(call)                                                                                    \
    do {                                                                                                \
        made = &made;                                                                                   \
        IS(HAPLOOM_INTERNAL, call);                                                                     \
        CHECK(made == NULL || made == &made, "%s", #call);                                              \
        CHECK(strstr(last_error(), "src/ffi/") && strstr(last_error(), "x_panic"), "%s", #call);        \
        CHECK(strstr(last_error(), "please report it") && !strchr(last_error(), '\n'), "%s", #call);    \
        ++panics;                                                                                       \
    } while (0)

static void every_call(void) {
    void *made;
    float *place = NULL;
    PANICS(haploom_panel_open(file, bad, (void *)&made));
    CHECK(made == NULL);
    PANICS(haploom_panel_select(panel, bad, (void *)&made));
    CHECK(made == NULL);
    PANICS(haploom_panel_write(panel, "never.bcf", bad));
    PANICS(haploom_train(panel, "bernoulli", bad, (void *)&made));
    CHECK(made == NULL);
    PANICS(haploom_model_conditionals(model, panel, bad, place, 0));
    PANICS(haploom_sampler_new(model, NULL, bad, (void *)&made));
    CHECK(made == NULL);
    PANICS(haploom_imputer_new(panel, model, bad, (void *)&made));
    CHECK(made == NULL);
    PANICS(haploom_imputer_impute(imputer, NULL, 0, 0, NULL, 0, place, NULL, bad));
    PANICS(haploom_imputer_impute_file(imputer, file, "never.bcf", bad));
    PANICS(haploom_imputer_paint_file(imputer, file, "never.bcf", bad));
    PANICS(haploom_encode(model, panel, bad, (void *)&made));
    CHECK(made == NULL);
    PANICS(haploom_evaluate(panel, panel, NULL, bad, (void *)&made));
    CHECK(made == NULL);
    FILE *never = fopen("never.bcf", "r");
    CHECK(never == NULL, "a file was written");
}

/* What only reads a handle does not harm it: all of them work as before. */
static void all_is_well(void) {
    haploom_panel *again;
    haploom_model *other;
    haploom_encoding *encoding;
    size_t n;
    uint8_t allele[800];
    float dosages[800];
    OK(haploom_panel_open(file, NULL, &again));
    OK(haploom_train(again, "bernoulli", NULL, &other));
    OK(haploom_encode(model, panel, NULL, &encoding));
    OK(haploom_sampler_next(stream, allele, sizeof allele, &n));
    CHECK(n == 1);
    OK(haploom_imputer_impute(imputer, (int8_t[]){1}, 1, 1, (size_t[]){400}, 1, dosages, NULL, NULL));
    CHECK(dosages[400] > 0.5);
    haploom_encoding_free(encoding);
    haploom_model_free(other);
    haploom_panel_free(again);
}

/* A handle that was used exclusively is of no more use: whatever is asked of it answers INTERNAL, and it can be freed. Each
 * of these calls is made on a sampler of its own. */
static void poisoned(void) {
    for (int call = 0; call < 3; ++call) {
        haploom_sampler *victim = sampler(model, "");
        uint8_t alleles[800];
        void *made;
        size_t n = 7;
        if (call == 0) PANICS(haploom_sampler_panel(victim, 2, bad, (void *)&made));
        if (call == 1) PANICS(haploom_sampler_write(victim, 2, "never.vcf", bad));
        if (call == 2) PANICS(haploom_augment(victim, 2, file, "never.bcf", bad));
        IS(HAPLOOM_INTERNAL, haploom_sampler_next(victim, alleles, sizeof alleles, &n));
        CHECK(n == 0 && strstr(last_error(), "before") && strstr(last_error(), "free it"));
        IS(HAPLOOM_INTERNAL, haploom_sampler_seek(victim, 3));
        haploom_sampler_free(victim);
    }
}

/* Inside the progress function of another call: that one goes on. */
static int32_t inside(void *user, const haploom_event *event) {
    (void)event;
    if ((*(int *)user)++ == 1) every_call();
    return 0;
}

static void nested(void) {
    int events = 0;
    haploom_model *made;
    haploom_options *how = options("updates=4,hidden=4,clusters=2,batch=20,chains=20");
    OK(haploom_options_set_progress(how, inside, &events));
    OK(haploom_train(panel, "rbm", how, &made));
    CHECK(events > 4);
    haploom_model_free(made);
    haploom_options_free(how);
}

static void *of_a_thread(void *argument) {
    (void)argument;
    CHECK(haploom_last_status() == HAPLOOM_OK);
    for (int i = 0; i < 50; ++i) every_call();
    return NULL;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    file = argv[1];
    panel = demo(HAPLOOM_DEMO_TRAIN);
    model = trained(panel, "rbm", "updates=2,hidden=4,clusters=2");
    stream = sampler(model, "");
    OK(haploom_imputer_new(panel, NULL, NULL, &imputer));
    bad = options("x_panic=true");
    every_call();
    all_is_well();
    nested();
    all_is_well();
    pthread_t threads[4];
    for (int t = 0; t < 4; ++t) CHECK(pthread_create(&threads[t], NULL, of_a_thread, NULL) == 0);
    for (int t = 0; t < 4; ++t) pthread_join(threads[t], NULL);
    all_is_well();
    poisoned();
    OK(haploom_options_set_text(bad, "x_panic=false"));
    haploom_panel *again;
    OK(haploom_panel_open(file, bad, &again));
    haploom_panel_free(again);
    haploom_options_free(bad);
    haploom_imputer_free(imputer);
    haploom_sampler_free(stream);
    haploom_model_free(model);
    haploom_panel_free(panel);
    printf("%d panics\n", panics);
    return 0;
}
