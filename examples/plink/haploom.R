# Rplink: what a haploom model makes of each SNP that PLINK 1.9 hands to R. README.md says how to run it.
#
# For each SNP PLINK writes, after chromosome, name, position and counted allele (A1):
#   F_REAL  frequency of A1 in the people that PLINK passes
#   F_ART   frequency of A1 in artificial haplotypes
#   CHISQ   Pearson's chi-square of the two, on allele counts, 1 degree of freedom, without continuity correction
#   P       its p value
#   E_MIN   the smallest of the four expected counts: below 5, CHISQ and P are not to be trusted
#   R2      squared correlation between an allele and the model's probability of it given the other alleles of the same
#           haplotype, over the haplotypes of a phased panel
# NA where the model lacks the SNP, where nothing varies, or (R2) without a panel.

settings <- list(
    model = Sys.getenv("HAPLOOM_MODEL"),                # model file
    bfile = Sys.getenv("HAPLOOM_BFILE"),                # what --bfile is given, as a full path, without .bed
    panel = Sys.getenv("HAPLOOM_PANEL"),                # phased panel to predict in; "" for none
    people = Sys.getenv("HAPLOOM_PEOPLE"),              # file of those of its people to predict in, a name a line; "" for all
    haplotypes = Sys.getenv("HAPLOOM_HAPLOTYPES", "5000"),
    seed = Sys.getenv("HAPLOOM_SEED", "1"),
    device = Sys.getenv("HAPLOOM_DEVICE", "cpu"),       # where they are made: cpu, cuda, cuda:1, cuda:all or auto
    log = Sys.getenv("HAPLOOM_LOG")                     # "" for BFILE.haploom.log
)

# PLINK evaluates this file before each 100 SNPs, in one session a run: what was found out before is kept here.
if (!exists("haploom_run")) haploom_run <- new.env()

Rplink <- function(PHENO, GENO, CLUSTER, COVAR) {
    run <- haploom_run
    if (!is.null(run$failure)) stop(run$failure)
    tryCatch(withCallingHandlers({
        if (is.null(run$snps)) begin(run, nrow(GENO))
        columns_of(run, GENO)
    }, message = function(m) {
        note(run, "Note: ", trimws(conditionMessage(m)))
        invokeRestart("muffleMessage")
    }), error = function(e) {
        # PLINK writes NA for all SNPs and says nothing; the log says why.
        run$failure <- conditionMessage(e)
        note(run, "Error: ", run$failure)
        stop(e)
    })
}

# A line in the log of a run and on Rserve's standard error, once.
note <- function(run, ...) {
    line <- paste0(...)
    if (line %in% run$noted) return()
    cat(line, "\n", file = stderr(), sep = "")
    log <- run$settings$log
    if (log == "" && run$settings$bfile != "") log <- paste0(run$settings$bfile, ".haploom.log")
    if (log != "") cat(line, "\n", file = log, sep = "", append = length(run$noted) > 0)
    run$noted <- c(run$noted, line)
}

