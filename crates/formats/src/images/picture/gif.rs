//! The first frame of a GIF file.

use std::path::Path;

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use image::{DynamicImage, RgbImage};

use super::super::error::ImageError;
use super::{MAX_DECODED_BYTES, check_size};

/// Decodes the first frame. The picture is as large as the screen of the file, or as the frame where that reaches beyond
/// it. What the frame leaves free has the transparent colour, else the first one.
///
/// Source: `GifImagePlugin.py` of Pillow 13.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(MAX_DECODED_BYTES.try_into().expect("the bound is not 0")));
    let wrong = |e| error(path, e);
    let mut decoder = options.read_info(bytes).map_err(wrong)?;
    let screen = (u32::from(decoder.width()), u32::from(decoder.height()));
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.read_next_frame().map_err(wrong)?;
    let frame = frame.ok_or_else(|| ImageError::invalid(path, "there is no frame in it"))?;
    let (left, top) = (u32::from(frame.left), u32::from(frame.top));
    let width = screen.0.max(left + u32::from(frame.width));
    let height = screen.1.max(top + u32::from(frame.height));
    check_size(path, width, height, 3)?;
    let palette = frame.palette.as_deref().or(global.as_deref());
    let color = |index: u8| match palette {
        // Without a palette numbers are grey, as Pillow has it.
        None => Ok([index; 3]),
        Some(palette) => palette.as_chunks::<3>().0.get(usize::from(index)).copied().ok_or_else(|| {
            ImageError::invalid(path, format!("colour {index} of a palette of {} colours", palette.len() / 3))
        }),
    };
    let free = color(frame.transparent.unwrap_or(0)).unwrap_or_default();
    let mut picture = RgbImage::from_pixel(width, height, image::Rgb(free));
    for (row, indices) in (top..).zip(frame.buffer.chunks_exact(usize::from(frame.width).max(1))) {
        for (column, &index) in (left..).zip(indices) {
            picture.put_pixel(column, row, image::Rgb(color(index)?));
        }
    }
    Ok(picture.into())
}

/// Of bytes in memory, whatever is wrong is wrong with them.
fn error(path: &Path, error: DecodingError) -> ImageError {
    ImageError::invalid(path, format!("the GIF picture cannot be decoded: {error}"))
}
