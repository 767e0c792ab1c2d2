# The test programs with address and undefined-behaviour sanitizers: all that the library makes is freed, once, and what it
# shows (texts, tables, arrays) is there as long as it says. The library's own loads and stores carry no instrumentation:
# those are valgrind's.
flags="-fsanitize=address,undefined -fno-sanitize-recover=all"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=9 UBSAN_OPTIONS=print_stacktrace=1
session=$(printf '%s\n' "$ROOT"/ffi-tests/abi/old/*/ | sort -V | tail -n 1)
python3 "$HERE/nulls.py" "$PREFIX/include/haploom.h" >nulls.c
cc -std=gnu11 -g $flags -I"$HERE" nulls.c $(pkg-config --cflags --libs haploom) -lm -Wl,-rpath,"$PREFIX/lib" -o nulls
"$HERE/compile" streams streams shared $flags -lm
cc -std=c99 -g $flags "$session/session.c" $(pkg-config --cflags --libs haploom) -Wl,-rpath,"$PREFIX/lib" -o session
./nulls >/dev/null
./streams fast
./session "$PANEL" "$ROOT/assets/demo_samples.tsv"
# The sanitizer is at work: it sees a text that is read after its handle was freed.
cat >late.c <<'END'
#include "check.h"
int main(void) {
    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN);
    const char *name;
    OK(haploom_samples_get(haploom_panel_samples(panel), 0, &name, NULL, NULL, NULL));
    haploom_panel_free(panel);
    return name[0] == 'A';
}
END
cc -std=gnu11 -g $flags -I"$HERE" late.c $(pkg-config --cflags --libs haploom) -Wl,-rpath,"$PREFIX/lib" -o late
if ./late 2>err; then fail "a text that is read too late is not seen"; fi
grep heap-use-after-free err
