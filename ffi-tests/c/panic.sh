# A panic inside either library as it is shipped becomes INTERNAL; nothing is printed, and later calls work.
"$HERE/compile" panic shared
"$HERE/compile" panic static static
for program in shared static; do
    ./$program "$PANEL" >out 2>err || { cat err; fail "$program: ended with $?"; }
    [ ! -s err ] || fail "$program: printed $(head -c 500 err)"
    [ "$(cat out)" = "$(grep -E '^[0-9]+ panics$' out)" ] || fail "$program: printed $(head -c 500 out)"
done
