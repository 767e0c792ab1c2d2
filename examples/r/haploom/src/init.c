/* Tables of options and versions, and the registration of all routines. */
#include "haploom_r.h"
#include <R_ext/Rdynload.h>

SEXP options_table(void) {
    enum { KEY, TYPE, DEFAULT, BOUNDS, LEAST, GREATEST, GROUP, HELP };
    const char *names[] = {"key", "type", "default", "bounds", "least", "greatest", "group", "help", ""};
    static const char *types[] = {"", "integer", "number", "flag", "choice", "text"};
    SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
    size_t n = haploom_option_count();
    for (int column = KEY; column <= HELP; column++)
        SET_VECTOR_ELT(list, column, Rf_allocVector(column == LEAST || column == GREATEST ? REALSXP : STRSXP, (R_xlen_t)n));
    for (size_t i = 0; i < n; i++) {
        const char *texts[HELP + 1] = {NULL};
        int32_t type = 0;
        if (haploom_option_describe(i, &texts[KEY], &type, &texts[DEFAULT], &texts[BOUNDS], &texts[GROUP], &texts[HELP]) !=
            HAPLOOM_OK)
            break;
        texts[TYPE] = type >= 1 && type <= 5 ? types[type] : "other";
        for (int column = KEY; column <= HELP; column++)
            if (texts[column] != NULL)
                SET_STRING_ELT(VECTOR_ELT(list, column), (R_xlen_t)i, Rf_mkCharCE(texts[column], CE_UTF8));
        double least, greatest;
        int ranged = (type == HAPLOOM_TYPE_INT || type == HAPLOOM_TYPE_DOUBLE) &&
                     haploom_option_range(texts[KEY], &least, &greatest) == HAPLOOM_OK;
        REAL(VECTOR_ELT(list, LEAST))[i] = ranged ? least : NA_REAL;
        REAL(VECTOR_ELT(list, GREATEST))[i] = ranged ? greatest : NA_REAL;
    }
    UNPROTECT(1);
    return list;
}

SEXP version_table(void) {
    const char *names[] = {"library", "abi", "number", "build", "header_abi", "header_number", ""};
    SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(list, 0, utf8(haploom_version_string()));
    SET_VECTOR_ELT(list, 1, Rf_ScalarInteger(haploom_abi()));
    SET_VECTOR_ELT(list, 2, Rf_ScalarInteger(haploom_version()));
    SET_VECTOR_ELT(list, 3, utf8(haploom_build_info()));
    SET_VECTOR_ELT(list, 4, Rf_ScalarInteger(HAPLOOM_ABI));
    SET_VECTOR_ELT(list, 5, Rf_ScalarInteger(HAPLOOM_VERSION_NUMBER));
    UNPROTECT(1);
    return list;
}

SEXP device_lines(void) {
    size_t size = haploom_devices(NULL, 0) + 1;
    char *text = R_alloc(size, 1);
    haploom_devices(text, size);
    return utf8(text);
}

#define ROUTINE(name, arguments) {"C_" #name, (DL_FUNC)&name, arguments}

static const R_CallMethodDef routines[] = {
    ROUTINE(is_gone, 1),
    ROUTINE(options_table, 0),
    ROUTINE(version_table, 0),
    ROUTINE(device_lines, 0),
    ROUTINE(panel_open, 3),
    ROUTINE(panel_demo, 1),
    ROUTINE(panel_from_matrix, 3),
    ROUTINE(panel_shape, 1),
    ROUTINE(panel_window, 4),
    ROUTINE(panel_frequencies, 1),
    ROUTINE(panel_fingerprint, 1),
    ROUTINE(panel_select, 2),
    ROUTINE(panel_with_samples, 2),
    ROUTINE(panel_write, 4),
    ROUTINE(sites_of, 1),
    ROUTINE(samples_of, 1),
    ROUTINE(model_train, 4),
    ROUTINE(model_open, 1),
    ROUTINE(model_from_bytes, 1),
    ROUTINE(model_to_bytes, 1),
    ROUTINE(model_save, 2),
    ROUTINE(model_kind, 1),
    ROUTINE(model_info, 1),
    ROUTINE(model_labels, 1),
    ROUTINE(model_conditionals, 4),
    ROUTINE(model_encode, 4),
    ROUTINE(sampler_new, 4),
    ROUTINE(sampler_position, 1),
    ROUTINE(sampler_end, 1),
    ROUTINE(sampler_seek, 2),
    ROUTINE(sampler_next, 4),
    ROUTINE(sampler_panel, 4),
    ROUTINE(sampler_augment, 6),
    ROUTINE(imputer_new, 4),
    ROUTINE(imputer_impute, 5),
    ROUTINE(imputer_impute_file, 5),
    ROUTINE(imputer_paint_file, 5),
    ROUTINE(evaluation, 5),
    {NULL, NULL, 0},
};

void R_init_haploom(DllInfo *library) {
    R_registerRoutines(library, NULL, routines, NULL, NULL);
    R_useDynamicSymbols(library, FALSE);
    R_forceSymbols(library, TRUE);
}
