test_that("options are listed with their bounds", {
    known <- haploom_options()
    expect_identical(names(known), c("key", "type", "default", "bounds", "least", "greatest", "group", "help"))
    expect_false(anyDuplicated(known$key) > 0)
    epochs <- known[known$key == "epochs", ]
    expect_identical(c(epochs$type, epochs$group), c("number", "training, RBM"))
    expect_identical(c(epochs$least, epochs$greatest), c(0, 1e9))
    expect_setequal(known$type, c("integer", "number", "flag", "choice", "text"))
    expect_true(all(is.na(known$least[!known$type %in% c("integer", "number")])))
})

test_that("every option that an argument of a function names is known to the library", {
    ours <- c("file", "part", "x", "sites", "panel", "...", "progress", "labels", "kind", "model", "n", "first", "start", "raw",
              "input", "output", "bytes", "real", "artificial", "haplotype", "sampler")
    for (name in c("panel", "write_panel", "subset_panel", "train", "sampler", "sample_haplotypes", "sample_panel", "augment",
                   "encode", "conditionals")) {
        keys <- setdiff(names(formals(name)), ours)
        expect_true(all(keys %in% haploom_options()$key), info = paste(name, paste(keys, collapse = " ")))
    }
})

test_that("the library says its version", {
    expect_match(haploom_version()$library, "^[0-9]+\\.[0-9]+\\.[0-9]+$")
    expect_match(haploom_version()$build, "htslib")
    expect_type(haploom_version()$abi, "integer")
})
