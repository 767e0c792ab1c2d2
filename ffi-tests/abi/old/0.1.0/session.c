/* A whole session with every function of the header of version 0.1.0, compiled against that header and run on the library of
 * today: session PANEL [LABELS]. It writes files where it is run, and prints nothing while all goes well. */
#include <haploom.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            char text[1000] = "";                                           \
            haploom_last_error(text, sizeof text);                          \
            fprintf(stderr, "session.c:%d: %s: %s: %s\n", __LINE__, #condition, \
                    haploom_status_name(haploom_last_status()), text);      \
            exit(1);                                                        \
        }                                                                   \
    } while (0)
#define OK(call) NEED((call) == HAPLOOM_OK)

static haploom_options *options(const char *assignments) {
    haploom_options *made;
    OK(haploom_options_new(&made));
    OK(haploom_options_set_text(made, assignments));
    return made;
}

static struct {
    uint64_t steps, done, measured, notices;
    haploom_cancel *cancel; /* is asked to stop at a step, unless it is NULL */
} seen;

static int32_t look(void *user, const haploom_event *event) {
    NEED(user == &seen && haploom_event_text(event)[0]);
    switch (haploom_event_kind(event)) {
    case HAPLOOM_EVENT_STEP:
        NEED(haploom_event_unit(event)[0]);
        NEED(haploom_event_total(event) == 0 || haploom_event_done(event) <= haploom_event_total(event));
        ++seen.steps;
        haploom_cancel_request(seen.cancel);
        seen.done = haploom_event_done(event);
        break;
    case HAPLOOM_EVENT_MEASURED:
        NEED(haploom_event_value(event) == haploom_event_value(event));
        ++seen.measured;
        break;
    case HAPLOOM_EVENT_NOTICE:
        ++seen.notices;
        break;
    }
    return 0;
}

static void option_table(void) {
    double least, greatest;
    char text[100];
    size_t described = 0;
    for (size_t i = 0; i < haploom_option_count(); ++i) {
        const char *key, *value, *bounds, *group, *help;
        int32_t type;
        OK(haploom_option_describe(i, &key, &type, &value, &bounds, &group, &help));
        NEED(type >= HAPLOOM_TYPE_INT && type <= HAPLOOM_TYPE_TEXT);
        described += *key && *bounds && *group && *help;
    }
    NEED(described == haploom_option_count() && described >= 50);
    OK(haploom_option_range("l2", &least, &greatest));
    NEED(least == 0 && greatest == 10);
    haploom_options *how = options("");
    OK(haploom_options_set_int(how, "epochs", 7));
    OK(haploom_options_set_double(how, "l2", 0.25));
    OK(haploom_options_set_string(how, "method", "pcd"));
    haploom_options *copy;
    OK(haploom_options_copy(how, &copy));
    OK(haploom_options_unset(how, "l2"));
    NEED(haploom_options_get(copy, "l2", text, sizeof text) == 4 && strcmp(text, "0.25") == 0);
    NEED(haploom_options_get(how, "l2", text, sizeof text) > 0 && strcmp(text, "0.25") != 0);
    haploom_options_free(copy);
    haploom_options_free(how);
}

