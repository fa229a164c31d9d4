//! Figure 1 of "Prune or quantize?" as measured: a panel for each kind of hardware and each sweep, and joules by what
//! they are spent on.

use std::io;
use std::path::Path;

use explore::landscape::{Family, LandscapePoint, PointCost, Sweep};
use plotters::coord::Shift;
use plotters::prelude::*;
use runner::Metric;

use super::chart::{FONT, Fault, draw_mesh, fault};
use crate::file::{OutputError, write_file};

const WIDTH: u32 = 1280;
/// Pixels that say what all panels show.
const HEAD: u32 = 34;
/// Pixels of a row of panels.
const ROW: u32 = 300;
/// Pixels above the axes of a panel, which name its lines.
const NAMES: u32 = 96;
/// Bits that the panels show; 16 would press the others together.
const MOST_BITS: u32 = 8;
/// Pixels between two lines of text.
const LINE: i32 = 16;
/// Lines closer than this at all points are drawn as one.
const SAME: f64 = 1e-3;
/// The least that a logarithmic axis shows, over the dense layer at 8 bits.
const LEAST: f64 = 1e-5;

/// Colours of lines that are not ideal.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 140, 100),
    RGBColor(213, 80, 0),
    RGBColor(0, 100, 180),
    RGBColor(138, 79, 181),
    RGBColor(163, 116, 0),
    RGBColor(176, 54, 110),
];

/// What the energy of hardware is spent on, with the colour of its mark.
const PARTS: [(&str, RGBColor); 3] =
    [("compute", RGBColor(0, 100, 180)), ("conversion", RGBColor(213, 80, 0)), ("memory", RGBColor(110, 110, 110))];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Hardware that is drawn as one line: names of the same values, and the values from the left.
struct Curve<'p> {
    names: Vec<&'p str>,
    points: Vec<(f64, f64)>,
    ideal: bool,
}

/// Writes a figure of panels. A column is a kind of hardware, and a row what is varied: bits, weights and filters. Each
/// panel has the energy without memory, over that of the dense layer at 8 bits on the same hardware, and the ideal of
/// the kind as a broad line. Below them are the joules of a MAC of the dense layer at 8 bits, by what they are spent on.
///
/// # Errors
///
/// [`OutputError`] names a file that cannot be written.
pub fn write_landscape_svg(path: &Path, points: &[LandscapePoint]) -> Result<(), OutputError> {
    write_file(path, |writer| {
        let svg = landscape_svg(points).map_err(|fault| io::Error::other(fault.to_string()))?;
        writer.write_all(svg.as_bytes())
    })
}

/// The figure of [`write_landscape_svg`], as text.
///
/// # Errors
///
/// A shape that the drawing library cannot place.
pub fn landscape_svg(points: &[LandscapePoint]) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let families: Vec<Family> = Family::ALL.into_iter().filter(|family| has(points, *family)).collect();
    let joules = joules(points);
    let bottom = if joules.is_empty() { 0 } else { 110 + 24 * joules.len() as u32 };
    let height = HEAD + ROW * Sweep::ALL.len() as u32 + bottom;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(fault)?;
        let (head, figure) = root.split_vertically(HEAD);
        let text = "energy without memory; that of the dense layer at 8 bits on the same hardware is 1";
        head.draw(&Text::new(text, (14, 12), (FONT, 15).into_font())).map_err(fault)?;
        let (panels, below) = figure.split_vertically(height - HEAD - bottom);
        let rows = panels.split_evenly((Sweep::ALL.len(), families.len().max(1)));
        let places = Sweep::ALL.into_iter().flat_map(|sweep| families.iter().map(move |&family| (sweep, family)));
        for (panel, (sweep, family)) in rows.iter().zip(places) {
            draw_panel(panel, sweep, family, points)?;
        }
        if !joules.is_empty() {
            draw_joules(&below, &joules)?;
        }
        root.present().map_err(fault)?;
    }
    Ok(svg)
}

/// Whether a kind has hardware beside the ideal of another.
fn has(points: &[LandscapePoint], family: Family) -> bool {
    points.iter().any(|point| point.family == family)
}

/// The metrics whose ideal engines a kind is held against.
fn ideals(family: Family) -> &'static [Metric] {
    match family {
        Family::FixedWidth => &[Metric::EsnDFilter],
        Family::Sparse => &[Metric::EsnD],
        Family::VariableBits => &[Metric::EsnD, Metric::EsnDFilter],
        Family::Analog => &[Metric::EsnA],
    }
}

