# The R package builds with its vignette, installs, and passes R CMD check without an error or a warning.
command -v R >/dev/null || skip "R is not installed"
mkdir source library repository
cp -r "$ROOT/examples/r/haploom" source
# Nothing here may ask the network which packages there are.
mkdir -p repository/src/contrib
: >repository/src/contrib/PACKAGES
cat >profile <<EOF
options(repos = structure(rep("file://$PWD/repository", 4), names = c("CRAN", "BioCsoft", "BioCann", "BioCexp")))
EOF
export R_PROFILE=$PWD/profile _R_CHECK_FORCE_SUGGESTS_=true

R CMD build source/haploom
tarball=$(ls haploom_*.tar.gz)
R CMD INSTALL -l library "$tarball"
readelf -d library/haploom/libs/haploom.so | grep -E "R(UN)?PATH.*\[$PREFIX/lib" || fail "the package does not remember where the library is"
# Of its own names R_init_haploom is all that others see in effect: routines are registered, not looked up.
R_LIBS=$PWD/library Rscript -e 'library(haploom); stopifnot(!is.loaded("panel_open", "haploom"))'

R CMD check --no-manual "$tarball" || { tail -n 50 haploom.Rcheck/tests/*.fail haploom.Rcheck/00install.out; fail "R CMD check"; }
if grep -E '\.\.\. *(\[.*\] *)?(ERROR|WARNING)' haploom.Rcheck/00check.log; then fail "R CMD check has something to say"; fi
grep -q '^Status: OK$' haploom.Rcheck/00check.log || tail -n 1 haploom.Rcheck/00check.log
grep -q 'FAIL 0 ' haploom.Rcheck/tests/testthat.Rout || fail "the tests did not run"
grep -E '\[ FAIL' haploom.Rcheck/tests/testthat.Rout
