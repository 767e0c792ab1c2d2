//! Training time at 1,000, 4,000 and 16,000 sites: the same number of updates, so that 4 times the sites should cost 4
//! times the time. `cargo bench --bench scaling`.
//!
//! Haplotypes are mosaics of sixteen simulated founders; what they are does not change the time.

use haploom::compute::Device;
use haploom::options::Options;
use haploom::panel::bits::BitMatrix;
use haploom::rng::{Purpose, Stream};
use haploom::threads::Threads;
use haploom::train::contrastive::{Settings, Trainer};
use std::time::Instant;

const HAPLOTYPES: usize = 2_000;
const UPDATES: usize = 6;
const RUNS: usize = 5;
const SIZES: [usize; 3] = [1_000, 4_000, 16_000];

/// Segments of 50 sites, each from one founder; a founder's allele at a site is on with the site's frequency.
fn simulated(sites: usize) -> BitMatrix {
    let founders = Stream::new(5, Purpose::Evaluate, 0);
    let frequencies = Stream::new(5, Purpose::Evaluate, 1);
    let choices = Stream::new(5, Purpose::Evaluate, 2);
    BitMatrix::from_fn(HAPLOTYPES, sites, |r, c| {
        let founder = choices.word((r * sites.div_ceil(50) + c / 50) as u64) % 16;
        founders.uniform((founder as usize * sites + c) as u64) < frequencies.uniform(c as u64).powi(2)
    })
    .expect("memory")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let threads = Threads::new(2);
    let mut options = Options::new();
    options.set("clusters", "1").expect("an option");
    let mut trainers: Vec<Trainer> = SIZES
        .iter()
        .map(|sites| {
            Trainer::new(
                simulated(*sites),
                Settings::new(&options, 1, HAPLOTYPES, *sites),
                &Device::cpu(threads.clone()),
            )
            .expect("memory")
        })
        .collect();
    // Sizes take turns, so that a busy machine is busy for all of them.
    let mut seconds = [const { Vec::new() }; SIZES.len()];
    for run in 0..=RUNS {
        for (trainer, seconds) in trainers.iter_mut().zip(&mut seconds) {
            let begin = Instant::now();
            for _ in 0..UPDATES {
                trainer.step().expect("a gradient step");
            }
            if run > 0 {
                seconds.push(begin.elapsed().as_secs_f64() / UPDATES as f64);
            }
        }
    }
    println!("Defaults ({} hidden units), {} threads.", options.whole("hidden"), threads.count());
    println!();
    println!("| sites | s an update | against the size before |");
    println!("|---|---|---|");
    let mut before = None;
    for (sites, seconds) in SIZES.iter().zip(seconds) {
        let now = median(seconds);
        let ratio = before.map_or("".to_string(), |b: f64| format!("{:.2}", now / b));
        println!("| {sites} | {now:.4} | {ratio} |");
        before = Some(now);
    }
}
