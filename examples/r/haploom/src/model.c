/* Models: training, files and raw vectors, what they know of a panel, where they see it in latent space. */
#include "haploom_r.h"

SEXP model_train(SEXP panel, SEXP kind, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    SEXP pointer = PROTECT(new_model_pointer());
    const char *name = text_of(kind, 0);
    haploom_model *made = NULL;
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK) status = haploom_train(panel_of(panel), name, call_options(call), &made);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(call, status, pointer);
    UNPROTECT(2);
    return list;
}

SEXP model_open(SEXP path) {
    SEXP pointer = PROTECT(new_model_pointer());
    const char *name = path_of(path);
    haploom_model *made = NULL;
    haploom_status status = haploom_model_open(name, &made);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(R_NilValue, status, pointer);
    UNPROTECT(1);
    return list;
}

SEXP model_from_bytes(SEXP bytes) {
    SEXP pointer = PROTECT(new_model_pointer());
    haploom_model *made = NULL;
    haploom_status status = haploom_model_from_bytes(RAW(bytes), (size_t)XLENGTH(bytes), &made);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(R_NilValue, status, pointer);
    UNPROTECT(1);
    return list;
}

SEXP model_to_bytes(SEXP model) {
    size_t size = 0;
    haploom_status status = haploom_model_to_bytes(model_of(model), NULL, 0, &size);
    if (status != HAPLOOM_OK) return reply(R_NilValue, status, R_NilValue);
    SEXP bytes = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)size));
    status = haploom_model_to_bytes(model_of(model), RAW(bytes), size, NULL);
    SEXP list = reply(R_NilValue, status, bytes);
    UNPROTECT(1);
    return list;
}

SEXP model_save(SEXP model, SEXP path) {
    return reply(R_NilValue, haploom_model_save(model_of(model), path_of(path)), R_NilValue);
}

SEXP model_kind(SEXP model) { return utf8(haploom_model_kind(model_of(model))); }

SEXP model_info(SEXP pointer) {
    const haploom_model *model = model_of(pointer);
    size_t n = haploom_model_info_count(model);
    const char *columns[] = {"name", "value", ""};
    SEXP list = PROTECT(Rf_mkNamed(VECSXP, columns));
    SET_VECTOR_ELT(list, 0, Rf_allocVector(STRSXP, (R_xlen_t)n));
    SET_VECTOR_ELT(list, 1, Rf_allocVector(STRSXP, (R_xlen_t)n));
    for (size_t i = 0; i < n; i++) {
        const char *name, *value;
        if (haploom_model_info(model, i, &name, &value) != HAPLOOM_OK) break;
        SET_STRING_ELT(VECTOR_ELT(list, 0), (R_xlen_t)i, Rf_mkCharCE(name, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(list, 1), (R_xlen_t)i, Rf_mkCharCE(value, CE_UTF8));
    }
    UNPROTECT(1);
    return list;
}

/* The share of each label, by name. */
SEXP model_labels(SEXP pointer) {
    const haploom_model *model = model_of(pointer);
    R_xlen_t n = (R_xlen_t)haploom_model_label_count(model);
    SEXP shares = PROTECT(Rf_allocVector(REALSXP, n));
    SEXP names = PROTECT(Rf_allocVector(STRSXP, n));
    for (R_xlen_t i = 0; i < n; i++) {
        REAL(shares)[i] = haploom_model_label_share(model, (size_t)i);
        SET_STRING_ELT(names, i, Rf_mkCharCE(haploom_model_label(model, (size_t)i), CE_UTF8));
    }
    Rf_setAttrib(shares, R_NamesSymbol, names);
    UNPROTECT(2);
    return shares;
}

void transpose(const float *from, size_t rows, size_t columns, double *to) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) to[i + j * rows] = from[i * columns + j];
}

SEXP model_conditionals(SEXP pointer, SEXP panel_pointer, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    const haploom_model *model = model_of(pointer);
    const haploom_panel *panel = panel_of(panel_pointer);
    size_t rows = haploom_panel_haplotypes(panel), columns = haploom_sites_count(haploom_model_sites(model));
    SEXP matrix = PROTECT(Rf_allocMatrix(REALSXP, (int)rows, (int)columns));
    /* Two floats in a double. */
    SEXP scratch = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)((rows * columns + 1) / 2)));
    float *probabilities = (float *)REAL(scratch);
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK)
        status = haploom_model_conditionals(model, panel, call_options(call), probabilities, rows * columns);
    if (status == HAPLOOM_OK) transpose(probabilities, rows, columns, REAL(matrix));
    SEXP list = reply(call, status, matrix);
    UNPROTECT(3);
    return list;
}

static void free_encoding(SEXP pointer) {
    haploom_encoding_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

SEXP model_encode(SEXP model, SEXP panel, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    /* The encoding is copied into matrices, and R may run out of memory over that: the pointer owns it until then. */
    SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
    R_RegisterCFinalizerEx(pointer, free_encoding, TRUE);
    haploom_encoding *encoding = NULL;
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK) status = haploom_encode(model_of(model), panel_of(panel), call_options(call), &encoding);
    R_SetExternalPtrAddr(pointer, encoding);
    if (status != HAPLOOM_OK) {
        SEXP list = reply(call, status, R_NilValue);
        UNPROTECT(2);
        return list;
    }
    size_t rows = haploom_encoding_haplotypes(encoding), units = haploom_encoding_hidden_units(encoding),
           components = haploom_encoding_components(encoding);
    const char *names[] = {"hidden", "projections", "singular_values", ""};
    SEXP value = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(value, 0, Rf_allocMatrix(REALSXP, (int)rows, (int)units));
    SET_VECTOR_ELT(value, 1, Rf_allocMatrix(REALSXP, (int)rows, (int)components));
    SET_VECTOR_ELT(value, 2, Rf_allocVector(REALSXP, (R_xlen_t)components));
    transpose(haploom_encoding_hidden(encoding), rows, units, REAL(VECTOR_ELT(value, 0)));
    transpose(haploom_encoding_projections(encoding), rows, components, REAL(VECTOR_ELT(value, 1)));
    for (size_t i = 0; i < components; i++)
        REAL(VECTOR_ELT(value, 2))[i] = haploom_encoding_singular_values(encoding)[i];
    free_encoding(pointer);
    SEXP list = reply(call, status, value);
    UNPROTECT(3);
    return list;
}
