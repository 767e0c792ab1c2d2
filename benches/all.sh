#!/bin/sh
# All that RESULTS.md reports, in its order, from one run: some hours, on a machine that does nothing else.
# `Imputation` has Debian's beagle and minimac4 as peers.
# Usage: HAPLOOM_DATA=FOLDER PREFIX=WHERE-IT-IS-INSTALLED benches/all.sh [UPDATES of chr15, for half an hour of training] > target/results.md
set -eu
cd "$(dirname "$0")/.."
: "${HAPLOOM_DATA:?the folder with the panels}"
export HAPLOOM_DATA
updates=${1:-3000}
section() { printf '\n## %s\n\n' "$1"; }
fidelity() { cargo bench --quiet --bench fidelity -- "$@"; }
printf 'Machine: %s, %s processors. %s. %s.\n' \
    "$(sed -n 's/^model name\t*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(rustc --version)" \
    "haploom $(git rev-parse --short HEAD)"
section 'Gibbs sweep'; benches/sweep.sh
section 'Training time against sites'; cargo bench --quiet --bench scaling
section 'Reading'; benches/read_panel.sh
section 'The C border'; benches/ffi.sh
section '805 sites, published files'; fidelity published
section '805 sites, all haplotypes, defaults'; fidelity whole
section '805 sites, half of the people, defaults'; fidelity split
section 'chr15, 10,000 sites'; fidelity chr15 "updates=$updates"
section 'Copying model'; cargo bench --quiet --bench copying
section 'Imputation'; benches/imputation/run.sh a b
