//! Stores put together.

use std::collections::HashMap;

use network::ErrorKind;
use rusqlite::types::Value;

use super::bits::without_bits;
use super::columns::{BITS, DETAILS, FIGURES, HARDWARE};
use super::row::{PointCosts, PointRow};
use super::texts::{TextId, list, listed};
use super::{Layout, Store, problem};
use crate::error::ExploreError;
use crate::key::PointKey;

/// What came of putting a store into another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Points that were new.
    pub added: usize,
    /// Points that both had, with the same result.
    pub equal: usize,
}

impl Store {
    /// Adds every point and plan of another store, in one transaction. Names of networks and the version of the program may
    /// differ between equal points; the rest may not.
    ///
    /// Points are copied one after another in the order of keys, so that memory does not grow with their number.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Store`] if a point has another result there; the point is named, and nothing is added.
    pub fn merge(&self, other: &Store) -> Result<MergeReport, ExploreError> {
        self.in_transaction(|| {
            for (digest, plan) in other.plans()? {
                self.insert_plan(&digest, &plan)?;
            }
            match other.layout {
                Layout::One => self.merge_rows(other),
                Layout::Two => self.merge_tables(other),
            }
        })
    }

    /// Adds the points of a store of another layout.
    fn merge_rows(&self, other: &Store) -> Result<MergeReport, ExploreError> {
        let mut report = MergeReport::default();
        other.for_each_row(|row| {
            if self.insert_row(&row).map_err(|e| self.failed(&e))? {
                report.added += 1;
                return Ok(());
            }
            match self.rows_of(&[row.key])?.pop().flatten().is_some_and(|own| agree(&own, &row)) {
                true => report.equal += 1,
                false => return Err(self.differs(other, row.key)),
            }
            Ok::<_, ExploreError>(())
        })?;
        Ok(report)
    }

    /// Adds the rows of a store of the same layout as they are, but for the numbers of texts.
    fn merge_tables(&self, other: &Store) -> Result<MergeReport, ExploreError> {
        let mut report = MergeReport::default();
        let failed = |e: rusqlite::Error| other.failed(&e);
        let has_bits = other.has_bits().map_err(failed)?;
        let mut copy = Copy { from: other, has_bits, to: self, numbers: HashMap::new() };
        let _moment = other.connection.unchecked_transaction().map_err(failed)?;
        let sql = format!("SELECT {FIGURES} FROM point_figures ORDER BY key");
        let mut statement = other.connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let key = PointKey(row.get(0).map_err(failed)?);
            let figures = copy.row(&FIGURES_TABLE, row).map_err(failed)?;
            if copy.point(key, &figures).map_err(|e| self.failed(&e))? {
                report.added += 1;
            } else if copy.is_equal(key, &figures).map_err(|e| self.failed(&e))? {
                report.equal += 1;
            } else {
                return Err(self.differs(other, key));
            }
        }
        Ok(report)
    }

    fn differs(&self, other: &Store, key: PointKey) -> ExploreError {
        let label = match other.rows_of(&[key]) {
            Ok(rows) => rows.into_iter().flatten().map(|row| row.configuration.label()).collect::<String>(),
            Err(error) => return error,
        };
        let words = format!("point {key} ({label}) has another result in {}", self.path.display());
        problem(&other.path, ErrorKind::BadArgument, words)
    }
}

/// A table, and which of its columns are numbers of texts or lists of them.
struct Table {
    name: &'static str,
    columns: &'static str,
    texts: &'static [usize],
    lists: &'static [usize],
}

const FIGURES_TABLE: Table = Table { name: "point_figures", columns: FIGURES, texts: &[3], lists: &[] };
const DETAILS_TABLE: Table =
    Table { name: "point_details", columns: DETAILS, texts: &[1, 2, 4, 6, 7], lists: &[3, 5, 8] };
/// Its columns, which have no numbers of texts, are copied as they are.
const BITS_TABLE: Table = Table { name: "point_bits", columns: BITS, texts: &[], lists: &[] };
const HARDWARE_TABLE: Table = Table { name: "hardware_figures", columns: HARDWARE, texts: &[2, 3, 4], lists: &[] };
/// The network's name among the columns of `point_figures`, and effective MACs, which old stores lack.
const NETWORK: usize = 3;
const EFFECTIVE_MACS: usize = 18;
/// The version of the program among the columns of `point_details`.
const VERSION: usize = 1;

/// Rows on their way from one store to another.
struct Copy<'a> {
    from: &'a Store,
    /// Whether `from` has the table of bits; `to`, which is written, has it.
    has_bits: bool,
    to: &'a Store,
    /// Numbers that texts have in `to`, by those that they have in `from`.
    numbers: HashMap<TextId, TextId>,
}

