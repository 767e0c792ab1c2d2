# The C++ header compiles by itself, without a warning, also where exceptions are switched off.
if [ ! -f "$PREFIX/include/haploom.hpp" ]; then
    [ ! -f "$ROOT/include/haploom.hpp" ] || fail "haploom.hpp is not installed"
    skip "there is no haploom.hpp"
fi
strict="-Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only -I $PREFIX/include"
printf '#include <haploom.hpp>\n#include <haploom.hpp>\nint nothing;\n' >alone.cpp
for standard in c++17 c++20; do
    c++ -std=$standard $strict alone.cpp || fail "as $standard"
    c++ -std=$standard -fno-exceptions -fno-rtti $strict alone.cpp || fail "as $standard without exceptions"
done
