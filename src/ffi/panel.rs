//! Panels.

use super::handle::{Out, array, array_mut, copy_text, free, path, required};
use super::options::{haploom_options, options_for, watched};
use super::sites::{haploom_samples, haploom_sites};
use super::status::{answer, guard, haploom_status};
use crate::demo::{self, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::io::{self, Read, ReadOptions, Selection, WriteOptions};
use crate::options::Reader;
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::packing::{MISSING, NotPacked, bytes_for, from_bytes, from_rows, to_bytes, to_rows};
use crate::panel::samples::Samples;
use crate::panel::sites::Sites;
use crate::progress::Progress;
use std::ffi::c_char;
use std::ops::Range;
use std::sync::OnceLock;

/// Haplotypes x biallelic sites, bit-packed: 0 is the reference allele, 1 the alternate one.
/// Immutable, so any number of threads may use it at once.
pub struct haploom_panel {
    pub(super) panel: Panel,
    sites: OnceLock<haploom_sites>,
    samples: OnceLock<haploom_samples>,
}

impl haploom_panel {
    pub(super) fn new(panel: Panel) -> Self {
        haploom_panel { panel, sites: OnceLock::new(), samples: OnceLock::new() }
    }
}

/// The panel of a handle.
pub(super) fn panel_of<'a>(panel: Option<&'a haploom_panel>, name: &str) -> Result<&'a Panel> {
    required(panel, name).map(|handle| &handle.panel)
}

/// What reading of panels reads.
const READING: &[Reader] = &[Reader::Read, Reader::Select, Reader::Region];

/// A row is a haplotype, its columns are sites.
pub const HAPLOOM_HAPLOTYPE_MAJOR: i32 = 0;
/// A row is a site, its columns are haplotypes.
pub const HAPLOOM_SITE_MAJOR: i32 = 1;

/// Everybody in the demo panel.
pub const HAPLOOM_DEMO_ALL: i32 = 0;
/// The 600 people to train on.
pub const HAPLOOM_DEMO_TRAIN: i32 = 1;
/// The 300 people to judge a model by.
pub const HAPLOOM_DEMO_HELD_OUT: i32 = 2;

/// A missing allele as a byte.
pub const HAPLOOM_MISSING_ALLELE: u8 = 255;
const _: () = assert!(HAPLOOM_MISSING_ALLELE == MISSING);

/// Reads a panel as the options say, and tells what was noticed.
fn read_into(
    panel: *mut *mut haploom_panel,
    options: Option<&haploom_options>,
    read: impl FnOnce(&ReadOptions, &mut Progress) -> Result<Read>,
) -> Result<()> {
    let out = Out::new(panel, "panel")?;
    let reading = ReadOptions::from_options(&options_for(options, READING)?)?;
    let panel = watched(options, |progress| {
        let read = read(&reading, progress)?;
        read.notices.into_iter().for_each(|notice| progress.notice(notice));
        progress.check()?;
        Ok(read.panel)
    })?;
    out.give(haploom_panel::new(panel));
    Ok(())
}

/// § Panels
///
/// Reads a panel from a file: VCF, VCF.gz, BCF, IMPUTE2's .hap + .legend + .samples, .hapt +
/// .legend, or PLINK 2's .pgen + .pvar + .psam, told by their content; "-" is standard input.
///
/// Options: groups `reading`, `selection` and `region`. It reports steps in records; what was
/// skipped, split, filled or assumed comes as notices (see Progress and cancelling).
/// On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
/// Errors: IO, UNKNOWN_FORMAT, TRUNCATED, MALFORMED, REGION; UNPHASED, MISSING, MULTIALLELIC unless
/// options say what to do about them; UNSORTED, PLOIDY, DUPLICATE, EMPTY, UNKNOWN_NAME (a sample or
/// a column of labels); CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION, INVALID_ARGUMENT.
/// The text names file, record, site and sample. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_open(
    path: *const c_char,
    options: Option<&haploom_options>,
    panel: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        read_into(panel, options, |reading, progress| {
            io::read_panel_watched(self::path(path, "path")?, reading, progress)
        })
    })
}

