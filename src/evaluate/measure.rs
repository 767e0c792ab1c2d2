//! The numbers of an evaluation, as a table and as JSON.

use serde_json::{Map, Value, json};
use std::fmt::Write;

/// One number, and what it is held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// The stable key, in snake case.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// The number; `None` where it is not defined, with the reason in `note`.
    pub value: Option<f64>,
    /// The same number between the real and the held-out haplotypes: as good as more real people.
    pub floor: Option<f64>,
    /// The best that can be; `None` where that is no fixed number.
    pub best: Option<f64>,
    /// Standard deviation over draws.
    pub sd: Option<f64>,
    /// Haplotypes on either side: real, artificial.
    pub n: [usize; 2],
    /// Haplotypes on either side of the floor: real, held out.
    pub floor_n: Option<[usize; 2]>,
    /// What else to know.
    pub note: Option<String>,
}

/// How close artificial haplotypes are to real ones, and how much of these leaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// All numbers, in the order of the table.
    pub measures: Vec<Measure>,
    /// Real haplotypes.
    pub real: usize,
    /// Artificial haplotypes.
    pub artificial: usize,
    /// Held-out real haplotypes.
    pub held_out: Option<usize>,
    /// Sites that all panels share.
    pub sites: usize,
    /// The seed of draws.
    pub seed: u64,
}

impl Evaluation {
    /// The value of a measure; `None` if there is no such measure or it is not defined.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.measure(name)?.value
    }

    /// A measure by its key.
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|m| m.name == name)
    }

    /// Everything: `{"haploom": version, "seed", "sites", "haplotypes": {...}, "measures": {name: {...}}}`. What is not
    /// defined is `null` or left out; there is no NaN.
    pub fn to_json(&self) -> Value {
        let mut measures = Map::new();
        for m in &self.measures {
            let mut entry = Map::new();
            entry.insert("title".into(), json!(m.title));
            entry.insert("value".into(), number(m.value));
            if m.floor_n.is_some() {
                entry.insert("floor".into(), number(m.floor));
            }
            if m.best.is_some() {
                entry.insert("best".into(), number(m.best));
            }
            if m.sd.is_some() {
                entry.insert("sd".into(), number(m.sd));
            }
            entry.insert("n".into(), json!(m.n));
            if let Some(n) = m.floor_n {
                entry.insert("floor_n".into(), json!(n));
            }
            if let Some(note) = &m.note {
                entry.insert("note".into(), json!(note));
            }
            measures.insert(m.name.clone(), Value::Object(entry));
        }
        json!({
            "haploom": crate::VERSION,
            "seed": self.seed,
            "sites": self.sites,
            "haplotypes": { "real": self.real, "artificial": self.artificial, "held_out": self.held_out },
            "measures": measures,
        })
    }

    /// A table for people: value, floor, best.
    pub fn to_table(&self) -> String {
        let held_out = self.held_out.map_or(String::new(), |n| format!(", {n} held out"));
        let mut out = format!(
            "{} artificial haplotypes against {} real ones{held_out}, {} sites\n\n",
            self.artificial, self.real, self.sites
        );
        let cell = |x: Option<f64>| x.map_or("-".to_string(), significant);
        let rows: Vec<[String; 5]> = self
            .measures
            .iter()
            .map(|m| {
                let value = match m.sd {
                    Some(sd) => format!("{} ±{}", cell(m.value), significant(sd)),
                    None => cell(m.value),
                };
                let mut notes: Vec<String> = m.note.iter().cloned().collect();
                // Sets of another size than the comparison's make another floor.
                if let (Some(n), Some(_)) = (m.floor_n.filter(|n| *n != m.n), m.floor) {
                    notes.push(format!("floor: {} against {}", n[0], n[1]));
                }
                [m.title.clone(), value, cell(m.floor), cell(m.best), notes.join("; ")]
            })
            .collect();
        let head = ["", "value", "floor", "best", ""].map(String::from);
        let shows_floor = self.held_out.is_some();
        let mut width = [0; 4];
        for row in rows.iter().chain([&head]) {
            for (w, text) in width.iter_mut().zip(row) {
                *w = text.chars().count().max(*w);
            }
        }
        for row in [&head].into_iter().chain(&rows) {
            let _ = write!(out, "{:<1$}", row[0], width[0]);
            let _ = write!(out, "  {:>1$}", row[1], width[1]);
            if shows_floor {
                let _ = write!(out, "  {:>1$}", row[2], width[2]);
            }
            let _ = write!(out, "  {:>1$}", row[3], width[3]);
            let _ = write!(out, "  {}", row[4]);
            out.truncate(out.trim_end().len());
            out.push('\n');
        }
        out
    }
}

/// Three significant digits or so, without an exponent where that reads well.
fn significant(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        size if x == x.trunc() && size < 1e9 => format!("{x:.0}"),
        size if size >= 100.0 => format!("{x:.0}"),
        size if size >= 10.0 => format!("{x:.1}"),
        size if size >= 1.0 => format!("{x:.2}"),
        size if size >= 0.1 => format!("{x:.3}"),
        size if size >= 1e-4 => format!("{x:.4}"),
        _ => format!("{x:.1e}"),
    }
}

/// `null` for what JSON cannot say.
fn number(x: Option<f64>) -> Value {
    x.and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation() -> Evaluation {
        let measure = |name: &str, value: Option<f64>, floor: Option<f64>| Measure {
            name: name.into(),
            title: name.replace('_', " "),
            value,
            floor,
            best: Some(1.0),
            sd: None,
            n: [10, 12],
            floor_n: floor.map(|_| [10, 8]),
            note: value.is_none().then(|| "no variance".into()),
        };
        Evaluation {
            measures: vec![
                measure("frequency_r", Some(0.98765), Some(0.99)),
                measure("undefined", None, None),
                measure("nan", Some(f64::NAN), None),
            ],
            real: 10,
            artificial: 12,
            held_out: Some(8),
            sites: 5,
            seed: 1,
        }
    }

    #[test]
    fn json_never_holds_nan() {
        let json = evaluation().to_json();
        let text = json.to_string();
        assert!(!text.contains("NaN"));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json);
        assert_eq!(json["measures"]["frequency_r"]["value"], 0.98765);
        assert!(json["measures"]["undefined"]["value"].is_null());
        assert!(json["measures"]["nan"]["value"].is_null());
        assert_eq!(json["haplotypes"]["held_out"], 8);
    }

    #[test]
    fn the_table_lines_up() {
        let table = evaluation().to_table();
        assert!(table.starts_with("12 artificial haplotypes against 10 real ones, 8 held out, 5 sites\n"), "{table}");
        assert!(table.contains("frequency r  0.988  0.990     1  floor: 10 against 8\n"), "{table}");
        assert!(table.contains("undefined        -      -     1  no variance\n"), "{table}");
    }
}
