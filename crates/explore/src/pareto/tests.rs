use proptest::prelude::*;
use testkit::check_all;

use super::*;
use crate::PointKey;

fn frontier(points: &[(u128, Fraction)]) -> Frontier {
    let mut frontier = Frontier::default();
    for (number, &(cost, accuracy)) in points.iter().enumerate() {
        frontier.add(PointKey([number as u8; 16]), CostValue::Count(cost), accuracy);
    }
    frontier
}

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
        let frontier = frontier(&points);
        let on: Vec<bool> = points.iter().map(|&(cost, accuracy)| frontier.has(CostValue::Count(cost), accuracy)).collect();
        prop_assert_eq!(&on, &brute_force(&points));
        prop_assert_eq!(frontier.points(), on.iter().filter(|on| **on).count() as u64);
        // In any order, and in parts that are put together.
        let mut parts = Frontier::default();
        for part in [&points[points.len() / 2..], &points[..points.len() / 2]] {
            self::frontier(part).entries().iter().for_each(|entry| parts.merge(*entry));
        }
        let without_keys = |frontier: &Frontier| -> Vec<_> {
            frontier.entries().iter().map(|entry| (entry.cost, entry.accuracy, entry.count)).collect()
        };
        prop_assert_eq!(without_keys(&parts), without_keys(&frontier));
        for &(cost, accuracy) in &points {
            let best = points.iter().filter(|other| other.0 < cost).map(|other| other.1).max();
            // Where fractions are equal and their images are not, either may be the best.
            let noise = |best: Fraction| accuracy.is_within_noise_of(best);
            let bests = points.iter().filter(|other| other.0 < cost && Some(other.1) == best).map(|other| other.1);
            let possible: Vec<bool> = bests.map(noise).collect();
            let found = frontier.is_within_noise(CostValue::Count(cost), accuracy);
            let is_right = if possible.is_empty() { !found } else { possible.contains(&found) };
            prop_assert!(is_right);
        }
    }
}

#[test]
fn costs_are_compared_beyond_what_a_float_can_tell_apart() {
    let large = 1u128 << 100;
    let frontier = frontier(&[large + 1, large].map(|cost| (cost, Fraction { count: 1, of: 2 })));
    assert_eq!(frontier.entries().iter().map(|entry| entry.cost.exact()).collect::<Vec<_>>(), [large.to_string()]);
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
    let frontier = frontier(&points);
    let marked = points.map(|(cost, accuracy)| frontier.is_within_noise(CostValue::Count(cost), accuracy));
    assert_eq!(marked, [false, false, false, false, false, true]);
}
