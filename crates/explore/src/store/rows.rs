//! What single rows of layouts 2 and 3 say.

use runner::{BitCounts, Score};
use rusqlite::Row;

use super::Store;
use super::columns::{Columns, Text, Wrong, counts_by_bits};
use super::parts::Parts;
use super::row::{HardwareRow, PointAccuracy, PointCosts, PointFigures, PointRow, PointSummary, Spent, Status};
use super::texts::TextId;
use crate::configuration::{Configuration, Method};
use crate::key::PointKey;

/// Where the columns of `point_details` begin in a row that has those of `point_figures` before.
const FIRST_DETAIL: usize = 31;

/// What a row of `point_details` says in texts.
pub(super) struct Details {
    error: Option<Text>,
    notes: Vec<Text>,
    /// The configuration without its hardware, which no words are about.
    parts: Parts<TextId>,
}

impl Store {
    /// `hardware` has the rows of a key with so many labels.
    pub(super) fn figures(
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
            method: *Method::ALL.get(usize::from(method)).ok_or_else(|| format!("column method is {method}"))?,
            network: self.text(columns.get(3)?)?,
            costs,
            accuracy,
        })
    }

    pub(super) fn hardware(&self, row: &Row<'_>) -> Result<(PointKey, HardwareRow), Wrong> {
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
            spent: read_spent(&columns)?,
            utilization: columns.get(8)?,
            score: columns.images_if_there(9)?.map(|top1| Score { labelled: 0, top1, top5 }),
            agreement: columns.images_if_there(11)?,
        };
        Ok((columns.key(0)?, row))
    }

    pub(super) fn details(&self, row: &Row<'_>) -> Result<Details, Wrong> {
        let columns = Columns(row);
        let optional = |place| columns.get::<Option<TextId>>(FIRST_DETAIL + place);
        let all = |place| columns.texts(FIRST_DETAIL + place);
        Ok(Details {
            error: optional(1)?.map(|id| self.text(id)).transpose()?,
            notes: all(2)?.into_iter().map(|id| self.text(id)).collect::<Result<_, _>>()?,
            parts: Parts {
                setting: columns.get(FIRST_DETAIL + 3)?,
                hardware: Vec::new(),
                prune: optional(5)?,
                quantize: optional(6)?,
                layers: all(7)?,
            },
        })
    }

    pub(super) fn point(&self, row: &Row<'_>, figures: PointFigures, details: Details) -> Result<PointRow, Wrong> {
        let columns = Columns(row);
        let parts = Parts { hardware: columns.texts(FIRST_DETAIL + 4)?, ..details.parts };
        let mut costs = figures.costs;
        if let Some(costs) = &mut costs {
            costs.filter_bits = counts_by_bits(&columns.get::<String>(FIRST_DETAIL + 8)?)?;
            costs.weight_bits = counts_by_bits(&columns.get::<String>(FIRST_DETAIL + 9)?)?;
        }
        Ok(PointRow {
            key: figures.key,
            network: figures.network.to_string(),
            configuration: self.configuration(&parts)?,
            version: self.text(columns.get(FIRST_DETAIL)?)?.to_string(),
            notes: details.notes.iter().map(ToString::to_string).collect(),
            error: details.error.map(|error| error.to_string()),
            costs,
            accuracy: figures.accuracy,
        })
    }

    pub(super) fn summary(&self, figures: PointFigures, details: Details) -> Result<PointSummary, Wrong> {
        let make = || self.configuration(&details.parts).map(|configuration| configuration.label().into());
        let label = self.labels.of(&details.parts, make)?;
        let layers = self.layers(&details.parts.layers)?;
        Ok(PointSummary { figures, label, layers, error: details.error, notes: details.notes })
    }

    /// The texts of layers as one JSON list.
    fn layers(&self, layers: &[TextId]) -> Result<Text, Wrong> {
        if layers.is_empty() {
            return Ok(Text::default());
        }
        let mut list = String::new();
        for &id in layers {
            list.push(if list.is_empty() { '[' } else { ',' });
            list += &self.text(id)?;
        }
        list.push(']');
        Ok(list.into())
    }

    fn configuration(&self, parts: &Parts<TextId>) -> Result<Configuration, Wrong> {
        let texts = parts.each(|&id| self.text(id))?;
        texts.configuration().map_err(|e| format!("configuration: {e}"))
    }

    fn text(&self, id: TextId) -> Result<Text, Wrong> {
        self.texts.text(&self.connection, id).map_err(|e| format!("text {id}: {e}"))
    }
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
        bits: read_bits(columns)?,
        hardware: Vec::new(),
    }))
}

fn read_bits(columns: &Columns<'_>) -> Result<Option<BitCounts>, Wrong> {
    let Some(model_bits) = columns.number_if_there(25)? else { return Ok(None) };
    Ok(Some(BitCounts {
        model_bits,
        bit_operations: columns.number(26)?,
        effective_bit_operations: columns.number(27)?,
        weight_bits: columns.number(28)?,
        activation_bits: columns.number(29)?,
        outputs: columns.number(30)?,
    }))
}

fn read_spent(columns: &Columns<'_>) -> Result<Option<Spent>, Wrong> {
    let Some(compute_j) = columns.get(12)? else { return Ok(None) };
    Ok(Some(Spent { compute_j, conversion_j: columns.get(13)?, memory_j: columns.get(14)? }))
}
