//! The keys that a store has.

use super::row::Status;
use crate::key::PointKey;

/// Which points a store has, and how each ended: 16 bytes a point.
///
/// Keys are sorted, and a key is found by halving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPoints {
    done: Vec<PointKey>,
    failed: Vec<PointKey>,
}

impl KnownPoints {
    /// Adds a point. Points come in the order of keys.
    pub(super) fn push(&mut self, key: PointKey, failed: bool) {
        if failed { self.failed.push(key) } else { self.done.push(key) }
    }

    /// How a point ended; none where the store does not have it.
    pub fn status(&self, key: PointKey) -> Option<Status> {
        let among = |keys: &[PointKey]| keys.binary_search(&key).is_ok();
        match (among(&self.done), among(&self.failed)) {
            (true, _) => Some(Status::Done),
            (false, true) => Some(Status::Failed),
            (false, false) => None,
        }
    }

    /// Whether the store has a point.
    pub fn contains(&self, key: PointKey) -> bool {
        self.status(key).is_some()
    }

    /// Keys of the points that are done, sorted.
    pub fn done(&self) -> &[PointKey] {
        &self.done
    }

    /// Keys of the points that failed, sorted.
    pub fn failed(&self) -> &[PointKey] {
        &self.failed
    }
}
