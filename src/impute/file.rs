//! Whole files: targets in, imputed genotypes out, window by window.

use super::quality::{DosageSums, LeftOutSums};
use super::target::Target;
use super::{Fitted, Imputer, Typed, Window};
use crate::error::{Error, ErrorKind, Result};
use crate::hmm::rates::Rates;
use crate::io::{self, ImputedOptions, ImputedRecord, ImputedWriter, Origin};
use crate::options::Options;
use crate::panel::Panel;
use crate::panel::region::Region;
use crate::panel::sites::Site;
use crate::progress::Progress;
use crate::threads::Threads;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is imputed.
#[derive(Clone, Debug)]
pub struct ImputeFileOptions {
    /// Only sites whose position lies inside are written; typed sites outside still tell of them.
    pub region: Option<Region>,
    /// Whether `chr15` and `15` are the same contig. Default: no, the file is refused.
    pub match_contigs: bool,
    /// Whether typed alleles are written as likely as the model finds them. Default: no, as the target has them.
    pub correct_typed: bool,
    /// Expected switches beyond a window whose typed sites tell of it. Default 10.
    pub overlap: f64,
    /// Sites imputed at a time. Default 0: as many as make 512 million dosages.
    pub window: usize,
    /// A table of the target's sites that are not imputed from, a line each: contig, position, id, reference, alternate, what
    /// is wrong, and what stands in the panel or model. Default: none is written.
    pub report: Option<PathBuf>,
    /// Threads. The dosages do not depend on them. Default: one.
    pub threads: Threads,
    /// How the output is written.
    pub output: ImputedOptions,
}

impl Default for ImputeFileOptions {
    fn default() -> Self {
        ImputeFileOptions {
            region: None,
            match_contigs: false,
            correct_typed: false,
            overlap: 10.0,
            window: 0,
            report: None,
            threads: Threads::single(),
            output: ImputedOptions::default(),
        }
    }
}

impl ImputeFileOptions {
    /// From the keys that imputing a file reads, with their defaults.
    ///
    /// # Errors
    /// `Region`; `UnknownFormat`.
    pub fn from_options(options: &Options) -> Result<Self> {
        Ok(ImputeFileOptions {
            region: options.given("region").map(str::parse).transpose()?,
            match_contigs: options.text("contigs") == "match",
            correct_typed: options.text("typed") == "correct",
            overlap: options.number("overlap"),
            window: options.whole("window_sites"),
            report: options.given("report").map(PathBuf::from),
            threads: Threads::new(options.whole("threads")),
            output: ImputedOptions::from_options(options)?,
        })
    }
}

/// What became of a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImputeReport {
    /// Sites that the target has, and what was imputed from too.
    pub typed: usize,
    /// Sites that were imputed.
    pub imputed: usize,
    /// Sites that the target alone has: passed through.
    pub typed_only: usize,
    /// People.
    pub people: usize,
    /// Alleles missing at typed sites: imputed.
    pub missing: u64,
    /// Mean ER2 over typed sites where it is defined; NaN if there are none.
    pub left_out_r2: f64,
    /// The rates of the copying model over a panel.
    pub rates: Option<Rates>,
    /// The prior of an artificial haplotype against a real one.
    pub weight: Option<f64>,
    /// Sentences on what a user should know: sites that do not match, with the first example each.
    pub notices: Vec<String>,
}

/// Dosages of a window that are in memory at most; those below .0005 take none.
const WINDOW_DOSAGES: usize = 512 << 20;
/// Dosages in work at a time, as they come from the model.
const PORTION_DOSAGES: usize = 4 << 20;
/// Haplotypes in work at a time, at most, but where devices want more.
const PORTION: usize = 128;

