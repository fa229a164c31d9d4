//! Decodes a picture as Pillow's `Image.open(…).convert("RGB")` does, which is what torchvision's `ImageFolder` loads.
//!
//! A picture is of the kind that its first bytes say, whatever its name ends in. What becomes of numbers that are not 8
//! bits wide, and of ink colours, is Pillow's rule and no choice of this program: a network was trained on what Pillow
//! made of its pictures.

mod gif;
mod ink;
mod orientation;
mod tiff;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::Image;
use super::error::ImageError;

/// The longest side that a picture may have, in pixels.
const MAX_SIDE: u32 = 1 << 15;
/// The most bytes that a decoder may allocate.
const MAX_DECODED_BYTES: u64 = 256 << 20;
/// The largest file of a picture. An uncompressed one takes no more than its decoded form and a header.
const MAX_FILE_BYTES: u64 = MAX_DECODED_BYTES + (1 << 20);

/// Ends of the names of pictures, as torchvision has them, and GIF.
const ENDINGS: [&str; 10] = ["bmp", "gif", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp"];

/// Whether the end of the name says that the file is a picture that is read. Capitals do not matter.
pub(super) fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|ending| is_ending(&ending.to_string_lossy()))
}

/// Whether this end of a name, without the point, is one of a picture that is read.
pub(super) fn is_ending(ending: &str) -> bool {
    ENDINGS.contains(&ending.to_lowercase().as_str())
}

/// Whether the bytes begin as a picture that is read.
pub(super) fn begins_as_picture(bytes: &[u8]) -> bool {
    is_tiff(bytes) || is_gif(bytes) || other_format(bytes).is_some()
}

/// What of a picture a user should know before it is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks {
    /// Its metadata say that it is to be turned or mirrored, and Pillow does so on request only.
    pub is_turned: bool,
    /// It is grey with 16 bits a pixel, of which Pillow keeps what is at most 255.
    pub is_clipped: bool,
}

/// Looks at a picture without decoding its pixels. Of one that cannot be read nothing is known.
pub(super) fn looks(path: &Path) -> Looks {
    read_file(path).map_or(Looks::default(), |bytes| looks_of(path, &bytes))
}

/// As [`looks`], of a picture in memory.
pub(super) fn looks_of(path: &Path, bytes: &[u8]) -> Looks {
    if is_gif(bytes) {
        return Looks::default();
    }
    if is_tiff(bytes) {
        return Looks { is_clipped: tiff::is_wide_grey(bytes), is_turned: false };
    }
    let Ok(mut decoder) = decoder_of(path, bytes) else { return Looks::default() };
    let is_turned = orientation::of(&mut decoder, bytes) != Orientation::NoTransforms;
    Looks { is_turned, is_clipped: is_wide_grey(&decoder, bytes) }
}

/// Decodes a picture file to grey or to red, green, blue, 8 bits each. Transparency is left out. `turn` says whether a
/// picture is turned as its EXIF orientation says; one in TIFF always is, for Pillow turns it while it reads.
pub(super) fn decode(path: &Path, turn: bool) -> Result<Image, ImageError> {
    decode_bytes(path, &read_file(path)?, turn)
}

/// As [`decode`], of a picture in memory; `path` stands for it in messages.
pub(super) fn decode_bytes(path: &Path, bytes: &[u8], turn: bool) -> Result<Image, ImageError> {
    let decoded = if is_tiff(bytes) {
        tiff::decode(path, bytes)?
    } else if is_gif(bytes) {
        gif::decode(path, bytes)?
    } else {
        let mut decoder = decoder_of(path, bytes)?;
        let orientation = if turn { orientation::of(&mut decoder, bytes) } else { Orientation::NoTransforms };
        let is_clipped = is_wide_grey(&decoder, bytes);
        let mut decoded = match ink::decode(path, bytes)? {
            Some(decoded) => decoded,
            None => eight_bits(DynamicImage::from_decoder(decoder).map_err(|e| error(path, e))?, is_clipped),
        };
        decoded.apply_orientation(orientation);
        decoded
    };
    Ok(planes(path, decoded))
}

