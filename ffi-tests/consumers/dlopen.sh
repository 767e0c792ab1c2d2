# A host of plugins may load and unload the library as often as it likes.
cc -std=gnu99 -Wall "$HERE/dlopen.c" $(pkg-config --cflags haploom) -ldl -o dlopen
./dlopen "$PREFIX/lib/libhaploom.so" "$PANEL"
