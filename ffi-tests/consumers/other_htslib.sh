# One htslib must not meet another: a program with Debian's, and one with decoys of htslib's names, in each order of linking.
cflags=$(pkg-config --cflags haploom htslib)
shared="$(pkg-config --libs haploom) -Wl,-rpath,$PREFIX/lib"
static=$(pkg-config --libs haploom-static)
host=$(pkg-config --libs htslib)
version=$(pkg-config --modversion htslib)
both() { # NAME LIBS...
    local name=$1
    shift
    cc -Wall -Werror "$HERE/other_htslib.c" $cflags "$@" -o "$name"
    [ "$("./$name" "$PANEL")" = "$version" ] || fail "$name: the program's htslib is not $version any more, or reading failed"
}
both shared_first $shared $host
both shared_last $host $shared
both static_first $static $host
both static_last $host $static

for libs in "$shared" "$static"; do
    cc -fno-builtin -rdynamic "$HERE/decoys.c" $cflags $libs -o decoys
    ./decoys "$PANEL" || fail "with $libs"
done
# The decoys are good: they would have been found by a library that looks for them.
readelf --dyn-syms -W decoys | grep ' bcf_hdr_read$'