/* The panel by its parts: sites, samples and alleles out and in again. */
static void alleles(const haploom_panel *panel) {
    size_t haplotypes = haploom_panel_haplotypes(panel), n = haploom_sites_count(haploom_panel_sites(panel));
    size_t people = haploom_samples_count(haploom_panel_samples(panel)), row = (n + 7) / 8, first;
    const char **texts = calloc(3 * n + 2 * people, sizeof *texts);
    const char **contigs = texts, **references = texts + n, **alternates = texts + 2 * n, **names = texts + 3 * n;
    const char **labels = names + people;
    uint64_t *positions = calloc(n, sizeof *positions);
    uint8_t *ploidy = calloc(people, 1), *bytes = malloc(haplotypes * n), *bits = malloc(haplotypes * row);
    double *frequencies = calloc(n, sizeof *frequencies);
    haploom_sites *sites;
    haploom_samples *samples;
    haploom_panel *copies[2], *part, *renamed;
    char print[65], other[65];
    NEED(texts && positions && ploidy && bytes && bits && frequencies);
    for (size_t i = 0; i < n; ++i)
        OK(haploom_sites_get(haploom_panel_sites(panel), i, &contigs[i], &positions[i], NULL, &references[i], &alternates[i]));
    for (size_t i = 0; i < people; ++i)
        OK(haploom_samples_get(haploom_panel_samples(panel), i, &names[i], &ploidy[i], &labels[i], &first));
    NEED(haploom_samples_find(haploom_panel_samples(panel), names[people - 1]) == people - 1);
    NEED(haploom_panel_missing(panel) == 0 && haploom_panel_unphased(panel) == 0);
    NEED(haploom_sites_find(haploom_panel_sites(panel), contigs[1], positions[1], references[1], alternates[1]) == 1);
    OK(haploom_sites_new(n, contigs, positions, NULL, references, alternates, &sites));
    OK(haploom_samples_new(people, names, ploidy, labels, &samples));
    OK(haploom_panel_to_bytes(panel, 0, haplotypes, 0, n, bytes, haplotypes * n, n, 1));
    OK(haploom_panel_to_bits(panel, 0, haplotypes, 0, n, bits, haplotypes * row, row, HAPLOOM_HAPLOTYPE_MAJOR));
    OK(haploom_panel_from_bytes(sites, samples, bytes, haplotypes, n, 1, &copies[0]));
    OK(haploom_panel_from_bits(sites, samples, bits, haplotypes, row, HAPLOOM_HAPLOTYPE_MAJOR, &copies[1]));
    OK(haploom_panel_frequencies(panel, frequencies, n));
    NEED(haploom_panel_fingerprint(panel, print, sizeof print) == 64);
    for (int i = 0; i < 2; ++i) {
        NEED(haploom_panel_fingerprint(copies[i], other, sizeof other) == 64 && strcmp(print, other) == 0);
        haploom_panel_free(copies[i]);
    }
    haploom_options *how = options("region=1:1-200000");
    OK(haploom_panel_select(panel, how, &part));
    OK(haploom_panel_with_samples(part, samples, &renamed));
    haploom_options_free(how);
    haploom_panel_free(part);
    haploom_panel_free(renamed);
    haploom_sites_free(sites);
    haploom_samples_free(samples);
    free(texts);
    free(positions);
    free(ploidy);
    free(bytes);
    free(bits);
    free(frequencies);
}

static void models(const haploom_panel *panel, haploom_model **rbm) {
    haploom_cancel *cancel;
    haploom_model *model = NULL;
    haploom_options *how = options("epochs=3,hidden=20,clusters=8,threads=2,checkpoint=kept");
    OK(haploom_options_set_progress(how, look, &seen));
    OK(haploom_cancel_new(&cancel));
    OK(haploom_options_set_cancel(how, cancel));
    seen.cancel = cancel;
    NEED(haploom_train(panel, "rbm", how, &model) == HAPLOOM_CANCELLED && model == NULL);
    seen.cancel = NULL;
    haploom_cancel_reset(cancel);
    OK(haploom_options_set_text(how, "resume=true"));
    OK(haploom_train(panel, "rbm", how, &model));
    NEED(seen.steps > 0 && seen.done > 0 && seen.notices > 0);
    haploom_cancel_free(cancel);
    haploom_options_free(how);

    size_t size, again;
    OK(haploom_model_save(model, "model.haploom"));
    OK(haploom_model_to_bytes(model, NULL, 0, &size));
    uint8_t *bytes = malloc(size);
    NEED(bytes != NULL);
    OK(haploom_model_to_bytes(model, bytes, size, &again));
    haploom_model_free(model);
    OK(haploom_model_from_bytes(bytes, size, &model));
    haploom_model_free(model);
    free(bytes);
    OK(haploom_model_open("model.haploom", rbm));
    NEED(strcmp(haploom_model_kind(*rbm), "rbm") == 0);
    NEED(haploom_sites_count(haploom_model_sites(*rbm)) == haploom_sites_count(haploom_panel_sites(panel)));
    for (size_t i = 0; i < haploom_model_info_count(*rbm); ++i) {
        const char *name, *value;
        OK(haploom_model_info(*rbm, i, &name, &value));
    }
    NEED(haploom_model_label_count(*rbm) == 0 && haploom_model_label(*rbm, 0) == NULL);
    NEED(haploom_model_label_share(*rbm, 0) != haploom_model_label_share(*rbm, 0));
    size_t n = haploom_panel_haplotypes(panel) * haploom_sites_count(haploom_panel_sites(panel));
    float *probabilities = malloc(n * sizeof *probabilities);
    NEED(probabilities != NULL);
    OK(haploom_model_conditionals(*rbm, panel, NULL, probabilities, n));
    free(probabilities);
    for (int i = 0; i < 2; ++i) {
        OK(haploom_train(panel, i ? "markov" : "bernoulli", NULL, &model));
        haploom_model_free(model);
    }
}

