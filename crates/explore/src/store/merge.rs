//! Stores put together.

use std::collections::HashMap;

use network::ErrorKind;
use rusqlite::types::Value;

use super::columns::{DETAILS, FIGURES, HARDWARE};
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
                Layout::Two | Layout::Three => self.merge_tables(other),
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

    /// Adds the rows of a store that keeps texts once as they are, but for the numbers of texts.
    fn merge_tables(&self, other: &Store) -> Result<MergeReport, ExploreError> {
        let mut report = MergeReport::default();
        let failed = |e: rusqlite::Error| other.failed(&e);
        let mut copy = Copy { from: other, to: self, numbers: HashMap::new() };
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

/// A table, and what is to be known of its columns.
struct Table {
    name: &'static str,
    columns: &'static str,
    /// Those that are numbers of texts.
    texts: &'static [usize],
    /// Those that are lists of such numbers.
    lists: &'static [usize],
    /// Those in which equal points may differ.
    free: &'static [usize],
    /// Those that points out of old stores lack. Points are equal where one of the two lacks them.
    later: &'static [usize],
}

/// The network's name is free. Effective MACs and bits came later.
const FIGURES_TABLE: Table = Table {
    name: "point_figures",
    columns: FIGURES,
    texts: &[3],
    lists: &[],
    free: &[3],
    later: &[18, 25, 26, 27, 28, 29, 30],
};
/// The version of the program is free.
const DETAILS_TABLE: Table = Table {
    name: "point_details",
    columns: DETAILS,
    texts: &[1, 2, 4, 6, 7],
    lists: &[3, 5, 8],
    free: &[1],
    later: &[],
};
/// What an energy is spent on came later.
const HARDWARE_TABLE: Table = Table {
    name: "hardware_figures",
    columns: HARDWARE,
    texts: &[2, 3, 4],
    lists: &[],
    free: &[],
    later: &[12, 13, 14],
};

/// Rows on their way from one store to another.
struct Copy<'a> {
    from: &'a Store,
    to: &'a Store,
    /// Numbers that texts have in `to`, by those that they have in `from`.
    numbers: HashMap<TextId, TextId>,
}

impl Copy<'_> {
    /// Adds a point whose figures are given; `false` where the store has it.
    fn point(&mut self, key: PointKey, figures: &[Value]) -> rusqlite::Result<bool> {
        let added = self.to.insert_values(FIGURES_TABLE.name, FIGURES_TABLE.columns, figures)?;
        if added {
            for table in [&DETAILS_TABLE, &HARDWARE_TABLE] {
                for values in self.theirs(table, key)? {
                    self.to.insert_values(table.name, table.columns, &values)?;
                }
            }
        }
        Ok(added)
    }

    /// Whether both stores have the same of a point.
    fn is_equal(&mut self, key: PointKey, figures: &[Value]) -> rusqlite::Result<bool> {
        if !FIGURES_TABLE.same(&rows(self.to, &FIGURES_TABLE, key)?, &[figures.to_vec()]) {
            return Ok(false);
        }
        for table in [&DETAILS_TABLE, &HARDWARE_TABLE] {
            if !table.same(&rows(self.to, table, key)?, &self.theirs(table, key)?) {
                return Ok(false);
            }
        }
        Ok(true)
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

impl Table {
    /// Whether rows of this table are equal, as far as equal points have them equal.
    fn same(&self, a: &[Vec<Value>], b: &[Vec<Value>]) -> bool {
        let equal = |(place, (a, b)): (usize, (&Value, &Value))| {
            let lacks = self.later.contains(&place) && [a, b].contains(&&Value::Null);
            lacks || self.free.contains(&place) || a == b
        };
        let equal_rows = |(a, b): (&Vec<Value>, &Vec<Value>)| a.iter().zip(b).enumerate().all(equal);
        a.len() == b.len() && a.iter().zip(b).all(equal_rows)
    }
}

fn agree(a: &PointRow, b: &PointRow) -> bool {
    a.configuration == b.configuration
        && a.error == b.error
        && a.notes == b.notes
        && same_costs(a.costs.as_ref(), b.costs.as_ref())
        && a.accuracy == b.accuracy
}

/// Whether two costs are the same, as far as both have each of them: an old store lacks some.
fn same_costs(a: Option<&PointCosts>, b: Option<&PointCosts>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
    in_common(a, b) == in_common(b, a)
}

/// Costs without those that the other costs lack.
fn in_common(costs: &PointCosts, other: &PointCosts) -> PointCosts {
    let mut common = costs.clone();
    common.effective_macs = costs.effective_macs.filter(|_| other.effective_macs.is_some());
    common.bits = costs.bits.filter(|_| other.bits.is_some());
    for (row, other) in common.hardware.iter_mut().zip(&other.hardware) {
        row.spent = row.spent.filter(|_| other.spent.is_some());
    }
    common
}
