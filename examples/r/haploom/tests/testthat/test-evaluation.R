quickly <- list(transport_most = 50, aats_draws = 1, triplets = 100)
evaluate_quickly <- function(...) do.call("evaluate", c(list(...), quickly))
new <- sample_panel(model, 400)
closeness <- evaluate_quickly(people, new, others)

test_that("an evaluation is a data frame with the library's numbers", {
    expect_s3_class(closeness, c("haploom_evaluation", "data.frame"), exact = TRUE)
    expect_identical(names(closeness), c("name", "title", "value", "floor", "best", "deviation", "note"))
    # Of 600 held-out haplotypes as many are used as there are artificial ones.
    expect_identical(attr(closeness, "sizes"), c(real = 1200, artificial = 400, held_out = 400, sites = 189))
    f <- frequencies(people)
    expect_equal(closeness["frequency_mae", "value"], mean(abs(frequencies(new) - f)))
    expect_equal(closeness["frequency_r", "value"], cor(frequencies(new), f))
    expect_identical(closeness["frequency_r", "best"], 1)
    expect_true(all(c("ld_r", "aa_truth", "aa_syn", "privacy_loss", "share_AFR") %in% closeness$name))
    expect_false(any(is.nan(closeness$value)))
    expect_match(attr(closeness, "json"), "\"frequency_r\"")
    expect_identical(evaluate_quickly(people, new, others, threads = 2), closeness)
})

test_that("without held-out people there is no floor and no privacy loss", {
    alone <- evaluate_quickly(people, new)
    expect_true(all(is.na(alone$floor)))
    expect_false("privacy_loss" %in% alone$name)
})

test_that("an evaluation prints as the library's table, and a part of it as a data frame", {
    expect_output(print(closeness), "400 artificial haplotypes against 1200 real ones, 400 held out, 189 sites")
    part <- closeness[c("ld_r", "aa_syn"), ]
    expect_output(print(as.data.frame(part)), "ld_r")
    plain <- as.data.frame(closeness)
    expect_s3_class(plain, "data.frame", exact = TRUE)
    expect_null(attr(plain, "table"))
    grDevices::pdf(NULL)
    on.exit(grDevices::dev.off())
    expect_silent(plot(closeness))
    expect_silent(plot(closeness, c("ld_r", "aa_syn"), main = "two"))
    expect_status(plot(closeness, "niceness"), "INVALID_ARGUMENT", "niceness", "plot.haploom_evaluation")
})

test_that("panels that do not fit are refused", {
    elsewhere <- as_panel(matrix(0:1, 4, 2), two_sites)
    expect_status(evaluate(people, elsewhere), "CONTIG_MISMATCH", called = "evaluate")
    expect_status(evaluate(people, matrix(0)), "INVALID_ARGUMENT", "artificial has to be a panel", "evaluate")
    expect_status(evaluate(people, new, 3), "INVALID_ARGUMENT", "held_out has to be a panel", "evaluate")
    expect_status(evaluate(people, new, epochs = 3), "UNKNOWN_OPTION", called = "evaluate")
    holes <- as_panel(matrix(c(NA, 0, 1, 1), 4, 2), two_sites)
    expect_status(evaluate(holes, elsewhere), "MISSING", called = "evaluate")
    swapped <- as_panel(matrix(0:1, 4, 2), transform(two_sites, reference = alternate, alternate = reference))
    expect_status(evaluate(swapped, elsewhere), "ALLELE_MISMATCH", called = "evaluate")
    apart <- as_panel(matrix(0:1, 4, 2), transform(two_sites, position = position + 1))
    expect_status(evaluate(apart, elsewhere), "NO_OVERLAP", called = "evaluate")
})
