//! Model files: round trips, files of version 1, refusals, and what they must not hold.

mod small;

use haploom::error::ErrorKind;
use haploom::model_file::{VERSION, from_bytes, open, save, to_bytes};
use haploom::models::{Generator, Model, ModelKind};
use haploom::sample::{SampleSettings, Sampler};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use small::{model, options, panel, sampler};
use std::path::PathBuf;
use std::sync::Arc;

/// A neural generator with an encoder and clusters of noise.
const VAE: &str = "updates=40,looks=2,batch=8,latent=3,latent_clusters=2";

fn models() -> Vec<Arc<Model>> {
    vec![
        model(ModelKind::Bernoulli, ""),
        model(ModelKind::Markov, ""),
        model(ModelKind::Copying, ""),
        model(ModelKind::Hmm, "hmm_clusters=7,stretch=40"),
        model(ModelKind::Context, ""),
        model(ModelKind::Rbm, "ladder=true,learning_rate=0.2"),
        model(ModelKind::Rbm, "hidden_type=relu,learning_rate=0.01,method=rdm,output=plain"),
        model(ModelKind::Gan, "updates=2,looks=1,batch=8,latent=3"),
        model(ModelKind::Wgan, "updates=2,looks=1,batch=4,body=convolutional,unit=1,depth=4"),
        model(ModelKind::Wgan, "updates=2,looks=1,batch=4,body=published,unit=1,depth=4"),
        model(ModelKind::Vae, "updates=2,looks=1,batch=8,body=convolutional,latent=3,unit=1,depth=4,latent_clusters=2"),
        model(ModelKind::Vae, VAE),
        model(ModelKind::PcaGan, "updates=2,looks=1,batch=8,latent=3,pca_components=4"),
    ]
}

#[test]
fn models_come_back_exactly_and_the_same_model_gives_the_same_bytes() {
    for model in models() {
        let bytes = to_bytes(&model).unwrap();
        assert!(from_bytes(&bytes).unwrap() == *model);
        assert!(to_bytes(&model).unwrap() == bytes);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.haploom");
        save(&model, &path).unwrap();
        assert!(open(&path).unwrap() == *model);
        assert!(std::fs::read(&path).unwrap() == bytes);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Numbers written as text come back to the last bit.
    #[test]
    fn metrics_come_back_exactly(values in prop::collection::vec(prop::num::f64::NORMAL, 1..8), sharpness in 0.1f32..10.0) {
        let mut model = (*SMALL.with(|m| m.clone())).clone();
        model.provenance.metrics = values.iter().enumerate().map(|(i, v)| (format!("m{i}"), *v)).collect();
        if let Generator::Rbm(machine) = &mut model.generator {
            machine.output.sharpness = sharpness;
        }
        prop_assert_eq!(from_bytes(&to_bytes(&model).unwrap()).unwrap(), model);
    }
}

thread_local! {
    static SMALL: Arc<Model> = model(ModelKind::Rbm, "updates=2");
}

/// The header's JSON, and the bytes of the tensors.
fn parts(bytes: &[u8]) -> (Value, &[u8]) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), &bytes[8 + length..])
}

fn description(bytes: &[u8]) -> Value {
    serde_json::from_str(parts(bytes).0["__metadata__"]["haploom"].as_str().unwrap()).unwrap()
}

/// The same file with another header.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (mut header, tensors) = parts(bytes);
    change(&mut header);
    let mut text = header.to_string();
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    [&(text.len() as u64).to_le_bytes(), text.as_bytes(), tensors].concat()
}

/// The same file with another description.
fn with_description(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut description = description(bytes);
    change(&mut description);
    with_header(bytes, |header| header["__metadata__"]["haploom"] = json!(description.to_string()))
}

