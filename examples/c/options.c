/*
 * options: all option keys of the library, as a table: key, type, default, bounds, group, what it does.
 *
 * Compile: cc options.c $(pkg-config --cflags --libs haploom) -o options
 * Run:     options | column -t -s "$(printf '\t')"
 */
#include <haploom.h>

#include <stdio.h>

static const char *type_name(int32_t type) {
    switch (type) {
    case HAPLOOM_TYPE_INT: return "whole number";
    case HAPLOOM_TYPE_DOUBLE: return "number";
    case HAPLOOM_TYPE_FLAG: return "flag";
    case HAPLOOM_TYPE_CHOICE: return "choice";
    case HAPLOOM_TYPE_TEXT: return "text";
    default: return "?";  /* Of a version of the library that is newer than this program. */
    }
}

int main(void) {
    size_t i, n = haploom_option_count();
    printf("key\ttype\tdefault\tbounds\tgroup\twhat it does\n");
    for (i = 0; i < n; ++i) {
        const char *key, *standard, *bounds, *group, *help;
        int32_t type;
        haploom_status status = haploom_option_describe(i, &key, &type, &standard, &bounds, &group, &help);
        if (status != HAPLOOM_OK) {
            fprintf(stderr, "options: %s\n", haploom_status_name(status));
            return 1;
        }
        printf("%s\t%s\t%s\t%s\t%s\t%s\n", key, type_name(type), standard, bounds, group, help);
    }
    return 0;
}
