//! A stretch of a contig, written as samtools and bcftools write it.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

/// A contig, and positions `start..=end` on it, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The contig's name.
    pub contig: String,
    /// The first position, from 1.
    pub start: u64,
    /// The last position, included; `u64::MAX` for the end of the contig.
    pub end: u64,
}

impl Region {
    /// Whether a position lies inside.
    pub fn contains(&self, contig: &str, position: u64) -> bool {
        self.contig == contig && (self.start..=self.end).contains(&position)
    }
}

impl FromStr for Region {
    type Err = Error;

    /// `15`, `15:100`, `15:100-200`, `15:100-`; thousands separators are ignored.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::new(ErrorKind::Region, format!("region '{text}' does not parse"))
                .remedy("write CONTIG, CONTIG:POSITION, CONTIG:START-END or CONTIG:START-, with positions from 1")
        };
        let whole = |contig: &str| Region { contig: contig.to_string(), start: 1, end: u64::MAX };
        if text.is_empty() {
            return Err(bad());
        }
        let Some((contig, range)) = text.rsplit_once(':') else {
            return Ok(whole(text));
        };
        let number = |s: &str| s.replace(',', "").parse::<u64>().map_err(|_| bad());
        let (start, end) = match range.split_once('-') {
            None => {
                let position = number(range)?;
                (position, position)
            }
            Some((start, "")) => (number(start)?, u64::MAX),
            Some((start, end)) => (number(start)?, number(end)?),
        };
        if contig.is_empty() || start == 0 || start > end {
            return Err(bad());
        }
        Ok(Region { contig: contig.to_string(), start, end })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.start, self.end) {
            (1, u64::MAX) => f.write_str(&self.contig),
            (start, u64::MAX) => write!(f, "{}:{start}-", self.contig),
            (start, end) => write!(f, "{}:{start}-{end}", self.contig),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_parse_as_in_bcftools_and_print_back() {
        for (text, contig, start, end) in [
            ("15", "15", 1, u64::MAX),
            ("chr15:100-200", "chr15", 100, 200),
            ("15:7-", "15", 7, u64::MAX),
            ("15:1,000-2,000", "15", 1000, 2000),
            ("HLA:01:5", "HLA:01", 5, 5),
        ] {
            let region: Region = text.parse().unwrap();
            assert_eq!((region.contig.as_str(), region.start, region.end), (contig, start, end));
            assert_eq!(region.to_string().parse::<Region>().unwrap(), region);
        }
        for text in ["", "15:", ":1-2", "15:0-5", "15:9-8", "15:x", "15:-"] {
            assert_eq!(text.parse::<Region>().unwrap_err().kind(), ErrorKind::Region, "{text}");
        }
    }
}
