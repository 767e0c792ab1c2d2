# Ctrl-C (and TERM, and HUP) while a file is half written: it goes, what was there stays, the status is 128 + the signal.
. "$HERE/plugin.bash"
make_plugin
make_model
mkdir out
bcftools view "$PANEL" >panel.vcf
header=$(grep -c '^#' panel.vcf)
mkfifo pipe

interrupt() { # SIGNAL OLD [REST]: sends it when the temporary file is there; OLD is what out/x.bcf holds before, or empty
    local signal=$1 old=$2 rest=${3-records} pid status=0
    # A script's background jobs ignore INT, which the plugin respects: it is put back to its default.
    env --default-signal="$signal" bcftools +haploom-augment -m model -n 200 -Ob -o out/x.bcf <pipe 2>stderr &
    pid=$!
    exec 3>pipe
    head -n $((header + 100)) panel.vcf >&3
    for _ in $(seq 600); do
        if compgen -G 'out/.x.bcf.*.tmp' >/dev/null; then break; fi
        kill -0 $pid 2>/dev/null || fail "it ended by itself: $(cat stderr)"
        sleep 0.1
    done
    compgen -G 'out/.x.bcf.*.tmp' || fail "no temporary file after a minute"
    kill -s "$signal" $pid
    [ "$rest" = nothing ] || tail -n +$((header + 101)) panel.vcf >&3 || true
    exec 3>&-
    wait $pid || status=$?
    cat stderr
    [ $status = $((128 + $(kill -l "$signal"))) ] || fail "$signal: status $status"
    grep -x '\[haploom-augment\] Interrupted' stderr
    if [ -n "$old" ]; then
        cmp "$old" out/x.bcf || fail "$signal: what was there is gone"
        [ "$(ls -A out)" = x.bcf ] || fail "$signal: left $(ls -A out)"
    else
        [ -z "$(ls -A out)" ] || fail "$signal: left $(ls -A out)"
    fi
}
for signal in INT TERM HUP; do interrupt $signal ''; done
bcftools +haploom-augment -m model -n 10 -Ob -o whole.bcf "$PANEL"
cp whole.bcf out/x.bcf
interrupt INT whole.bcf
# In a terminal Ctrl-C ends the command before in the pipe too: what it has written so far is not the whole panel.
interrupt INT whole.bcf nothing

# Who had told it to ignore HUP (nohup) is obeyed.
env --ignore-signal=HUP bcftools +haploom-augment -m model -n 10 -Ob -o out/x.bcf <pipe 2>stderr &
pid=$!
exec 3>pipe
head -n $((header + 100)) panel.vcf >&3
until compgen -G 'out/.x.bcf.*.tmp' >/dev/null; do kill -0 $pid; sleep 0.1; done
kill -s HUP $pid
tail -n +$((header + 101)) panel.vcf >&3
exec 3>&-
wait $pid
cmp <(bcftools view -H whole.bcf) <(bcftools view -H out/x.bcf)
