# The header compiles by itself in every standard that it promises, without a warning, and twice in one file.
strict="-Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only -I $PREFIX/include"
printf '#include <haploom.h>\n#include <haploom.h>\nint nothing;\n' >alone.c
compilers=cc
if command -v clang >/dev/null; then compilers="cc clang"; fi
for compiler in $compilers; do
    for standard in c99 c11 c17; do
        $compiler -std=$standard -Wstrict-prototypes $strict alone.c || fail "as $standard, by $compiler"
    done
    for standard in c++11 c++17 c++20; do
        $compiler -std=$standard -x c++ $strict alone.c || fail "as $standard, by $compiler"
    done
done
