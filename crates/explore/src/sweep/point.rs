//! One point, run from the network to the row of the store.

use std::sync::Arc;

use compress::{Original, PruneReport, QuantizeOptions, ReestimateOptions};
use esn::BitConvention;
use inference::{Sample, SampleError, Samples};
use network::{ErrorKind, Failure, Network, Note, NoteKind};
use rayon::ThreadPool;
use runner::{
    BitCounts, CostPlan, EngineEvaluation, Evaluation, EvaluationPlan, Hardware, LayerDetail, NetworkCost,
    Quantization, RunnerError, cost, details, evaluate, is_quantized,
};

use super::images::PairedImages;
use super::inputs::{FloatReference, Inputs, Point, SharedNetwork};
use super::ledger::{Costed, LayersOfNetwork, Ledger};
use super::pruned::{PrunedNetwork, PrunedNetworks};
use crate::error::ExploreError;
use crate::store::{PointAccuracy, PointCosts, PointRow};

pub(super) const CONVENTION: BitConvention = BitConvention::NonzeroAtLeastOne;

/// What every point is run with.
pub(super) struct Workshop<'a> {
    pub inputs: &'a Inputs,
    pub pruned: &'a PrunedNetworks,
    pub ledger: &'a Ledger,
    pub pool: &'a ThreadPool,
    pub reestimate: ReestimateOptions,
    /// Called before every image.
    pub image: &'a (dyn Fn() + Sync),
}

/// Images of which each is announced before it is looked at.
pub(super) struct Announced<'a> {
    samples: &'a dyn Samples,
    image: &'a (dyn Fn() + Sync),
}

impl Samples for Announced<'_> {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn sample(&self, index: usize) -> Result<Sample, SampleError> {
        (self.image)();
        self.samples.sample(index)
    }
}

/// A point that ran.
pub(super) struct Ran {
    /// Its result.
    pub row: PointRow,
    /// Whether less came out than the point asked for: fewer filters pruned, or a target missed. Its notes say so.
    pub short: bool,
}

/// A point's figures so far.
#[derive(Default)]
struct Figures {
    notes: Vec<Note>,
    costs: Option<PointCosts>,
    accuracy: Option<PointAccuracy>,
}

