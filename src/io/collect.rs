//! What every reader of sites does with a record: order, region, samples, ploidy, and the rules for what a panel of
//! biallelic complete haplotypes cannot hold as it is.

use super::{MissingRule, MultiallelicRule, Read, ReadOptions, UnphasedRule};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::Panel;
use crate::panel::bits::{BitMatrix, words_for};
use crate::panel::samples::{Sample, Samples};
use crate::panel::sites::{Site, Sites};
use crate::progress::Progress;
use crate::rng::{Purpose, Stream};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A missing allele in [`Genotypes::alleles`].
pub(super) const MISSING: i32 = -1;
/// The second allele of a haploid genotype.
pub(super) const ABSENT: i32 = -2;
/// Both slots of a genotype of more than two alleles, which is refused unless its person is left out.
pub(super) const POLYPLOID: i32 = -3;

/// One record's genotypes as written, two slots a person of the file.
#[derive(Default)]
pub(super) struct Genotypes {
    /// Allele numbers, `MISSING` or `ABSENT`; a lone `.` is `MISSING, ABSENT`.
    pub(super) alleles: Vec<i32>,
    /// Whether each person's genotype is written as phased.
    pub(super) phased: Vec<bool>,
}

/// What a record says before its genotypes. Texts are borrowed from the reader's buffer.
#[derive(Clone, Copy)]
pub(super) struct Variant<'a> {
    pub(super) contig: &'a str,
    pub(super) position: u64,
    pub(super) id: &'a str,
    pub(super) reference: &'a str,
    pub(super) alternates: &'a [&'a str],
    /// Line or record number from 1, where it is known.
    pub(super) record: Option<u64>,
}

impl Variant<'_> {
    /// Puts the place on an error.
    pub(super) fn at(&self, error: Error) -> Error {
        let error = error.site(self.contig, self.position);
        match self.record {
            Some(record) => error.record(record),
            None => error,
        }
    }
}

/// What is to be done with a record.
pub(super) enum Verdict {
    /// Read its genotypes: one site for each of these alternate alleles, numbered from 1.
    Take(Vec<usize>),
    /// Go on to the next.
    Skip,
}

/// How many records were left out, and why.
#[derive(Default)]
struct Counts {
    without_genotypes: u64,
    monomorphic: u64,
    overlapping: u64,
    multiallelic_dropped: u64,
    multiallelic_split: u64,
    missing_filled: u64,
    missing_dropped: u64,
    unknown_frequency: u64,
    unphased: u64,
}

/// Records between two reports of progress.
const PORTION: u64 = 1024;

/// Gathers sites and their alleles, a row of two slots a person for each site.
pub(super) struct Collector<'a, 'p> {
    options: &'a ReadOptions,
    progress: &'a mut Progress<'p>,
    records: u64,
    path: PathBuf,
    names: Vec<String>,
    /// The people that are kept, by their number in the file; `None` for all of them.
    keep: Option<Vec<usize>>,
    /// 0 where it is not known yet.
    ploidy: Vec<u8>,
    all_diploid: bool,
    sites: Vec<Site>,
    stride: usize,
    rows: Vec<u64>,
    missing: Vec<u64>,
    unphased: Vec<u64>,
    scratch: Vec<u64>,
    contigs_seen: HashSet<Arc<str>>,
    contig: Arc<str>,
    position: u64,
    here: HashSet<(Box<str>, Box<str>)>,
    counts: Counts,
    notices: Vec<String>,
}

impl<'a, 'p> Collector<'a, 'p> {
    /// For a file with these people.
    ///
    /// # Errors
    /// `Duplicate`, `UnknownName`, `Empty`.
    pub(super) fn new(
        path: &Path,
        names: Vec<String>,
        options: &'a ReadOptions,
        progress: &'a mut Progress<'p>,
    ) -> Result<Self> {
        let named = |e: Error| e.file(path);
        if names.is_empty() {
            return Err(named(
                Error::new(ErrorKind::Empty, "the file has no samples").remedy("give a file with genotypes (GT)"),
            ));
        }
        let people = Samples::diploid(names.iter().map(String::as_str)).map_err(named)?;
        let keep = match &options.samples {
            None => None,
            Some((chosen, exclude)) => Some(people.find(chosen, *exclude).map_err(named)?),
        };
        let n = keep.as_ref().map_or(names.len(), Vec::len);
        Ok(Collector {
            options,
            progress,
            records: 0,
            path: path.to_path_buf(),
            names,
            keep,
            ploidy: vec![0; n],
            all_diploid: false,
            sites: Vec::new(),
            stride: words_for(2 * n),
            rows: Vec::new(),
            missing: Vec::new(),
            unphased: Vec::new(),
            scratch: Vec::new(),
            contigs_seen: HashSet::new(),
            contig: Arc::from(""),
            position: 0,
            here: HashSet::new(),
            counts: Counts::default(),
            notices: Vec::new(),
        })
    }