/// Imputes a file of phased people (VCF, VCF.gz, BCF, or what else [`io::read_panel`] reads) and writes VCF or BCF with
/// GT:DS:HDS:GP, and AF, MAF, R2, INFO and, at typed sites, ER2 (see [`super::quality`]).
///
/// Every site of the panel or model on the target's contigs is written, and every site that the target alone has, with the
/// target's alleles (`TYPED_ONLY`). Missing alleles are imputed; haploid people stay so. Sites that have other alleles in
/// both, or reference and alternate exchanged, or that seem to be of the other strand, are never turned round: they are
/// reported and passed through. Memory: the target's alleles as bits, and a window's dosages.
///
/// # Errors
/// As [`io::read_panel`]; `Unphased`; `NoOverlap`, `ContigMismatch` or `AlleleMismatch` if no site is shared; `Io`;
/// `Cancelled`; `OutOfMemory`. The output is not touched then.
pub fn impute_file(
    imputer: &Imputer,
    path: &Path,
    output: &Path,
    options: &ImputeFileOptions,
    progress: &mut Progress,
) -> Result<ImputeReport> {
    io::require_writable(output)?;
    let target = Target::open(imputer, path, options.match_contigs, &options.threads, progress)?;
    let mut report = ImputeReport { people: target.panel.samples().len(), ..ImputeReport::default() };
    if let Some(path) = &options.report {
        io::write_bytes(path, target.mismatches(imputer.sites()).as_bytes())?;
    }
    let contigs = plan(imputer, &target, options.region.as_ref()).map_err(|e| e.file(path))?;
    let typed = target.typed()?;
    report.missing = typed.missing();
    let fitted = imputer.fit(&typed, &options.threads, progress)?;
    (report.rates, report.weight) = (fitted.rates(), fitted.weight());
    let mut written = options.output.clone();
    let mut lines = vec![("source".to_string(), format!("haploom {}, imputed genotypes", crate::VERSION))];
    lines.extend(imputer.description.iter().cloned());
    lines.append(&mut written.header_lines);
    written.header_lines = lines;
    let names = contigs.iter().map(|contig| contig.name.clone()).collect();
    let writer = ImputedWriter::create(output, names, target.panel.samples(), &written)?;
    let panel = &target.panel;
    let mut work = Work { imputer, fitted, typed, panel, options, writer, report, left_out: (0.0, 0) };
    let total = contigs.iter().map(|contig| contig.entries.len()).sum::<usize>() as u64;
    let mut done = 0;
    for contig in &contigs {
        work.contig(contig, (&mut done, total), progress)?;
    }
    let Work { writer, mut report, left_out, fitted, .. } = work;
    progress.step("imputing", total, total, "sites")?;
    report.left_out_r2 = left_out.0 / left_out.1 as f64;
    report.notices = target.notices;
    report.notices.extend(fitted.notices());
    writer.commit()?;
    Ok(report)
}

/// A record of the output.
#[derive(Clone, Copy)]
enum Entry {
    /// A site of the imputer, with the number among the typed sites if the target has it.
    Known(usize, Option<usize>),
    /// A site that the target alone has.
    Target(usize),
}

struct Contig {
    /// As the output names it.
    name: Arc<str>,
    entries: Vec<Entry>,
}

