//! A GPU's operations against the processor's: they give the same bits.
//!
//! The tests of `twins` need a device. `make test` runs them on the emulator (`cuda/emulator`), a libcuda.so that runs the same
//! kernels on the processor, once as a GPU of compute capability 8.0 and once as one of 9.0; `make test-gpu` runs them on the
//! GPU that is there.

mod emulator;
mod small;

#[cfg(target_os = "linux")]
use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::Command;

/// Every order in which the emulator lets threads and copies come; each finds other waits that are missing.
#[cfg(target_os = "linux")]
#[test]
fn twins_agree_on_the_emulator() {
    emulator::run_ignored_tests(&[
        ["8.0", "late", "forward"],
        ["8.0", "early", "backward"],
        ["9.0", "late", "backward"],
        ["9.0", "early", "forward"],
    ]);
}

/// The emulator itself, instruction by instruction.
#[cfg(target_os = "linux")]
#[test]
fn the_emulator_does_what_its_instructions_say() {
    if Command::new("g++").arg("--version").output().is_err() {
        eprintln!("skipped: there is no g++ to build the emulator with");
        return;
    }
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulator-self-test");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda/emulator/test.sh");
    let run = Command::new("sh").arg(script).arg(&out).output().expect("sh runs");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
}

/// The program, with `--device cpu` and with `--device cuda`, writes the same bytes, whatever it is asked for.
#[cfg(target_os = "linux")]
#[test]
fn commands_write_the_same_bytes_on_any_device() {
    let Some(library) = emulator::built() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let run = |capability: &str, arguments: &[&str]| {
        let run = Command::new(env!("CARGO_BIN_EXE_haploom"))
            .args(arguments)
            .current_dir(folder.path())
            .env("LD_LIBRARY_PATH", &library)
            .env("HAPLOOM_EMULATED_DEVICES", "2")
            .env("HAPLOOM_EMULATED_CAPABILITY", capability)
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&run.stderr).to_string();
        assert!(run.status.success(), "{arguments:?}: {said}");
        (String::from_utf8_lossy(&run.stdout).to_string(), said)
    };
    let panel = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.bcf");
    let (devices, _) = run("9.0", &["info", "--devices"]);
    assert!(devices.contains("cuda:1") && devices.contains("compute capability 9.0"), "{devices}");
    let small = "hidden=12,updates=3,chains=520,batch=40,k=2,sweeps=4,clusters=2";
    let same = |name: &str, arguments: &[&str]| {
        let mut files = Vec::new();
        for (device, capability) in
            [("cpu", "8.0"), ("cuda", "8.0"), ("cuda:1", "9.0"), ("cuda:all", "9.0"), ("auto", "8.0")]
        {
            let output = format!("{}.{name}", device.replace(':', "_"));
            let arguments: Vec<&str> = arguments.iter().map(|a| if *a == "OUT" { &output } else { *a }).collect();
            let (_, said) = run(capability, &[&arguments[..], &["--device", device]].concat());
            let both = said.contains("learns on cuda:0") && said.contains("and cuda:1");
            assert_eq!(both, name == "model" && device == "cuda:all", "{said}");
            files.push((device, std::fs::read(folder.path().join(&output)).expect("the output is there")));
        }
        for (device, bytes) in &files[1..] {
            assert!(*bytes == files[0].1, "{name}: {device} and {} differ", files[0].0);
        }
    };
    same("model", &["train", panel, "-r", "1:1-2000000", "-o", "OUT", "--set", small]);
    same("sample.vcf", &["sample", "cpu.model", "-n", "30", "-o", "OUT"]);
    same("augmented.vcf", &["augment", panel, "cpu.model", "-n", "20", "-o", "OUT"]);
    same("encoded.tsv", &["encode", "cpu.model", "cpu.sample.vcf", "-o", "OUT"]);
    same("imputed.vcf", &["impute", "cpu.sample.vcf", "--model", "cpu.model", "-o", "OUT", "--set", "impute_chains=4"]);
    same("numbers.json", &["evaluate", "cpu.sample.vcf", "cpu.augmented.vcf", "--json", "OUT"]);
}

