//! Every vector path, and any number of threads, gives the bytes that whole numbers of 64 bits give.

use haploom::compute::Path;
use haploom::compute::activation;
use haploom::compute::cpu::Cpu;
use haploom::compute::{Buffer, Device, Matrix, Noise, Number, States, Unit, WEIGHT_STEPS, Weights};
use haploom::rng::{Purpose, Reader, Stream};
use haploom::threads::Threads;
use sha2::{Digest, Sha256};

/// Rows, inputs, outputs: around the widths of tiles (6, 16 and 32 rows, 64 outputs) and pieces (256 and 512 inputs, 8 panels), odd
/// ones too.
const SHAPES: [[usize; 3]; 16] = [
    [1, 1, 1],
    [1, 3, 64],
    [2, 64, 65],
    [5, 7, 63],
    [6, 2, 300],
    [7, 63, 1],
    [13, 65, 129],
    [47, 127, 63],
    [48, 128, 64],
    [49, 129, 128],
    [97, 255, 191],
    [130, 300, 257],
    [130, 299, 130],
    [9, 1027, 70],
    [600, 70, 65],
    [70, 1090, 577],
];

fn devices() -> Vec<(String, Device)> {
    let mut devices = Vec::new();
    for path in Path::available() {
        for threads in 1..=3 {
            devices.push((
                format!("{path:?}, {threads} threads"),
                Device::Cpu(Cpu::with_path(Threads::new(threads), path)),
            ));
        }
    }
    devices
}

/// A layer with random weights, and its parameters as whole numbers.
struct Layer {
    values: Vec<f32>,
    bias: Vec<f32>,
    scale: f32,
    fixed: Vec<i64>,
    fixed_bias: Vec<i64>,
}

impl Layer {
    fn new(random: &mut Reader, inputs: usize, outputs: usize, size: f64, scale: f32) -> Self {
        let mut numbers = |n: usize| (0..n).map(|_| (size * random.normal()) as f32).collect::<Vec<f32>>();
        let (values, bias) = (numbers(inputs * outputs), numbers(outputs));
        let fixed = values.iter().map(|v| (v * WEIGHT_STEPS).clamp(-32_767.0, 32_767.0).round_ties_even() as i64);
        let fixed_bias = bias.iter().map(|b| (b / scale).round_ties_even() as i64);
        Layer { fixed: fixed.collect(), fixed_bias: fixed_bias.collect(), values, bias, scale }
    }

    fn lay_out(&self, device: &Device, turned: bool) -> Weights {
        let outputs = self.bias.len();
        let inputs = self.values.len() / outputs;
        let mut weights = Weights::zeros(device, inputs, outputs, self.scale).unwrap();
        let values = match turned {
            false => self.values.clone(),
            true => (0..outputs).flat_map(|n| (0..inputs).map(move |k| self.values[k * outputs + n])).collect(),
        };
        weights.set(device, &values, turned, &self.bias).unwrap();
        weights
    }

    fn sums(&self, states: &[Vec<i16>]) -> Vec<Vec<i32>> {
        let outputs = self.bias.len();
        let row = |row: &Vec<i16>| {
            let sum = |n: usize| {
                let products = row.iter().enumerate().map(|(k, s)| i64::from(*s) * self.fixed[k * outputs + n]);
                i32::try_from(self.fixed_bias[n] + products.sum::<i64>()).expect("inside 32 bits")
            };
            (0..outputs).map(sum).collect()
        };
        states.iter().map(row).collect()
    }
}

fn states(device: &Device, rows: &[Vec<i16>]) -> States {
    let mut states = States::zeros(device, rows.len(), rows[0].len()).unwrap();
    states.write_rows(|r, row| row.copy_from_slice(&rows[r])).unwrap();
    states
}

fn rows_of<T: Number>(matrix: &Matrix<T>) -> Vec<Vec<T>> {
    let rows = matrix.to_host().unwrap();
    (0..matrix.rows()).map(|r| rows.row(r).to_vec()).collect()
}

