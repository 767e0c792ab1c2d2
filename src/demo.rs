//! The embedded demo panel: 900 simulated people of three populations at 800 sites on 4 Mb. `assets/simulate.py` made it.

use crate::error::{Error, ErrorKind, Result};
use crate::io::{ReadOptions, read_panel_bytes};
use crate::panel::Panel;
use crate::progress::Progress;
use std::collections::HashMap;
use std::path::Path;

/// The panel as a BCF file.
pub const PANEL: &[u8] = include_bytes!("../assets/demo.bcf");
/// Name, population and part (`train` or `held_out`) of each person, separated by tabs, with a header.
pub const PEOPLE: &str = include_str!("../assets/demo_samples.tsv");

/// The people of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everybody.
    All,
    /// Those to train on: two thirds.
    Train,
    /// Those to judge a model by: a third.
    HeldOut,
}

/// The people of a part, labelled with their populations.
///
/// # Errors
/// `OutOfMemory`.
pub fn panel(part: Part) -> Result<Panel> {
    let read = read_panel_bytes(PANEL, Path::new("demo panel"), &ReadOptions::default(), &mut Progress::none())?;
    let mut labels = HashMap::new();
    let mut names = Vec::new();
    for line in PEOPLE.lines().skip(1) {
        let mut fields = line.split('\t');
        let (Some(name), Some(label), Some(of)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(Error::new(ErrorKind::Internal, "a line of the demo's people is cut short"));
        };
        labels.insert(name.to_string(), label.to_string());
        if part == Part::All || (part == Part::HeldOut) == (of == "held_out") {
            names.push(name.to_string());
        }
    }
    let panel = read.panel.with_samples(read.panel.samples().with_labels(&labels))?;
    panel.select_samples(&panel.samples().find(&names, false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_whole_and_everybody_has_a_population() {
        let size = |part| panel(part).map(|p| (p.samples().len(), p.sites().len())).unwrap();
        assert_eq!([size(Part::All), size(Part::Train), size(Part::HeldOut)], [(900, 800), (600, 800), (300, 800)]);
        let labels = panel(Part::HeldOut).unwrap();
        let mut labels = labels.samples().haplotype_labels().unwrap();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), 3);
    }
}
