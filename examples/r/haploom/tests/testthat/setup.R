# One small panel and one small model for all tests.
people <- subset_panel(demo_panel("train"), "1:1-1000000")
others <- subset_panel(demo_panel("held_out"), "1:1-1000000")
quick <- list(epochs = 5, hidden = 20, batch = 100, chains = 100)
train_quickly <- function(panel, ...) do.call("train", c(list(panel, "rbm"), utils::modifyList(quick, list(...))))
model <- train_quickly(people)

two_sites <- data.frame(contig = "22", position = c(100, 200), id = c("rs1", NA), reference = c("A", "G"),
                        alternate = c("G", "TT"))

# A file that the test's end removes, with its index.
temporary <- function(extension, env = parent.frame()) {
    file <- tempfile(fileext = extension)
    removed <- bquote(unlink(paste0(.(file), c("", ".tbi", ".csi"))))
    do.call(on.exit, list(removed, add = TRUE), envir = env)
    file
}

# The error of a status, with the function that the user called.
expect_status <- function(expression, status, text = NULL, called = NULL) {
    error <- expect_error(expression, class = paste0("haploom_", status))
    expect_s3_class(error, c(paste0("haploom_", status), "haploom_error", "error", "condition"), exact = TRUE)
    expect_identical(error$status, status)
    expect_lt(error$number, 0)
    if (!is.null(text)) expect_match(conditionMessage(error), text)
    if (!is.null(called)) expect_identical(as.character(conditionCall(error)[[1]]), called)
    invisible(error)
}
