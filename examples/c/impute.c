/*
 * impute: fills the untyped sites of phased people from a panel, in the two ways that there are. A tool that reads and
 * writes by itself hands over alleles and gets dosages; files are imputed by one call.
 *
 * Compile: cc impute.c $(pkg-config --cflags --libs haploom) -lm -o impute
 * Run:     impute panel.bcf typed.txt >dosages.txt
 *          impute panel.bcf target.vcf.gz imputed.bcf
 *
 * typed.txt has a line a typed site, in the panel's order: contig, position, reference, alternate, then the allele of each
 * haplotype: 0, 1, or . where it is missing. Printed is a line a site of the panel: the same four, TYPED or IMPUTED, the
 * dosage of each haplotype. How well each typed site is told by the others goes to standard error.
 */
#include <haploom.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(haploom_status status) {
    char text[2000];
    if (status == HAPLOOM_OK) return 0;
    haploom_last_error(text, sizeof text);
    fprintf(stderr, "impute: %s: %s\n", haploom_status_name(status), text);
    return 1;
}

static int wrong(const char *file, size_t line, const char *what) {
    fprintf(stderr, "impute: %s, line %zu: %s\n", file, line, what);
    return 1;
}

/* What was estimated and counted on the way. */
static int32_t show(void *user, const haploom_event *event) {
    (void)user;
    if (haploom_event_kind(event) == HAPLOOM_EVENT_NOTICE) fprintf(stderr, "%s\n", haploom_event_text(event));
    if (haploom_event_kind(event) == HAPLOOM_EVENT_MEASURED)
        fprintf(stderr, "%s: %g\n", haploom_event_text(event), haploom_event_value(event));
    return 0;
}

/* The text: `typed_count` sites, and their alleles, a row a site. */
struct typed {
    size_t *sites, typed_count, haplotypes;
    int8_t *alleles;
};

enum { LINE = 1 << 20 };

/* One line: which site of the panel it is, and its alleles behind those of the lines before. */
static int read_line(const char *file, size_t number, char *line, const haploom_sites *sites, struct typed *typed) {
    const char *fields[4], *blank = " \t\r\n";
    char *at = strtok(line, blank);
    size_t n = 0, site, *more_sites;
    int8_t *more, *row;
    for (int i = 0; i < 4; ++i, at = strtok(NULL, blank)) {
        if (!at) return wrong(file, number, "a contig, a position, a reference and an alternate allele are expected");
        fields[i] = at;
    }
    site = haploom_sites_find(sites, fields[0], strtoull(fields[1], NULL, 10), fields[2], fields[3]);
    if (site == SIZE_MAX) return wrong(file, number, "the panel does not have this site");
    if (typed->typed_count > 0 && site <= typed->sites[typed->typed_count - 1])
        return wrong(file, number, "the sites are not in the order of the panel");
    more_sites = realloc(typed->sites, (typed->typed_count + 1) * sizeof *more_sites);
    if (!more_sites) return wrong(file, number, "no memory for its site");
    typed->sites = more_sites;
    /* The first line says how many haplotypes there are; no line has more alleles than half of its characters. */
    more = realloc(typed->alleles, typed->typed_count * typed->haplotypes + LINE / 2);
    if (!more) return wrong(file, number, "no memory for its alleles");
    typed->alleles = more;
    for (row = more + typed->typed_count * typed->haplotypes; at; at = strtok(NULL, blank)) {
        if (at[1] || !strchr("01.", *at)) return wrong(file, number, "alleles are 0, 1 or .");
        row[n++] = *at == '.' ? -1 : (int8_t)(*at - '0');
    }
    if (n == 0 || (typed->typed_count > 0 && n != typed->haplotypes))
        return wrong(file, number, "it has not as many alleles as the first line, or none");
    typed->sites[typed->typed_count++] = site;
    typed->haplotypes = n;
    return 0;
}

static int read_typed(const char *file, const haploom_sites *sites, struct typed *typed) {
    FILE *from = fopen(file, "r");
    char *line = malloc(LINE);
    size_t number = 0;
    int bad = 0;
    if (!from || !line) bad = wrong(file, 0, "it cannot be read");
    while (!bad && fgets(line, LINE, from))
        bad = strlen(line) == LINE - 1 ? wrong(file, number + 1, "it is too long for this example")
                                       : read_line(file, ++number, line, sites, typed);
    if (!bad && typed->typed_count == 0) bad = wrong(file, 0, "it has no sites");
    free(line);
    if (from) fclose(from);
    return bad;
}

