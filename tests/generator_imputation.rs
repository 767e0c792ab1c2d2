//! Imputation by neural generators, against sums over their latent space; and what encoders make of haplotypes.

mod small;

use haploom::compute::Device;
use haploom::error::ErrorKind;
use haploom::impute::{ImputeFileOptions, ImputeSettings, Imputer, Typed, impute_file};
use haploom::io::{WriteOptions, read_panel, write_panel};
use haploom::models::encode::encode;
use haploom::models::labels::Labels;
use haploom::models::neural::dense::Dense;
use haploom::models::neural::{Body, Clusters, Latent, Neural};
use haploom::models::{Generator, Model, ModelKind, Output, Provenance};
use haploom::nn::Network;
use haploom::panel::bits::BitMatrix;
use haploom::progress::Progress;
use haploom::rng::{Purpose, Stream};
use haploom::threads::Threads;
use small::{SITES, model, panel};
use std::sync::Arc;

/// Sites of the small generator.
const FEW: usize = 6;

/// Two latent numbers to six sites through eight units.
fn generator(latent: Latent, labels: Labels) -> Neural {
    let body = Body::Dense(Dense { latent: 2, widths: vec![8], normalised: false, slope: 0.01 });
    let graph = Neural::graph(&body, 0, FEW, labels.len());
    let mut network = Network::initial(graph, Stream::new(3, Purpose::Initial, 0));
    network.numbers.iter_mut().flatten().for_each(|number| *number *= 0.8);
    Neural {
        kind: ModelKind::Gan,
        body,
        components: 0,
        network,
        latent,
        output: Output { sharpness: 1.5, bias: vec![0.5, -0.25, 0.0, 0.25, -0.5, 1.0] },
        drawn: true,
        labels,
        genotypes: false,
        encoder: None,
    }
}

fn of(neural: Neural) -> Arc<Model> {
    let sites = panel(1).sites().select(&(0..FEW).collect::<Vec<_>>()).unwrap();
    neural.check(FEW).unwrap();
    Arc::new(Model { sites, generator: Generator::Neural(Box::new(neural)), provenance: Provenance::default() })
}

/// Points of a grid over the latent space with their weights, and the chances of the alternate allele there: a mixture of
/// clusters and labels, by the network as it is written down, number by number.
fn grid(neural: &Neural) -> Vec<(f64, Vec<f64>)> {
    let (numbers, labels) = (&neural.network.numbers, neural.labels.len().max(1));
    let copies = if neural.labels.is_empty() { 0 } else { 8 * labels };
    let plain = Clusters { shares: vec![1.0], means: vec![0.0; 2], roots: vec![1.0, 0.0, 0.0, 1.0] };
    let clusters = match &neural.latent {
        Latent::Normal => &plain,
        Latent::Mixture(clusters) => clusters,
    };
    let mut points = Vec::new();
    let steps = || (-60..=60).map(|i| f64::from(i) / 12.0);
    for label in 0..labels {
        let share = neural.labels.shares.get(label).copied().unwrap_or(1.0);
        for c in 0..clusters.shares.len() {
            let (mean, root) = (&clusters.means[2 * c..], &clusters.roots[4 * c..]);
            for (x, y) in steps().flat_map(|x| steps().map(move |y| (x, y))) {
                let placed = |i: usize| {
                    f64::from(mean[i])
                        + f64::from(root[2 * i]) * x
                        + f64::from(root[2 * i + 1]) * if i == 1 { y } else { 0.0 }
                };
                let mut input = vec![placed(0), placed(1)];
                input.extend((0..copies).map(|i| f64::from(u8::from(i % labels == label))));
                let layer = |input: &[f64], weights: &[f32], bias: &[f32]| -> Vec<f64> {
                    let rows = weights.chunks_exact(input.len()).zip(bias);
                    rows.map(|(w, b)| w.iter().zip(input).map(|(w, x)| f64::from(*w) * x).sum::<f64>() + f64::from(*b))
                        .collect()
                };
                let mut hidden = layer(&input, &numbers[0], &numbers[1]);
                hidden.iter_mut().filter(|h| **h < 0.0).for_each(|h| *h *= 0.01);
                let odds = layer(&hidden, &numbers[2], &numbers[3]);
                let chances = odds.iter().zip(&neural.output.bias);
                let chances = chances.map(|(x, b)| 1.0 / (1.0 + (-(1.5 * x + f64::from(*b))).exp())).collect();
                points.push((share * f64::from(clusters.shares[c]) * (-0.5 * (x * x + y * y)).exp(), chances));
            }
        }
    }
    points
}

