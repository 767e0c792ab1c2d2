//! Units that are held at what was seen, and what chains say of the others.

use super::{Buffer, Device, Noise, States};
use crate::error::{Error, Result};
use crate::rng::Stream;

/// Alleles of typed sites that chains are clamped to: a row a haplotype, which has several chains.
#[derive(Debug)]
pub struct Clamp {
    /// Chains of a haplotype: rows `chains h .. chains (h + 1)` of the states.
    pub(super) chains: usize,
    /// Number of typed sites.
    pub(super) typed: usize,
    /// Places of the typed sites.
    pub(super) sites: Buffer<u32>,
    /// Haplotypes x sites: 1 where the allele is known.
    pub(super) mask: States,
    /// Haplotypes x sites: the allele, 0 where none is known.
    pub(super) alleles: States,
    /// Haplotypes x typed sites: how many known ones come before.
    pub(super) before: Buffer<u32>,
    /// What is known, haplotype by haplotype and typed site by typed site.
    known: Vec<Vec<Option<bool>>>,
    places: Vec<usize>,
}

/// Steps of a mean in 1.
pub(super) const MEAN_STEPS: f64 = 16_384.0;

impl Clamp {
    /// `known` has, for each haplotype, the alleles at the places `places` of `sites` sites.
    ///
    /// # Errors
    /// `InvalidArgument` if lengths disagree or a place is past the sites; `OutOfMemory`, `OutOfDeviceMemory`.
    pub fn new(
        device: &Device,
        sites: usize,
        places: &[usize],
        known: Vec<Vec<Option<bool>>>,
        chains: usize,
    ) -> Result<Self> {
        if places.iter().any(|p| *p >= sites) || known.iter().any(|row| row.len() != places.len()) || chains == 0 {
            return Err(Error::argument("alleles do not fit the typed sites"));
        }
        let mut mask = States::zeros(device, known.len(), sites)?;
        let mut alleles = States::zeros(device, known.len(), sites)?;
        let mut before = Vec::new();
        if let Device::Cuda(_) = device {
            let bits = |of: fn(bool) -> bool| {
                let mut bits = crate::panel::bits::BitMatrix::zeros(known.len(), sites)?;
                for (h, row) in known.iter().enumerate() {
                    row.iter().zip(places).for_each(|(allele, site)| bits.set(h, *site, allele.is_some_and(of)));
                }
                Ok::<_, Error>(bits)
            };
            let all: Vec<usize> = (0..known.len()).collect();
            mask.unpack(&bits(|_| true)?, &all)?;
            alleles.unpack(&bits(|allele| allele)?, &all)?;
            for row in &known {
                let mut count = 0;
                for allele in row {
                    before.push(count);
                    count += u32::from(allele.is_some());
                }
            }
        }
        Ok(Clamp {
            chains,
            typed: places.len(),
            sites: Buffer::upload(device, places.iter().map(|p| *p as u32).collect())?,
            mask,
            alleles,
            before: Buffer::upload(device, before)?,
            known,
            places: places.to_vec(),
        })
    }

    /// The alleles of a haplotype, by typed site.
    pub fn known(&self, haplotype: usize) -> &[Option<bool>] {
        &self.known[haplotype]
    }

    fn check(&self, states: &States) -> Result<()> {
        match states.rows() == self.known.len() * self.chains && states.columns() == self.mask.columns() {
            true => Ok(()),
            false => Err(Error::argument("chains do not fit the haplotypes that they are clamped to")),
        }
    }
}

impl Device {
    /// Sets the units of known alleles to them.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `DeviceFailed`.
    pub fn clamp(&self, clamp: &Clamp, states: &mut States) -> Result<()> {
        clamp.check(states)?;
        match self {
            Device::Cpu(_) => {
                let stride = states.stride().max(1);
                for (r, row) in states.buffer.cpu_mut()?.chunks_exact_mut(stride).enumerate() {
                    for (site, allele) in clamp.places.iter().zip(&clamp.known[r / clamp.chains]) {
                        if let Some(allele) = allele {
                            row[*site] = i16::from(*allele);
                        }
                    }
                }
                Ok(())
            }
            Device::Cuda(cuda) => cuda.clamp(clamp, states),
        }
    }

