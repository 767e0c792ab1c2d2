//! Models in files: safetensors, which Python opens as they are.
//!
//! The metadata has one key, `haploom`, with a JSON text: format, version `[major, minor]`, kind, provenance and settings.
//! Tensors of a window are named `w0.…`, so that many windows fit in one file:
//!
//! | tensor | type, shape | what |
//! |---|---|---|
//! | `w0.sites` | U8, bytes | sites as text: contig, position, id, ref, alt, tab-separated, a line a site |
//! | `w0.bernoulli.frequency` | F64, sites | |
//! | `w0.markov.offset`, `.context`, `.frequency`, `.start` | U64, U32, F64, U64 | contexts of site i: `offset[i]..offset[i + 1]` |
//! | `w0.copying.panel`, `.centimorgan` | U64, haplotypes x words of 64 sites, lowest bit first; F64, sites | the panel, and each site's distance from the one before |
//! | `w0.hmm.alternate` | U8, sites x clusters | number i for the i-th of [`probabilities`] |
//! | `w0.hmm.stretch`, `.entry` | U64, stretches; F32, stretches x clusters | first site of a stretch; weights of entry |
//! | `w0.hmm.switch` | F32, sites | switches that are expected just before each site |
//! | `w0.rbm.W`, `.b`, `.c` | F32, sites x hidden; sites; hidden | energy `-b v - c h - v W h` |
//! | `w0.context.panel` | U64, haplotypes x words | the training panel itself: bit `site % 64` of word `site / 64` |
//! | `w0.context.person` | U32, haplotypes | whose each is, numbers that do not fall |
//! | `w0.context.longest` | U32, contigs x haplotypes | the longest run that may be copied of each, in sites |
//! | `w0.output.bias` | F32, sites | last half-step: logistic of `sharpness x W h + bias` |
//! | `w0.mixture.share`, `.log_odds` | F32, clusters; clusters x sites | where chains start |
//! | `w0.generator.*`, `w0.encoder.*` | F32 | layers of a neural generator and encoder, named as in [`crate::models::neural`] |
//! | `w0.latent.share`, `.mean`, `.root` | F32, clusters; clusters x noise; clusters x noise x noise | where noise comes from, if not from one normal distribution |
//! | `w0.ladder.R.W`, `.b`, `.c` | BF16, F32, F32 | rung R of the tempering ladder |

pub(crate) mod neural;
pub mod tensors;

use crate::error::{Error, ErrorKind, Result};
use crate::hmm::clusters::{Clusters, Parameters, code, probabilities};
use crate::hmm::rates::Rates;
use crate::io;
use crate::memory;
use crate::models::bernoulli::Bernoulli;
use crate::models::context::Context;
use crate::models::copying::CopiedPanel;
use crate::models::markov::Markov;
use crate::models::mixture::Mixture;
use crate::models::rbm::{Hidden, Rbm};
use crate::models::{Generator, Model, ModelKind, Output, Provenance, SampledRbm, Start};
use crate::panel::bits::BitMatrix;
use crate::panel::sites::{Site, Sites};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tensors::{TensorReader, TensorWriter, contradiction};

/// The version that is written. Files of the same major version are read; a larger minor version is read too, and what it
/// adds is ignored.
pub const VERSION: [u64; 2] = [1, 0];
const FORMAT: &str = "haploom-model";

/// Writes a model beside `path` and renames it: the file is whole or not there.
///
/// # Errors
/// `Io`.
pub fn save(model: &Model, path: &Path) -> Result<()> {
    io::write_bytes(path, &to_bytes(model)?)
}

/// Reads a model.
///
/// # Errors
/// `Io`, `NotAModel`, `ModelTooOld`, `ModelTooNew`, `ModelCorrupt`.
pub fn open(path: &Path) -> Result<Model> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read the model", path, &e))?;
    from_bytes(&bytes).map_err(|e| e.file(path))
}

