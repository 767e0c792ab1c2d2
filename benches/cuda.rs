//! What a GPU does in a second: sweeps, training, haplotypes into the caller's memory, and how long the first one takes.
//!
//! `cargo bench --bench cuda -- [cuda:N [PART…]]`, where parts are 512, 2048, training and relu (the last two with `cuda:all` on
//! all GPUs); `benches/cuda.sh` runs it beside PyTorch. Lines are `name<TAB>value<TAB>unit`, medians of seven; those that begin
//! with `#` say what was measured. One multiplication with its addition counts as two operations.

use haploom::compute::{Device, DeviceChoice, Noise, States};
use haploom::models::mixture::Mixture;
use haploom::models::rbm::{HalfSteps, Hidden, Rbm};
use haploom::models::{Output, SampledRbm, Start};
use haploom::options::Options;
use haploom::panel::bits::BitMatrix;
use haploom::rng::{Purpose, Stream};
use haploom::sample::chains::{Chains, Schedule};
use haploom::threads::Threads;
use haploom::train::contrastive::{Settings, begin};
use haploom::train::trainers::Trainers;
use std::sync::Arc;
use std::time::Instant;

const SITES: usize = 10_000;
const CHAINS: usize = 16_384;
const RUNS: usize = 7;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let choice = arguments.next().unwrap_or_else(|| "cuda".into());
    let parts: Vec<String> = arguments.collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    let choice: DeviceChoice = choice.parse().expect("cuda, cuda:NUMBER, cuda:all or cpu");
    let begin = Instant::now();
    let device = choice.open(&Threads::new(0)).expect("the device");
    first_half_step(&device);
    let start = begin.elapsed().as_secs_f64();
    println!("# {device}");
    if let Device::Cuda(cuda) = &device {
        println!("# {}", cuda.description());
    }
    // With the driver's cache warm this is the start that users see; `CUDA_CACHE_DISABLE=1` shows the other.
    println!("start\t{start:.3}\ts");
    for units in [512, 2048] {
        if wanted(&units.to_string()) {
            sweeps(&device, units, &machine(units));
        }
    }
    // The literature's machine, and one of the units that are the default here.
    if wanted("training") {
        training(choice, &device, "bernoulli", "updates_2000");
    }
    if wanted("relu") {
        training(choice, &device, "relu", "updates_2000_relu");
    }
}

fn noise(position: u64) -> Noise {
    Noise { seed: 1, purpose: Purpose::Sample, first: 0, position }
}

/// Weights of the size that trained ones have; frequencies of sites as in a panel: most alleles are rare.
fn machine(units: usize) -> Rbm {
    let words = Stream::new(1, Purpose::Initial, 0);
    let frequencies: Vec<f64> = (0..SITES).map(|i| 0.5 * f64::from(words.uniform(i as u64)).powi(3)).collect();
    let mut rbm = Rbm::independent(Hidden::Bernoulli, units, &frequencies, 5_008);
    for (i, w) in rbm.weights.iter_mut().enumerate() {
        *w = 0.2 * (words.uniform((SITES + i) as u64) - 0.5);
    }
    rbm
}

