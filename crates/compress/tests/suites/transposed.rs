//! Are the taps of an output channel of a transposed convolution one filter, whatever is done to it?

use compress::{
    FilterAmount, FindStepOptions, Granularity, PruneOptions, Pruning, QuantizeOptions, ReestimateOptions, Why,
    find_steps, prune, quantize, reestimate,
};
use formats::ReadOptions;
use formats::onnx::write::{WriteOptions, to_bytes};
use inference::{FloatExecutor, Sample, SampleError, Samples, mac_output_moments};
use network::{LayerId, LayerWeights, Network};
use testkit::{Model, check_all, int, int_list, model, real_weights, reals};

use crate::prune_support::{check, distance, image, run};

/// A convolution of 6 filters, a transposed convolution in groups to 6 channels, and two layers behind it.
fn upsampling(groups: i64) -> Network {
    upsampling_model(groups).read()
}

fn upsampling_model(groups: i64) -> Model {
    let outs = 6 / groups;
    let attributes = vec![
        int("group", groups),
        int_list("strides", &[2, 1]),
        int_list("pads", &[1, 0, 1, 1]),
        int_list("output_padding", &[1, 0]),
    ];
    model()
        .input("x", &[1, 2, 4, 5])
        .floats("w1", &[6, 2, 3, 3], &reals(1, 108))
        .floats("w2", &[6, outs, 3, 2], &reals(2, 6 * outs as usize * 6))
        .floats("b2", &[6], &reals(3, 6))
        .floats("w3", &[4, 6, 1, 1], &reals(4, 24))
        .floats("w4", &[3, 4], &reals(5, 12))
        .node_with("Conv", &["x", "w1"], &["a"], vec![int_list("pads", &[1, 1, 1, 1])])
        .node("Relu", &["a"], &["b"])
        .node_with("ConvTranspose", &["b", "w2", "b2"], &["c"], attributes)
        .node("Relu", &["c"], &["d"])
        .node("Conv", &["d", "w3"], &["e"])
        .node("GlobalAveragePool", &["e"], &["f"])
        .node("Flatten", &["f"], &["g"])
        .node_with("Gemm", &["g", "w4"], &["y"], vec![int("transB", 1)])
}

fn written_and_read(network: &Network) -> Network {
    let bytes = to_bytes(network, &WriteOptions::default()).expect("it is written").bytes;
    formats::from_bytes("written.onnx", bytes.into(), &ReadOptions::default()).expect("it is read")
}

#[test]
fn its_channels_are_pruned_with_all_their_taps() {
    // Groups; filters and input channels of the transposed convolution that stay where half of all filters go.
    check_all([(1, [3 * 6, 3]), (2, [3 * 6, 3]), (6, [3 * 6, 3])], |&(groups, expected)| {
        let network = upsampling(groups);
        let half =
            PruneOptions { prunings: vec![Pruning::Filters(FilterAmount::Width(0.5))], ..PruneOptions::default() };
        let (report, compact) = check(&network, &half);
        assert!(report.notes.is_empty(), "{:?}", report.notes);
        let layer = &report.layers[1];
        assert_eq!((layer.filters, layer.channels, layer.filters_by_norm), (6, 6, 3), "{groups} groups");
        assert!(layer.dead_filters.iter().all(|dead| dead.why == Why::Norm));
        let spec = compact.layers()[1].geometry.spec();
        assert_eq!([spec.filters, spec.in_channels], expected, "{groups} groups");
        let again = written_and_read(&compact);
        let image = image(&network, 1);
        assert!(distance(&run(&compact, &image), &run(&again, &image)) < 1e-6);
    });
}

#[test]
fn the_smallest_channel_goes() {
    let network = upsampling(1);
    let (zeroed, report) =
        prune(&network, &PruneOptions { below: Some(0.9), ..PruneOptions::default() }).expect("pruned");
    let weights = real_weights(&network, 1);
    let peak = |values: &[f32]| values.iter().fold(0.0f32, |peak, w| peak.max(w.abs()));
    let small = |channel: &usize| peak(&weights[channel * 36..][..36]) < 0.9 * peak(&weights);
    let expected: Vec<usize> = (0..6).filter(small).collect();
    let below = report.layers[1].dead_filters.iter().filter(|dead| dead.why == Why::Below);
    assert_eq!(below.map(|dead| dead.filter).collect::<Vec<_>>(), expected);
    let left = real_weights(&zeroed, 1);
    (0..6).for_each(|m| assert_eq!(left[m * 36..][..36].iter().all(|&w| w == 0.0), expected.contains(&m), "{m}"));
}

