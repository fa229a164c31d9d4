//! Are several tensors of a weight file that make one weight one layer, and is the weight what PyTorch makes of them?

use std::time::{Duration, Instant};

use formats::ReadOptions;
use formats::weight_file::WeightFile;
use formats::weight_writer::{WeightFormat, WeightList};
use network::architectures::{Architecture, Family};
use network::{Bias, LayerId, LayerWeights, Mend, Network};
use testkit::{check_all, texts};

use crate::torch::{Checkpoint, Element};
use crate::weight_files::{floats, network, npy, problem, safetensors, trained, weights, zip};

/// A tensor of float32 with its name and shape.
type Named = (&'static str, &'static [usize], Vec<f32>);

/// Numbers between −1 and 1, none of which is 0.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.01).collect()
}

/// Where a mask of a half lets weights through.
fn mask(count: usize) -> Vec<f32> {
    (0..count).map(|i| if i * 7 % 10 < 5 { 1.0 } else { 0.0 }).collect()
}

/// The tensors as each format has them.
fn in_every_format(tensors: &[Named]) -> [Vec<u8>; 4] {
    let mut checkpoint = Checkpoint::default();
    tensors.iter().for_each(|(name, shape, values)| checkpoint.add(name, shape, Element::F32, &floats(values)));
    let (mut header, mut data, mut arrays) = (Vec::new(), Vec::new(), Vec::new());
    for (name, shape, values) in tensors {
        let bytes = floats(values);
        let end = data.len() + bytes.len();
        header.push(format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{},{end}]}}"#, data.len()));
        let extents: String = shape.iter().map(|extent| format!("{extent},")).collect();
        arrays.push((format!("{name}.npy"), npy("<f4", &format!("({extents})"), &bytes)));
        data.extend(bytes);
    }
    let entries: Vec<(&str, &[u8])> = arrays.iter().map(|(name, array)| (name.as_str(), array.as_slice())).collect();
    let header = format!("{{{}}}", header.join(","));
    [checkpoint.zip(), checkpoint.legacy(), safetensors(&header, &data), zip(&entries, false)]
}

fn layers(network: &Network) -> Vec<&str> {
    network.layers().iter().map(|layer| layer.name.as_str()).collect()
}

fn nonzero(values: &[f32]) -> usize {
    values.iter().filter(|&&value| value != 0.0).count()
}

#[test]
fn a_mask_of_pruning_makes_no_layer() {
    // Half of the filters of a convolution, as prune.ln_structured leaves them: 108 of 216 weights, and 80 of 80.
    let filters: Vec<f32> = (0..216).map(|i| if i / 27 % 2 == 0 { 1.0 } else { 0.0 }).collect();
    let tensors: [Named; 5] = [
        ("conv.bias", &[8], numbers(8)),
        ("conv.weight_orig", &[8, 3, 3, 3], numbers(216)),
        ("conv.weight_mask", &[8, 3, 3, 3], filters.clone()),
        ("fc.weight", &[10, 8], numbers(80)),
        ("fc.bias", &[10], numbers(10)),
    ];
    check_all(in_every_format(&tensors), |bytes| {
        let network = network(bytes.clone()).expect("it is valid");
        assert_eq!(layers(&network), ["conv", "fc"]);
        let [conv, fc] = [weights(&network, 0), weights(&network, 1)];
        let expected: Vec<f32> = numbers(216).iter().zip(&filters).map(|(w, kept)| w * kept).collect();
        assert_eq!((&conv, &fc), (&expected, &numbers(80)));
        assert_eq!((conv.len() + fc.len(), nonzero(&conv) + nonzero(&fc)), (296, 188));
        let note = "weights that are made of several tensors: \"conv.weight\" = weight_orig · weight_mask";
        assert!(texts(network.notes()).iter().any(|text| text == note), "{:?}", network.notes());
        let list = WeightList::new(&network, WeightFormat::Safetensors, &[]).expect("it can be written");
        let mut names: Vec<&str> = list.tensors().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["conv.bias", "conv.weight", "fc.bias", "fc.weight"]);
    });
}

