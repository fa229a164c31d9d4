//! Rows out of the store, one after another in the order of keys.

use network::ErrorKind;
use rusqlite::Row;

use super::columns::{DETAILS, FIGURES, HARDWARE};
use super::known::KnownPoints;
use super::row::{PointFigures, PointRow, PointSummary, Status};
use super::side_by_side::HardwareRows;
use super::{Layout, Store, problem};
use crate::error::ExploreError;
use crate::key::PointKey;

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
        let (figures, details) = (of("f", FIGURES), of("d", DETAILS));
        let (_, but_key) = details.split_once(", ").expect("the key comes first");
        match self.details {
            true => format!(
                "SELECT {figures}, {but_key} FROM point_figures f CROSS JOIN point_details d ON d.key = f.key {filter} \
                 ORDER BY f.key"
            ),
            false => format!("SELECT {figures} FROM point_figures f {filter} ORDER BY f.key"),
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
