truth <- as.matrix(others)
typed <- seq(6, ncol(truth), 10)
known <- truth[, typed]
dosages <- impute(known, people)

# A file of the others at the typed sites.
array_file <- function(extension, env = parent.frame()) {
    file <- temporary(extension, env)
    write_panel(as_panel(known, sites(others)[typed, ], samples(others)), file)
    file
}

test_that("a matrix is imputed, nearer to the truth than frequencies are", {
    expect_type(dosages, "double")
    expect_identical(dim(dosages), dim(truth))
    expect_identical(dimnames(dosages), dimnames(truth))
    expect_true(all(dosages >= 0 & dosages <= 1))
    expect_lt(mean((dosages - truth)^2), 0.7 * mean((t(truth) - frequencies(people))^2))
    told <- attr(dosages, "left_out")
    expect_identical(dimnames(told), dimnames(known))
    expect_gt(mean(diag(cor(told, known))^2, na.rm = TRUE), 0.1)
    expect_gt(attr(dosages, "effective_size"), 0)
    expect_gt(attr(dosages, "error"), 0)
    expect_identical(attr(dosages, "weight"), NA_real_)
})

test_that("sites are named in any way and in any order, and alleles come in any type", {
    few <- 1:6
    expected <- impute(known[few, ], people)
    plain <- function(x) x[, ]
    expect_identical(plain(expected), plain(dosages)[few, ])
    expect_identical(impute(known[few, ], people, threads = 2), expected)
    unnamed <- impute(unname(known[few, ]), people, sites = typed)
    expect_identical(unname(plain(unnamed)), unname(plain(expected)))
    expect_identical(lapply(list(unnamed, attr(unnamed, "left_out")), dimnames),
                     list(list(NULL, colnames(truth)), list(NULL, colnames(known))))
    expect_identical(impute(known[few, ], people, sites = sites(people)[typed, ]), expected)
    backwards <- rev(seq_along(typed))
    turned <- impute(known[few, backwards], people)
    expect_identical(plain(turned), plain(expected))
    expect_identical(attr(turned, "left_out"), attr(expected, "left_out")[, backwards])
    for (type in c("double", "logical", "raw")) {
        x <- known[few, ]
        storage.mode(x) <- type
        expect_identical(impute(x, people), expected)
    }
    part <- as_panel(known[few, ], sites(others)[typed, ], head(samples(others), 3))
    expect_identical(impute(part, people), expected)
})

test_that("missing alleles are imputed", {
    holes <- known[1:2, ]
    holes[1, 3] <- NA
    filled <- impute(holes, people)
    expect_identical(is.na(attr(filled, "left_out")), is.na(holes))
    expect_equal(filled[1, typed[3]], attr(dosages, "left_out")[1, 3], tolerance = 1e-4)
})

test_that("a model imputes, alone and beside a panel", {
    few <- known[1:4, ]
    alone <- suppressMessages(impute(few, model = model, impute_chains = 4, impute_sweeps = 4))
    expect_identical(dimnames(alone), list(rownames(few), colnames(truth)))
    expect_identical(attr(alone, "effective_size"), NA_real_)
    other <- suppressMessages(impute(few, model = model, impute_chains = 4, impute_sweeps = 4, seed = 2))
    expect_false(identical(other, alone))
    by_frequency <- impute(few, model = train(people, "bernoulli"))
    expect_equal(unname(by_frequency[1, ]), unname(frequencies(people)), tolerance = 0.02)
    both <- suppressMessages(impute(few, people, model, artificial = 50))
    expect_true(attr(both, "weight") >= 0 && attr(both, "weight") <= 1)
    ignored <- suppressMessages(impute(few, people, model, artificial = 50, artificial_weight = 0))
    expect_equal(c(ignored), c(impute(few, people)), tolerance = 1e-4)
    expect_status(impute(few, model = train(people, "markov")), "INVALID_ARGUMENT", "markov", "impute")
})