fn is_padded_with_zeros<T: Number + PartialEq>(matrix: &Matrix<T>) -> bool {
    let rows = matrix.to_host().unwrap();
    let (values, stride) = rows.padded();
    values.chunks_exact(stride).all(|r| r[matrix.columns()..].iter().all(|x| *x == T::default()))
}

const SAMPLE: Noise = Noise { seed: 77, purpose: Purpose::Chain, first: 5, position: 64 * 9 };
const RELU: Unit = Unit::Relu { ceiling: 300 };

/// Bits and, every other shape, states of ReLU units.
fn inputs(random: &mut Reader, shape: usize, [rows, inputs, _]: [usize; 3]) -> Vec<Vec<i16>> {
    let most = if shape % 2 == 1 { 300 } else { 2 };
    (0..rows).map(|_| (0..inputs).map(|_| random.below(most) as i16).collect()).collect()
}

fn word(row: usize, column: usize) -> u32 {
    Stream::new(SAMPLE.seed, SAMPLE.purpose, SAMPLE.first + row as u64).word(SAMPLE.position + column as u64)
}

/// The number of a Bernoulli unit: unit 8 j + l of a panel has word 16 (j % 4) + l, the upper four j with its halves exchanged.
fn half(row: usize, column: usize) -> u32 {
    let (panel, j, l) = (column / 64 * 64, column % 64 / 8, column % 8);
    word(row, panel + 16 * (j % 4) + l).rotate_left(if j < 4 { 0 } else { 16 })
}

/// What an operation makes of the sums, element by element.
fn each<T>(sums: &[Vec<i32>], f: impl Fn(usize, usize, i32) -> T) -> Vec<Vec<T>> {
    sums.iter().enumerate().map(|(r, row)| row.iter().enumerate().map(|(c, x)| f(r, c, *x)).collect()).collect()
}

#[test]
fn products_with_weights_are_exact_on_every_path() {
    for (s, shape) in SHAPES.into_iter().enumerate() {
        let mut random = Stream::new(1, Purpose::Evaluate, s as u64).reader(0);
        let left = inputs(&mut random, s, shape);
        // Inputs of units mostly within +-8, as in machines that learned.
        let scale = if s % 2 == 1 { 1.0 / (WEIGHT_STEPS * 64.0) } else { 1.0 / WEIGHT_STEPS };
        let layer = Layer::new(&mut random, shape[1], shape[2], 3.0 / (shape[1] as f64).sqrt(), scale);
        let sums = layer.sums(&left);
        let sampled_bernoulli = each(&sums, |r, c, x| {
            i16::from(activation::uniform(half(r, c)) * (1.0 + activation::exp(-(x as f32 * scale))) < 1.0)
        });
        let sampled_relu = each(&sums, |r, c, x| activation::relu(x as f32 * scale, word(r, c), 300));
        let mean_bernoulli =
            each(&sums, |_, _, x| (activation::logistic(x as f32 * scale) * 16_384.0 + 0.5) as i32 as i16);
        let mean_relu = each(&sums, |_, _, x| activation::relu_mean(x as f32 * scale));
        let partition = |f: fn(f32) -> f32| -> Vec<f64> {
            let panel = |panel: &[i32]| panel.iter().map(|x| f64::from(f(*x as f32 * scale))).sum::<f64>();
            sums.iter().map(|row| row.chunks(64).map(panel).fold(0.0, |a, b| a + b)).collect()
        };
        let partitions = [partition(activation::softplus), partition(activation::relu_log_partition)];
        for (name, device) in devices() {
            let states = states(&device, &left);
            for turned in [false, true] {
                let weights = layer.lay_out(&device, turned);
                let mut out = States::zeros(&device, shape[0], shape[2]).unwrap();
                let check = |what: &str, out: &States, expected: &Vec<Vec<i16>>| {
                    assert!(rows_of(out) == *expected, "{what} of {shape:?} on {name}");
                    assert!(is_padded_with_zeros(out), "padding after {what} of {shape:?} on {name}");
                };
                device.affine_sample(&states, &weights, Unit::Bernoulli, SAMPLE, &mut out).unwrap();
                check("Bernoulli states", &out, &sampled_bernoulli);
                device.affine_mean(&states, &weights, Unit::Bernoulli, &mut out).unwrap();
                check("Bernoulli means", &out, &mean_bernoulli);
                device.affine_sample(&states, &weights, RELU, SAMPLE, &mut out).unwrap();
                check("ReLU states", &out, &sampled_relu);
                device.affine_mean(&states, &weights, RELU, &mut out).unwrap();
                check("ReLU means", &out, &mean_relu);
                let mut plain = Matrix::zeros(&device, shape[0], shape[2]).unwrap();
                device.affine(&states, &weights, &mut plain).unwrap();
                assert!(rows_of(&plain) == sums, "sums of {shape:?} on {name}");
                for (unit, expected) in [Unit::Bernoulli, RELU].into_iter().zip(&partitions) {
                    // Whole biases, which have nothing to round.
                    let bias: Vec<f64> = (0..shape[1]).map(|i| i as f64 - 20.0).collect();
                    let product = |row: &Vec<i16>| row.iter().zip(&bias).map(|(s, b)| f64::from(*s) * b).sum::<f64>();
                    let expected: Vec<f64> = left.iter().zip(expected).map(|(row, log)| -log - product(row)).collect();
                    let bias = Buffer::upload(&device, bias.clone()).unwrap();
                    let mut out = Buffer::zeros(&device, shape[0]).unwrap();
                    device.free_energies(&states, &weights, unit, &bias, &mut out).unwrap();
                    assert!(*out.to_host().unwrap() == expected, "free energies of {unit:?} of {shape:?} on {name}");
                }
            }
        }
    }
}

