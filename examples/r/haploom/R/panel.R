# Panels: haplotypes x biallelic sites.

# A panel does not change, so its names are made once, when they are asked for: windows of a large panel are then cheap.
new_panel <- function(pointer) structure(list(pointer = pointer, kept = new.env(parent = emptyenv())), class = "haploom_panel")

panel <- function(file, region = NULL, samples = NULL, samples_file = NULL, labels = NULL, missing = NULL, unphased = NULL,
                  multiallelic = NULL, legend = NULL, sample_file = NULL, contig = NULL, ...,
                  threads = getOption("haploom.threads", 1), progress = interactive()) {
    keys <- settings(region = region, samples = samples, samples_file = expanded(samples_file), labels = expanded(labels),
                     missing = missing, unphased = unphased, multiallelic = multiallelic, legend = expanded(legend),
                     sample_file = expanded(sample_file), contig = contig, ..., threads = threads)
    new_panel(answer(.Call(C_panel_open, check_text(file, "file"), keys, check_progress(progress))))
}

demo_panel <- function(part = c("all", "train", "held_out")) {
    part <- match.arg(part)
    new_panel(answer(.Call(C_panel_demo, match(part, c("all", "train", "held_out")) - 1L)))
}

as_panel <- function(x, sites, samples = NULL) {
    if (!is.matrix(x) || !(is.numeric(x) || is.logical(x) || is.raw(x))) {
        refuse("x has to be a matrix of alleles, haplotypes x sites: integer, logical, double or raw")
    }
    sites <- site_columns(sites, sys.call())
    if (length(sites$position) != ncol(x)) {
        refuse("the matrix has ", ncol(x), " columns, and there are ", length(sites$position), " sites")
    }
    if (!is.null(samples)) {
        samples <- sample_columns(samples, nrow(x), sys.call())
        if (anyNA(samples$ploidy) || sum(samples$ploidy) != nrow(x)) {
            refuse("the matrix has ", nrow(x), " rows, and the samples have ", sum(samples$ploidy), " haplotypes")
        }
    } else if (nrow(x) %% 2 != 0) {
        refuse("the matrix has ", nrow(x), " rows, which do not pair into diploid people; samples = says who is haploid")
    }
    new_panel(answer(.Call(C_panel_from_matrix, x, sites, samples)))
}

# A data frame of sites as the columns that the library reads.
site_columns <- function(sites, call) {
    if (!is.data.frame(sites)) refuse("sites has to be a data frame", call = call)
    lacking <- setdiff(c("contig", "position", "reference", "alternate"), names(sites))
    if (length(lacking) > 0) refuse("sites has no column ", paste(lacking, collapse = ", "), call = call)
    if (!is.numeric(sites$position)) refuse("positions of sites have to be numbers", call = call)
    text <- function(column) if (is.null(sites[[column]])) NULL else as.character(sites[[column]])
    list(contig = text("contig"), position = as.double(sites$position), id = text("id"), reference = text("reference"),
         alternate = text("alternate"))
}

# Samples as the columns that the library reads: from a data frame, or from the names of diploid or haploid people.
sample_columns <- function(samples, haplotypes, call) {
    if (is.data.frame(samples)) {
        if (is.null(samples$name)) refuse("samples has no column name", call = call)
        ploidy <- if (is.null(samples$ploidy)) rep(2L, nrow(samples)) else samples$ploidy
        if (!is.numeric(ploidy)) refuse("ploidy has to be 1 or 2", call = call)
        label <- if (is.null(samples$label)) NULL else as.character(samples$label)
        return(list(name = as.character(samples$name), ploidy = as.integer(ploidy), label = label))
    }
    if (!is.character(samples)) refuse("samples has to be a data frame or names", call = call)
    if (length(samples) * 2 != haplotypes && length(samples) != haplotypes) {
        refuse("there are ", length(samples), " names of samples for ", haplotypes, " haplotypes", call = call)
    }
    ploidy <- if (length(samples) == haplotypes) 1L else 2L
    list(name = samples, ploidy = rep(ploidy, length(samples)), label = NULL)
}

subset_panel <- function(panel, region = NULL, samples = NULL, samples_file = NULL) {
    keys <- settings(region = region, samples = samples, samples_file = expanded(samples_file))
    new_panel(answer(.Call(C_panel_select, panel_pointer(panel), keys)))
}

