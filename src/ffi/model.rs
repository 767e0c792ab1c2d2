//! Training and models.

use super::handle::{Out, array, array_mut, c_string, free, path, put, required, text};
use super::options::{haploom_options, options_for, watched};
use super::panel::{haploom_panel, panel_of};
use super::sites::haploom_sites;
use super::status::{answer, guard, haploom_status};
use crate::error::{Error, Result};
use crate::model_file;
use crate::models::conditional::conditionals;
use crate::models::{Model, ModelKind};
use crate::options::Reader;
use crate::threads::Threads;
use crate::train::{TrainSettings, readers, train};
use std::ffi::{CStr, CString, c_char};
use std::sync::{Arc, OnceLock};

/// A trained generator of haplotypes, bound to the sites it was trained on. Immutable, so any
/// number of threads may use it at once.
pub struct haploom_model {
    pub(super) model: Arc<Model>,
    sites: OnceLock<haploom_sites>,
    /// Names and values, alternating.
    info: OnceLock<Vec<CString>>,
    labels: OnceLock<Vec<CString>>,
}

impl haploom_model {
    fn new(model: Model) -> Self {
        haploom_model { model: Arc::new(model), sites: OnceLock::new(), info: OnceLock::new(), labels: OnceLock::new() }
    }
}

fn model_of(model: Option<&haploom_model>) -> Result<&Arc<Model>> {
    required(model, "model").map(|handle| &handle.model)
}

/// § Training
///
/// Trains a model on a complete panel (phased, nothing missing).
///
/// `kind`: "rbm" (a restricted Boltzmann machine, for most uses), "markov" (windows of sites) or
/// "bernoulli" (frequencies alone). Options: groups `training`, `training, RBM` and `checkpoints`,
/// or `training, Markov`, by kind. The same panel, kind, options and seed give the same model for
/// any number of threads. It reports steps in updates, and what it measures.
///
/// With `checkpoint` a stopped training of an RBM leaves its state in that folder, whole, and the
/// same call with `resume` goes on from there and ends with the same model. A checkpoint contains
/// more of the panel than the model does.
/// On success `*model` is a handle that you free with haploom_model_free(); else it is NULL.
/// Errors: EMPTY, MISSING, UNPHASED; DIVERGED; CANCELLED; CHECKPOINT_MISMATCH, IO; OUT_OF_MEMORY, those of devices,
/// UNKNOWN_OPTION, INVALID_OPTION, INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_train(
    panel: Option<&haploom_panel>,
    kind: *const c_char,
    options: Option<&haploom_options>,
    model: *mut *mut haploom_model,
) -> haploom_status {
    guard(|| {
        let out = Out::new(model, "model")?;
        let panel = panel_of(panel, "panel")?;
        let name = text(kind, "kind")?;
        let kind = ModelKind::from_name(name).ok_or_else(|| {
            Error::argument(format!("there is no kind of model '{name}'"))
                .remedy(format!("choose one of {}", ModelKind::names()))
        })?;
        let mut groups = readers(kind).to_vec();
        if kind == ModelKind::Rbm {
            groups.push(Reader::Checkpoint);
        }
        let settings = options_for(options, &groups)?;
        let model = watched(options, |progress| {
            train(panel, kind, &settings, &TrainSettings::from_options(&settings)?, progress)
        })?;
        out.give(haploom_model::new(model));
        Ok(())
    })
}

/// § Models
///
/// Opens a model file (safetensors). On success `*model` is a handle that you free with
/// haploom_model_free(); else it is NULL. Errors: IO, NOT_A_MODEL, MODEL_TOO_OLD, MODEL_TOO_NEW,
/// MODEL_CORRUPT, OUT_OF_MEMORY, INVALID_ARGUMENT. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_open(path: *const c_char, model: *mut *mut haploom_model) -> haploom_status {
    guard(|| {
        let out = Out::new(model, "model")?;
        out.give(haploom_model::new(model_file::open(self::path(path, "path")?)?));
        Ok(())
    })
}

/// A model from the bytes of a model file in memory, which are copied. `*model` and errors as for
/// haploom_model_open(), without IO. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_from_bytes(
    bytes: *const u8,
    size: usize,
    model: *mut *mut haploom_model,
) -> haploom_status {
    guard(|| {
        let out = Out::new(model, "model")?;
        out.give(haploom_model::new(model_file::from_bytes(array(bytes, size, "bytes")?)?));
        Ok(())
    })
}

/// The bytes of a model's file. `*needed` (may be NULL) becomes their number; `buffer` takes them
/// if `capacity` is as large, and stays as it is for `buffer` NULL and `capacity` 0. The same model
/// gives the same bytes.
/// Errors: INVALID_ARGUMENT, also for a buffer that is too small; OUT_OF_MEMORY. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_to_bytes(
    model: Option<&haploom_model>,
    buffer: *mut u8,
    capacity: usize,
    needed: *mut usize,
) -> haploom_status {
    guard(|| {
        put(needed, 0);
        let bytes = model_file::to_bytes(model_of(model)?)?;
        put(needed, bytes.len());
        if buffer.is_null() && capacity == 0 {
            return Ok(());
        }
        if capacity < bytes.len() {
            return Err(Error::argument(format!("the buffer has {capacity} bytes, and {} are needed", bytes.len())));
        }
        array_mut(buffer, bytes.len(), "buffer")?.copy_from_slice(&bytes);
        Ok(())
    })
}

