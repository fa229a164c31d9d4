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

/// The bytes of float32 weights.
fn bytes(weights: &[f32]) -> Vec<[u8; 4]> {
    weights.iter().map(|weight| weight.to_le_bytes()).collect()
}

fn streamed(weights: &[f32], shape: WeightShape, bits: BitWidth) -> (LayerEsn, SignalNoise) {
    let bytes = bytes(weights);
    let (esn, power, codes) = measured(StoredWeights::F32(&bytes), shape, bits);
    assert_eq!(codes, quantize_max_abs(weights, shape, bits).expect("finite").codes.codes());
    (esn, power)
}

/// Metric, signal and noise, and codes of a stream of weights.
fn measured(weights: StoredWeights<'_>, shape: WeightShape, bits: BitWidth) -> (LayerEsn, SignalNoise, Vec<i32>) {
    let max_abs = largest_magnitude(weights).expect("finite");
    let begun = || LayerStream::new(shape, max_abs, bits, BitConvention::default()).expect("one group");
    let (mut layer, mut coded) = (begun(), begun());
    // Measured all at first, as threads might.
    let chunks: Vec<_> =
        layer.chunks().map(|range| layer.measure(range.clone(), weights.part(range.clone()))).collect();
    chunks.iter().for_each(|chunk| layer.add(chunk));
    let mut codes = vec![0; weights.len()];
    for range in coded.chunks() {
        let chunk = coded.encode(range.clone(), weights.part(range.clone()), &mut codes[range]);
        coded.add(&chunk);
    }
    let found = layer.finish(7);
    assert_eq!(found, coded.finish(7), "codes that are kept change nothing");
    (found.0, found.1.expect("finite"), codes)
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
        assert_eq!(largest_magnitude(StoredWeights::F32(&bytes(&[1.0, bad, 2.0]))), None);
    });
    assert_eq!(largest_magnitude(StoredWeights::F32(&bytes(&[1.0, -3.0, 2.0]))), Some(3.0));
    assert_eq!(largest_magnitude(StoredWeights::F32(&[])), Some(0.0));
    let halves = |words: &[u16]| words.iter().map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    check_all([0x7c00u16, 0xfc00, 0x7c01, 0xffff], |&bad| {
        assert_eq!(largest_magnitude(StoredWeights::F16(&halves(&[0x3c00, bad]))), None, "{bad:x}");
    });
    check_all([0x7f80u16, 0xff80, 0x7f81, 0xffff], |&bad| {
        assert_eq!(largest_magnitude(StoredWeights::Bf16(&halves(&[0x3f80, bad]))), None, "{bad:x}");
    });
    assert_eq!(largest_magnitude(StoredWeights::F16(&halves(&[0x3c00, 0xfbff]))), Some(65504.0));
    assert_eq!(largest_magnitude(StoredWeights::Bf16(&halves(&[0x3f80, 0xc040]))), Some(3.0));
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

proptest! {
    /// Any finite numbers of half precision, subnormal ones and zeros among them, have the sums and codes of the same numbers
    /// in single precision.
    #[test]
    fn halves_are_the_same_numbers_in_single_precision(
        filters in 1usize..4, len in 1usize..2100, seed in any::<u32>(), bits in 1u32..=16, spread in 0u32..=6,
    ) {
        let shape = WeightShape { filters, groups: 1, channels: len, taps: 1 };
        let bits = BitWidth::new(bits).expect("valid");
        // The more spread, the smaller some exponents.
        let word = |index: usize| {
            let word = (index as u32).wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8;
            let exponent = (word >> 16 & 31) >> (word & spread);
            (word & 0x83ff) as u16 | (exponent.min(30) as u16) << 10
        };
        let words: Vec<[u8; 2]> = (0..filters * len).map(|index| word(index).to_le_bytes()).collect();
        check_all([StoredWeights::F16(&words), StoredWeights::Bf16(&words)], |&halves| {
            let singles: Vec<f32> = (0..halves.len()).map(|index| halves.get(index)).collect();
            let (esn, power, codes) = measured(halves, shape, bits);
            let bytes = bytes(&singles);
            assert_eq!((esn, power, codes), measured(StoredWeights::F32(&bytes), shape, bits), "{halves:?}");
            assert_eq!((esn, power), at_once(&singles, shape, bits), "{halves:?}");
        });
    }
}

/// The fast count and the one by definition, over every magnitude, both conventions and a block that is not full.
#[test]
fn counts_of_codes_are_those_by_definition() {
    check_all([1, 2, 3, 5, 128, 255, 256, 300, crate::MAX_CODE], |&largest| {
        let codes: Vec<i32> = (0..1500).map(|i| (i * 7919 % (largest + 1)) * if i % 2 == 0 { 1 } else { -1 }).collect();
        check_all([BitConvention::NonzeroAtLeastOne, BitConvention::AsPrinted], |&convention| {
            let mut counts = Counts::default();
            counts.add(&codes, convention, &mut Magnitudes::default());
            let count = |is: fn(u32) -> bool| codes.iter().filter(|code| is(code.unsigned_abs())).count() as u64;
            let expected = Counts {
                nonzero: count(|magnitude| magnitude != 0),
                units: count(|magnitude| magnitude == 1),
                max_code: codes.iter().map(|code| code.unsigned_abs()).max().expect("there are codes"),
                squares: codes.iter().map(|&code| u128::from(code.unsigned_abs()).pow(2)).sum(),
                bits: codes.iter().map(|&code| u128::from(bits(code, convention))).sum(),
                above: std::array::from_fn(|power| match power {
                    0 => 0,
                    power => codes.iter().filter(|code| code.unsigned_abs() > 1 << power).count() as u64,
                }),
            };
            assert_eq!(counts, expected, "{largest} {convention:?}");
        });
    });
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
    let chunk = layer.measure(0..1, StoredWeights::F32(&[1f32.to_le_bytes()]));
    layer.add(&chunk);
    assert_eq!(layer.finish(1).1, None);
}
