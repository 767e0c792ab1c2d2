//! Neural generators: training that can be stopped and taken up, samples that are functions of their numbers, labels,
//! genotypes, logs, and what is refused.

mod small;

use haploom::error::{Error, ErrorKind};
use haploom::model_file::{from_bytes, to_bytes};
use haploom::models::{Generator, Model, ModelKind};
use haploom::panel::Panel;
use haploom::panel::bits::BitMatrix;
use haploom::panel::samples::{Sample, Samples};
use haploom::panel::sites::{Site, Sites};
use haploom::progress::{Cancel, Event, Progress};
use haploom::rng::{Purpose, Stream};
use haploom::sample::{SampleSettings, Sampler};
use haploom::threads::Threads;
use haploom::train::checkpoint::file_in;
use haploom::train::{TrainSettings, train};
use small::{options, panel};
use std::path::Path;
use std::sync::Arc;

const KINDS: [(ModelKind, &str); 7] = [
    (ModelKind::Gan, "updates=12,looks=3,batch=16,latent=7"),
    (ModelKind::Wgan, "body=dense,updates=12,looks=3,batch=8,pack=2,latent=7,unseen=0.3"),
    (ModelKind::Wgan, "body=convolutional,updates=6,looks=3,batch=4,pack=2,unit=1,depth=4,critic_steps=2"),
    (ModelKind::Wgan, "body=published,updates=6,looks=3,batch=4,pack=2,unit=1,depth=4,critic_steps=2"),
    (ModelKind::Vae, "updates=12,looks=3,batch=16,latent=5,latent_clusters=3"),
    (ModelKind::Vae, "body=convolutional,updates=6,looks=3,batch=8,latent=5,unit=1,depth=4,latent_clusters=3"),
    (ModelKind::PcaGan, "updates=12,looks=3,batch=16,latent=6,pca_components=5"),
];

/// With an auxiliary classifier, on a panel with labels.
const AUXILIARY: [(ModelKind, &str); 3] = [
    (ModelKind::Gan, "label_critic=auxiliary,optimiser=rmsprop,updates=12,looks=3,batch=16,latent=7"),
    (ModelKind::Wgan, "label_critic=auxiliary,body=dense,updates=12,looks=3,batch=8,pack=2,latent=7,unseen=0.3"),
    (
        ModelKind::Wgan,
        "label_critic=auxiliary,body=published,updates=6,looks=3,batch=4,pack=2,unit=1,depth=4,optimiser=rmsprop",
    ),
];

fn run(panel: &Panel, kind: ModelKind, text: &str, settings: &TrainSettings) -> Result<Model, Error> {
    train(panel, kind, &options(text), settings, &mut Progress::none())
}

/// Trains until `update`, then asks to stop.
fn stop_at(panel: &Panel, update: u64, kind: ModelKind, text: &str, settings: &TrainSettings) -> Error {
    let cancel = Cancel::new();
    let flag = cancel.clone();
    let mut report = |event: &Event| {
        if matches!(event, Event::Step { phase: "training", done, .. } if *done == update) {
            flag.cancel();
        }
    };
    let mut progress = Progress::new(&mut report, cancel);
    train(panel, kind, &options(text), settings, &mut progress).unwrap_err()
}

fn in_folder(folder: &Path, resume: bool) -> TrainSettings {
    TrainSettings { seed: 5, checkpoint: Some(folder.to_path_buf()), resume, ..TrainSettings::default() }
}

fn sampler(model: &Arc<Model>, change: impl Fn(&mut SampleSettings)) -> Sampler {
    let mut settings = SampleSettings { seed: 9, ..SampleSettings::default() };
    change(&mut settings);
    Sampler::new(model.clone(), &settings).unwrap()
}

