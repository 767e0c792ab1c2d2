//! What a line of the table of option keys says.

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
    /// Any text; what it has to be is said in words.
    Text(&'static str),
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
            Bounds::Text(what) => f.write_str(what),
        }
    }
}

/// Who reads an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Every call of the C library; the command line has flags for these.
    Call,
    /// What takes a part of a panel or a model.
    Region,
    /// What takes some people of a panel.
    Select,
    /// Reading of panels.
    Read,
    /// Writing of panels.
    Write,
    /// Training of any model.
    Train,
    /// Training in steps along a gradient.
    Descent,
    /// Training of an RBM.
    Rbm,
    /// Training of a neural generator.
    Neural,
    /// Training of a Markov model.
    Markov,
    /// What needs genetic distances.
    Map,
    /// The copying model.
    Copying,
    /// Imputation.
    Impute,
    /// Imputation of files.
    ImputeFile,
    /// Training of a hidden Markov model of clusters.
    Hmm,
    /// Training of a context model.
    Context,
    /// Checkpoints of training.
    Checkpoint,
    /// Sampling.
    Sample,
    /// What a stream of haplotypes looks like in a caller's buffer.
    Stream,
    /// Names of artificial people.
    People,
    /// Augmentation of a file.
    Augment,
    /// Encoding.
    Encode,
    /// Evaluation.
    Evaluate,
}

impl Reader {
    /// The heading in the docs.
    pub fn name(self) -> &'static str {
        match self {
            Reader::Call => "every call",
            Reader::Region => "region",
            Reader::Select => "selection",
            Reader::Read => "reading",
            Reader::Write => "writing",
            Reader::Train => "training",
            Reader::Descent => "training, steps",
            Reader::Rbm => "training, RBM",
            Reader::Neural => "training, neural",
            Reader::Markov => "training, Markov",
            Reader::Map => "genetic map",
            Reader::Copying => "copying model",
            Reader::Impute => "imputation",
            Reader::ImputeFile => "imputation of files",
            Reader::Hmm => "training, hidden Markov",
            Reader::Context => "training, context",
            Reader::Checkpoint => "checkpoints",
            Reader::Sample => "sampling",
            Reader::Stream => "stream",
            Reader::People => "artificial people",
            Reader::Augment => "augmentation",
            Reader::Encode => "encoding",
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
