//! Results of sweeps in one SQLite file. `docs/sweep.md` documents its tables.
//!
//! The main type is [`Store`]. The rows of a point are written in one transaction, and the store has no other state: a
//! process that is killed loses points and nothing else. A [`GroupWriter`] writes the points of half a second in one
//! transaction, because syncing the disk takes longer than a small point. So a kill loses the points that were running,
//! and those that were done within the last second. The journal is a write-ahead log that is synced at every commit, so
//! that the same holds for a machine that loses power.
//!
//! A text is kept once and referred to by a number: descriptions of hardware, the options of a pruning, notes. What a
//! frontier is made of stands in narrow tables. Tables are in the order of keys, so that whoever reads, merges or draws a
//! store goes from one end to the other and keeps no more of it in memory than the result.
//!
//! A sweep over the whole plan holds an exclusive lock on a file beside the store, shards hold a shared one, so that
//! two processes never compute the same points. The system takes the lock back from a process that dies.

mod columns;
mod group;
mod known;
mod labels;
mod layout1;
mod layout2;
mod lock;
mod made;
mod merge;
mod parts;
mod place;
mod points;
mod read;
mod row;
mod rows;
mod side_by_side;
mod texts;
mod upgrade;
mod write;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use network::ErrorKind;
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use group::GroupWriter;
pub use known::KnownPoints;
pub use lock::{StoreLock, Writers};
pub use merge::MergeReport;
use place::a_folder;
pub use place::{check_place, shared_file_system};
pub use points::Points;
pub use row::{HardwareRow, PointAccuracy, PointCosts, PointFigures, PointRow, PointSummary, Spent, Status};
pub use upgrade::{Upgrade, upgrade};

use crate::error::ExploreError;

/// Marks a file as a store of this program: "ESNS".
const APPLICATION_ID: i32 = 0x4553_4e53;
/// How long a writer waits for another. Merging a large store into this one is one transaction of up to a minute.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a writer waits between tries where SQLite does not wait by itself.
const PAUSE: Duration = Duration::from_millis(10);

/// Pages of the log after which it is written back, 32 MiB: pages that several groups changed are then written back once.
const LOG_PAGES: i32 = 8192;
/// KiB of pages that a connection keeps, as SQLite takes them: negative.
const CACHE_KIB: i32 = -32_768;
/// Statements that a connection keeps ready.
const STATEMENTS: usize = 32;
/// Up to this size a store is searched for damage when it is opened. In a larger one damage is found where it is read.
const CHECKED_BYTES: u64 = 64 << 20;

/// Layout of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Every point with all its texts. It is read, and no longer written.
    One,
    /// Texts are kept once. It is read, and no longer written.
    Two,
    /// With bits, and with what energies are spent on: `schema.sql`.
    Three,
}

impl Layout {
    /// The layout that is written.
    const NOW: i32 = 3;

    fn of(version: i32) -> Option<Self> {
        match version {
            1 => Some(Layout::One),
            2 => Some(Layout::Two),
            3 => Some(Layout::Three),
            _ => None,
        }
    }
}

/// A file of results.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    layout: Layout,
    texts: texts::Texts,
    labels: labels::Labels,
}

