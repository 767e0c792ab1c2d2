//! The one table of option keys. It feeds the Rust API, the command line (`--set key=value`), the C library and the docs.

mod spec;
mod table;

use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

pub use spec::{Bounds, Reader, Spec};
pub use table::TABLE;

/// Values of options. What is not set has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    values: BTreeMap<&'static str, String>,
}

impl Options {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The line of the table for a key.
    ///
    /// # Errors
    /// `UnknownOption`; the text names the nearest keys.
    pub fn spec(key: &str) -> Result<&'static Spec> {
        if let Some(spec) = TABLE.iter().find(|s| s.key == key) {
            return Ok(spec);
        }
        let mut near: Vec<(usize, &str)> = TABLE.iter().map(|s| (edit_distance(key, s.key), s.key)).collect();
        near.sort();
        let near: Vec<&str> = near
            .iter()
            .filter(|(d, k)| *d <= (key.len() / 2).clamp(1, 3) || k.contains(key))
            .take(3)
            .map(|(_, k)| *k)
            .collect();
        let remedy = match near.is_empty() {
            true => "`haploom options` lists the keys, in C haploom_option_describe()".to_string(),
            false => format!("did you mean {}?", near.join(" or ")),
        };
        Err(Error::new(ErrorKind::UnknownOption, format!("there is no option '{key}'")).remedy(remedy))
    }

    /// Sets a key from text.
    ///
    /// # Errors
    /// `UnknownOption`, or `InvalidOption` for a wrong type or a value out of bounds.
    pub fn set(&mut self, key: &str, value: &str) -> Result<&mut Self> {
        let spec = Self::spec(key)?;
        let value = if matches!(spec.bounds, Bounds::Text(_)) { value } else { value.trim() };
        let fits = match spec.bounds {
            Bounds::Whole(low, high) => value.parse::<i64>().is_ok_and(|v| (low..=high).contains(&v)),
            Bounds::Number(low, high) => value.parse::<f64>().is_ok_and(|v| (low..=high).contains(&v)),
            Bounds::Flag => matches!(value, "true" | "false" | "1" | "0"),
            Bounds::Choice(words) => words.contains(&value),
            Bounds::Text(_) => true,
        };
        if !fits {
            return Err(Error::new(ErrorKind::InvalidOption, format!("option {key} is '{value}'"))
                .remedy(format!("it has to be {}", spec.bounds)));
        }
        let value = match (spec.bounds, value) {
            (Bounds::Flag, "1") => "true",
            (Bounds::Flag, "0") => "false",
            _ => value,
        };
        self.values.insert(spec.key, value.to_string());
        Ok(self)
    }

    /// Sets several, `key=value,key=value`.
    ///
    /// # Errors
    /// As [`Options::set`]; nothing is set then.
    pub fn set_text(&mut self, text: &str) -> Result<&mut Self> {
        let mut next = self.clone();
        for pair in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(Error::new(ErrorKind::InvalidOption, format!("'{pair}' is not key=value"))
                    .remedy("pairs are separated by commas; a value that holds one is set by itself, by key"));
            };
            next.set(key.trim(), value.trim())?;
        }
        *self = next;
        Ok(self)
    }

    /// Takes a key back to its default, as if it had never been set.
    ///
    /// # Errors
    /// `UnknownOption`.
    pub fn unset(&mut self, key: &str) -> Result<&mut Self> {
        self.values.remove(Self::spec(key)?.key);
        Ok(self)
    }

    /// Whether a key was set (to anything).
    pub fn is_set(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The value as text, set or default.
    ///
    /// # Panics
    /// If the key is not in the table: keys are written in this crate's source, and a test reads them all.
    pub fn text(&self, key: &str) -> &str {
        match self.values.get(key) {
            Some(value) => value,
            None => TABLE.iter().find(|s| s.key == key).map(|s| s.default).expect("a key of the table"),
        }
    }

    /// The value of a whole number.
    pub fn whole(&self, key: &str) -> usize {
        self.text(key).parse().expect("checked when set")
    }

    /// The value of a number.
    pub fn number(&self, key: &str) -> f64 {
        self.text(key).parse().expect("checked when set")
    }

    /// The value of a flag.
    pub fn flag(&self, key: &str) -> bool {
        self.text(key) == "true"
    }

    /// A text, or nothing if it is empty.
    pub fn given(&self, key: &str) -> Option<&str> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// Fails if a key was set that none of these readers reads: nothing that a caller sets is without effect.
    ///
    /// # Errors
    /// `UnknownOption`.
    pub fn require_read_by(&self, readers: &[Reader]) -> Result<()> {
        match TABLE.iter().find(|spec| self.is_set(spec.key) && !readers.contains(&spec.reader)) {
            None => Ok(()),
            Some(spec) => {
                let names: Vec<&str> = readers.iter().map(|reader| reader.name()).collect();
                let what = format!("option {} is for {}: nothing reads it here", spec.key, spec.reader.name());
                Err(Error::new(ErrorKind::UnknownOption, what)
                    .remedy(format!("options for {} are read here", names.join("; "))))
            }
        }
    }

    /// `key=value,...` of what was set among what these readers read, in the table's order; empty if nothing was.
    pub fn chosen(&self, readers: &[Reader]) -> String {
        let chosen = TABLE.iter().filter(|s| readers.contains(&s.reader) && self.is_set(s.key));
        chosen.map(|s| format!("{}={}", s.key, self.text(s.key))).collect::<Vec<_>>().join(",")
    }

    /// `key=value,...` of what these readers read, set or default, in the table's order: goes into the model file.
    pub fn describe(&self, readers: &[Reader]) -> String {
        let pairs: Vec<String> = TABLE
            .iter()
            .filter(|s| readers.contains(&s.reader))
            .map(|s| format!("{}={}", s.key, self.text(s.key)))
            .collect();
        pairs.join(",")
    }
}

/// Levenshtein's distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_fits_its_bounds_and_keys_differ() {
        let mut options = Options::new();
        for spec in TABLE {
            options.set(spec.key, spec.default).unwrap();
            assert!(!spec.help.is_empty());
        }
        let mut keys: Vec<&str> = TABLE.iter().map(|s| s.key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), TABLE.len());
    }

    #[test]
    fn wrong_keys_and_values_are_refused_with_a_way_out() {
        let mut options = Options::new();
        let e = options.set("updatse", "3").unwrap_err();
        assert_eq!(e.kind(), ErrorKind::UnknownOption);
        assert!(e.to_string().contains("updates"), "{e}");
        let e = options.set("updates", "-3").unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidOption);
        assert!(e.to_string().contains("whole number"), "{e}");
        assert!(options.set("optimiser", "lbfgs").unwrap_err().to_string().contains("adam"));
        assert!(options.set("learning_rate", "NaN").is_err());
        let before = options.clone();
        assert!(options.set_text("updates=7,nonsense=1").is_err());
        assert_eq!(options, before);
        assert_eq!(options.set_text("updates=7, l2=0.5").unwrap().whole("updates"), 7);
    }
}
