# One file for each plugin, with the library inside, does the same, exports bcftools' four names, and needs no libhaploom.so.
. "$HERE/plugin.bash"
make_plugin STATIC=1
make_model
for plugin in haploom-augment haploom-impute; do
    if readelf -d plugins/$plugin.so | grep libhaploom; then fail "it is not static"; fi
    [ "$(nm -D --defined-only plugins/$plugin.so | sed 's/.* //' | sort | xargs)" = "about run usage version" ]
    bcftools plugin -lv | grep -A 1 -x -e "-- $plugin --"
done
haploom_augment -V | grep 'using htslib'
haploom_augment -m model -n 100 -Ob -o plugin.bcf "$PANEL"
"$PREFIX/bin/haploom" augment "$PANEL" model -q -n 100 -o program.bcf
cmp program.bcf plugin.bcf
make_people
haploom_impute -p train.bcf -Ob -o imputed.bcf array.bcf
"$PREFIX/bin/haploom" impute array.bcf --panel train.bcf -q -o imputed_program.bcf
cmp imputed_program.bcf imputed.bcf
