/* Calls that are stopped at every kind of moment: CANCELLED, no handle, no file and nothing beside it, and all goes on
 * afterwards as if nothing had been. cancel PANEL */
#include "check.h"
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static haploom_panel *panel, *artificial;
static haploom_model *model;
static haploom_sampler *stream;
static haploom_imputer *imputer;
static const char *file;

/* Counts events and stops at one of them. After a call's last step, for what it has to say at its end, it may be too late. */
static int events, stop_at;
static bool at_the_end, too_late;
static int32_t count(void *user, const haploom_event *event) {
    (void)user;
    CHECK(haploom_event_text(event) != NULL);
    if (haploom_event_kind(event) == HAPLOOM_EVENT_STEP) at_the_end = haploom_event_done(event) == haploom_event_total(event);
    if (++events != stop_at) return 0;
    too_late = at_the_end;
    return 1;
}

/* A call with options; its handle goes through `made`. */
struct call {
    const char *name, *options, *output;
    haploom_status (*work)(const haploom_options *how, void **made);
    void (*free)(void *made);
};

static haploom_status opens(const haploom_options *how, void **made) {
    return haploom_panel_open(file, how, (haploom_panel **)made);
}
static haploom_status trains(const haploom_options *how, void **made) {
    return haploom_train(panel, "rbm", how, (haploom_model **)made);
}
static haploom_status makes_panel(const haploom_options *how, void **made) {
    OK(haploom_sampler_seek(stream, 0));
    return haploom_sampler_panel(stream, 5000, how, (haploom_panel **)made);
}
static haploom_status writes(const haploom_options *how, void **made) {
    (void)made;
    OK(haploom_sampler_seek(stream, 0));
    return haploom_sampler_write(stream, 5000, "out/sampled.bcf", how);
}
static haploom_status augments(const haploom_options *how, void **made) {
    (void)made;
    OK(haploom_sampler_seek(stream, 0));
    return haploom_augment(stream, 5000, file, "out/augmented.vcf.gz", how);
}
static haploom_status makes_imputer(const haploom_options *how, void **made) {
    return haploom_imputer_new(panel, model, how, (haploom_imputer **)made);
}
static haploom_status imputes(const haploom_options *how, void **made) {
    static float dosages[50 * 800];
    static const int8_t alleles[50 * 2];
    (void)made;
    return haploom_imputer_impute(imputer, alleles, 50, 2, (size_t[]){20, 40}, 2, dosages, NULL, how);
}
static haploom_status imputes_file(const haploom_options *how, void **made) {
    (void)made;
    return haploom_imputer_impute_file(imputer, "half.bcf", "out/imputed.bcf", how);
}
static haploom_status paints_file(const haploom_options *how, void **made) {
    (void)made;
    return haploom_imputer_paint_file(imputer, "half.bcf", "out/painting.tsv", how);
}
static haploom_status encodes(const haploom_options *how, void **made) {
    return haploom_encode(model, panel, how, (haploom_encoding **)made);
}
static haploom_status evaluates(const haploom_options *how, void **made) {
    return haploom_evaluate(panel, artificial, NULL, how, (haploom_evaluation **)made);
}
static haploom_status conditionals(const haploom_options *how, void **made) {
    static float probabilities[1200 * 800];
    (void)made;
    return haploom_model_conditionals(model, panel, how, probabilities, 1200 * haploom_sites_count(haploom_panel_sites(panel)));
}

#define FREE(type) \
    static void free_##type(void *made) { haploom_##type##_free(made); }
FREE(panel)
FREE(model)
FREE(imputer)
FREE(encoding)
FREE(evaluation)

