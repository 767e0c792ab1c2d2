/*
 * impute2: how an imputation tool takes artificial haplotypes into its reference panel, without a file between.
 *
 * It reads a panel from IMPUTE2's files into its own matrix of packed bits, has a model fill the columns behind it with
 * artificial haplotypes, and hands the matrix to its engine window by window. The engine here is a stub: for one
 * haplotype of the panel, the target, it looks for the one that differs from it at the fewest sites of the window.
 *
 * Compile: cc -O2 impute2.c $(pkg-config --cflags --libs haploom) -o impute2
 * Run:     haploom convert panel.bcf panel.hap && impute2 panel.hap panel.legend model.safetensors 500
 */
#include <haploom.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 1000000, BUFFER = 250000 };  /* Base pairs, as IMPUTE2's -int and -buffer. */

typedef struct {
    uint64_t position;
    char reference[64], alternate[64];
} Site;

/* A row is a site, a bit a haplotype, lowest first: the real ones, then from a whole byte on the artificial ones. */
typedef struct {
    Site *sites;
    size_t n_sites, real, artificial, real_bytes, stride;
    uint8_t *rows;
} Panel;

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("impute2: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void check(haploom_status status) {
    char text[2000];
    if (status == HAPLOOM_OK) return;
    haploom_last_error(text, sizeof text);
    die("%s: %s", haploom_status_name(status), text);
}

static FILE *open_text(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) die("%s: %s", path, strerror(errno));
    return file;
}

/* Haplotypes are counted without the gap between the real and the artificial columns. */
static int allele(const Panel *panel, size_t site, size_t haplotype) {
    const size_t column = haplotype < panel->real ? haplotype : haplotype - panel->real + 8 * panel->real_bytes;
    return panel->rows[site * panel->stride + column / 8] >> column % 8 & 1;
}

/* A legend: a header, then id, position, reference and alternate allele of a site in each line. */
static void read_legend(const char *path, Panel *panel) {
    FILE *file = open_text(path);
    char line[1000];
    size_t room = 0;
    for (size_t number = 1; fgets(line, sizeof line, file) != NULL; ++number) {
        Site site;
        if (strchr(line, '\n') == NULL && !feof(file)) die("%s: line %zu is too long", path, number);
        if (number == 1) continue;
        if (sscanf(line, "%*s %" SCNu64 " %63s %63s", &site.position, site.reference, site.alternate) != 3)
            die("%s: line %zu is not `id position a0 a1`", path, number);
        if (strlen(site.reference) == 63 || strlen(site.alternate) == 63)
            die("%s: line %zu has an allele of more than 62 bases, for which there is no room here", path, number);
        if (site.position == 0 || site.position > INT32_MAX)
            die("%s: line %zu: no contig has a position %" PRIu64, path, number, site.position);
        if (panel->n_sites > 0 && site.position < panel->sites[panel->n_sites - 1].position)
            die("%s: line %zu: position %" PRIu64 " is out of order", path, number, site.position);
        if (panel->n_sites == room) {
            room = room == 0 ? 1024 : 2 * room;
            panel->sites = realloc(panel->sites, room * sizeof *panel->sites);
            if (panel->sites == NULL) die("%s: no memory for %zu sites", path, room);
        }
        panel->sites[panel->n_sites++] = site;
    }
    if (ferror(file)) die("%s: %s", path, strerror(errno));
    if (panel->n_sites == 0) die("%s: no sites", path);
    fclose(file);
}

/* How many alleles the first line of a .hap file has. */
static size_t count_columns(FILE *hap) {
    size_t columns = 0;
    for (int c = getc(hap); c != '\n' && c != EOF; c = getc(hap)) columns += c == '0' || c == '1';
    rewind(hap);
    return columns;
}

/* A .hap file: a line a site, an allele a haplotype, 0 or 1, a blank between. */
static void read_hap(FILE *hap, const char *path, Panel *panel) {
    for (size_t site = 0; site < panel->n_sites; ++site) {
        uint8_t *row = panel->rows + site * panel->stride;
        for (size_t column = 0; column < panel->real; ++column) {
            const int digit = getc(hap), after = getc(hap);
            if ((digit != '0' && digit != '1') || (after != ' ' && after != '\n' && after != EOF) ||
                (after != ' ') != (column + 1 == panel->real))
                die("%s: line %zu, column %zu: expected %zu alleles, 0 or 1, a blank between them", path, site + 1,
                    column + 1, panel->real);
            if (digit == '1') row[column / 8] |= (uint8_t)(1 << column % 8);
        }
    }
    if (getc(hap) != EOF) die("%s: more lines than the legend has sites (%zu)", path, panel->n_sites);
}

/* The model has to speak of the very sites of the panel: the engine has no room for others. */
static void check_sites(const haploom_sites *sites, const Panel *panel) {
    if (haploom_sites_count(sites) != panel->n_sites)
        die("the model has %zu sites and the legend %zu", haploom_sites_count(sites), panel->n_sites);
    for (size_t i = 0; i < panel->n_sites; ++i) {
        const Site *own = &panel->sites[i];
        const char *reference, *alternate;
        uint64_t position;
        check(haploom_sites_get(sites, i, NULL, &position, NULL, &reference, &alternate));
        if (position != own->position || strcmp(reference, own->reference) || strcmp(alternate, own->alternate))
            die("site %zu is %" PRIu64 " %s>%s in the model and %" PRIu64 " %s>%s in the legend", i + 1, position,
                reference, alternate, own->position, own->reference, own->alternate);
    }
}

