//! Gradients and steps on the processor.

use super::Cpu;
use crate::compute::learning::{Adam, Contrast, Gradient, Statistics};
use crate::compute::{Buffer, States};
use crate::error::Result;

/// Parameters a task.
const PIECE: usize = 1 << 14;

impl Cpu {
    pub(in crate::compute) fn statistics(
        &self,
        visible: &States,
        hidden: &States,
        step: f64,
        out: &mut Statistics,
    ) -> Result<()> {
        self.outer(visible, hidden, &mut out.product)?;
        for (states, unit, means) in [(visible, 1.0, &mut out.visible), (hidden, step, &mut out.hidden)] {
            let n = states.rows() as f64;
            let sums = states.column_sums()?;
            means.cpu_mut()?.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum as f64 * unit / n) as f32);
        }
        Ok(())
    }

    pub(in crate::compute) fn contrast(&self, of: &Contrast, gradient: &mut Gradient) -> Result<()> {
        let units = of.data.product.columns();
        let (data_product, chain_product) = (of.data.product.to_host()?, of.chains.product.to_host()?);
        let (v_data, v_chain) = (of.data.visible.cpu()?, of.chains.visible.cpu()?);
        let (h_data, h_chain) = (of.data.hidden.cpu()?, of.chains.hidden.cpu()?);
        let weights = of.weights.cpu()?;
        let frequencies = of.frequencies.map(Buffer::cpu).transpose()?;
        const SITES: usize = 16;
        let all = gradient.weights.cpu_mut()?;
        self.threads.for_each_piece(all, units * SITES, |task, gradient| {
            for (row, gradient) in gradient.chunks_exact_mut(units).enumerate() {
                let i = task * SITES + row;
                let products = data_product.row(i).iter().zip(chain_product.row(i));
                let weights = &weights[i * units..][..units];
                for ((g, w), (d, c)) in gradient.iter_mut().zip(weights).zip(products) {
                    *g = *d as f32 * of.data_unit - *c as f32 * of.chain_unit - of.decay * w;
                }
                // <(v - mv)(h - mh)> over data less over chains, with mv the panel's and mh the batch's means.
                if let Some(frequencies) = frequencies {
                    let (centre, difference) = (frequencies[i], v_data[i] - v_chain[i]);
                    for (g, (d, c)) in gradient.iter_mut().zip(h_data.iter().zip(h_chain)) {
                        *g -= centre * (d - c) + difference * d;
                    }
                }
            }
        })?;
        let visible = gradient.visible.cpu_mut()?;
        visible.iter_mut().zip(v_data.iter().zip(v_chain)).for_each(|(v, (d, c))| *v = d - c);
        let hidden = gradient.hidden.cpu_mut()?;
        hidden.iter_mut().zip(h_data.iter().zip(h_chain)).for_each(|(h, (d, c))| *h = d - c);
        if let Some(frequencies) = frequencies {
            for (i, gradient) in all.chunks_exact(units).enumerate() {
                visible[i] -= gradient.iter().zip(h_data).map(|(g, h)| g * h).sum::<f32>();
                let centre = frequencies[i];
                hidden.iter_mut().zip(gradient).for_each(|(c, g)| *c -= centre * g);
            }
        }
        Ok(())
    }

    pub(in crate::compute) fn ascend_sgd(
        &self,
        parameters: &mut Buffer<f32>,
        velocities: Option<&mut Buffer<f32>>,
        gradient: &Buffer<f32>,
        rate: f32,
        momentum: f32,
    ) -> Result<()> {
        let gradient = gradient.cpu()?;
        let step = match velocities {
            None => gradient,
            Some(velocities) => {
                let velocities = velocities.cpu_mut()?;
                self.threads.for_each_piece(velocities, PIECE, |i, v| {
                    v.iter_mut().zip(&gradient[i * PIECE..]).for_each(|(v, g)| *v = momentum * *v + g);
                })?;
                velocities
            }
        };
        self.threads.for_each_piece(parameters.cpu_mut()?, PIECE, |i, p| {
            p.iter_mut().zip(&step[i * PIECE..]).for_each(|(p, v)| *p += rate * v);
        })
    }

    pub(in crate::compute) fn ascend_adam(
        &self,
        parameters: &mut Buffer<f32>,
        first: &mut Buffer<f32>,
        second: &mut Buffer<f32>,
        gradient: &Buffer<f32>,
        Adam { rate, beta_1, beta_2, epsilon }: Adam,
    ) -> Result<()> {
        let gradient = gradient.cpu()?;
        let first = first.cpu_mut()?;
        self.threads.for_each_piece(first, PIECE, |i, m| {
            m.iter_mut().zip(&gradient[i * PIECE..]).for_each(|(m, g)| *m = beta_1 * *m + (1.0 - beta_1) * g);
        })?;
        let second = second.cpu_mut()?;
        self.threads.for_each_piece(second, PIECE, |i, s| {
            s.iter_mut().zip(&gradient[i * PIECE..]).for_each(|(s, g)| *s = beta_2 * *s + (1.0 - beta_2) * g * g);
        })?;
        self.threads.for_each_piece(parameters.cpu_mut()?, PIECE, |i, p| {
            let moments = first[i * PIECE..].iter().zip(&second[i * PIECE..]);
            p.iter_mut().zip(moments).for_each(|(p, (m, s))| *p += rate * m / (s.sqrt() + epsilon));
        })
    }
}
