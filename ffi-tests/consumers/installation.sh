# What is installed, that it may lie anywhere, that making it again makes nothing, and that it can be removed.
version=$(pkg-config --modversion haploom)
expected="bin/haploom
include/haploom.h
$([ ! -f "$ROOT/include/haploom.hpp" ] || echo include/haploom.hpp)
L/cmake/haploom/haploomConfig.cmake
L/cmake/haploom/haploomConfigVersion.cmake
L/libhaploom.a
L/libhaploom.so
L/libhaploom.so.${version%%.*}
L/libhaploom.so.$version
L/pkgconfig/haploom-static.pc
L/pkgconfig/haploom.pc"
installed() { (cd "$1" && find . ! -type d | sed 's|^\./||' | LC_ALL=C sort); }
listed() { sed "s|^L|$1|" <<<"$expected" | sed '/^$/d' | LC_ALL=C sort; }

diff <(installed "$PREFIX") <(listed lib) || fail "< installed, > expected"
if grep -rIl -e "$ROOT" -e "$(dirname "$PREFIX")" "$PREFIX"; then fail "names the folder that it was made in"; fi
"$PREFIX/bin/haploom" --version | grep -F "$version"

# A packager's layout, and a folder whose name has a space.
export DESTDIR="$PWD/a stage" PREFIX=/usr LIBDIR=lib/x86_64-linux-gnu
"$ROOT/packaging/install.sh"
diff <(installed "$DESTDIR/usr") <(listed $LIBDIR) || fail "< installed, > expected"
export PKG_CONFIG_PATH="$DESTDIR/usr/$LIBDIR/pkgconfig"
eval "cc \"$HERE/read_panel.c\" $(pkg-config --cflags --libs haploom-static) -o read_panel"
./read_panel "$PANEL"
cmake -S "$HERE/cmake" -B build -DCMAKE_PREFIX_PATH="$DESTDIR/usr" -DCMAKE_LIBRARY_ARCHITECTURE=x86_64-linux-gnu -DASK=0.1
cmake --build build
build/with_haploom "$PANEL"

"$ROOT/packaging/install.sh" uninstall
[ -z "$(installed "$DESTDIR/usr")" ] || fail "left behind: $(installed "$DESTDIR/usr")"
if LIBDIR=/lib "$ROOT/packaging/install.sh" 2>refusal; then fail "LIBDIR=/lib was taken"; fi
grep -q 'lie under PREFIX' refusal

# Nothing changed: nothing is made.
unset DESTDIR PREFIX LIBDIR
made=("$ROOT"/target/release/{haploom,libhaploom.so} "$ROOT"/target/libraries/libhaploom.a)
before=$(stat -c %Y.%i "${made[@]}")
make -C "$ROOT" libraries
[ "$before" = "$(stat -c %Y.%i "${made[@]}")" ] || fail "made the libraries again"
