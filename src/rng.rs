//! Random numbers by counter: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
//!
//! A word is a function of (seed, stream, index), so that any haplotype can be made again alone, on any number of
//! threads. Words come in chunks of 64: chunk `c` holds the four outputs of the sixteen counters `16 c .. 16 c + 16`,
//! output by output, which is the order that sixteen vector lanes make them in:
//! `word 64 c + 16 w + l` is output `w` of counter `16 c + l`.
//!
//! A Bernoulli unit needs 16 random bits but for once in 65,536 times, and has half a word for them: a chunk's 64 units read
//! the words of its first eight counters ([`Stream::halves`]).

use rand_core::{Infallible, TryRng};

const M0: u32 = 0xD251_1F53;
const M1: u32 = 0xCD9E_8D57;
const W0: u32 = 0x9E37_79B9;
const W1: u32 = 0xBB67_AE85;

/// Words in a chunk: what one vectorised call makes.
pub const CHUNK: usize = 64;
const LANES: usize = 16;

/// What a stream of random numbers is for. Streams of different purposes never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[non_exhaustive]
pub enum Purpose {
    /// Artificial haplotypes: the stream is the haplotype's number.
    Sample = 0,
    /// Swaps of a tempering ladder.
    Swap = 1,
    /// Weights before training.
    Initial = 2,
    /// The order of training haplotypes.
    Shuffle = 3,
    /// Chains of training: the stream is the chain's number.
    Chain = 4,
    /// Draws of an evaluation.
    Evaluate = 5,
    /// Log likelihood.
    Likelihood = 6,
    /// Replicas below the model while it learns: the stream is the chain's number.
    Replica = 7,
    /// Chains clamped to typed alleles: the stream is the haplotype's number times the number of its chains, plus the
    /// chain's. Of a neural generator: the number of a point of its pool, or of a chain.
    Clamped = 8,
    /// Noise of a batch of training: the stream is the batch's number.
    Batch = 9,
    /// Crossovers of artificial haplotypes: the stream is the number of their block.
    Weave = 16,
    /// Missing alleles that are filled: the stream is a hash of the site.
    Missing = 32,
}

/// The ten rounds on one counter.
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = u64::from(M0) * u64::from(c0);
        let p1 = u64::from(M1) * u64::from(c2);
        (c0, c1, c2, c3) = ((p1 >> 32) as u32 ^ c1 ^ k0, p1 as u32, (p0 >> 32) as u32 ^ c3 ^ k1, p0 as u32);
        k0 = k0.wrapping_add(W0);
        k1 = k1.wrapping_add(W1);
    }
    [c0, c1, c2, c3]
}

/// A seed and a stream: all random words of, say, one haplotype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    seed: u64,
    stream: u64,
}

impl Stream {
    /// The stream `number` (below 2^48) of `purpose`.
    pub fn new(seed: u64, purpose: Purpose, number: u64) -> Self {
        debug_assert!(number < 1 << 48);
        Stream { seed, stream: number | ((purpose as u64) << 48) }
    }

    /// The seed, and the stream's number with its purpose: what a GPU's twins of operations are given.
    pub(crate) fn parts(&self) -> (u64, u64) {
        (self.seed, self.stream)
    }

    /// Words `64 chunk .. 64 chunk + 64`. Plain loops over lanes, which compilers turn into vector code wherever this is
    /// inlined into a function with the features for it.
    #[inline(always)]
    pub fn chunk(&self, chunk: u64, out: &mut [u32; CHUNK]) {
        for (out, words) in out.chunks_exact_mut(LANES).zip(self.lanes::<LANES>(chunk)) {
            for (o, word) in out.iter_mut().zip(words) {
                *o = word as u32;
            }
        }
    }