/* Artificial haplotypes, straight into their columns of the matrix. */
static void sample(const char *model_path, const char *seed, Panel *panel) {
    haploom_model *model;
    haploom_options *options;
    haploom_sampler *sampler;
    size_t made;
    check(haploom_model_open(model_path, &model));
    check(haploom_options_new(&options));
    check(haploom_options_set_text(options, "layout=sites,packing=bits"));
    check(haploom_options_set_string(options, "seed", seed));
    check(haploom_sampler_new(model, NULL, options, &sampler));
    haploom_options_free(options);
    haploom_model_free(model);
    check_sites(haploom_sampler_sites(sampler), panel);
    check(haploom_sampler_fill(sampler, panel->artificial, panel->rows + panel->real_bytes,
                               panel->n_sites * panel->stride - panel->real_bytes, panel->stride, &made));
    if (made != panel->artificial) die("the model made %zu haplotypes of %zu", made, panel->artificial);
    haploom_sampler_free(sampler);
}

/* The stub engine: counts the alternate alleles of both kinds, and finds the haplotype nearest to the target. */
static void engine(const Panel *panel, size_t first, size_t last, size_t target, size_t *differences) {
    const size_t haplotypes = panel->real + panel->artificial;
    size_t real = 0, artificial = 0, best = 0;
    memset(differences, 0, haplotypes * sizeof *differences);
    for (size_t site = first; site < last; ++site) {
        const int wanted = allele(panel, site, target);
        for (size_t haplotype = 0; haplotype < haplotypes; ++haplotype) {
            const int here = allele(panel, site, haplotype);
            differences[haplotype] += here != wanted;
            *(haplotype < panel->real ? &real : &artificial) += (size_t)here;
        }
    }
    differences[target] = SIZE_MAX;  /* Not itself. */
    for (size_t haplotype = 1; haplotype < haplotypes; ++haplotype)
        if (differences[haplotype] < differences[best]) best = haplotype;
    printf("%" PRIu64 "\t%" PRIu64 "\t%zu\t%zu\t%zu\t%s\t%zu\t%zu\n", panel->sites[first].position,
           panel->sites[last - 1].position, last - first, real, artificial,
           best < panel->real ? "real" : "artificial", best < panel->real ? best : best - panel->real,
           differences[best]);
}

int main(int argc, char **argv) {
    Panel panel = {0};
    char *end;
    if (argc < 5 || argc > 7) {
        fprintf(stderr, "usage: impute2 HAP LEGEND MODEL N [SEED [TARGET]]\n"
                        "N artificial haplotypes; TARGET is a haplotype of the panel, from 0\n");
        return 2;
    }
    panel.artificial = (size_t)strtoull(argv[4], &end, 10);
    if (*end != '\0' || panel.artificial == 0 || panel.artificial > 1000000)
        die("N is %s: 1 to 1000000 will do", argv[4]);
    read_legend(argv[2], &panel);

    FILE *hap = open_text(argv[1]);
    panel.real = count_columns(hap);
    if (panel.real == 0) die("%s: the first line has no alleles", argv[1]);
    const char *wanted = argc > 6 ? argv[6] : "0";
    const size_t target = (size_t)strtoull(wanted, &end, 10);
    if (*end != '\0' || target >= panel.real)
        die("%s has %zu haplotypes, and TARGET is %s", argv[1], panel.real, wanted);
    panel.real_bytes = (panel.real + 7) / 8;
    panel.stride = panel.real_bytes + (panel.artificial + 7) / 8;
    panel.rows = calloc(panel.n_sites, panel.stride);
    size_t *differences = malloc((panel.real + panel.artificial) * sizeof *differences);
    if (panel.rows == NULL || differences == NULL)
        die("no memory for %zu haplotypes", panel.real + panel.artificial);
    read_hap(hap, argv[1], &panel);
    fclose(hap);
    sample(argv[3], argc > 5 ? argv[5] : "1", &panel);

    puts("first\tlast\tsites\treal_alternates\tartificial_alternates\tbest\tnumber\tdifferences");
    for (size_t site = 0; site < panel.n_sites;) {
        const uint64_t start = (panel.sites[site].position - 1) / WINDOW * WINDOW + 1;
        size_t first = 0, last = 0;
        while (panel.sites[first].position + BUFFER < start) ++first;
        while (last < panel.n_sites && panel.sites[last].position < start + WINDOW + BUFFER) ++last;
        engine(&panel, first, last, target, differences);
        while (site < panel.n_sites && panel.sites[site].position < start + WINDOW) ++site;
    }
    free(differences);
    free(panel.rows);
    free(panel.sites);
    return fflush(stdout) == 0 ? 0 : 1;
}
