//! Proxies against hardware as a heat map: a row for each hardware, a column for each proxy, a panel for energy, one for energy
//! without memory, one for latency.

use std::path::Path;

use explore::proxies::{Agreement, FEW_NETWORKS, OfHardware, PROXIES, Target};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{FONT, Fault, fault, write_svg};
use crate::file::OutputError;
use crate::text::short_name;

/// Pixels of a cell.
const CELL: (i32, i32) = (82, 24);
/// Pixels to the left of the cells, for the names of hardware.
const NAMES: i32 = 170;
/// Pixels above the cells of a panel: its title, and the names of proxies.
const HEAD: i32 = 64;
/// Pixels below the cells of a panel.
const FOOT: i32 = 14;
/// Pixels of the legend below both panels.
const LEGEND: i32 = 44;

/// Hues of agreement and of the opposite, which the colour-blind can tell apart.
const AGREES: RGBColor = RGBColor(0, 84, 150);
const OPPOSES: RGBColor = RGBColor(213, 80, 0);
/// Where neither can be told.
const NONE: RGBColor = RGBColor(236, 236, 236);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes the heat map of [`proxies_svg`].
///
/// # Errors
///
/// [`OutputError`] names a file that cannot be written.
pub fn write_proxies_svg(path: &Path, hardware: &[OfHardware]) -> Result<(), OutputError> {
    write_svg(path, |text| {
        *text = proxies_svg(hardware)?;
        Ok(())
    })
}

/// The heat map, as text. The number in a cell is Kendall's τ-b; the largest of a row is bold.
///
/// # Errors
///
/// A shape that the drawing library cannot place.
pub fn proxies_svg(hardware: &[OfHardware]) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let panel = HEAD + FOOT + CELL.1 * hardware.len() as i32;
    let width = NAMES + CELL.0 * PROXIES.len() as i32 + 16;
    let height = panel * Target::ALL.len() as i32 + LEGEND;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE).map_err(fault)?;
        for (place, target) in Target::ALL.into_iter().enumerate() {
            draw_panel(&root, place as i32 * panel, target, hardware)?;
        }
        draw_legend(&root, panel * Target::ALL.len() as i32)?;
        root.present().map_err(fault)?;
    }
    Ok(svg)
}

fn draw_panel(area: &Area<'_>, top: i32, target: Target, hardware: &[OfHardware]) -> Result<(), Fault> {
    let title = match target {
        Target::Energy => "rank correlation with energy",
        Target::Array => "rank correlation with energy without memory",
        Target::Latency => "rank correlation with latency",
    };
    let bold = (FONT, 15).into_font().style(FontStyle::Bold);
    area.draw(&Text::new(title, (14, top + 12), bold)).map_err(fault)?;
    for (column, proxy) in PROXIES.iter().enumerate() {
        let place = (NAMES + CELL.0 * column as i32 + CELL.0 / 2, top + HEAD - 12);
        write(area, short_name(proxy), place, HPos::Center, FontStyle::Normal, BLACK)?;
    }
    for (row, of) in hardware.iter().enumerate() {
        let y = top + HEAD + CELL.1 * row as i32;
        write(area, &of.name, (NAMES - 8, y + CELL.1 / 2), HPos::Right, FontStyle::Normal, BLACK)?;
        let best = of.best(target).and_then(|best| best.tau);
        for (column, agreement) in of.of(target).iter().enumerate() {
            draw_cell(area, (NAMES + CELL.0 * column as i32, y), agreement, best)?;
        }
    }
    Ok(())
}

fn draw_cell(area: &Area<'_>, (x, y): (i32, i32), agreement: &Agreement, best: Option<f64>) -> Result<(), Fault> {
    let color = agreement.tau.map_or(NONE, color);
    area.draw(&Rectangle::new([(x + 1, y + 1), (x + CELL.0 - 1, y + CELL.1 - 1)], color.filled())).map_err(fault)?;
    let text = agreement.tau.map_or("–".to_string(), |tau| format!("{tau:.2}"));
    let style = if agreement.tau.is_some() && agreement.tau == best { FontStyle::Bold } else { FontStyle::Normal };
    let ink = if is_dark(color) { WHITE } else { BLACK };
    write(area, &text, (x + CELL.0 / 2, y + CELL.1 / 2), HPos::Center, style, ink)
}

fn draw_legend(area: &Area<'_>, top: i32) -> Result<(), Fault> {
    for (place, tau) in [-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0].into_iter().enumerate() {
        let (x, color) = (NAMES + 56 * place as i32, color(tau));
        area.draw(&Rectangle::new([(x, top + 6), (x + 54, top + 24)], color.filled())).map_err(fault)?;
        let ink = if is_dark(color) { WHITE } else { BLACK };
        write(area, &tau.to_string(), (x + 27, top + 15), HPos::Center, FontStyle::Normal, ink)?;
    }
    let place = |line: i32| (NAMES + 56 * 7 + 14, top + 15 + 18 * line);
    let words = "Kendall's τ-b: 1 ranks as the hardware does; bold: the largest of a row";
    write(area, words, place(0), HPos::Left, FontStyle::Normal, BLACK)?;
    let none = format!("–: the same for all networks, or fewer than {FEW_NETWORKS} of them");
    write(area, &none, place(1), HPos::Left, FontStyle::Normal, BLACK)
}

fn write(
    area: &Area<'_>,
    text: &str,
    place: (i32, i32),
    side: HPos,
    weight: FontStyle,
    ink: RGBColor,
) -> Result<(), Fault> {
    let font = (FONT, 13).into_font().style(weight).color(&ink).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_string(), place, font)).map_err(fault)
}

/// White at 0, deeper towards 1 in one hue and towards -1 in the other. Squared, so that 0.9 and 1.0 are told apart.
fn color(tau: f64) -> RGBColor {
    let RGBColor(r, g, b) = if tau < 0.0 { OPPOSES } else { AGREES };
    let part = tau.abs().powi(2);
    let mixed = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * part).round() as u8;
    RGBColor(mixed(r), mixed(g), mixed(b))
}

/// Whether white reads better on it than black does.
fn is_dark(RGBColor(r, g, b): RGBColor) -> bool {
    0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b) < 140.0
}