fn read_file(path: &Path) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(ImageError::io(path))?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(ImageError::io(path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ImageError::unsupported(path, format!("a picture in a file of over {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

fn is_tiff(bytes: &[u8]) -> bool {
    let starts = |start: &[u8]| bytes.starts_with(start);
    starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+")
}

fn is_gif(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GIF8")
}

/// The format of a picture that is neither TIFF nor GIF.
fn other_format(bytes: &[u8]) -> Option<ImageFormat> {
    let format = image::guess_format(bytes).ok()?;
    let is_read = [ImageFormat::Bmp, ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Pnm, ImageFormat::WebP];
    is_read.contains(&format).then_some(format)
}

fn decoder_of<'a>(path: &Path, bytes: &'a [u8]) -> Result<impl ImageDecoder + 'a, ImageError> {
    let Some(format) = other_format(bytes) else {
        let known = "JPEG, PNG, WebP, TIFF, GIF, BMP, PGM and PPM";
        return Err(ImageError::unsupported(
            path,
            format!("its first bytes are those of no picture; {known} are read"),
        ));
    };
    if format == ImageFormat::Pnm {
        check_pnm(path, bytes)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|e| error(path, e))?;
    // Not every decoder minds the bound on what it allocates.
    let (width, height) = decoder.dimensions();
    check_size(path, width, height, u64::from(decoder.color_type().bytes_per_pixel()))?;
    Ok(decoder)
}

/// Refuses PNM files of other numbers than 0 to 255: Pillow scales those, and each kind in its own way.
fn check_pnm(path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
    let is_plain = bytes.starts_with(b"P5") || bytes.starts_with(b"P6");
    let mut words = Vec::new();
    for line in bytes[2.min(bytes.len())..].split(|&byte| byte == b'\n').take(16) {
        let text = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let word = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.extend(word.take(3).map(<[u8]>::to_vec));
        if words.len() >= 3 {
            break;
        }
    }
    match (is_plain, words.get(2).map(Vec::as_slice)) {
        (true, Some(b"255")) => Ok(()),
        _ => Err(ImageError::unsupported(path, "a PNM file that is not PGM or PPM in bytes (P5, P6) of 0 to 255")),
    }
}

/// Whether a decoder makes 16-bit grey of a picture that has no alpha channel. A colour of PNG that stands for
/// transparency becomes one.
fn is_wide_grey(decoder: &impl ImageDecoder, bytes: &[u8]) -> bool {
    /// Where a PNG file has its colour type, and that of grey.
    const PNG_COLOR_TYPE: (usize, u8) = (25, 0);
    let color = decoder.color_type();
    let stays_grey = bytes.get(PNG_COLOR_TYPE.0) == Some(&PNG_COLOR_TYPE.1);
    color == image::ColorType::L16 || color == image::ColorType::La16 && stays_grey
}

/// Makes 8 bits of 16: of colours and of grey with alpha the high byte; of grey alone what is at most 255, else 255.
fn eight_bits(decoded: DynamicImage, is_clipped: bool) -> DynamicImage {
    let high = |samples: Vec<u16>| samples.into_iter().map(|sample| (sample >> 8) as u8).collect::<Vec<u8>>();
    let (width, height) = (decoded.width(), decoded.height());
    let grey = |data| image::GrayImage::from_raw(width, height, data).expect("a byte for each pixel").into();
    let rgb = |data| image::RgbImage::from_raw(width, height, data).expect("three bytes for each pixel").into();
    match (decoded, is_clipped) {
        (decoded, true) => grey(decoded.into_luma16().into_raw().into_iter().map(|x| x.min(255) as u8).collect()),
        (DynamicImage::ImageLumaA16(grey_alpha), false) => {
            grey(high(grey_alpha.into_raw().into_iter().step_by(2).collect()))
        }
        (decoded @ (DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_)), false) => {
            rgb(high(decoded.into_rgb16().into_raw()))
        }
        (decoded, false) => decoded,
    }
}

fn error(path: &Path, error: image::ImageError) -> ImageError {
    match error {
        image::ImageError::IoError(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::invalid(path, "the picture is cut off")
        }
        // Of bytes in memory, whatever is wrong is wrong with them.
        image::ImageError::IoError(error) => ImageError::invalid(path, error.to_string()),
        image::ImageError::Unsupported(error) => ImageError::unsupported(path, error.to_string()),
        image::ImageError::Limits(_) => too_large(path),
        error @ (image::ImageError::Decoding(_) | image::ImageError::Encoding(_) | image::ImageError::Parameter(_)) => {
            ImageError::invalid(path, error.to_string())
        }
    }
}

fn too_large(path: &Path) -> ImageError {
    let problem = format!("a picture with a side over {MAX_SIDE} or over {MAX_DECODED_BYTES} bytes decoded");
    ImageError::unsupported(path, problem)
}

/// Refuses a size before anything of it is allocated.
fn check_size(path: &Path, width: u32, height: u32, bytes_each: u64) -> Result<(), ImageError> {
    let bytes = u64::from(width) * u64::from(height) * bytes_each;
    match width == 0 || height == 0 {
        true => Err(ImageError::invalid(path, format!("a picture of {width} × {height} pixels"))),
        false if width > MAX_SIDE || height > MAX_SIDE || bytes > MAX_DECODED_BYTES => Err(too_large(path)),
        false => Ok(()),
    }
}

fn planes(path: &Path, decoded: DynamicImage) -> Image {
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let grey = !decoded.color().has_color();
    let (channels, interleaved) =
        if grey { (1, decoded.into_luma8().into_raw()) } else { (3, decoded.into_rgb8().into_raw()) };
    let data = (0..channels)
        .flat_map(|channel| interleaved.iter().skip(channel).step_by(channels).map(|&byte| f32::from(byte)))
        .collect();
    Image { name: path.display().to_string(), channels, height, width, data }
}
