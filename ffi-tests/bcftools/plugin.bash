# For the checks beside it: the plugin, installed into plugins/ where bcftools finds it beside its own, and a small model.
make_plugin() { # VARIABLE=...: variables of make
    cp -r "$ROOT/examples/bcftools" source
    make -C source CFLAGS="-O2 -Werror" "$@" clean install PLUGINDIR="$PWD/plugins"
    export BCFTOOLS_PLUGINS=$PWD/plugins:
}
make_model() {
    "$PREFIX/bin/haploom" train "$PANEL" -q -o model --set epochs=5 --set batch=100 --set chains=100 --set hidden=20 "$@"
}
haploom_augment() { bcftools +haploom-augment "$@"; }
