//! Figure 1 of "Prune or quantize?" as measured.

use std::path::Path;

use explore::landscape::{LandscapePoint, Sweep};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::{FONT, Fault, draw_mesh, fault, write_svg};
use crate::file::OutputError;

const SIZE: (u32, u32) = (1180, 900);
/// Pixels at the right that name the lines.
const LEGEND: u32 = 210;
/// Bits that the first panel shows; 16 would press the others together.
const MOST_BITS: u32 = 8;
const WEIGHTS_LEFT: &str = "weights that are not pruned";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes energy against bits, against pruned weights and against pruned filters, each over the energy of the dense
/// layer at 8 bits on the same hardware, and in joules against pruned weights. Hardware named `ideal…` has strong
/// lines.
///
/// # Errors
///
/// [`OutputError`] names a file that cannot be written.
pub fn write_landscape_svg(path: &Path, points: &[LandscapePoint]) -> Result<(), OutputError> {
    write_svg(path, |text| {
        let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(fault)?;
        let (figure, legend) = root.split_horizontally(SIZE.0 - LEGEND);
        let panels = figure.split_evenly((2, 2));
        for (panel, sweep) in panels.iter().zip(Sweep::ALL) {
            draw_relative(panel, sweep, points)?;
        }
        draw_absolute(&panels[Sweep::ALL.len()], points)?;
        draw_legend(&legend, &names(points))?;
        root.present().map_err(fault)
    })
}

/// Hardware in the order of its first point.
fn names(points: &[LandscapePoint]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for point in points {
        if !names.contains(&point.hardware.as_str()) {
            names.push(&point.hardware);
        }
    }
    names
}

fn draw_relative(area: &Area<'_>, sweep: Sweep, points: &[LandscapePoint]) -> Result<(), Fault> {
    let end = if sweep == Sweep::Bits { f64::from(MOST_BITS) } else { 1.0 };
    let shown: Vec<&LandscapePoint> = points.iter().filter(|point| point.bits <= MOST_BITS).collect();
    let most = shown.iter().filter_map(|point| relative(point)).fold(1.0, f64::max);
    let axis = match sweep {
        Sweep::Bits => "bits of every weight",
        Sweep::PrunedWeights => WEIGHTS_LEFT,
        Sweep::PrunedFilters => "filters that are not pruned",
    };
    let mut chart = chart(area).build_cartesian_2d(0.0..end * 1.02, 0.0..most * 1.06).map_err(fault)?;
    draw_mesh(chart.configure_mesh().x_labels(9).x_desc(axis).y_desc("energy, dense layer at 8 bits = 1"))?;
    for (i, name) in names(points).into_iter().enumerate() {
        chart.draw_series(LineSeries::new(line(&shown, name, sweep, relative), style(i, name))).map_err(fault)?;
    }
    Ok(())
}

/// Joules, on a logarithmic axis: where one hardware becomes cheaper than another.
fn draw_absolute(area: &Area<'_>, points: &[LandscapePoint]) -> Result<(), Fault> {
    let sweep = Sweep::PrunedWeights;
    let shown: Vec<&LandscapePoint> = points.iter().filter(|point| point.sweep == sweep).collect();
    let energies = || shown.iter().filter_map(|point| per_mac(point)).filter(|energy| *energy > 0.0);
    let (least, most) = (energies().fold(f64::INFINITY, f64::min), energies().fold(0.0, f64::max));
    if least > most {
        return Ok(());
    }
    let range = (least / 1.5..most * 1.5).log_scale();
    let mut chart = chart(area).build_cartesian_2d(0.0..1.02, range).map_err(fault)?;
    draw_mesh(
        chart
            .configure_mesh()
            .x_labels(9)
            .x_desc(WEIGHTS_LEFT)
            .y_desc("energy of a MAC of the dense layer, J")
            .y_label_formatter(&|y| format!("{y:.0e}")),
    )?;
    for (i, name) in names(points).into_iter().enumerate() {
        chart.draw_series(LineSeries::new(line(&shown, name, sweep, per_mac), style(i, name))).map_err(fault)?;
    }
    Ok(())
}

fn chart<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(area);
    chart.margin(14).x_label_area_size(46).y_label_area_size(64);
    chart
}

/// What one hardware costs over a sweep, from the left.
fn line(
    points: &[&LandscapePoint],
    name: &str,
    sweep: Sweep,
    cost: impl Fn(&LandscapePoint) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let own = points.iter().filter(|point| point.sweep == sweep && point.hardware == name);
    let mut line: Vec<(f64, f64)> = own.filter_map(|point| Some((place(point), cost(point)?))).collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0));
    line
}

fn per_mac(point: &LandscapePoint) -> Option<f64> {
    point.cost.map(|cost| cost.energy_per_mac_j)
}

fn relative(point: &LandscapePoint) -> Option<f64> {
    point.cost.and_then(|cost| cost.relative)
}

fn place(point: &LandscapePoint) -> f64 {
    match point.sweep {
        Sweep::Bits => f64::from(point.bits),
        Sweep::PrunedWeights | Sweep::PrunedFilters => 1.0 - f64::from(point.pruned_percent) / 100.0,
    }
}

fn style(index: usize, name: &str) -> ShapeStyle {
    let width = if is_ideal(name) { 4 } else { 2 };
    Palette99::pick(index).stroke_width(width)
}

fn is_ideal(name: &str) -> bool {
    name.starts_with("ideal")
}

fn draw_legend(area: &Area<'_>, names: &[&str]) -> Result<(), Fault> {
    for (i, name) in names.iter().enumerate() {
        let y = 24 + 22 * i as i32;
        area.draw(&PathElement::new([(4, y), (30, y)], style(i, name))).map_err(fault)?;
        area.draw(&Text::new((*name).to_string(), (38, y - 7), (FONT, 14).into_font())).map_err(fault)?;
    }
    Ok(())
}
