//! Numbers from a seed.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The SplitMix64 generator (Steele, Lea and Flood 2014), and normal numbers from it by Box and Muller's method (1958).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// The second of a pair of normal numbers.
    spare: Option<f64>,
}

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, spare: None }
    }

    /// The generator behind its first `count` draws of 64 bits, which are not made.
    pub(crate) fn skipping(seed: u64, count: u64) -> Self {
        Self::new(seed.wrapping_add(GAMMA.wrapping_mul(count)))
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait, reason = "an iterator would end")]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mixed(self.state)
    }

    /// Above 0, at most 1: the logarithm of it is finite.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// A number of mean 0 and variance 1.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let [first, second] = self.normal_pair();
        self.spare = Some(second);
        first
    }

    /// Two numbers of mean 0 and variance 1, from two draws.
    pub(crate) fn normal_pair(&mut self) -> [f64; 2] {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        [radius * angle.cos(), radius * angle.sin()]
    }
}

/// The output function of SplitMix64: every bit of the result depends on every bit of `z`.
pub(crate) fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of seed 1234567, as other implementations of the generator give them.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        assert_eq!(Random::skipping(1_234_567, 2).next(), first[2]);
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        const COUNT: usize = 100_000;
        let mut random = Random::new(1);
        let values: Vec<f64> = (0..COUNT).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f64>() / COUNT as f64;
        let power = |n: i32| values.iter().map(|v| v.powi(n)).sum::<f64>() / COUNT as f64;
        // Standard errors of the three: 0.003, 0.0045, 0.031.
        assert!(mean.abs() < 0.015 && (power(2) - 1.0).abs() < 0.02 && (power(4) - 3.0).abs() < 0.15);
    }
}
