//! What a network costs: its layers streamed through any number of engines, each held against the metric.
//!
//! Layers run in parallel, as many as fit a bound of memory at any number of threads. A worker reads one layer in chunks,
//! quantizes and measures it, and drops it before it takes the next. The codes of a layer are held as a whole for engines
//! alone. The results do not depend on the number of threads.

use engine::{Event, IdleCause, Layer, LayerRun, WeightMemory};
use esn::{BitConvention, CodeTensor, LayerEsn, SignalNoise, filter_esn};
use network::{LayerId, MacLayer, Network};
use rayon::prelude::*;

use crate::bounded;
use crate::check::{Check, Verdict, check};
use crate::detail::LayerDetail;
use crate::error::RunnerError;
use crate::hardware::{Hardware, refused};
use crate::prepare::{self, Quantization};
use crate::runs::{MeasuredRuns, PerImage, add_runs};
use crate::stream::{self, Measure, Streamed};

/// Bytes of weights and codes that layers at work take together; a larger layer is at work alone.
const MEMORY: usize = 24 << 20;

/// What one layer costs.
#[derive(Clone, Debug)]
pub struct LayerCost {
    /// Name of the layer.
    pub name: String,
    /// Its operator: `Conv`, `ConvTranspose`, `Gemm` or `MatMul`.
    pub op: &'static str,
    /// Output channels; of a transposed convolution, output channels × taps.
    pub filters: usize,
    /// Output positions of one image, of a transposed convolution input positions: how often each weight is used.
    pub positions: u64,
    /// Bits that its real weights were quantized to; none where the file holds integers for this layer. Of a sum, those of
    /// the layers that have any.
    pub quantized_to: Option<u32>,
    /// The earlier layer that has the same weights, where they are one tensor. Sums of what counts weights leave this
    /// layer out; its MACs count.
    pub weights_of: Option<String>,
    /// The metric.
    pub esn: LayerEsn,
    /// Multiply-accumulates of weights that are not pruned.
    pub nonzero_macs: u128,
    /// Signal and noise of quantizing; none where the file already quantizes.
    pub snr: Option<SignalNoise>,
    /// What each engine counted, in the order of the hardware.
    pub runs: Vec<HardwareRun>,
}

/// What one engine counted for one layer, and how that compares with the metric.
#[derive(Clone, Debug)]
pub struct HardwareRun {
    /// What the engine counted, summed over `images`.
    pub run: LayerRun,
    /// How many images were counted: 1, unless the cost depends on the image.
    pub images: u64,
    /// The comparison.
    pub check: Check,
}

impl HardwareRun {
    /// The part of a sum over the images that falls to one image.
    pub fn per_image(&self, sum: u128) -> PerImage {
        PerImage { sum, images: self.images }
    }

    /// Cycles of one image.
    pub fn cycles(&self) -> PerImage {
        self.per_image(self.run.cycles.0)
    }

    /// Units of the ledger's entry [`Event::MAC`] of one image.
    pub fn energy_count(&self) -> PerImage {
        self.per_image(self.run.ledger.count(Event::MAC))
    }

    /// Why hardware did no work in one image, in the unit of [`engine::Occupancy`].
    pub fn idle(&self) -> impl Iterator<Item = (IdleCause, PerImage)> {
        self.run.idle.iter().map(|&(cause, count)| (cause, self.per_image(count)))
    }

    /// What most of the hardware's time goes to: `work`, or the cause for which most of it is idle. None where nothing is
    /// offered.
    pub fn bound_by(&self) -> Option<&'static str> {
        let (mut bound, mut most) = ("work", self.run.occupancy.used);
        for &(cause, count) in &self.run.idle {
            if count > most {
                (bound, most) = (cause.name(), count);
            }
        }
        (self.run.occupancy.offered > 0).then_some(bound)
    }

    /// Energy of one image in joules: the sum of the ledger.
    pub fn energy_j(&self) -> f64 {
        self.run.ledger.energy().0 / self.images as f64
    }

    /// Bits of the weights in the memory of the hardware.
    pub fn weight_bits(&self) -> u128 {
        self.run.memory.bits
    }
}

/// What a whole network costs: every layer, and their sum.
#[derive(Clone, Debug)]
pub struct NetworkCost {
    /// Layers in order of execution.
    pub layers: Vec<LayerCost>,
    /// Sum of the metric.
    pub esn: LayerEsn,
    /// Sums of signal and noise over the layers that were quantized here; none where there is no such layer.
    pub snr: Option<SignalNoise>,
    /// Equation (4) with c = 1, summed over the layers; none unless every layer has that figure.
    pub esn_a_from_snr: Option<f64>,
    /// The same with c = output positions.
    pub esn_a_from_snr_macs: Option<f64>,
    /// Sum of each engine's runs, in the order of the hardware.
    pub totals: Vec<HardwareRun>,
}

