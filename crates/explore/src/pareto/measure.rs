//! The costs and accuracies that points are compared by.

use std::cmp::Ordering;
use std::str::FromStr;

use esn::Quarters;
use runner::BitCounts;

use super::hardware::SurveyedHardware;
use super::linear::LinearCost;
use crate::store::{PointCosts, PointFigures};

/// A cost. ESN counts each weight once for every output position (`c` = positions) unless its name ends in `weights`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Equation (2).
    EsnA,
    /// Equation (3).
    EsnD,
    /// Equation (7).
    EsnDFilter,
    /// Equation (2) with `c = 1`.
    EsnAWeights,
    /// Equation (3) with `c = 1`.
    EsnDWeights,
    /// Multiply-accumulates of filters and channels that are not pruned.
    Macs,
    /// Weights of filters and channels that are not pruned.
    Parameters,
    /// Multiply-accumulates of weights that are not pruned.
    EffectiveMacs,
    /// Weights that are not pruned.
    EffectiveWeights,
    /// Weights, at the width of their layer by equation (3): [`BitCounts::model_bits`].
    ModelBits,
    /// MACs × bits of a weight × bits of an activation, at the width of the layer.
    BitOperations,
    /// The same of weights that are not pruned.
    EffectiveBitOperations,
    /// Equation (3), and the bits that are moved, at energies of 45 nm: [`TRAFFIC`].
    EsnDTraffic,
    /// Weights that are fetched, at that width: [`BitCounts::weight_bits`].
    WeightBits,
    /// Bits of activations that are moved.
    ActivationBits,
    /// Sums that become outputs.
    Outputs,
    /// A weighted sum of costs without hardware.
    Linear(LinearCost),
    /// Latency on a hardware, by its name.
    Cycles(String),
    /// Energy on a hardware, by its name.
    Energy(String),
}

/// What [`Cost::EsnDTraffic`] adds up, in units of 12.5 fJ: a bit of a weight that is added, one that is fetched from DRAM, and
/// a bit of an activation from SRAM. 37.5 fJ: a multiplication of 8 bits (0.2 pJ) and an addition of 32 bits (0.1 pJ), over 8
/// bits. 20.3 pJ: 1.3 nJ for 64 bits of DRAM. 1.56 pJ: 100 pJ for 64 bits of a cache of 1 MB. M. Horowitz, "Computing's energy
/// problem (and what we can do about it)", ISSCC 2014.
pub const TRAFFIC: [u128; 3] = [3, 1625, 125];

/// The unit of energies.
pub const JOULES: &str = "J";

/// What there is to say of a cost that needs no hardware.
struct Plain {
    cost: Cost,
    /// The name on the command line.
    id: &'static str,
    /// The name in tables and figures.
    name: &'static str,
    /// The unit, where the name does not say it.
    unit: Option<&'static str>,
    /// Whether no way to quantize a network changes it.
    is_of_pruning: bool,
}

impl Plain {
    const fn new(cost: Cost, id: &'static str, name: &'static str) -> Self {
        Self { cost, id, name, unit: None, is_of_pruning: false }
    }

    const fn in_unit(cost: Cost, id: &'static str, name: &'static str, unit: &'static str) -> Self {
        Self { cost, id, name, unit: Some(unit), is_of_pruning: false }
    }

    const fn of_pruning(cost: Cost, id: &'static str, name: &'static str) -> Self {
        Self { cost, id, name, unit: None, is_of_pruning: true }
    }
}

/// Costs of the figures of a frontier.
static FIGURED: [Plain; 9] = [
    Plain::new(Cost::EsnA, "esn-a", "ESN_a"),
    Plain::in_unit(Cost::EsnD, "esn-d", "ESN_d", "bits"),
    Plain::in_unit(Cost::EsnDFilter, "esn-d-filter", "ESN'_d", "bits"),
    Plain::new(Cost::EsnAWeights, "esn-a-weights", "ESN_a, each weight once"),
    Plain::in_unit(Cost::EsnDWeights, "esn-d-weights", "ESN_d, each weight once", "bits"),
    Plain::of_pruning(Cost::Macs, "macs", "MACs alive"),
    Plain::of_pruning(Cost::Parameters, "parameters", "weights alive"),
    Plain::new(Cost::EffectiveMacs, "effective-macs", "effective MACs"),
    Plain::new(Cost::EffectiveWeights, "effective-weights", "effective weights"),
];

