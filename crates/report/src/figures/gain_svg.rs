//! What networks gain over the one that they were made of, drawn: a panel for each network with its quantities as text, and two
//! bars for each hardware, with a mark where their ideal lies.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use runner::{Gains, Hardware, HardwareGain};

use super::chart::{FONT, Fault, fault, write_svg};
use crate::file::OutputError;
use crate::gains::GainingNetwork;
use crate::text::{cycle_reason, energy_reason, gain_factor, tail};

const WIDTH: u32 = 1120;
/// Pixels above the first panel, which say what is drawn.
const HEAD: i32 = 58;
/// Pixels of a panel above its bars: the network, and its quantities in two lines.
const NAMES: i32 = 82;
/// Quantities in a line.
const QUANTITIES: usize = 5;
/// Pixels of a hardware: two bars and a gap.
const GROUP: i32 = 40;
const BAR: i32 = 15;
/// Pixels below the bars, for the numbers of the axis.
const AXIS: i32 = 40;
/// Pixels left of the bars, for the names of hardware, and right of them, for the numbers of bars and the largest losses.
const LEFT: i32 = 160;
const RIGHT: i32 = 510;
/// Pixels from a number to the largest loss.
const NUMBER: i32 = 110;
/// An ideal so many times beyond the longest bar is an arrow at the end of the axis, as it would press the bars together.
const FAR: f64 = 3.0;
/// Characters of a name.
const NAME: usize = 60;

const ENERGY: RGBColor = RGBColor(213, 80, 0);
const CYCLES: RGBColor = RGBColor(0, 100, 180);
const GRAY: RGBColor = RGBColor(110, 110, 110);

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
    let bars = GROUP * hardware.len() as i32;
    let panel = NAMES + bars + AXIS;
    let height = HEAD + panel * shown.len() as i32;
    let root = SVGBackend::with_string(text, (WIDTH, height as u32)).into_drawing_area();
    root.fill(&WHITE).map_err(fault)?;
    head(&root, before)?;
    let axis = Axis::new(&shown);
    for (i, (name, gains)) in shown.iter().enumerate() {
        let top = HEAD + panel * i as i32;
        panel_names(&root, top, name, gains)?;
        let first = top + NAMES;
        axis.draw(&root, first, first + bars)?;
        for (h, (of, gain)) in hardware.iter().zip(&gains.hardware).enumerate() {
            let y = first + GROUP * h as i32 + 4;
            label(&root, tail(of.engine.name(), 22), (14, y + 9), 14, &BLACK)?;
            for (row, bar) in bars_of(gain).into_iter().enumerate() {
                let y = y + (BAR + 1) * row as i32;
                axis.bar(&root, y, bar.gain, bar.color)?;
                axis.mark(&root, y, bar.ideal)?;
                told(&root, y, &bar)?;
            }
        }
    }
    root.present().map_err(fault)
}

/// A bar, and what stands beside it.
struct Bar {
    gain: Option<f64>,
    ideal: Option<f64>,
    color: RGBColor,
    reason: String,
}

/// The bars of one hardware.
fn bars_of(HardwareGain { energy, cycles }: &HardwareGain) -> [Bar; 2] {
    [
        Bar { gain: energy.gain(), ideal: energy.ideal(), color: ENERGY, reason: energy_reason(energy) },
        Bar { gain: cycles.gain(), ideal: cycles.ideal, color: CYCLES, reason: cycle_reason(cycles) },
    ]
}

/// What is drawn, and which bar is which.
fn head(root: &Area<'_>, before: &str) -> Result<(), Fault> {
    let title = format!("gain over {}: at 4 × a quarter is left", tail(before, NAME));
    let bold = (FONT, 16).into_font().style(FontStyle::Bold);
    root.draw(&Text::new(title, (14, 12), bold)).map_err(fault)?;
    for (i, (name, color)) in [("energy", ENERGY), ("cycles", CYCLES)].into_iter().enumerate() {
        let x = LEFT + 90 * i as i32;
        root.draw(&Rectangle::new([(x, 38), (x + 22, 50)], color.filled())).map_err(fault)?;
        label(root, name.to_string(), (x + 28, 37), 14, &BLACK)?;
    }
    let x = LEFT + 190;
    root.draw(&PathElement::new([(x, 36), (x, 52)], BLACK.stroke_width(3))).map_err(fault)?;
    label(root, "ideal hardware of its kind".to_string(), (x + 8, 37), 14, &BLACK)?;
    let right = WIDTH as i32 - RIGHT + 12;
    label(root, "gain of ideal".to_string(), (right, 37), 14, &GRAY)?;
    let losses = "largest loss: % of lost energy, ÷ of the gain in cycles";
    label(root, losses.to_string(), (right + NUMBER, 37), 14, &GRAY)
}

/// The network of a panel, and the gains of its quantities.
fn panel_names(root: &Area<'_>, top: i32, name: &str, gains: &Gains) -> Result<(), Fault> {
    root.draw(&PathElement::new([(14, top + 6), (WIDTH as i32 - 14, top + 6)], BLACK.mix(0.25))).map_err(fault)?;
    let bold = (FONT, 15).into_font().style(FontStyle::Bold);
    root.draw(&Text::new(tail(name, NAME), (14, top + 16), bold)).map_err(fault)?;
    let step = (WIDTH as i32 - 28) / QUANTITIES as i32;
    for (i, (quantity, count)) in gains.quantities.iter().enumerate() {
        let (column, line) = ((i % QUANTITIES) as i32, (i / QUANTITIES) as i32);
        let text = format!("{} {}", quantity.name(), gain_factor(count.factor()));
        label(root, text, (14 + step * column, top + 40 + 18 * line), 13, &BLACK)?;
    }
    Ok(())
}

/// The number of a bar, that of its ideal, and the largest loss.
fn told(root: &Area<'_>, y: i32, bar: &Bar) -> Result<(), Fault> {
    let x = WIDTH as i32 - RIGHT + 12;
    let numbers = format!("{} of {}", gain_factor(bar.gain), gain_factor(bar.ideal));
    label(root, numbers, (x, y + 1), 12, &BLACK)?;
    label(root, bar.reason.clone(), (x + NUMBER, y + 1), 12, &GRAY)
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
    /// An axis that has all gains, every ideal that is not far beyond them, and 1.
    fn new(networks: &[(&str, &Gains)]) -> Self {
        let bars: Vec<Bar> = networks.iter().flat_map(|(_, gains)| gains.hardware.iter().flat_map(bars_of)).collect();
        let gains = || bars.iter().filter_map(|bar| bar.gain);
        let longest = gains().fold(2.0, f64::max);
        let ideals = bars.iter().filter_map(|bar| bar.ideal).filter(|&ideal| ideal <= FAR * longest);
        let (least, most) =
            gains().chain(ideals).fold((1.0, longest), |(least, most), x| (f64::min(least, x), f64::max(most, x)));
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

    /// A mark across the bar where its ideal lies; an arrow where that is far beyond the axis.
    fn mark(&self, root: &Area<'_>, y: i32, ideal: Option<f64>) -> Result<(), Fault> {
        match ideal {
            None => Ok(()),
            Some(ideal) if ideal > self.most => label(root, "→".to_string(), (self.x(self.most) - 14, y), 14, &BLACK),
            Some(ideal) => {
                let x = self.x(ideal);
                root.draw(&PathElement::new([(x, y - 1), (x, y + BAR + 1)], BLACK.stroke_width(3))).map_err(fault)
            }
        }
    }
}