#[test]
fn the_description_opens_with_a_plain_json_parser() {
    for model in models() {
        let bytes = to_bytes(&model).unwrap();
        let (header, tensors) = parts(&bytes);
        let description = description(&bytes);
        assert_eq!(description["format"], "haploom-model");
        assert_eq!(description["version"], json!(VERSION));
        assert_eq!(description["kind"], model.kind().name());
        assert_eq!(description["haplotypes"], 80);
        assert_eq!(description["panel_sha256"], panel(1).fingerprint());
        assert!(!description["leak"].as_str().unwrap().is_empty());
        let names: Vec<&String> = header.as_object().unwrap().keys().filter(|k| *k != "__metadata__").collect();
        assert!(names.len() >= 2 && names.iter().all(|n| n.starts_with("w0.")));
        let ends = names.iter().map(|n| header[*n]["data_offsets"][1].as_u64().unwrap());
        assert_eq!(ends.max().unwrap(), tensors.len() as u64);
    }
}

/// No training haplotype stands in a file whose model does not say so: not packed in bits, not as bytes, 16-bit states,
/// numbers or text.
#[test]
fn no_haplotype_is_in_the_file() {
    let panel = panel(1);
    for model in models() {
        if model.holds_haplotypes() {
            assert!(model.leak().contains("holds the haplotypes"), "{}", model.kind().name());
            continue;
        }
        let bytes = to_bytes(&model).unwrap();
        let find = |needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
        for h in 0..panel.haplotypes() {
            // A third of a haplotype is enough to know it by.
            let alleles: Vec<u8> = (0..44).map(|c| u8::from(panel.bits().get(h, c))).collect();
            let packed: Vec<u8> = panel.bits().row(h).iter().flat_map(|w| w.to_le_bytes()).collect();
            let reversed: Vec<u8> = packed.iter().map(|b| b.reverse_bits()).collect();
            assert!(!find(&packed[..8]) && !find(&reversed[..8]), "{}: packed haplotype {h}", model.kind().name());
            assert!(!find(&alleles), "haplotype {h} in bytes");
            assert!(!find(&alleles.iter().map(|a| a + b'0').collect::<Vec<_>>()), "haplotype {h} as text");
            assert!(!find(&alleles.iter().flat_map(|a| [*a, 0]).collect::<Vec<_>>()), "haplotype {h} in states");
            let numbers: Vec<u8> = alleles.iter().flat_map(|a| f32::from(*a).to_le_bytes()).collect();
            assert!(!find(&numbers), "haplotype {h} in numbers");
        }
        for sample in panel.samples().iter() {
            let name = format!("{}\t", sample.name);
            assert!(!find(name.as_bytes()), "the name of a person");
        }
    }
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/model_v1_{name}.safetensors"))
}

