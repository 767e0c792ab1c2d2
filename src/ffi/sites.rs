//! Sites and samples: what they are called.

use super::handle::{Out, array, free, put, required, text};
use super::status::{answer, guard, haploom_status};
use crate::error::{Error, ErrorKind, Result};
use crate::panel::samples::{Sample, Samples};
use crate::panel::sites::{Site, Sites};
use std::ffi::c_char;
use std::sync::{Arc, OnceLock};

/// Biallelic sites in order: contig, position, identifier, reference and alternate allele.
/// Immutable.
pub struct haploom_sites {
    pub(super) sites: Sites,
    texts: OnceLock<Texts>,
}

/// The people of a panel in order: name, ploidy, label. Haplotypes follow each other person by
/// person. Immutable.
pub struct haploom_samples {
    pub(super) samples: Samples,
    texts: OnceLock<Texts>,
}

/// Texts with a 0 at the end of each, made when the first one is asked for.
struct Texts {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Texts {
    fn new<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Result<Self> {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        let (count, size) = texts.clone().fold((0, 0), |(count, size), text| (count + 1, size + text.len() + 1));
        if bytes.try_reserve_exact(size).is_err() || starts.try_reserve_exact(count).is_err() {
            return Err(Error::new(ErrorKind::OutOfMemory, format!("no memory for {count} texts")));
        }
        for text in texts {
            starts.push(bytes.len());
            bytes.extend(text.bytes().filter(|b| *b != 0));
            bytes.push(0);
        }
        Ok(Texts { bytes, starts })
    }

    /// Those of a handle, made if they are not there yet.
    fn of<'a, 'b>(cell: &'b OnceLock<Self>, texts: impl Iterator<Item = &'a str> + Clone) -> Result<&'b Self> {
        if let Some(made) = cell.get() {
            return Ok(made);
        }
        let made = Texts::new(texts)?;
        Ok(cell.get_or_init(|| made))
    }

    fn get(&self, i: usize) -> *const c_char {
        self.bytes[self.starts[i]..].as_ptr().cast()
    }
}

impl haploom_sites {
    pub(super) fn new(sites: &Sites) -> Self {
        haploom_sites { sites: sites.clone(), texts: OnceLock::new() }
    }
}

impl haploom_samples {
    pub(super) fn new(samples: &Samples) -> Self {
        haploom_samples { samples: samples.clone(), texts: OnceLock::new() }
    }
}

/// A text of an array, which may be NULL where `optional`.
fn element<'a>(texts: &[*const c_char], i: usize, name: &str, optional: bool) -> Result<&'a str> {
    match texts.get(i) {
        Some(pointer) if !pointer.is_null() => {
            text(*pointer, name).map_err(|_| Error::argument(format!("{name}[{i}] is not UTF-8")))
        }
        _ if optional => Ok(""),
        _ => Err(Error::argument(format!("{name}[{i}] is NULL"))),
    }
}

