//! Layers, gradient penalties and optimisers against PyTorch: `tests/golden/nn/make.py` says how its numbers were made.

use haploom::nn::graph::Over;
use haploom::nn::optimiser::{Optimiser, Rule};
use haploom::nn::{Gradients, Graph, Initial, Mode, Op, Parameter, Pass, Step, Tensor, Workspace};
use haploom::rng::{Purpose, Stream};
use haploom::threads::Threads;
use safetensors::SafeTensors;
use std::path::Path;

const SLOPE: f64 = 0.01;

/// A file of PyTorch's numbers.
struct Golden(Vec<u8>);

impl Golden {
    fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/nn");
        Golden(std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap())
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    fn get(&self, name: &str) -> Vec<f64> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        tensor.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    /// What comes after `prefix` in the names that begin with it.
    fn names(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.file().names().into_iter().filter_map(|n| n.strip_prefix(prefix)).map(String::from).collect();
        names.sort();
        names
    }
}

/// `found` is `expected` to 1e-9 of its largest number; 1e-12 is for what is 0 but for rounding.
#[track_caller]
fn compare(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= 1e-9 * largest + 1e-12, "{what}, number {i}: {f} for PyTorch's {e}");
    }
}

/// A network with the parameters and inputs of a case.
struct Case {
    golden: Golden,
    name: String,
    graph: Graph,
    numbers: Vec<Vec<f64>>,
    inputs: Vec<Tensor<f64>>,
    samples: usize,
    workspace: Workspace<f64>,
}

impl Case {
    fn new(file: &str, name: &str, graph: Graph) -> Self {
        graph.check().unwrap();
        let golden = Golden::open(file);
        let mut names: Vec<&str> = graph.parameters.iter().map(|p| p.name.as_str()).collect();
        names.sort();
        assert_eq!(names, golden.names(&format!("{name}/parameter/")), "{name}");
        let numbers =
            graph.parameters.iter().map(|p| golden.get(&format!("{name}/parameter/{}", p.name))).collect::<Vec<_>>();
        let samples = golden.file().tensor(&format!("{name}/input/0")).unwrap().shape()[0];
        let mut case = Case {
            golden,
            name: name.into(),
            graph,
            numbers,
            inputs: Vec::new(),
            samples,
            workspace: Workspace::new(Threads::new(2)),
        };
        for (which, node) in case.input_nodes().into_iter().enumerate() {
            let values = case.get(&format!("input/{which}"));
            let input = case.tensor(node, &values);
            case.inputs.push(input);
        }
        case
    }

    fn get(&self, name: &str) -> Vec<f64> {
        self.golden.get(&format!("{}/{name}", self.name))
    }

    fn input_nodes(&self) -> Vec<usize> {
        let nodes = &self.graph.nodes;
        (0..nodes.len()).filter(|i| matches!(nodes[*i].op, Op::Input(_))).collect()
    }

    /// Samples x channels x positions, in the shape of a node.
    fn tensor(&mut self, node: usize, values: &[f64]) -> Tensor<f64> {
        let (channels, length) = (self.graph.nodes[node].channels, self.graph.nodes[node].length);
        assert_eq!(values.len(), self.samples * channels * length, "{}, layer {node}", self.name);
        let mut tensor = self.workspace.zeros(channels, self.samples, length).unwrap();
        for (i, positions) in values.chunks_exact(length).enumerate() {
            tensor.positions_mut(i % channels, i / channels).copy_from_slice(positions);
        }
        tensor
    }

    #[track_caller]
    fn compare(&self, name: &str, found: &[f64]) {
        compare(&format!("{}/{name}", self.name), found, &self.get(name));
    }

    #[track_caller]
    fn compare_gradients(&self, gradients: &[Vec<f64>]) {
        for (parameter, gradient) in self.graph.parameters.iter().zip(gradients).filter(|(p, _)| p.trained) {
            self.compare(&format!("gradient/{}", parameter.name), gradient);
        }
    }
}

/// Samples x channels x positions.
fn flat(tensor: &Tensor<f64>) -> Vec<f64> {
    let of_sample = |n| (0..tensor.channels).flat_map(move |c| tensor.positions(c, n));
    (0..tensor.samples).flat_map(of_sample).copied().collect()
}

