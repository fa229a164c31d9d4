//! Which points a histogram compares.

use explore::pareto::{Judged, frontier};
use explore::sweep::Method;

/// Of each of the paper's three ways, the most costly point of its own frontier at or below a cost: what Figure 6
/// (right) compares. `points` come cheapest first, as [`explore::pareto::judge`] gives them.
///
/// Without a cost: the largest at which every way that is there has a point.
pub fn nearest_at_or_below<'a>(points: &[Judged<'a>], cost: Option<f64>) -> Vec<Judged<'a>> {
    let methods = [Method::QuantizeOnly, Method::PruneOnly, Method::PruneThenQuantize];
    let frontiers: Vec<Vec<Judged<'a>>> = methods.iter().map(|&method| own_frontier(points, method)).collect();
    let largest = frontiers.iter().filter_map(|points| points.last()).map(|point| point.cost.to_f64());
    let limit = cost.unwrap_or(largest.fold(f64::INFINITY, f64::min));
    frontiers.iter().filter_map(|points| points.iter().rfind(|point| point.cost.to_f64() <= limit).copied()).collect()
}

/// The points of one way that no other of it beats, cheapest first.
fn own_frontier<'a>(points: &[Judged<'a>], method: Method) -> Vec<Judged<'a>> {
    let own: Vec<Judged<'a>> =
        points.iter().filter(|point| point.row.configuration.method() == method).copied().collect();
    let figures: Vec<_> = own.iter().map(|point| (point.cost, point.accuracy)).collect();
    own.iter().zip(frontier(&figures)).filter(|(_, on)| *on).map(|(point, _)| *point).collect()
}