#[test]
fn its_channels_have_a_step_each() {
    for (groups, rows) in [(1, 36), (6, 6)] {
        let network = upsampling(groups);
        let options = QuantizeOptions { bits: 6, granularity: Granularity::Filter, ..QuantizeOptions::default() };
        let (quantized, _) = quantize(&network, &options).expect("it can be quantized");
        let LayerWeights::Quantized { codes, scales } = quantized.weights(LayerId(1)).expect("valid weights") else {
            panic!("it was quantized");
        };
        assert_eq!(scales.len(), 6 * 6);
        for (m, weights) in real_weights(&network, 1).chunks(rows).enumerate() {
            let steps = &scales[m * 6..(m + 1) * 6];
            let largest = weights.iter().fold(0.0f32, |peak, w| peak.max(w.abs()));
            assert!(steps.iter().all(|&step| step == steps[0]), "channel {m}");
            assert!((steps[0] * 32.0 / largest - 1.0).abs() < 1e-6, "channel {m}: {} and {largest}", steps[0]);
        }
        assert!(codes.codes().iter().any(|&code| code != 0));
        // In a file, the scales of a channel stand once.
        let again = written_and_read(&quantized);
        assert_eq!(again.weights(LayerId(1)).expect("valid weights"), quantized.weights(LayerId(1)).expect("valid"));
    }
}

#[test]
fn scales_that_no_axis_has_are_not_written() {
    let options = QuantizeOptions { bits: 6, granularity: Granularity::Filter, ..QuantizeOptions::default() };
    let (quantized, _) = quantize(&upsampling(2), &options).expect("it can be quantized");
    let message = to_bytes(&quantized, &WriteOptions::default()).expect_err("no axis has them").to_string();
    assert!(message.contains("unsupported: scales of 6 output channels in 2 groups, which no axis has"), "{message}");
}

#[test]
fn steps_of_its_channels_are_found() {
    let channels = 6;
    // By output channel, multiples of a step of its own; stored by input channel.
    let value = |c: usize, m: usize, tap: usize| ((c * 7 + m * 5 + tap * 3) % 31) as f32 - 15.0;
    let stored = (0..6 * channels * 6).map(|i| value(i / 36, i / 6 % 6, i % 6) * (0.01 + 0.001 * (i / 6 % 6) as f32));
    let mut file = upsampling_model(1);
    file.graph.initializer.retain(|tensor| tensor.name != "w2");
    let network = file.floats("w2", &[6, 6, 3, 2], &stored.collect::<Vec<f32>>()).read();
    let (found, report) = find_steps(&network, &FindStepOptions::default()).expect("finite");
    let step = report.layers[1].found.as_ref().unwrap_or_else(|| panic!("{:?}", report.layers[1].refused));
    assert_eq!(step.granularity, Granularity::Filter);
    assert_eq!(found.layers()[1].weights.quantization.as_ref().map(|q| q.scales.len()), Some(36));
}

#[test]
fn an_encoder_and_its_decoder_have_one_tensor() {
    let network = model()
        .input("x", &[1, 2, 5, 5])
        .floats("w", &[4, 2, 3, 3], &reals(8, 72))
        .node("Conv", &["x", "w"], &["a"])
        .node("Relu", &["a"], &["b"])
        .node("ConvTranspose", &["b", "w"], &["y"])
        .read();
    let share = |network: &Network| network.shares_weights_with(LayerId(1));
    assert_eq!((share(&network), network.parameter_count()), (Some(LayerId(0)), 72));
    let again = written_and_read(&network);
    assert_eq!(share(&again), Some(LayerId(0)));
    assert!(distance(&run(&network, &image(&network, 1)), &run(&again, &image(&network, 1))) < 1e-6);
    let (quantized, report) = quantize(&network, &QuantizeOptions::default()).expect("it can be quantized");
    assert_eq!(share(&quantized), None);
    assert!(report.notes.iter().any(|note| note.text().contains("were one tensor")), "{:?}", report.notes);
}

/// Made-up images.
struct Few;

impl Samples for Few {
    fn len(&self) -> usize {
        12
    }

    fn sample(&self, index: usize) -> Result<Sample, SampleError> {
        Ok(Sample { values: reals(50 + index as u64, 40), label: None })
    }
}

#[test]
fn its_channels_get_the_moments_of_the_original() {
    let original = upsampling(2);
    let options = QuantizeOptions { bits: 3, ..QuantizeOptions::default() };
    let (quantized, _) = quantize(&original, &options).expect("it can be quantized");
    let (corrected, report) = reestimate(&quantized, &original, &Few, &ReestimateOptions::default()).expect("it runs");
    assert_eq!(report.corrected_layers, 4);
    let moments = |network: &Network| {
        let float = FloatExecutor::from_file(network).expect("valid weights");
        mac_output_moments(network, &Few, &float).expect("it runs").swap_remove(1)
    };
    let (wanted, found) = (moments(&original), moments(&corrected));
    assert_eq!(found.len(), 6);
    for (wanted, found) in wanted.iter().zip(&found) {
        assert!((wanted.mean - found.mean).abs() < 1e-4 && (wanted.variance() - found.variance()).abs() < 1e-3);
    }
}
