# PLINK 1.9 with the R function, through Rserve: each column against an independent calculation; and what is refused.
package=$ROOT/examples/r/haploom
[ -d "$package" ] || fail "the R package is not in $package"
cp -r "$package" package
mkdir library
R CMD INSTALL --no-docs --library=library package >install.log 2>&1 || { cat install.log; fail "the R package"; }
plink() { plink1.9 --allow-no-sex --threads 1 "$@" >plink.out 2>&1 || { cat plink.out; return 1; }; }

# A panel's Europeans: half to train on, half to predict in. PLINK's people are all Europeans but ten without phenotype, with
# genotypes missing, so many SNPs are rare or do not vary. The contig is chr1, which PLINK writes as 1.
echo '1 chr1' >names
bcftools annotate --rename-chrs names -Ob -o panel.bcf "$PANEL"
awk -F'\t' '$2 == "EUR" { print $1 }' "$ROOT/assets/demo_samples.tsv" >europeans
head -n 150 europeans >train
tail -n 150 europeans >held_out
"$PREFIX/bin/haploom" train panel.bcf -q -S train --model markov --set window=1 -o model
bcftools view -S europeans panel.bcf |
    awk -F'\t' -v OFS='\t' '!/^#/ { for (i = 10 + NR % 41; i <= NF; i += 41) $i = "./." } { print }' >cohort.vcf
plink --vcf cohort.vcf --double-id --keep-allele-order --make-bed --out reference # A2 is the reference allele
awk '{ $6 = NR % 30 ? 1 : -9; print }' reference.fam >with_phenotype
mv with_phenotype reference.fam
plink --bfile reference --recode --out text
plink --file text --make-bed --out minor # A1 is the rarer allele, and 0 where nobody has it
awk '$6 == 1 { print $2 }' reference.fam >real

# Rserve on a free port of the loopback. The settings are in the environment.
serve() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    rm -rf serving
    mkdir serving
    R_LIBS=$PWD/library Rscript --vanilla -e 'Rserve::Rserve(args = commandArgs(TRUE))' --no-save --vanilla \
        --RS-port "$port" --RS-workdir "$PWD/serving" --RS-pidfile "$PWD/pid" >rserve.log 2>&1
    for _ in $(seq 300); do
        if (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
        sleep 0.1
    done
    cat rserve.log
    fail "Rserve does not answer on port $port"
}
end_serving() {
    [ ! -s pid ] || kill "$(cat pid)"
    rm -f pid
}
trap end_serving EXIT
rplink() { # FILESET OUT ARGUMENT...: one run of PLINK with an Rserve of its own
    local fileset=$1 out=$2
    shift 2
    serve
    plink --bfile "$fileset" --R "$ROOT/examples/plink/haploom.R" --R-port "$port" --out "$out" "$@"
    end_serving
}
export HAPLOOM_MODEL=$PWD/model HAPLOOM_PANEL=$PWD/panel.bcf HAPLOOM_PEOPLE=$PWD/held_out HAPLOOM_HAPLOTYPES=2000 HAPLOOM_SEED=5

# What should come out: counts by bcftools, tests by R, predictions by counting pairs of neighbours.
"$PREFIX/bin/haploom" sample model -q -n 2000 --seed 5 -o artificial.bcf
counts() { bcftools +fill-tags - -Ou -- -t AN,AC | bcftools query -f '%POS\t%REF\t%ALT\t%AC\t%AN\n'; }
bcftools view -S real cohort.vcf | counts >real.tsv
bcftools view artificial.bcf | counts >artificial.tsv
for set in train held_out; do bcftools view -S $set panel.bcf | bcftools query -f '[%GT\t]\n' | tr '|' '\t' >$set.alleles; done
cat >compare.R <<'R'
given <- read.table(commandArgs(TRUE)[1], col.names = c("chromosome", "name", "position", "a1", "f_real", "f_art", "chisq", "p", "e_min", "r2"))
columns <- c("position", "reference", "alternate", "alternates", "all")
real <- read.table("real.tsv", col.names = columns, colClasses = c(alternate = "character", reference = "character"))
artificial <- read.table("artificial.tsv", col.names = columns)
train <- as.matrix(read.table("train.alleles"))
held_out <- as.matrix(read.table("held_out.alleles"))
stopifnot(nrow(given) == 800, real$position == given$position, artificial$position == given$position)

