//! The contract of a MAC engine, and what its runs are counted in.
//!
//! The main type is the trait [`MacEngine`]. An engine is hardware: it is given one quantized layer at a time, counts what
//! its circuit does, and computes what its circuit would. It reads no file, prints nothing, and never calls the formulas
//! of the metric: the runner compares the two, and the comparison means something only because of that.
//!
//! Counts are integers; energy is count × unit, formed once, at the end.

mod contract;
pub mod kernel;
mod lane;
mod ledger;

pub use contract::{
    Activations, EngineError, Layer, LayerRun, MAC_ENTRY, MacEngine, Observer, Occupancy, Outputs, PreparedLayer,
    Silent, SteppedRun,
};
pub use lane::{Lane, LaneSums};
pub use ledger::{Cycles, Entry, Joules, Ledger};
