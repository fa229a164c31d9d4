//! What each layer of a network costs, so that a budget can be shared out among layers.

use std::slice;

use compress::CompressError;
use esn::BitConvention;
use network::{MacLayer, Network};
use runner::{BitCounts, CostPlan, Hardware, LayerCost, LayerDetail, NetworkCost, Quantization, RunnerError, details};

use super::{Cost, CostValue};
use crate::store::PointCosts;

const CONVENTION: BitConvention = BitConvention::NonzeroAtLeastOne;
/// Zeptojoules are fine enough for a count of any energy, normalized ones too.
const ZEPTO: f64 = 1e-21;

/// What layers are costed by.
pub struct LayerCosts<'a> {
    /// The hardware that cycles and energies are counted on.
    pub hardware: &'a [Hardware],
    /// Bits of activations where the network does not say.
    pub activation_bits: u32,
}

impl LayerCosts<'_> {
    /// What every layer of a quantized network costs for one image, in the whole units of [`Cost::units`], in the order of
    /// [`Network::layers`].
    ///
    /// # Errors
    ///
    /// [`CompressError::Option`] for a cost that no way to quantize a layer changes, for one of a hardware that is not among
    /// [`LayerCosts::hardware`], and for layers that cannot be costed.
    pub fn of(&self, network: &Network, cost: &Cost) -> Result<Vec<u128>, CompressError> {
        if cost.depends_on_pruning_alone() {
            let problem = format!("{} depends on pruning alone, and no way to quantize a layer changes it", cost.id());
            return Err(refuse(problem));
        }
        let quantization = Quantization::new(None);
        let plan = CostPlan { network, hardware: self.hardware, quantization, convention: CONVENTION };
        let costs = runner::cost(&plan).map_err(uncosted)?;
        let details = details(network, quantization, CONVENTION).map_err(uncosted)?;
        let layers = network.layers().iter().zip(&costs.layers).zip(&details);
        let of_layer = |((layer, costs), detail): ((&MacLayer, &LayerCost), &LayerDetail)| {
            let bits = BitCounts::of_layer(layer, costs, detail, self.activation_bits);
            let costs = NetworkCost::sum(vec![costs.clone()]);
            let costs = PointCosts::new(self.hardware, &costs, slice::from_ref(detail), bits);
            cost.of_costs(&costs).map(whole)
        };
        let all: Option<Vec<u128>> = layers.map(of_layer).collect();
        all.ok_or_else(|| {
            let names: Vec<_> = self.hardware.iter().map(|hardware| hardware.engine.name()).collect();
            let names = if names.is_empty() { "there is none".to_string() } else { names.join(", ") };
            refuse(format!("{}: there is no such hardware among those that costs are counted on: {names}", cost.id()))
        })
    }

    /// The widths of a quantized network's weights, and what a memory needs for them.
    ///
    /// # Errors
    ///
    /// [`CompressError::Option`] for layers that cannot be costed.
    pub fn detail(network: &Network) -> Result<LayerDetail, CompressError> {
        let details = details(network, Quantization::new(None), CONVENTION).map_err(uncosted)?;
        Ok(details.into_iter().sum())
    }
}

fn refuse(problem: String) -> CompressError {
    CompressError::Option { option: "cost", problem }
}

fn uncosted(error: RunnerError) -> CompressError {
    refuse(network::chain(&error))
}

impl Cost {
    /// How many whole units one of this cost is: ESN_a is counted in quarters, and energy in zeptojoules.
    fn units_of_one(&self) -> f64 {
        let is_in_quarters = matches!(self, Cost::EsnA | Cost::EsnAWeights);
        let is_energy = matches!(self, Cost::Linear(_) | Cost::Energy(_));
        if is_in_quarters {
            4.0
        } else if is_energy {
            1.0 / ZEPTO
        } else {
            1.0
        }
    }

    /// So much of this cost in whole units, rounded down. None where that is no number above 0 that can be counted.
    pub fn units(&self, amount: f64) -> Option<u128> {
        let units = amount * self.units_of_one();
        (units > 0.0 && units < 1e37).then_some(units.floor() as u128)
    }

    /// So many whole units, as the cost is told.
    pub fn amount(&self, units: u128) -> f64 {
        units as f64 / self.units_of_one()
    }
}

/// The amount in whole units.
fn whole(cost: CostValue) -> u128 {
    match cost {
        CostValue::Count(count) => count,
        CostValue::Quarters(quarters) => quarters.0,
        CostValue::Joules(joules) => (joules / ZEPTO).round() as u128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_counted_in_whole_units() {
        assert_eq!(Cost::EsnA.units(2.75), Some(11));
        assert_eq!(Cost::EsnA.amount(11), 2.75);
        assert_eq!(Cost::ModelBits.units(2.75), Some(2));
        assert_eq!(Cost::Energy("unpu".to_string()).units(1e-20), Some(10));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e38] {
            assert_eq!(Cost::EsnD.units(wrong), None, "{wrong}");
        }
    }
}
