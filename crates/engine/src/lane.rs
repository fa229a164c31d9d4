//! What a stepped machine shows of itself while it runs.

/// A lane of a stepped machine, as a cycle begins. A lane is a row of processing elements in a digital array, and the
/// column of a filter in an analog one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lane<'a> {
    /// The filter that the lane computes.
    pub filter: usize,
    /// The first output position that the lane works on, over all repeats.
    pub position: usize,
    /// The weight that a row consumes next, or that the first cell of a column holds: its index in the filter,
    /// `[channels, taps]`.
    pub weight: usize,
    /// The bit plane of that weight; 0 where weights have no bit planes.
    pub plane: u32,
    /// What is in the accumulators of the lane.
    pub sums: LaneSums<'a>,
}

/// Accumulators of a lane, one for each position that the lane works on at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LaneSums<'a> {
    /// In half-steps of the weight grid.
    Integer(&'a [i64]),
    /// In steps of the weight grid.
    Real(&'a [f32]),
}