#[test]
fn a_resumed_run_ends_with_the_bits_of_one_that_was_never_stopped_on_any_threads() {
    let labelled = two_populations(true);
    let plain = panel(1);
    let kinds = KINDS.map(|(kind, text)| (&plain, kind, text));
    for (panel, kind, text) in kinds.into_iter().chain(AUXILIARY.map(|(kind, text)| (&labelled, kind, text))) {
        let alone = TrainSettings { seed: 5, ..TrainSettings::default() };
        let uninterrupted = to_bytes(&run(panel, kind, text, &alone).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for update in [1, 5] {
            let e = stop_at(panel, update, kind, text, &in_folder(folder.path(), update > 1));
            assert_eq!(e.kind(), ErrorKind::Cancelled, "{kind:?}");
            assert!(e.to_string().contains("resume=true"), "{e}");
        }
        let mut last = in_folder(folder.path(), true);
        last.threads = Threads::new(3);
        let resumed = to_bytes(&run(panel, kind, text, &last).unwrap()).unwrap();
        assert!(resumed == uninterrupted, "{kind:?} {text}");
    }
}

#[test]
fn samples_are_functions_of_their_numbers_and_files_keep_them() {
    for (kind, text) in KINDS {
        let model = run(&panel(1), kind, text, &TrainSettings::default()).unwrap();
        let model = Arc::new(from_bytes(&to_bytes(&model).unwrap()).unwrap());
        let whole = sampler(&model, |_| {}).next(301).unwrap();
        assert!(whole.any(), "{kind:?}");
        assert!(sampler(&model, |s| s.threads = Threads::new(3)).next(301).unwrap() == whole, "{kind:?}: threads");
        let rows = |range: std::ops::Range<usize>| whole.select_rows(&range.collect::<Vec<_>>()).unwrap();
        let mut pieces = sampler(&model, |_| {});
        for (first, n) in [(0, 1), (1, 6), (7, 250), (257, 44)] {
            assert!(pieces.next(n).unwrap() == rows(first..first + n), "{kind:?}: {n} from {first}");
        }
        pieces.seek(123);
        assert!(pieces.next(20).unwrap() == rows(123..143), "{kind:?}: a seek");
        let mut part = sampler(&model, |s| s.region = Some("2:7001-7900".parse().unwrap()));
        let columns: Vec<usize> = (70..79).collect();
        assert!(part.next(301).unwrap() == whole.select_columns(&columns).unwrap(), "{kind:?}: a region");
        assert!(sampler(&model, |s| s.seed = 10).next(301).unwrap() != whole, "{kind:?}: another seed");
    }
}

#[test]
fn checkpoints_of_other_runs_are_refused() {
    let (kind, text) = KINDS[0];
    let folder = tempfile::tempdir().unwrap();
    stop_at(&panel(1), 5, kind, text, &in_folder(folder.path(), false));
    let resume = in_folder(folder.path(), true);
    let kind_of = |result: Result<Model, Error>| result.unwrap_err().kind();
    assert_eq!(kind_of(run(&panel(2), kind, text, &resume)), ErrorKind::CheckpointMismatch);
    let other = "updates=12,looks=3,batch=16,latent=8";
    assert_eq!(kind_of(run(&panel(1), kind, other, &resume)), ErrorKind::CheckpointMismatch);
    assert_eq!(kind_of(run(&panel(1), ModelKind::Vae, text, &resume)), ErrorKind::CheckpointMismatch);
    assert_eq!(kind_of(run(&panel(1), ModelKind::Rbm, "", &resume)), ErrorKind::CheckpointMismatch);
    let nowhere = TrainSettings { checkpoint: None, ..resume.clone() };
    assert_eq!(kind_of(run(&panel(1), kind, text, &nowhere)), ErrorKind::InvalidArgument);
}

/// Every byte of a checkpoint's description and a sample of those of its tensors, one at a time.
#[test]
fn damaged_checkpoints_are_errors_and_never_more() {
    let (kind, text) = KINDS[3];
    let folder = tempfile::tempdir().unwrap();
    stop_at(&panel(1), 5, kind, text, &in_folder(folder.path(), false));
    let path = file_in(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let places = (0..8 + header).step_by(97).chain((8 + header..bytes.len()).step_by(bytes.len() / 20));
    for place in places {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x20;
        std::fs::write(&path, &damaged).unwrap();
        // A flipped bit of a weight goes unnoticed or diverges; nothing panics.
        let _ = run(&panel(1), kind, text, &in_folder(folder.path(), true));
    }
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let e = run(&panel(1), kind, text, &in_folder(folder.path(), true)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::ModelCorrupt);
    assert_eq!(e.place().file.as_deref(), Some(path.as_path()));
}

#[test]
fn divergence_is_an_error_that_names_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let text = "body=dense,updates=400,looks=400,batch=8,latent=7,learning_rate=10,critic_rate=10";
    let e = run(&panel(1), ModelKind::Wgan, text, &in_folder(folder.path(), false)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Diverged, "{e}");
    let told = e.to_string();
    assert!(told.contains("last good checkpoint") && told.contains("checkpoint.safetensors"), "{told}");
    assert!(file_in(folder.path()).exists());
}

#[test]
fn a_log_has_a_line_a_look_and_goes_into_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let text = format!("{},log={}", KINDS[0].1, path.display());
    let model = run(&panel(1), ModelKind::Gan, &text, &TrainSettings::default()).unwrap();
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(model.provenance.log, lines);
    for (line, update) in lines.iter().zip([4, 8, 12]) {
        let look: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(look["update"], update);
        for key in ["aa_truth", "aa_syn", "linkage_r", "fixed_sites", "critic", "generator", "distance"] {
            assert!(look[key].is_f64() || look[key].is_u64(), "{key}: {line}");
        }
    }
    assert!(model.describe().iter().any(|(name, value)| name == "looks" && value == "3"));
}

