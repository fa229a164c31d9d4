//! A budget spent on the layers where it helps most.

use serde::Serialize;

use super::{LayerSensitivity, MeasuredChoice, Sensitivity};
use crate::error::CompressError;
use crate::quantize::{LayerOptions, QuantizeOptions};

/// A way to quantize every layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Allotment {
    /// What each layer gets.
    pub layers: Vec<AllottedLayer>,
    /// What the layers cost together.
    pub cost: u128,
    /// Errors of the layers added up; see [`MeasuredChoice::error`].
    pub error: f64,
}

/// What one layer gets, and what comes of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AllottedLayer {
    /// The way to quantize it.
    #[serde(flatten)]
    pub options: LayerOptions,
    /// What it costs, for one image.
    pub cost: u128,
    /// How far the network's outputs move; see [`MeasuredChoice::error`].
    pub error: f64,
}

impl Allotment {
    /// The way as options of [`crate::quantize()`].
    pub fn options(&self) -> QuantizeOptions {
        let layers: Vec<LayerOptions> = self.layers.iter().map(|layer| layer.options.clone()).collect();
        let default = QuantizeOptions::default();
        QuantizeOptions {
            bits: layers.iter().filter_map(|layer| layer.bits).max().unwrap_or(default.bits),
            mid_rise: layers.iter().all(|layer| layer.mid_rise != Some(false)),
            layers,
            ..default
        }
    }
}

impl MeasuredChoice {
    fn of_layer(&self, layer: &str) -> AllottedLayer {
        AllottedLayer { options: self.choice.of_layer(layer), cost: self.cost, error: self.error }
    }
}

/// More for one layer: to another of its choices, at so much error saved for each unit of cost.
struct Raise {
    layer: usize,
    to: usize,
    gain: f64,
}

impl Sensitivity {
    /// The way of least error, the layers' errors added up, that costs no more than `budget`.
    ///
    /// For a price `λ` of a unit of cost, each layer takes the choice of least `error + λ · cost`. Falling prices visit
    /// the corners of the lower convex hull of every layer's choices (Everett 1963, generalized Lagrange multipliers).
    /// Corners are taken while the budget lasts. What is left of it goes, one layer at a time, to the single change that
    /// saves most error.
    ///
    /// # Errors
    ///
    /// [`CompressError::Option`] if the cheapest choices cost more than the budget.
    pub fn allocate(&self, budget: u128) -> Result<Allotment, CompressError> {
        let mut taken = vec![0; self.layers.len()];
        let least = self.least_cost();
        if least > budget {
            let problem = format!("a budget of {budget}; the cheapest choices of all layers come to {least}");
            return Err(CompressError::Option { option: "allocate", problem });
        }
        let mut left = budget - least;
        for raise in self.raises() {
            let choices = &self.layers[raise.layer].choices;
            let more = choices[raise.to].cost - choices[taken[raise.layer]].cost;
            if more <= left {
                left -= more;
                taken[raise.layer] = raise.to;
            }
        }
        while let Some((layer, to)) = self.best_change(&taken, left) {
            let choices = &self.layers[layer].choices;
            left -= choices[to].cost - choices[taken[layer]].cost;
            taken[layer] = to;
        }
        Ok(self.allotment(&taken))
    }

    /// What the cheapest choices of all layers cost together: no budget below it can be kept.
    pub fn least_cost(&self) -> u128 {
        self.cost_of(&vec![0; self.layers.len()])
    }

    /// What the choices of least error of all layers cost together: what a budget has beyond it buys nothing.
    pub fn most_cost(&self) -> u128 {
        // No choice is dominated, so that the dearest has the least error.
        let last: Vec<usize> = self.layers.iter().map(|layer| layer.choices.len().saturating_sub(1)).collect();
        self.cost_of(&last)
    }

    /// The ways that falling prices visit, from the cheapest to the dearest: a frontier of cost and added-up error.
    pub fn frontier(&self) -> Vec<Allotment> {
        let mut taken = vec![0; self.layers.len()];
        let mut visited = vec![self.allotment(&taken)];
        for raise in self.raises() {
            taken[raise.layer] = raise.to;
            visited.push(self.allotment(&taken));
        }
        visited
    }

    /// Every corner of every layer's hull beyond its first, the one that saves most error for its cost first. Those of
    /// one layer come in their order, for a hull bends one way.
    fn raises(&self) -> Vec<Raise> {
        let mut raises: Vec<Raise> = Vec::new();
        for (layer, sensitivity) in self.layers.iter().enumerate() {
            let choices = &sensitivity.choices;
            let corners = hull(choices);
            raises.extend(corners.windows(2).map(|pair| Raise {
                layer,
                to: pair[1],
                gain: gain(&choices[pair[0]], &choices[pair[1]]),
            }));
        }
        raises.sort_by(|a, b| b.gain.total_cmp(&a.gain).then(a.layer.cmp(&b.layer)).then(a.to.cmp(&b.to)));
        raises
    }

    /// The change of one layer that saves most error and costs no more than what is left.
    fn best_change(&self, taken: &[usize], left: u128) -> Option<(usize, usize)> {
        let changes = self.layers.iter().enumerate().flat_map(|(layer, sensitivity)| {
            let choices = &sensitivity.choices;
            let now = &choices[taken[layer]];
            let fits = move |&to: &usize| choices[to].cost - now.cost <= left;
            (taken[layer] + 1..choices.len()).filter(fits).map(move |to| (now.error - choices[to].error, layer, to))
        });
        let best = changes.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        (best.0 > 0.0).then_some((best.1, best.2))
    }

