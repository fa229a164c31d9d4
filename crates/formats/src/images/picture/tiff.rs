//! The first picture of a TIFF file.

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::super::error::ImageError;
use super::{MAX_DECODED_BYTES, check_size, ink};

/// A negative: zero is white.
const WHITE_IS_ZERO: u16 = 0;

/// Decodes the first picture, and turns it as the file says: Pillow does so while it reads one.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    let wrong = |e| error(path, e);
    let mut decoder = open(bytes).map_err(wrong)?;
    let (width, height) = decoder.dimensions().map_err(wrong)?;
    let color = decoder.colortype().map_err(wrong)?;
    // No kind that is read has more bytes a pixel.
    check_size(path, width, height, 8)?;
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut samples).map_err(wrong)?;
    if layout.planes > 1 {
        return Err(ImageError::unsupported(path, "a TIFF picture in separate planes; save it interleaved"));
    }
    let interpretation = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation).ok().flatten();
    if color == ColorType::Gray(16) && interpretation == Some(WHITE_IS_ZERO) {
        // Pillow does not turn this kind of negative into a positive.
        return Err(ImageError::unsupported(path, "a TIFF picture of 16-bit grey whose zero is white; save it as PNG"));
    }
    let mut decoded = convert(path, [width, height], color, samples)?;
    let said = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let said = said.and_then(|number| Orientation::from_exif(u8::try_from(number).ok()?));
    decoded.apply_orientation(said.unwrap_or(Orientation::NoTransforms));
    Ok(decoded)
}

/// Whether the picture is grey with 16 bits a pixel.
pub(super) fn is_wide_grey(bytes: &[u8]) -> bool {
    open(bytes).and_then(|mut decoder| decoder.colortype()).is_ok_and(|color| color == ColorType::Gray(16))
}

fn open(bytes: &[u8]) -> Result<Decoder<Cursor<&[u8]>>, TiffError> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_DECODED_BYTES as usize;
    limits.intermediate_buffer_size = MAX_DECODED_BYTES as usize;
    Ok(Decoder::new(Cursor::new(bytes))?.with_limits(limits))
}

/// Makes grey or red, green, blue of the samples, 8 bits each: of 16-bit grey what is at most 255, of 16-bit colours the
/// high byte.
fn convert(
    path: &Path,
    [width, height]: [u32; 2],
    color: ColorType,
    samples: DecodingResult,
) -> Result<DynamicImage, ImageError> {
    let grey = |data| GrayImage::from_raw(width, height, data).map(DynamicImage::from);
    let rgb = |data| RgbImage::from_raw(width, height, data).map(DynamicImage::from);
    let high = |samples: Vec<u16>| samples.into_iter().map(|sample| (sample >> 8) as u8).collect::<Vec<u8>>();
    let picture = match (color, samples) {
        (ColorType::Gray(1), DecodingResult::U8(bits)) => grey(unpack_bits(&bits, width as usize)),
        (ColorType::Gray(8), DecodingResult::U8(data)) => grey(data),
        (ColorType::Gray(16), DecodingResult::U16(data)) => {
            grey(data.into_iter().map(|sample| sample.min(255) as u8).collect())
        }
        // Grey with alpha.
        (ColorType::Multiband { bit_depth: 8, num_samples: 2 }, DecodingResult::U8(data)) => {
            grey(first_of(&data, 2, 1))
        }
        (ColorType::RGB(8), DecodingResult::U8(data)) => rgb(data),
        (ColorType::RGB(16), DecodingResult::U16(data)) => rgb(high(data)),
        (ColorType::RGBA(8), DecodingResult::U8(data)) => rgb(first_of(&data, 4, 3)),
        (ColorType::RGBA(16), DecodingResult::U16(data)) => rgb(first_of(&high(data), 4, 3)),
        (ColorType::CMYK(8), DecodingResult::U8(data)) => return ink::rgb(path, width, height, &data),
        (ColorType::CMYK(16), DecodingResult::U16(data)) => return ink::rgb(path, width, height, &high(data)),
        (color, _) => {
            let read = "grey, RGB and CMYK in whole numbers of 8 or 16 bits are read";
            return Err(ImageError::unsupported(path, format!("a TIFF picture of {color:?}; {read}")));
        }
    };
    picture.ok_or_else(|| ImageError::invalid(path, format!("its samples are not {width} × {height} pixels")))
}

/// The first `kept` of every `channels` bytes.
fn first_of(data: &[u8], channels: usize, kept: usize) -> Vec<u8> {
    data.chunks_exact(channels).flat_map(|pixel| pixel[..kept].iter().copied()).collect()
}

/// A byte for each bit, 0 or 255. Rows begin at whole bytes.
fn unpack_bits(bits: &[u8], width: usize) -> Vec<u8> {
    let bit = |row: &[u8], x: usize| if row[x / 8] >> (7 - x % 8) & 1 == 1 { 255 } else { 0 };
    bits.chunks_exact(width.div_ceil(8)).flat_map(|row| (0..width).map(move |x| bit(row, x))).collect()
}

fn error(path: &Path, error: TiffError) -> ImageError {
    match error {
        TiffError::UnsupportedError(error) => {
            ImageError::unsupported(path, format!("a TIFF picture that is not read ({error}); save it as PNG"))
        }
        TiffError::LimitsExceeded => super::too_large(path),
        error @ (TiffError::FormatError(_)
        | TiffError::IoError(_)
        | TiffError::IntSizeError
        | TiffError::UsageError(_)) => {
            ImageError::invalid(path, format!("the TIFF picture cannot be decoded: {error}"))
        }
    }
}
