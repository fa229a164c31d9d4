//! Rows out of the store, one after another in the order of keys.

use network::ErrorKind;
use runner::Score;
use rusqlite::Row;

use super::columns::{Columns, DETAILS, FIGURES, HARDWARE, Text, Wrong, counts_by_bits};
use super::known::KnownPoints;
use super::parts::Parts;
use super::row::{HardwareRow, PointAccuracy, PointCosts, PointFigures, PointRow, PointSummary, Status};
use super::side_by_side::HardwareRows;
use super::texts::{TextId, listed};
use super::{Layout, Store, problem};
use crate::configuration::{Configuration, Method};
use crate::error::ExploreError;
use crate::key::PointKey;

/// Where the columns of `point_details` begin in a row that has those of `point_figures` before.
const FIRST_DETAIL: usize = 25;
const METHODS: [Method; 3] = [Method::QuantizeOnly, Method::PruneOnly, Method::PruneThenQuantize];

impl Store {
    /// Every point's key and how it ended.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Store`] if the file cannot be read or is damaged.
    pub fn known(&self) -> Result<KnownPoints, ExploreError> {
        let mut known = KnownPoints::default();
        if self.layout == Layout::One {
            self.for_each_old_status(|key, failed| known.push(key, failed))?;
            return Ok(known);
        }
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached("SELECT key, failed FROM point_figures ORDER BY key")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                known.push(PointKey(row.get(0)?), row.get(1)?);
            }
            Ok(())
        };
        read().map_err(|e| self.failed(&e))?;
        Ok(known)
    }

    /// How a point ended; none where the store does not have it.
    ///
    /// # Errors
    ///
    /// As [`Store::known`].
    pub fn status_of(&self, key: PointKey) -> Result<Option<Status>, ExploreError> {
        let mut status = None;
        self.for_each_figures_of(Some(key), |figures| {
            status = Some(figures.status);
            Ok::<_, ExploreError>(())
        })?;
        Ok(status)
    }

    /// Every plan that ran, in its resolved form, by its digest.
    ///
    /// # Errors
    ///
    /// As [`Store::known`].
    pub fn plans(&self) -> Result<Vec<(String, String)>, ExploreError> {
        let read = || -> rusqlite::Result<Vec<(String, String)>> {
            let mut statement = self.connection.prepare("SELECT digest, plan FROM plans ORDER BY digest")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        read().map_err(|e| self.failed(&e))
    }

    /// Every point at once, in the order of keys. For stores that fit into memory; [`Store::for_each_row`] has one point
    /// after another.
    ///
    /// # Errors
    ///
    /// As [`Store::for_each_row`].
    pub fn rows(&self) -> Result<Vec<PointRow>, ExploreError> {
        let mut rows = Vec::new();
        self.for_each_row(|row| {
            rows.push(row);
            Ok::<_, ExploreError>(())
        })?;
        Ok(rows)
    }

    /// The points of these keys, in their order; none where the store has no such point.
    ///
    /// # Errors
    ///
    /// As [`Store::for_each_row`].
    pub fn rows_of(&self, keys: &[PointKey]) -> Result<Vec<Option<PointRow>>, ExploreError> {
        let row = |&key: &PointKey| {
            let mut found = None;
            self.for_each_row_of(Some(key), |row| {
                found = Some(row);
                Ok::<_, ExploreError>(())
            })?;
            Ok(found)
        };
        keys.iter().map(row).collect()
    }

    /// Shows every point, in the order of keys.
    ///
    /// # Errors
    ///
    /// As [`Store::known`]; a column that holds what it should not is named. The first error of `each` ends the reading.
    pub fn for_each_row<E: From<ExploreError>>(&self, each: impl FnMut(PointRow) -> Result<(), E>) -> Result<(), E> {
        self.for_each_row_of(None, each)
    }

    /// Shows what every point is judged by, in the order of keys. It reads the narrow tables alone.
    ///
    /// # Errors
    ///
    /// As [`Store::for_each_row`].
    pub fn for_each_figures<E: From<ExploreError>>(
        &self,
        each: impl FnMut(PointFigures) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_figures_of(None, each)
    }

    /// Shows every point as a table has it, in the order of keys.
    ///
    /// # Errors
    ///
    /// As [`Store::for_each_row`].
    pub fn for_each_summary<E: From<ExploreError>>(
        &self,
        mut each: impl FnMut(PointSummary) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.layout == Layout::One {
            return self.for_each_old_row(None, |row| each((&row).into()));
        }
        self.scan(&Scan { details: true, key: None }, |row, figures| {
            let summary = self.details(row).and_then(|details| self.summary(figures, details));
            each(summary.map_err(|e| self.wrong(&e))?)
        })
    }

    fn for_each_row_of<E: From<ExploreError>>(
        &self,
        key: Option<PointKey>,
        mut each: impl FnMut(PointRow) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.layout == Layout::One {
            return self.for_each_old_row(key, each);
        }
        self.scan(&Scan { details: true, key }, |row, figures| {
            let row = self.details(row).and_then(|details| self.point(row, figures, details));
            each(row.map_err(|e| self.wrong(&e))?)
        })
    }

    fn for_each_figures_of<E: From<ExploreError>>(
        &self,
        key: Option<PointKey>,
        mut each: impl FnMut(PointFigures) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.layout == Layout::One {
            return self.for_each_old_row(key, |row| each((&row).into()));
        }
        self.scan(&Scan { details: false, key }, |_, figures| each(figures))
    }

    /// Reads tables side by side.
    fn scan<E: From<ExploreError>>(
        &self,
        scan: &Scan,
        mut each: impl FnMut(&Row<'_>, PointFigures) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        // All tables as they are at one moment, whatever other processes write meanwhile.
        let is_free = self.connection.is_autocommit();
        let _moment = is_free.then(|| self.connection.unchecked_transaction()).transpose().map_err(failed)?;
        let mut points = self.connection.prepare_cached(&scan.points()).map_err(failed)?;
        let mut hardware = self.connection.prepare_cached(&scan.hardware()).map_err(failed)?;
        let key = scan.key.map(|key| key.0);
        let mut points = points.query(rusqlite::params_from_iter(&key)).map_err(failed)?;
        let rows = hardware.query(rusqlite::params_from_iter(&key)).map_err(failed)?;
        let mut hardware = HardwareRows::new(rows, |row| self.hardware(row));
        while let Some(row) = points.next().map_err(failed)? {
            let of_point = |key, labelled| hardware.of(key, labelled);
            let figures = self.figures(row, of_point).map_err(|e| self.wrong(&e))?;
            each(row, figures)?;
        }
        Ok(())
    }

    /// `hardware` has the rows of a key with so many labels.
    fn figures(
        &self,
        row: &Row<'_>,
        hardware: impl FnOnce(PointKey, u64) -> Result<Vec<HardwareRow>, Wrong>,
    ) -> Result<PointFigures, Wrong> {
        let columns = Columns(row);
        let key = columns.key(0)?;
        let accuracy = read_accuracy(&columns)?;
        let mut costs = read_costs(&columns)?;
        if let Some(costs) = &mut costs {
            costs.hardware = hardware(key, accuracy.as_ref().map_or(0, |accuracy| accuracy.score.labelled))?;
        }
        let method: u8 = columns.get(2)?;
        Ok(PointFigures {
            key,
            status: if columns.get(1)? { Status::Failed } else { Status::Done },
            method: *METHODS.get(usize::from(method)).ok_or_else(|| format!("column method is {method}"))?,
            network: self.text(columns.get(3)?)?,
            costs,
            accuracy,
        })
    }

    fn hardware(&self, row: &Row<'_>) -> Result<(PointKey, HardwareRow), Wrong> {
        let columns = Columns(row);
        let top5 = columns.images_if_there(10)?;
        let text = |place| -> Result<Text, Wrong> { self.text(columns.get(place)?) };
        let row = HardwareRow {
            name: text(2)?,
            metric: text(3)?,
            verdict: text(4)?,
            cycles: columns.number(5)?,
            energy_count: columns.number(6)?,
            energy_j: columns.get(7)?,
            utilization: columns.get(8)?,
            score: columns.images_if_there(9)?.map(|top1| Score { labelled: 0, top1, top5 }),
            agreement: columns.images_if_there(11)?,
        };
        Ok((columns.key(0)?, row))
    }

    fn details(&self, row: &Row<'_>) -> Result<Details, Wrong> {
        let columns = Columns(row);
        let optional = |place| columns.get::<Option<TextId>>(FIRST_DETAIL + place);
        let all = |place| -> Result<Vec<TextId>, Wrong> {
            listed(&columns.get::<String>(FIRST_DETAIL + place)?).map_err(|e| e.to_string())
        };
        Ok(Details {
            error: optional(1)?.map(|id| self.text(id)).transpose()?,
            notes: all(2)?.into_iter().map(|id| self.text(id)).collect::<Result<_, _>>()?,
            parts: Parts {
                setting: columns.get(FIRST_DETAIL + 3)?,
                hardware: all(4)?,
                prune: optional(5)?,
                quantize: optional(6)?,
                layers: all(7)?,
            },
        })
    }

    fn point(&self, row: &Row<'_>, figures: PointFigures, details: Details) -> Result<PointRow, Wrong> {
        let columns = Columns(row);
        let mut costs = figures.costs;
        if let Some(costs) = &mut costs {
            costs.filter_bits = counts_by_bits(&columns.get::<String>(FIRST_DETAIL + 8)?)?;
            costs.weight_bits = counts_by_bits(&columns.get::<String>(FIRST_DETAIL + 9)?)?;
        }
        Ok(PointRow {
            key: figures.key,
            network: figures.network.to_string(),
            configuration: self.configuration(&details.parts)?,
            version: self.text(columns.get(FIRST_DETAIL)?)?.to_string(),
            notes: details.notes.iter().map(ToString::to_string).collect(),
            error: details.error.map(|error| error.to_string()),
            costs,
            accuracy: figures.accuracy,
        })
    }

    fn summary(&self, figures: PointFigures, details: Details) -> Result<PointSummary, Wrong> {
        let make = || self.configuration(&details.parts).map(|configuration| configuration.label().into());
        let label = self.labels.of(&details.parts, make)?;
        Ok(PointSummary { figures, label, error: details.error, notes: details.notes })
    }

    fn configuration(&self, parts: &Parts<TextId>) -> Result<Configuration, Wrong> {
        let texts = parts.each(|&id| self.text(id))?;
        texts.configuration().map_err(|e| format!("configuration: {e}"))
    }

    fn text(&self, id: TextId) -> Result<Text, Wrong> {
        self.texts.text(&self.connection, id).map_err(|e| format!("text {id}: {e}"))
    }

    fn wrong(&self, wrong: &str) -> ExploreError {
        problem(&self.path, ErrorKind::InvalidFile, wrong)
    }
}

/// What is read.
struct Scan {
    /// Whether the table `point_details` is read, too.
    details: bool,
    /// The only point; none for all.
    key: Option<PointKey>,
}

impl Scan {
    fn points(&self) -> String {
        let filter = if self.key.is_some() { "WHERE f.key = ?" } else { "" };
        match self.details {
            true => {
                let (figures, details) = (of("f", FIGURES), of("d", DETAILS));
                let details = details.strip_prefix("d.key, ").expect("the key comes first");
                let tables = "point_figures f CROSS JOIN point_details d ON d.key = f.key";
                format!("SELECT {figures}, {details} FROM {tables} {filter} ORDER BY f.key")
            }
            false => format!("SELECT {FIGURES} FROM point_figures f {filter} ORDER BY f.key"),
        }
    }

    fn hardware(&self) -> String {
        let filter = if self.key.is_some() { "WHERE key = ?" } else { "" };
        format!("SELECT {HARDWARE} FROM hardware_figures {filter} ORDER BY key, position")
    }
}

/// Columns of a table by the name that the statement gives it.
fn of(table: &str, columns: &str) -> String {
    columns.split(", ").map(|column| format!("{table}.{}", column.trim())).collect::<Vec<_>>().join(", ")
}

/// What a row of `point_details` says in texts.
struct Details {
    error: Option<Text>,
    notes: Vec<Text>,
    /// The configuration.
    parts: Parts<TextId>,
}

fn read_accuracy(columns: &Columns<'_>) -> Result<Option<PointAccuracy>, Wrong> {
    let Some(images) = columns.images_if_there(4)? else { return Ok(None) };
    let labelled = columns.images(5)?;
    Ok(Some(PointAccuracy {
        images,
        score: Score { labelled, top1: columns.images(6)?, top5: columns.images_if_there(7)? },
        agreement: columns.images(8)?,
        float: Score { labelled, top1: columns.images(9)?, top5: columns.images_if_there(10)? },
    }))
}

fn read_costs(columns: &Columns<'_>) -> Result<Option<PointCosts>, Wrong> {
    let Some(weights) = columns.number_if_there(11)? else { return Ok(None) };
    Ok(Some(PointCosts {
        weights,
        nonzero: columns.number(12)?,
        filters: columns.number(13)?,
        live_filters: columns.number(14)?,
        macs: columns.number(15)?,
        weights_alive: columns.number(16)?,
        macs_alive: columns.number(17)?,
        effective_macs: columns.number_if_there(18)?,
        esn_a: columns.quarters(19)?,
        esn_d: columns.number(20)?,
        esn_a_macs: columns.quarters(21)?,
        esn_d_macs: columns.number(22)?,
        esn_d_filter: columns.number(23)?,
        max_bits: columns.get(24)?,
        filter_bits: Vec::new(),
        weight_bits: Vec::new(),
        hardware: Vec::new(),
    }))
}
