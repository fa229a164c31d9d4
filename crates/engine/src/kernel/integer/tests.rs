use esn::{CodeTensor, Grid, MAX_CODE};
use network::{Geometry, GeometrySpec};
use proptest::prelude::*;
use testkit::{check_all, geometries};

use super::*;

/// The layer's sums in the plainest way.
fn reference(geometry: &Geometry, codes: &[i32], input: &[i32]) -> Vec<i64> {
    let wide = |numbers: &[i32]| numbers.iter().map(|&x| i64::from(x)).collect::<Vec<i64>>();
    testkit::sums(geometry, &wide(codes), &wide(input))
}

fn conv(geometry: &Geometry, grid: Grid, codes: &[i32]) -> IntegerConv {
    let weights = CodeTensor::new(grid, geometry.weight_shape(), codes.to_vec()).expect("codes are on the grid");
    IntegerConv::new(&Layer::new("layer", geometry, &weights).expect("shapes agree")).expect("it is small")
}

/// Compares every path that takes the layer and the input with the reference; returns them.
fn check_all_paths(geometry: &Geometry, grid: Grid, codes: &[i32], input: &[i32]) -> Vec<Path> {
    let conv = conv(geometry, grid, codes);
    let expected = reference(geometry, codes, input);
    let range = conv.check(input).expect("the input is in range");
    let possible = PATHS.iter().filter_map(|&path| Some((path, conv.plan(path, range)?)));
    let checked = possible.map(|(path, plan)| {
        assert!(conv.forward_by(path, plan, input) == expected, "{path:?} {plan:?} on {geometry:?}");
        // A short spill must make no difference.
        if !matches!(path, Path::Narrow | Path::Wide) {
            let short = Plan { spill: 3, ..plan };
            assert!(conv.forward_by(path, short, input) == expected, "{path:?} {short:?} on {geometry:?}");
        }
        path
    });
    let checked = checked.collect();
    assert_eq!(conv.forward(input), Ok(expected));
    check_codes(&conv, input);
    checked
}

/// Compares the sums of the input as 8-bit codes, on every path that takes them, with those of what they stand for.
fn check_codes(conv: &IntegerConv, input: &[i32]) {
    for zero_point in [0, 100, 128, 255] {
        let Some(found) = conv.codes(zero_point) else { continue };
        let codes: Vec<u8> = input.iter().map(|&x| x as u8).collect();
        let numbers: Vec<i32> = codes.iter().map(|&code| i32::from(code) - zero_point).collect();
        let expected = conv.forward(&numbers).expect("they are small");
        for path in PATHS.into_iter().filter(|&path| conv.takes_codes(path)) {
            let codes_sums = CodeSums { path, ..found };
            let mut sums = vec![0; expected.len()];
            // A room that served another layer before.
            let mut room = CodeRoom::default();
            for _ in 0..2 {
                let take = |handed: Sums<'_>| {
                    for (run, index) in handed.runs() {
                        for (sum, part) in sums[index..].iter_mut().zip(&handed.sums[run]) {
                            *sum = i64::from(part + handed.missing) * i64::from(found.unit());
                        }
                    }
                };
                codes_sums.sum(&codes, &mut room, take).expect("the input fits");
                assert!(sums == expected, "{path:?} {zero_point} on {:?}", conv.geometry);
                assert!(sums.iter().all(|sum| sum.abs() <= found.bound() * i64::from(found.unit())));
            }
        }
    }
}

