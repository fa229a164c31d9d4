//! The binary files of CIFAR-10 and CIFAR-100.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::ImageError;
use super::{Image, Source};

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;

/// Which of the two layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CifarVariant {
    /// A label byte, then the planes.
    Ten,
    /// A coarse label byte, the label byte, then the planes.
    Hundred,
}

impl CifarVariant {
    fn label_bytes(self) -> usize {
        if self == CifarVariant::Ten { 1 } else { 2 }
    }

    fn classes(self) -> u8 {
        if self == CifarVariant::Ten { 10 } else { 100 }
    }
}

/// The records of one file, in memory.
#[derive(Debug)]
pub(super) struct Cifar {
    path: PathBuf,
    variant: CifarVariant,
    bytes: Vec<u8>,
}

impl Cifar {
    /// Reads at most `limit` records.
    pub fn open(path: &Path, variant: CifarVariant, limit: Option<usize>) -> Result<Self, ImageError> {
        let record = variant.label_bytes() + PIXELS;
        let file = File::open(path).map_err(ImageError::io(path))?;
        let size = file.metadata().map_err(ImageError::io(path))?.len();
        if size == 0 || size % record as u64 != 0 {
            return Err(ImageError::invalid(
                path,
                format!("{size} bytes are no whole number of {record}-byte records"),
            ));
        }
        let wanted = limit.map_or(size, |limit| size.min(limit.max(1) as u64 * record as u64));
        let mut bytes = Vec::new();
        file.take(wanted).read_to_end(&mut bytes).map_err(ImageError::io(path))?;
        let cifar = Self { path: path.to_path_buf(), variant, bytes };
        let bad = (0..cifar.len()).find(|&index| cifar.label_byte(index) >= variant.classes());
        match bad {
            Some(index) => {
                let (label, classes) = (cifar.label_byte(index), variant.classes());
                Err(ImageError::invalid(path, format!("record {index} has label {label}; there are {classes} classes")))
            }
            None => Ok(cifar),
        }
    }

    fn record(&self, index: usize) -> &[u8] {
        let record = self.variant.label_bytes() + PIXELS;
        &self.bytes[index * record..][..record]
    }

    fn label_byte(&self, index: usize) -> u8 {
        self.record(index)[self.variant.label_bytes() - 1]
    }
}

impl Source for Cifar {
    fn len(&self) -> usize {
        self.bytes.len() / (self.variant.label_bytes() + PIXELS)
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(self.label_byte(index).into())
    }

    fn get(&self, index: usize) -> Result<Image, ImageError> {
        let pixels = &self.record(index)[self.variant.label_bytes()..];
        Ok(Image {
            name: format!("{}[{index}]", self.path.display()),
            channels: 3,
            height: SIDE,
            width: SIDE,
            data: pixels.iter().map(|&byte| byte.into()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    fn write(records: &[(&[u8], u8)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = records.iter().flat_map(|(labels, fill)| [*labels, &[*fill; PIXELS]].concat()).collect();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn records_are_read_with_their_labels() {
        let file = write(&[(&[7], 1), (&[0], 255)]);
        let cifar = Cifar::open(file.path(), CifarVariant::Ten, None).unwrap();
        assert_eq!((cifar.len(), cifar.label(0), cifar.label(1)), (2, Some(7), Some(0)));
        assert_eq!(cifar.get(1).unwrap().data, vec![255.0; PIXELS]);
        assert_eq!(Cifar::open(file.path(), CifarVariant::Ten, Some(1)).unwrap().len(), 1);
    }

    #[test]
    fn the_fine_label_of_cifar_100_counts() {
        let file = write(&[(&[3, 77], 9)]);
        let cifar = Cifar::open(file.path(), CifarVariant::Hundred, None).unwrap();
        assert_eq!((cifar.label(0), cifar.get(0).unwrap().data[0]), (Some(77), 9.0));
    }

    #[test]
    fn a_file_of_another_size_or_label_is_refused() {
        let wrong_label = write(&[(&[0], 0), (&[10], 0)]);
        let cases =
            [(wrong_label, "record 1 has label 10"), (write(&[(&[1, 1], 0)]), "3074 bytes are no whole number")];
        check_all(cases, |(file, expected)| {
            let message = Cifar::open(file.path(), CifarVariant::Ten, None).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        });
    }
}