#[test]
fn outer_products_are_exact_on_every_path() {
    for (s, [rows, left, right]) in SHAPES.into_iter().enumerate() {
        let mut random = Stream::new(2, Purpose::Evaluate, s as u64).reader(0);
        let mut numbers = |columns: usize, most: usize| -> Vec<Vec<i16>> {
            (0..rows).map(|_| (0..columns).map(|_| random.below(most) as i16).collect()).collect()
        };
        let (a, b) = (numbers(left, 2), numbers(right, 32_257));
        let mut expected = vec![vec![0i64; right]; left];
        for (a, b) in a.iter().zip(&b) {
            for (expected, a) in expected.iter_mut().zip(a).filter(|(_, a)| **a != 0) {
                expected.iter_mut().zip(b).for_each(|(e, b)| *e += i64::from(*a) * i64::from(*b));
            }
        }
        for (name, device) in devices() {
            let mut out: Matrix<i32> = Matrix::zeros(&device, left, right).unwrap();
            device.outer(&states(&device, &a), &states(&device, &b), &mut out).unwrap();
            let same =
                rows_of(&out).iter().zip(&expected).all(|(o, e)| o.iter().map(|x| i64::from(*x)).eq(e.iter().copied()));
            assert!(same, "outer product of {left} x {right} over {rows} rows on {name}");
            assert!(is_padded_with_zeros(&out));
        }
    }
}

/// The largest weights and states whose sums stay inside 32 bits.
#[test]
fn extreme_products_are_exact_on_every_path() {
    for sign in [1.0f32, -1.0] {
        for (name, device) in devices() {
            let mut weights = Weights::zeros(&device, 2, 3, 1.0 / WEIGHT_STEPS).unwrap();
            weights.set(&device, &[sign * 100.0; 6], false, &[0.0; 3]).unwrap();
            let mut out = Matrix::zeros(&device, 7, 3).unwrap();
            device.affine(&states(&device, &vec![vec![32_000; 2]; 7]), &weights, &mut out).unwrap();
            assert_eq!(rows_of(&out), vec![vec![sign as i32 * 32_767 * 64_000; 3]; 7], "{name}");
        }
    }
}

