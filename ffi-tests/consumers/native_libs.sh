# What the static library needs, as rustc said when it was made (native-static-libs), is what pkg-config and CMake are told.
native=$(cat "$ROOT/target/libraries/native-static-libs")
[ -n "$native" ] || fail "rustc says nothing"
grep -qxF "Libs.private: $native" "$PREFIX/lib/pkgconfig/haploom.pc" || fail "haploom.pc does not say $native"
grep -qF "libhaploom.a $native" "$PREFIX/lib/pkgconfig/haploom-static.pc" || fail "haploom-static.pc does not say $native"
list=$(sed 's/-l//g; s/ \+/;/g' <<<"$native")
grep -qF "INTERFACE_LINK_LIBRARIES \"$list\"" "$PREFIX/lib/cmake/haploom/haploomConfig.cmake" || fail "CMake's target: $list"
