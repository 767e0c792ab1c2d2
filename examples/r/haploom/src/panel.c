/* Panels: opening, matrices in and out, parts, writing. */
#include "haploom_r.h"

SEXP panel_open(SEXP path, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    SEXP pointer = PROTECT(new_panel_pointer());
    const char *name = path_of(path);
    haploom_panel *made = NULL;
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK) status = haploom_panel_open(name, call_options(call), &made);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(call, status, pointer);
    UNPROTECT(2);
    return list;
}

SEXP panel_demo(SEXP part) {
    SEXP pointer = PROTECT(new_panel_pointer());
    haploom_panel *made = NULL;
    haploom_status status = haploom_panel_demo(INTEGER(part)[0], &made);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(R_NilValue, status, pointer);
    UNPROTECT(1);
    return list;
}

uint8_t allele_of(SEXP matrix, R_xlen_t i) {
    switch (TYPEOF(matrix)) {
    case RAWSXP: return RAW(matrix)[i];
    case REALSXP: {
        double value = REAL(matrix)[i];
        return ISNAN(value) ? HAPLOOM_MISSING_ALLELE : value == 0 ? 0 : value == 1 ? 1 : 254;
    }
    default: {
        /* Integers and logicals lie alike. */
        int value = TYPEOF(matrix) == LGLSXP ? LOGICAL(matrix)[i] : INTEGER(matrix)[i];
        return value == NA_INTEGER ? HAPLOOM_MISSING_ALLELE : value == 0 ? 0 : value == 1 ? 1 : 254;
    }
    }
}

SEXP panel_from_matrix(SEXP matrix, SEXP site_list, SEXP sample_list) {
    SEXP pointer = PROTECT(new_panel_pointer());
    R_xlen_t rows = Rf_nrows(matrix), cells = XLENGTH(matrix);
    SEXP bytes = PROTECT(TYPEOF(matrix) == RAWSXP ? matrix : Rf_allocVector(RAWSXP, cells));
    for (R_xlen_t i = 0; i < cells; i++) {
        uint8_t byte = allele_of(matrix, i);
        if (byte > 1 && byte != HAPLOOM_MISSING_ALLELE) {
            UNPROTECT(2);
            return refusal(HAPLOOM_INVALID_ARGUMENT, "row %.0f, column %.0f of the matrix is no allele; alleles are 0, 1 or NA",
                           (double)(i % rows + 1), (double)(i / rows + 1));
        }
        if (bytes != matrix) RAW(bytes)[i] = byte;
    }
    site_columns sites = read_site_columns(site_list);
    sample_columns samples = {0, NULL, NULL, NULL};
    if (sample_list != R_NilValue) samples = read_sample_columns(sample_list);

    /* From here to the reply nothing is allocated in R. */
    haploom_sites *of_sites = NULL;
    haploom_samples *of_samples = NULL;
    haploom_panel *made = NULL;
    haploom_status status =
        haploom_sites_new(sites.n, sites.contigs, sites.positions, sites.ids, sites.references, sites.alternates, &of_sites);
    if (status == HAPLOOM_OK && sample_list != R_NilValue)
        status = haploom_samples_new(samples.n, samples.names, samples.ploidy, samples.labels, &of_samples);
    /* R's columns are sites, and the alleles of a column follow each other. */
    if (status == HAPLOOM_OK)
        status = haploom_panel_from_bytes(of_sites, of_samples, RAW(bytes), (size_t)rows, 1, (size_t)rows, &made);
    haploom_sites_free(of_sites);
    haploom_samples_free(of_samples);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(R_NilValue, status, pointer);
    UNPROTECT(2);
    return list;
}

/* Haplotypes, sites, samples, missing alleles, unphased genotypes. */
SEXP panel_shape(SEXP pointer) {
    const haploom_panel *panel = panel_of(pointer);
    const char *names[] = {"haplotypes", "sites", "samples", "missing", "unphased", ""};
    SEXP shape = PROTECT(Rf_mkNamed(REALSXP, names));
    REAL(shape)[0] = (double)haploom_panel_haplotypes(panel);
    REAL(shape)[1] = (double)haploom_sites_count(haploom_panel_sites(panel));
    REAL(shape)[2] = (double)haploom_samples_count(haploom_panel_samples(panel));
    REAL(shape)[3] = (double)haploom_panel_missing(panel);
    REAL(shape)[4] = (double)haploom_panel_unphased(panel);
    UNPROTECT(1);
    return shape;
}

