//! The one table of option keys. It feeds the Rust API, the command line (`--set key=value`), the C library and the docs.

use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::fmt;

/// The type and bounds of an option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    /// A whole number between the two, both included.
    Whole(i64, i64),
    /// A number between the two, both included.
    Number(f64, f64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bounds::Whole(low, i64::MAX) => write!(f, "a whole number, at least {low}"),
            Bounds::Whole(low, high) => write!(f, "a whole number from {low} to {high}"),
            Bounds::Number(low, high) if high.is_infinite() => write!(f, "a number, at least {low}"),
            Bounds::Number(low, high) => write!(f, "a number from {low} to {high}"),
            Bounds::Flag => f.write_str("true or false"),
            Bounds::Choice(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// Who reads an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Training of any model.
    Train,
    /// Training of an RBM.
    Rbm,
    /// Training of a Markov model.
    Markov,
    /// Sampling.
    Sample,
    /// Evaluation.
    Evaluate,
}

impl Reader {
    /// The heading in the docs.
    pub fn name(self) -> &'static str {
        match self {
            Reader::Train => "training",
            Reader::Rbm => "training, RBM",
            Reader::Markov => "training, Markov",
            Reader::Sample => "sampling",
            Reader::Evaluate => "evaluation",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The key.
    pub key: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// Type and bounds.
    pub bounds: Bounds,
    /// The default, as text.
    pub default: &'static str,
    /// What it does, with its unit, and where the default comes from.
    pub help: &'static str,
}

const fn whole(
    key: &'static str,
    reader: Reader,
    low: i64,
    high: i64,
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec { key, reader, bounds: Bounds::Whole(low, high), default, help }
}

const fn number(
    key: &'static str,
    reader: Reader,
    low: f64,
    high: f64,
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec { key, reader, bounds: Bounds::Number(low, high), default, help }
}

const fn choice(
    key: &'static str,
    reader: Reader,
    words: &'static [&'static str],
    default: &'static str,
    help: &'static str,
) -> Spec {
    Spec { key, reader, bounds: Bounds::Choice(words), default, help }
}

const fn flag(key: &'static str, reader: Reader, default: &'static str, help: &'static str) -> Spec {
    Spec { key, reader, bounds: Bounds::Flag, default, help }
}

/// Every option there is.
pub const TABLE: &[Spec] = &[
    number(
        "held_out",
        Reader::Train,
        0.0,
        0.5,
        "0",
        "share of the people kept aside to judge the model while it learns, and to measure its log likelihood at the end (0: none)",
    ),
    choice(
        "hidden_type",
        Reader::Rbm,
        &["relu", "bernoulli"],
        "relu",
        "kind of hidden units (Yelmen 2021: ReLU is better; so it is in benches/RESULTS.md)",
    ),
    whole(
        "hidden",
        Reader::Rbm,
        0,
        65_536,
        "0",
        "number of hidden units (0: twice the square root of the number of sites, so 57 for 805 and 200 for 10,000)",
    ),
    number(
        "epochs",
        Reader::Rbm,
        0.0,
        1e9,
        "120",
        "passes through the panel; more learn finer detail and leak more of the people (benches/RESULTS.md)",
    ),
    whole("updates", Reader::Rbm, 0, 100_000_000, "0", "number of gradient steps (0: as many as epochs make)"),
    // More than 65,536 rows could carry a sum over them past 32 bits.
    whole("batch", Reader::Rbm, 1, 65_536, "500", "haplotypes in a mini-batch"),
    whole("chains", Reader::Rbm, 1, 65_536, "500", "Markov chains that estimate the model's side of the gradient"),
    whole("k", Reader::Rbm, 1, 1_000_000, "5", "Gibbs sweeps a gradient step (Yelmen 2021: 10)"),
    choice(
        "method",
        Reader::Rbm,
        &["renewed", "pcd", "rdm"],
        "renewed",
        "chains start again from the mixture after `sweeps` sweeps (renewed), go on for ever (pcd), or start from random bits at each step (rdm: Decelle et al. 2021, out of equilibrium)",
    ),
    whole(
        "sweeps",
        Reader::Rbm,
        1,
        1_000_000,
        "5",
        "Gibbs sweeps after which a chain of training starts again (renewed), or from the start to a haplotype (pcd)",
    ),
    whole("clusters", Reader::Rbm, 1, 4096, "64", "clusters of the mixture that chains start from"),
    whole("cluster_size", Reader::Rbm, 1, 1_000_000, "20", "the least number of haplotypes that a cluster stands for"),
    choice("optimiser", Reader::Rbm, &["sgd", "adam"], "sgd", "how a gradient becomes a step"),
    number(
        "learning_rate",
        Reader::Rbm,
        0.0,
        10.0,
        "0",
        "size of a step, constant for half of the updates, then falling to 0 (0: half of 1 / the largest variance of the panel along a direction, .019 for the 805 sites; and half of that again each time training diverges)",
    ),
    number("momentum", Reader::Rbm, 0.0, 0.9999, "0", "momentum of sgd"),
    number("l2", Reader::Rbm, 0.0, 10.0, "0.5", "weight decay: the gradient of W loses l2 times W"),
    choice(
        "stop",
        Reader::Rbm,
        &["never", "aats", "held_out"],
        "never",
        "end early: when the adversarial accuracies of the chains no longer come nearer to 1/2 (aats), or when people kept aside are too far off (held_out)",
    ),
    whole("stop_every", Reader::Rbm, 1, 1_000_000, "100", "updates between two looks of `stop`"),
    whole("patience", Reader::Rbm, 1, 1_000_000, "10", "looks without progress before stop=aats ends training"),
    number(
        "stop_gap",
        Reader::Rbm,
        0.0,
        1e6,
        "5",
        "stop=held_out: nats of free energy a haplotype that people kept aside may be above training people",
    ),
    choice(
        "output",
        Reader::Rbm,
        &["calibrated", "plain"],
        "calibrated",
        "last half-step of a sample: sharpness and bias fitted at the end of training (calibrated), or the machine as it is (plain)",
    ),
    flag("ladder", Reader::Rbm, "false", "whether the model file keeps a tempering ladder"),
    number(
        "rung_acceptance",
        Reader::Rbm,
        0.05,
        0.95,
        "0.3",
        "least acceptance of swaps between neighbouring rungs (Béreux et al. 2025: at least .25)",
    ),
    flag("centred", Reader::Rbm, "true", "centred gradient (Melchior et al. 2016)"),
    choice(
        "sampler",
        Reader::Sample,
        &["auto", "mixture", "gibbs", "random", "tempering"],
        "auto",
        "where chains of an RBM start: as the model was trained (auto), draws of its mixture, sites alone by their frequency (gibbs), random bits (random: with sample_sweeps = k this is Rdm-k), or parallel tempering along the training trajectory (tempering)",
    ),
    whole(
        "sample_sweeps",
        Reader::Sample,
        0,
        1_000_000,
        "0",
        "Gibbs sweeps from the start to a haplotype (0: as in training)",
    ),
    whole("rounds", Reader::Sample, 0, 1_000_000, "50", "rounds of tempering"),
    whole("round_sweeps", Reader::Sample, 1, 10_000, "5", "Gibbs sweeps of each rung between two swaps"),
    whole("window", Reader::Markov, 0, 20, "10", "sites that the next one depends on (Yelmen 2021: 5 and 10)"),
];

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
        let near: Vec<&str> =
            near.iter().filter(|(d, k)| *d <= 3 || k.contains(key)).take(3).map(|(_, k)| *k).collect();
        let remedy = match near.is_empty() {
            true => "`haploom options` lists the keys".to_string(),
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
        let value = value.trim();
        let fits = match spec.bounds {
            Bounds::Whole(low, high) => value.parse::<i64>().is_ok_and(|v| (low..=high).contains(&v)),
            Bounds::Number(low, high) => value.parse::<f64>().is_ok_and(|v| (low..=high).contains(&v)),
            Bounds::Flag => matches!(value, "true" | "false"),
            Bounds::Choice(words) => words.contains(&value),
        };
        if !fits {
            return Err(Error::new(ErrorKind::InvalidOption, format!("option {key} is '{value}'"))
                .remedy(format!("it has to be {}", spec.bounds)));
        }
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
                return Err(Error::new(ErrorKind::InvalidOption, format!("'{pair}' is not key=value")));
            };
            next.set(key.trim(), value)?;
        }
        *self = next;
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