/// The chance of the alternate allele at a site, given alleles that are seen wrongly with the chance `error`.
fn chance(grid: &[(f64, Vec<f64>)], site: usize, known: &[(usize, bool)], error: f64) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (weight, chances) in grid {
        let seen = |(site, allele): &(usize, bool)| {
            let p = if *allele { chances[*site] } else { 1.0 - chances[*site] };
            p * (1.0 - error) + (1.0 - p) * error
        };
        let weight = weight * known.iter().map(seen).product::<f64>();
        total += weight;
        sum += weight * chances[site];
    }
    sum / total
}

fn impute(imputer: &Imputer, typed: &Typed, threads: usize) -> (Vec<f32>, Vec<f32>) {
    let fitted = imputer.fit(typed, &Threads::new(threads), &mut Progress::none()).unwrap();
    let mut dosages = vec![0.0; typed.haplotypes() * imputer.sites().len()];
    let mut left_out = vec![0.0; typed.haplotypes() * typed.sites().len()];
    fitted.impute_all(typed, &mut dosages, &mut left_out, &mut Progress::none()).unwrap();
    (dosages, left_out)
}

fn mixture() -> Latent {
    Latent::Mixture(Clusters {
        shares: vec![0.3, 0.7],
        means: vec![1.5, -0.5, -1.0, 0.25],
        roots: vec![0.8, 0.0, 0.4, 0.6, 1.2, 0.0, -0.3, 0.5],
    })
}

fn labels() -> Labels {
    Labels { names: vec!["A".into(), "B".into()], shares: vec![0.25, 0.75] }
}

/// The pool alone, 40,000 points, and 3,000 chains: against sums over a grid. Weights are worth at least 2,000 points, so
/// standard errors are below .011; the bound is .04 (more than 3.5 of them; the seed is fixed).
#[test]
fn dosages_are_posterior_means() {
    let known = [(1, true), (3, false), (4, false)];
    let alleles = BitMatrix::from_fn(1, 3, |_, c| known[c].1).unwrap();
    let typed = Typed::new(vec![1, 3, 4], alleles, None).unwrap();
    for (latent, labels) in [(Latent::Normal, Labels::default()), (mixture(), Labels::default()), (mixture(), labels())]
    {
        let neural = generator(latent, labels);
        let grid = grid(&neural);
        let model = of(neural);
        for (steps, error) in [(0, 0.0), (0, 0.1), (60, 0.0), (60, 0.1)] {
            let mut settings = ImputeSettings::default();
            settings.latent.typed_error = error;
            settings.latent.steps = steps;
            (settings.latent.pool, settings.latent.chains) = if steps == 0 { (40_000, 1) } else { (8000, 3000) };
            let imputer = Imputer::from_model(&model, settings).unwrap();
            let (dosages, left_out) = impute(&imputer, &typed, 2);
            for (site, dosage) in dosages.iter().enumerate() {
                let exact = chance(&grid, site, &known, error);
                assert!((f64::from(*dosage) - exact).abs() < 0.04, "{steps} {error} site {site}: {dosage} {exact}");
            }
            for (t, (site, _)) in known.iter().enumerate() {
                let others: Vec<(usize, bool)> = known.iter().copied().filter(|(other, _)| other != site).collect();
                let exact = chance(&grid, *site, &others, error);
                let found = f64::from(left_out[t]);
                assert!((found - exact).abs() < 0.06, "{steps} {error} left out {site}: {found} {exact}");
            }
        }
    }
}

