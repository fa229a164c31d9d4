//! How densely points lie: counts in the cells of a honeycomb, for figures that cannot show every point.

use std::collections::BTreeMap;

use super::accuracy::Fraction;
use super::measure::CostValue;
use super::survey::{Axes, Group, Measures, Plane, Survey};
use crate::error::ExploreError;
use crate::store::Points;

/// Cells of a honeycomb from left to right, and rows of them from bottom to top.
const COLUMNS: f64 = 44.0;
const ROWS: f64 = 32.0;
/// Numbers of cells are below this one.
const CELLS: usize = (ROWS as usize + 2) * Honeycomb::STRIDE as usize;

/// A honeycomb over a logarithmic cost and an accuracy: hexagons with a corner up, every other row half a cell to the
/// right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Honeycomb {
    /// Logarithm to the base 10 of the cost at the left end, and how much of it a cell is wide.
    pub cost: [f64; 2],
    /// The accuracy at the lower end, and how much of it lies between rows.
    pub accuracy: [f64; 2],
}

impl Honeycomb {
    /// Numbers of cells from the beginning of a row to that of the next.
    pub const STRIDE: u32 = 64;
    /// The corners of a cell around its centre, clockwise from the top: to the right in widths of a cell, up in thirds of what lies
    /// between rows.
    pub const CORNERS: [(f64, f64); 6] = [(0.0, 2.0), (0.5, 1.0), (0.5, -1.0), (0.0, -2.0), (-0.5, -1.0), (-0.5, 1.0)];

    /// A honeycomb that covers these costs, above 0, and accuracies.
    pub fn over(costs: [f64; 2], accuracies: [f64; 2]) -> Self {
        let [low, high] = costs.map(f64::log10);
        let pitch = |low: f64, high: f64, cells: f64| if high > low { (high - low) / cells } else { 1e-3 };
        Self {
            cost: [low, pitch(low, high, COLUMNS)],
            accuracy: [accuracies[0], pitch(accuracies[0], accuracies[1], ROWS)],
        }
    }

    /// The cell that a place lies in: the one whose centre is nearest. None where the cost is 0.
    pub fn cell(&self, cost: f64, accuracy: f64) -> Option<u32> {
        (cost > 0.0).then(|| self.cell_of_logarithm(cost.log10(), accuracy))
    }

    fn cell_of_logarithm(&self, cost: f64, accuracy: f64) -> u32 {
        let x = (cost - self.cost[0]) / self.cost[1];
        let y = (accuracy - self.accuracy[0]) / self.accuracy[1];
        // Of the two rows around the place, the cell whose centre is nearer. A row is sqrt(3)/2 of a width above another.
        let below = y.floor();
        let nearest = |row: f64| {
            let shift = if row as u32 % 2 == 1 { 0.5 } else { 0.0 };
            let column = (x - shift).round().max(0.0);
            let distance = (x - shift - column).powi(2) + 0.75 * (y - row).powi(2);
            (distance, row as u32 * Self::STRIDE + column as u32)
        };
        let (low, high) = (nearest(below), nearest(below + 1.0));
        if high.0 < low.0 { high.1 } else { low.1 }
    }

    /// The corners of a cell, as cost and accuracy.
    pub fn corners(&self, cell: u32) -> [(f64, f64); 6] {
        let (row, column) = (cell / Self::STRIDE, cell % Self::STRIDE);
        let x = f64::from(column) + if row % 2 == 1 { 0.5 } else { 0.0 };
        Self::CORNERS.map(|(right, up)| {
            let cost = self.cost[0] + self.cost[1] * (x + right);
            (10f64.powf(cost), self.accuracy[0] + self.accuracy[1] * (f64::from(row) + up / 3.0))
        })
    }
}

/// How many points of each group lie in each cell, by one pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Density {
    /// The axes.
    pub axes: Axes,
    /// The cells.
    pub honeycomb: Honeycomb,
    /// Counts by cell.
    pub groups: BTreeMap<Group, BTreeMap<u32, u64>>,
}