impl Store {
    /// Opens a store for writing, and makes it where there is no file.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Store`] names the file if it is no store, a store of another version, damaged, or cannot be
    /// written; [`ExploreError::OldStore`] if it has to be upgraded first.
    pub fn open(path: &Path) -> Result<Self, ExploreError> {
        check_place(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self::connect(path, flags)?;
        store.create_patiently().map_err(|e| store.failed(&e))?;
        store.check()?;
        store.check_written()?;
        Ok(store)
    }

    /// Refuses a store that is only read.
    ///
    /// # Errors
    ///
    /// [`ExploreError::OldStore`].
    pub fn check_written(&self) -> Result<(), ExploreError> {
        match self.layout {
            Layout::One => Err(ExploreError::OldStore { path: self.path.clone(), layout: 1 }),
            Layout::Two => Err(ExploreError::OldStore { path: self.path.clone(), layout: 2 }),
            Layout::Three => Ok(()),
        }
    }

    /// Opens a store that exists and only reads it.
    ///
    /// # Errors
    ///
    /// As [`Store::open`], and if there is no file.
    pub fn open_existing(path: &Path) -> Result<Self, ExploreError> {
        // SQLite would call a missing file, and a folder, one that cannot be opened.
        let file = std::fs::metadata(path).map_err(|source| ExploreError::Io { path: path.to_path_buf(), source })?;
        if file.is_dir() {
            return Err(a_folder(path));
        }
        let reading = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self::connect(path, reading)?;
        let unfinished = store.tables().is_err_and(|e| e.sqlite_error_code() == Some(ErrorCode::ReadOnly));
        if unfinished {
            Self::recover(path)?;
            store = Self::connect(path, reading)?;
        }
        store.check()?;
        Ok(store)
    }

    /// Takes back what a killed process left half written. SQLite does so when it first reads, if it may write.
    fn recover(path: &Path) -> Result<(), ExploreError> {
        let store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        store.tables().map_err(|e| store.failed(&e))?;
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, ExploreError> {
        let connection = Connection::open_with_flags(path, flags).map_err(|e| describe(path, &e))?;
        connection.busy_timeout(PATIENCE).map_err(|e| describe(path, &e))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let (texts, labels) = (texts::Texts::default(), labels::Labels::default());
        Ok(Self { path: path.to_path_buf(), connection, layout: Layout::Three, texts, labels })
    }

    /// As [`Store::create`]. SQLite does not wait where another process changes the journal of a new database at the
    /// same time, but says at once that it is busy.
    fn create_patiently(&self) -> rusqlite::Result<()> {
        let start = Instant::now();
        loop {
            match self.create() {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && start.elapsed() < PATIENCE =>
                {
                    std::thread::sleep(PAUSE);
                }
                result => return result,
            }
        }
    }

    /// Makes the tables where the database is empty, in one transaction: a kill leaves an empty database.
    fn create(&self) -> rusqlite::Result<()> {
        if self.pragma("application_id")? == 0 && self.tables()? == 0 {
            let _: String = self.connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            // Another process may have been faster.
            if self.tables()? == 0 {
                self.connection.execute_batch(include_str!("schema.sql"))?;
                self.connection.pragma_update(None, "application_id", APPLICATION_ID)?;
                self.connection.pragma_update(None, "user_version", Layout::NOW)?;
            }
            self.connection.execute_batch("COMMIT")?;
        }
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        self.connection.pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |_| Ok(()))
    }

    fn tables(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
    }

    fn pragma(&self, name: &str) -> rusqlite::Result<i32> {
        self.connection.pragma_query_value(None, name, |row| row.get(0))
    }

    /// Refuses files that are no store, and notes the layout.
    fn check(&mut self) -> Result<(), ExploreError> {
        let failed = |e: rusqlite::Error| self.failed(&e);
        if self.pragma("application_id").map_err(failed)? != APPLICATION_ID {
            let found = match std::fs::metadata(&self.path) {
                Ok(file) if file.len() == 0 => "an empty file",
                Ok(_) | Err(_) => "an SQLite database of another program",
            };
            let words = format!("expected a store, which a sweep writes; found {found}");
            return Err(problem(&self.path, ErrorKind::InvalidFile, words));
        }
        let version = self.pragma("user_version").map_err(failed)?;
        let Some(layout) = Layout::of(version) else {
            let words = format!("a store of layout {version}; this program knows 1 to {}", Layout::NOW);
            return Err(problem(&self.path, ErrorKind::Unsupported, words));
        };
        if std::fs::metadata(&self.path).map_or(0, |file| file.len()) <= CHECKED_BYTES {
            self.search_for_damage()?;
        }
        if layout == Layout::Two {
            self.show_layout_2_as_today().map_err(failed)?;
        }
        self.layout = layout;
        Ok(())
    }

    fn search_for_damage(&self) -> Result<(), ExploreError> {
        let verdict: String =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|e| self.failed(&e))?;
        match verdict.as_str() {
            "ok" => Ok(()),
            found => {
                let words = format!("damaged: {}", found.replace('\n', "; "));
                Err(problem(&self.path, ErrorKind::InvalidFile, words))
            }
        }
    }

    fn failed(&self, error: &rusqlite::Error) -> ExploreError {
        describe(&self.path, error)
    }
}

fn problem(path: &Path, kind: ErrorKind, problem: impl Into<String>) -> ExploreError {
    ExploreError::Store { path: path.to_path_buf(), problem: problem.into(), kind }
}

fn describe(path: &Path, error: &rusqlite::Error) -> ExploreError {
    let (kind, words) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            let words = "expected a store, which a sweep writes; found a file that is no SQLite database";
            (ErrorKind::InvalidFile, words.to_string())
        }
        Some(ErrorCode::DatabaseCorrupt) => (ErrorKind::InvalidFile, format!("damaged: {error}")),
        Some(ErrorCode::DatabaseBusy) => (ErrorKind::Io, "another process keeps it locked".to_string()),
        _ => (ErrorKind::Io, error.to_string()),
    };
    problem(path, kind, words)
}

#[cfg(test)]
mod tests;