#define RBM "updates=40,hidden=8,clusters=4,batch=50,chains=50"
static const struct call calls[] = {
    {"panel_open", "", NULL, opens, free_panel},
    {"train", RBM, NULL, trains, free_model},
    {"train with people kept aside", RBM ",held_out=0.1,stop=held_out,stop_every=10,ladder=true", NULL, trains, free_model},
    {"train on two threads", RBM ",threads=2", NULL, trains, free_model},
    {"sampler_panel", "", NULL, makes_panel, free_panel},
    {"sampler_write", "", "out/sampled.bcf", writes, NULL},
    {"augment", "", "out/augmented.vcf.gz", augments, NULL},
    {"imputer_new", "artificial=2000", NULL, makes_imputer, free_imputer},
    {"imputer_impute", "", NULL, imputes, NULL},
    {"imputer_impute_file", "window_sites=20", "out/imputed.bcf", imputes_file, NULL},
    {"imputer_paint_file", "", "out/painting.tsv", paints_file, NULL},
    {"encode", "", NULL, encodes, free_encoding},
    {"evaluate", "aats_draws=1,aats_most=100,triplets=100,transport_most=50,linkage_most=100", NULL, evaluates, free_evaluation},
    {"model_conditionals", "", NULL, conditionals, NULL},
};

static int files_in(const char *folder) {
    DIR *open = opendir(folder);
    int n = 0;
    CHECK(open != NULL);
    for (struct dirent *entry; (entry = readdir(open));) n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(open);
    return n;
}

static bool holds(const char *path, const char *text) {
    size_t size;
    char *bytes = contents(path, &size);
    bool same = size == strlen(text) && memcmp(bytes, text, size) == 0;
    free(bytes);
    return same;
}

static void remove_output(const char *output) {
    for (int i = 0; i < 3; ++i) {
        char path[100];
        snprintf(path, sizeof path, "%s%s", output, (const char *const[]){"", ".csi", ".tbi"}[i]);
        unlink(path);
    }
}

static void stopped_everywhere(const struct call *call) {
    haploom_options *how = options(call->options);
    void *made = NULL;
    OK(haploom_options_set_progress(how, count, NULL));
    events = stop_at = 0;
    OK(call->work(how, &made));
    if (call->free) call->free(made);
    int all = events;
    printf("%s: %d events\n", call->name, all);
    for (int turn = 0; turn < 8 && all > 0; turn += all > 1000 ? 3 : 1) {
        stop_at = turn < 3 ? turn + 1 : turn == 7 ? all : all * turn / 8;
        if (stop_at < 1 || stop_at > all) continue;
        if (call->output) {
            /* An older file is there in every other turn. */
            remove_output(call->output);
            if (turn % 2) store(call->output, "older", 5);
        }
        events = 0;
        made = &made;
        haploom_status status = call->work(how, call->free ? &made : NULL);
        if (status == HAPLOOM_OK && too_late) {
            if (call->free) call->free(made);
            continue;
        }
        CHECK(status == HAPLOOM_CANCELLED && *last_error(), "%s stopped at %d: %s", call->name, stop_at,
              haploom_status_name(status));
        CHECK(!call->free || made == NULL, "%s stopped at %d left a handle", call->name, stop_at);
        if (!call->output) continue;
        CHECK(files_in("out") == turn % 2, "%s stopped at %d left files", call->name, stop_at);
        CHECK(turn % 2 == 0 || holds(call->output, "older"), "%s stopped at %d changed a file", call->name, stop_at);
    }

    /* A wish that was there before the call begins, and one that is taken back. */
    haploom_cancel *cancel;
    OK(haploom_cancel_new(&cancel));
    OK(haploom_options_set_cancel(how, cancel));
    haploom_cancel_request(cancel);
    stop_at = events = 0;
    made = &made;
    IS(HAPLOOM_CANCELLED, call->work(how, call->free ? &made : NULL));
    CHECK(!call->free || made == NULL);
    haploom_cancel_reset(cancel);
    OK(call->work(how, &made));
    if (call->free) call->free(made);
    haploom_cancel_free(cancel);
    haploom_options_free(how);
    if (call->output) remove_output(call->output);
}

/* The bytes of a model; the one who asks frees them. */
static uint8_t *bytes_of(const haploom_model *which, size_t *size) {
    OK(haploom_model_to_bytes(which, NULL, 0, size));
    uint8_t *bytes = malloc(*size);
    CHECK(bytes != NULL);
    OK(haploom_model_to_bytes(which, bytes, *size, NULL));
    return bytes;
}

