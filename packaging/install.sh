#!/usr/bin/env bash
# Installs what `make build libraries` has made, or removes it again: packaging/install.sh [uninstall]
# From the environment: PREFIX (/usr/local), DESTDIR (empty: a folder that is put before PREFIX, for packagers), and LIBDIR
# (lib) and INCLUDEDIR (include), which lie under PREFIX. What is installed finds itself: the prefix may be moved later.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PREFIX:=/usr/local}" "${LIBDIR:=lib}" "${INCLUDEDIR:=include}" "${DESTDIR:=}"
case $PREFIX in
"~/"*) PREFIX=$HOME/${PREFIX#"~/"} ;;
/*) ;;
*) PREFIX=$PWD/$PREFIX ;;
esac
case $LIBDIR:$INCLUDEDIR in
/* | *:/* | *..*) echo "LIBDIR ($LIBDIR) and INCLUDEDIR ($INCLUDEDIR) lie under PREFIX: LIBDIR=lib64, say" >&2; exit 1 ;;
esac

version=$(sed -n '/^version = "/{s///;s/"//;p;q}' Cargo.toml)
soname=libhaploom.so.$(sed -n 's/.*HAPLOOM_ABI: i32 = \([0-9]*\);.*/\1/p' src/ffi/version.rs)
to=$DESTDIR$PREFIX
lib=$to/$LIBDIR
include=$to/$INCLUDEDIR
cmake=$lib/cmake/haploom

if [ "${1:-}" = uninstall ]; then
    rm -f "$to/bin/haploom" "$include"/haploom.{h,hpp} "$lib"/pkgconfig/haploom{,-static}.pc
    rm -f "$lib"/libhaploom.{a,so} "$lib/$soname" "$lib/libhaploom.so.$version" "$cmake"/haploomConfig{,Version}.cmake
    [ ! -d "$cmake" ] || rmdir --ignore-fail-on-non-empty "$cmake"
    exit
elif [ $# -gt 0 ]; then
    echo "usage: packaging/install.sh [uninstall]" >&2
    exit 2
fi

built=(target/release/haploom target/release/libhaploom.so target/libraries/libhaploom.a target/libraries/native-static-libs)
for file in "${built[@]}"; do
    [ -f "$file" ] || { echo "$file is not there: run \`make build libraries\` first, as the user who has cargo" >&2; exit 1; }
done
native=$(cat target/libraries/native-static-libs)

# The way up from FOLDER (under the prefix) to the prefix: ../.. for lib/pkgconfig.
up() { sed 's|[^/]\{1,\}|..|g' <<<"$1"; }
fill() { # TEMPLATE UP-FROM TARGET
    sed -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|${version%%.*}|g" -e "s|@SONAME@|$soname|g" \
        -e "s|@UP@|$(up "$2")|g" -e "s|@LIBDIR@|$LIBDIR|g" -e "s|@INCLUDEDIR@|$INCLUDEDIR|g" \
        -e "s|@NATIVE@|$native|g" -e "s|@NATIVE_LIST@|$(sed 's/-l//g; s/ \{1,\}/;/g' <<<"$native")|g" "packaging/$1" |
        install -D -m 644 /dev/stdin "$3"
}

install -D -m 755 target/release/haploom "$to/bin/haploom"
strip --strip-debug "$to/bin/haploom"
install -D -m 644 target/release/libhaploom.so "$lib/libhaploom.so.$version"
strip --strip-unneeded "$lib/libhaploom.so.$version"
ln -sf "libhaploom.so.$version" "$lib/$soname"
ln -sf "$soname" "$lib/libhaploom.so"
install -m 644 target/libraries/libhaploom.a "$lib/libhaploom.a"
for header in include/haploom.h include/haploom.hpp; do
    [ ! -f $header ] || install -D -m 644 $header "$include/${header##*/}"
done
fill haploom.pc.in "$LIBDIR/pkgconfig" "$lib/pkgconfig/haploom.pc"
fill haploom-static.pc.in "$LIBDIR/pkgconfig" "$lib/pkgconfig/haploom-static.pc"
fill haploomConfig.cmake.in "$LIBDIR/cmake/haploom" "$cmake/haploomConfig.cmake"
fill haploomConfigVersion.cmake.in "$LIBDIR/cmake/haploom" "$cmake/haploomConfigVersion.cmake"

# The loader finds a new library in a folder of the system through its cache.
case $DESTDIR$PREFIX in
/usr | /usr/local) [ "$(id -u)" -ne 0 ] || ldconfig || true ;;
esac
