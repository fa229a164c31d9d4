//! How a picture is to be turned, as its metadata say.

use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat};

/// The orientation that Pillow's `exif_transpose` finds: that of the EXIF data, else that of XMP. A picture without
/// either, or with one that does not exist, stays as it is. `bytes` is the file that `decoder` reads.
///
/// Source: `Image.getexif` and `ImageOps.exif_transpose` of Pillow 13.
pub(super) fn of(decoder: &mut impl ImageDecoder, bytes: &[u8]) -> Orientation {
    let is_webp = image::guess_format(bytes).is_ok_and(|format| format == ImageFormat::WebP);
    let exif = match is_webp {
        true => webp_chunk(bytes, b"EXIF"),
        false => decoder.exif_metadata().ok().flatten(),
    };
    let exif = exif.as_deref().map(|bytes| bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes));
    let said = exif.and_then(Orientation::from_exif_chunk).or_else(|| {
        let xmp = match is_webp {
            true => webp_chunk(bytes, b"XMP "),
            false => decoder.xmp_metadata().ok().flatten(),
        };
        Orientation::from_exif(in_xmp(&xmp?)?)
    });
    said.unwrap_or(Orientation::NoTransforms)
}

/// What the first chunk of this name holds in a WebP file; nothing where the file ends before the chunk does. The decoder of WebP
/// would allocate what the chunk says that it holds, up to 4 GB.
///
/// Source: RFC 9649, sections 2.3 to 2.7.
fn webp_chunk(bytes: &[u8], name: &[u8; 4]) -> Option<Vec<u8>> {
    let (head, behind) = bytes.split_first_chunk::<8>()?;
    let behind = &behind[..behind.len().min(length(head))];
    // Only a file whose first chunk is this one has metadata.
    let mut chunks = behind.strip_prefix(b"WEBP").filter(|chunks| chunks.starts_with(b"VP8X"))?;
    while let Some((head, behind)) = chunks.split_first_chunk::<8>() {
        let len = length(head);
        if head.starts_with(name) {
            return behind.get(..len).map(<[u8]>::to_vec);
        }
        // A chunk of odd length has a byte of padding.
        chunks = behind.get(len.checked_next_multiple_of(2)?..)?;
    }
    None
}

/// The length that stands behind the name of a chunk.
fn length(head: &[u8; 8]) -> usize {
    u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize
}

/// The number behind the first `tiff:Orientation="` or `tiff:Orientation>`.
fn in_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    xmp.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME).find_map(|(at, _)| {
        let rest = &xmp[at + NAME.len()..];
        let number = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?.first()?;
        number.is_ascii_digit().then(|| number - b'0')
    })
}

#[cfg(test)]
mod tests {
    use image::codecs::webp::{WebPDecoder, WebPEncoder};
    use image::{ExtendedColorType, ImageEncoder};

    use super::*;

    /// One pixel in WebP whose EXIF data, the last chunk of the file, say that it is to be turned by 90°.
    fn turned_webp() -> Vec<u8> {
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut file = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut file);
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        encoder.write_image(&[1, 2, 3], 1, 1, ExtendedColorType::Rgb8).unwrap();
        assert!(file.ends_with(exif));
        file
    }

    fn of_webp(file: &[u8]) -> Orientation {
        of(&mut WebPDecoder::new(std::io::Cursor::new(file)).unwrap(), file)
    }

    #[test]
    fn exif_data_of_webp_turn_it() {
        assert_eq!(of_webp(&turned_webp()), Orientation::Rotate90);
    }

    #[test]
    fn a_chunk_of_webp_that_says_it_is_longer_than_the_file_says_nothing() {
        let mut file = turned_webp();
        let at = file.windows(4).rposition(|name| name == b"EXIF").unwrap();
        file[at + 4..at + 8].copy_from_slice(&0xffff_ff1au32.to_le_bytes());
        assert_eq!(webp_chunk(&file, b"EXIF"), None);
        assert_eq!(of_webp(&file), Orientation::NoTransforms);
    }

    #[test]
    fn a_chunk_of_odd_length_is_padded() {
        let chunks = b"WEBPVP8X\x01\0\0\0.\0XMP \x03\0\0\0abc\0EXIF\x01\0\0\0z";
        let file = [b"RIFF".as_slice(), &(chunks.len() as u32).to_le_bytes(), chunks].concat();
        assert_eq!(webp_chunk(&file, b"XMP ").as_deref(), Some(b"abc".as_slice()));
        assert_eq!(webp_chunk(&file, b"EXIF").as_deref(), Some(b"z".as_slice()));
        assert_eq!(webp_chunk(&file, b"ICCP"), None);
        let simple = [&file[..12], b"VP8L", &file[16..]].concat();
        assert_eq!(webp_chunk(&simple, b"EXIF"), None);
    }

    #[test]
    fn xmp_says_it_as_an_attribute_or_an_element() {
        assert_eq!(in_xmp(b"<x tiff:Orientation=\"6\"/>"), Some(6));
        assert_eq!(in_xmp(b"<tiff:Orientation>8</tiff:Orientation>"), Some(8));
        assert_eq!(in_xmp(b"tiff:Orientation='6'"), None);
        assert_eq!(in_xmp(b"tiff:Orientation"), None);
    }
}
