//! What networks gain over the one that they were made of, drawn: a panel for each network, two bars for each hardware, and
//! a line for each quantity that needs no hardware.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use runner::{Gains, Hardware, Quantity};

use super::chart::{FONT, Fault, fault, write_svg};
use crate::file::OutputError;
use crate::gains::GainingNetwork;
use crate::text::{cycle_reason, energy_reason, gain_factor, tail};

const WIDTH: u32 = 1080;
/// Pixels above the first panel, which say what is drawn.
const HEAD: i32 = 54;
/// Pixels of a panel above its bars: the network, and the names of its lines.
const NAMES: i32 = 66;
/// Pixels of a hardware: two bars and a gap.
const GROUP: i32 = 40;
const BAR: i32 = 15;
/// Pixels below the bars, for the numbers of the axis.
const AXIS: i32 = 40;
/// Pixels left of the bars, for the names of hardware, and right of them, for the numbers of bars and what ate the rest.
const LEFT: i32 = 160;
const RIGHT: i32 = 410;
/// A line so many times beyond the longest bar is left out, as it would press the bars together. Its number is told.
const FAR: f64 = 3.0;
/// Characters of a name.
const NAME: usize = 60;

const ENERGY: RGBColor = RGBColor(213, 80, 0);
const CYCLES: RGBColor = RGBColor(0, 100, 180);
const GRAY: RGBColor = RGBColor(110, 110, 110);

