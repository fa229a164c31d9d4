//! Analytical clipping: ACIQ of Banner, Nahshan, Hoffer and Soudry, "Post training 4-bit quantization of convolutional
//! networks for rapid-deployment" (2018).
//!
//! Weights of a known prior are clipped at `±α`, and `[−α, α]` is divided into `2^n` equal steps. The noise has two
//! parts, clipping and rounding, `α² / (3·4^n)`; both priors are centred on 0, where the weights of trained layers are.

/// The clipping range `α / b` of least noise for a Laplace prior of scale `b = E|W|`.
///
/// The noise is `2b²·e^(−α/b) + α² / (3·4^n)`; its minimum is the root of `(α/b)·e^(α/b) = 3·4^n`, found by Newton's
/// method on the logarithm: 2.83, 3.90 and 5.03 for 2, 3 and 4 bits.
pub(super) fn laplace_clip(bits: u32) -> f64 {
    let target = 3f64.ln() + f64::from(bits) * 4f64.ln();
    let mut x = target;
    for _ in 0..60 {
        x -= (x.ln() + x - target) / (1.0 / x + 1.0);
    }
    x
}

/// The clipping range `α / σ` of least noise for a Gauss prior: 1.71, 2.15 and 2.55 for 2, 3 and 4 bits.
///
/// The noise is `(α² + σ²)·erfc(α/√2σ) − √(2/π)·α·σ·e^(−α²/2σ²) + α² / (3·4^n)`; with x = α/σ its derivative is 0 where
///
/// ```text
/// x·erfc(x/√2) + x / (3·4^n) = √(2/π)·e^(−x²/2)
/// ```
///
/// and is below 0 before and above 0 beyond.
pub(super) fn gauss_clip(bits: u32) -> f64 {
    let rounding = 1.0 / (3.0 * 4f64.powi(bits as i32));
    let slope = |x: f64| {
        let density = (2.0 / std::f64::consts::PI).sqrt() * (-x * x / 2.0).exp();
        x * erfc(x * std::f64::consts::FRAC_1_SQRT_2) + x * rounding - density
    };
    let (mut low, mut high) = (0.0, 16.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The complementary error function for `x ≥ 0`: its Maclaurin series below 2, its continued fraction from there on.
fn erfc(x: f64) -> f64 {
    let root_pi = std::f64::consts::PI.sqrt();
    if x < 2.0 {
        let (mut power, mut sum) = (x, x);
        for n in 1..60 {
            power *= -x * x / f64::from(n);
            sum += power / f64::from(2 * n + 1);
        }
        return 1.0 - 2.0 / root_pi * sum;
    }
    let fraction = (1..=60).rev().fold(x, |tail, n| x + 0.5 * f64::from(n) / tail);
    (-x * x).exp() / (root_pi * fraction)
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn laplace_factors_solve_their_equation() {
        check_all([(2, 2.83), (3, 3.90), (4, 5.03)], |&(bits, factor)| {
            assert!((laplace_clip(bits) - factor).abs() < 0.01, "{bits} bits: {}", laplace_clip(bits));
        });
        check_all(1..=16, |&bits| {
            let x = laplace_clip(bits);
            let expected = 3.0 * 4f64.powi(bits as i32);
            assert!((x * x.exp() / expected - 1.0).abs() < 1e-12, "{bits} bits: {x}");
        });
    }

    #[test]
    fn gauss_factors_are_those_of_the_literature() {
        check_all([(2, 1.71), (3, 2.15), (4, 2.55), (8, 3.92)], |&(bits, factor)| {
            assert!((gauss_clip(bits) - factor).abs() < 0.012, "{bits} bits: {}", gauss_clip(bits));
        });
    }

    /// The noise of both priors, by numerical integration rather than in closed form, is least at the factors.
    #[test]
    fn factors_are_minima_of_integrated_noise() {
        type Density = fn(f64) -> f64;
        let laplace: Density = |x| (-x).exp();
        let gauss: Density = |x| (2.0 / std::f64::consts::PI).sqrt() * (-x * x / 2.0).exp();
        let noise = |density: Density, clip: f64, bits: u32| {
            let width = 1e-4;
            let tail: f64 = (0..400_000)
                .map(|i| clip + (f64::from(i) + 0.5) * width)
                .map(|x| density(x) * (x - clip).powi(2) * width)
                .sum();
            tail + clip * clip / (3.0 * 4f64.powi(bits as i32))
        };
        let cases = [1, 2, 4, 6, 9]
            .into_iter()
            .flat_map(|bits| [(bits, laplace, laplace_clip(bits)), (bits, gauss, gauss_clip(bits))]);
        check_all(cases, |&(bits, density, clip)| {
            let least = noise(density, clip, bits);
            assert!(noise(density, clip * 1.02, bits) > least && noise(density, clip * 0.98, bits) > least, "{bits}");
        });
    }

    #[test]
    fn erfc_agrees_with_tables() {
        check_all([(0.0, 1.0), (0.5, 0.479_500_122_186_953), (1.0, 0.157_299_207_050_285)], |&(x, expected)| {
            assert!((erfc(x) - expected).abs() < 1e-14, "{x}");
        });
        check_all([(2.0, 4.677_734_981_047_266e-3), (3.0, 2.209_049_699_858_544e-5)], |&(x, expected)| {
            assert!((erfc(x) / expected - 1.0).abs() < 1e-10, "{x}: {}", erfc(x));
        });
    }
}