/// Without typed alleles dosages are the model's means; with all typed, or all missing, they are chances.
#[test]
fn nothing_typed_gives_the_means_of_the_model() {
    let neural = generator(mixture(), labels());
    let grid = grid(&neural);
    let imputer = Imputer::from_model(&of(neural), ImputeSettings::default()).unwrap();
    let none = Typed::new(Vec::new(), BitMatrix::zeros(2, 0).unwrap(), None).unwrap();
    let missing = BitMatrix::from_fn(2, FEW, |_, _| true).unwrap();
    let missing = Typed::new((0..FEW).collect(), BitMatrix::zeros(2, FEW).unwrap(), Some(missing)).unwrap();
    for typed in [none, missing] {
        let (dosages, left_out) = impute(&imputer, &typed, 1);
        for (i, dosage) in dosages.iter().enumerate() {
            // 2,000 points: a standard error below .0112.
            let exact = chance(&grid, i % FEW, &[], 0.0);
            assert!((f64::from(*dosage) - exact).abs() < 0.05, "{i}: {dosage} {exact}");
        }
        assert!(left_out.iter().all(|p| p.is_nan()));
    }
    let all = Typed::new((0..FEW).collect(), BitMatrix::from_fn(2, FEW, |h, c| h == c % 2).unwrap(), None).unwrap();
    let (dosages, left_out) = impute(&imputer, &all, 1);
    assert!(dosages.iter().chain(&left_out).all(|p| (0.0..=1.0).contains(p)));
}

fn trained(kind: ModelKind, more: &str) -> Arc<Model> {
    model(kind, &format!("updates=60,looks=1,batch=16,latent=4{more}"))
}

/// A haplotype's numbers are the same whoever else is imputed, in whatever order, on any number of threads; and chains
/// were run for it.
#[test]
fn haplotypes_do_not_depend_on_each_other_or_on_threads() {
    let truth = panel(2);
    let sites: Vec<usize> = (0..SITES).step_by(3).collect();
    let bits = truth.bits().select_columns(&sites).unwrap();
    let rows = |chosen: &[usize]| {
        let some = BitMatrix::from_fn(chosen.len(), sites.len(), |h, c| bits.get(chosen[h], c)).unwrap();
        Typed::new(sites.clone(), some, None).unwrap()
    };
    let (all, one) = (rows(&(0..40).collect::<Vec<_>>()), rows(&[31]));
    for model in [
        trained(ModelKind::Vae, ""),
        trained(ModelKind::Gan, ""),
        trained(ModelKind::PcaGan, ",pca_components=8"),
        trained(ModelKind::Wgan, ",body=convolutional,unit=1"),
        trained(ModelKind::Wgan, ",body=published,latent=1"),
    ] {
        let mut settings = ImputeSettings::default();
        // More chains than a pool of 60 can stand for.
        (settings.latent.pool, settings.latent.chains, settings.latent.steps) = (60, 20, 12);
        let imputer = Imputer::from_model(&model, settings.clone()).unwrap();
        let (dosages, left_out) = impute(&imputer, &all, 1);
        assert!(dosages.iter().chain(&left_out).all(|p| (0.0..=1.0).contains(p)));
        assert_eq!(impute(&imputer, &all, 3), (dosages.clone(), left_out.clone()));
        let (alone, alone_left_out) = impute(&imputer, &one, 1);
        assert_eq!(alone, dosages[31 * SITES..32 * SITES]);
        assert_eq!(alone_left_out, left_out[31 * sites.len()..32 * sites.len()]);
        settings.latent.steps = 0;
        let pool = Imputer::from_model(&model, settings).unwrap();
        assert_ne!(impute(&pool, &all, 1).0, dosages, "chains were run");
    }
}

