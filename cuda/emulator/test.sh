#!/bin/sh
# Builds the emulator with the kernels of self_test.cu and checks it: both architectures, copies late and early, threads
# forward and backward. `test.sh OUT [flags of g++ ...]`; exit status 0 when all is well.
set -eu
out=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
KERNELS=$here/self_test.cu "$here/build.sh" "$out" "$@"
"${CXX:-g++}" -std=c++17 -O1 -g -fsigned-char -ffp-contract=off -Wall -Wextra "$@" "$here/self_test.cpp" -L"$out" -lcuda \
  -o "$out/self_test"

# The driver that plays looks for names alone, so PTX need not be compiled here.
ptx() {
  printf '.version 8.4\n.target %s\n.address_size 64\n' "$1"
  sed -n 's/^KERNEL(\([a-z0-9_]*\))$/.visible .entry \1()\n{\n}/p' "$here/self_test.cu"
}
ptx sm_80 > "$out/self_test.sm_80.ptx"
ptx sm_90a > "$out/self_test.sm_90a.ptx"

status=0
for capability in 8.0 9.0; do
  for copies in late early; do
    for order in forward backward; do
      echo "capability $capability, copies $copies, order $order"
      case $capability in
      8.0) family="sm_80 800" ;;
      *) family="sm_90a 900" ;;
      esac
      # What the mistakes print is shown when something is wrong.
      if ! LD_LIBRARY_PATH=$out HAPLOOM_EMULATED_CAPABILITY=$capability HAPLOOM_EMULATED_COPIES=$copies \
        HAPLOOM_EMULATED_ORDER=$order "$out/self_test" "$out/self_test.${family% *}.ptx" "${family#* }" \
        2> "$out/self_test.messages"; then
        cat "$out/self_test.messages"
        status=1
      fi
    done
  done
done
exit $status
