# For the checks beside it: the plugins, installed into plugins/ where bcftools finds them beside its own, a small model, and
# people to impute.
make_plugin() { # VARIABLE=...: variables of make
    cp -r "$ROOT/examples/bcftools" source
    make -C source CFLAGS="-O2 -Werror" "$@" clean install PLUGINDIR="$PWD/plugins"
    export BCFTOOLS_PLUGINS=$PWD/plugins:
}
make_model() {
    "$PREFIX/bin/haploom" train "$PANEL" -q -o model --set epochs=5 --set batch=100 --set chains=100 --set hidden=20 "$@"
}
# train.bcf, and array.bcf: the other people at each tenth site.
make_people() {
    local set
    for set in train held_out; do
        awk -v set=$set '$3 == set {print $1}' "$ROOT/assets/demo_samples.tsv" >$set.txt
        bcftools view -S $set.txt -Ob -o $set.bcf "$PANEL"
    done
    bcftools view held_out.bcf | awk '/^#/ || n++ % 10 == 5' | bcftools view -Ob -o array.bcf
}
haploom_augment() { bcftools +haploom-augment "$@"; }
haploom_impute() { bcftools +haploom-impute "$@"; }
