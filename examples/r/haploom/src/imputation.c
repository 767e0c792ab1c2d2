/* Imputation: matrices of typed alleles into dosages, files into files, and whom haplotypes were copied from. */
#include "haploom_r.h"

SEXP imputer_new(SEXP panel, SEXP model, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    SEXP pointer = PROTECT(new_imputer_pointer());
    haploom_imputer *made = NULL;
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK)
        status = haploom_imputer_new(panel_or_null(panel), model_or_null(model), call_options(call), &made);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(call, status, pointer);
    UNPROTECT(2);
    return list;
}

/* A matrix of alleles, haplotypes x typed sites, and the numbers of the sites, from 1 and rising: the dosages, and what is
 * told of typed sites without them. */
SEXP imputer_impute(SEXP pointer, SEXP matrix, SEXP typed_sites, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    const haploom_imputer *imputer = imputer_of(pointer);
    size_t rows = (size_t)Rf_nrows(matrix), typed = (size_t)XLENGTH(typed_sites);
    size_t columns = haploom_sites_count(haploom_imputer_sites(imputer));
    SEXP scratch = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)(rows * typed)));
    int8_t *alleles = (int8_t *)RAW(scratch);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < typed; j++) {
            uint8_t byte = allele_of(matrix, (R_xlen_t)(i + j * rows));
            if (byte > 1 && byte != HAPLOOM_MISSING_ALLELE) {
                UNPROTECT(2);
                return refusal(HAPLOOM_INVALID_ARGUMENT,
                               "row %.0f, column %.0f of the matrix is no allele; alleles are 0, 1 or NA", (double)(i + 1),
                               (double)(j + 1));
            }
            alleles[i * typed + j] = byte == HAPLOOM_MISSING_ALLELE ? -1 : (int8_t)byte;
        }
    size_t *numbers = (size_t *)R_alloc(typed + 1, sizeof *numbers);
    for (size_t j = 0; j < typed; j++) numbers[j] = (size_t)REAL(typed_sites)[j] - 1;
    const char *names[] = {"dosages", "left_out", ""};
    SEXP value = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(value, 0, Rf_allocMatrix(REALSXP, (int)rows, (int)columns));
    SET_VECTOR_ELT(value, 1, Rf_allocMatrix(REALSXP, (int)rows, (int)typed));
    /* Two floats in a double. */
    SEXP of_dosages = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)(rows * columns / 2 + 1)));
    SEXP of_left_out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)(rows * typed / 2 + 1)));
    float *dosages = (float *)REAL(of_dosages), *left_out = (float *)REAL(of_left_out);
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK)
        status = haploom_imputer_impute(imputer, alleles, rows, typed, numbers, typed, dosages, left_out, call_options(call));
    if (status == HAPLOOM_OK) {
        transpose(dosages, rows, columns, REAL(VECTOR_ELT(value, 0)));
        transpose(left_out, rows, typed, REAL(VECTOR_ELT(value, 1)));
    }
    SEXP list = reply(call, status, value);
    UNPROTECT(5);
    return list;
}

typedef haploom_status work(const haploom_imputer *, const char *, const char *, const haploom_options *);

static SEXP of_files(work *does, SEXP pointer, SEXP target, SEXP output, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    /* The second name may lie where R_ExpandFileName() keeps the first. */
    SEXP in = PROTECT(Rf_mkString(path_of(target)));
    const char *from = CHAR(STRING_ELT(in, 0)), *to = path_of(output);
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK) status = does(imputer_of(pointer), from, to, call_options(call));
    SEXP list = reply(call, status, R_NilValue);
    UNPROTECT(2);
    return list;
}

SEXP imputer_impute_file(SEXP pointer, SEXP target, SEXP output, SEXP keys, SEXP progress) {
    return of_files(haploom_imputer_impute_file, pointer, target, output, keys, progress);
}

SEXP imputer_paint_file(SEXP pointer, SEXP target, SEXP output, SEXP keys, SEXP progress) {
    return of_files(haploom_imputer_paint_file, pointer, target, output, keys, progress);
}