/// `w · (g / |w|)`, the norm over the weights that `part` counts together.
fn normalized(w: &[f32], g: &[f32], part: impl Fn(usize) -> usize) -> Vec<f32> {
    let mut squares = vec![0.0f64; g.len()];
    w.iter().enumerate().for_each(|(i, &w)| squares[part(i)] += f64::from(w) * f64::from(w));
    w.iter().enumerate().map(|(i, w)| w * (g[part(i)] / squares[part(i)].sqrt() as f32)).collect()
}

/// `w / (uᵀ W v)` for rows of `v.len()` weights.
fn spectral(w: &[f32], u: &[f32], v: &[f32]) -> Vec<f32> {
    let row = |row: &[f32]| row.iter().zip(v).map(|(&w, &v)| f64::from(w) * f64::from(v)).sum::<f64>() as f32;
    let sigma: f64 = w.chunks(v.len()).map(row).zip(u).map(|(product, &u)| f64::from(product) * f64::from(u)).sum();
    w.iter().map(|w| w / sigma as f32).collect()
}

#[test]
fn parametrizations_are_computed() {
    let conv: &[usize] = &[4, 3, 1, 2];
    let w = numbers(24);
    let masked: Vec<f32> = w.iter().zip(mask(24)).map(|(w, kept)| w * kept).collect();
    let of_filters: Vec<f32> = w.iter().enumerate().map(|(i, w)| w * [1.0, 0.0, 0.0, 1.0][i / 6]).collect();
    let [four, three, six] = [4, 3, 6].map(numbers);
    let cases: Vec<(Vec<Named>, Vec<f32>)> = vec![
        (vec![("c.weight_orig", conv, w.clone()), ("c.weight_mask", conv, mask(24))], masked.clone()),
        (vec![("weight_mask", conv, mask(24)), ("weight_orig", conv, w.clone())], masked.clone()),
        (vec![("c.weight", conv, w.clone()), ("c.mask", conv, mask(24))], masked.clone()),
        (vec![("c.weight", conv, w.clone()), ("c.weight_mask", conv, mask(24))], masked.clone()),
        (
            vec![
                ("c.parametrizations.weight.original", conv, w.clone()),
                ("c.parametrizations.weight.0.mask", conv, mask(24)),
            ],
            masked.clone(),
        ),
        (
            vec![
                ("parametrizations.weight.0.mask", &[4], vec![1.0, 0.0, 0.0, 1.0]),
                ("parametrizations.weight.original", conv, w.clone()),
            ],
            of_filters,
        ),
        (
            vec![("c.weight_g", &[4, 1, 1, 1], four.clone()), ("c.weight_v", conv, w.clone())],
            normalized(&w, &four, |i| i / 6),
        ),
        (
            vec![
                ("c.parametrizations.weight.original0", &[1, 3, 1, 1], three.clone()),
                ("c.parametrizations.weight.original1", conv, w.clone()),
            ],
            normalized(&w, &three, |i| i / 2 % 3),
        ),
        (
            vec![
                ("c.parametrizations.weight.original0", &[], vec![0.7]),
                ("c.parametrizations.weight.original1", conv, w.clone()),
            ],
            normalized(&w, &[0.7], |_| 0),
        ),
        (
            vec![
                ("c.weight_orig", conv, w.clone()),
                ("c.weight_u", &[4], four.clone()),
                ("c.weight_v", &[6], six.clone()),
            ],
            spectral(&w, &four, &six),
        ),
        (
            vec![
                ("c.parametrizations.weight.original", conv, w.clone()),
                ("c.parametrizations.weight.0._u", &[4], four.clone()),
                ("c.parametrizations.weight.0._v", &[6], six.clone()),
                ("c.parametrizations.weight.1.mask", conv, mask(24)),
            ],
            spectral(&w, &four, &six).iter().zip(mask(24)).map(|(w, kept)| w * kept).collect(),
        ),
    ];
    check_all(cases, |(tensors, expected)| {
        for bytes in in_every_format(tensors) {
            let network = network(bytes).expect("it is valid");
            assert_eq!(network.layers().len(), 1, "{:?}", layers(&network));
            assert_eq!(&weights(&network, 0), expected);
        }
    });
}

