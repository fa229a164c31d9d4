//! What every MAC engine must do, and what its runs are counted in.
//!
//! A MAC engine is a model of hardware that multiplies and accumulates. It is given one quantized layer at a time,
//! counts what its circuit does, and computes what its circuit would compute. The main type is the trait [`MacEngine`];
//! the crates `analog` and `digital` implement it.
//!
//! ```
//! use engine::kernel::IntegerConv;
//! use engine::{Cycles, Event, Joules, Layer, LayerRun, Ledger, Occupancy};
//! use esn::{CodeTensor, Grid};
//! use network::{Geometry, GeometrySpec};
//!
//! /// What the plainest hardware counts: one multiplier, which takes a cycle and 2 J for every MAC.
//! fn run(layer: &Layer<'_>) -> LayerRun {
//!     let macs = layer.geometry().macs();
//!     let mut ledger = Ledger::new();
//!     ledger.add(Event::MAC, macs, Joules(2.0));
//!     LayerRun { cycles: Cycles(macs), ledger, occupancy: Occupancy { used: macs, offered: macs }, idle: Vec::new() }
//! }
//!
//! // One filter over two channels, at three output positions. The weights are 1.5 and −0.5 steps.
//! let geometry = Geometry::new(GeometrySpec::convolution(2, 1, [1, 1], [1, 3]))?;
//! let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), vec![3, -1])?;
//! let layer = Layer::new("conv1", &geometry, &codes)?;
//!
//! let run = run(&layer);
//! assert_eq!((run.cycles, run.ledger.energy()), (Cycles(6), Joules(12.0)));
//!
//! // What it computes, in half-steps: an exact kernel that engines share.
//! let sums = IntegerConv::new(&layer)?.forward(&[1, 2, 3, 10, 20, 30])?;
//! assert_eq!(sums, [3 - 10, 3 * 2 - 20, 3 * 3 - 30]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decision behind the crate: an engine never calls the formulas of the metric. The crate `runner` compares the
//! counts of an engine with the metric, and the comparison proves something only because the two share no formula.
//! Counts are integers; energy is count × unit, formed once, at the end.
//!
//! What is left out: an engine reads no file, prints nothing, and keeps no state from one layer to the next.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! arithmetic.rs        what an engine computes on: activations and outputs
//! event.rs             the kinds of what a run counts
//! ledger.rs            energy and cycles, and the ledger of a run
//! lane.rs              what a stepped machine shows of itself
//! contract.rs          a layer, the trait of an engine, errors
//! kernel/lowering.rs   where the weights of a layer find their inputs
//! kernel/sweep.rs      the loops around a kernel
//! kernel/portable.rs   the innermost loop in safe Rust
//! kernel/x86.rs        the innermost loop in vector instructions; all unsafe code of this crate
//! kernel/integer.rs    exact integer convolution
//! kernel/real.rs       convolution of floats, in the order of an analog array
//! ```

mod arithmetic;
mod contract;
mod event;
pub mod kernel;
mod lane;
mod ledger;

pub use arithmetic::{Activations, Arithmetic, Outputs};
pub use contract::{
    EngineError, Layer, LayerRun, MacEngine, Observer, Occupancy, PreparedLayer, Randomness, Silent, SteppedRun,
};
pub use event::{Event, IdleCause};
pub use lane::{Lane, LaneSums};
pub use ledger::{Cycles, Entry, Joules, Ledger};
