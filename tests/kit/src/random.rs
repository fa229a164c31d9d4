//! Numbers that look random and are the same on every machine.

use std::f64::consts::TAU;

/// Real numbers of a seed, from −1, below 1.
pub fn reals(seed: u64, count: usize) -> Vec<f32> {
    Random::new(seed).reals(count)
}

/// Numbers of a seed that look like trained weights: bell-shaped and small, with a few large ones.
pub fn weights(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut bell = || random.reals(4).iter().sum::<f32>() * 0.05;
    (0..count).map(|i| bell() * if i % 17 == 0 { 3.0 } else { 1.0 }).collect()
}

/// Pseudo-random numbers: the high bits of a linear congruence (multiplier and increment of Knuth's MMIX), which a seed
/// decides alone.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        // Seeds that lie close together would begin alike.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// 32 bits.
    pub fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    /// From 0, below `bound`, which is at most 2^31.
    pub fn below(&mut self, bound: usize) -> usize {
        self.bits() as usize % bound
    }

    /// From `least` to `most`, both included.
    pub fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// From 0, below 1.
    pub fn unit(&mut self) -> f64 {
        (f64::from(self.bits()) * 4_194_304.0 + f64::from(self.bits() >> 10)) / (1u64 << 54) as f64
    }

    /// Mean 0, variance 1, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// Real numbers from −1, below 1, of 24 bits.
    pub fn reals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (self.bits() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}
