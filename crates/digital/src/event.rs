//! What an array counts beside [`engine::Event::MAC`]. Each event is one of a departure from the ideal.

use engine::Event;

/// Planes beyond those of the weight, where the metric is ESN_d, or beyond those of its filter, where it is ESN'_d.
pub const WIDTH_ROUNDING: Event = Event::new("width rounding");

/// Planes of zeros that the ideal skips.
pub const COMPUTED_ZEROS: Event = Event::new("computed zeros");

/// Planes that the ideal executes and plane skipping saves. They spend no energy.
pub const SKIPPED_PLANES: Event = Event::new("skipped planes");

/// Planes that the ideal executes on activations that are 0, and that are saved. They spend no energy.
pub const ON_ZERO_ACTIVATIONS: Event = Event::new("planes on zero activations");

/// Idle PE-cycles.
pub const IDLE: Event = Event::new("idle");

/// Bits of decoded indices.
pub const INDEX: Event = Event::new("index");

/// Cycles of the control of the array.
pub const ARRAY_CONTROL: Event = Event::new("array control");

/// Cycles of the control of rows.
pub const ROW_CONTROL: Event = Event::new("row control");

/// Bits of weights and indices that are fetched.
pub const WEIGHT_FETCH: Event = Event::memory("weight fetch");

/// Bits of activations that are fetched.
pub const ACTIVATION_FETCH: Event = Event::memory("activation fetch");

/// Bits of partial sums that are moved.
pub const PARTIAL_SUMS: Event = Event::memory("partial sums");
