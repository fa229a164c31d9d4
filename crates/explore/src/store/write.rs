//! Rows into the store.

use runner::BitCounts;
use rusqlite::types::Value;
use rusqlite::{Transaction, TransactionBehavior, params, params_from_iter};

use super::columns::{DETAILS, FIGURES, HARDWARE, by_bits, images, number};
use super::parts::Parts;
use super::row::{HardwareRow, PointAccuracy, PointCosts, PointRow, Spent};
use super::texts::{TextId, list};
use super::{Status, Store};
use crate::error::ExploreError;
use crate::key::PointKey;

impl Store {
    /// Writes the result of a point. Returns `false` where the store has the point already; the stored point then stays as
    /// it is. Whoever writes many points soon after one another uses a [`GroupWriter`](super::GroupWriter).
    ///
    /// # Errors
    ///
    /// As [`Store::insert_all`].
    pub fn insert(&self, row: &PointRow) -> Result<bool, ExploreError> {
        Ok(self.insert_all([row])? > 0)
    }

    /// Writes the results of points in one transaction; returns how many the store did not have.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Store`] if the file cannot be written; it is then as it was before.
    pub fn insert_all<'r>(&self, rows: impl IntoIterator<Item = &'r PointRow>) -> Result<usize, ExploreError> {
        self.in_transaction(|| {
            let inserted = rows.into_iter().map(|row| Ok(usize::from(self.insert_row(row)?)));
            inserted.sum::<rusqlite::Result<usize>>().map_err(|e| self.failed(&e))
        })
    }

    /// Does work that writes, all of it or nothing.
    pub(super) fn in_transaction<T>(&self, work: impl FnOnce() -> Result<T, ExploreError>) -> Result<T, ExploreError> {
        // At once, not when it first writes: where it reads before, SQLite would refuse, not wait, if another process wrote
        // in between. The connection is used by this thread alone, and dropping a transaction takes it back.
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(|e| self.failed(&e))?;
        let done = work().and_then(|done| transaction.commit().map_err(|e| self.failed(&e)).map(|()| done));
        if done.is_err() {
            self.texts.forget();
            self.labels.forget();
        }
        done
    }

    /// Writes one point within a transaction.
    pub(super) fn insert_row(&self, row: &PointRow) -> rusqlite::Result<bool> {
        let method = row.configuration.method().place() as i64;
        let mut values = vec![key(row.key), Value::Integer((row.status() == Status::Failed).into()), method.into()];
        values.push(self.id(&row.network)?.into());
        values.extend(accuracy_values(row.accuracy.as_ref()));
        values.extend(cost_values(row.costs.as_ref()));
        if !self.insert_values("point_figures", FIGURES, &values)? {
            return Ok(false);
        }
        self.insert_values("point_details", DETAILS, &self.detail_values(row)?)?;
        for (position, hardware) in row.costs.iter().flat_map(|costs| &costs.hardware).enumerate() {
            let values = self.hardware_values(row.key, position, hardware)?;
            self.insert_values("hardware_figures", HARDWARE, &values)?;
        }
        Ok(true)
    }

    /// Writes one row of a table; `false` where it has a row of that key.
    pub(super) fn insert_values(&self, table: &str, columns: &str, values: &[Value]) -> rusqlite::Result<bool> {
        let marks = vec!["?"; values.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING");
        Ok(self.connection.prepare_cached(&sql)?.execute(params_from_iter(values))? > 0)
    }

    fn detail_values(&self, row: &PointRow) -> rusqlite::Result<Vec<Value>> {
        let parts = Parts::of(&row.configuration);
        let optional = |text: Option<&str>| -> rusqlite::Result<Value> {
            Ok(text.map(|text| self.id(text)).transpose()?.map_or(Value::Null, Value::Integer))
        };
        let bits = |of: fn(&PointCosts) -> &[u64]| row.costs.as_ref().map_or(Value::Null, |c| by_bits(of(c)).into());
        Ok(vec![
            key(row.key),
            self.id(&row.version)?.into(),
            optional(row.error.as_deref())?,
            self.ids(&row.notes)?.into(),
            self.id(&parts.setting)?.into(),
            self.ids(&parts.hardware)?.into(),
            optional(parts.prune.as_deref())?,
            optional(parts.quantize.as_deref())?,
            self.ids(&parts.layers)?.into(),
            bits(|costs| &costs.filter_bits),
            bits(|costs| &costs.weight_bits),
        ])
    }

    fn hardware_values(&self, of: PointKey, position: usize, row: &HardwareRow) -> rusqlite::Result<Vec<Value>> {
        let joules = |of: fn(Spent) -> f64| row.spent.map_or(Value::Null, |spent| of(spent).into());
        Ok(vec![
            key(of),
            (position as i64).into(),
            self.id(&row.name)?.into(),
            self.id(&row.metric)?.into(),
            self.id(&row.verdict)?.into(),
            number(row.cycles),
            number(row.energy_count),
            row.energy_j.into(),
            row.utilization.into(),
            row.score.as_ref().map_or(Value::Null, |score| images(score.top1)),
            row.score.as_ref().and_then(|score| score.top5).map_or(Value::Null, images),
            row.agreement.map_or(Value::Null, images),
            joules(|spent| spent.compute_j),
            joules(|spent| spent.conversion_j),
            joules(|spent| spent.memory_j),
        ])
    }

    pub(super) fn id(&self, text: &str) -> rusqlite::Result<TextId> {
        self.texts.id(&self.connection, text)
    }

    fn ids(&self, texts: &[String]) -> rusqlite::Result<String> {
        let ids = texts.iter().map(|text| self.id(text)).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(list(&ids))
    }

    /// Removes the rows of points that failed, so that they run again; returns how many there were.
    ///
    /// # Errors
    ///
    /// As [`Store::insert_all`].
    pub fn remove_failed(&self, keys: &[PointKey]) -> Result<usize, ExploreError> {
        let remove = || -> rusqlite::Result<usize> {
            let mut removed = 0;
            for key in keys {
                let mut point = self.connection.prepare_cached("DELETE FROM point_figures WHERE key = ? AND failed")?;
                if point.execute([key.0])? > 0 {
                    removed += 1;
                    self.connection.prepare_cached("DELETE FROM point_details WHERE key = ?")?.execute([key.0])?;
                    self.connection.prepare_cached("DELETE FROM hardware_figures WHERE key = ?")?.execute([key.0])?;
                }
            }
            Ok(removed)
        };
        self.in_transaction(|| remove().map_err(|e| self.failed(&e)))
    }

    /// Keeps a plan beside the results, in its resolved form.
    ///
    /// # Errors
    ///
    /// As [`Store::insert_all`].
    pub fn insert_plan(&self, digest: &str, plan: &str) -> Result<(), ExploreError> {
        let sql = "INSERT INTO plans (digest, plan) VALUES (?, ?) ON CONFLICT DO NOTHING";
        self.connection.execute(sql, params![digest, plan]).map(|_| ()).map_err(|e| self.failed(&e))
    }
}

