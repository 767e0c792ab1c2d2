/* One call of the library: its options, its progress, its outcome.
 *
 * R leaves functions by longjmp: at errors, at interrupts, and where memory runs out. None of that may cross the library, so
 * the progress function does all it does with R inside R_ToplevelExec, and R_tryCatch inside that keeps the condition; the
 * call is stopped, and the R function raises the condition again when the library has returned. */
#include "haploom_r.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Kept in the call's external pointer, a list that R's collector sees. */
enum { NOTICES, MEASURED, CONDITION, KEPT };

enum stop { GOES_ON, INTERRUPTED, RAISED, ASKED };

typedef struct {
    haploom_options *options;
    haploom_status status;
    SEXP self;     /* the external pointer */
    SEXP function; /* R's progress function, or R's NULL; an argument of the .Call, so R keeps it */
    int bar;
    /* The bar as it stands: what it shows of which phase, and how wide the line is. */
    char phase[40];
    int percent, width;
    time_t drawn;
    enum stop stop;
} call_state;

/* An event, from the library or from a loop of this package. Texts live as long as the progress function runs. */
typedef struct {
    call_state *call;
    int32_t kind;
    const char *text, *unit;
    double done, total, value;
} happening;

static void free_call(SEXP pointer) {
    call_state *state = R_ExternalPtrAddr(pointer);
    if (state == NULL) return;
    haploom_options_free(state->options);
    free(state);
    R_ClearExternalPtr(pointer);
}

static call_state *state_of(SEXP call) { return R_ExternalPtrAddr(call); }

/* ---- options */

static haploom_status set_option(haploom_options *options, const char *key, SEXP value) {
    switch (TYPEOF(value)) {
    case LGLSXP: return haploom_options_set_string(options, key, LOGICAL(value)[0] ? "true" : "false");
    case INTSXP: return haploom_options_set_int(options, key, INTEGER(value)[0]);
    case REALSXP: {
        double number = REAL(value)[0];
        /* R's 20 is a double: what is whole is told as whole. */
        if (number == (double)(int64_t)number && number < 9e15 && number > -9e15)
            return haploom_options_set_int(options, key, (int64_t)number);
        return haploom_options_set_double(options, key, number);
    }
    default: return haploom_options_set_string(options, key, text_of(value, 0));
    }
}

/* ---- progress */

static void erase_bar(call_state *call) {
    if (call->width == 0) return;
    REprintf("\r%*s\r", call->width, "");
    call->width = 0;
}

static void draw_bar(call_state *call, const happening *event) {
    static const char full[] = "==============================";
    int cells = (int)sizeof full - 1;
    int percent = event->total > 0 ? (int)(100 * event->done / event->total) : -1;
    time_t now = time(NULL);
    int same_phase = strncmp(call->phase, event->text, sizeof call->phase - 1) == 0;
    /* A line a percent, or a second where the whole is not known. */
    if (call->width > 0 && same_phase && (percent >= 0 ? percent == call->percent : now == call->drawn)) return;
    char line[160];
    if (percent >= 0) {
        if (percent > 100) percent = 100;
        snprintf(line, sizeof line, "%.39s [%-*.*s] %3d%% %.0f of %.0f %.20s", event->text, cells, percent * cells / 100, full,
                 percent, event->done, event->total, event->unit);
    } else {
        snprintf(line, sizeof line, "%.39s: %.0f %.20s", event->text, event->done, event->unit);
    }
    int width = (int)strlen(line);
    REprintf("\r%s%*s", line, call->width > width ? call->width - width : 0, "");
    call->width = width;
    call->percent = percent;
    call->drawn = now;
    snprintf(call->phase, sizeof call->phase, "%s", event->text);
    R_FlushConsole();
}

static const char *kind_name(int32_t kind) {
    switch (kind) {
    case HAPLOOM_EVENT_STEP: return "step";
    case HAPLOOM_EVENT_MEASURED: return "measured";
    case HAPLOOM_EVENT_NOTICE: return "notice";
    default: return "other";
    }
}

