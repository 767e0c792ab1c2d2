//! The sampler's stream in Rust, for `benches/ffi.sh`: `stream MODEL WINDOW HAPLOTYPES` prints its seconds.

use haploom::sample::{SampleSettings, Sampler};
use std::time::Instant;

fn main() -> haploom::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [model, window, haplotypes] = &words[..] else {
        println!("give MODEL WINDOW HAPLOTYPES: see benches/ffi.sh");
        return Ok(());
    };
    let (window, haplotypes): (usize, usize) = (window.parse().unwrap_or(480), haplotypes.parse().unwrap_or(0));
    let model = haploom::model_file::open(model.as_ref())?;
    let mut sampler = Sampler::new(model.into(), &SampleSettings::default())?;
    let start = Instant::now();
    let (mut done, mut sum) = (0, 0);
    while done < haplotypes {
        let made = sampler.next(window)?;
        sum += made.words()[0] & 255;
        done += made.rows();
    }
    println!("stream {:.6} s ({sum})", start.elapsed().as_secs_f64());
    Ok(())
}
