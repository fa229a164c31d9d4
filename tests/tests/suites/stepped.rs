//! Does the machine that advances cycle by cycle agree, on every layer of a real network, with the fast engine, with the
//! reference sums and with the independent figures?

use std::collections::HashMap;

use esnsim_tests::{analog_toml, digital_toml, hardware, repository};
use runner::{DEFAULT_BITS, Hardware, Metric, Quantization, SteppedLayer, embedded_network, step_all};

/// Steps the embedded network through engines.
fn step(hardware: &[Hardware]) -> Vec<SteppedLayer> {
    let network = embedded_network().expect("it is valid");
    step_all(&network, hardware, Quantization::new(None), &|| ()).unwrap_or_else(|error| panic!("{error}"))
}

/// A column of the reference of the embedded network at the default width, by layer; without the row `TOTAL`.
fn reference(column: &str) -> HashMap<String, u128> {
    let path = repository("tests/reference/digits-resnet.csv");
    let mut csv = csv::Reader::from_path(path).expect("the reference is in the repository");
    let rows = csv.deserialize::<HashMap<String, String>>().map(|row| row.expect("valid CSV"));
    let wanted = rows.filter(|row| row["bits"] == DEFAULT_BITS.to_string() && row["layer"] != "TOTAL");
    wanted.map(|row| (row["layer"].clone(), row[column].parse().expect("counts are integers"))).collect()
}

fn column(metric: Metric) -> &'static str {
    match metric {
        Metric::EsnA => "sum_code2_macs",
        Metric::EsnD => "esn_d_macs",
        Metric::EsnDFilter => "esn_d_filter",
    }
}

/// Every machine confirms its fast engine and counts what the reference says, whatever its size.
fn assert_confirmed(hardware: &[Hardware], stepped: &[SteppedLayer]) {
    for this in hardware {
        let expected = reference(column(this.metric));
        let of_this: Vec<&SteppedLayer> = stepped.iter().filter(|s| s.hardware == this.engine.name()).collect();
        assert_eq!(of_this.len(), expected.len());
        for layer in &of_this {
            assert!(layer.same_run, "{} counts layer {} unlike its fast engine", layer.hardware, layer.layer);
            assert!(layer.same_outputs, "{} computes layer {} unlike the reference", layer.hardware, layer.layer);
            assert_eq!(layer.count, expected[&layer.layer], "{}, {}", layer.hardware, layer.layer);
        }
    }
}

#[test]
fn the_ideal_machines_take_the_cycles_of_the_metric() {
    let hardware = Hardware::ideal();
    let stepped = step(&hardware);
    assert_confirmed(&hardware, &stepped);
    for (this, column) in hardware.iter().zip(["positions", "esn_d_macs", "esn_d_filter"]) {
        let expected: u128 = reference(column).values().sum();
        let cycles: u128 = stepped.iter().filter(|s| s.hardware == this.engine.name()).map(|s| s.cycles).sum();
        assert_eq!(cycles, expected, "{}", this.engine.name());
    }
}

#[test]
fn finite_machines_count_the_same_and_take_other_cycles() {
    let hardware = [
        hardware(&analog_toml("3 arrays of 32 × 8 cells", "32", "8", 3)),
        hardware(&digital_toml("4 rows of 8 elements, by weight", 4, 8, "weight")),
        hardware(&digital_toml("4 rows of 8 elements, by filter", 4, 8, "filter")),
    ];
    let stepped = step(&hardware);
    assert_confirmed(&hardware, &stepped);
    let analog = stepped.iter().find(|s| s.layer == "/layer1/conv1/Conv").expect("the analog engine comes first");
    // 144 rows and 16 columns: 5 · 2 tiles at 64 positions on 3 arrays.
    assert_eq!(analog.cycles, (64u128 * 10).div_ceil(3));
}

#[test]
fn machines_with_every_departure_count_the_same() {
    let sections = "[bias]\nclass = \"AB\"\nquiescent_fraction = 0.1\nreference = \"column\"\n\
                    [dac]\nbits = 8\nbits_per_step = 4\nconversion_j = 1e-13\nconversion_cycles = 1\n\
                    [adc]\nbits = 8\nfull_scale = \"max-sum\"\nconversion_cycles = 1\ncolumns_per_converter = 4\n\
                    [noise]\nprogramming_sigma = 0.02\nread_sigma = 0.01\nir_drop_along_rows = 0.05\n";
    let departed = analog_toml("departed", "64", "32", 2).replace("arrays = 2", "arrays = 2\ndifferential = true");
    let hardware = [hardware(&format!("{departed}{sections}"))];
    assert_confirmed(&hardware, &step(&hardware));
}