/// What is costed, and how.
#[derive(Clone, Copy)]
pub struct CostPlan<'a> {
    /// The network.
    pub network: &'a Network,
    /// Engines to run; none for the metric alone.
    pub hardware: &'a [Hardware],
    /// How real weights are quantized.
    pub quantization: Quantization,
    /// How the metric counts the bits of ±1.
    pub convention: BitConvention,
}

/// Costs every layer.
///
/// # Errors
///
/// The first layer, in order of execution, that cannot be read or run; [`RunnerError::NeedsImages`] for hardware whose
/// cost depends on the activations: [`cost_measured`] takes what inference measured of it.
pub fn cost(plan: &CostPlan<'_>) -> Result<NetworkCost, RunnerError> {
    cost_measured(plan, &[])
}

/// Costs every layer; hardware whose cost depends on the activations has what inference measured, in the order of the
/// hardware ([`crate::Evaluation::measured`]).
///
/// # Errors
///
/// As [`cost`].
pub fn cost_measured(plan: &CostPlan<'_>, measured: &[Option<MeasuredRuns>]) -> Result<NetworkCost, RunnerError> {
    cost_watched(plan, measured, &|| ())
}

/// As [`cost_measured`]. `watch` is called before every layer, from any thread; it may unwind, which stops the work.
///
/// # Errors
///
/// As [`cost`].
pub fn cost_watched(
    plan: &CostPlan<'_>,
    measured: &[Option<MeasuredRuns>],
    watch: &(dyn Fn() + Sync),
) -> Result<NetworkCost, RunnerError> {
    plan.quantization.check(plan.network)?;
    let watched = |layer| {
        watch();
        layer_cost(plan, measured, LayerId(layer))
    };
    let memory = |layer| stream::memory(plan.network, LayerId(layer), !plan.hardware.is_empty());
    let sizes: Vec<usize> = (0..plan.network.layers().len()).map(memory).collect();
    let results = bounded::in_parallel(&sizes, MEMORY, watched);
    let layers = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(NetworkCost::sum(layers))
}

fn layer_cost(plan: &CostPlan<'_>, measured: &[Option<MeasuredRuns>], id: LayerId) -> Result<LayerCost, RunnerError> {
    let layer = &plan.network.layers()[id.0];
    let positions = layer.geometry.positions();
    let costed = |esn: LayerEsn, snr, runs| LayerCost {
        quantized_to: (!prepare::is_quantized(layer)).then(|| plan.quantization.bits().get()),
        snr,
        ..LayerCost::new(plan.network, id, esn, runs)
    };
    // Engines take a layer whole; the metric alone does without its codes.
    if plan.hardware.is_empty() {
        let measure = Measure { bits: plan.quantization.bits(), convention: plan.convention, keeps_codes: false };
        if let Some(Streamed { esn, snr, .. }) = stream::layer(plan.network, id, measure)? {
            return Ok(costed(esn, snr, Vec::new()));
        }
    }
    let (weights, esn) = prepare::prepare_measured(plan.network, id, plan.quantization, plan.convention)?;
    let run = |(h, hardware): (usize, &Hardware)| {
        let (run, images) = match measured.get(h).and_then(Option::as_ref) {
            Some(measured) => (measured.layers[id.0].clone(), measured.images),
            None => (run_layer(plan.network, hardware, layer, &weights.codes)?, 1),
        };
        let check = check(hardware, &run, &esn, positions, plan.convention);
        Ok(HardwareRun { run, images, check })
    };
    // In parallel, so that a layer which takes all the memory does not take one thread alone.
    let runs: Vec<Result<HardwareRun, RunnerError>> = plan.hardware.par_iter().enumerate().map(run).collect();
    let runs = runs.into_iter().collect::<Result<_, _>>()?;
    Ok(costed(esn, weights.snr, runs))
}

fn run_layer(
    network: &Network,
    hardware: &Hardware,
    layer: &MacLayer,
    codes: &CodeTensor,
) -> Result<LayerRun, RunnerError> {
    if hardware.needs_images() {
        let (hardware, has_graph) = (hardware.engine.name().to_string(), network.has_graph());
        return Err(RunnerError::NeedsImages { hardware, has_graph });
    }
    let refused = |source| refused(network, hardware, source);
    let engine_layer = Layer::new(&layer.name, &layer.geometry, codes).map_err(refused)?;
    hardware.engine.run(&engine_layer).map_err(refused)
}