# 0 is the allele that nobody has: the other one than A2.
a2 <- read.table("minor.bim", colClasses = "character")[[6]]
a1_alternate <- given$a1 == real$alternate | (given$a1 == "0" & a2 == real$reference)
stopifnot(a1_alternate | given$a1 == real$reference | (given$a1 == "0" & a2 == real$alternate))
turned <- function(counts) ifelse(a1_alternate, counts$alternates, counts$all - counts$alternates)
a <- turned(real)
b <- turned(artificial)
expected <- data.frame(f_real = a / real$all, f_art = b / artificial$all, chisq = NA, p = NA, e_min = NA, r2 = NA)
for (j in seq_len(nrow(given))) {
    table <- cbind(c(a[j], real$all[j] - a[j]), c(b[j], artificial$all[j] - b[j]))
    fixed <- any(rowSums(table) == 0)
    test <- suppressWarnings(chisq.test(table, correct = FALSE))
    if (!fixed) expected[j, c("chisq", "p")] <- c(test$statistic, test$p.value)
    expected$e_min[j] <- if (fixed) 0 else min(test$expected)
    if (j > 1) {
        after <- sapply(0:1, function(allele) mean(train[j, train[j - 1, ] == allele]))
        after[is.nan(after)] <- after[!is.nan(after)]
        prediction <- after[held_out[j - 1, ] + 1]
        if (var(prediction) > 0 && var(held_out[j, ]) > 0) expected$r2[j] <- cor(prediction, held_out[j, ])^2
    }
}
for (column in names(expected)) {
    x <- given[[column]]
    y <- expected[[column]]
    wrong <- which(is.na(x) != is.na(y) | abs(x - y) > 1e-5 * abs(y) + 1e-9)
    if (length(wrong) > 0) {
        print(cbind(given[wrong, ], expected = y[wrong]))
        stop(column, " differs at ", length(wrong), " SNPs")
    }
    cat(column, ":", sum(!is.na(x)), "numbers and", sum(is.na(x)), "NA agree\n")
}
cat("A1 is the alternate allele of", sum(a1_alternate), "SNPs;", sum(given$a1 == "0"), "have no other allele than A2\n")
# The test sees all cases: fixed sites, small counts, predictions; A1 of either kind, and none.
stopifnot(anyNA(given$chisq), any(given$e_min > 0 & given$e_min < 5), any(given$e_min > 5), sum(!is.na(given$r2)) > 300)
if (!"all_alternate" %in% commandArgs(TRUE)) stopifnot(any(!a1_alternate))
if ("zeros" %in% commandArgs(TRUE)) stopifnot(any(given$a1 == "0"))
R
compare() { Rscript --vanilla compare.R "$@"; }

HAPLOOM_BFILE=$PWD/minor rplink minor minor
cat minor.haploom.log
compare minor.auto.R zeros
grep -x 'columns: CHR SNP BP A1 F_REAL F_ART CHISQ P E_MIN R2' minor.haploom.log
grep -xF "800 of 800 SNPs are in the model $PWD/model" minor.haploom.log
grep -x '2000 artificial haplotypes, seed 5, against 290 people' minor.haploom.log
grep -xF "prediction in 300 haplotypes of $PWD/panel.bcf" minor.haploom.log
# A fileset whose A1 PLINK turns round as it reads it, and the same where it is told not to.
HAPLOOM_BFILE=$PWD/reference rplink reference turned
compare turned.auto.R
HAPLOOM_BFILE=$PWD/reference rplink reference kept --keep-allele-order
compare kept.auto.R all_alternate