/* How many of the numbers from `i` on follow each other. */
static R_xlen_t run_length(SEXP numbers, R_xlen_t i) {
    R_xlen_t n = XLENGTH(numbers), end = i + 1;
    while (end < n && REAL(numbers)[end] == REAL(numbers)[end - 1] + 1) end++;
    return end - i;
}

/* The alleles of some haplotypes at some sites, numbers from 1, as a matrix: runs of numbers are windows of the library. */
SEXP panel_window(SEXP pointer, SEXP haplotypes, SEXP sites, SEXP raw) {
    const haploom_panel *panel = panel_of(pointer);
    R_xlen_t rows = XLENGTH(haplotypes), columns = XLENGTH(sites);
    int as_raw = LOGICAL(raw)[0];
    SEXP matrix = PROTECT(Rf_allocMatrix(as_raw ? RAWSXP : INTSXP, (int)rows, (int)columns));
    /* Integers are widened by the column, from bytes of as many columns as fit 4 MB: less than the matrix itself. */
    R_xlen_t block = as_raw || rows == 0 ? columns : (1 << 22) / rows + 1;
    if (block > columns) block = columns;
    SEXP scratch = PROTECT(as_raw ? matrix : Rf_allocVector(RAWSXP, rows * block));
    haploom_status status = HAPLOOM_OK;
    for (R_xlen_t first = 0; first < columns && status == HAPLOOM_OK; first += block) {
        R_xlen_t width = columns - first < block ? columns - first : block;
        for (R_xlen_t j = 0; j < width && status == HAPLOOM_OK;) {
            R_xlen_t across = run_length(sites, first + j);
            if (across > width - j) across = width - j;
            for (R_xlen_t i = 0; i < rows && status == HAPLOOM_OK;) {
                R_xlen_t down = run_length(haplotypes, i);
                size_t offset = (size_t)(i + j * rows);
                status = haploom_panel_to_bytes(panel, (size_t)REAL(haplotypes)[i] - 1, (size_t)down,
                                                (size_t)REAL(sites)[first + j] - 1, (size_t)across, RAW(scratch) + offset,
                                                (size_t)(rows * width) - offset, 1, (size_t)rows);
                i += down;
            }
            j += across;
        }
        for (R_xlen_t i = 0; !as_raw && i < rows * width; i++) {
            uint8_t byte = RAW(scratch)[i];
            INTEGER(matrix)[first * rows + i] = byte == HAPLOOM_MISSING_ALLELE ? NA_INTEGER : byte;
        }
        R_CheckUserInterrupt();
    }
    SEXP list = reply(R_NilValue, status, matrix);
    UNPROTECT(2);
    return list;
}

SEXP panel_frequencies(SEXP pointer) {
    const haploom_panel *panel = panel_of(pointer);
    size_t n = haploom_sites_count(haploom_panel_sites(panel));
    SEXP numbers = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)n));
    SEXP list = reply(R_NilValue, haploom_panel_frequencies(panel, REAL(numbers), n), numbers);
    UNPROTECT(1);
    return list;
}

SEXP panel_fingerprint(SEXP pointer) {
    char text[65] = "";
    haploom_panel_fingerprint(panel_of(pointer), text, sizeof text);
    return utf8(text);
}

SEXP panel_select(SEXP panel, SEXP keys) {
    SEXP call = PROTECT(new_call(keys, R_NilValue));
    SEXP pointer = PROTECT(new_panel_pointer());
    haploom_panel *made = NULL;
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK) status = haploom_panel_select(panel_of(panel), call_options(call), &made);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(call, status, pointer);
    UNPROTECT(2);
    return list;
}

SEXP panel_with_samples(SEXP panel, SEXP sample_list) {
    SEXP pointer = PROTECT(new_panel_pointer());
    const haploom_panel *old = panel_of(panel);
    sample_columns columns = read_sample_columns(sample_list);
    haploom_samples *samples = NULL;
    haploom_panel *made = NULL;
    haploom_status status = haploom_samples_new(columns.n, columns.names, columns.ploidy, columns.labels, &samples);
    if (status == HAPLOOM_OK) status = haploom_panel_with_samples(old, samples, &made);
    haploom_samples_free(samples);
    R_SetExternalPtrAddr(pointer, made);
    SEXP list = reply(R_NilValue, status, pointer);
    UNPROTECT(1);
    return list;
}

SEXP panel_write(SEXP panel, SEXP path, SEXP keys, SEXP progress) {
    SEXP call = PROTECT(new_call(keys, progress));
    const char *name = path_of(path);
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK) status = haploom_panel_write(panel_of(panel), name, call_options(call));
    SEXP list = reply(call, status, R_NilValue);
    UNPROTECT(1);
    return list;
}
