//! The section of a description that says how pulses drive the rows of an analog engine.

use analog::{Coding, Pulses};
use engine::Joules;
use serde::{Deserialize, Serialize};

/// Pulses that drive the rows.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PulsesFile {
    /// How many pulses a number is.
    pub coding: CodingWord,
    /// Joules of one pulse on one row.
    #[serde(default)]
    pub pulse_j: f64,
    /// Joules of taking in one pulse at one column.
    #[serde(default)]
    pub integration_j: f64,
    /// Cycles of one pulse, or of taking its charge in once.
    #[serde(default = "one")]
    pub cycles: u64,
    /// Mean magnitude of the input over full scale that is assumed where no image is run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed_mean_input: Option<f64>,
}

/// How many pulses a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CodingWord {
    /// One for each of its bits.
    Bits,
    /// As many as its magnitude.
    Count,
}

impl PulsesFile {
    pub(super) fn pulses(&self) -> Pulses {
        Pulses {
            coding: match self.coding {
                CodingWord::Bits => Coding::Bits,
                CodingWord::Count => Coding::Count,
            },
            pulse: Joules(self.pulse_j),
            integration: Joules(self.integration_j),
            cycles: self.cycles,
            assumed_mean: self.assumed_mean_input,
        }
    }
}

fn one() -> u64 {
    1
}
