/* Loads the library, reads a panel, unloads it; a hundred times, as a host of plugins does.
 * dlopen LIBRARY FILE */
#include <dlfcn.h>
#include <haploom.h>
#include <stdio.h>
#include <string.h>

/* Lines of /proc/self/maps: mappings. */
static int mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    int lines = 0, c;
    while (maps && (c = getc(maps)) != EOF) lines += c == '\n';
    if (maps) fclose(maps);
    return lines;
}

static int threads(void) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[200];
    int n = -1;
    while (status && fgets(line, sizeof line, status)) sscanf(line, "Threads: %d", &n);
    if (status) fclose(status);
    return n;
}

/* POSIX: what dlsym gives may be a function. */
#define FIND(name) memcpy(&name, (void *[]){dlsym(library, "haploom_" #name)}, sizeof(void *))

int main(int argc, char **argv) {
    int after_ten = 0;
    if (argc != 3) return 2;
    for (int round = 0; round < 100; ++round) {
        haploom_status (*options_new)(haploom_options **);
        haploom_status (*options_set_text)(haploom_options *, const char *);
        void (*options_free)(haploom_options *);
        haploom_status (*panel_open)(const char *, const haploom_options *, haploom_panel **);
        size_t (*panel_haplotypes)(const haploom_panel *);
        void (*panel_free)(haploom_panel *);
        haploom_options *options;
        haploom_panel *panel;
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (!library) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        FIND(options_new);
        FIND(options_set_text);
        FIND(options_free);
        FIND(panel_open);
        FIND(panel_haplotypes);
        FIND(panel_free);
        if (options_new(&options) != HAPLOOM_OK || options_set_text(options, "threads=2") != HAPLOOM_OK) return 6;
        if (panel_open(argv[2], options, &panel) != HAPLOOM_OK || panel_haplotypes(panel) == 0) return 3;
        panel_free(panel);
        options_free(options);
        /* And a failure, whose text is kept by the thread. */
        if (panel_open("/nowhere/at/all.bcf", NULL, &panel) == HAPLOOM_OK || panel) return 4;
        if (dlclose(library) != 0) return 5;
        if (round == 9) after_ten = mappings();
    }
    printf("mappings: %d after 10 rounds, %d after 100; threads: %d\n", after_ten, mappings(), threads());
    return mappings() > after_ten + 4 || threads() != 1;
}
