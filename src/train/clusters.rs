//! How a mixture learns: expectation maximisation from a spread-out start.

use crate::compute::{Device, Matrix, States};
use crate::error::Result;
use crate::models::mixture::{LOG_ODDS_LIMIT, Membership, Mixture};
use crate::panel::bits::BitMatrix;
use crate::rng::{Purpose, Stream};

/// Haplotypes a piece of the data: sums of 16-bit products stay inside 32 bits.
const PIECE: usize = 4096;
/// What a whole membership is in fixed point.
const WHOLE: i16 = 16_384;
/// Rounds of expectation maximisation; shares and frequencies move by less than 1% a round by then.
const ROUNDS: usize = 30;

/// Fits a mixture of at most `clusters` clusters to the rows of `data`. Clusters of fewer than `least` haplotypes are
/// given up, so that none stands for a few people.
///
/// # Errors
/// `OutOfMemory`.
pub fn fit(device: &Device, data: &BitMatrix, clusters: usize, least: usize, seed: u64) -> Result<Mixture> {
    let most = clusters.min(data.rows() / least.max(1)).max(1);
    let nearest = spread(data, most, seed);
    let mut mixture =
        maximise(device, data, most, least, |first, _, out| out.write_rows(|r, row| row[nearest[first + r]] = WHOLE))?;
    for _ in 0..ROUNDS {
        let membership = Membership::new(device, &mixture)?;
        mixture = maximise(device, data, mixture.clusters(), least, |_, states, out| {
            membership.posterior(device, states, out).map(|_| ())
        })?;
    }
    Ok(mixture)
}

/// Picks `k` rows far from each other (k-means++: each with a chance that grows with its squared distance to those
/// picked) and gives for each row the number of the nearest.
fn spread(data: &BitMatrix, k: usize, seed: u64) -> Vec<usize> {
    let mut random = Stream::new(seed, Purpose::Initial, 1).reader(0);
    let distance = |a: usize, b: usize| -> u64 {
        let differing = data.row(a).iter().zip(data.row(b)).map(|(x, y)| u64::from((x ^ y).count_ones()));
        differing.sum::<u64>().pow(2)
    };
    let first = random.below(data.rows());
    let mut nearest = vec![0; data.rows()];
    let mut distances: Vec<u64> = (0..data.rows()).map(|r| distance(r, first)).collect();
    for seed in 1..k {
        let total: u64 = distances.iter().sum();
        let mut target = random.below(total.max(1).try_into().unwrap_or(usize::MAX)) as u64;
        let chosen = distances.iter().position(|d| {
            let here = target < *d;
            target = target.saturating_sub(*d);
            here
        });
        let Some(chosen) = chosen else { break };
        for r in 0..data.rows() {
            let d = distance(r, chosen);
            if d < distances[r] {
                (distances[r], nearest[r]) = (d, seed);
            }
        }
    }
    nearest
}

/// The mixture that fits memberships best. `members(first row, states, out)` sets the memberships of a piece of rows.
/// A frequency is that of the cluster's haplotypes and of one more with the whole panel's frequencies.
fn maximise(
    device: &Device,
    data: &BitMatrix,
    clusters: usize,
    least: usize,
    members: impl Fn(usize, &States, &mut States) -> Result<()>,
) -> Result<Mixture> {
    let (n, sites) = (data.rows(), data.columns());
    let mut sizes = vec![0.0f64; clusters];
    let mut ones = vec![0.0f64; clusters * sites];
    let mut product = Matrix::zeros(device, clusters, sites)?;
    for first in (0..n).step_by(PIECE) {
        let rows: Vec<usize> = (first..(first + PIECE).min(n)).collect();
        let mut states = States::zeros(device, rows.len(), sites)?;
        states.unpack(data, &rows)?;
        let mut memberships = States::zeros(device, rows.len(), clusters)?;
        members(first, &states, &mut memberships)?;
        let whole = f64::from(WHOLE);
        sizes.iter_mut().zip(memberships.column_sums()?).for_each(|(s, sum)| *s += sum as f64 / whole);
        device.outer(&memberships, &states, &mut product)?;
        let product = product.to_host()?;
        for (k, ones) in ones.chunks_exact_mut(sites).enumerate() {
            ones.iter_mut().zip(product.row(k)).for_each(|(o, p)| *o += f64::from(*p) / whole);
        }
    }
    let total: f64 = sizes.iter().sum();
    let frequencies: Vec<f64> = data.count_columns().iter().map(|c| f64::from(*c) / n as f64).collect();
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let mut mixture = Mixture { shares: Vec::new(), log_odds: Vec::new() };
    for (size, ones) in sizes.iter().zip(ones.chunks_exact(sites)) {
        // The largest stays in any case: a panel of few haplotypes is one cluster.
        if *size < least as f64 && *size < largest {
            continue;
        }
        mixture.shares.push((size / total) as f32);
        mixture.log_odds.extend(ones.iter().zip(&frequencies).map(|(ones, f)| {
            let f = (ones + f) / (size + 1.0);
            ((f / (1.0 - f)).ln() as f32).clamp(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT)
        }));
    }
    let kept: f32 = mixture.shares.iter().sum();
    mixture.shares.iter_mut().for_each(|s| *s /= kept);
    Ok(mixture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Threads;

    /// Two groups of 100 and 300 that differ at every other site: found with their shares and frequencies, and no third.
    #[test]
    fn two_groups_are_found_with_their_shares() {
        let noise = Stream::new(5, Purpose::Evaluate, 0);
        let data = BitMatrix::from_fn(400, 70, |r, c| {
            let f = if (r < 100) == (c % 2 == 0) { 0.9 } else { 0.1 };
            noise.uniform((r * 70 + c) as u64) < f
        })
        .unwrap();
        let device = Device::cpu(Threads::single());
        let mixture = fit(&device, &data, 2, 10, 1).unwrap();
        let mut shares = mixture.shares.clone();
        shares.sort_by(f32::total_cmp);
        assert!((shares[0] - 0.25).abs() < 1e-3 && (shares[1] - 0.75).abs() < 1e-3, "{shares:?}");
        assert!(mixture.log_odds.iter().all(|l| (1.0..4.5).contains(&l.abs())));
        let again = fit(&Device::cpu(Threads::new(2)), &data, 2, 10, 1).unwrap();
        assert_eq!(mixture, again);
    }

    #[test]
    fn no_cluster_stands_for_few_haplotypes() {
        let data = BitMatrix::from_fn(40, 64, |r, c| (r < 3) == (c < 32)).unwrap();
        let device = Device::cpu(Threads::single());
        let mixture = fit(&device, &data, 8, 10, 1).unwrap();
        assert!(mixture.shares.iter().all(|s| s * 40.0 >= 10.0), "{:?}", mixture.shares);
    }
}
