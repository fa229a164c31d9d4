//! How each chip is run for each figure that was printed of it.
//!
//! The energies in `configs/silicon` are fitted at the figures that are [`Use::Fitted`] here. Another supply voltage has one
//! constant, fitted at one figure of it.

use analog::event;
use engine::Event;
use toml::Value;

use super::bench::{Shape, Took, chip};
use super::points::{Printed, Use};

/// What the description of a chip says of a printed figure; none where it says nothing of it.
pub fn model(all: &[Printed], printed: &Printed) -> Option<(f64, Use)> {
    match printed.chip.as_str() {
        "unpu" => unpu(printed),
        "colonnade" => colonnade(all, printed),
        "neurram" => neurram(printed),
        "sinangil" => sinangil(all, printed),
        "jia" => jia(printed),
        "wang" => wang(printed),
        other => panic!("{other} has no model"),
    }
}

/// Fitted where `fitted`, else predicted.
fn used(value: f64, fitted: bool) -> Option<(f64, Use)> {
    Some((value, if fitted { Use::Fitted } else { Use::Predicted }))
}

fn number(value: impl Into<i64>) -> Value {
    Value::Integer(value.into())
}

/// 96 filters at 144 positions fill the array.
fn unpu(printed: &Printed) -> Option<(f64, Use)> {
    let took = Shape { inputs: 64, filters: 96, positions: 144, weight_bits: printed.weight_bits };
    let took = took.run(&chip("unpu", &[]), None);
    let at_16 = printed.weight_bits == 16;
    match printed.quantity.as_str() {
        "efficiency" => used(took.tops_per_watt(), at_16),
        "peak throughput" => used(took.operations_per_second() / 1e9, at_16),
        // The array of fixed-point elements that the paper compares with is not described.
        _ => None,
    }
}

/// 128 inputs, and as many filters as fit the columns.
fn colonnade(all: &[Printed], printed: &Printed) -> Option<(f64, Use)> {
    let at_0_8 = colonnade_at_0_8(printed.weight_bits, printed.input_bits.expect("it has input bits"));
    let is_anchor = |other: &&Printed| {
        let bits = (other.weight_bits, other.source.as_str());
        other.chip == printed.chip && other.volts == printed.volts && bits == (1, "Fig. 16b")
    };
    let anchor = all.iter().find(is_anchor).expect("every voltage has 1-bit weights");
    let fitted_widths = if printed.volts == "0.8" { [1, 16] } else { [1, 1] };
    let fitted = printed.source == "Fig. 16b" && fitted_widths.contains(&printed.weight_bits);
    let volts = if printed.volts == "0.8" { 1.0 } else { anchor.measured / colonnade_at_0_8(1, 1) };
    used(at_0_8 * volts, fitted)
}

/// fJ a MAC.
pub fn colonnade_at_0_8(weight_bits: u32, input_bits: u32) -> f64 {
    colonnade_with(weight_bits, input_bits, &[])
}

/// fJ a MAC where idle cells spend what others do: one constant, and what is offered is paid.
pub fn colonnade_with_one_constant(weight_bits: u32, input_bits: u32) -> f64 {
    colonnade_with(weight_bits, input_bits, &[("energy.idle_cell_j_per_step", Value::Float(8.54e-15))])
}

fn colonnade_with(weight_bits: u32, input_bits: u32, changes: &[(&str, Value)]) -> f64 {
    let changes = [changes, &[("dac.bits", number(input_bits))]].concat();
    let filters = 128 / (weight_bits as usize + 7);
    let took = Shape { inputs: 128, filters, positions: 4, weight_bits }.run(&chip("colonnade", &changes), None);
    took.joules() / took.macs * 1e15
}

/// All 48 cores full. Inputs have a sign, so that one of `n` bits is `n − 1` pulses, but one at least. In two phases an input
/// of 5 bits or more is two steps.
fn neurram(printed: &Printed) -> Option<(f64, Use)> {
    let bits = printed.input_bits.expect("it has input bits");
    let pulses = (bits - 1).max(1);
    let two_steps = printed.phases == Some(2) && bits >= 5;
    let per_step = if two_steps { pulses.div_ceil(2) } else { pulses };
    let outputs = printed.output_bits.expect("it has output bits");
    let changes = [
        ("dac.bits", number(pulses)),
        ("dac.bits_per_step", number(per_step)),
        ("adc.bits", number(outputs)),
        ("adc.conversion_cycles", number(10 * (outputs + 1))),
    ];
    let took = Shape { inputs: 128, filters: 256, positions: 48, weight_bits: 3 }.run(&chip("neurram", &changes), None);
    // The weights here have 7 half-steps, those of a 4-bit layer 8 in the mean.
    let of_mean_weight = 8.0 / 7.0;
    let operations = 2.0 * took.macs;
    let input_pulses = took.joules_of(&[Event::MAC]) * of_mean_weight;
    let others = took.joules_of(&[event::PULSES, event::INTEGRATION]);
    let fitted = bits == 1 || bits == 8;
    match printed.quantity.as_str() {
        "energy, input pulses" => used(input_pulses / operations * 1e15, fitted),
        "energy, word lines" => used(took.joules_of(&[event::PULSES]) / operations * 1e15, fitted),
        "energy, neurons and control" => used(took.joules_of(&[event::INTEGRATION]) / operations * 1e15, fitted),
        "efficiency" => used(operations / (input_pulses + others) / 1e12, fitted),
        // The second phase takes in fewer bits and converts fewer, which is not described.
        "throughput of 48 cores" if two_steps => None,
        "throughput of 48 cores" => used(took.operations_per_second() / 1e12, false),
        other => panic!("neurram: {other}"),
    }
}

