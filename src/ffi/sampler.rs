//! Streams of artificial haplotypes.

use super::handle::{Out, array_mut, free, path, put, required, shared};
use super::model::haploom_model;
use super::options::{cancel_of, haploom_options, options_for, watched};
use super::panel::{check_size, extent, haploom_panel};
use super::sites::haploom_sites;
use super::status::{answer, guard, haploom_status};
use crate::error::{Error, ErrorKind, Result};
use crate::io::{self, WriteOptions};
use crate::options::Reader;
use crate::panel::packing::{bytes_for, to_bytes, to_rows};
use crate::sample::{SampleSettings, Sampler};
use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A stream of artificial haplotypes. One thread at a time may use it.
pub struct haploom_sampler {
    /// IDLE, BUSY or POISONED: what is behind `sampler` is touched by the one call that made it
    /// BUSY.
    state: AtomicU8,
    sampler: UnsafeCell<Sampler>,
    /// The sampler's position when it was last idle.
    position: AtomicU64,
    sites: haploom_sites,
    end: u64,
    site_major: bool,
    bits: bool,
}

const IDLE: u8 = 0;
const BUSY: u8 = 1;
const POISONED: u8 = 2;

/// A call at work on a sampler. If it ends by a panic, the sampler is of no more use.
struct Work<'a> {
    handle: &'a haploom_sampler,
    left_whole: bool,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.handle.state.store(if self.left_whole { IDLE } else { POISONED }, Ordering::Release);
    }
}

/// Does something with a sampler that nobody else uses. Where it fails the stream goes back to
/// where it was.
pub(super) fn with<T>(
    sampler: *mut haploom_sampler,
    work: impl FnOnce(&haploom_sampler, &mut Sampler) -> Result<T>,
) -> Result<T> {
    let handle = shared(sampler, "sampler")?;
    match handle.state.compare_exchange(IDLE, BUSY, Ordering::Acquire, Ordering::Relaxed) {
        Ok(_) => {}
        Err(POISONED) => {
            return Err(Error::new(ErrorKind::Internal, "the sampler failed by a defect before")
                .remedy("free it, and make another one"));
        }
        Err(_) => {
            return Err(Error::argument("the sampler is in use by another call")
                .remedy("make a sampler for each thread, and leave it alone in its own progress function"));
        }
    }
    let mut at_work = Work { handle, left_whole: false };
    // SAFETY: the state was IDLE and is BUSY now, so this call alone looks behind the cell until it is IDLE again.
    let sampler = unsafe { &mut *handle.sampler.get() };
    let first = sampler.position();
    let done = work(handle, sampler);
    if done.is_err() {
        sampler.seek(first);
    }
    handle.position.store(sampler.position(), Ordering::Relaxed);
    at_work.left_whole = true;
    done
}

impl haploom_sampler {
    /// Rows and columns of a buffer for so many haplotypes.
    fn shape(&self, haplotypes: usize) -> (usize, usize) {
        let sites = self.sites.sites.len();
        if self.site_major { (sites, haplotypes) } else { (haplotypes, sites) }
    }

    /// Bytes that a row of `columns` alleles fills.
    fn width(&self, columns: usize) -> usize {
        if self.bits { bytes_for(columns) } else { columns }
    }
}

/// § Sampling
///
/// A stream of a model's haplotypes, from number 0 on. Haplotype number i is a function of the
/// model, the seed, the label, the start panel, the options of group `sampling` and i: the same
/// bytes for any threads, buffers, regions and seeks.
///
/// A model that knows labels (haploom_model_label()) makes them in their shares, both haplotypes of
/// a person from one. The option `label` asks for one, "EUR"; or for several with the haplotypes of
/// each, "EUR=500,EAS=500": 500 of EUR, then 500 of EAS, and the stream ends. Haplotypes of a label
/// are numbered from 0 on in it, and number i is the same alone and in any such plan.
///
/// `start` (may be NULL): haplotypes that the chains of an RBM start from; haplotype i starts from
/// number i modulo their number. They should be samples that were not used in training.
/// Options: groups `sampling` (for an RBM alone), `stream` and `region`; their cancel handle stops
/// every call of the sampler. The model and the start panel may be freed before the sampler.
/// On success `*sampler` is a handle that you free with haploom_sampler_free(); else it is NULL.
/// Errors: REGION (also for a contig that the model does not have), EMPTY (no site of the model in
/// the region), UNKNOWN_NAME (a label), INVALID_OPTION (also for labels that do not parse), NO_OVERLAP, CONTIG_MISMATCH or ALLELE_MISMATCH (a start
/// panel that lacks sites), MISSING, UNPHASED, OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_new(
    model: Option<&haploom_model>,
    start: Option<&haploom_panel>,
    options: Option<&haploom_options>,
    sampler: *mut *mut haploom_sampler,
) -> haploom_status {
    guard(|| {
        let given = options;
        let out = Out::new(sampler, "sampler")?;
        let model = required(model, "model")?.model.clone();
        let options = options_for(options, &[Reader::Sample, Reader::Stream, Reader::Region])?;
        let mut settings = SampleSettings::from_options(&options)?;
        settings.start = start.map(|start| start.panel.clone());
        settings.cancel = cancel_of(given);
        let sampler = Sampler::new(model, &settings)?;
        let last = sampler.end();
        out.give(haploom_sampler {
            state: AtomicU8::new(IDLE),
            position: AtomicU64::new(0),
            sites: haploom_sites::new(sampler.sites()),
            sampler: UnsafeCell::new(sampler),
            end: match options.whole("haplotypes") as u64 {
                0 => last,
                end => end.min(last),
            },
            site_major: options.text("layout") == "sites",
            bits: options.text("packing") == "bits",
        });
        Ok(())
    })
}

