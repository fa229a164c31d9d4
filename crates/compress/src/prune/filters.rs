//! Which filters are pruned, and how many.

use super::budget::Cost;
use super::flow::Flow;
use super::options::{Budget, FilterAmount, Scope};
use super::propagate::{Dead, Model, Why};
use super::units::{RankedSet, Unit, Units, filter_of, ranked_sets};
use super::weights::Weights;
use crate::Watch;
use crate::error::CompressError;

/// What pruning filters chose.
pub(super) struct Choice {
    /// Prunable filters.
    pub of: usize,
    /// How many filters were to be pruned; none where a budget decides.
    pub asked: Option<usize>,
    /// Filters of the chosen units.
    pub done: usize,
    /// Why they are fewer than was asked for.
    pub short_because: Option<String>,
    /// What else there is to say.
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
    watch: Watch<'_>,
) -> Result<Choice, CompressError> {
    let sets = ranked_sets(units);
    let units = &units.all;
    let of = count_filters(units, 0..units.len());
    let asked = asked(model.flow, units, &sets, (amount, scope));
    let (chosen, note) = match amount {
        FilterAmount::Fraction(fraction) => match scope {
            Scope::Global => (fraction_of_all(units, &sets, fraction), None),
            Scope::Layer => (of_each_set(&sets, |n| rounded(fraction, n)), None),
        },
        FilterAmount::Width(width) => (of_each_set(&sets, |n| n - rounded(width, n)), None),
        FilterAmount::Budget(budget) => {
            let mut order = order(units, &sets, scope);
            let measured = Cost::new(budget, bits)?;
            let count = least_prefix(&order, budget, |count| {
                watch();
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
    let done = count_filters(units, chosen.iter().copied());
    let short_because = match asked {
        Some(_) if of == 0 && amount.asks_for_any() => Some(
            "no filter can be pruned: the network's classes stay, \
            and channels that are not tracked"
                .to_string(),
        ),
        Some(asked) if done < asked => Some(why_short(units, &sets, (amount, scope), asked - done)),
        Some(_) | None => None,
    };
    Ok(Choice { of, asked, done, short_because, note })
}

/// How many filters are to be pruned: of all, or of each layer of each set; none where a budget decides.
fn asked(flow: &Flow, units: &[Unit], sets: &[RankedSet], (amount, scope): (FilterAmount, Scope)) -> Option<usize> {
    let of_each_layer =
        |count: &dyn Fn(usize) -> usize| sets.iter().flat_map(|set| layers_of(flow, units, set)).map(count).sum();
    match (amount, scope) {
        (FilterAmount::Fraction(fraction), Scope::Global) => {
            Some(rounded(fraction, count_filters(units, 0..units.len())))
        }
        (FilterAmount::Fraction(fraction), Scope::Layer) => Some(of_each_layer(&|n| rounded(fraction, n))),
        (FilterAmount::Width(width), _) => Some(of_each_layer(&|n| n - rounded(width, n))),
        (FilterAmount::Budget(_), _) => None,
    }
}

/// How many filters a set has in each of its layers; those of one tensor once.
fn layers_of(flow: &Flow, units: &[Unit], set: &RankedSet) -> Vec<usize> {
    let unit = &units[set.units[0]];
    let layers = unit.filters.iter().map(|&channel| filter_of(flow, channel).0);
    let layers: Vec<usize> = layers.filter(|&layer| flow.first_uses[layer] == layer).collect();
    // All units of a set have as many filters of a layer.
    layers.chunk_by(|a, b| a == b).map(|of_layer| of_layer.len() * set.units.len()).collect()
}

/// Filters of these units; those of one tensor once.
fn count_filters(units: &[Unit], of: impl IntoIterator<Item = usize>) -> usize {
    of.into_iter().map(|unit| units[unit].own).sum()
}

/// Why this many filters too few were pruned.
fn why_short(units: &[Unit], sets: &[RankedSet], (amount, scope): (FilterAmount, Scope), missing: usize) -> String {
    let each_set =
        |goes: &dyn Fn(usize) -> usize| sets.iter().any(|set| goes(set.units.len()) > set.candidates().len());
    let all_that_may = || {
        let candidates = sets.iter().flat_map(|set| set.candidates().iter().copied());
        count_filters(units, candidates)
    };
    let those_that_stay = match (amount, scope) {
        (FilterAmount::Fraction(fraction), Scope::Global) => {
            rounded(fraction, count_filters(units, 0..units.len())) > all_that_may()
        }
        (FilterAmount::Fraction(fraction), Scope::Layer) => each_set(&|n| rounded(fraction, n)),
        (FilterAmount::Width(width), _) => each_set(&|n| n - rounded(width, n)),
        (FilterAmount::Budget(_), _) => false,
    };
    if those_that_stay {
        return "the strongest channel of every layer stays, and the network's classes do".to_string();
    }
    match (amount, scope) {
        (FilterAmount::Fraction(_), Scope::Global) => {
            format!("coupled filters go together, and the next group has more than the {missing} that are left")
        }
        (FilterAmount::Fraction(_), Scope::Layer) | (FilterAmount::Width(_) | FilterAmount::Budget(_), _) => {
            "the share of each layer is rounded to whole groups of coupled filters".to_string()
        }
    }
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
