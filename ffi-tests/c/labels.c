/* Labels: a model that knows some, and streams of one, of several by count, and of all in their shares. */
#include "check.h"
#include <math.h>

enum { N = 100 };

/* Everything that a stream has left, and the number of its haplotypes. */
static uint8_t *all_of(haploom_sampler *stream, size_t *n) {
    size_t size = haploom_sampler_buffer_size(stream, N), got;
    uint8_t *buffer = calloc(1, size);
    CHECK(buffer != NULL);
    OK(haploom_sampler_next(stream, buffer, size, n));
    CHECK(*n < N || haploom_sampler_end(stream) > N);
    if (*n < N) {
        OK(haploom_sampler_next(stream, buffer + *n * (size / N), size - *n * (size / N), &got));
        CHECK(got == 0, "the stream goes on");
    }
    return buffer;
}

static haploom_sampler *labelled(const haploom_model *model, const char *label, const char *more) {
    haploom_options *how = options(more);
    haploom_sampler *stream;
    OK(haploom_options_set_string(how, "label", label));
    OK(haploom_sampler_new(model, NULL, how, &stream));
    haploom_options_free(how);
    return stream;
}

static void refused(const haploom_model *model, haploom_status status, const char *label, const char *part) {
    haploom_options *how = options("");
    haploom_sampler *stream;
    OK(haploom_options_set_string(how, "label", label));
    IS(status, haploom_sampler_new(model, NULL, how, &stream));
    CHECK(stream == NULL && strstr(last_error(), part), "%s", label);
    haploom_options_free(how);
}

static void check_labels(const haploom_model *model) {
    const char *names[] = {"AFR", "EAS", "EUR"};
    CHECK(haploom_model_label_count(model) == 3);
    double sum = 0;
    for (size_t i = 0; i < 3; ++i) {
        CHECK(strcmp(haploom_model_label(model, i), names[i]) == 0);
        CHECK(haploom_model_label_share(model, i) > 0);
        sum += haploom_model_label_share(model, i);
    }
    CHECK(fabs(sum - 1) < 1e-9);
    CHECK(haploom_model_label(model, 1) == haploom_model_label(model, 1), "a text lives as long as the model");
    CHECK(haploom_model_label(model, 3) == NULL);
    CHECK(isnan(haploom_model_label_share(model, SIZE_MAX)));
    CHECK(haploom_model_label_count(NULL) == 0);
}

