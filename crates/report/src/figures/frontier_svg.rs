//! The paper's figures as SVG files.

use std::path::{Path, PathBuf};

use explore::pareto::{Accuracy, Axes, Cost, CostValue, Density, Fraction, Frontier, Plane, Survey};
use explore::store::Points;
use explore::sweep::Method;
use explore::{ExploreError, PointKey};
use network::chain;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::EVERY_POINT;
use super::chart::{COLORS, FONT, Fault, area, draw_mesh, fault, short, write_svg};
use super::histogram::{draw_histogram, nearest_at_or_below};
use super::page::grouped;
use crate::file::OutputError;

/// The axes of the figures of a store: accuracy against ESN_a, ESN_d (Figures 4 and 6) and ESN'_d (Figure 8, right), and
/// against `cost` where that is another. Those of `cost` come first.
pub fn figure_axes(cost: &Cost, accuracy: &Accuracy) -> Vec<Axes> {
    let mut costs = vec![cost.clone()];
    costs.extend([Cost::EsnA, Cost::EsnD, Cost::EsnDFilter].into_iter().filter(|other| other != cost));
    costs.into_iter().map(|cost| Axes { cost, accuracy: accuracy.clone() }).collect()
}

/// Writes the figures of a store into a folder that exists, and returns their paths: those of [`figure_axes`], by which
/// the survey was made, and the histogram of the widest bits of each filter (Figure 6, right) of the points of
/// [`nearest_at_or_below`]. Up to [`EVERY_POINT`] points are drawn one by one; of more, the frontier is, and hexagons say
/// how many of the others lie where.
///
/// # Errors
///
/// [`OutputError`] names a file that cannot be written.
pub fn write_frontier_svgs(
    folder: &Path,
    points: &Points<'_>,
    survey: &Survey,
    histogram_at: Option<f64>,
) -> Result<Vec<PathBuf>, OutputError> {
    let unread = |error: ExploreError| OutputError { path: folder.to_path_buf(), problem: chain(&error) };
    let first = survey.planes.first().expect("points are judged by a cost and an accuracy");
    let axes = figure_axes(&first.axes.cost, &first.axes.accuracy);
    let clouds = clouds(points, survey, &axes).map_err(unread)?;
    let mut written = Vec::new();
    for (plane, cloud) in clouds {
        let path = folder.join(format!("accuracy-{}.svg", file_name(&plane.axes.cost.id())));
        let cost = plane.axes.cost.label(&survey.hardware);
        write_svg(&path, |text| draw_scatter(text, plane, &cloud, &cost))?;
        written.push(path);
    }
    let chosen = nearest_at_or_below(points.store, first, histogram_at).map_err(unread)?;
    if !chosen.points.is_empty() {
        let path = folder.join("histogram-max-bits.svg");
        write_svg(&path, |text| draw_histogram(text, &chosen, &first.axes.cost, &survey.hardware))?;
        written.push(path);
    }
    Ok(written)
}

/// The points behind a frontier.
enum Cloud {
    /// Each of them, cheapest first.
    Dots(Vec<Dot>),
    /// How many lie where.
    Density(Density),
}

/// A point of a figure.
#[derive(Clone, Copy)]
struct Dot {
    cost: CostValue,
    accuracy: Fraction,
    method: Method,
    key: PointKey,
}

/// The points behind each frontier that has one, in the order of the paper's figures.
fn clouds<'s>(points: &Points<'_>, survey: &'s Survey, axes: &[Axes]) -> Result<Vec<(&'s Plane, Cloud)>, ExploreError> {
    let mut planes: Vec<&Plane> =
        axes.iter().filter_map(|axes| survey.plane(axes)).filter(|plane| plane.judged > 0).collect();
    let paper = [Cost::EsnA, Cost::EsnD, Cost::EsnDFilter];
    planes.sort_by_key(|plane| paper.iter().position(|cost| *cost == plane.axes.cost).unwrap_or(paper.len()));
    if survey.costed > EVERY_POINT {
        let densities = Density::of(points, survey, |meant| axes.contains(meant))?;
        let of = |plane: &Plane| densities.iter().find(|density| density.axes == plane.axes).cloned();
        return Ok(planes.into_iter().filter_map(|plane| Some((plane, Cloud::Density(of(plane)?)))).collect());
    }
    let mut dots: Vec<Vec<Dot>> = vec![Vec::new(); planes.len()];
    points.for_each_figures(|point| {
        for (plane, dots) in planes.iter().zip(&mut dots) {
            let judged = plane.axes.of(&point);
            dots.extend(judged.map(|(cost, accuracy)| Dot { cost, accuracy, method: point.method, key: point.key }));
        }
        Ok::<_, ExploreError>(())
    })?;
    for dots in &mut dots {
        dots.sort_by(|a, b| a.cost.cmp(&b.cost).then(b.accuracy.cmp(&a.accuracy)).then(a.key.cmp(&b.key)));
    }
    Ok(planes.into_iter().zip(dots.into_iter().map(Cloud::Dots)).collect())
}

