//! Which points a histogram compares.

use explore::ExploreError;
use explore::pareto::{Frontier, Judged, Plane, judged};
use explore::store::Store;
use explore::sweep::Method;

/// Of each of the paper's three ways, the most costly point of its own frontier at or below a cost: what Figure 6
/// (right) compares.
///
/// Without a cost: the largest at which every way that is there has a point.
///
/// # Errors
///
/// Those of reading the store.
pub fn nearest_at_or_below(store: &Store, plane: &Plane, cost: Option<f64>) -> Result<Vec<Judged>, ExploreError> {
    let frontiers = Method::ALL.map(|method| plane.frontier_of_method(method));
    let largest = frontiers.iter().filter_map(|frontier| frontier.entries().last()).map(|entry| entry.cost.to_f64());
    let limit = cost.unwrap_or(largest.fold(f64::INFINITY, f64::min));
    let mut chosen = Vec::new();
    for frontier in &frontiers {
        if let Some(entry) = frontier.entries().iter().rfind(|entry| entry.cost.to_f64() <= limit) {
            let mut one = Frontier::default();
            one.merge(*entry);
            chosen.extend(judged(store, &one)?);
        }
    }
    Ok(chosen)
}