fn learning() -> Mode {
    Mode::Train(Stream::new(1, Purpose::Chain, 1))
}

/// Outputs, statistics of batches, and gradients of their weighted sum.
#[track_caller]
fn check(name: &str, mode: Mode, build: impl FnOnce(&mut Graph)) {
    let mut graph = Graph::new();
    build(&mut graph);
    let mut case = Case::new("layers", name, graph);
    let weights = case.get("weights");
    let weights = case.tensor(case.graph.output(), &weights);
    let mut gradients = Gradients::new(&case.graph.parameters);
    let mut pass = Pass { graph: &case.graph, numbers: (&case.numbers).into(), workspace: &mut case.workspace };
    let tape = pass.forward(mode, &case.inputs.iter().collect::<Vec<_>>()).unwrap();
    let adjoints = pass.backward(&tape, weights, Some(&mut gradients), true, false).unwrap();
    case.compare("output", &flat(tape.output()));
    for (node, pairs, count) in tape.batch_statistics() {
        let Op::Normalise { over: Over::Batch { mean, variance }, .. } = case.graph.nodes[node].op else {
            panic!("layer {node} has no running mean");
        };
        // PyTorch's momentum, and its variance of a population.
        let kept = |parameter: usize, found: &dyn Fn(&(f64, f64)) -> f64| -> Vec<f64> {
            let before = case.numbers[parameter].iter();
            before.zip(&pairs).map(|(before, pair)| 0.9 * before + 0.1 * found(pair)).collect()
        };
        let unbiased = count as f64 / (count - 1) as f64;
        let after = |parameter: usize| format!("after/{}", case.graph.parameters[parameter].name);
        case.compare(&after(mean), &kept(mean, &|pair| pair.0));
        case.compare(&after(variance), &kept(variance, &|pair| pair.1 * unbiased));
    }
    let kept = case.golden.names(&format!("{name}/after/")).len();
    assert_eq!(2 * tape.batch_statistics().count(), kept, "{name} keeps running means and variances");
    for (which, node) in case.input_nodes().into_iter().enumerate() {
        case.compare(&format!("input_gradient/{which}"), &flat(adjoints[node].as_ref().unwrap()));
    }
    case.compare_gradients(gradients.lists());
}

/// `10 mean((|grad D(x)| - 1)^2)` and its gradients.
#[track_caller]
fn check_penalty(name: &str, graph: Graph) {
    let mut case = Case::new("penalties", name, graph);
    let ones = case.tensor(case.graph.output(), &vec![1.0; case.samples]);
    let mut gradients = Gradients::new(&case.graph.parameters);
    let input = case.input_nodes()[0];
    let mut pass = Pass { graph: &case.graph, numbers: (&case.numbers).into(), workspace: &mut case.workspace };
    let tape = pass.forward(learning(), &[&case.inputs[0]]).unwrap();
    let adjoints = pass.backward(&tape, ones, None, true, true).unwrap();
    // The penalty's gradient with respect to g is 20 / n (1 - 1 / |g|) g for each of n samples.
    let mut v = pass.workspace.copy(adjoints[input].as_ref().unwrap()).unwrap();
    let mut penalty = 0.0;
    for n in 0..v.samples {
        let norm = (0..v.channels).flat_map(|c| v.positions(c, n)).map(|g| g * g).sum::<f64>().sqrt();
        penalty += 10.0 * (norm - 1.0) * (norm - 1.0) / v.samples as f64;
        let factor = 20.0 / v.samples as f64 * (1.0 - 1.0 / norm);
        (0..v.channels).for_each(|c| v.positions_mut(c, n).iter_mut().for_each(|g| *g *= factor));
    }
    pass.penalty(&tape, &adjoints, 0, &v, &mut gradients).unwrap();
    case.compare("penalty", &[penalty]);
    case.compare_gradients(gradients.lists());
}

