//! Augmentation of files.

use super::handle::path;
use super::options::{haploom_options, options_for, watched};
use super::sampler::{haploom_sampler, with};
use super::status::{guard, haploom_status};
use crate::error::Error;
use crate::io::{self, AugmentOptions, AugmentWith};
use crate::options::Reader;
use crate::progress::Event;
use std::ffi::c_char;

/// § Augmentation
///
/// Writes the records of a VCF or BCF file with artificial people appended, those of the sampler's
/// next `haplotypes` haplotypes, named as by haploom_sampler_panel(). `input` and `output` may be
/// "-". The records inside the sampler's region are passed through one by one; memory holds the
/// artificial alleles alone, sites x haplotypes / 8 bytes.
///
/// Artificial people have GT only, and . in other FORMAT fields. Of INFO, AC, AN and AF are counted
/// anew, keys that describe the site stay, and keys that describe the real people are dropped.
/// Records that the model does not have, or has with other alleles, are treated as the option
/// `outside` says. At the end come events HAPLOOM_EVENT_MEASURED "records", "written",
/// "real_people" and "artificial_people", and notices of what was dropped.
///
/// Options: groups `artificial people`, `augmentation` and `writing`.
/// Errors: those of haploom_panel_open() for damaged and unsorted files; INVALID_ARGUMENT unless
/// haplotypes pair into people; DUPLICATE if an artificial person has a real one's name;
/// CONTIG_MISMATCH, ALLELE_MISMATCH or NO_OVERLAP if no record matches; IO, UNKNOWN_FORMAT;
/// CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_OPTION. The output and the stream are as they
/// were before then; once the output is in its place nothing stops the call any more.
/// One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_augment(
    sampler: *mut haploom_sampler,
    haplotypes: usize,
    input: *const c_char,
    output: *const c_char,
    options: Option<&haploom_options>,
) -> haploom_status {
    guard(|| {
        let (input, output) = (path(input, "input")?, path(output, "output")?);
        with(sampler, |_, sampler| {
            let settings = options_for(options, &[Reader::People, Reader::Augment, Reader::Write])?;
            let mut augmenting = AugmentOptions::from_options(&settings)?;
            if augmenting.format.is_none() {
                io::Format::from_name(output)?;
            }
            if input.as_os_str() != "-" {
                // Tried before the work, so that a wrong name does not cost all of it.
                std::fs::File::open(input).map_err(|e| Error::io("open the file", input, &e))?;
            }
            watched(options, |progress| {
                let people = sampler.people(haplotypes, settings.text("prefix"), progress)?;
                augmenting.region = sampler.region().cloned();
                augmenting.header_lines = people.header_lines;
                let bits = people.bits.transpose()?;
                let with = AugmentWith { sites: &people.sites, bits: &bits, samples: &people.samples };
                let report = io::augment(input, output, &with, &augmenting, progress)?;
                let counts = [
                    ("records", report.records),
                    ("written", report.written),
                    ("real_people", report.people.0 as u64),
                    ("artificial_people", report.people.1 as u64),
                ];
                for (name, count) in counts {
                    progress.report(Event::Measured { name, step: report.records, value: count as f64 });
                }
                report.notices(augmenting.outside).into_iter().for_each(|notice| progress.notice(notice));
                Ok(())
            })
        })
    })
}
