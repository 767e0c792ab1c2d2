# Artificial haplotypes: streams, matrices, panels, augmented files.

sampler <- function(model, region = NULL, label = NULL, seed = 1, first = 0, start = NULL, ...,
                    threads = getOption("haploom.threads", 1)) {
    keys <- settings(region = region, label = label_text(label), seed = seed, ..., threads = threads)
    new_sampler(model, start, first, keys, sys.call())
}

# Labels and their haplotypes: c(EUR = 500, EAS = 500) as the text EUR=500,EAS=500. Texts are as they are.
label_text <- function(label) {
    if (is.null(names(label)) || !is.numeric(label)) return(label)
    paste0(names(label), "=", format(label, scientific = FALSE, trim = TRUE))
}

# How many haplotypes: n, or all that are left of those that labels were counted for.
how_many <- function(n, stream, most = 2^53, call) {
    end <- .Call(C_sampler_end, stream$pointer)
    if (is.null(n) && end < 2^48) n <- end - position(stream)
    check_count(n, "n", 1, most, call = call)
}

new_sampler <- function(model, start, first, keys, call) {
    # Layouts are this package's affair: what R gets is a matrix.
    for (key in c("layout", "packing", "haplotypes")) {
        if (!is.null(keys[[key]])) refuse("option ", key, " has no use in R, where haplotypes come as matrices", call = call)
    }
    keys$layout <- "sites"
    model <- model_pointer(model, call = call)
    if (!is.null(start)) start <- panel_pointer(start, "start", call = call)
    first <- check_count(first, "first", 0, call = call)
    structure(list(pointer = answer(.Call(C_sampler_new, model, start, first, keys), call), process = Sys.getpid()),
              class = "haploom_sampler")
}

sampler_pointer <- function(object, call = sys.call(sys.parent())) {
    force(call)
    pointer <- pointer(object, "haploom_sampler", "sampler", call)
    # A sampler may have threads, which a fork (parallel::mclapply) does not take along. Panels and models have none.
    if (object$process != Sys.getpid()) refuse("this sampler was made in another process; make one here", call = call)
    pointer
}

position <- function(sampler) .Call(C_sampler_position, sampler_pointer(sampler))

seek_to <- function(sampler, haplotype) {
    answer(.Call(C_sampler_seek, sampler_pointer(sampler), check_count(haplotype, "haplotype", 0)))
    invisible(sampler)
}

next_haplotypes <- function(sampler, n = NULL, raw = FALSE, progress = interactive()) {
    haplotype_matrix(sampler, n, "HAPLOOM", raw, progress, sys.call())
}

# Haplotype i is the first or the second one of person i / 2, as in the panels that the library makes.
haplotype_matrix <- function(sampler, n, prefix, raw, progress, call) {
    pointer <- sampler_pointer(sampler, call)
    n <- how_many(n, sampler, .Machine$integer.max, call)
    progress <- check_progress(progress, call)
    number <- .Call(C_sampler_position, pointer) + seq_len(n) - 1
    matrix <- answer(.Call(C_sampler_next, pointer, n, isTRUE(raw), progress), call)
    person <- format(number %/% 2, scientific = FALSE, trim = TRUE)
    dimnames(matrix) <- list(paste0(prefix, "_", person, "_", number %% 2 + 1), site_names(.Call(C_sites_of, pointer)))
    matrix
}

print.haploom_sampler <- function(x, ...) {
    if (is_gone(x)) {
        cat("<haploom sampler: ", gone_text("sampler"), ">\n", sep = "")
        return(invisible(x))
    }
    cat("haploom sampler: next is haplotype ", format(position(x), scientific = FALSE), "\n", sep = "")
    cat(paste0("  ", head(contig_lines(.Call(C_sites_of, x$pointer)), 5), "\n"), sep = "")
    invisible(x)
}

sample_haplotypes <- function(model, n = NULL, seed = 1, first = 0, region = NULL, label = NULL, start = NULL, prefix = "HAPLOOM", ...,
                              raw = FALSE, threads = getOption("haploom.threads", 1), progress = interactive()) {
    call <- sys.call()
    keys <- settings(region = region, label = label_text(label), seed = seed, ..., threads = threads)
    stream <- new_sampler(model, start, first, keys, call)
    haplotype_matrix(stream, n, check_text(prefix, "prefix"), raw, progress, call)
}

sample_panel <- function(model, n = NULL, seed = 1, first = 0, region = NULL, label = NULL, start = NULL, prefix = NULL, ...,
                         threads = getOption("haploom.threads", 1), progress = interactive()) {
    call <- sys.call()
    keys <- settings(region = region, label = label_text(label), seed = seed, ..., threads = threads)
    stream <- new_sampler(model, start, first, keys, call)
    n <- how_many(n, stream, call = call)
    new_panel(answer(.Call(C_sampler_panel, stream$pointer, n, settings(prefix = prefix), check_progress(progress)), call))
}

augment <- function(model, input, output, n = NULL, seed = 1, first = 0, region = NULL, label = NULL, start = NULL, prefix = NULL,
                    outside = NULL, format = NULL, index = NULL, ...,
                    threads = getOption("haploom.threads", 1), progress = interactive()) {
    call <- sys.call()
    keys <- settings(region = region, label = label_text(label), seed = seed, ..., threads = threads)
    stream <- new_sampler(model, start, first, keys, call)
    n <- how_many(n, stream, call = call)
    keys <- settings(prefix = prefix, outside = outside, format = format, index = index, threads = threads)
    reply <- .Call(C_sampler_augment, stream$pointer, n, check_text(input, "input"), check_text(output, "output"), keys,
                   check_progress(progress))
    answer(reply, call)
    counts <- measured_frame(reply$measured)
    invisible(structure(counts$value, names = counts$name))
}
