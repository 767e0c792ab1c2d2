//! Convolutional bodies with noise at several resolutions and location vectors (Yelmen et al. 2023).
//!
//! Lengths are `L 2^i - 1`, from `L` at the bottom to `L 2^d - 1` at the top, d even; the width of a layer is the channel
//! unit times a number that falls by two from one layer to the next. For L = 4, unit 10 and packs of three there are
//! 4,955,477 and 4,606,772 parameters at d = 12, and 8,320,892 and 8,318,147 at d = 14, as published.

use crate::nn::{Graph, Step};

/// The body of a convolutional generator, and of its critic.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolutional {
    /// Channels a unit of width (published: 10).
    pub unit: usize,
    /// Positions at the bottom (published: 4).
    pub lowest: usize,
    /// Doublings from the bottom to the top; even, at least 4.
    pub depth: usize,
    /// Channels of noise at each resolution (published: 2).
    pub noise: usize,
    /// Slope of LeakyReLU below 0 (published: .01).
    pub slope: f64,
}

/// Width at the top of the last up block, in units.
const TOP: usize = 6;
/// What an up block takes from the width, in units.
const BLOCK: usize = 8;

/// How layers of a body are normalised.
#[derive(Clone, Copy)]
enum Norm {
    Batch,
    Instance,
}

/// A graph under construction.
struct Builder {
    graph: Graph,
    norm: Norm,
    slope: f64,
}

impl Builder {
    /// A convolution, its normalisation and its slope.
    fn layer(&mut self, name: &str, x: usize, channels: usize, step: Step) -> usize {
        // The mean that batch normalisation takes away takes a bias with it.
        let bias = matches!(self.norm, Norm::Instance);
        let x = self.graph.convolution(name, x, channels, step, bias);
        let name = format!("{name}.norm");
        let x = match self.norm {
            Norm::Batch => self.graph.batch_norm(&name, x),
            Norm::Instance => self.graph.instance_norm(&name, x),
        };
        self.graph.leaky_relu(x, self.slope)
    }

    /// Four layers.
    fn block(&mut self, name: &str, mut x: usize, widths: [usize; 4], steps: [Step; 4]) -> usize {
        for (i, (channels, step)) in widths.into_iter().zip(steps).enumerate() {
            x = self.layer(&format!("{name}.{i}"), x, channels, step);
        }
        x
    }

    /// Two layers, and what went into them added.
    fn residual(&mut self, name: &str, x: usize) -> usize {
        let channels = self.graph.nodes[x].channels;
        let y = self.layer(&format!("{name}.0"), x, channels, Step::Same);
        let y = self.layer(&format!("{name}.1"), y, channels, Step::Same);
        self.graph.add(x, y)
    }
}

impl Convolutional {
    /// The body of the smallest length that holds `sites` at this depth.
    pub fn for_sites(sites: usize, depth: usize, unit: usize) -> Self {
        let lowest = (sites + 1).div_ceil(1 << depth).max(2);
        Convolutional { unit, lowest, depth, noise: 2, slope: 0.01 }
    }

    /// Positions after `doublings` doublings.
    pub fn length(&self, doublings: usize) -> usize {
        if doublings == 0 { self.lowest } else { (self.lowest << doublings) - 1 }
    }

    /// Positions at the top.
    pub fn top(&self) -> usize {
        self.length(self.depth)
    }

    /// Stages of two doublings.
    fn stages(&self) -> usize {
        self.depth / 2
    }

    /// Width after the first block, in units.
    fn width(&self) -> usize {
        TOP + BLOCK * (self.stages() - 2)
    }