/// What is wrong with a device is told, and auto goes on without it.
#[cfg(target_os = "linux")]
#[test]
fn devices_that_cannot_be_used_are_refused_by_name() {
    let Some(library) = emulator::built() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let panel = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.bcf");
    let train_with = |set: &str, device: &str, variable: &str, value: &str| {
        let run = Command::new(env!("CARGO_BIN_EXE_haploom"))
            .args(["train", panel, "-r", "1:1-300000", "-o", "model", "--set", set, "--device", device])
            .args(["--checkpoint", "kept"])
            .current_dir(folder.path())
            .env("LD_LIBRARY_PATH", &library)
            .env(variable, value)
            .output()
            .expect("the program runs");
        (run.status.success(), String::from_utf8_lossy(&run.stderr).to_string())
    };
    let small = "hidden=4,updates=1,clusters=1,chains=8,batch=8";
    let train = |device: &str, variable: &str, value: &str| train_with(small, device, variable, value);
    for (variable, value, words) in [
        ("HAPLOOM_EMULATED_DEVICES", "0", "no GPU"),
        ("HAPLOOM_EMULATED_DRIVER_VERSION", "12020", "12.2"),
        ("HAPLOOM_EMULATED_CAPABILITY", "7.5", "7.5"),
        ("HAPLOOM_EMULATED_MEMORY", "0", "no memory left"),
        ("HAPLOOM_EMULATED_FAILURE", "1", "device=cpu"),
    ] {
        let (well, said) = train("cuda", variable, value);
        assert!(!well && said.contains(words) && !said.contains("panic"), "{variable}={value}: {said}");
        if !variable.contains("FAILURE") {
            let (well, said) = train("auto", variable, value);
            assert!(well && said.contains("the processor"), "auto, {variable}={value}: {said}");
        }
    }
    // Weights and states fit, and what an update needs besides does not.
    let large = "hidden=200,updates=2,clusters=1,chains=800,batch=800";
    let again = ["2", "4096"].map(|memory| {
        let (well, said) = train_with(large, "auto", "HAPLOOM_EMULATED_MEMORY", memory);
        let begins_again = said.contains("learns on cuda:0") && said.contains("begins again on the processor");
        assert!(well && begins_again == (memory == "2"), "auto, {memory} MiB: {said}");
        std::fs::read(folder.path().join("model")).expect("the model is there")
    });
    assert!(again[0] == again[1], "the model of the processor and that of the GPU differ");
    // Updates fit, and the calibration after them does not.
    let long = "hidden=4,updates=500,clusters=1,chains=8,batch=8,k=1";
    let kept = ["auto", "cpu"].map(|device| {
        let (well, said) = train_with(long, device, "HAPLOOM_EMULATED_MEMORY", "1");
        let goes_on = said.contains("goes on from its checkpoint on the processor");
        assert!(well && goes_on == (device == "auto"), "{device}: {said}");
        std::fs::read(folder.path().join("model")).expect("the model is there")
    });
    assert!(kept[0] == kept[1], "the model that went on from a checkpoint is another");
    let (well, said) = train_with(large, "cuda", "HAPLOOM_EMULATED_MEMORY", "2");
    assert!(!well && said.contains("no memory left") && !said.contains("panic"), "{said}");
    let (well, said) = train("cuda:3", "HAPLOOM_EMULATED_DEVICES", "2");
    assert!(!well && said.contains("no cuda:3") && said.contains("2 GPUs"), "{said}");
}

mod twins {
    use super::small;
    use haploom::compute::cuda::Cuda;
    use haploom::compute::learning::{Adam, Contrast, Gradient, Statistics};
    use haploom::compute::{Buffer, Clamp, Device, DeviceChoice, Matrix, Noise, States, Unit, WEIGHT_STEPS, Weights};
    use haploom::evaluate::distances::{nearest, nearest_within};
    use haploom::impute::{ClampedSettings, ImputeFileOptions, ImputeSettings, Imputer, impute_file};
    use haploom::io::{WriteOptions, write_panel};
    use haploom::model_file::to_bytes;
    use haploom::models::rbm::{HalfSteps, Hidden, Rbm};
    use haploom::models::{Generator, Model, ModelKind};
    use haploom::panel::bits::BitMatrix;
    use haploom::progress::Progress;
    use haploom::rng::{Purpose, Reader, Stream};
    use haploom::sample::likelihood::{Annealing, Bridging, Method, log_likelihood};
    use haploom::threads::Threads;
    use haploom::train::{TrainSettings, train};
    use std::sync::Arc;

