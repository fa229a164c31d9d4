use super::*;
use crate::code::{Grid, WeightShape};
use crate::quantize::{BitWidth, quantize_max_abs};
use crate::{BitConvention, LayerEsn};
use proptest::prelude::*;

fn shape(filters: usize, taps: usize) -> WeightShape {
    WeightShape { filters, groups: 1, channels: 1, taps }
}

fn codes(filters: usize, codes: &[i32]) -> CodeTensor {
    CodeTensor::new(Grid::MidTread, shape(filters, codes.len() / filters), codes.to_vec()).expect("valid codes")
}

#[test]
fn steps_are_of_the_layer_or_of_each_filter() {
    let layer = codes(2, &[2, 4, 2, -2]);
    let weights = [1.5f32, 2.0, 3.0, -2.0];
    let one = quantization_noise(&weights, &layer, &[1.0]).unwrap();
    assert_eq!(one, SignalNoise { signal: 19.25, noise: 0.25 + 4.0 + 1.0 });
    let each = quantization_noise(&weights, &layer, &[1.0, 2.0]).unwrap();
    assert_eq!(each, SignalNoise { signal: 19.25, noise: 0.25 + 1.0 });
}

#[test]
fn there_is_no_number_without_noise() {
    let exact = quantization_noise(&[1.0f32, -2.0], &codes(1, &[2, -4]), &[1.0]).unwrap();
    assert_eq!(exact, SignalNoise { signal: 5.0, noise: 0.0 });
    assert_eq!((exact.ratio(), exact.esn_a(1, 2)), (None, None));
    let pruned = quantization_noise(&[0.0f32, 0.0], &codes(1, &[0, 0]), &[0.0]).unwrap();
    assert_eq!((pruned.ratio(), pruned.esn_a(1, 0)), (None, Some(0.0)));
    let barely = SignalNoise { signal: 1.0, noise: f64::from_bits(1) };
    assert_eq!(barely.ratio(), None, "1 / 5e-324 passes float64");
}

#[test]
fn equation_4_multiplies() {
    let power = SignalNoise { signal: 48.0, noise: 2.0 };
    assert_eq!(power.ratio(), Some(24.0));
    assert_eq!(power.esn_a(1, 10), Some(20.0));
    assert_eq!(power.esn_a(100, 10), Some(2000.0));
}

#[test]
fn totals_add_signal_and_noise() {
    let layers = [SignalNoise { signal: 3.0, noise: 1.0 }, SignalNoise { signal: 5.0, noise: 3.0 }];
    assert_eq!(layers.into_iter().sum::<SignalNoise>().ratio(), Some(2.0));
}

#[test]
fn a_comparison_without_a_number_stays_without() {
    let some = SnrComparison { from_snr: Some(3.0), exact: Quarters(16) };
    let none = SnrComparison { from_snr: None, exact: Quarters(4) };
    assert_eq!(some.ratio(), Some(0.75));
    let total: SnrComparison = [some, some].into_iter().sum();
    assert_eq!(total, SnrComparison { from_snr: Some(6.0), exact: Quarters(32) });
    let total: SnrComparison = [some, none].into_iter().sum();
    assert_eq!((total.from_snr, total.exact, total.ratio()), (None, Quarters(20), None));
    let empty: SnrComparison = std::iter::empty().sum();
    assert_eq!((empty.from_snr, empty.ratio()), (Some(0.0), None));
}

#[test]
fn what_does_not_fit_is_named() {
    let layer = codes(2, &[2, 4, 2, -2]);
    let weights = [1.0f64, 2.0, 3.0, 4.0];
    let error = |weights: &[f64], steps: &[f64]| quantization_noise(weights, &layer, steps).unwrap_err();
    assert_eq!(error(&weights[..3], &[1.0]), SnrError::Length { weights: 3, codes: 4 });
    assert_eq!(error(&weights, &[]), SnrError::Steps { steps: 0, filters: 2 });
    assert_eq!(error(&weights, &[1.0; 3]), SnrError::Steps { steps: 3, filters: 2 });
    assert_eq!(error(&weights, &[1.0, -1.0]), SnrError::BadStep { index: 1, value: -1.0 });
    assert!(matches!(error(&weights, &[f64::NAN]), SnrError::BadStep { index: 0, .. }));
    assert!(matches!(error(&[0.0, 0.0, f64::NAN, 0.0], &[1.0]), SnrError::NotFinite { index: 2, .. }));
    assert_eq!(error(&[1e200; 4], &[1.0]), SnrError::Overflow);
}

/// Where the noise is uniform, (4) tells (2): many weights, spread evenly, at 8 bits.
#[test]
fn equation_4_agrees_with_2_where_noise_is_uniform() {
    let weights: Vec<f64> = (0..10_000).map(|i| (f64::from(i) + 0.5) / 5_000.0 - 1.0).collect();
    let layer = quantize_max_abs(&weights, shape(1, weights.len()), BitWidth::new(8).unwrap()).unwrap();
    let exact = LayerEsn::new(&layer.codes, 1, BitConvention::default());
    let power = quantization_noise(&weights, &layer.codes, &[layer.step]).unwrap();
    let both = SnrComparison { from_snr: power.esn_a(1, exact.nonzero), exact: exact.esn_a() };
    let ratio = both.ratio().expect("there is noise");
    assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
}

proptest! {
    /// The noise of a mid-rise grid is within half a step of every weight.
    #[test]
    fn noise_is_within_half_a_step(weights in proptest::collection::vec(-1.0f32..1.0, 1..60), bits in 1u32..=16) {
        let layer = quantize_max_abs(&weights, shape(1, weights.len()), BitWidth::new(bits).unwrap()).unwrap();
        let power = quantization_noise(&weights, &layer.codes, &[layer.step]).unwrap();
        let bound = weights.len() as f64 * layer.step * layer.step / 4.0;
        prop_assert!(power.noise <= bound * (1.0 + 1e-9), "{} > {}", power.noise, bound);
    }
}

#[test]
fn noise_that_fits_no_number_is_refused() {
    let layer = codes(1, &[2]);
    assert!(quantization_noise(&[1.0f64], &layer, &[1e200]).is_err(), "the signal is finite, the noise is not");
}