/// What is written, in order: the known contigs that the target tells of, then those that the target alone has.
fn plan(imputer: &Imputer, target: &Target, region: Option<&Region>) -> Result<Vec<Contig>> {
    let known = imputer.sites();
    let inside = |contig: &str, position| region.is_none_or(|r| r.contains(contig, position));
    let of_known = known.contigs();
    let mut all: Vec<(Arc<str>, Range<usize>)> = Vec::new();
    for contig in &of_known {
        let first = all.last().map_or(0, |(_, range)| range.end);
        let end = first + known.as_slice()[first..].partition_point(|s| s.contig == *contig);
        all.push((contig.clone(), first..end));
    }
    all.extend(target.sites.contigs().into_iter().filter(|c| !of_known.contains(c)).map(|c| (c, 0..0)));
    let mut others: HashMap<&str, Vec<usize>> = HashMap::new();
    for column in target.unmatched() {
        others.entry(&target.sites[column].contig).or_default().push(column);
    }
    let (mut contigs, mut names) = (Vec::new(), Vec::new());
    for (contig, range) in all {
        let begin = target.matched.partition_point(|(_, site)| *site < range.start);
        let end = target.matched.partition_point(|(_, site)| *site < range.end);
        let range = if begin == end { 0..0 } else { range };
        let mut others = others.remove(&*contig).unwrap_or_default().into_iter().peekable();
        let mut next = begin;
        let mut entries = Vec::new();
        for site in range {
            while let Some(column) = others.next_if(|c| target.sites[*c].position < known[site].position) {
                entries.push(Entry::Target(column));
            }
            let is_typed = target.matched.get(next).is_some_and(|(_, typed)| *typed == site);
            entries.push(Entry::Known(site, is_typed.then_some(next)));
            next += usize::from(is_typed);
        }
        entries.extend(others.map(Entry::Target));
        let name = target.name_of(&contig);
        if !entries.is_empty() {
            names.push(name.to_string());
        }
        entries.retain(|entry| match entry {
            Entry::Known(site, _) => inside(&name, known[*site].position),
            Entry::Target(column) => inside(&name, target.sites[*column].position),
        });
        if !entries.is_empty() {
            contigs.push(Contig { name, entries });
        }
    }
    let Some(region) = region.filter(|_| contigs.is_empty()) else { return Ok(contigs) };
    match names.contains(&region.contig) {
        true => Err(Error::new(ErrorKind::Empty, format!("no site to impute lies in region {region}"))),
        false => {
            let what = format!("contig {} of the region is not among those of the target", region.contig);
            Err(Error::new(ErrorKind::Region, what).remedy(format!("its contigs are {}", names.join(", "))))
        }
    }
}

struct Work<'a> {
    imputer: &'a Imputer,
    fitted: Fitted<'a>,
    typed: Typed,
    panel: &'a Panel,
    options: &'a ImputeFileOptions,
    writer: ImputedWriter,
    report: ImputeReport,
    /// Sum and number of ER2.
    left_out: (f64, usize),
}

/// Dosages of some haplotypes at a window's sites, in thousandths; 0 is left out.
struct Portion {
    first: usize,
    /// Where each site's entries begin; one more than there are sites.
    offsets: Vec<u32>,
    /// Haplotype (from `first` on) and thousandths.
    entries: Vec<(u16, u16)>,
}

/// A window's dosages and what they sum to.
struct Dosages {
    sites: Range<usize>,
    portions: Vec<Portion>,
    quality: Vec<DosageSums>,
    /// By typed site within the window.
    left_out: Vec<LeftOutSums>,
    first_typed: usize,
}

