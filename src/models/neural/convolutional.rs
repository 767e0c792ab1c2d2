//! Convolutional bodies with noise at several resolutions and location vectors (Yelmen et al. 2023).
//!
//! Lengths are `L 2^i - 1`, from `L` at the bottom to `L 2^d - 1` at the top, d even; the width of a layer is the channel
//! unit times a number that falls by two from one layer to the next. For L = 4, unit 10 and packs of three there are
//! 4,955,477 and 4,606,772 parameters at d = 12, and 8,320,892 and 8,318,147 at d = 14, as published.
//!
//! Trained from scratch for minutes, these layers learn next to nothing of linkage. With a latent (`latent` above 0) the same
//! stages learn it, and differ so: normal numbers that all sites share go through dense layers to the bottom, so that the
//! generator can begin as a decoder of them (`train::neural`); what the noise of each resolution does is learned from 0;
//! no layer is narrower than 16 channels, nor normalised (a critic that normalises each haplotype does not see how many
//! alternate alleles it has); location vectors have four channels; the last layer and the critic's first have weights of
//! their own at each site; a dense critic stands beside the convolutional one, and both see alleles less their means.

use crate::nn::{Graph, Initial, Step};

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
    /// Numbers of noise that all sites share; 0 for the layers as published.
    pub latent: usize,
}

/// Width at the top of the last up block, in units.
const TOP: usize = 6;
/// What an up block takes from the width, in units.
const BLOCK: usize = 8;

/// The least channels of a layer, with a latent.
const NARROWEST: usize = 16;
/// Channels of location vectors, with a latent.
const PLACES: usize = 4;
/// Units between the latent and the bottom.
const HIDDEN: usize = 256;
/// How much smaller the last weights of a residual block begin, with a latent.
const RESIDUAL: f64 = 0.3;
/// Channels that a critic makes of an allele, with a latent.
const EMBEDDING: usize = 8;
/// Hidden layers of the dense critic beside the convolutional one.
const BESIDE: [usize; 2] = [256, 128];
/// Hidden layers of the encoder, with a latent.
const ENCODER: [usize; 2] = [512, 256];

/// How layers of a body are normalised.
#[derive(Clone, Copy, PartialEq)]
enum Norm {
    Batch,
    Instance,
    None,
}

/// A graph under construction.
struct Builder {
    graph: Graph,
    norm: Norm,
    slope: f64,
    /// Last layers of residual blocks that begin smaller.
    residuals: Vec<String>,
}

impl Builder {
    /// A convolution, its normalisation and its slope.
    fn layer(&mut self, name: &str, x: usize, channels: usize, step: Step) -> usize {
        // The mean that batch normalisation takes away takes a bias with it.
        let bias = self.norm != Norm::Batch;
        let x = self.graph.convolution(name, x, channels, step, bias);
        let name = format!("{name}.norm");
        let x = match self.norm {
            Norm::Batch => self.graph.batch_norm(&name, x),
            Norm::Instance => self.graph.instance_norm(&name, x),
            Norm::None => x,
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
        if self.norm == Norm::None {
            self.residuals.push(format!("{name}.1"));
        }
        self.graph.add(x, y)
    }

    /// The graph, with the weights of residual blocks as small as they begin.
    fn finish(mut self) -> Graph {
        for name in &self.residuals {
            self.graph.begin_smaller(name, RESIDUAL);
        }
        self.graph
    }
}

impl Convolutional {
    /// The body of the smallest length that holds `sites` at this depth, with the layers as published.
    pub fn for_sites(sites: usize, depth: usize, unit: usize) -> Self {
        let lowest = (sites + 1).div_ceil(1 << depth).max(2);
        Convolutional { unit, lowest, depth, noise: 2, slope: 0.01, latent: 0 }
    }

    /// The same with a latent of so many numbers.
    pub fn with_latent(self, latent: usize) -> Self {
        Convolutional { latent, slope: 0.2, ..self }
    }

    /// Channels of a layer that is so many units wide.
    fn channels(&self, units: usize) -> usize {
        (units * self.unit).max(if self.latent > 0 { NARROWEST } else { 1 })
    }

    /// Channels of location vectors.
    fn places(&self) -> usize {
        if self.latent > 0 { PLACES } else { 1 }
    }

