/* Evaluation: the numbers as columns, and the library's table and JSON. */
#include "haploom_r.h"

static void free_evaluation(SEXP pointer) {
    haploom_evaluation_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

static SEXP copied(size_t (*copy)(const haploom_evaluation *, char *, size_t), const haploom_evaluation *evaluation) {
    size_t size = copy(evaluation, NULL, 0) + 1;
    char *text = R_alloc(size, 1);
    *text = '\0';
    copy(evaluation, text, size);
    return utf8(text);
}

SEXP evaluation(SEXP real, SEXP artificial, SEXP held_out, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
    R_RegisterCFinalizerEx(pointer, free_evaluation, TRUE);
    haploom_evaluation *made = NULL;
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK)
        status = haploom_evaluate(panel_of(real), panel_of(artificial), panel_or_null(held_out), call_options(call), &made);
    R_SetExternalPtrAddr(pointer, made);
    if (status != HAPLOOM_OK) {
        SEXP list = reply(call, status, R_NilValue);
        UNPROTECT(2);
        return list;
    }
    enum { NAME, TITLE, VALUE, FLOOR, BEST, DEVIATION, NOTE, TABLE, JSON, SIZES };
    const char *names[] = {"name", "title", "value", "floor", "best", "deviation", "note", "table", "json", "sizes", ""};
    SEXP value = PROTECT(Rf_mkNamed(VECSXP, names));
    size_t n = haploom_evaluation_count(made);
    for (int column = NAME; column <= NOTE; column++)
        SET_VECTOR_ELT(value, column, Rf_allocVector(column >= VALUE && column <= DEVIATION ? REALSXP : STRSXP, (R_xlen_t)n));
    for (size_t i = 0; i < n; i++) {
        const char *name, *title, *note;
        if (haploom_evaluation_describe(made, i, &name, &title, &note) != HAPLOOM_OK) break;
        SET_STRING_ELT(VECTOR_ELT(value, NAME), (R_xlen_t)i, Rf_mkCharCE(name, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(value, TITLE), (R_xlen_t)i, Rf_mkCharCE(title, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(value, NOTE), (R_xlen_t)i, Rf_mkCharCE(note, CE_UTF8));
        haploom_evaluation_get(made, name, &REAL(VECTOR_ELT(value, VALUE))[i], &REAL(VECTOR_ELT(value, FLOOR))[i],
                               &REAL(VECTOR_ELT(value, BEST))[i], &REAL(VECTOR_ELT(value, DEVIATION))[i]);
    }
    SET_VECTOR_ELT(value, TABLE, copied(haploom_evaluation_table, made));
    SET_VECTOR_ELT(value, JSON, copied(haploom_evaluation_json, made));
    size_t sizes[4] = {0, 0, 0, 0};
    haploom_evaluation_sizes(made, &sizes[0], &sizes[1], &sizes[2], &sizes[3]);
    const char *size_names[] = {"real", "artificial", "held_out", "sites", ""};
    SET_VECTOR_ELT(value, SIZES, Rf_mkNamed(REALSXP, size_names));
    for (int i = 0; i < 4; i++) REAL(VECTOR_ELT(value, SIZES))[i] = (double)sizes[i];
    free_evaluation(pointer);
    SEXP list = reply(call, HAPLOOM_OK, value);
    UNPROTECT(3);
    return list;
}
