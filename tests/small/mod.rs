//! A small panel with linkage, and models of it that take a moment to train.
#![allow(dead_code)]

use haploom::models::{Model, ModelKind};
use haploom::options::Options;
use haploom::panel::Panel;
use haploom::panel::bits::BitMatrix;
use haploom::panel::sites::{Site, Sites};
use haploom::progress::Progress;
use haploom::rng::{Purpose, Stream};
use haploom::sample::{SampleSettings, Sampler};
use haploom::train::{TrainSettings, train};
use std::sync::Arc;

pub const SITES: usize = 133;

/// 80 haplotypes, mosaics of six founders with errors; two contigs.
pub fn panel(seed: u64) -> Panel {
    let mut random = Stream::new(seed, Purpose::Evaluate, 0).reader(0);
    let founders = BitMatrix::from_fn(6, SITES, |_, _| random.below(3) == 0).unwrap();
    let mut founder = 0;
    let bits = BitMatrix::from_fn(80, SITES, |_, c| {
        if c == 0 || random.below(25) == 0 {
            founder = random.below(6);
        }
        founders.get(founder, c) ^ (random.below(50) == 0)
    })
    .unwrap();
    let site = |i: usize| Site {
        contig: if i < 70 { "1" } else { "2" }.into(),
        position: 100 * i as u64 + 1,
        id: format!("rs{i}").into(),
        reference: "A".into(),
        alternate: "G".into(),
    };
    Panel::artificial(Sites::new((0..SITES).map(site).collect()).unwrap(), bits, "P").unwrap()
}

pub fn options(text: &str) -> Options {
    let mut options = Options::new();
    options.set_text("hidden=9,updates=40,batch=30,chains=25,k=2,sweeps=6,clusters=4,cluster_size=10").unwrap();
    options.set_text("window=5").unwrap();
    options.set_text(text).unwrap();
    options
}

pub fn model(kind: ModelKind, text: &str) -> Arc<Model> {
    let settings = TrainSettings { seed: 5, ..TrainSettings::default() };
    Arc::new(train(&panel(1), kind, &options(text), &settings, &mut Progress::none()).unwrap())
}

pub fn sampler(model: &Arc<Model>, text: &str, change: impl FnOnce(&mut SampleSettings)) -> Sampler {
    let mut options = options(text);
    if model.kind() == ModelKind::Rbm {
        options.set_text("rounds=4,round_sweeps=2").unwrap();
    }
    let mut settings = SampleSettings { seed: 9, options, ..SampleSettings::default() };
    change(&mut settings);
    Sampler::new(model.clone(), &settings).unwrap()
}
