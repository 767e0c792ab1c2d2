//! Genetic positions: how far apart sites are in recombination.

use super::align::renamed_contigs;
use super::sites::Sites;
use crate::error::{Error, ErrorKind, Result};

/// Centimorgans a base pair where no map is given: 1 cM a megabase, the human average.
pub const AVERAGE_RATE: f64 = 1e-6;

/// Genetic positions along contigs.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneticMap {
    contigs: Vec<Contig>,
}

/// A contig's points: base pairs from 1, rising; centimorgans, never falling.
#[derive(Clone, Debug, PartialEq)]
struct Contig {
    /// `None` in a map that names no contig.
    name: Option<String>,
    positions: Vec<u64>,
    centimorgans: Vec<f64>,
}

impl GeneticMap {
    /// A map of points (contig, position in base pairs, position in centimorgans), in any order of contigs; `None` for
    /// maps that name no contig: they serve panels of one.
    ///
    /// # Errors
    /// `Empty`; `Unsorted` if positions of a contig do not rise or its centimorgans fall; `InvalidArgument` for numbers
    /// that are not finite.
    pub fn new(points: impl IntoIterator<Item = (Option<String>, u64, f64)>) -> Result<Self> {
        let mut contigs: Vec<Contig> = Vec::new();
        for (name, position, cm) in points {
            let known = match contigs.last() {
                Some(last) if last.name == name => Some(contigs.len() - 1),
                _ => contigs.iter().position(|c| c.name == name),
            };
            let known = known.unwrap_or_else(|| {
                contigs.push(Contig { name, positions: Vec::new(), centimorgans: Vec::new() });
                contigs.len() - 1
            });
            let contig = &mut contigs[known];
            let at = |e: Error| e.site(contig.name.as_deref().unwrap_or("?"), position);
            if !cm.is_finite() {
                return Err(at(Error::argument(format!("a genetic position is {cm}"))));
            }
            if let (Some(p), Some(c)) = (contig.positions.last(), contig.centimorgans.last()) {
                if position == *p && cm == *c {
                    continue;
                }
                if position <= *p || cm < *c {
                    let what = format!("the map goes from {p} bp, {c} cM to {position} bp, {cm} cM");
                    return Err(at(Error::new(ErrorKind::Unsorted, what).remedy("sort the map by position")));
                }
            }
            contig.positions.push(position);
            contig.centimorgans.push(cm);
        }
        match contigs.is_empty() {
            true => Err(Error::new(ErrorKind::Empty, "the genetic map has no points")),
            false => Ok(GeneticMap { contigs }),
        }
    }

    /// The names of its contigs; a map without names has none.
    pub fn contigs(&self) -> Vec<&str> {
        self.contigs.iter().filter_map(|c| c.name.as_deref()).collect()
    }

    /// The genetic position of each site in centimorgans, within its contig: by linear interpolation, outside the map by
    /// its average rate. Also sentences on contigs that the map has under another name (`15` for `chr15`: taken).
    ///
    /// # Errors
    /// `ContigMismatch` for a contig that the map does not have.
    pub fn positions(&self, sites: &Sites) -> Result<(Vec<f64>, Vec<String>)> {
        let mut notices = Vec::new();
        let mut out = Vec::with_capacity(sites.len());
        let all = sites.contigs();
        let mut contig: Option<(&str, &Contig)> = None;
        for site in sites.iter() {
            let found = match contig {
                Some((name, found)) if name == &*site.contig => found,
                _ => self.contig(&site.contig, all.len(), &mut notices)?,
            };
            contig = Some((&site.contig, found));
            out.push(found.at(site.position));
        }
        Ok((out, notices))
    }

    fn contig(&self, name: &str, contigs: usize, notices: &mut Vec<String>) -> Result<&Contig> {
        if let Some(found) = self.contigs.iter().find(|c| c.name.as_deref() == Some(name)) {
            return Ok(found);
        }
        if let [only] = &self.contigs[..]
            && only.name.is_none()
            && contigs == 1
        {
            return Ok(only);
        }
        let names = self.contigs();
        if let Some((_, other)) = renamed_contigs([name], &names).into_iter().next() {
            notices.push(format!("contig {name} is {other} in the genetic map"));
            if let Some(found) = self.contigs.iter().find(|c| c.name.as_deref() == Some(&*other)) {
                return Ok(found);
            }
        }
        let has = match names.is_empty() {
            true => "it names no contig, and serves panels of one contig alone".to_string(),
            false => format!("its contigs are {}", names.join(", ")),
        };
        Err(Error::new(ErrorKind::ContigMismatch, format!("the genetic map does not have contig {name}: {has}"))
            .remedy("give the map of that contig, or none: the rate is 1 cM a megabase then"))
    }
}

