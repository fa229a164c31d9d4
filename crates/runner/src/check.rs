//! The comparison that the project is about: what an engine counted, against what the metric says.

use engine::{Event, LayerRun};
use esn::{BitConvention, LayerEsn};
use serde::Serialize;

use crate::hardware::{Hardware, Metric};

/// Outcome of holding one ideal engine against its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Count and cycles equal the metric, as integers.
    Pass,
    /// They differ by the gap of the printed formula: it counts a weight of one bit as free, and the difference is
    /// exactly those bits.
    Gap,
    /// They differ in any other way.
    Fail,
    /// The engine is not ideal, so that nothing has to be equal.
    NotIdeal,
}

impl Verdict {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Gap => "gap",
            Verdict::Fail => "fail",
            Verdict::NotIdeal => "not-ideal",
        }
    }
}

/// One comparison, in the unit that the engine counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What the metric says.
    pub expected: u128,
    /// What the engine counted; none where it is not ideal, for its unit may be another one.
    pub counted: Option<u128>,
    /// Bits of weights with |code| = 1 that the metric as printed leaves out; 0 under the other convention.
    pub gap: u128,
    /// Latency that an ideal engine must have.
    pub expected_cycles: u128,
    /// Latency that it had; none where it is not ideal.
    pub cycles: Option<u128>,
    /// The outcome.
    pub verdict: Verdict,
}

/// Holds one run against the metric of the same layer. `positions` is how often each weight is used.
pub fn check(hardware: &Hardware, run: &LayerRun, esn: &LayerEsn, positions: u64, convention: BitConvention) -> Check {
    let (expected, gap) = expectation(hardware.metric, esn, convention);
    let expected_cycles = match hardware.metric {
        Metric::EsnA => u128::from(positions),
        Metric::EsnD | Metric::EsnDFilter => expected + gap,
    };
    let counted = run.ledger.count(Event::MAC);
    let cycles = run.cycles.0;
    let same_cycles = cycles == expected_cycles;
    let verdict = match (hardware.ideal, same_cycles && counted == expected + gap, gap) {
        (false, _, _) => Verdict::NotIdeal,
        (true, false, _) => Verdict::Fail,
        (true, true, 0) => Verdict::Pass,
        (true, true, _) => Verdict::Gap,
    };
    let of_ideal = |count: u128| hardware.ideal.then_some(count);
    Check { expected, counted: of_ideal(counted), gap, expected_cycles, cycles: of_ideal(cycles), verdict }
}

/// The metric as the integer that the engine should count, and the bits that the printed formula leaves out of it.
fn expectation(metric: Metric, esn: &LayerEsn, convention: BitConvention) -> (u128, u128) {
    let gap = |units| if convention == BitConvention::AsPrinted { units } else { 0 };
    match metric {
        Metric::EsnA => (esn.esn_a_quarters_macs, 0),
        Metric::EsnD => (esn.esn_d_macs, gap(esn.unit_macs)),
        Metric::EsnDFilter => (esn.esn_d_filter, gap(esn.unit_filter_macs)),
    }
}

impl Check {
    /// Adds the check of another layer: the total passes only where every layer passes.
    pub fn merge(self, other: Check) -> Check {
        let verdict = match (self.verdict, other.verdict) {
            (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
            (Verdict::NotIdeal, _) | (_, Verdict::NotIdeal) => Verdict::NotIdeal,
            (Verdict::Gap, _) | (_, Verdict::Gap) => Verdict::Gap,
            (Verdict::Pass, Verdict::Pass) => Verdict::Pass,
        };
        Check {
            expected: self.expected + other.expected,
            counted: self.counted.zip(other.counted).map(|(a, b)| a + b),
            gap: self.gap + other.gap,
            expected_cycles: self.expected_cycles + other.expected_cycles,
            cycles: self.cycles.zip(other.cycles).map(|(a, b)| a + b),
            verdict,
        }
    }
}
