//! Why cells of a tile hold no weight.

use engine::IdleCause;

/// The row is past the last row of the layer's lowered matrix.
pub const ROW_EDGE: IdleCause = IdleCause::new("row edge");

/// The row holds weights, but the column is past the last column.
pub const COLUMN_EDGE: IdleCause = IdleCause::new("column edge");
