# One call of the library: what goes in, what comes out, and the conditions that it may end with.

# A condition with the status of the library in its class: haploom_NO_OVERLAP, haploom_error, error, condition.
failure <- function(name, text, call, status = NA_integer_) {
    structure(class = c(paste0("haploom_", name), "haploom_error", "error", "condition"),
              list(message = text, call = call, status = name, number = status))
}

# The refusal of an argument that never gets to the library.
refuse <- function(..., call = sys.call(sys.parent())) {
    stop(failure("INVALID_ARGUMENT", paste0(...), call, -1L))
}

# The value of a reply, or the condition that it holds. `reply` is the .Call itself; `call` is what the user called.
answer <- function(reply, call = sys.call(sys.parent()), remedy = "") {
    force(call)
    if (reply$stop == "interrupted") {
        # An interrupt, as R makes it, so that tryCatch(interrupt = ) has it; nobody's error handler takes it.
        stop(structure(class = c("haploom_CANCELLED", "interrupt", "condition"),
                       list(message = paste0("interrupted", remedy), call = call, status = "CANCELLED")))
    }
    if (reply$stop == "raised") stop(reply$condition)
    for (text in reply$notices) {
        message(structure(class = c("haploom_notice", "message", "condition"),
                          list(message = paste0(text, "\n"), call = call)))
    }
    if (reply$status != 0L) stop(failure(reply$name, reply$text, call, reply$status))
    reply$value
}

# Option keys and their values for the library: NULL is left out, which leaves the default. Whether a key exists and what
# it takes is the library's to say.
settings <- function(..., call = sys.call(sys.parent())) {
    force(call)
    given <- list(...)
    keys <- names(given)
    if (length(given) > 0 && (is.null(keys) || any(is.na(keys) | keys == ""))) {
        refuse("options are given by name, such as epochs = 20; haploom_options() lists them", call = call)
    }
    given <- given[!vapply(given, is.null, NA)]
    if (!"device" %in% names(given)) given$device <- getOption("haploom.device")
    twice <- names(given)[duplicated(names(given))]
    if (length(twice) > 0) refuse("option ", twice[1], " is given twice", call = call)
    for (key in names(given)) {
        value <- given[[key]]
        if (is.factor(value)) value <- as.character(value)
        if (!(is.character(value) || is.logical(value) || is.numeric(value)) || length(value) == 0 || anyNA(value)) {
            refuse("option ", key, " has to be a text, a number or TRUE or FALSE, and not NA", call = call)
        }
        if (is.character(value)) value <- paste(enc2utf8(value), collapse = ",")
        if (length(value) != 1) refuse("option ", key, " takes one value, and there are ", length(value), call = call)
        given[[key]] <- as.vector(value)
    }
    given
}

# The file that an option names, with the ~ of its folder; "^~/file" too.
expanded <- function(file) {
    if (!is.character(file)) return(file)
    left_out <- startsWith(file, "^")
    paste0(ifelse(left_out, "^", ""), path.expand(substring(file, 1 + left_out)))
}

# The external pointer of an object of this package, checked.
pointer <- function(object, class, what = class, call = sys.call(sys.parent())) {
    force(call)
    kind <- sub("haploom_", "", class)
    if (!inherits(object, class)) {
        made_by <- c(panel = "panel(), demo_panel() or as_panel()", model = "train(), read_model() or model_from_raw()",
                     sampler = "sampler()")[[kind]]
        refuse(what, " has to be a ", kind, " (see ", made_by, ") and not ", class(object)[1], call = call)
    }
    if (is_gone(object)) refuse(gone_text(kind), call = call)
    object$pointer
}

is_gone <- function(object) .Call(C_is_gone, object$pointer)

gone_text <- function(kind) {
    remedy <- c(panel = "read it from its file again",
                model = "keep write_model(), or as.raw() and model_from_raw(), beside a workspace",
                sampler = "make it again from its model")[[kind]]
    paste0("this ", kind, " is from a saved workspace or from another process, and its memory is gone; ", remedy)
}

panel_pointer <- function(object, what = "panel", call = sys.call(sys.parent())) {
    force(call)
    pointer(object, "haploom_panel", what, call)
}
model_pointer <- function(object, what = "model", call = sys.call(sys.parent())) {
    force(call)
    pointer(object, "haploom_model", what, call)
}

# A text that is not empty and not NA.
check_text <- function(text, what, call = sys.call(sys.parent())) {
    force(call)
    if (!is.character(text) || length(text) != 1 || is.na(text) || text == "") {
        refuse(what, " has to be one text", call = call)
    }
    text
}

# A whole number that R holds exactly.
check_count <- function(n, what, least = 1, most = 2^53, call = sys.call(sys.parent())) {
    force(call)
    if (!is.numeric(n) || length(n) != 1 || is.na(n) || n < least || n > most || n != floor(n)) {
        refuse(what, " has to be one whole number, at least ", least, if (most < 2^53) paste0(" and at most ", most), call = call)
    }
    as.double(n)
}

check_progress <- function(progress, call = sys.call(sys.parent())) {
    force(call)
    if (is.function(progress) || isTRUE(progress) || isFALSE(progress)) return(progress)
    refuse("progress has to be TRUE, FALSE or a function of an event", call = call)
}
