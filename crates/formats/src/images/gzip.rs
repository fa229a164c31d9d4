//! Gzip files, unpacked within bounds.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::error::ImageError;

/// How many bytes are unpacked at most of so many packed ones: images take a tenth at best, and zeros a thousandth.
pub(super) fn most_unpacked(packed: u64) -> u64 {
    /// However few are packed.
    const SMALL: u64 = 64 << 20;
    /// Times the packed ones.
    const MAX_RATIO: u64 = 100;
    /// However many are packed.
    const MAX_UNPACKED: u64 = 4 << 30;
    packed.saturating_mul(MAX_RATIO).clamp(SMALL, MAX_UNPACKED)
}

/// Whether the bytes begin as a gzip file.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b")
}

/// The first bytes of what is packed, as many as are wanted and there.
pub(super) fn head(path: &Path, packed: &Bytes, wanted: usize) -> Result<Bytes, ImageError> {
    let mut unpacker = Unpacker::new(path, packed.clone());
    unpacker.read_up_to(wanted as u64)
}

/// All that is packed.
pub(super) fn unpack(path: &Path, packed: &Bytes) -> Result<Bytes, ImageError> {
    let mut unpacker = Unpacker::new(path, packed.clone());
    unpacker.read_up_to(u64::MAX)
}

/// A gzip file that is unpacked piece by piece.
pub(super) struct Unpacker {
    path: PathBuf,
    reader: MultiGzDecoder<Cursor<Bytes>>,
    packed: u64,
    /// Bytes that may be unpacked in all, and that still may be.
    limit: u64,
    left: u64,
}

impl Unpacker {
    pub fn new(path: &Path, packed: Bytes) -> Self {
        let size = packed.len() as u64;
        let limit = most_unpacked(size);
        let reader = MultiGzDecoder::new(Cursor::new(packed));
        Self { path: path.to_path_buf(), reader, packed: size, limit, left: limit }
    }

    /// The next bytes: `count` of them, or all that are left.
    pub fn read_up_to(&mut self, count: u64) -> Result<Bytes, ImageError> {
        // The buffer grows with what comes out, not with what is asked for.
        let mut bytes = Vec::new();
        let taken = count.min(self.left + 1);
        let read = (&mut self.reader).take(taken).read_to_end(&mut bytes);
        self.account(read.map(|count| count as u64))?;
        Ok(bytes.into())
    }

    /// Passes over bytes; how many there were.
    pub fn skip_up_to(&mut self, count: u64) -> Result<u64, ImageError> {
        let taken = count.min(self.left + 1);
        let skipped = std::io::copy(&mut (&mut self.reader).take(taken), &mut std::io::sink());
        self.account(skipped)
    }

    fn account(&mut self, unpacked: std::io::Result<u64>) -> Result<u64, ImageError> {
        let unpacked = unpacked.map_err(|error| {
            let at = self.limit - self.left;
            let problem = match error.kind() == std::io::ErrorKind::UnexpectedEof {
                true => format!("the gzip file is cut off; it ends after {} bytes", self.packed),
                false => format!("the gzip file is broken behind {at} unpacked bytes: {error}"),
            };
            ImageError::invalid(&self.path, problem)
        })?;
        self.left = self.left.checked_sub(unpacked).ok_or_else(|| {
            let (limit, packed) = (self.limit, self.packed);
            let problem = format!("at most {limit} bytes are unpacked of the {packed} in the file; unpack it first");
            ImageError::unsupported(&self.path, problem)
        })?;
        Ok(unpacked)
    }
}
