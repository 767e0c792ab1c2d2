/* Memory runs out. Every large allocation of a call fails in turn, alone and with all after it; then calls are made under
 * limits of the process's memory from tight to loose. Each time the call says OUT_OF_MEMORY or does without, and the library
 * goes on. Each failure has a process of its own, so that an abort is told and the rest is tried.
 *
 * memory               the calls that are promised to hold (ABI.md)
 * memory CALL          one call, also of those that are not: what becomes of each of its allocations
 * memory CALL NUMBER   the same for one allocation, with the stack that asked for it */
#include "check.h"
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
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

/* A panel of 640 kB of bits, and what is made of it. */
#ifndef SHAPE
#define SHAPE HAPLOTYPES = 1600, SITES = 3200
#endif
enum { SHAPE };
/* A tenth of the panel's bits: what grows with both of its sides is larger. */
enum { LARGE = HAPLOTYPES / 8 * SITES / 10 };
static haploom_panel *panel, *artificial;
static haploom_model *rbm, *markov;
static haploom_sites *sites;
static uint8_t *bits, *bytes, *copied; /* in, in, out */

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
    return haploom_panel_to_bytes(panel, 0, HAPLOTYPES, 0, SITES, copied, (size_t)HAPLOTYPES * SITES, 1, HAPLOTYPES);
}
static haploom_status to_bits(void) {
    return haploom_panel_to_bits(panel, 0, HAPLOTYPES, 0, SITES, copied, (size_t)HAPLOTYPES * SITES, HAPLOTYPES / 8,
                                 HAPLOOM_SITE_MAJOR);
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
    bool holds;
} calls[] = {
#define HOLDS(name) {#name, name, true}
#define MAY_ABORT(name) {#name, name, false}
    HOLDS(from_bits_rows), HOLDS(from_bits_sites), HOLDS(from_bytes_rows), HOLDS(from_bytes_sites), HOLDS(to_bytes), HOLDS(to_bits), HOLDS(frequencies),
    HOLDS(train_bernoulli), MAY_ABORT(open_vcf), MAY_ABORT(open_bcf), MAY_ABORT(open_hap),
    MAY_ABORT(open_hapt), MAY_ABORT(select_part), MAY_ABORT(write_vcf), MAY_ABORT(write_bcf), MAY_ABORT(write_hap),
    MAY_ABORT(train_rbm), MAY_ABORT(train_rbm_checkpoint), MAY_ABORT(train_rbm_threads), MAY_ABORT(train_markov),
    MAY_ABORT(model_open), MAY_ABORT(model_open_markov), MAY_ABORT(model_save), MAY_ABORT(stream_rbm),
    MAY_ABORT(stream_rbm_sites), MAY_ABORT(stream_markov), MAY_ABORT(sampler_panel), MAY_ABORT(sampler_write),
    MAY_ABORT(augment), MAY_ABORT(encode), MAY_ABORT(evaluate), MAY_ABORT(conditionals),
};

static void prepare(void) {
    static const char *contigs[SITES], *references[SITES], *alternates[SITES];
    static uint64_t positions[SITES];
    uint64_t state = 1;
    for (int i = 0; i < SITES; ++i) {
        contigs[i] = "1", references[i] = "A", alternates[i] = "C";
        positions[i] = 10 + 3 * (uint64_t)i;
    }
    OK(haploom_sites_new(SITES, contigs, positions, NULL, references, alternates, &sites));
    bits = malloc(HAPLOTYPES * SITES / 8);
    bytes = calloc(HAPLOTYPES, SITES);
    copied = calloc(HAPLOTYPES, SITES);
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

/* What became of a process that does the call, with allocation `number` failing (0: none) and `limit` more bytes than it has
 * (0: no limit): a status or, positive, a signal. */
static int outcome(haploom_status (*work)(void), int number, bool all, size_t limit) {
    int answer[2], status, how;
    CHECK(pipe(answer) == 0);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (!told && !freopen("/dev/null", "w", stderr)) _exit(3);
        if (limit) {
            long pages = 0;
            malloc_trim(0);
            FILE *statm = fopen("/proc/self/statm", "r");
            if (!statm || fscanf(statm, "%ld", &pages) != 1) _exit(3);
            fclose(statm);
            rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + limit;
            setrlimit(RLIMIT_AS, &(struct rlimit){most, RLIM_INFINITY});
        }
        refused = number;
        from_there_on = all;
        status = work();
        if (told) fprintf(stderr, "%s\n", last_error());
        /* With memory again, the same call goes well. */
        refused = 0;
        setrlimit(RLIMIT_AS, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
        if (status != HAPLOOM_OK && work() != HAPLOOM_OK) _exit(4);
        _exit(write(answer[1], &status, sizeof status) != sizeof status);
    }
    close(answer[1]);
    CHECK(waitpid(child, &how, 0) == child);
    if (read(answer[0], &status, sizeof status) != sizeof status)
        status = WIFSIGNALED(how) ? WTERMSIG(how) : 1000 + WEXITSTATUS(how);
    close(answer[0]);
    return status;
}

static int wrong, refusals;
static void tell(const char *what, long number, int status) {
    refusals += status == HAPLOOM_OUT_OF_MEMORY;
    if (status == HAPLOOM_OK || status == HAPLOOM_OUT_OF_MEMORY) return;
    ++wrong;
    if (status > 0) printf(" %s %ld: ended by %s;", what, number, status < 1000 ? strsignal(status) : "a second failure");
    else printf(" %s %ld: %s;", what, number, haploom_status_name(status));
}

int main(int argc, char **argv) {
    void *frames[2];
    /* glibc would raise it, and serve large allocations from what was freed. */
    mallopt(M_MMAP_THRESHOLD, 1 << 17);
    prepare();
    backtrace(frames, 2);
    large = LARGE;
    told = argc > 2;
    for (size_t c = 0; c < sizeof calls / sizeof *calls; ++c) {
        if (argc > 1 ? strcmp(argv[1], calls[c].name) != 0 : !calls[c].holds) continue;
        found = refused = 0;
        OK(calls[c].work());
        int n = found;
        printf("%s: %d places,", calls[c].name, n);
        for (int number = 1; number <= n; ++number) {
            if (told && number != atoi(argv[2])) continue;
            tell("allocation", number, outcome(calls[c].work, number, false, 0));
            if (!told) tell("from allocation", number, outcome(calls[c].work, number, true, 0));
        }
        for (size_t limit = 1 << 16; limit <= 1 << 26 && !told; limit *= 2)
            tell("with KiB", (long)limit >> 10, outcome(calls[c].work, 0, false, limit));
        printf(" %d refusals\n", refusals);
        refusals = 0;
    }
    return wrong != 0;
}
