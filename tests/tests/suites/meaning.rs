//! Does every reported number mean one thing? Figures are computed here from the weights of the network, by the rules of
//! `docs/hardware.md` and by nothing of the engines.

use std::collections::HashMap;
use std::path::Path;

use esnsim_tests::{analog_toml, digital_toml, esnsim, repository};
use network::LayerId;
use runner::{Quantization, embedded_network, prepare};
use serde_json::Value;
use testkit::{check_all, int, model, reals};

type Row = HashMap<String, String>;

/// Runs `simulate` in a folder with CSV and JSON. Returns the rows and the document.
fn simulate(folder: &Path, arguments: &[&str]) -> (Vec<Row>, Value) {
    let files = ["simulate", "--csv", "run.csv", "--json", "run.json"];
    esnsim().current_dir(folder).args([&files[..], arguments].concat()).assert().success();
    let mut csv = csv::Reader::from_path(folder.join("run.csv")).expect("the run wrote it");
    let rows = csv.deserialize().collect::<Result<_, _>>().expect("a table");
    let json = std::fs::read(folder.join("run.json")).expect("the run wrote it");
    (rows, serde_json::from_slice(&json).expect("valid JSON"))
}

fn total<'r>(rows: &'r [Row], hardware: &str) -> &'r Row {
    rows.iter().find(|row| row["layer"] == "TOTAL" && row["hardware"] == hardware).expect("each hardware has a total")
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

/// The value of a name in `name=value;name=value`.
fn part(pairs: &str, name: &str) -> f64 {
    pairs.split(';').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map_or(0.0, number)
}

/// Codes of each layer of the embedded network at 4 bits, by filter, and the shape `[channels, taps]`.
fn layers() -> Vec<(Vec<Vec<i32>>, [usize; 2])> {
    let network = embedded_network().expect("it is valid");
    let codes = |id| prepare(&network, LayerId(id), Quantization::new(None)).expect("weights are finite").codes;
    let of = |id| {
        let codes = codes(id);
        let shape = codes.shape();
        let filters = codes.codes().chunks(shape.filter_len()).map(<[i32]>::to_vec).collect();
        (filters, [shape.groups * shape.channels, shape.taps])
    };
    (0..network.layers().len()).map(of).collect()
}

/// Bits of an odd code: the smallest n with |code| < 2^n.
fn bits(code: i32) -> u64 {
    (0..).find(|n| i64::from(code.abs()) < 1 << n).expect("codes are finite")
}

#[test]
fn what_is_stored_is_what_is_fetched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["cpu-serial", "gpu-8bit", "sparse-8bit", "multi-precision", "variable-bit-filter", "bit-serial"];
    let hardware = names.iter().flat_map(|name| ["--hardware", name]);
    let (rows, _) = simulate(folder.path(), &hardware.chain(["--limit", "1"]).collect::<Vec<_>>());
    // No weight is pruned at 4 bits. Every layer has a weight of 4 bits, and 4 is a width of all of them.
    let weights: u64 = layers().iter().flat_map(|(filters, _)| filters).map(|filter| filter.len() as u64).sum();
    let of_filter = |filter: &Vec<i32>| 5 + filter.len() as u64 * filter.iter().map(|&c| bits(c)).max().unwrap_or(0);
    let by_filter: u64 = layers()
        .iter()
        .map(|(filters, [channels, _])| *channels as u64 + filters.iter().map(of_filter).sum::<u64>())
        .sum();
    let expected = [
        ("cpu-serial", "fixed", 8 * weights),
        ("gpu-8bit", "fixed", 8 * weights),
        ("sparse-8bit", "sparse", (8 + 4) * weights),
        ("multi-precision", "dense", 4 * weights),
        ("variable-bit-filter", "filter", by_filter),
        ("bit-serial", "sparse", (4 + 4) * weights),
    ];
    check_all(expected, |&(name, format, bits)| {
        let row = total(&rows, name);
        assert_eq!((row["weight_format"].as_str(), row["weight_bits"].as_str()), (format, bits.to_string().as_str()));
        let fetched = part(&row["energy_by_entry"], "weight fetch") / 2.03125e-11;
        assert!((fetched - bits as f64).abs() < 1e-6 * bits as f64, "{name}: {fetched} fetched, {bits} stored");
    });
}