fn sample_hash(model: &Arc<Model>, text: &str) -> String {
    let bits = sampler(model, text, |_| {}).next(50).unwrap();
    let bytes: Vec<u8> = bits.words().iter().flat_map(|w| w.to_le_bytes()).collect();
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Files that version 0.1.0 wrote are read for ever, and give the samples that they gave. A hash that changes is a change
/// of numerics, for CHANGELOG. With HAPLOOM_WRITE_GOLDEN set, files that are not there yet are written.
#[test]
fn files_of_version_1_are_read_and_give_their_samples() {
    let mut found = Vec::new();
    for (name, kind, training, sampling) in [
        ("bernoulli", ModelKind::Bernoulli, "", ""),
        ("markov", ModelKind::Markov, "", ""),
        ("rbm", ModelKind::Rbm, "ladder=true,learning_rate=0.2", ""),
        ("rbm", ModelKind::Rbm, "ladder=true,learning_rate=0.2", "sampler=tempering"),
        ("rbm", ModelKind::Rbm, "ladder=true,learning_rate=0.2", "sampler=random,sample_sweeps=3"),
        ("rbm_relu", ModelKind::Rbm, "hidden_type=relu,learning_rate=0.01", ""),
        ("vae", ModelKind::Vae, VAE, ""),
    ] {
        let path = golden(name);
        if !path.exists() && std::env::var_os("HAPLOOM_WRITE_GOLDEN").is_some() {
            save(&model(kind, training), &path).unwrap();
        }
        let model = open(&path).unwrap();
        assert_eq!(model.kind(), kind);
        assert_eq!(model.sites, *panel(1).sites());
        assert_eq!(model.provenance.version, "0.1.0");
        if VERSION == [1, 0] {
            assert!(to_bytes(&model).unwrap() == std::fs::read(&path).unwrap(), "{name} is written as it was");
        }
        found.push((name, sampling, sample_hash(&Arc::new(model), sampling)));
    }
    let expected = [
        ("bernoulli", "", "4f20727661296cdc"),
        ("markov", "", "ff76466146539504"),
        ("rbm", "", "6206b7853ef74063"),
        ("rbm", "sampler=tempering", "1ca0f6a88816ae73"),
        ("rbm", "sampler=random,sample_sweeps=3", "ed5dbc11ced016e9"),
        ("rbm_relu", "", "cdd50fc443a7bd57"),
        ("vae", "", "f38b584ef9e4073f"),
    ];
    let found: Vec<(&str, &str, &str)> = found.iter().map(|(n, s, h)| (*n, *s, h.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn other_versions_and_other_files_are_refused_with_their_kinds() {
    let bytes = to_bytes(&model(ModelKind::Rbm, "updates=2")).unwrap();
    let kind = |bytes: &[u8]| from_bytes(bytes).unwrap_err().kind();
    let version = |v: Value| with_description(&bytes, |d| d["version"] = v);
    assert_eq!(kind(&version(json!([2, 0]))), ErrorKind::ModelTooNew);
    assert_eq!(kind(&version(json!([0, 9]))), ErrorKind::ModelTooOld);
    assert_eq!(kind(&version(json!("1.0"))), ErrorKind::ModelCorrupt);
    let e = from_bytes(&version(json!([7, 1]))).unwrap_err();
    assert!(e.to_string().contains("[7,1]") && e.to_string().contains("newer"), "{e}");
    // A later minor version may say more: it is read, and what it adds is ignored.
    let later = with_description(&bytes, |d| {
        d["version"] = json!([1, 9]);
        d["something_new"] = json!({"a": [1, 2]});
    });
    assert!(from_bytes(&later).unwrap() == from_bytes(&bytes).unwrap());
    for text in [&b""[..], b"x", b"##fileformat=VCFv4.2\n", b"\x89PNG\r\n\x1a\n and more bytes", &[0; 100]] {
        assert_eq!(kind(text), ErrorKind::NotAModel, "{text:?}");
    }
    // Someone else's safetensors, with and without metadata.
    assert_eq!(
        kind(&with_header(&bytes, |h| _ = h.as_object_mut().unwrap().remove("__metadata__"))),
        ErrorKind::NotAModel
    );
    assert_eq!(kind(&with_header(&bytes, |h| h["__metadata__"] = json!({"format": "pt"}))), ErrorKind::NotAModel);
    assert_eq!(kind(&with_description(&bytes, |d| d["format"] = json!("haploom-checkpoint"))), ErrorKind::NotAModel);
    assert_eq!(kind(&bytes[..bytes.len() - 1]), ErrorKind::ModelCorrupt);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.haploom");
    std::fs::write(&path, &bytes[..300]).unwrap();
    let e = open(&path).unwrap_err();
    assert_eq!((e.kind(), e.place().file.as_deref()), (ErrorKind::ModelCorrupt, Some(path.as_path())));
    assert_eq!(open(&folder.path().join("none")).unwrap_err().kind(), ErrorKind::Io);
}

/// A description or a header that contradicts the tensors, each in its own way.
#[test]
fn contradictions_are_refused() {
    let rbm = to_bytes(&model(ModelKind::Rbm, "updates=2,ladder=true")).unwrap();
    let markov = to_bytes(&model(ModelKind::Markov, "")).unwrap();
    let context = to_bytes(&model(ModelKind::Context, "")).unwrap();
    let kind = |bytes: &[u8]| from_bytes(bytes).unwrap_err().kind();
    for (key, value) in [
        ("kind", json!("gan")),
        ("kind", json!("markov")),
        ("hidden_type", json!("softmax")),
        ("sharpness", json!(0)),
        ("sharpness", json!(1e30)),
        ("sharpness", Value::Null),
        ("sweeps", json!(-1)),
        ("sweeps", json!(u64::MAX)),
        ("rungs", json!(1000)),
        ("rungs", json!(1u64 << 60)),
        ("start", json!("cold")),
        ("seed", json!(0.5)),
        ("options", Value::Null),
    ] {
        let what = format!("{key} = {value}");
        assert_eq!(kind(&with_description(&rbm, |d| d[key] = value)), ErrorKind::ModelCorrupt, "{what}");
    }
    assert_eq!(kind(&with_description(&markov, |d| d["window"] = json!(21))), ErrorKind::ModelCorrupt);
    assert_eq!(kind(&with_description(&markov, |d| d["window"] = json!(1u64 << 40))), ErrorKind::ModelCorrupt);
    for (tensor, shape) in [("w0.rbm.W", json!([9, 133])), ("w0.rbm.b", json!([133, 1])), ("w0.rbm.c", json!([3, 3]))] {
        let bytes = with_header(&rbm, |h| h[tensor]["shape"] = shape);
        assert_eq!(kind(&bytes), ErrorKind::ModelCorrupt, "{tensor}");
    }
    for (tensor, shape) in [
        ("w0.context.panel", json!([40, 6])),
        ("w0.context.person", json!([2, 40])),
        ("w0.context.longest", json!([160])),
    ] {
        let bytes = with_header(&context, |h| h[tensor]["shape"] = shape);
        assert_eq!(kind(&bytes), ErrorKind::ModelCorrupt, "{tensor}");
    }
    // People out of order, and nothing that may be copied.
    for (tensor, value) in [("w0.context.person", 77u32), ("w0.context.longest", 0)] {
        let (header, _) = parts(&context);
        let offset = header[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
        let begin = context.len() - parts(&context).1.len() + offset;
        let mut bytes = context.clone();
        bytes[begin..begin + 4].copy_from_slice(&value.to_le_bytes());
        assert_eq!(kind(&bytes), ErrorKind::ModelCorrupt, "{tensor}");
    }
    let dtype = with_header(&rbm, |h| h["w0.rbm.W"]["dtype"] = json!("I32"));
    assert_eq!(kind(&dtype), ErrorKind::ModelCorrupt);
    // Not a number, and a weight out of range.
    let (header, _) = parts(&rbm);
    let begin = rbm.len() - parts(&rbm).1.len() + header["w0.rbm.W"]["data_offsets"][0].as_u64().unwrap() as usize;
    for bad in [f32::NAN, f32::INFINITY, 9.0] {
        let mut bytes = rbm.clone();
        bytes[begin..begin + 4].copy_from_slice(&bad.to_le_bytes());
        assert_eq!(kind(&bytes), ErrorKind::ModelCorrupt, "{bad}");
    }
}

#[test]
fn clusters_that_contradict_themselves_are_refused() {
    let hmm = to_bytes(&model(ModelKind::Hmm, "hmm_clusters=7,stretch=40")).unwrap();
    let kind = |bytes: &[u8]| from_bytes(bytes).unwrap_err().kind();
    for clusters in [json!(0), json!(6), json!(u64::MAX), json!(-1), Value::Null] {
        let changed = with_description(&hmm, |d| d["clusters"] = clusters.clone());
        assert_eq!(kind(&changed), ErrorKind::ModelCorrupt, "{clusters} clusters");
    }
    for tensor in ["w0.hmm.alternate", "w0.hmm.stretch", "w0.hmm.entry", "w0.hmm.switch"] {
        let changed = with_header(&hmm, |h| h[tensor]["shape"] = json!([1, 1]));
        assert_eq!(kind(&changed), ErrorKind::ModelCorrupt, "{tensor}");
    }
    let (header, tensors) = parts(&hmm);
    let begin = |tensor: &str| hmm.len() - tensors.len() + header[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
    let with = |tensor: &str, number: usize, bytes: &[u8]| {
        let mut changed = hmm.clone();
        changed[begin(tensor) + number * bytes.len()..][..bytes.len()].copy_from_slice(bytes);
        changed
    };
    for bad in [f32::NAN, f32::INFINITY, -0.1, 0.0, 0.9] {
        assert_eq!(kind(&with("w0.hmm.entry", 3, &bad.to_le_bytes())), ErrorKind::ModelCorrupt, "entry {bad}");
    }
    for bad in [f32::NAN, f32::INFINITY, -0.1, 0.0] {
        assert_eq!(kind(&with("w0.hmm.switch", 3, &bad.to_le_bytes())), ErrorKind::ModelCorrupt, "switch {bad}");
    }
    // Site 70 begins a contig, so a stretch has to begin there; and stretches rise, below the number of sites.
    for (number, bad) in [(0, 1u64), (1, 0), (2, 71), (3, 133), (3, u64::MAX)] {
        assert_eq!(kind(&with("w0.hmm.stretch", number, &bad.to_le_bytes())), ErrorKind::ModelCorrupt, "stretch {bad}");
    }
}

/// Models without sites, hidden units or clusters are refused when they are read, not when they are used.
#[test]
fn empty_models_are_refused() {
    let mut model = (*model(ModelKind::Rbm, "updates=2")).clone();
    if let Generator::Rbm(machine) = &mut model.generator {
        machine.rbm.weights.clear();
        machine.rbm.hidden_bias.clear();
    }
    assert_eq!(from_bytes(&to_bytes(&model).unwrap()).unwrap_err().kind(), ErrorKind::ModelCorrupt);
    model.sites = haploom::panel::sites::Sites::new(Vec::new()).unwrap();
    model.generator = Generator::Bernoulli(haploom::models::bernoulli::Bernoulli { frequencies: Vec::new() });
    assert_eq!(from_bytes(&to_bytes(&model).unwrap()).unwrap_err().kind(), ErrorKind::ModelCorrupt);
}

/// Damages a file, and uses what can still be read.
fn try_damaged(bytes: &[u8]) -> Result<(), TestCaseError> {
    match from_bytes(bytes) {
        Ok(model) => {
            let model = Arc::new(model);
            for text in
                ["sample_sweeps=1", "sample_sweeps=1,sampler=gibbs", "sampler=tempering,rounds=1,round_sweeps=1"]
            {
                let settings = SampleSettings { options: options(text), ..SampleSettings::default() };
                if let Ok(mut sampler) = Sampler::new(model.clone(), &settings) {
                    prop_assert_eq!(sampler.next(3).unwrap().columns(), model.sites.len());
                }
            }
        }
        Err(e) => {
            let kinds = [ErrorKind::NotAModel, ErrorKind::ModelCorrupt, ErrorKind::ModelTooNew, ErrorKind::ModelTooOld];
            prop_assert!(kinds.contains(&e.kind()), "{}", e);
        }
    }
    Ok(())
}

#[test]
fn damaged_files_do_not_panic() {
    for (m, model) in models().into_iter().enumerate() {
        let whole = to_bytes(&model).unwrap();
        let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
        let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
        let flips = prop::collection::vec((any::<prop::sample::Index>(), 0..8u8, any::<bool>()), 1..4);
        proptest!(config, |(flips in flips, cut in any::<prop::sample::Index>(), cuts in 0..4)| {
            let mut bytes = whole.clone();
            for (at, bit, in_header) in &flips {
                bytes[at.index(if *in_header { header } else { whole.len() })] ^= 1u8 << bit;
            }
            if cuts == 0 {
                bytes.truncate(cut.index(whole.len()));
            }
            try_damaged(&bytes)?;
        });
        // Every cut of the header, and every byte of it set to what JSON makes most of.
        for n in (0..header).step_by(1 + 6 * m) {
            try_damaged(&whole[..n]).unwrap();
            let mut bytes = whole.clone();
            bytes[n] = b"\"{}[]0,9-"[n % 9];
            try_damaged(&bytes).unwrap();
        }
    }
}
