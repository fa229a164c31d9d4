use super::*;
use crate::code::{Grid, MAX_CODE, WeightShape};
use BitConvention::{AsPrinted, NonzeroAtLeastOne};
use proptest::prelude::*;
use testkit::check_all;

fn tensor(grid: Grid, shape: (usize, usize, usize, usize), codes: &[i32]) -> CodeTensor {
    let (filters, groups, channels, taps) = shape;
    CodeTensor::new(grid, WeightShape { filters, groups, channels, taps }, codes.to_vec()).expect("valid codes")
}

#[test]
fn bits_at_the_edges() {
    // (code, bits, bits as printed)
    let table = [
        (0, 0, 0),
        (1, 1, 0),
        (2, 1, 1),
        (3, 2, 2),
        (4, 2, 2),
        (5, 3, 3),
        (6, 3, 3),
        (7, 3, 3),
        (8, 3, 3),
        (9, 4, 4),
        (65535, 16, 16),
        (65536, 16, 16),
        (65537, 17, 17),
        (MAX_CODE, 17, 17),
    ];
    let cases = table.into_iter().flat_map(|(code, one, printed)| [code, -code].map(move |code| (code, one, printed)));
    check_all(cases, |&(code, one, printed)| {
        assert_eq!(bits(code, NonzeroAtLeastOne), one, "code {code}");
        assert_eq!(bits(code, AsPrinted), printed, "code {code}");
    });
}

#[test]
fn the_top_of_an_n_bit_grid_has_n_bits() {
    check_all(1..=16u32, |&n| {
        assert_eq!(bits((1 << n) - 1, NonzeroAtLeastOne), n, "mid-rise, ±(2^(n-1) − 0.5)");
        assert_eq!(bits(-(1 << n), NonzeroAtLeastOne), n, "mid-tread, −2^(n-1)");
        assert_eq!(bits((1 << n) + 1, NonzeroAtLeastOne), n + 1);
        assert_eq!(bits((1 << n) + 2, NonzeroAtLeastOne), n + 1);
    });
}

#[test]
fn bits_equal_the_printed_formula_in_real_numbers() {
    for code in 2..=MAX_CODE {
        let w_int = f64::from(code) / 2.0;
        // log2 is exact at powers of two and elsewhere far enough from an integer at 17 bits.
        assert_eq!(bits(code, AsPrinted), (w_int.log2() + 1.0).ceil() as u32, "code {code}");
    }
}

#[test]
fn quarters_show_the_exact_decimal() {
    let table = [
        (0, "0"),
        (1, "0.25"),
        (2, "0.5"),
        (7, "1.75"),
        (2_354_472, "588618"),
        (2_354_473, "588618.25"),
        (u128::MAX, "85070591730234615865843651857942052863.75"),
    ];
    check_all(table, |&(quarters, shown)| assert_eq!(Quarters(quarters).to_string(), shown));
    assert_eq!(format!("{:>6}|{:<6}|", Quarters(3), Quarters(4)), "  0.75|1     |");
    assert_eq!(Quarters(2_354_473).to_f64(), 588_618.25);
}

#[test]
fn pruned_filters_and_channels_are_not_computed() {
    // Filter 1 is pruned; so is channel 1. The 0 of filter 0 in channel 2 takes the width of the filter.
    let codes = tensor(Grid::MidRise, (3, 1, 3, 2), &[7, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, -1, 0, 0, 1, 1]);
    let layer = LayerEsn::new(&codes, 5, NonzeroAtLeastOne);
    let expected = LayerEsn {
        weights: 18,
        nonzero: 7,
        filters: 3,
        live_filters: 2,
        macs: 90,
        esn_a_quarters: 49 + 6,
        esn_d: 3 + 6,
        esn_a_quarters_macs: 275,
        esn_d_macs: 45,
        esn_d_filter: 5 * (4 * 3 + 4),
        esn_d_filter_weights: 4 * 3 + 4,
        max_bits: 3,
        units: 6,
        unit_macs: 30,
        unit_filter_macs: 20,
    };
    assert_eq!(layer, expected);
    let filters = filter_esn(&codes, NonzeroAtLeastOne);
    let facts: Vec<_> = filters.iter().map(|f| (f.nonzero, f.computed, f.max_code, f.max_bits, f.units)).collect();
    assert_eq!(facts, [(3, 4, 7, 3, 2), (0, 0, 0, 0, 0), (4, 4, 1, 1, 4)]);
}

