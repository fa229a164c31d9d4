//! Do the numbers of an array reach the network's input in the order that the network takes, and is what fits in two ways
//! refused?

use std::path::Path;

use formats::images::{
    ArrayLayout, ChannelOrder, Image, ImageError, ImageOptions, Images, Layout, NetworkInput, Preprocessing,
};
use network::{DataType, Failure, Mend, Network};
use testkit::{Net, check_all, model};

/// Writes an array of two-byte numbers 0, 1, 2, …
fn counting(folder: &Path, shape: &[usize]) -> std::path::PathBuf {
    let path = folder.join("x.npy");
    let numbers: Vec<u8> = (0..shape.iter().product::<usize>() as u16).flat_map(u16::to_le_bytes).collect();
    let shape = format!("{shape:?}").replace('[', "(").replace(']', ",)");
    let header = format!("{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    std::fs::write(&path, [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), &numbers].concat()).unwrap();
    path
}

/// An input of this shape, whose channels lie so as the graph has it.
fn input(shape: &[usize], layout: Option<Layout>) -> NetworkInput {
    NetworkInput { layout, ..shape.into() }
}

/// What a network of this input gets of all examples of an array of the numbers 0, 1, 2, …
fn fed(shape: &[usize], input: &NetworkInput, said: Option<ArrayLayout>) -> Result<Vec<Vec<f32>>, ImageError> {
    let folder = tempfile::tempdir().unwrap();
    let options = ImageOptions { input: Some(input.clone()), layout: said, ..ImageOptions::default() };
    let images = Images::open(&counting(folder.path(), shape), &options)?;
    let input = NetworkInput { layout: images.fitted().or(input.layout), ..input.clone() };
    let none = Preprocessing::named("none").unwrap();
    let bgr = Preprocessing { channel_order: ChannelOrder::Bgr, ..none.clone() };
    // In planes first, or as they are stored: there is no difference.
    for (index, preprocessing) in (0..images.len()).flat_map(|index| [(index, &none), (index, &bgr)]) {
        let planes = images.get(index).and_then(|image| preprocessing.apply_for(&image, &input));
        let stored = images.input(index, preprocessing, &input);
        assert_eq!(stored.map_err(|e| e.to_string()), planes.map_err(|e| e.to_string()));
    }
    (0..images.len()).map(|index| images.input(index, &none, &input)).collect()
}

/// The numbers 0, 1, 2, … of examples of a matrix `[rows, columns]`, with rows and columns exchanged.
fn exchanged(examples: usize, rows: usize, columns: usize) -> Vec<Vec<f32>> {
    let example = |n: usize| {
        let number = |row: usize, column: usize| ((n * rows + row) * columns + column) as f32;
        (0..columns).flat_map(|column| (0..rows).map(move |row| number(row, column))).collect()
    };
    (0..examples).map(example).collect()
}

fn in_order(examples: usize, numbers: usize) -> Vec<Vec<f32>> {
    exchanged(examples, numbers, 1)
}

const FIRST: Option<ArrayLayout> = Some(ArrayLayout::ChannelsFirst);
const LAST: Option<ArrayLayout> = Some(ArrayLayout::ChannelsLast);
const AS_IS: Option<ArrayLayout> = Some(ArrayLayout::AsIs);
const NCHW: Option<Layout> = Some(Layout::Nchw);
const NHWC: Option<Layout> = Some(Layout::Nhwc);

#[test]
fn an_array_of_the_inputs_own_shape_is_taken_as_it_is() {
    let shapes: [&[usize]; 14] = [
        &[1, 32],
        &[9, 128],
        &[16_000],
        &[490],
        &[1],
        &[49, 10, 1],
        &[30, 1, 40],
        &[1, 30, 40],
        &[3, 8, 5],
        &[13, 4, 6],
        &[7, 5, 12],
        &[28, 28],
        &[1, 1, 1],
        &[2, 3, 4, 5],
    ];
    check_all(shapes, |example| {
        let numbers: usize = example.iter().product();
        let (array, shape) = ([&[2], *example].concat(), [&[1], *example].concat());
        assert_eq!(fed(&array, &input(&shape, None), None).unwrap(), in_order(2, numbers), "{example:?}");
        for said in [None, AS_IS] {
            for layout in [NCHW, NHWC].into_iter().filter(|_| example[0] != example[example.len() - 1]) {
                let found = fed(&array, &input(&shape, layout), said).unwrap();
                assert_eq!(found, in_order(2, numbers), "{example:?}, {layout:?}, {said:?}");
            }
        }
    });
}

#[test]
fn channels_go_where_the_network_has_them() {
    // Any number of channels: array, input, rows and columns of an example that are exchanged.
    for channels in [2, 3, 4, 6, 12, 13] {
        let cases: [([usize; 4], [usize; 4], [usize; 2]); 2] = [
            ([2, 5, 7, channels], [1, channels, 5, 7], [35, channels]),
            ([2, channels, 5, 7], [1, 5, 7, channels], [channels, 35]),
        ];
        for (array, shape, [rows, columns]) in cases {
            for said in [None, if array[1] == channels { FIRST } else { LAST }] {
                let found = fed(&array, &input(&shape, None), said).unwrap();
                assert_eq!(found, exchanged(2, rows, columns), "{array:?} for {shape:?}, {said:?}");
            }
            assert!(fed(&array, &input(&shape, None), AS_IS).is_err(), "{array:?} for {shape:?}");
        }
        let found = fed(&[2, 11, channels], &input(&[1, channels, 11], None), None).unwrap();
        assert_eq!(found, exchanged(2, 11, channels), "{channels} channels of a signal");
        let found = fed(&[2, channels, 11], &input(&[1, 11, channels], NHWC), None).unwrap();
        assert_eq!(found, exchanged(2, channels, 11), "{channels} channels of a signal, last");
    }
}

#[test]
fn axes_of_extent_1_may_be_there_or_not() {
    /// Array, input, where its channels lie.
    type Case<'a> = (&'a [usize], &'a [usize], Option<Layout>);
    let cases: [Case<'_>; 14] = [
        (&[2, 32], &[1, 1, 32], None),
        (&[2, 1, 32], &[1, 1, 32], NCHW),
        (&[2, 32, 1], &[1, 1, 32], NCHW),
        (&[2, 1, 1, 32], &[1, 32], None),
        (&[2], &[1, 1], None),
        (&[2, 1], &[1, 1], None),
        (&[2, 1, 1], &[1, 1], None),
        (&[2, 28, 28], &[1, 28, 28, 1], NHWC),
        (&[2, 28, 28], &[1, 1, 28, 28], NCHW),
        (&[2, 1, 28, 28], &[1, 28, 28], None),
        (&[2, 490], &[1, 49, 10, 1], NHWC),
        (&[2, 49, 10], &[1, 490], None),
        (&[2, 9, 128, 1], &[1, 9, 128], NCHW),
        (&[2, 30, 40], &[1, 30, 1, 40], NHWC),
    ];
    check_all(cases, |&(array, shape, layout)| {
        let numbers = shape.iter().product();
        assert_eq!(fed(array, &input(shape, layout), None).unwrap(), in_order(2, numbers), "{array:?} for {shape:?}");
    });
}

#[test]
fn one_example_may_lack_the_axis_that_counts() {
    /// Array, input, and what is said.
    type Case<'a> = (&'a [usize], &'a [usize], Option<ArrayLayout>);
    let cases: [Case<'_>; 4] = [
        (&[9, 128], &[1, 9, 128], None),
        (&[490], &[1, 490], None),
        (&[12, 4, 6], &[1, 12, 4, 6], None),
        (&[3, 6, 5], &[1, 3, 6, 5], AS_IS),
    ];
    check_all(cases, |&(array, shape, said)| {
        let numbers = array.iter().product();
        assert_eq!(fed(array, &input(shape, None), said).unwrap(), in_order(1, numbers), "{array:?}");
    });
    // Three grey pictures, where a person says that there is an axis that counts.
    assert_eq!(fed(&[3, 6, 5], &input(&[1, 3, 6, 5], None), FIRST).unwrap().len(), 3);
}

#[test]
fn what_fits_in_two_ways_is_refused_until_one_is_said() {
    let [cube, planes] = [27, 12].map(|numbers| in_order(2, numbers));
    let turned = exchanged(2, 9, 3);
    /// Array, input, where its channels lie; what is fed if they are said to come first, last, as they are.
    type Case<'a> = (&'a [usize], &'a [usize], Option<Layout>, [&'a [Vec<f32>]; 3]);
    let (signal, rows) = (exchanged(2, 4, 4), in_order(2, 16));
    let (pixels, back) = (exchanged(2, 4, 3), exchanged(2, 3, 4));
    let other = exchanged(2, 3, 9);
    let cases: [Case<'_>; 7] = [
        (&[2, 3, 3, 3], &[1, 3, 3, 3], None, [&cube, &turned, &cube]),
        (&[2, 3, 3, 3], &[1, 3, 3, 3], NCHW, [&cube, &turned, &cube]),
        (&[2, 3, 3, 3], &[1, 3, 3, 3], NHWC, [&other, &cube, &cube]),
        (&[2, 4, 4], &[1, 4, 4], NCHW, [&rows, &signal, &rows]),
        (&[2, 12], &[1, 3, 2, 2], NCHW, [&planes, &pixels, &planes]),
        (&[2, 12], &[1, 2, 2, 3], NHWC, [&back, &planes, &planes]),
        (&[2, 3, 3, 3], &[1, 27], None, [&cube, &turned, &cube]),
    ];
    check_all(cases, |&(array, shape, layout, expected)| {
        let input = input(shape, layout);
        let error = fed(array, &input, None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("x.npy") && text.contains(&format!("{array:?}")), "{text}");
        assert!(text.contains("channels first") && text.contains("channels last"), "{text}");
        assert_eq!(error.mend(), Some(Mend::SayLayout), "{text}");
        for (said, expected) in [FIRST, LAST, AS_IS].into_iter().zip(expected) {
            assert_eq!(fed(array, &input, said).unwrap(), expected, "{array:?} for {shape:?}, {said:?}");
        }
        // A person who says where the network has its channels says it of an array of the network's shape, too.
        if array[1..] == shape[1..] && layout.is_some() {
            let said = NetworkInput { is_said: true, ..input };
            assert_eq!(fed(array, &said, None).unwrap(), expected[2], "{array:?}");
        }
    });
    // Where the network has its channels decides, and nothing says it.
    let error = fed(&[2, 4, 4, 4], &input(&[1, 4, 4, 4], None), LAST).unwrap_err();
    assert_eq!(error.mend(), Some(Mend::SayInputLayout), "{error}");
    assert_eq!(fed(&[2, 4, 4, 4], &input(&[1, 4, 4, 4], None), AS_IS).unwrap(), in_order(2, 64));
    let error = fed(&[3, 6, 5], &input(&[1, 3, 6, 5], None), None).unwrap_err().to_string();
    assert!(error.contains("one example") && error.contains("3 grey pictures"), "{error}");
}

