//! The layer that hardware is compared on.

use engine::{EngineError, Layer};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec, Random};

use super::Sweep;

/// A 3×3 convolution of 64 to 64 channels on 16×16 pixels: a layer in the middle of a ResNet for CIFAR.
pub const LAYER: GeometrySpec = GeometrySpec { pads: [1; 4], ..GeometrySpec::convolution(64, 64, [3, 3], [16, 16]) };

/// One form of the layer, and activations for it.
pub(super) struct SyntheticLayer {
    geometry: Geometry,
    codes: CodeTensor,
    /// 8-bit activations, about half of them 0, as behind a ReLU.
    pub(super) integers: Vec<i32>,
    pub(super) reals: Vec<f32>,
}

impl SyntheticLayer {
    /// Every weight that is not pruned needs exactly `bits`, its magnitude and sign drawn at random among those that
    /// do. What is pruned in one form is pruned in every form that prunes more.
    pub(super) fn new((sweep, bits, pruned_percent): (Sweep, u32, u32), seed: u64) -> Self {
        let geometry = Geometry::new(LAYER).expect("the layer is a valid one");
        let shape = geometry.weight_shape();
        let len = geometry.rows() * LAYER.filters;
        let mut random = Random::new(seed);
        let mut codes: Vec<i32> = (0..len).map(|_| code(bits, random.next())).collect();
        let units = if sweep == Sweep::PrunedFilters { LAYER.filters } else { len };
        let order = permutation(units, &mut Random::new(seed ^ 0x9e37));
        let pruned = (units * pruned_percent as usize + 50) / 100;
        for &unit in &order[..pruned] {
            codes[unit * (len / units)..(unit + 1) * (len / units)].fill(0);
        }
        let mut random = Random::new(seed ^ 0xac71);
        let activation = |bits: u64| if bits >> 63 == 0 { 0 } else { (bits & 255) as i32 };
        let integers: Vec<i32> = (0..geometry.input_len()).map(|_| activation(random.next())).collect();
        Self {
            geometry,
            codes: CodeTensor::new(Grid::MidRise, shape, codes).expect("codes of the grid fill the layer"),
            reals: integers.iter().map(|&x| x as f32).collect(),
            integers,
        }
    }

    pub(super) fn layer(&self) -> Result<Layer<'_>, EngineError> {
        Layer::new("synthetic", &self.geometry, &self.codes)
    }

    pub(super) fn macs(&self) -> u64 {
        self.codes.codes().len() as u64 * self.geometry.positions()
    }

    pub(super) fn nonzero_macs(&self) -> u64 {
        self.codes.codes().iter().filter(|code| **code != 0).count() as u64 * self.geometry.positions()
    }
}

/// An odd code that needs exactly `bits`: `2^(bits − 1) < |code| < 2^bits`, 1 where `bits` is 1.
fn code(bits: u32, random: u64) -> i32 {
    let least = 1u64 << (bits - 1);
    let magnitude = (least + random % least) | 1;
    if random >> 63 == 0 { magnitude as i32 } else { -(magnitude as i32) }
}

/// 0 to `len − 1` in random order (Fisher and Yates).
fn permutation(len: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, (random.next() % (last as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn every_weight_needs_exactly_its_bits() {
        check_all([1, 2, 5, 8, 16], |&bits| {
            let codes = SyntheticLayer::new((Sweep::Bits, bits, 0), 7).codes;
            let (low, high) = (1u32 << (bits - 1), 1u32 << bits);
            assert!(codes.codes().iter().all(|code| (low..high).contains(&code.unsigned_abs()) && code % 2 != 0));
        });
    }

    #[test]
    fn pruning_is_nested_and_exact() {
        check_all([Sweep::PrunedWeights, Sweep::PrunedFilters], |&sweep| {
            let [some, more] = [30, 50].map(|percent| SyntheticLayer::new((sweep, 8, percent), 3).codes);
            let zero = |codes: &CodeTensor| codes.codes().iter().map(|code| *code == 0).collect::<Vec<_>>();
            assert!(zero(&some).iter().zip(zero(&more)).all(|(some, more)| !some || more));
            // Half of the 64 filters, or of the 36,864 weights.
            assert_eq!(zero(&more).iter().filter(|zero| **zero).count(), 32 * 576);
        });
    }
}
