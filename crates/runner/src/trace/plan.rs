//! What is traced, and how much of it at most.

use std::ops::Range;

use inference::Samples;
use network::{LayerId, Network, Note, NoteKind};

use crate::error::RunnerError;
use crate::hardware::Hardware;
use crate::prepare::Quantization;

/// Most values, cycles × signals, of one trace.
pub const MAX_VALUES: u64 = 1 << 22;

/// Cycles of a trace without a range, the first ones.
pub const DEFAULT_CYCLES: u64 = 1024;

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
    /// The first cycle that is traced, and the first that is not traced any more; none for the first
    /// [`DEFAULT_CYCLES`].
    pub cycles: Option<(u64, u64)>,
    /// Lanes that are shown at most: rows of processing elements, or columns of filters; the first that have work.
    pub lanes: usize,
    /// Elements that are shown of each lane at most: processing elements, or cells; the first ones.
    pub elements: usize,
    /// Images, and the index of the one that the machine reads. Without images it reads pseudo-random 8-bit
    /// activations.
    pub image: Option<(&'a dyn Samples, usize)>,
    /// Bits of the activations that an engine on integers reads, where the file does not say.
    pub activation_bits: u32,
    /// Images, the first ones, whose activations set the ranges where the file does not say.
    pub calibration_images: usize,
    /// Told now and then how many more cycles are done, traced or on the way there.
    pub progress: &'a dyn Fn(u64),
}

impl TracePlan<'_> {
    pub(super) fn range(&self) -> Range<u64> {
        self.cycles.map_or(0..DEFAULT_CYCLES, |(first, end)| first..end)
    }

    pub(super) fn problem(&self, problem: String) -> RunnerError {
        RunnerError::Trace {
            path: self.network.path().to_path_buf(),
            layer: self.layer_name().to_string(),
            hardware: self.hardware.engine.name().to_string(),
            problem,
        }
    }

    /// Refuses a range without a cycle.
    pub(super) fn check(&self) -> Result<(), RunnerError> {
        let range = self.range();
        match range.is_empty() {
            true => Err(self.problem(format!("cycles {}..{} are none", range.start, range.end))),
            false => Ok(()),
        }
    }

    /// The range as far as a layer of `total` cycles has it, and a note if that is not all that was asked for.
    pub(super) fn range_in(&self, total: u128) -> Result<(Range<u64>, Option<Note>), RunnerError> {
        let range = self.range();
        if u128::from(range.start) >= total {
            return Err(self.problem(format!("it has {total} cycles, none from {} on", range.start)));
        }
        let end = u64::try_from(total).map_or(range.end, |total| total.min(range.end));
        let is_cut = self.cycles.is_some() && end < range.end;
        let text = || format!("it has {total} cycles: the trace ends there, not at cycle {}", range.end);
        let note = is_cut.then(|| Note::of_layer(NoteKind::Consequence, self.layer_name(), text()));
        Ok((range.start..end, note))
    }

    /// Refuses so many signals over so many cycles that they do not fit a trace.
    pub(super) fn check_values(&self, cycles: u64, signals: u64, total: u128) -> Result<(), RunnerError> {
        match cycles.checked_mul(signals) {
            Some(values) if values <= MAX_VALUES => Ok(()),
            Some(_) | None => Err(self.problem(format!(
                "{cycles} of {total} cycles with {signals} signals; at most {MAX_VALUES} values are traced: ask for fewer \
                 cycles, lanes or elements"
            ))),
        }
    }

    fn layer_name(&self) -> &str {
        &self.network.layers()[self.layer.0].name
    }
}
