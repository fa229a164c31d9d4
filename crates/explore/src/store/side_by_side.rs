//! Rows of hardware, read side by side with those of points.

use rusqlite::{Row, Rows};

use super::columns::Wrong;
use super::row::HardwareRow;
use crate::key::PointKey;

/// Rows of hardware in the order of keys, each read by `read`.
pub(super) struct HardwareRows<'a, R> {
    rows: Rows<'a>,
    read: R,
    /// The row that was read last and belongs to a later point.
    ahead: Option<(PointKey, HardwareRow)>,
}

impl<'a, R: Fn(&Row<'_>) -> Result<(PointKey, HardwareRow), Wrong>> HardwareRows<'a, R> {
    pub fn new(rows: Rows<'a>, read: R) -> Self {
        Self { rows, read, ahead: None }
    }

    /// Those of the next point, which has this key and so many images with labels.
    pub fn of(&mut self, key: PointKey, labelled: u64) -> Result<Vec<HardwareRow>, Wrong> {
        let mut own = Vec::new();
        loop {
            match self.ahead.take() {
                Some((of, mut row)) if of == key => {
                    row.score.iter_mut().for_each(|score| score.labelled = labelled);
                    own.push(row);
                }
                Some(later) if later.0 > key => {
                    self.ahead = Some(later);
                    return Ok(own);
                }
                Some(_) | None => {}
            }
            let Some(row) = self.rows.next().map_err(|e| e.to_string())? else { return Ok(own) };
            self.ahead = Some((self.read)(row)?);
        }
    }
}
