# After fork, new handles work in the child and the old ones in the parent: shared and static.
cc -std=gnu11 -pthread -Wall "$HERE/fork.c" $(pkg-config --cflags --libs haploom) -Wl,-rpath,"$PREFIX/lib" -o shared
cc -std=gnu11 -pthread -Wall "$HERE/fork.c" $(pkg-config --cflags --libs haploom-static) -o static
./shared "$PANEL"
./static "$PANEL"
