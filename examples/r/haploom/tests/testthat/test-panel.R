test_that("the demo panel has its parts", {
    all <- demo_panel()
    expect_identical(dim(all), c(1800L, 800L))
    expect_identical(nrow(demo_panel("train")), 1200L)
    expect_identical(nrow(demo_panel("held_out")), 600L)
    expect_identical(c(table(samples(all)$label)), c(AFR = 300L, EAS = 300L, EUR = 300L))
    expect_error(demo_panel("some"))
})

test_that("a matrix becomes a panel and comes back", {
    for (mode in c("integer", "double", "logical")) {
        x <- matrix(c(0, 1, 1, 0, 1, 1, 0, NA), nrow = 4)
        storage.mode(x) <- mode
        p <- as_panel(x, two_sites, c("anna", "ben"))
        y <- as.matrix(p)
        expect_type(y, "integer")
        expect_equal(unname(y), matrix(as.integer(x), 4))
        expect_identical(dimnames(y), list(c("anna_1", "anna_2", "ben_1", "ben_2"), c("rs1", "22:200:G:TT")))
    }
    raw <- as.matrix(p, raw = TRUE)
    expect_identical(as.integer(raw), c(0L, 1L, 1L, 0L, 1L, 1L, 0L, 255L))
    expect_identical(fingerprint(as_panel(raw, two_sites, c("anna", "ben"))), fingerprint(p))
    expect_identical(frequencies(p), c(rs1 = 0.5, "22:200:G:TT" = 2 / 3))
    expect_identical(sites(p), transform(two_sites, position = c(100L, 200L)))
})

test_that("samples may be haploid, and have labels", {
    x <- matrix(c(0, 1, 1), 3, 2)
    p <- as_panel(x, two_sites, data.frame(name = c("he", "she"), ploidy = 1:2, label = c(NA, "Z")))
    expect_identical(rownames(p), c("he", "she_1", "she_2"))
    expect_identical(samples(p), data.frame(name = c("he", "she"), ploidy = 1:2, label = c(NA, "Z")))
    expect_identical(rownames(as_panel(x, two_sites, c("a", "b", "c"))), c("a", "b", "c"))
    expect_identical(rownames(as_panel(x[1:2, ], two_sites)), c("sample_0_1", "sample_0_2"))
})

test_that("sites that share an id are named by place", {
    p <- as_panel(matrix(0, 2, 2), transform(two_sites, id = "rs7"))
    expect_identical(colnames(p), c("22:100:A:G", "22:200:G:TT"))
    large <- as_panel(matrix(0, 2, 2), transform(two_sites, id = NULL, position = c(1e5, 5e9)))
    expect_identical(colnames(large), c("22:100000:A:G", "22:5000000000:G:TT"))
    expect_identical(sites(large)$position, c(1e5, 5e9))
})

test_that("windows of a panel are those of its matrix", {
    x <- as.matrix(people)
    expect_identical(dim(x), dim(people))
    expect_identical(dimnames(x), dimnames(people))
    pieces <- list(list(1:4, 3:9), list(c(7, 3, 4, 5, 3), c(100, 1, 2, 3, 189)), list(-(1:1190), NULL),
                   list(c("EUR000_2", "AFR000_1"), colnames(x)[c(5, 4)]), list(NULL, seq_len(ncol(x)) %% 3 == 0),
                   list(integer(0), 1:2), list(1:2, integer(0)))
    for (piece in pieces) {
        i <- if (is.null(piece[[1]])) TRUE else piece[[1]]
        j <- if (is.null(piece[[2]])) TRUE else piece[[2]]
        expect_identical(as.matrix(people, piece[[1]], piece[[2]]), x[i, j, drop = FALSE])
        raw <- as.matrix(people, piece[[1]], piece[[2]], raw = TRUE)
        expect_identical(as.integer(raw), as.integer(x[i, j]))
    }
    expect_identical(unname(frequencies(people)), unname(colMeans(x)))
})

