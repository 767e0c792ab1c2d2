# Under valgrind every function that there is neither reads nor writes where it must not, and all that it makes is freed: the
# program that calls each with NULL in each place also calls each as it should be.
valgrind="valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect,possible"
valgrind+=" --errors-for-leak-kinds=definite,indirect,possible"
python3 "$HERE/nulls.py" "$PREFIX/include/haploom.h" >nulls.c
cc -std=gnu11 -g -I"$HERE" nulls.c $(pkg-config --cflags --libs haploom) -lm -Wl,-rpath,"$PREFIX/lib" -o nulls
$valgrind ./nulls >/dev/null

# Valgrind sees into the library: a buffer that is smaller than was said is written past, and a handle is not freed.
cat >careless.c <<'END'
#include "check.h"
int main(int argc, char **argv) {
    haploom_panel *panel = demo(HAPLOOM_DEMO_HELD_OUT);
    uint8_t *bytes = malloc(argc > 1 ? 799 : 800);
    OK(haploom_panel_to_bytes(panel, 0, 1, 0, 800, bytes, 800, 800, 1));
    free(bytes);
    if (argc > 1) haploom_panel_free(panel);
    (void)argv;
    panel = NULL;
    return 0;
}
END
cc -std=gnu11 -g -I"$HERE" careless.c $(pkg-config --cflags --libs haploom) -Wl,-rpath,"$PREFIX/lib" -o careless
for how in "" short; do
    if $valgrind ./careless $how 2>err; then fail "valgrind does not see what careless $how does"; fi
    grep -E 'Invalid write|lost' err | head -1
done