/// Reads a panel from the bytes of a file in memory, as haploom_panel_open() reads the file (of
/// VCF, VCF.gz and BCF; not through an index). `name` is what errors call it. Options, `*panel` and
/// errors as there. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_open_bytes(
    bytes: *const u8,
    size: usize,
    name: *const c_char,
    options: Option<&haploom_options>,
    panel: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        read_into(panel, options, |reading, progress| {
            io::read_panel_bytes(array(bytes, size, "bytes")?, self::path(name, "name")?, reading, progress)
        })
    })
}

/// The embedded demo panel: 900 simulated people of three labelled populations at 800 sites. `part`
/// is one of HAPLOOM_DEMO_... . On success `*panel` is a handle that you free with
/// haploom_panel_free(); else it is NULL.
/// Errors: INVALID_ARGUMENT, OUT_OF_MEMORY. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_demo(part: i32, panel: *mut *mut haploom_panel) -> haploom_status {
    guard(|| {
        let out = Out::new(panel, "panel")?;
        let part = match part {
            HAPLOOM_DEMO_ALL => Part::All,
            HAPLOOM_DEMO_TRAIN => Part::Train,
            HAPLOOM_DEMO_HELD_OUT => Part::HeldOut,
            _ => return Err(Error::argument(format!("part is {part}, not one of HAPLOOM_DEMO_..."))),
        };
        out.give(haploom_panel::new(demo::panel(part)?));
        Ok(())
    })
}

/// Whether haplotypes and people fit.
fn check_haplotypes(samples: Option<&haploom_samples>, haplotypes: usize) -> Result<()> {
    match samples.map(|samples| samples.samples.haplotypes()) {
        Some(n) if n != haplotypes => {
            Err(Error::argument(format!("samples have {n} haplotypes, and {haplotypes} are handed over")))
        }
        None if haplotypes % 2 == 1 => {
            Err(Error::argument(format!("{haplotypes} haplotypes do not pair into people without samples"))
                .remedy("give samples with their ploidy"))
        }
        _ => Ok(()),
    }
}

/// The people of haplotypes; of those that came without: diploid, `sample_0`, `sample_1`, ...
fn samples_of(samples: Option<&haploom_samples>, haplotypes: usize) -> Result<Samples> {
    check_haplotypes(samples, haplotypes)?;
    match samples {
        Some(samples) => Ok(samples.samples.clone()),
        None => Samples::diploid((0..haplotypes / 2).map(|i| format!("sample_{i}"))),
    }
}

fn sites_of(sites: Option<&haploom_sites>) -> Result<Sites> {
    required(sites, "sites").map(|handle| handle.sites.clone())
}

/// How far an array of rows reaches, in bytes.
pub(super) fn extent(rows: usize, row_stride: usize, columns: usize, column_stride: usize) -> Result<usize> {
    let last = |n: usize, stride: usize| n.saturating_sub(1).checked_mul(stride);
    let reach = match (last(rows, row_stride), last(columns, column_stride)) {
        (Some(a), Some(b)) => a.checked_add(b).and_then(|sum| sum.checked_add(1)),
        _ => None,
    };
    reach
        .filter(|n| isize::try_from(*n).is_ok())
        .ok_or_else(|| Error::argument("rows, columns and strides reach beyond what memory can hold"))
}

