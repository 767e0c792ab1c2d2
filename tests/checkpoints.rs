//! A run that was stopped goes on to the same bits, and no other checkpoint is taken for its own.

mod small;

use haploom::error::{Error, ErrorKind};
use haploom::model_file::{from_bytes, to_bytes};
use haploom::models::{Model, ModelKind};
use haploom::panel::Panel;
use haploom::progress::{Cancel, Event, Progress};
use haploom::threads::Threads;
use haploom::train::checkpoint::file_in;
use haploom::train::{TrainSettings, train};
use proptest::prelude::*;
use small::{options, panel};
use std::path::Path;

fn run(panel: &Panel, text: &str, settings: &TrainSettings) -> Result<Model, Error> {
    train(panel, ModelKind::Rbm, &options(text), settings, &mut Progress::none())
}

/// Trains until `update`, then asks to stop.
fn stop_at(update: u64, text: &str, settings: &TrainSettings) -> Error {
    let cancel = Cancel::new();
    let flag = cancel.clone();
    let mut report = |event: &Event| {
        if matches!(event, Event::Step { phase: "training", done, .. } if *done == update) {
            flag.cancel();
        }
    };
    let mut progress = Progress::new(&mut report, cancel);
    train(&panel(1), ModelKind::Rbm, &options(text), settings, &mut progress).unwrap_err()
}

fn settings(folder: &Path, resume: bool) -> TrainSettings {
    TrainSettings { seed: 5, checkpoint: Some(folder.to_path_buf()), resume, ..TrainSettings::default() }
}

#[test]
fn a_resumed_run_ends_with_the_bits_of_one_that_was_never_stopped() {
    for text in [
        "",
        "optimiser=adam,learning_rate=0.01",
        "ladder=true,learning_rate=0.2",
        "optimiser=adam,learning_rate=0.01,ladder=true,method=pcd,hidden_type=relu",
        "momentum=0.9,method=rdm,l2=0.01,centred=false",
        "held_out=0.2,stop=held_out,stop_every=10,stop_gap=1000",
    ] {
        let alone = TrainSettings { seed: 5, ..TrainSettings::default() };
        let uninterrupted = to_bytes(&run(&panel(1), text, &alone).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for update in [13, 28] {
            let e = stop_at(update, text, &settings(folder.path(), update > 13));
            assert_eq!(e.kind(), ErrorKind::Cancelled, "{text}");
            assert!(e.to_string().contains("resume=true"), "{e}");
        }
        let mut last = settings(folder.path(), true);
        last.threads = Threads::new(2);
        let resumed = to_bytes(&run(&panel(1), text, &last).unwrap()).unwrap();
        assert!(resumed == uninterrupted, "{text}");
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    stop_at(13, "", &settings(folder.path(), false));
    let resume = settings(folder.path(), true);
    let kind = |result: Result<Model, Error>| result.unwrap_err().kind();
    assert_eq!(kind(run(&panel(2), "", &resume)), ErrorKind::CheckpointMismatch);
    assert_eq!(kind(run(&panel(1), "learning_rate=0.06", &resume)), ErrorKind::CheckpointMismatch);
    assert_eq!(kind(run(&panel(1), "hidden=10", &resume)), ErrorKind::CheckpointMismatch);
    let other_seed = TrainSettings { seed: 6, ..resume.clone() };
    assert_eq!(kind(run(&panel(1), "", &other_seed)), ErrorKind::CheckpointMismatch);
    let nowhere = TrainSettings { checkpoint: None, ..resume.clone() };
    assert_eq!(kind(run(&panel(1), "", &nowhere)), ErrorKind::InvalidArgument);
    let empty = tempfile::tempdir().unwrap();
    let e = run(&panel(1), "", &settings(empty.path(), true)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io);
    assert_eq!(e.place().file.as_deref(), Some(file_in(empty.path()).as_path()));
    // A model is no checkpoint, and a checkpoint is no model.
    let bytes = std::fs::read(file_in(folder.path())).unwrap();
    assert_eq!(from_bytes(&bytes).unwrap_err().kind(), ErrorKind::NotAModel);
    std::fs::write(file_in(empty.path()), to_bytes(&small::model(ModelKind::Rbm, "")).unwrap()).unwrap();
    let e = run(&panel(1), "", &settings(empty.path(), true)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::CheckpointMismatch, "{e}");
}

/// Flipped bits and cut ends: an error or a run that ends, and never a panic.
#[test]
fn damaged_checkpoints_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    stop_at(38, "", &settings(folder.path(), false));
    let path = file_in(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let resume = settings(folder.path(), true);
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(at in any::<prop::sample::Index>(), bit in 0..8u8, in_header: bool, cut: bool)| {
        let mut bytes = whole.clone();
        let at = at.index(if in_header { header } else { whole.len() });
        bytes[at] ^= 1u8 << bit;
        if cut && !in_header {
            bytes.truncate(at);
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Err(e) = run(&panel(1), "", &resume) {
            let kinds = [ErrorKind::ModelCorrupt, ErrorKind::NotAModel, ErrorKind::CheckpointMismatch, ErrorKind::Diverged];
            prop_assert!(kinds.contains(&e.kind()), "{}", e);
        } else {
            prop_assert!(!cut || in_header);
        }
    });
}
