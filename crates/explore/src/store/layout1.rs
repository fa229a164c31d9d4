//! Rows out of a store of layout 1, which this program reads and no longer writes.

use std::str::FromStr;

use esn::Quarters;
use network::ErrorKind;
use runner::Score;
use rusqlite::Row;

use super::columns::Wrong;
use super::row::{HardwareRow, PointAccuracy, PointCosts, PointRow};
use super::side_by_side::HardwareRows;
use super::{Store, problem};
use crate::configuration::Configuration;
use crate::error::ExploreError;
use crate::key::PointKey;

/// Columns of the table `points`; the last one came later.
const POINT_COLUMNS: &str = "key, error, version, network, configuration, notes, weights, nonzero, filters, live_filters, \
     macs, weights_alive, macs_alive, esn_a, esn_d, esn_a_macs, esn_d_macs, esn_d_filter, max_bits, filter_bits, \
     weight_bits, images, labelled, top1, top5, agreement, float_top1, float_top5, effective_macs";

/// Columns of the table `hardware`.
const HARDWARE_COLUMNS: &str =
    "key, name, metric, verdict, cycles, energy_count, energy_j, utilization, top1, top5, agreement";

impl Store {
    /// Every point of a store of layout 1, or that of a key, in the order of keys.
    pub(super) fn for_each_old_row<E: From<ExploreError>>(
        &self,
        key: Option<PointKey>,
        mut each: impl FnMut(PointRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        let wrong = |wrong: Wrong| problem(&self.path, ErrorKind::InvalidFile, wrong);
        let columns = match self.has_effective_macs().map_err(failed)? {
            true => POINT_COLUMNS.to_string(),
            false => POINT_COLUMNS.replace("effective_macs", "NULL AS effective_macs"),
        };
        let filter = if key.is_some() { "WHERE key = ?" } else { "" };
        let key = key.map(|key| key.to_string());
        let sql = format!("SELECT {columns} FROM points {filter} ORDER BY key");
        let mut points = self.connection.prepare_cached(&sql).map_err(failed)?;
        let sql = format!("SELECT {HARDWARE_COLUMNS} FROM hardware {filter} ORDER BY key, position");
        let mut hardware = self.connection.prepare_cached(&sql).map_err(failed)?;
        let mut points = points.query(rusqlite::params_from_iter(&key)).map_err(failed)?;
        let rows = hardware.query(rusqlite::params_from_iter(&key)).map_err(failed)?;
        let mut hardware = HardwareRows::new(rows, read_hardware);
        while let Some(row) = points.next().map_err(failed)? {
            let mut point = read_point(row).map_err(wrong)?;
            let labelled = point.accuracy.as_ref().map_or(0, |accuracy| accuracy.score.labelled);
            let counted = hardware.of(point.key, labelled).map_err(wrong)?;
            if let Some(costs) = &mut point.costs {
                costs.hardware = counted;
            }
            each(point)?;
        }
        Ok(())
    }

    /// How every point of a store of layout 1 ended, in the order of keys.
    pub(super) fn for_each_old_status(&self, mut each: impl FnMut(PointKey, bool)) -> Result<(), ExploreError> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut statement =
            self.connection.prepare("SELECT key, status = 'failed' FROM points ORDER BY key").map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let key = Columns(row).key().map_err(|wrong| problem(&self.path, ErrorKind::InvalidFile, wrong))?;
            each(key, row.get(1).map_err(failed)?);
        }
        Ok(())
    }

    /// Whether points have their effective MACs: a store that was made before these were counted has no such column.
    fn has_effective_macs(&self) -> rusqlite::Result<bool> {
        let sql = "SELECT count(*) FROM pragma_table_info('points') WHERE name = 'effective_macs'";
        let columns: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(columns > 0)
    }
}

/// Typed access to the columns of a row, by name.
struct Columns<'a>(&'a Row<'a>);

