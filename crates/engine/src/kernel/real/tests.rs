use network::GeometrySpec;
use proptest::prelude::*;
use testkit::{geometries, products};

use super::*;

/// The scalar loop of the documentation.
fn reference(geometry: &Geometry, weights: &[f32], input: &[f32], tile_rows: usize) -> Vec<f32> {
    let mut sums = vec![0.0f32; geometry.output_len()];
    let (mut row, mut partial) = (0, 0.0f32);
    products(geometry, |output, weight, index| {
        partial = weights[weight].mul_add(index.map_or(0.0, |index| input[index]), partial);
        row += 1;
        if row % tile_rows == 0 || row == geometry.rows() {
            sums[output] += partial;
            partial = 0.0;
        }
        row %= geometry.rows();
    });
    sums
}

/// IEEE 754 leaves open which NaN it is.
fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }).collect()
}

/// What is handed over, in a room that held something before.
fn handed_sums(conv: &RealConv, input: &[f32]) -> Vec<f32> {
    let mut room = RealRoom::default();
    let other: Vec<f32> = input.iter().map(|x| x - 1.0).collect();
    conv.sum(&other, &mut room, |_| {}).expect("the input has the right length");
    let mut sums = vec![f32::NAN; conv.geometry.output_len()];
    let take = |handed: Sums<'_, f32>| {
        for (run, index) in handed.runs() {
            sums[index..index + run.len()].copy_from_slice(&handed.sums[run]);
        }
    };
    conv.sum(input, &mut room, take).expect("the input has the right length");
    sums
}

/// The partial sums of all tiles, each output's handed over once a tile.
fn sum_of_tiles(conv: &RealConv, input: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; conv.geometry.output_len()];
    for tile in 0..conv.tiles() {
        let mut handed = vec![0; sums.len()];
        let mut add = |at: usize, partial: &[f32]| {
            for (i, partial) in partial.iter().enumerate() {
                sums[at + i] += partial;
                handed[at + i] += 1;
            }
        };
        conv.forward_tile(tile, input, &mut add).expect("the input has the right length");
        assert!(handed.iter().all(|&times| times == 1), "every output once");
    }
    sums
}

/// Geometry, weights, input and rows of a tile.
fn cases() -> impl Strategy<Value = (Geometry, Vec<f32>, Vec<f32>, Option<usize>)> {
    let number = || prop_oneof![-4.0f32..4.0, Just(0.0), Just(-0.0), Just(1e-40), Just(3e30), Just(-1e-12)];
    (geometries(), prop_oneof![Just(None), (1usize..=40).prop_map(Some)]).prop_flat_map(move |(geometry, tile_rows)| {
        let weights = geometry.weight_shape().len().expect("it is small");
        (
            Just(geometry),
            prop::collection::vec(number(), weights),
            prop::collection::vec(number(), geometry.input_len()),
            Just(tile_rows),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_path_equals_the_scalar_loop_bit_by_bit((geometry, weights, input, tile_rows) in cases()) {
        let expected = reference(&geometry, &weights, &input, tile_rows.unwrap_or(usize::MAX));
        for path in PATHS.into_iter().filter(|&path| machine(path).is_some()) {
            let tile_rows = tile_rows.and_then(NonZeroUsize::new);
            let conv = RealConv::with_path(path, "layer", &geometry, &weights, tile_rows).expect("it is small");
            let sums = conv.forward(&input).expect("the input has the right length");
            prop_assert_eq!(bits(&sums), bits(&expected), "{:?}", path);
            prop_assert_eq!(bits(&handed_sums(&conv, &input)), bits(&expected), "{:?}, handed over", path);
            prop_assert_eq!(bits(&sum_of_tiles(&conv, &input)), bits(&expected), "{:?}, tile by tile", path);
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let geometry = Geometry::new(GeometrySpec::convolution(2, 1, [1, 1], [1, 1])).expect("a dense layer is a geometry");
    let shape = |what, found| EngineError::Shape { layer: "layer".to_string(), what, expected: 2, found };
    let refused = RealConv::new("layer", &geometry, &[1.0], None).map(|_| ());
    assert_eq!(refused, Err(shape("weights", 1)));
    let conv = RealConv::new("layer", &geometry, &[1.0, 2.0], None).expect("the lengths agree");
    assert_eq!(conv.forward(&[0.0; 3]), Err(shape("input", 3)));
    assert_eq!(conv.forward(&[0.5, 0.25]), Ok(vec![1.0]));
}
