//! Words for configurations that were asked for lately: making them reads JSON.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::columns::Text;

/// How many are kept.
const KEPT: usize = 4096;

/// Words by the texts that they are made of. Texts are told apart by where they lie, which the entry keeps them at.
#[derive(Debug, Default)]
pub(super) struct Labels(RefCell<HashMap<Vec<usize>, Label>>);

/// The words for some texts.
#[derive(Debug)]
struct Label {
    /// Kept so that nothing else comes to lie where they are.
    _texts: Vec<Option<Text>>,
    words: Arc<str>,
}

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
        if let Some(label) = self.0.borrow().get(&places) {
            return Ok(Arc::clone(&label.words));
        }
        let words = make()?;
        let mut kept = self.0.borrow_mut();
        if kept.len() >= KEPT {
            kept.clear();
        }
        let _texts = texts.into_iter().map(Option::<&Text>::cloned).collect();
        kept.insert(places, Label { _texts, words: Arc::clone(&words) });
        Ok(words)
    }
}