#[test]
fn costs_are_of_one_image_and_sums_have_columns_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let gated = digital_toml("gated", 4, 8, "weight").replace("[energy]", "zero_activations = \"skip\"\n[energy]");
    std::fs::write(folder.path().join("gated.toml"), gated).expect("writable");
    let run = |limit: &str| {
        let arguments = ["--hardware", "gated.toml", "--calibration-images", "1", "--limit", limit];
        let (rows, json) = simulate(folder.path(), &arguments);
        (total(&rows, "gated").clone(), json["total"]["runs"][0].clone())
    };
    let ((one, _), (three, json)) = (run("1"), run("3"));
    assert_eq!(one["cycles"], one["cycles_all_images"]);
    // The same weights are in memory for every image.
    assert_eq!(one["weight_bits"], three["weight_bits"]);
    assert!(number(&one["weight_bits"]) > 0.0);
    check_all([("cycles", "cycles_all_images"), ("energy_count", "energy_count_all_images")], |&(mean, sum)| {
        assert!((number(&three[mean]) * 3.0 - number(&three[sum])).abs() < 1e-6, "{mean}");
        assert!((number(&three[mean]) / number(&one[mean]) - 1.0).abs() < 0.5, "{mean} is of one image, not of three");
        assert_eq!(json[sum].to_string(), three[sum]);
    });
    for (mean, sum) in three["idle_by_cause"].split(';').zip(three["idle_by_cause_all_images"].split(';')) {
        let (mean, sum) = (mean.split_once('=').expect("a pair"), sum.split_once('=').expect("a pair"));
        assert_eq!(mean.0, sum.0);
        assert!((number(mean.1) * 3.0 - number(sum.1)).abs() < 1e-6, "{}", mean.0);
    }
    // Energy is count × unit of one image, and nothing is compared with a metric that it is not held against.
    assert!((number(&three["energy_j"]) / (1e-15 * number(&three["energy_count"])) - 1.0).abs() < 1e-12);
    assert!(json["check"]["counted"].is_null() && json["check"]["cycles"].is_null());
}

#[test]
fn a_mac_of_eight_reads_spends_eight_reads() {
    // Shafiee et al. 2016, table 1: 2.4 mW for eight arrays of 128 × 128 cells over 100 ns; codes up to 3.
    let read = 2.4e-3 * 100e-9 / (8.0 * 128.0 * 128.0) / 9.0;
    let text = std::fs::read_to_string(repository("configs/in-memory-class-b.toml")).expect("it is in the repository");
    let value = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key} is not there"));
        number(line.split('=').nth(1).expect("a value").trim())
    };
    let steps = value("bits = ") / value("bits_per_step = ");
    let mac = value("mac_j_per_squared_half_step = ");
    assert!((mac / (steps * read) - 1.0).abs() < 0.01, "{mac} J, {steps} reads of {read} J");
}

#[test]
fn utilization_is_work_over_all_cycles_and_idle_adds_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = analog_toml("cells", "16", "8", 3)
        + "[dac]\nbits = 4\nbits_per_step = 2\n[adc]\nfull_scale = \"exact\"\n\
         conversion_cycles = 2\ncolumns_per_converter = 4\n";
    std::fs::write(folder.path().join("cells.toml"), text).expect("writable");
    let (rows, _) = simulate(folder.path(), &["--hardware", "cells.toml", "--limit", "1"]);
    let (mut all_used, mut all_offered) = (0.0, 0.0);
    for row in &rows {
        let offered = number(&row["cycles"]) * 3.0 * 16.0 * 8.0;
        // Each weight is read in both steps of each position.
        let used = 2.0 * number(&row["macs"]);
        let idle: f64 =
            row["idle_by_cause"].split(';').map(|pair| number(pair.split_once('=').expect("a pair").1)).sum();
        assert_eq!(used + idle, offered, "{}", row["layer"]);
        assert!((number(&row["utilization"]) - used / offered).abs() < 1e-12, "{}", row["layer"]);
        // Eight cycles of conversion follow on one of the array.
        assert_eq!(row["bound_by"], "waiting for ADCs");
        if row["layer"] == "TOTAL" {
            assert_eq!((used, offered), (all_used, all_offered), "the total is weighted by cycles");
        }
        (all_used, all_offered) = (all_used + used, all_offered + offered);
    }
}