/// A panel from bytes, 0 or 1 for each allele and HAPLOOM_MISSING_ALLELE for a missing one, which
/// are copied.
///
/// The allele of haplotype h at site s is at `alleles[h * haplotype_stride + s * site_stride]`,
/// strides in bytes: rows of haplotypes have strides (sites, 1), rows of sites (1, haplotypes), and
/// more where rows are padded. `sites` and `samples` stay yours; the panel has as many sites as
/// `sites`. `samples` NULL makes diploid people sample_0, ...
/// On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
/// Errors: INVALID_ARGUMENT (also for another byte: the text names haplotype and site), EMPTY,
/// OUT_OF_MEMORY. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_from_bytes(
    sites: Option<&haploom_sites>,
    samples: Option<&haploom_samples>,
    alleles: *const u8,
    haplotypes: usize,
    haplotype_stride: usize,
    site_stride: usize,
    panel: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        let out = Out::new(panel, "panel")?;
        let sites = sites_of(sites)?;
        if haplotypes == 0 {
            return Err(Error::new(ErrorKind::Empty, "there are no haplotypes"));
        }
        let reach = extent(haplotypes, haplotype_stride, sites.len(), site_stride)?;
        let alleles = array(alleles, reach, "alleles")?;
        check_haplotypes(samples, haplotypes)?;
        let planes = from_bytes(haplotypes, sites.len(), alleles, haplotype_stride, site_stride);
        let (bits, missing) = planes.map_err(|failed| match failed {
            NotPacked::Failed(error) => error,
            NotPacked::Byte { row: h, column: s } => {
                let byte = alleles[h * haplotype_stride + s * site_stride];
                let site = &sites[s];
                Error::argument(format!("the allele of haplotype {h} at site {s} is {byte}, not 0, 1 or 255"))
                    .site(&site.contig, site.position)
            }
        })?;
        let samples = samples_of(samples, haplotypes)?;
        out.give(haploom_panel::new(Panel::with_planes(sites, samples, bits, missing, None)?));
        Ok(())
    })
}

/// A panel from packed bits, which are copied: bit c of a row is bit c % 8 of its byte c / 8,
/// lowest bit first.
///
/// `layout` HAPLOOM_HAPLOTYPE_MAJOR: a row is a haplotype, `haplotypes` rows. HAPLOOM_SITE_MAJOR: a
/// row is a site. Rows are `stride` bytes apart, at least as many as their bits fill; bits past the
/// last column do not count. `sites` and `samples` as for haploom_panel_from_bytes().
/// Haplotype-major rows are copied at the speed of memory; site-major ones are transposed.
/// On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
/// Errors: INVALID_ARGUMENT, EMPTY, OUT_OF_MEMORY. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_from_bits(
    sites: Option<&haploom_sites>,
    samples: Option<&haploom_samples>,
    bits: *const u8,
    haplotypes: usize,
    stride: usize,
    layout: i32,
    panel: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        let out = Out::new(panel, "panel")?;
        let sites = sites_of(sites)?;
        if haplotypes == 0 {
            return Err(Error::new(ErrorKind::Empty, "there are no haplotypes"));
        }
        let (rows, columns) = shape(layout, haplotypes, sites.len())?;
        let width = check_stride(stride, columns)?;
        check_haplotypes(samples, haplotypes)?;
        let bytes = array(bits, extent(rows, stride, width, 1)?, "bits")?;
        let bits = from_rows(rows, columns, |r| &bytes[r * stride..][..width])?;
        let bits = if layout == HAPLOOM_SITE_MAJOR { bits.transpose()? } else { bits };
        let samples = samples_of(samples, haplotypes)?;
        out.give(haploom_panel::new(Panel::new(sites, samples, bits)?));
        Ok(())
    })
}

/// Rows and columns of a layout.
pub(super) fn shape(layout: i32, haplotypes: usize, sites: usize) -> Result<(usize, usize)> {
    match layout {
        HAPLOOM_HAPLOTYPE_MAJOR => Ok((haplotypes, sites)),
        HAPLOOM_SITE_MAJOR => Ok((sites, haplotypes)),
        _ => {
            Err(Error::argument(format!("layout is {layout}"))
                .remedy("give HAPLOOM_HAPLOTYPE_MAJOR or HAPLOOM_SITE_MAJOR"))
        }
    }
}