/// The quantities that are lines, each with its colour and its pixels. Effective MACs are broad, as bit operations often lie
/// on them.
const LINES: [(Quantity, RGBColor, u32); 5] = [
    (Quantity::Weights, RGBColor(110, 110, 110), 2),
    (Quantity::EffectiveMacs, RGBColor(0, 140, 100), 6),
    (Quantity::BitOperations, RGBColor(138, 79, 181), 2),
    (Quantity::EsnA, RGBColor(176, 54, 110), 2),
    (Quantity::EsnD, RGBColor(20, 20, 20), 2),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes the figure.
///
/// # Errors
///
/// [`OutputError`] names a file that cannot be written.
pub fn write_gain_svg(
    path: &Path,
    hardware: &[Hardware],
    before: &str,
    networks: &[GainingNetwork<'_>],
) -> Result<(), OutputError> {
    write_svg(path, |text| draw(text, hardware, before, networks))
}

/// The figure of [`write_gain_svg`], as text.
///
/// # Errors
///
/// A shape that the drawing library cannot place.
pub fn gain_svg(hardware: &[Hardware], before: &str, networks: &[GainingNetwork<'_>]) -> Result<String, Fault> {
    let mut text = String::new();
    draw(&mut text, hardware, before, networks)?;
    Ok(text)
}

fn draw(text: &mut String, hardware: &[Hardware], before: &str, networks: &[GainingNetwork<'_>]) -> Result<(), Fault> {
    let shown: Vec<(&str, &Gains)> =
        networks.iter().filter_map(|network| network.gains.ok().map(|gains| (network.name, gains))).collect();
    let panel = NAMES + GROUP * hardware.len() as i32 + AXIS;
    let height = HEAD + panel * shown.len() as i32;
    let root = SVGBackend::with_string(text, (WIDTH, height as u32)).into_drawing_area();
    root.fill(&WHITE).map_err(fault)?;
    head(&root, before)?;
    let axis = Axis::new(&shown);
    for (i, (name, gains)) in shown.iter().enumerate() {
        let top = HEAD + panel * i as i32;
        panel_names(&root, top, name, gains, &axis)?;
        let (first, last) = (top + NAMES, top + NAMES + GROUP * hardware.len() as i32);
        axis.draw(&root, first, last)?;
        for (h, (of, gain)) in hardware.iter().zip(&gains.hardware).enumerate() {
            let y = first + GROUP * h as i32 + 4;
            label(&root, tail(of.engine.name(), 22), (14, y + 9), 14, &BLACK)?;
            axis.bar(&root, y, gain.energy(), ENERGY)?;
            axis.bar(&root, y + BAR + 1, gain.in_cycles(), CYCLES)?;
            told(&root, y, gain.energy(), energy_reason(gain))?;
            told(&root, y + BAR + 1, gain.in_cycles(), cycle_reason(gain))?;
        }
        for (quantity, color, width) in LINES {
            axis.line(&root, (first, last), of_quantity(gains, quantity), color.mix(0.8).stroke_width(width))?;
        }
    }
    root.present().map_err(fault)
}

fn of_quantity(gains: &Gains, wanted: Quantity) -> Option<f64> {
    gains.quantities.iter().find(|(quantity, _)| *quantity == wanted).and_then(|(_, gain)| gain.factor())
}

/// What is drawn, and which bar is which.
fn head(root: &Area<'_>, before: &str) -> Result<(), Fault> {
    let title = format!("gain over {}: 4 × is a quarter of it", tail(before, NAME));
    let bold = (FONT, 16).into_font().style(FontStyle::Bold);
    root.draw(&Text::new(title, (14, 12), bold)).map_err(fault)?;
    for (i, (name, color)) in [("energy", ENERGY), ("cycles", CYCLES)].into_iter().enumerate() {
        let x = LEFT + 110 * i as i32;
        root.draw(&Rectangle::new([(x, 37), (x + 22, 49)], color.filled())).map_err(fault)?;
        label(root, name.to_string(), (x + 28, 36), 14, &BLACK)?;
    }
    let text = "of an image, on each hardware. Lines need no hardware.";
    label(root, text.to_string(), (LEFT + 220, 36), 14, &GRAY)?;
    label(root, "what ate most of the rest".to_string(), (WIDTH as i32 - RIGHT + 74, 36), 14, &GRAY)
}

/// The network of a panel, and its lines with their gains.
fn panel_names(root: &Area<'_>, top: i32, name: &str, gains: &Gains, axis: &Axis) -> Result<(), Fault> {
    root.draw(&PathElement::new([(14, top + 6), (WIDTH as i32 - 14, top + 6)], BLACK.mix(0.25))).map_err(fault)?;
    let bold = (FONT, 15).into_font().style(FontStyle::Bold);
    root.draw(&Text::new(tail(name, NAME), (14, top + 16), bold)).map_err(fault)?;
    let step = 200;
    for (i, (quantity, color, width)) in LINES.into_iter().enumerate() {
        let x = 14 + step * i as i32;
        let y = top + 48;
        root.draw(&PathElement::new([(x, y), (x + 22, y)], color.stroke_width(width + 1))).map_err(fault)?;
        let gain = of_quantity(gains, quantity);
        let beyond = if gain.is_some_and(|gain| gain > axis.most) { " →" } else { "" };
        let text = format!("{} {}{beyond}", quantity.name(), gain_factor(gain));
        label(root, text, (x + 28, y - 8), 13, &BLACK)?;
    }
    Ok(())
}

/// The number of a bar, and what ate the rest of the gain.
fn told(root: &Area<'_>, y: i32, gain: Option<f64>, reason: String) -> Result<(), Fault> {
    let x = WIDTH as i32 - RIGHT + 12;
    label(root, gain_factor(gain), (x, y + 1), 12, &BLACK)?;
    label(root, reason, (x + 62, y + 1), 12, &GRAY)
}

fn label(root: &Area<'_>, text: String, at: (i32, i32), size: i32, color: &RGBColor) -> Result<(), Fault> {
    root.draw(&Text::new(text, at, (FONT, size).into_font().color(color))).map_err(fault)
}

/// The logarithmic axis of gains, which all panels have in common.
struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    /// An axis that has all gains, and 1.
    fn new(networks: &[(&str, &Gains)]) -> Self {
        let of_hardware = |gains: &Gains| -> Vec<Option<f64>> {
            gains.hardware.iter().flat_map(|gain| [gain.energy(), gain.in_cycles()]).collect()
        };
        let of_lines = |gains: &Gains| LINES.map(|(quantity, ..)| of_quantity(gains, quantity)).into_iter().flatten();
        let bars = || networks.iter().flat_map(|(_, gains)| of_hardware(gains)).flatten();
        let longest = bars().fold(2.0, f64::max);
        let lines = networks.iter().flat_map(|(_, gains)| of_lines(gains)).filter(|&gain| gain <= FAR * longest);
        let (least, most) =
            bars().chain(lines).fold((1.0, longest), |(least, most), x| (f64::min(least, x), most.max(x)));
        Self { least: least * 0.94, most: most * 1.06 }
    }

    fn x(&self, gain: f64) -> i32 {
        let width = f64::from(WIDTH as i32 - LEFT - RIGHT);
        LEFT + (width * (gain / self.least).ln() / (self.most / self.least).ln()).round() as i32
    }

    /// Light lines with their numbers below, and 1 as a dark line.
    fn draw(&self, root: &Area<'_>, first: i32, last: i32) -> Result<(), Fault> {
        let decades = (-3..7).flat_map(|exponent| [1.0, 2.0, 3.0, 5.0].map(|digit| digit * 10f64.powi(exponent)));
        let mut free = i32::MIN;
        for tick in decades.filter(|tick| (self.least..=self.most).contains(tick)) {
            let (x, is_one) = (self.x(tick), tick == 1.0);
            let style = if is_one { BLACK.stroke_width(1) } else { BLACK.mix(0.12).stroke_width(1) };
            root.draw(&PathElement::new([(x, first), (x, last)], style)).map_err(fault)?;
            if x - 14 > free {
                label(root, format!("{tick} ×"), (x - 10, last + 5), 12, &GRAY)?;
                free = x + 20;
            }
        }
        Ok(())
    }

    /// A bar from 1 to the gain.
    fn bar(&self, root: &Area<'_>, y: i32, gain: Option<f64>, color: RGBColor) -> Result<(), Fault> {
        let one = self.x(1.0);
        let end = gain.map_or(one, |gain| self.x(gain));
        // What is neither gained nor lost is still a bar.
        let (from, to) = if end == one { (one, one + 2) } else { (one.min(end), one.max(end)) };
        root.draw(&Rectangle::new([(from, y), (to, y + BAR)], color.filled())).map_err(fault)
    }

    fn line(
        &self,
        root: &Area<'_>,
        (first, last): (i32, i32),
        gain: Option<f64>,
        style: ShapeStyle,
    ) -> Result<(), Fault> {
        let Some(x) = gain.filter(|gain| *gain <= self.most).map(|gain| self.x(gain)) else { return Ok(()) };
        root.draw(&PathElement::new([(x, first - 4), (x, last)], style)).map_err(fault)
    }
}
