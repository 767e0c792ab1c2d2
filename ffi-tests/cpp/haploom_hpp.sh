# haploom.hpp: all of it is used, in each manner of compiling it; what must not compile does not; and no function of
# haploom.h is out of its reach.
flags="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -pthread $(pkg-config --cflags haploom)"
libs="$(pkg-config --libs haploom) -Wl,-rpath,$PREFIX/lib"
compilers=g++
if command -v clang++ >/dev/null; then compilers="g++ clang++"; else echo "clang++ is not there: g++ alone"; fi

passes() { # NAME COMPILER FLAGS...: the test program, compiled so
    local name=$1
    shift
    mkdir "$name"
    echo "$name: $*"
    "$@" $flags "$HERE"/*.cpp $libs -o "$name/test"
    (cd "$name" && ./test)
}
passes plain g++ -std=c++17 -O1
passes sanitized g++ -std=c++20 -DHAPLOOM_EXCEPTIONS -g -fsanitize=address,undefined -fno-sanitize-recover=all
passes bare g++ -std=c++17 -fno-exceptions -fno-rtti -DNDEBUG

# Without a warning in each standard, for whoever turns on what we do not have on.
strict="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor -Werror"
printf '#include <haploom.hpp>\n#include <haploom.hpp>\nint nothing;\n' >alone.cpp
for compiler in $compilers; do
    for standard in c++17 c++20 c++2b; do
        for manner in "" "-fno-exceptions -fno-rtti" -DHAPLOOM_EXCEPTIONS; do
            $compiler -std=$standard $strict $manner -fsyntax-only $(pkg-config --cflags haploom) alone.cpp ||
                fail "not clean: $compiler -std=$standard $manner"
        done
    done
done
if [ "$compilers" != g++ ]; then passes clang clang++ -std=c++17 -DHAPLOOM_EXCEPTIONS; fi

# What would drop an error, copy an owner or outlive one is refused; each beside its twin that is right.
compiles() { # BODY FLAGS...
    printf '#include <haploom.hpp>\nusing namespace haploom;\nint main() {\n%s\n}\n' "$1" >body.cpp
    shift
    g++ -std=c++17 -Werror -fsyntax-only $(pkg-config --cflags haploom) "$@" body.cpp 2>log
}
right() { compiles "$@" || { cat body.cpp log; fail "does not compile"; }; }
wrong() { # WHY BODY FLAGS...: refused, for this reason
    if compiles "${@:2}"; then cat body.cpp; fail "compiles"; fi
    grep -q "$1" log || { cat body.cpp log; fail "refused for another reason than $1"; }
}
right 'auto panel = Panel::demo(); return panel ? 0 : 1;'
wrong 'nodiscard' 'Panel::demo();'
wrong 'nodiscard' 'Panel::demo()->write("x.bcf");'
wrong 'nodiscard' 'auto panel = Panel::demo(); panel->append(*panel);'
wrong 'deleted' 'auto panel = Panel::demo(); Panel copy = *panel;'
right 'auto panel = Panel::demo(); Panel moved = std::move(*panel);'
wrong 'deleted' 'for (auto site : (*Panel::demo()).sites()) (void)site;'
right 'auto panel = Panel::demo(); for (auto site : panel->sites()) (void)site;'
wrong 'deleted' 'for (const auto &haplotype : Sampler().haplotypes(3)) (void)haplotype;'
right 'Sampler sampler; for (const auto &haplotype : sampler.haplotypes(3)) (void)haplotype;'
wrong 'no member named .value' 'return Panel::demo().value().haplotypes() == 0;'
right 'return Panel::demo().value().haplotypes() == 0;' -DHAPLOOM_EXCEPTIONS
wrong 'exceptions are switched off' '' -DHAPLOOM_EXCEPTIONS -fno-exceptions
wrong 'options take numbers' 'Options().set("epochs", nullptr);'
wrong 'needs C++17' '' -std=c++14

sed '/^ *\*/d; /^ *\/\*/d' "$PREFIX/include/haploom.hpp" >code
nm -D --undefined-only plain/test >called
while read -r function; do
    grep -q "\<$function\>" code || fail "haploom.hpp does not reach $function()"
    grep -q "\<$function\>" called || fail "haploom.hpp's way to $function() is not tested here"
done <"$ROOT/ffi-tests/abi/symbols.txt"