/// The bytes that `columns` bits fill; the stride has to be as large.
fn check_stride(stride: usize, columns: usize) -> Result<usize> {
    let width = bytes_for(columns);
    match stride >= width {
        true => Ok(width),
        false => Err(Error::argument(format!("stride is {stride}, and {columns} bits fill {width} bytes"))),
    }
}

/// Frees a panel; NULL is fine. What was made of it (models, selections) does not need it any more.
/// One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_free(panel: *mut haploom_panel) {
    free(panel);
}

/// Number of haplotypes; 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_haplotypes(panel: Option<&haploom_panel>) -> usize {
    answer(0, || Ok(panel_of(panel, "panel")?.haplotypes()))
}

/// The sites of a panel, in order. They belong to the panel and end with it; NULL for NULL.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_sites(panel: Option<&haploom_panel>) -> *const haploom_sites {
    answer(std::ptr::null(), || {
        let handle = required(panel, "panel")?;
        Ok(std::ptr::from_ref(handle.sites.get_or_init(|| haploom_sites::new(handle.panel.sites()))))
    })
}

/// The samples of a panel, in order. They belong to the panel and end with it; NULL for NULL.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_samples(panel: Option<&haploom_panel>) -> *const haploom_samples {
    answer(std::ptr::null(), || {
        let handle = required(panel, "panel")?;
        Ok(std::ptr::from_ref(handle.samples.get_or_init(|| haploom_samples::new(handle.panel.samples()))))
    })
}

fn ones(plane: Option<&BitMatrix>) -> usize {
    plane.map_or(0, |plane| plane.words().iter().map(|word| word.count_ones() as usize).sum())
}

/// Number of missing alleles; 0 for NULL. A panel with any is not complete: training and evaluation
/// refuse it. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_missing(panel: Option<&haploom_panel>) -> usize {
    answer(0, || Ok(ones(panel_of(panel, "panel")?.missing())))
}

/// Number of unphased heterozygous genotypes; 0 for NULL. A panel with any is not complete.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_unphased(panel: Option<&haploom_panel>) -> usize {
    answer(0, || Ok(ones(panel_of(panel, "panel")?.unphased())))
}

fn range(first: usize, count: usize, of: usize, name: &str) -> Result<Range<usize>> {
    match first.checked_add(count).filter(|end| *end <= of) {
        Some(end) => Ok(first..end),
        None => {
            Err(Error::argument(format!("{count} {name} from number {first} on are not there: the panel has {of}")))
        }
    }
}

