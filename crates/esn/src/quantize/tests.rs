use super::*;
use proptest::prelude::*;
use testkit::check_all;

fn row(taps: usize) -> WeightShape {
    WeightShape { filters: 1, groups: 1, channels: 1, taps }
}

fn width(bits: u32) -> BitWidth {
    BitWidth::new(bits).expect("1 to 16")
}

/// The definition, word for word.
fn by_definition(weight: f64, step: f64, bits: u32) -> i32 {
    if weight == 0.0 {
        return 0;
    }
    let top = f64::from(1u32 << (bits - 1)) - 0.5;
    let w_int = ((weight / step).floor() + 0.5).clamp(-top, top);
    (2.0 * w_int) as i32
}

#[test]
fn bit_widths_are_1_to_16() {
    check_all([(0, false), (1, true), (16, true), (17, false), (u32::MAX, false)], |&(bits, valid)| {
        assert_eq!(BitWidth::new(bits).is_ok(), valid, "{bits}");
    });
    assert_eq!((width(9).get(), width(9).to_string()), (9, "9".to_string()));
    assert_eq!(BitWidthError { bits: 17 }.to_string(), "a bit width is 1 to 16, not 17");
}

#[test]
fn ends_of_the_grid() {
    check_all(1..=16, |&bits| {
        let top = (1 << bits) - 1;
        let layer = quantize_max_abs(&[-0.7f32, 0.7, 1e-20, -1e-20, 0.0, -0.0], row(6), width(bits)).unwrap();
        assert_eq!(layer.codes.codes(), [-top, top, 1, -1, 0, 0], "{bits} bits");
        assert_eq!(layer.step, f64::from(0.7f32) / f64::from(1u32 << (bits - 1)), "{bits} bits");
    });
}

#[test]
fn levels_begin_at_multiples_of_the_step() {
    let weights = [-2.0, -1.75, -1.0, -0.999, -0.5, -0.25, 0.25, 0.5, 0.999, 1.0, 1.75, 2.0];
    let layer = quantize_max_abs(&weights, row(12), width(2)).unwrap();
    assert_eq!(layer.step, 1.0);
    assert_eq!(layer.codes.codes(), [-3, -3, -1, -1, -1, -1, 1, 1, 1, 3, 3, 3]);
}

#[test]
fn a_layer_of_zeros_is_pruned_and_has_no_step() {
    let layer = quantize_max_abs(&[0.0f32, -0.0, 0.0], row(3), width(4)).unwrap();
    assert_eq!(layer.step, 0.0);
    assert_eq!(layer.codes.codes(), [0, 0, 0]);
}

#[test]
fn weights_that_are_not_finite_are_named() {
    let cases = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
        .into_iter()
        .flat_map(|value| [0, 7, 8, 18].map(move |index| (value, index)));
    check_all(cases, |&(value, index)| {
        let mut weights = [0.5f64; 19];
        weights[index] = value;
        let error = quantize_max_abs(&weights, row(19), width(4)).unwrap_err();
        assert!(matches!(error, QuantizeError::NotFinite { index: i, .. } if i == index), "{error}");
        assert!(quantize_mid_rise(&weights, row(19), 1.0, width(4)).is_err());
    });
}

#[test]
fn tiny_weights_are_exact_or_refused() {
    let least = f64::from_bits(1);
    check_all(1..=16, |&bits| {
        let exact = least * f64::from(1u32 << (bits - 1));
        let layer = quantize_max_abs(&[exact, -exact, least, 0.0], row(4), width(bits)).unwrap();
        assert_eq!(layer.step, least);
        let top = (1 << bits) - 1;
        assert_eq!(layer.codes.codes(), [top, -top, 3.min(top), 0]);
    });
    assert_eq!(quantize_max_abs(&[least], row(1), width(1)).unwrap().step, least);
    check_all([least, f64::from_bits(3), f64::MIN_POSITIVE + least], |&max_abs| {
        let error = quantize_max_abs(&[max_abs, 0.0], row(2), width(8)).unwrap_err();
        assert_eq!(error, QuantizeError::StepUnderflow { max_abs, bits: width(8) });
    });
    let smallest_float32 = f32::from_bits(1);
    assert_eq!(quantize_max_abs(&[smallest_float32], row(1), width(16)).unwrap().codes.codes(), [65535]);
}