    /// How many people the file has.
    pub(super) fn people_in_file(&self) -> usize {
        self.names.len()
    }

    /// The name of a person by their number in the file.
    pub(super) fn name(&self, column: usize) -> &str {
        &self.names[column]
    }

    /// Whether a person is kept, by their number in the file.
    pub(super) fn keeps(&self, column: usize) -> bool {
        self.keep.as_ref().is_none_or(|keep| keep.binary_search(&column).is_ok())
    }

    /// Something to tell the caller at the end.
    pub(super) fn notice(&mut self, text: impl Into<String>) {
        self.notices.push(text.into());
    }

    /// What is to be told at the end.
    pub(super) fn notices(&mut self) -> &mut Vec<String> {
        &mut self.notices
    }

    /// Counts a record that has no GT.
    pub(super) fn without_genotypes(&mut self) {
        self.counts.without_genotypes += 1;
    }

    /// Whether a record at this place is past the region of a sorted file that is read from the region's start.
    pub(super) fn is_past(&self, contig: &str, position: u64) -> bool {
        self.options.region.as_ref().is_some_and(|r| contig != r.contig || position > r.end)
    }

    /// Checks the order of a record, and says what to do with it. Every record of the file has to pass here.
    ///
    /// # Errors
    /// `Unsorted`, `Duplicate`, `Multiallelic`, `Malformed`; `Cancelled`.
    pub(super) fn consider(&mut self, variant: &Variant) -> Result<Verdict> {
        if self.records.is_multiple_of(PORTION) {
            self.progress.step("reading", self.records, 0, "records")?;
        }
        self.records += 1;
        let path = self.path.clone();
        let refuse =
            |kind, what: String, remedy: &str| Err(variant.at(Error::new(kind, what)).file(&path).remedy(remedy));
        if *self.contig != *variant.contig {
            let contig: Arc<str> = Arc::from(variant.contig);
            if !self.contigs_seen.insert(contig.clone()) {
                let what = format!("contig {contig} comes back after others");
                return refuse(ErrorKind::Unsorted, what, "sort the file (bcftools sort)");
            }
            self.contig = contig;
            self.here.clear();
        } else if variant.position < self.position {
            let what = format!("position {} comes after {}", variant.position, self.position);
            return refuse(ErrorKind::Unsorted, what, "sort the file (bcftools sort)");
        } else if variant.position > self.position {
            self.here.clear();
        }
        self.position = variant.position;
        if self.options.region.as_ref().is_some_and(|r| !r.contains(variant.contig, variant.position)) {
            return Ok(Verdict::Skip);
        }
        if variant.position == 0 {
            let what = "position 0 (a telomere) is not a site".to_string();
            return refuse(ErrorKind::Malformed, what, "remove the record");
        }
        if variant.reference.is_empty() || variant.alternates.iter().any(|a| a.is_empty()) {
            return refuse(ErrorKind::Malformed, "an allele is empty".into(), "mend the record");
        }
        if variant.alternates.contains(&variant.reference) {
            let what = format!("the reference allele {} is an alternate too", variant.reference);
            return refuse(ErrorKind::Malformed, what, "mend the record (bcftools norm)");
        }
        let several = variant.alternates.len() > 1;
        if several {
            match self.options.multiallelic {
                MultiallelicRule::Refuse => {
                    let what = format!("the site has {} alternate alleles", variant.alternates.len());
                    let remedy = "split such sites (option multiallelic=split, or bcftools norm -m-) or drop them";
                    return refuse(ErrorKind::Multiallelic, what, remedy);
                }
                MultiallelicRule::Drop => {
                    self.counts.multiallelic_dropped += 1;
                    return Ok(Verdict::Skip);
                }
                MultiallelicRule::Split => self.counts.multiallelic_split += 1,
            }
        }
        let is_variant = |a: &str| !matches!(a, "*" | "<*>" | "<NON_REF>" | ".");
        let taken: Vec<usize> =
            (1..=variant.alternates.len()).filter(|k| is_variant(variant.alternates[k - 1])).collect();
        for k in &taken {
            let alternate = variant.alternates[k - 1];
            if !self.here.insert((variant.reference.into(), alternate.into())) {
                let what = format!(
                    "variant {}:{}:{}:{alternate} is there twice",
                    variant.contig, variant.position, variant.reference
                );
                return refuse(ErrorKind::Duplicate, what, "remove duplicates (bcftools norm -d exact)");
            }
        }
        if taken.is_empty() {
            match variant.alternates.iter().all(|a| *a == ".") {
                true => self.counts.monomorphic += 1,
                false => self.counts.overlapping += 1,
            }
            return Ok(Verdict::Skip);
        }
        Ok(Verdict::Take(taken))
    }

