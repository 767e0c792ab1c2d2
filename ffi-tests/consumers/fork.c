/* Parent and child of a fork each use the library, after the parent has used it: fork FILE */
#include <haploom.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int read_once(const char *file) {
    haploom_panel *panel;
    if (haploom_panel_open(file, NULL, &panel) != HAPLOOM_OK) return 1;
    haploom_panel_free(panel);
    return 0;
}

int main(int argc, char **argv) {
    int status;
    pid_t child;
    haploom_panel *kept;
    if (argc != 2 || haploom_panel_open(argv[1], NULL, &kept) != HAPLOOM_OK) return 2;
    child = fork();
    if (child < 0) return 3;
    alarm(60);
    if (child == 0) {
        /* New handles, and the parent's panel, which is memory and nothing else. */
        if (haploom_panel_haplotypes(kept) == 0 || read_once(argv[1])) _exit(1);
        haploom_panel_free(kept);
        _exit(0);
    }
    if (read_once(argv[1])) return 4;
    haploom_panel_free(kept);
    if (waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "the child ended with %d\n", status);
        return 5;
    }
    return 0;
}
