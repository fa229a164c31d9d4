//! What a stepped machine shows of itself while it runs.

use crate::event::IdleCause;

/// The parts of a machine that work on a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The lanes that have work at some time, by their index, in ascending order. A lane is a row of processing
    /// elements in a digital array, and the column of a filter in an analog one.
    pub lanes: Vec<usize>,
    /// The most elements that a lane puts to work at once: processing elements of a row, or cells of a column.
    pub elements: usize,
    /// The stages that an input vector passes through, in order. None where a lane does its work in one cycle.
    pub stages: Vec<&'static str>,
}

/// What an observer wants to see of a machine as a cycle begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Lanes by their index.
    pub lanes: Vec<usize>,
    /// Elements of each lane, the first ones.
    pub elements: usize,
}

/// What a lane does in a cycle, and what it holds as the cycle begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Lane {
    /// It multiplies and accumulates.
    Busy(LaneWork),
    /// It has work and does none of it, for a cause.
    Stalled(LaneWork, IdleCause),
    /// It has no work. The cause is none where the hardware works all the same, as on other filters.
    Free(Option<IdleCause>),
}

impl Lane {
    /// A lane with work, and the cause for which it does none of it in the cycle, if there is one.
    pub fn with(work: LaneWork, cause: Option<IdleCause>) -> Self {
        match cause {
            None => Lane::Busy(work),
            Some(cause) => Lane::Stalled(work, cause),
        }
    }

    /// The work that the lane has.
    pub fn work(&self) -> Option<&LaneWork> {
        match self {
            Lane::Busy(work) | Lane::Stalled(work, _) => Some(work),
            Lane::Free(_) => None,
        }
    }

    /// Why the lane does no work in the cycle.
    pub fn idle_cause(&self) -> Option<IdleCause> {
        match self {
            Lane::Busy(_) => None,
            Lane::Stalled(_, cause) => Some(*cause),
            Lane::Free(cause) => *cause,
        }
    }

    /// Whether the lane multiplies in the cycle.
    pub fn is_busy(&self) -> bool {
        matches!(self, Lane::Busy(_))
    }
}

/// The work of a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneWork {
    /// The filter that the lane computes.
    pub filter: usize,
    /// The output position of the lane's first element, over all repeats.
    pub position: usize,
    /// The weight of the lane's first element: its index in the filter, `[channels, taps]`. A lane that is stalled
    /// before its work shows the weight that is next, and one that waits behind it the last one.
    pub weight: usize,
    /// What the elements multiply.
    pub elements: Elements,
}

/// The elements of a lane, the first ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// All elements take the same weight, and each has an output position and a sum of its own. The digital array
    /// works so.
    OneWeight {
        /// The code of the weight.
        code: i32,
        /// How many weights the cycle takes. Where it takes several, only the first of them is shown.
        weights: u32,
        /// The first bit plane of the weight that the cycle takes, counted from 0 among those that are executed.
        plane: u32,
        /// What the bit planes of the weight that the cycle takes add up to, in half-steps of the weight grid.
        plane_value: i64,
        /// Neighbours work on neighbouring positions.
        elements: Vec<ProcessingElement>,
    },
    /// Each element has a weight of its own, and all of them add to one sum. The analog array works so.
    OneSum {
        /// Neighbours hold neighbouring weights.
        cells: Vec<Cell>,
        /// The sum as the cycle begins, in steps of the weight grid.
        accumulator: f32,
    },
}

/// An element that multiplies integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessingElement {
    /// The activation that belongs to the weight; 0 on padding.
    pub activation: i32,
    /// What the cycle adds to the accumulator, in half-steps of the weight grid: the products of all weights that it takes.
    /// A lane that is stalled adds 0.
    pub product: i64,
    /// The sum as the cycle begins, in half-steps of the weight grid.
    pub accumulator: i64,
}

/// An element that multiplies real numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The code of its weight.
    pub code: i32,
    /// What drives the row of the cell: the activation, or its part in this step; 0 on padding.
    pub activation: f32,
    /// What the cell adds to its column in the cycle, in steps of the weight grid, before noise of reading.
    pub product: f32,
}

/// An input vector in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageWork {
    /// The output position that it belongs to, over all repeats.
    pub position: usize,
    /// Which step of the input it is, from 0 on.
    pub step: u32,
    /// Whether the stage is done with it and the next stage not free.
    pub waits: bool,
}
