//! The 805 sites of Yelmen et al. 2021, learned on a GPU. `make test-gpu` runs this where HAPLOOM_DATA names the folder with the
//! panel; the emulator would take hours.

use haploom::compute::DeviceChoice;
use haploom::evaluate::{EvaluateOptions, evaluate};
use haploom::io::{ReadOptions, read_panel};
use haploom::model_file::to_bytes;
use haploom::models::{Model, ModelKind};
use haploom::options::Options;
use haploom::panel::Panel;
use haploom::progress::Progress;
use haploom::sample::{SampleSettings, Sampler};
use haploom::threads::Threads;
use haploom::train::{TrainSettings, train};
use std::path::PathBuf;
use std::sync::Arc;

const GPU: DeviceChoice = DeviceChoice::Cuda(0);

fn panel() -> Option<Panel> {
    let Some(folder) = std::env::var_os("HAPLOOM_DATA").map(PathBuf::from) else {
        println!("skipped: HAPLOOM_DATA is not set");
        return None;
    };
    let options = ReadOptions { legend: Some(folder.join("805_SNP.legend")), ..ReadOptions::default() };
    Some(read_panel(&folder.join("805_SNP_1000G_real.hapt.gz"), &options).unwrap().panel)
}

fn learned(panel: &Panel, kind: ModelKind, device: DeviceChoice) -> Model {
    let settings = TrainSettings { device, threads: Threads::new(0), ..TrainSettings::default() };
    train(panel, kind, &Options::new(), &settings, &mut Progress::none()).unwrap()
}

/// What 5,000 haplotypes of a model are like, with its metrics within bounds.
fn judged(panel: &Panel, model: Model, device: DeviceChoice, bounds: &[(&str, f64, f64)]) {
    let settings = SampleSettings { device, ..SampleSettings::default() };
    let made = Sampler::new(Arc::new(model), &settings).unwrap().haplotypes(5_000, &mut Progress::none()).unwrap();
    let made = Panel::artificial(panel.sites().clone(), made, "A").unwrap();
    let options = EvaluateOptions { threads: Threads::new(0), device, ..EvaluateOptions::default() };
    let found = evaluate(panel, &made, None, &options, &mut Progress::none()).unwrap();
    println!("{}", found.to_table());
    for (name, least, most) in bounds {
        let value = found.get(name).unwrap_or(f64::NAN);
        assert!((*least..=*most).contains(&value), "{name}: {value}, not from {least} to {most}");
    }
}

/// An RBM by its defaults is the processor's, byte for byte, and its haplotypes have the metrics of benches/RESULTS.md.
#[test]
#[ignore = "needs a device and HAPLOOM_DATA: make test-gpu"]
fn an_rbm_of_805_sites() {
    let Some(panel) = panel() else { return };
    let model = learned(&panel, ModelKind::Rbm, GPU);
    assert!(to_bytes(&model).unwrap() == to_bytes(&learned(&panel, ModelKind::Rbm, DeviceChoice::Cpu)).unwrap());
    let bounds = [
        ("frequency_r", 0.998, 1.0),
        ("frequency_mae", 0.0, 0.0095),
        ("ld_r", 0.977, 1.0),
        ("pca_w2_pc12_reg0.001", 0.0, 0.0050),
        ("pairwise_w1_within", 0.0, 4.7),
        ("aa_truth", 0.46, 0.62),
        ("aa_syn", 0.46, 0.62),
        ("exact_copies", 0.0, 0.0),
    ];
    judged(&panel, model, GPU, &bounds);
}

/// A GAN by its defaults is beyond the published one.
#[test]
#[ignore = "needs a device and HAPLOOM_DATA: make test-gpu"]
fn a_gan_of_805_sites() {
    let Some(panel) = panel() else { return };
    let model = learned(&panel, ModelKind::Gan, GPU);
    let bounds = [
        ("frequency_r", 0.995, 1.0),
        ("frequency_mae", 0.0, 0.0120),
        ("ld_r", 0.965, 1.0),
        ("pairwise_w1_within", 0.0, 4.7),
        ("aa_truth", 0.35, 0.65),
        ("aa_syn", 0.35, 0.70),
        ("exact_copies", 0.0, 0.0),
    ];
    judged(&panel, model, GPU, &bounds);
}
