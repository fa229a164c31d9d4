//! A weighted sum of costs: what hardware costs, put into a few numbers that need no hardware.

use std::fmt;
use std::str::FromStr;

use super::measure::Cost;
use crate::store::PointCosts;

/// A sum of costs without hardware, each times a weight in joules: `esn-d=3.75e-14,weight-bits=2.03e-11`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearCost {
    terms: Vec<(Cost, f64)>,
}

// Weights are finite, so that each equals itself.
impl Eq for LinearCost {}

impl LinearCost {
    /// The sum of these terms.
    ///
    /// # Errors
    ///
    /// What is wrong: those of [`LinearCost::check_costs`], a weight that is not finite or below 0, or none above 0.
    pub fn new(terms: Vec<(Cost, f64)>) -> Result<Self, String> {
        Self::check_costs(&terms.iter().map(|(cost, _)| cost).collect::<Vec<_>>())?;
        if let Some((cost, weight)) = terms.iter().find(|(_, weight)| !(weight.is_finite() && *weight >= 0.0)) {
            return Err(format!("{} has the weight {weight}", cost.id()));
        }
        match terms.iter().any(|(_, weight)| *weight > 0.0) {
            true => Ok(Self { terms }),
            false => Err("no weight is above 0".to_string()),
        }
    }

    /// Whether a sum can be made of these costs.
    ///
    /// # Errors
    ///
    /// Which one is of hardware or a sum itself, or comes twice.
    pub fn check_costs(costs: &[&Cost]) -> Result<(), String> {
        for (place, cost) in costs.iter().enumerate() {
            if cost.is_of_hardware() || matches!(cost, Cost::Linear(_)) {
                return Err(format!("{} is no cost without hardware", cost.id()));
            }
            if costs[..place].contains(cost) {
                return Err(format!("{} comes twice", cost.id()));
            }
        }
        Ok(())
    }

    /// The costs and their weights.
    pub fn terms(&self) -> &[(Cost, f64)] {
        &self.terms
    }

    /// The sum for a point; none where it lacks one of the costs.
    pub fn of(&self, costs: &PointCosts) -> Option<f64> {
        self.terms.iter().map(|(cost, weight)| Some(weight * cost.of_costs(costs)?.to_f64())).sum()
    }
}

impl fmt::Display for LinearCost {
    /// In the form that is read back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let term = |(cost, weight): &(Cost, f64)| format!("{}={weight:?}", cost.id());
        write!(f, "{}", self.terms.iter().map(term).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for LinearCost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "expected costs without hardware, each once with a weight of at least 0, one of them above 0, as esn-d=3.75e-14,outputs=1e-12";
        let terms: Result<Vec<(Cost, f64)>, String> = text.split(',').map(term).collect();
        terms.and_then(Self::new).map_err(|fault| format!("{fault}; {FORM}"))
    }
}

/// A cost and its weight.
fn term(text: &str) -> Result<(Cost, f64), String> {
    let (name, number) = text.split_once('=').ok_or_else(|| format!("{:?} has no weight", text.trim()))?;
    let (name, number) = (name.trim(), number.trim());
    let cost = name.parse().map_err(|_| format!("{name:?} is no cost"))?;
    let weight = number.parse().map_err(|_| format!("{name} has the weight {number:?}"))?;
    Ok((cost, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_read_as_it_is_written() {
        let text = "esn-d=3.75e-14,weight-bits=0.30000000000000004";
        let cost: Cost = format!("linear:{text}").parse().expect("it is one");
        assert_eq!(cost.id(), format!("linear:{text}"));
        let costs = PointCosts { esn_d_macs: 8, ..PointCosts::default() };
        assert_eq!(cost.of_costs(&costs).map(|value| value.to_f64()), None, "the bits are not known");
        let one: LinearCost = "esn-d=0.5, macs=2".parse().expect("spaces do not matter");
        assert_eq!(one.of(&PointCosts { macs_alive: 3, ..costs }), Some(10.0));
    }

    #[test]
    fn what_is_no_sum_is_refused() {
        for (wrong, fault) in [
            ("", "\"\" has no weight"),
            ("esn-d", "\"esn-d\" has no weight"),
            ("esn-d=0,macs=0", "no weight is above 0"),
            ("esn-d=x", "esn-d has the weight \"x\""),
            ("esn-d=-1", "esn-d has the weight -1"),
            ("esn-d=nan", "esn-d has the weight NaN"),
            ("esn-d=1,macs=1,esn-d=2", "esn-d comes twice"),
            ("energy:a=1", "energy:a is no cost without hardware"),
            ("cycles=1", "\"cycles\" is no cost"),
            ("bits=1", "\"bits\" is no cost"),
        ] {
            let message = wrong.parse::<LinearCost>().expect_err(wrong);
            assert!(message.starts_with(&format!("{fault}; expected costs without hardware, ")), "{message}");
        }
    }
}
