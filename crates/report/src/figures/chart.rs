//! What the charts share: their file, their typeface, their colours, and the style of their axes and numbers.

use std::io;
use std::path::Path;

use explore::sweep::Method;
use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;

use crate::file::{OutputError, write_file};

pub const FONT: &str = "sans-serif";

const SIZE: (u32, u32) = (720, 520);

/// The paper's colours for its three ways, in hues that the colour-blind can tell apart.
pub const COLORS: [(Method, RGBColor); 3] = [
    (Method::QuantizeOnly, RGBColor(0, 140, 100)),
    (Method::PruneOnly, RGBColor(0, 100, 180)),
    (Method::PruneThenQuantize, RGBColor(213, 80, 0)),
];

pub type Fault = Box<dyn std::error::Error + Send + Sync>;

pub fn fault(error: impl std::error::Error) -> Fault {
    error.to_string().into()
}

pub fn write_svg(path: &Path, draw: impl FnOnce(&mut String) -> Result<(), Fault>) -> Result<(), OutputError> {
    write_file(path, |writer| {
        let mut text = String::new();
        draw(&mut text).map_err(|e| io::Error::other(e.to_string()))?;
        writer.write_all(text.as_bytes())
    })
}

/// Draws axes and a light grid at their labels.
pub fn draw_mesh<X, Y, DB>(mesh: &mut MeshStyle<'_, '_, X, Y, DB>) -> Result<(), Fault>
where
    X: Ranged + ValueFormatter<X::ValueType>,
    Y: Ranged + ValueFormatter<Y::ValueType>,
    DB: DrawingBackend,
{
    mesh.axis_desc_style((FONT, 16))
        .label_style((FONT, 13))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .draw()
        .map_err(fault)
}

/// A white area on which one figure is drawn.
pub fn area(text: &mut String) -> Result<DrawingArea<SVGBackend<'_>, Shift>, Fault> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(fault)?;
    Ok(area)
}

/// A number with a prefix: `62M`, `1.5n`.
pub fn short(x: f64) -> String {
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
