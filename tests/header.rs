//! `include/haploom.h` is what cbindgen makes of `src/ffi`, and `ffi-tests/abi/symbols.txt` names its functions.
//!
//! `HAPLOOM_WRITE_HEADER=1 cargo test --release --test header` (or `make header`) writes both.

use std::path::PathBuf;

/// The files of the border, in the order of the header's sections.
const FILES: [&str; 12] = [
    "version", "status", "options", "progress", "sites", "panel", "model", "sampler", "augment", "imputer", "encode",
    "evaluate",
];

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What cbindgen makes of the border, with sections that Doxygen knows as groups.
fn generated() -> String {
    let config = cbindgen::Config::from_file(root("cbindgen.toml")).unwrap();
    let builder = FILES.iter().fold(cbindgen::Builder::new().with_config(config), |builder, file| {
        builder.with_src(root(&format!("src/ffi/{file}.rs")))
    });
    let mut plain = Vec::new();
    builder.generate().unwrap().write(&mut plain);
    let plain = String::from_utf8(plain).unwrap().replace(" * @OPTIONS@\n", &option_table());

    let mut out = String::new();
    let mut open = false;
    let mut lines = plain.lines().peekable();
    while let Some(line) = lines.next() {
        let title = lines.peek().and_then(|next| next.strip_prefix(" * § "));
        match title {
            Some(title) if line == "/**" => {
                let (title, id) = (title.to_string(), title.to_lowercase().replace(' ', "_"));
                if open {
                    out += "/** @} */\n\n";
                }
                let rule = "-".repeat(100 - title.len());
                out += &format!("/* ---- {title} {rule} */\n\n/** @defgroup {id} {title}\n *  @{{ */\n\n/**\n");
                open = true;
                lines.next();
                assert_eq!(lines.next(), Some(" *"), "a title stands alone");
            }
            _ if open && line.starts_with("#ifdef __cplusplus") => {
                out += &format!("/** @}} */\n\n{line}\n");
                open = false;
            }
            _ => out += &format!("{line}\n"),
        }
    }
    assert!(!out.contains('§') && !open, "every section is opened and closed");
    short_comments_and_safe_numbers(&out)
}

/// The keys of options by group, with their defaults and bounds. What they do is in haploom_option_describe() and in the
/// browsable manual.
fn option_table() -> String {
    let mut text = String::new();
    let mut group = "";
    for spec in haploom::options::TABLE.iter().filter(|spec| !spec.key.starts_with("x_")) {
        if spec.reader.name() != group {
            group = spec.reader.name();
            text += &format!(" *   {group}:\n");
        }
        let default = if spec.default.is_empty() { "\"\"" } else { spec.default };
        let line = format!("{:<16} {default}; {}", spec.key, spec.bounds);
        let mut cut = 0;
        // Long lists of words go on in the next line.
        while line.len() - cut > 88 {
            let end = cut + line[cut..cut + 88].rfind(' ').unwrap();
            text += &format!(" *     {}{}\n", if cut > 0 { " ".repeat(17) } else { String::new() }, &line[cut..end]);
            cut = end + 1;
        }
        text += &format!(" *     {}{}\n", if cut > 0 { " ".repeat(17) } else { String::new() }, &line[cut..]);
    }
    text
}

/// Comments of one line on one line, and negative numbers in parentheses, as C programmers write them.
fn short_comments_and_safe_numbers(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    let mut i = 0;
    while i < lines.len() {
        let number = lines[i].strip_prefix("#define ").and_then(|rest| rest.split_once(" -"));
        match (lines.get(i..i + 3), number) {
            (Some(["/**", only, " */"]), _) => {
                out += &format!("/** {} */\n", only.trim_start_matches(" * "));
                i += 2;
            }
            (_, Some((name, digits))) => out += &format!("#define {name} (-{digits})\n"),
            _ => out += &format!("{}\n", lines[i]),
        }
        i += 1;
    }
    out.replace("\n\n/** See HAPLOOM_VERSION_MAJOR. */", "")
}

/// The functions that a header declares, and the comment of each.
fn functions(header: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = header
        .match_indices("*/\n")
        .filter_map(|(end, _)| {
            let declaration = header[end + 3..].split(';').next().filter(|text| !text.contains(['#', '/']))?;
            let name = declaration.split_once('(')?.0.rsplit([' ', '*']).next()?;
            let comment = &header[header[..end].rfind("/**")?..end];
            name.starts_with("haploom_").then(|| (name.to_string(), comment.to_string()))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn the_header_and_the_list_of_symbols_are_those_of_the_source() {
    let header = generated();
    let symbols: String = functions(&header).iter().map(|(name, _)| format!("{name}\n")).collect();
    let exported: usize = FILES
        .iter()
        .map(|file| std::fs::read_to_string(root(&format!("src/ffi/{file}.rs"))).unwrap())
        .map(|text| text.matches("#[unsafe(no_mangle)]").count())
        .sum();
    for (path, text) in [("include/haploom.h", &header), ("ffi-tests/abi/symbols.txt", &symbols)] {
        if std::env::var_os("HAPLOOM_WRITE_HEADER").is_some() {
            std::fs::write(root(path), text).unwrap();
        }
        let there = std::fs::read_to_string(root(path)).unwrap_or_default();
        assert!(there == *text, "{path} is not what src/ffi says: run `make header` and look at the difference");
    }
    assert_eq!(symbols.lines().count(), exported, "functions declared and functions exported");
}

#[test]
fn every_function_is_documented_with_its_version() {
    for (name, comment) in functions(&generated()) {
        assert!(comment.contains("Since 0."), "{name} does not say since when it is there:\n{comment}");
    }
}
