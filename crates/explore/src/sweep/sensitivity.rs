//! How much each layer of a network of a plan bears, by any cost that layers add up to.

use std::slice;

use compress::{Choice, CompressError, Original, PruneOptions, Sensitivity, SensitivityPlan};
use network::{MacLayer, Network};
use runner::{BitCounts, LayerCost, LayerDetail, NetworkCost, Quantization, details};

use super::inputs::Point;
use super::point::{CONVENTION, Workshop};
use crate::error::ExploreError;
use crate::pareto::{Cost, CostValue};
use crate::store::PointCosts;

/// What is measured.
pub struct SensitivityRequest<'a> {
    /// The network, as the plan names it; none: the first.
    pub network: Option<String>,
    /// How it is pruned first.
    pub prune: PruneOptions,
    /// The cost that a way to quantize a layer is known by.
    pub cost: Cost,
    /// Ways to quantize a layer.
    pub choices: &'a [Choice],
    /// At most so many images, spread evenly: of those that statistics are re-estimated on, else of those that accuracy is
    /// measured on.
    pub images: usize,
    /// Whether statistics are re-estimated before the output is looked at.
    pub reestimate: bool,
}

/// Zeptojoules are fine enough for a count of any energy, normalized ones too.
const ZEPTO: f64 = 1e-21;

impl Workshop<'_> {
    /// Measures a network, which `point` knows with its pruning.
    pub(super) fn sensitivity(
        &self,
        point: &Point,
        request: &SensitivityRequest<'_>,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Sensitivity, ExploreError> {
        let shared = &*point.network;
        let pruned = self.pruned.of(point);
        let (network, report) = self.pruned(shared, &pruned)?;
        let none = || CompressError::Option { option: "images", problem: "there is none".to_string() };
        let images = shared.statistics.as_ref().or(shared.images.as_ref()).ok_or_else(none)?;
        let samples = self.announced(images);
        let cost = |network: &Network| self.costs_of_layers(network, &request.cost);
        let plan = SensitivityPlan {
            network,
            original: Original { network: &shared.network, pruned: report },
            images: &samples,
            limit: request.images,
            choices: request.choices,
            cost: &cost,
            reestimate: request.reestimate,
            progress,
        };
        Ok(self.pool.install(|| compress::sensitivity(&plan))?)
    }

    /// What every layer of a network, which `point` knows with its pruning, costs in each of some ways.
    pub(super) fn costs_of_choices(
        &self,
        point: &Point,
        choices: &[Choice],
        cost: &Cost,
    ) -> Result<Vec<Vec<u128>>, ExploreError> {
        let pruned = self.pruned.of(point);
        let (network, _) = self.pruned(&point.network, &pruned)?;
        let cost = |network: &Network| self.costs_of_layers(network, cost);
        Ok(self.pool.install(|| compress::costs_of_choices(network, choices, &cost))?)
    }

    /// What every layer of a quantized network costs, in units that are whole.
    fn costs_of_layers(&self, network: &Network, cost: &Cost) -> Result<Vec<u128>, CompressError> {
        let refuse = |problem: String| CompressError::Option { option: "cost", problem };
        if cost.depends_on_pruning_alone() {
            let problem = format!("{} depends on pruning alone, and no way to quantize a layer changes it", cost.id());
            return Err(refuse(problem));
        }
        let costs = self.cost_of(network).map_err(|error| refuse(network::chain(&error)))?;
        let details =
            details(network, Quantization::new(None), CONVENTION).map_err(|error| refuse(network::chain(&error)))?;
        let layers = network.layers().iter().zip(&costs.layers).zip(&details);
        let of_layer = |((layer, costs), detail): ((&MacLayer, &LayerCost), &LayerDetail)| {
            let bits = BitCounts::of_layer(layer, costs, detail, self.inputs.activation_bits);
            let costs = NetworkCost::sum(vec![costs.clone()]);
            let costs = PointCosts::new(&self.inputs.hardware, &costs, slice::from_ref(detail), bits);
            cost.of_costs(&costs).map(whole)
        };
        let all: Option<Vec<u128>> = layers.map(of_layer).collect();
        all.ok_or_else(|| {
            let names: Vec<_> = self.inputs.hardware.iter().map(|hardware| hardware.engine.name()).collect();
            let names = names.join(", ");
            refuse(format!("{}: there is no such hardware among those that costs are counted on: {names}", cost.id()))
        })
    }
}

/// The amount in whole units: quarters of ESN_a, and zeptojoules.
fn whole(cost: CostValue) -> u128 {
    match cost {
        CostValue::Count(count) => count,
        CostValue::Quarters(quarters) => quarters.0,
        CostValue::Joules(joules) => (joules / ZEPTO).round() as u128,
    }
}