/// A transposed convolution has its rows along the second axis.
#[test]
fn the_rows_of_a_spectral_norm_may_be_the_second_axis() {
    let (w, u, v) = (numbers(24), numbers(3), numbers(8));
    let tensors: [Named; 3] =
        [("c.weight_orig", &[4, 3, 1, 2], w.clone()), ("c.weight_u", &[3], u.clone()), ("c.weight_v", &[8], v.clone())];
    let network = network(in_every_format(&tensors)[0].clone()).expect("it is valid");
    let mut turned = vec![0.0; 24];
    for (i, &w) in w.iter().enumerate() {
        let (filter, channel, x) = (i / 6, i / 2 % 3, i % 2);
        turned[(channel * 4 + filter) * 2 + x] = w;
    }
    let scale = spectral(&turned, &u, &v)[0] / turned[0];
    let found = weights(&network, 0);
    let near = |(found, w): (&f32, &f32)| (found - w * scale).abs() <= 1e-6 * scale.abs();
    assert!(found.iter().zip(&w).all(near), "{found:?}");
}

/// `u` and `v` of PyTorch's power iteration on rows of a weight.
fn power_iteration(w: &[f32], rows: usize) -> [Vec<f32>; 2] {
    let columns = w.len() / rows;
    let unit = |vector: Vec<f32>| {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.into_iter().map(|x| x / norm).collect::<Vec<f32>>()
    };
    let (mut u, mut v) = (unit(numbers(rows)), Vec::new());
    for _ in 0..3 {
        v = unit((0..columns).map(|c| (0..rows).map(|r| w[r * columns + c] * u[r]).sum()).collect());
        u = unit(w.chunks(columns).map(|row| row.iter().zip(&v).map(|(w, v)| w * v).sum()).collect());
    }
    [u, v]
}

/// Where both axes have one extent, `u` and `v` tell which of them has the rows, or the weight is refused.
#[test]
fn a_spectral_norm_of_equal_axes_is_along_that_of_the_power_iteration() {
    check_all([(3, 1), (3, 2), (5, 4)], |&(n, taps)| {
        let w = numbers(n * n * taps);
        let turned: Vec<f32> = (0..w.len()).map(|i| w[(i / taps % n * n + i / (n * taps)) * taps + i % taps]).collect();
        let shape = [n, n, 1, taps];
        let file = |u: &[f32], v: &[f32]| {
            let mut checkpoint = Checkpoint::default();
            checkpoint.add("c.weight_orig", &shape, Element::F32, &floats(&w));
            checkpoint.add("c.weight_u", &[u.len()], Element::F32, &floats(u));
            checkpoint.add("c.weight_v", &[v.len()], Element::F32, &floats(v));
            checkpoint.zip()
        };
        for rows in [&w, &turned] {
            let [u, v] = power_iteration(rows, n);
            let scale = spectral(rows, &u, &v)[0] / rows[0];
            let found = weights(&network(file(&u, &v)).expect("it is valid"), 0);
            assert!(found.iter().zip(&w).all(|(found, w)| (found - w * scale).abs() <= 1e-6 * scale.abs()));
        }
        let text = problem(network(file(&numbers(n), &numbers(n * taps))));
        assert!(text.contains("\"c.weight_orig\"") && text.contains("u and v fit neither alone"), "{text}");
    });
}

#[test]
fn tied_weights_of_several_tensors_count_once() {
    let mut tied = Checkpoint::default();
    tied.add("a.weight_orig", &[2, 3], Element::F32, &floats(&numbers(6)));
    tied.add("a.weight_mask", &[2, 3], Element::F32, &floats(&mask(6)));
    tied.add_tied("b.weight_orig", 0);
    tied.add_tied("b.weight_mask", 1);
    let network = network(tied.zip()).expect("it is valid");
    assert_eq!(layers(&network), ["a"]);
}

