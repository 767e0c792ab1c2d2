# What the loader sees of the shared library: its name, that it stays, and that it needs the C library alone.
library=$PREFIX/lib/libhaploom.so
readelf -d "$library" >dynamic
cat dynamic
version=$(pkg-config --modversion haploom)
soname=libhaploom.so.${version%%.*}
grep -qF "Library soname: [$soname]" dynamic || fail "the soname is not $soname"
[ "$(readlink "$library")" = "$soname" ] || fail "libhaploom.so does not lead to $soname"
[ "$(readlink "$PREFIX/lib/$soname")" = "libhaploom.so.$version" ] || fail "$soname does not lead to version $version"
grep -q 'FLAGS_1.*NODELETE' dynamic || fail "dlclose may unload it"
if grep -E 'TEXTREL|RPATH|RUNPATH' dynamic; then fail "has text relocations or a path of the build machine"; fi
if grep NEEDED dynamic | grep -vE '\[(libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1|ld-linux-[a-z0-9-]+\.so\.[0-9])\]'; then
    fail "needs a library that may not be there"
fi
if readelf -lW "$library" | grep -E 'GNU_STACK.*RWE'; then fail "asks for an executable stack"; fi
readelf -SW "$library" "$PREFIX/lib/libhaploom.a" >sections
if grep -qE '\.(llvmbc|llvmcmd|debug_info)' sections; then
    fail "carries bitcode or debugging information"
fi