/// 64 inputs and 16 filters, all numbers the square root of the mean output over full scale: 16 / 15 of it is an output of 15.
fn sinangil(all: &[Printed], printed: &Printed) -> Option<(f64, Use)> {
    let took = |mean_output: u32| {
        let pulses = (960.0 * (f64::from(mean_output) / 16.0).sqrt()).round() as usize;
        let vector: Vec<f32> = (0..64).map(|row| (pulses / 64 + usize::from(row < pulses % 64)) as f32).collect();
        let chip = chip("sinangil", &[("dac.full_scale", Value::Float(15.0))]);
        Shape { inputs: 64, filters: 16, positions: 1, weight_bits: 4 }.run(&chip, Some(&vector))
    };
    let efficiency = |mean_output: u32| took(mean_output).tops_per_watt();
    match (printed.source.as_str(), printed.quantity.as_str(), printed.volts.as_str()) {
        ("Fig. 13a", _, _) => {
            let mean = printed.mean_output.expect("it has a mean output");
            used(took(mean).joules() * 1e12, [0, 15].contains(&mean))
        }
        ("Table I", "efficiency", volts) => {
            let mean = printed.mean_output.expect("it has a mean output");
            let is_anchor = |other: &&Printed| {
                let of = (other.chip.as_str(), other.volts.as_str(), other.quantity.as_str());
                of == ("sinangil", volts, "efficiency") && other.mean_output == Some(0)
            };
            let anchor = all.iter().find(is_anchor).expect("every voltage has an output of 0").measured;
            let scale = if volts == "0.8" { 1.0 } else { anchor / efficiency(0) };
            used(efficiency(mean) * scale, volts != "0.8" && mean == 0)
        }
        ("Table I", "throughput", "0.8") => used(took(0).operations_per_second() / 1e9, true),
        // Every voltage of Fig. 13b has one figure; the clock at 1.0 V is not described.
        _ => None,
    }
}

/// 2304 inputs and 256 columns. At 1.2 V the unit has energies and a clock of its own.
fn jia(printed: &Printed) -> Option<(f64, Use)> {
    let mut changes = vec![("dac.bits", number(printed.input_bits.expect("it has input bits")))];
    if printed.volts == "1.2" {
        changes.extend([
            ("energy.cell_j_per_step", Value::Float(20.4e-12 / 2304.0)),
            ("energy.output_j", Value::Float(14.7e-12)),
            ("adc.conversion_j", Value::Float(3.56e-12)),
            ("clock_hz", Value::Float(1.0e8)),
        ]);
    }
    let shape = Shape { inputs: 2304, filters: 256, positions: 256, weight_bits: printed.weight_bits };
    let took = shape.run(&chip("jia", &changes), None);
    let vectors = (shape.filters * shape.positions) as f64;
    let array = [Event::MAC, event::OTHER_CELLS];
    let unit = took.joules_of(&array) + took.joules_of(&[event::ADC]);
    match printed.quantity.as_str() {
        "energy a column, ADC" => used(took.joules_of(&[event::ADC]) / vectors * 1e12, true),
        "energy a column, array" => used(took.joules_of(&array) / vectors * 1e12, true),
        "energy an output, digital path" => used(took.joules_of(&[event::OUTPUT]) / vectors * 1e12, true),
        // The paper counts the array and its converters.
        "efficiency" => used(2.0 * took.macs / unit / 1e12, false),
        "throughput" => {
            let fitted = printed.source == "Table II" && printed.volts == "0.85";
            used(took.operations_per_second() / 1e12, fitted)
        }
        other => panic!("jia: {other}"),
    }
}

/// 64 inputs and 16 columns.
fn wang(printed: &Printed) -> Option<(f64, Use)> {
    let took: Took = Shape { inputs: 64, filters: 16, positions: 4, weight_bits: 8 }.run(&chip("wang", &[]), None);
    let share = |events: &[Event]| used(100.0 * took.joules_of(events) / took.joules(), true);
    match printed.quantity.as_str() {
        "share of energy, ADC" => share(&[event::ADC]),
        "share of energy, DAC" => share(&[event::DAC]),
        "share of energy, MAC" => share(&[Event::MAC, event::OTHER_CELLS]),
        "share of energy, rest" => share(&[event::ARRAY]),
        "efficiency" if printed.volts == "1.0" => used(took.tops_per_watt(), true),
        // Throughput over area follows the clock of each voltage: 2,048 operations a cycle on 0.124 mm².
        "density" if printed.volts == "1.0" => used(took.operations_per_second() / 1e12 / 0.124, true),
        // Every other voltage has one figure of each.
        _ => None,
    }
}
