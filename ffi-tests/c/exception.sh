# What ABI.md says of a C++ exception that leaves a progress function: the process ends, at once, and says why.
for libraries in "$(pkg-config --cflags --libs haploom) -Wl,-rpath,$PREFIX/lib" "$(pkg-config --cflags --libs haploom-static)"; do
    c++ -std=c++17 -Wall -Wextra -Werror "$HERE/exception.cpp" $libraries -o exception
    code=0
    (ulimit -c 0; ./exception >out 2>err) || code=$?
    [ $code -eq 134 ] || fail "ended with $code, not by SIGABRT: $(cat out err)"
    grep -q 'Rust cannot catch foreign exceptions' err || fail "said $(cat err)"
    [ ! -s out ] || fail "went on: $(cat out)"
done
