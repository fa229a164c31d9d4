//! Pictures of measured figures beside the model's: a panel each, with dots for what was measured and lines for the model.

use std::fmt::Write;

use super::chips;
use super::page::{self, relative};
use super::points::{POINTS, Point, Printed};

const COLOURS: [&str; 4] = ["#0b5394", "#b45f06", "#38761d", "#741b47"];
const WIDTH: f64 = 450.0;
/// Room for names at the right of a panel, and for numbers at its left.
const LEGEND: f64 = 135.0;
const NUMBERS: f64 = 60.0;
const HEIGHT: f64 = 300.0;

/// A series: its name, what was measured, and the model.
struct Series {
    name: String,
    dots: Vec<(f64, f64)>,
    line: Vec<(f64, f64)>,
}

struct Panel {
    title: String,
    across: &'static str,
    up: &'static str,
    series: Vec<Series>,
    log: bool,
    /// What dots and lines are.
    kinds: [&'static str; 2],
}

const KINDS: [&str; 2] = ["dots: measured", "lines: the model"];

/// The pictures by the name of their files.
pub fn all() -> Vec<(&'static str, String)> {
    let bits = |printed: &Printed| f64::from(printed.weight_bits);
    let inputs = |printed: &Printed| f64::from(printed.input_bits.expect("it has input bits"));
    let mean = |printed: &Printed| f64::from(printed.mean_output.expect("it has a mean output"));
    let volts = |source: &'static str| {
        let of = |volts: &'static str| {
            series(format!("{volts} V"), bits, move |p| p.chip == "colonnade" && p.source == source && p.volts == volts)
        };
        vec![of("0.8"), of("0.7"), of("0.6")]
    };
    // Two widths were measured; the model has all of them.
    let unpu = |quantity: &'static str| {
        let mut series = series("UNPU".to_string(), bits, move |p| p.chip == "unpu" && p.quantity == quantity);
        let is_one = |point: &&Point| point.printed.chip == "unpu" && point.printed.quantity == quantity;
        let printed = &POINTS.iter().find(is_one).expect("it was printed").printed;
        let at = |weight_bits: u32| chips::model(&[], &Printed { weight_bits, ..printed.clone() });
        series.line = (1..=16).map(|bits| (f64::from(bits), at(bits).expect("it is described").0)).collect();
        series
    };
    let neurram = |phases: u32| {
        series(page::phases(phases), inputs, move |p| p.quantity == "efficiency" && p.phases == Some(phases))
    };
    let neurram_energy = |part: &'static str| {
        series(part.to_string(), inputs, move |p| p.quantity.strip_prefix("energy, ") == Some(part))
    };
    let one = |title: &str, across, up, series, log| {
        let title = title.to_string();
        Panel { title, across, up, series, log, kinds: KINDS }
    };
    vec![
        (
            "colonnade",
            draw(&[
                one("Colonnade, 1-bit inputs", "bits of a weight", "fJ a MAC", volts("Fig. 16b"), true),
                one("Colonnade, b × b bits", "bits of a weight and an input", "fJ a MAC", volts("Fig. 16a"), true),
            ]),
        ),
        (
            "unpu",
            draw(&[
                one("UNPU, efficiency", "bits of a weight", "TOPS/W", vec![unpu("efficiency")], true),
                one("UNPU, peak throughput", "bits of a weight", "GOPS", vec![unpu("peak throughput")], true),
            ]),
        ),
        (
            "neurram",
            draw(&[
                one("NeuRRAM, efficiency", "bits of an input", "TOPS/W", vec![neurram(1), neurram(2)], true),
                one(
                    "NeuRRAM, energy",
                    "bits of an input",
                    "fJ an operation",
                    ["word lines", "neurons and control", "input pulses"].map(neurram_energy).into(),
                    false,
                ),
            ]),
        ),
        (
            "sinangil",
            draw(&[one(
                "Sinangil, 0.8 V",
                "mean output, of 15",
                "pJ a product",
                vec![series("64 inputs, 16 filters".to_string(), mean, |p| p.source == "Fig. 13a")],
                false,
            )]),
        ),
        ("jia-wang", draw(&[entries("jia"), entries("wang")])),
        ("distance", draw(&[common()])),
    ]
}