#[test]
fn other_shapes_are_refused_with_those_that_fit() {
    /// Array, input, where its channels lie, and a part of the message.
    type Case<'a> = (&'a [usize], &'a [usize], Option<Layout>, &'a str);
    let cases: [Case<'_>; 10] = [
        (&[2, 31], &[1, 1, 32], None, "[2, 31] for a network input of [1, 1, 32]; expected [N, 1, 32]"),
        (&[2, 128, 8], &[1, 9, 128], NCHW, "expected [N, 9, 128]; or [N, 128, 9], channels last"),
        (&[2, 31, 1, 40], &[1, 30, 1, 40], NHWC, "expected [N, 30, 1, 40]; or [N, 40, 30, 1], channels first"),
        (&[2, 12, 8, 8], &[1, 13, 8, 8], None, "[2, 12, 8, 8] for a network input of [1, 13, 8, 8]"),
        (&[2, 12, 8, 8], &[1, 3, 8, 8], None, "expected [N, 3, 8, 8]; or [N, 8, 8, 3], channels last"),
        (&[2, 4, 4, 4], &[1, 3, 3, 3], None, "[2, 4, 4, 4] for a network input of [1, 3, 3, 3]"),
        (&[2, 489], &[1, 490], None, "expected [N, 490]"),
        (&[2, 1, 1, 64], &[1, 1, 1, 32], None, "expected [N, 1, 1, 32]"),
        (&[2, 700], &[1, 1, 28, 28], None, "expected [N, 1, 28, 28]"),
        (&[2, 2, 2], &[1, 3, 8, 8, 8], None, "expected [N, 3, 8, 8, 8]"),
    ];
    check_all(cases, |&(array, shape, layout, expected)| {
        let text = fed(array, &input(shape, layout), None).unwrap_err().to_string();
        assert!(text.contains(expected) && text.contains("x.npy: an array of shape"), "{text}, not {expected}");
    });
}

