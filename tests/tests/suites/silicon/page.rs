//! The tables of `docs/silicon.md`, and the file of all points.

use std::fmt::Write;

use esn::{BitConvention, BitWidth};
use report::text::joules;
use runner::{CostPlan, Merit, Quantization};

use super::bench;
use super::points::{POINTS, Point, Use};
use super::summary::{ROWS, one_constant_errors};

/// The page with every table made anew. A table stands between `<!-- made: NAME -->` and `<!-- end -->`.
pub fn with_tables(page: &str) -> String {
    let tables: [(&str, String); 8] = [
        ("summary", summary()),
        ("network", network()),
        ("colonnade", colonnade()),
        ("unpu", of_chip("unpu")),
        ("neurram", of_chip("neurram")),
        ("sinangil", of_chip("sinangil")),
        ("jia and wang", of_chip("jia") + &rows_of("wang")),
        ("distance", distance()),
    ];
    tables.iter().fold(page.to_string(), |page, (name, table)| {
        let begin = format!("<!-- made: {name} -->\n");
        let start = page.find(&begin).unwrap_or_else(|| panic!("the page has no table {name}")) + begin.len();
        let end = start + page[start..].find("<!-- end -->").expect("a table ends");
        format!("{}\n{table}\n{}", &page[..start], &page[end..])
    })
}

fn summary() -> String {
    let mut table =
        "| figures | points | fitted at | constants | mean error | worst error |\n|---|---:|---|---:|---:|---:|\n"
            .to_string();
    for row in &ROWS {
        let (mean, worst) = row.errors();
        let points = format!("{}, {} fitted", row.points().count(), row.fitted());
        let errors = format!("{:.1} % | {:.1} %", 100.0 * mean, 100.0 * worst);
        writeln!(table, "| {} | {points} | {} | {} | {errors} |", row.what, row.fitted_at, row.constants)
            .expect("a text grows");
    }
    let all = POINTS.iter().filter(|point| point.printed.chip == "colonnade" && point.printed.volts == "0.8");
    for source in ["Fig. 16b", "Fig. 16a"] {
        let errors = one_constant_errors(all.clone().filter(|point| point.printed.source == source));
        let mean = 100.0 * errors.iter().sum::<f64>() / errors.len() as f64;
        let worst = 100.0 * errors.iter().copied().fold(0.0, f64::max);
        let what = format!("Colonnade, 0.8 V, {source}, if idle columns cost what others do");
        writeln!(table, "| {what} | {} | 5 bits | 1 | {mean:.1} % | {worst:.1} % |", errors.len())
            .expect("a text grows");
    }
    table
}

/// What the embedded network costs for one image: on the chip alone, and with the memory beside it.
fn network() -> String {
    const CHIPS: [&str; 3] = ["unpu", "colonnade", "neurram"];
    let hardware = CHIPS.map(|chip| bench::chip(chip, &[]));
    let heads = CHIPS.map(|chip| format!("`{chip}`: chip | with memory"));
    let mut table = format!("| bits | {} |\n|---:{}|\n", heads.join(" | "), "|---:|---:".repeat(CHIPS.len()));
    let network = runner::embedded_network().expect("it comes along");
    for bits in [8, 4, 2] {
        let quantization = Quantization::new(BitWidth::new(bits).ok());
        let plan =
            CostPlan { network: &network, hardware: &hardware, quantization, convention: BitConvention::default() };
        let cost = runner::cost(&plan).expect("it can be costed");
        let energies = hardware.iter().zip(&cost.totals).map(|(hardware, run)| {
            let [compute, conversion, memory] = Merit::new(hardware, &cost.total_row(), run).energy_by_group_j;
            let chip = compute + conversion;
            format!("{} | {}", joules(chip), joules(chip + memory))
        });
        writeln!(table, "| {bits} | {} |", energies.collect::<Vec<_>>().join(" | ")).expect("a text grows");
    }
    table
}

fn colonnade() -> String {
    let point = |source: &str, volts: &str, bits: u32| {
        let is = |point: &&Point| {
            let printed = &point.printed;
            (printed.chip.as_str(), printed.source.as_str(), printed.volts.as_str()) == ("colonnade", source, volts)
                && printed.weight_bits == bits
        };
        POINTS.iter().find(is).expect("every width is there")
    };
    let mut table = "| bits | filters | 1-bit inputs: measured | model | b × b: measured | model | 0.7 V | 0.6 V |\n\
                     |---:|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_string();
    for bits in 1..=16 {
        let pair = |source| {
            let point = point(source, "0.8", bits);
            format!("{} | {}", digits(point.printed.measured, 4), digits(point.model.expect("it has a model").0, 4))
        };
        let error = |volts| percent(point("Fig. 16b", volts, bits).error().expect("it has a model"));
        let figures = [pair("Fig. 16b"), pair("Fig. 16a"), error("0.7"), error("0.6")].join(" | ");
        writeln!(table, "| {bits} | {} | {figures} |", 128 / (bits + 7)).expect("a text grows");
    }
    table
}

