use proptest::prelude::*;
use testkit::check_all;

use super::*;

/// The definition, by comparing every point with every other.
fn brute_force(points: &[(u128, Fraction)]) -> Vec<bool> {
    let beats = |a: &(u128, Fraction), b: &(u128, Fraction)| a.0 <= b.0 && a.1 >= b.1 && (a.0 < b.0 || a.1 > b.1);
    points.iter().map(|point| !points.iter().any(|other| beats(other, point))).collect()
}

proptest! {
    #[test]
    fn the_frontier_is_what_its_definition_says(
        points in prop::collection::vec((0u128..12, 0u64..8, 1u64..4), 0..40)
    ) {
        let points: Vec<(u128, Fraction)> =
            points.into_iter().map(|(cost, count, of)| (cost, Fraction { count, of })).collect();
        prop_assert_eq!(frontier(&points), brute_force(&points));
    }
}

#[test]
fn costs_are_compared_beyond_what_a_float_can_tell_apart() {
    let large = 1u128 << 100;
    assert_eq!(frontier(&[(large + 1, 1), (large, 1)]), [false, true]);
}

#[test]
fn fractions_of_different_sets_compare_by_value() {
    let fraction = |count, of| Fraction { count, of };
    assert_eq!(fraction(1, 2), fraction(500, 1000));
    assert!(fraction(2, 3) > fraction(666, 1000));
}

#[test]
fn costs_are_read_by_name() {
    let cases = [
        ("esn-a", Cost::EsnA),
        ("esn-d", Cost::EsnD),
        ("esn-d-filter", Cost::EsnDFilter),
        ("cycles:my array", Cost::Cycles("my array".to_string())),
        ("energy:a:b", Cost::Energy("a:b".to_string())),
    ];
    check_all(cases, |&(text, ref expected)| {
        assert_eq!(text.parse::<Cost>(), Ok(expected.clone()));
        assert_eq!(expected.id(), text);
    });
    assert!("esn".parse::<Cost>().is_err() && "cycles:".parse::<Cost>().is_err());
}

#[test]
fn points_within_noise_of_a_cheaper_one_are_marked() {
    // 200 images: one standard error at 0.8 is sqrt(0.8 · 0.2 / 200) = 0.0283, that of a difference 0.0400.
    let fraction = |count| Fraction { count, of: 200 };
    assert!((fraction(160).standard_error() - 0.028_284_271).abs() < 1e-9);
    assert!(fraction(160).is_within_noise_of(fraction(167)) && fraction(167).is_within_noise_of(fraction(160)));
    assert!(!fraction(160).is_within_noise_of(fraction(169)));
    assert!(fraction(160).is_within_noise_of(fraction(160)));

    // The first two cost the same: neither is cheaper than the other. The best cheaper point counts, not the last one.
    let points = [(1, 140), (5, 180), (2, 160), (1, 139), (3, 130), (4, 158)].map(|(cost, n)| (cost, fraction(n)));
    assert_eq!(within_noise(&points), [false, false, false, false, false, true]);
}
