//! Each proxy beside each hardware: does it rank networks as the hardware does, and what does it cost to rely on it?

use std::sync::Arc;

use rayon::prelude::*;

use super::regret::{Choice, Regret, regret};
use super::subjects::{Subject, Subjects};
use super::tau::{Interval, Rankings, ranks};
use crate::pareto::{Cost, CostValue};
use crate::store::HardwareRow;

/// The numbers that are held against hardware, from the simplest on.
pub const PROXIES: [Cost; 11] = [
    Cost::Parameters,
    Cost::EffectiveWeights,
    Cost::Macs,
    Cost::EffectiveMacs,
    Cost::ModelBits,
    Cost::BitOperations,
    Cost::EffectiveBitOperations,
    Cost::EsnA,
    Cost::EsnD,
    Cost::EsnDFilter,
    Cost::EsnDTraffic,
];

/// Ranks of fewer networks say nothing of a number: it has no correlation, no interval and no regret.
pub const FEW_NETWORKS: usize = 10;

/// What hardware spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Joules of one image.
    Energy,
    /// The same without memory: what the arrays and their converters spend.
    Array,
    /// Cycles of one image.
    Latency,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 3] = [Target::Energy, Target::Array, Target::Latency];

    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Target::Energy => "energy",
            Target::Array => "energy-without-memory",
            Target::Latency => "latency",
        }
    }

    /// What a network comes to on a hardware; none where that is not known.
    fn of(self, subject: &Subject, hardware: &str) -> Option<CostValue> {
        let row = subject.costs.on(hardware)?;
        Some(match self {
            Target::Energy => CostValue::Joules(row.energy_j),
            Target::Array => CostValue::Joules(row.spent?.array_j()),
            Target::Latency => CostValue::Count(row.cycles),
        })
    }
}

/// How well a proxy ranks networks. Of fewer than [`FEW_NETWORKS`] only their number is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// The proxy.
    pub proxy: Cost,
    /// Networks that have both numbers.
    pub networks: usize,
    /// Kendall's τ-b; none where one of the two numbers is the same for all, and of few networks.
    pub tau: Option<f64>,
    /// An interval of 95 % around it.
    pub interval: Option<Interval>,
    /// What a choice by the proxy costs; none where no two networks are equally accurate, and of few networks.
    pub regret: Option<Regret>,
}

/// Every proxy against one hardware.
#[derive(Clone, Debug, PartialEq)]
pub struct OfHardware {
    /// Name of the hardware.
    pub name: Arc<str>,
    /// The metric that it is an engine of.
    pub metric: Arc<str>,
    /// Parts of the energy of all networks together that go to conversion and to memory; none where the networks do not say.
    pub spent: Option<[f64; 2]>,
    /// What is the same for all networks, so that nothing ranks them by it.
    pub same: Vec<Target>,
    /// Proxies against the energy, in the order of [`PROXIES`].
    pub energy: Vec<Agreement>,
    /// Proxies against the energy without memory.
    pub array: Vec<Agreement>,
    /// Proxies against the latency.
    pub latency: Vec<Agreement>,
}

impl OfHardware {
    /// The proxies against what is meant.
    pub fn of(&self, target: Target) -> &[Agreement] {
        match target {
            Target::Energy => &self.energy,
            Target::Array => &self.array,
            Target::Latency => &self.latency,
        }
    }

    /// The proxy that ranks best, the first one of those that do so equally; none where none ranks at all.
    pub fn best(&self, target: Target) -> Option<&Agreement> {
        best(self.of(target))
    }
}

fn best(agreements: &[Agreement]) -> Option<&Agreement> {
    let ranking = agreements.iter().filter(|agreement| agreement.tau.is_some());
    // The last of equal ones is the largest, so that the order is turned around.
    ranking.rev().max_by(|a, b| a.tau.unwrap_or_default().total_cmp(&b.tau.unwrap_or_default()))
}

/// The proxy that ranks best by the energy of a hardware, and its τ-b.
pub(super) fn best_by_energy(subjects: &Subjects, hardware: &str) -> Option<(Cost, f64)> {
    let of = |proxy: &Cost| agreement(subjects, proxy, hardware, Target::Energy, 0);
    let all: Vec<Agreement> = PROXIES.iter().map(of).collect();
    best(&all).and_then(|best| Some((best.proxy.clone(), best.tau?)))
}

/// Holds every proxy against each hardware. An interval is made of so many samples; 0 makes none.
pub fn compare(subjects: &Subjects, hardware: &[Arc<str>], resamples: usize) -> Vec<OfHardware> {
    hardware.iter().map(|name| of_hardware(subjects, name, resamples)).collect()
}

fn of_hardware(subjects: &Subjects, name: &Arc<str>, resamples: usize) -> OfHardware {
    let against = |target: Target| -> Vec<Agreement> {
        PROXIES.par_iter().map(|proxy| agreement(subjects, proxy, name, target, resamples)).collect()
    };
    let rows: Vec<&HardwareRow> = subjects.all.iter().filter_map(|subject| subject.costs.on(name)).collect();
    let is_same = |target: &Target| {
        let mut costs = subjects.all.iter().filter_map(|subject| target.of(subject, name));
        costs.next().is_some_and(|first| costs.all(|cost| cost == first))
    };
    OfHardware {
        name: Arc::clone(name),
        metric: rows.first().map_or_else(|| "".into(), |row| Arc::clone(&row.metric)),
        spent: spent(&rows),
        same: Target::ALL.into_iter().filter(is_same).collect(),
        energy: against(Target::Energy),
        array: against(Target::Array),
        latency: against(Target::Latency),
    }
}

fn spent(rows: &[&HardwareRow]) -> Option<[f64; 2]> {
    let mut sums = [0.0; 3];
    for row in rows {
        let spent = row.spent?;
        let parts = [spent.conversion_j, spent.memory_j, row.energy_j];
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    let [conversion, memory, all] = sums;
    (all > 0.0).then(|| [conversion / all, memory / all])
}

fn agreement(subjects: &Subjects, proxy: &Cost, hardware: &str, target: Target, resamples: usize) -> Agreement {
    let both =
        |subject: &Subject| Some((proxy.of_costs(&subject.costs)?, target.of(subject, hardware)?, subject.accuracy));
    let found: Vec<_> = subjects.all.iter().filter_map(both).collect();
    let networks = found.len();
    if networks < FEW_NETWORKS {
        return Agreement { proxy: proxy.clone(), networks, tau: None, interval: None, regret: None };
    }
    let proxies = ranks(&found.iter().map(|(proxy, _, _)| *proxy).collect::<Vec<CostValue>>());
    let costs = ranks(&found.iter().map(|(_, cost, _)| *cost).collect::<Vec<CostValue>>());
    let regret = (target == Target::Energy).then(|| {
        let choices = found.iter().zip(&proxies).filter_map(|((_, cost, accuracy), &rank)| {
            Some(Choice { accuracy: (*accuracy)?, rank, energy: cost.to_f64() })
        });
        regret(&choices.collect::<Vec<_>>())
    });
    let rankings = Rankings::new(proxies, costs);
    Agreement {
        proxy: proxy.clone(),
        networks,
        tau: rankings.tau(),
        interval: rankings.interval(resamples),
        regret: regret.flatten(),
    }
}
