//! Imputation.

use super::handle::{Out, array, array_mut, free, path, required};
use super::model::haploom_model;
use super::options::{haploom_options, options_for, watched};
use super::panel::{haploom_panel, panel_of};
use super::sites::haploom_sites;
use super::status::{answer, guard, haploom_status};
use crate::error::Error;
use crate::impute::painting::paint_file;
use crate::impute::{ImputeFileOptions, ImputeReport, ImputeSettings, Imputer, Typed, impute_file};
use crate::io::Format;
use crate::options::Reader;
use crate::progress::{Event, Progress};
use crate::threads::Threads;
use std::ffi::c_char;

/// What untyped sites are imputed from: a panel, a model, or both. Immutable.
pub struct haploom_imputer {
    imputer: Imputer,
    sites: haploom_sites,
}

/// § Imputation
///
/// Makes ready to impute. With a panel alone: by the copying model of Li and Stephens over its
/// haplotypes, with rates estimated from the panel. With a model alone: from what the model knows
/// (no reference genome is read). With both: from the panel and from artificial haplotypes that the
/// model makes now, which count as much as the targets tell, and nothing where they do not help.
/// One of `panel` and `model` may be NULL.
///
/// Options: groups `genetic map` (with a panel), `copying model` and `imputation`. Panel and model
/// may be freed before the imputer. On success `*imputer` is a handle that you free with
/// haploom_imputer_free(); else it is NULL.
/// Errors: EMPTY, MISSING, UNPHASED (the panel); NO_OVERLAP, CONTIG_MISMATCH or ALLELE_MISMATCH (the
/// model has no site of the panel, or the map not its contigs); IO, UNKNOWN_FORMAT, MALFORMED,
/// UNSORTED, TRUNCATED (the map); CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT (also
/// for a kind of model that does not impute). Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_imputer_new(
    panel: Option<&haploom_panel>,
    model: Option<&haploom_model>,
    options: Option<&haploom_options>,
    imputer: *mut *mut haploom_imputer,
) -> haploom_status {
    guard(|| {
        let out = Out::new(imputer, "imputer")?;
        let settings = options_for(options, &[Reader::Map, Reader::Copying, Reader::Impute])?;
        let settings = ImputeSettings::from_options(&settings)?;
        let imputer = watched(options, |progress| {
            let imputer = match (panel, model) {
                (None, None) => return Err(Error::argument("panel and model are NULL").remedy("give one of them")),
                (None, Some(model)) => Imputer::from_model(&model.model, settings)?,
                (panel, None) => Imputer::from_panel(panel_of(panel, "panel")?, settings)?,
                (panel, Some(model)) => {
                    Imputer::from_both(panel_of(panel, "panel")?, &model.model, settings, progress)?
                }
            };
            imputer.notices().iter().for_each(|notice| progress.notice(notice));
            Ok(imputer)
        })?;
        out.give(haploom_imputer { sites: haploom_sites::new(imputer.sites()), imputer });
        Ok(())
    })
}

/// Frees an imputer; NULL is fine. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_imputer_free(imputer: *mut haploom_imputer) {
    free(imputer);
}

/// The sites that are imputed, in order: those of the panel, or of the model. They belong to the
/// imputer and end with it; NULL for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_imputer_sites(imputer: Option<&haploom_imputer>) -> *const haploom_sites {
    answer(std::ptr::null(), || Ok(std::ptr::from_ref(&required(imputer, "imputer")?.sites)))
}

/// Imputes haplotypes in memory, for a tool that does its own reading and writing.
///
/// `typed`: the numbers of the `typed_count` typed sites among haploom_imputer_sites(), rising.
/// `alleles`: 0 or 1 for each haplotype and typed site, -1 where it is missing; haplotype h has its
/// allele of typed site t at `alleles[h * stride + t]`, so `stride` is at least `typed_count`.
/// `dosages`: takes haplotypes x sites numbers, a row a haplotype: the expected number of alternate
/// alleles, 0 to 1, at every site, typed ones too (there as likely as the model finds them).
/// `left_out` (may be NULL): takes haplotypes x typed_count numbers, the same at typed sites from
/// all other typed sites alone, NaN where an allele is missing.
///
/// Without artificial haplotypes, and but for the random numbers of an RBM's chains, a haplotype's
/// numbers do not depend on the others of the call. Rates are estimated at each call: one call for
/// many haplotypes is faster than many calls. Events HAPLOOM_EVENT_MEASURED "effective_size",
/// "error" and "artificial_weight" tell what was estimated.
///
/// Options: group `every call`. Errors: CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT
/// (also for other alleles, and for typed sites that do not rise). Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_imputer_impute(
    imputer: Option<&haploom_imputer>,
    alleles: *const i8,
    haplotypes: usize,
    stride: usize,
    typed: *const usize,
    typed_count: usize,
    dosages: *mut f32,
    left_out: *mut f32,
    options: Option<&haploom_options>,
) -> haploom_status {
    guard(|| {
        let imputer = &required(imputer, "imputer")?.imputer;
        let threads = Threads::new(options_for(options, &[])?.whole("threads"));
        let too_many =
            || Error::argument(format!("{haplotypes} haplotypes x {stride} alleles exceed the address space"));
        if stride < typed_count {
            return Err(Error::argument(format!("stride is {stride} for {typed_count} typed sites")));
        }
        // The last row need not be padded.
        let length = match haplotypes.checked_sub(1) {
            Some(rows) if typed_count > 0 => {
                rows.checked_mul(stride).and_then(|n| n.checked_add(typed_count)).ok_or_else(too_many)?
            }
            _ => 0,
        };
        let alleles = array(alleles, length, "alleles")?;
        let typed = array(typed, typed_count, "typed")?.to_vec();
        let sites = imputer.sites().len();
        let dosages = array_mut(dosages, haplotypes.checked_mul(sites).ok_or_else(too_many)?, "dosages")?;
        let size = haplotypes.checked_mul(typed_count).ok_or_else(too_many)?;
        let mut unwanted = Vec::new();
        let left_out = match left_out.is_null() {
            false => array_mut(left_out, size, "left_out")?,
            true => {
                unwanted.try_reserve_exact(size).map_err(|_| too_many())?;
                unwanted.resize(size, 0.0);
                &mut unwanted
            }
        };
        let typed = Typed::from_alleles(typed, alleles, haplotypes, stride)?;
        watched(options, |progress| {
            let fitted = imputer.fit(&typed, &threads, progress)?;
            let report = ImputeReport { rates: fitted.rates(), weight: fitted.weight(), ..ImputeReport::default() };
            tell_estimates(&report, haplotypes, progress);
            fitted.impute_all(&typed, dosages, left_out, progress)
        })
    })
}

