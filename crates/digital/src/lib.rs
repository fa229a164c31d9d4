//! The variable-bit digital MAC array: ideal hardware whose time and energy follow the bit widths of the weights.
//!
//! The main type is [`DigitalArray`]. Rows of processing elements (PEs) each consume one bit plane of a weight a cycle
//! and add ±x·2^b to their accumulators, so a weight of `n` planes takes `n` cycles and a pruned weight none. The number
//! of planes comes from the encoder of this crate, [`Planes`], and from nothing else: the runner compares the counts with
//! the metric of the crate `esn`, whose formulas are never called here.
//!
//! The array exists twice: [`DigitalArray`] counts with repetition factored out, [`SteppedArray`] advances every row and
//! PE cycle by cycle with its arithmetic. Both give the same cycles, ledger, occupancy and idle causes.
//!
//! Left out, because the array is ideal: memories and their traffic, the filling of pipelines, the control of the rows,
//! and the cost of reading an accumulator out.

mod array;
mod fast;
mod input;
mod live;
mod planes;
mod prepared;
mod stepped;

pub use array::{ArraySpec, DigitalArray, DigitalError, Granularity, POSITION_TAIL, ROW_FINISHED_EARLY};
pub use planes::Planes;
pub use stepped::{ProcessingElement, Row, SteppedArray};
