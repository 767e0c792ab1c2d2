/* Forks again and again while another thread is in the library; parent and children all go on using it: fork FILE */
#include <haploom.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *file;
static atomic_int stop, rounds;

/* Handles of its own, and threads inside the library. */
static int read_panel(void) {
    haploom_options *options;
    haploom_panel *panel;
    haploom_status status;
    if (haploom_options_new(&options) != HAPLOOM_OK) return 1;
    status = haploom_options_set_text(options, "threads=2");
    if (status == HAPLOOM_OK) status = haploom_panel_open(file, options, &panel);
    haploom_options_free(options);
    if (status != HAPLOOM_OK) return 1;
    haploom_panel_free(panel);
    return 0;
}

/* The parent's imputer, with threads of the child's own. */
static int impute(const haploom_imputer *imputer) {
    static float dosages[800];
    const int8_t allele = 1;
    const size_t typed = 400;
    haploom_options *options;
    haploom_status status;
    if (haploom_sites_count(haploom_imputer_sites(imputer)) != 800 || haploom_options_new(&options) != HAPLOOM_OK) return 1;
    status = haploom_options_set_text(options, "threads=2");
    if (status == HAPLOOM_OK)
        status = haploom_imputer_impute(imputer, &allele, 1, 1, &typed, 1, dosages, NULL, options);
    haploom_options_free(options);
    return status != HAPLOOM_OK || dosages[400] < 0.5;
}

static void *keep_reading(void *failed) {
    while (!stop) {
        *(int *)failed |= read_panel();
        ++rounds;
    }
    return NULL;
}

int main(int argc, char **argv) {
    haploom_panel *kept;
    haploom_imputer *imputer;
    pthread_t reader;
    int failed = 0;
    if (argc != 2) return 2;
    file = argv[1];
    if (haploom_panel_open(file, NULL, &kept) != HAPLOOM_OK) return 2;
    /* Used before the fork, so that whatever it makes on first use is there. */
    if (haploom_imputer_new(kept, NULL, NULL, &imputer) != HAPLOOM_OK || impute(imputer)) return 2;
    if (pthread_create(&reader, NULL, keep_reading, &failed) != 0) return 3;
    while (rounds == 0) usleep(100);
    for (int i = 0; i < 20; ++i) {
        int status;
        pid_t child = fork();
        if (child < 0) return 4;
        if (child == 0) {
            /* A lock that another thread held at the fork would never be free again. */
            alarm(60);
            /* New handles, and the parent's panel and imputer, which are memory and nothing else. */
            if (haploom_panel_haplotypes(kept) == 0 || read_panel() || impute(imputer)) _exit(1);
            haploom_imputer_free(imputer);
            haploom_panel_free(kept);
            _exit(0);
        }
        if (waitpid(child, &status, 0) != child || status != 0) {
            fprintf(stderr, "child %d ended with %d\n", i, status);
            return 5;
        }
    }
    stop = 1;
    pthread_join(reader, NULL);
    failed |= impute(imputer);
    haploom_imputer_free(imputer);
    haploom_panel_free(kept);
    return failed;
}
