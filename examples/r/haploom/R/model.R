# Models: training, files, what they know of a panel.

new_model <- function(pointer, measured = NULL) structure(list(pointer = pointer, measured = measured), class = "haploom_model")

train <- function(panel, kind = "rbm", ..., seed = 1, threads = getOption("haploom.threads", 1), checkpoint = NULL,
                  resume = FALSE, k = NULL, progress = interactive()) {
    # The option k is an argument, as R would else take k = 10 for an abbreviated kind = 10.
    keys <- settings(..., k = k, seed = seed, threads = threads, checkpoint = expanded(checkpoint),
                     resume = if (isFALSE(resume)) NULL else resume)
    pointer <- panel_pointer(panel)
    reply <- .Call(C_model_train, pointer, check_text(kind, "kind"), keys, check_progress(progress))
    remedy <- if (is.null(checkpoint)) "" else "; the same call with resume = TRUE goes on from the checkpoint"
    new_model(answer(reply, remedy = remedy), measured_frame(reply$measured))
}

# What was measured on the way, a row a number.
measured_frame <- function(events) {
    data.frame(name = vapply(events, function(e) e$text, ""), step = vapply(events, function(e) e$done, 0),
               value = vapply(events, function(e) e$value, 0), stringsAsFactors = FALSE)
}

measured <- function(model) {
    model_pointer(model)
    if (is.null(model$measured)) measured_frame(list()) else model$measured
}

read_model <- function(file) new_model(answer(.Call(C_model_open, check_text(file, "file"))))

write_model <- function(model, file) {
    answer(.Call(C_model_save, model_pointer(model), check_text(file, "file")))
    invisible(file)
}

model_from_raw <- function(bytes) {
    if (!is.raw(bytes)) refuse("bytes has to be a raw vector, as as.raw() makes it of a model")
    new_model(answer(.Call(C_model_from_bytes, bytes)))
}

as.raw.haploom_model <- function(x) answer(.Call(C_model_to_bytes, model_pointer(x, "x")))

summary.haploom_model <- function(object, ...) {
    as.data.frame(.Call(C_model_info, model_pointer(object, "object")), stringsAsFactors = FALSE)
}

print.haploom_model <- function(x, ...) {
    if (is_gone(x)) {
        cat("<haploom model: ", gone_text("model"), ">\n", sep = "")
        return(invisible(x))
    }
    cat("haploom model: ", .Call(C_model_kind, x$pointer), "\n", sep = "")
    info <- .Call(C_model_info, x$pointer)
    cat(paste0("  ", format(info$name), "  ", info$value, "\n"), sep = "")
    invisible(x)
}

labels.haploom_model <- function(object, ...) .Call(C_model_labels, model_pointer(object, "object"))

conditionals <- function(model, panel, threads = getOption("haploom.threads", 1), progress = interactive()) {
    keys <- settings(threads = threads)
    model <- model_pointer(model)
    pointer <- panel_pointer(panel)
    matrix <- answer(.Call(C_model_conditionals, model, pointer, keys, check_progress(progress)))
    dimnames(matrix) <- list(haplotype_names(.Call(C_samples_of, pointer)), site_names(.Call(C_sites_of, model)))
    matrix
}

encode <- function(model, panel, components = NULL, ..., threads = getOption("haploom.threads", 1), progress = interactive()) {
    keys <- settings(components = components, ..., threads = threads)
    pointer <- panel_pointer(panel)
    value <- answer(.Call(C_model_encode, model_pointer(model), pointer, keys, check_progress(progress)))
    people <- .Call(C_samples_of, pointer)
    names <- haplotype_names(people)
    components <- paste0("component_", seq_along(value$singular_values), recycle0 = TRUE)
    dimnames(value$hidden) <- list(names, paste0("hidden_", seq_len(ncol(value$hidden)), recycle0 = TRUE))
    dimnames(value$projections) <- list(names, components)
    names(value$singular_values) <- components
    value$haplotypes <- data.frame(haplotype = names, sample = rep(people$name, people$ploidy),
                                   label = rep(people$label, people$ploidy), stringsAsFactors = FALSE)
    structure(value, class = "haploom_encoding")
}

print.haploom_encoding <- function(x, ...) {
    cat("haploom encoding: ", nrow(x$hidden), " haplotypes, ", ncol(x$hidden), " hidden units, ", ncol(x$projections),
        " components\n", sep = "")
    cat("  singular values: ", paste(format(head(x$singular_values, 10), digits = 3), collapse = " "), "\n", sep = "")
    invisible(x)
}

as.data.frame.haploom_encoding <- function(x, row.names = NULL, optional = FALSE, ...) {
    frame <- cbind(x$haplotypes, as.data.frame(x$projections))
    rownames(frame) <- row.names
    frame
}

plot.haploom_encoding <- function(x, components = c(1, 2), labels = x$haplotypes$label, col = NULL, pch = 20, cex = 0.6,
                                  xlab = NULL, ylab = NULL, legend = TRUE, ...) {
    if (length(components) != 2 || !all(components %in% seq_len(ncol(x$projections)))) {
        refuse("components have to be two of the ", ncol(x$projections), " components")
    }
    if (length(labels) != nrow(x$projections)) {
        refuse("there are ", length(labels), " labels for ", nrow(x$projections), " haplotypes")
    }
    group <- factor(ifelse(is.na(labels), "no label", as.character(labels)))
    if (is.null(col)) col <- hcl.colors(max(3, nlevels(group)), "Dark 3")[seq_len(nlevels(group))]
    col <- rep_len(col, nlevels(group))
    plot(x$projections[, components[1]], x$projections[, components[2]], col = col[group], pch = pch, cex = cex,
         xlab = if (is.null(xlab)) paste("component", components[1]) else xlab,
         ylab = if (is.null(ylab)) paste("component", components[2]) else ylab, ...)
    if (isTRUE(legend) && nlevels(group) > 1) {
        graphics::legend("topright", legend = levels(group), col = col, pch = pch, bty = "n")
    }
    invisible(x)
}
