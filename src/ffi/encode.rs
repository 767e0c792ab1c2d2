//! Haplotypes in the latent space of a model.

use super::handle::{Out, free, required};
use super::model::haploom_model;
use super::options::{haploom_options, options_for, watched};
use super::panel::{haploom_panel, panel_of};
use super::status::{answer, guard, haploom_status};
use crate::compute::DeviceChoice;
use crate::models::encode::{Encoding, encode};
use crate::options::Reader;
use crate::threads::Threads;

/// Haplotypes in the latent space of an RBM or of a variational autoencoder. Immutable.
pub struct haploom_encoding {
    encoding: Encoding,
    haplotypes: usize,
}

/// § Encoding
///
/// Encodes the haplotypes of a panel, which has to have all sites of the model. An RBM: means of the
/// hidden units, and their projections on the leading right singular vectors of the weights. A
/// variational autoencoder (vae): means of the latent numbers, which take the place of hidden units
/// in what follows, and their projections, from the mean of the latent distribution that the model
/// draws from, on its leading principal axes. Sites that only the panel has are left out.
///
/// Options: group `encoding`. On success `*encoding` is a handle that you free with
/// haploom_encoding_free(); else it is NULL. Errors: NO_OVERLAP, CONTIG_MISMATCH, ALLELE_MISMATCH,
/// EMPTY, MISSING, UNPHASED; CANCELLED; OUT_OF_MEMORY, those of devices, UNKNOWN_OPTION, INVALID_ARGUMENT (also for a
/// model without hidden units or an encoder). Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_encode(
    model: Option<&haploom_model>,
    panel: Option<&haploom_panel>,
    options: Option<&haploom_options>,
    encoding: *mut *mut haploom_encoding,
) -> haploom_status {
    guard(|| {
        let out = Out::new(encoding, "encoding")?;
        let model = &required(model, "model")?.model;
        let panel = panel_of(panel, "panel")?;
        let settings = options_for(options, &[Reader::Encode])?;
        let encoding = watched(options, |progress| {
            let (bits, differences) = model.haplotypes_of(panel, "panel")?;
            differences.into_iter().for_each(|difference| progress.notice(difference));
            let choice: DeviceChoice = settings.text("device").parse()?;
            let device = choice.open(&Threads::new(settings.whole("threads")))?;
            encode(model, &bits, settings.whole("components"), &device, progress)
        })?;
        out.give(haploom_encoding { encoding, haplotypes: panel.haplotypes() });
        Ok(())
    })
}

/// Frees an encoding; NULL is fine. One thread at a time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_encoding_free(encoding: *mut haploom_encoding) {
    free(encoding);
}

/// Number of haplotypes; 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_encoding_haplotypes(encoding: Option<&haploom_encoding>) -> usize {
    answer(0, || Ok(required(encoding, "encoding")?.haplotypes))
}

/// Number of hidden units; 0 for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_encoding_hidden_units(encoding: Option<&haploom_encoding>) -> usize {
    answer(0, || Ok(required(encoding, "encoding")?.encoding.hidden_units))
}

/// Number of components: `components` of the options, or as many as there are if these are fewer; 0
/// for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_encoding_components(encoding: Option<&haploom_encoding>) -> usize {
    answer(0, || Ok(required(encoding, "encoding")?.encoding.components))
}

/// Means of the hidden units, haplotypes x hidden units, a row a haplotype: 0 to 1, at least 0 for
/// ReLU units, any number for a vae. They belong to the encoding and end with it; NULL for NULL. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_encoding_hidden(encoding: Option<&haploom_encoding>) -> *const f32 {
    answer(std::ptr::null(), || Ok(required(encoding, "encoding")?.encoding.hidden.as_ptr()))
}

/// Projections, haplotypes x components, a row a haplotype, the component of the largest singular
/// value first. They belong to the encoding and end with it; NULL for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_encoding_projections(encoding: Option<&haploom_encoding>) -> *const f32 {
    answer(std::ptr::null(), || Ok(required(encoding, "encoding")?.encoding.projections.as_ptr()))
}

/// Singular values of the weights, or standard deviations of a vae's latent distribution along its
/// axes, one for each component, in decreasing order. They belong to the
/// encoding and end with it; NULL for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn haploom_encoding_singular_values(encoding: Option<&haploom_encoding>) -> *const f64 {
    answer(std::ptr::null(), || Ok(required(encoding, "encoding")?.encoding.singular_values.as_ptr()))
}