test_that("a large matrix is widened in pieces", {
    # 3,000 rows x 2,000 sites: two pieces of 4 MB.
    set.seed(1)
    x <- matrix(rbinom(6e6, 1, 0.3), 3000)
    p <- as_panel(x, data.frame(contig = "1", position = 1:2000, reference = "A", alternate = "C"))
    expect_identical(unname(as.matrix(p)), x)
    expect_identical(unname(as.matrix(p, 3000:1, c(2:2000, 1))), x[3000:1, c(2:2000, 1)])
})

test_that("parts of a panel have the haplotypes that they say", {
    x <- as.matrix(demo_panel("train"))
    part <- subset_panel(demo_panel("train"), "1:20000-30000", c("EUR001", "AFR000"))
    expect_identical(samples(part)$name, c("AFR000", "EUR001"))
    at <- sites(demo_panel("train"))$position
    expect_identical(as.matrix(part), x[c("AFR000_1", "AFR000_2", "EUR001_1", "EUR001_2"), at >= 20000 & at <= 30000])
    expect_identical(dim(subset_panel(people, samples = c("^AFR000", "AFR001"))), dim(people) - c(4L, 0L))
    names <- temporary(".txt")
    writeLines(c("EUR003", "EUR002"), names)
    expect_identical(samples(subset_panel(people, samples_file = names))$name, c("EUR002", "EUR003"))
    expect_identical(nrow(subset_panel(people, samples_file = paste0("^", names))), nrow(people) - 4L)
})

test_that("labels change, and haplotypes do not", {
    changed <- with_labels(people, c(EUR001 = "me", EUR002 = NA))
    expected <- samples(people)
    expected$label[match(c("EUR001", "EUR002"), expected$name)] <- c("me", NA)
    expect_identical(samples(changed), expected)
    expect_identical(fingerprint(changed), fingerprint(people))
    expect_true(all(is.na(samples(with_labels(people, NULL))$label)))
    half <- rep_len(c("x", "y"), 600)
    expect_identical(samples(with_labels(people, half))$label, half)
    expect_identical(samples(with_labels(people, factor(half)))$label, half)
    expect_status(with_labels(people, c(nobody = "x")), "UNKNOWN_NAME", "nobody", "with_labels")
    expect_status(with_labels(people, "x"), "INVALID_ARGUMENT", "1 labels for 600", "with_labels")
    expect_status(with_labels(people, 1:600), "INVALID_ARGUMENT", "texts", "with_labels")
})

test_that("a panel goes to a file and comes back", {
    for (extension in c(".vcf", ".vcf.gz", ".bcf", ".hap.gz")) {
        file <- temporary(extension)
        expect_identical(write_panel(people, file), file)
        again <- panel(file)
        # Ids of IMPUTE2 are made of the place.
        expect_identical(unname(as.matrix(again)), unname(as.matrix(people)))
        expect_identical(sites(again)[-3], sites(people)[-3])
    }
    file <- temporary(".data")
    write_panel(people, file, format = "vcf.gz", index = FALSE)
    expect_false(file.exists(paste0(file, ".tbi")))
    labels <- temporary(".tsv")
    writeLines(c("name\tgroup\tother", paste(samples(people)$name, samples(people)$label, "x", sep = "\t")), labels)
    part <- panel(file, region = "1:1-100000", samples = c("AFR001", "EAS001"), labels = paste0(labels, ":group"), threads = 2)
    expect_identical(samples(part)$label, c("AFR", "EAS"))
    expect_identical(as.matrix(part), as.matrix(subset_panel(people, "1:1-100000", c("AFR001", "EAS001"))))
    expect_status(write_panel(people, "there/is/no/such.vcf"), "IO", "there/is/no/such.vcf", "write_panel")
    expect_status(write_panel(people, temporary(".docx")), "UNKNOWN_FORMAT", called = "write_panel")
})

vcf <- function(..., env = parent.frame()) {
    file <- temporary(".vcf", env)
    writeLines(c("##fileformat=VCFv4.2", "##contig=<ID=7>", "##FORMAT=<ID=GT,Number=1,Type=String,Description=\"g\">",
                 "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb",
                 gsub(" ", "\t", c(...))), file)
    file
}

