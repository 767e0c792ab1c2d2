# find_package(haploom) gives targets that link, shared and static, and refuses a version that is not there.
configure() { cmake -S "$HERE/cmake" -B "$1" -DCMAKE_PREFIX_PATH="$PREFIX" -DASK="$2"; }
version=$(pkg-config --modversion haploom)

configure build 0.1
cmake --build build
build/with_haploom "$PANEL" | grep -F "haploom $version: "
build/with_static "$PANEL" | grep -F "haploom $version: "
readelf -d build/with_haploom | grep 'NEEDED.*\[libhaploom\.so\.[0-9]\+\]' || fail "does not need libhaploom.so.N"
if readelf -d build/with_static | grep libhaploom; then fail "haploom::static is not static"; fi

for ask in "" 0.1.0 "$version" "$version EXACT" 0.1...0.9; do
    configure right "$ask" >/dev/null || fail "find_package(haploom $ask) does not find $version"
    rm -r right
done
for ask in 0.99 1.0 99 "0.0.9 EXACT" "0.0.1...<$version" "0.99...1"; do
    if configure wrong "$ask" >log 2>&1; then fail "find_package(haploom $ask) takes $version"; fi
    grep -q "haploomConfig.cmake, version: $version" log || { cat log; fail "refused for another reason"; }
    rm -r wrong
done
