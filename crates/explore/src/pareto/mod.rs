//! The Pareto frontier of a store: which points no other beats in cost and accuracy.
//!
//! The main function is [`judge`]. Costs are compared as integers and accuracies as fractions of counts, never as
//! rounded numbers: two points tie only where they are equal.

mod measure;

pub use measure::{Accuracy, Cost, CostValue, Fraction};

use crate::store::PointRow;

/// Which points are on the frontier: no other is at most as costly and at least as accurate, and better in one of the
/// two. Points that are equal in both are on it together.
///
/// ```
/// use explore::pareto::frontier;
///
/// let points = [(4, 70), (1, 50), (2, 50), (3, 70), (3, 70), (9, 69)];
/// assert_eq!(frontier(&points), [false, true, false, true, true, false]);
/// ```
pub fn frontier<C: Ord, A: Ord>(points: &[(C, A)]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    // Cheapest first, and of equally costly ones the most accurate.
    order.sort_by(|&a, &b| points[a].0.cmp(&points[b].0).then(points[b].1.cmp(&points[a].1)));
    let mut on = vec![false; points.len()];
    let mut best: Option<usize> = None;
    for index in order {
        let better = best.is_none_or(|best| points[index].1 > points[best].1);
        on[index] = better || best.is_some_and(|best| points[index] == points[best]);
        if better {
            best = Some(index);
        }
    }
    on
}

/// Of which points more images could change the place: the accuracy and that of the most accurate point that costs less
/// differ by no more than the standard error of the difference.
pub fn within_noise<C: Ord>(points: &[(C, Fraction)]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| points[a].0.cmp(&points[b].0));
    let mut marked = vec![false; points.len()];
    let mut best: Option<Fraction> = None;
    for equal in order.chunk_by(|&a, &b| points[a].0 == points[b].0) {
        for &point in equal {
            marked[point] = best.is_some_and(|best| points[point].1.is_within_noise_of(best));
        }
        best = best.max(equal.iter().map(|&point| points[point].1).max());
    }
    marked
}

/// One point with the two figures that it is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The point.
    pub row: &'a PointRow,
    /// What it costs.
    pub cost: CostValue,
    /// How accurate it is.
    pub accuracy: Fraction,
    /// Whether it is on the frontier.
    pub frontier: bool,
    /// Whether more images could change its place: [`within_noise`].
    pub within_noise: bool,
}

/// Judges every point that is done and has both figures, cheapest first.
pub fn judge<'a>(rows: &'a [PointRow], cost: &Cost, accuracy: &Accuracy) -> Vec<Judged<'a>> {
    let mut judged: Vec<Judged<'a>> = rows
        .iter()
        .filter(|row| row.error.is_none())
        .filter_map(|row| {
            let (cost, accuracy) = (cost.of(row)?, accuracy.of(row)?);
            Some(Judged { row, cost, accuracy, frontier: false, within_noise: false })
        })
        .collect();
    let figures: Vec<(CostValue, Fraction)> = judged.iter().map(|point| (point.cost, point.accuracy)).collect();
    for ((point, on), noise) in judged.iter_mut().zip(frontier(&figures)).zip(within_noise(&figures)) {
        (point.frontier, point.within_noise) = (on, noise);
    }
    judged.sort_by(|a, b| a.cost.cmp(&b.cost).then(b.accuracy.cmp(&a.accuracy)).then(a.row.key.cmp(&b.row.key)));
    judged
}

/// Names of all hardware, in the order in which they first come.
pub fn hardware_names(rows: &[PointRow]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for hardware in rows.iter().filter_map(|row| row.costs.as_ref()).flat_map(|costs| &costs.hardware) {
        if !names.contains(&hardware.name) {
            names.push(hardware.name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests;
