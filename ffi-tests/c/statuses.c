/* Every status is had at least once by a call with real inputs, and its text holds the names that it should.
 * The list of statuses (statuses.inc) is taken from the header, so a new one without a case here fails.
 * statuses PANEL CUT_BCF CUT_VCF_GZ RENAMED SWAPPED ELSEWHERE: the demo panel, two cut copies, and copies with another
 * contig, with reference and alternate exchanged, and with other positions. */
#include "check.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    haploom_status status;
    const char *name;
    int seen;
} statuses[] = {
#define STATUS(name) {HAPLOOM_##name, #name, 0},
#include "statuses.inc"
#undef STATUS
};

/* Texts that differ are told and counted, so that one run shows them all. */
static int wrong;

/* The call has just answered with `status`. All texts are one line of UTF-8 without control characters. */
static void expect(int line, const char *call, haploom_status wanted, haploom_status status, const char *const *words) {
    const char *text = last_error(), *lacks = NULL;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; ++i) statuses[i].seen += statuses[i].status == status;
    if (wanted == HAPLOOM_OK && status == HAPLOOM_OK) return;
    for (; *words && !lacks; ++words) lacks = strstr(text, *words) ? NULL : *words;
    for (const char *c = text; *c && !lacks; ++c) lacks = (unsigned char)*c >= ' ' ? NULL : "a printable character";
    printf("%-20s %s\n", haploom_status_name(status), text);
    if (status == wanted && haploom_last_status() == status && haploom_last_error(NULL, 0) == strlen(text) && *text && !lacks)
        return;
    fprintf(stderr, "statuses.c:%d: %s\n    answered with %s, not %s; the text lacks %s: %s\n", line, call,
            haploom_status_name(status), haploom_status_name(wanted), lacks ? lacks : "nothing", text);
    ++wrong;
}
#define EXPECT(wanted, call, ...) expect(__LINE__, #call, HAPLOOM_##wanted, (call), (const char *const[]){__VA_ARGS__, NULL})