/// Convolutions named `prefix.a`, `prefix.b` and so on, each with its normalisation and LeakyReLU.
fn normalised(graph: &mut Graph, prefix: &str, mut x: usize, batch: bool, layers: &[(usize, Step)]) -> usize {
    for ((channels, step), letter) in layers.iter().zip('a'..) {
        let name = format!("{prefix}.{letter}");
        x = graph.convolution(&name, x, *channels, *step, !batch);
        let norm = format!("{name}_norm");
        x = if batch { graph.batch_norm(&norm, x) } else { graph.instance_norm(&norm, x) };
        x = graph.leaky_relu(x, SLOPE);
    }
    x
}

#[test]
fn dense_layers() {
    for (name, bias) in [("dense", true), ("dense_without_bias", false)] {
        check(name, learning(), |graph| {
            let x = graph.input(6, 1);
            graph.dense("layer", x, 3, bias);
        });
    }
}

#[test]
fn convolutions() {
    for (name, step, bias) in [
        ("convolution", Step::Same, true),
        ("convolution_without_bias", Step::Same, false),
        ("convolution_down_0", Step::Down { pad: 0 }, true),
        ("convolution_down_1", Step::Down { pad: 1 }, true),
        ("convolution_up_0", Step::Up { pad: 0 }, true),
        ("convolution_up_1", Step::Up { pad: 1 }, true),
    ] {
        check(name, learning(), |graph| {
            let x = graph.input(2, 7);
            graph.convolution("layer", x, 3, step, bias);
        });
    }
}

#[test]
fn normalisations() {
    for (name, mode, channels, length) in [
        ("batch_norm", learning(), 2, 7),
        ("batch_norm_of_units", learning(), 6, 1),
        ("batch_norm_in_use", Mode::Use, 2, 7),
        ("batch_norm_of_units_in_use", Mode::Use, 6, 1),
    ] {
        check(name, mode, |graph| {
            let x = graph.input(channels, length);
            graph.batch_norm("layer", x);
        });
    }
    check("instance_norm", learning(), |graph| {
        let x = graph.input(2, 7);
        graph.instance_norm("layer", x);
    });
}

#[test]
fn activations() {
    type Layer = fn(&mut Graph, usize) -> usize;
    let layers: [(&str, Layer); 3] =
        [("leaky_relu", |graph, x| graph.leaky_relu(x, SLOPE)), ("tanh", Graph::tanh), ("sigmoid", Graph::sigmoid)];
    for (name, layer) in layers {
        check(name, learning(), |graph| {
            let x = graph.input(2, 7);
            layer(graph, x);
        });
    }
}

#[test]
fn sums_joins_and_shapes() {
    check("residual", learning(), |graph| {
        let x = graph.input(2, 7);
        let a = graph.convolution("block.0.a", x, 2, Step::Same, true);
        let a = graph.tanh(a);
        let b = graph.convolution("block.0.b", a, 2, Step::Same, true);
        graph.add(x, b);
    });
    check("location", learning(), |graph| {
        let x = graph.input(2, 7);
        let location = graph.location("block", 3, 7);
        graph.join(&[location, x]);
    });
    check("join", learning(), |graph| {
        let nodes = [graph.input(2, 7), graph.input(3, 7)];
        graph.join(&nodes);
    });
    check("flatten", learning(), |graph| {
        let x = graph.input(2, 7);
        let x = graph.flatten(x);
        graph.dense("layer", x, 3, true);
    });
    check("fold", learning(), |graph| {
        let x = graph.input(6, 1);
        let x = graph.fold(x, 2);
        graph.convolution("layer", x, 3, Step::Same, true);
    });
}

#[test]
fn a_whole_generator() {
    check("generator", learning(), |graph| {
        let (z0, z1) = (graph.input(2, 2), graph.input(2, 7));
        let location = graph.location("location0", 1, 2);
        let x = graph.join(&[location, z0]);
        let up = |pad| Step::Up { pad };
        let x = normalised(graph, "first", x, true, &[(12, Step::Same), (10, up(1)), (8, Step::Same), (6, up(0))]);
        let location = graph.location("location1", 1, 7);
        let x = graph.join(&[z1, location, x]);
        let x = normalised(graph, "final", x, true, &[(4, Step::Same), (2, up(0)), (1, Step::Same), (1, up(0))]);
        let location = graph.location("location2", 1, 31);
        let x = graph.join(&[location, x]);
        let x = graph.convolution("out", x, 1, Step::Same, true);
        graph.sigmoid(x);
    });
}

