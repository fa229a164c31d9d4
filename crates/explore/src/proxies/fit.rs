//! A weighted sum of numbers that need no hardware, fitted to the energy of one.

use std::sync::Arc;

use super::subjects::{Subject, Subjects};
use super::tau::{Rankings, cost_ranks};
use crate::pareto::{Cost, CostValue, LinearCost};

/// What a sum is made of, unless somebody asks for other terms.
pub const TERMS: [Cost; 4] = [Cost::EsnD, Cost::WeightBits, Cost::ActivationBits, Cost::Outputs];

/// Terms at the most: every set of them is tried.
pub const MOST_TERMS: usize = 8;

/// Parts that networks are put into where all were made of one.
const FOLDS: usize = 5;

/// A sum that tells the energy of a hardware.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Name of the hardware.
    pub hardware: Arc<str>,
    /// The weights, in joules; terms that do not help are left out.
    pub cost: LinearCost,
    /// Networks that it was fitted to.
    pub networks: usize,
    /// How it does on those.
    pub seen: FitError,
    /// How such a sum does on networks that it was not fitted to: each part is told by a sum that is fitted to the others.
    pub unseen: FitError,
    /// What the parts are.
    pub parts: Parts,
}

/// How networks are put into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Those that were made of one network are one part; so many parts.
    Networks(usize),
    /// Every so many-th is one part, for all were made of one network.
    Points(usize),
}

/// How far predictions are from energies, as parts of the energies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitError {
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub worst: f64,
    /// Kendall's τ-b of predictions and energies, where there is one.
    pub tau: Option<f64>,
}

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFit {
    /// So many networks have all of the numbers; there must be more than twice as many as terms.
    FewNetworks(usize),
    /// Every term is 0 for all networks, or so many of them are alike that no part can be left out.
    NoTerm,
}

/// One network: its terms over its energy.
struct Row<'a> {
    subject: &'a Subject,
    energy: f64,
    terms: Vec<f64>,
}

/// Fits a sum of these terms to the energy of a hardware. The sum of squares of errors, each as a part of its energy, is the least
/// of all sums whose weights are at least 0.
///
/// # Errors
///
/// [`NoFit`] where there are too few networks.
pub fn fit(subjects: &Subjects, hardware: &Arc<str>, terms: &[Cost]) -> Result<Fit, NoFit> {
    let energy = Cost::Energy(hardware.to_string());
    let rows: Vec<Row<'_>> = subjects.all.iter().filter_map(|subject| row(subject, &energy, terms)).collect();
    if rows.len() <= 2 * terms.len() {
        return Err(NoFit::FewNetworks(rows.len()));
    }
    let weights = weights(&rows.iter().collect::<Vec<_>>(), terms.len()).ok_or(NoFit::NoTerm)?;
    let (part_of, parts) = parts(subjects, &rows);
    let mut predicted = vec![0.0; rows.len()];
    let count = match parts {
        Parts::Networks(count) | Parts::Points(count) => count,
    };
    for part in 0..count {
        let others: Vec<&Row<'_>> =
            rows.iter().zip(&part_of).filter(|(_, of)| **of != part).map(|(row, _)| row).collect();
        let weights = self::weights(&others, terms.len()).ok_or(NoFit::NoTerm)?;
        let own = rows.iter().zip(&part_of).zip(&mut predicted).filter(|((_, of), _)| **of == part);
        own.for_each(|((row, _), predicted)| *predicted = row.told(&weights));
    }
    let seen: Vec<f64> = rows.iter().map(|row| row.told(&weights)).collect();
    let kept = terms.iter().cloned().zip(weights).filter(|(_, weight)| *weight > 0.0).collect();
    Ok(Fit {
        hardware: Arc::clone(hardware),
        cost: LinearCost::new(kept).ok_or(NoFit::NoTerm)?,
        networks: rows.len(),
        seen: error(&rows, &seen),
        unseen: error(&rows, &predicted),
        parts,
    })
}