#[test]
fn presets_have_the_same_memory_and_parts_of_energy_add_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["cpu-serial", "gpu-8bit", "multi-precision", "variable-bit-filter", "bit-serial", "analog-class-b"];
    let hardware = names.iter().flat_map(|name| ["--hardware", name]);
    let (rows, _) = simulate(folder.path(), &hardware.chain(["--limit", "1"]).collect::<Vec<_>>());
    let network = embedded_network().expect("it is valid");
    let sum = |of: &dyn Fn(&network::Geometry) -> usize| -> f64 {
        network.layers().iter().map(|layer| of(&layer.geometry) as f64).sum()
    };
    // 8 bits of every input element and 32 of every output element, once, at 1.5625 pJ a bit.
    let (inputs, outputs) = (sum(&|g| g.input_len()), sum(&|g| g.output_len()));
    let moved = (8.0 * inputs + 32.0 * outputs) * 1.5625e-12;
    check_all(names, |&name| {
        let row = total(&rows, name);
        let weights = if name == "analog-class-b" { 0.0 } else { number(&row["weight_bits"]) * 2.03125e-11 };
        let memory = number(&row["memory_j"]);
        assert!((memory / (moved + weights) - 1.0).abs() < 1e-9, "{name}: {memory} J, not {}", moved + weights);
        let parts = number(&row["compute_j"]) + number(&row["conversion_j"]) + memory;
        assert!((parts / number(&row["energy_j"]) - 1.0).abs() < 1e-12, "{name}");
    });
}

#[test]
fn conversions_that_clip_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = std::fs::read_to_string(repository("configs/in-memory-class-b.toml")).expect("it is in the repository");
    let unipolar = text.replace("range = \"bipolar\"", "range = \"unipolar\"").replace("in-memory-class-b", "unipolar");
    // One column a filter: sums of negative weights are below 0.
    let unipolar = unipolar.replace("differential = true", "differential = false");
    std::fs::write(folder.path().join("unipolar.toml"), unipolar).expect("writable");
    let arguments = ["--hardware", "in-memory-class-b", "--hardware", "unipolar.toml", "--limit", "20"];
    let (rows, json) = simulate(folder.path(), &arguments);
    let first = |hardware: &str| rows.iter().find(|row| row["hardware"] == hardware).expect("it has layers");
    assert_eq!(first("in-memory-class-b")["clipped"], "0.0");
    assert!(number(&first("unipolar")["clipped"]) > 0.1);
    let clipped = &json["inference"]["engines"][1]["clipped"][0];
    assert_eq!(clipped.as_f64(), Some(number(&first("unipolar")["clipped"])));
}

#[test]
fn normalized_energies_are_no_joules() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = ["--hardware", "ideal-digital", "--hardware", "bit-serial", "--limit", "1"];
    let (rows, _) = simulate(folder.path(), &arguments);
    let (ideal, real) = (total(&rows, "ideal-digital"), total(&rows, "bit-serial"));
    assert_eq!((ideal["energy_unit"].as_str(), ideal["tops_per_w"].as_str()), ("normalized", ""));
    assert_eq!(real["energy_unit"], "J");
    assert!(number(&real["tops_per_w"]) > 0.0);
}

#[test]
fn accuracy_has_its_standard_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = esnsim().current_dir(folder.path()).arg("simulate").assert().success();
    let text = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    // 493 right of 500: sqrt(0.986 · 0.014 / 500).
    let line = text.lines().find(|line| line.starts_with("digits-resnet.onnx in float")).expect("it has run");
    assert!(line.ends_with("float32      0.9860  0.0053                  –"), "{line}");
}

/// Two Gemms on one tensor `[6, 6]`, one behind the other, and a third, `[2, 6]`, on another.
fn shared_tensor() -> Vec<u8> {
    let transposed = || vec![int("transB", 1)];
    model()
        .input("x", &[1, 6])
        .floats("w", &[6, 6], &reals(1, 36))
        .floats("v", &[2, 6], &reals(2, 12))
        .node_with("Gemm", &["x", "w"], &["a"], transposed())
        .node("Relu", &["a"], &["b"])
        .node_with("Gemm", &["b", "w"], &["c"], transposed())
        .node_with("Gemm", &["c", "v"], &["y"], transposed())
        .bytes()
}

