//! How much each layer of a network of a plan bears, by any cost that layers add up to.

use compress::{Choice, CompressError, Original, PruneOptions, Sensitivity, SensitivityPlan};
use network::Network;

use super::inputs::Point;
use super::point::Workshop;
use crate::error::ExploreError;
use crate::pareto::{Cost, LayerCosts};

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

    /// What every layer of a quantized network costs, in whole units.
    fn costs_of_layers(&self, network: &Network, cost: &Cost) -> Result<Vec<u128>, CompressError> {
        let costs = LayerCosts { hardware: &self.inputs.hardware, activation_bits: self.inputs.activation_bits };
        costs.of(network, cost)
    }
}
