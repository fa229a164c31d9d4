//! A digital MAC array of variable bit width: hardware whose time and energy follow the bit widths of the weights.
//!
//! The main type is [`DigitalArray`], whose documentation has an example. Rows of processing elements (PEs) each
//! consume one bit plane of a weight a cycle and add ±x·2^b to their accumulators. A weight of `n` planes therefore
//! takes `n` cycles, and a pruned weight none. The number of planes comes from the encoder of this crate, [`Planes`],
//! and from nothing else: the crate `runner` compares the counts with the metric of the crate `esn`, whose formulas are
//! never called here.
//!
//! The decision behind the crate: the array exists twice. [`DigitalArray`] counts with repetition factored out.
//! [`SteppedArray`] advances every row and element cycle by cycle, with its arithmetic. Both give the same cycles,
//! ledger, occupancy and idle causes.
//!
//! [`Departures`] is what sets a real array apart from the ideal; by default there are none. A departure may be widths
//! that hardware does not offer, zeros that it cannot skip, rows that wait, pipelines that fill, indices, control, idle
//! elements or traffic. Each has a ledger entry or an idle cause of its own.
//!
//! What is left out: leakage beyond that of idle elements, and the time that traffic takes.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! error.rs                 what can be wrong with a description
//! planes.rs                the bit planes of a weight
//! spec.rs, departures.rs   what the hardware is; what sets it apart from the ideal
//! event.rs                 what costs energy, and what saves it
//! idle.rs                  why elements do no work
//! input.rs                 activations, checked and padded
//! live.rs                  input channels with a nonzero weight
//! encoding.rs              how many planes of a weight are executed, and how many the ideal would execute
//! storage.rs               weights as they lie in memory
//! schedule.rs              which row computes which filters
//! traffic.rs               the input as it lies in memory
//! account.rs               from counts to a run
//! fast/                    the counts of a layer, with repetition factored out
//! prepared.rs              the outputs of a layer, for speed
//! stepped/                 the array cycle by cycle
//! array.rs                 the array as a MAC engine
//! ```

#![forbid(unsafe_code)]
// A case that is added must be decided wherever something is computed by cases.
#![warn(clippy::wildcard_enum_match_arm)]

mod account;
mod array;
mod departures;
mod encoding;
mod error;
pub mod event;
mod fast;
pub mod idle;
mod input;
mod live;
mod pattern;
mod planes;
mod prepared;
mod schedule;
mod spec;
mod stepped;
mod storage;
mod traffic;

pub use array::DigitalArray;
pub use departures::{
    Barrier, Buffers, DepartureEnergies, Departures, Element, MAX_PATTERN, PlaneSkipping, Schedule, ZeroActivations,
    ZeroSkipping,
};
pub use error::DigitalError;
pub use planes::Planes;
pub use spec::{ArraySpec, Granularity};
pub use stepped::{ProcessingElement, Row, SteppedArray};
pub use storage::WIDTH_FIELD_BITS;
