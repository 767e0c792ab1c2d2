//! Imputation: exact where the mathematics is exact, and files as programs find them.

mod small;

use haploom::impute::{ImputeFileOptions, ImputeSettings, Imputer, Typed, Window, impute_file};
use haploom::io::{ReadOptions, WriteOptions, read_panel, write_panel};
use haploom::models::mixture::Mixture;
use haploom::models::rbm::{Hidden, Rbm};
use haploom::models::{Generator, Model, ModelKind, Output, Provenance, SampledRbm, Start};
use haploom::panel::Panel;
use haploom::panel::bits::BitMatrix;
use haploom::panel::sites::Sites;
use haploom::progress::Progress;
use haploom::threads::Threads;
use small::{SITES, model, panel};
use std::path::Path;
use std::sync::Arc;

fn people(panel: &Panel, range: std::ops::Range<usize>) -> Panel {
    panel.select_samples(&range.collect::<Vec<_>>()).unwrap()
}

/// Every fifth site.
fn array() -> Vec<usize> {
    (0..SITES).step_by(5).collect()
}

fn typed(target: &Panel, sites: &[usize]) -> Typed {
    Typed::new(sites.to_vec(), target.bits().select_columns(sites).unwrap(), None).unwrap()
}

/// Dosages, and those of typed sites left out.
fn impute(imputer: &Imputer, typed: &Typed, threads: usize) -> (Vec<f32>, Vec<f32>) {
    let fitted = imputer.fit(typed, &Threads::new(threads), &mut Progress::none()).unwrap();
    let mut dosages = vec![0.0; typed.haplotypes() * imputer.sites().len()];
    let mut left_out = vec![0.0; typed.haplotypes() * typed.sites().len()];
    fitted.impute_all(typed, &mut dosages, &mut left_out, &mut Progress::none()).unwrap();
    (dosages, left_out)
}

fn mean_square_error(dosages: &[f32], target: &Panel) -> f64 {
    let allele = |i: usize| f32::from(u8::from(target.bits().get(i / SITES, i % SITES)));
    dosages.iter().enumerate().map(|(i, d)| f64::from(d - allele(i)).powi(2)).sum::<f64>() / dosages.len() as f64
}

/// All that impute are nearer to the truth than frequencies are, and give the same for any number of threads.
#[test]
fn every_engine_beats_frequencies() {
    let (reference, target) = (people(&panel(1), 0..32), people(&panel(1), 32..40));
    let typed = typed(&target, &array());
    let settings = ImputeSettings::default();
    let from = |model: &Arc<Model>| Imputer::from_model(model, settings.clone()).unwrap();
    let learned = |kind, text: &str| model(kind, text);
    let frequencies = from(&learned(ModelKind::Bernoulli, ""));
    let plain = mean_square_error(&impute(&frequencies, &typed, 1).0, &target);
    for (name, imputer, least) in [
        ("panel", Imputer::from_panel(&reference, settings.clone()).unwrap(), 0.5),
        ("copying", from(&learned(ModelKind::Copying, "")), 0.5),
        ("hmm", from(&learned(ModelKind::Hmm, "hmm_clusters=7,stretch=40")), 0.7),
        ("rbm", from(&learned(ModelKind::Rbm, "learning_rate=0.05,updates=400,l2=0.01")), 0.95),
    ] {
        let (dosages, left_out) = impute(&imputer, &typed, 1);
        assert!(dosages.iter().chain(&left_out).all(|d| (0.0..=1.0).contains(d)), "{name}");
        let error = mean_square_error(&dosages, &target);
        assert!(error < least * plain, "{name}: {error} against {plain}");
        assert_eq!(impute(&imputer, &typed, 3), (dosages, left_out), "{name}");
    }
}

/// Without artificial haplotypes a person's numbers are the same whoever else is imputed.
#[test]
fn people_do_not_depend_on_each_other() {
    let (reference, target) = (people(&panel(1), 0..32), people(&panel(1), 32..40));
    let imputer = Imputer::from_panel(&reference, ImputeSettings::default()).unwrap();
    let (all, _) = impute(&imputer, &typed(&target, &array()), 1);
    let (one, _) = impute(&imputer, &typed(&people(&target, 3..4), &array()), 1);
    assert_eq!(all[6 * SITES..8 * SITES], one);
}