    fn builder(&self, norm: Norm) -> Builder {
        let norm = if self.latent > 0 { Norm::None } else { norm };
        Builder { graph: Graph::new(), norm, slope: self.slope, residuals: Vec::new() }
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
    /// Inputs: the latent if there is one, the noise from the bottom up, then the label.
    pub fn generator(&self, labels: usize) -> Graph {
        let (stages, width, wide) = (self.stages(), self.width(), |units: usize| self.channels(units));
        let mut b = self.builder(Norm::Batch);
        let latent = (self.latent > 0).then(|| b.graph.input(self.latent, 1));
        let mut noise: Vec<usize> = (0..stages).map(|k| b.graph.input(self.noise, self.length(2 * k))).collect();
        let label = (labels > 0).then(|| b.graph.input(labels, self.lowest));
        if latent.is_some() {
            for (k, noise) in noise.iter_mut().enumerate() {
                *noise = b.graph.local(&format!("noise.{k}"), *noise, self.noise, Initial::Constant(0.0));
            }
        }
        // The last layer as published reads a location vector of its own.
        let count = stages + usize::from(latent.is_none());
        let place =
            |k: usize, graph: &mut Graph| graph.location(&format!("location.{k}"), self.places(), self.length(2 * k));
        let places: Vec<usize> = (0..count).map(|k| place(k, &mut b.graph)).collect();
        let (up1, up0, same) = (Step::Up { pad: 1 }, Step::Up { pad: 0 }, Step::Same);
        let mut bottom = vec![noise[0], places[0]];
        bottom.extend(label);
        if let Some(latent) = latent {
            let x = b.graph.dense("latent.0", latent, HIDDEN, true);
            let x = b.graph.leaky_relu(x, self.slope);
            let x = b.graph.dense("latent.1", x, wide(width + 6) * self.lowest, true);
            let x = b.graph.leaky_relu(x, self.slope);
            bottom.push(b.graph.fold(x, wide(width + 6)));
        }
        let x = b.graph.join(&bottom);
        let mut x = b.block("first", x, [width + 6, width + 4, width + 2, width].map(wide), [same, up1, same, up0]);
        let mut m = width;
        for k in 1..stages - 1 {
            x = b.graph.join(&[noise[k], places[k], x]);
            x = b.block(&format!("up.{k}"), x, [m - 2, m - 4, m - 6, m - 8].map(wide), [same, up0, same, up0]);
            m -= BLOCK;
            if k % 2 == 1 {
                x = b.residual(&format!("residual.{k}"), x);
            }
        }
        x = b.graph.join(&[noise[stages - 1], places[stages - 1], x]);
        let half = if latent.is_some() { NARROWEST.max(self.unit / 2) } else { (self.unit / 2).max(1) };
        x = b.block("final", x, [wide(4), wide(2), wide(1), half], [same, up0, same, up0]);
        if latent.is_none() {
            x = b.graph.join(&[places[stages], x]);
            b.graph.convolution("out", x, 1, same, true);
            return b.finish();
        }
        let deviation = 1.0 / (half as f64).sqrt();
        x = b.graph.local("out", x, 1, Initial::Normal(deviation));
        b.graph.shifted("bias", x);
        b.graph.begin_as_he(self.slope);
        b.finish()
    }

    /// `pack` haplotypes as channels, and the codes of their labels if it reads labels, to `outputs` numbers. `unseen` is the
    /// share of the sites that the dense critic beside it does not see, with a latent.
    pub fn critic(&self, pack: usize, labels: usize, outputs: usize, unseen: f64) -> Graph {
        self.down(pack, labels * pack, Norm::Instance, outputs, unseen)
    }

    /// A haplotype to `outputs` numbers: the critic's body with batch normalisation (Yelmen et al. 2023); with a latent, dense
    /// layers.
    pub fn encoder(&self, outputs: usize) -> Graph {
        if self.latent == 0 {
            return self.down(1, 0, Norm::Batch, outputs, 0.0);
        }
        let mut graph = Graph::new();
        let haplotypes = graph.input(1, self.top());
        let mean = graph.constant("mean", 1, self.top());
        let x = graph.add(haplotypes, mean);
        let x = graph.flatten(x);
        dense(&mut graph, "dense", x, &ENCODER, self.slope, outputs);
        graph.begin_as_he(self.slope);
        // Codes begin near 0, with the deviation of the noise.
        graph.begin_smaller("dense.out", RESIDUAL);
        graph
    }

    fn down(&self, inputs: usize, labels: usize, norm: Norm, outputs: usize, unseen: f64) -> Graph {
        let (stages, wide) = (self.stages(), |units: usize| self.channels(units));
        let mut b = self.builder(norm);
        let haplotypes = b.graph.input(inputs, self.top());
        let label = (labels > 0).then(|| b.graph.input(labels, self.top()));
        let place = |k: usize, graph: &mut Graph| {
            graph.location(&format!("location.{k}"), self.places(), self.length(self.depth - 2 * k))
        };
        let places: Vec<usize> = (0..stages).map(|k| place(k, &mut b.graph)).collect();
        let (mut alleles, mut centred) = (haplotypes, haplotypes);
        if self.latent > 0 {
            let mean = b.graph.constant("mean", inputs, self.top());
            centred = b.graph.add(haplotypes, mean);
            alleles = b.graph.local("embedding", centred, inputs * EMBEDDING, Initial::Normal(1.0));
        }
        let (down1, down0, same) = (Step::Down { pad: 1 }, Step::Down { pad: 0 }, Step::Same);
        let mut top = vec![places[0], alleles];
        top.extend(label);
        let x = b.graph.join(&top);
        let mut x = b.block("first", x, [1, 2, 4, 6].map(wide), [same, down0, same, down0]);
        let mut m = TOP;
        for (k, place) in places.iter().enumerate().take(stages - 1).skip(1) {
            if k % 2 == 1 {
                x = b.residual(&format!("residual.{k}"), x);
            }
            x = b.graph.join(&[*place, x]);
            let widths = [m + 2, m + 4, m + 6, m + 8].map(wide);
            x = b.block(&format!("down.{k}"), x, widths, [same, down0, same, down0]);
            m += BLOCK;
        }
        x = b.graph.join(&[places[stages - 1], x]);
        // One channel is left for a critic's one number; an encoder or an auxiliary classifier gets more.
        let last = if outputs == 1 { 1 } else { wide(2) };
        x = b.block("last", x, [wide(m + 2), wide(m + 4), wide(m + 6), last], [same, down0, same, down1]);
        let flat = b.graph.flatten(x);
        let out = b.graph.dense("out", flat, outputs, true);
        if self.latent > 0 {
            let flat = b.graph.flatten(centred);
            let seen = if unseen > 0.0 { b.graph.dropout(flat, unseen) } else { flat };
            let beside = dense(&mut b.graph, "beside", seen, &BESIDE, self.slope, outputs);
            b.graph.add(out, beside);
            b.graph.begin_as_he(self.slope);
        }
        b.finish()
    }
}

/// Dense layers of these widths, and one of `outputs` units.
fn dense(graph: &mut Graph, name: &str, mut x: usize, widths: &[usize], slope: f64, outputs: usize) -> usize {
    for (i, units) in widths.iter().enumerate() {
        x = graph.dense(&format!("{name}.{i}"), x, *units, true);
        x = graph.leaky_relu(x, slope);
    }
    graph.dense(&format!("{name}.out"), x, outputs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_parameters_as_published() {
        for (depth, generator, critic) in [(12, 4_955_477, 4_606_772), (14, 8_320_892, 8_318_147)] {
            let body = Convolutional { unit: 10, lowest: 4, depth, noise: 2, slope: 0.01, latent: 0 };
            assert_eq!(body.top(), (4 << depth) - 1);
            let (made, judged) = (body.generator(0), body.critic(3, 0, 1, 0.4));
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
                for body in [body.clone(), body.clone().with_latent(3)] {
                    for graph in
                        [body.generator(5), body.critic(2, 5, 1, 0.4), body.critic(2, 0, 11, 0.0), body.encoder(32)]
                    {
                        graph.check().unwrap();
                    }
                }
                assert_eq!(body.generator(0).nodes.last().unwrap().length, body.top());
            }
        }
    }
}