/// Compares the sums of a third of the rows, in every type of input, with those of all rows whose other weights are 0.
fn check_rows(geometry: &Geometry, codes: &[i32], input: &[i32]) {
    let all = geometry.rows();
    for rows in [0..all, all / 3..all.div_ceil(2), all - 1..all] {
        let of_rows = |(index, &code): (usize, &i32)| if rows.contains(&(index % all)) { code } else { 0 };
        let expected = reference(geometry, &codes.iter().enumerate().map(of_rows).collect::<Vec<_>>(), input);
        let conv = IntegerConv::of_rows("layer", geometry, codes.into(), rows).expect("it is small");
        assert_eq!(conv.forward(input), Ok(expected.clone()));
        check_codes(&conv, input);
        let largest = input.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        let Ok(shorts) = input.iter().map(|&x| i16::try_from(x)).collect::<Result<Vec<_>, _>>() else { continue };
        let Some(found) = conv.shorts(largest as u16) else { continue };
        let is_possible = |path: &Path| match path {
            Path::Narrow => true,
            Path::Pairs(vectors) => vectors.pairs().is_some(),
            Path::Bytes(_) | Path::Parts(_) | Path::Depthwise | Path::Wide => false,
        };
        for path in PATHS.into_iter().skip_while(|&path| path != found.path).filter(is_possible) {
            let (mut sums, mut sheets) =
                (vec![0; expected.len()], vec![0; geometry.spec().repeats * geometry.spec().filters]);
            let take = |handed: Sums<'_>| {
                for (run, index) in handed.runs() {
                    for (sum, &part) in sums[index..].iter_mut().zip(&handed.sums[run]) {
                        *sum = i64::from(part) * i64::from(found.unit());
                    }
                }
                sheets[handed.start / conv.sheet()] += handed.sums.len();
            };
            ShortSums { path, ..found }.sum(&shorts, &mut CodeRoom::default(), take).expect("the input fits");
            assert!(sums == expected, "{path:?} on {geometry:?}");
            assert!(sheets.iter().all(|&len| 0 < len && len <= conv.sheet()), "every sheet has its strips");
        }
    }
}

/// Geometry, grid, codes of `1..=17` bits, and an input that is signed or not, of up to 17 bits and maybe extreme.
fn cases() -> impl Strategy<Value = (Geometry, Grid, Vec<i32>, Vec<i32>)> {
    let ranges = (1u32..=17, prop_oneof![Just(8u32), 1u32..=16], any::<bool>(), any::<bool>());
    (geometries(), prop_oneof![Just(Grid::MidRise), Just(Grid::MidTread)], ranges).prop_flat_map(
        |(geometry, grid, (code_bits, input_bits, signed, extreme))| {
            let top = (1i32 << code_bits) - 1;
            let code = match grid {
                Grid::MidRise => prop_oneof![Just(0), (0..=top / 2, any::<bool>()).prop_map(odd)].boxed(),
                Grid::MidTread => (-(top / 2)..=top / 2).prop_map(|half| 2 * half).boxed(),
            };
            let high = 1i32 << input_bits;
            let low = if signed { -high } else { 0 };
            let input = match extreme {
                true => prop_oneof![Just(low), Just(high)].boxed(),
                false => (low..high).boxed(),
            };
            let weights = geometry.weight_shape().len().expect("it is small");
            (
                Just(geometry),
                Just(grid),
                prop::collection::vec(code, weights),
                prop::collection::vec(input, geometry.input_len()),
            )
        },
    )
}

fn odd((half, negative): (i32, bool)) -> i32 {
    let code = 2 * half + 1;
    if negative { -code } else { code }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_path_equals_seven_loops((geometry, grid, codes, input) in cases()) {
        check_all_paths(&geometry, grid, &codes, &input);
        check_rows(&geometry, &codes, &input);
    }
}

fn dense(channels: usize, filters: usize) -> Geometry {
    Geometry::new(GeometrySpec::convolution(channels, filters, [1, 1], [1, 1])).expect("a dense layer is a geometry")
}

#[test]
fn sums_beyond_32_bits_are_exact_on_every_path() {
    let cases: [(i32, i32); 8] = [
        (MAX_CODE, MAX_ACTIVATION),
        (-MAX_CODE, MAX_ACTIVATION),
        (-MAX_CODE, -MAX_ACTIVATION),
        (32767, -32768),
        (32767, 65535),
        (-32767, -32768),
        (127, 255),
        (-127, -128),
    ];
    let cases = cases.into_iter().flat_map(|(code, x)| [1, 2, 70_000].map(move |rows| (code, x, rows)));
    check_all(cases, |&(code, x, rows)| {
        let geometry = dense(rows, 3);
        check_all_paths(&geometry, Grid::MidRise, &vec![code; 3 * rows], &vec![x; rows]);
    });
}

