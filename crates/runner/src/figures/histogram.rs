//! Which points a histogram compares.

use crate::pareto::Judged;
use crate::sweep::Method;

/// Of each of the paper's three ways, the most costly point at or below a cost, the more accurate of equals: what Figure 6
/// (right) compares. `points` come cheapest first, as [`crate::pareto::judge`] gives them.
///
/// Without a cost: the largest at which every way that is there has a point.
pub fn nearest_at_or_below<'a>(points: &[Judged<'a>], cost: Option<f64>) -> Vec<Judged<'a>> {
    let of = |method| points.iter().filter(move |point| point.row.configuration.method() == method);
    let methods = [Method::QuantizeOnly, Method::PruneOnly, Method::PruneThenQuantize];
    let largest = methods.iter().filter_map(|&method| of(method).next_back()).map(|point| point.cost.to_f64());
    let limit = cost.unwrap_or(largest.fold(f64::INFINITY, f64::min));
    methods.iter().filter_map(|&method| nearest(of(method), limit)).collect()
}

fn nearest<'a: 'b, 'b>(points: impl Iterator<Item = &'b Judged<'a>>, limit: f64) -> Option<Judged<'a>> {
    let below = points.filter(|point| point.cost.to_f64() <= limit);
    below.max_by(|a, b| a.cost.cmp(&b.cost).then(a.accuracy.cmp(&b.accuracy))).copied()
}
