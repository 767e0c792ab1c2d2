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

test_that("no option is taken for an abbreviated argument", {
    readers <- list(train = "training|checkpoints", panel = "reading|region", write_panel = "writing",
                    sampler = "sampling|stream|region", sample_haplotypes = "sampling|stream|region", sample_panel = "sampling|region|people",
                    augment = "sampling|region|people|augmentation|writing", encode = "encoding", evaluate = "evaluation")
    known <- haploom_options()
    for (name in names(readers)) {
        arguments <- names(formals(name))
        early <- arguments[seq_len(match("...", arguments) - 1)]
        keys <- setdiff(known$key[grepl(readers[[name]], known$group)], arguments)
        taken <- vapply(keys, function(key) any(startsWith(early, key)), NA)
        expect_identical(keys[taken], character(0), info = name)
    }
    expect_identical(as.raw(train_quickly(people, k = 5)), as.raw(model))
    expect_status(train(people, k = 0), "INVALID_OPTION", "option k", "train")
})

test_that("the library says its version", {
    expect_match(haploom_version()$library, "^[0-9]+\\.[0-9]+\\.[0-9]+$")
    expect_match(haploom_version()$build, "htslib")
    expect_type(haploom_version()$abi, "integer")
    expect_identical(haploom_devices()$device[1], "cpu")
    old <- options(haploom.device = "nowhere")
    on.exit(options(old))
    expect_error(sampler(train(demo_panel(), "bernoulli", device = "cpu")), "no device nowhere")
})