# Predictions of a model whose sites are a part of the panel's, some people at a time, against R's own correlation.
"$PREFIX/bin/haploom" train panel.bcf -q -r chr1:1-2000000 --set epochs=20 --set batch=100 --set chains=100 --set hidden=40 -o rbm
R_LIBS=$PWD/library Rscript --vanilla - "$ROOT/examples/plink/haploom.R" <<'R'
source(commandArgs(TRUE)[1])
model <- haploom::read_model("rbm")
panel <- haploom::panel("panel.bcf", samples_file = "held_out", progress = FALSE)
sites <- haploom::sites(model)
r2 <- suppressMessages(predicted(model, sites, panel, people_at_once = 7))
p <- suppressMessages(haploom::conditionals(model, panel, progress = FALSE))
x <- as.matrix(panel)[, haploom::sites(panel)$position <= 2e6]
expected <- suppressWarnings(sapply(seq_len(ncol(x)), function(j) cor(x[, j], p[, j])^2))
stopifnot(ncol(x) == nrow(sites), all.equal(r2, expected, tolerance = 1e-6), sum(!is.na(r2)) > 100, max(r2, na.rm = TRUE) > 0.5)
R

# SNPs that the model does not have, and no panel: NA there, the rest as before. A log elsewhere.
"$PREFIX/bin/haploom" train panel.bcf -q -S train -r chr1:1-2000000 --model markov --set window=1 -o part
in_part=$(awk '$4 <= 2000000' minor.bim | wc -l)
HAPLOOM_MODEL=$PWD/part HAPLOOM_BFILE=$PWD/minor HAPLOOM_LOG=$PWD/elsewhere rplink minor part
grep -F "$in_part of 800 SNPs are in the model" elsewhere
[ "$(grep -c '^Note: .* sites of the panel are not in the model' elsewhere)" = 1 ]
cmp <(awk '$3 <= 2000000' minor.auto.R) <(awk '$3 <= 2000000' part.auto.R)
cmp <(awk '$3 > 2000000 { print $3, $5, "NA NA NA NA NA" }' minor.auto.R) \
    <(awk '$3 > 2000000 { print $3, $5, $6, $7, $8, $9, $10 }' part.auto.R)
HAPLOOM_BFILE=$PWD/minor HAPLOOM_PANEL='' HAPLOOM_PEOPLE='' rplink minor alone
cmp <(awk '{ $10 = "NA"; print }' minor.auto.R) <(awk '{ $1 = $1; print }' alone.auto.R)

# What goes wrong is in the log; PLINK has NA for all SNPs then.
refused() { # PATTERN FILESET ARGUMENT...
    local pattern=$1 fileset=$2
    shift 2
    rm -f log
    HAPLOOM_LOG=$PWD/log rplink "$fileset" refused "$@"
    cat log
    [ "$(grep -c '^Error: ' log)" = 1 ]
    grep -E "^Error: .*$pattern" log >/dev/null || fail "the log does not say: $pattern"
    [ -s refused.auto.R ]
    if awk '$5 != "NA" || NF > 5' refused.auto.R | grep .; then fail "numbers in spite of an error"; fi
}
export HAPLOOM_BFILE=$PWD/minor
refused 'SNP [0-9]+ that PLINK passes is not the one in that line.*--make-bed' minor --maf 0.05
refused 'PLINK passes 150 people, and the .fam has 300, 290 of them with a phenotype' minor \
    --keep <(awk '$6 == 1 { print $1, $2 }' minor.fam | head -n 150)
HAPLOOM_BFILE='' refused 'HAPLOOM_BFILE is not set' minor
HAPLOOM_BFILE=minor refused 'a full path is needed' minor
HAPLOOM_BFILE=$PWD/none refused 'none.fam is not there' minor
HAPLOOM_MODEL='' refused 'HAPLOOM_MODEL is not set' minor
HAPLOOM_MODEL=$PWD/none refused 'none: cannot read the model' minor
HAPLOOM_HAPLOTYPES=many refused 'HAPLOOM_HAPLOTYPES is many: a number is expected' minor
HAPLOOM_HAPLOTYPES=11 refused 'do not pair into people' minor
HAPLOOM_PANEL=$PWD/panel.vcf refused 'panel.vcf: cannot open' minor
bcftools view -t chr1:1-2000000 -Ob -o short.bcf panel.bcf
HAPLOOM_PANEL=$PWD/short.bcf refused 'site' minor
awk '{ $4 += 1; print }' minor.bim >shifted.bim
cp minor.bed shifted.bed
cp minor.fam shifted.fam
HAPLOOM_BFILE=$PWD/shifted refused 'no SNP of the fileset is in the model: .*genome build' shifted