    /// Takes a biallelic record whose genotypes are all diploid, complete and phased: bit 2c + k is allele k of person c
    /// of the file.
    pub(super) fn push_bits(&mut self, variant: &Variant, bits: &[u64]) -> Result<()> {
        if !self.all_diploid {
            for i in 0..self.ploidy.len() {
                let column = self.keep.as_ref().map_or(i, |k| k[i]);
                self.settle_ploidy(variant, i, column, 2)?;
            }
            self.all_diploid = true;
        }
        self.reserve(variant)?;
        match &self.keep {
            None => self.rows.extend_from_slice(bits),
            Some(keep) => {
                let begin = self.rows.len();
                self.rows.resize(begin + self.stride, 0);
                let row = &mut self.rows[begin..];
                for (i, column) in keep.iter().enumerate() {
                    row[i / 32] |= (bits[column / 32] >> (2 * (column % 32)) & 3) << (2 * (i % 32));
                }
            }
        }
        self.push_site(variant, 0);
        Ok(())
    }

    /// Takes a record: a site for each alternate allele in `taken`; other alternate alleles count as the reference.
    ///
    /// # Errors
    /// `Ploidy`, `Missing`, `Unphased`, `Malformed` for an allele number that the record does not have.
    pub(super) fn push(&mut self, variant: &Variant, taken: &[usize], genotypes: &Genotypes) -> Result<()> {
        let people = self.ploidy.len();
        let mut missing = Vec::new();
        let mut unphased = Vec::new();
        for i in 0..people {
            let column = self.keep.as_ref().map_or(i, |k| k[i]);
            let alleles = [genotypes.alleles[2 * column], genotypes.alleles[2 * column + 1]];
            if let Some(bad) = alleles.iter().find(|a| **a > variant.alternates.len() as i32) {
                let what = format!("allele number {bad} where the record has {}", variant.alternates.len() + 1);
                return Err(self.at_person(variant, column, ErrorKind::Malformed, what).remedy("mend the record"));
            }
            match alleles {
                [POLYPLOID, _] => {
                    let what = "the genotype has more than two alleles".to_string();
                    return Err(self
                        .at_person(variant, column, ErrorKind::Ploidy, what)
                        .remedy("leave the sample out (-s ^NAME)"));
                }
                [MISSING, ABSENT] => {}
                [_, ABSENT] => self.settle_ploidy(variant, i, column, 1)?,
                _ => self.settle_ploidy(variant, i, column, 2)?,
            }
            let lone = alleles[1] == ABSENT && self.ploidy[i] != 1;
            if alleles[0] == MISSING {
                missing.push(2 * i);
            }
            if alleles[1] == MISSING || (alleles == [MISSING, ABSENT] && lone) {
                missing.push(2 * i + 1);
            }
            if alleles[1] != ABSENT && alleles[0] != alleles[1] && !genotypes.phased[column] {
                if self.options.unphased == UnphasedRule::Refuse {
                    let text = |a: i32| if a == MISSING { ".".to_string() } else { a.to_string() };
                    let what = format!("genotype {}/{} is not phased", text(alleles[0]), text(alleles[1]));
                    return Err(self.at_person(variant, column, ErrorKind::Unphased, what).remedy(
                        "phase the file first (Beagle, SHAPEIT), or take alleles as written with option unphased=as-written",
                    ));
                }
                self.counts.unphased += 1;
                unphased.push(i);
            }
        }
        if !missing.is_empty() {
            match self.options.missing {
                MissingRule::Refuse => {
                    let column = self.keep.as_ref().map_or(missing[0] / 2, |k| k[missing[0] / 2]);
                    let what = "an allele is missing".to_string();
                    return Err(self.at_person(variant, column, ErrorKind::Missing, what).remedy(
                        "impute the file first, or fill with option missing=reference (or frequency, drop-site)",
                    ));
                }
                MissingRule::DropSite => {
                    self.counts.missing_dropped += 1;
                    return Ok(());
                }
                MissingRule::Reference | MissingRule::Frequency => self.counts.missing_filled += missing.len() as u64,
                MissingRule::Keep => {}
            }
        }
        for k in taken {
            let mut row = std::mem::take(&mut self.scratch);
            row.clear();
            row.resize(self.stride, 0);
            for i in 0..people {
                let column = self.keep.as_ref().map_or(i, |k| k[i]);
                let first = u64::from(genotypes.alleles[2 * column] == *k as i32);
                let second = u64::from(genotypes.alleles[2 * column + 1] == *k as i32);
                row[i / 32] |= (first | second << 1) << (2 * (i % 32));
            }
            if self.options.missing == MissingRule::Frequency && !missing.is_empty() {
                self.fill(variant, *k, &missing, &mut row);
            }
            self.reserve(variant)?;
            self.rows.extend_from_slice(&row);
            self.scratch = row;
            let site = self.sites.len();
            if self.options.missing == MissingRule::Keep && !missing.is_empty() {
                set_all(&mut self.missing, site, self.stride, &missing);
            }
            if self.options.unphased == UnphasedRule::Keep && !unphased.is_empty() {
                // Whoever carries neither or twice the allele of this site needs no phase at it.
                let row = &self.scratch;
                let gone: HashSet<usize> = missing.iter().copied().collect();
                let unknown = |i: usize| gone.contains(&(2 * i)) || gone.contains(&(2 * i + 1));
                let pair = |i: usize| row[i / 32] >> (2 * (i % 32)) & 3;
                let here: Vec<usize> =
                    unphased.iter().copied().filter(|i| unknown(*i) || matches!(pair(*i), 1 | 2)).collect();
                set_all(&mut self.unphased, site, words_for(people), &here);
            }
            self.push_site(variant, k - 1);
        }
        Ok(())
    }

