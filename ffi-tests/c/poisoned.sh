# A handle that a call used exclusively when it panicked is of no more use: every later call says so, and it can be freed.
"$HERE/compile" panic shared
./shared "$PANEL" poisoned 2>err || { cat err; exit 1; }
