//! How a picture is to be turned, as its metadata say.

use image::ImageDecoder;
use image::metadata::Orientation;

/// The orientation that Pillow's `exif_transpose` finds: that of the EXIF data, else that of XMP. A picture without
/// either, or with one that does not exist, stays as it is.
///
/// Source: `Image.getexif` and `ImageOps.exif_transpose` of Pillow 13.
pub(super) fn of(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten();
    let exif = exif.as_deref().map(|bytes| bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes));
    let said = exif.and_then(Orientation::from_exif_chunk).or_else(|| {
        let xmp = decoder.xmp_metadata().ok().flatten()?;
        Orientation::from_exif(in_xmp(&xmp)?)
    });
    said.unwrap_or(Orientation::NoTransforms)
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
    use super::*;

    #[test]
    fn xmp_says_it_as_an_attribute_or_an_element() {
        assert_eq!(in_xmp(b"<x tiff:Orientation=\"6\"/>"), Some(6));
        assert_eq!(in_xmp(b"<tiff:Orientation>8</tiff:Orientation>"), Some(8));
        assert_eq!(in_xmp(b"tiff:Orientation='6'"), None);
        assert_eq!(in_xmp(b"tiff:Orientation"), None);
    }
}