static void streams(const haploom_model *model, const char *panel_file, haploom_panel **artificial) {
    haploom_sampler *sampler;
    haploom_options *how = options("layout=sites,packing=bits,seed=3"), *named = options("prefix=NEW");
    size_t n, size;
    OK(haploom_sampler_new(model, NULL, how, &sampler));
    NEED(haploom_sites_count(haploom_sampler_sites(sampler)) == haploom_sites_count(haploom_model_sites(model)));
    size = haploom_sampler_buffer_size(sampler, 100);
    uint8_t *buffer = malloc(size);
    NEED(buffer != NULL);
    OK(haploom_sampler_next(sampler, buffer, size, &n));
    NEED(n == 104 && haploom_sampler_position(sampler) == n && haploom_sampler_end(sampler) > n);
    OK(haploom_sampler_fill(sampler, 8, buffer, size, 0, &n));
    NEED(n == 8);
    OK(haploom_sampler_seek(sampler, 10));
    OK(haploom_sampler_panel(sampler, 200, named, artificial));
    OK(haploom_sampler_write(sampler, 20, "new.bcf", NULL));
    OK(haploom_options_set_progress(named, look, &seen));
    OK(haploom_augment(sampler, 20, panel_file, "augmented.bcf", named));
    NEED(seen.measured >= 4);
    free(buffer);
    haploom_options_free(how);
    haploom_options_free(named);
    haploom_sampler_free(sampler);
}

static void judgement(const haploom_model *model, const haploom_panel *real, const haploom_panel *artificial) {
    haploom_panel *held_out;
    haploom_encoding *encoding;
    haploom_evaluation *evaluation;
    haploom_options *how = options("aats_draws=1,triplets=100,transport_most=100,linkage_most=100");
    const char *name, *title, *note;
    double value, floor, best, deviation;
    size_t n[4];
    OK(haploom_panel_demo(HAPLOOM_DEMO_HELD_OUT, &held_out));
    OK(haploom_evaluate(real, artificial, held_out, how, &evaluation));
    for (size_t i = 0; i < haploom_evaluation_count(evaluation); ++i) {
        OK(haploom_evaluation_describe(evaluation, i, &name, &title, &note));
        OK(haploom_evaluation_get(evaluation, name, &value, &floor, &best, &deviation));
    }
    OK(haploom_evaluation_get(evaluation, "privacy_loss", &value, NULL, NULL, NULL));
    OK(haploom_evaluation_sizes(evaluation, &n[0], &n[1], &n[2], &n[3]));
    NEED(n[0] == haploom_panel_haplotypes(real) && n[1] == haploom_panel_haplotypes(artificial));
    NEED(haploom_evaluation_json(evaluation, NULL, 0) > 100 && haploom_evaluation_table(evaluation, NULL, 0) > 100);
    haploom_evaluation_free(evaluation);
    haploom_options_free(how);
    haploom_panel_free(held_out);

    OK(haploom_encode(model, artificial, NULL, &encoding));
    NEED(haploom_encoding_haplotypes(encoding) == n[1] && haploom_encoding_hidden_units(encoding) == 20);
    NEED(haploom_encoding_components(encoding) == 10 && haploom_encoding_singular_values(encoding)[0] > 0);
    NEED(haploom_encoding_hidden(encoding)[0] >= 0 && haploom_encoding_projections(encoding)[0] != 0);
    haploom_encoding_free(encoding);
}

