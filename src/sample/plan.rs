//! Which haplotypes of a stream have which label.

use super::MOST;
use crate::error::{Error, ErrorKind, Result};
use crate::models::labels::Labels;

/// What the option `label` asks for. Labels are numbers of the model's [`Labels`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: each person's own label, in the labels' shares.
    Shares,
    /// Haplotypes of one label, without end: `EUR`.
    One(usize),
    /// Labels one after the other, and haplotypes of each: `EUR=500,EAS=500`.
    Counts(Vec<(usize, u64)>),
}

/// Haplotypes of a stream that follow each other and have one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The label; `None` for each person's own.
    pub label: Option<usize>,
    /// The number of the first one among those of the label.
    pub first: u64,
    /// How many.
    pub count: usize,
}

impl Plan {
    /// From `LABEL`, or `LABEL=HAPLOTYPES,LABEL=HAPLOTYPES,...`. A label whose name is all of the text is meant, whatever is
    /// in it; in a plan, a name ends at its last `=`.
    ///
    /// # Errors
    /// `UnknownName` for a label that the model does not know; `InvalidOption` for a plan that does not parse, names a label
    /// twice, asks for none of one, or for more than 2^48 haplotypes.
    pub fn parse(text: &str, labels: &Labels) -> Result<Self> {
        let whole = text.trim();
        if labels.names.iter().any(|name| name == whole) || !whole.contains(['=', ',']) {
            return labels.number(whole).map(Plan::One);
        }
        let bad = |what: String| {
            Err(Error::new(ErrorKind::InvalidOption, format!("{what} in the plan of labels '{whole}'"))
                .remedy("write LABEL=HAPLOTYPES,LABEL=HAPLOTYPES, each label once, with 1 haplotype or more"))
        };
        let mut counts: Vec<(usize, u64)> = Vec::new();
        let mut total = 0u64;
        for part in whole.split(',').map(str::trim) {
            let Some((name, count)) = part.rsplit_once('=') else {
                return bad(format!("'{part}' says no number of haplotypes"));
            };
            let (name, count) = (name.trim(), count.trim());
            let label = labels.number(name)?;
            let Some(count) = count.parse().ok().filter(|count| *count > 0) else {
                return bad(format!("'{count}' is no number of haplotypes of {name}"));
            };
            if counts.iter().any(|(other, _)| *other == label) {
                return bad(format!("{name} is there twice"));
            }
            let Some(sum) = total.checked_add(count).filter(|sum| *sum <= MOST) else {
                return bad("there are more than 2^48 haplotypes".into());
            };
            total = sum;
            counts.push((label, count));
        }
        Ok(Plan::Counts(counts))
    }

    /// Haplotypes of all labels together; `None` for a stream without end.
    pub fn haplotypes(&self) -> Option<u64> {
        match self {
            Plan::Counts(counts) => Some(counts.iter().map(|(_, count)| count).sum()),
            _ => None,
        }
    }

    /// The stream's haplotypes `first .. first + n` by label; fewer past its end.
    pub fn pieces(&self, first: u64, n: usize) -> impl Iterator<Item = Piece> {
        let end = first.saturating_add(n as u64);
        let parts: Vec<(Option<usize>, u64)> = match self {
            Plan::Shares => vec![(None, u64::MAX)],
            Plan::One(label) => vec![(Some(*label), u64::MAX)],
            Plan::Counts(counts) => counts.iter().map(|(label, count)| (Some(*label), *count)).collect(),
        };
        let mut begin = 0u64;
        parts.into_iter().filter_map(move |(label, count)| {
            let (from, to) = (first.max(begin), end.min(begin.saturating_add(count)));
            let piece = Piece { label, first: from - begin, count: to.saturating_sub(from) as usize };
            begin = begin.saturating_add(count);
            (piece.count > 0).then_some(piece)
        })
    }

