//! What the cost of a layer depends on.

use std::borrow::Cow;

use engine::{EngineError, Layer};

use crate::departures::Departures;
use crate::encoding::Encoding;
use crate::spec::ArraySpec;
use crate::storage::Storage;

/// One layer on one array: what each part of the cost is computed from.
pub(super) struct Setting<'a> {
    pub(super) spec: &'a ArraySpec,
    /// The departures as they hold for the layer.
    pub(super) departures: Cow<'a, Departures>,
    /// The departures of the array.
    pub(super) described: &'a Departures,
    pub(super) layer: &'a Layer<'a>,
    pub(super) encoding: Encoding,
    /// Which input channels have a nonzero weight, `[groups, channels]`; empty where no rule asks for them.
    pub(super) live: Vec<bool>,
    pub(super) storage: Storage,
    pub(super) positions: u128,
    /// Groups of positions, which are the same number for every filter.
    pub(super) groups: u128,
}

impl<'a> Setting<'a> {
    pub(super) fn new(
        spec: &'a ArraySpec,
        described: &'a Departures,
        layer: &'a Layer<'a>,
    ) -> Result<Self, EngineError> {
        let departures = described.of_layer(layer.weights());
        let encoding = Encoding::new(spec, &departures, layer)?;
        let live = encoding.live(layer.weights());
        let storage = Storage::new(&departures, &encoding, layer.weights(), &live);
        let positions = u128::from(layer.geometry().positions());
        let groups = positions.div_ceil(spec.pes_per_row as u128);
        Ok(Self { spec, departures, described, layer, encoding, live, storage, positions, groups })
    }

    /// Elements of a row that have no position in the last group.
    pub(super) fn tail(&self) -> u128 {
        self.groups * self.spec.pes_per_row as u128 - self.positions
    }
}
