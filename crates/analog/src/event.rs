//! What the arrays spend energy on beside [`engine::Event::MAC`]. Each event is one of a departure from the ideal.

use engine::Event;

/// Quiescent energy of cells, in 2^-20 of the energy of a MAC of ±1.
pub const BIAS: Event = Event::new("bias");

/// Digital-to-analog conversions of rows.
pub const DAC: Event = Event::conversion("dac");

/// Analog-to-digital conversions of columns.
pub const ADC: Event = Event::conversion("adc");

/// Digital additions of conversions that belong to the same output.
pub const ADDITION: Event = Event::new("addition");

/// Steps of cells of a filter that hold no bit of a nonzero weight: zeros, bits that other weights need, accumulators.
pub const OTHER_CELLS: Event = Event::new("other cells");

/// Steps of cells that belong to no filter, while their array is read.
pub const IDLE_CELLS: Event = Event::new("idle cells");

/// Steps of arrays.
pub const ARRAY: Event = Event::new("array steps");

/// Pulses on rows.
pub const PULSES: Event = Event::conversion("input pulses");

/// Pulses that are taken in at columns.
pub const INTEGRATION: Event = Event::conversion("integration");

/// Outputs that are rounded and handed on.
pub const OUTPUT: Event = Event::new("output");

/// Bits of activations that are fetched.
pub const ACTIVATION_FETCH: Event = Event::memory("activation fetch");

/// Bits of partial sums that are moved.
pub const PARTIAL_SUMS: Event = Event::memory("partial sums");
