//! Correlation of alleles at three sites, beyond what pairs say.

use super::pearson;
use crate::error::Result;
use crate::panel::bits::BitMatrix;
use crate::rng::Reader;

/// Three sites.
pub(super) type Triplet = [usize; 3];

/// `count` random triplets of different sites, in order within each; none with fewer than three sites.
pub(super) fn random(sites: usize, count: usize, random: &mut Reader) -> Vec<Triplet> {
    if sites < 3 {
        return Vec::new();
    }
    let mut triplet = || {
        // A draw of three from ever fewer places, each moved past those taken before it.
        let mut all = [random.below(sites), random.below(sites - 1), random.below(sites - 2)];
        all[1] += usize::from(all[1] >= all[0]);
        let (low, high) = (all[0].min(all[1]), all[0].max(all[1]));
        all[2] += usize::from(all[2] >= low);
        all[2] += usize::from(all[2] >= high);
        all.sort();
        all
    };
    (0..count).map(|_| triplet()).collect()
}

/// Triplets (i, i + gap, i + 2 gap): all of them, or `count` drawn at random where there are more.
pub(super) fn spaced(sites: usize, gap: usize, count: usize, random: &mut Reader) -> Vec<Triplet> {
    let starts = sites.saturating_sub(2 * gap);
    random.choose(starts, count).into_iter().map(|i| [i, i + gap, i + 2 * gap]).collect()
}

/// C = f_ijk - f_ij f_k - f_ik f_j - f_jk f_i + 2 f_i f_j f_k of each triplet; `by_site` has a row a site.
fn correlations(by_site: &BitMatrix, triplets: &[Triplet]) -> Vec<f64> {
    let n = by_site.columns() as f64;
    let share = |sites: &[usize]| {
        let rows: Vec<&[u64]> = sites.iter().map(|s| by_site.row(*s)).collect();
        let word = |w: usize| rows.iter().fold(u64::MAX, |all, row| all & row[w]).count_ones() as usize;
        (0..by_site.stride()).map(word).sum::<usize>() as f64 / n
    };
    let one = |[i, j, k]: &Triplet| {
        let (i, j, k) = (*i, *j, *k);
        let (fi, fj, fk) = (share(&[i]), share(&[j]), share(&[k]));
        share(&[i, j, k]) - share(&[i, j]) * fk - share(&[i, k]) * fj - share(&[j, k]) * fi + 2.0 * fi * fj * fk
    };
    triplets.iter().map(one).collect()
}

/// Pearson correlation of C between two sets of haplotypes over these triplets; `None` where it is not defined.
///
/// # Errors
/// `OutOfMemory`.
pub(super) fn agreement(real: &BitMatrix, artificial: &BitMatrix, triplets: &[Triplet]) -> Result<Option<f64>> {
    let (x, y) = (real.transpose()?, artificial.transpose()?);
    Ok(pearson(&correlations(&x, triplets), &correlations(&y, triplets)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::random_bits;
    use crate::rng::{Purpose, Stream};

    /// C is the third central moment of the three alleles.
    #[test]
    fn correlations_are_third_central_moments() {
        let bits = random_bits(77, 9, 1);
        let x = |r: usize, c: usize| f64::from(u8::from(bits.get(r, c)));
        let mean = |c: usize| (0..77).map(|r| x(r, c)).sum::<f64>() / 77.0;
        let by_site = bits.transpose().unwrap();
        for t in [[0, 1, 2], [3, 5, 8]] {
            let moment = (0..77).map(|r| t.iter().map(|c| x(r, *c) - mean(*c)).product::<f64>()).sum::<f64>() / 77.0;
            assert!((correlations(&by_site, &[t])[0] - moment).abs() < 1e-14);
        }
        let all = random(9, 50, &mut Stream::new(1, Purpose::Evaluate, 0).reader(0));
        assert!((agreement(&bits, &bits, &all).unwrap().unwrap() - 1.0).abs() < 1e-12);
    }

    /// 4 choose 3 = 4 triplets, 4,000 draws: each within 6 standard deviations (27) of 1,000 (false alarm 1e-8).
    #[test]
    fn random_triplets_are_even_and_spaced_ones_are_spaced() {
        let mut reader = Stream::new(2, Purpose::Evaluate, 0).reader(0);
        let mut counts = [0; 4];
        for [i, j, k] in random(4, 4000, &mut reader) {
            assert!(i < j && j < k && k < 4);
            counts[6 - i - j - k] += 1;
        }
        assert!(counts.iter().all(|c| (836..=1164).contains(c)), "{counts:?}");
        assert!(random(2, 5, &mut reader).is_empty());
        assert!(spaced(8, 4, 100, &mut reader).is_empty());
        let mut all = spaced(10, 4, 100, &mut reader);
        all.sort();
        assert_eq!(all, [[0, 4, 8], [1, 5, 9]]);
    }
}