#[test]
fn the_penalty_of_a_dense_critic() {
    let mut graph = Graph::new();
    let x = graph.input(9, 1);
    let a = graph.dense("a", x, 7, true);
    let a = graph.leaky_relu(a, SLOPE);
    let b = graph.dense("b", a, 5, true);
    let b = graph.leaky_relu(b, SLOPE);
    graph.dense("c", b, 1, true);
    check_penalty("dense", graph);
}

#[test]
fn the_penalty_of_a_convolutional_critic() {
    let mut graph = Graph::new();
    let x = graph.input(3, 63);
    let location = graph.location("location0", 1, 63);
    let x = graph.join(&[location, x]);
    let down = |pad| Step::Down { pad };
    let first = [(2, Step::Same), (4, down(0)), (8, Step::Same), (12, down(0))];
    let x = normalised(&mut graph, "first", x, false, &first);
    let block = normalised(&mut graph, "residual.0", x, false, &[(12, Step::Same), (12, Step::Same)]);
    let x = graph.add(x, block);
    let location = graph.location("location1", 1, 15);
    let x = graph.join(&[location, x]);
    let last = [(16, Step::Same), (20, down(0)), (24, Step::Same), (1, down(1))];
    let x = normalised(&mut graph, "last", x, false, &last);
    let x = graph.flatten(x);
    graph.dense("out", x, 1, true);
    check_penalty("convolutional", graph);
}

#[test]
fn the_penalty_of_a_critic_with_second_derivatives_everywhere() {
    let mut graph = Graph::new();
    let x = graph.input(5, 1);
    let x = graph.dense("a", x, 8, true);
    let x = graph.batch_norm("a_norm", x);
    let x = graph.tanh(x);
    let x = graph.fold(x, 2);
    let x = graph.convolution("b", x, 3, Step::Up { pad: 1 }, true);
    let x = graph.batch_norm("b_norm", x);
    let x = graph.sigmoid(x);
    let x = graph.convolution("c", x, 2, Step::Up { pad: 0 }, false);
    let x = graph.flatten(x);
    graph.dense("d", x, 1, true);
    check_penalty("smooth", graph);
}

/// Three steps, on numbers repeated past what one task of threads takes, beside a parameter that is not trained.
#[test]
fn optimisers() {
    const TIMES: usize = 300;
    let golden = Golden::open("optimisers");
    let single = |values: Vec<f64>| values.iter().map(|x| *x as f32).collect::<Vec<f32>>().repeat(TIMES);
    let (start, gradients) = (golden.get("start"), golden.get("gradients"));
    let count = start.len();
    let parameter = |name: &str, size: usize, trained| Parameter {
        name: name.into(),
        shape: vec![size],
        initial: Initial::Constant(0.0),
        trained,
    };
    let parameters = [parameter("kept", 2, false), parameter("trained", count * TIMES, true)];
    for (name, rule) in [
        ("adam", Rule::Adam { betas: (0.9, 0.999) }),
        ("adam_of_critics", Rule::Adam { betas: (0.5, 0.9) }),
        ("rmsprop", Rule::RmsProp),
    ] {
        for decay in ["0", "0.0001"] {
            let mut optimiser = Optimiser::new(rule, decay.parse().unwrap(), &parameters);
            let mut numbers = [vec![1.0, 2.0], single(start.clone())];
            for (step, gradient) in gradients.chunks_exact(count).enumerate() {
                let gradients = [vec![3.0, 4.0], single(gradient.to_vec())];
                optimiser.descend(&Threads::new(2), &mut numbers, &gradients, 0.05, None).unwrap();
                let expected = golden.get(&format!("{name}/{decay}/{step}"));
                for (i, found) in numbers[1].iter().enumerate() {
                    let (found, expected) = (f64::from(*found), expected[i % count]);
                    let wrong = (found - expected).abs();
                    assert!(
                        wrong <= 1e-6 * (1.0 + expected.abs()),
                        "{name}, decay {decay}, step {step}, number {i}: {found} for PyTorch's {expected}"
                    );
                }
            }
            assert_eq!(numbers[0], [1.0, 2.0]);
        }
    }
}
