/* Memory runs out: every large allocation of a call fails in turn, and the call says OUT_OF_MEMORY or does without.
 * Large is what grows with the input; this program's own malloc counts these and fails one. Each failure has a process of
 * its own, so that an abort is told and the rest is tried. memory FOLDER [CALL [NUMBER]] */
#include "check.h"
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* The library calls these: symbols of the program come first. glibc's own lie behind. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

extern char __executable_start, etext;

static size_t large = SIZE_MAX; /* bytes of the smallest allocation that is looked at */
static int refused;             /* which one fails, by the order in which they are first seen; 0 for none */
static bool from_there_on;      /* all after it fail, too */
static bool told;               /* where it fails is written to standard error */

/* Allocations are told apart by the calls that led to them, so that one in a loop is one. */
static uint64_t places[4000];
static int found;
static pthread_mutex_t looking = PTHREAD_MUTEX_INITIALIZER;

static bool fails(size_t size) {
    void *frames[60];
    uint64_t place = 0;
    int number = 0;
    if (size < large) return false;
    pthread_mutex_lock(&looking);
    size_t before = large;
    large = SIZE_MAX;
    int depth = backtrace(frames, 60);
    for (int i = 0; i < depth; ++i)
        if ((char *)frames[i] < &__executable_start || (char *)frames[i] > &etext)
            place = (place ^ (uint64_t)(uintptr_t)frames[i]) * 0x100000001b3;
    while (number < found && places[number] != place) ++number;
    if (number == found && found < 4000) places[found++] = place;
    bool refuse = refused != 0 && (number + 1 == refused || (number + 1 > refused && from_there_on));
    if (refuse && told) backtrace_symbols_fd(frames, depth, 2);
    large = before;
    pthread_mutex_unlock(&looking);
    if (refuse) errno = ENOMEM;
    return refuse;
}

