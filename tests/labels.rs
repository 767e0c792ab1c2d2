//! Labels: which haplotype is of which population does not depend on how haplotypes are asked for.

mod small;

use haploom::models::{Model, ModelKind};
use haploom::options::Options;
use haploom::panel::Panel;
use haploom::panel::bits::BitMatrix;
use haploom::progress::Progress;
use haploom::sample::{SampleSettings, Sampler};
use haploom::threads::Threads;
use haploom::train::{TrainSettings, train};
use std::sync::Arc;

/// Trained in no time on 24 people of A, 10 of B and 6 of C.
fn model(kind: ModelKind, text: &str) -> Arc<Model> {
    let panel = small::panel(1);
    let label = |i: usize| {
        if i < 24 {
            "A"
        } else if i < 34 {
            "B"
        } else {
            "C"
        }
    };
    let names = panel.samples().iter().enumerate().map(|(i, person)| (person.name.clone(), label(i).to_string()));
    let samples = panel.samples().with_labels(&names.collect());
    let panel = panel.with_samples(samples).unwrap();
    let mut options = Options::new();
    options.set_text("updates=5,looks=1,batch=8,latent=8").unwrap();
    options.set_text(text).unwrap();
    Arc::new(train(&panel, kind, &options, &TrainSettings::default(), &mut Progress::none()).unwrap())
}

fn sampler(model: &Arc<Model>, label: Option<&str>, change: impl Fn(&mut SampleSettings)) -> Sampler {
    let mut settings = SampleSettings { seed: 9, label: label.map(String::from), ..SampleSettings::default() };
    change(&mut settings);
    Sampler::new(model.clone(), &settings).unwrap()
}

fn rows(bits: &BitMatrix, range: std::ops::Range<usize>) -> BitMatrix {
    bits.select_rows(&range.collect::<Vec<_>>()).unwrap()
}

fn labels_of(panel: &Panel) -> Vec<&str> {
    panel.samples().iter().map(|person| person.label.as_deref().unwrap_or("none")).collect()
}

/// Haplotype k of a label is a function of model, seed, label and k.
fn check_plans(model: &Arc<Model>) {
    let alone = |label| sampler(model, Some(label), |_| {}).next(600).unwrap();
    let (a, b, c) = (alone("A"), alone("B"), alone("C"));
    let plan = Some("B=501,C=3,A=96");
    let whole = sampler(model, plan, |_| {}).next(600).unwrap();
    let expected = rows(&b, 0..501).stack(&rows(&c, 0..3)).unwrap().stack(&rows(&a, 0..96)).unwrap();
    assert!(whole == expected && whole.any());
    for threads in [2, 3] {
        assert!(sampler(model, plan, |s| s.threads = Threads::new(threads)).next(600).unwrap() == whole);
    }
    for (first, n) in [(0, 1), (500, 2), (499, 8), (503, 97), (599, 1)] {
        let mut stream = sampler(model, plan, |_| {});
        stream.seek(first as u64);
        assert!(stream.next(n).unwrap() == rows(&whole, first..first + n), "{first}, {n}");
        assert_eq!(stream.position(), (first + n) as u64);
    }
    let mut pieces = sampler(model, plan, |_| {});
    for first in (0..600).step_by(7) {
        let n = 7.min(600 - first);
        assert!(pieces.next(n).unwrap() == rows(&whole, first..first + n));
    }
    let mut part = sampler(model, plan, |s| s.region = Some("2".parse().unwrap()));
    assert!(part.next(600).unwrap() == whole.select_columns(&(70..small::SITES).collect::<Vec<_>>()).unwrap());
}

#[test]
fn a_labels_haplotypes_are_the_same_alone_and_in_any_plan_portion_region_and_on_any_threads() {
    check_plans(&model(ModelKind::Gan, ""));
    check_plans(&model(ModelKind::Wgan, "body=dense"));
}

#[test]
fn haplotypes_of_two_labels_share_no_noise() {
    let model = model(ModelKind::Gan, "");
    let next = |label| sampler(&model, label, |_| {}).next(400).unwrap();
    let (a, b, mixed) = (next(Some("A")), next(Some("B")), next(None));
    let apart = |x: &BitMatrix, y: &BitMatrix, shift: usize| -> usize {
        (0..399).map(|r| (0..small::SITES).filter(|c| x.get(r, *c) != y.get(r + shift, *c)).count()).sum()
    };
    // Haplotype i of one label is as far from number i of another as from number i + 1. The sums of 399 distances of
    // about 50 with deviations of 6 to 10 differ by less than 1500 = five deviations of their difference: one false alarm
    // in a million.
    for (x, y) in [(&a, &b), (&a, &mixed), (&b, &mixed)] {
        let (same, next) = (apart(x, y, 0) as f64, apart(x, y, 1) as f64);
        assert!((same - next).abs() < 1500.0, "{same} {next}");
    }
}

