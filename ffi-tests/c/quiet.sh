# A whole session, with failures, prints nothing, also where standard output and error are closed, and changes nothing of
# the process. Files are the same either way: what a library prints by mistake would land in one of them.
session=$(printf '%s\n' "$ROOT"/ffi-tests/abi/old/*/ | sort -V | tail -n 1)
"$HERE/compile" quiet shared shared -D_GNU_SOURCE -I"$session" -lm
"$HERE/compile" quiet static static -D_GNU_SOURCE -I"$session" -lm
for program in shared static; do
    for how in "" closed; do
        folder=by_$program$how
        mkdir "$folder"
        # A locale with a decimal comma, where there is one, would spoil numbers in files.
        (cd "$folder" && LC_ALL=$(locale -a | grep -m1 '^de_DE' || echo C) "../$program" "$PANEL" "$ROOT/assets/demo_samples.tsv" $how) \
            >out 2>err || { cat err; fail "$program $how: ended with $?"; }
        [ ! -s out ] && [ ! -s err ] || { cat out err; fail "$program $how: printed"; }
        diff -r by_shared "$folder" >difference || { head difference; fail "$folder: other files"; }
    done
done