/// Copies a window of alleles into bytes: 0, 1, or HAPLOOM_MISSING_ALLELE.
///
/// The window is `haplotypes` haplotypes from number `first_haplotype` and `sites` sites from
/// number `first_site`. The allele of its haplotype h at its site s goes to `buffer[h *
/// haplotype_stride + s * site_stride]`; other bytes stay as they are. `size` is the size of
/// `buffer` in bytes.
/// Errors: INVALID_ARGUMENT for a window that is not inside the panel, a buffer that is too small
/// (the text says what is needed), or strides that map two alleles to one byte; OUT_OF_MEMORY.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_to_bytes(
    panel: Option<&haploom_panel>,
    first_haplotype: usize,
    haplotypes: usize,
    first_site: usize,
    sites: usize,
    buffer: *mut u8,
    size: usize,
    haplotype_stride: usize,
    site_stride: usize,
) -> haploom_status {
    guard(|| {
        let panel = panel_of(panel, "panel")?;
        let rows = range(first_haplotype, haplotypes, panel.haplotypes(), "haplotypes")?;
        let columns = range(first_site, sites, panel.sites().len(), "sites")?;
        if rows.is_empty() || columns.is_empty() {
            return Ok(());
        }
        let reach = extent(haplotypes, haplotype_stride, sites, site_stride)?;
        check_size(size, reach)?;
        // Alleles do not meet if one stride steps over all that the other covers.
        let apart = |inner: usize, n: usize, outer: usize| (inner > 0 || n == 1) && outer > (n - 1) * inner;
        let single = haplotypes == 1 || sites == 1;
        let apart = match single {
            true => (haplotypes == 1 || haplotype_stride > 0) && (sites == 1 || site_stride > 0),
            false => apart(site_stride, sites, haplotype_stride) || apart(haplotype_stride, haplotypes, site_stride),
        };
        if !apart {
            return Err(Error::argument(format!(
                "strides {haplotype_stride} and {site_stride} map two alleles to one byte"
            )));
        }
        let buffer = array_mut(buffer, reach, "buffer")?;
        let alleles = panel.bits().window(rows.clone(), columns.clone())?;
        match haplotype_stride == 1 && site_stride != 1 {
            true => to_bytes(&alleles.transpose()?, buffer, site_stride, 1),
            false => to_bytes(&alleles, buffer, haplotype_stride, site_stride),
        }
        if let Some(missing) = panel.missing() {
            let missing = missing.window(rows, columns)?;
            for h in 0..haplotypes {
                for s in (0..sites).filter(|s| missing.get(h, *s)) {
                    buffer[h * haplotype_stride + s * site_stride] = MISSING;
                }
            }
        }
        Ok(())
    })
}

pub(super) fn check_size(size: usize, needed: usize) -> Result<()> {
    match size >= needed {
        true => Ok(()),
        false => Err(Error::argument(format!("the buffer has {size} bytes, and {needed} are needed"))),
    }
}

/// Copies a window of alleles into packed bits, rows `stride` bytes apart, as
/// haploom_panel_from_bits() takes them.
///
/// The bits after the last column of a row's last byte become 0; bytes between rows stay as they
/// are. `size` is the size of `buffer` in bytes.
/// Errors: INVALID_ARGUMENT for a window that is not inside the panel, or a buffer or stride that
/// is too small; MISSING if an allele of the window is missing, which bits cannot say;
/// OUT_OF_MEMORY. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_to_bits(
    panel: Option<&haploom_panel>,
    first_haplotype: usize,
    haplotypes: usize,
    first_site: usize,
    sites: usize,
    buffer: *mut u8,
    size: usize,
    stride: usize,
    layout: i32,
) -> haploom_status {
    guard(|| {
        let panel = panel_of(panel, "panel")?;
        let rows = range(first_haplotype, haplotypes, panel.haplotypes(), "haplotypes")?;
        let columns = range(first_site, sites, panel.sites().len(), "sites")?;
        let (buffer_rows, buffer_columns) = shape(layout, haplotypes, sites)?;
        let width = check_stride(stride, buffer_columns)?;
        if rows.is_empty() || columns.is_empty() {
            return Ok(());
        }
        let reach = extent(buffer_rows, stride, width, 1)?;
        check_size(size, reach)?;
        let buffer = array_mut(buffer, reach, "buffer")?;
        if let Some(plane) = panel.missing()
            && plane.window(rows.clone(), columns.clone())?.any()
        {
            return Err(Error::new(ErrorKind::Missing, "an allele of the window is missing, which bits cannot say")
                .remedy("take bytes, or read the file with missing=reference, frequency or drop-site"));
        }
        let window = panel.bits().window(rows, columns)?;
        let window = if layout == HAPLOOM_SITE_MAJOR { window.transpose()? } else { window };
        to_rows(&window, buffer, stride);
        Ok(())
    })
}

/// The frequency of the alternate allele at each site, 0 to 1, missing alleles left out; `n` is the
/// number of sites.
/// Errors: INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_frequencies(
    panel: Option<&haploom_panel>,
    frequencies: *mut f64,
    n: usize,
) -> haploom_status {
    guard(|| {
        let panel = panel_of(panel, "panel")?;
        if n != panel.sites().len() {
            return Err(Error::argument(format!("n is {n}, and the panel has {} sites", panel.sites().len())));
        }
        array_mut(frequencies, n, "frequencies")?.copy_from_slice(&panel.frequencies());
        Ok(())
    })
}

