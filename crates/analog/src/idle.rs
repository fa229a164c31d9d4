//! Why cells do no work in a cycle. The unit of each cause is a cell-cycle.

use engine::IdleCause;

/// The array is read, but the row is past the last row of the layer's lowered matrix.
pub const ROW_EDGE: IdleCause = IdleCause::new("row edge");

/// The array is read and the row holds weights, but the column is past the last column.
pub const COLUMN_EDGE: IdleCause = IdleCause::new("column edge");

/// Other arrays are read, but for this one no pair of a tile and an output position is left.
pub const NO_WORK: IdleCause = IdleCause::new("array without work");

/// No array is read, while inputs are converted or handed on. It is the cause where conversion of the columns takes no
/// longer.
pub const DAC: IdleCause = IdleCause::new("waiting for DACs");

/// No array is read, while columns are converted or handed on. It is the cause where this takes longer than conversion of
/// the input.
pub const ADC: IdleCause = IdleCause::new("waiting for ADCs");
