# Untyped sites of people, from a panel, a model or both; and whom people's haplotypes were copied from.

impute <- function(target, panel = NULL, model = NULL, output = NULL, sites = NULL, map = NULL, artificial = NULL,
                   region = NULL, typed = NULL, contigs = NULL, report = NULL, format = NULL, index = NULL, ..., seed = 1,
                   threads = getOption("haploom.threads", 1), progress = interactive()) {
    call <- sys.call()
    if (is.null(panel) && is.null(model)) refuse("there is no panel and no model: give one of them to impute from")
    of_files <- list(output = output, region = region, typed = typed, contigs = contigs, report = expanded(report),
                     format = format, index = index)
    keys <- settings(map = expanded(map), artificial = artificial, ..., seed = seed, threads = threads)
    if (is.character(target) && !is.matrix(target)) {
        check_text(target, "target")
        check_text(output, "output")
        if (!is.null(sites)) refuse("sites are for a matrix: a file has its own")
        file_keys <- do.call("settings", c(of_files[names(of_files) != "output"], list(threads = threads)))
        imputer <- new_imputer(panel, model, keys, progress, call)
        reply <- .Call(C_imputer_impute_file, imputer, target, output, file_keys, progress)
        answer(reply, call)
        counts <- measured_frame(reply$measured)
        return(invisible(structure(counts$value, names = counts$name)))
    }
    for (name in names(of_files)) {
        if (!is.null(of_files[[name]])) refuse(name, " is for files, and target is none")
    }
    if (inherits(target, "haploom_panel")) target <- as.matrix(target)
    if (!is.matrix(target) || !(is.numeric(target) || is.logical(target) || is.raw(target))) {
        refuse("target has to be the name of a file, a panel, or a matrix of alleles, haplotypes x typed sites: integer, ",
               "logical, double or raw")
    }
    imputer <- new_imputer(panel, model, keys, progress, call)
    names <- site_names(.Call(C_sites_of, imputer))
    if (is.null(sites)) sites <- colnames(target)
    if (is.null(sites)) refuse("the matrix has no column names: sites = says which site each column is")
    sites <- if (is.data.frame(sites)) site_names(site_columns(sites, call)) else sites
    numbers <- if (is.character(sites)) match(sites, names) else sites
    if (length(numbers) != ncol(target)) {
        refuse("the matrix has ", ncol(target), " columns, and there are ", length(numbers), " sites")
    }
    if (is.character(sites) && anyNA(numbers)) {
        stop(failure("NO_OVERLAP", paste0("what is imputed from has no site ", sites[is.na(numbers)][1]), call, -205L))
    }
    if (!is.numeric(numbers) || !all(numbers %in% seq_along(names)) || anyDuplicated(numbers)) {
        refuse("sites have to be names of sites, a data frame of sites, or numbers from 1 to ", length(names), ", each once")
    }
    # The library takes typed sites as they lie on the contigs.
    rising <- order(numbers)
    reply <- .Call(C_imputer_impute, imputer, target[, rising, drop = FALSE], as.double(numbers[rising]),
                   settings(threads = threads), progress)
    value <- answer(reply, call)
    estimates <- measured_frame(reply$measured)
    estimate <- function(name) c(estimates$value[estimates$name == name], NA_real_)[1]
    left_out <- value$left_out[, order(rising), drop = FALSE]
    left_out[is.nan(left_out)] <- NA_real_
    structure(value$dosages, dimnames = list(rownames(target), names),
              left_out = structure(left_out, dimnames = list(rownames(target), names[numbers])),
              effective_size = estimate("effective_size"), error = estimate("error"), weight = estimate("artificial_weight"))
}

# What to impute from, as a pointer. It is used and forgotten in one call, so no object is made of it.
new_imputer <- function(panel, model, keys, progress, call) {
    if (!is.null(panel)) panel <- panel_pointer(panel, call = call)
    if (!is.null(model)) model <- model_pointer(model, call = call)
    answer(.Call(C_imputer_new, panel, model, keys, check_progress(progress, call)), call)
}

paint <- function(target, panel, map = NULL, contigs = NULL, ..., threads = getOption("haploom.threads", 1),
                  progress = interactive()) {
    call <- sys.call()
    keys <- settings(map = expanded(map), ..., threads = threads)
    check_text(target, "target")
    if (is.null(panel)) refuse("panel has to be a panel")
    imputer <- new_imputer(panel, NULL, keys, progress, call)
    table <- tempfile(fileext = ".tsv")
    on.exit(unlink(table))
    answer(.Call(C_imputer_paint_file, imputer, target, table, settings(contigs = contigs, threads = threads), progress), call)
    columns <- c(sample = "character", haplotype = "integer", contig = "character", start = "numeric", end = "numeric",
                 donor = "character", donor_haplotype = "integer", donor_label = "character", sites = "integer",
                 differing = "integer")
    frame <- read.table(table, sep = "\t", skip = 1, col.names = names(columns), colClasses = columns, quote = "",
                               comment.char = "", na.strings = character(0), encoding = "UTF-8")
    # As in sites(): chromosomes are shorter than what R's integers hold.
    if (all(frame$end <= .Machine$integer.max)) {
        frame$start <- as.integer(frame$start)
        frame$end <- as.integer(frame$end)
    }
    frame$donor_label[frame$donor_label == "."] <- NA_character_
    frame
}
