//! The binary files of CIFAR-10 and CIFAR-100.

use std::path::Path;

use bytes::Bytes;

use super::error::ImageError;
use super::findings::Findings;
use super::records::Records;
use crate::kind::{CIFAR_10, CIFAR_100, CifarRecords};

/// Which of the two layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CifarVariant {
    /// A label byte, then the planes.
    Ten,
    /// A coarse label byte, the label byte, then the planes.
    Hundred,
}

impl CifarVariant {
    fn records(self) -> CifarRecords {
        match self {
            CifarVariant::Ten => CIFAR_10,
            CifarVariant::Hundred => CIFAR_100,
        }
    }
}

/// Which of the two layouts a file has, by its size and the labels of all records.
pub(super) fn variant_of(bytes: &[u8]) -> Option<CifarVariant> {
    [CifarVariant::Ten, CifarVariant::Hundred].into_iter().find(|variant| variant.records().fits(bytes))
}

/// The images of a file; `coarse` asks for the coarse labels of CIFAR-100.
pub(super) fn read(path: &Path, bytes: Bytes, variant: CifarVariant, coarse: bool) -> Result<Records, ImageError> {
    let (record, size) = (variant.records().len(), bytes.len());
    if size == 0 || size % record != 0 {
        let (ten, hundred) = (CIFAR_10.len(), CIFAR_100.len());
        let problem = format!(
            "{size} bytes are no whole number of {record}-byte records; CIFAR-10 has records of {ten} bytes, CIFAR-100 of {hundred}"
        );
        return Err(ImageError::invalid(path, problem));
    }
    if let Some((index, label, classes)) = variant.records().misfit(&bytes) {
        return Err(ImageError::invalid(
            path,
            format!("record {index} has label {label}; there are {classes} classes"),
        ));
    }
    let label_bytes = variant.records().classes.len();
    let is_coarse = coarse && variant == CifarVariant::Hundred;
    let place = if is_coarse { 0 } else { label_bytes - 1 };
    Ok(Records {
        name: path.display().to_string(),
        labels: Some(bytes.chunks_exact(record).map(|record| record[place].into()).collect()),
        bytes,
        start: label_bytes,
        stride: record,
        size: [3, CifarRecords::SIDE, CifarRecords::SIDE],
        count: size / record,
        is_coarse,
        findings: Findings::default(),
    })
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::super::Source;
    use super::*;

    const PIXELS: usize = 3 * 32 * 32;

    fn bytes(records: &[(&[u8], u8)]) -> Bytes {
        let records = records.iter().flat_map(|(labels, fill)| [*labels, &[*fill; PIXELS]].concat());
        records.collect::<Vec<u8>>().into()
    }

    #[test]
    fn records_are_read_with_their_labels() {
        let file = bytes(&[(&[7], 1), (&[0], 255)]);
        assert_eq!(variant_of(&file), Some(CifarVariant::Ten));
        let cifar = read(Path::new("x"), file, CifarVariant::Ten, false).unwrap();
        assert_eq!((cifar.len(), cifar.label(0), cifar.label(1)), (2, Some(7), Some(0)));
        assert_eq!(cifar.get(1).unwrap().data, vec![255.0; PIXELS]);
    }

    #[test]
    fn the_fine_label_of_cifar_100_counts_unless_the_coarse_one_is_asked_for() {
        let file = bytes(&[(&[3, 77], 9)]);
        assert_eq!(variant_of(&file), Some(CifarVariant::Hundred));
        let label = |coarse| {
            let cifar = read(Path::new("x"), file.clone(), CifarVariant::Hundred, coarse).unwrap();
            (cifar.label(0), cifar.get(0).unwrap().data[0])
        };
        assert_eq!((label(false), label(true)), ((Some(77), 9.0), (Some(3), 9.0)));
    }

    #[test]
    fn a_file_of_another_size_or_label_is_refused() {
        let cases = [
            (bytes(&[(&[0], 0), (&[10], 0)]), CifarVariant::Ten, "record 1 has label 10; there are 10 classes"),
            (bytes(&[(&[1, 1], 0)]), CifarVariant::Ten, "3074 bytes are no whole number"),
            (bytes(&[(&[20, 1], 0)]), CifarVariant::Hundred, "record 0 has label 20; there are 20 classes"),
            (bytes(&[(&[19, 100], 0)]), CifarVariant::Hundred, "record 0 has label 100; there are 100 classes"),
            (Bytes::new(), CifarVariant::Ten, "0 bytes are no whole number"),
        ];
        check_all(cases, |(file, variant, expected)| {
            assert_eq!(variant_of(file).filter(|found| found == variant), None);
            let message = read(Path::new("x"), file.clone(), *variant, false).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        });
    }
}
