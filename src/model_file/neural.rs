//! Neural generators in files. Tensors carry the names that PyTorch would give them: see `examples/python`.

use super::tensors::{TensorReader, TensorWriter, contradiction};
use crate::error::{ErrorKind, Result};
use crate::models::labels::Labels;
use crate::models::neural::convolutional::Convolutional;
use crate::models::neural::dense::Dense;
use crate::models::neural::{Body, Clusters, Latent, Neural};
use crate::models::{ModelKind, Output};
use crate::nn::{Graph, Network};
use serde_json::{Value, json};

/// The settings of a body.
pub(crate) fn body_json(body: &Body) -> Value {
    match body {
        Body::Dense(b) => json!({
            "body": "dense",
            "latent": b.latent,
            "widths": b.widths,
            "normalised": b.normalised,
            "slope": b.slope,
        }),
        Body::Convolutional(b) => json!({
            "body": "convolutional",
            "unit": b.unit,
            "lowest": b.lowest,
            "depth": b.depth,
            "noise": b.noise,
            "latent": b.latent,
            "slope": b.slope,
        }),
    }
}

/// A whole number within bounds.
fn whole(json: &Value, key: &str, low: u64, high: u64) -> Result<usize> {
    let found = json[key].as_u64().filter(|n| (low..=high).contains(n));
    found.map(|n| n as usize).ok_or_else(|| {
        contradiction(format!(
            "{key} of the generator has to be a whole number from {low} to {high}, not {}",
            json[key]
        ))
    })
}

fn read_body(json: &Value) -> Result<Body> {
    let slope = json["slope"].as_f64().filter(|s| (0.0..=1.0).contains(s));
    let slope = slope.ok_or_else(|| contradiction("slope of the generator has to be a number from 0 to 1"))?;
    match json["body"].as_str() {
        Some("dense") => {
            let widths = json["widths"].as_array().filter(|widths| widths.len() <= 32);
            let width = |w: &Value| w.as_u64().filter(|w| (1..=1 << 24).contains(w)).map(|w| w as usize);
            let widths: Option<Vec<usize>> = widths.and_then(|widths| widths.iter().map(width).collect());
            Ok(Body::Dense(Dense {
                latent: whole(json, "latent", 1, 1 << 20)?,
                widths: widths.ok_or_else(|| contradiction("widths of the generator are out of bounds"))?,
                normalised: json["normalised"] == true,
                slope,
            }))
        }
        Some("convolutional") => Ok(Body::Convolutional(Convolutional {
            unit: whole(json, "unit", 1, 1024)?,
            lowest: whole(json, "lowest", 2, 1 << 24)?,
            depth: whole(json, "depth", 4, 24)?,
            noise: whole(json, "noise", 1, 4096)?,
            // Files of imported generators have none.
            latent: if json["latent"].is_null() { 0 } else { whole(json, "latent", 0, 1 << 20)? },
            slope,
        }))
        .and_then(|body| match &body {
            Body::Convolutional(b) if b.depth % 2 == 1 => Err(contradiction("depth of the generator has to be even")),
            _ => Ok(body),
        }),
        _ => Err(contradiction(format!("there is no body '{}'", json["body"]))),
    }
}

/// Every parameter of a network, under `prefix`.
pub(crate) fn write_network(tensors: &mut TensorWriter, prefix: &str, graph: &Graph, numbers: &[Vec<f32>]) {
    for (parameter, numbers) in graph.parameters.iter().zip(numbers) {
        tensors.f32(&format!("{prefix}.{}", parameter.name), &parameter.shape, numbers);
    }
}

/// The parameters of a graph from the tensors under `prefix`.
pub(crate) fn read_network(file: &TensorReader, prefix: &str, graph: Graph) -> Result<Network> {
    graph.check().map_err(|e| contradiction(e.what()))?;
    let numbers: Result<Vec<Vec<f32>>> =
        graph.parameters.iter().map(|p| file.f32(&format!("{prefix}.{}", p.name), &p.shape)).collect();
    Ok(Network::new(graph, numbers?))
}

/// The tensors of a generator, and its settings into `description`.
pub(super) fn write(tensors: &mut TensorWriter, description: &mut Value, model: &Neural) {
    let labels = model.labels.names.iter().zip(&model.labels.shares);
    description["generator"] = body_json(&model.body);
    description["components"] = json!(model.components);
    description["genotypes"] = json!(model.genotypes);
    description["drawn"] = json!(model.drawn);
    description["sharpness"] = json!(model.output.sharpness);
    description["labels"] = labels.map(|(name, share)| json!([name, share])).collect();
    description["encoder"] = json!(model.encoder.is_some());
    write_network(tensors, "w0.generator", &model.network.graph, &model.network.numbers);
    tensors.f32("w0.output.bias", &[model.output.bias.len()], &model.output.bias);
    if let Latent::Mixture(c) = &model.latent {
        let (k, size) = (c.shares.len(), model.coded_size());
        tensors.f32("w0.latent.share", &[k], &c.shares);
        tensors.f32("w0.latent.mean", &[k, size], &c.means);
        tensors.f32("w0.latent.root", &[k, size, size], &c.roots);
    }
    if let Some(encoder) = &model.encoder {
        write_network(tensors, "w0.encoder", &encoder.graph, &encoder.numbers);
    }
}

/// A generator of `sites` sites.
pub(super) fn read(file: &TensorReader, kind: ModelKind, sites: usize) -> Result<Neural> {
    let json = &file.json;
    let body = read_body(&json["generator"])?;
    let components = whole(json, "components", 0, 1 << 20)?;
    let label = |v: &Value| Some((v[0].as_str()?.to_string(), v[1].as_f64().filter(|s| (0.0..=1.0).contains(s))?));
    let labels: Option<Vec<(String, f64)>> = json["labels"].as_array().and_then(|l| l.iter().map(label).collect());
    let (names, shares) = labels.ok_or_else(|| contradiction("the labels are broken"))?.into_iter().unzip();
    let labels = Labels { names, shares };
    let genotypes = json["genotypes"] == true;
    let columns = if genotypes { 2 * sites } else { sites };
    let graph = Neural::graph(&body, components, columns, labels.len());
    let network = read_network(file, "w0.generator", graph)?;
    let sharpness = json["sharpness"].as_f64().filter(|s| (1e-6..=1e3).contains(s));
    let mut model = Neural {
        kind,
        body,
        components,
        network,
        latent: Latent::Normal,
        output: Output {
            sharpness: sharpness.ok_or_else(|| contradiction("the sharpness is out of bounds"))? as f32,
            bias: file.f32("w0.output.bias", &[columns])?,
        },
        drawn: json["drawn"] == true,
        labels,
        genotypes,
        encoder: None,
    };
    let size = model.coded_size();
    if let Ok(k) = file.length("w0.latent.share") {
        model.latent = Latent::Mixture(Clusters {
            shares: file.f32("w0.latent.share", &[k])?,
            means: file.f32("w0.latent.mean", &[k, size])?,
            roots: file.f32("w0.latent.root", &[k, size, size])?,
        });
    }
    if json["encoder"] == true {
        let graph = model.encoder_graph(sites);
        model.encoder = Some(read_network(file, "w0.encoder", graph)?);
    }
    model.check(sites).map_err(|e| match e.kind() {
        ErrorKind::InvalidArgument => contradiction(e.what()),
        _ => e,
    })?;
    Ok(model)
}