test_that("a file is imputed, and counts come back", {
    target <- array_file(".vcf.gz")
    output <- temporary(".bcf")
    counts <- expect_invisible(impute(target, people, output = output))
    expect_identical(counts[c("people", "typed", "imputed", "typed_only", "missing")],
                     c(people = 300, typed = 19, imputed = 170, typed_only = 0, missing = 0))
    expect_identical(counts[["effective_size"]], attr(dosages, "effective_size"))
    imputed <- as.matrix(panel(output))
    expect_identical(dim(imputed), dim(truth))
    expect_identical(imputed[, typed], known)
    expect_gt(mean(imputed == truth), 0.85)
    map <- temporary(".map")
    writeLines(c("1 . 0 1", "1 . 3 1000000"), map)
    impute(target, people, output = output, map = map, region = "1:1-500000", typed = "correct", index = FALSE)
    expect_identical(sites(panel(output)), sites(subset_panel(people, "1:1-500000")))
    before <- readBin(output, "raw", 1e7)
    expect_status(impute(tempfile(), people, output = output), "IO", called = "impute")
    expect_status(impute(target, people, output = output, typed = "turn"), "INVALID_OPTION", "keep, correct", "impute")
    expect_status(impute(target, people), "INVALID_ARGUMENT", "output", "impute")
    expect_status(impute(target, people, output = output, sites = typed), "INVALID_ARGUMENT", "sites", "impute")
    expect_status(impute(target, people, output = "x.hap"), "UNKNOWN_FORMAT", "x.hap", "impute")
    expect_identical(readBin(output, "raw", 1e7), before)
})

test_that("wrong requests are refused", {
    few <- known[1:2, ]
    expect_status(impute(few), "INVALID_ARGUMENT", "give one of them", "impute")
    expect_status(impute(few, model), "INVALID_ARGUMENT", "panel has to be a panel", "impute")
    expect_status(impute(few, model = people), "INVALID_ARGUMENT", "model has to be a model", "impute")
    expect_status(impute("a", people, output = 3), "INVALID_ARGUMENT", "output", "impute")
    expect_status(impute(c("a", "b"), people, output = "x.vcf"), "INVALID_ARGUMENT", "target", "impute")
    expect_status(impute(list(), people), "INVALID_ARGUMENT", "target has to be", "impute")
    expect_status(impute(matrix("0", 2, 2), people), "INVALID_ARGUMENT", "target has to be", "impute")
    expect_status(impute(few, people, region = "1"), "INVALID_ARGUMENT", "region is for files", "impute")
    expect_status(impute(few, people, output = "x.vcf"), "INVALID_ARGUMENT", "output is for files", "impute")
    expect_status(impute(unname(few), people), "INVALID_ARGUMENT", "no column names", "impute")
    expect_status(impute(few, people, sites = typed[-1]), "INVALID_ARGUMENT", "19 columns", "impute")
    expect_status(impute(few, people, sites = c(typed[-1], 1000)), "INVALID_ARGUMENT", "1 to 189", "impute")
    expect_status(impute(few, people, sites = c(typed[-1], 1.5)), "INVALID_ARGUMENT", "1 to 189", "impute")
    expect_status(impute(few, people, sites = c(typed[-1], typed[2])), "INVALID_ARGUMENT", "each once", "impute")
    expect_status(impute(few, people, sites = rep("x", 19)), "NO_OVERLAP", "no site x", "impute")
    wrong <- few
    wrong[2, 3] <- 2L
    expect_status(impute(wrong, people), "INVALID_ARGUMENT", "row 2, column 3", "impute")
    expect_status(impute(few, people, epochs = 3), "UNKNOWN_OPTION", "epochs", "impute")
    expect_status(impute(few, people, map = "no.map"), "IO", "no.map", "impute")
    expect_status(impute(few, people, progress = 3), "INVALID_ARGUMENT", "progress", "impute")
    expect_status(paint("a", model), "INVALID_ARGUMENT", "panel has to be a panel", "paint")
    expect_status(paint(known, people), "INVALID_ARGUMENT", "target", "paint")
    expect_status(paint(tempfile(), people), "IO", called = "paint")
})

test_that("haplotypes are painted", {
    target <- array_file(".bcf")
    painting <- paint(target, people)
    expect_identical(names(painting), c("sample", "haplotype", "contig", "start", "end", "donor", "donor_haplotype",
                                        "donor_label", "sites", "differing"))
    expect_type(painting$start, "integer")
    expect_identical(unique(painting$sample), samples(others)$name)
    # The stretches of a haplotype share its typed sites among them.
    expect_true(all(tapply(painting$sites, paste(painting$sample, painting$haplotype), sum) == 19))
    donors <- samples(people)
    expect_identical(painting$donor_label, donors$label[match(painting$donor, donors$name)])
    expect_true(all(painting$differing <= painting$sites) && mean(painting$differing) < 1)
    expect_true(all(is.na(paint(target, with_labels(people, NULL), threads = 2)$donor_label)))
    expect_gt(nrow(paint(target, people, effective_size = 1e7, contigs = "match")), nrow(painting))
    expect_status(paint(target, people, tolerance = 3), "INVALID_OPTION", "tolerance", "paint")
})