    /// A number for each of 64 Bernoulli units, by half as many rounds as [`Stream::chunk`]: number `8 j + l` is output
    /// `j % 4` of the chunk's counter `l`, from j = 4 on with its halves exchanged.
    ///
    /// The upper halves are independent. What is below them is the upper half of the unit 32 places away: it decides
    /// whether a unit is on once in 65,536 times, so that the chance of any two units' states is within 2^-15 of the
    /// product of their chances, which themselves are those of a word of its own.
    #[inline(always)]
    pub fn halves(&self, chunk: u64, out: &mut [u32; CHUNK]) {
        let (upper, lower) = out.split_at_mut(CHUNK / 2);
        for ((upper, lower), words) in upper
            .chunks_exact_mut(LANES / 2)
            .zip(lower.chunks_exact_mut(LANES / 2))
            .zip(self.lanes::<{ LANES / 2 }>(chunk))
        {
            for ((upper, lower), word) in upper.iter_mut().zip(lower).zip(words) {
                *upper = word as u32;
                *lower = (word as u32).rotate_left(16);
            }
        }
    }

    /// The four outputs of the chunk's first `N` counters, in lower halves.
    #[inline(always)]
    fn lanes<const N: usize>(&self, chunk: u64) -> [[u64; N]; 4] {
        // Each 32-bit word lives in a 64-bit lane, whose upper half is rubbish: vectors multiply lower halves into whole
        // lanes (`vpmuludq`), so that a round is two products, two shifts and two exclusive ors, without any shuffle.
        const LOW: u64 = u32::MAX as u64;
        let base = chunk * LANES as u64;
        let mut c0 = [0u64; N];
        for (lane, c) in c0.iter_mut().enumerate() {
            *c = base + lane as u64;
        }
        // `base` is a multiple of 16, so its low word does not overflow within a chunk.
        let mut c1 = [base >> 32; N];
        let mut c2 = [self.stream & LOW; N];
        let mut c3 = [self.stream >> 32; N];
        let (mut k0, mut k1) = (self.seed as u32, (self.seed >> 32) as u32);
        for _ in 0..10 {
            for l in 0..N {
                let p0 = u64::from(M0) * (c0[l] & LOW);
                let p1 = u64::from(M1) * (c2[l] & LOW);
                c0[l] = (p1 >> 32) ^ c1[l] ^ u64::from(k0);
                c1[l] = p1;
                c2[l] = (p0 >> 32) ^ c3[l] ^ u64::from(k1);
                c3[l] = p0;
            }
            k0 = k0.wrapping_add(W0);
            k1 = k1.wrapping_add(W1);
        }
        [c0, c1, c2, c3]
    }

