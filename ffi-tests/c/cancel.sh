# Calls stopped at every kind of moment leave no handle and no file, and a stopped training goes on to the same model.
"$HERE/compile" cancel shared
./shared "$PANEL"
