#!/usr/bin/awk -f
# What Doxygen reads instead of the headers. The guide at the top of each becomes a page with headings and a list. In
# haploom.h constants and types, which come before its sections, join the sections that they belong to; in haploom.hpp the
# inner namespace, which is no concern of readers, goes.

function section(name) {
    if (name ~ /^HAPLOOM_(VERSION|ABI)/) return "version"
    if (name ~ /^HAPLOOM_TYPE/ || name == "haploom_options") return "options"
    if (name ~ /^HAPLOOM_EVENT/ || name ~ /^haploom_(event|cancel|progress_fn)$/) return "progress_and_cancelling"
    if (name ~ /^HAPLOOM_(HAPLOTYPE_MAJOR|SITE_MAJOR|DEMO_|MISSING_ALLELE)/ || name == "haploom_panel") return "panels"
    if (name ~ /^haploom_(sites|samples)$/) return "sites_and_samples"
    if (name == "haploom_model") return "models"
    if (name == "haploom_sampler") return "sampling"
    if (name == "haploom_imputer") return "imputation"
    if (name == "haploom_encoding") return "encoding"
    if (name == "haploom_evaluation") return "evaluation"
    return "errors"
}

function tell(comment, code, name) { # the comment of a constant or a type, and its code
    sub(/ *\*\/\n$/, "\n * @ingroup " section(name) " */\n", comment)
    printf "%s%s\n", comment, code
}

FNR == 1 { guide = 1; cpp = FILENAME ~ /hpp$/; file = cpp ? "haploom.hpp" : "haploom.h" }

guide && /^ \* @file/ { print " * " (cpp ? "@page cpp The C++ header" : "@mainpage The C library of Haploom"); next }
guide && /^ \* @brief / { brief = substr($0, 11); print " * " brief; next }
guide && /^ \* [A-Z]+\. / {
    heading = $2
    sub(/\.$/, "", heading)
    text = $0
    sub(/^ \* [A-Z]+\. /, "", text)
    print " * ## " substr(heading, 1, 1) tolower(substr(heading, 2)) "\n * " text
    next
}
guide && /^ \*   haploom_[a-z]+ / {
    name = $2
    text = $0
    sub(/^ \*   haploom_[a-z]+ +/, "", text)
    print " * - #" name ": " text
    next
}
guide && /^ \*   haploom_[a-z]+,/ { gsub(/haploom_/, "#haploom_"); sub(/^ \*  /, " * -"); print; next }
guide && /^ \*\// {
    if (!cpp) print " *\n * All option keys are in @ref option_keys."
    print " */\n/** @file " file "\n * @brief " brief "\n */"
    guide = 0
    next
}
guide { print; next }
cpp && /namespace HAPLOOM_HPP_MANNER/ { next }
cpp { print; next }

# Comments wait for what they speak of.
/^\/\*\*/ { comment = "" ; inside = 1 }
inside { comment = comment $0 "\n"; if (/\*\/$/) inside = 0; next }
/^#define HAPLOOM_[A-Z_]+ / { tell(comment == "" ? "/** See the one before. */\n" : comment, $0, $2); comment = ""; next }
/^typedef struct haploom_/ { name = $4; sub(/;/, "", name); tell(comment, $0, name); comment = ""; next }
/^typedef int32_t haploom_status;/ { tell(comment, $0, "haploom_status"); comment = ""; next }
/^typedef int32_t \(\*haploom_progress_fn\)/ { tell(comment, $0, "haploom_progress_fn"); comment = ""; next }
{ printf "%s", comment; comment = ""; print }
END { printf "%s", comment }