#[test]
fn what_only_code_computes_is_refused_by_name() {
    let two: &[usize] = &[2, 2];
    let four = || vec![0.5, 1.0, -0.25, 2.0];
    let cases: [(Vec<Named>, &str, &str); 9] = [
        (
            vec![("a.weight", two, four()), ("b.parametrizations.weight.original", two, four())],
            "tensor \"b.parametrizations.weight.original\"",
            "it makes \"b.weight\" by code that the file does not hold",
        ),
        (
            vec![
                ("b.parametrizations.weight.original", two, four()),
                ("b.parametrizations.weight.0.base", two, four()),
            ],
            "tensor \"b.parametrizations.weight.original\"",
            "by code that the file does not hold",
        ),
        (
            vec![
                ("b.parametrizations.weight.original0", &[2, 1], vec![1.0; 2]),
                ("b.parametrizations.weight.original1", two, four()),
                ("b.parametrizations.weight.1.mask", two, vec![1.0; 4]),
            ],
            "tensor \"b.parametrizations.weight.original0\"",
            "(and 1 more tensors are like it)",
        ),
        (vec![("b.weight_orig", two, four())], "tensor \"b.weight_orig\"", "it makes \"b.weight\" by code"),
        (
            vec![("b.weight", two, four()), ("b.weight_orig", two, four()), ("b.weight_mask", two, vec![1.0; 4])],
            "tensor \"b.weight_orig\"",
            "it makes \"b.weight\", which the file holds as well",
        ),
        (
            vec![("b.weight", two, four()), ("b.mask", two, four())],
            "tensor \"b.weight\"",
            "\"b.mask\" stands beside it and holds more than 0 and 1",
        ),
        (
            vec![("b.weight", two, four()), ("b.alpha", &[1], vec![0.1])],
            "tensor \"b.alpha\"",
            "it is state of a quantizer, which rounds \"b.weight\" to integers that the file does not tell",
        ),
        (
            vec![("b.weight", two, four()), ("b.weight_quant.wgt_alpha", &[1], vec![0.1])],
            "tensor \"b.weight_quant.wgt_alpha\"",
            "rounds \"b.weight\"",
        ),
        (
            vec![("b.weight", two, four()), ("b.quan_w_fn.s", &[2, 1], vec![0.1; 2])],
            "tensor \"b.quan_w_fn.s\"",
            "rounds \"b.weight\"",
        ),
    ];
    check_all(cases, |(tensors, place, reason)| {
        let bytes = in_every_format(tensors)[2].clone();
        let refused = network(bytes.clone()).expect_err("it is refused");
        assert_eq!(network::Failure::mend(&refused), Some(Mend::NameLayers));
        let text = problem::<Network>(Err(refused));
        assert!(text.contains(place) && text.contains("unsupported") && text.contains(reason), "{text}");
        // Who names the layers takes tensors as they are.
        let options = ReadOptions { layers: vec![tensors[0].0.to_string()], ..ReadOptions::default() };
        let named = formats::from_bytes("weights", bytes.into(), &options).expect("its layers are named");
        assert_eq!(named.layers().len(), 1);
    });
    let wrong: [Named; 2] = [("b.weight_orig", two, four()), ("b.weight_mask", &[2, 3], vec![1.0; 6])];
    let text = problem(network(in_every_format(&wrong)[0].clone()));
    assert!(text.contains("\"b.weight_mask\" [2, 3] do not make a weight: their shapes do not fit"), "{text}");
}

#[test]
fn masks_and_state_without_weights_are_no_layers() {
    let tensors: [Named; 5] = [
        ("attn_mask", &[2, 3], mask(6)),
        ("act.alpha", &[1, 4, 1, 1], numbers(4)),
        ("act_quantizer.scale", &[1, 1], numbers(1)),
        ("fc.activation_post_process.min_val", &[1, 2], numbers(2)),
        ("fc.weight", &[2, 3], numbers(6)),
    ];
    let network = network(in_every_format(&tensors)[0].clone()).expect("it is valid");
    assert_eq!(layers(&network), ["fc"]);
    let told = texts(network.notes());
    assert!(told.iter().any(|text| text == "\"attn_mask\": by the name a mask, and no layer"), "{told:?}");
    let state = "\"act.alpha\", \"act_quantizer.scale\", \"fc.activation_post_process.min_val\": by name and shape state of \
                 a quantizer, and no layer";
    assert!(told.iter().any(|text| text == state), "{told:?}");
}

