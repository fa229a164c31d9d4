//! Do topology files give layers their geometry, and do rows and weights that differ refuse each other?

use std::path::Path;

use formats::ReadOptions;
use formats::topology::{Topology, write};
use formats::weight_writer::{WeightFormat, WeightList};
use network::{
    Geometry, GeometrySpec, MacLayer, MacOp, Network, NetworkBuilder, NetworkError, Operand, Value, ValueId,
    WeightSource,
};
use proptest::prelude::*;
use testkit::{check_all, texts};

const CONV: &str =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n";

/// A file of zeros of these names and shapes.
fn safetensors(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let mut end = 0;
    let entry = |(name, shape): &(&str, &[usize])| {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#)
    };
    let header = format!("{{{}}}", tensors.iter().map(entry).collect::<Vec<_>>().join(","));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; end]].concat()
}

fn read(weights: Vec<u8>, topology: &str) -> Result<Network, NetworkError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.csv");
    std::fs::write(&path, topology).expect("writable");
    formats::from_bytes("w.safetensors", weights.into(), &ReadOptions { topology: Some(path), ..Default::default() })
}

fn problem<T: std::fmt::Debug>(result: Result<T, NetworkError>) -> String {
    let text = network::chain(&result.expect_err("it is refused"));
    assert!(text.chars().all(|c| !c.is_control()), "one line: {text:?}");
    text
}

/// Groups, input channels and positions of every layer.
fn geometry(network: &Network) -> Vec<(usize, usize, u64)> {
    let of = |layer: &MacLayer| {
        let spec = layer.geometry.spec();
        (spec.groups, spec.in_channels, layer.geometry.positions())
    };
    network.layers().iter().map(of).collect()
}

/// Shape of the tensor, row of the file; groups, input channels and positions of the layer.
type Case = (&'static [usize], &'static str, (usize, usize, u64));

#[test]
fn rows_give_output_positions() {
    let conv: &[usize] = &[8, 3, 3, 3];
    let cases: [Case; 9] = [
        (conv, "a, 34, 34, 3, 3, 3, 8, 1,", (1, 3, 1024)),
        (conv, "a, 34, 18, 3, 3, 3, 8, 2", (1, 3, 16 * 8)),
        (conv, "a, 3, 3, 3, 3, 3, 8, 1,", (1, 3, 1)),
        // A product stands as a convolution of one pixel or of all that it covers.
        (&[10, 64], "a, 1, 1, 1, 1, 64, 10, 1,", (1, 64, 1)),
        (&[10, 64], "a, 4, 4, 4, 4, 4, 10, 1,", (1, 64, 1)),
        (&[10, 64], "a, 7, 1, 1, 1, 64, 10, 1,", (1, 64, 7)),
        // All channels and filters / groups filters; all of both; one of both.
        (&[32, 1, 3, 3], "a, 114, 114, 3, 3, 32, 1, 1,", (32, 32, 112 * 112)),
        (&[32, 1, 3, 3], "a, 114, 114, 3, 3, 1, 1, 1,#dw", (32, 32, 112 * 112)),
        (&[32, 4, 3, 3], "a, 10, 10, 3, 3, 16, 8, 1,", (4, 16, 64)),
    ];
    check_all(cases, |(shape, row, expected)| {
        let network = read(safetensors(&[("a.weight", shape)]), &format!("{CONV}{row}\n")).expect("it fits");
        assert_eq!(geometry(&network), [*expected], "{row}");
        assert!(!network.has_graph());
        assert!(network.notes().iter().any(|note| note.text().contains("output positions are those of")));
        assert!(!network.notes().iter().any(|note| note.text().contains("one output position")));
    });
}

#[test]
fn products_give_output_positions() {
    let text = "Layer, M, N, K,\na, 49, 10, 64,\nb, 16, 8, 27,\n";
    let network = read(safetensors(&[("a.weight", &[10, 64]), ("b.weight", &[8, 3, 3, 3])]), text).expect("it fits");
    assert_eq!(geometry(&network), [(1, 64, 49), (1, 3, 16)]);
    let text = problem(read(safetensors(&[("a.weight", &[10, 64])]), "Layer, M, N, K,\na, 49, 64, 10,\n"));
    assert!(text.contains("line 2, layer \"a\"") && text.contains("[10, 64]") && text.contains("N = 64"), "{text}");
}