/// A panel of two populations of 60 people, which differ at 30 of 50 sites.
fn two_populations(labelled: bool) -> Panel {
    let sites = (0..50).map(|i| Site {
        contig: "7".into(),
        position: 100 * (i + 1),
        id: ".".into(),
        reference: "A".into(),
        alternate: "C".into(),
    });
    let samples = (0..120).map(|i| Sample {
        name: format!("p{i}"),
        ploidy: 2,
        label: labelled.then(|| if i < 60 { "NORTH" } else { "SOUTH" }.to_string()),
    });
    let stream = Stream::new(4, Purpose::Initial, 3);
    let bits = BitMatrix::from_fn(240, 50, |h, site| {
        let chance = match (site < 30, h < 120) {
            (true, true) => 0.1,
            (true, false) => 0.9,
            (false, _) => 0.4,
        };
        stream.uniform((h * 50 + site) as u64) < chance
    });
    Panel::new(Sites::new(sites.collect()).unwrap(), Samples::new(samples.collect()).unwrap(), bits.unwrap()).unwrap()
}

/// Alleles of the sites that differ, a haplotype.
fn southern(bits: &BitMatrix, h: usize) -> usize {
    (0..30).filter(|site| bits.get(h, *site)).count()
}

/// With 2 x 30 draws of .1 or .9 a haplotype of one population has 3 or 27 alleles on average, give or take 1.6: 15 tells
/// them apart. A generator that learned nothing of populations makes some 15 alleles everywhere.
#[test]
fn generators_learn_two_populations() {
    let panel = two_populations(false);
    for (kind, text) in [
        (
            ModelKind::Gan,
            "updates=1500,looks=5,batch=32,latent=8,unseen=0,penalty=3,learning_rate=1e-3,critic_rate=2e-3",
        ),
        (
            ModelKind::Wgan,
            "updates=1500,looks=5,batch=32,latent=8,unseen=0,body=dense,learning_rate=1e-3,critic_rate=2e-3",
        ),
        (ModelKind::Vae, "updates=1000,looks=5,batch=32,latent=4"),
        (ModelKind::PcaGan, "updates=1500,looks=5,batch=32,latent=8,pca_components=3"),
    ] {
        let model = Arc::new(run(&panel, kind, text, &TrainSettings::default()).unwrap());
        let made = sampler(&model, |_| {}).next(1000).unwrap();
        let counts: Vec<usize> = (0..1000).map(|h| southern(&made, h)).collect();
        let (north, south) = (counts.iter().filter(|c| **c <= 9).count(), counts.iter().filter(|c| **c >= 21).count());
        assert!(north > 300 && south > 300, "{kind:?}: {north} and {south} of 1000");
    }
}

