# Sourced by the other scripts: how each tool is called. Work goes on in $WORK, results to $WORK/results.jsonl.

here=$(cd "$(dirname "$0")" && pwd)
results=$WORK/results.jsonl
map=$HAPLOOM_DATA/maps/chr15.b37.gmap.gz
threads=${THREADS:-2}
cd "$WORK"
trap 'status=$?; if [ $status != 0 ]; then echo "$0 failed; the end of $WORK/tools.log:"; tail -n 20 tools.log; fi >&2' EXIT

# A run that hangs is ended: Beagle waits for ever when one of its threads has failed.
measure() { timeout 3000 python3 "$here/measure.py" "$results" "$@"; }
score() { python3 "$here/score.py" "$results" "$@" 2>> tools.log; }

# index PANEL: what the peers want a reference to be, made once. minimac4 asks for an index too.
index() {
    if [ ! -e "$1.bref3" ]; then bref3 "$1.vcf.gz" > "$1.bref3"; fi
    if [ ! -e "$1.vcf.gz.tbi" ]; then bcftools index -t "$1.vcf.gz"; fi
    if [ ! -e "$1.msav" ]; then minimac4 --compress-reference "$1.vcf.gz" > "$1.msav"; fi
}

# impute TOOL PANEL TARGET OUT KEY=VALUE...: imputes TARGET.vcf.gz from PANEL into OUT.vcf.gz and measures it. For the tool
# haploom-model PANEL is a model, and for haploom-both it is PANEL+MODEL.
impute() {
    tool=$1 panel=$2 target=$3.vcf.gz out=$4
    shift 4
    set -- "$@" "tool=$tool" "threads=$threads" --
    beagle="java -Xmx6g -jar /usr/share/beagle/beagle.jar gt=$target map=plink.map out=$out nthreads=$threads seed=1"
    minimac4="minimac4 $panel.msav $target -o $out.vcf.gz -O vcf.gz -f GT,DS,HDS,GP -t $threads"
    haploom="$HAPLOOM impute $target -o $out.vcf.gz --threads $threads --quiet"
    # The words of a command have no spaces in them.
    case $tool in
    beagle) measure "$@" $beagle ref="$panel.bref3" ;;
    beagle-ne20000) measure "$@" $beagle ref="$panel.bref3" em=false ne=20000 ;;
    minimac4) measure "$@" $minimac4 -m plink.map ;;
    minimac4-no-map) measure "$@" $minimac4 ;;
    haploom) measure "$@" $haploom --panel "$panel.vcf.gz" --map "$map" ;;
    haploom-model) measure "$@" $haploom --model "$panel" ;;
    haploom-both) measure "$@" $haploom --panel "${panel%+*}.vcf.gz" --model "${panel#*+}" --map "$map" --seed "${seed:-1}" ;;
    esac 2>> tools.log
}
