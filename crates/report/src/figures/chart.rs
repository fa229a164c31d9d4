//! What the charts share: their file, their typeface and the style of their axes.

use std::io;
use std::path::Path;

use plotters::chart::MeshStyle;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;

use crate::file::{OutputError, write_file};

pub const FONT: &str = "sans-serif";

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
