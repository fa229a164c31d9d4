//! A weighted sum of numbers that need no hardware, fitted to the energy of one.

use std::sync::Arc;

use super::comparison::{FEW_NETWORKS, best_by_energy};
use super::subjects::{Subject, Subjects};
use super::tau::{Rankings, ranks};
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
    /// The proxy that ranks networks best on this hardware, and its τ-b: who wants ranks alone needs no sum that ranks worse.
    pub best_proxy: Option<(Cost, f64)>,
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
    /// Kendall's τ-b of predictions and energies; none where one of the two is the same for all, and of fewer than
    /// [`FEW_NETWORKS`].
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

/// One network: its energy, and its terms.
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
    let (part_of, parts) = parts(&rows);
    let seen: Vec<f64> = rows.iter().map(|row| row.told(&weights)).collect();
    let unseen = told_unseen(&rows, &part_of, terms.len()).ok_or(NoFit::NoTerm)?;
    let kept = terms.iter().cloned().zip(weights).filter(|(_, weight)| *weight > 0.0).collect();
    Ok(Fit {
        hardware: Arc::clone(hardware),
        cost: LinearCost::new(kept).map_err(|_| NoFit::NoTerm)?,
        networks: rows.len(),
        seen: error(&rows, &seen),
        unseen: error(&rows, &unseen),
        parts,
        best_proxy: best_by_energy(subjects, hardware),
    })
}

/// The energy of each row, told by a sum that is fitted to the rows of all other parts. None where a part has no such sum.
fn told_unseen(rows: &[Row<'_>], part_of: &[usize], terms: usize) -> Option<Vec<f64>> {
    let parts = part_of.iter().max().map_or(0, |most| most + 1);
    let without = |part: usize| {
        let others = rows.iter().zip(part_of).filter(|(_, of)| **of != part).map(|(row, _)| row);
        weights(&others.collect::<Vec<_>>(), terms)
    };
    let weights: Vec<Vec<f64>> = (0..parts).map(without).collect::<Option<_>>()?;
    Some(rows.iter().zip(part_of).map(|(row, &part)| row.told(&weights[part])).collect())
}

impl Row<'_> {
    /// The energy that weights tell: that of the cost which they make.
    fn told(&self, weights: &[f64]) -> f64 {
        self.terms.iter().zip(weights).map(|(term, weight)| weight * term).sum()
    }
}

fn row<'a>(subject: &'a Subject, energy: &Cost, terms: &[Cost]) -> Option<Row<'a>> {
    let value = |cost: &Cost| Some(cost.of_costs(&subject.costs)?.to_f64());
    let (energy, terms) = (value(energy)?, terms.iter().map(value).collect::<Option<Vec<f64>>>()?);
    (energy > 0.0).then_some(Row { subject, energy, terms })
}

/// The part of each row, and how many there are.
fn parts(rows: &[Row<'_>]) -> (Vec<usize>, Parts) {
    let mut networks: Vec<&str> = Vec::new();
    let part_of = rows.iter().map(|row| {
        let name = &*row.subject.network;
        networks.iter().position(|known| *known == name).unwrap_or_else(|| {
            networks.push(name);
            networks.len() - 1
        })
    });
    let part_of: Vec<usize> = part_of.collect();
    match networks.len() {
        0 | 1 => ((0..rows.len()).map(|place| place % FOLDS).collect(), Parts::Points(FOLDS)),
        count => (part_of, Parts::Networks(count)),
    }
}

fn error(rows: &[Row<'_>], told: &[f64]) -> FitError {
    let errors: Vec<f64> = rows.iter().zip(told).map(|(row, told)| (told / row.energy - 1.0).abs()).collect();
    let ranked = |energies: &mut dyn Iterator<Item = f64>| ranks(&energies.map(CostValue::Joules).collect::<Vec<_>>());
    let rankings = Rankings::new(ranked(&mut told.iter().copied()), ranked(&mut rows.iter().map(|row| row.energy)));
    let tau = rankings.tau().filter(|_| rows.len() >= FEW_NETWORKS);
    let worst = errors.iter().copied().fold(0.0, f64::max);
    FitError { mean: errors.iter().sum::<f64>() / errors.len() as f64, worst, tau }
}

/// Weights of at least 0 by which the terms of each row come nearest to its energy. The best of every set of terms is computed,
/// and the best of those without a weight below 0 is taken. None where there is none.
fn weights(rows: &[&Row<'_>], terms: usize) -> Option<Vec<f64>> {
    // Each row has the same say, and each term one scale, so that none is lost beside another.
    let part = |row: &Row<'_>, term: usize| row.terms[term] / row.energy;
    let largest = |term: usize| rows.iter().map(|row| part(row, term)).fold(0.0, f64::max);
    let scales: Vec<f64> = (0..terms).map(largest).collect();
    let scaled: Vec<Vec<f64>> =
        rows.iter().map(|row| (0..terms).map(|term| part(row, term) / scales[term]).collect()).collect();
    let sets = (1..1usize << terms).map(|set| (0..terms).filter(|term| set >> term & 1 == 1).collect::<Vec<usize>>());
    let found = sets.filter(|set| set.iter().all(|&term| scales[term] > 0.0)).filter_map(|set| {
        let solved = least_squares(&scaled, &set).filter(|solved| solved.iter().all(|weight| *weight >= 0.0))?;
        let told = |row: &Vec<f64>| set.iter().zip(&solved).map(|(&term, weight)| row[term] * weight).sum::<f64>();
        let left: f64 = scaled.iter().map(|row| (told(row) - 1.0).powi(2)).sum();
        Some((left, set, solved))
    });
    let (_, set, solved) = found.min_by(|(a, ..), (b, ..)| a.total_cmp(b))?;
    let mut weights = vec![0.0; terms];
    set.iter().zip(&solved).for_each(|(&term, weight)| weights[term] = weight / scales[term]);
    Some(weights)
}

/// Weights of a set of columns by which each row comes nearest to 1: those of the normal equations.
fn least_squares(rows: &[Vec<f64>], set: &[usize]) -> Option<Vec<f64>> {
    let sum = |of: &dyn Fn(&Vec<f64>) -> f64| rows.iter().map(of).sum::<f64>();
    let equation = |&a: &usize| {
        let products = set.iter().map(|&b| sum(&|row| row[a] * row[b]));
        products.chain([sum(&|row| row[a])]).collect::<Vec<f64>>()
    };
    solve(set.iter().map(equation).collect())
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