/// § Sites and samples
///
/// Sites from arrays of `n` elements: contigs; positions of the first base of the reference allele,
/// from 1; identifiers (NULL as a whole or in an element for none); reference alleles; alternate
/// alleles. Everything is copied.
///
/// Contigs come in runs, positions do not fall within a contig, and no variant comes twice.
/// On success `*sites` is a handle that you free with haploom_sites_free(); else it is NULL.
/// Errors: UNSORTED, DUPLICATE (the text names the site by its number from 1), EMPTY for n = 0,
/// INVALID_ARGUMENT for NULL or empty texts, position 0 and alleles that are equal. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sites_new(
    n: usize,
    contigs: *const *const c_char,
    positions: *const u64,
    ids: *const *const c_char,
    references: *const *const c_char,
    alternates: *const *const c_char,
    sites: *mut *mut haploom_sites,
) -> haploom_status {
    guard(|| {
        let out = Out::new(sites, "sites")?;
        if n == 0 {
            return Err(Error::new(ErrorKind::Empty, "there are no sites"));
        }
        let contigs = array(contigs, n, "contigs")?;
        let positions = array(positions, n, "positions")?;
        let ids = if ids.is_null() { &[] } else { array(ids, n, "ids")? };
        let references = array(references, n, "references")?;
        let alternates = array(alternates, n, "alternates")?;
        let mut all: Vec<Site> = Vec::new();
        all.try_reserve_exact(n).map_err(|_| Error::new(ErrorKind::OutOfMemory, format!("no memory for {n} sites")))?;
        for (i, position) in positions.iter().enumerate() {
            let name = element(contigs, i, "contigs", false)?;
            let contig: Arc<str> = match all.last() {
                Some(previous) if &*previous.contig == name => previous.contig.clone(),
                _ => name.into(),
            };
            let site = Site {
                contig,
                position: *position,
                id: element(ids, i, "ids", true)?.into(),
                reference: element(references, i, "references", false)?.into(),
                alternate: element(alternates, i, "alternates", false)?.into(),
            };
            let at = |what: &str| Error::argument(what).record(i as u64 + 1).site(&site.contig, site.position);
            if site.contig.is_empty() || site.reference.is_empty() || site.alternate.is_empty() {
                return Err(at("a contig or an allele is empty"));
            }
            if site.position == 0 {
                return Err(at("the position is 0: positions count from 1"));
            }
            if site.reference == site.alternate {
                return Err(at("the two alleles are equal"));
            }
            all.push(site);
        }
        out.give(haploom_sites::new(&Sites::new(all)?));
        Ok(())
    })
}

/// Frees sites that haploom_sites_new() made; NULL is fine. Sites that a panel, a model or a
/// sampler shows are not freed: they end with it. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sites_free(sites: *mut haploom_sites) {
    free(sites);
}

/// How many sites there are; 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sites_count(sites: Option<&haploom_sites>) -> usize {
    answer(0, || Ok(required(sites, "sites")?.sites.len()))
}

/// The number of the site with this contig, position, reference and alternate allele, from 0;
/// SIZE_MAX if there is none (see haploom_last_status()). Takes time in proportion to the number of
/// sites. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sites_find(
    sites: Option<&haploom_sites>,
    contig: *const c_char,
    position: u64,
    reference: *const c_char,
    alternate: *const c_char,
) -> usize {
    answer(usize::MAX, || {
        let sites = &required(sites, "sites")?.sites;
        let contig = text(contig, "contig")?;
        let alleles = [text(reference, "reference")?, text(alternate, "alternate")?];
        let is = |s: &Site| s.position == position && &*s.contig == contig && [&*s.reference, &*s.alternate] == alleles;
        let none = || Error::new(ErrorKind::UnknownName, "there is no such site").site(contig, position);
        sites.iter().position(is).ok_or_else(none)
    })
}

/// Site number `i` (from 0). Each output pointer may be NULL. The texts live as long as `sites`; an
/// absent identifier is "".
/// Errors: INVALID_ARGUMENT past the last one. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_sites_get(
    sites: Option<&haploom_sites>,
    i: usize,
    contig: *mut *const c_char,
    position: *mut u64,
    id: *mut *const c_char,
    reference: *mut *const c_char,
    alternate: *mut *const c_char,
) -> haploom_status {
    guard(|| {
        let handle = required(sites, "sites")?;
        let sites = &handle.sites;
        if i >= sites.len() {
            return Err(Error::argument(format!("there are {} sites, and none is number {i}", sites.len())));
        }
        put(position, sites[i].position);
        if [contig, id, reference, alternate].iter().any(|place| !place.is_null()) {
            let all = sites.iter().flat_map(|s| [&*s.contig, &*s.id, &*s.reference, &*s.alternate]);
            let texts = Texts::of(&handle.texts, all)?;
            for (k, place) in [contig, id, reference, alternate].into_iter().enumerate() {
                put(place, texts.get(4 * i + k));
            }
        }
        Ok(())
    })
}

