/* Opens a panel and prints how large it is: read_panel FILE */
#include <haploom.h>
#include <stdio.h>

int main(int argc, char **argv) {
    haploom_panel *panel;
    char message[1000];
    if (argc != 2) return 2;
    if (haploom_panel_open(argv[1], NULL, &panel) != HAPLOOM_OK) {
        haploom_last_error(message, sizeof message);
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    printf("haploom %s: %zu haplotypes x %zu sites\n", haploom_version_string(), haploom_panel_haplotypes(panel),
           haploom_panel_sites_count(panel));
    haploom_panel_free(panel);
    return 0;
}
