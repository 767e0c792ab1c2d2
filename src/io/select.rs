//! Which people of a panel, and which group each belongs to.

use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;
use crate::panel::Panel;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Names of people, taken or left out (`^`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The names.
    pub names: Vec<String>,
    /// Whether these are the people to leave out.
    pub exclude: bool,
}

impl Selection {
    /// What the options `samples` and `samples_file` ask for.
    ///
    /// # Errors
    /// As [`Selection::from_file`]; `InvalidOption` if both are there.
    pub fn from_options(options: &Options) -> Result<Option<Self>> {
        match (options.given("samples"), options.given("samples_file")) {
            (Some(_), Some(_)) => {
                Err(Error::new(ErrorKind::InvalidOption, "samples and samples_file are both set").remedy("set one"))
            }
            (Some(list), None) => Ok(Some(Selection::from_list(list))),
            (None, Some(file)) => Ok(Some(Selection::from_file(file)?)),
            (None, None) => Ok(None),
        }
    }

    /// From a list `a,b,c` or `^a,b,c`.
    pub fn from_list(text: &str) -> Self {
        let (exclude, text) = strip_caret(text);
        let names = text.split(',').map(str::trim).filter(|n| !n.is_empty()).map(String::from).collect();
        Selection { names, exclude }
    }

    /// From a file with a name a line (the first word; empty lines and lines with `#` do not count), `^FILE` excludes.
    ///
    /// # Errors
    /// `Io`; `Empty` if the file names nobody.
    pub fn from_file(text: &str) -> Result<Self> {
        let (exclude, file) = strip_caret(text);
        let content = read_text(Path::new(file), "read the list of samples")?;
        let names: Vec<String> = content
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_whitespace().next())
            .map(String::from)
            .collect();
        match names.is_empty() {
            true => Err(Error::new(ErrorKind::Empty, "the file names no sample").file(file)),
            false => Ok(Selection { names, exclude }),
        }
    }
}

fn strip_caret(text: &str) -> (bool, &str) {
    match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

/// A file of labels, and the column that holds them: `FILE` or `FILE:COLUMN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFile {
    path: PathBuf,
    column: Option<String>,
}

impl FromStr for LabelFile {
    type Err = std::convert::Infallible;

    /// `FILE:COLUMN`, unless a file has the whole text for its name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = LabelFile { path: text.into(), column: None };
        Ok(match text.rsplit_once(':') {
            Some((path, column)) if !path.is_empty() && !column.is_empty() && !whole.path.exists() => {
                LabelFile { path: path.into(), column: Some(column.to_string()) }
            }
            _ => whole,
        })
    }
}

/// Columns that hold labels where none is named, the first that is there; else the second column.
const LABEL_COLUMNS: [&str; 4] = ["super_pop", "population", "pop", "label"];
/// Columns that hold names, the first that is there; else the first column.
const NAME_COLUMNS: [&str; 4] = ["sample", "Sample", "IID", "#IID"];

impl LabelFile {
    /// The label of each name. Of a double entry (`EUR,AFR`) the first counts.
    ///
    /// # Errors
    /// `Io`, `Malformed` (a line without the column), `UnknownName` (no such column), `Duplicate` (two labels for a
    /// name).
    pub fn read(&self) -> Result<HashMap<String, String>> {
        let content = read_text(&self.path, "read the labels")?;
        let mut lines = content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let Some((_, header)) = lines.next() else {
            return Err(self.malformed("the file is empty"));
        };
        let tabs = header.contains('\t');
        let columns = split(header, tabs);
        if columns.len() < 2 {
            return Err(self.malformed("the header has fewer than two columns"));
        }
        let position = |name: &str| columns.iter().position(|c| *c == name);
        let name_column = NAME_COLUMNS.iter().find_map(|n| position(n)).unwrap_or(0);
        let label_column = match &self.column {
            Some(column) => position(column).ok_or_else(|| {
                Error::new(ErrorKind::UnknownName, format!("there is no column '{column}'"))
                    .file(&self.path)
                    .remedy(format!("the columns are {}", columns.join(", ")))
            })?,
            None => LABEL_COLUMNS.iter().find_map(|n| position(n)).unwrap_or(1),
        };

        let mut labels: HashMap<String, String> = HashMap::new();
        for (number, line) in lines {
            let fields = split(line, tabs);
            let (Some(name), Some(label)) = (fields.get(name_column), fields.get(label_column)) else {
                return Err(self.malformed("the line has fewer columns than the header").record(number as u64 + 1));
            };
            let label = label.split(',').next().unwrap_or_default().trim();
            if label.is_empty() {
                continue;
            }
            if labels.insert(name.to_string(), label.to_string()).is_some_and(|other| other != label) {
                return Err(Error::new(ErrorKind::Duplicate, "the name has two labels")
                    .file(&self.path)
                    .record(number as u64 + 1)
                    .sample(*name)
                    .remedy("leave one line for each sample"));
            }
        }
        Ok(labels)
    }