/// A typed site without its own allele is what it is when the allele is missing, under the same rates.
#[test]
fn left_out_dosages_are_those_of_a_missing_allele() {
    let (reference, target) = (people(&panel(1), 0..32), people(&panel(1), 32..34));
    let mut settings = ImputeSettings::default();
    (settings.rates.effective_size, settings.rates.error) = (2e6, 0.02);
    let hmm = model(ModelKind::Hmm, "hmm_clusters=7,stretch=40");
    for imputer in [
        Imputer::from_panel(&reference, settings).unwrap(),
        Imputer::from_model(&hmm, ImputeSettings::default()).unwrap(),
    ] {
        let sites = array();
        let (_, left_out) = impute(&imputer, &typed(&target, &sites), 1);
        let alleles = target.bits().select_columns(&sites).unwrap();
        for t in 0..sites.len() {
            let missing = BitMatrix::from_fn(4, sites.len(), |_, c| c == t).unwrap();
            let typed = Typed::new(sites.clone(), alleles.clone(), Some(missing)).unwrap();
            let (dosages, without) = impute(&imputer, &typed, 1);
            for h in 0..4 {
                assert!((dosages[h * SITES + sites[t]] - left_out[h * sites.len() + t]).abs() < 1e-4);
                assert!(without[h * sites.len() + t].is_nan());
            }
        }
    }
}

/// Chains of an RBM run until those of their own haplotype have settled, whichever others are imputed beside it.
#[test]
fn haplotypes_settle_one_by_one() {
    let machine = model(ModelKind::Rbm, "hidden=12,updates=200");
    let typed = typed(&people(&panel(1), 30..40), &array());
    let n = typed.haplotypes();
    let impute = |sweeps: usize, parts: &[usize]| {
        let mut settings = ImputeSettings::default();
        (settings.clamped.chains, settings.clamped.sweeps, settings.clamped.tolerance) = (24, sweeps, 0.05);
        let imputer = Imputer::from_model(&machine, settings).unwrap();
        let fitted = imputer.fit(&typed, &Threads::single(), &mut Progress::none()).unwrap();
        let (mut dosages, mut left_out) = (vec![0.0; n * SITES], vec![0.0; n * array().len()]);
        let (mut dosages_left, mut left_out_left) = (&mut dosages[..], &mut left_out[..]);
        let mut first = 0;
        for count in parts {
            let (dosages, left_out);
            (dosages, dosages_left) = dosages_left.split_at_mut(count * SITES);
            (left_out, left_out_left) = left_out_left.split_at_mut(count * array().len());
            let every = Window { sites: 0..SITES, using: 0..SITES };
            fitted.impute(&typed, first..first + count, &every, dosages, left_out, &mut Progress::none()).unwrap();
            first += count;
        }
        (dosages, left_out)
    };
    let together = impute(256, &[n]);
    assert!(impute(256, &[1, 2, n - 3]) == together);
    // Some have settled after 16 sweeps and some have not, or parts would tell nothing.
    let soon = impute(16, &[n]);
    let settled = soon.0.chunks(SITES).zip(together.0.chunks(SITES)).filter(|(soon, late)| soon == late).count();
    assert!(0 < settled && settled < n, "{settled} of {n}");
}

