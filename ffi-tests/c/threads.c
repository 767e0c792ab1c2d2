/* Threads: errors of their own, one model for many samplers, lazy tables raced, calls stopped from outside. threads [FAST]
 * With FAST (anything) it does less, for valgrind and sanitizers. */
#include "check.h"
#include <pthread.h>
#include <unistd.h>

enum { THREADS = 8 };
static pthread_barrier_t together;
static int rounds = 200;

static void run_all(void *(*work)(void *)) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&together, NULL, THREADS);
    for (uintptr_t t = 0; t < THREADS; ++t) CHECK(pthread_create(&threads[t], NULL, work, (void *)t) == 0);
    for (int t = 0; t < THREADS; ++t) CHECK(pthread_join(threads[t], NULL) == 0);
    pthread_barrier_destroy(&together);
}

/* Each thread fails in a way of its own while the others do, and reads its own text after all have failed. */
static void *own_errors(void *argument) {
    int t = (int)(uintptr_t)argument;
    haploom_panel *panel;
    haploom_options *how = options("");
    CHECK(haploom_last_status() == HAPLOOM_OK && haploom_last_error(NULL, 0) == 0, "a thread begins without an error");
    for (int round = 0; round < rounds; ++round) {
        char path[60], key[60];
        snprintf(path, sizeof path, "nowhere_%d_%d.bcf", t, round);
        snprintf(key, sizeof key, "key_%d_%d", t, round);
        pthread_barrier_wait(&together);
        if (t % 2) IS(HAPLOOM_IO, haploom_panel_open(path, NULL, &panel));
        else IS(HAPLOOM_UNKNOWN_OPTION, haploom_options_set_int(how, key, 1));
        pthread_barrier_wait(&together);
        CHECK(haploom_last_status() == (t % 2 ? HAPLOOM_IO : HAPLOOM_UNKNOWN_OPTION));
        CHECK(strstr(last_error(), t % 2 ? path : key), "thread %d reads the text of another", t);
    }
    haploom_options_free(how);
    return NULL;
}

/* One model, a sampler for each thread: each gets what one thread gets, also where each makes a part alone. */
enum { MADE = 400, SITES = 800 };
static haploom_model *model;
static uint8_t whole[MADE][SITES], parts[MADE][SITES];

static void *sample(void *argument) {
    size_t t = (uintptr_t)argument, n;
    static const char *const how[] = {"seed=5", "seed=5,threads=2", "seed=5,packing=bits", "seed=5,layout=sites"};
    uint8_t *mine = malloc(sizeof whole);
    pthread_barrier_wait(&together);
    haploom_sampler *stream = sampler(model, how[t % 4]);
    OK(haploom_sampler_next(stream, mine, haploom_sampler_buffer_size(stream, MADE), &n));
    CHECK(n == MADE);
    for (size_t h = 0; h < MADE; ++h)
        for (size_t s = 0; s < SITES; ++s) {
            uint8_t allele = t % 4 == 2   ? mine[h * (SITES / 8) + s / 8] >> s % 8 & 1
                             : t % 4 == 3 ? mine[s * MADE + h]
                                          : mine[h * SITES + s];
            CHECK(allele == whole[h][s], "thread %zu: haplotype %zu at site %zu", t, h, s);
        }
    haploom_sampler_free(stream);
    free(mine);

    stream = sampler(model, "seed=5");
    OK(haploom_sampler_seek(stream, t * (MADE / THREADS)));
    OK(haploom_sampler_next(stream, parts[t * (MADE / THREADS)], sizeof parts / THREADS, &n));
    CHECK(n == MADE / THREADS);
    haploom_sampler_free(stream);
    return NULL;
}

/* What a handle makes on first use is made once, whoever comes first. */
static haploom_panel *fresh_panel;
static haploom_model *fresh_model;
static const void *shown[5][THREADS];