void *malloc(size_t size) { return fails(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails(n * size) ? NULL : __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { return fails(size) ? NULL : __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { return fails(size) ? NULL : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **place, size_t alignment, size_t size) {
    void *made = memalign(alignment, size);
    if (made) *place = made;
    return made ? 0 : ENOMEM;
}

/* A panel of 3,000 haplotypes at 4,000 sites, 1.5 MB of bits, and what is made of it. */
#ifndef SHAPE
#define SHAPE HAPLOTYPES = 1600, SITES = 2400
#endif
enum { SHAPE };
static haploom_panel *panel, *artificial;
static haploom_model *rbm, *markov;
static haploom_sites *sites;
static uint8_t *bits, *bytes;

static haploom_panel *new_panel;
static haploom_model *new_model;

/* A call is done `work` with what is ready; NULL is what it gave, to free. */
static haploom_status opens(const char *name) {
    haploom_status status = haploom_panel_open(name, NULL, &new_panel);
    haploom_panel_free(new_panel);
    return status;
}
static haploom_status open_vcf(void) { return opens("panel.vcf.gz"); }
static haploom_status open_bcf(void) { return opens("panel.bcf"); }
static haploom_status open_hap(void) { return opens("panel.hap.gz"); }
static haploom_status open_hapt(void) { return opens("panel.hapt.gz"); }
static haploom_status from_bits_rows(void) {
    haploom_status status = haploom_panel_from_bits(sites, NULL, bits, HAPLOTYPES, SITES / 8, HAPLOOM_HAPLOTYPE_MAJOR, &new_panel);
    haploom_panel_free(new_panel);
    return status;
}
static haploom_status from_bits_sites(void) {
    haploom_status status = haploom_panel_from_bits(sites, NULL, bits, HAPLOTYPES, HAPLOTYPES / 8, HAPLOOM_SITE_MAJOR, &new_panel);
    haploom_panel_free(new_panel);
    return status;
}
static haploom_status from_bytes_rows(void) {
    haploom_status status = haploom_panel_from_bytes(sites, NULL, bytes, HAPLOTYPES, SITES, 1, &new_panel);
    haploom_panel_free(new_panel);
    return status;
}
static haploom_status from_bytes_sites(void) {
    haploom_status status = haploom_panel_from_bytes(sites, NULL, bytes, HAPLOTYPES, 1, HAPLOTYPES, &new_panel);
    haploom_panel_free(new_panel);
    return status;
}
static haploom_status to_bytes(void) {
    return haploom_panel_to_bytes(panel, 0, HAPLOTYPES, 0, SITES, bytes, (size_t)HAPLOTYPES * SITES, 1, HAPLOTYPES);
}
static haploom_status to_bits(void) {
    return haploom_panel_to_bits(panel, 0, HAPLOTYPES, 0, SITES, bytes, (size_t)HAPLOTYPES * SITES, HAPLOTYPES / 8, HAPLOOM_SITE_MAJOR);
}
static haploom_status select_part(void) {
    haploom_options *how = options("region=1:1000-");
    haploom_status status = haploom_panel_select(panel, how, &new_panel);
    haploom_panel_free(new_panel);
    haploom_options_free(how);
    return status;
}
static haploom_status write_vcf(void) { return haploom_panel_write(panel, "new.vcf.gz", NULL); }
static haploom_status write_bcf(void) { return haploom_panel_write(panel, "new.bcf", NULL); }
static haploom_status write_hap(void) { return haploom_panel_write(panel, "new.hap", NULL); }
static haploom_status trains(const char *kind, const char *assignments) {
    haploom_options *how = options(assignments);
    haploom_status status = haploom_train(panel, kind, how, &new_model);
    haploom_model_free(new_model);
    haploom_options_free(how);
    return status;
}
#define SMALL "updates=3,hidden=40,batch=100,chains=100"
static haploom_status train_rbm(void) { return trains("rbm", SMALL); }
static haploom_status train_rbm_checkpoint(void) { return trains("rbm", SMALL ",checkpoint=kept,ladder=true,held_out=0.1"); }
static haploom_status train_rbm_threads(void) { return trains("rbm", SMALL ",threads=2"); }
static haploom_status train_markov(void) { return trains("markov", ""); }
static haploom_status train_bernoulli(void) { return trains("bernoulli", ""); }
static haploom_status model_open(void) {
    haploom_status status = haploom_model_open("rbm.haploom", &new_model);
    haploom_model_free(new_model);
    return status;
}
static haploom_status model_open_markov(void) {
    haploom_status status = haploom_model_open("markov.haploom", &new_model);
    haploom_model_free(new_model);
    return status;
}
static haploom_status model_save(void) { return haploom_model_save(rbm, "new.haploom"); }
static haploom_status streams(const haploom_model *model, const char *assignments) {
    haploom_options *how = options(assignments);
    haploom_sampler *stream;
    size_t n;
    haploom_status status = haploom_sampler_new(model, NULL, how, &stream);
    if (status == HAPLOOM_OK) status = haploom_sampler_next(stream, bytes, (size_t)HAPLOTYPES * SITES, &n);
    haploom_sampler_free(stream);
    haploom_options_free(how);
    return status;
}
static haploom_status stream_rbm(void) { return streams(rbm, ""); }
static haploom_status stream_rbm_sites(void) { return streams(rbm, "layout=sites,packing=bits,haplotypes=3000,threads=2"); }
static haploom_status stream_markov(void) { return streams(markov, "layout=sites,region=1:1000-"); }
static haploom_status sampler_panel(void) {
    haploom_sampler *stream = sampler(rbm, "");
    haploom_status status = haploom_sampler_panel(stream, HAPLOTYPES, NULL, &new_panel);
    haploom_panel_free(new_panel);
    haploom_sampler_free(stream);
    return status;
}
static haploom_status sampler_write(void) {
    haploom_sampler *stream = sampler(rbm, "");
    haploom_status status = haploom_sampler_write(stream, HAPLOTYPES, "new.bcf", NULL);
    haploom_sampler_free(stream);
    return status;
}
static haploom_status augment(void) {
    haploom_sampler *stream = sampler(rbm, "");
    haploom_status status = haploom_augment(stream, HAPLOTYPES, "panel.bcf", "new.bcf", NULL);
    haploom_sampler_free(stream);
    return status;
}
static haploom_status encode(void) {
    haploom_encoding *encoding;
    haploom_status status = haploom_encode(rbm, panel, NULL, &encoding);
    haploom_encoding_free(encoding);
    return status;
}
static haploom_status evaluate(void) {
    haploom_options *how = options("aats_draws=1,aats_most=500,transport_most=200,linkage_most=300,triplets=100");
    haploom_evaluation *evaluation;
    haploom_status status = haploom_evaluate(panel, artificial, NULL, how, &evaluation);
    haploom_evaluation_free(evaluation);
    haploom_options_free(how);
    return status;
}
static haploom_status conditionals(void) {
    static float *probabilities;
    if (!probabilities) probabilities = __libc_malloc(sizeof(float) * HAPLOTYPES * SITES);
    return haploom_model_conditionals(rbm, panel, NULL, probabilities, (size_t)HAPLOTYPES * SITES);
}
static haploom_status frequencies(void) {
    static double numbers[SITES];
    return haploom_panel_frequencies(panel, numbers, SITES);
}

static const struct {
    const char *name;
    haploom_status (*work)(void);
} calls[] = {
#define CALL(name) {#name, name}
    CALL(open_vcf), CALL(open_bcf), CALL(open_hap), CALL(open_hapt), CALL(from_bits_rows), CALL(from_bits_sites),
    CALL(from_bytes_rows), CALL(from_bytes_sites), CALL(to_bytes), CALL(to_bits), CALL(select_part), CALL(write_vcf),
    CALL(write_bcf), CALL(write_hap), CALL(train_rbm), CALL(train_rbm_checkpoint), CALL(train_rbm_threads), CALL(train_markov),
    CALL(train_bernoulli), CALL(model_open), CALL(model_open_markov), CALL(model_save), CALL(stream_rbm), CALL(stream_rbm_sites),
    CALL(stream_markov), CALL(sampler_panel), CALL(sampler_write), CALL(augment), CALL(encode), CALL(evaluate),
    CALL(conditionals), CALL(frequencies),
};

static void prepare(void) {
    static const char *contigs[SITES], *references[SITES], *alternates[SITES];
    static uint64_t positions[SITES];
    uint64_t state = 1;
    for (int i = 0; i < SITES; ++i) contigs[i] = "1", references[i] = "A", alternates[i] = "C", positions[i] = 10 + 3 * (uint64_t)i;
    OK(haploom_sites_new(SITES, contigs, positions, NULL, references, alternates, &sites));
    bits = malloc(HAPLOTYPES * SITES / 8);
    bytes = calloc(HAPLOTYPES, SITES);
    CHECK(bits && bytes);
    for (size_t i = 0; i < HAPLOTYPES * SITES / 8; ++i) bits[i] = (uint8_t)(next_random(&state) & next_random(&state));
    OK(haploom_panel_from_bits(sites, NULL, bits, HAPLOTYPES, SITES / 8, HAPLOOM_HAPLOTYPE_MAJOR, &panel));
    rbm = trained(panel, "rbm", SMALL);
    markov = trained(panel, "markov", "window=5");
    haploom_sampler *stream = sampler(markov, "");
    OK(haploom_sampler_panel(stream, 1000, NULL, &artificial));
    haploom_sampler_free(stream);
    OK(haploom_panel_write(panel, "panel.vcf.gz", NULL));
    OK(haploom_panel_write(panel, "panel.bcf", NULL));
    OK(haploom_panel_write(panel, "panel.hap.gz", NULL));
    OK(haploom_panel_write(panel, "panel.hapt.gz", NULL));
    OK(haploom_model_save(rbm, "rbm.haploom"));
    OK(haploom_model_save(markov, "markov.haploom"));
}

/* What became of a process that does the call while allocation `number` fails: a status or, positive, a signal. */
static int with_failure(haploom_status (*work)(void), int number, bool all) {
    int answer[2];
    CHECK(pipe(answer) == 0);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (!told && !freopen("/dev/null", "w", stderr)) _exit(3);
        refused = number;
        from_there_on = all;
        haploom_status status = work();
        refused = 0;
        if (told) fprintf(stderr, "%s\n", last_error());
        _exit(write(answer[1], &status, sizeof status) != sizeof status);
    }
    int status, how;
    close(answer[1]);
    CHECK(waitpid(child, &how, 0) == child);
    if (read(answer[0], &status, sizeof status) != sizeof status) status = WIFSIGNALED(how) ? WTERMSIG(how) : 1000;
    close(answer[0]);
    return status;
}

int main(int argc, char **argv) {
    int dead = 0;
    void *frames[2];
    CHECK(argc >= 3 && chdir(argv[1]) == 0);
    prepare();
    backtrace(frames, 2);
    large = (size_t)strtoul(argv[2], NULL, 10);
    told = argc > 4;
    for (size_t c = 0; c < sizeof calls / sizeof *calls; ++c) {
        if (argc > 3 && strcmp(argv[3], calls[c].name) != 0) continue;
        found = 0;
        refused = 0;
        OK(calls[c].work());
        int n = found;
        printf("%-22s %3d large:", calls[c].name, n);
        for (int number = 1; number <= n; ++number) {
            if (argc > 4 && number != atoi(argv[4])) continue;
            int status = with_failure(calls[c].work, number, false);
            if (status == HAPLOOM_OK || status == HAPLOOM_OUT_OF_MEMORY) continue;
            if (status > 0) printf(" %d:signal_%d", number, status);
            else printf(" %d:%s", number, haploom_status_name(status));
            ++dead;
        }
        printf("\n");
    }
    return dead != 0;
}
