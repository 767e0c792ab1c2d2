//! Gradients against central differences in double precision.

use super::*;
use crate::rng::{Purpose, Stream};
use crate::threads::Threads;

type Numbers = Vec<Vec<f64>>;

struct Case {
    graph: Graph,
    numbers: Numbers,
    inputs: Vec<Tensor<f64>>,
    weights: Tensor<f64>,
    mode: Mode,
    workspace: Workspace<f64>,
}

fn random(reader: &mut crate::rng::Reader) -> f64 {
    reader.normal()
}

impl Case {
    fn new(graph: Graph, samples: usize, mode: Mode) -> Self {
        graph.check().unwrap();
        let mut reader = Stream::new(11, Purpose::Initial, graph.nodes.len() as u64).reader(0);
        let positive = |name: &str| name.ends_with("running_var");
        let numbers = graph
            .parameters
            .iter()
            .map(|p| {
                let draw = |_| if positive(&p.name) { 0.5 + reader.uniform() } else { 0.5 * random(&mut reader) };
                (0..p.size()).map(draw).collect()
            })
            .collect();
        let mut workspace = Workspace::new(Threads::new(2));
        let mut filled = |channels: usize, length: usize| {
            let mut tensor = workspace.zeros(channels, samples, length).unwrap();
            for c in 0..channels {
                for n in 0..samples {
                    tensor.positions_mut(c, n).iter_mut().for_each(|x| *x = random(&mut reader));
                }
            }
            tensor
        };
        let inputs = graph.nodes.iter().filter(|node| matches!(node.op, Op::Input(_)));
        let inputs = inputs.map(|node| filled(node.channels, node.length)).collect();
        let last = graph.nodes.last().unwrap();
        let weights = filled(last.channels, last.length);
        Case { graph, numbers, inputs, weights, mode, workspace }
    }

    fn pass(&mut self) -> (Pass<'_, f64>, Vec<&Tensor<f64>>, &Tensor<f64>) {
        let pass = Pass { graph: &self.graph, numbers: (&self.numbers).into(), workspace: &mut self.workspace };
        (pass, self.inputs.iter().collect(), &self.weights)
    }

    /// The weighted sum of what comes out.
    fn loss(&mut self) -> f64 {
        let mode = self.mode;
        let (mut pass, inputs, weights) = self.pass();
        let tape = pass.forward(mode, &inputs).unwrap();
        let loss = tape.output().rows().iter().zip(weights.rows()).map(|(y, w)| y * w).sum();
        tape.release(pass.workspace);
        loss
    }

    fn gradients(&mut self) -> (Numbers, Vec<Tensor<f64>>) {
        let mode = self.mode;
        let mut gradients = Gradients::new(&self.graph.parameters);
        let (mut pass, inputs, weights) = self.pass();
        let tape = pass.forward(mode, &inputs).unwrap();
        let seed = pass.workspace.copy(weights).unwrap();
        let adjoints = pass.backward(&tape, seed, Some(&mut gradients), true, false).unwrap();
        let of_inputs = (0..self.graph.nodes.len()).filter(|i| matches!(self.graph.nodes[*i].op, Op::Input(_)));
        let mut adjoints = adjoints;
        (gradients.lists().to_vec(), of_inputs.map(|i| adjoints[i].take().unwrap()).collect())
    }

    /// `v' g`, g the gradient of input `which`, and its gradient with respect to the parameters.
    fn along(&mut self, which: usize, v: &Tensor<f64>) -> (f64, Numbers) {
        let mode = self.mode;
        let mut gradients = Gradients::new(&self.graph.parameters);
        let (mut pass, inputs, weights) = self.pass();
        let tape = pass.forward(mode, &inputs).unwrap();
        let seed = pass.workspace.copy(weights).unwrap();
        let adjoints = pass.backward(&tape, seed, None, true, true).unwrap();
        let node = pass.graph.input_node(which);
        let g = adjoints[node].as_ref().unwrap();
        let along = g.rows().iter().zip(v.rows()).map(|(g, v)| g * v).sum();
        pass.penalty(&tape, &adjoints, which, v, &mut gradients).unwrap();
        (along, gradients.lists().to_vec())
    }
}

