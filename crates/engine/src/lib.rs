//! What every MAC engine must do, and what its runs are counted in.
//!
//! A MAC engine is a model of hardware that multiplies and accumulates. It is given one quantized layer at a time,
//! counts what its circuit does, and computes what its circuit would compute. The main type is the trait [`MacEngine`];
//! the crates `analog` and `digital` implement it.
//!
//! ```
//! use engine::kernel::IntegerConv;
//! use engine::{
//!     Activations, Arithmetic, Cycles, EngineError, Event, Joules, Layer, LayerRun, Ledger, MacEngine, Occupancy,
//!     Outputs, PreparedLayer, WeightFormat, WeightMemory,
//! };
//! use esn::{CodeTensor, Grid};
//! use network::{Geometry, GeometrySpec};
//!
//! /// The plainest hardware: one multiplier, which takes a cycle and 2 J for every MAC. It has no stepped machine and
//! /// nothing random.
//! struct Multiplier;
//!
//! impl MacEngine for Multiplier {
//!     fn name(&self) -> &str {
//!         "one multiplier"
//!     }
//!
//!     fn arithmetic(&self) -> Arithmetic {
//!         Arithmetic::Integer
//!     }
//!
//!     fn weight_format(&self) -> WeightFormat {
//!         WeightFormat::Dense
//!     }
//!
//!     fn run(&self, layer: &Layer<'_>) -> Result<LayerRun, EngineError> {
//!         let macs = layer.geometry().macs();
//!         let mut ledger = Ledger::new();
//!         ledger.add(Event::MAC, macs, Joules(2.0));
//!         let occupancy = Occupancy { used: macs, offered: macs };
//!         let memory = WeightMemory::dense(layer.weights());
//!         Ok(LayerRun { cycles: Cycles(macs), ledger, occupancy, idle: Vec::new(), memory })
//!     }
//!
//!     fn prepare(&self, layer: &Layer<'_>) -> Result<Box<dyn PreparedLayer>, EngineError> {
//!         Ok(Box::new(Held { layer: layer.name().to_string(), sums: IntegerConv::new(layer)? }))
//!     }
//! }
//!
//! /// A layer in the multiplier: the exact kernel that engines share.
//! struct Held {
//!     layer: String,
//!     sums: IntegerConv,
//! }
//!
//! impl PreparedLayer for Held {
//!     fn forward(&self, input: Activations<'_>) -> Result<Outputs, EngineError> {
//!         match input {
//!             Activations::Integer(input) => Ok(Outputs::Integer(self.sums.forward(input)?)),
//!             Activations::Real(_) => {
//!                 Err(EngineError::Arithmetic { layer: self.layer.clone(), expected: Arithmetic::Integer })
//!             }
//!         }
//!     }
//! }
//!
//! // One filter over two channels, at three output positions. The weights are 1.5 and −0.5 steps.
//! let geometry = Geometry::new(GeometrySpec::convolution(2, 1, [1, 1], [1, 3]))?;
//! let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), vec![3, -1])?;
//! let layer = Layer::new("conv1", &geometry, &codes)?;
//!
//! let run = Multiplier.run(&layer)?;
//! assert_eq!((run.cycles, run.ledger.energy()), (Cycles(6), Joules(12.0)));
//!
//! // What it computes, in half-steps.
//! let sums = Multiplier.prepare(&layer)?.forward(Activations::Integer(&[1, 2, 3, 10, 20, 30]))?;
//! assert_eq!(sums, Outputs::Integer(vec![3 - 10, 3 * 2 - 20, 3 * 3 - 30]));
//! assert!(Multiplier.randomness().is_none() && Multiplier.stepped().is_none());
//! assert!(!Multiplier.cost_depends_on_input());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decision behind the crate: an engine never calls the formulas of the metric. The crate `runner` compares the
//! counts of an engine with the metric, and the comparison proves something only because the two share no formula.
//! Counts are integers; energy is the sum of count × unit, formed and rounded once, at the end.
//!
//! What is left out: an engine reads no file, prints nothing, and keeps no state from one layer to the next.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! event.rs             the kinds of what a run counts
//! exact.rs             sums that are rounded once
//! ledger.rs            energy and cycles, and the ledger of a run
//! run.rs               what an engine counts: cycles, ledger, occupancy
//! weights.rs           weights in memory: formats, and bits that they take
//! arithmetic.rs        what an engine computes on: activations and outputs
//! error.rs             why an engine cannot run a layer
//! layer.rs             what an engine is given
//! lane.rs              what a stepped machine shows of itself
//! stepped.rs           an engine cycle by cycle
//! contract.rs          the trait of an engine, and what it may offer
//! kernel/lowering.rs   where the weights of a layer find their inputs
//! kernel/sweep.rs      the loops around a kernel
//! kernel/portable.rs   the innermost loop in safe Rust
//! kernel/x86.rs        the innermost loop in vector instructions; all unsafe code of this crate
//! kernel/integer.rs    exact integer convolution
//! kernel/real.rs       convolution of floats, in the order of an analog array
//! ```

// A case that is added must be decided wherever something is computed by cases.
#![warn(clippy::wildcard_enum_match_arm)]

mod arithmetic;
mod contract;
mod error;
mod event;
mod exact;
pub mod kernel;
mod lane;
mod layer;
mod ledger;
mod run;
mod stepped;
mod weights;

pub use arithmetic::{Activations, Arithmetic, Outputs};
pub use contract::{Conversions, MacEngine, PreparedLayer, Randomness};
pub use error::EngineError;
pub use event::{EnergyGroup, Event, IdleCause};
pub use lane::{Cell, Elements, Lane, LaneWork, Parts, ProcessingElement, StageWork, View};
pub use layer::Layer;
pub use ledger::{Cycles, Entry, Joules, Ledger};
pub use run::{LayerRun, Occupancy};
pub use stepped::{Observer, Silent, SteppedEngine, SteppedRun};
pub use weights::{StoredWeights, WeightFormat, WeightMemory};