/// A network of the literature whose convolutions are pruned: `weight_orig` and `weight_mask` in the place of `weight`.
#[test]
fn an_architecture_takes_pruned_weights() {
    let family = Family::named("resnet8").expect("known");
    let (made, _) = trained(&Architecture::new(family), str::to_string);
    let mut checkpoint = Checkpoint::default();
    let mut expected = Vec::new();
    for (id, layer) in made.layers().iter().enumerate() {
        let values = weights(&made, id);
        let shape = &layer.weights.tensor.shape;
        let shape = if layer.bias.is_some() { &shape[..2] } else { &shape[..] };
        let name = &layer.weights.name;
        checkpoint.add(&format!("{name}_orig"), shape, Element::F32, &floats(&values));
        checkpoint.add(&format!("{name}_mask"), shape, Element::F32, &floats(&mask(values.len())));
        if let Some(Bias::Float(bias)) = &layer.bias {
            let name = name.replace(".weight", ".bias");
            checkpoint.add(&format!("{name}_orig"), &shape[..1], Element::F32, &floats(bias));
            checkpoint.add(&format!("{name}_mask"), &shape[..1], Element::F32, &floats(&mask(bias.len())));
        }
        expected.push(values.iter().zip(mask(values.len())).map(|(w, kept)| w * kept).collect::<Vec<f32>>());
    }
    for value in made.graph().values().iter().filter(|value| value.constant.is_some()) {
        let tensor = value.constant.as_ref().expect("it is constant").to_f32().expect("real");
        checkpoint.add(&value.name, &[tensor.len()], Element::F32, &floats(&tensor));
    }
    checkpoint.add("conv1.activation_post_process.scale", &[1], Element::F32, &floats(&[0.5]));
    let file = WeightFile::from_bytes("weights", checkpoint.zip().into()).expect("it is valid");
    let fitted = file.in_architecture(family, &ReadOptions::default()).expect("its own names");
    let found: Vec<Vec<f32>> = (0..fitted.layers().len()).map(|id| weights(&fitted, id)).collect();
    assert_eq!(found, expected);
    assert!(texts(fitted.notes()).iter().any(|text| text.contains("= weight_orig · weight_mask")));
}

/// The state of PyTorch's fake quantization of weights `[2, 3]`: scales, zero points, and what the observer saw.
fn fake_quantized(w: &[f32], scales: &[f32], zero_point: f32, bounds: [&[f32]; 2], enabled: f32) -> Vec<u8> {
    let mut checkpoint = Checkpoint::default();
    checkpoint.add("fc.weight", &[2, 3], Element::F32, &floats(w));
    let mut add = |name: &str, values: &[f32]| {
        checkpoint.add(&format!("fc.weight_fake_quant.{name}"), &[values.len()], Element::F32, &floats(values));
    };
    add("scale", scales);
    add("zero_point", &vec![zero_point; scales.len()]);
    add("fake_quant_enabled", &[enabled]);
    add("activation_post_process.min_val", bounds[0]);
    add("activation_post_process.max_val", bounds[1]);
    checkpoint.zip()
}

