//! One Gibbs sweep (both half-steps, with random numbers and nonlinearity) at 10,000 sites x 500 hidden units x 1,000
//! chains beside the f32 matrix products of the same shapes, in turn, with the same threads; then the sweep's memory.
//!
//! `cargo bench --bench sweep`; `-- paths` adds the slower vector paths; `-- 1` or `-- 2` is for these threads alone.
//! One multiplication with its addition counts as two operations: a sweep is 2 x 2 x 10,000 x 500 x 1,000 = 20 GOP.

use gemm::Parallelism;
use haploom::compute::Path;
use haploom::compute::cpu::Cpu;
use haploom::compute::{Device, Noise, States};
use haploom::models::rbm::{HalfSteps, Hidden, Rbm};
use haploom::rng::{Purpose, Stream};
use haploom::threads::Threads;
use std::time::Instant;

const SITES: usize = 10_000;
const UNITS: usize = 500;
const CHAINS: usize = 1_000;
const RUNS: usize = 9;
const GOP: f64 = 4.0 * SITES as f64 * UNITS as f64 * CHAINS as f64 / 1e9;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if words.first().is_some_and(|w| w == "memory") {
        return memory(words.get(1).is_some_and(|w| w == "sweep"));
    }
    let asked: Vec<usize> = words.iter().filter_map(|w| w.parse().ok()).collect();
    let counts = if asked.is_empty() { vec![1, 2] } else { asked };
    println!(
        "| hidden | threads | path | sweep s | GOP/s | half-steps s | f32 products s | GFLOP/s | sweep / f32 rate |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for threads in counts {
        compare(threads, Path::best());
        if words.iter().any(|w| w == "paths") {
            for path in Path::available().skip(1) {
                compare(threads, path);
            }
        }
    }
    report_memory();
}

fn noise(position: u64) -> Noise {
    Noise { seed: 1, purpose: Purpose::Sample, first: 0, position }
}

/// Weights of the size that trained ones have; frequencies of sites as in a panel: most alleles are rare.
fn machine(hidden: Hidden) -> Rbm {
    let words = Stream::new(1, Purpose::Initial, 0);
    let frequencies: Vec<f64> = (0..SITES).map(|i| 0.5 * f64::from(words.uniform(i as u64)).powi(3)).collect();
    let mut rbm = Rbm::independent(hidden, UNITS, &frequencies, 5_008);
    for (i, w) in rbm.weights.iter_mut().enumerate() {
        *w = 0.2 * (words.uniform((SITES + i) as u64) - 0.5);
    }
    rbm
}

struct Chains {
    device: Device,
    steps: HalfSteps,
    visible: States,
    hidden: States,
    position: u64,
}

impl Chains {
    fn new(device: Device, rbm: &Rbm) -> Self {
        let steps = HalfSteps::new(&device, rbm).expect("memory");
        let visible = States::zeros(&device, CHAINS, SITES).expect("memory");
        let hidden = States::zeros(&device, CHAINS, UNITS).expect("memory");
        Chains { device, steps, visible, hidden, position: 0 }
    }

    /// Seconds of each half-step.
    fn sweep(&mut self) -> [f64; 2] {
        let begin = Instant::now();
        let up = noise(self.position);
        self.steps.sample_hidden(&self.device, &self.visible, &mut self.hidden, up).expect("shapes");
        let middle = Instant::now();
        let down = noise(self.position + UNITS.next_multiple_of(64) as u64);
        self.steps.sample_visible(&self.device, &self.hidden, &mut self.visible, down).expect("shapes");
        self.position += self.steps.words_per_sweep();
        [(middle - begin).as_secs_f64(), middle.elapsed().as_secs_f64()]
    }
}

/// `out = left x right`, all row by row.
fn product(m: usize, n: usize, k: usize, left: &[f32], right: &[f32], out: &mut [f32], threads: usize) {
    assert!(left.len() >= m * k && right.len() >= k * n && out.len() >= m * n);
    let how = if threads == 1 { Parallelism::None } else { Parallelism::Rayon(threads) };
    // SAFETY: the lengths were compared with the shapes above.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            left.as_ptr(),
            1,
            k as isize,
            right.as_ptr(),
            1,
            n as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            how,
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare(threads: usize, path: Path) {
    let device = Device::Cpu(Cpu::with_path(Threads::new(threads), path));
    let words = Stream::new(2, Purpose::Initial, 0);
    let random = |n: usize| -> Vec<f32> { (0..n).map(|i| words.uniform(i as u64)).collect() };
    let (visible, hidden) = (random(CHAINS * SITES), random(CHAINS * UNITS));
    let (up, down) = (random(SITES * UNITS), random(UNITS * SITES));
    let (mut up_out, mut down_out) = (vec![0.0; CHAINS * UNITS], vec![0.0; CHAINS * SITES]);
    for hidden_type in [Hidden::Bernoulli, Hidden::Relu] {
        let mut chains = Chains::new(device.clone(), &machine(hidden_type));
        let (mut sweeps, mut halves, mut floats) = (Vec::new(), [Vec::new(), Vec::new()], Vec::new());
        for run in 0..=RUNS {
            let [a, b] = chains.sweep();
            let begin = Instant::now();
            product(CHAINS, UNITS, SITES, &visible, &up, &mut up_out, threads);
            product(CHAINS, SITES, UNITS, &hidden, &down, &mut down_out, threads);
            let float = begin.elapsed().as_secs_f64();
            // The first run warms up.
            if run > 0 {
                sweeps.push(a + b);
                halves[0].push(a);
                halves[1].push(b);
                floats.push(float);
            }
        }
        let (sweep, float) = (median(sweeps), median(floats));
        let [a, b] = halves.map(median);
        println!(
            "| {} | {threads} | {path:?} | {sweep:.4} | {:.0} | {a:.4} + {b:.4} | {float:.4} | {:.0} | {:.2} |",
            hidden_type.name(),
            GOP / sweep,
            GOP / float,
            float / sweep
        );
    }
}

/// In a process of its own: the most memory that this program has held, with or without a machine and its chains.
fn memory(sweep: bool) {
    if sweep {
        let rbm = machine(Hidden::Bernoulli);
        let mut chains = Chains::new(Device::cpu(Threads::new(2)), &rbm);
        chains.sweep();
        chains.sweep();
        std::hint::black_box(&rbm);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    println!("{}", kib.unwrap_or(0));
}

fn report_memory() {
    let me = std::env::current_exe().expect("the path of this program");
    let kib = |word: &str| -> f64 {
        let out = std::process::Command::new(&me).args(["memory", word]).output().expect("a child");
        String::from_utf8_lossy(&out.stdout).trim().parse().unwrap_or(0.0)
    };
    let used = (kib("sweep") - kib("nothing")) / 1024.0;
    let bound = 1.2 * 4.0 * (SITES * UNITS + CHAINS * SITES) as f64 / (1 << 20) as f64;
    println!();
    println!(
        "Peak memory of a sweep, the machine's f32 weights among it: {used:.1} MiB; f32 weights + one f32 copy of"
    );
    println!("the chains + 20%: {bound:.1} MiB.");
}
