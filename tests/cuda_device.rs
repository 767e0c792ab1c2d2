//! A GPU's operations against the processor's: they give the same bits.
//!
//! The tests of `twins` need a device. `make test` runs them on the emulator (`cuda/emulator`), a libcuda.so that runs the same
//! kernels on the processor, once as a GPU of compute capability 8.0 and once as one of 9.0; `make test-gpu` runs them on the
//! GPU that is there.

mod emulator;

#[cfg(target_os = "linux")]
#[test]
fn twins_agree_on_the_emulator() {
    emulator::run_ignored_tests(&[
        &[("HAPLOOM_EMULATED_CAPABILITY", "8.0")],
        &[("HAPLOOM_EMULATED_CAPABILITY", "9.0")],
    ]);
}

mod twins {
    use haploom::compute::cuda::Cuda;
    use haploom::compute::learning::{Adam, Contrast, Gradient, Statistics};
    use haploom::compute::{Buffer, Clamp, Device, Matrix, Noise, States, Unit, WEIGHT_STEPS, Weights};
    use haploom::evaluate::distances::{nearest, nearest_within};
    use haploom::panel::bits::BitMatrix;
    use haploom::rng::{Purpose, Reader, Stream};
    use haploom::threads::Threads;

    fn devices() -> [Device; 2] {
        let threads = Threads::single();
        let cuda = Cuda::open(0, threads.clone()).expect("there is a device");
        [Device::cpu(threads), Device::Cuda(cuda)]
    }

    fn random(seed: u64) -> Reader {
        Stream::new(seed, Purpose::Evaluate, 0).reader(0)
    }

    /// Shapes that fill tiles, and that do not: rows, inputs, outputs.
    const SHAPES: [(usize, usize, usize); 6] =
        [(1, 1, 1), (3, 63, 65), (130, 64, 128), (257, 200, 70), (17, 300, 259), (128, 129, 130)];

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
                        let (mut drawn, mut means, mut logs) = (zeros(), zeros(), vec![0.0; rows]);
                        device.affine_sample(&states, &weights, unit, NOISE, &mut drawn).unwrap();
                        device.affine_mean(&states, &weights, unit, &mut means).unwrap();
                        device.log_partition(&states, &weights, unit, &mut logs).unwrap();
                        all.push((rows_of(&drawn), rows_of(&means), logs));
                    }
                    (rows_of(&sums), all)
                });
                assert_eq!(found[0].0, found[1].0, "sums, {rows} x {inputs} x {outputs}");
                for unit in 0..2 {
                    let (cpu, cuda) = (&found[0].1[unit], &found[1].1[unit]);
                    assert_eq!(cpu.0, cuda.0, "draws of unit {unit}, {rows} x {inputs} x {outputs}");
                    assert_eq!(cpu.1, cuda.1, "means of unit {unit}, {rows} x {inputs} x {outputs}");
                    assert_eq!(cpu.2, cuda.2, "log partition of unit {unit}, {rows} x {inputs} x {outputs}");
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
        let values: Vec<f64> = (0..333).map(|_| f64::from(random.word() as i32 >> 12) / 4096.0).collect();
        let chosen: Vec<bool> = (0..70).map(|_| random.word() & 1 == 0).collect();
        let (from, to) = ([3, 69, 0, 7], [69, 1, 2, 30]);
        let found = devices().map(|device| {
            let (mut a, mut b) = (states_of(&device, &first), states_of(&device, &second));
            device.swap_rows(&mut a, &mut b, &chosen).unwrap();
            device.copy_rows(&a, &from, &mut b, &to).unwrap();
            let mut products = vec![0.0; 70];
            device.row_products(&b, &Buffer::upload(&device, values.clone()).unwrap(), &mut products).unwrap();
            (a.pack().unwrap(), b.copy().unwrap().pack().unwrap(), b.column_sums().unwrap(), products)
        });
        assert_eq!(found[0], found[1]);
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
        for (sites, units, rows) in [(5, 3, 9), (200, 70, 130), (131, 257, 300)] {
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
}
