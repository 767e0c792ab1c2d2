# One file with the library inside does the same, exports bcftools' four names, and needs no libhaploom.so.
. "$HERE/plugin.bash"
make_plugin STATIC=1
make_model
if readelf -d plugins/haploom-augment.so | grep libhaploom; then fail "it is not static"; fi
[ "$(nm -D --defined-only plugins/haploom-augment.so | sed 's/.* //' | sort | xargs)" = "about run usage version" ]
bcftools plugin -lv | grep -A 1 -x -e '-- haploom-augment --'
haploom_augment -V | grep 'using htslib'
haploom_augment -m model -n 100 -Ob -o plugin.bcf "$PANEL"
"$PREFIX/bin/haploom" augment "$PANEL" model -q -n 100 -o program.bcf
cmp program.bcf plugin.bcf
