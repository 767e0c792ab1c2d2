//! Which layers a network has, and how they are joined.

use super::convolution::Walk;
use crate::error::{Error, Result};

/// How a convolution walks along the genome; its kernel has three positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One position at a time: as many come out as went in.
    Same,
    /// Two at a time, with `pad` zeros at either end: 2 l - 1 positions become l (pad 1), or 2 l + 1 do (pad 0).
    Down {
        /// 0 or 1.
        pad: usize,
    },
    /// Transposed: l positions become 2 l - 1 (pad 1) or 2 l + 1 (pad 0).
    Up {
        /// 0 or 1.
        pad: usize,
    },
}

impl Step {
    /// As passes walk it.
    pub(super) fn walk(self) -> Walk {
        match self {
            Step::Same => Walk::Same { mirrored: false },
            Step::Down { pad } => Walk::Down { pad },
            Step::Up { pad } => Walk::Up { pad },
        }
    }
}

/// What a normalisation takes mean and variance over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// All samples and positions of a channel (batch normalisation): the parameters that hold the running mean and
    /// variance, which take their place when haplotypes are made.
    Batch {
        /// Parameter of the running means.
        mean: usize,
        /// Parameter of the running variances.
        variance: usize,
    },
    /// The positions of a channel of each sample (instance normalisation).
    Positions,
}

/// A layer. Numbers of parameters are places in [`Graph::parameters`].
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Input number so-and-so.
    Input(usize),
    /// All units with all units: weights outputs x inputs.
    Dense {
        /// Its weights.
        weight: usize,
        /// Its biases, if any.
        bias: Option<usize>,
        /// The slope below 0 of the LeakyReLU that follows; 1 where none does.
        slope: f64,
    },
    /// A convolution with a kernel of three: weights outputs x inputs x 3, transposed ones inputs x outputs x 3.
    Convolution {
        /// Its weights.
        weight: usize,
        /// Its biases, if any.
        bias: Option<usize>,
        /// How it walks.
        step: Step,
        /// The slope below 0 of the LeakyReLU that follows; 1 where none does.
        slope: f64,
    },
    /// `y = scale (x - mean) / sqrt(variance + 1e-5) + shift`, a scale and a shift a channel, and LeakyReLU of it: y above 0,
    /// `slope y` below.
    Normalise {
        /// Scales.
        scale: usize,
        /// Shifts.
        shift: usize,
        /// What mean and variance are taken over.
        over: Over,
        /// The slope below 0; 1 where no LeakyReLU follows.
        slope: f64,
    },
    /// x above 0, `slope x` below.
    LeakyRelu {
        /// The slope below 0.
        slope: f64,
    },
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function.
    Sigmoid,
    /// In training a share of the units is left out and the others are made larger.
    Dropout {
        /// The share.
        share: f64,
    },
    /// The sum of two (a residual block's).
    Add,
    /// Channels of several, one after another.
    Join,
    /// All channels with all channels, at each position by weights of its own: outputs x inputs x positions.
    Local {
        /// Its weights.
        weight: usize,
    },
    /// The same for all samples: channels x positions that are learned.
    Location {
        /// The values.
        values: usize,
    },
    /// Channels x positions become units.
    Flatten,
    /// Units become channels x positions.
    Fold,
}

impl Op {
    /// The places of its parameters.
    fn parameters_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Op::Dense { weight, bias, .. } | Op::Convolution { weight, bias, .. } => {
                std::iter::once(weight).chain(bias.as_mut()).collect()
            }
            Op::Normalise { scale, shift, over, .. } => match over {
                Over::Batch { mean, variance } => vec![scale, shift, mean, variance],
                Over::Positions => vec![scale, shift],
            },
            Op::Location { values } => vec![values],
            Op::Local { weight } => vec![weight],
            _ => Vec::new(),
        }
    }
}

/// A layer's place in the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// Which nodes it reads.
    pub inputs: Vec<usize>,
    /// Channels that come out.
    pub channels: usize,
    /// Positions that come out.
    pub length: usize,
}

/// What a parameter is before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// All the same.
    Constant(f64),
    /// Uniform between minus this and this.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
}

/// A list of numbers that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name in files: the layer's, and `weight`, `bias`, `running_mean`, `running_var` or `values`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What it is before training.
    pub initial: Initial,
    /// Whether training moves it along a gradient; running means and variances are kept otherwise.
    pub trained: bool,
}