/// A model as bytes; the same model gives the same bytes.
///
/// # Errors
/// `OutOfMemory`, `Internal`.
pub fn to_bytes(model: &Model) -> Result<Vec<u8>> {
    let sites = model.sites.len();
    // Tensors as they are gathered, and the file that they become; a site's text is some 32 bytes.
    let numbers = match &model.generator {
        Generator::Bernoulli(m) => 2 * m.frequencies.len(),
        Generator::Markov(m) => 3 * m.contexts.len() + 2 * m.offsets.len(),
        Generator::Copying(m) => 2 * m.haplotypes.words().len() + 2 * sites,
        Generator::Hmm(m) => (sites + m.stretches().len()) * m.clusters(),
        Generator::Context(m) => m.panel.words().len() + m.longest.len(),
        Generator::Neural(m) => m.network.graph.parameters.iter().map(|p| p.size()).sum::<usize>() + 2 * sites,
        Generator::Rbm(m) => (1 + m.ladder.len()) * m.rbm.weights.len() + (2 + m.mixture.clusters()) * sites,
    };
    memory::require(numbers.checked_add(8 * sites).and_then(|n| n.checked_mul(8)), "the bytes of the model's file")?;
    let mut tensors = TensorWriter::new();
    tensors.text("w0.sites", &sites_text(&model.sites));
    let p = &model.provenance;
    let mut description = json!({
        "format": FORMAT,
        "version": VERSION,
        "kind": model.kind().name(),
        "windows": 1,
        "haploom": p.version,
        "seed": p.seed,
        "options": p.options,
        "haplotypes": p.haplotypes,
        "panel_sha256": p.panel_sha256,
        "updates": p.updates,
        "metrics": p.metrics.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
        "leak": model.leak(),
    });
    if !p.log.is_empty() {
        description["log"] = json!(p.log);
    }
    match &model.generator {
        Generator::Bernoulli(m) => tensors.f64("w0.bernoulli.frequency", &[sites], &m.frequencies),
        Generator::Markov(m) => {
            description["window"] = json!(m.window);
            tensors.u64("w0.markov.offset", &[m.offsets.len()], &m.offsets);
            tensors.u32("w0.markov.context", &[m.contexts.len()], &m.contexts);
            tensors.f64("w0.markov.frequency", &[m.frequencies.len()], &m.frequencies);
            tensors.u64("w0.markov.start", &[m.starts.len()], &m.starts);
        }
        Generator::Copying(m) => {
            description["effective_size"] = json!(m.rates.effective_size);
            description["error"] = json!(m.rates.error);
            write_panel(&mut tensors, "w0.copying.panel", &m.haplotypes);
            tensors.f64("w0.copying.centimorgan", &[sites], &m.centimorgans);
        }
        Generator::Hmm(m) => {
            let Parameters { clusters, alternate, stretches, entry, switches } = m.parameters();
            let table = probabilities();
            let codes = alternate.iter().map(|p| code(&table, *p)).collect();
            let firsts: Vec<u64> = stretches.iter().map(|first| *first as u64).collect();
            description["clusters"] = json!(clusters);
            tensors.u8("w0.hmm.alternate", &[sites, clusters], codes);
            tensors.u64("w0.hmm.stretch", &[firsts.len()], &firsts);
            tensors.f32("w0.hmm.entry", &[firsts.len(), clusters], &entry);
            tensors.f32("w0.hmm.switch", &[sites], &switches);
        }
        Generator::Context(m) => {
            let haplotypes = m.panel.rows();
            write_panel(&mut tensors, "w0.context.panel", &m.panel);
            tensors.u32("w0.context.person", &[haplotypes], &m.people);
            tensors.u32("w0.context.longest", &[m.contigs.len(), haplotypes], &m.longest);
        }
        Generator::Neural(m) => neural::write(&mut tensors, &mut description, m),
        Generator::Rbm(m) => {
            let hidden = m.rbm.hidden_units();
            description["hidden_type"] = json!(m.rbm.hidden.name());
            description["start"] = json!(m.start.name());
            description["sweeps"] = json!(m.sweeps);
            description["sharpness"] = json!(m.output.sharpness);
            description["rungs"] = json!(m.ladder.len());
            tensors.f32("w0.rbm.W", &[sites, hidden], &m.rbm.weights);
            tensors.f32("w0.rbm.b", &[sites], &m.rbm.visible_bias);
            tensors.f32("w0.rbm.c", &[hidden], &m.rbm.hidden_bias);
            tensors.f32("w0.output.bias", &[sites], &m.output.bias);
            tensors.f32("w0.mixture.share", &[m.mixture.clusters()], &m.mixture.shares);
            tensors.f32("w0.mixture.log_odds", &[m.mixture.clusters(), sites], &m.mixture.log_odds);
            for (r, rung) in m.ladder.iter().enumerate() {
                tensors.bf16(&format!("w0.ladder.{r}.W"), &[sites, hidden], &rung.weights);
                tensors.f32(&format!("w0.ladder.{r}.b"), &[sites], &rung.visible_bias);
                tensors.f32(&format!("w0.ladder.{r}.c"), &[hidden], &rung.hidden_bias);
            }
        }
    }
    tensors.finish(&description)
}