impl Contig {
    fn at(&self, position: u64) -> f64 {
        let (p, c) = (&self.positions, &self.centimorgans);
        let last = p.len() - 1;
        let span = (p[last] - p[0]) as f64;
        let average = if span > 0.0 { (c[last] - c[0]) / span } else { AVERAGE_RATE };
        match p.partition_point(|x| *x <= position) {
            0 => c[0] - average * (p[0] - position) as f64,
            n if n > last => c[last] + average * (position - p[last]) as f64,
            n => {
                let share = (position - p[n - 1]) as f64 / (p[n] - p[n - 1]) as f64;
                c[n - 1] + share * (c[n] - c[n - 1])
            }
        }
    }
}

/// Distances between each site and the one before, in centimorgans; 0 at the first site of a contig. Without a map at
/// [`AVERAGE_RATE`].
///
/// # Errors
/// `ContigMismatch` as [`GeneticMap::positions`].
pub fn distances(map: Option<&GeneticMap>, sites: &Sites) -> Result<(Vec<f64>, Vec<String>)> {
    let (positions, notices) = match map {
        Some(map) => map.positions(sites)?,
        None => (sites.iter().map(|site| site.position as f64 * AVERAGE_RATE).collect(), Vec::new()),
    };
    let distance = |s: usize| match s > 0 && sites[s].contig == sites[s - 1].contig {
        true => (positions[s] - positions[s - 1]).max(0.0),
        false => 0.0,
    };
    Ok(((0..sites.len()).map(distance).collect(), notices))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::sites::Site;

    fn sites(list: &[(&str, u64)]) -> Sites {
        let site = |(contig, position): &(&str, u64)| Site {
            contig: (*contig).into(),
            position: *position,
            id: "".into(),
            reference: "A".into(),
            alternate: "C".into(),
        };
        Sites::new(list.iter().map(site).collect()).unwrap()
    }

    #[test]
    fn sites_are_interpolated_within_and_extrapolated_outside() {
        let points = [("1", 100, 1.0), ("1", 200, 2.0), ("1", 300, 2.5), ("2", 50, 0.0), ("2", 150, 1.0)];
        let map = GeneticMap::new(points.map(|(c, p, cm)| (Some(c.to_string()), p, cm))).unwrap();
        let sites = sites(&[("1", 60), ("1", 150), ("1", 200), ("1", 500), ("chr2", 100)]);
        let (found, notices) = map.positions(&sites).unwrap();
        for (a, b) in found.iter().zip([0.7, 1.5, 2.0, 4.0, 0.5]) {
            assert!((a - b).abs() < 1e-9, "{found:?}");
        }
        assert_eq!(notices, ["contig chr2 is 2 in the genetic map"]);
        let (steps, _) = distances(Some(&map), &sites).unwrap();
        assert_eq!((steps[0], steps[4]), (0.0, 0.0));
        assert!((steps[1] - 0.8).abs() < 1e-9);
        let (steps, _) = distances(None, &sites).unwrap();
        assert!((steps[3] - 3e-4).abs() < 1e-12);
    }

    #[test]
    fn a_map_without_names_serves_one_contig() {
        let map = GeneticMap::new([(None, 1, 0.0), (None, 1001, 1.0)]).unwrap();
        assert!(map.positions(&sites(&[("7", 500)])).is_ok());
        let error = map.positions(&sites(&[("7", 500), ("8", 1)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ContigMismatch);
    }

    #[test]
    fn maps_that_fall_are_refused() {
        let one =
            |a: (u64, f64), b: (u64, f64)| GeneticMap::new([(None, a.0, a.1), (None, b.0, b.1)]).map_err(|e| e.kind());
        assert_eq!(one((5, 1.0), (4, 2.0)), Err(ErrorKind::Unsorted));
        assert_eq!(one((5, 1.0), (6, 0.5)), Err(ErrorKind::Unsorted));
        assert_eq!(one((5, 1.0), (6, f64::NAN)), Err(ErrorKind::InvalidArgument));
        assert!(one((5, 1.0), (5, 1.0)).is_ok());
        assert_eq!(GeneticMap::new([]).unwrap_err().kind(), ErrorKind::Empty);
    }
}