/// A vae that learned a panel's linkage imputes its founders' mosaics better than frequencies do; a file is written; and
/// its artificial haplotypes stand beside a panel.
#[test]
fn a_trained_generator_imputes_a_file() {
    let vae = model(ModelKind::Vae, "updates=400,looks=1,batch=30,latent=6");
    let truth = panel(1);
    let target = truth.select_samples(&(32..40).collect::<Vec<_>>()).unwrap();
    let sites: Vec<usize> = (0..SITES).step_by(5).collect();
    let typed = Typed::new(sites.clone(), target.bits().select_columns(&sites).unwrap(), None).unwrap();
    let error = |dosages: &[f32]| -> f64 {
        let allele = |i: usize| f32::from(u8::from(target.bits().get(i / SITES, i % SITES)));
        dosages.iter().enumerate().map(|(i, d)| f64::from(d - allele(i)).powi(2)).sum()
    };
    let imputer = Imputer::from_model(&vae, ImputeSettings::default()).unwrap();
    let none = Typed::new(Vec::new(), BitMatrix::zeros(16, 0).unwrap(), None).unwrap();
    let (found, plain) = (error(&impute(&imputer, &typed, 2).0), error(&impute(&imputer, &none, 1).0));
    assert!(found < 0.8 * plain, "{found} {plain}");

    let folder = tempfile::tempdir().unwrap();
    let (array, output) = (folder.path().join("array.bcf"), folder.path().join("out.vcf.gz"));
    write_panel(&array, &target.select_sites(&sites).unwrap(), &WriteOptions::default()).unwrap();
    let report = impute_file(&imputer, &array, &output, &ImputeFileOptions::default(), &mut Progress::none()).unwrap();
    assert_eq!((report.typed, report.typed + report.imputed, report.people), (sites.len(), SITES, 8));
    assert_eq!(read_panel(&output, &Default::default()).unwrap().panel.sites().len(), SITES);

    let reference = truth.select_samples(&(0..32).collect::<Vec<_>>()).unwrap();
    let settings = ImputeSettings { weight: Some(0.5), ..ImputeSettings::default() };
    let both = Imputer::from_both(&reference, &vae, settings, &mut Progress::none()).unwrap();
    assert!(impute(&both, &typed, 1).0.iter().all(|p| (0.0..=1.0).contains(p)));
}

#[test]
fn genotypes_do_not_impute_haplotypes() {
    let model = trained(ModelKind::Gan, ",genotypes=unphased");
    let error = Imputer::from_model(&model, ImputeSettings::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("unphased"), "{error}");
}

/// Codes do not depend on how many are encoded at a time; their projections have the model's own spread; kinds without an
/// encoder are refused by name.
#[test]
fn a_vae_encodes() {
    let vae = trained(ModelKind::Vae, "");
    let bits = panel(1).bits().clone();
    let run = |bits: &BitMatrix, components: usize, threads: usize| {
        encode(&vae, bits, components, &Device::cpu(Threads::new(threads)), &mut Progress::none())
    };
    let all = run(&bits, 3, 1).unwrap();
    assert_eq!((all.hidden_units, all.components, all.hidden.len()), (4, 3, 80 * 4));
    assert!(all.singular_values.windows(2).all(|pair| pair[0] >= pair[1] && pair[1] > 0.0));
    assert_eq!(run(&bits, 3, 3).unwrap(), all);
    let one = BitMatrix::from_fn(1, SITES, |_, c| bits.get(7, c)).unwrap();
    let one = run(&one, 9, 1).unwrap();
    assert_eq!((one.components, &one.hidden[..]), (4, &all.hidden[28..32]));
    assert_eq!(one.projections[..3], all.projections[21..24]);
    let lengths = |x: &[f32]| x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    let apart: Vec<f32> = one.hidden.iter().zip(mean(&vae)).map(|(h, m)| h - m).collect();
    assert!(
        (lengths(&apart) - lengths(&one.projections)).abs() < 1e-3 * lengths(&apart).max(1.0),
        "axes are orthonormal"
    );
    let gan = trained(ModelKind::Gan, "");
    let error = encode(&gan, &bits, 3, &Device::cpu(Threads::single()), &mut Progress::none()).unwrap_err().to_string();
    assert!(error.contains("gan") && error.contains("vae"), "{error}");
}

/// The mean of a model's latent distribution.
fn mean(model: &Model) -> Vec<f32> {
    let Generator::Neural(neural) = &model.generator else { panic!() };
    let Latent::Mixture(clusters) = &neural.latent else { panic!() };
    let terms = |i: usize| clusters.shares.iter().zip(clusters.means[i..].iter().step_by(4)).map(|(s, m)| s * m).sum();
    (0..4).map(terms).collect()
}
