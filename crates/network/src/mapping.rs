//! Files mapped into memory: sliced without copying, and given back to the system piece by piece after use.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::{Mmap, UncheckedAdvice};

/// Maps a file into memory as bytes that can be sliced without copying.
pub(crate) fn map_file(path: &Path) -> io::Result<Bytes> {
    Ok(Mapping::open(path)?.bytes())
}

/// A file in memory, or an empty one. Copies share the map.
#[derive(Clone, Debug)]
pub(crate) struct Mapping(Option<Mapped>);

#[derive(Clone, Debug)]
struct Mapped {
    map: Arc<Mmap>,
    file: Arc<File>,
}

/// What keeps the map alive behind [`Bytes`].
struct Owner(Arc<Mmap>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Mapping {
    /// Maps a regular file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self(None));
        }
        // SAFETY: a mapping is sound as long as nobody changes or truncates the file under it. No program can rule that
        // out for another one; as every reader that maps its input, this one asks its user for a file at rest. Nothing
        // here relies on the bytes being the same on two reads: each element is decoded by value, and lengths come from
        // the map.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self(Some(Mapped { map: Arc::new(map), file: Arc::new(file) })))
    }

    /// All bytes of the file.
    pub(crate) fn bytes(&self) -> Bytes {
        self.0.as_ref().map_or_else(Bytes::new, |mapped| Bytes::from_owner(Owner(mapped.map.clone())))
    }

    /// Reads `part` of this map from the file into `bytes`, whose old content goes; `false` where it is no part of it, or
    /// cannot be read. That is twice as fast as copying out of the map, and touches no page of it.
    pub(crate) fn copy(&self, part: &[u8], bytes: &mut Vec<u8>) -> bool {
        let Some((mapped, offset)) = self.locate(part) else { return false };
        bytes.resize(part.len(), 0);
        read_at(&mapped.file, bytes, offset as u64)
    }

    /// Where a part of this map begins.
    fn locate(&self, part: &[u8]) -> Option<(&Mapped, usize)> {
        let mapped = self.0.as_ref()?;
        let offset = (part.as_ptr() as usize).checked_sub(mapped.map.as_ptr() as usize)?;
        (offset.checked_add(part.len())? <= mapped.map.len()).then_some((mapped, offset))
    }

    /// Lets the system take back the memory of the pages that lie wholly in `part`, if it is a part of this map. They are
    /// read from the file again when they are next looked at.
    pub(crate) fn release(&self, part: &[u8]) {
        const PAGE: usize = 4096;
        let Some((mapped, start)) = self.locate(part) else { return };
        // The first page may be shared with the part before, which is released as well; the last one is left.
        let (from, to) = (start / PAGE * PAGE, (start + part.len()) / PAGE * PAGE);
        if from < to {
            // SAFETY: the map is private, never written to and backed by a file, so that a page that is dropped comes back
            // with the same bytes; slices of it stay valid.
            #[allow(unsafe_code)]
            let advised = unsafe { mapped.map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, to - from) };
            // Advice that the system does not take costs memory, nothing else.
            advised.ok();
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> bool {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset).is_ok()
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> bool {
    false
}