#[test]
fn one_channel_behind_a_layer_is_depthwise_or_in_doubt() {
    let rows = |filters: usize| format!("{CONV}a, 10, 10, 1, 1, 3, {filters}, 1,\nb, 10, 10, 3, 3, 1, 8, 1,\n");
    let with = |filters: usize| {
        let a = [filters, 3, 1, 1];
        read(safetensors(&[("a", &a), ("b", &[8, 1, 3, 3])]), &rows(filters))
    };
    assert_eq!(geometry(&with(8).expect("depthwise"))[1], (8, 8, 64));
    assert_eq!(geometry(&with(1).expect("one channel"))[1], (1, 1, 64));
    assert!(problem(with(4)).contains("one channel behind a layer of 4 filters"));
}

#[test]
fn rows_belong_to_weights_by_name_else_in_order() {
    let weights = || safetensors(&[("net.b.weight", &[4, 2]), ("net.a.weight", &[2, 4])]);
    let (a, b) = ("4, 2, 1,", "2, 4, 1,");
    let by_name = [
        format!("net.a, 3, 1, 1, 1, {a}\nnet.b, 5, 1, 1, 1, {b}\n"),
        format!("a, 3, 1, 1, 1, {a}\nb, 5, 1, 1, 1, {b}\n"),
        format!("model.a.weight, 3, 1, 1, 1, {a}\n\n model.b.weight ,5 , 1, 1, 1, {b}\n"),
    ];
    check_all(by_name, |rows| {
        let network = read(weights(), &format!("{CONV}{rows}")).expect("it fits");
        assert_eq!(geometry(&network), [(1, 2, 5), (1, 4, 3)], "{rows}");
        assert!(!network.notes().iter().any(|note| note.text().contains("in order")));
    });
    let network = read(weights(), &format!("{CONV}FC1, 5, 1, 1, 1, {b}\r\nFC2, 3, 1, 1, 1, {a}\r\n")).expect("it fits");
    assert_eq!(geometry(&network), [(1, 2, 5), (1, 4, 3)]);
    assert!(
        network.notes().iter().any(|note| note.text().contains("rows are taken in order")),
        "{:?}",
        network.notes()
    );
}

#[test]
fn what_does_not_fit_is_named_on_both_sides() {
    let weights = || safetensors(&[("a.weight", &[4, 2]), ("b.weight", &[2, 4])]);
    let cases = [
        ("a, 1, 1, 1, 1, 2, 4, 1,\n", "1 rows for 2 tensors of weights; weights without a row: \"b\""),
        ("a,1,1,1,1,2,4,1\nb,1,1,1,1,4,2,1\nc,1,1,1,1,4,2,1", "rows without weights: \"c\""),
        ("a,1,1,1,1,2,4,1\nb,1,1,1,1,4,3,1", "layer \"b\": it does not fit tensor \"b.weight\" of shape [2, 4]"),
        ("a,1,1,1,1,2,4,1\nb,2,2,3,3,4,2,1", "layer \"b\": it does not fit tensor \"b.weight\""),
        ("x,1,1,1,1,4,2,1\ny,1,1,1,1,2,4,1", "tensor \"a.weight\" of shape [4, 2] (names differ"),
        ("b,1,1,1,1,4,2,1\ny,1,1,1,1,2,4,1", "rows without weights: \"y\"; weights without a row: \"a\""),
        ("a,1,1,1,1,2,4,1\na,1,1,1,1,4,2,1", "weights without a row: \"b\""),
    ];
    check_all(cases, |(rows, expected)| {
        let text = problem(read(weights(), &format!("{CONV}{rows}")));
        assert!(text.contains(*expected) && text.contains("t.csv"), "{rows}: {text}");
    });
    let text = problem(read(safetensors(&[("a", &[8, 3, 5, 3])]), &format!("{CONV}a, 4, 4, 5, 3, 3, 8, 1,")));
    assert!(text.contains("a kernel of 5 does not fit a padded input of 4 along height"), "{text}");
    // Pruned to half of its channels: no group says so.
    let text = problem(read(safetensors(&[("a", &[8, 16, 3, 3])]), &format!("{CONV}a, 4, 4, 3, 3, 32, 8, 1,")));
    assert!(text.contains("the row has 32 channels and 8 filters"), "{text}");
}

#[test]
fn columns_are_found_by_their_headings() {
    let extra =
        "Layer name,Strides,Num Filter,Channels,Filter Width,Filter Height,IFMAP Width,IFMAP Height,Sparsity,\n";
    let network =
        read(safetensors(&[("a", &[8, 3, 3, 1])]), &format!("{extra}a,2,8,3,1,3,5,7,2:4,\n")).expect("it fits");
    assert_eq!(geometry(&network), [(1, 3, 9)]);
    let notes = texts(network.notes()).join("\n");
    assert!(
        notes.contains("not read (weights say what is zero, and costs are those of one image): \"Sparsity\""),
        "{notes}"
    );
    let two = CONV.replace("Strides", "Stride Height, Stride Width");
    let network = read(safetensors(&[("a", &[8, 3, 1, 1])]), &format!("{two}a, 8, 8, 1, 1, 3, 8, 2, 4,\n"));
    assert_eq!(geometry(&network.expect("it fits")), [(1, 3, 8)]);
}

