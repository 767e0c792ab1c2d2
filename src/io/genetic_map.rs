//! Genetic maps, in the layouts that imputation tools use.
//!
//! | layout | told by |
//! |---|---|
//! | PLINK, Beagle: `contig id cM position`, tabs or spaces | four columns, no header |
//! | columns in any order (SHAPEIT: `pos chr cM`; Minimac4: `#chrom pos cM`; HapMap: `Chromosome Position(bp) Rate(cM/Mb) Map(cM)`; Oxford: `position COMBINED_rate(cM/Mb) Genetic_Map(cM)`, one contig a file) | a header with these names |
//!
//! Plain text, gzip or BGZF.

use super::bgzf::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::panel::genetic_map::GeneticMap;
use std::path::Path;

/// Where the columns are.
#[derive(Clone, Copy)]
struct Columns {
    contig: Option<usize>,
    position: usize,
    centimorgans: usize,
    count: usize,
}

const REMEDY: &str = "give a PLINK map (contig, id, cM, position; no header), or columns with a header such as \
                      `pos chr cM`, `#chrom pos cM` or HapMap's";

impl Columns {
    /// From the fields of the first line; `None` if they are not a header.
    fn of_header(fields: &[&str]) -> Option<Self> {
        let names: Vec<String> = fields.iter().map(|f| f.trim_start_matches('#').to_lowercase()).collect();
        let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        Some(Columns {
            contig: find(&["chr", "chrom", "chromosome", "contig"]),
            position: find(&["pos", "position", "position(bp)", "bp", "base_pair", "basepair"])?,
            centimorgans: find(&["cm", "map(cm)", "genetic_map(cm)", "gen_map(cm)", "genetic_position", "pos_cm"])?,
            count: names.len(),
        })
    }
}

/// Reads a genetic map; `-` is standard input.
///
/// # Errors
/// `Io`; `UnknownFormat` for a layout that is not told by its header or its four columns; `Malformed`, with the line, for
/// one that does not parse; `Unsorted`; `Empty`.
pub fn read_genetic_map(path: &Path) -> Result<GeneticMap> {
    let mut source = Source::open(path, 1)?;
    let mut columns: Option<Columns> = None;
    let mut points = Vec::new();
    let mut number = 0;
    while let Some(line) = source.line()? {
        number += 1;
        let malformed = |what: String| Error::new(ErrorKind::Malformed, what).file(path).record(number).remedy(REMEDY);
        let text = std::str::from_utf8(line.bytes).map_err(|_| malformed("the line is not text".into()))?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.is_empty() {
            continue;
        }
        let layout = match columns {
            Some(layout) => layout,
            None => {
                if let Some(layout) = Columns::of_header(&fields) {
                    columns = Some(layout);
                    continue;
                }
                let plink = fields.len() == 4 && fields[2].parse::<f64>().is_ok() && fields[3].parse::<u64>().is_ok();
                if !plink {
                    let shown: String = text.chars().take(60).collect();
                    let what =
                        format!("the genetic map begins with '{shown}', which is in no layout that is known here");
                    return Err(Error::new(ErrorKind::UnknownFormat, what).file(path).remedy(REMEDY));
                }
                *columns.insert(Columns { contig: Some(0), position: 3, centimorgans: 2, count: 4 })
            }
        };
        if fields.len() != layout.count {
            return Err(malformed(format!("the line has {} columns, the first one {}", fields.len(), layout.count)));
        }
        let (position, cm) = (fields[layout.position], fields[layout.centimorgans]);
        let position = position.parse().map_err(|_| malformed(format!("'{position}' is no position")))?;
        let cm = cm.parse().ok().filter(|cm: &f64| cm.is_finite());
        let cm = cm.ok_or_else(|| malformed(format!("'{}' is no genetic position", fields[layout.centimorgans])))?;
        points.push((layout.contig.map(|c| fields[c].to_string()), position, cm));
    }
    GeneticMap::new(points).map_err(|e| e.file(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::sites::{Site, Sites};

    fn read(text: &str) -> Result<GeneticMap> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        std::fs::write(&path, text).unwrap();
        read_genetic_map(&path)
    }

    #[test]
    fn every_layout_gives_the_same_map() {
        let site =
            Site { contig: "15".into(), position: 1500, id: "".into(), reference: "A".into(), alternate: "C".into() };
        let sites = Sites::new(vec![site]).unwrap();
        for text in [
            "15 . 1.0 1000\n15 . 2.0 2000\n",
            "15\trs1\t1\t1000\r\n15\trs2\t2\t2000\r\n",
            "pos\tchr\tcM\n1000\t15\t1\n2000\t15\t2\n",
            "#chrom\tpos\tcM\n15\t1000\t1\n15\t2000\t2\n",
            "Chromosome\tPosition(bp)\tRate(cM/Mb)\tMap(cM)\n15\t1000\t9\t1.0\n15\t2000\t9\t2.0\n",
            "position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n1000 9 1.0\n2000 9 2.0\n",
        ] {
            let (found, _) = read(text).unwrap().positions(&sites).unwrap();
            assert!((found[0] - 1.5).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn hostile_maps_are_refused_with_the_line() {
        let kind = |text: &str| read(text).unwrap_err().kind();
        assert_eq!(kind("1 2 3\n"), ErrorKind::UnknownFormat);
        assert_eq!(kind("\u{0}\u{1}\n"), ErrorKind::UnknownFormat);
        assert_eq!(kind("pos chr cM\n"), ErrorKind::Empty);
        assert_eq!(kind(""), ErrorKind::Truncated);
        assert_eq!(kind("pos chr cM\n1 1 1\n-2 1 1\n"), ErrorKind::Malformed);
        assert_eq!(kind("pos chr cM\n1 1 inf\n"), ErrorKind::Malformed);
        assert_eq!(kind("pos chr cM\n2 1 1\n1 1 2\n"), ErrorKind::Unsorted);
        let error = read("pos chr cM\n1 1 1\n2 1\n").unwrap_err();
        assert!(error.to_string().contains('3'), "{error}");
    }
}
