# What must not happen to a session: a crash, a hang, a jump through the library, a leak of a half-made thing.

send_interrupt <- function() tools::pskill(Sys.getpid(), tools::SIGINT)

test_that("an interrupt stops training, is R's interrupt, and the session goes on", {
    seen <- 0
    caught <- tryCatch(train(people, epochs = 1e9, progress = function(event) {
        seen <<- seen + 1
        if (seen == 3) send_interrupt()
    }), interrupt = identity, error = function(e) "an error")
    expect_s3_class(caught, c("haploom_CANCELLED", "interrupt", "condition"), exact = TRUE)
    expect_identical(as.character(conditionCall(caught)[[1]]), "train")
    # The signal is looked at during the same event, or before the next one.
    expect_lte(seen, 4)
    expect_identical(as.raw(train_quickly(people)), as.raw(model))
})

test_that("an interrupt is heard without a progress function", {
    skip_on_os("windows")
    for (progress in c(FALSE, TRUE)) {
        system(sprintf("(sleep 1; kill -INT %d) >/dev/null 2>&1", Sys.getpid()), wait = FALSE)
        utils::capture.output(type = "message", caught <- tryCatch(
            train(people, epochs = 1e9, checkpoint = NULL, progress = progress), interrupt = identity))
        expect_s3_class(caught, "interrupt")
    }
})

test_that("an interrupt stops sampling, and the stream stays where it was", {
    stream <- sampler(model, first = 10)
    caught <- tryCatch(next_haplotypes(stream, 20000, progress = function(event) send_interrupt()), interrupt = identity)
    expect_s3_class(caught, "interrupt")
    expect_identical(position(stream), 10)
    expect_identical(next_haplotypes(stream, 3), sample_haplotypes(model, 3, first = 10))
})

test_that("an interrupt leaves no file", {
    real <- temporary(".vcf.gz")
    write_panel(people, real)
    folder <- tempfile()
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE), add = TRUE)
    caught <- tryCatch(augment(model, real, file.path(folder, "both.bcf"), 2, progress = function(event) send_interrupt()),
                       interrupt = identity)
    expect_s3_class(caught, "interrupt")
    expect_identical(dir(folder, all.files = TRUE, no.. = TRUE), character(0))
})

test_that("finally and on.exit run after an interrupt, and it says how to go on", {
    ran <- character(0)
    outer <- function(folder) {
        on.exit(ran <<- c(ran, "on.exit"))
        train(people, epochs = 1e9, checkpoint = folder, progress = function(event) if (event$done > 5) send_interrupt())
    }
    folder <- tempfile()
    on.exit(unlink(folder, recursive = TRUE))
    caught <- tryCatch(outer(folder), interrupt = identity, finally = ran <- c(ran, "finally"))
    expect_identical(ran, c("on.exit", "finally"))
    expect_match(conditionMessage(caught), "resume = TRUE")
})

test_that("an error in a progress function comes out as it was raised", {
    own <- structure(class = c("mine", "error", "condition"), list(message = "my own", call = NULL))
    expect_identical(tryCatch(train_quickly(people, progress = function(event) stop(own)), mine = identity), own)
    # Handlers of the caller do not jump through the library either.
    expect_error(withCallingHandlers(train_quickly(people, progress = function(event) stop("inner")),
                                     error = function(e) invokeRestart("away")), "inner|away")
    jumped <- withRestarts(tryCatch(train_quickly(people, progress = function(event) invokeRestart("away")),
                                    error = function(e) "error"), away = function() "jumped")
    expect_identical(jumped, "error")
    callCC(function(exit) expect_error(train_quickly(people, progress = function(event) exit("jumped"))))
})

