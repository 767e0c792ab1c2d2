//! Each site drawn from its frequency, alone: the floor under every model of linkage (Yelmen et al. 2021).

use crate::rng::{CHUNK, Stream};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Bernoulli {
    /// Frequency of the alternate allele at each site, from 0 to 1.
    pub frequencies: Vec<f64>,
}

impl Bernoulli {
    /// Draws one haplotype from the words of `stream`, a word a site, into packed bits.
    pub fn draw(&self, stream: &Stream, bits: &mut [u64]) {
        let mut words = [0; CHUNK];
        for (chunk, (slot, frequencies)) in bits.iter_mut().zip(self.frequencies.chunks(CHUNK)).enumerate() {
            stream.chunk(chunk as u64, &mut words);
            let on = |f: f64, word: u32| u64::from(f64::from(word) < f * 4_294_967_296.0);
            *slot = frequencies.iter().zip(words).enumerate().fold(0, |b, (i, (f, word))| b | on(*f, word) << i);
        }
    }

    /// Natural log of the probability of a haplotype; minus infinity where it is 0.
    pub fn log_density(&self, allele: impl Fn(usize) -> bool) -> f64 {
        self.frequencies.iter().enumerate().map(|(i, f)| if allele(i) { f.ln() } else { (-f).ln_1p() }).sum()
    }
}
