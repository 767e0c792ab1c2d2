/* Handles of the library as external pointers. A tag says what a pointer is; R frees the handle when it collects the
 * pointer, and at its end. A pointer that comes from a saved workspace is NULL: the library takes NULL everywhere, and the
 * R functions refuse it before with a better text. */
#include "haploom_r.h"

static void free_panel(SEXP pointer) {
    haploom_panel_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

static void free_model(SEXP pointer) {
    haploom_model_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

static void free_sampler(SEXP pointer) {
    haploom_sampler_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

static void free_imputer(SEXP pointer) {
    haploom_imputer_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

static SEXP new_pointer(const char *tag, R_CFinalizer_t finalizer) {
    SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, Rf_install(tag), R_NilValue));
    R_RegisterCFinalizerEx(pointer, finalizer, TRUE);
    UNPROTECT(1);
    return pointer;
}

SEXP new_panel_pointer(void) { return new_pointer("haploom_panel", free_panel); }
SEXP new_model_pointer(void) { return new_pointer("haploom_model", free_model); }
SEXP new_sampler_pointer(void) { return new_pointer("haploom_sampler", free_sampler); }
SEXP new_imputer_pointer(void) { return new_pointer("haploom_imputer", free_imputer); }

/* The R functions look first; this is against .Call by hand. */
static void *handle_of(SEXP pointer, const char *tag) {
    if (TYPEOF(pointer) != EXTPTRSXP || R_ExternalPtrTag(pointer) != Rf_install(tag))
        Rf_error("not a pointer to a %s", tag);
    return R_ExternalPtrAddr(pointer);
}

const haploom_panel *panel_of(SEXP pointer) { return handle_of(pointer, "haploom_panel"); }
const haploom_model *model_of(SEXP pointer) { return handle_of(pointer, "haploom_model"); }
haploom_sampler *sampler_of(SEXP pointer) { return handle_of(pointer, "haploom_sampler"); }
const haploom_imputer *imputer_of(SEXP pointer) { return handle_of(pointer, "haploom_imputer"); }

const haploom_panel *panel_or_null(SEXP pointer) {
    return pointer == R_NilValue ? NULL : panel_of(pointer);
}

const haploom_model *model_or_null(SEXP pointer) {
    return pointer == R_NilValue ? NULL : model_of(pointer);
}

SEXP is_gone(SEXP pointer) {
    return Rf_ScalarLogical(TYPEOF(pointer) != EXTPTRSXP || R_ExternalPtrAddr(pointer) == NULL);
}