/// The figures of a chip one after another, over what was measured.
fn entries(chip: &str) -> Panel {
    let described: Vec<&Point> =
        POINTS.iter().filter(|point| point.printed.chip == chip && point.model.is_some()).collect();
    let at = |value: fn(&Point) -> f64| {
        described.iter().enumerate().map(|(i, point)| (i as f64 + 1.0, value(point))).collect::<Vec<_>>()
    };
    let dots = at(|point| 1.0 + point.error().expect("it has a model"));
    let series = vec![Series { name: chip.to_string(), dots, line: at(|_| 1.0) }];
    let (title, kinds) = (format!("{chip}: model over measured"), ["dots: the model", "line: measured"]);
    Panel { title, across: "figures in the order of the table", up: "over measured", series, log: false, kinds }
}

/// Every chip that was measured at several widths of weights, over its widest.
fn common() -> Panel {
    let measured = |chip: &str| {
        (1..=16).filter_map(|bits| Some((f64::from(bits), relative(chip, bits)?))).collect::<Vec<(f64, f64)>>()
    };
    let ideal = |of: fn(f64) -> f64| (1..=16).map(|bits| (f64::from(bits), of(f64::from(bits)))).collect();
    // Below 11 bits it is less than a thousandth, and the page says so.
    let of_squares = |bits: i32| (f64::from(bits), 4f64.powi(bits - 16));
    let only = |name: &str, dots, line| Series { name: name.to_string(), dots, line };
    let series = vec![
        only("Colonnade", measured("colonnade"), Vec::new()),
        only("UNPU", measured("unpu"), Vec::new()),
        only("ESN_d, bits", Vec::new(), ideal(|bits| bits / 16.0)),
        only("ESN_a, 4^bits", Vec::new(), (11..=16).map(of_squares).collect()),
    ];
    let title = "Energy of a MAC over that at 16 bits".to_string();
    let kinds = ["dots: measured", "lines: the ideal"];
    Panel { title, across: "bits of a weight", up: "over 16 bits", series, log: true, kinds }
}

fn series(name: String, across: impl Fn(&Printed) -> f64, holds: impl Fn(&Printed) -> bool) -> Series {
    let points: Vec<&Point> = POINTS.iter().filter(|point| holds(&point.printed)).collect();
    let dots = points.iter().map(|point| (across(&point.printed), point.printed.measured)).collect();
    let line = points.iter().filter_map(|point| Some((across(&point.printed), point.model?.0))).collect();
    Series { name, dots, line }
}

/// Whole numbers of a range for an axis, sixteen at most.
fn whole_numbers(from: f64, to: f64) -> impl Iterator<Item = f64> {
    let step = ((to - from) / 15.0).ceil().max(1.0);
    (0..16).map(move |index| from.ceil() + f64::from(index) * step).take_while(move |&number| number <= to)
}

/// Round numbers of a range for an axis, ten at most: 1, 2 and 5 times powers of 10, and powers alone where they are many.
/// Of an axis that is not logarithmic, multiples of the least of them that is large enough.
fn round_numbers(from: f64, to: f64, log: bool) -> Vec<f64> {
    let all = (-9..=9).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| (digit, digit * 10f64.powi(power))));
    let within = |number: f64| (from * 0.999..=to * 1.001).contains(&number);
    if log {
        let found: Vec<(f64, f64)> = all.filter(|&(_, number)| within(number)).collect();
        let kept = found.iter().filter(|(digit, _)| found.len() <= 10 || *digit == 1.0);
        return kept.map(|&(_, number)| number).collect();
    }
    let step =
        all.map(|(_, number)| number).find(|number| (to - from) / number <= 6.0).expect("figures are below 10^9");
    (0..10).map(|index| f64::from(index) * step).filter(|&number| number <= to).collect()
}