test_that("a progress function may stop a call, and hears what the library says", {
    expect_status(train_quickly(people, progress = function(event) FALSE), "CANCELLED", called = "train")
    events <- list()
    train_quickly(people, progress = function(event) events[[length(events) + 1]] <<- event)
    expect_true(all(vapply(events, function(e) identical(names(e), c("kind", "text", "unit", "done", "total", "value")), NA)))
    steps <- Filter(function(e) e$kind == "step", events)
    expect_identical(steps[[1]]$unit, "updates")
    done <- vapply(steps, function(e) e$done, 0)
    expect_false(is.unsorted(done))
    expect_identical(done[length(done)], steps[[1]]$total)
    for (call in list(function(p) sample_haplotypes(model, 10, progress = p), function(p) sample_panel(model, 10, progress = p),
                      function(p) evaluate(people, others, transport_most = 10, progress = p))) {
        heard <- 0
        call(function(event) heard <<- heard + 1)
        expect_gt(heard, 0)
    }
})

test_that("a progress function may use other handles, but not the one in use", {
    inside <- NULL
    train_quickly(people, progress = function(event) if (is.null(inside)) inside <<- sample_haplotypes(model, 2))
    expect_identical(inside, sample_haplotypes(model, 2))
    stream <- sampler(model)
    refusals <- character(0)
    uses <- list(function() next_haplotypes(stream, 1), function() seek_to(stream, 3))
    next_haplotypes(stream, 2, progress = function(event) {
        for (use in uses) refusals <<- c(refusals, tryCatch(use(), haploom_INVALID_ARGUMENT = conditionMessage))
    })
    expect_length(refusals, 2)
    expect_match(refusals, "in use")
    expect_identical(next_haplotypes(stream, 1), sample_haplotypes(model, 1, first = 2))
})

test_that("progress goes to standard error alone, and only if it is asked for", {
    expect_silent(suppressMessages(train_quickly(people)))   # a notice may say that so little was learned
    utils::capture.output(type = "message", expect_output(train_quickly(people, progress = TRUE), NA))
    script <- temporary(".R")
    writeLines(c("library(haploom)", "m <- train(demo_panel('held_out'), epochs = 2, batch = 100, progress = TRUE)"), script)
    said <- tempfile()
    on.exit(unlink(said), add = TRUE)
    out <- system2(file.path(R.home("bin"), "Rscript"), shQuote(script), stdout = TRUE, stderr = said)
    expect_identical(out, character(0))
    expect_match(paste(readLines(said, warn = FALSE), collapse = ""), "training \\[=+ *\\] +[0-9]+% [0-9]+ of [0-9]+ updates")
})

test_that("a defect of the library is an error, and the session goes on", {
    calls <- list(
        train = function() train(people, x_panic = TRUE),
        panel = function() panel("x.vcf", x_panic = TRUE),
        encode = function() encode(model, others, x_panic = TRUE),
        evaluate = function() evaluate(people, others, x_panic = TRUE),
        sample_haplotypes = function() sample_haplotypes(model, 2, x_panic = TRUE),
        write_panel = function() write_panel(people, tempfile(fileext = ".vcf"), x_panic = TRUE))
    for (name in names(calls)) expect_status(calls[[name]](), "INTERNAL", "x_panic", name)
    expect_identical(as.raw(train_quickly(people)), as.raw(model))
})

test_that("what comes from a saved workspace is refused, and can be printed", {
    saved <- unserialize(serialize(list(people, model, sampler(model)), NULL))
    gone <- "its memory is gone"
    for (object in saved) {
        expect_output(print(object), gone)
        expect_status(sites(object), "INVALID_ARGUMENT", gone, "sites")
    }
    p <- saved[[1]]
    m <- saved[[2]]
    calls <- list(function() dim(p), function() dimnames(p), function() as.matrix(p), function() summary(p),
                  function() samples(p), function() frequencies(p), function() fingerprint(p),
                  function() subset_panel(p, "1"), function() with_labels(p, NULL), function() write_panel(p, tempfile()),
                  function() train(p), function() evaluate(p, people), function() evaluate(people, p),
                  function() evaluate(people, others, p), function() encode(model, p), function() conditionals(model, p),
                  function() sampler(model, start = p), function() sample_haplotypes(m, 1), function() sample_panel(m, 2),
                  function() sampler(m), function() encode(m, people), function() conditionals(m, people),
                  function() summary(m), function() as.raw(m), function() write_model(m, tempfile()), function() measured(m),
                  function() augment(m, "a", "b", 2), function() next_haplotypes(saved[[3]], 1),
                  function() position(saved[[3]]), function() seek_to(saved[[3]], 1))
    for (call in calls) expect_status(call(), "INVALID_ARGUMENT", gone)
    file <- temporary(".rds")
    saveRDS(model, file)
    expect_status(sample_haplotypes(readRDS(file), 1), "INVALID_ARGUMENT", gone, "sample_haplotypes")
})

