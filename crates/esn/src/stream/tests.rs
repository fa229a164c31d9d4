use proptest::prelude::*;
use testkit::check_all;

use super::*;
use crate::{quantization_noise, quantize_max_abs};

/// The metric of the same weights at once.
fn at_once(weights: &[f32], shape: WeightShape, bits: BitWidth) -> (LayerEsn, SignalNoise) {
    let layer = quantize_max_abs(weights, shape, bits).expect("finite");
    let power = quantization_noise(weights, &layer.codes, &[layer.step]).expect("finite");
    (LayerEsn::new(&layer.codes, 7, BitConvention::default()), power)
}

fn streamed(weights: &[f32], shape: WeightShape, bits: BitWidth) -> (LayerEsn, SignalNoise) {
    let max_abs = largest_magnitude(weights).expect("finite");
    let mut layer = LayerStream::new(shape, max_abs, bits, BitConvention::default()).expect("one group");
    // Measured all at first, as threads might.
    let chunks: Vec<_> = layer.chunks().map(|range| layer.measure(range.clone(), &weights[range])).collect();
    chunks.iter().for_each(|chunk| layer.add(chunk));
    let (esn, power) = layer.finish(7);
    (esn, power.expect("finite"))
}

/// Weights with every pattern of zeros that matters: none, scattered, whole channels, whole filters.
fn weights(shape: &WeightShape, seed: u32, zeros: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let len = shape.filter_len();
    let value = |index: usize| {
        let bits = next();
        let dead = match zeros {
            1 => bits.is_multiple_of(3),
            2 => (index % len / shape.taps).is_multiple_of(2),
            3 => (index / len).is_multiple_of(2),
            4 => true,
            _ => false,
        };
        if dead { 0.0 } else { (bits as f32 / u32::MAX as f32 - 0.5) * 3.0 + 1e-9 }
    };
    (0..shape.filters * len).map(value).collect()
}

#[test]
fn a_filter_longer_than_a_piece_is_the_same_in_pieces() {
    let cases = [(1, 2 * PIECE + 77, 1), (3, PIECE + 1, 1), (2, PIECE / 4, 9), (5, PIECE, 1)];
    check_all(cases, |&(filters, channels, taps)| {
        let shape = WeightShape { filters, groups: 1, channels, taps };
        check_all(0..=4, |&zeros| {
            let weights = weights(&shape, 5, zeros);
            let bits = BitWidth::new(4).expect("valid");
            assert_eq!(streamed(&weights, shape, bits), at_once(&weights, shape, bits), "{shape:?} {zeros}");
        });
    });
}

#[test]
fn what_is_not_finite_is_found() {
    check_all([f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY], |&bad| {
        assert_eq!(largest_magnitude(&[1.0, bad, 2.0]), None);
    });
    assert_eq!(largest_magnitude(&[1.0, -3.0, 2.0]), Some(3.0));
    assert_eq!(largest_magnitude(&[]), Some(0.0));
}

#[test]
fn groups_are_refused() {
    let shape = WeightShape { filters: 2, groups: 2, channels: 1, taps: 1 };
    let bits = BitWidth::new(4).expect("valid");
    assert!(matches!(LayerStream::new(shape, 1.0, bits, BitConvention::default()), Err(StreamError::Shape(_))));
}

/// Floats next to `value`, itself among them.
fn around(value: f32) -> impl Iterator<Item = f32> {
    (-3i32..=3).map(move |ulps| f32::from_bits(value.to_bits().wrapping_add_signed(ulps)))
}

proptest! {
    /// The quotient of weights a rounding away from a multiple of the step is the hard one to round down.
    #[test]
    fn codes_without_a_division_are_those_of_the_division(
        mantissa in 0u32..1 << 23, exponent in 20u32..230, bits in 1u32..=16, share in any::<u32>(),
    ) {
        let max_abs = f32::from_bits(exponent << 23 | mantissa);
        let half_levels = bits as i32 - 1;
        let bits = BitWidth::new(bits).expect("valid");
        let (step, range) = (step_of(max_abs.into(), bits).expect("normal"), quantize::Range::new(bits));
        let fused = FusedStep::new(step).expect("normal");
        let steps = (f64::from(share) / f64::from(u32::MAX) * 2f64.powi(half_levels)).round();
        let multiples = around((steps * step) as f32).chain(around(0.0)).chain(around(max_abs)).chain([step as f32]);
        for weight in multiples.flat_map(|weight| [weight, -weight]).filter(|weight| weight.abs() <= max_abs) {
            prop_assert_eq!(fused.code(range, weight), range.code(weight.into(), step), "{} / {}", weight, step);
        }
    }

    #[test]
    fn streamed_is_at_once(
        filters in 1usize..40, channels in 1usize..90, taps in 1usize..10, seed in 0u32..1000, zeros in 0u32..=4,
        bits in 1u32..=16,
    ) {
        let shape = WeightShape { filters, groups: 1, channels, taps };
        let weights = weights(&shape, seed, zeros);
        let bits = BitWidth::new(bits).expect("valid");
        prop_assert_eq!(streamed(&weights, shape, bits), at_once(&weights, shape, bits));
    }
}

#[test]
fn chunks_cover_every_weight_once() {
    check_all([(50_000, 3), (3, PIECE), (2, PIECE + 1), (7, 1), (1, 3 * PIECE)], |&(filters, taps)| {
        let shape = WeightShape { filters, groups: 1, channels: 1, taps };
        let layer = LayerStream::new(shape, 1.0, BitWidth::new(4).unwrap(), BitConvention::default()).unwrap();
        let mut next = 0;
        for chunk in layer.chunks() {
            assert_eq!(chunk.start, next, "{filters} filters of {taps}");
            next = chunk.end;
        }
        assert_eq!(next, filters * taps);
    });
}

/// The first piece of the only filter is dense, the second is pruned: half of its places live.
#[test]
fn places_of_a_dense_piece_live() {
    let shape = WeightShape { filters: 1, groups: 1, channels: 2 * PIECE, taps: 1 };
    let mut weights = vec![0.5f32; PIECE];
    weights.resize(2 * PIECE, 0.0);
    let (esn, _) = streamed(&weights, shape, BitWidth::new(1).unwrap());
    assert_eq!(esn.esn_d_filter_weights, PIECE as u128);
}

#[test]
fn noise_that_fits_no_number_is_none() {
    let shape = WeightShape { filters: 1, groups: 1, channels: 1, taps: 1 };
    let mut layer = LayerStream::new(shape, 1e200, BitWidth::new(1).unwrap(), BitConvention::default()).unwrap();
    let chunk = layer.measure(0..1, &[1.0]);
    layer.add(&chunk);
    assert_eq!(layer.finish(1).1, None);
}
