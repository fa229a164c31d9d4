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
    /// Bits of the weights in memory, at the width of their layer.
    ModelBits,
    /// MACs × bits of a weight × bits of an activation, at the width of the layer.
    BitOperations,
    /// The same of weights that are not pruned.
    EffectiveBitOperations,
    /// Equation (3), and the bits that are moved, at energies of 45 nm: [`TRAFFIC`].
    EsnDTraffic,
    /// Bits of weights that are fetched.
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

/// Costs of the figures of a frontier that need no hardware, and their names.
const PLAIN: [(&str, Cost); 9] = [
    ("esn-a", Cost::EsnA),
    ("esn-d", Cost::EsnD),
    ("esn-d-filter", Cost::EsnDFilter),
    ("esn-a-weights", Cost::EsnAWeights),
    ("esn-d-weights", Cost::EsnDWeights),
    ("macs", Cost::Macs),
    ("parameters", Cost::Parameters),
    ("effective-macs", Cost::EffectiveMacs),
    ("effective-weights", Cost::EffectiveWeights),
];

/// Other costs that need no hardware.
const OF_BITS: [(&str, Cost); 7] = [
    ("model-bits", Cost::ModelBits),
    ("bit-operations", Cost::BitOperations),
    ("effective-bit-operations", Cost::EffectiveBitOperations),
    ("esn-d-traffic", Cost::EsnDTraffic),
    ("weight-bits", Cost::WeightBits),
    ("activation-bits", Cost::ActivationBits),
    ("outputs", Cost::Outputs),
];

impl Cost {
    /// Costs that need no hardware and stand on the page of a frontier.
    pub fn plain() -> impl Iterator<Item = Cost> {
        PLAIN.into_iter().map(|(_, cost)| cost)
    }

    /// Every cost that needs no hardware, but for sums.
    pub fn without_hardware() -> impl Iterator<Item = Cost> {
        named().map(|(_, cost)| cost)
    }

    /// The name on the command line.
    pub fn id(&self) -> String {
        match self {
            Cost::Cycles(hardware) => format!("cycles:{hardware}"),
            Cost::Energy(hardware) => format!("energy:{hardware}"),
            Cost::Linear(linear) => format!("linear:{linear}"),
            plain => named().find(|(_, cost)| cost == plain).map(|(name, _)| name.to_string()).expect(LISTED),
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
        let name = match self {
            Cost::EsnA => "ESN_a",
            Cost::EsnD => "ESN_d",
            Cost::EsnDFilter => "ESN'_d",
            Cost::EsnAWeights => "ESN_a, each weight once",
            Cost::EsnDWeights => "ESN_d, each weight once",
            Cost::Macs => "MACs alive",
            Cost::Parameters => "weights alive",
            Cost::EffectiveMacs => "effective MACs",
            Cost::EffectiveWeights => "effective weights",
            Cost::ModelBits => "bits of the model",
            Cost::BitOperations => "bit operations",
            Cost::EffectiveBitOperations => "effective bit operations",
            Cost::EsnDTraffic => "ESN_d + memory traffic",
            Cost::WeightBits => "bits of weights fetched",
            Cost::ActivationBits => "bits of activations moved",
            Cost::Outputs => "outputs",
            Cost::Linear(_) => "linear cost",
            Cost::Cycles(hardware) => return format!("cycles on {hardware}"),
            Cost::Energy(hardware) => return format!("energy on {hardware}"),
        };
        name.to_string()
    }

    /// The unit, where the name does not say it. Hardware whose energies are normalized has no joules.
    pub fn unit(&self, known: &[SurveyedHardware]) -> Option<&'static str> {
        match self {
            Cost::EsnD | Cost::EsnDFilter | Cost::EsnDWeights => Some("bits"),
            Cost::EsnDTraffic => Some("12.5 fJ"),
            Cost::Energy(hardware) if is_normalized(hardware, known) => Some("normalized"),
            Cost::Linear(_) | Cost::Energy(_) => Some(JOULES),
            Cost::EsnA
            | Cost::EsnAWeights
            | Cost::Macs
            | Cost::Parameters
            | Cost::EffectiveMacs
            | Cost::EffectiveWeights
            | Cost::ModelBits
            | Cost::BitOperations
            | Cost::EffectiveBitOperations
            | Cost::WeightBits
            | Cost::ActivationBits
            | Cost::Outputs
            | Cost::Cycles(_) => None,
        }
    }

    /// Whether no way to quantize a network changes this cost.
    pub fn depends_on_pruning_alone(&self) -> bool {
        match self {
            Cost::Macs | Cost::Parameters | Cost::ActivationBits | Cost::Outputs => true,
            Cost::Linear(linear) => linear.terms().iter().all(|(cost, _)| cost.depends_on_pruning_alone()),
            Cost::EsnA
            | Cost::EsnD
            | Cost::EsnDFilter
            | Cost::EsnAWeights
            | Cost::EsnDWeights
            | Cost::EffectiveMacs
            | Cost::EffectiveWeights
            | Cost::ModelBits
            | Cost::BitOperations
            | Cost::EffectiveBitOperations
            | Cost::EsnDTraffic
            | Cost::WeightBits
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

const LISTED: &str = "every cost without hardware is listed";

/// Every cost without hardware, and its name.
fn named() -> impl Iterator<Item = (&'static str, Cost)> {
    PLAIN.into_iter().chain(OF_BITS)
}

impl FromStr for Cost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, cost)) = named().find(|(name, _)| *name == text) {
            return Ok(cost);
        }
        match text.split_once(':') {
            Some(("cycles", name)) if !name.is_empty() => Ok(Cost::Cycles(name.to_string())),
            Some(("energy", name)) if !name.is_empty() => Ok(Cost::Energy(name.to_string())),
            Some(("linear", terms)) => terms.parse().map(Cost::Linear),
            _ => {
                let names = named().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
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