    /// Draws missing alleles from the frequency of the known ones. A draw depends on the seed, the site and the slot.
    fn fill(&mut self, variant: &Variant, k: usize, missing: &[usize], row: &mut [u64]) {
        let slots: usize = self.ploidy.iter().map(|p| if *p == 1 { 1 } else { 2 }).sum();
        let known = slots - missing.len();
        if known == 0 {
            self.counts.unknown_frequency += 1;
            return;
        }
        let ones: u32 = row.iter().map(|w| w.count_ones()).sum();
        let frequency = f64::from(ones) / known as f64;
        let name =
            format!("{}:{}:{}:{}", variant.contig, variant.position, variant.reference, variant.alternates[k - 1]);
        let stream = Stream::new(self.options.seed, Purpose::Missing, fnv(name.as_bytes()) >> 16);
        for slot in missing {
            let column = self.keep.as_ref().map_or(slot / 2, |k| k[slot / 2]);
            if f64::from(stream.uniform((2 * column + slot % 2) as u64)) < frequency {
                row[slot / 64] |= 1 << (slot % 64);
            }
        }
    }

    fn at_person(&self, variant: &Variant, column: usize, kind: ErrorKind, what: String) -> Error {
        variant.at(Error::new(kind, what)).file(&self.path).sample(&self.names[column])
    }

    /// Checks the ploidy of person `i`, who is number `column` in the file.
    fn settle_ploidy(&mut self, variant: &Variant, i: usize, column: usize, ploidy: u8) -> Result<()> {
        match self.ploidy[i] {
            known if known == ploidy => Ok(()),
            0 => {
                self.ploidy[i] = ploidy;
                Ok(())
            }
            known => {
                let what = format!("ploidy changes from {known} to {ploidy}");
                Err(self.at_person(variant, column, ErrorKind::Ploidy, what).remedy(
                    "read the regions on either side apart (-r); is this the border of a pseudo-autosomal region?",
                ))
            }
        }
    }

    fn reserve(&mut self, variant: &Variant) -> Result<()> {
        let sites = &mut self.sites;
        self.rows.try_reserve(self.stride).and_then(|()| sites.try_reserve(1)).map_err(|_| {
            variant
                .at(Error::new(ErrorKind::OutOfMemory, "no memory for more sites"))
                .file(&self.path)
                .remedy("choose a smaller region or fewer samples")
        })
    }

    fn push_site(&mut self, variant: &Variant, alternate: usize) {
        self.sites.push(Site {
            contig: self.contig.clone(),
            position: variant.position,
            id: variant.id.into(),
            reference: variant.reference.into(),
            alternate: variant.alternates[alternate].into(),
        });
    }