static void print_site(const haploom_sites *sites, size_t i, int is_typed, const float *dosages, size_t haplotypes) {
    const char *contig, *reference, *alternate;
    uint64_t position;
    if (haploom_sites_get(sites, i, &contig, &position, NULL, &reference, &alternate) != HAPLOOM_OK) return;
    printf("%s\t%" PRIu64 "\t%s\t%s\t%s", contig, position, reference, alternate, is_typed ? "TYPED" : "IMPUTED");
    for (size_t h = 0; h < haplotypes; ++h) printf("\t%.3f", dosages[h * haploom_sites_count(sites) + i]);
    printf("\n");
}

/* The squared correlation of alleles with what all other typed sites say of them; NaN where one of them is constant. */
static double told_by_the_others(const struct typed *typed, const int8_t *alleles, const float *left_out, size_t t) {
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = t; i < typed->haplotypes * typed->typed_count; i += typed->typed_count) {
        if (alleles[i] < 0) continue;
        n += 1;
        x += alleles[i];
        y += left_out[i];
        xx += alleles[i] * alleles[i];
        yy += (double)left_out[i] * left_out[i];
        xy += (double)left_out[i] * alleles[i];
    }
    xy -= x * y / n;
    return xy * xy / ((xx - x * x / n) * (yy - y * y / n));
}

/* A tool's own input, memory and output. */
static int impute_in_memory(const haploom_imputer *imputer, const char *file, const haploom_options *options) {
    const haploom_sites *sites = haploom_imputer_sites(imputer);
    size_t n = haploom_sites_count(sites), told = 0;
    struct typed typed = {0};
    float *dosages = NULL, *left_out = NULL;
    int8_t *alleles = NULL;
    double sum = 0;
    int bad = read_typed(file, sites, &typed);
    if (!bad) {
        size_t cells = typed.haplotypes * typed.typed_count;
        alleles = malloc(cells);
        left_out = malloc(cells * sizeof *left_out);
        dosages = malloc(typed.haplotypes * n * sizeof *dosages);
        if (!alleles || !left_out || !dosages) bad = wrong(file, 0, "no memory for its dosages");
    }
    if (!bad) {
        /* The text has a row a site, the library takes a row a haplotype. */
        for (size_t t = 0; t < typed.typed_count; ++t)
            for (size_t h = 0; h < typed.haplotypes; ++h)
                alleles[h * typed.typed_count + t] = typed.alleles[t * typed.haplotypes + h];
        bad = failed(haploom_imputer_impute(imputer, alleles, typed.haplotypes, typed.typed_count, typed.sites,
                                            typed.typed_count, dosages, left_out, options));
    }
    if (!bad) {
        for (size_t i = 0, t = 0; i < n; ++i) {
            int is_typed = t < typed.typed_count && typed.sites[t] == i;
            print_site(sites, i, is_typed, dosages, typed.haplotypes);
            t += (size_t)is_typed;
        }
        for (size_t t = 0; t < typed.typed_count; ++t) {
            double r2 = told_by_the_others(&typed, alleles, left_out, t);
            if (!isfinite(r2)) continue;
            sum += r2;
            ++told;
        }
        fprintf(stderr, "%zu haplotypes, %zu typed sites, %zu imputed\n", typed.haplotypes, typed.typed_count,
                n - typed.typed_count);
        if (told > 0) fprintf(stderr, "typed sites are told by the others: mean squared correlation %.3f\n", sum / (double)told);
    }
    free(alleles);
    free(left_out);
    free(dosages);
    free(typed.sites);
    free(typed.alleles);
    return bad;
}

int main(int argc, char **argv) {
    haploom_panel *panel = NULL;
    haploom_imputer *imputer = NULL;
    haploom_options *options = NULL;
    int bad;
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: impute PANEL TYPED.txt\n       impute PANEL TARGET OUT\n");
        return 2;
    }
    bad = failed(haploom_options_new(&options)) || failed(haploom_options_set_progress(options, show, NULL)) ||
          failed(haploom_panel_open(argv[1], NULL, &panel)) ||
          failed(haploom_imputer_new(panel, NULL, NULL, &imputer)) ||
          (argc == 3 ? impute_in_memory(imputer, argv[2], options)
                     : failed(haploom_imputer_impute_file(imputer, argv[2], argv[3], options)));
    haploom_imputer_free(imputer);
    haploom_panel_free(panel);
    haploom_options_free(options);
    return bad;
}
