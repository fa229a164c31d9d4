//! How much hardware gains from fewer bits and from pruning: Figure 1 of "Prune or quantize?", measured.
//!
//! The main function is [`landscape`]. It runs one synthetic layer ([`LAYER`]) in many forms on every hardware, and
//! compares each form with what the dense layer at 8 bits costs on the same hardware.

mod layer;

use engine::{Activations, Arithmetic, EnergyGroup, EngineError, LayerRun};
use rayon::prelude::*;
use runner::{Hardware, HardwareFile, Metric, WidthGranularity, ZeroSkippingWord};

use crate::error::ExploreError;
use layer::SyntheticLayer;

pub use layer::LAYER;

/// Widths of the sweep of bits.
pub const BITS: [u32; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 16];

/// Hundredths of the weights, or of the filters, that are pruned in the sweeps of sparsity.
pub const PRUNED_PERCENT: [u32; 11] = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95];

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sweep {
    /// Bits of every weight.
    Bits,
    /// How many weights are pruned, wherever they stand.
    PrunedWeights,
    /// How many filters are pruned, whole.
    PrunedFilters,
}

impl Sweep {
    /// All of them, in order.
    pub const ALL: [Sweep; 3] = [Sweep::Bits, Sweep::PrunedWeights, Sweep::PrunedFilters];

    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Sweep::Bits => "bits",
            Sweep::PrunedWeights => "pruned-weights",
            Sweep::PrunedFilters => "pruned-filters",
        }
    }
}

/// Hardware whose arithmetic is alike, and which is held against the same ideal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Digital, one width for all weights, zeros computed.
    FixedWidth,
    /// Digital, one width for all weights, single zeros skipped.
    Sparse,
    /// Digital, a width by layer, filter or weight.
    VariableBits,
    /// Analog.
    Analog,
}

impl Family {
    /// All of them, in order.
    pub const ALL: [Family; 4] = [Family::FixedWidth, Family::Sparse, Family::VariableBits, Family::Analog];

    /// The name in figures.
    pub fn name(self) -> &'static str {
        match self {
            Family::FixedWidth => "fixed width",
            Family::Sparse => "fixed width, zeros skipped",
            Family::VariableBits => "variable bits",
            Family::Analog => "analog",
        }
    }

    fn of(hardware: &Hardware) -> Self {
        match &hardware.resolved {
            HardwareFile::Analog(_) => Family::Analog,
            HardwareFile::Digital(file) => match (file.array.width_granularity, file.array.zero_skipping) {
                (WidthGranularity::Fixed, Some(ZeroSkippingWord::Weights)) => Family::Sparse,
                (WidthGranularity::Fixed, _) => Family::FixedWidth,
                (WidthGranularity::Layer | WidthGranularity::Filter | WidthGranularity::Weight, _) => {
                    Family::VariableBits
                }
            },
        }
    }
}

/// What to measure.
#[derive(Clone, Copy)]
pub struct LandscapePlan<'a> {
    /// The hardware.
    pub hardware: &'a [Hardware],
    /// Bits of every weight in the sweeps of sparsity.
    pub bits: u32,
    /// Hundredths of the weights that are pruned in the sweep of bits.
    pub pruned_percent: u32,
    /// What codes, pruned weights and activations are drawn from.
    pub seed: u64,
}

/// One form of the layer on one hardware.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapePoint {
    /// Name of the hardware.
    pub hardware: String,
    /// Its kind.
    pub family: Family,
    /// The metric that it is held against.
    pub metric: Metric,
    /// Whether it is ideal.
    pub ideal: bool,
    /// Whether its energies are units of a choice and no joules.
    pub normalized: bool,
    /// What is varied.
    pub sweep: Sweep,
    /// Bits of every weight.
    pub bits: u32,
    /// Hundredths that are pruned, of weights or, in the sweep of filters, of filters.
    pub pruned_percent: u32,
    /// Multiply-accumulates of the dense layer.
    pub macs: u64,
    /// Those of nonzero weights.
    pub nonzero_macs: u64,
    /// What was counted; none where the hardware cannot hold such weights.
    pub cost: Option<PointCost>,
}

