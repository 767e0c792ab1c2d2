//! Streams of artificial haplotypes.

use super::handle::{Out, array_mut, exclusive, free, path, put, required};
use super::model::haploom_model;
use super::options::{haploom_options, options_for, watched};
use super::panel::{haploom_panel, pack_bytes, unpack_rows};
use super::sites::haploom_sites;
use super::status::{answer, guard, haploom_status};
use crate::error::{Error, ErrorKind, Result};
use crate::io::{self, WriteOptions};
use crate::options::Reader;
use crate::panel::packing::bytes_for;
use crate::sample::{SampleSettings, Sampler};
use std::ffi::c_char;
use std::sync::OnceLock;

/// A stream of artificial haplotypes. One thread at a time may use it.
pub struct haploom_sampler {
    sampler: Sampler,
    sites: OnceLock<haploom_sites>,
    end: u64,
    site_major: bool,
    bits: bool,
    /// Whether a call that changes it ended in a panic.
    poisoned: bool,
}

impl haploom_sampler {
    /// Does something to the sampler; if that panics, the sampler is of no more use.
    pub(super) fn change<T>(&mut self, work: impl FnOnce(&mut Sampler) -> Result<T>) -> Result<T> {
        if self.poisoned {
            return Err(Error::new(ErrorKind::Internal, "the sampler failed by a defect before")
                .remedy("free it, and make another one"));
        }
        self.poisoned = true;
        let done = work(&mut self.sampler);
        self.poisoned = false;
        done
    }

    /// Bytes that a row of `columns` alleles fills.
    fn width(&self, columns: usize) -> usize {
        if self.bits { bytes_for(columns) } else { columns }
    }
}

/// § Sampling
///
/// A stream of a model's haplotypes, from number 0 on. Haplotype number i is a function of the model, the seed, the label,
/// the start panel, the options of group `sampling` and i: the same bytes for any threads, buffers, regions and seeks.
///
/// `start` (may be NULL): haplotypes that the chains of an RBM start from; haplotype i starts from number i modulo their
/// number. They should be people other than those the model was trained on.
/// Options: groups `sampling`, `stream` and `region`. The model and the start panel may be freed before the sampler.
/// On success `*sampler` is a handle that you free with haploom_sampler_free(); else it is NULL.
/// Errors: REGION (also for a contig that the model does not have), EMPTY (no site of the model in the region), UNKNOWN_NAME (a label), NO_OVERLAP, CONTIG_MISMATCH or
/// ALLELE_MISMATCH (a start panel that lacks sites), MISSING, UNPHASED, OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION,
/// INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_new(
    model: Option<&haploom_model>,
    start: Option<&haploom_panel>,
    options: Option<&haploom_options>,
    sampler: *mut *mut haploom_sampler,
) -> haploom_status {
    guard(|| {
        let out = Out::new(sampler, "sampler")?;
        let model = required(model, "model")?.model.clone();
        let options = options_for(options, &[Reader::Sample, Reader::Stream, Reader::Region])?;
        let mut settings = SampleSettings::from_options(&options)?;
        settings.start = start.map(|start| start.panel.clone());
        let last = 1 << 48;
        out.give(haploom_sampler {
            sampler: Sampler::new(model, &settings)?,
            sites: OnceLock::new(),
            end: match options.whole("haplotypes") as u64 {
                0 => last,
                end => end.min(last),
            },
            site_major: options.text("layout") == "sites",
            bits: options.text("packing") == "bits",
            poisoned: false,
        });
        Ok(())
    })
}

/// Frees a sampler; NULL is fine. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_free(sampler: *mut haploom_sampler) {
    free(sampler);
}

/// The sites of the haplotypes, in order: those of the model inside the region. They belong to the sampler and end with it;
/// NULL for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_sites(sampler: Option<&haploom_sampler>) -> *const haploom_sites {
    answer(std::ptr::null(), || {
        let handle = required(sampler, "sampler")?;
        Ok(std::ptr::from_ref(handle.sites.get_or_init(|| haploom_sites::new(handle.sampler.sites()))))
    })
}

/// The number of the next haplotype; 0 for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_position(sampler: Option<&haploom_sampler>) -> u64 {
    answer(0, || Ok(required(sampler, "sampler")?.sampler.position()))
}

/// Goes to haplotype number `i`: the next one is it, as if the stream had been read up to there.
/// Errors: INVALID_ARGUMENT past the end of the stream. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_seek(sampler: Option<&mut haploom_sampler>, i: u64) -> haploom_status {
    guard(|| {
        let handle = exclusive(sampler, "sampler")?;
        if i > handle.end {
            return Err(Error::argument(format!("the stream ends at haplotype {}, and {i} is past it", handle.end)));
        }
        handle.change(|sampler| {
            sampler.seek(i);
            Ok(())
        })
    })
}

/// Bytes of a buffer that takes `haplotypes` haplotypes at once in the stream's layout and packing; 0 for NULL and where a
/// size_t cannot say it. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_bytes(sampler: Option<&haploom_sampler>, haplotypes: usize) -> usize {
    answer(0, || {
        let handle = required(sampler, "sampler")?;
        let sites = handle.sampler.sites().len();
        let size = match handle.site_major {
            true => sites.checked_mul(handle.width(haplotypes)),
            false => haplotypes.checked_mul(handle.width(sites)),
        };
        size.ok_or_else(|| Error::argument(format!("{haplotypes} haplotypes do not fit in memory")))
    })
}

