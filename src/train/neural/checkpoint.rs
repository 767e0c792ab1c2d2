//! The state of a run between two updates, in a file: training goes on from it to the same bits.

use super::super::checkpoint::file_in;
use super::{Best, Learner, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::io;
use crate::model_file::neural::write_network;
use crate::model_file::tensors::{TensorReader, TensorWriter, contradiction};
use crate::models::Output;
use crate::models::neural::{Clusters, Latent};
use crate::nn::Network;
use serde_json::{Value, json};
use std::path::Path;

const FORMAT: &str = "haploom-neural-checkpoint";
/// A checkpoint is read by the version of its format alone.
const VERSION: u64 = 1;

/// Writes a checkpoint beside, and renames it.
pub(super) fn save(folder: &Path, run: &Run, learner: &mut Learner) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder of the checkpoint", folder, &e))?;
    let mut tensors = TensorWriter::new();
    let (networks, optimisers) = learner.parts();
    let mut steps = Vec::new();
    for (name, network) in networks {
        write_network(&mut tensors, &format!("network.{name}"), &network.graph, &network.numbers);
    }
    for (name, optimiser) in optimisers {
        steps.push(json!([name, optimiser.steps]));
        for (moment, lists) in [("first", &optimiser.first), ("second", &optimiser.second)] {
            for (i, numbers) in lists.iter().enumerate() {
                tensors.f32(&format!("moment.{name}.{moment}.{i}"), &[numbers.len()], numbers);
            }
        }
    }
    let mut description = json!({
        "format": FORMAT,
        "version": VERSION,
        "identity": run.identity,
        "update": run.update,
        "stale": run.stale,
        "steps": steps,
        "log": run.log,
        "best": Value::Null,
    });
    if let Some(best) = &run.best {
        description["best"] = json!({
            "update": best.update,
            "distance": best.distance,
            "sharpness": best.output.sharpness,
            "lists": best.numbers.len(),
            "encoder": best.encoder.is_some(),
            "mixture": matches!(best.latent, Latent::Mixture(_)),
            "metrics": best.metrics.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
        });
        tensors.f32("best.bias", &[best.output.bias.len()], &best.output.bias);
        for (i, numbers) in best.numbers.iter().enumerate() {
            tensors.f32(&format!("best.{i}"), &[numbers.len()], numbers);
        }
        if let Some(encoder) = &best.encoder {
            write_network(&mut tensors, "best.encoder", &encoder.graph, &encoder.numbers);
        }
        if let Latent::Mixture(c) = &best.latent {
            tensors.f32("best.share", &[c.shares.len()], &c.shares);
            tensors.f32("best.mean", &[c.means.len()], &c.means);
            tensors.f32("best.root", &[c.roots.len()], &c.roots);
        }
    }
    io::write_bytes(&file_in(folder), &tensors.finish(&description)?)
}

/// The update of the checkpoint in a folder, if there is one.
pub(super) fn update_of(folder: &Path) -> Option<u64> {
    let bytes = std::fs::read(file_in(folder)).ok()?;
    TensorReader::new(&bytes).ok()?.json_whole("update").ok()
}

/// Takes a run up again where its checkpoint left it.
///
/// # Errors
/// `Io`, `ModelCorrupt`, or `CheckpointMismatch` if it was made from another panel or with other options.
pub(super) fn open(folder: &Path, run: &mut Run, learner: &mut Learner) -> Result<()> {
    let path = file_in(folder);
    let bytes = std::fs::read(&path).map_err(|e| {
        Error::io("read the checkpoint", &path, &e).remedy("leave out option resume=true to begin anew")
    })?;
    read(&bytes, run, learner).map_err(|e| e.file(&path))
}

fn read(bytes: &[u8], run: &mut Run, learner: &mut Learner) -> Result<()> {
    let file = TensorReader::new(bytes)?;
    if file.json["format"] != FORMAT || file.json["version"] != VERSION {
        return Err(Error::new(
            ErrorKind::CheckpointMismatch,
            "this is no checkpoint of this kind of model, or of this version of haploom",
        ));
    }
    let theirs = file.json_text("identity")?;
    if theirs != run.identity {
        return Err(Error::new(ErrorKind::CheckpointMismatch, "the checkpoint is of another run")
            .remedy(format!("it was made with {theirs}; this run is {}", run.identity)));
    }
    let network =
        |prefix: &str, like: &Network| crate::model_file::neural::read_network(&file, prefix, like.graph.clone());
    run.update = file.json_whole("update")?;
    learner.go_to(run.update);
    let (networks, optimisers) = learner.parts();
    let mut encoder = None;
    for (name, like) in networks {
        *like = network(&format!("network.{name}"), like)?;
        if name == "encoder" {
            encoder = Some(like.clone());
        }
    }
    for (i, (name, optimiser)) in optimisers.into_iter().enumerate() {
        optimiser.steps =
            file.json["steps"][i][1].as_u64().ok_or_else(|| contradiction("the count of steps is missing"))?;
        for (moment, lists) in [("first", &mut optimiser.first), ("second", &mut optimiser.second)] {
            for (i, numbers) in lists.iter_mut().enumerate() {
                *numbers = file.f32(&format!("moment.{name}.{moment}.{i}"), &[numbers.len()])?;
            }
        }
    }
    run.stale = file.json_whole("stale")?;
    let lines = file.json["log"].as_array().map(Vec::as_slice).unwrap_or_default();
    run.log = lines.iter().filter_map(|line| Some(line.as_str()?.to_string())).collect();
    let best = &file.json["best"];
    if best.is_null() {
        return Ok(());
    }
    let list = |name: &str| file.f32(name, &[file.length(name)?]);
    let number = |key: &str| best[key].as_f64().ok_or_else(|| contradiction(format!("the best state lacks {key}")));
    let metric = |v: &Value| Some((v[0].as_str()?.to_string(), v[1].as_f64()?));
    let lists = best["lists"].as_u64().ok_or_else(|| contradiction("the best state lacks its parameters"))?;
    let numbers: Result<Vec<Vec<f32>>> = (0..lists).map(|i| list(&format!("best.{i}"))).collect();
    run.best = Some(Best {
        update: best["update"].as_u64().ok_or_else(|| contradiction("the best state lacks its update"))?,
        distance: number("distance")?,
        numbers: numbers?,
        latent: match best["mixture"] == true {
            true => Latent::Mixture(Clusters {
                shares: list("best.share")?,
                means: list("best.mean")?,
                roots: list("best.root")?,
            }),
            false => Latent::Normal,
        },
        encoder: match (best["encoder"] == true, encoder) {
            (true, Some(like)) => Some(network("best.encoder", &like)?),
            _ => None,
        },
        output: Output { sharpness: number("sharpness")? as f32, bias: list("best.bias")? },
        metrics: best["metrics"].as_array().map_or_else(Vec::new, |a| a.iter().filter_map(metric).collect()),
    });
    Ok(())
}