#[test]
fn pictures_are_still_resized_and_coloured() {
    let cases: [(&[usize], &[usize]); 4] = [
        (&[2, 4, 4, 3], &[1, 3, 8, 8]),
        (&[2, 1, 8, 8], &[1, 3, 8, 8]),
        (&[2, 9, 9], &[1, 8, 8, 3]),
        (&[2, 3, 9, 9], &[1, 1, 8, 8]),
    ];
    check_all(cases, |&(array, shape)| {
        let found = fed(array, &input(shape, None), None).unwrap();
        assert_eq!((found.len(), found[0].len()), (2, shape.iter().product()), "{array:?} for {shape:?}");
    });
    // What has as many channels as the network, one example of which is a row, is no picture.
    assert!(fed(&[2, 3, 64, 3], &input(&[1, 3, 8, 8], None), None).is_err());
}

#[test]
fn the_graph_tells_where_the_channels_lie() {
    let conv = |shape: &[i64], perm: Option<&[i64]>, weights: &[i64]| -> Network {
        let model = model().input("x", shape).weights("w", weights);
        let read = if perm.is_some() { "t" } else { "x" };
        let model = match perm {
            Some(perm) => model.node_with("Transpose", &["x"], &["t"], vec![testkit::int_list("perm", perm)]),
            None => model,
        };
        model.node("Conv", &[read, "w"], &["y"]).read()
    };
    let unsqueezed = model()
        .input("x", &[1, 11, 6])
        .ints("to", &[1, 1, 11, 6])
        .node("Reshape", &["x", "to"], &["r"])
        .node_with("Transpose", &["r"], &["t"], vec![testkit::int_list("perm", &[0, 3, 1, 2])])
        .weights("w", &[2, 6, 1, 3])
        .node("Conv", &["t", "w"], &["y"])
        .read();
    let (mut flat, x) = Net::new(&[1, 28, 28]);
    let rows = flat.flatten(x);
    let cases: [(&str, Network, Option<Layout>); 7] = [
        ("a convolution", conv(&[1, 4, 5, 6], None, &[2, 4, 1, 1]), NCHW),
        ("a convolution of a signal", conv(&[1, 4, 5], None, &[2, 4, 1]), NCHW),
        ("behind a transpose", conv(&[1, 5, 6, 4], Some(&[0, 3, 1, 2]), &[2, 4, 1, 1]), NHWC),
        ("a signal behind a transpose", conv(&[1, 5, 4], Some(&[0, 2, 1]), &[2, 4, 1]), NHWC),
        ("the height for channels", conv(&[1, 5, 4, 6], Some(&[0, 2, 1, 3]), &[2, 4, 1, 1]), None),
        ("a signal as a picture", unsqueezed, NHWC),
        ("no convolution", flat.classify(rows), None),
    ];
    check_all(cases, |(name, network, expected)| {
        assert_eq!(NetworkInput::of(network, None).unwrap().layout, *expected, "{name}");
        assert_eq!(NetworkInput::of(network, NHWC).unwrap().layout, NHWC, "{name}");
    });
}

