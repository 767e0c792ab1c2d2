# What programs were compiled with stays: constants, sizes, functions and their types. Programs of old headers run.
header=$PREFIX/include/haploom.h
compile="cc -std=gnu11 -Wall -Wextra -Wpedantic -Werror"

# The header of today keeps to constants.h, and every constant is there.
$compile -fsyntax-only -I "$PREFIX/include" "$HERE/constants.h"
$compile -x c -fsyntax-only -I "$PREFIX/include" - <"$HERE/constants.h"
number() { sed -nE "s/^#define HAPLOOM_VERSION_$1 ([0-9]+)$/\1/p" "$header"; }
now=$(number MAJOR).$(number MINOR).$(number PATCH)
[ -f "$HERE/old/$now/haploom.h" ] || fail "there is no old/$now: run ffi-tests/abi/keep, and write its session.c"
mkdir fresh
cp -r "$HERE/keep" fresh
fresh/keep "$header"
diff "$HERE/constants.h" fresh/constants.h || fail "constants.h is not that of the header: < kept, > now"

symbols() { # HEADER: the functions that it declares
    cc -E -P -x c "$1" | tr '\n' ' ' | tr ';' '\n' | grep -v typedef | grep -oE '\<haploom_[a-z0-9_]+ *\(' | tr -d ' (' | sort
}
nm -D --defined-only "$PREFIX/lib/libhaploom.so" | awk '{print $3}' | sort >exported
for old in "$HERE"/old/*/; do
    old=${old%/}
    version=${old##*/}
    # Both headers in one file: a constant with another number, or a function with another type, does not compile. Headers
    # of one ABI differ in their version alone.
    if grep -qx "#define HAPLOOM_ABI $(sed -nE 's/^#define HAPLOOM_ABI ([0-9]+)$/\1/p' "$header")" "$old/haploom.h"; then
        {
            cat "$old/haploom.h"
            echo '#undef HAPLOOM_H'
            sed -nE 's/^#define (HAPLOOM_VERSION_[A-Z]+) .*/#undef \1/p' "$old/haploom.h"
            cat "$header"
            sed -nE '/VERSION/d; s/^#define (HAPLOOM_[A-Z_]+) (\(?-?[0-9]+\)?)$/_Static_assert(\1 == \2, "\1");/p' "$old/haploom.h"
        } >both.c
        $compile -fsyntax-only both.c || fail "the header of $version was changed: if $version is not out yet, ffi-tests/abi/keep"
        symbols "$old/haploom.h" >before
        comm -23 before exported >gone
        [ ! -s gone ] || fail "functions of $version are gone: $(tr '\n' ' ' <gone)"

        # Its program uses every function of its header, and works with the library of today.
        mkdir "with_$version"
        cc -std=c99 -Wall -Wextra -Werror -I "$old" "$old/session.c" -L "$PREFIX/lib" -lhaploom -Wl,-rpath,"$PREFIX/lib" \
            -o "with_$version/session"
        nm -u "with_$version/session" | grep -o 'haploom_[a-z_]*' | sort >used
        diff before used || fail "old/$version/session.c does not use every function: < declared, > used"
        (cd "with_$version" && ./session "$PANEL" "$ROOT/assets/demo_samples.tsv") || fail "the program of $version does not run"
    else
        echo "$version has another ABI: its programs have a library of their own"
    fi
done
