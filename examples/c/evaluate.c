/*
 * evaluate: how close artificial haplotypes are to real ones, as a table: name, value, floor, best.
 *
 * Compile: cc evaluate.c $(pkg-config --cflags --libs haploom) -o evaluate
 * Run:     evaluate train.bcf artificial.bcf held_out.bcf
 */
#include <haploom.h>

#include <stdio.h>

static int failed(haploom_status status) {
    char text[2000];
    if (status == HAPLOOM_OK) return 0;
    haploom_last_error(text, sizeof text);
    fprintf(stderr, "evaluate: %s: %s\n", haploom_status_name(status), text);
    return 1;
}

/* One number of an evaluation, and a line of the table. */
static int show(const haploom_evaluation *evaluation, size_t i) {
    const char *name;
    double value, floor, best;
    if (failed(haploom_evaluation_describe(evaluation, i, &name, NULL, NULL)) ||
        failed(haploom_evaluation_get(evaluation, name, &value, &floor, &best, NULL)))
        return 1;
    printf("%s\t%.9g\t%.9g\t%.9g\n", name, value, floor, best);
    return 0;
}

int main(int argc, char **argv) {
    haploom_panel *panels[3] = {NULL, NULL, NULL};
    haploom_evaluation *evaluation = NULL;
    int bad = 0, i;
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: evaluate REAL ARTIFICIAL [HELD_OUT]\n");
        return 2;
    }
    for (i = 1; i < argc && !bad; ++i) bad = failed(haploom_panel_open(argv[i], NULL, &panels[i - 1]));
    bad = bad || failed(haploom_evaluate(panels[0], panels[1], panels[2], NULL, &evaluation));
    if (!bad) {
        size_t n = haploom_evaluation_count(evaluation), j;
        printf("name\tvalue\tfloor\tbest\n");
        for (j = 0; j < n && !bad; ++j) bad = show(evaluation, j);
    }
    haploom_evaluation_free(evaluation);
    for (i = 0; i < 3; ++i) haploom_panel_free(panels[i]);
    return bad;
}