    fn devices() -> [Device; 2] {
        let threads = Threads::single();
        let cuda = Cuda::open(0, threads.clone()).expect("there is a device");
        [Device::cpu(threads), Device::Cuda(cuda)]
    }

    fn random(seed: u64) -> Reader {
        Stream::new(seed, Purpose::Evaluate, 0).reader(0)
    }

    /// Shapes that fill tiles, and that do not: rows, inputs, outputs. Those from 700 rows on are for Hopper: several tiles for
    /// each of the emulator's five processors, tiles that blocks share, on few processors as on many, and some that are just too
    /// small for that, as bits and as numbers.
    const SHAPES: [(usize, usize, usize); 12] = [
        (1, 1, 1),
        (3, 63, 65),
        (130, 64, 128),
        (257, 200, 70),
        (17, 300, 259),
        (128, 129, 130),
        (500, 70, 65),
        (700, 200, 300),
        (100, 2000, 100),
        (100, 700, 100),
        (100, 300, 100),
        (300, 1500, 260),
    ];

    const NOISE: Noise = Noise { seed: 77, purpose: Purpose::Chain, first: (1 << 40) + 5, position: 64 * 9 };

    fn bits(random: &mut Reader, rows: usize, columns: usize) -> BitMatrix {
        BitMatrix::from_fn(rows, columns, |_, _| random.word() & 3 == 0).unwrap()
    }

    fn states_of(device: &Device, bits: &BitMatrix) -> States {
        let mut states = States::zeros(device, bits.rows(), bits.columns()).unwrap();
        states.unpack(bits, &(0..bits.rows()).collect::<Vec<_>>()).unwrap();
        states
    }

    fn numbers_of(device: &Device, rows: &[Vec<i16>]) -> States {
        let mut states = States::zeros(device, rows.len(), rows[0].len()).unwrap();
        states.write_rows(|r, row| row.copy_from_slice(&rows[r])).unwrap();
        states
    }

    fn rows_of<T: haploom::compute::Number>(matrix: &Matrix<T>) -> Vec<Vec<T>> {
        let rows = matrix.to_host().unwrap();
        (0..matrix.rows()).map(|r| rows.row(r).to_vec()).collect()
    }

    /// Weights of all sizes up to the largest that fit, and biases.
    fn parameters(random: &mut Reader, inputs: usize, outputs: usize, size: f32) -> (Vec<f32>, Vec<f32>) {
        let mut number = |size: f32| size * (2.0 * random.uniform() as f32 - 1.0);
        let weights = (0..inputs * outputs).map(|i| number(if i % 7 == 0 { 8.5 } else { size })).collect();
        (weights, (0..outputs).map(|_| number(2.0)).collect())
    }

