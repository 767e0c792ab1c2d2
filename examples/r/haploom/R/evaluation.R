# How close artificial haplotypes are to real ones, and how much they leak.

evaluate <- function(real, artificial, held_out = NULL, ..., seed = 1, threads = default_threads(), progress = interactive()) {
    keys <- settings(..., seed = seed, threads = threads)
    real <- panel_pointer(real, "real")
    artificial <- panel_pointer(artificial, "artificial")
    if (!is.null(held_out)) held_out <- panel_pointer(held_out, "held_out")
    value <- answer(.Call(C_evaluation, real, artificial, held_out, keys, check_progress(progress)))
    columns <- c("name", "title", "value", "floor", "best", "deviation", "note")
    frame <- as.data.frame(value[columns], stringsAsFactors = FALSE)
    number <- vapply(frame, is.numeric, NA)
    frame[number] <- lapply(frame[number], function(x) ifelse(is.nan(x), NA_real_, x))
    rownames(frame) <- frame$name
    structure(frame, class = c("haploom_evaluation", "data.frame"), table = value$table, json = value$json, sizes = value$sizes)
}

print.haploom_evaluation <- function(x, ...) {
    table <- attr(x, "table")
    if (is.null(table)) {
        print.data.frame(x, ...)
    } else {
        cat(sub("\n*$", "\n", table))
    }
    invisible(x)
}

# Each number beside its floor and its best, on an axis of its own from its worst to its best.
plot.haploom_evaluation <- function(x, ...) {
    stop("later")
}
