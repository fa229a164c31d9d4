//! Points of a store, all or some.

use std::collections::HashSet;

use super::{PointFigures, PointSummary, Store};
use crate::error::ExploreError;
use crate::key::PointKey;

/// The points of a store that somebody looks at.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// The store.
    pub store: &'a Store,
    /// Their keys; none for every point.
    pub only: Option<&'a HashSet<PointKey>>,
}

impl<'a> Points<'a> {
    /// Every point of a store.
    pub fn all(store: &'a Store) -> Self {
        Self { store, only: None }
    }

    fn has(&self, key: PointKey) -> bool {
        self.only.is_none_or(|only| only.contains(&key))
    }

    /// As [`Store::for_each_figures`].
    ///
    /// # Errors
    ///
    /// Those of reading the store, and the first one of `each`.
    pub fn for_each_figures<E: From<ExploreError>>(
        &self,
        mut each: impl FnMut(PointFigures) -> Result<(), E>,
    ) -> Result<(), E> {
        self.store.for_each_figures(|point| if self.has(point.key) { each(point) } else { Ok(()) })
    }

    /// As [`Store::for_each_summary`].
    ///
    /// # Errors
    ///
    /// Those of reading the store, and the first one of `each`.
    pub fn for_each_summary<E: From<ExploreError>>(
        &self,
        mut each: impl FnMut(PointSummary) -> Result<(), E>,
    ) -> Result<(), E> {
        self.store.for_each_summary(|point| if self.has(point.figures.key) { each(point) } else { Ok(()) })
    }
}