#[test]
fn a_person_is_of_one_label_drawn_in_their_shares() {
    for model in [model(ModelKind::Gan, ""), model(ModelKind::Gan, "genotypes=unphased")] {
        let stream = sampler(&model, None, |_| {});
        let number = |i: u64| stream.model().labels().number(stream.label(i).unwrap()).unwrap();
        let mut counts = [0.0; 3];
        for person in 0..4000 {
            assert_eq!(number(2 * person), number(2 * person + 1));
            counts[number(2 * person)] += 1.0 / 4000.0;
        }
        // Five standard errors of a share: one false alarm in half a million.
        for (found, share) in counts.iter().zip(&model.labels().shares) {
            assert!((found - share).abs() < 5.0 * (share * (1.0 - share) / 4000.0).sqrt(), "{counts:?}");
        }
        // The stream of all labels does not depend on where it is entered either, in the middle of a person too.
        let whole = sampler(&model, None, |_| {}).next(501).unwrap();
        for (first, n) in [(1, 4), (7, 300), (480, 21)] {
            let mut stream = sampler(&model, None, |s| s.threads = Threads::new(2));
            stream.seek(first as u64);
            assert!(stream.next(n).unwrap() == rows(&whole, first..first + n));
        }
    }
}

#[test]
fn people_carry_their_labels_and_the_header_counts_them() {
    let model = model(ModelKind::Gan, "");
    let progress = &mut Progress::none();
    let mut stream = sampler(&model, Some("C=4,A=2"), |_| {});
    assert_eq!((stream.end(), stream.plan().haplotypes()), (6, Some(6)));
    let people = stream.people(6, "P", progress).unwrap();
    let line = people.header_lines.iter().find(|(key, _)| key == "haploom_labels").unwrap();
    assert_eq!(line.1, "C:4,A:2");
    assert_eq!(labels_of(&people.into_panel().unwrap()), ["C", "C", "A"]);
    stream.seek(2);
    assert_eq!(labels_of(&stream.people(4, "P", progress).unwrap().into_panel().unwrap()), ["C", "A"]);
    let one = sampler(&model, Some("B"), |_| {}).people(2, "P", progress).unwrap();
    assert_eq!(labels_of(&one.into_panel().unwrap()), ["B"]);
    let mut all = sampler(&model, None, |_| {});
    let panel = all.people(40, "P", progress).unwrap().into_panel().unwrap();
    let drawn: Vec<&str> = (0..20).map(|person| all.label(2 * person).unwrap()).collect();
    assert_eq!(labels_of(&panel), drawn);
    // A model without labels gives none, and has no such line.
    let mut plain = sampler(&self::model(ModelKind::Gan, "conditional=false"), None, |_| {});
    assert_eq!(plain.label(0), None);
    let people = plain.people(4, "P", progress).unwrap();
    assert!(people.samples.iter().all(|person| person.label.is_none()));
    assert!(people.header_lines.iter().all(|(key, _)| key != "haploom_labels"));
}

#[test]
fn past_the_end_of_a_plan_is_refused_and_the_stream_stays() {
    let model = model(ModelKind::Gan, "");
    let mut stream = sampler(&model, Some("A=5,B=4"), |_| {});
    let whole = stream.next(9).unwrap();
    assert!(stream.next(0).is_ok());
    let error = stream.next(1).unwrap_err();
    assert!(error.to_string().contains("ask for 9 haplotypes, and 1 from 9 on"), "{error}");
    assert_eq!((stream.position(), stream.label(9)), (9, None));
    stream.seek(7);
    assert!(stream.next(3).is_err());
    assert!(stream.next(2).unwrap() == rows(&whole, 7..9));
    stream.seek(u64::MAX);
    assert!(stream.next(1).is_err());
    stream.seek(0);
    let error = stream.people(4, "P", &mut Progress::none()).unwrap_err();
    assert!(error.to_string().contains("5 haplotypes of A do not pair"), "{error}");
}
