//! Words for configurations that were asked for lately: making them reads JSON.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::parts::Parts;
use super::texts::TextId;

/// How many are kept.
const KEPT: usize = 4096;

/// Words by the configurations that they are for. A store never changes a text that has a number.
#[derive(Debug, Default)]
pub(super) struct Labels(RefCell<HashMap<Parts<TextId>, Arc<str>>>);

impl Labels {
    /// The words for a configuration, made where they are not kept.
    pub fn of<E>(&self, parts: &Parts<TextId>, make: impl FnOnce() -> Result<Arc<str>, E>) -> Result<Arc<str>, E> {
        if let Some(words) = self.0.borrow().get(parts) {
            return Ok(Arc::clone(words));
        }
        let words = make()?;
        let mut kept = self.0.borrow_mut();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(parts.clone(), Arc::clone(&words));
        Ok(words)
    }

    /// Forgets words for texts of a transaction that was taken back: their numbers are given again.
    pub fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}