static SEXP event_list(const happening *event) {
    const char *names[] = {"kind", "text", "unit", "done", "total", "value", ""};
    SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(list, 0, Rf_mkString(kind_name(event->kind)));
    SET_VECTOR_ELT(list, 1, utf8(event->text));
    SET_VECTOR_ELT(list, 2, utf8(event->unit));
    SET_VECTOR_ELT(list, 3, Rf_ScalarReal(event->done));
    SET_VECTOR_ELT(list, 4, Rf_ScalarReal(event->total));
    SET_VECTOR_ELT(list, 5, Rf_ScalarReal(event->value));
    UNPROTECT(1);
    return list;
}

/* Puts a thing before a list that the call keeps. */
static void keep(call_state *call, int where, SEXP thing) {
    PROTECT(thing);
    SEXP kept = R_ExternalPtrProtected(call->self);
    SET_VECTOR_ELT(kept, where, Rf_cons(thing, VECTOR_ELT(kept, where)));
    UNPROTECT(1);
}

/* All that is done with R at an event. It may raise any condition. */
static SEXP attend(void *data) {
    const happening *event = data;
    call_state *call = event->call;
    R_CheckUserInterrupt();
    if (event->kind == HAPLOOM_EVENT_NOTICE) keep(call, NOTICES, utf8(event->text));
    if (event->kind == HAPLOOM_EVENT_MEASURED) keep(call, MEASURED, event_list(event));
    if (event->kind == HAPLOOM_EVENT_STEP && call->bar) draw_bar(call, event);
    if (call->function != R_NilValue) {
        SEXP list = PROTECT(event_list(event));
        SEXP expression = PROTECT(Rf_lang2(call->function, list));
        SEXP answer = PROTECT(Rf_eval(expression, R_GlobalEnv));
        if (TYPEOF(answer) == LGLSXP && XLENGTH(answer) == 1 && LOGICAL(answer)[0] == FALSE) call->stop = ASKED;
        UNPROTECT(3);
    }
    return R_NilValue;
}

static SEXP raised(SEXP condition, void *data) {
    call_state *call = ((happening *)data)->call;
    call->stop = Rf_inherits(condition, "interrupt") ? INTERRUPTED : RAISED;
    SET_VECTOR_ELT(R_ExternalPtrProtected(call->self), CONDITION, condition);
    return R_NilValue;
}

static void attend_and_catch(void *data) {
    SEXP classes = PROTECT(Rf_allocVector(STRSXP, 2));
    SET_STRING_ELT(classes, 0, Rf_mkChar("interrupt"));
    SET_STRING_ELT(classes, 1, Rf_mkChar("error"));
    R_tryCatch(attend, data, classes, raised, data, NULL, NULL);
    UNPROTECT(1);
}

static int32_t happened(happening *event) {
    call_state *call = event->call;
    if (call->stop != GOES_ON) return 1;
    /* What R_tryCatch does not catch, such as a jump to the top level, ends here. */
    if (!R_ToplevelExec(attend_and_catch, event) && call->stop == GOES_ON) call->stop = INTERRUPTED;
    return call->stop != GOES_ON;
}

static int32_t progress(void *user, const haploom_event *event) {
    happening it = {user,
                    haploom_event_kind(event),
                    haploom_event_text(event),
                    haploom_event_unit(event),
                    (double)haploom_event_done(event),
                    (double)haploom_event_total(event),
                    haploom_event_value(event)};
    return happened(&it);
}

int call_step(SEXP call, const char *phase, const char *unit, double done, double total) {
    happening it = {state_of(call), HAPLOOM_EVENT_STEP, phase, unit, done, total, R_NaN};
    return happened(&it);
}

/* ---- a call and its outcome */

