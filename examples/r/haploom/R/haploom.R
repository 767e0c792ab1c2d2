# What the library is and which options it knows.

haploom_version <- function() {
    table <- .Call(C_version_table)
    list(library = table$library, abi = table$abi, build = table$build)
}

haploom_devices <- function() {
    lines <- strsplit(strsplit(.Call(C_device_lines), "\n")[[1]], "\t", fixed = TRUE)
    data.frame(device = vapply(lines, `[`, "", 1), description = vapply(lines, `[`, "", 2))
}

haploom_options <- function() as.data.frame(.Call(C_options_table), stringsAsFactors = FALSE)

.onLoad <- function(libname, pkgname) {
    table <- .Call(C_version_table)
    if (table$abi != table$header_abi || table$number < table$header_number) {
        stop("this package was compiled with a libhaploom that the one found now (", table$library, ", ABI ", table$abi,
             ") cannot stand in for; install the package again, or mend the library path", call. = FALSE)
    }
}

# There is no .onUnload: objects outlive the namespace, and R frees them by code of this package's shared object, which
# therefore has to stay.