    /// The same where an allele seen is wrong with the chance `error`: units are drawn given their means, in steps of
    /// 2^-14, and the allele. Row r reads two words of its stream for each known allele, from `noise.position` on.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `DeviceFailed`.
    pub fn clamp_seen(
        &self,
        clamp: &Clamp,
        means: &States,
        error: f64,
        noise: Noise,
        states: &mut States,
    ) -> Result<()> {
        clamp.check(states)?;
        clamp.check(means)?;
        match self {
            Device::Cpu(_) => {
                let stride = states.stride().max(1);
                let means = means.to_host()?;
                for (r, row) in states.buffer.cpu_mut()?.chunks_exact_mut(stride).enumerate() {
                    let stream = Stream::new(noise.seed, noise.purpose, noise.first + r as u64);
                    let mut words = stream.reader(noise.position);
                    for (site, allele) in clamp.places.iter().zip(&clamp.known[r / clamp.chains]) {
                        let Some(allele) = allele else { continue };
                        let p = f64::from(means.row(r)[*site]) / MEAN_STEPS;
                        let (seen, unseen) = if *allele { (1.0 - error, error) } else { (error, 1.0 - error) };
                        row[*site] = i16::from(words.uniform() < p * seen / (p * seen + (1.0 - p) * unseen));
                    }
                }
                Ok(())
            }
            Device::Cuda(cuda) => cuda.clamp_seen(clamp, means, error, noise, states),
        }
    }

    /// Adds the means of each haplotype's chains to `sums`: for each haplotype a row for the first half of its chains, and
    /// one for the others, in steps of the means.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `DeviceFailed`.
    pub fn add_means(&self, clamp: &Clamp, means: &States, sums: &mut Buffer<f32>) -> Result<()> {
        clamp.check(means)?;
        match self {
            Device::Cpu(_) => {
                let (sites, chains) = (means.columns(), clamp.chains);
                let rows = means.to_host()?;
                let sums = sums.cpu_mut()?;
                for r in 0..means.rows() {
                    let half = 2 * (r / chains) + usize::from(r % chains >= chains / 2);
                    let sum = &mut sums[half * sites..][..sites];
                    sum.iter_mut().zip(rows.row(r)).for_each(|(sum, mean)| *sum += f32::from(*mean));
                }
                Ok(())
            }
            Device::Cuda(cuda) => cuda.add_means(clamp, means, sums),
        }
    }

    /// Adds `1 / P(allele seen | hidden units)` of each haplotype's chains to `sums`, a number for each haplotype and typed
    /// site; an allele seen is wrong with the chance `error`.
    ///
    /// # Errors
    /// `InvalidArgument` if shapes disagree; `DeviceFailed`.
    pub fn add_inverse(&self, clamp: &Clamp, means: &States, error: f64, sums: &mut Buffer<f64>) -> Result<()> {
        clamp.check(means)?;
        match self {
            Device::Cpu(_) => {
                let rows = means.to_host()?;
                let sums = sums.cpu_mut()?;
                for r in 0..means.rows() {
                    let h = r / clamp.chains;
                    let sums = &mut sums[h * clamp.typed..][..clamp.typed];
                    for ((sum, site), allele) in sums.iter_mut().zip(&clamp.places).zip(&clamp.known[h]) {
                        let Some(allele) = allele else { continue };
                        let p = f64::from(rows.row(r)[*site]) / MEAN_STEPS;
                        let p = if *allele { p } else { 1.0 - p };
                        // The mean is on a grid of 2^-14, and an allele seen may be wrong.
                        *sum += 1.0 / (p * (1.0 - error) + (1.0 - p) * error).max(1.0 / (2.0 * MEAN_STEPS));
                    }
                }
                Ok(())
            }
            Device::Cuda(cuda) => cuda.add_inverse(clamp, means, error, sums),
        }
    }
}