static void *getters(void *argument) {
    uintptr_t t = (uintptr_t)argument;
    const char *contig, *id, *reference, *alternate, *name, *label, *value;
    uint64_t position;
    size_t first;
    uint8_t ploidy;
    pthread_barrier_wait(&together);
    const haploom_sites *sites = haploom_panel_sites(fresh_panel), *of_model = haploom_model_sites(fresh_model);
    const haploom_samples *samples = haploom_panel_samples(fresh_panel);
    OK(haploom_sites_get(sites, 700, &contig, &position, &id, &reference, &alternate));
    CHECK(strcmp(contig, "1") == 0 && position > 3000000 && *reference && *alternate);
    OK(haploom_samples_get(samples, 500, &name, &ploidy, &label, &first));
    CHECK(ploidy == 2 && first == 1000 && *name && label);
    OK(haploom_model_info(fresh_model, 1, &name, &value));
    CHECK(haploom_sites_count(of_model) == SITES && strcmp(name, "sites") == 0 && strcmp(value, "800") == 0);
    const void *all[] = {sites, samples, of_model, value, contig};
    for (int i = 0; i < 5; ++i) shown[i][t] = all[i];
    return NULL;
}

static void race_getters(void) {
    for (int round = 0; round < rounds / 10; ++round) {
        fresh_panel = demo(HAPLOOM_DEMO_ALL);
        fresh_model = trained(fresh_panel, "bernoulli", "");
        run_all(getters);
        for (int i = 0; i < 5; ++i)
            for (int t = 1; t < THREADS; ++t) CHECK(shown[i][t] == shown[i][0], "table %d was made twice", i);
        haploom_model_free(fresh_model);
        haploom_panel_free(fresh_panel);
    }
}

/* A call that would go on for hours is stopped from another thread once it has told that it runs. */
static int32_t tell(void *barrier, const haploom_event *event) {
    if (haploom_event_kind(event) == HAPLOOM_EVENT_STEP && haploom_event_done(event) == 1) pthread_barrier_wait(barrier);
    return 0;
}

static void *stop(void *cancel) {
    pthread_barrier_wait(&together);
    haploom_cancel_request(cancel);
    return NULL;
}

static void stop_from_outside(void) {
    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN);
    haploom_options *how = options("updates=100000000,hidden=20,clusters=4,batch=50,chains=50,threads=2");
    haploom_cancel *cancel;
    haploom_model *never = (haploom_model *)&panel;
    pthread_t other;
    OK(haploom_cancel_new(&cancel));
    OK(haploom_options_set_cancel(how, cancel));
    OK(haploom_options_set_progress(how, tell, &together));
    pthread_barrier_init(&together, NULL, 2);
    CHECK(pthread_create(&other, NULL, stop, cancel) == 0);
    IS(HAPLOOM_CANCELLED, haploom_train(panel, "rbm", how, &never));
    CHECK(never == NULL);
    pthread_join(other, NULL);
    pthread_barrier_destroy(&together);
    /* The wish stays until it is taken back, and the options look at it after its handle is gone. */
    haploom_cancel_free(cancel);
    OK(haploom_options_set_text(how, "updates=1"));
    OK(haploom_options_set_progress(how, NULL, NULL));
    IS(HAPLOOM_CANCELLED, haploom_train(panel, "rbm", how, &never));
    OK(haploom_options_set_cancel(how, NULL));
    OK(haploom_train(panel, "rbm", how, &never));
    haploom_model_free(never);
    haploom_options_free(how);
    haploom_panel_free(panel);
}

/* What reads may be shared, and a panel may be freed while a model of it is in use elsewhere. */
static haploom_panel *shared;
static char print[65];