/// A machine of six sites and two hidden units, clamped: against sums over all its states. 4,000 chains of some 100 sweeps
/// have standard errors below .002; the bound is .015.
#[test]
fn clamped_chains_agree_with_the_enumerated_machine() {
    let rbm = Rbm {
        hidden: Hidden::Bernoulli,
        weights: vec![2.0, -1.0, 1.5, 0.5, -2.0, 1.0, 0.25, 2.0, -1.0, -1.5, 1.0, 1.0],
        visible_bias: vec![-0.5, 0.25, 0.5, -1.0, 0.0, -0.75],
        hidden_bias: vec![0.25, -0.5],
    };
    let columns: Vec<usize> = (0..6).collect();
    let sites = panel(1).sites().select(&columns).unwrap();
    let machine = SampledRbm {
        output: Output { sharpness: 1.0, bias: rbm.visible_bias.clone() },
        mixture: Mixture { shares: vec![1.0], log_odds: vec![0.0; 6] },
        rbm: rbm.clone(),
        ladder: Vec::new(),
        start: Start::Mixture,
        sweeps: 10,
    };
    let generator = Generator::Rbm(Box::new(machine));
    let model = Arc::new(Model { sites, generator, provenance: Provenance::default() });
    // Of a state of the visible units: sum over hidden units of exp(-energy).
    let weight = |v: usize| {
        let on = |i: usize| f64::from(u8::from(v >> i & 1 == 1));
        let visible: f64 = (0..6).map(|i| on(i) * f64::from(rbm.visible_bias[i])).sum();
        let hidden = |j: usize| {
            let input: f64 = (0..6).map(|i| on(i) * f64::from(rbm.weights[2 * i + j])).sum();
            (input + f64::from(rbm.hidden_bias[j])).exp() + 1.0
        };
        visible.exp() * hidden(0) * hidden(1)
    };
    for error in [0.0, 0.2] {
        let mut settings = ImputeSettings::default();
        settings.clamped.chains = 4000;
        settings.clamped.sweeps = 128;
        settings.clamped.tolerance = 1e-6;
        settings.clamped.typed_error = error;
        let imputer = Imputer::from_model(&model, settings).unwrap();
        let known = [(1, true), (4, false)];
        let alleles = BitMatrix::from_fn(1, 2, |_, c| known[c].1).unwrap();
        let (dosages, left_out) = impute(&imputer, &Typed::new(vec![1, 4], alleles, None).unwrap(), 2);
        let seen = |v: usize, (site, allele): (usize, bool)| {
            if (v >> site & 1 == 1) == allele { 1.0 - error } else { error }
        };
        let chance = |site: usize, known: &[(usize, bool)]| {
            let of = |v: usize| weight(v) * known.iter().map(|k| seen(v, *k)).product::<f64>();
            (0..64).filter(|v| v >> site & 1 == 1).map(of).sum::<f64>() / (0..64).map(of).sum::<f64>()
        };
        for (site, dosage) in dosages.iter().enumerate() {
            // A clamped site has the conditional mean of its unit, not its allele: only free ones are compared.
            if error > 0.0 || known.iter().all(|(k, _)| *k != site) {
                let exact = chance(site, &known);
                let slack = if known.iter().any(|(k, _)| *k == site) { 1.0 } else { 0.015 };
                assert!((f64::from(*dosage) - exact).abs() < slack, "{error} {site}: {dosage} {exact}");
            }
        }
        for (t, (site, _)) in known.iter().enumerate() {
            let exact = chance(*site, &[known[1 - t]]);
            assert!((f64::from(left_out[t]) - exact).abs() < 0.015, "{error} {site}: {} {exact}", left_out[t]);
        }
    }
}

/// Noise beside a panel weighs nothing, and then nothing changes.
#[test]
fn noise_is_left_out() {
    let (reference, target) = (people(&panel(1), 0..32), people(&panel(1), 32..40));
    let typed = typed(&target, &array());
    let alone = impute(&Imputer::from_panel(&reference, ImputeSettings::default()).unwrap(), &typed, 1);
    let noise = model(ModelKind::Bernoulli, "");
    for seed in 1..4 {
        let settings = ImputeSettings { seed, ..ImputeSettings::default() };
        let imputer = Imputer::from_both(&reference, &noise, settings, &mut Progress::none()).unwrap();
        let fitted = imputer.fit(&typed, &Threads::single(), &mut Progress::none()).unwrap();
        assert_eq!(fitted.weight(), Some(0.0));
        assert_eq!(impute(&imputer, &typed, 1), alone);
    }
}

/// Lines of the records of a VCF.
fn records(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').map(String::from).collect()).collect()
}

fn file(imputer: &Imputer, target: &Path, output: &Path, change: impl FnOnce(&mut ImputeFileOptions)) {
    let mut options = ImputeFileOptions::default();
    change(&mut options);
    impute_file(imputer, target, output, &options, &mut Progress::none()).unwrap();
}

/// Windows, with all that is around them, change nothing; nor does a region, but for what is left out.
#[test]
fn windows_and_regions_do_not_change_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (reference, target) = (people(&panel(1), 0..32), people(&panel(1), 32..40));
    let path = folder.path().join("target.vcf");
    write_panel(&path, &target.select_sites(&array()).unwrap(), &WriteOptions::default()).unwrap();
    let imputer = Imputer::from_panel(&reference, ImputeSettings::default()).unwrap();
    let [whole, parts, part] = ["whole.vcf", "parts.vcf", "part.vcf"].map(|name| folder.path().join(name));
    file(&imputer, &path, &whole, |_| {});
    file(&imputer, &path, &parts, |o| (o.window, o.overlap) = (7, f64::MAX));
    assert_eq!(records(&whole), records(&parts));
    file(&imputer, &path, &part, |o| {
        o.region = Some("1:1001-3001".parse().unwrap());
        o.overlap = f64::MAX;
    });
    let inside = |r: &Vec<String>| r[0] == "1" && (1001..=3001).contains(&r[1].parse::<u64>().unwrap());
    assert_eq!(records(&part), records(&whole).into_iter().filter(inside).collect::<Vec<_>>());
    assert_eq!(records(&whole).len(), SITES);
}

