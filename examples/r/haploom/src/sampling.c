/* Streams of artificial haplotypes: matrices, panels, augmented files.
 *
 * One call at a time may use a sampler, and a progress function could try to use it again: the pointer's protected slot says
 * that it is in use. */
#include "haploom_r.h"

static int in_use(SEXP pointer) { return R_ExternalPtrProtected(pointer) != R_NilValue; }
static void use(SEXP pointer) { R_SetExternalPtrProtected(pointer, R_ExternalPtrTag(pointer)); }
static void release(SEXP pointer) { R_SetExternalPtrProtected(pointer, R_NilValue); }
static SEXP refuse_use(void) {
    return refusal(HAPLOOM_INVALID_ARGUMENT, "the sampler is in use by the call whose progress this is; make another one");
}

SEXP sampler_new(SEXP model, SEXP start, SEXP first, SEXP keys) {
    SEXP call = PROTECT(new_call(keys, R_NilValue));
    SEXP pointer = PROTECT(new_sampler_pointer());
    haploom_sampler *made = NULL;
    haploom_status status = call_status(call);
    if (status == HAPLOOM_OK) status = haploom_sampler_new(model_of(model), panel_or_null(start), call_options(call), &made);
    R_SetExternalPtrAddr(pointer, made);
    if (status == HAPLOOM_OK) status = haploom_sampler_seek(made, (uint64_t)REAL(first)[0]);
    SEXP list = reply(call, status, pointer);
    UNPROTECT(2);
    return list;
}

SEXP sampler_position(SEXP sampler) { return Rf_ScalarReal((double)haploom_sampler_position(sampler_of(sampler))); }

SEXP sampler_end(SEXP sampler) { return Rf_ScalarReal((double)haploom_sampler_end(sampler_of(sampler))); }

SEXP sampler_seek(SEXP sampler, SEXP to) {
    if (in_use(sampler)) return refuse_use();
    return reply(R_NilValue, haploom_sampler_seek(sampler_of(sampler), (uint64_t)REAL(to)[0]), R_NilValue);
}

/* The next n haplotypes as a matrix, haplotypes x sites. The stream was made with layout=sites and packing=bytes: a buffer
 * of rows of sites is a piece of R's columns. An interrupt leaves the stream where it was. */
SEXP sampler_next(SEXP pointer, SEXP count, SEXP raw, SEXP progress) {
    haploom_sampler *sampler = sampler_of(pointer);
    if (in_use(pointer)) return refuse_use();
    int as_raw = LOGICAL(raw)[0];
    size_t n = (size_t)REAL(count)[0], sites = haploom_sites_count(haploom_sampler_sites(sampler));
    uint64_t began = haploom_sampler_position(sampler), end = haploom_sampler_end(sampler);
    if (end - began < n)
        return refusal(HAPLOOM_INVALID_ARGUMENT, "%.0f haplotypes are asked for, and %.0f are left in the stream", (double)n,
                       (double)(end - began));
    SEXP no_keys = PROTECT(Rf_allocVector(VECSXP, 0));
    SEXP call = PROTECT(new_call(no_keys, progress));
    SEXP matrix = PROTECT(Rf_allocMatrix(as_raw ? RAWSXP : INTSXP, (int)n, (int)sites));
    /* The library draws 480 haplotypes at a time on a thread: pieces are multiples of that, up to 64 MB. */
    size_t piece = 480, most = sites == 0 ? 1 : ((size_t)64 << 20) / (piece * sites);
    piece *= most < 1 ? 1 : most > 32 ? 32 : most;
    if (piece > n) piece = n;
    SEXP buffer = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)(piece * sites)));

    haploom_status status = HAPLOOM_OK;
    use(pointer);
    size_t done = 0;
    int stopped = 0;
    while (done < n && !stopped) {
        size_t wanted = n - done < piece ? n - done : piece, got = 0;
        status = haploom_sampler_next(sampler, RAW(buffer), wanted * sites, &got);
        if (status != HAPLOOM_OK || got == 0) break;
        for (size_t site = 0; site < sites; site++) {
            const uint8_t *from = RAW(buffer) + site * wanted;
            size_t to = done + site * n;
            for (size_t i = 0; i < got; i++) {
                if (as_raw) RAW(matrix)[to + i] = from[i];
                else INTEGER(matrix)[to + i] = from[i];
            }
        }
        done += got;
        stopped = call_step(call, "sampling", "haplotypes", (double)done, (double)n);
    }
    release(pointer);
    if (status == HAPLOOM_OK && (stopped || done < n)) status = haploom_sampler_seek(sampler, began);
    SEXP list = reply(call, status, matrix);
    UNPROTECT(4);
    return list;
}

SEXP sampler_panel(SEXP pointer, SEXP count, SEXP keys, SEXP progress) {
    if (in_use(pointer)) return refuse_use();
    SEXP call = PROTECT(new_call(keys, progress));
    SEXP panel = PROTECT(new_panel_pointer());
    haploom_panel *made = NULL;
    haploom_status status = call_status(call);
    use(pointer);
    if (status == HAPLOOM_OK)
        status = haploom_sampler_panel(sampler_of(pointer), (size_t)REAL(count)[0], call_options(call), &made);
    release(pointer);
    R_SetExternalPtrAddr(panel, made);
    SEXP list = reply(call, status, panel);
    UNPROTECT(2);
    return list;
}

SEXP sampler_augment(SEXP pointer, SEXP count, SEXP input, SEXP output, SEXP keys, SEXP progress) {
    if (in_use(pointer)) return refuse_use();
    SEXP call = PROTECT(new_call(keys, progress));
    /* The second name may lie where R_ExpandFileName() keeps the first. */
    SEXP in = PROTECT(Rf_mkString(path_of(input)));
    const char *from = CHAR(STRING_ELT(in, 0)), *to = path_of(output);
    haploom_status status = call_status(call);
    use(pointer);
    if (status == HAPLOOM_OK)
        status = haploom_augment(sampler_of(pointer), (size_t)REAL(count)[0], from, to, call_options(call));
    release(pointer);
    SEXP list = reply(call, status, R_NilValue);
    UNPROTECT(2);
    return list;
}