#[test]
fn strides_that_do_not_divide_get_a_note() {
    let network = read(safetensors(&[("a", &[8, 3, 7, 7])]), &format!("{CONV}a, 230, 230, 7, 7, 3, 8, 2,\n"));
    let network = network.expect("it fits");
    assert_eq!(geometry(&network), [(1, 3, 112 * 112)]);
    assert!(
        network.notes().iter().any(|note| note.text().contains("SCALE-Sim rounds them up")),
        "{:?}",
        network.notes()
    );
}

#[test]
fn hostile_tables_are_refused_in_one_line() {
    let row = |cell: &str| format!("{CONV}a, {cell}, 1, 1, 1, 2, 4, 1,\n");
    let long = "9".repeat(100_000);
    let cases = [
        (String::new(), "it is empty"),
        (",,,\n \n".to_string(), "it is empty"),
        (CONV.to_string(), "no rows"),
        ("a, 1, 1, 1, 1, 2, 4, 1,\n".to_string(), "line 1: the header has no column \"Layer name\""),
        (CONV.replace("Channels, ", ""), "no column \"Channels\""),
        (CONV.replace("Strides,", ""), "no column \"Strides\""),
        ("Layer, M, K\n".to_string(), "no column \"N\""),
        (row("0"), "line 2: IFMAP Height is \"0\"; expected a whole number, at least 1"),
        (row("-3"), "IFMAP Height is \"-3\""),
        (row("NaN"), "IFMAP Height is \"NaN\""),
        (row("1.5"), "IFMAP Height is \"1.5\""),
        (row("1e3"), "IFMAP Height is \"1e3\""),
        (row(""), "IFMAP Height is nothing"),
        (row(&long), "IFMAP Height is \"9999999999999999999999999999999999999999…\""),
        (row("\u{1b}[31m"), "IFMAP Height is"),
        (row("18446744073709551615"), "too large to count"),
        (format!("{CONV}a, 1, 1\n"), "Filter Height is nothing"),
        (format!("{CONV}, 1, 1, 1, 1, 2, 4, 1\n"), "no layer name"),
        (format!("{CONV}a, 4294967296, 4294967296, 1, 1, 2, 4, 1\n"), "too large to count"),
        ("Layer, M, N, K\na, 9223372036854775807, 4, 2\n".to_string(), "too large to count"),
    ];
    check_all(cases, |(text, expected)| {
        let found = problem(read(safetensors(&[("a", &[4, 2])]), text));
        assert!(found.contains(*expected) && found.len() < 600, "{expected}: {found}");
    });
}

#[test]
fn files_that_are_no_tables_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.csv");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("writable");
        problem(Topology::read(&path))
    };
    assert!(refused(b"Layer\xff").contains("byte 5: it is no text in UTF-8"));
    assert!(refused(&vec![b'x'; (1 << 24) + 1]).contains("more than 16777216 bytes"));
    assert!(problem(Topology::read(&folder.path().join("no.csv"))).contains("no.csv"));
    if cfg!(unix) {
        assert!(problem(Topology::read(Path::new("/dev/zero"))).contains("more than 16777216 bytes"));
    }
}

#[test]
fn a_network_with_a_graph_takes_no_topology() {
    let made = network::architectures::build(&network::architectures::Architecture::new(
        network::architectures::Family::named("resnet8").expect("known"),
    ));
    let bytes =
        formats::onnx::write::to_bytes(&made.expect("it can be made"), &Default::default()).expect("it is written");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, bytes.bytes).expect("writable");
    let options = ReadOptions { topology: Some(folder.path().join("t.csv")), ..Default::default() };
    assert!(problem(formats::read(&path, &options)).contains("unsupported: it is no weight file; a topology"));
}

