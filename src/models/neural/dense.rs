//! Fully connected bodies (Yelmen et al. 2021).

use crate::nn::Graph;

/// The body of a fully connected generator.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// Gaussian inputs.
    pub latent: usize,
    /// Units of the hidden layers.
    pub widths: Vec<usize>,
    /// Whether hidden layers are batch-normalised.
    pub normalised: bool,
    /// Slope of LeakyReLU below 0.
    pub slope: f64,
}

/// How often a label's one-hot code is repeated beside the noise (Genome-AC-GAN).
const LABEL_COPIES: usize = 8;

impl Dense {
    /// Noise, and the label's code if there are labels, to `outputs` numbers.
    pub fn generator(&self, outputs: usize, labels: usize) -> Graph {
        let mut graph = Graph::new();
        let mut x = graph.input(self.latent, 1);
        if labels > 0 {
            let label = graph.input(labels, 1);
            let mut parts = vec![x];
            parts.extend([label; LABEL_COPIES]);
            x = graph.join(&parts);
        }
        for (i, units) in self.widths.iter().enumerate() {
            let name = format!("dense.{i}");
            x = graph.dense(&name, x, *units, !self.normalised);
            if self.normalised {
                x = graph.batch_norm(&format!("{name}.norm"), x);
            }
            x = graph.leaky_relu(x, self.slope);
        }
        graph.dense("out", x, outputs, true);
        graph
    }

    /// `inputs` numbers, and the codes of labels if there are any, to `outputs` numbers through hidden layers of `widths`.
    /// A share of the inputs, drawn anew for each sample, is not seen in training.
    pub fn critic(inputs: usize, labels: usize, widths: &[usize], slope: f64, unseen: f64, outputs: usize) -> Graph {
        let mut graph = Graph::new();
        let mut x = graph.input(inputs, 1);
        if unseen > 0.0 {
            x = graph.dropout(x, unseen);
        }
        if labels > 0 {
            let label = graph.input(labels, 1);
            x = graph.join(&[x, label]);
        }
        for (i, units) in widths.iter().enumerate() {
            x = graph.dense(&format!("dense.{i}"), x, *units, true);
            x = graph.leaky_relu(x, slope);
        }
        graph.dense("out", x, outputs, true);
        graph
    }
}
