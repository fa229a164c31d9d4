//! The way of an input vector through converters and array, cycle by cycle.

use crate::cost::Timing;

/// Three stages in a row: conversion of the input, one cycle in the array, conversion of the columns. A step stays in its
/// stage until the next is free; a stage that takes no cycles is passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipeline {
    timing: Timing,
    /// Cycles that the step in each stage still needs there; none where a stage is empty.
    dac: Option<u64>,
    array: Option<u64>,
    adc: Option<u64>,
    taken: u128,
}

impl Pipeline {
    pub(crate) fn new(timing: Timing) -> Self {
        Self { timing, dac: None, array: None, adc: None, taken: 0 }
    }

    /// Steps that were taken in.
    pub(crate) fn taken(&self) -> u128 {
        self.taken
    }

    /// Does one cycle and says whether the arrays are driven in it; none if all is done. `more` says whether there is
    /// another step to take in.
    pub(crate) fn advance(&mut self, more: bool) -> Option<bool> {
        self.hand_on(more);
        if [self.dac, self.array, self.adc] == [None; 3] {
            return None;
        }
        let drives = self.array == Some(1);
        for stage in [&mut self.dac, &mut self.array, &mut self.adc] {
            *stage = stage.map(|left| left.saturating_sub(1));
        }
        Some(drives)
    }

    /// Moves every step that is done into the next stage, the foremost first.
    fn hand_on(&mut self, more: bool) {
        self.adc = self.adc.filter(|&left| left > 0);
        if self.adc.is_none() && self.array == Some(0) {
            self.array = None;
            self.adc = Some(self.timing.adc).filter(|&cycles| cycles > 0);
        }
        if self.array.is_none() && self.dac == Some(0) {
            self.dac = None;
            self.array = Some(1);
        }
        let all_free = [self.dac, self.array, self.adc] == [None; 3];
        let free = if self.timing.dac > 0 { self.dac.is_none() } else { self.array.is_none() };
        if more && free && (all_free || !self.timing.sequential) {
            self.taken += 1;
            let entry = if self.timing.dac > 0 { &mut self.dac } else { &mut self.array };
            *entry = Some(self.timing.dac.max(1));
        }
    }
}