    /// Fails unless the haplotypes of each label pair into people.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn require_people(&self, labels: &Labels) -> Result<()> {
        let Plan::Counts(counts) = self else { return Ok(()) };
        match counts.iter().find(|(_, count)| count % 2 == 1) {
            None => Ok(()),
            Some((label, count)) => {
                let name = labels.names.get(*label).map_or("a label", String::as_str);
                Err(Error::argument(format!("{count} haplotypes of {name} do not pair into people"))
                    .remedy("ask for an even number of each label"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        let names = ["AFR", "EAS", "EUR", "a=1,b"].map(String::from).to_vec();
        Labels { names, shares: vec![0.25; 4] }
    }

    fn pieces(plan: &Plan, first: u64, n: usize) -> Vec<(Option<usize>, u64, usize)> {
        plan.pieces(first, n).map(|piece| (piece.label, piece.first, piece.count)).collect()
    }

    #[test]
    fn a_label_or_labels_with_their_counts_are_read() {
        let parse = |text: &str| Plan::parse(text, &labels()).unwrap();
        assert_eq!(parse("EUR"), Plan::One(2));
        assert_eq!(parse("a=1,b"), Plan::One(3));
        assert_eq!(parse(" EUR = 500, AFR=3 "), Plan::Counts(vec![(2, 500), (0, 3)]));
        assert_eq!(parse("EAS=1").haplotypes(), Some(1));
        assert_eq!(parse(&format!("EAS={MOST}")).haplotypes(), Some(MOST));
        assert_eq!(parse("EAS").haplotypes(), None);
    }

    #[test]
    fn plans_that_make_no_sense_are_refused_with_what_is_wrong() {
        for (text, kind, part) in [
            ("SAS", ErrorKind::UnknownName, "it knows AFR, EAS, EUR"),
            ("EUR=5,SAS=5", ErrorKind::UnknownName, "'SAS'"),
            ("=5", ErrorKind::UnknownName, "''"),
            ("EUR,EAS", ErrorKind::InvalidOption, "'EUR' says no number"),
            ("EUR=5,", ErrorKind::InvalidOption, "'' says no number"),
            ("EUR=", ErrorKind::InvalidOption, "'' is no number of haplotypes of EUR"),
            ("EUR=x", ErrorKind::InvalidOption, "'x'"),
            ("EUR=-4", ErrorKind::InvalidOption, "'-4'"),
            ("EUR=2.5", ErrorKind::InvalidOption, "'2.5'"),
            ("EUR=0", ErrorKind::InvalidOption, "'0'"),
            ("EUR=5,AFR=5,EUR=1", ErrorKind::InvalidOption, "EUR is there twice"),
            ("EUR=281474976710656,AFR=1", ErrorKind::InvalidOption, "2^48"),
            ("EUR=18446744073709551615,AFR=18446744073709551615", ErrorKind::InvalidOption, "2^48"),
        ] {
            let error = Plan::parse(text, &labels()).unwrap_err();
            assert_eq!(error.kind(), kind, "{text}: {error}");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
        let error = Plan::parse("EUR=5", &Labels::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownName);
        assert!(error.to_string().contains("trained with labels"), "{error}");
    }

    #[test]
    fn pieces_cover_what_is_asked_for_and_end_with_the_plan() {
        let plan = Plan::Counts(vec![(2, 5), (0, 1), (1, 4)]);
        assert_eq!(pieces(&plan, 0, 10), [(Some(2), 0, 5), (Some(0), 0, 1), (Some(1), 0, 4)]);
        assert_eq!(pieces(&plan, 3, 4), [(Some(2), 3, 2), (Some(0), 0, 1), (Some(1), 0, 1)]);
        assert_eq!(pieces(&plan, 7, 100), [(Some(1), 1, 3)]);
        assert!(pieces(&plan, 10, 3).is_empty() && pieces(&plan, u64::MAX, 3).is_empty());
        assert!(pieces(&plan, 2, 0).is_empty());
        assert_eq!(pieces(&Plan::One(1), 7, 3), [(Some(1), 7, 3)]);
        assert_eq!(pieces(&Plan::Shares, MOST - 1, 1), [(None, MOST - 1, 1)]);
    }

    #[test]
    fn people_have_two_haplotypes_of_one_label() {
        let of = |text: &str| Plan::parse(text, &labels()).unwrap().require_people(&labels());
        assert!(of("EUR").is_ok() && of("EUR=4,AFR=2").is_ok());
        let error = of("EUR=4,AFR=3,EAS=1").unwrap_err();
        assert!(error.to_string().contains("3 haplotypes of AFR"), "{error}");
    }
}
