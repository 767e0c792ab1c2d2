# Every function takes NULL in every place of a pointer, and answers as its manual says.
python3 "$HERE/nulls.py" "$PREFIX/include/haploom.h" >nulls.c
haploom="$(pkg-config --cflags --libs haploom) -Wl,-rpath,$PREFIX/lib"
cc -std=gnu11 -g -Wall -Wextra -Werror -I"$HERE" nulls.c $haploom -lm -o nulls
./nulls
functions=$(nm -D --defined-only "$PREFIX/lib/libhaploom.so" | wc -l)
grep -c '^static void try_' nulls.c | grep -qx "$functions" || fail "not all of the $functions functions were called"
