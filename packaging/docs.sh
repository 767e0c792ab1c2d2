#!/usr/bin/env bash
# The manuals of the C library (target/doc/c) and of the R package (target/doc/r) beside rustdoc's, and a page that leads to
# the three. Makes what needs the library (the table of option keys) with target/release/libhaploom.so.
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/doc
work=target/docs
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
rm -rf "$out/c" "$out/r" "$work"
mkdir -p "$out" "$work"

# The table of option keys, as the library itself tells it.
cat >"$work/option_keys.c" <<'END'
#include <haploom.h>
#include <stdio.h>
#include <string.h>

/* A cell of a table of HTML. */
static void cell(const char *text) {
    fputs("<td>", stdout);
    for (; *text; ++text) {
        switch (*text) {
        case '<': fputs("&lt;", stdout); break;
        case '>': fputs("&gt;", stdout); break;
        case '&': fputs("&amp;", stdout); break;
        case '#': case '@': case '\\': case '*': putchar('\\'); /* fall through */
        default: putchar(*text);
        }
    }
    puts("</td>");
}

int main(void) {
    const char *last = "";
    puts("# Option keys {#option_keys}\n\nFor haploom_options_set_text() and its kin, and `haploom train --set`. A function reads");
    puts("the groups that its manual names; every function accepts those of \"every call\".\n");
    for (size_t i = 0; i < haploom_option_count(); ++i) {
        const char *key, *standard, *bounds, *group, *help;
        if (haploom_option_describe(i, &key, NULL, &standard, &bounds, &group, &help) != HAPLOOM_OK) return 1;
        if (strcmp(group, last) != 0) {
            if (*last) puts("</table>\n");
            printf("## %c%s\n\n<table>\n<tr><th>key</th><th>takes</th><th>default</th><th>what it does</th></tr>\n",
                   *group - ('a' <= *group && *group <= 'z' ? 32 : 0), group + 1);
        }
        last = group;
        puts("<tr>");
        cell(key);
        cell(bounds);
        cell(standard);
        cell(help);
        puts("</tr>");
    }
    puts("</table>");
    return 0;
}
END
library=${CARGO_TARGET_DIR:-target}/release
cc -Wall -Werror -I include "$work/option_keys.c" -L "$library" -lhaploom -o "$work/option_keys"
# By the name that programs look for.
soname=$(readelf -d "$library/libhaploom.so" | sed -n 's/.*soname: \[\(.*\)\]/\1/p')
ln -s "$(realpath "$library/libhaploom.so")" "$work/$soname"
LD_LIBRARY_PATH=$work "$work/option_keys" >"$work/option_keys.md"

input="include/haploom.h $work/option_keys.md"
[ ! -f include/haploom.hpp ] || input+=" include/haploom.hpp"
(cat docs/Doxyfile; echo "PROJECT_NUMBER = $version"; echo "INPUT = $input"; echo "OUTPUT_DIRECTORY = $out") | doxygen -

rows="<li><a href=\"haploom/index.html\">The Rust library</a></li>
<li><a href=\"c/index.html\">The C library</a>$([ ! -f include/haploom.hpp ] || echo ", and its C++ header")</li>"
if [ ! -d examples/r/haploom/man ]; then
    echo "docs: no R package here, so no pages of it"
elif ! command -v R >/dev/null; then
    echo "docs: R is not installed: the pages of the R package are left out"
else
    mkdir -p "$out/r"
    Rscript --vanilla packaging/docs.R examples/r/haploom "$out/r"
    rows+="
<li><a href=\"r/index.html\">The R package</a></li>"
fi

cat >"$out/index.html" <<END
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Haploom $version</title>
<style>body { font-family: sans-serif; max-width: 40em; margin: 4em auto; line-height: 1.6 }</style></head>
<body><h1>Haploom $version</h1>
<p>Learns the distribution of human haplotypes and makes new ones.</p>
<ul>
$rows
</ul>
</body></html>
END
echo "docs: $out/index.html"