#[test]
fn a_channel_is_pruned_in_its_own_group() {
    // Two groups of one filter and two channels: channel 0 of group 0 and channel 1 of group 1 are pruned.
    let codes = tensor(Grid::MidRise, (2, 2, 2, 1), &[0, 3, 1, 0]);
    assert_eq!(LayerEsn::new(&codes, 1, NonzeroAtLeastOne).esn_d_filter, 2 + 1);
    let dense = tensor(Grid::MidRise, (2, 1, 2, 1), &[0, 3, 1, 0]);
    assert_eq!(LayerEsn::new(&dense, 1, NonzeroAtLeastOne).esn_d_filter, 2 * 2 + 2);
}

#[test]
fn a_layer_of_zeros_is_free() {
    let layer = LayerEsn::new(&tensor(Grid::MidTread, (2, 1, 1, 2), &[0; 4]), 9, NonzeroAtLeastOne);
    let expected = LayerEsn { weights: 4, filters: 2, macs: 36, ..LayerEsn::default() };
    assert_eq!(layer, expected);
}

#[test]
fn histograms_count_every_weight_and_filter() {
    let codes = tensor(Grid::MidTread, (3, 1, 2, 1), &[0, 0, 2, -4, 65536, 131070]);
    let histogram = BitHistogram::new(&codes, NonzeroAtLeastOne);
    let mut expected = BitHistogram::default();
    for (width, weights) in [(0, 2), (1, 1), (2, 1), (16, 1), (17, 1)] {
        expected.weights[width] = weights;
    }
    for width in [0, 2, 17] {
        expected.filters[width] = 1;
    }
    assert_eq!(histogram, expected);
    assert_eq!([histogram, histogram].into_iter().sum::<BitHistogram>(), histogram + histogram);
}

#[test]
fn the_largest_counts_do_not_overflow() {
    let codes = tensor(Grid::MidRise, (1, 1, 1, 200_000), &vec![MAX_CODE; 200_000]);
    let layer = LayerEsn::new(&codes, u64::MAX, NonzeroAtLeastOne);
    let square = (MAX_CODE as u128).pow(2);
    assert_eq!(layer.esn_a_quarters_macs, 200_000 * square * u128::from(u64::MAX));
}

/// Random layers on either grid, with groups, pruned filters and pruned channels.
fn layers() -> impl Strategy<Value = (CodeTensor, u64)> {
    let sizes = (1usize..4, 1usize..4, 1usize..4, 1usize..5);
    (sizes, any::<bool>(), 1u32..=16, 1u64..1000).prop_flat_map(|(sizes, mid_rise, width, positions)| {
        let (per_group, groups, channels, taps) = sizes;
        let shape = WeightShape { filters: per_group * groups, groups, channels, taps };
        let count = shape.len().expect("small");
        let top = 1i32 << width;
        let codes = proptest::collection::vec((-top..=top, 0..3u8), count);
        let pruned = (proptest::collection::vec(any::<bool>(), shape.filters), 0..=channels);
        (codes, pruned).prop_map(move |(codes, (filters, channel))| {
            let level = |(i, (code, zero)): (usize, (i32, u8))| {
                let pruned = zero == 0 || filters[i / (channels * taps)] || i / taps % channels == channel;
                let code = if mid_rise { (code | 1).clamp(1 - top, top - 1) } else { code & !1 };
                if pruned { 0 } else { code }
            };
            let grid = if mid_rise { Grid::MidRise } else { Grid::MidTread };
            let codes = codes.into_iter().enumerate().map(level).collect();
            (CodeTensor::new(grid, shape, codes).expect("levels of the grid"), positions)
        })
    })
}

