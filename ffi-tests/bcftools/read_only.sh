# A folder where one may not write: said so, and what lies there stays. Root may write everywhere, so it is somebody else here.
. "$HERE/plugin.bash"
make_plugin
make_model
mkdir out
echo 'of before' >out/x.vcf
chmod 555 out
chmod 444 out/x.vcf
somebody=()
if [ "$(id -u)" = 0 ]; then
    somebody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    "${somebody[@]}" test -r "$PWD/model" -a -r "$PANEL" -a -r plugins/haploom-augment.so -a -r "$PREFIX/lib/libhaploom.so" ||
        skip "as root, and nobody else may read $PWD, $PANEL and $PREFIX"
fi
status=0
"${somebody[@]}" bcftools +haploom-augment -m model -n 10 -o out/x.vcf "$PANEL" 2>stderr || status=$?
cat stderr
[ $status = 255 ]
grep -x '\[haploom-augment\] Error: out/x.vcf: cannot write the file: Permission denied.*check .* that you may write there' stderr
[ "$(ls -A out)" = x.vcf ] && [ "$(cat out/x.vcf)" = 'of before' ]
chmod 755 out