#[test]
fn huge_weights_clamp() {
    let layer = quantize_max_abs(&[f64::MAX, -f64::MAX, 1.0], row(3), width(16)).unwrap();
    assert_eq!(layer.codes.codes(), [65535, -65535, 1]);
    // W / Δ passes float64 here.
    let codes = quantize_mid_rise(&[f64::MAX, -f64::MAX], row(2), f64::from_bits(1), width(3)).unwrap();
    assert_eq!(codes.codes(), [7, -7]);
}

#[test]
fn steps_that_are_no_steps_are_refused() {
    check_all([-1.0, f64::NAN, f64::INFINITY, 0.0, -0.0], |&step| {
        let error = quantize_mid_rise(&[1.0f32, 0.0], row(2), step, width(4)).unwrap_err();
        assert!(matches!(error, QuantizeError::Step { .. }), "{step}: {error}");
    });
    assert_eq!(quantize_mid_rise(&[0.0f32], row(1), 0.0, width(4)).unwrap().codes(), [0]);
}

#[test]
fn weights_that_do_not_fill_the_shape_are_refused() {
    let error = quantize_max_abs(&[1.0f32, 0.5], row(3), width(4)).unwrap_err();
    assert!(matches!(error, QuantizeError::Codes(CodeError::Shape { codes: 2, .. })), "{error}");
    assert!(quantize_max_abs::<f32>(&[], row(0), width(4)).is_err());
}

/// Finite float32 weights of every magnitude, some of them 0.
fn weights() -> impl Strategy<Value = Vec<f32>> {
    let weight = prop_oneof![
        2 => -1.0f32..1.0,
        1 => any::<f32>().prop_map(|w| if w.is_finite() { w } else { 1.0 }),
        1 => Just(0.0f32),
    ];
    proptest::collection::vec(weight, 1..100)
}

proptest! {
    #[test]
    fn codes_follow_the_definition(weights in weights(), bits in 1u32..=16) {
        let layer = quantize_max_abs(&weights, row(weights.len()), width(bits)).unwrap();
        let max_abs = weights.iter().fold(0.0f64, |max, &w| max.max(f64::from(w).abs()));
        prop_assert_eq!(layer.step, max_abs / f64::from(1u32 << (bits - 1)));
        for (&weight, &code) in weights.iter().zip(layer.codes.codes()) {
            prop_assert_eq!(code, by_definition(f64::from(weight), layer.step, bits), "{}", weight);
        }
    }

    #[test]
    fn given_steps_follow_the_definition(weights in weights(), step in 1e-6f64..1e3, bits in 1u32..=16) {
        let codes = quantize_mid_rise(&weights, row(weights.len()), step, width(bits)).unwrap();
        for (&weight, &code) in weights.iter().zip(codes.codes()) {
            prop_assert_eq!(code, by_definition(f64::from(weight), step, bits), "{}", weight);
        }
    }

    /// Scaling by a power of two is exact, so codes do not change.
    #[test]
    fn codes_do_not_depend_on_the_unit(weights in proptest::collection::vec(-1.0f64..1.0, 1..50), bits in 1u32..=16) {
        let scaled: Vec<f64> = weights.iter().map(|w| w * 0.125).collect();
        let shape = row(weights.len());
        let codes = quantize_max_abs(&weights, shape, width(bits)).unwrap().codes;
        prop_assert_eq!(codes, quantize_max_abs(&scaled, shape, width(bits)).unwrap().codes);
    }
}

#[test]
fn mid_tread_is_symmetric_and_starts_at_2_bits() {
    check_all(2..=16, |&bits| {
        let top = (1 << bits) - 2;
        let codes = quantize_mid_tread(&[-1e9f32, 1e9, 0.49, -0.5, 0.0], row(5), 1.0, width(bits)).unwrap();
        assert_eq!(codes.codes(), [-top, top, 0, 0, 0], "{bits} bits");
        assert_eq!(codes.grid(), Grid::MidTread);
    });
    assert_eq!(quantize_mid_tread(&[1.0f32], row(1), 1.0, width(1)), Err(QuantizeError::OnlyZero));
    assert_eq!(quantize_mid_tread(&[1.0f32], row(1), 0.0, width(2)), Err(QuantizeError::Step { step: 0.0 }));
    assert_eq!(quantize_mid_tread(&[0.0f32], row(1), 0.0, width(2)).unwrap().codes(), [0]);
}

#[test]
fn mid_tread_levels_are_whole_steps() {
    let codes = quantize_mid_tread(&[1.0f32, -0.5, 0.1, 9.0], row(4), 0.25, width(4)).expect("finite");
    assert_eq!(codes.codes(), [2 * 4, -2 * 2, 0, 2 * 7]);
}