test_that("objects that were tampered with give errors", {
    wrong <- structure(list(pointer = people$pointer), class = "haploom_model")
    expect_error(as.raw(wrong), "not a pointer to a haploom_model")
    expect_error(dim(structure(list(pointer = NULL), class = "haploom_panel")), class = "haploom_error")
    expect_error(dim(structure(list(), class = "haploom_panel")), class = "haploom_error")
    expect_error(dim(structure(1, class = "haploom_panel")))
})

test_that("handles are freed in any order", {
    p <- demo_panel("held_out")
    m <- train(p, "markov")
    stream <- sampler(m)
    expected <- sample_haplotypes(m, 3)
    rm(p, m)
    gc()
    expect_identical(next_haplotypes(stream, 3), expected)
    rm(stream)
    expect_silent(gc())
})

test_that("objects may outlive the namespace, and a session may end in a progress function", {
    script <- temporary(".R")
    run <- function(...) {
        writeLines(c("library(haploom)", ...), script)
        system2(file.path(R.home("bin"), "Rscript"), shQuote(script), stdout = FALSE, stderr = FALSE)
    }
    expect_identical(run("m <- train(demo_panel('train'), 'markov'); s <- sampler(m)", "unloadNamespace('haploom')",
                         "rm(m)", "invisible(gc())", "library(haploom)", "stopifnot(nrow(next_haplotypes(s, 2)) == 2)",
                         "quit(status = 5)"), 5L)
    expect_identical(run("train(demo_panel('train'), progress = function(event) if (event$done == 2) quit(status = 7))"), 7L)
})

test_that("forked workers use panels and models, and no samplers", {
    skip_on_os("windows")
    stream <- sampler(model, threads = 2)
    next_haplotypes(stream, 1)
    got <- parallel::mclapply(1:2, function(i) list(sample_haplotypes(model, 5), dim(people),
        tryCatch(next_haplotypes(stream, 1), haploom_INVALID_ARGUMENT = conditionMessage)), mc.cores = 2)
    for (one in got) {
        expect_identical(one[[1]], sample_haplotypes(model, 5))
        expect_identical(one[[2]], dim(people))
        expect_match(one[[3]], "another process")
    }
})

