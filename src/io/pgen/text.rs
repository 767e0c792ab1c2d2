//! `.pvar` and `.psam`: fields between tabs or spaces, columns named by a header.

use super::super::bgzf::Source;
use crate::error::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// The first bytes of a zstd file.
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// zstd is not linked.
pub(super) fn refuse_zstd(path: &Path) -> Error {
    Error::new(ErrorKind::UnknownFormat, "the file is compressed with zstd, which is not read here")
        .file(path)
        .remedy("unpack it (zstd -d), or write the set again (plink2 --pfile X vzs --make-pgen --out Y)")
}

fn open(path: &Path) -> Result<Source> {
    let mut source = Source::open(path, 1)?;
    match source.peek(ZSTD.len())? {
        ZSTD => Err(refuse_zstd(path)),
        _ => Ok(source),
    }
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t']).filter(|f| !f.is_empty())
}

fn utf8(bytes: &[u8], at: impl Fn(&str) -> Error) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| at("the line is not UTF-8"))
}

/// Reads lines that begin with `#` up to the one that begins with one of `last`, which names the columns. `None` if
/// there is no such line.
fn header(source: &mut Source, last: &[&str], remedy: &str) -> Result<Option<Vec<String>>> {
    let path = source.path().to_path_buf();
    let mut any = false;
    while source.peek(1)? == b"#" {
        any = true;
        let Some(line) = source.line()? else { break };
        let number = line.number.unwrap_or(0);
        let text = utf8(line.bytes, |what| {
            Error::new(ErrorKind::Malformed, what).file(&path).record(number).remedy("write the file in UTF-8")
        })?;
        let columns: Vec<String> = fields(text).map(str::to_string).collect();
        if columns.first().is_some_and(|c| last.contains(&c.as_str())) {
            return Ok(Some(columns));
        }
    }
    match any {
        true => {
            Err(Error::new(ErrorKind::Malformed, "the header does not name the columns").file(&path).remedy(remedy))
        }
        false => Ok(None),
    }
}

/// One line of a `.pvar`.
pub(super) struct Line<'a> {
    pub(super) contig: &'a str,
    pub(super) position: u64,
    /// Empty where the file has `.`.
    pub(super) id: &'a str,
    pub(super) reference: &'a str,
    /// Separated by commas.
    pub(super) alternates: &'a str,
}

/// A `.pvar` being read.
pub(super) struct Sites {
    source: Source,
    path: PathBuf,
    /// Where CHROM, POS, ID, REF and ALT are.
    columns: [usize; 5],
}

impl Sites {
    /// Reads the header. A file without one is taken as PLINK 1's `.bim`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        const REMEDY: &str = "a .pvar names its columns in a line #CHROM POS ID REF ALT";
        let mut source = open(path)?;
        let names = match header(&mut source, &["#CHROM"], REMEDY)? {
            Some(names) => names,
            None => {
                let first = source.peek_line()?;
                let few = first.split(|b| matches!(b, b' ' | b'\t')).filter(|f| !f.is_empty()).count() < 6;
                let names: &[&str] = match few {
                    true => &["#CHROM", "ID", "POS", "ALT", "REF"],
                    false => &["#CHROM", "ID", "CM", "POS", "ALT", "REF"],
                };
                names.iter().map(|n| n.to_string()).collect()
            }
        };
        let mut columns = [0; 5];
        for (slot, name) in columns.iter_mut().zip(["#CHROM", "POS", "ID", "REF", "ALT"]) {
            *slot = names.iter().position(|n| n == name).ok_or_else(|| {
                Error::new(ErrorKind::Malformed, format!("there is no column {name}")).file(path).remedy(REMEDY)
            })?;
        }
        Ok(Sites { source, path: path.to_path_buf(), columns })
    }

    /// The next site; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>> {
        while matches!(self.source.peek(1)?, [b'\n' | b'\r']) {
            self.source.line()?;
        }
        let path = &self.path;
        let Some(line) = self.source.line()? else { return Ok(None) };
        let bad = |what: &str| {
            Error::new(ErrorKind::Malformed, what)
                .file(path)
                .record(line.number.unwrap_or(0))
                .remedy("mend the line, or make the set again")
        };
        let text = utf8(line.bytes, bad)?;
        let mut found = [""; 5];
        for (i, field) in fields(text).enumerate() {
            if let Some(which) = self.columns.iter().position(|c| *c == i) {
                found[which] = field;
            }
            if found.iter().all(|f| !f.is_empty()) {
                break;
            }
        }
        let [contig, position, id, reference, alternates] = found;
        if found.contains(&"") {
            return Err(bad("the line has fewer columns than the header"));
        }
        let position = position.parse().map_err(|_| bad(&format!("POS '{position}' is not a number")))?;
        Ok(Some(Line { contig, position, id: if id == "." { "" } else { id }, reference, alternates }))
    }
}

/// A line of a `.psam`.
pub(super) struct Person {
    pub(super) name: String,
    pub(super) man: bool,
}

/// Reads a `.psam`; one without a header is taken as PLINK 1's `.fam`. A name is the IID.
pub(super) fn read_people(path: &Path) -> Result<Vec<Person>> {
    const REMEDY: &str = "a .psam names its columns in a line #IID SEX or #FID IID SEX";
    let mut source = open(path)?;
    let names = header(&mut source, &["#FID", "#IID"], REMEDY)?;
    let (name, sex) = match &names {
        None => (1, Some(4)),
        Some(names) => {
            let name = names
                .iter()
                .position(|n| n == "#IID" || n == "IID")
                .ok_or_else(|| Error::new(ErrorKind::Malformed, "there is no column IID").file(path).remedy(REMEDY))?;
            (name, names.iter().position(|n| n == "SEX"))
        }
    };
    let mut people = Vec::new();
    while let Some(line) = source.line()? {
        let bad = |what: &str| {
            Error::new(ErrorKind::Malformed, what)
                .file(path)
                .record(line.number.unwrap_or(0))
                .remedy("mend the line, or make the set again")
        };
        let fields: Vec<&str> = fields(utf8(line.bytes, bad)?).collect();
        if fields.is_empty() {
            continue;
        }
        let Some(name) = fields.get(name) else { return Err(bad("the line has fewer columns than the header")) };
        let sex = match sex {
            Some(column) => *fields.get(column).ok_or_else(|| bad("the line has fewer columns than the header"))?,
            None => "NA",
        };
        people.push(Person { name: name.to_string(), man: matches!(sex, "1" | "M" | "m") });
    }
    Ok(people)
}