/// Writes a model to a file, whole or not at all. Errors: IO, OUT_OF_MEMORY, INVALID_ARGUMENT.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_save(model: Option<&haploom_model>, path: *const c_char) -> haploom_status {
    guard(|| model_file::save(model_of(model)?, self::path(path, "path")?))
}

/// Frees a model; NULL is fine. Samplers keep what they need of it. One thread at a time.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_free(model: *mut haploom_model) {
    free(model);
}

/// The kind of a model, as haploom_train() names it. Static text; NULL for NULL. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_kind(model: Option<&haploom_model>) -> *const c_char {
    const KINDS: [&CStr; 10] =
        [c"rbm", c"bernoulli", c"markov", c"copying", c"hmm", c"context", c"gan", c"wgan", c"vae", c"pca-gan"];
    answer(std::ptr::null(), || {
        let name = model_of(model)?.kind().name();
        Ok(KINDS.iter().find(|kind| kind.to_bytes() == name.as_bytes()).map_or(std::ptr::null(), |kind| kind.as_ptr()))
    })
}

/// The sites of a model, in order. They belong to the model and end with it; NULL for NULL.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_sites(model: Option<&haploom_model>) -> *const haploom_sites {
    answer(std::ptr::null(), || {
        let handle = required(model, "model")?;
        Ok(std::ptr::from_ref(handle.sites.get_or_init(|| haploom_sites::new(&handle.model.sites))))
    })
}

fn info(handle: &haploom_model) -> &[CString] {
    handle.info.get_or_init(|| {
        handle.model.describe().iter().flat_map(|(name, value)| [c_string(name), c_string(value)]).collect()
    })
}

/// How many entries a model's description has: its size, its training, what was measured, what it
/// may leak. 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_info_count(model: Option<&haploom_model>) -> usize {
    answer(0, || Ok(info(required(model, "model")?).len() / 2))
}

/// Entry `i` (from 0) of a model's description: its name and its value, for people to read. Each
/// output pointer may be NULL. The texts live as long as the model. Errors: INVALID_ARGUMENT past
/// the last one. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_info(
    model: Option<&haploom_model>,
    i: usize,
    name: *mut *const c_char,
    value: *mut *const c_char,
) -> haploom_status {
    guard(|| {
        let info = info(required(model, "model")?);
        if i >= info.len() / 2 {
            return Err(Error::argument(format!("there are {} entries, and none is number {i}", info.len() / 2)));
        }
        put(name, info[2 * i].as_ptr());
        put(value, info[2 * i + 1].as_ptr());
        Ok(())
    })
}

/// How many labels a model knows, such as populations, that haplotypes can be asked for by the
/// option `label` of haploom_sampler_new(): those of the training panel, for "gan" and "wgan". 0 for
/// other models and for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_label_count(model: Option<&haploom_model>) -> usize {
    answer(0, || Ok(model_of(model)?.labels().len()))
}

/// Label `i` (from 0) of a model, in alphabetical order. It lives as long as the model; NULL past
/// the last one and for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_label(model: Option<&haploom_model>, i: usize) -> *const c_char {
    answer(std::ptr::null(), || {
        let handle = required(model, "model")?;
        let names = || handle.model.labels().names.iter().map(|name| c_string(name)).collect();
        let labels = handle.labels.get_or_init(names);
        Ok(labels.get(i).map_or(std::ptr::null(), |name| name.as_ptr()))
    })
}

/// The share of the training haplotypes that have label `i`, from 0 to 1; all sum to 1. NaN past the
/// last one and for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_label_share(model: Option<&haploom_model>, i: usize) -> f64 {
    answer(f64::NAN, || Ok(model_of(model)?.labels().shares.get(i).copied().unwrap_or(f64::NAN)))
}

/// How well a model knows a panel: for each haplotype and each site of the model, the probability
/// of the alternate allele given all other alleles of the haplotype (of a Markov model: given those
/// in the window before it, which may make it 0 or 1; of a Bernoulli model: its frequency). Exact,
/// without sampling.
///
/// `probabilities` takes `n` numbers from 0 to 1, haplotypes of the panel x sites of the model, a
/// row a haplotype; n has to be their product. Options: none but `threads`.
/// Errors: NO_OVERLAP, CONTIG_MISMATCH or ALLELE_MISMATCH for a panel that lacks sites of the
/// model; EMPTY, MISSING, UNPHASED; CANCELLED; OUT_OF_MEMORY, UNKNOWN_OPTION, INVALID_ARGUMENT.
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_model_conditionals(
    model: Option<&haploom_model>,
    panel: Option<&haploom_panel>,
    options: Option<&haploom_options>,
    probabilities: *mut f32,
    n: usize,
) -> haploom_status {
    guard(|| {
        let model = model_of(model)?;
        let panel = panel_of(panel, "panel")?;
        let settings = options_for(options, &[])?;
        if panel.haplotypes().checked_mul(model.sites.len()) != Some(n) {
            return Err(Error::argument(format!(
                "n is {n}, and there are {} haplotypes x {} sites",
                panel.haplotypes(),
                model.sites.len()
            )));
        }
        let out = array_mut(probabilities, n, "probabilities")?;
        watched(options, |progress| {
            let (bits, differences) = model.haplotypes_of(panel, "panel")?;
            differences.into_iter().for_each(|difference| progress.notice(difference));
            conditionals(model, &bits, out, &Threads::new(settings.whole("threads")), progress)
        })
    })
}