/// The ends of a logarithmic axis that holds this range of logarithms: 1, 2 or 5 times powers of 10.
fn enclosing(low: f64, high: f64) -> (f64, f64) {
    let round = (-9..=9).flat_map(|power| [1.0f64, 2.0, 5.0].map(|digit| f64::from(power) + digit.log10()));
    let below = round.clone().take_while(|&round| round <= low + 1e-9).last();
    let above = round.clone().find(|&round| round >= high - 1e-9);
    (below.expect("figures are above 10^-9"), above.expect("figures are below 10^9"))
}

fn draw(panels: &[Panel]) -> String {
    let width = WIDTH * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"{width}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        panel.draw(WIDTH * index as f64, &mut svg);
    }
    svg + "</svg>\n"
}

impl Panel {
    fn draw(&self, left: f64, svg: &mut String) {
        let all = || self.series.iter().flat_map(|series| series.dots.iter().chain(&series.line));
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), value| (a.min(value), b.max(value)))
        };
        let scaled = |value: f64| if self.log { value.log10() } else { value };
        let (x0, x1) = range(&mut all().map(|point| point.0));
        let (low, high) = range(&mut all().map(|point| scaled(point.1)));
        let (y0, y1) = if self.log { enclosing(low, high) } else { (0.0, 1.1 * high) };
        let right = left + WIDTH - LEGEND;
        let x = |value: f64| left + NUMBERS + (value - x0) / (x1 - x0) * (WIDTH - LEGEND - NUMBERS);
        let y = |value: f64| HEIGHT - 45.0 - (scaled(value) - y0) / (y1 - y0) * (HEIGHT - 80.0);
        let mut put = |line: std::fmt::Arguments<'_>| writeln!(svg, "{line}").expect("a text grows");
        put(format_args!("<text x=\"{:.1}\" y=\"18\" font-size=\"13\">{}</text>", left + NUMBERS, self.title));
        let bottom = HEIGHT - 45.0;
        put(format_args!(
            "<path d=\"M{:.1} 35V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"black\"/>",
            left + NUMBERS
        ));
        let ends = [y0, y1].map(|end| if self.log { 10f64.powf(end) } else { end });
        for up in round_numbers(ends[0], ends[1], self.log) {
            let (at, shown) = (y(up) + 4.0, page::digits(up, 1));
            put(format_args!(
                "<text x=\"{:.1}\" y=\"{at:.1}\" text-anchor=\"end\">{shown}</text>",
                left + NUMBERS - 5.0
            ));
        }
        for across in whole_numbers(x0, x1) {
            let (at, below) = (x(across), bottom + 15.0);
            put(format_args!("<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{across}</text>"));
        }
        let (middle, below) = ((left + NUMBERS + right) / 2.0, HEIGHT - 12.0);
        put(format_args!("<text x=\"{middle:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{}</text>", self.across));
        put(format_args!("<text x=\"{:.1}\" y=\"31\">{}</text>", left + 8.0, self.up));
        for (index, series) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            for dot in &series.dots {
                // Larger where a dot of a later series covers it.
                let is_covered = self.series[index + 1..].iter().any(|later| later.dots.contains(dot));
                let (radius, (x, y)) = (if is_covered { 5 } else { 3 }, (x(dot.0), y(dot.1)));
                put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\"/>"));
            }
            let line: Vec<String> = series.line.iter().map(|&(a, b)| format!("{:.1},{:.1}", x(a), y(b))).collect();
            if !line.is_empty() {
                let line = line.join(" ");
                put(format_args!("<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\"/>"));
            }
            let (at, down) = (right + 8.0, 45.0 + 14.0 * index as f64);
            put(format_args!("<text x=\"{at:.1}\" y=\"{down:.1}\" fill=\"{colour}\">{}</text>", series.name));
        }
        for (index, kind) in self.kinds.iter().enumerate() {
            let (at, down) = (right + 8.0, bottom - 20.0 + 14.0 * index as f64);
            put(format_args!("<text x=\"{at:.1}\" y=\"{down:.1}\">{kind}</text>"));
        }
    }
}
