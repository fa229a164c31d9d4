use std::path::Path;

use testkit::check_all;

use crate::hardware::presets::IDEAL;
use crate::hardware::{Hardware, HardwareFile, Metric};

fn parse(text: &str) -> Result<Hardware, String> {
    Hardware::parse(Path::new("h.toml"), text).map_err(|e| e.to_string())
}

/// The ideal description with keys more in its sections `array` and `energy`, and sections more.
fn with(array: &str, energy: &str, sections: &str) -> String {
    let ideal = IDEAL[0].1.replace("arrays = 1", &format!("arrays = 1\n{array}"));
    format!("{ideal}\n{energy}\n{sections}\n")
}

/// As [`with`], under the law of bits.
fn of_bits(array: &str, energy: &str, sections: &str) -> String {
    let lines = with(array, &format!("law = \"bits\"\n{energy}"), sections);
    lines.lines().filter(|line| !line.starts_with("mac_j")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn cells_of_bits_are_held_against_the_bits_of_weights() {
    let energy = "cell_j_per_step = 2e-15";
    let sections = "[dac]\nbits = 8\nbits_per_step = 2";
    let hardware = parse(&of_bits("bits_per_column = 1", energy, sections)).expect("valid");
    assert_eq!((hardware.metric, hardware.unit.0, hardware.ideal), (Metric::EsnD, 4.0 * 2e-15, false));
}

#[test]
fn pulses_that_count_need_images_or_a_mean() {
    let pulses = |mean: &str| {
        let sections = format!("[dac]\nbits = 4\n[pulses]\ncoding = \"count\"\npulse_j = 1e-15\n{mean}");
        parse(&with("", "", &sections)).expect("valid").needs_images()
    };
    assert!(pulses("") && !pulses("assumed_mean_input = 0.5"));
}

#[test]
fn sections_without_a_departure_are_ideal() {
    let cases = [
        with("differential = false\npipelined = true", "law = \"amplitude-squared\"\naddition_j = 0", ""),
        with("pipelined = false", "input_dependent = false\naddition_j = 1e-12", ""),
        with("", "", "[bias]\nclass = \"B\""),
        with("", "", "[bias]\nclass = \"AB\"\nquiescent_fraction = 0\nreference = \"column\""),
        with("", "", "[dac]\nbits = 8"),
        with("", "", "[adc]\nfull_scale = \"exact\""),
        with("", "", "[adc]\nfull_scale = \"max-sum\"\nbits = 8"),
        with("", "", "[noise]\nread_sigma = 0.1\nprogramming_sigma = 0.1\nir_drop_along_rows = 0.1"),
        with("", "", "[noise]"),
    ];
    check_all(cases, |text| assert!(parse(text).expect(text).ideal, "{text}"));
}

#[test]
fn what_changes_a_count_or_a_cycle_is_not_ideal() {
    let cases = [
        with("differential = true", "", ""),
        with("bits_per_column = 17", "", ""),
        with("accumulator_columns = 1", "", ""),
        with("", "array_j_per_step = 1e-15", ""),
        with("", "output_j = 1e-15", ""),
        with("", "", "[dac]\nbits = 8\n[pulses]\ncoding = \"bits\""),
        with("", "law = \"fixed-supply\"", ""),
        with("", "law = \"conductance\"", "[dac]\nbits = 8"),
        with("", "input_dependent = true", "[dac]\nbits = 8"),
        with("", "", "[bias]\nclass = \"A\""),
        with("", "", "[bias]\nclass = \"AB\"\nquiescent_fraction = 1e-6"),
        with("", "", "[dac]\nbits = 8\nbits_per_step = 4"),
        with("", "", "[dac]\nbits = 8\nconversion_j = 1e-15"),
        with("", "", "[dac]\nbits = 8\nconversion_cycles = 1"),
        with("", "", "[adc]\nfull_scale = \"exact\"\nconversion_j = 1e-15"),
        with("", "", "[adc]\nfull_scale = 2.5\nbits = 8\nconversion_cycles = 1\nrange = \"unipolar\""),
    ];
    check_all(cases, |text| assert!(!parse(text).expect(text).ideal, "{text}"));
}

#[test]
fn a_wrong_departure_is_refused_in_one_line_that_names_the_key() {
    let dac = |keys: &str| with("", "", &format!("[dac]\n{keys}"));
    let adc = |keys: &str| with("", "", &format!("[adc]\n{keys}"));
    let pulses = |keys: &str| with("", "", &format!("[dac]\nbits = 4\n[pulses]\n{keys}"));
    let noise = |keys: &str| with("", "", &format!("[noise]\n{keys}"));
    let bias = |keys: &str| with("", "", &format!("[bias]\n{keys}"));
    let cases = [
        (with("differential = 2", "", ""), "line"),
        (with("", "law = \"cubic\"", ""), "cubic"),
        (with("", "addition_j = -1", ""), "energy.addition_j is -1"),
        (with("", "addition_j = inf", ""), "energy.addition_j is inf"),
        (with("", "input_dependent = true", ""), "energy.input_dependent is true"),
        (with("", "law = \"conductance\"", ""), "energy.input_dependent is true"),
        (
            with("", "law = \"conductance\"\ninput_dependent = false", "[dac]\nbits = 1"),
            "energy.input_dependent is false",
        ),
        (with("", "assumed_mean_square_input = 0.5", ""), "energy.assumed_mean_square_input is given"),
        (
            with("", "input_dependent = true\nassumed_mean_square_input = 0", "[dac]\nbits = 1"),
            "energy.assumed_mean_square_input is 0",
        ),
        (
            with("", "input_dependent = true\nassumed_mean_square_input = nan", "[dac]\nbits = 1"),
            "energy.assumed_mean_square_input is NaN",
        ),
        (bias("class = \"C\""), "C"),
        (bias("class = \"AB\""), "bias.quiescent_fraction is missing"),
        (bias("class = \"A\"\nquiescent_fraction = 0.5"), "bias.quiescent_fraction is 0.5"),
        (bias("class = \"AB\"\nquiescent_fraction = 1.5"), "bias.quiescent_fraction is 1.5"),
        (bias("class = \"AB\"\nquiescent_fraction = nan"), "bias.quiescent_fraction is NaN"),
        (bias("class = \"A\"\nreference = \"chip\""), "chip"),
        (with("bits_per_column = 0", "", ""), "array.bits_per_column is 0"),
        (with("join_columns = true", "", ""), "array.join_columns is true"),
        (with("accumulator_columns = 65", "", ""), "array.accumulator_columns is 65"),
        (with("bits_per_column = 1", "", "[adc]\nfull_scale = \"max-sum\"\nbits = 8"), "unsupported"),
        (with("", "cell_j_per_step = 1e-15", ""), "energy.cell_j_per_step is 1e-15"),
        (with("", "law = \"bits\"", ""), "energy.mac_j_per_squared_half_step does not go with"),
        (of_bits("", "", ""), "energy.cell_j_per_step is missing"),
        (of_bits("bits_per_column = 2", "cell_j_per_step = 1e-15", ""), "array.bits_per_column is 2"),
        (of_bits("bits_per_column = 1", "cell_j_per_step = -1e-15", ""), "energy.cell_j_per_step is -"),
        (of_bits("bits_per_column = 1", "cell_j_per_step = 1e-15", "[bias]\nclass = \"A\""), "bias.class is A or AB"),
        (with("", "idle_cell_j_per_step = nan", ""), "energy.idle_cell_j_per_step is NaN"),
        (with("", "array_j_per_step = -1.0", ""), "energy.array_j_per_step is -1"),
        (with("", "output_j = inf", ""), "energy.output_j is inf"),
        (with("", "", "[pulses]\ncoding = \"bits\""), "pulses.coding is given"),
        (with("", "", "[pulses]\ncoding = \"gray\""), "gray"),
        (pulses("coding = \"bits\"\ncycles = 0"), "pulses.cycles is 0"),
        (pulses("coding = \"bits\"\npulse_j = -1.0"), "pulses.pulse_j is -1"),
        (pulses("coding = \"bits\"\nassumed_mean_input = 0.5"), "pulses.assumed_mean_input is 0.5"),
        (pulses("coding = \"count\"\nassumed_mean_input = 1.5"), "pulses.assumed_mean_input is 1.5"),
        (pulses("coding = \"count\"\nintegration_j = 1e-15"), "pulses.integration_j is 1e-15"),
        (dac(""), "bits"),
        (dac("bits = 0"), "dac.bits is 0"),
        (dac("bits = 17"), "dac.bits is 17"),
        (dac("bits = 1152921504606846976"), "line"),
        (dac("bits = 8\nbits_per_step = 0"), "dac.bits_per_step is 0"),
        (dac("bits = 8\nbits_per_step = 9"), "dac.bits_per_step is 9"),
        (dac("bits = 8\nconversion_j = -1e-12"), "dac.conversion_j is -0.000000000001"),
        (dac("bits = 8\nconversion_cycles = 1152921504606846976"), "dac.conversion_cycles is 1152921504606846976"),
        (dac("bits = 8\nrows_per_converter = 0"), "dac.rows_per_converter is 0"),
        (dac("bits = 8\nrows_per_converter = 1152921504606846976"), "dac.rows_per_converter is 1152921504606846976"),
        (dac("bits = 8\nfull_scale = 0"), "dac.full_scale is 0"),
        (dac("bits = 8\nfull_scale = nan"), "dac.full_scale is NaN"),
        (dac("bits = 8\nfull_scale = \"max\""), "line"),
        (dac("bits = 8\nlevels = 3"), "levels"),
        (adc(""), "full_scale"),
        (adc("full_scale = \"max-sum\""), "adc.bits is missing"),
        (adc("full_scale = \"max-sum\"\nbits = 1"), "adc.bits is 1"),
        (adc("full_scale = \"max-sum\"\nbits = 0\nrange = \"unipolar\""), "adc.bits is 0"),
        (adc("full_scale = -3\nbits = 8"), "adc.full_scale is -3"),
        (adc("full_scale = inf\nbits = 8"), "adc.full_scale is inf"),
        (adc("full_scale = \"exact\"\ncolumns_per_converter = 0"), "adc.columns_per_converter is 0"),
        (adc("full_scale = \"exact\"\nconversion_j = nan"), "adc.conversion_j is NaN"),
        (adc("full_scale = \"exact\"\nconversion_cycles = 4097"), "adc.conversion_cycles is 4097"),
        (noise("read_sigma = -0.1"), "noise.read_sigma is -0.1"),
        (noise("read_sigma = 1e30"), "noise.read_sigma is 1"),
        (noise("programming_sigma = nan"), "noise.programming_sigma is NaN"),
        (noise("ir_drop_along_rows = 1.01"), "noise.ir_drop_along_rows is 1.01"),
        (noise("ir_drop_along_columns = -1"), "noise.ir_drop_along_columns is -1"),
        (noise("seed = -1"), "line"),
        (noise("sigma = 1"), "sigma"),
    ];
    check_all(cases, |(text, expected)| {
        let message = parse(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(message.starts_with("h.toml: ") && !message.contains('\n'), "{message}");
        assert!(message.contains(expected), "{message:?} should name {expected:?}");
    });
}

#[test]
fn the_resolved_description_reads_back_as_the_same() {
    let text = with(
        "differential = true\npipelined = false",
        "law = \"conductance\"\nassumed_mean_square_input = 0.25\naddition_j = 1e-14",
        "[bias]\nclass = \"AB\"\nquiescent_fraction = 0.1\nreference = \"array\"\n\
         [dac]\nbits = 8\nbits_per_step = 2\nconversion_j = 1e-13\nfull_scale = 6\n\
         [adc]\nbits = 8\nfull_scale = \"max-sum\"\ncolumns_per_converter = 8\n\
         [noise]\nseed = 7\nread_sigma = 0.01\nread_relative_to = \"step\"",
    );
    let resolved = parse(&text).expect("valid").resolved;
    let again = parse(&toml::to_string(&resolved).expect("it is a document")).expect("valid").resolved;
    assert!(matches!(&resolved, HardwareFile::Analog(_)));
    assert_eq!(resolved, again);
}
