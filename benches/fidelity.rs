//! How close the artificial haplotypes of a model trained with the defaults come to real ones, beside published ones.
//!
//! `HAPLOOM_DATA=FOLDER cargo bench --bench fidelity -- PART [key=value,...]`; rows are Markdown. Parts:
//! `whole` trains on the 805 sites of all 5,008 haplotypes; `split` on half of the people, seeds 1 to 5, with the other
//! half as the floor and for privacy; `published` evaluates the published RBM and GAN files; `chr15` trains on the 10,000
//! sites of the 80/20 split. Options after the part replace defaults (for chr15: `updates=N` for the half hour).

use haploom::evaluate::{EvaluateOptions, Evaluation, evaluate};
use haploom::io::{ReadOptions, read_panel};
use haploom::models::ModelKind;
use haploom::options::Options;
use haploom::panel::Panel;
use haploom::progress::Progress;
use haploom::sample::{SampleSettings, Sampler};
use haploom::threads::Threads;
use haploom::train::{TrainSettings, train};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Cells of a row: the heading, the measures, and the digits after the point.
const COLUMNS: [(&str, &[&str], usize); 10] = [
    ("AF r", &["frequency_r"], 4),
    ("AF MAE", &["frequency_mae"], 4),
    ("LD r", &["ld_r"], 3),
    ("3-point r", &["three_point_r"], 3),
    ("PCA W2 (.001)", &["pca_w2_pc12_reg0.001"], 4),
    ("pairwise W1 within", &["pairwise_w1_within"], 1),
    ("AA_truth / AA_syn", &["aa_truth", "aa_syn"], 2),
    ("copies", &["exact_copies"], 0),
    ("privacy loss", &["privacy_loss"], 3),
    ("largest share difference", &["share_max_difference"], 3),
];

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(folder) = std::env::var_os("HAPLOOM_DATA").map(PathBuf::from) else {
        println!("skipped: HAPLOOM_DATA is not set");
        return Ok(());
    };
    let mut options = Options::new();
    words.get(1).map(|text| options.set_text(text)).transpose()?;
    match words.first().map(String::as_str) {
        Some("whole") => whole(&folder, &options),
        Some("split") => split(&folder, &options),
        Some("published") => published(&folder),
        Some("chr15") => chr15(&folder, &options),
        _ => {
            println!("skipped: name a part: whole, split, published or chr15");
            Ok(())
        }
    }
}

/// The 805-site panel of a file, at the legend's sites.
fn panel805(folder: &Path, name: &str) -> Outcome<Panel> {
    let options = ReadOptions { legend: Some(folder.join("805_SNP.legend")), ..Default::default() };
    Ok(read_panel(&folder.join(name), &options)?.panel)
}

/// With super-populations; somebody who is listed in two counts for the first.
fn labelled(folder: &Path, panel: &Panel) -> Outcome<Panel> {
    let text = std::fs::read_to_string(folder.join("1000G_2504_samples.tsv"))?;
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        Some((cells.first()?.to_string(), cells.get(2)?.split(',').next()?.to_string()))
    };
    let labels: HashMap<String, String> = text.lines().skip(1).filter_map(row).collect();
    Ok(panel.with_samples(panel.samples().with_labels(&labels))?)
}

/// The people of a panel who are not in a list, and those who are.
fn divided(folder: &Path, panel: &Panel, list: &str) -> Outcome<(Panel, Panel)> {
    let text = std::fs::read_to_string(folder.join(list))?;
    let names: Vec<String> = text.lines().map(|l| l.trim().to_string()).filter(|l| !l.is_empty()).collect();
    let people = |exclude| panel.samples().find(&names, exclude);
    Ok((panel.select_samples(&people(true)?)?, panel.select_samples(&people(false)?)?))
}

/// Trains and samples; the seconds of the training and of the sampling too.
fn artificial(panel: &Panel, options: &Options, seed: u64, n: usize) -> Outcome<(Panel, f64, f64)> {
    let threads = Threads::new(2);
    let settings = TrainSettings { seed, threads: threads.clone(), ..Default::default() };
    let begin = Instant::now();
    let model = train(panel, ModelKind::Rbm, options, &settings, &mut Progress::none())?;
    let trained = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let settings = SampleSettings { seed: seed + 100, threads, options: options.clone(), ..Default::default() };
    let mut sampler = Sampler::new(Arc::new(model), &settings)?;
    let bits = sampler.next(n)?;
    let sampled = begin.elapsed().as_secs_f64();
    Ok((Panel::artificial(sampler.sites().clone(), bits, "HAPLOOM")?, trained, sampled))
}

fn judged(real: &Panel, artificial: &Panel, held_out: Option<&Panel>) -> Outcome<Evaluation> {
    let options = EvaluateOptions { threads: Threads::new(2), ..Default::default() };
    Ok(evaluate(real, artificial, held_out, &options, &mut Progress::none())?)
}

