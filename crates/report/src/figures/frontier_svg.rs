//! The paper's figures as SVG files.

use std::path::{Path, PathBuf};

use explore::pareto::{Accuracy, Cost, Judged, frontier, judge};
use explore::store::PointRow;
use explore::sweep::Method;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::{FONT, Fault, draw_mesh, fault, write_svg};
use super::nearest_at_or_below;
use crate::file::OutputError;

const SIZE: (u32, u32) = (720, 520);
/// The paper's colours for its three ways, in hues that the colour-blind can tell apart.
const COLORS: [(Method, RGBColor); 3] = [
    (Method::QuantizeOnly, RGBColor(0, 140, 100)),
    (Method::PruneOnly, RGBColor(0, 100, 180)),
    (Method::PruneThenQuantize, RGBColor(213, 80, 0)),
];

/// Writes the figures of a store into a folder that exists, and returns their paths: accuracy against ESN_a, ESN_d
/// (Figures 4 and 6) and ESN'_d (Figure 8, right), against `cost` where that is another, and the histogram of the
/// widest bits of each filter (Figure 6, right) of the points of [`nearest_at_or_below`].
///
/// # Errors
///
/// [`OutputError`] names a file that cannot be written.
pub fn write_frontier_svgs(
    folder: &Path,
    rows: &[PointRow],
    cost: &Cost,
    accuracy: &Accuracy,
    histogram_at: Option<f64>,
) -> Result<Vec<PathBuf>, OutputError> {
    let mut costs = vec![Cost::EsnA, Cost::EsnD, Cost::EsnDFilter];
    if !costs.contains(cost) {
        costs.push(cost.clone());
    }
    let mut written = Vec::new();
    for cost in &costs {
        let points = judge(rows, cost, accuracy);
        if !points.is_empty() {
            let path = folder.join(format!("accuracy-{}.svg", file_name(&cost.id())));
            write_svg(&path, |text| draw_scatter(text, &points, &cost.label(rows), accuracy))?;
            written.push(path);
        }
    }
    let chosen = nearest_at_or_below(&judge(rows, cost, accuracy), histogram_at);
    if !chosen.is_empty() {
        let path = folder.join("histogram-max-bits.svg");
        write_svg(&path, |text| draw_histogram(text, &chosen, &cost.label(rows)))?;
        written.push(path);
    }
    Ok(written)
}

/// Letters and digits of a name; the rest becomes hyphens.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

/// A white area on which one figure is drawn.
fn area(text: &mut String) -> Result<DrawingArea<SVGBackend<'_>, Shift>, Fault> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(fault)?;
    Ok(area)
}

fn draw_scatter(text: &mut String, points: &[Judged<'_>], cost: &str, accuracy: &Accuracy) -> Result<(), Fault> {
    let whole = area(text)?;
    let (top, area) = whole.split_vertically(LEGEND);
    let methods = COLORS.into_iter().filter(|(method, _)| points.iter().any(|point| is_of(point, *method)));
    draw_legend_line(&top, &methods.collect::<Vec<_>>())?;
    let (x, y) = (log_range(points), accuracy_range(points));
    let ticks = log_ticks(&x);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .margin_top(4)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(x.log_scale().with_key_points(ticks), y)
        .map_err(fault)?;
    draw_mesh(
        chart
            .configure_mesh()
            .x_desc(cost)
            .y_desc(accuracy.label())
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&|y| format!("{y:.2}")),
    )?;
    for (method, color) in COLORS {
        let of: Vec<Judged<'_>> = points.iter().filter(|point| is_of(point, method)).copied().collect();
        if of.is_empty() {
            continue;
        }
        let line = LineSeries::new(frontier_line(&of), color.stroke_width(2));
        chart.draw_series(line).map_err(fault)?;
        let circles = of.iter().map(|point| Circle::new(place(point), 4, color.mix(0.65).filled()));
        chart.draw_series(circles).map_err(fault)?;
    }
    let line = frontier_line(points);
    chart.draw_series(DashedLineSeries::new(line, 5, 4, BLACK.stroke_width(1))).map_err(fault)?;
    let on = || points.iter().filter(|point| point.frontier);
    chart.draw_series(on().map(whisker)).map_err(fault)?;
    let rings = on().filter(|point| point.within_noise).map(|point| Circle::new(place(point), 7, BLACK));
    chart.draw_series(rings).map_err(fault)?;
    whole.present().map_err(fault)
}

/// Pixels above the chart for what its marks mean: no place inside of it is sure to be free.
const LEGEND: u32 = 40;

/// What colours, the dashed line, whiskers and rings mean, in one line.
fn draw_legend_line(area: &DrawingArea<SVGBackend<'_>, Shift>, methods: &[(Method, RGBColor)]) -> Result<(), Fault> {
    /// Pixels of a letter, about.
    const LETTER: i32 = 6;
    let middle = 22;
    let mut left = 80;
    let mut label = |text: &str| -> Result<i32, Fault> {
        let sign = left;
        area.draw(&Text::new(text.to_string(), (sign + 22, middle - 6), (FONT, 13).into_font())).map_err(fault)?;
        left += 22 + 14 + LETTER * text.chars().count() as i32;
        Ok(sign)
    };
    for (method, color) in methods {
        let sign = label(method.name())?;
        area.draw(&Circle::new((sign + 9, middle), 5, color.filled())).map_err(fault)?;
    }
    let sign = label("frontier ± s.e.")?;
    for dash in 0..2 {
        let start = sign + 11 * dash;
        area.draw(&PathElement::new([(start, middle), (start + 7, middle)], BLACK)).map_err(fault)?;
    }
    area.draw(&PathElement::new([(sign + 9, middle - 7), (sign + 9, middle + 7)], BLACK)).map_err(fault)?;
    let sign = label("gain within noise")?;
    area.draw(&Circle::new((sign + 9, middle), 7, BLACK)).map_err(fault)
}

