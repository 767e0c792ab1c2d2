//! Steps of training and sampling of neural generators: `name<TAB>seconds`, medians, of the processor with one thread and
//! on the clock with more; peers in `neural_peers.py`.
//!
//! `cargo bench --bench neural -- [THREADS [PART…]]`, or with the name of a GPU (`cuda`), where batches are as large as
//! published; parts are gan, wgan and samples.

use haploom::compute::{Device, DeviceChoice};
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

/// Of one thread seconds of the processor, of more threads, or of a GPU, seconds on the clock.
fn median(device: &Device, repetitions: usize, mut work: impl FnMut()) -> f64 {
    let one_thread = matches!(device, Device::Cpu(_)) && device.threads().count() == 1;
    work();
    let mut times: Vec<f64> = (0..repetitions)
        .map(|_| {
            let (start, before) = (Instant::now(), processor_seconds());
            work();
            if one_thread { processor_seconds() - before } else { start.elapsed().as_secs_f64() }
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
fn steps(kind: ModelKind, options: &str, body: Body, sites: usize, device: &Device, repetitions: usize) -> (f64, f64) {
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
    let mut workspace = Workspace::on(device);
    data.place(&workspace).unwrap();
    let mut time = |critic_steps: usize| {
        settings.critic_steps = critic_steps;
        let model = generator(settings.body.clone(), sites);
        let mut run = Adversarial::new(&settings, &model, &data, &vec![0.25; sites]).unwrap();
        run.place(&workspace).unwrap();
        let mut update = 0;
        median(device, repetitions, || {
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
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let argument = arguments.next().unwrap_or_else(|| "1".into());
    let parts: Vec<String> = arguments.collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    let device = match argument.parse() {
        Ok(threads) => Device::cpu(Threads::new(threads)),
        Err(_) => {
            let choice: DeviceChoice = argument.parse().expect("a number of threads, or a device");
            choice.open(&Threads::new(0)).expect("the device")
        }
    };
    println!("# haploom {}, {device}", haploom::VERSION);
    let dense = || {
        let widths = vec![(805.0 / 1.2) as usize, (805.0 / 1.1) as usize];
        Body::Dense(Dense { latent: 600, widths, normalised: false, slope: 0.01 })
    };
    let published =
        || Body::Convolutional(Convolutional { unit: 10, lowest: 4, depth: 12, noise: 2, slope: 0.01, latent: 0 });
    if wanted("gan") {
        let (critic, made) = steps(ModelKind::Gan, "batch=32,pack=1", dense(), 805, &device, 51);
        println!("gan_805_critic_step\t{critic:.6}");
        println!("gan_805_generator_step\t{made:.6}");
    }
    // 96 haplotypes, as published; of a processor's patience 9.
    let gpu = !matches!(device, Device::Cpu(_));
    let options = if gpu { "body=published,batch=32,pack=3" } else { "body=published,batch=3,pack=3" };
    let options = format!("{options},penalty_every=1");
    if wanted("wgan") {
        let (critic, made) = steps(ModelKind::Wgan, &options, published(), 10_000, &device, 5);
        println!("wgan_10k_critic_step\t{critic:.6}");
        println!("wgan_10k_generator_step\t{made:.6}");
    }
    if !wanted("samples") {
        return;
    }
    let count = if gpu { 2048 } else { 32 };
    for (name, body, sites, count) in [("gan_805", dense(), 805, 300 * count), ("wgan_10k", published(), 10_000, count)]
    {
        let mut drawer = Drawer::new(&generator(body, sites), sites);
        let mut workspace = Workspace::on(&device);
        drawer.place(&workspace).unwrap();
        let rows = Rows { seed: 1, purpose: Purpose::Sample, first: 0, count, label: None };
        let seconds = median(&device, 5, || {
            std::hint::black_box(drawer.haplotypes(&mut workspace, rows).unwrap());
        });
        println!("{name}_sample_haplotypes_per_second\t{:.1}", count as f64 / seconds);
    }
}
