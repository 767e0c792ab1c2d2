/* Texts, sites and samples between R and the library. */
#include "haploom_r.h"

const char *text_of(SEXP vector, R_xlen_t i) {
    SEXP text = STRING_ELT(vector, i);
    return text == NA_STRING ? NULL : Rf_translateCharUTF8(text);
}

const char *path_of(SEXP path) { return R_ExpandFileName(Rf_translateChar(STRING_ELT(path, 0))); }

SEXP utf8(const char *text) {
    SEXP string = PROTECT(Rf_mkCharCE(text == NULL ? "" : text, CE_UTF8));
    SEXP vector = Rf_ScalarString(string);
    UNPROTECT(1);
    return vector;
}

static void set_text(SEXP column, R_xlen_t i, const char *text) {
    SET_STRING_ELT(column, i, text == NULL ? NA_STRING : Rf_mkCharCE(text, CE_UTF8));
}

SEXP columns_of_sites(const haploom_sites *sites) {
    size_t n = haploom_sites_count(sites);
    const char *names[] = {"contig", "position", "id", "reference", "alternate", ""};
    SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int column = 0; column < 5; column++)
        SET_VECTOR_ELT(list, column, Rf_allocVector(column == 1 ? REALSXP : STRSXP, (R_xlen_t)n));
    for (size_t i = 0; i < n; i++) {
        const char *contig, *id, *reference, *alternate;
        uint64_t position;
        if (haploom_sites_get(sites, i, &contig, &position, &id, &reference, &alternate) != HAPLOOM_OK) break;
        set_text(VECTOR_ELT(list, 0), (R_xlen_t)i, contig);
        REAL(VECTOR_ELT(list, 1))[i] = (double)position;
        set_text(VECTOR_ELT(list, 2), (R_xlen_t)i, *id == '\0' ? NULL : id);
        set_text(VECTOR_ELT(list, 3), (R_xlen_t)i, reference);
        set_text(VECTOR_ELT(list, 4), (R_xlen_t)i, alternate);
    }
    UNPROTECT(1);
    return list;
}

SEXP sites_of(SEXP pointer) {
    SEXP tag = TYPEOF(pointer) == EXTPTRSXP ? R_ExternalPtrTag(pointer) : R_NilValue;
    if (tag == Rf_install("haploom_model")) return columns_of_sites(haploom_model_sites(model_of(pointer)));
    if (tag == Rf_install("haploom_sampler")) return columns_of_sites(haploom_sampler_sites(sampler_of(pointer)));
    if (tag == Rf_install("haploom_imputer")) return columns_of_sites(haploom_imputer_sites(imputer_of(pointer)));
    return columns_of_sites(haploom_panel_sites(panel_of(pointer)));
}

SEXP samples_of(SEXP pointer) {
    const haploom_samples *samples = haploom_panel_samples(panel_of(pointer));
    size_t n = haploom_samples_count(samples);
    const char *names[] = {"name", "ploidy", "label", ""};
    SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int column = 0; column < 3; column++)
        SET_VECTOR_ELT(list, column, Rf_allocVector(column == 1 ? INTSXP : STRSXP, (R_xlen_t)n));
    for (size_t i = 0; i < n; i++) {
        const char *name, *label;
        uint8_t ploidy;
        if (haploom_samples_get(samples, i, &name, &ploidy, &label, NULL) != HAPLOOM_OK) break;
        set_text(VECTOR_ELT(list, 0), (R_xlen_t)i, name);
        INTEGER(VECTOR_ELT(list, 1))[i] = ploidy;
        set_text(VECTOR_ELT(list, 2), (R_xlen_t)i, label);
    }
    UNPROTECT(1);
    return list;
}

/* A column of texts; NULL for R's NULL. */
static const char **texts(SEXP column) {
    if (column == R_NilValue) return NULL;
    R_xlen_t n = XLENGTH(column);
    const char **array = (const char **)R_alloc((size_t)n + 1, sizeof *array);
    for (R_xlen_t i = 0; i < n; i++) array[i] = text_of(column, i);
    return array;
}

/* The R functions have checked types and lengths: contig, position, id, reference, alternate; ids may be NULL. */
site_columns read_site_columns(SEXP list) {
    site_columns sites;
    SEXP positions = VECTOR_ELT(list, 1);
    sites.n = (size_t)XLENGTH(positions);
    sites.positions = (uint64_t *)R_alloc(sites.n + 1, sizeof *sites.positions);
    /* Anything that is no position becomes 0, which the library refuses with the number of the site. */
    for (size_t i = 0; i < sites.n; i++) {
        double position = REAL(positions)[i];
        sites.positions[i] = position >= 1 && position < 9e15 ? (uint64_t)position : 0;
    }
    sites.contigs = texts(VECTOR_ELT(list, 0));
    sites.ids = texts(VECTOR_ELT(list, 2));
    sites.references = texts(VECTOR_ELT(list, 3));
    sites.alternates = texts(VECTOR_ELT(list, 4));
    return sites;
}

/* name, ploidy, label; labels may be NULL. A ploidy that is no byte becomes 0, which the library refuses by name. */
sample_columns read_sample_columns(SEXP list) {
    sample_columns samples;
    SEXP ploidy = VECTOR_ELT(list, 1);
    samples.n = (size_t)XLENGTH(ploidy);
    samples.ploidy = (uint8_t *)R_alloc(samples.n + 1, 1);
    for (size_t i = 0; i < samples.n; i++) {
        int value = INTEGER(ploidy)[i];
        samples.ploidy[i] = value >= 0 && value <= 255 ? (uint8_t)value : 0;
    }
    samples.names = texts(VECTOR_ELT(list, 0));
    samples.labels = texts(VECTOR_ELT(list, 2));
    return samples;
}
