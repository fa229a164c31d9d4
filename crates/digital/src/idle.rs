//! Why elements do no work in a cycle. The unit of each cause is a PE-cycle.

use engine::IdleCause;

/// The element has no position in the last group of a filter.
pub const POSITION_TAIL: IdleCause = IdleCause::new("position tail");

/// The row is done, or never had a filter, while another row still works.
pub const ROW_FINISHED_EARLY: IdleCause = IdleCause::new("row finished early");

/// The row waits at a barrier.
pub const SYNCHRONIZATION: IdleCause = IdleCause::new("synchronization");

/// The pipeline of the row fills.
pub const PIPELINE_FILL: IdleCause = IdleCause::new("pipeline fill");

/// The row decodes where a nonzero weight stands.
pub const INDEX_DECODING: IdleCause = IdleCause::new("index decoding");

/// The element is gated off because its activation is 0.
pub const ZERO_ACTIVATION: IdleCause = IdleCause::new("zero activation");
