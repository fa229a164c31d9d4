//! The way of an input vector through converters and array: how long it takes, and cycle by cycle.

use engine::IdleCause;

use crate::departures::Departures;
use crate::idle;

/// Cycles that one step of an input vector spends in the converters and in the array. The array takes one, or those of
/// its pulses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    dac: u64,
    array: u64,
    adc: u64,
    sequential: bool,
}

impl Timing {
    /// The cycles on an array of `extent` rows and columns. A converter serves its rows or columns one after another,
    /// but no more of them than the array has.
    pub(crate) fn new(departures: &Departures, extent: [usize; 2]) -> Self {
        Self {
            dac: departures.dac.map_or(0, |dac| dac.cycles * dac.rows_per_converter.min(extent[0]) as u64),
            array: departures
                .pulses
                .zip(departures.dac)
                .map_or(1, |(pulses, dac)| pulses.cycles(dac.bits_per_step.min(dac.bits))),
            adc: departures.adc.map_or(0, |adc| adc.cycles * adc.columns_per_converter.min(extent[1]) as u64),
            sequential: departures.sequential,
        }
    }

    /// Cycles that a step spends in the array.
    pub(crate) fn array(&self) -> u128 {
        u128::from(self.array)
    }

    /// What arrays wait for in cycles in which none is read; `None` where every cycle reads.
    pub(crate) fn waits_for(&self) -> Option<IdleCause> {
        match (self.dac, self.adc) {
            (0, 0) => None,
            (dac, adc) if adc > dac => Some(idle::ADC),
            _ => Some(idle::DAC),
        }
    }

    /// Cycles of steps that follow one another:
    ///
    /// ```text
    /// sequential:  steps · (dac + array + adc)
    /// pipelined:   dac + array + adc + (steps − 1) · max(dac, array, adc)
    /// ```
    pub(crate) fn cycles(&self, steps: u128) -> Option<u128> {
        let [dac, array, adc] = [self.dac, self.array, self.adc].map(u128::from);
        let one = dac + array + adc;
        if self.sequential {
            return steps.checked_mul(one);
        }
        (steps - 1).checked_mul(dac.max(array).max(adc))?.checked_add(one)
    }
}

/// Three stages in a row: conversion of the input, the array, conversion of the columns. A step stays in
/// its stage until the next stage is free. A stage that takes no cycles is passed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipeline {
    timing: Timing,
    /// Cycles that the step in each stage still needs there; `None` where the stage is empty.
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

    /// Does one cycle, and says what the arrays do in it; `None` if all is done. `more` says whether there is another
    /// step to take in.
    pub(crate) fn advance(&mut self, more: bool) -> Option<ArrayCycle> {
        self.hand_on(more);
        if [self.dac, self.array, self.adc] == [None; 3] {
            return None;
        }
        let drives = match self.array {
            None | Some(0) => ArrayCycle::Waits,
            Some(1) => ArrayCycle::EndsStep,
            Some(_) => ArrayCycle::TakesIn,
        };
        for stage in [&mut self.dac, &mut self.array, &mut self.adc] {
            *stage = stage.map(|left| left.saturating_sub(1));
        }
        Some(drives)
    }

    /// What the next cycle does, were it done now; `None` if all is done. `more` is that of [`Pipeline::advance`].
    pub(crate) fn ahead(&self, more: bool) -> Option<Ahead> {
        let mut next = *self;
        next.hand_on(more);
        ([next.dac, next.array, next.adc] != [None; 3]).then_some(Ahead(next))
    }

    /// The names of the stages that take cycles, in order.
    pub(crate) fn stages(&self) -> Vec<&'static str> {
        self.stages_of(["dac", "array", "adc"])
    }

    /// What belongs to the stages that take cycles.
    fn stages_of<T>(&self, [dac, array, adc]: [T; 3]) -> Vec<T> {
        let stages = [(self.timing.dac > 0, dac), (true, array), (self.timing.adc > 0, adc)];
        stages.into_iter().filter(|(takes_cycles, _)| *takes_cycles).map(|(_, stage)| stage).collect()
    }

    /// Moves every step that is done in its stage into the next, the foremost first.
    fn hand_on(&mut self, more: bool) {
        self.adc = self.adc.filter(|&left| left > 0);
        if self.adc.is_none() && self.array == Some(0) {
            self.array = None;
            self.adc = Some(self.timing.adc).filter(|&cycles| cycles > 0);
        }
        if self.array.is_none() && self.dac == Some(0) {
            self.dac = None;
            self.array = Some(self.timing.array);
        }
        let all_free = [self.dac, self.array, self.adc] == [None; 3];
        let free = if self.timing.dac > 0 { self.dac.is_none() } else { self.array.is_none() };
        if more && free && (all_free || !self.timing.sequential) {
            self.taken += 1;
            match self.timing.dac {
                0 => self.array = Some(self.timing.array),
                cycles => self.dac = Some(cycles),
            }
        }
    }
}

/// What the arrays do in a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArrayCycle {
    /// Nothing.
    Waits,
    /// They are driven, and will be in the next cycle.
    TakesIn,
    /// They are driven, and the sums of a step are complete.
    EndsStep,
}

/// A pipeline in the middle of the next cycle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead(Pipeline);

impl Ahead {
    /// Whether the arrays are driven.
    pub(crate) fn drives(self) -> bool {
        self.0.array.is_some_and(|left| left > 0)
    }

    /// The step in each of [`Pipeline::stages`], counted from 0, and whether it waits there for the next stage.
    pub(crate) fn held(self) -> Vec<Option<(u128, bool)>> {
        // Steps do not overtake one another: the stage that is nearest to the input has the last that was taken in.
        let mut last = self.0.taken;
        let held = [self.0.dac, self.0.array, self.0.adc].map(|left| {
            let left = left?;
            last -= 1;
            Some((last, left == 0))
        });
        self.0.stages_of(held)
    }
}