impl Copy<'_> {
    /// Adds a point whose figures are given; `false` where the store has it.
    fn point(&mut self, key: PointKey, figures: &[Value]) -> rusqlite::Result<bool> {
        let added = self.to.insert_values(FIGURES_TABLE.name, FIGURES_TABLE.columns, figures)?;
        if added {
            for table in self.tables() {
                for values in self.theirs(table, key)? {
                    self.to.insert_values(table.name, table.columns, &values)?;
                }
            }
        }
        Ok(added)
    }

    /// The tables that are copied beside that of figures.
    fn tables(&self) -> impl Iterator<Item = &'static Table> + use<> {
        [&DETAILS_TABLE, &HARDWARE_TABLE].into_iter().chain(self.has_bits.then_some(&BITS_TABLE))
    }

    /// Whether both stores have the same of a point.
    fn is_equal(&mut self, key: PointKey, figures: &[Value]) -> rusqlite::Result<bool> {
        let own = rows(self.to, &FIGURES_TABLE, key)?;
        let is_missing = |values: &[Value]| values[EFFECTIVE_MACS] == Value::Null;
        let lacks = own.first().is_some_and(|own| is_missing(own)) || is_missing(figures);
        let theirs = [figures.to_vec()];
        let passed: &[usize] = if lacks { &[NETWORK, EFFECTIVE_MACS] } else { &[NETWORK] };
        if !same(&own, &theirs, passed) {
            return Ok(false);
        }
        let (own, theirs) = (rows(self.to, &DETAILS_TABLE, key)?, self.theirs(&DETAILS_TABLE, key)?);
        Ok(same(&own, &theirs, &[VERSION])
            && same(&rows(self.to, &HARDWARE_TABLE, key)?, &self.theirs(&HARDWARE_TABLE, key)?, &[])
            && self.has_equal_bits(key)?)
    }

    /// Whether the bits of a point are the same, as far as both stores have them.
    fn has_equal_bits(&mut self, key: PointKey) -> rusqlite::Result<bool> {
        if !self.has_bits {
            return Ok(true);
        }
        let (own, theirs) = (rows(self.to, &BITS_TABLE, key)?, self.theirs(&BITS_TABLE, key)?);
        Ok(own.is_empty() || theirs.is_empty() || same(&own, &theirs, &[]))
    }

    /// The rows of a table that the other store has of a point, with the numbers that their texts have here.
    fn theirs(&mut self, table: &Table, key: PointKey) -> rusqlite::Result<Vec<Vec<Value>>> {
        let from = self.from;
        let mut statement = from.connection.prepare_cached(&of_key(table))?;
        let mut rows = statement.query([key.0])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(self.row(table, row)?);
        }
        Ok(all)
    }

    fn row(&mut self, table: &Table, row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<Value>> {
        let mut values = values(row)?;
        for &place in table.texts {
            if let Value::Integer(id) = values[place] {
                values[place] = Value::Integer(self.number(id)?);
            }
        }
        for &place in table.lists {
            if let Value::Text(text) = &values[place] {
                let ids = listed(text).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
                let ids = ids.into_iter().map(|id| self.number(id)).collect::<rusqlite::Result<Vec<_>>>()?;
                values[place] = Value::Text(list(&ids));
            }
        }
        Ok(values)
    }

    fn number(&mut self, id: TextId) -> rusqlite::Result<TextId> {
        if let Some(number) = self.numbers.get(&id) {
            return Ok(*number);
        }
        let text = self.from.texts.text(&self.from.connection, id)?;
        let number = self.to.id(&text)?;
        self.numbers.insert(id, number);
        Ok(number)
    }
}

fn of_key(table: &Table) -> String {
    format!("SELECT {} FROM {} WHERE key = ?", table.columns, table.name)
}

/// The rows of a table that a store has of a point. Those of hardware are in the order of positions, as the table is.
fn rows(store: &Store, table: &Table, key: PointKey) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = store.connection.prepare_cached(&of_key(table))?;
    statement.query_map([key.0], values)?.collect()
}

fn values(row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<Value>> {
    (0..row.as_ref().column_count()).map(|place| row.get(place)).collect()
}

/// Whether rows are equal but for these columns.
fn same(a: &[Vec<Value>], b: &[Vec<Value>], but: &[usize]) -> bool {
    let equal =
        |a: &[Value], b: &[Value]| a.iter().zip(b).enumerate().all(|(place, (a, b))| but.contains(&place) || a == b);
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
}

fn agree(a: &PointRow, b: &PointRow) -> bool {
    a.configuration == b.configuration
        && a.error == b.error
        && a.notes == b.notes
        && same_costs(a.costs.as_ref(), b.costs.as_ref())
        && a.accuracy == b.accuracy
}

/// Whether two costs are the same, as far as both have each of them: an old store lacks effective MACs and bits.
fn same_costs(a: Option<&PointCosts>, b: Option<&PointCosts>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
    let has_bits = a.bits.is_some() && b.bits.is_some();
    let compared = |costs: &PointCosts| if has_bits { costs.clone() } else { without_bits(costs) };
    let (a, b) = (&compared(a), &compared(b));
    match (a.effective_macs, b.effective_macs) {
        (Some(_), Some(_)) | (None, None) => a == b,
        (effective_macs, None) => *a == PointCosts { effective_macs, ..b.clone() },
        (None, effective_macs) => PointCosts { effective_macs, ..a.clone() } == *b,
    }
}