fn first_half_step(device: &Device) {
    let rbm = Rbm::independent(Hidden::Bernoulli, 8, &[0.5; 64], 10);
    let steps = HalfSteps::new(device, &rbm).expect("laid out");
    let mut visible = States::zeros(device, 8, 64).expect("memory");
    let mut hidden = States::zeros(device, 8, 8).expect("memory");
    steps.sweep(device, &mut visible, &mut hidden, 1, noise(0)).expect("a sweep");
    device.finish().expect("done");
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Seconds of `work`, the device's included.
fn seconds(device: &Device, mut work: impl FnMut()) -> f64 {
    let mut once = || {
        let begin = Instant::now();
        work();
        device.finish().expect("done");
        begin.elapsed().as_secs_f64()
    };
    once();
    median((0..RUNS).map(|_| once()).collect())
}

fn sweeps(device: &Device, units: usize, rbm: &Rbm) {
    const SWEEPS: usize = 32;
    let steps = HalfSteps::new(device, rbm).expect("laid out");
    let mut visible = States::zeros(device, CHAINS, SITES).expect("memory");
    let mut hidden = States::zeros(device, CHAINS, units).expect("memory");
    let mut position = 0;
    let all = seconds(device, || {
        steps.sweep(device, &mut visible, &mut hidden, SWEEPS, noise(position)).expect("sweeps");
        position += SWEEPS as u64 * steps.words_per_sweep();
    });
    let sweep = all / SWEEPS as f64;
    println!("sweep_{units}\t{sweep:.6}\ts");
    let operations = 4.0 * CHAINS as f64 * SITES as f64 * units as f64;
    println!("sweep_{units}_rate\t{:.1}\tTOP/s", operations / sweep / 1e12);
    let up = seconds(device, || {
        (0..SWEEPS).for_each(|_| steps.sample_hidden(device, &visible, &mut hidden, noise(0)).expect("a half-step"));
    });
    let down = seconds(device, || {
        (0..SWEEPS).for_each(|_| steps.sample_visible(device, &hidden, &mut visible, noise(0)).expect("a half-step"));
    });
    println!("up_{units}\t{:.6}\ts", up / SWEEPS as f64);
    println!("down_{units}\t{:.6}\ts", down / SWEEPS as f64);
    haplotypes(device, units, rbm, sweep);
}

/// Haplotypes into the caller's memory beside what the kernels alone could make: eight batches of chains, 10 sweeps each.
fn haplotypes(device: &Device, units: usize, rbm: &Rbm, sweep: f64) {
    const SWEEPS: usize = 10;
    const BATCHES: usize = 8;
    let machine = SampledRbm {
        rbm: rbm.rounded(),
        mixture: Mixture { shares: vec![1.0], log_odds: vec![-1.0; SITES] },
        ladder: Vec::new(),
        output: Output { sharpness: 1.0, bias: rbm.visible_bias.clone() },
        start: Start::Mixture,
        sweeps: SWEEPS,
    };
    let schedule = Schedule::Gibbs { start: Start::Mixture, sweeps: SWEEPS };
    let chains = Chains::new(device, &machine, schedule).expect("laid out");
    let made = seconds(device, || {
        let mut coming = None;
        for batch in 0..BATCHES as u64 {
            let sent = chains.haplotypes(device, 1, batch * CHAINS as u64, CHAINS).expect("haplotypes");
            if let Some(before) = coming.replace(sent) {
                std::hint::black_box(haploom::compute::Sent::bits(before).expect("bits"));
            }
        }
        std::hint::black_box(coming.map(|last| last.bits().expect("bits")));
    });
    // A sweep of each batch more: the draw of the start and the last half-steps.
    let kernels = BATCHES as f64 * (SWEEPS + 1) as f64 * sweep;
    println!("haplotypes_{units}\t{:.0}\t1/s", (BATCHES * CHAINS) as f64 / made);
    println!("haplotypes_{units}_share\t{:.3}\tof the kernels' rate", kernels / made);
}

/// Updates a second of the 10,000-site run of the literature: 2,000 hidden units, 50 sweeps an update, 1,252 chains.
fn training(choice: DeviceChoice, device: &Device, hidden: &str, name: &str) {
    let random = Stream::new(2, Purpose::Evaluate, 0);
    let data =
        BitMatrix::from_fn(5_008, SITES, |r, c| random.word((r * SITES + c) as u64) < u32::MAX / 50 * (c as u32 % 25))
            .expect("memory");
    let mut options = Options::new();
    options
        .set_text(&format!(
            "hidden=2000,hidden_type={hidden},k=50,chains=1252,batch=1252,method=pcd,clusters=1,learning_rate=1e-4"
        ))
        .expect("options");
    let settings = Settings::new(&options, 1, data.rows(), SITES);
    let (data, threads) = (Arc::new(data), device.threads());
    let (mixture, state) = begin(&data, &settings, threads).expect("memory");
    let mut trainers = Trainers::new(&data, &settings, choice, threads, &mixture, &state).expect("trainers");
    println!("# {name} on {trainers}");
    const UPDATES: usize = 5;
    let all = seconds(device, || {
        (0..UPDATES).for_each(|_| trainers.step().expect("an update"));
        trainers.first().device().finish().expect("done");
    });
    println!("{name}\t{:.3}\t1/s", UPDATES as f64 / all);
}
