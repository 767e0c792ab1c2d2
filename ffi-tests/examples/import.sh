# The script that imports a generator needs nothing but Python, makes the model that tests/import.rs compares with PyTorch,
# which the program takes, and says of what it does not take what is wrong.
script=$ROOT/examples/python/import_wgan.py golden=$ROOT/tests/golden/import
python3 -I "$script" "$golden/generator.safetensors" "$golden/sites.tsv" model.safetensors >said
cmp model.safetensors "$golden/model.safetensors"
grep -qx 'model.safetensors: 100 sites, 27 of padding; 2 to 127 positions, unit 2, noise 2' said
export PATH=$PREFIX/bin:$PATH
haploom info model.safetensors | grep -qx 'kind	model, wgan'
haploom sample -q model.safetensors -n 50 --seed 3 -o made.bcf
cmp <(bcftools query -f '%CHROM\t%POS\t%ID\t%REF\t%ALT\n' made.bcf) "$golden/sites.tsv"
haploom sample -q model.safetensors -n 20 --first 30 --seed 3 -o later.bcf
cmp <(bcftools query -f '[%GT ]\n' made.bcf | cut -d ' ' -f 16-25) <(bcftools query -f '[%GT ]\n' later.bcf | sed 's/ $//')

# Names as two GPUs give them (nn.DataParallel) are the same names; other changes are refused.
changed() { # CODE OUTPUT: the generator with its header (a dictionary h) changed
    python3 - "$golden/generator.safetensors" "$1" "$2" <<'PYTHON'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
start = 8 + struct.unpack("<Q", data[:8])[0]
h = json.loads(data[8:start])
exec(sys.argv[2])
head = json.dumps(h).encode()
open(sys.argv[3], "wb").write(struct.pack("<Q", len(head)) + head + data[start:])
PYTHON
}
changed 'h = {"module." + name: info for name, info in h.items()}' two_gpus.safetensors
python3 "$script" two_gpus.safetensors "$golden/sites.tsv" model.safetensors >said
cmp model.safetensors "$golden/model.safetensors"

refused() { # WHAT GENERATOR SITES
    local what=$1
    shift
    if python3 "$script" "$@" refused.safetensors >said 2>error; then fail "the script takes $*"; fi
    grep -qF -- "$what" error || { cat error; fail "the script does not say: $what"; }
    if grep -q Traceback error; then fail "the script breaks: $(cat error)"; fi
    [ ! -e refused.safetensors ] || fail "the script leaves a file behind"
}
refused 'usage: ' "$golden/generator.safetensors"
refused 'cannot read' /nowhere "$golden/sites.tsv"
refused 'cannot read' "$golden/generator.safetensors" /nowhere
refused 'cannot read' "$golden/sites.tsv" "$golden/sites.tsv"
: >empty
refused 'cannot read' empty "$golden/sites.tsv"
refused 'has to have 1 to 127 lines' "$golden/generator.safetensors" empty
cat "$golden/sites.tsv" "$golden/sites.tsv" >many.tsv
refused 'has to have 1 to 127 lines' "$golden/generator.safetensors" many.tsv
tr '\t' ' ' <"$golden/sites.tsv" >spaces.tsv
refused 'five columns with tabs' "$golden/generator.safetensors" spaces.tsv
refuses() { # WHAT CODE
    changed "$2" other.safetensors
    refused "$1" other.safetensors "$golden/sites.tsv"
}
refuses 'there is no ms_vars.0: adapt the names at the top' 'h = {name.replace("ms_vars", "location"): h[name] for name in h}'
refuses 'there is no block3.3.weight: adapt' 'h.pop("block3.block.3.weight")'
refuses 'there is no block1.0.weight' 'h = {}; h["ms_vars.0"] = {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}'
refuses 'nothing here has a place for block5.2.weight' 'h["block5.2.weight"] = h["block5.0.weight"]'
refuses 'block4.6.weight is F16 [2, 4, 3]; to be final.2.weight it has to be F32 [2, 4, 3]' 'h["block4.6.weight"]["dtype"] = "F16"'
refuses 'block2.3.weight is F32 [20, 24, 3]; to be up.1.1.weight it has to be F32 [24, 20, 3]' \
    'h["block2.block.3.weight"]["shape"] = [20, 24, 3]'
refuses 'there is no ms_vars.2' 'h.pop("ms_vars.2")'
refuses '2 location vectors and a first convolution of [40, 3, 3] are not of this architecture' \
    'h.pop("ms_vars.2"); h.pop("ms_vars.3")'
