//! Which filters are pruned, and how many.

use super::budget::Cost;
use super::options::{Budget, FilterAmount, Scope};
use super::propagate::{Dead, Model, Why};
use super::units::{RankedSet, Unit, Units, ranked_sets};
use super::weights::Weights;
use crate::error::CompressError;

/// What pruning filters chose.
pub(super) struct Choice {
    /// Whether there was anything to prune.
    pub any: bool,
    /// Why it is not what was asked for.
    pub note: Option<String>,
}

/// Marks units as dead in the order of their norms, the smallest first.
pub(super) fn prune_filters(
    model: &Model<'_>,
    weights: &[Weights],
    units: &Units,
    (amount, scope): (FilterAmount, Scope),
    bits: Option<u32>,
    dead: &mut Dead,
) -> Result<Choice, CompressError> {
    let sets = ranked_sets(units);
    let units = &units.all;
    let all = count_filters(units, 0..units.len());
    let (chosen, note) = match amount {
        FilterAmount::Fraction(fraction) => {
            let chosen = match scope {
                Scope::Global => fraction_of_all(units, &sets, fraction),
                Scope::Layer => of_each_set(&sets, |n| rounded(fraction, n)),
            };
            let note = shortfall(units, &sets, &chosen, rounded(fraction, all));
            (chosen, note)
        }
        FilterAmount::Width(width) => {
            let chosen = of_each_set(&sets, |n| n - rounded(width, n));
            let note = shortfall(units, &sets, &chosen, all - rounded(width, all));
            (chosen, note)
        }
        FilterAmount::Budget(budget) => {
            let mut order = order(units, &sets, scope);
            let measured = Cost::new(budget, bits)?;
            let count = least_prefix(&order, budget, |count| {
                let mut dead = dead.clone();
                kill(model, units, &order[..count], &mut dead);
                model.propagate(&mut dead);
                measured.of(model, weights, &dead)
            })?;
            order.truncate(count);
            let note = if count == 0 { Some(nothing_to_do(budget, measured.of(model, weights, dead)?)) } else { None };
            (order, note)
        }
    };
    kill(model, units, &chosen, dead);
    Ok(Choice { any: !chosen.is_empty(), note })
}

/// Filters of these units; those of one tensor once.
fn count_filters(units: &[Unit], of: impl IntoIterator<Item = usize>) -> usize {
    of.into_iter().map(|unit| units[unit].own).sum()
}

/// That fewer filters were pruned than wanted because the others always stay. Rounding and coupled filters leave a little,
/// too, and that is no note.
fn shortfall(units: &[Unit], sets: &[RankedSet], chosen: &[usize], wanted: usize) -> Option<String> {
    let all = count_filters(units, 0..units.len());
    let pruned = count_filters(units, chosen.iter().copied());
    let candidates = count_filters(units, sets.iter().flat_map(|set| set.candidates().iter().copied()));
    let stay = "the strongest channel of every layer stays, and the network's classes do";
    (pruned < wanted && wanted > candidates)
        .then(|| format!("{pruned} of {all} filters were pruned, not the {wanted} that were asked for: {stay}"))
}

/// That the network was within its budget before anything was pruned.
fn nothing_to_do(budget: Budget, cost: f64) -> String {
    let (limit, of) = (budget.limit(), budget.name());
    format!("no filter was pruned: the network has {cost} {of}, within the budget of {limit}")
}

fn kill(model: &Model<'_>, units: &[Unit], chosen: &[usize], dead: &mut Dead) {
    let filters = chosen.iter().flat_map(|&unit| &units[unit].filters);
    filters.for_each(|&channel| dead.prune(model.flow, channel, Why::Norm));
}

/// A fraction of a count, to the nearest, halves up.
pub(super) fn rounded(fraction: f64, count: usize) -> usize {
    (fraction * count as f64).round() as usize
}

/// So many of each set, but none of those that stay.
fn of_each_set(sets: &[RankedSet], count: impl Fn(usize) -> usize) -> Vec<usize> {
    sets.iter().flat_map(|set| set.candidates().iter().take(count(set.units.len()))).copied().collect()
}

/// Units in the order in which they go.
fn order(units: &[Unit], sets: &[RankedSet], scope: Scope) -> Vec<usize> {
    let share = |set: &RankedSet, rank: usize| match scope {
        Scope::Global => 0.0,
        // All sets shrink alike.
        Scope::Layer => (rank + 1) as f64 / set.units.len() as f64,
    };
    let candidates = sets
        .iter()
        .flat_map(|set| set.candidates().iter().enumerate().map(move |(rank, &unit)| (share(set, rank), unit)));
    let mut order: Vec<(f64, usize)> = candidates.collect();
    order.sort_by(|a, b| {
        let by_norm = units[a.1].norm.total_cmp(&units[b.1].norm);
        a.0.total_cmp(&b.0).then(by_norm).then(a.1.cmp(&b.1))
    });
    order.into_iter().map(|(_, unit)| unit).collect()
}

/// Units in order while their filters are no more than the fraction of all.
fn fraction_of_all(units: &[Unit], sets: &[RankedSet], fraction: f64) -> Vec<usize> {
    let mut left = rounded(fraction, count_filters(units, 0..units.len()));
    let fits = |&unit: &usize| {
        let rest = left.checked_sub(units[unit].own);
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    order(units, sets, Scope::Global).into_iter().take_while(fits).collect()
}

/// The least number of units whose pruning meets the budget while one less does not.
fn least_prefix(
    order: &[usize],
    budget: Budget,
    cost: impl Fn(usize) -> Result<f64, CompressError>,
) -> Result<usize, CompressError> {
    let limit = budget.limit();
    if cost(0)? <= limit {
        return Ok(0);
    }
    let reached = cost(order.len())?;
    if reached > limit {
        let problem = format!(
            "{limit} of {} is out of reach: {reached} are left when the strongest channel of each layer stays",
            budget.name()
        );
        return Err(CompressError::Option { option: "budget", problem });
    }
    let (mut above, mut within) = (0, order.len());
    while within - above > 1 {
        let middle = above.midpoint(within);
        if cost(middle)? <= limit { within = middle } else { above = middle }
    }
    Ok(within)
}