/// Compares a gradient with central differences of `f`; `at` reads and moves a number.
fn compare(what: &str, analytic: f64, difference: f64) {
    let scale = 1.0 + analytic.abs().max(difference.abs());
    assert!((analytic - difference).abs() < 2e-6 * scale, "{what}: {analytic} against {difference}");
}

const STEP: f64 = 1e-5;

fn check_gradients(mut case: Case) {
    let (of_numbers, of_inputs) = case.gradients();
    for (p, analytic) in of_numbers.iter().enumerate() {
        if !case.graph.parameters[p].trained {
            continue;
        }
        for k in (0..analytic.len()).step_by(1 + analytic.len() / 25) {
            let before = case.numbers[p][k];
            case.numbers[p][k] = before + STEP;
            let up = case.loss();
            case.numbers[p][k] = before - STEP;
            let down = case.loss();
            case.numbers[p][k] = before;
            let name = format!("{} number {k}", case.graph.parameters[p].name);
            compare(&name, analytic[k], (up - down) / (2.0 * STEP));
        }
    }
    for (which, gradient) in of_inputs.iter().enumerate() {
        for c in 0..gradient.channels {
            for n in 0..gradient.samples {
                for l in (0..gradient.length).step_by(1 + gradient.length / 7) {
                    let before = case.inputs[which].positions(c, n)[l];
                    case.inputs[which].positions_mut(c, n)[l] = before + STEP;
                    let up = case.loss();
                    case.inputs[which].positions_mut(c, n)[l] = before - STEP;
                    let down = case.loss();
                    case.inputs[which].positions_mut(c, n)[l] = before;
                    compare(
                        &format!("input {which} at {c}, {n}, {l}"),
                        gradient.positions(c, n)[l],
                        (up - down) / (2.0 * STEP),
                    );
                }
            }
        }
    }
}

fn check_penalty(mut case: Case) {
    let mut reader = Stream::new(5, Purpose::Initial, 1).reader(0);
    let mut v = case.workspace.copy(&case.inputs[0]).unwrap();
    for c in 0..v.channels {
        for n in 0..v.samples {
            v.positions_mut(c, n).iter_mut().for_each(|x| *x = random(&mut reader));
        }
    }
    let (_, of_numbers) = case.along(0, &v);
    for (p, analytic) in of_numbers.iter().enumerate() {
        if !case.graph.parameters[p].trained {
            continue;
        }
        for k in (0..analytic.len()).step_by(1 + analytic.len() / 25) {
            let before = case.numbers[p][k];
            case.numbers[p][k] = before + STEP;
            let up = case.along(0, &v).0;
            case.numbers[p][k] = before - STEP;
            let down = case.along(0, &v).0;
            case.numbers[p][k] = before;
            let name = format!("penalty, {} number {k}", case.graph.parameters[p].name);
            compare(&name, analytic[k], (up - down) / (2.0 * STEP));
        }
    }
}

fn learning() -> Mode {
    Mode::Train(Stream::new(3, Purpose::Chain, 9))
}

fn dense() -> Graph {
    let mut graph = Graph::new();
    let (x, label) = (graph.input(5, 1), graph.input(3, 1));
    let a = graph.dense("a", x, 7, true);
    let a = graph.leaky_relu(a, 0.01);
    let a = graph.join(&[a, label]);
    let a = graph.dropout(a, 0.3);
    let b = graph.dense("b", a, 6, false);
    let b = graph.tanh(b);
    let c = graph.dense("c", b, 6, true);
    let c = graph.sigmoid(c);
    let sum = graph.add(b, c);
    graph.dense("d", sum, 2, true);
    graph
}

