# pkg-config's flags make a program that runs: shared, static by its own package, and static where no .so is installed.
expected="haploom $(pkg-config --modversion haploom): "

cc "$HERE/read_panel.c" $(pkg-config --cflags --libs haploom) -o shared
LD_LIBRARY_PATH=$PREFIX/lib ./shared "$PANEL" | grep -F "$expected"
readelf -d shared | grep 'NEEDED.*libhaploom\.so\.[0-9]\+\]' || fail "does not need libhaploom.so.N"
if ./shared "$PANEL" 2>/dev/null; then fail "found a libhaploom of the system instead of this one"; fi

static() { # PROGRAM: must run without any libhaploom.so
    if readelf -d "$1" | grep libhaploom; then fail "$1 is not static"; fi
    "./$1" "$PANEL" | grep -F "$expected"
}
cc "$HERE/read_panel.c" $(pkg-config --cflags --libs haploom-static) -o static
static static

cp -r "$PREFIX" elsewhere
rm elsewhere/lib/libhaploom.so*
export PKG_CONFIG_PATH=$PWD/elsewhere/lib/pkgconfig
cc "$HERE/read_panel.c" $(pkg-config --static --cflags --libs haploom) -o hidden
static hidden
c++ -x c++ "$HERE/read_panel.c" -x none $(pkg-config --static --cflags --libs haploom) -o hidden_cxx
static hidden_cxx
# Dead code of the program may go, the library still works.
cc -ffunction-sections "$HERE/read_panel.c" $(pkg-config --static --cflags --libs haploom) -Wl,--gc-sections -o collected
static collected