/// Frees a sampler; NULL is fine. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_free(sampler: *mut haploom_sampler) {
    free(sampler);
}

/// The sites of the haplotypes, in order: those of the model inside the region. They belong to the
/// sampler and end with it; NULL for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_sites(sampler: *const haploom_sampler) -> *const haploom_sites {
    answer(std::ptr::null(), || Ok(std::ptr::from_ref(&shared(sampler, "sampler")?.sites)))
}

/// The number of the haplotype at which the stream ends: as many as the option `label` asks for, or
/// 2^48; fewer by the option `haplotypes`. 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_end(sampler: *const haploom_sampler) -> u64 {
    answer(0, || Ok(shared(sampler, "sampler")?.end))
}

/// The number of the next haplotype; 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_position(sampler: *const haploom_sampler) -> u64 {
    answer(0, || Ok(shared(sampler, "sampler")?.position.load(Ordering::Relaxed)))
}

/// Goes to haplotype number `i`: the next one is it, as if the stream had been read up to there.
/// Errors: INVALID_ARGUMENT past the end of the stream. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_seek(sampler: *mut haploom_sampler, i: u64) -> haploom_status {
    guard(|| {
        with(sampler, |handle, sampler| {
            if i > handle.end {
                return Err(Error::argument(format!(
                    "the stream ends at haplotype {}, and {i} is past it",
                    handle.end
                )));
            }
            sampler.seek(i);
            Ok(())
        })
    })
}

/// Bytes of a buffer that takes `haplotypes` haplotypes at once in the stream's layout and packing,
/// without gaps between rows; 0 for NULL and where a size_t cannot say it. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_buffer_size(sampler: *const haploom_sampler, haplotypes: usize) -> usize {
    answer(0, || {
        let handle = shared(sampler, "sampler")?;
        let (rows, columns) = handle.shape(haplotypes);
        let size = rows.checked_mul(handle.width(columns));
        size.ok_or_else(|| Error::argument(format!("{haplotypes} haplotypes do not fit in memory")))
    })
}

/// Fills a buffer with the next haplotypes, as many as fit whole; `*haplotypes` becomes their
/// number, 0 at the stream's end.
///
/// `layout` haplotypes (the default): a row is a haplotype, rows follow each other without gaps;
/// with `packing` bytes (the default) a row is a byte for each site, 0 or 1; with `packing` bits it
/// is (sites + 7) / 8 bytes, lowest bit first, the bits after the last site 0. `layout` sites: a
/// row is a site, and rows are size / sites bytes apart (rounded down), so a row has room for that
/// many haplotypes as bytes, 8 times as many as bits; what is past the last haplotype becomes 0.
/// `size` is the size of `buffer` in bytes. For a given number of haplotypes, or rows further
/// apart, take haploom_sampler_fill().
/// Errors: INVALID_ARGUMENT, also for a buffer that takes no haplotype; CANCELLED by the flag of
/// the options that the sampler was made with; OUT_OF_MEMORY, those of devices. The stream stays where it was then.
/// One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_next(
    sampler: *mut haploom_sampler,
    buffer: *mut u8,
    size: usize,
    haplotypes: *mut usize,
) -> haploom_status {
    guard(|| {
        put(haplotypes, 0);
        let n = with(sampler, |handle, sampler| {
            let sites = handle.sites.sites.len();
            let (stride, room) = match handle.site_major {
                true => (size / sites, size / sites * if handle.bits { 8 } else { 1 }),
                false => (handle.width(sites), size / handle.width(sites)),
            };
            let n = room.min(left(handle, sampler));
            if left(handle, sampler) > 0 && room == 0 {
                let needed = if handle.site_major { sites } else { stride };
                return Err(Error::argument(format!("the buffer has {size} bytes, and a haplotype needs {needed}")));
            }
            required_place(haplotypes)?;
            let buffer = array_mut(buffer, if n > 0 { size } else { 0 }, "buffer")?;
            if handle.site_major {
                buffer.fill(0);
            }
            fill(handle, sampler, n, buffer, stride)?;
            Ok(n)
        })?;
        put(haplotypes, n);
        Ok(())
    })
}