fn draw_panel(area: &Area<'_>, sweep: Sweep, family: Family, points: &[LandscapePoint]) -> Result<(), Fault> {
    let curves = curves(sweep, family, points);
    let (names, plot) = area.split_vertically(NAMES);
    let what = match sweep {
        Sweep::Bits => "bits",
        Sweep::PrunedWeights => "weights",
        Sweep::PrunedFilters => "filters",
    };
    let title = (FONT, 15).into_font().style(FontStyle::Bold);
    names.draw(&Text::new(format!("{}: {what}", family.name()), (14, 10), title)).map_err(fault)?;
    for (i, curve) in curves.iter().enumerate() {
        let y = 34 + LINE * i as i32;
        names.draw(&PathElement::new([(16, y), (40, y)], style(i, curve))).map_err(fault)?;
        names.draw(&Text::new(curve.names.join(" = "), (46, y - 6), (FONT, 12).into_font())).map_err(fault)?;
    }
    let end = if sweep == Sweep::Bits { f64::from(MOST_BITS) } else { 1.0 };
    let axis = match sweep {
        Sweep::Bits => "bits of every weight",
        Sweep::PrunedWeights => "weights that are not pruned",
        Sweep::PrunedFilters => "filters that are not pruned",
    };
    let mut chart = ChartBuilder::on(&plot);
    chart.margin_left(6).margin_right(14).margin_bottom(4).x_label_area_size(38).y_label_area_size(48);
    // Squares of amplitudes fall far below what a linear axis shows.
    if sweep == Sweep::Bits && family == Family::Analog {
        let mut chart = chart.build_cartesian_2d(0.0..end * 1.02, (LEAST..1.6).log_scale()).map_err(fault)?;
        let label = |y: &f64| format!("{y}");
        draw_mesh(
            chart
                .configure_mesh()
                .x_labels(9)
                .y_labels(6)
                .x_desc(axis)
                .x_label_formatter(&label)
                .y_label_formatter(&label),
        )?;
        for (i, curve) in curves.iter().enumerate() {
            let shown = curve.points.iter().map(|&(x, y)| (x, y.max(LEAST)));
            chart.draw_series(LineSeries::new(shown, style(i, curve))).map_err(fault)?;
        }
        return Ok(());
    }
    let most = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).fold(1.0, f64::max);
    let mut chart = chart.build_cartesian_2d(0.0..end * 1.02, 0.0..most * 1.06).map_err(fault)?;
    let label = |x: &f64| format!("{}", (x * 10.0).round() / 10.0);
    draw_mesh(chart.configure_mesh().x_labels(9).y_labels(6).x_desc(axis).x_label_formatter(&label))?;
    for (i, curve) in curves.iter().enumerate() {
        chart.draw_series(LineSeries::new(curve.points.iter().copied(), style(i, curve))).map_err(fault)?;
    }
    Ok(())
}

/// The lines of a panel: first the ideal, and each set of values once.
fn curves<'p>(sweep: Sweep, family: Family, points: &'p [LandscapePoint]) -> Vec<Curve<'p>> {
    let own: Vec<&LandscapePoint> = points.iter().filter(|point| point.sweep == sweep).collect();
    let is_ideal = |point: &LandscapePoint| point.ideal && ideals(family).contains(&point.metric);
    let mut names: Vec<(&str, bool)> = Vec::new();
    for ideal in [true, false] {
        for point in own.iter().filter(|point| is_ideal(point) == ideal && (ideal || point.family == family)) {
            if !names.iter().any(|(name, _)| *name == point.hardware) {
                names.push((&point.hardware, ideal));
            }
        }
    }
    let mut curves: Vec<Curve<'p>> = Vec::new();
    for (name, ideal) in names {
        let points = line(&own, name, sweep);
        match curves.iter_mut().find(|curve| are_same(&curve.points, &points)) {
            Some(curve) => curve.names.push(name),
            None if points.is_empty() => {}
            None => curves.push(Curve { names: vec![name], points, ideal }),
        }
    }
    curves.iter_mut().filter(|_| sweep == Sweep::Bits).for_each(|curve| curve.points = as_steps(&curve.points));
    curves
}

fn are_same(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() <= SAME * a.1.max(b.1))
}