#[test]
fn the_fastest_possible_path_is_taken() {
    let geometry = dense(64, 10);
    let paths = |grid, code: i32, low: i32, high: i32| {
        let mut input = vec![low; 64];
        input[7] = high;
        check_all_paths(&geometry, grid, &[code; 640], &input)
    };
    let all = || Vectors::ALL.into_iter();
    let bytes = all().filter(|vectors| vectors.bytes().is_some()).map(Path::Bytes);
    let pairs: Vec<Path> = all().filter(|vectors| vectors.pairs().is_some()).map(Path::Pairs).collect();
    let vector: Vec<Path> = bytes.chain(pairs.iter().copied()).collect();
    let with = |paths: &[Path], more: &[Path]| [paths, more].concat();
    use Path::{Narrow, Wide};
    assert_eq!(paths(Grid::MidRise, 15, 0, 255), with(&vector, &[Narrow, Wide]));
    assert_eq!(paths(Grid::MidRise, -15, -128, 127), with(&vector, &[Narrow, Wide]));
    assert_eq!(paths(Grid::MidTread, 254, -3, 252), with(&vector, &[Narrow, Wide]));
    assert_eq!(paths(Grid::MidRise, 255, 0, 255), with(&pairs, &[Narrow, Wide]));
    assert_eq!(paths(Grid::MidRise, 15, 0, 256), with(&pairs, &[Narrow, Wide]));
    assert_eq!(paths(Grid::MidRise, 255, 0, 65535), with(&pairs, &[Narrow, Wide]));
    assert_eq!(paths(Grid::MidRise, 1023, 0, 65535), with(&pairs, &[Wide]));
    assert_eq!(paths(Grid::MidRise, 1, -65536, 65536), [Narrow, Wide]);
    assert_eq!(paths(Grid::MidRise, 32767, -32768, 32767), [Wide]);
}

#[test]
fn weights_of_9_bits_are_summed_as_bytes_and_an_offset() {
    let geometry = dense(70, 12);
    let path = |grid: Grid, codes: Vec<i32>| {
        let input: Vec<i32> = (0..70).map(|i| i * 37 % 256).collect();
        let conv = conv(&geometry, grid, &codes);
        check_codes(&conv, &input);
        conv.codes(3).expect("sums are small").path
    };
    let odd: Vec<i32> = (0..840).map(|i| i * 97 % 256 * 2 - 255).collect();
    let other = path(Grid::MidRise, vec![301; 840]);
    let expected = Vectors::ALL.into_iter().find(|vectors| vectors.bytes().is_some()).map_or(other, Path::Parts);
    assert_eq!(path(Grid::MidRise, odd.clone()), expected);
    // Filters that are pruned as wholes are left out of the sum of inputs.
    let mut filters = odd.clone();
    filters[140..280].fill(0);
    assert_eq!(path(Grid::MidRise, filters), expected);
    // Single weights that are pruned are even, and the others too far from one another.
    let mut single = odd;
    single[141] = 0;
    assert_eq!(path(Grid::MidRise, single), other);
    // Unsigned bytes less their zero point, one filter pruned.
    for zero_point in [3, 131, 255] {
        let mut codes: Vec<i32> = (0..840).map(|i| 2 * (i * 97 % 256 - zero_point)).collect();
        codes[70..140].fill(0);
        assert_eq!(path(Grid::MidTread, codes.clone()), expected, "{zero_point}");
        // One weight that lies too far away.
        codes[5] = if zero_point > 127 { 2 * (256 - zero_point) } else { -2 * (zero_point + 1) };
        codes[6] = if zero_point > 127 { -2 * zero_point } else { 2 * (255 - zero_point) };
        assert_eq!(path(Grid::MidTread, codes), other, "{zero_point}");
    }
}