/// Imputes a file of phased people, `target` (VCF, VCF.gz, BCF or another format of panels; - is
/// standard input), and writes VCF or BCF, `output` (- is standard output), with GT:DS:HDS:GP, and in
/// INFO AF, MAF, R2, INFO, at typed sites ER2, and TYPED, IMPUTED or TYPED_ONLY.
///
/// Missing alleles are imputed, haploid people stay haploid, sites that the target alone has are
/// passed through. Sites with other alleles, or exchanged ones, are never turned round: a notice
/// counts them, option `report` lists them. At the end come events HAPLOOM_EVENT_MEASURED "people",
/// "typed", "imputed", "typed_only", "missing", "left_out_r2" (mean ER2), and where they were
/// estimated "effective_size", "error" and "artificial_weight".
///
/// Options: groups `imputation of files`, `region` and `writing`. Errors: those of
/// haploom_panel_open() for the target, UNPHASED among them; NO_OVERLAP, CONTIG_MISMATCH (option
/// contigs=match takes chr15 and 15 as one) or ALLELE_MISMATCH; EMPTY, REGION; IO, UNKNOWN_FORMAT;
/// CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_OPTION. The output is as it was then.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_imputer_impute_file(
    imputer: Option<&haploom_imputer>,
    target: *const c_char,
    output: *const c_char,
    options: Option<&haploom_options>,
) -> haploom_status {
    guard(|| {
        let imputer = &required(imputer, "imputer")?.imputer;
        let (target, output) = (path(target, "target")?, path(output, "output")?);
        let settings = options_for(options, &[Reader::ImputeFile, Reader::Region, Reader::Write])?;
        let settings = ImputeFileOptions::from_options(&settings)?;
        if settings.output.format.is_none() {
            Format::from_name(output)?;
        }
        watched(options, |progress| {
            let report = impute_file(imputer, target, output, &settings, progress)?;
            let counts = [
                ("people", report.people as u64),
                ("typed", report.typed as u64),
                ("imputed", report.imputed as u64),
                ("typed_only", report.typed_only as u64),
                ("missing", report.missing),
            ];
            let step = counts[1..4].iter().map(|(_, n)| n).sum();
            counts.iter().for_each(|(name, n)| progress.report(Event::Measured { name, step, value: *n as f64 }));
            if report.left_out_r2.is_finite() {
                progress.report(Event::Measured { name: "left_out_r2", step, value: report.left_out_r2 });
            }
            tell_estimates(&report, report.people, progress);
            report.notices.into_iter().for_each(|notice| progress.notice(notice));
            Ok(())
        })
    })
}

fn tell_estimates(report: &ImputeReport, step: usize, progress: &mut Progress) {
    let rates = report.rates;
    let told = [
        ("effective_size", rates.map(|r| r.effective_size)),
        ("error", rates.map(|r| r.error)),
        ("artificial_weight", report.weight),
    ];
    for (name, value) in told {
        value.into_iter().for_each(|value| progress.report(Event::Measured { name, step: step as u64, value }));
    }
}

/// Tells for each haplotype of a file of phased people from whom each stretch was most likely
/// copied, for an imputer made of a panel alone, and writes a table, tab-separated, with a header:
/// sample, haplotype (1 or 2), contig, positions of the first and the last typed site, the donor's
/// sample, haplotype and label (.), typed sites, and those at which both differ. - is standard input
/// or output. An event HAPLOOM_EVENT_MEASURED "stretches" comes at the end.
///
/// Options: group `imputation of files` (`contigs` alone has a meaning).
/// Errors: as haploom_imputer_impute_file(); INVALID_ARGUMENT for an imputer with a model. The
/// output is as it was then. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_imputer_paint_file(
    imputer: Option<&haploom_imputer>,
    target: *const c_char,
    output: *const c_char,
    options: Option<&haploom_options>,
) -> haploom_status {
    guard(|| {
        let imputer = &required(imputer, "imputer")?.imputer;
        let (target, output) = (path(target, "target")?, path(output, "output")?);
        let settings = options_for(options, &[Reader::ImputeFile])?;
        watched(options, |progress| {
            let threads = Threads::new(settings.whole("threads"));
            let matched = settings.text("contigs") == "match";
            let painting = paint_file(imputer, target, output, matched, &threads, progress)?;
            let value = painting.stretches.len() as f64;
            progress.report(Event::Measured { name: "stretches", step: 0, value });
            painting.notices.into_iter().for_each(|notice| progress.notice(notice));
            Ok(())
        })
    })
}