test_that("a file with holes is refused by class, or read as asked, with a notice", {
    file <- vcf("7 10 . A C . . . GT 0|1 .|1", "7 20 x A C . . . GT 0/1 1|1")
    expect_status(panel(file), "MISSING", "7:10", "panel")
    expect_status(panel(file, missing = "reference"), "UNPHASED", "7:20", "panel")
    kept <- panel(file, missing = "keep", unphased = "keep")
    expect_identical(as.matrix(kept)[, 1], c(a_1 = 0L, a_2 = 1L, b_1 = NA, b_2 = 1L))
    expect_output(print(kept), "missing alleles: 1")
    expect_status(train(kept), "MISSING", called = "train")
    expect_message(filled <- panel(file, missing = "reference", unphased = "as-written"), class = "haploom_notice")
    expect_identical(unname(as.matrix(filled)[, 1]), c(0L, 1L, 0L, 1L))
    notice <- tryCatch(panel(file, missing = "reference", unphased = "as-written"), message = identity)
    expect_s3_class(notice, c("haploom_notice", "message", "condition"), exact = TRUE)
    expect_identical(as.character(conditionCall(notice)[[1]]), "panel")
    expect_silent(suppressMessages(panel(file, missing = "reference", unphased = "as-written")))
    many <- vcf("7 10 . A C,G . . . GT 0|1 2|1")
    suppressMessages(expect_identical(ncol(panel(many)), 2L))
    expect_status(panel(many, multiallelic = "refuse"), "MULTIALLELIC", called = "panel")
})

test_that("wrong files are errors of their kinds", {
    expect_status(panel(tempfile()), "IO", "No such file", "panel")
    text <- temporary(".vcf")
    writeLines("no panel", text)
    expect_status(panel(text), "UNKNOWN_FORMAT", called = "panel")
    expect_status(panel(vcf("7 20 . A C . . . GT 0|1 1|1", "7 10 . A C . . . GT 0|1 1|1")), "UNSORTED", called = "panel")
    good <- vcf("7 20 . A C . . . GT 0|1 1|1")
    expect_status(panel(good, region = "8"), "REGION", "the file has 7", "panel")
    expect_status(panel(good, region = "7:30-40"), "EMPTY", called = "panel")
    expect_status(panel(good, samples = "nobody"), "UNKNOWN_NAME", "nobody", "panel")
    expect_status(panel(good, missing = "perhaps"), "INVALID_OPTION", "refuse, reference", "panel")
    expect_status(panel(good, epochs = 3), "UNKNOWN_OPTION", "epochs", "panel")
    expect_status(panel(c("a", "b")), "INVALID_ARGUMENT", "one text", "panel")
    expect_status(panel(NA_character_), "INVALID_ARGUMENT", "one text", "panel")
    expect_status(panel(7), "INVALID_ARGUMENT", "one text", "panel")
})