/// A target as it comes: `chr` names, missing alleles, a haploid man, sites of its own, exchanged and complemented alleles.
#[test]
fn targets_are_taken_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name);
    let imputer = Imputer::from_panel(&people(&panel(1), 0..32), ImputeSettings::default()).unwrap();
    let target = in_folder("target.vcf");
    let header = "##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description=\"\">\n\
                  #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\twoman\tman\n";
    let lines = [
        "chr1\t1\trs0\tA\tG\t.\t.\t.\tGT\t0|1\t1",
        "chr1\t51\town\tC\tT\t.\t.\t.\tGT\t1|0\t.",
        "chr1\t501\trs5\tA\tG\t.\t.\t.\tGT\t.|.\t0",
        "chr1\t1001\tswapped\tG\tA\t.\t.\t.\tGT\t1|1\t1",
        "chr1\t1501\tstrand\tT\tC\t.\t.\t.\tGT\t0|1\t1",
        "chr1\t2001\trs20\tA\tG\t.\t.\t.\tGT\t1|1\t1",
        "chr3\t7\telsewhere\tA\tG\t.\t.\t.\tGT\t1|1\t1",
    ];
    std::fs::write(&target, format!("{header}{}\n", lines.join("\n"))).unwrap();
    let output = in_folder("out.vcf");
    let none = &mut Progress::none();
    let refused = impute_file(&imputer, &target, &output, &ImputeFileOptions::default(), none).unwrap_err();
    assert_eq!(refused.kind(), haploom::ErrorKind::ContigMismatch);
    assert!(refused.to_string().contains("contigs=match"), "{refused}");
    assert!(!output.exists());

    let report = in_folder("report.tsv");
    let options = ImputeFileOptions { match_contigs: true, report: Some(report.clone()), ..Default::default() };
    let told = impute_file(&imputer, &target, &output, &options, none).unwrap();
    // Contig 2 has no typed site, and is left alone.
    assert_eq!((told.people, told.typed, told.imputed, told.typed_only, told.missing), (2, 3, 67, 4, 2));
    let table = std::fs::read_to_string(&report).unwrap();
    let problems: Vec<&str> = table.lines().skip(1).map(|l| l.split('\t').nth(5).unwrap()).collect();
    assert_eq!(problems, ["not there", "reference and alternate exchanged", "other strand", "not there"]);

    let records = records(&output);
    assert_eq!(records.len(), 74);
    let of = |id: &str| records.iter().find(|r| r[2] == id).unwrap();
    assert!(records.iter().all(|r| r[8] == "GT:DS:HDS:GP"));
    assert_eq!(of("rs0")[9..], ["0|1:1:0,1:0,1,0", "1:1:1:0,1"]);
    assert!(of("rs0")[7].starts_with("TYPED;AF=0.66667;MAF=0.33333;R2=1;INFO=1"), "{}", of("rs0")[7]);
    assert_eq!(of("own")[9..], ["1|0:1:1,0:0,1,0", ".:.:.:.,."]);
    assert!(of("own")[7].starts_with("TYPED_ONLY;AF=0.5;"));
    assert_eq!(of("elsewhere")[0], "chr3");
    assert_eq!(of("rs1")[0], "chr1");
    assert!(of("rs1")[7].starts_with("IMPUTED;"));
    assert!(!of("rs5")[9].contains('.') || of("rs5")[9].split(':').count() == 4);
    // INFO, R2 and AF are those of the dosages; DS and GP follow from HDS.
    for record in records.iter().filter(|r| r[7].starts_with("IMPUTED")) {
        let numbers = |text: &str| text.split(',').map(|x| x.parse::<f64>().unwrap()).collect::<Vec<_>>();
        let mut all = Vec::new();
        for person in &record[9..] {
            let fields: Vec<&str> = person.split(':').collect();
            let (ds, hds, gp) = (numbers(fields[1]), numbers(fields[2]), numbers(fields[3]));
            assert!((ds[0] - hds.iter().sum::<f64>()).abs() < 0.0021);
            assert!((gp.iter().sum::<f64>() - 1.0).abs() < 0.0021);
            if let [a, b] = hds[..] {
                assert!((gp[2] - a * b).abs() < 0.0021 && gp.len() == 3);
            }
            let alleles: Vec<bool> = fields[0].split('|').map(|a| a == "1").collect();
            assert!(alleles.iter().zip(&hds).all(|(a, h)| *a == (*h >= 0.5) || (h - 0.5).abs() < 0.001));
            all.extend(hds);
        }
        let value = |key: &str| -> f64 {
            let found = record[7].split(';').find_map(|f| f.strip_prefix(key)).unwrap();
            found.parse().unwrap()
        };
        let p = all.iter().sum::<f64>() / 3.0;
        assert!((value("AF=") - p).abs() < 0.001);
        if p * (1.0 - p) > 0.05 {
            let variance = all.iter().map(|h| (h - p).powi(2)).sum::<f64>() / 3.0;
            let inner = all.iter().map(|h| h * (1.0 - h)).sum::<f64>() / 3.0;
            assert!((value("R2=") - variance / (p * (1.0 - p))).abs() < 0.02);
            assert!((value("INFO=") - 1.0 + inner / (p * (1.0 - p))).abs() < 0.02);
        }
    }
    let read = read_panel(&output, &ReadOptions { missing: "keep".parse().unwrap(), ..ReadOptions::default() });
    assert_eq!(read.unwrap().panel.samples().haplotypes(), 3);
}