impl Parameter {
    /// How many numbers it has.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Layers in an order in which each comes after those that it reads; the last is the output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The layers.
    pub nodes: Vec<Node>,
    /// Their parameters.
    pub parameters: Vec<Parameter>,
    inputs: usize,
}

/// Weights of convolutions before training, as PyTorch draws them (`kaiming_uniform_(a=sqrt(5))`): uniform within 1 / sqrt(inputs).
fn within(inputs: usize) -> Initial {
    Initial::Uniform(1.0 / (inputs as f64).sqrt())
}

impl Graph {
    /// No layers.
    pub fn new() -> Self {
        Graph::default()
    }

    /// Numbers that training moves.
    pub fn trained_size(&self) -> usize {
        self.parameters.iter().filter(|p| p.trained).map(Parameter::size).sum()
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The node of input number `which`, which was made by [`Graph::input`].
    ///
    /// # Panics
    /// If there is no such input: callers name inputs of graphs that they built.
    pub fn input_node(&self, which: usize) -> usize {
        self.nodes.iter().position(|node| node.op == Op::Input(which)).expect("an input of this graph")
    }

    /// The output's number.
    pub fn output(&self) -> usize {
        self.nodes.len() - 1
    }

    fn push(&mut self, op: Op, inputs: &[usize], channels: usize, length: usize) -> usize {
        self.nodes.push(Node { op, inputs: inputs.to_vec(), channels, length });
        self.nodes.len() - 1
    }

    fn parameter(&mut self, name: String, shape: &[usize], initial: Initial, trained: bool) -> usize {
        self.parameters.push(Parameter { name, shape: shape.to_vec(), initial, trained });
        self.parameters.len() - 1
    }

    /// A new input.
    pub fn input(&mut self, channels: usize, length: usize) -> usize {
        self.inputs += 1;
        self.push(Op::Input(self.inputs - 1), &[], channels, length)
    }

    /// A dense layer after node `x`.
    pub fn dense(&mut self, name: &str, x: usize, units: usize, bias: bool) -> usize {
        let inputs = self.nodes[x].channels;
        // He et al. 2015: what goes through keeps its variance.
        let initial = Initial::Normal((2.0 / inputs as f64).sqrt());
        let weight = self.parameter(format!("{name}.weight"), &[units, inputs], initial, true);
        let bias = bias.then(|| self.parameter(format!("{name}.bias"), &[units], Initial::Constant(0.0), true));
        self.push(Op::Dense { weight, bias, slope: 1.0 }, &[x], units, 1)
    }

    /// A convolution after node `x`.
    pub fn convolution(&mut self, name: &str, x: usize, channels: usize, step: Step, bias: bool) -> usize {
        let Node { channels: inputs, length, .. } = self.nodes[x];
        let shape = match step {
            Step::Up { .. } => [inputs, channels, 3],
            _ => [channels, inputs, 3],
        };
        // PyTorch counts a transposed convolution's outputs.
        let reads = 3 * shape[1];
        let weight = self.parameter(format!("{name}.weight"), &shape, within(reads), true);
        let bias = bias.then(|| self.parameter(format!("{name}.bias"), &[channels], within(reads), true));
        let length = step.walk().length(length);
        self.push(Op::Convolution { weight, bias, step, slope: 1.0 }, &[x], channels, length)
    }

    fn normalisation(&mut self, name: &str, x: usize, batch: bool) -> usize {
        let Node { channels, length, .. } = self.nodes[x];
        let scale = self.parameter(format!("{name}.weight"), &[channels], Initial::Constant(1.0), true);
        let shift = self.parameter(format!("{name}.bias"), &[channels], Initial::Constant(0.0), true);
        let over = match batch {
            true => Over::Batch {
                mean: self.parameter(format!("{name}.running_mean"), &[channels], Initial::Constant(0.0), false),
                variance: self.parameter(format!("{name}.running_var"), &[channels], Initial::Constant(1.0), false),
            },
            false => Over::Positions,
        };
        self.push(Op::Normalise { scale, shift, over, slope: 1.0 }, &[x], channels, length)
    }

    /// Batch normalisation after node `x`.
    pub fn batch_norm(&mut self, name: &str, x: usize) -> usize {
        self.normalisation(name, x, true)
    }

    /// Instance normalisation after node `x`.
    pub fn instance_norm(&mut self, name: &str, x: usize) -> usize {
        self.normalisation(name, x, false)
    }

    fn same(&mut self, op: Op, x: usize) -> usize {
        let Node { channels, length, .. } = self.nodes[x];
        self.push(op, &[x], channels, length)
    }

    /// LeakyReLU after node `x`. A normalisation, a dense layer or a convolution that was just added takes it over: one pass
    /// through memory does both, and what it gave without the slope can be read no more.
    pub fn leaky_relu(&mut self, x: usize, slope: f64) -> usize {
        if x == self.output()
            && let Op::Normalise { slope: own, .. } | Op::Dense { slope: own, .. } | Op::Convolution { slope: own, .. } =
                &mut self.nodes[x].op
        {
            *own *= slope;
            return x;
        }
        self.same(Op::LeakyRelu { slope }, x)
    }

    /// The hyperbolic tangent of node `x`.
    pub fn tanh(&mut self, x: usize) -> usize {
        self.same(Op::Tanh, x)
    }

    /// The logistic function of node `x`.
    pub fn sigmoid(&mut self, x: usize) -> usize {
        self.same(Op::Sigmoid, x)
    }

    /// Dropout after node `x`.
    pub fn dropout(&mut self, x: usize, share: f64) -> usize {
        self.same(Op::Dropout { share }, x)
    }

    /// The sum of two nodes of the same shape.
    pub fn add(&mut self, a: usize, b: usize) -> usize {
        let Node { channels, length, .. } = self.nodes[a];
        self.push(Op::Add, &[a, b], channels, length)
    }

    /// The channels of several nodes of the same length.
    pub fn join(&mut self, nodes: &[usize]) -> usize {
        let channels = nodes.iter().map(|n| self.nodes[*n].channels).sum();
        let length = self.nodes[nodes[0]].length;
        self.push(Op::Join, nodes, channels, length)
    }

    /// Learned values, channels x length.
    pub fn location(&mut self, name: &str, channels: usize, length: usize) -> usize {
        let values = self.parameter(format!("{name}.values"), &[channels, length], Initial::Normal(1.0), true);
        self.push(Op::Location { values }, &[], channels, length)
    }

    /// Node `x` and, at each position of each channel, a number that is learned, 0 at first.
    pub fn shifted(&mut self, name: &str, x: usize) -> usize {
        let Node { channels, length, .. } = self.nodes[x];
        let values = self.parameter(format!("{name}.values"), &[channels, length], Initial::Constant(0.0), true);
        let shifts = self.push(Op::Location { values }, &[], channels, length);
        self.add(x, shifts)
    }

    /// Values that are not learned, channels x length, 0 until they are set.
    pub fn constant(&mut self, name: &str, channels: usize, length: usize) -> usize {
        let values = self.parameter(format!("{name}.values"), &[channels, length], Initial::Constant(0.0), false);
        self.push(Op::Location { values }, &[], channels, length)
    }

    /// A layer with weights of their own at each position of node `x`, which has more than one.
    pub fn local(&mut self, name: &str, x: usize, channels: usize, initial: Initial) -> usize {
        let Node { channels: inputs, length, .. } = self.nodes[x];
        let weight = self.parameter(format!("{name}.weight"), &[channels, inputs, length], initial, true);
        self.push(Op::Local { weight }, &[x], channels, length)
    }

    /// Has dense layers and convolutions begin as He et al. 2015 have them, where LeakyReLU of this slope follows each:
    /// what goes through keeps its variance. Biases begin at 0.
    pub fn begin_as_he(&mut self, slope: f64) {
        for node in &self.nodes {
            let (weight, bias, reads) = match node.op {
                Op::Dense { weight, bias, .. } => (weight, bias, self.nodes[node.inputs[0]].channels as f64),
                // A position that comes out of a transposed convolution has read one or two numbers of each kernel.
                Op::Convolution { weight, bias, step, .. } => {
                    let positions = if matches!(step, Step::Up { .. }) { 1.5 } else { 3.0 };
                    (weight, bias, positions * self.nodes[node.inputs[0]].channels as f64)
                }
                _ => continue,
            };
            self.parameters[weight].initial = Initial::Normal((2.0 / ((1.0 + slope * slope) * reads)).sqrt());
            if let Some(bias) = bias {
                self.parameters[bias].initial = Initial::Constant(0.0);
            }
        }
    }

    /// Has the weights of a layer begin smaller by a factor.
    pub fn begin_smaller(&mut self, name: &str, factor: f64) {
        let named = format!("{name}.weight");
        for parameter in self.parameters.iter_mut().filter(|p| p.name == named) {
            parameter.initial = match parameter.initial {
                Initial::Constant(value) => Initial::Constant(factor * value),
                Initial::Uniform(bound) => Initial::Uniform(factor * bound),
                Initial::Normal(deviation) => Initial::Normal(factor * deviation),
            };
        }
    }

    /// Channels x positions of node `x` as units.
    pub fn flatten(&mut self, x: usize) -> usize {
        let units = self.nodes[x].channels * self.nodes[x].length;
        self.push(Op::Flatten, &[x], units, 1)
    }

    /// Units of node `x` as channels x positions.
    pub fn fold(&mut self, x: usize, channels: usize) -> usize {
        let length = self.nodes[x].channels / channels;
        self.push(Op::Fold, &[x], channels, length)
    }

    /// Adds node `i` of another graph, with its parameters, reading `inputs`.
    pub(super) fn copy_node(
        &mut self,
        from: &Graph,
        i: usize,
        inputs: &[usize],
        numbers: &[Vec<f32>],
        into: &mut Vec<Vec<f32>>,
    ) {
        let node = &from.nodes[i];
        let mut op = node.op.clone();
        for place in op.parameters_mut() {
            self.parameters.push(from.parameters[*place].clone());
            into.push(numbers[*place].clone());
            *place = self.parameters.len() - 1;
        }
        if let Op::Input(_) = op {
            self.inputs += 1;
        }
        self.push(op, inputs, node.channels, node.length);
    }

    /// Makes `factor x output + term` of each channel part of a dense layer or a convolution; false if node `i` is
    /// neither, or has a slope.
    pub(super) fn absorb(&mut self, i: usize, factors: &[(f32, f32)], numbers: &mut Vec<Vec<f32>>) -> bool {
        let (weight, bias, transposed) = match &self.nodes[i].op {
            Op::Dense { weight, bias, slope: 1.0 } => (*weight, *bias, false),
            Op::Convolution { weight, bias, step, slope: 1.0 } => (*weight, *bias, matches!(step, Step::Up { .. })),
            _ => return false,
        };
        let shape = &self.parameters[weight].shape;
        let (outputs, kernel) = (factors.len(), shape.get(2).copied().unwrap_or(1));
        let inputs = if transposed { shape[0] } else { shape[1] };
        for (k, number) in numbers[weight].iter_mut().enumerate() {
            let channel = if transposed { k / kernel % outputs } else { k / (kernel * inputs) };
            *number *= factors[channel].0;
        }
        let bias = bias.unwrap_or_else(|| {
            let name = self.parameters[weight].name.replace("weight", "bias");
            numbers.push(vec![0.0; outputs]);
            self.parameter(name, &[outputs], Initial::Constant(0.0), true)
        });
        for (number, (factor, term)) in numbers[bias].iter_mut().zip(factors) {
            *number = *number * factor + term;
        }
        if let Op::Dense { bias: own, .. } | Op::Convolution { bias: own, .. } = &mut self.nodes[i].op {
            *own = Some(bias);
        }
        true
    }

    /// Fails unless every layer fits those that it reads and every parameter is named once.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn check(&self) -> Result<()> {
        let mut names: Vec<&str> = self.parameters.iter().map(|p| p.name.as_str()).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::argument(format!("two parameters are named {}", pair[0])));
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let read: Vec<&Node> = node.inputs.iter().map(|n| &self.nodes[*n]).collect();
            let first = read.first();
            let fits = node.inputs.iter().all(|n| *n < i)
                && match &node.op {
                    Op::Add => read.iter().all(|r| (r.channels, r.length) == (node.channels, node.length)),
                    Op::Join => read.iter().all(|r| r.length == node.length),
                    Op::Dense { .. } => first.is_some_and(|r| r.length == 1),
                    Op::Fold => first.is_some_and(|r| r.length == 1 && r.channels == node.channels * node.length),
                    Op::Convolution { step: Step::Down { .. }, .. } => {
                        first.is_some_and(|r| r.length % 2 == 1 && r.length >= 3)
                    }
                    Op::Convolution { .. } | Op::Local { .. } => first.is_some_and(|r| r.length > 1),
                    _ => true,
                };
            if !fits || node.channels == 0 || node.length == 0 {
                return Err(Error::argument(format!("layer {i} ({:?}) does not fit those that it reads", node.op)));
            }
        }
        Ok(())
    }
}
