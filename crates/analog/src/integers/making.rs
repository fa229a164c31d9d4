//! Outputs that are made of partial sums, tile by tile and step by step.

use std::ops::Range;

use engine::kernel::Sums;

use crate::converters::{Converter, Digit};

/// The converter of a column's part in a tile.
#[derive(Clone, Copy)]
pub(super) struct ColumnConverter {
    converter: Converter,
    /// Whether a partial sum can lie beyond its range.
    clips: bool,
}

impl ColumnConverter {
    /// Of partial sums up to `largest` in magnitude.
    pub(super) fn new(converter: Converter, largest: f32) -> Self {
        Self { converter, clips: !converter.takes(largest) }
    }
}

/// Sums in the making, `[repeats, columns, sheet]`.
pub(super) struct Making {
    /// Of the tiles that are done, in this step.
    step: Vec<f32>,
    /// Of the steps that are done.
    total: Vec<f32>,
    /// `[repeats, columns, out_height, out_width]`
    outputs: Vec<f32>,
    clipped: u64,
}

/// One application of the input.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) digit: Digit,
    /// The activation that 1 stands for.
    pub(super) weight: f32,
    pub(super) ends: Ends,
}

/// Whether something is the first and the last of its kind.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) first: bool,
    pub(super) last: bool,
}

impl Making {
    /// Of so many sums and outputs.
    pub(super) fn new(sums: usize, outputs: usize) -> Self {
        Self { step: vec![0.0; sums], total: vec![0.0; sums], outputs: vec![0.0; outputs], clipped: 0 }
    }

    /// The outputs, and how many conversions clipped.
    pub(super) fn finish(self) -> (Vec<f32>, u64) {
        (self.outputs, self.clipped)
    }

    /// Takes in partial sums of a tile, 1 of which is `unit` half-steps, through their converter if they have one. Of each
    /// output the tiles of a step come in their order, and then those of the next step.
    pub(super) fn take<S: Copy + Into<i32>>(
        &mut self,
        step: Step,
        place: Ends,
        converter: Option<&ColumnConverter>,
        unit: i32,
        sums: &Sums<'_, S>,
    ) {
        let partial = Partial { missing: sums.missing, unit: unit as f32 / 2.0 };
        match converter {
            None => self.add(
                step,
                place,
                sums,
                #[inline(always)]
                move |sum| partial.of(sum),
            ),
            Some(&ColumnConverter { converter, clips: false }) => self.add(
                step,
                place,
                sums,
                #[inline(always)]
                move |sum| converter.convert_within(partial.of(sum)),
            ),
            Some(&ColumnConverter { converter, clips: true }) => {
                let clips = |sum: S| converter.clips(partial.of(sum.into()));
                let clipped = |run: Range<usize>| sums.sums[run].iter().filter(|&&sum| clips(sum)).count() as u64;
                self.clipped += sums.runs().map(|(run, _)| clipped(run)).sum::<u64>();
                self.add(
                    step,
                    place,
                    sums,
                    #[inline(always)]
                    move |sum| converter.convert(partial.of(sum)),
                );
            }
        }
    }

    /// Adds a number for each sum to those of the tiles before, and those of all tiles, times the weight of the step, to the
    /// total. A sum begins at 0, to which a number is added: that makes 0 of −0.
    fn add<S: Copy + Into<i32>>(
        &mut self,
        step: Step,
        place: Ends,
        sums: &Sums<'_, S>,
        number: impl Fn(i32) -> f32 + Copy,
    ) {
        let at = sums.start..sums.start + sums.sums.len();
        let (of_step, total) = (&mut self.step[at.clone()], &mut self.total[at]);
        let (weight, new) = (step.weight, sums.sums);
        match (place, step.ends.first) {
            (Ends { first: true, last: false }, _) => each(
                of_step,
                new,
                #[inline(always)]
                move |_, sum| 0.0 + number(sum),
            ),
            (Ends { first: false, last: false }, _) => each(
                of_step,
                new,
                #[inline(always)]
                move |before, sum| before + number(sum),
            ),
            (Ends { first: true, last: true }, true) => each(
                total,
                new,
                #[inline(always)]
                move |_, sum| (0.0 + number(sum)) * weight,
            ),
            (Ends { first: true, last: true }, false) => each(
                total,
                new,
                #[inline(always)]
                move |total, sum| total + (0.0 + number(sum)) * weight,
            ),
            (Ends { first: false, last: true }, true) => each_of_two(
                total,
                (of_step, new),
                #[inline(always)]
                move |_, before, sum| (before + number(sum)) * weight,
            ),
            (Ends { first: false, last: true }, false) => each_of_two(
                total,
                (of_step, new),
                #[inline(always)]
                move |total, before, sum| total + (before + number(sum)) * weight,
            ),
        }
        if place.last && step.ends.last {
            sums.runs().for_each(|(run, at)| self.outputs[at..at + run.len()].copy_from_slice(&total[run]));
        }
    }
}

/// Makes numbers of what they were and of new sums.
fn each<S: Copy + Into<i32>>(to: &mut [f32], sums: &[S], make: impl Fn(f32, i32) -> f32) {
    lanes::run(
        #[inline(always)]
        move || {
            for (to, &sum) in to.iter_mut().zip(sums) {
                *to = make(*to, sum.into());
            }
        },
    );
}

/// As [`each`], and of other numbers.
fn each_of_two<S: Copy + Into<i32>>(
    to: &mut [f32],
    (others, sums): (&[f32], &[S]),
    make: impl Fn(f32, f32, i32) -> f32,
) {
    lanes::run(
        #[inline(always)]
        move || {
            for ((to, &other), &sum) in to.iter_mut().zip(others).zip(sums) {
                *to = make(*to, other, sum.into());
            }
        },
    );
}

/// What makes partial sums of the sums of the kernel.
#[derive(Clone, Copy)]
struct Partial {
    missing: i32,
    unit: f32,
}

impl Partial {
    #[inline(always)]
    fn of(self, sum: i32) -> f32 {
        (sum + self.missing) as f32 * self.unit
    }
}