/* Opening a panel fails, and leaves no handle. */
static void open_fails(int line, haploom_status wanted, const char *path, const char *assignments, const char *const *words) {
    haploom_options *how = options(assignments);
    haploom_panel *panel = (haploom_panel *)&how;
    expect(line, path, wanted, haploom_panel_open(path, how, &panel), words);
    CHECK(panel == NULL, "line %d: %s", line, path);
    haploom_options_free(how);
}
#define OPEN_WITH(wanted, path, assignments, ...) \
    open_fails(__LINE__, HAPLOOM_##wanted, path, assignments, (const char *const[]){__VA_ARGS__, NULL})
#define OPEN(wanted, path, assignments, ...) OPEN_WITH(wanted, path, assignments, path, __VA_ARGS__)

#define HEAD "##fileformat=VCFv4.2\n##contig=<ID=7>\n##contig=<ID=8>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=\"x\">\n" \
             "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tann\tbea\n"
#define RECORD(contig, position, alternates, ann, bea) contig "\t" position "\t.\tA\t" alternates "\t.\t.\t.\tGT\t" ann "\t" bea "\n"
#define FIRST RECORD("7", "5", "C", "0|1", "1|1")
/* A small VCF file that cannot be opened. */
#define VCF(wanted, assignments, text, ...)                                 \
    do {                                                                    \
        store("small.vcf", text, strlen(text));                             \
        OPEN(wanted, "small.vcf", assignments, __VA_ARGS__);                \
    } while (0)

static int32_t stop(void *user, const haploom_event *event) {
    (void)user;
    (void)event;
    return 1;
}

static void panels(const char *whole, const char *cut_bcf, const char *cut_vcf_gz) {
    OPEN(IO, "nowhere/at/all.bcf", "", "No such file");
    OPEN(IO, ".", "", "folder");
    VCF(UNKNOWN_FORMAT, "", "Dear reader,\nthis is no panel.\n", "VCF");
    OPEN(TRUNCATED, cut_bcf, "", "ends");
    OPEN(TRUNCATED, cut_vcf_gz, "threads=2", "ends");
    VCF(TRUNCATED, "", HEAD FIRST "7\t9\t.\tA\tC", "record 7", "ends within a record");
    VCF(MALFORMED, "", HEAD FIRST RECORD("7", "9", "C", "0|x", "0|1"), "record 7", "7:9", "sample ann", "0|x");
    VCF(MALFORMED, "", HEAD FIRST RECORD("7", "ten", "C", "0|0", "0|1"), "record 7", "ten");
    VCF(UNPHASED, "", HEAD FIRST RECORD("7", "9", "C", "0|0", "0/1"), "record 7", "7:9", "sample bea", "0/1");
    VCF(MISSING, "", HEAD FIRST RECORD("7", "9", "C", ".|.", "0|1"), "record 7", "7:9", "sample ann");
    VCF(MULTIALLELIC, "multiallelic=refuse", HEAD FIRST RECORD("7", "9", "C,G", "0|0", "0|1"), "record 7", "7:9", "split");
    VCF(UNSORTED, "", HEAD FIRST RECORD("7", "4", "C", "0|0", "0|1"), "record 7", "7:4", "bcftools sort");
    VCF(UNSORTED, "", HEAD FIRST RECORD("8", "4", "C", "0|0", "0|1") FIRST, "record 8", "7:5");
    VCF(PLOIDY, "", HEAD FIRST RECORD("7", "9", "C", "0", "0|1"), "record 7", "7:9", "sample ann");
    VCF(PLOIDY, "", HEAD FIRST RECORD("7", "9", "C", "0|1|1", "0|1"), "record 7", "7:9", "sample ann");
    VCF(DUPLICATE, "", HEAD FIRST FIRST, "record 7", "7:5");
    VCF(EMPTY, "", HEAD, "no");
    VCF(REGION, "region=chr7", HEAD FIRST, "chr7", "the file names it 7");
    OPEN(EMPTY, whole, "region=1:3-4", "1:3-4");
    OPEN(REGION, whole, "region=2", "contig 2", "the file has 1");
    OPEN(UNKNOWN_NAME, whole, "samples=nobody", "nobody");
    store("labels.tsv", "sample\tpop\nAFR000\tAFR\n", 23);
    OPEN_WITH(UNKNOWN_NAME, whole, "labels=labels.tsv:height", "height", "sample, pop");
    store("labels.tsv", "sample\tpop\nAFR000\tAFR\nAFR000\tEUR\n", 34);
    OPEN_WITH(DUPLICATE, whole, "labels=labels.tsv", "labels.tsv", "record 3", "AFR000");

    haploom_panel *panel = NULL;
    haploom_options *how = options("region=9-");
    EXPECT(REGION, haploom_panel_open(whole, how, &panel), "no");
    haploom_options_free(how);
    how = options("region=7:9-3");
    EXPECT(REGION, haploom_panel_open(whole, how, &panel), "7:9-3");
    haploom_options_free(how);
    EXPECT(INVALID_ARGUMENT, haploom_panel_open(NULL, NULL, &panel), "path is NULL");
    EXPECT(INVALID_ARGUMENT, haploom_panel_demo(3, &panel), "part is 3");

    haploom_panel *whole_panel = opened(whole);
    EXPECT(OK, haploom_panel_demo(HAPLOOM_DEMO_ALL, &panel), "");
    EXPECT(IO, haploom_panel_write(panel, "nowhere/at/all.bcf", NULL), "nowhere/at/all.bcf");
    EXPECT(UNKNOWN_FORMAT, haploom_panel_write(panel, "panel.doc", NULL), "panel.doc", ".bcf");
    how = options("");
    EXPECT(INVALID_OPTION, haploom_options_set_text(how, "format=doc"), "doc", "vcf.gz, bcf");
    haploom_options_free(how);
    haploom_panel *part = (haploom_panel *)&how;
    how = options("region=1:3-4");
    EXPECT(EMPTY, haploom_panel_select(panel, how, &part), "1:3-4");
    CHECK(part == NULL);
    haploom_options_free(how);
    haploom_panel_free(whole_panel);
    haploom_panel_free(panel);

    /* What a panel with holes cannot be used for. */
    how = options("missing=keep,unphased=keep");
    store("small.vcf", HEAD RECORD("7", "5", "C", "0|.", "0|1"), strlen(HEAD RECORD("7", "5", "C", "0|.", "0|1")));
    OK(haploom_panel_open("small.vcf", how, &panel));
    uint8_t bits[4];
    haploom_model *model = (haploom_model *)&how;
    EXPECT(MISSING, haploom_panel_to_bits(panel, 0, 4, 0, 1, bits, sizeof bits, 1, HAPLOOM_HAPLOTYPE_MAJOR), "missing");
    EXPECT(MISSING, haploom_train(panel, "bernoulli", NULL, &model), "7:5", "ann");
    CHECK(model == NULL);
    haploom_panel_free(panel);
    store("small.vcf", HEAD RECORD("7", "5", "C", "0|0", "0/1"), strlen(HEAD RECORD("7", "5", "C", "0|0", "0/1")));
    OK(haploom_panel_open("small.vcf", how, &panel));
    EXPECT(UNPHASED, haploom_train(panel, "bernoulli", NULL, &model), "7:5", "bea");
    haploom_panel_free(panel);
    haploom_options_free(how);
}

static void arrays(void) {
    const char *contigs[] = {"7", "7", "7"}, *references[] = {"A", "A", "A"}, *alternates[] = {"C", "C", "C"};
    haploom_sites *sites = NULL;
    EXPECT(UNSORTED, haploom_sites_new(3, contigs, (uint64_t[]){5, 9, 8}, NULL, references, alternates, &sites), "7:8");
    EXPECT(DUPLICATE, haploom_sites_new(3, contigs, (uint64_t[]){5, 9, 9}, NULL, references, alternates, &sites), "7:9");
    EXPECT(EMPTY, haploom_sites_new(0, NULL, NULL, NULL, NULL, NULL, &sites), "no sites");
    EXPECT(INVALID_ARGUMENT, haploom_sites_new(3, contigs, (uint64_t[]){5, 0, 9}, NULL, references, alternates, &sites), "0");
    EXPECT(INVALID_ARGUMENT, haploom_sites_new(3, contigs, (uint64_t[]){5, 7, 9}, NULL, references, references, &sites), "7:5", "equal");
    CHECK(sites == NULL);
    OK(haploom_sites_new(3, contigs, (uint64_t[]){5, 7, 9}, NULL, references, alternates, &sites));

    const char *names[] = {"ann", "bea"}, *twice[] = {"ann", "ann"};
    haploom_samples *samples = NULL;
    EXPECT(DUPLICATE, haploom_samples_new(2, twice, NULL, NULL, &samples), "ann");
    EXPECT(PLOIDY, haploom_samples_new(2, names, (uint8_t[]){2, 3}, NULL, &samples), "bea", "3");
    EXPECT(EMPTY, haploom_samples_new(0, NULL, NULL, NULL, &samples), "no samples");
    OK(haploom_samples_new(2, names, NULL, NULL, &samples));

    uint8_t alleles[24] = {0, 1, 0, 0, 1, 7};
    haploom_panel *panel = NULL;
    EXPECT(INVALID_ARGUMENT, haploom_panel_from_bytes(sites, samples, alleles, 4, 3, 1, &panel), "haplotype 1 at site 2", "7");
    EXPECT(INVALID_ARGUMENT, haploom_panel_from_bytes(sites, samples, alleles + 6, 2, 3, 1, &panel), "4", "2");
    EXPECT(INVALID_ARGUMENT, haploom_panel_from_bits(sites, samples, alleles, 4, 0, HAPLOOM_HAPLOTYPE_MAJOR, &panel), "stride");
    EXPECT(INVALID_ARGUMENT, haploom_panel_from_bits(sites, samples, alleles, 4, 1, 2, &panel), "layout");
    EXPECT(EMPTY, haploom_panel_from_bytes(sites, samples, alleles, 0, 3, 1, &panel), "no haplotypes");

    /* Sizes of more memory than a process can have. */
    haploom_sites *sites_of_three = sites;
    haploom_samples_free(samples);
    EXPECT(OUT_OF_MEMORY, haploom_sites_new((size_t)1 << 55, contigs, (uint64_t[]){5}, NULL, references, alternates, &sites),
           "memory");
    CHECK(sites == NULL);
    EXPECT(OUT_OF_MEMORY, haploom_samples_new((size_t)1 << 55, names, NULL, NULL, &samples), "memory");
    CHECK(samples == NULL);
    for (int shift = 46; shift <= 60; shift += 7) {
        EXPECT(OUT_OF_MEMORY, haploom_panel_from_bytes(sites_of_three, NULL, alleles, (size_t)1 << shift, 0, 1, &panel), "memory");
        EXPECT(OUT_OF_MEMORY, haploom_panel_from_bits(sites_of_three, NULL, alleles, (size_t)1 << shift, 1, HAPLOOM_HAPLOTYPE_MAJOR,
                                                      &panel), "memory");
        EXPECT(OUT_OF_MEMORY, haploom_panel_from_bits(sites_of_three, NULL, alleles, (size_t)1 << shift, (size_t)1 << shift,
                                                      HAPLOOM_SITE_MAJOR, &panel), "memory");
    }
    CHECK(panel == NULL);
    haploom_sites_free(sites_of_three);
}

static void option_keys(void) {
    haploom_options *how = options("");
    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN);
    haploom_model *model = NULL;
    double least;
    EXPECT(UNKNOWN_OPTION, haploom_options_set_int(how, "epoch", 3), "epoch", "epochs");
    EXPECT(INVALID_OPTION, haploom_options_set_int(how, "hidden", -1), "hidden", "-1", "0 to 65536");
    EXPECT(INVALID_OPTION, haploom_options_set_double(how, "hidden", 0.5), "hidden", "whole number");
    EXPECT(INVALID_OPTION, haploom_options_set_string(how, "method", "guess"), "method", "guess", "renewed, pcd, rdm");
    EXPECT(INVALID_OPTION, haploom_options_set_text(how, "epochs"), "epochs", "key=value");
    EXPECT(INVALID_OPTION, haploom_option_range("method", &least, NULL), "method");
    EXPECT(INVALID_ARGUMENT, haploom_option_describe(haploom_option_count(), NULL, NULL, NULL, NULL, NULL, NULL), "options");
    OK(haploom_options_set_text(how, "window=5"));
    EXPECT(UNKNOWN_OPTION, haploom_train(panel, "rbm", how, &model), "window", "Markov");
    haploom_options_free(how);

    how = options("x_panic=true");
    EXPECT(INTERNAL, haploom_train(panel, "bernoulli", how, &model), "panic", "report");
    CHECK(model == NULL);
    haploom_options_free(how);
    haploom_panel_free(panel);
}