#[test]
fn labels_that_are_asked_for_are_made() {
    let panel = two_populations(true);
    let text = "updates=1200,looks=4,batch=32,latent=8,body=dense,unseen=0,learning_rate=1e-3,critic_rate=2e-3";
    for kind in [ModelKind::Gan, ModelKind::Wgan] {
        let model = Arc::new(run(&panel, kind, text, &TrainSettings::default()).unwrap());
        assert_eq!(model.labels().names, ["NORTH", "SOUTH"]);
        let accuracy = model.provenance.metrics.iter().find(|(name, _)| name == "label_accuracy").unwrap().1;
        assert!(accuracy > 0.9, "{kind:?}: {accuracy}");
        for (label, is_south) in [("NORTH", false), ("SOUTH", true)] {
            let made = sampler(&model, |s| s.label = Some(label.into())).next(400).unwrap();
            let right = (0..400).filter(|h| (southern(&made, *h) > 15) == is_south).count();
            assert!(right > 380, "{kind:?} {label}: {right} of 400");
        }
        assert!(model.provenance.log.iter().all(|line| !line.contains("critic_labels")));
        let e =
            Sampler::new(model.clone(), &SampleSettings { label: Some("WEST".into()), ..SampleSettings::default() });
        let e = e.err().unwrap();
        assert_eq!(e.kind(), ErrorKind::UnknownName);
        assert!(e.to_string().contains("NORTH"), "{e}");
    }
    let unconditional = run(&panel, ModelKind::Gan, &format!("{text},conditional=false"), &TrainSettings::default());
    assert!(unconditional.unwrap().labels().is_empty());
}

/// A haplotype of one population has 15 of the 30 alleles or more with a chance below 1e-7. A generator that knows nothing of
/// what is asked for makes half of them right: 380 of 400 and more have a chance below 1e-80.
#[test]
fn an_auxiliary_classifier_teaches_labels() {
    let panel = two_populations(true);
    let rates = "updates=800,looks=2,batch=32,latent=8,body=dense,unseen=0,learning_rate=1e-3,critic_rate=2e-3";
    for (kind, text) in [(ModelKind::Gan, ""), (ModelKind::Gan, "optimiser=rmsprop"), (ModelKind::Wgan, "pack=2")] {
        let text = format!("{rates},label_critic=auxiliary,{text}");
        let model = Arc::new(run(&panel, kind, &text, &TrainSettings::default()).unwrap());
        for (label, is_south) in [("NORTH", false), ("SOUTH", true)] {
            let made = sampler(&model, |s| s.label = Some(label.into())).next(400).unwrap();
            let right = (0..400).filter(|h| (southern(&made, *h) > 15) == is_south).count();
            assert!(right > 380, "{kind:?} {text} {label}: {right} of 400");
        }
        let last: serde_json::Value = serde_json::from_str(model.provenance.log.last().unwrap()).unwrap();
        for key in ["critic_labels_real", "critic_labels_artificial", "label_accuracy"] {
            assert!(last[key].as_f64().unwrap() > 0.9, "{kind:?} {text}: {last}");
        }
    }
}