/// A standard error up and down.
fn whisker(point: &Judged<'_>) -> PathElement<(f64, f64)> {
    let ((x, y), error) = (place(point), point.accuracy.standard_error());
    PathElement::new([(x, y - error), (x, y + error)], BLACK)
}

fn is_of(point: &Judged<'_>, method: Method) -> bool {
    point.row.configuration.method() == method
}

/// What the colours mean, in a corner of the figure.
fn draw_legend<'a, C>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, C>,
    position: SeriesLabelPosition,
) -> Result<(), Fault>
where
    C: CoordTranslate,
{
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 14))
        .draw()
        .map_err(fault)
}

fn place(point: &Judged<'_>) -> (f64, f64) {
    (point.cost.to_f64(), point.accuracy.to_f64())
}

/// The points that none of the others beats, cheapest first.
fn frontier_line(points: &[Judged<'_>]) -> Vec<(f64, f64)> {
    let figures: Vec<_> = points.iter().map(|point| (point.cost, point.accuracy)).collect();
    let on = frontier(&figures);
    points.iter().zip(on).filter(|(_, on)| *on).map(|(point, _)| place(point)).collect()
}

/// The costs, with a little room; a logarithmic axis takes no 0.
fn log_range(points: &[Judged<'_>]) -> std::ops::Range<f64> {
    let positive = || points.iter().map(|point| point.cost.to_f64()).filter(|&cost| cost > 0.0);
    let (low, high) = (positive().fold(f64::INFINITY, f64::min), positive().fold(0.0, f64::max));
    if low > high { 1.0..10.0 } else { low / 1.3..high * 1.3 }
}

/// 1, 2 and 5 of every decade; of many decades, the 1 alone.
fn log_ticks(range: &std::ops::Range<f64>) -> Vec<f64> {
    let (first, last) = (range.start.log10().floor() as i32, range.end.log10().ceil() as i32);
    let steps: &[f64] = if last - first > 5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let ticks = (first..=last).flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
    ticks.filter(|tick| range.contains(tick)).collect()
}

fn accuracy_range(points: &[Judged<'_>]) -> std::ops::Range<f64> {
    let accuracies = || points.iter().map(|point| point.accuracy.to_f64());
    let (low, high) = (accuracies().fold(1.0, f64::min), accuracies().fold(0.0, f64::max));
    let room = ((high - low) * 0.06).max(0.01);
    (low - room).max(0.0)..(high + room).min(1.02)
}

fn draw_histogram(text: &mut String, chosen: &[Judged<'_>], cost: &str) -> Result<(), Fault> {
    let area = area(text)?;
    let bits = |point: &Judged<'_>| point.row.costs.as_ref().map_or(Vec::new(), |costs| costs.filter_bits.clone());
    let widest = chosen.iter().filter_map(|point| bits(point).iter().rposition(|&n| n > 0)).max().unwrap_or(1).max(1);
    let most = chosen.iter().flat_map(bits).max().unwrap_or(1).max(1);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(-0.5..widest as f64 + 0.5, 0.0..most as f64 * 1.4)
        .map_err(fault)?;
    draw_mesh(
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(widest + 2)
            .x_desc("largest bit width of the filter (0: pruned)")
            .y_desc("filters")
            .x_label_formatter(&whole)
            .y_label_formatter(&|y| format!("{y:.0}")),
    )?;
    let width = 0.8 / chosen.len() as f64;
    for (i, point) in chosen.iter().enumerate() {
        let color = color(point.row.configuration.method());
        let left = move |bits: usize| bits as f64 - 0.4 + i as f64 * width;
        let counts = bits(point);
        let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bits, &count)| {
            Rectangle::new([(left(bits), 0.0), (left(bits) + width * 0.92, count as f64)], color.mix(0.85).filled())
        });
        let label = format!("{} ({})", point.row.configuration.label(), short(point.cost.to_f64()));
        chart
            .draw_series(bars)
            .map_err(fault)?
            .label(label)
            .legend(move |(x, y)| Rectangle::new([(x + 3, y - 5), (x + 15, y + 5)], color.filled()));
    }
    draw_legend(&mut chart, SeriesLabelPosition::UpperRight)?;
    let caption = format!("configurations at or below one {cost}");
    area.draw(&Text::new(caption, (84, 4), (FONT, 13).into_font())).map_err(fault)?;
    area.present().map_err(fault)
}

fn color(method: Method) -> RGBColor {
    COLORS.iter().find(|(m, _)| *m == method).map_or(BLACK, |(_, color)| *color)
}

/// Labels stand at whole numbers alone.
fn whole(x: &f64) -> String {
    if (x - x.round()).abs() < 1e-6 { format!("{x:.0}") } else { String::new() }
}

/// A number with a prefix: `62M`, `1.5n`.
fn short(x: f64) -> String {
    const PREFIXES: [(f64, &str); 10] = [
        (1e15, "P"),
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
        (1.0, ""),
        (1e-3, "m"),
        (1e-6, "µ"),
        (1e-9, "n"),
        (1e-12, "p"),
    ];
    let (size, prefix) = PREFIXES.iter().find(|(size, _)| x >= *size).copied().unwrap_or((1e-15, "f"));
    let digits = format!("{:.2}", x / size);
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}{prefix}")
}
