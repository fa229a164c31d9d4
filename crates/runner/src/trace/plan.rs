//! What is traced, and how much of it at most.

use std::ops::Range;

use inference::Samples;
use network::{LayerId, Network};

use crate::error::RunnerError;
use crate::hardware::Hardware;
use crate::prepare::Quantization;

/// Most values, cycles × signals, of one trace.
pub const MAX_VALUES: u64 = 1 << 22;

/// Signals of a trace that belong to no lane: active, count and energy.
const COMMON_SIGNALS: u64 = 3;

/// Signals of a lane beside its accumulators: busy, filter, position, weight and plane.
const LANE_SIGNALS: u64 = 5;

/// What is traced.
#[derive(Clone, Copy)]
pub struct TracePlan<'a> {
    /// The network.
    pub network: &'a Network,
    /// The hardware.
    pub hardware: &'a Hardware,
    /// How real weights are quantized.
    pub quantization: Quantization,
    /// The layer.
    pub layer: LayerId,
    /// The first cycle that is traced, and the first that is not traced any more.
    pub cycles: (u64, u64),
    /// Lanes that are shown: rows of elements, or filters in columns; the first ones.
    pub lanes: usize,
    /// Accumulators that are shown of each lane; the first ones.
    pub accumulators: usize,
    /// Images, and the index of the one that the machine reads. Without images it reads pseudo-random 8-bit
    /// activations.
    pub image: Option<(&'a dyn Samples, usize)>,
    /// Bits of the activations that an engine on integers reads, where the file does not say.
    pub activation_bits: u32,
    /// Images, the first ones, whose activations set the ranges where the file does not say.
    pub calibration_images: usize,
    /// Told after every cycle, traced or on the way there, how many more are done.
    pub progress: &'a dyn Fn(u64),
}

impl TracePlan<'_> {
    /// The number of signals of the trace.
    pub fn signals(&self) -> u64 {
        let lane = LANE_SIGNALS.saturating_add(self.accumulators as u64);
        lane.saturating_mul(self.lanes as u64).saturating_add(COMMON_SIGNALS)
    }

    pub(super) fn range(&self) -> Range<u64> {
        self.cycles.0..self.cycles.1
    }

    pub(super) fn problem(&self, problem: String) -> RunnerError {
        RunnerError::Trace {
            path: self.network.path().to_path_buf(),
            layer: self.network.layers()[self.layer.0].name.clone(),
            hardware: self.hardware.engine.name().to_string(),
            problem,
        }
    }

    pub(super) fn check(&self) -> Result<(), RunnerError> {
        let range = self.range();
        if range.is_empty() {
            return Err(self.problem(format!("cycles {}..{} are none", range.start, range.end)));
        }
        let (cycles, signals) = (range.end - range.start, self.signals());
        match cycles.checked_mul(signals) {
            Some(values) if values <= MAX_VALUES => Ok(()),
            Some(_) | None => Err(self.problem(format!(
                "{cycles} cycles of {signals} signals; at most {MAX_VALUES} values are traced: ask for fewer cycles or lanes"
            ))),
        }
    }
}
