//! Results of sweeps in one SQLite file. `docs/sweep.md` documents its tables.
//!
//! The main type is [`Store`]. A row is written whole, in one transaction, when its point is done, and the store has no
//! other state: a process that is killed loses the points that it was working on and nothing else. The journal is a
//! write-ahead log that is synced at every commit, so that the same holds for a machine that loses power. One sync
//! takes far less time than a point.
//!
//! A sweep over the whole plan holds an exclusive lock on a file beside the store, shards hold a shared one, so that
//! two processes never compute the same points. The system takes the lock back from a process that dies.

mod lock;
mod merge;
mod read;
mod row;
mod write;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use network::ErrorKind;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

pub use lock::{StoreLock, Writers};
pub use merge::MergeReport;
pub use row::{HardwareRow, PointAccuracy, PointCosts, PointRow, Status};

use crate::error::ExploreError;

/// Marks a file as a store of this program: "ESNS".
const APPLICATION_ID: i32 = 0x4553_4e53;
/// Layout of the tables. The number is raised when they change.
const LAYOUT: i32 = 1;
/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a writer waits between tries where SQLite does not wait by itself.
const PAUSE: Duration = Duration::from_millis(10);

/// A file of results.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Opens a store for writing, and makes it where there is no file.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Store`] names the file if it is no store, a store of another version, damaged, or cannot be
    /// written.
    pub fn open(path: &Path) -> Result<Self, ExploreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::connect(path, flags)?;
        store.create_patiently().map_err(|e| store.failed(&e))?;
        store.check()?;
        store.add_effective_macs().map_err(|e| store.failed(&e))?;
        Ok(store)
    }

    /// Opens a store that exists and only reads it.
    ///
    /// # Errors
    ///
    /// As [`Store::open`], and if there is no file.
    pub fn open_existing(path: &Path) -> Result<Self, ExploreError> {
        // SQLite would call a missing file one that cannot be opened.
        std::fs::metadata(path).map_err(|source| ExploreError::Io { path: path.to_path_buf(), source })?;
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
        Ok(Self { path: path.to_path_buf(), connection })
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
        if self.pragma("application_id")? != 0 || self.tables()? > 0 {
            return self.connection.pragma_update(None, "synchronous", "FULL");
        }
        let _: String = self.connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        // Another process may have been faster.
        if self.tables()? == 0 {
            self.connection.execute_batch(include_str!("schema.sql"))?;
            self.connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            self.connection.pragma_update(None, "user_version", LAYOUT)?;
        }
        self.connection.execute_batch("COMMIT")
    }

    /// Whether points have their effective MACs: a store that was made before these were counted has no such column.
    fn has_effective_macs(&self) -> rusqlite::Result<bool> {
        let sql = "SELECT count(*) FROM pragma_table_info('points') WHERE name = 'effective_macs'";
        let columns: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(columns > 0)
    }

    /// Gives an old store the column. Points that it has stay without a value.
    fn add_effective_macs(&self) -> rusqlite::Result<()> {
        if self.has_effective_macs()? {
            return Ok(());
        }
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if !self.has_effective_macs()? {
            transaction.execute("ALTER TABLE points ADD COLUMN effective_macs TEXT", [])?;
        }
        transaction.commit()
    }

    fn tables(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
    }

    fn pragma(&self, name: &str) -> rusqlite::Result<i32> {
        self.connection.pragma_query_value(None, name, |row| row.get(0))
    }

    /// Refuses files that are no store.
    fn check(&self) -> Result<(), ExploreError> {
        let failed = |e: rusqlite::Error| self.failed(&e);
        if self.pragma("application_id").map_err(failed)? != APPLICATION_ID {
            return Err(problem(&self.path, ErrorKind::InvalidFile, "an SQLite database, but not a store of esnsim"));
        }
        let layout = self.pragma("user_version").map_err(failed)?;
        if layout != LAYOUT {
            let words = format!("a store of layout {layout}; this program knows {LAYOUT}");
            return Err(problem(&self.path, ErrorKind::Unsupported, words));
        }
        let verdict: String =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
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
            (ErrorKind::InvalidFile, "not a store: the file is no SQLite database".to_string())
        }
        Some(ErrorCode::DatabaseCorrupt) => (ErrorKind::InvalidFile, format!("damaged: {error}")),
        Some(ErrorCode::DatabaseBusy) => (ErrorKind::Io, "another process keeps it locked".to_string()),
        _ => (ErrorKind::Io, error.to_string()),
    };
    problem(path, kind, words)
}

#[cfg(test)]
mod tests;