impl Row<'_> {
    /// The energy that weights tell.
    fn told(&self, weights: &[f64]) -> f64 {
        self.terms.iter().zip(weights).map(|(term, weight)| term * weight).sum::<f64>() * self.energy
    }
}

fn row<'a>(subject: &'a Subject, energy: &Cost, terms: &[Cost]) -> Option<Row<'a>> {
    let energy = energy.of_costs(&subject.costs)?.to_f64();
    let term = |cost: &Cost| Some(cost.of_costs(&subject.costs)?.to_f64() / energy);
    let terms: Option<Vec<f64>> = terms.iter().map(term).collect();
    (energy > 0.0).then_some(Row { subject, energy, terms: terms? })
}

/// The part of each row, and how many there are.
fn parts(subjects: &Subjects, rows: &[Row<'_>]) -> (Vec<usize>, Parts) {
    let networks = subjects.networks();
    let part = |row: &Row<'_>| networks.iter().position(|name| *name == row.subject.network).unwrap_or_default();
    match networks.len() {
        0 | 1 => ((0..rows.len()).map(|place| place % FOLDS).collect(), Parts::Points(FOLDS)),
        count => (rows.iter().map(part).collect(), Parts::Networks(count)),
    }
}

fn error(rows: &[Row<'_>], predicted: &[f64]) -> FitError {
    let errors: Vec<f64> = rows.iter().zip(predicted).map(|(row, told)| (told / row.energy - 1.0).abs()).collect();
    let ranked =
        |energies: &mut dyn Iterator<Item = f64>| cost_ranks(&energies.map(CostValue::Joules).collect::<Vec<_>>());
    let tau =
        Rankings::new(ranked(&mut predicted.iter().copied()), ranked(&mut rows.iter().map(|row| row.energy))).tau();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    FitError { mean: errors.iter().sum::<f64>() / errors.len() as f64, worst, tau }
}

/// Weights of at least 0 by which the terms of each row come nearest to 1. The best of every set of terms is computed, and the best
/// of those without a weight below 0 is taken. None where there is none.
fn weights(rows: &[&Row<'_>], terms: usize) -> Option<Vec<f64>> {
    // Terms on one scale, so that none is lost beside another.
    let largest = |term: usize| rows.iter().map(|row| row.terms[term]).fold(0.0, f64::max);
    let scales: Vec<f64> = (0..terms).map(largest).collect();
    let sum = |a: &dyn Fn(&Row<'_>) -> f64| rows.iter().map(|row| a(row)).sum::<f64>();
    let scaled = |row: &Row<'_>, term: usize| row.terms[term] / scales[term];
    let mut best: Option<(f64, Vec<f64>)> = None;
    for set in 1..1usize << terms {
        let chosen: Vec<usize> = (0..terms).filter(|term| set >> term & 1 == 1).collect();
        if chosen.iter().any(|&term| scales[term] <= 0.0) {
            continue;
        }
        let products = chosen.iter().map(|&a| {
            let of = |&b: &usize| sum(&|row| scaled(row, a) * scaled(row, b));
            chosen.iter().map(of).chain([sum(&|row| scaled(row, a))]).collect::<Vec<f64>>()
        });
        let Some(solved) = solve(products.collect()).filter(|solved| solved.iter().all(|weight| *weight >= 0.0)) else {
            continue;
        };
        let told =
            |row: &Row<'_>| chosen.iter().zip(&solved).map(|(&term, weight)| scaled(row, term) * weight).sum::<f64>();
        let left = sum(&|row| (told(row) - 1.0).powi(2));
        if best.as_ref().is_none_or(|(least, _)| left < *least) {
            let mut weights = vec![0.0; terms];
            chosen.iter().zip(&solved).for_each(|(&term, weight)| weights[term] = weight / scales[term]);
            best = Some((left, weights));
        }
    }
    best.map(|(_, weights)| weights)
}

/// Solves linear equations, each a row with its right side at the end, by elimination. None where they have no single solution.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let count = rows.len();
    let scale = rows.iter().flatten().fold(0.0, |most: f64, x| most.max(x.abs()));
    for column in 0..count {
        let pivot = (column..count).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, pivot);
        if rows[column][column].abs() <= 1e-13 * scale {
            return None;
        }
        let own = rows[column].clone();
        for row in rows.iter_mut().skip(column + 1) {
            let factor = row[column] / own[column];
            row.iter_mut().zip(&own).for_each(|(x, own)| *x -= factor * own);
        }
    }
    let mut solution = vec![0.0; count];
    for row in (0..count).rev() {
        let known: f64 = (row + 1..count).map(|column| rows[row][column] * solution[column]).sum();
        solution[row] = (rows[row][count] - known) / rows[row][row];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use runner::BitCounts;

    use super::*;
    use crate::store::{HardwareRow, PointCosts};

    fn subjects(networks: &[&str], energy: impl Fn(f64, f64, f64) -> f64) -> Subjects {
        let made = (0..40u32).map(|place| {
            let (planes, weights, outputs) =
                (1000 + place * place * 7, 300 + (place * 37) % 101, 50 + (place * 11) % 17);
            let row = HardwareRow {
                name: "array".into(),
                metric: "ESN_d".into(),
                verdict: "not-ideal".into(),
                cycles: 1,
                energy_count: 1,
                energy_j: energy(f64::from(planes), f64::from(weights), f64::from(outputs)),
                spent: None,
                utilization: 1.0,
                score: None,
                agreement: None,
            };
            let bits = BitCounts { weight_bits: weights.into(), outputs: outputs.into(), ..BitCounts::default() };
            let costs = PointCosts {
                esn_d_macs: planes.into(),
                bits: Some(bits),
                hardware: vec![row],
                ..PointCosts::default()
            };
            let network = networks[place as usize % networks.len()].into();
            Subject { name: format!("{place}").into(), network, costs, accuracy: None }
        });
        Subjects { all: made.collect(), ..Subjects::default() }
    }

    #[test]
    fn weights_that_an_energy_was_made_of_are_found() {
        let made = subjects(&["a", "b"], |planes, weights, outputs| 2e-14 * planes + 3e-11 * weights + 5e-12 * outputs);
        let fit = fit(&made, &"array".into(), &TERMS).expect("there are enough");
        let expected = [(Cost::EsnD, 2e-14), (Cost::WeightBits, 3e-11), (Cost::Outputs, 5e-12)];
        for ((cost, weight), (expected, value)) in fit.cost.terms().iter().zip(expected) {
            assert!(*cost == expected && (weight / value - 1.0).abs() < 1e-6, "{}", fit.cost);
        }
        assert_eq!((fit.cost.terms().len(), fit.networks, fit.parts), (3, 40, Parts::Networks(2)));
        assert!(fit.unseen.worst < 1e-6 && fit.unseen.tau == Some(1.0), "{:?}", fit.unseen);
    }

    #[test]
    fn a_weight_below_0_is_left_out_and_errors_are_of_what_was_not_seen() {
        let made = subjects(&["a"], |planes, weights, outputs| 1e-12 * planes + 1e-11 * weights - 1e-12 * outputs);
        let fit = fit(&made, &"array".into(), &TERMS).expect("there are enough");
        assert!(fit.cost.terms().iter().all(|(cost, weight)| *cost != Cost::Outputs && *weight > 0.0), "{}", fit.cost);
        assert_eq!(fit.parts, Parts::Points(5));
        assert!(fit.unseen.mean >= fit.seen.mean && fit.unseen.worst < 0.1, "{fit:?}");
    }

    #[test]
    fn few_networks_are_refused() {
        let mut few = subjects(&["a"], |planes, _, _| planes);
        few.all.truncate(8);
        assert_eq!(fit(&few, &"array".into(), &TERMS), Err(NoFit::FewNetworks(8)));
        assert_eq!(fit(&few, &"other".into(), &TERMS), Err(NoFit::FewNetworks(0)));
    }
}