/// Other costs that need no hardware.
static OF_BITS: [Plain; 7] = [
    Plain::new(Cost::ModelBits, "model-bits", "bits of the model"),
    Plain::new(Cost::BitOperations, "bit-operations", "bit operations"),
    Plain::new(Cost::EffectiveBitOperations, "effective-bit-operations", "effective bit operations"),
    Plain::in_unit(Cost::EsnDTraffic, "esn-d-traffic", "ESN_d + memory traffic", "12.5 fJ"),
    Plain::new(Cost::WeightBits, "weight-bits", "bits of weights fetched"),
    Plain::of_pruning(Cost::ActivationBits, "activation-bits", "bits of activations moved"),
    Plain::of_pruning(Cost::Outputs, "outputs", "outputs"),
];

/// Every cost without hardware, but for sums.
fn all_plain() -> impl Iterator<Item = &'static Plain> {
    FIGURED.iter().chain(&OF_BITS)
}

impl Cost {
    /// Costs that need no hardware and stand on the page of a frontier.
    pub fn plain() -> impl Iterator<Item = Cost> {
        FIGURED.iter().map(|plain| plain.cost.clone())
    }

    /// Every cost that needs no hardware, but for sums.
    pub fn without_hardware() -> impl Iterator<Item = Cost> {
        all_plain().map(|plain| plain.cost.clone())
    }

    /// What the list says of a cost that is no sum and needs no hardware.
    fn listed(&self) -> &'static Plain {
        all_plain().find(|plain| plain.cost == *self).expect("every cost without hardware is listed")
    }

    /// The name on the command line.
    pub fn id(&self) -> String {
        match self {
            Cost::Cycles(hardware) => format!("cycles:{hardware}"),
            Cost::Energy(hardware) => format!("energy:{hardware}"),
            Cost::Linear(linear) => format!("linear:{linear}"),
            plain => plain.listed().id.to_string(),
        }
    }

    /// The name on an axis, with the unit.
    pub fn label(&self, known: &[SurveyedHardware]) -> String {
        match self.unit(known) {
            Some(unit) => format!("{} ({unit})", self.name()),
            None => self.name(),
        }
    }

    /// The name in tables and figures.
    pub fn name(&self) -> String {
        match self {
            Cost::Cycles(hardware) => format!("cycles on {hardware}"),
            Cost::Energy(hardware) => format!("energy on {hardware}"),
            Cost::Linear(_) => "linear cost".to_string(),
            plain => plain.listed().name.to_string(),
        }
    }

    /// The unit, where the name does not say it. Hardware whose energies are normalized has no joules.
    pub fn unit(&self, known: &[SurveyedHardware]) -> Option<&'static str> {
        match self {
            Cost::Cycles(_) => None,
            Cost::Energy(hardware) if is_normalized(hardware, known) => Some("normalized"),
            Cost::Energy(_) | Cost::Linear(_) => Some(JOULES),
            plain => plain.listed().unit,
        }
    }

    /// Whether it is counted on a hardware.
    pub fn is_of_hardware(&self) -> bool {
        matches!(self, Cost::Cycles(_) | Cost::Energy(_))
    }

    /// Whether no way to quantize a network changes this cost.
    pub fn depends_on_pruning_alone(&self) -> bool {
        match self {
            Cost::Cycles(_) | Cost::Energy(_) => false,
            Cost::Linear(linear) => linear.terms().iter().all(|(cost, _)| cost.depends_on_pruning_alone()),
            plain => plain.listed().is_of_pruning,
        }
    }

    /// Whether bits of weights that are held or fetched are in it, at widths of equation (3).
    pub fn counts_bits_of_weights(&self) -> bool {
        match self {
            Cost::ModelBits | Cost::WeightBits | Cost::EsnDTraffic => true,
            Cost::Linear(linear) => linear.terms().iter().any(|(cost, _)| cost.counts_bits_of_weights()),
            Cost::EsnA
            | Cost::EsnD
            | Cost::EsnDFilter
            | Cost::EsnAWeights
            | Cost::EsnDWeights
            | Cost::Macs
            | Cost::Parameters
            | Cost::EffectiveMacs
            | Cost::EffectiveWeights
            | Cost::BitOperations
            | Cost::EffectiveBitOperations
            | Cost::ActivationBits
            | Cost::Outputs
            | Cost::Cycles(_)
            | Cost::Energy(_) => false,
        }
    }

    /// What a point costs; none where the point was not costed or has no such hardware.
    pub fn of(&self, point: &PointFigures) -> Option<CostValue> {
        self.of_costs(point.costs.as_ref()?)
    }

    /// As [`Cost::of`].
    pub fn of_costs(&self, costs: &PointCosts) -> Option<CostValue> {
        let bits = |of: fn(&BitCounts) -> u128| costs.bits.as_ref().map(of);
        Some(match self {
            Cost::EsnA => CostValue::Quarters(costs.esn_a_macs),
            Cost::EsnD => CostValue::Count(costs.esn_d_macs),
            Cost::EsnDFilter => CostValue::Count(costs.esn_d_filter),
            Cost::EsnAWeights => CostValue::Quarters(costs.esn_a),
            Cost::EsnDWeights => CostValue::Count(costs.esn_d),
            Cost::Macs => CostValue::Count(costs.macs_alive),
            Cost::Parameters => CostValue::Count(costs.weights_alive),
            Cost::EffectiveMacs => CostValue::Count(costs.effective_macs?),
            Cost::EffectiveWeights => CostValue::Count(costs.nonzero),
            Cost::ModelBits => CostValue::Count(bits(|bits| bits.model_bits)?),
            Cost::BitOperations => CostValue::Count(bits(|bits| bits.bit_operations)?),
            Cost::EffectiveBitOperations => CostValue::Count(bits(|bits| bits.effective_bit_operations)?),
            Cost::EsnDTraffic => {
                let [plane, weight, activation] = TRAFFIC;
                let bits = costs.bits.as_ref()?;
                let parts = [(plane, costs.esn_d_macs), (weight, bits.weight_bits), (activation, bits.activation_bits)];
                let sum = parts.iter().try_fold(0u128, |sum, (unit, count)| sum.checked_add(unit.checked_mul(*count)?));
                CostValue::Count(sum?)
            }
            Cost::WeightBits => CostValue::Count(bits(|bits| bits.weight_bits)?),
            Cost::ActivationBits => CostValue::Count(bits(|bits| bits.activation_bits)?),
            Cost::Outputs => CostValue::Count(bits(|bits| bits.outputs)?),
            Cost::Linear(linear) => CostValue::Joules(linear.of(costs)?),
            Cost::Cycles(name) => CostValue::Count(costs.on(name)?.cycles),
            Cost::Energy(name) => CostValue::Joules(costs.on(name)?.energy_j),
        })
    }
}