static void check_streams(const haploom_model *model, const char *panel_file) {
    size_t sites = haploom_sites_count(haploom_model_sites(model)), n;
    haploom_sampler *plan = labelled(model, "EUR=7,AFR=12", "");
    CHECK(haploom_sampler_end(plan) == 19);
    uint8_t *whole = all_of(plan, &n);
    CHECK(n == 19 && haploom_sampler_position(plan) == 19);
    haploom_sampler *afr = labelled(model, "AFR", ""), *eur = labelled(model, "EUR", "threads=2");
    CHECK(haploom_sampler_end(afr) == (uint64_t)1 << 48);
    uint8_t *africans = all_of(afr, &n), *europeans = all_of(eur, &n);
    CHECK(n == N);
    CHECK(!memcmp(whole, europeans, 7 * sites) && !memcmp(whole + 7 * sites, africans, 12 * sites));
    CHECK(memcmp(africans, europeans, 12 * sites), "labels do not differ");

    /* Seeks, fills, and the end. */
    uint8_t *some = malloc(8 * sites);
    OK(haploom_sampler_seek(plan, 5));
    OK(haploom_sampler_fill(plan, 8, some, 8 * sites, 0, &n));
    CHECK(n == 8 && !memcmp(some, whole + 5 * sites, 8 * sites));
    OK(haploom_sampler_seek(plan, 16));
    OK(haploom_sampler_fill(plan, 8, some, 8 * sites, 0, &n));
    CHECK(n == 3 && !memcmp(some, whole + 16 * sites, 3 * sites));
    OK(haploom_sampler_seek(plan, 19));
    IS(HAPLOOM_INVALID_ARGUMENT, haploom_sampler_seek(plan, 20));
    haploom_panel *people;
    OK(haploom_sampler_seek(plan, 0));
    IS(HAPLOOM_INVALID_ARGUMENT, haploom_sampler_panel(plan, 4, NULL, &people));
    CHECK(strstr(last_error(), "7 haplotypes of EUR") && people == NULL);
    haploom_sampler_free(plan);
    plan = labelled(model, "EUR=7,AFR=12", "haplotypes=9");
    CHECK(haploom_sampler_end(plan) == 9);
    haploom_sampler_free(plan);
    plan = labelled(model, "EUR=7,AFR=12", "haplotypes=90");
    CHECK(haploom_sampler_end(plan) == 19 && haploom_sampler_end(NULL) == 0);
    haploom_sampler_free(plan);

    /* People with their labels. */
    plan = labelled(model, "EUR=4,AFR=2", "");
    OK(haploom_sampler_panel(plan, 6, NULL, &people));
    const char *expected[] = {"EUR", "EUR", "AFR"}, *label;
    for (size_t i = 0; i < 3; ++i) {
        OK(haploom_samples_get(haploom_panel_samples(people), i, NULL, NULL, &label, NULL));
        CHECK(label && strcmp(label, expected[i]) == 0);
    }
    haploom_panel_free(people);
    IS(HAPLOOM_INVALID_ARGUMENT, haploom_sampler_panel(plan, 2, NULL, &people));
    CHECK(strstr(last_error(), "6 haplotypes") && haploom_sampler_position(plan) == 6);
    OK(haploom_sampler_seek(plan, 0));
    OK(haploom_augment(plan, 6, panel_file, "larger.vcf", NULL));
    char *text = contents("larger.vcf", NULL);
    CHECK(strstr(text, "##haploom_labels=EUR:4,AFR:2\n"));
    free(text);

    /* All in their shares: both haplotypes of a person are of one label, and people have it. */
    haploom_sampler *shares = sampler(model, "");
    OK(haploom_sampler_panel(shares, 200, NULL, &people));
    int seen = 0;
    for (size_t i = 0; i < 100; ++i) {
        OK(haploom_samples_get(haploom_panel_samples(people), i, NULL, NULL, &label, NULL));
        CHECK(label);
        seen |= 1 << (label[1] == 'F' ? 0 : label[1] == 'A' ? 1 : 2);
    }
    CHECK(seen == 7, "a label does not come up in 100 people");
    haploom_panel_free(people);

    refused(model, HAPLOOM_UNKNOWN_NAME, "SAS", "AFR, EAS, EUR");
    refused(model, HAPLOOM_UNKNOWN_NAME, "EUR=4,SAS=4", "SAS");
    refused(model, HAPLOOM_INVALID_OPTION, "EUR=4,AFR", "'AFR'");
    refused(model, HAPLOOM_INVALID_OPTION, "EUR=0", "'0'");
    refused(model, HAPLOOM_INVALID_OPTION, "EUR=1,EUR=1", "twice");
    free(whole);
    free(africans);
    free(europeans);
    free(some);
    haploom_sampler_free(plan);
    haploom_sampler_free(afr);
    haploom_sampler_free(eur);
    haploom_sampler_free(shares);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    haploom_options *how = options("samples_file=");
    OK(haploom_options_set_string(how, "labels", argv[1]));
    OK(haploom_options_set_string(how, "region", "1:1-300000"));
    haploom_panel *panel;
    OK(haploom_panel_open(argv[2], how, &panel));
    haploom_options_free(how);
    haploom_model *gan = trained(panel, "gan", "updates=2,looks=1,batch=8,latent=4"), *copy, *plain;
    CHECK(strcmp(haploom_model_kind(gan), "gan") == 0);
    check_labels(gan);
    check_streams(gan, argv[2]);
    OK(haploom_model_save(gan, "gan.safetensors"));
    OK(haploom_model_open("gan.safetensors", &copy));
    check_labels(copy);
    plain = trained(panel, "markov", "");
    CHECK(haploom_model_label_count(plain) == 0 && haploom_model_label(plain, 0) == NULL);
    refused(plain, HAPLOOM_UNKNOWN_NAME, "EUR=4", "trained with labels");
    haploom_model_free(gan);
    haploom_model_free(copy);
    haploom_model_free(plain);
    haploom_panel_free(panel);
    return 0;
}
