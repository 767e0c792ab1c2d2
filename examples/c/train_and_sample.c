/*
 * train_and_sample: learns a panel, saves the model, and writes artificial people. Ctrl-C stops it between two steps.
 *
 * Compile: cc train_and_sample.c $(pkg-config --cflags --libs haploom) -o train_and_sample
 * Run:     train_and_sample panel.bcf epochs=20,seed=7 model.safetensors 1000 artificial.bcf
 */
#include <haploom.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static haploom_cancel *cancel;

static void interrupted(int signal_number) {
    (void)signal_number;
    haploom_cancel_request(cancel);
}

static int32_t show(void *user, const haploom_event *event) {
    FILE *to = user;
    if (haploom_event_kind(event) == HAPLOOM_EVENT_STEP)
        fprintf(to, "\r%s: %" PRIu64 " of %" PRIu64 " %s ", haploom_event_text(event), haploom_event_done(event),
                haploom_event_total(event), haploom_event_unit(event));
    else if (haploom_event_kind(event) == HAPLOOM_EVENT_NOTICE)
        fprintf(to, "\n%s\n", haploom_event_text(event));
    return 0;
}

static int failed(haploom_status status) {
    char text[2000];
    if (status == HAPLOOM_OK) return 0;
    haploom_last_error(text, sizeof text);
    fprintf(stderr, "\ntrain_and_sample: %s: %s\n", haploom_status_name(status), text);
    return 1;
}

int main(int argc, char **argv) {
    haploom_panel *panel = NULL;
    haploom_options *reading = NULL, *training = NULL;
    haploom_model *model = NULL;
    haploom_sampler *sampler = NULL;
    int bad;
    if (argc != 6) {
        fprintf(stderr, "usage: train_and_sample PANEL KEY=VALUE[,...] MODEL N OUT\n");
        return 2;
    }
    bad = failed(haploom_cancel_new(&cancel)) || failed(haploom_options_new(&reading)) ||
          failed(haploom_options_new(&training));
    signal(SIGINT, interrupted);
    /* Each call takes the options that it reads: the panel's here, the training's there. */
    bad = bad || failed(haploom_options_set_progress(reading, show, stderr)) ||
          failed(haploom_panel_open(argv[1], reading, &panel)) ||
          failed(haploom_options_set_text(training, argv[2])) ||
          failed(haploom_options_set_progress(training, show, stderr)) ||
          failed(haploom_options_set_cancel(training, cancel)) ||
          failed(haploom_train(panel, "rbm", training, &model)) ||
          failed(haploom_model_save(model, argv[3])) ||
          failed(haploom_sampler_new(model, NULL, NULL, &sampler)) ||
          failed(haploom_sampler_write(sampler, (size_t)strtoull(argv[4], NULL, 10), argv[5], NULL));
    if (!bad)
        printf("%zu haplotypes, %zu sites: %s, and %" PRIu64 " artificial haplotypes\n",
               haploom_panel_haplotypes(panel), haploom_sites_count(haploom_model_sites(model)),
               haploom_model_kind(model), haploom_sampler_position(sampler));
    haploom_sampler_free(sampler);
    haploom_model_free(model);
    haploom_panel_free(panel);
    haploom_options_free(training);
    haploom_options_free(reading);
    signal(SIGINT, SIG_DFL);
    haploom_cancel_free(cancel);
    return bad;
}