impl Density {
    /// Counts the points of a survey again, in cells of its planes that are meant.
    ///
    /// # Errors
    ///
    /// Those of reading a store.
    pub fn of(
        points: &Points<'_>,
        survey: &Survey,
        is_meant: impl Fn(&Axes) -> bool,
    ) -> Result<Vec<Density>, ExploreError> {
        let planes: Vec<&Plane> =
            survey.planes.iter().filter(|plane| plane.costs[0] <= plane.costs[1] && is_meant(&plane.axes)).collect();
        let measures = Measures::of_axes(planes.iter().map(|plane| &plane.axes));
        let honeycombs: Vec<Honeycomb> =
            planes.iter().map(|plane| Honeycomb::over(plane.costs, plane.accuracies)).collect();
        // By group, then by plane, then by cell.
        let mut counts: BTreeMap<Group, Vec<Vec<u64>>> = BTreeMap::new();
        points.for_each_figures(|point| {
            let Some(network) = survey.place_of(&point.network).filter(|_| point.is_costed()) else { return Ok(()) };
            let group = Group { network, method: point.method };
            let counts = counts.entry(group).or_insert_with(|| vec![vec![0; CELLS]; planes.len()]);
            let measured = measures.of(&point);
            let costs = measured.costs.iter().map(|cost| cost.map(CostValue::to_f64).filter(|&cost| cost > 0.0));
            let logarithms: Vec<Option<f64>> = costs.map(|cost| cost.map(f64::log10)).collect();
            let accuracies: Vec<Option<f64>> = measured.accuracies.iter().map(|a| a.map(Fraction::to_f64)).collect();
            for ((honeycomb, counts), &(cost, accuracy)) in honeycombs.iter().zip(counts).zip(&measures.places) {
                let (Some(cost), Some(accuracy)) = (logarithms[cost], accuracies[accuracy]) else { continue };
                counts[honeycomb.cell_of_logarithm(cost, accuracy) as usize] += 1;
            }
            Ok::<_, ExploreError>(())
        })?;
        let density = |(place, plane): (usize, &&Plane)| Density {
            axes: plane.axes.clone(),
            honeycomb: honeycombs[place],
            groups: counts.iter().map(|(&group, counts)| (group, occupied(&counts[place]))).collect(),
        };
        Ok(planes.iter().enumerate().map(density).collect())
    }

    /// Counts by cell of all groups together.
    pub fn totals(&self) -> BTreeMap<u32, u64> {
        let mut totals = BTreeMap::new();
        for (&cell, &count) in self.groups.values().flatten() {
            *totals.entry(cell).or_default() += count;
        }
        totals
    }
}

/// Cells that points lie in.
fn occupied(counts: &[u64]) -> BTreeMap<u32, u64> {
    (0..).zip(counts).filter(|(_, count)| **count > 0).map(|(cell, &count)| (cell, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_lies_within_the_corners_of_its_cell() {
        let honeycomb = Honeycomb::over([1e3, 1e6], [0.2, 0.9]);
        for step in 0..500 {
            let part = f64::from(step) / 499.0;
            let (cost, accuracy) = (10f64.powf(3.0 + 3.0 * part), 0.2 + 0.7 * (part * 7.3).fract());
            let corners = honeycomb.corners(honeycomb.cell(cost, accuracy).expect("it is above 0"));
            // Left of every edge, going round clockwise means right: the cross product is not positive.
            let place = (cost.log10() / honeycomb.cost[1], accuracy / honeycomb.accuracy[1]);
            for (a, b) in corners.iter().zip(corners.iter().cycle().skip(1)) {
                let [a, b] = [a, b].map(|(c, y)| (c.log10() / honeycomb.cost[1], y / honeycomb.accuracy[1]));
                let cross = (b.0 - a.0) * (place.1 - a.1) - (b.1 - a.1) * (place.0 - a.0);
                assert!(cross < 1e-6, "{cost} {accuracy} {corners:?}");
            }
        }
        assert_eq!(honeycomb.cell(0.0, 0.5), None);
        let one = Honeycomb::over([5.0, 5.0], [0.5, 0.5]);
        assert_eq!(one.cell(5.0, 0.5), Some(0));
    }
}
