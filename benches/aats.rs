//! Adversarial accuracy of 5,000 against 5,000 haplotypes at 10,000 sites on one thread: median of five runs.
//! `cargo bench --bench aats`; `-- N SITES` for other sizes.

use haploom::compute::Device;
use haploom::compute::hamming::Kernel;
use haploom::evaluate::adversarial::aats;
use haploom::panel::bits::{BitMatrix, words_for};
use haploom::rng::{Purpose, Stream};
use haploom::threads::Threads;
use std::time::Instant;

fn random(rows: usize, columns: usize, number: u64) -> haploom::Result<BitMatrix> {
    let mut words = Stream::new(1, Purpose::Evaluate, number).reader(0);
    let mut word = || u64::from(words.word()) | u64::from(words.word()) << 32;
    BitMatrix::from_words(rows, columns, (0..rows * words_for(columns)).map(|_| word()).collect())
}

fn main() -> haploom::Result<()> {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (n, sites) = (*sizes.first().unwrap_or(&5000), *sizes.get(1).unwrap_or(&10_000));
    let (truth, synthetic) = (random(n, sites, 0)?, random(n, sites, 1)?);
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let found = aats(&truth, &synthetic, &Device::cpu(Threads::single()))?;
        times.push(start.elapsed().as_secs_f64());
        assert!(found.mean().is_finite());
    }
    times.sort_by(f64::total_cmp);
    println!("AATS {n} x {n} x {sites}, {:?}, one thread: {:.3} s (median of 5)", Kernel::best(), times[2]);
    Ok(())
}