    /// The panel of what was taken.
    ///
    /// # Errors
    /// `Empty` or `Region` if that is nothing; `OutOfMemory`.
    pub(super) fn finish(mut self, contigs_of_header: &[String]) -> Result<Read> {
        self.tell();
        if self.sites.is_empty() {
            return Err(self.nothing(contigs_of_header));
        }
        let (people, sites) = (self.ploidy.len(), self.sites.len());
        let samples: Vec<Sample> = (0..people)
            .map(|i| {
                let column = self.keep.as_ref().map_or(i, |k| k[i]);
                Sample {
                    name: std::mem::take(&mut self.names[column]),
                    ploidy: if self.ploidy[i] == 1 { 1 } else { 2 },
                    label: None,
                }
            })
            .collect();
        // Slots of the people of ploidy 1 that hold nothing go.
        let slots: Option<Vec<usize>> = samples
            .iter()
            .any(|s| s.ploidy == 1)
            .then(|| (0..people).flat_map(|i| 2 * i..2 * i + usize::from(samples[i].ploidy)).collect());
        let turn = |mut words: Vec<u64>, columns: usize| -> Result<Option<BitMatrix>> {
            if words.is_empty() {
                return Ok(None);
            }
            words.resize(sites * words_for(columns), 0);
            BitMatrix::from_words(sites, columns, words)?.transpose().map(Some)
        };
        let haplotypes = |words: Vec<u64>| -> Result<Option<BitMatrix>> {
            match (turn(words, 2 * people)?, &slots) {
                (Some(m), Some(slots)) => m.select_rows(slots).map(Some),
                (m, _) => Ok(m),
            }
        };
        let bits = haplotypes(self.rows)?.ok_or_else(|| Error::new(ErrorKind::Internal, "sites without alleles"))?;
        let missing = haplotypes(self.missing)?;
        let unphased = turn(self.unphased, people)?;
        let panel = Panel::with_planes(Sites::new(self.sites)?, Samples::new(samples)?, bits, missing, unphased)
            .map_err(|e| e.file(&self.path))?;
        Ok(Read { panel, notices: self.notices, sample_lines: Vec::new() })
    }

    fn nothing(&self, contigs_of_header: &[String]) -> Error {
        let error = match &self.options.region {
            None => Error::new(ErrorKind::Empty, "the file has no site to read"),
            Some(region) => {
                let mut contigs: Vec<&str> = contigs_of_header.iter().map(String::as_str).collect();
                contigs.extend(
                    self.contigs_seen.iter().map(|c| &**c).filter(|c| !contigs_of_header.iter().any(|h| h == c)),
                );
                match contigs.contains(&region.contig.as_str()) {
                    true => Error::new(ErrorKind::Empty, format!("no site in region {region}")),
                    false => absent_contig(&region.contig, &contigs),
                }
            }
        };
        let error = match self.notices.is_empty() {
            true => error,
            false => error.remedy(self.notices.join("; ")),
        };
        error.file(&self.path)
    }

    /// Turns counts into sentences.
    fn tell(&mut self) {
        let c = &self.counts;
        let told = [
            (c.without_genotypes, "records without GT were skipped"),
            (c.monomorphic, "records without an alternate allele were skipped"),
            (c.overlapping, "records whose only alternate allele is * or <NON_REF> were skipped"),
            (c.multiallelic_dropped, "multiallelic records were dropped"),
            (c.multiallelic_split, "multiallelic records were split into biallelic sites"),
            (c.missing_dropped, "sites with missing alleles were dropped"),
            (c.missing_filled, "missing alleles were filled"),
            (c.unknown_frequency, "sites where all alleles are missing were filled with the reference"),
            (c.unphased, "unphased heterozygous genotypes were taken"),
        ];
        let told: Vec<String> = told.iter().filter(|(n, _)| *n > 0).map(|(n, text)| format!("{n} {text}")).collect();
        self.notices.extend(told);
    }
}

/// A region names a contig that is not there.
pub(super) fn absent_contig(contig: &str, contigs: &[&str]) -> Error {
    let shown: Vec<&str> = contigs.iter().take(5).copied().collect();
    let more = if contigs.len() > shown.len() { ", ..." } else { "" };
    let error = Error::new(ErrorKind::Region, format!("contig {contig} of the region is not in the file"));
    let other = match contig.strip_prefix("chr") {
        Some(bare) => bare.to_string(),
        None => format!("chr{contig}"),
    };
    match contigs.contains(&other.as_str()) {
        true => error.remedy(format!("the file names it {other}")),
        false if shown.is_empty() => error,
        false => error.remedy(format!("the file has {}{more}", shown.join(", "))),
    }
}

/// Sets bits of row `site` of a plane that grows on demand.
fn set_all(plane: &mut Vec<u64>, site: usize, stride: usize, bits: &[usize]) {
    plane.resize(site * stride, 0);
    plane.resize((site + 1) * stride, 0);
    for bit in bits {
        plane[site * stride + bit / 64] |= 1 << (bit % 64);
    }
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}