/// Letters and digits of a name; the rest becomes hyphens.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

fn draw_scatter(text: &mut String, plane: &Plane, cloud: &Cloud, cost: &str) -> Result<(), Fault> {
    let whole = area(text)?;
    let (top, area) = whole.split_vertically(LEGEND);
    let methods = COLORS.into_iter().filter(|(method, _)| plane.groups.keys().any(|group| group.method == *method));
    let methods: Vec<(Method, RGBColor)> = methods.collect();
    draw_legend_line(&top, &methods)?;
    let (x, y) = (log_range(plane.costs), accuracy_range(plane.accuracies));
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
            .y_desc(plane.axes.accuracy.label())
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&|y| format!("{y:.2}")),
    )?;
    if let Cloud::Density(density) = cloud {
        chart.draw_series(hexagons(density)).map_err(fault)?;
    }
    for (method, color) in methods {
        let own = plane.frontier_of_method(method);
        chart.draw_series(LineSeries::new(line(&own), color.stroke_width(2))).map_err(fault)?;
        let places: Vec<(f64, f64)> = match cloud {
            Cloud::Dots(dots) => {
                dots.iter().filter(|dot| dot.method == method).map(|dot| (dot.cost, dot.accuracy)).map(place).collect()
            }
            Cloud::Density(_) => line(&own),
        };
        let circles = places.into_iter().map(|place| Circle::new(place, 4, color.mix(0.65).filled()));
        chart.draw_series(circles).map_err(fault)?;
    }
    let frontier = plane.frontier();
    chart.draw_series(DashedLineSeries::new(line(&frontier), 5, 4, BLACK.stroke_width(1))).map_err(fault)?;
    let entries = || frontier.entries().iter().map(|entry| (entry.cost, entry.accuracy));
    chart.draw_series(entries().map(whisker)).map_err(fault)?;
    let noisy = entries().filter(|&(cost, accuracy)| frontier.is_within_noise(cost, accuracy));
    chart.draw_series(noisy.map(|judged| Circle::new(place(judged), 7, BLACK))).map_err(fault)?;
    if let Cloud::Density(density) = cloud {
        draw_density_note(&whole, plane.judged, density)?;
    }
    whole.present().map_err(fault)
}

/// Cells of a honeycomb, the darker the more points lie in them.
fn hexagons(density: &Density) -> Vec<Polygon<(f64, f64)>> {
    let cells = density.totals();
    let most = cells.values().copied().max().unwrap_or(1) as f64;
    let shade = |count: u64| 0.08 + 0.4 * (count as f64).ln_1p() / most.ln_1p();
    let hexagon = |(cell, count): (u32, u64)| {
        Polygon::new(density.honeycomb.corners(cell).to_vec(), BLACK.mix(shade(count)).filled())
    };
    cells.into_iter().map(hexagon).collect()
}

/// What hexagons mean, and that single points are left out.
fn draw_density_note(whole: &DrawingArea<SVGBackend<'_>, Shift>, points: u64, density: &Density) -> Result<(), Fault> {
    let most = density.totals().into_values().max().unwrap_or(0);
    let words = format!(
        "{} points; grey: how many lie in a cell, up to {}; points behind the frontiers are not drawn one by one",
        grouped(points.into()),
        grouped(most.into())
    );
    whole.draw(&Text::new(words, (80, 2), (FONT, 12).into_font())).map_err(fault)
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
fn whisker((cost, accuracy): (CostValue, Fraction)) -> PathElement<(f64, f64)> {
    let ((x, y), error) = (place((cost, accuracy)), accuracy.standard_error());
    PathElement::new([(x, y - error), (x, y + error)], BLACK)
}

fn place((cost, accuracy): (CostValue, Fraction)) -> (f64, f64) {
    (cost.to_f64(), accuracy.to_f64())
}

fn line(frontier: &Frontier) -> Vec<(f64, f64)> {
    frontier.entries().iter().map(|entry| place((entry.cost, entry.accuracy))).collect()
}

/// The costs, with a little room; a logarithmic axis takes no 0.
fn log_range([low, high]: [f64; 2]) -> std::ops::Range<f64> {
    if low > high { 1.0..10.0 } else { low / 1.3..high * 1.3 }
}

/// 1, 2 and 5 of every decade; of many decades, the 1 alone.
fn log_ticks(range: &std::ops::Range<f64>) -> Vec<f64> {
    let (first, last) = (range.start.log10().floor() as i32, range.end.log10().ceil() as i32);
    let steps: &[f64] = if last - first > 5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let ticks = (first..=last).flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
    ticks.filter(|tick| range.contains(tick)).collect()
}

fn accuracy_range([low, high]: [f64; 2]) -> std::ops::Range<f64> {
    let room = ((high - low) * 0.06).max(0.01);
    (low - room).max(0.0)..(high + room).min(1.02)
}