/// Puts the next `haplotypes` haplotypes into a buffer, rows `stride` bytes apart (0: without
/// gaps), in the stream's layout and packing; fewer at the stream's end. `*filled` becomes their
/// number. Bytes between rows stay as they are: the buffer may be a part of a larger matrix, such
/// as the columns behind those of real haplotypes. With packing bits, the bits after the last
/// column of a row's last byte become 0.
///
/// `size` is the size of `buffer` in bytes, counted from its first row to the end of its last one.
/// Errors: INVALID_ARGUMENT for a stride that is smaller than a row or a buffer that is too small
/// (the text says what is needed); CANCELLED by the flag of the options that the sampler was made
/// with; OUT_OF_MEMORY, those of devices. The stream stays where it was then. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_fill(
    sampler: *mut haploom_sampler,
    haplotypes: usize,
    buffer: *mut u8,
    size: usize,
    stride: usize,
    filled: *mut usize,
) -> haploom_status {
    guard(|| {
        put(filled, 0);
        let n = with(sampler, |handle, sampler| {
            let n = haplotypes.min(left(handle, sampler));
            let (rows, columns) = handle.shape(n);
            let width = handle.width(columns);
            let stride = if stride == 0 { width } else { stride };
            if stride < width {
                return Err(Error::argument(format!("stride is {stride}, and a row fills {width} bytes")));
            }
            required_place(filled)?;
            if n == 0 {
                return Ok(0);
            }
            let reach = extent(rows, stride, width, 1)?;
            check_size(size, reach)?;
            fill(handle, sampler, n, array_mut(buffer, reach, "buffer")?, stride)?;
            Ok(n)
        })?;
        put(filled, n);
        Ok(())
    })
}

/// The place for the number of haplotypes has to be there: without it a caller would not know what
/// is in the buffer.
fn required_place(place: *mut usize) -> Result<()> {
    match place.is_null() {
        true => Err(Error::argument("the place for the number of haplotypes is NULL")),
        false => Ok(()),
    }
}

/// Haplotypes up to the stream's end.
fn left(handle: &haploom_sampler, sampler: &Sampler) -> usize {
    usize::try_from(handle.end.saturating_sub(sampler.position())).unwrap_or(usize::MAX)
}

fn fill(handle: &haploom_sampler, sampler: &mut Sampler, n: usize, buffer: &mut [u8], stride: usize) -> Result<()> {
    // What is made between two writes to the caller's buffer: a multiple of 8, so that bits of sites begin at bytes.
    let portion = 4 * sampler.portion();
    for first in (0..n).step_by(portion) {
        let made = sampler.next((n - first).min(portion))?;
        match (handle.site_major, handle.bits) {
            (false, true) => to_rows(&made, &mut buffer[first * stride..], stride),
            (false, false) => to_bytes(&made, &mut buffer[first * stride..], stride, 1),
            (true, true) => to_rows(&made.transpose()?, &mut buffer[first / 8..], stride),
            (true, false) => to_bytes(&made.transpose()?, &mut buffer[first..], stride, 1),
        }
    }
    Ok(())
}

/// The next `haplotypes` haplotypes as a panel of people PREFIX_j, whose haplotypes are numbers 2j
/// and 2j + 1.
///
/// `haplotypes` is even, and the stream stands at an even number; of each label that the option
/// `label` counts, an even number is asked for. People of a model that knows labels have theirs.
/// Options: group `artificial people`. The option `haplotypes` of the stream does not matter here.
/// On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
/// Errors: INVALID_ARGUMENT for haplotypes that do not pair into people, and for more than `label`
/// asks for; CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION. The stream stays where it was then. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_panel(
    sampler: *mut haploom_sampler,
    haplotypes: usize,
    options: Option<&haploom_options>,
    panel: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        let out = Out::new(panel, "panel")?;
        let people = with(sampler, |_, sampler| {
            let settings = options_for(options, &[Reader::People])?;
            watched(options, |progress| sampler.people(haplotypes, settings.text("prefix"), progress))
        })?;
        out.give(haploom_panel::new(people.into_panel()?));
        Ok(())
    })
}

/// Writes the next `haplotypes` haplotypes to a file, whole or not at all, as `haploom sample`
/// does: people as for haploom_sampler_panel(), with model, seed and numbers in the header of VCF
/// and BCF. Formats as for haploom_panel_write().
///
/// Options: groups `artificial people` and `writing`.
/// Errors: INVALID_ARGUMENT unless haplotypes pair into people; IO, UNKNOWN_FORMAT; CANCELLED;
/// OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_OPTION. The stream stays where it was then.
/// One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_write(
    sampler: *mut haploom_sampler,
    haplotypes: usize,
    path: *const c_char,
    options: Option<&haploom_options>,
) -> haploom_status {
    guard(|| {
        let file = self::path(path, "path")?;
        with(sampler, |_, sampler| {
            let settings = options_for(options, &[Reader::People, Reader::Write])?;
            let writing = WriteOptions::from_options(&settings)?;
            if writing.format.is_none() {
                // Asked before the work, so that it does not fail at its end.
                io::Format::from_name(file)?;
            }
            watched(options, |progress| {
                let people = sampler.people(haplotypes, settings.text("prefix"), progress)?;
                let writing = WriteOptions { header_lines: people.header_lines.clone(), group: "AG".into(), ..writing };
                io::write_panel_watched(file, &people.into_panel()?, &writing, progress)
            })
        })
    })
}
