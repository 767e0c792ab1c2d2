//! The people of a panel: names, ploidy, and the labels that came with them.

use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// One person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The name.
    pub name: String,
    /// Haplotypes of this person in this panel: 1 or 2.
    pub ploidy: u8,
    /// The group it belongs to (a super-population, say), if labels were given.
    pub label: Option<String>,
}

fn too_many(people: usize) -> Error {
    Error::new(ErrorKind::OutOfMemory, format!("no memory for {people} people")).remedy("take fewer of them")
}

/// The people of a panel. Haplotypes follow each other person by person. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    samples: Arc<Vec<Sample>>,
    first_haplotype: Arc<Vec<usize>>,
    haplotypes: usize,
}

impl Samples {
    /// Takes people; names have to differ, ploidy has to be 1 or 2.
    ///
    /// # Errors
    /// `Duplicate` or `Ploidy`.
    pub fn new(samples: Vec<Sample>) -> Result<Self> {
        let mut first_haplotype = Vec::new();
        let mut haplotypes = 0;
        let mut names = HashMap::new();
        let reserved = first_haplotype.try_reserve_exact(samples.len());
        if reserved.is_err() || names.try_reserve(samples.len()).is_err() {
            return Err(too_many(samples.len()));
        }
        for (i, sample) in samples.iter().enumerate() {
            if names.insert(sample.name.as_str(), i).is_some() {
                return Err(Error::new(ErrorKind::Duplicate, "the name is there twice").sample(&sample.name));
            }
            if !(1..=2).contains(&sample.ploidy) {
                return Err(Error::new(ErrorKind::Ploidy, format!("ploidy is {}, not 1 or 2", sample.ploidy))
                    .sample(&sample.name));
            }
            first_haplotype.push(haplotypes);
            haplotypes += usize::from(sample.ploidy);
        }
        Ok(Samples { samples: Arc::new(samples), first_haplotype: Arc::new(first_haplotype), haplotypes })
    }

    /// Diploid people with these names.
    ///
    /// # Errors
    /// As [`Samples::new`]; `OutOfMemory`.
    pub fn diploid(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        Samples::labelled(names.into_iter().map(|name| (name, None)))
    }

    /// Diploid people with these names and labels.
    ///
    /// # Errors
    /// As [`Samples::diploid`].
    pub fn labelled(people: impl IntoIterator<Item = (impl Into<String>, Option<String>)>) -> Result<Self> {
        let people = people.into_iter();
        let expected = people.size_hint().0;
        let mut samples = Vec::new();
        samples.try_reserve(expected).map_err(|_| too_many(expected))?;
        samples.extend(people.map(|(name, label)| Sample { name: name.into(), ploidy: 2, label }));
        Samples::new(samples)
    }

    /// How many people.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// How many haplotypes.
    pub fn haplotypes(&self) -> usize {
        self.haplotypes
    }

    /// All people.
    pub fn as_slice(&self) -> &[Sample] {
        &self.samples
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Sample> {
        self.samples.iter()
    }

    /// The haplotype numbers of person `i`.
    pub fn haplotypes_of(&self, i: usize) -> std::ops::Range<usize> {
        self.first_haplotype[i]..self.first_haplotype[i] + usize::from(self.samples[i].ploidy)
    }

    /// The person that haplotype `h` belongs to.
    pub fn of_haplotype(&self, h: usize) -> usize {
        self.first_haplotype.partition_point(|first| *first <= h) - 1
    }

    /// The label of each haplotype's person; `None` unless every person has one.
    pub fn haplotype_labels(&self) -> Option<Vec<&str>> {
        let mut labels = Vec::with_capacity(self.haplotypes);
        for sample in self.samples.iter() {
            for _ in 0..sample.ploidy {
                labels.push(sample.label.as_deref()?);
            }
        }
        Some(labels)
    }

    /// The named people, in the given order.
    ///
    /// # Errors
    /// As [`Samples::new`].
    pub fn select(&self, people: &[usize]) -> Result<Self> {
        Samples::new(people.iter().map(|i| self.samples[*i].clone()).collect())
    }

    /// The numbers of the people in `names` in this panel's order, or of all but them.
    ///
    /// # Errors
    /// `UnknownName` for a name that is not there, `Empty` if nobody is left.
    pub fn find(&self, names: &[String], exclude: bool) -> Result<Vec<usize>> {
        let by_name: HashMap<&str, usize> =
            self.samples.iter().enumerate().map(|(i, s)| (s.name.as_str(), i)).collect();
        let mut named = vec![false; self.len()];
        for name in names {
            match by_name.get(name.as_str()) {
                Some(i) => named[*i] = true,
                None => {
                    return Err(Error::new(ErrorKind::UnknownName, "no such sample in the panel").sample(name));
                }
            }
        }
        let chosen: Vec<usize> = (0..self.len()).filter(|i| named[*i] != exclude).collect();
        match chosen.is_empty() {
            true => Err(Error::new(ErrorKind::Empty, "the selection of samples leaves nobody")),
            false => Ok(chosen),
        }
    }

    /// The same people with labels by name; people without one keep none.
    pub fn with_labels(&self, labels: &HashMap<String, String>) -> Self {
        let mut out = self.clone();
        for sample in Arc::make_mut(&mut out.samples) {
            sample.label = labels.get(&sample.name).cloned();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haplotypes_follow_people_of_any_ploidy() {
        let sample = |name: &str, ploidy| Sample { name: name.into(), ploidy, label: None };
        let samples = Samples::new(vec![sample("a", 2), sample("b", 1), sample("c", 2)]).unwrap();
        assert_eq!(samples.haplotypes(), 5);
        assert_eq!(samples.haplotypes_of(1), 2..3);
        let owners: Vec<usize> = (0..5).map(|h| samples.of_haplotype(h)).collect();
        assert_eq!(owners, [0, 0, 1, 2, 2]);
        assert_eq!(samples.find(&["b".into()], true).unwrap(), [0, 2]);
        assert_eq!(samples.find(&["x".into()], false).unwrap_err().kind(), ErrorKind::UnknownName);
        assert!(Samples::new(vec![sample("a", 2), sample("a", 2)]).is_err());
        assert!(Samples::new(vec![sample("a", 3)]).is_err());
    }
}