    fn weights(device: &Device, inputs: usize, outputs: usize, values: &(Vec<f32>, Vec<f32>), turned: bool) -> Weights {
        let mut weights = Weights::zeros(device, inputs, outputs, 1.0 / WEIGHT_STEPS).unwrap();
        weights.set(device, &values.0, turned, &values.1).unwrap();
        weights
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn products_of_bits() {
        for (i, (rows, inputs, outputs)) in SHAPES.into_iter().enumerate() {
            let mut random = random(i as u64);
            let bits = bits(&mut random, rows, inputs);
            let values = parameters(&mut random, inputs, outputs, 0.3);
            for turned in [false, true] {
                let found = devices().map(|device| {
                    let (states, weights) =
                        (states_of(&device, &bits), weights(&device, inputs, outputs, &values, turned));
                    let zeros = || States::zeros(&device, rows, outputs).unwrap();
                    let mut sums = Matrix::<i32>::zeros(&device, rows, outputs).unwrap();
                    device.affine(&states, &weights, &mut sums).unwrap();
                    let mut all = vec![];
                    for unit in [Unit::Bernoulli, Unit::Relu { ceiling: 1000 }] {
                        let (mut drawn, mut means) = (zeros(), zeros());
                        let bias = Buffer::upload(&device, (0..inputs).map(|i| f64::from(i as u32) / 4096.0).collect());
                        let mut energies = Buffer::zeros(&device, rows).unwrap();
                        device.affine_sample(&states, &weights, unit, NOISE, &mut drawn).unwrap();
                        device.affine_mean(&states, &weights, unit, &mut means).unwrap();
                        device.free_energies(&states, &weights, unit, &bias.unwrap(), &mut energies).unwrap();
                        all.push((rows_of(&drawn), rows_of(&means), energies.to_host().unwrap().into_owned()));
                    }
                    (rows_of(&sums), all)
                });
                assert_eq!(found[0].0, found[1].0, "sums, {rows} x {inputs} x {outputs}");
                for unit in 0..2 {
                    let (cpu, cuda) = (&found[0].1[unit], &found[1].1[unit]);
                    assert_eq!(cpu.0, cuda.0, "draws of unit {unit}, {rows} x {inputs} x {outputs}");
                    assert_eq!(cpu.1, cuda.1, "means of unit {unit}, {rows} x {inputs} x {outputs}");
                    assert_eq!(cpu.2, cuda.2, "free energies of unit {unit}, {rows} x {inputs} x {outputs}");
                }
            }
        }
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn products_of_numbers() {
        for (i, (rows, inputs, outputs)) in SHAPES.into_iter().enumerate() {
            let mut random = random(i as u64);
            let states: Vec<Vec<i16>> =
                (0..rows).map(|_| (0..inputs).map(|_| (random.word() % 3000) as i16).collect()).collect();
            let values = parameters(&mut random, inputs, outputs, 0.01);
            let found = devices().map(|device| {
                let (states, weights) =
                    (numbers_of(&device, &states), weights(&device, inputs, outputs, &values, false));
                let zeros = || States::zeros(&device, rows, outputs).unwrap();
                let (mut drawn, mut means) = (zeros(), zeros());
                let mut sums = Matrix::<i32>::zeros(&device, rows, outputs).unwrap();
                device.affine(&states, &weights, &mut sums).unwrap();
                device.affine_sample(&states, &weights, Unit::Bernoulli, NOISE, &mut drawn).unwrap();
                device.affine_mean(&states, &weights, Unit::Bernoulli, &mut means).unwrap();
                (rows_of(&sums), rows_of(&drawn), rows_of(&means))
            });
            assert_eq!(found[0], found[1], "{rows} x {inputs} x {outputs}");
        }
    }

    /// Inputs from -60 to 60 at which every path of the activations is taken.
    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn activations_over_their_whole_range() {
        let (rows, outputs) = (64, 256);
        let bias: Vec<f32> = (0..outputs).map(|n| (n as f32 - 128.0) * 0.47).collect();
        let found = devices().map(|device| {
            let states = states_of(&device, &BitMatrix::zeros(rows, 1).unwrap());
            let weights = weights(&device, 1, outputs, &(vec![0.0; outputs], bias.clone()), false);
            let mut all = vec![];
            for unit in [Unit::Bernoulli, Unit::Relu { ceiling: 32_000 }] {
                let (mut drawn, mut means) =
                    (States::zeros(&device, rows, outputs).unwrap(), States::zeros(&device, rows, outputs).unwrap());
                device.affine_sample(&states, &weights, unit, NOISE, &mut drawn).unwrap();
                device.affine_mean(&states, &weights, unit, &mut means).unwrap();
                all.push((rows_of(&drawn), rows_of(&means)));
            }
            all
        });
        assert_eq!(found[0], found[1]);
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn rows_are_chosen_counted_and_exchanged() {
        let mut random = random(3);
        let (first, second) = (bits(&mut random, 70, 333), bits(&mut random, 70, 333));
        // Differences of energies from far below 0 to far above.
        let energies: [Vec<f64>; 4] = [(); 4].map(|()| (0..70).map(|r| (r / 8) as f64 * random.normal()).collect());
        let (from, to) = ([3, 69, 0, 7], [69, 1, 2, 30]);
        let found = devices().map(|device| {
            let (mut a, mut b) = (states_of(&device, &first), states_of(&device, &second));
            let [aa, ab, ba, bb] = energies.each_ref().map(|e| Buffer::upload(&device, e.clone()).unwrap());
            let mut chances = Buffer::zeros(&device, 70).unwrap();
            device.swap_replicas(&mut a, &mut b, [&aa, &ab, &ba, &bb], NOISE, &mut chances).unwrap();
            let chances = chances.to_host().unwrap().into_owned();
            let swapped = a.pack().unwrap();
            device.copy_rows(&a, &from, &mut b, &to).unwrap();
            (swapped, chances, b.copy().unwrap().pack().unwrap(), b.column_sums().unwrap())
        });
        assert_eq!(found[0], found[1]);
        let swapped = (0..70).filter(|r| found[0].0.row(*r) != first.row(*r)).count();
        assert!(0 < swapped && swapped < 70 && found[0].1.iter().any(|chance| *chance < 1e-3));
        let selected = devices().map(|device| {
            let mut states = States::zeros(&device, 4, 333).unwrap();
            states.unpack(&first, &from).unwrap();
            states.pack().unwrap()
        });
        assert_eq!(selected[1], first.select_rows(&from).unwrap());
        assert_eq!(selected[0], selected[1]);
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn gradients_and_steps() {
        // Rows that begin at multiples of 16 bytes and rows that do not; sums of several tiles of 256 sites and of 64 units.
        for (sites, units, rows) in
            [(1, 1, 2), (5, 3, 9), (200, 70, 130), (131, 257, 300), (1100, 20, 70), (40, 260, 65)]
        {
            let mut random = random(sites as u64);
            let panels = [bits(&mut random, rows, sites), bits(&mut random, rows + 7, sites)];
            let means: Vec<Vec<Vec<i16>>> = panels
                .iter()
                .map(|p| (0..p.rows()).map(|_| (0..units).map(|_| (random.word() % 16_385) as i16).collect()).collect())
                .collect();
            let (values, _) = parameters(&mut random, sites, units, 0.3);
            let frequencies: Vec<f32> = (0..sites).map(|_| random.uniform() as f32).collect();
            let found = devices().map(|device| {
                let upload = |values: &[f32]| Buffer::upload(&device, values.to_vec()).unwrap();
                let mut of = [0, 1].map(|_| Statistics::zeros(&device, sites, units).unwrap());
                for i in 0..2 {
                    let (v, h) = (states_of(&device, &panels[i]), numbers_of(&device, &means[i]));
                    device.statistics(&v, &h, 1.0 / 16_384.0, &mut of[i]).unwrap();
                }
                let mut all = vec![];
                let mut weights = upload(&values);
                let frequencies = upload(&frequencies);
                for frequencies in [None, Some(&frequencies)] {
                    let mut gradient = Gradient::zeros(&device, sites, units).unwrap();
                    let contrast = Contrast {
                        data: &of[0],
                        chains: &of[1],
                        data_unit: 0.001,
                        chain_unit: 0.0013,
                        weights: &weights,
                        decay: 0.01,
                        frequencies,
                    };
                    device.contrast(&contrast, &mut gradient).unwrap();
                    let (mut first, mut second) = (upload(&values), upload(&vec![0.5; values.len()]));
                    device.ascend_sgd(&mut weights, None, &gradient.weights, 0.1, 0.0).unwrap();
                    device.ascend_sgd(&mut weights, Some(&mut first), &gradient.weights, 0.1, 0.7).unwrap();
                    let adam = Adam { rate: 0.01, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8 };
                    device.ascend_adam(&mut weights, &mut first, &mut second, &gradient.weights, adam).unwrap();
                    for list in [&gradient.weights, &gradient.visible, &gradient.hidden, &weights, &first, &second] {
                        all.push(list.to_host().unwrap().to_vec());
                    }
                    all.push(device.largest(&[&weights, &gradient.hidden]).unwrap());
                    all.push(vec![device.largest_row(&weights, sites, units).unwrap()]);
                }
                (rows_of(&of[0].product), rows_of(&of[1].product), all)
            });
            assert_eq!(found[0], found[1], "{sites} x {units}");
        }
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn outer_products_of_numbers() {
        let mut random = random(9);
        let mut numbers = |rows, columns| -> Vec<Vec<i16>> {
            (0..rows).map(|_| (0..columns).map(|_| (random.word() % 2000) as i16).collect()).collect()
        };
        let (left, right) = (numbers(77, 130), numbers(77, 61));
        let found = devices().map(|device| {
            let mut out = Matrix::<i32>::zeros(&device, 130, 61).unwrap();
            device.outer(&numbers_of(&device, &left), &numbers_of(&device, &right), &mut out).unwrap();
            rows_of(&out)
        });
        assert_eq!(found[0], found[1]);
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn clamped_chains() {
        let mut random = random(4);
        let (haplotypes, chains, sites) = (3, 5, 150);
        let start = bits(&mut random, haplotypes * chains, sites);
        let means: Vec<Vec<i16>> = (0..haplotypes * chains)
            .map(|_| (0..sites).map(|_| [0, 16_384, (random.word() % 16_385) as i16][random.below(3)]).collect())
            .collect();
        let places = [0, 3, 4, 63, 64, 100, 149];
        let known: Vec<Vec<Option<bool>>> = (0..haplotypes)
            .map(|_| places.iter().map(|_| [None, Some(true), Some(false)][random.below(3)]).collect())
            .collect();
        let found = devices().map(|device| {
            let clamp = Clamp::new(&device, sites, &places, known.clone(), chains).unwrap();
            let mut states = states_of(&device, &start);
            let means = numbers_of(&device, &means);
            device.clamp(&clamp, &mut states).unwrap();
            let clamped = states.pack().unwrap();
            device.clamp_seen(&clamp, &means, 0.03, NOISE, &mut states).unwrap();
            let mut sums = Buffer::<f32>::zeros(&device, haplotypes * 2 * sites).unwrap();
            let mut inverse = Buffer::<f64>::zeros(&device, haplotypes * places.len()).unwrap();
            for _ in 0..2 {
                device.add_means(&clamp, &means, &mut sums).unwrap();
                device.add_inverse(&clamp, &means, 0.03, &mut inverse).unwrap();
            }
            let sums = sums.to_host().unwrap().to_vec();
            (clamped, states.pack().unwrap(), sums, inverse.to_host().unwrap().to_vec())
        });
        assert_eq!(found[0], found[1]);
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn distances_to_nearest() {
        let mut random = random(5);
        let (a, b) = (bits(&mut random, 130, 1100), bits(&mut random, 67, 1100));
        let found = devices().map(|device| (nearest(&a, &b, &device).unwrap(), nearest_within(&a, &device).unwrap()));
        assert_eq!(found[0], found[1]);
    }

    /// Sweeps that become graphs, those left over, and a graph that is launched again from elsewhere.
    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn sweeps_in_graphs() {
        for hidden in [Hidden::Bernoulli, Hidden::Relu] {
            let mut random = random(6);
            let start = bits(&mut random, 140, 90);
            let (weights, visible_bias) = parameters(&mut random, 30, 90, 0.2);
            let weights = weights.iter().map(|w| w.clamp(-0.4, 0.4)).collect();
            let rbm = Rbm { hidden, weights, visible_bias, hidden_bias: vec![0.1; 30] };
            let found = devices().map(|device| {
                let steps = HalfSteps::new(&device, &rbm).unwrap();
                let (mut visible, mut hidden) = (states_of(&device, &start), States::zeros(&device, 140, 30).unwrap());
                for position in [0, 64 * 50_000] {
                    steps.sweep(&device, &mut visible, &mut hidden, 19, Noise { position, ..NOISE }).unwrap();
                }
                let energies = steps.free_energies(&device, &visible).unwrap().to_host().unwrap().into_owned();
                (visible.pack().unwrap(), rows_of(&hidden), energies)
            });
            assert_eq!(found[0], found[1], "{hidden:?}");
        }
    }

    fn trained(text: &str, device: DeviceChoice) -> Model {
        let settings = TrainSettings { seed: 5, device, ..TrainSettings::default() };
        train(&small::panel(1), ModelKind::Rbm, &small::options(text), &settings, &mut Progress::none()).unwrap()
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn machines_that_learned() {
        for text in [
            "updates=6",
            "optimiser=adam,learning_rate=0.01,centred=false,updates=6",
            "hidden_type=relu,learning_rate=0.01,method=rdm,updates=6",
            "method=pcd,stop=aats,stop_every=2,updates=6",
        ] {
            let [cpu, cuda] = [DeviceChoice::Cpu, DeviceChoice::Cuda(0)].map(|d| to_bytes(&trained(text, d)).unwrap());
            assert!(cpu == cuda, "{text}");
        }
    }

    /// Chains enough for two devices, and one more.
    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn machines_that_learned_on_all_devices() {
        // Sweeps enough for a graph; a rung that is weighed against the first.
        for text in [
            "chains=513,k=9,updates=2,method=pcd,hidden_type=relu",
            "chains=513,k=1,updates=20,ladder=true,rung_acceptance=0.95",
        ] {
            let [cpu, all] = [DeviceChoice::Cpu, DeviceChoice::CudaAll].map(|d| to_bytes(&trained(text, d)).unwrap());
            assert!(cpu == all, "{text}");
        }
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn haplotypes_of_every_schedule() {
        let model = Arc::new(trained("ladder=true", DeviceChoice::Cpu));
        for text in ["", "sampler=gibbs,sample_sweeps=21", "sampler=random", "sampler=tempering"] {
            let made = [DeviceChoice::Cpu, DeviceChoice::Cuda(0), DeviceChoice::CudaAll].map(|device| {
                let mut sampler = small::sampler(&model, text, |s| {
                    s.device = device;
                    s.region = Some("1".parse().unwrap());
                });
                sampler.seek(3);
                (sampler.next(300).unwrap(), sampler.next(5).unwrap())
            });
            assert!(made[0] == made[1] && made[0] == made[2], "{text}");
        }
        let start = small::panel(2);
        let made = [DeviceChoice::Cpu, DeviceChoice::Cuda(0)].map(|device| {
            small::sampler(&model, "", |s| (s.device, s.start) = (device, Some(start.clone()))).next(90).unwrap()
        });
        assert_eq!(made[0], made[1]);
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn likelihoods() {
        let model = trained("ladder=true", DeviceChoice::Cpu);
        let Generator::Rbm(machine) = &model.generator else { panic!("an RBM") };
        let bits = small::panel(3).bits().clone();
        let annealing = Annealing { chains: 20, temperatures: 12, ..Annealing::default() };
        let bridging = Bridging { chains: 20, rounds: 3, discarded: 1, ..Bridging::default() };
        for method in [Method::Annealing(annealing), Method::Bridging(bridging)] {
            let found = devices()
                .map(|device| log_likelihood(&device, machine, &bits, &method, &mut Progress::none()).unwrap());
            assert_eq!(found[0].haplotypes, found[1].haplotypes);
            assert_eq!(found[0].error, found[1].error);
        }
    }

    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn dosages_by_a_machine() {
        let model = Arc::new(trained("", DeviceChoice::Cpu));
        let target = small::panel(4);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("target.vcf");
        let array: Vec<usize> = (0..small::SITES).step_by(5).collect();
        write_panel(&path, &target.select_sites(&array).unwrap(), &WriteOptions::default()).unwrap();
        for (sweeps, typed_error) in [(0, 0.0), (12, 0.02)] {
            let files = [DeviceChoice::Cpu, DeviceChoice::Cuda(0), DeviceChoice::CudaAll].map(|device| {
                let clamped = ClampedSettings { chains: 6, sweeps, typed_error, ..ClampedSettings::default() };
                let settings = ImputeSettings { clamped, device, ..ImputeSettings::default() };
                let imputer = Imputer::from_model(&model, settings).unwrap();
                let output = folder.path().join("imputed.vcf");
                impute_file(&imputer, &path, &output, &ImputeFileOptions::default(), &mut Progress::none()).unwrap();
                std::fs::read(output).unwrap()
            });
            assert!(files[0] == files[1] && files[0] == files[2], "{sweeps} sweeps");
        }
    }

    /// Threads that share a device (an imputer is any thread's) do not meet in memory that operations share, or in graphs.
    #[test]
    #[ignore = "needs a device: make test, make test-gpu"]
    fn threads_share_a_device() {
        let [_, device] = devices();
        let mut random = random(12);
        let start = bits(&mut random, 60, 70);
        let (weights, visible_bias) = parameters(&mut random, 20, 70, 0.2);
        let weights: Vec<f32> = weights.iter().map(|w| w.clamp(-0.4, 0.4)).collect();
        let rbm = |h: usize| Rbm {
            hidden: Hidden::Relu,
            weights: weights.iter().map(|w| w / (h + 1) as f32).collect(),
            visible_bias: visible_bias.clone(),
            hidden_bias: vec![0.1; 20],
        };
        let run = |h: usize| {
            let steps = HalfSteps::new(&device, &rbm(h)).unwrap();
            let (mut visible, mut hidden) = (states_of(&device, &start), States::zeros(&device, 60, 20).unwrap());
            steps.sweep(&device, &mut visible, &mut hidden, 9, NOISE).unwrap();
            (visible.send().unwrap().bits().unwrap(), rows_of(&hidden))
        };
        let alone = [0, 1, 2].map(run);
        let together: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|h| {
                    scope.spawn({
                        let run = &run;
                        move || run(h)
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(alone.iter().eq(&together));
    }
}
