//! Texts that many points have in common. A store keeps each once, and points refer to it by a number.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

/// The number of a text in one store.
pub(super) type TextId = i64;

/// How many texts are kept in memory. Points that differ have few texts of their own, so that most are found here.
const KEPT: usize = 16_384;

/// Texts of a store that were used lately.
#[derive(Debug, Default)]
pub(super) struct Texts {
    by_id: RefCell<HashMap<TextId, Arc<str>>>,
    ids: RefCell<HashMap<Arc<str>, TextId>>,
}

impl Texts {
    /// The text of a number.
    pub fn text(&self, connection: &Connection, id: TextId) -> rusqlite::Result<Arc<str>> {
        if let Some(text) = self.by_id.borrow().get(&id) {
            return Ok(Arc::clone(text));
        }
        let mut statement = connection.prepare_cached("SELECT text FROM texts WHERE id = ?")?;
        let text: Arc<str> = statement.query_row([id], |row| row.get::<_, String>(0))?.into();
        let mut by_id = self.by_id.borrow_mut();
        if by_id.len() >= KEPT {
            by_id.clear();
        }
        by_id.insert(id, Arc::clone(&text));
        Ok(text)
    }

    /// The number of a text, which is added where the store does not have it. Called within a transaction that may write.
    pub fn id(&self, connection: &Connection, text: &str) -> rusqlite::Result<TextId> {
        if let Some(id) = self.ids.borrow().get(text) {
            return Ok(*id);
        }
        let id = match find(connection, text)? {
            Some(id) => id,
            None => {
                let mut statement = connection.prepare_cached("INSERT INTO texts (hash, text) VALUES (?, ?)")?;
                statement.insert(params![hash(text), text])?
            }
        };
        let mut ids = self.ids.borrow_mut();
        if ids.len() >= KEPT {
            ids.clear();
        }
        ids.insert(text.into(), id);
        Ok(id)
    }

    /// Forgets the numbers that a transaction gave which was taken back.
    pub fn forget(&self) {
        self.ids.borrow_mut().clear();
        self.by_id.borrow_mut().clear();
    }
}

fn find(connection: &Connection, text: &str) -> rusqlite::Result<Option<TextId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM texts WHERE hash = ? AND text = ?")?;
    statement.query_row(params![hash(text), text], |row| row.get(0)).optional()
}

fn hash(text: &str) -> i64 {
    let digest = Sha256::digest(text.as_bytes());
    i64::from_be_bytes(digest[..8].try_into().expect("eight of 32 bytes"))
}

/// A list of numbers as the store has it: `[4,9,10]`.
pub(super) fn list(ids: &[TextId]) -> String {
    serde_json::to_string(ids).expect("integers have a JSON form")
}

/// The numbers of a list.
pub(super) fn listed(list: &str) -> Result<Vec<TextId>, serde_json::Error> {
    if list == "[]" { Ok(Vec::new()) } else { serde_json::from_str(list) }
}
