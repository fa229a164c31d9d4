//! The bytes of a model that is decoded, and the memory of those that lie behind.

use bytes::{Buf, Bytes};
use network::Mapping;

/// Fields of fewer bytes are not worth a call of the system.
const LARGE: usize = 1 << 16;

/// A model from its first byte on. Large fields are slices of it, as with [`Bytes`]. What of the file was read to find them
/// is given back, for a system may bring in two megabytes for each tensor that is only passed by.
pub(super) struct Model<'a> {
    rest: Bytes,
    mapping: Option<&'a Mapping>,
}

impl<'a> Model<'a> {
    pub(super) fn new(mapping: &'a Mapping) -> Self {
        Self { rest: mapping.bytes(), mapping: Some(mapping) }
    }

    pub(super) fn in_memory(bytes: Bytes) -> Self {
        Self { rest: bytes, mapping: None }
    }

    /// The bytes that are not decoded yet.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.rest
    }
}

impl Buf for Model<'_> {
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.rest
    }

    fn advance(&mut self, count: usize) {
        self.rest.advance(count);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let field = self.rest.copy_to_bytes(len);
        if let Some(mapping) = self.mapping.filter(|_| len >= LARGE) {
            mapping.release(&field);
        }
        field
    }
}