/// Padding units are off and stay off; rows and columns that do not exist have no part in anything.
#[test]
fn shapes_that_disagree_are_refused() {
    let device = Device::cpu(Threads::single());
    let weights = Weights::zeros(&device, 3, 5, 1.0).unwrap();
    let zeros = |rows: usize, columns: usize| States::zeros(&device, rows, columns).unwrap();
    for (states, mut out) in [(zeros(2, 4), zeros(2, 5)), (zeros(2, 3), zeros(2, 4)), (zeros(2, 3), zeros(1, 5))] {
        assert!(device.affine_mean(&states, &weights, Unit::Bernoulli, &mut out).is_err());
        assert!(device.affine_sample(&states, &weights, Unit::Bernoulli, SAMPLE, &mut out).is_err());
    }
    for (biases, energies) in [(3, 1), (2, 2)] {
        let [bias, mut out] = [biases, energies].map(|n| Buffer::zeros(&device, n).unwrap());
        assert!(device.free_energies(&zeros(2, 3), &weights, Unit::Bernoulli, &bias, &mut out).is_err());
    }
    assert!(device.outer(&zeros(2, 3), &zeros(1, 4), &mut Matrix::zeros(&device, 3, 4).unwrap()).is_err());
    assert!(device.clone().outer(&zeros(2, 3), &zeros(2, 4), &mut Matrix::zeros(&device, 4, 3).unwrap()).is_err());
}

/// One hash an operation, the same on every processor and for ever: a change here changes every sample of every model.
#[test]
fn operations_keep_their_golden_hashes() {
    let expected = [
        ("Bernoulli states", "7f298eb04673d624"),
        ("Bernoulli means", "e9212fe486d01502"),
        ("ReLU states", "684b64f2b05a6457"),
        ("ReLU means", "cd1b22c98091eacd"),
        ("Bernoulli log partition", "53e3d1aa550eef7c"),
        ("ReLU log partition", "29d251b6401f8fbe"),
        ("outer product", "aeb31aaf7b438816"),
    ];
    let shape = [61, 131, 197];
    for (name, device) in devices() {
        let mut random = Stream::new(3, Purpose::Evaluate, 0).reader(0);
        let left: Vec<Vec<i16>> =
            (0..shape[0]).map(|_| (0..shape[1]).map(|_| random.below(2) as i16).collect()).collect();
        // Weights from whole numbers, so that no library's logarithm has a part in them.
        let mut layer = Layer::new(&mut random, shape[1], shape[2], 0.0, 1.0 / WEIGHT_STEPS);
        layer.values.iter_mut().for_each(|v| *v = (random.below(8001) as f32 - 4000.0) / 8192.0);
        layer.bias.iter_mut().for_each(|b| *b = (random.below(8001) as f32 - 6000.0) / 2048.0);
        let states = states(&device, &left);
        let weights = layer.lay_out(&device, false);
        let hash =
            |bytes: Vec<u8>| -> String { Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect() };
        let of_states =
            |s: &States| hash(rows_of(s).concat().iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        let mut found = Vec::new();
        let mut means = States::zeros(&device, shape[0], shape[2]).unwrap();
        for unit in [Unit::Bernoulli, RELU] {
            let mut out = States::zeros(&device, shape[0], shape[2]).unwrap();
            device.affine_sample(&states, &weights, unit, SAMPLE, &mut out).unwrap();
            found.push(of_states(&out));
            device.affine_mean(&states, &weights, unit, &mut means).unwrap();
            found.push(of_states(&means));
        }
        for unit in [Unit::Bernoulli, RELU] {
            // Without biases minus the free energy is the log of the sum over hidden units.
            let [none, mut out] = [shape[1], shape[0]].map(|n| Buffer::zeros(&device, n).unwrap());
            device.free_energies(&states, &weights, unit, &none, &mut out).unwrap();
            found.push(hash(out.to_host().unwrap().iter().flat_map(|x| (-x).to_le_bytes()).collect()));
        }
        let mut out = Matrix::zeros(&device, shape[1], shape[2]).unwrap();
        device.outer(&states, &means, &mut out).unwrap();
        found.push(hash(rows_of(&out).concat().iter().flat_map(|x: &i32| x.to_le_bytes()).collect()));
        let found: Vec<(&str, &str)> = expected.iter().map(|(n, _)| *n).zip(found.iter().map(|f| f.as_str())).collect();
        assert_eq!(found, expected, "{name}");
    }
}
