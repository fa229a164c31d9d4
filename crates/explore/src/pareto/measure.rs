//! The costs and accuracies that points are compared by.

use std::cmp::Ordering;
use std::str::FromStr;

use esn::Quarters;

use super::survey::SurveyedHardware;
use crate::store::{HardwareRow, PointCosts, PointFigures};

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
    /// Latency on a hardware, by its name.
    Cycles(String),
    /// Energy on a hardware, by its name.
    Energy(String),
}

/// Costs that need no hardware, and their names.
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

impl Cost {
    /// Costs that need no hardware.
    pub fn plain() -> impl Iterator<Item = Cost> {
        PLAIN.into_iter().map(|(_, cost)| cost)
    }

    /// The name on the command line.
    pub fn id(&self) -> String {
        match self {
            Cost::Cycles(hardware) => format!("cycles:{hardware}"),
            Cost::Energy(hardware) => format!("energy:{hardware}"),
            plain => PLAIN.iter().find(|(_, cost)| cost == plain).map(|(name, _)| name.to_string()).expect(LISTED),
        }
    }

    /// The name on an axis, with the unit. Hardware whose energies are normalized has no joules.
    pub fn label(&self, known: &[SurveyedHardware]) -> String {
        match self {
            Cost::EsnA => "ESN_a".to_string(),
            Cost::EsnD => "ESN_d (bits)".to_string(),
            Cost::EsnDFilter => "ESN'_d (bits)".to_string(),
            Cost::EsnAWeights => "ESN_a, each weight once".to_string(),
            Cost::EsnDWeights => "ESN_d, each weight once (bits)".to_string(),
            Cost::Macs => "MACs alive".to_string(),
            Cost::Parameters => "weights alive".to_string(),
            Cost::EffectiveMacs => "effective MACs".to_string(),
            Cost::EffectiveWeights => "effective weights".to_string(),
            Cost::Cycles(hardware) => format!("cycles on {hardware}"),
            Cost::Energy(hardware) if is_normalized(hardware, known) => format!("energy on {hardware} (normalized)"),
            Cost::Energy(hardware) => format!("energy on {hardware} (J)"),
        }
    }

    /// What a point costs; none where the point was not costed or has no such hardware.
    pub fn of(&self, point: &PointFigures) -> Option<CostValue> {
        let costs = point.costs.as_ref()?;
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
            Cost::Cycles(name) => CostValue::Count(hardware(costs, name)?.cycles),
            Cost::Energy(name) => CostValue::Joules(hardware(costs, name)?.energy_j),
        })
    }
}

/// Whether the energies of a hardware are units of a choice.
fn is_normalized(name: &str, known: &[SurveyedHardware]) -> bool {
    known.iter().any(|hardware| &*hardware.name == name && hardware.is_normalized)
}

const LISTED: &str = "every cost without hardware is listed";

fn hardware<'a>(costs: &'a PointCosts, name: &str) -> Option<&'a HardwareRow> {
    costs.hardware.iter().find(|hardware| &*hardware.name == name)
}

impl FromStr for Cost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, cost)) = PLAIN.into_iter().find(|(name, _)| *name == text) {
            return Ok(cost);
        }
        match text.split_once(':') {
            Some(("cycles", name)) if !name.is_empty() => Ok(Cost::Cycles(name.to_string())),
            Some(("energy", name)) if !name.is_empty() => Ok(Cost::Energy(name.to_string())),
            _ => {
                let names = PLAIN.map(|(name, _)| name).join(", ");
                Err(format!("expected {names}, cycles:HARDWARE or energy:HARDWARE"))
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

/// A measure of accuracy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accuracy {
    /// The label has the largest logit, on engines on integers.
    Top1,
    /// The label is among the five largest.
    Top5,
    /// The same class as the float network before compression.
    Agreement,
    /// Top-1 on a hardware that computes on real numbers, by its name.
    Hardware(String),
}

impl Accuracy {
    /// The name on the command line.
    pub fn id(&self) -> String {
        match self {
            Accuracy::Top1 => "top1".to_string(),
            Accuracy::Top5 => "top5".to_string(),
            Accuracy::Agreement => "agreement".to_string(),
            Accuracy::Hardware(name) => format!("top1:{name}"),
        }
    }

    /// The name on an axis.
    pub fn label(&self) -> String {
        match self {
            Accuracy::Top1 => "top-1 accuracy".to_string(),
            Accuracy::Top5 => "top-5 accuracy".to_string(),
            Accuracy::Agreement => "agreement with the original in float".to_string(),
            Accuracy::Hardware(name) => format!("top-1 accuracy on {name}"),
        }
    }

    /// How accurate a point is; none where it has no such figure.
    pub fn of(&self, point: &PointFigures) -> Option<Fraction> {
        let accuracy = point.accuracy.as_ref()?;
        let score = &accuracy.score;
        let (count, of) = match self {
            Accuracy::Top1 => (score.top1, score.labelled),
            Accuracy::Top5 => (score.top5?, score.labelled),
            Accuracy::Agreement => (accuracy.agreement, accuracy.images),
            Accuracy::Hardware(name) => {
                (hardware(point.costs.as_ref()?, name)?.score.as_ref()?.top1, accuracy.score.labelled)
            }
        };
        (of > 0).then_some(Fraction { count, of })
    }

    /// How accurate the float network before compression is, where it has such a figure.
    pub fn of_float(&self, point: &PointFigures) -> Option<Fraction> {
        let float = &point.accuracy.as_ref()?.float;
        let count = match self {
            Accuracy::Top1 | Accuracy::Hardware(_) => float.top1,
            Accuracy::Top5 => float.top5?,
            Accuracy::Agreement => return None,
        };
        (float.labelled > 0).then_some(Fraction { count, of: float.labelled })
    }
}

impl FromStr for Accuracy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "top1" => Ok(Accuracy::Top1),
            "top5" => Ok(Accuracy::Top5),
            "agreement" => Ok(Accuracy::Agreement),
            _ => match text.split_once(':') {
                Some(("top1", name)) if !name.is_empty() => Ok(Accuracy::Hardware(name.to_string())),
                _ => Err("expected top1, top5, agreement or top1:HARDWARE".to_string()),
            },
        }
    }
}

/// Some of a number of images. Fractions compare exactly: 1 of 2 equals 500 of 1,000.
#[derive(Clone, Copy, Debug)]
pub struct Fraction {
    /// The part.
    pub count: u64,
    /// The whole, above 0.
    pub of: u64,
}

impl Fraction {
    /// The nearest float64.
    pub fn to_f64(self) -> f64 {
        self.count as f64 / self.of as f64
    }

    /// [`runner::standard_error`] of the proportion.
    pub fn standard_error(self) -> f64 {
        runner::standard_error(self.count, self.of)
    }

    /// Whether two proportions differ by no more than the standard error of their difference, as if their images had nothing
    /// in common.
    pub fn is_within_noise_of(self, other: Self) -> bool {
        let error = self.standard_error().hypot(other.standard_error());
        (self.to_f64() - other.to_f64()).abs() <= error
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: &Self, b: &Self| u128::from(a.count) * u128::from(b.of);
        cross(self, other).cmp(&cross(other, self))
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}