fn key(key: PointKey) -> Value {
    Value::Blob(key.0.to_vec())
}

/// The columns from `images` to `float_top5`.
fn accuracy_values(accuracy: Option<&PointAccuracy>) -> [Value; 7] {
    let count = |of: fn(&PointAccuracy) -> Option<u64>| accuracy.and_then(of).map_or(Value::Null, images);
    [
        count(|a| Some(a.images)),
        count(|a| Some(a.score.labelled)),
        count(|a| Some(a.score.top1)),
        count(|a| a.score.top5),
        count(|a| Some(a.agreement)),
        count(|a| Some(a.float.top1)),
        count(|a| a.float.top5),
    ]
}

/// The columns from `weights` to `outputs`.
fn cost_values(costs: Option<&PointCosts>) -> [Value; 20] {
    let bits = costs.and_then(|costs| costs.bits);
    let bit = |of: fn(BitCounts) -> u128| bits.map_or(Value::Null, |bits| number(of(bits)));
    let count = |of: fn(&PointCosts) -> u128| costs.map_or(Value::Null, |costs| number(of(costs)));
    [
        count(|c| c.weights),
        count(|c| c.nonzero),
        count(|c| c.filters),
        count(|c| c.live_filters),
        count(|c| c.macs),
        count(|c| c.weights_alive),
        count(|c| c.macs_alive),
        costs.and_then(|costs| costs.effective_macs).map_or(Value::Null, number),
        count(|c| c.esn_a.0),
        count(|c| c.esn_d),
        count(|c| c.esn_a_macs.0),
        count(|c| c.esn_d_macs),
        count(|c| c.esn_d_filter),
        count(|c| c.max_bits.into()),
        bit(|b| b.model_bits),
        bit(|b| b.bit_operations),
        bit(|b| b.effective_bit_operations),
        bit(|b| b.weight_bits),
        bit(|b| b.activation_bits),
        bit(|b| b.outputs),
    ]
}