/// What one layer costs whose weights are these codes, in the shape of its geometry, and the widths of its weights: what
/// [`cost`] and [`crate::details`] say of a network in which they stand. The layer must have a tensor of its own.
///
/// # Errors
///
/// As [`cost`].
pub fn cost_of_codes(
    network: &Network,
    id: LayerId,
    codes: &CodeTensor,
    hardware: &[Hardware],
    convention: BitConvention,
) -> Result<(LayerCost, LayerDetail), RunnerError> {
    let layer = &network.layers()[id.0];
    let positions = layer.geometry.positions();
    let filters = filter_esn(codes, convention);
    let esn = LayerEsn::of_filters(&filters, codes, positions);
    let run = |hardware: &Hardware| {
        let run = run_layer(network, hardware, layer, codes)?;
        let check = check(hardware, &run, &esn, positions, convention);
        Ok(HardwareRun { run, images: 1, check })
    };
    let runs = hardware.iter().map(run).collect::<Result<_, RunnerError>>()?;
    let cost = LayerCost::new(network, id, esn, runs);
    Ok((cost, LayerDetail::new(&filters, codes, positions, convention)))
}

impl LayerCost {
    /// What is known of a layer by its metric and its runs: its weights were quantized before.
    fn new(network: &Network, id: LayerId, esn: LayerEsn, runs: Vec<HardwareRun>) -> Self {
        let layer = &network.layers()[id.0];
        let positions = layer.geometry.positions();
        Self {
            name: layer.name.clone(),
            op: layer.op.name(),
            filters: layer.geometry.spec().filters,
            positions,
            quantized_to: None,
            weights_of: network.shares_weights_with(id).map(|first| network.layers()[first.0].name.clone()),
            esn,
            nonzero_macs: esn.nonzero * u128::from(positions),
            snr: None,
            runs,
        }
    }

    /// What the layer adds to the sum of its network: weights that an earlier layer has are counted there.
    fn own_esn(&self) -> LayerEsn {
        if self.weights_of.is_none() { self.esn } else { self.esn.of_further_use() }
    }

    /// Equation (4) with c = 1; none where there is no noise to measure.
    pub fn esn_a_from_snr(&self) -> Option<f64> {
        self.snr.and_then(|snr| snr.esn_a(1, self.esn.nonzero))
    }

    /// Equation (4) with c = output positions; none where there is no noise to measure.
    pub fn esn_a_from_snr_macs(&self) -> Option<f64> {
        self.snr.and_then(|snr| snr.esn_a(self.positions, self.esn.nonzero))
    }
}

impl NetworkCost {
    /// What a network of these layers costs, in order of execution.
    pub fn sum(layers: Vec<LayerCost>) -> Self {
        let esn = layers.iter().map(LayerCost::own_esn).sum();
        let snr = first_uses(&layers).filter_map(|layer| layer.snr).reduce(|a, b| a + b);
        let esn_a_from_snr = sum_all(first_uses(&layers), LayerCost::esn_a_from_snr);
        let esn_a_from_snr_macs = sum_all(layers.iter(), LayerCost::esn_a_from_snr_macs);
        let hardware = layers.first().map_or(0, |layer| layer.runs.len());
        let totals = (0..hardware).filter_map(|h| total(&layers, h)).collect();
        Self { layers, esn, snr, esn_a_from_snr, esn_a_from_snr_macs, totals }
    }

    /// The sum in the form of a layer: named `TOTAL`, without an operator and without positions.
    pub fn total_row(&self) -> LayerCost {
        LayerCost {
            name: "TOTAL".to_string(),
            op: "",
            filters: first_uses(&self.layers).map(|layer| layer.filters).sum(),
            positions: 0,
            quantized_to: self.layers.iter().find_map(|layer| layer.quantized_to),
            weights_of: None,
            esn: self.esn,
            nonzero_macs: self.layers.iter().map(|layer| layer.nonzero_macs).sum(),
            snr: self.snr,
            runs: self.totals.clone(),
        }
    }

    /// Whether every ideal engine agrees with its metric.
    pub fn passes(&self) -> bool {
        self.totals.iter().all(|total| total.check.verdict != Verdict::Fail)
    }
}

/// The layers whose weights no earlier layer has.
fn first_uses(layers: &[LayerCost]) -> impl Iterator<Item = &LayerCost> {
    layers.iter().filter(|layer| layer.weights_of.is_none())
}

/// The sum over layers; none unless there is a layer and every layer has the number.
fn sum_all<'a>(layers: impl Iterator<Item = &'a LayerCost>, number: impl Fn(&LayerCost) -> Option<f64>) -> Option<f64> {
    let mut layers = layers.peekable();
    layers.peek()?;
    layers.map(number).sum()
}

fn total(layers: &[LayerCost], hardware: usize) -> Option<HardwareRun> {
    let of_layer = |layer: &LayerCost| {
        let mut run = layer.runs[hardware].clone();
        // The memory holds a tensor once.
        if layer.weights_of.is_some() {
            run.run.memory = WeightMemory::default();
        }
        run
    };
    layers.iter().map(of_layer).reduce(|sum, next| HardwareRun {
        run: add_runs(sum.run, &next.run),
        images: sum.images,
        check: sum.check.merge(next.check),
    })
}
