//! Which people of a panel, and which group each belongs to.

use super::vcf::field;
use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;
use crate::panel::Panel;
use crate::panel::samples::Samples;
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

/// Where the labels of people come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSource {
    /// A table, `FILE` or `FILE:COLUMN`: names in its column `sample`, `Sample`, `IID` or `#IID`, else in the first one;
    /// labels in COLUMN, else in `super_pop`, `population`, `pop` or `label`, else in the second one. A first line that
    /// begins with the name of one of the people is no header.
    Table {
        /// The file.
        path: PathBuf,
        /// The column of the labels, if it is named.
        column: Option<String>,
    },
    /// The lines `##SAMPLE=<ID=NAME,KEY=LABEL>` of the panel's own header (VCF, BCF): `header:KEY`.
    Header {
        /// The key, such as `Population`.
        key: String,
    },
}

impl FromStr for LabelSource {
    type Err = std::convert::Infallible;

    /// `FILE:COLUMN` or `header:KEY`, unless a file has the whole text for its name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let table = |path: &str, column| LabelSource::Table { path: path.into(), column };
        Ok(match text.rsplit_once(':') {
            Some((path, column)) if !path.is_empty() && !column.is_empty() && !Path::new(text).exists() => match path {
                "header" => LabelSource::Header { key: column.to_string() },
                _ => table(path, Some(column.to_string())),
            },
            _ => table(text, None),
        })
    }
}

/// Columns that hold labels where none is named, the first that is there; else the second column.
const LABEL_COLUMNS: [&str; 4] = ["super_pop", "population", "pop", "label"];
/// Columns that hold names, the first that is there; else the first column.
const NAME_COLUMNS: [&str; 4] = ["sample", "Sample", "IID", "#IID"];

impl LabelSource {
    /// The panel with these labels, and a sentence if some people have none. `sample_lines` are the lines `##SAMPLE` of its
    /// header. Of a double entry (`EUR,AFR`) the first counts.
    ///
    /// # Errors
    /// `Io`; `Malformed` for a line without the column; `Duplicate` for two labels of a name; `UnknownName` for a column or
    /// a key that is not there, and if nobody of the panel is named.
    pub(super) fn apply(&self, panel: &Panel, sample_lines: &[String]) -> Result<(Panel, Option<String>)> {
        let (labels, from) = match self {
            LabelSource::Table { path, column } => {
                let table = Table { path, column: column.as_deref() };
                (table.read(panel.samples())?, path.display().to_string())
            }
            LabelSource::Header { key } => (of_header(key, sample_lines)?, "lines ##SAMPLE".to_string()),
        };
        let samples = panel.samples().with_labels(&labels);
        let without = samples.iter().filter(|s| s.label.is_none()).count();
        if without == samples.len() {
            let looks = samples.iter().next().map_or("nothing", |s| &s.name);
            let error = Error::new(ErrorKind::UnknownName, "the labels name nobody of the panel")
                .remedy(format!("the panel's names look like {looks}"));
            return Err(match self {
                LabelSource::Table { path, .. } => error.file(path),
                LabelSource::Header { .. } => error,
            });
        }
        let notice = (without > 0).then(|| format!("{from}: {without} of {} people have no label", samples.len()));
        Ok((panel.with_samples(samples)?, notice))
    }
}

/// The label of each name, by the lines `##SAMPLE=<...>` of a header.
fn of_header(key: &str, sample_lines: &[String]) -> Result<HashMap<String, String>> {
    let mut labels = HashMap::new();
    let fields = || sample_lines.iter().filter_map(|line| line.strip_prefix("##SAMPLE=<"));
    for fields in fields() {
        let (Some(name), Some(label)) = (field(fields, "ID"), field(fields, key)) else { continue };
        add(&mut labels, name, label)?;
    }
    if labels.is_empty() {
        let what = match fields().next() {
            Some(line) => format!("no line ##SAMPLE of the header has the key '{key}'; the first is <{line}"),
            None => "the panel has no header with lines ##SAMPLE".to_string(),
        };
        return Err(Error::new(ErrorKind::UnknownName, what)
            .remedy("such a line is ##SAMPLE=<ID=NAME,KEY=LABEL>; or give a table, FILE or FILE:COLUMN"));
    }
    Ok(labels)
}

/// A name's label, of which the first of several counts; none for an empty one.
fn add(labels: &mut HashMap<String, String>, name: &str, label: &str) -> Result<()> {
    let label = label.split(',').next().unwrap_or_default().trim();
    if !label.is_empty() && labels.insert(name.to_string(), label.to_string()).is_some_and(|other| other != label) {
        return Err(Error::new(ErrorKind::Duplicate, "the name has two labels")
            .sample(name)
            .remedy("leave one line for each sample"));
    }
    Ok(())
}

/// A table of names and labels.
struct Table<'a> {
    path: &'a Path,
    column: Option<&'a str>,
}