fn heading() {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    println!("| | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
}

/// A row of numbers that `number` gives by a measure's name.
fn row(name: &str, number: impl Fn(&str) -> Option<f64>) {
    let cell = |names: &[&str], digits: usize| -> String {
        let numbers: Vec<String> =
            names.iter().filter_map(|name| number(name)).map(|x| format!("{x:.digits$}")).collect();
        numbers.join(" / ")
    };
    let cells: Vec<String> = COLUMNS.iter().map(|(_, names, digits)| cell(names, *digits)).collect();
    println!("| {name} | {} |", cells.join(" | "));
}

fn shares(found: &Evaluation) {
    let cells: Vec<String> = found
        .measures
        .iter()
        .filter(|m| m.name.starts_with("share_") && m.name != "share_max_difference")
        .map(|m| {
            let percent = |x: Option<f64>| x.map_or("-".to_string(), |x| format!("{:.1}%", 100.0 * x));
            format!("{} {} (real {})", &m.name["share_".len()..], percent(m.value), percent(m.best))
        })
        .collect();
    println!("shares: {}", cells.join(", "));
}

fn whole(folder: &Path, options: &Options) -> Outcome<()> {
    let real = labelled(folder, &panel805(folder, "805_SNP_1000G_real.hapt.gz")?)?;
    heading();
    for seed in [1, 2, 3] {
        let (made, trained, sampled) = artificial(&real, options, seed, 5_000)?;
        let found = judged(&real, &made, None)?;
        row(&format!("defaults, seed {seed}"), |name| found.get(name));
        println!();
        println!("training {trained:.0} s, sampling {sampled:.1} s on 2 threads");
        shares(&found);
        println!();
    }
    Ok(())
}

fn split(folder: &Path, options: &Options) -> Outcome<()> {
    let all = labelled(folder, &panel805(folder, "805_SNP_1000G_real.hapt.gz")?)?;
    let (real, held_out) = divided(folder, &all, "split_5050_seed42_test_samples.txt")?;
    heading();
    let mut found = Vec::new();
    for seed in 1..=5 {
        let (made, ..) = artificial(&real, options, seed, real.haplotypes())?;
        let one = judged(&real, &made, Some(&held_out))?;
        row(&format!("seed {seed}"), |name| one.get(name));
        found.push(one);
    }
    let mean = |name: &str| -> Option<f64> {
        let values: Option<Vec<f64>> = found.iter().map(|f| f.get(name)).collect();
        values.map(|v| v.iter().sum::<f64>() / v.len() as f64)
    };
    row("mean of 5", mean);
    row("floor: held-out people", |name| found[0].measure(name)?.floor);
    Ok(())
}

fn published(folder: &Path) -> Outcome<()> {
    let real = labelled(folder, &panel805(folder, "805_SNP_1000G_real.hapt.gz")?)?;
    heading();
    for (name, file) in
        [("published RBM", "805_SNP_RBM_AG_800Epochs.hapt.gz"), ("published GAN", "805_SNP_GAN_AG_20000epochs.hapt.gz")]
    {
        let found = judged(&real, &panel805(folder, file)?, None)?;
        row(name, |name| found.get(name));
    }
    Ok(())
}

fn chr15(folder: &Path, options: &Options) -> Outcome<()> {
    let options_of_reading = ReadOptions { threads: 2, ..Default::default() };
    let read = read_panel(&folder.join("1000G_p3_chr15_10K_b37.vcf.gz"), &options_of_reading)?;
    let (real, held_out) = divided(folder, &labelled(folder, &read.panel)?, "split_8020_seed42_test_samples.txt")?;
    let (made, trained, sampled) = artificial(&real, options, 1, real.haplotypes())?;
    let found = judged(&real, &made, Some(&held_out))?;
    println!("updates {}, training {trained:.0} s, sampling {sampled:.1} s on 2 threads", options.text("updates"));
    println!();
    // The published W2 is regularised by .002, as a measure of its own.
    let regularised = EvaluateOptions { threads: Threads::new(2), transport_reg: 0.002, ..Default::default() };
    let transport = evaluate(&real, &made, Some(&held_out), &regularised, &mut Progress::none())?;
    println!("| | haploom | floor | published: real | WGAN | RBM | tree circuit | HMM | Markov | independent |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let of = [
        (&transport, "pca_w2_pc12_reg0.002", 4, ".0026 | .0028 | .0027 | .0039 | .035 | .21 | .24"),
        (&found, "pairwise_w1_within", 1, "10.7 | 14.7 | 62.0 | 23.6 | 106 | 173 | 180"),
        (&found, "ld_decay_mae", 4, ".0008 | .0237 | .0182 | .0053 | .0153 | .071 | .168"),
    ];
    for (evaluation, name, digits, others) in of {
        let Some(m) = evaluation.measure(name) else { continue };
        let number = |x: Option<f64>| x.map_or("".to_string(), |x| format!("{x:.digits$}"));
        println!("| {} | {} | {} | {others} |", m.title, number(m.value), number(m.floor));
    }
    println!();
    heading();
    row("haploom", |name| found.get(name));
    row("floor: held-out people", |name| found.measure(name)?.floor);
    println!();
    shares(&found);
    Ok(())
}
