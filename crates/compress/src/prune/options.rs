//! What a user asks of pruning: how, how much, and what competes.

use esn::BitWidth;
use serde::{Deserialize, Serialize};

use crate::error::CompressError;

/// Which filters or weights compete with one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All filters or weights of the whole network compete.
    #[default]
    Global,
    /// Those of each layer compete among themselves; for filters, those of each group of coupled channels.
    Layer,
}

/// A cost of the whole network that filters are pruned down to.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// ESN_a with c = MACs, at the width that the network is to be quantized to.
    EsnA(f64),
    /// ESN_d with c = MACs, at the width that the network is to be quantized to.
    EsnD(f64),
    /// Multiply-accumulates of filters and channels that are computed, equation (7)'s `MAC_{l,m}` summed.
    Macs(f64),
    /// Weights of filters and channels that are computed.
    Parameters(f64),
}

/// How many filters are pruned.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterAmount {
    /// This fraction, 0 to 1, of all prunable filters, rounded to the nearest filter: with [`Scope::Global`], groups of
    /// coupled filters go in order while they fit into that number; with [`Scope::Layer`], that share of each set of
    /// groups. The strongest group of each set, and of those that feed a
    /// layer, always stays.
    Fraction(f64),
    /// All but this fraction of each group of coupled channels, rounded to the nearest channel and at least one: the
    /// paper's channel widths 0.25×, 0.5×, 0.75×.
    Width(f64),
    /// As many as it takes to come down to the budget, and not one more: with the last one left out, the cost is above
    /// it. With [`Scope::Layer`], all sets of coupled groups shrink in the same proportion.
    Budget(Budget),
}

impl FilterAmount {
    /// Whether it is more than nothing; a budget may be.
    pub(super) fn asks_for_any(self) -> bool {
        match self {
            FilterAmount::Fraction(fraction) => fraction > 0.0,
            FilterAmount::Width(width) => width < 1.0,
            FilterAmount::Budget(_) => true,
        }
    }
}

/// One way of pruning.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pruning {
    /// Structured: whole filters in the order of their signal norm `‖W_m‖_F²`, the smallest first (section 2.8),
    /// coupled channels together. A pruned filter's bias, BatchNorm scale and shift become 0, so that its channel is
    /// exactly 0.
    Filters(FilterAmount),
    /// Unstructured: this fraction of the weights, rounded to the nearest weight, the smallest magnitudes first, equal
    /// ones in the order of layer and index. Weights that are 0 already count.
    Weights(f64),
    /// N:M: keeps the `keep` largest magnitudes of every `of` neighbouring weights along a filter's input channels (the
    /// first of equal ones), and of a shorter rest as many.
    Pattern {
        /// N.
        keep: usize,
        /// M.
        of: usize,
    },
}

/// What to prune.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PruneOptions {
    /// The ways of pruning, applied in order, each to what the one before left.
    pub prunings: Vec<Pruning>,
    /// Which filters or weights compete with one another.
    pub scope: Scope,
    /// Also prunes, first of all and each on its own, filters whose largest magnitude is below this fraction of their
    /// layer's: they would be noise on a mid-rise grid.
    pub below: Option<f64>,
    /// Removes dead channels from the tensors instead of zeroing them.
    pub compact: bool,
    /// Bit width at which a budget of ESN_a or ESN_d is measured.
    pub bits: Option<u32>,
}

impl PruneOptions {
    /// The options in a few words: `filters −50 % per layer below 1 %`.
    pub fn label(&self) -> String {
        let mut words: Vec<String> = self.prunings.iter().map(Pruning::label).collect();
        if self.scope == Scope::Layer {
            words.push("per layer".to_string());
        }
        if let Some(below) = self.below {
            words.push(format!("below {}", percent(below)));
        }
        words.join(" ")
    }

