//! The state of a run in a file: written beside and renamed, so that a crash leaves the last whole one.

use super::contrastive::{Settings, State};
use super::optimiser::Moments;
use crate::error::{Error, ErrorKind, Result};
use crate::io;
use crate::model_file::read_parameters;
use crate::model_file::tensors::{TensorReader, TensorWriter, contradiction};
use crate::models::mixture::Mixture;
use crate::models::rbm::Rbm;
use crate::panel::bits::BitMatrix;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const FORMAT: &str = "haploom-checkpoint";
/// A checkpoint is read by the version of its format alone.
const VERSION: u64 = 1;

/// The file in a checkpoint's folder. It holds chains fitted to people: it is for the one who trains, not for sharing.
pub fn file_in(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

/// Whether the folder's checkpoint was written since.
pub fn is_newer(folder: &Path, since: SystemTime) -> bool {
    std::fs::metadata(file_in(folder)).and_then(|file| file.modified()).is_ok_and(|written| written >= since)
}

/// Names of the three moments' tensors.
const PARAMETERS: [&str; 3] = ["W", "b", "c"];

/// Makes the folder of a checkpoint, and tries whether files can be made in it.
///
/// # Errors
/// `Io`.
pub fn prepare(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder of the checkpoint", folder, &e))?;
    io::require_writable(&file_in(folder))
}

/// Writes a checkpoint into `folder`, which is made if it is not there. `identity` names panel and options: a resumed
/// run has to have the same.
///
/// # Errors
/// `Io`.
pub fn save(folder: &Path, identity: &str, mixture: &Mixture, state: &State) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder of the checkpoint", folder, &e))?;
    let mut tensors = TensorWriter::new();
    let (sites, hidden) = (state.rbm.sites(), state.rbm.hidden_units());
    let mut machine = |prefix: &str, rbm: &Rbm| {
        tensors.f32(&format!("{prefix}.W"), &[sites, hidden], &rbm.weights);
        tensors.f32(&format!("{prefix}.b"), &[sites], &rbm.visible_bias);
        tensors.f32(&format!("{prefix}.c"), &[hidden], &rbm.hidden_bias);
    };
    machine("rbm", &state.rbm);
    for (r, rung) in state.rungs.iter().enumerate() {
        machine(&format!("rung.{r}"), rung);
    }
    for (name, moments) in PARAMETERS.iter().zip(&state.moments) {
        for (part, numbers) in [("first", &moments.first), ("second", &moments.second)] {
            let numbers = numbers.to_host()?;
            tensors.f32(&format!("moment.{name}.{part}"), &[numbers.len()], &numbers);
        }
    }
    tensors.f32("mixture.share", &[mixture.clusters()], &mixture.shares);
    tensors.f32("mixture.log_odds", &[mixture.log_odds.len()], &mixture.log_odds);
    tensors.u64("chains", &[state.chains.words().len()], state.chains.words());
    let none: &[u64] = &[];
    let rung_chains = state.rung_chains.as_ref().map_or(none, |c| c.words());
    tensors.u64("rung_chains", &[rung_chains.len()], rung_chains);
    let description = json!({
        "format": FORMAT,
        "version": VERSION,
        "identity": identity,
        "position": state.position,
        "update": state.update,
        "rate": state.rate,
        "chains": state.chains.rows(),
        "rungs": state.rungs.len(),
    });
    io::write_bytes(&file_in(folder), &tensors.finish(&description)?)
}

/// Reads the checkpoint of `folder`.
///
/// # Errors
/// `Io`, `ModelCorrupt`, or `CheckpointMismatch` if it was made from another panel or with other options.
pub fn open(folder: &Path, identity: &str, settings: &Settings, sites: usize) -> Result<(Mixture, State)> {
    let path = file_in(folder);
    let bytes = std::fs::read(&path).map_err(|e| {
        Error::io("read the checkpoint", &path, &e).remedy("leave out option resume=true to begin anew")
    })?;
    read(&bytes, identity, settings, sites).map_err(|e| e.file(&path))
}

fn read(bytes: &[u8], identity: &str, settings: &Settings, sites: usize) -> Result<(Mixture, State)> {
    let file = TensorReader::new(bytes)?;
    if file.json["format"] != FORMAT || file.json["version"] != VERSION {
        return Err(Error::new(ErrorKind::CheckpointMismatch, "this is no checkpoint of this version of haploom"));
    }
    let theirs = file.json_text("identity")?;
    if theirs != identity {
        return Err(Error::new(ErrorKind::CheckpointMismatch, "the checkpoint is of another run")
            .remedy(format!("it was made with {theirs}; this run is {identity}")));
    }
    let shape = [sites, settings.hidden_units];
    let machine = |prefix: &str| read_parameters(&file, prefix, settings.hidden, shape, false);
    let rbm = machine("rbm")?;
    let sizes = [rbm.weights.len(), rbm.sites(), rbm.hidden_units()];
    let moments = |i: usize| {
        let part = |part: &str| {
            let name = format!("moment.{}.{part}", PARAMETERS[i]);
            file.f32(&name, &[file.length(&name)?])
        };
        Moments::restore(settings.rule, sizes[i], part("first")?, part("second")?)
    };
    let clusters = file.length("mixture.share")?;
    if clusters == 0 {
        return Err(Error::new(ErrorKind::ModelCorrupt, "the checkpoint's mixture is empty"));
    }
    let mixture = Mixture {
        shares: file.f32("mixture.share", &[clusters])?,
        log_odds: file.f32("mixture.log_odds", &[clusters * sites])?,
    };
    let chains = |name: &str| BitMatrix::from_words(settings.chains, sites, file.u64(name, &[file.length(name)?])?);
    let rate = file.json["rate"].as_f64().filter(|r| (0.0..=10.0).contains(r));
    let state = State {
        rate: rate.ok_or_else(|| contradiction("the description lacks the size of a step"))?,
        moments: [moments(0)?, moments(1)?, moments(2)?],
        chains: chains("chains")?,
        position: file.json_whole("position")?,
        update: file.json_whole("update")?,
        rungs: (0..file.json_whole("rungs")?).map(|r| machine(&format!("rung.{r}"))).collect::<Result<_>>()?,
        rung_chains: if file.length("rung_chains")? > 0 { Some(chains("rung_chains")?) } else { None },
        rbm,
    };
    Ok((mixture, state))
}
