//! The copying model on chr15, 80/20: rates estimated from the training people alone, the log likelihood of people never
//! seen, and how many states a full forward pass updates in a second on one core.
//!
//! Usage: HAPLOOM_DATA=FOLDER cargo bench --bench copying

use haploom::hmm::copying::{Copying, Observed};
use haploom::hmm::rates::{Judged, Rates};
use haploom::io::{ReadOptions, read_genetic_map, read_panel};
use haploom::panel::genetic_map::distances;
use haploom::progress::Progress;
use haploom::threads::Threads;
use std::path::PathBuf;
use std::time::Instant;

fn main() {
    let Some(data) = std::env::var_os("HAPLOOM_DATA").map(PathBuf::from) else {
        println!("skipped: HAPLOOM_DATA does not name the folder with the panels");
        return;
    };
    let names = std::fs::read_to_string(data.join("split_8020_seed42_test_samples.txt")).expect("the split");
    let names: Vec<String> = names.lines().map(String::from).collect();
    let read = |exclude: bool| {
        let options = ReadOptions { samples: Some((names.clone(), exclude)), ..ReadOptions::default() };
        read_panel(&data.join("1000G_p3_chr15_10K_b37.vcf.gz"), &options).expect("the panel").panel
    };
    let (train, test) = (read(true), read(false));
    let map = read_genetic_map(&data.join("maps/chr15.b37.gmap.gz")).expect("the map");
    let every: Vec<usize> = (0..train.sites().len()).collect();
    println!(
        "| distances | effective size | error | log likelihood of test people, nats a haplotype |\n|---|---|---|---|"
    );
    for (name, map) in [("the map", Some(&map)), ("1 cM a megabase", None)] {
        let (centimorgans, _) = distances(map, train.sites()).expect("the map's contigs");
        let judged = Judged {
            haplotypes: train.bits(),
            samples: train.samples(),
            sites: train.sites(),
            centimorgans: &centimorgans,
        };
        let free = Rates { effective_size: 0.0, error: 0.0 };
        let rates = judged.estimate(&every, free, &Threads::new(0), &mut Progress::none()).expect("rates");
        let switches = rates.switches(&centimorgans, train.haplotypes());
        let model = Copying::new(train.bits(), train.sites(), &switches, rates.error).expect("a model");
        let observed = |h: usize| -> Vec<Observed> { every.iter().map(|s| (*s, test.bits().get(h, *s))).collect() };
        let all: Vec<Vec<Observed>> = (0..test.haplotypes()).map(observed).collect();
        let begin = Instant::now();
        let mut passes = Vec::new();
        let mut sum = 0.0;
        for haplotype in &all {
            let begin = Instant::now();
            sum += model.log_likelihood(haplotype).expect("a likelihood");
            passes.push(begin.elapsed().as_secs_f64());
        }
        let updates = model.states() as f64 * every.len() as f64;
        println!("| {name} | {:.0} | {:.1e} | {:.1} |", rates.effective_size, rates.error, sum / all.len() as f64);
        passes.sort_by(f64::total_cmp);
        eprintln!(
            "forward passes over {} states x {} sites, one core: median {:.2e} updates a second, best tenth {:.2e}, all {:.2e}",
            model.states(),
            every.len(),
            updates / passes[passes.len() / 2],
            updates / passes[passes.len() / 10],
            updates * all.len() as f64 / begin.elapsed().as_secs_f64(),
        );
    }
}