/// Nothing of how a generator is trained is told by what its file holds: a joined and an auxiliary critic teach the same layers.
#[test]
fn a_critics_manner_is_not_in_the_model() {
    let panel = two_populations(true);
    let (kind, text) = AUXILIARY[0];
    let model = run(&panel, kind, text, &TrainSettings::default()).unwrap();
    let joined = run(&panel, kind, &text.replace("auxiliary", "joined"), &TrainSettings::default()).unwrap();
    let graph = |model: &Model| match &model.generator {
        Generator::Neural(neural) => neural.network.graph.clone(),
        _ => panic!("a neural generator"),
    };
    assert_eq!(graph(&model), graph(&joined));
    assert_ne!(to_bytes(&model).unwrap(), to_bytes(&joined).unwrap());
    assert_eq!(from_bytes(&to_bytes(&model).unwrap()).unwrap(), model);
}

#[test]
fn options_are_refused_where_they_mean_nothing() {
    let (labelled, plain) = (two_populations(true), two_populations(false));
    let short = "updates=2,looks=1,batch=4";
    for (panel, kind, text, told) in [
        (&plain, ModelKind::Gan, "label_critic=auxiliary", "labels"),
        (&labelled, ModelKind::Wgan, "label_critic=auxiliary,conditional=false", "conditional"),
        (&labelled, ModelKind::Vae, "label_critic=auxiliary", "gan and wgan"),
        (&labelled, ModelKind::PcaGan, "label_critic=auxiliary", "gan and wgan"),
        (&labelled, ModelKind::Gan, "label_weight=2", "label_critic=auxiliary"),
        (&labelled, ModelKind::Gan, "optimiser=sgd", "rmsprop"),
        (&labelled, ModelKind::Rbm, "optimiser=rmsprop", "sgd or adam"),
    ] {
        let e = run(panel, kind, &format!("{short},{text}"), &TrainSettings::default()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidOption, "{kind:?} {text}");
        assert!(e.to_string().contains(told), "{kind:?} {text}: {e}");
    }
    // Every kind takes both rules, and what is told by a classifier may weigh nothing.
    for kind in [ModelKind::Vae, ModelKind::PcaGan, ModelKind::Gan] {
        run(&labelled, kind, "updates=2,looks=1,batch=16,latent=4,optimiser=rmsprop", &TrainSettings::default())
            .unwrap();
    }
    let weightless = "updates=2,looks=1,batch=16,latent=4,label_critic=auxiliary,label_weight=0";
    run(&labelled, ModelKind::Gan, weightless, &TrainSettings::default()).unwrap();
}

#[test]
fn unphased_genotypes_are_learned_as_people() {
    let panel = two_populations(false);
    let text = "updates=1500,looks=3,batch=32,latent=8,unseen=0,penalty=3,learning_rate=1e-3,critic_rate=2e-3,genotypes=unphased";
    let model = Arc::new(run(&panel, ModelKind::Gan, text, &TrainSettings::default()).unwrap());
    let Generator::Neural(neural) = &model.generator else { panic!("a neural generator") };
    assert_eq!(neural.columns(50), 100);
    let made = sampler(&model, |_| {}).next(400).unwrap();
    // The columns of a site are the smaller and the larger allele: a person's first haplotype has an allele only where the
    // second has it too. What a generator makes follows that up to its noise.
    let (mut first, mut against) = (0, 0);
    for person in 0..200 {
        for site in 0..50 {
            if made.get(2 * person, site) {
                first += 1;
                against += usize::from(!made.get(2 * person + 1, site));
            }
        }
    }
    assert!(first > 1000 && against * 4 < first, "{against} of {first}");
    let odd = sampler(&model, |_| {}).next(33).unwrap();
    assert!(odd == made.select_rows(&(0..33).collect::<Vec<_>>()).unwrap());
    let e =
        run(&panel, ModelKind::Wgan, "genotypes=unphased,body=convolutional", &TrainSettings::default()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidOption);
}
