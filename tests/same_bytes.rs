//! Haplotype i is a function of (model, seed, start panel, i): not of threads, chunks, regions or seeks.

mod small;

use haploom::models::{Model, ModelKind};
use haploom::panel::bits::BitMatrix;
use haploom::sample::{SampleSettings, Sampler};
use haploom::threads::Threads;
use small::{model, panel, sampler};
use std::sync::Arc;

/// More than a batch of the sampler, and no multiple of one.
const N: usize = 501;

fn in_pieces(mut sampler: Sampler, size: usize, n: usize) -> BitMatrix {
    let mut all = BitMatrix::zeros(0, sampler.sites().len()).unwrap();
    while all.rows() < n {
        let piece = sampler.next(size.min(n - all.rows())).unwrap();
        all = all.stack(&piece).unwrap();
    }
    assert_eq!(sampler.position(), n as u64);
    all
}

fn check(model: &Arc<Model>, text: &str, change: impl Fn(&mut SampleSettings)) {
    let new = |more: &dyn Fn(&mut SampleSettings)| {
        sampler(model, text, |s| {
            change(s);
            more(s);
        })
    };
    let whole = new(&|_| {}).next(N).unwrap();
    assert!(whole.any(), "{text}");
    for threads in [2, 3] {
        let found = new(&|s| s.threads = Threads::new(threads)).next(N).unwrap();
        assert!(found == whole, "{text}: {threads} threads");
    }
    let head = |n: usize| whole.select_rows(&(0..n).collect::<Vec<_>>()).unwrap();
    for (size, n) in [(1, 40), (7, 200), (500, N)] {
        assert!(in_pieces(new(&|_| {}), size, n) == head(n), "{text}: {size} at a time");
    }
    let mut far = new(&|s| s.threads = Threads::new(2));
    for (start, n) in [(483, 18), (0, 3), (77, 11)] {
        far.seek(start as u64);
        let rows: Vec<usize> = (start..start + n).collect();
        assert!(far.next(n).unwrap() == whole.select_rows(&rows).unwrap(), "{text}: after a seek to {start}");
    }
    for (region, columns) in [("1", 0..70), ("2:7001-7900", 70..79), ("2:13201-", 132..133)] {
        let mut part = new(&|s| s.region = Some(region.parse().unwrap()));
        assert_eq!(part.sites().len(), columns.len());
        assert_eq!(part.sites().as_slice(), &model.sites.as_slice()[columns.clone()]);
        part.seek(3);
        let expected = whole.select_columns(&columns.collect::<Vec<_>>()).unwrap();
        let rows: Vec<usize> = (3..60).collect();
        assert!(part.next(57).unwrap() == expected.select_rows(&rows).unwrap(), "{text}: region {region}");
    }
    assert!(new(&|s| s.seed += 1).next(N).unwrap() != whole, "{text}: another seed");
}

#[test]
fn bernoulli_and_markov_samples_are_functions_of_their_numbers() {
    check(&model(ModelKind::Bernoulli, ""), "", |_| {});
    check(&model(ModelKind::Markov, ""), "", |_| {});
}

#[test]
fn samples_of_clusters_are_functions_of_their_numbers() {
    check(&model(ModelKind::Hmm, "hmm_clusters=7,stretch=40"), "", |_| {});
}

#[test]
fn samples_of_a_copied_panel_are_functions_of_their_numbers() {
    check(&model(ModelKind::Copying, "effective_size=1e5,error=0.01"), "", |_| {});
}

#[test]
fn woven_samples_are_functions_of_their_numbers() {
    check(&model(ModelKind::Context, ""), "", |_| {});
}

#[test]
fn gibbs_samples_are_functions_of_their_numbers() {
    let bernoulli = model(ModelKind::Rbm, "");
    for text in ["", "sampler=mixture,sample_sweeps=3", "sampler=gibbs", "sampler=random,sample_sweeps=2"] {
        check(&bernoulli, text, |_| {});
    }
    check(&model(ModelKind::Rbm, "hidden_type=relu,learning_rate=0.01"), "", |_| {});
}

#[test]
fn tempered_samples_are_functions_of_their_numbers() {
    let model = model(ModelKind::Rbm, "ladder=true");
    check(&model, "sampler=tempering", |_| {});
}

#[test]
fn samples_from_a_start_panel_are_functions_of_their_numbers() {
    let model = model(ModelKind::Rbm, "");
    let start = panel(2);
    check(&model, "", |s| s.start = Some(start.clone()));
    // Haplotype i starts from row i modulo their number, with random numbers of its own.
    let mut all = sampler(&model, "", |s| s.start = Some(start.clone()));
    let others = all.next(160).unwrap();
    assert_ne!(others.row(0), others.row(80));
}

/// Training on 1, 2 and 3 threads gives the same file.
#[test]
fn models_do_not_depend_on_threads() {
    use haploom::model_file::to_bytes;
    use haploom::progress::Progress;
    use haploom::train::{TrainSettings, train};
    for text in ["ladder=true", "optimiser=adam,learning_rate=0.01", "hidden_type=relu,learning_rate=0.01,method=rdm"] {
        let trained = |threads: usize| {
            let settings = TrainSettings { seed: 5, threads: Threads::new(threads), ..TrainSettings::default() };
            let options = small::options(text);
            to_bytes(&train(&panel(1), ModelKind::Rbm, &options, &settings, &mut Progress::none()).unwrap()).unwrap()
        };
        let one = trained(1);
        assert!(trained(2) == one && trained(3) == one, "{text}");
    }
}
