//! What a choice by another number than the energy costs.

use crate::pareto::Fraction;

/// Networks count as equally accurate where their accuracies differ by no more than one in so many: 0.5 points.
pub const WITHIN: u32 = 200;

/// A network that somebody chooses by a proxy.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// How accurate it is.
    pub accuracy: Fraction,
    /// Its rank by the proxy.
    pub rank: u32,
    /// Its energy in joules, or another cost.
    pub energy: f64,
}

/// How much more than the best a choice costs, as a part of the best: 0.1 is 10 % more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regret {
    /// Networks that have a choice: those with another one that is as accurate.
    pub networks: usize,
    /// The mean over these networks. Where the proxy holds several for equal, their mean energy counts.
    pub mean: f64,
    /// The worst of all. Where the proxy holds several for equal, the most expensive counts.
    pub worst: f64,
}

/// Networks of one accuracy, by what a choice needs to know.
#[derive(Clone, Copy)]
struct Level {
    accuracy: Fraction,
    networks: usize,
    best: f64,
    picked: Picked,
}

/// The networks of the lowest rank.
#[derive(Clone, Copy)]
struct Picked {
    rank: u32,
    networks: usize,
    sum: f64,
    most: f64,
}

/// What the proxy costs its user: for each network, the choice is among those whose accuracy differs from that of the network by
/// no more than [`WITHIN`]. Networks that are broken ([`is_broken`]) are no choice. None where no network has a choice.
pub fn regret(choices: &[Choice]) -> Option<Regret> {
    let best = choices.iter().map(|choice| choice.accuracy).max()?;
    let levels = levels(choices.iter().filter(|choice| !is_broken(choice.accuracy, best)));
    let (mut networks, mut sum, mut worst) = (0, 0.0, 0f64);
    let mut first = 0;
    for level in &levels {
        while !is_within(levels[first].accuracy, level.accuracy) {
            first += 1;
        }
        let window = levels[first..].iter().take_while(|other| is_within(level.accuracy, other.accuracy));
        let all = window.copied().reduce(joined).expect("a level is within itself");
        if all.networks < 2 || all.best <= 0.0 {
            continue;
        }
        // A mean may be a rounding below the least.
        let over = |energy: f64| (energy / all.best - 1.0).max(0.0);
        networks += level.networks;
        sum += level.networks as f64 * over(all.picked.sum / all.picked.networks as f64);
        worst = worst.max(over(all.picked.most));
    }
    (networks > 0).then(|| Regret { networks, mean: (sum / networks as f64).min(worst), worst })
}

/// Levels from the least accurate on.
fn levels<'a>(choices: impl Iterator<Item = &'a Choice>) -> Vec<Level> {
    let mut levels: Vec<Level> = choices.map(Level::of).collect();
    levels.sort_by_key(|level| level.accuracy);
    let mut all: Vec<Level> = Vec::new();
    for level in levels {
        match all.last_mut() {
            Some(last) if last.accuracy == level.accuracy => *last = joined(*last, level),
            _ => all.push(level),
        }
    }
    all
}

impl Level {
    fn of(choice: &Choice) -> Self {
        let Choice { accuracy, rank, energy } = *choice;
        Level { accuracy, networks: 1, best: energy, picked: Picked { rank, networks: 1, sum: energy, most: energy } }
    }
}

/// Two levels as one, of the accuracy of the first.
fn joined(a: Level, b: Level) -> Level {
    let picked = match a.picked.rank.cmp(&b.picked.rank) {
        std::cmp::Ordering::Less => a.picked,
        std::cmp::Ordering::Greater => b.picked,
        std::cmp::Ordering::Equal => Picked {
            rank: a.picked.rank,
            networks: a.picked.networks + b.picked.networks,
            sum: a.picked.sum + b.picked.sum,
            most: a.picked.most.max(b.picked.most),
        },
    };
    Level { accuracy: a.accuracy, networks: a.networks + b.networks, best: a.best.min(b.best), picked }
}

/// The part of an accuracy over the product of both wholes.
fn part(of: Fraction, beside: Fraction) -> u128 {
    u128::from(of.count) * u128::from(beside.of)
}

/// Whether compression broke a network: it is less than half as accurate as the best.
pub fn is_broken(accuracy: Fraction, best: Fraction) -> bool {
    2 * part(accuracy, best) < part(best, accuracy)
}

/// Whether the higher accuracy is at most [`WITHIN`] above the lower one.
fn is_within(low: Fraction, high: Fraction) -> bool {
    let difference = part(high, low).saturating_sub(part(low, high));
    difference * u128::from(WITHIN) <= u128::from(low.of) * u128::from(high.of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn choice(count: u64, rank: u32, energy: f64) -> Choice {
        Choice { accuracy: Fraction { count, of: 1000 }, rank, energy }
    }

    #[test]
    fn a_wrong_choice_costs_what_it_costs_over_the_best() {
        // The first two are as accurate as one another; the proxy takes the one that costs 5 instead of 4. The third is alone.
        let three = [choice(900, 0, 5.0), choice(905, 1, 4.0), choice(911, 2, 1.0)];
        assert_eq!(regret(&three), Some(Regret { networks: 2, mean: 0.25, worst: 0.25 }));
        let tied = [choice(900, 0, 6.0), choice(905, 0, 4.0)];
        assert_eq!(regret(&tied), Some(Regret { networks: 2, mean: 0.25, worst: 0.5 }));
        assert_eq!(regret(&three[1..]), None, "6 of 1,000 apart");
        assert_eq!(regret(&[]), None);
        // What compression broke is no choice, however much its energies differ.
        let broken = [choice(900, 0, 5.0), choice(901, 0, 5.0), choice(100, 0, 9.0), choice(100, 1, 1.0)];
        assert_eq!(regret(&broken), Some(Regret { networks: 2, mean: 0.0, worst: 0.0 }));
    }

    /// The definition, network by network.
    fn naive(choices: &[Choice]) -> Option<Regret> {
        let (mut all, mut worst) = (Vec::new(), 0f64);
        for of in choices {
            let is_equal = |other: &&Choice| of.accuracy.count.abs_diff(other.accuracy.count) <= 5;
            let window: Vec<&Choice> = choices.iter().filter(is_equal).collect();
            if window.len() < 2 {
                continue;
            }
            let best = window.iter().map(|choice| choice.energy).fold(f64::INFINITY, f64::min);
            let least = window.iter().map(|choice| choice.rank).min().expect("there are two");
            let picked: Vec<f64> = window.iter().filter(|choice| choice.rank == least).map(|c| c.energy).collect();
            all.push(picked.iter().sum::<f64>() / picked.len() as f64 / best - 1.0);
            worst = picked.iter().fold(worst, |worst, energy| worst.max(energy / best - 1.0));
        }
        (!all.is_empty()).then(|| Regret {
            networks: all.len(),
            mean: all.iter().sum::<f64>() / all.len() as f64,
            worst,
        })
    }

    proptest! {
        #[test]
        fn regret_is_that_of_the_definition(
            choices in prop::collection::vec((900..940u64, 0..4u32, 1..9u32), 0..30),
        ) {
            let choices: Vec<Choice> =
                choices.into_iter().map(|(count, rank, energy)| choice(count, rank, f64::from(energy))).collect();
            match (regret(&choices), naive(&choices)) {
                (Some(a), Some(b)) => {
                    prop_assert_eq!((a.networks, a.worst), (b.networks, b.worst));
                    prop_assert!((a.mean - b.mean).abs() < 1e-12);
                }
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }
}