impl Work<'_> {
    fn contig(&mut self, contig: &Contig, (done, total): (&mut u64, u64), progress: &mut Progress) -> Result<()> {
        let haplotypes = self.typed.haplotypes().max(1);
        let width = match self.options.window {
            0 => (WINDOW_DOSAGES / haplotypes).max(1),
            n => n,
        };
        let mut rest = &contig.entries[..];
        while !rest.is_empty() {
            // A window is a run of entries with so many known sites.
            let mut sites = Vec::new();
            let mut length = 0;
            for entry in rest {
                if let Entry::Known(site, _) = entry {
                    if sites.len() == width {
                        break;
                    }
                    sites.push(*site);
                }
                length += 1;
            }
            let (entries, later) = rest.split_at(length);
            rest = later;
            let range = sites.first().copied().unwrap_or(0)..sites.last().map_or(0, |last| last + 1);
            let window = self.window(range, (*done, total), progress)?;
            self.write(entries, &contig.name, &window)?;
            *done += entries.len() as u64;
        }
        Ok(())
    }

    /// Imputes a window.
    fn window(&mut self, sites: Range<usize>, (done, total): (u64, u64), progress: &mut Progress) -> Result<Dosages> {
        let (n, width) = (self.typed.haplotypes(), sites.len());
        let using = self.fitted.surroundings(sites.clone(), self.options.overlap);
        let at = Window { sites: sites.clone(), using };
        let within = self.typed.within(sites.clone());
        let mut window = Dosages {
            sites: sites.clone(),
            portions: Vec::new(),
            quality: vec![DosageSums::default(); width],
            left_out: vec![LeftOutSums::default(); within.len()],
            first_typed: within.start,
        };
        if width == 0 {
            return Ok(window);
        }
        let rows = (PORTION_DOSAGES / width).max(4 * self.options.threads.count()).min(PORTION);
        // A number of one is kept in 16 bits.
        let rows = rows.max(self.fitted.of_devices()).min(1 << 16);
        let typed_sites = self.typed.sites().len();
        let (mut dosages, mut left_out) = (vec![0.0; rows * width], vec![0.0; rows * typed_sites]);
        for first in (0..n).step_by(rows) {
            progress.step("imputing", done + (width * first / n) as u64, total, "sites")?;
            let rows = first..n.min(first + rows);
            let dosages = &mut dosages[..rows.len() * width];
            let left_out = &mut left_out[..rows.len() * typed_sites];
            self.fitted.impute(&self.typed, rows.clone(), &at, dosages, left_out, progress)?;
            for (i, t) in within.clone().enumerate() {
                let column = self.typed.sites()[t] - sites.start;
                for (r, h) in rows.clone().enumerate() {
                    let Some(allele) = self.typed.allele(h, t) else { continue };
                    window.left_out[i].add(allele, left_out[r * typed_sites + t]);
                    if !self.options.correct_typed {
                        dosages[r * width + column] = f32::from(u8::from(allele));
                    }
                }
            }
            let mut portion = Portion { first, offsets: vec![0], entries: Vec::new() };
            for (s, sums) in window.quality.iter_mut().enumerate() {
                for r in 0..rows.len() {
                    let dosage = dosages[r * width + s];
                    sums.add(dosage);
                    if dosage >= 0.0005 {
                        portion.entries.push((r as u16, (dosage * 1000.0).round() as u16));
                    }
                }
                portion.offsets.push(portion.entries.len() as u32);
            }
            portion.entries.shrink_to_fit();
            window.portions.push(portion);
        }
        Ok(window)
    }

    fn write(&mut self, entries: &[Entry], contig: &Arc<str>, window: &Dosages) -> Result<()> {
        let n = self.typed.haplotypes();
        let mut dosages = vec![0.0f32; n];
        for entry in entries {
            let (site, origin, quality, er2) = match *entry {
                Entry::Known(number, typed) => {
                    let s = number - window.sites.start;
                    dosages.fill(0.0);
                    for portion in &window.portions {
                        let range = portion.offsets[s] as usize..portion.offsets[s + 1] as usize;
                        for (h, thousandths) in &portion.entries[range] {
                            dosages[portion.first + usize::from(*h)] = f32::from(*thousandths) / 1000.0;
                        }
                    }
                    let er2 = typed.map(|t| window.left_out[t - window.first_typed].r2());
                    let origin = if typed.is_some() { Origin::Typed } else { Origin::Imputed };
                    (&self.imputer.sites()[number], origin, window.quality[s], er2)
                }
                Entry::Target(column) => {
                    let missing = self.panel.missing();
                    let mut sums = DosageSums::default();
                    for (h, dosage) in dosages.iter_mut().enumerate() {
                        let known = !missing.is_some_and(|m| m.get(h, column));
                        let allele = f32::from(u8::from(self.panel.bits().get(h, column)));
                        *dosage = if known { allele } else { f32::NAN };
                        sums.add(*dosage);
                    }
                    (&self.panel.sites()[column], Origin::TypedOnly, sums, None)
                }
            };
            match origin {
                Origin::Typed => self.report.typed += 1,
                Origin::Imputed => self.report.imputed += 1,
                Origin::TypedOnly => self.report.typed_only += 1,
            }
            let quality = quality.quality();
            let p = quality.frequency;
            let mut fields = vec![("AF", p), ("MAF", p.min(1.0 - p))];
            if origin != Origin::TypedOnly {
                fields.extend([("R2", quality.r2), ("INFO", quality.information)]);
            }
            if let Some(er2) = er2 {
                fields.push(("ER2", er2));
                if er2.is_finite() {
                    self.left_out.0 += er2;
                    self.left_out.1 += 1;
                }
            }
            let site = Site { contig: contig.clone(), ..site.clone() };
            self.writer.write(&ImputedRecord { site: &site, origin, dosages: &dosages, quality: &fields })?;
        }
        Ok(())
    }
}
