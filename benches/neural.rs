//! Steps of training and sampling of neural generators: `name<TAB>seconds`, medians, of the processor with one thread and
//! on the clock with more; peers in `neural_peers.py`.
//!
//! `cargo bench --bench neural -- THREADS`

use haploom::models::ModelKind;
use haploom::models::Output;
use haploom::models::labels::Labels;
use haploom::models::neural::convolutional::Convolutional;
use haploom::models::neural::dense::Dense;
use haploom::models::neural::{Body, Drawer, Latent, Neural, Rows};
use haploom::nn::{Network, Workspace};
use haploom::options::Options;
use haploom::panel::bits::BitMatrix;
use haploom::rng::{Purpose, Stream};
use haploom::threads::Threads;
use haploom::train::neural::adversarial::Adversarial;
use haploom::train::neural::data::Data;
use haploom::train::neural::settings::Settings;
use std::time::Instant;

/// Seconds of the processor that this process took: with one thread they do not depend on what else runs.
fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the one struct that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Of one thread seconds of the processor, of more seconds on the clock.
fn median(threads: usize, repetitions: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<f64> = (0..repetitions)
        .map(|_| {
            let (start, before) = (Instant::now(), processor_seconds());
            work();
            if threads == 1 { processor_seconds() - before } else { start.elapsed().as_secs_f64() }
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[repetitions / 2]
}

fn data(sites: usize, length: usize) -> Data {
    let stream = Stream::new(1, Purpose::Initial, 5);
    let bits = BitMatrix::from_fn(512, sites, |r, c| stream.word((r * sites + c) as u64).is_multiple_of(4)).unwrap();
    let numbers = vec![0; 512];
    Data::new(bits, Labels::default(), numbers, length, 1)
}

/// Seconds of a step of the critic and of one of the generator.
fn steps(kind: ModelKind, options: &str, body: Body, sites: usize, threads: usize, repetitions: usize) -> (f64, f64) {
    let length = match &body {
        Body::Dense(_) => 1,
        Body::Convolutional(body) => body.top(),
    };
    let mut set = Options::new();
    set.set_text(options).unwrap();
    let mut settings = Settings::new(&set, kind, 1, 512, sites).unwrap();
    settings.body = body;
    settings.decoding = 0;
    let mut data = data(sites, length);
    let mut workspace = Workspace::new(Threads::new(threads));
    let mut time = |critic_steps: usize| {
        settings.critic_steps = critic_steps;
        let model = generator(settings.body.clone(), sites);
        let mut run = Adversarial::new(&settings, &model, &data, &vec![0.25; sites]).unwrap();
        let mut update = 0;
        median(threads, repetitions, || {
            run.step(&mut workspace, &mut data, update).unwrap();
            update += 1;
        })
    };
    let (one, two) = (time(1), time(2));
    (two - one, 2.0 * one - two)
}

fn generator(body: Body, sites: usize) -> Neural {
    let graph = Neural::graph(&body, 0, sites, 0);
    Neural {
        kind: ModelKind::Gan,
        body,
        components: 0,
        network: Network::initial(graph, Stream::new(1, Purpose::Initial, 1)),
        latent: Latent::Normal,
        output: Output { sharpness: 1.0, bias: vec![0.0; sites] },
        drawn: false,
        labels: Labels::default(),
        genotypes: false,
        encoder: None,
    }
}

fn main() {
    let threads = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(1);
    println!("# haploom {}, {threads} threads", haploom::VERSION);
    let dense = || {
        let widths = vec![(805.0 / 1.2) as usize, (805.0 / 1.1) as usize];
        Body::Dense(Dense { latent: 600, widths, normalised: false, slope: 0.01 })
    };
    let published =
        || Body::Convolutional(Convolutional { unit: 10, lowest: 4, depth: 12, noise: 2, slope: 0.01, latent: 0 });
    let (critic, made) = steps(ModelKind::Gan, "batch=32,pack=1", dense(), 805, threads, 51);
    println!("gan_805_critic_step\t{critic:.6}");
    println!("gan_805_generator_step\t{made:.6}");
    let (critic, made) = steps(ModelKind::Wgan, "body=published,batch=3,pack=3", published(), 10_000, threads, 5);
    println!("wgan_10k_critic_step\t{critic:.6}");
    println!("wgan_10k_generator_step\t{made:.6}");
    for (name, body, sites, count) in [("gan_805", dense(), 805, 9600), ("wgan_10k", published(), 10_000, 32)] {
        let drawer = Drawer::new(&generator(body, sites), sites);
        let mut workspace = Workspace::new(Threads::new(threads));
        let rows = Rows { seed: 1, purpose: Purpose::Sample, first: 0, count, label: None };
        let seconds = median(threads, 5, || {
            std::hint::black_box(drawer.haplotypes(&mut workspace, rows).unwrap());
        });
        println!("{name}_sample_haplotypes_per_second\t{:.1}", count as f64 / seconds);
    }
}
