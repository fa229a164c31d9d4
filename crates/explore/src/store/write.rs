//! Rows into the store.

use rusqlite::{OptionalExtension, ToSql, Transaction, TransactionBehavior, params, params_from_iter};

use super::Store;
use super::row::{HardwareRow, PointCosts, PointRow};
use crate::error::ExploreError;

/// Columns of the table `points`, in the order in which a row is written and read.
pub(super) const POINT_COLUMNS: &str = "key, status, error, version, network, configuration, notes, weights, nonzero, \
     filters, live_filters, macs, weights_alive, macs_alive, esn_a, esn_d, esn_a_macs, esn_d_macs, esn_d_filter, \
     max_bits, filter_bits, weight_bits, images, labelled, top1, top5, agreement, float_top1, float_top5, effective_macs";

/// Columns of the table `hardware`, in the order in which a row is written and read.
pub(super) const HARDWARE_COLUMNS: &str =
    "name, metric, verdict, cycles, energy_count, energy_j, utilization, top1, top5, agreement";

impl Store {
    /// Writes the result of a point, all its rows in one transaction. Returns `false` where the store has the point
    /// already; the stored point then stays as it is.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Store`] if the file cannot be written; it is then as it was before.
    pub fn insert(&self, row: &PointRow) -> Result<bool, ExploreError> {
        self.try_insert(row).map_err(|e| self.failed(&e))
    }

    fn try_insert(&self, row: &PointRow) -> rusqlite::Result<bool> {
        // The connection is not used again before the transaction ends, and dropping one rolls it back.
        let transaction = self.connection.unchecked_transaction()?;
        let values = point_values(row);
        let marks = vec!["?"; values.len()].join(", ");
        let sql = format!("INSERT INTO points ({POINT_COLUMNS}) VALUES ({marks}) ON CONFLICT DO NOTHING");
        let inserted = transaction.prepare(&sql)?.execute(params_from_iter(values.iter()))? > 0;
        if inserted {
            let hardware = row.costs.iter().flat_map(|costs| &costs.hardware);
            let sql = format!(
                "INSERT INTO hardware (key, position, {HARDWARE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            );
            let mut statement = transaction.prepare(&sql)?;
            for (position, hardware) in hardware.enumerate() {
                statement.execute(params_from_iter(hardware_values(&row.key, position, hardware).iter()))?;
            }
        }
        transaction.commit()?;
        Ok(inserted)
    }

    /// Removes the rows of points that failed, so that they run again; returns how many there were.
    ///
    /// # Errors
    ///
    /// As [`Store::insert`].
    pub fn remove_failed(&self, keys: &[&str]) -> Result<usize, ExploreError> {
        self.try_remove_failed(keys).map_err(|e| self.failed(&e))
    }

    fn try_remove_failed(&self, keys: &[&str]) -> rusqlite::Result<usize> {
        // It reads before it writes: SQLite would refuse at once, not wait, if another process wrote in between.
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let mut removed = 0;
        for key in keys {
            let sql = "SELECT key FROM points WHERE key = ? AND status = 'failed'";
            let found: Option<String> = transaction.query_row(sql, [key], |row| row.get(0)).optional()?;
            if let Some(key) = found {
                transaction.execute("DELETE FROM hardware WHERE key = ?", [&key])?;
                removed += transaction.execute("DELETE FROM points WHERE key = ?", [&key])?;
            }
        }
        transaction.commit()?;
        Ok(removed)
    }

    /// Keeps a plan beside the results, in its resolved form.
    ///
    /// # Errors
    ///
    /// As [`Store::insert`].
    pub fn insert_plan(&self, digest: &str, plan: &str) -> Result<(), ExploreError> {
        let sql = "INSERT INTO plans (digest, plan) VALUES (?, ?) ON CONFLICT DO NOTHING";
        self.connection.execute(sql, params![digest, plan]).map(|_| ()).map_err(|e| self.failed(&e))
    }
}

type Value = Box<dyn ToSql>;

fn value(value: impl ToSql + 'static) -> Value {
    Box::new(value)
}

fn point_values(row: &PointRow) -> Vec<Value> {
    let json = "strings and finite numbers have a JSON form";
    let mut values = vec![
        value(row.key.clone()),
        value(row.status().name()),
        value(row.error.clone()),
        value(row.version.clone()),
        value(row.network.clone()),
        value(row.configuration.to_json()),
        value(serde_json::to_string(&row.notes).expect(json)),
    ];
    values.extend(cost_values(row.costs.as_ref()));
    let accuracy = row.accuracy.as_ref();
    let count = |of: fn(&super::PointAccuracy) -> Option<u64>| value(accuracy.and_then(of).map(to_i64));
    values.extend([
        count(|a| Some(a.images)),
        count(|a| Some(a.score.labelled)),
        count(|a| Some(a.score.top1)),
        count(|a| a.score.top5),
        count(|a| Some(a.agreement)),
        count(|a| Some(a.float.top1)),
        count(|a| a.float.top5),
        value(row.costs.as_ref().and_then(|costs| costs.effective_macs).map(|macs| macs.to_string())),
    ]);
    values
}

fn cost_values(costs: Option<&PointCosts>) -> Vec<Value> {
    let text = |of: fn(&PointCosts) -> String| value(costs.map(of));
    let counts = |bits: &[u64]| serde_json::to_string(bits).expect("integers have a JSON form");
    vec![
        text(|c| c.weights.to_string()),
        text(|c| c.nonzero.to_string()),
        text(|c| c.filters.to_string()),
        text(|c| c.live_filters.to_string()),
        text(|c| c.macs.to_string()),
        text(|c| c.weights_alive.to_string()),
        text(|c| c.macs_alive.to_string()),
        text(|c| c.esn_a.to_string()),
        text(|c| c.esn_d.to_string()),
        text(|c| c.esn_a_macs.to_string()),
        text(|c| c.esn_d_macs.to_string()),
        text(|c| c.esn_d_filter.to_string()),
        value(costs.map(|c| c.max_bits)),
        value(costs.map(|c| counts(&c.filter_bits))),
        value(costs.map(|c| counts(&c.weight_bits))),
    ]
}

fn hardware_values(key: &str, position: usize, hardware: &HardwareRow) -> Vec<Value> {
    vec![
        value(key.to_string()),
        value(position as i64),
        value(hardware.name.clone()),
        value(hardware.metric.clone()),
        value(hardware.verdict.clone()),
        value(hardware.cycles.to_string()),
        value(hardware.energy_count.to_string()),
        value(hardware.energy_j),
        value(hardware.utilization),
        value(hardware.score.as_ref().map(|score| to_i64(score.top1))),
        value(hardware.score.as_ref().and_then(|score| score.top5).map(to_i64)),
        value(hardware.agreement.map(to_i64)),
    ]
}

/// Counts of images, which are in memory or on a disk.
fn to_i64(count: u64) -> i64 {
    i64::try_from(count).expect("there are fewer than 2^63 images")
}
