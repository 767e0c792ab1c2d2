# The R package as a user has it: found by pkg-config and by hand, in a prefix with a space, without its library; and a
# session from the shell, with Ctrl-C.
command -v R >/dev/null || skip "R is not installed"
package=$PWD/source/haploom
mkdir source library
cp -r "$ROOT/examples/r/haploom" source
install() { R CMD INSTALL --no-docs --clean -l "${to:-library}" "$@" "$package" >log 2>&1; }
session() { R_LIBS=$PWD/library Rscript "$@"; }

install || { cat log; fail "installation"; }
cp "$PANEL" panel.bcf
cat >session.R <<'EOF'
library(haploom)
people <- panel("panel.bcf", region = "1:1-2000000", samples_file = "train.txt", labels = "labels.tsv")
model <- train(people, hidden = 20, epochs = 5, batch = 100, chains = 100)
write_model(model, "model.safetensors")
print(augment(model, "panel.bcf", "more.vcf.gz", 100, prefix = "NEW"))
x <- sample_haplotypes(model, 4)
stopifnot(identical(dim(x), c(4L, nrow(sites(model)))))
cat(x[1, ], "\n", sep = "")
EOF
awk -F'\t' 'NR > 1 && $3 == "train" {print $1}' "$ROOT/assets/demo_samples.tsv" >train.txt
cut -f1,2 "$ROOT/assets/demo_samples.tsv" >labels.tsv
session session.R >out 2>err || { cat err; fail "session"; }
grep -q 'outside the model were dropped' err || { cat err; fail "what augment() left out was not told"; }
# The same model by the program gives the same haplotypes, and bcftools reads what augment() wrote.
"$PREFIX/bin/haploom" --quiet sample model.safetensors -n 4 -o four.vcf
[ "$(bcftools query -f '[%GT]\n' four.vcf | cut -c1 | tr -d '\n')" = "$(tail -n 1 out)" ] || fail "other haplotypes than the program's"
[ "$(bcftools query -l more.vcf.gz | grep -c '^NEW_')" = 50 ] || fail "augmented people"
[ "$(bcftools query -l more.vcf.gz | wc -l)" = 950 ] || fail "real people"

# Ctrl-C at the shell ends a script with an error and leaves a checkpoint, from which the same call goes on.
cat >long.R <<'EOF'
library(haploom)
people <- subset_panel(demo_panel("train"), "1:1-200000")
resume <- dir.exists("checkpoint")
told <- FALSE
model <- train(people, hidden = 4, batch = 10, chains = 10, updates = 300000, checkpoint = "checkpoint", resume = resume,
               progress = function(event) {
                   if (!told && event$done > 100) { told <<- TRUE; writeLines("training", "state") }
                   !resume || event$done < 200
               })
EOF
setsid bash -c 'trap - INT; exec env R_LIBS="$PWD/library" Rscript long.R' >out 2>err &
child=$!
until [ -f state ]; do kill -0 $child || { cat err; fail "training ended by itself"; }; sleep 0.1; done
kill -INT $child
if wait $child; then fail "Ctrl-C did not end the script"; fi
grep -q 'interrupted; the same call with resume = TRUE goes on' err || { cat err; fail "not told"; }
[ ! -s out ] || fail "said something on standard output"
[ -n "$(ls checkpoint)" ] || fail "no checkpoint"
if session long.R >out 2>err; then fail "went on to the end"; fi
grep -q 'goes on after update' err || { cat err; fail "did not go on"; }

# Installed by hand, without pkg-config; the library is found by the loader's path then.
mkdir by_hand
to=by_hand PKG_CONFIG=/nowhere install \
    --configure-vars="HAPLOOM_CFLAGS=-I$PREFIX/include HAPLOOM_LIBS='-L$PREFIX/lib -lhaploom'" --no-test-load ||
    { cat log; fail "by hand"; }
if R_LIBS=$PWD/by_hand Rscript -e 'library(haploom)' 2>err; then fail "found a libhaploom that was not named"; fi
grep -q 'libhaploom\.so' err
LD_LIBRARY_PATH=$PREFIX/lib R_LIBS=$PWD/by_hand Rscript -e 'library(haploom); stopifnot(ncol(demo_panel()) == 800)'

# Installations that cannot be say why, and leave nothing.
mkdir refused
to=refused
refuses() { # WHAT THE TEXT SAYS...
    local says=$1
    shift
    if env "$@" bash -c 'R CMD INSTALL -l refused "$0" >log 2>&1' "$package"; then fail "installed although: $says"; fi
    grep -q -- "$says" log || { cat log; fail "does not say: $says"; }
    [ -z "$(ls refused)" ] || fail "left something behind"
}
refuses 'pkg-config does not find libhaploom' PKG_CONFIG_PATH=/nowhere PKG_CONFIG_LIBDIR=/nowhere
refuses 'pkg-config is needed' PKG_CONFIG=/nowhere/pkg-config
refuses 'does not compile and link' HAPLOOM_LIBS=-lhaploom_of_nowhere
mkdir old
sed 's/^Version: .*/Version: 0.0.9/' "$PREFIX/lib/pkgconfig/haploom.pc" >old/haploom.pc
refuses 'is too old' PKG_CONFIG_PATH="$PWD/old"
[ ! -e "$package/src/Makevars" ] || fail "configure's work was not cleaned up"