fn of_chip(chip: &str) -> String {
    "| chip and figure | setting | measured | model | error |\n|---|---|---:|---:|---:|\n".to_string() + &rows_of(chip)
}

fn rows_of(chip: &str) -> String {
    let mut rows = String::new();
    for point in POINTS.iter().filter(|point| point.printed.chip == chip) {
        let Some((model, used)) = point.model else { continue };
        let printed = &point.printed;
        let measured = format!("{} {}", digits(printed.measured, 4), printed.unit);
        let error = match used {
            Use::Fitted => format!("{}, fitted", percent(point.error().expect("it has a model"))),
            Use::Predicted => percent(point.error().expect("it has a model")),
        };
        let what = format!("{chip}, {}, {}", printed.source, printed.quantity);
        writeln!(rows, "| {what} | {} | {measured} | {} | {error} |", setting(point), digits(model, 4))
            .expect("a text grows");
    }
    rows
}

fn setting(point: &Point) -> String {
    let printed = &point.printed;
    let bits = |what: &str, bits: Option<u32>| bits.map(|bits| format!("{bits}-bit {what}"));
    let parts = [
        bits("weights", Some(printed.weight_bits)),
        bits("inputs", printed.input_bits),
        printed.phases.map(phases),
        printed.mean_output.map(|mean| format!("mean output {mean}")),
        (!printed.volts.is_empty()).then(|| format!("{} V", printed.volts)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Phases in words.
pub fn phases(count: u32) -> String {
    if count == 1 { "1 phase".to_string() } else { format!("{count} phases") }
}

/// Energy over that of the widest weight, beside what the ideal takes.
fn distance() -> String {
    let mut table = "| weight bits | ESN_d | ESN_a | Colonnade, 1-bit inputs | over ESN_d | UNPU | over ESN_d |\n\
                     |---:|---:|---:|---:|---:|---:|---:|\n"
        .to_string();
    for bits in 1..=16u32 {
        let (ideal, ideal_a) = (f64::from(bits) / 16.0, 4f64.powi(bits as i32 - 16));
        let colonnade = relative("colonnade", bits).expect("every width is there");
        let unpu = match relative("unpu", bits) {
            Some(unpu) => format!("{unpu:.3} | {:.2}", unpu / ideal),
            None => "| ".to_string(),
        };
        let ideals = format!("{ideal:.4} | {ideal_a:.1e}");
        writeln!(table, "| {bits} | {ideals} | {colonnade:.3} | {:.2} | {unpu} |", colonnade / ideal)
            .expect("a text grows");
    }
    table
}

/// Measured energy of a MAC over that at 16 bits; at 1-bit inputs and 0.8 V where that is said.
pub fn relative(chip: &str, bits: u32) -> Option<f64> {
    let energy = |bits: u32| {
        let is = |point: &&Point| {
            let printed = &point.printed;
            let of_chip = printed.chip == chip && printed.weight_bits == bits;
            of_chip
                && match chip {
                    "unpu" => printed.quantity == "efficiency",
                    _ => printed.source == "Fig. 16b" && printed.volts == "0.8",
                }
        };
        let measured = POINTS.iter().find(is)?.printed.measured;
        Some(if chip == "unpu" { 1.0 / measured } else { measured })
    };
    Some(energy(bits)? / energy(16)?)
}

/// Every printed figure with what the descriptions say of it.
pub fn points_csv() -> String {
    let mut text =
        "chip,source,quantity,unit,weight_bits,input_bits,output_bits,phases,mean_output,volts,measured,model,\
                    error_percent,use\n"
            .to_string();
    for point in POINTS.iter() {
        let printed = &point.printed;
        let number = |number: Option<u32>| number.map_or(String::new(), |number| number.to_string());
        let quoted = |text: &str| if text.contains(',') { format!("\"{text}\"") } else { text.to_string() };
        let used = match point.model {
            None => "not described",
            Some((_, Use::Fitted)) => "fitted",
            Some((_, Use::Predicted)) => "predicted",
        };
        let fields = [
            printed.chip.clone(),
            printed.source.clone(),
            quoted(&printed.quantity),
            printed.unit.clone(),
            printed.weight_bits.to_string(),
            number(printed.input_bits),
            number(printed.output_bits),
            number(printed.phases),
            number(printed.mean_output),
            printed.volts.clone(),
            printed.measured.to_string(),
            point.model.map_or(String::new(), |(model, _)| digits(model, 4)),
            point.error().map_or(String::new(), |error| format!("{:.2}", 100.0 * error)),
            used.to_string(),
        ];
        writeln!(text, "{}", fields.join(",")).expect("a text grows");
    }
    text
}

fn percent(part: f64) -> String {
    format!("{:+.1} %", 100.0 * part)
}

/// A number with so many digits, all before its point at least.
pub fn digits(number: f64, kept: i32) -> String {
    let before = if number == 0.0 { 1 } else { number.abs().log10().floor() as i32 + 1 };
    format!("{number:.*}", (kept - before).clamp(0, 6) as usize)
}
