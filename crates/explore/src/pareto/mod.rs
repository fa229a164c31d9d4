//! The Pareto frontier of a store: which points no other beats in cost and accuracy.
//!
//! The main types are [`Survey`], one pass over the points of a store, and [`Frontier`], which it keeps for each pair of
//! axes. Memory grows with the frontiers, not with the points. Costs are compared as integers and accuracies as fractions
//! of counts, never as rounded numbers: two points tie only where they are equal. Equal points are one entry of a
//! frontier, which counts them.

mod accuracy;
mod by_layer;
mod density;
mod frontier;
mod hardware;
mod linear;
mod measure;
mod survey;

pub use accuracy::{Accuracy, Fraction};
pub use by_layer::LayerCosts;
pub use density::{Density, Honeycomb};
pub use frontier::{Frontier, FrontierEntry};
pub use hardware::SurveyedHardware;
pub use linear::LinearCost;
pub use measure::{Cost, CostValue, JOULES, TRAFFIC};
pub use survey::{Axes, Group, Plane, Survey};

use crate::error::ExploreError;
use crate::store::{PointRow, Store};

/// An entry of a frontier, with the point that stands for it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The point.
    pub row: PointRow,
    /// Its cost and accuracy, and how many points have the same.
    pub entry: FrontierEntry,
    /// Whether more images could change its place: [`Frontier::is_within_noise`].
    pub within_noise: bool,
}

/// The entries of a frontier with their points, cheapest first.
///
/// # Errors
///
/// Those of reading a store.
pub fn judged(store: &Store, frontier: &Frontier) -> Result<Vec<Judged>, ExploreError> {
    let keys: Vec<_> = frontier.entries().iter().map(|entry| entry.key).collect();
    let rows = store.rows_of(&keys)?.into_iter().zip(frontier.entries());
    let judged = rows.filter_map(|(row, &entry)| {
        let within_noise = frontier.is_within_noise(entry.cost, entry.accuracy);
        Some(Judged { row: row?, entry, within_noise })
    });
    Ok(judged.collect())
}

#[cfg(test)]
mod tests;
