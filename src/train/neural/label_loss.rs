//! What an auxiliary classifier of labels adds to the losses of a critic and of its generator (AC-GAN: Odena et al. 2017;
//! for genomes Ahronoviz and Gronau 2024). As in both papers the critic learns the labels of real haplotypes and those that
//! artificial ones were asked for.

use crate::compute::activation::exp;
use crate::nn::Tensor;

/// The weight that PolyLoss gives to the chance that is not the label's (Genome-AC-GAN).
const EPSILON: f64 = 0.2;
/// The share of a label that is spread evenly over all of them (Genome-AC-GAN).
const SMOOTHING: f64 = 0.1;

/// The classifier's part of a critic's outputs, and its loss. Channel 0 of the outputs says real or artificial; channel
/// `1 + p names + c` is the logit of label c for haplotype p of a pack.
#[derive(Clone, Copy, Debug)]
pub struct LabelLoss {
    /// Labels that there are.
    pub names: usize,
    /// Haplotypes that the critic sees at once, each of which has logits of its own.
    pub pack: usize,
    /// Weight of the loss beside that of real or artificial.
    pub weight: f64,
}

/// What the classifier made of some haplotypes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Classified {
    /// Their loss with its weight, the mean over haplotypes.
    pub loss: f64,
    /// The share of them whose likeliest label is theirs.
    pub right: f64,
}

impl LabelLoss {
    /// Channels of the critic's output.
    pub fn outputs(&self) -> usize {
        1 + self.pack * self.names
    }

    /// The loss of what a critic gave for samples `first ..`, whose gradient is put into `seed`. `outputs` and `seed` are
    /// [`LabelLoss::outputs`] x samples; the label of haplotype p of the nth of these samples is number
    /// `p labels.len() / pack + n`, as haplotypes are packed.
    pub fn add(&self, outputs: &Tensor<f32>, first: usize, labels: &[usize], seed: &mut Tensor<f32>) -> Classified {
        let samples = labels.len() / self.pack;
        let share = self.weight / labels.len() as f64;
        let (mut loss, mut right) = (0.0, 0);
        let (mut logits, mut slopes) = (vec![0.0; self.names], vec![0.0; self.names]);
        for (i, label) in labels.iter().enumerate() {
            let (haplotype, sample) = (i / samples, first + i % samples);
            let channel = |c: usize| 1 + haplotype * self.names + c;
            logits.iter_mut().enumerate().for_each(|(c, logit)| *logit = outputs.positions(channel(c), sample)[0]);
            loss += poly_loss(&logits, *label, &mut slopes);
            let likeliest = (1..self.names).fold(0, |best, c| if logits[c] > logits[best] { c } else { best });
            right += usize::from(likeliest == *label);
            for (c, slope) in slopes.iter().enumerate() {
                seed.positions_mut(channel(c), sample)[0] = (share * slope) as f32;
            }
        }
        Classified { loss: share * loss, right: right as f64 / labels.len() as f64 }
    }
}

