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
    /// The sum of these terms. None where no term has a weight, a cost is of hardware or comes twice, or a weight is not finite or
    /// below 0.
    pub fn new(terms: Vec<(Cost, f64)>) -> Option<Self> {
        let is_term = |(cost, weight): &(Cost, f64)| {
            let is_plain = !cost.is_of_hardware() && !matches!(cost, Cost::Linear(_));
            is_plain && weight.is_finite() && *weight >= 0.0
        };
        let is_double =
            terms.iter().enumerate().any(|(i, (cost, _))| terms[..i].iter().any(|(other, _)| other == cost));
        let has_weight = terms.iter().any(|(_, weight)| *weight > 0.0);
        (has_weight && terms.iter().all(is_term) && !is_double).then_some(Self { terms })
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
        let term = |term: &str| {
            let (name, weight) = term.split_once('=')?;
            Some((name.trim().parse().ok()?, weight.trim().parse().ok()?))
        };
        let terms: Option<Vec<(Cost, f64)>> = text.split(',').map(term).collect();
        terms.and_then(Self::new).ok_or_else(|| FORM.to_string())
    }
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
        for wrong in [
            "",
            "esn-d",
            "esn-d=0",
            "esn-d=x",
            "esn-d=-1",
            "esn-d=nan",
            "esn-d=1,esn-d=2",
            "energy:a=1",
            "cycles=1",
            "bits=1",
        ] {
            let message = wrong.parse::<LinearCost>().expect_err(wrong);
            assert!(message.starts_with("expected costs"), "{message}");
        }
    }
}
