//! The result of one point, as it stands in a store.

use std::sync::Arc;

use esn::Quarters;
use runner::{BitCounts, Score};

use crate::configuration::{Configuration, Method};
use crate::key::PointKey;

/// How a point ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The point has every figure that was asked for.
    Done,
    /// The point has a reason why it failed, and the figures that were there by then.
    Failed,
}

impl Status {
    /// The word in the store.
    pub fn name(self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Failed => "failed",
        }
    }
}

/// The result of one point.
#[derive(Clone, Debug, PartialEq)]
pub struct PointRow {
    /// Hash of everything that the result depends on.
    pub key: PointKey,
    /// The network's name in the plan.
    pub network: String,
    /// Everything that the result depends on.
    pub configuration: Configuration,
    /// Version of the program.
    pub version: String,
    /// What pruning and quantization had to say, one line each.
    pub notes: Vec<String>,
    /// Why the point failed; none where it did not.
    pub error: Option<String>,
    /// What the point costs; none where it failed before that was known.
    pub costs: Option<PointCosts>,
    /// How accurate the point is; none without images, and where the point failed before that was known.
    pub accuracy: Option<PointAccuracy>,
}

impl PointRow {
    /// How the point ended.
    pub fn status(&self) -> Status {
        if self.error.is_some() { Status::Failed } else { Status::Done }
    }
}

/// What a point is judged by: its row without texts of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct PointFigures {
    /// Hash of everything that the result depends on.
    pub key: PointKey,
    /// How the point ended.
    pub status: Status,
    /// Which of the paper's three ways it is.
    pub method: Method,
    /// The network's name in the plan.
    pub network: Arc<str>,
    /// What the point costs. Its lists by bits are empty.
    pub costs: Option<PointCosts>,
    /// How accurate the point is.
    pub accuracy: Option<PointAccuracy>,
}

impl PointFigures {
    /// Whether the point is done and has costs: such points are compared.
    pub fn is_costed(&self) -> bool {
        self.status == Status::Done && self.costs.is_some()
    }
}

impl From<&PointRow> for PointFigures {
    fn from(row: &PointRow) -> Self {
        let without_lists =
            |costs: &PointCosts| PointCosts { filter_bits: Vec::new(), weight_bits: Vec::new(), ..costs.clone() };
        Self {
            key: row.key,
            status: row.status(),
            method: row.configuration.method(),
            network: row.network.as_str().into(),
            costs: row.costs.as_ref().map(without_lists),
            accuracy: row.accuracy.clone(),
        }
    }
}

/// A point in one line of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSummary {
    /// What it is judged by.
    pub figures: PointFigures,
    /// Its configuration in a few words.
    pub label: Arc<str>,
    /// [`Configuration::layers_json`].
    pub layers: Arc<str>,
    /// Why it failed, if it did.
    pub error: Option<Arc<str>>,
    /// What pruning and quantization had to say.
    pub notes: Vec<Arc<str>>,
}

impl From<&PointRow> for PointSummary {
    fn from(row: &PointRow) -> Self {
        Self {
            figures: row.into(),
            label: row.configuration.label().into(),
            layers: row.configuration.layers_json().into(),
            error: row.error.as_deref().map(Arc::from),
            notes: row.notes.iter().map(|note| note.as_str().into()).collect(),
        }
    }
}

/// What a point costs, for one image. In the names of ESN, `macs` means `c` = output positions; without it `c = 1`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointCosts {
    /// Weights, pruned ones too.
    pub weights: u128,
    /// Weights that are not pruned.
    pub nonzero: u128,
    /// Filters.
    pub filters: u128,
    /// Filters with a weight that is not pruned.
    pub live_filters: u128,
    /// Multiply-accumulates of the dense layers.
    pub macs: u128,
    /// Weights of filters and input channels that are not pruned: what equation (7) computes.
    pub weights_alive: u128,
    /// Multiply-accumulates of those weights.
    pub macs_alive: u128,
    /// Multiply-accumulates of weights that are not pruned; none in a store that was made before they were counted.
    pub effective_macs: Option<u128>,
    /// Equation (2), `c = 1`.
    pub esn_a: Quarters,
    /// Equation (3), `c = 1`.
    pub esn_d: u128,
    /// Equation (2), `c` = positions.
    pub esn_a_macs: Quarters,
    /// Equation (3), `c` = positions.
    pub esn_d_macs: u128,
    /// Equation (7).
    pub esn_d_filter: u128,
    /// Bits of the widest weight.
    pub max_bits: u32,
    /// Filters by the bits of their widest weight, from 0 (pruned) to 17.
    pub filter_bits: Vec<u64>,
    /// Weights by their bits, from 0 (pruned) to 17.
    pub weight_bits: Vec<u64>,
    /// Bits that the point holds, multiplies and moves; none in a store that was made before they were counted.
    pub bits: Option<BitCounts>,
    /// What each hardware counted, in the order of the plan.
    pub hardware: Vec<HardwareRow>,
}

impl PointCosts {
    /// What the hardware of this name counted.
    pub fn on(&self, hardware: &str) -> Option<&HardwareRow> {
        self.hardware.iter().find(|row| &*row.name == hardware)
    }
}

/// What one hardware counted.
#[derive(Clone, Debug, PartialEq)]
pub struct HardwareRow {
    /// Name of the hardware.
    pub name: Arc<str>,
    /// The metric that the hardware is compared with: `ESN_a`, `ESN_d`, `ESN'_d`.
    pub metric: Arc<str>,
    /// The outcome of the comparison: `pass`, `fail`, `gap`, `not-ideal`.
    pub verdict: Arc<str>,
    /// Latency of one image.
    pub cycles: u128,
    /// Units of the ledger's MAC entry.
    pub energy_count: u128,
    /// Energy of one image in joules, all entries of the ledger.
    pub energy_j: f64,
    /// What this energy is spent on; none in a store that was made before this was kept.
    pub spent: Option<Spent>,
    /// Work done over work offered.
    pub utilization: f64,
    /// How the hardware did on the images, where it ran them.
    pub score: Option<Score>,
    /// Images on which the hardware and the float network name the same class.
    pub agreement: Option<u64>,
}

/// What an energy is spent on, in joules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// On computing: multiplying, adding, and what controls it.
    pub compute_j: f64,
    /// On conversion between numbers and voltages or currents.
    pub conversion_j: f64,
    /// On moving weights, activations and partial sums.
    pub memory_j: f64,
}

impl Spent {
    /// What the arrays and their converters spend, without memory.
    pub fn array_j(self) -> f64 {
        self.compute_j + self.conversion_j
    }
}

/// How a point did on the images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointAccuracy {
    /// How many images were run.
    pub images: u64,
    /// How the engines on integers did; all of them compute the same sums.
    pub score: Score,
    /// Images on which these engines and the float network before compression name the same class.
    pub agreement: u64,
    /// How the float network before compression did.
    pub float: Score,
}
