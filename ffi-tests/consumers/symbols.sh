# One list of functions: what the header declares, what each library exports, and what ffi-tests/abi/symbols.txt keeps.
sort "$ROOT/ffi-tests/abi/symbols.txt" >kept
[ -s kept ] || fail "symbols.txt is empty"
[ "$(wc -l <kept)" = "$(sort -u kept | wc -l)" ] || fail "symbols.txt has a name twice"
same() { diff kept "$1" >difference || { head -n 30 difference; fail "< symbols.txt, > $1"; }; }

nm -D --defined-only "$PREFIX/lib/libhaploom.so" | awk '{print $3}' | sort >exported_by_shared
same exported_by_shared
readelf -sW "$PREFIX/lib/libhaploom.a" | awk '($5 == "GLOBAL" || $5 == "WEAK") && $7 != "UND" && $8 != "" {print $8}' |
    sort >exported_by_static
same exported_by_static
# Without comments and types of callbacks, each declaration up to its semicolon.
echo '#include <haploom.h>' | cc -E -P -I "$PREFIX/include" -x c - | tr '\n' ' ' | tr ';' '\n' | grep -v typedef |
    grep -oE '\<haploom_[a-z0-9_]+ *\(' | tr -d ' (' | sort >declared
same declared
cmp "$ROOT/include/haploom.h" "$PREFIX/include/haploom.h"

# Nothing of another library comes in by name, either.
{ nm -D --undefined-only "$PREFIX/lib/libhaploom.so"; nm --undefined-only "$PREFIX/lib/libhaploom.a"; } | awk '{print $2}' |
    grep -E '^(hts|bcf|vcf|bgzf|sam|bam|tbx|kstring|deflate|inflate|crc32|libdeflate|gz)' >borrowed || true
[ ! -s borrowed ] || fail "expects from the program: $(tr '\n' ' ' <borrowed)"