/// A model from bytes.
///
/// # Errors
/// `NotAModel`, `ModelTooOld`, `ModelTooNew`, `ModelCorrupt`.
pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
    let file = TensorReader::new(bytes)?;
    if file.json["format"] != FORMAT {
        return Err(Error::new(
            ErrorKind::NotAModel,
            format!("this is a '{}', not a model", file.json_text("format")?),
        ));
    }
    let major = file.json["version"][0].as_u64().ok_or_else(|| contradiction("the description lacks its version"))?;
    let versions = |kind, remedy: &str| {
        let what = format!("the model file has version {}, this library reads {}", file.json["version"], VERSION[0]);
        Err(Error::new(kind, what).remedy(remedy))
    };
    match major {
        m if m > VERSION[0] => return versions(ErrorKind::ModelTooNew, "use a newer haploom"),
        m if m < VERSION[0] => return versions(ErrorKind::ModelTooOld, "train again, or use an older haploom"),
        _ => {}
    }
    let sites = parse_sites(file.text("w0.sites")?)?;
    let m = sites.len();
    if m == 0 {
        return Err(contradiction("the model has no sites"));
    }
    let kind = ModelKind::from_name(file.json_text("kind")?)
        .ok_or_else(|| contradiction(format!("there is no kind of model '{}'", file.json["kind"])))?;
    let generator = match kind {
        ModelKind::Bernoulli => {
            let frequencies = file.f64("w0.bernoulli.frequency", &[m])?;
            in_unit_interval(&frequencies)?;
            Generator::Bernoulli(Bernoulli { frequencies })
        }
        ModelKind::Markov => Generator::Markov(read_markov(&file, m)?),
        ModelKind::Copying => Generator::Copying(read_copying(&file, &sites)?),
        ModelKind::Context => Generator::Context(Box::new(read_context(&file, &sites)?)),
        ModelKind::Rbm => Generator::Rbm(Box::new(read_rbm(&file, m)?)),
        ModelKind::Hmm => Generator::Hmm(Box::new(read_clusters(&file, &sites)?)),
        ModelKind::Gan | ModelKind::Wgan | ModelKind::Vae | ModelKind::PcaGan => {
            Generator::Neural(Box::new(neural::read(&file, kind, m)?))
        }
    };
    let metrics = |v: &Value| Some((v[0].as_str()?.to_string(), v[1].as_f64()?));
    let provenance = Provenance {
        version: file.json_text("haploom")?.to_string(),
        seed: file.json_whole("seed")?,
        options: file.json_text("options")?.to_string(),
        haplotypes: file.json_whole("haplotypes")?,
        panel_sha256: file.json_text("panel_sha256")?.to_string(),
        updates: file.json_whole("updates")?,
        log: texts(&file.json["log"]),
        metrics: file.json["metrics"].as_array().map_or_else(Vec::new, |a| a.iter().filter_map(metrics).collect()),
    };
    Ok(Model { sites, generator, provenance })
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<String> {
    list.as_array().map_or_else(Vec::new, |a| a.iter().filter_map(|v| Some(v.as_str()?.to_string())).collect())
}

