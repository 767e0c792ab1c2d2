//! How close artificial haplotypes are to real ones, and how much of these leaks.

use super::handle::{Out, c_string, copy_text, free, put, required, text};
use super::options::{haploom_options, options_for, watched};
use super::panel::{haploom_panel, panel_of};
use super::status::{answer, guard, haploom_status};
use crate::error::{Error, ErrorKind};
use crate::evaluate::{EvaluateOptions, Evaluation, Measure, evaluate};
use crate::options::Reader;
use std::ffi::{CString, c_char};

/// The numbers of an evaluation. Immutable.
pub struct haploom_evaluation {
    evaluation: Evaluation,
    names: Vec<CString>,
    titles: Vec<CString>,
    notes: Vec<CString>,
}

/// § Evaluation
///
/// Compares artificial haplotypes with the real ones that a model learned from, at the sites that
/// the panels share.
///
/// `held_out` (may be NULL): people that the model was not trained on. With them each number has
/// its floor, the same number between real people, and the privacy loss is measured. Shares of
/// populations are compared if all real people have labels.
/// Options: group `evaluation`. It reports steps in metrics.
/// On success `*evaluation` is a handle that you free with haploom_evaluation_free(); else it is
/// NULL.
/// Errors: MISSING, UNPHASED, EMPTY; NO_OVERLAP, CONTIG_MISMATCH, ALLELE_MISMATCH; CANCELLED;
/// OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_evaluate(
    real: Option<&haploom_panel>,
    artificial: Option<&haploom_panel>,
    held_out: Option<&haploom_panel>,
    options: Option<&haploom_options>,
    evaluation: *mut *mut haploom_evaluation,
) -> haploom_status {
    guard(|| {
        let out = Out::new(evaluation, "evaluation")?;
        let (real, artificial) = (panel_of(real, "real")?, panel_of(artificial, "artificial")?);
        let held_out = held_out.map(|handle| &handle.panel);
        let settings = EvaluateOptions::from_options(&options_for(options, &[Reader::Evaluate])?)?;
        let evaluation = watched(options, |progress| evaluate(real, artificial, held_out, &settings, progress))?;
        let texts = |of: fn(&Measure) -> &str| evaluation.measures.iter().map(|m| c_string(of(m))).collect();
        out.give(haploom_evaluation {
            names: texts(|m| &m.name),
            titles: texts(|m| &m.title),
            notes: texts(|m| m.note.as_deref().unwrap_or_default()),
            evaluation,
        });
        Ok(())
    })
}

/// Frees an evaluation; NULL is fine. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_evaluation_free(evaluation: *mut haploom_evaluation) {
    free(evaluation);
}

/// How many numbers there are; 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_evaluation_count(evaluation: Option<&haploom_evaluation>) -> usize {
    answer(0, || Ok(required(evaluation, "evaluation")?.evaluation.measures.len()))
}

/// Number `i` (from 0) of an evaluation: its name ("ld_r", "aa_truth", "privacy_loss", ...), which
/// does not change between versions; its title in words; what else to know of it ("" for nothing).
/// Each output pointer may be NULL. The texts live as long as the evaluation. Errors:
/// INVALID_ARGUMENT past the last one. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_evaluation_describe(
    evaluation: Option<&haploom_evaluation>,
    i: usize,
    name: *mut *const c_char,
    title: *mut *const c_char,
    note: *mut *const c_char,
) -> haploom_status {
    guard(|| {
        let handle = required(evaluation, "evaluation")?;
        let n = handle.names.len();
        if i >= n {
            return Err(Error::argument(format!("there are {n} numbers, and none is number {i}")));
        }
        put(name, handle.names[i].as_ptr());
        put(title, handle.titles[i].as_ptr());
        put(note, handle.notes[i].as_ptr());
        Ok(())
    })
}

/// A number by its name: its value; its floor, the same number between real and held-out people;
/// the best that can be; and its standard deviation over draws. Each is NaN where it is not
/// defined, and each output pointer may be NULL.
/// Errors: UNKNOWN_NAME (the text lists the names); INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_evaluation_get(
    evaluation: Option<&haploom_evaluation>,
    name: *const c_char,
    value: *mut f64,
    floor: *mut f64,
    best: *mut f64,
    deviation: *mut f64,
) -> haploom_status {
    guard(|| {
        let evaluation = &required(evaluation, "evaluation")?.evaluation;
        let name = text(name, "name")?;
        let measure = evaluation.measure(name).ok_or_else(|| {
            let names: Vec<&str> = evaluation.measures.iter().map(|m| m.name.as_str()).collect();
            Error::new(ErrorKind::UnknownName, format!("there is no number '{name}'"))
                .remedy(format!("there are {}", names.join(", ")))
        })?;
        let number = |x: Option<f64>| x.unwrap_or(f64::NAN);
        put(value, number(measure.value));
        put(floor, number(measure.floor));
        put(best, number(measure.best));
        put(deviation, number(measure.sd));
        Ok(())
    })
}

/// Copies out an evaluation as JSON, as haploom_last_error() does. Returns its length, 0 for NULL.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_evaluation_json(
    evaluation: Option<&haploom_evaluation>,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    answer(0, || {
        let handle = required(evaluation, "evaluation")?;
        Ok(copy_text(&format!("{:#}\n", handle.evaluation.to_json()), buffer, capacity))
    })
}

/// Copies out an evaluation as a table for people to read, as haploom_last_error() does. Returns
/// its length, 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_evaluation_table(
    evaluation: Option<&haploom_evaluation>,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    answer(0, || {
        let handle = required(evaluation, "evaluation")?;
        Ok(copy_text(&handle.evaluation.to_table(), buffer, capacity))
    })
}

/// The sizes of an evaluation: real and artificial haplotypes; held-out ones that the floors are
/// taken from (at most as many as there are artificial ones, 0 without held-out people); and the
/// sites that all panels share. Each output pointer may be NULL. Errors: INVALID_ARGUMENT.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_evaluation_sizes(
    evaluation: Option<&haploom_evaluation>,
    real: *mut usize,
    artificial: *mut usize,
    held_out: *mut usize,
    sites: *mut usize,
) -> haploom_status {
    guard(|| {
        let evaluation = &required(evaluation, "evaluation")?.evaluation;
        put(real, evaluation.real);
        put(artificial, evaluation.artificial);
        put(held_out, evaluation.held_out.unwrap_or(0));
        put(sites, evaluation.sites);
        Ok(())
    })
}
