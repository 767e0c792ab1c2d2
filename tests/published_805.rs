//! The numbers that the 805-site panels of the 2021 paper are known by, from the files themselves.

use flate2::read::MultiGzDecoder;
use haploom::evaluate::{EvaluateOptions, Evaluation, evaluate};
use haploom::panel::Panel;
use haploom::panel::bits::BitMatrix;
use haploom::panel::sites::{Site, Sites};
use haploom::progress::Progress;
use haploom::threads::Threads;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("HAPLOOM_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: HAPLOOM_DATA is not set");
    }
    folder
}

/// `id position a0 a1`, where the id begins with the contig.
fn legend(folder: &Path) -> Sites {
    let file = BufReader::new(File::open(folder.join("805_SNP.legend")).unwrap());
    let site = |line: String| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        Site {
            contig: cells[0].split(':').next().unwrap().into(),
            position: cells[1].parse().unwrap(),
            id: cells[0].into(),
            reference: cells[2].into(),
            alternate: cells[3].into(),
        }
    };
    Sites::new(file.lines().skip(1).map(|line| site(line.unwrap())).collect()).unwrap()
}

/// `GROUP ID a1 .. aM` a line.
fn hapt(folder: &Path, name: &str) -> Panel {
    let file = BufReader::new(MultiGzDecoder::new(File::open(folder.join(name)).unwrap()));
    let rows: Vec<Vec<bool>> =
        file.lines().map(|line| line.unwrap().split_whitespace().skip(2).map(|a| a == "1").collect()).collect();
    let bits = BitMatrix::from_fn(rows.len(), rows[0].len(), |r, c| rows[r][c]).unwrap();
    Panel::artificial(legend(folder), bits, "P").unwrap()
}

fn published(folder: &Path, name: &str) -> Evaluation {
    static REAL: OnceLock<Panel> = OnceLock::new();
    let real = REAL.get_or_init(|| hapt(folder, "805_SNP_1000G_real.hapt.gz"));
    let options = EvaluateOptions { threads: Threads::new(2), ..Default::default() };
    let found = evaluate(real, &hapt(folder, name), None, &options, &mut Progress::none()).unwrap();
    println!("{}", found.to_table());
    found
}

#[track_caller]
fn check(found: &Evaluation, expected: &[(&str, f64, f64)]) {
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(name, value, within)| !found.get(name).is_some_and(|x| (x - value).abs() <= *within))
        .map(|(name, value, _)| format!("{name}: {:?}, known {value}", found.get(name)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn numbers_of_the_published_rbm() {
    let Some(folder) = data() else { return };
    let found = published(&folder, "805_SNP_RBM_AG_800Epochs.hapt.gz");
    check(
        &found,
        &[
            ("frequency_r", 0.994, 0.0006),
            ("frequency_mae", 0.0167, 0.00006),
            ("ld_r", 0.977, 0.0006),
            ("three_point_r", 0.958, 0.015),
            ("pca_w2_pc12_reg0.001", 0.0106, 0.0006),
            ("pairwise_w1_within", 7.7, 0.06),
            ("aa_truth", 0.54, 0.015),
            ("aa_syn", 0.49, 0.015),
            ("exact_copies", 0.0, 0.0),
        ],
    );
}

#[test]
fn numbers_of_the_published_gan() {
    let Some(folder) = data() else { return };
    let found = published(&folder, "805_SNP_GAN_AG_20000epochs.hapt.gz");
    check(
        &found,
        &[
            ("frequency_r", 0.982, 0.0006),
            ("frequency_mae", 0.0322, 0.00006),
            ("ld_r", 0.924, 0.0006),
            ("three_point_r", 0.884, 0.03),
            ("pca_w2_pc12_reg0.001", 0.0041, 0.0006),
            ("pairwise_w1_within", 4.7, 0.06),
            ("aa_truth", 0.22, 0.015),
            ("aa_syn", 0.99, 0.015),
            ("exact_copies", 0.0, 0.0),
        ],
    );
}