/// A line with the corners of steps where hardware rounds bits up: where a bit buys nothing, but others do.
fn as_steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let level = |pair: &&[(f64, f64)]| (pair[0].1 - pair[1].1).abs() <= SAME * pair[1].1;
    let levels = points.windows(2).filter(level).count();
    if levels == 0 || levels + 1 >= points.len() {
        return points.to_vec();
    }
    let corners = points.windows(2).flat_map(|pair| [(pair[0].0, pair[1].1), pair[1]]);
    points.first().copied().into_iter().chain(corners).collect()
}

/// What one hardware costs over a sweep, from the left.
fn line(points: &[&LandscapePoint], name: &str, sweep: Sweep) -> Vec<(f64, f64)> {
    let own = points.iter().filter(|point| point.hardware == name && point.bits <= MOST_BITS);
    let mut line: Vec<(f64, f64)> =
        own.filter_map(|point| Some((place(sweep, point), point.cost?.relative_without_memory?))).collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0));
    line
}

fn place(sweep: Sweep, point: &LandscapePoint) -> f64 {
    match sweep {
        Sweep::Bits => f64::from(point.bits),
        Sweep::PrunedWeights | Sweep::PrunedFilters => 1.0 - f64::from(point.pruned_percent) / 100.0,
    }
}

fn style(index: usize, curve: &Curve<'_>) -> ShapeStyle {
    match curve.ideal {
        true => BLACK.mix(if index == 0 { 0.3 } else { 0.55 }).stroke_width(5),
        false => COLORS[index % COLORS.len()].stroke_width(2),
    }
}

/// What the dense layer at 8 bits costs on hardware whose joules mean something.
fn joules(points: &[LandscapePoint]) -> Vec<(&str, PointCost, f64)> {
    let dense = |point: &&LandscapePoint| {
        point.sweep == Sweep::Bits && point.bits == MOST_BITS && point.pruned_percent == 0 && !point.normalized
    };
    let of = |point: &'_ LandscapePoint| point.cost.map(|cost| (cost, point.macs as f64));
    points.iter().filter(dense).filter_map(|p| of(p).map(|(cost, macs)| (p.hardware.as_str(), cost, macs))).collect()
}

/// Marks on a logarithmic axis, one for each part, in a line for each hardware.
fn draw_joules(area: &Area<'_>, joules: &[(&str, PointCost, f64)]) -> Result<(), Fault> {
    let parts = |(_, cost, macs): &(&str, PointCost, f64)| cost.energy_by_group_j.map(|energy| energy / macs);
    let all = || joules.iter().flat_map(parts).filter(|energy| *energy > 0.0);
    let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let (title, plot) = area.split_vertically(44);
    let bold = (FONT, 15).into_font().style(FontStyle::Bold);
    let text = "joules of a MAC, dense layer at 8 bits, by what they are spent on";
    title.draw(&Text::new(text, (14, 8), bold)).map_err(fault)?;
    for (i, (name, color)) in PARTS.iter().enumerate() {
        let x = 560 + 120 * i as i32;
        title.draw(&Circle::new((x, 15), 6, color.filled())).map_err(fault)?;
        title.draw(&Text::new(*name, (x + 12, 9), (FONT, 13).into_font())).map_err(fault)?;
    }
    if least > most {
        return Ok(());
    }
    let rows = joules.len() as f64;
    let mut chart = ChartBuilder::on(&plot);
    chart.margin_left(190).margin_right(30).margin_bottom(4).x_label_area_size(44).y_label_area_size(6);
    let range = (least / 2.0..most * 2.0).log_scale();
    let mut chart = chart.build_cartesian_2d(range, 0.0..rows).map_err(fault)?;
    let label = |x: &f64| format!("{x:.0e}");
    draw_mesh(chart.configure_mesh().y_labels(0).x_labels(9).x_desc("J").x_label_formatter(&label))?;
    for (i, of_hardware) in joules.iter().enumerate() {
        let y = rows - i as f64 - 0.5;
        let marks = PARTS.iter().zip(parts(of_hardware)).filter(|(_, energy)| *energy > 0.0);
        chart
            .draw_series(marks.map(|((_, color), energy)| Circle::new((energy, y), 6, color.filled())))
            .map_err(fault)?;
        let [_, pixel] = <[i32; 2]>::from(chart.backend_coord(&(most, y)));
        let top = plot.get_pixel_range().1.start;
        plot.draw(&Text::new(of_hardware.0, (20, pixel - top - 7), (FONT, 13).into_font())).map_err(fault)?;
    }
    Ok(())
}
