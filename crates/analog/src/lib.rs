//! An analog MAC engine of class B: arrays of cells that hold a weight each and add their products on a wire.
//!
//! The main type is [`AnalogArray`]: arrays that keep the weights of a layer where they are, one weight in each cell.
//! In a cycle each array applies one input vector to one tile of the layer's weights. Every cell adds its amplitude
//! times its input to the partial sum of its column, and the partial sums of tiles are added by digital adders. The
//! output stage of a class-B circuit draws current only as its signal demands. A cell therefore spends energy in
//! proportion to the square of the amplitude that it drives, and a pruned one none.
//!
//! ```
//! use analog::{AnalogArray, Bias, Departures, Noise, Reference};
//! use engine::{Activations, Cycles, Event, Joules, Layer, MacEngine, Occupancy};
//! use esn::{CodeTensor, Grid};
//! use network::{Geometry, GeometrySpec};
//!
//! // Two filters over three channels at four output positions, on one array of 2 × 2 cells.
//! let array = AnalogArray::new("2 x 2 cells", Some(2), Some(2), 1, Joules(1.0))?;
//! let geometry = Geometry::new(GeometrySpec::convolution(3, 2, [1, 1], [1, 4]))?;
//! let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), vec![3, 0, -1, 1, 5, 0])?;
//! let layer = Layer::new("conv1", &geometry, &codes)?;
//!
//! let run = array.run(&layer)?;
//! assert_eq!(run.cycles, Cycles(4 * 2)); // three rows make two tiles
//! assert_eq!(run.occupancy, Occupancy { used: 4 * 6, offered: 8 * 4 }); // cell-cycles
//! assert_eq!(run.ledger.count(Event::MAC), 4 * (3 * 3 + 1 + 1 + 5 * 5));
//! assert_eq!(run.ledger.energy(), Joules(144.0));
//!
//! // In class A each of the six cells burns the energy of the largest weight in every MAC.
//! let bias = Bias { quiescent: 1.0, reference: Reference::Layer };
//! let class_a = array.clone().with(Departures { bias, ..Departures::default() })?;
//! assert_eq!(class_a.run(&layer)?.ledger.energy(), Joules(4.0 * 6.0 * 25.0));
//!
//! // Cells are not programmed exactly. Two seeds are two chips of one design: they cost the same, but err differently.
//! let noise = Noise { seed: 7, programming: 0.1, ..Noise::default() };
//! let chip = array.with(Departures { noise, ..Departures::default() })?;
//! let other = chip.randomness().expect("programming is random").reseeded(8);
//! assert_eq!(chip.run(&layer)?, other.run(&layer)?);
//! let input = Activations::Real(&[1.0; 12]);
//! assert_ne!(chip.prepare(&layer)?.forward(input)?, other.prepare(&layer)?.forward(input)?);
//! // There is no read noise that its stepped machine would draw anew, so that both machines give the same.
//! let stepped = chip.stepped().expect("the arrays exist cycle by cycle").step(&layer, input)?;
//! assert_eq!((stepped.run, stepped.outputs), (chip.run(&layer)?, chip.prepare(&layer)?.forward(input)?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decision behind the crate: the engine exists twice. [`AnalogArray`] itself factors repetition out, for every
//! weight is used once for each output position. [`SteppedArray`] goes through the cycles and counts MAC by MAC. Both
//! agree in every count and in every bit of the outputs. Read noise alone is drawn differently, from the same
//! distribution.
//!
//! [`Departures`] is what sets a real array apart from the ideal. Each departure has a name, vanishes at its default,
//! and has a ledger entry of its own where it costs energy.
//!
//! What is left out: wires and converters are no circuits here, but first-order effects on counts, cycles and sums.
//! Nothing depends on time: there is no drift, no settling and no temperature.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! error.rs        what can be wrong with a description
//! departures.rs   what sets real arrays apart from the ideal
//! cells.rs        columns of bits, energies of a step, rows that are driven by pulses
//! spec.rs         what the hardware is
//! event.rs        what costs energy
//! idle.rs         why cells do no work
//! input.rs        activations, checked
//! gaussian.rs     random numbers that are a function of a key and an index
//! tiling.rs       a layer cut into tiles of the size of an array
//! law.rs          the energy of a cell in one MAC
//! physical.rs     the cells that a layer fills
//! converters.rs   what converters make of numbers
//! pipeline.rs     an input vector on its way through converters and array
//! traffic.rs      what moves between arrays and memory
//! account.rs      from counts to a run
//! cost.rs         the counts of a layer, with repetition factored out
//! integers.rs     sums of columns where all that is added are integers
//! held.rs         the outputs of a layer, for speed
//! stepped.rs      the arrays cycle by cycle
//! array.rs        the arrays as a MAC engine
//! ```

#![forbid(unsafe_code)]
// A case that is added must be decided wherever something is computed by cases.
#![warn(clippy::wildcard_enum_match_arm)]

mod account;
mod array;
mod cells;
mod converters;
mod cost;
mod departures;
mod error;
pub mod event;
mod gaussian;
mod held;
pub mod idle;
mod integers;
mod law;
mod physical;
mod pipeline;
mod spec;
mod stepped;
mod tiling;
mod traffic;

pub use array::AnalogArray;
pub use cells::{Coding, Columns, Pulses, StepEnergy};
pub use departures::{Adc, Bias, Dac, Departures, Law, Memory, Noise, Reference, Resolution, WeightLaw};
pub use error::AnalogError;
pub use stepped::SteppedArray;
