//! What the hardware is. Nothing of it changes in a run.

use std::num::NonZeroUsize;

use engine::Joules;

use crate::departures::Departures;
use crate::error::{AnalogError, MAX_EXTENT};

/// The checked description of analog arrays.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ArraySpec {
    pub(crate) name: String,
    /// Rows of one array. Without a number an array has as many as the layer needs.
    pub(crate) rows: Option<NonZeroUsize>,
    /// Columns of one array. Without a number an array has as many as the layer needs.
    pub(crate) columns: Option<NonZeroUsize>,
    /// Arrays that work at the same time.
    pub(crate) arrays: NonZeroUsize,
    /// Energy of a MAC of a weight of ±1 half-step with an input of full scale; 0 where cells spend the same whatever they hold.
    pub(crate) unit: Joules,
    /// What sets the arrays apart from the ideal.
    pub(crate) departures: Departures,
}

impl ArraySpec {
    /// Checks a description of arrays without departures. Without a unit, cells spend the same whatever they hold.
    ///
    /// # Errors
    ///
    /// [`AnalogError`] if a count is 0 or above 2^31, or the energy is not a positive, finite number.
    pub(crate) fn new(
        name: &str,
        rows: Option<usize>,
        columns: Option<usize>,
        arrays: usize,
        unit: Option<Joules>,
    ) -> Result<Self, AnalogError> {
        if let Some(unit) = unit.filter(|unit| !(unit.0.is_finite() && unit.0 > 0.0)) {
            return Err(AnalogError::Energy(unit.0));
        }
        Ok(Self {
            name: name.to_string(),
            rows: rows.map(|n| count("rows", n)).transpose()?,
            columns: columns.map(|n| count("columns", n)).transpose()?,
            arrays: count("arrays", arrays)?,
            unit: unit.unwrap_or_default(),
            departures: Departures::default(),
        })
    }

    /// Whether every count and cycle of every layer is that of the ideal engine. Errors of the cells change neither.
    pub(crate) fn is_ideal(&self) -> bool {
        let is_one = self.rows.is_none() && self.columns.is_none() && self.arrays.get() == 1;
        is_one && self.unit.0 > 0.0 && self.departures.are_free()
    }
}

fn count(what: &'static str, n: usize) -> Result<NonZeroUsize, AnalogError> {
    if n > MAX_EXTENT {
        return Err(AnalogError::TooLarge { what, found: n });
    }
    NonZeroUsize::new(n).ok_or(AnalogError::Zero(what))
}
