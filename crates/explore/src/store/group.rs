//! Rows that are written in groups: one sync of the disk for all points of half a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{PointRow, Store};
use crate::error::ExploreError;

/// How long a row waits for others. What is done is durable within a second: this long, and as long as writing takes.
const PATIENCE: Duration = Duration::from_millis(500);
/// Rows that are written at once, however soon they came.
const GROUP: usize = 4096;

/// Writes rows into a store soon after they come.
///
/// A row is written at once where the last group is older than half a second, as it is where points take that long. Else
/// it waits for others until then. Its owner calls [`GroupWriter::flush`] when [`GroupWriter::due_in`] has passed and when
/// all is done. Rows that wait are written when the writer is dropped, also by unwinding; a killed process loses them,
/// and their points run again.
#[derive(Debug)]
pub struct GroupWriter<'a> {
    store: &'a Store,
    waiting: Vec<Arc<PointRow>>,
    /// When the last group was written.
    written: Option<Instant>,
}

impl<'a> GroupWriter<'a> {
    /// A writer without rows.
    pub fn new(store: &'a Store) -> Self {
        Self { store, waiting: Vec::new(), written: None }
    }

    /// Takes a row. A point that the store has already keeps the result that it has.
    ///
    /// # Errors
    ///
    /// Those of [`Store::insert_all`].
    pub fn insert(&mut self, row: Arc<PointRow>) -> Result<(), ExploreError> {
        self.waiting.push(row);
        let is_due = self.due_in().is_some_and(|wait| wait.is_zero());
        if is_due || self.waiting.len() >= GROUP { self.flush() } else { Ok(()) }
    }

    /// How long rows may wait before they must be written; none where no row waits.
    pub fn due_in(&self) -> Option<Duration> {
        let since = self.written.map_or(PATIENCE, |written| written.elapsed());
        (!self.waiting.is_empty()).then(|| PATIENCE.saturating_sub(since))
    }

    /// Writes every row that waits.
    ///
    /// # Errors
    ///
    /// As [`GroupWriter::insert`].
    pub fn flush(&mut self) -> Result<(), ExploreError> {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.store.insert_all(waiting.iter().map(AsRef::as_ref))?;
            self.written = Some(Instant::now());
        }
        Ok(())
    }
}

impl Drop for GroupWriter<'_> {
    fn drop(&mut self) {
        // Whoever wants to know calls `flush`; here another error is on its way, or somebody stopped the run.
        let _ = self.flush();
    }
}