static void imputation(const haploom_panel *panel, const haploom_model *model, const char *panel_file) {
    size_t sites = haploom_sites_count(haploom_panel_sites(panel)), typed[] = {1, 5, 9};
    const int8_t alleles[2][4] = {{0, 1, -1, 77}, {1, 0, 0, 77}};
    float *dosages = malloc(2 * sites * sizeof *dosages), left_out[6];
    haploom_options *how = options("threads=2,impute_chains=4,impute_sweeps=3,artificial=50"), *listening = options("threads=2");
    NEED(dosages != NULL);
    OK(haploom_options_set_progress(listening, look, &seen));
    for (int from = 1; from < 4; ++from) {
        haploom_imputer *imputer;
        seen.measured = 0;
        OK(haploom_imputer_new(from & 1 ? panel : NULL, from & 2 ? model : NULL, how, &imputer));
        NEED(haploom_sites_count(haploom_imputer_sites(imputer)) == sites);
        OK(haploom_imputer_impute(imputer, alleles[0], 2, 4, typed, 3, dosages, left_out, listening));
        for (size_t i = 0; i < 2 * sites; ++i) NEED(dosages[i] >= 0 && dosages[i] <= 1);
        for (int i = 0; i < 6; ++i) NEED(i == 2 ? left_out[i] != left_out[i] : left_out[i] >= 0 && left_out[i] <= 1);
        NEED(from == 2 || seen.measured >= 2);
        if (from == 1) {
            OK(haploom_imputer_impute_file(imputer, panel_file, "imputed.vcf.gz", listening));
            NEED(seen.measured >= 7);
            OK(haploom_imputer_paint_file(imputer, "new.bcf", "painting.tsv", NULL));
        }
        haploom_imputer_free(imputer);
    }
    free(dosages);
    haploom_options_free(listening);
    haploom_options_free(how);
}

static void from_memory(const char *path, size_t haplotypes) {
    haploom_panel *panel;
    FILE *file = fopen(path, "rb");
    static uint8_t bytes[1 << 20];
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    NEED(size > 0 && size < sizeof bytes && fclose(file) == 0);
    OK(haploom_panel_open_bytes(bytes, size, path, NULL, &panel));
    NEED(haploom_panel_haplotypes(panel) == haplotypes);
    haploom_panel_free(panel);
}

int main(int argc, char **argv) {
    static const char *const written[] = {"out.vcf", "out.vcf.gz", "out.bcf", "out.hap", "out.hap.gz", "out.hapt", "out.pgen"};
    haploom_panel *panel, *artificial, *both;
    haploom_model *model;
    if (argc < 2) return 2;
    NEED(haploom_abi() == HAPLOOM_ABI && haploom_version() >= HAPLOOM_VERSION_NUMBER);
    NEED(haploom_version_string()[0] && strstr(haploom_build_info(), haploom_version_string()));
    NEED(haploom_devices(NULL, 0) > 0);
    NEED(haploom_last_status() == HAPLOOM_OK);
    NEED(haploom_panel_open("not/there.bcf", NULL, &panel) == HAPLOOM_IO && panel == NULL);
    option_table();

    haploom_options *how = options("threads=2,region=1:1-2000000");
    if (argc > 2) OK(haploom_options_set_string(how, "labels", argv[2]));
    OK(haploom_panel_open(argv[1], how, &panel));
    haploom_options_free(how);
    alleles(panel);
    for (size_t i = 0; i < sizeof written / sizeof *written; ++i) {
        haploom_panel *again;
        OK(haploom_panel_write(panel, written[i], NULL));
        OK(haploom_panel_open(written[i], NULL, &again));
        NEED(haploom_panel_haplotypes(again) == haploom_panel_haplotypes(panel));
        haploom_panel_free(again);
    }
    from_memory("out.bcf", haploom_panel_haplotypes(panel));
    models(panel, &model);
    streams(model, argv[1], &artificial);
    judgement(model, panel, artificial);
    imputation(panel, model, argv[1]);
    OK(haploom_panel_append(panel, artificial, &both));
    NEED(haploom_panel_haplotypes(both) == haploom_panel_haplotypes(panel) + haploom_panel_haplotypes(artificial));
    haploom_panel_free(both);
    haploom_model_free(model);
    haploom_panel_free(artificial);
    haploom_panel_free(panel);
    return 0;
}