SEXP new_call(SEXP keys, SEXP progress_argument) {
    SEXP kept = PROTECT(Rf_allocVector(VECSXP, KEPT));
    SEXP call = PROTECT(R_MakeExternalPtr(NULL, Rf_install("haploom_call"), kept));
    R_RegisterCFinalizerEx(call, free_call, TRUE);
    /* Texts of options are translated here: before the options exist, so that nothing is lost if R runs out of memory. */
    R_xlen_t n = XLENGTH(keys);
    SEXP names = PROTECT(Rf_getAttrib(keys, R_NamesSymbol));
    call_state *state = calloc(1, sizeof *state);
    if (state == NULL) Rf_error("no memory for the options of a call");
    R_SetExternalPtrAddr(call, state);
    state->self = call;
    state->function = Rf_isFunction(progress_argument) ? progress_argument : R_NilValue;
    state->bar = TYPEOF(progress_argument) == LGLSXP && XLENGTH(progress_argument) == 1 && LOGICAL(progress_argument)[0] == TRUE;
    state->status = haploom_options_new(&state->options);
    for (R_xlen_t i = 0; i < n && state->status == HAPLOOM_OK; i++)
        state->status = set_option(state->options, text_of(names, i), VECTOR_ELT(keys, i));
    if (state->status == HAPLOOM_OK) state->status = haploom_options_set_progress(state->options, progress, state);
    UNPROTECT(3);
    return call;
}

haploom_status call_status(SEXP call) { return state_of(call)->status; }
const haploom_options *call_options(SEXP call) { return state_of(call)->options; }

/* A list that keep() made, first things first. */
static SEXP in_order(SEXP kept) {
    R_xlen_t n = Rf_xlength(kept);
    SEXP list = PROTECT(Rf_allocVector(VECSXP, n));
    for (R_xlen_t i = n - 1; i >= 0; i--, kept = CDR(kept)) SET_VECTOR_ELT(list, i, CAR(kept));
    UNPROTECT(1);
    return list;
}

static SEXP new_reply(haploom_status status, const char *text, SEXP value) {
    const char *names[] = {"value", "status", "name", "text", "notices", "measured", "condition", "stop", ""};
    PROTECT(value);
    SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(list, 0, status == HAPLOOM_OK ? value : R_NilValue);
    SET_VECTOR_ELT(list, 1, Rf_ScalarInteger(status));
    SET_VECTOR_ELT(list, 2, Rf_mkString(haploom_status_name(status)));
    SET_VECTOR_ELT(list, 3, utf8(text));
    SET_VECTOR_ELT(list, 7, Rf_mkString("no"));
    UNPROTECT(2);
    return list;
}

SEXP reply(SEXP call, haploom_status status, SEXP value) {
    PROTECT(value);
    const char *text = "";
    if (status != HAPLOOM_OK) {
        size_t size = haploom_last_error(NULL, 0) + 1;
        char *buffer = R_alloc(size, 1);
        haploom_last_error(buffer, size);
        text = buffer;
    }
    SEXP list = PROTECT(new_reply(status, text, value));
    if (call != R_NilValue) {
        static const char *stops[] = {"no", "interrupted", "raised", "asked"};
        call_state *state = state_of(call);
        SEXP kept = R_ExternalPtrProtected(call);
        erase_bar(state);
        SET_VECTOR_ELT(list, 4, in_order(VECTOR_ELT(kept, NOTICES)));
        SET_VECTOR_ELT(list, 5, in_order(VECTOR_ELT(kept, MEASURED)));
        SET_VECTOR_ELT(list, 6, VECTOR_ELT(kept, CONDITION));
        SET_VECTOR_ELT(list, 7, Rf_mkString(stops[state->stop]));
        free_call(call);
    }
    UNPROTECT(2);
    return list;
}

SEXP refusal(haploom_status status, const char *format, ...) {
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return new_reply(status, text, R_NilValue);
}