    /// Checks every number.
    pub(super) fn check(&self) -> Result<(), CompressError> {
        if let Some(below) = self.below {
            check_fraction("below", below)?;
        }
        if let Some(bits) = self.bits {
            BitWidth::new(bits).map_err(|e| option("bits", e.to_string()))?;
        }
        self.prunings.iter().try_for_each(|pruning| match *pruning {
            Pruning::Filters(FilterAmount::Fraction(fraction)) => check_fraction("filters", fraction),
            Pruning::Filters(FilterAmount::Width(width)) => check_fraction("width", width),
            Pruning::Filters(FilterAmount::Budget(budget)) => check_budget(budget),
            Pruning::Weights(fraction) => check_fraction("weights", fraction),
            Pruning::Pattern { keep, of } if keep == 0 || keep > of => {
                let problem = format!("{keep} of {of}; expected at least 1 weight to stay and at most all of them");
                Err(option("pattern", problem))
            }
            Pruning::Pattern { .. } => Ok(()),
        })
    }
}

impl Pruning {
    /// The fraction of single weights that is to be pruned; none where filters are, or a pattern decides.
    pub(super) fn fraction_of_weights(self) -> Option<f64> {
        match self {
            Pruning::Weights(fraction) => Some(fraction),
            Pruning::Filters(_) | Pruning::Pattern { .. } => None,
        }
    }

    /// The way of pruning in a few words: `weights −50 %`.
    pub fn label(&self) -> String {
        match self {
            Pruning::Filters(FilterAmount::Fraction(fraction)) => format!("filters −{}", percent(*fraction)),
            Pruning::Filters(FilterAmount::Width(width)) => format!("width {width}×"),
            Pruning::Filters(FilterAmount::Budget(budget)) => match budget {
                Budget::EsnA(budget) => format!("filters to ESN_a {budget:e}"),
                Budget::EsnD(budget) => format!("filters to ESN_d {budget:e}"),
                Budget::Macs(budget) => format!("filters to {budget:e} MACs"),
                Budget::Parameters(budget) => format!("filters to {budget:e} weights"),
            },
            Pruning::Weights(fraction) => format!("weights −{}", percent(*fraction)),
            Pruning::Pattern { keep, of } => format!("pattern {keep}:{of}"),
        }
    }
}

fn percent(fraction: f64) -> String {
    format!("{} %", (fraction * 1e4).round() / 1e2)
}

fn option(option: &'static str, problem: String) -> CompressError {
    CompressError::Option { option, problem }
}

fn check_fraction(name: &'static str, fraction: f64) -> Result<(), CompressError> {
    if (0.0..=1.0).contains(&fraction) {
        return Ok(());
    }
    Err(option(name, format!("{fraction}; expected a fraction from 0 to 1")))
}

fn check_budget(budget: Budget) -> Result<(), CompressError> {
    if budget.limit() >= 0.0 && budget.limit().is_finite() {
        return Ok(());
    }
    Err(option("budget", format!("{} of {}; expected a number from 0", budget.name(), budget.limit())))
}

impl Budget {
    /// The number that the cost is to be at most.
    pub(super) fn limit(self) -> f64 {
        match self {
            Budget::EsnA(limit) | Budget::EsnD(limit) | Budget::Macs(limit) | Budget::Parameters(limit) => limit,
        }
    }

    /// The cost in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Budget::EsnA(_) => "ESN_a",
            Budget::EsnD(_) => "ESN_d",
            Budget::Macs(_) => "MACs",
            Budget::Parameters(_) => "parameters",
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn every_way_of_pruning_has_a_label() {
        let cases = [
            (Pruning::Filters(FilterAmount::Fraction(0.255)), "filters −25.5 %"),
            (Pruning::Filters(FilterAmount::Width(0.5)), "width 0.5×"),
            (Pruning::Filters(FilterAmount::Budget(Budget::EsnA(1e6))), "filters to ESN_a 1e6"),
            (Pruning::Filters(FilterAmount::Budget(Budget::Parameters(2e3))), "filters to 2e3 weights"),
            (Pruning::Weights(0.9), "weights −90 %"),
            (Pruning::Pattern { keep: 2, of: 4 }, "pattern 2:4"),
        ];
        check_all(cases, |&(pruning, expected)| {
            let options = PruneOptions { prunings: vec![pruning], ..PruneOptions::default() };
            assert_eq!(options.label(), expected);
        });
        let both = PruneOptions { scope: Scope::Layer, below: Some(0.01), ..PruneOptions::default() };
        assert_eq!(both.label(), "per layer below 1 %");
    }
}
