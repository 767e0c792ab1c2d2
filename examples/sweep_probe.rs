//! probe
use haploom::compute::*;
use haploom::models::rbm::*;
use haploom::rng::Purpose;
use haploom::threads::Threads;
use std::time::Instant;
fn main() {
    for (m, h, n) in [(10000, 500, 1000), (805, 500, 500), (805, 500, 100), (805, 100, 100)] {
        for t in [1, 2] {
            for path in cpu::Path::ALL {
                if path == cpu::Path::Portable && m > 1000 {
                    continue;
                }
                let d = Device::Cpu(cpu::Cpu::with_path(Threads::new(t), path));
                let f: Vec<f64> = (0..m).map(|i| 0.01 + 0.4 * (i as f64 / m as f64)).collect();
                let mut rbm = Rbm::independent(Hidden::Bernoulli, h, &f, 5000);
                for (i, w) in rbm.weights.iter_mut().enumerate() {
                    *w = ((i * 7919) % 1000) as f32 / 5000.0 - 0.1;
                }
                let s = HalfSteps::new(&d, &rbm).unwrap();
                let mut v = States::zeros(&d, n, m).unwrap();
                let mut hh = States::zeros(&d, n, h).unwrap();
                let k = if m > 1000 { 1 } else { 10 };
                let mut best = f64::MAX;
                for rep in 0..6 {
                    let t0 = Instant::now();
                    s.sweep(
                        &d,
                        &mut v,
                        &mut hh,
                        k,
                        Noise {
                            seed: 1,
                            purpose: Purpose::Sample,
                            first: 0,
                            position: rep * s.words_per_sweep() * k as u64,
                        },
                    )
                    .unwrap();
                    best = best.min(t0.elapsed().as_secs_f64());
                }
                let flop = 4.0 * (m * h * n * k) as f64;
                println!(
                    "{m}x{h}x{n} threads {t} {path:?}: {:.2} ms/sweep {:.0} GOP/s",
                    best * 1e3 / k as f64,
                    flop / best / 1e9
                );
            }
        }
    }
}