test_that("wrong matrices, sites and samples say what is wrong", {
    x <- matrix(0L, 2, 2)
    expect_status(as_panel(1:4, two_sites), "INVALID_ARGUMENT", "matrix", "as_panel")
    expect_status(as_panel(matrix("0", 2, 2), two_sites), "INVALID_ARGUMENT", "matrix", "as_panel")
    for (bad in list(2L, -1L, 256L, 0.5, 1e300, as.raw(2), as.raw(254), Inf)) {
        y <- x
        storage.mode(y) <- storage.mode(bad)
        y[2, 1] <- bad
        expect_status(as_panel(y, two_sites), "INVALID_ARGUMENT", "row 2, column 1", "as_panel")
    }
    expect_status(as_panel(x, two_sites[1, ]), "INVALID_ARGUMENT", "2 columns, and there are 1 sites", "as_panel")
    expect_status(as_panel(x, two_sites[-1]), "INVALID_ARGUMENT", "no column contig", "as_panel")
    expect_status(as_panel(x, "sites"), "INVALID_ARGUMENT", "data frame", "as_panel")
    expect_status(as_panel(x, transform(two_sites, position = "x")), "INVALID_ARGUMENT", "numbers", "as_panel")
    for (bad in list(0, -5, NA, NaN, Inf, 1e17)) {
        expect_status(as_panel(x, transform(two_sites, position = c(bad, 200))), "INVALID_ARGUMENT", called = "as_panel")
    }
    expect_status(as_panel(x, transform(two_sites, contig = c(NA, "1"))), "INVALID_ARGUMENT", called = "as_panel")
    expect_status(as_panel(x, transform(two_sites, reference = "G", alternate = "G")), "INVALID_ARGUMENT", called = "as_panel")
    expect_status(as_panel(x, two_sites[2:1, ]), "UNSORTED", called = "as_panel")
    expect_status(as_panel(x, two_sites[c(1, 1), ]), "DUPLICATE", called = "as_panel")
    expect_status(as_panel(x[, 0], two_sites[0, ]), "EMPTY", called = "as_panel")
    expect_status(as_panel(x[c(1, 2, 1), ], two_sites), "INVALID_ARGUMENT", "do not pair", "as_panel")
    expect_status(as_panel(x, two_sites, c("a", "b", "c")), "INVALID_ARGUMENT", "3 names", "as_panel")
    expect_status(as_panel(x, two_sites, c("a", "a")), "DUPLICATE", called = "as_panel")
    expect_status(as_panel(x, two_sites, NA_character_), "INVALID_ARGUMENT", called = "as_panel")
    expect_status(as_panel(x, two_sites, data.frame(name = "a", ploidy = 1)), "INVALID_ARGUMENT", "1 haplotypes", "as_panel")
    expect_status(as_panel(x, two_sites, data.frame(name = c("a", "b"), ploidy = c(3, -1))), "PLOIDY", called = "as_panel")
    expect_status(as_panel(x, two_sites, data.frame(person = "a")), "INVALID_ARGUMENT", "no column name", "as_panel")
    expect_status(as_panel(x, two_sites, 1), "INVALID_ARGUMENT", called = "as_panel")
})

test_that("wrong windows are refused", {
    called <- "as.matrix.haploom_panel"
    for (bad in list(0:1300, NA, 1201, "nobody_1", TRUE, c(-1, 1), list(1), -1201)) {
        expect_error(as.matrix(people, bad), class = "haploom_error")
    }
    expect_status(as.matrix(people, 1201), "INVALID_ARGUMENT", "from 1 to 1200", called)
    expect_status(as.matrix(people, NULL, "nowhere"), "UNKNOWN_NAME", "sites: there is no nowhere", called)
    expect_status(as.matrix(people, c(1, -1)), "INVALID_ARGUMENT", "haplotypes", called)
})

test_that("panels print and summarise themselves", {
    expect_output(print(people), "1200 haplotypes of 600 samples, 189 sites\n  contig 1: 189 sites from 8570 to 998927\n")
    expect_output(print(people), "\n  labels: AFR 200, EAS 200, EUR 200")
    about <- summary(people)
    expect_s3_class(about, "summary.haploom_panel")
    expect_identical(sum(about$minor), 189L)
    expect_output(print(about), "MAF over 5%")
    expect_output(print(summary(as_panel(matrix(NA, 2, 2), two_sites))), "missing alleles       4")
})

test_that("names may be in any alphabet and any encoding of R", {
    p <- as_panel(matrix(0:1, 2, 2), transform(two_sites, id = c("\u03b1", NA)), "zo\u00eb")
    expect_identical(dimnames(p), list(c("zo\u00eb_1", "zo\u00eb_2"), c("\u03b1", "22:200:G:TT")))
    expect_identical(nrow(subset_panel(p, samples = iconv("zo\u00eb", "UTF-8", "latin1"))), 2L)
    expect_status(subset_panel(p, samples = "zo\u00e9"), "UNKNOWN_NAME", "zo\u00e9", "subset_panel")
})