#[test]
fn an_input_of_no_axes_has_no_batch_to_move() {
    let network = model()
        .input("x", &[])
        .ints("to", &[1, 1])
        .node("Reshape", &["x", "to"], &["r"])
        .weights("w", &[1, 2])
        .node("MatMul", &["r", "w"], &["y"])
        .read();
    assert!(NetworkInput::of(&network, None).unwrap().example().is_empty());
}

#[test]
fn a_layout_is_said_of_arrays_alone() {
    let folder = tempfile::tempdir().unwrap();
    let options = ImageOptions { layout: AS_IS, ..ImageOptions::default() };
    let error = Images::open(folder.path(), &options).unwrap_err().to_string();
    assert!(error.contains("a layout is said of arrays"), "{error}");
}

/// A network of one input of this type.
fn taking(element: i32) -> Network {
    let mut model = model().floats("w", &[1, 2, 1], &[1.0; 2]);
    model.graph.input.push(testkit::value_info("x", element, &[1, 2, 3]));
    let to = vec![testkit::int("to", 1)];
    model.node_with("Cast", &["x"], &["f"], to).node("Conv", &["f", "w"], &["y"]).read()
}

#[test]
fn numbers_of_the_inputs_own_type_are_taken_as_they_are() {
    let none = Preprocessing::named("none").unwrap();
    let minus_128 = Preprocessing { mean: vec![128.0], ..none.clone() };
    let unit = Preprocessing::default();
    // Numbers of ONNX for types: float 1, uint8 2, int8 3, int16 5.
    let cases = [
        (1, None, &unit),
        (1, Some(DataType::U8), &unit),
        (1, Some(DataType::I64), &unit),
        (1, Some(DataType::F32), &none),
        (1, Some(DataType::F64), &none),
        (2, None, &none),
        (2, Some(DataType::U8), &none),
        (2, Some(DataType::I64), &none),
        (3, None, &minus_128),
        (3, Some(DataType::U8), &minus_128),
        (3, Some(DataType::I8), &none),
        (5, Some(DataType::I16), &none),
        (5, Some(DataType::I64), &none),
        (5, None, &none),
    ];
    check_all(cases, |&(element, numbers, expected)| {
        assert_eq!(Preprocessing::default_for(&taking(element), numbers), *expected, "{element} of {numbers:?}");
    });
}

#[test]
fn integers_are_never_made_of_parts() {
    let image = Image { name: "x[0]".into(), channels: 1, height: 1, width: 2, data: vec![0.25, 1.0] };
    let input = NetworkInput { data_type: Some(DataType::I8), ..[1, 2][..].into() };
    let error = Preprocessing::named("none").unwrap().apply_for(&image, &input).unwrap_err().to_string();
    assert!(error.contains("x[0]: 0.25 is no int8, which the network takes"), "{error}");
    let far = Image { data: vec![-129.0, 1.0], ..image };
    let beyond = Preprocessing::named("none").unwrap().apply_for(&far, &input).unwrap_err();
    assert!(beyond.to_string().contains("-129 is no int8") && beyond.mend().is_none(), "{beyond}");
}

#[test]
fn an_array_of_no_image_is_refused_whatever_its_extents() {
    check_all([[0, 3, 4, 4], [0, 3, 1 << 40, 1 << 40], [0, 1 << 40, 1 << 40, 3]], |shape| {
        let folder = tempfile::tempdir().unwrap();
        let error = Images::open(&counting(folder.path(), shape), &ImageOptions::default()).expect_err("no image");
        assert!(error.to_string().contains("there is no image in it"), "{error}");
    });
}