# The first call of a run: reads the .bim and the model, samples, predicts.
begin <- function(run, people) {
    run$settings <- settings
    files <- c(model = "model file", bfile = "fileset that PLINK reads", panel = "phased panel", people = "file of people")
    for (name in names(files)) {
        path <- settings[[name]]
        if (path == "" && name %in% c("model", "bfile")) {
            stop("HAPLOOM_", toupper(name), " is not set: it names the ", files[name])
        }
        if (path != "" && !grepl("^\\^?/", path)) {
            stop("HAPLOOM_", toupper(name), " is ", path, ": a full path is needed, since Rserve works in a folder of its own")
        }
    }
    whole <- function(name) {
        value <- suppressWarnings(as.numeric(settings[[name]]))
        if (is.na(value)) stop("HAPLOOM_", toupper(name), " is ", settings[[name]], ": a number is expected")
        value
    }
    run$seen <- 0
    run$fam <- read_table(paste0(settings$bfile, ".fam"), c("family", "person", "father", "mother", "sex", "phenotype"))
    run$rows <- people_passed(run$fam$phenotype, people)
    bim <- read_table(paste0(settings$bfile, ".bim"), c("chromosome", "name", "morgans", "position", "a1", "a2"))

    model <- haploom::read_model(settings$model)
    sites <- haploom::sites(model)
    found <- match_sites(bim, sites)
    note(run, "columns: CHR SNP BP A1 F_REAL F_ART CHISQ P E_MIN R2")
    note(run, sum(!is.na(found$site)), " of ", nrow(bim), " SNPs are in the model ", settings$model)
    if (all(is.na(found$site))) {
        stop("no SNP of the fileset is in the model: the fileset begins with ", paste(bim[1, c(1, 4:6)], collapse = ":"),
             ", the model with ", paste(sites[1, c("contig", "position", "reference", "alternate")], collapse = ":"),
             "; check that both are of the same region and genome build")
    }
    run$haplotypes <- whole("haplotypes")
    artificial <- haploom::sample_panel(model, run$haplotypes, seed = whole("seed"), device = settings$device,
                                        progress = FALSE)
    frequency <- unname(haploom::frequencies(artificial))[found$site]
    note(run, run$haplotypes, " artificial haplotypes, seed ", settings$seed, ", against ", length(run$rows), " people")
    r2 <- rep(NA_real_, nrow(sites))
    if (settings$panel != "") {
        panel <- haploom::panel(settings$panel, samples_file = if (settings$people != "") settings$people, progress = FALSE)
        r2 <- predicted(model, sites, panel)
        note(run, "prediction in ", nrow(panel), " haplotypes of ", settings$panel)
    }
    run$snps <- data.frame(artificial = ifelse(found$a1_alternate, frequency, 1 - frequency), r2 = r2[found$site])
}

read_table <- function(file, columns) {
    if (!file.exists(file)) stop(file, " is not there: HAPLOOM_BFILE names a binary fileset, without .bed")
    read.table(file, colClasses = "character", comment.char = "", quote = "", col.names = columns)
}

# PLINK passes those who have a phenotype, in the order of the .fam: the lines of the .fam that these are. 0 is no phenotype
# where people are cases and controls, and one where it is a quantity.
people_passed <- function(phenotype, people) {
    lines <- list(seq_along(phenotype), which(!phenotype %in% c("-9", "0", "NA")), which(!phenotype %in% c("-9", "NA")))
    fitting <- lines[lengths(lines) == people]
    if (length(fitting) == 0) {
        stop("PLINK passes ", people, " people, and the .fam has ", length(phenotype), ", ", length(lines[[2]]),
             " of them with a phenotype: select people by --make-bed first, give Rplink the fileset that it makes, and PLINK --allow-no-sex")
    }
    fitting[[1]]
}

# The site of the model that each SNP is, and whether A1 is the alternate allele there. PLINK writes chr1 as 1 and X as 23,
# and as A1 a 0 where nobody has another allele than A2.
match_sites <- function(bim, sites) {
    code <- function(contig) {
        contig <- toupper(sub("^chr", "", contig, ignore.case = TRUE))
        special <- match(contig, c("X", "Y", "XY", "M", "MT"))
        ifelse(is.na(special), contig, c("23", "24", "25", "26", "26")[special])
    }
    key <- function(contig, position, a1, a2) paste(code(contig), format_whole(position), a1, a2)
    snps <- key(bim$chromosome, bim$position, bim$a1, bim$a2)
    find <- function(a1, a2) {
        known <- key(sites$contig, sites$position, a1, a2)
        known[known %in% known[duplicated(known)]] <- NA
        match(snps, known)
    }
    either <- function(x, y) ifelse(is.na(x), y, x)
    alternate <- either(find(sites$alternate, sites$reference), find("0", sites$reference))
    reference <- either(find(sites$reference, sites$alternate), find("0", sites$alternate))
    list(site = either(alternate, reference), a1_alternate = !is.na(alternate))
}

format_whole <- function(x) format(as.numeric(x), scientific = FALSE, trim = TRUE)

