//! What a file is that is not what was asked for.

use std::fmt;
use std::path::Path;

use network::{Mend, NetworkError};

/// What every HDF5 file begins with.
pub(crate) const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// A kind of file, as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Records of 3,073 bytes, each of which begins with a class of CIFAR-10.
    Cifar10,
    /// Records of 3,074 bytes, each of which begins with a coarse and a fine class of CIFAR-100.
    Cifar100,
    /// An array of MNIST's kind.
    Idx,
    /// A tar archive.
    Tar,
    /// A JPEG, PNG, WebP, TIFF, BMP or GIF picture.
    Picture,
    /// A numpy array.
    NumpyArray,
    /// An SQLite database, as stores of sweeps are.
    Sqlite,
    /// An HDF5 file, as Keras writes.
    Hdf5,
    /// A zip archive.
    Zip,
    /// A gzip file.
    Gzip,
    /// A file of xz, bzip2, zstd, 7-Zip or RAR.
    Packed,
    /// A Parquet table.
    Parquet,
    /// A file of MATLAB.
    Matlab,
    /// HTML, SVG or other XML.
    Xml,
    /// What stands for a file in a clone without Git LFS.
    LfsPointer,
    /// A network in onnxruntime's own format.
    Ort,
    /// JSON text.
    Json,
    /// A description of hardware or a plan in TOML.
    Toml,
    /// Some other text, a table perhaps.
    Text,
}

impl FileKind {
    /// The kind of a file of these bytes; none where they tell nothing.
    ///
    /// ```
    /// use formats::FileKind;
    ///
    /// assert_eq!(FileKind::of(b"SQLite format 3\0..."), Some(FileKind::Sqlite));
    /// assert_eq!(FileKind::of(b"engine = \"digital\"\n"), Some(FileKind::Toml));
    /// assert_eq!(FileKind::of(&[8, 7, 18, 4]), None);
    /// ```
    pub fn of(bytes: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], FileKind); 19] = [
            (b"SQLite format 3\0", FileKind::Sqlite),
            (HDF5, FileKind::Hdf5),
            (b"\x89PNG\r\n\x1a\n", FileKind::Picture),
            (b"\xff\xd8\xff", FileKind::Picture),
            (b"BM", FileKind::Picture),
            (b"GIF8", FileKind::Picture),
            (b"\x93NUMPY", FileKind::NumpyArray),
            (b"PK\x03\x04", FileKind::Zip),
            (b"PK\x05\x06", FileKind::Zip),
            (b"\x1f\x8b", FileKind::Gzip),
            (b"II*\0", FileKind::Picture),
            (b"MM\0*", FileKind::Picture),
            (b"PAR1", FileKind::Parquet),
            (b"MATLAB 5.0 MAT-file", FileKind::Matlab),
            (b"\xfd7zXZ\0", FileKind::Packed),
            (b"BZh", FileKind::Packed),
            (b"\x28\xb5\x2f\xfd", FileKind::Packed),
            (b"7z\xbc\xaf\x27\x1c", FileKind::Packed),
            (b"Rar!\x1a\x07", FileKind::Packed),
        ];
        let known = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind);
        let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        let by_form = || {
            let forms = [
                (bytes.get(4..8) == Some(b"ORTM"), FileKind::Ort),
                (is_webp, FileKind::Picture),
                (bytes.get(257..262) == Some(b"ustar"), FileKind::Tar),
                (bytes.starts_with(b"\0\0\x08\x01") || bytes.starts_with(b"\0\0\x08\x03"), FileKind::Idx),
                (CIFAR_10.fits(bytes), FileKind::Cifar10),
                (CIFAR_100.fits(bytes), FileKind::Cifar100),
            ];
            forms.into_iter().find(|(is_so, _)| *is_so).map(|(_, kind)| kind)
        };
        known.or_else(|| text_kind(bytes)).or_else(by_form)
    }
}

/// The error of a file that was to be a network and is something else; none where its bytes tell nothing.
pub(crate) fn no_network(path: &Path, bytes: &[u8]) -> Option<NetworkError> {
    let kind = FileKind::of(bytes)?;
    let mend = match kind {
        FileKind::Cifar10
        | FileKind::Cifar100
        | FileKind::Idx
        | FileKind::Tar
        | FileKind::Picture
        | FileKind::NumpyArray => Some(Mend::GiveAsImages),
        FileKind::Sqlite => Some(Mend::GiveAsStore),
        FileKind::Toml => Some(Mend::GiveAsHardwareOrPlan),
        FileKind::Text => Some(Mend::GiveAsTopology),
        FileKind::Hdf5
        | FileKind::Zip
        | FileKind::Gzip
        | FileKind::Packed
        | FileKind::Parquet
        | FileKind::Matlab
        | FileKind::Xml
        | FileKind::LfsPointer
        | FileKind::Ort
        | FileKind::Json => None,
    };
    let problem = format!(
        "it is {kind}; expected a network (ONNX, TFLite, torch.export) or weights (PyTorch, safetensors, Keras, NumPy)"
    );
    Some(NetworkError::Unsupported { path: path.to_path_buf(), place: "file".to_string(), problem, mend })
}