impl Table<'_> {
    /// The label of each name.
    fn read(&self, people: &Samples) -> Result<HashMap<String, String>> {
        let content = read_text(self.path, "read the labels")?;
        let lines = content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let Some((_, first)) = lines.clone().next() else {
            return Err(self.malformed("the file is empty"));
        };
        let tabs = first.contains('\t');
        let columns = split(first, tabs);
        if columns.len() < 2 {
            return Err(self.malformed("the first line has fewer than two columns"));
        }
        let header = !people.iter().any(|person| person.name == columns[0]);
        let position = |name: &str| columns.iter().position(|c| header && *c == name);
        let name_column = NAME_COLUMNS.iter().find_map(|n| position(n)).unwrap_or(0);
        let label_column = match self.column {
            Some(column) => position(column).ok_or_else(|| {
                Error::new(ErrorKind::UnknownName, format!("there is no column '{column}'")).file(self.path).remedy(
                    match header {
                        true => format!("the columns are {}", columns.join(", ")),
                        false => format!("the table has no header: its first line is of {}", columns[0]),
                    },
                )
            })?,
            None => LABEL_COLUMNS.iter().find_map(|n| position(n)).unwrap_or(1),
        };

        let mut labels: HashMap<String, String> = HashMap::new();
        for (number, line) in lines.skip(usize::from(header)) {
            let fields = split(line, tabs);
            let (Some(name), Some(label)) = (fields.get(name_column), fields.get(label_column)) else {
                return Err(self.malformed("the line has fewer columns than the first").record(number as u64 + 1));
            };
            add(&mut labels, name, label).map_err(|e| e.file(self.path).record(number as u64 + 1))?;
        }
        Ok(labels)
    }

    fn malformed(&self, what: &str) -> Error {
        Error::new(ErrorKind::Malformed, what)
            .file(self.path)
            .remedy("labels are a table of names and labels, such as: sample<TAB>super_pop")
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
        Table { path: file(content).path(), column }.read(panel().samples())
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
            LabelSource::Table { path: file.path().into(), column: None }.apply(&panel(), &[])
        };
        assert_eq!(apply("sample pop\nzz EUR\n").unwrap_err().kind(), ErrorKind::UnknownName);
        let (labelled, notice) = apply("sample pop\na EUR\nb AFR\n").unwrap();
        assert!(notice.unwrap().ends_with("1 of 3 people have no label"));
        let labels: Vec<Option<&str>> = labelled.samples().iter().map(|s| s.label.as_deref()).collect();
        assert_eq!(labels, [Some("EUR"), Some("AFR"), None]);
    }

    #[test]
    fn a_column_follows_the_last_colon_unless_a_file_is_named_so() {
        let parse = |text: &str| text.parse::<LabelSource>().unwrap();
        let table = |path: &str, column: Option<&str>| LabelSource::Table {
            path: path.into(),
            column: column.map(String::from),
        };
        assert_eq!(parse("/no/a.tsv:pop"), table("/no/a.tsv", Some("pop")));
        assert_eq!(parse("/no/a.tsv"), table("/no/a.tsv", None));
        assert_eq!(parse("header"), table("header", None));
        assert_eq!(parse("header:Population"), LabelSource::Header { key: "Population".into() });
    }

    #[test]
    fn a_table_without_a_header_begins_with_somebody_of_the_panel() {
        let map = labels("a EUR\nb AFR\nzz AFR\n", None).unwrap();
        assert_eq!((map.len(), map["a"].as_str(), map["b"].as_str()), (3, "EUR", "AFR"));
        // A label that is also the name of a column is a label.
        assert_eq!(labels("b\tx\tpop\na\ty\tEUR\n", None).unwrap()["b"], "x");
        let error = labels("a EUR\nb AFR\n", Some("pop")).unwrap_err();
        assert!(error.to_string().contains("no header"), "{error}");
        // Nobody of the panel is called so: a header.
        assert_eq!(labels("zz EUR\na EUR\n", None).unwrap().len(), 1);
    }

    #[test]
    fn labels_come_from_the_lines_of_a_header() {
        let lines = [
            "##SAMPLE=<ID=a,Sex=female,Population=EUR>",
            "##SAMPLE=<ID=b,Population=\"AFR\",Description=\"x, y=z\">",
            "##SAMPLE=<ID=zz>",
        ]
        .map(String::from);
        let apply = |key: &str, lines: &[String]| LabelSource::Header { key: key.into() }.apply(&panel(), lines);
        let (labelled, notice) = apply("Population", &lines).unwrap();
        assert_eq!(notice.unwrap(), "lines ##SAMPLE: 1 of 3 people have no label");
        let labels: Vec<Option<&str>> = labelled.samples().iter().map(|s| s.label.as_deref()).collect();
        assert_eq!(labels, [Some("EUR"), Some("AFR"), None]);
        let error = apply("Height", &lines).unwrap_err();
        assert!(error.to_string().contains("'Height'; the first is <ID=a,Sex=female"), "{error}");
        assert_eq!(apply("Population", &[]).unwrap_err().kind(), ErrorKind::UnknownName);
        assert_eq!(apply("Population", &lines[2..]).unwrap_err().kind(), ErrorKind::UnknownName);
    }
}
