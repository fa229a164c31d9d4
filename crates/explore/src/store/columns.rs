//! The columns of layout 3, and how single values stand in them.

use std::sync::Arc;

use esn::Quarters;
use rusqlite::Row;
use rusqlite::types::{Value, ValueRef};

use super::texts::{TextId, listed};
use crate::key::PointKey;

/// Columns of `point_figures`, in the order in which a row is written and read.
pub(super) const FIGURES: &str = "key, failed, method, network, images, labelled, top1, top5, agreement, float_top1, \
     float_top5, weights, nonzero, filters, live_filters, macs, weights_alive, macs_alive, effective_macs, esn_a, esn_d, \
     esn_a_macs, esn_d_macs, esn_d_filter, max_bits, model_bits, bit_operations, effective_bit_operations, \
     weight_bits_fetched, activation_bits_moved, outputs";

/// Columns of `point_details`.
pub(super) const DETAILS: &str =
    "key, version, error, notes, setting, hardware, prune, quantize, layers, filter_bits, weight_bits";

/// Columns of `hardware_figures`.
pub(super) const HARDWARE: &str = "key, position, name, metric, verdict, cycles, energy_count, energy_j, utilization, top1, top5, agreement, \
     compute_j, conversion_j, memory_j";

/// What a column holds that it should not.
pub(super) type Wrong = String;

/// A count: an integer, or text where SQLite has no integer so large.
pub(super) fn number(count: u128) -> Value {
    match i64::try_from(count) {
        Ok(count) => Value::Integer(count),
        Err(_) => Value::Text(count.to_string()),
    }
}

/// Counts of images, which are in memory or on a disk.
pub(super) fn images(count: u64) -> Value {
    Value::Integer(i64::try_from(count).expect("there are fewer than 2^63 images"))
}

/// Typed access to the columns of a row, by place.
pub(super) struct Columns<'a>(pub &'a Row<'a>);

impl Columns<'_> {
    pub fn get<T: rusqlite::types::FromSql>(&self, place: usize) -> Result<T, Wrong> {
        self.0.get(place).map_err(|e| e.to_string())
    }

    pub fn key(&self, place: usize) -> Result<PointKey, Wrong> {
        self.get(place).map(PointKey)
    }

    /// A list of texts.
    pub fn texts(&self, place: usize) -> Result<Vec<TextId>, Wrong> {
        listed(self.value(place)?.as_str().map_err(|e| e.to_string())?).map_err(|e| e.to_string())
    }

    fn value(&self, place: usize) -> Result<ValueRef<'_>, Wrong> {
        self.0.get_ref(place).map_err(|e| e.to_string())
    }

    /// The name of a column, for messages.
    fn name(&self, place: usize) -> &str {
        self.0.as_ref().column_name(place).unwrap_or_default()
    }

    pub fn number_if_there(&self, place: usize) -> Result<Option<u128>, Wrong> {
        let column = || self.name(place);
        match self.value(place)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(count) => match u128::try_from(count) {
                Ok(count) => Ok(Some(count)),
                Err(_) => Err(format!("column {} is {count}", column())),
            },
            ValueRef::Text(text) => {
                let text = String::from_utf8_lossy(text);
                let wrong = |_| format!("column {} is {text:?}; expected a number", column());
                text.parse().map(Some).map_err(wrong)
            }
            ValueRef::Real(_) | ValueRef::Blob(_) => Err(format!("column {} is no whole number", column())),
        }
    }

    pub fn number(&self, place: usize) -> Result<u128, Wrong> {
        self.number_if_there(place)?.ok_or_else(|| format!("column {} is empty", self.name(place)))
    }

    pub fn quarters(&self, place: usize) -> Result<Quarters, Wrong> {
        self.number(place).map(Quarters)
    }

    /// A count of images.
    pub fn images_if_there(&self, place: usize) -> Result<Option<u64>, Wrong> {
        let count = self.number_if_there(place)?;
        count
            .map(|count| u64::try_from(count).map_err(|_| format!("column {} is {count}", self.name(place))))
            .transpose()
    }

    pub fn images(&self, place: usize) -> Result<u64, Wrong> {
        Ok(self.images_if_there(place)?.unwrap_or_default())
    }
}

/// Counts by bits without the zeros at their end.
pub(super) fn by_bits(counts: &[u64]) -> String {
    let len = counts.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
    serde_json::to_string(&counts[..len]).expect("integers have a JSON form")
}

/// The counts, one for each width from 0 bits on.
pub(super) fn counts_by_bits(text: &str) -> Result<Vec<u64>, Wrong> {
    let mut counts: Vec<u64> = serde_json::from_str(text).map_err(|e| format!("counts by bits: {e}"))?;
    counts.resize(counts.len().max(esn::BIT_WIDTHS), 0);
    Ok(counts)
}

/// A text that is there.
pub(super) type Text = Arc<str>;
