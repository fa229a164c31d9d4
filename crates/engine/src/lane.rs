//! What a stepped machine shows of itself while it runs.

/// A lane of a stepped machine as a cycle begins: a row of processing elements, or the column of a filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lane<'a> {
    /// The filter that it computes.
    pub filter: usize,
    /// The first output position that it works on, over all repeats.
    pub position: usize,
    /// Index in the filter, `[channels, taps]`, of the weight that is consumed next; of a column, that of its first cell.
    pub weight: usize,
    /// The bit plane of that weight; 0 where there are none.
    pub plane: u32,
    /// What is in its accumulators.
    pub sums: LaneSums<'a>,
}

/// Accumulators of a lane, one for each position that it works on at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LaneSums<'a> {
    /// In half-steps of the weight grid.
    Integer(&'a [i64]),
    /// In steps of the weight grid.
    Real(&'a [f32]),
}
