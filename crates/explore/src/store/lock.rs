//! Who may write to a store at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::error::ExploreError;

/// How many processes write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// This process alone, which works on the whole plan.
    One,
    /// Any number of processes, each with points of its own.
    Shards,
}

/// The lock that a process holds while it writes to a store. The system lets it go when the process ends, however it
/// ends.
#[derive(Debug)]
pub struct StoreLock(#[allow(dead_code, reason = "the open file is the lock")] File);

impl StoreLock {
    /// Takes the lock of a store: an empty file beside it, because the store's own file is locked by SQLite.
    ///
    /// # Errors
    ///
    /// [`ExploreError::StoreInUse`] or [`ExploreError::StoreOfWhole`] if another process writes to the store in a way that does not
    /// go together with this one.
    pub fn take(store: &Path, writers: Writers) -> Result<Self, ExploreError> {
        let name = store.with_added_extension("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name);
        let unlocked = |source| ExploreError::Io { path: name.clone(), source };
        let file = file.map_err(unlocked)?;
        let taken = match writers {
            Writers::One => file.try_lock(),
            Writers::Shards => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                let path = store.to_path_buf();
                Err(match writers {
                    Writers::One => ExploreError::StoreInUse { path },
                    Writers::Shards => ExploreError::StoreOfWhole { path },
                })
            }
            Err(TryLockError::Error(source)) => Err(unlocked(source)),
        }
    }
}