/// Samples from arrays of `n` elements: names, which differ; ploidy, 1 or 2 (NULL: all 2); labels
/// such as super-populations (NULL as a whole or in an element for none). Everything is copied.
///
/// On success `*samples` is a handle that you free with haploom_samples_free(); else it is NULL.
/// Errors: DUPLICATE, PLOIDY (the text names the sample), EMPTY for n = 0, OUT_OF_MEMORY,
/// INVALID_ARGUMENT (also for an empty name). Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_samples_new(
    n: usize,
    names: *const *const c_char,
    ploidy: *const u8,
    labels: *const *const c_char,
    samples: *mut *mut haploom_samples,
) -> haploom_status {
    guard(|| {
        let out = Out::new(samples, "samples")?;
        if n == 0 {
            return Err(Error::new(ErrorKind::Empty, "there are no samples"));
        }
        let names = array(names, n, "names")?;
        let ploidy = if ploidy.is_null() { &[] } else { array(ploidy, n, "ploidy")? };
        let labels = if labels.is_null() { &[] } else { array(labels, n, "labels")? };
        let mut all: Vec<Sample> = Vec::new();
        all.try_reserve_exact(n)
            .map_err(|_| Error::new(ErrorKind::OutOfMemory, format!("no memory for {n} samples")))?;
        for i in 0..n {
            let label = element(labels, i, "labels", true)?;
            if element(names, i, "names", false)?.is_empty() {
                return Err(Error::argument(format!("names[{i}] is empty")));
            }
            all.push(Sample {
                name: element(names, i, "names", false)?.to_string(),
                ploidy: ploidy.get(i).copied().unwrap_or(2),
                label: (!label.is_empty()).then(|| label.to_string()),
            });
        }
        out.give(haploom_samples::new(&Samples::new(all)?));
        Ok(())
    })
}

/// Frees samples that haploom_samples_new() made; NULL is fine. Samples that a panel shows are not
/// freed. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_samples_free(samples: *mut haploom_samples) {
    free(samples);
}

/// How many samples there are; 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_samples_count(samples: Option<&haploom_samples>) -> usize {
    answer(0, || Ok(required(samples, "samples")?.samples.len()))
}

/// Sample number `i` (from 0): its name, its ploidy (1 or 2), its label (NULL if it has none) and
/// the number of its first haplotype. Each output pointer may be NULL. The texts live as long as
/// `samples`.
/// Errors: INVALID_ARGUMENT past the last one. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_samples_get(
    samples: Option<&haploom_samples>,
    i: usize,
    name: *mut *const c_char,
    ploidy: *mut u8,
    label: *mut *const c_char,
    first_haplotype: *mut usize,
) -> haploom_status {
    guard(|| {
        let handle = required(samples, "samples")?;
        let samples = &handle.samples;
        let Some(sample) = samples.as_slice().get(i) else {
            return Err(Error::argument(format!("there are {} samples, and none is number {i}", samples.len())));
        };
        let all = samples.iter().flat_map(|s| [s.name.as_str(), s.label.as_deref().unwrap_or_default()]);
        let texts = Texts::of(&handle.texts, all)?;
        put(name, texts.get(2 * i));
        put(ploidy, sample.ploidy);
        put(label, sample.label.as_ref().map_or(std::ptr::null(), |_| texts.get(2 * i + 1)));
        put(first_haplotype, samples.haplotypes_of(i).start);
        Ok(())
    })
}

/// The number of the sample called `name`, from 0; SIZE_MAX if there is none (see
/// haploom_last_status()). Takes time in proportion to their number. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_samples_find(samples: Option<&haploom_samples>, name: *const c_char) -> usize {
    answer(usize::MAX, || {
        let samples = required(samples, "samples")?;
        let name = text(name, "name")?;
        let found = samples.samples.iter().position(|sample| sample.name == name);
        found.ok_or_else(|| Error::new(ErrorKind::UnknownName, "there is no such sample").sample(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn texts_end_where_they_should() {
        let texts = Texts::new(["a", "", "b\0c"].into_iter()).unwrap();
        // SAFETY: each text ends with a 0.
        let get = |i| unsafe { CStr::from_ptr(texts.get(i)) }.to_str().unwrap();
        assert_eq!([get(0), get(1), get(2)], ["a", "", "bc"]);
    }
}
