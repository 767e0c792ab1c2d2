//! A generator that PyTorch trained, brought in by `examples/python/import_wgan.py`: it makes of the same noise what
//! PyTorch makes of it. `tests/golden/import/make.py` says how its numbers were made; `ffi-tests/examples/import.sh`
//! checks that the script makes the model that is read here.

use haploom::model_file::{from_bytes, open, to_bytes};
use haploom::models::neural::{Drawer, Inputs, Rows};
use haploom::models::{Generator, Model, ModelKind};
use haploom::nn::{Pass, Tensor, Workspace};
use haploom::rng::Purpose;
use haploom::sample::{SampleSettings, Sampler};
use haploom::threads::Threads;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/import").join(name)
}

/// PyTorch's numbers.
fn expected(name: &str) -> Vec<f64> {
    let bytes = std::fs::read(golden("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensor(name).unwrap().data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

fn imported() -> Model {
    open(&golden("model.safetensors")).unwrap()
}

fn drawer(model: &Model) -> Drawer {
    let Generator::Neural(generator) = &model.generator else { panic!("a {:?}", model.kind()) };
    Drawer::new(generator, model.sites.len())
}

#[test]
fn an_imported_generator_is_a_model_like_any_other() {
    let model = imported();
    assert_eq!((model.kind(), model.sites.len()), (ModelKind::Wgan, 100));
    let text: String = model
        .sites
        .iter()
        .map(|s| format!("{}\t{}\t{}\t{}\t{}\n", s.contig, s.position, s.id, s.reference, s.alternate))
        .collect();
    assert_eq!(text, std::fs::read_to_string(golden("sites.tsv")).unwrap());
    assert!(from_bytes(&to_bytes(&model).unwrap()).unwrap() == model);
}

/// In double precision, where factors of products are not rounded, layer by layer the same network.
#[test]
fn an_imported_generator_makes_of_noise_what_pytorch_makes_of_it() {
    let model = imported();
    let Generator::Neural(generator) = &model.generator else { panic!("a {:?}", model.kind()) };
    let network = &generator.network;
    let noise: Vec<f32> = expected("noise").into_iter().map(|x| x as f32).collect();
    let mut single = Workspace::new(Threads::single());
    let mut workspace: Workspace<f64> = Workspace::new(Threads::single());
    let inputs: Vec<Tensor<f64>> = Inputs::of(&network.graph, 0)
        .tensors(&mut single, &noise, &[0; 4])
        .unwrap()
        .iter()
        .map(|input| {
            let mut wide = workspace.zeros(input.channels, input.samples, input.length).unwrap();
            wide.rows_mut().iter_mut().zip(input.rows()).for_each(|(w, x)| *w = f64::from(*x));
            wide
        })
        .collect();
    let numbers: Vec<Vec<f64>> =
        network.numbers.iter().map(|list| list.iter().map(|x| f64::from(*x)).collect()).collect();
    let found = Pass { graph: &network.graph, numbers: (&numbers).into(), workspace: &mut workspace }
        .apply(&inputs.iter().collect::<Vec<_>>())
        .unwrap();
    let wanted = expected("log_odds");
    assert_eq!((found.samples, wanted.len()), (4, 400));
    for (i, w) in wanted.iter().enumerate() {
        let (haplotype, site) = (i / 100, i % 100);
        let f = found.positions(0, haplotype)[site];
        assert!((f - w).abs() < 1e-4, "haplotype {haplotype}, site {site}: {f} for PyTorch's {w}");
    }
    // With factors rounded to 8 bits, through 24 layers: the same but for some percent of what there is.
    let rounded = drawer(&model).log_odds(&mut single, &noise, &[0; 4]).unwrap();
    let size = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
    let error = size(&mut rounded.iter().zip(&wanted).map(|(r, w)| f64::from(*r) - w));
    let share = error / size(&mut wanted.iter().copied());
    assert!(share < 0.05, "rounding changes the log odds by {share} of their size");
}

/// Published haplotypes are rounded: an allele is on where its chance is above a half.
///
/// Of 20,000 and PyTorch's 100,000 haplotypes, shares that differ by more than 5 standard errors at one of 100 sites would
/// be a false alarm with a chance of 6e-5; the seed is fixed.
#[test]
fn samples_of_an_imported_generator_are_rounded_and_have_pytorchs_frequencies() {
    let model = Arc::new(imported());
    let settings = SampleSettings { seed: 5, ..SampleSettings::default() };
    let count = 20_000;
    let haplotypes = Sampler::new(model.clone(), &settings).unwrap().next(count).unwrap();
    let mut workspace = Workspace::new(Threads::single());
    let rows = Rows { seed: 5, purpose: Purpose::Sample, first: 0, count: 300, label: None };
    let odds = drawer(&model).odds_of(&mut workspace, rows).unwrap();
    for (i, odds) in odds.iter().enumerate() {
        assert_eq!(haplotypes.get(i / 100, i % 100), *odds > 0.0, "haplotype {}, site {}", i / 100, i % 100);
    }
    for (site, wanted) in expected("frequency").into_iter().enumerate() {
        let found = (0..count).filter(|row| haplotypes.get(*row, site)).count() as f64 / count as f64;
        // A share of next to 0 or 1 has the error of one of a few haplotypes.
        let spread = (wanted * (1.0 - wanted)).max(2e-4);
        let error = (spread * (1.0 / count as f64 + 1e-5)).sqrt();
        assert!((found - wanted).abs() < 5.0 * error, "site {site}: {found} for PyTorch's {wanted}");
    }
}
