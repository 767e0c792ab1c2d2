#!/bin/sh
# Builds the library that plays libcuda.so.1, with the kernels of cuda/*.cu in it, once for each family that a source names.
#
#   build.sh OUT [flags of g++ ...]
#
# makes OUT/libcuda.so.1 and a link OUT/libcuda.so; run a program with LD_LIBRARY_PATH=OUT. KERNELS names other sources.
# With -fsanitize=address among the flags, preload libasan.
set -eu
out=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
kernels=${KERNELS:-$(dirname "$here")/*.cu}
compiler=${CXX:-g++}
mkdir -p "$out/objects"
rm -f "$out"/objects/*.o

# Contraction would fuse what --fmad=false keeps apart; characters have a sign on the GPU; a large frame must not step over
# the page that guards a fibre's stack; _FORTIFY_SOURCE, which some systems set, takes leaving a fibre for a broken stack.
compile() {
  "$compiler" -std=c++17 -O2 -g -fPIC -ffp-contract=off -fsigned-char -fno-strict-aliasing -fstack-clash-protection \
    -U_FORTIFY_SOURCE -Wall -Wextra -Wno-unused-function -Wno-unknown-pragmas "$@"
}

objects=
for part in processor instructions driver streams modules; do
  compile -O3 "$@" -c "$here/$part.cpp" -o "$out/objects/$part.o"
  objects="$objects $out/objects/$part.o"
done
for kernel in $kernels; do
  [ -e "$kernel" ] || continue
  families=$(sed -n 's|^// families:||p' "$kernel")
  for family in ${families:-sm_80}; do
    case $family in
    sm_90a) architecture=900 ;;
    *) architecture=800 ;;
    esac
    object=$out/objects/$(basename "$kernel" .cu).$architecture.o
    # A namespace without a name keeps what two sources, or two architectures, call alike apart. Kernels, which have the
    # names of C, are made local to the object for the same end.
    printf 'namespace {\n#include "%s"\n}\n' "$kernel" |
      compile "$@" -DHAPLOOM_EMULATED_ARCH=$architecture -I"$(dirname "$here")" -include "$here/device.hpp" \
        -x c++ -c - -o "$object"
    "${NM:-nm}" --defined-only --extern-only "$object" |
      awk '$2 == "T" && $3 !~ /^_Z/ { print $3 }' > "$out/objects/kernels"
    "${OBJCOPY:-objcopy}" --localize-symbols="$out/objects/kernels" "$object"
    objects="$objects $object"
  done
done

echo '{ global: cu*; local: *; };' > "$out/objects/exports"
# shellcheck disable=SC2086 # one word an object
"$compiler" "$@" -shared -Wl,-soname,libcuda.so.1 -Wl,--version-script="$out/objects/exports" -Wl,-z,noexecstack \
  $objects -lpthread -o "$out/libcuda.so.1.new"
mv "$out/libcuda.so.1.new" "$out/libcuda.so.1"
ln -sf libcuda.so.1 "$out/libcuda.so"
