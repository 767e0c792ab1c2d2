# The header compiles by itself in every standard that it promises, without a warning, and twice in one file.
strict="-Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only -I $PREFIX/include"
printf '#include <haploom.h>\n#include <haploom.h>\nint nothing;\n' >alone.c
for standard in c99 c11 c17; do
    cc -std=$standard -Wstrict-prototypes $strict alone.c || fail "as $standard"
done
for standard in c++11 c++17 c++20; do
    c++ -std=$standard -x c++ $strict alone.c || fail "as $standard"
done
if [ ! -f "$PREFIX/include/haploom.hpp" ]; then
    [ ! -f "$ROOT/include/haploom.hpp" ] || fail "haploom.hpp is not installed"
    exit
fi
printf '#include <haploom.hpp>\n#include <haploom.hpp>\nint nothing;\n' >alone.cpp
for standard in c++17 c++20; do
    c++ -std=$standard $strict alone.cpp || fail "haploom.hpp as $standard"
    c++ -std=$standard -fno-exceptions -fno-rtti $strict alone.cpp || fail "haploom.hpp as $standard without exceptions"
done