/// What one form of the layer costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointCost {
    /// Joules.
    pub energy_j: f64,
    /// The parts of it, in the order of [`EnergyGroup::ALL`]: compute, conversion and memory.
    pub energy_by_group_j: [f64; 3],
    /// Joules over the MACs of the dense layer.
    pub energy_per_mac_j: f64,
    /// Energy over that of the dense layer at 8 bits on the same hardware; none where it cannot hold that.
    pub relative: Option<f64>,
    /// The same without the energy of memory: what the arithmetic gains, converters included.
    pub relative_without_memory: Option<f64>,
    /// Cycles.
    pub cycles: u128,
}

/// Runs every form of the layer on every hardware, in the order of the hardware, then of [`Sweep::ALL`].
///
/// # Errors
///
/// [`ExploreError::Landscape`] if an engine refuses the layer for another reason than weights it cannot hold.
pub fn landscape(plan: &LandscapePlan<'_>) -> Result<Vec<LandscapePoint>, ExploreError> {
    let forms: Vec<(Sweep, u32, u32)> = Sweep::ALL.iter().flat_map(|&sweep| forms(plan, sweep)).collect();
    let layers: Vec<SyntheticLayer> = forms.iter().map(|&form| SyntheticLayer::new(form, plan.seed)).collect();
    let dense = SyntheticLayer::new((Sweep::Bits, 8, 0), plan.seed);
    let of_hardware: Vec<Result<Vec<LandscapePoint>, ExploreError>> =
        plan.hardware.par_iter().map(|hardware| points(hardware, &forms, &layers, &dense)).collect();
    Ok(of_hardware.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn forms(plan: &LandscapePlan<'_>, sweep: Sweep) -> Vec<(Sweep, u32, u32)> {
    match sweep {
        Sweep::Bits => BITS.iter().map(|&bits| (sweep, bits, plan.pruned_percent)).collect(),
        Sweep::PrunedWeights | Sweep::PrunedFilters => {
            PRUNED_PERCENT.iter().map(|&percent| (sweep, plan.bits, percent)).collect()
        }
    }
}

fn points(
    hardware: &Hardware,
    forms: &[(Sweep, u32, u32)],
    layers: &[SyntheticLayer],
    dense: &SyntheticLayer,
) -> Result<Vec<LandscapePoint>, ExploreError> {
    let energy_of = |run: &LayerRun| run.ledger.energy().0;
    let without_memory = |run: &LayerRun| {
        [EnergyGroup::Compute, EnergyGroup::Conversion].map(|group| run.ledger.energy_of(group).0).iter().sum::<f64>()
    };
    let dense = run(hardware, dense)?;
    let reference = |of: &dyn Fn(&LayerRun) -> f64| dense.as_ref().map(of).filter(|&energy| energy > 0.0);
    let (whole, arithmetic) = (reference(&energy_of), reference(&without_memory));
    let point = |(&(sweep, bits, pruned_percent), layer): (&(Sweep, u32, u32), &SyntheticLayer)| {
        let macs = layer.macs();
        let cost = run(hardware, layer)?.map(|run| PointCost {
            energy_j: energy_of(&run),
            energy_per_mac_j: energy_of(&run) / macs as f64,
            energy_by_group_j: EnergyGroup::ALL.map(|group| run.ledger.energy_of(group).0),
            relative: whole.map(|whole| energy_of(&run) / whole),
            relative_without_memory: arithmetic.map(|arithmetic| without_memory(&run) / arithmetic),
            cycles: run.cycles.0,
        });
        Ok(LandscapePoint {
            hardware: hardware.engine.name().to_string(),
            family: Family::of(hardware),
            metric: hardware.metric,
            ideal: hardware.ideal,
            normalized: hardware.normalized,
            sweep,
            bits,
            pruned_percent,
            macs,
            nonzero_macs: layer.nonzero_macs(),
            cost,
        })
    };
    forms.iter().zip(layers).map(point).collect()
}

/// The cost of one form; none where the hardware cannot hold it.
fn run(hardware: &Hardware, synthetic: &SyntheticLayer) -> Result<Option<LayerRun>, ExploreError> {
    let engine = &hardware.engine;
    let result = synthetic.layer().and_then(|layer| match engine.arithmetic() {
        Arithmetic::Integer => engine.run_on(&layer, Activations::Integer(&synthetic.integers)),
        Arithmetic::Real => engine.run_on(&layer, Activations::Real(&synthetic.reals)),
    });
    match result {
        Ok(run) => Ok(Some(run)),
        Err(EngineError::Unsupported { .. }) => Ok(None),
        Err(source) => Err(ExploreError::Landscape { hardware: engine.name().to_string(), source: Box::new(source) }),
    }
}
