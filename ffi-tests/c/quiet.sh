# A whole session, with failures, prints nothing, also where standard output and error are closed, and changes nothing of
# the process. Files are the same either way: what a library prints by mistake would land in one of them.
session=$(printf '%s\n' "$ROOT"/ffi-tests/abi/old/*/ | sort -V | tail -n 1)
"$HERE/compile" quiet shared shared -D_GNU_SOURCE -I"$session" -lm
"$HERE/compile" quiet static static -D_GNU_SOURCE -I"$session" -lm
# A locale with a decimal comma, where there is one, would spoil numbers in files.
comma=$(locale -a | grep -m1 '^de_DE' || echo C)
echo "numbers in the locale $comma"
for run in "shared" "shared closed" "static closed"; do
    read -r program how <<<"$run"
    folder=by_$program$how
    mkdir "$folder"
    (cd "$folder" && LC_ALL=$comma "../$program" "$PANEL" "$ROOT/assets/demo_samples.tsv" $how) >out 2>err ||
        { cat err; fail "$run: ended with $?"; }
    [ ! -s out ] && [ ! -s err ] || { cat out err; fail "$run: printed"; }
    diff -r by_shared "$folder" >difference || { head difference; fail "$run: other files"; }
done