#[test]
fn the_page_of_a_run_counts_a_tensor_of_several_layers_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("shared.onnx"), shared_tensor()).expect("writable");
    simulate(folder.path(), &["shared.onnx", "--bits", "4", "--html", "run.html"]);
    let page = std::fs::read_to_string(folder.path().join("run.html")).expect("written");
    let data = page.split_once("id=\"data\">").expect("there is data").1.split_once("</script>").expect("it ends").0;
    let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
    let count = |bits: &serde_json::Value, of: &str| -> u64 {
        bits[of].as_array().expect("a list").iter().filter_map(serde_json::Value::as_u64).sum()
    };
    let layers = data["layers"].as_array().expect("a list");
    assert_eq!(layers.iter().map(|layer| count(&layer["bits"], "weights")).collect::<Vec<_>>(), [36, 36, 12]);
    assert_eq!((count(&data["bits"], "weights"), count(&data["bits"], "filters")), (48, 8));
}

#[test]
fn a_total_counts_a_tensor_of_several_layers_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("shared.onnx"), shared_tensor()).expect("writable");
    let read = |name: &str| -> Vec<Row> {
        let mut csv = csv::Reader::from_path(folder.path().join(name)).expect("the command wrote it");
        csv.deserialize().collect::<Result<_, _>>().expect("a table")
    };
    let run = |arguments: &[&str]| esnsim().current_dir(folder.path()).args(arguments).assert().success();
    run(&["esn", "shared.onnx", "--bits", "4", "--csv", "esn.csv"]);
    let (rows, json) = simulate(folder.path(), &["shared.onnx", "--bits", "4", "--hardware", "ideal-digital"]);
    run(&["inspect", "shared.onnx", "--csv", "inspect.csv"]);
    let tables = [(read("esn.csv"), "nonzero esn_a esn_d filters esn_d_filter_weights"), (rows, "filters weight_bits")];
    for (rows, once) in tables {
        assert_eq!(rows.iter().map(|row| row["weights_of"].as_str()).collect::<Vec<_>>(), ["", "Gemm_a", "", ""]);
        let total = &rows[3];
        let sum = |column: &str, rows: &[&Row]| rows.iter().map(|row| number(&row[column])).sum::<f64>();
        for column in once.split(' ').chain(["weights", "effective_weights"]) {
            assert_eq!(number(&total[column]), sum(column, &[&rows[0], &rows[2]]), "{column}");
        }
        for column in ["macs", "effective_macs"] {
            assert_eq!(number(&total[column]), sum(column, &[&rows[0], &rows[1], &rows[2]]), "{column}");
        }
        assert_eq!((&*total["weights"], &*total["macs"]), ("48", "84"));
    }
    assert_eq!(read("inspect.csv").iter().map(|row| row["weights_of"].clone()).collect::<Vec<_>>(), ["", "Gemm_a", ""]);
    assert_eq!(json["layers"][1]["weights_of"], "Gemm_a");
    assert_eq!((&json["total"]["weights"], &json["total"]["macs"]), (&48.into(), &84.into()));
    // What is written has the tensor once, and is what was read.
    run(&["convert", "shared.onnx", "again.onnx"]);
    run(&["convert", "shared.onnx", "weights.safetensors"]);
    run(&["compress", "shared.onnx", "--bits", "4", "--output", "four.onnx"]);
    run(&["esn", "again.onnx", "--bits", "4", "--csv", "again.csv"]);
    let without_file = |rows: Vec<Row>| -> Vec<Row> {
        rows.into_iter().map(|row| row.into_iter().filter(|(column, _)| column != "network").collect()).collect()
    };
    assert_eq!(without_file(read("again.csv")), without_file(read("esn.csv")));
    run(&["esn", "weights.safetensors", "--bits", "4", "--csv", "weights.csv"]);
    assert_eq!(read("weights.csv").last().map(|row| row["weights"].clone()).as_deref(), Some("48"));
    run(&["esn", "four.onnx", "--csv", "four.csv"]);
    assert_eq!(
        read("four.csv").last().map(|row| row["esn_d"].clone()),
        read("esn.csv").last().map(|row| row["esn_d"].clone())
    );
}
