//! Rows out of the store.

use std::collections::HashMap;
use std::str::FromStr;

use esn::Quarters;
use network::ErrorKind;
use runner::Score;
use rusqlite::{Row, params_from_iter};

use super::row::{HardwareRow, PointAccuracy, PointCosts, PointRow, Status};
use super::write::{HARDWARE_COLUMNS, POINT_COLUMNS};
use super::{Store, problem};
use crate::configuration::Configuration;
use crate::error::ExploreError;

/// What a column holds that it should not.
type Wrong = String;

impl Store {
    /// Every point's key and how it ended.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Store`] if the file cannot be read or is damaged.
    pub fn statuses(&self) -> Result<HashMap<String, Status>, ExploreError> {
        let read = || -> rusqlite::Result<HashMap<String, Status>> {
            let mut statement = self.connection.prepare("SELECT key, status FROM points")?;
            let rows = statement.query_map([], |row| {
                let status: String = row.get(1)?;
                Ok((row.get(0)?, if status == Status::Done.name() { Status::Done } else { Status::Failed }))
            })?;
            rows.collect()
        };
        read().map_err(|e| self.failed(&e))
    }

    /// Whether the store has a point.
    ///
    /// # Errors
    ///
    /// As [`Store::statuses`].
    pub fn contains(&self, key: &str) -> Result<bool, ExploreError> {
        let read = || self.connection.prepare("SELECT 1 FROM points WHERE key = ?")?.exists([key]);
        read().map_err(|e| self.failed(&e))
    }

    /// Every plan that ran, in its resolved form, by its digest.
    ///
    /// # Errors
    ///
    /// As [`Store::statuses`].
    pub fn plans(&self) -> Result<Vec<(String, String)>, ExploreError> {
        let read = || -> rusqlite::Result<Vec<(String, String)>> {
            let mut statement = self.connection.prepare("SELECT digest, plan FROM plans ORDER BY digest")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        read().map_err(|e| self.failed(&e))
    }

    /// Every point, in the order of keys.
    ///
    /// # Errors
    ///
    /// As [`Store::statuses`]; a column that holds what it should not is named.
    pub fn rows(&self) -> Result<Vec<PointRow>, ExploreError> {
        self.read_rows(None)
    }

    /// The points of these keys, in their order; none where the store has no such point.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`].
    pub fn rows_of<K: AsRef<str>>(&self, keys: &[K]) -> Result<Vec<Option<PointRow>>, ExploreError> {
        keys.iter().map(|key| Ok(self.read_rows(Some(key.as_ref()))?.pop())).collect()
    }

    /// Every point, or that of a key.
    fn read_rows(&self, key: Option<&str>) -> Result<Vec<PointRow>, ExploreError> {
        let mut hardware = self.hardware(key)?;
        let columns = match self.has_effective_macs().map_err(|e| self.failed(&e))? {
            true => POINT_COLUMNS.to_string(),
            false => POINT_COLUMNS.replace("effective_macs", "NULL AS effective_macs"),
        };
        let sql = format!("SELECT {columns} FROM points {} ORDER BY key", filter(key));
        let mut statement = self.connection.prepare(&sql).map_err(|e| self.failed(&e))?;
        let mut rows = statement.query(params_from_iter(key)).map_err(|e| self.failed(&e))?;
        let mut points = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.failed(&e))? {
            let wrong = |wrong| problem(&self.path, ErrorKind::InvalidFile, format!("points: {wrong}"));
            let mut point = read_point(row).map_err(wrong)?;
            if let Some(costs) = &mut point.costs {
                costs.hardware = hardware.remove(&point.key).unwrap_or_default();
                let labelled = point.accuracy.as_ref().map_or(0, |accuracy| accuracy.score.labelled);
                costs.hardware.iter_mut().filter_map(|h| h.score.as_mut()).for_each(|s| s.labelled = labelled);
            }
            points.push(point);
        }
        Ok(points)
    }

    fn hardware(&self, key: Option<&str>) -> Result<HashMap<String, Vec<HardwareRow>>, ExploreError> {
        let sql = format!("SELECT {HARDWARE_COLUMNS}, key FROM hardware {} ORDER BY key, position", filter(key));
        let mut statement = self.connection.prepare(&sql).map_err(|e| self.failed(&e))?;
        let mut rows = statement.query(params_from_iter(key)).map_err(|e| self.failed(&e))?;
        let mut by_key: HashMap<String, Vec<HardwareRow>> = HashMap::new();
        while let Some(row) = rows.next().map_err(|e| self.failed(&e))? {
            let wrong = |wrong| problem(&self.path, ErrorKind::InvalidFile, format!("hardware: {wrong}"));
            let key: String = Columns::new(row).at("key").map_err(wrong)?;
            by_key.entry(key).or_default().push(read_hardware(row).map_err(wrong)?);
        }
        Ok(by_key)
    }
}

fn filter(key: Option<&str>) -> &'static str {
    if key.is_some() { "WHERE key = ?" } else { "" }
}

/// Typed access to the columns of a row, by name.
struct Columns<'a>(&'a Row<'a>);

impl<'a> Columns<'a> {
    fn new(row: &'a Row<'a>) -> Self {
        Self(row)
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
    let columns = Columns::new(row);
    let configuration: Configuration = columns.json("configuration")?;
    let has_costs = columns.at::<Option<String>>("weights")?.is_some();
    let has_accuracy = columns.count("images")?.is_some();
    Ok(PointRow {
        key: columns.at("key")?,
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

fn read_hardware(row: &Row<'_>) -> Result<HardwareRow, Wrong> {
    let columns = Columns::new(row);
    let top5 = columns.count("top5")?;
    Ok(HardwareRow {
        name: columns.at("name")?,
        metric: columns.at("metric")?,
        verdict: columns.at("verdict")?,
        cycles: columns.parsed("cycles")?,
        energy_count: columns.parsed("energy_count")?,
        energy_j: columns.at("energy_j")?,
        utilization: columns.at("utilization")?,
        score: columns.count("top1")?.map(|top1| Score { labelled: 0, top1, top5 }),
        agreement: columns.count("agreement")?,
    })
}
