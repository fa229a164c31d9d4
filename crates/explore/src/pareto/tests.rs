use proptest::prelude::*;

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
    for (text, expected) in [
        ("esn-a", Cost::EsnA),
        ("esn-d", Cost::EsnD),
        ("esn-d-filter", Cost::EsnDFilter),
        ("cycles:my array", Cost::Cycles("my array".to_string())),
        ("energy:a:b", Cost::Energy("a:b".to_string())),
    ] {
        assert_eq!(text.parse::<Cost>(), Ok(expected.clone()));
        assert_eq!(expected.id(), text);
    }
    assert!("esn".parse::<Cost>().is_err() && "cycles:".parse::<Cost>().is_err());
}
