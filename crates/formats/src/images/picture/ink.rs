//! Pictures of ink: cyan, magenta, yellow and black.

use std::path::Path;

use image::DynamicImage;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::super::error::ImageError;
use super::check_size;

/// Decodes a JPEG file of four components; `None` for any other picture.
///
/// Such pictures are stored inverted, as Adobe does it. Where a segment of Adobe says that the first three components are
/// luma and chroma, they are turned into ink first, as libjpeg does.
///
/// Source: `JpegImagePlugin.py` of Pillow 13.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Option<DynamicImage>, ImageError> {
    if !bytes.starts_with(b"\xff\xd8") {
        return Ok(None);
    }
    let wrong = |error: &dyn std::fmt::Display| ImageError::invalid(path, error.to_string());
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| wrong(&e))?;
    let space = decoder.input_colorspace();
    let Some(space @ (ColorSpace::CMYK | ColorSpace::YCCK)) = space else { return Ok(None) };
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let (width, height) = (width as u32, height as u32);
    check_size(path, width, height, 4)?;
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let mut samples = decoder.decode().map_err(|e| wrong(&e))?;
    if space == ColorSpace::YCCK {
        samples.chunks_exact_mut(4).for_each(ink_of_luma);
    }
    samples.iter_mut().for_each(|sample| *sample = 255 - *sample);
    rgb(path, width, height, &samples).map(Some)
}

/// Makes red, green and blue of ink, four bytes a pixel.
pub(super) fn rgb(path: &Path, width: u32, height: u32, ink: &[u8]) -> Result<DynamicImage, ImageError> {
    let light = ink.chunks_exact(4).flat_map(light).collect();
    let found = ink.len();
    let picture = image::RgbImage::from_raw(width, height, light);
    picture.map(DynamicImage::from).ok_or_else(|| {
        ImageError::invalid(path, format!("{found} bytes cannot be {width} × {height} pixels of four inks"))
    })
}

/// Red, green, blue of cyan, magenta, yellow, black: `(255 − k) − ink · (255 − k) / 255`, rounded.
///
/// Source: `cmyk2rgb` of Pillow's `Convert.c`.
fn light(ink: &[u8]) -> [u8; 3] {
    let white = 255 - u32::from(ink[3]);
    let color = |ink: u8| {
        let product = u32::from(ink) * white + 128;
        (white - (((product >> 8) + product) >> 8)) as u8
    };
    [color(ink[0]), color(ink[1]), color(ink[2])]
}

/// Makes ink of luma and chroma in place: 255 minus red, green and blue. Black stays.
///
/// Source: `ycck_cmyk_convert` of libjpeg's `jdcolor.c`.
fn ink_of_luma(pixel: &mut [u8]) {
    /// 16 bits behind the point.
    const ONE: f64 = 65536.0;
    const HALF: i64 = 1 << 15;
    let fixed = |factor: f64| (factor * ONE + 0.5) as i64;
    let (y, cb, cr) = (i64::from(pixel[0]), i64::from(pixel[1]) - 128, i64::from(pixel[2]) - 128);
    let red = y + ((fixed(1.402) * cr + HALF) >> 16);
    let green = y + ((-fixed(0.344_136_286) * cb - fixed(0.714_136_286) * cr + HALF) >> 16);
    let blue = y + ((fixed(1.772) * cb + HALF) >> 16);
    for (sample, light) in pixel.iter_mut().zip([red, green, blue]) {
        *sample = (255 - light).clamp(0, 255) as u8;
    }
}
