//! How well a site is imputed, as far as dosages alone can tell.

/// What is estimated of a site. Numbers that are not defined are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Frequency of the alternate allele: the mean dosage of a haplotype.
    pub frequency: f64,
    /// Minimac's R2: the variance of the haplotypes' dosages over `AF (1 - AF)`, what it would be if all were certain; 0
    /// at a monomorphic site.
    pub r2: f64,
    /// IMPUTE's information: `1 - sum of (f - e^2) / (2 N q (1 - q))`, where a person's genotype has the mean e and the
    /// mean square f; with haplotypes independent given the model, `f - e^2` is the sum of `h (1 - h)`. 1 at a
    /// monomorphic site.
    pub information: f64,
}

/// Sums over the haplotypes' dosages at a site.
#[derive(Clone, Copy, Debug, Default)]
pub struct DosageSums {
    n: f64,
    sum: f64,
    squares: f64,
}

impl DosageSums {
    /// Adds a haplotype; NaN is left out.
    pub fn add(&mut self, dosage: f32) {
        if !dosage.is_nan() {
            let h = f64::from(dosage);
            self.n += 1.0;
            self.sum += h;
            self.squares += h * h;
        }
    }

    /// The site's quality.
    pub fn quality(&self) -> Quality {
        let p = self.sum / self.n;
        let most = p * (1.0 - p);
        // Dosages in single precision: less than this is rounding.
        let varies = most > 1e-9;
        Quality {
            frequency: p,
            r2: if varies { ((self.squares / self.n - p * p) / most).clamp(0.0, 1.0) } else { 0.0 },
            information: if varies { 1.0 - (self.sum - self.squares) / self.n / most } else { 1.0 },
        }
    }
}

/// Sums over typed alleles and the dosages imputed without them.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeftOutSums {
    n: f64,
    alleles: f64,
    dosages: f64,
    squares: f64,
    products: f64,
}

impl LeftOutSums {
    /// Adds a haplotype; a dosage that is NaN is left out.
    pub fn add(&mut self, allele: bool, dosage: f32) {
        if !dosage.is_nan() {
            let (x, y) = (f64::from(u8::from(allele)), f64::from(dosage));
            self.n += 1.0;
            self.alleles += x;
            self.dosages += y;
            self.squares += y * y;
            self.products += x * y;
        }
    }

    /// ER2: the squared correlation of both. NaN if either does not vary, and for fewer than 3 haplotypes: two points are
    /// always on a line.
    pub fn r2(&self) -> f64 {
        let (n, a, d) = (self.n, self.alleles, self.dosages);
        let (va, vd, c) = (n * a - a * a, n * self.squares - d * d, n * self.products - a * d);
        match n >= 3.0 && va > 0.0 && vd > 1e-12 * n * n {
            true => c * c / (va * vd),
            false => f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dosages: &[f32]) -> Quality {
        let mut sums = DosageSums::default();
        dosages.iter().for_each(|d| sums.add(*d));
        sums.quality()
    }

    fn left_out_r2(pairs: &[(bool, f32)]) -> f64 {
        let mut sums = LeftOutSums::default();
        pairs.iter().for_each(|(allele, dosage)| sums.add(*allele, *dosage));
        sums.r2()
    }

    #[test]
    fn quality_follows_its_formulas() {
        let q = of(&[0.0, 1.0, 0.0, 1.0, f32::NAN]);
        assert_eq!((q.frequency, q.r2, q.information), (0.5, 1.0, 1.0));
        let q = of(&[0.25, 0.25, 0.25, 0.25]);
        assert_eq!((q.frequency, q.r2, q.frequency), (0.25, 0.0, 0.25));
        assert!(q.information.abs() < 1e-12);
        let q = of(&[0.5, 0.0]);
        // p = 1/4, variance 1/16, h (1 - h) sums to 1/4: R2 = 1/3, information = 1 - (1/8) / (3/16).
        assert!((q.r2 - 1.0 / 3.0).abs() < 1e-12 && (q.information - 1.0 / 3.0).abs() < 1e-12);
        let q = of(&[0.0, 0.0]);
        assert_eq!((q.frequency, q.r2, q.information), (0.0, 0.0, 1.0));
        assert!(of(&[]).frequency.is_nan());
    }

    #[test]
    fn left_out_r2_is_a_squared_correlation() {
        let pairs = [(true, 0.9), (false, 0.1), (true, 0.9), (false, 0.1), (true, f32::NAN)];
        assert!((left_out_r2(&pairs) - 1.0).abs() < 1e-9);
        assert!(left_out_r2(&[(true, 0.5), (true, 0.7)]).is_nan());
        assert!(left_out_r2(&[(true, 0.5), (false, 0.5)]).is_nan());
        let half = left_out_r2(&[(true, 1.0), (true, 0.0), (false, 0.0), (false, 0.0)]);
        assert!((half - 1.0 / 3.0).abs() < 1e-9, "{half}");
    }
}
