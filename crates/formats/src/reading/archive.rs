//! Zip archives. Entries that are stored plainly stay in the mapped file; compressed ones are unpacked, up to a bound.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use bytes::Bytes;
use zip::{CompressionMethod, ZipArchive};

use super::fault::{Fault, clean, invalid, unsupported};

/// The most bytes that the compressed entries of one file may have together, unpacked.
const MAX_UNPACKED: u64 = 1 << 29;

/// An archive whose entries are asked for by name.
pub(crate) struct Archive {
    bytes: Bytes,
    zip: ZipArchive<Cursor<Bytes>>,
    /// Bytes that may still be unpacked.
    budget: u64,
    /// What has been unpacked.
    unpacked: HashMap<usize, Bytes>,
}

impl Archive {
    /// Reads the directory of an archive.
    pub(crate) fn open(bytes: Bytes) -> Result<Self, Fault> {
        let zip = ZipArchive::new(Cursor::new(bytes.clone())).map_err(|e| broken("the archive", &e))?;
        Ok(Self { bytes, zip, budget: MAX_UNPACKED, unpacked: HashMap::new() })
    }

    /// Names of all entries, in the order of the directory.
    pub(crate) fn names(&self) -> Vec<String> {
        self.zip.file_names().map(str::to_string).collect()
    }

    /// The bytes of an entry; `None` where there is no such one.
    pub(crate) fn entry(&mut self, name: &str) -> Result<Option<Bytes>, Fault> {
        let Some(index) = self.zip.index_for_name(name) else { return Ok(None) };
        if let Some(bytes) = self.unpacked.get(&index) {
            return Ok(Some(bytes.clone()));
        }
        let mut entry = self.zip.by_index(index).map_err(|e| broken(name, &e))?;
        if entry.compression() == CompressionMethod::Stored {
            let (start, size) = (entry.data_start(), entry.size());
            let range = start.checked_add(size).filter(|&end| end <= self.bytes.len() as u64);
            let end = range.filter(|_| entry.compressed_size() == size).ok_or_else(|| {
                invalid!("entry {:?} of the archive at byte {start} has {size} bytes, which are not there", clean(name))
            })?;
            return Ok(Some(self.bytes.slice(start as usize..end as usize)));
        }
        // The buffer grows with what comes out, not with what the directory says.
        let mut unpacked = Vec::new();
        let read = (&mut entry).take(self.budget + 1).read_to_end(&mut unpacked);
        read.map_err(|e| {
            invalid!("entry {:?} of the archive cannot be unpacked: {}", clean(name), clean(&e.to_string()))
        })?;
        self.budget = self.budget.checked_sub(unpacked.len() as u64).ok_or_else(|| {
            unsupported!(
                "entry {:?}: at most {MAX_UNPACKED} bytes of an archive are unpacked; store it uncompressed",
                clean(name)
            )
        })?;
        let unpacked = Bytes::from(unpacked);
        self.unpacked.insert(index, unpacked.clone());
        Ok(Some(unpacked))
    }
}

fn broken(what: &str, error: &zip::result::ZipError) -> Fault {
    invalid!(
        "{} of the zip format cannot be read, as where a file is cut off: {}",
        clean(what),
        clean(&error.to_string())
    )
}