static void *read_panel(void *argument) {
    haploom_evaluation *evaluation;
    haploom_encoding *encoding;
    haploom_options *how = options("aats_draws=1,aats_most=50,triplets=50,transport_most=50,linkage_most=50");
    char mine[65];
    uint8_t *bytes = malloc(1800 * SITES);
    pthread_barrier_wait(&together);
    OK(haploom_panel_to_bytes(shared, 0, 1800, 0, SITES, bytes, 1800 * SITES, SITES, 1));
    CHECK(haploom_panel_fingerprint(shared, mine, sizeof mine) == 64 && strcmp(mine, print) == 0);
    if ((uintptr_t)argument < 2) {
        OK(haploom_encode(model, shared, NULL, &encoding));
        haploom_encoding_free(encoding);
        OK(haploom_evaluate(shared, shared, NULL, how, &evaluation));
        haploom_evaluation_free(evaluation);
    }
    free(bytes);
    haploom_options_free(how);
    return NULL;
}

/* One imputer: each thread gets what one thread gets, of the haplotypes that it asks for. */
enum { IMPUTED = 64, TYPED = SITES / 10 };
static haploom_imputer *imputer;
static int8_t known[IMPUTED][TYPED];
static size_t typed[TYPED];
static float imputed[IMPUTED][SITES], left_out[IMPUTED][TYPED];

static void *impute(void *argument) {
    size_t t = (uintptr_t)argument, first = t * (IMPUTED / THREADS) / 2, n = IMPUTED / 2;
    float *dosages = malloc(n * SITES * sizeof *dosages), *told = malloc(n * TYPED * sizeof *told);
    CHECK(dosages && told);
    pthread_barrier_wait(&together);
    CHECK(haploom_sites_count(haploom_imputer_sites(imputer)) == SITES);
    OK(haploom_imputer_impute(imputer, known[first], n, TYPED, typed, TYPED, dosages, t % 2 ? told : NULL, NULL));
    CHECK(memcmp(dosages, imputed[first], n * SITES * sizeof *dosages) == 0, "thread %zu", t);
    CHECK(t % 2 == 0 || memcmp(told, left_out[first], n * TYPED * sizeof *told) == 0, "thread %zu", t);
    free(dosages);
    free(told);
    return NULL;
}

static void share_an_imputer(void) {
    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN), *others = demo(HAPLOOM_DEMO_HELD_OUT);
    haploom_options *how = options("threads=2");
    OK(haploom_imputer_new(panel, NULL, how, &imputer));
    haploom_panel_free(panel);
    haploom_options_free(how);
    for (size_t i = 0; i < TYPED; ++i) {
        typed[i] = i * 10 + 5;
        OK(haploom_panel_to_bytes(others, 0, IMPUTED, typed[i], 1, (uint8_t *)&known[0][i], sizeof known - i, TYPED, 1));
    }
    haploom_panel_free(others);
    OK(haploom_imputer_impute(imputer, known[0], IMPUTED, TYPED, typed, TYPED, imputed[0], left_out[0], NULL));
    run_all(impute);
    haploom_imputer_free(imputer);
}

int main(int argc, char **argv) {
    size_t n;
    (void)argv;
    if (argc > 1) rounds = 20;
    alarm(300); /* a lock that is never free */
    run_all(own_errors);
    CHECK(haploom_last_status() == HAPLOOM_OK, "the errors of others");

    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN);
    model = trained(panel, "rbm", "epochs=2,hidden=20,clusters=8,batch=100,chains=100");
    haploom_panel_free(panel);
    haploom_sampler *alone = sampler(model, "seed=5");
    OK(haploom_sampler_next(alone, whole[0], sizeof whole, &n));
    CHECK(n == MADE);
    haploom_sampler_free(alone);
    run_all(sample);
    CHECK(memcmp(whole, parts, sizeof whole) == 0, "parts made by threads are not the whole");

    race_getters();
    shared = demo(HAPLOOM_DEMO_ALL);
    haploom_panel_fingerprint(shared, print, sizeof print);
    run_all(read_panel);
    haploom_panel_free(shared);
    share_an_imputer();
    stop_from_outside();
    haploom_model_free(model);
    return 0;
}
