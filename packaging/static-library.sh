#!/usr/bin/env bash
# Makes target/libraries/libhaploom.a, a static library that keeps its htslib to itself.
#
# An archive as rustc makes it has a thousand global symbols, htslib's among them. In a program that also links another
# htslib, the order on the command line would decide, in silence, which of the two both sides call. So everything is
# joined into one object here, and all names but those of ffi-tests/abi/symbols.txt become local to it.
set -euo pipefail
cd "$(dirname "$0")/.."
raw=target/release/libhaploom.a
exports=ffi-tests/abi/symbols.txt
out=target/libraries
mkdir -p $out

# By itself, so that it is never an archive of another build. Cargo repeats the note when there is nothing to do.
notes=$(mktemp)
trap 'rm -f "$notes" $out/{all.o,haploom.o,defined}' EXIT
cargo rustc --release --locked --lib --crate-type staticlib -- --print native-static-libs 2>&1 |
    tee "$notes" | sed '/^note: /d; /^$/d'
native=$(sed -n 's/^note: native-static-libs: *//p' "$notes")
[ -n "$native" ] || { echo "rustc did not say which libraries libhaploom.a needs (native-static-libs)" >&2; exit 1; }
[ "$native" = "$(cat $out/native-static-libs 2>/dev/null)" ] || echo "$native" >$out/native-static-libs

[ $out/libhaploom.a -nt $raw ] && [ $out/libhaploom.a -nt $exports ] && [ $out/libhaploom.a -nt "$0" ] && exit

[ -s $exports ] || { echo "$exports is empty: the library would be too" >&2; exit 1; }
# shellcheck disable=SC2046  # one word a symbol
ld -r --gc-sections --force-group-allocation $(sed 's/^/-u /' $exports) -o $out/all.o --start-group $raw --end-group
objcopy --keep-global-symbols=$exports --strip-debug --strip-unneeded -R .llvmbc -R .llvmcmd $out/all.o $out/haploom.o
readelf -sW $out/haploom.o | awk '$5 == "GLOBAL" && $7 != "UND" {print $8}' >$out/defined
lost=$(grep -vxFf $out/defined $exports || true)
[ -z "$lost" ] || { echo "$exports names what the library does not have:" $lost >&2; exit 1; }
rm -f $out/libhaploom.a
ar rcsD $out/libhaploom.a $out/haploom.o
