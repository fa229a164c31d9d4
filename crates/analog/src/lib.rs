//! The class-B analog MAC engine.
//!
//! The main type is [`AnalogArray`]: weight-stationary arrays of cells, a weight in each. A cycle applies one input vector
//! to one tile of the layer's weights on each array; every cell adds its amplitude times its input to the partial sum of
//! its column, and partial sums of tiles are added in digital. The output stage of a class-B circuit draws current only as
//! its signal demands, so a cell spends energy in proportion to the square of the amplitude it drives, a pruned one none.
//!
//! [`Departures`] is what sets a real array apart: each departure has a name, vanishes at its default, and has a ledger
//! entry of its own where it costs energy. Wires and converters are no circuits here: first-order effects on counts,
//! cycles and sums, and nothing that depends on time.
//!
//! The engine exists twice. [`AnalogArray`] itself factors repetition out: every weight is used once for each output
//! position. [`SteppedArray`] goes through the cycles and counts MAC by MAC. Both agree in every count and every bit of
//! the outputs; read noise alone is drawn differently, from the same distribution.

mod array;
mod converters;
mod cost;
mod departures;
mod gaussian;
mod held;
mod physical;
mod pipeline;
mod stepped;
mod tiling;

pub use array::{AnalogArray, AnalogError};
pub use departures::{Adc, Bias, Dac, Departures, Law, Noise, Reference, Resolution, WeightLaw};
pub use stepped::{Column, SteppedArray};
