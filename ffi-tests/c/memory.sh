# Where memory runs out, the calls that ABI.md names say so and the process goes on.
"$HERE/compile" memory shared shared -rdynamic
./shared | tee out
# The program's malloc is the library's: without that nothing would have failed.
[ "$(grep -c ' [1-9][0-9]* refusals' out)" -ge 5 ] || fail "nothing failed"