/// A file may hold any number of tensors that say how one weight is rounded.
#[test]
fn a_weight_is_rounded_once() {
    const WEIGHTS: usize = 1 << 18;
    let mut checkpoint = Checkpoint::default();
    let w: Vec<f32> = (0..WEIGHTS).map(|i| (i % 4) as f32 - 2.0).collect();
    checkpoint.add("fc.weight", &[4, WEIGHTS / 4], Element::F32, &floats(&w));
    let mut add = |name: &str, value: f32| {
        checkpoint.add(&format!("fc.weight_fake_quant.{name}"), &[1], Element::F32, &floats(&[value]));
    };
    add("scale", 4.0 / 15.0);
    add("zero_point", 0.0);
    add("activation_post_process.min_val", -2.0);
    add("activation_post_process.max_val", 1.0);
    (0..2000).for_each(|i| add(&format!("further{i}.scale"), 1.0));
    let bytes = checkpoint.zip();
    let started = Instant::now();
    assert_eq!(layers(&network(bytes).expect("it is valid")), ["fc"]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn fake_quantization_rounds_to_its_integers() {
    let w = [0.75, -0.5, 0.1, -1.5, 0.3, 0.05];
    let round = |scale: f32, low: f32, high: f32| {
        let scale = f64::from(scale) as f32;
        w.map(|w: f32| (w * (1.0 / scale)).round_ties_even().clamp(low, high) as i32)
    };
    let codes = |bytes: Vec<u8>| {
        let network = network(bytes).expect("it is valid");
        match network.weights(LayerId(0)).expect("valid") {
            LayerWeights::Quantized { codes, .. } => codes.codes().to_vec(),
            other => panic!("expected integers: {other:?}"),
        }
    };
    let twice = |integers: [i32; 6]| integers.map(|q| 2 * q).to_vec();
    // MinMaxObserver, symmetric: scale = 2 · 1.5 / 15, integers −8…7; and −7…7 of 14 steps.
    assert_eq!(codes(fake_quantized(&w, &[0.2], 0.0, [&[-1.5], &[0.75]], 1.0)), twice(round(0.2, -8.0, 7.0)));
    let narrow = 3.0 / 14.0;
    assert_eq!(codes(fake_quantized(&w, &[narrow], 0.0, [&[-1.5], &[0.75]], 1.0)), twice(round(narrow, -7.0, 7.0)));
    // The kernel with the moving average: scale = max(1.5 / 128, 0.75 / 127).
    let moving = 1.5 / 128.0;
    let bytes = fake_quantized(&w, &[moving], 0.0, [&[-1.5], &[0.75]], 1.0);
    assert_eq!(codes(bytes), twice(round(moving, -128.0, 127.0)));
    // The same without the lowest integer: scale = max(1.5 / 128, 0.75 / 127) · 255 / 254.
    let narrow = moving * 255.0 / 254.0;
    let bytes = fake_quantized(&w, &[narrow], 0.0, [&[-1.5], &[0.75]], 1.0);
    assert_eq!(codes(bytes), twice(round(narrow, -127.0, 127.0)));
    // Not symmetric, 4 bits without a sign: scale = 2.25 / 15 = 0.15 and zero point 10.
    let bytes = fake_quantized(&w, &[0.15], 10.0, [&[-1.5], &[0.75]], 1.0);
    assert_eq!(codes(bytes), twice(round(0.15, -10.0, 5.0)));
    // One scale for each filter; the second saw 1.5 below 0.
    let [first, second] = [0.1, 0.2].map(|scale| round(scale, -8.0, 7.0));
    let each = [&first[..3], &second[3..]].concat().iter().map(|q| 2 * q).collect::<Vec<i32>>();
    assert_eq!(codes(fake_quantized(&w, &[0.1, 0.2], 0.0, [&[-0.5, -1.5], &[0.75, 0.3]], 1.0)), each);
    // It is switched off: the weights are real.
    let off = network(fake_quantized(&w, &[0.2], 0.0, [&[-1.5], &[0.75]], 0.0)).expect("it is valid");
    assert_eq!(weights(&off, 0), w);
    // What no observer makes, one that saw nothing, and a scale of 0.
    check_all([(0.17, -1.5f32), (0.2, f32::INFINITY), (0.0, -1.5)], |&(scale, min)| {
        let text = problem(network(fake_quantized(&w, &[scale], 0.0, [&[min], &[0.75]], 1.0)));
        assert!(text.contains("rounds \"fc.weight\" to integers that the file does not tell"), "{text}");
    });
}