/// Every walk of a convolution, normalisation of both kinds, locations, a residual block and flattening.
fn convolutional(batch: bool) -> Graph {
    let mut graph = Graph::new();
    let x = graph.input(2, 4);
    let norm = |graph: &mut Graph, name: &str, x: usize| match batch {
        true => graph.batch_norm(name, x),
        false => graph.instance_norm(name, x),
    };
    let place = graph.location("place", 1, 4);
    let mean = graph.constant("mean", 2, 4);
    let centred = graph.add(x, mean);
    let own = graph.local("own", centred, 3, Initial::Normal(1.0));
    let joined = graph.join(&[own, place]);
    let a = graph.convolution("a", joined, 4, Step::Up { pad: 1 }, !batch);
    let a = norm(&mut graph, "a_norm", a);
    let a = graph.leaky_relu(a, 0.2);
    let b = graph.convolution("b", a, 3, Step::Up { pad: 0 }, true);
    let b = graph.tanh(b);
    let c = graph.convolution("c", b, 3, Step::Same, true);
    let c = norm(&mut graph, "c_norm", c);
    let c = graph.leaky_relu(c, 0.2);
    let c = graph.add(b, c);
    let d = graph.convolution("d", c, 5, Step::Down { pad: 0 }, true);
    let d = norm(&mut graph, "d_norm", d);
    let d = graph.sigmoid(d);
    let e = graph.convolution("e", d, 2, Step::Down { pad: 1 }, true);
    let flat = graph.flatten(e);
    let f = graph.dense("f", flat, 6, true);
    let folded = graph.fold(f, 2);
    graph.convolution("g", folded, 2, Step::Same, true);
    graph
}

#[test]
fn gradients_of_dense_layers() {
    check_gradients(Case::new(dense(), 3, learning()));
    check_gradients(Case::new(dense(), 2, Mode::Use));
}

#[test]
fn gradients_of_convolutions_and_batch_normalisation() {
    check_gradients(Case::new(convolutional(true), 3, learning()));
    check_gradients(Case::new(convolutional(true), 3, Mode::Use));
}

#[test]
fn gradients_of_instance_normalisation() {
    check_gradients(Case::new(convolutional(false), 2, learning()));
}

#[test]
fn penalties_of_dense_layers() {
    check_penalty(Case::new(dense(), 3, learning()));
}

#[test]
fn penalties_of_convolutions_and_normalisations() {
    check_penalty(Case::new(convolutional(false), 2, learning()));
    check_penalty(Case::new(convolutional(true), 3, learning()));
    check_penalty(Case::new(convolutional(true), 3, Mode::Use));
}

/// Whatever stands beside it in a batch, a sample gives the same bits; and so do any number of threads.
#[test]
fn a_sample_does_not_depend_on_its_neighbours() {
    let graph = convolutional(true);
    let mut reader = Stream::new(2, Purpose::Initial, 3).reader(0);
    let numbers: Vec<Vec<f32>> = graph
        .parameters
        .iter()
        .map(|p| (0..p.size()).map(|_| (0.2 + 0.5 * reader.uniform()) as f32).collect())
        .collect();
    let column: Vec<f32> = (0..8).map(|_| reader.normal() as f32).collect();
    let mut outputs = Vec::new();
    for (samples, at, threads) in [(1, 0, 1), (5, 3, 1), (70, 41, 3)] {
        let mut workspace = Workspace::new(Threads::new(threads));
        let mut x = workspace.zeros(2, samples, 4).unwrap();
        for c in 0..2 {
            for n in 0..samples {
                let own = &column[c * 4..][..4];
                x.positions_mut(c, n).iter_mut().zip(own).for_each(|(x, own)| *x = own + (n as f32 - at as f32));
            }
        }
        let tape = Pass { graph: &graph, numbers: (&numbers).into(), workspace: &mut workspace }
            .forward(Mode::Use, &[&x])
            .unwrap();
        let out: Vec<u32> = (0..2).flat_map(|c| tape.output().positions(c, at).iter().map(|y| y.to_bits())).collect();
        outputs.push(out);
    }
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
}