/* Training on a GPU that is played by the library in LD_LIBRARY_PATH, which reads its environment once: hence a process of
 * its own. Without a variable it works, and gives the model that the processor gives. */
static void on_device(int line, haploom_status wanted, const char *variable, const char *value, const char *assignments,
                      const char *const *words) {
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (variable) setenv(variable, value, 1);
        haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN);
        haploom_options *how = options(assignments);
        haploom_model *model = NULL;
        expect(line, assignments, wanted, haploom_train(panel, "rbm", how, &model), words);
        fflush(stdout);
        _exit(wrong);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        ++wrong;
        return;
    }
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; ++i) statuses[i].seen += statuses[i].status == wanted;
}
#define ON_DEVICE(wanted, variable, value, assignments, ...) \
    on_device(__LINE__, HAPLOOM_##wanted, variable, value, assignments, (const char *const[]){__VA_ARGS__, NULL})

static void devices(void) {
    const char *tiny = "hidden=8,updates=1,chains=16,batch=16,clusters=1,device=cuda";
    ON_DEVICE(OK, NULL, NULL, tiny, "");
    ON_DEVICE(NO_DRIVER, "HAPLOOM_EMULATED_DRIVER_VERSION", "12020", tiny, "12.2", "12.4", "device=cpu");
    ON_DEVICE(NO_DEVICE, "HAPLOOM_EMULATED_DEVICES", "0", tiny, "no GPU", "info --devices");
    ON_DEVICE(NO_DEVICE, "HAPLOOM_EMULATED_CAPABILITY", "7.5", tiny, "7.5", "8.0");
    ON_DEVICE(NO_DEVICE, NULL, NULL, "updates=1,device=cuda:7", "no cuda:7", "1 GPU");
    ON_DEVICE(OUT_OF_DEVICE_MEMORY, "HAPLOOM_EMULATED_MEMORY", "1", "hidden=800,updates=1,device=cuda", "no memory left", "chains");
    ON_DEVICE(DEVICE_FAILED, "HAPLOOM_EMULATED_FAILURE", "1", tiny, "device=cpu");
    ON_DEVICE(INVALID_OPTION, NULL, NULL, "device=gpu", "no device gpu", "cuda:NUMBER");
}

static void training(void) {
    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN), *other = demo(HAPLOOM_DEMO_HELD_OUT);
    haploom_model *model = (haploom_model *)&panel;
    EXPECT(INVALID_ARGUMENT, haploom_train(panel, "perceptron", NULL, &model), "perceptron", "rbm, bernoulli, markov");
    CHECK(model == NULL);
    haploom_options *how = options("learning_rate=10,epochs=20,hidden=40");
    EXPECT(DIVERGED, haploom_train(panel, "rbm", how, &model), "reached");
    haploom_options_free(how);

    how = options("epochs=2,hidden=20,checkpoint=kept");
    OK(haploom_options_set_progress(how, stop, NULL));
    EXPECT(CANCELLED, haploom_train(panel, "rbm", how, &model), "kept");
    OK(haploom_options_set_progress(how, NULL, NULL));
    OK(haploom_options_set_text(how, "resume=true"));
    EXPECT(CHECKPOINT_MISMATCH, haploom_train(other, "rbm", how, &model), "kept/checkpoint.safetensors", "another run", "panel");
    OK(haploom_options_set_text(how, "hidden=21"));
    EXPECT(CHECKPOINT_MISMATCH, haploom_train(panel, "rbm", how, &model), "hidden=20", "hidden=21");
    OK(haploom_options_set_text(how, "checkpoint=nothing_there"));
    EXPECT(IO, haploom_train(panel, "rbm", how, &model), "nothing_there/checkpoint.safetensors");
    haploom_options_free(how);
    CHECK(model == NULL);
    haploom_panel_free(panel);
    haploom_panel_free(other);
}

