//! Labels that a model knows, such as super-populations.

use crate::error::{Error, ErrorKind, Result};

/// Labels, and how often each came up in training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// Their names, in order.
    pub names: Vec<String>,
    /// Their shares among the training haplotypes; they sum to 1.
    pub shares: Vec<f64>,
}

impl Labels {
    /// Those of haplotypes, in alphabetical order, and the number of each haplotype's.
    pub fn of<'a>(haplotypes: impl Iterator<Item = &'a str> + Clone) -> (Labels, Vec<usize>) {
        let mut names: Vec<String> = haplotypes.clone().map(String::from).collect();
        names.sort();
        names.dedup();
        let numbers: Vec<usize> =
            haplotypes.map(|name| names.binary_search_by(|n| n.as_str().cmp(name)).unwrap_or(0)).collect();
        let mut shares = vec![0.0; names.len()];
        numbers.iter().for_each(|n| shares[*n] += 1.0 / numbers.len() as f64);
        (Labels { names, shares }, numbers)
    }

    /// How many there are; 0 for a model that knows none.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The number of a label.
    ///
    /// # Errors
    /// `UnknownName`.
    pub fn number(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|n| n == name).ok_or_else(|| {
            let error = Error::new(ErrorKind::UnknownName, format!("the model knows no label '{name}'"));
            match self.is_empty() {
                true => error.remedy("only gan and wgan models that were trained with labels know any"),
                false => error.remedy(format!("it knows {}", self.names.join(", "))),
            }
        })
    }

    /// The label that a number between 0 and 1 falls on, in the labels' shares.
    pub fn at(&self, uniform: f64) -> usize {
        let mut sum = 0.0;
        let found = self.shares.iter().position(|share| {
            sum += share;
            uniform < sum
        });
        found.unwrap_or(self.len().saturating_sub(1))
    }
}