/// A panel's haplotypes as a tensor.
fn write_panel(tensors: &mut TensorWriter, name: &str, haplotypes: &BitMatrix) {
    tensors.u64(name, &[haplotypes.rows(), haplotypes.stride()], haplotypes.words());
}

/// A panel's haplotypes from a tensor.
fn read_panel(file: &TensorReader, name: &str, sites: usize) -> Result<BitMatrix> {
    let rows = file.rows(name)?;
    let words = file.u64(name, &[rows, sites.div_ceil(64)])?;
    if rows == 0 {
        return Err(contradiction("the model holds no haplotypes"));
    }
    BitMatrix::from_words(rows, sites, words).map_err(|e| contradiction(format!("{name}: {}", e.what())))
}

fn read_copying(file: &TensorReader, sites: &Sites) -> Result<CopiedPanel> {
    let haplotypes = read_panel(file, "w0.copying.panel", sites.len())?;
    let centimorgans = file.f64("w0.copying.centimorgan", &[sites.len()])?;
    let number = |key: &str| file.json[key].as_f64().filter(|x| x.is_finite() && *x > 0.0);
    let rates = number("effective_size").zip(number("error").filter(|error| *error <= 0.5));
    let Some((effective_size, error)) = rates.filter(|(size, _)| *size <= 1e12) else {
        return Err(contradiction("the rates of the copying model are out of bounds"));
    };
    if centimorgans.iter().any(|cm| !(0.0..=1e9).contains(cm)) {
        return Err(contradiction("a genetic distance is out of bounds"));
    }
    Ok(CopiedPanel { haplotypes, centimorgans, rates: Rates { effective_size, error } })
}

fn read_markov(file: &TensorReader, sites: usize) -> Result<Markov> {
    let offsets = file.u64("w0.markov.offset", &[sites + 1])?;
    let n = file.length("w0.markov.context")?;
    let contexts = file.u32("w0.markov.context", &[n])?;
    let frequencies = file.f64("w0.markov.frequency", &[n])?;
    let starts = file.u64("w0.markov.start", &[file.length("w0.markov.start")?])?;
    in_unit_interval(&frequencies)?;
    let window = file.json_whole("window")? as usize;
    let rising = offsets[0] == 0 && offsets.is_sorted() && offsets[sites] == n as u64;
    if window > 20 || !rising || !starts.is_sorted() {
        return Err(contradiction("the windows of the Markov model contradict each other"));
    }
    for range in offsets.windows(2) {
        if !contexts[range[0] as usize..range[1] as usize].is_sorted() {
            return Err(contradiction("the contexts of a site are out of order"));
        }
    }
    Ok(Markov { window, offsets, contexts, frequencies, starts })
}

fn read_clusters(file: &TensorReader, sites: &Sites) -> Result<Clusters> {
    let clusters = file.json_whole("clusters")? as usize;
    let stretches = file.length("w0.hmm.stretch")?;
    let table = probabilities();
    let codes = file.u8("w0.hmm.alternate", &[sites.len(), clusters])?;
    memory::require(codes.len().checked_mul(9), "the clusters of the model")?;
    let parameters = Parameters {
        clusters,
        alternate: codes.iter().map(|code| table[usize::from(*code)]).collect(),
        stretches: file.u64("w0.hmm.stretch", &[stretches])?.into_iter().map(|first| first as usize).collect(),
        entry: file.f32("w0.hmm.entry", &[stretches, clusters])?,
        switches: file.f32("w0.hmm.switch", &[sites.len()])?,
    };
    Clusters::new(&parameters, sites).map_err(|e| match e.kind() {
        ErrorKind::OutOfMemory => e,
        _ => contradiction(e.what()),
    })
}

fn read_context(file: &TensorReader, sites: &Sites) -> Result<Context> {
    let contigs = sites.contig_ranges();
    let people = file.u32("w0.context.person", &[file.length("w0.context.person")?])?;
    let haplotypes = people.len();
    let panel = read_panel(file, "w0.context.panel", sites.len())?;
    let longest = file.u32("w0.context.longest", &[contigs.len(), haplotypes])?;
    if panel.rows() != haplotypes || !people.is_sorted() || longest.contains(&0) {
        return Err(contradiction("the people of the context model, or what may be copied of them, are out of bounds"));
    }
    Ok(Context { panel, people, contigs, longest })
}