/* The bytes with `from` replaced by `to`, of the same length: as a file and from memory the same refusal. */
static void model_fails(int line, haploom_status wanted, const char *bytes, size_t size, const char *from, const char *to,
                        const char *const *words) {
    char *edited = malloc(size);
    haploom_model *model = (haploom_model *)&edited;
    CHECK(edited);
    memcpy(edited, bytes, size);
    char *place = memmem(edited, size, from, strlen(from));
    CHECK(place && strlen(from) == strlen(to), "line %d: %s is not in the file", line, from);
    memcpy(place, to, strlen(to));
    store("edited.haploom", edited, size);
    expect(line, from, wanted, haploom_model_open("edited.haploom", &model), words);
    CHECK(strstr(last_error(), "edited.haploom"), "line %d", line);
    expect(line, from, wanted, haploom_model_from_bytes((uint8_t *)edited, size, &model), words);
    CHECK(model == NULL);
    free(edited);
}
#define EDITED(wanted, from, to, ...) \
    model_fails(__LINE__, HAPLOOM_##wanted, bytes, size, from, to, (const char *const[]){__VA_ARGS__, NULL})

static void model_files(const char *panel_file) {
    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN);
    haploom_model *model = trained(panel, "markov", "window=3"), *none = NULL;
    OK(haploom_model_save(model, "good.haploom"));
    size_t size;
    char *bytes = contents("good.haploom", &size);
    /* The description is JSON inside the header's JSON. */
    EDITED(MODEL_TOO_OLD, "\\\"version\\\":[1,", "\\\"version\\\":[0,", "[0,0]", "reads 1", "train again");
    EDITED(MODEL_TOO_NEW, "\\\"version\\\":[1,", "\\\"version\\\":[9,", "[9,0]", "reads 1", "newer");
    EDITED(MODEL_CORRUPT, "\\\"version\\\":[1,0]", "\\\"version\\\":\\\"1\\\"", "version");
    EDITED(MODEL_CORRUPT, "w0.sites", "w0.sight", "w0.sites");
    EDITED(MODEL_CORRUPT, "\\\"kind\\\":\\\"markov", "\\\"kind\\\":\\\"markow", "markow");
    EDITED(NOT_A_MODEL, "\"haploom\":\"", "\"hapLoom\":\"", "not a file that haploom wrote");
    EDITED(NOT_A_MODEL, "haploom-model", "haploom-medal", "haploom-medal");
    store("cut.haploom", bytes, size - 1000);
    EXPECT(MODEL_CORRUPT, haploom_model_open("cut.haploom", &none), "cut.haploom", "damaged");
    EXPECT(NOT_A_MODEL, haploom_model_from_bytes((uint8_t *)bytes, 5, &none), "haploom train");
    EXPECT(NOT_A_MODEL, haploom_model_open(panel_file, &none), panel_file);
    EXPECT(NOT_A_MODEL, haploom_model_open("kept/checkpoint.safetensors", &none), "haploom-checkpoint");
    EXPECT(IO, haploom_model_open("no.haploom", &none), "no.haploom", "No such file");
    EXPECT(IO, haploom_model_save(model, "nowhere/at/all.haploom"), "nowhere/at/all.haploom");
    EXPECT(INVALID_ARGUMENT, haploom_model_to_bytes(model, (uint8_t *)bytes, 7, NULL), "7 bytes");
    EXPECT(INVALID_ARGUMENT, haploom_model_info(model, haploom_model_info_count(model), NULL, NULL), "none is number");
    haploom_encoding *encoding;
    EXPECT(INVALID_ARGUMENT, haploom_encode(model, panel, NULL, &encoding), "hidden units");
    CHECK(none == NULL && encoding == NULL);
    free(bytes);
    haploom_model_free(model);
    haploom_panel_free(panel);
}