    /// Noise at several resolutions, and the label's code at the bottom if there are labels, to one number a position.
    /// Inputs: the noise from the bottom up, then the label.
    pub fn generator(&self, labels: usize) -> Graph {
        let (u, stages, width) = (self.unit, self.stages(), self.width());
        let mut b = Builder { graph: Graph::new(), norm: Norm::Batch, slope: self.slope };
        let noise: Vec<usize> = (0..stages).map(|k| b.graph.input(self.noise, self.length(2 * k))).collect();
        let label = (labels > 0).then(|| b.graph.input(labels, self.lowest));
        let places: Vec<usize> =
            (0..=stages).map(|k| b.graph.location(&format!("location.{k}"), 1, self.length(2 * k))).collect();
        let (up1, up0, same) = (Step::Up { pad: 1 }, Step::Up { pad: 0 }, Step::Same);
        let mut bottom = vec![noise[0], places[0]];
        bottom.extend(label);
        let x = b.graph.join(&bottom);
        let widths = [width + 6, width + 4, width + 2, width].map(|w| w * u);
        let mut x = b.block("first", x, widths, [same, up1, same, up0]);
        let mut m = width;
        for k in 1..stages - 1 {
            x = b.graph.join(&[noise[k], places[k], x]);
            x = b.block(&format!("up.{k}"), x, [m - 2, m - 4, m - 6, m - 8].map(|w| w * u), [same, up0, same, up0]);
            m -= BLOCK;
            if k % 2 == 1 {
                x = b.residual(&format!("residual.{k}"), x);
            }
        }
        x = b.graph.join(&[noise[stages - 1], places[stages - 1], x]);
        x = b.block("final", x, [4 * u, 2 * u, u, (u / 2).max(1)], [same, up0, same, up0]);
        x = b.graph.join(&[places[stages], x]);
        b.graph.convolution("out", x, 1, same, true);
        b.graph
    }

    /// `pack` haplotypes as channels, and the codes of their labels if it reads labels, to `outputs` numbers.
    pub fn critic(&self, pack: usize, labels: usize, outputs: usize) -> Graph {
        self.down(pack, labels * pack, Norm::Instance, outputs)
    }

    /// A haplotype to `outputs` numbers: the critic's body with batch normalisation (Yelmen et al. 2023).
    pub fn encoder(&self, outputs: usize) -> Graph {
        self.down(1, 0, Norm::Batch, outputs)
    }

    fn down(&self, inputs: usize, labels: usize, norm: Norm, outputs: usize) -> Graph {
        let (u, stages) = (self.unit, self.stages());
        let mut b = Builder { graph: Graph::new(), norm, slope: self.slope };
        let haplotypes = b.graph.input(inputs, self.top());
        let label = (labels > 0).then(|| b.graph.input(labels, self.top()));
        let places: Vec<usize> = (0..stages)
            .map(|k| b.graph.location(&format!("location.{k}"), 1, self.length(self.depth - 2 * k)))
            .collect();
        let (down1, down0, same) = (Step::Down { pad: 1 }, Step::Down { pad: 0 }, Step::Same);
        let mut top = vec![places[0], haplotypes];
        top.extend(label);
        let x = b.graph.join(&top);
        let mut x = b.block("first", x, [u, 2 * u, 4 * u, 6 * u], [same, down0, same, down0]);
        let mut m = TOP;
        for (k, place) in places.iter().enumerate().take(stages - 1).skip(1) {
            if k % 2 == 1 {
                x = b.residual(&format!("residual.{k}"), x);
            }
            x = b.graph.join(&[*place, x]);
            let widths = [m + 2, m + 4, m + 6, m + 8].map(|w| w * u);
            x = b.block(&format!("down.{k}"), x, widths, [same, down0, same, down0]);
            m += BLOCK;
        }
        x = b.graph.join(&[places[stages - 1], x]);
        // One channel is left for a critic's one number; an encoder or an auxiliary classifier gets more.
        let last = if outputs == 1 { 1 } else { 2 * u };
        x = b.block("last", x, [(m + 2) * u, (m + 4) * u, (m + 6) * u, last], [same, down0, same, down1]);
        let flat = b.graph.flatten(x);
        b.graph.dense("out", flat, outputs, true);
        b.graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_parameters_as_published() {
        for (depth, generator, critic) in [(12, 4_955_477, 4_606_772), (14, 8_320_892, 8_318_147)] {
            let body = Convolutional { unit: 10, lowest: 4, depth, noise: 2, slope: 0.01 };
            assert_eq!(body.top(), (4 << depth) - 1);
            let (made, judged) = (body.generator(0), body.critic(3, 0, 1));
            made.check().unwrap();
            judged.check().unwrap();
            assert_eq!(made.trained_size(), generator);
            assert_eq!(judged.trained_size(), critic);
        }
    }

    #[test]
    fn every_number_of_sites_has_a_body() {
        for sites in [3, 15, 31, 805, 2000, 9999, 65_535] {
            for depth in [4, 6, 8] {
                let body = Convolutional::for_sites(sites, depth, 2);
                assert!(body.top() >= sites && body.lowest >= 2);
                for graph in [body.generator(5), body.critic(2, 5, 1), body.critic(2, 0, 11), body.encoder(32)] {
                    graph.check().unwrap();
                }
                assert_eq!(body.generator(0).nodes.last().unwrap().length, body.top());
            }
        }
    }
}
