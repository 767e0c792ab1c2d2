# The test programs with address and undefined-behaviour sanitizers: what the library writes stays inside what it was given,
# and all that it allocates is freed. The library itself carries no instrumentation; its memory is watched all the same.
# The variables of this program alone are poisoned: htslib's and Rust's are not its own.
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
# The sanitizer is at work: it sees a buffer that is too small by one.
cat >short.c <<'END'
#include "check.h"
int main(void) {
    haploom_panel *panel = demo(HAPLOOM_DEMO_TRAIN);
    uint8_t *bytes = malloc(799);
    OK(haploom_panel_to_bytes(panel, 0, 1, 0, 800, bytes, 800, 800, 1));
    printf("%d\n", bytes[0]);
    return 0;
}
END
cc -std=gnu11 -g -O1 $flags -I"$HERE" short.c $(pkg-config --cflags --libs haploom) -Wl,-rpath,"$PREFIX/lib" -o short
if ./short 2>err; then echo "a write of the library past a buffer is not seen"; fi
cat err | head -3