    fn cost_of(&self, taken: &[usize]) -> u128 {
        self.taken(taken).map(|(_, choice)| choice.cost).sum()
    }

    fn taken<'a>(&'a self, taken: &'a [usize]) -> impl Iterator<Item = (&'a LayerSensitivity, &'a MeasuredChoice)> {
        self.layers.iter().zip(taken).map(|(layer, &choice)| (layer, &layer.choices[choice]))
    }

    fn allotment(&self, taken: &[usize]) -> Allotment {
        Allotment {
            layers: self.taken(taken).map(|(layer, taken)| taken.of_layer(&layer.layer)).collect(),
            cost: self.cost_of(taken),
            error: self.taken(taken).map(|(_, choice)| choice.error).sum(),
        }
    }
}

/// Error saved for each unit of cost. Choices are in the order of cost and none is dominated, so that both differ.
fn gain(from: &MeasuredChoice, to: &MeasuredChoice) -> f64 {
    (from.error - to.error) / (to.cost - from.cost) as f64
}

/// Corners of the lower convex hull of choices in the order of cost, of which none is dominated.
fn hull(choices: &[MeasuredChoice]) -> Vec<usize> {
    let mut corners: Vec<usize> = Vec::new();
    for next in 0..choices.len() {
        while let [.., before, last] = corners[..]
            && gain(&choices[before], &choices[last]) <= gain(&choices[last], &choices[next])
        {
            corners.pop();
        }
        corners.push(next);
    }
    corners
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::{Granularity, StepRule};
    use crate::sensitivity::Choice;

    fn layer(name: &str, choices: &[(u128, f64)]) -> LayerSensitivity {
        let choice = |bits| Choice { bits, mid_rise: true, granularity: Granularity::Layer, step: StepRule::MaxAbs };
        let measured = |(index, &(cost, error)): (usize, &(u128, f64))| MeasuredChoice {
            choice: choice(index as u32 + 1),
            cost,
            error,
        };
        LayerSensitivity { layer: name.to_string(), choices: choices.iter().enumerate().map(measured).collect() }
    }

    fn bits(allotment: &Allotment) -> Vec<u32> {
        allotment.layers.iter().map(|layer| layer.options.bits.expect("a choice has a width")).collect()
    }

    /// Every combination within the budget, tried one by one.
    fn best_of_all(sensitivity: &Sensitivity, budget: u128) -> f64 {
        let mut all = vec![(0u128, 0.0f64)];
        for layer in &sensitivity.layers {
            let with = |&(cost, error): &(u128, f64)| {
                layer.choices.iter().map(move |choice| (cost + choice.cost, error + choice.error)).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(with).collect();
        }
        all.into_iter().filter(|&(cost, _)| cost <= budget).map(|(_, error)| error).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn a_budget_goes_where_it_saves_most() {
        let layers = vec![
            layer("steep", &[(10, 8.0), (20, 2.0), (30, 1.0)]),
            layer("flat", &[(10, 1.0), (20, 0.9), (30, 0.85)]),
        ];
        let sensitivity = Sensitivity { images: 1, layers };
        let at = |budget| sensitivity.allocate(budget).expect("it is enough");
        assert_eq!((bits(&at(20)), at(20).cost), (vec![1, 1], 20));
        assert_eq!((bits(&at(30)), at(30).cost), (vec![2, 1], 30));
        assert_eq!((bits(&at(45)), at(45).cost), (vec![3, 1], 40));
        assert_eq!((bits(&at(1000)), at(1000).error), (vec![3, 3], 1.85));
        assert_eq!((at(1000).cost, sensitivity.most_cost()), (60, 60));
        let error = sensitivity.allocate(19).expect_err("too little");
        assert!(error.to_string().contains("a budget of 19; the cheapest choices of all layers come to 20"), "{error}");
        let costs: Vec<u128> = sensitivity.frontier().iter().map(|way| way.cost).collect();
        assert_eq!(costs, [20, 30, 40, 50, 60]);
    }

    #[test]
    fn at_every_corner_no_combination_is_better() {
        let layers = vec![
            layer("a", &[(3, 9.0), (5, 4.0), (6, 3.9), (9, 1.0), (20, 0.0)]),
            layer("b", &[(1, 5.0), (4, 4.5), (7, 0.5), (8, 0.4)]),
            layer("c", &[(2, 2.0), (3, 1.5), (11, 0.1)]),
        ];
        let sensitivity = Sensitivity { images: 1, layers };
        for corner in sensitivity.frontier() {
            let best = best_of_all(&sensitivity, corner.cost);
            assert!((corner.error - best).abs() < 1e-12, "at {}: {} and {best}", corner.cost, corner.error);
            let spent = sensitivity.allocate(corner.cost).expect("the corner fits");
            assert!((spent.error - best).abs() < 1e-12, "at {}: {} and {best}", corner.cost, spent.error);
        }
        for budget in 6..40 {
            let spent = sensitivity.allocate(budget).expect("the cheapest fit");
            assert!(spent.cost <= budget && spent.error >= best_of_all(&sensitivity, budget) - 1e-12);
        }
    }
}