test_that("the garbage collector may come at any allocation in C", {
    # R code need not fear the collector, so the routines are called as they are: it runs at every allocation of theirs, or
    # at every 13th where there are events, which allocate much.
    file <- temporary(".vcf")
    real <- subset_panel(people, "1:1-30000", c("AFR000", "EAS000", "EUR000"))
    rbm <- train(real, hidden = 2, epochs = 1, batch = 6, chains = 2)
    p <- real$pointer
    m <- rbm$pointer
    x <- matrix(c(0, 1, NA, 1), 2)
    places <- site_columns(two_sites)
    person <- list(name = "a", ploidy = 2L, label = "b")
    quick <- list(epochs = 1, hidden = 2L, batch = 6, chains = 2, method = "pcd", ladder = FALSE)
    heed <- function(event) event
    whole <- function(routine, ...) {
        gctorture2(if (any(vapply(list(...), is.function, NA))) 13 else 1)
        on.exit(gctorture2(0))
        .Call(routine, ...)
    }
    value <- function(reply) {
        expect_identical(reply[c("status", "stop")], list(status = 0L, stop = "no"))
        reply$value
    }

    made <- value(whole(C_panel_from_matrix, x, places, person))
    expect_identical(value(whole(C_panel_window, made, c(1, 2), c(1, 2), FALSE)), matrix(c(0L, 1L, NA, 1L), 2))
    expect_identical(whole(C_samples_of, made), person)
    expect_identical(whole(C_sites_of, made)$alternate, c("G", "TT"))
    expect_identical(whole(C_panel_shape, made)[["missing"]], 1)
    expect_identical(value(whole(C_panel_frequencies, made)), c(0.5, 1))
    expect_identical(whole(C_panel_fingerprint, p), fingerprint(real))
    expect_identical(whole(C_samples_of, value(whole(C_panel_select, p, list(samples = "AFR000"))))$name, "AFR000")
    expect_identical(whole(C_samples_of, value(whole(C_panel_with_samples, made, person))), person)
    value(whole(C_panel_write, p, file, list(format = "vcf"), heed))
    expect_identical(whole(C_panel_fingerprint, value(whole(C_panel_open, file, list(threads = 1L), heed))), fingerprint(real))
    refused <- whole(C_panel_open, file, list(region = "9"), FALSE)
    expect_identical(refused[c("name", "value")], list(name = "REGION", value = NULL))

    again <- value(whole(C_model_train, p, "rbm", quick, heed))
    bytes <- value(whole(C_model_to_bytes, again))
    same <- value(whole(C_model_from_bytes, bytes))
    expect_identical(whole(C_model_info, same), whole(C_model_info, again))
    expect_identical(value(whole(C_model_conditionals, m, p, list(), heed)), unname(conditionals(rbm, real)))
    expect_identical(value(whole(C_model_encode, m, p, list(components = 1), heed))$hidden, unname(encode(rbm, real)$hidden))
    raised <- whole(C_model_train, p, "rbm", quick, function(event) stop("me"))
    expect_identical(raised$stop, "raised")
    expect_identical(conditionMessage(raised$condition), "me")

    stream <- value(whole(C_sampler_new, m, p, 0, list(layout = "sites", seed = 1)))
    expect_identical(value(whole(C_sampler_next, stream, 4, FALSE, heed)), unname(sample_haplotypes(rbm, 4, start = real)))
    expect_identical(whole(C_samples_of, value(whole(C_sampler_panel, stream, 2, list(prefix = "X"), heed)))$name, "X_2")
    counted <- whole(C_sampler_augment, stream, 2, file, temporary(".vcf"), list(index = FALSE), heed)
    expect_identical(measured_frame(counted$measured)$value, c(4, 4, 3, 1))
    imputer <- value(whole(C_imputer_new, p, m, list(artificial = 4, seed = 1), heed))
    expect_identical(whole(C_sites_of, imputer), whole(C_sites_of, m))
    told <- value(whole(C_imputer_impute, imputer, matrix(c(0, NA), 1), c(1, 3), list(), heed))
    expect_identical(dim(told$dosages), c(1L, nrow(sites(real))))
    expect_identical(is.na(told$left_out), matrix(c(FALSE, TRUE), 1))
    expect_identical(whole(C_imputer_impute, imputer, matrix(2L), 1, list(), FALSE)$name, "INVALID_ARGUMENT")
    imputer <- value(whole(C_imputer_new, p, NULL, list(), FALSE))
    counted <- whole(C_imputer_impute_file, imputer, file, temporary(".vcf"), list(index = FALSE), heed)
    expect_identical(measured_frame(counted$measured)$value[1], 3)
    painted <- whole(C_imputer_paint_file, imputer, file, temporary(".tsv"), list(), heed)
    expect_identical(painted$status, 0L)
    closeness <- value(whole(C_evaluation, p, p, p, list(transport_most = 2), heed))
    expect_identical(closeness$value[1], 1)
    expect_identical(whole(C_options_table)$key, haploom_options()$key)
    expect_identical(whole(C_version_table)$library, haploom_version()$library)
})