/// Poly-1 of Leng et al. 2022 with a smoothed label: with chances p = softmax(logits) and targets t, cross entropy and
/// [`EPSILON`] `(1 - t'p)`. Its gradient, `p - t - EPSILON p (t - t'p)`, goes into `slopes`.
fn poly_loss(logits: &[f32], label: usize, slopes: &mut [f64]) -> f64 {
    let target = |c: usize| {
        let own = if c == label { 1.0 - SMOOTHING } else { 0.0 };
        own + SMOOTHING / logits.len() as f64
    };
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    slopes.iter_mut().zip(logits).for_each(|(p, logit)| *p = f64::from(exp(logit - top)));
    let total: f64 = slopes.iter().sum();
    slopes.iter_mut().for_each(|p| *p /= total);
    let hit: f64 = slopes.iter().enumerate().map(|(c, p)| target(c) * p).sum();
    let expected: f64 = logits.iter().enumerate().map(|(c, logit)| target(c) * f64::from(logit - top)).sum();
    for (c, slope) in slopes.iter_mut().enumerate() {
        *slope += -target(c) - EPSILON * *slope * (target(c) - hit);
    }
    total.ln() - expected + EPSILON * (1.0 - hit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Workspace;
    use crate::rng::{Purpose, Stream};
    use crate::threads::Threads;

    /// Labels 0 .. 3 of packs of two, samples 1 and 2 of four, and what a critic gave for them.
    fn case() -> (LabelLoss, Tensor<f32>, Vec<usize>, Workspace<f32>) {
        let head = LabelLoss { names: 3, pack: 2, weight: 0.7 };
        let mut workspace = Workspace::new(Threads::new(1));
        let mut outputs = workspace.zeros(head.outputs(), 4, 1).unwrap();
        let mut reader = Stream::new(3, Purpose::Initial, 1).reader(0);
        outputs.rows_mut().iter_mut().for_each(|x| *x = 2.0 * reader.normal() as f32);
        (head, outputs, vec![0, 2, 1, 1], workspace)
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (head, mut outputs, labels, mut workspace) = case();
        let mut seed = workspace.zeros(head.outputs(), 4, 1).unwrap();
        head.add(&outputs, 1, &labels, &mut seed);
        let mut nothing = workspace.zeros(head.outputs(), 4, 1).unwrap();
        // The third derivative is below 1 and a loss is known to 1e-7: the error of a difference is below 3e-5.
        const STEP: f32 = 1.0 / 128.0;
        let mut largest = 0.0f64;
        for channel in 0..head.outputs() {
            for sample in 0..4 {
                let before = outputs.positions(channel, sample)[0];
                let mut loss_at = |x: f32| {
                    outputs.positions_mut(channel, sample)[0] = x;
                    head.add(&outputs, 1, &labels, &mut nothing).loss
                };
                let (up, down) = (before + STEP, before - STEP);
                let difference = (loss_at(up) - loss_at(down)) / f64::from(up - down);
                outputs.positions_mut(channel, sample)[0] = before;
                let analytic = f64::from(seed.positions(channel, sample)[0]);
                assert!((analytic - difference).abs() < 3e-5, "{channel}, {sample}: {analytic} {difference}");
                largest = largest.max(analytic.abs());
                // What says real or artificial, and samples that are not asked about, are left alone.
                assert!((channel > 0 && (1..3).contains(&sample)) || analytic == 0.0);
            }
        }
        assert!(largest > 0.05);
    }

    #[test]
    fn the_loss_is_the_papers() {
        // Two labels with chances 3/4 and 1/4, targets .95 and .05.
        let mut slopes = [0.0; 2];
        let found = poly_loss(&[3.0f32.ln(), 0.0], 0, &mut slopes);
        let (p, q) = (0.75f64, 0.25f64);
        let expected = -0.95 * p.ln() - 0.05 * q.ln() + 0.2 * (1.0 - 0.95 * p - 0.05 * q);
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        // Chances add up to one, so that all logits may rise together.
        assert!(slopes.iter().sum::<f64>().abs() < 1e-12);
    }

    #[test]
    fn haplotypes_of_a_pack_have_logits_of_their_own() {
        let (head, mut outputs, labels, mut workspace) = case();
        let mut seed = workspace.zeros(head.outputs(), 4, 1).unwrap();
        outputs.rows_mut().fill(0.0);
        for (haplotype, sample, label) in [(0, 1, 0), (0, 2, 2), (1, 1, 1), (1, 2, 1)] {
            outputs.positions_mut(1 + 3 * haplotype + label, sample)[0] = 4.0;
        }
        assert_eq!(head.add(&outputs, 1, &labels, &mut seed).right, 1.0);
        assert_eq!(head.add(&outputs, 1, &[0, 2, 2, 1], &mut seed).right, 0.75);
    }
}