/* A model meets panels that it does not fit. */
static void other_panels(const char *whole, const char *renamed, const char *swapped, const char *elsewhere) {
    haploom_panel *panel = opened(whole), *others[] = {opened(renamed), opened(swapped), opened(elsewhere)};
    haploom_model *model = trained(panel, "rbm", "epochs=1,hidden=10");
    haploom_encoding *encoding = (haploom_encoding *)&model;
    haploom_evaluation *evaluation = (haploom_evaluation *)&model;
    haploom_sampler *stream = (haploom_sampler *)&model, *good = sampler(model, "haplotypes=4");
    EXPECT(CONTIG_MISMATCH, haploom_encode(model, others[0], NULL, &encoding), "contig chr1 of the panel is 1 in the model",
           "bcftools annotate");
    EXPECT(ALLELE_MISMATCH, haploom_encode(model, others[1], NULL, &encoding), "exchanged", "1:8570");
    EXPECT(NO_OVERLAP, haploom_encode(model, others[2], NULL, &encoding), "1:8571", "1:8570");
    EXPECT(CONTIG_MISMATCH, haploom_evaluate(panel, others[0], NULL, NULL, &evaluation), "contig 1", "contig chr1");
    EXPECT(ALLELE_MISMATCH, haploom_evaluate(panel, others[1], NULL, NULL, &evaluation), "1:8570", "exchanged");
    EXPECT(NO_OVERLAP, haploom_evaluate(panel, others[2], NULL, NULL, &evaluation), "1:8570", "1:8571");
    EXPECT(CONTIG_MISMATCH, haploom_sampler_new(model, others[0], NULL, &stream), "contig chr1");
    EXPECT(ALLELE_MISMATCH, haploom_sampler_new(model, others[1], NULL, &stream), "exchanged");
    EXPECT(NO_OVERLAP, haploom_sampler_new(model, others[2], NULL, &stream), "1:8571");
    CHECK(encoding == NULL && evaluation == NULL && stream == NULL);
    EXPECT(CONTIG_MISMATCH, haploom_augment(good, 2, renamed, "never.bcf", NULL), renamed, "contig chr1");
    EXPECT(ALLELE_MISMATCH, haploom_augment(good, 2, swapped, "never.bcf", NULL), swapped, "exchanged");
    EXPECT(NO_OVERLAP, haploom_augment(good, 2, elsewhere, "never.bcf", NULL), elsewhere);

    haploom_panel *people = demo(HAPLOOM_DEMO_TRAIN);
    OK(haploom_panel_write(people, "people.vcf", NULL));
    char *text = contents("people.vcf", NULL), *name = strstr(text, "AFR000");
    memcpy(name, "HAPL_0", 6);
    store("people.vcf", text, strlen(text));
    haploom_options *how = options("prefix=HAPL");
    EXPECT(DUPLICATE, haploom_augment(good, 2, "people.vcf", "never.bcf", how), "people.vcf", "HAPL_0", "prefix");
    haploom_options_free(how);
    free(text);
    EXPECT(UNKNOWN_FORMAT, haploom_augment(good, 2, whole, "never.hap", NULL), "never.hap");
    EXPECT(UNKNOWN_FORMAT, haploom_augment(good, 2, "good.haploom", "never.bcf", NULL), "good.haploom");
    EXPECT(IO, haploom_augment(good, 2, "nowhere.bcf", "never.bcf", NULL), "nowhere.bcf");
    EXPECT(IO, haploom_augment(good, 2, whole, "nowhere/at/all.bcf", NULL), "nowhere/at/all.bcf");
    EXPECT(INVALID_ARGUMENT, haploom_augment(good, 3, whole, "never.bcf", NULL), "3");
    EXPECT(IO, haploom_sampler_write(good, 2, "nowhere/at/all.bcf", NULL), "nowhere/at/all.bcf");
    EXPECT(UNKNOWN_FORMAT, haploom_sampler_write(good, 2, "never.doc", NULL), "never.doc");
    struct stat there;
    CHECK(stat("never.bcf", &there) != 0 && stat("never.hap", &there) != 0 && stat("never.doc", &there) != 0);

    /* A stream. */
    uint8_t buffer[10];
    size_t n = 7;
    haploom_panel *made = (haploom_panel *)&model;
    CHECK(haploom_sampler_position(good) == 0, "a failure moved the stream");
    EXPECT(INVALID_ARGUMENT, haploom_sampler_next(good, buffer, sizeof buffer, &n), "10 bytes", "800");
    CHECK(n == 0);
    EXPECT(INVALID_ARGUMENT, haploom_sampler_seek(good, 5), "4", "5");
    EXPECT(INVALID_ARGUMENT, haploom_sampler_panel(good, 3, NULL, &made), "3");
    EXPECT(OUT_OF_MEMORY, haploom_sampler_panel(good, (size_t)1 << 47, NULL, &made), "memory");
    EXPECT(OUT_OF_MEMORY, haploom_sampler_write(good, (size_t)1 << 47, "never.bcf", NULL), "memory");
    CHECK(made == NULL);
    how = options("label=AFR");
    EXPECT(UNKNOWN_NAME, haploom_sampler_new(model, NULL, how, &stream), "AFR");
    haploom_options_free(how);
    how = options("region=1:3-4");
    EXPECT(EMPTY, haploom_sampler_new(model, NULL, how, &stream), "1:3-4");
    haploom_options_free(how);
    how = options("sampler=tempering");
    EXPECT(INVALID_OPTION, haploom_sampler_new(model, NULL, how, &stream), "ladder");
    haploom_options_free(how);
    float probability;
    EXPECT(INVALID_ARGUMENT, haploom_model_conditionals(model, panel, NULL, &probability, 1), "1", "1800", "800");
    EXPECT(INVALID_ARGUMENT, haploom_panel_frequencies(panel, (double[]){0}, 1), "1", "800");
    EXPECT(INVALID_ARGUMENT, haploom_panel_to_bytes(panel, 1799, 2, 0, 1, buffer, sizeof buffer, 1, 1), "1800");
    EXPECT(INVALID_ARGUMENT, haploom_panel_to_bytes(panel, 0, 2, 0, 6, buffer, sizeof buffer, 6, 1), "10", "12");
    EXPECT(INVALID_ARGUMENT, haploom_panel_to_bytes(panel, 0, 2, 0, 5, buffer, sizeof buffer, 4, 1), "two alleles");
    CHECK(haploom_samples_find(haploom_panel_samples(panel), "nobody") == SIZE_MAX);

    /* An evaluation. */
    double value;
    OK(haploom_sampler_panel(good, 4, NULL, &made));
    how = options("aats_draws=1,triplets=10");
    OK(haploom_evaluate(panel, made, NULL, how, &evaluation));
    EXPECT(UNKNOWN_NAME, haploom_evaluation_get(evaluation, "beauty", &value, NULL, NULL, NULL), "beauty", "aa_truth");
    EXPECT(INVALID_ARGUMENT, haploom_evaluation_describe(evaluation, 1000, NULL, NULL, NULL), "1000");
    haploom_evaluation_free(evaluation);
    haploom_options_free(how);
    haploom_panel_free(made);
    haploom_panel_free(people);
    haploom_sampler_free(good);
    haploom_model_free(model);
    for (int i = 0; i < 3; ++i) haploom_panel_free(others[i]);
    haploom_panel_free(panel);
}