/// The kind of a text; none for what is no text.
fn text_kind(bytes: &[u8]) -> Option<FileKind> {
    /// So much is looked at.
    const FIRST: usize = 4096;
    let first = &bytes[..bytes.len().min(FIRST)];
    // A letter may be cut at the end.
    let text = match std::str::from_utf8(first) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&first[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let is_text = !text.trim().is_empty() && !text.contains(|c: char| c.is_control() && !c.is_whitespace());
    is_text.then(|| {
        let is_toml = |line: &str| {
            let key = line.split('=').next().unwrap_or_default().trim();
            let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            line.contains('=') && is_key || line.starts_with('[')
        };
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        if text.starts_with("version https://git-lfs.github.com/spec/") {
            return FileKind::LfsPointer;
        }
        match text.trim_start().chars().next() {
            Some('<') => FileKind::Xml,
            Some('{') => FileKind::Json,
            _ if lines.next().is_some_and(is_toml) => FileKind::Toml,
            _ => FileKind::Text,
        }
    })
}

/// Records of an image of CIFAR each, behind bytes that are labels.
pub(crate) struct CifarRecords {
    /// What each byte before the planes is below.
    pub classes: &'static [u8],
}

pub(crate) const CIFAR_10: CifarRecords = CifarRecords { classes: &[10] };
/// The coarse label comes first.
pub(crate) const CIFAR_100: CifarRecords = CifarRecords { classes: &[20, 100] };

impl CifarRecords {
    /// Height and width of an image.
    pub(crate) const SIDE: usize = 32;

    /// Bytes of a record: its labels, and three planes.
    pub(crate) fn len(&self) -> usize {
        self.classes.len() + 3 * Self::SIDE * Self::SIDE
    }

    /// The first record with a label that is no class: which it is, the label, and how many classes there are.
    pub(crate) fn misfit(&self, bytes: &[u8]) -> Option<(usize, u8, u8)> {
        let wrong =
            |record: &[u8]| self.classes.iter().copied().zip(record.iter().copied()).find(|(end, label)| label >= end);
        let mut records = bytes.chunks_exact(self.len()).enumerate();
        records.find_map(|(index, record)| wrong(record).map(|(end, label)| (index, label, end)))
    }

    /// Whether the bytes are such records and nothing else.
    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        !bytes.is_empty() && bytes.len().is_multiple_of(self.len()) && self.misfit(bytes).is_none()
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::Cifar10 => "images in the binary format of CIFAR-10",
            FileKind::Cifar100 => "images in the binary format of CIFAR-100",
            FileKind::Idx => "an IDX file, as MNIST's are",
            FileKind::Tar => "a tar archive",
            FileKind::Picture => "a picture",
            FileKind::NumpyArray => "a numpy array",
            FileKind::Sqlite => "an SQLite database",
            FileKind::Hdf5 => "an HDF5 file",
            FileKind::Zip => "a zip archive",
            FileKind::Gzip => "a gzip file, to be unpacked first",
            FileKind::Packed => "a packed file (xz, bzip2, zstd, 7-Zip or RAR)",
            FileKind::Parquet => "a Parquet file",
            FileKind::Matlab => "a file of MATLAB",
            FileKind::Xml => "HTML, SVG or other XML",
            FileKind::LfsPointer => "a pointer of Git LFS, for which `git lfs pull` gets the file itself",
            FileKind::Ort => "an ORT file of onnxruntime, which is made of an ONNX file: give that one",
            FileKind::Json => "JSON",
            FileKind::Toml => "TOML, as descriptions of hardware and plans are",
            FileKind::Text => "text",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        let records = |label: u8| [vec![label; 1], vec![200; 3072]].concat().repeat(2);
        let cases: [(&[u8], Option<FileKind>); 11] = [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", Some(FileKind::LfsPointer)),
            (b"\x1c\0\0\0ORTM\0\0\0\0\x8f\xff", Some(FileKind::Ort)),
            (&records(9), Some(FileKind::Cifar10)),
            (&records(10), None),
            (&[0; 100], None),
            (b"# a comment\n\nname = \"x\"\n", Some(FileKind::Toml)),
            (b"layer,op\nconv1,Conv\n", Some(FileKind::Text)),
            ("größe,µ\n".as_bytes(), Some(FileKind::Text)),
            (b"  {\"a\": 1}", Some(FileKind::Json)),
            (b"<svg></svg>", Some(FileKind::Xml)),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(FileKind::of(bytes), expected, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(20)]));
        }
    }
}