/// The parameters of an RBM under `prefix`, the weights in bfloat16 if `half`.
pub(crate) fn read_parameters(
    file: &TensorReader,
    prefix: &str,
    hidden: Hidden,
    shape: [usize; 2],
    half: bool,
) -> Result<Rbm> {
    let name = format!("{prefix}.W");
    let weights = if half { file.bf16(&name, &shape)? } else { file.f32(&name, &shape)? };
    let rbm = Rbm {
        hidden,
        weights,
        visible_bias: file.f32(&format!("{prefix}.b"), &[shape[0]])?,
        hidden_bias: file.f32(&format!("{prefix}.c"), &[shape[1]])?,
    };
    rbm.check().map_err(|e| contradiction(format!("{prefix}: {}", e.what())))?;
    Ok(rbm)
}

fn read_rbm(file: &TensorReader, sites: usize) -> Result<SampledRbm> {
    let hidden = Hidden::from_name(file.json_text("hidden_type")?)
        .ok_or_else(|| contradiction("the description has an unknown hidden_type"))?;
    let shape = [sites, file.length("w0.rbm.c")?];
    let clusters = file.length("w0.mixture.share")?;
    let sharpness = file.json["sharpness"].as_f64().filter(|s| (0.1..=10.0).contains(s));
    let sweeps = file.json_whole("sweeps")?;
    let rungs = file.json_whole("rungs")?;
    let shares = file.f32("w0.mixture.share", &[clusters])?;
    if shape[1] == 0
        || clusters == 0
        || shares.iter().any(|s| *s < 0.0)
        || sweeps > 1 << 30
        || rungs >= crate::sample::tempering::MOST_RUNGS
    {
        return Err(contradiction("the machine or the description of its sampler is out of bounds"));
    }
    Ok(SampledRbm {
        rbm: read_parameters(file, "w0.rbm", hidden, shape, false)?,
        output: Output {
            sharpness: sharpness.ok_or_else(|| contradiction("the description lacks a sensible sharpness"))? as f32,
            bias: file.f32("w0.output.bias", &[sites])?,
        },
        mixture: Mixture { shares, log_odds: file.f32("w0.mixture.log_odds", &[clusters, sites])? },
        ladder: (0..rungs)
            .map(|r| read_parameters(file, &format!("w0.ladder.{r}"), hidden, shape, true))
            .collect::<Result<_>>()?,
        start: Start::from_name(file.json_text("start")?)
            .ok_or_else(|| contradiction("the description has an unknown start"))?,
        sweeps: sweeps as usize,
    })
}

fn in_unit_interval(values: &[f64]) -> Result<()> {
    match values.iter().all(|f| (0.0..=1.0).contains(f)) {
        true => Ok(()),
        false => Err(contradiction("a frequency is outside 0..1")),
    }
}

fn sites_text(sites: &Sites) -> String {
    sites
        .iter()
        .map(|s| format!("{}\t{}\t{}\t{}\t{}\n", s.contig, s.position, s.id, s.reference, s.alternate))
        .collect()
}

fn parse_sites(text: &str) -> Result<Sites> {
    let mut contigs: Vec<Arc<str>> = Vec::new();
    let mut sites = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let bad = || contradiction(format!("line {} of w0.sites is no site", i + 1));
        let fields: Vec<&str> = line.split('\t').collect();
        let [contig, position, id, reference, alternate] = fields[..] else { return Err(bad()) };
        if contigs.last().is_none_or(|c| **c != *contig) {
            contigs.push(contig.into());
        }
        sites.push(Site {
            contig: contigs[contigs.len() - 1].clone(),
            position: position.parse().map_err(|_| bad())?,
            id: id.into(),
            reference: reference.into(),
            alternate: alternate.into(),
        });
    }
    Sites::new(sites).map_err(|e| contradiction(format!("w0.sites: {e}")))
}