/// Whether the energies of a hardware are units of a choice.
fn is_normalized(name: &str, known: &[SurveyedHardware]) -> bool {
    known.iter().any(|hardware| &*hardware.name == name && hardware.is_normalized)
}

impl FromStr for Cost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(plain) = all_plain().find(|plain| plain.id == text) {
            return Ok(plain.cost.clone());
        }
        match text.split_once(':') {
            Some(("cycles", name)) if !name.is_empty() => Ok(Cost::Cycles(name.to_string())),
            Some(("energy", name)) if !name.is_empty() => Ok(Cost::Energy(name.to_string())),
            Some(("linear", terms)) => terms.parse().map(Cost::Linear),
            _ => {
                let names = all_plain().map(|plain| plain.id).collect::<Vec<_>>().join(", ");
                Err(format!("expected {names}, cycles:HARDWARE, energy:HARDWARE or linear:COST=WEIGHT,…"))
            }
        }
    }
}

/// An amount of a cost. Amounts of one cost compare exactly.
#[derive(Clone, Copy, Debug)]
pub enum CostValue {
    /// A whole number.
    Count(u128),
    /// A multiple of 0.25.
    Quarters(Quarters),
    /// Joules.
    Joules(f64),
}

impl CostValue {
    /// The nearest float64.
    pub fn to_f64(self) -> f64 {
        match self {
            CostValue::Count(count) => count as f64,
            CostValue::Quarters(quarters) => quarters.to_f64(),
            CostValue::Joules(joules) => joules,
        }
    }

    /// Every digit.
    pub fn exact(self) -> String {
        match self {
            CostValue::Count(count) => count.to_string(),
            CostValue::Quarters(quarters) => quarters.to_string(),
            CostValue::Joules(joules) => format!("{joules:?}"),
        }
    }
}

impl Ord for CostValue {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (CostValue::Count(a), CostValue::Count(b)) => a.cmp(b),
            (CostValue::Quarters(a), CostValue::Quarters(b)) => a.cmp(b),
            _ => self.to_f64().total_cmp(&other.to_f64()),
        }
    }
}

impl PartialOrd for CostValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for CostValue {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for CostValue {}