#[test]
fn channels_with_filters_of_their_own_are_summed_channel_by_channel() {
    let kernels = [([3, 3], [1; 2]), ([5, 5], [1; 2]), ([1, 4], [1; 2]), ([3, 2], [2, 3]), ([7, 1], [1; 2])];
    let strides = [[1, 1], [2, 2], [1, 2], [3, 1]];
    let sizes = [[9, 4], [6, 8], [11, 16], [40, 33], [130, 20], [12, 1]];
    let cases = kernels.iter().flat_map(|&kernel| strides.map(|stride| (kernel, stride)));
    check_all(cases, |&((kernel, dilation), stride)| {
        for (in_size, pads) in
            sizes.iter().flat_map(|&size| [[0; 4], [1; 4], [0, 0, 1, 1], [3, 2, 0, 4]].map(|p| (size, p)))
        {
            for (columns, repeats) in [(1, 1), (2, 2)] {
                let spec = GeometrySpec {
                    stride,
                    dilation,
                    pads,
                    repeats,
                    groups: 5,
                    ..GeometrySpec::convolution(5, 5 * columns, kernel, in_size)
                };
                let Ok(geometry) = Geometry::new(spec) else { continue };
                let mut random = testkit::Random::new(7);
                let mut codes: Vec<i32> =
                    (0..5 * columns * geometry.rows()).map(|_| 2 * random.below(400) as i32 - 400).collect();
                codes[..geometry.rows()].fill(0);
                let input: Vec<i32> = (0..geometry.input_len()).map(|_| random.below(256) as i32).collect();
                let conv = conv(&geometry, Grid::MidTread, &codes);
                assert_eq!(conv.codes(0).expect("sums are small").path, Path::Depthwise);
                check_codes(&conv, &input);
                assert_eq!(conv.forward(&input), Ok(reference(&geometry, &codes, &input)));
            }
        }
    });
}

#[test]
fn pruned_filters_and_channels_change_no_sum() {
    let geometry = Geometry::new(GeometrySpec { pads: [1; 4], ..GeometrySpec::convolution(18, 20, [3, 3], [5, 6]) });
    let geometry = geometry.expect("it is small");
    let mut random = testkit::Random::new(11);
    let input: Vec<i32> = (0..geometry.input_len()).map(|_| random.below(256) as i32).collect();
    let rows = geometry.rows();
    let prunings: [fn(usize, usize) -> bool; 5] = [
        |_, _| true,
        |filter, _| filter % 2 == 0,
        |_, channel| channel < 9,
        |filter, channel| filter < 9 && channel / 4 % 2 == 0,
        |filter, channel| filter % 8 == channel % 8,
    ];
    check_all(prunings, |is_pruned| {
        let code = |i: usize| if is_pruned(i / rows, i % rows / 9) { 0 } else { (i * 37 % 64) as i32 * 2 - 63 };
        let codes: Vec<i32> = (0..20 * rows).map(code).collect();
        let conv = conv(&geometry, Grid::MidRise, &codes);
        check_all_paths(&geometry, Grid::MidRise, &codes, &input);
        check_codes(&conv, &input);
    });
}

#[test]
fn wrong_inputs_are_refused() {
    let conv = conv(&dense(2, 1), Grid::MidRise, &[1, -1]);
    let shape = EngineError::Shape { layer: "layer".to_string(), what: "input", expected: 2, found: 3 };
    assert_eq!(conv.forward(&[0; 3]), Err(shape));
    check_all([MAX_ACTIVATION + 1, i32::MIN, i32::MAX], |&x| {
        let message = conv.forward(&[0, x]).expect_err("it is too large").to_string();
        assert_eq!(message, format!("layer layer: activation 1 is {x}; integer activations reach ±65536 at most"));
    });
}