/// Equations (2), (3) and (7) as loops over MACs, in no shared code with the crate but [`bits`].
fn by_equations(codes: &CodeTensor, positions: u64, convention: BitConvention) -> [u128; 3] {
    let shape = codes.shape();
    let (len, per_group) = (shape.filter_len(), shape.filters / shape.groups);
    let code = |m: usize, c: usize, t: usize| codes.codes()[m * len + c * shape.taps + t];
    let mut sums = [0u128; 3];
    for m in 0..shape.filters {
        let widest = codes.filter(m).iter().map(|&code| bits(code, convention)).max().unwrap_or(0);
        let live_filter = codes.filter(m).iter().any(|&code| code != 0);
        let group = m / per_group * per_group..(m / per_group + 1) * per_group;
        for c in 0..shape.channels {
            let live_channel = group.clone().any(|f| (0..shape.taps).any(|t| code(f, c, t) != 0));
            for t in 0..shape.taps {
                sums[0] += u128::from(code(m, c, t).unsigned_abs()).pow(2);
                sums[1] += u128::from(bits(code(m, c, t), convention));
                sums[2] += if live_filter && live_channel { u128::from(widest) } else { 0 };
            }
        }
    }
    sums.map(|sum| sum * u128::from(positions))
}

proptest! {
    #[test]
    fn layers_follow_the_equations((codes, positions) in layers(), printed in any::<bool>()) {
        let convention = if printed { AsPrinted } else { NonzeroAtLeastOne };
        let layer = LayerEsn::new(&codes, positions, convention);
        let found = [layer.esn_a_quarters_macs, layer.esn_d_macs, layer.esn_d_filter];
        prop_assert_eq!(found, by_equations(&codes, positions, convention));
        let once = LayerEsn::new(&codes, 1, convention);
        let of_weights = [layer.esn_a_quarters, layer.esn_d, layer.esn_d_filter_weights];
        prop_assert_eq!([once.esn_a_quarters_macs, once.esn_d_macs, once.esn_d_filter], of_weights);
    }

    #[test]
    fn the_conventions_differ_by_the_unit_codes((codes, positions) in layers()) {
        let one = LayerEsn::new(&codes, positions, NonzeroAtLeastOne);
        let printed = LayerEsn::new(&codes, positions, AsPrinted);
        prop_assert_eq!(one.esn_d_macs - printed.esn_d_macs, one.unit_macs);
        prop_assert_eq!(one.esn_d_filter - printed.esn_d_filter, one.unit_filter_macs);
        prop_assert_eq!((one.unit_macs, one.unit_filter_macs), (printed.unit_macs, printed.unit_filter_macs));
    }

    #[test]
    fn filters_and_histograms_add_up_to_the_layer((codes, positions) in layers()) {
        let layer = LayerEsn::new(&codes, positions, NonzeroAtLeastOne);
        let filters = filter_esn(&codes, NonzeroAtLeastOne);
        prop_assert_eq!(filters.len() as u128, layer.filters);
        prop_assert_eq!(filters.iter().map(|f| u128::from(f.nonzero)).sum::<u128>(), layer.nonzero);
        prop_assert_eq!(filters.iter().map(|f| f.esn_a_quarters).sum::<u128>(), layer.esn_a_quarters);
        prop_assert_eq!(filters.iter().map(|f| f.esn_d).sum::<u128>(), layer.esn_d);
        let histogram = BitHistogram::new(&codes, NonzeroAtLeastOne);
        let bits = |counts: [u64; BIT_WIDTHS]| (0u128..).zip(counts).map(|(w, n)| w * u128::from(n)).sum::<u128>();
        prop_assert_eq!(bits(histogram.weights), layer.esn_d);
        prop_assert_eq!(bits(histogram.filters), filters.iter().map(|f| u128::from(f.max_bits)).sum::<u128>());
        prop_assert_eq!(u128::from(histogram.weights[0]), layer.weights - layer.nonzero);
    }

    #[test]
    fn networks_are_sums((a, b) in (layers(), layers())) {
        let [a, b] = [a, b].map(|(codes, positions)| LayerEsn::new(&codes, positions, NonzeroAtLeastOne));
        let network: LayerEsn = [a, b].into_iter().sum();
        prop_assert_eq!(network, a + b);
        prop_assert_eq!(network.max_bits, a.max_bits.max(b.max_bits));
        prop_assert_eq!(network.esn_d_macs, a.esn_d_macs + b.esn_d_macs);
        prop_assert_eq!(a + LayerEsn::default(), a);
    }

    /// Pruning a weight never raises a metric.
    #[test]
    fn pruning_never_costs((codes, positions) in layers(), at in any::<proptest::sample::Index>()) {
        let before = LayerEsn::new(&codes, positions, NonzeroAtLeastOne);
        let mut pruned = codes.codes().to_vec();
        let at = at.index(pruned.len());
        pruned[at] = 0;
        let pruned = CodeTensor::new(codes.grid(), codes.shape(), pruned).unwrap();
        let after = LayerEsn::new(&pruned, positions, NonzeroAtLeastOne);
        prop_assert!(after.esn_a_quarters_macs <= before.esn_a_quarters_macs);
        prop_assert!(after.esn_d_macs <= before.esn_d_macs);
        prop_assert!(after.esn_d_filter <= before.esn_d_filter);
    }

    /// Equation (6): N weights of one value v > 1 have ESN_a = N·v² and ESN_d = N·ceil(log2 v + 1). Halving the number of
    /// levels (v to v/2) takes three quarters of ESN_a but one bit of ESN_d; halving N takes half of both.
    #[test]
    fn equation_6(n in 1usize..200, exponent in 1u32..=14) {
        let metric = |n: usize, code: i32| {
            let codes = tensor(Grid::MidTread, (1, 1, 1, n), &vec![code; n]);
            let layer = LayerEsn::new(&codes, 1, NonzeroAtLeastOne);
            (layer.esn_a().to_f64(), layer.esn_d)
        };
        let v = 1i32 << exponent;
        let (esn_a, esn_d) = metric(n, 2 * v);
        prop_assert_eq!(esn_a, n as f64 * f64::from(v).powi(2));
        prop_assert_eq!(esn_d, n as u128 * u128::from(exponent + 1));
        prop_assert_eq!(metric(n, v), (esn_a / 4.0, esn_d - n as u128));
        prop_assert_eq!(metric(2 * n, 2 * v), (2.0 * esn_a, 2 * esn_d));
    }
}