static void store_text(const char *path, const char *text) { store(path, text, strlen(text)); }

/* What cannot be imputed, or imputed from. */
static void imputers(const char *whole, const char *renamed, const char *swapped, const char *elsewhere) {
    haploom_panel *panel = opened(whole), *others[] = {opened(renamed), opened(swapped), opened(elsewhere)}, *holes;
    haploom_model *model = trained(panel, "bernoulli", ""), *markov = trained(panel, "markov", "window=3");
    haploom_imputer *imputer = (haploom_imputer *)&panel;
    EXPECT(INVALID_ARGUMENT, haploom_imputer_new(NULL, NULL, NULL, &imputer), "panel and model are NULL");
    CHECK(imputer == NULL);
    EXPECT(INVALID_ARGUMENT, haploom_imputer_new(NULL, markov, NULL, &imputer), "markov", "rbm");
    EXPECT(CONTIG_MISMATCH, haploom_imputer_new(others[0], model, NULL, &imputer), "chr1");
    EXPECT(ALLELE_MISMATCH, haploom_imputer_new(others[1], model, NULL, &imputer), "exchanged", "1:8570");
    EXPECT(NO_OVERLAP, haploom_imputer_new(others[2], model, NULL, &imputer), "1:8571");
    store_text("small.map", "2 . 0 1\n2 . 1 1000000\n");
    haploom_options *how = options("map=small.map");
    EXPECT(CONTIG_MISMATCH, haploom_imputer_new(panel, NULL, how, &imputer), "contig 1", "map");
    EXPECT(INVALID_ARGUMENT, haploom_imputer_new(NULL, model, how, &imputer), "map");
    store_text("small.map", "1 . 1 1000000\n1 . 0 1\n");
    EXPECT(UNSORTED, haploom_imputer_new(panel, NULL, how, &imputer), "small.map");
    store_text("small.map", "1 . 0 1\n1 . far 1000000\n");
    EXPECT(MALFORMED, haploom_imputer_new(panel, NULL, how, &imputer), "small.map", "record 2", "far");
    OK(haploom_options_set_text(how, "map=no.map"));
    EXPECT(IO, haploom_imputer_new(panel, NULL, how, &imputer), "no.map", "No such file");
    haploom_options_free(how);
    how = options("window=3");
    EXPECT(UNKNOWN_OPTION, haploom_imputer_new(panel, NULL, how, &imputer), "window");
    haploom_options_free(how);
    how = options("missing=keep,unphased=keep");
    store_text("small.vcf", HEAD RECORD("7", "5", "C", "0|.", "0|1"));
    OK(haploom_panel_open("small.vcf", how, &holes));
    EXPECT(MISSING, haploom_imputer_new(holes, NULL, NULL, &imputer), "7:5", "ann");
    haploom_panel_free(holes);
    store_text("small.vcf", HEAD RECORD("7", "5", "C", "0|0", "0/1"));
    OK(haploom_panel_open("small.vcf", how, &holes));
    EXPECT(UNPHASED, haploom_imputer_new(holes, NULL, NULL, &imputer), "7:5", "bea");
    haploom_panel_free(holes);
    haploom_options_free(how);
    CHECK(imputer == NULL);

    /* Arrays. */
    static float dosages[2 * 800], left_out[4];
    const int8_t alleles[] = {0, 1, 1, -1}, wrong_ones[] = {0, 1, 2, 0};
    const size_t typed[] = {3, 7}, falling[] = {7, 3}, equal[] = {3, 3}, beyond[] = {3, 800};
    OK(haploom_imputer_new(panel, NULL, NULL, &imputer));
    EXPECT(OK, haploom_imputer_impute(imputer, alleles, 2, 2, typed, 2, dosages, left_out, NULL), "");
    EXPECT(INVALID_ARGUMENT, haploom_imputer_impute(imputer, wrong_ones, 2, 2, typed, 2, dosages, NULL, NULL),
           "allele 2 of haplotype 1 at typed site 0", "-1");
    EXPECT(INVALID_ARGUMENT, haploom_imputer_impute(imputer, alleles, 2, 1, typed, 2, dosages, NULL, NULL), "stride is 1", "2");
    EXPECT(INVALID_ARGUMENT, haploom_imputer_impute(imputer, alleles, 2, 2, falling, 2, dosages, NULL, NULL), "3 follows 7", "rise");
    EXPECT(INVALID_ARGUMENT, haploom_imputer_impute(imputer, alleles, 2, 2, equal, 2, dosages, NULL, NULL), "3 follows 3");
    EXPECT(INVALID_ARGUMENT, haploom_imputer_impute(imputer, alleles, 2, 2, beyond, 2, dosages, NULL, NULL), "800");
    EXPECT(INVALID_ARGUMENT, haploom_imputer_impute(imputer, alleles, (size_t)1 << 60, 1 << 10, typed, 2, dosages, NULL, NULL),
           "address space");

    /* Files. */
    haploom_imputer *of_model;
    OK(haploom_imputer_new(NULL, model, NULL, &of_model));
    EXPECT(INVALID_ARGUMENT, haploom_imputer_paint_file(of_model, whole, "never.tsv", NULL), "panel");
    haploom_imputer_free(of_model);
    for (int i = 0; i < 2; ++i) {
        haploom_status (*work)(const haploom_imputer *, const char *, const char *, const haploom_options *) =
            i ? haploom_imputer_paint_file : haploom_imputer_impute_file;
        EXPECT(CONTIG_MISMATCH, work(imputer, renamed, "never.bcf", NULL), renamed, "contig chr1");
        EXPECT(ALLELE_MISMATCH, work(imputer, swapped, "never.bcf", NULL), swapped, "exchanged");
        EXPECT(NO_OVERLAP, work(imputer, elsewhere, "never.bcf", NULL), elsewhere);
        EXPECT(UNPHASED, work(imputer, "small.vcf", "never.bcf", NULL), "small.vcf", "7:5", "bea");
        EXPECT(IO, work(imputer, "nowhere.bcf", "never.bcf", NULL), "nowhere.bcf");
        EXPECT(IO, work(imputer, whole, "nowhere/at/all.bcf", NULL), "nowhere/at/all.bcf");
        EXPECT(UNKNOWN_FORMAT, work(imputer, "good.haploom", "never.bcf", NULL), "good.haploom");
    }
    EXPECT(UNKNOWN_FORMAT, haploom_imputer_impute_file(imputer, whole, "never.hap", NULL), "never.hap");
    how = options("region=1:3-4");
    EXPECT(EMPTY, haploom_imputer_impute_file(imputer, whole, "never.bcf", how), "region");
    OK(haploom_options_set_text(how, "region=1:9-3"));
    EXPECT(REGION, haploom_imputer_impute_file(imputer, whole, "never.bcf", how), "1:9-3");
    haploom_options_free(how);
    struct stat there;
    CHECK(stat("never.bcf", &there) != 0 && stat("never.hap", &there) != 0 && stat("never.tsv", &there) != 0);
    /* Contigs of other names are the same if one says so. */
    how = options("contigs=match");
    OK(haploom_imputer_impute_file(imputer, renamed, "matched.bcf", how));
    haploom_options_free(how);

    haploom_imputer_free(imputer);
    haploom_model_free(markov);
    haploom_model_free(model);
    for (int i = 0; i < 3; ++i) haploom_panel_free(others[i]);
    haploom_panel_free(panel);
}

int main(int argc, char **argv) {
    int unseen = 0;
    CHECK(argc == 7);
    CHECK(haploom_last_status() == HAPLOOM_OK && haploom_last_error(NULL, 0) == 0);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; ++i)
        CHECK(strcmp(haploom_status_name(statuses[i].status), statuses[i].name) == 0, "%s", statuses[i].name);
    CHECK(strcmp(haploom_status_name(-99), "UNKNOWN") == 0 && strcmp(haploom_status_name(1), "UNKNOWN") == 0);
    panels(argv[1], argv[2], argv[3]);
    arrays();
    option_keys();
    training();
    devices();
    model_files(argv[1]);
    other_panels(argv[1], argv[4], argv[5], argv[6]);
    imputers(argv[1], argv[4], argv[5], argv[6]);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; ++i) {
        if (statuses[i].seen == 0) fprintf(stderr, "no case gives HAPLOOM_%s\n", statuses[i].name);
        unseen += statuses[i].seen == 0;
    }
    return unseen != 0 || wrong != 0;
}
