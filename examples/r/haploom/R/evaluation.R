# How close artificial haplotypes are to real ones, and how much they leak.

evaluate <- function(real, artificial, held_out = NULL, ..., seed = 1, threads = getOption("haploom.threads", 1),
                     progress = interactive()) {
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

# A part of the numbers is a plain data frame: the table is of all of them.
`[.haploom_evaluation` <- function(x, ...) {
    part <- NextMethod()
    if (inherits(part, "haploom_evaluation")) as.data.frame(part) else part
}

print.haploom_evaluation <- function(x, ...) {
    cat(sub("\n*$", "\n", attr(x, "table")))
    invisible(x)
}

# Each number that lies between -1 and 1, beside its floor and its best.
plot.haploom_evaluation <- function(x, names = NULL, ...) {
    inside <- function(number) !is.na(number) & abs(number) <= 1
    if (is.null(names)) {
        shown <- which(inside(x$value) & inside(x$best) & (is.na(x$floor) | inside(x$floor)))
    } else {
        shown <- match(names, x$name)
        if (anyNA(shown)) refuse("there is no number ", names[is.na(shown)][1], " in this evaluation")
    }
    if (length(shown) == 0) refuse("there is no number to plot")
    # The first one on top, as in the table.
    x <- as.data.frame(x)[rev(shown), ]
    y <- seq_along(shown)
    margins <- par(mar = c(4, min(25, 1 + max(nchar(x$title)) / 2.2), 1, 1))
    on.exit(par(margins))
    plot(x$value, y, xlim = range(0, 1, x$value, x$floor, na.rm = TRUE), ylim = c(0.5, length(y) + 0.5), pch = 19, yaxt = "n",
         xlab = "", ylab = "", ...)
    abline(h = y, col = "grey90")
    axis(2, y, x$title, las = 1, tick = FALSE, cex.axis = 0.7)
    segments(x$value, y, x$floor, y, col = "grey60")
    points(x$best, y, pch = "|", col = "grey40")
    points(x$floor, y, pch = 1)
    points(x$value, y, pch = 19)
    legend("bottom", c("artificial", "floor (real people)", "best"), pch = c(19, 1, 124), horiz = TRUE, bty = "n", cex = 0.7)
    invisible(x)
}

as.data.frame.haploom_evaluation <- function(x, row.names = NULL, optional = FALSE, ...) {
    frame <- structure(x, class = "data.frame", table = NULL, json = NULL, sizes = NULL)
    if (!is.null(row.names)) rownames(frame) <- row.names
    frame
}