impl Columns<'_> {
    fn key(&self) -> Result<PointKey, Wrong> {
        let text: String = self.at("key")?;
        text.parse().map_err(|e| format!("column key is {text:?}: {e}"))
    }

    fn at<T: rusqlite::types::FromSql>(&self, column: &str) -> Result<T, Wrong> {
        self.0.get(column).map_err(|e| format!("column {column}: {e}"))
    }

    fn count(&self, column: &str) -> Result<Option<u64>, Wrong> {
        let value: Option<i64> = self.at(column)?;
        value.map(|n| u64::try_from(n).map_err(|_| format!("column {column} is {n}"))).transpose()
    }

    fn parsed<T: FromStr>(&self, column: &str) -> Result<T, Wrong> {
        let text: String = self.at(column)?;
        text.parse().map_err(|_| format!("column {column} is {text:?}; expected a number"))
    }

    /// ESN_a: whole, or with .25, .5 or .75.
    fn quarters(&self, column: &str) -> Result<Quarters, Wrong> {
        let text: String = self.at(column)?;
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let quarters = ["", "25", "5", "75"].iter().position(|f| *f == fraction);
        let whole = whole.parse::<u128>().ok().and_then(|n| n.checked_mul(4));
        match (whole, quarters) {
            (Some(whole), Some(quarters)) => Ok(Quarters(whole + quarters as u128)),
            _ => Err(format!("column {column} is {text:?}; expected a multiple of 0.25")),
        }
    }

    fn parsed_if_there<T: FromStr>(&self, column: &str) -> Result<Option<T>, Wrong> {
        let there: Option<String> = self.at(column)?;
        there.map(|_| self.parsed(column)).transpose()
    }

    fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, Wrong> {
        let text: String = self.at(column)?;
        serde_json::from_str(&text).map_err(|e| format!("column {column}: {e}"))
    }
}

fn read_point(row: &Row<'_>) -> Result<PointRow, Wrong> {
    let columns = Columns(row);
    let configuration: Configuration = columns.json("configuration")?;
    let has_costs = columns.at::<Option<String>>("weights")?.is_some();
    let has_accuracy = columns.count("images")?.is_some();
    Ok(PointRow {
        key: columns.key()?,
        network: columns.at("network")?,
        configuration,
        version: columns.at("version")?,
        notes: columns.json("notes")?,
        error: columns.at("error")?,
        costs: if has_costs { Some(read_costs(&columns)?) } else { None },
        accuracy: if has_accuracy { Some(read_accuracy(&columns)?) } else { None },
    })
}

fn read_costs(columns: &Columns<'_>) -> Result<PointCosts, Wrong> {
    Ok(PointCosts {
        weights: columns.parsed("weights")?,
        nonzero: columns.parsed("nonzero")?,
        filters: columns.parsed("filters")?,
        live_filters: columns.parsed("live_filters")?,
        macs: columns.parsed("macs")?,
        weights_alive: columns.parsed("weights_alive")?,
        macs_alive: columns.parsed("macs_alive")?,
        effective_macs: columns.parsed_if_there("effective_macs")?,
        esn_a: columns.quarters("esn_a")?,
        esn_d: columns.parsed("esn_d")?,
        esn_a_macs: columns.quarters("esn_a_macs")?,
        esn_d_macs: columns.parsed("esn_d_macs")?,
        esn_d_filter: columns.parsed("esn_d_filter")?,
        max_bits: columns.at("max_bits")?,
        filter_bits: columns.json("filter_bits")?,
        weight_bits: columns.json("weight_bits")?,
        bits: None,
        hardware: Vec::new(),
    })
}

fn read_accuracy(columns: &Columns<'_>) -> Result<PointAccuracy, Wrong> {
    let count = |column| columns.count(column).map(Option::unwrap_or_default);
    let labelled = count("labelled")?;
    Ok(PointAccuracy {
        images: count("images")?,
        score: Score { labelled, top1: count("top1")?, top5: columns.count("top5")? },
        agreement: count("agreement")?,
        float: Score { labelled, top1: count("float_top1")?, top5: columns.count("float_top5")? },
    })
}

fn read_hardware(row: &Row<'_>) -> Result<(PointKey, HardwareRow), Wrong> {
    let columns = Columns(row);
    let top5 = columns.count("top5")?;
    let row = HardwareRow {
        name: columns.at::<String>("name")?.into(),
        metric: columns.at::<String>("metric")?.into(),
        verdict: columns.at::<String>("verdict")?.into(),
        cycles: columns.parsed("cycles")?,
        energy_count: columns.parsed("energy_count")?,
        energy_j: columns.at("energy_j")?,
        spent: None,
        utilization: columns.at("utilization")?,
        score: columns.count("top1")?.map(|top1| Score { labelled: 0, top1, top5 }),
        agreement: columns.count("agreement")?,
    };
    Ok((columns.key()?, row))
}