/* A training that is stopped and goes on, even twice, ends with the model of one that was never stopped. */
static void resumed(const char *assignments) {
    haploom_model *whole = trained(panel, "rbm", assignments), *made;
    size_t size, other;
    uint8_t *wanted = bytes_of(whole, &size);
    haploom_options *how = options(assignments);
    OK(haploom_options_set_string(how, "checkpoint", "kept"));
    OK(haploom_options_set_progress(how, count, NULL));
    static const int stops[][2] = {{1, 1}, {2, 0}, {17, 9}, {40, 0}, {39, 1}};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; ++i) {
        OK(haploom_options_set_text(how, "resume=false"));
        for (int part = 0; part < 2; ++part) {
            stop_at = stops[i][part];
            if (stop_at == 0) continue;
            /* With a resumed run comes a notice first. */
            stop_at += part;
            events = 0;
            IS(HAPLOOM_CANCELLED, haploom_train(panel, "rbm", how, &made));
            CHECK(made == NULL && strstr(last_error(), "kept") && files_in("kept") == 1);
            OK(haploom_options_set_text(how, "resume=true"));
        }
        stop_at = events = 0;
        OK(haploom_train(panel, "rbm", how, &made));
        uint8_t *bytes = bytes_of(made, &other);
        bool same = size == other && memcmp(bytes, wanted, size) == 0;
        CHECK(same, "%s: stopped at %d and %d", assignments, stops[i][0], stops[i][1]);
        free(bytes);
        haploom_model_free(made);
    }
    free(wanted);
    haploom_options_free(how);
    haploom_model_free(whole);
}

/* After all of this the stream goes on with what it would have given. */
static void stream_is_whole(void) {
    size_t n, size = haploom_sampler_buffer_size(stream, 4);
    uint8_t *here = calloc(size, 1), *there = calloc(size, 1);
    haploom_sampler *fresh = sampler(model, "");
    OK(haploom_sampler_seek(stream, 3));
    OK(haploom_sampler_seek(fresh, 3));
    OK(haploom_sampler_next(stream, here, size, &n));
    OK(haploom_sampler_next(fresh, there, size, &n));
    CHECK(n == 4 && memcmp(here, there, size) == 0);
    free(here);
    free(there);
    haploom_sampler_free(fresh);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    file = argv[1];
    CHECK(mkdir("out", 0777) == 0);
    haploom_panel *all = demo(HAPLOOM_DEMO_TRAIN);
    haploom_options *part = options("region=1:1-400000");
    OK(haploom_panel_select(all, part, &panel));
    haploom_options_free(part);
    haploom_panel_free(all);
    model = trained(panel, "rbm", RBM);
    stream = sampler(model, "sampler=random,sample_sweeps=1");
    haploom_sampler *few = sampler(model, "");
    OK(haploom_sampler_panel(few, 200, NULL, &artificial));
    haploom_sampler_free(few);
    /* People of whom half of the panel's sites are known. */
    haploom_panel *others = demo(HAPLOOM_DEMO_HELD_OUT), *half;
    part = options("region=1:1-200000");
    OK(haploom_panel_select(others, part, &half));
    OK(haploom_panel_write(half, "half.bcf", NULL));
    haploom_options_free(part);
    haploom_panel_free(half);
    haploom_panel_free(others);
    OK(haploom_imputer_new(panel, NULL, NULL, &imputer));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) stopped_everywhere(&calls[i]);
    haploom_sampler_free(stream);
    stream = sampler(model, "");
    stream_is_whole();
    resumed(RBM);
    resumed(RBM ",optimiser=adam,learning_rate=0.01,method=pcd,ladder=true,threads=2");
    haploom_imputer_free(imputer);
    haploom_sampler_free(stream);
    haploom_model_free(model);
    haploom_panel_free(artificial);
    haploom_panel_free(panel);
    return 0;
}
