/* A program with an htslib of its own: both read the same BCF, in turns, and neither notices the other.
 * other_htslib FILE */
#include <haploom.h>
#include <htslib/hts.h>
#include <htslib/vcf.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    char host[40];
    if (argc != 2) return 2;
    snprintf(host, sizeof host, "%s", hts_version());
    hts_set_log_level(HTS_LOG_DEBUG);
    for (int round = 0; round < 3; ++round) {
        haploom_panel *panel;
        char message[1000];
        htsFile *file = hts_open(argv[1], "r");
        bcf_hdr_t *header = file ? bcf_hdr_read(file) : NULL;
        bcf1_t *record = bcf_init();
        size_t records = 0, haplotypes, sites;
        if (!header) return 3;
        hts_set_threads(file, 2);
        if (bcf_read(file, header, record) == 0) ++records;
        /* In the middle of the program's own reading. */
        if (haploom_panel_open(argv[1], NULL, &panel) != HAPLOOM_OK) {
            haploom_last_error(message, sizeof message);
            fprintf(stderr, "%s\n", message);
            return 1;
        }
        haplotypes = haploom_panel_haplotypes(panel);
        sites = haploom_panel_sites_count(panel);
        haploom_panel_free(panel);
        while (bcf_read(file, header, record) == 0) ++records;
        if (haplotypes != 2 * (size_t)bcf_hdr_nsamples(header) || sites != records) {
            fprintf(stderr, "%zu haplotypes x %zu sites, by the program's htslib 2 x %d and %zu\n", haplotypes, sites,
                    bcf_hdr_nsamples(header), records);
            return 1;
        }
        bcf_destroy(record);
        bcf_hdr_destroy(header);
        hts_close(file);
    }
    if (strcmp(host, hts_version()) != 0 || hts_get_log_level() != HTS_LOG_DEBUG) return 4;
    printf("%s\n", hts_version());
    return 0;
}
