# Labels of a model and streams of them: getters, plans, the stream's end, people with their labels.
"$HERE/compile" labels shared
./shared "$ROOT/assets/demo_samples.tsv" "$PANEL"
