//! Files mapped into memory: sliced without copying, and given back to the system piece by piece after use.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::{Mmap, UncheckedAdvice};

/// Maps a file into memory as bytes that can be sliced without copying.
pub fn map_file(path: &Path) -> io::Result<Bytes> {
    Ok(Mapping::open(path)?.bytes())
}

/// A file in memory, or an empty one. Copies share the map.
#[derive(Clone, Debug)]
pub struct Mapping(Option<Arc<Mmap>>);

/// What keeps the map alive behind [`Bytes`].
struct Owner(Arc<Mmap>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Mapping {
    /// Maps a regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
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
        Ok(Self(Some(Arc::new(map))))
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> Bytes {
        self.0.as_ref().map_or_else(Bytes::new, |map| Bytes::from_owner(Owner(map.clone())))
    }

    /// Lets the system take back the memory of `part`, if it is a part of this map, and of the pages around it that were
    /// read along with it. They are read from the file again when they are next looked at.
    pub fn release(&self, part: &[u8]) {
        /// Who touches a page gets those around it, from one multiple of so many bytes to the next at most, as Linux has it.
        const WINDOW: usize = 2 << 20;
        let Some(map) = &self.0 else { return };
        let (base, start) = (map.as_ptr() as usize, part.as_ptr() as usize);
        let (end, map_end) = (start + part.len(), base + map.len());
        if part.is_empty() || start < base || end > map_end {
            return;
        }
        let (from, to) = ((start / WINDOW * WINDOW).max(base) - base, end.next_multiple_of(WINDOW).min(map_end) - base);
        if from < to {
            // SAFETY: the map is private, never written to and backed by a file, so that a page that is dropped comes back
            // with the same bytes; slices of it stay valid.
            #[allow(unsafe_code)]
            let advised = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, to - from) };
            // Advice that the system does not take costs memory, nothing else.
            advised.ok();
        }
    }
}