with_labels <- function(panel, labels) {
    pointer <- panel_pointer(panel)
    people <- .Call(C_samples_of, pointer)
    if (is.null(labels)) {
        people["label"] <- list(NULL)
    } else {
        given <- names(labels)
        labels <- if (is.factor(labels)) as.character(labels) else labels
        if (!is.character(labels)) refuse("labels have to be texts or a factor, or NULL for none")
        if (is.null(given)) {
            if (length(labels) != length(people$name)) {
                refuse("there are ", length(labels), " labels for ", length(people$name), " samples; name them by sample to ",
                       "give some only")
            }
            people$label <- labels
        } else {
            unknown <- setdiff(given, people$name)
            if (length(unknown) > 0) {
                stop(failure("UNKNOWN_NAME", paste0("there is no sample ", unknown[1], " in the panel"), sys.call(), -210L))
            }
            people$label[match(given, people$name)] <- labels
        }
    }
    new_panel(answer(.Call(C_panel_with_samples, pointer, people)))
}

write_panel <- function(panel, file, format = NULL, index = NULL, ..., threads = getOption("haploom.threads", 1),
                        progress = interactive()) {
    keys <- settings(format = format, index = index, ..., threads = threads)
    answer(.Call(C_panel_write, panel_pointer(panel), check_text(file, "file"), keys, check_progress(progress)))
    invisible(file)
}

sites <- function(x) {
    class <- intersect(class(x), c("haploom_panel", "haploom_model", "haploom_sampler"))
    if (length(class) == 0) refuse("x has to be a panel, a model or a sampler, and not ", class(x)[1])
    site_frame(.Call(C_sites_of, pointer(x, class[1], "x")))
}

site_frame <- function(columns) {
    # Chromosomes are shorter than what R's integers hold, but for made-up ones.
    if (all(columns$position <= .Machine$integer.max)) columns$position <- as.integer(columns$position)
    as.data.frame(columns, stringsAsFactors = FALSE)
}

samples <- function(panel) as.data.frame(.Call(C_samples_of, panel_pointer(panel)), stringsAsFactors = FALSE)

# A name for each site: its id, or contig:position:reference:alternate where it has none or shares it.
site_names <- function(columns) {
    by_place <- is.na(columns$id) | duplicated(columns$id) | duplicated(columns$id, fromLast = TRUE)
    ifelse(by_place, paste(columns$contig, format(columns$position, scientific = FALSE, trim = TRUE), columns$reference,
                           columns$alternate, sep = ":"), columns$id)
}

# A name for each haplotype: NAME_1 and NAME_2, or NAME if its person has one only.
haplotype_names <- function(people) {
    names <- rep(people$name, people$ploidy)
    suffix <- ifelse(rep(people$ploidy, people$ploidy) == 1L, "", paste0("_", sequence(people$ploidy)))
    paste0(names, suffix)
}

frequencies <- function(panel) {
    pointer <- panel_pointer(panel)
    numbers <- answer(.Call(C_panel_frequencies, pointer))
    names(numbers) <- dimnames(panel)[[2]]
    numbers
}

fingerprint <- function(panel) .Call(C_panel_fingerprint, panel_pointer(panel))

dim.haploom_panel <- function(x) {
    shape <- .Call(C_panel_shape, panel_pointer(x, "x"))
    as.integer(shape[c("haplotypes", "sites")])
}

dimnames.haploom_panel <- function(x) {
    pointer <- panel_pointer(x, "x")
    if (is.null(x$kept$names)) {
        x$kept$names <- list(haplotype_names(.Call(C_samples_of, pointer)), site_names(.Call(C_sites_of, pointer)))
    }
    x$kept$names
}

as.matrix.haploom_panel <- function(x, haplotypes = NULL, sites = NULL, raw = FALSE, ...) {
    pointer <- panel_pointer(x, "x")
    names <- dimnames(x)
    haplotypes <- chosen(haplotypes, names[[1]], "haplotypes", sys.call())
    sites <- chosen(sites, names[[2]], "sites", sys.call())
    matrix <- answer(.Call(C_panel_window, pointer, as.double(haplotypes), as.double(sites), isTRUE(raw)))
    dimnames(matrix) <- list(names[[1]][haplotypes], names[[2]][sites])
    matrix
}