/// The squares of 1,024 codes of 2,048 add up to 2^32, which 32 bits do not hold.
#[test]
fn squares_of_wide_codes_do_not_wrap() {
    check_all([2046, 2048], |&code| {
        let layer = tensor(Grid::MidTread, (1, 1, 1, 1024), &[code; 1024]);
        let expected = 1024 * (code as u128) * (code as u128);
        assert_eq!(LayerEsn::new(&layer, 1, NonzeroAtLeastOne).esn_a_quarters, expected, "{code}");
    });
}

#[test]
fn histograms_add_up() {
    let [a, b] = [[0, 1, 3], [1, 1, 7]]
        .map(|codes| BitHistogram::new(&tensor(Grid::MidRise, (1, 1, 1, 3), &codes), NonzeroAtLeastOne));
    let sum: BitHistogram = [a, b].into_iter().sum();
    assert_eq!(sum.weights[..4], [1, 3, 1, 1]);
    assert_eq!(sum.filters[..4], [0, 0, 1, 1]);
}

#[test]
fn the_analog_metric_has_both_factors() {
    let layer = LayerEsn::new(&tensor(Grid::MidRise, (1, 1, 1, 2), &[3, -1]), 5, NonzeroAtLeastOne);
    assert_eq!((layer.esn_a().to_string(), layer.esn_a_macs().to_string()), ("2.5".to_string(), "12.5".to_string()));
}