/// Fills a buffer with the next haplotypes, as many as fit whole; `*haplotypes` becomes their number, 0 at the stream's end.
///
/// `layout` haplotypes (the default): a row is a haplotype, rows follow each other without gaps; with `packing` bytes (the
/// default) a row is a byte for each site, 0 or 1; with `packing` bits it is (sites + 7) / 8 bytes, lowest bit first, the
/// bits after the last site 0. `layout` sites: a row is a site, and rows are size / sites bytes apart (rounded down), so a
/// row has room for that many haplotypes as bytes, 8 times as many as bits; what is past the last haplotype becomes 0.
/// `size` is the size of `buffer` in bytes; haploom_sampler_bytes() says what n haplotypes need.
/// Errors: INVALID_ARGUMENT, also for a buffer that takes no haplotype; OUT_OF_MEMORY; INTERNAL. The stream stays where it
/// was then. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_next(
    sampler: Option<&mut haploom_sampler>,
    buffer: *mut u8,
    size: usize,
    haplotypes: *mut usize,
) -> haploom_status {
    guard(|| {
        put(haplotypes, 0);
        let handle = exclusive(sampler, "sampler")?;
        let sites = handle.sampler.sites().len();
        let (stride, room) = match handle.site_major {
            true => (size / sites, size / sites * if handle.bits { 8 } else { 1 }),
            false => (handle.width(sites), size / handle.width(sites)),
        };
        let first = handle.sampler.position();
        let left = usize::try_from(handle.end - first.min(handle.end)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(());
        }
        if room == 0 {
            let needed = if handle.site_major { sites } else { stride };
            return Err(Error::argument(format!("the buffer has {size} bytes, and a haplotype needs {needed}")));
        }
        let n = room.min(left);
        let buffer = array_mut(buffer, size, "buffer")?;
        let (site_major, bits) = (handle.site_major, handle.bits);
        let done = handle.change(|sampler| fill(sampler, n, buffer, stride, site_major, bits));
        if done.is_err() {
            let _ = handle.change(|sampler| {
                sampler.seek(first);
                Ok(())
            });
        }
        done?;
        put(haplotypes, n);
        Ok(())
    })
}

/// Haplotypes made between two writes to the caller's buffer: a multiple of 8, and of the sampler's own batches.
const PORTION: usize = 1920;

fn fill(sampler: &mut Sampler, n: usize, buffer: &mut [u8], stride: usize, site_major: bool, bits: bool) -> Result<()> {
    if site_major {
        buffer.fill(0);
    }
    for first in (0..n).step_by(PORTION) {
        let made = sampler.next((n - first).min(PORTION))?;
        match (site_major, bits) {
            (false, true) => pack_bytes(&made, &mut buffer[first * stride..], stride),
            (false, false) => unpack_rows(&made, &mut buffer[first * stride..], stride, 1),
            (true, true) => pack_bytes(&made.transpose()?, &mut buffer[first / 8..], stride),
            (true, false) => unpack_rows(&made.transpose()?, &mut buffer[first..], stride, 1),
        }
    }
    Ok(())
}

/// The next `haplotypes` haplotypes as a panel of people PREFIX_j, whose haplotypes are numbers 2j and 2j + 1.
///
/// `haplotypes` is even, and the stream stands at an even number. Options: group `artificial people`. The stream's end does
/// not matter here.
/// On success `*panel` is a handle that you free with haploom_panel_free(); else it is NULL.
/// Errors: INVALID_ARGUMENT for haplotypes that do not pair into people; CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION; INTERNAL.
/// One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_panel(
    sampler: Option<&mut haploom_sampler>,
    haplotypes: usize,
    options: Option<&haploom_options>,
    panel: *mut *mut haploom_panel,
) -> haploom_status {
    guard(|| {
        let out = Out::new(panel, "panel")?;
        let handle = exclusive(sampler, "sampler")?;
        let settings = options_for(options, &[Reader::People])?;
        let people = watched(options, |progress| {
            handle.change(|sampler| sampler.people(haplotypes, settings.text("prefix"), progress))
        })?;
        out.give(haploom_panel::new(people.into_panel()?));
        Ok(())
    })
}

/// Writes the next `haplotypes` haplotypes to a file, whole or not at all, as `haploom sample` does: people as for
/// haploom_sampler_panel(), with model, seed and numbers in the header of VCF and BCF. Formats as for haploom_panel_write().
///
/// Options: groups `artificial people` and `writing`.
/// Errors: INVALID_ARGUMENT unless haplotypes pair into people; IO, UNKNOWN_FORMAT; CANCELLED; OUT_OF_MEMORY,
/// UNKNOWN_OPTION, INVALID_OPTION; INTERNAL. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sampler_write(
    sampler: Option<&mut haploom_sampler>,
    haplotypes: usize,
    path: *const c_char,
    options: Option<&haploom_options>,
) -> haploom_status {
    guard(|| {
        let handle = exclusive(sampler, "sampler")?;
        let file = self::path(path, "path")?;
        let settings = options_for(options, &[Reader::People, Reader::Write])?;
        let writing = WriteOptions::from_options(&settings)?;
        if writing.format.is_none() {
            // Asked before the work, so that it does not fail at its end.
            io::Format::from_name(file)?;
        }
        let people = watched(options, |progress| {
            handle.change(|sampler| sampler.people(haplotypes, settings.text("prefix"), progress))
        })?;
        let writing = WriteOptions { header_lines: people.header_lines.clone(), group: "AG".into(), ..writing };
        io::write_panel(file, &people.into_panel()?, &writing)
    })
}