/// Copies out the SHA-256 of a panel's haplotypes, 64 hexadecimal digits, as haploom_last_error()
/// does: equal haplotypes have equal ones. Returns its length, 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_fingerprint(
    panel: Option<&haploom_panel>,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    answer(0, || Ok(copy_text(&panel_of(panel, "panel")?.fingerprint(), buffer, capacity)))
}

/// The part of a panel that the options `region`, `samples` and `samples_file` name, as a new
/// panel.
/// On success `*selected` is a handle that you free with haploom_panel_free(); else it is NULL.
/// Errors: REGION, EMPTY, UNKNOWN_NAME, IO, OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION,
/// INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_select(
    panel: Option<&haploom_panel>,
    options: Option<&haploom_options>,
    selected: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        let out = Out::new(selected, "selected")?;
        let mut panel = panel_of(panel, "panel")?.clone();
        let options = options_for(options, &[Reader::Select, Reader::Region])?;
        if let Some(region) = options.given("region") {
            panel = panel.in_region(&region.parse()?)?;
        }
        if let Some(selection) = Selection::from_options(&options)? {
            panel = panel.select_samples(&panel.samples().find(&selection.names, selection.exclude)?)?;
        }
        out.give(haploom_panel::new(panel));
        Ok(())
    })
}

/// The same haplotypes with other samples: other names, ploidy or labels.
/// On success `*renamed` is a handle that you free with haploom_panel_free(); else it is NULL.
/// Errors: INVALID_ARGUMENT if their numbers of haplotypes differ; OUT_OF_MEMORY. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_with_samples(
    panel: Option<&haploom_panel>,
    samples: Option<&haploom_samples>,
    renamed: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        let out = Out::new(renamed, "renamed")?;
        let panel = panel_of(panel, "panel")?;
        let samples = &required(samples, "samples")?.samples;
        out.give(haploom_panel::new(panel.with_samples(samples.clone())?));
        Ok(())
    })
}

/// A panel of the people of `panel`, then those of `other`: a reference panel and artificial
/// people, say. Both have the same sites in the same order.
/// On success `*both` is a handle that you free with haploom_panel_free(); else it is NULL.
/// Errors: NO_OVERLAP, naming the first site that differs; DUPLICATE for a name that both have;
/// OUT_OF_MEMORY; INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_append(
    panel: Option<&haploom_panel>,
    other: Option<&haploom_panel>,
    both: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        let out = Out::new(both, "both")?;
        let (panel, other) = (panel_of(panel, "panel")?, panel_of(other, "other")?);
        out.give(haploom_panel::new(panel.append(other)?));
        Ok(())
    })
}

/// Writes a panel to a file, whole or not at all; "-" is standard output. The name says the format
/// (.vcf, .vcf.gz, .bcf, .hap[.gz], .hapt[.gz], .pgen) unless the option `format` does; VCF.gz and
/// BCF get an index.
///
/// Options: group `writing`. VCF and BCF report steps in records.
/// Errors: IO, UNKNOWN_FORMAT; MISSING or UNPHASED where the format cannot hold them; EMPTY;
/// CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION, INVALID_ARGUMENT (also for names that
/// the format cannot hold). Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_panel_write(
    panel: Option<&haploom_panel>,
    path: *const c_char,
    options: Option<&haploom_options>,
) -> haploom_status {
    guard(|| {
        let panel = panel_of(panel, "panel")?;
        let file = self::path(path, "path")?;
        let writing = WriteOptions::from_options(&options_for(options, &[Reader::Write])?)?;
        watched(options, |progress| io::write_panel_watched(file, panel, &writing, progress))
    })
}