/// A network of these layers, which nothing connects.
fn of_layers(specs: &[GeometrySpec]) -> Network {
    let mut network = NetworkBuilder::new("net.onnx");
    for (index, &spec) in specs.iter().enumerate() {
        let geometry = Geometry::new(spec).expect("it is valid");
        let shape = [spec.filters, spec.in_channels / spec.groups, spec.kernel[0], spec.kernel[1]];
        let weights: Vec<f32> = (0..shape.iter().product()).map(|i: usize| i as f32 - 3.0).collect();
        let name = format!("part, {}/conv{index}", index % 2);
        let [out_height, out_width] = geometry.out_size();
        let shapes = [
            vec![spec.repeats, spec.in_channels, spec.in_size[0], spec.in_size[1]],
            vec![spec.repeats, spec.filters, out_height, out_width],
        ];
        let [input, output] = shapes.map(|shape| network.add_value(Value::new("", None, Some(shape))));
        let layer = MacLayer {
            name,
            op: MacOp::Conv,
            geometry,
            operand: Operand::ChannelsFirst,
            weights: WeightSource::from_f32("w", shape, &weights),
            bias: None,
            alpha: 1.0,
            input_quantization: None,
            requantization: None,
            input,
            output,
        };
        network.add_mac("Conv", layer);
    }
    let inputs: Vec<ValueId> = network.layers().iter().map(|layer| layer.input).collect();
    let (first, others) = inputs.split_at(1.min(inputs.len()));
    network.set_inputs(first.to_vec());
    network.set_outside(others.to_vec());
    network.finish().expect("a network that holds together")
}

fn spec() -> impl Strategy<Value = GeometrySpec> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    (
        1..4usize,
        2..4usize,
        1..4usize,
        pair(1..4),
        pair(1..4),
        pair(1..3),
        [0..3usize, 0..3, 0..3, 0..3],
        pair(7..12),
        1..3usize,
    )
        .prop_map(|(groups, channels, filters, kernel, stride, dilation, pads, in_size, repeats)| GeometrySpec {
            in_channels: groups * channels,
            filters: groups * filters,
            groups,
            kernel,
            stride,
            dilation,
            pads,
            in_size,
            repeats,
        })
}

proptest! {
    #[test]
    fn a_topology_that_is_written_gives_the_same_macs(specs in prop::collection::vec(spec(), 1..5)) {
        let network = of_layers(&specs);
        let list = WeightList::new(&network, WeightFormat::Safetensors, &[]).expect("finite");
        let mut weights = Vec::new();
        list.write(WeightFormat::Safetensors, &mut weights).expect("writable");
        let topology = write(&network);
        prop_assert_eq!(topology.text.lines().count(), specs.len() + 1);
        let again = read(weights, &topology.text).expect("what is written is read");
        prop_assert!(!again.notes().iter().any(|note| note.text().contains("in order") || note.text().contains("rounds")));
        // Layers with the weights of earlier ones come last.
        let layers = |network: &Network| {
            let of_layer = |layer: &MacLayer| format!("{:?} {}", layer.geometry.weight_shape(), layer.geometry.positions());
            let mut layers: Vec<String> = network.layers().iter().map(of_layer).collect();
            layers.sort_unstable();
            layers
        };
        prop_assert_eq!(layers(&network), layers(&again));
        prop_assert_eq!(network.parameter_count(), again.parameter_count());
    }
}

#[test]
fn what_the_layout_cannot_say_is_noted() {
    let plain = GeometrySpec { pads: [1; 4], ..GeometrySpec::convolution(4, 8, [3; 2], [8; 2]) };
    assert_eq!(write(&of_layers(&[plain])).text, format!("{CONV}part_ 0.conv0, 10, 10, 3, 3, 4, 8, 1,\n"));
    let padding = "topology: \"part, 0/conv0\": no column for padding: the input has it, and where inputs are fetched it counts; weights \
                   and MACs are right";
    assert_eq!(texts(&write(&of_layers(&[plain])).notes), [padding]);
    let bare = GeometrySpec { pads: [0; 4], ..plain };
    assert_eq!(texts(&write(&of_layers(&[bare])).notes), [] as [&str; 0]);
    let cases = [
        (GeometrySpec { dilation: [2, 1], ..plain }, "dilation", "8, 10, 3, 3, 4, 8, 1"),
        (GeometrySpec { stride: [2, 1], ..plain }, "unequal strides", "9, 17, 3, 3, 4, 8, 2"),
        (GeometrySpec { groups: 4, ..plain }, "groups", "10, 10, 3, 3, 4, 2, 1"),
        (GeometrySpec { repeats: 3, ..plain }, "several inputs", "26, 10, 3, 3, 4, 8, 1"),
    ];
    check_all(cases, |(spec, what, row)| {
        let topology = write(&of_layers(&[bare, GeometrySpec { pads: [0; 4], in_size: [10; 2], ..*spec }]));
        assert!(topology.notes.len() == 1 && topology.notes[0].text().contains(*what), "{:?}", topology.notes);
        assert!(topology.text.contains(row), "{}", topology.text);
    });
}
