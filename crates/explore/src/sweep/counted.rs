//! Points of a plan counted against a store.

use crate::key::PointKey;
use crate::store::{KnownPoints, Status};

/// Where points of a plan stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepStatus {
    /// Points of the plan, or of its shard.
    pub points: usize,
    /// Those that the store has a result of.
    pub done: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that were not run.
    pub open: usize,
}

/// Points that were counted against a store.
#[derive(Default)]
pub(super) struct Counted {
    pub status: SweepStatus,
    /// Numbers of those that were not run.
    pub open: Vec<u64>,
    /// Numbers and keys of those that failed.
    pub failed: Vec<(u64, PointKey)>,
}

impl Counted {
    /// Counts a point by its number and its key.
    pub fn add(&mut self, place: u64, key: PointKey, known: &KnownPoints) {
        self.status.points += 1;
        match known.status(key) {
            Some(Status::Done) => self.status.done += 1,
            Some(Status::Failed) => {
                self.status.failed += 1;
                self.failed.push((place, key));
            }
            None => {
                self.status.open += 1;
                self.open.push(place);
            }
        }
    }
}