    /// The panel with these labels, and a sentence if some people have none.
    ///
    /// # Errors
    /// As [`LabelFile::read`]; `UnknownName` if nobody of the panel is named in the file.
    pub fn apply(&self, panel: &Panel) -> Result<(Panel, Option<String>)> {
        let samples = panel.samples().with_labels(&self.read()?);
        let without = samples.iter().filter(|s| s.label.is_none()).count();
        if without == samples.len() {
            let looks = samples.iter().next().map_or("nothing", |s| &s.name);
            return Err(Error::new(ErrorKind::UnknownName, "the labels name nobody of the panel")
                .file(&self.path)
                .remedy(format!("the panel's names look like {looks}")));
        }
        let notice = (without > 0)
            .then(|| format!("{}: {without} of {} people have no label", self.path.display(), samples.len()));
        Ok((panel.with_samples(samples)?, notice))
    }

    fn malformed(&self, what: &str) -> Error {
        Error::new(ErrorKind::Malformed, what)
            .file(&self.path)
            .remedy("a label file is a table with a header, such as: sample<TAB>super_pop")
    }
}

fn split(line: &str, tabs: bool) -> Vec<&str> {
    match tabs {
        true => line.split('\t').map(str::trim).collect(),
        false => line.split_whitespace().collect(),
    }
}

fn read_text(path: &Path, doing: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|e| Error::io(doing, path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::bits::BitMatrix;
    use crate::panel::samples::Samples;
    use crate::panel::sites::{Site, Sites};

    fn panel() -> Panel {
        let site =
            Site { contig: "1".into(), position: 1, id: "".into(), reference: "A".into(), alternate: "C".into() };
        let samples = Samples::diploid(["a", "b", "c"]).unwrap();
        Panel::new(Sites::new(vec![site]).unwrap(), samples, BitMatrix::zeros(6, 1).unwrap()).unwrap()
    }

    fn file(content: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        file
    }

    fn labels(content: &str, column: Option<&str>) -> Result<HashMap<String, String>> {
        let file = file(content);
        LabelFile { path: file.path().into(), column: column.map(String::from) }.read()
    }

    #[test]
    fn people_are_taken_or_left_out_as_in_bcftools() {
        let selection =
            |names: &[&str], exclude| Selection { names: names.iter().map(|n| n.to_string()).collect(), exclude };
        assert_eq!(Selection::from_list("c,a"), selection(&["c", "a"], false));
        assert_eq!(Selection::from_list("^c, a,"), selection(&["c", "a"], true));
        let list = file("# people\nb extra\n\nc\n");
        let path = list.path().to_str().unwrap();
        assert_eq!(Selection::from_file(path).unwrap(), selection(&["b", "c"], false));
        assert_eq!(Selection::from_file(&format!("^{path}")).unwrap(), selection(&["b", "c"], true));
        assert_eq!(Selection::from_file(file("\n").path().to_str().unwrap()).unwrap_err().kind(), ErrorKind::Empty);
        assert_eq!(Selection::from_file("/no/such/list").unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn labels_come_from_the_named_the_known_or_the_second_column() {
        let thousand = "sample\tpop\tsuper_pop\tsex\na\tGBR\tEUR\tmale\nb\tIBS,MSL\tEUR,AFR\tmale\n";
        let of = |map: &HashMap<String, String>, name: &str| map.get(name).cloned().unwrap_or_default();
        let map = labels(thousand, None).unwrap();
        assert_eq!([of(&map, "a"), of(&map, "b")], ["EUR", "EUR"]);
        assert_eq!(of(&labels(thousand, Some("pop")).unwrap(), "a"), "GBR");
        assert_eq!(of(&labels("who group\na x\n", None).unwrap(), "a"), "x");
        let error = labels(thousand, Some("region")).unwrap_err();
        assert!(error.to_string().contains("super_pop"), "{error}");
        assert_eq!(labels("", None).unwrap_err().kind(), ErrorKind::Malformed);
        assert_eq!(labels("a\nb\n", None).unwrap_err().kind(), ErrorKind::Malformed);
        assert_eq!(labels("s\tp\na\n", None).unwrap_err().place().record, Some(2));
        assert_eq!(labels("s p\na x\na y\n", None).unwrap_err().kind(), ErrorKind::Duplicate);
    }

    #[test]
    fn labels_that_name_nobody_are_refused() {
        let apply = |content: &str| {
            let file = file(content);
            LabelFile { path: file.path().into(), column: None }.apply(&panel())
        };
        assert_eq!(apply("sample pop\nzz EUR\n").unwrap_err().kind(), ErrorKind::UnknownName);
        let (labelled, notice) = apply("sample pop\na EUR\nb AFR\n").unwrap();
        assert!(notice.unwrap().ends_with("1 of 3 people have no label"));
        let labels: Vec<Option<&str>> = labelled.samples().iter().map(|s| s.label.as_deref()).collect();
        assert_eq!(labels, [Some("EUR"), Some("AFR"), None]);
    }

    #[test]
    fn a_column_follows_the_last_colon_unless_a_file_is_named_so() {
        let parse = |text: &str| text.parse::<LabelFile>().unwrap();
        assert_eq!(parse("/no/a.tsv:pop"), LabelFile { path: "/no/a.tsv".into(), column: Some("pop".into()) });
        assert_eq!(parse("/no/a.tsv"), LabelFile { path: "/no/a.tsv".into(), column: None });
    }
}