    /// One word.
    pub fn word(&self, index: u64) -> u32 {
        let (chunk, within) = (index / CHUNK as u64, index % CHUNK as u64);
        let counter = chunk * LANES as u64 + within % LANES as u64;
        let out = philox4x32_10(
            [counter as u32, (counter >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32],
            [self.seed as u32, (self.seed >> 32) as u32],
        );
        out[(within / LANES as u64) as usize]
    }

    /// A number in [0, 1) on a grid of 2^-24, from one word.
    pub fn uniform(&self, index: u64) -> f32 {
        (self.word(index) >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Reads the stream from its word `start` on, with the traits of `rand`.
    pub fn reader(&self, start: u64) -> Reader {
        let mut reader = Reader { stream: *self, next: start, buffer: [0; CHUNK] };
        if !start.is_multiple_of(CHUNK as u64) {
            self.chunk(start / CHUNK as u64, &mut reader.buffer);
        }
        reader
    }
}

/// A stream read in order; implements the traits of `rand`.
#[derive(Clone, Debug)]
pub struct Reader {
    stream: Stream,
    next: u64,
    buffer: [u32; CHUNK],
}

impl Reader {
    /// The index of the next word.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// The next word.
    pub fn word(&mut self) -> u32 {
        let within = (self.next % CHUNK as u64) as usize;
        if within == 0 {
            self.stream.chunk(self.next / CHUNK as u64, &mut self.buffer);
        }
        self.next += 1;
        self.buffer[within]
    }

    /// A number in [0, 1) on a grid of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        let high = u64::from(self.word());
        let low = u64::from(self.word());
        ((high << 21) ^ (low >> 11)) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A whole number in 0..n, without bias worth naming (n below 2^32; bias below 2^-32).
    pub fn below(&mut self, n: usize) -> usize {
        let high = u64::from(self.word());
        let low = u64::from(self.word());
        ((u128::from(high << 32 | low) * n as u128) >> 64) as usize
    }

    /// A standard normal number (Box and Muller 1958; one of the two).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Puts `items` in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// `k` distinct numbers of 0..n in random order; all of them if k >= n.
    pub fn choose(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        let k = k.min(n);
        for i in 0..k {
            let other = i + self.below(n - i);
            all.swap(i, other);
        }
        all.truncate(k);
        all
    }
}

impl TryRng for Reader {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.word()) | u64::from(self.word()) << 32)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for piece in dst.chunks_mut(4) {
            let bytes = self.word().to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123 (kat_vectors).
    #[test]
    fn known_answers() {
        assert_eq!(philox4x32_10([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox4x32_10([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        assert_eq!(
            philox4x32_10([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn chunks_words_and_readers_agree() {
        let stream = Stream::new(7, Purpose::Chain, 123_456_789);
        let far = (1 << 40) / CHUNK as u64;
        for chunk in [0, 1, far] {
            let mut out = [0; CHUNK];
            stream.chunk(chunk, &mut out);
            let mut reader = stream.reader(chunk * CHUNK as u64 + 5);
            for (i, word) in out.iter().enumerate() {
                assert_eq!(*word, stream.word(chunk * CHUNK as u64 + i as u64));
                if i >= 5 {
                    assert_eq!(*word, reader.word());
                }
            }
        }
    }

    /// The words of the first eight counters, and, 32 units further on, the same with their halves exchanged.
    #[test]
    fn units_have_half_a_word_each() {
        let stream = Stream::new(7, Purpose::Chain, 123_456_789);
        for chunk in [0, 3, (1 << 40) / CHUNK as u64] {
            let mut halves = [0; CHUNK];
            stream.halves(chunk, &mut halves);
            for j in 0..4 {
                for l in 0..8 {
                    let word = stream.word(chunk * CHUNK as u64 + 16 * j + l);
                    let unit = (8 * j + l) as usize;
                    assert_eq!([halves[unit], halves[unit + 32]], [word, word.rotate_right(16)]);
                }
            }
        }
    }

    /// How often two units that share a word are on together: 640,000 pairs, within 5 standard errors of what units with words
    /// of their own would give (false alarm 3e-6 in all, but for the last chances: some 5 are expected there, and 4e-5).
    #[test]
    fn units_that_share_a_word_are_independent() {
        let stream = Stream::new(11, Purpose::Chain, 0);
        let chances = [[0.5, 0.5], [0.3, 0.6], [0.02, 0.98], [0.01, 0.01], [1.0 / 65_536.0, 0.5]];
        let mut both = [0u32; 5];
        let chunks = 20_000;
        for chunk in 0..chunks {
            let mut halves = [0; CHUNK];
            stream.halves(chunk, &mut halves);
            for (both, [p, q]) in both.iter_mut().zip(chances) {
                let on = |i: usize, p: f64| f64::from(halves[i]) < p * 4_294_967_296.0;
                *both += (0..32).filter(|i| on(*i, p) && on(i + 32, q)).count() as u32;
            }
        }
        for (both, [p, q]) in both.into_iter().zip(chances) {
            let (n, together) = (32.0 * chunks as f64, p * q);
            let deviation = (f64::from(both) - n * together) / (n * together * (1.0 - together)).sqrt();
            assert!(deviation.abs() < 5.0, "{p}, {q}: {both}, {deviation} standard errors");
        }
    }

    #[test]
    fn purposes_and_streams_differ() {
        let a = Stream::new(1, Purpose::Sample, 0).word(0);
        assert_ne!(a, Stream::new(1, Purpose::Swap, 0).word(0));
        assert_ne!(a, Stream::new(1, Purpose::Sample, 1).word(0));
        assert_ne!(a, Stream::new(2, Purpose::Sample, 0).word(0));
    }

    /// 100,000 normals: mean and variance within 5 standard errors (false alarm 1e-6).
    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let mut reader = Stream::new(1, Purpose::Initial, 0).reader(0);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = reader.normal();
            sum += x;
            squares += x * x;
        }
        let n = f64::from(n);
        assert!((sum / n).abs() < 5.0 / n.sqrt());
        assert!((squares / n - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
    }
}