impl Workshop<'_> {
    /// Runs a point. What fails because of the point becomes part of its row.
    ///
    /// Called from threads outside the pool: they may wait for one another's shared results, which threads of the pool
    /// must not, lest one waits for itself.
    ///
    /// # Errors
    ///
    /// What has nothing to do with the point: a file that has gone, images that cannot be read.
    pub fn run(&self, point: &Point) -> Result<Ran, ExploreError> {
        let mut figures = Figures::default();
        let error = match self.try_run(point, &mut figures) {
            Ok(()) => None,
            Err(error) if is_of_the_point(&error) => Some(network::chain(&error)),
            Err(error) => return Err(error),
        };
        let short = figures.notes.iter().any(|note| note.kind() == NoteKind::OffTarget);
        let row = PointRow {
            key: point.key,
            network: point.network.name.clone(),
            configuration: point.configuration.clone(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            notes: figures.notes.iter().map(ToString::to_string).collect(),
            error,
            costs: figures.costs,
            accuracy: figures.accuracy,
        };
        Ok(Ran { row, short })
    }

    fn try_run(&self, point: &Point, figures: &mut Figures) -> Result<(), ExploreError> {
        let shared = &*point.network;
        let kept = self.pruned.of(point);
        let (pruned, report) = self.pruned(shared, &kept)?;
        figures.notes.extend(report.iter().flat_map(|report| report.notes.iter().cloned()));
        if let Some(Costed { cost, details, notes }) = self.costs_alone(point, &kept, pruned)? {
            figures.notes.extend(notes);
            figures.costs = Some(self.summarize(pruned, &cost, &details));
            return Ok(());
        }
        let original = Original { network: &shared.network, pruned: report };
        let network = self.pool.install(|| self.compress(point, original, pruned, &mut figures.notes))?;
        let (cost, details) = self.pool.install(|| self.cost(&network))?;
        let costs = figures.costs.insert(self.summarize(&network, &cost, &details));
        let Some(images) = &shared.images else { return Ok(()) };
        let float = self.float(shared, images)?;
        let samples = self.announced(images);
        let evaluation = self.pool.install(|| evaluate(&self.evaluation(&network, images, &samples)))?;
        figures.accuracy = Some(accuracy(&evaluation, float));
        for (row, hardware) in costs.hardware.iter_mut().zip(&self.inputs.hardware) {
            if let Some(engine) = engine_of(&self.inputs.engines, &evaluation, hardware) {
                row.score = Some(engine.score.clone());
                row.agreement = Some(agreement(engine, float));
            }
        }
        Ok(())
    }

    /// The pruned network of a point, and what was pruned, where something was; made once.
    pub(super) fn pruned<'p>(
        &self,
        shared: &SharedNetwork,
        pruned: &'p PrunedNetwork,
    ) -> Result<(&'p Network, Option<&'p PruneReport>), ExploreError> {
        let make = || match &pruned.options {
            None => Ok((shared.network.clone(), None)),
            Some(options) => self
                .pool
                .install(|| compress::prune(&shared.network, options))
                .map(|(network, report)| (network, Some(report)))
                .map_err(|e| Arc::new(e.into())),
        };
        match pruned.made.get_or_init(make) {
            Ok((network, report)) => Ok((network, report.as_ref())),
            Err(error) => Err(ExploreError::Shared(Arc::clone(error))),
        }
    }

    /// The costs of a point that asks for nothing else, layer by layer. `None` where the network itself is needed.
    fn costs_alone(
        &self,
        point: &Point,
        kept: &PrunedNetwork,
        pruned: &Network,
    ) -> Result<Option<Costed>, ExploreError> {
        let configuration = &point.configuration;
        if configuration.images.is_some() || configuration.reestimate.is_some() {
            return Ok(None);
        }
        let Some(options) = quantization(pruned, configuration.quantize.as_ref()) else { return Ok(None) };
        let make = || self.pool.install(|| LayersOfNetwork::new(pruned));
        let layers = kept.layers.get_or_init(make);
        let costs = self.pool.install(|| self.ledger.cost(pruned, layers, &options, &self.inputs.hardware));
        Ok(costs?)
    }

    /// What the float network before compression says about the images; asked once a network.
    fn float<'s>(&self, shared: &'s SharedNetwork, images: &PairedImages) -> Result<&'s FloatReference, ExploreError> {
        let make = || {
            let samples = self.announced(images);
            let plan = self.evaluation(&shared.network, images, &samples);
            let plan = EvaluationPlan { reference: true, hardware: &[], ..plan };
            let evaluation = self.pool.install(|| evaluate(&plan)).map_err(|e| Arc::new(e.into()))?;
            let score = evaluation.float.expect("the plan asks for the float network");
            Ok(FloatReference { score, predictions: evaluation.float_predictions })
        };
        shared.float.get_or_init(make).as_ref().map_err(|error| ExploreError::Shared(Arc::clone(error)))
    }

    /// Quantizes and re-estimates.
    fn compress(
        &self,
        point: &Point,
        original: Original<'_>,
        pruned: &Network,
        notes: &mut Vec<Note>,
    ) -> Result<Network, ExploreError> {
        let configuration = &point.configuration;
        let mut network = pruned.clone();
        if let Some(options) = quantization(pruned, configuration.quantize.as_ref()) {
            let (quantized, report) = compress::quantize(pruned, &options)?;
            notes.extend(report.notes);
            network = quantized;
        }
        if let (Some(_), Some(images)) = (&configuration.reestimate, &point.network.statistics) {
            let samples = self.announced(images);
            let (reestimated, report) = compress::reestimate(&network, original, &samples, &self.reestimate)?;
            notes.extend(report.notes);
            network = reestimated;
        }
        Ok(network)
    }

    fn cost(&self, network: &Network) -> Result<(NetworkCost, Vec<LayerDetail>), ExploreError> {
        Ok((self.cost_of(network)?, details(network, Quantization::new(None), CONVENTION)?))
    }

    /// What a network costs whose weights are integers.
    pub(super) fn cost_of(&self, network: &Network) -> Result<NetworkCost, RunnerError> {
        let quantization = Quantization::new(None);
        cost(&CostPlan { network, hardware: &self.inputs.hardware, quantization, convention: CONVENTION })
    }

    fn summarize(&self, network: &Network, cost: &NetworkCost, details: &[LayerDetail]) -> PointCosts {
        let bits = BitCounts::new(network, cost, details, self.inputs.activation_bits);
        PointCosts::new(&self.inputs.hardware, cost, details, bits)
    }

    pub(super) fn announced<'i>(&'i self, images: &'i PairedImages) -> Announced<'i> {
        Announced { samples: &*images.samples, image: self.image }
    }

    fn evaluation<'e>(
        &'e self,
        network: &'e Network,
        images: &PairedImages,
        samples: &'e Announced<'_>,
    ) -> EvaluationPlan<'e> {
        EvaluationPlan {
            network,
            hardware: &self.inputs.engines,
            quantization: Quantization::new(None),
            samples,
            answer: images.answer,
            activation_bits: self.inputs.activation_bits,
            calibration_images: self.inputs.calibration_images,
            reference: false,
            progress: &|_| {},
        }
    }
}

/// Whether an error belongs to the point, and to its row, rather than to the machine that it ran on: a file or an image
/// that cannot be read, a store that cannot be written.
fn is_of_the_point(error: &ExploreError) -> bool {
    !matches!(error, ExploreError::Store { .. } | ExploreError::Plan { .. }) && error.kind() != ErrorKind::Io
}

/// How a network is quantized: as the plan says, else to the default if it holds real weights alone.
fn quantization(network: &Network, options: Option<&QuantizeOptions>) -> Option<QuantizeOptions> {
    match options {
        Some(options) => Some(options.clone()),
        None if network.layers().iter().any(is_quantized) => None,
        None => Some(QuantizeOptions::default()),
    }
}

fn accuracy(evaluation: &Evaluation, float: &FloatReference) -> PointAccuracy {
    let integers = &evaluation.engines[0];
    PointAccuracy {
        images: evaluation.images as u64,
        score: integers.score.clone(),
        agreement: agreement(integers, float),
        float: float.score.clone(),
    }
}

/// The evaluation that serves a hardware: engines on integers all compute the same sums, those on real numbers each
/// their own.
fn engine_of<'e>(
    engines: &[Hardware],
    evaluation: &'e Evaluation,
    hardware: &Hardware,
) -> Option<&'e EngineEvaluation> {
    let same = |engine: &Hardware| match hardware.is_exact() {
        true => engine.is_exact(),
        false => engine.engine.name() == hardware.engine.name(),
    };
    engines.iter().position(same).and_then(|index| evaluation.engine_of(index))
}

fn agreement(engine: &EngineEvaluation, float: &FloatReference) -> u64 {
    engine.predictions.iter().zip(&float.predictions).filter(|(a, b)| a == b).count() as u64
}