# For each site of the model, the squared correlation of alleles with the model's probabilities, over the haplotypes of a
# panel. So many people at a time that some 30 million probabilities are in memory.
predicted <- function(model, sites, panel, people_at_once = max(1, 15e6 %/% nrow(sites))) {
    key <- function(s) paste(s$contig, format_whole(s$position), s$reference, s$alternate)
    columns <- match(key(sites), key(haploom::sites(panel)))
    people <- haploom::samples(panel)$name
    portions <- split(people, (seq_along(people) - 1) %/% people_at_once)
    sums <- matrix(0, 5, nrow(sites))
    n <- 0
    for (portion in portions) {
        part <- panel
        if (length(portions) > 1) {
            list <- tempfile()
            writeLines(portion, list)
            part <- haploom::subset_panel(panel, samples_file = list)
            unlink(list)
        }
        p <- haploom::conditionals(model, part, progress = FALSE)
        x <- as.matrix(part)[, columns, drop = FALSE]
        sums <- sums + rbind(colSums(p), colSums(x), colSums(p^2), colSums(x^2), colSums(p * x))
        n <- n + nrow(x)
    }
    means <- sums / n
    covariance <- means[5, ] - means[1, ] * means[2, ]
    variances <- cbind(means[3, ] - means[1, ]^2, means[4, ] - means[2, ]^2)
    # A probability that is the same for all comes out as rounding noise.
    unname(ifelse(variances[, 1] > 1e-12 & variances[, 2] > 1e-12, covariance^2 / (variances[, 1] * variances[, 2]), NA))
}

# What PLINK expects: for each SNP the number of values, then the values.
columns_of <- function(run, GENO) {
    rows <- run$seen + seq_len(ncol(GENO))
    if (max(rows) > nrow(run$snps)) stop("PLINK passes more SNPs than the .bim has: HAPLOOM_BFILE is another fileset")
    turned <- turned_round(run, GENO)
    run$seen <- max(rows)

    all_real <- 2 * colSums(!is.na(GENO))
    real <- colSums(GENO, na.rm = TRUE)
    artificial <- ifelse(turned, 1 - run$snps$artificial[rows], run$snps$artificial[rows])
    test <- chi_square(real, all_real, artificial * run$haplotypes, run$haplotypes)
    values <- cbind(real / all_real, artificial, test$chisq, pchisq(test$chisq, 1, lower.tail = FALSE), test$least,
                    run$snps$r2[rows])
    values[is.nan(values)] <- NA
    as.numeric(rbind(ncol(values), t(values)))
}

# Of two pairs of allele counts (`a` of `n`, `b` of `m`): chi-square, NA where all alleles are the same, and the smallest
# expected count.
chi_square <- function(a, n, b, m) {
    one <- a + b
    other <- n + m - one
    chisq <- (n + m) * (a * (m - b) - b * (n - a))^2 / (n * m * one * other)
    list(chisq = ifelse(n > 0 & one > 0 & other > 0, chisq, NA), least = pmin(n, m) * pmin(one, other) / (n + m))
}

# PLINK hands over no names, and counts the rarer allele unless --keep-allele-order is given. So the SNPs are the lines of
# the .bim in order, which holds as long as PLINK leaves none out; and the .bed, which says the same genotypes, proves it and
# tells which of the two alleles is counted.
turned_round <- function(run, GENO) {
    bed <- read_bed(paste0(run$settings$bfile, ".bed"), nrow(run$fam), run$seen, ncol(GENO))[run$rows, , drop = FALSE]
    same <- function(a, b) colSums(is.na(a) != is.na(b)) == 0 & colSums(a != b, na.rm = TRUE) == 0
    as_is <- same(GENO, bed)
    turned <- same(GENO, 2 - bed)
    if (any(!as_is & !turned)) {
        stop("SNP ", run$seen + which(!as_is & !turned)[1], " that PLINK passes is not the one in that line of ",
             run$settings$bfile, ".bim: select SNPs and people by --make-bed first, and give Rplink the fileset that it makes")
    }
    !as_is
}

# Counts of A1 in a .bed of so many people: people x SNPs, `n` SNPs after the first `skip`.
read_bed <- function(bed, people, skip, n) {
    width <- (people + 3) %/% 4
    file <- file(bed, "rb")
    on.exit(close(file))
    if (!identical(readBin(file, "raw", 3), as.raw(c(0x6c, 0x1b, 0x01)))) stop(bed, " is no SNP-major .bed file")
    seek(file, 3 + skip * width)
    bytes <- readBin(file, "raw", n * width)
    if (length(bytes) < n * width) stop(bed, " ends too early")
    bits <- matrix(as.integer(rawToBits(bytes)), 2)
    counts <- c(2L, NA, 1L, 0L)[bits[1, ] + 2L * bits[2, ] + 1L]
    matrix(counts, 4 * width)[seq_len(people), , drop = FALSE]
}
