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
//! What sets a real array apart, [`Departures`], is none by default: widths that hardware offers, zeros that it cannot
//! skip, rows that wait, pipelines that fill, indices, control, idle elements and traffic, each with a ledger entry or an
//! idle cause of its own. Left out: leakage beyond that of idle elements, and the time that traffic takes.

mod account;
mod array;
mod departures;
mod encoding;
mod fast;
mod input;
mod live;
mod planes;
mod prepared;
mod schedule;
mod stepped;
mod traffic;

pub use account::{
    ACTIVATION_FETCH_ENTRY, ARRAY_CONTROL_ENTRY, COMPUTED_ZEROS_ENTRY, IDLE_ENTRY, INDEX_DECODING, INDEX_ENTRY,
    PARTIAL_SUM_ENTRY, PIPELINE_FILL, POSITION_TAIL, ROW_CONTROL_ENTRY, ROW_FINISHED_EARLY, SKIPPED_PLANES_ENTRY,
    SYNCHRONIZATION, WEIGHT_FETCH_ENTRY, WIDTH_ROUNDING_ENTRY, ZERO_ACTIVATION, ZERO_ACTIVATION_ENTRY,
};
pub use array::{ArraySpec, DigitalArray, DigitalError, Granularity};
pub use departures::{
    Barrier, Buffers, DepartureEnergies, Departures, Element, PlaneSkipping, Schedule, ZeroActivations, ZeroSkipping,
};
pub use planes::Planes;
pub use stepped::{ProcessingElement, Row, SteppedArray};
