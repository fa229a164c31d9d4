//! A store of an older layout made one of this.

use std::fs;
use std::path::{Path, PathBuf};

use network::ErrorKind;
use rusqlite::OpenFlags;

use super::{Layout, Store, StoreLock, Writers, problem};
use crate::error::ExploreError;

/// What an upgrade found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// The store has this layout already, and stays as it is.
    NotNeeded,
    /// So many points were written anew.
    Done(usize),
}

/// Makes a store of an older layout one of this layout, in its place. The new store is written beside the old one and takes its
/// name when it is complete; before that the old one stays as it is.
///
/// # Errors
///
/// [`ExploreError::StoreInUse`] if another process writes to the store; [`ExploreError::Store`] and
/// [`ExploreError::Io`] if one of the two files cannot be read or written.
pub fn upgrade(path: &Path) -> Result<Upgrade, ExploreError> {
    let old = Store::open_existing(path)?;
    if old.layout == Layout::Three {
        return Ok(Upgrade::NotNeeded);
    }
    let _lock = StoreLock::take(path, Writers::One)?;
    let beside = beside(path, ".upgrade");
    remove_store(&beside)?;
    let made = (|| {
        let new = Store::open(&beside)?;
        let report = new.merge(&old)?;
        // The last one who closes a store writes its log back and removes it.
        Ok(report.added)
    })();
    drop(old);
    let taken = made.and_then(|points| {
        take_back_log(path)?;
        fs::rename(&beside, path).map_err(|source| ExploreError::Io { path: beside.clone(), source })?;
        Ok(points)
    });
    if taken.is_err() {
        remove_store(&beside)?;
    }
    taken.map(Upgrade::Done)
}

/// Writes what stands in the log into the old store and removes the log, which would be taken for one of the new store.
fn take_back_log(path: &Path) -> Result<(), ExploreError> {
    let store = Store::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    store.leave_log()
}

impl Store {
    /// Ends the write-ahead log, which needs that nobody else has the store open.
    fn leave_log(&self) -> Result<(), ExploreError> {
        let mode = self.connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0));
        let mode: String = mode.map_err(|e| self.failed(&e))?;
        match mode.as_str() {
            "delete" => Ok(()),
            _ => Err(problem(&self.path, ErrorKind::Io, "another process keeps it open")),
        }
    }
}

/// The path with an end more.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(end);
    PathBuf::from(name)
}

/// Removes a store and its log, as far as they are there.
fn remove_store(path: &Path) -> Result<(), ExploreError> {
    for path in [path.to_path_buf(), beside(path, "-wal"), beside(path, "-shm"), beside(path, "-journal")] {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(ExploreError::Io { path, source });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
