//! Words for configurations that were asked for lately: making them reads JSON.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::columns::Text;

/// How many are kept.
const KEPT: usize = 4096;

/// Words by the texts that they are made of. Texts are told apart by where they lie, which the entry keeps them at.
#[derive(Debug, Default)]
pub(super) struct Labels(RefCell<HashMap<Vec<usize>, (Vec<Option<Text>>, Arc<str>)>>);

impl Labels {
    /// The words for these texts, made where they are not kept.
    pub fn of<'t, E>(
        &self,
        texts: impl Iterator<Item = Option<&'t Text>>,
        make: impl FnOnce() -> Result<Arc<str>, E>,
    ) -> Result<Arc<str>, E> {
        let texts: Vec<Option<&Text>> = texts.collect();
        let places: Vec<usize> =
            texts.iter().map(|text| text.map_or(0, |text| Arc::as_ptr(text).cast::<u8>() as usize)).collect();
        if let Some((_, label)) = self.0.borrow().get(&places) {
            return Ok(Arc::clone(label));
        }
        let label = make()?;
        let mut kept = self.0.borrow_mut();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(places, (texts.into_iter().map(Option::<&Text>::cloned).collect(), Arc::clone(&label)));
        Ok(label)
    }
}