/// Men and unphased people of a target that cannot be imputed are refused by name, and nothing is written.
#[test]
fn targets_that_cannot_be_imputed_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let imputer = Imputer::from_panel(&people(&panel(1), 0..32), ImputeSettings::default()).unwrap();
    let header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tX\n";
    let output = folder.path().join("out.vcf.gz");
    for (line, kind, part) in [
        ("1\t1\t.\tA\tG\t.\t.\t.\tGT\t0/1\n", "UNPHASED", "beagle"),
        ("1\t2\t.\tA\tG\t.\t.\t.\tGT\t0|1\n", "NO_OVERLAP", "genome build"),
        ("1\t1\t.\tG\tA\t.\t.\t.\tGT\t0|1\n", "ALLELE_MISMATCH", "exchanged"),
        ("1\t1\t.\tA\tG\t.\t.\t.\tGT\t0|x\n", "MALFORMED", "X"),
        ("", "EMPTY", "target"),
    ] {
        let target = folder.path().join("target.vcf");
        std::fs::write(&target, format!("{header}{line}")).unwrap();
        let error =
            impute_file(&imputer, &target, &output, &ImputeFileOptions::default(), &mut Progress::none()).unwrap_err();
        assert_eq!(error.kind().name(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

/// Sites of a panel that the model lacks are imputed from the real haplotypes alone, and nothing of the model's own
/// appears.
#[test]
fn a_model_of_fewer_sites_stands_beside_a_panel() {
    let (reference, target) = (people(&panel(1), 0..32), people(&panel(1), 32..40));
    let whole = model(ModelKind::Copying, "");
    let columns: Vec<usize> = (0..SITES).filter(|s| s % 3 != 1).collect();
    let Generator::Copying(copied) = &whole.generator else { panic!() };
    let sites: Sites = whole.sites.select(&columns).unwrap();
    let centimorgans = columns.iter().map(|s| if *s == 0 || *s == 70 { 0.0 } else { 1e-4 }).collect();
    let part = haploom::models::copying::CopiedPanel {
        haplotypes: copied.haplotypes.select_columns(&columns).unwrap(),
        centimorgans,
        rates: copied.rates,
    };
    let part = Arc::new(Model { sites, generator: Generator::Copying(part), provenance: Provenance::default() });
    let settings = ImputeSettings { weight: Some(1.0), ..ImputeSettings::default() };
    let imputer = Imputer::from_both(&reference, &part, settings, &mut Progress::none()).unwrap();
    let typed = typed(&target, &array());
    let (dosages, _) = impute(&imputer, &typed, 1);
    assert_eq!(imputer.sites().len(), SITES);
    assert!(dosages.iter().all(|d| (0.0..=1.0).contains(d)));
    let alone = impute(&Imputer::from_panel(&reference, ImputeSettings::default()).unwrap(), &typed, 1).0;
    assert_ne!(dosages, alone);
    assert!(mean_square_error(&dosages, &target) < 2.0 * mean_square_error(&alone, &target));
}