# Numbers, from 1, of what an index chooses, as it does in x[index]: numbers, negative ones, names or logicals.
chosen <- function(index, names, what, call) {
    n <- length(names)
    if (is.null(index)) return(seq_len(n))
    if (is.character(index)) {
        numbers <- match(index, names)
        if (anyNA(numbers)) {
            stop(failure("UNKNOWN_NAME", paste0(what, ": there is no ", index[is.na(numbers)][1], " in the panel"), call, -210L))
        }
        return(numbers)
    }
    if (is.logical(index) && length(index) != n) {
        refuse(what, ": ", length(index), " logical values for ", n, call = call)
    }
    if (!(is.logical(index) || is.numeric(index)) || anyNA(index) || any(abs(index) > n)) {
        refuse(what, " have to be numbers from 1 to ", n, ", names or logical values, and not NA", call = call)
    }
    numbers <- tryCatch(seq_len(n)[index], error = function(e) refuse(what, ": ", conditionMessage(e), call = call))
    numbers
}

print.haploom_panel <- function(x, ...) {
    if (is_gone(x)) {
        cat("<haploom panel: ", gone_text("panel"), ">\n", sep = "")
        return(invisible(x))
    }
    shape <- .Call(C_panel_shape, x$pointer)
    cat("haploom panel: ", shape["haplotypes"], " haplotypes of ", shape["samples"], " samples, ", shape["sites"], " sites\n",
        sep = "")
    contigs <- contig_lines(.Call(C_sites_of, x$pointer))
    cat(paste0("  ", head(contigs, 5), "\n"), sep = "")
    if (length(contigs) > 5) cat("  and ", length(contigs) - 5, " more contigs\n", sep = "")
    labels <- table(.Call(C_samples_of, x$pointer)$label)
    if (length(labels) > 0) {
        shown <- head(labels, 10)
        cat("  labels: ", paste(names(shown), shown, collapse = ", "), if (length(labels) > 10) ", ...", "\n", sep = "")
    }
    if (shape["missing"] > 0) cat("  missing alleles: ", shape["missing"], "\n", sep = "")
    if (shape["unphased"] > 0) cat("  unphased genotypes: ", shape["unphased"], "\n", sep = "")
    invisible(x)
}

# Where the sites lie, a line a contig.
contig_lines <- function(columns) {
    contig <- factor(columns$contig, unique(columns$contig))
    number <- function(x) format(x, scientific = FALSE, trim = TRUE)
    paste0("contig ", levels(contig), ": ", as.vector(table(contig)), " sites from ",
           number(tapply(columns$position, contig, min)), " to ", number(tapply(columns$position, contig, max)))
}

summary.haploom_panel <- function(object, ...) {
    pointer <- panel_pointer(object, "object")
    shape <- .Call(C_panel_shape, pointer)
    frequency <- answer(.Call(C_panel_frequencies, pointer))
    columns <- .Call(C_sites_of, pointer)
    label <- .Call(C_samples_of, pointer)$label
    minor <- pmin(frequency, 1 - frequency)
    structure(class = "summary.haploom_panel",
              list(shape = shape, contigs = contig_lines(columns),
                   labels = if (all(is.na(label))) NULL else table(label, useNA = "ifany", dnn = NULL),
                   frequencies = summary(frequency),
                   minor = table(cut(minor, c(-Inf, 0, 0.01, 0.05, 0.5),
                                     c("one allele", "MAF up to 1%", "MAF 1% to 5%", "MAF over 5%"))),
                   fingerprint = .Call(C_panel_fingerprint, pointer)))
}

print.summary.haploom_panel <- function(x, ...) {
    cat(sprintf("%-22s%.0f\n", c("haplotypes", "samples", "sites", "missing alleles", "unphased genotypes"),
                x$shape[c("haplotypes", "samples", "sites", "missing", "unphased")]), sep = "")
    cat(x$contigs, sep = "\n")
    cat(sprintf("%-22s%d\n", paste("sites,", names(x$minor)), x$minor), sep = "")
    if (!is.null(x$labels)) {
        cat("labels of samples\n")
        print(x$labels)
    }
    cat("frequency of the alternate allele\n")
    print(x$frequencies)
    invisible(x)
}
